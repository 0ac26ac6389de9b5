#include "host/books.h"
#include "base/log.h"
#include "ledger/statement.h"
#include <stdlib.h>

enum {
    EXPIRE_AT_ONCE = 200, /* so that no commit takes long */
    SUM_AT_ONCE = 500,
    NOT_SUMMED_MAX = 1000, /* a statement reads these one by one: less than a millisecond */
    AGAIN_AFTER_MS = 20,
};

struct books {
    struct shop *shop;
    struct loop *loop;
    struct loop_timer *again;
    struct store_conn *reader; /* the pump's */
    struct writer_command command;
    struct loop_post post;
    bool with_writer;
    bool expiry;  /* what the command is for */
    int64_t left; /* of which there was more than it did */
};

static int run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct books *b = (struct books *)((char *)cmd - offsetof(struct books, command));
    int voided = 0;
    b->left = 0;
    if (!b->expiry)
        return ledger_sum_hours(conn, SUM_AT_ONCE, &b->left, err);
    int rc = ledger_expire(b->shop->ledger, clock_wall_ms(b->shop->options.clock), EXPIRE_AT_ONCE, &voided, err);
    b->left = voided == EXPIRE_AT_ONCE ? NOT_SUMMED_MAX : 0;
    return rc;
}

/* Orders first: while there are some, sums wait for the next look at timers. */
static bool writer_is_busy(const struct books *b)
{
    struct writer_stats now;
    writer_stats(b->shop->writer, &now);
    return now.queue_depth > 0;
}

static void rest(struct loop_post *post)
{
    struct books *b = (struct books *)((char *)post - offsetof(struct books, post));
    b->with_writer = false;
    if (b->left >= NOT_SUMMED_MAX && (b->expiry || !writer_is_busy(b)))
        loop_timer_start(b->again, AGAIN_AFTER_MS, 0);
}

static void done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct books *b = (struct books *)((char *)cmd - offsetof(struct books, command));
    if (rc < 0) {
        log_error(b->shop->options.log, "books.failed", err->text);
        b->left = 0;
    }
    b->post.fn = rest;
    loop_post(b->loop, &b->post);
}

/* 1 = holds are due, or sums; which, is in b->expiry. */
static int anything(struct books *b, struct err *err)
{
    int64_t due_ms, rows = 0;
    int rc = ledger_next_expiry(b->reader, &due_ms, err);
    b->expiry = rc == 1 && due_ms <= clock_wall_ms(b->shop->options.clock);
    if (rc < 0 || b->expiry)
        return rc;
    rc = ledger_not_summed(b->reader, &rows, err);
    return rc < 0 ? rc : rows >= NOT_SUMMED_MAX;
}

void books_look(struct books *b)
{
    struct err err = { 0 };
    int rc = b->with_writer ? 0 : anything(b, &err);
    if (rc < 0)
        log_error(b->shop->options.log, "books.failed", err.text);
    if (rc <= 0)
        return;
    b->command = (struct writer_command){ .run = run, .done = done };
    b->with_writer = true; /* before the writer can answer */
    if (writer_submit(b->shop->writer, &b->command, NULL) < 0)
        b->with_writer = false; /* the queue is full: orders first */
}

bool books_are_busy(const struct books *b)
{
    return b->with_writer;
}

static void look(void *ctx)
{
    books_look(ctx);
}

int books_open(struct shop *s, struct loop *loop, struct store_conn *reader, struct books **out, struct err *err)
{
    struct books *b = *out = calloc(1, sizeof *b);
    if (!b || !(b->again = loop_timer_new(loop, look, b)))
        return err_set(err, ERR_NOMEM, "Out of memory.");
    b->shop = s;
    b->loop = loop;
    b->reader = reader;
    return 0;
}

void books_close(struct books *b)
{
    if (!b)
        return;
    loop_timer_free(b->again);
    free(b);
}
