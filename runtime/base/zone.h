/* base/zone.h - IANA time zones, read from the system's tzdata (TZDIR, else /usr/share/zoneinfo), including the rule
 * that governs the years after the table ends. Immutable once loaded; any thread may read. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

struct zone;

struct civil {
    int year, month, day;         /* proleptic Gregorian; month 1..12, day 1..31 */
    int hour, minute, second, ms; /* 0..23, 0..59, 0..59 (no leap seconds), 0..999 */
};

enum civil_kind {
    CIVIL_NORMAL, /* the local time happens once */
    CIVIL_GAP,    /* it is skipped: clocks went forward over it */
    CIVIL_FOLD,   /* it happens twice */
};

/* name: "Asia/Shanghai", "UTC". ERR_NOT_FOUND when the system has no such zone (says which package has them). */
int zone_load(struct slice name, struct zone **out, struct err *err);
/* The same from the bytes of a TZif file, whatever they are: ERR_CORRUPT says what is wrong with them. name only labels it. */
int zone_read(struct slice name, struct slice tzif, struct zone **out, struct err *err);
void zone_free(struct zone *z); /* NULL is fine */
const char *zone_name(const struct zone *z);
uint64_t zone_hash(const struct zone *z); /* of its file: another one when its data may say something else */

/* Local time to UTC milliseconds. first <= second. Normal: both equal. Fold: the earlier and the later instant.
 * Gap: read with the offset after the jump (first) and with the one before it (second). */
enum civil_kind zone_to_utc(const struct zone *z, const struct civil *local, int64_t *first_ms, int64_t *second_ms);

/* The instant a shop means by a local time in a campaign window. Normal: itself. Fold: the first. Gap: the instant of
 * the jump, so that a window that begins in a gap begins when the gap does. */
int64_t zone_resolve(const struct zone *z, const struct civil *local);

void zone_from_utc(const struct zone *z, int64_t utc_ms, struct civil *local, int32_t *offset_s); /* offset_s may be NULL */

/* Days since 1970-01-01, and back. */
int64_t civil_days(int year, int month, int day);
void civil_from_days(int64_t days, int *year, int *month, int *day);
int civil_weekday(int64_t days); /* 1 = Monday .. 7 = Sunday */

/* "2026-11-20 00:00", "2026-11-20T00:00:00", "2026-11-20" and with .mmm. ERR_INVALID for 30 February and the like. */
int civil_parse(struct slice text, struct civil *out, struct err *err);

/* RFC 3339. Parsing needs an offset ("Z" or +08:00); a leap second :60 is refused; up to nine decimals of a second are
 * read, those beyond milliseconds are cut off. Formatting is UTC with Z; milliseconds are written only when there are some. */
enum { TIMESTAMP_MAX = 32 };
int timestamp_parse(struct slice text, int64_t *out_ms, struct err *err);
size_t timestamp_format(int64_t utc_ms, char out[TIMESTAMP_MAX]);

/* "90s" "30m" "24h" "7d" "2w" -> milliseconds, positive. ERR_INVALID. */
int duration_parse(struct slice text, int64_t *out_ms, struct err *err);
