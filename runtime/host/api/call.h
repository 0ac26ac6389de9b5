/* host/api/call.h - one request on its way: from the route to the answer.
 *
 *   on_request → route → who is calling → body and schema → the route's handler
 *      read:  runs on the worker, answers at once
 *      write: call_submit() hands the call to the writer; answered after the commit
 *
 * While a call is with the writer, the worker does not touch it, so its arena has one user at a time. */
#pragma once
#include "base/schema.h"
#include "host/shop.h"
#include "host/care/tally.h"

struct call;

struct query_param {
    const char *name; /* NULL ends the list */
    const char *about;
    const struct schema *schema; /* NULL = any text, and it may be left out */
};

struct route {
    enum http_method method;
    const char *pattern;
    unsigned callers;          /* mask of enum caller_kind; 0 = anybody, without a key */
    unsigned scope;            /* that an sk_ needs; 0 = none */
    const struct schema *body; /* NULL = no body is read */
    const struct query_param *query;
    bool key_required; /* of Idempotency-Key */
    bool secret;       /* the answer holds a secret: it is not kept under an idempotency key */
    int created;       /* status of success in the reference: 200, 201 */
    void (*handle)(struct call *c);
    const char *procedure; /* of call_read / call_write */
    const char *summary;
    bool apart;     /* the body has many parts that the handler reads, each on its own: `body` only describes it */
    unsigned roles; /* of operators with a session who may call beside owners */
    bool audited;   /* a key that may not is written into the audit log, as operators always are */
};

struct call {
    struct http_request *req;
    struct worker *worker;
    struct seat *seat; /* the rules it began under: it ends under the same */
    struct shop *shop;
    const struct route *route;
    struct caller who;
    struct arena *arena;     /* the request's */
    struct json_value *body; /* NULL where the body's schema has a struct of its own: then it is in `said` */
    void *said;
    struct slice idempotency_key; /* data NULL = none */
    unsigned char request_hash[SHA256_BYTES];
    /* Of carts that are priced as one: the time that rules see, and the products. 0 and NULL: as of now. */
    int64_t at_ms;
    struct catalogue_snapshot *catalogue; /* borrowed */
    struct slice dropped;                 /* personal fields that were sent and are not in the catalogue: "/contact/birthday"; see door.h */
    struct err err;
    struct bind_answer answer;
    bool replayed;
    bool is_step; /* more follows: what it gives is not yet the answer, and is not kept under the idempotency key */
    /* on the way through the writer */
    struct writer_command command;
    struct loop_post post;
    uint32_t share;                                                          /* of the writer's queue, see store/writer.h */
    const char *procedure;                                                   /* a function of the stdlib ... */
    int (*native)(struct call *c, struct store_conn *conn, struct err *err); /* ... or one of ours that fills c->answer */
    const struct json_value *args;
    int owner;          /* number of the plugin's function that it is, or TALLY_SHOP */
    struct tally tally; /* who ran in it on the writer, and for how long */
    const struct bind_quote *quote;
    struct seat *quote_seat;                            /* the rules of the quote, when they are of an earlier generation */
    int (*still_true)(struct call *c, struct err *err); /* on the writer, before the procedure; may be NULL */
    int rc;
    void (*done)(struct call *c); /* on the worker again; default call_answer */
    void *state;                  /* the handler's own */
};

/* worker → handlers */
void call_begin(struct worker *w, struct http_request *req);

/* For handlers. Every call ends in exactly one of these, and is gone when it returns: answering frees its arena. */
void call_answer(struct call *c); /* c->rc, c->err, c->answer → HTTP */
void call_answer_json(struct call *c, int status, struct slice json);
void call_fail(struct call *c, const char *extra_member, struct slice extra_json); /* c->err as a problem document; extra may be NULL */
struct call_extra {
    const char *member; /* NULL = none */
    struct slice json;
};
void call_fail_with(struct call *c, const struct call_extra *extra, size_t count);
/* c->err as a problem document at the end of out, for an answer that has others beside it. status 0: as the error says. Gives the status.
 */
int call_problem_write(struct call *c, int status, const struct call_extra *extra, size_t count, struct buf *out);

/* The arguments every procedure gets: { principal, params, query, shop, body }. NULL after answering that memory ran out. */
struct json_value *call_args(struct call *c);
/* procedure with args on the worker, in one snapshot; fills c->answer. */
int call_ask(struct call *c, const char *procedure, const struct json_value *args);
struct json_value *call_args_with(struct call *c, struct json_value *body); /* with a part of the body; NULL = none */
void call_read(struct call *c);                                             /* route->procedure on the worker, in one snapshot */
void call_write(struct call *c);                                            /* route->procedure on the writer */
/* procedure with args on the writer; c->done (or call_answer) when it is over. false, with c->rc and c->err, when the queue is full. */
bool call_submit(struct call *c, const char *procedure, const struct json_value *args);
void call_write_native(struct call *c, int (*native)(struct call *c, struct store_conn *conn, struct err *err));
/* The call waits for another thread, which ends with call_resume(); then c->done (or call_answer) runs on the worker. */
void call_wait(struct call *c);
void call_resume(struct call *c);
/* Keeps c->answer under the call's idempotency key, if it has one; on the writer, in the transaction that it answers for. */
struct slice call_key_scope(struct call *c); /* whose idempotency keys these are; data NULL: no memory */
int call_remember(struct call *c, struct store_conn *conn, struct err *err);
/* Looks the answer of an earlier request with the same key up in the worker's snapshot. true = the call was answered. */
bool call_answer_again(struct call *c);
bool call_says_json(const struct call *c);                          /* its body */
bool call_may(const struct call *c, unsigned scope);                /* a server's key or an operator that has it */
int call_read_number(struct slice text, int64_t max, int64_t *out); /* a whole number without sign; ERR_INVALID otherwise */
/* The query parameter of that name, when it is there. Fills c->err. */
int call_query_number(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out);
