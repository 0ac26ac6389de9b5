#include "host/plugins/providers.h"
#include "bind/plugins.h"
#include "host/publish/edition.h"
#include "host/worker.h"

bool provider_hook(const struct generation *g, struct slice name, const char *what, struct hook_ref *out)
{
    const struct manifest *m = plugin_set_find(generation_plugins(g), name);
    *out = (struct hook_ref){ m, m ? manifest_hook(m, HOOK_PAYMENT, slice_str(what)) : NULL };
    return out->hook != NULL;
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* Appends one member; false when there was no memory for it. */
static bool add(struct json_value *to, struct json_value **last, const char *key, struct json_value *v)
{
    if (!to || !v)
        return false;
    v->key = slice_str(key);
    json_append(to, *last, v);
    *last = v;
    return true;
}

static bool add_setting(struct json_value *to, struct json_value **last, const char *key, const char *setting,
                        const struct json_value *settings, struct arena *arena)
{
    struct slice text;
    if (!setting || !json_is_string(json_get(settings, setting), &text))
        return true;
    return add(to, last, key, json_new_string(arena, text));
}

int provider_add(const struct generation *g, const struct manifest *m, struct json_value *args, struct json_value *last,
                 struct arena *arena, struct err *err)
{
    const struct json_value *settings = generation_plugin(g, m)->settings;
    struct json_value *p = json_new(arena, JSON_OBJECT), *tail = NULL;
    bool closes = manifest_hook(m, HOOK_PAYMENT, SLICE_LIT("close")) != NULL;
    bool ok = add(p, &tail, "name", json_new_string(arena, slice_str(m->name))) &&
              add_setting(p, &tail, "merchant", m->merchant, settings, arena) && add_setting(p, &tail, "app", m->app, settings, arena) &&
              add(p, &tail, "close", json_new(arena, closes ? JSON_TRUE : JSON_FALSE));
    return ok && add(args, &last, "provider", p) ? 0 : nomem(err);
}

/* { job, key, provider, ... }; *last is its last member. */
static struct json_value *job_args(const struct generation *g, const struct provider_job *job, struct json_value **last,
                                   struct arena *arena, struct err *err)
{
    struct json_value *args = json_new(arena, JSON_OBJECT), *tail = NULL;
    const struct manifest *m = plugin_set_find(generation_plugins(g), job->plugin);
    if (!m || !manifest_is_provider(m)) {
        err_set(err, ERR_NOT_FOUND, "The provider %.*s is not turned on, or takes no payments any more; it waits.", SLICE_FMT(job->plugin));
        return NULL;
    }
    bool ok =
        add(args, &tail, "job", json_new_string(arena, slice_str(job->what))) && add(args, &tail, "key", json_new_string(arena, job->key));
    if (!ok) {
        nomem(err);
        return NULL;
    }
    if (provider_add(g, m, args, tail, arena, err) < 0)
        return NULL;
    *last = tail->next;
    return args;
}

int provider_job_ask(struct worker *w, const struct provider_job *job, struct arena *arena, const struct json_value **out, struct err *err)
{
    struct seat *seat = w->seat;
    struct json_value *last, *args = job_args(seat->generation, job, &last, arena, err), *told = NULL;
    struct slice value;
    *out = NULL;
    int rc = args ? store_begin(w->conn, err) : err->code;
    if (rc < 0)
        return rc;
    bind_begin(seat->bind, BIND_PHASE_HANDLER, w->conn, arena);
    rc = bind_call_stdlib(seat->vm, SLICE_LIT("provider_calls.job"), args, &value, err);
    bind_end(seat->bind);
    store_rollback(w->conn);
    if (rc == 0 && value.len)
        rc = json_parse(value, NULL, arena, &told, err);
    *out = told;
    return rc;
}

static int add_outcome(const struct provider_job *job, struct json_value *args, struct json_value *last, struct arena *arena,
                       struct err *err)
{
    struct json_value *v = NULL;
    struct slice why = job->why ? slice_str(job->why) : SLICE_LIT("The plugin gave no answer.");
    if (!job->why && job->value.len && json_parse(job->value, NULL, arena, &v, err) < 0)
        return ERR_INVALID;
    bool refused = !v || v->type != JSON_OBJECT || json_is_string(json_get(v, "why"), &why);
    bool says_state = v && v->type == JSON_OBJECT && json_get(v, "state"); /* a refund that failed says why, too */
    if (refused && !says_state)
        return add(args, &last, "why", json_new_string(arena, why)) ? 0 : nomem(err);
    return add(args, &last, "result", v) ? 0 : nomem(err);
}

int provider_job_done(struct shop *s, struct edition *e, struct store_conn *conn, const struct provider_job *job, struct arena *arena,
                      struct err *err)
{
    struct json_value *last, *args = job_args(e->generation, job, &last, arena, err);
    struct slice ignored;
    int rc = args ? add_outcome(job, args, last, arena, err) : err->code;
    if (rc == 0)
        rc = procedures_enter(s, e, err);
    if (rc < 0)
        return rc;
    bind_begin(s->procedures.bind, BIND_PHASE_PROCEDURE, conn, arena);
    rc = bind_call_stdlib(s->procedures.vm, SLICE_LIT("provider_calls.done"), args, &ignored, err);
    bind_end(s->procedures.bind);
    return rc;
}
