/* rulebook/approvals.h - inside of shop.lua: who must approve a change before it goes live.
 *
 *   approvals = {
 *     steps = { { name = "business", roles = { "business" } }, { name = "legal", roles = { "legal", "owner" } } },   -- one to three, in
 * this order kinds = { percent_off = { "business" }, ["group-buy.big"] = { "business", "legal" }, gift = {} },           -- which of them;
 * others: all second_factor = true,                                                                                       -- only who
 * signed in with a code
 *   }
 */
#pragma once
#include "rulebook/reader.h"

enum { APPROVAL_STEPS_MAX = 3, APPROVAL_ROLES_MAX = 5 };

struct approval_step {
    const char *name;
    const char *roles[APPROVAL_ROLES_MAX + 1]; /* ended by NULL */
};
struct approval_kind {
    struct slice kind; /* an action of promo ("percent_off"), "function", or a campaign type of a plugin ("group-buy.big") */
    unsigned steps;    /* mask of the steps it needs */
};
struct approval_rules {
    struct approval_step steps[APPROVAL_STEPS_MAX];
    unsigned step_count; /* 0: nothing has to be approved */
    struct approval_kind *kinds;
    uint32_t kind_count;
    bool second_factor;
};

/* v: the member of shop.lua, NULL = there is none. */
int approvals_check(const struct reader *r, const struct json_value *v, struct approval_rules *out);
/* The steps that a campaign of this kind needs. */
unsigned approvals_of_kind(const struct approval_rules *a, struct slice kind);
static inline unsigned approvals_all(const struct approval_rules *a)
{
    return (1u << a->step_count) - 1;
}
