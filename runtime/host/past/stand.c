#include "host/past/stand.h"
#include "bind/functions.h"
#include "host/plugins/plugins.h"
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while rules are opened.");
}

/* --- rules ------------------------------------------------------------------------------------------------------------------ */

enum { KEPT_MAX = 4, BROKEN_MAX = 256 };

struct past_rules {
    struct shop *shop;
    pthread_mutex_t lock;
    struct {
        char id[GENERATION_ID_MAX];
        struct generation *generation;
        uint64_t used;
    } kept[KEPT_MAX];
    uint64_t tick;
    struct {
        char id[GENERATION_ID_MAX];
        struct err err;
    } * broken;
    size_t broken_count;
};

/* Without the shop: the secrets of settings are not looked up; they may be others by now, or gone. */
static int open_plugin(void *ctx, struct vm *vm, struct generation *g, const struct generation_plugin *plugin, vm_ref *settings,
                       struct err *err)
{
    (void)ctx;
    return plugins_open_one(NULL, vm, g, plugin, settings, err);
}

int past_rules_build(struct shop *s, struct sources *src, struct generation **out, struct err *err)
{
    struct rulebook_options o = s->rulebook;
    o.open_plugin = open_plugin;
    return generation_build(&o, src, out, err);
}

int past_rules_open(struct shop *s, struct past_rules **out, struct err *err)
{
    struct past_rules *p = *out = calloc(1, sizeof *p);
    if (p)
        p->broken = calloc(BROKEN_MAX, sizeof *p->broken);
    if (!p || !p->broken) {
        free(p);
        *out = NULL;
        return nomem(err);
    }
    p->shop = s;
    pthread_mutex_init(&p->lock, NULL);
    return 0;
}

void past_rules_close(struct past_rules *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        generation_unref(p->kept[i].generation);
    pthread_mutex_destroy(&p->lock);
    free(p->broken);
    free(p);
}

static int build(struct past_rules *p, struct store_conn *conn, struct slice id, struct generation **out, struct err *err)
{
    struct sources *src;
    int rc = revision_load(conn, id, &src, err);
    if (rc == 0 && (rc = past_rules_build(p->shop, src, out, err)) < 0)
        sources_free(src);
    return rc;
}

static void keep(struct past_rules *p, struct slice id, struct generation *g)
{
    size_t oldest = 0;
    for (size_t i = 1; i < KEPT_MAX; i++)
        if (p->kept[i].used < p->kept[oldest].used)
            oldest = i;
    generation_unref(p->kept[oldest].generation);
    p->kept[oldest].generation = generation_ref(g);
    p->kept[oldest].used = ++p->tick;
    snprintf(p->kept[oldest].id, GENERATION_ID_MAX, "%.*s", SLICE_FMT(id));
}

static int find_locked(struct past_rules *p, struct store_conn *conn, struct slice id, struct generation **out, struct err *err)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (p->kept[i].generation && slice_is(id, p->kept[i].id)) {
            p->kept[i].used = ++p->tick;
            *out = generation_ref(p->kept[i].generation);
            return 0;
        }
    }
    for (size_t i = 0; i < p->broken_count; i++) {
        if (slice_is(id, p->broken[i].id)) {
            *err = p->broken[i].err;
            return err->code;
        }
    }
    int rc = build(p, conn, id, out, err);
    if (rc == 0)
        keep(p, id, *out);
    else if (rc != ERR_NOMEM && rc != ERR_IO && p->broken_count < BROKEN_MAX) {
        snprintf(p->broken[p->broken_count].id, GENERATION_ID_MAX, "%.*s", SLICE_FMT(id));
        p->broken[p->broken_count++].err = *err;
    }
    return rc;
}

/* Whoever comes while it is built waits: he most likely wants the same. */
int past_rules_find(struct past_rules *p, struct store_conn *conn, struct slice generation, struct generation **out, struct err *err)
{
    *out = NULL;
    pthread_mutex_lock(&p->lock);
    int rc = find_locked(p, conn, generation, out, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* --- a state ---------------------------------------------------------------------------------------------------------------- */

struct stand {
    struct generation *generation;
    struct vm *vm;
    struct bind_context *bind;
    struct quote_hooks functions;
    struct figures *figures; /* for the limits of functions */
    struct figures_part *part;
    char id[GENERATION_ID_MAX]; /* by which it was asked for; another one than its own under another version of the program */
    stand_left left;
    void *left_ctx;
    struct catalogue_snapshot *catalogue;
};

int stand_open(struct shop *s, struct generation *g, bool was_live, struct stand **out, struct err *err)
{
    *out = NULL;
    struct stand *st = calloc(1, sizeof *st);
    if (!st || !(st->figures = figures_new())) {
        free(st);
        return nomem(err);
    }
    st->generation = generation_ref(g);
    int rc = generation_open_vm(g, &st->vm, err);
    if (rc == 0) {
        st->bind = bind_context_of(st->vm);
        st->bind->log = NULL;
        st->bind->signs_nothing = !was_live;
        shop_signs(s, st->bind);
        st->functions = bind_quote_hooks(st->vm);
        rc = figures_open(st->figures, st->vm, g, &st->part, err);
    }
    if (rc < 0)
        stand_close(st);
    else
        *out = st;
    return rc;
}

void stand_close(struct stand *st)
{
    if (!st)
        return;
    if (st->vm) {
        bind_set_functions(st->vm, NULL);
        shop_close_vm(st->vm);
    }
    figures_close(st->part);
    figures_free(st->figures);
    generation_unref(st->generation);
    free(st);
}

void stand_give(struct stand *st, struct catalogue_snapshot *catalogue)
{
    st->catalogue = catalogue;
}

bool stand_wanted_to_sign(const struct stand *st)
{
    return st->bind->wanted_to_sign;
}

struct generation *stand_generation(const struct stand *st)
{
    return st->generation;
}

/* --- pricing: the functions find their own state as ctx, what is left is asked of whoever computes ------------------------------- */

static int condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    struct stand *st = ctx;
    return st->functions.condition(st->functions.ctx, fn, e, holds, err);
}

static int action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct stand *st = ctx;
    return st->functions.action(st->functions.ctx, fn, e, err);
}

static int pricing(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct stand *st = ctx;
    return st->functions.pricing(st->functions.ctx, fn, e, err);
}

static int shipping_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct stand *st = ctx;
    return st->functions.shipping_rates(st->functions.ctx, fn, e, err);
}

static int tax_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct stand *st = ctx;
    return st->functions.tax_rates(st->functions.ctx, fn, e, err);
}

static bool left_over(void *ctx, struct slice account, int64_t *left)
{
    struct stand *st = ctx;
    return st->left && st->left(st->left_ctx, account, left);
}

static bool product(void *ctx, symbol sku, struct quote_extra *out)
{
    struct stand *st = ctx;
    const struct catalogue_product *p = st->catalogue ? catalogue_find(st->catalogue, sku) : NULL;
    if (!p || p->status != PRODUCT_ACTIVE || p->has_variants)
        return false;
    *out = (struct quote_extra){ .product = p->facts, .for_sale = true, .left = INT64_MAX };
    return true;
}

/* What a plugin said of a code is in the tags of the evidence, and not asked again. */
static int codes_are_past(struct quote_cart *cart, struct arena *arena, struct err *err)
{
    struct quote_typed *typed = arena_array(arena, cart->code_count + 1, sizeof *typed);
    if (!typed)
        return err_set(err, ERR_NOMEM, "out of memory while pricing an order of the past; try again");
    for (size_t i = 0; i < cart->code_count; i++)
        typed[i].refused = "not_asked";
    cart->typed = typed;
    return 0;
}

int stand_price(struct stand *st, struct quote_cart *cart, stand_left left, void *ctx, struct arena *arena, struct quote_result *out,
                struct err *err)
{
    const struct quote_hooks hooks = {
        .ctx = st,
        .condition = condition,
        .action = action,
        .pricing = pricing,
        .shipping_rates = shipping_rates,
        .tax_rates = tax_rates,
        .left = left_over,
        .product = product,
    };
    st->left = left;
    st->left_ctx = ctx;
    st->bind->arena = arena;
    st->bind->conn = NULL;
    st->bind->wanted_to_sign = false;
    int rc = codes_are_past(cart, arena, err);
    return rc < 0 ? rc : quote_price(generation_rules(st->generation), cart, &hooks, arena, out, err);
}

/* --- those of a thread ------------------------------------------------------------------------------------------------------- */

int stands_find(struct stands *s, struct store_conn *conn, struct slice generation, struct stand **out, struct err *err)
{
    size_t i = 0;
    while (i < STANDS_MAX - 1 && s->list[i] && !slice_is(generation, s->list[i]->id))
        i++;
    struct stand *found = s->list[i];
    if (!found || !slice_is(generation, found->id)) {
        struct generation *g;
        int rc = past_rules_find(s->rules, conn, generation, &g, err);
        if (rc < 0)
            return rc;
        struct stand *fresh;
        rc = stand_open(s->shop, g, true, &fresh, err);
        generation_unref(g);
        if (rc < 0)
            return rc;
        snprintf(fresh->id, sizeof fresh->id, "%.*s", SLICE_FMT(generation));
        stand_close(found);
        found = fresh;
    }
    for (; i > 0; i--)
        s->list[i] = s->list[i - 1];
    s->list[0] = found;
    *out = found;
    return 0;
}

void stands_release(struct stands *s)
{
    for (size_t i = 0; i < STANDS_MAX; i++)
        stand_close(s->list[i]);
    memset(s->list, 0, sizeof s->list);
}
