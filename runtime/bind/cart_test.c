#include "bind/fixture.h"

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static const char CART[] = "{'lines':[{'sku':'TEA','qty':3,'price':1000,'tag':'tea'},{'sku':'CUP','qty':2,'price':333,'tag':'cup'},"
                           "{'sku':'POT','qty':1,'price':5000,'tag':'tea'}],'customer_tags':['vip'],'option':'standard'}";

/* A campaign that is one function over the cart; what it took off. */
static int64_t discount_of(struct fixture *f, const char *body)
{
    char lua[2048];
    snprintf(lua, sizeof lua, "return {{ id = 'x', title = 'X', give = { function(cart) %s end } }}", body);
    fixture_rules(f, lua);
    arena_reset(&f->arena);
    if (fixture_price(f, CART) < 0)
        fail_msg("%s", f->err.text);
    return f->result.discount_minor + f->result.shipping_discount_minor;
}

static const char *failure_of(struct fixture *f, const char *body)
{
    assert_int_equal(discount_of(f, body), 0);
    assert_int_equal(f->result.outcome_count, 1);
    assert_false(f->result.outcomes[0].applied);
    assert_string_not_equal(f->rule_error, "");
    return f->rule_error;
}

static void a_function_selects_and_c_computes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(discount_of(f, "cart:select { tag = 'tea' }:percent_off(20)"), 1600);
    assert_int_equal(discount_of(f, "cart:select { tag = { 'tea', 'cup' } }:percent_off { percent = 12.5, cap = '5.00', reason = 'x' }"),
                     500);
    assert_int_equal(discount_of(f, "cart:select { sku = 'CUP' }:percent_off('12.5')"), 83);
    assert_int_equal(discount_of(f, "cart:all():amount_off('10.00')"), 1000);
    assert_int_equal(discount_of(f, "cart:all():amount_off { amount = 99999999 }"), 8666);
    assert_int_equal(discount_of(f, "cart:free_shipping()"), 495);
    assert_int_equal(discount_of(f, "cart:select { category = 'tea' }:select { sku = 'TEA' }:percent_off(50):percent_off(50)"), 2250);
}

static void a_function_may_loop_over_lines(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(discount_of(f,
                                 "for line in cart:select { tag = 'tea' }:lines() do\n"
                                 "  if line.qty >= 3 then line:discount { amount = line.unit_price, reason = 'third one is on us' } end\n"
                                 "end"),
                     1000);
    assert_true(slice_is(f->result.cart->lines[0].discounts->reason, "third one is on us"));
    assert_int_equal(discount_of(f, "for line in cart:lines() do if line.remaining > 1000 then line:discount { amount = '0.01' } end end"),
                     2);
    assert_int_equal(discount_of(f, "for line in cart:lines() do\n"
                                    "  if line.sku == 'POT' and line:has_tag 'tea' and line:in_category 'tea' and not line:has_tag 'cup'\n"
                                    "    and line.category == 'tea' and line.subtotal == 5000 and line.brand == nil then\n"
                                    "    line:discount { amount = 7 }\n"
                                    "  end\n"
                                    "end"),
                     7);
}

static void a_function_sees_the_cart_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(discount_of(f, "if cart.subtotal == 8666 and cart.qty == 6 and cart.count == 3 and cart:has_customer_tag 'vip'\n"
                                    "  and not cart:has_customer_tag 'new' and cart.customer_tags[1] == 'vip' and cart.guest\n"
                                    "  and cart.now == 1763769600000 and cart:fact 'x.y' == nil and cart.channel == nil\n"
                                    "  and cart:select { tag = 'cup' }.subtotal == 666 then cart:all():amount_off(1) end"),
                     1);
    assert_non_null(strstr(failure_of(f, "require('feira.time').now()"), "inside a rule"));
    assert_non_null(strstr(failure_of(f, "require('feira.ids').new 'ord'"), "inside a rule"));
    assert_non_null(strstr(failure_of(f, "require('feira.ledger').account('a', 'b')"), "inside a rule"));
    assert_non_null(strstr(failure_of(f, "require('feira.sql').statement 'SELECT 1'"), "standard library only"));
    assert_non_null(strstr(failure_of(f, "return cart.total"), "no field"));
}

/* body: of a function campaign over one line of 1000; what it took off, or -1 when it failed. */
static int64_t with(struct fixture *f, const char *more, const char *owner, const char *body)
{
    char lua[1024], cart[512];
    snprintf(lua, sizeof lua, "return {{ id = 'x', %s give = { function(cart) if %s then cart:all():amount_off('1.00') end end } }}", owner,
             body);
    snprintf(cart, sizeof cart, "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'ana'%s}", more);
    fixture_rules(f, lua);
    arena_reset(&f->arena);
    if (fixture_price(f, cart) < 0)
        fail_msg("%s", f->err.text);
    return f->rule_error[0] ? -1 : f->result.discount_minor;
}

static void a_function_asks_for_facts(void **state)
{
    struct fixture *f = *state;
    const char *facts = ",'facts':{'club.level':3,'club.town':'Lima','club.vip':false,'club.rank':null}";
    assert_int_equal(with(f, facts, "", "cart:fact 'club.level' == 3 and cart:fact 'club.town' == 'Lima'"), 100);
    assert_int_equal(with(f, facts, "", "cart:fact 'club.vip' == false"), 100);
    assert_int_equal(with(f, "", "", "cart:fact 'club.level' == nil and cart:fact 'other.level' == nil"), 100);
    assert_int_equal(with(f, facts, "", "cart:fact 'club.rank'"), -1);
    assert_non_null(strstr(f->rule_error, "club.rank could not be found out"));
    assert_int_equal(with(f, facts, "", "cart:fact 'club.twon'"), -1);
    assert_non_null(strstr(f->rule_error, "there is \"club."));
    assert_int_equal(with(f, facts, "", "cart:fact 'club.secret'"), -1);
    assert_non_null(strstr(f->rule_error, "write it in full"));
    assert_int_equal(with(f, facts, "", "cart:fact 'level'"), -1);
    assert_int_equal(with(f, facts, "", "cart:fact(5)"), -1);
    assert_int_equal(with(f, facts, "", "pcall(cart.fact, cart, 'club.rank')"), 0); /* what a rule catches is its own affair */
}

static void a_function_sees_the_inputs_of_its_owner(void **state)
{
    struct fixture *f = *state;
    const char *sent = ",'inputs':{'invite':{'link':'abc','tags':['a'],'none':null},'club':{'link':'xyz'}}";
    assert_int_equal(with(f, sent, "owner = 'plugin/invite',", "cart:input 'link' == 'abc' and cart:input('tags')[1] == 'a'"), 100);
    assert_int_equal(with(f, sent, "owner = 'plugin/invite',", "cart:input 'other' == nil and cart:input 'none' == nil"), 100);
    assert_int_equal(with(f, sent, "owner = 'plugin/club',", "cart:input 'link' == 'xyz'"), 100);
    assert_int_equal(with(f, sent, "owner = 'plugin/clu',", "cart:input 'link' == nil"), 100);
    assert_int_equal(with(f, "", "owner = 'plugin/invite',", "cart:input 'link' == nil"), 100);
    assert_int_equal(with(f, sent, "", "cart:input 'link'"), -1);
    assert_non_null(strstr(f->rule_error, "rules of plugins"));
}

static void wrong_amounts_end_the_rule_and_take_nothing(void **state)
{
    struct fixture *f = *state;
    const char *const wrong[] = {
        "amount = 0.5 * 6", "amount = 1.5",  "amount = '1.234'", "amount = '1e2'",
        "amount = -1",      "amount = 3001", "amount = true",    "reason = 'none'",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char body[256];
        snprintf(body, sizeof body, "for line in cart:lines() do line:discount { %s } end", wrong[i]);
        assert_non_null(failure_of(f, body));
    }
    const char *const others[] = {
        "cart:all():percent_off(101)",
        "cart:all():percent_off(-1)",
        "cart:all():percent_off(1/3)",
        "cart:all():percent_off(0/0)",
        "cart:all():percent_off('12.34567')",
        "cart:all():amount_off(-5)",
        "cart:all():amount_off(5.0)",
        "cart:select { colour = 'red' }",
        "cart:select {}",
        "cart:select 'tea'",
        "cart.all(1)",
        "local s = cart:all() s.lines(cart)",
        "while true do end",
        "error({})",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_non_null(failure_of(f, others[i]));
    /* What was done before the error is dropped, too. */
    assert_non_null(failure_of(f, "cart:all():percent_off(10) error 'stop'"));
}

static void a_kept_handle_is_an_error_and_no_crash(void **state)
{
    struct fixture *f = *state;
    /* The only way to keep anything is a coroutine's locals. */
    fixture_rules(
        f,
        "local kept = coroutine.wrap(function(cart)\n"
        "  local set, line = cart:all(), nil\n"
        "  for l in set:lines() do line = l end\n"
        "  local step = set:lines()\n"
        "  coroutine.yield()\n"
        "  local said = {}\n"
        "  for i, use in ipairs { function() return cart.subtotal end, function() return set.count end, function() return line.qty end,\n"
        "                         function() return step() end, function() line:discount { amount = 1 } end } do\n"
        "    local ok, e = pcall(use)\n"
        "    said[i] = ok and 'alive' or 'dead'\n"
        "  end\n"
        "  error('heard: ' .. table.concat(said, ' '), 0)\n"
        "end)\n"
        "return {{ id = 'x', title = 'X', give = { function(cart) kept(cart) end } }}");
    arena_reset(&f->arena);
    assert_int_equal(fixture_price(f, CART), 0);
    arena_reset(&f->arena);
    assert_int_equal(fixture_price(f, CART), 0);
    assert_false(f->result.outcomes[0].applied);
    /* The sandbox may refuse to run a coroutine across calls at all: then it has died, which will do. */
    assert_null(strstr(f->rule_error, "alive"));
}

static void a_slow_rule_is_run_again_counted_and_counts_once(void **state)
{
    struct fixture *f = *state;
    /* The discount comes first, so the abandoned run has taken something that must be given back. */
    const char *slow = "cart:all():amount_off(100) local n = 0 for i = 1, 2000000 do n = n + i end";
    for (int i = 0; i < 3; i++)
        if (discount_of(f, slow) != 100)
            fail_msg("%s", f->rule_error);
    fixture_price(f, CART);
    assert_int_equal(f->result.discount_minor, 100);
    assert_non_null(strstr(failure_of(f, "cart:all():amount_off(100) while true do end"), "budget"));
}

static void a_condition_may_be_a_function(void **state)
{
    struct fixture *f = *state;
    fixture_rules(
        f,
        "return {{ id = 'x', title = 'X', when = function(cart) return cart.qty > 5 end, give = {{ percent_off = { percent = 10 } }} },\n"
        "        { id = 'y', title = 'Y', when = function(cart) return cart.qty > 6 end, give = {{ percent_off = { percent = 50 } }} }}");
    arena_reset(&f->arena);
    assert_int_equal(fixture_price(f, CART), 0);
    assert_int_equal(f->result.discount_minor, 300 + 67 + 500);
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(a_function_selects_and_c_computes),
        SHOP_TEST(a_function_may_loop_over_lines),
        SHOP_TEST(a_function_sees_the_cart_and_nothing_else),
        SHOP_TEST(a_function_asks_for_facts),
        SHOP_TEST(a_function_sees_the_inputs_of_its_owner),
        SHOP_TEST(wrong_amounts_end_the_rule_and_take_nothing),
        SHOP_TEST(a_kept_handle_is_an_error_and_no_crash),
        SHOP_TEST(a_condition_may_be_a_function),
        SHOP_TEST(a_slow_rule_is_run_again_counted_and_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
