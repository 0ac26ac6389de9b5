/* Holds that nobody ended in time: given back by the ledger itself. Only an open hold has a row in ledger_expiries, so that nothing is
 * asked of the millions that were posted. */
#include "ledger/ledger_int.h"
#include <stdio.h>
#include <stdlib.h>

struct due {
    int64_t hold, expires_ms;
    char id[LEDGER_ID_MAX + 1];
    size_t len;
};

static int find_due(struct ledger *l, int64_t now_ms, int limit, struct due *due, int *n, struct err *err)
{
    struct store_stmt *s = l->expiries_due;
    int rc;
    store_bind_int(s, 1, now_ms);
    store_bind_int(s, 2, limit);
    for (*n = 0; (rc = store_step(s, err)) > 0; (*n)++) {
        struct slice id = store_column_text(s, 1);
        due[*n].hold = store_column_int(s, 0);
        due[*n].expires_ms = store_column_int(s, 2);
        due[*n].len = id.len < LEDGER_ID_MAX ? id.len : LEDGER_ID_MAX;
        memcpy(due[*n].id, id.data, due[*n].len);
    }
    return rc;
}

static int give_back(struct ledger *l, const struct due *d, int64_t now_ms, struct err *err)
{
    char id[40];
    snprintf(id, sizeof id, "~expired/%lld", (long long)d->hold);
    struct ledger_op op = { .kind = LEDGER_VOID, .id = slice_str(id), .pending = slice_of(d->id, d->len) };
    int rc = ledger_apply(l, &op, 1, now_ms, NULL, err);
    if (rc != ERR_STATE)
        return rc;
    /* An earlier version of the program, which knows no expiries, has ended the hold. */
    store_bind_int(l->expiry_delete, 1, d->expires_ms);
    store_bind_int(l->expiry_delete, 2, d->hold);
    return store_run(l->expiry_delete, NULL, err);
}

int ledger_expire(struct ledger *l, int64_t now_ms, int limit, int *voided, struct err *err)
{
    *voided = 0;
    struct due *due = calloc((size_t)limit, sizeof *due); /* voiding changes the rows that are read */
    if (!due)
        return err_set(err, ERR_NOMEM, "Out of memory in the ledger; try again later.");
    int n = 0, rc = find_due(l, now_ms, limit, due, &n, err);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = give_back(l, &due[i], now_ms, err);
        *voided += rc == 0;
    }
    free(due);
    return rc;
}

int ledger_next_expiry(struct store_conn *c, int64_t *expires_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT expires_ms FROM ledger_expiries ORDER BY expires_ms LIMIT 1", &s, err);
    if (rc == 0)
        rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    *expires_ms = store_column_int(s, 0);
    store_reset(s);
    return 1;
}

int ledger_hold_read(struct store_conn *c, struct slice id, int64_t now_ms, struct ledger_hold *out, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT h.amount, e.expires_ms, r.kind, r.amount, r.id LIKE '~expired/%' FROM ledger_transfers h"
                           " LEFT JOIN ledger_transfers r ON r.pending = h.seq"
                           " LEFT JOIN ledger_expiries e ON e.hold = h.seq AND e.expires_ms = h.expires_ms"
                           " WHERE h.id = ?1 AND h.kind = 1",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, id);
    rc = store_step(s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_field(err, ERR_NOT_FOUND, "pending", "There is no hold %.*s in the ledger.", SLICE_FMT(id));
    *out = (struct ledger_hold){ .amount = store_column_int(s, 0), .expires_ms = store_column_int(s, 1) };
    bool over = store_column_type(s, 2) != STORE_NULL, posted = over && store_column_int(s, 2) == LEDGER_POST;
    bool expired = over ? store_column_int(s, 4) != 0 : out->expires_ms && now_ms >= out->expires_ms;
    out->posted = posted ? store_column_int(s, 3) : 0;
    out->standing = posted ? LEDGER_POSTED : expired ? LEDGER_EXPIRED : over ? LEDGER_VOIDED : LEDGER_OPEN;
    store_reset(s);
    return 0;
}
