/* Settings come before campaigns, which are made with them; so whether the campaigns that settings name are there is asked afterwards. */
#include "base/map.h"
#include "base/schema.h"
#include "rulebook/rulebook_int.h"

struct campaigns {
    const struct json_value *list;
    struct map ids;
    struct arena *arena;
};

static const char *nearest_of(const struct campaigns *c, struct slice id)
{
    const char **words = arena_array(c->arena, c->list->count + 1, sizeof *words);
    size_t n = 0;
    for (const struct json_value *v = c->list->first; words && v; v = v->next) {
        struct slice other;
        if (json_is_string(json_get(v, "id"), &other))
            words[n++] = arena_strdup(c->arena, other);
    }
    return words ? nearest_word(id, words) : NULL;
}

static bool has_campaign(void *ctx, struct slice id, const char **near)
{
    struct campaigns *c = ctx;
    bool found = map_get(&c->ids, id) != NULL;
    if (!found)
        *near = nearest_of(c, id);
    return found;
}

int references_check(struct live_plugins *p, const struct settle *settle, const struct json_value *given, const struct campaign_use *uses,
                     const struct json_value *campaigns)
{
    struct campaigns c = { .list = campaigns, .arena = settle->reader.arena };
    struct settle s = *settle;
    int rc = 0;
    if (p->count == 0)
        return 0;
    map_init(&c.ids, NULL);
    for (const struct json_value *v = campaigns->first; v && rc == 0; v = v->next) {
        struct slice id;
        if (json_is_string(json_get(v, "id"), &id) && !map_set(&c.ids, id, (void *)(uintptr_t)v))
            rc = reader_nomem(&s.reader);
    }
    s.has_campaign = has_campaign;
    s.ctx = &c;
    if (rc == 0)
        rc = plugins_settle_again(p, &s, given, uses);
    map_release(&c.ids);
    return rc;
}
