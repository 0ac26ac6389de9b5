/* host/past/replay.h - feira replay: recomputes orders from their evidence under the generation they were made with, and compares. */
#pragma once
#include "base/json.h"
#include "host/past/crew.h"

/* body: {"since", "until", "order", "threads"}. Writes one object:
 * {"orders", "agree", "differ", "first": [{"order", "field", "was", "now"}...: 100 at most, in the order of placing], "generations",
 *  "versions": [{"kernel", "stdlib", "zone", "orders", "same"}...], "threads", "ms", "per_second"} */
int replay_run(struct shop *s, const struct json_value *body, struct progress *p, struct json_writer *w, struct err *err);
