/* ledger/ledger_int.h - shared between the files of ledger/ only: the accounts in memory and how their changes are undone. */
#pragma once
#include "ledger/ledger.h"
#include "base/map.h"

enum { LEDGER_CACHE_MAX = 131072, LEDGER_NAME_MAX = 255, LEDGER_UNIT_MAX = 32, LEDGER_ID_MAX = 96, LEDGER_WATCHERS_MAX = 4 };
#define LEDGER_FLAGS_ALL ((unsigned)(LEDGER_NO_OVERDRAFT | LEDGER_CLOSED | LEDGER_FROZEN | LEDGER_PUBLISHED))

struct account {
    int64_t id;
    struct slice name, unit; /* behind the struct, in the same allocation; a name that was given later is own_name */
    char *own_name;          /* NULL = it has its first name */
    struct ledger_balance balance;
    bool dirty;           /* differs from its row; then the undo log has an entry for it */
    bool used;            /* since the eviction hand came by */
    uint64_t saved_epoch; /* the undo log has its state as of the mark that began this epoch */
    uint64_t flush_stamp;
    struct account *next; /* in its bucket */
};

struct undo {
    struct account *account;
    struct ledger_balance balance;
    bool dirty, created;
    bool renamed; /* it was called `name` before, which own_name (may be NULL) holds */
    struct slice name;
    char *own_name;
};

struct mark {
    size_t undo;
    int64_t next_seq;
};

struct step {
    bool done_before;    /* the same id with the same content exists: nothing to do */
    int64_t seq;         /* of the row to write */
    int64_t pending_seq; /* POST, VOID: of the hold; else 0 */
    int64_t amount, held;
    int64_t expires_ms; /* POST, VOID: of the hold, when the ledger was to give it back; else 0 */
    struct account *debit, *credit;
};

struct ledger {
    struct store_conn *conn;

    struct account **buckets;
    size_t nbuckets, count, count_max, hand;
    struct map by_name;

    struct undo *undo;
    size_t undo_n, undo_cap;
    uint64_t epoch, flush_stamp;
    struct account **flush_list; /* what the commit wrote */
    size_t flush_cap, flush_n;
    struct {
        ledger_watch_fn fn;
        void *ctx;
    } watchers[LEDGER_WATCHERS_MAX];
    size_t watcher_count;

    int64_t next_seq; /* of the next transfer */
    int64_t committed_next_seq;
    struct mark savepoint;
    bool broken; /* rows of a failed set could not be taken back: this savepoint must not be kept */

    struct step *steps;
    size_t steps_cap;

    struct store_stmt *account_by_id, *account_by_name, *account_insert, *account_update;
    struct store_stmt *transfer_by_id, *transfer_insert, *transfer_delete_from, *resolution_of;
    struct store_stmt *expiry_insert, *expiry_delete, *expiry_of, *expiries_due;
};

/* Five columns from `first` on: flags, debits_posted, credits_posted, debits_pending, credits_pending. */
struct ledger_balance balance_of_row(struct store_stmt *s, int first);
int check_flags_of(unsigned flags, struct err *err);
int accounts_open(struct ledger *l, struct err *err);
void accounts_close(struct ledger *l);
int account_get(struct ledger *l, int64_t id, struct account **out, struct err *err);
int account_rename(struct ledger *l, struct account *a, struct slice name, struct err *err); /* in memory; undone with the rest */
int account_touch(struct ledger *l, struct account *a, struct err *err);                     /* before every change of a->balance */

struct mark undo_mark(struct ledger *l);
void undo_to(struct ledger *l, struct mark m);
