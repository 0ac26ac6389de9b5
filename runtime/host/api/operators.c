/* Operators: made, changed, removed by owners; signing in and out; each one's own password and second factor. Passwords are hashed beside
 * the shop (admin/hasher.h); every change, and every refusal, is in the audit log. */
#include "host/admin/operators.h"
#include "base/zone.h"
#include "host/admin/act.h"
#include "host/admin/hasher.h"
#include "host/admin/throttle.h"
#include "host/api/routes.h"
#include "host/worker.h"
#include <stdio.h>

struct operating { /* call.state */
    struct act act;
    struct slice name;
    char hash[PASSWORD_HASH_MAX]; /* of the password that was sent, or, in a sign-in, what it was compared with */
    bool matches;                 /* the password that was sent is the one that this operator has */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static void refuse(struct call *c)
{
    call_fail(c, NULL, (struct slice){ 0 });
}

/* NULL after answering that memory ran out. */
static struct operating *begin(struct call *c, const char *action, struct slice name,
                               int (*run)(struct call *c, struct store_conn *conn, struct err *err))
{
    struct operating *o = arena_zalloc(c->arena, sizeof *o);
    if (!o) {
        nomem(&c->err);
        refuse(c);
        return NULL;
    }
    o->act = (struct act){ .action = action, .subject = name, .run = run, .keys_changed = true };
    o->name = name;
    c->state = o;
    return o;
}

static struct slice text_of(const struct json_value *body, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(body, key), &s);
    return s;
}

/* Takes what was written as the answer. */
static int answer_with(struct call *c, int status, struct buf *b, struct err *err)
{
    c->answer = (struct bind_answer){ status, b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b)) };
    buf_release(b);
    return c->answer.body.data ? 0 : nomem(err);
}

static struct slice roles_json(struct call *c, unsigned roles)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "roles");
    roles_write(roles, &w);
    json_object_end(&w);
    struct slice out = b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    return out;
}

static int answer_operator(struct call *c, int status, struct slice name, unsigned roles, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "name");
    json_string(&w, name);
    json_key(&w, "roles");
    roles_write(roles, &w);
    json_object_end(&w);
    return answer_with(c, status, &b, err);
}

static int answer_ok(struct call *c, struct err *err)
{
    c->answer = (struct bind_answer){ 200, SLICE_LIT("{\"ok\":true}") };
    (void)err;
    return 0;
}

/* --- passwords ------------------------------------------------------------------------------------------------------------------- */

static int check_password(struct call *c, struct slice password)
{
    size_t characters = 0;
    for (size_t i = 0; i < password.len; i++)
        characters += ((unsigned char)password.data[i] & 0xc0) != 0x80;
    if (characters >= PASSWORD_MIN && characters <= PASSWORD_MAX)
        return 0;
    return err_field(&c->err, ERR_INVALID, "/password", "A password has %d to %d characters.", PASSWORD_MIN, PASSWORD_MAX);
}

static int hash_new(struct call *c, struct err *err)
{
    struct operating *o = c->state;
    return password_hash(text_of(c->body, "password"), o->hash, err);
}

/* The password is hashed: the rest is a matter of the store. */
static void hashed(struct call *c)
{
    struct operating *o = c->state;
    if (c->rc < 0)
        refuse(c);
    else
        act_begin(c, &o->act);
}

static void hash_and_go_on(struct call *c)
{
    if (check_password(c, text_of(c->body, "password")) < 0) {
        refuse(c);
        return;
    }
    c->done = hashed;
    if (!hasher_send(c, hash_new))
        refuse(c);
}

/* --- made, changed, removed ------------------------------------------------------------------------------------------------------- */

static int add(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    unsigned roles;
    int rc = operator_name_check(o->name, err);
    if (rc == 0)
        rc = roles_parse(json_get(c->body, "roles"), &roles, err);
    if (rc == 0 && (rc = operator_find(conn, o->name, &row, err)) == 1)
        return err_reason(err, ERR_CONFLICT, "operator_exists", "There %s an operator \"%.*s\"; names are given once.",
                          row.removed ? "was already" : "is", SLICE_FMT(o->name));
    if (rc == 0)
        rc = operator_insert(conn, o->name, roles, o->hash, clock_wall_ms(c->shop->options.clock), err);
    if (rc < 0)
        return rc;
    o->act.details = roles_json(c, roles);
    return answer_operator(c, 201, o->name, roles, err);
}

void handle_operator_add(struct call *c)
{
    struct operating *o = begin(c, "operator.added", text_of(c->body, "name"), add);
    if (o && json_get(c->body, "password"))
        hash_and_go_on(c);
    else if (o)
        act_begin(c, &o->act);
}

static int change_roles(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    unsigned roles;
    int rc = roles_parse(json_get(c->body, "roles"), &roles, err);
    if (rc == 0)
        rc = operator_get(conn, o->name, &row, err);
    if (rc == 0)
        rc = operator_set_roles(conn, row.id, roles, err);
    if (rc == 0)
        rc = sessions_end_all(conn, row.id, err);
    if (rc < 0)
        return rc;
    o->act.details = roles_json(c, roles);
    return answer_operator(c, 200, o->name, roles, err);
}

void handle_operator_change(struct call *c)
{
    struct operating *o = begin(c, "operator.roles_changed", c->req->params[0], change_roles);
    if (o)
        act_begin(c, &o->act);
}

static int remove_one(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    int rc = operator_get(conn, o->name, &row, err);
    if (rc == 0)
        rc = operator_remove(conn, row.id, clock_wall_ms(c->shop->options.clock), err);
    return rc < 0 ? rc : answer_ok(c, err);
}

void handle_operator_remove(struct call *c)
{
    struct operating *o = begin(c, "operator.removed", c->req->params[0], remove_one);
    if (o)
        act_begin(c, &o->act);
}

void handle_operator_list(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    c->rc = operators_write(c->worker->conn, &w, &c->err);
    if (c->rc < 0) {
        refuse(c);
        return;
    }
    json_array_end(&w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}

/* --- each one's own ------------------------------------------------------------------------------------------------------------------ */

static bool is_self(const struct call *c, struct slice name)
{
    return !c->who.is_local && slice_is(name, c->who.id);
}

/* The routes are open to every role for one's own account; for another's one must be an owner. */
static bool may_touch(struct call *c, struct slice name, bool only_self)
{
    if (is_self(c, name) || (!only_self && c->who.roles & ROLE_OWNER))
        return true;
    if (only_self)
        err_reason(&c->err, ERR_DENIED, "not_yours", "%.*s does that himself, signed in.", SLICE_FMT(name));
    else
        err_reason(&c->err, ERR_DENIED, "not_yours", "Only an owner changes what belongs to another operator.");
    act_refuse(c);
    return false;
}

static int set_password(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    int rc = operator_get(conn, o->name, &row, err);
    if (rc == 0 && is_self(c, o->name) && !o->matches)
        rc = err_reason(err, ERR_DENIED, "wrong_password", "The current password is another one.");
    if (rc == 0)
        rc = operator_set_password(conn, row.id, o->hash, is_self(c, o->name), err);
    if (rc == 0)
        rc = sessions_end_all(conn, row.id, err);
    return rc < 0 ? rc : answer_ok(c, err);
}

static int compare_and_hash(struct call *c, struct err *err)
{
    struct operating *o = c->state;
    int rc = o->hash[0] ? password_verify(o->hash, text_of(c->body, "current"), err) : 0;
    o->matches = rc == 1;
    return rc < 0 ? rc : hash_new(c, err);
}

void handle_operator_password(struct call *c)
{
    struct operating *o = begin(c, "operator.password_changed", c->req->params[0], set_password);
    struct operator_row row;
    if (!o || !may_touch(c, o->name, false))
        return;
    if (!is_self(c, o->name)) {
        hash_and_go_on(c);
        return;
    }
    c->rc = operator_find(c->worker->conn, o->name, &row, &c->err);
    if (c->rc < 0 || check_password(c, text_of(c->body, "password")) < 0) {
        refuse(c);
        return;
    }
    memcpy(o->hash, row.password, sizeof o->hash);
    c->done = hashed;
    if (!hasher_send(c, compare_and_hash))
        refuse(c);
}

/* "otpauth://totp/Tea%20shop:anna?secret=...&issuer=Tea%20shop" */
static void add_escaped(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain)
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

static void write_totp(struct call *c, struct slice name, const unsigned char secret[TOTP_SECRET_BYTES], struct buf *b)
{
    struct json_writer w;
    struct buf url;
    char text[64];
    struct slice shop = generation_settings(c->seat->generation)->name;
    base32_encode(secret, TOTP_SECRET_BYTES, text);
    struct slice encoded = slice_of(text, base32_len(TOTP_SECRET_BYTES));
    buf_init(&url, NULL);
    buf_add_str(&url, "otpauth://totp/");
    add_escaped(&url, shop);
    buf_add_str(&url, ":");
    add_escaped(&url, name);
    buf_printf(&url, "?secret=%.*s&issuer=", SLICE_FMT(encoded));
    add_escaped(&url, shop);
    json_writer_init(&w, b);
    json_object(&w);
    json_key(&w, "secret");
    json_string(&w, encoded);
    json_key(&w, "url");
    json_string(&w, buf_slice(&url));
    json_object_end(&w);
    b->failed = b->failed || url.failed;
    buf_release(&url);
}

static int begin_totp(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    unsigned char secret[TOTP_SECRET_BYTES];
    struct buf b;
    int rc = operator_get(conn, o->name, &row, err);
    if (rc == 0 && row.totp_on)
        rc = err_reason(err, ERR_STATE, "second_factor_on", "There is a second factor already; an owner takes it away when it is lost.");
    random_fill(c->shop->options.random, secret, sizeof secret);
    if (rc == 0)
        rc = operator_set_totp(conn, row.id, secret, err);
    if (rc < 0)
        return rc;
    buf_init(&b, NULL);
    write_totp(c, o->name, secret, &b);
    return answer_with(c, 201, &b, err);
}

void handle_operator_totp(struct call *c)
{
    struct operating *o = begin(c, "operator.second_factor_begun", c->req->params[0], begin_totp);
    if (o && may_touch(c, o->name, true))
        act_begin(c, &o->act);
}

static int confirm_totp(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    struct buf b;
    struct json_writer w;
    int rc = operator_get(conn, o->name, &row, err);
    if (rc == 0 && row.totp_on)
        rc = err_reason(err, ERR_STATE, "second_factor_on", "There is a second factor already.");
    if (rc == 0)
        rc = operator_use_code(conn, &row, text_of(c->body, "code"), clock_wall_ms(c->shop->options.clock), err);
    if (rc == 0)
        rc = err_reason(err, ERR_DENIED, "wrong_code", "This is not the code of this moment; type the one that the app shows now.");
    if (rc < 0 || (rc = operator_turn_totp_on(conn, row.id, err)) < 0)
        return rc;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "recovery_codes");
    rc = operator_new_recovery_codes(conn, row.id, c->shop->options.random, &w, err);
    json_object_end(&w);
    if (rc == 0)
        return answer_with(c, 200, &b, err);
    buf_release(&b);
    return rc;
}

void handle_operator_totp_confirm(struct call *c)
{
    struct operating *o = begin(c, "operator.second_factor_on", c->req->params[0], confirm_totp);
    if (o && may_touch(c, o->name, true))
        act_begin(c, &o->act);
}

static int end_totp(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    int rc = operator_get(conn, o->name, &row, err);
    if (rc == 0)
        rc = operator_end_totp(conn, row.id, err);
    if (rc == 0)
        rc = sessions_end_all(conn, row.id, err);
    return rc < 0 ? rc : answer_ok(c, err);
}

void handle_operator_totp_remove(struct call *c)
{
    struct operating *o = begin(c, "operator.second_factor_off", c->req->params[0], end_totp);
    if (o)
        act_begin(c, &o->act);
}

/* --- signing in and out ------------------------------------------------------------------------------------------------------------------
 */

/* Of nobody's password; so that a name that there is not takes as long as a wrong password. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=3,p=1$bm9ib2R5bm9ib2R5bm9ibw$m0V4ZU1v0JxV1Ov2a2oXKkLmd6ZQnZ8j1c1mB0c8Xr4";

static struct slice address_of(const struct call *c)
{
    return c->req->peer->local_socket ? SLICE_LIT("") : c->req->client_ip;
}

static int compare(struct call *c, struct err *err)
{
    struct operating *o = c->state;
    int rc = password_verify(o->hash[0] ? o->hash : nobody, text_of(c->body, "password"), err);
    o->matches = rc == 1 && o->hash[0];
    return rc < 0 ? rc : 0;
}

static int wrong_sign_in(struct err *err)
{
    return err_reason(err, ERR_UNAUTHENTICATED, "sign_in_refused", "The name, the password or the code is not right.");
}

/* On the writer: what was true when the password was compared is asked again. *factors: 1, or 2 with a code. */
static int check_factors(struct call *c, struct store_conn *conn, const struct operator_row *row, int *factors, struct err *err)
{
    struct slice code = text_of(c->body, "code");
    *factors = 1;
    if (!row->totp_on)
        return 0;
    if (code.len == 0)
        return err_reason(err, ERR_UNAUTHENTICATED, "second_factor_needed",
                          "This operator also types a code of six digits: send it as \"code\".");
    int rc = operator_use_code(conn, row, code, clock_wall_ms(c->shop->options.clock), err);
    *factors = 2;
    return rc < 0 ? rc : rc == 1 ? 0 : wrong_sign_in(err);
}

static int write_session(struct call *c, const struct operator_row *row, const char *token, int64_t expires_ms, struct err *err)
{
    struct buf b;
    struct json_writer w;
    char at[TIMESTAMP_MAX];
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "token");
    json_str(&w, token);
    json_key(&w, "name");
    json_str(&w, row->name);
    json_key(&w, "roles");
    roles_write(row->roles, &w);
    json_key(&w, "expires_at");
    json_string(&w, slice_of(at, timestamp_format(expires_ms, at)));
    json_object_end(&w);
    return answer_with(c, 201, &b, err);
}

static int sign_in(struct call *c, struct store_conn *conn, struct err *err)
{
    struct operating *o = c->state;
    struct operator_row row;
    char token[API_KEY_MAX];
    unsigned char hash[SHA256_BYTES];
    int factors = 0;
    int64_t now_ms = auth_now_ms(c->shop->auth);
    int rc = operator_find(conn, o->name, &row, err);
    bool fine = rc == 1 && o->matches && !row.removed && strcmp(row.password, o->hash) == 0;
    if (rc >= 0)
        rc = fine ? check_factors(c, conn, &row, &factors, err) : wrong_sign_in(err);
    if (rc < 0)
        return rc;
    auth_make_key(c->shop->options.random, "op", token, hash);
    rc = sessions_forget(conn, now_ms, err);
    if (rc == 0)
        rc = session_insert(conn, row.id, hash, factors, now_ms, err);
    if (rc < 0)
        return rc;
    o->act.details = arena_printf(c->arena, "{\"factors\":%d}", factors);
    throttle_good(c->shop->throttle, o->name, address_of(c));
    return write_session(c, &row, token, now_ms + SESSION_MS, err);
}

void handle_sign_in(struct call *c)
{
    struct operating *o = begin(c, "operator.signed_in", text_of(c->body, "name"), sign_in);
    struct operator_row row;
    if (!o)
        return;
    o->act.actor = "nobody"; /* until he has shown who he is; the subject is who he says he is */
    /* Not over the socket: who has the machine could read the hashes, and somebody must get in while others guess from outside. */
    int64_t wait_ms = c->req->peer->local_socket
                          ? 0
                          : throttle_try(c->shop->throttle, o->name, address_of(c), clock_mono_ns(c->shop->options.clock) / 1000000 + 1);
    if (wait_ms > 0) {
        http_problem_retry(c->req, 429, "sign_in_throttled", "There were too many tries; wait a moment, and then try once.",
                           (int)(wait_ms / 1000 + 1));
        return;
    }
    c->rc = operator_find(c->worker->conn, o->name, &row, &c->err);
    if (c->rc < 0) {
        refuse(c);
        return;
    }
    memcpy(o->hash, row.password, sizeof o->hash);
    c->done = hashed;
    if (!hasher_send(c, compare))
        refuse(c);
}

static int sign_out(struct call *c, struct store_conn *conn, struct err *err)
{
    int rc = session_end(conn, c->who.session_hash, err);
    return rc < 0 ? rc : answer_ok(c, err);
}

void handle_sign_out(struct call *c)
{
    struct operating *o = begin(c, "operator.signed_out", slice_str(c->who.id), sign_out);
    if (o)
        act_begin(c, &o->act);
}

void handle_me(struct call *c)
{
    const char *name = act_actor(c);
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "name");
    json_str(&w, name ? name : "");
    json_key(&w, "roles");
    roles_write(c->who.roles, &w);
    json_key(&w, "second_factor");
    json_bool(&w, c->who.factors > 1);
    json_object_end(&w);
    c->rc = answer_with(c, 200, &b, &c->err);
    call_answer(c);
}
