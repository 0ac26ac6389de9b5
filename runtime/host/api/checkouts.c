/* Checkouts: what is kept is the stdlib's (feira.checkouts); here each answer gets the quote of what is kept, under the rules of now, with
 * a token that is good for this version of it alone. What cannot be priced is shown all the same, with what is wrong with it. */
#include "host/api/placing.h"
#include "host/plugins/plugins.h"
#include "host/api/routes.h"
#include "host/worker.h"
#include <stdio.h>

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static void fail(struct call *c)
{
    call_fail(c, NULL, (struct slice){ 0 });
}

static void add_member(struct json_value *object, const char *key, struct json_value *v)
{
    struct json_value *last = object->first;
    while (last && last->next)
        last = last->next;
    v->key = slice_str(key);
    json_append(object, last, v);
}

/* --- what is kept -------------------------------------------------------------------------------------------------------- */

struct kept {
    struct slice text; /* the document, JSON */
    const struct json_value *document;
    bool is_open, has_lines;
};

/* The document of the checkout that args name. */
static int read_kept(struct call *c, const struct json_value *args, struct kept *out)
{
    struct slice state;
    struct json_value *document;
    int rc = call_ask(c, "checkouts.get", args);
    if (rc == 0)
        rc = json_parse(c->answer.body, NULL, c->arena, &document, &c->err);
    if (rc < 0)
        return rc;
    const struct json_value *lines = json_get(document, "lines");
    *out = (struct kept){ .text = c->answer.body, .document = document, .has_lines = lines && lines->count > 0 };
    out->is_open = json_is_string(json_get(document, "state"), &state) && slice_is(state, "open");
    return 0;
}

/* "chk_...:7": the version that is priced. */
static int binding_of(struct call *c, const struct kept *k, struct slice *out)
{
    struct slice id;
    int64_t version;
    if (!json_is_string(json_get(k->document, "id"), &id) || !json_is_int(json_get(k->document, "version"), &version))
        return err_set(&c->err, ERR_INTERNAL, "a checkout has no id or no version");
    *out = arena_printf(c->arena, "%.*s:%lld", SLICE_FMT(id), (long long)version);
    return out->data ? 0 : nomem(&c->err);
}

/* Its cart, as the body of a quote. It was checked under the rules of the day it was sent; plugins may take other inputs now. */
static int cart_of(struct call *c, const struct kept *k, struct json_value **out)
{
    static const char *const members[] = { "lines",    "codes",  "channel",   "payment_method", "store",
                                           "shipping", "inputs", "campaigns", "customer",       NULL };
    struct json_value *cart = json_new(c->arena, JSON_OBJECT), *copy;
    for (size_t i = 0; cart && members[i]; i++) {
        const struct json_value *v = json_get(k->document, members[i]);
        if (!v || v->type == JSON_NULL)
            continue;
        if (!(copy = arena_alloc(c->arena, sizeof *copy)))
            return nomem(&c->err);
        *copy = *v;
        copy->next = NULL;
        add_member(cart, members[i], copy);
    }
    *out = cart;
    return cart ? schema_check(plugin_state_of(c->seat->vm)->quote_body, cart, &c->err) : nomem(&c->err);
}

static int prepare(struct call *c, const struct kept *k, struct pricing *p)
{
    struct json_value *cart = NULL;
    struct slice binding;
    int rc = cart_of(c, k, &cart);
    if (rc == 0)
        rc = binding_of(c, k, &binding);
    if (rc == 0)
        rc = pricing_from_stored(c, cart, p);
    if (rc == 0)
        p->checkout = binding;
    return rc;
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

/* What is wrong with the cart, or with a rule that it can't be priced without; the rest is wrong with the shop at this moment. */
static bool is_of_the_cart(int rc)
{
    return rc == ERR_INVALID || rc == ERR_DENIED || rc == ERR_CONFLICT || rc == ERR_OVERFLOW || rc == ERR_NOT_FOUND;
}

static bool is_of_a_rule(int rc)
{
    return rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
}

/* As a problem document would say it, without a status: the checkout itself is there. What a rule's failure was is for the log. */
static void problem_write(const struct call *c, int rc, struct slice gate, struct json_writer *w)
{
    const char *reason = is_of_a_rule(rc) ? "internal" : c->err.reason[0] ? c->err.reason : err_name(c->err.code);
    char type[96];
    snprintf(type, sizeof type, "/problems/%s", reason);
    json_object(w);
    json_key(w, "type");
    json_str(w, type);
    json_key(w, "detail");
    json_str(w, is_of_a_rule(rc) ? "A rule of the shop failed, without which this cart has no price; the log has the cause." : c->err.text);
    if (c->err.field[0]) {
        json_key(w, "field");
        json_str(w, c->err.field);
    }
    if (gate.data) {
        json_key(w, "gate");
        json_raw(w, gate);
    }
    json_object_end(w);
}

/* The document with quote and problem behind its members; out is the worker's buffer. */
static int write_priced(struct call *c, const struct kept *k, struct buf *out)
{
    struct pricing p = { 0 };
    struct json_writer w;
    int rc = 0;
    buf_clear(out);
    buf_add(out, k->text.data, k->text.len - 1); /* without its closing brace */
    buf_add_str(out, ",\"quote\":");
    bool priced = k->is_open && k->has_lines;
    if (priced && (rc = prepare(c, k, &p)) == 0)
        rc = pricing_run(c, &p);
    if (priced && rc == 0)
        pricing_write(c, &p, out);
    else
        buf_add_str(out, "null");
    buf_add_str(out, ",\"problem\":");
    json_writer_init(&w, out);
    bool is_told = is_of_the_cart(rc) || is_of_a_rule(rc);
    if (is_told)
        problem_write(c, rc, pricing_refusal(c, &p), &w);
    else
        buf_add_str(out, "null");
    buf_add_char(out, '}');
    pricing_release(&p);
    if (rc < 0 && !is_told)
        return rc;
    return out->failed ? nomem(&c->err) : 0;
}

static void show(struct call *c, const struct json_value *args, int status)
{
    struct kept k;
    struct buf *out = &c->worker->out;
    c->rc = read_kept(c, args, &k);
    if (c->rc == 0)
        c->rc = write_priced(c, &k, out);
    if (c->rc < 0)
        fail(c);
    else
        call_answer_json(c, status, buf_slice(out));
}

/* After the commit, or a repeated request: what was kept has the id, the rest is read as it is now. */
static void was_kept(struct call *c)
{
    struct json_value *answer, *id;
    struct slice text;
    int status = c->answer.status;
    if (c->rc == 0)
        c->rc = json_parse(c->answer.body, NULL, c->arena, &answer, &c->err);
    if (c->rc == 0 && !json_is_string(json_get(answer, "id"), &text))
        c->rc = err_set(&c->err, ERR_INTERNAL, "a checkout was kept without an id");
    if (c->rc < 0) {
        fail(c);
        return;
    }
    struct json_value *args = call_args(c);
    if (!args)
        return;
    if (!(id = json_new_string(c->arena, text))) {
        c->rc = nomem(&c->err);
        fail(c);
        return;
    }
    add_member(args, "checkout", id);
    show(c, args, status);
}

static void keep(struct call *c)
{
    c->rc = pricing_vet(c, c->body);
    if (c->rc < 0) {
        fail(c);
        return;
    }
    struct json_value *args = call_args(c);
    if (!args)
        return;
    c->done = was_kept;
    if (!call_submit(c, c->route->procedure, args))
        fail(c);
}

void handle_checkout_create(struct call *c)
{
    /* All guests of a storefront have one key, and so one room for their Idempotency-Keys: who guesses another's would be told the id that
     * is all it takes to see his name. A second checkout holds nothing and expires. */
    if (c->who.kind == CALLER_STOREFRONT)
        c->idempotency_key = (struct slice){ 0 };
    keep(c);
}

void handle_checkout_change(struct call *c)
{
    keep(c);
}

void handle_checkout_get(struct call *c)
{
    struct json_value *args = call_args(c);
    if (args)
        show(c, args, 200);
}

/* --- completing -------------------------------------------------------------------------------------------------------------- */

/* For placing.h: what is kept now, not what the token was made of. */
static int fresh(struct call *c, const struct json_value *args, struct pricing *now)
{
    struct kept k;
    int rc = read_kept(c, args, &k);
    if (rc == 0 && !k.is_open)
        rc = err_set(&c->err, ERR_STATE, "The checkout is completed.");
    return rc < 0 ? rc : prepare(c, &k, now);
}

void handle_checkout_complete(struct call *c)
{
    struct kept k;
    struct slice binding;
    struct json_value *version, *args;
    int64_t n = 0;
    if (call_answer_again(c) || !(args = call_args(c)))
        return;
    c->rc = read_kept(c, args, &k);
    if (c->rc == 0)
        c->rc = binding_of(c, &k, &binding);
    if (c->rc < 0) {
        fail(c);
        return;
    }
    if (!k.is_open) { /* the order is there already: the procedure finds it */
        if (!call_submit(c, c->route->procedure, args))
            fail(c);
        return;
    }
    json_is_int(json_get(k.document, "version"), &n);
    if (!(version = json_new_int(c->arena, n))) {
        c->rc = nomem(&c->err);
        fail(c);
        return;
    }
    add_member(args, "version", version);
    placing_begin(c, &(struct placing_options){ .procedure = c->route->procedure, .args = args, .checkout = binding, .fresh = fresh });
}
