/* The index brings up what can apply, and nothing is lost: prices with it are those without it. */
#include "quote/fixture.h"
#include "quote/run_int.h"

static struct quote_cart *cart_of(struct fixture *f, const char *text, bool all)
{
    struct quote_cart *c = fixture_cart(f, text);
    c->explain_all = all;
    return c;
}

static size_t looked_at(struct fixture *f, const char *cart)
{
    arena_reset(&f->run);
    if (quote_price(f->rules, cart_of(f, cart, false), &f->hooks, &f->run, &f->result, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return f->result.outcome_count;
}

/* Ten thousand of each kind, of which a cart can meet one or two. */
static void what_cannot_apply_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[] = {
        "'scope': {'sku': 'SKU-%d'}",
        "'scope': {'all': [{'tag': 'tea'}, {'brand': 'B%d'}]}",
        "'codes': ['CODE%d']",
        "'scope': {'tag': 'tea'}, 'when': {'customer_tag': 'vip%d'}",
        "'when': {'subtotal': {'at_least': '%d.00'}}",
        "'window': {'from': '2025-01-01 00:00', 'to': '2025-06-01 00:%02d'}",
        "'scope': {'tag': 'tea'}, 'when': {'all': [{'qty': {'at_least': 1, 'of': {'sku': 'Q%d'}}}]}",
        "'when': {'any': [{'channel': 'app%d'}, {'region': 'R%d'}]}",
        "'when': {'nth_order': {'n': %d}}",
    };
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        struct buf b;
        buf_init(&b, NULL);
        buf_printf(&b, "[{'id': 'always', 'give': {'percent_off': {'percent': 1}}}");
        for (int i = 0; i < 2000; i++) {
            char part[200];
            int n = kind == 5 ? i % 60 : i + 200;
            snprintf(part, sizeof part, kinds[kind], n, n); // NOLINT
            buf_printf(&b, ",{'id': 'c%d', %s, 'give': {'percent_off': {'percent': 1}}}", i, part);
        }
        buf_printf(&b, "]");
        fixture_rules(f, arena_strdup(&f->arena, buf_slice(&b)));
        buf_release(&b);
        size_t n = looked_at(
            f,
            "{'lines': [{'sku': 'SKU-207', 'tags': ['tea'], 'brand': 'B300', 'price': 10000, 'qty': 2}, {'sku': 'Q400', 'tags': ['tea'], "
            "'price': 2, 'qty': 2}], 'codes': [' code444 '], 'customer_tags': ['vip555'], 'channel': 'app777', 'customer': 'ann', "
            "'facts': {'orders': 665}}");
        size_t due = kind == 5 ? 1 : 2;
        if (n != due)
            fail_msg("kind %zu: %zu looked at, not %zu", kind, n, due);
    }
}

static void a_window_is_found_while_it_is_open(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "[{'id': 'x', 'window': {'from': '2025-01-01 00:00'}, 'give': {'percent_off': {'percent': 1}}}");
    for (int i = 0; i < 500; i++)
        buf_printf(&b,
                   ",{'id': 'c%d', 'window': {'from': '2025-03-01 %02d:%02d', 'to': '2025-03-%02d %02d:%02d'}, 'give': {'percent_off': "
                   "{'percent': 1}}}",
                   i, i / 60, i % 60, 1 + i % 7 / 3, 12 + i % 11, i % 60);
    buf_printf(&b, "]");
    fixture_rules(f, arena_strdup(&f->arena, buf_slice(&b)));
    buf_release(&b);
    for (int minute = -30; minute < 3000; minute += 7) {
        struct quote_cart *c = cart_of(f, "{'lines': [{'sku': 'A', 'price': 100}]}", false);
        c->at_ms = 1740758400000 + minute * 60000L; /* 2025-03-01 00:00 in Shanghai */
        size_t due = 0;
        for (size_t i = 0; i < quote_rules_count(f->rules); i++)
            due += f->rules->campaigns[i].window.from_ms <= c->at_ms && c->at_ms < f->rules->campaigns[i].window.to_ms;
        arena_reset(&f->run);
        assert_int_equal(quote_price(f->rules, c, NULL, &f->run, &f->result, &f->err), 0);
        assert_int_equal(f->result.outcome_count, due);
    }
}

static void gates_are_found_by_their_lines_and_never_by_who_may(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'gate': true, 'id': 'g', 'scope': {'sku': 'A'}, 'when': {'customer_tag': 'vip'}, 'reason': 'For members.'},"
                     "{'gate': true, 'id': 'h', 'scope': {'sku': 'B'}, 'when': {'customer_tag': 'vip'}, 'reason': 'For members.'}]");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 100}]}"), ERR_INVALID);
    looked_at(f, "{'lines': [{'sku': 'C', 'price': 100}]}");
    assert_int_equal(f->result.gate_count, 0);
}

/* --- random rules ------------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 7;
static int below(int n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (unsigned)n);
}

static void selector_put(struct buf *b, int depth)
{
    static const char *const leaves[] = { "sku", "brand", "tag", "category" };
    int kind = below(depth > 2 ? 4 : 7);
    if (kind < 4) {
        buf_printf(b, "{'%s': ['n%d', 'n%d']}", leaves[kind], below(6), below(6));
        return;
    }
    static const char *const groups[] = { "all", "any", "none" };
    buf_printf(b, "{'%s': [", groups[kind - 4]);
    for (int i = 0, n = 1 + below(2); i < n; i++) {
        buf_printf(b, i ? "," : "");
        selector_put(b, depth + 1);
    }
    buf_printf(b, "]}");
}

static void condition_put(struct buf *b, int depth)
{
    static const char *const named[] = { "customer_tag", "coupon", "channel", "region" };
    static const char *const groups[] = { "all", "any", "none" };
    int kind = below(depth > 2 ? 7 : 10);
    if (kind < 4) {
        buf_printf(b, "{'%s': 'n%d'}", named[kind], below(4));
    } else if (kind == 4) {
        selector_put(b, 2);
    } else if (kind < 7) {
        buf_printf(b, kind == 5 ? "{'subtotal': {'at_least': '%d.00'" : "{'qty': {'at_least': %d", below(kind == 5 ? 60 : 5));
        if (below(2)) {
            buf_printf(b, ", 'of': ");
            selector_put(b, 1);
        }
        buf_printf(b, "}}");
    } else {
        buf_printf(b, "{'%s': [", groups[kind - 7]);
        for (int i = 0, n = 1 + below(2); i < n; i++) {
            buf_printf(b, i ? "," : "");
            condition_put(b, depth + 1);
        }
        buf_printf(b, "]}");
    }
}

static const char *rules_text(struct fixture *f)
{
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "[");
    for (int i = 0; i < 25; i++) {
        buf_printf(&b, "%s{'id': 'c%d', 'priority': %d, 'give': {'percent_off': {'percent': %d}}", i ? "," : "", i, below(3),
                   1 + below(20));
        if (below(2)) {
            buf_printf(&b, ", 'scope': ");
            selector_put(&b, 0);
        }
        if (below(3)) {
            buf_printf(&b, ", 'when': ");
            condition_put(&b, 0);
        }
        if (below(4) == 0)
            buf_printf(&b, ", 'window': {'%s': '2025-06-1%d 00:00'}", below(2) ? "from" : "to", below(10));
        buf_printf(&b, "}");
    }
    buf_printf(&b, "]");
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static const char *cart_text(struct fixture *f)
{
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "{'lines': [");
    for (int i = 0, n = 1 + below(4); i < n; i++)
        buf_printf(&b, "%s{'sku': 'n%d', 'brand': 'n%d', 'category': 'n%d/n%d', 'tags': ['n%d', 'n%d'], 'price': %d, 'qty': %d}",
                   i ? "," : "", below(6), below(6), below(6), below(6), below(6), below(6), below(3000), 1 + below(3));
    buf_printf(&b, "], 'codes': ['n%d'], 'customer_tags': ['n%d'], 'channel': 'n%d', 'region': 'n%d'}", below(4), below(4), below(4),
               below(4));
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static void the_index_loses_nothing(void **state)
{
    struct fixture *f = *state;
    size_t skipped = 0, applied = 0;
    for (int round = 0; round < 300; round++) {
        arena_reset(&f->arena);
        fixture_rules(f, rules_text(f));
        for (int i = 0; i < 20; i++) {
            const char *cart = cart_text(f);
            arena_reset(&f->run);
            assert_int_equal(quote_price(f->rules, cart_of(f, cart, true), NULL, &f->run, &f->result, &f->err), 0);
            int64_t total = f->result.total_minor;
            size_t all = f->result.outcome_count, n = 0;
            char ids[25][8];
            for (; n < all && f->result.outcomes[n].applied; n++)
                snprintf(ids[n], sizeof *ids, "%.*s", SLICE_FMT(quote_campaign_id(f->rules, f->result.outcomes[n].campaign)));
            skipped += all - looked_at(f, cart);
            assert_int_equal(f->result.total_minor, total);
            for (size_t k = 0; k < n; k++) {
                assert_true(f->result.outcomes[k].applied);
                assert_true(slice_is(quote_campaign_id(f->rules, f->result.outcomes[k].campaign), ids[k]));
            }
            applied += n;
        }
    }
    assert_true(skipped > 20000 && applied > 5000); /* else nothing was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_apply_is_not_looked_at),
        TEST(a_window_is_found_while_it_is_open),
        TEST(gates_are_found_by_their_lines_and_never_by_who_may),
        TEST(the_index_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
