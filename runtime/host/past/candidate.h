/* host/past/candidate.h - rules that are not live: the live ones with a campaign file, a plugin or shop.lua that is another one, or a
 * whole folder. Built like any others and never made live. */
#pragma once
#include "base/json.h"
#include "host/shop.h"

/* body: {"candidates": ["/whole/path"...], "files": [{"path": "campaigns/x.lua", "text"}...], "without": ["campaigns/y.lua"...]}. A path is
 * a shop's folder (all of it), a plugin's folder (plugins/ITS NAME), shop.lua, or a file of campaigns/. *generation is counted. ERR_INVALID
 * with what is wrong, as a publish would say it. */
int candidate_build(struct shop *s, const struct json_value *body, struct generation **out, struct err *err);
