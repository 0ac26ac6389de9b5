/* A name that stands in names of accounts and transfers ("points/of/anna") is replaced by another, so that nobody can say any more whose
 * they are. Names are made of parts between slashes; only whole parts are replaced, and only where plugins or limits of campaigns put what
 * is a customer's: never in accounts of stock or payments, whose parts are SKUs and providers. */
#include "ledger/ledger_int.h"
#include "base/buf.h"
#include <stdlib.h>

struct renaming {
    struct ledger *ledger;
    struct slice from, to;
    struct err *err;
};

/* Whether the part number `k` may be a customer's. campaign/ID/uses/CUSTOMER; invite/CUSTOMER/...; ord_1/2 never. */
static bool may_be(struct slice name, size_t k)
{
    const char *slash = memchr(name.data, '/', name.len);
    struct slice first = slice_of(name.data, slash ? (size_t)(slash - name.data) : name.len);
    if (k == 0 || memchr(first.data, '_', first.len) || slice_is(first, "stock") || slice_is(first, "payments"))
        return false;
    return !slice_is(first, "campaign") || k == 3;
}

/* true: `out` has the name with its parts replaced. */
static bool replaced(const struct renaming *r, struct slice name, struct buf *out)
{
    bool any = false;
    size_t at = 0;
    buf_clear(out);
    for (size_t k = 0; at <= name.len; k++) {
        const char *slash = at < name.len ? memchr(name.data + at, '/', name.len - at) : NULL;
        struct slice part = slice_of(name.data + at, slash ? (size_t)(slash - name.data) - at : name.len - at);
        bool is = may_be(name, k) && slice_eq(part, r->from);
        any = any || is;
        if (k)
            buf_add_char(out, '/');
        buf_add_slice(out, is ? r->to : part);
        at += part.len + 1;
    }
    return any && !out->failed;
}

/* What it belongs to is one thing mostly, without slashes. */
static bool replaced_reference(const struct renaming *r, struct slice reference, struct buf *out)
{
    if (!slice_eq(reference, r->from))
        return replaced(r, reference, out);
    buf_clear(out);
    buf_add_slice(out, r->to);
    return !out->failed;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory in the ledger; try again later.");
}

/* Numbers of the rows whose text has `from` somewhere: read before the first is changed. */
static int rows_with(const struct renaming *r, const char *sql, int64_t **out, size_t *count)
{
    struct store_stmt *s;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    int rc = store_prepare(r->ledger->conn, sql, &s, r->err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, r->from);
    while ((rc = store_step(s, r->err)) == 1) {
        if (*count == cap) {
            int64_t *grown = realloc(*out, (cap = cap ? 2 * cap : 64) * sizeof **out);
            if (!grown) {
                store_reset(s);
                return no_memory(r->err);
            }
            *out = grown;
        }
        (*out)[(*count)++] = store_column_int(s, 0);
    }
    return rc;
}

static int rename_account(const struct renaming *r, int64_t id, struct buf *name, int64_t *renamed)
{
    struct account *a;
    struct store_stmt *s;
    int rc = account_get(r->ledger, id, &a, r->err);
    if (rc < 0 || !replaced(r, a->name, name))
        return rc;
    if (name->len > LEDGER_NAME_MAX)
        return err_set(r->err, ERR_INVALID, "An account's name would be too long.");
    rc = store_prepare(r->ledger->conn, "UPDATE ledger_accounts SET name = ?2 WHERE id = ?1", &s, r->err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    store_bind_text(s, 2, buf_slice(name));
    rc = store_run(s, NULL, r->err);
    if (rc == 0)
        rc = account_rename(r->ledger, a, buf_slice(name), r->err);
    *renamed += rc == 0;
    return rc;
}

static int rename_transfer(const struct renaming *r, int64_t seq, struct buf *id, struct buf *reference)
{
    struct store_stmt *s;
    int rc = store_prepare(r->ledger->conn, "SELECT id, reference FROM ledger_transfers WHERE seq = ?1", &s, r->err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, seq);
    if ((rc = store_step(s, r->err)) != 1)
        return rc;
    bool has_reference = store_column_type(s, 1) == STORE_TEXT;
    bool new_id = replaced(r, store_column_text(s, 0), id);
    bool new_reference = has_reference && replaced_reference(r, store_column_text(s, 1), reference);
    store_reset(s);
    if (!new_id && !new_reference)
        return 0;
    rc = store_prepare(r->ledger->conn, "UPDATE ledger_transfers SET id = ifnull(?2, id), reference = ifnull(?3, reference) WHERE seq = ?1",
                       &s, r->err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, seq);
    store_bind_null(s, 2);
    store_bind_null(s, 3);
    if (new_id)
        store_bind_text(s, 2, buf_slice(id));
    if (new_reference)
        store_bind_text(s, 3, buf_slice(reference));
    return store_run(s, NULL, r->err);
}

int ledger_replace_name(struct ledger *l, struct slice from, struct slice to, int64_t *accounts, struct err *err)
{
    struct renaming r = { l, from, to, err };
    int64_t *rows;
    size_t n;
    struct buf name, other;
    buf_init(&name, NULL);
    buf_init(&other, NULL);
    *accounts = 0;
    int rc = rows_with(&r, "SELECT id FROM ledger_accounts WHERE instr(name, ?1) > 0 ORDER BY id", &rows, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = rename_account(&r, rows[i], &name, accounts);
    free(rows);
    if (rc == 0) {
        rc = rows_with(&r, "SELECT seq FROM ledger_transfers WHERE instr(id, ?1) > 0 OR instr(reference, ?1) > 0 ORDER BY seq", &rows, &n);
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = rename_transfer(&r, rows[i], &name, &other);
        free(rows);
    }
    bool failed = name.failed || other.failed;
    buf_release(&name);
    buf_release(&other);
    return rc == 0 && failed ? no_memory(err) : rc;
}

bool ledger_name_has(struct slice name, struct slice part)
{
    struct renaming r = { .from = part, .to = part };
    struct buf none;
    buf_init(&none, NULL);
    bool has = replaced(&r, name, &none);
    buf_release(&none);
    return has;
}
