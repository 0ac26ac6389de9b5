#include "bind/checks.h"
#include "base/log.h"
#include "base/schema.h"
#include "bind/bind_int.h"
#include "bind/measure.h"
#include "bind/plugins.h"
#include <string.h>

/* --- findings --------------------------------------------------------------------------------------------------------------- */

static const char *const levels[] = { "block", "warn", "label", NULL };
/* clang-format off */
static const struct schema finding_fields[] = {
    { .name = "rule", .type = SCHEMA_STRING, .min = 1, .max = 64 },
    { .name = "level", .type = SCHEMA_STRING, .required = true, .choices = levels },
    { .name = "text", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 500 },
    { .name = "article", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "value", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "field", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "satisfy", .type = SCHEMA_STRING, .min = 1, .max = 500 },
    { .name = NULL },
};
/* clang-format on */
static const struct schema finding = { .type = SCHEMA_OBJECT, .fields = finding_fields };
static const struct schema finding_list = { .type = SCHEMA_ARRAY, .max = 1000, .item = &finding };

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while checking");
}

int bind_findings_init(struct bind_findings *f, struct arena *arena, struct err *err)
{
    *f = (struct bind_findings){ .arena = arena, .list = json_new(arena, JSON_ARRAY) };
    return f->list ? 0 : nomem(err);
}

static bool member(struct bind_findings *f, struct json_value *object, struct json_value **last, const char *key, struct slice text)
{
    struct json_value *v = json_new_string(f->arena, text);
    if (!v)
        return false;
    v->key = slice_str(key);
    json_append(object, *last, v);
    *last = v;
    return true;
}

static int append(struct bind_findings *f, const struct bind_check *check, const struct json_value *given, struct err *err)
{
    static const char *const keys[] = { "level", "article", "text", "field", "value", "satisfy", NULL };
    struct json_value *out = json_new(f->arena, JSON_OBJECT), *last = NULL;
    struct slice rule, text, level = { "", 0 }, name = arena_copy(f->arena, slice_str(check->name)); /* the findings outlive the check */
    if (!json_is_string(json_get(given, "rule"), &rule))
        rule = name;
    bool fine = out && name.data && member(f, out, &last, "check", name) && member(f, out, &last, "rule", rule);
    for (size_t i = 0; keys[i] && fine; i++)
        if (json_is_string(json_get(given, keys[i]), &text))
            fine = member(f, out, &last, keys[i], text);
    if (!fine)
        return nomem(err);
    json_append(f->list, f->last, out);
    f->last = out;
    json_is_string(json_get(given, "level"), &level);
    f->blocks += slice_is(level, "block");
    return 0;
}

int bind_findings_add(struct bind_findings *f, const struct bind_check *check, const struct json_value *given, struct err *err)
{
    struct err wrong = { 0 };
    if (!given || given->type == JSON_NULL || (given->type == JSON_OBJECT && given->count == 0))
        return 0;
    if (schema_check(&finding_list, given, &wrong) < 0)
        return err_set(err, ERR_INVALID, "it gives no list of findings { { level = \"block\", text = \"...\" } }: %s%s%s", wrong.field,
                       wrong.field[0] ? ": " : "", wrong.text);
    int rc = 0;
    for (const struct json_value *one = given->first; one && rc == 0; one = one->next)
        rc = append(f, check, one, err);
    return rc;
}

int bind_findings_fail(struct bind_findings *f, const struct bind_check *check, const struct err *cause, struct err *err)
{
    struct json_value *one = json_new(f->arena, JSON_OBJECT), *last = NULL;
    f->failures++;
    if (!one || !member(f, one, &last, "level", slice_str(check->skip ? "warn" : "block")) ||
        !member(f, one, &last, "text", arena_printf(f->arena, "The check could not be made: %s", cause->text)) ||
        !member(f, one, &last, "satisfy",
                slice_str(check->skip ? "Have the plugin mended; until then nobody looks."
                                      : "Have the plugin mended, or turned off: its on_failure is \"refuse\".")))
        return nomem(err);
    return append(f, check, one, err);
}

/* --- at submission ------------------------------------------------------------------------------------------------------------ */

static bool is_the_machines(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_INTERNAL;
}

int bind_check_submission(struct vm *v, const struct bind_check *check, const struct json_value *subject, struct bind_findings *out,
                          struct err *err)
{
    struct bind_context *c = bind_context_of(v);
    struct json_value *given = NULL;
    struct err cause = { 0 };
    struct arena *arena = c->arena;
    vm_ref fn = vm_function(v, check->fn);
    if (!fn)
        return err_set(err, ERR_INTERNAL, "The check %s is function %d, which this Lua state does not have.", check->name, check->fn);
    c->phase = BIND_PHASE_SUBMISSION;
    c->arena = out->arena;
    vm_set_undo(v, NULL, NULL); /* counted: the verdict must not depend on how fast the machine is */
    struct bind_measure m;
    bind_measure_begin(&m, v, vm_context(vm_lua(v)), bind_function_of(vm_context(vm_lua(v)), check->fn), false, 0);
    vm_push_json(v, subject);
    int rc = vm_call(v, fn, 1, out->arena, &given, &cause);
    bind_measure_end(&m, v, vm_context(vm_lua(v)), rc, true, &cause);
    c->phase = BIND_PHASE_LOAD;
    c->arena = arena;
    if (rc == 0)
        rc = bind_findings_add(out, check, given, &cause);
    if (rc == 0 || is_the_machines(rc))
        return rc < 0 ? err_set(err, rc, "%s", cause.text) : 0;
    return bind_findings_fail(out, check, &cause, err);
}

/* --- at run time ----------------------------------------------------------------------------------------------------------------- */

static int checks_for(lua_State *L, struct bind_context *c, struct slice kind, const struct bind_check **list, size_t *count)
{
    struct err err = { 0 };
    *count = 0;
    if (c->plugins && c->plugins->checks(c->plugins_ctx, kind, c->arena, list, count, &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

static int read_findings(lua_State *L) /* (what the check gave, json_value **) */
{
    struct json_value **out = lua_touserdata(L, 2);
    if (!lua_isnil(L, 1))
        *out = vm_check_json(L, 1, bind_state(L)->ctx->arena);
    return 0;
}

/* Within its own limit, and what is left to whoever asks. What the check is given and what it gives are copies. */
static void run_one(lua_State *L, struct bind_context *c, const struct bind_check *check, const struct json_value *subject,
                    struct bind_findings *out)
{
    struct json_value *given = NULL;
    struct err cause = { 0 }, err = { 0 };
    enum bind_phase phase = c->phase;
    int top = lua_gettop(L), rc = 0;
    vm_charge(L, 100);
    if (check->fn == 0) {
        err_set(&cause, ERR_SCRIPT, "the plugin %s is stopped; feira resume lets it look again.", check->plugin);
        if (bind_findings_fail(out, check, &cause, &err) < 0)
            bind_raise(L, &err);
        return;
    }
    luaL_checkstack(L, 6, "checks");
    lua_pushcfunction(L, read_findings);
    vm_push_ref(bind_state(L)->vm, vm_function(bind_state(L)->vm, check->fn));
    vm_push_json_value(L, subject); /* read fn subject */
    c->phase = BIND_PHASE_CHECK;
    int status = bind_try_plugin(L, c, check->fn, 1); /* read given */
    c->phase = phase;
    if (status == LUA_OK) {
        lua_pushlightuserdata(L, &given);
        status = vm_try(L, 2, 0);
    }
    vm_charge(L, 0); /* raises when the budget ended in the check: that is no finding */
    if (status != LUA_OK)
        rc = vm_error_of(L, status, &cause);
    if (rc == ERR_FUEL || rc == ERR_MEMORY_CAP)
        vm_fail(L, &cause); /* the caller's own budget is over */
    lua_settop(L, top);
    if (rc == 0)
        rc = bind_findings_add(out, check, given, &cause);
    if (rc < 0 && bind_findings_fail(out, check, &cause, &err) < 0)
        bind_raise(L, &err);
    if (rc < 0 && c->log)
        log_warn(c->log, "check.failed", cause.text, LOG_STR("check", check->name));
}

static int run_checks(lua_State *L) /* (subject) -> findings, blocked */
{
    struct bind_context *c = bind_require_wait(L, BIND_HANDLER | BIND_PROCEDURE, "plugin.check()");
    struct bind_findings found;
    struct err err = { 0 };
    struct slice kind;
    const struct bind_check *list;
    size_t n;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const struct json_value *subject = vm_check_json(L, 1, c->arena);
    if (!json_is_string(json_get(subject, "kind"), &kind) || kind.len == 0)
        return luaL_error(L, "what is checked says what it is; write { kind = \"reward\", ... }");
    if (bind_findings_init(&found, c->arena, &err) < 0)
        return bind_raise(L, &err);
    checks_for(L, c, kind, &list, &n);
    for (size_t i = 0; i < n; i++)
        run_one(L, c, &list[i], subject, &found);
    vm_push_json_value(L, found.list);
    lua_pushboolean(L, found.blocks > 0);
    return 2;
}

static int l_wanted(lua_State *L) /* (kind) -> boolean: whether a plugin checks such things */
{
    struct bind_context *c = bind_require(L, BIND_HANDLER | BIND_PROCEDURE, "checks.wanted()");
    const struct bind_check *list;
    size_t n;
    checks_for(L, c, bind_check_slice(L, 1, "the kind"), &list, &n);
    lua_pushboolean(L, n > 0);
    return 1;
}

int bind_plugin_check(lua_State *L)
{
    return run_checks(L);
}

void bind_open_checks(lua_State *L)
{
    static const luaL_Reg functions[] = { { "run", run_checks }, { "wanted", l_wanted }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
