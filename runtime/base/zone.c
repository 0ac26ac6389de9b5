#include "base/zone.h"
#include "base/map.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    OFFSET_LIMIT_S = 26 * HOUR_S, /* no zone is this far from UTC; a search for a local time looks this far to both sides */
    FILE_LIMIT_BYTES = 1024 * 1024,
    NAME_LIMIT = 64,
};

/* A day of the year in a POSIX TZ rule, and the second of that day (which may lie outside it) when clocks change. */
struct rule_day {
    enum { DAY_MONTH_WEEK, DAY_JULIAN, DAY_OF_YEAR } form;
    int month, week, weekday; /* "m.w.d": weekday 0 = Sunday; week 5 = the last */
    int day;                  /* DAY_JULIAN: 1..365, 29 February is never counted. DAY_OF_YEAR: 0..365 */
    int32_t time_s;
};

/* What governs the years after the table: one offset, or two that alternate. */
struct rule {
    bool present, alternates;
    int32_t standard_s, daylight_s;
    struct rule_day to_daylight, to_standard;
};

struct zone {
    char name[NAME_LIMIT + 1];
    size_t jumps;      /* entries of the table */
    int64_t *at_s;     /* ascending: from this UTC second on ... */
    int32_t *offset_s; /* ... this offset holds */
    int32_t first_s;   /* offset before the table begins */
    struct rule rule;
    uint64_t hash; /* of the file */
};

/* A stretch of UTC seconds, begin <= t < end, with one offset. */
struct span {
    int64_t begin_s, end_s;
    int32_t offset_s;
};

/* --- civil dates ------------------------------------------------------------------------------------------------- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int millisecond_of(int64_t utc_ms)
{
    return (int)((utc_ms % 1000 + 1000) % 1000);
}

/* Both directions count in years that begin in March, so that the leap day is the last of its year: then the days
 * before month m (March = 0) are (153 m + 2) / 5, and 400 years are always 146,097 days. */
enum { DAYS_400_YEARS = 146097, MARCH_0000_TO_1970 = 719468 };

int64_t civil_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t cycle = floor_div(y, 400), of_cycle = y - cycle * 400;
    int m = (month + 9) % 12;
    return cycle * DAYS_400_YEARS + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + (153 * m + 2) / 5 + day - 1 - MARCH_0000_TO_1970;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += MARCH_0000_TO_1970;
    int64_t cycle = floor_div(days, DAYS_400_YEARS), d = days - cycle * DAYS_400_YEARS;
    /* Take out the leap days before d: then every year has 365 days. The last day of a cycle is itself a leap day. */
    int64_t of_cycle = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int of_year = (int)(d - (of_cycle * 365 + of_cycle / 4 - of_cycle / 100));
    int m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(cycle * 400 + of_cycle + (*month <= 2));
}

int civil_weekday(int64_t days)
{
    return (int)(days + 3 - floor_div(days + 3, 7) * 7) + 1; /* day 0 was a Thursday */
}

/* --- the rule after the table (POSIX TZ) ------------------------------------------------------------------------- */

static int64_t rule_day_start_s(const struct rule_day *r, int year)
{
    int64_t day = civil_days(year, 1, 1);
    switch (r->form) {
    case DAY_JULIAN:
        day += r->day - 1 + (is_leap(year) && r->day >= 60);
        break;
    case DAY_OF_YEAR:
        day += r->day;
        break;
    case DAY_MONTH_WEEK: {
        day = civil_days(year, r->month, 1);
        int first = (r->weekday - civil_weekday(day) % 7 + 7) % 7 + (r->week - 1) * 7;
        day += first < month_days(year, r->month) ? first : first - 7;
        break;
    }
    }
    return day * DAY_S + r->time_s;
}

/* The span of the rule that holds t_s. The rule is laid out for the years around it: a change may be written up to a
 * week outside its year. Where both changes fall on one instant (daylight time all year), daylight wins. */
static struct span rule_span(const struct rule *r, int64_t t_s)
{
    struct span span = { INT64_MIN, INT64_MAX, r->standard_s };
    if (!r->alternates)
        return span;
    int year, month, day;
    civil_from_days(floor_div(t_s, DAY_S), &year, &month, &day);
    for (int y = year - 2; y <= year + 2; y++) {
        int64_t to_daylight = rule_day_start_s(&r->to_daylight, y) - r->standard_s;
        int64_t to_standard = rule_day_start_s(&r->to_standard, y) - r->daylight_s;
        if (to_standard <= t_s && to_standard > span.begin_s)
            span.begin_s = to_standard, span.offset_s = r->standard_s;
        if (to_daylight <= t_s && to_daylight >= span.begin_s)
            span.begin_s = to_daylight, span.offset_s = r->daylight_s;
        if (to_standard > t_s && to_standard < span.end_s)
            span.end_s = to_standard;
        if (to_daylight > t_s && to_daylight < span.end_s)
            span.end_s = to_daylight;
    }
    return span;
}

static struct span zone_span(const struct zone *z, int64_t t_s)
{
    if (z->jumps == 0 || t_s >= z->at_s[z->jumps - 1]) {
        struct span span = { INT64_MIN, INT64_MAX, z->jumps ? z->offset_s[z->jumps - 1] : z->first_s };
        if (z->rule.present)
            span = rule_span(&z->rule, t_s);
        if (z->jumps && span.begin_s < z->at_s[z->jumps - 1])
            span.begin_s = z->at_s[z->jumps - 1];
        return span;
    }
    if (t_s < z->at_s[0])
        return (struct span){ INT64_MIN, z->at_s[0], z->first_s };
    size_t low = 0, high = z->jumps - 1; /* at_s[low] <= t_s < at_s[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (z->at_s[middle] <= t_s)
            low = middle;
        else
            high = middle;
    }
    return (struct span){ z->at_s[low], z->at_s[high], z->offset_s[low] };
}

/* --- conversion -------------------------------------------------------------------------------------------------- */

/* Seconds of a local time read as if it were UTC. Kept far from the ends of the range, where milliseconds would wrap. */
static int64_t local_seconds(const struct civil *c)
{
    const int64_t limit_s = INT64_MAX / 1000 - 2 * OFFSET_LIMIT_S;
    int64_t s = civil_days(c->year, c->month, c->day) * DAY_S + c->hour * HOUR_S + c->minute * 60 + c->second;
    return s > limit_s ? limit_s : s < -limit_s ? -limit_s : s;
}

struct meaning {
    enum civil_kind kind;
    int64_t first_s, second_s, jump_s; /* jump_s: in a gap, the instant clocks went forward */
};

/* Walks the spans in which the local time could lie. Each says with its offset which instant it would be; the span has
 * it if that instant is inside. If none has, clocks jumped over it, and the jump is between two neighbours. */
static struct meaning zone_meaning(const struct zone *z, int64_t local_s)
{
    struct meaning m = { .kind = CIVIL_GAP };
    bool found = false, jumped = false;
    struct span span = zone_span(z, local_s - OFFSET_LIMIT_S);
    for (;;) {
        int64_t here = local_s - span.offset_s;
        if (here >= span.begin_s && here < span.end_s) {
            if (!found)
                m.first_s = here;
            m.second_s = here;
            m.kind = found ? CIVIL_FOLD : CIVIL_NORMAL;
            found = true;
        }
        if (span.end_s > local_s + OFFSET_LIMIT_S)
            break;
        struct span next = zone_span(z, span.end_s);
        assert(next.begin_s == span.end_s && next.end_s > next.begin_s);
        if (!found && !jumped && local_s >= next.begin_s + span.offset_s && local_s < next.begin_s + next.offset_s) {
            m.first_s = local_s - next.offset_s;
            m.second_s = here;
            m.jump_s = next.begin_s;
            jumped = true;
        }
        span = next;
    }
    assert(found || jumped);
    return m;
}

enum civil_kind zone_to_utc(const struct zone *z, const struct civil *local, int64_t *first_ms, int64_t *second_ms)
{
    struct meaning m = zone_meaning(z, local_seconds(local));
    *first_ms = m.first_s * 1000 + local->ms;
    *second_ms = m.second_s * 1000 + local->ms;
    return m.kind;
}

int64_t zone_resolve(const struct zone *z, const struct civil *local)
{
    struct meaning m = zone_meaning(z, local_seconds(local));
    return m.kind == CIVIL_GAP ? m.jump_s * 1000 : m.first_s * 1000 + local->ms;
}

static void civil_from_seconds(int64_t local_s, int ms, struct civil *out)
{
    int64_t days = floor_div(local_s, DAY_S);
    int of_day = (int)(local_s - days * DAY_S);
    civil_from_days(days, &out->year, &out->month, &out->day);
    out->hour = of_day / HOUR_S;
    out->minute = of_day / 60 % 60;
    out->second = of_day % 60;
    out->ms = ms;
}

void zone_from_utc(const struct zone *z, int64_t utc_ms, struct civil *local, int32_t *offset_s)
{
    int64_t s = floor_div(utc_ms, 1000);
    struct span span = zone_span(z, s);
    civil_from_seconds(s + span.offset_s, millisecond_of(utc_ms), local);
    if (offset_s)
        *offset_s = span.offset_s;
}

/* --- reading a POSIX TZ rule ------------------------------------------------------------------------------------- */

struct cursor {
    const char *p, *end;
};

static bool cursor_take(struct cursor *c, char wanted)
{
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool cursor_number(struct cursor *c, int least, int most, int *out)
{
    const char *start = c->p;
    int v = 0;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - start < 4)
        v = v * 10 + (*c->p++ - '0');
    *out = v;
    return c->p > start && v >= least && v <= most;
}

/* An abbreviation: three or more letters, or anything plain between angle brackets. Only skipped. */
static bool cursor_abbreviation(struct cursor *c)
{
    bool quoted = cursor_take(c, '<');
    const char *start = c->p;
    for (; c->p < c->end; c->p++) {
        char ch = *c->p, lower = (char)(ch | 0x20);
        bool letter = lower >= 'a' && lower <= 'z';
        if (!letter && !(quoted && ((ch >= '0' && ch <= '9') || ch == '+' || ch == '-')))
            break;
    }
    return c->p - start >= 3 && (!quoted || cursor_take(c, '>'));
}

/* [+-]h[:mm[:ss]] in seconds. */
static bool cursor_time(struct cursor *c, int most_hours, int32_t *out)
{
    int hours, minutes = 0, seconds = 0;
    bool minus = cursor_take(c, '-');
    if (!minus)
        cursor_take(c, '+');
    if (!cursor_number(c, 0, most_hours, &hours))
        return false;
    if (cursor_take(c, ':')) {
        if (!cursor_number(c, 0, 59, &minutes))
            return false;
        if (cursor_take(c, ':') && !cursor_number(c, 0, 59, &seconds))
            return false;
    }
    *out = (hours * HOUR_S + minutes * 60 + seconds) * (minus ? -1 : 1);
    return true;
}

static bool cursor_rule_day(struct cursor *c, struct rule_day *r)
{
    bool ok;
    if (cursor_take(c, 'M')) {
        r->form = DAY_MONTH_WEEK;
        ok = cursor_number(c, 1, 12, &r->month) && cursor_take(c, '.') && cursor_number(c, 1, 5, &r->week) && cursor_take(c, '.') &&
             cursor_number(c, 0, 6, &r->weekday);
    } else if (cursor_take(c, 'J')) {
        r->form = DAY_JULIAN;
        ok = cursor_number(c, 1, 365, &r->day);
    } else {
        r->form = DAY_OF_YEAR;
        ok = cursor_number(c, 0, 365, &r->day);
    }
    r->time_s = 2 * HOUR_S;
    return ok && (!cursor_take(c, '/') || cursor_time(c, 167, &r->time_s));
}

/* In POSIX the offset is what must be added to local time to get UTC: the other way round from everywhere else. */
static bool rule_parse(struct slice text, struct rule *r)
{
    struct cursor c = { text.data, text.data + text.len };
    int32_t west_s;
    if (text.len == 0)
        return true; /* the file knows of no rule */
    r->present = true;
    if (!cursor_abbreviation(&c) || !cursor_time(&c, 25, &west_s))
        return false;
    r->standard_s = -west_s;
    if (c.p == c.end)
        return true;
    r->alternates = true;
    if (!cursor_abbreviation(&c))
        return false;
    r->daylight_s = r->standard_s + HOUR_S;
    if (c.p < c.end && *c.p != ',') {
        if (!cursor_time(&c, 25, &west_s))
            return false;
        r->daylight_s = -west_s;
    }
    return r->daylight_s < OFFSET_LIMIT_S && cursor_take(&c, ',') && cursor_rule_day(&c, &r->to_daylight) && cursor_take(&c, ',') &&
           cursor_rule_day(&c, &r->to_standard) && c.p == c.end;
}

/* --- reading TZif (RFC 8536) ------------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *p, *end;
};

static const unsigned char *reader_take(struct reader *r, uint64_t len)
{
    if (len > (uint64_t)(r->end - r->p))
        return NULL;
    const unsigned char *p = r->p;
    r->p += len;
    return p;
}

static uint32_t big_endian_32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big_endian_time(const unsigned char *p, size_t size)
{
    if (size == 4)
        return (int32_t)big_endian_32(p);
    return (int64_t)((uint64_t)big_endian_32(p) << 32 | big_endian_32(p + 4));
}

struct header {
    char version;
    uint32_t is_ut, is_standard, leap, times, types, characters;
};

static bool header_read(struct reader *r, struct header *h)
{
    const unsigned char *p = reader_take(r, 44);
    if (!p || memcmp(p, "TZif", 4) != 0)
        return false;
    h->version = (char)p[4];
    h->is_ut = big_endian_32(p + 20);
    h->is_standard = big_endian_32(p + 24);
    h->leap = big_endian_32(p + 28);
    h->times = big_endian_32(p + 32);
    h->types = big_endian_32(p + 36);
    h->characters = big_endian_32(p + 40);
    return true;
}

static uint64_t block_bytes(const struct header *h, size_t time_size)
{
    return (uint64_t)h->times * (time_size + 1) + (uint64_t)h->types * 6 + h->characters + (uint64_t)h->leap * (time_size + 4) +
           h->is_standard + h->is_ut;
}

/* Instants near the ends of int64 would overflow once an offset is added; tzdata's earliest is -2^59. */
static const int64_t time_limit_s = (int64_t)1 << 60;

/* One data block into z; NULL, or what is wrong with it. */
static const char *block_read(struct reader *r, const struct header *h, size_t time_size, struct zone *z)
{
    const unsigned char *times = reader_take(r, block_bytes(h, time_size));
    if (!times)
        return "it ends too early";
    if (h->types == 0 || h->types > 256)
        return "it has no usable list of offsets";
    if (h->leap != 0)
        return "it counts leap seconds, which no clock of a shop does";
    const unsigned char *indexes = times + (size_t)h->times * time_size, *types = indexes + h->times;
    for (uint32_t i = 0; i < h->types; i++) {
        int32_t offset = (int32_t)big_endian_32(types + i * 6);
        if (offset <= -OFFSET_LIMIT_S || offset >= OFFSET_LIMIT_S)
            return "an offset from UTC is beyond 26 hours";
    }
    z->first_s = (int32_t)big_endian_32(types);
    if (h->times == 0)
        return NULL;
    z->at_s = malloc(h->times * sizeof(z->at_s[0]));
    z->offset_s = malloc(h->times * sizeof(z->offset_s[0]));
    if (!z->at_s || !z->offset_s)
        return "memory ran out";
    for (; z->jumps < h->times; z->jumps++) {
        size_t i = z->jumps;
        z->at_s[i] = big_endian_time(times + i * time_size, time_size);
        if (z->at_s[i] < -time_limit_s || z->at_s[i] > time_limit_s || (i > 0 && z->at_s[i] <= z->at_s[i - 1]))
            return "its instants do not ascend";
        if (indexes[i] >= h->types)
            return "it names an offset that it does not list";
        z->offset_s[i] = (int32_t)big_endian_32(types + indexes[i] * 6);
    }
    return NULL;
}

static const char *footer_read(struct reader *r, struct rule *rule)
{
    const unsigned char *newline = reader_take(r, 1);
    const unsigned char *end = newline && *newline == '\n' ? memchr(r->p, '\n', (size_t)(r->end - r->p)) : NULL;
    if (!end)
        return "the line after the table is missing";
    if (!rule_parse(slice_of((const char *)r->p, (size_t)(end - r->p)), rule))
        return "the rule after the table makes no sense";
    return NULL;
}

static const char *tzif_read(struct slice bytes, struct zone *z)
{
    struct reader r = { (const unsigned char *)bytes.data, (const unsigned char *)bytes.data + bytes.len };
    struct header h;
    if (!header_read(&r, &h))
        return "it does not begin as a time zone file does";
    if (h.version < '2')
        return block_read(&r, &h, 4, z);
    /* Version 2 and later say everything again with 64 bits. */
    if (!reader_take(&r, block_bytes(&h, 4)) || !header_read(&r, &h))
        return "it ends too early";
    const char *wrong = block_read(&r, &h, 8, z);
    return wrong ? wrong : footer_read(&r, &z->rule);
}

int zone_read(struct slice name, struct slice tzif, struct zone **out, struct err *err)
{
    *out = NULL;
    if (name.len > NAME_LIMIT)
        return err_set(err, ERR_INVALID, "the name of a time zone has at most %d characters", NAME_LIMIT);
    struct zone *z = calloc(1, sizeof(*z));
    if (!z)
        return err_set(err, ERR_NOMEM, "out of memory while loading time zone %.*s; try again", SLICE_FMT(name));
    memcpy(z->name, name.data, name.len);
    z->hash = hash_bytes(tzif.data, tzif.len);
    const char *wrong = tzif_read(tzif, z);
    if (wrong) {
        zone_free(z);
        return err_set(err, ERR_CORRUPT, "the file of time zone %.*s can't be used: %s; use another zone, or reinstall the package tzdata",
                       SLICE_FMT(name), wrong);
    }
    *out = z;
    return 0;
}

/* --- loading ----------------------------------------------------------------------------------------------------- */

/* Names are paths below the folder of zones: parts of letters, digits, '_', '-' and '+', none of which begins with a dot. */
static bool name_valid(struct slice name)
{
    char before = '/';
    if (name.len == 0 || name.len > NAME_LIMIT || name.data[name.len - 1] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i], lower = (char)(c | 0x20);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+';
        if (!plain && (before == '/' || (c != '/' && c != '.')))
            return false;
        before = c;
    }
    return true;
}

static int not_found(struct slice name, const char *folder, struct err *err)
{
    if (access(folder, R_OK) != 0)
        return err_set(err, ERR_NOT_FOUND, "time zone %.*s can't be loaded, there are no zones in %s; install the package tzdata",
                       SLICE_FMT(name), folder);
    return err_set(err, ERR_NOT_FOUND,
                   "there is no time zone %.*s in %s; use an IANA name such as Asia/Shanghai, or update the package tzdata",
                   SLICE_FMT(name), folder);
}

/* The content of a regular file, or a negative code with errno untouched for the caller's sentence. */
static int file_read(int fd, char **out, size_t *out_len)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ERR_IO;
    if (!S_ISREG(st.st_mode))
        return ERR_NOT_FOUND;
    if (st.st_size > FILE_LIMIT_BYTES)
        return ERR_CORRUPT;
    size_t size = (size_t)st.st_size, len = 0;
    char *data = malloc(size + 1);
    if (!data)
        return ERR_NOMEM;
    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(data);
            return ERR_IO;
        }
        if (n == 0)
            break; /* it shrank meanwhile; the reader will say that it ends too early */
        len += (size_t)n;
    }
    *out = data;
    *out_len = len;
    return 0;
}

int zone_load(struct slice name, struct zone **out, struct err *err)
{
    const char *folder = getenv("TZDIR");
    char path[4096], *data;
    size_t len;
    *out = NULL;
    if (!folder || !*folder)
        folder = "/usr/share/zoneinfo";
    if (!name_valid(name))
        return err_set(err, ERR_NOT_FOUND, "\"%.*s\" is not the name of a time zone; use an IANA name such as Asia/Shanghai",
                       name.len > NAME_LIMIT ? NAME_LIMIT : (int)name.len, name.data);
    if ((size_t)snprintf(path, sizeof(path), "%s/%.*s", folder, SLICE_FMT(name)) >= sizeof(path))
        return err_set(err, ERR_NOT_FOUND, "the folder of time zones in TZDIR has too long a name; unset TZDIR");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return not_found(name, folder, err);
    int rc = fd < 0 ? ERR_IO : file_read(fd, &data, &len);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (rc == ERR_NOT_FOUND)
        return not_found(name, folder, err);
    if (rc == ERR_CORRUPT)
        return err_set(err, rc, "the file of time zone %.*s is too large to be one; reinstall the package tzdata", SLICE_FMT(name));
    if (rc == ERR_NOMEM)
        return err_set(err, rc, "out of memory while loading time zone %.*s; try again", SLICE_FMT(name));
    if (rc < 0)
        return err_set(err, ERR_IO, "can't read time zone %.*s: %s; check %s", SLICE_FMT(name), strerror(saved), path);
    rc = zone_read(name, slice_of(data, len), out, err);
    free(data);
    return rc;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->at_s);
    free(z->offset_s);
    free(z);
}

const char *zone_name(const struct zone *z)
{
    return z->name;
}

uint64_t zone_hash(const struct zone *z)
{
    return z->hash;
}

/* --- dates and times as text ------------------------------------------------------------------------------------- */

/* Exactly `digits` digits. */
static bool cursor_digits(struct cursor *c, int digits, int *out)
{
    int v = 0;
    if (c->end - c->p < digits)
        return false;
    for (; digits > 0; digits--, c->p++) {
        if (*c->p < '0' || *c->p > '9')
            return false;
        v = v * 10 + (*c->p - '0');
    }
    *out = v;
    return true;
}

/* ".5" is 500 ms. Digits beyond the third are read and cut off. */
static bool cursor_fraction(struct cursor *c, int most_digits, int *ms)
{
    int digits = 0, v = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, digits++)
        if (digits < 3)
            v = v * 10 + (*c->p - '0');
    for (int i = digits; i < 3; i++)
        v *= 10;
    *ms = v;
    return digits >= 1 && digits <= most_digits;
}

static bool cursor_date(struct cursor *c, struct civil *out)
{
    return cursor_digits(c, 4, &out->year) && cursor_take(c, '-') && cursor_digits(c, 2, &out->month) && cursor_take(c, '-') &&
           cursor_digits(c, 2, &out->day);
}

/* A sentence for a date or time that is written well but does not exist, or NULL. */
static const char *civil_wrong(const struct civil *c)
{
    if (c->month < 1 || c->month > 12)
        return "there is no such month";
    if (c->day < 1 || c->day > month_days(c->year, c->month))
        return "that month has no such day";
    if (c->hour > 23)
        return "hours go from 00 to 23; the end of a day is 00:00 of the next";
    if (c->minute > 59)
        return "minutes go from 00 to 59";
    if (c->second == 60)
        return "leap seconds can't be used; write the second before or after";
    if (c->second > 59)
        return "seconds go from 00 to 59";
    return NULL;
}

/* What was written, short enough for a sentence. */
static int shown(struct slice text)
{
    return text.len > 40 ? 40 : (int)text.len;
}

int civil_parse(struct slice text, struct civil *out, struct err *err)
{
    struct cursor c = { text.data, text.data + text.len };
    struct civil v = { 0 };
    bool ok = cursor_date(&c, &v);
    if (ok && c.p < c.end) {
        ok = (cursor_take(&c, ' ') || cursor_take(&c, 'T')) && cursor_digits(&c, 2, &v.hour) && cursor_take(&c, ':') &&
             cursor_digits(&c, 2, &v.minute);
        if (ok && cursor_take(&c, ':'))
            ok = cursor_digits(&c, 2, &v.second) && (!cursor_take(&c, '.') || cursor_fraction(&c, 3, &v.ms));
    }
    if (!ok || c.p != c.end)
        return err_set(err, ERR_INVALID, "\"%.*s\" is not a local date and time; write it like \"2026-11-20 00:00\"", shown(text),
                       text.data);
    const char *wrong = civil_wrong(&v);
    if (wrong)
        return err_set(err, ERR_INVALID, "\"%.*s\" does not exist: %s", shown(text), text.data, wrong);
    *out = v;
    return 0;
}

/* "Z" or +hh:mm, in seconds east of UTC. */
static bool cursor_offset(struct cursor *c, int32_t *out)
{
    int hours, minutes;
    *out = 0;
    if (cursor_take(c, 'Z') || cursor_take(c, 'z'))
        return true;
    bool minus = cursor_take(c, '-');
    if (!minus && !cursor_take(c, '+'))
        return false;
    if (!cursor_digits(c, 2, &hours) || !cursor_take(c, ':') || !cursor_digits(c, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (hours * HOUR_S + minutes * 60) * (minus ? -1 : 1);
    return true;
}

int timestamp_parse(struct slice text, int64_t *out_ms, struct err *err)
{
    struct cursor c = { text.data, text.data + text.len };
    struct civil v = { 0 };
    int32_t offset;
    if (!cursor_date(&c, &v) || !(cursor_take(&c, 'T') || cursor_take(&c, 't')) || !cursor_digits(&c, 2, &v.hour) ||
        !cursor_take(&c, ':') || !cursor_digits(&c, 2, &v.minute) || !cursor_take(&c, ':') || !cursor_digits(&c, 2, &v.second) ||
        (cursor_take(&c, '.') && !cursor_fraction(&c, 9, &v.ms)) || !cursor_offset(&c, &offset) || c.p != c.end)
        return err_set(err, ERR_INVALID,
                       "\"%.*s\" is not a time with its offset; write it like 2026-11-20T00:00:00Z or 2026-11-20T08:00:00+08:00",
                       shown(text), text.data);
    const char *wrong = civil_wrong(&v);
    if (wrong)
        return err_set(err, ERR_INVALID, "\"%.*s\" does not exist: %s", shown(text), text.data, wrong);
    int64_t s = local_seconds(&v) - offset;
    if (s < civil_days(0, 1, 1) * DAY_S || s >= civil_days(10000, 1, 1) * DAY_S)
        return err_set(err, ERR_INVALID, "\"%.*s\" is, in UTC, outside the years 0000 to 9999", shown(text), text.data);
    *out_ms = s * 1000 + v.ms;
    return 0;
}

static char *put_digits(char *to, int v, int digits)
{
    for (int i = digits; i-- > 0; v /= 10)
        to[i] = (char)('0' + v % 10);
    return to + digits;
}

/* An order's document has four of them, so no printf. */
size_t timestamp_format(int64_t utc_ms, char out[TIMESTAMP_MAX])
{
    struct civil c;
    int64_t s = floor_div(utc_ms, 1000);
    civil_from_seconds(s, millisecond_of(utc_ms), &c);
    char *to = out;
    if (c.year >= 0 && c.year <= 9999)
        to = put_digits(to, c.year, 4);
    else
        to += snprintf(to, TIMESTAMP_MAX, "%04d", c.year);
    const struct {
        char before;
        int v, digits;
    } parts[] = {
        { '-', c.month, 2 }, { '-', c.day, 2 }, { 'T', c.hour, 2 }, { ':', c.minute, 2 }, { ':', c.second, 2 }, { '.', c.ms, 3 }
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts - (c.ms == 0); i++) {
        *to++ = parts[i].before;
        to = put_digits(to, parts[i].v, parts[i].digits);
    }
    *to++ = 'Z';
    *to = '\0';
    assert(to < out + TIMESTAMP_MAX);
    return (size_t)(to - out);
}

int duration_parse(struct slice text, int64_t *out_ms, struct err *err)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = { { 's', 1000 }, { 'm', 60 * 1000 }, { 'h', HOUR_S * 1000 }, { 'd', DAY_S * 1000 }, { 'w', (int64_t)7 * DAY_S * 1000 } };
    int64_t v = 0, unit_ms = 0;
    bool ok = text.len >= 2, fits = true;
    for (size_t i = 0; ok && i + 1 < text.len; i++) {
        ok = text.data[i] >= '0' && text.data[i] <= '9';
        fits = fits && !__builtin_mul_overflow(v, 10, &v) && !__builtin_add_overflow(v, text.data[i] - '0', &v);
    }
    for (size_t i = 0; ok && i < sizeof(units) / sizeof(units[0]); i++)
        if (text.data[text.len - 1] == units[i].unit)
            unit_ms = units[i].ms;
    if (!ok || unit_ms == 0)
        return err_set(err, ERR_INVALID, "\"%.*s\" is not a duration; write a whole number and s, m, h, d or w, as in \"30m\"", shown(text),
                       text.data);
    if (!fits || __builtin_mul_overflow(v, unit_ms, &v))
        return err_set(err, ERR_INVALID, "\"%.*s\" is longer than a duration can be", shown(text), text.data);
    if (v == 0)
        return err_set(err, ERR_INVALID, "\"%.*s\" is no time at all; a duration is longer than zero", shown(text), text.data);
    *out_ms = v;
    return 0;
}
