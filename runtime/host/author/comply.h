/* host/author/comply.h - `feira check --compliance`: what the plugins' checks would say of a shop's files, or of one draft, if they were
 * submitted now. Where the shop has data, it is read (never written, no lock is taken, also while the shop is served): what was live last,
 * and the history of prices. */
#pragma once
#include "base/json.h"
#include "rulebook/check.h"

struct comply_report {
    struct arena arena;
    struct check_report files;               /* problems of the files themselves: with errors in it, nobody was asked */
    struct json_value *findings;             /* as submission.h says; of the draft only, where one was named. NULL: nobody was asked */
    size_t blocks, warnings, labels, checks; /* checks: how many there are in the shop */
    const char *history;                     /* a sentence: which data was read, or why none was */
    bool has_history;
};
void comply_report_init(struct comply_report *r);
void comply_report_release(struct comply_report *r);

/* path: a shop's folder; or a file of campaigns, in a shop's folder or, with `shop`, anywhere: it is taken as if it lay in that shop's
 * campaigns/. data_dir NULL: data/ of the shop. */
int host_comply(const char *path, const char *shop, const char *data_dir, struct comply_report *r, struct err *err);
