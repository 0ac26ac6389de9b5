/* host/past/stand.h - a Lua state in which carts of the past are priced, beside the shop: under rules that were live once, or that never
 * were. It counts in nobody's figures, asks nothing, logs nothing, and has none of the secrets of settings, which rules can't use. What a
 * rule does ask beyond its cart is whether the shop signed an input: the shop's own secret is in its store, beside the orders. One thread
 * at a time. */
#pragma once
#include "host/shop.h"

/* The rules of generations that were live, built once for all threads that compute; the last few stay. */
struct past_rules;
int past_rules_open(struct shop *s, struct past_rules **out, struct err *err);
void past_rules_close(struct past_rules *p);
/* Counted. conn: the thread's. What can't be built any more is an error, and stays one. */
int past_rules_find(struct past_rules *p, struct store_conn *conn, struct slice generation, struct generation **out, struct err *err);
/* Rules that are not in the store; src is taken on success. */
int past_rules_build(struct shop *s, struct sources *src, struct generation **out, struct err *err);

struct stand;
/* Counts g up. Rules that were never live verify what plugins signed and sign nothing. */
int stand_open(struct shop *s, struct generation *g, bool was_live, struct stand **out, struct err *err);
void stand_close(struct stand *s);
struct generation *stand_generation(const struct stand *s);
/* For rules that give goods of which the cart does not say what they were: they are as in this catalogue, and there are enough of them. It
 * must outlive the stand. Without one nothing else is given. */
void stand_give(struct stand *s, struct catalogue_snapshot *catalogue);
bool stand_wanted_to_sign(const struct stand *s); /* in what it priced last: a rule asked for a signature, and got none */
/* cart → result, in the arena. What is left of accounts is what the cart says; `left` answers for those that it does not know, and may be
 * NULL. As quote_price(). */
typedef bool (*stand_left)(void *ctx, struct slice account, int64_t *left);
int stand_price(struct stand *s, struct quote_cart *cart, stand_left left, void *ctx, struct arena *arena, struct quote_result *out,
                struct err *err);

/* The stands of one thread: a few generations, the least used makes room. */
enum { STANDS_MAX = 3 };
struct stands {
    struct shop *shop;
    struct past_rules *rules;
    struct stand *list[STANDS_MAX]; /* the last used first */
};
int stands_find(struct stands *s, struct store_conn *conn, struct slice generation, struct stand **out, struct err *err);
void stands_release(struct stands *s);
