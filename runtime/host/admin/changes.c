#include "host/admin/changes.h"

struct finding {
    const struct approval_rules *rules;
    const struct generation *live, *next;
    struct json_writer w;
    unsigned steps;
};

bool changes_are_gated(const struct generation *live)
{
    return generation_settings(live)->approvals.step_count > 0;
}

/* --- kinds of a campaign ------------------------------------------------------------------------------------------------------ */

static bool is_function(const struct json_value *v)
{
    return v->type == JSON_OBJECT && v->count == 1 && slice_is(v->first->key, "fn") && v->first->type == JSON_INT;
}

static bool has_function(const struct json_value *v)
{
    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
        return false;
    if (is_function(v))
        return true;
    for (const struct json_value *m = v->first; m; m = m->next)
        if (has_function(m))
            return true;
    return false;
}

struct kinds {
    struct finding *f;
    unsigned steps;
    bool any;
};

static void add_kind(struct kinds *k, struct slice kind)
{
    k->any = true;
    k->steps |= approvals_of_kind(k->f->rules, kind);
    json_string(&k->f->w, kind);
}

/* { percent_off = { ... } }, a list of such, or a function, which says for itself. */
static void add_actions(struct kinds *k, const struct json_value *give)
{
    if (!give || is_function(give))
        return;
    for (const struct json_value *m = give->type == JSON_OBJECT || give->type == JSON_ARRAY ? give->first : NULL; m; m = m->next) {
        if (give->type == JSON_ARRAY)
            add_actions(k, m);
        else
            add_kind(k, m->key);
    }
}

static unsigned write_kinds(struct finding *f, const struct json_value *campaign, const struct json_value *made_by)
{
    struct kinds k = { .f = f };
    struct slice use = { "", 0 };
    json_array(&f->w);
    if (made_by && json_is_string(json_get(made_by, "use"), &use)) {
        add_kind(&k, use);
    } else {
        add_actions(&k, json_get(campaign, "give"));
        if (has_function(campaign))
            add_kind(&k, SLICE_LIT("function"));
        if (!k.any)
            add_kind(&k, SLICE_LIT("other"));
    }
    json_array_end(&f->w);
    return k.steps;
}

/* --- files ---------------------------------------------------------------------------------------------------------------------- */

static bool is_in(const struct json_value *campaign, struct slice path)
{
    struct slice at = { "", 0 };
    json_is_string(json_get(campaign, "at"), &at);
    return at.len > path.len && memcmp(at.data, path.data, path.len) == 0 && at.data[path.len] == ':';
}

static void write_steps(struct finding *f, unsigned steps)
{
    json_array(&f->w);
    for (unsigned i = 0; i < f->rules->step_count; i++)
        if (steps & 1u << i)
            json_str(&f->w, f->rules->steps[i].name);
    json_array_end(&f->w);
}

/* What the file has in one of the generations; false: no campaign. */
static bool look_at(struct finding *f, const struct generation *g, struct slice path, const char *which, unsigned *steps)
{
    bool any = false;
    size_t i = 0;
    for (const struct json_value *c = generation_campaigns(g)->first; c; c = c->next, i++) {
        struct slice id = { "", 0 };
        if (!is_in(c, path))
            continue;
        json_is_string(json_get(c, "id"), &id);
        any = true;
        json_object(&f->w);
        json_key(&f->w, "id");
        json_string(&f->w, id);
        json_key(&f->w, "of");
        json_str(&f->w, which);
        json_key(&f->w, "kinds");
        unsigned needs = write_kinds(f, c, generation_made_by(g, i));
        json_key(&f->w, "steps");
        write_steps(f, needs);
        json_object_end(&f->w);
        *steps |= needs;
    }
    return any;
}

static bool is_campaign_file(struct slice path)
{
    return path.len > 14 && memcmp(path.data, "campaigns/", 10) == 0 && memcmp(path.data + path.len - 4, ".lua", 4) == 0;
}

static void one_file(struct finding *f, struct slice path, const char *change)
{
    unsigned steps = 0;
    bool any = false;
    json_object(&f->w);
    json_key(&f->w, "file");
    json_string(&f->w, path);
    json_key(&f->w, "change");
    json_str(&f->w, change);
    json_key(&f->w, "campaigns");
    json_array(&f->w);
    if (is_campaign_file(path)) {
        any = look_at(f, f->live, path, "before", &steps);
        any = look_at(f, f->next, path, "after", &steps) || any;
    }
    json_array_end(&f->w);
    if (!any)
        steps = approvals_all(f->rules);
    json_key(&f->w, "steps");
    write_steps(f, steps);
    json_object_end(&f->w);
    f->steps |= steps;
}

static int order_of(const struct source_file *a, const struct source_file *b)
{
    return !a ? 1 : !b ? -1 : slice_cmp(a->path, b->path);
}

int changes_find(const struct generation *live, const struct generation *next, struct arena *arena, unsigned *steps, struct slice *json,
                 struct err *err)
{
    const struct sources *a = generation_sources(live), *b = generation_sources(next);
    struct finding f = { .rules = &generation_settings(live)->approvals, .live = live, .next = next };
    struct buf out;
    buf_init(&out, NULL);
    json_writer_init(&f.w, &out);
    json_array(&f.w);
    for (size_t i = 0, k = 0; i < sources_count(a) || k < sources_count(b);) {
        const struct source_file *was = i < sources_count(a) ? sources_at(a, i) : NULL,
                                 *is = k < sources_count(b) ? sources_at(b, k) : NULL;
        int order = order_of(was, is);
        if (order < 0)
            one_file(&f, was->path, "removed");
        else if (order > 0)
            one_file(&f, is->path, "added");
        else if (!slice_eq(was->text, is->text))
            one_file(&f, is->path, "changed");
        i += order <= 0;
        k += order >= 0;
    }
    json_array_end(&f.w);
    *steps = f.steps;
    *json = out.failed ? (struct slice){ 0 } : arena_copy(arena, buf_slice(&out));
    buf_release(&out);
    return json->data ? 0 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}
