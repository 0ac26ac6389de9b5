#include "host/api/routes.h"
#include "host/api/schemas.h"
#include <stdlib.h>

enum {
    ANY = 0,
    SHOPPERS = CALLER_STOREFRONT | CALLER_CUSTOMER | CALLER_SERVER | CALLER_OPERATOR,
    KNOWN = CALLER_CUSTOMER | CALLER_SERVER | CALLER_OPERATOR,
    SERVERS = CALLER_SERVER | CALLER_OPERATOR,
    PEOPLE = CALLER_OPERATOR,
    APPROVERS = ROLE_BUSINESS | ROLE_LEGAL | ROLE_OWNER,
    STOPPERS = ROLE_AUTHOR | APPROVERS,
};

/* clang-format off */
static const struct query_param product_query[] = {
    { "limit", "How many at most: 1 to 200, default 50.", NULL }, { "cursor", "next_cursor of the page before.", NULL },
    { "variant_of", "Only the variants of this SKU.", NULL }, { NULL, NULL, NULL } };
static const struct query_param price_query[] = {
    { "before", "The days before this moment: 2026-11-20 (the shop's zone) or RFC 3339; default now.", NULL }, { "days", "How many: 1 to 1100, default 30.", NULL },
    { "channel", "Only deals through this channel.", NULL }, { "limit", "How many deals at most: 1 to 200, default 50.", NULL }, { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param order_query[] = {
    { "limit", "How many at most: 1 to 200, default 50.", NULL }, { "cursor", "next_cursor of the page before.", NULL },
    { "customer", "Only of this customer (servers).", NULL }, { "state", "Only in this state.", NULL }, { "reference", "Only with this reference.", NULL }, { NULL, NULL, NULL } };
static const struct query_param refund_query[] = {
    { "state", "manual (the default), requested, processing or succeeded.", NULL }, { "limit", "How many at most: 1 to 200, default 50.", NULL },
    { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param quote_query[] = {
    { "explain", "\"full\" also lists campaigns that did not apply, each with its reason, the place of it and what its functions took, a thousand at most; an id: only that campaign or gate.", NULL },
    { "offers", "1: offers[] says what is within reach: by how much a threshold or the next step of a campaign was missed, the nearest first, 20 at most.", NULL },
    { "lang", "\"en\" or \"zh-CN\": each reason has its sentence as text beside its code. Default: what Accept-Language names.", NULL }, { NULL, NULL, NULL } };

static const struct query_param batch_query[] = {
    { "tokens", "1: each quote has its token, with which it becomes an order; default 0.", NULL },
    { "explain", "The id of a campaign or gate, which each quote then tells of.", NULL },
    { "offers", "1: as with one cart.", NULL }, { "lang", "As with one cart.", NULL }, { NULL, NULL, NULL } };
static const struct query_param explanation_query[] = {
    { "lang", "\"en\" or \"zh-CN\": each reason has its sentence as text beside its code. Default: what Accept-Language names.", NULL }, { NULL, NULL, NULL } };
static const struct query_param event_query[] = {
    { "dead", "true: dead letters, which were tried too often; default false.", NULL }, { "limit", "How many at most: 1 to 200, default 50.", NULL },
    { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct schema why = { .type = SCHEMA_STRING, .required = true, .min = 1, .max = 200 };
static const struct query_param block_query[] = { { "reason", "Why it is lifted, for the record.", &why }, { NULL, NULL, NULL } };
static const struct query_param account_query[] = {
    { "prefix", "Only accounts whose name begins so, like \"stock/\".", NULL }, { "limit", "How many at most: 1 to 200, default 50.", NULL },
    { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param statement_query[] = {
    { "from", "2026-11-01 (the shop's zone) or RFC 3339; default: from the beginning.", NULL }, { "to", "The first moment that is not stated any more; default: none.", NULL },
    { "limit", "How many entries at most: 1 to 200, default 50.", NULL }, { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param webhook_query[] = {
    { "state", "Only waiting, taken or given_up.", NULL }, { "limit", "How many at most: 1 to 200, default 50.", NULL },
    { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param person_query[] = {
    { "state", "asked, held, done or withdrawn.", NULL }, { "limit", "How many at most: 1 to 200, default 50.", NULL },
    { "cursor", "next_cursor of the page before.", NULL }, { NULL, NULL, NULL } };
static const struct query_param consent_query[] = { { "share", "true: only that it is handed to third parties; default all of it.", NULL }, { NULL, NULL, NULL } };
static const char *const notice_forms[] = { "text", "markdown", "html", NULL };
static const struct schema notice_form = { .type = SCHEMA_STRING, .choices = notice_forms };
static const struct query_param notice_query[] = {
    { "form", "text (the default), markdown or html: how `text` of the answer is written.", &notice_form }, { "lang", "\"en\" (the default) or \"zh-CN\".", NULL }, { NULL, NULL, NULL } };
static const struct query_param audit_query[] = {
    { "limit", "How many at most: 1 to 200, default 50.", NULL }, { "before", "Only entries with a lower number.", NULL }, { NULL, NULL, NULL } };
static const struct query_param stop_query[] = { { "kind", "campaign or plugin, where both have that name.", NULL }, { NULL, NULL, NULL } };

const struct route core_routes[] = {
    { HTTP_METHOD_GET, "/healthz", ANY, 0, NULL, NULL, false, false, 200, handle_health, NULL, "Whether the process is alive." },
    { HTTP_METHOD_GET, "/readyz", ANY, 0, NULL, NULL, false, false, 200, handle_ready, NULL, "Whether the shop takes requests; 503 while it drains." },
    { HTTP_METHOD_GET, "/metrics", ANY, 0, NULL, NULL, false, false, 200, handle_metrics, NULL, "Counters as Prometheus text." },
    { HTTP_METHOD_GET, "/v1/openapi.json", ANY, 0, NULL, NULL, false, false, 200, handle_openapi, NULL, "This description, made from the live routes." },

    { HTTP_METHOD_GET, "/v1/products", SHOPPERS, 0, NULL, product_query, false, false, 200, call_read, "products.list", "The products, a page at a time." },
    { HTTP_METHOD_GET, "/v1/products/{sku}", SHOPPERS, 0, NULL, NULL, false, false, 200, call_read, "products.get", "One product, with its variants." },
    { HTTP_METHOD_GET, "/v1/products/{sku}/prices", SERVERS, SCOPE_ORDERS_READ, NULL, price_query, false, false, 200, call_read, "prices.history", "What a product was offered for and sold for in the days before a moment: what a \"was\" price is held against." },
    { HTTP_METHOD_PUT, "/v1/products/{sku}", SERVERS, SCOPE_PRODUCTS_WRITE, &schema_product_put, NULL, false, false, 200, call_write, "products.put", "Makes a product or replaces it." },
    { HTTP_METHOD_PATCH, "/v1/products/{sku}", SERVERS, SCOPE_PRODUCTS_WRITE, &schema_product_patch, NULL, false, false, 200, call_write, "products.patch", "Changes the members that are given; null removes one." },
    { HTTP_METHOD_POST, "/v1/products/import", SERVERS, SCOPE_PRODUCTS_WRITE, &schema_product_import, NULL, false, false, 200, call_write, "products.import", "Many products at once, all or none." },
    { HTTP_METHOD_POST, "/v1/stock", SERVERS, SCOPE_STOCK_WRITE, &schema_stock, NULL, true, false, 200, call_write, "stock.change", "Pieces that came or went." },

    { HTTP_METHOD_POST, "/v1/quotes", SHOPPERS, 0, &schema_quote, quote_query, false, false, 200, handle_quote, NULL, "What a cart costs, and why. Writes nothing." },
    { HTTP_METHOD_POST, "/v1/quotes/batch", SERVERS, SCOPE_QUOTES_BATCH, &schema_quote_batch, batch_query, false, false, 200, handle_quote_batch, NULL, "What many carts cost: 1000 at most, in 1 MiB, as {carts: [...]} or as lines of JSON (application/x-ndjson). Each is answered on its own, in order, as {status, quote} or {status, problem}; all under the same rules, at one time. Writes nothing.", .apart = true },
    { HTTP_METHOD_POST, "/v1/orders", SHOPPERS, SCOPE_ORDERS_WRITE, &schema_order, NULL, true, false, 201, handle_order_place, "orders.place", "Places an order at the price that was shown." },
    { HTTP_METHOD_GET, "/v1/orders", KNOWN, SCOPE_ORDERS_READ, NULL, order_query, false, false, 200, call_read, "orders.list", "Orders, newest first, a page at a time." },
    { HTTP_METHOD_GET, "/v1/orders/{id}", KNOWN, SCOPE_ORDERS_READ, NULL, NULL, false, false, 200, call_read, "orders.get", "One order." },
    { HTTP_METHOD_GET, "/v1/orders/{id}/explanation", SERVERS, SCOPE_ORDERS_READ, NULL, explanation_query, false, false, 200, handle_explanation, NULL, "Why it cost what it cost: its evidence priced again under the rules of its time, told as an explained quote, and whether that agrees with the order." },
    { HTTP_METHOD_POST, "/v1/orders/{id}/payments", KNOWN, SCOPE_ORDERS_WRITE, &schema_payment, NULL, true, false, 201, handle_payment, "orders.pay", "Pays what is owed, or a part of it. Through a provider that is a plugin: { payment } with what the client needs to pay; the money is in when the provider says so." },
    { HTTP_METHOD_POST, "/v1/payments/{provider}/notify", ANY, 0, NULL, NULL, false, true, 200, handle_payment_notify, NULL, "What a provider of payments tells of its own accord, signed by it; the answer is what it wants to read." },
    { HTTP_METHOD_POST, "/v1/orders/{id}/cancel", KNOWN, SCOPE_ORDERS_WRITE, &schema_cancel, NULL, true, false, 200, call_write, "orders.cancel", "Cancels: what was held is given back, what was paid is refunded." },
    { HTTP_METHOD_POST, "/v1/orders/{id}/refunds", SERVERS, SCOPE_REFUNDS_WRITE, &schema_refund, NULL, true, false, 201, call_write, "orders.refund", "Gives money back: units of lines, an amount of a line or of the order; without any, all that is left." },
    { HTTP_METHOD_POST, "/v1/orders/{id}/fulfilments", SERVERS, SCOPE_ORDERS_WRITE, &schema_fulfilment, NULL, true, false, 201, call_write, "orders.fulfil", "Sends units of a paid order; without lines, all that is left." },
    { HTTP_METHOD_POST, "/v1/orders/{id}/complete", KNOWN, SCOPE_ORDERS_WRITE, &schema_complete, NULL, true, false, 200, call_write, "orders.complete", "Ends an order of which everything was sent: its customer has got it, or the shop says so." },
    { HTTP_METHOD_DELETE, "/v1/orders/{id}/blocks/{plugin}/{name}", SERVERS, SCOPE_ORDERS_WRITE, NULL, block_query, false, false, 200, call_write, "orders.lift_block", "Lifts a block by hand, when the plugin that put it on does not." },
    { HTTP_METHOD_GET, "/v1/refunds", SERVERS, SCOPE_ORDERS_READ, NULL, refund_query, false, false, 200, call_read, "refund_desk.list", "Refunds that providers which are plugins are to give back, part by part, oldest first: those that wait for a person, or in another state." },
    { HTTP_METHOD_POST, "/v1/refunds/{number}/retry", SERVERS, SCOPE_REFUNDS_WRITE, &schema_refund_retry, NULL, false, false, 200, call_write, "refund_desk.retry", "Has the provider give it back now, under the same number as before." },
    { HTTP_METHOD_POST, "/v1/refunds/{number}/settle", SERVERS, SCOPE_REFUNDS_WRITE, &schema_refund_settle, NULL, true, false, 200, call_write, "refund_desk.settle", "Says that a person has given the money back by another way; only of one that waits for a person." },

    { HTTP_METHOD_POST, "/v1/checkouts", SHOPPERS, SCOPE_ORDERS_WRITE, &schema_checkout, NULL, false, false, 201, handle_checkout_create, "checkouts.create", "Keeps a cart while a purchase is built step by step; it holds nothing and expires. The answer has a fresh quote. A guest's repeated request makes another one." },
    { HTTP_METHOD_GET, "/v1/checkouts/{id}", SHOPPERS, SCOPE_ORDERS_READ, NULL, NULL, false, false, 200, handle_checkout_get, "checkouts.get", "The checkout as it is, with a fresh quote; for its customer, or whoever has the id of a guest's." },
    { HTTP_METHOD_PATCH, "/v1/checkouts/{id}", SHOPPERS, SCOPE_ORDERS_WRITE, &schema_checkout, NULL, false, false, 200, handle_checkout_change, "checkouts.change", "Replaces the members that are given; null takes one away. The answer has a fresh quote." },
    { HTTP_METHOD_POST, "/v1/checkouts/{id}/complete", SHOPPERS, SCOPE_ORDERS_WRITE, &schema_checkout_complete, NULL, false, false, 201, handle_checkout_complete, "checkouts.complete", "Places the order at the price that was shown, once however often it is asked; the answer is the order." },

    { HTTP_METHOD_PUT, "/v1/customers/{id}", SERVERS, SCOPE_CUSTOMERS_WRITE, &schema_customer, NULL, false, false, 200, call_write, "customers.put", "Makes a customer or replaces his data." },
    { HTTP_METHOD_GET, "/v1/customers/{id}", KNOWN, SCOPE_CUSTOMERS_READ, NULL, NULL, false, false, 200, call_read, "customers.get", "One customer." },
    { HTTP_METHOD_GET, "/v1/customers/{id}/facts", SERVERS, SCOPE_CUSTOMERS_READ, NULL, NULL, false, false, 200, handle_customer_facts, NULL, "What plugins know of a customer now, as rules see it." },
    { HTTP_METHOD_POST, "/v1/customers/{id}/tokens", SERVERS, SCOPE_TOKENS_WRITE, &schema_customer_token, NULL, false, true, 201, handle_customer_token, "customers.get", "A short-lived token with which this customer's own device may call." },

    { HTTP_METHOD_GET, "/v1/customers/{id}/consents", KNOWN, SCOPE_CUSTOMERS_READ, NULL, NULL, false, false, 200, call_read, "consents.list", "What a customer can consent to, what he has, and what he took back." },
    { HTTP_METHOD_PUT, "/v1/customers/{id}/consents/{purpose}", KNOWN, SCOPE_CUSTOMERS_WRITE, &schema_consent, NULL, false, false, 200, call_write, "consents.give", "Consents to a purpose in the words of a version; with share, to its being handed to third parties, too." },
    { HTTP_METHOD_DELETE, "/v1/customers/{id}/consents/{purpose}", KNOWN, SCOPE_CUSTOMERS_WRITE, NULL, consent_query, false, false, 200, call_write, "consents.withdraw", "Takes a consent back." },
    { HTTP_METHOD_GET, "/v1/customers/{id}/export", KNOWN, SCOPE_CUSTOMERS_READ | SCOPE_ORDERS_READ, NULL, NULL, false, false, 200, handle_person_export, "persons.export", "All that is kept of a customer, row by row, for programs to read." },
    { HTTP_METHOD_POST, "/v1/customers/{id}/erasure", KNOWN, SCOPE_CUSTOMERS_WRITE, &schema_erasure, NULL, false, true, 200, handle_person_erase, "persons.erase", "Erases a customer. What the law or an open order holds is in the answer, with when it ends. 202: somebody of the shop has to do it." },
    { HTTP_METHOD_GET, "/v1/persons/requests", SERVERS, SCOPE_CUSTOMERS_READ, NULL, person_query, false, false, 200, call_read, "persons.requests", "What persons asked for, newest first, and what is still held." },
    { HTTP_METHOD_DELETE, "/v1/persons/requests/{request}", KNOWN, SCOPE_CUSTOMERS_WRITE, NULL, NULL, false, false, 200, call_write, "persons.withdraw", "Takes a request back that nobody has carried out." },
    { HTTP_METHOD_PUT, "/v1/customers/{id}/minor", KNOWN, SCOPE_CUSTOMERS_WRITE, &schema_minor, NULL, false, false, 200, call_write, "consents.declare", "Declares a customer a minor: only what a guardian consents to counts. Servers can take that back." },

    { HTTP_METHOD_GET, "/v1/privacy", SHOPPERS, 0, NULL, notice_query, false, false, 200, call_read, "privacy.notice", "The privacy notice that follows from what is configured, and the field catalogue that it is made of." },
    { HTTP_METHOD_GET, "/v1/privacy/access", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_access, NULL, "How often plugins read personal fields, by day, and for what purpose." },

    { HTTP_METHOD_GET, "/v1/status", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_status, NULL, "One screen: generation, rates, queue, commit times, what is wrong.", .roles = ROLE_ANY },
    { HTTP_METHOD_GET, "/v1/generations", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_generation_list, NULL, "Which rules were live when, the last 100 attempts, and what is stopped.", .roles = ROLE_ANY },
    { HTTP_METHOD_POST, "/v1/generations", SERVERS, SCOPE_ADMIN, &schema_publish, NULL, false, false, 200, handle_publish, NULL, "Makes what is in the shop's folder live, or says what is wrong with it." },
    { HTTP_METHOD_POST, "/v1/generations/rollback", SERVERS, SCOPE_ADMIN, &schema_rollback, NULL, true, false, 200, handle_rollback, NULL, "Makes a generation live that was live before." },
    { HTTP_METHOD_GET, "/v1/stops", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_stop_list, NULL, "Campaigns and plugins that are stopped or quarantined: since when, by whom, why.", .roles = ROLE_ANY },
    { HTTP_METHOD_POST, "/v1/stops", SERVERS, SCOPE_ADMIN, &schema_stop, NULL, false, false, 201, handle_stop, NULL, "Stops a campaign or a plugin at once, until it is resumed.", .roles = STOPPERS },
    { HTTP_METHOD_DELETE, "/v1/stops/{name}", SERVERS, SCOPE_ADMIN, NULL, stop_query, false, false, 200, handle_resume, NULL, "Lets a stopped or quarantined campaign or plugin work again.", .roles = APPROVERS },
    { HTTP_METHOD_GET, "/v1/doctor", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_doctor, NULL, "Looks all data through: the file, the books, holds, payments, timers, the disk." },
    { HTTP_METHOD_GET, "/v1/follow", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_follow_look, NULL, "The second copy: where it is, and how far behind." },
    { HTTP_METHOD_PUT, "/v1/follow", SERVERS, SCOPE_ADMIN, &schema_follow, NULL, false, false, 200, handle_follow_set, NULL, "Keeps a second copy of all data in a folder of the shop's machine, from now on." },
    { HTTP_METHOD_DELETE, "/v1/follow", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_follow_forget, NULL, "Ends the second copy; what it has written stays." },
    { HTTP_METHOD_POST, "/v1/backup", SERVERS, SCOPE_ADMIN, &schema_backup, NULL, false, false, 200, handle_backup, NULL, "Writes a checked copy of all data into a file of the shop's machine, while the shop works on." },
    { HTTP_METHOD_POST, "/v1/replay", SERVERS, SCOPE_ADMIN, &schema_replay, NULL, false, false, 202, handle_replay, NULL, "Begins to compute orders again from their evidence, under the rules of their time, and to compare." },
    { HTTP_METHOD_GET, "/v1/replay", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_replay_look, NULL, "How far the last replay is, and what it found." },
    { HTTP_METHOD_DELETE, "/v1/replay", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_replay_cancel, NULL, "Ends a replay that is on its way." },
    { HTTP_METHOD_POST, "/v1/backtest", SERVERS, SCOPE_ADMIN, &schema_backtest, NULL, false, false, 202, handle_backtest, NULL, "Begins to price the orders that were under rules that are not live." },
    { HTTP_METHOD_GET, "/v1/backtest", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_backtest_look, NULL, "How far the last backtest is, and what it found." },
    { HTTP_METHOD_DELETE, "/v1/backtest", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_backtest_cancel, NULL, "Ends a backtest that is on its way." },
    { HTTP_METHOD_GET, "/v1/needs", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_needs, NULL, "What every plugin may touch, and why." },
    { HTTP_METHOD_POST, "/v1/prune", SERVERS, SCOPE_ADMIN, &schema_prune, NULL, false, false, 200, handle_prune, NULL, "Drops what plugins' collections hold and the live rules name no more. Sent again, it finds nothing left." },
    { HTTP_METHOD_POST, "/v1/plugins/{plugin}/repin", SERVERS, SCOPE_ADMIN, &schema_repin, NULL, false, false, 200, handle_repin, NULL, "Moves long-lived rows of a plugin to the rules of another revision; each is kept in the log of moves." },
    { HTTP_METHOD_GET, "/v1/events", SERVERS, SCOPE_ADMIN, NULL, event_query, false, false, 200, handle_event_list, NULL, "Events that plugins are still to hear after the commit, or dead letters (events and jobs), oldest first, a page at a time." },
    { HTTP_METHOD_POST, "/v1/events/{id}/replay", SERVERS, SCOPE_ADMIN, &schema_event_replay, NULL, false, false, 200, handle_event_replay, NULL, "Brings a dead letter (an event or a job), or an event that waits after a failure, to its plugin at once; all: the 500 oldest dead letters." },
    { HTTP_METHOD_DELETE, "/v1/events/{id}", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_event_drop, NULL, "Drops a dead letter, for ever." },
    { HTTP_METHOD_GET, "/v1/ledger/units", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_ledger_units, NULL, "Whether debits and credits agree, unit by unit." },
    { HTTP_METHOD_GET, "/v1/ledger/accounts", SERVERS, SCOPE_ADMIN, NULL, account_query, false, false, 200, call_read, "accounts.list", "Accounts of the ledger by name, a page at a time." },
    { HTTP_METHOD_GET, "/v1/ledger/accounts/{account}", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, call_read, "accounts.get", "One account: balance, what is held, who froze or closed it. A slash in the name is written %2F." },
    { HTTP_METHOD_GET, "/v1/ledger/accounts/{account}/statement", SERVERS, SCOPE_ADMIN, NULL, statement_query, false, false, 200, call_read, "accounts.statement", "What an account had at two moments, and what moved between them, a page at a time." },
    { HTTP_METHOD_PATCH, "/v1/ledger/accounts/{account}", SERVERS, SCOPE_ADMIN, &schema_account, NULL, false, false, 200, call_write, "accounts.change", "Freezes an account (nothing can be taken from it) or closes an empty one, or takes that back." },
    { HTTP_METHOD_GET, "/v1/webhooks", SERVERS, SCOPE_WEBHOOKS_WRITE, NULL, NULL, false, false, 200, handle_webhook_list, NULL, "Endpoints of other systems that hear what happens, and how they are doing." },
    { HTTP_METHOD_POST, "/v1/webhooks", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_new, NULL, false, true, 201, handle_webhook_create, NULL, "A new endpoint; its secret is shown only now." },
    { HTTP_METHOD_GET, "/v1/webhooks/{id}", SERVERS, SCOPE_WEBHOOKS_WRITE, NULL, NULL, false, false, 200, handle_webhook_get, NULL, "One endpoint." },
    { HTTP_METHOD_PATCH, "/v1/webhooks/{id}", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_change, NULL, false, false, 200, handle_webhook_change, NULL, "Changes the members that are given." },
    { HTTP_METHOD_DELETE, "/v1/webhooks/{id}", SERVERS, SCOPE_WEBHOOKS_WRITE, NULL, NULL, false, false, 200, handle_webhook_remove, NULL, "Removes an endpoint, with all that waits for it." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/rotate", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_rotate, NULL, false, true, 200, handle_webhook_rotate, NULL, "A new secret, shown only now; earlier ones sign as well for a while." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/pause", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_act, NULL, false, false, 200, handle_webhook_pause, NULL, "Sends nothing until it is resumed; what happens meanwhile waits." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/resume", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_act, NULL, false, false, 200, handle_webhook_resume, NULL, "Lets a paused or disabled endpoint work again, at once." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/ping", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_act, NULL, false, false, 202, handle_webhook_ping, NULL, "Sends a message of type webhook.ping, to try it." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/replay", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_replay, NULL, false, false, 200, handle_webhook_replay, NULL, "Sends messages since a time again, 500 at a time." },
    { HTTP_METHOD_GET, "/v1/webhooks/{id}/messages", SERVERS, SCOPE_WEBHOOKS_WRITE, NULL, webhook_query, false, false, 200, handle_webhook_messages, NULL, "What was sent, or is to be: each try with its status, newest first, a page at a time. Kept for 14 days." },
    { HTTP_METHOD_GET, "/v1/webhooks/{id}/messages/{message}", SERVERS, SCOPE_WEBHOOKS_WRITE, NULL, NULL, false, false, 200, handle_webhook_message, NULL, "One message, with its body." },
    { HTTP_METHOD_POST, "/v1/webhooks/{id}/messages/{message}/replay", SERVERS, SCOPE_WEBHOOKS_WRITE, &schema_webhook_act, NULL, false, false, 200, handle_webhook_replay_message, NULL, "Sends one message again." },
    { HTTP_METHOD_GET, "/v1/keys", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_key_list, NULL, "The keys, without their secrets." },
    { HTTP_METHOD_POST, "/v1/keys", SERVERS, SCOPE_ADMIN, &schema_key, NULL, false, true, 201, handle_key_create, NULL, "A new key; its text is shown only now." },
    { HTTP_METHOD_DELETE, "/v1/keys/{id}", SERVERS, SCOPE_ADMIN, NULL, NULL, false, false, 200, handle_key_revoke, NULL, "Revokes a key at once." },

    /* Operators sign in, and act under their names. What they may not is in the audit log. */
    { HTTP_METHOD_POST, "/v1/admin/sessions", ANY, 0, &schema_sign_in, NULL, false, true, 201, handle_sign_in, NULL, "An operator signs in: name, password, and the code of the second factor where there is one. The token is good for twelve hours." },
    { HTTP_METHOD_DELETE, "/v1/admin/sessions", PEOPLE, 0, NULL, NULL, false, false, 200, handle_sign_out, NULL, "The session ends.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/me", PEOPLE, 0, NULL, NULL, false, false, 200, handle_me, NULL, "Who is calling, and with which roles.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/operators", PEOPLE, 0, NULL, NULL, false, false, 200, handle_operator_list, NULL, "The operators, those who were removed last.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/operators", PEOPLE, 0, &schema_operator_new, NULL, false, true, 201, handle_operator_add, NULL, "A new operator; his name is his for ever.", .roles = 0, .audited = true },
    { HTTP_METHOD_PATCH, "/v1/admin/operators/{name}", PEOPLE, 0, &schema_operator_roles, NULL, false, false, 200, handle_operator_change, NULL, "Other roles; the sessions of this operator end.", .roles = 0, .audited = true },
    { HTTP_METHOD_DELETE, "/v1/admin/operators/{name}", PEOPLE, 0, NULL, NULL, false, false, 200, handle_operator_remove, NULL, "Removes an operator; his sessions end, and what he approved and is not live yet does not count any more.", .roles = 0, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/operators/{name}/password", PEOPLE, 0, &schema_operator_password, NULL, false, true, 200, handle_operator_password, NULL, "Another password; the sessions of this operator end. One's own needs the current one.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/operators/{name}/totp", PEOPLE, 0, &schema_nothing, NULL, false, true, 201, handle_operator_totp, NULL, "Begins one's own second factor: the secret for an app, shown only now.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/operators/{name}/totp/confirm", PEOPLE, 0, &schema_code, NULL, false, true, 200, handle_operator_totp_confirm, NULL, "The first code of the app turns the second factor on. The answer has recovery codes, shown only now, each good once.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_DELETE, "/v1/admin/operators/{name}/totp", PEOPLE, 0, NULL, NULL, false, false, 200, handle_operator_totp_remove, NULL, "Takes a lost second factor away; the sessions of this operator end.", .roles = 0, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/audit", PEOPLE, 0, NULL, audit_query, false, false, 200, handle_audit_list, NULL, "The audit log, newest first: who did what, and what was refused.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/audit/head", PEOPLE, 0, NULL, NULL, false, false, 200, handle_audit_head, NULL, "Number and hash of the last entry, signed; to be kept elsewhere.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/audit/compare", PEOPLE, 0, &schema_audit_head, NULL, false, true, 200, handle_audit_compare, NULL, "Reads the whole log and holds it against a head that was kept: 409 when an entry is missing, changed or moved.", .roles = ROLE_ANY, .audited = true },

    { HTTP_METHOD_GET, "/v1/admin/shares", PEOPLE, 0, NULL, NULL, false, false, 200, handle_share_list, NULL, "Live campaigns that are for a share of the customers: how large it is, and how large it may be made.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_PUT, "/v1/admin/shares/{campaign}", PEOPLE, 0, &schema_share, NULL, false, false, 200, handle_share_set, NULL, "Makes it larger or smaller, at once, within what the live rules allow; 0 withdraws it.", .roles = STOPPERS, .audited = true },

    /* Changes on their way. */
    { HTTP_METHOD_GET, "/v1/admin/drafts", PEOPLE, 0, NULL, NULL, false, false, 200, handle_draft_list, NULL, "The newest 100 drafts: state, hash, steps.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/drafts", PEOPLE, 0, &schema_submit, NULL, false, false, 200, handle_draft_submit, NULL, "Submits what is in the shop's folder: checked, it waits for its approvals and its time, and then goes live by itself.", .roles = ROLE_AUTHOR, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/drafts/{id}", PEOPLE, 0, NULL, NULL, false, false, 200, handle_draft_get, NULL, "One draft: what changes and which steps that needs, what the checks found, who had a hand in it, who approved what.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_GET, "/v1/admin/drafts/{id}/files", PEOPLE, 0, NULL, NULL, false, false, 200, handle_draft_files, NULL, "The files that differ from what it was compared with, before and after.", .roles = ROLE_ANY, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/drafts/{id}/approve", PEOPLE, 0, &schema_approve, NULL, false, false, 200, handle_draft_approve, NULL, "Approves the next step, for the hash that was looked at. With the last one the draft goes live, at its time.", .roles = APPROVERS, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/drafts/{id}/reject", PEOPLE, 0, &schema_reason, NULL, false, false, 200, handle_draft_reject, NULL, "Back to a draft, with the reason; one person can, until it is live.", .roles = ROLE_AUTHOR | APPROVERS, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/drafts/{id}/withdraw", PEOPLE, 0, &schema_reason, NULL, false, false, 200, handle_draft_withdraw, NULL, "It is not wanted any more.", .roles = ROLE_AUTHOR | APPROVERS, .audited = true },
    { HTTP_METHOD_POST, "/v1/admin/drafts/{id}/schedule", PEOPLE, 0, &schema_schedule, NULL, false, false, 200, handle_draft_schedule, NULL, "Another time to go live; what was approved has to be approved again.", .roles = ROLE_AUTHOR | APPROVERS, .audited = true },
    { 0 },
};
/* clang-format on */

struct route_table {
    struct http_router *router;
    size_t count;
};

void routes_close(struct route_table *t)
{
    if (!t)
        return;
    http_router_free(t->router);
    free(t);
}

int routes_open(struct route_table **out, struct err *err)
{
    *out = NULL;
    struct route_table *t = calloc(1, sizeof *t);
    if (!t || !(t->router = http_router_new())) {
        routes_close(t);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    for (const struct route *r = core_routes; r->pattern; r++, t->count++) {
        int rc = http_router_add(t->router, r->method, r->pattern, (void *)(uintptr_t)r, err);
        if (rc < 0) {
            routes_close(t);
            return rc;
        }
    }
    *out = t;
    return 0;
}

const struct http_router *routes_router(const struct route_table *t)
{
    return t->router;
}

const struct route *routes_at(const struct route_table *t, size_t i)
{
    return i < t->count ? &core_routes[i] : NULL;
}
