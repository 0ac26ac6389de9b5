#include "host/author/trial_world.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory.");
}

static struct json_value *add_string(struct arena *arena, struct json_value *object, struct json_value **last, struct slice key,
                                     struct slice value)
{
    struct json_value *v = json_new_string(arena, value);
    if (!v)
        return NULL;
    v->key = arena_copy(arena, key);
    json_append(object, *last, v);
    *last = v;
    return v->key.data ? v : NULL;
}

/* { method, url, headers, body } */
static struct json_value *request_tree(struct arena *arena, const struct outbound_request *r)
{
    struct json_value *tree = json_new(arena, JSON_OBJECT), *headers = json_new(arena, JSON_OBJECT), *last = NULL, *last_header = NULL;
    if (!tree || !headers || !add_string(arena, tree, &last, SLICE_LIT("method"), slice_str(r->method)) ||
        !add_string(arena, tree, &last, SLICE_LIT("url"), arena_copy(arena, r->url)) ||
        !add_string(arena, tree, &last, SLICE_LIT("body"), arena_copy(arena, r->body)))
        return NULL;
    for (size_t i = 0; i < r->header_count; i++)
        if (!add_string(arena, headers, &last_header, r->headers[i].name, arena_copy(arena, r->headers[i].value)))
            return NULL;
    headers->key = SLICE_LIT("headers");
    json_append(tree, last, headers);
    return tree;
}

static int wrong(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "what stands for the outside gives { status = 200, headers = { ... }, body = \"...\" or json = { ... } }, or nil");
}

static int read_answer(const struct json_value *v, struct arena *arena, struct outbound_answer *out, struct err *err)
{
    const struct json_value *headers = json_get(v, "headers"), *json = json_get(v, "json"), *status = json_get(v, "status");
    int64_t number = 200;
    struct slice body = { "", 0 };
    if (v->type != JSON_OBJECT || (status && !json_is_int(status, &number)) || (headers && headers->type != JSON_OBJECT) ||
        (json_get(v, "body") && !json_is_string(json_get(v, "body"), &body)))
        return wrong(err);
    struct http_header *list = arena_array(arena, headers ? headers->count + 1 : 1, sizeof *list);
    if (!list)
        return nomem(err);
    *out = (struct outbound_answer){ .status = (int)number, .headers = list, .body = body };
    for (const struct json_value *h = headers ? headers->first : NULL; h; h = h->next) {
        list[out->header_count].name = h->key;
        if (!json_is_string(h, &list[out->header_count++].value))
            return wrong(err);
    }
    if (json) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_value_write(&w, json);
        out->body = arena_copy(arena, buf_slice(&b));
        buf_release(&b);
    }
    return out->body.data ? 0 : nomem(err);
}

int trial_world_answer(struct vm *vm, vm_ref fn, struct arena *arena, const struct outbound_request *r, struct outbound_answer *out,
                       struct err *err)
{
    struct json_value *result = NULL;
    if (!fn)
        return err_reason(err, ERR_IO, "unreachable",
                          "there is no outside in specs; say what answers: t:outside(function(request) return { status = 200 } end)");
    const struct json_value *tree = request_tree(arena, r);
    if (!tree)
        return nomem(err);
    vm_push_json(vm, tree);
    int rc = vm_call(vm, fn, 1, arena, &result, err);
    if (rc == 0 && (!result || result->type == JSON_NULL))
        return err_reason(err, ERR_IO, "unreachable", "the outside of this spec does not answer");
    return rc < 0 ? err_reason(err, ERR_INVALID, "", "%s", err->text) : read_answer(result, arena, out, err);
}
