#include "rulebook/shop_data.h"
#include "rulebook/privacy.h"
#include "base/schema.h"
#include "quote/quote.h"
#include "rulebook/plugin_set.h"

/* clang-format off */
#define INT(n)        { .name = n, .type = FIELD_INTEGER, .min = INT64_MIN, .max = INT64_MAX }
#define MAYBE_INT(n)  { .name = n, .type = FIELD_INTEGER, .optional = true, .min = INT64_MIN, .max = INT64_MAX }
#define MONEY(n)      { .name = n, .type = FIELD_MONEY, .min = INT64_MIN, .max = INT64_MAX }
#define MAYBE_MONEY(n){ .name = n, .type = FIELD_MONEY, .optional = true, .min = INT64_MIN, .max = INT64_MAX }
#define TIME(n)       { .name = n, .type = FIELD_TIME, .min = INT64_MIN, .max = INT64_MAX }
#define MAYBE_TIME(n) { .name = n, .type = FIELD_TIME, .optional = true, .min = INT64_MIN, .max = INT64_MAX }
#define TEXT(n)       { .name = n, .type = FIELD_STRING, .max = 16384 }
#define MAYBE_TEXT(n) { .name = n, .type = FIELD_STRING, .optional = true, .max = 16384 }
#define DATA(n)       { .name = n, .type = FIELD_JSON, .optional = true, .max = INT64_MAX }

static const struct collection_field customer_fields[] = {
    TIME("created_at"), { .name = "customer", .type = FIELD_CUSTOMER, .max = 64 }, MAYBE_TEXT("email"), MAYBE_TEXT("name"), INT("orders"),
    MAYBE_TEXT("phone"), { .name = "phone_hash", .type = FIELD_STRING, .optional = true, .max = 64, .pseudonym = true }, DATA("tags"),
    TIME("updated_at"),
};
static const char *const customer_personal[] = {
    NULL, NULL, "customer.email", "customer.name", NULL, "customer.phone", "customer.phone_hash", NULL, NULL,
};
static const struct collection_index customer_indexes[] = { { .fields = { 1 }, .count = 1, .unique = true } };

static const struct collection_field order_fields[] = {
    DATA("address"), MAYBE_TEXT("close_reason"), DATA("contact"), { .name = "customer", .type = FIELD_CUSTOMER, .optional = true, .max = 64 },
    MAYBE_TIME("expires_at"), TEXT("generation"), DATA("lines"), MAYBE_TEXT("note"), { .name = "order", .type = FIELD_ORDER, .max = 64 },
    MONEY("paid"), TIME("placed_at"), DATA("priced"), MAYBE_TEXT("reference"), MONEY("refunded"), MONEY("shipping"),
    MONEY("shipping_refunded"), TEXT("state"), MONEY("total"), TIME("updated_at"),
};
static const char *const order_personal[] = {
    "order.address", NULL, "order.contact", NULL, NULL, NULL, NULL, "order.note", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL,
};
static const struct collection_index order_indexes[] = {
    { .fields = { 8 }, .count = 1, .unique = true }, { .fields = { 3 }, .count = 1 }, { .fields = { 12 }, .count = 1 },
};

static const struct collection_field product_fields[] = {
    MAYBE_TEXT("brand"), MAYBE_TEXT("category"), MAYBE_MONEY("compare_at"), MAYBE_MONEY("cost"), TIME("created_at"), MAYBE_TEXT("description"),
    MAYBE_TEXT("image"), DATA("options"), MONEY("price"), { .name = "sku", .type = FIELD_SKU, .max = 64 }, TEXT("status"), DATA("tags"),
    MAYBE_TEXT("title"), { .name = "track_stock", .type = FIELD_BOOLEAN }, TIME("updated_at"),
    { .name = "variant_of", .type = FIELD_SKU, .optional = true, .max = 64 }, MAYBE_INT("weight_g"),
};
static const struct collection_index product_indexes[] = {
    { .fields = { 9 }, .count = 1, .unique = true }, { .fields = { 15 }, .count = 1 },
};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define SHOPS(n, f, marks) \
    { { .name = n, .table = "shop_" n, .fields = f##_fields, .field_count = COUNT(f##_fields), .indexes = f##_indexes, .index_count = COUNT(f##_indexes), .has_key = true }, marks }
static const struct shop_collection collections[] = {
    SHOPS("customers", customer, customer_personal),
    SHOPS("orders", order, order_personal),
    SHOPS("products", product, NULL),
};
_Static_assert(COUNT(customer_fields) == COUNT(customer_personal) && COUNT(order_fields) == COUNT(order_personal), "one mark per field");

#define END    { .name = NULL }
#define ORDER  { .name = "order", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "id", .about = "The order's id." }
#define REASON_OF(n) { .name = "reason", .type = SCHEMA_STRING, .min = 1, .max = n, .about = "Why, for the order's document." }
#define REASON REASON_OF(500)
static const struct schema cancel_fields[] = { ORDER, REASON, END };
static const struct schema cancel = { .type = SCHEMA_OBJECT, .fields = cancel_fields };
static const struct schema refund_line_fields[] = {
    { .name = "line", .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_LINES_MAX, .about = "Its number in the order." },
    { .name = "qty", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "How many units." },
    { .name = "sent", .type = SCHEMA_BOOL, .about = "Units that were sent; otherwise those come first that were not." },
    { .name = "amount", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "Instead of qty: how much of the line." }, END };
static const struct schema refund_line = { .type = SCHEMA_OBJECT, .fields = refund_line_fields };
static const struct schema refund_fields[] = {
    ORDER, REASON,
    { .name = "lines", .type = SCHEMA_ARRAY, .min = 1, .max = QUOTE_LINES_MAX, .item = &refund_line, .about = "What goes back; left out, with amount and shipping: all that is left." },
    { .name = "amount", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "Of the order as a whole, spread over its lines." },
    { .name = "shipping", .type = SCHEMA_BOOL, .about = "Whether the shipping goes back, too." },
    { .name = "restock", .type = SCHEMA_BOOL, .about = "Whether the goods can be sold again." }, END };
static const struct schema refund = { .type = SCHEMA_OBJECT, .fields = refund_fields };

static const struct schema block_fields[] = {
    ORDER, REASON_OF(200),
    { .name = "name", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "id", .about = "Its name, of the plugin's own." }, END };
static const struct schema block = { .type = SCHEMA_OBJECT, .fields = block_fields };

static const struct schema fulfil_line_fields[] = {
    { .name = "line", .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_LINES_MAX, .about = "Its number in the order." },
    { .name = "qty", .type = SCHEMA_INT, .required = true, .min = 1, .max = INT64_MAX, .about = "How many units." },
    { .name = "location", .type = SCHEMA_STRING, .min = 1, .max = 40, .format = "id", .about = "Only pieces that were taken from there." }, END };
static const struct schema fulfil_line = { .type = SCHEMA_OBJECT, .fields = fulfil_line_fields };
static const struct schema fulfil_fields[] = {
    ORDER,
    { .name = "lines", .type = SCHEMA_ARRAY, .min = 1, .max = QUOTE_LINES_MAX, .item = &fulfil_line, .about = "What is sent; left out: all that is left." },
    { .name = "carrier", .type = SCHEMA_STRING, .min = 1, .max = 100, .about = "Who brings it." },
    { .name = "tracking", .type = SCHEMA_STRING, .min = 1, .max = 200, .about = "The carrier's number." }, END };
static const struct schema fulfil = { .type = SCHEMA_OBJECT, .fields = fulfil_fields };
static const struct schema complete_fields[] = { ORDER, END };
static const struct schema complete = { .type = SCHEMA_OBJECT, .fields = complete_fields };

static const struct schema pay_fields[] = {
    ORDER,
    { .name = "amount", .type = SCHEMA_INT, .required = true, .min = 1, .max = INT64_MAX, .about = "How much, in minor units; no more than is due." },
    { .name = "due", .type = SCHEMA_STRING, .min = 1, .max = 40, .about = "Which of its dues; left out: the first that is not met." }, END };
static const struct schema pay = { .type = SCHEMA_OBJECT, .fields = pay_fields };

static const struct shop_procedure procedures[] = {
    { "orders.block", "Keeps an order that is not sent from being fulfilled, until the plugin takes the block off.", "shop_calls.orders_block", &block },
    { "orders.cancel", "Ends an order that is not being fulfilled yet; what was paid goes back.", "shop_calls.orders_cancel", &cancel },
    { "orders.complete", "Ends an order of which everything was sent.", "shop_calls.orders_complete", &complete },
    { "orders.fulfil", "Sends units of a paid order.", "shop_calls.orders_fulfil", &fulfil },
    { "orders.pay", "Pays an order, or a part of it, out of the plugin's own accounts.", "shop_calls.orders_pay", &pay },
    { "orders.refund", "Gives money and goods of a paid order back.", "shop_calls.orders_refund", &refund },
    { "orders.unblock", "Takes a block off that the same plugin put on.", "shop_calls.orders_unblock", &block },
};
/* clang-format on */

const struct shop_collection *shop_collections(size_t *count)
{
    *count = COUNT(collections);
    return collections;
}

const struct shop_collection *shop_collection(struct slice name)
{
    for (size_t i = 0; i < COUNT(collections); i++)
        if (slice_is(name, collections[i].shape.name))
            return &collections[i];
    return NULL;
}

static const struct need *need_of(const struct manifest *m, const char *mark)
{
    for (size_t i = 0; i < m->need_count; i++)
        if (m->needs[i].kind == NEED_PERSONAL && strcmp(m->needs[i].text, mark) == 0)
            return &m->needs[i];
    return NULL;
}

/* false: the plugin does not see it. */
static bool as_seen(const struct shop_collection *c, size_t field, const struct manifest *m, const struct shop_view *view,
                    struct collection_field *out)
{
    const char *mark = c->personal ? c->personal[field] : NULL;
    const struct need *need = mark ? need_of(m, mark) : NULL;
    *out = c->shape.fields[field];
    if (!mark)
        return true;
    if (!need)
        return false;
    out->reads = view && view->reads ? view->reads(view->ctx, m->name, mark, need->why) : NULL;
    out->consent = need->consent;
    out->share = need->share;
    /* A purpose that is not described is consented to by nobody; privacy_make() refuses such rules. */
    if (out->consent && !(view && privacy_purpose(view->privacy, out->consent, &out->consent_version)))
        out->consent_version = slice_str("");
    return true;
}

/* No index has a personal field, so only positions move. */
const struct collection *shop_collection_for(const struct shop_collection *c, const struct manifest *m, const struct shop_view *view,
                                             struct arena *arena)
{
    struct collection *out = arena_zalloc(arena, sizeof *out);
    struct collection_field *fields = arena_array(arena, c->shape.field_count, sizeof *fields);
    struct collection_index *indexes = arena_array(arena, c->shape.index_count, sizeof *indexes);
    uint16_t moved[COLLECTION_FIELDS_MAX];
    size_t n = 0;
    if (!out || !fields || !indexes)
        return NULL;
    for (size_t i = 0; i < c->shape.field_count; i++) {
        moved[i] = (uint16_t)n;
        n += as_seen(c, i, m, view, &fields[n]);
    }
    for (size_t i = 0; i < c->shape.index_count; i++) {
        indexes[i] = c->shape.indexes[i];
        for (int k = 0; k < indexes[i].count; k++)
            indexes[i].fields[k] = moved[indexes[i].fields[k]];
    }
    *out = c->shape;
    out->fields = fields;
    out->field_count = n;
    out->indexes = indexes;
    return out;
}

const struct shop_procedure *shop_procedures(size_t *count)
{
    *count = COUNT(procedures);
    return procedures;
}

const struct shop_procedure *shop_procedure(struct slice noun, struct slice verb)
{
    for (size_t i = 0; i < COUNT(procedures); i++) {
        const char *dot = strchr(procedures[i].name, '.');
        if (slice_is(verb, dot + 1) && slice_eq(noun, slice_of(procedures[i].name, (size_t)(dot - procedures[i].name))))
            return &procedures[i];
    }
    return NULL;
}
