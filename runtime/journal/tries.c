#include "journal/tries.h"
#include <assert.h>

int64_t tries_again_after_ms(int64_t tries)
{
    static const int64_t seconds[TRIES_MAX - 1] = { 5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200 };
    assert(tries >= 1);
    return seconds[tries < TRIES_MAX ? tries - 1 : TRIES_MAX - 2] * 1000;
}

const char *journal_tries_schema_sql(void)
{
    return "CREATE TABLE journal_tries ("
           " procedure TEXT NOT NULL,"
           " key TEXT NOT NULL,"
           " tries INTEGER NOT NULL,"
           " PRIMARY KEY (procedure, key)"
           ") WITHOUT ROWID;";
}

static int prepare(struct store_conn *c, const char *sql, struct slice procedure, struct slice key, struct store_stmt **s, struct err *err)
{
    int rc = store_prepare(c, sql, s, err);
    if (rc < 0)
        return rc;
    store_bind_text(*s, 1, procedure);
    store_bind_text(*s, 2, key);
    return 0;
}

int tries_count(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err)
{
    struct store_stmt *s;
    *count = 0;
    int rc = prepare(c, "SELECT tries FROM journal_tries WHERE procedure = ?1 AND key = ?2", procedure, key, &s, err);
    if (rc < 0)
        return rc;
    rc = store_step(s, err);
    if (rc == 1)
        *count = store_column_int(s, 0);
    store_reset(s);
    return rc < 0 ? rc : 0;
}

int tries_add(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err)
{
    struct store_stmt *s;
    int rc = prepare(c,
                     "INSERT INTO journal_tries (procedure, key, tries) VALUES (?1, ?2, 1)"
                     " ON CONFLICT (procedure, key) DO UPDATE SET tries = tries + 1",
                     procedure, key, &s, err);
    if (rc == 0)
        rc = store_run(s, NULL, err);
    return rc < 0 ? rc : tries_count(c, procedure, key, count, err);
}

int tries_forget(struct store_conn *c, struct slice procedure, struct slice key, struct err *err)
{
    struct store_stmt *s;
    int rc = prepare(c, "DELETE FROM journal_tries WHERE procedure = ?1 AND key = ?2", procedure, key, &s, err);
    return rc < 0 ? rc : store_run(s, NULL, err);
}
