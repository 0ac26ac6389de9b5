/* rulebook/privacy.h - what a shop keeps of persons, as data: its field catalogue. The shop's own personal fields with what shop.lua says
 * of them (`privacy`), and what the manifests say: which plugin reads which field for what purpose, what plugins keep of a person, which
 * hosts they connect to. What is not in it is not kept, and nobody reads it. */
#pragma once
#include "rulebook/manifest.h"
#include "rulebook/plugin_set.h"
#include "rulebook/reader.h"

/* The shop's own fields that a client sends. Numbers are bits of struct privacy's `without`, nothing else. */
enum privacy_field {
    PRIVACY_CUSTOMER_EMAIL,
    PRIVACY_CUSTOMER_NAME,
    PRIVACY_CUSTOMER_PHONE,
    PRIVACY_ORDER_ADDRESS,
    PRIVACY_ORDER_CONTACT_EMAIL,
    PRIVACY_ORDER_CONTACT_NAME,
    PRIVACY_ORDER_CONTACT_PHONE,
    PRIVACY_ORDER_NOTE,
    PRIVACY_FIELDS
};
enum { PRIVACY_PURPOSES_MAX = 50 };
const char *privacy_field_name(enum privacy_field f); /* "order.contact.phone" */

struct privacy {
    unsigned without;                   /* bits: fields that this shop does not collect */
    const struct json_value *catalogue; /* see below */
};

/* `privacy` of shop.lua; given may be NULL. ERR_INVALID with file, path and what to write. */
int privacy_check(const struct reader *r, const struct json_value *given);

/* The version of a purpose that needs consent, as shop.lua states it; NULL when it does not describe it. Borrowed from the tree. */
bool privacy_purpose(const struct json_value *given, const char *name, struct slice *version);

/* Both together. ERR_INVALID names a plugin that asks for a consent that shop.lua does not describe. The catalogue:
 *   { controller, contact, law, answer_within_ms?, requests, keep: { contact_ms, account_ms, transactions_ms, consents_ms, access_ms },
 *     purposes: [{ name, title, about?, version, third_parties }], fields: [{ field, collected, readers: [{ plugin, title, purpose,
 *     consent?, share? }] }],
 *     plugins: [{ plugin, title, hosts: [{ host, why? }], facts: [name], collections: [{ name, table, erase, keep?: { field, ms }, fields:
 * [{ name, type, optional, personal? }] }] }] } */
int64_t privacy_keep_ms(const struct privacy *p, const char *member); /* "contact_ms": a member of the catalogue's `keep` */
int privacy_make(const struct json_value *given, const struct plugin_set *set, struct arena *arena, struct privacy *out, struct err *err);
