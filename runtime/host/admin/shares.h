/* host/admin/shares.h - campaigns that are for a share of the customers. A customer's number is a hash, keyed with the shop's secret, of
 * who he is and which campaign it is: so he is in or out of one for good, and being in one says nothing of another. How large a share is
 * now is what the rules say it begins with, or what somebody has made of it within what they allow; both were approved with them. */
#pragma once
#include "host/shop.h"

struct shares;
int shares_open(struct store_conn *conn, struct shares **out, struct err *err);
void shares_close(struct shares *s);                                           /* NULL is fine */
int shares_reload(struct shares *s, struct store_conn *conn, struct err *err); /* after the commit that changed rows; writer's thread */

/* For cart.shares, in the arena; a guest has none, but of what all customers are in. Any thread. */
int shares_of(struct shop *s, const struct quote_rules *rules, struct slice customer, struct arena *arena, const struct quote_share **out,
              size_t *count, struct err *err);

/* On the writer, in its transaction. ERR_NOT_FOUND, ERR_DENIED "outside_of_range". */
int share_set(struct store_conn *conn, const struct quote_rules *rules, struct slice campaign, int64_t share_ppm, const char *author,
              int64_t now_ms, struct err *err);
/* Members of an array that is open: each campaign with a share, under these rules. */
void shares_write(struct shares *s, const struct quote_rules *rules, struct json_writer *w);
