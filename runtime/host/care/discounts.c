#include "host/care/discounts.h"
#include "host/admin/act.h"
#include "base/log.h"
#include "base/zone.h"
#include "host/shop.h"
#include "host/care/stops.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 60, SLOT_MS = 60000, SENTENCE_MAX = 240, MONEY_TEXT = 32, MANY = 256 };

struct slot {
    int64_t number; /* which minute it holds */
    struct discounts_figures sum;
};

enum bound { SHARE, PER_HOUR, BOUNDS };

struct meter { /* of a campaign, or of the shop */
    struct slot slots[SLOTS];
    struct quote_watch watch;  /* as of its last order */
    int64_t raised_ms[BOUNDS]; /* since when it is beyond its alarm; 0 = it is not */
    bool stopping;             /* a stop is on its way, or there */
};

struct discounts {
    pthread_mutex_t lock;
    struct meter shop;
    struct map campaigns; /* id → struct meter; those that are watched and were sold */
};

struct discounts *discounts_new(void)
{
    struct discounts *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    pthread_mutex_init(&d->lock, NULL);
    map_init(&d->campaigns, NULL);
    return d;
}

void discounts_free(struct discounts *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->campaigns.count; i++)
        free(d->campaigns.entries[i].value);
    map_release(&d->campaigns);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* --- counting ------------------------------------------------------------------------------------------------------------------ */

static void grow(int64_t *sum, int64_t by)
{
    if (!money_add(*sum, by, sum))
        *sum = INT64_MAX; /* more than can be counted is beyond every bound */
}

static void add(struct meter *m, int64_t base_minor, int64_t off_minor, int64_t now_ms)
{
    int64_t number = now_ms / SLOT_MS + 1;
    struct slot *s = &m->slots[number % SLOTS];
    if (s->number != number)
        *s = (struct slot){ .number = number };
    grow(&s->sum.base_minor, base_minor);
    grow(&s->sum.off_minor, off_minor);
    s->sum.orders++;
}

static struct discounts_figures sum_of(const struct meter *m, int64_t now_ms)
{
    struct discounts_figures sum = { 0, 0, 0 };
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &m->slots[i];
        if (s->number == 0 || s->number <= now_ms / SLOT_MS + 1 - SLOTS)
            continue;
        grow(&sum.base_minor, s->sum.base_minor);
        grow(&sum.off_minor, s->sum.off_minor);
        sum.orders += s->sum.orders;
    }
    return sum;
}

static bool beyond(const struct meter *m, enum bound which, int64_t limit, const struct discounts_figures *sum)
{
    if (limit == 0)
        return false;
    if (which == PER_HOUR)
        return sum->off_minor > limit;
    return sum->orders >= m->watch.orders && (__int128)sum->off_minor * RATE_ONE_PPM > (__int128)sum->base_minor * limit;
}

static const struct quote_bounds *bounds_of(const struct meter *m, enum bound which)
{
    return which == SHARE ? &m->watch.share_ppm : &m->watch.hour_minor;
}

/* --- what is said ----------------------------------------------------------------------------------------------------------------- */

/* "180.00 of 294.12 off 23 orders within an hour, 61.2 %; expected at most 30 %" */
static void describe(char out[SENTENCE_MAX], enum bound which, int64_t limit, const struct discounts_figures *sum, struct currency c)
{
    char off[MONEY_TEXT], base[MONEY_TEXT], most[MONEY_TEXT];
    int64_t tenths = sum->base_minor > 0 ? (int64_t)((__int128)sum->off_minor * 1000 / sum->base_minor) : 0;
    money_format(sum->off_minor, c.exponent, off);
    money_format(sum->base_minor, c.exponent, base);
    if (which == PER_HOUR)
        money_format(limit, c.exponent, most);
    else
        snprintf(most, sizeof most, "%lld.%lld %%", (long long)(limit / 10000), (long long)(limit / 1000 % 10));
    snprintf(out, SENTENCE_MAX, "%s %s off %lld orders of %s %s within an hour, %lld.%lld %%; the bound is %s", off, c.code,
             (long long)sum->orders, base, c.code, (long long)(tenths / 10), (long long)(tenths % 10), most);
}

static struct currency currency_of(const struct bind_quote *q)
{
    return quote_rules_currency(q->rules);
}

/* --- stopping ---------------------------------------------------------------------------------------------------------------------- */

struct stopping {
    struct writer_command command;
    struct shop *shop;
    char campaign[80];
    char reason[SENTENCE_MAX + 32];
};

static int stop_run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct stopping *s = (struct stopping *)((char *)cmd - offsetof(struct stopping, command));
    struct slice campaign = slice_str(s->campaign);
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "reason");
    json_str(&w, s->reason);
    json_object_end(&w);
    s->shop->procedures.stops_changed = true;
    int rc =
        stops_insert(conn, STOP_CAMPAIGN, campaign, slice_str(s->reason), SLICE_LIT("feira"), clock_wall_ms(s->shop->options.clock), err);
    if (rc == 0)
        rc = b.failed ? err_set(err, ERR_NOMEM, "Out of memory.")
                      : act_note_by(s->shop, conn, "feira", "stopped", campaign, buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

static void stop_done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct stopping *s = (struct stopping *)((char *)cmd - offsetof(struct stopping, command));
    struct shop *shop = s->shop;
    if (rc == 0) {
        metric_add(&shop->metrics.discount_stops, 1);
        log_error(shop->options.log, "campaign.stopped",
                  "A campaign took off more than the merchant's bound, and is stopped. When that is as it should be: feira resume.",
                  LOG_STR("campaign", s->campaign), LOG_STR("why", s->reason));
    } else {
        log_error(shop->options.log, "campaign.not_stopped", err->text, LOG_STR("campaign", s->campaign), LOG_STR("why", s->reason));
        struct discounts *d = shop->discounts;
        pthread_mutex_lock(&d->lock);
        struct meter *m = map_get(&d->campaigns, slice_str(s->campaign));
        if (m)
            m->stopping = false; /* the next order tries again */
        pthread_mutex_unlock(&d->lock);
    }
    free(s);
}

static bool submit_stop(struct shop *shop, struct slice campaign, const char *why)
{
    struct stopping *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->shop = shop;
    s->command = (struct writer_command){ .run = stop_run, .done = stop_done };
    snprintf(s->campaign, sizeof s->campaign, "%.*s", SLICE_FMT(campaign));
    snprintf(s->reason, sizeof s->reason, "It took %s.", why);
    if (writer_submit(shop->writer, &s->command, NULL) == 0)
        return true;
    free(s);
    return false;
}

/* --- an order ------------------------------------------------------------------------------------------------------------------------ */

/* With the lock. name NULL: the shop. */
static void judge(struct shop *shop, struct meter *m, const struct slice *name, struct currency c, int64_t now)
{
    struct discounts_figures sum = sum_of(m, now);
    char text[SENTENCE_MAX];
    for (enum bound which = SHARE; which < BOUNDS; which++) {
        const struct quote_bounds *b = bounds_of(m, which);
        bool alarm = beyond(m, which, b->alarm, &sum), stop = name && beyond(m, which, b->stop, &sum);
        if (alarm && !m->raised_ms[which]) {
            describe(text, which, b->alarm, &sum, c);
            metric_add(&shop->metrics.discount_alarms, 1);
            log_warn(shop->options.log, "discounts.alarm",
                     name ? "A campaign takes off more than was expected. To end it: feira stop."
                          : "Discounts of the shop are more than was expected.",
                     LOG_SLICE("campaign", name ? *name : slice_str("")), LOG_STR("what", which == SHARE ? "discount_share" : "per_hour"),
                     LOG_STR("seen", text));
        }
        m->raised_ms[which] = alarm ? (m->raised_ms[which] ? m->raised_ms[which] : now) : 0;
        if (stop && !m->stopping) {
            describe(text, which, b->stop, &sum, c);
            m->stopping = submit_stop(shop, *name, text);
        }
    }
}

/* Campaigns come and go: those without an order in the hour are forgotten once there are many. */
static void forget_idle(struct discounts *d, int64_t now)
{
    for (size_t i = d->campaigns.count; i-- > 0;) {
        struct meter *m = d->campaigns.entries[i].value;
        if (sum_of(m, now).orders == 0)
            free(map_remove(&d->campaigns, d->campaigns.entries[i].key));
    }
}

/* With the lock. NULL when memory is short: the next order tries again. */
static struct meter *meter_of(struct discounts *d, struct slice id, int64_t now)
{
    struct meter *m = map_get(&d->campaigns, id);
    if (m)
        return m;
    if (d->campaigns.count >= MANY)
        forget_idle(d, now);
    if (!(m = calloc(1, sizeof *m)))
        return NULL;
    if (map_set(&d->campaigns, id, m))
        return m;
    free(m);
    return NULL;
}

void discounts_note(struct shop *s, const struct bind_quote *quote)
{
    const struct quote_result *r = quote->result;
    struct discounts *d = s->discounts;
    if (r->cart->no_campaigns)
        return; /* prices that were made elsewhere */
    int64_t now = clock_wall_ms(s->options.clock), base = r->subtotal_minor, off = r->discount_minor;
    grow(&base, r->shipping_minor);
    grow(&off, r->shipping_discount_minor);
    const struct quote_watch *of_shop = quote_rules_watch(quote->rules);
    pthread_mutex_lock(&d->lock);
    add(&d->shop, base, off, now);
    d->shop.watch = of_shop ? *of_shop : (struct quote_watch){ .orders = 0 };
    judge(s, &d->shop, NULL, currency_of(quote), now);
    for (size_t i = 0; i < r->outcome_count; i++) {
        const struct quote_outcome *o = &r->outcomes[i];
        const struct quote_watch *watch = o->applied ? quote_campaign_watch(quote->rules, o->campaign) : NULL;
        struct slice id = quote_campaign_id(quote->rules, o->campaign);
        struct meter *m = watch ? meter_of(d, id, now) : NULL;
        if (!m)
            continue;
        m->watch = *watch;
        add(m, base, o->amount_minor, now);
        judge(s, m, &id, currency_of(quote), now);
    }
    pthread_mutex_unlock(&d->lock);
}

void discounts_forget(struct discounts *d, struct slice campaign)
{
    pthread_mutex_lock(&d->lock);
    free(map_remove(&d->campaigns, campaign));
    pthread_mutex_unlock(&d->lock);
}

/* --- for people ------------------------------------------------------------------------------------------------------------------------
 */

static void write_alarms(const struct meter *m, struct slice name, struct currency c, int64_t now, struct json_writer *w)
{
    struct discounts_figures sum = sum_of(m, now);
    for (enum bound which = SHARE; which < BOUNDS; which++) {
        char text[SENTENCE_MAX], at[TIMESTAMP_MAX];
        int64_t limit = bounds_of(m, which)->alarm;
        if (!m->raised_ms[which] || !beyond(m, which, limit, &sum))
            continue;
        describe(text, which, limit, &sum, c);
        json_object(w);
        if (name.len) {
            json_key(w, "campaign");
            json_string(w, name);
        }
        json_key(w, "what");
        json_str(w, which == SHARE ? "discount_share" : "per_hour");
        json_key(w, "seen");
        json_str(w, text);
        json_key(w, "since");
        json_string(w, slice_of(at, timestamp_format(m->raised_ms[which], at)));
        json_object_end(w);
    }
}

void discounts_write(struct shop *s, struct currency c, struct json_writer *w)
{
    struct discounts *d = s->discounts;
    int64_t now = clock_wall_ms(s->options.clock);
    pthread_mutex_lock(&d->lock);
    json_array(w);
    write_alarms(&d->shop, slice_str(""), c, now, w);
    for (size_t i = 0; i < d->campaigns.count; i++)
        write_alarms(d->campaigns.entries[i].value, d->campaigns.entries[i].key, c, now, w);
    json_array_end(w);
    pthread_mutex_unlock(&d->lock);
}

struct discounts_figures discounts_figures(struct shop *s)
{
    pthread_mutex_lock(&s->discounts->lock);
    struct discounts_figures sum = sum_of(&s->discounts->shop, clock_wall_ms(s->options.clock));
    pthread_mutex_unlock(&s->discounts->lock);
    return sum;
}
