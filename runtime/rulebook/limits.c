#include "rulebook/limits.h"
#include "base/schema.h"
#include "rulebook/manifest.h"
#include "vm/vm.h"
#include <stdio.h>

static const char *const names[] = { "rule", "handler", "procedure", "subscriber", "timer", "job", "check", "load", NULL };

/* fuel: of one call; a unit is worth some four nanoseconds. most_fuel: what others wait for may not be put higher, so that no call holds a
 * worker or the writer for more than a fifth of a second. */
static const struct {
    int64_t fuel, most_fuel;
    int memory_kib;
} kinds[LIMIT_KINDS] = {
    [LIMIT_RULE] = { 10000000, 20000000, 16384 },      [LIMIT_HANDLER] = { 10000000, 20000000, 32768 },
    [LIMIT_PROCEDURE] = { 10000000, 20000000, 32768 }, [LIMIT_SUBSCRIBER] = { 5000000, 20000000, 32768 },
    [LIMIT_TIMER] = { 10000000, 20000000, 32768 },     [LIMIT_JOB] = { 10000000, 100000000, 32768 },
    [LIMIT_CHECK] = { 10000000, 100000000, 32768 },    [LIMIT_LOAD] = { 10000000, 100000000, 49152 },
};

const char *limit_kind_name(enum limit_kind kind)
{
    return names[kind];
}

enum limit_kind limit_of_hook(const struct hook *h)
{
    switch (h->kind) {
    case HOOK_ROUTE:
        return h->as == AS_HANDLER ? LIMIT_HANDLER : LIMIT_PROCEDURE;
    case HOOK_PAYMENT:
        return LIMIT_HANDLER;
    case HOOK_PROCEDURE:
        return LIMIT_PROCEDURE;
    case HOOK_SUBSCRIBER:
        return LIMIT_SUBSCRIBER;
    case HOOK_TIMER:
        return h->as == AS_JOB ? LIMIT_JOB : LIMIT_TIMER;
    case HOOK_CHECK:
        return LIMIT_CHECK;
    case HOOK_CAMPAIGN:
        return LIMIT_LOAD;
    default:
        return LIMIT_RULE;
    }
}

void limits_default(struct limits *out)
{
    for (int k = 0; k < LIMIT_KINDS; k++)
        out->of[k] = (struct limit){ kinds[k].fuel, (size_t)kinds[k].memory_kib << 10 };
}

/* --- what shop.lua says --------------------------------------------------------------------------------------------------- */

static int check_number(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, int64_t min,
                        int64_t max)
{
    int64_t n = 0;
    bool given = false;
    struct place here = place_in(at, key);
    int rc = reader_int(r, at, v, key, &given, &n);
    if (rc < 0 || !given || (n >= min && n <= max))
        return rc;
    return reader_fail(r, &here, "is %lld; it goes from %lld to %lld", (long long)n, (long long)min, (long long)max);
}

static int check_kind(const struct reader *r, const struct place *up, const struct json_value *v)
{
    static const char *const members[] = { "fuel", "memory_kib", NULL };
    struct place at = place_named(up, v->key);
    size_t k = 0;
    while (!slice_is(v->key, names[k])) /* it is known */
        k++;
    int rc = reader_table(r, &at, v);
    if (rc == 0)
        rc = reader_known(r, &at, v, members);
    if (rc == 0)
        rc = check_number(r, &at, v, "fuel", LIMIT_FUEL_MIN, kinds[k].most_fuel);
    if (rc == 0)
        rc = check_number(r, &at, v, "memory_kib", LIMIT_MEMORY_MIN_KIB, LIMIT_MEMORY_MAX_KIB);
    return rc;
}

static int check_owner(const struct reader *r, const struct place *up, const struct json_value *v, const char *const *owners)
{
    struct place at = place_named(up, v->key);
    bool campaigns = slice_is(v->key, LIMITS_CAMPAIGNS), known = campaigns;
    char hint[64];
    for (size_t i = 0; owners[i] && !known; i++)
        known = slice_is(v->key, owners[i]);
    if (!known)
        return reader_fail(r, &at, "no plugin of that name is turned on%s; limits are for plugins, and for \"" LIMITS_CAMPAIGNS "\"",
                           reader_hint(hint, v->key, owners));
    int rc = reader_table(r, &at, v);
    if (rc == 0)
        rc = reader_known(r, &at, v, names);
    for (const struct json_value *k = rc == 0 ? v->first : NULL; k && rc == 0; k = k->next) {
        struct place here = place_named(&at, k->key);
        if (campaigns && !slice_is(k->key, "rule") && !slice_is(k->key, "load"))
            return reader_fail(r, &here, "campaigns have nothing of this kind; they have rule and load");
        rc = check_kind(r, &at, k);
    }
    return rc;
}

int limits_check(const struct reader *r, const struct json_value *given, const char *const *owners)
{
    const struct place root = { 0 };
    struct place here = place_in(&root, "limits");
    int rc = given ? reader_table(r, &here, given) : 0;
    for (const struct json_value *v = given && rc == 0 ? given->first : NULL; v && rc == 0; v = v->next)
        rc = check_owner(r, &here, v, owners);
    return rc;
}

void limits_read(const struct json_value *given, const char *owner, struct limits *out)
{
    const struct json_value *own = json_get(given, owner);
    limits_default(out);
    for (int k = 0; k < LIMIT_KINDS; k++) {
        const struct json_value *v = json_get(own, names[k]);
        int64_t n;
        if (json_is_int(json_get(v, "fuel"), &n))
            out->of[k].fuel = n;
        if (json_is_int(json_get(v, "memory_kib"), &n))
            out->of[k].memory_bytes = (size_t)n << 10;
    }
}

/* --- around calls ------------------------------------------------------------------------------------------------------------ */

void limits_hold(struct vm *v, const struct limit *l, struct limits_hold *hold)
{
    hold->fuel = vm_set_fuel(v, l->fuel);
    hold->memory_bytes = vm_set_growth(v, l->memory_bytes);
}

int limits_let_go(struct vm *v, const struct limits_hold *hold, const char *owner, enum limit_kind kind, int rc, struct err *err)
{
    vm_set_fuel(v, hold->fuel);
    vm_set_growth(v, hold->memory_bytes);
    if ((rc == ERR_FUEL || rc == ERR_MEMORY_CAP) && err) {
        size_t n = strlen(err->text);
        snprintf(err->text + n, sizeof err->text - n, " (the limit: limits[\"%s\"].%s.%s of shop.lua)", owner, names[kind],
                 rc == ERR_FUEL ? "fuel" : "memory_kib");
    }
    return rc;
}
