/* host/api/pricing.h - from the body of a quote (or a token) to a priced cart: resolves SKUs in the catalogue, loads the
 * customer's facts, calls the kernel, writes the answer with its token. */
#pragma once
#include "host/api/call.h"
#include "host/api/schemas.h"

struct pricing {
    struct seat *seat; /* whose rules; the call's, or for a token those of its generation */
    bool from_token;
    bool vetted;            /* the cart was looked at when it was stored: what only servers may send was sent by one */
    struct slice checkout;  /* "chk_...:7": the checkout, and its version, that this quote is of; empty when it is of none */
    bool without_token;     /* the answer gets none */
    uint64_t stops_version; /* what was stopped when it was priced */
    struct quote_cart cart;
    struct quote_telling telling; /* what the answer says of it, and in which words */
    struct quote_result result;
    struct catalogue_snapshot *catalogue; /* counted: titles and tags of the cart point into it */
    struct slice evidence;
};

/* What the caller of a quote or an order asks for. 0, or an error with the field at fault (ERR_DENIED for a member that only a server may
 * send). */
int pricing_from_said(struct call *c, const struct cart_said *said, struct pricing *p);
int pricing_from_body(struct call *c, const struct json_value *body, struct pricing *p); /* the same, where there is a tree */
/* The same of a cart that is stored, whoever asks for its price now. Without a customer it is the caller's. */
int pricing_from_stored(struct call *c, const struct json_value *cart, struct pricing *p);
/* Whether the caller may send these members, and the SKUs can be bought; prices nothing. */
int pricing_vet(struct call *c, const struct json_value *body);
/* The cart of a quote token, with the prices that were shown. reason "quote_expired", "token_invalid". PRICING_ELSEWHERE, with the
 * generation: this worker does not have its rules; get them from the publisher (PUBLISH_REOPEN) and call again. */
enum { PRICING_ELSEWHERE = 1 };
int pricing_from_token(struct call *c, struct slice token, struct pricing *p, struct slice *generation);
int pricing_run(struct call *c, struct pricing *p);
/* ERR_INVALID "gate_closed" when a gate hides one of its lines: it can be shown, and not be ordered. */
int pricing_require_open(struct call *c, struct pricing *p);
/* The gate that is why c->err is what it is, for the member "gate" of the problem; data NULL when none is. */
struct slice pricing_refusal(struct call *c, const struct pricing *p);
/* 0, or ERR_CONFLICT "campaign_stopped" or "plugin_stopped": something that had a say in these prices has been stopped since. Any thread.
 */
int pricing_check_stops(const struct call *c, const struct pricing *p, struct err *err);
/* The cart of an older quote at today's clock, prices and facts. now->catalogue must be set. */
int pricing_refresh(struct call *c, const struct quote_cart *old, struct pricing *now);
int pricing_evidence(struct call *c,
                     struct pricing *p); /* fills p->evidence, after pricing_run(): what an order keeps (host/past/record.h) */
void pricing_release(struct pricing *p);

/* Reads `lang` and Accept-Language of the request into p->telling; ERR_INVALID for a `lang` that there is not. */
int pricing_language(struct call *c, struct pricing *p);
/* The same, and `explain` and `offers`, into p->telling and p->cart; p->seat must be set. In quotes.c. */
int pricing_asked(struct call *c, struct pricing *p);
/* The whole quote document, with generation, expiry and token, told as p->telling says. */
void pricing_write(struct call *c, struct pricing *p, struct buf *out);
struct slice pricing_document(struct call *c, struct pricing *p); /* the same in the call's arena; data NULL when out of memory */
