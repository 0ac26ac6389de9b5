#include "host/publish/tryout.h"
#include "bind/facts.h"
#include "bind/functions.h"
#include "crypto/crypto.h"
#include "host/plugins/facts.h"
#include "host/care/figures.h"
#include "host/plugins/plugins.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    PRODUCTS_PLAIN = 20, /* of a cart, whatever they are, ... */
    PRODUCTS_MAX = 120,  /* ... and those that a campaign with a function is about */
    LOOK_AT_MAX = 2000,  /* products of the catalogue */
    SAID_MAX = 400,
};

struct tried {                /* one campaign, or one function of a plugin */
    unsigned calls, failures; /* as a quote calls it */
    bool asked;               /* it was not called, and was asked all the same */
    char said[SAID_MAX];      /* by the last failure */
};

struct trying {
    struct shop *shop;
    struct generation *g;
    const struct quote_rules *rules;
    struct vm *vm;
    struct bind_context *bind;
    struct quote_hooks functions, hooks; /* what runs them; what also counts */
    struct arena arena;
    struct catalogue_snapshot *catalogue;
    struct quote_product products[PRODUCTS_MAX];
    size_t product_count;
    struct tried *campaigns, *hooked; /* hooked: by number of the function, less first_fn */
    int first_fn;
    size_t hooked_count;
    bool asking; /* quote_try() is running */
    int64_t until_ms;
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while rules are tried on a sample cart.");
}

static bool is_late(const struct trying *t)
{
    return clock_mono_ns(t->shop->options.clock) / 1000000 > t->until_ms;
}

/* --- counting ------------------------------------------------------------------------------------------------------------------- */

static void note(const struct trying *t, struct tried *one, int rc, const struct err *err)
{
    if (!one || rc == ERR_RETRY || rc == ERR_NOMEM || rc == ERR_INTERNAL)
        return;
    if (t->asking)
        one->asked = true;
    one->calls++;
    if (rc >= 0)
        return;
    one->failures++;
    size_t n = err ? strcspn(err->text, "\n") : 0;
    snprintf(one->said, sizeof one->said, "%.*s", (int)n, err ? err->text : "");
}

static struct tried *of_fn(const struct trying *t, int fn)
{
    return fn >= t->first_fn && (size_t)(fn - t->first_fn) < t->hooked_count ? &t->hooked[fn - t->first_fn] : NULL;
}

static int condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    struct trying *t = ctx;
    int rc = t->functions.condition(t->functions.ctx, fn, e, holds, err);
    note(t, &t->campaigns[quote_eval_campaign(e)], rc, err);
    return rc;
}

static int action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct trying *t = ctx;
    int rc = t->functions.action(t->functions.ctx, fn, e, err);
    note(t, &t->campaigns[quote_eval_campaign(e)], rc, err);
    return rc;
}

static int pricing(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct trying *t = ctx;
    int rc = t->functions.pricing(t->functions.ctx, fn, e, err);
    note(t, of_fn(t, fn), rc, err);
    return rc;
}

static int shipping_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct trying *t = ctx;
    int rc = t->functions.shipping_rates(t->functions.ctx, fn, e, err);
    note(t, of_fn(t, fn), rc, err);
    return rc;
}

static int tax_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct trying *t = ctx;
    int rc = t->functions.tax_rates(t->functions.ctx, fn, e, err);
    note(t, of_fn(t, fn), rc, err);
    return rc;
}

static bool left(void *ctx, struct slice account, int64_t *out)
{
    struct trying *t = ctx;
    return t->functions.left(t->functions.ctx, account, out);
}

/* --- carts ------------------------------------------------------------------------------------------------------------------------ */

/* One product at least for each campaign that has a function, where there is one. */
static void choose_products(struct trying *t, bool *covered)
{
    symbol at = 0;
    const struct catalogue_product *p;
    size_t plain = 0;
    for (size_t looked = 0; looked < LOOK_AT_MAX && t->product_count < PRODUCTS_MAX && (p = catalogue_next(t->catalogue, &at)); looked++) {
        if (p->status != PRODUCT_ACTIVE || p->has_variants)
            continue;
        bool wanted = plain < PRODUCTS_PLAIN;
        plain += wanted;
        for (uint32_t i = 0; i < quote_rules_count(t->rules); i++) {
            if (covered[i] || !quote_campaign_calls(t->rules, i) || !quote_campaign_wants(t->rules, i, &p->facts))
                continue;
            covered[i] = wanted = true;
        }
        if (wanted)
            t->products[t->product_count++] = p->facts;
    }
}

static int make_cart(struct trying *t, size_t lines, int64_t qty, struct quote_cart *out, struct err *err)
{
    *out = (struct quote_cart){ .at_ms = clock_wall_ms(t->shop->options.clock), .seed = 1, .line_count = lines };
    out->lines = arena_array(&t->arena, lines, sizeof *out->lines);
    if (!out->lines)
        return nomem(err);
    for (size_t i = 0; i < lines; i++)
        out->lines[i] =
            (struct quote_line){ .product = t->products[i], .qty = qty + (int64_t)(i % 2), .unit_price_minor = t->products[i].price_minor };
    return 0;
}

/* Somebody of the shop; no customers: 0. */
static int find_customer(struct trying *t, struct store_conn *conn, struct quote_cart *cart, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT customer, version FROM customers ORDER BY rowid DESC LIMIT 1", &q, err);
    if (rc < 0 || (rc = store_step(q, err)) <= 0)
        return rc;
    cart->customer = arena_copy(&t->arena, store_column_text(q, 0));
    cart->customer_version = store_column_int(q, 1);
    store_reset(q);
    return cart->customer.data ? 1 : nomem(err);
}

/* What can't be read is a fact that is not there: its table comes with the rules. */
static int read_facts(struct trying *t, struct store_conn *conn, struct quote_cart *cart, struct err *err)
{
    const struct plugin_state *s = plugin_state_of(t->vm);
    struct quote_fact *facts = arena_array(&t->arena, s->fact_count + 1, sizeof *facts);
    if (!facts)
        return nomem(err);
    t->bind->conn = conn;
    cart->facts = facts;
    for (size_t i = 0; i < s->fact_count && !is_late(t); i++) {
        struct err cause = { 0 };
        struct quote_fact *f = &facts[cart->fact_count];
        if (s->facts[i].of_codes)
            continue; /* there are no codes that a sample could type */
        int rc = bind_fact(t->vm, &s->facts[i], cart, t->shop->symbols, f, &cause);
        if (rc < 0)
            continue;
        bool failed = rc == 1 && f->kind == QUOTE_FACT_FAILED;
        note(t, of_fn(t, s->facts[i].fn), failed ? cause.code : 0, &cause);
        cart->fact_count += (size_t)rc;
    }
    return 0;
}

/* A rule that fails ends the quote where it must not be left out; what would have come behind it is not tried then. */
static void price(struct trying *t, struct quote_cart *cart)
{
    struct quote_result result;
    struct err ignored = { 0 };
    t->bind->arena = &t->arena;
    quote_price(t->rules, cart, &t->hooks, &t->arena, &result, &ignored);
}

static int price_carts(struct trying *t, struct store_conn *conn, struct err *err)
{
    static const struct {
        int64_t qty;
        bool customer, one_line;
    } kinds[] = { { 1, false, false }, { 2, true, false }, { 1, false, true }, { 3, false, true } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !is_late(t); i++) {
        struct quote_cart cart;
        int rc = make_cart(t, kinds[i].one_line ? 1 : t->product_count, kinds[i].qty, &cart, err);
        if (rc == 0 && kinds[i].customer && (rc = find_customer(t, conn, &cart, err)) == 1)
            rc = read_facts(t, conn, &cart, err);
        if (rc < 0)
            return rc;
        price(t, &cart);
    }
    return 0;
}

/* Campaigns that these carts do not reach as they are: a code is missing, it has not begun. */
static int ask_the_others(struct trying *t, struct err *err)
{
    t->asking = true;
    for (uint32_t i = 0; i < quote_rules_count(t->rules) && !is_late(t); i++) {
        struct quote_cart cart;
        struct err ignored = { 0 };
        if (t->campaigns[i].calls || !quote_campaign_calls(t->rules, i))
            continue;
        int rc = make_cart(t, t->product_count, 2, &cart, err);
        if (rc < 0)
            return rc;
        quote_try(t->rules, i, &cart, &t->hooks, &t->arena, &ignored);
    }
    t->asking = false;
    return 0;
}

/* --- what is found ---------------------------------------------------------------------------------------------------------------- */

/* "fact x: campaigns/tea.lua:7: what" → "campaigns/tea.lua:7", and *rest behind it. */
static struct slice place_of(const char *text, const char **rest)
{
    for (const char *from = text, *next; from; from = next) {
        const char *colon = strchr(from, ':');
        size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
        next = colon && colon[1] == ' ' ? colon + 2 : NULL;
        if (!digits || strncmp(colon + 1 + digits, ": ", 2) != 0 || memchr(from, ' ', (size_t)(colon - from)))
            continue;
        *rest = colon + digits + 3;
        return slice_of(from, (size_t)(colon + 1 + digits - from));
    }
    *rest = text;
    return slice_str("");
}

static bool put(struct arena *a, struct json_value *object, struct json_value **last, const char *key, struct slice text)
{
    struct slice copy = arena_copy(a, text);
    struct json_value *v = copy.data ? json_new_string(a, copy) : NULL;
    if (!v)
        return false;
    v->key = slice_str(key);
    json_append(object, *last, v);
    *last = v;
    return true;
}

static int report(struct submission *found, const struct tried *one, const char *subject, bool needed, struct err *err)
{
    struct bind_findings *f = &found->found;
    struct json_value *v = json_new(f->arena, JSON_OBJECT), *last = NULL;
    const char *rest;
    bool block = needed && !one->asked;
    struct slice at = place_of(one->said, &rest);
    char text[SAID_MAX + 160];
    snprintf(text, sizeof text, "%s fails on a sample cart%s: %s", subject, one->asked ? ", asked although it would not apply to it" : "",
             rest);
    if (!v || !put(f->arena, v, &last, "check", slice_str("feira")) || !put(f->arena, v, &last, "rule", slice_str("dry_run")) ||
        !put(f->arena, v, &last, "level", slice_str(block ? "block" : "warn")) || !put(f->arena, v, &last, "text", slice_str(text)) ||
        !put(f->arena, v, &last, "subject", slice_str(subject)) || !put(f->arena, v, &last, "at", at))
        return nomem(err);
    json_append(f->list, f->last, v);
    f->last = v;
    f->blocks += block;
    return 0;
}

static bool always_failed(const struct tried *one)
{
    return one->calls && one->failures == one->calls;
}

static int report_all(struct trying *t, struct submission *found, struct err *err)
{
    char subject[200];
    int rc = 0;
    for (uint32_t i = 0; i < quote_rules_count(t->rules) && rc == 0; i++) {
        struct slice id = quote_campaign_id(t->rules, i);
        snprintf(subject, sizeof subject, "campaign %.*s", SLICE_FMT(id));
        if (always_failed(&t->campaigns[i]))
            rc = report(found, &t->campaigns[i], subject, quote_campaign_refuses(t->rules, i), err);
    }
    for (size_t i = 0; i < t->hooked_count && rc == 0; i++) {
        struct hook_ref ref;
        if (!always_failed(&t->hooked[i]) || !generation_hook_of(t->g, t->first_fn + (int)i, &ref))
            continue;
        snprintf(subject, sizeof subject, "plugin %s, %s.%s", ref.plugin->name, hook_section(ref.hook->kind), ref.hook->name);
        rc = report(found, &t->hooked[i], subject, ref.hook->kind != HOOK_FACT && ref.hook->on_failure == FAILURE_REFUSE, err);
    }
    return rc;
}

/* No sample has a link that somebody got, and whoever submits rules could have a true signature told in their error. A plugin that verifies
 * what it signed finds it good, here and nowhere else. The name ends with a NUL, which is in no name. */
static void made_up_signature(void *ctx, const char *plugin, struct slice text, unsigned char mac[SHA256_BYTES])
{
    struct sha256 *h = sha256_new();
    (void)ctx;
    memset(mac, 0, SHA256_BYTES);
    if (!h)
        return; /* out of memory: one signature is as good as another */
    sha256_add(h, slice_of(plugin, strlen(plugin) + 1));
    sha256_add(h, text);
    sha256_end(h, mac);
}

/* --- all of it -------------------------------------------------------------------------------------------------------------------- */

static bool anything_to_try(const struct trying *t)
{
    static const enum hook_kind kinds[] = { HOOK_PRICING, HOOK_SHIPPING_RATES, HOOK_TAX_RATES, HOOK_FACT };
    size_t n = 0, all = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        plugin_set_hooks(generation_plugins(t->g), kinds[i], &n);
        all += n;
    }
    for (uint32_t i = 0; i < quote_rules_count(t->rules) && !all; i++)
        all += quote_campaign_calls(t->rules, i);
    return all > 0 && catalogue_count(t->catalogue) > 0;
}

static int count_hooks(struct trying *t, struct err *err)
{
    const struct plugin_set *set = generation_plugins(t->g);
    int last = 0;
    for (size_t i = 0; i < plugin_set_count(set); i++) {
        const struct generation_plugin *p = generation_plugin(t->g, plugin_set_at(set, i));
        int end = p->first_fn + (int)p->manifest->hook_count;
        t->first_fn = i == 0 || p->first_fn < t->first_fn ? p->first_fn : t->first_fn;
        last = end > last ? end : last;
    }
    t->hooked_count = plugin_set_count(set) ? (size_t)(last - t->first_fn) : 0;
    t->hooked = calloc(t->hooked_count + 1, sizeof *t->hooked);
    t->campaigns = calloc(quote_rules_count(t->rules) + 1, sizeof *t->campaigns);
    return t->hooked && t->campaigns ? 0 : nomem(err);
}

static int run(struct trying *t, struct store_conn *conn, struct submission *found, struct err *err)
{
    bool *covered = calloc(quote_rules_count(t->rules) + 1, sizeof *covered);
    int rc = covered ? count_hooks(t, err) : nomem(err);
    if (rc == 0)
        choose_products(t, covered);
    free(covered);
    if (rc < 0 || t->product_count == 0)
        return rc;
    rc = generation_open_vm(t->g, &t->vm, err);
    if (rc < 0)
        return rc;
    struct figures *figures = figures_new(); /* for the limits: what is tried here is nobody's daily work */
    struct figures_part *part = NULL;
    t->bind = bind_context_of(t->vm);
    const struct bind_context before = *t->bind;
    t->bind->log = NULL; /* what fails here is told once, as a finding */
    t->bind->sign = made_up_signature;
    t->bind->arena = &t->arena;
    t->functions = bind_quote_hooks(t->vm);
    t->hooks = (struct quote_hooks){ t, condition, action, pricing, shipping_rates, tax_rates, left, NULL };
    rc = figures ? figures_open(figures, t->vm, t->g, &part, err) : nomem(err);
    if (rc == 0)
        rc = plugin_facts_open(t->vm, t->g, t->shop->symbols, err);
    if (rc == 0 && (rc = store_begin(conn, err)) == 0) {
        rc = price_carts(t, conn, err);
        if (rc == 0)
            rc = ask_the_others(t, err);
        store_rollback(conn);
    }
    bind_set_functions(t->vm, NULL);
    figures_close(part);
    figures_free(figures);
    *t->bind = before;
    generation_put_back_vm(t->g, t->vm); /* rules remember nothing: a worker takes it as it would one that it has priced with */
    return rc < 0 ? rc : report_all(t, found, err);
}

int tryout(struct shop *s, struct generation *g, struct store_conn *conn, struct submission *found, struct err *err)
{
    struct trying *t = calloc(1, sizeof *t);
    if (!t)
        return nomem(err);
    t->shop = s;
    t->g = g;
    t->rules = generation_rules(g);
    t->until_ms = clock_mono_ns(s->options.clock) / 1000000 + TRYOUT_MS;
    t->catalogue = catalogue_acquire(s->catalogue);
    arena_init(&t->arena, NULL, 0);
    int rc = anything_to_try(t) ? run(t, conn, found, err) : 0;
    free(t->campaigns);
    free(t->hooked);
    arena_release(&t->arena);
    catalogue_release(t->catalogue);
    free(t);
    return rc;
}
