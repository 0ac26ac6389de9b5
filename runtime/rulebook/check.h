/* rulebook/check.h - looks a shop's or a plugin's files through for whoever writes them: all problems of all files, not only the first
 * that would stop a publish. Nothing is written and nothing becomes live. What this calls an error is refused by a publish, too, or
 * fails when the code runs; a warning is not. */
#pragma once
#include "rulebook/rulebook.h"

struct check_problem {
    bool is_warning;
    struct slice path; /* "campaigns/tea.lua"; "" = no file of its own */
    long line;         /* 0 = the file as a whole */
    struct slice text; /* what is wrong and what to do */
    struct slice source_line;
};

struct check_report {
    struct arena arena; /* everything below lives here */
    struct check_problem *list;
    size_t count, cap, errors, warnings, files;
    bool failed; /* out of memory: some are missing */
};
void check_report_init(struct check_report *r);
void check_report_release(struct check_report *r);

/* A problem that somebody else found in these sources; at: "campaigns/tea.lua:3". After it the report is in order again. */
int check_report_add(struct check_report *r, const struct sources *src, bool is_warning, struct slice at, struct slice text,
                     struct err *err);

/* only: the path of one campaign file ("campaigns/tea.lua"), which is then checked with shop.lua and what it reads; "" = all. Problems are
 * in the report; an error is that the check could not be made. */
int check_sources(const struct rulebook_options *o, const struct sources *src, struct slice only, struct check_report *r, struct err *err);
/* A plugin's folder: plugin.lua and every other .lua of it. name: of the folder. */
int check_plugin(const struct rulebook_options *o, const struct sources *src, struct slice name, struct check_report *r, struct err *err);
/* The files of a plugin's folder: plugin.lua, *.lua beside it and in its folders. */
int check_read_plugin(const char *dir, struct sources **out, struct err *err);
