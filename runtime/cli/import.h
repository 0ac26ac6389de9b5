/* cli/import.h - a CSV file of products becomes the body of POST /v1/products/import. Every bad row is remembered with
 * its line and reason; one is enough for nothing to be imported. */
#pragma once
#include "base/csv.h"
#include "base/json.h"
#include "base/money.h"

struct import_complaint {
    struct import_complaint *next;
    int line;
    struct slice text;
};

struct import {
    struct arena *arena;
    struct currency currency;
    struct csv_record header;
    struct json_writer out; /* inside the array of products */
    int products;
    struct import_complaint *complaints, *last_complaint;
    int complaint_count;
};

void import_complain(struct import *im, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int import_column(const struct import *im, const char *name);      /* -1 = not there; case does not matter */
struct slice import_field(const struct csv_record *r, int column); /* trimmed; empty when there is none */
bool import_sku_ok(struct import *im, int line, struct slice sku);
bool import_money(struct import *im, int line, const char *what, struct slice text, int64_t *out);  /* "9.99" → minor units; complains */
bool import_number(struct import *im, int line, const char *what, struct slice text, int64_t *out); /* 0 or more */
void import_tags(struct import *im, struct slice list);                                             /* "a, b" → ["a","b"] */

/* The whole file as the body of POST /v1/products/import; im has arena and currency. Look at complaint_count, too. */
int import_body(struct import *im, struct slice text, struct buf *body, struct err *err);

/* Readers of the two forms. Return a negative code only when the file itself can't be read on. */
bool import_is_shopify(const struct import *im);
int import_plain(struct import *im, struct csv_reader *csv, struct err *err);
int import_shopify(struct import *im, struct csv_reader *csv, struct err *err);
