#include "base/schema.h"
#include "base/money.h"
#include "base/utf8.h"
#include "base/zone.h"
#include <stdio.h>

enum { DEFAULT_MAX = 1000, KEY_MAX = 64, DISTANCE_MAX = 2, BEGUN_MIN = 3, WORD_MAX = 64 };

/* Where in the document we are: a chain on the C stack, written out only when something is wrong. */
struct place {
    const struct place *parent;
    struct slice key; /* data is NULL for an element of an array */
    uint32_t number;
};

/* ---- did you mean ---- */

/* Edits (insert, delete, replace, swap neighbours) from a to b. Both at most WORD_MAX long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

/* The distance when it makes a sensible suggestion, else more than DISTANCE_MAX. A word that shares no letter is none; one that was
 * only begun ("int") is as near as one edit. */
static size_t suggestion_distance(struct slice word, struct slice known)
{
    if (word.len >= BEGUN_MIN && word.len < known.len && memcmp(word.data, known.data, word.len) == 0)
        return 1;
    size_t longer = word.len > known.len ? word.len : known.len, shorter = word.len + known.len - longer;
    if (longer > WORD_MAX || longer - shorter > DISTANCE_MAX)
        return DISTANCE_MAX + 1;
    size_t d = edit_distance(word, known);
    return d < longer ? d : DISTANCE_MAX + 1;
}

const char *nearest_word(struct slice word, const char *const *words)
{
    const char *nearest = NULL;
    size_t least = DISTANCE_MAX + 1;
    for (; *words; words++) {
        size_t d = suggestion_distance(word, slice_str(*words));
        if (d < least) {
            least = d;
            nearest = *words;
        }
    }
    return nearest;
}

static const char *nearest_field(struct slice word, const struct schema *fields)
{
    const char *nearest = NULL;
    size_t least = DISTANCE_MAX + 1;
    for (; fields->name; fields++) {
        size_t d = suggestion_distance(word, slice_str(fields->name));
        if (d < least) {
            least = d;
            nearest = fields->name;
        }
    }
    return nearest;
}

/* ---- messages ---- */

/* Writes "/lines/0/qty" into out; what does not fit is cut at the end. */
static size_t pointer_write(const struct place *at, char *out, size_t cap)
{
    if (!at)
        return 0;
    size_t n = pointer_write(at->parent, out, cap);
    char number[16];
    struct slice key = at->key;
    if (!key.data)
        key = slice_of(number, (size_t)snprintf(number, sizeof number, "%u", at->number));
    if (n + 1 < cap)
        out[n++] = '/';
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        if (c == '~' || c == '/') {
            if (n + 2 >= cap)
                break;
            out[n++] = '~';
            out[n++] = c == '~' ? '0' : '1';
        } else if (n + 1 < cap) {
            out[n++] = (unsigned char)c < 0x20 || c == 0x7F ? '?' : c;
        }
    }
    return n;
}

static int fail(const struct place *at, struct err *err, const char *what)
{
    char pointer[sizeof err->field];
    size_t n = pointer_write(at, pointer, sizeof pointer);
    n = n == sizeof pointer - 1 ? utf8_cut(slice_of(pointer, n), n - 3) : n; /* may have been cut within a character */
    pointer[n] = '\0';
    return err_field(err, ERR_INVALID, pointer, "%s: %s", n ? pointer : "the document", what);
}

static void describe(const struct json_value *v, char *out, size_t cap)
{
    char quoted[JSON_QUOTE_MAX];
    switch (v->type) {
    case JSON_STRING:
        snprintf(out, cap, "%s", json_quote(quoted, v->string));
        break;
    case JSON_INT:
        snprintf(out, cap, "%lld", (long long)v->integer);
        break;
    case JSON_REAL:
        snprintf(out, cap, "%.*s", (int)(v->string.len < 40 ? v->string.len : 40), v->string.data);
        break;
    default:
        snprintf(out, cap, "%s", json_type_name(v->type));
        break;
    }
}

static int fail_got(const struct place *at, const struct json_value *v, struct err *err, const char *expected)
{
    char got[JSON_QUOTE_MAX + 8], what[400];
    describe(v, got, sizeof got);
    snprintf(what, sizeof what, "expected %s, got %s", expected, got);
    return fail(at, err, what);
}

static int64_t most(const struct schema *s)
{
    return s->max ? s->max : DEFAULT_MAX;
}

/* "1 to 200 characters", "at most 5 items", "exactly 2 items" */
static void describe_count(const struct schema *s, const char *unit, char *out, size_t cap)
{
    long long least = s->min, greatest = most(s);
    if (least == greatest)
        snprintf(out, cap, "exactly %lld %s", least, unit);
    else if (least == 0)
        snprintf(out, cap, "at most %lld %s", greatest, unit);
    else
        snprintf(out, cap, "%lld to %lld %s", least, greatest, unit);
}

static bool is_whole_range(const struct schema *s)
{
    return s->min == 0 && s->max == 0;
}

/* What this schema wants, as the object of "expected". */
static void describe_schema(const struct schema *s, char *out, size_t cap)
{
    char count[64];
    switch (s->type) {
    case SCHEMA_ANY:
        snprintf(out, cap, "a value");
        break;
    case SCHEMA_STRING:
        snprintf(out, cap, "a string");
        break;
    case SCHEMA_INT:
        if (is_whole_range(s))
            snprintf(out, cap, "an integer");
        else if (s->max == INT64_MAX)
            snprintf(out, cap, "an integer of at least %lld", (long long)s->min);
        else
            snprintf(out, cap, "an integer from %lld to %lld", (long long)s->min, (long long)s->max);
        break;
    case SCHEMA_BOOL:
        snprintf(out, cap, "true or false");
        break;
    case SCHEMA_ARRAY:
        describe_count(s, "items", count, sizeof count);
        snprintf(out, cap, "an array of %s", count);
        break;
    case SCHEMA_OBJECT:
        snprintf(out, cap, "an object");
        break;
    case SCHEMA_MAP:
        describe_count(s, "members", count, sizeof count);
        snprintf(out, cap, "an object of %s", count);
        break;
    }
}

/* ---- strings ---- */

static bool is_letter(unsigned char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '.' && c != ':' && c != '-')
            return false;
    }
    return s.len > 0;
}

static bool is_sku(struct slice s)
{
    return s.len > 0 && s.data[0] != ' ' && s.data[s.len - 1] != ' ';
}

/* Form only: something@name.name without spaces. Whether it exists, only a message sent there can tell. */
static bool is_email(struct slice s)
{
    const char *at = memchr(s.data, '@', s.len);
    if (!at || at == s.data || s.len > 254)
        return false;
    struct slice host = slice_of(at + 1, s.len - (size_t)(at + 1 - s.data));
    const char *dot = memchr(host.data, '.', host.len);
    if (!dot || host.data[0] == '.' || host.data[host.len - 1] == '.' || memchr(host.data, '@', host.len))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] <= ' ')
            return false;
    for (size_t i = 1; i < host.len; i++)
        if (host.data[i] == '.' && host.data[i - 1] == '.')
            return false;
    return true;
}

static bool is_timestamp(struct slice s)
{
    int64_t ms;
    return timestamp_parse(s, &ms, NULL) == 0;
}

static bool is_currency(struct slice s)
{
    struct currency currency;
    return currency_find(s, &currency, NULL) == 0;
}

static bool is_country(struct slice s)
{
    return s.len == 2 && s.data[0] >= 'A' && s.data[0] <= 'Z' && s.data[1] >= 'A' && s.data[1] <= 'Z';
}

/* One row per format: how to recognise it, what to say, how JSON Schema puts it. */
static const struct format {
    const char *name;
    bool (*matches)(struct slice s);
    const char *expected;
    const char *standard, *pattern; /* JSON Schema "format" or "pattern" */
} formats[] = {
    { "sku", is_sku, "a SKU without spaces at its ends", NULL, "^[^ ](.*[^ ])?$" },
    { "id", is_id, "letters, digits and _ . : - only", NULL, "^[A-Za-z0-9_.:-]+$" },
    { "timestamp", is_timestamp, "a time with an offset such as \"2026-11-20T08:00:00Z\"", "date-time", NULL },
    { "email", is_email, "an e-mail address", "email", NULL },
    { "currency", is_currency, "an ISO 4217 currency code such as \"CNY\"", NULL, "^[A-Z]{3}$" },
    { "country", is_country, "an ISO 3166 country code such as \"CN\"", NULL, "^[A-Z]{2}$" },
};

static const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL; /* named in the reference, not checked */
}

static int check_choice(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    for (const char *const *choice = s->choices; *choice; choice++)
        if (slice_is(v->string, *choice))
            return 0;
    char got[JSON_QUOTE_MAX], what[400];
    const char *nearest = nearest_word(v->string, s->choices);
    size_t n = (size_t)snprintf(what, sizeof what, "expected one of ");
    for (const char *const *choice = s->choices; *choice && n < sizeof what / 2; choice++)
        n += (size_t)snprintf(what + n, sizeof what - n, "%s%s", choice == s->choices ? "" : ", ", *choice);
    if (n >= sizeof what)
        n = sizeof what - 1;
    snprintf(what + n, sizeof what - n, "; got %s%s%s%s", json_quote(got, v->string), nearest ? "; did you mean " : "",
             nearest ? nearest : "", nearest ? "?" : "");
    return fail(at, err, what);
}

static bool is_allowed_control(const struct schema *s, unsigned char c)
{
    return s->multiline && (c == '\n' || c == '\t');
}

/* Which control character stands in s, or -1. C1 controls (U+0080 to U+009F) count. */
static int find_control(const struct schema *s, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 || c == 0x7F) && !is_allowed_control(s, c))
            return c;
        if (c == 0xC2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xA0)
            return (unsigned char)text.data[i + 1];
    }
    return -1;
}

/* Length and form of a text without control characters. */
static bool takes_text(const struct schema *s, struct slice text, int64_t length)
{
    if (length < s->min || length > most(s))
        return false;
    if (s->choices) {
        const char *const *choice = s->choices;
        while (*choice && !slice_is(text, *choice))
            choice++;
        return *choice;
    }
    const struct format *f = s->format ? format_find(s->format) : NULL;
    return !f || f->matches(text);
}

bool schema_takes_ascii(const struct schema *s, struct slice text)
{
    return takes_text(s, text, (int64_t)text.len);
}

static int check_string(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    char what[160], count[64];
    int64_t length = (int64_t)utf8_count(v->string);
    if (length < s->min || length > most(s)) {
        describe_count(s, "characters", count, sizeof count);
        snprintf(what, sizeof what, "expected %s, got %lld", count, (long long)length);
        return fail(at, err, what);
    }
    int control = find_control(s, v->string);
    if (control >= 0) {
        snprintf(what, sizeof what, "the control character U+%04X is not allowed here; expected text%s", (unsigned)control,
                 s->multiline ? ", line breaks and tabs" : " on one line");
        return fail(at, err, what);
    }
    if (s->choices)
        return check_choice(s, v, at, err);
    const struct format *f = s->format ? format_find(s->format) : NULL;
    if (f && !f->matches(v->string))
        return fail_got(at, v, err, f->expected);
    return 0;
}

/* ---- containers ---- */

static int check(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err);

static int check_count(const struct schema *s, const struct json_value *v, const char *unit, const struct place *at, struct err *err)
{
    char count[64], what[120];
    if (v->count >= s->min && v->count <= most(s))
        return 0;
    describe_count(s, unit, count, sizeof count);
    snprintf(what, sizeof what, "expected %s, got %u", count, v->count);
    return fail(at, err, what);
}

static int check_array(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    int rc = check_count(s, v, "items", at, err);
    struct place here = { .parent = at };
    for (const struct json_value *m = v->first; m && rc == 0; m = m->next, here.number++)
        rc = s->item ? check(s->item, m, &here, err) : 0;
    return rc;
}

static int check_map(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    int rc = check_count(s, v, "members", at, err);
    for (const struct json_value *m = v->first; m && rc == 0; m = m->next) {
        struct place here = { .parent = at, .key = m->key };
        size_t length = utf8_count(m->key);
        if (length < 1 || length > KEY_MAX || find_control(&(struct schema){ .type = SCHEMA_STRING }, m->key) >= 0)
            return fail(&here, err, "expected a name of 1 to 64 characters without control characters");
        rc = s->item ? check(s->item, m, &here, err) : 0;
    }
    return rc;
}

static int fail_unknown(const struct schema *s, const struct json_value *m, const struct place *at, struct err *err)
{
    char name[JSON_QUOTE_MAX], what[400];
    struct place here = { .parent = at, .key = m->key };
    const char *nearest = nearest_field(m->key, s->fields);
    if (nearest) {
        snprintf(what, sizeof what, "the member %s is not known here; did you mean \"%s\"?", json_quote(name, m->key), nearest);
        return fail(&here, err, what);
    }
    size_t n = (size_t)snprintf(what, sizeof what, "the member %s is not known here; expected ", json_quote(name, m->key));
    for (const struct schema *f = s->fields; f->name && n < sizeof what / 2; f++)
        n += (size_t)snprintf(what + n, sizeof what - n, "%s%s", f == s->fields ? "" : f[1].name ? ", " : " or ", f->name);
    if (!s->fields->name)
        snprintf(what + n, sizeof what - n, "none");
    return fail(&here, err, what);
}

static const struct schema *field_find(const struct schema *fields, struct slice name)
{
    for (; fields->name; fields++)
        if (slice_is(name, fields->name))
            return fields;
    return NULL;
}

static int check_required(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    for (const struct schema *f = s->fields; f->name; f++) {
        if (!f->required || json_get(v, f->name))
            continue;
        char expected[120], what[200];
        struct place here = { .parent = at, .key = slice_str(f->name) };
        describe_schema(f, expected, sizeof expected);
        snprintf(what, sizeof what, "is missing; expected %s", expected);
        return fail(&here, err, what);
    }
    return 0;
}

static int check_object(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    static const struct schema no_fields[] = { { .name = NULL } };
    struct schema with_fields = *s;
    if (!with_fields.fields)
        with_fields.fields = no_fields;
    for (const struct json_value *m = v->first; m; m = m->next) {
        const struct schema *f = field_find(with_fields.fields, m->key);
        if (!f)
            return fail_unknown(&with_fields, m, at, err);
        struct place here = { .parent = at, .key = m->key };
        int rc = check(f, m, &here, err);
        if (rc < 0)
            return rc;
    }
    return check_required(&with_fields, v, at, err);
}

static bool has_type(const struct schema *s, const struct json_value *v)
{
    switch (s->type) {
    case SCHEMA_ANY:
        return true;
    case SCHEMA_STRING:
        return v->type == JSON_STRING;
    case SCHEMA_INT:
        return v->type == JSON_INT;
    case SCHEMA_BOOL:
        return v->type == JSON_TRUE || v->type == JSON_FALSE;
    case SCHEMA_ARRAY:
        return v->type == JSON_ARRAY;
    case SCHEMA_OBJECT:
    case SCHEMA_MAP:
        return v->type == JSON_OBJECT;
    }
    return false;
}

/* As deep as the document, which the reader's depth limit bounds. */
static int check(const struct schema *s, const struct json_value *v, const struct place *at, struct err *err)
{
    if (v->type == JSON_NULL && s->nullable)
        return 0;
    bool fits = has_type(s, v);
    if (fits && s->type == SCHEMA_INT && !is_whole_range(s))
        fits = v->integer >= s->min && v->integer <= s->max;
    if (!fits) {
        char expected[160];
        describe_schema(s, expected, sizeof expected);
        if (s->nullable)
            strcat(expected, " or null");
        return fail_got(at, v, err, expected);
    }
    switch (s->type) {
    case SCHEMA_STRING:
        return check_string(s, v, at, err);
    case SCHEMA_ARRAY:
        return check_array(s, v, at, err);
    case SCHEMA_OBJECT:
        return check_object(s, v, at, err);
    case SCHEMA_MAP:
        return check_map(s, v, at, err);
    default:
        return 0;
    }
}

int schema_check(const struct schema *s, const struct json_value *v, struct err *err)
{
    return check(s, v, NULL, err);
}

/* ---- as JSON Schema ---- */

static void write_type(const struct schema *s, struct json_writer *w)
{
    static const char *const names[] = {
        [SCHEMA_ANY] = NULL,      [SCHEMA_STRING] = "string", [SCHEMA_INT] = "integer", [SCHEMA_BOOL] = "boolean",
        [SCHEMA_ARRAY] = "array", [SCHEMA_OBJECT] = "object", [SCHEMA_MAP] = "object",
    };
    if (!names[s->type])
        return;
    json_key(w, "type");
    if (!s->nullable) {
        json_str(w, names[s->type]);
        return;
    }
    json_array(w);
    json_str(w, names[s->type]);
    json_str(w, "null");
    json_array_end(w);
}

static void write_limits(const struct schema *s, struct json_writer *w, const char *least, const char *greatest)
{
    if (s->min) {
        json_key(w, least);
        json_int(w, s->min);
    }
    json_key(w, greatest);
    json_int(w, most(s));
}

static void write_string(const struct schema *s, struct json_writer *w)
{
    write_limits(s, w, "minLength", "maxLength");
    if (s->choices) {
        json_key(w, "enum");
        json_array(w);
        for (const char *const *choice = s->choices; *choice; choice++)
            json_str(w, *choice);
        if (s->nullable)
            json_null(w);
        json_array_end(w);
        return;
    }
    const struct format *f = s->format ? format_find(s->format) : NULL;
    if (f && f->pattern) {
        json_key(w, "pattern");
        json_str(w, f->pattern);
    } else if (s->format) {
        json_key(w, "format");
        json_str(w, f ? f->standard : s->format);
    }
}

static void write_object(const struct schema *s, struct json_writer *w)
{
    bool any_required = false;
    json_key(w, "properties");
    json_object(w);
    for (const struct schema *f = s->fields; f && f->name; f++) {
        json_key_slice(w, slice_str(f->name));
        schema_write(f, w);
        any_required = any_required || f->required;
    }
    json_object_end(w);
    if (any_required) {
        json_key(w, "required");
        json_array(w);
        for (const struct schema *f = s->fields; f->name; f++)
            if (f->required)
                json_str(w, f->name);
        json_array_end(w);
    }
    json_key(w, "additionalProperties");
    json_bool(w, false);
}

void schema_write(const struct schema *s, struct json_writer *w)
{
    json_object(w);
    write_type(s, w);
    if (s->about) {
        json_key(w, "description");
        json_str(w, s->about);
    }
    switch (s->type) {
    case SCHEMA_STRING:
        write_string(s, w);
        break;
    case SCHEMA_INT:
        json_key(w, "format");
        json_str(w, "int64");
        if (!is_whole_range(s)) {
            json_key(w, "minimum");
            json_int(w, s->min);
            json_key(w, "maximum");
            json_int(w, s->max);
        }
        break;
    case SCHEMA_ARRAY:
        write_limits(s, w, "minItems", "maxItems");
        if (s->item) {
            json_key(w, "items");
            schema_write(s->item, w);
        }
        break;
    case SCHEMA_MAP:
        write_limits(s, w, "minProperties", "maxProperties");
        json_key(w, "propertyNames");
        json_object(w);
        json_key(w, "minLength");
        json_int(w, 1);
        json_key(w, "maxLength");
        json_int(w, KEY_MAX);
        json_object_end(w);
        if (s->item) {
            json_key(w, "additionalProperties");
            schema_write(s->item, w);
        }
        break;
    case SCHEMA_OBJECT:
        write_object(s, w);
        break;
    default:
        break;
    }
    json_object_end(w);
}
