/* host/care/metrics.h - counters of a shop, written with relaxed atomics by all threads, read by /metrics and /v1/status. */
#pragma once
#include "base/buf.h"
#include <stdatomic.h>

struct metrics {
    atomic_uint_fast64_t quotes, orders_placed, orders_refused, orders_sold_out, exhausted, procedures, procedure_errors,
        idempotent_replays;
    atomic_uint_fast64_t rule_errors, quarantined, plugins_quarantined, rescues, discount_alarms, discount_stops, timers_fired,
        timers_failed, jobs_given_up, outbound_requests, outbound_failed, events_heard, events_failed, events_given_up, queue_refused,
        streams_opened, streams_refused, streams_open, stream_events;
    atomic_uint_fast64_t webhooks_taken, webhooks_failed, webhooks_given_up;
    atomic_uint_fast64_t fields_dropped;      /* personal ones that clients sent and the shop does not collect */
    atomic_uint_fast64_t requests_per_second; /* of the last whole second, while serving */
};

static inline void metric_add(atomic_uint_fast64_t *m, uint_fast64_t n)
{
    atomic_fetch_add_explicit(m, n, memory_order_relaxed);
}

struct shop;
struct store_conn;
void metrics_write(struct shop *s, struct store_conn *conn, struct buf *out); /* Prometheus text; conn: a reader */
