#include "quote/run_int.h"

/* --- compiling ------------------------------------------------------------------------------------------------------- */

int window_compile(struct spec *s, const struct spec_node *n, struct window *out)
{
    static const char *const known[] = { "from", "to", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    *out = (struct window){ INT64_MIN, INT64_MAX };
    int64_t *ends[] = { &out->from_ms, &out->to_ms };
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        struct spec_node m = spec_member(n, known[i]);
        if (!m.v)
            continue;
        if ((rc = spec_time(s, &m, ends[i])) < 0)
            return rc;
        any = true;
    }
    if (!any)
        return spec_error(s, n, "has neither from nor to; give one, or leave the window out");
    if (out->from_ms >= out->to_ms)
        return spec_error(s, n, "ends before it starts, so it is never open; \"to\" must be later than \"from\"");
    return 0;
}

static int bounds_compile(struct spec *s, const struct spec_node *n, bool money, struct condition *out)
{
    static const char *const known_money[] = { "at_least", "at_most", "of", "tax", NULL }, *const taxes[] = { "as_priced", "with",
                                                                                                              "without", NULL };
    static const char *const known_units[] = { "at_least", "at_most", "of", "per", NULL }, *const pers[] = { "set", "line", NULL };
    const char *const *known = money ? known_money : known_units;
    int rc = spec_object(s, n, known);
    struct spec_node tax = spec_member(n, "tax"), per = spec_member(n, "per");
    unsigned chosen = 0;
    if (rc == 0 && money && tax.v)
        rc = spec_choice(s, &tax, taxes, &chosen);
    out->bounds.tax = chosen;
    chosen = 0;
    if (rc == 0 && !money && per.v)
        rc = spec_choice(s, &per, pers, &chosen);
    out->bounds.per_line = chosen == 1;
    if (rc < 0)
        return rc;
    out->bounds.at_least = INT64_MIN;
    out->bounds.at_most = INT64_MAX;
    out->bounds.of = NULL;
    int64_t *ends[] = { &out->bounds.at_least, &out->bounds.at_most };
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        struct spec_node m = spec_member(n, known[i]);
        if (!m.v)
            continue;
        rc = money ? spec_money(s, &m, 0, ends[i]) : spec_int(s, &m, 0, (int64_t)QUOTE_LINES_MAX * QUOTE_QTY_MAX, ends[i]);
        if (rc < 0)
            return rc;
        any = true;
    }
    if (!any)
        return spec_error(s, n, "has neither at_least nor at_most; give one");
    if (out->bounds.at_least > out->bounds.at_most)
        return spec_error(s, n, "can never hold: at_least is more than at_most");
    struct spec_node of = spec_member(n, "of");
    if (!of.v)
        return 0;
    struct selector *sel = spec_array(s, 1, sizeof *sel);
    if (!sel)
        return ERR_NOMEM;
    out->bounds.of = sel;
    return selector_compile(s, &of, sel);
}

static int children_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    struct condition *children;
    int rc = spec_list(s, n);
    if (rc == 0)
        rc = condition_list(s, n, &children, &out->child_count);
    if (rc == 0)
        out->children = children;
    return rc;
}

/* The keys of conditions, in the order in which several in one object are tried: the cheap ones first. */
static const struct {
    const char *key;
    enum condition_kind kind;
} kinds[] = {
    { "window", WHEN_WINDOW },
    { "weekday", WHEN_WEEKDAY },
    { "time_of_day", WHEN_TIME_OF_DAY },
    { "channel", WHEN_CHANNEL },
    { "region", WHEN_REGION },
    { "payment_method", WHEN_PAYMENT_METHOD },
    { "store", WHEN_STORE },
    { "customer_tag", WHEN_CUSTOMER_TAG },
    { "coupon", WHEN_COUPON },
    { "sku", WHEN_IN_CART },
    { "brand", WHEN_IN_CART },
    { "category", WHEN_IN_CART },
    { "tag", WHEN_IN_CART },
    { "attribute", WHEN_IN_CART },
    { "qty", WHEN_QTY },
    { "subtotal", WHEN_SUBTOTAL },
    { "all", WHEN_ALL },
    { "fact", WHEN_FACT },
    { "new_customer", WHEN_NEW_CUSTOMER },
    { "first_order", WHEN_FIRST_ORDER },
    { "nth_order", WHEN_NTH_ORDER },
    { "bought", WHEN_BOUGHT },
    { "any", WHEN_ANY },
    { "none", WHEN_NONE },
    { "fn", WHEN_FUNCTION },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int member_compile(struct spec *s, const struct spec_node *n, enum condition_kind kind, struct condition *out)
{
    int64_t fn;
    int rc;
    out->kind = kind;
    switch (kind) {
    case WHEN_IN_CART:
        return selector_member(s, n, &out->in_cart);
    case WHEN_SUBTOTAL:
    case WHEN_QTY:
        return bounds_compile(s, n, kind == WHEN_SUBTOTAL, out);
    case WHEN_WINDOW:
        return window_compile(s, n, &out->window);
    case WHEN_CUSTOMER_TAG:
    case WHEN_CHANNEL:
    case WHEN_REGION:
    case WHEN_PAYMENT_METHOD:
    case WHEN_STORE:
        return spec_names(s, n, &out->names);
    case WHEN_WEEKDAY:
        return weekdays_compile(s, n, &out->weekdays);
    case WHEN_TIME_OF_DAY:
        return day_compile(s, n, out);
    case WHEN_COUPON:
        return spec_codes(s, n, &out->names);
    case WHEN_FACT:
        return fact_compile(s, n, &out->fact);
    case WHEN_NEW_CUSTOMER:
        return new_customer_compile(s, n, out);
    case WHEN_FIRST_ORDER:
        return first_order_compile(s, n, out);
    case WHEN_NTH_ORDER:
        return nth_order_compile(s, n, out);
    case WHEN_BOUGHT:
        return bought_compile(s, n, out);
    case WHEN_FUNCTION:
        rc = spec_int(s, n, 0, INT32_MAX, &fn);
        s->functions = true;
        if (rc == 0)
            out->fn = (int)fn;
        return rc;
    case WHEN_ALL:
    case WHEN_ANY:
    case WHEN_NONE:
        break;
    }
    return children_compile(s, n, out);
}

static int condition_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    const char *known[KINDS + 1];
    for (size_t i = 0; i < KINDS; i++)
        known[i] = kinds[i].key;
    known[KINDS] = NULL;
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    if (n->v->count == 0)
        return spec_error(s, n, "is empty; name a condition, such as subtotal");
    struct condition *parts = n->v->count == 1 ? out : spec_array(s, n->v->count, sizeof *parts);
    if (!parts)
        return ERR_NOMEM;
    uint32_t count = 0;
    for (size_t i = 0; i < KINDS; i++) {
        struct spec_node m = spec_member(n, kinds[i].key);
        if (!m.v)
            continue;
        rc = member_compile(s, &m, kinds[i].kind, &parts[count++]);
        if (rc < 0)
            return rc;
    }
    if (count > 1)
        *out = (struct condition){ .kind = WHEN_ALL, .child_count = count, .joined = true, .children = parts };
    return 0;
}

int condition_list(struct spec *s, const struct spec_node *n, struct condition **out, uint32_t *count)
{
    bool list = n->v && n->v->type == JSON_ARRAY && n->v->count > 0;
    *count = list ? n->v->count : 1;
    *out = spec_array(s, *count, sizeof **out);
    if (!*out)
        return ERR_NOMEM;
    if (!list)
        return condition_compile(s, n, *out);
    size_t i = 0;
    for (const struct json_value *m = n->v->first; m; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i + 1);
        int rc = condition_compile(s, &e, &(*out)[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- evaluating ------------------------------------------------------------------------------------------------------ */

static const char *in_cart_key(const struct selector *sel)
{
    return sel->is_attribute ? "attribute" : sel->kind < SELECT_LEAVES ? selector_leaf_keys[sel->kind] : "";
}

bool window_holds(struct quote_eval *e, const struct window *w)
{
    int64_t now = e->cart->at_ms;
    if (now < w->from_ms) {
        why_set(e, "not_yet");
        why_time(e, "from", w->from_ms);
        return false;
    }
    if (now >= w->to_ms) {
        why_set(e, "over");
        why_time(e, "to", w->to_ms);
        return false;
    }
    return true;
}

static void why_wanted(struct quote_eval *e, const char *reason, const struct names *n)
{
    why_set(e, reason);
    if (n->count)
        why_text(e, "wanted", attribute_shown(symbols_name(e->rules->symbols, n->items[0])));
}

static bool in_cart(struct quote_eval *e, const struct selector *sel)
{
    if (selector_possible(sel, &e->cart_marks))
        for (size_t i = 0; i < e->every_count; i++)
            if (selector_match(sel, &e->cart->lines[e->every[i]].product, &e->marks[e->every[i]]))
                return true;
    if (sel->kind < SELECT_LEAVES)
        why_wanted(e, "not_in_cart", &sel->names);
    else
        why_set(e, "not_in_cart");
    return false;
}

/* Of a line: the one that has most. */
static int64_t units_seen(const struct quote_eval *e, struct quote_set set, bool per_line)
{
    int64_t most = 0;
    for (size_t i = 0; per_line && i < set.count; i++)
        most = e->cart->lines[set.lines[i]].qty > most ? e->cart->lines[set.lines[i]].qty : most;
    return per_line ? most : quote_eval_qty(e, set);
}

static bool within_bounds(struct quote_eval *e, const struct condition *c)
{
    bool money = c->kind == WHEN_SUBTOTAL;
    struct quote_set set = e->scope;
    if (c->bounds.of)
        set = eval_select(e, c->bounds.of, eval_every(e), e->target_lines);
    int64_t seen = !money          ? units_seen(e, set, c->bounds.per_line)
                   : c->bounds.tax ? tax_threshold(e, set, c->bounds.tax == SEEN_WITH_TAX)
                                   : eval_threshold(e, set);
    void (*param)(struct quote_eval *, const char *, int64_t) = money ? why_money : why_int;
    if (seen < c->bounds.at_least) {
        why_set(e, money ? "subtotal_below" : "qty_below");
        param(e, "needed", c->bounds.at_least);
        param(e, "seen", seen);
        return false;
    }
    if (seen > c->bounds.at_most) {
        why_set(e, money ? "subtotal_above" : "qty_above");
        param(e, "limit", c->bounds.at_most);
        param(e, "seen", seen);
        return false;
    }
    return true;
}

static bool customer_has_tag(struct quote_eval *e, const struct names *n)
{
    if (n->bloom & e->customer_bloom)
        for (size_t i = 0; i < e->cart->customer_tag_count; i++)
            if (names_have(n, e->cart->customer_tags[i]))
                return true;
    why_wanted(e, "customer_tag_missing", n);
    return false;
}

/* Takes one code: of those that would do, the first of the condition's names, so that the order of typing never matters. */
static bool code_typed(struct quote_eval *e, const struct names *n)
{
    if (!(n->bloom & e->codes_bloom)) {
        why_set(e, "code_missing");
        return false;
    }
    for (uint32_t k = 0; k < n->count; k++) {
        uint32_t bits = 0;
        for (size_t i = 0; i < e->cart->code_count; i++)
            if (e->codes[i] == n->items[k])
                bits |= (uint32_t)1 << i;
        if (bits) {
            e->codes_taken |= bits;
            return true;
        }
    }
    why_set(e, "code_missing");
    return false;
}

static bool one_of(struct quote_eval *e, const struct names *n, symbol seen, const char *reason)
{
    if (seen && names_have(n, seen))
        return true;
    why_wanted(e, reason, n);
    return false;
}

static int all_hold(struct quote_eval *e, const struct condition *c, bool *holds, struct err *err)
{
    *holds = true;
    for (uint32_t i = 0; i < c->child_count && *holds; i++) {
        int rc = condition_holds(e, &c->children[i], holds, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The first alternative's reason stands for all. A code that a failing alternative named is not taken. */
static int any_holds(struct quote_eval *e, const struct condition *c, bool *holds, struct err *err)
{
    struct why first = { 0 };
    uint32_t taken = e->codes_taken;
    *holds = false;
    for (uint32_t i = 0; i < c->child_count; i++) {
        int rc = condition_holds(e, &c->children[i], holds, err);
        if (rc < 0 || *holds)
            return rc;
        e->codes_taken = taken;
        if (i == 0)
            first = e->why;
    }
    e->why = first;
    return 0;
}

static int none_hold(struct quote_eval *e, const struct condition *c, bool *holds, struct err *err)
{
    uint32_t taken = e->codes_taken;
    bool any = false;
    int rc = 0;
    for (uint32_t i = 0; i < c->child_count && !any && rc == 0; i++)
        rc = condition_holds(e, &c->children[i], &any, err);
    e->codes_taken = taken; /* forbidding a code is not using it */
    *holds = !any;
    if (any) {
        why_set(e, "excluded");
    } else if (e->cart->customer.len == 0 && condition_asks_history(c)) {
        *holds = false; /* who nobody knows is not known to be none of those, either */
        why_set(e, "sign_in");
    }
    return rc;
}

int condition_holds(struct quote_eval *e, const struct condition *c, bool *holds, struct err *err)
{
    int rc = 0;
    e->condition = c; /* of a group: the one in it that was asked last */
    switch (c->kind) {
    case WHEN_IN_CART:
        *holds = in_cart(e, &c->in_cart);
        break;
    case WHEN_SUBTOTAL:
    case WHEN_QTY:
        *holds = within_bounds(e, c);
        break;
    case WHEN_WINDOW:
        *holds = window_holds(e, &c->window);
        break;
    case WHEN_CUSTOMER_TAG:
        *holds = customer_has_tag(e, &c->names);
        break;
    case WHEN_CHANNEL:
        *holds = one_of(e, &c->names, e->cart->channel, "channel_differs");
        break;
    case WHEN_REGION:
        *holds = one_of(e, &c->names, e->cart->region, "region_differs");
        break;
    case WHEN_PAYMENT_METHOD:
        *holds = one_of(e, &c->names, e->cart->payment_method, "payment_method_differs");
        break;
    case WHEN_STORE:
        *holds = one_of(e, &c->names, e->cart->store, "store_differs");
        break;
    case WHEN_WEEKDAY:
        *holds = weekday_holds(e, c->weekdays);
        break;
    case WHEN_TIME_OF_DAY:
        *holds = day_holds(e, c);
        break;
    case WHEN_COUPON:
        *holds = code_typed(e, &c->names);
        break;
    case WHEN_FACT:
        rc = fact_holds(e, c->fact, holds, err);
        break;
    case WHEN_NEW_CUSTOMER:
    case WHEN_FIRST_ORDER:
    case WHEN_NTH_ORDER:
    case WHEN_BOUGHT:
        *holds = history_holds(e, c);
        break;
    case WHEN_FUNCTION:
        *holds = false;
        rc = eval_call(e, c->fn, holds, err);
        if (rc == 0 && !*holds)
            why_set(e, "condition_false");
        break;
    case WHEN_ALL:
        rc = all_hold(e, c, holds, err);
        break;
    case WHEN_ANY:
        rc = any_holds(e, c, holds, err);
        break;
    case WHEN_NONE:
        rc = none_hold(e, c, holds, err);
        break;
    }
    return rc;
}

const char *condition_key(const struct condition *c)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].kind == c->kind && (c->kind != WHEN_IN_CART || strcmp(kinds[i].key, in_cart_key(&c->in_cart)) == 0))
            return kinds[i].key;
    return "";
}

bool condition_calls(const struct condition *c)
{
    bool calls = c->kind == WHEN_FUNCTION, has_children = c->kind == WHEN_ALL || c->kind == WHEN_ANY || c->kind == WHEN_NONE;
    for (uint32_t i = 0; has_children && i < c->child_count && !calls; i++)
        calls = condition_calls(&c->children[i]);
    return calls;
}
