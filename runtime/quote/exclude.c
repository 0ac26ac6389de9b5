/* Who does not combine with whom: `alone`, `group`, `not_with`. Names of other campaigns are resolved when all are known. */
#include "quote/rules_int.h"
#include <string.h>

enum { GROUP_MAX = 64 };

static const char prefix[] = "group:";

static int group_compile(struct spec *s, const struct spec_node *n, symbol *out)
{
    struct slice name;
    int rc = spec_text(s, n, GROUP_MAX, &name);
    if (rc < 0)
        return rc;
    struct slice full = arena_printf(s->arena, "%s%.*s", prefix, SLICE_FMT(name));
    *out = full.data ? symbols_intern(s->symbols, full) : 0;
    return *out ? 0 : spec_nomem(s);
}

int exclusions_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node alone = spec_member(n, "alone"), group = spec_member(n, "group"), not_with = spec_member(n, "not_with");
    int rc = 0;
    if (alone.v && !json_is_bool(alone.v, &c->alone))
        return spec_error(s, &alone, "is true or false");
    if (group.v)
        rc = group_compile(s, &group, &c->group);
    if (rc == 0 && not_with.v)
        rc = spec_names(s, &not_with, &c->not_with);
    return rc;
}

static bool group_known(const struct quote_rules *r, symbol group)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->campaigns[i].group == group)
            return true;
    return false;
}

static int link_one(struct spec *s, struct quote_rules *r, const struct quote_campaign *c)
{
    struct spec_node root = spec_root(NULL), n = { .up = &root, .key = "not_with" };
    s->at = c->at;
    for (uint32_t i = 0; i < c->not_with.count; i++) {
        struct slice name = symbols_name(s->symbols, c->not_with.items[i]);
        uint32_t other;
        if (name.len > sizeof prefix - 1 && memcmp(name.data, prefix, sizeof prefix - 1) == 0) {
            if (!group_known(r, c->not_with.items[i]))
                return spec_error(s, &n, "no campaign is of the %.*s; write the name that they have in `group`", SLICE_FMT(name));
        } else if (!quote_campaign_find(r, name, &other)) {
            return spec_error(s, &n, "there is no campaign \"%.*s\"; write its id, or \"group:NAME\" for all of a group", SLICE_FMT(name));
        } else if (&r->campaigns[other] == c) {
            return spec_error(s, &n, "\"%.*s\" is this campaign itself; name others", SLICE_FMT(name));
        } else {
            r->campaigns[other].self = c->not_with.items[i];
        }
    }
    return 0;
}

int exclusions_link(struct spec *s, struct quote_rules *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct quote_campaign *c = &r->campaigns[i];
        r->any_units_once = r->any_units_once || c->policies->units_once;
        r->any_exclusion = r->any_exclusion || c->alone || c->group || c->not_with.count;
        int rc = c->not_with.count ? link_one(s, r, c) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool named_by(const struct quote_campaign *a, const struct quote_campaign *b)
{
    return a->not_with.count && ((b->self && names_have(&a->not_with, b->self)) || (b->group && names_have(&a->not_with, b->group)));
}

const char *excludes(const struct quote_campaign *a, const struct quote_campaign *b)
{
    if (a->alone || b->alone)
        return "alone";
    if (a->group && a->group == b->group)
        return "group";
    return named_by(a, b) || named_by(b, a) ? "not_with" : NULL;
}
