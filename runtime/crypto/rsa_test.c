#include "crypto/crypto.h"
#include "crypto/keys_fixture.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct slice from_hex(const char *text, unsigned char *room)
{
    long n = hex_decode(slice_str(text), room);
    assert_true(n > 0);
    return slice_of((char *)room, (size_t)n);
}

static struct rsa_key *public_key(const char *pem)
{
    struct err err = { 0 };
    struct rsa_key *k;
    if (rsa_public_key(slice_str(pem), &k, &err) < 0)
        fail_msg("%s", err.text);
    return k;
}

static void a_signature_made_elsewhere_is_verified_by_each_form_of_the_key(void **state)
{
    (void)state;
    static const char *const forms[] = { public_pem, public_old_pem, certificate_pem };
    unsigned char room[RSA_SIGNATURE_MAX];
    struct slice good = from_hex(signature_hex, room);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct rsa_key *k = public_key(forms[i]);
        assert_true(rsa_sha256_verify(k, slice_str(signed_text), good));
        assert_string_equal(rsa_key_serial(k), i == 2 ? "7132D72A03E93CDDF8C03BBD1F37EEDF62B1B2B9" : "");
        rsa_key_free(k);
    }
}

static void a_bit_changed_anywhere_is_seen(void **state)
{
    (void)state;
    unsigned char room[RSA_SIGNATURE_MAX];
    struct slice s = from_hex(signature_hex, room);
    struct rsa_key *k = public_key(public_pem);
    char text[sizeof signed_text];
    memcpy(text, signed_text, sizeof text);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] ^= 1;
        assert_false(rsa_sha256_verify(k, slice_str(text), s));
        text[i] ^= 1;
    }
    for (size_t i = 0; i < s.len; i++) {
        room[i] ^= (unsigned char)(1u << i % 8);
        assert_false(rsa_sha256_verify(k, slice_str(text), s));
        room[i] ^= (unsigned char)(1u << i % 8);
    }
    assert_true(rsa_sha256_verify(k, slice_str(text), s));
    assert_false(rsa_sha256_verify(k, slice_str(text), slice_of(s.data, s.len - 1)));
    assert_false(rsa_sha256_verify(k, slice_str(text), slice_of(NULL, 0)));
    rsa_key_free(k);
}

static void signatures_of_other_schemes_are_refused(void **state)
{
    (void)state;
    unsigned char room[RSA_SIGNATURE_MAX];
    struct rsa_key *k = public_key(public_pem);
    assert_false(rsa_sha256_verify(k, slice_str(signed_text), from_hex(sha1_signature_hex, room)));
    assert_false(rsa_sha256_verify(k, slice_str(signed_text), from_hex(pss_signature_hex, room)));
    rsa_key_free(k);
}

static void signing_gives_what_the_openssl_command_gives(void **state)
{
    (void)state;
    static const char *const forms[] = { private_pem, private_old_pem };
    unsigned char room[RSA_SIGNATURE_MAX], out[RSA_SIGNATURE_MAX];
    struct slice expected = from_hex(signature_hex, room);
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct rsa_key *k;
        size_t len;
        assert_int_equal(rsa_private_key(slice_str(forms[i]), &k, &err), 0);
        assert_int_equal(rsa_sha256_sign(k, slice_str(signed_text), out, &len, &err), 0);
        assert_int_equal(len, expected.len);
        assert_memory_equal(out, expected.data, len);
        rsa_key_free(k);
    }
}

static void a_public_key_does_not_sign(void **state)
{
    (void)state;
    struct err err = { 0 };
    unsigned char out[RSA_SIGNATURE_MAX];
    size_t len;
    struct rsa_key *k = public_key(public_pem);
    assert_int_equal(rsa_sha256_sign(k, slice_str("x"), out, &len, &err), ERR_INVALID);
    assert_int_equal(len, 0);
    rsa_key_free(k);
}

static void what_is_no_key_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const no_public[] = { "",
                                             "x",
                                             private_pem,
                                             elliptic_public_pem,
                                             "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                                             "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
    static const char *const no_private[] = { "", "x", public_pem, certificate_pem, elliptic_pem, small_pem, locked_pem };
    struct rsa_key *k;
    for (size_t i = 0; i < sizeof no_public / sizeof *no_public; i++) {
        struct err err = { 0 };
        assert_int_equal(rsa_public_key(slice_str(no_public[i]), &k, &err), ERR_INVALID);
        assert_null(k);
        assert_true(strlen(err.text) > 20);
    }
    for (size_t i = 0; i < sizeof no_private / sizeof *no_private; i++) {
        struct err err = { 0 };
        assert_int_equal(rsa_private_key(slice_str(no_private[i]), &k, &err), ERR_INVALID);
        assert_null(k);
        assert_true(strlen(err.text) > 20);
    }
    struct err err = { 0 };
    assert_int_equal(rsa_private_key(slice_str(small_pem), &k, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "1024 bits"));
}

struct shared {
    struct rsa_key *key;
    struct slice signature;
    int wrong;
};

static void *verify_often(void *ctx)
{
    struct shared *s = ctx;
    for (int i = 0; i < 50; i++)
        if (rsa_sha256_verify(s->key, slice_str(i % 2 ? signed_text : "another text"), s->signature) != (i % 2 == 1))
            __atomic_add_fetch(&s->wrong, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void one_key_serves_many_threads(void **state)
{
    (void)state;
    unsigned char room[RSA_SIGNATURE_MAX];
    struct shared s = { public_key(public_pem), from_hex(signature_hex, room), 0 };
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &s), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.wrong, 0);
    rsa_key_free(s.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_made_elsewhere_is_verified_by_each_form_of_the_key),
        cmocka_unit_test(a_bit_changed_anywhere_is_seen),
        cmocka_unit_test(signatures_of_other_schemes_are_refused),
        cmocka_unit_test(signing_gives_what_the_openssl_command_gives),
        cmocka_unit_test(a_public_key_does_not_sign),
        cmocka_unit_test(what_is_no_key_is_refused_with_a_sentence),
        cmocka_unit_test(one_key_serves_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
