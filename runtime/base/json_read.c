#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/word.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_DEPTH = 64,
    DEFAULT_NODES = 1000000,
    PAIRWISE = 16, /* up to so many members are compared with each other; more go through a hash table */
    MOST_NODES_AT_ONCE = 512,
};

/* While a container is open its `next` points to the container around it: the tree is its own stack. */
struct reader {
    const char *begin, *end;
    struct arena *arena;
    struct err *err;
    struct json_value *free_node, *free_end; /* taken from the arena many at a time */
    size_t nodes_left;                       /* of the limit, not yet taken from the arena */
    unsigned depth, most_depth;
};

/* ---- what went wrong, and where ---- */

static int fail_at(const struct reader *r, const char *at, const char *reason, const char *what)
{
    size_t line = 1;
    const char *line_begin = r->begin;
    for (const char *p = r->begin; p < at; p++) {
        if (*p == '\n') {
            line++;
            line_begin = p + 1;
        }
    }
    size_t column = utf8_count(slice_of(line_begin, (size_t)(at - line_begin))) + 1;
    return err_reason(r->err, ERR_INVALID, reason, "line %zu, column %zu: %s", line, column, what);
}

static const char *fail(const struct reader *r, const char *at, const char *what)
{
    fail_at(r, at, "invalid_json", what);
    return NULL;
}

/* "expected X, got Y" */
static const char *fail_expected(const struct reader *r, const char *at, const char *expected)
{
    char text[160];
    if (at >= r->end)
        snprintf(text, sizeof text, "expected %s, but the text ends here", expected);
    else if ((unsigned char)*at > ' ' && (unsigned char)*at < 0x7F)
        snprintf(text, sizeof text, "expected %s, got '%c'", expected, *at);
    else
        snprintf(text, sizeof text, "expected %s, got the byte 0x%02X", expected, (unsigned)(unsigned char)*at);
    return fail(r, at, text);
}

static const char *fail_byte(const struct reader *r, const char *at)
{
    unsigned byte = (unsigned char)*at;
    char text[120];
    if (byte < 0x20)
        snprintf(text, sizeof text, "expected \\u%04x in place of the control byte 0x%02X within a string", byte, byte);
    else
        snprintf(text, sizeof text, "expected UTF-8, got the byte 0x%02X, which is not part of a well-formed character", byte);
    return fail(r, at, text);
}

static const char *fail_memory(const struct reader *r)
{
    err_set(r->err, ERR_NOMEM, "there is not enough memory to read a JSON text of %zu bytes; send a smaller one",
            (size_t)(r->end - r->begin));
    return NULL;
}

/* ---- nodes ---- */

static bool more_nodes(struct reader *r, const char *p)
{
    /* A guess from what is left to read, so that a small text takes little and a large one asks seldom. */
    size_t count = (size_t)(r->end - p) / 12 + 2;
    if (count > MOST_NODES_AT_ONCE)
        count = MOST_NODES_AT_ONCE;
    if (count > r->nodes_left)
        count = r->nodes_left;
    if (count == 0) {
        err_set(r->err, ERR_TOO_LARGE, "the JSON text has too many values; send it in several parts");
        return false;
    }
    struct json_value *nodes = arena_alloc(r->arena, count * sizeof *nodes);
    if (!nodes) {
        fail_memory(r);
        return false;
    }
    r->nodes_left -= count;
    r->free_node = nodes;
    r->free_end = nodes + count;
    return true;
}

/* ---- strings ---- */

/* Skips well-formed characters from 0x80 up; stops at a byte that is none of them. */
static const char *skip_wide(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p >= 0x80) {
        size_t n = utf8_at(p, end);
        if (!n)
            break;
        p += n;
    }
    return p;
}

/* The next byte that ends a run of plain text: '"', '\\', a control byte, a byte that is not UTF-8, or the end. */
static inline const char *skip_plain(const char *p, const char *end)
{
    for (;;) {
        while (end - p >= 8) {
            uint64_t special = word_special(word_load(p));
            if (special) {
                p += word_first(special);
                goto found;
            }
            p += 8;
        }
        while (p < end && !byte_is_special((unsigned char)*p))
            p++;
        if (p == end)
            return p;
    found:
        if ((unsigned char)*p < 0x80)
            return p;
        const char *after = skip_wide(p, end);
        if (after == p)
            return p;
        p = after;
    }
}

/* Four hexadecimal digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i], lower = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* p is after "\u". Writes the character; returns what follows, or NULL. */
static const char *unescape_unicode(const struct reader *r, const char *p, char **out)
{
    int32_t c = hex4(p, r->end);
    if (c < 0)
        return fail(r, p - 2, "expected four hexadecimal digits after \\u");
    const char *after = p + 4;
    if (c >= 0xDC00 && c <= 0xDFFF)
        return fail(r, p - 2, "a low surrogate without the high one before it is no character");
    if (c >= 0xD800 && c <= 0xDBFF) {
        int32_t low = r->end - after >= 2 && after[0] == '\\' && after[1] == 'u' ? hex4(after + 2, r->end) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(r, p - 2, "expected a low surrogate (\\udc00 to \\udfff) after the high one");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        after += 6;
    }
    *out += utf8_put(*out, (uint32_t)c);
    return after;
}

/* p is after the backslash. */
static const char *unescape_one(const struct reader *r, const char *p, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p < r->end && *p == 'u')
        return unescape_unicode(r, p + 1, out);
    const char *at = p < r->end && *p ? strchr(from, *p) : NULL;
    if (!at)
        return fail_expected(r, p, "one of \" \\ / b f n r t u after the backslash");
    *(*out)++ = to[at - from];
    return p + 1;
}

static const char *fail_open_string(const struct reader *r, const char *start)
{
    return fail(r, start - 1, "the string that begins here is never closed; expected '\"'");
}

/* Where the string that begins at start ends; checks all but the escapes. */
static const char *closing_quote(const struct reader *r, const char *start, const char *p)
{
    for (;;) {
        p = skip_plain(p, r->end);
        if (p == r->end)
            return fail_open_string(r, start);
        if (*p == '"')
            return p;
        if (*p != '\\')
            return fail_byte(r, p);
        if (r->end - p < 2)
            return fail_open_string(r, start);
        /* A byte from 0x80 is left for the next round, which checks it; unescape_one refuses it afterwards. */
        p += (unsigned char)p[1] < 0x80 ? 2 : 1;
    }
}

/* A string with an escape at p. Its text goes to the arena behind the place where it was written, which the message
 * about a duplicate key needs. */
static const char *read_escaped(const struct reader *r, const char *start, const char *p, struct slice *out)
{
    const char *close = closing_quote(r, start, p);
    if (!close)
        return NULL;
    char *room = arena_alloc(r->arena, sizeof start + (size_t)(close - start));
    if (!room)
        return fail_memory(r);
    memcpy(room, &start, sizeof start);
    char *text = room + sizeof start, *to = text;
    const char *run = start;
    for (;;) {
        memcpy(to, run, (size_t)(p - run));
        to += p - run;
        if (p == close)
            break;
        run = unescape_one(r, p + 1, &to);
        if (!run)
            return NULL;
        const char *next = memchr(run, '\\', (size_t)(close - run));
        p = next ? next : close;
    }
    *out = slice_of(text, (size_t)(to - text));
    return close + 1;
}

/* start is after the opening quote; returns what follows the closing one. */
static inline const char *read_string(const struct reader *r, const char *start, struct slice *out)
{
    const char *p = skip_plain(start, r->end);
    if (p < r->end && *p == '"') {
        *out = slice_of(start, (size_t)(p - start));
        return p + 1;
    }
    if (p == r->end)
        return fail_open_string(r, start);
    if (*p == '\\')
        return read_escaped(r, start, p, out);
    return fail_byte(r, p);
}

/* ---- numbers ---- */

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && (unsigned)((unsigned char)*p - '0') < 10;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (is_digit(p, end))
        p++;
    return p;
}

/* 2^1024 - 2^970: from here on the nearest double is infinite. */
static const char infinite_from[] = "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070"
                                    "9633028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447"
                                    "5730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904"
                                    "174497792";

/* Whether the digits of [whole, whole_end) '.' [fraction, fraction_end) times 10^exponent are a finite double. Exact,
 * and free of the locale that strtod() looks at. */
static bool is_finite_decimal(struct slice whole, struct slice fraction, int64_t exponent)
{
    size_t zeros = 0, total = whole.len + fraction.len;
#define DIGIT(i) ((i) < whole.len ? whole.data[i] : fraction.data[(i)-whole.len])
    while (zeros < total && DIGIT(zeros) == '0')
        zeros++;
    if (zeros == total)
        return true;
    /* The value is 0.d1d2d3... times 10^magnitude with d1 > 0. */
    int64_t magnitude = exponent + (int64_t)whole.len - (int64_t)zeros, edge = sizeof infinite_from - 1;
    if (magnitude != edge)
        return magnitude < edge;
    for (size_t i = 0; i < (size_t)edge; i++) {
        char digit = zeros + i < total ? DIGIT(zeros + i) : '0';
        if (digit != infinite_from[i])
            return digit < infinite_from[i];
    }
#undef DIGIT
    return false;
}

/* A number with a fraction or an exponent. start is its first byte, digits the first after the sign, p the '.' or 'e'. */
static const char *read_real(const struct reader *r, const char *start, const char *digits, const char *p, struct json_value *v)
{
    struct slice whole = slice_of(digits, (size_t)(p - digits)), fraction = slice_of(p, 0);
    if (*p == '.') {
        const char *from = ++p;
        if (!is_digit(p, r->end))
            return fail_expected(r, p, "a digit after the decimal point");
        p = skip_digits(p, r->end);
        fraction = slice_of(from, (size_t)(p - from));
    }
    int64_t exponent = 0;
    if (p < r->end && (*p == 'e' || *p == 'E')) {
        p++;
        bool negative = p < r->end && *p == '-';
        if (p < r->end && (*p == '-' || *p == '+'))
            p++;
        if (!is_digit(p, r->end))
            return fail_expected(r, p, "a digit in the exponent");
        for (; is_digit(p, r->end); p++)
            if (exponent < INT64_MAX / 100) /* more is as good as infinite, whatever the number of digits in memory */
                exponent = exponent * 10 + (*p - '0');
        exponent = negative ? -exponent : exponent;
    }
    if (!is_finite_decimal(whole, fraction, exponent))
        return fail(r, start, "the number is too large for a double; expected one below 1.8e308");
    v->type = JSON_REAL;
    v->string = slice_of(start, (size_t)(p - start));
    return p;
}

static inline const char *read_number(const struct reader *r, const char *start, struct json_value *v)
{
    const char *p = start, *end = r->end;
    bool negative = *p == '-';
    p += negative;
    const char *digits = p;
    uint64_t n = 0;
    while (is_digit(p, end))
        n = n * 10 + (uint64_t)(*p++ - '0'); /* may wrap from 20 digits on, which are refused below */
    size_t count = (size_t)(p - digits);
    if (count == 0)
        return fail_expected(r, p, "a digit after the minus sign");
    if (*digits == '0' && count > 1)
        return fail(r, start, "a number can't begin with 0; expected it without the leading zeros");
    if (p < end && (*p == '.' || *p == 'e' || *p == 'E'))
        return read_real(r, start, digits, p, v);
    if (count > 18 && (count > 19 || n > (uint64_t)INT64_MAX + negative))
        return fail(r, start, "the integer does not fit 64 bits; expected -9223372036854775808 to 9223372036854775807");
    v->type = JSON_INT;
    v->integer = (int64_t)(negative ? 0 - n : n);
    return p;
}

/* ---- duplicate keys ---- */

static int fail_duplicate(const struct reader *r, struct slice key)
{
    const char *at = key.data; /* after the opening quote */
    if ((uintptr_t)at < (uintptr_t)r->begin || (uintptr_t)at > (uintptr_t)r->end)
        memcpy(&at, key.data - sizeof at, sizeof at); /* it had an escape: see read_escaped() */
    char name[JSON_QUOTE_MAX], text[JSON_QUOTE_MAX + 64];
    snprintf(text, sizeof text, "duplicate key %s; expected each name once in an object", json_quote(name, key));
    return fail_at(r, at - 1, "duplicate_key", text);
}

static bool is_among(const struct json_value *member, struct slice key)
{
    for (; member; member = member->next)
        if (member->key.len == key.len && (key.len == 0 || (member->key.data[0] == key.data[0] && slice_eq(member->key, key))))
            return true;
    return false;
}

struct seen {
    const struct json_value *member;
    uint64_t hash;
};

/* 1: *twice is a member whose key came before. 0: all differ. -1: too many collisions to say (someone made them). */
static int find_twice_by_hash(const struct json_value *object, struct seen *table, size_t cap, const struct json_value **twice)
{
    size_t steps_left = (size_t)object->count * 8 + 64;
    memset(table, 0, cap * sizeof *table);
    for (const struct json_value *m = object->first; m; m = m->next) {
        uint64_t hash = hash_bytes(m->key.data, m->key.len);
        size_t at = (size_t)hash & (cap - 1);
        for (; table[at].member; at = (at + 1) & (cap - 1)) {
            if (table[at].hash == hash && slice_eq(table[at].member->key, m->key)) {
                *twice = m;
                return 1;
            }
            if (steps_left-- == 0)
                return -1;
        }
        table[at] = (struct seen){ m, hash };
    }
    return 0;
}

/* Equal keys in the order they were written. */
static int compare_members(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int c = slice_cmp(x->member->key, y->member->key);
    return c ? c : (x->hash > y->hash) - (x->hash < y->hash);
}

static const struct json_value *find_twice_by_sort(const struct json_value *object, struct seen *table)
{
    size_t n = 0;
    for (const struct json_value *m = object->first; m; m = m->next, n++)
        table[n] = (struct seen){ m, n };
    qsort(table, n, sizeof *table, compare_members);
    for (size_t i = 1; i < n; i++)
        if (slice_eq(table[i - 1].member->key, table[i].member->key))
            return table[i].member;
    return NULL;
}

static int check_many_keys(const struct reader *r, const struct json_value *object)
{
    size_t cap = 64;
    while (cap < (size_t)object->count * 2)
        cap *= 2;
    struct seen *table = alloc_resize(r->arena->alloc, NULL, 0, cap * sizeof *table);
    if (!table) {
        fail_memory(r);
        return -1;
    }
    const struct json_value *twice = NULL;
    if (find_twice_by_hash(object, table, cap, &twice) < 0)
        twice = find_twice_by_sort(object, table);
    alloc_resize(r->arena->alloc, table, cap * sizeof *table, 0);
    return twice ? fail_duplicate(r, twice->key) : 0;
}

/* ---- the text ---- */

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static const char *read_word(const struct reader *r, const char *p, const char *word, size_t len, enum json_type type, struct json_value *v)
{
    if ((size_t)(r->end - p) < len || memcmp(p, word, len) != 0) {
        char text[64];
        snprintf(text, sizeof text, "expected a value; did you mean %s?", word);
        return fail(r, p, text);
    }
    v->type = type;
    v->integer = 0;
    return p + len;
}

static const char *read_scalar(const struct reader *r, const char *p, struct json_value *v)
{
    switch (*p) {
    case 't':
        return read_word(r, p, "true", 4, JSON_TRUE, v);
    case 'f':
        return read_word(r, p, "false", 5, JSON_FALSE, v);
    case 'n':
        return read_word(r, p, "null", 4, JSON_NULL, v);
    case '-':
    case '0' ... '9':
        return read_number(r, p, v);
    case ',':
        return fail(r, p, "expected a value before the comma");
    case '\'':
        return fail(r, p, "expected a value, got a single quote; strings stand in double quotes");
    default:
        return fail_expected(r, p, "a value");
    }
}

static int fail_depth(const struct reader *r, const char *p)
{
    char text[96];
    snprintf(text, sizeof text, "nested deeper than %u levels; expected a flatter document", r->most_depth);
    return fail_at(r, p, "too_deep", text);
}

/* 0 with *out and what follows it in *after, or -1 when r->err says why. */
static int read_text(struct reader *r, const char *p, struct json_value **out, const char **after_value)
{
    const char *const end = r->end;
    struct json_value *parent = NULL, *node, **link = out;
    struct slice key = { NULL, 0 };

value:
    p = skip_space(p, end);
    if (p == end)
        return fail_expected(r, p, "a value"), -1;
    if (r->free_node == r->free_end && !more_nodes(r, p))
        return -1;
    node = r->free_node++;
    node->key = key;
    *link = node;
    if (parent)
        parent->count++;
    if (*p == '"') {
        node->type = JSON_STRING;
        p = read_string(r, p + 1, &node->string);
    } else if (*p == '{' || *p == '[') {
        if (++r->depth > r->most_depth)
            return fail_depth(r, p), -1;
        bool object = *p == '{';
        node->type = object ? JSON_OBJECT : JSON_ARRAY;
        node->count = 0;
        node->first = NULL;
        node->next = parent;
        parent = node;
        link = &node->first;
        p = skip_space(p + 1, end);
        if (p < end && *p == (object ? '}' : ']'))
            goto close;
        if (object)
            goto member;
        key = (struct slice){ NULL, 0 };
        goto value;
    } else {
        p = read_scalar(r, p, node);
    }
    if (!p)
        return -1;
    node->next = NULL;
    link = &node->next;

after:
    if (!parent)
        goto done;
    p = skip_space(p, end);
    if (parent->type == JSON_OBJECT) {
        if (p < end && *p == ',') {
            p = skip_space(p + 1, end);
            goto member;
        }
        if (p < end && *p == '}')
            goto close;
        return fail_expected(r, p, "',' or '}' after a member"), -1;
    }
    if (p < end && *p == ',') {
        p++;
        key = (struct slice){ NULL, 0 };
        goto value;
    }
    if (p < end && *p == ']')
        goto close;
    return fail_expected(r, p, "',' or ']' after an element"), -1;

member:
    if (p == end || *p != '"')
        return fail_expected(r, p, "a name in double quotes"), -1;
    p = read_string(r, p + 1, &key);
    if (!p)
        return -1;
    if (parent->count < PAIRWISE && is_among(parent->first, key))
        return fail_duplicate(r, key), -1;
    p = skip_space(p, end);
    if (p == end || *p != ':')
        return fail_expected(r, p, "':' after the name"), -1;
    p++;
    goto value;

close:
    p++;
    node = parent;
    if (node->type == JSON_OBJECT && node->count > PAIRWISE && check_many_keys(r, node) < 0)
        return -1;
    parent = node->next;
    node->next = NULL;
    link = &node->next;
    r->depth--;
    goto after;

done:
    *after_value = p;
    return 0;
}

/* after NULL: nothing may follow. */
static int parse(struct slice text, const struct json_limits *limits, struct arena *arena, struct json_value **out, const char **after,
                 struct err *err)
{
    struct err unheard;
    if (!err)
        err = &unheard;
    *out = NULL;
    if (!text.data)
        text = slice_str("");
    size_t nodes = limits && limits->nodes ? limits->nodes : DEFAULT_NODES;
    struct reader r = {
        .begin = text.data,
        .end = text.data + text.len,
        .arena = arena,
        .err = err,
        .nodes_left = nodes < UINT32_MAX ? nodes : UINT32_MAX,
        .most_depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH,
    };
    struct json_value *root = NULL;
    const char *p = NULL;
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        fail(&r, r.begin, "expected a value, got a byte-order mark; send plain UTF-8 without one");
        return err->code;
    }
    if (read_text(&r, r.begin, &root, &p) < 0)
        return err->code;
    if (!after && (p = skip_space(p, r.end)) != r.end) {
        fail_expected(&r, p, "nothing after the value");
        return err->code;
    }
    if (after)
        *after = p;
    *out = root;
    return 0;
}

int json_parse(struct slice text, const struct json_limits *limits, struct arena *arena, struct json_value **out, struct err *err)
{
    return parse(text, limits, arena, out, NULL, err);
}

int json_parse_first(struct slice text, const struct json_limits *limits, struct arena *arena, struct json_value **out, struct slice *rest,
                     struct err *err)
{
    const char *after = text.data;
    int rc = parse(text, limits, arena, out, &after, err);
    *rest = slice_of(after, rc < 0 ? 0 : text.len - (size_t)(after - text.data));
    return rc;
}
