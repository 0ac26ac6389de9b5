/* /v1/openapi.json: written from the table of routes and their schemas, so that it can't say what is not so. */
#include "host/plugins/plugins.h"
#include <ctype.h>
#include <stdio.h>

static const char *method_lower(enum http_method m)
{
    static const char *const names[HTTP_METHODS] = { "get", "head", "post", "put", "patch", "delete", "options" };
    return names[m];
}

static void parameter(struct json_writer *w, struct slice name, const char *in, bool required, const char *about,
                      const struct schema *schema)
{
    json_object(w);
    json_key(w, "name");
    json_string(w, name);
    json_key(w, "in");
    json_str(w, in);
    json_key(w, "required");
    json_bool(w, required);
    if (about) {
        json_key(w, "description");
        json_str(w, about);
    }
    json_key(w, "schema");
    if (schema) {
        schema_write(schema, w);
    } else {
        json_object(w);
        json_key(w, "type");
        json_str(w, "string");
        json_object_end(w);
    }
    json_object_end(w);
}

static void parameters(struct json_writer *w, const struct route *r)
{
    json_key(w, "parameters");
    json_array(w);
    for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{'))
        parameter(w, slice_of(p + 1, (size_t)(strchr(p, '}') - p - 1)), "path", true, NULL, NULL);
    for (const struct query_param *q = r->query; q && q->name; q++)
        parameter(w, slice_str(q->name), "query", q->schema && q->schema->required, q->about, q->schema);
    if (r->method != HTTP_METHOD_GET && r->callers && !r->secret)
        parameter(w, SLICE_LIT("Idempotency-Key"), "header", r->key_required,
                  "Any text of the caller's that names this attempt: sent again with the same request, for seven days it is answered again "
                  "and done once.",
                  NULL);
    json_array_end(w);
}

static void body(struct json_writer *w, const struct schema *s, bool lines_too)
{
    json_key(w, "requestBody");
    json_object(w);
    json_key(w, "required");
    json_bool(w, true);
    json_key(w, "content");
    json_object(w);
    json_key(w, "application/json");
    json_object(w);
    json_key(w, "schema");
    schema_write(s, w);
    json_object_end(w);
    if (lines_too) {
        json_key(w, "application/x-ndjson");
        json_raw(w, SLICE_LIT("{\"schema\":{\"type\":\"string\",\"description\":\"One of them a line; the answer is lines, too.\"}}"));
    }
    json_object_end(w);
    json_object_end(w);
}

static void event_stream(struct json_writer *w)
{
    json_key(w, "content");
    json_object(w);
    json_key(w, "text/event-stream");
    json_object(w);
    json_key(w, "schema");
    json_object(w);
    json_key(w, "type");
    json_str(w, "string");
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void responses(struct json_writer *w, const struct route *r)
{
    char status[8];
    snprintf(status, sizeof status, "%d", r->created);
    json_key(w, "responses");
    json_object(w);
    json_key_slice(w, slice_str(status));
    json_object(w);
    json_key(w, "description");
    json_str(w, plugin_route_streams(r) ? "The state, then every change of it." : r->created == 201 ? "Created." : "Done.");
    if (plugin_route_streams(r))
        event_stream(w);
    json_object_end(w);
    json_key(w, "default");
    json_object(w);
    json_key(w, "$ref");
    json_str(w, "#/components/responses/Problem");
    json_object_end(w);
    json_object_end(w);
}

static void security(struct json_writer *w, const struct route *r)
{
    static const struct {
        unsigned caller;
        const char *name;
    } kinds[] = { { CALLER_STOREFRONT, "storefront" }, { CALLER_CUSTOMER, "customer" }, { CALLER_SERVER, "server" } };
    json_key(w, "security");
    json_array(w);
    for (size_t i = 0; i < 3; i++) {
        if (!(r->callers & kinds[i].caller))
            continue;
        json_object(w);
        json_key(w, kinds[i].name);
        json_array(w);
        for (unsigned bit = 0; kinds[i].caller == CALLER_SERVER && scope_names[bit]; bit++)
            if (r->scope & (1u << bit))
                json_str(w, scope_names[bit]);
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}

/* "orders.place" → orders_place; routes without a procedure are named by method and path. */
static void operation_id(struct json_writer *w, const struct route *r)
{
    char id[128];
    size_t n = (size_t)snprintf(id, sizeof id, "%s%s", method_lower(r->method), r->pattern);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)id[i]))
            id[i] = '_';
    while (n && id[n - 1] == '_')
        n--;
    json_key(w, "operationId");
    json_string(w, slice_of(id, n));
}

static void operation(struct json_writer *w, const struct route *r, const struct plugin_state *plugins)
{
    const struct schema *sent = plugins ? plugin_body(plugins, r) : r->body;
    json_key(w, method_lower(r->method));
    json_object(w);
    operation_id(w, r);
    json_key(w, "summary");
    json_str(w, r->summary);
    parameters(w, r);
    if (sent)
        body(w, sent, r->apart);
    responses(w, r);
    security(w, r);
    json_object_end(w);
}

struct listing { /* the core's routes, then those of plugins */
    const struct route_table *core;
    const struct plugin_state *plugins;
    size_t core_count;
};

static const struct route *at(const struct listing *t, size_t i)
{
    return i < t->core_count ? routes_at(t->core, i) : plugin_route_at(t->plugins, i - t->core_count);
}

static bool first_of_path(const struct listing *t, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(at(t, k)->pattern, at(t, i)->pattern) == 0)
            return false;
    return true;
}

static void paths(const struct listing *t, struct json_writer *w)
{
    json_key(w, "paths");
    json_object(w);
    for (size_t i = 0; at(t, i); i++) {
        if (!first_of_path(t, i))
            continue;
        const char *pattern = at(t, i)->pattern;
        json_key_slice(w, slice_str(pattern));
        json_object(w);
        for (size_t k = i; at(t, k); k++)
            if (strcmp(at(t, k)->pattern, pattern) == 0)
                operation(w, at(t, k), t->plugins);
        json_object_end(w);
    }
    json_object_end(w);
}

static const char components[] =
    "{\"securitySchemes\":{"
    "\"storefront\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"pk_: a storefront; its caller is a guest.\"},"
    "\"customer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"ct_: one customer, for a short time.\"},"
    "\"server\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"sk_: a server, with scopes.\"}},"
    "\"responses\":{\"Problem\":{\"description\":\"A problem document (RFC 9457).\",\"content\":{\"application/problem+json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"field\":{\"type\":\"string\",\"description\":\"The input at fault, as a JSON pointer.\"}}}}}}}}";

void openapi_write(const struct route_table *t, const struct plugin_state *plugins, struct buf *out)
{
    struct json_writer w;
    struct listing all = { t, plugins, 0 };
    while (routes_at(t, all.core_count))
        all.core_count++;
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "openapi");
    json_str(&w, "3.1.0");
    json_key(&w, "info");
    json_object(&w);
    json_key(&w, "title");
    json_str(&w, "Feira");
    json_key(&w, "version");
    json_str(&w, "v1");
    json_key(&w, "description");
    json_str(&w, "Amounts are integers in the currency's minor unit; times are RFC 3339 UTC.");
    json_object_end(&w);
    paths(&all, &w);
    json_key(&w, "components");
    json_raw(&w, SLICE_LIT(components));
    json_object_end(&w);
}
