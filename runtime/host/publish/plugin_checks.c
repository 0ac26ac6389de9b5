/* Which checks of plugins look at a thing. */
#include "host/plugins/plugins.h"
#include "host/care/plugin_stops.h"
#include "rulebook/plugin_set.h"
#include "rulebook/rulebook.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while looking for checks.");
}

static bool looks_at(const struct hook *h, struct slice kind)
{
    bool found = !h->of[0];
    for (size_t i = 0; h->of[i]; i++)
        found = found || slice_is(kind, h->of[i]);
    return found;
}

int plugin_checks(const struct generation *g, enum hook_at at, struct slice kind, struct arena *arena, struct bind_check **out,
                  size_t *count, struct err *err)
{
    size_t n;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_CHECK, &n);
    struct bind_check *list = arena_array(arena, n + 1, sizeof *list);
    *count = 0;
    *out = list;
    if (!list)
        return nomem(err);
    for (size_t i = 0; i < n; i++) {
        const struct hook *h = refs[i].hook;
        if (h->at != at || !looks_at(h, kind))
            continue;
        struct slice name = arena_printf(arena, "%s.%s", refs[i].plugin->name, h->name);
        if (!name.data)
            return nomem(err);
        list[(*count)++] = (struct bind_check){ generation_hook(g, &refs[i]), refs[i].plugin->name, arena_strdup(arena, name),
                                                h->on_failure == FAILURE_SKIP };
        if (!list[*count - 1].name)
            return nomem(err);
    }
    return 0;
}

int plugin_checks_at_runtime(void *ctx, struct slice kind, struct arena *arena, const struct bind_check **out, size_t *count,
                             struct err *err)
{
    struct plugin_state *s = ctx;
    struct bind_check *list = NULL;
    int rc = plugin_checks(s->generation, AT_RUNTIME, kind, arena, &list, count, err);
    *out = list;
    for (size_t i = 0; rc == 0 && i < *count; i++)
        if (plugin_stopped(s, list[i].plugin))
            list[i].fn = 0; /* it can't be asked, and its on_failure says what that means */
    return rc;
}
