/* The writer's side of the host: a Lua state for procedures, and the memory that follows the store's transactions. */
#include "host/admin/act.h"
#include "host/admin/shares.h"
#include "host/publish/edition.h"
#include "host/care/stops.h"
#include "host/plugins/streams.h"
#include "host/webhooks/webhooks.h"

/* A batch that touches more SKUs than this reloads the whole catalogue instead of following each. */
enum { CHANGED_SKUS_MAX = 5000 };

static void product_changed(void *ctx, struct slice sku)
{
    struct shop *s = ctx;
    /* Kept although the command may yet be rolled back: reading a product that did not change costs little, missing one is a wrong price.
     */
    if (!map_set(&s->procedures.changed_skus, sku, s))
        log_error(s->options.log, "catalogue.stale",
                  "Out of memory while noting a changed product; the catalogue is read again at the next start.", LOG_SLICE("sku", sku));
}

static int say(void *ctx, struct slice topic, struct slice text, bool last, struct err *err)
{
    return streams_say(((struct shop *)ctx)->streams, topic, text, last, err);
}

/* On the writer, which publishes the catalogue itself: what is published is what is committed, and what this batch changed is noted. */
static bool place_of(void *ctx, symbol sku, struct bind_place *out)
{
    struct shop *s = ctx;
    const struct catalogue_product *p = catalogue_find(catalogue_published(s->catalogue), sku);
    if (!p || (p->track_stock && p->places != 1))
        return false;
    if (s->procedures.changed_skus.count && map_get(&s->procedures.changed_skus, symbols_name(s->symbols, sku)))
        return false;
    *out = (struct bind_place){ p->track_stock ? p->account : 0, p->location };
    return true;
}

void procedures_bind(struct shop *s, struct bind_context *bind)
{
    bind->say = say;
    bind->ledger = s->ledger;
    bind->ids = &s->procedures.ids;
    bind->product_changed = product_changed;
    bind->place_of = place_of;
    bind->host_ctx = s;
}

int procedures_enter(struct shop *s, struct edition *e, struct err *err)
{
    if (atomic_load(&e->retired))
        return err_reason(err, ERR_BUSY, "rules_retired",
                          "The shop's rules have changed several times since this request began; send it again.");
    s->procedures.vm = e->vm;
    s->procedures.bind = e->bind;
    e->bind->outdated = atomic_load(&e->replaced);
    return 0;
}

int procedures_begin(void *ctx, struct err *err)
{
    struct shop *s = ctx;
    (void)err;
    id_source_init(&s->procedures.ids, s->options.clock, s->options.random);
    map_init(&s->procedures.changed_skus, NULL);
    return 0;
}

void procedures_end(void *ctx)
{
    struct shop *s = ctx;
    map_release(&s->procedures.changed_skus);
}

static void publish_changed(struct shop *s, struct store_conn *conn)
{
    struct map *changed = &s->procedures.changed_skus;
    struct err err = { 0 };
    int rc;
    if (changed->count > CHANGED_SKUS_MAX) {
        rc = catalogue_load(s->catalogue, conn, &err);
    } else {
        struct slice skus[256];
        rc = 0;
        for (size_t done = 0; rc == 0 && done < changed->count;) {
            size_t n = 0;
            while (n < 256 && done + n < changed->count) {
                skus[n] = changed->entries[done + n].key;
                n++;
            }
            rc = catalogue_update(s->catalogue, conn, skus, n, &err);
            done += n;
        }
    }
    if (rc < 0)
        log_error(s->options.log, "catalogue.stale", err.text);
    else
        map_clear(changed);
}

static void committed(void *ctx)
{
    struct shop *s = ctx;
    struct store_conn *conn = store_writer_conn(s->store);
    if (s->procedures.changed_skus.count)
        publish_changed(s, conn); /* on failure the SKUs stay noted and the next commit tries again */
    if (s->procedures.keys_changed) {
        struct err err = { 0 };
        if (auth_reload(s->auth, conn, &err) < 0)
            log_error(s->options.log, "keys.stale", err.text);
        else
            s->procedures.keys_changed = false;
    }
    if (s->procedures.stops_changed) {
        struct err err = { 0 };
        if (stops_reload(s->stops, conn, &err) < 0)
            log_error(s->options.log, "stops.stale", err.text);
        else
            s->procedures.stops_changed = false;
    }
    act_committed(s, conn);
    if (s->procedures.shares_changed) {
        struct err err = { 0 };
        if (shares_reload(s->shares, conn, &err) < 0)
            log_error(s->options.log, "shares.stale", err.text);
        else
            s->procedures.shares_changed = false;
    }
    if (s->procedures.webhooks_changed) {
        struct err err = { 0 };
        if (webhooks_reload(s->webhooks, conn, &err) < 0)
            log_error(s->options.log, "webhooks.stale", err.text);
        else
            s->procedures.webhooks_changed = false;
    }
}

struct writer_hooks procedures_hooks(struct shop *s)
{
    return (struct writer_hooks){ .ctx = s, .committed = committed };
}
