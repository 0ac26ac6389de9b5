/* host/admin/operators.h - people who run the shop: rows, second factors, sessions. Roles: viewer (looks), author (submits drafts),
 * business, legal (approve the steps that name them), owner (all of it, and other operators). What writes is for the writer, inside its
 * transaction; who may do it, and the audit log, are api/operators.c. */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "crypto/crypto.h"
#include "host/api/auth.h"
#include "store/store.h"

enum {
    OPERATOR_NAME_MAX = 41, /* with NUL */
    PASSWORD_MIN = 12,
    PASSWORD_MAX = 200,
    RECOVERY_CODES = 10,
    RECOVERY_BYTES = 10,
};
#define SESSION_MS (INT64_C(12) * 3600 * 1000)

int roles_parse(const struct json_value *list, unsigned *out, struct err *err); /* ERR_INVALID with the field /roles */
void roles_write(unsigned roles, struct json_writer *w);
int operator_name_check(struct slice name, struct err *err);

struct operator_row {
    int64_t id, totp_step;
    char name[OPERATOR_NAME_MAX];
    unsigned roles;
    char password[PASSWORD_HASH_MAX]; /* "" = none yet */
    unsigned char totp_secret[TOTP_SECRET_BYTES];
    bool has_totp_secret, totp_on, removed;
    bool password_own; /* he has set it himself, so nobody else knows it */
};
int operator_find(struct store_conn *conn, struct slice name, struct operator_row *out, struct err *err); /* 1: there, also when removed */
int operator_get(struct store_conn *conn, struct slice name, struct operator_row *out,
                 struct err *err);                                                    /* ERR_NOT_FOUND also when removed */
int operators_write(struct store_conn *conn, struct json_writer *w, struct err *err); /* members of an array that is open */

int operator_insert(struct store_conn *conn, struct slice name, unsigned roles, const char *password, int64_t now_ms, struct err *err);
int operator_set_roles(struct store_conn *conn, int64_t id, unsigned roles, struct err *err);
int operator_set_password(struct store_conn *conn, int64_t id, const char *password, bool own, struct err *err);
int operator_remove(struct store_conn *conn, int64_t id, int64_t now_ms, struct err *err);
/* The second factor: a new secret that is not asked for yet; from now on; no more. */
int operator_set_totp(struct store_conn *conn, int64_t id, const unsigned char secret[TOTP_SECRET_BYTES], struct err *err);
int operator_end_totp(struct store_conn *conn, int64_t id, struct err *err);
/* code: "123456", or a recovery code. 1: good, and used up; 0: not. */
int operator_use_code(struct store_conn *conn, const struct operator_row *o, struct slice code, int64_t now_ms, struct err *err);
int operator_turn_totp_on(struct store_conn *conn, int64_t id, struct err *err);
/* New recovery codes instead of those there are, each base32 of RECOVERY_BYTES. */
int operator_new_recovery_codes(struct store_conn *conn, int64_t id, const struct random_source *random, struct json_writer *w,
                                struct err *err);

int session_insert(struct store_conn *conn, int64_t operator_id, const unsigned char hash[SHA256_BYTES], int factors, int64_t now_ms,
                   struct err *err);
int session_end(struct store_conn *conn, const unsigned char hash[SHA256_BYTES], struct err *err);
int sessions_end_all(struct store_conn *conn, int64_t operator_id, struct err *err);
int sessions_forget(struct store_conn *conn, int64_t before_ms, struct err *err); /* that ended before then */
