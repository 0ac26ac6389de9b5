#include "base/random.h"
#include "base/zone.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000 };

/* --- every zone of the system ------------------------------------------------------------------------------------ */

enum { ZONES_MAX = 700 };
static char *zone_names[ZONES_MAX];
static ino_t zone_inodes[ZONES_MAX]; /* many names are links to one file */
static size_t zone_count;

static bool is_listed(ino_t inode)
{
    for (size_t i = 0; i < zone_count; i++)
        if (zone_inodes[i] == inode)
            return true;
    return false;
}

static bool is_zone_file(const char *path)
{
    char magic[4];
    FILE *f = fopen(path, "r");
    bool is = f && fread(magic, 1, 4, f) == 4 && memcmp(magic, "TZif", 4) == 0;
    if (f)
        fclose(f);
    return is;
}

static void list_zones(const char *below)
{
    char path[600];
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", below);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char name[520];
        struct stat st;
        snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", e->d_name);
        if (e->d_name[0] == '.' || strcmp(name, "right") == 0 || strcmp(name, "posix") == 0)
            continue;
        snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode))
            list_zones(name);
        else if (!is_listed(st.st_ino) && is_zone_file(path)) {
            assert_true(zone_count < ZONES_MAX);
            zone_inodes[zone_count] = st.st_ino;
            zone_names[zone_count++] = strdup(name);
        }
    }
    closedir(d);
}

static int list_all_zones(void **state)
{
    (void)state;
    unsetenv("TZDIR");
    list_zones("");
    return zone_count > 300 ? 0 : -1;
}

static int free_zone_list(void **state)
{
    (void)state;
    while (zone_count > 0)
        free(zone_names[--zone_count]);
    return 0;
}

static struct zone *load(const char *name)
{
    struct zone *z;
    struct err err = { 0 };
    if (zone_load(slice_str(name), &z, &err) != 0)
        fail_msg("%s: %s", name, err.text);
    assert_string_equal(zone_name(z), name);
    return z;
}

static int32_t offset_at(const struct zone *z, int64_t utc_ms)
{
    struct civil c;
    int32_t offset;
    zone_from_utc(z, utc_ms, &c, &offset);
    return offset;
}

static int64_t year_start_ms(int year)
{
    return civil_days(year, 1, 1) * 24 * HOUR_MS;
}

/* The first instant after t, up to the limit, at which the offset is another; 0 when there is none. Stepping by seven
 * days passes over offsets that held for less, which is fine for choosing instants to try. */
static int64_t next_jump_ms(const struct zone *z, int64_t t, int64_t limit)
{
    const int64_t step = (int64_t)7 * 24 * HOUR_MS;
    int32_t before = offset_at(z, t);
    for (; t < limit; t += step) {
        if (offset_at(z, t + step) == before)
            continue;
        int64_t low = t, high = t + step;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;
            if (offset_at(z, middle) == before)
                low = middle;
            else
                high = middle;
        }
        return high;
    }
    return 0;
}

/* Slow and obvious: a local time is what some instant shows; the instants within a day and more are tried with every offset that occurs
 * there. */
static void check_against_search(const struct zone *z, const struct civil *local)
{
    int64_t as_utc = civil_days(local->year, local->month, local->day) * 24 * HOUR_MS + local->hour * (int64_t)HOUR_MS +
                     local->minute * 60000 + local->second * 1000 + local->ms;
    int64_t found[64];
    int32_t offsets[64];
    size_t n = 0, n_offsets = 0;
    for (int64_t t = as_utc - 30 * (int64_t)HOUR_MS; t <= as_utc + 30 * (int64_t)HOUR_MS; t += HOUR_MS / 2) {
        int32_t o = offset_at(z, t);
        bool known = false;
        for (size_t i = 0; i < n_offsets; i++)
            known = known || offsets[i] == o;
        if (!known && n_offsets < 64)
            offsets[n_offsets++] = o;
    }
    for (size_t i = 0; i < n_offsets; i++)
        if (offset_at(z, as_utc - offsets[i] * 1000) == offsets[i])
            found[n++] = as_utc - offsets[i] * 1000;

    int64_t first, second, resolved = zone_resolve(z, local);
    enum civil_kind kind = zone_to_utc(z, local, &first, &second);
    assert_int_equal(kind, n == 0 ? CIVIL_GAP : n == 1 ? CIVIL_NORMAL : CIVIL_FOLD);
    if (n == 0) {
        assert_true(first < second);
        assert_true(first < resolved && resolved <= second);
        assert_int_equal(offset_at(z, resolved) * (int64_t)1000, as_utc - first);
        assert_int_equal(offset_at(z, resolved - 1) * (int64_t)1000, as_utc - second);
        return;
    }
    int64_t least = found[0], most = found[0];
    for (size_t i = 1; i < n; i++) {
        least = found[i] < least ? found[i] : least;
        most = found[i] > most ? found[i] : most;
    }
    assert_int_equal(first, least);
    assert_int_equal(second, most);
    assert_int_equal(resolved, least);
}

static bool civil_same(const struct civil *a, const struct civil *b)
{
    return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour && a->minute == b->minute &&
           a->second == b->second && a->ms == b->ms;
}

static void check_round_trip(const struct zone *z, int64_t utc_ms)
{
    struct civil local, back;
    int64_t first, second;
    zone_from_utc(z, utc_ms, &local, NULL);
    enum civil_kind kind = zone_to_utc(z, &local, &first, &second);
    assert_int_not_equal(kind, CIVIL_GAP); /* it happens, so it exists */
    assert_true(utc_ms == first || utc_ms == second);
    assert_true((first == second) == (kind == CIVIL_NORMAL));
    zone_from_utc(z, first, &back, NULL);
    assert_true(civil_same(&local, &back));
    zone_from_utc(z, second, &back, NULL);
    assert_true(civil_same(&local, &back));
}

static void every_change_of_every_zone_goes_there_and_back(void **state)
{
    (void)state;
    size_t jumps = 0;
    for (size_t i = 0; i < zone_count; i++) {
        struct zone *z = load(zone_names[i]);
        for (int64_t t = year_start_ms(1850); (t = next_jump_ms(z, t, year_start_ms(2070))) != 0;) {
            jumps++;
            for (int minutes = -180; minutes <= 180; minutes += 30)
                for (int ms = -1; ms <= 0; ms++)
                    check_round_trip(z, t + minutes * 60000 + ms);
        }
        zone_free(z);
    }
    assert_true(jumps > 30000);
}

static void local_times_around_changes_mean_what_a_search_finds(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 8536);
    struct zone *utc = load("UTC");
    for (size_t i = 0; i < zone_count; i += 3) {
        struct zone *z = load(zone_names[i]);
        for (int64_t t = year_start_ms(1880); (t = next_jump_ms(z, t, year_start_ms(2060))) != 0;) {
            if (random_seeded_next(&r) % 4)
                continue;
            struct civil c;
            int64_t near = t + offset_at(z, t) * (int64_t)1000 + (int64_t)(random_seeded_next(&r) % (4 * HOUR_MS)) - 2 * HOUR_MS;
            if (random_seeded_next(&r) % 2)
                near = t + offset_at(z, t - (random_seeded_next(&r) % 2 != 0)) * (int64_t)1000; /* the very edge */
            zone_from_utc(utc, near, &c, NULL); /* only to take a number of milliseconds apart */
            check_against_search(z, &c);
        }
        zone_free(z);
    }
    zone_free(utc);
}

/* glibc reads the same files with other code. */
static void offsets_agree_with_the_c_library(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 2038);
    for (size_t i = 0; i < zone_count; i++) {
        struct zone *z = load(zone_names[i]);
        char tz[600];
        snprintf(tz, sizeof(tz), ":%s", zone_names[i]);
        setenv("TZ", tz, 1);
        tzset();
        for (int k = 0; k < 400; k++) {
            int64_t from = year_start_ms(1910) / 1000, span = year_start_ms(k % 2 ? 2500 : 2040) / 1000 - from;
            time_t s = (time_t)(from + (int64_t)(random_seeded_next(&r) % (uint64_t)span));
            struct tm tm;
            struct civil c;
            int32_t offset;
            localtime_r(&s, &tm);
            zone_from_utc(z, (int64_t)s * 1000 + 7, &c, &offset);
            if (offset != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, the C library has %ld", zone_names[i], (long long)s, offset, tm.tm_gmtoff);
            assert_int_equal(c.year, tm.tm_year + 1900);
            assert_int_equal(c.month, tm.tm_mon + 1);
            assert_int_equal(c.day, tm.tm_mday);
            assert_int_equal(c.hour, tm.tm_hour);
            assert_int_equal(c.minute, tm.tm_min);
            assert_int_equal(c.second, tm.tm_sec);
            assert_int_equal(c.ms, 7);
        }
        zone_free(z);
    }
    unsetenv("TZ");
    tzset();
}

/* --- one zone, one fact ------------------------------------------------------------------------------------------ */

static struct civil at(const char *text)
{
    struct civil c;
    struct err err = { 0 };
    if (civil_parse(slice_str(text), &c, &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void check_meaning(const char *zone, const char *local, enum civil_kind kind, const char *first, const char *second,
                          const char *resolved)
{
    struct zone *z = load(zone);
    struct civil c = at(local);
    int64_t a, b;
    char text[TIMESTAMP_MAX];
    assert_int_equal(zone_to_utc(z, &c, &a, &b), kind);
    timestamp_format(a, text);
    assert_string_equal(text, first);
    timestamp_format(b, text);
    assert_string_equal(text, second);
    timestamp_format(zone_resolve(z, &c), text);
    assert_string_equal(text, resolved);
    zone_free(z);
}

static void gaps_and_folds_mean_what_the_header_says(void **state)
{
    (void)state;
    check_meaning("Asia/Shanghai", "2026-11-20 00:00", CIVIL_NORMAL, "2026-11-19T16:00:00Z", "2026-11-19T16:00:00Z",
                  "2026-11-19T16:00:00Z");
    check_meaning("America/New_York", "2026-11-01 01:30", CIVIL_FOLD, "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z",
                  "2026-11-01T05:30:00Z");
    check_meaning("America/New_York", "2026-03-08 02:30", CIVIL_GAP, "2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z",
                  "2026-03-08T07:00:00Z");
    check_meaning("Europe/London", "2026-03-29T01:00:00.250", CIVIL_GAP, "2026-03-29T00:00:00.250Z", "2026-03-29T01:00:00.250Z",
                  "2026-03-29T01:00:00Z");
    check_meaning("Pacific/Apia", "2011-12-30", CIVIL_GAP, "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
    check_meaning("Australia/Lord_Howe", "2026-04-05 01:45", CIVIL_FOLD, "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z",
                  "2026-04-04T14:45:00Z");
}

static void the_rule_governs_years_after_the_table(void **state)
{
    (void)state;
    check_meaning("America/New_York", "2500-07-01 12:00", CIVIL_NORMAL, "2500-07-01T16:00:00Z", "2500-07-01T16:00:00Z",
                  "2500-07-01T16:00:00Z");
    check_meaning("America/New_York", "2500-03-14 02:30", CIVIL_GAP, "2500-03-14T06:30:00Z", "2500-03-14T07:30:00Z",
                  "2500-03-14T07:00:00Z");
    check_meaning("Europe/Berlin", "9999-12-31 23:59:59", CIVIL_NORMAL, "9999-12-31T22:59:59Z", "9999-12-31T22:59:59Z",
                  "9999-12-31T22:59:59Z");
    check_meaning("Australia/Sydney", "2999-01-01", CIVIL_NORMAL, "2998-12-31T13:00:00Z", "2998-12-31T13:00:00Z", "2998-12-31T13:00:00Z");
}

/* A TZif file of version 2 with one offset in its table and this rule. */
static int read_with_rule(const char *rule, struct zone **z, struct err *err)
{
    char bytes[300] = { 0 };
    size_t n = 0;
    for (int block = 0; block < 2; block++) {
        memcpy(bytes + n, "TZif2", 5);
        bytes[n + 39] = 1; /* types */
        bytes[n + 43] = 4; /* characters */
        n += 44 + 6;
        memcpy(bytes + n, "LMT", 4);
        n += 4;
    }
    n += (size_t)snprintf(bytes + n, sizeof(bytes) - n, "\n%s\n", rule);
    return zone_read(SLICE_LIT("Test/Rule"), slice_of(bytes, n), z, err);
}

static void check_rule(const char *rule, const char *utc, int32_t offset_s)
{
    struct zone *z;
    int64_t t;
    struct err err = { 0 };
    if (read_with_rule(rule, &z, &err) != 0)
        fail_msg("%s: %s", rule, err.text);
    assert_int_equal(timestamp_parse(slice_str(utc), &t, NULL), 0);
    if (offset_at(z, t) != offset_s)
        fail_msg("%s at %s: %d instead of %d", rule, utc, offset_at(z, t), offset_s);
    check_round_trip(z, t);
    zone_free(z);
}

static void rules_are_read_in_every_form(void **state)
{
    (void)state;
    check_rule("UTC0", "2026-06-01T00:00:00Z", 0);
    check_rule("<+0545>-5:45", "2026-06-01T00:00:00Z", 20700);
    check_rule("<-12>12", "2026-06-01T00:00:00Z", -43200);
    check_rule("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18000);
    check_rule("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14400);
    check_rule("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", -14400);
    check_rule("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -18000);
    check_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39600);
    check_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-07-01T00:00:00Z", 37800);
    check_rule("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0);          /* "daylight" time in winter */
    check_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200); /* changes on the evening before */
    check_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600);
    check_rule("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200); /* Saturday 02:00, said as Thursday 50:00 */
    check_rule("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10800);
    check_rule("XXX3YYY,J60/0,J305/0", "2028-03-01T02:59:59Z", -10800); /* 29 February is never counted */
    check_rule("XXX3YYY,J60/0,J305/0", "2028-03-01T03:00:00Z", -7200);
    check_rule("XXX3YYY,59/0,304/0", "2028-02-29T03:00:00Z", -7200); /* here it is */
    check_rule("XXX3YYY,59/0,304/0", "2027-03-01T03:00:00Z", -7200);
    check_rule("EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14400); /* daylight time all year */
    check_rule("EST5EDT,0/0,J365/25", "2026-07-01T00:00:00Z", -14400);
    check_rule("", "2026-07-01T00:00:00Z", 0);
}

static void a_rule_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "5",
                                       "ES5",
                                       "EST",
                                       "EST26",
                                       "EST5EDT",
                                       "EST5EDT,M3.2.0",
                                       "EST5EDT,M3.2.0,M11.1",
                                       "EST5EDT,M13.2.0,M11.1.0",
                                       "EST5EDT,M3.6.0,M11.1.0",
                                       "EST5EDT,M3.2.7,M11.1.0",
                                       "EST5EDT,J0,J365",
                                       "EST5EDT,J1,J366",
                                       "EST5EDT,0,366",
                                       "EST5EDT,M3.2.0/168,M11.1.0",
                                       "<+05-5",
                                       "EST5 ",
                                       "EST5:60",
                                       "<+25>-25<+26>,M3.2.0,M11.1.0",
                                       "EST5EDT,M3.2.0,M11.1.0,",
                                       "EST99999999999" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct zone *z;
        struct err err = { 0 };
        if (read_with_rule(bad[i], &z, &err) != ERR_CORRUPT)
            fail_msg("%s was accepted", bad[i]);
        assert_null(z);
    }
}

/* --- names and files that are not what they should be ------------------------------------------------------------ */

static void a_name_that_is_no_zone_is_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "/",
                                       "/etc/passwd",
                                       "../zoneinfo/UTC",
                                       "Asia/../UTC",
                                       "Asia/..",
                                       "Asia/",
                                       "Asia",
                                       "Asia//Shanghai",
                                       ".",
                                       "..",
                                       "Asia/.hidden",
                                       "Asia/Shanghai ",
                                       " UTC",
                                       "Mars/Olympus",
                                       "UTC\n",
                                       "Asia\\Shanghai",
                                       "zone.tab/x",
                                       "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct zone *z;
        struct err err = { 0 };
        if (zone_load(slice_str(bad[i]), &z, &err) != ERR_NOT_FOUND)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_null(z);
        assert_true(err.text[0] != '\0');
    }
    struct zone *z;
    assert_int_equal(zone_load(slice_of("UTC\0", 4), &z, NULL), ERR_NOT_FOUND);
    assert_int_equal(zone_load(SLICE_LIT("zone.tab"), &z, NULL), ERR_CORRUPT);
}

static void a_missing_package_is_named(void **state)
{
    (void)state;
    struct zone *z;
    struct err err = { 0 };
    setenv("TZDIR", "/nonexistent", 1);
    assert_int_equal(zone_load(SLICE_LIT("UTC"), &z, &err), ERR_NOT_FOUND);
    unsetenv("TZDIR");
    assert_non_null(strstr(err.text, "tzdata"));
}

static size_t slurp(const char *name, char *out, size_t max)
{
    char path[600];
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, max, f);
    fclose(f);
    return n;
}

/* Whatever was read may be wrong, but converting with it must end, and in range. */
static void use(const struct zone *z, int64_t t)
{
    struct civil c;
    int64_t first, second;
    zone_from_utc(z, t, &c, NULL);
    assert_int_not_equal(zone_to_utc(z, &c, &first, &second), CIVIL_GAP);
    zone_resolve(z, &c);
}

static void try_corrupt(const char *bytes, size_t len)
{
    struct zone *z;
    char *exact = malloc(len ? len : 1); /* a block of just this size, so that a read past its end is seen */
    memcpy(exact, bytes, len);
    int rc = zone_read(SLICE_LIT("Test/Corrupt"), slice_of(exact, len), &z, NULL);
    free(exact);
    if (rc == 0) {
        for (int year = 1890; year < 2100; year += 35)
            use(z, year_start_ms(year) + 5);
        zone_free(z);
    } else
        assert_int_equal(rc, ERR_CORRUPT);
}

static void corrupt_files_are_refused_or_harmless(void **state)
{
    (void)state;
    static char bytes[65536], changed[65536];
    static const char *const names[] = { "America/New_York", "Africa/Casablanca", "UTC" };
    struct random_seeded r;
    random_seeded_init(&r, 44);
    for (size_t k = 0; k < 3; k++) {
        size_t n = slurp(names[k], bytes, sizeof(bytes));
        for (size_t len = 0; len < n; len++) {
            struct zone *z;
            char *exact = malloc(len ? len : 1);
            memcpy(exact, bytes, len);
            assert_int_equal(zone_read(SLICE_LIT("Test/Short"), slice_of(exact, len), &z, NULL),
                             ERR_CORRUPT); /* every truncation is noticed */
            free(exact);
        }
        for (size_t at_byte = 0; at_byte < n; at_byte++) {
            memcpy(changed, bytes, n);
            changed[at_byte] = (char)(changed[at_byte] ^ (1 << random_seeded_next(&r) % 8));
            try_corrupt(changed, n);
            changed[at_byte] = (char)0xff;
            try_corrupt(changed, n);
        }
        for (int round = 0; round < 3000; round++) {
            memcpy(changed, bytes, n);
            for (int hits = 0; hits < 6; hits++)
                changed[random_seeded_next(&r) % (hits < 2 ? 60 : n)] = (char)random_seeded_next(&r);
            try_corrupt(changed, n);
        }
    }
}

/* Version 1, two changes between two offsets: the small file that the next test damages in known places. */
static int read_small(size_t damaged, char value, struct zone **z, struct err *err)
{
    static const char small[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"             /* magic, version, reserved */
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0\4" /* counts: 2 times, 2 offsets, 4 characters */
                                "\0\0\1\0\0\0\2\0"                                 /* 44: the times 256 and 512 */
                                "\1\0"                                             /* 52: offset 1, then offset 0 */
                                "\0\0\0\0\0\0"
                                "\0\0\x0e\x10\1\0" /* 54: 0 s and 3600 s */
                                "LMT";
    char *bytes = malloc(sizeof(small));
    memcpy(bytes, small, sizeof(small));
    if (damaged)
        bytes[damaged] = value;
    int rc = zone_read(SLICE_LIT("Test/Small"), slice_of(bytes, sizeof(small)), z, err);
    free(bytes);
    return rc;
}

static void each_thing_a_file_may_not_say_is_named(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        char value;
        const char *words;
    } damages[] = {
        { 0 + 3, 'F', "does not begin" }, { 31, 1, "ends too early" },
        { 35, 3, "ends too early" },      { 39, 0, "list of offsets" },
        { 50, 1, "do not ascend" },       { 50, 0, "do not ascend" },
        { 52, 2, "does not list" },       { 53, (char)255, "does not list" },
        { 60, 1, "beyond 26 hours" },     { 60, (char)0x80, "beyond 26 hours" },
        { 38, 1, "ends too early" },
    };
    struct zone *z;
    struct err err = { 0 };
    assert_int_equal(read_small(0, 0, &z, &err), 0);
    assert_int_equal(offset_at(z, 255999), 0);
    assert_int_equal(offset_at(z, 256000), 3600);
    assert_int_equal(offset_at(z, 512000), 0);
    zone_free(z);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        if (read_small(damages[i].at, damages[i].value, &z, &err) != ERR_CORRUPT || !strstr(err.text, damages[i].words))
            fail_msg("byte %zu: %s instead of %s", damages[i].at, err.text, damages[i].words);
    }
}

static void leap_second_zones_are_refused(void **state)
{
    (void)state;
    struct zone *z;
    struct err err = { 0 };
    int rc = zone_load(SLICE_LIT("right/UTC"), &z, &err);
    if (rc == ERR_NOT_FOUND)
        skip(); /* this system has none */
    assert_int_equal(rc, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "leap seconds"));
}

/* --- dates, timestamps, durations -------------------------------------------------------------------------------- */

static void days_count_every_date_of_a_thousand_years(void **state)
{
    (void)state;
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t day = civil_days(1500, 1, 1);
    int weekday = civil_weekday(day);
    for (int year = 1500; year <= 2500; year++)
        for (int month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (int d = 1; d <= lengths[month - 1] + (month == 2 && leap); d++, day++) {
                int y, m, dd;
                assert_int_equal(civil_days(year, month, d), day);
                civil_from_days(day, &y, &m, &dd);
                assert_true(y == year && m == month && dd == d);
                assert_int_equal(civil_weekday(day), weekday);
                weekday = weekday % 7 + 1;
            }
        }
    assert_int_equal(civil_days(1970, 1, 1), 0);
    assert_int_equal(civil_weekday(0), 4);
    assert_int_equal(civil_weekday(civil_days(2026, 11, 22)), 7);
    assert_int_equal(civil_days(0, 3, 1), -719468);
}

static void days_go_there_and_back_for_any_year(void **state)
{
    (void)state;
    for (int64_t day = -60000000000; day <= 60000000000; day += 7654321) {
        int y, m, d;
        civil_from_days(day, &y, &m, &d);
        assert_int_equal(civil_days(y, m, d), day);
    }
}

static void local_times_are_read_in_their_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct civil is;
    } good[] = {
        { "2026-11-20", { 2026, 11, 20, 0, 0, 0, 0 } },
        { "2026-11-20 00:00", { 2026, 11, 20, 0, 0, 0, 0 } },
        { "2026-11-20T23:59:58", { 2026, 11, 20, 23, 59, 58, 0 } },
        { "2026-11-20 01:02:03.004", { 2026, 11, 20, 1, 2, 3, 4 } },
        { "2028-02-29", { 2028, 2, 29, 0, 0, 0, 0 } },
        { "2000-02-29", { 2000, 2, 29, 0, 0, 0, 0 } },
        { "2026-11-20 01:02:03.5", { 2026, 11, 20, 1, 2, 3, 500 } },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct civil c = at(good[i].text);
        assert_true(civil_same(&c, &good[i].is));
    }
    static const char *const bad[] = { "",
                                       "2026",
                                       "2026-11",
                                       "2026-11-31",
                                       "2026-02-30",
                                       "2026-02-29",
                                       "1900-02-29",
                                       "2026-13-01",
                                       "2026-00-01",
                                       "2026-01-00",
                                       "2026-11-20 24:00",
                                       "2026-11-20 12:60",
                                       "2026-11-20 12:00:60",
                                       "2026-11-20 12:00:61",
                                       "26-11-20",
                                       "2026-11-20 ",
                                       "2026-11-20 12",
                                       "2026-11-20 1:00",
                                       "2026-11-20T12:00:00Z",
                                       "2026-11-20 12:00:00.",
                                       "2026-11-20 12:00.5",
                                       "2026-11-20 12:00:00.0001",
                                       "2026/11/20",
                                       "20261120",
                                       "-2026-11-20",
                                       " 2026-11-20",
                                       "2026-11-20x",
                                       "2026-11-20  12:00" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct civil c;
        struct err err = { 0 };
        if (civil_parse(slice_str(bad[i]), &c, &err) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void timestamps_are_read_with_their_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-20T00:00:00Z", 1795132800000 },
        { "2026-11-20T08:00:00+08:00", 1795132800000 },
        { "2026-11-19T18:30:00-05:30", 1795132800000 },
        { "2026-11-20t00:00:00.5z", 1795132800500 },
        { "2026-11-20T00:00:00.123456789Z", 1795132800123 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "0000-01-01T00:00:00Z", -62167219200000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ms = 77;
        assert_int_equal(timestamp_parse(slice_str(good[i].text), &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = { "",
                                       "2026-11-20",
                                       "2026-11-20T00:00:00",
                                       "2026-11-20T00:00Z",
                                       "2026-11-20 00:00:00Z",
                                       "2026-11-20T00:00:60Z",
                                       "2026-06-30T23:59:60Z",
                                       "2026-02-29T00:00:00Z",
                                       "2026-11-20T00:00:00+8:00",
                                       "2026-11-20T00:00:00+0800",
                                       "2026-11-20T00:00:00+24:00",
                                       "2026-11-20T00:00:00+08:60",
                                       "2026-11-20T00:00:00.Z",
                                       "2026-11-20T00:00:00.1234567890Z",
                                       "2026-11-20T24:00:00Z",
                                       "0000-01-01T00:00:00+00:01",
                                       "9999-12-31T23:59:59-00:01",
                                       "2026-11-20T00:00:00ZZ",
                                       "12026-11-20T00:00:00Z",
                                       "2026-11-20T00:00:00Z\n" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms;
        struct err err = { 0 };
        if (timestamp_parse(slice_str(bad[i]), &ms, &err) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void timestamps_are_written_and_read_back(void **state)
{
    (void)state;
    char text[TIMESTAMP_MAX];
    struct random_seeded r;
    random_seeded_init(&r, 3339);
    assert_int_equal(timestamp_format(1795132800000, text), 20);
    assert_string_equal(text, "2026-11-20T00:00:00Z");
    timestamp_format(1795132800070, text);
    assert_string_equal(text, "2026-11-20T00:00:00.070Z");
    timestamp_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    timestamp_format(INT64_MIN, text); /* fits the buffer, whatever comes */
    timestamp_format(INT64_MAX, text);
    for (int i = 0; i < 100000; i++) {
        int64_t ms = (int64_t)(random_seeded_next(&r) % (253402300799999 + 62167219200000)) - 62167219200000, back = 0;
        size_t n = timestamp_format(ms, text);
        assert_int_equal(timestamp_parse(slice_of(text, n), &back, NULL), 0);
        assert_int_equal(back, ms);
    }
}

static void instants_at_the_ends_of_time_do_not_overflow(void **state)
{
    (void)state;
    static const char *const names[] = { "UTC", "America/New_York", "Asia/Shanghai", "Pacific/Apia" };
    for (size_t i = 0; i < 4; i++) {
        struct zone *z = load(names[i]);
        struct civil c;
        int64_t first, second;
        zone_from_utc(z, INT64_MAX, &c, NULL);
        zone_from_utc(z, INT64_MIN, &c, NULL);
        c = (struct civil){ INT32_MAX, 12, 31, 23, 59, 59, 999 };
        zone_to_utc(z, &c, &first, &second);
        assert_true(first > 0);
        c.year = INT32_MIN;
        zone_to_utc(z, &c, &first, &second);
        assert_true(first < 0);
        zone_resolve(z, &c);
        zone_free(z);
    }
}

static void durations_have_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "90s", 90000 },    { "30m", 1800000 },   { "24h", 86400000 },
                 { "7d", 604800000 }, { "2w", 1209600000 }, { "9223372036854775s", 9223372036854775000 } };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ms;
        assert_int_equal(duration_parse(slice_str(good[i].text), &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = { "",
                                       "s",
                                       "0s",
                                       "000d",
                                       "-1s",
                                       "+1s",
                                       "1",
                                       "1.5h",
                                       "1 h",
                                       "1h ",
                                       "1y",
                                       "1ms",
                                       "1H",
                                       "h1",
                                       "1h30m",
                                       "9223372036854776s",
                                       "99999999999999999999999w" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms;
        struct err err = { 0 };
        if (duration_parse(slice_str(bad[i]), &ms, &err) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_every_zone_goes_there_and_back),
        cmocka_unit_test(local_times_around_changes_mean_what_a_search_finds),
        cmocka_unit_test(offsets_agree_with_the_c_library),
        cmocka_unit_test(gaps_and_folds_mean_what_the_header_says),
        cmocka_unit_test(the_rule_governs_years_after_the_table),
        cmocka_unit_test(rules_are_read_in_every_form),
        cmocka_unit_test(a_rule_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_name_that_is_no_zone_is_not_found),
        cmocka_unit_test(a_missing_package_is_named),
        cmocka_unit_test(corrupt_files_are_refused_or_harmless),
        cmocka_unit_test(each_thing_a_file_may_not_say_is_named),
        cmocka_unit_test(leap_second_zones_are_refused),
        cmocka_unit_test(days_count_every_date_of_a_thousand_years),
        cmocka_unit_test(days_go_there_and_back_for_any_year),
        cmocka_unit_test(local_times_are_read_in_their_forms),
        cmocka_unit_test(timestamps_are_read_with_their_offset),
        cmocka_unit_test(timestamps_are_written_and_read_back),
        cmocka_unit_test(instants_at_the_ends_of_time_do_not_overflow),
        cmocka_unit_test(durations_have_a_number_and_a_unit),
    };
    return cmocka_run_group_tests(tests, list_all_zones, free_zone_list);
}
