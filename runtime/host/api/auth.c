#include "host/api/auth.h"
#include "base/json.h"
#include "base/map.h"
#include "host/admin/audit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct api_key { /* or a session of an operator */
    enum caller_kind kind;
    unsigned scopes, roles;
    int factors;
    int64_t expires_ms; /* of a session */
    char id[CALLER_ID_MAX];
};

struct auth {
    struct hmac_key *hmac;
    const struct clock *clock;
    pthread_rwlock_t lock; /* guards keys */
    struct map keys;       /* hash of a key or a session → struct api_key * */
    atomic_int_fast64_t latest_ms;
};

const char *const scope_names[] = { "products:write",  "stock:write",  "orders:read", "orders:write",   "refunds:write", "customers:read",
                                    "customers:write", "tokens:write", "admin",       "webhooks:write", "quotes:batch",  NULL };

int scope_parse(struct slice name, unsigned *out, struct err *err)
{
    for (unsigned i = 0; scope_names[i]; i++) {
        if (slice_is(name, scope_names[i])) {
            *out = 1u << i;
            return 0;
        }
    }
    return err_field(err, ERR_INVALID, "/scopes", "There is no scope \"%.*s\"; see the list with: feira help keys", SLICE_FMT(name));
}

const char *const role_names[] = { "viewer", "author", "business", "legal", "owner", NULL };

unsigned roles_of_text(struct slice text)
{
    unsigned roles = 0;
    while (text.len) {
        const char *comma = memchr(text.data, ',', text.len);
        size_t n = comma ? (size_t)(comma - text.data) : text.len;
        for (unsigned i = 0; role_names[i]; i++)
            roles |= slice_is(slice_of(text.data, n), role_names[i]) ? 1u << i : 0;
        text = slice_of(text.data + n + (comma != NULL), text.len - n - (comma != NULL));
    }
    return roles;
}

struct slice roles_to_text(unsigned roles, char buf[ROLES_TEXT_MAX])
{
    size_t n = 0;
    buf[0] = '\0';
    for (unsigned i = 0; role_names[i]; i++)
        if (roles & 1u << i)
            n += (size_t)snprintf(buf + n, ROLES_TEXT_MAX - n, "%s%s", n ? "," : "", role_names[i]);
    return slice_of(buf, n);
}

const char *caller_kind_name(enum caller_kind k)
{
    switch (k) {
    case CALLER_STOREFRONT:
        return "pk";
    case CALLER_CUSTOMER:
        return "ct";
    case CALLER_SERVER:
        return "sk";
    case CALLER_OPERATOR:
        return "operator";
    case CALLER_NOBODY:
        break;
    }
    return "nobody";
}

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static void keys_free(struct map *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        free(keys->entries[i].value);
    map_release(keys);
}

static unsigned scopes_from_json(struct slice list, struct arena *scratch) /* ["orders:read", ...] */
{
    unsigned scopes = 0, one;
    struct json_value *v;
    if (json_parse(list, NULL, scratch, &v, NULL) < 0 || v->type != JSON_ARRAY)
        return 0;
    for (const struct json_value *s = v->first; s; s = s->next)
        if (s->type == JSON_STRING && scope_parse(s->string, &one, NULL) == 0)
            scopes |= one;
    return scopes;
}

static int keys_read(struct store_conn *conn, struct map *keys, struct err *err)
{
    struct store_stmt *q;
    struct arena scratch;
    int rc = store_prepare(conn, "SELECT hash, kind, scopes, key_id FROM api_keys WHERE revoked_at IS NULL", &q, err);
    if (rc < 0)
        return rc;
    arena_init(&scratch, NULL, 0);
    while ((rc = store_step(q, err)) == 1) {
        struct api_key *k = calloc(1, sizeof *k);
        struct slice id = store_column_text(q, 3);
        if (!k || id.len >= sizeof k->id || !map_set(keys, store_column_text(q, 0), k)) {
            free(k);
            store_reset(q);
            rc = err_set(err, ERR_NOMEM, "Out of memory while reading the keys.");
            break;
        }
        k->kind = slice_is(store_column_text(q, 1), "sk") ? CALLER_SERVER : CALLER_STOREFRONT;
        k->scopes = scopes_from_json(store_column_text(q, 2), &scratch);
        memcpy(k->id, id.data, id.len);
    }
    arena_release(&scratch);
    return rc;
}

static int sessions_read(struct store_conn *conn, struct map *keys, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT s.hash, o.name, o.roles, s.factors, s.expires_at FROM operator_sessions s JOIN operators o ON o.id = "
                           "s.operator WHERE o.removed_at IS NULL",
                           &q, err);
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        struct api_key *k = calloc(1, sizeof *k);
        if (!k || !map_set(keys, store_column_text(q, 0), k)) {
            free(k);
            store_reset(q);
            return err_set(err, ERR_NOMEM, "Out of memory while reading the sessions of operators.");
        }
        k->kind = CALLER_OPERATOR;
        k->roles = roles_of_text(store_column_text(q, 2));
        k->scopes = k->roles & ROLE_OWNER ? SCOPE_ALL : 0;
        k->factors = (int)store_column_int(q, 3);
        k->expires_ms = store_column_int(q, 4);
        snprintf(k->id, sizeof k->id, "%.*s", SLICE_FMT(store_column_text(q, 1)));
    }
    return rc;
}

int auth_reload(struct auth *a, struct store_conn *conn, struct err *err)
{
    struct map next;
    map_init(&next, NULL);
    int rc = keys_read(conn, &next, err);
    if (rc == 0)
        rc = sessions_read(conn, &next, err);
    if (rc == 0) {
        pthread_rwlock_wrlock(&a->lock);
        struct map old = a->keys;
        a->keys = next;
        pthread_rwlock_unlock(&a->lock);
        next = old;
    }
    keys_free(&next);
    return rc;
}

void auth_make_key(const struct random_source *random, const char *kind, char text[API_KEY_MAX], unsigned char hash[SHA256_BYTES])
{
    unsigned char secret[24];
    random_fill(random, secret, sizeof secret);
    int n = snprintf(text, API_KEY_MAX, "%s_", kind);
    base64url_encode(secret, sizeof secret, text + n);
    size_t len = (size_t)n + base64url_len(sizeof secret);
    text[len] = '\0';
    crypto_sha256(slice_of(text, len), hash);
}

/* --- the shop's secret ------------------------------------------------------------------------------------------- */

static int secret_read(struct store_conn *conn, unsigned char secret[32], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT value FROM meta WHERE name = 'secret'", &q, err);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        struct slice v = store_column_text(q, 0);
        rc = v.len == 32 ? 1 : err_set(err, ERR_CORRUPT, "The shop's secret in the store is damaged; restore a backup.");
        if (rc == 1)
            memcpy(secret, v.data, 32);
        store_reset(q);
    }
    return rc;
}

static int secret_make(struct store_conn *conn, const struct random_source *random, unsigned char secret[32], struct err *err)
{
    random_fill(random, secret, 32);
    struct store_stmt *q;
    int rc = store_begin(conn, err);
    if (rc < 0)
        return rc;
    rc = store_prepare(conn, "INSERT INTO meta (name, value) VALUES ('secret', ?1)", &q, err);
    if (rc == 0) {
        store_bind_blob(q, 1, slice_of((const char *)secret, 32));
        rc = store_run(q, NULL, err);
    }
    if (rc == 0)
        return store_commit(conn, err);
    store_rollback(conn);
    return rc;
}

/* What the shop has seen of time: when something was done that is in the audit log, where sign-ins are, too. */
static int latest_read(struct store_conn *conn, int64_t *out, struct err *err)
{
    struct audit_head head;
    int rc = audit_head(conn, &head, err);
    *out = head.at_ms;
    return rc;
}

int64_t auth_now_ms(struct auth *a)
{
    int_fast64_t now = clock_wall_ms(a->clock), latest = atomic_load_explicit(&a->latest_ms, memory_order_relaxed);
    while (now > latest)
        if (atomic_compare_exchange_weak_explicit(&a->latest_ms, &latest, now, memory_order_relaxed, memory_order_relaxed))
            return now;
    return latest;
}

int auth_open(struct store_conn *writer_conn, const struct random_source *random, const struct clock *clock, struct auth **out,
              struct err *err)
{
    unsigned char secret[32];
    *out = NULL;
    int rc = secret_read(writer_conn, secret, err);
    if (rc == 0)
        rc = secret_make(writer_conn, random, secret, err);
    if (rc < 0)
        return rc;
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    a->clock = clock;
    map_init(&a->keys, NULL);
    pthread_rwlock_init(&a->lock, NULL);
    a->hmac = hmac_key_new(slice_of((const char *)secret, sizeof secret));
    int64_t latest = 0;
    rc = a->hmac ? auth_reload(a, writer_conn, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0)
        rc = latest_read(writer_conn, &latest, err);
    atomic_init(&a->latest_ms, latest);
    if (rc < 0) {
        auth_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

void auth_close(struct auth *a)
{
    if (!a)
        return;
    hmac_key_free(a->hmac);
    keys_free(&a->keys);
    pthread_rwlock_destroy(&a->lock);
    free(a);
}

void auth_sign(const struct auth *a, const char *purpose, struct slice payload, unsigned char mac[SHA256_BYTES])
{
    /* The payload is hashed first, so that purpose and payload can't be shifted against each other. */
    unsigned char message[32 + SHA256_BYTES] = { 0 };
    strncpy((char *)message, purpose, 31);
    crypto_sha256(payload, message + 32);
    hmac_sha256(a->hmac, slice_of((const char *)message, sizeof message), mac);
}

/* --- customer tokens: ct_<expiry in hex>.<customer>.<mac>; the mac has a fixed length, so a customer id may hold dots -------------- */

int auth_make_token(struct auth *a, struct slice customer, int64_t expires_ms, char out[CUSTOMER_TOKEN_MAX], struct err *err)
{
    if (customer.len == 0 || customer.len >= CALLER_ID_MAX)
        return err_field(err, ERR_INVALID, "/customer", "A customer id has 1 to %d characters.", CALLER_ID_MAX - 1);
    int n = snprintf(out, CUSTOMER_TOKEN_MAX, "ct_%llx.%.*s", (unsigned long long)expires_ms, SLICE_FMT(customer));
    unsigned char mac[SHA256_BYTES];
    auth_sign(a, "customer-token", slice_of(out, (size_t)n), mac);
    out[n] = '.';
    base64url_encode(mac, sizeof mac, out + n + 1);
    out[(size_t)n + 1 + base64url_len(sizeof mac)] = '\0';
    return 0;
}

static int token_check(struct auth *a, struct slice token, struct caller *out, struct err *err)
{
    const size_t mac_len = base64url_len(SHA256_BYTES);
    unsigned char mac[SHA256_BYTES], given[SHA256_BYTES + 3];
    if (token.len < 3 + mac_len + 3 || token.len >= CUSTOMER_TOKEN_MAX)
        return err_set(err, ERR_UNAUTHENTICATED,
                       "This customer token is not one of ours; get a new one with POST /v1/customers/{id}/tokens.");
    struct slice payload = slice_of(token.data, token.len - mac_len - 1);
    auth_sign(a, "customer-token", payload, mac);
    if (token.data[payload.len] != '.' || base64url_decode(slice_of(token.data + payload.len + 1, mac_len), given) != SHA256_BYTES ||
        !crypto_equal(mac, given, SHA256_BYTES))
        return err_set(err, ERR_UNAUTHENTICATED,
                       "This customer token is not one of ours; get a new one with POST /v1/customers/{id}/tokens.");
    char *end; /* the payload is followed by '.', so strtoull stops inside the token */
    int64_t expires_ms = (int64_t)strtoull(payload.data + 3, &end, 16);
    if (expires_ms <= clock_wall_ms(a->clock))
        return err_reason(err, ERR_UNAUTHENTICATED, "token_expired",
                          "This customer token has expired; get a new one with POST /v1/customers/{id}/tokens.");
    size_t at = (size_t)(end + 1 - payload.data), len = payload.len - at;
    *out = (struct caller){ .kind = CALLER_CUSTOMER };
    memcpy(out->customer, payload.data + at, len);
    memcpy(out->id, out->customer, sizeof out->id);
    return 0;
}

int auth_check(struct auth *a, struct slice header, struct caller *out, struct err *err)
{
    *out = (struct caller){ .kind = CALLER_NOBODY };
    if (!header.data)
        return 0;
    if (header.len < 8 || strncasecmp(header.data, "Bearer ", 7) != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "Authorization must be \"Bearer KEY\" with a key that begins with pk_, sk_, ct_ or op_.");
    struct slice key = slice_of(header.data + 7, header.len - 7);
    if (key.len > 3 && memcmp(key.data, "ct_", 3) == 0)
        return token_check(a, key, out, err);
    unsigned char hash[SHA256_BYTES];
    crypto_sha256(key, hash);
    pthread_rwlock_rdlock(&a->lock);
    const struct api_key *k = map_get(&a->keys, slice_of((const char *)hash, sizeof hash));
    bool expired = k && k->expires_ms && k->expires_ms <= auth_now_ms(a);
    if (k && !expired) {
        out->kind = k->kind;
        out->scopes = k->scopes;
        out->roles = k->roles;
        out->factors = k->factors;
        memcpy(out->id, k->id, sizeof out->id);
        memcpy(out->session_hash, hash, sizeof hash);
    }
    pthread_rwlock_unlock(&a->lock);
    if (expired || (!k && key.len > 3 && memcmp(key.data, "op_", 3) == 0))
        return err_reason(err, ERR_UNAUTHENTICATED, "session_over",
                          "This session is over, or never was; sign in again: feira login, or POST /v1/admin/sessions.");
    return k ? 0 : err_set(err, ERR_UNAUTHENTICATED, "This key is unknown or revoked; see: feira keys SHOP");
}
