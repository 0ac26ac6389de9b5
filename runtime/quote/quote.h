/* quote/quote.h - prices a cart: structs in, structs out. No I/O, no clock, no Lua, no SQL: whatever a quote depends on
 * is in the cart, so the same cart under the same rules gives the same result, bit for bit, in any process, for ever.
 *
 * rules = quote_rules_build(specs)            once per generation, immutable, shared by all threads
 * quote_price(rules, cart, ...) → result      any number of threads, each with its own arena */
#pragma once
#include "base/arena.h"
#include "base/collection.h"
#include "base/json.h"
#include "base/money.h"
#include "base/symbols.h"
#include "base/zone.h"

/* Changes when the same inputs could give another amount; part of every evidence. */
#define QUOTE_KERNEL_VERSION 2

enum {
    QUOTE_LINES_MAX = 2000,
    QUOTE_QTY_MAX = 1000000,
    QUOTE_CODES_MAX = 20,
    QUOTE_EXTRAS_MAX = 100, /* products besides those of the cart that one quote asks for */
};

/* --- what goes in ---------------------------------------------------------------------------------------------- */
struct quote_product { /* what rules may know of a SKU; symbols of the shop's table */
    symbol sku, brand;
    const symbol *categories; /* the category and all its ancestors ("tea/green", "tea") */
    const symbol *tags;       /* also its attributes, each as quote_attribute_text() writes it */
    uint32_t category_count, tag_count;
    int64_t price_minor;      /* per unit */
    int64_t compare_at_minor; /* 0 = none */
    int64_t weight_g;
    struct slice title; /* not part of the evidence */
};

/* An attribute as it stands among tags: "@color=red". v: a text, a whole number or a boolean. data NULL: out of memory. */
struct slice quote_attribute_text(struct arena *arena, struct slice name, const struct json_value *v);

struct quote_line {
    struct quote_product product; /* copied in; the arrays are borrowed and must live as long as the result */
    int64_t qty;                  /* 1 .. QUOTE_QTY_MAX */
    int64_t unit_price_minor;     /* what this line is charged per unit before discounts */
    bool own_price;               /* unit_price_minor was given by the caller (a till, an import), not by the catalogue */
    struct slice from;            /* the id of the campaign whose add-on it is, as the client says; empty: an ordinary line */
    /* results */
    int64_t compare_at_minor; /* what the price is shown beside: the product's, or its price when a pricing rule went below; 0 = none */
    int64_t subtotal_minor;   /* unit_price × qty */
    int64_t discount_minor;   /* Σ discounts, 0 .. subtotal */
    int64_t total_minor;      /* subtotal - discount */
    int64_t tax_minor;        /* within total, or on top of it when the shop's prices are without: see quote_result.tax */
    struct quote_discount *discounts; /* in the order of application */
    uint32_t origin;                  /* 1 + the campaign that gave the line, or an add-on its price; 0: none */
    bool gift;                        /* the client did not send it: it stands behind those that he did */
    const struct quote_gate *closed;  /* a gate that hides it: the line is not for sale, and costs and counts nothing; NULL = for sale */
};

struct quote_discount {
    struct quote_discount *next;
    uint32_t campaign;    /* index into rules */
    int64_t amount_minor; /* > 0 */
    int64_t units;        /* how many units it touched; 0 = not counted by units */
    struct slice reason;  /* given by a function campaign; may be empty */
};

struct quote_fact { /* what a plugin knows of the customer */
    symbol name;    /* "member-tiers.level" */
    /* FAILED: its function did. Whoever asks for it fails, too: without the value nobody can say what the price would be. */
    enum quote_fact_kind { QUOTE_FACT_INT, QUOTE_FACT_BOOL, QUOTE_FACT_STRING, QUOTE_FACT_FAILED } kind;
    int64_t number; /* also the bool */
    struct slice text;
};

struct quote_left { /* what a function, or a limit, was told of an account */
    struct slice account;
    bool is_known; /* it is published */
    int64_t left;
};
enum { QUOTE_LEFT_MAX = 32 }; /* that functions ask about */

/* A product that a campaign gives, as it was when this cart was priced. */
struct quote_extra {
    struct quote_product product; /* of one that is not for sale, the SKU only */
    bool for_sale;
    int64_t left; /* pieces that can be taken; INT64_MAX: not counted */
};

/* What a plugin says of a typed code. It changes no amount: what the code stands for is among the customer's tags. */
struct quote_typed {
    uint32_t campaign;      /* 1 + the one that it stands for; 0: none */
    const char *refused;    /* a status of quote_code; NULL: it is not */
    int64_t from_ms, to_ms; /* when it can be used; 0: not said */
};

struct quote_share { /* the customer is in it when his number is below the share */
    struct slice campaign;
    int64_t share_ppm, bucket_ppm;
};

struct quote_cart {
    struct quote_line *lines;
    size_t line_count;                   /* with the gifts */
    size_t gift_count;                   /* a result: the last so many lines. Pricing the cart again begins without them */
    struct slice codes[QUOTE_CODES_MAX]; /* as typed */
    size_t code_count;
    const struct quote_typed *typed; /* by code; NULL = nothing is said of any. Not in the evidence */
    const struct slice *blocked;     /* codes that nobody looks at, after too many guesses. Not in the evidence */
    size_t blocked_count;
    int64_t at_ms;            /* the clock value the rules see */
    uint64_t seed;            /* the random seed functions see */
    struct slice customer;    /* pseudonymous id; empty = guest */
    int64_t customer_version; /* read set: the version of the customer's facts that was read */
    const symbol *customer_tags;
    size_t customer_tag_count;
    const struct quote_fact *facts;
    size_t fact_count;
    const struct json_value
        *inputs; /* what the client sent for each plugin, an object by its name; NULL = nothing. Only functions read it */
    symbol channel, region, payment_method, store; /* 0 = not said */
    struct slice shipping_option;                  /* empty = none chosen: nothing is charged, the options are listed */
    bool no_campaigns;                             /* an import whose prices are final */
    bool explain_all;     /* say of every campaign why it did not apply, of QUOTE_EXPLAINED_MAX where there are more; otherwise those that
                             can't are not looked at. Changes no amount */
    bool wants_offers;    /* say what is within reach (quote_result.near); changes no amount */
    uint32_t explain_one; /* 1 + the campaign or gate of which it is said in any case; 0: none */
    /* What the shop has stopped; what the rules do not have does no harm.
     *   a campaign's id    it does not apply (reason "stopped")
     *   an owner           all that it has: what must not be left out (on_failure = "refuse") refuses the quotes that need it, ERR_BUSY
     *                      "plugin_stopped"; the rest does not apply
     *   OWNER + "/skip"    what it has and may be left out does not apply */
    const struct slice *stopped;
    size_t stopped_count;
    /* Campaigns that are for a share of the customers, with the number of this one. Nobody in particular has none. */
    const struct quote_share *shares;
    size_t share_count;
    /* What functions asked about while this cart was priced. Pricing adds what is asked for the first time (quote_hooks.left); with what is
     * there already they are answered. */
    const struct quote_left *left;
    size_t left_count;
    struct quote_extra *extras; /* the same of products (quote_hooks.product) */
    size_t extra_count;
};

/* --- rules ------------------------------------------------------------------------------------------------------ */
struct quote_rules;
struct quote_campaign; /* opaque; see quote_campaign_* */

/* A function that is asked for something other than a discount: a price, ways to send the cart, the tax rate of a line. Prices are not
 * asked for when the cart's are final (no_campaigns). */
struct quote_rule {
    int fn;
    bool skip_on_failure; /* otherwise its failure is the quote's */
    const char *name;     /* "volume-pricing.steps" */
    const char *owner;    /* whose it is, as cart.stopped names him: "plugin/volume-pricing"; NULL = nobody's */
};
struct quote_rule_list {
    const struct quote_rule *items;
    size_t count;
};

/* A fact that rules may ask for by its name. */
struct quote_fact_type {
    const char *name;     /* "member-tiers.level"; must outlive the rules */
    enum field_type type; /* INTEGER, STRING, BOOLEAN, MONEY, PERCENT, TIME */
    bool named;           /* its name stands somewhere in full, so a function may ask for it */
};

struct quote_rules_options {
    const struct quote_fact_type *facts; /* all there are; a campaign that names another is refused */
    size_t fact_count;
    struct quote_rule_list pricing;        /* in their order: each sees what those before it made of the prices; see quote_eval_propose() */
    struct quote_rule_list shipping_rates; /* each adds options to those of the table; quote_eval_offer() */
    struct quote_rule_list tax_rates;      /* the first that knows a line's rate decides, before the table; quote_eval_tax() */
    struct currency currency;
    const struct zone *zone;           /* must outlive the rules */
    struct symbols *symbols;           /* must outlive the rules */
    const struct json_value *policies; /* shop.lua `policies`; NULL = defaults */
    const struct json_value *shipping; /* shop.lua `shipping`; NULL = nothing is shipped for money */
    const struct json_value *watch;    /* shop.lua `watch`; NULL = the shop's discounts are not watched */
    const struct json_value *tax;      /* shop.lua `tax`; NULL = no tax, unless tax_rates find one: then it is part of the prices */
};

/* campaigns: a JSON array of specs as stdlib/feira/promo.lua builds them (README.md has the form). Every mistake is found
 * here: the error says "campaigns/x.lua:7: give[1].percent: ..." (spec.at + path). Amounts are decimal strings in major
 * units. Functions stand as {"fn": n} with n unique in the rulebook. */
int quote_rules_build(const struct json_value *campaigns, const struct quote_rules_options *o, struct quote_rules **out, struct err *err);
void quote_rules_free(struct quote_rules *r);
size_t quote_rules_count(const struct quote_rules *r);
struct slice quote_campaign_id(const struct quote_rules *r, uint32_t campaign);
struct slice quote_campaign_title(const struct quote_rules *r, uint32_t campaign);
/* false when no campaign has this id. */
bool quote_campaign_find(const struct quote_rules *r, struct slice id, uint32_t *campaign);
bool quote_campaign_refuses(const struct quote_rules *r, uint32_t campaign);       /* on_failure = "refuse": without it there is no quote */
struct slice quote_campaign_owner(const struct quote_rules *r, uint32_t campaign); /* its spec's `owner`; empty = nobody's */
/* The facts that these rules can ask for, of carts with campaigns or without: positions in options.facts, ascending: those that
 * conditions name, and the named ones where there are functions. Only these must be in the cart. */
const uint32_t *quote_rules_facts(const struct quote_rules *r, bool no_campaigns, size_t *count);
/* What the shop itself knows of a customer, for the conditions new_customer, first_order, nth_order and bought. Whoever prices a cart with
 * a customer answers the questions of its rules before, each with a fact of the kind INT under the question's name. */
struct selector;
struct quote_question {
    symbol fact;
    enum quote_question_kind {
        QUOTE_ASKS_ORDERS, /* how many were placed and neither cancelled nor expired */
        QUOTE_ASKS_SINCE,  /* ms UTC: when the customer was registered */
        QUOTE_ASKS_UNITS,  /* how many were bought and paid for, less what went back */
        QUOTE_ASKS_SPENT,  /* what was paid for them, less what went back */
    } kind;
    int64_t within_ms;         /* UNITS, SPENT: of orders placed no longer before cart.at_ms; 0 = whenever */
    const struct selector *of; /* UNITS, SPENT: of which products, as they are in the catalogue now; NULL = all */
};
/* The i-th grant of a campaign: the plugin it is told, and where the campaign was written. */
bool quote_campaign_grants(const struct quote_rules *r, uint32_t campaign, size_t i, struct slice *to, struct slice *at);
bool quote_rules_take_code(const struct quote_rules *r, struct slice typed); /* a campaign or gate takes it, as it was typed */
const struct quote_question *quote_rules_questions(const struct quote_rules *r, bool no_campaigns, size_t *count);
bool quote_question_counts(const struct quote_question *q, const struct quote_product *p);
/* No rule has a say in what a cart without campaigns costs: its prices came with it. */
bool quote_rules_leave_final(const struct quote_rules *r);
/* What discounts are expected to come to; it changes no price. A bound of 0 is none. NULL: nothing is watched. */
struct quote_bounds {
    int64_t alarm, stop;
};
struct quote_watch {
    struct quote_bounds share_ppm;  /* what it takes off, of what the orders with it cost before */
    int64_t orders;                 /* a share of fewer orders says nothing */
    struct quote_bounds hour_minor; /* what it takes off within an hour */
};
/* Campaigns that are for a share of the customers: how large it is at first, and how large it may be made without other rules. */
struct quote_share_range {
    struct slice campaign;
    int64_t first_ppm, most_ppm;
};
size_t quote_rules_shares(const struct quote_rules *r);
struct quote_share_range quote_rules_share(const struct quote_rules *r, size_t i);
const struct quote_watch *quote_campaign_watch(const struct quote_rules *r, uint32_t campaign);
const struct quote_watch *quote_rules_watch(const struct quote_rules *r); /* of the shop: all discounts; it has no stops */
struct currency quote_rules_currency(const struct quote_rules *r);
struct symbols *quote_rules_symbols(const struct quote_rules *r);

/* --- functions: the kernel calls up through this table, bind/ fills it -------------------------------------------- */
struct quote_eval; /* one pricing run; gives functions their view of the cart and takes their effects */

struct quote_hooks {
    void *ctx;
    /* A condition: sets *holds. An action: uses quote_eval_* to select and discount. A failure (error, fuel, memory) is a
     * negative code; the effects of the call are then dropped and the campaign's on_failure decides. ERR_RETRY: the effects are
     * dropped and the function is called once more (a run that overran its deadline, now counted). ERR_NOMEM and
     * ERR_INTERNAL end the quote: skipping the campaign would make the amount depend on luck. A condition has no effects. */
    int (*condition)(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err);
    int (*action)(void *ctx, int fn, struct quote_eval *e, struct err *err);
    /* A pricing rule: proposes prices, selects, takes nothing off. May be NULL when the rules have none. */
    int (*pricing)(void *ctx, int fn, struct quote_eval *e, struct err *err);
    /* Asked when lines are settled, for the price of what is sent: offers. */
    int (*shipping_rates)(void *ctx, int fn, struct quote_eval *e, struct err *err);
    /* Asked last, once for all lines whose rate nobody knows yet: quote_eval_may_tax(), quote_eval_tax(). */
    int (*tax_rates)(void *ctx, int fn, struct quote_eval *e, struct err *err);
    /* What is left of a published account, or of "campaign/..." (limits.h); false: nobody here knows. May be NULL. */
    bool (*left)(void *ctx, struct slice account, int64_t *left);
    /* A product by its SKU, as it is now, with what is left of it. false: it is not for sale. May be NULL: nothing is. */
    bool (*product)(void *ctx, symbol sku, struct quote_extra *out);
    /* Nanoseconds and fuel that functions have taken so far; asked only for explanations. May be NULL. */
    void (*spent)(void *ctx, uint64_t *ns, uint64_t *fuel);
};

/* For the hooks. A set of lines is an array of line indexes in the arena of the run. */
struct quote_set {
    const uint32_t *lines;
    size_t count;
};
const struct quote_cart *quote_eval_cart(const struct quote_eval *e);
struct symbols *quote_eval_symbols(const struct quote_eval *e);
/* 1 with *out; 0 when the customer has no such fact, or no plugin of that name is turned on. ERR_INVALID for a name that its plugin does
 * not have, or that is not `named`; ERR_SCRIPT for a fact that could not be found out. */
int quote_eval_fact(const struct quote_eval *e, struct slice name, const struct quote_fact **out, struct err *err);
int64_t quote_eval_now_ms(const struct quote_eval *e);
/* 1 with *left; 0 when the account is not published. The same in all of a quote. ERR_INVALID when too many accounts are asked about. */
int quote_eval_left(struct quote_eval *e, struct slice account, int64_t *left, struct err *err);
uint32_t quote_eval_campaign(const struct quote_eval *e);      /* whose function is running */
struct slice quote_eval_owner(const struct quote_eval *e);     /* of what is running: "plugin/volume-pricing"; empty = nobody's */
struct quote_set quote_eval_scope(const struct quote_eval *e); /* the campaign's lines */
/* selector: JSON form of scope ({"tag":["tea"]}); result is inside the campaign's scope. */
int quote_eval_select(struct quote_eval *e, struct quote_set from, const struct json_value *selector, struct quote_set *out,
                      struct err *err);
int64_t quote_eval_remaining(const struct quote_eval *e,
                             uint32_t line); /* what the line still costs, with the effects of this call so far */
int64_t quote_eval_subtotal(const struct quote_eval *e, struct quote_set set); /* what the set still costs */
int64_t quote_eval_qty(const struct quote_eval *e, struct quote_set set);
/* ERR_INVALID when amount < 0 or more than the line still costs, or the line is outside the campaign's scope; ERR_STATE in
 * the shipping stage, where lines are settled. reason is copied; at most 200 bytes. */
int quote_eval_line_discount(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason,
                             struct err *err);
int quote_eval_percent_off(struct quote_eval *e, struct quote_set set, int64_t rate_ppm, int64_t cap_minor /* 0 = none */,
                           struct slice reason, struct err *err);
int quote_eval_amount_off(struct quote_eval *e, struct quote_set set, int64_t amount_minor, struct slice reason,
                          struct err *err); /* allocated; never more than the set costs */
int quote_eval_free_shipping(struct quote_eval *e, struct err *err);
/* Pricing rules: another unit price for a line, from 0. Kept when the function returns; the last one holds. */
bool quote_eval_may_propose(const struct quote_eval *e, uint32_t line); /* not a line with a price of its own */
int quote_eval_propose(struct quote_eval *e, uint32_t line, int64_t unit_price_minor, struct err *err);

/* Shipping rules: a way to send this cart. The texts are copied; id is at most 64 bytes, the title 200. The option is chosen by
 * "RULE'S PLUGIN.id", so that two plugins can't mean the same; an id once per rule, QUOTE_OFFERS_MAX per rule. */
enum { QUOTE_OFFERS_MAX = 50 };
int quote_eval_offer(struct quote_eval *e, struct slice id, struct slice title, int64_t amount_minor, struct err *err);
int64_t quote_eval_weight_g(const struct quote_eval *e); /* of the cart; what can't be counted is INT64_MAX */
/* Tax rules: the rate of a line, 0 .. RATE_ONE_PPM. */
bool quote_eval_may_tax(const struct quote_eval *e, uint32_t line); /* its rate is not known yet */
int quote_eval_tax(struct quote_eval *e, uint32_t line, int64_t rate_ppm, struct err *err);

/* --- what comes out ----------------------------------------------------------------------------------------------- */
struct quote_param { /* a value in a reason */
    struct quote_param *next;
    const char *name; /* "needed", "seen", "sku", "by" ... */
    enum {
        QUOTE_PARAM_INT,
        QUOTE_PARAM_MONEY,
        QUOTE_PARAM_PERCENT /* parts per million */,
        QUOTE_PARAM_MINUTE /* of the day */,
        QUOTE_PARAM_TEXT,
        QUOTE_PARAM_TIME,
        QUOTE_PARAM_BOOL
    } kind;
    int64_t number;
    struct slice text;
};

struct quote_spent { /* by the functions of one campaign, when the cart asked for explanations */
    uint64_t calls, ns, fuel;
};

struct condition;
struct quote_place { /* in a campaign: the condition, or 1 + the action, that was the reason; nothing: neither was */
    const struct condition *condition;
    uint32_t action;
};

struct quote_gate { /* one per gate, by priority downwards, then id: whether what it stands before may be bought */
    uint32_t campaign;
    bool open, hides;     /* hides: a closed line is shown as not for sale; otherwise the cart is refused */
    struct slice because; /* for the shopper, as the gate's author wrote it */
    const char *reason;   /* why it is closed, or why it was not asked ("no_lines", "over", "stopped"); NULL: asked, and it is open */
    struct quote_place at;
    struct quote_param *params;
};

/* Those that the index rules out are not looked at, unless the cart says explain_all; the same holds of gates. */
struct quote_outcome { /* one per campaign that was looked at, in the order of application, then those that did not apply by id */
    uint32_t campaign;
    bool applied;
    int64_t amount_minor; /* what it took off in all, shipping included */
    const char *reason;   /* why not: stable code ("subtotal_below", "not_yet", "over", "code_missing", "no_lines", "failed",
                             "nothing_to_discount", "stopped" ...); NULL when applied */
    struct quote_place at;
    struct quote_param *params;
    struct quote_spent spent;
};

struct quote_shipping_choice {
    struct slice id, title;
    int64_t amount_minor;
};

struct quote_tax_sum {  /* what one rate came to */
    struct slice title; /* of the table; the name of the rule that found it */
    int64_t rate_ppm;
    int64_t net_minor, tax_minor; /* without the tax, and the tax */
};

struct quote_tax {
    bool known;           /* the shop has tax rates; otherwise nothing is said of tax */
    bool included;        /* prices include it; otherwise it is added, and lines cost total + tax */
    int64_t amount_minor; /* in all, that of shipping included */
    int64_t shipping_minor;
    int64_t net_minor;                   /* what is paid, without tax */
    int64_t lines_minor, discount_minor; /* the tax of lines, and what it is lower for their discounts */
    const struct quote_tax_sum *sums;    /* by rate, in the order in which they were met */
    size_t sum_count;
};

/* What a campaign's limit loses by this order. The account goes below zero: what it has, and max, are what is left. */
struct quote_take {
    uint32_t campaign;
    const char *limit;        /* "uses", "units_per_customer" ... */
    const char *unit;         /* of the account: "uses", "units", the currency */
    struct slice account;     /* "campaign/tea/uses" */
    int64_t amount, max;      /* amount > 0 */
    bool of_customer;         /* the account is of one customer */
    bool kept;                /* a refund does not give it back */
    bool kept_when_cancelled; /* nor does the end of an order that is cancelled, or not paid in time */
};

/* What became of a code: applied, or why not. status: applied minimum_not_met not_with sign_in already_used used_up nothing_left
 * not_for_this_cart not_yours not_yet expired stopped failed unknown mistyped claim_first too_many_guesses not_asked (of an order of the
 * past). */
struct quote_code {
    struct slice code; /* as it was typed */
    const char *status;
    uint32_t campaign;                   /* 1 + the one that took it, or came nearest to; 0: none */
    const struct quote_outcome *outcome; /* its, with the values of the reason; NULL: none */
    const struct quote_typed *typed;
};

/* Something that the customer gets later, from a plugin. */
struct quote_grant {
    uint32_t campaign;
    struct slice to, what; /* the plugin, and JSON that is told it */
    const char *after;     /* "paid", "completed" */
    int64_t amount_minor;  /* what the lines cost that it is measured by */
};

struct action;
struct quote_near { /* a threshold, or the next step of an action, that is within reach (policy offers_within) */
    uint32_t campaign;
    bool money; /* otherwise units */
    int64_t needed, seen;
    const struct action *gives;
    /* An add-on that may be had now, instead: */
    symbol sku; /* 0: none */
    struct slice title;
    int64_t price_minor, max_units;
};
enum { QUOTE_NEAR_MAX = 20 };

struct quote_result {
    struct quote_cart *cart;                         /* lines carry their results */
    int64_t subtotal_minor, discount_minor;          /* of the lines */
    bool has_shipping;                               /* an option was chosen */
    int64_t shipping_minor, shipping_discount_minor; /* shipping costs shipping - discount */
    struct quote_discount *shipping_discounts;
    struct slice shipping_option;
    const struct quote_shipping_choice *shipping_choices;
    size_t shipping_choice_count;
    struct quote_tax tax;
    int64_t total_minor; /* subtotal - discount + shipping - shipping discount, + tax when it is not included */
    struct quote_outcome *outcomes;
    size_t outcome_count;
    struct quote_gate *gates;
    size_t gate_count;
    const struct quote_near *near; /* the nearest first; where the cart asked */
    size_t near_count;
    const struct quote_gate *refused_by; /* set when quote_price() or quote_require_open() failed because of a gate */
    uint32_t refused_line;
    const struct quote_grant *grants; /* in the order of application */
    size_t grant_count;
    const struct quote_take *takes; /* what an order of this uses up of limits */
    size_t take_count;
    int64_t pay_within_ms;      /* the shortest that an applied campaign gives to pay; 0 = none says */
    bool searched, proven;      /* the shop takes the set that costs least; it was found for certain, not cut short */
    struct slice *unused_codes; /* codes that no campaign took */
    size_t unused_code_count;
    const struct quote_code *codes; /* each that was typed */
    size_t code_count;
};

/* The grants as a list: [{campaign, to, what, after, amount}]. */
void quote_grants_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w);

/* How a cart stands to an owner of rules. */
enum quote_standing { QUOTE_WORKS, QUOTE_SPARED /* OWNER/skip */, QUOTE_STOPPED };
enum quote_standing quote_standing_of(const struct quote_cart *cart, struct slice owner);

/* hooks may be NULL when no campaign has a function. Everything in *out lives in arena. Errors: ERR_INVALID (field "/lines/3/qty",
 * "/shipping/option"), ERR_OVERFLOW, ERR_NOMEM, for a campaign with on_failure = "refuse" the function's error, and for a closed gate
 * that refuses ERR_INVALID "gate_closed" with the first line behind it ("/lines/1") and out->refused_by. A breach of an invariant (negative
 * line, sums that disagree) is ERR_INTERNAL with the campaign's name. */
int quote_price(const struct quote_rules *r, struct quote_cart *cart, const struct quote_hooks *hooks, struct arena *arena,
                struct quote_result *out, struct err *err);

/* ERR_INVALID "gate_closed", as above, when a line is hidden: such a cart can be shown, and not be ordered. */
int quote_require_open(struct quote_result *q, struct err *err);

/* --- sentences (words.c) -------------------------------------------------------------------------------------------
 * A file of stdlib/locale: "reasons" and "offers" by code, or "code/BY" where a parameter `by` tells them apart; a sentence, or several of
 * which the first is said whose {parameters} are all there. "money" by currency, "*" for the others ({n}, {code}); "group" and "decimal" of
 * numbers; "time"; "yes" and "no". The JSON must outlive the words. */
struct quote_words;
int quote_words_read(const struct json_value *file, struct arena *arena, struct quote_words **out, struct err *err);
struct quote_voice {
    const struct quote_words *words; /* NULL: codes only */
    const struct zone *zone;         /* the shop's, for times */
    struct currency currency;
};
bool quote_reason_say(const struct quote_voice *voice, const char *code, const struct quote_param *params,
                      struct buf *out); /* false: it has none */
bool quote_offer_say(const struct quote_voice *voice, const char *code, const struct quote_param *params, struct buf *out);
bool quote_code_say(const struct quote_voice *voice, const char *status, const struct quote_param *params, struct buf *out);
extern const char *const quote_reason_codes[]; /* all that the kernel gives, ended by NULL */

struct quote_telling {
    bool full;     /* also what was looked at and did not apply (of those QUOTE_TOLD_MAX at most), and all gates */
    uint32_t only; /* 1 + a campaign or gate that is told of, too; 0: none */
    struct quote_voice voice;
};
enum { QUOTE_TOLD_MAX = 1000, QUOTE_EXPLAINED_MAX = 10000 };

/* The gate that refused, as a member of a problem: {"id", "title", "sku", "reason": {"code", ...}}. */
void quote_refusal_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w);

/* --- trying rules out before they are live */
/* Every SKU that campaigns give, offer or price. */
struct quote_named_sku {
    struct slice campaign, at; /* "campaigns/tea.lua:3" */
    const char *field;         /* "gift.sku" */
    symbol sku;
    int64_t price_minor; /* that it is to have; -1: it is a gift */
};
/* A gate stands before this product, of those that name what they stand before: none is asked about a gift. */
bool quote_gate_before(const struct quote_rules *r, const struct quote_product *p);
typedef void (*quote_sku_fn)(void *ctx, const struct quote_named_sku *one);
void quote_rules_skus(const struct quote_rules *r, quote_sku_fn fn, void *ctx);
bool quote_campaign_calls(const struct quote_rules *r, uint32_t campaign);                                /* it has a function */
bool quote_campaign_wants(const struct quote_rules *r, uint32_t campaign, const struct quote_product *p); /* it is of its lines */
/* Runs all functions of one campaign or gate on its lines of this cart, whatever its window and its other conditions say; what they do is
 * thrown away. 1; 0 when the cart has none of its lines; negative: a function failed. */
int quote_try(const struct quote_rules *r, uint32_t campaign, struct quote_cart *cart, const struct quote_hooks *hooks, struct arena *arena,
              struct err *err);

/* The members of the answer of POST /v1/quotes that come from the kernel (currency, lines, subtotal, discount, shipping, total,
 * campaigns, gates, unused_codes), into an object that is open. */
void quote_result_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_telling *how, struct json_writer *w);

/* The member "tax": {included, amount, rates}; nothing where the shop has none. */
void quote_tax_write(const struct quote_tax *t, struct json_writer *w);

/* --- evidence ------------------------------------------------------------------------------------------------------
 * Compact JSON of everything in the cart that can change the result (not titles), enough to price it again. Under 1 KB for ten lines. */
void quote_evidence_write(const struct symbols *s, const struct quote_cart *cart, struct buf *out);
/* The same without the customer's name: QUOTE_SOMEBODY stands for it, in the names of accounts, too. Priced again it gives the same. */
#define QUOTE_SOMEBODY "~" /* no customer has such an id */
void quote_evidence_write_nameless(const struct symbols *s, const struct quote_cart *cart, struct buf *out);
int quote_evidence_read(struct symbols *s, const struct json_value *evidence, struct arena *arena, struct quote_cart *out, struct err *err);
/* What another version of the kernel wrote is read, too: *kernel tells which. For those who compare; a price that was promised is another
 * matter. */
int quote_evidence_read_any(struct symbols *s, const struct json_value *evidence, struct arena *arena, struct quote_cart *out,
                            int64_t *kernel, struct err *err);
/* What the quote came to, as a value: {"total", "c": [[campaign, amount], [campaign, reason, value of each parameter...]...], "m": how many
 * more did not apply, "u": [[campaign, limit, amount]...] that it uses up, "p": the set was proven to be the best}. README.md */
void quote_trace_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w);
