/* Opening a shop and its parts in order, closing them in reverse. */
#include "host/shop.h"
#include "host/admin/hasher.h"
#include "host/admin/shares.h"
#include "host/admin/throttle.h"
#include "host/care/access.h"
#include "host/care/errand.h"
#include "host/care/follower.h"
#include "host/publish/gate.h"
#include "host/publish/pins.h"
#include "host/care/discounts.h"
#include "host/plugins/plugins.h"
#include "host/publish/publish.h"
#include "host/publish/publish_check.h"
#include "host/publish/revisions.h"
#include "host/left.h"
#include "host/soldout.h"
#include "host/care/stops.h"
#include "host/plugins/streams.h"
#include "host/webhooks/webhooks.h"
#include "host/api/words.h"
#include "host/api/guesses.h"
#include "rulebook/manifests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_path(char out[4096], const char *a, const char *b, struct err *err)
{
    int n = snprintf(out, 4096, b ? "%s/%s" : "%s", a, b);
    return n < 4096 ? 0 : err_set(err, ERR_INVALID, "The path \"%.60s...\" is too long.", a);
}

static int set_paths(struct shop *s, struct err *err)
{
    const struct shop_options *o = &s->options;
    int rc = set_path(s->dir, o->dir, NULL, err);
    if (rc == 0)
        rc = o->data_dir ? set_path(s->data_dir, o->data_dir, NULL, err) : set_path(s->data_dir, s->dir, "data", err);
    if (rc == 0)
        rc = set_path(s->socket_path, s->data_dir, "feira.sock", err);
    if (rc == 0)
        rc = set_path(s->lock_path, s->data_dir, "lock", err);
    if (rc == 0)
        rc = set_path(s->store_path, s->data_dir, "shop.db", err);
    if (rc == 0)
        rc = set_path(s->audit_head_path, s->data_dir, "audit.head", err);
    return rc;
}

static int make_data_dir(struct shop *s, struct err *err)
{
    struct stat st;
    if (stat(s->dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "There is no folder \"%s\"; a shop is a folder with a shop.lua in it.", s->dir);
    if (mkdir(s->data_dir, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "The data folder \"%s\" can't be made: %s; make the folder above it, or name another with --data.",
                       s->data_dir, strerror(errno));
    return 0;
}

/* --- Lua states --------------------------------------------------------------------------------------------------- */

/* The shop's rulebook and every thread open their states here; each has a context of its own. */
static int open_vm(void *ctx, struct vm **out, struct err *err)
{
    struct shop *s = ctx;
    struct plugin_state *state = plugin_state_new();
    if (!state)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    struct bind_context *b = &state->bind;
    b->clock = s->options.clock;
    b->log = s->options.log;
    b->random = s->options.random;
    b->phase = BIND_PHASE_LOAD;
    int rc = bind_open(&(struct vm_options){ .code = s->code }, b, out, err);
    if (rc < 0)
        plugin_state_free(state);
    return rc;
}

/* Written in many ways, a number is its digits: "+44 20 7946 0000" and "0044-2079460000" are one. */
static void pseudonym(void *ctx, struct slice text, char out[65])
{
    const struct shop *s = ctx;
    char digits[64];
    unsigned char mac[SHA256_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < text.len && n < sizeof digits; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            digits[n++] = text.data[i];
    bool abroad = n > 2 && digits[0] == '0' && digits[1] == '0';
    auth_sign(s->auth, "phone", slice_of(digits + (abroad ? 2 : 0), n - (abroad ? 2 : 0)), mac);
    hex_encode(mac, sizeof mac, out);
    out[2 * sizeof mac] = '\0';
}

/* The name ends with a NUL, which is in no name: so no plugin's text is another's. */
static void sign(void *ctx, const char *plugin, struct slice text, unsigned char mac[SHA256_BYTES])
{
    const struct shop *s = ctx;
    char all[1200];
    size_t n = strlen(plugin) + 1;
    memcpy(all, plugin, n);
    size_t len = text.len < sizeof all - n ? text.len : sizeof all - n;
    memcpy(all + n, text.data, len);
    auth_sign(s->auth, "plugin", slice_of(all, n + len), mac);
}

void shop_signs(struct shop *s, struct bind_context *bind)
{
    bind->sign = sign;
    bind->sign_ctx = s;
}

static bool left_known(void *ctx, struct slice account, int64_t *left)
{
    const struct shop *s = ctx;
    return s->left && left_of(s->left, account, left);
}

int shop_open_vm(struct shop *s, struct generation *g, enum vm_for use, struct vm **vm, struct bind_context **bind, struct err *err)
{
    int rc = use == VM_FOR_WORKER ? generation_open_vm(g, vm, err) : generation_open_plugins_vm(g, vm, err);
    if (rc < 0)
        return rc;
    *bind = bind_context_of(*vm);
    (*bind)->left = left_known;
    (*bind)->left_ctx = s;
    (*bind)->pseudonym = pseudonym;
    (*bind)->pseudonym_ctx = s;
    shop_signs(s, *bind);
    plugin_state_of(*vm)->stops.stops = s->stops;
    plugins_attach(*vm, g, s->webhooks);
    rc = plugin_routes_open(*vm, g, err);
    if (rc == 0)
        rc = plugin_facts_open(*vm, g, s->symbols, err);
    if (rc == 0)
        rc = plugin_inputs_open(*vm, g, err);
    if (rc == 0)
        rc = figures_open(s->figures, *vm, g, &plugin_state_of(*vm)->figures, err);
    if (rc < 0)
        shop_close_vm(*vm);
    return rc;
}

static void close_vm(void *ctx, struct vm *vm)
{
    (void)ctx;
    shop_close_vm(vm);
}

void shop_close_vm(struct vm *vm)
{
    if (!vm)
        return;
    struct plugin_state *state = plugin_state_of(vm);
    vm_close(vm);
    plugin_state_free(state);
}

/* --- parts ---------------------------------------------------------------------------------------------------------- */

static int open_rulebook(struct shop *s, struct generation **first, struct err *err)
{
    enum { CODE_MAX_BYTES = 32 << 20 };
    struct sources *src;
    s->symbols = symbols_new(NULL);
    if (!s->symbols)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    s->code = s->options.code;
    int rc = s->code ? 0 : vm_code_open(CODE_MAX_BYTES, &s->code, err);
    if (rc == 0)
        rc = words_open(&s->words, err);
    if (rc == 0 && !(s->guesses = guesses_new()))
        rc = err_set(err, ERR_NOMEM, "Out of memory while opening the shop.");
    if (rc == 0)
        rc = manifests_open(&s->manifests, err);
    if (rc < 0)
        return rc;
    s->rulebook = (struct rulebook_options){ .symbols = s->symbols,
                                             .open_vm = open_vm,
                                             .close_vm = close_vm,
                                             .know_shop = plugins_know_shop,
                                             .open_plugin = plugins_open_one,
                                             .plugin_modules = plugin_modules,
                                             .manifests = s->manifests,
                                             .ctx = s };
    rc = sources_read(s->dir, &src, err);
    if (rc < 0)
        return rc;
    rc = generation_build(&s->rulebook, src, first, err);
    if (rc < 0)
        sources_free(src);
    return rc;
}

static bool has_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0;
}

/* Where there is no database but what belongs to one, it was lost: an empty shop in its place would look like a working one. */
static int check_not_lost(const struct shop *s, struct err *err)
{
    static const char *const left_behind[] = { "shop.db-wal", "keys.txt" };
    char path[4096];
    if (s->options.vfs || has_bytes(s->store_path))
        return 0;
    for (size_t i = 0; i < sizeof left_behind / sizeof *left_behind; i++) {
        int rc = set_path(path, s->data_dir, left_behind[i], err);
        if (rc < 0)
            return rc;
        if (has_bytes(path))
            return err_set(
                err, ERR_CORRUPT,
                "%s is missing or empty, but %s of an earlier run is there; restore a backup, or remove %s to begin an empty shop.",
                s->store_path, left_behind[i], left_behind[i]);
    }
    return 0;
}

static int open_store(struct shop *s, struct err *err)
{
    struct store_options o = { .path = s->store_path, .vfs = s->options.vfs, .migrations = bind_core_migrations() };
    if (s->options.unsafe_sync)
        o.sync = STORE_SYNC_NORMAL;
    int rc = store_lock_take(s->lock_path, &s->lock, err);
    if (rc == 0)
        rc = check_not_lost(s, err);
    if (rc == 0)
        rc = store_open(&o, &s->store, err);
    if (rc == 0)
        rc = ledger_open(s->store, &s->ledger, err);
    return rc;
}

/* What was live last, from the store, which is open when this succeeds. When there is nothing, err stays what was wrong with the folder. */
static int open_live(struct shop *s, struct generation **first, struct err *err)
{
    struct err broken = *err;
    char id[GENERATION_ID_MAX];
    struct sources *src;
    int rc = has_bytes(s->store_path) ? open_store(s, err) : ERR_NOT_FOUND;
    if (rc == 0)
        rc = revision_before(store_writer_conn(s->store), "", id, err);
    if (rc == 0)
        rc = revision_load(store_writer_conn(s->store), slice_str(id), &src, err);
    if (rc == 0 && (rc = generation_build(&s->rulebook, src, first, err)) < 0)
        sources_free(src);
    if (rc == 0) {
        log_warn(s->options.log, "rules.from_store", broken.text);
        err_clear(err);
        return 0;
    }
    *err = broken;
    return broken.code;
}

/* The folder is broken. Whether that matters: where approvals are asked for, it is no more than a draft. Nothing is written. */
static bool is_gated_on_disk(const struct shop *s)
{
    struct store *store;
    struct store_conn *conn;
    struct err ignored = { 0 };
    bool gated = false;
    if (s->options.vfs || !has_bytes(s->store_path) ||
        store_open(&(struct store_options){ .path = s->store_path, .read_only = true }, &store, &ignored) < 0)
        return false;
    if (store_reader_open(store, &conn, &ignored) == 0) {
        gated = gate_was_closed(conn, &ignored) == 1;
        store_reader_close(conn);
    }
    store_close(store);
    return gated;
}

/* Where what was live last asks for approvals, that is what is served, whatever the folder has now. */
static int keep_approved(struct shop *s, struct generation **first, struct err *err)
{
    struct store_conn *conn = store_writer_conn(s->store);
    char id[GENERATION_ID_MAX];
    struct sources *src = NULL;
    struct generation *approved;
    int rc = gate_was_closed(conn, err);
    if (rc <= 0)
        return rc;
    rc = revision_before(conn, "", id, err);
    if (rc == 0)
        rc = revision_load(conn, slice_str(id), &src, err);
    if (rc < 0 || strcmp(sources_hash(src), sources_hash(generation_sources(*first))) == 0) {
        sources_free(src);
        return rc;
    }
    rc = generation_build(&s->rulebook, src, &approved, err);
    if (rc < 0) {
        sources_free(src);
        return err_wrap(err, "The rules that were approved can't be used by this program, and others were not approved");
    }
    generation_unref(*first);
    *first = approved;
    log_warn(s->options.log, "rules.approved",
             "The folder has other rules than those that were approved; these are served. To change that: feira submit SHOP.",
             LOG_STR("generation", generation_id(approved)));
    return 0;
}

static int open_memory(struct shop *s, struct err *err)
{
    struct store_conn *conn = store_writer_conn(s->store);
    s->catalogue = catalogue_new(s->symbols);
    s->discounts = discounts_new();
    if (!s->catalogue || !s->discounts)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    int rc = catalogue_load(s->catalogue, conn, err);
    if (rc == 0)
        rc = soldout_open(s->symbols, conn, s->ledger, &s->soldout, err);
    if (rc == 0)
        rc = left_open(s->symbols, conn, s->ledger, &s->left, err);
    if (rc == 0)
        rc = auth_open(conn, s->options.random, s->options.clock, &s->auth, err);
    if (rc == 0)
        rc = stops_open(conn, s->options.clock, &s->stops, err);
    if (rc == 0)
        rc = shares_open(conn, &s->shares, err);
    if (rc == 0)
        rc = webhooks_open(conn, s->options.clock, &s->webhooks, err);
    if (rc == 0)
        rc = routes_open(&s->routes, err);
    return rc;
}

static int start_writer(struct shop *s, struct err *err)
{
    struct writer_options o = {
        .store = s->store,
        .clock = s->options.clock,
        .thread_begin = procedures_begin,
        .thread_end = procedures_end,
        .thread_ctx = s,
    };
    int rc = writer_open(&o, &s->writer, err);
    if (rc < 0)
        return rc;
    struct writer_hooks ledger = ledger_hooks(s->ledger), procedures = procedures_hooks(s), streams = streams_hooks(s->streams);
    writer_add_hooks(s->writer, &ledger);
    writer_add_hooks(s->writer, &procedures);
    writer_add_hooks(s->writer, &streams); /* last: who hears of it finds what the others have published */
    return writer_start(s->writer, err);
}

static int open_throttle(struct shop *s, struct err *err)
{
    uint64_t salt;
    random_fill(random_system(), &salt, sizeof salt); /* not the shop's: a seeded one would give others other numbers */
    s->throttle = throttle_new(salt);
    return s->throttle ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
}

int shop_open(const struct shop_options *o, struct shop **out, struct err *err)
{
    *out = NULL;
    struct shop *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    struct generation *first = NULL;
    s->options = *o;
    s->started_ms = clock_wall_ms(o->clock);
    s->figures = figures_new();
    s->streams = streams_new();
    s->access = access_new(o->clock);
    int rc = s->figures && s->streams && s->access ? set_paths(s, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0)
        rc = make_data_dir(s, err);
    if (rc == 0)
        rc = open_rulebook(s, &first, err); /* before the store: a shop whose rules are broken does not touch its data */
    bool from_store = rc < 0 && rc != ERR_NOMEM && (o->or_live_rules || is_gated_on_disk(s));
    if (from_store)
        rc = open_live(s, &first, err);
    if (rc == 0 && !from_store)
        rc = open_store(s, err);
    if (rc == 0 && !from_store)
        rc = keep_approved(s, &first, err);
    if (rc == 0)
        rc = publish_check_start(s, first, err);
    if (rc == 0)
        rc = plugins_grow(store_writer_conn(s->store), first, err);
    if (rc == 0)
        rc = pins_keep_alone(store_writer_conn(s->store), first, s->started_ms, err);
    if (rc == 0)
        rc = open_memory(s, err);
    if (rc == 0)
        rc = errands_open(s, &s->errands, err);
    if (rc == 0)
        rc = hashers_open(&s->hashers, err);
    if (rc == 0)
        rc = open_throttle(s, err);
    if (rc == 0)
        rc = follower_open(s, &s->follower, err);
    if (rc == 0 && (rc = publisher_open(s, first, &s->publisher, err)) == 0)
        first = NULL;
    if (rc == 0)
        rc = start_writer(s, err);
    if (rc == 0)
        rc = publisher_start(s->publisher, err);
    if (rc < 0) {
        generation_unref(first);
        shop_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void shop_close(struct shop *s)
{
    if (!s)
        return;
    errands_finish(s->errands);
    hashers_finish(s->hashers);
    publisher_stop(s->publisher);
    if (s->writer) {
        writer_stop(s->writer);
        follower_finish(s->follower);
        writer_free(s->writer);
    }
    publisher_free(s->publisher);
    stops_close(s->stops);
    shares_close(s->shares);
    webhooks_close(s->webhooks);
    discounts_free(s->discounts);
    routes_close(s->routes);
    auth_close(s->auth);
    catalogue_free(s->catalogue);
    soldout_close(s->soldout);
    left_close(s->left);
    errands_close(s->errands);
    hashers_close(s->hashers);
    throttle_free(s->throttle);
    follower_close(s->follower);
    if (s->ledger)
        ledger_close(s->ledger);
    if (s->store)
        store_close(s->store);
    if (!s->options.code)
        vm_code_close(s->code);
    manifests_close(s->manifests);
    words_close(s->words);
    guesses_free(s->guesses);
    if (s->symbols)
        symbols_free(s->symbols);
    figures_free(s->figures);
    streams_free(s->streams);
    access_free(s->access);
    if (s->lock)
        store_lock_free(s->lock);
    free(s);
}

/* --- first start ----------------------------------------------------------------------------------------------------- */

static int make_key(struct shop *s, const char *kind, FILE *f, struct err *err)
{
    char body[128];
    int status;
    struct buf answer;
    snprintf(body, sizeof body, "{\"kind\":\"%s\",\"label\":\"first %s key\"}", kind, kind[0] == 'p' ? "storefront" : "server");
    buf_init(&answer, NULL);
    int rc = shop_request(s, "POST", "/v1/keys", slice_str(body), &status, &answer, err);
    if (rc == 0 && status != 201)
        rc = err_set(err, ERR_INTERNAL, "The first keys could not be made: %.*s", SLICE_FMT(buf_slice(&answer)));
    struct arena a;
    arena_init(&a, NULL, 0);
    struct json_value *v;
    if (rc == 0 && (rc = json_parse(buf_slice(&answer), NULL, &a, &v, err)) == 0)
        fprintf(f, "%s %.*s\n", kind, SLICE_FMT(json_get(v, "key")->string));
    arena_release(&a);
    buf_release(&answer);
    return rc;
}

static int has_keys(struct shop *s, struct err *err)
{
    struct store_stmt *q;
    struct store_conn *conn;
    int rc = store_reader_open(s->store, &conn, err);
    if (rc < 0)
        return rc;
    rc = store_prepare(conn, "SELECT 1 FROM api_keys LIMIT 1", &q, err);
    if (rc == 0) {
        rc = store_step(q, err);
        store_reset(q);
    }
    store_reader_close(conn);
    return rc;
}

int shop_first_keys(struct shop *s, char path[4096], bool *made, struct err *err)
{
    int rc = set_path(path, s->data_dir, "keys.txt", err);
    *made = false;
    if (rc < 0 || (rc = has_keys(s, err)) != 0)
        return rc < 0 ? rc : 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        return err_set(err, ERR_IO, "\"%s\" can't be written: %s.", path, strerror(errno));
    rc = make_key(s, "pk", f, err);
    if (rc == 0)
        rc = make_key(s, "sk", f, err);
    if (fclose(f) != 0 && rc == 0)
        rc = err_set(err, ERR_IO, "\"%s\" can't be written: %s.", path, strerror(errno));
    *made = rc == 0;
    return rc;
}
