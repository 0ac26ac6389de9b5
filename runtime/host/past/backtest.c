#include "host/past/backtest.h"
#include "host/past/balances.h"
#include "host/past/candidate.h"
#include "host/past/changed.h"
#include "host/past/costs.h"
#include "host/past/doubts.h"
#include "host/past/span.h"
#include "host/past/sums.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, STATE_CANCELLED = 6, STATE_EXPIRED = 7 };

struct entry { /* one order of a batch, priced */
    struct past_order order;
    struct past_cart past;
    struct was was;
    const struct quote_left *recorded; /* what its record says of limits */
    size_t recorded_count;
    struct quote_cart before; /* as it was before it was priced, which writes into it */
    struct quote_result result;
    int rc; /* of pricing: 0, or why it could not be placed */
    bool wanted_to_sign;
};

struct batch {
    struct arena arena;
    struct entry entries[BATCH];
    size_t count;
    bool ready;
};

struct backtest {
    struct shop *shop;
    struct progress *progress;
    struct span span;
    struct generation *candidate;
    const struct quote_rules *rules;
    bool has_functions; /* they may ask what is left, and then every value counts */
    struct balances *balances;
    struct costs *costs;
    struct sums *sums;
    struct changed *changed;
    struct doubts *doubts;
    struct catalogue_snapshot *catalogue; /* what is given and stands in no record is as it is today */
    struct stand *stand;                  /* of whoever settles */
    struct buf orders;                    /* "orders" of the answer, where it is asked for */
    bool wants_orders;
    uint64_t again; /* orders that were priced again in their turn */
    uint64_t ended; /* left out: cancelled or expired */
    uint64_t damaged;
    int64_t priced;
    int64_t first, last;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    struct batch *ring; /* batch n lies at n % slots */
    int64_t slots, taken, settled, batches;
    bool settling, failed;
};

/* --- pricing, on any thread ------------------------------------------------------------------------------------------------- */

static struct slice generic_name(const struct quote_cart *cart, struct slice account, char text[300])
{
    size_t n = cart->customer.len;
    bool is_his = n && account.len > n && account.data[account.len - n - 1] == '/' &&
                  memcmp(account.data + account.len - n, cart->customer.data, n) == 0;
    if (!is_his || account.len > 280)
        return account;
    return slice_of(text, (size_t)snprintf(text, 300, "%.*s%s", (int)(account.len - n), account.data, QUOTE_SOMEBODY));
}

/* What the account has before this order, where nobody has asked for it yet. */
static int64_t recorded_balance(const struct entry *e, struct slice account)
{
    char text[300];
    struct slice name = generic_name(&e->past.cart, account, text);
    for (size_t i = 0; i < e->recorded_count; i++)
        if (slice_eq(e->recorded[i].account, name))
            return e->recorded[i].is_known ? e->recorded[i].left : 0;
    return 0;
}

struct asking {
    struct backtest *b;
    const struct entry *entry;
};

static bool left(void *ctx, struct slice account, int64_t *balance)
{
    struct asking *a = ctx;
    if (!balances_is_limit(account))
        return false; /* nobody noted it */
    if (!balances_find(a->b->balances, account, balance))
        *balance = recorded_balance(a->entry, account);
    return true;
}

/* The cart as it was before it was priced, to be priced. */
static int clean_cart(const struct entry *e, struct arena *arena, struct quote_cart *out, struct err *err)
{
    struct quote_line *lines = arena_array(arena, e->before.line_count, sizeof *lines);
    if (!lines)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    memcpy(lines, e->before.lines, e->before.line_count * sizeof *lines);
    *out = e->before;
    out->lines = lines;
    return 0;
}

/* Limits are asked about anew; what else functions were told stays. */
static int split_left(struct entry *e, struct arena *arena, struct err *err)
{
    struct quote_cart *cart = &e->past.cart;
    struct quote_left *others = arena_array(arena, cart->left_count + 1, sizeof *others);
    if (!others)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    size_t n = 0;
    for (size_t i = 0; i < cart->left_count; i++)
        if (!balances_is_limit(cart->left[i].account))
            others[n++] = cart->left[i];
    e->recorded = cart->left;
    e->recorded_count = cart->left_count;
    cart->left = others;
    cart->left_count = n;
    e->before = *cart;
    return clean_cart(e, arena, cart, err);
}

static int price(struct backtest *b, struct stand *stand, struct entry *e, struct arena *arena, struct err *err)
{
    struct asking asking = { b, e };
    struct err why = { 0 };
    e->result = (struct quote_result){ 0 }; /* of an earlier batch */
    e->rc = stand_price(stand, &e->past.cart, left, &asking, arena, &e->result, &why);
    e->wanted_to_sign = stand_wanted_to_sign(stand);
    if (e->rc == 0)
        e->rc = quote_require_open(&e->result, &why);
    if (e->rc != ERR_NOMEM && e->rc != ERR_INTERNAL)
        return 0;
    *err = why;
    return e->rc;
}

static bool has_share(const struct quote_cart *cart, struct slice campaign)
{
    for (size_t i = 0; i < cart->share_count; i++)
        if (slice_eq(cart->shares[i].campaign, campaign))
            return true;
    return false;
}

/* Who would have been among the first customers of a campaign nobody can say: its number is made of the customer's name, which is not here.
 * As many others are, always the same ones. */
static int draw_shares(const struct backtest *b, struct quote_cart *cart, struct arena *arena, struct err *err)
{
    enum { MILLION = 1000000 };
    size_t ranges = quote_rules_shares(b->rules), n = 0;
    if (!ranges || !cart->customer.len)
        return 0;
    struct quote_share *list = arena_array(arena, ranges + cart->share_count, sizeof *list);
    if (!list)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    for (; n < cart->share_count; n++)
        list[n] = cart->shares[n];
    for (size_t i = 0; i < ranges; i++) {
        struct quote_share_range range = quote_rules_share(b->rules, i);
        uint64_t parts[2] = { hash_bytes(range.campaign.data, range.campaign.len), hash_bytes(cart->customer.data, cart->customer.len) };
        if (!has_share(cart, range.campaign))
            list[n++] = (struct quote_share){ range.campaign, range.first_ppm, (int64_t)(hash_bytes(parts, sizeof parts) % MILLION) };
    }
    cart->shares = list;
    cart->share_count = n;
    return 0;
}

/* 0: it is not to be priced; 1: it is. */
static int open_entry(struct backtest *b, struct entry *e, struct arena *arena, struct err *err)
{
    struct err why = { 0 };
    int rc = past_cart_read(b->shop, &e->order, arena, &e->past, &why);
    if (rc == 0)
        rc = was_read(&e->order, arena, &e->was, &why);
    if (rc == ERR_NOMEM || rc == ERR_IO) {
        *err = why;
        return rc;
    }
    if (rc < 0) {
        __atomic_fetch_add(&b->damaged, 1, __ATOMIC_RELAXED);
        return 0;
    }
    struct quote_cart *cart = &e->past.cart;
    if (cart->customer.len && e->order.pseudonym) {
        cart->customer = arena_printf(arena, "p%lld", (long long)e->order.pseudonym);
        if (!cart->customer.data)
            return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    rc = draw_shares(b, cart, arena, err);
    if (rc == 0)
        rc = split_left(e, arena, err);
    return rc < 0 ? rc : 1;
}

static int read_batch(struct backtest *b, struct store_conn *conn, int64_t from, struct batch *batch, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT " PAST_ORDER_COLUMNS_SHORT " FROM " PAST_ORDER_TABLES
                           " WHERE o.id >= ?1 AND o.id <= ?2 AND o.placed_at >= ?3 AND o.placed_at < ?4 ORDER BY o.id",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, from);
    store_bind_int(q, 2, from + BATCH - 1 < b->last ? from + BATCH - 1 : b->last);
    store_bind_int(q, 3, b->span.since_ms);
    store_bind_int(q, 4, b->span.until_ms);
    batch->count = 0;
    while ((rc = store_step(q, err)) == 1) {
        int state = (int)store_column_int(q, 5);
        if (state == STATE_CANCELLED || state == STATE_EXPIRED) {
            __atomic_fetch_add(&b->ended, 1, __ATOMIC_RELAXED);
            continue;
        }
        rc = past_order_read(q, &batch->arena, &batch->entries[batch->count++].order, err);
        if (rc < 0) {
            store_reset(q);
            return rc;
        }
    }
    return rc;
}

static int price_batch(struct backtest *b, struct stand *stand, struct store_conn *conn, int64_t n, struct batch *batch, struct err *err)
{
    arena_reset(&batch->arena);
    int rc = read_batch(b, conn, b->first + n * BATCH, batch, err);
    size_t kept = 0;
    for (size_t i = 0; i < batch->count && rc == 0; i++) {
        struct entry *e = &batch->entries[i];
        rc = open_entry(b, e, &batch->arena, err);
        if (rc <= 0)
            continue;
        rc = price(b, stand, e, &batch->arena, err);
        batch->entries[kept++] = *e;
        batch->entries[kept - 1].result.cart = &batch->entries[kept - 1].past.cart;
    }
    batch->count = kept;
    return rc;
}

/* --- settling, in order ------------------------------------------------------------------------------------------------------ */

static const struct quote_take *take_of(const struct entry *e, struct slice account)
{
    for (size_t i = 0; e->rc == 0 && i < e->result.take_count; i++)
        if (slice_eq(e->result.takes[i].account, account))
            return &e->result.takes[i];
    return NULL;
}

static int64_t balance_now(struct backtest *b, const struct entry *e, struct slice account)
{
    int64_t balance;
    return balances_find(b->balances, account, &balance) ? balance : recorded_balance(e, account);
}

/* Balances only fall. An order that took less than there was took all that it wanted, and takes it from less as well, while that is
 * enough; one that took nothing of a limit would take nothing of less. Where functions may have looked, every value counts. */
static bool still_holds(struct backtest *b, const struct entry *e)
{
    const struct quote_cart *cart = &e->past.cart;
    for (size_t i = 0; i < cart->left_count; i++) {
        const struct quote_left *l = &cart->left[i];
        if (!balances_is_limit(l->account))
            continue;
        int64_t now = balance_now(b, e, l->account), seen = l->is_known ? l->left : 0;
        if (now == seen)
            continue;
        const struct quote_take *t = take_of(e, l->account);
        if (now > seen || b->has_functions || e->rc < 0)
            return false;
        if (t && (t->amount > t->max + now || t->amount >= t->max + seen))
            return false;
    }
    return true;
}

/* "campaign/tea/uses/~" of this customer. */
static struct slice own_name(const struct quote_cart *cart, struct slice account, char text[300])
{
    static const char somebody[] = "/" QUOTE_SOMEBODY;
    size_t n = sizeof somebody - 1;
    if (cart->customer.len == 0 || account.len < n || account.len > 200 || memcmp(account.data + account.len - n, somebody, n) != 0)
        return account;
    return slice_of(text, (size_t)snprintf(text, 300, "%.*s%.*s", (int)(account.len - 1), account.data, SLICE_FMT(cart->customer)));
}

/* What an account had when the first of these orders asked about it is what it begins with, whether or not that order asks now. */
static int begin_accounts(struct backtest *b, const struct entry *e, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < e->recorded_count && rc == 0; i++) {
        const struct quote_left *l = &e->recorded[i];
        char text[300];
        int64_t balance;
        struct slice name = own_name(&e->before, l->account, text);
        if (balances_is_limit(name) && !balances_find(b->balances, name, &balance))
            rc = balances_set(b->balances, name, l->is_known ? l->left : 0, err);
    }
    return rc;
}

static int take(struct backtest *b, const struct entry *e, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < e->past.cart.left_count && rc == 0; i++) { /* an account that was asked for has begun */
        const struct quote_left *l = &e->past.cart.left[i];
        int64_t balance;
        if (balances_is_limit(l->account) && !balances_find(b->balances, l->account, &balance))
            rc = balances_set(b->balances, l->account, recorded_balance(e, l->account), err);
    }
    for (size_t i = 0; e->rc == 0 && i < e->result.take_count && rc == 0; i++) {
        const struct quote_take *t = &e->result.takes[i];
        rc = balances_set(b->balances, t->account, balance_now(b, e, t->account) - t->amount, err);
    }
    return rc;
}

static void write_order(struct backtest *b, const struct entry *e)
{
    if (!b->wants_orders)
        return;
    buf_printf(&b->orders, "%s[\"%.*s\",%lld,", b->orders.len ? "," : "", SLICE_FMT(e->order.order_id), (long long)e->was.total);
    if (e->rc == 0)
        buf_add_int(&b->orders, e->result.total_minor);
    else
        buf_add_str(&b->orders, "null");
    buf_add_char(&b->orders, ']');
}

/* Titles as they are today: those that were sold under are not read. */
static void name_lines(const struct backtest *b, struct quote_cart *cart)
{
    for (size_t i = 0; i < cart->line_count; i++) {
        struct quote_product *p = &cart->lines[i].product;
        const struct catalogue_product *now = catalogue_find(b->catalogue, p->sku);
        p->title = now ? now->facts.title : symbols_name(b->shop->symbols, p->sku);
    }
}

static int settle_entry(struct backtest *b, struct entry *e, struct arena *arena, struct err *err)
{
    int rc = begin_accounts(b, e, err);
    b->priced++;
    if (rc == 0 && !still_holds(b, e)) {
        rc = clean_cart(e, arena, &e->past.cart, err);
        if (rc == 0)
            rc = price(b, b->stand, e, arena, err);
        b->again++;
    }
    struct sums_order o = {
        .order = &e->order,
        .was = &e->was,
        .cart = &e->past.cart,
        .rules = b->rules,
        .now = e->rc == 0 ? &e->result : NULL,
        .why_not = e->result.refused_by || e->rc == ERR_INVALID ? "gate" : "failed",
    };
    o.has_cost = rc == 0 && costs_of(b->costs, &e->past.cart, &o.cost);
    if (rc == 0)
        rc = sums_add(b->sums, &o, err);
    if (rc == 0 && o.now && changed_wants(b->changed, &o)) {
        struct asking asking = { b, e };
        struct quote_cart cart;
        rc = clean_cart(e, arena, &cart, err);
        if (rc == 0)
            name_lines(b, &cart);
        if (rc == 0)
            rc = changed_add(b->changed, &o, b->stand, cart, left, &asking, arena, err);
    }
    if (rc == 0)
        rc = doubts_add(b->doubts, &e->order, &e->past.cart, e->wanted_to_sign, err);
    if (rc == 0)
        rc = take(b, e, err);
    write_order(b, e);
    return rc;
}

static int settle_batch(struct backtest *b, struct batch *batch, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < batch->count && rc == 0; i++)
        rc = settle_entry(b, &batch->entries[i], &batch->arena, err);
    return rc;
}

/* --- who does what ------------------------------------------------------------------------------------------------------------- */

/* The lock is held. Settles whatever is next, unless somebody does. */
static int settle_ready(struct backtest *b, struct err *err)
{
    int rc = 0;
    if (b->settling)
        return 0;
    b->settling = true;
    while (rc == 0 && !b->failed && b->settled < b->batches && b->ring[b->settled % b->slots].ready) {
        struct batch *batch = &b->ring[b->settled % b->slots];
        pthread_mutex_unlock(&b->lock);
        rc = settle_batch(b, batch, err);
        pthread_mutex_lock(&b->lock);
        batch->ready = false;
        b->settled++;
        int64_t done = b->settled * BATCH, of = b->last - b->first + 1;
        atomic_store(&b->progress->done, (uint64_t)(done < of ? done : of));
        pthread_cond_broadcast(&b->moved);
    }
    b->settling = false;
    return rc;
}

/* The lock is held. A batch and its number; false: there is none any more. */
static bool take_batch(struct backtest *b, int64_t *n)
{
    while (!b->failed && b->taken < b->batches && b->taken - b->settled >= b->slots)
        pthread_cond_wait(&b->moved, &b->lock);
    if (b->failed || b->taken >= b->batches || atomic_load_explicit(&b->progress->cancelled, memory_order_relaxed))
        return false;
    *n = b->taken++;
    return true;
}

static int work(void *ctx, int number, struct store_conn *conn, struct err *err)
{
    struct backtest *b = ctx;
    struct stand *stand;
    int64_t n;
    (void)number;
    int rc = stand_open(b->shop, b->candidate, false, &stand, err);
    if (rc == 0)
        stand_give(stand, b->catalogue);
    pthread_mutex_lock(&b->lock);
    while (rc == 0 && take_batch(b, &n)) {
        struct batch *batch = &b->ring[n % b->slots];
        pthread_mutex_unlock(&b->lock);
        rc = price_batch(b, stand, conn, n, batch, err);
        pthread_mutex_lock(&b->lock);
        batch->ready = rc == 0;
        if (rc == 0)
            rc = settle_ready(b, err);
    }
    if (rc < 0 || atomic_load(&b->progress->cancelled)) {
        b->failed = true;
        pthread_cond_broadcast(&b->moved);
    }
    pthread_mutex_unlock(&b->lock);
    stand_close(stand);
    return rc;
}

/* --- all of it ----------------------------------------------------------------------------------------------------------------- */

static bool any_function(const struct quote_rules *r)
{
    for (uint32_t i = 0; i < quote_rules_count(r); i++)
        if (quote_campaign_calls(r, i))
            return true;
    return false;
}

static int open_parts(struct backtest *b, struct store_conn *conn, const struct json_value *body, int threads, struct err *err)
{
    int rc = candidate_build(b->shop, body, &b->candidate, err);
    if (rc < 0)
        return rc;
    b->rules = generation_rules(b->candidate);
    b->has_functions = any_function(b->rules);
    b->slots = 2 * (int64_t)threads + 2;
    b->batches = b->last < b->first ? 0 : (b->last - b->first) / BATCH + 1;
    b->balances = balances_new();
    b->sums = sums_new(generation_zone(b->candidate));
    b->changed = changed_new(b->candidate);
    b->doubts = doubts_new(b->shop, b->candidate);
    b->ring = calloc((size_t)b->slots, sizeof *b->ring);
    if (!b->balances || !b->sums || !b->changed || !b->doubts || !b->ring)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    for (int64_t i = 0; i < b->slots; i++)
        arena_init(&b->ring[i].arena, NULL, 0);
    b->catalogue = catalogue_acquire(b->shop->catalogue);
    rc = b->catalogue ? costs_open(b->shop->symbols, conn, &b->costs, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0)
        rc = stand_open(b->shop, b->candidate, false, &b->stand, err);
    if (rc == 0)
        stand_give(b->stand, b->catalogue);
    return rc;
}

static void close_parts(struct backtest *b)
{
    for (int64_t i = 0; b->ring && i < b->slots; i++)
        arena_release(&b->ring[i].arena);
    free(b->ring);
    stand_close(b->stand);
    catalogue_release(b->catalogue);
    costs_close(b->costs);
    doubts_free(b->doubts);
    changed_free(b->changed);
    sums_free(b->sums);
    balances_free(b->balances);
    generation_unref(b->candidate);
    buf_release(&b->orders);
}

static void number(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_int(w, n);
}

static int write_result(struct backtest *b, struct store_conn *conn, int threads, int64_t ns, struct json_writer *w, struct err *err)
{
    char text[TIMESTAMP_MAX];
    struct currency currency = quote_rules_currency(b->rules);
    json_object(w);
    json_key(w, "shop");
    json_string(w, generation_settings(b->candidate)->name);
    json_key(w, "currency");
    json_str(w, currency.code);
    number(w, "exponent", currency.exponent);
    json_key(w, "candidate");
    json_str(w, generation_id(b->candidate));
    json_key(w, "made_at");
    json_string(w, slice_of(text, timestamp_format(clock_wall_ms(b->shop->options.clock), text)));
    sums_write(b->sums, w);
    number(w, "ended", (int64_t)b->ended);
    number(w, "damaged", (int64_t)b->damaged);
    changed_write(b->changed, w);
    int rc = doubts_write(b->doubts, conn, w, err);
    if (b->wants_orders) {
        json_key(w, "orders");
        json_array(w);
        if (b->orders.len)
            json_raw(w, buf_slice(&b->orders));
        json_array_end(w);
        w->out->failed = w->out->failed || b->orders.failed;
    }
    number(w, "threads", threads);
    number(w, "priced_again", (int64_t)b->again);
    number(w, "ms", ns / 1000000);
    number(w, "per_second", ns > 0 ? (int64_t)((double)b->priced * 1e9 / (double)ns) : 0);
    json_object_end(w);
    return rc;
}

static int run(struct backtest *b, struct store_conn *conn, const struct json_value *body, struct json_writer *w, struct err *err)
{
    int64_t wanted = 0;
    json_is_int(json_get(body, "threads"), &wanted);
    json_is_bool(json_get(body, "orders"), &b->wants_orders);
    struct crew crew = { .shop = b->shop, .progress = b->progress, .threads = crew_size((int)wanted) };
    int rc = span_read(b->shop, body, &b->span, err);
    if (rc == 0)
        rc = span_rows(conn, &b->span, &b->first, &b->last, err);
    if (rc == 0)
        rc = open_parts(b, conn, body, crew.threads, err);
    if (rc < 0)
        return rc;
    int64_t begin_ns = clock_mono_ns(b->shop->options.clock);
    atomic_store(&b->progress->of, (uint64_t)(b->last - b->first + 1));
    rc = crew_run(&crew, work, b, err);
    if (rc < 0 || atomic_load(&b->progress->cancelled))
        return rc;
    return write_result(b, conn, crew.threads, clock_mono_ns(b->shop->options.clock) - begin_ns, w, err);
}

int backtest_run(struct shop *s, const struct json_value *body, struct progress *p, struct json_writer *w, struct err *err)
{
    struct store_conn *conn;
    struct backtest b = { .shop = s, .progress = p };
    int rc = store_reader_open(s->store, &conn, err);
    if (rc < 0)
        return rc;
    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.moved, NULL);
    buf_init(&b.orders, NULL);
    rc = run(&b, conn, body, w, err);
    close_parts(&b);
    pthread_cond_destroy(&b.moved);
    pthread_mutex_destroy(&b.lock);
    store_reader_close(conn);
    return rc;
}
