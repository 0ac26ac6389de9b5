#include "host/admin/operators.h"
#include "base/zone.h"
#include <stdio.h>

/* --- values from outside ------------------------------------------------------------------------------------------------------- */

int roles_parse(const struct json_value *list, unsigned *out, struct err *err)
{
    *out = 0;
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next) {
        unsigned found = 0;
        for (unsigned i = 0; role_names[i]; i++)
            found |= slice_is(v->string, role_names[i]) ? 1u << i : 0;
        if (!found)
            return err_field(err, ERR_INVALID, "/roles",
                             "There is no role \"%.*s\"; the roles are viewer, author, business, legal and owner.", SLICE_FMT(v->string));
        *out |= found;
    }
    return *out ? 0 : err_field(err, ERR_INVALID, "/roles", "An operator has at least one role: viewer, author, business, legal or owner.");
}

void roles_write(unsigned roles, struct json_writer *w)
{
    json_array(w);
    for (unsigned i = 0; role_names[i]; i++)
        if (roles & 1u << i)
            json_str(w, role_names[i]);
    json_array_end(w);
}

/* These stand in logs beside names of operators. */
static bool is_reserved(struct slice name)
{
    static const char *const names[] = { "feira", "operator", "local", "key", "nobody", "system" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(name, names[i]))
            return true;
    return false;
}

int operator_name_check(struct slice name, struct err *err)
{
    bool fine = name.len > 0 && name.len < OPERATOR_NAME_MAX && name.data[0] >= 'a' && name.data[0] <= 'z';
    for (size_t i = 0; i < name.len && fine; i++)
        fine = (name.data[i] >= 'a' && name.data[i] <= 'z') || (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '.' ||
               name.data[i] == '_' || name.data[i] == '-';
    if (fine && !is_reserved(name))
        return 0;
    return err_field(err, ERR_INVALID, "/name",
                     "An operator's name has 1 to %d small letters, digits, dots, underscores and hyphens, a letter first, and is not one "
                     "of feira, operator, local, key, nobody, system.",
                     OPERATOR_NAME_MAX - 1);
}

/* --- rows ----------------------------------------------------------------------------------------------------------------------------- */

static void read_row(struct store_stmt *q, struct operator_row *out)
{
    struct slice password = store_column_text(q, 3), secret = store_column_text(q, 4);
    *out = (struct operator_row){ .id = store_column_int(q, 0), .roles = roles_of_text(store_column_text(q, 2)) };
    snprintf(out->name, sizeof out->name, "%.*s", SLICE_FMT(store_column_text(q, 1)));
    if (store_column_type(q, 3) != STORE_NULL)
        snprintf(out->password, sizeof out->password, "%.*s", SLICE_FMT(password));
    out->has_totp_secret = store_column_type(q, 4) != STORE_NULL && secret.len == TOTP_SECRET_BYTES;
    if (out->has_totp_secret)
        memcpy(out->totp_secret, secret.data, TOTP_SECRET_BYTES);
    out->totp_on = store_column_int(q, 5) != 0;
    out->totp_step = store_column_int(q, 6);
    out->removed = store_column_type(q, 7) != STORE_NULL;
    out->password_own = store_column_int(q, 8) != 0;
}

int operator_find(struct store_conn *conn, struct slice name, struct operator_row *out, struct err *err)
{
    struct store_stmt *q;
    *out = (struct operator_row){ 0 };
    int rc = store_prepare(
        conn, "SELECT id, name, roles, password, totp_secret, totp_on, totp_step, removed_at, password_own FROM operators WHERE name = ?1",
        &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, name);
    rc = store_step(q, err);
    if (rc == 1)
        read_row(q, out);
    store_reset(q);
    return rc;
}

int operator_get(struct store_conn *conn, struct slice name, struct operator_row *out, struct err *err)
{
    int rc = operator_find(conn, name, out, err);
    if (rc < 0 || (rc == 1 && !out->removed))
        return rc < 0 ? rc : 0;
    return err_reason(err, ERR_NOT_FOUND, "no_such_operator", "There is no operator \"%.*s\"; feira operators SHOP lists them.",
                      SLICE_FMT(name));
}

static void write_one(struct store_stmt *q, struct json_writer *w)
{
    char at[TIMESTAMP_MAX];
    json_object(w);
    json_key(w, "name");
    json_string(w, store_column_text(q, 0));
    json_key(w, "roles");
    roles_write(roles_of_text(store_column_text(q, 1)), w);
    json_key(w, "password");
    json_bool(w, store_column_int(q, 2) != 0);
    json_key(w, "second_factor");
    json_bool(w, store_column_int(q, 3) != 0);
    json_key(w, "sessions");
    json_int(w, store_column_int(q, 4));
    json_key(w, "created_at");
    json_string(w, slice_of(at, timestamp_format(store_column_int(q, 5), at)));
    if (store_column_type(q, 6) != STORE_NULL) {
        json_key(w, "removed_at");
        json_string(w, slice_of(at, timestamp_format(store_column_int(q, 6), at)));
    }
    json_object_end(w);
}

int operators_write(struct store_conn *conn, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc =
        store_prepare(conn,
                      "SELECT name, roles, password IS NOT NULL, totp_on, (SELECT count(*) FROM operator_sessions s WHERE s.operator = "
                      "o.id), created_at, removed_at FROM operators o ORDER BY removed_at IS NOT NULL, name",
                      &q, err);
    while (rc >= 0 && (rc = store_step(q, err)) == 1)
        write_one(q, w);
    return rc;
}

int operator_insert(struct store_conn *conn, struct slice name, unsigned roles, const char *password, int64_t now_ms, struct err *err)
{
    struct store_stmt *q;
    char text[ROLES_TEXT_MAX];
    int rc = store_prepare(conn, "INSERT INTO operators (name, roles, password, created_at) VALUES (?1, ?2, ?3, ?4)", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, name);
    store_bind_text(q, 2, roles_to_text(roles, text));
    if (password[0])
        store_bind_text(q, 3, slice_str(password));
    else
        store_bind_null(q, 3);
    store_bind_int(q, 4, now_ms);
    return store_run(q, NULL, err);
}

/* One row, which must be there. */
static int change_one(struct store_stmt *q, struct err *err)
{
    int64_t changed = 0;
    int rc = store_run(q, &changed, err);
    return rc < 0 || changed == 1 ? rc : err_set(err, ERR_INTERNAL, "An operator that was just found is not there.");
}

int operator_set_roles(struct store_conn *conn, int64_t id, unsigned roles, struct err *err)
{
    struct store_stmt *q;
    char text[ROLES_TEXT_MAX];
    int rc = store_prepare(conn, "UPDATE operators SET roles = ?2 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_text(q, 2, roles_to_text(roles, text));
    return change_one(q, err);
}

int operator_set_password(struct store_conn *conn, int64_t id, const char *password, bool own, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE operators SET password = ?2, password_own = ?3 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_text(q, 2, slice_str(password));
    store_bind_int(q, 3, own);
    return change_one(q, err);
}

/* A statement of one number. */
static int run_with(struct store_conn *conn, const char *sql, int64_t id, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, sql, &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    return store_run(q, NULL, err);
}

static int forget_codes(struct store_conn *conn, int64_t id, struct err *err)
{
    return run_with(conn, "DELETE FROM operator_recovery_codes WHERE operator = ?1", id, err);
}

int operator_remove(struct store_conn *conn, int64_t id, int64_t now_ms, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE operators SET removed_at = ?2, password = NULL, totp_secret = NULL, totp_on = 0 WHERE id = ?1", &q,
                           err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_int(q, 2, now_ms);
    rc = change_one(q, err);
    if (rc == 0)
        rc = forget_codes(conn, id, err);
    return rc < 0 ? rc : sessions_end_all(conn, id, err);
}

/* --- the second factor ------------------------------------------------------------------------------------------------------------ */

/* totp_step stays: a code that was used under the secret before is no code under this one, but the clock is the same. */
int operator_set_totp(struct store_conn *conn, int64_t id, const unsigned char secret[TOTP_SECRET_BYTES], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE operators SET totp_secret = ?2 WHERE id = ?1 AND totp_on = 0", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_blob(q, 2, slice_of((const char *)secret, TOTP_SECRET_BYTES));
    return change_one(q, err);
}

int operator_end_totp(struct store_conn *conn, int64_t id, struct err *err)
{
    int rc = run_with(conn, "UPDATE operators SET totp_secret = NULL, totp_on = 0 WHERE id = ?1", id, err);
    return rc < 0 ? rc : forget_codes(conn, id, err);
}

int operator_turn_totp_on(struct store_conn *conn, int64_t id, struct err *err)
{
    return run_with(conn, "UPDATE operators SET totp_on = 1 WHERE id = ?1", id, err);
}

static int use_step(struct store_conn *conn, int64_t id, int64_t step, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE operators SET totp_step = ?2 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_int(q, 2, step);
    return change_one(q, err);
}

/* The step of now, the one before and the one after: clocks of telephones are a little off. None that was used, nor any before it: so a
 * code is good once, also when the shop's clock is set back. */
static int use_time_code(struct store_conn *conn, const struct operator_row *o, uint32_t code, int64_t now_ms, struct err *err)
{
    int64_t now = now_ms / TOTP_STEP_MS;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        uint32_t right;
        int rc = totp_code(slice_of((const char *)o->totp_secret, TOTP_SECRET_BYTES), step, &right, err);
        if (rc < 0)
            return rc;
        if (step > o->totp_step && right == code)
            return (rc = use_step(conn, o->id, step, err)) < 0 ? rc : 1;
    }
    return 0;
}

static int use_recovery_code(struct store_conn *conn, const struct operator_row *o, struct slice code, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    char plain[64];
    size_t n = 0;
    struct store_stmt *q;
    int64_t used = 0;
    for (size_t i = 0; i < code.len && n < sizeof plain; i++)
        if (code.data[i] != '-' && code.data[i] != ' ')
            plain[n++] = code.data[i] >= 'a' && code.data[i] <= 'z' ? (char)(code.data[i] - 32) : code.data[i];
    crypto_sha256(slice_of(plain, n), hash);
    int rc = store_prepare(conn, "DELETE FROM operator_recovery_codes WHERE operator = ?1 AND hash = ?2", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, o->id);
    store_bind_blob(q, 2, slice_of((const char *)hash, sizeof hash));
    rc = store_run(q, &used, err);
    return rc < 0 ? rc : used == 1;
}

int operator_use_code(struct store_conn *conn, const struct operator_row *o, struct slice code, int64_t now_ms, struct err *err)
{
    uint32_t n = 0;
    if (!o->has_totp_secret)
        return 0;
    for (size_t i = 0; i < code.len && i < 6; i++) {
        if (code.data[i] < '0' || code.data[i] > '9')
            return use_recovery_code(conn, o, code, err);
        n = n * 10 + (uint32_t)(code.data[i] - '0');
    }
    return code.len == 6 ? use_time_code(conn, o, n, now_ms, err) : use_recovery_code(conn, o, code, err);
}

static int insert_code(struct store_conn *conn, int64_t id, struct slice text, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    struct store_stmt *q;
    crypto_sha256(text, hash);
    int rc = store_prepare(conn, "INSERT INTO operator_recovery_codes (operator, hash) VALUES (?1, ?2)", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_blob(q, 2, slice_of((const char *)hash, sizeof hash));
    return store_run(q, NULL, err);
}

int operator_new_recovery_codes(struct store_conn *conn, int64_t id, const struct random_source *random, struct json_writer *w,
                                struct err *err)
{
    int rc = forget_codes(conn, id, err);
    json_array(w);
    for (int i = 0; i < RECOVERY_CODES && rc == 0; i++) {
        unsigned char bytes[RECOVERY_BYTES];
        char text[32];
        random_fill(random, bytes, sizeof bytes);
        base32_encode(bytes, sizeof bytes, text);
        struct slice code = slice_of(text, base32_len(sizeof bytes));
        json_string(w, code);
        rc = insert_code(conn, id, code, err);
    }
    json_array_end(w);
    return rc;
}

/* --- sessions ---------------------------------------------------------------------------------------------------------------------------
 */

int session_insert(struct store_conn *conn, int64_t operator_id, const unsigned char hash[SHA256_BYTES], int factors, int64_t now_ms,
                   struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn, "INSERT INTO operator_sessions (hash, operator, factors, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)", &q, err);
    if (rc < 0)
        return rc;
    store_bind_blob(q, 1, slice_of((const char *)hash, SHA256_BYTES));
    store_bind_int(q, 2, operator_id);
    store_bind_int(q, 3, factors);
    store_bind_int(q, 4, now_ms);
    store_bind_int(q, 5, now_ms + SESSION_MS);
    return store_run(q, NULL, err);
}

int session_end(struct store_conn *conn, const unsigned char hash[SHA256_BYTES], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "DELETE FROM operator_sessions WHERE hash = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_blob(q, 1, slice_of((const char *)hash, SHA256_BYTES));
    return store_run(q, NULL, err);
}

int sessions_end_all(struct store_conn *conn, int64_t operator_id, struct err *err)
{
    return run_with(conn, "DELETE FROM operator_sessions WHERE operator = ?1", operator_id, err);
}

int sessions_forget(struct store_conn *conn, int64_t before_ms, struct err *err)
{
    return run_with(conn, "DELETE FROM operator_sessions WHERE expires_at < ?1", before_ms, err);
}
