/* base/log.h - one event a line: JSON for machines, a short form for people. Thread safe: a line is one write(2).
 * No secret and no personal field ever goes into a log line. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_form { LOG_JSON, LOG_HUMAN };

struct clock;
struct log;

/* fd is not closed by log_close(). */
struct log *log_open(int fd, enum log_form form, enum log_level least, const struct clock *clock);
void log_close(struct log *l);

struct log_field {
    const char *key;
    enum { LOG_F_STR, LOG_F_INT } kind;
    struct slice str;
    int64_t num;
};
#define LOG_STR(k, s)   ((struct log_field){ (k), LOG_F_STR, slice_str(s), 0 })
#define LOG_SLICE(k, s) ((struct log_field){ (k), LOG_F_STR, (s), 0 })
#define LOG_INT(k, n)   ((struct log_field){ (k), LOG_F_INT, { 0, 0 }, (n) })

/* event: a stable dotted name ("order.placed"); text: a sentence. A NULL log discards. */
void log_event(struct log *l, enum log_level level, const char *event, const char *text, const struct log_field *fields, size_t n);
#define log_info(l, event, text, ...)  log_event_list(l, LOG_INFO, event, text, (struct log_field[]){ { 0 }, ##__VA_ARGS__ })
#define log_warn(l, event, text, ...)  log_event_list(l, LOG_WARN, event, text, (struct log_field[]){ { 0 }, ##__VA_ARGS__ })
#define log_error(l, event, text, ...) log_event_list(l, LOG_ERROR, event, text, (struct log_field[]){ { 0 }, ##__VA_ARGS__ })
/* The list is one argument per comma to the preprocessor, hence the dots. */
#define log_event_list(l, lv, ev, tx, ...) log_event(l, lv, ev, tx, (__VA_ARGS__) + 1, sizeof(__VA_ARGS__) / sizeof(struct log_field) - 1)
