#include "host/plugins/signed.h"
#include <strings.h>

static bool is_ours(const struct http_header *h)
{
    static const char *const kinds[] = { "pk_", "ct_", "sk_" };
    if (h->name.len != 13 || strncasecmp(h->name.data, "Authorization", 13) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (h->value.len && memmem(h->value.data, h->value.len, kinds[i], 3))
            return true;
    return false;
}

static struct slice small_letters(struct slice s, struct arena *arena)
{
    struct slice copy = arena_copy(arena, s);
    char *p = (char *)(uintptr_t)copy.data;
    for (size_t i = 0; p && i < copy.len; i++)
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]);
    return copy;
}

/* One that came twice is there once, joined as HTTP allows. */
static bool add_header(struct json_value *headers, struct json_value **last, const struct http_header *h, struct arena *arena)
{
    struct slice name = small_letters(h->name, arena);
    for (struct json_value *m = headers->first; m; m = m->next) {
        if (!slice_eq(m->key, name))
            continue;
        m->string = arena_printf(arena, "%.*s, %.*s", SLICE_FMT(m->string), SLICE_FMT(h->value));
        return m->string.data != NULL;
    }
    struct json_value *v = json_new_string(arena, h->value);
    if (!v || !name.data)
        return false;
    v->key = name;
    json_append(headers, *last, v);
    *last = v;
    return true;
}

int signed_args(const struct call *c, struct json_value *args, struct json_value *last, struct err *err)
{
    struct json_value *body = json_new_string(c->arena, c->req->body), *headers = json_new(c->arena, JSON_OBJECT), *last_header = NULL;
    bool ok = body && headers;
    for (size_t i = 0; ok && i < c->req->header_count; i++)
        ok = is_ours(&c->req->headers[i]) || add_header(headers, &last_header, &c->req->headers[i], c->arena);
    if (!ok)
        return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    body->key = SLICE_LIT("body");
    headers->key = SLICE_LIT("headers");
    json_append(args, last, body);
    json_append(args, body, headers);
    return 0;
}

void signed_answer(struct call *c)
{
    struct json_value *v = NULL;
    bool text = c->rc == 0 && c->answer.body.len && c->answer.body.data[0] == '"' &&
                json_parse(c->answer.body, NULL, c->arena, &v, NULL) == 0 && v->type == JSON_STRING;
    if (!text) {
        call_answer(c);
        return;
    }
    http_respond(c->req, &(struct http_response){ c->answer.status, "text/plain; charset=utf-8", NULL, 0, v->string });
}
