#include "rulebook/catalogue.h"
#include "rulebook/plugin_set.h"

/* clang-format off */
#define END { .name = NULL }
#define ID(n, what)    { .name = n, .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "id", .about = what }
#define MAYBE_ID(n, what) { .name = n, .type = SCHEMA_STRING, .min = 1, .max = 64, .format = "id", .about = what }
#define TEXT(n, what)  { .name = n, .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200, .about = what }
#define SKU(n)         { .name = n, .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "sku", .about = "The product." }
#define AMOUNT(n, what) { .name = n, .type = SCHEMA_INT, .required = true, .min = 0, .max = INT64_MAX, .about = what }
#define COUNT(n, what) { .name = n, .type = SCHEMA_INT, .required = true, .min = 0, .max = INT64_MAX, .about = what }
#define TIME(n, what)  { .name = n, .type = SCHEMA_STRING, .required = true, .min = 1, .max = 40, .format = "timestamp", .about = what }
#define ORDER          ID("order", "The order's id."), MAYBE_ID("customer", "Whose it is; a guest has none."), \
                       AMOUNT("total", "What the order comes to, in minor units."), TIME("at", "When it happened.")
#define PAYMENT        ID("payment", "The payment's id."), TEXT("provider", "Who moved the money."), AMOUNT("amount", "In minor units.")
#define REFUND         ID("order", "The order's id."), MAYBE_ID("customer", "Whose it is; a guest has none."), ID("refund", "The refund's id."), \
                       AMOUNT("amount", "What goes back, shipping included, in minor units."), TIME("at", "When it happened.")
#define FIELDS(n, ...) static const struct schema n##_fields[] = { __VA_ARGS__, END }; \
                       static const struct schema n = { .type = SCHEMA_OBJECT, .fields = n##_fields }

FIELDS(exhausted, ID("campaign", "The campaign's id."), TEXT("limit", "Which of its limits: uses, units, budget."), TIME("at", "When it happened."));
static const struct schema any = { .type = SCHEMA_ANY };
#define GRANT          TEXT("grant", "Names it: the same one twice is one."), ID("order", "The order."), ID("customer", "Who gets it."), \
                       ID("campaign", "Which campaign gives it."), TEXT("to", "The plugin that it is meant for; the others leave it alone."), \
                       { .name = "what", .type = SCHEMA_MAP, .required = true, .item = &any, .about = "As the campaign says it." }, \
                       AMOUNT("amount", "What the lines cost that it is measured by, in minor units."), TIME("at", "When it happened.")
FIELDS(granted, GRANT);
FIELDS(consent, ID("customer", "Whose consent it is."), TEXT("purpose", "Its name in shop.lua."), TEXT("version", "Of the words."),
       { .name = "share", .type = SCHEMA_BOOL, .required = true, .about = "Whether it is about handing on." }, TIME("at", "When it happened."));
FIELDS(joined, ID("customer", "The new customer."), TIME("at", "When it happened."));
FIELDS(fact, ID("customer", "Whose fact it is."), TEXT("fact", "Its name, like \"member-tiers.level\"."), TIME("at", "When it happened."),
       { .name = "old", .type = SCHEMA_ANY, .about = "What it was; absent when there was none." },
       { .name = "new", .type = SCHEMA_ANY, .about = "What it is." });
FIELDS(order, ORDER);
FIELDS(placed, ORDER, { .name = "inputs", .type = SCHEMA_MAP, .item = &any, .about = "What the client sent for the plugin that hears it." },
       { .name = "codes", .type = SCHEMA_ARRAY, .item = &any, .about = "The codes that were typed; for plugins with a fact of the type codes." });
#define BLOCK          TEXT("block", "Its name, like \"group-buy\"."), MAYBE_ID("plugin", "Which plugin's block it is."), \
                       { .name = "blocks", .type = SCHEMA_INT, .max = INT64_MAX, .about = "How many are on the order now." }
#define REASON         { .name = "reason", .type = SCHEMA_STRING, .max = 200, .about = "Why, when somebody said so." }
FIELDS(blocked, ORDER, BLOCK, REASON);
static const struct schema sent_line_fields[] = {
    { .name = "line", .type = SCHEMA_INT, .required = true, .min = 1, .max = INT64_MAX }, SKU("sku"),
    { .name = "qty", .type = SCHEMA_INT, .required = true, .min = 1, .max = INT64_MAX }, END };
static const struct schema sent_line = { .type = SCHEMA_OBJECT, .fields = sent_line_fields };
FIELDS(sent, ORDER, ID("fulfilment", "The fulfilment's id."),
       { .name = "lines", .type = SCHEMA_ARRAY, .max = INT64_MAX, .item = &sent_line, .about = "What was sent: { line, sku, qty }; not said of more than 50 lines." },
       { .name = "carrier", .type = SCHEMA_STRING, .max = 100, .about = "Who brings it." },
       { .name = "tracking", .type = SCHEMA_STRING, .max = 200, .about = "The carrier's number." });
FIELDS(completed, ORDER, { .name = "by", .type = SCHEMA_STRING, .max = 20, .about = "Whose doing it was: customer, shop or time." });
FIELDS(closed, ORDER, REASON);
FIELDS(mismatched, ID("order", "The order that the money was meant for."), PAYMENT, AMOUNT("expected", "What was due, in minor units."), { .name = "what", .type = SCHEMA_STRING, .max = 20, .about = "What does not fit: amount, currency, merchant or app." }, TIME("at", "When it happened."));
FIELDS(received, ID("order", "The order."), MAYBE_ID("customer", "Whose it is; a guest has none."), PAYMENT, TIME("at", "When it happened."));
FIELDS(returned, ID("order", "The order."), MAYBE_ID("customer", "Whose it is; a guest has none."), PAYMENT, ID("refund", "The refund that it is a part of."), TIME("at", "When it happened."));
FIELDS(refund, REFUND);
FIELDS(refund_failed, REFUND, TEXT("reason", "What the provider said."));
FIELDS(low, SKU("sku"), TEXT("location", "Where."), COUNT("available", "Pieces that can still be sold."), TIME("at", "When it happened."));

FIELDS(webhook_disabled, ID("webhook", "The endpoint's id."), { .name = "label", .type = SCHEMA_STRING, .max = 100, .about = "Whose it is." },
       TEXT("reason", "Why."), TIME("at", "When it happened."));

static const struct catalogue_event events[] = {
    { "campaign.exhausted", "A limit of a campaign is used up: told by the order that takes the last of it.", true, 1, &exhausted, false },
    { "campaign.granted", "An order is paid, or completed, and its customer gets what a campaign grants; before the event of the order itself.", true, 1, &granted, false },
    { "campaign.taken_back", "All of an order went back, or it was cancelled: what was granted with it is taken back.", true, 1, &granted, false },
    { "consent.given", "A customer consented to a purpose of shop.lua; share: to its being handed to third parties.", true, 1, &consent, false },
    { "consent.withdrawn", "A customer took a consent back: from now on the purpose is not served.", true, 1, &consent, false },
    { "customer.erased", "A customer was erased: his id in the plugin's rows is already another one, which nobody knows; he is told of under that.", true, 1, &joined, false },
    { "customer.joined", "A customer is known to the shop for the first time.", true, 1, &joined, false },
    { "fact.changed", "A fact of a customer has another value, because a row that it is made of has changed.", true, 1, &fact, false },
    { "order.blocked", "A plugin put a block on an order: it is not fulfilled until the block is gone.", true, 1, &blocked, false },
    { "order.cancelled", "An order was cancelled; its holds are given back.", true, 1, &closed, false },
    { "order.completed", "Nothing more is to come: the customer has got it, or the time for returns is over.", true, 1, &completed, false },
    { "order.expired", "An order was not paid in time; its holds are given back.", true, 1, &order, false },
    { "order.fulfilled", "Everything that was not refunded was handed over or sent.", true, 1, &order, false },
    { "order.fulfilling", "Some of an order, or all of it, was handed over or sent; once for each fulfilment.", true, 1, &sent, false },
    { "order.paid", "All that was due is paid.", true, 1, &order, false },
    { "order.placed", "An order was placed; its holds are taken.", true, 1, &placed, false },
    { "order.unblocked", "A block is gone from an order that goes on; when none is left, it can be fulfilled.", true, 1, &blocked, false },
    { "payment.mismatched", "Money came in that does not fit its order: another amount, currency or shop.", true, 1, &mismatched, false },
    { "payment.received", "Money came in for an order.", true, 1, &received, false },
    { "payment.returned", "Some of a payment went back at once: of one that a plugin made out of its own accounts, or through the built-in provider.", true, 1, &returned, false },
    { "refund.failed", "A provider could not give the money back, however often it was tried: it waits for a person.", true, 1, &refund_failed, false },
    { "refund.requested", "Money is to go back to the customer.", true, 1, &refund, false },
    { "refund.succeeded", "The money is back with the customer.", true, 1, &refund, false },
    { "stock.low", "Fewer pieces of a product are left at a place than shop.lua says (stock_low): told when it comes to that, not with every sale.", true, 1, &low, false },
    { "webhook.disabled", "An endpoint of another system failed for days, or wants nothing more; nothing is sent to it until it is resumed.", true, 1, &webhook_disabled, false },
};

static const struct catalogue_hook hooks[] = {
    { "routes", "A request to /v1/x/PLUGIN/...", "call (params, query, body, customer, caller; with auth = \"signed\" headers), settings", "{ status, body }; with stream = true a topic, too", "handler on a worker, or procedure on the writer", 1 },
    { "procedures", "Called by the plugin's handlers and jobs, and by plugins whose needs name it.", "args, settings", "a table, or nothing", "procedure on the writer, in the caller's transaction", 1 },
    { "on", "An event happened.", "event (its payload), settings", "nothing", "procedure, in the emitting transaction or after its commit (at least once)", 1 },
    { "timers", "A timer that the plugin has set is due.", "{ key, due_ms, attempt (of a job) }, settings", "nothing", "procedure on the writer, or job on a worker", 1 },
    { "campaigns", "promo.use \"PLUGIN\" { ... } in a campaign file.", "fields (what the merchant filled in), settings", "a campaign", "while files are loaded", 1 },
    { "pricing", "The unit price of a line is looked for.", "line, cart, settings", "a price in minor units, or nil", "rule on a worker, inside a quote", 1 },
    { "shipping_rates", "Ways to send a cart are looked for.", "cart, settings", "a list of { id, title, price }", "rule on a worker, inside a quote", 1 },
    { "tax_rates", "The tax rate of a line is looked for.", "line, cart, settings", "a rate in parts per million, or nil when it does not know", "rule on a worker, inside a quote", 1 },
    { "facts", "Rules or conditions ask for a fact of the customer.", "rows (of the collection it names), about { customer, now, tags }, settings", "a value of its type, or nil", "rule on a worker, before the campaigns", 1 },
    { "checks", "A campaign or plugin is submitted, or an order is made.", "subject (what is checked, with its history), settings", "a list of findings { rule, level, text, article, field, value, satisfy }", "at submission, or inside of the call that asks", 1 },
    { "payments", "The plugin is a provider: somebody pays through it, money goes back, the provider calls. With merchant and app, which name settings, the host compares whose money it is.", "create, query, close: payment { number, amount, ... }; refund, query: refund { number, payment, transaction, amount, ... }; notify: { body, headers }; reply: { ok, code, why }; and settings", "create { client, reference }; query, close { state, transaction, amount, ... }; refund { state }; notify an event; reply { status, body }; or nil, why, code", "handler on a worker, or job", 1 },
};

static const struct catalogue_field personal[] = {
    { "customer.email", "The address for e-mail." },
    { "customer.name", "How the customer is called." },
    { "customer.phone", "The telephone number." },
    { "customer.phone_hash", "A keyed hash of the telephone number: equal for the same person, and not to be turned back." },
    { "order.address", "Where an order goes." },
    { "order.contact", "Name, telephone and e-mail given with an order." },
    { "order.note", "What the customer wrote to the shop with an order." },
};
/* clang-format on */

static const char *const core[] = {
    "campaign", "campaigns",        "carts",      "catalogue", "coupon", "customers", "feira",           "ledger", "money", "orders",
    "payments", "payments-unowned", "products",   "promo",     "quotes", "refunds",   "refunds-by-hand", "rules",  "sales", "shop",
    "stock",    "stock-outside",    "stock-sold", "store",     "timers", "webhook",   "webhooks",        "x",      NULL
};

const struct catalogue_event *catalogue_events(size_t *count)
{
    *count = sizeof events / sizeof *events;
    return events;
}

const struct catalogue_event *catalogue_event(struct slice name)
{
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (slice_is(name, events[i].name))
            return &events[i];
    return NULL;
}

const struct catalogue_hook *catalogue_hooks(size_t *count)
{
    *count = sizeof hooks / sizeof *hooks;
    return hooks;
}

const struct catalogue_field *catalogue_personal(size_t *count)
{
    *count = sizeof personal / sizeof *personal;
    return personal;
}

const char *const *catalogue_core(void)
{
    return core;
}

bool catalogue_is_core(struct slice name)
{
    for (size_t i = 0; core[i]; i++)
        if (slice_is(name, core[i]))
            return true;
    return false;
}

/* --- for people ------------------------------------------------------------------------------------------------------------ */

static const char *payload_type(const struct schema *s)
{
    static const char *const types[] = {
        [SCHEMA_ANY] = "any",    [SCHEMA_STRING] = "string", [SCHEMA_INT] = "integer", [SCHEMA_BOOL] = "boolean",
        [SCHEMA_ARRAY] = "list", [SCHEMA_OBJECT] = "table",  [SCHEMA_MAP] = "table"
    };
    return s->type == SCHEMA_STRING && s->format ? s->format : types[s->type];
}

static void write_event(struct buf *out, const char *plugin, const char *name, const char *about, const struct schema *payload,
                        const char *when, int since)
{
    buf_printf(out, "%s%s%s  (%s; since api %d)\n", plugin, *plugin ? "." : "", name, when, since);
    if (about)
        buf_printf(out, "    %s\n", about);
    for (const struct schema *f = payload->fields; f && f->name; f++)
        buf_printf(out, "      %-12s %-10s %s%s\n", f->name, payload_type(f), f->about ? f->about : "",
                   f->required ? "" : " May be absent.");
}

static const char plugin_when[] = "in_transaction or after_commit";

static void write_core(struct buf *out, bool reserved)
{
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i].reserved == reserved)
            write_event(out, "", events[i].name, events[i].about, events[i].payload,
                        events[i].in_transaction ? plugin_when : "after_commit", events[i].since_api);
}

void catalogue_write_events(struct buf *out, const struct plugin_set *set)
{
    buf_add_str(out,
                "Events a plugin can hear, with what they carry. Amounts are in minor units, times RFC 3339.\n"
                "In plugin.lua: on = { [\"order.paid\"] = { run = \"events.paid\", when = \"in_transaction\" } }\n"
                "After the commit, those of one order (else customer, sku or campaign) are heard in the order in which they happened.\n\n");
    write_core(out, false);
    for (size_t p = 0; set && p < plugin_set_count(set); p++) {
        const struct manifest *m = plugin_set_at(set, p);
        for (size_t i = 0; i < m->event_count; i++)
            write_event(out, m->name, m->events[i].name, m->events[i].about, m->events[i].payload, plugin_when, MANIFEST_API);
    }
    bool any_reserved = false;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        any_reserved = any_reserved || events[i].reserved;
    if (any_reserved)
        buf_add_str(out, "\nThese names are taken. This version of the shop does not emit them yet:\n\n");
    write_core(out, true);
}

void catalogue_write_hooks(struct buf *out, const struct plugin_set *set)
{
    buf_add_str(out, "What a plugin can contribute: sections of plugin.lua, each NAME = \"file.function\" or NAME = { run = "
                     "\"file.function\", ... }.\n\n");
    for (size_t k = 0; k < sizeof hooks / sizeof *hooks; k++) {
        const struct catalogue_hook *h = &hooks[k];
        buf_printf(out, "%s  (since api %d)\n    %s\n      gets   %s\n      gives  %s\n      runs   %s\n", h->section, h->since_api,
                   h->about, h->gets, h->gives, h->runs);
        if (!set || k == HOOK_SUBSCRIBER)
            continue;
        size_t n;
        const struct hook_ref *list = plugin_set_hooks(set, (enum hook_kind)k, &n);
        for (size_t i = 0; i < n; i++)
            buf_printf(out, "      here   %zu. %s: %s\n", i + 1, list[i].plugin->name, list[i].hook->name);
    }
}
