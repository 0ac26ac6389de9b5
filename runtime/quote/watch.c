/* What a merchant expects discounts to come to, of a campaign or of the shop: read and checked here, compared by the host with what was
 * sold. It changes no price. */
#include "quote/rules_int.h"

enum { ORDERS = 10, ORDERS_MAX = 1000000 };

typedef int (*value_reader)(const struct spec *s, const struct spec_node *n, int64_t *out);

static int money_above_nothing(const struct spec *s, const struct spec_node *n, int64_t *out)
{
    return spec_money(s, n, 1, out);
}

/* 30, or { alarm = 30, stop = 60 }: a value alone raises an alarm and stops nothing. */
static int bounds_compile(const struct spec *s, const struct spec_node *n, value_reader read, bool may_stop, struct quote_bounds *out)
{
    struct spec_node alarm = spec_member(n, "alarm"), stop = spec_member(n, "stop");
    if (!n->v || n->v->type != JSON_OBJECT)
        return read(s, n, &out->alarm);
    if (!alarm.v && !stop.v)
        return spec_error(s, n, "it has no bound; write alarm, stop or both");
    if (stop.v && !may_stop)
        return spec_error(s, &stop, "a shop is not stopped by its discounts; write alarm here, and stop in the watch of a campaign");
    int rc = alarm.v ? read(s, &alarm, &out->alarm) : 0;
    if (rc == 0 && stop.v)
        rc = read(s, &stop, &out->stop);
    if (rc == 0 && alarm.v && stop.v && out->stop < out->alarm)
        rc = spec_error(s, &stop, "the stop comes before the alarm; write a higher one");
    return rc;
}

static int share_compile(const struct spec *s, const struct spec_node *n, bool may_stop, struct quote_watch *out)
{
    static const char *const known[] = { "alarm", "stop", "orders", NULL };
    out->orders = ORDERS;
    if (n->v->type == JSON_OBJECT) {
        struct spec_node orders = spec_member(n, "orders");
        int rc = spec_object(s, n, known);
        if (rc == 0 && orders.v)
            rc = spec_int(s, &orders, 1, ORDERS_MAX, &out->orders);
        if (rc < 0)
            return rc;
    }
    return bounds_compile(s, n, spec_percent, may_stop, &out->share_ppm);
}

int watch_compile(struct spec *s, const struct spec_node *n, bool may_stop, const struct quote_watch **out)
{
    static const char *const known[] = { "discount_share", "per_hour", NULL }, *const bounds[] = { "alarm", "stop", NULL };
    *out = NULL;
    if (!n->v)
        return 0;
    int rc = spec_object(s, n, known);
    struct spec_node share = spec_member(n, "discount_share"), per_hour = spec_member(n, "per_hour");
    if (rc == 0 && !share.v && !per_hour.v)
        rc = spec_error(s, n, "it watches nothing; write discount_share, per_hour or both");
    struct quote_watch *w = rc == 0 ? spec_array(s, 1, sizeof *w) : NULL;
    if (!w)
        return rc < 0 ? rc : ERR_NOMEM;
    *out = w;
    if (share.v)
        rc = share_compile(s, &share, may_stop, w);
    if (rc == 0 && per_hour.v && per_hour.v->type == JSON_OBJECT)
        rc = spec_object(s, &per_hour, bounds);
    if (rc == 0 && per_hour.v)
        rc = bounds_compile(s, &per_hour, money_above_nothing, may_stop, &w->hour_minor);
    return rc;
}

const struct quote_watch *quote_campaign_watch(const struct quote_rules *r, uint32_t campaign)
{
    return campaign < r->count ? r->campaigns[campaign].watch : NULL;
}

const struct quote_watch *quote_rules_watch(const struct quote_rules *r)
{
    return r->watch;
}
