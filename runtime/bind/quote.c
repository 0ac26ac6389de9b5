/* feira.quote: the order being placed, as its procedure sees it (args.quote). The quote stays in C; what an order stores of
 * it is written there, and Lua gets text. The handle is a box that dies with the call. */
#include "bind/bind_int.h"
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
    else if (slice_is(name, "customer_version"))
        lua_pushinteger(L, r->cart->customer_version);
    else if (slice_is(name, "prices_final")) /* no rule had a say, so nothing that rules read can have moved */
        lua_pushboolean(L, r->cart->no_campaigns && quote_rules_leave_final(q->rules));
    else if (slice_is(name, "at"))
        lua_pushinteger(L, r->cart->at_ms);
    else if (slice_is(name, "currency"))
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
static void write_int(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

static void write_discounts(const struct bind_quote *q, const struct quote_discount *d, struct json_writer *w)
{
    json_key(w, "discounts");
    json_array(w);
    for (; d; d = d->next) {
        json_object(w);
        json_key(w, "campaign");
        json_string(w, quote_campaign_id(q->rules, d->campaign));
        write_int(w, "amount", d->amount_minor);
        if (d->units)
            write_int(w, "units", d->units);
        if (d->reason.len) {
            json_key(w, "reason");
            json_string(w, d->reason);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_tax(const struct bind_quote *q, int64_t amount, int64_t tax, struct json_writer *w)
{
    const struct quote_tax *t = &q->result->tax;
    if (t->known)
        write_int(w, "tax", tax);
    if (t->known && !t->included)
        write_int(w, "payable", amount + tax);
}

static void write_line(const struct bind_quote *q, size_t i, struct json_writer *w)
{
    const struct quote_line *l = &q->result->cart->lines[i];
    json_object(w);
    write_int(w, "line", (int64_t)i + 1);
    json_key(w, "sku");
    json_string(w, sku_of(q, l));
    json_key(w, "title");
    json_string(w, l->product.title);
    write_int(w, "qty", l->qty);
    write_int(w, "unit_price", l->unit_price_minor);
    if (l->compare_at_minor)
        write_int(w, "compare_at", l->compare_at_minor);
    write_int(w, "subtotal", l->subtotal_minor);
    write_discounts(q, l->discounts, w);
    write_int(w, "total", l->total_minor);
    write_tax(q, l->total_minor, l->tax_minor, w);
    write_int(w, "refunded_qty", 0);
    write_int(w, "refunded", 0);
    json_object_end(w);
}

static int push_buf(lua_State *L, const struct bind_buf *b)
{
    bind_buf_check(L, b);
    vm_charge(L, (int64_t)b->buf.len / 8);
    bind_push_slice(L, buf_slice(&b->buf));
    return 1;
}

static int l_lines_json(lua_State *L) /* (quote) -> JSON array, lines as an order shows them before any refund */
{
    const struct bind_quote *q = check_quote(L);
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, bind_state(L)->ctx->arena);
    buf_reserve(&b.buf, 256 * q->result->cart->line_count + 64);
    json_writer_init(&w, &b.buf);
    json_array(&w);
    for (size_t i = 0; i < q->result->cart->line_count; i++)
        write_line(q, i, &w);
    json_array_end(&w);
    return push_buf(L, &b);
}

static void write_shipping(const struct bind_quote *q, struct json_writer *w)
{
    const struct quote_result *r = q->result;
    json_key(w, "shipping");
    if (!r->has_shipping) {
        json_null(w);
        return;
    }
    json_object(w);
    json_key(w, "option");
    json_string(w, r->shipping_option);
    write_int(w, "amount", r->shipping_minor);
    write_discounts(q, r->shipping_discounts, w);
    write_int(w, "total", r->shipping_minor - r->shipping_discount_minor);
    write_tax(q, r->shipping_minor - r->shipping_discount_minor, r->tax.shipping_minor, w);
    json_object_end(w);
}

static void write_applied(const struct bind_quote *q, struct json_writer *w)
{
    json_key(w, "campaigns");
    json_array(w);
    for (size_t i = 0; i < q->result->outcome_count; i++) {
        const struct quote_outcome *o = &q->result->outcomes[i];
        if (!o->applied)
            continue;
        json_object(w);
        json_key(w, "id");
        json_string(w, quote_campaign_id(q->rules, o->campaign));
        json_key(w, "title");
        json_string(w, quote_campaign_title(q->rules, o->campaign));
        json_key(w, "applied");
        json_bool(w, true);
        write_int(w, "amount", o->amount_minor);
        json_object_end(w);
    }
    json_array_end(w);
}

static int l_priced_json(
    lua_State *L) /* (quote) -> JSON object: currency, subtotal, discount, shipping, tax, campaigns (those that applied) */
{
    const struct bind_quote *q = check_quote(L);
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, bind_state(L)->ctx->arena);
    buf_reserve(&b.buf, 512);
    json_writer_init(&w, &b.buf);
    json_object(&w);
    json_key(&w, "currency");
    json_str(&w, quote_rules_currency(q->rules).code);
    write_int(&w, "subtotal", q->result->subtotal_minor);
    write_int(&w, "discount", q->result->discount_minor);
    write_shipping(q, &w);
    quote_tax_write(&q->result->tax, &w);
    write_applied(q, &w);
    json_object_end(&w);
    return push_buf(L, &b);
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

static int l_needs(lua_State *L) /* (quote) -> { { sku, qty, line }... }: units per SKU, in the order of their first lines */
{
    const struct bind_quote *q = check_quote(L);
    const struct quote_cart *cart = q->result->cart;
    struct need *needs = arena_array(bind_state(L)->ctx->arena, cart->line_count + 1, sizeof *needs);
    if (!needs)
        return luaL_error(L, "out of memory for %d lines", (int)cart->line_count);
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

void bind_open_quote(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "line", l_line }, { "lines_json", l_lines_json }, { "priced_json", l_priced_json }, { "needs", l_needs }, { NULL, NULL },
    };
    bind_class(L, QUOTE_CLASS, methods, quote_index);
    lua_newtable(L); /* the module is empty: the handle comes with the call */
}
