/* Refunds by units, by amounts of lines, by amounts of the order and of the shipping, in random order, against what must be true of them:
 * the books of a customer who counts every piece and every unit of money himself. Nothing here divides: a share is right when it is the
 * nearest to the exact one, which is asked with multiplications. */
#include "bind/fixture.h"

enum { LINES_MAX = 5, ROUNDS = 250 };

struct line {
    int64_t paid, units;                       /* as placed */
    int64_t back_units, back;                  /* given back */
    int64_t pool, pool_units, from_pool, gone; /* since money last went back without units: what there was, what units took of it */
    int64_t tax, back_tax;
};

struct books {
    struct line lines[LINES_MAX];
    int count;
    int64_t shipping, back_shipping;
    char wrong[200]; /* the first thing that is not true; "" */
};

#define CLAIM(b, is_true, ...)                                                                                                             \
    do {                                                                                                                                   \
        if (!(is_true) && !(b)->wrong[0])                                                                                                  \
            snprintf((b)->wrong, sizeof(b)->wrong, __VA_ARGS__);                                                                           \
    } while (0)

static int64_t left_of(const struct line *l)
{
    return l->paid - l->back;
}

static int64_t left_of_lines(const struct books *b)
{
    int64_t sum = 0;
    for (int i = 0; i < b->count; i++)
        sum += left_of(&b->lines[i]);
    return sum;
}

/* given is whole / parts * taken, rounded to the nearest, halves up. */
static bool is_nearest(int64_t given, int64_t whole, int64_t parts, int64_t taken)
{
    __int128 off = (__int128)2 * given * parts - (__int128)2 * whole * taken;
    return off > -(__int128)parts && off <= parts;
}

static void units_came_back(struct books *b, int i, int64_t units, int64_t amount)
{
    struct line *l = &b->lines[i];
    CLAIM(b, amount >= 0, "line %d: a negative refund", i + 1);
    l->gone += units;
    l->from_pool += amount;
    l->back_units += units;
    l->back += amount;
    CLAIM(b, is_nearest(l->from_pool, l->pool, l->pool_units, l->gone), "line %d: %lld of %lld for %lld of %lld units", i + 1,
          (long long)l->from_pool, (long long)l->pool, (long long)l->gone, (long long)l->pool_units);
    CLAIM(b, l->back <= l->paid, "line %d gave back more than was paid for it", i + 1);
    CLAIM(b, l->back_units < l->units || l->back == l->paid, "line %d: the last unit did not take the rest", i + 1);
}

static void amount_came_back(struct books *b, int i, int64_t amount)
{
    struct line *l = &b->lines[i];
    CLAIM(b, amount >= 0 && amount <= left_of(l), "line %d: %lld of %lld that are left", i + 1, (long long)amount, (long long)left_of(l));
    l->back += amount;
    l->pool = left_of(l);
    l->pool_units = l->units - l->back_units;
    l->from_pool = l->gone = 0;
}

/* Each part is the exact one or the next unit, none is more than its line has left, and they add up. */
static void was_spread(struct books *b, int64_t amount, const int64_t *parts, int64_t of_shipping)
{
    int64_t all = left_of_lines(b), of_lines = amount < all ? amount : all, sum = 0;
    for (int i = 0; i < b->count; i++) {
        __int128 off = (__int128)parts[i] * all - (__int128)of_lines * left_of(&b->lines[i]);
        CLAIM(b, all == 0 || (off > -(__int128)all && off < all), "line %d bears %lld of %lld", i + 1, (long long)parts[i],
              (long long)of_lines);
        sum += parts[i];
    }
    CLAIM(b, sum == of_lines && of_shipping == amount - of_lines, "%lld and %lld of shipping are not %lld", (long long)sum,
          (long long)of_shipping, (long long)amount);
    for (int i = 0; i < b->count; i++)
        if (parts[i] > 0)
            amount_came_back(b, i, parts[i]);
    b->back_shipping += of_shipping;
}

/* --- the shop -------------------------------------------------------------------------------------------------------------- */

static int64_t any(struct random_seeded *r, int64_t from, int64_t upto)
{
    return from + (int64_t)(random_seeded_next(r) % (uint64_t)(upto - from + 1));
}

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    for (int i = 0; i < LINES_MAX; i++) {
        char sku[8];
        snprintf(sku, sizeof sku, "S%d", i);
        fixture_product(f, sku, 100, 100000);
    }
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    struct fixture *f = *state;
    fixture_books_balance(f);
    fixture_close(f);
    free(f);
    return 0;
}

/* Without tax, with tax in the prices, with tax on top. */
static void rules(struct fixture *f, int tax, int64_t off)
{
    static const char *const taxes[] = {
        NULL, "{'prices':'include','rates':[{'title':'T','percent':19},{'title':'S','percent':19,'shipping':true}]}",
        "{'prices':'exclude','rates':[{'title':'T','percent':7},{'title':'S','percent':7,'shipping':true}]}"
    };
    struct quote_rules_options o = { .currency = f->ctx.currency, .zone = f->zone, .symbols = f->symbols };
    char text[200];
    snprintf(text, sizeof text, "[{'id':'less','title':'Less','give':[{'amount_off':{'amount':'%lld.%02lld'}}]}]", (long long)(off / 100),
             (long long)(off % 100));
    o.shipping = fixture_json(&f->kept, "[{'id':'standard','title':'Standard','rates':[{'price':'4.95'}]}]");
    o.tax = taxes[tax] ? fixture_json(&f->kept, taxes[tax]) : NULL;
    quote_rules_free(f->rules);
    f->rules = NULL;
    if (quote_rules_build(fixture_json(&f->kept, text), &o, &f->rules, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static int64_t at(struct fixture *f, const char *pattern, int i, int64_t otherwise)
{
    char path[64];
    int64_t n;
    snprintf(path, sizeof path, pattern, i);
    return json_is_int(fixture_at(f->body, path), &n) ? n : otherwise;
}

/* A paid order, and the books of who bought. */
static const char *buy(struct fixture *f, struct random_seeded *r, struct books *b)
{
    char cart[1024], lines[800] = "";
    *b = (struct books){ .count = (int)any(r, 1, LINES_MAX) };
    for (int i = 0; i < b->count; i++)
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s{'sku':'S%d','qty':%lld,'price':%lld}", i ? "," : "", i,
                 (long long)any(r, 1, 9), (long long)any(r, 0, 3) * (long long)any(r, 0, 700));
    snprintf(cart, sizeof cart, "{'lines':[%s]%s}", lines, any(r, 0, 1) ? ",'option':'standard'" : "");
    rules(f, (int)any(r, 0, 2), any(r, 1, 3000));
    const char *id = fixture_order(f, cart);
    b->shipping = at(f, "shipping/payable", 0, at(f, "shipping/total", 0, 0));
    for (int i = 0; i < b->count; i++) {
        struct line *l = &b->lines[i];
        l->units = l->pool_units = at(f, "lines/%d/qty", i, 0);
        l->paid = l->pool = at(f, "lines/%d/payable", i, at(f, "lines/%d/total", i, 0));
        l->tax = at(f, "lines/%d/tax", i, 0);
    }
    if (fixture_int(f, "total") > 0)
        assert_int_equal(fixture_on(f, "orders.pay", id, "'body':{'provider':'test'},'shop':{'test_payments':true}"), 0);
    return id;
}

static void refund(struct fixture *f, const char *id, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text, "'body':{%s}", body);
    if (fixture_on(f, "orders.refund", id, text) < 0)
        fail_msg("%s: %s (%s)", body, f->err.text, f->err.field);
}

/* Of the refund that was just made. */
static const struct json_value *part_of(struct fixture *f, int line)
{
    const struct json_value *all = fixture_at(f->body, "refunds"), *last = all->first;
    while (last->next)
        last = last->next;
    for (const struct json_value *p = json_get(last, "lines")->first; p; p = p->next) {
        int64_t n;
        if (json_is_int(json_get(p, "line"), &n) && n == line + 1)
            return p;
    }
    return NULL;
}

static int64_t part(struct fixture *f, int line, const char *what)
{
    int64_t n = 0;
    json_is_int(json_get(part_of(f, line), what), &n);
    return n;
}

static int64_t shipping_part(struct fixture *f)
{
    const struct json_value *all = fixture_at(f->body, "refunds"), *last = all->first;
    int64_t n = 0;
    while (last->next)
        last = last->next;
    assert_true(json_is_int(json_get(last, "shipping"), &n));
    return n;
}

/* The document agrees with the books. */
static void compare(struct fixture *f, struct books *b)
{
    int64_t sum = b->back_shipping;
    for (int i = 0; i < b->count; i++) {
        struct line *l = &b->lines[i];
        sum += l->back;
        l->back_tax += part(f, i, "tax");
        CLAIM(b, at(f, "lines/%d/refunded", i, -1) == l->back && at(f, "lines/%d/refunded_qty", i, -1) == l->back_units,
              "line %d: the document says otherwise", i + 1);
        CLAIM(b, l->paid == 0 || is_nearest(l->back_tax, l->tax, l->paid, l->back), "line %d: %lld of its tax %lld for %lld of %lld", i + 1,
              (long long)l->back_tax, (long long)l->tax, (long long)l->back, (long long)l->paid);
    }
    CLAIM(b, fixture_int(f, "refunded") == sum && sum <= fixture_int(f, "paid"), "the sum is not what the parts are");
}

static void units(struct fixture *f, struct random_seeded *r, const char *id, struct books *b)
{
    char body[128];
    int i = (int)any(r, 0, b->count - 1);
    int64_t left = b->lines[i].units - b->lines[i].back_units;
    if (left == 0)
        return;
    int64_t n = any(r, 1, left);
    snprintf(body, sizeof body, "'lines':[{'line':%d,'qty':%lld}]", i + 1, (long long)n);
    refund(f, id, body);
    units_came_back(b, i, n, part(f, i, "amount"));
    compare(f, b);
}

static void amount(struct fixture *f, struct random_seeded *r, const char *id, struct books *b)
{
    char body[128];
    int i = (int)any(r, 0, b->count - 1);
    int64_t left = left_of(&b->lines[i]);
    snprintf(body, sizeof body, "'body':{'lines':[{'line':%d,'amount':%lld}]}", i + 1, (long long)left + 1);
    assert_int_equal(fixture_on(f, "orders.refund", id, body), ERR_CONFLICT);
    if (left == 0)
        return;
    int64_t n = any(r, 0, 3) ? any(r, 1, (left + 9) / 10) : any(r, 1, left);
    snprintf(body, sizeof body, "'lines':[{'line':%d,'amount':%lld}]", i + 1, (long long)n);
    refund(f, id, body);
    CLAIM(b, part(f, i, "amount") == n && part(f, i, "qty") == 0, "line %d: not the amount that was asked for", i + 1);
    amount_came_back(b, i, n);
    compare(f, b);
}

static void goodwill(struct fixture *f, struct random_seeded *r, const char *id, struct books *b)
{
    char body[64];
    int64_t parts[LINES_MAX] = { 0 }, left = left_of_lines(b) + b->shipping - b->back_shipping;
    snprintf(body, sizeof body, "'body':{'amount':%lld}", (long long)left + 1);
    assert_int_equal(fixture_on(f, "orders.refund", id, body), ERR_CONFLICT);
    if (left == 0)
        return;
    int64_t n = any(r, 0, 3) ? any(r, 1, (left + 9) / 10) : any(r, 1, left);
    snprintf(body, sizeof body, "'amount':%lld", (long long)n);
    refund(f, id, body);
    for (int i = 0; i < b->count; i++)
        parts[i] = part(f, i, "amount");
    was_spread(b, n, parts, shipping_part(f));
    compare(f, b);
}

static void shipping(struct fixture *f, const char *id, struct books *b)
{
    if (b->shipping == b->back_shipping) {
        assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'shipping':true}"), ERR_CONFLICT);
        return;
    }
    refund(f, id, "'shipping':true");
    CLAIM(b, shipping_part(f) == b->shipping - b->back_shipping, "not all that was left of the shipping");
    b->back_shipping = b->shipping;
    compare(f, b);
}

static void everything(struct fixture *f, const char *id, struct books *b)
{
    int64_t n = 0;
    for (int i = 0; i < b->count; i++)
        n += b->lines[i].units - b->lines[i].back_units;
    if (n + b->shipping - b->back_shipping > 0) {
        refund(f, id, "");
        for (int i = 0; i < b->count; i++)
            if (part_of(f, i))
                units_came_back(b, i, part(f, i, "qty"), part(f, i, "amount"));
        b->back_shipping += shipping_part(f);
        compare(f, b);
        CLAIM(b, fixture_int(f, "refunded") == fixture_int(f, "paid"), "everything is not all");
    }
    assert_int_equal(fixture_on(f, "orders.refund", id, ""), ERR_CONFLICT);
    for (int i = 0; i < b->count; i++)
        CLAIM(b, left_of(&b->lines[i]) == 0 && b->lines[i].back_tax == b->lines[i].tax, "line %d kept something", i + 1);
}

static void parts_of_every_kind_in_every_order_add_up_to_what_was_paid(void **state)
{
    struct fixture *f = *state;
    struct random_seeded r;
    struct books b;
    random_seeded_init(&r, 2711);
    for (int round = 0; round < ROUNDS; round++) {
        const char *id = buy(f, &r, &b);
        for (int64_t n = any(&r, 0, 12); n > 0; n--) {
            switch (any(&r, 0, 6)) {
            case 0:
                shipping(f, id, &b);
                break;
            case 1:
            case 2:
                goodwill(f, &r, id, &b);
                break;
            case 3:
            case 4:
                amount(f, &r, id, &b);
                break;
            default:
                units(f, &r, id, &b);
            }
        }
        everything(f, id, &b);
        if (b.wrong[0])
            fail_msg("round %d: %s", round, b.wrong);
        arena_reset(&f->kept);
        fixture_rules(f, NULL);
    }
    struct ledger_balance sales;
    assert_int_equal(ledger_balance_read(f->conn, slice_str("sales"), &sales, &f->err), 0);
    assert_int_equal(ledger_available(&sales), 0);
    fixture_stock_is(f, "S0", 100000, 0);
}

/* The books would tell. */
static void shares_that_are_nearly_right_are_found_out(void **state)
{
    (void)state;
    struct books b = { .count = 1, .lines = { { .paid = 1000, .units = 3, .pool = 1000, .pool_units = 3 } } };
    struct books spread = { .count = 2, .lines = { { .paid = 10, .units = 1 }, { .paid = 20, .units = 1 } } };
    units_came_back(&b, 0, 1, 333);
    units_came_back(&b, 0, 1, 333); /* each unit rounded by itself: the exact share of two is 666.67 */
    assert_non_null(strstr(b.wrong, "666 of 1000 for 2 of 3 units"));
    b = (struct books){ .count = 1, .lines = { { .paid = 1000, .units = 2, .pool = 1000, .pool_units = 2 } } };
    amount_came_back(&b, 0, 300);
    units_came_back(&b, 0, 1, 500); /* as if the amount had not been given */
    assert_non_null(strstr(b.wrong, "500 of 700 for 1 of 2 units"));
    b = (struct books){ .count = 1, .lines = { { .paid = 1000, .units = 2, .pool = 1000, .pool_units = 2 } } };
    amount_came_back(&b, 0, 1001);
    assert_non_null(strstr(b.wrong, "1001 of 1000"));
    was_spread(&spread, 8, (const int64_t[]){ 3, 5 }, 0); /* 2.67 and 5.33 */
    assert_string_equal(spread.wrong, "");
    was_spread(&spread, 11, (const int64_t[]){ 5, 6 }, 0); /* 3.5 and 7.5 */
    assert_non_null(strstr(spread.wrong, "line 1 bears 5 of 11"));
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(parts_of_every_kind_in_every_order_add_up_to_what_was_paid),
        cmocka_unit_test(shares_that_are_nearly_right_are_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
