/* Sentences for people: reasons by their codes, from a file of stdlib/locale. What is not in the file is not said. */
#include "quote/run_int.h"

struct quote_words {
    const struct json_value *reasons, *offers, *codes, *money;
    struct slice group, decimal, time, yes, no;
};

static int bad_file(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "A file of sentences needs %s.", what);
}

int quote_words_read(const struct json_value *file, struct arena *arena, struct quote_words **out, struct err *err)
{
    struct quote_words *w = arena_zalloc(arena, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "There is no memory for sentences; try again.");
    const struct {
        const char *key;
        const struct json_value **to;
    } tables[] = { { "reasons", &w->reasons }, { "offers", &w->offers }, { "codes", &w->codes }, { "money", &w->money } };
    const struct {
        const char *key;
        struct slice *to;
    } texts[] = { { "group", &w->group }, { "decimal", &w->decimal }, { "time", &w->time }, { "yes", &w->yes }, { "no", &w->no } };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        *tables[i].to = json_get(file, tables[i].key);
        if (!*tables[i].to || (*tables[i].to)->type != JSON_OBJECT)
            return bad_file(err, tables[i].key);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!json_is_string(json_get(file, texts[i].key), texts[i].to))
            return bad_file(err, texts[i].key);
    *out = w;
    return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------------ */

static void number_say(const struct quote_words *w, int64_t n, int exponent, struct buf *out)
{
    char text[32];
    size_t len = money_format(n, exponent, text), whole = len;
    const char *point = memchr(text, '.', len);
    if (point)
        whole = (size_t)(point - text);
    for (size_t i = 0; i < whole; i++) {
        if (i > (n < 0) && (whole - i) % 3 == 0)
            buf_add_slice(out, w->group);
        buf_add_char(out, text[i]);
    }
    if (point) {
        buf_add_slice(out, w->decimal);
        buf_add(out, point + 1, len - whole - 1);
    }
}

static void percent_say(const struct quote_words *w, int64_t ppm, struct buf *out)
{
    int exponent = 4;
    for (; exponent > 0 && ppm % 10 == 0; exponent--)
        ppm /= 10;
    number_say(w, ppm, exponent, out);
    buf_add_char(out, '%');
}

typedef void (*fill)(const void *of, struct slice name, struct buf *out);

/* {name}s are filled in, all else stands as it is. */
static void template_say(struct slice text, fill fn, const void *of, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *end = text.data[i] == '{' ? memchr(text.data + i, '}', text.len - i) : NULL;
        if (!end) {
            buf_add_char(out, text.data[i]);
            continue;
        }
        fn(of, slice_of(text.data + i + 1, (size_t)(end - text.data) - i - 1), out);
        i = (size_t)(end - text.data);
    }
}

struct money_of {
    const struct quote_words *words;
    const struct currency *currency;
    int64_t minor;
};

static void money_fill(const void *of, struct slice name, struct buf *out)
{
    const struct money_of *m = of;
    if (slice_is(name, "n"))
        number_say(m->words, m->minor, m->currency->exponent, out);
    else
        buf_add_str(out, m->currency->code);
}

static void time_fill(const void *of, struct slice name, struct buf *out)
{
    const struct civil *c = of;
    const struct {
        const char *name;
        int value, digits;
    } parts[] = {
        { "year", c->year, 4 }, { "month", c->month, 2 }, { "day", c->day, 2 }, { "hour", c->hour, 2 }, { "minute", c->minute, 2 }
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!slice_is(name, parts[i].name))
            continue;
        for (int scale = parts[i].digits == 4 ? 1000 : 10; scale; scale /= 10)
            buf_add_char(out, (char)('0' + parts[i].value / scale % 10));
    }
}

static void minute_say(int minute, struct buf *out)
{
    const int digits[] = { minute / 600, minute / 60 % 10, minute % 60 / 10, minute % 10 };
    for (size_t i = 0; i < 4; i++) {
        if (i == 2)
            buf_add_char(out, ':');
        buf_add_char(out, (char)('0' + digits[i]));
    }
}

struct sentence_of {
    const struct quote_words *words;
    const struct quote_voice *voice;
    const struct quote_param *params;
};

static const struct quote_param *param_find(const struct quote_param *p, struct slice name)
{
    while (p && !slice_is(name, p->name))
        p = p->next;
    return p;
}

static void param_fill(const void *of, struct slice name, struct buf *out)
{
    const struct sentence_of *s = of;
    const struct quote_param *p = param_find(s->params, name);
    struct civil civil;
    struct slice form;
    switch (p->kind) {
    case QUOTE_PARAM_INT:
        number_say(s->words, p->number, 0, out);
        break;
    case QUOTE_PARAM_MONEY:
        if (json_is_string(json_get(s->words->money, s->voice->currency.code), &form) ||
            json_is_string(json_get(s->words->money, "*"), &form))
            template_say(form, money_fill, &(struct money_of){ s->words, &s->voice->currency, p->number }, out);
        break;
    case QUOTE_PARAM_PERCENT:
        percent_say(s->words, p->number, out);
        break;
    case QUOTE_PARAM_MINUTE:
        minute_say((int)p->number, out);
        break;
    case QUOTE_PARAM_TEXT:
        buf_add_slice(out, p->text);
        break;
    case QUOTE_PARAM_TIME:
        zone_from_utc(s->voice->zone, p->number, &civil, NULL);
        template_say(s->words->time, time_fill, &civil, out);
        break;
    case QUOTE_PARAM_BOOL:
        buf_add_slice(out, p->number ? s->words->yes : s->words->no);
        break;
    }
}

/* --- sentences --------------------------------------------------------------------------------------------------------- */

static bool can_fill(struct slice text, const struct quote_param *params)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *end = text.data[i] == '{' ? memchr(text.data + i, '}', text.len - i) : NULL;
        if (end && !param_find(params, slice_of(text.data + i + 1, (size_t)(end - text.data) - i - 1)))
            return false;
    }
    return true;
}

/* Of several the first whose values are all there. */
static bool sentence_find(const struct json_value *v, const struct quote_param *params, struct slice *out)
{
    if (json_is_string(v, out))
        return can_fill(*out, params);
    for (const struct json_value *m = v && v->type == JSON_ARRAY ? v->first : NULL; m; m = m->next)
        if (json_is_string(m, out) && can_fill(*out, params))
            return true;
    return false;
}

static const struct json_value *told_by(const struct json_value *table, const char *code, const struct quote_param *params)
{
    char key[128];
    const struct quote_param *by = param_find(params, SLICE_LIT("by"));
    if (by && by->kind == QUOTE_PARAM_TEXT && strlen(code) + by->text.len + 2 <= sizeof key) {
        size_t n = strlen(code);
        memcpy(key, code, n);
        key[n] = '/';
        memcpy(key + n + 1, by->text.data, by->text.len);
        key[n + 1 + by->text.len] = '\0';
        const struct json_value *v = json_get(table, key);
        if (v)
            return v;
    }
    return json_get(table, code);
}

static bool say(const struct json_value *table, const struct quote_voice *voice, const char *code, const struct quote_param *params,
                struct buf *out)
{
    struct slice text;
    if (!sentence_find(told_by(table, code, params), params, &text))
        return false;
    template_say(text, param_fill, &(struct sentence_of){ voice->words, voice, params }, out);
    return true;
}

bool quote_reason_say(const struct quote_voice *voice, const char *code, const struct quote_param *params, struct buf *out)
{
    return say(voice->words->reasons, voice, code, params, out);
}

bool quote_offer_say(const struct quote_voice *voice, const char *code, const struct quote_param *params, struct buf *out)
{
    return say(voice->words->offers, voice, code, params, out);
}

bool quote_code_say(const struct quote_voice *voice, const char *status, const struct quote_param *params, struct buf *out)
{
    return say(voice->words->codes, voice, status, params, out);
}
