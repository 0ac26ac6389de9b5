/* rulebook/rulebook_int.h - shared by the files of rulebook/ only. */
#pragma once
#include "rulebook/rulebook.h"

/* Checks the table that shop.lua returned. What *out points to lives in the arena, with the tree. *zone is the shop's. */
int settings_check(const struct sources *src, const struct json_value *tree, struct arena *arena, struct shop_settings *out,
                   struct zone **zone, struct err *err);

/* data("flash.csv") of a campaign: the file of that name beside it, as a list of tables of strings. ctx is the sources; a vm_data_fn. */
int table_read(void *ctx, struct slice name, struct arena *arena, struct json_value **out, struct err *err);

/* Adds the line of the source that err->text begins with ("campaigns/tea.lua:7: ..."), when there is room. Returns err->code. */
int excerpt_add(const struct sources *src, struct err *err);

/* "campaigns/tea.lua:7: what" -> the path and 7. */
bool excerpt_place(const char *text, struct slice *path, long *line);
bool excerpt_line(struct slice text, long number, struct slice *out); /* from 1; false when it has fewer */

/* The line of `path` on which `key =` is written first, or 1. */
int excerpt_line_of_key(const struct sources *src, const char *path, const char *key);
