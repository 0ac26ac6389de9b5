#include "host/care/metrics.h"
#include "host/care/discounts.h"
#include "host/care/follower.h"
#include "host/publish/publish.h"
#include "host/shop.h"
#include "host/care/stops.h"
#include "host/care/totals.h"
#include "host/worker.h"
#include "host/webhooks/webhooks.h"
#include "journal/events.h"

enum { METRICS_COUNT_MAX = 10000 }; /* rows that one scrape looks at */

void shop_http_stats(struct shop *s, struct http_stats *out)
{
    *out = (struct http_stats){ 0 };
    for (int i = 0; i < s->worker_count; i++) {
        struct http_stats one;
        if (!s->workers[i])
            continue;
        http_server_stats(s->workers[i]->server, &one);
        out->requests += one.requests;
        out->accepted += one.accepted;
        out->refused_by_strict_layer += one.refused_by_strict_layer;
        out->timeouts += one.timeouts;
        out->shed += one.shed;
        out->open_connections += one.open_connections;
        out->streams_cut += one.streams_cut;
        out->bytes_in += one.bytes_in;
        out->bytes_out += one.bytes_out;
        for (int k = 0; k < 6; k++)
            out->by_status[k] += one.by_status[k];
    }
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP feira_%s %s\n# TYPE feira_%s %s\n", name, help, name, type);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t v)
{
    head(out, name, "counter", help);
    buf_printf(out, "feira_%s %llu\n", name, (unsigned long long)v);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t v)
{
    head(out, name, "gauge", help);
    buf_printf(out, "feira_%s %llu\n", name, (unsigned long long)v);
}

static void seconds(struct buf *out, const char *name, const char *help, uint64_t p50_ns, uint64_t p99_ns)
{
    head(out, name, "gauge", help);
    buf_printf(out, "feira_%s{quantile=\"0.5\"} %llu.%09llu\n", name, (unsigned long long)(p50_ns / 1000000000),
               (unsigned long long)(p50_ns % 1000000000));
    buf_printf(out, "feira_%s{quantile=\"0.99\"} %llu.%09llu\n", name, (unsigned long long)(p99_ns / 1000000000),
               (unsigned long long)(p99_ns % 1000000000));
}

static void http_metrics(struct shop *s, struct buf *out)
{
    struct http_stats h;
    shop_http_stats(s, &h);
    counter(out, "http_requests_total", "Requests read.", h.requests);
    head(out, "http_responses_total", "counter", "Answers by class of status.");
    for (int i = 1; i < 6; i++)
        buf_printf(out, "feira_http_responses_total{class=\"%dxx\"} %llu\n", i, (unsigned long long)h.by_status[i]);
    counter(out, "http_refused_total", "Requests that the strict layer refused.", h.refused_by_strict_layer);
    counter(out, "http_timeouts_total", "Connections closed because a phase took too long.", h.timeouts);
    counter(out, "http_shed_total", "Connections refused because there were too many.", h.shed);
    gauge(out, "http_connections", "Open connections.", h.open_connections);
}

static void writer_metrics(struct shop *s, struct buf *out)
{
    struct writer_stats st;
    writer_stats(s->writer, &st);
    counter(out, "writer_commands_total", "Commands run by the writer.", st.commands);
    counter(out, "writer_commits_total", "Commits to disk.", st.commits);
    counter(out, "writer_rolled_back_total", "Commands whose changes were undone.", st.rolled_back);
    counter(out, "writer_refused_total", "Commands refused because the queue was full.", st.refused_full);
    counter(out, "writer_share_refused_total", "Commands refused because very many asked for the same thing.", st.refused_share);
    gauge(out, "writer_queue_depth", "Commands waiting.", st.queue_depth);
    gauge(out, "writer_wal_pages", "Pages in the write-ahead log.", st.wal_pages);
    seconds(out, "writer_commit_seconds", "Time of a commit.", st.commit_ns_p50, st.commit_ns_p99);
    seconds(out, "writer_wait_seconds", "Time a command waited for the writer.", st.wait_ns_p50, st.wait_ns_p99);
}

static void discount_metrics(struct shop *s, struct buf *out)
{
    struct discounts_figures f = discounts_figures(s);
    gauge(out, "discounts_hour_orders", "Orders placed within the last hour.", (uint64_t)f.orders);
    gauge(out, "discounts_hour_minor", "What was taken off them, in minor units.", (uint64_t)f.off_minor);
    gauge(out, "discounts_hour_base_minor", "What they cost before, in minor units.", (uint64_t)f.base_minor);
    counter(out, "discount_alarms_total", "Times discounts went beyond an alarm.", atomic_load(&s->metrics.discount_alarms));
    counter(out, "discount_stops_total", "Campaigns stopped because they took off more than their bound.",
            atomic_load(&s->metrics.discount_stops));
}

static void rules_metrics(struct shop *s, struct buf *out)
{
    struct publish_stats st;
    struct stops_snapshot *stops = stops_acquire(s->stops);
    publisher_stats(s->publisher, &st);
    counter(out, "generations_total", "Generations that went live since the start.", st.published);
    counter(out, "generations_refused_total", "Attempts to publish that were refused.", st.refused);
    gauge(out, "generations_draining", "Earlier generations with calls that have not ended.", st.draining);
    size_t stopped[2] = { 0 };
    for (size_t i = 0; i < stops_count(stops); i++)
        stopped[stops_at(stops, i)->kind]++;
    gauge(out, "campaigns_stopped", "Campaigns stopped by hand or quarantined.", stopped[STOP_CAMPAIGN]);
    gauge(out, "plugins_stopped", "Plugins stopped by hand or quarantined.", stopped[STOP_PLUGIN]);
    counter(out, "campaigns_quarantined_total", "Campaigns quarantined since the start.", atomic_load(&s->metrics.quarantined));
    counter(out, "plugins_quarantined_total", "Plugins quarantined since the start.", atomic_load(&s->metrics.plugins_quarantined));
    counter(out, "generations_rescued_total", "Times the shop went back to earlier rules by itself.", atomic_load(&s->metrics.rescues));
    stops_release(stops);
}

static void event_metrics(struct shop *s, struct store_conn *conn, struct buf *out)
{
    int64_t waiting, dead;
    counter(out, "events_heard_total", "Events that subscribers heard after the commit.", atomic_load(&s->metrics.events_heard));
    counter(out, "events_failed_total", "Times a subscriber failed to hear an event after the commit.",
            atomic_load(&s->metrics.events_failed));
    counter(out, "events_given_up_total", "Events that became dead letters.", atomic_load(&s->metrics.events_given_up));
    if (event_count(conn, false, METRICS_COUNT_MAX, &waiting, NULL) == 0)
        gauge(out, "events_waiting", "Events that are still to be heard; 10000 stands for all above, too.", (uint64_t)waiting);
    if (event_count(conn, true, METRICS_COUNT_MAX, &dead, NULL) == 0)
        gauge(out, "events_dead", "Dead letters; 10000 stands for all above, too.", (uint64_t)dead);
}

static void stream_metrics(struct shop *s, struct buf *out)
{
    struct http_stats http;
    shop_http_stats(s, &http);
    gauge(out, "streams_open", "Who is listening.", atomic_load(&s->metrics.streams_open));
    counter(out, "streams_opened_total", "Who began to listen.", atomic_load(&s->metrics.streams_opened));
    counter(out, "streams_refused_total", "Who could not, because so many do already.", atomic_load(&s->metrics.streams_refused));
    counter(out, "streams_cut_total", "Who was cut off for not reading.", http.streams_cut);
    counter(out, "stream_events_total", "Events sent to somebody who listens.", atomic_load(&s->metrics.stream_events));
}

/* By endpoint, so that an alarm can say which. */
static void webhook_lags(struct shop *s, struct store_conn *conn, struct buf *out)
{
    struct webhook_set *set = webhooks_acquire(s->webhooks);
    int64_t now_ms = clock_wall_ms(s->options.clock), open, oldest_ms;
    if (webhook_set_count(set))
        head(out, "webhook_lag_seconds", "gauge", "Age of the oldest message that an endpoint is still to take; 0 when there is none.");
    for (size_t i = 0; i < webhook_set_count(set); i++) {
        const struct webhook *one = webhook_set_at(set, i);
        if (webhook_backlog(conn, one->id, 1, &open, &oldest_ms, NULL) == 0)
            buf_printf(out, "feira_webhook_lag_seconds{webhook=\"%s\"} %lld\n", one->name,
                       (long long)(oldest_ms && oldest_ms < now_ms ? (now_ms - oldest_ms) / 1000 : 0));
    }
    webhook_set_release(set);
}

static void webhook_metrics(struct shop *s, struct store_conn *conn, struct buf *out)
{
    struct webhook_figures f;
    counter(out, "webhooks_taken_total", "Messages that endpoints took.", atomic_load(&s->metrics.webhooks_taken));
    counter(out, "webhooks_failed_total", "Tries that failed.", atomic_load(&s->metrics.webhooks_failed));
    counter(out, "webhooks_given_up_total", "Messages that were refused too often.", atomic_load(&s->metrics.webhooks_given_up));
    if (webhooks_figures(s->webhooks, conn, &f, NULL) < 0)
        return;
    gauge(out, "webhooks_disabled", "Endpoints to which nothing is sent any more.", (uint64_t)f.disabled);
    gauge(out, "webhooks_waiting", "Messages that are still to be taken; of each endpoint 10000 stands for all above, too.",
          (uint64_t)f.waiting);
    gauge(out, "webhooks_lag_seconds", "Age of the oldest of them.", (uint64_t)f.lag_ms / 1000);
    webhook_lags(s, conn, out);
}

/* What the stdlib counts (feira.retention), by kind. */
static void retention_metrics(struct store_conn *conn, struct buf *out)
{
    struct store_stmt *q;
    struct arena arena;
    struct json_value *v = NULL;
    int64_t n;
    arena_init(&arena, NULL, 0);
    if (store_prepare(conn, "SELECT value FROM meta WHERE name = 'retention'", &q, NULL) == 0 && store_step(q, NULL) == 1) {
        struct slice text = arena_copy(&arena, store_column_text(q, 0));
        store_reset(q);
        if (text.data)
            json_parse(text, NULL, &arena, &v, NULL);
    }
    const struct json_value *removed = json_get(v, "removed");
    if (removed && removed->type == JSON_OBJECT)
        head(out, "retention_removed_total", "counter", "Rows that went because what they were kept for had ended.");
    for (const struct json_value *m = removed && removed->type == JSON_OBJECT ? removed->first : NULL; m; m = m->next)
        if (json_is_int(m, &n))
            buf_printf(out, "feira_retention_removed_total{what=\"%.*s\"} %lld\n", SLICE_FMT(m->key), (long long)n);
    arena_release(&arena);
}

void metrics_write(struct shop *s, struct store_conn *conn, struct buf *out)
{
    struct metrics *m = &s->metrics;
    http_metrics(s, out);
    counter(out, "quotes_total", "Carts priced.", atomic_load(&m->quotes));
    counter(out, "orders_placed_total", "Orders placed.", atomic_load(&m->orders_placed));
    counter(out, "orders_refused_total", "Orders refused.", atomic_load(&m->orders_refused));
    counter(out, "exhausted_total", "Requests to plugins refused by a worker because nothing is left.", atomic_load(&m->exhausted));
    counter(out, "orders_sold_out_total", "Orders refused by a worker because nothing is left.", atomic_load(&m->orders_sold_out));
    counter(out, "procedures_total", "Procedures run on the writer.", atomic_load(&m->procedures));
    counter(out, "procedure_errors_total", "Procedures that failed.", atomic_load(&m->procedure_errors));
    counter(out, "idempotent_replays_total", "Requests answered again from their idempotency key.", atomic_load(&m->idempotent_replays));
    counter(out, "rule_errors_total", "Campaign functions that failed.", atomic_load(&m->rule_errors));
    counter(out, "personal_fields_dropped_total", "Personal fields that clients sent and the catalogue does not name.",
            atomic_load(&m->fields_dropped));
    counter(out, "timers_fired_total", "Timers fired.", atomic_load(&m->timers_fired));
    counter(out, "timers_failed_total", "Timers whose procedure or job failed.", atomic_load(&m->timers_failed));
    counter(out, "jobs_given_up_total", "Jobs that failed too often.", atomic_load(&m->jobs_given_up));
    counter(out, "outbound_requests_total", "Requests of plugins to the outside.", atomic_load(&m->outbound_requests));
    counter(out, "outbound_failed_total", "Requests to the outside that got no answer.", atomic_load(&m->outbound_failed));
    event_metrics(s, conn, out);
    retention_metrics(conn, out);
    stream_metrics(s, out);
    webhook_metrics(s, conn, out);
    gauge(out, "uptime_seconds", "Since the start.", (uint64_t)(clock_wall_ms(s->options.clock) - s->started_ms) / 1000);
    writer_metrics(s, out);
    rules_metrics(s, out);
    discount_metrics(s, out);
    follower_write_metrics(s->follower, out);
    figures_write_metrics(s->figures, out);
}
