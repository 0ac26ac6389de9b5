/* What is seen of the writer, and what --break does to it: calls between the parts of the runtime, wrapped when the program is linked. */
#include "bind/bind.h"
#include "host/plugins/plugins.h"
#include "host/shop.h"
#include "host/worker.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "tests/simulate/sim.h"
#include "vm/vm.h"
#include <stdio.h>
#include <stdlib.h>

const char *const breakage_names[BREAKAGES] = { "nothing",  "skip-void",    "forget-answers", "lose-timers", "early-answer",
                                                "oversell", "lose-refunds", "old-rules",      "lose-money" };

enum { COMMIT_NS = 3000000, COUNTED_PER_MILLE = 20 };

bool __real_vm_deadline_arm(struct vm *v, int64_t ns);
bool __wrap_vm_deadline_arm(struct vm *v, int64_t ns);
int __real_store_commit(struct store_conn *c, struct err *err);
int __wrap_store_commit(struct store_conn *c, struct err *err);
void __real_store_rollback(struct store_conn *c);
void __wrap_store_rollback(struct store_conn *c);
int __real_idempotency_store(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32], int status,
                             struct slice body, int64_t now_ms, struct err *err);
int __wrap_idempotency_store(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32], int status,
                             struct slice body, int64_t now_ms, struct err *err);
int __real_idempotency_find(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32],
                            struct idempotency_answer *out, struct err *err);
int __wrap_idempotency_find(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32],
                            struct idempotency_answer *out, struct err *err);
int __real_bind_call(struct vm *v, struct slice name, const struct json_value *args, struct bind_answer *out, struct err *err);
int __wrap_bind_call(struct vm *v, struct slice name, const struct json_value *args, struct bind_answer *out, struct err *err);
int __real_bind_call_stdlib(struct vm *v, struct slice name, const struct json_value *args, struct slice *value, struct err *err);
int __wrap_bind_call_stdlib(struct vm *v, struct slice name, const struct json_value *args, struct slice *value, struct err *err);
int __real_plugin_timer_run(struct vm *vm, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);
int __wrap_plugin_timer_run(struct vm *vm, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);
int __real_timer_set(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);
int __wrap_timer_set(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);
int __real_ledger_apply(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err);
int __wrap_ledger_apply(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err);
int __real_ledger_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, int64_t *id, struct err *err);
int __wrap_ledger_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, int64_t *id, struct err *err);
struct seat *__real_worker_offer(struct worker *w, struct seat *seat);
struct seat *__wrap_worker_offer(struct worker *w, struct seat *seat);

static bool breaks(enum breakage what)
{
    struct sim *s = sim_here();
    return s && s->breakage == what;
}

static void injected(void)
{
    sim_here()->injected++;
}

/* --- notes ---------------------------------------------------------------------------------------------------------------------- */

void note_free(struct note *n)
{
    free(n->name);
    free(n->key);
    free(n->body);
    free(n);
}

static void append(struct notes *list, struct note *n)
{
    n->next = NULL;
    *list->last = n;
    list->last = &n->next;
}

static struct note *take_first(struct notes *list)
{
    struct note *n = list->first;
    if (n && !(list->first = n->next))
        list->last = &list->first;
    return n;
}

void notes_drop(struct notes *list, const void *conn)
{
    struct notes kept = { .last = &kept.first };
    struct note *n;
    while ((n = take_first(list)) != NULL) {
        if (conn && n->conn != conn)
            append(&kept, n);
        else
            note_free(n);
    }
    while ((n = take_first(&kept)) != NULL)
        append(list, n);
}

struct note *notes_take(struct sim *s)
{
    return take_first(&s->done);
}

static struct note *make(struct sim *s, enum note_kind kind, const void *conn, struct slice name, struct slice key, int status,
                         struct slice body)
{
    struct note *n = calloc(1, sizeof *n);
    if (!n)
        abort();
    *n = (struct note){ .kind = kind, .conn = conn, .status = status, .wall_ms = sim_wall_ms(s), .body_len = body.len };
    n->name = strndup(name.data, name.len);
    n->key = strndup(key.data, key.len);
    n->body = malloc(body.len + 1);
    if (!n->name || !n->key || !n->body)
        abort();
    memcpy(n->body, body.data, body.len);
    n->body[body.len] = '\0';
    return n;
}

static void note(struct sim *s, enum note_kind kind, const void *conn, struct slice name, struct slice key, int status, struct slice body)
{
    append(&s->open, make(s, kind, conn, name, key, status, body));
}

static void note_timer(struct sim *s, enum note_kind kind, const void *conn, struct slice procedure, struct slice key, int64_t due_ms)
{
    char due[24];
    snprintf(due, sizeof due, "%lld", (long long)due_ms);
    note(s, kind, conn, procedure, key, 0, slice_str(due));
}

/* Those of a connection become the world's, behind a mark that says how its transaction ended. */
static void publish(struct sim *s, const void *conn, enum note_kind how, bool wrote)
{
    struct notes kept = { .last = &kept.first };
    struct note *n;
    bool any = wrote;
    while ((n = take_first(&s->open)) != NULL) {
        any = any || n->conn == conn;
        append(n->conn == conn ? &s->done : &kept, n);
    }
    while ((n = take_first(&kept)) != NULL)
        append(&s->open, n);
    if (!any)
        return;
    append(&s->done, make(s, how, conn, slice_str(""), slice_str(""), wrote, slice_str("")));
    net_tell(s->net);
}

int __wrap_store_commit(struct store_conn *c, struct err *err)
{
    struct sim *s = sim_here();
    if (!s)
        return __real_store_commit(c, err);
    sched_sleep((int64_t)sched_roll(COMMIT_NS)); /* a disk is slow: meanwhile others go on, and the next batch grows */
    uint64_t writes = faultvfs_counts(s->disk).writes;
    int rc = __real_store_commit(c, err);
    bool wrote = faultvfs_counts(s->disk).writes != writes;
    if (rc == 0)
        publish(s, c, NOTE_COMMIT, wrote);
    else
        publish(s, c, NOTE_DOUBT,
                wrote); /* what was written and not synced may be there after a cut, until the next commit writes over it */
    sched_point();
    return rc;
}

void __wrap_store_rollback(struct store_conn *c)
{
    struct sim *s = sim_here();
    __real_store_rollback(c);
    if (s)
        notes_drop(&s->open, c);
}

int __wrap_idempotency_store(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32], int status,
                             struct slice body, int64_t now_ms, struct err *err)
{
    struct sim *s = sim_here();
    int rc = s->breakage == BREAK_FORGET_ANSWERS ? (s->injected++, 0)
                                                 : __real_idempotency_store(c, scope, key, request_hash, status, body, now_ms, err);
    if (rc == 0)
        note(s, NOTE_RAN, c, scope, key, status, body);
    return rc;
}

/* What a provider of payments said, and the writer is to make something of. */
static void note_provider(struct sim *s, struct vm *v, struct slice name, const struct json_value *args)
{
    static const char of_provider[] = "provider_calls.";
    struct buf text;
    struct json_writer w;
    if (name.len < sizeof of_provider || memcmp(name.data, of_provider, sizeof of_provider - 1) != 0 || !s->shop ||
        bind_context_of(v)->conn != store_writer_conn(s->shop->store))
        return;
    buf_init(&text, NULL);
    json_writer_init(&w, &text);
    json_value_write(&w, args);
    note(s, NOTE_CALL, bind_context_of(v)->conn, name, slice_str(""), 0, buf_slice(&text));
    buf_release(&text);
}

int __wrap_bind_call_stdlib(struct vm *v, struct slice name, const struct json_value *args, struct slice *value, struct err *err)
{
    struct sim *s = sim_here();
    if (breaks(BREAK_LOSE_MONEY) && slice_is(name, "provider_calls.done")) {
        injected();
        *value = slice_str("");
        return 0;
    }
    int rc = __real_bind_call_stdlib(v, name, args, value, err);
    if (s && rc == 0)
        note_provider(s, v, name, args);
    return rc;
}

/* What the shop does by itself: the principal is "system". */
int __wrap_bind_call(struct vm *v, struct slice name, const struct json_value *args, struct bind_answer *out, struct err *err)
{
    struct slice kind, key;
    struct sim *s = sim_here();
    int rc = __real_bind_call(v, name, args, out, err);
    if (s && rc == 0 && json_is_string(json_get(json_get(args, "principal"), "kind"), &kind) && slice_is(kind, "system") &&
        json_is_string(json_get(args, "key"), &key))
        note(s, NOTE_TIMER, bind_context_of(v)->conn, name, key, 0, slice_str(""));
    else if (s && rc == 0)
        note_provider(s, v, name, args);
    return rc;
}

int __wrap_plugin_timer_run(struct vm *vm, struct slice procedure, struct slice key, int64_t due_ms, struct err *err)
{
    struct sim *s = sim_here();
    int rc = __real_plugin_timer_run(vm, procedure, key, due_ms, err);
    if (s && rc == 0)
        note_timer(s, NOTE_TIMER, bind_context_of(vm)->conn, procedure, key, due_ms);
    return rc;
}

/* --- what depends on how quick the machine is ------------------------------------------------------------------------------------------
 */

/* A free run that is in time, or one that had to be counted: what comes of it must be the same. */
bool __wrap_vm_deadline_arm(struct vm *v, int64_t ns)
{
    return sched_here() ? sched_roll(1000) >= COUNTED_PER_MILLE : __real_vm_deadline_arm(v, ns);
}

/* --- what --break does ------------------------------------------------------------------------------------------------------------------
 */

int __wrap_idempotency_find(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32],
                            struct idempotency_answer *out, struct err *err)
{
    return breaks(BREAK_FORGET_ANSWERS) ? 0 : __real_idempotency_find(c, scope, key, request_hash, out, err);
}

int __wrap_timer_set(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, struct err *err)
{
    struct sim *s = sim_here();
    if (breaks(BREAK_LOSE_TIMERS) && sched_roll(4) == 0) {
        injected();
        return 0;
    }
    int rc = __real_timer_set(c, procedure, key, due_ms, err);
    if (s && rc == 0 && plugin_timer_is(procedure))
        note_timer(s, NOTE_SET, c, procedure, key, due_ms);
    return rc;
}

static bool is_left_out(const struct ledger_op *op)
{
    if (breaks(BREAK_SKIP_VOID))
        return op->kind == LEDGER_VOID;
    return breaks(BREAK_LOSE_REFUNDS) && op->id.len > 4 && memcmp(op->id.data, "ref_", 4) == 0 && memchr(op->id.data, 'p', op->id.len);
}

int __wrap_ledger_apply(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err)
{
    struct ledger_op *kept = calloc(n + 1, sizeof *kept);
    size_t count = 0;
    if (!kept)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (is_left_out(&ops[i]))
            injected();
        else
            kept[count++] = ops[i];
    }
    int rc = __real_ledger_apply(l, kept, count, now_ms, failed, err);
    free(kept);
    return rc;
}

int __wrap_ledger_account(struct ledger *l, struct slice name, struct slice unit, unsigned flags, int64_t *id, struct err *err)
{
    return __real_ledger_account(l, name, unit, breaks(BREAK_OVERSELL) ? 0 : flags, id, err);
}

struct seat *__wrap_worker_offer(struct worker *w, struct seat *seat)
{
    if (!breaks(BREAK_OLD_RULES) || w->number != 0)
        return __real_worker_offer(w, seat);
    injected();
    atomic_store(&w->seat_serial, UINT64_MAX); /* says that it took it */
    return seat;
}
