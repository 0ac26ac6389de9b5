#include "store/follow.h"
#include "store/rebuild.h"
#include "store/tap.h"
#include "base/map.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct store_migration schema[] = {
    { 1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER, filler BLOB)" },
    { 0 },
};

enum { HOUR_MS = 3600 * 1000, PATH = 512 };
static const int64_t start_ms = 1790000000000;

/* A clock that threads may read while the test moves it. */
struct test_clock {
    _Atomic int64_t now_ms;
    struct clock face;
};

static int64_t test_wall(void *ctx)
{
    return ((struct test_clock *)ctx)->now_ms;
}

static int64_t test_mono(void *ctx)
{
    return ((struct test_clock *)ctx)->now_ms * 1000000;
}

/* Good enough to notice what tests damage; the store does not know which one it is. */
static void sum_of(struct slice data, unsigned char out[32])
{
    uint64_t h[4] = { hash_bytes(data.data, data.len), data.len, 0, 0 };
    h[2] = hash_bytes(h, 16);
    h[3] = hash_bytes(h, 24);
    memcpy(out, h, 32);
}

struct world {
    char root[64], data[PATH], db[PATH], dir[PATH], away[PATH];
    struct test_clock clock;
    struct store *store;
    struct writer *writer;
    struct follow *follow;
    struct follow_options options;
    int64_t checkpoint_pages;
    int inserted;
};

struct cmd {
    struct writer_command base;
    struct world *w;
    int rows, bytes;
    atomic_bool done;
};

static void must(int rc, const struct err *err)
{
    if (rc < 0)
        fail_msg("%s", err->text);
}

static int insert(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    struct cmd *c = (struct cmd *)base;
    struct store_stmt *s;
    int rc = store_prepare(conn, "INSERT INTO things (n, filler) VALUES (?1, zeroblob(?2))", &s, err);
    for (int i = 0; rc == 0 && i < c->rows; i++) {
        store_bind_int(s, 1, c->w->inserted + 1);
        store_bind_int(s, 2, c->bytes);
        rc = store_run(s, NULL, err);
    }
    return rc;
}

static void inserted(struct writer_command *base, int rc, const struct err *err)
{
    must(rc, err);
    ((struct cmd *)base)->done = true;
}

/* One commit; its rows have the number of it. */
static void commit_one(struct world *w, int rows, int bytes)
{
    struct cmd c = { .base = { .run = insert, .done = inserted }, .w = w, .rows = rows, .bytes = bytes };
    struct err err;
    w->clock.now_ms++;
    must(writer_submit(w->writer, &c.base, &err), &err);
    while (!c.done)
        usleep(50);
    w->inserted++;
}

static void commits(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        commit_one(w, 1 + i % 3, 300 + i % 7 * 900);
}

/* --- a shop and its follower ---------------------------------------------------------------------------------------------- */

static void open_store(struct world *w)
{
    struct err err;
    must(store_open(&(struct store_options){ .path = w->db, .migrations = schema }, &w->store, &err), &err);
    struct writer_options o = { .store = w->store, .clock = &w->clock.face, .checkpoint_pages = w->checkpoint_pages };
    must(writer_open(&o, &w->writer, &err), &err);
    must(writer_start(w->writer, &err), &err);
}

static void begin_following(struct world *w)
{
    struct err err;
    w->options.store = w->store;
    w->options.writer = w->writer;
    must(follow_open(&w->options, &w->follow, &err), &err);
}

static struct world *world_open(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct err err;
    assert_non_null(w);
    snprintf(w->root, sizeof w->root, "/tmp/follow-test-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    snprintf(w->data, sizeof w->data, "%s/data", w->root);
    snprintf(w->db, sizeof w->db, "%s/data/shop.db", w->root);
    snprintf(w->dir, sizeof w->dir, "%s/copy", w->root);
    snprintf(w->away, sizeof w->away, "%s/away", w->root);
    assert_int_equal(mkdir(w->data, 0700), 0);
    w->clock.now_ms = start_ms;
    w->clock.face = (struct clock){ test_wall, test_mono, &w->clock };
    w->checkpoint_pages = 40; /* so that the log is reset many times */
    w->options = (struct follow_options){ .dir = w->dir,
                                          .whose = "shop one",
                                          .keep_ms = 24 * HOUR_MS,
                                          .snapshot_ms = 24 * HOUR_MS,
                                          .clock = &w->clock.face,
                                          .migrations = schema,
                                          .sha256 = sum_of };
    open_store(w);
    must(follow_prepare(w->dir, "shop one", &err), &err);
    return w;
}

static void stop_following(struct world *w)
{
    follow_close(w->follow);
    w->follow = NULL;
}

static void close_store(struct world *w)
{
    if (w->writer)
        writer_stop(w->writer);
    stop_following(w);
    writer_free(w->writer);
    store_close(w->store);
    w->writer = NULL;
    w->store = NULL;
}

static void remove_tree(const char *path)
{
    char command[PATH + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void world_close(struct world *w)
{
    close_store(w);
    remove_tree(w->root);
    free(w);
}

static struct follow_stats wait_for(struct world *w, bool (*what)(const struct follow_stats *s))
{
    struct follow_stats s;
    for (int i = 0; i < 20000; i++) {
        follow_stats(w->follow, &s);
        if (what(&s))
            return s;
        usleep(1000);
    }
    fail_msg("lag %lld ms, %llu bytes, restorable %d, problem %s", (long long)s.lag_ms, (unsigned long long)s.lag_bytes, s.restorable,
             s.problem);
    return s;
}

static bool caught_up(const struct follow_stats *s)
{
    return s->restorable && s->lag_ms == 0 && s->lag_bytes == 0 && !s->problem[0];
}

static bool in_trouble(const struct follow_stats *s)
{
    return s->problem[0] != '\0' && s->lag_bytes > 0;
}

static bool in_trouble_idle(const struct follow_stats *s)
{
    return s->problem[0] != '\0';
}

/* --- what comes back --------------------------------------------------------------------------------------------------------- */

static int64_t number_in(const char *db, const char *sql)
{
    struct store *s;
    struct store_conn *c;
    struct store_stmt *st;
    struct err err;
    must(store_open(&(struct store_options){ .path = db, .read_only = true, .migrations = schema }, &s, &err), &err);
    must(store_reader_open(s, &c, &err), &err);
    must(store_check(c, true, &err), &err);
    must(store_prepare(c, sql, &st, &err), &err);
    assert_int_equal(store_step(st, &err), 1);
    int64_t n = store_column_int(st, 0);
    store_reset(st);
    store_reader_close(c);
    store_close(s);
    return n;
}

static int rebuild(struct world *w, int64_t at_ms, bool accept, struct rebuild_report *report, struct err *err)
{
    char path[PATH + 16];
    snprintf(path, sizeof path, "%s/back.db", w->root);
    unlink(path);
    struct rebuild_options o = { .dir = w->dir, .path = path, .at_ms = at_ms, .accept_damage = accept, .sha256 = sum_of };
    err_clear(err);
    return store_rebuild(&o, report, err);
}

/* The number of the last commit in it; all before it are there, too. */
static int64_t brought_back(struct world *w)
{
    char path[PATH + 16];
    snprintf(path, sizeof path, "%s/back.db", w->root);
    int64_t last = number_in(path, "SELECT ifnull(max(n), 0) FROM things");
    assert_int_equal(number_in(path, "SELECT count(DISTINCT n) FROM things"), last);
    return last;
}

static int64_t rebuilt(struct world *w, int64_t at_ms)
{
    struct rebuild_report report;
    struct err err;
    must(rebuild(w, at_ms, false, &report, &err), &err);
    return brought_back(w);
}

/* --- tests -------------------------------------------------------------------------------------------------------------------- */

static void every_moment_comes_back_over_many_resets_of_the_log(void **state)
{
    (void)state;
    struct world *w = world_open();
    commits(w, 20); /* in the snapshot */
    begin_following(w);
    wait_for(w, caught_up);
    int64_t before = w->clock.now_ms;
    commits(w, 300);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.commits, 300);
    assert_int_equal(s.chains, 1);
    struct stat st;
    char wal[PATH + 8];
    snprintf(wal, sizeof wal, "%s-wal", w->db);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 300 * 4096); /* it was reset on the way, else the test shows nothing */
    assert_int_equal(rebuilt(w, INT64_MAX), 320);
    for (int i = 0; i <= 300; i += 37)
        assert_int_equal(rebuilt(w, before + i), 20 + i);
    struct rebuild_report report;
    struct err err;
    assert_int_equal(rebuild(w, start_ms - 1, false, &report, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "goes back to 2026-"));
    world_close(w);
}

static void it_goes_on_after_a_restart_when_the_log_shows_all(void **state)
{
    (void)state;
    struct world *w = world_open();
    close_store(w);
    w->checkpoint_pages = 4000; /* a log that is reset before anybody follows shows nothing */
    open_store(w);
    begin_following(w);
    commits(w, 5);
    wait_for(w, caught_up);
    for (int round = 0; round < 3; round++) {
        store_keep_log(w->store, true);
        close_store(w);
        open_store(w);
        commits(w, 1); /* nobody follows yet */
        begin_following(w);
        commits(w, 3);
        struct follow_stats s = wait_for(w, caught_up);
        assert_int_equal(s.chains, 0);
        assert_int_equal(s.snapshots, 0);
        assert_int_equal(rebuilt(w, INT64_MAX), 5 + 4 * (round + 1));
    }
    world_close(w);
}

static void what_was_committed_unseen_makes_a_new_chain(void **state)
{
    (void)state;
    struct world *w = world_open();
    begin_following(w);
    commits(w, 5);
    wait_for(w, caught_up);
    int64_t then = w->clock.now_ms;
    close_store(w); /* the log goes with it */
    open_store(w);
    commits(w, 5);
    begin_following(w);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 1);
    commits(w, 1);
    wait_for(w, caught_up);
    assert_int_equal(rebuilt(w, INT64_MAX), 11);
    assert_int_equal(rebuilt(w, then), 5); /* from the chain before */
    world_close(w);
}

static void a_folder_that_is_away_makes_lag_and_nothing_else(void **state)
{
    (void)state;
    struct world *w = world_open();
    begin_following(w);
    commits(w, 3);
    wait_for(w, caught_up);
    assert_int_equal(rename(w->dir, w->away), 0);
    commits(w, 200);
    w->clock.now_ms += 5000;
    struct follow_stats s = wait_for(w, in_trouble);
    assert_true(s.lag_ms >= 5000);
    assert_true(s.lag_bytes > 200 * 4096);
    assert_non_null(strstr(s.problem, "the shop goes on"));
    assert_int_equal(mkdir(w->dir, 0700), 0); /* the empty folder below a mount is not the disk */
    usleep(700000);
    follow_stats(w->follow, &s);
    assert_true(s.problem[0] != '\0');
    assert_int_equal(rmdir(w->dir), 0); /* nothing was put into it */
    assert_int_equal(rename(w->away, w->dir), 0);
    s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 1);
    assert_int_equal(rebuilt(w, INT64_MAX), 203);
    world_close(w);
}

static void what_waits_too_long_is_let_go_and_a_new_chain_begins(void **state)
{
    (void)state;
    struct world *w = world_open();
    tap_set_bounds(writer_tap(w->writer), 100000, 200);
    begin_following(w);
    commits(w, 3);
    wait_for(w, caught_up);
    assert_int_equal(rename(w->dir, w->away), 0);
    commits(w, 1);
    wait_for(w, in_trouble);
    commits(w, 600);
    struct stat st;
    char wal[PATH + 8];
    snprintf(wal, sizeof wal, "%s-wal", w->db);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 400 * 4120); /* the log does not grow for ever */
    assert_int_equal(rename(w->away, w->dir), 0);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 2);
    commits(w, 2);
    wait_for(w, caught_up);
    assert_int_equal(rebuilt(w, INT64_MAX), 606);
    world_close(w);
}

/* The log is not kept for a follower when the shop's own disk is full. */
static void on_a_full_disk_the_shop_goes_first(void **state)
{
    (void)state;
    struct world *w = world_open();
    begin_following(w);
    wait_for(w, caught_up);
    assert_int_equal(rename(w->dir, w->away), 0);
    commits(w, 10);
    wait_for(w, in_trouble);
    tap_let_go(writer_tap(w->writer)); /* as the writer does then */
    assert_true(tap_may_checkpoint(writer_tap(w->writer)));
    commits(w, 10);
    assert_int_equal(rename(w->away, w->dir), 0);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 2);
    assert_int_equal(rebuilt(w, INT64_MAX), 20);
    world_close(w);
}

static void a_folder_that_was_emptied_is_begun_anew(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct err err;
    begin_following(w);
    commits(w, 3);
    wait_for(w, caught_up);
    assert_int_equal(rename(w->dir, w->away), 0);
    remove_tree(w->away);
    commits(w, 3);
    wait_for(w, in_trouble);
    must(follow_prepare(w->dir, "shop one", &err), &err);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 2);
    commits(w, 3);
    wait_for(w, caught_up);
    assert_int_equal(rebuilt(w, INT64_MAX), 9);
    world_close(w);
}

static void a_folder_belongs_to_one_shop_and_one_process(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct err err;
    assert_int_equal(follow_prepare(w->dir, "shop two", &err), ERR_STATE);
    assert_non_null(strstr(err.text, "another shop"));
    begin_following(w);
    wait_for(w, caught_up);
    struct follow *second;
    must(follow_open(&w->options, &second, &err), &err);
    struct follow *first = w->follow;
    w->follow = second;
    struct follow_stats s = wait_for(w, in_trouble_idle);
    assert_non_null(strstr(s.problem, "Another process"));
    follow_close(second);
    w->follow = first;
    world_close(w);
}

/* --- damage ---------------------------------------------------------------------------------------------------------------------- */

static char *only_in(struct world *w, const char *begins, const char *ends, char out[2 * PATH])
{
    char chain[PATH + 64] = "";
    DIR *d = opendir(w->dir);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] == '2')
            snprintf(chain, sizeof chain, "%s/%.40s", w->dir, e->d_name);
    closedir(d);
    d = opendir(chain);
    assert_non_null(d);
    out[0] = '\0';
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name), k = strlen(ends);
        if (strncmp(e->d_name, begins, strlen(begins)) == 0 && n > k && strcmp(e->d_name + n - k, ends) == 0)
            snprintf(out, 2 * PATH, "%.500s/%.100s", chain, e->d_name);
    }
    closedir(d);
    assert_true(out[0]);
    return out;
}

static void flip(const char *path, int64_t at)
{
    unsigned char b;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x40;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void torn_segments_come_back_up_to_the_last_whole_commit(void **state)
{
    (void)state;
    struct world *w = world_open();
    char segment[2 * PATH];
    struct stat st;
    begin_following(w);
    wait_for(w, caught_up);
    int64_t sizes[6], n = 0;
    for (int i = 0; i < 6; i++) {
        commit_one(w, 1, 100);
        wait_for(w, caught_up);
        assert_int_equal(stat(only_in(w, "log-", ".seg", segment), &st), 0);
        sizes[i] = st.st_size;
    }
    stop_following(w);
    for (int64_t cut = sizes[5]; cut >= 0; cut -= 397) {
        while (n < 6 && cut < sizes[5 - n])
            n++;
        assert_int_equal(truncate(segment, cut), 0);
        assert_int_equal(rebuilt(w, INT64_MAX), 6 - n);
    }
    world_close(w);
}

static void a_follower_that_died_goes_on_behind_what_is_torn(void **state)
{
    (void)state;
    struct world *w = world_open();
    char segment[2 * PATH];
    struct stat st;
    begin_following(w);
    wait_for(w, caught_up);
    commits(w, 4);
    wait_for(w, caught_up);
    stop_following(w);
    only_in(w, "log-", ".seg", segment);
    assert_int_equal(stat(segment, &st), 0);
    assert_int_equal(truncate(segment, st.st_size - 100), 0);
    begin_following(w);
    commits(w, 2);
    struct follow_stats s = wait_for(w, caught_up);
    assert_int_equal(s.chains, 0);
    assert_int_equal(s.commits, 3);
    assert_int_equal(rebuilt(w, INT64_MAX), 6);
    world_close(w);
}

static void damage_is_said_and_what_is_before_it_can_be_had(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct rebuild_report report;
    struct err err;
    char segment[2 * PATH];
    struct stat st;
    begin_following(w);
    wait_for(w, caught_up);
    int64_t before = w->clock.now_ms;
    commit_one(w, 1, 100);
    wait_for(w, caught_up);
    assert_int_equal(stat(only_in(w, "log-", ".seg", segment), &st), 0);
    for (int i = 0; i < 9; i++)
        commit_one(w, 1, 100);
    wait_for(w, caught_up);
    stop_following(w);
    flip(segment, st.st_size + 200); /* within the second */
    assert_int_equal(rebuild(w, INT64_MAX, false, &report, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "the commits from 2 to 10"));
    assert_non_null(strstr(err.text, "--accept-damage"));
    must(rebuild(w, INT64_MAX, true, &report, &err), &err);
    assert_int_equal(brought_back(w), 1);
    assert_non_null(strstr(report.missing, "2 to 10"));
    assert_int_equal(rebuilt(w, before), 0); /* which does not need what is damaged */
    world_close(w);
}

static void a_segment_that_is_missing_is_damage(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct rebuild_report report;
    struct err err;
    char segment[2 * PATH];
    begin_following(w);
    wait_for(w, caught_up);
    for (int i = 0; i < 3; i++) { /* each start begins a segment */
        commits(w, 2);
        wait_for(w, caught_up);
        if (i == 1)
            only_in(w, "log-", "3.seg", segment);
        stop_following(w);
        begin_following(w);
        wait_for(w, caught_up);
    }
    stop_following(w);
    assert_int_equal(rebuilt(w, INT64_MAX), 6);
    assert_int_equal(unlink(segment), 0);
    assert_int_equal(rebuild(w, INT64_MAX, false, &report, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "does not go on"));
    assert_non_null(strstr(err.text, "from 3 to 6"));
    world_close(w);
}

static void what_a_follower_left_when_it_died_is_removed(void **state)
{
    (void)state;
    struct world *w = world_open();
    char part[2 * PATH];
    begin_following(w);
    wait_for(w, caught_up);
    stop_following(w);
    only_in(w, "snapshot-", ".db", part);
    strcat(part, ".part");
    int fd = open(part, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    begin_following(w);
    wait_for(w, caught_up);
    assert_int_equal(access(part, F_OK), -1);
    world_close(w);
}

static void a_damaged_snapshot_is_noticed_and_an_earlier_one_does(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct rebuild_report report;
    struct err err;
    char snapshot[2 * PATH];
    begin_following(w);
    wait_for(w, caught_up);
    commits(w, 5);
    wait_for(w, caught_up);
    w->clock.now_ms += 25 * HOUR_MS;
    commits(w, 1);
    for (int i = 0; i < 5000; i++) {
        struct follow_stats s;
        follow_stats(w->follow, &s);
        if (s.snapshots == 2)
            break;
        usleep(1000);
    }
    commits(w, 1);
    wait_for(w, caught_up);
    stop_following(w);
    flip(only_in(w, "snapshot-000000000006", ".db", snapshot), 5000);
    assert_int_equal(rebuilt(w, INT64_MAX), 7);
    flip(only_in(w, "snapshot-000000000000", ".db", snapshot), 5000);
    assert_int_equal(rebuild(w, INT64_MAX, false, &report, &err), ERR_CORRUPT);
    world_close(w);
}

static void what_is_old_goes_and_the_oldest_moment_that_is_kept_stays(void **state)
{
    (void)state;
    struct world *w = world_open();
    struct rebuild_report report;
    struct err err;
    w->options.keep_ms = 10 * HOUR_MS;
    w->options.snapshot_ms = 3 * HOUR_MS;
    begin_following(w);
    wait_for(w, caught_up);
    int64_t at[20];
    for (int i = 0; i < 20; i++) {
        w->clock.now_ms += 2 * HOUR_MS;
        commits(w, 1);
        at[i] = w->clock.now_ms;
        wait_for(w, caught_up);
        usleep(20000); /* a snapshot, or a look at what is old, may begin */
    }
    uint64_t made = 0;
    for (int i = 0; i < 100; i++) { /* it looks every now and then */
        struct follow_stats s;
        follow_stats(w->follow, &s);
        made = s.snapshots;
        usleep(10000);
    }
    assert_true(made >= 5);
    stop_following(w);
    for (int i = 15; i < 20; i++)
        assert_int_equal(rebuilt(w, at[i]), i + 1);
    assert_int_equal(rebuilt(w, w->clock.now_ms - w->options.keep_ms), 15);
    assert_int_equal(rebuild(w, at[2], false, &report, &err), ERR_NOT_FOUND); /* long gone */
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_moment_comes_back_over_many_resets_of_the_log),
        cmocka_unit_test(it_goes_on_after_a_restart_when_the_log_shows_all),
        cmocka_unit_test(what_was_committed_unseen_makes_a_new_chain),
        cmocka_unit_test(a_folder_that_is_away_makes_lag_and_nothing_else),
        cmocka_unit_test(what_waits_too_long_is_let_go_and_a_new_chain_begins),
        cmocka_unit_test(on_a_full_disk_the_shop_goes_first),
        cmocka_unit_test(a_folder_that_was_emptied_is_begun_anew),
        cmocka_unit_test(a_folder_belongs_to_one_shop_and_one_process),
        cmocka_unit_test(torn_segments_come_back_up_to_the_last_whole_commit),
        cmocka_unit_test(a_follower_that_died_goes_on_behind_what_is_torn),
        cmocka_unit_test(damage_is_said_and_what_is_before_it_can_be_had),
        cmocka_unit_test(a_segment_that_is_missing_is_damage),
        cmocka_unit_test(what_a_follower_left_when_it_died_is_removed),
        cmocka_unit_test(a_damaged_snapshot_is_noticed_and_an_earlier_one_does),
        cmocka_unit_test(what_is_old_goes_and_the_oldest_moment_that_is_kept_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
