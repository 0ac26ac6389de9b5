/* ledger/ledger.h - everything that can run out or be owed is an account; every change is a transfer from one account
 * to another, so Σ debits = Σ credits per unit, always. Lives on the writer thread; balances of accounts in use are kept
 * in memory with an undo log per savepoint and written once per commit.
 *
 * An account's balance is credits minus debits. With LEDGER_NO_OVERDRAFT, posted balance minus what is held may not go
 * below zero: that is the one place where overselling is refused, whatever the race. */
#pragma once
#include "store/writer.h"

enum ledger_flags {
    LEDGER_NO_OVERDRAFT = 1, /* what is available (credits posted - debits posted - debits pending) stays >= 0 */
    LEDGER_CLOSED = 2,       /* refuses every transfer; a hold can still be voided */
    LEDGER_FROZEN = 4,       /* refuses debits */
    LEDGER_PUBLISHED = 8,    /* what is left is told to those who ask without the writer. An index finds them */
};

struct ledger;
int ledger_open(struct store *s, struct ledger **out, struct err *err); /* its tables are in the two below */
void ledger_close(struct ledger *l);
struct writer_hooks ledger_hooks(struct ledger *l);
const char *ledger_schema_sql(void);            /* CREATE TABLE ..., for the host's list of migrations */
const char *ledger_statements_schema_sql(void); /* a later one of them */

/* Finds or makes an account. name: "stock/TEA-250/main"; unit: "CNY", "pcs". An existing one with another unit is ERR_INVALID;
 * flags apply only when it is made, but for PUBLISHED, which an existing one takes, too. Ids are small integers, stable
 * for the life of the store. */
int ledger_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, int64_t *id, struct err *err);
int ledger_find(struct ledger *l, struct slice name, int64_t *id, struct err *err); /* ERR_NOT_FOUND when it was never made */
/* Refused with ERR_STATE: no overdrafts for an account below zero ("overdrawn"), closing one that has a balance or holds ("not_empty"). */
int ledger_set_flags(struct ledger *l, int64_t account, unsigned flags, struct err *err);
/* The same by somebody with a reason, both kept in ledger_flag_changes; nothing when it changes nothing. */
int ledger_change_flags(struct ledger *l, int64_t account, unsigned set, unsigned clear, struct slice reason, struct slice who,
                        int64_t now_ms, struct err *err);

/* `from` becomes `to` where it is a whole part of a name ("points/of/FROM"), in accounts and in ids and references of transfers; not in
 * those of stock and payments, nor in what begins with an id of an order. `to` is a name that nobody had. For when nobody may know any more
 * whose they are. *accounts: how many were renamed. Looks all of them through. */
int ledger_replace_name(struct ledger *l, struct slice from, struct slice to, int64_t *accounts, struct err *err);
bool ledger_name_has(struct slice name, struct slice part); /* whether it would be replaced there */

enum ledger_kind {                  /* numbers are stored: never change one */
                   LEDGER_TRANSFER, /* now */
                   LEDGER_HOLD,     /* pending: reserves on the debit side until posted, voided or expired */
                   LEDGER_POST, /* turns a hold (`pending`) into a transfer of `amount` (<= held; the rest is released); INT64_MAX = all */
                   LEDGER_VOID, /* releases a hold */
};

struct ledger_op {
    enum ledger_kind kind;
    struct slice id;        /* chosen by the maker, 1..96 bytes: doing it twice is doing it once */
    int64_t debit, credit;  /* accounts: the amount leaves `debit` and arrives at `credit`. POST, VOID: 0 */
    int64_t amount;         /* > 0 */
    struct slice pending;   /* POST, VOID: id of the hold */
    int64_t expires_ms;     /* HOLD: 0 = never. From then on it can't be posted, and ledger_expire() gives it back */
    struct slice reference; /* what it belongs to ("ord_..."), for statements; may be empty */
};

/* All or nothing: after a refusal nothing of the set remains, so the command may go on. Operations see those before them.
 * An id that was done before with the same content (times apart) counts as done; with other content it is ERR_MISMATCH.
 * Not enough: ERR_CONFLICT, reason "insufficient", err->field = the account's name, *failed = index of the op.
 * A hold that was already posted or voided, or is past its expiry: ERR_STATE, reason "hold_posted", "hold_voided", "hold_expired".
 * now_ms is stamped on the transfers. */
int ledger_apply(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err);

/* Voids up to `limit` holds whose expiry has come, the earliest first, as "~expired/N", which no plugin can choose; *voided: how many.
 * Whatever was due while nothing ran is given back by the first call. */
int ledger_expire(struct ledger *l, int64_t now_ms, int limit, int *voided, struct err *err);
int ledger_next_expiry(struct store_conn *c, int64_t *expires_ms, struct err *err); /* any connection; 1 = there is one, 0 = none */

enum ledger_standing { LEDGER_OPEN, LEDGER_POSTED, LEDGER_VOIDED, LEDGER_EXPIRED };
struct ledger_hold {
    enum ledger_standing standing;
    int64_t amount, posted; /* held; what of it was posted */
    int64_t expires_ms;     /* 0 = never */
};
/* Any connection. How the hold `id` stands at now_ms. ERR_NOT_FOUND. */
int ledger_hold_read(struct store_conn *c, struct slice id, int64_t now_ms, struct ledger_hold *out, struct err *err);

struct ledger_balance {
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
    unsigned flags;
};
static inline int64_t ledger_available(const struct ledger_balance *b)
{
    return b->credits_posted - b->debits_posted - b->debits_pending;
}
int ledger_balance(struct ledger *l, int64_t account, struct ledger_balance *out, struct err *err); /* writer thread */
/* From any connection, as of its snapshot: what a command has changed shows after its commit. ERR_NOT_FOUND. */
int ledger_balance_read(struct store_conn *c, struct slice name, struct ledger_balance *out, struct err *err);

/* From any connection: what all accounts of each unit come to; debits equal credits in every one. */
enum { LEDGER_UNITS_MAX = 1024 };
struct ledger_unit {
    char name[33];
    int64_t accounts, debits_posted, credits_posted, debits_pending, credits_pending;
};
int ledger_units(struct store_conn *c, void (*each)(void *ctx, const struct ledger_unit *unit), void *ctx, struct err *err);

/* Called after each commit for every account whose balance it changed, on the writer thread: what may be told to others from now on. A
 * few watchers; before the writer starts. */
typedef void (*ledger_watch_fn)(void *ctx, struct slice name, const struct ledger_balance *now);
void ledger_watch(struct ledger *l, ledger_watch_fn fn, void *ctx);
void ledger_unwatch(struct ledger *l, void *ctx);

/* The most accounts kept in memory between commits; the default is 131,072, some 30 MB. */
void ledger_cache_max(struct ledger *l, size_t accounts);

/* On the writer's connection in the middle of a transaction the rows lag behind the memory: verify between transactions, or on a reader.
 * Recomputes every balance from the transfers and compares, and Σ per unit. ERR_CORRUPT names the first account that differs. */
int ledger_verify(struct store_conn *c, struct err *err);
