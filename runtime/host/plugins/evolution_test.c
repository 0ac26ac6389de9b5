/* Collections of a plugin through many revisions, on a real store: what a plan does, keeps every value that was ever written, and what
 * was live once always comes back. The plans are rulebook's, the tables store's; only the host knows both. */
#include "rulebook/collections.h"
#include "store/store.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { TABLES = 3, FIELDS = 5, ROUNDS = 60, RUNS = 40, REVISIONS = ROUNDS, ROWS = 400 };

struct field {
    bool there, text, optional, has_default;
};

struct revision {
    struct {
        bool there, unique, index;
        int unique_field, index_field;
        struct field fields[FIELDS];
    } tables[TABLES];
    bool live; /* was published once */
};

struct row {
    int table;
    int64_t id;
    bool set[FIELDS];
    int64_t values[FIELDS];
    bool text[FIELDS];
};

struct world {
    uint64_t seed;
    struct store *store;
    struct store_conn *conn;
    struct slice record;
    struct arena kept;
    struct revision revisions[REVISIONS + 1];
    int count;
    struct row rows[ROWS];
    size_t row_count;
    struct {
        int published, refused, returned, violated, pruned;
    } seen;
};

static uint64_t next(struct world *w, uint64_t below)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return w->seed % below;
}

static void write_field(struct buf *b, int i, const struct field *f)
{
    buf_printf(b, " f%d = { type = '%s', ", i, f->text ? "string" : "integer");
    if (f->has_default)
        buf_printf(b, f->text ? "default = \"it's\"" : "default = 7");
    else if (f->optional)
        buf_add_str(b, "optional = true");
    buf_add_str(b, "},");
}

static struct manifest *manifest_of(const struct revision *r)
{
    struct buf b;
    struct manifest *m;
    struct err err = { 0 };
    buf_init(&b, NULL);
    buf_add_str(&b, "return { name = 'invite', version = '1.0.0', api = 1, title = 'x', collections = {");
    for (int t = 0; t < TABLES; t++) {
        if (!r->tables[t].there)
            continue;
        buf_printf(&b, " t%d = { fields = {", t);
        for (int i = 0; i < FIELDS; i++)
            if (r->tables[t].fields[i].there)
                write_field(&b, i, &r->tables[t].fields[i]);
        buf_add_str(&b, "},");
        if (r->tables[t].unique)
            buf_printf(&b, " unique = { 'f%d' },", r->tables[t].unique_field);
        if (r->tables[t].index)
            buf_printf(&b, " index = { { 'f%d', 'f0' } },", r->tables[t].index_field);
        buf_add_str(&b, "},");
    }
    buf_add_str(&b, "} }");
    if (manifest_read(buf_slice(&b), "plugins/invite/plugin.lua", NULL, &m, &err) < 0)
        fail_msg("%s\n%.*s", err.text, (int)b.len, b.data);
    buf_release(&b);
    return m;
}

static void mutate(struct world *w, struct revision *r)
{
    int t = (int)next(w, TABLES), i = (int)next(w, FIELDS);
    struct field *f = &r->tables[t].fields[i];
    r->live = false;
    if (!r->tables[t].there) {
        r->tables[t].there = true;
        r->tables[t].fields[0] = (struct field){ .there = true };
        return;
    }
    switch (next(w, 10)) {
    case 0:
        r->tables[t].there = false;
        break;
    case 1:
        r->tables[t].unique = !r->tables[t].unique;
        r->tables[t].unique_field = i;
        break;
    case 2:
        r->tables[t].index = !r->tables[t].index;
        r->tables[t].index_field = 1 + (int)next(w, FIELDS - 1);
        break;
    case 3:
        f->text = i != 0 && !f->text;
        break;
    case 4:
        f->there = i == 0 || !f->there;
        break;
    default:
        *f = (struct field){ .there = true, .text = f->there ? f->text : next(w, 2), .optional = next(w, 2) };
        f->has_default = !f->optional && next(w, 3) > 0;
    }
    bool unique = r->tables[t].unique && r->tables[t].fields[r->tables[t].unique_field].there;
    bool index = r->tables[t].index && r->tables[t].fields[r->tables[t].index_field].there;
    r->tables[t].unique = unique;
    r->tables[t].index = index;
}

/* --- the store ----------------------------------------------------------------------------------------------------------- */

static int run_sql(struct world *w, const char *sql)
{
    struct store_stmt *s;
    struct err err = { 0 };
    int rc = store_prepare(w->conn, sql, &s, &err);
    if (rc == 0)
        rc = store_run(s, NULL, &err);
    if (rc < 0 && rc != ERR_CONFLICT)
        fail_msg("%s: %s", sql, err.text);
    return rc;
}

static int carry_out(struct world *w, const struct collections_plan *p)
{
    struct err err;
    int rc = store_begin(w->conn, &err);
    for (size_t i = 0; i < p->count && rc == 0; i++)
        rc = run_sql(w, p->statements[i]);
    if (rc < 0) {
        store_rollback(w->conn);
        return rc;
    }
    assert_int_equal(store_commit(w->conn, &err), 0);
    w->record = arena_copy(&w->kept, p->record);
    return 0;
}

static struct store_stmt *prepared(struct world *w, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(w->conn, sql, &s, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
    return s;
}

static void insert_row(struct world *w, const struct revision *r, int t)
{
    char sql[300], text[FIELDS][24];
    struct row row = { .table = t };
    int n = 0, len = snprintf(sql, sizeof sql, "INSERT INTO p_invite__t%d (", t);
    for (int i = 0; i < FIELDS; i++) {
        const struct field *f = &r->tables[t].fields[i];
        row.set[i] = f->there && (!f->optional || next(w, 2));
        row.text[i] = f->text;
        row.values[i] = (int64_t)next(w, 1000);
        if (row.set[i])
            len += snprintf(sql + len, sizeof sql - (size_t)len, "%sf%d", n++ ? ", " : "", i);
    }
    if (n == 0)
        return;
    len += snprintf(sql + len, sizeof sql - (size_t)len, ") VALUES (");
    for (int i = 0; i < n; i++)
        len += snprintf(sql + len, sizeof sql - (size_t)len, "%s?%d", i ? ", " : "", i + 1);
    snprintf(sql + len, sizeof sql - (size_t)len, ") RETURNING id");
    struct store_stmt *s = prepared(w, sql);
    struct err err;
    n = 0;
    for (int i = 0; i < FIELDS; i++) {
        if (row.set[i] && row.text[i])
            store_bind_text(s, ++n, slice_of(text[i], (size_t)snprintf(text[i], sizeof text[i], "v%" PRId64, row.values[i])));
        else if (row.set[i])
            store_bind_int(s, ++n, row.values[i]);
    }
    int rc;
    while ((rc = store_step(s, &err)) == 1)
        row.id = store_column_int(s, 0);
    if (rc == 0 && w->row_count < ROWS)
        w->rows[w->row_count++] = row;
}

/* Every value that was written is there, also in columns that no manifest names now. */
static void check_rows(struct world *w)
{
    for (size_t k = 0; k < w->row_count; k++) {
        const struct row *row = &w->rows[k];
        for (int i = 0; i < FIELDS; i++) {
            char sql[100], text[24];
            struct err err;
            if (!row->set[i])
                continue;
            snprintf(sql, sizeof sql, "SELECT f%d FROM p_invite__t%d WHERE id = ?1", i, row->table);
            struct store_stmt *s = prepared(w, sql);
            store_bind_int(s, 1, row->id);
            assert_int_equal(store_step(s, &err), 1);
            snprintf(text, sizeof text, "v%" PRId64, row->values[i]);
            if (row->text[i])
                assert_true(slice_is(store_column_text(s, 0), text));
            else
                assert_int_equal(store_column_int(s, 0), row->values[i]);
            store_reset(s);
        }
    }
}

/* --- runs -------------------------------------------------------------------------------------------------------------------- */

static bool publish(struct world *w, struct revision *r, struct arena *a)
{
    struct manifest *m = manifest_of(r);
    struct collections_plan plan;
    struct err err = { 0 };
    int rc = collections_plan(m, w->record, a, &plan, &err);
    manifest_free(m);
    if (r->live) { /* it was live: it may always come back, and nothing needs to be done for it */
        if (rc < 0)
            fail_msg("%s", err.text);
        assert_int_equal(plan.count, 0);
        w->seen.returned++;
        return true;
    }
    if (rc < 0) {
        assert_int_equal(rc, ERR_INVALID);
        assert_true(err.text[0]);
        w->seen.refused++;
        return false;
    }
    if (carry_out(w, &plan) < 0) {
        w->seen.violated++; /* rows that are there are not unique: the publish fails, nothing has changed */
        return false;
    }
    w->seen.published++;
    return true;
}

static void prune(struct world *w, const struct revision *r, struct arena *a)
{
    struct manifest *m = manifest_of(r);
    struct collections_plan plan;
    struct err err = { 0 };
    if (collections_prune(m, "invite", w->record, a, &plan, &err) < 0)
        fail_msg("%s", err.text);
    manifest_free(m);
    assert_int_equal(carry_out(w, &plan), 0);
    size_t kept = 0;
    for (size_t k = 0; k < w->row_count; k++) {
        struct row row = w->rows[k];
        for (int i = 0; i < FIELDS; i++)
            row.set[i] = row.set[i] && r->tables[row.table].fields[i].there;
        if (r->tables[row.table].there)
            w->rows[kept++] = row;
    }
    w->row_count = kept;
    for (int i = 0; i < w->count; i++)
        w->revisions[i].live = false;
    w->seen.pruned++;
}

static void run(struct world *w)
{
    struct store_migration none[] = { { 1, "empty", "CREATE TABLE base (x INTEGER)" }, { 0 } };
    struct store_options o = { .path = ":memory:", .migrations = none };
    struct err err;
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    arena_init(&w->kept, NULL, 0);
    if (store_open(&o, &w->store, &err) < 0)
        fail_msg("%s", err.text);
    w->conn = store_writer_conn(w->store);
    w->record = slice_str("");
    w->row_count = 0;
    w->count = 0;
    struct revision now = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        struct revision candidate = now;
        bool back = w->count > 0 && next(w, 4) == 0;
        if (back)
            candidate = w->revisions[next(w, (uint64_t)w->count)];
        else
            for (uint64_t i = 1 + next(w, 3); i > 0; i--)
                mutate(w, &candidate);
        arena_reset(&scratch);
        if (publish(w, &candidate, &scratch)) {
            candidate.live = true;
            now = w->revisions[w->count++] = candidate;
        }
        check_rows(w);
        for (int i = 0; i < 3; i++) {
            int t = (int)next(w, TABLES);
            if (now.tables[t].there)
                insert_row(w, &now, t);
        }
        if (now.live && next(w, 15) == 0) {
            prune(w, &now, &scratch);
            now.live = true;
            w->revisions[w->count - 1].live = true; /* the one that is live stays so */
            check_rows(w);
        }
    }
    store_close(w->store);
    arena_release(&w->kept);
    arena_release(&scratch);
}

static void no_value_is_lost_through_random_revisions(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    for (int i = 1; i <= RUNS; i++) {
        w->seed = (uint64_t)i * 0x9E3779B97F4A7C15u;
        run(w);
    }
    /* It went everywhere. */
    assert_true(w->seen.published > 100 && w->seen.refused > 100 && w->seen.returned > 50 && w->seen.violated > 0 && w->seen.pruned > 50);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_value_is_lost_through_random_revisions) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
