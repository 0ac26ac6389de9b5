#include "base/random.h"
#include "crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void check_base64url(struct slice bytes, const char *text)
{
    char out[100];
    unsigned char back[100];
    memset(out, '!', sizeof(out));
    base64url_encode(bytes.data, bytes.len, out);
    assert_int_equal(base64url_len(bytes.len), strlen(text));
    assert_memory_equal(out, text, strlen(text));
    assert_int_equal(out[strlen(text)], '!'); /* not a byte more */
    assert_int_equal(base64url_decode(slice_str(text), back), bytes.len);
    assert_memory_equal(back, bytes.data, bytes.len);
}

/* RFC 4648 section 10, without padding, and the two characters in which base64url differs. */
static void base64url_gives_the_published_values(void **state)
{
    (void)state;
    check_base64url(SLICE_LIT(""), "");
    check_base64url(SLICE_LIT("f"), "Zg");
    check_base64url(SLICE_LIT("fo"), "Zm8");
    check_base64url(SLICE_LIT("foo"), "Zm9v");
    check_base64url(SLICE_LIT("foob"), "Zm9vYg");
    check_base64url(SLICE_LIT("fooba"), "Zm9vYmE");
    check_base64url(SLICE_LIT("foobar"), "Zm9vYmFy");
    check_base64url(SLICE_LIT("\xfb\xff\xfe"), "-__-");
    check_base64url(SLICE_LIT("\x00\x00\x00\x00"), "AAAAAA");
}

static void base64url_goes_there_and_back(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 4648);
    for (int round = 0; round < 20000; round++) {
        unsigned char data[200], back[200];
        char text[300];
        size_t len = random_seeded_next(&r) % sizeof(data);
        random_fill(&r.face, data, len);
        base64url_encode(data, len, text);
        assert_int_equal(base64url_decode(slice_of(text, base64url_len(len)), back), len);
        assert_memory_equal(data, back, len);
    }
}

static void each_run_of_bytes_has_one_text(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    int accepted[4] = { 0 };
    char text[3];
    unsigned char out[3];
    for (int a = 0; a < 64; a++) {
        text[0] = digits[a];
        accepted[1] += base64url_decode(slice_of(text, 1), out) >= 0;
        for (int b = 0; b < 64; b++) {
            text[1] = digits[b];
            accepted[2] += base64url_decode(slice_of(text, 2), out) >= 0;
            for (int c = 0; c < 64; c++) {
                text[2] = digits[c];
                accepted[3] += base64url_decode(slice_of(text, 3), out) >= 0;
            }
        }
    }
    assert_int_equal(accepted[1], 0);
    assert_int_equal(accepted[2], 256);
    assert_int_equal(accepted[3], 65536);
}

static void what_is_not_base64url_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "A", "AAAAA", "Zg==", "Zm8=", "Zm+v", "Zm/v", "Zm 9v", "Zm9v\n", "Zh", "Zm9", "Zé", "=", "Zm9v." };
    unsigned char out[20];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(base64url_decode(slice_str(bad[i]), out), -1);
    for (int c = 1; c < 256; c++) {
        char text[4] = { 'A', 'A', 'A', (char)c };
        bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        assert_int_equal(base64url_decode(slice_of(text, 4), out), digit ? 3 : -1);
    }
}

static void hexadecimal_is_in_small_letters(void **state)
{
    (void)state;
    char out[9] = "????????";
    hex_encode("\x00\x1f\xab", 3, out);
    assert_string_equal(out, "001fab??");
}

/* RFC 4648, section 10, and the two digits that differ from base64url. */
static void base64_gives_the_published_values_and_takes_no_others(void **state)
{
    (void)state;
    static const char *const pairs[][2] = { { "", "" },
                                            { "f", "Zg==" },
                                            { "fo", "Zm8=" },
                                            { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" },
                                            { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" },
                                            { "\xfb\xff", "+/8=" } };
    static const char *const bad[] = { "Zg",     "Zg=",      "Zg===", "Zh==", "Zm9=",     "=",   "====",
                                       "Zm9v\n", "Zm9v====", "-_8=",  "Z===", "Zg==Zg==", "Z g=" };
    unsigned char out[20];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[20] = "";
        base64_encode(pairs[i][0], strlen(pairs[i][0]), text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(strlen(text), base64_len(strlen(pairs[i][0])));
        assert_int_equal(base64_decode(slice_str(text), out), strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], strlen(pairs[i][0]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(base64_decode(slice_str(bad[i]), out), -1);
}

static void hexadecimal_is_read_in_both_cases(void **state)
{
    (void)state;
    unsigned char out[8];
    assert_int_equal(hex_decode(slice_str("001FaB"), out), 3);
    assert_memory_equal(out, "\x00\x1f\xab", 3);
    assert_int_equal(hex_decode(slice_str(""), out), 0);
    static const char *const bad[] = { "0", "0g", "g0", " 0", "0x", "00 " };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hex_decode(slice_str(bad[i]), out), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_gives_the_published_values), cmocka_unit_test(base64url_goes_there_and_back),
        cmocka_unit_test(each_run_of_bytes_has_one_text),       cmocka_unit_test(what_is_not_base64url_is_refused),
        cmocka_unit_test(hexadecimal_is_in_small_letters),      cmocka_unit_test(base64_gives_the_published_values_and_takes_no_others),
        cmocka_unit_test(hexadecimal_is_read_in_both_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
