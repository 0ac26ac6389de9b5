/* host/author/trial_call.h - a procedure of a plugin called from outside, as a spec does it: on the writer, in a transaction of its own. */
#pragma once
#include "host/publish/edition.h"

/* name: "member-tiers.grant". args are checked as for a caller in another plugin. *value: what it returned, as JSON text in the arena, ""
 * for nothing. Runs the loop until it is done. */
int trial_call_procedure(struct edition *e, struct loop *loop, struct slice name, const struct json_value *args, struct arena *arena,
                         struct slice *value, struct err *err);
