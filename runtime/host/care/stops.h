/* host/care/stops.h - campaigns and plugins that do not work: stopped by somebody (durable rows), or quarantined because they failed too
 * often (in memory, until the next publish). Workers look at an immutable snapshot with every quote, so a stop is effective
 * with the next one. What a stop of a plugin means for each thing that it contributes: README.md. */
#pragma once
#include "base/id.h"
#include "store/store.h"

enum { STOP_GENERATION_MAX = 32 };
enum stop_kind { STOP_CAMPAIGN, STOP_PLUGIN };

struct stop {
    enum stop_kind kind;
    struct slice name, reason, author; /* name: the campaign's id, or the plugin's name */
    int64_t at_ms;
    bool quarantined;
};

struct stops;
struct stops_snapshot;

int stops_open(struct store_conn *conn, const struct clock *clock, struct stops **out, struct err *err);
void stops_close(struct stops *s);
int stops_reload(struct stops *s, struct store_conn *conn, struct err *err); /* after the commit that changed rows; writer's thread */

/* The live snapshot, counted; campaigns by id, then plugins by name. What is both stopped and quarantined is there once, as stopped. */
struct stops_snapshot *stops_acquire(struct stops *s);
void stops_release(struct stops_snapshot *v);
uint64_t stops_version(const struct stops *s); /* changes with every change; never 0 */
size_t stops_count(const struct stops_snapshot *v);
const struct stop *stops_at(const struct stops_snapshot *v, size_t i);
const struct stop *stops_find(const struct stops_snapshot *v, enum stop_kind kind, struct slice name); /* NULL: it works */

/* Rows, in the caller's transaction on the writer. ERR_NOT_FOUND from stops_delete() when there is none. */
int stops_insert(struct store_conn *conn, enum stop_kind kind, struct slice name, struct slice reason, struct slice author, int64_t now_ms,
                 struct err *err);
int stops_delete(struct store_conn *conn, enum stop_kind kind, struct slice name, struct err *err);

/* Quarantine; any thread. Which generation is live decides: a failure of rules that have been replaced says nothing of the new ones. */
void stops_set_generation(struct stops *s, const char *generation); /* empties it */
/* true: it was not quarantined before. why: a sentence, kept as the stop's reason. */
bool stops_quarantine(struct stops *s, enum stop_kind kind, struct slice name, const char *generation, const char *why);
bool stops_free(struct stops *s, enum stop_kind kind, struct slice name); /* true: it was */

/* --- one thread's look at the live snapshot: as cheap as reading a number while nothing changes ------------------------------------ */
struct stops_view {
    struct stops *stops; /* NULL: nothing is ever stopped */
    struct stops_snapshot *snapshot;
    uint64_t version;
};
const struct stops_snapshot *stops_look(struct stops_view *v); /* until the next look; NULL: nothing is stopped */
void stops_view_close(struct stops_view *v);
