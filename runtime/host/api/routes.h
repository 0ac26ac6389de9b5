/* host/api/routes.h - every route of the API in one table: method, path, who may call, the shape of the body, the handler.
 * The router, the checks before a handler and /v1/openapi.json all read it. */
#pragma once
#include "host/api/call.h"

struct route_table;
int routes_open(struct route_table **out, struct err *err);
void routes_close(struct route_table *t);
const struct http_router *routes_router(const struct route_table *t);
const struct route *routes_at(const struct route_table *t, size_t i); /* NULL after the last */

extern const struct route core_routes[]; /* ended by pattern NULL */

struct plugin_state;
/* plugins: of the state whose plugins' routes are described, too. */
void openapi_write(const struct route_table *t, const struct plugin_state *plugins, struct buf *out);

/* handlers, by file */
void handle_quote(struct call *c);           /* api/quotes.c */
void handle_quote_batch(struct call *c);     /* api/batches.c */
void handle_order_place(struct call *c);     /* api/orders.c */
void handle_checkout_create(struct call *c); /* api/checkouts.c */
void handle_checkout_get(struct call *c);
void handle_checkout_change(struct call *c);
void handle_checkout_complete(struct call *c);
void handle_payment(struct call *c); /* api/payments.c */
void handle_payment_notify(struct call *c);
void handle_customer_token(struct call *c); /* api/customers.c */
void handle_customer_facts(struct call *c);
void handle_health(struct call *c); /* api/ops.c */
void handle_ready(struct call *c);
void handle_metrics(struct call *c);
void handle_openapi(struct call *c);
void handle_status(struct call *c);
void handle_key_create(struct call *c); /* api/keys.c */
void handle_key_list(struct call *c);
void handle_key_revoke(struct call *c);
void handle_generation_list(struct call *c); /* api/generations.c */
void handle_publish(struct call *c);
void handle_rollback(struct call *c);
void handle_stop_list(struct call *c); /* api/stops.c */
void handle_stop(struct call *c);
void handle_resume(struct call *c);
void handle_access(struct call *c); /* api/persons.c */
void handle_person_export(struct call *c);
void handle_person_erase(struct call *c);
void handle_needs(struct call *c); /* api/plugins.c */
void handle_prune(struct call *c);
void handle_ledger_units(struct call *c); /* api/ledger.c */
void handle_doctor(struct call *c);
void handle_backup(struct call *c);
void handle_follow_look(struct call *c);
void handle_follow_set(struct call *c);
void handle_follow_forget(struct call *c);
void handle_explanation(struct call *c); /* api/past.c */
void handle_replay(struct call *c);
void handle_replay_look(struct call *c);
void handle_replay_cancel(struct call *c);
void handle_backtest(struct call *c);
void handle_backtest_look(struct call *c);
void handle_backtest_cancel(struct call *c);
void handle_repin(struct call *c);      /* api/repin.c */
void handle_event_list(struct call *c); /* api/events.c */
void handle_event_replay(struct call *c);
void handle_event_drop(struct call *c);
void handle_webhook_list(struct call *c); /* api/webhooks.c */
void handle_webhook_get(struct call *c);
void handle_webhook_create(struct call *c);
void handle_webhook_change(struct call *c);
void handle_webhook_remove(struct call *c);
void handle_webhook_rotate(struct call *c);
void handle_webhook_pause(struct call *c);
void handle_webhook_resume(struct call *c);
void handle_webhook_ping(struct call *c);
void handle_webhook_messages(struct call *c);
void handle_webhook_message(struct call *c);
void handle_webhook_replay_message(struct call *c);
void handle_webhook_replay(struct call *c);
void handle_sign_in(struct call *c); /* api/operators.c */
void handle_sign_out(struct call *c);
void handle_me(struct call *c);
void handle_operator_list(struct call *c);
void handle_operator_add(struct call *c);
void handle_operator_change(struct call *c);
void handle_operator_remove(struct call *c);
void handle_operator_password(struct call *c);
void handle_operator_totp(struct call *c);
void handle_operator_totp_confirm(struct call *c);
void handle_operator_totp_remove(struct call *c);
void handle_audit_list(struct call *c); /* api/audit.c */
void handle_audit_head(struct call *c);
void handle_audit_compare(struct call *c);
void handle_draft_submit(struct call *c); /* api/generations.c */
void handle_draft_list(struct call *c);   /* api/drafts.c */
void handle_draft_get(struct call *c);
void handle_draft_files(struct call *c);
void handle_draft_approve(struct call *c);
void handle_draft_reject(struct call *c);
void handle_draft_withdraw(struct call *c);
void handle_draft_schedule(struct call *c);
void handle_share_list(struct call *c); /* api/shares.c */
void handle_share_set(struct call *c);
