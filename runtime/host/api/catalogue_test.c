#include "host/api/catalogue.h"
#include "bind/bind.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct symbols *symbols;
    struct catalogue *catalogue;
    struct err err;
};

static void run(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    assert_int_equal(store_prepare(f->conn, sql, &s, &f->err), 0);
    assert_int_equal(store_run(s, NULL, &f->err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    f->symbols = symbols_new(NULL);
    f->catalogue = catalogue_new(f->symbols);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    catalogue_free(f->catalogue);
    symbols_free(f->symbols);
    store_close(f->store);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *sku, int price, const char *more_columns, const char *more_values)
{
    char sql[512];
    snprintf(sql, sizeof sql, "INSERT INTO products (sku, price, created_at, updated_at%s) VALUES ('%s', %d, 0, 0%s)", more_columns, sku,
             price, more_values);
    run(f, sql);
}

static const struct catalogue_product *find(struct fixture *f, struct catalogue_snapshot *s, const char *sku)
{
    return catalogue_find(s, symbols_find(f->symbols, slice_str(sku)));
}

static void update(struct fixture *f, const char *sku)
{
    struct slice one = slice_str(sku);
    assert_int_equal(catalogue_update(f->catalogue, f->conn, &one, 1, &f->err), 0);
}

static void a_snapshot_never_changes_while_it_is_held(void **state)
{
    struct fixture *f = *state;
    add(f, "A", 100, "", "");
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    struct catalogue_snapshot *before = catalogue_acquire(f->catalogue);
    uint64_t version = catalogue_version(f->catalogue);
    run(f, "UPDATE products SET price = 250 WHERE sku = 'A'");
    update(f, "A");
    struct catalogue_snapshot *after = catalogue_acquire(f->catalogue);
    assert_int_equal(find(f, before, "A")->facts.price_minor, 100);
    assert_int_equal(find(f, after, "A")->facts.price_minor, 250);
    assert_int_not_equal(version, catalogue_version(f->catalogue));
    assert_int_equal(catalogue_count(after), 1);
    catalogue_release(before);
    catalogue_release(after);
}

static void a_variant_takes_from_its_parent_what_it_does_not_state(void **state)
{
    struct fixture *f = *state;
    add(f, "SHIRT", 5000, ", title, category, tags, brand", ", 'Shirt', 'clothes/shirts', '[\"summer\",\"cotton\"]', 'Maison'");
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    add(f, "SHIRT-M", 5500, ", variant_of, tags", ", 'SHIRT', '[\"sale\"]'");
    update(f, "SHIRT-M");
    struct catalogue_snapshot *s = catalogue_acquire(f->catalogue);
    const struct catalogue_product *parent = find(f, s, "SHIRT"), *variant = find(f, s, "SHIRT-M");
    assert_true(parent->has_variants); /* although only the variant was named as changed */
    assert_false(variant->has_variants);
    assert_true(slice_is(variant->facts.title, "Shirt"));
    assert_int_equal(variant->facts.brand, symbols_find(f->symbols, SLICE_LIT("Maison")));
    assert_int_equal(variant->facts.category_count, 2);
    assert_int_equal(variant->facts.categories[1], symbols_find(f->symbols, SLICE_LIT("clothes")));
    assert_int_equal(variant->facts.tag_count, 1);
    assert_int_equal(variant->facts.tags[0], symbols_find(f->symbols, SLICE_LIT("sale")));
    catalogue_release(s);

    run(f, "UPDATE products SET title = 'Linen shirt' WHERE sku = 'SHIRT'");
    update(f, "SHIRT");
    s = catalogue_acquire(f->catalogue);
    assert_true(slice_is(find(f, s, "SHIRT-M")->facts.title, "Linen shirt"));
    catalogue_release(s);
}

static void names_that_are_no_products_are_not_found(void **state)
{
    struct fixture *f = *state;
    add(f, "A", 1, ", category", ", 'tea'");
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    struct catalogue_snapshot *s = catalogue_acquire(f->catalogue);
    assert_null(find(f, s, "tea")); /* a symbol, but not a SKU */
    assert_null(find(f, s, "B"));
    assert_null(catalogue_find(s, 0));
    assert_null(catalogue_find(s, UINT32_MAX));
    catalogue_release(s);
}

/* --- readers while the writer publishes ------------------------------------------------------------------------------ */

enum { PRODUCTS = 600, PUBLISHES = 200 };

struct reader {
    struct fixture *f;
    atomic_bool *stop;
    int mixed;
};

/* All prices of one snapshot are equal: an update changes all of them in one publish. */
static void *read_on(void *arg)
{
    struct reader *r = arg;
    while (!atomic_load(r->stop)) {
        struct catalogue_snapshot *s = catalogue_acquire(r->f->catalogue);
        int64_t first = find(r->f, s, "P0")->facts.price_minor;
        for (int i = 1; i < PRODUCTS; i += 37) {
            char sku[16];
            snprintf(sku, sizeof sku, "P%d", i);
            r->mixed += find(r->f, s, sku)->facts.price_minor != first;
        }
        catalogue_release(s);
    }
    return NULL;
}

static void readers_never_see_half_an_update(void **state)
{
    struct fixture *f = *state;
    static char names[PRODUCTS][16];
    static struct slice skus[PRODUCTS];
    for (int i = 0; i < PRODUCTS; i++) {
        snprintf(names[i], sizeof names[i], "P%d", i);
        skus[i] = slice_str(names[i]);
        add(f, names[i], 0, "", "");
    }
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    atomic_bool stop = false;
    struct reader readers[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        readers[i] = (struct reader){ f, &stop, 0 };
        pthread_create(&threads[i], NULL, read_on, &readers[i]);
    }
    for (int i = 0; i < PUBLISHES; i++) {
        run(f, "UPDATE products SET price = price + 1");
        assert_int_equal(catalogue_update(f->catalogue, f->conn, skus, PRODUCTS, &f->err), 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].mixed, 0);
    }
}

static void products_are_gone_through_each_once(void **state)
{
    struct fixture *f = *state;
    char sku[16];
    for (int i = 0; i < 600; i++) {
        snprintf(sku, sizeof sku, "N%d", i);
        if (i % 3 == 0)
            add(f, sku, i, "", "");
        symbols_intern(f->symbols, slice_str(sku));
    }
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    struct catalogue_snapshot *s = catalogue_acquire(f->catalogue);
    symbol at = 0, before = 0;
    size_t n = 0;
    for (const struct catalogue_product *p; (p = catalogue_next(s, &at)); n++) {
        assert_ptr_equal(p, catalogue_find(s, at));
        assert_true(at > before);
        before = at;
    }
    assert_int_equal(n, 200);
    assert_null(catalogue_next(s, &at));
    catalogue_release(s);
}

static void where_a_product_lies_is_known_when_it_is_one_place(void **state)
{
    struct fixture *f = *state;
    add(f, "NOWHERE", 1, "", "");
    add(f, "MAIN", 1, "", "");
    add(f, "BOTH", 1, "", "");
    run(f, "INSERT INTO stock SELECT id, 'main', 70 + id FROM products WHERE sku <> 'NOWHERE'");
    run(f, "INSERT INTO stock SELECT id, 'back', 80 FROM products WHERE sku = 'BOTH'");
    assert_int_equal(catalogue_load(f->catalogue, f->conn, &f->err), 0);
    const struct catalogue_snapshot *now = catalogue_published(f->catalogue);
    const struct catalogue_product *nowhere = catalogue_find(now, symbols_find(f->symbols, slice_str("NOWHERE")));
    const struct catalogue_product *one = catalogue_find(now, symbols_find(f->symbols, slice_str("MAIN")));
    const struct catalogue_product *both = catalogue_find(now, symbols_find(f->symbols, slice_str("BOTH")));
    assert_int_equal(nowhere->places, 0);
    assert_int_equal(one->places, 1);
    assert_int_equal(one->account, 72);
    assert_true(slice_is(one->location, "main"));
    assert_int_equal(both->places, 2);
    assert_int_equal(both->account, 0);

    run(f, "INSERT INTO stock SELECT id, 'cellar', 90 FROM products WHERE sku = 'NOWHERE'");
    update(f, "NOWHERE");
    nowhere = catalogue_find(catalogue_published(f->catalogue), symbols_find(f->symbols, slice_str("NOWHERE")));
    assert_int_equal(nowhere->account, 90);
    assert_true(slice_is(nowhere->location, "cellar"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_never_changes_while_it_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown(a_variant_takes_from_its_parent_what_it_does_not_state, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_are_no_products_are_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_never_see_half_an_update, setup, teardown),
        cmocka_unit_test_setup_teardown(products_are_gone_through_each_once, setup, teardown),
        cmocka_unit_test_setup_teardown(where_a_product_lies_is_known_when_it_is_one_place, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
