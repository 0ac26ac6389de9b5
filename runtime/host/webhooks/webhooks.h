/* host/webhooks/webhooks.h - endpoints of other systems that hear what happens (journal/webhooks.h): kept in memory for the threads that
 * ask, as an immutable snapshot that is replaced after the commit that changed them. Which events an endpoint picks, what it is told, and
 * how that is signed, by the Standard Webhooks specification:
 *
 *   webhook-id: msg_...          the same in every try, and for every endpoint that gets the same bytes
 *   webhook-timestamp: seconds   of this try
 *   webhook-signature: v1,BASE64 of HMAC-SHA256 over "id.timestamp.body"; one for each secret that still signs, with blanks between
 *   {"type":"order.paid","timestamp":"2030-...Z","data":{...},"personal":{...}}     personal: where the endpoint was given some
 *
 * The body is written once, in the transaction of its event. */
#pragma once
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "journal/webhooks.h"

struct generation;

enum { WEBHOOKS_MAX = 50, WEBHOOK_PICKS_MAX = 50, WEBHOOK_ID_MAX = ID_MAX };
#define WEBHOOKS_KEPT_MS (14 * INT64_C(86400000)) /* messages, from when their event happened */

struct webhook_secret {
    unsigned char bytes[WEBHOOK_SECRET_BYTES_MAX];
    size_t len;
    int64_t until_ms; /* 0 = no end */
};

struct webhook { /* one endpoint */
    int64_t id;
    enum webhook_state state;
    const char *name; /* "whk_..." */
    struct slice url, label, why;
    const struct slice *picks;
    size_t pick_count;
    unsigned personal; /* bits of webhook_personal() */
    bool ordered;
    int64_t created_ms, failures, failing_since_ms, rests_until_ms;
    struct webhook_secret secrets[WEBHOOK_SECRETS_MAX]; /* newest first */
    size_t secret_count;
};

struct webhooks;
struct webhook_set; /* counted */
int webhooks_open(struct store_conn *conn, const struct clock *clock, struct webhooks **out, struct err *err);
void webhooks_close(struct webhooks *w);                                           /* NULL is fine */
int webhooks_reload(struct webhooks *w, struct store_conn *conn, struct err *err); /* after a commit that changed them */

struct webhook_set *webhooks_acquire(struct webhooks *w); /* any thread */
struct webhook_set *webhook_set_ref(struct webhook_set *s);
void webhook_set_release(struct webhook_set *s);
size_t webhook_set_count(const struct webhook_set *s);
const struct webhook *webhook_set_at(const struct webhook_set *s, size_t i);
const struct webhook *webhook_set_find(const struct webhook_set *s, struct slice name); /* NULL = there is none */

/* --- what an endpoint picks ------------------------------------------------------------------------------------------------ */

/* "order.paid", "order.*", or "*": every event of the shop itself but fact.changed, which says what plugins know; that and the events of
 * plugins are picked by their names, "invite.*". */
bool webhook_picks(struct slice pick, struct slice event);
bool webhook_hears(const struct webhook *w, struct slice event);
bool webhooks_hear(struct webhooks *w, struct slice event); /* does any? Cheap when there are none */
/* ERR_INVALID names what can be picked: nothing that the shop or its plugins emit is meant by it. */
int webhook_check_pick(const struct generation *g, struct slice pick, struct err *err);

/* --- personal fields ------------------------------------------------------------------------------------------------------- */

/* What may be told beside the event, by number from 0: "order.address" ...; NULL after the last. */
const char *webhook_personal(unsigned i);
/* ERR_INVALID lists what there is. */
int webhook_personal_find(struct slice name, unsigned *i, struct err *err);

/* --- telling --------------------------------------------------------------------------------------------------------------- */

struct webhook_news {
    struct slice event, key;
    const struct json_value *payload; /* an object */
    int64_t at_ms;
};
/* On the writer, in the transaction of the event: a message for all who are told the same, a delivery for each. */
int webhooks_tell(struct webhooks *w, struct store_conn *conn, struct id_source *ids, const struct webhook_news *news, struct err *err);
/* The same for one endpoint, whatever it picks; message_id says what to look for later. */
int webhook_tell_one(const struct webhook *one, struct store_conn *conn, struct id_source *ids, const struct webhook_news *news,
                     char message_id[WEBHOOK_ID_MAX], struct err *err);

/* --- for those who look after it --------------------------------------------------------------------------------------------- */

struct webhook_figures {
    int64_t endpoints, disabled, failing;
    int64_t waiting, given_up;  /* messages, counted no further than 10,000 for each endpoint */
    int64_t lag_ms;             /* since the event of the oldest that waits happened; 0 = none waits */
    char worst[WEBHOOK_ID_MAX]; /* whose that is; "" = nobody's */
};
int webhooks_figures(struct webhooks *w, struct store_conn *conn, struct webhook_figures *out, struct err *err);

/* --- signing --------------------------------------------------------------------------------------------------------------- */

enum { WEBHOOK_SECRET_BYTES = 32, WEBHOOK_SECRET_TEXT_MAX = 64, WEBHOOK_SIGNATURES_MAX = WEBHOOK_SECRETS_MAX * 48 };
void webhook_secret_text(const unsigned char secret[WEBHOOK_SECRET_BYTES], char out[WEBHOOK_SECRET_TEXT_MAX]); /* "whsec_..." */
/* "v1,... v1,...", newest secret first. ERR_NOMEM. */
int webhook_sign(const struct webhook *w, struct slice message_id, int64_t now_ms, struct slice body, char out[WEBHOOK_SIGNATURES_MAX],
                 struct err *err);
/* What Retry-After asks for, as a moment; 0 = nothing that can be understood. A day is the most. */
int64_t webhook_retry_after(struct slice value, int64_t now_ms);
