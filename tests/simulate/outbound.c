/* runtime/http/outbound.h without libcurl: what plugins send to the outside is shown to the world, which answers when it likes. */
#include "http/outbound.h"
#include "tests/simulate/sim.h"
#include <stdio.h>
#include <stdlib.h>

struct outbound {
    struct loop *loop;
};

struct outbound_call {
    int64_t number; /* by which the world knows it: addresses are used again */
    struct sim *sim;
    struct loop *loop;
    struct loop_timer *timeout;
    struct loop_post post;
    struct arena arena;
    struct outside_request request;
    struct outbound_answer answer;
    struct err err;
    int rc;
    outbound_done_fn done; /* NULL: nobody waits any more */
    void *ctx;
    bool told, answered;
    struct outbound_call *next;
};

int outbound_open(struct loop *l, const struct outbound_options *o, struct outbound **out, struct err *err)
{
    (void)o;
    struct outbound *made = *out = calloc(1, sizeof *made);
    if (!made)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    made->loop = l;
    return 0;
}

void outbound_close(struct outbound *o)
{
    free(o);
}

int outbound_target(struct slice url, struct outbound_target *out, struct err *err)
{
    const char *colon = url.len > 8 ? memmem(url.data, url.len, "://", 3) : NULL;
    if (!colon)
        return err_set(err, ERR_INVALID, "This is no URL of the outside.");
    const char *host = colon + 3, *end = url.data + url.len, *p = host;
    size_t n = 0;
    *out = (struct outbound_target){ .tls = url.data[4] == 's', .port = url.data[4] == 's' ? 443 : 80 };
    for (; p < end && *p != '/' && *p != ':' && *p != '?' && n + 1 < sizeof out->host; p++)
        out->host[n++] = *p;
    if (p < end && *p == ':')
        out->port = atoi(p + 1);
    return n ? 0 : err_set(err, ERR_INVALID, "This is no URL of the outside.");
}

int outbound_may_call(const struct outbound_options *o, struct slice url, struct err *err)
{
    struct outbound_target ignored;
    (void)o; /* nothing here has an address */
    return outbound_target(url, &ignored, err);
}

static struct slice copy(struct outbound_call *c, struct slice s)
{
    return arena_copy(&c->arena, s);
}

static const struct http_header *copy_headers(struct outbound_call *c, const struct http_header *headers, size_t count)
{
    struct http_header *out = arena_zalloc(&c->arena, (count + 1) * sizeof *out);
    for (size_t i = 0; out && i < count; i++)
        out[i] = (struct http_header){ copy(c, headers[i].name), copy(c, headers[i].value) };
    return out;
}

static void forget(struct outbound_call *c)
{
    struct outbound_call **at = &c->sim->outside;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
    loop_timer_free(c->timeout);
    arena_release(&c->arena);
    free(c);
}

/* On the worker's loop. */
static void deliver(struct loop_post *post)
{
    struct outbound_call *c = (struct outbound_call *)((char *)post - offsetof(struct outbound_call, post));
    if (c->done)
        c->done(c->ctx, c->rc, c->rc == 0 ? &c->answer : NULL, &c->err);
    forget(c);
}

static void finish(struct outbound_call *c)
{
    if (c->answered)
        return;
    c->answered = true;
    c->post.fn = deliver;
    loop_post(c->loop, &c->post);
}

size_t outbound_under_way(const struct outbound *o)
{
    size_t n = 0;
    for (const struct outbound_call *c = sim_here()->outside; c; c = c->next)
        n += c->loop == o->loop;
    return n;
}

static void fail(struct outbound_call *c, const char *reason)
{
    if (c->answered)
        return;
    c->rc = err_reason(&c->err, ERR_IO, reason, "The other side gave no answer.");
    finish(c);
}

static void too_late(void *ctx)
{
    fail(ctx, "timeout");
}

int outbound_send(struct outbound *o, const struct outbound_request *r, outbound_done_fn done, void *ctx, struct outbound_call **out,
                  struct err *err)
{
    struct sim *s = sim_here();
    struct outbound_call *c = *out = calloc(1, sizeof *c);
    if (!c || !(c->timeout = loop_timer_new(o->loop, too_late, c))) {
        free(c);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    c->number = ++s->last_outside;
    c->sim = s;
    c->loop = o->loop;
    c->done = done;
    c->ctx = ctx;
    arena_init(&c->arena, NULL, 0);
    c->request = (struct outside_request){
        .method = arena_strdup(&c->arena, slice_str(r->method)),
        .url = copy(c, r->url),
        .body = copy(c, r->body),
        .headers = copy_headers(c, r->headers, r->header_count),
        .header_count = r->header_count,
    };
    struct outbound_call **at = &s->outside;
    while (*at)
        at = &(*at)->next;
    *at = c;
    loop_timer_start(c->timeout, r->timeout_ms, 0);
    net_tell(s->net);
    return 0;
}

void outbound_cancel(struct outbound_call *c)
{
    c->done = NULL;
    if (c->answered)
        return; /* on its way; it is forgotten there */
    c->answered = true;
    forget(c);
}

/* --- the world's side -------------------------------------------------------------------------------------------------------------- */

int64_t outside_next(struct sim *s, struct outside_request *out)
{
    for (struct outbound_call *c = s->outside; c; c = c->next) {
        if (c->told || c->answered)
            continue;
        c->told = true;
        *out = c->request;
        return c->number;
    }
    return 0;
}

/* NULL: it was given up meanwhile. */
static struct outbound_call *find(struct sim *s, int64_t number)
{
    struct outbound_call *c = s->outside;
    while (c && c->number != number)
        c = c->next;
    return c && !c->answered ? c : NULL;
}

void outside_answer(struct sim *s, int64_t number, int status, struct slice body)
{
    static const struct http_header json = { SLICE_LIT("Content-Type"), SLICE_LIT("application/json") };
    struct outbound_call *c = find(s, number);
    if (!c)
        return;
    c->answer = (struct outbound_answer){ status, copy_headers(c, &json, 1), 1, copy(c, body) };
    finish(c);
}

void outside_fail(struct sim *s, int64_t number, const char *reason)
{
    struct outbound_call *c = find(s, number);
    if (c)
        fail(c, reason);
}
