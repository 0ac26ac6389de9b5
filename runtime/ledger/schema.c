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

/* Statements: the entries of an account in order of time, and what moved by hours, so that a balance of long ago is no sum of a million
 * rows (statement.c). Expiries: open holds that the ledger gives back by itself. `flags & 8` is LEDGER_PUBLISHED. */
const char *ledger_statements_schema_sql(void)
{
    return "CREATE INDEX ledger_debits ON ledger_transfers(debit, at_ms, seq, amount) WHERE kind IN (0, 2);"
           "CREATE INDEX ledger_credits ON ledger_transfers(credit, at_ms, seq, amount) WHERE kind IN (0, 2);"
           "CREATE TABLE ledger_hours ("
           " account INTEGER NOT NULL,"
           " hour INTEGER NOT NULL,"
           " debits INTEGER NOT NULL,"
           " credits INTEGER NOT NULL,"
           " PRIMARY KEY (account, hour)"
           ") WITHOUT ROWID;"
           "CREATE TABLE ledger_summed ("
           " id INTEGER PRIMARY KEY CHECK (id = 1),"
           " seq INTEGER NOT NULL"
           ");"
           "INSERT INTO ledger_summed VALUES (1, 0);"
           "CREATE TABLE ledger_expiries ("
           " expires_ms INTEGER NOT NULL,"
           " hold INTEGER NOT NULL,"
           " PRIMARY KEY (expires_ms, hold)"
           ") WITHOUT ROWID;"
           "CREATE TABLE ledger_flag_changes ("
           " id INTEGER PRIMARY KEY,"
           " account INTEGER NOT NULL,"
           " flags INTEGER NOT NULL,"
           " reason TEXT NOT NULL,"
           " who TEXT NOT NULL,"
           " at_ms INTEGER NOT NULL"
           ");"
           "CREATE INDEX ledger_flag_changes_of ON ledger_flag_changes(account, id);"
           "CREATE INDEX ledger_published ON ledger_accounts(id) WHERE flags & 8;";
}
