/* What shipping rules add to the options of the table. */
#include "base/utf8.h"
#include "quote/run_int.h"

enum { ID_MAX = 64, TITLE_MAX = 200 };

static struct slice owner_of(const struct quote_rule *rule)
{
    const char *dot = strchr(rule->name, '.');
    return dot ? slice_of(rule->name, (size_t)(dot - rule->name)) : slice_str(rule->name);
}

static bool is_of(struct slice option, struct slice owner)
{
    return option.len > owner.len + 1 && option.data[owner.len] == '.' && memcmp(option.data, owner.data, owner.len) == 0;
}

static bool in_table(const struct quote_rules *r, struct slice id)
{
    for (uint32_t i = 0; i < r->shipping_count; i++)
        if (slice_eq(r->shipping[i].id, id))
            return true;
    return false;
}

static int grow(struct quote_eval *e, struct offers *o, struct err *err)
{
    if (o->count < o->cap)
        return 0;
    size_t cap = o->cap ? 2 * o->cap : 8;
    struct quote_shipping_choice *list = arena_array(e->arena, cap, sizeof *list);
    if (!list)
        return eval_nomem(e, err);
    if (o->count)
        memcpy(list, o->list, o->count * sizeof *list);
    o->list = list;
    o->cap = cap;
    return 0;
}

int64_t quote_eval_weight_g(const struct quote_eval *e)
{
    int64_t sum;
    return cart_weight(e->cart, &sum, NULL) < 0 ? INT64_MAX : sum;
}

static bool is_utf8(struct slice text)
{
    const char *p = text.data, *end = p + text.len;
    while (p < end) {
        size_t n = utf8_at(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

static int text_check(struct slice text, const char *what, size_t max, struct err *err)
{
    if (text.len == 0 || text.len > max || !is_utf8(text))
        return err_field(err, ERR_INVALID, what, "the %s of a shipping option is text of 1 to %zu bytes", what, max);
    return 0;
}

int quote_eval_offer(struct quote_eval *e, struct slice id, struct slice title, int64_t amount_minor, struct err *err)
{
    struct offers *o = e->offers;
    if (!o)
        return err_set(err, ERR_STATE, "shipping options are offered by shipping rules only");
    int rc = text_check(id, "id", ID_MAX, err);
    if (rc == 0)
        rc = text_check(title, "title", TITLE_MAX, err);
    if (rc < 0)
        return rc;
    if (amount_minor < 0)
        return err_field(err, ERR_INVALID, "price", "a price can't be negative (%lld)", (long long)amount_minor);
    if (o->count - o->first >= QUOTE_OFFERS_MAX)
        return err_set(err, ERR_INVALID, "a rule offers at most %d shipping options", QUOTE_OFFERS_MAX);
    struct slice owner = owner_of(o->rule);
    struct slice whole = arena_printf(e->arena, "%.*s.%.*s", SLICE_FMT(owner), SLICE_FMT(id));
    title = arena_copy(e->arena, title);
    if (!whole.data || !title.data)
        return eval_nomem(e, err);
    bool twice = in_table(e->rules, whole);
    for (size_t i = 0; i < o->count; i++)
        twice |= slice_eq(o->list[i].id, whole);
    if (twice)
        return err_field(err, ERR_INVALID, "id", "there is a shipping option \"%.*s\" already; give each its own id", SLICE_FMT(whole));
    rc = grow(e, o, err);
    if (rc == 0)
        o->list[o->count++] = (struct quote_shipping_choice){ whole, title, amount_minor };
    return rc;
}

static void reset(struct quote_eval *e)
{
    e->offers->count = e->offers->first;
}

int offers_collect(struct quote_eval *e, struct slice chosen, struct offers *out, struct err *err)
{
    const struct quote_rule_list *rules = &e->rules->shipping_rates;
    const struct rule_ask ask = { "shipping rule", e->hooks ? e->hooks->shipping_rates : NULL, reset };
    bool skipped;
    int rc = 0;
    struct err own;
    *out = (struct offers){ 0 };
    e->campaign = NULL;
    e->offers = out;
    for (size_t i = 0; i < rules->count && rc == 0; i++) {
        if (chosen.len && !is_of(chosen, owner_of(&rules->items[i])))
            continue;
        out->rule = &rules->items[i];
        out->first = out->count;
        rc = rule_ask(e, out->rule, &ask, &skipped, err ? err : &own);
    }
    e->offers = NULL;
    return rc;
}
