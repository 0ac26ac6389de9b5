#include "base/err.h"
#include "base/utf8.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* Copies what fits, never half a character: err->text ends up in JSON and on screens. */
static void put(char *out, size_t cap, const char *s)
{
    size_t n = utf8_cut(slice_str(s), cap - 1);
    memcpy(out, s, n);
    out[n] = '\0';
}

static void put_text(struct err *e, const char *fmt, va_list args)
{
    char text[sizeof e->text + 4]; /* some room past the end, so that the cut sees whether a character goes on there */
    vsnprintf(text, sizeof text, fmt, args);
    put(e->text, sizeof e->text, text);
}

static int fill(struct err *e, int code, const char *field, const char *reason, const char *fmt, va_list args)
{
    assert(code < 0);
    if (!e)
        return code;
    e->code = code;
    put_text(e, fmt, args); /* first: the arguments may point into *e */
    put(e->field, sizeof e->field, field);
    put(e->reason, sizeof e->reason, reason);
    return code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(e, code, "", "", fmt, args);
    va_end(args);
    return code;
}

int err_field(struct err *e, int code, const char *field, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(e, code, field, "", fmt, args);
    va_end(args);
    return code;
}

int err_reason(struct err *e, int code, const char *reason, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(e, code, "", reason, fmt, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (!e)
        return ERR_INTERNAL; /* there is no code to give back; callers that pass NULL keep their own */
    char prefix[sizeof e->text], text[sizeof e->text * 2 + 4];
    va_list args;
    va_start(args, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", prefix, e->text);
    put(e->text, sizeof e->text, text);
    return e->code;
}

void err_clear(struct err *e)
{
    if (!e)
        return;
    e->code = ERR_OK;
    e->field[0] = e->reason[0] = e->text[0] = '\0';
}

const char *err_name(int code)
{
    static const char *const names[] = {
        "ok",         "invalid", "unauthenticated", "denied", "not_found", "conflict", "state",   "mismatch",
        "too_large",  "busy",    "overflow",        "full",   "no_memory", "io",       "corrupt", "fuel",
        "memory_cap", "script",  "locked",          "retry",  "internal",
    };
    if (code > 0 || -code >= (int)(sizeof names / sizeof *names))
        return "internal";
    return names[-code];
}
