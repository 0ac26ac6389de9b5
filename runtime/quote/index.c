#include "quote/index.h"
#include "quote/run_int.h"
#include <stdlib.h>

/* --- keys -------------------------------------------------------------------------------------------------------------------- */

enum key_kind {
    KEY_LINE /* + selector_kind of a leaf */,
    KEY_CODE = SELECT_LEAVES,
    KEY_CUSTOMER_TAG,
    KEY_CHANNEL,
    KEY_REGION,
    KEY_PAYMENT_METHOD,
    KEY_STORE,
    KEY_ORDER_NUMBER /* the symbol is the number */,
    KEY_ALWAYS
};

typedef uint64_t key; /* kind and symbol */

static key key_of(unsigned kind, symbol s)
{
    return (uint64_t)(kind + 1) << 32 | s;
}

static uint64_t hash_of(key k)
{
    k *= 0x9E3779B97F4A7C15u;
    return k ^ k >> 29;
}

/* --- what is filed ------------------------------------------------------------------------------------------------------------- */

struct entry {
    uint32_t campaign;
    int64_t at_least;              /* the cart comes to this at least */
    int64_t from_ms, to_ms, until; /* until: the latest end in its part of the tree */
};

struct posting {
    key key;                           /* 0: a free place of the table */
    uint32_t first, open_count, count; /* entries: first those that are always open, by amount; then the tree, by beginning */
};

struct index {
    struct posting *table;
    uint64_t mask;
    struct entry *entries;
    uint32_t always; /* entries under KEY_ALWAYS */
};

static struct posting *posting_at(const struct index *ix, key k)
{
    uint64_t i = hash_of(k) & ix->mask;
    while (ix->table[i].key && ix->table[i].key != k)
        i = (i + 1) & ix->mask;
    return &ix->table[i];
}

/* --- requirements ---------------------------------------------------------------------------------------------------------------- */

struct keys { /* one of them must be there */
    key *items;
    size_t count, cap;
};

struct options { /* any of these would do to file a campaign; all must hold */
    struct keys *items;
    size_t count, cap;
};

struct filing {
    const struct quote_rules *r;
    struct arena *scratch;
    struct options options;
    bool failed; /* out of memory */
};

static void key_add(struct filing *f, struct keys *k, key one)
{
    if (k->count == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 4;
        key *items = arena_alloc(f->scratch, cap * sizeof *items);
        if (!items) {
            f->failed = true;
            return;
        }
        if (k->count)
            memcpy(items, k->items, k->count * sizeof *items);
        k->items = items;
        k->cap = cap;
    }
    k->items[k->count++] = one;
}

static void names_add(struct filing *f, struct keys *k, unsigned kind, const struct names *n)
{
    for (uint32_t i = 0; i < n->count; i++)
        key_add(f, k, key_of(kind, n->items[i]));
}

static void keys_add(struct filing *f, struct keys *k, const struct keys *more)
{
    for (size_t i = 0; i < more->count; i++)
        key_add(f, k, more->items[i]);
}

static void option_add(struct filing *f, struct keys k)
{
    struct options *o = &f->options;
    if (o->count == o->cap) {
        size_t cap = o->cap ? 2 * o->cap : 8;
        struct keys *items = arena_alloc(f->scratch, cap * sizeof *items);
        if (!items) {
            f->failed = true;
            return;
        }
        if (o->count)
            memcpy(items, o->items, o->count * sizeof *items);
        o->items = items;
        o->cap = cap;
    }
    o->items[o->count++] = k;
}

/* The names of which a line must have one; false when it need not have any. Of several that must all hold the first does. */
static bool selector_keys(struct filing *f, const struct selector *s, struct keys *out)
{
    if (s->kind < SELECT_LEAVES) {
        names_add(f, out, KEY_LINE + s->kind, &s->names);
        return true;
    }
    if (s->kind == SELECT_NONE)
        return false;
    for (uint32_t i = 0; i < s->child_count; i++) {
        struct keys one = { 0 };
        bool has = selector_keys(f, &s->children[i], s->kind == SELECT_ANY ? out : &one);
        if (s->kind == SELECT_ALL && has) {
            keys_add(f, out, &one);
            return true;
        }
        if (s->kind == SELECT_ANY && !has)
            return false;
    }
    return s->kind == SELECT_ANY && s->child_count > 0;
}

static void selector_options(struct filing *f, const struct selector *s)
{
    struct keys k = { 0 };
    if (s->kind == SELECT_ALL)
        for (uint32_t i = 0; i < s->child_count; i++)
            selector_options(f, &s->children[i]);
    else if (selector_keys(f, s, &k))
        option_add(f, k);
}

static bool condition_keys(struct filing *f, const struct condition *c, struct keys *out)
{
    switch (c->kind) {
    case WHEN_IN_CART:
        return selector_keys(f, &c->in_cart, out);
    case WHEN_COUPON:
        names_add(f, out, KEY_CODE, &c->names);
        return true;
    case WHEN_CUSTOMER_TAG:
        names_add(f, out, KEY_CUSTOMER_TAG, &c->names);
        return true;
    case WHEN_CHANNEL:
        names_add(f, out, KEY_CHANNEL, &c->names);
        return true;
    case WHEN_REGION:
        names_add(f, out, KEY_REGION, &c->names);
        return true;
    case WHEN_PAYMENT_METHOD:
        names_add(f, out, KEY_PAYMENT_METHOD, &c->names);
        return true;
    case WHEN_STORE:
        names_add(f, out, KEY_STORE, &c->names);
        return true;
    case WHEN_NEW_CUSTOMER:
    case WHEN_FIRST_ORDER:
    case WHEN_NTH_ORDER:
        if (history_only_number(c))
            key_add(f, out, key_of(KEY_ORDER_NUMBER, (symbol)history_only_number(c)));
        return history_only_number(c) != 0;
    case WHEN_SUBTOTAL:
    case WHEN_QTY:
        return c->bounds.at_least > 0 && c->bounds.of && selector_keys(f, c->bounds.of, out);
    case WHEN_ALL:
    case WHEN_ANY:
        for (uint32_t i = 0; i < c->child_count; i++) {
            struct keys one = { 0 };
            bool has = condition_keys(f, &c->children[i], c->kind == WHEN_ANY ? out : &one);
            if (c->kind == WHEN_ALL && has) {
                keys_add(f, out, &one);
                return true;
            }
            if (c->kind == WHEN_ANY && !has)
                return false;
        }
        return c->kind == WHEN_ANY && c->child_count > 0;
    default:
        return false;
    }
}

static void condition_options(struct filing *f, const struct condition *c)
{
    struct keys k = { 0 };
    if (c->kind == WHEN_ALL)
        for (uint32_t i = 0; i < c->child_count; i++)
            condition_options(f, &c->children[i]);
    else if (c->kind == WHEN_IN_CART)
        selector_options(f, &c->in_cart);
    else if (condition_keys(f, c, &k))
        option_add(f, k);
}

static int options_find(struct filing *f, const struct quote_campaign *c)
{
    f->options.count = 0;
    if (c->scope)
        selector_options(f, c->scope);
    for (uint32_t i = 0; i < c->when_count && c->stage != STAGE_GATE; i++)
        condition_options(f, &c->when[i]);
    return f->failed ? ERR_NOMEM : 0;
}

/* The amount that the cart must come to, whatever lines a threshold measures. */
static int64_t least_amount(const struct quote_campaign *c)
{
    int64_t least = 0;
    for (uint32_t i = 0; i < c->when_count && c->stage != STAGE_GATE; i++)
        if (c->when[i].kind == WHEN_SUBTOTAL && c->when[i].bounds.tax != SEEN_WITH_TAX && c->when[i].bounds.at_least > least)
            least = c->when[i].bounds.at_least;
    return least;
}

/* --- building ---------------------------------------------------------------------------------------------------------------------- */

struct builder {
    struct filing f;
    struct index *ix;
    uint32_t *popular; /* by place in the table: in how many options a name stands */
    size_t names;      /* in all options together, and the one for those that have none */
    key always;        /* that one */
    uint32_t from, to;
};

static size_t place_of(const struct index *ix, key k)
{
    struct posting *p = posting_at(ix, k);
    p->key = k;
    return (size_t)(p - ix->table);
}

/* The option under which the fewest are; without any, every cart looks at it. */
static struct keys best_option(struct builder *b)
{
    struct keys best = { &b->always, 1, 1 };
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < b->f.options.count; i++) {
        const struct keys *k = &b->f.options.items[i];
        uint64_t sum = 0;
        for (size_t n = 0; n < k->count; n++)
            sum += b->popular[place_of(b->ix, k->items[n])];
        if (sum < least) {
            least = sum;
            best = *k;
        }
    }
    return best;
}

/* b->f.options are the campaign's. */
typedef void (*visit)(struct builder *b, uint32_t campaign);

static int visit_all(struct builder *b, visit fn)
{
    for (uint32_t i = b->from; i < b->to; i++) {
        struct arena_mark mark = arena_mark(b->f.scratch);
        b->f.options = (struct options){ 0 };
        int rc = options_find(&b->f, &b->f.r->campaigns[i]);
        if (rc < 0)
            return rc;
        fn(b, i);
        arena_rewind(b->f.scratch, mark);
    }
    return 0;
}

/* Before there is a table: no more names than that. */
static void count_names(struct builder *b, uint32_t campaign)
{
    (void)campaign;
    for (size_t k = 0; k < b->f.options.count; k++)
        b->names += b->f.options.items[k].count;
}

static void count_popular(struct builder *b, uint32_t campaign)
{
    (void)campaign;
    for (size_t k = 0; k < b->f.options.count; k++)
        for (size_t n = 0; n < b->f.options.items[k].count; n++)
            b->popular[place_of(b->ix, b->f.options.items[k].items[n])]++;
}

static bool has_window(const struct quote_campaign *c)
{
    return c->window.from_ms != INT64_MIN || c->window.to_ms != INT64_MAX;
}

static void count_entry(struct builder *b, uint32_t campaign)
{
    struct keys k = best_option(b);
    (void)campaign;
    for (size_t n = 0; n < k.count; n++)
        b->ix->table[place_of(b->ix, k.items[n])].count++;
}

static void file_entry(struct builder *b, uint32_t campaign)
{
    const struct quote_campaign *c = &b->f.r->campaigns[campaign];
    struct keys k = best_option(b);
    for (size_t n = 0; n < k.count; n++) {
        struct posting *p = &b->ix->table[place_of(b->ix, k.items[n])];
        b->ix->entries[p->first + p->count++] = (struct entry){ campaign, least_amount(c), c->window.from_ms, c->window.to_ms, 0 };
        p->open_count += !has_window(c);
    }
}

/* Those without a window first, by amount; then by beginning. */
static int in_posting(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    bool x_open = x->from_ms == INT64_MIN && x->to_ms == INT64_MAX, y_open = y->from_ms == INT64_MIN && y->to_ms == INT64_MAX;
    if (x_open != y_open)
        return x_open ? -1 : 1;
    int64_t left = x_open ? x->at_least : x->from_ms, right = x_open ? y->at_least : y->from_ms;
    if (left != right)
        return left < right ? -1 : 1;
    return (x->campaign > y->campaign) - (x->campaign < y->campaign);
}

/* The middle is the root; what is left of it begins no later, what is right of it no earlier. */
static int64_t tree_close(struct entry *e, size_t n)
{
    if (n == 0)
        return INT64_MIN;
    size_t mid = n / 2;
    int64_t left = tree_close(e, mid), right = tree_close(e + mid + 1, n - mid - 1), until = e[mid].to_ms;
    until = left > until ? left : until;
    e[mid].until = right > until ? right : until;
    return e[mid].until;
}

static void postings_place(struct index *ix)
{
    uint32_t first = 0;
    for (uint64_t i = 0; i <= ix->mask; i++) {
        ix->table[i].first = first;
        first += ix->table[i].count;
        ix->table[i].count = 0;
    }
}

static void postings_sort(struct index *ix)
{
    for (uint64_t i = 0; i <= ix->mask; i++) {
        struct posting *p = &ix->table[i];
        qsort(ix->entries + p->first, p->count, sizeof *ix->entries, in_posting);
        tree_close(ix->entries + p->first + p->open_count, p->count - p->open_count);
    }
    ix->always = posting_at(ix, key_of(KEY_ALWAYS, 0))->count;
}

static int fill(struct builder *b, struct arena *keep)
{
    size_t places = 8, entries = 0;
    int rc = visit_all(b, count_names);
    if (rc < 0)
        return rc;
    while (places < 2 * b->names)
        places *= 2;
    b->ix->mask = places - 1;
    b->ix->table = arena_array(keep, places, sizeof *b->ix->table);
    b->popular = arena_array(b->f.scratch, places, sizeof *b->popular);
    if (!b->ix->table || !b->popular)
        return ERR_NOMEM;
    if ((rc = visit_all(b, count_popular)) < 0 || (rc = visit_all(b, count_entry)) < 0)
        return rc;
    for (size_t i = 0; i < places; i++)
        entries += b->ix->table[i].count;
    b->ix->entries = arena_array(keep, entries, sizeof *b->ix->entries);
    if (!b->ix->entries)
        return ERR_NOMEM;
    postings_place(b->ix);
    if ((rc = visit_all(b, file_entry)) < 0)
        return rc;
    postings_sort(b->ix);
    return 0;
}

int index_build(const struct quote_rules *r, struct arena *keep, uint32_t from, uint32_t to, struct index **out, struct err *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct builder b = { .f = { .r = r, .scratch = &scratch },
                         .ix = arena_zalloc(keep, sizeof *b.ix),
                         .names = 1,
                         .always = key_of(KEY_ALWAYS, 0),
                         .from = from,
                         .to = to };
    int rc = b.ix ? fill(&b, keep) : ERR_NOMEM;
    arena_release(&scratch);
    *out = b.ix;
    return rc < 0 ? err_set(err, ERR_NOMEM, "out of memory while filing the campaigns; try again") : 0;
}

int64_t index_least(const struct quote_rules *r, uint32_t campaign)
{
    return least_amount(&r->campaigns[campaign]);
}

uint32_t index_always(const struct index *ix)
{
    return ix->always;
}

/* --- looking up ---------------------------------------------------------------------------------------------------------------------- */

struct lookup {
    const struct index *ix;
    struct quote_eval *e;
    int64_t most, now;
    uint32_t *found;
    size_t count, cap;
    const struct posting **seen; /* a table of those that were looked at */
    size_t seen_mask;
    bool whole; /* whatever the time and the amount */
    bool failed;
};

static void found_add(struct lookup *l, uint32_t campaign)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        uint32_t *list = arena_alloc(l->e->arena, cap * sizeof *list);
        if (!list) {
            l->failed = true;
            return;
        }
        if (l->count)
            memcpy(list, l->found, l->count * sizeof *list);
        l->found = list;
        l->cap = cap;
    }
    l->found[l->count++] = campaign;
}

static void tree_find(struct lookup *l, const struct entry *e, size_t n)
{
    while (n > 0) {
        size_t mid = n / 2;
        if (e[mid].until <= l->now)
            return;
        tree_find(l, e, mid);
        if (e[mid].from_ms > l->now)
            return;
        if (l->now < e[mid].to_ms && e[mid].at_least <= l->most)
            found_add(l, e[mid].campaign);
        e += mid + 1;
        n -= mid + 1;
    }
}

static bool first_time(struct lookup *l, const struct posting *p)
{
    size_t i = hash_of((key)(uintptr_t)p) & l->seen_mask;
    while (l->seen[i] && l->seen[i] != p)
        i = (i + 1) & l->seen_mask;
    if (l->seen[i])
        return false;
    l->seen[i] = p;
    return true;
}

static void look(struct lookup *l, unsigned kind, symbol s)
{
    const struct posting *p = posting_at(l->ix, key_of(kind, s));
    if (p->count == 0 || !first_time(l, p))
        return;
    const struct entry *e = l->ix->entries + p->first;
    for (uint32_t i = 0; l->whole && i < p->count; i++)
        found_add(l, e[i].campaign);
    if (l->whole)
        return;
    for (uint32_t i = 0; i < p->open_count && e[i].at_least <= l->most; i++)
        found_add(l, e[i].campaign);
    tree_find(l, e + p->open_count, p->count - p->open_count);
}

static void look_all(struct lookup *l)
{
    const struct quote_cart *cart = l->e->cart;
    int64_t number;
    for (size_t i = 0; i < cart->code_count; i++)
        look(l, KEY_CODE, l->e->codes[i]);
    look(l, KEY_ALWAYS, 0);
    if (history_order_number(l->e, &number) && number <= UINT32_MAX)
        look(l, KEY_ORDER_NUMBER, (symbol)number);
    for (size_t i = 0; i < l->e->every_count; i++) {
        const struct quote_product *p = &cart->lines[l->e->every[i]].product;
        look(l, KEY_LINE + SELECT_SKU, p->sku);
        look(l, KEY_LINE + SELECT_BRAND, p->brand);
        for (uint32_t k = 0; k < p->category_count; k++)
            look(l, KEY_LINE + SELECT_CATEGORY, p->categories[k]);
        for (uint32_t k = 0; k < p->tag_count; k++)
            look(l, KEY_LINE + SELECT_TAG, p->tags[k]);
    }
    for (size_t i = 0; i < cart->customer_tag_count; i++)
        look(l, KEY_CUSTOMER_TAG, cart->customer_tags[i]);
    look(l, KEY_CHANNEL, cart->channel);
    look(l, KEY_REGION, cart->region);
    look(l, KEY_PAYMENT_METHOD, cart->payment_method);
    look(l, KEY_STORE, cart->store);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A campaign that is filed under several names may have been found under more than one. */
static size_t sort_once(uint32_t *list, size_t n)
{
    size_t out = 0;
    if (n)
        qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++)
        if (out == 0 || list[i] != list[out - 1])
            list[out++] = list[i];
    return out;
}

static size_t lookups_of(const struct quote_eval *e)
{
    size_t n = 6 + e->cart->code_count + e->cart->customer_tag_count;
    for (size_t i = 0; i < e->every_count; i++) {
        const struct quote_product *p = &e->cart->lines[e->every[i]].product;
        n += 2 + p->category_count + p->tag_count;
    }
    return n;
}

static int lookup_run(struct lookup *l, struct err *err)
{
    size_t places = 16, lookups = lookups_of(l->e);
    while (places < 2 * lookups)
        places *= 2;
    l->seen_mask = places - 1;
    l->seen = arena_array(l->e->arena, places, sizeof *l->seen);
    if (!l->seen)
        return eval_nomem(l->e, err);
    look_all(l);
    return l->failed ? eval_nomem(l->e, err) : 0;
}

int index_find(const struct index *ix, struct quote_eval *e, int64_t most_minor, uint32_t **out, size_t *count, struct err *err)
{
    struct lookup l = { .ix = ix, .e = e, .most = most_minor, .now = e->cart->at_ms };
    int rc = lookup_run(&l, err);
    *out = l.found;
    *count = rc == 0 ? sort_once(l.found, l.count) : 0;
    return rc;
}

int index_find_named(const struct index *ix, struct quote_eval *e, uint32_t **out, size_t *count, struct err *err)
{
    struct lookup l = { .ix = ix, .e = e, .whole = true };
    int rc = lookup_run(&l, err);
    *out = l.found;
    *count = rc == 0 ? l.count : 0;
    return rc;
}
