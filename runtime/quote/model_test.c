/* Random carts under random campaigns, priced by the kernel and by a model that reads the same JSON with strings, makes
 * every unit a thing of its own, and takes no short cut. FEIRA_QUOTE_MODEL_ROUNDS and _SEED change how many and which. */
#include "quote/fixture.h"

typedef __int128 wide;

enum { MAX_LINES = 8, MAX_CAMPAIGNS = 6 };

/* --- the model -------------------------------------------------------------------------------------------------------- */

struct model_line {
    const struct json_value *spec; /* of the cart */
    int64_t qty, subtotal, cost;
    bool closed;
};

struct model {
    const struct json_value *cart;
    struct model_line lines[MAX_LINES];
    size_t count;
    bool list_thresholds, list_percent;
    const struct json_value *refused_by;
    int64_t shipping, shipping_off;
    bool rated;
    const struct json_value *wishes[MAX_CAMPAIGNS];
    size_t wish_count;
    const struct json_value *granted[MAX_CAMPAIGNS];
    size_t granted_count;
};

static int64_t minor_of(const struct json_value *object, const char *key, int64_t otherwise)
{
    struct slice text;
    int64_t v;
    if (!json_is_string(json_get(object, key), &text))
        return otherwise;
    assert_int_equal(money_parse(text, 2, &v, NULL), 0);
    return v;
}

static int64_t ppm_of(const struct json_value *object)
{
    const struct json_value *v = json_get(object, "percent");
    int64_t ppm;
    if (!v)
        return 1000000;
    if (v->type == JSON_INT)
        return v->integer * 10000;
    assert_int_equal(rate_parse_percent(v->string, &ppm, NULL), 0);
    return ppm;
}

static bool list_has(const struct json_value *names, struct slice name)
{
    if (names->type == JSON_STRING)
        return slice_eq(names->string, name);
    for (const struct json_value *m = names->first; m; m = m->next)
        if (slice_eq(m->string, name))
            return true;
    return false;
}

static bool in_category(const struct json_value *names, struct slice path)
{
    for (;;) {
        if (path.len && list_has(names, path))
            return true;
        while (path.len && path.data[path.len - 1] != '/')
            path.len--;
        if (path.len == 0)
            return false;
        path.len--;
    }
}

static bool selects(const struct json_value *sel, const struct json_value *line);

static bool selects_member(const struct json_value *m, const struct json_value *line)
{
    if (slice_is(m->key, "sku"))
        return list_has(m, fixture_text(line, "sku"));
    if (slice_is(m->key, "category"))
        return in_category(m, fixture_text(line, "category"));
    if (slice_is(m->key, "tag")) {
        const struct json_value *tags = json_get(line, "tags");
        for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next)
            if (list_has(m, t->string))
                return true;
        return false;
    }
    size_t yes = 0;
    for (const struct json_value *c = m->first; c; c = c->next)
        yes += selects(c, line);
    return slice_is(m->key, "all") ? yes == m->count : slice_is(m->key, "any") ? yes > 0 : yes == 0;
}

static bool selects(const struct json_value *sel, const struct json_value *line)
{
    for (const struct json_value *m = sel ? sel->first : NULL; m; m = m->next)
        if (!selects_member(m, line))
            return false;
    return true;
}

static bool upper_equal(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if ((a.data[i] | 0x20) != (b.data[i] | 0x20))
            return false;
    return true;
}

static bool holds(const struct model *md, const struct json_value *scope, const struct json_value *cond);

static bool bounds_hold(const struct model *md, const struct json_value *sel, const struct json_value *m, bool money)
{
    if (json_get(m, "of"))
        sel = json_get(m, "of");
    int64_t seen = 0;
    for (size_t i = 0; i < md->count; i++)
        if (!md->lines[i].closed && selects(sel, md->lines[i].spec))
            seen += !money ? md->lines[i].qty : md->list_thresholds ? md->lines[i].subtotal : md->lines[i].cost;
    int64_t least = money ? minor_of(m, "at_least", 0) : fixture_int(m, "at_least", 0);
    int64_t most = money ? minor_of(m, "at_most", INT64_MAX) : fixture_int(m, "at_most", INT64_MAX);
    return least <= seen && seen <= most;
}

static bool fact_holds(const struct json_value *fact, const struct json_value *m)
{
    if (!fact)
        return false;
    const struct json_value *any_of = json_get(m, "any_of");
    for (const struct json_value *v = any_of ? any_of->first : NULL; v; v = v->next)
        if (v->integer == fact->integer)
            return true;
    return !any_of && fact->integer >= fixture_int(m, "at_least", 0) && fact->integer <= fixture_int(m, "at_most", INT64_MAX) &&
           fact->integer < fixture_int(m, "below", INT64_MAX);
}

static bool holds_member(const struct model *md, const struct json_value *scope, const struct json_value *m)
{
    if (slice_is(m->key, "subtotal") || slice_is(m->key, "qty"))
        return bounds_hold(md, scope, m, slice_is(m->key, "subtotal"));
    if (slice_is(m->key, "customer_tag")) {
        const struct json_value *tags = json_get(md->cart, "customer_tags");
        for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next)
            if (list_has(m, t->string))
                return true;
        return false;
    }
    if (slice_is(m->key, "fact"))
        return fact_holds(json_get(json_get(md->cart, "facts"), "club.level"), m);
    if (slice_is(m->key, "coupon")) {
        const struct json_value *codes = json_get(md->cart, "codes");
        for (const struct json_value *c = codes ? codes->first : NULL; c; c = c->next)
            for (const struct json_value *n = m->first; n; n = n->next)
                if (upper_equal(c->string, n->string))
                    return true;
        return false;
    }
    if (slice_is(m->key, "all") || slice_is(m->key, "any") || slice_is(m->key, "none")) {
        size_t yes = 0;
        for (const struct json_value *c = m->first; c; c = c->next)
            yes += holds(md, scope, c);
        return slice_is(m->key, "all") ? yes == m->count : slice_is(m->key, "any") ? yes > 0 : yes == 0;
    }
    for (size_t i = 0; i < md->count; i++)
        if (!md->lines[i].closed && selects_member(m, md->lines[i].spec))
            return true;
    return false;
}

static bool holds(const struct model *md, const struct json_value *scope, const struct json_value *cond)
{
    for (const struct json_value *m = cond ? cond->first : NULL; m; m = m->next)
        if (!holds_member(md, scope, m))
            return false;
    return true;
}

static void split(int64_t total, const int64_t *weights, size_t n, int64_t *out)
{
    wide sum = 0;
    bool given[MAX_LINES] = { false };
    int64_t left = total;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    for (size_t i = 0; i < n; i++) {
        out[i] = (int64_t)((wide)total * weights[i] / sum);
        left -= out[i];
    }
    for (; left > 0; left--) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!given[i] && (best == n || (wide)total * weights[i] % sum > (wide)total * weights[best] % sum))
                best = i;
        given[best] = true;
        out[best]++;
    }
}

static int64_t half_away(wide num, wide den)
{
    return (int64_t)((2 * num + den) / (2 * den));
}

static void take(struct model *md, const int64_t *off)
{
    for (size_t i = 0; i < md->count; i++)
        md->lines[i].cost -= off[i];
}

static void model_percent(struct model *md, const struct json_value *sel, const struct json_value *a)
{
    struct slice base = fixture_text(a, "base");
    bool list = base.len ? slice_is(base, "list") : md->list_percent;
    int64_t off[MAX_LINES] = { 0 }, cap = minor_of(a, "cap", INT64_MAX), sum = 0;
    for (size_t i = 0; i < md->count; i++) {
        struct model_line *l = &md->lines[i];
        if (l->closed || !selects(sel, l->spec))
            continue;
        off[i] = half_away((wide)(list ? l->subtotal : l->cost) * ppm_of(a), 1000000);
        if (off[i] > l->cost)
            off[i] = l->cost;
        sum += off[i];
    }
    if (sum > cap) {
        int64_t weights[MAX_LINES];
        memcpy(weights, off, sizeof weights);
        split(cap, weights, md->count, off);
    }
    take(md, off);
}

static void model_amount(struct model *md, const struct json_value *sel, const struct json_value *a)
{
    int64_t off[MAX_LINES] = { 0 }, weights[MAX_LINES] = { 0 }, seen = 0, left = 0;
    for (size_t i = 0; i < md->count; i++) {
        if (md->lines[i].closed || !selects(sel, md->lines[i].spec))
            continue;
        weights[i] = md->lines[i].cost;
        left += weights[i];
        seen += md->list_thresholds ? md->lines[i].subtotal : md->lines[i].cost;
    }
    int64_t amount = minor_of(a, "amount", 0), every = minor_of(a, "every", 0), cap = minor_of(a, "cap", INT64_MAX);
    if (every)
        amount *= seen / every;
    if (amount > cap)
        amount = cap;
    if (amount > left)
        amount = left;
    if (amount == 0)
        return;
    split(amount, weights, md->count, off);
    take(md, off);
}

/* Units one by one, the cheapest not yet rewarded each time. */
static void model_buy_get(struct model *md, const struct json_value *sel, const struct json_value *a)
{
    int64_t off[MAX_LINES] = { 0 }, units[MAX_LINES] = { 0 }, rewarded[MAX_LINES] = { 0 }, seen = 0;
    for (size_t i = 0; i < md->count; i++) {
        if (!md->lines[i].closed && selects(sel, md->lines[i].spec) && md->lines[i].cost > 0)
            units[i] = md->lines[i].qty;
        seen += units[i];
    }
    int64_t get = fixture_int(a, "get", 0), sets = seen / (fixture_int(a, "buy", 0) + get), most = fixture_int(a, "max_sets", INT64_MAX);
    for (int64_t due = (sets < most ? sets : most) * get; due > 0; due--) {
        size_t best = md->count;
        for (size_t i = 0; i < md->count; i++)
            if (rewarded[i] < units[i] &&
                (best == md->count || (wide)md->lines[i].cost * md->lines[best].qty < (wide)md->lines[best].cost * md->lines[i].qty))
                best = i;
        rewarded[best]++;
    }
    for (size_t i = 0; i < md->count; i++)
        if (rewarded[i])
            off[i] = half_away((wide)md->lines[i].cost * rewarded[i] * ppm_of(a), (wide)md->lines[i].qty * 1000000);
    take(md, off);
}

static void model_grant(struct model *md, const struct json_value *campaign)
{
    if (md->shipping - md->shipping_off == 0)
        return;
    md->shipping_off = md->shipping;
    md->granted[md->granted_count++] = campaign;
}

static int64_t model_cost(const struct model *md)
{
    int64_t sum = 0;
    for (size_t i = 0; i < md->count; i++)
        sum += md->lines[i].cost;
    return sum;
}

static void model_action(struct model *md, const struct json_value *campaign, const struct json_value *action)
{
    const struct json_value *a = action->first, *sel = json_get(a, "on");
    if (!sel)
        sel = json_get(campaign, "scope");
    if (slice_is(a->key, "percent_off"))
        model_percent(md, sel, a);
    else if (slice_is(a->key, "amount_off"))
        model_amount(md, sel, a);
    else if (slice_is(a->key, "buy_get"))
        model_buy_get(md, sel, a);
    else if (md->rated)
        model_grant(md, campaign);
    else
        md->wishes[md->wish_count++] = campaign;
}

static void model_campaign(struct model *md, const struct json_value *campaign)
{
    const struct json_value *scope = json_get(campaign, "scope"), *give = json_get(campaign, "give");
    size_t lines = 0;
    for (size_t i = 0; i < md->count; i++)
        lines += !md->lines[i].closed && selects(scope, md->lines[i].spec);
    if (lines == 0 || !holds(md, scope, json_get(campaign, "when")))
        return;
    if (give->type == JSON_OBJECT)
        model_action(md, campaign, give);
    else
        for (const struct json_value *m = give->first; m; m = m->next)
            model_action(md, campaign, m);
}

static int own_stage(const struct json_value *action)
{
    struct slice key = action->first->key;
    return slice_is(key, "free_shipping") ? 2 : slice_is(key, "amount_off") ? 1 : 0;
}

static int stage_of(const struct json_value *campaign)
{
    struct slice stage = fixture_text(campaign, "stage");
    if (json_get(campaign, "gate"))
        return -1;
    const struct json_value *give = json_get(campaign, "give");
    if (stage.len)
        return slice_is(stage, "item") ? 0 : slice_is(stage, "order") ? 1 : 2;
    if (give->type == JSON_OBJECT)
        return own_stage(give);
    int least = 2;
    for (const struct json_value *m = give->first; m; m = m->next)
        if (own_stage(m) < least)
            least = own_stage(m);
    return least;
}

static bool goes_before(const struct json_value *a, const struct json_value *b)
{
    if (stage_of(a) != stage_of(b))
        return stage_of(a) < stage_of(b);
    if (fixture_int(a, "priority", 0) != fixture_int(b, "priority", 0))
        return fixture_int(a, "priority", 0) > fixture_int(b, "priority", 0);
    return slice_cmp(fixture_text(a, "id"), fixture_text(b, "id")) < 0;
}

/* One option: "0.00" from 80.00, else "8.00" up to 5000 g, else "20.00". */
#define MODEL_SHIPPING                                                                                                                     \
    "[{'id': 'post', 'rates': [{'over': '80.00', 'price': '0.00'}, {'up_to_g': 5000, 'price': '8.00'}, {'price': '20.00'}]}]"

static void model_rate(struct model *md)
{
    int64_t grams = 0;
    size_t sent = 0;
    for (size_t i = 0; i < md->count; i++) {
        if (md->lines[i].closed)
            continue;
        sent++;
        grams += fixture_int(md->lines[i].spec, "g", 0) * md->lines[i].qty;
    }
    if (sent && fixture_text(md->cart, "option").len)
        md->shipping = model_cost(md) >= 8000 ? 0 : grams <= 5000 ? 800 : 2000;
    md->rated = true;
    for (size_t i = 0; i < md->wish_count; i++)
        model_grant(md, md->wishes[i]);
}

/* Every gate is asked about the cart as it came in, the first of those that refuse speaks, and then lines go. */
static void model_gates(struct model *md, const struct json_value *const *gates, size_t n)
{
    bool closed[MAX_CAMPAIGNS][MAX_LINES] = { { false } };
    for (size_t k = 0; k < n; k++) {
        const struct json_value *scope = json_get(gates[k], "scope");
        size_t lines = 0;
        for (size_t i = 0; i < md->count; i++)
            lines += selects(scope, md->lines[i].spec);
        if (lines == 0 || holds(md, scope, json_get(gates[k], "when")))
            continue;
        if (!slice_is(fixture_text(gates[k], "effect"), "hide") && (!md->refused_by || goes_before(gates[k], md->refused_by)))
            md->refused_by = gates[k];
        for (size_t i = 0; i < md->count; i++)
            closed[k][i] = selects(scope, md->lines[i].spec);
    }
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < md->count; i++)
            if (closed[k][i]) {
                md->lines[i].closed = true;
                md->lines[i].cost = md->lines[i].subtotal = 0;
            }
}

static void model_price(struct model *md, const struct json_value *campaigns, const struct json_value *cart)
{
    const struct json_value *left[MAX_CAMPAIGNS], *gates[MAX_CAMPAIGNS];
    size_t n = 0, gate_count = 0;
    md->cart = cart;
    for (const struct json_value *l = json_get(cart, "lines")->first; l; l = l->next) {
        int64_t qty = fixture_int(l, "qty", 1), subtotal = qty * fixture_int(l, "price", 0);
        md->lines[md->count++] = (struct model_line){ l, qty, subtotal, subtotal, false };
    }
    for (const struct json_value *c = campaigns->first; c; c = c->next) {
        if (json_get(c, "gate"))
            gates[gate_count++] = c;
        else
            left[n++] = c;
    }
    model_gates(md, gates, gate_count);
    if (md->refused_by)
        return;
    while (n > 0) {
        size_t next = 0;
        for (size_t i = 1; i < n; i++)
            if (goes_before(left[i], left[next]))
                next = i;
        if (stage_of(left[next]) == 2 && !md->rated)
            model_rate(md);
        model_campaign(md, left[next]);
        left[next] = left[--n];
    }
    if (!md->rated)
        model_rate(md);
}

/* --- random rules and carts ---------------------------------------------------------------------------------------------- */

struct generator {
    uint64_t state;
    struct buf out;
};

static uint64_t draw(struct generator *g)
{
    uint64_t z = (g->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int64_t below(struct generator *g, int64_t n)
{
    return (int64_t)(draw(g) % (uint64_t)n);
}

static bool chance(struct generator *g, int percent)
{
    return below(g, 100) < percent;
}

static const char *pick(struct generator *g, const char *const *words, int64_t n)
{
    return words[below(g, n)];
}

static const char *const skus[] = { "A", "B", "C", "D", "E", "F" };
static const char *const categories[] = { "tea", "tea/green", "tea/black", "mugs", "mugs/big" };
static const char *const tags[] = { "new", "sale", "gift" };
static const char *const ranks[] = { "vip", "staff" };
static const char *const codes[] = { "WELCOME", "SUMMER", "ten" };

static void put(struct generator *g, const char *text)
{
    buf_add_str(&g->out, text);
}

static void put_names(struct generator *g, const char *const *words, int64_t n)
{
    put(g, "[");
    for (int64_t i = 0, count = 1 + below(g, 2); i < count; i++)
        buf_printf(&g->out, "%s'%s'", i ? "," : "", pick(g, words, n));
    put(g, "]");
}

static void put_money(struct generator *g, const char *key, int64_t most)
{
    int64_t v = 1 + (chance(g, 40) ? below(g, most / 100 + 1) * 100 : below(g, most));
    buf_printf(&g->out, "'%s':'%lld.%02lld'", key, (long long)(v / 100), (long long)(v % 100));
}

static void put_selector(struct generator *g, int depth)
{
    int64_t kind = below(g, depth > 0 ? 7 : 4);
    if (kind == 0) {
        put(g, "{'sku':");
        put_names(g, skus, 6);
    } else if (kind == 1) {
        put(g, "{'category':");
        put_names(g, categories, 5);
    } else if (kind == 2) {
        put(g, "{'tag':");
        put_names(g, tags, 3);
    } else if (kind == 3) {
        put(g, "{'tag':");
        put_names(g, tags, 3);
        put(g, ",'category':");
        put_names(g, categories, 5);
    } else {
        put(g, kind == 4 ? "{'all':[" : kind == 5 ? "{'any':[" : "{'none':[");
        put_selector(g, depth - 1);
        put(g, ",");
        put_selector(g, depth - 1);
        put(g, "]");
    }
    put(g, "}");
}

static void put_optional_selector(struct generator *g, const char *key, int percent)
{
    if (!chance(g, percent))
        return;
    buf_printf(&g->out, ",'%s':", key);
    put_selector(g, 2);
}

static void put_condition(struct generator *g, int depth)
{
    int64_t kind = below(g, depth > 0 ? 9 : 6);
    if (kind == 5) {
        static const char *const bounds[] = { "at_least", "at_most", "below" };
        put(g, "{'fact':{'name':'club.level'");
        if (chance(g, 30))
            buf_printf(&g->out, ",'any_of':[%lld,%lld]}", (long long)below(g, 5), (long long)below(g, 5));
        else
            buf_printf(&g->out, ",'%s':%lld}", pick(g, bounds, 3), (long long)(1 + below(g, 4)));
    } else if (kind == 0) {
        put(g, "{'subtotal':{");
        put_money(g, chance(g, 80) ? "at_least" : "at_most", 20000);
        put_optional_selector(g, "of", 30);
        put(g, "}");
    } else if (kind == 1) {
        buf_printf(&g->out, "{'qty':{'%s':%lld", chance(g, 80) ? "at_least" : "at_most", (long long)below(g, 12));
        put_optional_selector(g, "of", 30);
        put(g, "}");
    } else if (kind == 2) {
        put(g, "{'customer_tag':");
        put_names(g, ranks, 2);
    } else if (kind == 3) {
        put(g, "{'coupon':");
        put_names(g, codes, 3);
    } else if (kind == 4) {
        put(g, "{'category':");
        put_names(g, categories, 5);
    } else {
        put(g, kind == 6 ? "{'all':[" : kind == 7 ? "{'any':[" : "{'none':[");
        put_condition(g, depth - 1);
        put(g, ",");
        put_condition(g, depth - 1);
        put(g, "]");
    }
    put(g, "}");
}

static void put_action(struct generator *g)
{
    int64_t kind = below(g, 8);
    if (kind < 3) {
        buf_printf(&g->out, "{'percent_off':{'percent':%lld%s", (long long)(1 + below(g, 99)), chance(g, 40) ? ".55" : "");
        if (chance(g, 40)) {
            put(g, ",");
            put_money(g, "cap", 3000);
        }
        if (chance(g, 30))
            put(g, chance(g, 50) ? ",'base':'list'" : ",'base':'remaining'");
    } else if (kind < 5) {
        put(g, "{'amount_off':{");
        put_money(g, "amount", 3000);
        if (chance(g, 40)) {
            buf_printf(&g->out, ",'every':'%lld.00'", (long long)(31 + below(g, 60)));
            if (chance(g, 50)) {
                put(g, ",");
                put_money(g, "cap", 6000);
            }
        }
    } else if (kind < 7) {
        buf_printf(&g->out, "{'buy_get':{'buy':%lld,'get':%lld", (long long)(1 + below(g, 3)), (long long)(1 + below(g, 2)));
        if (chance(g, 40))
            buf_printf(&g->out, ",'percent':%lld", (long long)(1 + below(g, 100)));
        if (chance(g, 30))
            buf_printf(&g->out, ",'max_sets':%lld", (long long)(1 + below(g, 3)));
    } else {
        put(g, "{'free_shipping':{}}");
        return;
    }
    put_optional_selector(g, "on", 25);
    put(g, "}}");
}

static void put_gate(struct generator *g, int64_t number)
{
    buf_printf(&g->out, "{'gate':true,'id':'c%lld','reason':'no','effect':'%s'", (long long)(number * 7 % 10),
               chance(g, 75) ? "hide" : "refuse");
    if (chance(g, 40))
        buf_printf(&g->out, ",'priority':%lld", (long long)(below(g, 5) - 2));
    put_optional_selector(g, "scope", 90);
    put(g, ",'when':");
    put_condition(g, 2);
    put(g, "}");
}

static void put_campaign(struct generator *g, int64_t number)
{
    if (chance(g, 12)) {
        put_gate(g, number);
        return;
    }
    buf_printf(&g->out, "{'id':'c%lld'", (long long)(number * 7 % 10));
    if (chance(g, 40))
        buf_printf(&g->out, ",'priority':%lld", (long long)(below(g, 5) - 2));
    if (chance(g, 20))
        put(g, chance(g, 50) ? ",'stage':'item'" : ",'stage':'order'");
    put_optional_selector(g, "scope", 60);
    if (chance(g, 50)) {
        put(g, ",'when':");
        put_condition(g, 2);
    }
    put(g, ",'give':");
    if (chance(g, 75)) {
        put_action(g);
    } else {
        put(g, "[");
        put_action(g);
        put(g, ",");
        put_action(g);
        put(g, "]");
    }
    put(g, "}");
}

static const char *random_campaigns(struct generator *g)
{
    buf_clear(&g->out);
    put(g, "[");
    for (int64_t i = 0, n = 1 + below(g, MAX_CAMPAIGNS); i < n; i++) {
        put(g, i ? "," : "");
        put_campaign(g, i);
    }
    buf_add(&g->out, "]", 2);
    return g->out.data;
}

static const char *random_cart(struct generator *g)
{
    buf_clear(&g->out);
    put(g, "{'lines':[");
    for (int64_t i = 0, n = 1 + below(g, MAX_LINES); i < n; i++) {
        int64_t price = chance(g, 5) ? 0 : chance(g, 30) ? 1 + below(g, 9) : chance(g, 50) ? 100 * (1 + below(g, 60)) : 1 + below(g, 9999);
        buf_printf(&g->out, "%s{'sku':'%s','price':%lld,'qty':%lld,'g':%lld", i ? "," : "", pick(g, skus, 6), (long long)price,
                   (long long)(1 + below(g, 6)), (long long)below(g, 900));
        if (chance(g, 80))
            buf_printf(&g->out, ",'category':'%s'", pick(g, categories, 5));
        if (chance(g, 50)) {
            put(g, ",'tags':");
            put_names(g, tags, 3);
        }
        put(g, "}");
    }
    put(g, "]");
    if (chance(g, 40)) {
        put(g, ",'customer_tags':");
        put_names(g, ranks, 2);
    }
    if (chance(g, 60))
        put(g, ",'customer':'cus_1'");
    if (chance(g, 50))
        buf_printf(&g->out, ",'facts':{'club.level':%lld}", (long long)below(g, 5));
    if (chance(g, 50))
        buf_printf(&g->out, ",'codes':['%s','%s']", chance(g, 50) ? "welcome" : "nothing", chance(g, 50) ? "Summer" : "TEN");
    if (chance(g, 60))
        put(g, ",'option':'post'");
    buf_add(&g->out, "}", 2);
    return g->out.data;
}

/* --- the two compared ------------------------------------------------------------------------------------------------------- */

static void sums_agree(const struct fixture *f)
{
    const struct quote_result *q = &f->result;
    int64_t total = 0, discount = 0, by_campaign = 0;
    for (size_t i = 0; i < q->cart->line_count; i++) {
        const struct quote_line *l = &q->cart->lines[i];
        int64_t sum = 0;
        for (const struct quote_discount *d = l->discounts; d; d = d->next) {
            assert_true(d->amount_minor > 0);
            sum += d->amount_minor;
        }
        assert_true(l->total_minor >= 0);
        assert_int_equal(sum, l->discount_minor);
        assert_int_equal(l->subtotal_minor - sum, l->total_minor);
        total += l->total_minor;
        discount += sum;
    }
    for (size_t i = 0; i < q->outcome_count; i++)
        by_campaign += q->outcomes[i].amount_minor;
    assert_int_equal(q->discount_minor, discount);
    assert_int_equal(by_campaign, discount + q->shipping_discount_minor);
    assert_int_equal(q->total_minor, total + q->shipping_minor - q->shipping_discount_minor);
}

static void priced_again_from_evidence(struct fixture *f, const char *answer)
{
    struct buf b;
    struct json_value *v;
    struct quote_cart cart;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    assert_int_equal(json_parse(buf_slice(&b), NULL, &f->run, &v, &f->err), 0);
    assert_int_equal(quote_evidence_read(f->symbols, v, &f->run, &cart, &f->err), 0);
    cart.explain_all = true; /* as the fixture's; it changes no amount, so it is no evidence */
    for (size_t i = 0; i < cart.line_count; i++)
        cart.lines[i].product.title = f->cart.lines[i].product.title;
    assert_int_equal(quote_price(f->rules, &cart, NULL, &f->run, &f->result, &f->err), 0);
    assert_string_equal(fixture_answer(f), answer);
    buf_release(&b);
}

/* false: the cart was refused. */
static bool compare(struct fixture *f, struct generator *g, uint64_t round)
{
    const char *policies = round % 4 == 1 ? "{'thresholds':'list'}" : round % 4 == 2 ? "{'percent_base':'list'}" : NULL;
    char *campaigns = arena_strdup(&f->arena, slice_str(random_campaigns(g)));
    if (fixture_build(f, campaigns, policies, MODEL_SHIPPING) < 0)
        fail_msg("%s: %s", f->err.text, campaigns);
    char *cart = arena_strdup(&f->arena, slice_str(random_cart(g)));
    int rc = fixture_try(f, cart);
    if (rc < 0 && !f->result.refused_by)
        fail_msg("%s: %s", f->err.text, cart);
    struct model md = { .list_thresholds = round % 4 == 1, .list_percent = round % 4 == 2 };
    model_price(&md, fixture_json(&f->arena, campaigns), fixture_json(&f->arena, cart));
    if (rc < 0 || md.refused_by) {
        struct slice by = rc < 0 ? quote_campaign_id(f->rules, f->result.refused_by->campaign) : slice_str("nobody");
        if (!md.refused_by || !slice_eq(by, fixture_text(md.refused_by, "id")))
            fail_msg("the kernel and the model differ about who refuses (%.*s):\n%s\n%s", SLICE_FMT(by), campaigns, cart);
        return false;
    }
    bool same = f->result.shipping_minor == md.shipping && f->result.shipping_discount_minor == md.shipping_off &&
                f->result.total_minor == model_cost(&md) + md.shipping - md.shipping_off;
    for (size_t i = 0; i < md.count; i++)
        same = same && f->cart.lines[i].total_minor == md.lines[i].cost && (f->cart.lines[i].closed != NULL) == md.lines[i].closed;
    if (!same)
        fail_msg("the kernel and the model differ:\n%s\n%s\n%s\nmodel: lines %lld, shipping %lld - %lld", campaigns, cart,
                 fixture_answer(f), (long long)model_cost(&md), (long long)md.shipping, (long long)md.shipping_off);
    sums_agree(f);
    if (round % 8 == 0)
        priced_again_from_evidence(f, fixture_answer(f));
    return true;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void the_kernel_and_a_slow_model_agree_on_random_carts(void **state)
{
    struct fixture *f = *state;
    struct generator g = { .state = setting("FEIRA_QUOTE_MODEL_SEED", 1) };
    uint64_t rounds = setting("FEIRA_QUOTE_MODEL_ROUNDS", 4000);
    int64_t discounted = 0, refused = 0, hidden = 0;
    buf_init(&g.out, NULL);
    for (uint64_t i = 0; i < rounds; i++) {
        bool priced = compare(f, &g, i);
        refused += !priced;
        discounted += priced && f->result.discount_minor > 0;
        for (size_t k = 0; priced && k < f->cart.line_count; k++)
            hidden += f->cart.lines[k].closed != NULL;
        arena_reset(&f->arena);
    }
    buf_release(&g.out);
    assert_true(discounted * 3 > (int64_t)rounds); /* else the carts and the campaigns hardly meet, and nothing was shown */
    assert_true(refused * 100 > (int64_t)rounds && hidden * 20 > (int64_t)rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(the_kernel_and_a_slow_model_agree_on_random_carts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
