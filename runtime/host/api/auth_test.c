#include "host/api/auth.h"
#include "bind/bind.h"
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

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    clock_virtual_init(&f->clock, 1700000000000);
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

static int check(struct fixture *f, const char *key, struct caller *out)
{
    char header[400];
    snprintf(header, sizeof header, "Bearer %s", key);
    return auth_check(f->auth, slice_str(header), out, &f->err);
}

static void add_key(struct fixture *f, const char *kind, const char *scopes, char text[API_KEY_MAX])
{
    unsigned char hash[SHA256_BYTES];
    struct store_stmt *s;
    auth_make_key(&f->random.face, kind, text, hash);
    assert_int_equal(
        store_prepare(f->conn, "INSERT INTO api_keys (key_id, kind, label, scopes, hash, created_at) VALUES (?1, ?2, 'test', ?3, ?4, 0)",
                      &s, &f->err),
        0);
    store_bind_text(s, 1, slice_str(text + 3)); /* any unique id */
    store_bind_text(s, 2, slice_str(kind));
    store_bind_text(s, 3, slice_str(scopes));
    store_bind_blob(s, 4, slice_of((const char *)hash, sizeof hash));
    assert_int_equal(store_run(s, NULL, &f->err), 0);
    assert_int_equal(auth_reload(f->auth, f->conn, &f->err), 0);
}

static void a_key_is_known_by_its_whole_text_and_carries_its_scopes(void **state)
{
    struct fixture *f = *state;
    char key[API_KEY_MAX];
    struct caller c;
    add_key(f, "sk", "[\"orders:read\",\"stock:write\"]", key);
    assert_int_equal(check(f, key, &c), 0);
    assert_int_equal(c.kind, CALLER_SERVER);
    assert_int_equal(c.scopes, SCOPE_ORDERS_READ | SCOPE_STOCK_WRITE);
    key[strlen(key) - 1] ^= 1;
    assert_int_equal(check(f, key, &c), ERR_UNAUTHENTICATED);
    assert_int_equal(check(f, "sk_", &c), ERR_UNAUTHENTICATED);
    assert_int_equal(check(f, "", &c), ERR_UNAUTHENTICATED);
}

static void a_revoked_key_is_refused_after_the_reload(void **state)
{
    struct fixture *f = *state;
    char key[API_KEY_MAX];
    struct caller c;
    struct store_stmt *s;
    add_key(f, "pk", "[]", key);
    assert_int_equal(check(f, key, &c), 0);
    assert_int_equal(c.kind, CALLER_STOREFRONT);
    assert_int_equal(store_prepare(f->conn, "UPDATE api_keys SET revoked_at = 1", &s, &f->err), 0);
    assert_int_equal(store_run(s, NULL, &f->err), 0);
    assert_int_equal(auth_reload(f->auth, f->conn, &f->err), 0);
    assert_int_equal(check(f, key, &c), ERR_UNAUTHENTICATED);
}

static void a_customer_token_names_its_customer_until_it_expires(void **state)
{
    struct fixture *f = *state;
    char token[CUSTOMER_TOKEN_MAX];
    struct caller c;
    assert_int_equal(auth_make_token(f->auth, SLICE_LIT("ann.lee-7"), f->clock.wall_now_ms + 60000, token, &f->err), 0);
    assert_int_equal(check(f, token, &c), 0);
    assert_int_equal(c.kind, CALLER_CUSTOMER);
    assert_string_equal(c.customer, "ann.lee-7");
    clock_virtual_advance(&f->clock, 60000);
    assert_int_equal(check(f, token, &c), ERR_UNAUTHENTICATED);
    assert_string_equal(f->err.reason, "token_expired");
}

static void no_single_changed_byte_of_a_token_is_accepted(void **state)
{
    struct fixture *f = *state;
    char token[CUSTOMER_TOKEN_MAX];
    struct caller c;
    assert_int_equal(auth_make_token(f->auth, SLICE_LIT("1"), f->clock.wall_now_ms + 60000, token, &f->err), 0);
    size_t n = strlen(token);
    for (size_t i = 3; i < n; i++) {
        for (int flip = 1; flip < 128; flip <<= 1) {
            token[i] = (char)(token[i] ^ flip);
            assert_int_equal(check(f, token, &c), ERR_UNAUTHENTICATED);
            token[i] = (char)(token[i] ^ flip);
        }
    }
    for (size_t cut = 3; cut < n; cut++) {
        char last = token[cut];
        token[cut] = '\0';
        assert_int_equal(check(f, token, &c), ERR_UNAUTHENTICATED);
        token[cut] = last;
    }
    assert_int_equal(check(f, token, &c), 0);
}

static void a_signature_for_one_purpose_is_none_for_another(void **state)
{
    struct fixture *f = *state;
    unsigned char a[SHA256_BYTES], b[SHA256_BYTES];
    auth_sign(f->auth, "quote-token", SLICE_LIT("x"), a);
    auth_sign(f->auth, "customer-token", SLICE_LIT("x"), b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void the_secret_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    char token[CUSTOMER_TOKEN_MAX];
    struct caller c;
    assert_int_equal(auth_make_token(f->auth, SLICE_LIT("1"), f->clock.wall_now_ms + 60000, token, &f->err), 0);
    auth_close(f->auth);
    assert_int_equal(auth_open(f->conn, &f->random.face, &f->clock.face, &f->auth, &f->err), 0);
    assert_int_equal(check(f, token, &c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_known_by_its_whole_text_and_carries_its_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_key_is_refused_after_the_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(a_customer_token_names_its_customer_until_it_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(no_single_changed_byte_of_a_token_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signature_for_one_purpose_is_none_for_another, setup, teardown),
        cmocka_unit_test_setup_teardown(the_secret_survives_a_restart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
