/* host/shop.h - what the parts of host/ know of each other. */
#pragma once
#include "base/id.h"
#include "base/map.h"
#include "bind/bind.h"
#include "host/auth.h"
#include "host/catalogue.h"
#include "host/host.h"
#include "host/metrics.h"
#include "http/http.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "rulebook/rulebook.h"
#include "store/writer.h"
#include <stdatomic.h>

struct worker;
struct route_table;

/* The writer thread's own: a Lua state for procedures, and what the running batch has changed. */
struct procedures {
    struct vm *vm;
    struct bind_context *bind;
    struct id_source ids;
    struct map changed_skus; /* of the batch; published after the commit */
    bool keys_changed;
};

struct shop {
    struct shop_options options;
    char dir[4096], data_dir[4096], socket_path[4096], lock_path[4096], store_path[4096];
    struct store_lock *lock;
    struct store *store;
    struct ledger *ledger;
    struct symbols *symbols;
    struct catalogue *catalogue;
    struct auth *auth;
    struct rulebook_options rulebook;
    struct generation *live;
    struct writer *writer;
    struct procedures procedures;
    struct route_table *routes;
    struct worker **workers; /* while serving */
    int worker_count;
    struct metrics metrics;
    int64_t started_ms;
    atomic_bool draining;
};

/* A Lua state for the calling thread under the live generation. */
int shop_open_vm(struct shop *s, struct vm **vm, struct bind_context **bind, struct err *err);
void shop_close_vm(struct vm *vm);

/* procedures.c */
int procedures_begin(void *shop, struct err *err);
void procedures_end(void *shop);
struct writer_hooks procedures_hooks(struct shop *s);

/* timers.c: fires due timers of the journal from the keeper's loop. */
struct timer_pump;
int timer_pump_open(struct shop *s, struct loop *loop, struct timer_pump **out, struct err *err);
void timer_pump_finish(struct timer_pump *p); /* once the writer has stopped: takes the last answers off the loop */
void timer_pump_close(struct timer_pump *p);
