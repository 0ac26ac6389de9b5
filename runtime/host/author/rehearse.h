/* host/author/rehearse.h - a plugin's folder loaded as a shop would load it: in a space of its own, every function that it names found.
 * Settings that must be given and have no default are made up. */
#pragma once
#include "rulebook/check.h"

/* src: the folder's files, in which nothing else is wrong. What is wrong goes into the report, at the plugin's own files. When no
 * shop can be made up for it (another plugin that it needs is neither beside it nor ships) that is a warning. */
int rehearse_plugin(const struct rulebook_options *o, const char *dir, const struct sources *src, struct check_report *r, struct err *err);
