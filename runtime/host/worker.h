/* host/worker.h - one thread: a loop, an HTTP server on the shared address, a read-only connection, a Lua state. */
#pragma once
#include "host/shop.h"

struct worker {
    struct shop *shop;
    int number;
    struct loop *loop;
    struct http_server *server;
    struct store_conn *conn;
    struct vm *vm;
    struct bind_context *bind;
    struct quote_hooks hooks;
    struct generation *generation;
    struct id_source ids;
    struct buf out;                       /* the answer being written; reused */
    struct catalogue_snapshot *catalogue; /* refreshed when its version moved */
    uint64_t catalogue_version;
};

int worker_open(struct shop *s, int number, struct worker **out, struct err *err);
void worker_close(struct worker *w);
struct catalogue_snapshot *worker_catalogue(struct worker *w); /* borrowed until the next call */
