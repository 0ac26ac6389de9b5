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
    fixture_books_balance(*state);
    fixture_close(*state);
    free(*state);
    return 0;
}

#define PK "'principal':{'kind':'pk'}"

static int put(struct fixture *f, const char *sku, const char *body)
{
    char args[2048];
    snprintf(args, sizeof args, "{" SK ",'params':{'sku':'%s'},'body':%s}", sku, body);
    return fixture_try(f, "products.put", args);
}

static void put_replaces_and_patch_merges(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "A",
                         "{'title':'Tea','price':1000,'compare_at':1200,'tags':['new','tea'],'category':'tea/"
                         "green','brand':'B','options':{'size':'M'}}"),
                     0);
    assert_int_equal(f->answer.status, 201);
    assert_int_equal(f->changed_skus, 1);
    assert_string_equal(fixture_text(f, "tags/1"), "tea");
    assert_int_equal(fixture_try(f, "products.patch", "{" SK ",'params':{'sku':'A'},'body':{'price':900,'compare_at':null,'tags':[]}}"), 0);
    assert_int_equal(fixture_int(f, "price"), 900);
    assert_null(fixture_at(f->body, "compare_at"));
    assert_int_equal(fixture_at(f->body, "tags")->count, 0);
    assert_int_equal(fixture_at(f->body, "tags")->type, JSON_ARRAY);
    assert_string_equal(fixture_text(f, "title"), "Tea");
    assert_string_equal(fixture_text(f, "options/size"), "M");
    assert_int_equal(put(f, "A", "{'title':'Tea','price':1}"), 0);
    assert_int_equal(f->answer.status, 200);
    assert_null(fixture_at(f->body, "brand"));
    assert_int_equal(fixture_try(f, "products.patch", "{" SK ",'params':{'sku':'A'},'body':{'price':null}}"), ERR_INVALID);
    assert_string_equal(f->err.field, "/price");
    assert_int_equal(fixture_try(f, "products.patch", "{" SK ",'params':{'sku':'B'},'body':{'price':1}}"), ERR_NOT_FOUND);
}

static void what_is_no_product_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sku, *body, *field;
    } wrong[] = {
        { "A", "{'price':1}", "/title" },
        { "A", "{'title':'T'}", "/price" },
        { "A", "{'title':'T','price':-1}", "/price" },
        { "A", "{'title':'T','price':1.5}", "/price" },
        { "A", "{'title':'T','price':'1'}", "/price" },
        { "A", "{'title':'T','price':9223372036854775807}", "/price" },
        { "A", "{'title':'','price':1}", "/title" },
        { "A", "{'title':'T\\u0000','price':1}", "/title" },
        { "A", "{'title':{},'price':1}", "/title" },
        { "A", "{'title':'T','price':1,'status':'gone'}", "/status" },
        { "A", "{'title':'T','price':1,'tags':'x'}", "/tags" },
        { "A", "{'title':'T','price':1,'tags':['x',1]}", "/tags/1" },
        { "A", "{'title':'T','price':1,'category':'/tea'}", "/category" },
        { "A", "{'title':'T','price':1,'track_stock':'no'}", "/track_stock" },
        { "A", "{'title':'T','price':1,'variant_of':'NONE'}", "/variant_of" },
        { "A", "{'title':'T','price':1,'variant_of':'A'}", "/variant_of" },
        { " A", "{'title':'T','price':1}", "sku" },
        { "", "{'title':'T','price':1}", "sku" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (put(f, wrong[i].sku, wrong[i].body) != ERR_INVALID || strcmp(f->err.field, wrong[i].field) != 0)
            fail_msg("%s: %d %s %s", wrong[i].body, f->err.code, f->err.field, f->err.text);
    }
    assert_int_equal(fixture_read(f, "products.list", "{" SK "}"), 0);
    assert_null(fixture_at(f->body, "items/0"));
}

static void a_variant_takes_from_its_parent_what_it_does_not_say(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "SHIRT", "{'title':'Shirt','price':2000,'category':'wear','tags':['cotton'],'brand':'B'}"), 0);
    assert_int_equal(put(f, "SHIRT-M", "{'price':2100,'variant_of':'SHIRT','options':{'size':'M'}}"), 0);
    assert_int_equal(put(f, "SHIRT-L", "{'price':2200,'variant_of':'SHIRT','title':'Large shirt'}"), 0);
    assert_int_equal(fixture_read(f, "products.get", "{" PK ",'params':{'sku':'SHIRT-M'}}"), 0);
    assert_string_equal(fixture_text(f, "title"), "Shirt");
    assert_string_equal(fixture_text(f, "tags/0"), "cotton");
    assert_int_equal(fixture_at(f->body, "available")->type, JSON_FALSE);
    assert_int_equal(fixture_read(f, "products.get", "{" PK ",'params':{'sku':'SHIRT'}}"), 0);
    assert_string_equal(fixture_text(f, "variants/1/title"), "Large shirt");
    fixture_do(f, "stock.change", "{" SK ",'body':{'sku':'SHIRT-L','delta':1,'reason':'delivery'}}");
    assert_int_equal(fixture_read(f, "products.get", "{" PK ",'params':{'sku':'SHIRT'}}"), 0);
    assert_int_equal(fixture_at(f->body, "available")->type, JSON_TRUE);
    assert_int_equal(fixture_read(f, "products.list", "{" PK ",'query':{'variant_of':'SHIRT'}}"), 0);
    assert_int_equal(fixture_at(f->body, "items")->count, 2);
    assert_int_equal(put(f, "SHIRT", "{'title':'Shirt','price':2000,'variant_of':'SHIRT-M'}"), ERR_INVALID);
    assert_int_equal(put(f, "X", "{'price':1,'variant_of':'SHIRT-M'}"), ERR_INVALID);
}

static void shoppers_see_neither_cost_nor_counts_nor_drafts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "A", "{'title':'A','price':1000,'cost':400}"), 0);
    assert_int_equal(put(f, "D", "{'title':'D','price':1000,'status':'draft'}"), 0);
    assert_int_equal(fixture_read(f, "products.get", "{" PK ",'params':{'sku':'A'}}"), 0);
    assert_null(fixture_at(f->body, "cost"));
    assert_null(fixture_at(f->body, "stock"));
    assert_int_equal(fixture_read(f, "products.get", "{" PK ",'params':{'sku':'D'}}"), ERR_NOT_FOUND);
    assert_int_equal(fixture_read(f, "products.list", "{" PK ",'query':{}}"), 0);
    assert_int_equal(fixture_at(f->body, "items")->count, 1);
    assert_int_equal(fixture_read(f, "products.list", "{" SK ",'query':{}}"), 0);
    assert_int_equal(fixture_at(f->body, "items")->count, 2);
    assert_int_equal(fixture_int(f, "items/0/cost"), 400);
    const char *const writes[] = { "products.put", "products.patch", "products.import", "stock.change", "customers.put" };
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fixture_try(f, writes[i], "{" PK ",'params':{'sku':'A','id':'ann'},'body':{'title':'A','price':1,'products':[]}}"),
                         ERR_DENIED);
}

static void an_import_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_try(f, "products.import",
                                 "{" SK ",'body':{'products':[{'sku':'V','price':1,'variant_of':'P','stock':3},{'sku':'P','title':'P','"
                                 "price':1},{'sku':'Q','title':'Q','price':-1}]}}"),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "/products/2/price");
    assert_int_equal(fixture_read(f, "products.list", "{" SK "}"), 0);
    assert_int_equal(fixture_at(f->body, "items")->count, 0);
    assert_int_equal(
        fixture_try(f, "products.import",
                    "{" SK ",'body':{'products':[{'sku':'V','price':1,'variant_of':'P','stock':3},{'sku':'P','title':'P','price':1}]}}"),
        0);
    assert_int_equal(fixture_int(f, "created"), 2);
    fixture_stock_is(f, "V", 3, 0);
    assert_int_equal(
        fixture_try(f, "products.import",
                    "{" SK ",'body':{'products':[{'sku':'V','price':2,'variant_of':'P','stock':8},{'sku':'P','title':'P','price':1}]}}"),
        0);
    assert_int_equal(fixture_int(f, "updated"), 2);
    fixture_stock_is(f, "V", 8, 0);
    assert_int_equal(fixture_try(f, "products.import",
                                 "{" SK ",'body':{'products':[{'sku':'V','price':2,'title':'x'},{'sku':'V','title':'P','price':1}]}}"),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "/products/1/sku");
}

static void stock_cannot_go_below_what_is_held(void **state)
{
    struct fixture *f = *state;
    fixture_product(f, "A", 100, 5);
    fixture_order(f, "{'lines':[{'sku':'A','qty':3,'price':100}]}");
    assert_int_equal(fixture_try(f, "stock.change",
                                 "{" SK ",'body':{'changes':[{'sku':'A','delta':1,'reason':'x'},{'sku':'A','delta':-4,'reason':'lost'}]}}"),
                     ERR_CONFLICT);
    assert_string_equal(f->err.field, "/changes/1/delta");
    fixture_stock_is(f, "A", 5, 3);
    fixture_do(f, "stock.change", "{" SK ",'body':{'sku':'A','delta':-2,'reason':'lost'}}");
    assert_int_equal(fixture_int(f, "items/0/available"), 0);
    assert_int_equal(fixture_int(f, "items/0/held"), 3);
    static const char *const wrong[] = {
        "{'sku':'B','delta':1,'reason':'x'}",
        "{'sku':'A','delta':0,'reason':'x'}",
        "{'sku':'A','delta':1}",
        "{'sku':'A','delta':1.5,'reason':'x'}",
        "{'sku':'A','delta':1,'reason':'x','location':'a/b'}",
        "{'changes':[{'delta':1,'reason':'x'}]}",
        "{}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char args[256];
        snprintf(args, sizeof args, "{" SK ",'body':%s}", wrong[i]);
        assert_int_equal(fixture_try(f, "stock.change", args), ERR_INVALID);
    }
}

static void customers_are_seen_by_themselves_and_servers(void **state)
{
    struct fixture *f = *state;
    fixture_do(f, "customers.put", "{" SK ",'params':{'id':'ann'},'body':{'name':'Ann','tags':['vip']}}");
    assert_int_equal(f->answer.status, 201);
    assert_int_equal(fixture_read(f, "customers.get", "{'principal':{'kind':'ct','customer':'ann'},'params':{'id':'ann'}}"), 0);
    assert_string_equal(fixture_text(f, "tags/0"), "vip");
    assert_int_equal(fixture_at(f->body, "email")->type, JSON_NULL);
    assert_int_equal(fixture_read(f, "customers.get", "{'principal':{'kind':'ct','customer':'bob'},'params':{'id':'ann'}}"), ERR_NOT_FOUND);
    assert_int_equal(fixture_read(f, "customers.get", "{" PK ",'params':{'id':'ann'}}"), ERR_NOT_FOUND);
    assert_int_equal(fixture_try(f, "customers.put", "{" SK ",'params':{'id':'a n'},'body':{}}"), ERR_INVALID);
    assert_int_equal(fixture_try(f, "customers.put", "{" SK ",'params':{'id':'ann'},'body':{'tags':[1]}}"), ERR_INVALID);
    fixture_do(f, "customers.put", "{" SK ",'params':{'id':'ann'},'body':{}}");
    assert_int_equal(f->answer.status, 200);
    assert_int_equal(fixture_at(f->body, "tags")->type, JSON_ARRAY);
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(put_replaces_and_patch_merges),
        SHOP_TEST(what_is_no_product_is_refused_by_name),
        SHOP_TEST(a_variant_takes_from_its_parent_what_it_does_not_say),
        SHOP_TEST(shoppers_see_neither_cost_nor_counts_nor_drafts),
        SHOP_TEST(an_import_is_all_or_nothing),
        SHOP_TEST(stock_cannot_go_below_what_is_held),
        SHOP_TEST(customers_are_seen_by_themselves_and_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
