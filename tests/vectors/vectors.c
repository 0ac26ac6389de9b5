/* vectors KIND FILE.jsonl - runs every line of the file through the runtime's own money and zone code. One line on
 * standard output per failure, and last "N passed, M failed". Exits 1 when M > 0, 2 when the file has nothing to run. */
#include "base/json.h"
#include "base/money.h"
#include "base/zone.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct run {
    const char *file;
    long line, passed, failed;
    struct arena arena;
};

static bool fail(const struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(const struct run *r, const char *fmt, ...)
{
    va_list args;
    printf("%s:%ld: ", r->file, r->line);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    return false;
}

enum number { NUMBER_FITS, NUMBER_TOO_LARGE, NUMBER_NONE };

/* A whole number, written as a number or as a string of one. */
static enum number number_of(const struct json_value *v, int64_t *out)
{
    struct slice text;
    if (json_is_int(v, out))
        return NUMBER_FITS;
    if (!json_is_string(v, &text))
        return NUMBER_NONE;
    int rc = money_parse(text, 0, out, NULL);
    return rc == 0 ? NUMBER_FITS : rc == ERR_OVERFLOW ? NUMBER_TOO_LARGE : NUMBER_NONE;
}

static bool string_of(const struct json_value *line, const char *key, struct slice *out)
{
    return json_is_string(json_get(line, key), out);
}

/* Reads an array of whole numbers into the arena; false when it is none. */
static bool numbers_of(struct run *r, const struct json_value *v, int64_t **out, size_t *count)
{
    if (!v || v->type != JSON_ARRAY)
        return false;
    *count = v->count;
    *out = arena_array(&r->arena, v->count + 1, sizeof(**out)); /* one more, so that an empty one is not NULL */
    size_t i = 0;
    for (const struct json_value *item = v->first; *out && item; item = item->next)
        if (number_of(item, &(*out)[i++]) != NUMBER_FITS)
            return false;
    return *out != NULL;
}

/* {"total": 99, "weights": [1, 2], "expect": [33, 66]}; expect is null where nothing can be split. */
static bool run_allocation(struct run *r, const struct json_value *line)
{
    int64_t total, *weights, *expect = NULL, *got, sum = 0;
    size_t n, n_expect = 0;
    const struct json_value *wanted = json_get(line, "expect");
    struct err err = { 0 };
    if (number_of(json_get(line, "total"), &total) != NUMBER_FITS || !numbers_of(r, json_get(line, "weights"), &weights, &n) || !wanted)
        return fail(r, "an allocation needs \"total\", \"weights\" and \"expect\", all whole numbers of 64 bits");
    if (wanted->type != JSON_NULL && !numbers_of(r, wanted, &expect, &n_expect))
        return fail(r, "\"expect\" is a list of whole numbers or null");
    got = arena_array(&r->arena, n + 1, sizeof(*got));
    if (!got)
        return fail(r, "out of memory");
    int rc = money_allocate(total, weights, n, got, &err);
    if (!expect)
        return rc == ERR_INVALID || fail(r, "the split should be refused, but was not");
    if (rc < 0)
        return fail(r, "the split was refused: %s", err.text);
    if (n_expect != n)
        return fail(r, "%zu parts are expected of %zu weights", n_expect, n);
    for (size_t i = 0; i < n; i++) {
        if (got[i] != expect[i])
            return fail(r, "part %zu is %" PRId64 ", expected %" PRId64, i + 1, got[i], expect[i]);
        if (!money_add(sum, got[i], &sum))
            return fail(r, "the parts add up beyond 64 bits");
    }
    return sum == total || fail(r, "the parts add up to %" PRId64 ", not to %" PRId64, sum, total);
}

/* {"op": "+", "a": "1", "b": "2", "expect": "3"}; expect is "overflow" where 64 bits do not hold it. An operand that
 * does not fit 64 bits itself overflows on the way in. */
static bool run_int64(struct run *r, const struct json_value *line)
{
    struct slice op, text;
    int64_t a = 0, b = 0, expect = 0, got = 0;
    bool overflow_expected = string_of(line, "expect", &text) && slice_is(text, "overflow");
    enum number a_is = number_of(json_get(line, "a"), &a), b_is = number_of(json_get(line, "b"), &b);
    if (!string_of(line, "op", &op) || a_is == NUMBER_NONE || b_is == NUMBER_NONE)
        return fail(r, "a calculation needs \"op\", and whole numbers \"a\" and \"b\"");
    if (!overflow_expected && number_of(json_get(line, "expect"), &expect) != NUMBER_FITS)
        return fail(r, "\"expect\" is a whole number of 64 bits or \"overflow\"");
    bool known = slice_is(op, "+") || slice_is(op, "-") || slice_is(op, "*");
    if (!known)
        return fail(r, "there is no operation \"%.*s\" on amounts: + - * are known", SLICE_FMT(op));
    bool fits = a_is == NUMBER_FITS && b_is == NUMBER_FITS &&
                (slice_is(op, "+")   ? money_add(a, b, &got)
                 : slice_is(op, "-") ? money_sub(a, b, &got)
                                     : money_mul(a, b, &got));
    if (fits && overflow_expected)
        return fail(r, "the result is %" PRId64 ", expected overflow", got);
    if (!fits && !overflow_expected)
        return fail(r, "overflow, expected %" PRId64, expect);
    return !fits || got == expect || fail(r, "the result is %" PRId64 ", expected %" PRId64, got, expect);
}

static const char *const kind_names[] = { [CIVIL_NORMAL] = "normal", [CIVIL_GAP] = "gap", [CIVIL_FOLD] = "fold" };

static bool shows(const struct zone *z, int64_t utc_ms, const struct civil *local)
{
    struct civil c;
    zone_from_utc(z, utc_ms, &c, NULL);
    return c.year == local->year && c.month == local->month && c.day == local->day && c.hour == local->hour && c.minute == local->minute &&
           c.second == local->second && c.ms == local->ms;
}

static bool check_local_time(const struct run *r, const struct zone *z, const struct civil *local, struct slice kind, int64_t first,
                             int64_t second)
{
    int64_t got_first, got_second, resolved = zone_resolve(z, local);
    enum civil_kind got = zone_to_utc(z, local, &got_first, &got_second);
    if (!slice_is(kind, kind_names[got]))
        return fail(r, "the local time is a %s one, expected %.*s", kind_names[got], SLICE_FMT(kind));
    if (got_first != first || got_second != second)
        return fail(r, "the instants are %" PRId64 " and %" PRId64 ", expected %" PRId64 " and %" PRId64, got_first, got_second, first,
                    second);
    if (got == CIVIL_GAP) {
        if (shows(z, first, local) || shows(z, second, local))
            return fail(r, "an instant shows a local time that clocks jumped over");
        return (resolved > first && resolved <= second) || fail(r, "the jump, %" PRId64 ", is not between the two readings", resolved);
    }
    if (!shows(z, first, local) || !shows(z, second, local))
        return fail(r, "the way back from an instant gives another local time");
    return resolved == first || fail(r, "the local time is taken for %" PRId64 ", expected the first instant", resolved);
}

/* {"tz": "Europe/London", "local": "2026-03-29T00:30:00", "kind": "normal", "epoch_ms_first": 0, "epoch_ms_second": 0} */
static bool run_local_time(struct run *r, const struct json_value *line)
{
    struct slice tz, text, kind;
    int64_t first, second;
    struct civil local;
    struct zone *z;
    struct err err = { 0 };
    if (!string_of(line, "tz", &tz) || !string_of(line, "local", &text) || !string_of(line, "kind", &kind) ||
        number_of(json_get(line, "epoch_ms_first"), &first) != NUMBER_FITS ||
        number_of(json_get(line, "epoch_ms_second"), &second) != NUMBER_FITS)
        return fail(r, "a local time needs \"tz\", \"local\", \"kind\", \"epoch_ms_first\" and \"epoch_ms_second\"");
    if (civil_parse(text, &local, &err) < 0 || zone_load(tz, &z, &err) < 0)
        return fail(r, "%s", err.text);
    bool ok = check_local_time(r, z, &local, kind, first, second);
    zone_free(z);
    return ok;
}

static const struct kind {
    const char *name;
    bool (*run)(struct run *r, const struct json_value *line);
} kinds[] = { { "allocations", run_allocation }, { "int64", run_int64 }, { "local-times", run_local_time } };

static void run_line(struct run *r, const struct kind *kind, struct slice text)
{
    struct json_value *line;
    struct err err = { 0 };
    bool ok = json_parse(text, NULL, &r->arena, &line, &err) == 0 ? kind->run(r, line) : fail(r, "%s", err.text);
    *(ok ? &r->passed : &r->failed) += 1;
    arena_reset(&r->arena);
}

static int run_file(const struct kind *kind, const char *path)
{
    struct run r = { .file = path };
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "vectors: can't open %s: %s\n", path, strerror(errno));
        return 2;
    }
    char *text = NULL;
    size_t room = 0;
    arena_init(&r.arena, NULL, 0);
    for (ssize_t n; (n = getline(&text, &room, f)) >= 0;) {
        r.line++;
        while (n > 0 && strchr(" \t\r\n", text[n - 1]))
            n--;
        if (n > 0)
            run_line(&r, kind, slice_of(text, (size_t)n));
    }
    bool unread = ferror(f) != 0;
    free(text);
    fclose(f);
    arena_release(&r.arena);
    if (unread || r.passed + r.failed == 0)
        fprintf(stderr, "vectors: %s %s\n", path, unread ? "could not be read to its end" : "holds no case");
    printf("%ld passed, %ld failed\n", r.passed, r.failed);
    return unread || r.passed + r.failed == 0 ? 2 : r.failed > 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            return run_file(&kinds[i], argv[2]);
    fprintf(stderr, "usage: vectors allocations|int64|local-times FILE.jsonl\n");
    return 2;
}
