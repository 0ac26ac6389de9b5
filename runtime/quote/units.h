/* quote/units.h - units of lines without making them: lines by what one unit still costs, as many of their units as are due. Inside quote/
 * only.
 *
 * What units of a line cost is exact together: units 0 .. qty cost what the line still costs, and any cut adds up. */
#pragma once
#include "quote/run_int.h"

/* By what one unit still costs, compared as fractions; of equals the earlier line. */
bool unit_cheaper(const struct quote_eval *e, uint32_t a, uint32_t b);
bool unit_dearer(const struct quote_eval *e, uint32_t a, uint32_t b);
/* The lines of the set that still cost something, sorted; in e->scratch.order. *units: how many units they have. */
uint32_t *units_sorted(struct quote_eval *e, struct quote_set set, bool (*before)(const struct quote_eval *, uint32_t, uint32_t),
                       size_t *count, int64_t *units);
/* Sorts lines of the cart. */
void units_sort(const struct quote_eval *e, uint32_t *lines, size_t count, bool (*before)(const struct quote_eval *, uint32_t, uint32_t));
/* What units from .. to - 1 of a line still cost. */
int64_t units_cost(const struct quote_eval *e, uint32_t line, int64_t from, int64_t to);
/* What a rate takes off so many units of a line, rounded once as the policy says. */
int64_t units_share(const struct quote_eval *e, uint32_t line, int64_t units, int64_t rate_ppm);

/* What an action takes off, kept until its last set is made: prices must not change under it. */
struct haul {
    struct quote_eval *e;
    int64_t *off, *units, *used; /* per line: amount, units it touches; used: units that are in a set */
};
int haul_begin(struct quote_eval *e, struct haul *h, struct err *err);
int haul_take(struct haul *h, struct err *err); /* as discounts */

struct part { /* of a set */
    uint32_t line;
    int64_t units;
};
/* `times` equal sets of these parts: they come to price_minor each from now on, or, where they cost less already, stay. Splits what goes
 * off by what the parts cost, and uses their units up. */
int haul_set_price(struct haul *h, const struct part *parts, size_t count, int64_t times, int64_t price_minor, struct err *err);
