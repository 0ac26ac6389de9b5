/* Campaigns that are for a share of the customers: what the cart says decides, and nothing else. */
#include "quote/fixture.h"

#define LINE "{'customer': 'ann', 'lines': [{'sku': 'A', 'price': 1000}]}"

static int64_t discount(struct fixture *f, const struct quote_share *shares, size_t n)
{
    fixture_cart(f, LINE);
    f->cart.shares = shares;
    f->cart.share_count = n;
    if (quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return f->result.discount_minor;
}

static void who_is_below_the_share_is_in(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'share': 5, 'give': {'percent_off': {'percent': 10}}}]");
    static const struct {
        int64_t share, bucket, off;
    } cases[] = { { 50000, 0, 100 },        { 50000, 49999, 100 }, { 50000, 50000, 0 }, { 50000, 999999, 0 },
                  { 1000000, 999999, 100 }, { 0, 0, 0 },           { 1, 0, 100 },       { 1, 1, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quote_share one[] = { { SLICE_LIT("b"), 1000000, 0 }, { SLICE_LIT("a"), cases[i].share, cases[i].bucket } };
        assert_int_equal(discount(f, one, 2), cases[i].off);
    }
    assert_int_equal(discount(f, NULL, 0), 0); /* nobody in particular */
    struct quote_share of_another = { SLICE_LIT("b"), 1000000, 0 };
    assert_int_equal(discount(f, &of_another, 1), 0);
}

static void who_is_out_is_told_and_others_are_not_touched(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'alone': true, 'priority': 9, 'share': 50, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'b', 'give': {'percent_off': {'percent': 3}}}]");
    struct quote_share in = { SLICE_LIT("a"), 500000, 1 }, out = { SLICE_LIT("a"), 500000, 500000 };
    assert_int_equal(discount(f, &in, 1), 100);
    assert_int_equal(discount(f, &out, 1), 30);
    bool told = false;
    for (size_t i = 0; i < f->result.outcome_count; i++)
        told = told || (f->result.outcomes[i].reason && strcmp(f->result.outcomes[i].reason, "not_in_share") == 0);
    assert_true(told);
}

static void rules_say_what_it_begins_with_and_how_far_it_may_go(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'z', 'give': {'percent_off': {'percent': 1}}},"
                     " {'id': 'b', 'share': {'percent': '2.5', 'up_to': 50}, 'give': {'percent_off': {'percent': 1}}},"
                     " {'id': 'a', 'share': 7, 'give': {'percent_off': {'percent': 1}}}]");
    assert_int_equal(quote_rules_shares(f->rules), 2);
    struct quote_share_range a = quote_rules_share(f->rules, 0), b = quote_rules_share(f->rules, 1);
    assert_true(slice_is(a.campaign, "a") && slice_is(b.campaign, "b"));
    assert_true(a.first_ppm == 70000 && a.most_ppm == 70000 && b.first_ppm == 25000 && b.most_ppm == 500000);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = { { "0", "more than 0" },
                                            { "101", "at most 100" },
                                            { "{'up_to': 5}", "no percent" },
                                            { "{'percent': 5, 'up_to': 4}", "less than percent" },
                                            { "{'percent': 5, 'upto': 40}", "upto" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "[{'id': 'a', 'share': %s, 'give': {'percent_off': {'percent': 1}}}]", cases[i][0]);
        assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
        if (!strstr(f->err.text, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], f->err.text);
    }
}

static void it_is_in_the_evidence(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct quote_cart again;
    struct json_value *v;
    const struct quote_share list[] = { { SLICE_LIT("a"), 50000, 731204 }, { SLICE_LIT("b"), 1000000, 0 } };
    fixture_cart(f, LINE);
    f->cart.shares = list;
    f->cart.share_count = 2;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    static const char said[] = "\"share\":[[\"a\",50000,731204],[\"b\",1000000,0]]";
    assert_non_null(memmem(b.data, b.len, said, sizeof said - 1));
    assert_int_equal(json_parse(buf_slice(&b), NULL, &f->arena, &v, &f->err), 0);
    assert_int_equal(quote_evidence_read(f->symbols, v, &f->arena, &again, &f->err), 0);
    assert_int_equal(again.share_count, 2);
    assert_true(slice_is(again.shares[0].campaign, "a") && again.shares[0].share_ppm == 50000 && again.shares[0].bucket_ppm == 731204);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_below_the_share_is_in),
        TEST(who_is_out_is_told_and_others_are_not_touched),
        TEST(rules_say_what_it_begins_with_and_how_far_it_may_go),
        TEST(what_makes_no_sense_is_refused),
        TEST(it_is_in_the_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
