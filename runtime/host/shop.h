/* host/shop.h - what the parts of host/ know of each other. */
#pragma once
#include "base/id.h"
#include "base/map.h"
#include "bind/bind.h"
#include "host/api/auth.h"
#include "host/api/catalogue.h"
#include "host/host.h"
#include "host/care/metrics.h"
#include "host/care/figures.h"
#include "http/http.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "rulebook/rulebook.h"
#include "store/writer.h"
#include <stdatomic.h>

struct worker;
struct route_table;

struct publisher;
struct stops;
struct discounts;
struct streams;
struct webhooks;
struct edition;

/* The writer thread's own: whose context the running command has, and what the running batch has changed. */
struct procedures {
    struct vm *vm; /* of the edition that the running command belongs to */
    struct bind_context *bind;
    struct id_source ids;
    struct map changed_skus; /* of the batch; published after the commit */
    bool keys_changed, stops_changed, webhooks_changed, audit_changed, shares_changed;
};

struct shop {
    struct shop_options options;
    char dir[4096], data_dir[4096], socket_path[4096], lock_path[4096], store_path[4096], audit_head_path[4096];
    struct store_lock *lock;
    struct store *store;
    struct ledger *ledger;
    struct symbols *symbols;
    struct words *words;     /* sentences for people */
    struct guesses *guesses; /* unknown codes, by caller */
    struct vm_code *code;    /* what its Lua states are loaded from */
    struct manifests *manifests;
    struct catalogue *catalogue;
    struct soldout *soldout;
    struct left *left;
    struct errands *errands;
    struct hashers *hashers;
    struct shares *shares;     /* of campaigns that are for some of the customers */
    struct throttle *throttle; /* of those who sign in */
    struct follower *follower;
    struct access_log *access; /* of personal fields */
    struct auth *auth;
    struct rulebook_options rulebook;
    struct stops *stops;
    struct webhooks *webhooks;
    struct discounts *discounts;
    struct streams *streams;
    struct publisher *publisher; /* what is live, and what will be */
    struct writer *writer;
    struct procedures procedures;
    struct route_table *routes;
    struct worker **workers; /* while serving */
    int worker_count;
    size_t connections; /* that each may have; 0 = as many as a server has by itself */
    struct metrics metrics;
    struct figures *figures; /* of the functions of plugins and campaigns */
    int64_t started_ms;
    atomic_int_fast64_t rescued_ms; /* when it last went back to earlier rules by itself; 0 = never */
    atomic_bool draining;
};

/* A Lua state under a generation, for one thread at a time. */
enum vm_for {
    VM_FOR_WORKER, /* prices carts, and runs handlers */
    VM_FOR_WRITER, /* procedures: without the campaigns, which nothing there asks for */
};
int shop_open_vm(struct shop *s, struct generation *g, enum vm_for use, struct vm **vm, struct bind_context **bind, struct err *err);
/* Its plugins sign and verify with the shop's secret: states of shop_open_vm() do, others when they are told so here. */
void shop_signs(struct shop *s, struct bind_context *bind);
void shop_close_vm(struct vm *vm);

/* What looks through all that is kept of a person, or of all of them, takes longer the more there is: at most ten seconds. */
enum { PERSON_FUEL = 1000000000 };

/* procedures.c */
int procedures_begin(void *shop, struct err *err);
void procedures_end(void *shop);
struct writer_hooks procedures_hooks(struct shop *s);
void procedures_bind(struct shop *s, struct bind_context *bind); /* gives a state of the writer what procedures need */
/* A command begins on the writer: s->procedures.vm and .bind are those of its edition until the next one. ERR_BUSY: too old. */
int procedures_enter(struct shop *s, struct edition *e, struct err *err);

/* timers.c: fires due timers of the journal from the keeper's loop. */
struct timer_pump;
int timer_pump_open(struct shop *s, struct loop *loop, struct timer_pump **out, struct err *err);
void timer_pump_look(struct timer_pump *p); /* at once, when somebody else moves the clock; the loop must then run until it is not busy */
bool timer_pump_is_busy(const struct timer_pump *p);
void timer_pump_finish(struct timer_pump *p); /* once the writer has stopped: takes the last answers off the loop */
void timer_pump_close(struct timer_pump *p);
