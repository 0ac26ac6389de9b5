/* host/care/discounts.h - what discounts came to, of each campaign that is watched and of the shop, over the last hour of orders placed;
 * compared with what the merchant expects (quote_watch). Orders count, for they cost money, when their commit is on disk. In memory: after
 * a restart the hour begins again. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/money.h"
#include "base/slice.h"

struct shop;
struct bind_quote;
struct discounts;

struct discounts *discounts_new(void); /* NULL when out of memory */
void discounts_free(struct discounts *d);

/* An order was placed. Beyond an alarm: a line in the log, once, until it is below again; beyond a stop: the campaign is stopped as by
 * hand. The writer's thread. */
void discounts_note(struct shop *s, const struct bind_quote *quote);
/* Its hour begins again: somebody resumed it. */
void discounts_forget(struct discounts *d, struct slice campaign);
/* The alarms that hold now, a JSON array; and for /metrics. Any thread. */
void discounts_write(struct shop *s, struct currency c, struct json_writer *w);
struct discounts_figures {
    int64_t base_minor, off_minor, orders; /* of the shop, within the hour */
};
struct discounts_figures discounts_figures(struct shop *s);
