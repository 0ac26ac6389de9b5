/* Operators, their sessions and codes, the audit log: what they do when the clock is set back, and who guesses. */
#include "bind/bind.h"
#include "host/admin/audit.h"
#include "host/admin/operators.h"
#include "host/admin/throttle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct clock_virtual clock;
    struct random_seeded random;
    struct auth *auth;
    struct err err;
};

enum { HOUR_MS = 3600000 };
#define T0 INT64_C(1700000000000)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    clock_virtual_init(&f->clock, T0);
    random_seeded_init(&f->random, 7);
    assert_int_equal(auth_open(f->conn, &f->random.face, &f->clock.face, &f->auth, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    auth_close(f->auth);
    store_close(f->store);
    free(f);
    return 0;
}

static int64_t add_operator(struct fixture *f, const char *name, unsigned roles)
{
    struct operator_row row;
    assert_int_equal(operator_insert(f->conn, slice_str(name), roles, "", T0, &f->err), 0);
    assert_int_equal(operator_get(f->conn, slice_str(name), &row, &f->err), 0);
    assert_int_equal(row.roles, roles);
    return row.id;
}

static void sign_in(struct fixture *f, int64_t id, char header[API_KEY_MAX + 8])
{
    char token[API_KEY_MAX];
    unsigned char hash[SHA256_BYTES];
    auth_make_key(&f->random.face, "op", token, hash);
    assert_int_equal(session_insert(f->conn, id, hash, 1, auth_now_ms(f->auth), &f->err), 0);
    assert_int_equal(auth_reload(f->auth, f->conn, &f->err), 0);
    snprintf(header, API_KEY_MAX + 8, "Bearer %s", token);
}

static void a_session_that_is_over_stays_over(void **state)
{
    struct fixture *f = *state;
    char header[API_KEY_MAX + 8];
    struct caller who;
    sign_in(f, add_operator(f, "anna", ROLE_LEGAL | ROLE_AUTHOR), header);
    f->clock.wall_now_ms += 11 * (int64_t)HOUR_MS;
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), 0);
    assert_true(who.kind == CALLER_OPERATOR && who.roles == (ROLE_LEGAL | ROLE_AUTHOR) && who.scopes == 0 && !who.is_local);
    f->clock.wall_now_ms += 2 * (int64_t)HOUR_MS;
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), ERR_UNAUTHENTICATED);
    f->clock.wall_now_ms = T0; /* set back */
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), ERR_UNAUTHENTICATED);
    assert_string_equal(f->err.reason, "session_over");
}

static void nor_does_a_start_with_the_clock_set_back_revive_it(void **state)
{
    struct fixture *f = *state;
    char header[API_KEY_MAX + 8];
    struct caller who;
    sign_in(f, add_operator(f, "anna", ROLE_VIEWER), header);
    struct audit_entry later = { .actor = "anna", .action = "stopped", .at_ms = T0 + 13 * (int64_t)HOUR_MS };
    assert_int_equal(audit_append(f->conn, &later, &f->err), 0);
    auth_close(f->auth);
    assert_int_equal(auth_open(f->conn, &f->random.face, &f->clock.face, &f->auth, &f->err), 0);
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), ERR_UNAUTHENTICATED);
    struct operator_row anna;
    assert_int_equal(operator_get(f->conn, SLICE_LIT("anna"), &anna, &f->err), 0);
    sign_in(f, anna.id, header); /* who signs in now is in, whatever the clock says */
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), 0);
}

static void removal_ends_sessions_and_keeps_the_name(void **state)
{
    struct fixture *f = *state;
    char header[API_KEY_MAX + 8];
    struct caller who;
    struct operator_row row;
    int64_t id = add_operator(f, "anna", ROLE_OWNER);
    sign_in(f, id, header);
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), 0);
    assert_int_equal(who.scopes, SCOPE_ALL);
    assert_int_equal(operator_remove(f->conn, id, T0, &f->err), 0);
    assert_int_equal(auth_reload(f->auth, f->conn, &f->err), 0);
    assert_int_equal(auth_check(f->auth, slice_str(header), &who, &f->err), ERR_UNAUTHENTICATED);
    assert_int_equal(operator_get(f->conn, SLICE_LIT("anna"), &row, &f->err), ERR_NOT_FOUND);
    assert_int_equal(operator_find(f->conn, SLICE_LIT("anna"), &row, &f->err), 1);
    assert_true(row.removed && operator_insert(f->conn, SLICE_LIT("anna"), ROLE_OWNER, "", T0, &f->err) == ERR_CONFLICT);
}

/* --- codes ------------------------------------------------------------------------------------------------------------------- */

static const unsigned char secret[TOTP_SECRET_BYTES] = "12345678901234567890";

static int use(struct fixture *f, int64_t code_at_ms, int64_t now_ms)
{
    struct operator_row row;
    uint32_t code;
    char text[8];
    assert_int_equal(operator_get(f->conn, SLICE_LIT("anna"), &row, &f->err), 0);
    assert_int_equal(totp_code(slice_of((const char *)secret, sizeof secret), code_at_ms / TOTP_STEP_MS, &code, &f->err), 0);
    snprintf(text, sizeof text, "%06u", code);
    return operator_use_code(f->conn, &row, slice_str(text), now_ms, &f->err);
}

static void a_code_is_good_once_and_near_its_time(void **state)
{
    struct fixture *f = *state;
    int64_t t = T0, step = TOTP_STEP_MS;
    assert_int_equal(operator_set_totp(f->conn, add_operator(f, "anna", ROLE_VIEWER), secret, &f->err), 0);
    assert_int_equal(use(f, t - 2 * step, t), 0);
    assert_int_equal(use(f, t + 2 * step, t), 0);
    assert_int_equal(use(f, t - step, t), 1);
    assert_int_equal(use(f, t - step, t), 0);
    assert_int_equal(use(f, t + step, t), 1); /* a telephone that is ahead */
    assert_int_equal(use(f, t, t), 0);        /* one before it is void with it */
    assert_int_equal(use(f, t, t - step), 0); /* the clock set back brings none back */
    assert_int_equal(use(f, t + step, t + step), 0);
    assert_int_equal(use(f, t + 2 * step, t + 2 * step), 1);
}

static void what_is_no_code_is_none(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = { "", "12345", "1234567", "abcdef", "000000", "-00001", "AAAAAAAAAAAAAAAA" };
    struct operator_row row;
    assert_int_equal(operator_set_totp(f->conn, add_operator(f, "anna", ROLE_VIEWER), secret, &f->err), 0);
    assert_int_equal(operator_get(f->conn, SLICE_LIT("anna"), &row, &f->err), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(operator_use_code(f->conn, &row, slice_str(texts[i]), T0, &f->err), 0);
    row.has_totp_secret = false;
    assert_int_equal(operator_use_code(f->conn, &row, SLICE_LIT("287082"), 59000, &f->err), 0);
}

/* --- guessing ------------------------------------------------------------------------------------------------------------------- */

static void guessing_gets_slow_and_a_good_one_forgives(void **state)
{
    struct throttle *t = throttle_new(5);
    struct slice a = SLICE_LIT("anna"), b = SLICE_LIT("bert"), home = SLICE_LIT("192.0.2.7"), none = SLICE_LIT("");
    (void)state;
    for (int i = 0; i < THROTTLE_FREE_NAME; i++)
        assert_int_equal(throttle_try(t, a, none, 1000 + i), 0);
    assert_true(throttle_try(t, a, none, 1010) > 0);
    assert_int_equal(throttle_try(t, b, none, 1010), 0); /* another name */
    assert_int_equal(throttle_try(t, a, none, 1004 + THROTTLE_PAUSE_MS), 0);
    assert_true(throttle_try(t, a, none, 1005 + THROTTLE_PAUSE_MS) > THROTTLE_PAUSE_MS - 10); /* one each time, not five */
    throttle_good(t, a, none);
    for (int i = 0; i < THROTTLE_FREE_NAME; i++)
        assert_int_equal(throttle_try(t, a, none, 100000), 0);
    char name[] = "x0";
    for (int i = 0; i < THROTTLE_FREE_ADDRESS; i++) { /* many names from one place */
        name[1] = (char)('0' + i);
        assert_int_equal(throttle_try(t, slice_str(name), home, 200000), 0);
    }
    assert_true(throttle_try(t, SLICE_LIT("y"), home, 200001) > 0);
    throttle_free(t);
}

/* --- the log ---------------------------------------------------------------------------------------------------------------------- */

static void times_never_go_back_within_the_log(void **state)
{
    struct fixture *f = *state;
    struct audit_head head;
    struct audit_entry e = { .actor = "anna", .action = "stopped", .subject = SLICE_LIT("sale"), .at_ms = T0 };
    assert_int_equal(audit_append(f->conn, &e, &f->err), 0);
    e.at_ms = T0 - HOUR_MS;
    assert_int_equal(audit_append(f->conn, &e, &f->err), 0);
    assert_int_equal(audit_head(f->conn, &head, &f->err), 0);
    assert_true(head.count == 2 && head.at_ms == T0);
    assert_int_equal(audit_verify(f->conn, &head, &f->err), 0);
    assert_int_equal(head.count, 2);
}

static void a_head_is_only_this_shops(void **state)
{
    struct fixture *f = *state;
    struct audit_head head = { .count = 7, .at_ms = T0, .hash = { 1, 2, 3 } }, again;
    char text[AUDIT_HEAD_TEXT_MAX];
    audit_head_format(f->auth, &head, text);
    assert_int_equal(audit_head_parse(f->auth, slice_str(text), &again, &f->err), 0);
    assert_true(again.count == 7 && again.at_ms == T0 && memcmp(again.hash, head.hash, sizeof head.hash) == 0);
    for (size_t i = 12; text[i]; i++) { /* behind the first word, every character matters */
        char was = text[i];
        text[i] = was == '1' ? '2' : '1';
        assert_true(audit_head_parse(f->auth, slice_str(text), &again, &f->err) < 0);
        text[i] = was;
    }
    for (size_t n = 0; n < strlen(text); n++)
        assert_true(audit_head_parse(f->auth, slice_of(text, n), &again, &f->err) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_is_over_stays_over),
        TEST(nor_does_a_start_with_the_clock_set_back_revive_it),
        TEST(removal_ends_sessions_and_keeps_the_name),
        TEST(a_code_is_good_once_and_near_its_time),
        TEST(what_is_no_code_is_none),
        cmocka_unit_test(guessing_gets_slow_and_a_good_one_forgives),
        TEST(times_never_go_back_within_the_log),
        TEST(a_head_is_only_this_shops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
