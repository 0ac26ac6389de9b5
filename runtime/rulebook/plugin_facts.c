/* The facts of the plugins that are turned on, and which of them anything in the shop could ask for. */
#include "base/map.h"
#include "rulebook/rulebook_int.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while loading the plugins");
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || (c >= 'A' && c <= 'Z');
}

/* One pass over all files: a fact that is nowhere written in full is asked for by nobody, and need not be found out for each cart. */
static void find_named(const struct sources *src, const struct map *names)
{
    for (size_t k = 0; k < sources_count(src); k++) {
        struct slice text = sources_at(src, k)->text;
        for (size_t i = 0, n; i < text.len; i += n + 1) {
            bool dot = false;
            for (n = 0; i + n < text.len && in_name(text.data[i + n]); n++)
                dot = dot || text.data[i + n] == '.';
            struct quote_fact_type *fact = dot ? map_get(names, slice_of(text.data + i, n)) : NULL;
            if (fact)
                fact->named = true;
        }
    }
}

int plugins_facts(const struct live_plugins *p, const struct sources *src, struct arena *arena, const struct quote_fact_type **out,
                  size_t *count, struct err *err)
{
    const struct hook_ref *refs = plugin_set_hooks(p->set, HOOK_FACT, count);
    struct quote_fact_type *list = arena_array(arena, *count + 1, sizeof *list);
    struct map names;
    int rc = list ? 0 : nomem(err);
    map_init(&names, NULL);
    for (size_t i = 0; i < *count && rc == 0; i++) {
        struct slice name = arena_printf(arena, "%s.%s", refs[i].plugin->name, refs[i].hook->name);
        list[i] = (struct quote_fact_type){ .name = name.data ? arena_strdup(arena, name) : NULL, .type = refs[i].hook->fact_type };
        if (!list[i].name || !map_set(&names, name, &list[i]))
            rc = nomem(err);
    }
    if (rc == 0 && *count)
        find_named(src, &names);
    map_release(&names);
    *out = list;
    return rc;
}
