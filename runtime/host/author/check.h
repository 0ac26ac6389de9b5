/* host/author/check.h - `feira check`: a path is looked up (a shop's folder, a file of its campaigns, a plugin's folder), and its files are
 * checked in states like those that would serve them. No store is opened and no lock taken, so a shop that is being served can be checked.
 */
#pragma once
#include "rulebook/check.h"

enum check_kind { CHECK_SHOP, CHECK_CAMPAIGN, CHECK_PLUGIN };

/* How a shop's files are built where nothing is served. */
struct rulebook_options check_rules(struct symbols *symbols);

/* ERR_NOT_FOUND when nothing of the three is at the path. */
int host_check(const char *path, enum check_kind *kind, struct check_report *r, struct err *err);
