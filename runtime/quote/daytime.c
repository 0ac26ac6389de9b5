/* Days of the week and times of the day, in the shop's zone. */
#include "quote/run_int.h"

enum { MINUTE_MS = 60000, DAY_MINUTES = 1440 };

static const char *const days[] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", NULL };

static int day_add(struct spec *s, const struct spec_node *n, uint32_t *out)
{
    unsigned day;
    int rc = spec_choice(s, n, days, &day);
    if (rc == 0)
        *out |= 1u << day;
    return rc;
}

int weekdays_compile(struct spec *s, const struct spec_node *n, uint32_t *out)
{
    *out = 0;
    if (n->v && n->v->type == JSON_STRING)
        return day_add(s, n, out);
    int rc = spec_list(s, n);
    size_t i = 1;
    for (const struct json_value *m = rc == 0 ? n->v->first : NULL; m && rc == 0; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i);
        rc = day_add(s, &e, out);
    }
    return rc;
}

/* "20:00", or "24:00" for the end of the day. */
static int minutes_of(struct spec *s, const struct spec_node *n, int64_t *out)
{
    struct slice t;
    bool good = json_is_string(n->v, &t) && t.len == 5 && t.data[2] == ':';
    for (size_t i = 0; good && i < 5; i++)
        good = i == 2 || (t.data[i] >= '0' && t.data[i] <= '9');
    int64_t hour = good ? (t.data[0] - '0') * 10 + t.data[1] - '0' : 99, minute = good ? (t.data[3] - '0') * 10 + t.data[4] - '0' : 99;
    if (hour > 24 || minute > 59 || (hour == 24 && minute > 0))
        return spec_error(s, n, "is no time of the day; write it like \"20:00\"");
    *out = hour * 60 + minute;
    return 0;
}

int day_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    static const char *const known[] = { "from", "to", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node from = spec_member(n, "from"), to = spec_member(n, "to");
    if ((rc = minutes_of(s, &from, &out->day.from)) < 0 || (rc = minutes_of(s, &to, &out->day.to)) < 0)
        return rc;
    if (out->day.from == out->day.to)
        return spec_error(s, n, "begins when it ends; \"to\" is another time, earlier than \"from\" when it goes over midnight");
    return 0;
}

/* Days and minutes on the shop's clock. */
static void local_now(const struct quote_eval *e, int64_t *day, int64_t *minute)
{
    struct civil civil;
    int32_t offset_s;
    zone_from_utc(e->rules->zone, e->cart->at_ms, &civil, &offset_s);
    int64_t minutes = e->cart->at_ms / MINUTE_MS - (e->cart->at_ms % MINUTE_MS < 0);
    minutes += offset_s / 60;
    *day = minutes / DAY_MINUTES - (minutes % DAY_MINUTES < 0);
    *minute = minutes - *day * DAY_MINUTES;
}

bool weekday_holds(struct quote_eval *e, uint32_t weekdays)
{
    int64_t day, minute;
    local_now(e, &day, &minute);
    int64_t weekday = ((day + 3) % 7 + 7) % 7; /* day 0 was a Thursday */
    if (weekdays >> weekday & 1)
        return true;
    why_set(e, "weekday_differs");
    why_text(e, "seen", slice_str(days[weekday]));
    return false;
}

bool day_holds(struct quote_eval *e, const struct condition *c)
{
    int64_t day, minute;
    local_now(e, &day, &minute);
    bool after = minute >= c->day.from, before = minute < c->day.to;
    if (c->day.from < c->day.to ? after && before : after || before)
        return true;
    why_set(e, "time_of_day_differs");
    why_minute(e, "from_minute", c->day.from);
    why_minute(e, "to_minute", c->day.to);
    return false;
}
