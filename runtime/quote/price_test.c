#include "quote/fixture.h"
#include <pthread.h>

static void wrong_carts_name_the_field(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *cart;
        int code;
        const char *field;
    } wrong[] = {
        { "{'lines': []}", ERR_INVALID, "/lines" },
        { "{'lines': [{'price': 1}, {'price': 1, 'qty': 0}]}", ERR_INVALID, "/lines/1/qty" },
        { "{'lines': [{'price': 1, 'qty': -3}]}", ERR_INVALID, "/lines/0/qty" },
        { "{'lines': [{'price': 1, 'qty': 1000001}]}", ERR_INVALID, "/lines/0/qty" },
        { "{'lines': [{'price': -1}]}", ERR_INVALID, "/lines/0/unit_price" },
        { "{'lines': [{'price': 1}, {'price': 9223372036854775807, 'qty': 2}]}", ERR_OVERFLOW, "/lines/1/qty" },
        { "{'lines': [{'price': 9223372036855, 'qty': 1000000}]}", ERR_OVERFLOW, "/lines/0/qty" },
        { "{'lines': [{'price': 9223372036854775807}, {'price': 1}]}", ERR_OVERFLOW, "/lines" },
    };
    fixture_rules(f, "[]");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fixture_try(f, wrong[i].cart), wrong[i].code);
        assert_string_equal(f->err.field, wrong[i].field);
    }
    assert_int_equal(fixture_try(f, "{'lines': [{'price': 9223372036854, 'qty': 1000000}, {'price': 775807}]}"), 0);
    assert_int_equal(f->result.total_minor, INT64_MAX);
}

static void too_many_lines_are_refused(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[]");
    fixture_cart(f, "{'lines': [{'price': 1}]}");
    f->cart.line_count = QUOTE_LINES_MAX + 1;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "/lines");
    f->cart.line_count = 1;
    f->cart.code_count = QUOTE_CODES_MAX + 1;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, NULL), ERR_INVALID);
}

static void stages_then_priority_then_id_decide_the_order(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'order', 'priority': 100, 'give': {'amount_off': {'amount': '10.00'}}},"
                     "{'id': 'b', 'priority': 1, 'give': {'percent_off': {'percent': 50}}},"
                     "{'id': 'a', 'priority': 1, 'give': {'percent_off': {'percent': 10}}},"
                     "{'id': 'first', 'priority': 2, 'give': {'percent_off': {'percent': 1}}}]");
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 10000}]}");
    static const struct {
        const char *id;
        int64_t amount;
    } expected[] = { { "first", 100 }, { "a", 990 }, { "b", 4455 }, { "order", 1000 } };
    const struct quote_discount *d = f->cart.lines[0].discounts;
    for (size_t i = 0; i < 4; i++, d = d->next) {
        assert_true(slice_is(quote_campaign_id(f->rules, d->campaign), expected[i].id));
        assert_int_equal(d->amount_minor, expected[i].amount);
        assert_int_equal(f->result.outcomes[i].amount_minor, expected[i].amount);
    }
    assert_null(d);
}

static void outcomes_list_the_applied_in_order_then_the_others_by_id(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'z', 'when': {'qty': {'at_least': 9}}, 'priority': 50, 'give': {'percent_off': {'percent': 50}}},"
                     "{'id': 'm', 'scope': {'sku': 'NO'}, 'give': {'amount_off': {'amount': '1.00'}}},"
                     "{'id': 'q', 'give': {'amount_off': {'amount': '1.00'}}}, {'id': 'p', 'give': {'percent_off': {'percent': 10}}},"
                     "{'id': 'c', 'scope': {'sku': 'NO'}, 'give': {'free_shipping': {}}}]");
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 10000}]}");
    static const char *const order[] = { "p", "q", "c", "m", "z" };
    assert_int_equal(f->result.outcome_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(slice_is(quote_campaign_id(f->rules, f->result.outcomes[i].campaign), order[i]));
}

static void a_stopped_campaign_does_not_apply_and_says_so(void **state)
{
    struct fixture *f = *state;
    const struct slice stopped[] = { SLICE_LIT("unknown"), SLICE_LIT("b"), SLICE_LIT("ship") };
    uint32_t n;
    fixture_rules(f, "[{'id': 'a', 'give': {'percent_off': {'percent': 10}}}, {'id': 'b', 'give': {'percent_off': {'percent': 50}}},"
                     "{'id': 'ship', 'give': {'free_shipping': {}}}]");
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
    f->cart.stopped = stopped;
    f->cart.stopped_count = 3;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.total_minor, 900);
    assert_int_equal(f->result.outcome_count, 3);
    assert_string_equal(f->result.outcomes[1].reason, "stopped");
    assert_string_equal(f->result.outcomes[2].reason, "stopped");
    assert_true(quote_campaign_find(f->rules, SLICE_LIT("ship"), &n) && slice_is(quote_campaign_id(f->rules, n), "ship"));
    assert_false(quote_campaign_find(f->rules, SLICE_LIT("c"), &n));
    assert_false(quote_campaign_refuses(f->rules, 0));
}

static int run_stopped(struct fixture *f, const char *stopped)
{
    struct slice list[] = { slice_str(stopped) };
    f->cart.stopped = list;
    f->cart.stopped_count = 1;
    int rc = quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err);
    f->cart.stopped_count = 0;
    return rc;
}

static void of_a_stopped_owner_what_may_be_left_out_is_and_what_may_not_refuses(void **state)
{
    struct fixture *f = *state;
    fixture_rules(
        f, "[{'id': 'a', 'owner': 'plugin/x', 'give': {'percent_off': {'percent': 10}}},"
           "{'id': 'b', 'owner': 'plugin/xy', 'give': {'percent_off': {'percent': 10}}},"
           "{'id': 'c', 'give': {'percent_off': {'percent': 10}}},"
           "{'id': 'd', 'owner': 'plugin/y', 'scope': {'sku': 'B'}, 'on_failure': 'refuse', 'give': {'percent_off': {'percent': 50}}}]");
    assert_true(slice_is(quote_campaign_owner(f->rules, 0), "plugin/x"));
    assert_int_equal(quote_campaign_owner(f->rules, 2).len, 0);
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
    assert_int_equal(run_stopped(f, "plugin/nobody"), 0);
    assert_int_equal(f->result.total_minor, 729);
    assert_int_equal(run_stopped(f, "plugin/x"), 0);
    assert_int_equal(f->result.total_minor, 810);
    assert_string_equal(f->result.outcomes[2].reason, "stopped");
    assert_int_equal(run_stopped(f, "plugin/xy/skip"), 0);
    assert_int_equal(f->result.total_minor, 810);
    /* The other's campaign must not be left out; it is needed only where its lines are. */
    assert_int_equal(run_stopped(f, "plugin/y"), 0);
    assert_int_equal(f->result.total_minor, 729);
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}, {'sku': 'B', 'price': 100}]}");
    assert_int_equal(run_stopped(f, "plugin/y"), ERR_BUSY);
    assert_string_equal(f->err.reason, "plugin_stopped");
    assert_int_equal(run_stopped(f, "plugin/y/skip"), 0);
    assert_int_equal(run_stopped(f, "d"), 0); /* stopped by its own name it is taken out, whatever it is */
}

static void a_cart_whose_prices_are_final_gets_no_campaigns(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'p', 'codes': ['AAA'], 'give': {'percent_off': {'percent': 10}}}]");
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 10000}], 'codes': ['aaa']}");
    f->cart.no_campaigns = true;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.total_minor, 10000);
    assert_int_equal(f->result.outcome_count, 0);
    assert_int_equal(f->result.unused_code_count, 1);
}

static void a_cart_can_be_priced_again_in_place(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'p', 'give': {'percent_off': {'percent': 10}}}]");
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 10000}, {'sku': 'B', 'price': 333}]}");
    const char *first = fixture_answer(f);
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), 0);
    assert_string_equal(fixture_answer(f), first);
}

#define RULES                                                                                                                              \
    "[{'id': 'a', 'scope': {'tag': 'in'}, 'give': [{'percent_off': {'percent': 10}}, {'free_shipping': {}}]},"                             \
    " {'id': 'b', 'when': {'qty': {'at_least': 9}}, 'give': {'amount_off': {'amount': '1.00'}}},"                                          \
    " {'id': 'c', 'give': {'buy_get': {'buy': 1, 'get': 1}}}, {'id': 'd', 'give': {'free_shipping': {}}}]"
#define CART "{'lines': [{'sku': 'A', 'price': 500, 'tags': ['in']}, {'sku': 'B', 'price': 900}], 'codes': ['x'], 'option': 'post'}"

static void every_refused_allocation_is_an_error_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_build(f, RULES, NULL, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]"), 0);
    assert_int_equal(fixture_try(f, CART), 0);
    const char *whole = fixture_answer(f);
    size_t needed = f->run.used_bytes;
    size_t refused = 0;
    for (size_t limit = 16; limit <= needed; limit += 16) {
        struct arena small;
        arena_init(&small, NULL, limit);
        fixture_cart(f, CART);
        int rc = quote_price(f->rules, &f->cart, NULL, &small, &f->result, &f->err);
        assert_true(rc == ERR_NOMEM || (rc == 0 && limit == needed));
        refused += rc == ERR_NOMEM;
        if (rc == 0)
            assert_string_equal(fixture_answer(f), whole);
        arena_release(&small);
    }
    assert_true(refused > 10);
}

static void a_warm_arena_does_not_allocate(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_build(f, RULES, NULL, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]"), 0);
    assert_int_equal(fixture_try(f, CART), 0);
    const struct arena_block *current = f->run.current;
    size_t used = f->run.used_bytes;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fixture_try(f, CART), 0);
        assert_ptr_equal(f->run.current, current);
        assert_int_equal(f->run.used_bytes, used);
    }
}

struct worker {
    const struct quote_rules *rules;
    const struct quote_line *lines;
    int64_t total;
};

static void *price_often(void *arg)
{
    struct worker *w = arg;
    struct arena arena;
    struct quote_line lines[2];
    struct quote_result result;
    arena_init(&arena, NULL, 0);
    for (int i = 0; i < 2000; i++) {
        struct quote_cart cart = { .lines = lines, .line_count = 2, .codes = { SLICE_LIT("aaa") }, .code_count = 1 };
        memcpy(lines, w->lines, sizeof lines);
        arena_reset(&arena);
        w->total = quote_price(w->rules, &cart, NULL, &arena, &result, NULL) == 0 ? result.total_minor : -1;
    }
    arena_release(&arena);
    return NULL;
}

static void threads_share_rules(void **state)
{
    struct fixture *f = *state;
    struct worker workers[4];
    pthread_t threads[4];
    fixture_rules(
        f,
        "[{'id': 'x', 'codes': 'AAA', 'give': {'percent_off': {'percent': 10}}}, {'id': 'y', 'give': {'buy_get': {'buy': 1, 'get': 1}}}]");
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}, {'sku': 'B', 'price': 500}]}");
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){ f->rules, f->cart.lines, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, price_often, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].total, 900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_carts_name_the_field),
        TEST(too_many_lines_are_refused),
        TEST(stages_then_priority_then_id_decide_the_order),
        TEST(outcomes_list_the_applied_in_order_then_the_others_by_id),
        TEST(a_stopped_campaign_does_not_apply_and_says_so),
        TEST(of_a_stopped_owner_what_may_be_left_out_is_and_what_may_not_refuses),
        TEST(a_cart_whose_prices_are_final_gets_no_campaigns),
        TEST(a_cart_can_be_priced_again_in_place),
        TEST(every_refused_allocation_is_an_error_and_nothing_else),
        TEST(a_warm_arena_does_not_allocate),
        TEST(threads_share_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
