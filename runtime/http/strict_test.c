/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http/chunk.h"
#include "http/strict.h"

static const struct strict_limits limits = { .line_bytes = 64, .header_bytes = 128, .header_count = 4 };

/* Status of the refusal, 0 = whole, -1 = more is needed. *used: bytes taken. */
static int scan(const char *text, size_t len, size_t step, size_t *used)
{
    struct strict_scan s;
    struct strict_verdict v = { 0 };
    strict_begin(&s);
    *used = 0;
    while (*used < len && s.state != STRICT_DONE) {
        size_t n = len - *used < step ? len - *used : step;
        *used += strict_feed(&s, &limits, text + *used, n, &v);
        if (v.status)
            return v.status;
    }
    return s.state == STRICT_DONE ? 0 : -1;
}

static void same_however_cut(const char *text, size_t len, int want)
{
    size_t whole_used, used;
    assert_int_equal(scan(text, len, len, &whole_used), want);
    for (size_t step = 1; step < len; step++) {
        assert_int_equal(scan(text, len, step, &used), want);
        assert_int_equal(used, whole_used);
    }
}
#define HEAD_IS(text, want) same_however_cut(text, sizeof(text) - 1, want)

static void a_sound_head_passes_however_it_is_cut(void **state)
{
    (void)state;
    HEAD_IS("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    HEAD_IS("\r\nGET / HTTP/1.0\r\n\r\n", 0);
    HEAD_IS("GET /a?b HTTP/1.1\r\nX:\r\nY: \xff\t.\r\n\r\nrest that is not looked at \0", 0);
    HEAD_IS("GET / HTTP/1.1\r\nHost: a\r\n", -1);
}

static void bytes_that_two_readers_could_take_differently_are_refused(void **state)
{
    (void)state;
    HEAD_IS("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\nHost: a\rX\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\nX : a\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\n: a\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1\r\nX: a\0\r\n\r\n", 400);
    HEAD_IS("GET  / HTTP/1.1\r\n\r\n", 400);
    HEAD_IS("GET / HTTP/1.1 \r\n\r\n", 400);
    HEAD_IS("get / HTTP/1.1\r\n\r\n", 400);
    HEAD_IS("GET /#a HTTP/1.1\r\n\r\n", 400);
    HEAD_IS("GET /\xff HTTP/1.1\r\n\r\n", 400);
    HEAD_IS("GET /\r\n\r\n", 400);
    HEAD_IS("\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400);
}

static void other_versions_are_named_as_such(void **state)
{
    (void)state;
    HEAD_IS("GET / HTTP/2.0\r\n\r\n", 505);
    HEAD_IS("GET / HTTP/1.2\r\n\r\n", 505);
    HEAD_IS("GET / HTTP/0.9\r\n\r\n", 505);
    HEAD_IS("GET / HTTP/1.10\r\n\r\n", 400);
    HEAD_IS("GET / http/1.1\r\n\r\n", 400);
}

static void limits_are_exact(void **state)
{
    (void)state;
    /* 64 bytes of request line with its CRLF: 4 + target + 11 */
    HEAD_IS("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n", 0);
    HEAD_IS("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n", 414);
    HEAD_IS("GET / HTTP/1.1\r\na:\r\na:\r\na:\r\na:\r\n\r\n", 0);
    HEAD_IS("GET / HTTP/1.1\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n", 431);
#define V40 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
    HEAD_IS("GET / HTTP/1.1\r\na:" V40 V40 V40 "vv\r\n\r\n", 0); /* 2 + 122 + 2 + 2 = 128 */
    HEAD_IS("GET / HTTP/1.1\r\na:" V40 V40 V40 "vvv\r\n\r\n", 431);
}

static int read_chunks(const char *text, size_t len, size_t step, size_t limit, struct buf *body, size_t *used)
{
    struct chunk_reader c;
    struct strict_verdict v = { 0 };
    chunk_begin(&c);
    buf_clear(body);
    *used = 0;
    while (*used < len && !chunk_done(&c)) {
        size_t n = len - *used < step ? len - *used : step;
        *used += chunk_feed(&c, text + *used, n, limit, body, &v);
        if (v.status)
            return v.status;
    }
    return chunk_done(&c) ? 0 : -1;
}

static void chunks_are(const char *text, size_t len, int want, const char *want_body)
{
    struct buf body;
    buf_init(&body, NULL);
    for (size_t step = 1; step <= len; step++) {
        size_t used;
        assert_int_equal(read_chunks(text, len, step, 10, &body, &used), want);
        if (want == 0)
            assert_true(slice_is(buf_slice(&body), want_body));
    }
    buf_release(&body);
}
#define CHUNKS(text, want, body) chunks_are(text, sizeof(text) - 1, want, body)

static void chunks_are_joined_however_they_are_cut(void **state)
{
    (void)state;
    CHUNKS("3\r\nabc\r\n0\r\n\r\nnext", 0, "abc");
    CHUNKS("1\r\na\r\n02;x=y;z=\"q\\\"\"\r\nbc\r\n0;e\r\nT: v\r\n\r\n", 0, "abc");
    CHUNKS("a\r\n0123456789\r\n0\r\n\r\n", 0, "0123456789");
    CHUNKS("3\r\nabc\r\n0\r\n", -1, "");
}

static void chunks_of_any_other_form_are_refused(void **state)
{
    (void)state;
    CHUNKS("0x3\r\nabc\r\n0\r\n\r\n", 400, "");
    CHUNKS("3\nabc\r\n0\r\n\r\n", 400, "");
    CHUNKS("3\r\nabcd\r\n0\r\n\r\n", 400, "");
    CHUNKS("3 \r\nabc\r\n0\r\n\r\n", 400, "");
    CHUNKS("3;a=\r\nabc\r\n0\r\n\r\n", 400, "");
    CHUNKS("3;\r\nabc\r\n0\r\n\r\n", 400, "");
    CHUNKS("10000000000000000\r\n", 400, "");
    CHUNKS("\r\n", 400, "");
    CHUNKS("0\r\nX y\r\n\r\n", 400, "");
}

static void a_body_beyond_the_limit_is_refused_before_its_data(void **state)
{
    (void)state;
    CHUNKS("b\r\n", 413, "");
    CHUNKS("ffffffffffffffff\r\n", 413, "");
    CHUNKS("5\r\nabcde\r\n6\r\n", 413, "");
    CHUNKS("5\r\nabcde\r\nfffffffffffffffb\r\n", 413, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_head_passes_however_it_is_cut),
        cmocka_unit_test(bytes_that_two_readers_could_take_differently_are_refused),
        cmocka_unit_test(other_versions_are_named_as_such),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(chunks_are_joined_however_they_are_cut),
        cmocka_unit_test(chunks_of_any_other_form_are_refused),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused_before_its_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
