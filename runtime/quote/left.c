/* What is left of accounts that functions and limits ask about. Asked once in a quote: all rules see the same, however often they are
 * called, and so does whoever prices the cart again from its evidence. */
#include "quote/run_int.h"

static const struct quote_left *find(const struct quote_cart *cart, struct slice account)
{
    for (size_t i = 0; i < cart->left_count; i++)
        if (slice_eq(cart->left[i].account, account))
            return &cart->left[i];
    return NULL;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "There is no memory for what is left of an account.");
}

/* The list is the run's own: what the caller gave is not written to. */
static int remember(struct quote_eval *e, const struct quote_left *one, struct err *err)
{
    struct quote_cart *cart = e->cart;
    if (cart->left_count >= e->left_cap) {
        size_t cap = 2 * cart->left_count + 4;
        struct quote_left *grown = arena_array(e->arena, cap, sizeof *grown);
        if (!grown)
            return no_memory(err);
        if (cart->left_count)
            memcpy(grown, cart->left, cart->left_count * sizeof *grown);
        cart->left = e->own_left = grown;
        e->left_cap = cap;
    }
    e->own_left[cart->left_count++] = *one;
    return 0;
}

static int ask(struct quote_eval *e, struct slice account, struct quote_left *one, struct err *err)
{
    *one = (struct quote_left){ .account = arena_copy(e->arena, account) };
    one->is_known = e->hooks && e->hooks->left && e->hooks->left(e->hooks->ctx, account, &one->left);
    return one->account.data ? remember(e, one, err) : no_memory(err);
}

int left_ask(struct quote_eval *e, struct slice account, int64_t *left, struct err *err)
{
    const struct quote_left *known = find(e->cart, account);
    struct quote_left one;
    int rc = known ? 0 : ask(e, account, &one, err);
    if (rc < 0)
        return rc;
    e->left_of_limits += !known;
    known = known ? known : &one;
    *left = known->is_known ? known->left : 0;
    return known->is_known;
}

int quote_eval_left(struct quote_eval *e, struct slice account, int64_t *left, struct err *err)
{
    const struct quote_left *known = find(e->cart, account);
    struct quote_left one;
    if (!known && e->cart->left_count - e->left_of_limits >= QUOTE_LEFT_MAX)
        return err_set(err, ERR_INVALID, "the rules of one quote may ask about %d accounts at most", QUOTE_LEFT_MAX);
    int rc = known ? 0 : ask(e, account, &one, err);
    if (rc < 0)
        return rc;
    known = known ? known : &one;
    *left = known->is_known ? known->left : 0;
    return known->is_known;
}
