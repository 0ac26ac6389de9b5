/* rulebook/manifest_fixture.h - for the tests of this folder: manifests from a line of Lua. */
#pragma once
#include "rulebook/manifest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FIXTURE_FILE "plugins/invite/plugin.lua"

/* The members that every manifest needs, then `rest`. */
static inline int fixture_read_as(const char *name, const char *rest, struct manifest **out, struct err *err)
{
    char file[80], *source;
    snprintf(file, sizeof file, "plugins/%s/plugin.lua", name);
    if (asprintf(&source, "return { name = '%s', version = '1.0.0', api = 1, title = 'A plugin', %s }", name, rest) < 0)
        abort();
    int rc = manifest_read(slice_str(source), file, NULL, out, err);
    free(source);
    return rc;
}

static inline int fixture_read(const char *rest, struct manifest **out, struct err *err)
{
    return fixture_read_as("invite", rest, out, err);
}

static inline struct manifest *fixture_good(const char *name, const char *rest)
{
    struct manifest *m;
    struct err err = { 0 };
    if (fixture_read_as(name, rest, &m, &err) < 0)
        fail_msg("%s", err.text);
    return m;
}

/* Refused, with a sentence that has `says` in it. */
static inline void fixture_bad(const char *rest, const char *says)
{
    struct manifest *m;
    struct err err = { 0 };
    int rc = fixture_read(rest, &m, &err);
    if (rc == 0)
        fail_msg("was accepted: %s", rest);
    if (!strstr(err.text, says))
        fail_msg("%s\n  says: %s\n  not:  %s", rest, err.text, says);
    assert_int_equal(rc, err.code);
    assert_null(m);
}
