#include "ledger/ledger.h"

/* Rows are compact and keyed by integers. Transfers are only ever appended: that a hold was posted or voided is a row that
 * names it in `pending`, and the index below makes a second one impossible. `kind` is enum ledger_kind. */
const char *ledger_schema_sql(void)
{
    return "CREATE TABLE ledger_accounts ("
           " id INTEGER PRIMARY KEY,"
           " name TEXT NOT NULL UNIQUE,"
           " unit TEXT NOT NULL,"
           " flags INTEGER NOT NULL,"
           " debits_posted INTEGER NOT NULL DEFAULT 0,"
           " credits_posted INTEGER NOT NULL DEFAULT 0,"
           " debits_pending INTEGER NOT NULL DEFAULT 0,"
           " credits_pending INTEGER NOT NULL DEFAULT 0"
           ");"
           "CREATE TABLE ledger_transfers ("
           " seq INTEGER PRIMARY KEY,"
           " id TEXT NOT NULL UNIQUE,"
           " kind INTEGER NOT NULL,"
           " debit INTEGER NOT NULL,"
           " credit INTEGER NOT NULL,"
           " amount INTEGER NOT NULL,"
           " pending INTEGER,"
           " at_ms INTEGER NOT NULL,"
           " expires_ms INTEGER,"
           " reference TEXT"
           ");"
           "CREATE UNIQUE INDEX ledger_resolutions ON ledger_transfers(pending) WHERE pending IS NOT NULL;";
}
