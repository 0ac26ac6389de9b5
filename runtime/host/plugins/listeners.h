/* host/plugins/listeners.h - who listens on this worker: answers that go on (http_stream), by topic. All calls are for the worker's thread.
 *
 * A listener is told the state when it comes, then every event of its topic whose commit that state can't have known: the place in the
 * order of commits is taken before the handler's snapshot is begun, so nothing falls between the two. What a listener costs: README.md. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include "http/http.h"
#include "rulebook/rulebook.h"

struct worker;
struct listeners;
int listeners_open(struct worker *w, struct listeners **out, struct err *err);
void listeners_leave(struct listeners *l); /* nothing more comes from the writer; before the loop is closed */
void listeners_close(struct listeners *l); /* after it; NULL is fine */

/* Before a handler's snapshot: whatever is committed from here on will be heard. ERR_BUSY when too many listen. Ends with
 * listeners_never_mind() or listeners_add(). */
int listeners_prepare(struct listeners *l, struct err *err);
void listeners_never_mind(struct listeners *l);
/* Answers the request: with `first` (JSON), and then with what is said on the topic of the plugin. since: streams_serial() of the snapshot
 * that it was made of. */
void listeners_add(struct listeners *l, struct http_request *req, const char *plugin, struct slice topic, struct slice first,
                   uint64_t since);

/* Other rules are live: who listens to a plugin that changed in any way, or is gone, is let go, and may ask the new one. */
void listeners_rules_changed(struct listeners *l, const struct generation *before, const struct generation *now);
