/* host/author/stage.h - a shop made up for trying a plugin: a folder of its own with a shop.lua that turns the plugin on, and those that it
 * needs, whose files are taken from the folders beside it (or from the program, when they ship). What the shop is beyond that, a spec
 * says. The folder is gone when the stage is closed. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct stage;

bool stage_is_plugin(const char *dir); /* a plugin.lua is in it */
/* The folder has no shop.lua until stage_set(). */
int stage_open(const char *plugin_dir, struct stage **out, struct err *err);
void stage_close(struct stage *s); /* NULL is fine */
const char *stage_dir(const struct stage *s);
const char *stage_plugin(const struct stage *s); /* its name */

/* The shop from now on: the keys of shop.lua, with those plugins that `plugins` does not name as they are needed, with empty settings;
 * and `campaigns`, texts by name. NULL: nothing but the plugins. Values are JSON as they came from Lua; what can't be written as a file
 * is ERR_INVALID, what the shop would refuse is refused when it is opened. */
int stage_set(struct stage *s, const struct json_value *shop, struct err *err);
