#include "store/store.h"
#include "store/faultvfs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

static const struct store_migration one[] = {
    { 1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER)" },
    { 0 },
};
static const struct store_migration two[] = {
    { 1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER)" },
    { 2, "colour", "ALTER TABLE things ADD COLUMN colour TEXT; CREATE TABLE extra (id INTEGER PRIMARY KEY)" },
    { 0 },
};

struct folder {
    char dir[64], path[96];
};

static struct folder folder_make(void)
{
    struct folder f;
    snprintf(f.dir, sizeof f.dir, "/tmp/store-test-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof f.path, "%s/shop.db", f.dir);
    return f;
}

static void folder_remove(const struct folder *f)
{
    static const char *const names[] = { "shop.db", "shop.db-wal", "shop.db-shm", "shop.db-journal", "shop.db-seal" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
}

static struct store *open_with(const char *path, const struct store_migration *m)
{
    struct store *s;
    struct err err;
    int rc = store_open(&(struct store_options){ .path = path, .migrations = m }, &s, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    return s;
}

static void refused(const char *path, const struct store_migration *m, int code, const char *says)
{
    struct store *s;
    struct err err;
    assert_int_equal(store_open(&(struct store_options){ .path = path, .migrations = m }, &s, &err), code);
    assert_null(s);
    if (!strstr(err.text, says))
        fail_msg("expected \"%s\" in: %s", says, err.text);
    if (!strstr(err.text, path))
        fail_msg("the file is not named: %s", err.text);
}

static struct store_stmt *prep(struct store_conn *c, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, sql, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static int run(struct store_conn *c, const char *sql, struct err *err)
{
    return store_run(prep(c, sql), NULL, err);
}

static int64_t count(struct store_conn *c, const char *sql)
{
    struct store_stmt *s = prep(c, sql);
    struct err err;
    if (store_step(s, &err) != 1)
        fail_msg("no row");
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

/* Changes a file behind our back, as another program would. */
static void meddle(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_values_of_every_type_come_back_as_they_were(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    assert_int_equal(run(c, "CREATE TABLE v (i INTEGER, t TEXT, b BLOB, n TEXT)", &err), 0);
    struct store_stmt *in = prep(c, "INSERT INTO v VALUES (?1, ?2, ?3, ?4)");
    assert_int_equal(store_stmt_params(in), 4);
    store_bind_int(in, 1, INT64_MIN);
    store_bind_text(in, 2, slice_of("a\0b", 3));
    store_bind_blob(in, 3, slice_of("\xff\x00", 2));
    store_bind_null(in, 4);
    int64_t changed = 0;
    assert_int_equal(store_run(in, &changed, &err), 0);
    assert_int_equal(changed, 1);
    struct store_stmt *out = prep(c, "SELECT i, t, b, n AS none, '' FROM v");
    assert_int_equal(store_step(out, &err), 1);
    assert_int_equal(store_columns(out), 5);
    assert_string_equal(store_column_name(out, 3), "none");
    assert_true(store_column_int(out, 0) == INT64_MIN);
    assert_true(slice_eq(store_column_text(out, 1), slice_of("a\0b", 3)));
    assert_true(slice_eq(store_column_text(out, 2), slice_of("\xff\x00", 2)));
    assert_int_equal(store_column_type(out, 0), STORE_INT);
    assert_int_equal(store_column_type(out, 1), STORE_TEXT);
    assert_int_equal(store_column_type(out, 2), STORE_BLOB);
    assert_int_equal(store_column_type(out, 3), STORE_NULL);
    assert_int_equal(store_column_text(out, 4).len, 0);
    assert_int_equal(store_step(out, &err), 0);
    store_close(s);
}

static void test_a_statement_is_found_by_its_text_even_when_an_address_is_used_again(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    char text[32];
    snprintf(text, sizeof text, "SELECT 1");
    struct store_stmt *a = prep(c, text);
    snprintf(text, sizeof text, "SELECT 2");
    struct store_stmt *b = prep(c, text);
    assert_ptr_not_equal(a, b);
    struct err err;
    assert_int_equal(store_step(b, &err), 1);
    assert_int_equal(store_column_int(b, 0), 2);
    store_reset(b);
    assert_ptr_equal(prep(c, "SELECT 1"), a);
    store_close(s);
}

static void test_the_same_query_may_be_walked_inside_itself(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    static const char *const sql = "SELECT 1 UNION ALL SELECT 2";
    struct store_stmt *outer = prep(c, sql);
    int pairs = 0;
    while (store_step(outer, &err) > 0) {
        struct store_stmt *inner = prep(c, sql);
        assert_ptr_not_equal(inner, outer);
        while (store_step(inner, &err) > 0)
            pairs++;
    }
    assert_int_equal(pairs, 4);
    store_close(s);
}

static void test_what_was_bound_is_forgotten_at_the_reset(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    struct store_stmt *q = prep(c, "SELECT ?1 IS NULL");
    char *gone = strdup("text");
    store_bind_text(q, 1, slice_str(gone));
    assert_int_equal(store_step(q, &err), 1);
    assert_int_equal(store_column_int(q, 0), 0);
    store_reset(q);
    free(gone);
    assert_int_equal(store_step(q, &err), 1);
    assert_int_equal(store_column_int(q, 0), 1);
    store_reset(q);
    store_close(s);
}

static void test_a_wrong_statement_is_refused_with_a_sentence(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct store_stmt *st;
    struct err err;
    assert_int_equal(store_prepare(c, "SELECT nothing FROM nowhere", &st, &err), ERR_INTERNAL);
    assert_null(st);
    assert_int_equal(store_prepare(c, "SELECT 1; SELECT 2", &st, &err), ERR_INTERNAL);
    assert_int_equal(store_prepare(c, "", &st, &err), ERR_INTERNAL);
    struct store_stmt *q = prep(c, "SELECT ?1");
    store_bind_int(q, 7, 1);
    assert_true(store_step(q, &err) < 0);
    assert_int_equal(store_step(q, &err), 1); /* the mistake was reported once and is over */
    store_reset(q);
    store_close(s);
}

static void test_a_second_unique_value_is_a_conflict(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", one);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    assert_int_equal(run(c, "INSERT INTO things (name) VALUES ('a')", &err), 0);
    assert_int_equal(run(c, "INSERT INTO things (name) VALUES ('a')", &err), ERR_CONFLICT);
    assert_string_equal(err.reason, "unique");
    store_close(s);
}

static void test_a_savepoint_can_be_undone_and_the_rest_committed(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", one);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    uint64_t version = store_version(c);
    assert_int_equal(store_begin(c, &err), 0);
    assert_true(store_begin(c, &err) < 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_savepoint(c, &err), 0);
        assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), 0);
        assert_int_equal(i == 1 ? store_rollback_to(c, &err) : store_release(c, &err), 0);
    }
    assert_true(store_in_transaction(c));
    assert_int_equal(store_commit(c, &err), 0);
    assert_false(store_in_transaction(c));
    assert_int_equal(count(c, "SELECT count(*) FROM things"), 2);
    assert_true(store_version(c) > version);
    store_close(s);
}

static void test_a_reader_sees_commits_only_and_keeps_its_snapshot(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one);
    struct store_conn *w = store_writer_conn(s), *r;
    struct err err;
    assert_int_equal(store_reader_open(s, &r, &err), 0);
    assert_int_equal(store_begin(w, &err), 0);
    assert_int_equal(run(w, "INSERT INTO things (n) VALUES (1)", &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 0);
    assert_int_equal(store_commit(w, &err), 0);
    assert_int_equal(store_begin(r, &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 1);
    assert_int_equal(run(w, "INSERT INTO things (n) VALUES (2)", &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 1);
    assert_int_equal(store_commit(r, &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 2);
    assert_true(run(r, "INSERT INTO things (n) VALUES (3)", &err) < 0);
    store_reader_close(r);
    store_close(s);
    folder_remove(&f);
}

static void test_a_pinned_reader_keeps_pages_in_the_log_and_readers_never_checkpoint(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one);
    struct store_conn *w = store_writer_conn(s), *r;
    struct err err;
    int left = -1;
    assert_int_equal(store_reader_open(s, &r, &err), 0);
    assert_int_equal(run(w, "INSERT INTO things (n) VALUES (1)", &err), 0);
    assert_int_equal(store_begin(r, &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 1);
    assert_int_equal(run(w, "INSERT INTO things (n) VALUES (2)", &err), 0);
    assert_int_equal(store_checkpoint(w, &left, &err), 0);
    assert_true(left > 0);
    assert_int_equal(store_commit(r, &err), 0);
    assert_int_equal(store_checkpoint(w, &left, &err), 0);
    assert_int_equal(left, 0);
    store_reader_close(r);
    store_close(s);
    folder_remove(&f);
}

static void test_a_statement_left_in_the_middle_keeps_no_snapshot_beyond_its_transaction(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one);
    struct store_conn *w = store_writer_conn(s), *r;
    struct err err;
    int left = -1;
    assert_int_equal(store_reader_open(s, &r, &err), 0);
    assert_int_equal(run(w, "INSERT INTO things (n) VALUES (1), (2)", &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_begin(r, &err), 0);
        assert_int_equal(store_step(prep(r, "SELECT id FROM things"), &err), 1);
        if (i == 0)
            assert_int_equal(store_commit(r, &err), 0);
        else
            store_rollback(r);
        assert_int_equal(run(w, "INSERT INTO things (n) VALUES (3)", &err), 0);
        assert_int_equal(store_checkpoint(w, &left, &err), 0);
        assert_int_equal(left, 0);
        assert_int_equal(count(r, "SELECT count(*) FROM things"), 3 + i);
    }
    store_reader_close(r);
    store_close(s);
    folder_remove(&f);
}

static void test_migrations_run_once_and_each_open_after_changes_nothing(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one);
    struct err err;
    assert_int_equal(store_schema_number(s), 1);
    assert_int_equal(run(store_writer_conn(s), "INSERT INTO things (name) VALUES ('kept')", &err), 0);
    store_close(s);
    s = open_with(f.path, two);
    assert_int_equal(store_schema_number(s), 2);
    assert_int_equal(count(store_writer_conn(s), "SELECT count(colour IS NULL) FROM things"), 1);
    int64_t before = count(store_writer_conn(s), "PRAGMA schema_version");
    store_close(s);
    for (int i = 0; i < 3; i++) {
        s = open_with(f.path, two);
        assert_int_equal(count(store_writer_conn(s), "PRAGMA schema_version"), before);
        store_close(s);
    }
    s = open_with(f.path, one); /* the previous program: what it does not know is only added */
    assert_int_equal(store_schema_number(s), 2);
    store_close(s);
    struct stat st;
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    folder_remove(&f);
}

static void test_a_migration_that_fails_leaves_the_store_as_it_was(void **state)
{
    (void)state;
    static const struct store_migration bad[] = {
        { 1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER)" },
        { 2, "half", "CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER)" },
        { 0 },
    };
    struct folder f = folder_make();
    refused(f.path, bad, ERR_INTERNAL, "Migration 2 (half)");
    struct store *s = open_with(f.path, two);
    assert_int_equal(count(store_writer_conn(s), "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    store_close(s);
    folder_remove(&f);
}

static void test_files_that_are_not_ours_are_refused_and_left_alone(void **state)
{
    (void)state;
    struct folder f = folder_make();
    write_file(f.path, "This is a letter to my bank, and not a database at all. It is long enough to have a head of one hundred bytes.");
    refused(f.path, one, ERR_CORRUPT, "no database");
    unlink(f.path);
    meddle(f.path, "CREATE TABLE diary (day, text); INSERT INTO diary VALUES (1, 'dear diary')");
    refused(f.path, one, ERR_CORRUPT, "another program");
    meddle(f.path, "PRAGMA application_id=1234");
    refused(f.path, one, ERR_CORRUPT, "another program");
    unlink(f.path);
    store_close(open_with(f.path, one));
    meddle(f.path, "PRAGMA user_version=2001");
    refused(f.path, one, ERR_CORRUPT, "newer major version");
    meddle(f.path, "PRAGMA user_version=3");
    refused(f.path, one, ERR_CORRUPT, "never wrote");
    folder_remove(&f);
}

static void test_a_truncated_file_is_refused(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one);
    struct err err;
    assert_int_equal(run(store_writer_conn(s),
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO things (name, n) "
                         "SELECT 'thing' || i, i FROM n",
                         &err),
                     0);
    store_close(s);
    struct stat st;
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(truncate(f.path, st.st_size / 2), 0);
    refused(f.path, one, ERR_CORRUPT, "damaged");
    folder_remove(&f);
}

static void copy_files(const struct folder *from, const struct folder *to)
{
    char command[400];
    snprintf(command, sizeof command,
             "cd %s && rm -f %s/* && for f in shop.db shop.db-wal shop.db-seal; do test ! -e $f || cp $f %s/; done", from->dir, to->dir,
             to->dir);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int64_t count_things(const struct folder *f, struct err *err)
{
    struct store *s;
    if (store_open(&(struct store_options){ .path = f->path, .migrations = one }, &s, err) < 0)
        return -1;
    struct store_stmt *q = prep(store_writer_conn(s), "SELECT count(*) FROM things");
    assert_int_equal(store_step(q, err), 1);
    int64_t n = store_column_int(q, 0);
    store_reset(q);
    store_close(s);
    return n;
}

/* Whatever a crash leaves is opened: before and after a checkpoint, with a log that was reset, one that is new, and one that was kept. */
static void test_a_log_is_known_again_after_a_crash_at_any_point(void **state)
{
    (void)state;
    struct folder f = folder_make(), crashed = folder_make();
    struct err err;
    struct store *s = open_with(f.path, one);
    for (int i = 1; i <= 60; i++) {
        struct store_conn *c = store_writer_conn(s);
        assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), 0);
        if (i % 3 == 0)
            assert_int_equal(store_checkpoint(c, NULL, &err), 0);
        copy_files(&f, &crashed);
        if (count_things(&crashed, &err) != i)
            fail_msg("after %d: %s", i, err.text);
        if (i % 10 == 0) {
            store_keep_log(s, i % 20 == 0);
            store_close(s);
            copy_files(&f, &crashed);
            if (count_things(&crashed, &err) != i)
                fail_msg("closed after %d: %s", i, err.text);
            s = open_with(f.path, one);
        }
    }
    store_close(s);
    folder_remove(&f);
    folder_remove(&crashed);
}

static void test_a_log_that_is_not_the_databases_is_refused(void **state)
{
    (void)state;
    struct folder f = folder_make(), crashed = folder_make();
    struct err err;
    char command[300];
    struct store *s = open_with(f.path, one);
    assert_int_equal(run(store_writer_conn(s), "INSERT INTO things (n) VALUES (1)", &err), 0);
    copy_files(&f, &crashed);
    store_close(s);
    snprintf(command, sizeof command, "cp %s/shop.db-wal %s/", crashed.dir, f.dir);
    assert_int_equal(system(command), 0);
    refused(f.path, one, ERR_CORRUPT, "is not the log of the database");
    snprintf(command, sizeof command, "rm %s/shop.db-seal", f.dir); /* as it says */
    assert_int_equal(system(command), 0);
    assert_int_equal(count_things(&f, &err), 1);
    folder_remove(&f);
    folder_remove(&crashed);
}

static void test_a_place_that_can_not_be_written_is_refused(void **state)
{
    (void)state;
    refused("/nonexistent/folder/shop.db", one, ERR_IO, "check the folder");
}

static void test_a_read_only_store_reads_and_refuses_an_older_file(void **state)
{
    (void)state;
    struct folder f = folder_make();
    struct store *s = open_with(f.path, one), *ro;
    struct err err;
    struct store_conn *r;
    assert_int_equal(store_open(&(struct store_options){ .path = f.path, .migrations = two, .read_only = true }, &ro, &err), ERR_STATE);
    assert_int_equal(store_open(&(struct store_options){ .path = f.path, .migrations = one, .read_only = true }, &ro, &err), 0);
    assert_null(store_writer_conn(ro));
    assert_int_equal(store_reader_open(ro, &r, &err), 0);
    uint64_t before = store_version(r);
    assert_int_equal(run(store_writer_conn(s), "INSERT INTO things (n) VALUES (1)", &err), 0);
    assert_int_equal(count(r, "SELECT count(*) FROM things"), 1);
    assert_true(store_version(r) != before);
    store_reader_close(r);
    store_close(ro);
    store_close(s);
    struct store *none;
    unlink(f.path);
    assert_true(store_open(&(struct store_options){ .path = f.path, .migrations = one, .read_only = true }, &none, &err) < 0);
    assert_int_not_equal(access(f.path, F_OK), 0);
    folder_remove(&f);
}

static void test_an_error_that_ends_the_transaction_stops_everything_until_the_rollback(void **state)
{
    (void)state;
    struct faultvfs *disk;
    struct store *s;
    struct err err;
    assert_int_equal(faultvfs_open("store_test_full", 1, &disk, &err), 0);
    assert_int_equal(store_open(&(struct store_options){ .path = "shop.db", .vfs = "store_test_full", .migrations = one }, &s, &err), 0);
    struct store_conn *c = store_writer_conn(s);
    char limit[64];
    snprintf(limit, sizeof limit, "PRAGMA max_page_count=%d", (int)count(c, "PRAGMA page_count") + 2);
    count(c, limit);
    assert_int_equal(store_begin(c, &err), 0);
    assert_int_equal(store_savepoint(c, &err), 0);
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = run(c, "INSERT INTO things (name) VALUES (hex(randomblob(1000)))", &err);
    assert_int_equal(rc, ERR_FULL);
    assert_false(store_in_transaction(c));
    /* Code that swallowed the error goes on: nothing of that may become durable by itself. */
    assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), ERR_IO);
    assert_string_equal(err.reason, "transaction_lost");
    assert_int_equal(store_release(c, &err), ERR_IO);
    store_rollback(c);
    assert_int_equal(count(c, "SELECT count(*) FROM things"), 0);
    assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), 0);
    store_close(s);
    faultvfs_close(disk);
}

static void test_a_full_disk_is_told_from_a_broken_one(void **state)
{
    (void)state;
    struct faultvfs *disk;
    struct store *s;
    struct err err;
    assert_int_equal(faultvfs_open("store_test_kinds", 1, &disk, &err), 0);
    assert_int_equal(store_open(&(struct store_options){ .path = "shop.db", .vfs = "store_test_kinds", .migrations = one }, &s, &err), 0);
    struct store_conn *c = store_writer_conn(s);
    static const struct {
        enum faultvfs_kind kind;
        int code;
    } cases[] = { { FAULTVFS_FULL, ERR_FULL }, { FAULTVFS_WRITE, ERR_IO }, { FAULTVFS_SYNC, ERR_IO } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        faultvfs_fail(disk, cases[i].kind, 1, 1);
        assert_int_equal(store_begin(c, &err), 0);
        assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), 0);
        assert_int_equal(store_commit(c, &err), cases[i].code);
        store_rollback(c);
        assert_int_equal(count(c, "SELECT count(*) FROM things"), (int64_t)i);
        assert_int_equal(run(c, "INSERT INTO things (n) VALUES (1)", &err), 0);
    }
    store_close(s);
    faultvfs_close(disk);
}

static void test_bytes_that_are_kept_outlive_their_statement(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    struct slice kept;
    struct store_stmt *q = prep(c, "SELECT 'abc'");
    assert_int_equal(store_step(q, &err), 1);
    assert_int_equal(store_keep(c, store_column_text(q, 0), &kept, &err), 0);
    store_reset(q);
    assert_true(slice_is(kept, "abc"));
    store_close(s);
}

static void test_a_store_in_memory_is_one_for_all_its_connections(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", one);
    struct store_conn *r;
    struct err err;
    assert_int_equal(store_reader_open(s, &r, &err), 0);
    assert_int_equal(run(store_writer_conn(s), "INSERT INTO things (n) VALUES (5)", &err), 0);
    assert_int_equal(store_begin(r, &err), 0);
    assert_int_equal(count(r, "SELECT n FROM things"), 5);
    assert_int_equal(store_commit(r, &err), 0);
    store_reader_close(r);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_every_type_come_back_as_they_were),
        cmocka_unit_test(test_a_statement_is_found_by_its_text_even_when_an_address_is_used_again),
        cmocka_unit_test(test_the_same_query_may_be_walked_inside_itself),
        cmocka_unit_test(test_what_was_bound_is_forgotten_at_the_reset),
        cmocka_unit_test(test_a_wrong_statement_is_refused_with_a_sentence),
        cmocka_unit_test(test_a_second_unique_value_is_a_conflict),
        cmocka_unit_test(test_a_savepoint_can_be_undone_and_the_rest_committed),
        cmocka_unit_test(test_a_reader_sees_commits_only_and_keeps_its_snapshot),
        cmocka_unit_test(test_a_pinned_reader_keeps_pages_in_the_log_and_readers_never_checkpoint),
        cmocka_unit_test(test_a_statement_left_in_the_middle_keeps_no_snapshot_beyond_its_transaction),
        cmocka_unit_test(test_migrations_run_once_and_each_open_after_changes_nothing),
        cmocka_unit_test(test_a_migration_that_fails_leaves_the_store_as_it_was),
        cmocka_unit_test(test_files_that_are_not_ours_are_refused_and_left_alone),
        cmocka_unit_test(test_a_truncated_file_is_refused),
        cmocka_unit_test(test_a_log_is_known_again_after_a_crash_at_any_point),
        cmocka_unit_test(test_a_log_that_is_not_the_databases_is_refused),
        cmocka_unit_test(test_a_place_that_can_not_be_written_is_refused),
        cmocka_unit_test(test_a_read_only_store_reads_and_refuses_an_older_file),
        cmocka_unit_test(test_an_error_that_ends_the_transaction_stops_everything_until_the_rollback),
        cmocka_unit_test(test_a_full_disk_is_told_from_a_broken_one),
        cmocka_unit_test(test_bytes_that_are_kept_outlive_their_statement),
        cmocka_unit_test(test_a_store_in_memory_is_one_for_all_its_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
