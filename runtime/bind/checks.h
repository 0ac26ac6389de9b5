/* bind/checks.h - plugins' checks: functions (subject, settings) that give a list of findings. At submission they see what is submitted and
 * nothing else; at run time plugin.check() and the shop ask them, and they may read the store, too. They change nothing. */
#pragma once
#include "bind/bind.h"

struct bind_check {
    int fn; /* 0: its plugin is stopped */
    const char *plugin;
    const char *name; /* "compliance.fake_members" */
    bool skip;        /* on_failure: one that fails is only noted; otherwise it blocks */
};

/* What checks found, as they are shown: { check, rule, level, article?, text, field?, value?, satisfy? }, level block, warn or label. */
struct bind_findings {
    struct arena *arena;
    struct json_value *list, *last; /* an array */
    size_t blocks, failures;
};
int bind_findings_init(struct bind_findings *f, struct arena *arena, struct err *err);

/* Reads what a check gave (NULL: nothing) and appends it. ERR_INVALID says what is wrong with it; then nothing was appended. */
int bind_findings_add(struct bind_findings *f, const struct bind_check *check, const struct json_value *given, struct err *err);
/* A check that failed: a block, or a warning when it says skip. */
int bind_findings_fail(struct bind_findings *f, const struct bind_check *check, const struct err *cause, struct err *err);

/* Calls a check at submission in a state that is loaded and runs nothing else. An error is the machine's; a check that fails is a finding.
 */
int bind_check_submission(struct vm *v, const struct bind_check *check, const struct json_value *subject, struct bind_findings *out,
                          struct err *err);
