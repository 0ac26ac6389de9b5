/* tests/simulate/net_int.h - what the two halves of a simulated machine share: loop.c (loops) and wire.c (sockets, and their other ends).
 */
#pragma once
#include "loop/loop.h"
#include "tests/simulate/net.h"
#include "tests/simulate/sched.h"

enum { READ_MAX = 64 * 1024, LOOPS_MAX = 64 };

struct loop {
    struct net *net;
    struct loop_post *posts, **posts_tail;
    bool stop;
    void (*idle)(void *ctx);
    void *idle_ctx;
    int64_t now_ms;
    struct loop_timer *timers;
    struct loop_slice *slices;
    struct listener *listeners;
    struct stream *streams;
    struct loop_signal *signals;
    struct loop_watch *watches;
    struct loop_poll *polls;
    bool reaping; /* something was closed */
    char read_buffer[READ_MAX];
};

struct loop_timer {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ms, repeat_ms;
    bool active, gone;
    struct loop_timer *next;
};

struct loop_slice {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    bool wanted, gone;
    struct loop_slice *next;
};

struct loop_signal {
    int signum;
    bool raised;
    void (*fn)(void *ctx, int signum);
    void *ctx;
    struct loop *loop;
    struct loop_signal *next;
};

struct loop_watch {
    struct loop_watch *next;
};

struct loop_poll {
    struct loop_poll *next;
};

struct listener {
    struct loop *loop;
    int port; /* 0: the operator's */
    void (*accepted)(void *ctx, struct stream *s);
    void *ctx;
    bool gone;
    struct listener *next, *next_in_net;
};

/* Both ends of a connection. */
struct conn {
    int number;
    struct listener *waits_at; /* not accepted yet */
    struct stream *server;     /* NULL before that, and when its side is gone */
    struct buf up, down;       /* to the server, to the client */
    size_t up_read, window;
    bool finished, hung_up; /* by the client */
    bool closed;            /* by the server */
    struct conn *next;
};

struct stream {
    struct loop *loop;
    struct conn *conn; /* NULL when the client is gone and forgotten */
    const struct stream_events *events;
    void *ctx;
    struct peer peer;
    struct buf queue; /* what the client has no room for */
    bool reading, told_end, shutting_down, gone, was_queued;
    uint64_t accepted_bytes;
    struct stream *next;
};

struct net {
    struct conn *conns;
    struct listener *listeners;
    struct loop *loops[LOOPS_MAX];
    size_t loop_count;
    int last_number, last_port;
    bool news;
};

/* wire.c, for a turn of a loop. */
bool stream_ready(const struct stream *s);
void stream_turn(struct stream *s);
bool listener_ready(const struct listener *s);
void listener_turn(struct listener *s);
