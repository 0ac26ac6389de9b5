/* Values that a merchant wrote, checked against their description and made canonical: amounts in minor units, percent in parts per
 * million, durations and times in milliseconds, members in order of name. The same meaning gives the same bytes. */
#include "base/utf8.h"
#include "base/zone.h"
#include "rulebook/values_int.h"
#include <inttypes.h>

/* The sentence of a parser of base/, behind our path. */
static int pass_on(const struct settle *s, const struct place *at, const struct err *cause)
{
    return reader_fail(&s->reader, at, "%s", cause->text);
}

static int wrong_type(const struct settle *s, const struct place *at, const struct json_value *v, const char *what)
{
    return reader_fail(&s->reader, at, "must be %s, not %s", what, json_type_name(v->type));
}

static int settle_money(const struct settle *s, const struct place *at, const struct json_value *v, int64_t *out)
{
    struct err cause = { 0 };
    if (v->type == JSON_INT)
        return reader_fail(&s->reader, at, "is money: write it as a string, like \"%" PRId64 ".00\"", v->integer);
    if (v->type != JSON_STRING)
        return wrong_type(s, at, v, "money as a string, like \"50.00\"");
    return money_parse(v->string, s->exponent, out, &cause) < 0 ? pass_on(s, at, &cause) : 0;
}

static int settle_percent(const struct settle *s, const struct place *at, const struct json_value *v, int64_t *out)
{
    struct err cause = { 0 };
    struct slice text = v->string;
    if (v->type == JSON_INT)
        text = arena_printf(s->reader.arena, "%" PRId64, v->integer);
    else if (v->type != JSON_STRING && v->type != JSON_REAL)
        return wrong_type(s, at, v, "percent, like 12.5");
    if (!text.data)
        return reader_nomem(&s->reader);
    return rate_parse_percent(text, out, &cause) < 0 ? pass_on(s, at, &cause) : 0;
}

static int settle_time(const struct settle *s, const struct place *at, const struct json_value *v, int64_t *out)
{
    struct err cause = { 0 };
    struct civil c;
    if (v->type != JSON_STRING)
        return wrong_type(s, at, v, "a time as a string, like \"2026-11-20 00:00\"");
    if (civil_parse(v->string, &c, &cause) < 0)
        return pass_on(s, at, &cause);
    *out = s->zone ? zone_resolve(s->zone, &c) : 0;
    return 0;
}

int value_scalar(const struct settle *s, const struct place *at, enum value_type type, const struct json_value *v, int64_t *out)
{
    struct err cause = { 0 };
    switch (type) {
    case VALUE_MONEY:
        return settle_money(s, at, v, out);
    case VALUE_PERCENT:
        return settle_percent(s, at, v, out);
    case VALUE_TIME:
        return settle_time(s, at, v, out);
    case VALUE_DURATION:
        if (v->type != JSON_STRING)
            return wrong_type(s, at, v, "a duration as a string, like \"24h\"");
        return duration_parse(v->string, out, &cause) < 0 ? pass_on(s, at, &cause) : 0;
    default:
        return json_is_int(v, out) ? 0 : wrong_type(s, at, v, "an integer");
    }
}

/* A bound of money was written in the shop's currency, which only the shop knows. */
static int bound_of(const struct settle *s, const struct place *at, const struct value_spec *spec, struct slice text, int64_t *bound)
{
    struct err cause = { 0 };
    if (spec->type == VALUE_MONEY && money_parse(text, s->exponent, bound, &cause) < 0)
        return reader_fail(&s->reader, at, "has a bound of %.*s in its plugin.lua, which this shop's currency can't express",
                           SLICE_FMT(text));
    return 0;
}

/* How a bound is shown to the person who wrote the value. */
static struct slice bound_text(const struct settle *s, const struct value_spec *spec, int64_t bound, struct slice as_written)
{
    if (as_written.len)
        return as_written;
    if (spec->type == VALUE_PERCENT) {
        char text[32];
        return arena_printf(s->reader.arena, "%.*s", (int)money_format(bound, 4, text), text);
    }
    return arena_printf(s->reader.arena, "%" PRId64, bound);
}

static int settle_number(const struct settle *s, const struct place *at, const struct value_spec *spec, const struct json_value *v,
                         struct json_writer *w)
{
    int64_t n = 0, min = spec->min, max = spec->max;
    int rc = value_scalar(s, at, spec->type, v, &n);
    if (rc == 0 && spec->has_min)
        rc = bound_of(s, at, spec, spec->min_text, &min);
    if (rc == 0 && spec->has_max)
        rc = bound_of(s, at, spec, spec->max_text, &max);
    if (rc < 0)
        return rc;
    if (spec->has_min && n < min)
        return reader_fail(&s->reader, at, "must be at least %.*s", SLICE_FMT(bound_text(s, spec, min, spec->min_text)));
    if (spec->has_max && n > max)
        return reader_fail(&s->reader, at, "must be at most %.*s", SLICE_FMT(bound_text(s, spec, max, spec->max_text)));
    json_int(w, n);
    return 0;
}

static bool is_utf8(struct slice s)
{
    for (size_t i = 0, n; i < s.len; i += n)
        if ((n = utf8_at(s.data + i, s.data + s.len)) == 0)
            return false;
    return true;
}

static bool is_id(struct slice s)
{
    if (s.len == 0 || s.len > 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("_.:-", c))
            return false;
    }
    return true;
}

/* Capitals only: a pasted key almost always has other characters, and then its text must not be repeated in the message. */
static bool is_secret_name(struct slice s)
{
    if (s.len == 0 || s.len > 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (!(c >= 'A' && c <= 'Z') && (i == 0 || (!(c >= '0' && c <= '9') && c != '_')))
            return false;
    }
    return true;
}

static int check_string(const struct settle *s, const struct place *at, const struct value_spec *spec, struct slice text)
{
    int64_t n = (int64_t)utf8_count(text), max = spec->has_max ? spec->max : VALUE_STRING_DEFAULT, min = spec->has_min ? spec->min : 0;
    if (n > max || n < min)
        return reader_fail(&s->reader, at, "has %" PRId64 " characters; it must have %" PRId64 " to %" PRId64, n, min, max);
    return 0;
}

static int check_text(const struct settle *s, const struct place *at, const struct value_spec *spec, struct slice text)
{
    const struct reader *r = &s->reader;
    char quoted[JSON_QUOTE_MAX], hint[64], words[250];
    if (spec->type == VALUE_SECRET)
        return is_secret_name(text) ? 0
                                    : reader_fail(r, at,
                                                  "must be the name of a secret, like WECHAT_PAY_KEY: capitals, digits and _; the secret "
                                                  "itself goes into the environment or a file, never in here");
    if (!is_utf8(text))
        return reader_fail(r, at, "is not valid UTF-8; save the file as UTF-8");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 && !(spec->type == VALUE_STRING && text.data[i] == '\n'))
            return reader_fail(r, at, "holds a control character; write it without");
    if (spec->type == VALUE_STRING)
        return check_string(s, at, spec, text);
    if (spec->type == VALUE_CHOICE) {
        for (size_t i = 0; spec->choices[i]; i++)
            if (slice_is(text, spec->choices[i]))
                return 0;
        return reader_fail(r, at, "is %s; it can be %s%s", json_quote(quoted, text), reader_list_words(words, sizeof words, spec->choices),
                           reader_hint(hint, text, spec->choices));
    }
    if (spec->type == VALUE_SKU)
        return text.len >= 1 && text.len <= 64 && text.data[0] != ' ' && text.data[text.len - 1] != ' '
                   ? 0
                   : reader_fail(r, at, "must be a SKU of 1 to 64 characters, without spaces at its ends");
    if (!is_id(text))
        return reader_fail(r, at, "is %s, which is no id of a campaign", json_quote(quoted, text));
    const char *near = NULL;
    if (spec->type == VALUE_CAMPAIGN && s->has_campaign && !s->has_campaign(s->ctx, text, &near))
        return near ? reader_fail(r, at, "names the campaign %s, which is not there; did you mean \"%s\"?", json_quote(quoted, text), near)
                    : reader_fail(r, at, "names the campaign %s, which is not there; add it to campaigns/ or name another",
                                  json_quote(quoted, text));
    return 0;
}

static int settle_list(const struct settle *s, const struct place *at, const struct value_spec *spec, const struct json_value *v,
                       struct json_writer *w)
{
    const struct json_value *m = NULL;
    uint32_t n = 0, i = 0;
    int rc = reader_list(&s->reader, at, v, spec->has_max ? (uint32_t)spec->max : VALUE_LIST_DEFAULT, &m, &n);
    if (rc < 0)
        return rc;
    if (spec->has_min && n < spec->min)
        return reader_fail(&s->reader, at, "has %u entries; at least %lld are needed", n, (long long)spec->min);
    json_array(w);
    for (; m && rc == 0; m = m->next) {
        struct place nth = place_nth(at, ++i);
        rc = value_settle(s, &nth, spec->item, m, w);
    }
    if (rc == 0)
        json_array_end(w);
    return rc;
}

int value_settle(const struct settle *s, const struct place *at, const struct value_spec *spec, const struct json_value *v,
                 struct json_writer *w)
{
    bool truth;
    int rc;
    switch (spec->type) {
    case VALUE_INTEGER:
    case VALUE_MONEY:
    case VALUE_PERCENT:
    case VALUE_DURATION:
    case VALUE_TIME:
        return settle_number(s, at, spec, v, w);
    case VALUE_BOOLEAN:
        if (!json_is_bool(v, &truth))
            return wrong_type(s, at, v, "true or false");
        json_bool(w, truth);
        return 0;
    case VALUE_LIST:
        return settle_list(s, at, spec, v, w);
    case VALUE_RECORD:
        return values_settle(s, at, spec->fields, spec->field_count, v, w);
    default:
        if (v->type != JSON_STRING)
            return wrong_type(s, at, v, "a string");
        rc = check_text(s, at, spec, v->string);
        if (rc == 0)
            json_string(w, v->string);
        return rc;
    }
}

static int refuse_unknown(const struct settle *s, const struct place *at, const struct value_spec *fields, size_t count,
                          const struct json_value *given)
{
    const char **known = arena_array(s->reader.arena, count + 1, sizeof *known);
    if (!known)
        return reader_nomem(&s->reader);
    for (size_t i = 0; i < count; i++)
        known[i] = fields[i].name;
    if (count == 0 && given->type == JSON_OBJECT && given->count > 0)
        return reader_fail(&s->reader, at, "has settings, but there are none to set; leave it empty: { }");
    return reader_known(&s->reader, at, given, known);
}

int values_settle(const struct settle *s, const struct place *at, const struct value_spec *fields, size_t count,
                  const struct json_value *given, struct json_writer *w)
{
    int rc = given ? refuse_unknown(s, at, fields, count, given) : 0;
    if (rc < 0)
        return rc;
    json_object(w);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct value_spec *spec = &fields[i];
        const struct json_value *v = given ? json_get(given, spec->name) : NULL;
        struct place here = place_in(at, spec->name);
        if (!v)
            v = spec->fallback;
        if (v) {
            json_key_slice(w, slice_str(spec->name));
            rc = value_settle(s, &here, spec, v, w);
        } else if (!spec->optional) {
            rc = reader_fail(&s->reader, &here, "is not set; write %s = ... (%s%s%s)", spec->name, value_type_name(spec->type),
                             spec->about ? ": " : "", spec->about ? spec->about : "");
        }
    }
    if (rc == 0)
        json_object_end(w);
    return rc;
}

/* --- secrets ------------------------------------------------------------------------------------------------------------ */

struct texts {
    enum value_type type;
    struct arena *arena;
    void (*fn)(void *ctx, struct slice setting, struct slice name);
    void *ctx;
};

static void texts_in(const struct texts *q, struct slice path, const struct value_spec *spec, const struct json_value *v);

static void texts_of_fields(const struct texts *q, struct slice path, const struct value_spec *fields, size_t count,
                            const struct json_value *v)
{
    for (size_t i = 0; i < count; i++) {
        const struct json_value *m = json_get(v, fields[i].name);
        if (m)
            texts_in(q, arena_printf(q->arena, "%.*s%s%s", SLICE_FMT(path), path.len ? "/" : "", fields[i].name), &fields[i], m);
    }
}

static void texts_in(const struct texts *q, struct slice path, const struct value_spec *spec, const struct json_value *v)
{
    if (spec->type == q->type && v->type == JSON_STRING)
        q->fn(q->ctx, path, v->string);
    if (spec->type == VALUE_RECORD)
        texts_of_fields(q, path, spec->fields, spec->field_count, v);
    if (spec->type != VALUE_LIST || v->type != JSON_ARRAY)
        return;
    uint32_t i = 0;
    for (const struct json_value *m = v->first; m; m = m->next)
        texts_in(q, arena_printf(q->arena, "%.*s/%u", SLICE_FMT(path), ++i), spec->item, m);
}

void values_secrets(const struct value_spec *fields, size_t count, const struct json_value *settled, struct arena *scratch,
                    void (*fn)(void *ctx, struct slice setting, struct slice name), void *ctx)
{
    values_texts(fields, count, VALUE_SECRET, settled, scratch, fn, ctx);
}

void values_texts(const struct value_spec *fields, size_t count, enum value_type type, const struct json_value *settled,
                  struct arena *scratch, void (*fn)(void *ctx, struct slice setting, struct slice text), void *ctx)
{
    struct texts q = { type, scratch, fn, ctx };
    texts_of_fields(&q, slice_str(""), fields, count, settled);
}
