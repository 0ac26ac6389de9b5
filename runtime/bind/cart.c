/* The cart that a function campaign gets: sets of lines that C computes on, and line handles where a function must loop.
 * Everything a rule may know is here, and nothing of it outlives the call: a handle that was kept is an error. Sets never
 * leave the campaign's scope, so what is measured and what is discounted are the same lines. */
#include "bind/bind_int.h"
#include "bind/plugins.h"
#include <string.h>

#define CART_CLASS "feira.cart"
#define SET_CLASS  "feira.set"
#define LINE_CLASS "feira.line"

struct cart_box {
    uint64_t serial;
};
struct set_box {
    uint64_t serial;
    struct quote_set set; /* its lines are in the arena of the pricing run */
};
struct line_box {
    uint64_t serial;
    uint32_t line;
};

/* All three boxes begin with the serial. */
static void *check_box(lua_State *L, int arg, const char *class, const char *what)
{
    struct bind_context *c = bind_require(L, BIND_RULE, what);
    uint64_t *serial = luaL_checkudata(L, arg, class);
    if (!c->eval || *serial != bind_state(L)->serial)
        luaL_error(L, "%s is good only during the call it was given to", what);
    return serial;
}

static struct quote_eval *eval_of(lua_State *L)
{
    return bind_state(L)->ctx->eval;
}

static struct slice reason_of(lua_State *L, int table)
{
    return bind_field_slice(L, table, "reason", false);
}

static void push_set(lua_State *L, struct quote_set set)
{
    struct set_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct set_box){ bind_state(L)->serial, set };
    luaL_setmetatable(L, SET_CLASS);
}

void bind_push_cart(lua_State *L)
{
    struct cart_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->serial = bind_state(L)->serial;
    luaL_setmetatable(L, CART_CLASS);
}

static int raise_if(lua_State *L, int rc, const struct err *err)
{
    return rc < 0 ? bind_raise(L, err) : 0;
}

/* Gives the method called `name` from the class, if there is one. */
static bool push_method(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

/* --- select: { tag = "x" | { "x", "y" }, sku =, category =, brand =, all =, any =, none = } ---------------------------- */
static int push_selected(lua_State *L, struct quote_set from)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    struct json_value *selector = vm_check_json(L, 2, bind_state(L)->ctx->arena);
    struct quote_set out;
    struct err err = { 0 };
    vm_charge(L, 20 + (int64_t)from.count);
    raise_if(L, quote_eval_select(eval_of(L), from, selector, &out, &err), &err);
    push_set(L, out);
    return 1;
}

/* --- line ----------------------------------------------------------------------------------------------------------- */
static const struct quote_line *check_line(lua_State *L, uint32_t *index)
{
    struct line_box *box = check_box(L, 1, LINE_CLASS, "a line");
    *index = box->line;
    return &quote_eval_cart(eval_of(L))->lines[box->line];
}

static void push_symbol(lua_State *L, symbol s)
{
    if (s)
        bind_push_slice(L, symbols_name(quote_eval_symbols(eval_of(L)), s));
    else
        lua_pushnil(L);
}

static int line_index(lua_State *L) /* (line, name) -> value */
{
    struct slice name = bind_check_slice(L, 2, "the name");
    if (push_method(L))
        return 1;
    uint32_t i;
    const struct quote_line *l = check_line(L, &i);
    if (slice_is(name, "qty"))
        lua_pushinteger(L, l->qty);
    else if (slice_is(name, "unit_price"))
        lua_pushinteger(L, l->unit_price_minor);
    else if (slice_is(name, "list_price")) /* of the catalogue */
        lua_pushinteger(L, l->product.price_minor);
    else if (slice_is(name, "remaining"))
        lua_pushinteger(L, quote_eval_remaining(eval_of(L), i));
    else if (slice_is(name, "subtotal"))
        lua_pushinteger(L, l->subtotal_minor);
    else if (slice_is(name, "sku"))
        push_symbol(L, l->product.sku);
    else if (slice_is(name, "brand"))
        push_symbol(L, l->product.brand);
    else if (slice_is(name, "category"))
        push_symbol(L, l->product.category_count ? l->product.categories[0] : 0);
    else if (slice_is(name, "compare_at"))
        lua_pushinteger(L, l->compare_at_minor);
    else if (slice_is(name, "weight_g"))
        lua_pushinteger(L, l->product.weight_g);
    else
        return luaL_error(L, "a line has no field \"%s\"", name.data);
    return 1;
}

static bool has_symbol(lua_State *L, const symbol *list, size_t n, int arg)
{
    symbol wanted = symbols_find(quote_eval_symbols(eval_of(L)), bind_check_slice(L, arg, "the name"));
    for (size_t i = 0; wanted && i < n; i++)
        if (list[i] == wanted)
            return true;
    return false;
}

static int l_line_has_tag(lua_State *L) /* (line, tag) -> boolean */
{
    uint32_t i;
    const struct quote_line *l = check_line(L, &i);
    lua_pushboolean(L, has_symbol(L, l->product.tags, l->product.tag_count, 2));
    return 1;
}

static int l_line_in_category(lua_State *L) /* (line, category) -> boolean: also of a category above its own */
{
    uint32_t i;
    const struct quote_line *l = check_line(L, &i);
    lua_pushboolean(L, has_symbol(L, l->product.categories, l->product.category_count, 2));
    return 1;
}

static int l_line_discount(lua_State *L) /* (line, { amount, units?, reason? }) -> line */
{
    uint32_t i;
    check_line(L, &i);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getfield(L, 2, "amount"); /* line what amount */
    luaL_argcheck(L, !lua_isnil(L, 3), 2, "amount is missing");
    int64_t amount = bind_check_money(L, 3, "amount");
    int64_t units = bind_field_int(L, 2, "units", false, 0);
    struct err err = { 0 };
    vm_charge(L, 20);
    raise_if(L, quote_eval_line_discount(eval_of(L), i, amount, units, reason_of(L, 2), &err), &err);
    lua_settop(L, 1); /* line */
    return 1;
}

/* --- set ------------------------------------------------------------------------------------------------------------- */
static struct quote_set check_set(lua_State *L)
{
    struct set_box *box = check_box(L, 1, SET_CLASS, "a set of lines");
    return box->set;
}

static int set_index(lua_State *L) /* (set, name) -> value */
{
    struct slice name = bind_check_slice(L, 2, "the name");
    if (push_method(L))
        return 1;
    struct quote_set set = check_set(L);
    vm_charge(L, (int64_t)set.count / 4);
    if (slice_is(name, "subtotal"))
        lua_pushinteger(L, quote_eval_subtotal(eval_of(L), set));
    else if (slice_is(name, "qty"))
        lua_pushinteger(L, quote_eval_qty(eval_of(L), set));
    else if (slice_is(name, "count"))
        lua_pushinteger(L, (lua_Integer)set.count);
    else
        return luaL_error(L, "a set of lines has no field \"%s\"", name.data);
    return 1;
}

static int l_set_select(lua_State *L) /* (set, selector) -> set: those of this set that match */
{
    return push_selected(L, check_set(L));
}

static int next_line(lua_State *L) /* iterator; upvalues: set, index */
{
    struct set_box *box = check_box(L, lua_upvalueindex(1), SET_CLASS, "a set of lines");
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    if ((size_t)i >= box->set.count)
        return 0;
    vm_charge(L, 10);
    bind_push_line(L, box->set.lines[i]); /* line */
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    return 1;
}

static void push_iterator(lua_State *L) /* set -> iterator */
{
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_line, 2);
}

static int l_set_lines(lua_State *L) /* (set) -> iterator of lines */
{
    check_set(L);
    lua_settop(L, 1);
    push_iterator(L);
    return 1;
}

static int l_set_percent_off(lua_State *L) /* (set, 20 | "12.5" | { percent, cap?, reason? }) -> set */
{
    struct quote_set set = check_set(L);
    int64_t ppm, cap = 0;
    struct slice reason = { "", 0 };
    lua_settop(L, 2);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "percent"); /* set what percent */
        ppm = bind_check_percent(L, 3, "percent");
        if (lua_getfield(L, 2, "cap") != LUA_TNIL) { /* set what percent cap */
            cap = bind_check_money(L, 4, "cap");
            luaL_argcheck(L, cap > 0, 2, "cap is above zero");
        }
        reason = reason_of(L, 2);
    } else {
        ppm = bind_check_percent(L, 2, "percent");
    }
    luaL_argcheck(L, ppm > 0 && ppm <= RATE_ONE_PPM, 2, "percent is above 0 and at most 100");
    struct err err = { 0 };
    vm_charge(L, 20 + 4 * (int64_t)set.count);
    raise_if(L, quote_eval_percent_off(eval_of(L), set, ppm, cap, reason, &err), &err);
    lua_settop(L, 1); /* set */
    return 1;
}

static int l_set_amount_off(lua_State *L) /* (set, "5.00" | { amount, reason? }) -> set: shared out over the lines */
{
    struct quote_set set = check_set(L);
    struct slice reason = { "", 0 };
    lua_settop(L, 2);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "amount"); /* set what amount */
        reason = reason_of(L, 2);
    } else {
        lua_pushvalue(L, 2); /* set what amount */
    }
    int64_t amount = bind_check_money(L, 3, "amount");
    luaL_argcheck(L, amount >= 0, 2, "amount is not below zero");
    struct err err = { 0 };
    vm_charge(L, 20 + 8 * (int64_t)set.count);
    raise_if(L, quote_eval_amount_off(eval_of(L), set, amount, reason, &err), &err);
    lua_settop(L, 1); /* set */
    return 1;
}

/* --- cart ------------------------------------------------------------------------------------------------------------ */
static void check_cart(lua_State *L)
{
    check_box(L, 1, CART_CLASS, "the cart");
}

static void push_fact(lua_State *L, const struct quote_fact *f)
{
    switch (f->kind) {
    case QUOTE_FACT_INT:
        lua_pushinteger(L, f->number);
        break;
    case QUOTE_FACT_BOOL:
        lua_pushboolean(L, f->number != 0);
        break;
    case QUOTE_FACT_STRING:
        bind_push_slice(L, f->text);
        break;
    case QUOTE_FACT_FAILED: /* was raised */
        lua_pushnil(L);
        break;
    }
}

static void push_customer_tags(lua_State *L, const struct quote_cart *cart)
{
    lua_createtable(L, (int)cart->customer_tag_count, 0); /* tags */
    for (size_t i = 0; i < cart->customer_tag_count; i++) {
        push_symbol(L, cart->customer_tags[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int cart_index(lua_State *L) /* (cart, name) -> value */
{
    struct slice name = bind_check_slice(L, 2, "the name");
    if (push_method(L))
        return 1;
    check_cart(L);
    struct quote_eval *e = eval_of(L);
    const struct quote_cart *cart = quote_eval_cart(e);
    struct quote_set scope = quote_eval_scope(e);
    vm_charge(L, (int64_t)scope.count / 4);
    if (slice_is(name, "subtotal"))
        lua_pushinteger(L, quote_eval_subtotal(e, scope));
    else if (slice_is(name, "qty"))
        lua_pushinteger(L, quote_eval_qty(e, scope));
    else if (slice_is(name, "count"))
        lua_pushinteger(L, (lua_Integer)scope.count);
    else if (slice_is(name, "now"))
        lua_pushinteger(L, quote_eval_now_ms(e));
    else if (slice_is(name, "weight_g")) /* of the whole cart */
        lua_pushinteger(L, quote_eval_weight_g(e));
    else if (slice_is(name, "customer_tags"))
        push_customer_tags(L, cart);
    else if (slice_is(name, "guest"))
        lua_pushboolean(L, cart->customer.len == 0);
    else if (slice_is(name, "channel"))
        push_symbol(L, cart->channel);
    else if (slice_is(name, "region"))
        push_symbol(L, cart->region);
    else if (slice_is(name, "payment_method"))
        push_symbol(L, cart->payment_method);
    else if (slice_is(name, "store"))
        push_symbol(L, cart->store);
    else
        return luaL_error(L, "the cart has no field \"%s\"", name.data);
    return 1;
}

static int l_cart_select(lua_State *L) /* (cart, selector) -> set */
{
    check_cart(L);
    return push_selected(L, quote_eval_scope(eval_of(L)));
}

static int l_cart_all(lua_State *L) /* (cart) -> set: the campaign's lines */
{
    check_cart(L);
    push_set(L, quote_eval_scope(eval_of(L)));
    return 1;
}

static int l_cart_lines(lua_State *L) /* (cart) -> iterator of the campaign's lines */
{
    l_cart_all(L);
    push_iterator(L);
    return 1;
}

static int l_cart_has_customer_tag(lua_State *L) /* (cart, tag) -> boolean */
{
    check_cart(L);
    const struct quote_cart *cart = quote_eval_cart(eval_of(L));
    lua_pushboolean(L, has_symbol(L, cart->customer_tags, cart->customer_tag_count, 2));
    return 1;
}

static int l_cart_fact(lua_State *L) /* (cart, name) -> value | nil */
{
    check_cart(L);
    const struct quote_fact *fact;
    struct err err = { 0 };
    int rc = quote_eval_fact(eval_of(L), bind_check_slice(L, 2, "the fact's name"), &fact, &err);
    raise_if(L, rc, &err); /* the campaign fails with the fact: what it would do without the value can't be known */
    if (rc == 0)
        lua_pushnil(L);
    else
        push_fact(L, fact);
    return 1;
}

/* Behind the "/" of an owner stands the plugin's name. */
static struct slice running_plugin(lua_State *L)
{
    struct slice owner = quote_eval_owner(eval_of(L));
    const char *slash = memchr(owner.data, '/', owner.len);
    if (!slash)
        luaL_error(L, "cart:input() is for rules of plugins: what a client sends belongs to the plugin that describes it");
    size_t n = (size_t)(slash + 1 - owner.data);
    return slice_of(owner.data + n, owner.len - n);
}

static int l_cart_input(lua_State *L) /* (cart, name) -> value | nil: what the client sent for the plugin whose rule this is */
{
    check_cart(L);
    const struct bind_context *c = bind_state(L)->ctx;
    struct slice name = bind_check_slice(L, 2, "the input's name"), plugin = running_plugin(L);
    struct err err = { 0 };
    raise_if(L, c->plugins ? c->plugins->input(c->plugins_ctx, plugin, name, &err) : 0, &err);
    const struct json_value *mine = NULL, *all = quote_eval_cart(eval_of(L))->inputs;
    for (const struct json_value *m = all ? all->first : NULL; m; m = m->next)
        if (slice_eq(m->key, plugin))
            mine = m;
    vm_charge(L, 20);
    for (const struct json_value *m = mine ? mine->first : NULL; m; m = m->next) {
        if (slice_eq(m->key, name)) {
            vm_push_json_value(L, m);
            return 1;
        }
    }
    lua_pushnil(L);
    return 1;
}

/* The merchant's rules may ask about any published account, a plugin's about its own. */
static void require_own(lua_State *L, struct slice account)
{
    struct slice owner = quote_eval_owner(eval_of(L));
    const char *slash = owner.len ? memchr(owner.data, '/', owner.len) : NULL;
    struct slice plugin = slash ? slice_of(slash + 1, (size_t)(owner.data + owner.len - slash - 1)) : slice_str("");
    bool own = account.len > plugin.len && memcmp(account.data, plugin.data, plugin.len) == 0 && account.data[plugin.len] == '/';
    if (slash && !own)
        luaL_error(L, "cart:left() of a plugin's rule is about its own accounts, whose names begin with the plugin's and a slash");
}

static int l_cart_left(lua_State *L) /* (cart, account) -> left | nil: of a published account, the same in all of the quote */
{
    check_cart(L);
    struct slice account = bind_check_slice(L, 2, "the account's name");
    int64_t left;
    struct err err = { 0 };
    require_own(L, account);
    vm_charge(L, 50);
    int rc = quote_eval_left(eval_of(L), account, &left, &err);
    raise_if(L, rc, &err);
    if (rc == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, left);
    return 1;
}

static int l_cart_free_shipping(lua_State *L) /* (cart) -> cart */
{
    check_cart(L);
    struct err err = { 0 };
    raise_if(L, quote_eval_free_shipping(eval_of(L), &err), &err);
    lua_settop(L, 1); /* cart */
    return 1;
}

void bind_push_line(lua_State *L, uint32_t line)
{
    struct line_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct line_box){ bind_state(L)->serial, line };
    luaL_setmetatable(L, LINE_CLASS);
}

void bind_open_cart(lua_State *L)
{
    static const luaL_Reg cart[] = {
        { "select", l_cart_select },
        { "all", l_cart_all },
        { "lines", l_cart_lines },
        { "has_customer_tag", l_cart_has_customer_tag },
        { "fact", l_cart_fact },
        { "input", l_cart_input },
        { "left", l_cart_left },
        { "free_shipping", l_cart_free_shipping },
        { NULL, NULL },
    };
    static const luaL_Reg set[] = {
        { "select", l_set_select },         { "lines", l_set_lines }, { "percent_off", l_set_percent_off },
        { "amount_off", l_set_amount_off }, { NULL, NULL },
    };
    static const luaL_Reg line[] = {
        { "discount", l_line_discount },
        { "has_tag", l_line_has_tag },
        { "in_category", l_line_in_category },
        { NULL, NULL },
    };
    bind_class(L, CART_CLASS, cart, cart_index);
    bind_class(L, SET_CLASS, set, set_index);
    bind_class(L, LINE_CLASS, line, line_index);
}
