/* host/plugins/providers.h - plugins that are providers of payments (`payments` in plugin.lua). Their functions speak with the outside, as
 * tasks on workers, and change nothing; what they say is compared and recorded by provider_calls of the stdlib, on the writer. */
#pragma once
#include "host/shop.h"
#include "rulebook/plugin_set.h"

/* what: "create", "notify", ... false: there is no such provider under these rules, or it does not do that. */
bool provider_hook(const struct generation *g, struct slice name, const char *what, struct hook_ref *out);
/* Adds what the stdlib is told of a provider as member `provider`: { name, merchant?, app?, close? }. */
int provider_add(const struct generation *g, const struct manifest *m, struct json_value *args, struct json_value *last,
                 struct arena *arena, struct err *err);

/* --- jobs: a durable timer "plugin:NAME/payments.query", whose key is the number of a payment or of a part of a refund -------------------
 */
struct provider_job {
    struct slice plugin;
    const char *what; /* "query" */
    struct slice key;
    struct slice value; /* what the plugin's function gave */
    const char *why;    /* or why it gave nothing; NULL = it did */
};
/* On a worker: what the function is to be asked. *out NULL: nothing any more. */
int provider_job_ask(struct worker *w, const struct provider_job *job, struct arena *arena, const struct json_value **out, struct err *err);
/* On the writer: what came of it. */
int provider_job_done(struct shop *s, struct edition *e, struct store_conn *conn, const struct provider_job *job, struct arena *arena,
                      struct err *err);
