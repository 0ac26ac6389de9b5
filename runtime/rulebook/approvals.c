#include "rulebook/approvals.h"
#include <string.h>

static const char *const role_words[] = { "business", "legal", "owner", NULL };

static int read_roles(const struct reader *r, const struct place *up, const struct json_value *v, struct approval_step *out)
{
    struct place at = place_in(up, "roles");
    const struct json_value *first = NULL;
    uint32_t count = 0, i = 0;
    const struct json_value *list = json_get(v, "roles");
    if (!list)
        return reader_fail(r, &at, "is missing; write roles = { \"business\" }: whoever has one of them may approve this step");
    int rc = reader_list(r, &at, list, APPROVAL_ROLES_MAX, &first, &count);
    if (rc == 0 && count == 0)
        return reader_fail(r, &at, "is empty; nobody could approve this step");
    for (const struct json_value *m = first; m && rc == 0; m = m->next, i++) {
        struct place here = place_nth(&at, i + 1);
        struct slice text = { "", 0 };
        bool known = json_is_string(m, &text);
        size_t k = 0;
        while (known && role_words[k] && !slice_is(text, role_words[k]))
            k++;
        if (!known || !role_words[k])
            return reader_fail(r, &here, "is no role that approves; these are business, legal and owner");
        out->roles[i] = role_words[k];
    }
    return rc;
}

static int read_step(const struct reader *r, const struct place *at, const struct json_value *v, struct approval_rules *out)
{
    static const char *const members[] = { "name", "roles", NULL };
    struct approval_step *step = &out->steps[out->step_count];
    struct place name = place_in(at, "name");
    int rc = reader_table(r, at, v);
    if (rc == 0)
        rc = reader_known(r, at, v, members);
    if (rc == 0)
        rc = reader_text(r, at, v, "name", true, &step->name);
    if (rc == 0 && !name_is(slice_str(step->name), '-', 32))
        rc = reader_fail(r, &name, "is a word of small letters, digits and hyphens, like \"legal\"");
    for (unsigned i = 0; rc == 0 && i < out->step_count; i++)
        if (strcmp(out->steps[i].name, step->name) == 0)
            rc = reader_fail(r, &name, "is the name of an earlier step, too");
    if (rc == 0)
        rc = read_roles(r, at, v, step);
    out->step_count += rc == 0;
    return rc;
}

static int read_steps(const struct reader *r, const struct place *up, const struct json_value *v, struct approval_rules *out)
{
    struct place at = place_in(up, "steps");
    const struct json_value *first = NULL;
    uint32_t count = 0, i = 0;
    if (!json_get(v, "steps"))
        return reader_fail(r, &at, "is missing; write steps = { { name = \"legal\", roles = { \"legal\" } } }, or leave approvals out");
    int rc = reader_list(r, &at, json_get(v, "steps"), APPROVAL_STEPS_MAX, &first, &count);
    for (const struct json_value *m = first; m && rc == 0; m = m->next) {
        struct place here = place_nth(&at, ++i);
        rc = read_step(r, &here, m, out);
    }
    return rc;
}

static int read_kind(const struct reader *r, const struct place *at, const struct json_value *v, struct approval_rules *out)
{
    struct approval_kind *kind = &out->kinds[out->kind_count];
    const struct json_value *first = NULL;
    uint32_t count = 0, i = 0;
    *kind = (struct approval_kind){ .kind = v->key };
    int rc = reader_list(r, at, v, APPROVAL_STEPS_MAX, &first, &count);
    for (const struct json_value *m = first; m && rc == 0; m = m->next) {
        struct place here = place_nth(at, ++i);
        struct slice name = { "", 0 };
        unsigned k = 0;
        json_is_string(m, &name);
        while (k < out->step_count && !slice_is(name, out->steps[k].name))
            k++;
        if (k == out->step_count)
            return reader_fail(r, &here, "is no step; these are named in approvals.steps");
        kind->steps |= 1u << k;
    }
    out->kind_count++;
    return rc;
}

static int read_kinds(const struct reader *r, const struct place *up, const struct json_value *v, struct approval_rules *out)
{
    struct place at = place_in(up, "kinds");
    const struct json_value *kinds = json_get(v, "kinds");
    if (!kinds || kinds->count == 0)
        return 0;
    int rc = reader_table(r, &at, kinds);
    out->kinds = rc == 0 ? arena_array(r->arena, kinds->count, sizeof *out->kinds) : NULL;
    if (rc == 0 && !out->kinds)
        return reader_nomem(r);
    for (const struct json_value *m = rc == 0 ? kinds->first : NULL; m && rc == 0; m = m->next) {
        struct place here = place_named(&at, m->key);
        rc = read_kind(r, &here, m, out);
    }
    return rc;
}

int approvals_check(const struct reader *r, const struct json_value *v, struct approval_rules *out)
{
    static const char *const members[] = { "steps", "kinds", "second_factor", NULL };
    struct place at = place_in(NULL, "approvals");
    *out = (struct approval_rules){ 0 };
    if (!v)
        return 0;
    int rc = reader_table(r, &at, v);
    if (rc == 0)
        rc = reader_known(r, &at, v, members);
    if (rc == 0)
        rc = read_steps(r, &at, v, out);
    if (rc == 0)
        rc = read_kinds(r, &at, v, out);
    return rc < 0 ? rc : reader_bool(r, &at, v, "second_factor", &out->second_factor);
}

unsigned approvals_of_kind(const struct approval_rules *a, struct slice kind)
{
    for (uint32_t i = 0; i < a->kind_count; i++)
        if (slice_eq(a->kinds[i].kind, kind))
            return a->kinds[i].steps;
    return approvals_all(a);
}
