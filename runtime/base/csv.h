/* base/csv.h - comma-separated values (RFC 4180), a record at a time, with the line a record begins on, for messages. A
 * byte-order mark is skipped; LF and CRLF both end a record; a quoted field may hold commas, quotes ("") and newlines;
 * empty lines are skipped. Text must be UTF-8. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct csv_reader {
    struct slice rest;
    struct arena *arena; /* fields that had quotes are copied here; others point into the text */
    int line;            /* of the record that was read last, from 1 */
    int next_line;
};

struct csv_record {
    struct slice *fields;
    size_t count;
};

enum { CSV_FIELDS_MAX = 200 };

int csv_open(struct csv_reader *r, struct slice text, struct arena *arena, struct err *err);
/* 1 = a record, 0 = the end, ERR_INVALID with "line 7: ..." for a quote that is not closed, text behind a closing quote, bad UTF-8, or more
 * than CSV_FIELDS_MAX fields. */
int csv_next(struct csv_reader *r, struct csv_record *out, struct err *err);
