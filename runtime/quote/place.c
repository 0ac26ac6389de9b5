/* Where in a campaign a reason lies: "when[2].any[1].qty", "give[1]". Found when it is told, so that who is not asked keeps nothing. */
#include "quote/run_int.h"

enum { DEPTH_MAX = 32 };

struct trail {
    const struct condition *of[DEPTH_MAX];
    uint32_t at[DEPTH_MAX]; /* in the list that it stands in */
    size_t depth;
};

static bool find(struct trail *t, const struct condition *list, uint32_t count, const struct condition *wanted)
{
    if (t->depth == DEPTH_MAX)
        return false;
    size_t depth = t->depth++;
    for (uint32_t i = 0; i < count; i++) {
        t->of[depth] = &list[i];
        t->at[depth] = i + 1;
        if (&list[i] == wanted)
            return true;
        bool has_children = list[i].kind == WHEN_ALL || list[i].kind == WHEN_ANY || list[i].kind == WHEN_NONE;
        if (has_children && find(t, list[i].children, list[i].child_count, wanted))
            return true;
    }
    t->depth = depth;
    return false;
}

static void index_add(struct buf *out, uint32_t i)
{
    buf_add_char(out, '[');
    buf_add_int(out, i);
    buf_add_char(out, ']');
}

/* What stands in a list is counted; the members of an object have their keys. */
static void when_say(const struct quote_campaign *c, const struct trail *t, struct buf *out)
{
    buf_add_str(out, "when");
    if (c->when_count > 1)
        index_add(out, t->at[0]);
    for (size_t i = 0; i < t->depth; i++) {
        const struct condition *is = t->of[i];
        bool leads_on = i + 1 < t->depth;
        if (leads_on && is->joined)
            continue;
        buf_add_char(out, '.');
        buf_add_str(out, condition_key(is));
        if (leads_on)
            index_add(out, t->at[i + 1]);
    }
}

bool place_say(const struct quote_campaign *c, const struct quote_place *at, struct buf *out)
{
    struct trail t = { .depth = 0 };
    if (at->condition && find(&t, c->when, c->when_count, at->condition)) {
        when_say(c, &t, out);
        return true;
    }
    if (at->action == 0)
        return false;
    buf_add_str(out, "give");
    if (c->give_count > 1)
        index_add(out, at->action);
    return true;
}
