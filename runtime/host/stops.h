/* host/stops.h - campaigns that do not apply: stopped by somebody (durable rows), or quarantined because they failed too
 * often (in memory, until the next publish). Workers look at an immutable snapshot with every quote, so a stop is effective
 * with the next one. */
#pragma once
#include "base/id.h"
#include "store/store.h"

enum { STOP_CAMPAIGN_MAX = 65, STOP_GENERATION_MAX = 32 };

struct stop {
    struct slice campaign, reason, author;
    int64_t at_ms;
    bool quarantined;
};

struct stops;
struct stops_snapshot;

int stops_open(struct store_conn *conn, const struct clock *clock, struct stops **out, struct err *err);
void stops_close(struct stops *s);
int stops_reload(struct stops *s, struct store_conn *conn, struct err *err); /* after the commit that changed rows; writer's thread */

/* The live snapshot, counted; by campaign. A campaign that is both stopped and quarantined is there once, as stopped. */
struct stops_snapshot *stops_acquire(struct stops *s);
void stops_release(struct stops_snapshot *v);
uint64_t stops_version(const struct stops *s); /* changes with every change; never 0 */
size_t stops_count(const struct stops_snapshot *v);
const struct stop *stops_at(const struct stops_snapshot *v, size_t i);
bool stops_have(const struct stops_snapshot *v, struct slice campaign);

/* Rows, in the caller's transaction on the writer. ERR_NOT_FOUND from stops_delete() when there is none. */
int stops_insert(struct store_conn *conn, struct slice campaign, struct slice reason, struct slice author, int64_t now_ms, struct err *err);
int stops_delete(struct store_conn *conn, struct slice campaign, struct err *err);

/* Quarantine; any thread. Which generation is live decides: a failure of rules that have been replaced says nothing of the new ones. */
void stops_set_generation(struct stops *s, const char *generation);                    /* empties it */
bool stops_quarantine(struct stops *s, struct slice campaign, const char *generation); /* true: it was not quarantined before */
bool stops_free(struct stops *s, struct slice campaign);                               /* true: it was */
