#include "host/webhooks/webhooks.h"
#include "crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S(text) slice_str(text)

static struct webhook_secret secret(const char *base64, int64_t until_ms)
{
    struct webhook_secret s = { .until_ms = until_ms };
    s.len = (size_t)base64_decode(S(base64), s.bytes);
    return s;
}

/* The example of the specification, and what others make of the same. */
static void it_signs_what_others_verify(void **state)
{
    (void)state;
    struct webhook w = { .secret_count = 1, .secrets = { secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0) } };
    char out[WEBHOOK_SIGNATURES_MAX];
    assert_int_equal(webhook_sign(&w, S("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330999, S("{\"test\": 2432232314}"), out, NULL), 0);
    assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void only_secrets_that_have_not_ended_sign(void **state)
{
    (void)state;
    const int64_t now_ms = 1614265330000;
    struct webhook w = { .secret_count = 4,
                         .secrets = { secret("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", 0), secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now_ms + 1),
                                      secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now_ms),
                                      secret("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", now_ms + 9) } };
    char out[WEBHOOK_SIGNATURES_MAX];
    assert_int_equal(webhook_sign(&w, S("msg_p5jXN8AQM9LWM0D4loKWxJek"), now_ms, S("{\"test\": 2432232314}"), out, NULL), 0);
    const char *second = strchr(out, ' ');
    assert_non_null(second);
    assert_int_equal(strncmp(second, " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,", 52), 0);
    assert_int_equal(strlen(out), 3 * 47 + 2);
    assert_int_equal(strncmp(out, out + 2 * 48, 47), 0); /* the same secret signs the same */
}

static void picks_mean_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *pick, *event;
        bool hears;
    } cases[] = {
        { "order.paid", "order.paid", true },    { "order.paid", "order.paid2", false },
        { "order.*", "order.paid", true },       { "order.*", "orders.paid", false },
        { "order.*", "order.", false },          { "*", "order.paid", true },
        { "*", "webhook.disabled", true },       { "*", "fact.changed", false },
        { "fact.*", "fact.changed", true },      { "*", "invite.rewarded", false },
        { "invite.*", "invite.rewarded", true }, { ".*", "order.paid", false },
        { "*.paid", "order.paid", false },       { "", "order.paid", false },
        { "order*", "order.paid", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(webhook_picks(S(cases[i].pick), S(cases[i].event)), cases[i].hears);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const int64_t now_ms = 1000000500, day_ms = 86400000;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        { "0", 0 },  { "1", 1 }, { "3600", 3600 }, { "86401", 86400 }, { "99999999999999999999999", 86400 },
        { "-5", 0 }, { "", 0 },  { "soon", 0 },    { "1.5", 0 },       { "12 ", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(webhook_retry_after(S(cases[i].text), now_ms), cases[i].seconds ? now_ms + cases[i].seconds * 1000 : 0);
    assert_int_equal(webhook_retry_after(S("Mon, 12 Jan 1970 13:47:40 GMT"), now_ms), now_ms + 60000); /* 1,000,060 s */
    assert_int_equal(webhook_retry_after(S("Mon, 12 Jan 1970 13:40:00 GMT"), now_ms), 0);              /* over */
    assert_int_equal(webhook_retry_after(S("Fri, 12 Jan 2035 13:47:40 GMT"), now_ms), now_ms + day_ms);
    assert_int_equal(webhook_retry_after(S("Mon, 12 Jan 1970 13:47:40 GMT, really"), now_ms), 0);
}

static void a_secret_is_written_as_the_specification_says(void **state)
{
    (void)state;
    unsigned char bytes[WEBHOOK_SECRET_BYTES];
    char text[WEBHOOK_SECRET_TEXT_MAX];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    webhook_secret_text(bytes, text);
    assert_string_equal(text, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_signs_what_others_verify),
        cmocka_unit_test(only_secrets_that_have_not_ended_sign),
        cmocka_unit_test(picks_mean_what_they_say),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(a_secret_is_written_as_the_specification_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
