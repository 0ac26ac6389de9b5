/* host/api/auth.h - who is calling. pk_ (a storefront; its caller is a guest), sk_ (a server, with scopes), ct_ (one customer,
 * short-lived), op_ (an operator who has signed in), and whoever can open data/feira.sock: he owns the machine. Keys and sessions are
 * stored as SHA-256 of the whole text (they hold 192 random bits, so a slow hash would add nothing); customer tokens are not stored: they
 * are signed with the shop's secret. */
#pragma once
#include "base/clock.h"
#include "base/random.h"
#include "crypto/crypto.h"
#include "store/store.h"

enum caller_kind {
    CALLER_NOBODY = 0,
    CALLER_STOREFRONT = 1,
    CALLER_CUSTOMER = 2,
    CALLER_SERVER = 4,
    CALLER_OPERATOR = 8,
};

enum scope {
    SCOPE_PRODUCTS_WRITE = 1 << 0,
    SCOPE_STOCK_WRITE = 1 << 1,
    SCOPE_ORDERS_READ = 1 << 2,
    SCOPE_ORDERS_WRITE = 1 << 3,
    SCOPE_REFUNDS_WRITE = 1 << 4,
    SCOPE_CUSTOMERS_READ = 1 << 5,
    SCOPE_CUSTOMERS_WRITE = 1 << 6,
    SCOPE_TOKENS_WRITE = 1 << 7,
    SCOPE_ADMIN = 1 << 8,
    SCOPE_WEBHOOKS_WRITE = 1 << 9,
    SCOPE_QUOTES_BATCH = 1 << 10,
    SCOPE_ALL = (1 << 11) - 1,
};
extern const char *const scope_names[]; /* NULL-terminated, in the order of the bits */
int scope_parse(struct slice name, unsigned *out, struct err *err);

/* Of operators. A role opens nothing but the routes that name it (route.roles); an owner may call whatever operators may. */
enum role {
    ROLE_VIEWER = 1 << 0,
    ROLE_AUTHOR = 1 << 1,
    ROLE_BUSINESS = 1 << 2,
    ROLE_LEGAL = 1 << 3,
    ROLE_OWNER = 1 << 4,
    ROLE_ANY = (1 << 5) - 1,
};
extern const char *const role_names[]; /* NULL-terminated, in the order of the bits */
enum { ROLES_TEXT_MAX = 64 };
unsigned roles_of_text(struct slice text); /* "business,legal"; names that there are not are no role */
struct slice roles_to_text(unsigned roles, char buf[ROLES_TEXT_MAX]);

enum { CALLER_ID_MAX = 72 };
struct caller {
    enum caller_kind kind;
    unsigned scopes;              /* SERVER; owners have all */
    char id[CALLER_ID_MAX];       /* key id, customer id or an operator's name: the scope of idempotency keys */
    char customer[CALLER_ID_MAX]; /* CUSTOMER, else "" */
    /* OPERATOR */
    bool is_local; /* over the socket without a session: who owns the machine, and no particular person */
    unsigned roles;
    int factors;                              /* of the session: 2 = with a one-time code */
    unsigned char session_hash[SHA256_BYTES]; /* of the session, unless is_local */
};
const char *caller_kind_name(enum caller_kind k); /* "pk", "ct", "sk", "operator" */

struct auth;
/* The shop's secret is read from the store (meta, name "secret"); the first start makes it. */
int auth_open(struct store_conn *writer_conn, const struct random_source *random, const struct clock *clock, struct auth **out,
              struct err *err);
void auth_close(struct auth *a);
int auth_reload(struct auth *a, struct store_conn *conn,
                struct err *err); /* after keys changed; any thread may be calling auth_check meanwhile */

/* The clock of sessions: never behind what it has been, also before the last start, so that setting the clock back revives none. */
int64_t auth_now_ms(struct auth *a);

/* header: value of Authorization, data NULL when absent (then *out is nobody and 0 is returned). ERR_UNAUTHENTICATED otherwise. */
int auth_check(struct auth *a, struct slice header, struct caller *out, struct err *err);

/* A new key into text (shown once) and its hash. kind: "pk", "sk" or "op". */
enum { API_KEY_MAX = 48 };
void auth_make_key(const struct random_source *random, const char *kind, char text[API_KEY_MAX], unsigned char hash[SHA256_BYTES]);

/* A token for a customer, into out (NUL-terminated). */
enum { CUSTOMER_TOKEN_MAX = 256 };
int auth_make_token(struct auth *a, struct slice customer, int64_t expires_ms, char out[CUSTOMER_TOKEN_MAX], struct err *err);

/* Signs and checks what the shop hands out and gets back (quote tokens). The two kinds can't stand in for one another: `purpose` is signed
 * too. */
void auth_sign(const struct auth *a, const char *purpose, struct slice payload, unsigned char mac[SHA256_BYTES]);
