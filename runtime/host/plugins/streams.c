#include "host/plugins/streams.h"
#include "base/buf.h"
#include <pthread.h>
#include <stdlib.h>

enum { HANDED_OVER_MAX_BYTES = 8 << 20, PENDING_MAX_BYTES = 64 << 20 };

struct streams {
    struct buf pending; /* of the running batch of commands */
    size_t mark;        /* where the running command began */
    atomic_uint_fast64_t serial;
    pthread_mutex_t lock; /* of places */
    struct stream_place *places;
    bool keeps;
    struct buf kept;
    struct stream_batch *taken;
};

struct head {
    uint32_t topic_len, text_len;
    uint32_t last;
};

struct streams *streams_new(void)
{
    struct streams *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    buf_init(&s->pending, NULL);
    buf_init(&s->kept, NULL);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void streams_free(struct streams *s)
{
    if (!s)
        return;
    buf_release(&s->pending);
    buf_release(&s->kept);
    if (s->taken)
        stream_batch_unref(s->taken);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint64_t streams_serial(const struct streams *s)
{
    return atomic_load(&s->serial);
}

/* --- batches ------------------------------------------------------------------------------------------------------------- */

bool stream_message_at(const struct stream_batch *b, size_t offset, struct stream_message *out)
{
    struct head h;
    if (offset >= b->len)
        return false;
    memcpy(&h, b->bytes + offset, sizeof h);
    const char *p = b->bytes + offset + sizeof h;
    *out = (struct stream_message){ slice_of(p, h.topic_len), slice_of(p + h.topic_len, h.text_len), h.last != 0,
                                    offset + sizeof h + h.topic_len + h.text_len };
    return true;
}

static struct stream_batch *batch_new(struct slice bytes, uint64_t serial)
{
    struct stream_batch *b = malloc(sizeof *b + bytes.len);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->serial = serial;
    b->len = bytes.len;
    memcpy(b->bytes, bytes.data, bytes.len);
    return b;
}

void stream_batch_unref(struct stream_batch *b)
{
    if (atomic_fetch_sub(&b->refs, 1) == 1)
        free(b);
}

/* --- on the writer --------------------------------------------------------------------------------------------------------- */

int streams_say(struct streams *s, struct slice topic, struct slice text, bool last, struct err *err)
{
    struct head h = { (uint32_t)topic.len, (uint32_t)text.len, last };
    size_t len = s->pending.len;
    if (len + sizeof h + topic.len + text.len > PENDING_MAX_BYTES)
        return err_reason(err, ERR_BUSY, "streams_full", "Too much is being said to those who listen; try again.");
    buf_add(&s->pending, &h, sizeof h);
    buf_add_slice(&s->pending, topic);
    buf_add_slice(&s->pending, text);
    if (!s->pending.failed)
        return 0;
    s->pending.len = len;
    s->pending.failed = false;
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static void command_begins(void *ctx)
{
    struct streams *s = ctx;
    s->mark = s->pending.len;
}

static void command_failed(void *ctx)
{
    struct streams *s = ctx;
    s->pending.len = s->mark;
}

static void aborted(void *ctx)
{
    struct streams *s = ctx;
    s->pending.len = s->mark = 0;
}

/* Who has much to send already is not given more: those who listen there begin anew, which they know how to do. */
static void hand_over(struct stream_place *p, struct stream_batch *b)
{
    struct stream_delivery *d = NULL;
    if (atomic_load(&p->listening) == 0)
        return;
    if (b && atomic_load(&p->queued_bytes) < HANDED_OVER_MAX_BYTES)
        d = malloc(sizeof *d);
    if (!d) {
        atomic_store(&p->overrun, true);
        return;
    }
    *d = (struct stream_delivery){ .post.fn = p->deliver, .place = p, .batch = b };
    atomic_fetch_add(&b->refs, 1);
    atomic_fetch_add(&p->queued_bytes, b->len);
    loop_post(p->loop, &d->post);
}

static void committed(void *ctx)
{
    struct streams *s = ctx;
    if (s->pending.len == 0)
        return;
    uint64_t serial = atomic_load(&s->serial) + 1;
    atomic_store(&s->serial, serial); /* before it is looked who listens: see listeners_prepare() */
    pthread_mutex_lock(&s->lock);
    struct stream_batch *b = s->places ? batch_new(buf_slice(&s->pending), serial) : NULL;
    for (struct stream_place *p = s->places; p; p = p->next)
        hand_over(p, b);
    pthread_mutex_unlock(&s->lock);
    if (b)
        stream_batch_unref(b);
    if (s->keeps)
        buf_add_slice(&s->kept, buf_slice(&s->pending));
    s->mark = 0;
    buf_clear(&s->pending);
}

struct writer_hooks streams_hooks(struct streams *s)
{
    return (struct writer_hooks){
        .ctx = s, .savepoint = command_begins, .rollback_to = command_failed, .committed = committed, .aborted = aborted
    };
}

/* --- places ---------------------------------------------------------------------------------------------------------------- */

void streams_enter(struct streams *s, struct stream_place *place)
{
    pthread_mutex_lock(&s->lock);
    place->next = s->places;
    s->places = place;
    pthread_mutex_unlock(&s->lock);
}

void streams_leave(struct streams *s, struct stream_place *place)
{
    pthread_mutex_lock(&s->lock);
    for (struct stream_place **at = &s->places; *at; at = &(*at)->next) {
        if (*at == place) {
            *at = place->next;
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- for specs --------------------------------------------------------------------------------------------------------------- */

void streams_keep(struct streams *s)
{
    s->keeps = true;
}

const struct stream_batch *streams_kept(struct streams *s)
{
    if (s->taken)
        stream_batch_unref(s->taken);
    s->taken = s->kept.len ? batch_new(buf_slice(&s->kept), 0) : NULL;
    buf_clear(&s->kept);
    return s->taken;
}
