/* Keys: made, listed, revoked by the operator. The text of a key leaves the process once, in the answer that makes it. */
#include "host/admin/act.h"
#include "host/api/routes.h"
#include "host/worker.h"

static void write_scopes(struct json_writer *w, unsigned scopes)
{
    json_array(w);
    for (unsigned i = 0; scope_names[i]; i++)
        if (scopes & (1u << i))
            json_str(w, scope_names[i]);
    json_array_end(w);
}

static int read_scopes(const struct json_value *body, bool server, unsigned *out, struct err *err)
{
    const struct json_value *list = json_get(body, "scopes");
    *out = server ? SCOPE_ALL & ~SCOPE_ADMIN : 0;
    if (!list)
        return 0;
    if (!server)
        return err_field(err, ERR_INVALID, "/scopes", "Only an sk_ key has scopes.");
    *out = 0;
    for (const struct json_value *s = list->first; s; s = s->next) {
        unsigned one;
        int rc = scope_parse(s->string, &one, err);
        if (rc < 0)
            return rc;
        *out |= one;
    }
    return 0;
}

struct new_key {
    char id[ID_MAX], text[API_KEY_MAX];
    unsigned char hash[SHA256_BYTES];
    unsigned scopes;
    const char *kind;
    struct slice label;
};

static int insert_key(struct store_conn *conn, const struct new_key *k, int64_t now_ms, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "INSERT INTO api_keys (key_id, kind, label, scopes, hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &q,
                           err);
    if (rc < 0)
        return rc;
    struct buf scopes;
    struct json_writer w;
    buf_init(&scopes, NULL);
    json_writer_init(&w, &scopes);
    write_scopes(&w, k->scopes);
    store_bind_text(q, 1, slice_str(k->id));
    store_bind_text(q, 2, slice_str(k->kind));
    store_bind_text(q, 3, k->label);
    store_bind_text(q, 4, buf_slice(&scopes));
    store_bind_blob(q, 5, slice_of((const char *)k->hash, SHA256_BYTES));
    store_bind_int(q, 6, now_ms);
    rc = store_run(q, NULL, err);
    buf_release(&scopes);
    return rc;
}

static int note_made(struct call *c, struct store_conn *conn, const struct new_key *k, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "kind");
    json_str(&w, k->kind);
    json_key(&w, "label");
    json_string(&w, k->label);
    json_key(&w, "scopes");
    write_scopes(&w, k->scopes);
    json_object_end(&w);
    int rc = b.failed ? err_set(err, ERR_NOMEM, "The shop is short of memory; try again.")
                      : act_note(c, conn, "key.made", slice_str(k->id), buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

static int create(struct call *c, struct store_conn *conn, struct err *err)
{
    struct shop *s = c->shop;
    struct new_key k = { .label = json_get(c->body, "label")->string };
    bool server = slice_is(json_get(c->body, "kind")->string, "sk");
    int rc = read_scopes(c->body, server, &k.scopes, err);
    if (rc < 0)
        return rc;
    k.kind = server ? "sk" : "pk";
    id_make(&s->procedures.ids, "key", k.id);
    auth_make_key(s->options.random, k.kind, k.text, k.hash);
    if ((rc = insert_key(conn, &k, s->procedures.bind->now_ms, err)) < 0)
        return rc;
    struct buf out;
    struct json_writer w;
    buf_init(&out, NULL);
    json_writer_init(&w, &out);
    json_object(&w);
    json_key(&w, "id");
    json_str(&w, k.id);
    json_key(&w, "key");
    json_str(&w, k.text);
    json_key(&w, "kind");
    json_str(&w, k.kind);
    json_key(&w, "label");
    json_string(&w, k.label);
    json_key(&w, "scopes");
    write_scopes(&w, k.scopes);
    json_object_end(&w);
    c->answer = (struct bind_answer){ 201, arena_copy(c->arena, buf_slice(&out)) };
    buf_release(&out);
    s->procedures.keys_changed = true;
    return c->answer.body.data ? note_made(c, conn, &k, err) : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int revoke(struct call *c, struct store_conn *conn, struct err *err)
{
    struct store_stmt *q;
    int64_t changed;
    int rc = store_prepare(conn, "UPDATE api_keys SET revoked_at = ?2 WHERE key_id = ?1 AND revoked_at IS NULL", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, c->req->params[0]);
    store_bind_int(q, 2, c->shop->procedures.bind->now_ms);
    if ((rc = store_run(q, &changed, err)) < 0)
        return rc;
    if (changed == 0)
        return err_set(err, ERR_NOT_FOUND, "There is no such key, or it is revoked already.");
    c->answer = (struct bind_answer){ 200, arena_printf(c->arena, "{\"id\":\"%.*s\",\"revoked\":true}", SLICE_FMT(c->req->params[0])) };
    c->shop->procedures.keys_changed = true;
    return act_note(c, conn, "key.revoked", c->req->params[0], (struct slice){ 0 }, err);
}

void handle_key_create(struct call *c)
{
    call_write_native(c, create);
}

void handle_key_revoke(struct call *c)
{
    if (!id_valid(c->req->params[0], "key")) {
        err_set(&c->err, ERR_NOT_FOUND, "There is no such key; GET /v1/keys lists them.");
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    call_write_native(c, revoke);
}

void handle_key_list(struct call *c)
{
    struct store_stmt *q;
    struct json_writer w;
    struct buf *out = &c->worker->out;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    c->rc =
        store_prepare(c->worker->conn, "SELECT key_id, kind, label, scopes, created_at, revoked_at FROM api_keys ORDER BY id", &q, &c->err);
    while (c->rc >= 0 && (c->rc = store_step(q, &c->err)) == 1) {
        char at[TIMESTAMP_MAX];
        json_object(&w);
        json_key(&w, "id");
        json_string(&w, store_column_text(q, 0));
        json_key(&w, "kind");
        json_string(&w, store_column_text(q, 1));
        json_key(&w, "label");
        json_string(&w, store_column_text(q, 2));
        json_key(&w, "scopes");
        json_raw(&w, store_column_text(q, 3));
        json_key(&w, "created_at");
        json_string(&w, slice_of(at, timestamp_format(store_column_int(q, 4), at)));
        json_key(&w, "revoked");
        json_bool(&w, store_column_type(q, 5) != STORE_NULL);
        json_object_end(&w);
    }
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    json_array_end(&w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
