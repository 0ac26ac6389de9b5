/* host/api/compared.h - the price that a product is compared with (compare_at), as far as its history bears it out. shop.lua says how:
 * compare_at = { days = 30, by = "offers" } (the lowest price it was offered for in the days before the comparison began) or by = "deals"
 * (the lowest it was sold for, else the last). What is not borne out is not shown; no history, no comparison. stdlib/feira/prices.lua does
 * the same for products, a test holds them together. */
#pragma once
#include "rulebook/rulebook.h"
#include "store/store.h"

/* *compare_at_minor becomes 0 when it must not be shown. Nothing is asked where it is 0, or the shop does not say how. */
int compared_price(struct store_conn *conn, const struct shop_settings *s, struct slice sku, int64_t *compare_at_minor, struct err *err);
