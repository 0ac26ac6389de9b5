#include "host/plugins/facts.h"
#include "host/api/routes.h"
#include "host/worker.h"

/* 404 unless the customer exists: a token for nobody would only fail later, and less clearly. */
static int customer_exists(struct call *c, struct slice id)
{
    struct store_stmt *q;
    int rc = store_prepare(c->worker->conn, "SELECT 1 FROM customers WHERE customer = ?1", &q, &c->err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, id);
    rc = store_step(q, &c->err);
    store_reset(q);
    if (rc == 0)
        return err_set(&c->err, ERR_NOT_FOUND, "There is no such customer; create it with PUT /v1/customers/{id}.");
    return rc < 0 ? rc : 0;
}

void handle_customer_token(struct call *c)
{
    struct slice id = c->req->params[0];
    int64_t expires_in_s = 3600, expires_ms;
    char token[CUSTOMER_TOKEN_MAX], expires[TIMESTAMP_MAX];
    json_is_int(json_get(c->body, "expires_in"), &expires_in_s);
    expires_ms = clock_wall_ms(c->shop->options.clock) + expires_in_s * 1000;
    c->rc = customer_exists(c, id);
    if (c->rc == 0)
        c->rc = auth_make_token(c->shop->auth, id, expires_ms, token, &c->err);
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "token");
    json_str(&w, token);
    json_key(&w, "customer");
    json_string(&w, id);
    json_key(&w, "expires_at");
    json_string(&w, slice_of(expires, timestamp_format(expires_ms, expires)));
    json_object_end(&w);
    call_answer_json(c, 201, buf_slice(out));
}

void handle_customer_facts(struct call *c)
{
    struct quote_cart who = { .customer = c->req->params[0], .at_ms = clock_wall_ms(c->shop->options.clock) };
    c->rc = customer_exists(c, who.customer);
    if (c->rc == 0)
        c->rc = facts_load_all(c, &who);
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "customer");
    json_string(&w, who.customer);
    facts_write(c, &who, &w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
