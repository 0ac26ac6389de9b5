/* loop/loop_int.h - what the files of loop/ share. Nobody outside includes it. */
#pragma once
#include "loop/loop.h"
#include <stdatomic.h>
#include <uv.h>

enum { LOOP_READ_BUFFER = 64 * 1024 };

struct loop {
    uv_loop_t uv;
    uv_async_t wake;                   /* posts and stops of other threads */
    uv_prepare_t prepare;              /* loop_on_idle() */
    _Atomic(struct loop_post *) posts; /* newest first; taken whole */
    atomic_bool stop;
    void (*idle)(void *ctx);
    void *idle_ctx;
    /* One buffer for all streams: reads of a loop never nest, so a connection needs memory only for what it can't finish. */
    char read_buffer[LOOP_READ_BUFFER];
};

/* Called by loop_close() for each handle that is still open. */
void stream_close_handle(uv_handle_t *h);
void listener_close_handle(uv_handle_t *h);

/* A stream around an accepted, non-blocking descriptor. Takes fd over, also on failure (NULL). */
struct stream *stream_adopt(struct loop *l, int fd, const struct peer *peer);
