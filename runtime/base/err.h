/* base/err.h - how a failure travels: a code to branch on, a sentence to read, written where the cause is known.
 * Functions return 0 or a negative code (the same as err->code). A caller that does not care passes NULL. */
#pragma once
#include "base/slice.h"

enum err_code {
    ERR_OK = 0,
    ERR_INVALID = -1,         /* what was given can't be accepted; `field` names it. HTTP 400/422 */
    ERR_UNAUTHENTICATED = -2, /* 401 */
    ERR_DENIED = -3,          /* 403 */
    ERR_NOT_FOUND = -4,       /* 404 */
    ERR_CONFLICT = -5,        /* the world moved: stock, price, state. 409 */
    ERR_STATE = -6,           /* not allowed in the state it is in. 409 */
    ERR_MISMATCH = -7,        /* idempotency key used again with other content. 422 */
    ERR_TOO_LARGE = -8,       /* 413 */
    ERR_BUSY = -9,            /* queue full, try again. 503 with Retry-After */
    ERR_OVERFLOW = -10,       /* a number left its range */
    ERR_FULL = -11,           /* disk or quota full. 507 */
    ERR_NOMEM = -12,          /* 503 */
    ERR_IO = -13,             /* 503 */
    ERR_CORRUPT = -14,        /* a file is not what it should be */
    ERR_FUEL = -15,           /* Lua ran past its instruction budget */
    ERR_MEMORY_CAP = -16,     /* Lua ran past its memory cap */
    ERR_SCRIPT = -17,         /* Lua raised an error */
    ERR_LOCKED = -18,         /* another process has it */
    ERR_RETRY = -19,          /* what was read has moved: read again and repeat */
    ERR_INTERNAL = -20,       /* a bug of ours. 500 */
};

struct err {
    int code;
    char field[128]; /* JSON pointer or name of the input at fault; "" when none */
    char reason[64]; /* stable snake_case name for machines ("out_of_stock"); "" = derived from the code */
    char text[512];  /* one sentence for a person: what is wrong and what to do */
};

int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_field(struct err *e, int code, const char *field, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int err_reason(struct err *e, int code, const char *reason, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int err_wrap(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* puts "prefix: " before the text; returns e->code */
void err_clear(struct err *e);
const char *err_name(int code); /* "invalid", "not_found" ...; stable */
