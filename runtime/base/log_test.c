#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static char text[1 << 20];

/* A file rather than a pipe: it never fills up. */
static int open_file(void)
{
    char path[] = "/tmp/feira-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
    return fd;
}

static struct slice read_back(int fd)
{
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return slice_of(text, (size_t)n);
}

static void a_json_line_is_json_with_the_fields_in_order(void **state)
{
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, 1790000000007);
    int fd = open_file();
    struct log *l = log_open(fd, LOG_JSON, LOG_INFO, &v.face);
    log_info(l, "order.placed", "An order \"x\"\nwas placed.", LOG_STR("id", "ord_1"), LOG_INT("total_minor", -5));
    log_close(l);
    assert_string_equal(read_back(fd).data, "{\"time\":\"2026-09-21T14:13:20.007Z\",\"level\":\"info\",\"event\":\"order.placed\","
                                            "\"text\":\"An order \\\"x\\\"\\nwas placed.\",\"id\":\"ord_1\",\"total_minor\":-5}\n");
}

static void a_line_for_people_can_not_be_faked_from_a_field(void **state)
{
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, 1790000000007);
    int fd = open_file();
    struct log *l = log_open(fd, LOG_HUMAN, LOG_INFO, &v.face);
    log_warn(l, "http.bad", "A request\nwas refused.", LOG_STR("path", "/a\n12:00:00 ERROR fake"), LOG_STR("method", "GET"),
             LOG_INT("n", 3));
    log_close(l);
    assert_string_equal(read_back(fd).data,
                        "14:13:20.007 WARN  A request\\nwas refused.  path=\"/a\\n12:00:00 ERROR fake\" method=GET n=3  [http.bad]\n");
}

static void less_than_the_least_level_and_no_log_at_all_write_nothing(void **state)
{
    (void)state;
    int fd = open_file();
    struct log *l = log_open(fd, LOG_JSON, LOG_WARN, NULL);
    log_info(l, "quiet", "x");
    log_error(NULL, "nowhere", "x");
    log_close(l);
    log_close(NULL);
    assert_int_equal(read_back(fd).len, 0);
}

static void a_log_that_can_not_be_written_to_stops_nobody(void **state)
{
    (void)state;
    struct log *l = log_open(-1, LOG_JSON, LOG_INFO, NULL);
    log_error(l, "lost", "x");
    log_close(l);
}

static void *write_lines(void *arg)
{
    struct log *l = arg;
    char filler[300];
    memset(filler, 'y', sizeof filler);
    for (int i = 0; i < 200; i++)
        log_info(l, "thread.line", "A line.", LOG_SLICE("filler", slice_of(filler, sizeof filler)), LOG_INT("i", i));
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    int fd = open_file();
    struct log *l = log_open(fd, LOG_JSON, LOG_INFO, NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, l), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    log_close(l);
    struct slice all = read_back(fd);
    struct arena a;
    arena_init(&a, NULL, 0);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        struct json_value *value;
        arena_reset(&a);
        assert_int_equal(json_parse(slice_str(line), NULL, &a, &value, NULL), 0);
    }
    assert_true(all.len > 0);
    assert_int_equal(lines, 800);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_is_json_with_the_fields_in_order),
        cmocka_unit_test(a_line_for_people_can_not_be_faked_from_a_field),
        cmocka_unit_test(less_than_the_least_level_and_no_log_at_all_write_nothing),
        cmocka_unit_test(a_log_that_can_not_be_written_to_stops_nobody),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
