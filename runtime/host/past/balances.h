/* host/past/balances.h - what is left of the limits of campaigns, while orders of the past are placed once more in their order. Accounts
 * begin at what the record of the first order that asked said, else at nothing used. Any thread may look; one at a time changes. */
#pragma once
#include "quote/quote.h"

struct balances;
struct balances *balances_new(void); /* NULL: out of memory */
void balances_free(struct balances *b);
bool balances_find(struct balances *b, struct slice account, int64_t *balance);
int balances_set(struct balances *b, struct slice account, int64_t balance, struct err *err);
static inline bool balances_is_limit(struct slice account)
{
    return account.len > 9 && memcmp(account.data, "campaign/", 9) == 0;
}
