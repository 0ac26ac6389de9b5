/* http/request.c - requests are recycled: a warm server allocates nothing for one. */
#include "http/http_int.h"
#include <stdlib.h>

/* What each spare request keeps in any case, and what all of a server may keep beyond that: a large request that follows another finds
 * room, and a burst of them is not remembered for ever. */
enum { SPARE_MAX = 128, KEPT_BUFFER = 16 * 1024, SPARE_EXTRA = 8 << 20 };

struct request *request_new(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct request *r = s->spare;
    if (r) {
        s->spare = r->next;
        s->spare_count--;
        s->spare_extra -= r->extra;
        r->extra = 0;
    } else {
        r = calloc(1, sizeof *r);
        if (!r)
            return NULL;
        arena_init(&r->arena, NULL, 0);
        buf_init(&r->body, NULL);
        buf_init(&r->answer, NULL);
        r->server = s;
    }
    r->conn = c;
    r->next = NULL;
    r->peer = *conn_peer(c);
    memset(&r->pub, 0, sizeof r->pub);
    r->pub.arena = &r->arena;
    r->pub.peer = &r->peer;
    r->pub.client_ip = slice_str(r->peer.address);
    r->pub.received_ns = c->received_ns;
    r->origin = (struct slice){ 0 };
    r->in_use = true;
    r->answered = r->http10 = r->keep_alive = r->close_after = r->expects_continue = r->goes_on = false;
    s->requests_out++;
    return r;
}

bool request_charge_body(struct request *r, size_t bytes)
{
    struct http_server *s = r->server;
    if (r->peer.local_socket || bytes <= r->body_charged)
        return true;
    size_t more = bytes - r->body_charged;
    if (more > s->o.limits.held_body_bytes || s->body_bytes_held > s->o.limits.held_body_bytes - more)
        return false;
    s->body_bytes_held += more;
    r->body_charged = bytes;
    return true;
}

/* `room`: how many bytes beyond the usual may be kept. Gives those that are. */
static size_t recycle_buffer(struct buf *b, size_t room)
{
    if (b->cap > KEPT_BUFFER + room)
        buf_release(b);
    buf_clear(b);
    return b->cap > KEPT_BUFFER ? b->cap - KEPT_BUFFER : 0;
}

static void recycle(struct request *r)
{
    size_t room = SPARE_EXTRA - r->server->spare_extra, arena = arena_reset_keeping(&r->arena, ARENA_KEPT + room);
    r->extra = arena > ARENA_KEPT ? arena - ARENA_KEPT : 0;
    r->extra += recycle_buffer(&r->body, room - r->extra);
    r->extra += recycle_buffer(&r->answer, room - r->extra);
    r->server->spare_extra += r->extra;
}

void request_destroy(struct request *r)
{
    arena_release(&r->arena);
    buf_release(&r->body);
    buf_release(&r->answer);
    free(r);
}

void request_free(struct request *r)
{
    struct http_server *s = r->server;
    s->body_bytes_held -= r->body_charged;
    r->body_charged = 0;
    r->in_use = false;
    s->requests_out--;
    if (s->spare_count < SPARE_MAX && !s->closing) {
        recycle(r);
        r->next = s->spare;
        s->spare = r;
        s->spare_count++;
    } else {
        request_destroy(r);
    }
    server_maybe_free(s);
}
