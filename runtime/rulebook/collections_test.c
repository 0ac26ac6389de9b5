#include "rulebook/collections.h"
#include "rulebook/manifest_fixture.h"

struct plans {
    struct arena arena;
    struct slice record;
    struct collections_plan plan;
    struct err err;
};

static int setup(void **state)
{
    struct plans *p = calloc(1, sizeof *p);
    arena_init(&p->arena, NULL, 0);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct plans *p = *state;
    arena_release(&p->arena);
    free(p);
    return 0;
}

static int plan(struct plans *p, const char *collections)
{
    char *rest;
    if (asprintf(&rest, "collections = { %s },", collections) < 0)
        abort();
    struct manifest *m = fixture_good("group-buy", rest);
    p->err = (struct err){ 0 };
    int rc = collections_plan(m, p->record, &p->arena, &p->plan, &p->err);
    manifest_free(m);
    free(rest);
    return rc;
}

/* Plans and takes the record over, as the host does when the statements have run. */
static void publish(struct plans *p, const char *collections)
{
    if (plan(p, collections) < 0)
        fail_msg("%s", p->err.text);
    p->record = p->plan.record;
}

static void refused(struct plans *p, const char *collections, const char *says)
{
    if (plan(p, collections) != ERR_INVALID || !strstr(p->err.text, says))
        fail_msg("%s\n  says: %s\n  not:  %s", collections, p->err.text, says);
}

static int prune(struct plans *p, const char *collections)
{
    char *rest;
    if (asprintf(&rest, "collections = { %s },", collections) < 0)
        abort();
    struct manifest *m = fixture_good("group-buy", rest);
    p->err = (struct err){ 0 };
    int rc = collections_prune(m, m->name, p->record, &p->arena, &p->plan, &p->err);
    manifest_free(m);
    free(rest);
    return rc;
}

static void new_collections_become_tables(void **state)
{
    struct plans *p = *state;
    publish(p, "seats = { fields = { customer = 'customer', n = { type = 'integer', default = 3 }, note = { type = 'string', default = "
               "\"it's\" }, open = 'boolean?' },"
               "          key = { 'customer', 'n' }, unique = { 'note' }, index = { 'open' } }");
    assert_int_equal(p->plan.count, 4);
    assert_string_equal(p->plan.statements[0],
                        "CREATE TABLE \"p_group_buy__seats\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \"customer\" TEXT, "
                        "\"n\" INTEGER DEFAULT 3, \"note\" TEXT DEFAULT 'it''s', \"open\" INTEGER)");
    assert_non_null(strstr(p->plan.statements[1], "CREATE UNIQUE INDEX \"px_"));
    assert_non_null(strstr(p->plan.statements[1], "\" ON \"p_group_buy__seats\" (\"customer\", \"n\")"));
    assert_non_null(strstr(p->plan.statements[2], "CREATE UNIQUE INDEX"));
    assert_non_null(strstr(p->plan.statements[3], "CREATE INDEX"));
    assert_int_equal(p->plan.hidden_count, 0);
}

static void nothing_changes_when_nothing_changed(void **state)
{
    struct plans *p = *state;
    publish(p, "a = { fields = { x = 'string', y = 'integer' }, unique = { 'x', 'y' } }");
    struct slice before = p->record;
    publish(p, "a = { unique = { 'y', 'x' }, fields = { y = 'integer', x = { type = 'string', max = 7, about = 'x' } } }");
    assert_int_equal(p->plan.count, 0);
    assert_true(slice_eq(before, p->record));
}

static void tables_columns_and_indexes_are_added(void **state)
{
    struct plans *p = *state;
    publish(p, "a = { fields = { x = 'string' } }");
    publish(p, "a = { fields = { x = 'string', y = 'integer?', z = { type = 'boolean', default = true } }, unique = { 'y' }, index = { { "
               "'x', 'z' } } }, b = { fields = { k = 'string' }, key = 'k' }");
    assert_int_equal(p->plan.count, 6);
    assert_string_equal(p->plan.statements[0], "ALTER TABLE \"p_group_buy__a\" ADD COLUMN \"y\" INTEGER");
    assert_string_equal(p->plan.statements[1], "ALTER TABLE \"p_group_buy__a\" ADD COLUMN \"z\" INTEGER DEFAULT 1");
    assert_non_null(strstr(p->plan.statements[2], "CREATE UNIQUE INDEX"));
    assert_non_null(strstr(p->plan.statements[3], "CREATE INDEX"));
    assert_non_null(strstr(p->plan.statements[4], "CREATE TABLE \"p_group_buy__b\""));
}

static void what_would_take_something_back_is_refused(void **state)
{
    struct plans *p = *state;
    publish(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?' }, key = 'k', unique = { { 'x', 'y' } } }, b = { fields = { x "
               "= 'string' } }");
    struct slice before = p->record;
    refused(p, "a = { fields = { k = 'string', x = 'integer', y = 'integer?' }, key = 'k', unique = { { 'x', 'y' } } }",
            "plugins/group-buy/plugin.lua: collections.a.fields.x: was of the type string and can't become integer");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer' }, key = 'k', unique = { { 'x', 'y' } } }", "was optional");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?', z = 'string' }, key = 'k', unique = { { 'x', 'y' } } }",
            "collections.a.fields.z: is new and the rows that are there lack it");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?' }, key = 'k' }", "lacks { \"x\", \"y\" }, which was unique");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?' }, key = 'k', index = { { 'x', 'y' } } }", "which was unique");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?' }, key = 'x', unique = { { 'x', 'y' } } }",
            "is not the key it had");
    refused(p, "a = { fields = { k = 'string', x = 'string', y = 'integer?' }, unique = { { 'x', 'y' } } }", "is not the key it had");
    refused(p, "b = { fields = { x = 'string' }, key = 'x' }", "is there without one");
    assert_true(slice_eq(before, p->record));
}

static void what_is_no_longer_named_is_hidden_and_comes_back(void **state)
{
    struct plans *p = *state;
    publish(p, "a = { fields = { x = 'string', y = 'integer?' }, index = { 'y' } }, b = { fields = { x = 'string' } }");
    publish(p, "a = { fields = { x = 'string' } }");
    assert_int_equal(p->plan.count, 0);
    assert_int_equal(p->plan.hidden_count, 2);
    assert_string_equal(p->plan.hidden[0], "a.y");
    assert_string_equal(p->plan.hidden[1], "b");
    refused(p, "a = { fields = { x = 'string', y = 'string?' } }", "was of the type integer");
    publish(p, "a = { fields = { x = 'string', y = 'integer?' }, index = { 'y' } }, b = { fields = { x = 'string' } }");
    assert_int_equal(p->plan.count, 0);
    assert_int_equal(p->plan.hidden_count, 0);
}

static void an_earlier_revision_always_comes_back(void **state)
{
    struct plans *p = *state;
    static const char first[] = "a = { fields = { x = 'string', y = 'integer' } }",
                      second[] = "a = { fields = { x = 'string', y = 'integer?' }, unique = { 'x' } }";
    publish(p, first);
    publish(p, second);
    assert_int_equal(p->plan.count, 1);
    publish(p, first); /* y was optional, x is unique: as a new shape it would be refused */
    assert_int_equal(p->plan.count, 0);
    refused(p, "a = { fields = { x = 'string', y = 'integer', z = 'string?' } }", "was optional");
    publish(p, second);
    assert_int_equal(p->plan.count, 0);
}

static void a_required_field_that_was_hidden_may_be_missing_in_rows(void **state)
{
    struct plans *p = *state;
    publish(p, "a = { fields = { x = 'string', y = 'integer' } }");
    publish(p, "a = { fields = { x = 'string' } }");
    refused(p, "a = { fields = { x = 'string', y = 'integer', z = 'string?' } }", "rows without it may be there");
    publish(p, "a = { fields = { x = 'string', y = { type = 'integer', default = 0 }, z = 'string?' } }");
}

static void prune_drops_what_is_hidden_and_forgets_what_was(void **state)
{
    struct plans *p = *state;
    static const char first[] = "a = { fields = { x = 'string', y = 'integer?' }, index = { 'y' } }, b = { fields = { x = 'string' } }";
    static const char second[] = "a = { fields = { x = 'string' } }";
    publish(p, first);
    assert_int_equal(prune(p, second), ERR_STATE);
    publish(p, second);
    assert_int_equal(prune(p, second), 0);
    assert_int_equal(p->plan.count, 3);
    assert_non_null(strstr(p->plan.statements[0], "DROP INDEX \"px_"));
    assert_string_equal(p->plan.statements[1], "ALTER TABLE \"p_group_buy__a\" DROP COLUMN \"y\"");
    assert_string_equal(p->plan.statements[2], "DROP TABLE \"p_group_buy__b\"");
    p->record = p->plan.record;
    publish(p, second);
    assert_int_equal(p->plan.count + p->plan.hidden_count, 0);
    publish(p, first); /* made anew */
    assert_int_equal(p->plan.count, 3);
    assert_int_equal(collections_prune(NULL, "group-buy", p->record, &p->arena, &p->plan, &p->err), 0);
    assert_int_equal(p->plan.count, 2);
    assert_string_equal(p->plan.statements[0], "DROP TABLE \"p_group_buy__a\"");
}

static void a_damaged_record_is_no_reason_to_guess(void **state)
{
    struct plans *p = *state;
    static const char *const damaged[] = {
        "x",
        "{}",
        "[]",
        "{\"collections\":[],\"seen\":[]}",
        "{\"collections\":{},\"seen\":[1]}",
        "{\"collections\":{\"a\":{\"fields\":{\"x\":\"strung\"},\"key\":[],\"unique\":[],\"index\":[]}},\"seen\":[]}",
        "{\"collections\":{\"a\":{\"fields\":{\"x\":\"string\"},\"key\":[\"y\"],\"unique\":[],\"index\":[]}},\"seen\":[]}",
        "{\"collections\":{\"a\":{\"fields\":{\"x\":\"string\"},\"key\":[],\"unique\":[[]],\"index\":[]}},\"seen\":[]}"
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        p->record = slice_str(damaged[i]);
        assert_int_equal(plan(p, "a = { fields = { x = 'string' } }"), ERR_CORRUPT);
    }
}

static void hidden_columns_can_not_pile_up_without_end(void **state)
{
    struct plans *p = *state;
    int rc = 0;
    for (int i = 0; i < 8 && rc == 0; i++) {
        char text[4000] = "a = { fields = {";
        for (int k = 0; k < 40; k++)
            sprintf(text + strlen(text), " f%d_%d = 'string?',", i, k);
        strcat(text, "} }");
        rc = plan(p, text);
        if (rc == 0)
            p->record = p->plan.record;
    }
    assert_int_equal(rc, ERR_INVALID);
    assert_non_null(strstr(p->err.text, "run feira prune"));
}

int main(void)
{
#define PLANS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        PLANS(new_collections_become_tables),
        PLANS(nothing_changes_when_nothing_changed),
        PLANS(tables_columns_and_indexes_are_added),
        PLANS(what_would_take_something_back_is_refused),
        PLANS(what_is_no_longer_named_is_hidden_and_comes_back),
        PLANS(an_earlier_revision_always_comes_back),
        PLANS(a_required_field_that_was_hidden_may_be_missing_in_rows),
        PLANS(prune_drops_what_is_hidden_and_forgets_what_was),
        PLANS(a_damaged_record_is_no_reason_to_guess),
        PLANS(hidden_columns_can_not_pile_up_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
