/* What an account allows, changed by somebody who says why. */
#include "ledger/ledger_int.h"

static int note(struct ledger *l, int64_t account, unsigned flags, struct slice reason, struct slice who, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(l->conn, "INSERT INTO ledger_flag_changes (account, flags, reason, who, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, account);
    store_bind_int(s, 2, flags);
    store_bind_text(s, 3, reason);
    store_bind_text(s, 4, who);
    store_bind_int(s, 5, now_ms);
    return store_run(s, NULL, err);
}

int ledger_change_flags(struct ledger *l, int64_t account, unsigned set, unsigned clear, struct slice reason, struct slice who,
                        int64_t now_ms, struct err *err)
{
    struct account *a;
    int rc = account_get(l, account, &a, err);
    if (rc < 0)
        return rc;
    unsigned flags = (a->balance.flags & ~clear) | set;
    if (flags == a->balance.flags)
        return 0;
    if (reason.len == 0)
        return err_field(err, ERR_INVALID, "reason", "Say why: the account keeps it.");
    rc = ledger_set_flags(l, account, flags, err);
    return rc < 0 ? rc : note(l, account, flags, reason, who, now_ms, err);
}
