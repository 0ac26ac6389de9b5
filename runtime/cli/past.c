#include "cli/past.h"
#include "host/host.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100 };

/* Somebody serves the shop, or it is open in here until the end. */
struct session {
    const struct cli_args *args;
    struct shop *shop;
    struct desk *desk;
};

static int session_open(struct session *s, const struct cli_args *a, struct err *err)
{
    *s = (struct session){ .args = a };
    if (shop_is_served(a->positional[0], a->values[0]))
        return 0;
    struct shop_options o = { .dir = a->positional[0],
                              .data_dir = a->values[0],
                              .clock = clock_system(),
                              .random = random_system(),
                              .may_lack_secrets = true,
                              .or_live_rules = true };
    int rc = shop_open(&o, &s->shop, err);
    if (rc == 0 && (rc = desk_open(s->shop, &s->desk, err)) < 0) {
        shop_close(s->shop);
        s->shop = NULL;
    }
    return rc;
}

static void session_close(struct session *s)
{
    if (!s->shop)
        return;
    desk_close(s->desk);
    shop_close(s->shop);
}

static int problem(int status, struct slice answer, struct err *err)
{
    struct arena arena;
    struct json_value *v;
    struct slice detail = SLICE_LIT("The shop gave no reason.");
    arena_init(&arena, NULL, 0);
    if (json_parse(answer, NULL, &arena, &v, NULL) == 0)
        json_is_string(json_get(v, "detail"), &detail);
    int rc = err_set(err, status == 422 || status == 400 ? ERR_INVALID : ERR_IO, "%.*s", SLICE_FMT(detail));
    arena_release(&arena);
    return rc;
}

static int session_ask(struct session *s, const char *method, const char *target, struct slice body, struct buf *answer, struct err *err)
{
    int status = 0;
    buf_clear(answer);
    if (!s->shop)
        return shop_ask_ok(s->args->positional[0], s->args->values[0], method, target, body, answer, err);
    int rc = desk_ask(s->desk, &(struct desk_request){ .method = method, .target = target, .body = body }, &status, answer, err);
    return rc < 0 ? rc : status < 300 ? 0 : problem(status, buf_slice(answer), err);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void say_how_far(const char *what, const struct json_value *v, bool last)
{
    int64_t done = cli_number(v, "done"), of = cli_number(v, "of");
    if (!isatty(STDERR_FILENO))
        return;
    if (last)
        fprintf(stderr, "\r\033[K");
    else if (of > 0)
        fprintf(stderr, "\r%s: %lld of %lld, %lld %%\033[K", what, (long long)done, (long long)of, (long long)(done * 100 / of));
    fflush(stderr);
}

/* 1: it is over. */
static int look(struct session *s, const char *target, const char *what, struct buf *answer, struct arena *arena, struct json_value **v,
                struct err *err)
{
    arena_reset(arena);
    int rc = session_ask(s, "GET", target, slice_str(""), answer, err);
    struct slice kept = rc == 0 ? arena_copy(arena, buf_slice(answer)) : slice_str("");
    if (rc == 0)
        rc = kept.data ? json_parse(kept, NULL, arena, v, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc < 0)
        return rc;
    bool over = !slice_is(cli_text(*v, "state"), "running");
    say_how_far(what, *v, over);
    return over;
}

static int wait_for_it(struct session *s, const char *target, const char *what, struct buf *answer, struct arena *arena,
                       struct json_value **v, struct err *err)
{
    const struct timespec pause = { 0, LOOK_EVERY_MS * 1000000L };
    bool told = false;
    int rc;
    while ((rc = look(s, target, what, answer, arena, v, err)) == 0) {
        if (interrupted && !told) {
            told = true;
            rc = session_ask(s, "DELETE", target, slice_str(""), answer, err);
            if (rc < 0)
                return rc;
        }
        nanosleep(&pause, NULL);
    }
    return rc < 0 ? rc : 0;
}

static int result_of(const struct json_value *v, struct json_value **result, struct err *err)
{
    struct slice state = cli_text(v, "state"), why = cli_text(v, "problem");
    if (slice_is(state, "failed"))
        return err_set(err, ERR_IO, "%.*s", SLICE_FMT(why));
    if (!slice_is(state, "done"))
        return err_set(err, ERR_IO, "It was ended before it was done; nothing was changed.");
    for (struct json_value *m = v->first; m; m = m->next)
        if (slice_is(m->key, "result"))
            *result = m;
    return 0;
}

int cli_follow(const struct cli_args *a, const char *target, const char *what, struct slice body, struct arena *arena,
               struct json_value **result, struct err *err)
{
    struct session s;
    struct buf answer;
    struct json_value *v = NULL;
    struct sigaction action = { .sa_handler = on_interrupt }, before;
    int rc = session_open(&s, a, err);
    if (rc < 0)
        return rc;
    buf_init(&answer, NULL);
    sigaction(SIGINT, &action, &before);
    rc = session_ask(&s, "POST", target, body, &answer, err);
    if (rc == 0)
        rc = wait_for_it(&s, target, what, &answer, arena, &v, err);
    if (rc == 0)
        rc = result_of(v, result, err);
    sigaction(SIGINT, &before, NULL);
    buf_release(&answer);
    session_close(&s);
    return rc;
}

int cli_threads(const char *text, int64_t *out, struct err *err)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return *text && !*end && *out >= 1 && *out <= 64 ? 0 : err_set(err, ERR_INVALID, "--threads is a number from 1 to 64.");
}
