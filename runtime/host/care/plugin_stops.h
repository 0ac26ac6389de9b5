/* host/care/plugin_stops.h - a plugin that the shop has stopped, or that is quarantined: what then holds for each thing that it
 * contributes. The reasons are in README.md; here is where they are asked. */
#pragma once
#include "host/plugins/plugins.h"
#include "host/care/stops.h"

struct pricing;

/* NULL: the plugin works. For the thread that the state belongs to; good until the next call. */
const struct stop *plugin_stopped(struct plugin_state *s, const char *plugin);
/* Whatever it was asked for is refused: ERR_BUSY "plugin_stopped", for a caller who is told neither why nor by whom. */
int plugin_refuse(const char *plugin, struct err *err);

/* Of a plugin that is stopped: a subscriber in the transaction. 1 = it hears the event later; ERR_BUSY = the event must not happen without
 * it; 0 = the same, and it is quarantined only: it hears the event now. */
int plugin_defers(const struct stop *stop, const struct hook_ref *subscriber, struct err *err);

/* For cart.stopped: "plugin/NAME", or with "/skip" when it is quarantined. What must not be left out goes on there: taking it out would
 * refuse every quote, which is worse than what quarantined it. In the arena; data NULL when memory ran out. */
struct slice plugin_stop_mark(const struct stop *stop, struct arena *arena);
/* ERR_CONFLICT "plugin_stopped": a plugin that had a say in these prices has been stopped since. */
int plugin_check_stops(const struct pricing *p, const struct stops_snapshot *now, struct err *err);

/* A list of sentences: what happens while this plugin is stopped, for whoever stops it. */
void plugin_stop_effects(const struct generation *g, const struct manifest *m, bool quarantined, struct json_writer *w);
