/* loop/loop.h - one event loop per thread: timers, posts from other threads, listeners, byte streams, signals. The only
 * home of libuv. A loop and all it made belong to the thread that runs it, except loop_post() and loop_stop(). */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

struct loop;
int loop_open(struct loop **out, struct err *err);
void loop_run(struct loop *l);             /* until loop_stop(); may be called again */
void loop_stop(struct loop *l);            /* any thread; where the loop does not run, its next loop_run() returns at once */
void loop_close(struct loop *l);           /* closes what is still open, runs their close callbacks, frees */
int64_t loop_now_ms(const struct loop *l); /* monotonic, cached per turn */

/* Hand work to a loop from any thread. The item is the caller's, is not copied, and must live until fn has run. Posts of one thread run in
 * order. */
struct loop_post {
    void (*fn)(struct loop_post *item);
    struct loop_post *next; /* internal */
};
void loop_post(struct loop *l, struct loop_post *item);

/* Called once per turn after I/O, before the loop sleeps: collect garbage, flush. NULL removes it. */
void loop_on_idle(struct loop *l, void (*fn)(void *ctx), void *ctx);

struct loop_timer;                                                                   /* a one-shot or repeating timer; monotonic */
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx); /* NULL when out of memory */
void loop_timer_start(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms);    /* restarts when running */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* Work that may wait: when wanted, fn runs once in the next turn, before that turn looks at its sockets, and the loop does not sleep until
 * then. fn does a little and wants again; so others have their turn in between. */
struct loop_slice;
struct loop_slice *loop_slice_new(struct loop *l, void (*fn)(void *ctx), void *ctx); /* NULL when out of memory */
void loop_slice_want(struct loop_slice *s);
void loop_slice_free(struct loop_slice *s); /* NULL is fine */

int loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx, struct err *err);

/* Something in this folder changed (a name came, went or was written to), or the folder itself was moved or removed. What, is not said:
 * look. A folder that can't be watched (too many watches, a filesystem without them) is an error; look at intervals then. */
struct loop_watch;
int loop_watch_open(struct loop *l, const char *folder, void (*fn)(void *ctx), void *ctx, struct loop_watch **out, struct err *err);
void loop_watch_close(struct loop_watch *w); /* NULL is fine */

/* A descriptor that a library owns and wants to be told about. It stays the library's; it must be open as long as it is watched. */
enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
struct loop_poll;
/* fn gets what the descriptor is ready for; both after an error, which the library then finds by itself. NULL when out of memory or when
 * the descriptor can't be watched. */
struct loop_poll *loop_poll_new(struct loop *l, int fd, void (*fn)(void *ctx, int fd, int events), void *ctx);
void loop_poll_want(struct loop_poll *p, int events); /* 0 = nothing for now */
void loop_poll_free(struct loop_poll *p);             /* before the descriptor is closed; NULL is fine */

/* --- byte streams: TCP and unix sockets ------------------------------------------------------------------------ */
struct stream;
struct stream_events {
    void (*received)(void *ctx, const char *data, size_t len); /* data is valid during the call; len 0 = the peer sent FIN */
    void (*drained)(void *ctx);                                /* the write queue became empty */
    void (*closed)(void *ctx);                                 /* last call ever; after an error, a close or an abort */
};
struct peer {
    char address[46];  /* textual IP; "unix" for a unix socket */
    bool local_socket; /* came over data/feira.sock: whoever can open it owns the shop */
};

struct listener;
struct listen_options {
    const char *host;      /* "127.0.0.1", "::1", "0.0.0.0"; NULL with path */
    int port;              /* 0 = any free one */
    const char *path;      /* unix socket; an old file of a dead server is replaced */
    int mode;              /* file mode of path, e.g. 0600 */
    bool reuse_port;       /* SO_REUSEPORT: one listener per worker on the same address */
    bool must_be_free;     /* with reuse_port: fail with ERR_LOCKED when anybody listens there already; for the first worker */
    int backlog;           /* 0 = 1024 */
    struct slice farewell; /* sent to a peer that is let go because no file descriptor is left; must stay. "" = nothing */
    int inherited; /* a TCP socket that listens already, got from whoever started this process; 0 = none. It is not taken: a copy is used */
};
/* accepted() gets a paused stream; it must call stream_start() or stream_close(). When no file descriptor is left, a
 * reserve descriptor is used to accept, say farewell and close, so that the loop does not spin (the count is in listener_shed()). */
int listener_open(struct loop *l, const struct listen_options *o, void (*accepted)(void *ctx, struct stream *s), void *ctx,
                  struct listener **out, struct err *err);
int listener_port(const struct listener *s);
int listener_copy(const struct listener *s); /* a descriptor that keeps its queue open, for the next process; -1 = none is left */
uint64_t listener_shed(const struct listener *s);
void listener_close(struct listener *s); /* stops accepting; existing streams go on */

void stream_start(struct stream *s, const struct stream_events *events, void *ctx); /* sets the callbacks, starts reading */
const struct peer *stream_peer(const struct stream *s);
void stream_read_pause(struct stream *s);
void stream_read_resume(struct stream *s);
/* Tries to write at once; what the kernel does not take is copied and queued. Returns bytes now queued, or -1 when the stream is closing.
 */
long stream_write(struct stream *s, const struct slice *parts, size_t n);
size_t stream_queued(const struct stream *s);
/* The kernel keeps about this much for a peer that does not read, and not the megabytes that it would. */
void stream_bound_kernel(struct stream *s, size_t bytes);
uint64_t stream_sent_bytes(const struct stream *s); /* what the kernel has taken so far: tells whether a slow reader makes progress */
void stream_shutdown(struct stream *s);             /* sends FIN after what is queued */
void stream_close(struct stream *s);                /* drops what is queued; closed() follows */
void stream_reset(struct stream *s); /* the same, and the kernel drops what it has not delivered: for a peer that does not read */
