/* store/seal.h - does the log beside a database belong to it? SQLite would replay any: one that was left when the file was replaced by
 * hand, or that came from another shop. So a small file, shop.db-seal, says how the two were left. Between the files of store/ only.
 *
 *   - closed: there is no log, and none may be there at the next start.
 *   - open: salts of the log as of the last checkpoint (it may have been reset once since, which counts them up), or none when it never
 *     was; and the hash of the database's first page, which only a checkpoint changes.
 *   - moving: a checkpoint is on its way; the first page may be either.
 *
 * What is missing, torn or unreadable seals nothing: the store is opened as it always was. */
#pragma once
#include "store/store.h"

struct seal;
/* Before SQLite has the file. ERR_CORRUPT: the log is not of this database; the sentence says what to do. */
int seal_open(const char *db_path, struct seal **out, struct err *err);
void seal_begin(struct seal *s, struct store_conn *conn); /* the store is open for writing, and nothing was committed yet */
void seal_moving(struct seal *s);                         /* before a checkpoint */
void seal_moved(struct seal *s, struct store_conn *conn); /* after it */
void seal_close(struct seal *s, bool opened);             /* after SQLite has closed the file; NULL is fine */
