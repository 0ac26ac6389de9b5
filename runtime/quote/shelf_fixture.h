/* quote/shelf_fixture.h - for the tests of this folder: products that are not in the cart, and what is left of them. */
#pragma once
#include "quote/fixture.h"

struct shelf {
    struct fixture *f;
    const struct json_value *products;
    int asked;
};

static inline bool shelf_product(void *ctx, symbol sku, struct quote_extra *out)
{
    struct shelf *s = ctx;
    struct slice name = symbols_name(s->f->symbols, sku);
    s->asked++;
    for (const struct json_value *v = s->products->first; v; v = v->next) {
        if (!slice_eq(v->key, name))
            continue;
        *out = (struct quote_extra){ .product = { .sku = sku, .title = fixture_text(v, "title") }, .for_sale = true };
        out->product.price_minor = fixture_int(v, "price", 0);
        out->product.compare_at_minor = fixture_int(v, "compare_at", 0);
        out->product.weight_g = fixture_int(v, "g", 0);
        out->product.categories = fixture_categories(s->f, fixture_text(v, "category"), &out->product.category_count);
        out->product.tags = fixture_symbols(s->f, json_get(v, "tags"), &out->product.tag_count);
        out->left = fixture_int(v, "left", INT64_MAX);
        return true;
    }
    return false;
}

/* {'MUG': {'price': 3900, 'left': 2, 'g': 300}}; without left it is not counted. */
static inline void shelf_fill(struct shelf *s, struct fixture *f, const char *products)
{
    *s = (struct shelf){ f, fixture_json(&f->arena, products), 0 };
    f->hooks = (struct quote_hooks){ .ctx = s, .product = shelf_product };
}

/* "MUG 1 3900-3900 cups; CARD 2 0-0 cards": the lines that have an origin, with quantity, subtotal, discount and whose they are. */
static inline const char *shelf_given(struct fixture *f)
{
    struct buf b;
    buf_init(&b, NULL);
    for (size_t i = 0; i < f->cart.line_count; i++) {
        const struct quote_line *l = &f->cart.lines[i];
        if (l->origin == 0)
            continue;
        buf_printf(&b, "%s%.*s %lld %lld-%lld %.*s", b.len ? "; " : "", SLICE_FMT(symbols_name(f->symbols, l->product.sku)),
                   (long long)l->qty, (long long)l->subtotal_minor, (long long)l->discount_minor,
                   SLICE_FMT(quote_campaign_id(f->rules, l->origin - 1)));
        assert_int_equal(l->subtotal_minor - l->discount_minor, l->total_minor);
        assert_int_equal(l->gift, i >= f->cart.line_count - f->cart.gift_count);
    }
    const char *text = arena_strdup(&f->arena, b.len ? buf_slice(&b) : slice_str(""));
    buf_release(&b);
    return text;
}

static inline const char *shelf_price(struct fixture *f, const char *cart)
{
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    return shelf_given(f);
}
