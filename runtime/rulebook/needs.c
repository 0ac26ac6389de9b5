/* What plugins may touch: asked at each call, and printed for people. */
#include "rulebook/plugin_set.h"
#include <stdio.h>

static const struct need *find(const struct manifest *m, enum need_kind kind, struct slice target, struct slice part, bool write)
{
    for (size_t i = 0; i < m->need_count; i++) {
        const struct need *n = &m->needs[i];
        bool fits = n->part.len == 0 || slice_eq(n->part, part);
        if (n->kind == kind && slice_eq(n->target, target) && fits && (n->write || !write))
            return n;
    }
    return NULL;
}

bool needs_collection(const struct manifest *m, struct slice plugin, struct slice part, bool write)
{
    return slice_is(plugin, m->name) || find(m, NEED_COLLECTION, plugin, part, write);
}

bool needs_procedure(const struct manifest *m, struct slice plugin, struct slice procedure)
{
    return slice_is(plugin, m->name) || find(m, NEED_PROCEDURE, plugin, procedure, false);
}

bool needs_ledger(const struct manifest *m, struct slice account, bool write)
{
    const char *end = memchr(account.data, '/', account.len);
    struct slice first = slice_of(account.data, end ? (size_t)(end - account.data) : account.len);
    return slice_is(first, m->name) || find(m, NEED_LEDGER, first, slice_str(""), write);
}

/* No port in the manifest means 443, not any. */
bool needs_http(const struct manifest *m, struct slice host, int port)
{
    char text[12];
    int len = snprintf(text, sizeof text, "%d", port);
    for (size_t i = 0; i < m->need_count; i++) {
        const struct need *n = &m->needs[i];
        if (n->kind == NEED_HTTP && slice_eq(n->target, host) &&
            (n->part.len ? slice_eq(n->part, slice_of(text, (size_t)len)) : port == 443))
            return true;
    }
    return false;
}

bool needs_personal(const struct manifest *m, struct slice field)
{
    for (size_t i = 0; i < m->need_count; i++)
        if (m->needs[i].kind == NEED_PERSONAL && slice_is(field, m->needs[i].text))
            return true;
    return false;
}

/* --- for people and programs ------------------------------------------------------------------------------------------------- */

struct telling { /* one of the two */
    struct buf *text;
    struct json_writer *json;
    size_t lines;
};

static void member(struct json_writer *w, const char *key, const char *value)
{
    if (!value)
        return;
    json_key(w, key);
    json_str(w, value);
}

static void line(struct telling *t, const char *verb, const char *what, const char *detail, const char *why)
{
    t->lines++;
    if (t->text) {
        buf_printf(t->text, "  %-9s %s%s%s%s%s%s\n", verb, what, detail ? " (" : "", detail ? detail : "", detail ? ")" : "",
                   why ? ": " : "", why ? why : "");
        return;
    }
    json_object(t->json);
    member(t->json, "may", verb);
    member(t->json, "what", what);
    member(t->json, "detail", detail);
    member(t->json, "why", why);
    json_object_end(t->json);
}

static void write_need(struct telling *t, const struct need *n)
{
    static const char *const verbs[NEED_KINDS] = { "with", "reads", "calls", "hears", "reads", "connects", "personal" };
    char text[160];
    const char *what = n->text;
    if (n->kind == NEED_COLLECTION || n->kind == NEED_LEDGER) {
        snprintf(text, sizeof text, "%s%.*s%s%.*s", n->kind == NEED_LEDGER ? "accounts " : "", SLICE_FMT(n->target), n->part.len ? "." : "",
                 SLICE_FMT(n->part));
        what = text;
    }
    line(t, n->write ? "writes" : verbs[n->kind], what, NULL, n->why);
}

static void write_hooks(struct telling *t, const struct manifest *m)
{
    static const char *const auths[] = { "anyone", "customers", "servers", "operators" };
    static const char *const whens[] = { "in the transaction", "after the commit" };
    char text[300];
    for (size_t i = 0; i < m->hook_count; i++) {
        const struct hook *h = &m->hooks[i];
        if (h->kind == HOOK_ROUTE) {
            snprintf(text, sizeof text, "%.*s /v1/x/%s%.*s", SLICE_FMT(h->method), m->name, SLICE_FMT(h->path));
            line(t, "serves", text, auths[h->auth], h->about);
        } else if (h->kind == HOOK_SUBSCRIBER) {
            line(t, "hears", h->name, whens[h->when], h->about);
        } else if (h->kind == HOOK_PRICING || h->kind == HOOK_SHIPPING_RATES || h->kind == HOOK_TAX_RATES || h->kind == HOOK_CHECK) {
            line(t, "decides", hook_section(h->kind), h->name, h->about);
        }
    }
}

static void write_secret(void *ctx, struct slice setting, struct slice name)
{
    char what[64], detail[80];
    snprintf(what, sizeof what, "%.*s", SLICE_FMT(name));
    snprintf(detail, sizeof detail, "setting %.*s", SLICE_FMT(setting));
    line(ctx, "secret", what, detail, NULL);
}

static void write_all(const struct manifest *m, const struct json_value *settings, struct telling *t)
{
    for (size_t i = 0; i < m->need_count; i++)
        write_need(t, &m->needs[i]);
    for (size_t i = 0; i < m->collection_count; i++)
        line(t, "keeps", m->collections[i].name, NULL, NULL);
    for (size_t i = 0; i < m->input_count; i++)
        line(t, "takes in", m->inputs[i].name, value_type_name(m->inputs[i].type), m->inputs[i].about);
    write_hooks(t, m);
    if (settings) {
        struct arena scratch;
        arena_init(&scratch, NULL, 1 << 20);
        values_secrets(m->settings, m->setting_count, settings, &scratch, write_secret, t);
        arena_release(&scratch);
    }
}

void plugin_set_write_needs(const struct plugin_set *s, const struct json_value *const *settings, struct buf *out)
{
    if (plugin_set_count(s) == 0)
        buf_add_str(out, "No plugin is turned on.\n");
    for (size_t i = 0; i < plugin_set_count(s); i++) {
        const struct manifest *m = plugin_set_at(s, i);
        struct telling t = { .text = out };
        buf_printf(out, "%s %s: %s\n", m->name, m->version_text, m->title);
        write_all(m, settings ? settings[i] : NULL, &t);
        if (t.lines == 0)
            buf_add_str(out, "  nothing beyond the cart it is shown\n");
    }
}

void plugin_set_write_needs_json(const struct plugin_set *s, const struct json_value *const *settings, struct json_writer *w)
{
    json_array(w);
    for (size_t i = 0; i < plugin_set_count(s); i++) {
        const struct manifest *m = plugin_set_at(s, i);
        struct telling t = { .json = w };
        json_object(w);
        member(w, "plugin", m->name);
        member(w, "version", m->version_text);
        member(w, "title", m->title);
        json_key(w, "needs");
        json_array(w);
        write_all(m, settings ? settings[i] : NULL, &t);
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}
