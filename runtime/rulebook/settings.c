/* shop.lua: every key is known, every value is of its kind, and the message names the line. */
#include "base/schema.h"
#include "base/zone.h"
#include "rulebook/privacy.h"
#include "rulebook/rulebook_int.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUOTE_TTL_DEFAULT_MS = 15 * 60 * 1000,
    PAY_WITHIN_DEFAULT_MS = 30 * 60 * 1000,
    CHECKOUT_TTL_DEFAULT_MS = 86400000,
    LIST_MAX = 1000,
    CODE_GUESSES_DEFAULT = 1000
};
#define DAY_MS                    INT64_C(86400000)
#define COMPLETE_AFTER_DEFAULT_MS (14 * DAY_MS)

static const char *const keys[] = { "name",          "currency",  "zone",    "policies",        "quote_ttl",
                                    "pay_within",    "shipping",  "tax",     "trusted_proxies", "cors_origins",
                                    "test_payments", "plugins",   "limits",  "watch",           "complete_after",
                                    "checkout_ttl",  "stock_low", "privacy", "code_guesses",    "compare_at",
                                    "approvals",     NULL };

struct check {
    const struct sources *src;
    const struct json_value *tree;
    struct arena *arena;
    struct err *err;
};

static int wrong(const struct check *c, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int wrong(const struct check *c, const char *key, const char *fmt, ...)
{
    char sentence[384];
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    return err_field(c->err, ERR_INVALID, key, "shop.lua:%d: %s: %s", excerpt_line_of_key(c->src, "shop.lua", key), key, sentence);
}

static int known_keys(const struct check *c)
{
    for (const struct json_value *m = c->tree->first; m; m = m->next) {
        bool known = false;
        for (size_t i = 0; keys[i] && !known; i++)
            known = slice_is(m->key, keys[i]);
        if (known)
            continue;
        char key[64];
        snprintf(key, sizeof key, "%.*s", SLICE_FMT(m->key));
        const char *near = nearest_word(m->key, keys);
        if (near)
            return wrong(c, key, "there is no such setting; did you mean %s?", near);
        return wrong(c, key,
                     "there is no such setting; the settings of a shop are name, currency, zone, policies, quote_ttl, pay_within, "
                     "complete_after, checkout_ttl, stock_low, code_guesses, compare_at, shipping, tax, trusted_proxies, "
                     "cors_origins, test_payments, plugins, limits, watch, privacy and approvals");
    }
    return 0;
}

/* A string, or the default when the key is absent. */
static int text(const struct check *c, const char *key, const char *otherwise, const char *what, struct slice *out)
{
    const struct json_value *v = json_get(c->tree, key);
    if (!v && otherwise) {
        *out = slice_str(otherwise);
        return 0;
    }
    if (!v)
        return wrong(c, key, "is missing; %s", what);
    if (!json_is_string(v, out))
        return wrong(c, key, "expected a string, got %s; %s", json_type_name(v->type), what);
    return 0;
}

static int duration(const struct check *c, const char *key, int64_t otherwise, int64_t max_ms, int64_t *out)
{
    struct slice s;
    struct err e = { 0 };
    *out = otherwise;
    if (!json_get(c->tree, key))
        return 0;
    int rc = text(c, key, NULL, "write a duration such as \"15m\" or \"24h\"", &s);
    if (rc < 0)
        return rc;
    if (duration_parse(s, out, &e) < 0)
        return wrong(c, key, "\"%.*s\" is no duration; write \"90s\", \"15m\", \"24h\" or \"7d\"", SLICE_FMT(s));
    if (*out > max_ms)
        return wrong(c, key, "\"%.*s\" is too long; at most %lld hours", SLICE_FMT(s), (long long)(max_ms / 3600000));
    return 0;
}

/* A duration, or "never". */
static int complete_after(const struct check *c, int64_t *out)
{
    struct slice s;
    *out = SHOP_NEVER;
    if (json_is_string(json_get(c->tree, "complete_after"), &s) && slice_is(s, "never"))
        return 0;
    return duration(c, "complete_after", COMPLETE_AFTER_DEFAULT_MS, 365 * DAY_MS, out);
}

static int stock_low(const struct check *c, int64_t *out)
{
    const struct json_value *v = json_get(c->tree, "stock_low");
    *out = 0;
    if (!v || (json_is_int(v, out) && *out >= 1 && *out <= 1000000000))
        return 0;
    return wrong(c, "stock_low", "expected a whole number of pieces from 1 on; without it nobody is told");
}

/* { days = 30, by = "offers" } */
static int compare_at(const struct check *c, struct shop_settings *out)
{
    const struct json_value *v = json_get(c->tree, "compare_at"), *days = json_get(v, "days");
    struct slice by = { "", 0 };
    if (!v)
        return 0;
    bool good = v->type == JSON_OBJECT && json_is_string(json_get(v, "by"), &by) && (slice_is(by, "deals") || slice_is(by, "offers")) &&
                json_is_int(days, &out->compared_days) && out->compared_days >= 1 && out->compared_days <= 1000 && v->count == 2;
    out->compared_by_deals = slice_is(by, "deals");
    return good ? 0
                : wrong(c, "compare_at",
                        "expected { days = 30, by = \"offers\" } (or by = \"deals\"): how a price that products are compared with is borne "
                        "out");
}

/* "10.0.0.0/8", "::1", "192.0.2.7" */
static bool is_network(const char *s)
{
    char address[64];
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : strlen(s);
    if (n == 0 || n >= sizeof address)
        return false;
    memcpy(address, s, n);
    address[n] = '\0';
    unsigned char bytes[16];
    bool v4 = inet_pton(AF_INET, address, bytes) == 1;
    if (!v4 && inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    if (!slash)
        return true;
    char *end;
    long prefix = strtol(slash + 1, &end, 10);
    return slash[1] >= '0' && slash[1] <= '9' && !*end && prefix >= 0 && prefix <= (v4 ? 32 : 128);
}

/* "https://shop.example", as browsers send it: no path, no slash at the end. */
static bool is_origin(const char *s)
{
    const char *host = strncmp(s, "https://", 8) == 0 ? s + 8 : strncmp(s, "http://", 7) == 0 ? s + 7 : NULL;
    if (!host || !*host)
        return false;
    for (const char *p = host; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("-.:[]", *p)))
            return false;
    return true;
}

static int strings(const struct check *c, const char *key, bool (*is_good)(const char *), const char *what, const char *const **out)
{
    const struct json_value *v = json_get(c->tree, key);
    *out = NULL;
    if (!v || (v->count == 0 && (v->type == JSON_ARRAY || v->type == JSON_OBJECT)))
        return 0;
    if (v->type != JSON_ARRAY || v->count > LIST_MAX)
        return wrong(c, key, "expected a list of at most %d strings, got %s; write { \"%s\" }", LIST_MAX, json_type_name(v->type), what);
    const char **list = arena_array(c->arena, v->count + 1, sizeof *list);
    if (!list)
        return err_set(c->err, ERR_NOMEM, "out of memory while reading shop.lua");
    size_t n = 0;
    for (const struct json_value *m = v->first; m; m = m->next) {
        struct slice s;
        if (!json_is_string(m, &s))
            return wrong(c, key, "element %zu is %s, not a string; write \"%s\"", n + 1, json_type_name(m->type), what);
        char *copy = arena_strdup(c->arena, s);
        if (!copy)
            return err_set(c->err, ERR_NOMEM, "out of memory while reading shop.lua");
        if (strlen(copy) != s.len || !is_good(copy))
            return wrong(c, key, "\"%s\" is not what is expected here; write it like \"%s\"", copy, what);
        list[n++] = copy;
    }
    *out = list;
    return 0;
}

static int names(const struct check *c, struct shop_settings *out, struct zone **zone)
{
    struct slice currency;
    struct err e = { 0 };
    int rc = text(c, "name", NULL, "write name = \"...\"", &out->name);
    if (rc < 0)
        return rc;
    if (out->name.len == 0 || out->name.len > 200)
        return wrong(c, "name", "a shop's name has 1 to 200 bytes");
    rc = text(c, "currency", NULL, "write an ISO 4217 code such as \"EUR\" or \"CNY\"", &currency);
    if (rc < 0)
        return rc;
    if (currency_find(currency, &out->currency, &e) < 0)
        return wrong(c, "currency", "%s", e.text);
    rc = text(c, "zone", "UTC", "write an IANA zone such as \"Europe/Lisbon\"", &out->zone_name);
    if (rc < 0)
        return rc;
    if (zone_load(out->zone_name, zone, &e) < 0)
        return wrong(c, "zone", "%s", e.text);
    return 0;
}

static int code_guesses(const struct check *c, int64_t *out)
{
    const struct json_value *v = json_get(c->tree, "code_guesses");
    *out = CODE_GUESSES_DEFAULT;
    if (v && (v->type != JSON_INT || v->integer < 1 || v->integer > 1000000000))
        return wrong(c, "code_guesses", "expected a whole number from 1, how many unknown codes a storefront's guests may type in an hour");
    *out = v ? v->integer : *out;
    return 0;
}

int settings_check(const struct sources *src, const struct json_value *tree, struct arena *arena, struct shop_settings *out,
                   struct zone **zone, struct err *err)
{
    struct check c = { src, tree, arena, err };
    *out = (struct shop_settings){ .tree = tree };
    if (tree->type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "shop.lua:1: it returns %s; end it with return { name = \"...\", currency = \"EUR\" }",
                       json_type_name(tree->type));
    int rc = known_keys(&c);
    if (rc == 0)
        rc = names(&c, out, zone);
    if (rc == 0)
        rc = duration(&c, "quote_ttl", QUOTE_TTL_DEFAULT_MS, DAY_MS, &out->quote_ttl_ms);
    if (rc == 0)
        rc = duration(&c, "pay_within", PAY_WITHIN_DEFAULT_MS, 90 * DAY_MS, &out->pay_within_ms);
    if (rc == 0)
        rc = complete_after(&c, &out->complete_after_ms);
    if (rc == 0)
        rc = duration(&c, "checkout_ttl", CHECKOUT_TTL_DEFAULT_MS, 30 * DAY_MS, &out->checkout_ttl_ms);
    if (rc == 0)
        rc = stock_low(&c, &out->stock_low);
    if (rc == 0)
        rc = code_guesses(&c, &out->code_guesses);
    if (rc == 0)
        rc = compare_at(&c, out);
    if (rc == 0)
        rc = strings(&c, "trusted_proxies", is_network, "10.0.0.0/8", &out->trusted_proxies);
    if (rc == 0)
        rc = strings(&c, "cors_origins", is_origin, "https://shop.example", &out->cors_origins);
    const struct json_value *test = json_get(tree, "test_payments");
    bool flag;
    if (rc == 0 && test && !json_is_bool(test, &flag))
        rc = wrong(&c, "test_payments", "expected true or false, got %s", json_type_name(test->type));
    const struct source_file *file = sources_find(src, SLICE_LIT("shop.lua"));
    struct reader r = { .arena = arena, .file = "shop.lua", .err = err, .source = file ? file->text : slice_str("") };
    if (rc == 0)
        rc = privacy_check(&r, json_get(tree, "privacy"));
    if (rc == 0)
        rc = approvals_check(&r, json_get(tree, "approvals"), &out->approvals);
    return rc;
}
