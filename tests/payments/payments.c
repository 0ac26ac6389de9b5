/* payments CASES.json CASES.lua: the cases as a table, with handles in the place of secrets, go through the function that the Lua file
 * returns, in the sandbox, in the phase of a handler. What it gives, { passed, failures }, is printed. */
#include "base/buf.h"
#include "base/random.h"
#include "bind/secrets.h"
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 16 << 20, SECRETS_MAX = 4096 };

/* Members that are secrets, wherever they stand; and two that fit nothing, for what must be refused. */
static const char *const secret_members[] = { "apiV3Key", "signing_private_key_for_tests", "secret", "private_key", NULL };

struct cases {
    struct arena arena;
    struct bind_secret secrets[SECRETS_MAX];
    struct bind_secret_at at[SECRETS_MAX];
    size_t count;
};

static int fail_with(const char *what, const char *why)
{
    fprintf(stderr, "payments: %s: %s\n", what, why);
    return 2;
}

static char *read_file(const char *path, struct slice *out)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(FILE_MAX) : NULL;
    *out = slice_of(text, text ? fread(text, 1, FILE_MAX, f) : 0);
    if (f)
        fclose(f);
    return text;
}

static void hide(struct cases *c, struct slice path, struct json_value *v)
{
    if (c->count == SECRETS_MAX)
        return;
    struct bind_secret *s = &c->secrets[c->count];
    *s = (struct bind_secret){ arena_strdup(&c->arena, path), v->string, true };
    c->at[c->count++] = (struct bind_secret_at){ s->name, s };
    v->string = SLICE_LIT(""); /* the handle takes its place */
}

static bool is_secret(const struct json_value *v)
{
    for (size_t i = 0; secret_members[i] && v->type == JSON_STRING; i++)
        if (slice_is(v->key, secret_members[i]))
            return true;
    return false;
}

static void hide_all(struct cases *c, struct slice path, struct json_value *v)
{
    size_t i = 0;
    for (struct json_value *m = v->type == JSON_OBJECT || v->type == JSON_ARRAY ? v->first : NULL; m; m = m->next) {
        i++;
        const char *slash = path.len ? "/" : "";
        struct slice here = v->type == JSON_OBJECT ? arena_printf(&c->arena, "%.*s%s%.*s", SLICE_FMT(path), slash, SLICE_FMT(m->key))
                                                   : arena_printf(&c->arena, "%.*s%s%zu", SLICE_FMT(path), slash, i);
        if (is_secret(m))
            hide(c, here, m);
        else
            hide_all(c, here, m);
    }
}

static void add_wrong(struct cases *c, struct json_value *root, const char *name, const char *value)
{
    struct json_value *last = root->first, *v = json_new_string(&c->arena, slice_str(value));
    while (last && last->next)
        last = last->next;
    v->key = slice_str(name);
    json_append(root, last, v);
    hide(c, v->key, v);
}

static int report(const struct json_value *result)
{
    int64_t passed = 0;
    size_t failed = 0;
    json_is_int(json_get(result, "passed"), &passed);
    const struct json_value *list = json_get(result, "failures");
    for (const struct json_value *m = list ? list->first : NULL; m; m = m->next, failed++)
        printf("FAILED %.*s\n", SLICE_FMT(m->string));
    printf("%lld passed, %zu failed\n", (long long)passed, failed);
    return failed > 0 || passed == 0;
}

static int run(struct cases *c, struct vm *vm, struct bind_context *ctx, struct json_value *root, const char *path, struct slice lua,
               struct err *err)
{
    struct json_value *result = NULL;
    vm_ref file = 0, cases = 0;
    int rc = bind_settings(vm, root, c->at, c->count, &cases, err);
    if (rc == 0)
        rc = vm_run(vm, lua, path, &file, err);
    ctx->phase = BIND_PHASE_HANDLER;
    if (rc == 0) {
        vm_push_ref(vm, cases);
        rc = vm_call(vm, file, 1, &c->arena, &result, err);
    }
    return rc < 0 ? rc : report(result);
}

int main(int argc, char **argv)
{
    static struct cases c;
    struct slice text, lua;
    struct json_value *root;
    struct err err = { 0 };
    struct vm *vm;
    if (argc != 3)
        return fail_with("usage", "payments CASES.json CASES.lua");
    arena_init(&c.arena, NULL, 0);
    char *json_text = read_file(argv[1], &text), *lua_text = read_file(argv[2], &lua);
    struct bind_context ctx = {
        .arena = &c.arena, .clock = clock_system(), .random = random_system(), .now_ms = clock_wall_ms(clock_system())
    };
    int rc = json_text && lua_text ? json_parse(text, NULL, &c.arena, &root, &err) : err_set(&err, ERR_IO, "can't be read");
    if (rc == 0 && root->type != JSON_OBJECT)
        rc = err_set(&err, ERR_INVALID, "is no JSON object");
    if (rc < 0)
        return fail_with(argv[1], err.text);
    hide_all(&c, slice_str(""), root);
    add_wrong(&c, root, "wrong_secret", "another secret, which has 32 byte");
    add_wrong(&c, root, "wrong_webhook_secret", "whsec_d3JvbmcgYnV0IHdlbGwgZm9ybWVk");
    rc = bind_open(&(struct vm_options){ .fuel = 2000000000 }, &ctx, &vm, &err);
    if (rc == 0) {
        rc = run(&c, vm, &ctx, root, argv[2], lua, &err);
        vm_close(vm);
    }
    arena_release(&c.arena);
    free(json_text);
    free(lua_text);
    return rc < 0 ? fail_with(argv[2], err.text) : rc;
}
