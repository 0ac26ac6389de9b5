/* cli/report.h - how tests went, as they go: TAP 13 for programs, and for people at a terminal the same with the passed ones in one line
 * each and what failed set apart. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

struct report {
    bool tap;
    const char *file; /* of the tests that come; "test/first.lua" */
    const char *said; /* the file that was named last, for people */
    long passed, failed;
};

bool report_wants_tap(bool asked); /* asked for, or nobody is at the terminal */
void report_begin(struct report *r, bool tap);
void report_result(struct report *r, struct slice groups, struct slice name, bool passed, struct slice message);
void report_end(struct report *r);
