#include "cli/import.h"
#include "cli/cli.h"
#include <stdarg.h>

enum { COMPLAINTS_SHOWN = 50 };

void import_complain(struct import *im, int line, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct import_complaint *c = arena_zalloc(im->arena, sizeof *c);
    im->complaint_count++;
    if (!c)
        return;
    c->line = line;
    c->text = arena_copy(im->arena, slice_str(text));
    if (im->last_complaint)
        im->last_complaint->next = c;
    else
        im->complaints = c;
    im->last_complaint = c;
}

static struct slice trimmed(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_of(s.data + 1, s.len - 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

int import_column(const struct import *im, const char *name)
{
    for (size_t i = 0; i < im->header.count; i++) {
        struct slice h = trimmed(im->header.fields[i]);
        if (h.len == strlen(name) && strncasecmp(h.data, name, h.len) == 0)
            return (int)i;
    }
    return -1;
}

struct slice import_field(const struct csv_record *r, int column)
{
    return column >= 0 && (size_t)column < r->count ? trimmed(r->fields[column]) : (struct slice){ "", 0 };
}

bool import_sku_ok(struct import *im, int line, struct slice sku)
{
    if (sku.len == 0)
        import_complain(im, line, "the SKU is missing");
    else if (sku.len > 64)
        import_complain(im, line, "the SKU \"%.*s...\" is longer than 64 bytes", 20, sku.data);
    return sku.len > 0 && sku.len <= 64;
}

bool import_money(struct import *im, int line, const char *what, struct slice text, int64_t *out)
{
    struct err err = { 0 };
    if (text.len == 0) {
        import_complain(im, line, "the %s is missing", what);
        return false;
    }
    if (money_parse(text, im->currency.exponent, out, &err) < 0) {
        import_complain(im, line, "%s: %s", what, err.text);
        return false;
    }
    if (*out < 0) {
        import_complain(im, line, "%s: \"%.*s\" is negative", what, SLICE_FMT(text));
        return false;
    }
    return true;
}

bool import_number(struct import *im, int line, const char *what, struct slice text, int64_t *out)
{
    if (money_parse(text, 0, out, NULL) < 0 || *out < 0) {
        import_complain(im, line, "%s: \"%.*s\" is not a whole number from 0 up", what, SLICE_FMT(text));
        return false;
    }
    return true;
}

void import_tags(struct import *im, struct slice list)
{
    json_array(&im->out);
    while (list.len) {
        size_t n = 0;
        while (n < list.len && list.data[n] != ',' && list.data[n] != ';' && list.data[n] != '|')
            n++;
        struct slice tag = trimmed(slice_of(list.data, n));
        if (tag.len)
            json_string(&im->out, tag);
        n += n < list.len;
        list = slice_of(list.data + n, list.len - n);
    }
    json_array_end(&im->out);
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

static int shop_currency(const struct cli_args *a, struct import *im, struct err *err)
{
    struct buf answer;
    struct json_value *v;
    struct slice code;
    buf_init(&answer, NULL);
    int rc = shop_ask_ok(a->positional[0], a->values[0], "GET", "/v1/status", (struct slice){ "", 0 }, &answer, err);
    if (rc == 0)
        rc = json_parse(buf_slice(&answer), NULL, im->arena, &v, err);
    if (rc == 0 && !json_is_string(json_get(v, "currency"), &code))
        rc = err_set(err, ERR_INTERNAL, "The shop does not say its currency.");
    if (rc == 0)
        rc = currency_find(code, &im->currency, err);
    buf_release(&answer);
    return rc;
}

static int read_products(struct import *im, struct slice text, struct err *err)
{
    struct csv_reader csv;
    int rc = csv_open(&csv, text, im->arena, err);
    if (rc == 0)
        rc = csv_next(&csv, &im->header, err);
    if (rc == 0)
        return err_set(err, ERR_INVALID, "The file is empty; its first line names the columns.");
    if (rc < 0)
        return rc;
    if (import_is_shopify(im))
        return import_shopify(im, &csv, err);
    if (import_column(im, "sku") >= 0 && import_column(im, "price") >= 0)
        return import_plain(im, &csv, err);
    return err_set(
        err, ERR_INVALID,
        "The header has neither sku and price (the plain form) nor Handle and Variant Price (a Shopify export); see: feira help import");
}

int import_body(struct import *im, struct slice text, struct buf *body, struct err *err)
{
    json_writer_init(&im->out, body);
    json_object(&im->out);
    json_key(&im->out, "products");
    json_array(&im->out);
    int rc = read_products(im, text, err);
    if (rc < 0)
        return rc;
    json_array_end(&im->out);
    json_object_end(&im->out);
    return body->failed ? err_set(err, ERR_NOMEM, "Out of memory while reading a catalogue.") : 0;
}

static int complain(const struct import *im, const char *path)
{
    int shown = 0;
    for (const struct import_complaint *c = im->complaints; c && shown < COMPLAINTS_SHOWN; c = c->next, shown++)
        fprintf(stderr, "%s:%d: %.*s\n", path, c->line, SLICE_FMT(c->text));
    if (im->complaint_count > shown)
        fprintf(stderr, "... and %d more\n", im->complaint_count - shown);
    fprintf(stderr, "feira: %d bad row%s; nothing was imported.\n", im->complaint_count, im->complaint_count == 1 ? "" : "s");
    return EXIT_BROKEN;
}

static int send_products(const struct cli_args *a, struct import *im, struct buf *body, struct err *err)
{
    struct buf answer;
    struct json_value *v;
    int64_t created = 0, updated = 0;
    buf_init(&answer, NULL);
    int rc = shop_ask_ok(a->positional[0], a->values[0], "POST", "/v1/products/import", buf_slice(body), &answer, err);
    if (rc == 0)
        rc = json_parse(buf_slice(&answer), NULL, im->arena, &v, err);
    if (rc == 0) {
        json_is_int(json_get(v, "created"), &created);
        json_is_int(json_get(v, "updated"), &updated);
        printf("imported %d products: %lld new, %lld updated\n", im->products, (long long)created, (long long)updated);
    }
    buf_release(&answer);
    return rc;
}

static int import(const struct cli_args *a, struct import *im, struct buf *text, struct buf *body, struct err *err)
{
    int rc = cli_read_file(a->positional[1], text, err);
    if (rc == 0)
        rc = shop_currency(a, im, err);
    if (rc < 0)
        return cli_fail(err);
    if (import_body(im, buf_slice(text), body, err) < 0)
        return cli_fail(err);
    if (im->complaint_count)
        return complain(im, a->positional[1]);
    return send_products(a, im, body, err) < 0 ? cli_fail(err) : EXIT_DONE;
}

int cmd_import(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    struct buf text, body;
    arena_init(&arena, NULL, 0);
    buf_init(&text, NULL);
    buf_init(&body, NULL);
    struct import im = { .arena = &arena };
    int code = import(a, &im, &text, &body, &err);
    buf_release(&body);
    buf_release(&text);
    arena_release(&arena);
    return code;
}
