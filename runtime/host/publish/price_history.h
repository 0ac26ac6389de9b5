/* host/publish/price_history.h - what is known of the prices of the products that a campaign is about, for the checks of plugins: subject
 * .history.prices. A check says how many days matter to it, so lowest prices are given as steps back in time from the campaign's start:
 * each is lower than all between it and the start. What is before a moment is never changed by what comes after, so a verdict can be
 * repeated.
 *
 *   prices = { start, start_known, now, days, products = { { sku, price, compare_at?, known_since, offers = { { until, price } ... },
 *              deals = { { at, price, order } ... }, last_deal? = { at, price, order }, raises = { { at, from, to } ... } } ... },
 *              in_scope, left_out }
 *
 * Times are milliseconds UTC. start: of claims[1].from, of the campaign's window, or when it went live with its claims; never before that,
 * so that nobody backdates it. What is not live begins now, or later. start_known: false for what is live, claims nothing and has no
 * window. Products that have something to be asked about come first; left_out: how many of
 * those there was no room for, or that were not looked up. */
#pragma once
#include "base/json.h"
#include "host/api/catalogue.h"
#include "rulebook/rulebook.h"

struct store_conn;

struct price_history {
    struct store_conn *conn; /* a reader */
    struct catalogue_snapshot *catalogue;
    struct symbols *symbols;
    int64_t now_ms;
    size_t examined, looked; /* products that were held against scopes, and looked up, so far; from 0 */
};

/* On the writer, with what goes live: since when it claims something of prices. */
int price_history_keep(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err);

/* It names products of which somebody has to know the prices. */
bool price_history_matters(const struct json_value *spec);
/* spec: a campaign of g, or an announcement (then only the SKUs that its claims and gifts name). live: it was live before. Where there is
 * nothing to look up *out is NULL. */
int price_history_of(struct price_history *h, const struct generation *g, const struct json_value *spec, bool live, struct arena *arena,
                     struct json_value **out, struct err *err);
