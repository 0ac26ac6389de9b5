/* What units cost, SKU by SKU: thousands of them in one campaign of the stage price. A unit that costs less stays as it is. */
#include "quote/run_int.h"
#include <stdlib.h>

enum { PRICES_MAX = 200000 };

struct row {
    symbol sku;
    size_t number; /* in the list as it was written, from 1 */
    int64_t price_minor;
};

static int by_sku(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->sku != y->sku)
        return x->sku < y->sku ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int sku_read(struct spec *s, const struct spec_node *n, struct slice text, struct row *out)
{
    if (text.len == 0 || text.len > 64)
        return spec_error(s, n, "is no SKU; a SKU has 1 to 64 bytes");
    out->sku = symbols_intern(s->symbols, text);
    return out->sku ? 0 : spec_nomem(s);
}

/* {"TEA": "9.90"}, or [{"sku": "TEA", "price": "9.90"}]: further columns of a table are nobody's business here. */
static int row_read(struct spec *s, const struct spec_node *list, const struct json_value *v, struct row *out)
{
    struct spec_node one = spec_element(list, v, out->number), price = one;
    struct slice text = v->key;
    char key[65];
    if (list->v->type == JSON_OBJECT) {
        size_t n = text.len < sizeof key ? text.len : sizeof key - 1;
        memcpy(key, text.data, n);
        key[n] = '\0';
        price = (struct spec_node){ .up = list, .v = v, .key = key, .depth = list->depth + 1 };
        int rc = sku_read(s, &price, text, out);
        return rc < 0 ? rc : spec_money(s, &price, 0, &out->price_minor);
    }
    struct spec_node sku = spec_member(&one, "sku");
    price = spec_member(&one, "price");
    if (v->type != JSON_OBJECT || !json_is_string(sku.v, &text))
        return spec_error(s, &one, "has no sku; each row has sku = \"TEA\" and price = \"9.90\"");
    int rc = sku_read(s, &sku, text, out);
    return rc < 0 ? rc : spec_money(s, &price, 0, &out->price_minor);
}

static int keep(struct spec *s, const struct spec_node *n, const struct row *rows, size_t count, struct action *out)
{
    struct price_list *list = spec_array(s, 1, sizeof *list);
    symbol *skus = spec_array(s, count, sizeof *skus);
    int64_t *prices = spec_array(s, count, sizeof *prices);
    if (!list || !skus || !prices)
        return ERR_NOMEM;
    list->skus = (struct selector){ .kind = SELECT_SKU, .names = { .items = skus, .count = (uint32_t)count } };
    list->prices_minor = prices;
    for (size_t i = 0; i < count; i++) {
        if (i && rows[i].sku == rows[i - 1].sku) {
            struct spec_node again = spec_element(n, NULL, rows[i].number);
            return spec_error(s, &again, "\"%.*s\" has a price already, in row %zu; leave one of them out",
                              SLICE_FMT(symbols_name(s->symbols, rows[i].sku)), rows[i - 1].number);
        }
        skus[i] = rows[i].sku;
        prices[i] = rows[i].price_minor;
        list->skus.names.bloom |= symbol_bit(skus[i]);
    }
    out->prices = list;
    return 0;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "prices", NULL };
    struct spec_node prices = spec_member(n, "prices");
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    if (!prices.v || (prices.v->type != JSON_OBJECT && prices.v->type != JSON_ARRAY))
        return spec_error(s, &prices, "says no prices; write prices = { [\"TEA\"] = \"9.90\" }, or rows with sku and price");
    if (prices.v->count == 0)
        return spec_error(s, &prices, "is empty; name at least one price, or leave the campaign out");
    if (prices.v->count > PRICES_MAX)
        return spec_error(s, &prices, "has %u prices; %d are the most", prices.v->count, PRICES_MAX);
    struct row *rows = malloc(prices.v->count * sizeof *rows); /* not kept with the rules */
    size_t count = 0;
    if (!rows)
        return spec_nomem(s);
    for (const struct json_value *v = prices.v->first; v && rc == 0; v = v->next) {
        rows[count] = (struct row){ .number = count + 1 };
        rc = row_read(s, &prices, v, &rows[count++]);
    }
    qsort(rows, count, sizeof *rows, by_sku);
    if (rc == 0)
        rc = keep(s, &prices, rows, count, out);
    free(rows);
    return rc;
}

/* -1: it is not in the list. */
static int64_t price_of(const struct price_list *list, symbol sku)
{
    const struct names *n = &list->skus.names;
    uint32_t low = 0, high = n->bloom & symbol_bit(sku) ? n->count : 0;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (n->items[mid] == sku)
            return list->prices_minor[mid];
        if (n->items[mid] < sku)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct quote_set set = eval_target(e, a);
    int rc = 0;
    for (size_t i = 0; i < set.count && rc == 0; i++) {
        uint32_t line = set.lines[i];
        int64_t price = price_of(a->prices, e->cart->lines[line].product.sku);
        if (price >= 0 && e->remaining[line] > price)
            rc = eval_take(e, line, e->remaining[line] - price, 0, slice_str(""), err);
    }
    return rc;
}

const struct action_type price_list_type = { "price_list", STAGE_PRICE, false, compile, apply, NULL, NULL, NULL };
