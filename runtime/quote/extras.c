/* Products that are not in the cart, asked for by their SKU while it is priced. What was told stands in the cart, so that whoever prices it
 * again from its evidence is told the same. */
#include "quote/run_int.h"

static bool look_up(const struct quote_eval *e, symbol sku, struct quote_extra *out)
{
    const struct quote_cart *cart = e->cart;
    for (size_t i = 0; i < cart->extra_count; i++)
        if (cart->extras[i].product.sku == sku) {
            *out = cart->extras[i];
            return true;
        }
    *out = (struct quote_extra){ .product = { .sku = sku } };
    out->for_sale = e->hooks && e->hooks->product && e->hooks->product(e->hooks->ctx, sku, out);
    if (!out->for_sale)
        *out = (struct quote_extra){ .product = { .sku = sku, .title = slice_str("") } };
    return false;
}

bool extra_peek(const struct quote_eval *e, symbol sku, struct quote_extra *out)
{
    look_up(e, sku, out);
    return out->for_sale && out->left > 0;
}

/* The lists are the run's own: what the caller gave is not written to. */
static int make_room(struct quote_eval *e, struct err *err)
{
    struct quote_cart *cart = e->cart;
    if (cart->extra_count < e->extra_cap)
        return 0;
    size_t cap = 2 * cart->extra_count + 4;
    struct quote_extra *extras = arena_array(e->arena, cap, sizeof *extras);
    int64_t *room = arena_array(e->arena, cap, sizeof *room);
    if (!extras || !room)
        return eval_nomem(e, err);
    if (cart->extra_count)
        memcpy(extras, cart->extras, cart->extra_count * sizeof *extras);
    if (e->extra_cap)
        memcpy(room, e->extra_room, cart->extra_count * sizeof *room);
    cart->extras = extras;
    e->extra_room = room;
    e->extra_cap = cap;
    e->calls++; /* the memory that a trial turn used stays (turn_forget) */
    return 0;
}

/* What was bought of it is not left for anybody else. */
static int64_t room_for_gifts(const struct quote_eval *e, const struct quote_extra *x)
{
    int64_t left = x->left;
    for (size_t i = 0; i < e->cart->line_count && left != INT64_MAX; i++)
        if (e->cart->lines[i].product.sku == x->product.sku && !e->cart->lines[i].closed)
            left -= e->cart->lines[i].qty;
    return left > 0 ? left : 0;
}

int extra_ask(struct quote_eval *e, symbol sku, size_t *out, struct err *err)
{
    struct quote_cart *cart = e->cart;
    struct quote_extra found;
    int rc = make_room(e, err);
    if (rc < 0)
        return rc;
    for (; e->extra_seen < cart->extra_count; e->extra_seen++) /* that came with the cart */
        e->extra_room[e->extra_seen] = room_for_gifts(e, &cart->extras[e->extra_seen]);
    *out = 0;
    if (look_up(e, sku, &found)) {
        size_t i = 0;
        while (cart->extras[i].product.sku != sku)
            i++;
        *out = found.for_sale ? i + 1 : 0;
        return 0;
    }
    if (cart->extra_count == QUOTE_EXTRAS_MAX) /* decided by the cart and the rules alone, so it is the same when it is priced again */
        return 0;
    cart->extras[cart->extra_count++] = found;
    e->extra_room[e->extra_seen++] = room_for_gifts(e, &found);
    *out = found.for_sale ? cart->extra_count : 0;
    return 0;
}
