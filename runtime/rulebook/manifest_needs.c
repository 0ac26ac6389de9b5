/* `needs`: the capabilities of a plugin, each a string or a table with the reason beside it. */
#include "base/schema.h"
#include "rulebook/catalogue.h"
#include "rulebook/shop_data.h"
#include "rulebook/manifest_int.h"

enum { NEEDS_MAX = 64 };

struct kind {
    const char *key;    /* the member of needs */
    const char *member; /* the name's key in the long form */
    const char *why;    /* the reason's key there */
    int (*read)(const struct reader *r, const struct place *at, struct slice text, struct need *n);
};

static int copy(const struct reader *r, struct slice s, struct slice *out)
{
    *out = arena_copy(r->arena, s);
    return out->data ? 0 : reader_nomem(r);
}

static bool split(struct slice s, char at, struct slice *head, struct slice *tail)
{
    const char *p = memchr(s.data, at, s.len);
    *head = slice_of(s.data, p ? (size_t)(p - s.data) : s.len);
    *tail = p ? slice_of(p + 1, s.len - head->len - 1) : slice_of("", 0);
    return p != NULL;
}

static bool is_target(struct slice s)
{
    return plugin_name_is(s);
}

static int read_plugin(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    n->target = text;
    return is_target(text) ? 0 : reader_fail(r, at, "is no name of a plugin; write it like \"coupons\"");
}

/* ":read" or ":write" at the end. */
static int split_access(const struct reader *r, const struct place *at, struct slice text, struct slice *what, bool *write,
                        const char *example)
{
    static const char *const words[] = { "read", "write", NULL };
    struct slice access;
    char hint[64];
    bool given = split(text, ':', what, &access);
    *write = slice_is(access, "write");
    if (given && (*write || slice_is(access, "read")))
        return 0;
    return reader_fail(r, at, "must end in :read or :write, like \"%s\"%s", example, given ? reader_hint(hint, access, words) : "");
}

static int no_shop_collection(const struct reader *r, const struct place *at, struct slice name)
{
    const char *words[16];
    char hint[64], list[250];
    size_t n;
    const struct shop_collection *all = shop_collections(&n);
    for (size_t i = 0; i < n; i++)
        words[i] = all[i].shape.name;
    words[n] = NULL;
    return reader_fail(r, at, "names nothing of the shop that can be read; write %s, with :read behind it%s",
                       reader_list_words(list, sizeof list, words), reader_hint(hint, name, words));
}

static int read_collection(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    struct slice what;
    int rc = split_access(r, at, text, &what, &n->write, "coupons.codes:read");
    if (rc < 0)
        return rc;
    bool part = split(what, '.', &n->target, &n->part);
    if (!is_target(n->target) || (part && !name_is(n->part, '_', 24)))
        return reader_fail(r, at, "names no collection; write \"customers:read\", \"coupons.codes:read\" or \"coupons:write\"");
    if (catalogue_is_core(n->target) && (n->write || part))
        return reader_fail(r, at,
                           "wants more of %.*s than to read it; what belongs to the shop is changed by its procedures: name those in "
                           "needs.procedures",
                           SLICE_FMT(n->target));
    return catalogue_is_core(n->target) && !shop_collection(n->target) ? no_shop_collection(r, at, n->target) : 0;
}

static int no_shop_procedure(const struct reader *r, const struct place *at, struct slice name)
{
    const char *words[16];
    char hint[64], list[250];
    size_t n;
    const struct shop_procedure *all = shop_procedures(&n);
    for (size_t i = 0; i < n; i++)
        words[i] = all[i].name;
    words[n] = NULL;
    return reader_fail(r, at, "is no procedure of the shop that plugins may call; write %s%s", reader_list_words(list, sizeof list, words),
                       reader_hint(hint, name, words));
}

static int read_procedure(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    if (!split(text, '.', &n->target, &n->part) || !is_target(n->target) || !name_is(n->part, '_', 40))
        return reader_fail(r, at, "names no procedure; write PLUGIN.PROCEDURE, like \"coupons.grant\"");
    return catalogue_is_core(n->target) && !shop_procedure(n->target, n->part) ? no_shop_procedure(r, at, text) : 0;
}

static int read_event(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    if (!split(text, '.', &n->target, &n->part) || !is_target(n->target) || !name_is(n->part, '_', 40))
        return reader_fail(r, at, "names no event of a plugin; write PLUGIN.EVENT, like \"group-buy.full\"");
    if (catalogue_event(text))
        return reader_fail(r, at, "is an event of the shop, which every plugin may hear; naming it under `on` is enough");
    return 0;
}

static int read_ledger(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    int rc = split_access(r, at, text, &n->target, &n->write, "points:write");
    if (rc < 0)
        return rc;
    if (!is_target(n->target))
        return reader_fail(r, at, "names no accounts; write the first word of their names, like \"points:write\" for points/...");
    if (catalogue_is_core(n->target) && n->write)
        return reader_fail(r, at, "wants to move the shop's own accounts; only the shop's procedures do: name those in needs.procedures");
    return 0;
}

static bool is_host(struct slice s)
{
    bool letter_in_last = false;
    size_t label = 0, dots = 0;
    if (s.len == 0 || s.len > 253)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool edge = label == 0 || i + 1 == s.len || s.data[i + 1] == '.';
        bool letter = c >= 'a' && c <= 'z', word = letter || (c >= '0' && c <= '9') || (c == '-' && !edge);
        if (c == '.' && label > 0) {
            label = 0;
            letter_in_last = false;
            dots++;
            continue;
        }
        if (!word || ++label > 63)
            return false;
        letter_in_last = letter_in_last || letter;
    }
    return dots > 0 && label > 0 && letter_in_last; /* 10.0.0.1 has none */
}

static bool ends_with(struct slice s, const char *end)
{
    size_t n = strlen(end);
    return s.len >= n && memcmp(s.data + s.len - n, end, n) == 0;
}

static int read_host(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    bool port = split(text, ':', &n->target, &n->part);
    int64_t number = 0;
    for (size_t i = 0; i < n->part.len; i++)
        number = n->part.data[i] >= '0' && n->part.data[i] <= '9' && number < 100000 ? number * 10 + (n->part.data[i] - '0') : 100000;
    bool scheme = slice_is(n->target, "https") || slice_is(n->target, "http");
    if (scheme || !is_host(n->target))
        return reader_fail(r, at, "is no host name; write it in small letters without scheme, path or *, like \"api.example.com\"");
    if (port && (number < 1 || number > 65535))
        return reader_fail(r, at, "has no port behind the colon; leave it out for 443");
    if (ends_with(n->target, ".local") || ends_with(n->target, ".localhost") || ends_with(n->target, ".internal"))
        return reader_fail(r, at, "is a name of a private network; plugins reach public hosts only");
    return 0;
}

static int read_personal(const struct reader *r, const struct place *at, struct slice text, struct need *n)
{
    size_t count;
    const struct catalogue_field *fields = catalogue_personal(&count);
    const char *words[32];
    char hint[64], list[250];
    for (size_t i = 0; i < count; i++) {
        words[i] = fields[i].name;
        if (slice_is(text, fields[i].name)) {
            split(text, '.', &n->target, &n->part);
            return 0;
        }
    }
    words[count] = NULL;
    return reader_fail(r, at, "is no personal field; there are %s%s", reader_list_words(list, sizeof list, words),
                       reader_hint(hint, text, words));
}

static const struct kind kinds[NEED_KINDS] = {
    [NEED_PLUGIN] = { "plugins", "name", "why", read_plugin },
    [NEED_COLLECTION] = { "collections", "name", "why", read_collection },
    [NEED_PROCEDURE] = { "procedures", "name", "why", read_procedure },
    [NEED_EVENT] = { "events", "name", "why", read_event },
    [NEED_LEDGER] = { "ledger", "name", "why", read_ledger },
    [NEED_HTTP] = { "http", "host", "why", read_host },
    [NEED_PERSONAL] = { "personal", "field", "purpose", read_personal },
};

static int read_consent(const struct reader *r, const struct place *at, const struct json_value *v, struct need *n)
{
    struct place here = place_in(at, "consent");
    int rc = reader_text(r, at, v, "consent", false, &n->consent);
    if (rc == 0)
        rc = reader_bool(r, at, v, "share", &n->share);
    if (rc == 0 && n->consent && !name_is(slice_str(n->consent), '-', 40))
        return reader_fail(r, &here, "is no name of a purpose; write it as shop.lua does, like \"newsletter\"");
    if (rc == 0 && n->share && !n->consent)
        return reader_fail(r, at, "has share without consent; name the purpose, like consent = \"newsletter\"");
    return rc;
}

static int read_need(const struct reader *r, const struct place *at, const struct json_value *v, enum need_kind kind, struct need *n)
{
    const struct kind *k = &kinds[kind];
    const char *const known[] = { k->member, k->why, kind == NEED_PERSONAL ? "consent" : NULL, "share", NULL };
    n->kind = kind;
    int rc;
    if (v->type == JSON_STRING && kind != NEED_PERSONAL) {
        rc = reader_sentence(r, at, v, &n->text);
    } else if (v->type == JSON_STRING) {
        return reader_fail(r, at, "says no purpose; write { field = \"...\", purpose = \"what for\" }");
    } else {
        rc = reader_known(r, at, v, known);
        if (rc == 0)
            rc = reader_text(r, at, v, k->member, true, &n->text);
        if (rc == 0)
            rc = reader_text(r, at, v, k->why, kind == NEED_PERSONAL, &n->why);
        if (rc == 0 && kind == NEED_PERSONAL)
            rc = read_consent(r, at, v, n);
    }
    struct slice text;
    if (rc == 0)
        rc = copy(r, slice_str(n->text), &text);
    return rc < 0 ? rc : k->read(r, at, text, n);
}

static int refuse_twice(const struct reader *r, const struct place *at, const struct need *needs, size_t count)
{
    const struct need *last = &needs[count];
    for (size_t i = 0; i < count; i++)
        if (needs[i].kind == last->kind && strcmp(needs[i].text, last->text) == 0)
            return reader_fail(r, at, "is named twice; remove one");
    return 0;
}

static int refuse_own(const struct reader *r, const struct place *at, const struct need *n, const struct manifest *m)
{
    if (n->kind != NEED_HTTP && n->kind != NEED_PERSONAL && slice_is(n->target, m->name))
        return reader_fail(r, at, "is the plugin's own, which it may use anyway; remove it");
    return 0;
}

int manifest_read_needs(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    const char *known[NEED_KINDS + 1] = { NULL };
    for (int k = 0; k < NEED_KINDS; k++)
        known[k] = kinds[k].key;
    int rc = reader_known(r, at, v, known);
    if (rc < 0)
        return rc;
    size_t all = 1;
    for (int k = 0; k < NEED_KINDS; k++) {
        const struct json_value *list = json_get(v, kinds[k].key);
        all += list ? list->count : 0;
    }
    if (all > NEEDS_MAX)
        return reader_fail(r, at, "has %zu entries; at most %d are possible", all - 1, NEEDS_MAX - 1);
    struct need *needs = arena_array(r->arena, all, sizeof *needs);
    if (!needs)
        return reader_nomem(r);
    size_t count = 0;
    for (int k = 0; k < NEED_KINDS && rc == 0; k++) {
        const struct json_value *list = json_get(v, kinds[k].key), *e = NULL;
        struct place here = place_in(at, kinds[k].key);
        uint32_t n = 0, i = 0;
        if (list)
            rc = reader_list(r, &here, list, NEEDS_MAX, &e, &n);
        for (; e && rc == 0; e = e->next) {
            struct place nth = place_nth(&here, ++i);
            rc = read_need(r, &nth, e, (enum need_kind)k, &needs[count]);
            if (rc == 0)
                rc = refuse_twice(r, &nth, needs, count);
            if (rc == 0)
                rc = refuse_own(r, &nth, &needs[count++], m);
        }
    }
    m->needs = needs;
    m->need_count = count;
    return rc;
}
