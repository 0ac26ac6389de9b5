/* host/care/totals.h - figures of all workers of a shop together. */
#pragma once
#include "host/shop.h"

void shop_http_stats(struct shop *s, struct http_stats *out);
