/* http/strict.h - the bytes a head may consist of, judged one by one: what llhttp lets pass and we do not. Keeping its state
 * between calls, it gives the same verdict however the bytes were cut. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

struct strict_limits {
    size_t line_bytes;   /* request line with its CRLF */
    size_t header_bytes; /* all header lines with their CRLFs and the empty line */
    size_t header_count;
};

enum strict_state {
    STRICT_START,
    STRICT_START_LF,
    STRICT_METHOD,
    STRICT_TARGET,
    STRICT_VERSION,
    STRICT_LINE_LF,
    STRICT_HEADER,
    STRICT_NAME,
    STRICT_VALUE,
    STRICT_VALUE_LF,
    STRICT_END_LF,
    STRICT_DONE
};

struct strict_scan {
    uint8_t state;
    bool skipped_line; /* one empty line before a request is forgiven */
    uint16_t header_count;
    uint32_t line_start; /* offset of the request line: 2 after an empty line */
    uint32_t method_end; /* offset of the space behind the method */
    uint32_t target_end; /* offset of the space behind the target */
    uint32_t line_end;   /* offset behind the request line's CRLF */
    uint32_t offset;     /* bytes seen so far */
    uint32_t token_len;  /* bytes of the method, version or header name so far */
    char version[8];
};

struct strict_verdict {
    int status;       /* 0 = nothing wrong so far; else the HTTP status of the refusal */
    const char *type; /* of the problem document */
    const char *detail;
};

void strict_begin(struct strict_scan *s);          /* a request head */
void strict_begin_trailers(struct strict_scan *s); /* header lines only, as behind the last chunk */

/* Looks at data and returns how many bytes belong to the head; scan->state is STRICT_DONE when it is whole. Stops at the first offence. */
size_t strict_feed(struct strict_scan *s, const struct strict_limits *l, const char *data, size_t len, struct strict_verdict *v);

bool strict_is_token(char c); /* RFC 9110 tchar */
bool strict_is_text(char c);  /* may stand in a header value */
