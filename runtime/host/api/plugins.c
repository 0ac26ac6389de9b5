/* What plugins may touch, and what they have left behind. */
#include "base/log.h"
#include "host/plugins/plugins.h"
#include "host/care/prune.h"
#include "host/publish/publish.h"
#include "host/worker.h"
#include "rulebook/plugin_set.h"

static void fail_memory(struct call *c)
{
    err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    call_fail(c, NULL, (struct slice){ 0 });
}

void handle_needs(struct call *c)
{
    struct generation *g = c->seat->generation;
    const struct plugin_set *set = generation_plugins(g);
    struct buf *out = &c->worker->out, text;
    struct json_writer w;
    const struct json_value **settings = arena_array(c->arena, plugin_set_count(set) + 1, sizeof *settings);
    if (!settings) {
        fail_memory(c);
        return;
    }
    for (size_t i = 0; i < plugin_set_count(set); i++)
        settings[i] = generation_plugin(g, plugin_set_at(set, i))->settings;
    buf_init(&text, NULL);
    plugin_set_write_needs(set, settings, &text);
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "generation");
    json_str(&w, generation_id(g));
    json_key(&w, "plugins");
    plugin_set_write_needs_json(set, settings, &w);
    json_key(&w, "text");
    json_string(&w, buf_slice(&text));
    json_object_end(&w);
    bool failed = out->failed || text.failed;
    buf_release(&text);
    if (failed)
        fail_memory(c);
    else
        call_answer_json(c, 200, buf_slice(out));
}

/* --- prune ------------------------------------------------------------------------------------------------------------- */

struct pruning {
    struct publish_job job;
    struct call *call;
    bool drop;
    struct buf text;
};

static void answer(struct call *c)
{
    struct pruning *p = c->state;
    int rc = p->job.rc;
    struct slice text = arena_copy(c->arena, buf_slice(&p->text));
    bool failed = p->text.failed || !text.data;
    buf_release(&p->text);
    c->err = p->job.err;
    if (rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else if (failed)
        fail_memory(c);
    else
        call_answer_json(c, 200, text);
}

static int prune(struct publish_job *job, struct store_conn *reader, struct err *err)
{
    struct pruning *p = (struct pruning *)((char *)job - offsetof(struct pruning, job));
    struct shop *s = p->call->shop;
    struct json_writer w;
    json_writer_init(&w, &p->text);
    int rc = prune_tables(s, reader, p->drop, &w, err);
    if (rc == 0 && p->drop)
        log_info(s->options.log, "plugins.pruned", "What the plugins' collections held and no live rule names was dropped.",
                 LOG_STR("by", job->author));
    return rc;
}

static void pruned(struct publish_job *job)
{
    struct pruning *p = (struct pruning *)((char *)job - offsetof(struct pruning, job));
    p->call->done = answer;
    call_resume(p->call);
}

void handle_prune(struct call *c)
{
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    struct pruning *p = arena_zalloc(c->arena, sizeof *p);
    bool dry = false;
    if (!p) {
        fail_memory(c);
        return;
    }
    json_is_bool(json_get(c->body, "dry_run"), &dry);
    buf_init(&p->text, NULL);
    p->call = c;
    p->drop = !dry;
    p->job = (struct publish_job){ .kind = PUBLISH_TASK, .how = "prune", .task = prune, .done = pruned };
    memcpy(p->job.author, c->who.id, sizeof p->job.author);
    c->state = p;
    struct err err;
    call_wait(c);
    if (publisher_submit(c->shop->publisher, &p->job, &err) == 0)
        return;
    worker_let_go(w, seat);
    c->err = err;
    call_fail(c, NULL, (struct slice){ 0 });
}
