/* host/admin/changes.h - what would change if these rules went live instead of those, and which steps of approval that needs. Looked at by
 * files, so that nothing slips through: a file of campaigns needs what the campaigns in it need, as it is and as it was; every other file
 * (shop.lua, plugins, tables of data) needs all steps. */
#pragma once
#include "rulebook/rulebook.h"

/* steps: a mask of live's. json: [{ "file", "change": "added|changed|removed", "campaigns": [{ "id", "kinds", "steps" }] }] in the arena.
 */
int changes_find(const struct generation *live, const struct generation *next, struct arena *arena, unsigned *steps, struct slice *json,
                 struct err *err);
bool changes_are_gated(const struct generation *live); /* something has to be approved here */
