/* host/api/history.h - what the shop itself knows of a customer: the answers to the questions of its rules (quote_rules_questions). */
#pragma once
#include "host/api/call.h"

struct history { /* of the customer's row */
    int64_t orders, since_ms;
};

/* Adds a fact for each question to cart->facts, which has room for them. Read from the worker's connection, in the snapshot of the caller.
 */
int history_answer(struct call *c, const struct history *of, const struct quote_question *questions, size_t count, struct quote_cart *cart,
                   struct quote_fact *facts);
/* One of them is answered from what the customer bought, and not from his row alone. */
bool history_reads_purchases(const struct quote_question *questions, size_t count);
