/* feira.quote: the order being placed, as its procedure sees it (args.quote). The quote stays in C; what an order stores of
 * it is written there, and Lua gets text. The handle is a box that dies with the call. */
#include "bind/bind_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE_CLASS "feira.quote"

struct quote_box {
    uint64_t serial;
};

static const struct bind_quote *check_quote(lua_State *L)
{
    struct bind_context *c = bind_require(L, BIND_PROCEDURE, "an order's quote");
    struct quote_box *box = luaL_checkudata(L, 1, QUOTE_CLASS);
    luaL_argcheck(L, c->quote && box->serial == bind_state(L)->serial, 1, "this quote belongs to a call that has ended");
    return c->quote;
}

void bind_push_quote(lua_State *L)
{
    struct quote_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->serial = bind_state(L)->serial;
    luaL_setmetatable(L, QUOTE_CLASS);
}

static struct slice sku_of(const struct bind_quote *q, const struct quote_line *line)
{
    return symbols_name(quote_rules_symbols(q->rules), line->product.sku);
}

static int64_t shipping_payable(const struct quote_result *r)
{
    return r->shipping_minor - r->shipping_discount_minor + (r->tax.included ? 0 : r->tax.shipping_minor);
}

/* --- fields ------------------------------------------------------------------------------------------------------ */
static void push_text_or_nil(lua_State *L, struct slice s)
{
    if (s.len)
        bind_push_slice(L, s);
    else
        lua_pushnil(L);
}

static int quote_index(lua_State *L) /* (quote, name) -> value */
{
    struct slice name = bind_check_slice(L, 2, "the name");
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) /* a method */
        return 1;
    const struct bind_quote *q = check_quote(L);
    const struct quote_result *r = q->result;
    if (slice_is(name, "total"))
        lua_pushinteger(L, r->total_minor);
    else if (slice_is(name, "subtotal"))
        lua_pushinteger(L, r->subtotal_minor);
    else if (slice_is(name, "discount"))
        lua_pushinteger(L, r->discount_minor);
    else if (slice_is(name, "shipping")) /* what is paid for shipping, after its discounts */
        lua_pushinteger(L, r->has_shipping ? shipping_payable(r) : 0);
    else if (slice_is(name, "line_count"))
        lua_pushinteger(L, (lua_Integer)r->cart->line_count);
    else if (slice_is(name, "customer"))
        push_text_or_nil(L, r->cart->customer);
    else if (slice_is(name, "channel"))
        push_text_or_nil(L, r->cart->channel ? symbols_name(quote_rules_symbols(q->rules), r->cart->channel) : slice_str(""));
    else if (slice_is(name, "customer_version"))
        lua_pushinteger(L, r->cart->customer_version);
    else if (slice_is(name, "prices_final")) /* no rule had a say, so nothing that rules read can have moved */
        lua_pushboolean(L, r->cart->no_campaigns && quote_rules_leave_final(q->rules));
    else if (slice_is(name, "at"))
        lua_pushinteger(L, r->cart->at_ms);
    else if (slice_is(name, "pay_within_ms")) { /* the shortest that its campaigns give; nil: none says */
        if (r->pay_within_ms)
            lua_pushinteger(L, r->pay_within_ms);
        else
            lua_pushnil(L);
    } else if (slice_is(name, "currency"))
        lua_pushstring(L, quote_rules_currency(q->rules).code);
    else if (slice_is(name, "generation"))
        bind_push_slice(L, q->generation);
    else if (slice_is(name, "evidence"))
        bind_push_slice(L, q->evidence);
    else
        return luaL_error(L, "a quote has no field \"%s\"", name.data);
    return 1;
}

static int l_line(lua_State *L) /* (quote, i) -> { line, sku, title, qty, unit_price, subtotal, discount, total, tax } */
{
    const struct bind_quote *q = check_quote(L);
    int64_t i = bind_check_int(L, 2, "the line");
    if (i < 1 || (uint64_t)i > q->result->cart->line_count) {
        lua_pushnil(L);
        return 1;
    }
    const struct quote_line *l = &q->result->cart->lines[i - 1];
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        { "line", i },
        { "qty", l->qty },
        { "unit_price", l->unit_price_minor },
        { "subtotal", l->subtotal_minor },
        { "discount", l->discount_minor },
        { "total", l->total_minor },
        { "tax", l->tax_minor },
    };
    lua_createtable(L, 0, 9); /* line */
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        lua_pushinteger(L, numbers[k].value);
        lua_setfield(L, -2, numbers[k].name);
    }
    bind_push_slice(L, sku_of(q, l));
    lua_setfield(L, -2, "sku");
    bind_push_slice(L, l->product.title);
    lua_setfield(L, -2, "title");
    return 1;
}

/* --- what an order stores ------------------------------------------------------------------------------------------ */
static int push_text(lua_State *L, struct slice text)
{
    vm_charge(L, (int64_t)text.len / 8);
    bind_push_slice(L, text);
    return 1;
}

static int l_lines_json(lua_State *L) /* (quote) -> JSON array, lines as an order shows them before any refund */
{
    return push_text(L, check_quote(L)->lines);
}

/* (quote) -> JSON object: currency, subtotal, discount, shipping, tax, campaigns (those that applied) */
static int l_priced_json(lua_State *L)
{
    return push_text(L, check_quote(L)->priced);
}

/* (quote) -> JSON array of what the customer gets later, or nothing */
static int l_grants_json(lua_State *L)
{
    const struct bind_quote *q = check_quote(L);
    struct buf b;
    struct json_writer w;
    if (q->result->grant_count == 0)
        return 0;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    quote_grants_write(q->rules, q->result, &w);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(bind_state(L)->ctx->arena, buf_slice(&b));
    buf_release(&b);
    if (!text.data)
        return luaL_error(L, "out of memory for what an order grants");
    bind_push_slice(L, text);
    return 1;
}

/* --- needs ----------------------------------------------------------------------------------------------------------- */
struct need {
    symbol sku;
    uint32_t line; /* the first that asks for it, from 0 */
    int64_t qty;
};

static int by_sku(const void *a, const void *b)
{
    const struct need *x = a, *y = b;
    if (x->sku != y->sku)
        return x->sku < y->sku ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int by_line(const void *a, const void *b)
{
    const struct need *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* Units per SKU, in the order of their first lines. */
static struct need *collect_needs(lua_State *L, const struct bind_quote *q, size_t *count)
{
    const struct quote_cart *cart = q->result->cart;
    struct need *needs = arena_array(bind_state(L)->ctx->arena, cart->line_count + 1, sizeof *needs);
    if (!needs)
        luaL_error(L, "out of memory for %d lines", (int)cart->line_count);
    vm_charge(L, 20 * (int64_t)cart->line_count);
    for (uint32_t i = 0; i < cart->line_count; i++)
        needs[i] = (struct need){ cart->lines[i].product.sku, i, cart->lines[i].qty };
    qsort(needs, cart->line_count, sizeof *needs, by_sku);
    size_t n = 0;
    for (size_t i = 0; i < cart->line_count; i++) {
        if (n && needs[n - 1].sku == needs[i].sku)
            needs[n - 1].qty += needs[i].qty; /* QUOTE_LINES_MAX * QUOTE_QTY_MAX fits */
        else
            needs[n++] = needs[i];
    }
    qsort(needs, n, sizeof *needs, by_line);
    *count = n;
    return needs;
}

static int l_needs(lua_State *L) /* (quote) -> { { sku, qty, line }... }: units per SKU, in the order of their first lines */
{
    const struct bind_quote *q = check_quote(L);
    size_t n;
    struct need *needs = collect_needs(L, q, &n);
    lua_createtable(L, (int)n, 0); /* needs */
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 3); /* needs need */
        bind_push_slice(L, symbols_name(quote_rules_symbols(q->rules), needs[i].sku));
        lua_setfield(L, -2, "sku");
        lua_pushinteger(L, needs[i].qty);
        lua_setfield(L, -2, "qty");
        lua_pushinteger(L, (lua_Integer)needs[i].line + 1);
        lua_setfield(L, -2, "line");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* --- taking what is needed, in the usual case -------------------------------------------------------------------------- */

enum { TAKEN_ID_MAX = 80 };

struct taking {
    enum ledger_kind kind;
    struct slice order;
    int64_t to;
    struct ledger_op *ops;
    struct bind_place *places;
    const struct need **of; /* which need an op is for */
    size_t count;
};

/* false when the usual case is not given. */
static bool add_op(lua_State *L, struct taking *t, const struct need *need)
{
    struct bind_context *c = bind_state(L)->ctx;
    struct bind_place place;
    if (!c->place_of || !c->place_of(c->host_ctx, need->sku, &place))
        return false;
    if (!place.account)
        return true; /* not counted */
    size_t n = t->count++;
    char id[TAKEN_ID_MAX];
    int len = snprintf(id, sizeof id, "%.*s/%zu", SLICE_FMT(t->order), n + 1);
    t->places[n] = place;
    t->of[n] = need;
    t->ops[n] = (struct ledger_op){
        .kind = t->kind,
        .debit = place.account,
        .credit = t->to,
        .amount = need->qty,
        .reference = t->order,
        .id = arena_copy(c->arena, slice_of(id, (size_t)len)),
    };
    if (!t->ops[n].id.data)
        luaL_error(L, "out of memory for %d lines", (int)n);
    return true;
}

static int push_holds(lua_State *L, const struct bind_quote *q, const struct taking *t)
{
    struct bind_buf b;
    struct json_writer w;
    if (t->count == 0) {
        lua_pushnil(L);
        return 1;
    }
    bind_buf_init(&b, bind_state(L)->ctx->arena);
    buf_reserve(&b.buf, 64 * t->count);
    json_writer_init(&w, &b.buf);
    json_array(&w);
    for (size_t i = 0; i < t->count; i++) {
        json_array(&w);
        json_string(&w, symbols_name(quote_rules_symbols(q->rules), t->of[i]->sku));
        json_string(&w, t->places[i].location);
        json_int(&w, t->of[i]->qty);
        json_array_end(&w);
    }
    json_array_end(&w);
    bind_buf_check(L, &b);
    return push_text(L, buf_slice(&b.buf));
}

/* (quote, order_id, kind, to) -> true, holds | false, sku, line | nothing. Moves what the order needs to the account `to`, where each SKU
 * that is counted lies at one place: then there is nothing to choose. holds: JSON, nil when nothing is counted. Nothing: it is for
 * feira.stock to choose. Does as feira.stock does, without a table for each line. */
static int l_take(lua_State *L)
{
    const struct bind_quote *q = check_quote(L);
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "taking stock");
    struct taking t = { .order = bind_check_slice(L, 2, "the order"), .to = bind_check_int(L, 4, "the account") };
    t.kind = slice_is(bind_check_slice(L, 3, "the kind"), "hold") ? LEDGER_HOLD : LEDGER_TRANSFER;
    luaL_argcheck(L, t.order.len <= ID_MAX, 2, "not the id of an order");
    size_t n, failed = 0;
    struct need *needs = collect_needs(L, q, &n);
    t.ops = arena_array(c->arena, n + 1, sizeof *t.ops);
    t.places = arena_array(c->arena, n + 1, sizeof *t.places);
    t.of = arena_array(c->arena, n + 1, sizeof *t.of);
    if (!t.ops || !t.places || !t.of)
        return luaL_error(L, "out of memory for %d lines", (int)n);
    vm_charge(L, 200 * (int64_t)n);
    for (size_t i = 0; i < n; i++)
        if (!add_op(L, &t, &needs[i]))
            return 0;
    struct err err = { 0 };
    int rc = t.count ? ledger_apply(c->ledger, t.ops, t.count, c->now_ms, &failed, &err) : 0;
    if (rc == ERR_CONFLICT && strcmp(err.reason, "insufficient") == 0) {
        lua_pushboolean(L, false);
        bind_push_slice(L, symbols_name(quote_rules_symbols(q->rules), t.of[failed]->sku));
        lua_pushinteger(L, (lua_Integer)t.of[failed]->line + 1);
        return 3;
    }
    if (rc < 0)
        return bind_raise(L, &err);
    lua_pushboolean(L, true);
    return 1 + push_holds(L, q, &t);
}

/* (quote) -> { { campaign, limit, unit, account, amount, max, of_customer, kept, kept_when_cancelled }... }, or nothing: what it uses up of
 * limits */
static int l_takes(lua_State *L)
{
    const struct bind_quote *q = check_quote(L);
    const struct quote_result *r = q->result;
    if (r->take_count == 0)
        return 0;
    vm_charge(L, 20 * (int64_t)r->take_count);
    lua_createtable(L, (int)r->take_count, 0); /* takes */
    for (size_t i = 0; i < r->take_count; i++) {
        const struct quote_take *t = &r->takes[i];
        lua_createtable(L, 0, 9); /* takes take */
        bind_push_slice(L, quote_campaign_id(q->rules, t->campaign));
        lua_setfield(L, -2, "campaign");
        lua_pushstring(L, t->limit);
        lua_setfield(L, -2, "limit");
        lua_pushstring(L, t->unit);
        lua_setfield(L, -2, "unit");
        bind_push_slice(L, t->account);
        lua_setfield(L, -2, "account");
        lua_pushinteger(L, t->amount);
        lua_setfield(L, -2, "amount");
        lua_pushinteger(L, t->max);
        lua_setfield(L, -2, "max");
        lua_pushboolean(L, t->of_customer);
        lua_setfield(L, -2, "of_customer");
        lua_pushboolean(L, t->kept);
        lua_setfield(L, -2, "kept");
        lua_pushboolean(L, t->kept_when_cancelled);
        lua_setfield(L, -2, "kept_when_cancelled");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void bind_open_quote(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "line", l_line },
        { "lines_json", l_lines_json },
        { "priced_json", l_priced_json },
        { "grants_json", l_grants_json },
        { "needs", l_needs },
        { "take", l_take },
        { "takes", l_takes },
        { NULL, NULL },
    };
    bind_class(L, QUOTE_CLASS, methods, quote_index);
    lua_newtable(L); /* the module is empty: the handle comes with the call */
}
