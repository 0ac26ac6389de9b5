#include "base/csv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Reads everything into "line:a|b;line:c|" or "error: ..." */
static const char *read_all(const char *text, size_t len)
{
    static char out[4096];
    struct arena a;
    struct csv_reader r;
    struct csv_record rec;
    struct err err = { 0 };
    size_t n = 0;
    arena_init(&a, NULL, 0);
    int rc = csv_open(&r, slice_of(text, len), &a, &err);
    while (rc >= 0 && (rc = csv_next(&r, &rec, &err)) == 1) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%d:", r.line);
        for (size_t i = 0; i < rec.count; i++)
            n += (size_t)snprintf(out + n, sizeof out - n, "%.*s|", SLICE_FMT(rec.fields[i]));
    }
    if (rc < 0)
        snprintf(out, sizeof out, "error: %s", err.text);
    else if (n == 0)
        out[0] = '\0';
    arena_release(&a);
    return out;
}
#define READ(text) read_all(text, sizeof(text) - 1)

static void records_have_the_line_they_begin_on(void **state)
{
    (void)state;
    assert_string_equal(READ("a,b\nc,d\n"), "1:a|b|2:c|d|");
    assert_string_equal(READ("a,b\r\nc,d"), "1:a|b|2:c|d|");
    assert_string_equal(READ("a,\"two\nlines\"\nc,d\n"), "1:a|two\nlines|3:c|d|");
    assert_string_equal(READ("a\n\n\nb\n"), "1:a|4:b|");
}

static void quotes_commas_and_empty_fields_come_through(void **state)
{
    (void)state;
    assert_string_equal(READ("\"say \"\"hi\"\"\",\"a,b\",,\n"), "1:say \"hi\"|a,b|||");
    assert_string_equal(READ("\"\"\"\"\n"), "1:\"|");
    assert_string_equal(READ(",\n"), "1:||");
    assert_string_equal(READ(""), "");
    assert_string_equal(READ("\xEF\xBB\xBFsku,title\n"), "1:sku|title|");
}

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    assert_non_null(strstr(READ("a,b\n\"c,d\n"), "line 2: a quoted field is not closed"));
    assert_non_null(strstr(READ("a\n\"b\"c,d\n"), "line 2: there is text behind a closing quote"));
    assert_non_null(strstr(READ("a\nb\n\xff\n"), "line 3: this is not UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_have_the_line_they_begin_on),
        cmocka_unit_test(quotes_commas_and_empty_fields_come_through),
        cmocka_unit_test(mistakes_are_named_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
