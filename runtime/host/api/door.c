#include "host/api/door.h"
#include "host/api/schemas.h"
#include "host/worker.h"
#include "rulebook/privacy.h"
#include <stdio.h>

enum { NAMED_MAX = 400 };

struct door {
    struct call *call;
    unsigned without; /* bits of enum privacy_field */
    char named[NAMED_MAX];
    size_t len, count;
};

/* Clients choose these names: only what can stand in a header does. */
static void note(struct door *d, const char *in, struct slice key)
{
    d->count++;
    if (d->len + key.len + strlen(in) + 4 > sizeof d->named)
        return;
    d->len += (size_t)snprintf(d->named + d->len, sizeof d->named - d->len, "%s/%s%s", d->len ? ", " : "", in, *in ? "/" : "");
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        d->named[d->len++] = plain ? c : '?';
    }
}

static void unlink_member(struct json_value *object, struct json_value *before, struct json_value *m)
{
    if (before)
        before->next = m->next;
    else
        object->first = m->next;
    object->count--;
}

static struct json_value *member(struct json_value *object, const char *key, struct json_value **before)
{
    *before = NULL;
    for (struct json_value *m = object->first; m; *before = m, m = m->next)
        if (slice_is(m->key, key))
            return m;
    return NULL;
}

/* A field that this shop does not collect. */
static void drop_member(struct door *d, struct json_value *object, const char *key, enum privacy_field field)
{
    struct json_value *before, *m = d->without & 1u << field ? member(object, key, &before) : NULL;
    if (!m || m->type == JSON_NULL)
        return;
    note(d, "", m->key);
    unlink_member(object, before, m);
}

static bool is_named(const struct schema *fields, struct slice key)
{
    while (fields->name && !slice_is(key, fields->name))
        fields++;
    return fields->name != NULL;
}

struct part {
    const char *name;
    enum privacy_field field;
};

static bool is_without(const struct door *d, const struct part *parts, struct slice key)
{
    for (; parts && parts->name; parts++)
        if (slice_is(key, parts->name))
            return d->without & 1u << parts->field;
    return false;
}

/* Members of contact or address that the catalogue does not name; an object of which nothing is left goes with them. */
static void drop_inside(struct door *d, struct json_value *body, const char *key, const struct schema *fields, const struct part *parts)
{
    struct json_value *above, *object = member(body, key, &above), *before = NULL;
    if (!object || object->type != JSON_OBJECT || object->count == 0)
        return;
    for (struct json_value *m = object->first; m; m = m->next) {
        if (is_named(fields, m->key) && !is_without(d, parts, m->key)) {
            before = m;
            continue;
        }
        note(d, key, m->key);
        unlink_member(object, before, m);
    }
    if (object->count == 0)
        unlink_member(body, above, object);
}

void door_drop(struct call *c)
{
    static const struct part contact_parts[] = { { "email", PRIVACY_ORDER_CONTACT_EMAIL },
                                                 { "name", PRIVACY_ORDER_CONTACT_NAME },
                                                 { "phone", PRIVACY_ORDER_CONTACT_PHONE },
                                                 { NULL, PRIVACY_FIELDS } };
    struct door d = { .call = c, .without = generation_privacy(c->seat->generation)->without };
    if (c->body->type != JSON_OBJECT)
        return;
    if (c->route->body == &schema_order || c->route->body == &schema_checkout) {
        drop_member(&d, c->body, "address", PRIVACY_ORDER_ADDRESS);
        drop_member(&d, c->body, "note", PRIVACY_ORDER_NOTE);
        drop_inside(&d, c->body, "contact", schema_contact_fields, contact_parts);
        drop_inside(&d, c->body, "address", schema_address_fields, NULL);
    } else if (c->route->body == &schema_customer) {
        drop_member(&d, c->body, "email", PRIVACY_CUSTOMER_EMAIL);
        drop_member(&d, c->body, "name", PRIVACY_CUSTOMER_NAME);
        drop_member(&d, c->body, "phone", PRIVACY_CUSTOMER_PHONE);
    }
    if (d.count == 0)
        return;
    metric_add(&c->shop->metrics.fields_dropped, d.count);
    c->dropped = arena_copy(c->arena, slice_of(d.named, d.len));
}
