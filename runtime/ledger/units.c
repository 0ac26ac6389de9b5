/* What all accounts of a unit come to, from their rows: a reader's quick look, where ledger_verify() does the books again. */
#include "ledger/ledger.h"
#include <inttypes.h>
#include <stdlib.h>

struct units {
    struct ledger_unit list[LEDGER_UNITS_MAX];
    size_t count;
};

static int unit_named(struct units *u, struct slice name, struct ledger_unit **out, struct err *err)
{
    for (size_t i = 0; i < u->count; i++) {
        *out = &u->list[i];
        if (slice_is(name, u->list[i].name))
            return 0;
    }
    if (u->count == LEDGER_UNITS_MAX || name.len >= sizeof u->list[0].name)
        return err_set(err, ERR_TOO_LARGE, "The ledger has more than %d units, or one with a long name; feira doctor adds them all up.",
                       LEDGER_UNITS_MAX);
    *out = &u->list[u->count++];
    memcpy((*out)->name, name.data, name.len);
    return 0;
}

static int add(int64_t *to, int64_t n, const char *unit, struct err *err)
{
    if (!__builtin_add_overflow(*to, n, to))
        return 0;
    return err_set(err, ERR_OVERFLOW, "All accounts in %s together have more than a number can say; feira doctor adds them up.", unit);
}

static int add_account(struct units *u, struct store_stmt *s, struct err *err)
{
    struct ledger_unit *unit = NULL;
    int rc = unit_named(u, store_column_text(s, 0), &unit, err);
    if (rc < 0)
        return rc;
    int64_t *const sums[] = { &unit->debits_posted, &unit->credits_posted, &unit->debits_pending, &unit->credits_pending };
    unit->accounts++;
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = add(sums[i], store_column_int(s, i + 1), unit->name, err);
    return rc;
}

int ledger_units(struct store_conn *c, void (*each)(void *ctx, const struct ledger_unit *unit), void *ctx, struct err *err)
{
    struct units *u = calloc(1, sizeof *u);
    struct store_stmt *s;
    if (!u)
        return err_set(err, ERR_NOMEM, "Out of memory; try again later.");
    int rc = store_prepare(
        c, "SELECT unit, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts NOT INDEXED", &s, err);
    while (rc == 0 && (rc = store_step(s, err)) > 0) {
        rc = add_account(u, s, err);
        if (rc < 0)
            store_reset(s);
    }
    for (size_t i = 0; rc == 0 && i < u->count; i++)
        each(ctx, &u->list[i]);
    free(u);
    return rc;
}
