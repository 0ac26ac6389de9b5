/* `stop`: after a campaign that took something off, nothing later touches its lines, or anything at all. Conditions still see them. */
#include "quote/run_int.h"

/* Free shipping takes nothing off a cart that has no shipping. Who gives something has done something. */
static bool takes_off(const struct quote_eval *e)
{
    bool any = false;
    for (const struct effect *f = e->effects; f && !any; f = f->before)
        any = f->line != EFFECT_SHIPPING || e->cart->shipping_option.len > 0;
    return any;
}

void settle_after(struct quote_eval *e)
{
    if (e->campaign->stop == STOP_NOT || !takes_off(e))
        return;
    e->any_settled = true;
    if (e->campaign->stop == STOP_ORDER)
        e->settled_all = e->campaign_number + 1;
    for (const struct effect *f = e->effects; f; f = f->before)
        if (on_line(f))
            e->settled[f->line] = e->campaign_number + 1;
}

void settle_undo(struct quote_eval *e, const struct effect *effects)
{
    for (const struct effect *f = effects; f; f = f->before) {
        uint32_t by = f->discount.campaign + 1;
        if (e->settled_all == by)
            e->settled_all = 0;
        if (on_line(f) && e->settled[f->line] == by)
            e->settled[f->line] = 0;
    }
}

struct quote_set settle_filter(const struct quote_eval *e, struct quote_set set, uint32_t *lines)
{
    struct quote_set left = { lines, 0 };
    for (size_t i = 0; i < set.count; i++)
        if (!e->settled[set.lines[i]])
            lines[left.count++] = set.lines[i];
    return left;
}

void settle_why(struct quote_eval *e, uint32_t by)
{
    why_set(e, "lost");
    why_text(e, "to", e->rules->campaigns[by - 1].id);
    why_text(e, "by", slice_str("stop"));
}
