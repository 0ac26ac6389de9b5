/* bind/bind.h - feira.* for Lua. One file per noun; each function first asks whether this is the moment for it (its
 * phase), so that a rule can't do I/O and a handler can't write. What the functions work on is in struct bind_context,
 * which the host fills before a call and empties after it. */
#pragma once
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "ledger/ledger.h"
#include "quote/quote.h"
#include "store/store.h"
#include "vm/vm.h"

struct log;
struct bind_plugin_host;

struct bind_embedded { /* a file of stdlib/ as it was compiled in */
    const char *name;  /* "feira.orders"; SQL: "001-core"; sentences: "zh-CN" */
    const char *path;  /* "stdlib/feira/orders.lua" */
    const char *text;
    size_t len;
};
extern const struct bind_embedded bind_embedded_locales[]; /* ended by name NULL */

enum bind_phase {
    BIND_PHASE_LOAD,       /* files are being loaded: declarations only */
    BIND_PHASE_RULE,       /* inside a quote: the cart, nothing else */
    BIND_PHASE_HANDLER,    /* on a worker: reads the store */
    BIND_PHASE_PROCEDURE,  /* on the writer: reads and writes */
    BIND_PHASE_CHECK,      /* a plugin's check at run time: reads the store, changes nothing */
    BIND_PHASE_SUBMISSION, /* a plugin's check of what is submitted: sees that and nothing else */
};

/* The order being placed, as procedures see it (feira.quote userdata `call.quote`). */
struct bind_quote {
    const struct quote_rules *rules;
    const struct quote_result *result;
    struct slice evidence;      /* compact JSON */
    struct slice generation;    /* id */
    struct slice lines, priced; /* JSON that the order keeps: bind_quote_write() */
};
int bind_quote_write(struct bind_quote *q, struct arena *arena, struct err *err); /* on the thread that priced it */

/* Where a product is counted. account 0: it is not. */
struct bind_place {
    int64_t account;
    struct slice location; /* good until the next commit */
};

struct bind_context {
    enum bind_phase phase;
    struct store_conn *conn;            /* HANDLER, PROCEDURE */
    struct ledger *ledger;              /* PROCEDURE */
    const struct clock *clock;          /* HANDLER, PROCEDURE: time is read once per call */
    int64_t now_ms;                     /* of this call */
    struct id_source *ids;              /* PROCEDURE */
    const struct random_source *random; /* HANDLER, PROCEDURE; for feira.crypto */
    struct currency currency;           /* the shop's, for feira.money */
    const struct zone *zone;
    int64_t complete_after_ms; /* of shop.lua, for feira.shop; 0 = never */
    int64_t checkout_ttl_ms;   /* the same */
    int64_t stock_low;         /* the same; 0 = never */
    int64_t compared_days;     /* the same; 0 = compare_at is shown always */
    bool compared_by_deals;
    const struct json_value *privacy; /* the field catalogue, for feira.shop; NULL until the rules are whole */
    struct quote_eval *eval;          /* RULE */
    const struct bind_quote *quote;   /* PROCEDURE of an order, else NULL */
    struct arena *arena;              /* of this call; needed in every phase but LOAD */
    struct log *log;                  /* feira.log; NULL discards */
    /* SKUs whose product, or whose stock by hand, this procedure changed; the host refreshes its catalogue after the commit.
     * Orders do not call it: what they take is in the ledger. */
    void (*product_changed)(void *ctx, struct slice sku);
    /* What the running procedure says to those who listen (feira.stream): topic "plugin/topic", text as it goes to a client, and whether it
     * is the last. Heard after the commit. NULL = nobody listens. */
    int (*say)(void *ctx, struct slice topic, struct slice text, bool last, struct err *err);
    /* PROCEDURE: the one place at which the product is counted, as of what this transaction sees. false: it is counted at none or at
     * several, or that is not known; then feira.stock asks the store. NULL = never known. */
    bool (*place_of)(void *ctx, symbol sku, struct bind_place *out);
    /* Takes back everything the running procedure changed so far (rollback to its savepoint, in store and memory). With it,
     * procedures run uncounted and are run again when they prove slow (vm_set_undo); NULL = every call is counted. */
    void (*undo)(void *ctx);
    void *host_ctx;
    const struct bind_plugin_host *plugins; /* plugins.h; NULL = there are none */
    void *plugins_ctx;
    /* What is left of a published account as of the last commit; false: it is not published. For handlers, checks and rules; NULL = nothing
     * is known without the store. */
    bool (*left)(void *ctx, struct slice account, int64_t *left);
    void *left_ctx;
    /* A keyed hash of a telephone number, as hex with its NUL; the shop's secret is the key. */
    void (*pseudonym)(void *ctx, struct slice text, char out[65]);
    void *pseudonym_ctx;
    /* A keyed hash of what a plugin signs. */
    void (*sign)(void *ctx, const char *plugin, struct slice text, unsigned char mac[32]);
    void *sign_ctx;
    bool signs_nothing;  /* verifies only: these rules were never let live, and what they sign could be read off their prices */
    bool wanted_to_sign; /* and that was refused; whoever prices clears it */
    bool outdated;       /* newer rules are live: facts may be made of rows of which these rules do not know it */
    bool broken;         /* a procedure or subscriber that was called failed: so does the whole call, even when its caller went on */
};

/* A sandbox with every feira.* module and the stdlib (compiled into the program) behind require(). ctx must outlive it. */
int bind_open(const struct vm_options *o, struct bind_context *ctx, struct vm **out, struct err *err);

struct bind_context *bind_context_of(struct vm *vm); /* the ctx that bind_open was given */

/* What the calls until bind_end() go by: the phase, the connection, the time as it is now, the arena; no quote, until one is set. */
void bind_begin(struct bind_context *ctx, enum bind_phase phase, struct store_conn *conn, struct arena *arena);
void bind_end(struct bind_context *ctx);

/* Hooks for quote_price() that run the campaign functions of vm; ctx is the vm's bind_context. */
struct quote_hooks bind_quote_hooks(struct vm *v);

/* Calls a function of a stdlib module: name "orders.place" is function `place` of module "feira.orders". args is one table.
 * The result is { status, body } as Lua returned it: status (HTTP) and body as JSON text in the arena. A Lua error made with
 * feira.fail{...} arrives in err with its code, reason, field and text; a bug in Lua is ERR_SCRIPT. */
struct bind_answer {
    int status;
    struct slice body;
};
int bind_call(struct vm *v, struct slice name, const struct json_value *args, struct bind_answer *out, struct err *err);

/* Finds a function for later calls by name and loads its module now: for a state that must not stop for that in the middle of its work. */
int bind_prepare(struct vm *v, struct slice name, struct err *err);

/* Of the Lua that was compiled in; the same in every process of one program. */
uint64_t bind_stdlib_hash(void);

/* The tables of the stdlib, the ledger and the journal, for store_open(); ended by number 0. */
const struct store_migration *bind_core_migrations(void);
