/* The accounts in use, in memory: found by id or name, changed under an undo log, written once per commit.
 *
 * The undo log spans one transaction. Every dirty account has an entry in it, so it is also the list of what to write. */
#include "ledger/ledger_int.h"
#include <assert.h>
#include <stdlib.h>

/* --- lookup --------------------------------------------------------------------------------------------------------- */

static size_t bucket_of(const struct ledger *l, int64_t id)
{
    return (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 32) & (l->nbuckets - 1);
}

static struct account *find_by_id(struct ledger *l, int64_t id)
{
    for (struct account *a = l->buckets[bucket_of(l, id)]; a; a = a->next) {
        if (a->id == id)
            return a;
    }
    return NULL;
}

static void grow_buckets(struct ledger *l)
{
    struct account **old = l->buckets, **fresh = calloc(l->nbuckets * 2, sizeof *fresh);
    size_t n = l->nbuckets;
    if (!fresh)
        return; /* longer chains are slower, not wrong */
    l->buckets = fresh;
    l->nbuckets = n * 2;
    for (size_t i = 0; i < n; i++) {
        for (struct account *a = old[i], *next; a; a = next) {
            next = a->next;
            size_t b = bucket_of(l, a->id);
            a->next = l->buckets[b];
            l->buckets[b] = a;
        }
    }
    free(old);
}

static struct account *cache_add(struct ledger *l, int64_t id, struct slice name, struct slice unit)
{
    struct account *a = calloc(1, sizeof *a + name.len + 1 + unit.len); /* the name ends in NUL, for messages */
    if (!a)
        return NULL;
    char *text = (char *)(a + 1);
    memcpy(text, name.data, name.len);
    memcpy(text + name.len + 1, unit.data, unit.len);
    a->id = id;
    a->name = slice_of(text, name.len);
    a->unit = slice_of(text + name.len + 1, unit.len);
    if (!map_set(&l->by_name, a->name, a)) {
        free(a);
        return NULL;
    }
    if (l->count >= l->nbuckets)
        grow_buckets(l);
    size_t b = bucket_of(l, id);
    a->next = l->buckets[b];
    l->buckets[b] = a;
    l->count++;
    return a;
}

static void cache_remove(struct ledger *l, struct account *a)
{
    struct account **p = &l->buckets[bucket_of(l, a->id)];
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
    map_remove(&l->by_name, a->name);
    l->count--;
    free(a->own_name);
    free(a);
}

/* Second chance, one bucket at a time. Only between transactions: then no account is dirty and nobody holds a pointer. */
static void evict(struct ledger *l)
{
    size_t goal = l->count_max - l->count_max / 8;
    for (size_t visited = 0; l->count > goal && visited < 2 * l->nbuckets; visited++) {
        l->hand = (l->hand + 1) & (l->nbuckets - 1);
        for (struct account *a = l->buckets[l->hand], *next; a; a = next) {
            next = a->next;
            if (a->used)
                a->used = false;
            else
                cache_remove(l, a);
        }
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory in the ledger; try again later.");
}

struct ledger_balance balance_of_row(struct store_stmt *s, int first)
{
    return (struct ledger_balance){ .flags = (unsigned)store_column_int(s, first),
                                    .debits_posted = store_column_int(s, first + 1),
                                    .credits_posted = store_column_int(s, first + 2),
                                    .debits_pending = store_column_int(s, first + 3),
                                    .credits_pending = store_column_int(s, first + 4) };
}

/* Row: id, name, unit, flags, four balances. */
static int load(struct ledger *l, struct store_stmt *s, struct account **out, struct err *err)
{
    *out = NULL;
    int rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    struct account *a = cache_add(l, store_column_int(s, 0), store_column_text(s, 1), store_column_text(s, 2));
    if (a)
        a->balance = balance_of_row(s, 3);
    store_reset(s);
    *out = a;
    return a ? 0 : no_memory(err);
}

int account_get(struct ledger *l, int64_t id, struct account **out, struct err *err)
{
    *out = find_by_id(l, id);
    if (!*out) {
        store_bind_int(l->account_by_id, 1, id);
        int rc = load(l, l->account_by_id, out, err);
        if (rc < 0)
            return rc;
    }
    if (!*out)
        return err_set(err, ERR_NOT_FOUND, "There is no ledger account with the number %lld.", (long long)id);
    (*out)->used = true;
    return 0;
}

static int push_undo(struct ledger *l, struct undo entry, struct err *err)
{
    if (l->undo_n == l->undo_cap) {
        size_t cap = l->undo_cap ? l->undo_cap * 2 : 256;
        struct undo *grown = realloc(l->undo, cap * sizeof *grown);
        if (!grown)
            return no_memory(err);
        l->undo = grown;
        l->undo_cap = cap;
    }
    l->undo[l->undo_n++] = entry;
    return 0;
}

int account_touch(struct ledger *l, struct account *a, struct err *err)
{
    if (a->saved_epoch != l->epoch) {
        int rc = push_undo(l, (struct undo){ .account = a, .balance = a->balance, .dirty = a->dirty }, err);
        if (rc < 0)
            return rc;
        a->saved_epoch = l->epoch;
    }
    a->dirty = true;
    return 0;
}

int account_rename(struct ledger *l, struct account *a, struct slice name, struct err *err)
{
    char *copy = malloc(name.len + 1); /* it ends in NUL, for messages */
    if (!copy)
        return no_memory(err);
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    struct undo entry = {
        .account = a, .balance = a->balance, .dirty = a->dirty, .renamed = true, .name = a->name, .own_name = a->own_name
    };
    int rc = push_undo(l, entry, err);
    if (rc == 0 && !map_set(&l->by_name, name, a)) {
        l->undo_n--;
        rc = no_memory(err);
    }
    if (rc < 0) {
        free(copy);
        return rc;
    }
    map_remove(&l->by_name, a->name);
    a->name = slice_of(copy, name.len);
    a->own_name = copy;
    return 0;
}

static void take_name_back(struct ledger *l, const struct undo *u)
{
    struct account *a = u->account;
    l->broken = !map_set(&l->by_name, u->name, a) || l->broken;
    map_remove(&l->by_name, a->name);
    free(a->own_name);
    a->name = u->name;
    a->own_name = u->own_name;
}

static int insert_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, struct account **out, struct err *err)
{
    struct store_stmt *s = l->account_insert;
    store_bind_text(s, 1, name);
    store_bind_text(s, 2, unit);
    store_bind_int(s, 3, flags);
    int rc = store_step(s, err);
    if (rc < 0)
        return rc;
    int64_t id = store_column_int(s, 0);
    rc = store_run(s, NULL, err); /* RETURNING gave the row; the statement ends with this */
    if (rc < 0)
        return rc;
    struct account *a = cache_add(l, id, name, unit);
    if (!a)
        return no_memory(err);
    a->balance.flags = flags;
    a->dirty = flags & LEDGER_PUBLISHED; /* told with the commit, also when nothing moves */
    rc = push_undo(l, (struct undo){ .account = a, .created = true }, err);
    if (rc < 0) {
        cache_remove(l, a);
        return rc;
    }
    *out = a;
    return 0;
}

int check_flags_of(unsigned flags, struct err *err)
{
    if (flags & ~LEDGER_FLAGS_ALL)
        return err_field(err, ERR_INVALID, "flags", "The flags of a ledger account are no_overdraft, closed, frozen and published.");
    return 0;
}

static int check_names(struct slice name, struct slice unit, unsigned flags, struct err *err)
{
    if (name.len == 0 || name.len > LEDGER_NAME_MAX)
        return err_field(err, ERR_INVALID, "name", "The name of a ledger account has 1 to %d bytes.", LEDGER_NAME_MAX);
    if (unit.len == 0 || unit.len > LEDGER_UNIT_MAX)
        return err_field(err, ERR_INVALID, "unit", "The unit of a ledger account has 1 to %d bytes.", LEDGER_UNIT_MAX);
    return check_flags_of(flags, err);
}

static int publish(struct ledger *l, struct account *a, struct err *err)
{
    int rc = check_flags_of(a->balance.flags | LEDGER_PUBLISHED, err);
    if (rc == 0)
        rc = account_touch(l, a, err);
    if (rc == 0)
        a->balance.flags |= LEDGER_PUBLISHED;
    return rc;
}

int ledger_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, int64_t *id, struct err *err)
{
    int rc = check_names(name, unit, flags, err);
    if (rc < 0)
        return rc;
    struct account *a = map_get(&l->by_name, name);
    if (!a) {
        store_bind_text(l->account_by_name, 1, name);
        rc = load(l, l->account_by_name, &a, err);
        if (rc == 0 && !a)
            rc = insert_account(l, name, unit, flags, &a, err);
        if (rc < 0)
            return rc;
    }
    if (!slice_eq(a->unit, unit))
        return err_field(err, ERR_INVALID, "unit", "The account %.*s is kept in %.*s, not in %.*s.", SLICE_FMT(name), SLICE_FMT(a->unit),
                         SLICE_FMT(unit));
    a->used = true;
    *id = a->id;
    return (flags & LEDGER_PUBLISHED) && !(a->balance.flags & LEDGER_PUBLISHED) ? publish(l, a, err) : 0;
}

int ledger_find(struct ledger *l, struct slice name, int64_t *id, struct err *err)
{
    struct account *a = map_get(&l->by_name, name);
    if (!a) {
        store_bind_text(l->account_by_name, 1, name);
        int rc = load(l, l->account_by_name, &a, err);
        if (rc < 0)
            return rc;
    }
    if (!a)
        return err_set(err, ERR_NOT_FOUND, "There is no ledger account %.*s.", SLICE_FMT(name));
    a->used = true;
    *id = a->id;
    return 0;
}

/* --- undo and flush ---------------------------------------------------------------------------------------------------- */

struct mark undo_mark(struct ledger *l)
{
    l->epoch++;
    return (struct mark){ .undo = l->undo_n, .next_seq = l->next_seq };
}

void undo_to(struct ledger *l, struct mark m)
{
    while (l->undo_n > m.undo) {
        struct undo *u = &l->undo[--l->undo_n];
        if (u->created) {
            cache_remove(l, u->account);
        } else {
            if (u->renamed)
                take_name_back(l, u);
            u->account->balance = u->balance;
            u->account->dirty = u->dirty;
        }
    }
    l->next_seq = m.next_seq;
    l->epoch++;
}

static int by_id(const void *x, const void *y)
{
    const struct account *a = *(struct account *const *)x, *b = *(struct account *const *)y;
    return (a->id > b->id) - (a->id < b->id);
}

static int collect_dirty(struct ledger *l, size_t *n, struct err *err)
{
    if (l->flush_cap < l->undo_n) {
        struct account **grown = realloc(l->flush_list, l->undo_n * sizeof *grown);
        if (!grown)
            return no_memory(err);
        l->flush_list = grown;
        l->flush_cap = l->undo_n;
    }
    l->flush_stamp++;
    *n = 0;
    for (size_t i = 0; i < l->undo_n; i++) {
        struct account *a = l->undo[i].account;
        if (!a->dirty || a->flush_stamp == l->flush_stamp)
            continue;
        a->flush_stamp = l->flush_stamp;
        l->flush_list[(*n)++] = a;
    }
    if (*n > 1)
        qsort(l->flush_list, *n, sizeof *l->flush_list, by_id); /* neighbours share pages */
    return 0;
}

static int write_row(struct ledger *l, const struct account *a, struct err *err)
{
    struct store_stmt *s = l->account_update;
    store_bind_int(s, 1, a->balance.flags);
    store_bind_int(s, 2, a->balance.debits_posted);
    store_bind_int(s, 3, a->balance.credits_posted);
    store_bind_int(s, 4, a->balance.debits_pending);
    store_bind_int(s, 5, a->balance.credits_pending);
    store_bind_int(s, 6, a->id);
    int64_t changed = 0;
    int rc = store_run(s, &changed, err);
    if (rc == 0 && changed != 1)
        rc = err_set(err, ERR_CORRUPT, "The ledger account %.*s has vanished from the store; stop the shop and restore a backup.",
                     SLICE_FMT(a->name));
    return rc;
}

static void hook_savepoint(void *ctx)
{
    struct ledger *l = ctx;
    l->savepoint = undo_mark(l);
}

static void hook_rollback_to(void *ctx)
{
    struct ledger *l = ctx;
    undo_to(l, l->savepoint);
    l->broken = false;
}

static int hook_before_commit(void *ctx, struct err *err)
{
    struct ledger *l = ctx;
    if (l->broken)
        return err_set(err, ERR_IO, "The ledger could not take back a transfer that failed; try the request again.");
    l->flush_n = 0;
    int rc = collect_dirty(l, &l->flush_n, err);
    for (size_t i = 0; rc == 0 && i < l->flush_n; i++)
        rc = write_row(l, l->flush_list[i], err);
    return rc;
}

static void hook_committed(void *ctx)
{
    struct ledger *l = ctx;
    for (size_t i = 0; i < l->undo_n; i++) {
        l->undo[i].account->dirty = false;
        if (l->undo[i].renamed)
            free(l->undo[i].own_name);
    }
    l->undo_n = 0;
    l->committed_next_seq = l->next_seq;
    l->savepoint = undo_mark(l);
    for (size_t w = 0; w < l->watcher_count; w++)
        for (size_t i = 0; i < l->flush_n; i++)
            l->watchers[w].fn(l->watchers[w].ctx, l->flush_list[i]->name, &l->flush_list[i]->balance);
    l->flush_n = 0;
    if (l->count > l->count_max)
        evict(l);
}

static void hook_aborted(void *ctx)
{
    struct ledger *l = ctx;
    undo_to(l, (struct mark){ .undo = 0, .next_seq = l->committed_next_seq });
    l->savepoint = undo_mark(l);
    l->flush_n = 0;
    l->broken = false;
}

struct writer_hooks ledger_hooks(struct ledger *l)
{
    return (struct writer_hooks){
        .ctx = l,
        .savepoint = hook_savepoint,
        .rollback_to = hook_rollback_to,
        .before_commit = hook_before_commit,
        .committed = hook_committed,
        .aborted = hook_aborted,
    };
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

int accounts_open(struct ledger *l, struct err *err)
{
    map_init(&l->by_name, NULL);
    l->nbuckets = 1024;
    l->count_max = LEDGER_CACHE_MAX;
    l->buckets = calloc(l->nbuckets, sizeof *l->buckets);
    return l->buckets ? 0 : no_memory(err);
}

void accounts_close(struct ledger *l)
{
    for (size_t i = 0; l->buckets && i < l->nbuckets; i++) {
        for (struct account *a = l->buckets[i], *next; a; a = next) {
            next = a->next;
            free(a->own_name);
            free(a);
        }
    }
    map_release(&l->by_name);
    free(l->buckets);
    free(l->undo);
    free(l->flush_list);
}

void ledger_watch(struct ledger *l, ledger_watch_fn fn, void *ctx)
{
    assert(l->watcher_count < LEDGER_WATCHERS_MAX);
    l->watchers[l->watcher_count].fn = fn;
    l->watchers[l->watcher_count++].ctx = ctx;
}

void ledger_unwatch(struct ledger *l, void *ctx)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->watcher_count; i++)
        if (l->watchers[i].ctx != ctx)
            l->watchers[kept++] = l->watchers[i];
    l->watcher_count = kept;
}

void ledger_cache_max(struct ledger *l, size_t accounts)
{
    l->count_max = accounts;
}
