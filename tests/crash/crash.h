/* tests/crash/crash.h - power cuts under a whole shop; README.md says what is promised. */
#pragma once
#include "base/json.h"
#include "base/random.h"
#include "host/host.h"
#include "store/faultvfs.h"
#include <stdatomic.h>

enum { SKUS = 6, BUYERS = 4, ORDERS_MAX = 1500, LINES_MAX = 3, DEEDS_MAX = 64, AT_ONCE_MAX = 16, INITIAL_STOCK = 60, PRICE_STEP = 137 };

/* --- what was promised ------------------------------------------------------------------------------------------------- */
enum order_state { ORDER_ASKED, ORDER_REFUSED, ORDER_PLACED, ORDER_PAID, ORDER_CANCELLED, ORDER_EXPIRED };

struct order {
    char reference[24], id[48];
    int line_count;
    struct {
        int sku, qty, returned;
    } lines[LINES_MAX];
    int64_t total, refunded, expires_ms;
    enum order_state state;
};

enum deed_kind { DEED_PLACE, DEED_PAY, DEED_CANCEL, DEED_REFUND, DEED_STOCK, DEED_KINDS };

struct deed { /* one request, and what came of it */
    enum deed_kind kind;
    struct order *order; /* NULL of DEED_STOCK */
    int line, qty, sku;  /* REFUND: of the order's line; STOCK */
    char key[40], target[96], body[512];
    int status;   /* 0: no answer that says what happened */
    char *answer; /* of a success */
};

struct buyer {
    int number;
    struct random_seeded random;
    struct order *orders; /* ORDERS_MAX */
    size_t order_count;
    int64_t brought[SKUS];        /* pieces of successful stock deeds */
    struct deed deeds[DEEDS_MAX]; /* of this cycle */
    size_t deed_count;
    uint64_t acknowledged[DEED_KINDS], next_key;
};

/* --- the world ------------------------------------------------------------------------------------------------------------ */
struct tally {
    uint64_t cycles, cuts, cut_opening, acknowledged[DEED_KINDS], expired, lost, doubled, violated;
};

struct world {
    struct faultvfs *first, *disk; /* first: as every disk begins */
    char disk_name[32], dir[64], data[96];
    bool unsafe_sync, quiet, thorough; /* thorough: this check also compares indexes with tables */
    atomic_llong now_ms;
    struct clock clock;
    struct random_seeded random;
    struct vm_code *code; /* compiled once for all the shops that are opened here */
    struct shop *shop;
    struct desk *desk;
    struct loop *loop; /* of the timers */
    struct timer_pump *pump;
    struct buyer buyers[BUYERS];
    struct tally *tally;
    bool spoiled; /* something was lost: the model is no guide any more */
};

int world_make(struct world *w, struct err *err); /* once: the folder, and a disk with a shop and its stock */
void world_free(struct world *w);
int world_begin(struct world *w, uint64_t seed, struct err *err); /* a copy of that disk, the shop open */
void world_end(struct world *w);
int world_open(struct world *w, struct err *err); /* the shop, on the disk as it is now */
void world_close(struct world *w);
int world_fire_timers(struct world *w, struct err *err); /* all that are due */
uint64_t world_roll(struct random_seeded *r, uint64_t n);

/* --- buyers ----------------------------------------------------------------------------------------------------------------- */
struct errand { /* a deed and whose it is */
    struct buyer *buyer;
    struct deed *deed;
};
bool buyer_wish(struct buyer *b, struct errand *out); /* false: he has had enough for this cycle */
/* Sends deeds all at once, for the first time or again; what is answered becomes part of the model once. */
void errands_send(struct world *w, const struct errand *errands, size_t count);
int ask(struct desk *desk, const char *method, const char *target, const char *body, const char *key,
        struct buf *answer); /* status; 0 = none */

/* --- after a cut ------------------------------------------------------------------------------------------------------------ */
void check_all(struct world *w);
void complain(struct world *w, uint64_t *count, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
