/* host/plugins/streams.h - what procedures say to those who listen (feira.stream), from the writer to the workers.
 *
 *   stream.send() ─► kept with the command ─ its failure forgets it ─ commit ─► a batch for every worker on which somebody listens
 *
 * So nothing is heard that was not committed, and a topic's events come in the order of their commits, and within one in the order in
 * which they were said. Nothing is stored: what was sent while nobody listened is gone, and so is, in a crash, what was not yet heard.
 * Whoever begins to listen is told the state as it is, so neither matters. host/plugins/listeners.h is the worker's side. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "store/writer.h"
#include <stdatomic.h>

struct streams;
struct listeners;

/* What one commit says, shared by the workers. Messages lie one behind the other: see stream_message_at(). */
struct stream_batch {
    atomic_uint refs;
    uint64_t serial; /* of its commit */
    size_t len;
    char bytes[];
};
struct stream_message {
    struct slice topic, text; /* "plugin/topic"; as it goes to a client */
    bool last;                /* nothing comes after it: whoever listens is let go */
    size_t next;              /* offset of the next one */
};
bool stream_message_at(const struct stream_batch *b, size_t offset, struct stream_message *out); /* false: there are no more */
void stream_batch_unref(struct stream_batch *b);

struct streams *streams_new(void);
void streams_free(struct streams *s);
/* On the writer, inside a command. The texts are copied. */
int streams_say(struct streams *s, struct slice topic, struct slice text, bool last, struct err *err);
struct writer_hooks streams_hooks(struct streams *s);
/* What was committed up to here is in every snapshot that is begun from here on. Any thread. */
uint64_t streams_serial(const struct streams *s);

/* --- a worker's place in it ------------------------------------------------------------------------------------------------ */
struct stream_delivery {
    struct loop_post post;
    struct stream_place *place;
    struct stream_batch *batch;
    struct stream_delivery *next; /* the worker's */
};
struct stream_place {
    struct loop *loop;
    atomic_uint listening;      /* who listens here, or is about to: at 0 nothing is handed over */
    atomic_size_t queued_bytes; /* handed over, and not yet sent to all */
    atomic_bool overrun;        /* something could not be handed over: who listens here must begin anew */
    void (*deliver)(struct loop_post *post);
    struct stream_place *next;
};
void streams_enter(struct streams *s, struct stream_place *place);
void streams_leave(struct streams *s, struct stream_place *place); /* what was handed over before may still come, on its loop */

/* For specs: what is sent is also kept here, in order, until it is taken. The writer's shop must be at rest. */
void streams_keep(struct streams *s);
const struct stream_batch *streams_kept(struct streams *s); /* NULL: nothing; the next call gives up the one before */
