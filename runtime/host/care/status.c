#include "host/care/status.h"
#include "base/json.h"
#include "base/zone.h"
#include "host/care/discounts.h"
#include "host/publish/edition.h"
#include "host/care/follower.h"
#include "host/publish/publish.h"
#include "host/care/stops.h"
#include "host/care/totals.h"
#include "host/webhooks/webhooks.h"
#include "journal/events.h"
#include <stdio.h>
#include <sys/statvfs.h>

enum { FUNCTIONS_SHOWN = 15 };

static void number(struct json_writer *w, const char *key, uint64_t v)
{
    json_key(w, key);
    json_int(w, (int64_t)v);
}

static void write_http(struct shop *s, struct json_writer *w)
{
    struct http_stats h;
    shop_http_stats(s, &h);
    json_key(w, "http");
    json_object(w);
    number(w, "requests", h.requests);
    number(w, "per_second", atomic_load(&s->metrics.requests_per_second));
    number(w, "open_connections", h.open_connections);
    number(w, "refused_by_strict_layer", h.refused_by_strict_layer);
    number(w, "timeouts", h.timeouts);
    number(w, "shed", h.shed);
    number(w, "server_errors", h.by_status[5]);
    json_object_end(w);
}

static void write_writer(const struct writer_stats *st, struct json_writer *w)
{
    json_key(w, "writer");
    json_object(w);
    number(w, "commands", st->commands);
    number(w, "commits", st->commits);
    number(w, "rolled_back", st->rolled_back);
    number(w, "retried_alone", st->retried_alone);
    number(w, "queue_depth", st->queue_depth);
    number(w, "queue_max", st->queue_max);
    number(w, "refused_full", st->refused_full);
    number(w, "commit_us_p50", st->commit_ns_p50 / 1000);
    number(w, "commit_us_p99", st->commit_ns_p99 / 1000);
    number(w, "wait_us_p50", st->wait_ns_p50 / 1000);
    number(w, "wait_us_p99", st->wait_ns_p99 / 1000);
    number(w, "wal_pages", st->wal_pages);
    json_object_end(w);
}

void stops_write(struct shop *s, struct json_writer *w)
{
    struct stops_snapshot *stops = stops_acquire(s->stops);
    json_array(w);
    for (size_t i = 0; i < stops_count(stops); i++) {
        const struct stop *one = stops_at(stops, i);
        char at[TIMESTAMP_MAX];
        json_object(w);
        json_key(w, one->kind == STOP_PLUGIN ? "plugin" : "campaign");
        json_string(w, one->name);
        json_key(w, "quarantined");
        json_bool(w, one->quarantined);
        json_key(w, "by");
        json_string(w, one->author);
        if (one->reason.len) {
            json_key(w, "reason");
            json_string(w, one->reason);
        }
        json_key(w, "at");
        json_string(w, slice_of(at, timestamp_format(one->at_ms, at)));
        json_object_end(w);
    }
    json_array_end(w);
    stops_release(stops);
}

static void write_rules(struct shop *s, struct currency c, struct json_writer *w)
{
    struct publish_stats st;
    char since[TIMESTAMP_MAX];
    publisher_stats(s->publisher, &st);
    json_key(w, "rules");
    json_object(w);
    json_key(w, "live_since");
    json_string(w, slice_of(since, timestamp_format(st.live_since_ms, since)));
    number(w, "published", st.published);
    number(w, "refused", st.refused);
    number(w, "draining", st.draining);
    json_key(w, "stopped");
    stops_write(s, w);
    json_key(w, "alarms");
    discounts_write(s, c, w);
    json_object_end(w);
}

/* Counted no further than that. */
enum { EVENTS_COUNT_MAX = 10000 };

static void write_events(struct shop *s, struct store_conn *conn, struct json_writer *w)
{
    int64_t waiting = 0, dead = 0;
    event_count(conn, false, EVENTS_COUNT_MAX, &waiting, NULL);
    event_count(conn, true, EVENTS_COUNT_MAX, &dead, NULL);
    json_key(w, "events");
    json_object(w);
    number(w, "heard", atomic_load(&s->metrics.events_heard));
    number(w, "failed", atomic_load(&s->metrics.events_failed));
    number(w, "waiting", (uint64_t)waiting);
    number(w, "dead", (uint64_t)dead);
    json_object_end(w);
}

static void write_webhooks(struct shop *s, struct store_conn *conn, struct json_writer *w)
{
    struct webhook_figures f = { 0 };
    webhooks_figures(s->webhooks, conn, &f, NULL);
    json_key(w, "webhooks");
    json_object(w);
    number(w, "endpoints", (uint64_t)f.endpoints);
    number(w, "disabled", (uint64_t)f.disabled);
    number(w, "failing", (uint64_t)f.failing);
    number(w, "waiting", (uint64_t)f.waiting);
    number(w, "given_up", (uint64_t)f.given_up);
    number(w, "lag_seconds", (uint64_t)f.lag_ms / 1000);
    json_object_end(w);
}

static void write_work(struct shop *s, struct json_writer *w)
{
    struct metrics *m = &s->metrics;
    json_key(w, "work");
    json_object(w);
    number(w, "quotes", atomic_load(&m->quotes));
    number(w, "orders_placed", atomic_load(&m->orders_placed));
    number(w, "orders_refused", atomic_load(&m->orders_refused));
    number(w, "procedures", atomic_load(&m->procedures));
    number(w, "procedure_errors", atomic_load(&m->procedure_errors));
    number(w, "idempotent_replays", atomic_load(&m->idempotent_replays));
    number(w, "rule_errors", atomic_load(&m->rule_errors));
    number(w, "timers_fired", atomic_load(&m->timers_fired));
    number(w, "timers_failed", atomic_load(&m->timers_failed));
    json_object_end(w);
}

static void write_dead_letters(struct store_conn *conn, struct json_writer *w)
{
    char sentence[256];
    int64_t dead = 0;
    event_count(conn, true, EVENTS_COUNT_MAX, &dead, NULL);
    if (dead == 0)
        return;
    snprintf(sentence, sizeof sentence,
             "%s%lld event%s could not be brought to a plugin and %s given up. See what it said: feira events SHOP --dead; mend it, then: "
             "feira events SHOP --replay all",
             dead == EVENTS_COUNT_MAX ? "At least " : "", (long long)dead, dead == 1 ? "" : "s", dead == 1 ? "was" : "were");
    json_str(w, sentence);
}

/* Each problem is a sentence that says what to do. */
static void write_problems(struct shop *s, struct store_conn *conn, const struct writer_stats *st, struct json_writer *w)
{
    struct statvfs disk;
    json_key(w, "problems");
    json_array(w);
    if (statvfs(s->data_dir, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < (uint64_t)512 << 20)
        json_str(w, "Less than 512 MB of disk are free where the data is; make room, or orders will be refused.");
    if (st->refused_full)
        json_str(w, "The queue of the writer was full and requests were answered 503; look at commit times and at the load.");
    if (st->queue_max && st->queue_depth * 2 > st->queue_max)
        json_str(w, "The queue of the writer is more than half full.");
    if (st->commit_ns_p99 > 200000000)
        json_str(w, "One commit in a hundred takes longer than 200 ms; the disk is slow or shared.");
    if (atomic_load(&s->metrics.rule_errors))
        json_str(w, "Campaign functions failed; the log names them (campaign.failed).");
    struct stops_snapshot *stops = stops_acquire(s->stops);
    for (size_t i = 0; i < stops_count(stops); i++) {
        const struct stop *one = stops_at(stops, i);
        char sentence[512];
        if (!one->quarantined)
            continue;
        snprintf(sentence, sizeof sentence, "The %s \"%.*s\" is quarantined: %.*s Mend it and publish, or: feira resume SHOP %.*s",
                 one->kind == STOP_PLUGIN ? "plugin" : "campaign", SLICE_FMT(one->name), SLICE_FMT(one->reason), SLICE_FMT(one->name));
        json_str(w, sentence);
    }
    stops_release(stops);
    if (atomic_load(&s->metrics.timers_failed))
        json_str(w, "Timers failed; the log names them (timer.failed, job.failed).");
    write_dead_letters(conn, w);
    struct follower_view copy;
    follower_look(s->follower, &copy);
    if (copy.problem[0])
        json_str(w, copy.problem);
    if (s->draining)
        json_str(w, "The server is shutting down.");
    json_array_end(w);
}

void status_write(struct shop *s, struct store_conn *conn, struct buf *out)
{
    struct json_writer w;
    struct writer_stats st;
    struct edition *live = publisher_live(s->publisher);
    const struct shop_settings *settings = generation_settings(live->generation);
    struct catalogue_snapshot *catalogue = catalogue_acquire(s->catalogue);
    writer_stats(s->writer, &st);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "shop");
    json_string(&w, settings->name);
    json_key(&w, "currency");
    json_str(&w, settings->currency.code);
    json_key(&w, "version");
    json_str(&w, FEIRA_VERSION);
    json_key(&w, "generation");
    json_str(&w, generation_id(live->generation));
    number(&w, "campaigns", quote_rules_count(generation_rules(live->generation)));
    number(&w, "products", catalogue_count(catalogue));
    number(&w, "workers", (uint64_t)s->worker_count);
    number(&w, "uptime_s", (uint64_t)(clock_wall_ms(s->options.clock) - s->started_ms) / 1000);
    write_rules(s, settings->currency, &w);
    write_http(s, &w);
    write_work(s, &w);
    write_events(s, conn, &w);
    write_webhooks(s, conn, &w);
    write_writer(&st, &w);
    json_key(&w, "second_copy");
    follower_write(s->follower, &w);
    json_key(&w, "functions");
    figures_write_json(s->figures, FUNCTIONS_SHOWN, &w);
    write_problems(s, conn, &st, &w);
    json_object_end(&w);
    catalogue_release(catalogue);
    edition_unref(live);
}
