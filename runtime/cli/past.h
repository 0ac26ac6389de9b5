/* cli/past.h - for commands that begin something in a shop and ask how far it is: feira replay, feira backtest. */
#pragma once
#include "base/json.h"
#include "cli/cli.h"

/* POSTs body to target and GETs it until it is over; says on a terminal how far it is; Ctrl-C cancels. The result lives in the arena. */
int cli_follow(const struct cli_args *a, const char *target, const char *what, struct slice body, struct arena *arena,
               struct json_value **result, struct err *err);
int cli_threads(const char *text, int64_t *out, struct err *err); /* 1 to 64 */
