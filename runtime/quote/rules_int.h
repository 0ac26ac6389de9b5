/* quote/rules_int.h - what campaigns become: immutable, compact, symbols instead of strings. Inside quote/ only. */
#pragma once
#include "quote/index.h"
#include "quote/quote.h"
#include "quote/spec.h"

static inline bool names_have(const struct names *n, symbol s)
{
    if (!(n->bloom & symbol_bit(s)))
        return false;
    uint32_t low = 0, high = n->count;
    while (high - low > 4) {
        uint32_t mid = low + (high - low) / 2;
        if (n->items[mid] <= s)
            low = mid;
        else
            high = mid;
    }
    for (; low < high; low++)
        if (n->items[low] == s)
            return true;
    return false;
}

/* --- sets of lines -------------------------------------------------------------------------------------------------- */
enum selector_kind {
    SELECT_SKU,
    SELECT_BRAND,
    SELECT_CATEGORY,
    SELECT_TAG,
    SELECT_LEAVES,
    SELECT_ALL = SELECT_LEAVES,
    SELECT_ANY,
    SELECT_NONE,
    SELECT_UNIT_PRICE, /* one unit costs from .. to, in the catalogue or by campaigns of the stage price */
    SELECT_REDUCED,    /* it is shown beside a higher price */
    SELECT_NUMBER,     /* an attribute is a number from .. to */
};

struct selector {
    enum selector_kind kind;
    bool is_attribute;
    uint32_t child_count;
    struct names names;              /* of a leaf */
    const struct selector *children; /* of all, any, none */
    int64_t at_least, at_most;       /* of a unit price, or a number */
    struct slice prefix;             /* of a number: what stands before it in a tag */
    const struct symbols *symbols;   /* of a number: the names of tags */
};

struct marks { /* which symbols a line (or a whole cart) has, as bits */
    uint64_t bits[SELECT_LEAVES];
    int64_t price_minor, compare_at_minor; /* of a line */
};

int selector_compile(struct spec *s, const struct spec_node *n, struct selector *out);
int selector_member(struct spec *s, const struct spec_node *n, struct selector *out);   /* one member, by its key */
int attribute_compile(struct spec *s, const struct spec_node *n, struct selector *out); /* attribute.c */
struct slice attribute_shown(struct slice name); /* a tag, or the attribute that it is, as people write it */
bool attribute_within(const struct selector *sel, const struct quote_product *p);
extern const char *const selector_leaf_keys[SELECT_LEAVES];
bool selector_match(const struct selector *sel, const struct quote_product *p, const struct marks *m);
bool selector_possible(const struct selector *sel, const struct marks *cart); /* false: surely no line of the cart matches */
void marks_of(const struct quote_product *p, struct marks *out);

/* --- conditions ------------------------------------------------------------------------------------------------------ */
struct window {
    int64_t from_ms, to_ms; /* from <= t < to; INT64_MIN, INT64_MAX when open */
};
int window_compile(struct spec *s, const struct spec_node *n, struct window *out);

enum condition_kind {
    WHEN_IN_CART,
    WHEN_SUBTOTAL,
    WHEN_QTY,
    WHEN_WINDOW,
    WHEN_CUSTOMER_TAG,
    WHEN_CHANNEL,
    WHEN_REGION,
    WHEN_PAYMENT_METHOD,
    WHEN_STORE,
    WHEN_WEEKDAY,
    WHEN_TIME_OF_DAY,
    WHEN_COUPON,
    WHEN_FACT,
    WHEN_NEW_CUSTOMER,
    WHEN_FIRST_ORDER,
    WHEN_NTH_ORDER,
    WHEN_BOUGHT,
    WHEN_FUNCTION,
    WHEN_ALL,
    WHEN_ANY,
    WHEN_NONE,
};

struct condition {
    enum condition_kind kind;
    uint32_t child_count;
    bool joined; /* several members of one object, which stands as one condition */
    union {
        struct selector in_cart;
        struct {
            int64_t at_least, at_most;
            const struct selector *of;                                    /* NULL: the campaign's scope */
            bool per_line;                                                /* units: some line has them */
            enum { SEEN_AS_PRICED, SEEN_WITH_TAX, SEEN_WITHOUT_TAX } tax; /* money */
        } bounds;
        struct window window;
        uint32_t weekdays; /* bit 0: Monday */
        struct {
            int64_t from, to; /* minutes of the day, from <= t < to; to below from: over midnight */
        } day;
        struct names names;
        const struct condition *children;
        const struct fact_test *fact;
        struct {
            symbol fact;
            int64_t needed; /* number of the order, units, minor units; milliseconds of new_customer, 0: no order yet */
            bool every, money;
        } history;
        int fn;
    };
};
/* history.c */
int new_customer_compile(struct spec *s, const struct spec_node *n, struct condition *out);
int first_order_compile(struct spec *s, const struct spec_node *n, struct condition *out);
int nth_order_compile(struct spec *s, const struct spec_node *n, struct condition *out);
int bought_compile(struct spec *s, const struct spec_node *n, struct condition *out);
bool condition_asks_history(const struct condition *c);
int64_t history_only_number(const struct condition *c); /* the one order of a customer for which it holds; 0: of several, or none */
/* daytime.c */
int weekdays_compile(struct spec *s, const struct spec_node *n, uint32_t *out);
int day_compile(struct spec *s, const struct spec_node *n, struct condition *out);
int condition_list(struct spec *s, const struct spec_node *n, struct condition **out, uint32_t *count); /* one, or a list */

/* fact.c: what a plugin knows of the customer, against bounds or values of the fact's type. */
struct fact_test {
    symbol name;
    enum field_type type;
    int64_t at_least, at_most; /* INT64_MIN, INT64_MAX: no bound */
    const int64_t *numbers;    /* is, any_of; a boolean is 0 or 1 */
    const struct slice *texts; /* the same of a string */
    uint32_t value_count;      /* none, and no bound: it must be there */
};
int fact_compile(struct spec *s, const struct spec_node *n, const struct fact_test **out);

/* --- actions ---------------------------------------------------------------------------------------------------------- */
enum stage { STAGE_GATE, STAGE_PRICE, STAGE_ITEM, STAGE_ORDER, STAGE_SHIPPING }; /* gates are asked before any price is found */
enum base { BASE_REMAINING, BASE_LIST };
enum lane { LANE_PRE, LANE_DEFAULT, LANE_POST }; /* before the stages of lines: all of pre, then all of default, then all of post */
enum stop { STOP_NOT, STOP_LINES, STOP_ORDER };  /* when it took something off, nothing later touches its lines | anything */

struct shipping_part { /* off what shipping costs: a rate, with a cap or 0, or an amount */
    int64_t rate_ppm, amount_minor, cap_minor;
};
int64_t shipping_part_of(struct shipping_part p, int64_t price_minor, enum rounding mode);

enum round_at { ROUND_AT_LINE, ROUND_AT_UNIT, ROUND_AT_ORDER, ROUND_AT_CARRY };
enum per { PER_SET, PER_LINE, PER_UNIT, PER_EACH }; /* each: a line or a unit, as the policy says */
enum pick { PICK_FIRST, PICK_CHEAPEST, PICK_DEAREST };

/* chosen.c: of which units of its lines an action takes; 0: not bounded. */
struct chosen {
    int64_t max_units, max_units_per_line;
    int64_t whole, whole_per_line; /* only whole groups of so many */
    enum pick pick;
};
int chosen_compile(struct spec *s, const struct spec_node *n, struct chosen *out);
#define CHOSEN_KEYS "max_units", "max_units_per_line", "whole", "whole_per_line", "pick"
static inline bool chosen_any(const struct chosen *c)
{
    return c->max_units || c->max_units_per_line || c->whole || c->whole_per_line;
}

struct action_type;
struct bundle_item {
    struct selector of;
    int64_t qty;
};
struct tier_step {
    int64_t at; /* units, or minor units */
    const struct action *give;
    uint32_t give_count;
};
struct action {
    const struct action_type *type;
    enum stage stage;          /* its type's, but for steps: the earliest of what they give */
    bool touches_lines;        /* can't stand in the shipping stage */
    const struct selector *on; /* NULL: the campaign's scope */
    union {
        struct {
            int64_t rate_ppm, cap_minor; /* cap 0: none */
            int base, round;             /* -1: as the policy says */
            struct chosen chosen;
        } percent;
        struct {
            int64_t amount_minor, every_minor, cap_minor; /* every, cap 0: none */
            int64_t further_minor;                        /* of each unit of a line after the first; -1: the same */
            enum per per;
            struct chosen chosen;
        } amount;
        struct {
            int64_t buy, get, max_sets, max_units, rate_ppm, amount_minor; /* 0: no limit; an amount, or a rate */
            const struct selector *of;                                     /* what is bought; NULL: what is rewarded */
            bool partial, dearest, per_line, of_list;
        } units;
        struct {
            int64_t size, price_minor, max_sets; /* max_sets 0: no limit */
        } set;
        struct {
            int64_t n, rate_ppm, max_sets;
            bool same_sku;
        } nth;
        struct {
            int64_t price_minor, max_units; /* max_units 0: all */
            bool of_set;                    /* all of it together */
        } fixed;
        struct {
            const struct bundle_item *items;
            uint32_t count;
            int64_t price_minor, rate_ppm, max_sets; /* rate 0: the price */
        } bundle;
        struct {
            const struct tier_step *steps;
            uint32_t count;
            const struct action *below; /* what holds under the first step */
            uint32_t below_count;
            bool by_amount, each, wanders; /* wanders: a step takes from other lines than those it is measured by */
        } tiered;
        struct {
            struct slice to, what; /* JSON */
            const char *after;
        } grant;
        struct shipping_part shipping;
        struct {
            symbol sku, substitute;                        /* substitute 0: none */
            int64_t qty, every_minor, every_qty, max_sets; /* every, max_sets 0: none */
            bool refuse;                                   /* when there is too little, the cart can't be ordered */
        } gift;
        struct {
            struct names skus;
            int64_t price_minor, max_units, every_minor; /* every 0: once */
        } add_on;
        const struct price_list *prices;
        int fn;
    };
};

struct price_list { /* price_list.c: by symbol, ascending */
    struct selector skus;
    const int64_t *prices_minor; /* by place in skus.names */
};

struct action_type {
    const char *key;
    enum stage stage;
    bool in_shipping_stage; /* may stand in a campaign of that stage */
    int (*compile)(struct spec *s, const struct spec_node *n, struct action *out);
    /* Takes off what it can; when that is nothing it says why (explain.h). Negative: the campaign failed. */
    int (*apply)(struct quote_eval *e, const struct action *a, struct err *err);
    /* For the search (search.c). At least what it could take off these lines now, or later when they cost less; NULL: all they cost. */
    int64_t (*most)(struct quote_eval *e, const struct action *a, struct quote_set set);
    /* Lower prices that come in never lead to a higher one that goes out, line by line, to the unit; NULL: they may. */
    bool (*steady)(const struct action *a);
    /* It looks at what its lines still cost, beyond taking off them (`every`): others move it. NULL: it does not. */
    bool (*measures)(const struct action *a);
};
extern const struct action_type percent_off_type, amount_off_type, fixed_price_type, buy_get_type, nth_unit_type, cheapest_free_type,
    n_for_type, bundle_type, tiered_type, free_shipping_type, shipping_off_type, gift_type, add_on_price_type, price_list_type,
    function_type, grant_type;
/* It takes from no line that another campaign sees. */
static inline bool acts_apart(const struct action *a)
{
    return a->type == &gift_type || a->type == &add_on_price_type;
}
int action_list(struct spec *s, const struct spec_node *n, struct action **out, uint32_t *count); /* one, or a list */
int action_on(struct spec *s, const struct spec_node *n, struct action *out);                     /* the member `on` */

/* --- policies --------------------------------------------------------------------------------------------------------- */
enum stacking { STACKING_PRIORITY, STACKING_BEST };
enum remainder { REMAINDER_LARGEST, REMAINDER_FIRST_LINES, REMAINDER_LAST_LINE, REMAINDER_CARRY };
struct floor_price { /* no campaign takes a unit of these lines below it */
    struct selector scope;
    int64_t price_minor;
};
struct policies {
    enum stacking stacking;
    enum remainder remainder;
    enum rounding share_rounding; /* of the shares before what is left of them is given out; largest: down */
    enum round_at round_at;       /* what percentages are rounded once for */
    bool best_of_price;           /* the same of campaigns of the stage price */
    bool each_is_unit;            /* amount_off with per = "each" */
    bool same_units_first;        /* what came off a line before counts first against the units that an action is for, and not evenly */
    bool units_once;              /* a unit that one campaign counted or rewarded stands for no other */
    bool priority_alone;          /* the order of campaigns of lines: priority, whatever their stage */
    bool tax_per_unit;            /* where shop.lua `tax` does not say */
    const struct floor_price *floors;
    uint32_t floor_count;
    bool best_of_lane; /* of each line: of the campaigns of one lane only the one that takes most off it */
    enum rounding rounding;
    enum base percent_base, thresholds;
    bool fold_codes;
    int64_t offers_within_ppm; /* what may be missing of what is needed, to be offered */
};
/* v: shop.lua `policies`; NULL: defaults. policies_own: those of a campaign, over the shop's, which stand in *out. */
int policies_compile(struct spec *s, const struct json_value *v, struct policies *out);
int policies_own(struct spec *s, const struct spec_node *n, struct policies *out);

/* --- exclude.c: who does not combine with whom ------------------------------------------------------------------------- */
int exclusions_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c);
int exclusions_link(struct spec *s, struct quote_rules *r); /* when all are known; a name that is nobody's is an error */
/* Why two may not apply together: "alone", "group", "not_with"; NULL: they may. */
const char *excludes(const struct quote_campaign *a, const struct quote_campaign *b);

/* --- shipping --------------------------------------------------------------------------------------------------------- */
struct shipping_rate {
    int64_t up_to_g, over_minor; /* -1: not asked */
    int64_t price_minor;
};
struct shipping_option {
    struct slice id, title;
    struct names regions; /* none: everywhere */
    const struct shipping_rate *rates;
    uint32_t rate_count;
};

/* --- tax ---------------------------------------------------------------------------------------------------------------- */
struct tax_rate {
    struct slice title;
    struct names regions;         /* none: everywhere */
    const struct selector *scope; /* NULL: every line */
    bool shipping;                /* of what shipping costs, and of no line */
    int64_t rate_ppm;
};
struct taxes {
    bool known, included, per_unit;
    symbol default_region; /* of carts that name none; 0 = none */
    const struct tax_rate *rates;
    uint32_t rate_count;
};
int tax_compile(struct spec *s, const struct json_value *v, bool has_rules, bool per_unit, struct taxes *out);

int shipping_compile(struct spec *s, const struct json_value *v, const struct shipping_option **out, uint32_t *count);

/* --- all of it -------------------------------------------------------------------------------------------------------- */
/* may_stop: a campaign's; the shop itself is not stopped. *out NULL when nothing is watched. */
int customer_share_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c);
int shares_link(struct spec *s, struct quote_rules *r); /* when all are in their order */
int watch_compile(struct spec *s, const struct spec_node *n, bool may_stop, const struct quote_watch **out);

struct quote_campaign {
    struct window window;
    const struct quote_watch *watch;    /* NULL: nothing */
    int64_t share_ppm, share_up_to_ppm; /* of the customers it is for; 0 = all. It begins with the first, and may go up to the second */
    const struct selector *scope;       /* NULL: every line */
    const struct policies *policies;
    const struct condition *when; /* all of them */
    const struct action *give;
    uint32_t when_count, give_count;
    enum stage stage;
    bool refuse_on_failure;
    enum lane lane;
    enum stop stop;
    const struct limits *limits; /* NULL: none */
    int64_t pay_within_ms;       /* how long an order with it waits for its money; 0 = as the shop says */
    bool alone;                  /* nothing else applies with it */
    symbol group;                /* "group:NAME": at most one of a group applies; 0 = of none */
    symbol self;                 /* its id, where some not_with names it; else 0 */
    struct names not_with;       /* selves and groups that it does not combine with, whichever says so */
    bool hides;                  /* a gate: shows what it closes as not for sale, instead of refusing the cart */
    struct slice because;        /* a gate: why, for the shopper */
    int64_t priority;
    struct slice id, title, at, owner;
    struct slice id_json, title_json; /* with quotes, ready to be written */
};

struct coded { /* a campaign that takes a code */
    symbol code;
    uint32_t campaign;
};
int codes_link(struct spec *s, struct quote_rules *r); /* codes.c: when the campaigns are in order */

struct quote_rules {
    struct arena arena; /* everything below */
    const struct quote_watch *watch;
    uint32_t *shares; /* campaigns that are for a share of the customers */
    size_t share_count;
    struct currency currency;
    const struct zone *zone;
    struct symbols *symbols;
    struct policies policies;
    struct quote_campaign *campaigns; /* in the order of application: stage, priority downwards, id */
    struct index *gate_index, *index;
    uint32_t *rank;           /* by campaign: its place in by_id */
    uint32_t *by_id;          /* campaign numbers, by id */
    size_t count, gate_count; /* the first gate_count are gates */
    bool price_stage;         /* one at least changes prices */
    bool any_units_once;      /* policy units = once, of the shop or of a campaign */
    bool any_exclusion;       /* one at least is alone, of a group, or not_with another */
    const struct shipping_option *shipping;
    uint32_t shipping_count;
    struct taxes taxes;
    struct quote_rule_list pricing, shipping_rates, tax_rates;
    const uint32_t *facts; /* that they can ask for */
    size_t fact_count;
    const struct coded *coded; /* by code, then campaign */
    size_t coded_count;
    const struct quote_question *questions;
    size_t question_count;
    const struct quote_fact_type *fact_types; /* all there are */
    size_t fact_type_count;
};
