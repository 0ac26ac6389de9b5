/* bind/tasks.h - functions of plugins that may wait: handlers and jobs. A task runs until it waits for something, which the host sees to
 * and hands back; then it goes on where it was. Between two stretches of a task others run in the same state, so the host fills in the
 * context (phase, connection, time, arena) before each. */
#pragma once
#include "bind/plugins.h"
#include "http/outbound.h"

struct bind_task;

/* args and the arena must stay until it is closed; so must `out`, which is filled when it ends well (NULL = what it returns is left alone).
 */
int bind_task_open(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct bind_task **task, struct err *err);
/* Before it runs: what it returns is wanted as it is, as JSON in the arena; "" for nil. nil, a sentence and a code are { why, code }. */
void bind_task_want(struct bind_task *t, struct slice *value);
/* Runs a stretch. 0: it waits for something, or has ended. */
int bind_task_run(struct bind_task *t, struct err *err);
void bind_task_close(struct bind_task *t); /* at any time but from inside; NULL is fine */

enum bind_wait { BIND_WAITS_FOR_NOTHING, BIND_WAITS_FOR_HTTP, BIND_WAITS_FOR_PROCEDURE };
enum bind_wait bind_task_waits(const struct bind_task *t);

/* feira.http: the request. Good until it was sent: then bind_task_sent() wipes what holds secrets. */
const struct outbound_request *bind_task_request(const struct bind_task *t);
void bind_task_sent(struct bind_task *t);
/* What came back, or why nothing did; read by the next bind_task_run(). */
void bind_task_answered(struct bind_task *t, int rc, const struct outbound_answer *answer, const struct err *err);

/* plugin.call(): a procedure that is to run on the writer, as a step of its own. */
struct bind_step {
    const struct bind_plugin *plugin; /* who calls */
    struct slice name;
    const struct json_value *args;
    struct slice key; /* under which its result is kept, so that doing it again does nothing; "" = none */
};
const struct bind_step *bind_task_step(const struct bind_task *t);
/* value: its result as JSON, "" for nil. */
void bind_task_stepped(struct bind_task *t, int rc, struct slice value, const struct err *err);

/* The value that require "feira.http" is to give to a plugin. */
int bind_plugin_http(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err);
