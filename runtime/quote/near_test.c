#include "quote/fixture.h"

static int run(struct fixture *f, const char *cart, bool offers, bool all)
{
    struct quote_cart *c = fixture_cart(f, cart);
    arena_reset(&f->run);
    err_clear(&f->err);
    c->explain_all = all;
    c->wants_offers = offers;
    return quote_price(f->rules, c, &f->hooks, &f->run, &f->result, &f->err);
}

static const struct quote_near *offer_of(struct fixture *f, const char *id)
{
    for (size_t i = 0; i < f->result.near_count; i++)
        if (slice_is(quote_campaign_id(f->rules, f->result.near[i].campaign), id))
            return &f->result.near[i];
    return NULL;
}

static int64_t more_of(struct fixture *f, const char *id)
{
    const struct quote_near *n = offer_of(f, id);
    return n ? n->needed - n->seen : 0;
}

#define TEN "'give': {'percent_off': {'percent': 10}}"

static void what_is_offered(struct fixture *f, const char *campaign, const char *cart, int64_t more)
{
    char spec[1024];
    snprintf(spec, sizeof spec, "[{'id': 'x', %s}]", campaign);
    fixture_rules(f, spec);
    for (int all = 0; all < 2; all++) {
        assert_int_equal(run(f, cart, true, all), 0);
        if (more_of(f, "x") != more)
            fail_msg("%s: %s: offered %lld, not %lld", campaign, cart, (long long)more_of(f, "x"), (long long)more);
    }
    assert_int_equal(run(f, cart, false, false), 0);
    assert_int_equal(f->result.near_count, 0);
}

static const char eighty[] = "{'lines': [{'sku': 'A', 'price': 4000, 'qty': 2}]}";

static void one_threshold_that_is_near_is_offered(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *campaign;
        int64_t more;
    } cases[] = {
        { "'when': {'subtotal': {'at_least': '100.00'}}, " TEN, 2000 },
        { "'when': {'subtotal': {'at_least': '114.28'}}, " TEN, 3428 },
        { "'when': {'subtotal': {'at_least': '114.29'}}, " TEN, 0 }, /* 34.29 is more than 30 % of it */
        { "'when': {'subtotal': {'at_least': '80.00'}}, " TEN, 0 },  /* it applies */
        { "'when': {'qty': {'at_least': 3}}, " TEN, 1 },             /* one unit is always within reach */
        { "'when': {'qty': {'at_least': 4}}, " TEN, 0 },
        { "'when': {'subtotal': {'at_least': '100.00', 'of': {'sku': 'A'}}, 'qty': {'at_least': 2}}, " TEN, 2000 },
        { "'when': {'subtotal': {'at_least': '100.00'}, 'qty': {'at_least': 3}}, " TEN, 0 }, /* two are missing */
        { "'when': [{'subtotal': {'at_least': '100.00'}}, {'coupon': 'X'}], " TEN, 0 },      /* a code that was not typed */
        { "'codes': ['X'], 'when': {'subtotal': {'at_least': '100.00'}}, " TEN, 0 },
        { "'when': [{'subtotal': {'at_least': '100.00'}}, {'qty': {'at_most': 2}}], " TEN, 0 }, /* buying more would break it */
        { "'when': [{'subtotal': {'at_least': '100.00'}}, {'none': [{'sku': 'B'}]}], " TEN, 0 },
        { "'when': {'any': [{'subtotal': {'at_least': '100.00'}}, {'sku': 'B'}]}, " TEN, 0 },
        { "'scope': {'sku': 'B'}, 'when': {'subtotal': {'at_least': '100.00', 'of': {'sku': 'A'}}}, " TEN, 0 },
        { "'window': {'from': '2099-01-01 00:00'}, 'when': {'subtotal': {'at_least': '100.00'}}, " TEN, 0 },
        { "'when': [{'subtotal': {'at_least': '100.00'}}, {'channel': 'pos'}], " TEN, 0 },
        { "'when': [{'subtotal': {'at_least': '100.00'}}, {'fn': 1}], " TEN, 0 },
        { "'give': {'buy_get': {'buy': 2, 'get': 1}}", 1 },
        { "'give': {'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1}}", 0 },
        { "'give': {'n_for': {'n': 3, 'price': '99.00'}}", 1 },
        { "'give': {'nth_unit': {'n': 3, 'percent': 50}}", 0 },
        { "'give': {'amount_off': {'amount': '10.00', 'every': '100.00'}}", 2000 },
        { "'give': {'amount_off': {'amount': '10.00', 'every': '45.00'}}", 1000 },
        { "'give': {'amount_off': {'amount': '10.00', 'every': '45.00', 'cap': '10.00'}}", 0 },
        { "'give': {'tiered': {'by': 'amount', 'steps': [{'at': '50.00', " TEN "}, {'at': '90.00', " TEN "}]}}", 1000 },
        { "'give': {'tiered': {'steps': [{'at': 3, " TEN "}]}}", 1 },
        { "'when': {'subtotal': {'at_least': '100.00'}}, 'give': {'buy_get': {'buy': 5, 'get': 1}}", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        what_is_offered(f, cases[i].campaign, eighty, cases[i].more);
    what_is_offered(f, "'codes': ['X'], 'when': {'subtotal': {'at_least': '100.00'}}, " TEN,
                    "{'lines': [{'sku': 'A', 'price': 4000, 'qty': 2}], 'codes': ['x']}", 2000);
}

static void how_near_is_a_policy(void **state)
{
    struct fixture *f = *state;
    static const char rules[] = "[{'id': 'x', 'when': {'subtotal': {'at_least': '160.00'}}, " TEN "}]";
    const struct {
        const char *policies;
        int64_t more;
    } cases[] = { { NULL, 0 }, { "{'offers_within': 50}", 8000 }, { "{'offers_within': 49.9}", 0 }, { "{'offers_within': 100}", 8000 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_build(f, rules, cases[i].policies, NULL), 0);
        assert_int_equal(run(f, eighty, true, false), 0);
        assert_int_equal(more_of(f, "x"), cases[i].more);
    }
    assert_int_equal(fixture_build(f, rules, "{'offers_within': -1}", NULL), ERR_INVALID);
}

static void a_threshold_sees_what_those_before_have_left(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', " TEN "}, {'id': 'x', 'stage': 'order', 'when': {'subtotal': {'at_least': '100.00'}}, 'give': "
                     "{'amount_off': {'amount': '5.00'}}}]");
    assert_int_equal(run(f, eighty, true, false), 0);
    assert_int_equal(more_of(f, "x"), 10000 - 7200);
}

static void what_is_stopped_is_not_offered(void **state)
{
    struct fixture *f = *state;
    static const struct slice stopped[] = { SLICE_LIT("x") };
    fixture_rules(f, "[{'id': 'x', 'when': {'subtotal': {'at_least': '100.00'}}, " TEN "}]");
    struct quote_cart *c = fixture_cart(f, eighty);
    c->explain_all = false;
    c->wants_offers = true;
    c->stopped = stopped;
    c->stopped_count = 1;
    assert_int_equal(quote_price(f->rules, c, &f->hooks, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.near_count, 0);
}

static bool used(void *ctx, struct slice account, int64_t *left)
{
    *left = *(const int64_t *)ctx;
    return slice_is(account, "campaign/x/uses");
}

static void what_is_used_up_is_not_offered(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'limits': {'uses': 5}, 'when': {'subtotal': {'at_least': '100.00'}}, " TEN "}]");
    for (int64_t balance = -5; balance <= -4; balance++) {
        f->hooks = (struct quote_hooks){ .ctx = &balance, .left = used };
        assert_int_equal(run(f, eighty, true, false), 0);
        assert_int_equal(f->result.near_count, balance == -5 ? 0 : 1);
        assert_int_equal(f->cart.left_count, 0); /* who only looks leaves no evidence */
    }
}

static void the_nearest_come_first_and_are_few(void **state)
{
    struct fixture *f = *state;
    char spec[8000] = "[";
    for (int i = 0; i < 40; i++)
        snprintf(spec + strlen(spec), sizeof spec - strlen(spec), "%s{'id': 'c%02d', 'when': {'subtotal': {'at_least': '%d.00'}}, " TEN "}",
                 i ? ", " : "", i, 81 + (i * 7 + 3) % 40);
    snprintf(spec + strlen(spec), sizeof spec - strlen(spec), "]");
    fixture_rules(f, spec);
    assert_int_equal(run(f, eighty, true, false), 0);
    assert_int_equal(f->result.near_count, QUOTE_NEAR_MAX);
    for (size_t i = 0; i < f->result.near_count; i++)
        assert_int_equal(f->result.near[i].needed, 8100 + 100 * (int64_t)i);
    assert_int_equal(f->result.outcome_count, 0); /* they had no turn */
}

static void an_offer_is_written(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f,
                  "[{'id': 'x', 'title': 'X', 'when': {'subtotal': {'at_least': '100.00'}}, 'give': {'amount_off': {'amount': '20.00'}}}]");
    assert_int_equal(run(f, eighty, true, false), 0);
    assert_non_null(strstr(fixture_answer(f), "\"offers\":[{\"campaign\":\"x\",\"title\":\"X\",\"code\":\"subtotal_more\",\"more\":2000,"
                                              "\"needed\":10000,\"seen\":8000,\"gives\":{\"action\":\"amount_off\",\"amount\":2000}}]"));
    assert_int_equal(run(f, eighty, false, false), 0);
    assert_null(strstr(fixture_answer(f), "\"offers\""));
}

/* --- who buys what was offered gets it -------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static int below(uint64_t *seed, int n)
{
    return (int)(next(seed) % (uint64_t)n);
}

/* Its discount must grow, or begin. */
static void campaign_make(uint64_t *seed, char out[400])
{
    const char *scope = below(seed, 2) ? "'scope': {'sku': ['A', 'B']}, " : "";
    int amount = 20 + below(seed, 200), n = 2 + below(seed, 6);
    switch (below(seed, 7)) {
    case 0:
        snprintf(out, 400, "%s'when': {'subtotal': {'at_least': '%d.00'}}, " TEN, scope, amount);
        break;
    case 1:
        snprintf(out, 400, "%s'when': {'qty': {'at_least': %d}}, 'give': {'amount_off': {'amount': '3.00'}}", scope, n);
        break;
    case 2:
        snprintf(out, 400, "%s'give': {'buy_get': {'buy': %d, 'get': 1}}", scope, n);
        break;
    case 3:
        snprintf(out, 400, "%s'give': {'n_for': {'n': %d, 'price': '0.50'}}", scope, n);
        break;
    case 4:
        snprintf(out, 400, "%s'give': {'amount_off': {'amount': '2.00', 'every': '%d.00'}}", scope, amount);
        break;
    case 5:
        snprintf(out, 400,
                 "%s'give': {'tiered': {'by': 'amount', 'steps': [{'at': '%d.00', " TEN "}, {'at': '%d.00', 'give': {'percent_off': "
                 "{'percent': 30}}}]}}",
                 scope, amount, amount + 10);
        break;
    default:
        snprintf(out, 400,
                 "%s'when': [{'sku': 'A'}, {'any': [{'subtotal': {'at_least': '%d.00'}}, {'sku': 'C'}]}, {'qty': {'at_least': %d}}], " TEN,
                 scope, amount, n);
    }
}

static void who_buys_what_was_offered_gets_it(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 7;
    int offered = 0, quiet = 0;
    for (int round = 0; round < 6000; round++) {
        char campaign[400], spec[512], cart[600], grown[700];
        campaign_make(&seed, campaign);
        snprintf(spec, sizeof spec, "[{'id': 'x', %s}]", campaign);
        arena_reset(&f->arena);
        fixture_rules(f, spec);
        snprintf(cart, sizeof cart, "{'lines': [{'sku': 'A', 'price': %d, 'qty': %d}, {'sku': '%s', 'price': %d, 'qty': %d}",
                 100 + below(&seed, 4000), 1 + below(&seed, 4), below(&seed, 2) ? "B" : "C", 100 + below(&seed, 6000), 1 + below(&seed, 4));
        snprintf(grown, sizeof grown, "%s]}", cart);
        assert_int_equal(run(f, grown, true, false), 0);
        const struct quote_near *n = offer_of(f, "x");
        int64_t before = f->result.discount_minor, total = f->result.total_minor;
        int64_t more = n ? n->needed - n->seen : 0;
        bool money = n && n->money;
        assert_int_equal(run(f, grown, false, false), 0);
        assert_int_equal(f->result.total_minor, total); /* looking changes nothing */
        if (!n) {
            quiet++;
            continue;
        }
        offered++;
        for (int less = 0; less < 2;
             less++) { /* what was offered, and one less than that; units dearer than any, or others would be rewarded */
            int64_t buys = more - less;
            if (buys > 0)
                snprintf(grown, sizeof grown, "%s, {'sku': 'B', 'price': %lld, 'qty': %lld}]}", cart, money ? (long long)buys : 7000LL,
                         money ? 1LL : (long long)buys);
            else
                snprintf(grown, sizeof grown, "%s]}", cart);
            assert_int_equal(run(f, grown, false, true), 0);
            bool reached = f->result.discount_minor > before;
            if (!less && !reached)
                fail_msg("%s: %s: %lld more gave nothing (%s)", campaign, grown, (long long)more, fixture_reason(f, "x"));
            if (less && before == 0 && reached)
                fail_msg("%s: %s: less than %lld is enough", campaign, grown, (long long)more);
        }
    }
    assert_true(offered > 300 && quiet > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_threshold_that_is_near_is_offered),
        TEST(how_near_is_a_policy),
        TEST(a_threshold_sees_what_those_before_have_left),
        TEST(what_is_stopped_is_not_offered),
        TEST(the_nearest_come_first_and_are_few),
        TEST(an_offer_is_written),
        TEST(what_is_used_up_is_not_offered),
        TEST(who_buys_what_was_offered_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
