/* ledger/statement.h - what happened to an account, by time: the balance at any moment, and the entries between two. Read from any
 * connection, as of its snapshot; a procedure on the writer's sees its own transfers, too.
 *
 * An entry is what moved: a transfer, or a hold that was posted. Entries stand in order of the time they were made, then of their
 * making; a clock that was set back changes where they stand, never what they add up to. Holds are no entries. */
#pragma once
#include "base/arena.h"
#include "ledger/ledger.h"

struct ledger_period {
    int64_t from_ms, to_ms;      /* from <= t < to; INT64_MAX: no end */
    int64_t after_ms, after_seq; /* the page begins behind this entry; after_seq 0: at the first */
    size_t limit;                /* entries of the page; 0: only what they come to */
};

struct ledger_entry {
    int64_t seq, at_ms;
    enum ledger_kind kind;
    int64_t amount;                   /* above zero: it came in */
    int64_t balance;                  /* after it */
    struct slice id, reference, hold; /* reference may be empty; hold: of a post, else empty */
    struct slice other;               /* the account on the other side */
};

struct ledger_statement {
    struct slice account, unit;
    struct ledger_balance now;    /* as the account is at the moment of reading */
    int64_t opening, closing;     /* posted credits less debits, at from_ms and at to_ms */
    int64_t debits, credits;      /* of the whole period, not of the page */
    struct ledger_entry *entries; /* of the page, in the arena */
    size_t count;
    bool more;
};

/* ERR_NOT_FOUND when there is no such account; ERR_INVALID, with the field, for a period that ends before it begins. Costs what the page
 * costs and what is in one hour: see ledger_sum_hours(). */
int ledger_statement(struct store_conn *c, struct slice account, const struct ledger_period *p, struct arena *a,
                     struct ledger_statement *out, struct err *err);

/* Adds up to `rows` transfers that are not yet in the sums by hours to them; *left: how many are not after that. For the writer, as a
 * command of its own, while *left stays small: a statement reads what is not summed one by one. */
int ledger_sum_hours(struct store_conn *c, int64_t rows, int64_t *left, struct err *err);
int ledger_not_summed(struct store_conn *c, int64_t *rows, struct err *err); /* any connection */
