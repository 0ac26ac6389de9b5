#include "host/api/pricing.h"
#include "host/admin/shares.h"
#include "host/api/compared.h"
#include "host/api/guesses.h"
#include "host/plugins/facts.h"
#include "host/care/plugin_stops.h"
#include "host/past/record.h"
#include "host/publish/rescue.h"
#include "host/api/schemas.h"
#include "host/api/words.h"
#include "host/worker.h"
#include <stdio.h>

enum { INPUTS_MAX = 16384 }; /* they are kept with every order, and in every token */

/* --- the body ------------------------------------------------------------------------------------------------------ */

static int server_only(struct call *c, const struct pricing *p, const char *field)
{
    if (p->vetted || c->who.kind == CALLER_SERVER || c->who.kind == CALLER_OPERATOR)
        return 0;
    err_reason(&c->err, ERR_DENIED, "server_only", "Only a server (an sk_ key) may send %s.", field + 1);
    snprintf(c->err.field, sizeof c->err.field, "%s", field);
    return ERR_DENIED;
}

static int refuse_line(struct call *c, size_t i, const char *reason, const char *text, struct slice sku)
{
    err_reason(&c->err, ERR_INVALID, reason, text, SLICE_FMT(sku));
    snprintf(c->err.field, sizeof c->err.field, "/lines/%zu/sku", i);
    return ERR_INVALID;
}

/* A comparison that the history does not bear out is not part of the cart: neither shown nor seen by rules. */
static int prove_compared(struct call *c, struct quote_line *line)
{
    return compared_price(c->worker->conn, generation_settings(c->seat->generation), symbols_name(c->shop->symbols, line->product.sku),
                          &line->product.compare_at_minor, &c->err);
}

static int resolve_line(struct call *c, struct pricing *p, const struct said_line *in, size_t i)
{
    struct quote_line *line = &p->cart.lines[i];
    const struct catalogue_product *product = catalogue_find(p->catalogue, symbols_find(c->shop->symbols, in->sku));
    if (!product)
        return refuse_line(c, i, "unknown_sku", "There is no product with the SKU \"%.*s\".", in->sku);
    if (product->status != PRODUCT_ACTIVE)
        return refuse_line(c, i, "not_for_sale", "\"%.*s\" is not for sale.", in->sku);
    if (product->has_variants)
        return refuse_line(c, i, "choose_a_variant", "\"%.*s\" has variants; name the SKU of one of them.", in->sku);
    line->product = product->facts;
    line->qty = in->qty.value;
    line->from = in->from;
    line->own_price = in->unit_price.said;
    line->unit_price_minor = in->unit_price.said ? in->unit_price.value : product->facts.price_minor;
    int rc = prove_compared(c, line);
    if (rc < 0 || !line->own_price)
        return rc;
    char field[64];
    snprintf(field, sizeof field, "/lines/%zu/unit_price", i);
    return server_only(c, p, field);
}

static int resolve_lines(struct call *c, struct pricing *p, const struct schema_list *lines)
{
    if (!lines->items)
        return err_field(&c->err, ERR_INVALID, "/lines", "Send the lines of the cart: [{\"sku\": \"...\", \"qty\": 1}].");
    p->cart.line_count = lines->count;
    p->cart.lines = arena_array(c->arena, lines->count, sizeof *p->cart.lines);
    if (!p->cart.lines)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    for (size_t i = 0; i < lines->count; i++) {
        int rc = resolve_line(c, p, (const struct said_line *)lines->items + i, i);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* "customer", "at" or "placed_at", "campaigns": what only a server may decide. */
static int read_server_members(struct call *c, struct pricing *p, const struct cart_said *said)
{
    struct quote_cart *cart = &p->cart;
    const struct {
        const char *field;
        struct slice said;
    } members[] = { { "/customer", said->customer },
                    { "/at", said->at },
                    { "/placed_at", said->placed_at },
                    { "/campaigns", said->campaigns },
                    { "/reference", said->reference } };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int rc = members[i].said.data ? server_only(c, p, members[i].field) : 0;
        if (rc < 0)
            return rc;
    }
    cart->customer = said->customer;
    if (c->who.kind == CALLER_CUSTOMER && !(p->vetted && cart->customer.len))
        cart->customer = slice_str(c->who.customer);
    cart->no_campaigns = slice_is(said->campaigns, "none");
    cart->at_ms = c->at_ms ? c->at_ms : clock_wall_ms(c->shop->options.clock);
    struct slice at = said->at.data ? said->at : said->placed_at;
    if (at.len) {
        int rc = timestamp_parse(at, &cart->at_ms, &c->err);
        if (rc < 0) {
            snprintf(c->err.field, sizeof c->err.field, said->at.data ? "/at" : "/placed_at");
            return rc;
        }
    }
    return 0;
}

/* A name that no rule knows is the same as none. */
static symbol symbol_of(const struct call *c, struct slice name)
{
    return name.len ? symbols_find(c->shop->symbols, name) : 0;
}

static void read_client_members(struct call *c, const struct cart_said *said, struct quote_cart *cart)
{
    for (size_t i = 0; i < said->codes.count && cart->code_count < QUOTE_CODES_MAX; i++)
        cart->codes[cart->code_count++] = ((const struct slice *)said->codes.items)[i];
    cart->channel = symbol_of(c, said->channel);
    cart->payment_method = symbol_of(c, said->payment_method);
    cart->store = symbol_of(c, said->store);
    cart->region = symbol_of(c, said->shipping.region);
    cart->shipping_option = said->shipping.option;
}

static int read_inputs(struct call *c, const struct json_value *inputs, struct quote_cart *cart)
{
    struct buf b;
    struct json_writer w;
    if (!inputs || inputs->count == 0)
        return 0;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, inputs);
    size_t len = b.len;
    bool failed = b.failed;
    buf_release(&b);
    if (failed)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (len > INPUTS_MAX)
        return err_field(&c->err, ERR_INVALID, "/inputs", "Inputs come to %zu bytes of JSON; at most %d are taken.", len, INPUTS_MAX);
    cart->inputs = inputs;
    return 0;
}

/* --- guessing codes ---------------------------------------------------------------------------------------------------- */

enum { CUSTOMER_GUESSES = 30 }; /* of one customer in an hour; the guests of a storefront have what shop.lua says */

/* Whose guesses count: a customer's, or those of all guests of a storefront; of a server nobody counts. */
static bool may_guess(const struct call *c, struct slice *who, int64_t *most)
{
    int64_t all = generation_settings(c->seat->generation)->code_guesses;
    *who = arena_printf(c->arena, "%s/%s", caller_kind_name(c->who.kind), c->who.kind == CALLER_CUSTOMER ? c->who.customer : c->who.id);
    *most = c->who.kind == CALLER_CUSTOMER && all > CUSTOMER_GUESSES ? CUSTOMER_GUESSES : all;
    return c->who.kind == CALLER_CUSTOMER || c->who.kind == CALLER_STOREFRONT;
}

/* Whoever guessed too often has no code looked at: there is nothing to be learnt then. */
static int block_codes(struct call *c, struct quote_cart *cart)
{
    struct slice who;
    int64_t most;
    cart->blocked = NULL;
    cart->blocked_count = 0;
    if (cart->code_count == 0 || !may_guess(c, &who, &most) ||
        guesses_of(c->shop->guesses, who, clock_wall_ms(c->shop->options.clock)) < most)
        return 0;
    struct slice *blocked = arena_array(c->arena, cart->code_count, sizeof *blocked);
    if (!blocked)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    memcpy(blocked, cart->codes, cart->code_count * sizeof *blocked);
    cart->blocked = blocked;
    cart->blocked_count = cart->code_count;
    cart->code_count = 0;
    return 0;
}

/* Typing errors that a check character tells are no guesses. */
static void count_guesses(struct call *c, const struct quote_cart *cart)
{
    struct slice who;
    int64_t most;
    if (cart->code_count == 0 || cart->no_campaigns || !may_guess(c, &who, &most))
        return;
    for (size_t i = 0; i < cart->code_count; i++) {
        const struct quote_typed *typed = cart->typed ? &cart->typed[i] : NULL;
        bool known = typed && (typed->campaign || typed->refused);
        if (!known && !quote_rules_take_code(generation_rules(c->seat->generation), cart->codes[i]))
            guesses_add(c->shop->guesses, who, cart->codes[i], clock_wall_ms(c->shop->options.clock));
    }
}

static int facts_and_codes(struct call *c, struct quote_cart *cart)
{
    int rc = block_codes(c, cart);
    if (rc == 0)
        rc = facts_load(c, cart);
    if (rc == 0)
        count_guesses(c, cart);
    return rc;
}

static int pricing_begin(struct call *c, struct pricing *p)
{
    *p = (struct pricing){ .seat = c->seat };
    p->catalogue = c->catalogue ? catalogue_share(c->catalogue) : catalogue_acquire(c->shop->catalogue);
    return p->catalogue ? 0 : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int from_said(struct call *c, const struct cart_said *said, bool vetted, struct pricing *p)
{
    int rc = pricing_begin(c, p);
    p->vetted = vetted;
    if (rc == 0)
        rc = read_server_members(c, p, said);
    if (rc == 0)
        rc = resolve_lines(c, p, &said->lines);
    if (rc < 0)
        return rc;
    read_client_members(c, said, &p->cart);
    rc = read_inputs(c, said->inputs, &p->cart);
    if (rc < 0)
        return rc;
    random_fill(c->shop->options.random, &p->cart.seed, sizeof p->cart.seed);
    p->cart.seed >>= 1; /* stays a JSON integer */
    return facts_and_codes(c, &p->cart);
}

static int from_body(struct call *c, const struct json_value *body, bool vetted, struct pricing *p)
{
    struct cart_said said = { 0 };
    *p = (struct pricing){ .seat = c->seat };
    int rc = schema_fill_tree(&schema_cart_said, body, c->arena, &said, &c->err);
    return rc < 0 ? rc : from_said(c, &said, vetted, p);
}

int pricing_from_said(struct call *c, const struct cart_said *said, struct pricing *p)
{
    return from_said(c, said, false, p);
}

int pricing_from_body(struct call *c, const struct json_value *body, struct pricing *p)
{
    return from_body(c, body, false, p);
}

int pricing_from_stored(struct call *c, const struct json_value *cart, struct pricing *p)
{
    return from_body(c, cart, true, p);
}

int pricing_vet(struct call *c, const struct json_value *body)
{
    struct pricing p;
    struct cart_said said = { 0 };
    int rc = pricing_begin(c, &p);
    if (rc == 0)
        rc = schema_fill_tree(&schema_cart_said, body, c->arena, &said, &c->err);
    if (rc == 0)
        rc = read_server_members(c, &p, &said);
    if (rc == 0 && said.lines.count)
        rc = resolve_lines(c, &p, &said.lines);
    if (rc == 0)
        rc = read_inputs(c, said.inputs, &p.cart);
    pricing_release(&p);
    return rc;
}

int pricing_refresh(struct call *c, const struct quote_cart *old, struct pricing *now)
{
    now->seat = c->seat;
    now->cart = *old;
    now->cart.at_ms = clock_wall_ms(c->shop->options.clock);
    now->cart.left_count = now->cart.extra_count = 0; /* asked again */
    now->cart.line_count -= old->gift_count;
    now->cart.gift_count = 0;
    now->cart.lines = arena_array(c->arena, now->cart.line_count, sizeof *old->lines);
    if (!now->cart.lines)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    for (size_t i = 0; i < now->cart.line_count; i++) {
        const struct quote_line *line = &old->lines[i];
        const struct catalogue_product *product = catalogue_find(now->catalogue, line->product.sku);
        if (!product || product->status != PRODUCT_ACTIVE || product->has_variants)
            return refuse_line(c, i, "not_for_sale", "\"%.*s\" is not for sale any more.",
                               symbols_name(c->shop->symbols, line->product.sku));
        now->cart.lines[i] = (struct quote_line){ .product = product->facts, .qty = line->qty, .own_price = line->own_price };
        now->cart.lines[i].from = line->from;
        now->cart.lines[i].unit_price_minor = line->own_price ? line->unit_price_minor : product->facts.price_minor;
        int rc = prove_compared(c, &now->cart.lines[i]);
        if (rc < 0)
            return rc;
    }
    return facts_load(c, &now->cart);
}

static uint64_t failed_rules(const struct quote_result *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->outcome_count; i++)
        n += r->outcomes[i].reason && strcmp(r->outcomes[i].reason, "failed") == 0;
    for (size_t i = 0; i < r->gate_count; i++)
        n += r->gates[i].reason && strcmp(r->gates[i].reason, "failed") == 0;
    return n;
}

static int take_out_stopped(struct call *c, struct pricing *p)
{
    p->stops_version = stops_version(c->shop->stops);
    if (p->from_token)
        return 0; /* its own are in its evidence; whether that still holds is asked afterwards */
    int rc = seat_stopped(p->seat, c->arena, &p->cart.stopped, &p->cart.stopped_count, &c->err);
    return rc < 0 ? rc
                  : shares_of(c->shop, generation_rules(p->seat->generation), p->cart.customer, c->arena, &p->cart.shares,
                              &p->cart.share_count, &c->err);
}

int pricing_check_stops(const struct call *c, const struct pricing *p, struct err *err)
{
    int rc = 0;
    struct stops_snapshot *now = stops_acquire(c->shop->stops);
    for (size_t i = 0; i < p->result.outcome_count && rc == 0 && stops_count(now); i++) {
        const struct quote_outcome *o = &p->result.outcomes[i];
        struct slice id = quote_campaign_id(generation_rules(p->seat->generation), o->campaign);
        if (o->applied && stops_find(now, STOP_CAMPAIGN, id))
            rc = err_reason(err, ERR_CONFLICT, "campaign_stopped",
                            "The shop has stopped \"%.*s\" since this quote; see the fresh one beside this message.", SLICE_FMT(id));
    }
    if (rc == 0)
        rc = plugin_check_stops(p, now, err);
    stops_release(now);
    return rc;
}

int pricing_run(struct call *c, struct pricing *p)
{
    int rc = take_out_stopped(c, p);
    if (rc < 0)
        return rc;
    p->seat->bind->arena = c->arena; /* for functions of campaigns */
    p->seat->bind->conn = c->worker->conn;
    p->seat->catalogue = p->catalogue;
    rc = quote_price(generation_rules(p->seat->generation), &p->cart, &p->seat->hooks, c->arena, &p->result, &c->err);
    p->seat->catalogue = NULL; /* released with the pricing */
    bool refused_by_rule = rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
    uint64_t failed = rc == 0 || p->result.refused_by ? failed_rules(&p->result) : refused_by_rule;
    bool by_failed_gate = p->result.refused_by && p->result.refused_by->reason && strcmp(p->result.refused_by->reason, "failed") == 0;
    rescue_note(p->seat->edition, RESCUE_QUOTE, by_failed_gate ? ERR_SCRIPT : rc, &c->err);
    metric_add(&c->shop->metrics.quotes, 1);
    if (failed)
        metric_add(&c->shop->metrics.rule_errors, failed);
    return rc == 0 && p->from_token ? pricing_check_stops(c, p, &c->err) : rc;
}

int pricing_require_open(struct call *c, struct pricing *p)
{
    return quote_require_open(&p->result, &c->err);
}

struct slice pricing_refusal(struct call *c, const struct pricing *p)
{
    struct slice gate = { 0 };
    if (c->err.code == ERR_INVALID && p->result.refused_by) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        quote_refusal_write(generation_rules(p->seat->generation), &p->result, &p->telling.voice, &w);
        gate = b.failed ? gate : arena_copy(c->arena, buf_slice(&b));
        buf_release(&b);
    }
    return gate;
}

void pricing_release(struct pricing *p)
{
    catalogue_release(p->catalogue);
    p->catalogue = NULL;
}

/* --- tokens -----------------------------------------------------------------------------------------------------
 * base64url(payload) "." base64url(mac). The payload {"g":generation,"x":expiry in ms,"e":evidence} is all that is needed
 * to price the cart again as it was shown, so quotes need no storage. Bound to its customer by the evidence, and with "c" to one version of
 * one checkout. */

static const char TOKEN_PURPOSE[] = "quote-token";
enum { PAYLOAD_FIXED = 512, PAYLOAD_PER_LINE = 64 }; /* a guess, so that the text of most is written without moving it */

int pricing_evidence(struct call *c, struct pricing *p)
{
    if (p->evidence.data)
        return 0;
    return record_write(c->shop->auth, c->shop->symbols, p->seat->generation, &p->result, c->arena, &p->evidence, &c->err);
}

static void payload_write(struct call *c, const struct pricing *p, int64_t expires_ms, struct buf *out)
{
    buf_add_str(out, "{\"g\":\"");
    buf_add_str(out, generation_id(p->seat->generation));
    buf_add_str(out, "\",\"x\":");
    buf_add_int(out, expires_ms);
    buf_add_str(out, ",\"e\":");
    quote_evidence_write(c->shop->symbols, &p->cart, out);
    if (p->checkout.len) { /* an id and a number: nothing to escape */
        buf_add_str(out, ",\"c\":\"");
        buf_add(out, p->checkout.data, p->checkout.len);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

static void token_write(struct call *c, const struct pricing *p, int64_t expires_ms, struct json_writer *w)
{
    struct buf payload;
    struct alloc in_arena = arena_as_alloc(c->arena);
    unsigned char mac[SHA256_BYTES];
    buf_init(&payload, &in_arena);
    buf_reserve(&payload, PAYLOAD_FIXED + PAYLOAD_PER_LINE * p->cart.line_count);
    payload_write(c, p, expires_ms, &payload);
    size_t text = base64url_len(payload.len), all = text + 1 + base64url_len(SHA256_BYTES);
    char *out = payload.failed ? NULL : json_plain(w, all);
    if (!out) {
        w->out->failed = true;
        return;
    }
    auth_sign(c->shop->auth, TOKEN_PURPOSE, buf_slice(&payload), mac);
    base64url_encode(payload.data, payload.len, out);
    out[text] = '.';
    base64url_encode(mac, sizeof mac, out + text + 1);
}

static int token_payload(struct call *c, struct slice token, struct json_value **out)
{
    const size_t mac_len = base64url_len(SHA256_BYTES);
    unsigned char mac[SHA256_BYTES], given[SHA256_BYTES + 3];
    if (token.len < mac_len + 3)
        goto bad;
    struct slice text = slice_of(token.data, token.len - mac_len - 1);
    unsigned char *payload = arena_alloc(c->arena, text.len + 3);
    if (!payload)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    long n = base64url_decode(text, payload);
    if (n < 0 || token.data[text.len] != '.' || base64url_decode(slice_of(token.data + text.len + 1, mac_len), given) != SHA256_BYTES)
        goto bad;
    struct slice json = slice_of((const char *)payload, (size_t)n);
    auth_sign(c->shop->auth, TOKEN_PURPOSE, json, mac);
    if (!crypto_equal(mac, given, SHA256_BYTES))
        goto bad;
    return json_parse(json, NULL, c->arena, out, &c->err);
bad:
    err_reason(&c->err, ERR_INVALID, "token_invalid", "This quote token is not one of this shop's; ask for a new quote.");
    snprintf(c->err.field, sizeof c->err.field, "/quote_token");
    return ERR_INVALID;
}

/* Titles are not evidence; what no longer is in the catalogue keeps its SKU as title. */
static void find_title(const struct call *c, const struct pricing *p, struct quote_product *product)
{
    const struct catalogue_product *now = catalogue_find(p->catalogue, product->sku);
    product->title = now ? now->facts.title : symbols_name(c->shop->symbols, product->sku);
}

int pricing_from_token(struct call *c, struct slice token, struct pricing *p, struct slice *generation)
{
    struct json_value *payload;
    int rc = pricing_begin(c, p);
    if (rc == 0)
        rc = token_payload(c, token, &payload);
    if (rc < 0)
        return rc;
    rc = quote_evidence_read(c->shop->symbols, json_get(payload, "e"), c->arena, &p->cart, &c->err);
    if (rc < 0)
        return rc;
    struct slice caller = slice_str(c->who.customer);
    if ((c->who.kind == CALLER_CUSTOMER || c->who.kind == CALLER_STOREFRONT) && !slice_eq(caller, p->cart.customer))
        return err_reason(&c->err, ERR_NOT_FOUND, "token_not_yours", "This quote was made for somebody else; ask for a new quote.");
    for (size_t i = 0; i < p->cart.line_count; i++)
        find_title(c, p, &p->cart.lines[i].product);
    for (size_t i = 0; i < p->cart.extra_count; i++)
        find_title(c, p, &p->cart.extras[i].product);
    int64_t expires_ms = 0;
    p->from_token = true;
    json_is_string(json_get(payload, "g"), generation);
    json_is_string(json_get(payload, "c"), &p->checkout);
    json_is_int(json_get(payload, "x"), &expires_ms);
    if (expires_ms <= clock_wall_ms(c->shop->options.clock))
        return err_reason(&c->err, ERR_CONFLICT, "quote_expired",
                          "This quote has expired; the fresh one beside this message has today's prices.");
    struct seat *seat = slice_is(*generation, generation_id(c->seat->generation)) ? c->seat : worker_find_seat(c->worker, *generation);
    if (!seat)
        return PRICING_ELSEWHERE;
    p->seat = seat;
    return 0;
}

/* --- the answer ---------------------------------------------------------------------------------------------------- */

int pricing_language(struct call *c, struct pricing *p)
{
    struct slice name, header = http_header(c->req, "Accept-Language");
    struct generation *g = p->seat->generation;
    p->telling.voice = (struct quote_voice){ .zone = generation_zone(g), .currency = quote_rules_currency(generation_rules(g)) };
    int rc = http_query(c->req, "lang", &name, &c->err);
    if (rc < 0)
        return rc;
    p->telling.voice.words = rc ? words_of(c->shop->words, name) : header.data ? words_accepted(c->shop->words, header) : NULL;
    if (rc && !p->telling.voice.words)
        return err_field(&c->err, ERR_INVALID, "lang", "lang is \"en\" or \"zh-CN\".");
    return 0;
}

void pricing_write(struct call *c, struct pricing *p, struct buf *out)
{
    struct json_writer w;
    struct generation *g = p->seat->generation;
    int64_t expires_ms = clock_wall_ms(c->shop->options.clock) + generation_settings(g)->quote_ttl_ms;
    char expires[TIMESTAMP_MAX];
    size_t n = timestamp_format(expires_ms, expires);
    json_writer_init(&w, out);
    json_object(&w);
    quote_result_write(generation_rules(g), &p->result, &p->telling, &w);
    json_key(&w, "generation");
    json_str(&w, generation_id(g));
    json_key(&w, "expires_at");
    json_string(&w, slice_of(expires, n));
    if (!p->without_token) {
        json_key(&w, "token");
        token_write(c, p, expires_ms, &w);
    }
    if (out->failed)
        return;
    json_object_end(&w);
}

struct slice pricing_document(struct call *c, struct pricing *p)
{
    struct buf b;
    buf_init(&b, NULL);
    pricing_write(c, p, &b);
    struct slice out = b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    return out;
}
