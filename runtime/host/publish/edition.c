#include "host/publish/edition.h"
#include "host/api/compared.h"
#include "host/care/guard.h"
#include "host/publish/publish.h"
#include "host/publish/rescue.h"
#include "host/care/plugin_stops.h"
#include "ledger/ledger.h"
#include "rulebook/plugin_set.h"
#include <stdlib.h>

/* --- the shop's part ------------------------------------------------------------------------------------------------- */

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while opening the rules.");
}

int edition_open(struct shop *s, struct generation *g, struct edition **out, struct err *err)
{
    *out = NULL;
    struct edition *e = calloc(1, sizeof *e);
    if (!e)
        return nomem(err);
    atomic_init(&e->refs, 1);
    atomic_init(&e->retired, false);
    atomic_init(&e->replaced, false);
    e->shop = s;
    e->generation = generation_ref(g);
    int rc = guard_open(e, err);
    if (rc == 0)
        rc = rescue_open(e, err);
    if (rc == 0)
        rc = shop_open_vm(s, g, VM_FOR_WRITER, &e->vm, &e->bind, err);
    if (rc < 0) {
        edition_close(e);
        return rc;
    }
    procedures_bind(s, e->bind);
    /* Else the first order under these rules, and all behind it in the writer's queue, would wait for the stdlib to be loaded. */
    static const char *const often[] = { "orders.place",       "orders.pay", "orders.expire", "shop_calls.orders_cancel",
                                         "checkouts.complete", NULL };
    for (size_t i = 0; often[i] && rc == 0; i++)
        rc = bind_prepare(e->vm, slice_str(often[i]), err);
    if (rc < 0) {
        edition_close(e);
        return rc;
    }
    *out = e;
    return 0;
}

struct edition *edition_ref(struct edition *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void edition_unref(struct edition *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        publisher_bury_edition(e->shop->publisher, e);
}

void edition_close(struct edition *e)
{
    shop_close_vm(e->vm);
    guard_close(e);
    rescue_close(e);
    generation_unref(e->generation);
    free(e);
}

/* --- a worker's part --------------------------------------------------------------------------------------------------- */

static int condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    struct seat *seat = ctx;
    int rc = seat->functions.condition(seat->functions.ctx, fn, e, holds, err);
    guard_campaign(seat, quote_eval_campaign(e), rc, err);
    return rc;
}

static int action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct seat *seat = ctx;
    int rc = seat->functions.action(seat->functions.ctx, fn, e, err);
    guard_campaign(seat, quote_eval_campaign(e), rc, err);
    return rc;
}

static int pricing(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct seat *seat = ctx;
    int rc = seat->functions.pricing(seat->functions.ctx, fn, e, err);
    guard_function(seat->edition, fn, rc, err);
    return rc;
}

static int shipping_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct seat *seat = ctx;
    int rc = seat->functions.shipping_rates(seat->functions.ctx, fn, e, err);
    guard_function(seat->edition, fn, rc, err);
    return rc;
}

static int tax_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct seat *seat = ctx;
    int rc = seat->functions.tax_rates(seat->functions.ctx, fn, e, err);
    guard_function(seat->edition, fn, rc, err);
    return rc;
}

/* What a customer has used of a campaign ("campaign/ID/uses/CUSTOMER") is told to nobody: it is read when he asks. */
static bool left_of_customer(const struct seat *seat, struct slice account, int64_t *out)
{
    static const char campaigns[] = "campaign/";
    struct ledger_balance b;
    size_t slashes = 0;
    if (account.len < sizeof campaigns || memcmp(account.data, campaigns, sizeof campaigns - 1) != 0)
        return false;
    for (size_t i = 0; i < account.len; i++)
        slashes += account.data[i] == '/';
    if (slashes < 3 || !seat->bind->conn || ledger_balance_read(seat->bind->conn, account, &b, NULL) < 0)
        return false;
    *out = ledger_available(&b);
    return true;
}

static bool left(void *ctx, struct slice account, int64_t *out)
{
    struct seat *seat = ctx;
    return seat->functions.left(seat->functions.ctx, account, out) || left_of_customer(seat, account, out);
}

/* Pieces at all places together, as of the last commit that this connection sees; the writer is who decides. */
static int64_t pieces_left(const struct seat *seat, struct slice sku)
{
    struct store_stmt *q;
    int64_t left = 0;
    if (!seat->bind->conn ||
        store_prepare(seat->bind->conn,
                      "SELECT coalesce(sum(max(a.credits_posted - a.debits_posted - a.debits_pending, 0)), 0) FROM products p "
                      "JOIN stock s ON s.product = p.id JOIN ledger_accounts a ON a.id = s.account WHERE p.sku = ?1",
                      &q, NULL) < 0)
        return 0;
    store_bind_text(q, 1, sku);
    if (store_step(q, NULL) == 1)
        left = store_column_int(q, 0);
    store_reset(q);
    return left;
}

static bool product(void *ctx, symbol sku, struct quote_extra *out)
{
    struct seat *seat = ctx;
    const struct catalogue_product *p = seat->catalogue ? catalogue_find(seat->catalogue, sku) : NULL;
    if (!p || p->status != PRODUCT_ACTIVE || p->has_variants)
        return false;
    *out = (struct quote_extra){ .product = p->facts, .for_sale = true, .left = INT64_MAX };
    struct slice name = symbols_name(seat->shop->symbols, sku);
    if (!seat->bind->conn ||
        compared_price(seat->bind->conn, generation_settings(seat->generation), name, &out->product.compare_at_minor, NULL) < 0)
        out->product.compare_at_minor = 0;
    if (p->track_stock)
        out->left = pieces_left(seat, symbols_name(seat->shop->symbols, sku));
    return true;
}

/* Of the functions of this seat; the time is the clock's, so it holds what else the thread had to wait for. */
static void spent(void *ctx, uint64_t *ns, uint64_t *fuel)
{
    const struct seat *seat = ctx;
    *ns = (uint64_t)clock_mono_ns(seat->shop->options.clock);
    *fuel = vm_stats(seat->vm).fuel;
}

int seat_open(struct shop *s, struct edition *e, struct generation *g, struct seat **out, struct err *err)
{
    *out = NULL;
    struct seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        return nomem(err);
    seat->shop = s;
    arena_init(&seat->stopped_arena, NULL, 0);
    int rc = shop_open_vm(s, g, VM_FOR_WORKER, &seat->vm, &seat->bind, err);
    if (rc < 0) {
        free(seat);
        return rc;
    }
    seat->edition = e ? edition_ref(e) : NULL;
    seat->generation = generation_ref(g);
    seat->functions = bind_quote_hooks(seat->vm);
    seat->hooks = (struct quote_hooks){ .ctx = seat,
                                        .condition = condition,
                                        .action = action,
                                        .pricing = pricing,
                                        .shipping_rates = shipping_rates,
                                        .tax_rates = tax_rates,
                                        .left = left,
                                        .product = product,
                                        .spent = spent };
    *out = seat;
    return 0;
}

void seat_close(struct seat *seat)
{
    if (!seat)
        return;
    shop_close_vm(seat->vm);
    generation_unref(seat->generation);
    edition_unref(seat->edition);
    arena_release(&seat->stopped_arena);
    free(seat);
}

static int read_stops(struct seat *seat, struct err *err)
{
    const struct quote_rules *rules = generation_rules(seat->generation);
    uint64_t version = stops_version(seat->shop->stops); /* read first: a stop in between makes us look again */
    struct stops_snapshot *all = stops_acquire(seat->shop->stops);
    seat->stopped_count = 0;
    arena_reset(&seat->stopped_arena);
    seat->stopped = arena_array(&seat->stopped_arena, stops_count(all) + 1, sizeof *seat->stopped);
    bool ok = seat->stopped != NULL;
    for (size_t i = 0; ok && i < stops_count(all); i++) {
        const struct stop *stop = stops_at(all, i);
        uint32_t campaign;
        bool here = stop->kind == STOP_CAMPAIGN ? quote_campaign_find(rules, stop->name, &campaign)
                                                : plugin_set_find(generation_plugins(seat->generation), stop->name) != NULL;
        if (!here)
            continue;
        struct slice mark =
            stop->kind == STOP_CAMPAIGN ? arena_copy(&seat->stopped_arena, stop->name) : plugin_stop_mark(stop, &seat->stopped_arena);
        ok = mark.data != NULL;
        seat->stopped[seat->stopped_count++] = mark;
    }
    stops_release(all);
    seat->stops_version = ok ? version : 0;
    return ok ? 0 : nomem(err);
}

int seat_stopped(struct seat *seat, struct arena *arena, const struct slice **ids, size_t *count, struct err *err)
{
    *ids = NULL;
    *count = 0;
    int rc = seat->stops_version != stops_version(seat->shop->stops) ? read_stops(seat, err) : 0;
    if (rc < 0 || seat->stopped_count == 0)
        return rc;
    struct slice *copy = arena_array(arena, seat->stopped_count, sizeof *copy);
    for (size_t i = 0; copy && i < seat->stopped_count; i++) {
        copy[i] = arena_copy(arena, seat->stopped[i]); /* the call may outlive this look */
        if (!copy[i].data)
            copy = NULL;
    }
    if (!copy)
        return nomem(err);
    *ids = copy;
    *count = seat->stopped_count;
    return 0;
}
