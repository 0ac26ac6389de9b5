/* bind/facts.h - a fact of a customer: what a plugin's function makes of the customer's rows in one of its collections. */
#pragma once
#include "base/collection.h"
#include "bind/bind.h"

/* A customer with more rows than this fails the fact: a plugin that goes on counting keeps sums in a row. */
enum { BIND_FACT_ROWS_MAX = 1000, BIND_FACT_TEXT_MAX = 200, BIND_FACT_NAME_MAX = 80 };

struct bind_fact {    /* must outlive the state */
    const char *name; /* "member-tiers.level" */
    symbol symbol;
    int fn;                            /* number for vm_function() */
    enum field_type type;              /* FIELD_JSON: a set of names; as a fact it is their text, each with a line end behind it */
    const struct collection *rows;     /* NULL: the function gets none */
    const struct collection_field *by; /* of rows: the field that holds the customer */
    bool of_codes;                     /* asked for each typed code: bind_code(); its type is FIELD_JSON */
};

/* Calls the function with (rows, { customer, now, tags }, settings): rows from the connection of the state's bind_context, the rest from
 * the cart, which has a customer. It is a rule: nothing else is there for it. 1 with *out (text in the context's arena), 0 when there is no
 * such fact of this customer. When the function fails *out has the kind FAILED and the cause is in err and in the log: that is 1, too.
 * Negative: the store failed, or memory ran out. */
int bind_fact(struct vm *v, const struct bind_fact *f, const struct quote_cart *cart, const struct symbols *symbols, struct quote_fact *out,
              struct err *err);

/* What a plugin says of a typed code. */
struct bind_code {
    struct slice stands_for; /* a campaign's id, in the context's arena; empty: none */
    const char *refused;     /* a status of quote_code; NULL: it is not */
    int64_t from_ms, to_ms;  /* when it can be used; 0: not said */
};
/* Calls the function of a fact of codes with (code, { customer, now }, settings); a guest has no customer. It may read the store, from the
 * connection of the state's bind_context, and nothing else. 1 with *out, 0 when the code is none of the plugin's. When the function fails,
 * *out says refused = "failed", and the cause is in err and in the log: that is 1, too. Negative: the store failed, or memory ran out. */
int bind_code(struct vm *v, const struct bind_fact *f, struct slice code, const struct quote_cart *cart, struct bind_code *out,
              struct err *err);

/* Goes through the names of a fact that is a set of them: `rest` begins as its text. */
bool fact_next_name(struct slice *rest, struct slice *name);
