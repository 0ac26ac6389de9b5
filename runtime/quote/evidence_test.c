#include "quote/fixture.h"

static const char *evidence_of(struct fixture *f)
{
    struct buf b;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    assert_false(b.failed);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static int read_into(struct fixture *f, struct symbols *symbols, const char *text, struct quote_cart *out)
{
    struct json_value *v;
    if (json_parse(slice_str(text), NULL, &f->arena, &v, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return quote_evidence_read(symbols, v, &f->arena, out, &f->err);
}

#define CART                                                                                                                               \
    "{'lines': [{'sku': 'A', 'price': 500, 'qty': 3, 'category': 'tea/green', 'tags': ['new', 'tea'], 'brand': 'Leaf', 'g': 250},"         \
    " {'sku': 'B', 'price': 900, 'category': 'tea'}], 'codes': [' a\\\"b', 'c'], 'customer_tags': ['vip', 'tea'], 'channel': 'web',"       \
    " 'region': 'GB', 'payment_method': 'card', 'store': 'north', 'option': 'post', 'at': 1750000000123}"

static void fill_the_rest(struct fixture *f)
{
    struct quote_fact *facts = arena_array(&f->arena, 4, sizeof *facts);
    facts[0] = (struct quote_fact){ symbols_intern(f->symbols, slice_str("level")), QUOTE_FACT_INT, -5, slice_str("") };
    facts[1] = (struct quote_fact){ symbols_intern(f->symbols, slice_str("adult")), QUOTE_FACT_BOOL, 1, slice_str("") };
    facts[2] = (struct quote_fact){ symbols_intern(f->symbols, slice_str("town")), QUOTE_FACT_STRING, 0, slice_str("Oslo") };
    facts[3] = (struct quote_fact){ symbols_intern(f->symbols, slice_str("rank")), QUOTE_FACT_FAILED, 0, slice_str("") };
    f->cart.inputs = fixture_json(&f->arena, "{'invite': {'link': 'a b'}, 'gift': {}}");
    f->cart.facts = facts;
    f->cart.fact_count = 4;
    f->cart.seed = UINT64_MAX - 5;
    f->cart.customer = slice_str("17850");
    f->cart.customer_version = 12;
    f->cart.lines[1].own_price = true;
    f->cart.lines[1].product.price_minor = 1000;
    f->cart.lines[1].product.compare_at_minor = 1200;
}

static void the_form_is_fixed(void **state)
{
    struct fixture *f = *state;
    fixture_cart(f, CART);
    fill_the_rest(f);
    assert_string_equal(evidence_of(f), "{\"k\":2,\"at\":1750000000123,\"seed\":-6,\"cust\":\"17850\",\"cv\":12,\"ct\":[1,2],"
                                        "\"facts\":[[3,0,-5],[4,1,1],[5,2,\"Oslo\"],[6,3,0]],\"ch\":7,\"rg\":8,\"pm\":9,\"st\":10,\"opt\":"
                                        "\"post\",\"codes\":[\" a\\\"b\",\"c\"],"
                                        "\"in\":{\"invite\":{\"link\":\"a b\"},\"gift\":{}},"
                                        "\"l\":[[11,3,500,500,0,250,12,0,2,13,2,14,2],[15,1,900,1000,1200,0,0,1,1,2]],"
                                        "\"s\":[\"vip\",\"tea\",\"level\",\"adult\",\"town\",\"rank\",\"web\",\"GB\",\"card\",\"north\","
                                        "\"A\",\"Leaf\",\"tea/green\",\"new\",\"B\"]}");
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1}]}");
    assert_string_equal(evidence_of(f), "{\"k\":2,\"at\":1750000000000,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}");
    const struct slice stopped[] = { SLICE_LIT("tea"), SLICE_LIT("b") };
    f->cart.stopped = stopped;
    f->cart.stopped_count = 2;
    const char *text = evidence_of(f);
    assert_string_equal(text, "{\"k\":2,\"at\":1750000000000,\"stop\":[\"tea\",\"b\"],\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}");
    struct quote_cart again;
    assert_int_equal(read_into(f, f->symbols, text, &again), 0);
    assert_int_equal(again.stopped_count, 2);
    assert_true(slice_is(again.stopped[0], "tea") && slice_is(again.stopped[1], "b"));
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1}]}");
    const struct quote_left left[] = { { SLICE_LIT("a/b"), true, 5 }, { SLICE_LIT("c"), false, 0 } };
    f->cart.left = left;
    f->cart.left_count = 2;
    text = evidence_of(f);
    assert_string_equal(text, "{\"k\":2,\"at\":1750000000000,\"left\":[[\"a/b\",5],[\"c\"]],\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}");
    assert_int_equal(read_into(f, f->symbols, text, &again), 0);
    assert_true(again.left_count == 2 && again.left[0].is_known && again.left[0].left == 5 && slice_is(again.left[0].account, "a/b"));
    assert_true(!again.left[1].is_known && slice_is(again.left[1].account, "c"));
}

static void what_is_read_is_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct quote_cart again;
    struct symbols *other = symbols_new(NULL); /* another process: other numbers for the same names */
    symbols_intern(other, slice_str("something"));
    fixture_cart(f, CART);
    fill_the_rest(f);
    const char *text = evidence_of(f);
    assert_int_equal(read_into(f, other, text, &again), 0);
    assert_int_equal(again.seed, UINT64_MAX - 5);
    assert_true(again.lines[1].own_price);
    struct buf b;
    buf_init(&b, NULL);
    quote_evidence_write(other, &again, &b);
    assert_true(slice_is(buf_slice(&b), text));
    buf_clear(&b);
    again.no_campaigns = true;
    quote_evidence_write(other, &again, &b);
    buf_add_char(&b, '\0');
    assert_int_equal(read_into(f, other, b.data, &again), 0);
    assert_true(again.no_campaigns);
    buf_release(&b);
    symbols_free(other);
}

static void without_a_name_it_says_that_somebody_bought(void **state)
{
    struct fixture *f = *state;
    struct quote_cart again;
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1}]}");
    const struct quote_left left[] = { { SLICE_LIT("campaign/a/uses/17850"), true, -5 },
                                       { SLICE_LIT("campaign/a/uses"), true, 1 },
                                       { SLICE_LIT("x17850"), true, 2 } };
    f->cart.left = left;
    f->cart.left_count = 3;
    f->cart.customer = slice_str("17850");
    struct buf b;
    buf_init(&b, NULL);
    quote_evidence_write_nameless(f->symbols, &f->cart, &b);
    buf_add_char(&b, '\0');
    assert_string_equal(b.data, "{\"k\":2,\"at\":1750000000000,\"cust\":\"~\",\"left\":[[\"campaign/a/uses/~\",-5],[\"campaign/a/uses\",1],"
                                "[\"x17850\",2]],\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}");
    assert_int_equal(read_into(f, f->symbols, b.data, &again), 0);
    assert_true(slice_is(again.customer, QUOTE_SOMEBODY));
    f->cart.customer = slice_str("");
    f->cart.left_count = 0;
    buf_clear(&b);
    quote_evidence_write_nameless(f->symbols, &f->cart, &b);
    assert_true(slice_is(buf_slice(&b), evidence_of(f)));
    buf_release(&b);
}

static void another_kernels_evidence_is_read_by_those_who_compare(void **state)
{
    struct fixture *f = *state;
    struct quote_cart again;
    struct json_value *v = fixture_json(&f->arena, "{'k': 77, 'at': 5, 'l': [[1,1,1,1,0,0,0,0,0]], 's': ['A']}");
    int64_t kernel = 0;
    assert_int_equal(quote_evidence_read(f->symbols, v, &f->arena, &again, &f->err), ERR_INVALID);
    assert_int_equal(quote_evidence_read_any(f->symbols, v, &f->arena, &again, &kernel, &f->err), 0);
    assert_int_equal(kernel, 77);
    assert_int_equal(again.at_ms, 5);
}

static void the_trace_says_what_applied_and_why_the_rest_did_not(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct json_writer w;
    fixture_rules(f, "[{'id': 'ten', 'give': [{'percent_off': {'percent': 10}}], 'limits': {'uses': 5}},"
                     " {'id': 'big', 'when': {'subtotal': {'at_least': '50.00'}}, 'give': [{'percent_off': {'percent': 10}}]},"
                     " {'id': 'vips', 'when': {'channel': ['app']}, 'scope': {'sku': ['A']}, 'give': [{'percent_off': {'percent': 10}}]}]");
    fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
    f->cart.explain_all = true;
    assert_int_equal(quote_price(f->rules, &f->cart, &f->hooks, &f->run, &f->result, &f->err), 0);
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    quote_trace_write(f->rules, &f->result, &w);
    buf_add_char(&b, '\0');
    assert_string_equal(
        b.data, "{\"total\":900,\"c\":[[\"ten\",100],[\"big\",\"subtotal_below\",5000,1000],[\"vips\",\"channel_differs\",\"app\"]],"
                "\"u\":[[\"ten\",\"uses\",1]]}");
    buf_release(&b);
}

static void ten_lines_with_categories_and_tags_take_less_than_a_kilobyte(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, NULL);
    buf_add_str(&b, "{'lines': [");
    for (int i = 0; i < 10; i++)
        buf_printf(&b,
                   "%s"
                   "{'sku': 'SKU-1234-%d', 'price': 1999, 'qty': 12, 'category': 'home/kitchen/mugs-%d', 'tags': ['christmas', 'gift', "
                   "'t%d'], 'g': 350}",
                   i ? "," : "", i, i % 3, i);
    buf_add_str(&b, "], 'codes': ['WELCOME'], 'customer_tags': ['vip'], 'channel': 'web', 'region': 'GB', 'option': 'standard'}");
    buf_add_char(&b, 0);
    fixture_cart(f, b.data);
    buf_release(&b);
    assert_true(strlen(evidence_of(f)) < 1024);
}

static void many_names_outgrow_the_small_dictionary(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct quote_cart again;
    buf_init(&b, NULL);
    buf_add_str(&b, "{'lines': [");
    for (int i = 0; i < 1500; i++)
        buf_printf(&b, "%s{'sku': 'S%d', 'price': 1, 'tags': ['t%d', 'u%d']}", i ? "," : "", i, i, i / 2);
    buf_add(&b, "]}", 3);
    fixture_cart(f, b.data);
    buf_release(&b);
    assert_int_equal(read_into(f, f->symbols, evidence_of(f), &again), 0);
    assert_int_equal(again.line_count, 1500);
    for (size_t i = 0; i < 1500; i++) {
        assert_int_equal(again.lines[i].product.sku, f->cart.lines[i].product.sku);
        assert_memory_equal(again.lines[i].product.tags, f->cart.lines[i].product.tags, 2 * sizeof(symbol));
    }
}

static void damaged_evidence_is_refused(void **state)
{
    struct fixture *f = *state;
    struct quote_cart out;
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{\"k\":\"1\"}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]]}",
        "{\"k\":2,\"at\":1,\"l\":[],\"s\":[]}",
        "{\"k\":2,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[2,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[0,1,1,1,0,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,2,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,1]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,-1]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1.5,1,0,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0,0]],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[7],\"s\":[\"A\"]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[1]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"ct\":[5]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"ct\":7}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"rg\":-1}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"codes\":[1]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"facts\":[[1,9,1]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"facts\":[[1,2]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"facts\":[[1,2,1]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"facts\":[[1,4,0]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"facts\":{}}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"in\":[]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"in\":{\"a\":1}}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"opt\":3}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"from\":{}}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"from\":[[1,\"a\"]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"from\":[[-1,\"a\"]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"from\":[[0,\"\"]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"from\":[[0]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"x\":7}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"x\":[[0]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"x\":[[2]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"x\":[[1,-2,1,1,0,0,0,0,0]]}",
        "{\"k\":2,\"at\":1,\"l\":[[1,1,1,1,0,0,0,0,0]],\"s\":[\"A\"],\"x\":[[1,1,1]]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (read_into(f, f->symbols, wrong[i], &out) != ERR_CORRUPT)
            fail_msg("read: %s", wrong[i]);
    assert_int_equal(read_into(f, f->symbols, "{\"k\":3}", &out), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "version 3"));
}

static void damage_anywhere_never_does_harm(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 3;
    int read = 0, refused = 0;
    fixture_cart(f, CART);
    fill_the_rest(f);
    char whole[2000];
    snprintf(whole, sizeof whole, "%s", evidence_of(f));
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10}}}]");
    for (int round = 0; round < 20000; round++) {
        struct json_value *v;
        struct quote_cart cart;
        arena_reset(&f->run);
        char *text = arena_strdup(&f->run, slice_str(whole));
        fixture_damage(text, &seed);
        if (json_parse(slice_str(text), NULL, &f->run, &v, &f->err) < 0)
            continue;
        int rc = quote_evidence_read(f->symbols, v, &f->run, &cart, &f->err);
        assert_true(rc == 0 || rc == ERR_CORRUPT || rc == ERR_INVALID);
        refused += rc < 0;
        read += rc == 0;
        if (rc == 0)
            quote_price(f->rules, &cart, NULL, &f->run, &f->result, &f->err);
    }
    assert_true(read > 100 && refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_form_is_fixed),
        TEST(what_is_read_is_what_was_written),
        TEST(without_a_name_it_says_that_somebody_bought),
        TEST(another_kernels_evidence_is_read_by_those_who_compare),
        TEST(the_trace_says_what_applied_and_why_the_rest_did_not),
        TEST(ten_lines_with_categories_and_tags_take_less_than_a_kilobyte),
        TEST(many_names_outgrow_the_small_dictionary),
        TEST(damaged_evidence_is_refused),
        TEST(damage_anywhere_never_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
