/* host/api/schemas.h - the shapes of the API's bodies. Validation and /v1/openapi.json both read them. */
#pragma once
#include "base/schema.h"

/* What a client says of a cart, as it came: schema_fill() and schema_fill_tree() put it here. What was not said is zero. */
struct said_line {
    struct slice sku, from;
    struct schema_int qty, unit_price;
};
struct cart_said {
    struct schema_list lines; /* of struct said_line */
    struct schema_list codes; /* of struct slice */
    struct slice customer, channel, payment_method, store, campaigns, at, placed_at, reference;
    struct {
        struct slice option, region;
    } shipping;
    const struct json_value *inputs;
};
/* All members of a body that say something of its cart; nothing is checked by it. */
extern const struct schema schema_cart_said;

/* The member of quotes and orders whose fields are those of the plugins that are turned on; see plugin_body(). */
#define SCHEMA_INPUTS "inputs"

enum { BATCH_CARTS_MAX = 1000 }; /* of POST /v1/quotes/batch */

extern const struct schema schema_contact_fields[], schema_address_fields[]; /* ended by name NULL */
extern const struct schema schema_product_put, schema_product_patch, schema_product_import, schema_stock, schema_quote, schema_quote_batch,
    schema_order, schema_checkout, schema_checkout_complete, schema_payment, schema_cancel, schema_refund, schema_refund_settle,
    schema_refund_retry, schema_fulfilment, schema_complete, schema_customer, schema_customer_token, schema_key, schema_publish,
    schema_rollback, schema_stop, schema_prune, schema_repin, schema_backup, schema_replay, schema_backtest, schema_follow, schema_account,
    schema_event_replay, schema_webhook_new, schema_webhook_change, schema_webhook_rotate, schema_webhook_act, schema_webhook_replay;

/* Of operators. */
extern const struct schema schema_sign_in, schema_operator_new, schema_operator_roles, schema_operator_password, schema_code,
    schema_audit_head, schema_nothing, schema_submit, schema_approve, schema_reason, schema_schedule, schema_share;

/* Of persons. */
extern const struct schema schema_consent, schema_minor, schema_erasure;
