/* host/past/explanation.h - why an order cost what it cost: its evidence priced again, and told as a quote is with ?explain=full. */
#pragma once
#include "host/past/again.h"

/* An object: "order", "placed_at", the members of an explained quote, "generation", "seen" (what the rules saw: "at", "customer", "tags",
 * "facts", "codes", "channel"..., and the versions), "agrees", and with false "difference". words may be NULL. ERR_NOT_FOUND; ERR_CONFLICT
 * "not_explicable" when it can't be computed again. */
int explanation_write(struct shop *s, struct store_conn *conn, struct slice order, const struct quote_words *words, struct json_writer *w,
                      struct err *err);
