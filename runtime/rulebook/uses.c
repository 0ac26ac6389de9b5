#include "rulebook/uses.h"
#include "base/schema.h"
#include "rulebook/plugin_set.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 200, TEXT_MAX = 400 };

/* --- words of Lua ---------------------------------------------------------------------------------------------------------- */

enum token_kind { T_END, T_NAME, T_STRING, T_OTHER };

struct token {
    enum token_kind kind;
    struct slice text; /* of a string: what is in it, unless it has escapes; then `odd` */
    bool odd;
    long line;
};

struct reading {
    const char *at, *end;
    long line;
};

/* The level of a long bracket that begins here ("[[" is 0, "[==[" is 2), -1 = none. */
static int long_level(const struct reading *r)
{
    const char *p = r->at + 1;
    int level = 0;
    while (p < r->end && *p == '=') {
        p++;
        level++;
    }
    return r->at < r->end && *r->at == '[' && p < r->end && *p == '[' ? level : -1;
}

static struct slice read_long(struct reading *r, int level)
{
    const char *begin = r->at + level + 2, *p = begin;
    for (; p < r->end; p++) {
        int same = 0;
        if (*p == '\n')
            r->line++;
        if (*p != ']')
            continue;
        while (p + 1 + same < r->end && p[1 + same] == '=')
            same++;
        if (same == level && p + 1 + same < r->end && p[1 + same] == ']')
            break;
    }
    r->at = p + level + 2 < r->end ? p + level + 2 : r->end;
    return slice_of(begin, (size_t)(p - begin));
}

static void skip_space(struct reading *r)
{
    while (r->at < r->end) {
        if (*r->at == '\n') {
            r->line++;
            r->at++;
        } else if (isspace((unsigned char)*r->at)) {
            r->at++;
        } else if (r->end - r->at > 1 && r->at[0] == '-' && r->at[1] == '-') {
            r->at += 2;
            int level = long_level(r);
            if (level >= 0)
                read_long(r, level);
            else
                while (r->at < r->end && *r->at != '\n')
                    r->at++;
        } else {
            return;
        }
    }
}

static struct token read_quoted(struct reading *r)
{
    char quote = *r->at++;
    struct token t = { T_STRING, { r->at, 0 }, false, r->line };
    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\') {
            t.odd = true;
            r->at++;
        }
        r->line += r->at < r->end && *r->at == '\n';
        r->at += r->at < r->end;
    }
    t.text.len = (size_t)(r->at - t.text.data);
    r->at += r->at < r->end;
    return t;
}

static struct token next(struct reading *r)
{
    skip_space(r);
    struct token t = { T_END, { r->at, 0 }, false, r->line };
    if (r->at == r->end)
        return t;
    int level = long_level(r);
    if (level >= 0) {
        t.kind = T_STRING;
        t.text = read_long(r, level);
        return t;
    }
    if (*r->at == '"' || *r->at == '\'')
        return read_quoted(r);
    bool word = isalpha((unsigned char)*r->at) || *r->at == '_';
    t.kind = word ? T_NAME : T_OTHER;
    if (word || isdigit((unsigned char)*r->at))
        while (r->at < r->end && (isalnum((unsigned char)*r->at) || *r->at == '_'))
            r->at++;
    else
        r->at++;
    t.text.len = (size_t)(r->at - t.text.data);
    return t;
}

/* --- what names stand for ---------------------------------------------------------------------------------------------------- */

enum thing_kind { IS_NOTHING, IS_PLUGIN, IS_TIMERS, IS_STORE, IS_LEDGER, IS_HTTP, IS_COLLECTION };

struct thing {
    enum thing_kind kind;
    struct slice owner;      /* STORE, COLLECTION: of which plugin; empty = its own */
    struct slice collection; /* COLLECTION */
};

struct name {
    struct slice text;
    struct thing thing;
};

struct scanning {
    const struct manifest *m;
    struct token *list;
    size_t count;
    struct name names[NAMES_MAX];
    size_t name_count;
    uses_fn fn;
    void *ctx;
};

static const struct token *at(const struct scanning *s, size_t i)
{
    return &s->list[i < s->count ? i : s->count - 1]; /* the last one is T_END */
}

static bool is(const struct scanning *s, size_t i, const char *text)
{
    return at(s, i)->kind != T_STRING && slice_is(at(s, i)->text, text);
}

static bool is_string(const struct scanning *s, size_t i)
{
    return at(s, i)->kind == T_STRING && !at(s, i)->odd;
}

__attribute__((format(printf, 3, 4))) static void say(struct scanning *s, long line, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->fn(s->ctx, line, text);
}

static struct thing look_up(const struct scanning *s, struct slice name)
{
    for (size_t i = s->name_count; i-- > 0;)
        if (slice_eq(s->names[i].text, name))
            return s->names[i].thing;
    return (struct thing){ IS_NOTHING, { "", 0 }, { "", 0 } };
}

static void stand_for(struct scanning *s, struct slice name, struct thing thing)
{
    for (size_t i = 0; i < s->name_count; i++) {
        if (slice_eq(s->names[i].text, name)) {
            s->names[i].thing = thing;
            return;
        }
    }
    if (s->name_count < NAMES_MAX)
        s->names[s->name_count++] = (struct name){ name, thing };
}

static struct thing of_module(struct slice module)
{
    static const struct {
        const char *module;
        enum thing_kind kind;
    } known[] = { { "feira.plugin", IS_PLUGIN },
                  { "feira.timers", IS_TIMERS },
                  { "feira.store", IS_STORE },
                  { "feira.ledger", IS_LEDGER },
                  { "feira.http", IS_HTTP } };
    struct thing t = { IS_NOTHING, { "", 0 }, { "", 0 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_is(module, known[i].module))
            t.kind = known[i].kind;
    return t;
}

/* --- the manifest is asked ------------------------------------------------------------------------------------------------------ */

static void need_named(struct scanning *s, long line, const char *list, struct slice what)
{
    say(s, line, "the plugin may not use %.*s; add \"%.*s\" to needs.%s in its plugin.lua", SLICE_FMT(what), SLICE_FMT(what), list);
}

/* What the plugin does not have of its own: `list` is a section of plugin.lua, `names` ended by NULL. */
static void none_of_its_own(struct scanning *s, const struct token *t, const char *what, const char *list, const char *const *names)
{
    const char *near = nearest_word(t->text, names);
    if (near)
        say(s, t->line, "the plugin has no %s \"%.*s\"; did you mean \"%s\"?", what, SLICE_FMT(t->text), near);
    else
        say(s, t->line, "the plugin has no %s \"%.*s\"; add it to %s in its plugin.lua", what, SLICE_FMT(t->text), list);
}

static void check_hook(struct scanning *s, const struct token *t, enum hook_kind kind, const char *what)
{
    const char *names[NAMES_MAX + 1];
    size_t n = 0;
    if (manifest_hook(s->m, kind, t->text))
        return;
    for (size_t i = s->m->hook_first[kind]; i < s->m->hook_first[kind + 1] && n < NAMES_MAX; i++)
        names[n++] = s->m->hooks[i].name;
    names[n] = NULL;
    none_of_its_own(s, t, what, hook_section(kind), names);
}

static void check_procedure(struct scanning *s, const struct token *t)
{
    const char *dot = memchr(t->text.data, '.', t->text.len);
    if (!dot) {
        check_hook(s, t, HOOK_PROCEDURE, "procedure");
        return;
    }
    struct slice owner = slice_of(t->text.data, (size_t)(dot - t->text.data));
    struct slice part = slice_of(dot + 1, t->text.len - owner.len - 1);
    if (!needs_procedure(s->m, owner, part))
        need_named(s, t->line, "procedures", t->text);
}

static void check_event(struct scanning *s, const struct token *t)
{
    const char *names[NAMES_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < s->m->event_count && n < NAMES_MAX; i++)
        names[n++] = s->m->events[i].name;
    names[n] = NULL;
    for (size_t i = 0; i < n; i++)
        if (slice_is(t->text, names[i]))
            return;
    none_of_its_own(s, t, "event", "events", names);
}

static void check_own_collection(struct scanning *s, long line, struct slice name)
{
    const char *names[NAMES_MAX + 1];
    size_t n = 0;
    if (manifest_collection(s->m, name))
        return;
    for (size_t i = 0; i < s->m->collection_count && n < NAMES_MAX; i++)
        names[n++] = s->m->collections[i].name;
    names[n] = NULL;
    none_of_its_own(s, &(struct token){ .text = name, .line = line }, "collection", "collections", names);
}

static void check_account(struct scanning *s, const struct token *t, bool write, bool is_begin)
{
    const char *slash = memchr(t->text.data, '/', t->text.len);
    struct slice first = slice_of(t->text.data, slash ? (size_t)(slash - t->text.data) : t->text.len);
    if ((!slash && is_begin) || needs_ledger(s->m, t->text, write))
        return;
    say(s, t->line,
        "accounts that begin with \"%.*s\" are not the plugin's; name its own %s/..., or add \"%.*s:%s\" to needs.ledger in its plugin.lua",
        SLICE_FMT(first), s->m->name, SLICE_FMT(first), write ? "write" : "read");
}

/* Rows of the shop are read under its nouns; they are changed by its procedures. */
static void check_collection(struct scanning *s, long line, const struct thing *t, bool write)
{
    char text[200];
    bool own = t->owner.len == 0 || slice_is(t->owner, s->m->name);
    if (own) {
        check_own_collection(s, line, t->collection);
    } else if (slice_is(t->owner, "shop")) {
        if (write)
            say(s, line, "rows of the shop are only read; its procedures change them");
        else if (!needs_collection(s->m, t->collection, slice_str(""), false)) {
            snprintf(text, sizeof text, "%.*s:read", SLICE_FMT(t->collection));
            need_named(s, line, "collections", slice_str(text));
        }
    } else if (!needs_collection(s->m, t->owner, t->collection, write)) {
        snprintf(text, sizeof text, "%.*s.%.*s:%s", SLICE_FMT(t->owner), SLICE_FMT(t->collection), write ? "write" : "read");
        need_named(s, line, "collections", slice_str(text));
    }
}

/* "https://api.example.com:8443/x": only the host counts. */
static void check_address(struct scanning *s, const struct token *t)
{
    static const char head[] = "https://";
    size_t n = sizeof head - 1;
    if (t->text.len <= n || memcmp(t->text.data, head, n) != 0)
        return;
    struct slice rest = slice_of(t->text.data + n, t->text.len - n);
    size_t host = 0;
    while (host < rest.len && !strchr("/:?#", rest.data[host]))
        host++;
    int port = host < rest.len && rest.data[host] == ':' ? atoi(rest.data + host + 1) : 443;
    if (!needs_http(s->m, slice_of(rest.data, host), port))
        say(s, t->line, "the plugin may not connect to %.*s; add it to needs.http in its plugin.lua", (int)host, rest.data);
}

/* --- expressions --------------------------------------------------------------------------------------------------------------------- */

/* A call with a string first: f "x", f("x" ...). The position of the string, 0 = there is none. */
static size_t string_argument(const struct scanning *s, size_t i)
{
    size_t k = is(s, i, "(") ? i + 1 : i;
    return is_string(s, k) ? k : 0;
}

/* Strings in the arguments of a call that begins at i: all up to the bracket that closes it. */
static void check_addresses(struct scanning *s, size_t i)
{
    int depth = 0;
    if (at(s, i)->kind == T_STRING) {
        check_address(s, at(s, i));
        return;
    }
    for (size_t k = i; k < s->count; k++) {
        if (is(s, k, "(") || is(s, k, "{"))
            depth++;
        else if (is(s, k, ")") || is(s, k, "}"))
            depth--;
        else if (is_string(s, k))
            check_address(s, at(s, k));
        if (depth <= 0)
            return;
    }
}

static bool is_write(struct slice method)
{
    return slice_is(method, "insert") || slice_is(method, "update") || slice_is(method, "delete");
}

/* What stands behind a thing: .call "x", .of("x"), .links, :insert. Follows it to the end, checks on the way; *i is behind it. */
static struct thing follow(struct scanning *s, struct thing t, size_t *i)
{
    static const struct thing nothing = { IS_NOTHING, { "", 0 }, { "", 0 } };
    for (;;) {
        bool method = is(s, *i, ":");
        if (t.kind == IS_NOTHING || !(method || is(s, *i, ".")) || at(s, *i + 1)->kind != T_NAME || (is(s, *i, ".") && is(s, *i + 1, ".")))
            return t;
        struct slice member = at(s, *i + 1)->text;
        long line = at(s, *i + 1)->line;
        size_t behind = *i + 2, argument = string_argument(s, behind);
        *i = behind;
        if (t.kind == IS_COLLECTION) {
            if (method)
                check_collection(s, line, &t, is_write(member));
            return nothing;
        }
        if (t.kind == IS_STORE && slice_is(member, "of") && argument) {
            t.owner = at(s, argument)->text;
            *i = argument + (is(s, behind, "(") ? 2 : 1);
            continue;
        }
        if (t.kind == IS_STORE && !slice_is(member, "of")) {
            t.kind = IS_COLLECTION;
            t.collection = member;
            if (!is(s, *i, ":"))
                check_collection(s, line, &t, false);
            continue;
        }
        if (t.kind == IS_HTTP)
            check_addresses(s, behind);
        else if (argument && t.kind == IS_PLUGIN && slice_is(member, "call"))
            check_procedure(s, at(s, argument));
        else if (argument && t.kind == IS_PLUGIN && slice_is(member, "emit"))
            check_event(s, at(s, argument));
        else if (argument && t.kind == IS_TIMERS)
            check_hook(s, at(s, argument), HOOK_TIMER, "timer");
        else if (argument && t.kind == IS_LEDGER)
            check_account(s, at(s, argument), slice_is(member, "account"), is(s, argument + 1, "."));
        return nothing;
    }
}

/* require "feira.store", and what stands behind it. */
static struct thing follow_require(struct scanning *s, size_t *i)
{
    size_t argument = string_argument(s, *i + 1);
    if (!argument) {
        *i += 1;
        return (struct thing){ IS_NOTHING, { "", 0 }, { "", 0 } };
    }
    struct thing t = of_module(at(s, argument)->text);
    *i = argument + (is(s, *i + 1, "(") ? 2 : 1);
    return follow(s, t, i);
}

static struct thing expression(struct scanning *s, size_t *i)
{
    if (is(s, *i, "require"))
        return follow_require(s, i);
    if (at(s, *i)->kind == T_NAME && !is(s, *i - 1, ".") && !is(s, *i - 1, ":")) {
        struct thing t = look_up(s, at(s, *i)->text);
        *i += 1;
        return follow(s, t, i);
    }
    *i += 1;
    return (struct thing){ IS_NOTHING, { "", 0 }, { "", 0 } };
}

/* local a, b = X, Y: as long as the values are things, and then one that is not. */
static size_t local_names(struct scanning *s, size_t i)
{
    size_t first = i, n = 0, value;
    while (at(s, i)->kind == T_NAME) {
        i++;
        n++;
        if (is(s, i, "<")) /* an attribute */
            i += 3;
        if (!is(s, i, ","))
            break;
        i++;
    }
    static const struct thing nothing = { IS_NOTHING, { "", 0 }, { "", 0 } };
    bool plain = is(s, i, "=");
    value = plain ? i + 1 : i;
    struct thing things[16];
    size_t known = 0;
    while (plain && known < n && known < 16) {
        things[known++] = expression(s, &value);
        if (!is(s, value, ","))
            break;
        value++;
    }
    for (size_t k = 0; k < n; k++) {
        stand_for(s, at(s, first)->text, k < known ? things[k] : nothing);
        first += is(s, first + 1, "<") ? 5 : 2;
    }
    return value;
}

/* Other names of the same spelling hide the module: what they stand for is not known. */
static size_t forget_parameters(struct scanning *s, size_t i)
{
    static const struct thing nothing = { IS_NOTHING, { "", 0 }, { "", 0 } };
    while (!is(s, i, "(") && at(s, i)->kind != T_END)
        i++;
    for (; !is(s, i, ")") && at(s, i)->kind != T_END; i++)
        if (at(s, i)->kind == T_NAME && look_up(s, at(s, i)->text).kind != IS_NOTHING)
            stand_for(s, at(s, i)->text, nothing);
    return i;
}

static void scan(struct scanning *s)
{
    static const struct thing nothing = { IS_NOTHING, { "", 0 }, { "", 0 } };
    for (size_t i = 1; at(s, i)->kind != T_END;) { /* the first one is made up, so that there is one before */
        if (is(s, i, "local") && !is(s, i + 1, "function")) {
            i = local_names(s, i + 1);
        } else if (is(s, i, "function")) {
            i = forget_parameters(s, i + 1);
        } else if (is(s, i, "for")) {
            for (i++; !is(s, i, "in") && !is(s, i, "=") && at(s, i)->kind == T_NAME; i += 1 + is(s, i + 1, ","))
                stand_for(s, at(s, i)->text, nothing);
        } else {
            expression(s, &i);
        }
    }
}

void uses_check(const struct manifest *m, struct slice source, uses_fn fn, void *ctx)
{
    struct scanning *s = calloc(1, sizeof *s);
    struct token *list = calloc(source.len + 3, sizeof *list); /* no word is shorter than a byte */
    struct reading r = { source.data, source.data + source.len, 1 };
    if (s && list) {
        *s = (struct scanning){ .m = m, .list = list, .count = 1, .fn = fn, .ctx = ctx };
        list[0] = (struct token){ T_OTHER, { ";", 1 }, false, 1 };
        do
            list[s->count] = next(&r);
        while (list[s->count++].kind != T_END);
        scan(s);
    }
    free(list);
    free(s);
}
