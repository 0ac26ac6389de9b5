/* The stdlib as it was compiled into the program: modules for require(), tables for store_open(). */
#include "bind/bind_int.h"
#include "base/map.h"
#include "journal/events.h"
#include "journal/webhooks.h"
#include "journal/journal.h"
#include "journal/tries.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* What a plugin's files have, and nothing else. */
static bool is_of_plugins(struct slice name)
{
    static const char *const names[] = { "feira.store", "feira.plugin", "feira.http", "feira.stream" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(name, names[i]))
            return true;
    return false;
}

int bind_resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk_name, struct err *err)
{
    (void)ctx;
    for (const struct bind_embedded *e = bind_embedded_lua; e->name; e++) {
        if (slice_is(name, e->name)) {
            *source = slice_of(e->text, e->len);
            *chunk_name = slice_str(e->path);
            return 0;
        }
    }
    if (is_of_plugins(name))
        return err_set(err, ERR_NOT_FOUND, "\"%.*s\" is for plugins: a campaign, a spec or the console has no such module.",
                       SLICE_FMT(name));
    return err_set(err, ERR_NOT_FOUND, "There is no module \"%.*s\"; the modules of the shop system begin with \"feira.\".",
                   SLICE_FMT(name));
}

static uint64_t stdlib_hash;
static pthread_once_t stdlib_hash_once = PTHREAD_ONCE_INIT;

static void stdlib_hash_make(void)
{
    for (const struct bind_embedded *e = bind_embedded_lua; e->name; e++) {
        uint64_t parts[2] = { stdlib_hash, hash_bytes(e->text, e->len) };
        stdlib_hash = hash_bytes(parts, sizeof parts);
    }
}

uint64_t bind_stdlib_hash(void)
{
    pthread_once(&stdlib_hash_once, stdlib_hash_make);
    return stdlib_hash;
}

/* Constant once made; the SQL of ledger and journal is known only by calling them. A published number never changes its
 * meaning: what comes later is appended. A file of stdlib/schema begins with its number. */
enum {
    LEDGER_NUMBER = 2,
    JOURNAL_NUMBER = 3,
    TRIES_NUMBER = 7,
    EVENTS_NUMBER = 8,
    STATEMENTS_NUMBER = 12,
    WEBHOOKS_NUMBER = 14,
    MIGRATIONS_MAX = 64
};
static struct store_migration migrations[MIGRATIONS_MAX + 1];
static pthread_once_t migrations_once = PTHREAD_ONCE_INIT;

static void migrations_add(int number, const char *name, const char *sql)
{
    assert(number >= 1 && number <= MIGRATIONS_MAX && !migrations[number - 1].sql);
    migrations[number - 1] = (struct store_migration){ number, name, sql };
}

static void migrations_make(void)
{
    for (const struct bind_embedded *e = bind_embedded_sql; e->name; e++)
        migrations_add(atoi(e->name), e->name, e->text);
    migrations_add(LEDGER_NUMBER, "ledger", ledger_schema_sql());
    migrations_add(STATEMENTS_NUMBER, "ledger-statements", ledger_statements_schema_sql());
    migrations_add(JOURNAL_NUMBER, "journal", journal_schema_sql());
    migrations_add(TRIES_NUMBER, "tries", journal_tries_schema_sql());
    migrations_add(EVENTS_NUMBER, "events", journal_events_schema_sql());
    migrations_add(WEBHOOKS_NUMBER, "webhooks", journal_webhooks_schema_sql());
}

const struct store_migration *bind_core_migrations(void)
{
    pthread_once(&migrations_once, migrations_make);
    return migrations;
}
