/* What the shop has stopped: campaigns by their ids, and owners with all that they have. */
#include "quote/run_int.h"

enum quote_standing quote_standing_of(const struct quote_cart *cart, struct slice owner)
{
    enum quote_standing found = QUOTE_WORKS;
    for (size_t i = 0; i < cart->stopped_count && owner.len; i++) {
        struct slice s = cart->stopped[i];
        if (s.len < owner.len || memcmp(s.data, owner.data, owner.len) != 0)
            continue;
        struct slice rest = slice_of(s.data + owner.len, s.len - owner.len);
        if (rest.len == 0)
            return QUOTE_STOPPED;
        if (slice_is(rest, "/skip"))
            found = QUOTE_SPARED;
    }
    return found;
}

/* An owner's campaign that must not be left out has its turn, and refuses then; see stopped_turn(). */
void stopped_mark(struct quote_eval *e)
{
    uint32_t number;
    const struct quote_cart *cart = e->cart;
    for (size_t i = 0; i < cart->stopped_count; i++) {
        struct quote_outcome *slot = quote_campaign_find(e->rules, cart->stopped[i], &number) ? slot_of(e, number) : NULL;
        if (slot)
            slot->reason = "stopped";
        e->owners_stopped = e->owners_stopped || memchr(cart->stopped[i].data, '/', cart->stopped[i].len);
    }
    for (size_t i = 0; e->owners_stopped && i < e->active_count; i++) {
        const struct quote_campaign *c = &e->rules->campaigns[e->active[i]];
        if (c->owner.len && !c->refuse_on_failure && quote_standing_of(cart, c->owner) != QUOTE_WORKS)
            e->slots[i].reason = "stopped";
    }
}

int stopped_refuse(struct slice owner, struct err *err)
{
    return err_reason(err, ERR_BUSY, "plugin_stopped",
                      "The shop has stopped %.*s, and without it this cart can't be priced; try again later.", SLICE_FMT(owner));
}

/* Its functions do not run, so what they would have said is not known: it is needed when everything else that it asks for holds. A gate's
 * conditions say who may not buy, so a gate is needed where it stands. */
int stopped_turn(struct quote_eval *e, struct err *err)
{
    const struct quote_campaign *c = e->campaign;
    if (!e->owners_stopped || !c->owner.len || quote_standing_of(e->cart, c->owner) != QUOTE_STOPPED)
        return 0;
    if (!campaign_stands(e))
        return 1;
    for (uint32_t i = 0; i < c->when_count && c->stage != STAGE_GATE; i++) {
        bool holds = true;
        int rc = condition_calls(&c->when[i]) ? 0 : condition_holds(e, &c->when[i], &holds, err);
        if (rc < 0)
            return rc;
        if (!holds)
            return 1;
    }
    return stopped_refuse(c->owner, err);
}
