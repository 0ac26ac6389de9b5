#include "host/care/doctor.h"
#include "bind/bind.h"
#include "host/admin/audit.h"
#include "host/webhooks/webhooks.h"
#include "host/care/follower.h"
#include "host/publish/edition.h"
#include "host/publish/publish.h"
#include "ledger/ledger.h"
#include "rulebook/privacy.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

enum { EXAMPLES_MAX = 5, OVERDUE_MS = 60000, PATIENCE_MS = 3600000 };
#define GIB ((uint64_t)1 << 30)

struct visit {
    struct shop *shop;
    struct store_conn *conn;
    struct json_writer *w;
    struct err *err;
    int64_t now_ms;
    bool ill;
};

/* --- findings --------------------------------------------------------------------------------------------------------- */

static void finding(struct visit *v, const char *check, const char *level, const char *text, const char *advice)
{
    json_object(v->w);
    json_key(v->w, "check");
    json_str(v->w, check);
    json_key(v->w, "level");
    json_str(v->w, level);
    json_key(v->w, "text");
    json_str(v->w, text);
    if (advice) {
        json_key(v->w, "advice");
        json_str(v->w, advice);
    }
    json_object_end(v->w);
}

static void well(struct visit *v, const char *check, const char *text)
{
    finding(v, check, "ok", text, NULL);
}

static void warn(struct visit *v, const char *check, const char *text, const char *advice)
{
    finding(v, check, "warning", text, advice);
}

static void ill(struct visit *v, const char *check, const char *text, const char *advice)
{
    v->ill = true;
    finding(v, check, "error", text, advice);
}

/* --- questions of one column (?1: an hour ago): how many there are, and the first of them by name
 * ------------------------------------------- */

struct question {
    const char *check, *sql, *fine, *wrong, *advice;
    bool only_warns;
};

static const struct question questions[] = {
    { "holds",
      "SELECT t.id FROM ledger_transfers t LEFT JOIN orders o ON o.order_id = t.reference WHERE t.kind = 1 AND t.id LIKE 'ord\\_%' "
      "ESCAPE '\\' AND (o.id IS NULL OR o.state <> 1) AND NOT EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq)",
      "Every piece that is held belongs to an order that waits for its payment.",
      "pieces are held for orders that do not wait for a payment (any more)",
      "They can't be sold. Report this with the ids: a hold ends with its order in one transaction.", false },
    { "holds with a time", "SELECT t.id FROM ledger_expiries e JOIN ledger_transfers t ON t.seq = e.hold WHERE e.expires_ms < ?1",
      "No hold is an hour past its time.", "holds are an hour past their time and were not given back",
      "While the shop is served they come back by themselves; see the log (books.failed).", true },
    { "placed orders",
      "SELECT o.order_id FROM orders o WHERE o.state = 1 AND o.holds IS NOT NULL AND EXISTS (SELECT 1 FROM ledger_transfers t WHERE "
      "t.id = o.order_id || '/1' AND t.kind = 1 AND EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq))",
      "Every order that waits for its payment has what it asked for held.", "orders wait for their payment and have nothing held any more",
      "They could be paid for goods that others have bought meanwhile. Cancel them, and report this with the ids.", false },
    { "payments",
      "SELECT o.order_id FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount, sum(refunded) AS refunded FROM payments WHERE "
      "state = 'succeeded' GROUP BY order_id) p ON p.order_id = o.id WHERE o.paid <> ifnull(p.amount, 0) OR o.refunded <> "
      "ifnull(p.refunded, 0)",
      "What each order was paid and gave back is what its payments and refunds add up to.",
      "orders were paid or gave back another amount than their payments and refunds add up to",
      "Compare them with the statements of the payment provider, and report this with the ids.", false },
    { "money of closed orders", "SELECT order_id FROM orders WHERE state IN (6, 7) AND paid > refunded",
      "No money is kept for an order that was cancelled or has expired.", "orders are cancelled or expired, and were paid and not refunded",
      "Refund them: POST /v1/orders/{id}/refunds.", false },
    { "refunds",
      "SELECT o.order_id FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM refunds GROUP BY order_id) r ON r.order_id = "
      "o.id WHERE o.refunded <> ifnull(r.amount, 0)",
      "Every refund is counted in its order.", "orders gave back another amount than their refunds add up to",
      "Report this with the ids: both change in one transaction.", false },
    { "refunds by line",
      "SELECT o.order_id FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM order_line_refunds GROUP BY order_id) r ON "
      "r.order_id = o.id WHERE o.state BETWEEN 2 AND 5 AND o.refunded <> ifnull(r.amount, 0) + o.shipping_refunded",
      "What went back of each order is what went back of its lines and of the shipping.",
      "orders gave back another amount than their lines and the shipping did",
      "Refund nothing more of them by hand, and report this with the ids.", false },
    { "sent",
      "SELECT o.order_id FROM orders o WHERE (o.state IN (3, 4, 5)) <> EXISTS (SELECT 1 FROM fulfilments f WHERE f.order_id = o.id)",
      "An order is being fulfilled, fulfilled or completed if and only if something of it was sent.",
      "orders are in a state that does not fit what was sent of them", "Look at what was sent by hand, and report this with the ids.",
      false },
    { "blocks",
      "SELECT DISTINCT o.order_id FROM order_blocks b JOIN orders o ON o.id = b.order_id WHERE b.until_ms IS NULL AND o.state > 3",
      "No order that has ended is still blocked.", "orders have ended and are still blocked",
      "A block ends with its order; report this with the ids.", false },
    { "limits",
      "SELECT DISTINCT o.order_id FROM orders o, json_each(o.limits) j LEFT JOIN ledger_transfers h ON h.id = o.order_id || '/limits/' || "
      "(j.key + 1) WHERE o.limits IS NOT NULL AND (h.seq IS NULL OR h.amount <> json_extract(j.value, '$[1]') OR (h.kind = 1 AND "
      "(o.state = 1) = EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = h.seq)))",
      "What orders use up of limits of campaigns is held while they wait for money, and only then.",
      "orders hold too little or too long of limits of campaigns",
      "Other buyers may find the campaign used up too early or too late; report this with the ids.", false },
    { "evidence", "SELECT o.order_id FROM orders o LEFT JOIN order_evidence e ON e.order_id = o.id WHERE e.order_id IS NULL",
      "Every order has the evidence that it can be computed again from; feira replay does it.", "orders have no evidence",
      "They can't be computed again. It is written in the order's own transaction: bring back a backup, or report this with the ids.",
      false },
    { "checkouts",
      "SELECT c.checkout FROM checkout_contacts c LEFT JOIN checkouts k ON k.id = c.checkout WHERE k.id IS NULL OR k.placed_as IS NOT NULL",
      "No name or address is kept for a checkout that is completed or gone.", "names or addresses are kept for checkouts that have ended",
      "Report this: they go in the transaction that ends a checkout.", false },
    { "requests of persons", "SELECT request_id FROM person_requests WHERE state = 'asked' AND due_at < ?1",
      "No person waits for an answer longer than the law allows.", "persons' requests are not answered in time",
      "See them: feira person SHOP requests. Then: feira person SHOP erase CUSTOMER.", false },
    /* Money that a provider took ends as exactly one of: a payment of its order, or a part of a refund. */
    { "money that came in",
      "SELECT a.payment_id FROM payment_attempts a WHERE a.state = 3 AND (SELECT count(*) FROM payments p WHERE p.order_id = a.order_id "
      "AND "
      "p.payment_id = a.payment_id AND p.state = 'succeeded' AND p.amount = a.amount) + (SELECT count(*) FROM refund_parts r WHERE "
      "r.attempt = "
      "a.id AND a.given_back IS NOT NULL AND r.amount = a.received) <> 1",
      "All money that providers took was paid for an order or is on its way back.",
      "payments came in and are neither paid for their order nor on their way back, or both",
      "Compare them with the statements of the provider, and report this with the ids.", false },
    { "parts of refunds",
      "SELECT r.number FROM refund_parts r WHERE (r.state = 3) <> EXISTS (SELECT 1 FROM ledger_transfers t WHERE t.id = r.refund_id || "
      "'/p' || "
      "substr(r.number, length(r.refund_id) + 3) || '/post') OR NOT EXISTS (SELECT 1 FROM ledger_transfers t WHERE t.id = r.refund_id || "
      "'/p' || "
      "substr(r.number, length(r.refund_id) + 3) AND t.amount = r.amount)",
      "What is to be given back is held, and what is back has left the books.", "parts of refunds say something else than the ledger",
      "Report this with the numbers: both change in one transaction.", false },
    { "refunds given twice", "SELECT number FROM provider_events WHERE outcome = 'given_twice'",
      "No provider gave back what a person had given back by hand.", "refunds were given back by hand, and then by their provider, too",
      "Ask for one of the two back.", false },
    { "refunds by hand", "SELECT number FROM refund_parts WHERE state = 4", "No refund waits for a person.",
      "refunds were tried too often and wait for a person",
      "GET /v1/refunds says why. Try again: POST /v1/refunds/{number}/retry; or give the money back by another way: .../settle.", true },
    { "payments under way", "SELECT payment_id FROM payment_attempts WHERE state IN (1, 2) AND expires_at < ?1",
      "No payment has been under way for longer than its time.",
      "payments have been under way for an hour longer than their time, because their provider does not answer",
      "See their provider's plugin in the log (job.failed); it is asked again and again.", true },
    { "events of providers", "SELECT provider || ' ' || number FROM provider_events WHERE outcome = 'unknown' AND at < ?1",
      "Providers told of no payment or refund that the shop does not know.",
      "payments or refunds that providers told of are not known to the shop",
      "Another system may use the same account, or a backup was restored; look them up with the provider.", true },
};

static int ask(struct visit *v, const struct question *q)
{
    struct store_stmt *s;
    char text[512];
    size_t n = 0, len = 0;
    char names[256] = "";
    int rc = store_prepare(v->conn, q->sql, &s, v->err);
    if (rc == 0 && store_stmt_params(s))
        store_bind_int(s, 1, v->now_ms - PATIENCE_MS);
    while (rc == 0 && (rc = store_step(s, v->err)) == 1) {
        struct slice name = store_column_text(s, 0);
        if (n++ < EXAMPLES_MAX && len < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", n > 1 ? ", " : "", SLICE_FMT(name));
        rc = 0;
    }
    if (rc < 0)
        return rc;
    snprintf(text, sizeof text, "%zu %s: %s%s", n, q->wrong, names, n > EXAMPLES_MAX ? ", ..." : "");
    if (n == 0)
        well(v, q->check, q->fine);
    else if (q->only_warns)
        warn(v, q->check, text, q->advice);
    else
        ill(v, q->check, text, q->advice);
    return 0;
}

static int count(struct visit *v, const char *sql, int64_t arg, int64_t *out)
{
    struct store_stmt *s;
    int rc = store_prepare(v->conn, sql, &s, v->err);
    if (rc < 0)
        return rc;
    if (store_stmt_params(s))
        store_bind_int(s, 1, arg);
    rc = store_step(s, v->err);
    *out = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    return rc < 0 ? rc : 0;
}

/* --- the parts ------------------------------------------------------------------------------------------------------------- */

static void look_at_file(struct visit *v)
{
    struct err err = { 0 };
    if (store_check(v->conn, true, &err) < 0)
        ill(v, "file", err.text, "Stop the shop, keep a copy of the data folder, and restore a backup: feira restore SHOP FILE.");
    else
        well(v, "file", "Every page of the database is whole, and its indexes agree with its tables.");
}

static void look_at_books(struct visit *v)
{
    struct err err = { 0 };
    if (ledger_verify(v->conn, &err) < 0)
        ill(v, "books", err.text, "Stop the shop and restore a backup, or report this: balances change with their transfers only.");
    else
        well(v, "books", "Every balance of the ledger is what its transfers add up to, and debits equal credits in each unit.");
}

static int look_at_timers(struct visit *v)
{
    int64_t late = 0;
    char text[160];
    int rc = count(v, "SELECT count(*) FROM journal_timers WHERE due_ms < ?1", v->now_ms - OVERDUE_MS, &late);
    if (rc < 0)
        return rc;
    snprintf(text, sizeof text, "%lld timers are more than a minute overdue.", (long long)late);
    if (late == 0)
        well(v, "timers", "No timer is overdue.");
    else if (v->shop->worker_count == 0)
        warn(v, "timers", text, "Nobody serves the shop; they fire when it starts.");
    else
        warn(v, "timers", text,
             "Their procedures fail, or belong to a plugin that is stopped: see timer.failed and job.failed in the log.");
    return 0;
}

static int look_at_events(struct visit *v)
{
    int64_t late = 0, dead = 0;
    char text[160];
    int rc = count(v, "SELECT count(*) FROM journal_events WHERE due_ms < ?1", v->now_ms - OVERDUE_MS, &late);
    if (rc == 0)
        rc = count(v, "SELECT count(*) FROM journal_dead WHERE died_ms <= ?1", INT64_MAX, &dead);
    if (rc < 0)
        return rc;
    snprintf(text, sizeof text, "%lld events or jobs are dead letters, %lld events more than a minute overdue.", (long long)dead,
             (long long)late);
    if (dead)
        warn(v, "events", text, "See what the plugin said: feira events SHOP --dead. Mend it, then: feira events SHOP --replay all.");
    else if (late && v->shop->worker_count == 0)
        warn(v, "events", text, "Nobody serves the shop; they are heard when it starts.");
    else if (late)
        warn(v, "events", text, "There are more than the shop can bring to its plugins now: see event.failed in the log.");
    else
        well(v, "events", "No event is overdue, and none is a dead letter.");
    return 0;
}

/* Who waits for a day is far behind: each try of a single message comes within that time. */
enum { BEHIND_HOURS = 24 };

static void say_disabled(struct visit *v, const struct webhook_figures *f)
{
    struct webhook_set *set = webhooks_acquire(v->shop->webhooks);
    char text[480];
    size_t n = (size_t)snprintf(text, sizeof text, "%lld webhooks are disabled:", (long long)f->disabled);
    int named = 0;
    for (size_t i = 0; i < webhook_set_count(set) && named < EXAMPLES_MAX; i++) {
        const struct webhook *one = webhook_set_at(set, i);
        if (one->state == WEBHOOK_DISABLED)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s %s", named++ ? "," : "", one->name);
    }
    snprintf(text + n, sizeof text - n, "%s", f->disabled > EXAMPLES_MAX ? ", ..." : "");
    webhook_set_release(set);
    warn(v, "webhooks", text,
         "Nothing is sent to them; what they miss is kept for 14 days. See why: feira webhooks SHOP. Then: feira webhooks SHOP resume ID.");
}

/* A day late, and one more because it runs once a day. */
enum { LATE_DAYS = 2 };

static int look_at_retention(struct visit *v)
{
    struct edition *live = publisher_live(v->shop->publisher);
    const struct privacy *p = generation_privacy(live->generation);
    int64_t late_ms = v->now_ms - LATE_DAYS * INT64_C(86400000), contacts = 0, orders = 0;
    char text[200];
    int rc =
        count(v,
              "SELECT count(*) FROM order_contacts c JOIN orders o ON o.id = c.order_id WHERE o.state >= 5 AND o.updated_at < ?1 AND NOT "
              "EXISTS (SELECT 1 FROM refund_parts r WHERE r.order_id = o.id AND r.state <> 3)",
              late_ms - privacy_keep_ms(p, "contact_ms"), &contacts);
    if (rc == 0)
        rc = count(
            v,
            "SELECT count(*) FROM orders o WHERE o.state >= 5 AND o.customer IS NOT NULL AND o.updated_at < ?1 AND NOT EXISTS (SELECT 1 "
            "FROM refund_parts r WHERE r.order_id = o.id AND r.state <> 3)",
            late_ms - privacy_keep_ms(p, "transactions_ms"), &orders);
    edition_unref(live);
    if (rc < 0)
        return rc;
    snprintf(text, sizeof text, "%lld orders still have a contact, and %lld a customer, longer than the shop says it keeps them.",
             (long long)contacts, (long long)orders);
    if (contacts + orders == 0)
        well(v, "retention", "No contact and no link to a customer is kept longer than the shop says.");
    else if (v->shop->worker_count == 0)
        warn(v, "retention", text, "Nobody serves the shop; they go, a little at a time, when somebody does.");
    else
        warn(v, "retention", text, "They go by themselves within a day; if not, see timer.failed in the log (retention.run).");
    return 0;
}

static int look_at_webhooks(struct visit *v)
{
    struct webhook_figures f;
    char text[240];
    int rc = webhooks_figures(v->shop->webhooks, v->conn, &f, v->err);
    if (rc < 0)
        return rc;
    if (f.disabled)
        say_disabled(v, &f);
    else if (f.lag_ms > BEHIND_HOURS * 3600000LL) {
        snprintf(text, sizeof text, "Webhook %s is far behind: its oldest message waits for %lld hours.", f.worst,
                 (long long)(f.lag_ms / 3600000));
        warn(v, "webhooks", text, "Messages are forgotten after 14 days. See what it answers: feira webhooks SHOP log ID.");
    } else if (f.given_up) {
        snprintf(text, sizeof text, "%lld messages were refused too often and are not sent any more.", (long long)f.given_up);
        warn(v, "webhooks", text,
             "See why: feira webhooks SHOP log ID --state given_up. Then: feira webhooks SHOP replay ID --since TIME.");
    } else {
        well(v, "webhooks", "No webhook is disabled or far behind.");
    }
    return 0;
}

/* The head outside of the store is read first: what is written meanwhile makes the log longer than it says, never shorter. */
static void look_at_audit(struct visit *v)
{
    struct audit_head kept = { 0 }, now;
    struct err err = { 0 }, head_err = { 0 };
    char text[160];
    int head = v->shop->options.vfs ? ERR_NOT_FOUND : audit_head_load(v->shop->auth, v->shop->audit_head_path, &kept, &head_err);
    int rc = audit_verify(v->conn, &now, &err);
    if (rc == 0 && head == 0)
        rc = audit_verify_head(v->conn, &kept, &err);
    snprintf(text, sizeof text, "The audit log is as it was written, all %lld entries.", (long long)now.count);
    if (rc < 0)
        ill(v, "audit", err.text,
            "Somebody wrote into the database by hand, or an older copy was put in its place. Keep the data folder as it is, and compare "
            "with "
            "a backup.");
    else if (head < 0 && head != ERR_NOT_FOUND)
        ill(v, "audit", head_err.text, "data/audit.head says how long the log was: see who changed it. The next entry writes it anew.");
    else if (head == ERR_NOT_FOUND && now.count && !v->shop->options.vfs)
        warn(v, "audit", "The audit log fits together, but data/audit.head, which says how long it was, is not there.",
             "The next entry writes it anew. Compare with a head that was kept elsewhere: feira audit SHOP --compare FILE.");
    else
        well(v, "audit", text);
}

static int look_at_schema(struct visit *v)
{
    const struct store_migration *m = bind_core_migrations();
    int ours = 0;
    char text[160];
    while (m[ours].number)
        ours++;
    int there = store_schema_number(v->shop->store);
    snprintf(text, sizeof text, "The database has version %d of the tables, this program knows %d.", there, ours);
    if (there > ours)
        warn(v, "schema", text, "A newer program was here. This one works on it; use the newer one when you can.");
    else
        well(v, "schema", text);
    return 0;
}

static void look_at_space(struct visit *v)
{
    struct statvfs fs;
    struct stat file;
    char text[200];
    if (v->shop->options.vfs || statvfs(v->shop->data_dir, &fs) < 0 || stat(v->shop->store_path, &file) < 0)
        return;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize, size = (uint64_t)file.st_size;
    snprintf(text, sizeof text, "The disk has %.1f GiB left; the database has %.1f MiB.", (double)free_bytes / (double)GIB,
             (double)size / (1024.0 * 1024.0));
    if (free_bytes < GIB / 4 || free_bytes < size / 4)
        warn(v, "space", text, "When it is full, orders are refused until there is room again. Make room, or move the data folder.");
    else
        well(v, "space", text);
}

/* File systems that forget, or whose locks and syncs can't be relied on (statfs(2)). */
static const struct {
    long type;
    const char *name;
} doubtful[] = { { 0x01021994, "tmpfs, which is memory" },
                 { 0x6969, "NFS" },
                 { 0x517b, "SMB" },
                 { (long)0xff534d42, "CIFS" },
                 { (long)0xfe534d42, "SMB2" },
                 { 0x65735546, "FUSE" } };

/* Options of a mount with which a sync does not reach the disk (ext4, xfs before 4.19, btrfs). */
static bool has_no_barrier(const struct visit *v)
{
    static const char *const options[] = { "nobarrier", "barrier=0" };
    struct stat st;
    char line[1024], device[32];
    bool found = false;
    FILE *f = stat(v->shop->data_dir, &st) == 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    snprintf(device, sizeof device, " %u:%u ", major(st.st_dev), minor(st.st_dev));
    while (f && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof options / sizeof *options; i++)
            found = found || (strstr(line, device) && strstr(line, options[i]));
    if (f)
        fclose(f);
    return found;
}

static void look_at_durability(struct visit *v)
{
    struct statfs fs;
    char text[200];
    if (v->shop->options.unsafe_sync) {
        ill(v, "durability", "Commits do not wait for the disk.", "Serve the shop without that.");
        return;
    }
    if (v->shop->options.vfs || statfs(v->shop->data_dir, &fs) < 0)
        return;
    for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
        if ((unsigned long)fs.f_type != (unsigned long)doubtful[i].type)
            continue;
        snprintf(text, sizeof text, "The data folder is on %s.", doubtful[i].name);
        warn(v, "durability", text, "What was acknowledged may be lost there. Put the data folder on a local disk.");
        return;
    }
    if (has_no_barrier(v)) {
        warn(v, "durability", "The disk of the data folder is mounted without barriers.",
             "A power cut may lose what was acknowledged. Mount it without nobarrier and barrier=0.");
        return;
    }
    well(v, "durability", "Every commit waits for the disk.");
}

static void look_at_permissions(struct visit *v)
{
    struct stat st;
    char text[200];
    if (v->shop->options.vfs || stat(v->shop->data_dir, &st) < 0)
        return;
    snprintf(text, sizeof text, "The data folder has the mode %03o.", (unsigned)st.st_mode & 0777);
    if (st.st_mode & 0077)
        warn(v, "permissions", text, "Others on this machine can read what customers have bought: chmod 700.");
    else
        well(v, "permissions", "Only its owner can read the data folder.");
}

/* A second copy on the same disk goes with it. */
static bool on_one_disk(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev;
}

static bool has_little_room(const char *dir, const char *store)
{
    struct statvfs fs;
    struct stat st;
    return statvfs(dir, &fs) == 0 && stat(store, &st) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < 2 * (uint64_t)st.st_size + GIB / 16;
}

static void look_at_second_copy(struct visit *v)
{
    struct follower_view f;
    char text[512];
    follower_look(v->shop->follower, &f);
    if (f.problem[0]) {
        warn(v, "second copy", f.problem, "Until then a lost disk loses what was committed since.");
    } else if (!f.terms.dir[0]) {
        well(v, "second copy",
             "None is kept: a lost disk loses what came after the last backup. feira backup SHOP --follow DIR keeps one.");
    } else if (on_one_disk(v->shop->data_dir, f.terms.dir)) {
        snprintf(text, sizeof text, "The second copy in %.300s is on the same disk as the data.", f.terms.dir);
        warn(v, "second copy", text, "It is lost with it. Follow into a folder on another disk: feira backup SHOP --follow DIR.");
    } else if (!f.following) {
        snprintf(text, sizeof text, "The second copy in %.300s is written when the shop is served.", f.terms.dir);
        well(v, "second copy", text);
    } else if (!f.stats.restorable) {
        snprintf(text, sizeof text, "The second copy in %.300s has no snapshot yet; it is being written.", f.terms.dir);
        warn(v, "second copy", text, "Look again in a while; see follow.snapshot_failed in the log.");
    } else if (has_little_room(f.terms.dir, v->shop->store_path)) {
        snprintf(text, sizeof text, "The disk of the second copy in %.300s has room for less than two more snapshots.", f.terms.dir);
        warn(v, "second copy", text,
             "When it is full, the copy falls behind. Make room, or keep less: feira backup SHOP --follow DIR --keep TIME.");
    } else {
        snprintf(text, sizeof text, "The second copy in %.300s is %lld ms behind.", f.terms.dir, (long long)f.stats.lag_ms);
        well(v, "second copy", text);
    }
}

int doctor_write(struct shop *s, struct store_conn *conn, struct json_writer *w, struct err *err)
{
    struct visit v = { .shop = s, .conn = conn, .w = w, .err = err, .now_ms = clock_wall_ms(s->options.clock) };
    json_key(w, "findings");
    json_array(w);
    look_at_file(&v);
    look_at_books(&v);
    int rc = 0;
    for (size_t i = 0; i < sizeof questions / sizeof *questions && rc == 0; i++)
        rc = ask(&v, &questions[i]);
    if (rc == 0)
        rc = look_at_timers(&v);
    if (rc == 0)
        rc = look_at_events(&v);
    if (rc == 0)
        rc = look_at_webhooks(&v);
    if (rc == 0)
        rc = look_at_retention(&v);
    if (rc == 0)
        rc = look_at_schema(&v);
    look_at_audit(&v);
    look_at_space(&v);
    look_at_durability(&v);
    look_at_permissions(&v);
    look_at_second_copy(&v);
    json_array_end(w);
    json_key(w, "healthy");
    json_bool(w, !v.ill);
    return rc;
}
