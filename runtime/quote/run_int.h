/* quote/run_int.h - one pricing run: the cart, what its lines still cost, and the effects of the campaign whose turn it
 * is. Inside quote/ only. */
#pragma once
#include "quote/heap.h"
#include "quote/rules_int.h"

enum { WHY_PARAMS = 3, EFFECT_GRANT = UINT32_MAX - 2, EFFECT_GIFT = UINT32_MAX - 1, EFFECT_SHIPPING = UINT32_MAX };

struct why { /* cheap to fill; becomes a quote_outcome's reason only when the campaign did not apply */
    const char *reason;
    struct quote_place at;
    unsigned param_count;
    struct quote_param params[WHY_PARAMS];
};

struct effect {
    struct effect *before; /* the one before it in the same campaign */
    struct quote_discount discount;
    uint32_t line;             /* or EFFECT_SHIPPING, EFFECT_GIFT, EFFECT_GRANT */
    struct shipping_part ship; /* then: what it takes off */
    struct gift *gift;         /* or: what it gives */
    struct granted *granted;   /* or: what comes later */
};

/* It takes something off a line. */
static inline bool on_line(const struct effect *f)
{
    return f->line < EFFECT_GRANT;
}

struct granted {
    struct granted *next;
    uint32_t campaign;
    const struct action *action;
    struct quote_set lines;
};

struct gift_part {
    size_t extra; /* 1 + its place in cart->extras; 0: there is no such part */
    int64_t units;
};

struct gift { /* what one action gives: kept until everything else has its price */
    struct gift *next;
    uint32_t campaign;
    const struct action *action;
    int64_t sets;             /* that it should give */
    struct gift_part part[2]; /* that it can: of its product, and of the substitute */
};

struct limits_left {                                 /* for a campaign, while this cart is priced; limits.h */
    int64_t units, budget;                           /* INT64_MAX: as many as it likes */
    const struct limit *gone, *units_of, *budget_of; /* used up; the one with least left */
    bool is_guest;                                   /* who can't have a limit of his own */
};

struct use { /* units that a campaign counted or rewarded (policy units = once); taken back with its effects */
    struct use *before;
    uint32_t line;
    int64_t units, cost;
};

struct wish { /* of a campaign that makes shipping cheaper, kept until the rate is known */
    struct wish *next;
    struct shipping_part ship;
    struct quote_discount discount;
};

struct split_scratch { /* as long as what is split has parts */
    int64_t *rests;
    uint32_t *order;
};

struct near_run {            /* what is within reach, while it is looked for (near.c) */
    const uint32_t *further; /* campaigns that can't hold, and would if the cart came to a little more; ascending */
    size_t further_count, at;
    struct quote_near *list;
    size_t count, cap;
};

struct quote_eval {
    const struct quote_rules *rules;
    struct quote_cart *cart;
    const struct quote_hooks *hooks;
    struct arena *arena;

    /* per line */
    struct marks *marks;
    int64_t *remaining;             /* what it still costs, effects of the running campaign included */
    struct quote_discount ***tails; /* where its next discount is linked */
    int64_t *weights, *shares;      /* scratch of one action */
    int64_t *floors;                /* what it may not go below; NULL: nothing has a floor */
    struct split_scratch scratch;
    uint32_t *every, *scope_lines, *target_lines; /* every: the lines that are for sale */
    size_t every_count;
    uint32_t *add_on;      /* 1 + the campaign whose add-on the line is, which is no line of `every`; 0: none. NULL: there is no add-on */
    struct quote_set sale; /* `every` and the add-ons; only where there are some */

    struct { /* policy units = once: units that campaigns counted or rewarded, and what they came to */
        int64_t units, cost;
    } * used;               /* per line; NULL: no campaign of these rules asks */
    struct use *uses;       /* the last first */
    struct use *uses_begun; /* as they were when the running campaign began */

    struct marks cart_marks;
    uint64_t customer_bloom;
    symbol codes[QUOTE_CODES_MAX]; /* normalised; 0 = no rule knows it */
    uint64_t codes_bloom;

    /* what the rule that is asked may give; all NULL otherwise */
    int64_t *proposed;     /* per line: pricing rules */
    struct offers *offers; /* shipping rules */
    struct tax_run *taxes; /* tax rules */

    uint32_t *settled;    /* per line: 1 + the campaign after which nothing touches it; 0: none */
    uint32_t settled_all; /* the same of everything */
    bool any_settled;

    /* the campaign whose turn it is; NULL while a rule of another kind is asked */
    const struct quote_campaign *campaign;
    uint32_t campaign_number;
    struct quote_set scope;
    struct effect *effects; /* the last first */
    uint32_t codes_taken;   /* bits of cart->codes */
    struct near_run *near;  /* NULL: nobody asked */
    struct granted *granted, **granted_tail;
    struct gift *gifts, **gifts_tail;
    int64_t *extra_room;          /* by place in cart->extras: pieces that can still be given; INT64_MAX: not counted */
    size_t extra_cap, extra_seen; /* extra_seen: so many have their room */
    struct why why;
    const struct condition *condition; /* that was asked last; NULL: none is being asked */
    uint32_t action;                   /* 1 + the action that is running; 0: none */
    bool owners_stopped;               /* the cart names an owner whose campaigns are stopped */
    const struct quote_rule *rule;     /* that is being asked; NULL while a campaign's function runs */
    uint64_t calls;                    /* functions and rules that ran */
    bool in_condition;                 /* a condition's function is running: no effects */
    bool function_failed;              /* the error that is travelling came from a function */
    symbol failed_fact;                /* of one whose fact it was; 0 = a function of the campaign's own */
    int broken;                        /* sticky: ran out of memory within a function's call */

    /* shipping */
    bool price_stage;    /* each line stands for one unit */
    bool shipping_stage; /* the rate is known, lines may not change any more */
    bool has_shipping;
    int64_t shipping_minor, shipping_remaining;
    struct wish *wishes, **wishes_tail;
    struct quote_discount *shipping_discounts, **shipping_tail;

    /* The gates and campaigns that are looked at, ascending: the index found them, or the cart asks for all. */
    const uint32_t *active;
    size_t active_count, active_gates; /* the gates stand first */
    size_t active_priced;              /* then those that change prices */
    struct quote_outcome *slots;       /* by place in active */
    uint32_t *slot_codes;              /* codes each took */
    struct limits_left *limits;        /* by place; NULL: none has any */
    struct quote_left *own_left;       /* cart->left, once anything was added to it */
    size_t left_cap, left_of_limits;   /* of cart->left: room, when it is the run's own; entries that limits asked for */
};

/* --- explain.c */
void why_clear(struct quote_eval *e);
void why_set(struct quote_eval *e, const char *reason);
void why_money(struct quote_eval *e, const char *name, int64_t minor);
void why_int(struct quote_eval *e, const char *name, int64_t v);
void why_minute(struct quote_eval *e, const char *name, int64_t minute); /* of the day */
void why_percent(struct quote_eval *e, const char *name, int64_t ppm);
void why_time(struct quote_eval *e, const char *name, int64_t ms);
void why_text(struct quote_eval *e, const char *name, struct slice text);
void why_bool(struct quote_eval *e, const char *name, bool v);
void why_failed(struct quote_eval *e, int rc); /* a function of its own, or of the fact that it asked for */
int why_keep(struct quote_eval *e, struct quote_outcome *out, struct err *err); /* copies into the arena */
/* --- near.c: near_turn before the turn of each campaign, ascending, then of UINT32_MAX. */
int near_begin(struct quote_eval *e, const uint32_t *further, size_t count, struct err *err);
int near_turn(struct quote_eval *e, uint32_t number, struct err *err);
void near_finish(struct quote_eval *e, struct quote_result *out);
void near_all_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w);

/* --- place.c: false: it lies nowhere in the campaign. */
bool place_say(const struct quote_campaign *c, const struct quote_place *at, struct buf *out);

int why_params(struct quote_eval *e, struct quote_param **out, struct err *err);

/* --- condition.c: *holds; when not, why says so. Negative: a function failed. */
int condition_holds(struct quote_eval *e, const struct condition *c, bool *holds, struct err *err);
bool condition_calls(const struct condition *c);             /* a function is in it */
bool weekday_holds(struct quote_eval *e, uint32_t weekdays); /* daytime.c */
bool day_holds(struct quote_eval *e, const struct condition *c);
const char *condition_key(const struct condition *c); /* its key in a spec; "" for a group of members */
bool window_holds(struct quote_eval *e, const struct window *w);
int fact_holds(struct quote_eval *e, const struct fact_test *t, bool *holds, struct err *err); /* fact.c */
bool history_holds(struct quote_eval *e, const struct condition *c);                           /* history.c */
bool history_order_number(const struct quote_eval *e, int64_t *out); /* of the order that the cart would be; false: not known */

/* --- active.c */
int active_gates(struct quote_eval *e, struct err *err);
int active_campaigns(struct quote_eval *e, struct err *err);                  /* when prices are known */
struct quote_outcome *slot_of(const struct quote_eval *e, uint32_t campaign); /* NULL: it is not looked at */

/* --- codes.c: what became of what was typed. */
enum { CODES_ASKED_MAX = QUOTE_CODES_MAX * 9 };
size_t codes_asked(const struct quote_eval *e,
                   uint32_t out[CODES_ASKED_MAX]); /* campaigns that take a typed code; in no order, some twice */
int codes_finish(struct quote_eval *e, struct quote_result *out, struct err *err);
void codes_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w);
void params_write(const struct quote_param *p, struct json_writer *w); /* write.c */

/* --- grant.c */
void granted_keep(struct quote_eval *e, struct granted *g, struct quote_outcome *slot);
int grants_finish(struct quote_eval *e, struct quote_result *out, struct err *err);

/* --- price.c: its window is open and it has lines, which are then e->scope; all its conditions hold. When not, why says so. */
bool campaign_stands(struct quote_eval *e);
int campaign_conditions(struct quote_eval *e, bool *holds, struct err *err);
void campaign_begin(struct quote_eval *e, uint32_t number);
int campaign_try(struct quote_eval *e, bool *holds, struct err *err);
int campaign_run(struct quote_eval *e, bool *holds, struct err *err); /* *holds: it may apply, and its actions have run */

int effects_merge(struct quote_eval *e, struct err *err); /* they become discounts, in the order in which they were made */

/* --- settle.c: `stop`. What the running campaign did settles its lines, or everything. */
void settle_after(struct quote_eval *e);
void settle_undo(struct quote_eval *e, const struct effect *effects); /* of one campaign, the last that settled anything */
struct quote_set settle_filter(const struct quote_eval *e, struct quote_set set, uint32_t *lines);
void settle_why(struct quote_eval *e, uint32_t by); /* the reason of who came after it; by: 1 + its number */

/* --- lane.c: policy lanes = best_per_line: the turns of active[from .. to - 1], which are of one lane. */
int lane_run(struct quote_eval *e, size_t from, size_t to, struct err *err);

/* --- choose.c: which of those that may apply do; the others get their reason. */
int campaigns_choose(struct quote_eval *e, struct quote_result *out, struct err *err);

/* --- price_stage.c: the campaigns that change unit prices, active[active_gates .. active_priced - 1]. */
int price_turns(struct quote_eval *e, size_t from, size_t to, struct err *err); /* price.c */
int price_stage(struct quote_eval *e, struct quote_result *out, struct err *err);

/* --- gate.c: asks every gate about the cart as it came in, and takes what is hidden out of it. */
int gates_ask(struct quote_eval *e, struct quote_result *out, struct err *err);

/* --- eval.c */
struct quote_set eval_every(const struct quote_eval *e); /* all lines that are for sale */
struct quote_set eval_select(const struct quote_eval *e, const struct selector *sel, struct quote_set from, uint32_t *lines);
struct quote_set eval_target(struct quote_eval *e, const struct action *a);
int64_t eval_still_costs(const struct quote_eval *e, struct quote_set set);
int64_t eval_threshold(const struct quote_eval *e, struct quote_set set);  /* what money thresholds see, by policy */
int eval_call(struct quote_eval *e, int fn, bool *holds, struct err *err); /* holds NULL: an action */
void eval_undo(struct quote_eval *e, struct effect *keep);                 /* drops the effects after keep */
void eval_unuse(struct quote_eval *e, struct use *keep);                   /* units that were used up after keep are free again */
int eval_take(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason,
              struct err *err); /* 0 takes nothing */
int effect_add(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason, struct err *err);
int eval_ship(struct quote_eval *e, struct shipping_part part, struct err *err);
int eval_nomem(struct quote_eval *e, struct err *err);

struct percent {
    int64_t rate_ppm, cap_minor;
    enum base base;
    enum round_at round_at;
    const struct chosen *chosen; /* NULL: every unit */
};
int percent_take(struct quote_eval *e, struct quote_set set, struct percent p, struct slice reason, struct err *err);
int amount_take(struct quote_eval *e, struct quote_set set, int64_t amount_minor, struct slice reason, struct err *err);

/* --- limits.c */
int limits_look(struct quote_eval *e, size_t from, struct err *err); /* of active[from ..]: what is left, once */
bool limits_used_up(struct quote_eval *e); /* of one that only might have a turn: the cart does not keep the answers */
bool limits_stand(struct quote_eval *e);   /* none is used up; when not, why says so */
int limits_trim(struct quote_eval *e, bool *holds, struct err *err);                                      /* the effects, to what is left */
int64_t limits_shipping(const struct quote_eval *e, uint32_t campaign, int64_t taken, int64_t amount);    /* the same, after what it took */
int64_t limits_gift(const struct quote_eval *e, const struct gift *g, int64_t sets, int64_t price_minor); /* sets that are left */
int limits_gate(struct quote_eval *e, bool *holds, struct err *err);                /* the lines of a gate, against its limits */
int limits_finish(struct quote_eval *e, struct quote_result *out, struct err *err); /* what is used up */

/* --- extras.c: the product, as 1 + its place in cart->extras; 0: it is not for sale. Asked once in a quote. extra_peek() does not keep
 * what it is told: for what is only said, and changes no amount. */
int extra_ask(struct quote_eval *e, symbol sku, size_t *out, struct err *err);
bool extra_peek(const struct quote_eval *e, symbol sku, struct quote_extra *out);

/* --- gift.c */
bool gift_take(struct quote_eval *e, struct gift *g); /* as much as there is; false: nothing, and it may be left out */
void gift_give_back(struct quote_eval *e, const struct gift *g);
int gifts_grant(struct quote_eval *e, struct quote_result *out, struct err *err); /* they become lines */
int lines_more(struct quote_eval *e, size_t count, struct err *err);              /* price.c: room for so many behind the others */

/* --- add_on.c: which lines are add-ons; they leave `every`; those that got their price say whose they are. */
int add_ons_begin(struct quote_eval *e, struct err *err);
int add_ons_part(struct quote_eval *e, struct err *err);
void add_ons_finish(struct quote_eval *e);
int64_t add_on_left(struct quote_eval *e, const struct action *a); /* units that may still be added, of the campaign whose turn it is */
struct quote_set eval_sale(const struct quote_eval *e);            /* all lines that are for sale, with the add-ons */

/* --- left.c: as quote_eval_left(), for limits: they are bounded by the campaigns. */
int left_ask(struct quote_eval *e, struct slice account, int64_t *left, struct err *err);

/* --- chosen.c: how many units of each line of the set (in its order); and what they still cost, by policy. NULL: all of them. */
int chosen_units(struct quote_eval *e, const struct chosen *c, struct quote_set set, int64_t **out, struct err *err);
int64_t chosen_cost(const struct quote_eval *e, uint32_t line, int64_t units, enum base base);
/* What may come off a line. */
static inline int64_t eval_room(const struct quote_eval *e, uint32_t line)
{
    int64_t floor = e->floors ? e->floors[line] : 0;
    return e->remaining[line] > floor ? e->remaining[line] - floor : 0;
}

/* --- split.c: splits over the set by e->weights (all that the lines cost, or part of it), as policy `remainder` says, none more than its
 * room, what others have no room for going to the rest; into e->shares. */
int split(struct quote_eval *e, struct quote_set set, int64_t total, struct err *err);
int64_t room_of(const struct quote_eval *e, struct quote_set set);
/* Where prices may not go below something. */
int floors_find(struct quote_eval *e, struct err *err);

/* --- stopped.c */
void share_mark(struct quote_eval *e);   /* share.c: the same, of those whose share the customer is not in */
void stopped_mark(struct quote_eval *e); /* those that do not apply get their reason */
/* 1: its owner is stopped and it is not needed, why says so; ERR_BUSY: it is, and can't be left out. */
int stopped_turn(struct quote_eval *e, struct err *err);
int stopped_refuse(struct slice owner, struct err *err);

/* --- rule.c: asks one rule for what it gives; once more when its run was thrown away, after reset(). *skipped: it failed and may. */
typedef int (*rule_hook)(void *ctx, int fn, struct quote_eval *e, struct err *err);
struct rule_ask {
    const char *kind; /* "pricing rule": for messages */
    rule_hook hook;
    void (*reset)(struct quote_eval *e);
};
int rule_ask(struct quote_eval *e, const struct quote_rule *rule, const struct rule_ask *ask, bool *skipped, struct err *err);

/* --- pricing.c: lets the pricing rules find unit prices; lines are then as they will be charged. prices_reset: from the price of the
 * catalogue, whatever an earlier run of this cart made of it (evidence keeps both). */
void prices_reset(struct quote_cart *cart);
int prices_find(struct quote_eval *e, struct quote_result *out, struct err *err);
int line_begin(struct quote_line *l, size_t i, struct err *err); /* price.c */

/* --- allocate.c: money_allocate without memory of its own */
int allocate(const struct split_scratch *scratch, int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err);

/* --- offers.c: what shipping rules add to the table. */
struct offers {
    const struct quote_rule *rule;
    size_t first, count, cap; /* the asked rule's begin at `first` */
    struct quote_shipping_choice *list;
};
int offers_collect(struct quote_eval *e, struct slice chosen, struct offers *out, struct err *err); /* chosen: one option, or "" for all */

/* --- tax.c: the tax of settled lines and of shipping; adds it to the total when prices are without. */
/* What thresholds see of the set with tax or without, by the rates of shop.lua; as priced where it has none. */
int64_t tax_threshold(const struct quote_eval *e, struct quote_set set, bool with_tax);
int tax_price(struct quote_eval *e, struct quote_result *out, struct err *err);

/* --- shipping.c: lists the options, or finds the price of the chosen one. Lines are settled. */
int shipping_price(struct quote_eval *e, struct quote_result *out, struct err *err);
int cart_weight(const struct quote_cart *cart, int64_t *out, struct err *err); /* grams; ERR_OVERFLOW names the line */
