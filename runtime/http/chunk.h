/* http/chunk.h - the framing of a chunked body, byte by byte: sizes of at most 16 digits, extensions of a known form and a
 * limited length, CRLF and nothing else, trailers judged like headers and dropped. */
#pragma once
#include "base/buf.h"
#include "http/strict.h"

struct chunk_reader {
    uint8_t state;
    uint8_t digits;
    uint32_t extension_bytes; /* of the whole body */
    uint64_t left;            /* of the chunk at hand */
    uint64_t total;           /* data bytes so far */
    struct strict_scan trailers;
};

void chunk_begin(struct chunk_reader *c);
/* Appends data to body; returns how many bytes of the input belong to the message. Never more than limit bytes of data (413). */
size_t chunk_feed(struct chunk_reader *c, const char *data, size_t len, size_t limit, struct buf *body, struct strict_verdict *v);
bool chunk_done(const struct chunk_reader *c);
