/* A gift: a line that the client did not send, at nought. It is outside of every threshold, of every set of lines and of what is weighed;
 * it becomes a line when all others have their prices. What there is of it is asked for when the campaign has its turn: who gives nothing
 * did nothing, and stands in nobody's way. */
#include "quote/run_int.h"
#include <stdio.h>

enum { SKU_BYTES_MAX = 64, EACH_MAX = 10000 };

static int sku_compile(struct spec *s, const struct spec_node *n, symbol *out)
{
    struct slice text;
    int rc = spec_text(s, n, SKU_BYTES_MAX, &text);
    if (rc < 0)
        return rc;
    *out = symbols_intern(s->symbols, text);
    return *out ? 0 : spec_nomem(s);
}

static int none_compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const choices[] = { "skip", "refuse", "substitute", NULL };
    struct spec_node when_none = spec_member(n, "when_none"), substitute = spec_member(n, "substitute");
    unsigned chosen = substitute.v ? 2 : 0;
    int rc = when_none.v ? spec_choice(s, &when_none, choices, &chosen) : 0;
    if (rc < 0)
        return rc;
    out->gift.refuse = chosen == 1;
    if (chosen == 2 && !substitute.v)
        return spec_error(s, &when_none, "names no substitute; write substitute = \"SKU\" beside it");
    if (chosen != 2 && substitute.v)
        return spec_error(s, &substitute, "is given with when_none = \"substitute\" only");
    if (substitute.v && (rc = sku_compile(s, &substitute, &out->gift.substitute)) < 0)
        return rc;
    if (substitute.v && out->gift.substitute == out->gift.sku)
        return spec_error(s, &substitute, "is the gift itself; name another SKU");
    return 0;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "sku", "qty", "every", "every_qty", "max_sets", "on", "when_none", "substitute", NULL };
    struct spec_node sku = spec_member(n, "sku"), qty = spec_member(n, "qty"), every = spec_member(n, "every");
    struct spec_node every_qty = spec_member(n, "every_qty"), max_sets = spec_member(n, "max_sets");
    int rc = spec_object(s, n, known);
    if (rc < 0 || (rc = sku_compile(s, &sku, &out->gift.sku)) < 0)
        return rc;
    out->gift.qty = 1;
    if (qty.v && (rc = spec_int(s, &qty, 1, EACH_MAX, &out->gift.qty)) < 0)
        return rc;
    if (every.v && (rc = spec_money(s, &every, 1, &out->gift.every_minor)) < 0)
        return rc;
    if (every_qty.v && (rc = spec_int(s, &every_qty, 1, QUOTE_QTY_MAX, &out->gift.every_qty)) < 0)
        return rc;
    if (max_sets.v && (rc = spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->gift.max_sets)) < 0)
        return rc;
    if (every.v && every_qty.v)
        return spec_error(s, &every_qty, "counts units, and every counts money; give one of them");
    if (max_sets.v && !every.v && !every_qty.v)
        return spec_error(s, &max_sets, "bounds what every or every_qty multiplies; give one of them, or leave it out");
    return (rc = none_compile(s, n, out)) < 0 ? rc : action_on(s, n, out);
}

/* --- what there is of it ---------------------------------------------------------------------------------------------------- */

bool gift_take(struct quote_eval *e, struct gift *g)
{
    int64_t qty = g->action->gift.qty, due = g->sets;
    for (size_t i = 0; i < 2; i++) {
        struct gift_part *p = &g->part[i];
        int64_t room = p->extra ? e->extra_room[p->extra - 1] : 0, sets = room / qty < due ? room / qty : due;
        p->units = sets * qty;
        due -= sets;
        if (p->units && room != INT64_MAX)
            e->extra_room[p->extra - 1] -= p->units;
    }
    return due < g->sets || g->action->gift.refuse;
}

void gift_give_back(struct quote_eval *e, const struct gift *g)
{
    for (size_t i = 0; i < 2; i++)
        if (g->part[i].units && e->extra_room[g->part[i].extra - 1] != INT64_MAX)
            e->extra_room[g->part[i].extra - 1] += g->part[i].units;
}

static void why_sold_out(struct quote_eval *e, symbol sku)
{
    why_set(e, "gift_sold_out");
    why_text(e, "sku", symbols_name(e->rules->symbols, sku));
}

static int give(struct quote_eval *e, const struct action *a, int64_t sets, struct err *err)
{
    struct gift *g = arena_zalloc(e->arena, sizeof *g);
    if (!g)
        return eval_nomem(e, err);
    g->campaign = e->campaign_number;
    g->action = a;
    g->sets = sets;
    int rc = extra_ask(e, a->gift.sku, &g->part[0].extra, err);
    if (rc == 0 && a->gift.substitute)
        rc = extra_ask(e, a->gift.substitute, &g->part[1].extra, err);
    if (rc < 0)
        return rc;
    if (!gift_take(e, g)) {
        why_sold_out(e, a->gift.sku);
        return 0;
    }
    rc = effect_add(e, EFFECT_GIFT, 0, 0, slice_str(""), err);
    if (rc < 0)
        gift_give_back(e, g);
    else
        e->effects->gift = g;
    return rc;
}

/* How often it is given; 0, and why. */
static int64_t sets_of(struct quote_eval *e, const struct action *a)
{
    bool money = a->gift.every_minor > 0;
    int64_t most = QUOTE_QTY_MAX / a->gift.qty, size = money ? a->gift.every_minor : a->gift.every_qty;
    if (size == 0)
        return 1;
    struct quote_set set = eval_target(e, a);
    int64_t seen = money ? eval_threshold(e, set) : quote_eval_qty(e, set), sets = seen / size;
    if (sets == 0) {
        why_set(e, money ? "subtotal_below" : "qty_below");
        (money ? why_money : why_int)(e, "needed", size);
        (money ? why_money : why_int)(e, "seen", seen);
    }
    if (a->gift.max_sets && a->gift.max_sets < most)
        most = a->gift.max_sets;
    return sets < most ? sets : most;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    int64_t sets = sets_of(e, a);
    return sets ? give(e, a, sets, err) : 0;
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    (void)e, (void)a, (void)set;
    return 0;
}

static bool steady(const struct action *a)
{
    (void)a;
    return true;
}

static bool measures(const struct action *a)
{
    return a->gift.every_minor > 0;
}

const struct action_type gift_type = { "gift", STAGE_ORDER, false, compile, apply, most, steady, measures };

/* --- lines ------------------------------------------------------------------------------------------------------------------- */

static int refuse(const struct quote_eval *e, const struct gift *g, struct err *err)
{
    const struct quote_campaign *c = &e->rules->campaigns[g->campaign];
    return err_reason(err, ERR_CONFLICT, "gift_sold_out",
                      "\"%.*s\" gives \"%.*s\", and there is not enough of it; without it this cart can't be ordered.", SLICE_FMT(c->title),
                      SLICE_FMT(symbols_name(e->rules->symbols, g->action->gift.sku)));
}

/* A campaign has one line of each SKU. */
static struct quote_line *line_of(struct quote_eval *e, const struct gift *g, const struct quote_product *p)
{
    struct quote_cart *cart = e->cart;
    for (size_t i = cart->line_count - cart->gift_count; i < cart->line_count; i++)
        if (cart->lines[i].origin == g->campaign + 1 && cart->lines[i].product.sku == p->sku)
            return &cart->lines[i];
    struct quote_line *l = &cart->lines[cart->line_count];
    *l = (struct quote_line){ .product = *p, .unit_price_minor = p->price_minor, .origin = g->campaign + 1, .gift = true };
    l->from = slice_str("");
    marks_of(p, &e->marks[cart->line_count]);
    cart->line_count++;
    cart->gift_count++;
    return l;
}

/* Its price, all of which is taken off. No higher one is shown beside it: the value of a gift is what it costs now. */
static int line_price(struct quote_eval *e, struct quote_line *l, uint32_t campaign, int64_t units, struct quote_result *out,
                      struct err *err)
{
    size_t i = (size_t)(l - e->cart->lines);
    int64_t before = l->subtotal_minor;
    struct quote_discount *d = arena_zalloc(e->arena, sizeof *d);
    if (!d)
        return eval_nomem(e, err);
    l->qty += units;
    int rc = line_begin(l, i, err);
    if (rc < 0)
        return rc;
    if (!money_add(out->subtotal_minor, l->subtotal_minor - before, &out->subtotal_minor))
        return err_field(err, ERR_OVERFLOW, "/lines", "the cart with its gifts costs more than can be counted; order less at once");
    l->compare_at_minor = 0;
    e->remaining[i] = 0;
    *d = (struct quote_discount){ .campaign = campaign, .amount_minor = l->subtotal_minor, .units = l->qty, .reason = slice_str("") };
    l->discounts = l->subtotal_minor ? d : NULL;
    struct quote_outcome *slot = slot_of(e, campaign);
    slot->amount_minor += l->subtotal_minor - before;
    slot->applied = true;
    slot->reason = NULL;
    slot->params = NULL;
    slot->at = (struct quote_place){ 0 };
    return 0;
}

static int part_grant(struct quote_eval *e, const struct gift *g, const struct gift_part *p, struct quote_result *out, struct err *err)
{
    struct quote_outcome *slot = slot_of(e, g->campaign);
    if (p->units == 0)
        return 0;
    const struct quote_product *product = &e->cart->extras[p->extra - 1].product;
    int64_t sets = limits_gift(e, g, p->units / g->action->gift.qty, product->price_minor);
    if (sets > 0)
        return line_price(e, line_of(e, g, product), g->campaign, sets * g->action->gift.qty, out, err);
    if (!slot->applied) {
        slot->reason = "limit_used_up";
        slot->params = NULL;
        slot->at = (struct quote_place){ 0 };
    }
    return 0;
}

int gifts_grant(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    size_t most_lines = 0;
    for (const struct gift *g = e->gifts; g; g = g->next) {
        if (g->action->gift.refuse && g->part[0].units / g->action->gift.qty < g->sets)
            return refuse(e, g, err);
        most_lines += 2;
    }
    int rc = most_lines ? lines_more(e, most_lines, err) : 0;
    for (const struct gift *g = e->gifts; g && rc == 0; g = g->next) {
        rc = part_grant(e, g, &g->part[0], out, err);
        if (rc == 0)
            rc = part_grant(e, g, &g->part[1], out, err);
    }
    return rc;
}
