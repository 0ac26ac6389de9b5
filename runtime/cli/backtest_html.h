/* cli/backtest_html.h - the result of a backtest as one page for people: no script, nothing that it loads, plots as SVG. */
#pragma once
#include "base/json.h"

void backtest_html(const struct json_value *result, const char *candidate, struct buf *out);
/* "12,345.60"; is_change: with its sign. Returns out. */
const char *backtest_money(int64_t minor, int exponent, bool is_change, char out[48]);
bool backtest_limit_is_money(struct slice limit); /* "budget" */
