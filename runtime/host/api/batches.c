#include "host/api/batches.h"
#include "host/api/pricing.h"
#include "host/api/schemas.h"
#include "host/plugins/plugins.h"
#include "host/worker.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    BODY_MAX = 1 << 20,    /* also over the socket, where bodies may be larger */
    ANSWER_MAX = 32 << 20, /* carts whose turn comes behind that are not priced */
    WAITING_MAX = 64,      /* batches in the line of a worker */
    SLICE_NS = 1000000,
    SLICE_CARTS = 64, /* for a clock that stands still */
};

struct batch {
    struct batch *next;
    struct call *call;
    struct pricing asked;          /* what the query wants of each cart */
    bool lines, begun, gone;       /* lines: one cart each; gone: nobody waits for the answer any more */
    struct slice rest;             /* of the body: lines that are to be read */
    const struct json_value *cart; /* the next one of a list */
    uint64_t priced, refused;
};

struct batches {
    struct worker *worker;
    struct loop_slice *slice;
    struct batch *first, *last;
    size_t count;
    struct arena scratch; /* of the cart that is priced */
    struct buf answer;    /* of the first */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* As POST /v1/quotes answers it, whatever the reader found wrong. */
static int malformed(struct err *err)
{
    if (err->code != ERR_NOMEM)
        snprintf(err->reason, sizeof err->reason, "malformed_json");
    return err->code;
}

static bool is_malformed(const struct err *err)
{
    return strcmp(err->reason, "malformed_json") == 0;
}

/* --- what is asked ---------------------------------------------------------------------------------------------------------- */

/* What the query wants of each. */
static int read_asked(struct call *c, struct batch *b)
{
    struct slice tokens;
    b->asked.seat = c->seat;
    int rc = pricing_asked(c, &b->asked);
    if (rc >= 0 && b->asked.cart.explain_all)
        rc = err_field(&c->err, ERR_INVALID, "explain", "explain=full is for one cart; ask for a campaign or gate by its id.");
    if (rc >= 0)
        rc = http_query(c->req, "tokens", &tokens, &c->err);
    if (rc > 0 && !slice_is(tokens, "1") && !slice_is(tokens, "0"))
        rc = err_field(&c->err, ERR_INVALID, "tokens", "tokens is 1 or 0.");
    b->asked.without_token = rc <= 0 || !slice_is(tokens, "1");
    return rc < 0 ? rc : 0;
}

/* --- the carts of a body ------------------------------------------------------------------------------------------------ */

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!memchr(" \t\r", line.data[i], 3))
            return false;
    return true;
}

/* Leaves out blank lines; false at the end. */
static bool next_line(struct slice *rest, struct slice *line)
{
    do {
        const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
        size_t len = end ? (size_t)(end - rest->data) : rest->len, skip = end ? len + 1 : len;
        if (skip == 0)
            return false;
        *line = slice_of(rest->data, len);
        *rest = slice_of(rest->data + skip, rest->len - skip);
    } while (is_blank(*line));
    return true;
}

static int begin_lines(struct batch *b)
{
    struct call *c = b->call;
    struct slice rest = c->req->body, line;
    size_t count = 0;
    while (count <= BATCH_CARTS_MAX && next_line(&rest, &line))
        count++;
    if (count == 0)
        return err_field(&c->err, ERR_INVALID, "", "Send one cart a line, each as in POST /v1/quotes.");
    if (count > BATCH_CARTS_MAX)
        return err_field(&c->err, ERR_INVALID, "", "A batch has %d lines at most; send the others in another.", BATCH_CARTS_MAX);
    b->rest = c->req->body;
    return 0;
}

/* Only what holds the carts together is looked at here: a mistake in one of them is that one's. */
static int begin_list(struct batch *b)
{
    static const struct schema cart = { .type = SCHEMA_ANY };
    struct schema fields[2] = { schema_quote_batch.fields[0], { 0 } }, shape = schema_quote_batch;
    struct call *c = b->call;
    struct json_value *body;
    fields[0].item = &cart;
    shape.fields = fields;
    if (json_parse(c->req->body, NULL, c->arena, &body, &c->err) < 0)
        return malformed(&c->err);
    int rc = schema_check(&shape, body, &c->err);
    if (rc == 0)
        b->cart = json_get(body, "carts")->first;
    return rc;
}

/* Its rules are those that are live when its turn comes: what stands in the line keeps none alive. */
static int begin(struct batch *b)
{
    struct call *c = b->call;
    b->begun = true;
    c->seat = c->worker->seat;
    worker_hold(c->seat);
    int rc = read_asked(c, b);
    if (rc < 0)
        return rc;
    c->at_ms = clock_wall_ms(c->shop->options.clock);
    c->catalogue = catalogue_acquire(c->shop->catalogue);
    return b->lines ? begin_lines(b) : begin_list(b);
}

/* The next cart: a line, or a member of the list. false at the end. */
struct part {
    struct slice line;
    const struct json_value *member;
};

static bool next_part(struct batch *b, struct part *part)
{
    *part = (struct part){ .member = b->cart };
    if (b->lines)
        return next_line(&b->rest, &part->line);
    b->cart = b->cart ? b->cart->next : NULL;
    return part->member != NULL;
}

/* As the body of POST /v1/quotes is read: straight from the text, and where that does not go by way of a tree. */
static int read_part(struct batch *b, const struct part *part, struct cart_said *said)
{
    struct call *c = b->call;
    const struct schema *shape = plugin_state_of(c->seat->vm)->quote_body;
    const struct json_value *cart = part->member;
    struct json_value *tree;
    if (b->lines && schema_fill(shape, part->line, c->arena, said))
        return 0;
    if (b->lines) {
        if (json_parse(part->line, NULL, c->arena, &tree, &c->err) < 0)
            return malformed(&c->err);
        cart = tree;
        *said = (struct cart_said){ 0 };
    }
    int rc = schema_check(shape, cart, &c->err);
    return rc < 0 ? rc : schema_fill_tree(shape, cart, c->arena, said, &c->err);
}

/* --- one cart ------------------------------------------------------------------------------------------------------------- */

static int price(struct batch *b, const struct cart_said *said, struct pricing *p)
{
    struct call *c = b->call;
    int rc = pricing_from_said(c, said, p);
    if (rc < 0)
        return rc;
    p->telling = b->asked.telling;
    p->without_token = b->asked.without_token;
    p->cart.wants_offers = b->asked.cart.wants_offers;
    p->cart.explain_one = b->asked.cart.explain_one;
    return pricing_run(c, p);
}

static void open_part(const struct batch *b, struct buf *out)
{
    if (!b->lines && b->priced + b->refused > 0)
        buf_add_char(out, ',');
}

static void write_quote(struct batch *b, struct pricing *p, struct buf *out)
{
    open_part(b, out);
    buf_add_str(out, "{\"status\":200,\"quote\":");
    pricing_write(b->call, p, out);
    buf_add_str(out, b->lines ? "}\n" : "}");
    b->priced++;
}

/* The status stands before the problem, which tells it. */
static void write_problem(struct batch *b, const struct pricing *p, struct buf *out)
{
    struct call *c = b->call;
    struct buf *problem = &c->worker->out;
    const struct call_extra gate = { "gate", pricing_refusal(c, p) };
    buf_clear(problem);
    int status = call_problem_write(c, is_malformed(&c->err) ? 400 : 0, &gate, gate.json.data ? 1 : 0, problem);
    out->failed = out->failed || problem->failed;
    open_part(b, out);
    buf_add_str(out, "{\"status\":");
    buf_add_int(out, status);
    buf_add_str(out, ",\"problem\":");
    buf_add_slice(out, buf_slice(problem));
    buf_add_str(out, b->lines ? "}\n" : "}");
    b->refused++;
}

static void answer_part(struct batches *all, struct batch *b, const struct part *part)
{
    struct call *c = b->call;
    struct cart_said said = { 0 };
    struct pricing p = { .seat = c->seat };
    int rc = all->answer.len < ANSWER_MAX
                 ? read_part(b, part, &said)
                 : err_reason(&c->err, ERR_TOO_LARGE, "batch_answer_full",
                              "The answers before this one come to %d MiB, which is what a batch can carry; send this cart in another.",
                              ANSWER_MAX >> 20);
    if (rc == 0)
        rc = price(b, &said, &p);
    if (rc == 0)
        write_quote(b, &p, &all->answer);
    else
        write_problem(b, &p, &all->answer);
    pricing_release(&p);
}

/* false at the end. What is priced lives in the scratch arena, so a batch needs no more memory than its largest cart. */
static bool answer_next(struct batches *all, struct batch *b)
{
    struct call *c = b->call;
    struct arena *request = c->arena;
    struct part part;
    if (!next_part(b, &part))
        return false;
    arena_reset(&all->scratch);
    err_clear(&c->err);
    c->arena = &all->scratch;
    answer_part(all, b, &part);
    c->arena = request;
    return true;
}

/* --- the line ------------------------------------------------------------------------------------------------------------- */

/* Four generations may drain; what is under way in an older one ends. */
static int check_rules(struct batch *b)
{
    const struct edition *e = b->call->seat->edition;
    if (!e || !atomic_load(&e->retired))
        return 0;
    return err_reason(&b->call->err, ERR_BUSY, "rules_retired",
                      "The shop's rules have changed several times since this batch began; send it again.");
}

static void open_answer(const struct batch *b, struct buf *out)
{
    buf_clear(out);
    if (!b->lines)
        buf_printf(out, "{\"generation\":\"%s\",\"quotes\":[", generation_id(b->call->seat->generation));
}

static void close_answer(const struct batch *b, struct buf *out)
{
    if (!b->lines)
        buf_printf(out, "],\"priced\":%llu,\"refused\":%llu}", (unsigned long long)b->priced, (unsigned long long)b->refused);
}

/* Out of the line, and answered; the call is gone afterwards. */
static void finish(struct batches *all, struct batch *b, int rc)
{
    struct call *c = b->call;
    struct seat *seat = b->begun ? c->seat : NULL;
    bool lines = b->lines;
    all->first = b->next;
    if (!all->first)
        all->last = NULL;
    all->count--;
    c->req->gone = NULL;
    catalogue_release(c->catalogue);
    c->catalogue = NULL;
    if (rc == 0)
        close_answer(b, &all->answer);
    if (rc == 0 && all->answer.failed)
        rc = no_memory(&c->err);
    if (rc == 0)
        http_respond(c->req, &(struct http_response){ 200, lines ? "application/x-ndjson" : NULL, NULL, 0, buf_slice(&all->answer) });
    else if (is_malformed(&c->err))
        http_problem(c->req, 400, "malformed_json", "", c->err.text);
    else
        call_fail(c, NULL, (struct slice){ 0 });
    if (seat)
        worker_let_go(all->worker, seat);
}

static int give_up(struct batch *b)
{
    return err_reason(&b->call->err, ERR_BUSY, "client_gone", "The client has gone.");
}

/* One slice: as many carts of the first batch as go into a millisecond, one at least. */
static void work(void *ctx)
{
    struct batches *all = ctx;
    struct batch *b = all->first;
    const struct clock *clock = all->worker->shop->options.clock;
    int64_t until_ns = clock_mono_ns(clock) + SLICE_NS;
    bool more = true;
    int rc = 0;
    if (!b)
        return;
    if (!b->begun && !b->gone) {
        rc = begin(b);
        open_answer(b, &all->answer);
    } else if (!b->gone) {
        rc = check_rules(b);
    }
    for (size_t n = 0; rc == 0 && more && !b->gone && n < SLICE_CARTS && (n == 0 || clock_mono_ns(clock) < until_ns); n++)
        more = answer_next(all, b);
    if (b->gone)
        rc = give_up(b);
    if (rc < 0 || !more)
        finish(all, b, rc);
    if (all->first)
        loop_slice_want(all->slice);
}

static struct batches *batches_of(struct worker *w)
{
    struct batches *all = w->batches ? w->batches : calloc(1, sizeof *all);
    if (!all || w->batches)
        return all;
    all->worker = w;
    all->slice = loop_slice_new(w->loop, work, all);
    if (!all->slice) {
        free(all);
        return NULL;
    }
    arena_init(&all->scratch, NULL, 0);
    buf_init(&all->answer, NULL);
    return w->batches = all;
}

void batches_end(struct batches *all)
{
    if (!all)
        return;
    while (all->first) {
        err_reason(&all->first->call->err, ERR_BUSY, "stopping", "The shop is being stopped; send it again.");
        finish(all, all->first, ERR_BUSY);
    }
    loop_slice_free(all->slice);
    arena_release(&all->scratch);
    buf_release(&all->answer);
    free(all);
}

/* --- the request ------------------------------------------------------------------------------------------------------------ */

static void client_gone(struct http_request *req)
{
    struct batch *b = req->user;
    b->gone = true;
}

static int stand_in_line(struct call *c, bool lines)
{
    struct batches *all = batches_of(c->worker);
    struct batch *b = all ? arena_zalloc(c->arena, sizeof *b) : NULL;
    if (!b)
        return no_memory(&c->err);
    b->call = c;
    b->lines = lines;
    int rc = read_asked(c, b);
    if (rc < 0)
        return rc;
    if (c->req->body.len > BODY_MAX)
        return err_reason(&c->err, ERR_TOO_LARGE, "batch_too_large", "A batch has %d MiB at most; send it in parts.", BODY_MAX >> 20);
    if (all->count == WAITING_MAX)
        return err_reason(&c->err, ERR_BUSY, "too_many_batches", "As many batches as may wait do; send it again in a moment.");
    *(all->last ? &all->last->next : &all->first) = b;
    all->last = b;
    all->count++;
    c->req->user = b;
    c->req->gone = client_gone;
    loop_slice_want(all->slice);
    return 0;
}

void handle_quote_batch(struct call *c)
{
    bool lines = http_content_type_is(c->req, "application/x-ndjson");
    if (!lines && !call_says_json(c)) {
        http_problem(c->req, 415, "unsupported_media_type", "", "Send the carts as application/json or application/x-ndjson.");
        return;
    }
    if (stand_in_line(c, lines) < 0)
        call_fail(c, NULL, (struct slice){ 0 });
}
