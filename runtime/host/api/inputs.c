/* What a client may send for plugins with a quote or an order: the manifests describe it, and it is checked at the door with the rest of
 * the body. So the shape of those two bodies belongs to a generation. */
#include "host/plugins/plugins.h"
#include "host/api/schemas.h"
#include "rulebook/plugin_set.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while loading the plugins.");
}

static const struct schema *inputs_of(const struct plugin_set *set, struct arena *arena)
{
    struct schema *fields = arena_array(arena, plugin_set_count(set) + 1, sizeof *fields);
    size_t n = 0;
    for (size_t i = 0; fields && i < plugin_set_count(set); i++) {
        const struct manifest *m = plugin_set_at(set, i);
        if (m->input_count)
            fields[n++] = (struct schema){ .name = m->name, .type = SCHEMA_OBJECT, .fields = m->input_schema->fields, .about = m->title };
    }
    return fields;
}

static const struct schema *with_inputs(const struct schema *body, const struct schema *inputs, struct arena *arena)
{
    size_t n = 0;
    while (body->fields[n].name)
        n++;
    struct schema *fields = arena_array(arena, n + 1, sizeof *fields), *out = arena_alloc(arena, sizeof *out);
    if (!fields || !out)
        return NULL;
    memcpy(fields, body->fields, n * sizeof *fields);
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, SCHEMA_INPUTS) == 0)
            fields[i].fields = inputs;
    *out = *body;
    out->fields = fields;
    return out;
}

/* The body of many such quotes. */
static const struct schema *many_of(const struct schema *quote, struct arena *arena)
{
    struct schema *fields = arena_array(arena, 2, sizeof *fields), *out = arena_alloc(arena, sizeof *out);
    if (!fields || !out)
        return NULL;
    fields[0] = schema_quote_batch.fields[0];
    fields[0].item = quote;
    *out = schema_quote_batch;
    out->fields = fields;
    return out;
}

int plugin_inputs_open(struct vm *vm, struct generation *g, struct err *err)
{
    struct plugin_state *s = plugin_state_of(vm);
    const struct schema *inputs = inputs_of(generation_plugins(g), &s->arena);
    s->quote_body = inputs ? with_inputs(&schema_quote, inputs, &s->arena) : NULL;
    s->batch_body = s->quote_body ? many_of(s->quote_body, &s->arena) : NULL;
    s->order_body = inputs ? with_inputs(&schema_order, inputs, &s->arena) : NULL;
    s->checkout_body = inputs ? with_inputs(&schema_checkout, inputs, &s->arena) : NULL;
    return s->quote_body && s->batch_body && s->order_body && s->checkout_body ? 0 : nomem(err);
}

const struct schema *plugin_body(const struct plugin_state *s, const struct route *r)
{
    return r->body == &schema_quote         ? s->quote_body
           : r->body == &schema_quote_batch ? s->batch_body
           : r->body == &schema_order       ? s->order_body
           : r->body == &schema_checkout    ? s->checkout_body
                                            : r->body;
}

int plugin_input(void *state, struct slice plugin, struct slice name, struct err *err)
{
    const struct plugin_state *s = state;
    const struct manifest *m = plugin_set_find(generation_plugins(s->generation), plugin);
    char hint[64];
    const char **words = m ? arena_array(s->bind.arena, m->input_count + 1, sizeof *words) : NULL;
    for (size_t i = 0; m && i < m->input_count; i++) {
        if (slice_is(name, m->inputs[i].name))
            return 0;
        if (words)
            words[i] = m->inputs[i].name;
    }
    return err_set(err, ERR_SCRIPT,
                   "the plugin %.*s has no input \"%.*s\"%s; what a client may send is described in inputs of its plugin.lua",
                   SLICE_FMT(plugin), SLICE_FMT(name), words ? reader_hint(hint, name, words) : "");
}
