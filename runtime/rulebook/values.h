/* rulebook/values.h - descriptions of values in a manifest: the settings that a merchant fills in, and what comes over the wire
 * (inputs, bodies of routes, arguments of procedures, events). One description checks values, makes them canonical, and draws a form. */
#pragma once
#include "base/json.h"
#include "base/money.h"
#include "base/schema.h"
#include "rulebook/reader.h"

struct zone;

enum value_type {
    VALUE_INTEGER,
    VALUE_MONEY,   /* settings: "50.00" -> minor units; wire: minor units */
    VALUE_PERCENT, /* settings: 12.5 or "12.5" -> parts per million; wire: parts per million */
    VALUE_STRING,
    VALUE_BOOLEAN,
    VALUE_CHOICE,   /* one of `choices` */
    VALUE_DURATION, /* settings only: "24h" -> ms */
    VALUE_TIME,     /* settings: "2026-11-20 00:00" in the shop's zone -> ms UTC; wire: RFC 3339 text */
    VALUE_LIST,     /* of `item` */
    VALUE_RECORD,   /* `fields` */
    VALUE_CAMPAIGN, /* an id */
    VALUE_SKU,
    VALUE_CUSTOMER, /* wire only: an id */
    VALUE_ORDER,    /* wire only: an id */
    VALUE_SECRET,   /* settings only: a NAME that the host resolves; its value never comes here */
    VALUE_TYPES
};

struct value_spec {
    const char *name; /* "" for the item of a list */
    enum value_type type;
    const char *about; /* may be NULL on the wire */
    bool optional;     /* may be left out, then there is none */
    bool has_min, has_max;
    int64_t min, max;                  /* integer; characters; members; ppm; ms; on the wire also minor units */
    struct slice min_text, max_text;   /* money of settings, as written: its currency is the shop's */
    const struct json_value *fallback; /* default, as written; NULL = none */
    const char *const *choices;        /* ended by NULL */
    const struct value_spec *item;
    const struct value_spec *fields; /* sorted by name */
    size_t field_count;
};

enum value_use { VALUES_SETTINGS, VALUES_WIRE };

/* Reads { name = { type = ..., ... }, ... }; on the wire name = "string" will do. Kept in the reader's arena. */
int values_read(const struct reader *r, const struct place *at, const struct json_value *v, enum value_use use,
                const struct value_spec **out, size_t *count);
const char *value_type_name(enum value_type t);

/* --- settings: values given in shop.lua against their description ------------------------------------------------------- */
struct settle {
    struct reader reader;    /* file: "shop.lua"; arena for scratch */
    int exponent;            /* of the shop's currency */
    const struct zone *zone; /* NULL: times are checked for form only and written as 0 */
    /* Is there such a campaign? NULL = not asked. *near (NULL unless set): which one was probably meant. */
    bool (*has_campaign)(void *ctx, struct slice id, const char **near);
    void *ctx;
};
/* Writes one object: every setting with its given or default value in canonical form, in order of name. given may be NULL. */
int values_settle(const struct settle *s, const struct place *at, const struct value_spec *fields, size_t count,
                  const struct json_value *given, struct json_writer *w);

/* Secrets in settled values: calls fn with the setting's name ("pay_key", or "gateways/2/key" inside) and the NAME it holds. */
void values_secrets(const struct value_spec *fields, size_t count, const struct json_value *settled, struct arena *scratch,
                    void (*fn)(void *ctx, struct slice setting, struct slice name), void *ctx);

/* The same for all values of another type that is text: a campaign, a sku. */
void values_texts(const struct value_spec *fields, size_t count, enum value_type type, const struct json_value *settled,
                  struct arena *scratch, void (*fn)(void *ctx, struct slice setting, struct slice text), void *ctx);

/* --- the wire ------------------------------------------------------------------------------------------------------------ */
/* The same description as schema.h knows it: an object whose members are the values. NULL when out of memory. */
const struct schema *values_schema(const struct value_spec *fields, size_t count, struct arena *arena);
