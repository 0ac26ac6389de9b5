/* Passwords and one-time codes. The codes are those of RFC 6238, appendix B (its eight digits cut to six), base32 that of RFC 4648. */
#include "crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_password_is_known_again_and_no_other_is(void **state)
{
    char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
    struct err err = { 0 };
    (void)state;
    assert_int_equal(password_hash(SLICE_LIT("correct horse battery"), hash, &err), 0);
    assert_int_equal(strncmp(hash, "$argon2id$", 10), 0);
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse battery"), &err), 1);
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse battery "), &err), 0);
    assert_int_equal(password_verify(hash, SLICE_LIT(""), &err), 0);
    assert_int_equal(password_hash(SLICE_LIT("correct horse battery"), other, &err), 0);
    assert_string_not_equal(hash, other); /* each has its own salt */
}

static void what_is_no_hash_verifies_nothing(void **state)
{
    struct err err = { 0 };
    char hash[PASSWORD_HASH_MAX];
    (void)state;
    assert_int_equal(password_verify("", SLICE_LIT("x"), &err), 0);
    assert_int_equal(password_verify("correct horse battery", SLICE_LIT("correct horse battery"), &err), 0);
    assert_int_equal(password_hash(SLICE_LIT("x"), hash, &err), 0);
    hash[strlen(hash) - 1] = hash[strlen(hash) - 1] == 'A' ? 'B' : 'A';
    hash[strlen(hash) - 3] = hash[strlen(hash) - 3] == 'A' ? 'B' : 'A';
    assert_int_equal(password_verify(hash, SLICE_LIT("x"), &err), 0);
}

static void codes_are_those_of_the_standard(void **state)
{
    static const struct {
        int64_t seconds;
        uint32_t code;
    } known[] = { { 59, 287082 },       { 1111111109, 81804 },  { 1111111111, 50471 },
                  { 1234567890, 5924 }, { 2000000000, 279037 }, { 20000000000, 353130 } };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t code;
        struct err err = { 0 };
        assert_int_equal(totp_code(SLICE_LIT("12345678901234567890"), known[i].seconds * 1000 / TOTP_STEP_MS, &code, &err), 0);
        assert_int_equal(code, known[i].code);
    }
}

static void base32_is_that_of_the_standard(void **state)
{
    static const char *const known[][2] = { { "", "" },
                                            { "f", "MY" },
                                            { "fo", "MZXQ" },
                                            { "foo", "MZXW6" },
                                            { "foob", "MZXW6YQ" },
                                            { "fooba", "MZXW6YTB" },
                                            { "foobar", "MZXW6YTBOI" } };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char out[32] = { 0 };
        base32_encode(known[i][0], strlen(known[i][0]), out);
        assert_string_equal(out, known[i][1]);
        assert_int_equal(base32_len(strlen(known[i][0])), strlen(known[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_known_again_and_no_other_is),
        cmocka_unit_test(what_is_no_hash_verifies_nothing),
        cmocka_unit_test(codes_are_those_of_the_standard),
        cmocka_unit_test(base32_is_that_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
