#include "host/plugins/plugin_data.h"
#include "bind/bind.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct manifest *plugins[8];
    size_t count;
    struct plugin_set *set;
    const struct plugin_set *live;
    struct buf report;
    struct arena arena;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    buf_init(&f->report, NULL);
    arena_init(&f->arena, NULL, 0);
    *state = f;
    return 0;
}

static void clear(struct fixture *f)
{
    plugin_set_free(f->set);
    f->set = NULL;
    while (f->count)
        manifest_free(f->plugins[--f->count]);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    clear(f);
    store_close(f->store);
    buf_release(&f->report);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *name, const char *rest)
{
    char source[600];
    snprintf(source, sizeof source, "return { name = '%s', version = '1.0.0', api = 1, title = 'x', %s }", name, rest);
    if (manifest_read(slice_str(source), "plugin.lua", NULL, &f->plugins[f->count++], &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void make(struct fixture *f)
{
    if (plugin_set_make((const struct manifest *const *)f->plugins, f->count, NULL, &f->set, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static int grow(struct fixture *f, size_t *statements)
{
    assert_int_equal(store_begin(f->conn, &f->err), 0);
    int rc = plugin_tables_grow(f->conn, f->set, f->live, statements, &f->err);
    if (rc < 0)
        store_rollback(f->conn);
    else
        assert_int_equal(store_commit(f->conn, &f->err), 0);
    return rc;
}

static const char *prune(struct fixture *f, bool drop)
{
    buf_clear(&f->report);
    assert_int_equal(store_begin(f->conn, &f->err), 0);
    if (plugin_tables_prune(f->conn, f->set, drop, &f->report, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(store_commit(f->conn, &f->err), 0);
    buf_add_char(&f->report, '\0');
    return f->report.data;
}

static int64_t number(struct fixture *f, const char *sql)
{
    struct store_stmt *q;
    if (store_prepare(f->conn, sql, &q, &f->err) < 0 || store_step(q, &f->err) != 1)
        fail_msg("%s: %s", sql, f->err.text);
    int64_t n = store_column_int(q, 0);
    store_reset(q);
    return n;
}

static void sql(struct fixture *f, const char *text)
{
    struct store_stmt *q;
    if (store_prepare(f->conn, text, &q, &f->err) < 0 || store_run(q, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

/* What is live already is not asked for; another manifest of the same name is. */
static void plugins_that_are_live_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct plugin_set *live;
    size_t n;
    add(f, "coupons", "collections = { codes = { fields = { code = 'string' }, key = 'code' } },");
    add(f, "invite", "collections = { links = { fields = { a = 'customer' } } },");
    make(f);
    assert_int_equal(plugin_set_make((const struct manifest *const *)f->plugins + 1, 1, NULL, &live, &f->err), 0);
    f->live = live;
    assert_int_equal(grow(f, &n), 0);
    assert_true(n > 0);
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE name = 'p_coupons__codes'"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE name = 'p_invite__links'"), 0); /* it was said to be there */
    plugin_set_free(f->set);
    add(f, "invite", "collections = { links = { fields = { a = 'customer' } } },");
    struct manifest *old = f->plugins[1];
    f->plugins[1] = f->plugins[2]; /* the same text, read again */
    f->plugins[2] = old;
    assert_int_equal(plugin_set_make((const struct manifest *const *)f->plugins, 2, NULL, &f->set, &f->err), 0);
    assert_int_equal(grow(f, &n), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE name = 'p_invite__links'"), 1);
    f->live = NULL;
    plugin_set_free(live);
}

static void tables_follow_the_manifests_once(void **state)
{
    struct fixture *f = *state;
    size_t n;
    add(f, "coupons", "collections = { codes = { fields = { code = 'string' }, key = 'code' } },");
    add(f, "invite", "collections = { links = { fields = { a = 'customer' }, index = { 'a' } } },");
    add(f, "plain", "");
    make(f);
    assert_int_equal(plugin_tables_check(f->conn, f->set, &f->err), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM meta WHERE name LIKE 'collections/%'"), 0);
    assert_int_equal(grow(f, &n), 0);
    assert_int_equal(n, 4);
    assert_int_equal(grow(f, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM meta WHERE name LIKE 'collections/%'"), 2);
    sql(f, "INSERT INTO p_coupons__codes (code) VALUES ('A')");
    assert_int_equal(number(f, "SELECT id FROM p_coupons__codes"), 1);
}

static void a_refused_manifest_leaves_all_tables_as_they_were(void **state)
{
    struct fixture *f = *state;
    add(f, "invite", "collections = { links = { fields = { a = 'customer' } } },");
    make(f);
    assert_int_equal(grow(f, NULL), 0);
    sql(f, "INSERT INTO p_invite__links (a) VALUES ('x'), ('x')");
    clear(f);
    add(f, "coupons", "collections = { codes = { fields = { code = 'string' } } },");
    add(f, "invite", "collections = { links = { fields = { a = 'integer' } } },");
    make(f);
    assert_int_equal(plugin_tables_check(f->conn, f->set, &f->err), ERR_INVALID);
    assert_int_equal(grow(f, NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "was of the type customer"));
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE name = 'p_coupons__codes'"), 0);
    clear(f);
    add(f, "coupons", "collections = { codes = { fields = { code = 'string' } } },");
    add(f, "invite", "collections = { links = { fields = { a = 'customer', b = 'string?' }, unique = { 'a' } } },");
    make(f);
    assert_int_equal(plugin_tables_check(f->conn, f->set, &f->err), 0);
    assert_int_equal(grow(f, NULL), ERR_INVALID);
    assert_non_null(
        strstr(f->err.text, "plugin.lua: collections.links.unique: { \"a\" } is new, and rows that are there have equal values"));
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE name = 'p_coupons__codes'"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_table_info('p_invite__links')"), 2);
}

static void what_nobody_names_is_listed_and_dropped(void **state)
{
    struct fixture *f = *state;
    add(f, "coupons", "collections = { codes = { fields = { code = 'string' } } },");
    add(f, "invite", "collections = { links = { fields = { a = 'customer', b = 'string?' } }, old = { fields = { a = 'string' } } },");
    make(f);
    assert_int_equal(grow(f, NULL), 0);
    assert_string_equal(prune(f, true), "");
    clear(f);
    add(f, "invite", "collections = { links = { fields = { a = 'customer' } } },");
    make(f);
    assert_int_equal(grow(f, NULL), 0);
    assert_string_equal(prune(f, false), "coupons.codes\ninvite.links.b\ninvite.old\n");
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_table_info('p_invite__links')"), 3);
    assert_string_equal(prune(f, true), "coupons.codes\ninvite.links.b\ninvite.old\n");
    assert_string_equal(prune(f, true), "");
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_table_info('p_invite__links')"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_master WHERE substr(name, 1, 2) = 'p_'"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM meta WHERE name LIKE 'collections/%'"), 1);
}

static const struct bind_grant *grant(const struct bind_grants *g, const char *plugin, const char *collection)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->list[i].plugin, plugin) == 0 && strcmp(g->list[i].shape->name, collection) == 0)
            return &g->list[i];
    return NULL;
}

static void a_plugin_is_granted_its_own_and_what_it_needs(void **state)
{
    struct fixture *f = *state;
    struct bind_grants g;
    add(f, "coupons", "collections = { codes = { fields = { a = 'string' } }, grants = { fields = { a = 'string' } } },");
    add(f, "points", "collections = { batches = { fields = { a = 'string' } } },");
    add(f, "invite",
        "needs = { collections = { 'coupons.codes:read', 'points:write', 'customers:read' } }, collections = { links = { fields = { a = "
        "'customer' } } },");
    make(f);
    assert_int_equal(plugin_grants(f->set, plugin_set_find(f->set, SLICE_LIT("invite")), NULL, &f->arena, &g, &f->err), 0);
    assert_string_equal(g.plugin, "invite");
    assert_int_equal(g.count, 4);
    assert_true(grant(&g, "invite", "links")->read && grant(&g, "invite", "links")->write);
    assert_true(grant(&g, "coupons", "codes")->read && !grant(&g, "coupons", "codes")->write);
    assert_true(grant(&g, "points", "batches")->read && grant(&g, "points", "batches")->write);
    assert_null(grant(&g, "coupons", "grants"));
    assert_true(grant(&g, "shop", "customers")->read && !grant(&g, "shop", "customers")->write);
    assert_null(grant(&g, "shop", "orders"));
    for (size_t i = 0; i < grant(&g, "shop", "customers")->shape->field_count; i++) /* none of those that name a person */
        assert_null(strstr("email name phone phone_hash", grant(&g, "shop", "customers")->shape->fields[i].name));
    assert_int_equal(plugin_grants(f->set, plugin_set_find(f->set, SLICE_LIT("points")), NULL, &f->arena, &g, &f->err), 0);
    assert_int_equal(g.count, 1);
}

/* Whoever writes the rows, the plugin's facts are made of them. */
static void a_grant_names_the_fields_that_facts_go_by(void **state)
{
    struct fixture *f = *state;
    struct bind_grants g;
    add(f, "club",
        "collections = { links = { fields = { a = 'customer', b = 'customer', c = 'customer' }, index = { 'c', 'a', 'b' } }, "
        "plain = { fields = { a = 'customer' }, index = { 'a' } } }, facts = { x = { run = 'rules.x', from = { collection = 'links', by = "
        "'c' } }, y = { run = 'rules.y', from = { collection = 'links', by = 'c' } }, z = { run = 'rules.z', from = { collection = "
        "'links', "
        "by = 'a' } }, none = 'rules.none' },");
    add(f, "friend", "needs = { collections = { 'club:write' } },");
    add(f, "reader", "needs = { collections = { 'club:read' } },");
    make(f);
    static const char *const writers[] = { "club", "friend" };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(plugin_grants(f->set, plugin_set_find(f->set, slice_str(writers[i])), NULL, &f->arena, &g, &f->err), 0);
        const struct bind_grant *links = grant(&g, "club", "links");
        assert_int_equal(links->projected_count, 2);
        assert_string_equal(links->shape->fields[links->projected[0]].name, "c");
        assert_string_equal(links->shape->fields[links->projected[1]].name, "a");
        assert_int_equal(grant(&g, "club", "plain")->projected_count, 0);
    }
    assert_int_equal(plugin_grants(f->set, plugin_set_find(f->set, SLICE_LIT("reader")), NULL, &f->arena, &g, &f->err), 0);
    assert_int_equal(grant(&g, "club", "links")->projected_count, 0);
}

int main(void)
{
#define SHOP(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SHOP(tables_follow_the_manifests_once),
        SHOP(plugins_that_are_live_are_left_alone),
        SHOP(a_refused_manifest_leaves_all_tables_as_they_were),
        SHOP(what_nobody_names_is_listed_and_dropped),
        SHOP(a_plugin_is_granted_its_own_and_what_it_needs),
        SHOP(a_grant_names_the_fields_that_facts_go_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
