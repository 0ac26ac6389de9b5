/* host/publish/submission.h - the checks that plugins make of what is submitted: each campaign, each plugin with its settings, and
 * shop.lua, before they go live. A check is a pure function of the subject; it sees what was live before as the subject's history. Runs on
 * the publisher's thread, or wherever files are looked through. */
#pragma once
#include "bind/checks.h"
#include "rulebook/rulebook.h"

struct log;
struct price_history;

struct submission {
    struct arena arena;           /* what is below lives in it */
    struct price_history *prices; /* set before it is checked; NULL: nothing is known of prices */
    struct bind_findings found;   /* each with `subject` ("campaign welcome") and `at` ("campaigns/welcome.lua:3") */
};
void submission_init(struct submission *s);
void submission_release(struct submission *s);

bool submission_wanted(const struct generation *g); /* has it such checks at all? */
/* before: what was live, or NULL. 0, also when something blocks; an error is the machine's. */
int submission_check(struct generation *g, const struct generation *before, struct submission *out, struct err *err);
/* The product of the SKU as it is now; NULL: nobody sells it. */
typedef const struct quote_product *(*submission_sold)(void *ctx, struct slice sku);
/* Adds a warning for each SKU that a plugin's settings name and nobody sells, and one for all such of one word of a campaign; the same of
 * prices that are not lower, and of gifts that a gate stands before. */
int submission_skus(const struct generation *g, submission_sold sold, void *ctx, struct submission *out, struct err *err);
/* ERR_INVALID with the first that blocks, its place before it, and how many more there are; 0 when none does. */
int submission_verdict(const struct submission *s, struct err *err);
void submission_log(const struct submission *s, struct log *log); /* what does not block */
bool submission_blocks(const struct json_value *finding);
