#include "host/worker.h"
#include "host/call.h"
#include <stdlib.h>

static void on_request(void *ctx, struct http_request *req)
{
    call_begin(ctx, req);
}

static void between_requests(void *ctx)
{
    struct worker *w = ctx;
    vm_collect_step(w->vm);
    if (w->catalogue && w->catalogue_version != catalogue_version(w->shop->catalogue)) {
        catalogue_release(w->catalogue); /* an idle worker must not keep old products alive */
        w->catalogue = NULL;
    }
}

struct catalogue_snapshot *worker_catalogue(struct worker *w)
{
    uint64_t version = catalogue_version(w->shop->catalogue);
    if (!w->catalogue || version != w->catalogue_version) {
        catalogue_release(w->catalogue);
        w->catalogue_version = version; /* read first: a publish in between makes us look again */
        w->catalogue = catalogue_acquire(w->shop->catalogue);
    }
    return w->catalogue;
}

static int server_open(struct worker *w, struct err *err)
{
    const struct shop_settings *settings = generation_settings(w->generation);
    struct http_server_options o = {
        .on_request = on_request,
        .ctx = w,
        .trusted_proxies = settings->trusted_proxies,
        .cors_origins = settings->cors_origins,
        .clock = w->shop->options.clock,
    };
    http_limits_default(&o.limits);
    return http_server_open(w->loop, &o, &w->server, err);
}

int worker_open(struct shop *s, int number, struct worker **out, struct err *err)
{
    *out = NULL;
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    w->shop = s;
    w->number = number;
    w->generation = generation_ref(s->live);
    id_source_init(&w->ids, s->options.clock, s->options.random);
    buf_init(&w->out, NULL);
    int rc = loop_open(&w->loop, err);
    if (rc == 0)
        rc = store_reader_open(s->store, &w->conn, err);
    if (rc == 0)
        rc = shop_open_vm(s, &w->vm, &w->bind, err);
    if (rc == 0)
        rc = server_open(w, err);
    if (rc < 0) {
        worker_close(w);
        return rc;
    }
    w->hooks = bind_quote_hooks(w->vm);
    loop_on_idle(w->loop, between_requests, w);
    *out = w;
    return 0;
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    if (w->server)
        http_server_close(w->server);
    if (w->loop)
        loop_close(w->loop);
    if (w->vm)
        shop_close_vm(w->vm);
    if (w->conn)
        store_reader_close(w->conn);
    catalogue_release(w->catalogue);
    generation_unref(w->generation);
    buf_release(&w->out);
    free(w);
}
