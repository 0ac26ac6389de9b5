#include "host/api/schemas.h"
#include "quote/quote.h"
#include <stdint.h>

#define MONEY_MAX 1000000000000000 /* 10^15 minor units: a million such lines still fit an int64 */
#define END                                                                                                                                \
    {                                                                                                                                      \
        .name = NULL                                                                                                                       \
    }

/* clang-format off */
static const struct schema text_tag = { .type = SCHEMA_STRING, .min = 1, .max = 64 };
static const struct schema attribute_value = { .type = SCHEMA_ANY };
static const struct schema option_value = { .type = SCHEMA_STRING, .min = 1, .max = 100 };
static const char *const product_statuses[] = { "active", "draft", "archived", NULL };

#define PRODUCT_FIELDS(need, null) \
    { .name = "title", .type = SCHEMA_STRING, .required = need, .min = 1, .max = 300, .about = "What the shopper reads." }, \
    { .name = "price", .type = SCHEMA_INT, .required = need, .min = 0, .max = MONEY_MAX, .about = "Per unit, in minor units." }, \
    { .name = "compare_at", .type = SCHEMA_INT, .nullable = null, .min = 0, .max = MONEY_MAX, .about = "A higher price that was asked before." }, \
    { .name = "cost", .type = SCHEMA_INT, .nullable = null, .min = 0, .max = MONEY_MAX, .about = "What the shop pays; only servers see it." }, \
    { .name = "category", .type = SCHEMA_STRING, .nullable = null, .min = 1, .max = 200, .about = "A path; rules for \"tea\" also reach \"tea/green\"." }, \
    { .name = "tags", .type = SCHEMA_ARRAY, .nullable = null, .max = 64, .item = &text_tag }, \
    { .name = "brand", .type = SCHEMA_STRING, .nullable = null, .min = 1, .max = 100 }, \
    { .name = "weight_g", .type = SCHEMA_INT, .nullable = null, .min = 0, .max = 100000000, .about = "Grams per unit." }, \
    { .name = "status", .type = SCHEMA_STRING, .choices = product_statuses }, \
    { .name = "track_stock", .type = SCHEMA_BOOL, .about = "false: sold without counting." }, \
    { .name = "variant_of", .type = SCHEMA_STRING, .nullable = null, .min = 1, .max = 64, .format = "sku", .about = "The product this is a variant of." }, \
    { .name = "options", .type = SCHEMA_MAP, .nullable = null, .max = 10, .item = &option_value, .about = "What tells variants apart: {\"size\": \"M\"}." }, \
    { .name = "attributes", .type = SCHEMA_MAP, .nullable = null, .max = 50, .item = &attribute_value, .about = "What rules may ask for: {\"color\": \"red\", \"size_cm\": 25, \"organic\": true}." }, \
    { .name = "image", .type = SCHEMA_STRING, .nullable = null, .min = 1, .max = 1000 }, \
    { .name = "description", .type = SCHEMA_STRING, .nullable = null, .multiline = true, .min = 1, .max = 20000 }

static const struct schema product_put_fields[] = { PRODUCT_FIELDS(true, true), END };
static const struct schema product_patch_fields[] = { PRODUCT_FIELDS(false, true), END };
static const struct schema product_import_fields[] = {
    { .name = "sku", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "sku" },
    { .name = "stock", .type = SCHEMA_INT, .min = 0, .max = 1000000000, .about = "What is on hand at \"main\" after the import." },
    PRODUCT_FIELDS(false, true), END };
static const struct schema product_import_item = { .type = SCHEMA_OBJECT, .fields = product_import_fields };
static const struct schema product_list_fields[] = {
    { .name = "products", .type = SCHEMA_ARRAY, .required = true, .min = 1, .max = 200000, .item = &product_import_item }, END };

const struct schema schema_product_put = { .type = SCHEMA_OBJECT, .fields = product_put_fields };
const struct schema schema_product_patch = { .type = SCHEMA_OBJECT, .fields = product_patch_fields };
const struct schema schema_product_import = { .type = SCHEMA_OBJECT, .fields = product_list_fields };

#define STOCK_FIELDS(need) \
    { .name = "sku", .type = SCHEMA_STRING, .required = need, .min = 1, .max = 64, .format = "sku" }, \
    { .name = "delta", .type = SCHEMA_INT, .required = need, .min = -1000000000, .max = 1000000000, .about = "Pieces that came (or went, negative)." }, \
    { .name = "reason", .type = SCHEMA_STRING, .required = need, .min = 1, .max = 100 }, \
    { .name = "location", .type = SCHEMA_STRING, .min = 1, .max = 40, .format = "id", .about = "Default \"main\"." }
static const struct schema stock_change_fields[] = { STOCK_FIELDS(true), END };
static const struct schema stock_change = { .type = SCHEMA_OBJECT, .fields = stock_change_fields };
static const struct schema stock_fields[] = {
    STOCK_FIELDS(false),
    { .name = "changes", .type = SCHEMA_ARRAY, .min = 1, .max = 10000, .item = &stock_change, .about = "Many at once, all or none; instead of the single members." }, END };
const struct schema schema_stock = { .type = SCHEMA_OBJECT, .fields = stock_fields };

/* --- quotes and orders ---------------------------------------------------------------------------------------- */
#define CART(member) .into = SCHEMA_INTO(struct cart_said, member)
#define LINE(member) .into = SCHEMA_INTO(struct said_line, member)
#define SHIPPING(member) .into = SCHEMA_INTO(struct cart_said, shipping.member) - offsetof(struct cart_said, shipping)
static const struct schema line_fields[] = {
    { .name = "sku", LINE(sku), .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "sku" },
    { .name = "qty", LINE(qty), .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_QTY_MAX },
    { .name = "from", LINE(from), .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "The id of a campaign that offers this as an add-on: its price holds, if it may." },
    { .name = "unit_price", LINE(unit_price), .type = SCHEMA_INT, .min = 0, .max = MONEY_MAX, .about = "A price of the caller's own, in minor units; servers only." }, END };
static const struct schema line = { .type = SCHEMA_OBJECT, .fields = line_fields, .size = sizeof(struct said_line) };
static const struct schema code = { .type = SCHEMA_STRING, .min = 1, .max = 64 };
static const struct schema shipping_fields[] = {
    { .name = "option", SHIPPING(option), .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "The id of a shipping option." },
    { .name = "region", SHIPPING(region), .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "Where it goes, as the shop's rates name it." }, END };
static const struct schema no_inputs[] = { END };
static const char *const campaigns_modes[] = { "live", "none", NULL };

#define CART_FIELDS(need) \
    { .name = "lines", CART(lines), .type = SCHEMA_ARRAY, .required = need, .min = 1, .max = QUOTE_LINES_MAX, .item = &line }, \
    { .name = "codes", CART(codes), .type = SCHEMA_ARRAY, .max = QUOTE_CODES_MAX, .item = &code, .about = "Codes the shopper typed; their order does not matter." }, \
    { .name = "customer", CART(customer), .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "Servers only; a customer's token says it." }, \
    { .name = "channel", CART(channel), .type = SCHEMA_STRING, .min = 1, .max = 64 }, \
    { .name = "payment_method", CART(payment_method), .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "How the shopper means to pay; campaigns may ask for it." }, \
    { .name = "store", CART(store), .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "Where the cart is fetched or sold; campaigns may ask for it." }, \
    { .name = "shipping", CART(shipping), .type = SCHEMA_OBJECT, .fields = shipping_fields }, \
    { .name = SCHEMA_INPUTS, CART(inputs), .as_tree = true, .type = SCHEMA_OBJECT, .fields = no_inputs, .about = "What plugins take from a client, under their names." }, \
    { .name = "campaigns", CART(campaigns), .type = SCHEMA_STRING, .choices = campaigns_modes, .about = "\"none\": the prices are final (an import). Servers only." }

static const struct schema quote_fields[] = {
    CART_FIELDS(true), { .name = "at", CART(at), .type = SCHEMA_STRING, .max = 40, .format = "timestamp", .about = "The time the rules see; servers only." }, END };
const struct schema schema_quote = { .type = SCHEMA_OBJECT, .fields = quote_fields, .size = sizeof(struct cart_said) };
static const struct schema quote_batch_fields[] = {
    { .name = "carts", .type = SCHEMA_ARRAY, .required = true, .min = 1, .max = BATCH_CARTS_MAX, .item = &schema_quote, .about = "Each as in POST /v1/quotes, and answered on its own." }, END };
const struct schema schema_quote_batch = { .type = SCHEMA_OBJECT, .fields = quote_batch_fields };

static const struct schema said_fields[] = {
    CART_FIELDS(false), { .name = "at", CART(at), .type = SCHEMA_STRING }, { .name = "placed_at", CART(placed_at), .type = SCHEMA_STRING },
    { .name = "reference", CART(reference), .type = SCHEMA_STRING }, END };
const struct schema schema_cart_said = { .type = SCHEMA_OBJECT, .fields = said_fields, .size = sizeof(struct cart_said) };

const struct schema schema_contact_fields[] = {
    { .name = "name", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "email", .type = SCHEMA_STRING, .min = 3, .max = 254, .format = "email" },
    { .name = "phone", .type = SCHEMA_STRING, .min = 3, .max = 40 }, END };
const struct schema schema_address_fields[] = {
    { .name = "name", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "line1", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200 },
    { .name = "line2", .type = SCHEMA_STRING, .max = 200 },
    { .name = "city", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 100 },
    { .name = "region", .type = SCHEMA_STRING, .max = 100 },
    { .name = "postal_code", .type = SCHEMA_STRING, .max = 20 },
    { .name = "country", .type = SCHEMA_STRING, .required = true, .min = 2, .max = 2, .format = "country" }, END };
static const struct schema due_fields[] = {
    { .name = "label", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40, .about = "\"deposit\", \"balance\"" },
    { .name = "amount", .type = SCHEMA_INT, .required = true, .min = 1, .max = INT64_MAX },
    { .name = "within", .type = SCHEMA_STRING, .required = true, .min = 2, .max = 20, .about = "From now on, like \"30m\", \"72h\", \"14d\"; later dues later." }, END };
static const struct schema due = { .type = SCHEMA_OBJECT, .fields = due_fields };
static const struct schema order_fields[] = {
    { .name = "quote_token", .type = SCHEMA_STRING, .min = 1, .max = 500000, .about = "From a quote: the prices that were shown. Instead of the cart's members." },
    CART_FIELDS(false),
    { .name = "expected_total", .type = SCHEMA_INT, .min = 0, .max = INT64_MAX, .about = "Without a token: what the buyer was shown, in minor units." },
    { .name = "contact", .type = SCHEMA_OBJECT, .fields = schema_contact_fields },
    { .name = "address", .type = SCHEMA_OBJECT, .fields = schema_address_fields },
    { .name = "note", .type = SCHEMA_STRING, .multiline = true, .max = 2000 },
    { .name = "reference", .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "The caller's own number for this order; servers only." },
    { .name = "placed_at", .type = SCHEMA_STRING, .max = 40, .format = "timestamp", .about = "When it was placed elsewhere (a till, an import); servers only." },
    { .name = "dues", .type = SCHEMA_ARRAY, .min = 1, .max = 12, .item = &due, .about = "What is to be paid until when, where that is more than the total within the shop's time to pay: deposit and balance. They add up to the total; servers only." }, END };
const struct schema schema_order = { .type = SCHEMA_OBJECT, .fields = order_fields };

#define KEPT(n, ...) { .name = n, .nullable = true, __VA_ARGS__ }
static const struct schema checkout_fields[] = {
    KEPT("lines", .type = SCHEMA_ARRAY, .max = QUOTE_LINES_MAX, .item = &line, .about = "The whole cart; what was there before is replaced."),
    KEPT("codes", .type = SCHEMA_ARRAY, .max = QUOTE_CODES_MAX, .item = &code, .about = "Codes the shopper typed; their order does not matter."),
    KEPT("customer", .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "Servers only; a customer's token says it."),
    KEPT("channel", .type = SCHEMA_STRING, .min = 1, .max = 64),
    KEPT("payment_method", .type = SCHEMA_STRING, .min = 1, .max = 64),
    KEPT("store", .type = SCHEMA_STRING, .min = 1, .max = 64),
    KEPT("shipping", .type = SCHEMA_OBJECT, .fields = shipping_fields),
    KEPT(SCHEMA_INPUTS, .type = SCHEMA_OBJECT, .fields = no_inputs, .about = "What plugins take from a client, under their names."),
    KEPT("campaigns", .type = SCHEMA_STRING, .choices = campaigns_modes, .about = "\"none\": the prices are final. Servers only."),
    KEPT("contact", .type = SCHEMA_OBJECT, .fields = schema_contact_fields),
    KEPT("address", .type = SCHEMA_OBJECT, .fields = schema_address_fields),
    KEPT("note", .type = SCHEMA_STRING, .multiline = true, .max = 2000), END };
const struct schema schema_checkout = { .type = SCHEMA_OBJECT, .fields = checkout_fields };

static const struct schema checkout_complete_fields[] = {
    { .name = "quote_token", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 500000, .about = "Of the quote in this checkout's last answer: the prices that were shown." },
    { .name = "reference", .type = SCHEMA_STRING, .min = 1, .max = 64, .about = "The caller's own number for the order; servers only." },
    { .name = "dues", .type = SCHEMA_ARRAY, .min = 1, .max = 12, .item = &due, .about = "As with an order; servers only." }, END };
const struct schema schema_checkout_complete = { .type = SCHEMA_OBJECT, .fields = checkout_complete_fields };

static const struct schema payment_detail = { .type = SCHEMA_STRING, .min = 1, .max = 500 };
static const struct schema payment_fields[] = {
    { .name = "provider", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40, .format = "id" },
    { .name = "amount", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "Default: all that is left of the due. Less is a part of it; several payments, also of several providers, meet it." },
    { .name = "due", .type = SCHEMA_STRING, .min = 1, .max = 40, .about = "The label of the due that it is for. Default: the first that is not met." },
    { .name = "details", .type = SCHEMA_MAP, .max = 20, .item = &payment_detail, .about = "What the provider wants to know of whoever pays: see its README." }, END };
const struct schema schema_payment = { .type = SCHEMA_OBJECT, .fields = payment_fields };

static const struct schema cancel_fields[] = { { .name = "reason", .type = SCHEMA_STRING, .min = 1, .max = 200 }, END };
const struct schema schema_cancel = { .type = SCHEMA_OBJECT, .fields = cancel_fields };

static const struct schema refund_line_fields[] = {
    { .name = "line", .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_LINES_MAX },
    { .name = "qty", .type = SCHEMA_INT, .min = 1, .max = QUOTE_QTY_MAX, .about = "Units that go back." },
    { .name = "sent", .type = SCHEMA_BOOL, .about = "true: units that were sent; otherwise those come first that were not." },
    { .name = "amount", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "Instead of qty: money of this line, without units; the units that are left are worth less then." }, END };
static const struct schema refund_line = { .type = SCHEMA_OBJECT, .fields = refund_line_fields };
static const struct schema refund_fields[] = {
    { .name = "lines", .type = SCHEMA_ARRAY, .min = 1, .max = QUOTE_LINES_MAX, .item = &refund_line, .about = "Without lines, amount and shipping, all that is left goes back." },
    { .name = "amount", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .about = "Money of the order as a whole, spread over its lines; beyond what they have left, of the shipping." },
    { .name = "shipping", .type = SCHEMA_BOOL, .about = "true: also give back what is left of the shipping; false: not." },
    { .name = "reason", .type = SCHEMA_STRING, .min = 1, .max = 200 },
    { .name = "restock", .type = SCHEMA_BOOL, .about = "Default true: the pieces can be sold again." }, END };
const struct schema schema_refund = { .type = SCHEMA_OBJECT, .fields = refund_fields };

static const struct schema fulfilment_line_fields[] = {
    { .name = "line", .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_LINES_MAX },
    { .name = "qty", .type = SCHEMA_INT, .required = true, .min = 1, .max = QUOTE_QTY_MAX },
    { .name = "location", .type = SCHEMA_STRING, .min = 1, .max = 40, .format = "id", .about = "Only pieces that were taken from there; default: wherever they are, the first place first." }, END };
static const struct schema fulfilment_line = { .type = SCHEMA_OBJECT, .fields = fulfilment_line_fields };
static const struct schema fulfilment_fields[] = {
    { .name = "lines", .type = SCHEMA_ARRAY, .min = 1, .max = QUOTE_LINES_MAX, .item = &fulfilment_line, .about = "What is sent; left out: all that is left." },
    { .name = "carrier", .type = SCHEMA_STRING, .min = 1, .max = 100 },
    { .name = "tracking", .type = SCHEMA_STRING, .min = 1, .max = 200, .about = "The carrier's number, or an address where it can be followed." }, END };
const struct schema schema_fulfilment = { .type = SCHEMA_OBJECT, .fields = fulfilment_fields };

static const struct schema no_fields[] = { END };
const struct schema schema_refund_retry = { .type = SCHEMA_OBJECT, .fields = no_fields };
static const struct schema settle_fields[] = {
    { .name = "note", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200, .about = "Who gave it back, and how." }, END };
const struct schema schema_refund_settle = { .type = SCHEMA_OBJECT, .fields = settle_fields };

/* --- customers, keys --------------------------------------------------------------------------------------------- */
static const struct schema customer_fields[] = {
    { .name = "name", .type = SCHEMA_STRING, .nullable = true, .min = 1, .max = 200 },
    { .name = "email", .type = SCHEMA_STRING, .nullable = true, .min = 3, .max = 254, .format = "email" },
    { .name = "phone", .type = SCHEMA_STRING, .nullable = true, .min = 3, .max = 40 },
    { .name = "tags", .type = SCHEMA_ARRAY, .max = 64, .item = &text_tag }, END };
const struct schema schema_customer = { .type = SCHEMA_OBJECT, .fields = customer_fields };

static const struct schema customer_token_fields[] = {
    { .name = "expires_in", .type = SCHEMA_INT, .min = 60, .max = 86400, .about = "Seconds; default 3600." }, END };
const struct schema schema_customer_token = { .type = SCHEMA_OBJECT, .fields = customer_token_fields };

static const char *const consenting[] = { "customer", "guardian", NULL };
static const struct schema consent_fields[] = {
    { .name = "version", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40, .about = "Of the words that were shown; other ones than those of now are refused." },
    { .name = "share", .type = SCHEMA_BOOL, .about = "true: also to its being handed to third parties." },
    { .name = "by", .type = SCHEMA_STRING, .choices = consenting, .about = "guardian: a parent or guardian of a minor (servers); default the customer." },
    { .name = "via", .type = SCHEMA_STRING, .min = 1, .max = 200, .about = "Where it was given, to be able to show it; nothing personal." }, END };
const struct schema schema_consent = { .type = SCHEMA_OBJECT, .fields = consent_fields };
static const struct schema minor_fields[] = { { .name = "minor", .type = SCHEMA_BOOL, .required = true }, END };
const struct schema schema_minor = { .type = SCHEMA_OBJECT, .fields = minor_fields };

static const struct schema erasure_fields[] = {
    { .name = "give_up", .type = SCHEMA_BOOL, .about = "true: also where the shop owes the customer money, which is lost to him then." }, END };
const struct schema schema_erasure = { .type = SCHEMA_OBJECT, .fields = erasure_fields };

static const char *const key_kinds[] = { "pk", "sk", NULL };
static const struct schema scope_name = { .type = SCHEMA_STRING, .min = 1, .max = 40 };
static const struct schema key_fields[] = {
    { .name = "kind", .type = SCHEMA_STRING, .required = true, .choices = key_kinds },
    { .name = "label", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 100 },
    { .name = "scopes", .type = SCHEMA_ARRAY, .max = 20, .item = &scope_name, .about = "Of an sk_; default: all but admin." }, END };
const struct schema schema_key = { .type = SCHEMA_OBJECT, .fields = key_fields };

/* --- rules --------------------------------------------------------------------------------------------------- */
const struct schema schema_publish = { .type = SCHEMA_OBJECT, .fields = no_fields };
const struct schema schema_complete = { .type = SCHEMA_OBJECT, .fields = no_fields };
const struct schema schema_event_replay = { .type = SCHEMA_OBJECT, .fields = no_fields };

static const struct schema rollback_fields[] = {
    { .name = "to", .type = SCHEMA_STRING, .min = 1, .max = 31, .format = "id", .about = "A generation that was live; default the one before the live one." }, END };
const struct schema schema_rollback = { .type = SCHEMA_OBJECT, .fields = rollback_fields };

static const struct schema stop_fields[] = {
    { .name = "campaign", .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "The campaign's id." },
    { .name = "plugin", .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "The plugin's name." },
    { .name = "name", .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "Instead of both: of a campaign or of a plugin." },
    { .name = "reason", .type = SCHEMA_STRING, .min = 1, .max = 200 }, END };
const struct schema schema_stop = { .type = SCHEMA_OBJECT, .fields = stop_fields };

static const struct schema prune_fields[] = { { .name = "dry_run", .type = SCHEMA_BOOL, .about = "Only say what would go." }, END };
const struct schema schema_prune = { .type = SCHEMA_OBJECT, .fields = prune_fields };

static const struct schema backup_fields[] = { { .name = "path", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 4000, .about = "Where to; a file that is not there yet." }, END };
const struct schema schema_backup = { .type = SCHEMA_OBJECT, .fields = backup_fields };

static const struct schema replay_fields[] = {
    { .name = "since", .type = SCHEMA_STRING, .min = 2, .max = 40, .about = "Orders placed from then on: RFC 3339, a date of the shop's zone, or 30d for the time since then." },
    { .name = "until", .type = SCHEMA_STRING, .min = 2, .max = 40, .about = "The first moment whose orders are left out." },
    { .name = "order", .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = "Only this order." },
    { .name = "threads", .type = SCHEMA_INT, .min = 1, .max = 64, .about = "Default: one for each core." }, END };
const struct schema schema_replay = { .type = SCHEMA_OBJECT, .fields = replay_fields };

static const struct schema path_text = { .type = SCHEMA_STRING, .min = 1, .max = 4000 };
static const struct schema source_path = { .type = SCHEMA_STRING, .min = 1, .max = 500 };
static const struct schema source_fields[] = {
    { .name = "path", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 500, .about = "Within a shop's folder: campaigns/tea.lua, plugins/club/rules.lua, shop.lua." },
    { .name = "text", .type = SCHEMA_STRING, .multiline = true, .required = true, .max = 1048576 }, END };
static const struct schema source_file = { .type = SCHEMA_OBJECT, .fields = source_fields };
static const struct schema backtest_fields[] = {
    { .name = "candidates", .type = SCHEMA_ARRAY, .max = 20, .item = &path_text, .about = "Whole paths on the shop's machine: a file of campaigns, shop.lua, a plugin's folder, a shop's folder; through the socket only." },
    { .name = "files", .type = SCHEMA_ARRAY, .max = 500, .item = &source_file, .about = "Files that are other ones than those that are live, or new." },
    { .name = "without", .type = SCHEMA_ARRAY, .max = 500, .item = &source_path, .about = "Files of the live rules that are left out: all whose path begins so." },
    { .name = "since", .type = SCHEMA_STRING, .min = 2, .max = 40, .about = "Orders placed from then on, as of POST /v1/replay." },
    { .name = "until", .type = SCHEMA_STRING, .min = 2, .max = 40, .about = "The first moment whose orders are left out." },
    { .name = "threads", .type = SCHEMA_INT, .min = 1, .max = 64, .about = "Default: one for each core." },
    { .name = "orders", .type = SCHEMA_BOOL, .about = "Also list each order with its total as it was and as it would have been." }, END };
const struct schema schema_backtest = { .type = SCHEMA_OBJECT, .fields = backtest_fields };

static const struct schema follow_fields[] = {
    { .name = "dir", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 3900, .about = "Where to: a folder on another disk, by its whole path." },
    { .name = "keep", .type = SCHEMA_STRING, .min = 2, .max = 12, .about = "How long every moment can be brought back; default 7d." },
    { .name = "snapshot_every", .type = SCHEMA_STRING, .min = 2, .max = 12, .about = "How often a snapshot is written; default 24h." }, END };
const struct schema schema_follow = { .type = SCHEMA_OBJECT, .fields = follow_fields };

static const struct schema account_fields[] = {
    { .name = "frozen", .type = SCHEMA_BOOL, .about = "true: nothing can be taken from it." },
    { .name = "closed", .type = SCHEMA_BOOL, .about = "true: nothing moves from or to it; it must be empty." },
    { .name = "reason", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200, .about = "Kept with the account." }, END };
const struct schema schema_account = { .type = SCHEMA_OBJECT, .fields = account_fields };

static const struct schema repin_fields[] = {
    { .name = "collection", .type = SCHEMA_STRING, .min = 1, .max = 24, .about = "Only rows of this collection." },
    { .name = "from", .type = SCHEMA_STRING, .min = 1, .max = 24, .about = "Only rows that go by this revision." },
    { .name = "to", .type = SCHEMA_STRING, .min = 1, .max = 24, .about = "The revision that they shall go by; left out: the live one." },
    { .name = "dry_run", .type = SCHEMA_BOOL, .about = "Only say which rows would be moved." }, END };
const struct schema schema_repin = { .type = SCHEMA_OBJECT, .fields = repin_fields };

/* --- webhooks ------------------------------------------------------------------------------------------------------ */
static const struct schema event_pick = { .type = SCHEMA_STRING, .min = 1, .max = 100 };
static const struct schema personal_field = { .type = SCHEMA_STRING, .min = 1, .max = 64 };
#define WEBHOOK_FIELDS(need) \
    { .name = "url", .type = SCHEMA_STRING, .required = need, .min = 1, .max = 2000, .about = "Where messages go: https, and no private address." }, \
    { .name = "events", .type = SCHEMA_ARRAY, .required = need, .min = 1, .max = 50, .item = &event_pick, \
      .about = "Which: \"order.paid\", \"order.*\", or \"*\" for all of the shop itself but fact.changed; those of plugins by name, \"invite.*\"." }, \
    { .name = "label", .type = SCHEMA_STRING, .max = 100, .about = "Whose it is, for people." }, \
    { .name = "ordered", .type = SCHEMA_BOOL, .about = "Default true: messages about one order (customer, product, campaign) come in their order, each when the one before is taken or given up." }, \
    { .name = "personal", .type = SCHEMA_ARRAY, .max = 10, .item = &personal_field, \
      .about = "Personal fields to send along: customer.email, customer.name, customer.phone, order.address, order.contact, order.note. Needs customers:read, orders:read." }
static const struct schema webhook_new_fields[] = { WEBHOOK_FIELDS(true), END };
const struct schema schema_webhook_new = { .type = SCHEMA_OBJECT, .fields = webhook_new_fields };
static const struct schema webhook_change_fields[] = { WEBHOOK_FIELDS(false), END };
const struct schema schema_webhook_change = { .type = SCHEMA_OBJECT, .fields = webhook_change_fields };
static const struct schema webhook_rotate_fields[] = {
    { .name = "keep_for", .type = SCHEMA_INT, .min = 0, .max = 604800, .about = "Seconds for which earlier secrets sign as well; default 86400. 0 ends them now." }, END };
const struct schema schema_webhook_rotate = { .type = SCHEMA_OBJECT, .fields = webhook_rotate_fields };
const struct schema schema_webhook_act = { .type = SCHEMA_OBJECT, .fields = no_fields };
static const struct schema webhook_replay_fields[] = {
    { .name = "since", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40, .format = "timestamp", .about = "Messages of events from then on." },
    { .name = "taken", .type = SCHEMA_BOOL, .about = "Also those that the endpoint has taken; default only what was given up." },
    { .name = "cursor", .type = SCHEMA_STRING, .min = 1, .max = 20, .about = "next_cursor of the answer before." }, END };
const struct schema schema_webhook_replay = { .type = SCHEMA_OBJECT, .fields = webhook_replay_fields };

/* --- operators ------------------------------------------------------------------------------------------------------ */
static const struct schema role_name = { .type = SCHEMA_STRING, .min = 1, .max = 20 };
#define OPERATOR_NAME { .name = "name", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40 }
#define OPERATOR_ROLES { .name = "roles", .type = SCHEMA_ARRAY, .required = true, .min = 1, .max = 5, .item = &role_name, .about = "viewer, author, business, legal, owner." }
static const struct schema sign_in_fields[] = {
    OPERATOR_NAME,
    { .name = "password", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200 },
    { .name = "code", .type = SCHEMA_STRING, .max = 40, .about = "Of the second factor: six digits, or a recovery code." }, END };
const struct schema schema_sign_in = { .type = SCHEMA_OBJECT, .fields = sign_in_fields };
static const struct schema operator_new_fields[] = {
    OPERATOR_NAME, OPERATOR_ROLES,
    { .name = "password", .type = SCHEMA_STRING, .min = 1, .max = 200, .about = "12 to 200 characters; without one he can't sign in yet." }, END };
const struct schema schema_operator_new = { .type = SCHEMA_OBJECT, .fields = operator_new_fields };
static const struct schema operator_roles_fields[] = { OPERATOR_ROLES, END };
const struct schema schema_operator_roles = { .type = SCHEMA_OBJECT, .fields = operator_roles_fields };
static const struct schema operator_password_fields[] = {
    { .name = "password", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200, .about = "The new one: 12 to 200 characters." },
    { .name = "current", .type = SCHEMA_STRING, .min = 1, .max = 200, .about = "The one until now, where it is one's own." }, END };
const struct schema schema_operator_password = { .type = SCHEMA_OBJECT, .fields = operator_password_fields };
static const struct schema code_fields[] = { { .name = "code", .type = SCHEMA_STRING, .required = true, .min = 6, .max = 6, .about = "Six digits." }, END };
const struct schema schema_code = { .type = SCHEMA_OBJECT, .fields = code_fields };
const struct schema schema_nothing = { .type = SCHEMA_OBJECT, .fields = no_fields };
#define GO_LIVE_AT { .name = "at", .type = SCHEMA_STRING, .min = 1, .max = 40, .about = "When it goes live: 2026-11-20 20:00 in the shop's zone, or RFC 3339. Left out: as soon as it is approved." }
static const struct schema submit_fields[] = {
    { .name = "draft", .type = SCHEMA_STRING, .min = 1, .max = 39, .about = "The draft that says this from now on; its approvals are void. Left out: a new one, or yours that was not submitted yet." },
    { .name = "note", .type = SCHEMA_STRING, .multiline = true, .max = 2000, .about = "For those who approve." },
    GO_LIVE_AT, END };
const struct schema schema_submit = { .type = SCHEMA_OBJECT, .fields = submit_fields };
static const struct schema approve_fields[] = {
    { .name = "hash", .type = SCHEMA_STRING, .required = true, .min = 64, .max = 64, .about = "Of the draft as it was looked at." },
    { .name = "note", .type = SCHEMA_STRING, .multiline = true, .max = 2000 }, END };
const struct schema schema_approve = { .type = SCHEMA_OBJECT, .fields = approve_fields };
static const struct schema reason_fields[] = { { .name = "reason", .type = SCHEMA_STRING, .required = true, .multiline = true, .min = 1, .max = 2000, .about = "Why, for the record." }, END };
const struct schema schema_reason = { .type = SCHEMA_OBJECT, .fields = reason_fields };
static const struct schema share_fields[] = { { .name = "percent", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 8, .about = "\"12.5\": of the customers." }, END };
const struct schema schema_share = { .type = SCHEMA_OBJECT, .fields = share_fields };
static const struct schema schedule_fields[] = { GO_LIVE_AT, END };
const struct schema schema_schedule = { .type = SCHEMA_OBJECT, .fields = schedule_fields };
static const struct schema audit_head_fields[] = {
    { .name = "head", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 255, .about = "As GET /v1/admin/audit/head gave it." }, END };
const struct schema schema_audit_head = { .type = SCHEMA_OBJECT, .fields = audit_head_fields };
/* clang-format on */
