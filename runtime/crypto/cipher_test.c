#include "base/random.h"
#include "crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* From the paper that defines GCM, test cases 13, 14 and 16: AES with 256 bits, a nonce of 96. */
static const struct {
    const char *key, *nonce, *associated, *text, *sealed;
} published[] = {
    { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
      "530f8afbc74536b9a963b4f1c4cb738b" },
    { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
      "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
    { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static struct slice bytes(const char *hex, unsigned char *room)
{
    long n = hex_decode(slice_str(hex), room);
    assert_true(n >= 0);
    return slice_of((char *)room, (size_t)n);
}

static void the_published_values_come_out_and_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        unsigned char key[32], nonce[12], a[64], t[64], s[128], out[128];
        struct err err = { 0 };
        bytes(published[i].key, key);
        bytes(published[i].nonce, nonce);
        struct slice associated = bytes(published[i].associated, a), text = bytes(published[i].text, t),
                     sealed = bytes(published[i].sealed, s);
        assert_int_equal(sealed.len, text.len + GCM_TAG_BYTES);
        assert_int_equal(aes_gcm_seal(key, nonce, associated, text, out, &err), 0);
        assert_memory_equal(out, sealed.data, sealed.len);
        assert_int_equal(aes_gcm_open(key, nonce, associated, sealed, out, &err), 0);
        assert_memory_equal(out, text.data, text.len);
    }
}

static void nothing_comes_out_of_what_was_changed(void **state)
{
    (void)state;
    unsigned char key[32], nonce[12], sealed[80], out[80];
    char text[64], beside[] = "transaction";
    struct random_seeded r;
    random_seeded_init(&r, 256);
    random_fill(&r.face, key, sizeof key);
    random_fill(&r.face, nonce, sizeof nonce);
    random_fill(&r.face, text, sizeof text);
    struct err err = { 0 };
    struct slice associated = slice_str(beside);
    assert_int_equal(aes_gcm_seal(key, nonce, associated, slice_of(text, sizeof text), sealed, &err), 0);
    unsigned char *const parts[] = { key, nonce, (unsigned char *)beside, sealed };
    const size_t lengths[] = { sizeof key, sizeof nonce, strlen(beside), sizeof sealed };
    static const unsigned char nothing[64];
    for (size_t p = 0; p < 4; p++)
        for (size_t i = 0; i < lengths[p]; i++) {
            parts[p][i] ^= (unsigned char)(1u << i % 8);
            memset(out, 7, sizeof out);
            assert_int_equal(aes_gcm_open(key, nonce, associated, slice_of((char *)sealed, sizeof sealed), out, &err), ERR_DENIED);
            assert_memory_equal(out, nothing, sizeof text);
            parts[p][i] ^= (unsigned char)(1u << i % 8);
        }
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_int_equal(aes_gcm_open(key, nonce, associated, slice_of((char *)sealed, len), out, &err), ERR_DENIED);
    assert_int_equal(aes_gcm_open(key, nonce, slice_str(""), slice_of((char *)sealed, sizeof sealed), out, &err), ERR_DENIED);
    assert_int_equal(aes_gcm_open(key, nonce, associated, slice_of((char *)sealed, sizeof sealed), out, &err), 0);
    assert_memory_equal(out, text, sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_values_come_out_and_go_back),
        cmocka_unit_test(nothing_comes_out_of_what_was_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
