/* host/author/luacheck.h - what luacheck, when it is installed, has to say about files in which nothing is wrong: unused and hidden names,
 * code that is never reached. Its settings are those of the folder (.luacheckrc), or the sandbox's own globals. */
#pragma once
#include "rulebook/check.h"

/* Warnings for the .lua files of `src`, which lie in `dir`; only: one of them, "" = all. 0 also when there is no luacheck. */
int luacheck_folder(const char *dir, const struct sources *src, struct slice only, struct check_report *r, struct err *err);
