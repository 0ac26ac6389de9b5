/* rulebook/manifest.h - what a plugin says about itself: plugin.lua, evaluated as data in a state that has nothing but values, checked
 * whole, and kept as an immutable struct. Nothing of the plugin runs for it. PLUGINS.md describes the file for those who write one. */
#pragma once
#include "base/arena.h"
#include "base/collection.h"
#include "base/err.h"
#include "base/json.h"
#include "rulebook/values.h"

enum { MANIFEST_API = 1, MANIFEST_SOURCE_MAX = 256 << 10 };

/* --- what it needs: the capabilities it has, and no others -------------------------------------------------------------- */
enum need_kind {
    NEED_PLUGIN,     /* target: it must be there, and comes before */
    NEED_COLLECTION, /* target: a plugin or a core noun ("customers"); part: the collection, "" = all of it */
    NEED_PROCEDURE,  /* target: a plugin or a core noun; part: the procedure */
    NEED_EVENT,      /* target: the plugin whose event it hears; part: the event */
    NEED_LEDGER,     /* target: the first word of the accounts' names ("points" of "points/cus_1") */
    NEED_HTTP,       /* target: the host name, in small letters; part: the port, "" = 443 */
    NEED_PERSONAL,   /* target: "customer" or "order"; part: the field */
    NEED_KINDS
};

struct need {
    enum need_kind kind;
    const char *text; /* as written: "coupons.codes:read" */
    struct slice target, part;
    bool write;      /* NEED_COLLECTION, NEED_LEDGER */
    const char *why; /* NULL = not said; of personal fields the purpose, always there */
    /* NEED_PERSONAL: a purpose of shop.lua (`privacy.purposes`). Only of customers who consented to it in its version of now; share: who
     * consented to its being handed on, which is asked for apart. NULL = for a contract, or because the law asks for it. */
    const char *consent;
    bool share;
};

/* --- what it contributes ------------------------------------------------------------------------------------------------- */
enum hook_kind {
    HOOK_ROUTE,
    HOOK_PROCEDURE,
    HOOK_SUBSCRIBER, /* `on` */
    HOOK_TIMER,
    HOOK_CAMPAIGN,
    HOOK_PRICING,
    HOOK_SHIPPING_RATES,
    HOOK_TAX_RATES,
    HOOK_FACT,
    HOOK_CHECK,
    HOOK_PAYMENT, /* create, query, close, refund, notify, reply: the plugin is a provider */
    HOOK_KINDS
};
/* anyone: a pk_ or better. signed: no key at all; the plugin checks a signature of the body by itself */
enum hook_auth { AUTH_ANYONE, AUTH_CUSTOMER, AUTH_SERVER, AUTH_OPERATOR, AUTH_SIGNED };
enum hook_as { AS_HANDLER, AS_PROCEDURE, AS_JOB };
enum hook_when { WHEN_IN_TRANSACTION, WHEN_AFTER_COMMIT };
enum hook_at { AT_SUBMISSION, AT_RUNTIME };
enum hook_on_failure { FAILURE_SKIP, FAILURE_REFUSE };

struct hook {
    enum hook_kind kind;
    const char *name;                /* its key in the section: "POST /links", "order.completed", "expire" */
    struct slice module, function;   /* run = "events.create_link": the plugin's file events.lua, function create_link */
    const char *title, *about;       /* NULL when not said */
    struct slice method, path;       /* ROUTE: "POST", "/links"; it is mounted at /v1/x/PLUGIN/links */
    enum hook_auth auth;             /* ROUTE */
    bool stream;                     /* ROUTE: its answer may go on, with what is said on a topic that its handler names */
    enum hook_as as;                 /* ROUTE: handler (GET, unless said otherwise) or procedure. TIMER: procedure or job */
    enum hook_when when;             /* SUBSCRIBER */
    bool refuse_stopped;             /* SUBSCRIBER in the transaction: stopped = "refuse", the event may not happen without it */
    enum hook_at at;                 /* CHECK */
    const char *const *of;           /* CHECK: kinds of things it looks at, ended by NULL; empty = all */
    enum hook_on_failure on_failure; /* CAMPAIGN (skip), PRICING, SHIPPING_RATES, TAX_RATES, CHECK (refuse) */
    bool has_values;
    const struct value_spec *values; /* ROUTE: body; PROCEDURE: args; CAMPAIGN: fields */
    size_t value_count;
    const struct schema *schema; /* ROUTE, PROCEDURE: `values`; NULL when not described */
    const struct schema *query;  /* ROUTE: an object of single values; NULL when not described */
    /* ROUTE: an account of the plugin's with {parameters} of the path; while nothing is left of it a worker answers 409. NULL = none */
    const char *unless_exhausted;
    enum field_type fact_type; /* FACT; FIELD_JSON: a set of names, which stand among the customer's tags */
    bool of_codes;             /* FACT: it is asked for each code that was typed, and may read the store; its type is FIELD_JSON */
    const char *from, *by;     /* FACT: rows of this collection whose field `by` is the customer; NULL = the fact's function gets none */
    const char *const *after, *const *before; /* names of plugins, ended by NULL; SUBSCRIBER, PRICING, SHIPPING_RATES, TAX_RATES, CHECK */
};

struct plugin_event { /* what the plugin itself may emit, as "PLUGIN.NAME" */
    const char *name, *about;
    const char *key; /* the member of its payload by which those who hear it later hear it in order; NULL = the usual ones */
    const struct schema *payload;
    const struct value_spec *values;
    size_t value_count;
};

struct shared_manifest;

struct version {
    int64_t major, minor, patch;
    const char *pre; /* "" or "rc.1" */
};

struct manifest {
    const char *file;              /* "plugins/invite/plugin.lua" */
    const struct json_value *tree; /* what it returns, as written */
    const char *name, *title, *about, *version_text;
    struct version version;
    const char *const *after, *const *before; /* names of plugins, ended by NULL */
    const struct need *needs;
    size_t need_count;
    const struct value_spec *settings;
    size_t setting_count;
    const struct value_spec *inputs; /* what a client may send with a quote or an order under this plugin's name */
    size_t input_count;
    const struct schema *input_schema;
    const struct plugin_event *events;
    size_t event_count;
    const struct collection *collections; /* sorted by name */
    size_t collection_count;
    const struct hook *hooks; /* by kind, then in the order of their names */
    size_t hook_count;
    const char *merchant, *app; /* PAYMENT: the settings that say whose money is the shop's, which the host compares; NULL = not said */
    size_t hook_first[HOOK_KINDS + 1]; /* hooks of kind k are hook_first[k] .. hook_first[k + 1] - 1 */
    struct arena arena;                /* everything above lives here */
    struct shared_manifest *shared;    /* manifests.c */
};

/* source: the text of plugin.lua; file: its path in the shop, which is the name in messages. When it is "plugins/X/plugin.lua", the
 * plugin's name must be X. ERR_INVALID with err->field = the path ("settings.friends.min"); ERR_SCRIPT, ERR_FUEL, ERR_MEMORY_CAP. */
int manifest_read(struct slice source, const char *file, const struct alloc *alloc, struct manifest **out, struct err *err);
void manifest_free(struct manifest *m); /* NULL is fine */

const struct hook *manifest_hook(const struct manifest *m, enum hook_kind kind, struct slice name); /* NULL when there is none */
const struct collection *manifest_collection(const struct manifest *m, struct slice name);
bool manifest_is_provider(const struct manifest *m); /* of payments */
const char *hook_section(enum hook_kind kind);       /* "routes", "on", ... */

/* What shop.lua says for this plugin (NULL: nothing), checked: canonical JSON appended to out. s->reader.file names shop.lua. The path in
 * messages is plugins["NAME"].setting. */
int manifest_settings(const struct manifest *m, const struct settle *s, const struct json_value *given, struct buf *out);

/* -1, 0, 1 as semantic versioning orders them. */
int version_compare(const struct version *a, const struct version *b);
