#include "host/author/trial_call.h"
#include "host/plugins/plugins.h"
#include "rulebook/plugin_set.h"

struct calling {
    struct writer_command command;
    struct loop_post post;
    struct edition *edition;
    struct loop *loop;
    struct slice name;
    const struct json_value *args;
    struct arena *arena;
    struct slice value;
    int rc;
    struct err err;
};

static const struct hook *find(const struct edition *e, struct slice name, const struct manifest **plugin, struct err *err)
{
    const char *dot = memchr(name.data, '.', name.len);
    struct slice owner = slice_of(name.data, dot ? (size_t)(dot - name.data) : name.len);
    struct slice part = dot ? slice_of(dot + 1, (size_t)(name.data + name.len - dot - 1)) : slice_str("");
    const struct manifest *m = plugin_set_find(generation_plugins(e->generation), owner);
    const struct hook *h = m ? manifest_hook(m, HOOK_PROCEDURE, part) : NULL;
    *plugin = m;
    if (!m)
        err_set(err, ERR_NOT_FOUND, "There is no plugin \"%.*s\" in this shop; a procedure is named PLUGIN.PROCEDURE.", SLICE_FMT(owner));
    else if (!h)
        err_set(err, ERR_NOT_FOUND, "The plugin %s has no procedure \"%.*s\"; its plugin.lua names those that it has.", m->name,
                SLICE_FMT(part));
    return h;
}

static int run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct calling *c = (struct calling *)((char *)cmd - offsetof(struct calling, command));
    struct shop *s = c->edition->shop;
    const struct manifest *m;
    const struct hook *h = find(c->edition, c->name, &m, err);
    int rc = h ? procedures_enter(s, c->edition, err) : ERR_NOT_FOUND;
    if (rc == 0 && h->schema && schema_check(h->schema, c->args, err) < 0)
        rc = err_wrap(err, "%.*s: %s", SLICE_FMT(c->name), err->field);
    if (rc < 0)
        return rc;
    bind_begin(s->procedures.bind, BIND_PHASE_PROCEDURE, conn, c->arena);
    rc = bind_call_value(s->procedures.vm, generation_hook(c->edition->generation, &(struct hook_ref){ m, h }), c->args, &c->value, err);
    bind_end(s->procedures.bind);
    return rc;
}

static void finish(struct loop_post *post)
{
    struct calling *c = (struct calling *)((char *)post - offsetof(struct calling, post));
    loop_stop(c->loop);
}

static void done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct calling *c = (struct calling *)((char *)cmd - offsetof(struct calling, command));
    c->rc = rc;
    if (rc < 0 && err)
        c->err = *err;
    c->post.fn = finish;
    loop_post(c->loop, &c->post);
}

int trial_call_procedure(struct edition *e, struct loop *loop, struct slice name, const struct json_value *args, struct arena *arena,
                         struct slice *value, struct err *err)
{
    struct calling c = { .command = { .run = run, .done = done }, .edition = e, .loop = loop, .name = name, .args = args, .arena = arena };
    int rc = writer_submit(e->shop->writer, &c.command, err);
    if (rc < 0)
        return rc;
    loop_run(loop);
    *value = c.value;
    if (c.rc < 0 && err)
        *err = c.err;
    return c.rc;
}
