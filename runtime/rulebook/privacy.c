#include "rulebook/privacy.h"
#include "base/zone.h"
#include "rulebook/catalogue.h"
#include "rulebook/shop_data.h"
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS  INT64_C(86400000)
#define YEAR_MS (366 * DAY_MS) /* never less than a year */
enum { PARTIES_MAX = 20, PURPOSE_BYTES = 40, TEXT_BYTES = 1000 };

static const char *const field_names[PRIVACY_FIELDS + 1] = {
    [PRIVACY_CUSTOMER_EMAIL] = "customer.email",           [PRIVACY_CUSTOMER_NAME] = "customer.name",
    [PRIVACY_CUSTOMER_PHONE] = "customer.phone",           [PRIVACY_ORDER_ADDRESS] = "order.address",
    [PRIVACY_ORDER_CONTACT_EMAIL] = "order.contact.email", [PRIVACY_ORDER_CONTACT_NAME] = "order.contact.name",
    [PRIVACY_ORDER_CONTACT_PHONE] = "order.contact.phone", [PRIVACY_ORDER_NOTE] = "order.note",
};

const char *privacy_field_name(enum privacy_field f)
{
    return field_names[f];
}

/* How long things are kept when shop.lua says nothing, and what it may say. Transactions: three years from completion, which the law asks
 * for (E-Commerce Law of China, article 31); elsewhere it may be more, never less. */
static const struct keep {
    const char *name, *member;
    int64_t otherwise_ms, min_ms;
} keeps[] = {
    { "contact", "contact_ms", 90 * DAY_MS, DAY_MS },
    { "account", "account_ms", 3 * YEAR_MS, 30 * DAY_MS },
    { "transactions", "transactions_ms", 3 * YEAR_MS, 3 * YEAR_MS },
    { "consents", "consents_ms", 3 * YEAR_MS, 30 * DAY_MS },
    { "access", "access_ms", 180 * DAY_MS, DAY_MS },
};
enum { KEEPS = sizeof keeps / sizeof *keeps };
#define KEEP_MAX_MS (30 * YEAR_MS)

/* "3y", or what duration_parse() knows. */
static bool period_parse(struct slice s, int64_t *out)
{
    char years[8];
    if (s.len < 2 || s.data[s.len - 1] != 'y')
        return duration_parse(s, out, NULL) == 0;
    if (s.len - 1 >= sizeof years)
        return false;
    memcpy(years, s.data, s.len - 1);
    years[s.len - 1] = '\0';
    char *end;
    long n = strtol(years, &end, 10);
    *out = n * YEAR_MS;
    return !*end && years[0] >= '1' && years[0] <= '9' && n <= 30;
}

/* --- what shop.lua says --------------------------------------------------------------------------------------------------- */

static int check_period(const struct reader *r, const struct place *at, const struct json_value *v, int64_t min_ms)
{
    struct slice s;
    int64_t ms;
    if (!json_is_string(v, &s) || !period_parse(s, &ms) || ms > KEEP_MAX_MS)
        return reader_fail(r, at, "is no period; write \"90d\" or \"3y\" (a year counts 366 days), at most \"30y\"");
    if (ms < min_ms)
        return reader_fail(r, at, "is too short; it is at least %lld days", (long long)(min_ms / DAY_MS));
    return 0;
}

static int check_keep(const struct reader *r, const struct place *up, const struct json_value *v)
{
    const char *known[KEEPS + 1] = { NULL };
    struct place at = place_in(up, "keep");
    for (size_t i = 0; i < KEEPS; i++)
        known[i] = keeps[i].name;
    int rc = reader_known(r, &at, v, known);
    for (size_t i = 0; i < KEEPS && rc == 0; i++) {
        const struct json_value *one = json_get(v, keeps[i].name);
        struct place here = place_in(&at, keeps[i].name);
        rc = one ? check_period(r, &here, one, keeps[i].min_ms) : 0;
    }
    return rc;
}

static int check_without(const struct reader *r, const struct place *up, const struct json_value *v)
{
    const struct json_value *e = NULL;
    uint32_t n = 0, i = 0;
    char hint[64], list[250];
    struct place at = place_in(up, "without");
    int rc = reader_list(r, &at, v, PRIVACY_FIELDS, &e, &n);
    for (; e && rc == 0; e = e->next) {
        struct place nth = place_nth(&at, ++i);
        struct slice s = { "", 0 };
        size_t k = 0;
        json_is_string(e, &s);
        while (k < PRIVACY_FIELDS && !slice_is(s, field_names[k]))
            k++;
        if (k == PRIVACY_FIELDS)
            rc = reader_fail(r, &nth, "is no field that a client sends; there are %s%s", reader_list_words(list, sizeof list, field_names),
                             reader_hint(hint, s, field_names));
    }
    return rc;
}

/* A text, or one for each language. */
static int check_words(const struct reader *r, const struct place *up, const struct json_value *v, const char *key, bool required)
{
    static const char *const languages[] = { "en", "zh-CN", NULL };
    const struct json_value *given = json_get(v, key);
    struct place at = place_in(up, key);
    const char *text;
    if (!given)
        return required ? reader_fail(r, &at, "is missing; write a sentence, or { en = \"...\", [\"zh-CN\"] = \"...\" }") : 0;
    if (given->type == JSON_STRING)
        return reader_sentence(r, &at, given, &text);
    int rc = reader_known(r, &at, given, languages);
    if (rc == 0 && given->count == 0)
        return reader_fail(r, &at, "is empty; write a sentence for each language");
    for (const struct json_value *m = rc == 0 ? given->first : NULL; m && rc == 0; m = m->next) {
        struct place here = place_named(&at, m->key);
        rc = reader_sentence(r, &here, m, &text);
    }
    return rc;
}

static int check_purpose(const struct reader *r, const struct place *up, const struct json_value *v)
{
    static const char *const known[] = { "title", "about", "version", "third_parties", NULL };
    struct place at = place_named(up, v->key), parties = place_in(&at, "third_parties");
    const struct json_value *list = json_get(v, "third_parties"), *e = NULL;
    const char *version = NULL, *text;
    uint32_t n = 0, i = 0;
    if (!name_is(v->key, '-', PURPOSE_BYTES))
        return reader_fail(r, &at, "is no name of a purpose; use at most %d small letters, digits and single -", PURPOSE_BYTES);
    int rc = reader_known(r, &at, v, known);
    if (rc == 0)
        rc = check_words(r, &at, v, "title", true);
    if (rc == 0)
        rc = check_words(r, &at, v, "about", false);
    if (rc == 0)
        rc = reader_text(r, &at, v, "version", true, &version);
    if (rc == 0 && (version[0] == '\0' || strlen(version) > PURPOSE_BYTES))
        return reader_fail(r, &at, "has a version of 1 to %d bytes, such as \"2026-11\": another one when the words change", PURPOSE_BYTES);
    if (rc == 0 && list)
        rc = reader_list(r, &parties, list, PARTIES_MAX, &e, &n);
    for (; e && rc == 0; e = e->next) {
        struct place nth = place_nth(&parties, ++i);
        rc = reader_sentence(r, &nth, e, &text);
    }
    return rc;
}

static int check_purposes(const struct reader *r, const struct place *up, const struct json_value *v)
{
    struct place at = place_in(up, "purposes");
    int rc = reader_table(r, &at, v);
    if (rc == 0 && v->count > PRIVACY_PURPOSES_MAX)
        return reader_fail(r, &at, "has %u purposes; at most %d are possible", v->count, PRIVACY_PURPOSES_MAX);
    for (const struct json_value *p = rc == 0 ? v->first : NULL; p && rc == 0; p = p->next)
        rc = check_purpose(r, &at, p);
    return rc;
}

static const char *const laws[] = { "eu", "cn", NULL };
static const char *const requests[] = { "at_once", "by_hand", NULL };

int privacy_check(const struct reader *r, const struct json_value *given)
{
    static const char *const known[] = { "controller", "contact", "law", "requests", "answer_within", "without", "keep", "purposes", NULL };
    const struct place root = { 0 };
    struct place at = place_in(&root, "privacy"), within = place_in(&at, "answer_within");
    const char *text = NULL;
    int choice = 0;
    if (!given)
        return 0;
    int rc = reader_known(r, &at, given, known);
    if (rc == 0)
        rc = reader_text(r, &at, given, "controller", false, &text);
    if (rc == 0)
        rc = reader_text(r, &at, given, "contact", false, &text);
    if (rc == 0)
        rc = reader_choice(r, &at, given, "law", false, laws, &choice);
    if (rc == 0)
        rc = reader_choice(r, &at, given, "requests", false, requests, &choice);
    if (rc == 0 && json_get(given, "answer_within"))
        rc = check_period(r, &within, json_get(given, "answer_within"), DAY_MS);
    if (rc == 0 && json_get(given, "without"))
        rc = check_without(r, &at, json_get(given, "without"));
    if (rc == 0 && json_get(given, "keep"))
        rc = check_keep(r, &at, json_get(given, "keep"));
    if (rc == 0 && json_get(given, "purposes"))
        rc = check_purposes(r, &at, json_get(given, "purposes"));
    return rc;
}

bool privacy_purpose(const struct json_value *given, const char *name, struct slice *version)
{
    return json_is_string(json_get(json_get(json_get(given, "purposes"), name), "version"), version);
}

/* --- the catalogue -------------------------------------------------------------------------------------------------------- */

static void member(struct json_writer *w, const char *key, const char *value)
{
    if (!value)
        return;
    json_key(w, key);
    json_str(w, value);
}

static void copied(struct json_writer *w, const struct json_value *from, const char *key)
{
    const struct json_value *v = json_get(from, key);
    if (!v)
        return;
    json_key(w, key);
    json_value_write(w, v);
}

static void write_keep(struct json_writer *w, const struct json_value *given)
{
    const struct json_value *own = json_get(given, "keep");
    json_key(w, "keep");
    json_object(w);
    for (size_t i = 0; i < KEEPS; i++) {
        struct slice s;
        int64_t ms = keeps[i].otherwise_ms;
        if (json_is_string(json_get(own, keeps[i].name), &s))
            period_parse(s, &ms);
        json_key(w, keeps[i].member);
        json_int(w, ms);
    }
    json_object_end(w);
}

static void write_purposes(struct json_writer *w, const struct json_value *given)
{
    const struct json_value *own = json_get(given, "purposes");
    json_key(w, "purposes");
    json_array(w);
    for (const struct json_value *p = own ? own->first : NULL; p; p = p->next) {
        json_object(w);
        json_key(w, "name");
        json_string(w, p->key);
        copied(w, p, "title");
        copied(w, p, "about");
        copied(w, p, "version");
        json_key(w, "third_parties");
        if (json_get(p, "third_parties") && json_get(p, "third_parties")->type == JSON_ARRAY)
            json_value_write(w, json_get(p, "third_parties"));
        else
            json_raw(w, SLICE_LIT("[]"));
        json_object_end(w);
    }
    json_array_end(w);
}

static bool is_of(const char *field, const char *whole)
{
    size_t n = strlen(whole);
    return strncmp(field, whole, n) == 0 && (field[n] == '\0' || field[n] == '.');
}

/* Whoever reads order.contact reads its three parts. */
static void write_readers(struct json_writer *w, const struct plugin_set *set, const char *field)
{
    json_key(w, "readers");
    json_array(w);
    for (size_t p = 0; p < plugin_set_count(set); p++) {
        const struct manifest *m = plugin_set_at(set, p);
        for (size_t i = 0; i < m->need_count; i++) {
            const struct need *n = &m->needs[i];
            if (n->kind != NEED_PERSONAL || !is_of(field, n->text))
                continue;
            json_object(w);
            member(w, "plugin", m->name);
            member(w, "title", m->title);
            member(w, "purpose", n->why);
            member(w, "consent", n->consent);
            if (n->share) {
                json_key(w, "share");
                json_bool(w, true);
            }
            json_object_end(w);
        }
    }
    json_array_end(w);
}

static void write_field(struct json_writer *w, const struct plugin_set *set, const char *name, bool collected)
{
    json_object(w);
    member(w, "field", name);
    json_key(w, "collected");
    json_bool(w, collected);
    write_readers(w, set, name);
    json_object_end(w);
}

static void write_fields(struct json_writer *w, const struct plugin_set *set, unsigned without)
{
    json_key(w, "fields");
    json_array(w);
    for (size_t i = 0; i < PRIVACY_FIELDS; i++)
        write_field(w, set, field_names[i], !(without & 1u << i));
    write_field(w, set, "customer.phone_hash", !(without & 1u << PRIVACY_CUSTOMER_PHONE));
    json_array_end(w);
}

static void write_collection(struct json_writer *w, const struct collection *c)
{
    json_object(w);
    member(w, "name", c->name);
    member(w, "table", c->table);
    json_key(w, "erase");
    json_bool(w, c->erase);
    if (c->keep_ms) {
        json_key(w, "keep");
        json_object(w);
        member(w, "field", c->fields[c->keep_from].name);
        json_key(w, "ms");
        json_int(w, c->keep_ms);
        json_object_end(w);
    }
    json_key(w, "fields");
    json_array(w);
    for (size_t i = 0; i < c->field_count; i++) {
        json_object(w);
        member(w, "name", c->fields[i].name);
        member(w, "type", field_type_name(c->fields[i].type));
        member(w, "personal", c->fields[i].personal);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void write_plugin(struct json_writer *w, const struct manifest *m)
{
    json_object(w);
    member(w, "plugin", m->name);
    member(w, "title", m->title);
    json_key(w, "hosts");
    json_array(w);
    for (size_t i = 0; i < m->need_count; i++) {
        if (m->needs[i].kind != NEED_HTTP)
            continue;
        json_object(w);
        member(w, "host", m->needs[i].text);
        member(w, "why", m->needs[i].why);
        json_object_end(w);
    }
    json_array_end(w);
    json_key(w, "facts");
    json_array(w);
    for (size_t i = m->hook_first[HOOK_FACT]; i < m->hook_first[HOOK_FACT + 1]; i++)
        json_str(w, m->hooks[i].name);
    json_array_end(w);
    json_key(w, "collections");
    json_array(w);
    for (size_t i = 0; i < m->collection_count; i++)
        write_collection(w, &m->collections[i]);
    json_array_end(w);
    json_object_end(w);
}

static void write_catalogue(struct json_writer *w, const struct json_value *given, const struct plugin_set *set, unsigned without)
{
    struct slice s;
    int64_t ms;
    json_object(w);
    copied(w, given, "controller");
    copied(w, given, "contact");
    json_key(w, "law");
    json_string(w, json_is_string(json_get(given, "law"), &s) ? s : slice_str(laws[0]));
    json_key(w, "requests");
    json_string(w, json_is_string(json_get(given, "requests"), &s) ? s : slice_str(requests[0]));
    if (json_is_string(json_get(given, "answer_within"), &s) && period_parse(s, &ms)) {
        json_key(w, "answer_within_ms");
        json_int(w, ms);
    }
    write_keep(w, given);
    write_purposes(w, given);
    write_fields(w, set, without);
    json_key(w, "plugins");
    json_array(w);
    for (size_t i = 0; i < plugin_set_count(set); i++)
        write_plugin(w, plugin_set_at(set, i));
    json_array_end(w);
    json_object_end(w);
}

static unsigned without_of(const struct json_value *given)
{
    const struct json_value *list = json_get(given, "without");
    unsigned bits = 0;
    for (const struct json_value *e = list && list->type == JSON_ARRAY ? list->first : NULL; e; e = e->next)
        for (unsigned k = 0; k < PRIVACY_FIELDS; k++)
            if (e->type == JSON_STRING && slice_is(e->string, field_names[k]))
                bits |= 1u << k;
    return bits;
}

/* What a person is asked for is said by the merchant, in his words and by version: a plugin can't invent it. */
static int check_consents(const struct json_value *given, const struct plugin_set *set, struct err *err)
{
    for (size_t p = 0; p < plugin_set_count(set); p++) {
        const struct manifest *m = plugin_set_at(set, p);
        for (size_t i = 0; i < m->need_count; i++) {
            struct slice version;
            const char *consent = m->needs[i].consent;
            if (consent && !privacy_purpose(given, consent, &version))
                return err_field(err, ERR_INVALID, "privacy.purposes",
                                 "shop.lua: the plugin %s reads %s only of those who consented to \"%s\", which is not described; add "
                                 "privacy = { purposes = { [\"%s\"] = { title = \"...\", version = \"1\" } } }",
                                 m->name, m->needs[i].text, consent, consent);
        }
    }
    return 0;
}

int privacy_make(const struct json_value *given, const struct plugin_set *set, struct arena *arena, struct privacy *out, struct err *err)
{
    struct buf b;
    struct json_writer w;
    struct json_value *tree = NULL;
    *out = (struct privacy){ .without = without_of(given) };
    int rc = check_consents(given, set, err);
    if (rc < 0)
        return rc;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    write_catalogue(&w, given, set, out->without);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(arena, buf_slice(&b));
    buf_release(&b);
    rc = text.data ? json_parse(text, NULL, arena, &tree, err) : err_set(err, ERR_NOMEM, "out of memory while reading shop.lua");
    out->catalogue = tree;
    return rc;
}

int64_t privacy_keep_ms(const struct privacy *p, const char *member_name)
{
    int64_t ms = 0;
    json_is_int(json_get(json_get(p->catalogue, "keep"), member_name), &ms);
    return ms;
}
