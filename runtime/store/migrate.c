/* Migrations: numbered, each in a transaction of its own together with the number it leaves behind, so that a crash
 * between two of them goes on where it stopped. */
#include "store/store_int.h"
#include <stdio.h>

static int migrate_one(struct store_conn *c, const struct store_migration *m, struct err *err)
{
    char stamp[128];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d", STORE_APPLICATION_ID,
             STORE_MAJOR * STORE_MAJOR_STEP + m->number);
    int rc = store_begin(c, err);
    if (rc < 0)
        return rc;
    rc = store_exec(c, m->sql, err);
    if (rc == 0)
        rc = store_exec(c, stamp, err);
    if (rc == 0)
        rc = store_commit(c, err);
    if (rc < 0) {
        store_rollback(c);
        err_wrap(err, "Migration %d (%s)", m->number, m->name);
    }
    return rc;
}

int store_migrate(struct store_conn *c, const struct store_migration *list, int at, struct err *err)
{
    int expected = 1;
    for (const struct store_migration *m = list; m && m->number; m++, expected++) {
        if (m->number != expected || m->number >= STORE_MAJOR_STEP)
            return err_set(err, ERR_INTERNAL, "Migration %d (%s) is out of order; please report this.", m->number, m->name);
        if (m->number <= at)
            continue;
        int rc = migrate_one(c, m, err);
        if (rc < 0)
            return rc;
        c->store->schema = m->number;
    }
    return 0;
}
