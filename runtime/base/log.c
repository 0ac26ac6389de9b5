#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct log {
    int fd;
    enum log_form form;
    enum log_level least;
    const struct clock *clock;
};

struct log *log_open(int fd, enum log_form form, enum log_level least, const struct clock *clock)
{
    struct log *l = malloc(sizeof *l);
    if (l)
        *l = (struct log){ fd, form, least, clock ? clock : clock_system() };
    return l;
}

void log_close(struct log *l)
{
    free(l);
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    return names[level];
}

static void add_time(struct buf *b, int64_t wall_ms, const char *format)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm t;
    char text[48];
    if (!gmtime_r(&seconds, &t) || !strftime(text, sizeof text, format, &t))
        return;
    buf_printf(b, "%s.%03d", text, ms);
}

static void json_line(struct buf *b, int64_t wall_ms, enum log_level level, const char *event, const char *text,
                      const struct log_field *fields, size_t n)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_object(&w);
    json_key(&w, "time");
    char room[64];
    struct buf time = { .data = room, .cap = sizeof room };
    add_time(&time, wall_ms, "%Y-%m-%dT%H:%M:%S");
    buf_add_char(&time, 'Z');
    json_string(&w, buf_slice(&time));
    json_key(&w, "level");
    json_str(&w, level_name(level));
    json_key(&w, "event");
    json_str(&w, event);
    json_key(&w, "text");
    json_str(&w, text);
    for (size_t i = 0; i < n; i++) {
        json_key_slice(&w, slice_str(fields[i].key));
        if (fields[i].kind == LOG_F_INT)
            json_int(&w, fields[i].num);
        else
            json_string(&w, fields[i].str);
    }
    json_object_end(&w);
}

static bool is_plain_word(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F)
            return false;
    }
    return s.len > 0;
}

/* 12:00:01.250 WARN  a sentence  key=value key="a value"  [order.placed] */
static void human_line(struct buf *b, int64_t wall_ms, enum log_level level, const char *event, const char *text,
                       const struct log_field *fields, size_t n)
{
    static const char *const names[] = { "DEBUG", "INFO ", "WARN ", "ERROR" };
    struct json_writer w;
    add_time(b, wall_ms, "%H:%M:%S");
    buf_printf(b, " %s ", names[level]);
    /* Escaped like JSON, less the quotes: what a client sent must not be able to fake a second line. */
    size_t at = b->len;
    json_writer_init(&w, b);
    json_str(&w, text);
    if (!b->failed) {
        memmove(b->data + at, b->data + at + 1, b->len - at - 2);
        b->len -= 2;
    }
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s%s=", i ? " " : "  ", fields[i].key);
        json_writer_init(&w, b);
        if (fields[i].kind == LOG_F_INT)
            buf_add_int(b, fields[i].num);
        else if (is_plain_word(fields[i].str))
            buf_add_slice(b, fields[i].str);
        else
            json_string(&w, fields[i].str);
    }
    buf_printf(b, "  [%s]", event);
}

/* One write for the line; more only when the kernel took a part of it. A log that can't be written to is no reason to
 * stop serving, so errors end here. */
static void put(int fd, struct slice line)
{
    while (line.len) {
        ssize_t n = write(fd, line.data, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line.data += n;
        line.len -= (size_t)n;
    }
}

void log_event(struct log *l, enum log_level level, const char *event, const char *text, const struct log_field *fields, size_t n)
{
    if (!l || level < l->least)
        return;
    int saved_errno = errno;
    struct buf b;
    buf_init(&b, NULL);
    int64_t now_ms = clock_wall_ms(l->clock);
    if (l->form == LOG_JSON)
        json_line(&b, now_ms, level, event, text, fields, n);
    else
        human_line(&b, now_ms, level, event, text, fields, n);
    buf_add_char(&b, '\n');
    if (b.failed)
        put(l->fd, SLICE_LIT("{\"level\":\"error\",\"event\":\"log.no_memory\",\"text\":\"A log line was lost: out of memory.\"}\n"));
    else
        put(l->fd, buf_slice(&b));
    buf_release(&b);
    errno = saved_errno;
}
