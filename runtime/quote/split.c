/* An amount over lines, and what is left over when shares are rounded: policy `remainder`. Prices that may not go below a floor. */
#include "quote/run_int.h"

int64_t room_of(const struct quote_eval *e, struct quote_set set)
{
    int64_t sum = 0; /* at most what the cart costs */
    for (size_t i = 0; i < set.count; i++)
        sum += eval_room(e, set.lines[i]);
    return sum;
}

/* One minor unit more for each line, from the first on, until nothing is left; less, where too much was given. */
static void first_lines(const int64_t *weights, size_t n, int64_t left, int64_t *out)
{
    int64_t step = left > 0 ? 1 : -1;
    while (left != 0) {
        int64_t before = left;
        for (size_t i = 0; i < n && left != 0; i++) {
            if (weights[i] == 0 || (step < 0 && out[i] == 0))
                continue;
            out[i] += step;
            left -= step;
        }
        if (left == before)
            return;
    }
}

static int64_t sum_of(const int64_t *list, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += list[i];
    return sum;
}

/* The last line that costs anything takes the rest, as far as it goes. */
static void last_line(const int64_t *weights, size_t n, int64_t total, int64_t *out)
{
    size_t last = n;
    while (last > 0 && weights[last - 1] == 0)
        last--;
    if (last == 0)
        return;
    int64_t others = sum_of(out, last - 1);
    out[last - 1] = total > others ? total - others : 0;
    first_lines(weights, last - 1, total - others - out[last - 1], out);
}

/* Each share is what all up to it come to, rounded, less what those before it got: the error of one goes to the next. */
static bool carry(const int64_t *weights, size_t n, int64_t total, int64_t sum, enum rounding mode, int64_t *out)
{
    int64_t weight = 0, given = 0, due;
    for (size_t i = 0; i < n; i++) {
        weight += weights[i];
        if (!money_ratio(total, weight, sum, mode, &due))
            return false;
        out[i] = due > given ? due - given : 0;
        given += out[i];
    }
    return true;
}

static int shares(struct quote_eval *e, int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err)
{
    const struct policies *p = e->campaign->policies;
    int64_t sum = sum_of(weights, n);
    if (p->remainder == REMAINDER_LARGEST || sum == 0)
        return allocate(&e->scratch, total, weights, n, out, err);
    if (p->remainder == REMAINDER_CARRY)
        return carry(weights, n, total, sum, p->share_rounding, out)
                   ? 0
                   : err_set(err, ERR_OVERFLOW, "an amount can't be split; order less at once");
    for (size_t i = 0; i < n; i++)
        if (!money_ratio(total, weights[i], sum, p->share_rounding, &out[i]))
            return err_set(err, ERR_OVERFLOW, "an amount can't be split; order less at once");
    if (p->remainder == REMAINDER_LAST_LINE)
        last_line(weights, n, total, out);
    else
        first_lines(weights, n, total - sum_of(out, n), out);
    return 0;
}

/* Gives each line what it has room for, and returns what is left; those that are full leave the next round. */
static int64_t fill(struct quote_eval *e, struct quote_set set, const int64_t *round, int64_t *weights, int64_t total, bool *any)
{
    *any = false;
    for (size_t i = 0; i < set.count; i++) {
        int64_t room = eval_room(e, set.lines[i]) - e->shares[i], take = round[i] < room ? round[i] : room;
        e->shares[i] += take;
        total -= take;
        if (take == room)
            weights[i] = 0;
        *any = *any || weights[i] > 0;
    }
    return total;
}

static bool all_fit(const struct quote_eval *e, struct quote_set set)
{
    for (size_t i = 0; i < set.count; i++)
        if (e->shares[i] > eval_room(e, set.lines[i]))
            return false;
    return true;
}

int split(struct quote_eval *e, struct quote_set set, int64_t total, struct err *err)
{
    if (total == 0) { /* of lines that cost nothing, too */
        memset(e->shares, 0, set.count * sizeof *e->shares);
        return 0;
    }
    int rc = shares(e, total, e->weights, set.count, e->shares, err);
    if (rc < 0 || all_fit(e, set))
        return rc;
    int64_t *round = arena_array(e->arena, set.count, sizeof *round), *weights = arena_array(e->arena, set.count, sizeof *weights);
    if (!round || !weights)
        return eval_nomem(e, err);
    memcpy(weights, e->weights, set.count * sizeof *weights);
    memset(e->shares, 0, set.count * sizeof *e->shares);
    for (bool any = true; any && total > 0 && rc == 0;) {
        rc = shares(e, total, weights, set.count, round, err);
        if (rc == 0)
            total = fill(e, set, round, weights, total, &any);
    }
    return rc;
}

int floors_find(struct quote_eval *e, struct err *err)
{
    const struct policies *p = &e->rules->policies;
    if (p->floor_count == 0)
        return 0;
    e->floors = arena_array(e->arena, e->cart->line_count, sizeof *e->floors);
    if (!e->floors)
        return eval_nomem(e, err);
    for (size_t i = 0; i < e->cart->line_count; i++)
        for (uint32_t k = 0; k < p->floor_count; k++) {
            const struct quote_line *l = &e->cart->lines[i];
            if (!selector_match(&p->floors[k].scope, &l->product, &e->marks[i]))
                continue;
            if (!money_mul(p->floors[k].price_minor, l->qty, &e->floors[i]))
                e->floors[i] = INT64_MAX;
            break;
        }
    return 0;
}
