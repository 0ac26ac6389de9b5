#include "base/random.h"
#include "crypto/crypto.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void check_hex(const unsigned char bytes[SHA256_BYTES], const char *expected)
{
    char text[2 * SHA256_BYTES + 1] = { 0 };
    hex_encode(bytes, SHA256_BYTES, text);
    assert_string_equal(text, expected);
}

static void check_sha256(struct slice data, const char *expected)
{
    unsigned char out[SHA256_BYTES];
    crypto_sha256(data, out);
    check_hex(out, expected);
}

/* FIPS 180-2 and its companion examples. */
static void sha256_gives_the_published_values(void **state)
{
    (void)state;
    check_sha256(SLICE_LIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256(slice_of(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256(SLICE_LIT("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha256(SLICE_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    size_t n = 1000000;
    char *a = malloc(n);
    memset(a, 'a', n);
    check_sha256(slice_of(a, n), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(a);
}

static void pieces_give_what_the_whole_gives(void **state)
{
    (void)state;
    char data[300];
    struct random_seeded r;
    random_seeded_init(&r, 180);
    random_fill(&r.face, data, sizeof(data));
    for (size_t len = 0; len <= sizeof(data); len++) {
        unsigned char whole[SHA256_BYTES], pieces[SHA256_BYTES];
        struct sha256 *h = sha256_new();
        for (size_t done = 0, step; done < len; done += step) {
            step = 1 + random_seeded_next(&r) % 70;
            step = step > len - done ? len - done : step;
            sha256_add(h, slice_of(data + done, step));
        }
        sha256_end(h, pieces);
        crypto_sha256(slice_of(data, len), whole);
        assert_memory_equal(whole, pieces, SHA256_BYTES);
    }
}

static void check_hmac(struct slice key, struct slice data, const char *expected)
{
    unsigned char out[SHA256_BYTES];
    struct hmac_key *k = hmac_key_new(key);
    assert_non_null(k);
    for (int again = 0; again < 3; again++) { /* a key is not used up */
        hmac_sha256(k, data, out);
        check_hex(out, expected);
    }
    hmac_key_free(k);
}

static struct slice repeated(char *room, char c, size_t n)
{
    memset(room, c, n);
    return slice_of(room, n);
}

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is about a shortened result). */
static void hmac_gives_the_published_values(void **state)
{
    (void)state;
    char key[200], data[200];
    check_hmac(repeated(key, 0x0b, 20), SLICE_LIT("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(repeated(key, (char)0xaa, 20), repeated(data, (char)0xdd, 50),
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (int i = 0; i < 25; i++)
        key[i] = (char)(i + 1);
    check_hmac(slice_of(key, 25), repeated(data, (char)0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    check_hmac(repeated(key, (char)0xaa, 131), SLICE_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_hmac(
        repeated(key, (char)0xaa, 131),
        SLICE_LIT("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before "
                  "being used by the HMAC algorithm."),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* RFC 2104 written out, for keys and messages of every length around the block size. */
static void hmac_is_the_two_hashes_of_its_definition(void **state)
{
    (void)state;
    char key[140], data[140];
    struct random_seeded r;
    random_seeded_init(&r, 2104);
    for (size_t key_len = 0; key_len <= 130; key_len += 5)
        for (size_t len = 0; len <= 130; len += 13) {
            unsigned char inner[SHA256_BYTES], expected[SHA256_BYTES], got[SHA256_BYTES];
            unsigned char block[64] = { 0 };
            char text[64 + 140];
            random_fill(&r.face, key, key_len);
            random_fill(&r.face, data, len);
            if (key_len > 64)
                crypto_sha256(slice_of(key, key_len), block);
            else
                memcpy(block, key, key_len);
            for (int i = 0; i < 64; i++)
                text[i] = (char)(block[i] ^ 0x36);
            memcpy(text + 64, data, len);
            crypto_sha256(slice_of(text, 64 + len), inner);
            for (int i = 0; i < 64; i++)
                text[i] = (char)(block[i] ^ 0x5c);
            memcpy(text + 64, inner, SHA256_BYTES);
            crypto_sha256(slice_of(text, 64 + SHA256_BYTES), expected);

            struct hmac_key *k = hmac_key_new(slice_of(key, key_len));
            hmac_sha256(k, slice_of(data, len), got);
            hmac_key_free(k);
            assert_memory_equal(got, expected, SHA256_BYTES);
        }
}

struct shared {
    struct hmac_key *key;
    unsigned char expected[8][SHA256_BYTES];
    int wrong;
};

static void *use_shared_key(void *ctx)
{
    struct shared *s = ctx;
    for (int i = 0; i < 4000; i++) {
        unsigned char out[SHA256_BYTES];
        char data[600];
        memset(data, i % 8, sizeof(data));
        hmac_sha256(s->key, slice_of(data, sizeof(data)), out);
        if (memcmp(out, s->expected[i % 8], SHA256_BYTES) != 0)
            __atomic_add_fetch(&s->wrong, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void one_key_serves_many_threads(void **state)
{
    (void)state;
    struct shared s = { .key = hmac_key_new(SLICE_LIT("shared secret")) };
    for (int i = 0; i < 8; i++) {
        char data[600];
        memset(data, i, sizeof(data));
        hmac_sha256(s.key, slice_of(data, sizeof(data)), s.expected[i]);
    }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_shared_key, &s), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.wrong, 0);
    hmac_key_free(s.key);
}

static void comparing_sees_a_difference_anywhere(void **state)
{
    (void)state;
    unsigned char a[64], b[64];
    memset(a, 7, sizeof(a));
    memset(b, 7, sizeof(b));
    assert_true(crypto_equal(a, b, sizeof(a)));
    assert_true(crypto_equal(a, b, 0));
    assert_true(crypto_equal(NULL, NULL, 0));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= (unsigned char)(1u << i % 8);
        assert_false(crypto_equal(a, b, sizeof(a)));
        assert_true(crypto_equal(a, b, i));
        b[i] = 7;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_values), cmocka_unit_test(pieces_give_what_the_whole_gives),
        cmocka_unit_test(hmac_gives_the_published_values),   cmocka_unit_test(hmac_is_the_two_hashes_of_its_definition),
        cmocka_unit_test(one_key_serves_many_threads),       cmocka_unit_test(comparing_sees_a_difference_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
