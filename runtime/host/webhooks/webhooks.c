#include "host/webhooks/webhooks.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/word.h"
#include "base/zone.h"
#include "rulebook/catalogue.h"
#include "rulebook/plugin_set.h"
#include "rulebook/rulebook.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct webhook_set {
    atomic_uint refs;
    struct arena arena;
    size_t count;
    struct webhook list[WEBHOOKS_MAX];
};

struct webhooks {
    const struct clock *clock;
    pthread_mutex_t lock; /* guards live */
    struct webhook_set *live;
    atomic_bool any; /* so that a shop without endpoints does not take the lock for every event */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------- */

struct webhook_set *webhook_set_ref(struct webhook_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void webhook_set_release(struct webhook_set *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->count; i++)
        crypto_wipe(s->list[i].secrets, sizeof s->list[i].secrets);
    arena_release(&s->arena);
    free(s);
}

size_t webhook_set_count(const struct webhook_set *s)
{
    return s->count;
}

const struct webhook *webhook_set_at(const struct webhook_set *s, size_t i)
{
    return &s->list[i];
}

const struct webhook *webhook_set_find(const struct webhook_set *s, struct slice name)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_is(name, s->list[i].name))
            return &s->list[i];
    return NULL;
}

struct reading {
    struct webhook_set *set;
    struct err *err;
};

/* ["order.*", ...] as slices. */
static const struct slice *read_names(struct arena *a, struct slice json, size_t *count)
{
    struct json_value *list;
    struct slice copy = arena_copy(a, json);
    *count = 0;
    if (!copy.data || json_parse(copy, NULL, a, &list, NULL) < 0)
        return NULL;
    struct slice *names = arena_array(a, list->count + 1, sizeof *names);
    for (const struct json_value *v = list->first; names && v; v = v->next)
        if (json_is_string(v, &names[*count]))
            ++*count;
    return names;
}

static int read_endpoint(void *ctx, const struct webhook_endpoint *e)
{
    struct reading *r = ctx;
    struct arena *a = &r->set->arena;
    size_t personal_count;
    if (r->set->count == WEBHOOKS_MAX)
        return 0; /* an earlier program may have allowed more; who is beyond is told nothing, and listed by nobody */
    struct webhook *w = &r->set->list[r->set->count];
    *w = (struct webhook){ .id = e->id,
                           .state = e->state,
                           .name = arena_strdup(a, e->name),
                           .url = arena_copy(a, e->url),
                           .label = arena_copy(a, e->label),
                           .why = arena_copy(a, e->why),
                           .ordered = e->ordered,
                           .created_ms = e->created_ms,
                           .failures = e->failures,
                           .failing_since_ms = e->failing_since_ms,
                           .rests_until_ms = e->rests_until_ms };
    w->picks = read_names(a, e->events, &w->pick_count);
    const struct slice *personal = read_names(a, e->personal, &personal_count);
    if (!w->name || !w->url.data || !w->label.data || !w->why.data || !w->picks || !personal)
        return nomem(r->err);
    for (size_t i = 0; i < personal_count; i++) {
        unsigned number;
        if (webhook_personal_find(personal[i], &number, NULL) == 0)
            w->personal |= 1u << number;
    }
    r->set->count++;
    return 0;
}

static int read_secret(void *ctx, struct slice secret, int64_t until_ms)
{
    struct webhook *w = ctx;
    struct webhook_secret *s = &w->secrets[w->secret_count];
    if (w->secret_count == WEBHOOK_SECRETS_MAX || secret.len > sizeof s->bytes)
        return 0;
    memcpy(s->bytes, secret.data, secret.len);
    s->len = secret.len;
    s->until_ms = until_ms;
    w->secret_count++;
    return 0;
}

int webhooks_reload(struct webhooks *w, struct store_conn *conn, struct err *err)
{
    struct webhook_set *next = calloc(1, sizeof *next);
    if (!next)
        return nomem(err);
    atomic_init(&next->refs, 1);
    arena_init(&next->arena, NULL, 0);
    struct reading r = { next, err };
    int rc = webhook_endpoint_each(conn, read_endpoint, &r, err);
    for (size_t i = 0; i < next->count && rc == 0; i++)
        rc = webhook_secret_each(conn, next->list[i].id, clock_wall_ms(w->clock), read_secret, &next->list[i], err);
    if (rc < 0) {
        webhook_set_release(next);
        return rc;
    }
    pthread_mutex_lock(&w->lock);
    struct webhook_set *old = w->live;
    w->live = next;
    atomic_store(&w->any, next->count > 0);
    pthread_mutex_unlock(&w->lock);
    webhook_set_release(old);
    return 0;
}

int webhooks_open(struct store_conn *conn, const struct clock *clock, struct webhooks **out, struct err *err)
{
    struct webhooks *w = *out = calloc(1, sizeof *w);
    if (!w)
        return nomem(err);
    w->clock = clock;
    pthread_mutex_init(&w->lock, NULL);
    int rc = webhooks_reload(w, conn, err);
    if (rc < 0) {
        webhooks_close(w);
        *out = NULL;
    }
    return rc;
}

void webhooks_close(struct webhooks *w)
{
    if (!w)
        return;
    webhook_set_release(w->live);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct webhook_set *webhooks_acquire(struct webhooks *w)
{
    pthread_mutex_lock(&w->lock);
    struct webhook_set *s = webhook_set_ref(w->live);
    pthread_mutex_unlock(&w->lock);
    return s;
}

/* --- what an endpoint picks ------------------------------------------------------------------------------------------------ */

bool webhook_picks(struct slice pick, struct slice event)
{
    if (slice_is(pick, "*"))
        return catalogue_event(event) && !slice_is(event, "fact.changed");
    if (pick.len > 2 && pick.data[pick.len - 1] == '*' && pick.data[pick.len - 2] == '.') /* the dot is compared, too */
        return event.len >= pick.len && memcmp(event.data, pick.data, pick.len - 1) == 0;
    return slice_eq(pick, event);
}

bool webhook_hears(const struct webhook *w, struct slice event)
{
    for (size_t i = 0; i < w->pick_count; i++)
        if (webhook_picks(w->picks[i], event))
            return true;
    return false;
}

bool webhooks_hear(struct webhooks *w, struct slice event)
{
    bool does = false;
    if (!w || !atomic_load_explicit(&w->any, memory_order_acquire))
        return false;
    struct webhook_set *s = webhooks_acquire(w);
    for (size_t i = 0; i < s->count && !does; i++)
        does = webhook_hears(&s->list[i], event);
    webhook_set_release(s);
    return does;
}

static bool plugin_emits(const struct generation *g, struct slice pick)
{
    const struct plugin_set *set = generation_plugins(g);
    for (size_t i = 0; i < plugin_set_count(set); i++) {
        const struct manifest *m = plugin_set_at(set, i);
        for (size_t k = 0; k < m->event_count; k++) {
            char whole[160];
            int n = snprintf(whole, sizeof whole, "%s.%s", m->name, m->events[k].name);
            if (n < (int)sizeof whole && webhook_picks(pick, slice_str(whole)))
                return true;
        }
    }
    return false;
}

int webhook_check_pick(const struct generation *g, struct slice pick, struct err *err)
{
    enum { NAMES_MAX = 64 };
    size_t count, n = 0;
    const struct catalogue_event *all = catalogue_events(&count);
    const char *names[NAMES_MAX + 1] = { NULL };
    char quoted[JSON_QUOTE_MAX];
    for (size_t i = 0; i < count; i++) {
        if (webhook_picks(pick, slice_str(all[i].name)))
            return 0;
        if (n < NAMES_MAX)
            names[n++] = all[i].name;
    }
    if (plugin_emits(g, pick))
        return 0;
    const char *near = nearest_word(pick, names);
    if (near)
        return err_field(err, ERR_INVALID, "/events", "There is no event %s; did you mean \"%s\"?", json_quote(quoted, pick), near);
    return err_field(err, ERR_INVALID, "/events",
                     "There is no event %s; write one that feira help events lists, all of a kind (\"order.*\"), or \"*\".",
                     json_quote(quoted, pick));
}

/* --- personal fields ------------------------------------------------------------------------------------------------------- */

/* Columns of the views that plugins read, too. The hash of a telephone number is for comparing inside of the shop. */
static const struct {
    const char *name, *column;
    bool of_order, json;
} personal_fields[] = { { "customer.email", "email", false, false }, { "customer.name", "name", false, false },
                        { "customer.phone", "phone", false, false }, { "order.address", "address", true, true },
                        { "order.contact", "contact", true, true },  { "order.note", "note", true, false } };
enum { PERSONAL_COUNT = sizeof personal_fields / sizeof *personal_fields };

const char *webhook_personal(unsigned i)
{
    return i < PERSONAL_COUNT ? personal_fields[i].name : NULL;
}

int webhook_personal_find(struct slice name, unsigned *i, struct err *err)
{
    char quoted[JSON_QUOTE_MAX];
    for (*i = 0; *i < PERSONAL_COUNT; ++*i)
        if (slice_is(name, personal_fields[*i].name))
            return 0;
    return err_field(err, ERR_INVALID, "/personal",
                     "There is no personal field %s; there are customer.email, customer.name, customer.phone, order.address, order.contact "
                     "and order.note.",
                     json_quote(quoted, name));
}

/* The row that this event is about; 1 = there is one. */
static int find_row(struct store_conn *conn, bool order, const struct json_value *payload, struct store_stmt **out, struct err *err)
{
    struct slice id;
    if (!json_is_string(json_get(payload, order ? "order" : "customer"), &id))
        return 0;
    int rc = store_prepare(conn,
                           order ? "SELECT address, contact, note FROM shop_orders WHERE \"order\" = ?1"
                                 : "SELECT email, name, phone FROM shop_customers WHERE customer = ?1",
                           out, err);
    if (rc < 0)
        return rc;
    store_bind_text(*out, 1, id);
    return store_step(*out, err);
}

static int write_fields(struct json_writer *w, struct store_conn *conn, bool order, const struct webhook_news *news, unsigned which,
                        struct err *err)
{
    struct store_stmt *s = NULL;
    int rc = find_row(conn, order, news->payload, &s, err);
    for (unsigned i = 0; i < PERSONAL_COUNT && rc == 1; i++) {
        int column = 0;
        if (personal_fields[i].of_order != order || !(which & 1u << i))
            continue;
        while (strcmp(store_column_name(s, column), personal_fields[i].column) != 0)
            column++;
        if (store_column_type(s, column) == STORE_NULL)
            continue;
        json_key(w, personal_fields[i].name);
        if (personal_fields[i].json)
            json_raw(w, store_column_text(s, column));
        else
            json_string(w, store_column_text(s, column));
    }
    if (rc == 1)
        store_reset(s);
    return rc < 0 ? rc : 0;
}

/* --- telling --------------------------------------------------------------------------------------------------------------- */

static int write_body(struct buf *out, struct store_conn *conn, const struct webhook_news *news, unsigned personal, struct err *err)
{
    struct json_writer w;
    char at[TIMESTAMP_MAX];
    int rc = 0;
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "type");
    json_string(&w, news->event);
    json_key(&w, "timestamp");
    json_string(&w, slice_of(at, timestamp_format(news->at_ms, at)));
    json_key(&w, "data");
    json_value_write(&w, news->payload);
    if (personal) {
        json_key(&w, "personal");
        json_object(&w);
        rc = write_fields(&w, conn, false, news, personal, err);
        if (rc == 0)
            rc = write_fields(&w, conn, true, news, personal, err);
        json_object_end(&w);
    }
    json_object_end(&w);
    return rc == 0 && out->failed ? nomem(err) : rc;
}

static int add_message(struct store_conn *conn, struct id_source *ids, const struct webhook_news *news, unsigned personal,
                       char message_id[WEBHOOK_ID_MAX], int64_t *message, struct err *err)
{
    struct buf body;
    buf_init(&body, NULL);
    id_make(ids, "msg", message_id);
    int rc = write_body(&body, conn, news, personal, err);
    if (rc == 0)
        rc = webhook_message_add(conn, slice_str(message_id), news->event, buf_slice(&body), news->at_ms, message, err);
    buf_release(&body);
    return rc;
}

static int deliver(const struct webhook *one, struct store_conn *conn, int64_t message, const struct webhook_news *news, struct err *err)
{
    return webhook_delivery_add(conn, one->id, message, one->ordered ? news->key : slice_str(""), news->at_ms, err);
}

int webhook_tell_one(const struct webhook *one, struct store_conn *conn, struct id_source *ids, const struct webhook_news *news,
                     char message_id[WEBHOOK_ID_MAX], struct err *err)
{
    int64_t message;
    int rc = add_message(conn, ids, news, one->personal, message_id, &message, err);
    return rc < 0 ? rc : deliver(one, conn, message, news, err);
}

int webhooks_tell(struct webhooks *w, struct store_conn *conn, struct id_source *ids, const struct webhook_news *news, struct err *err)
{
    struct webhook_set *s = webhooks_acquire(w);
    int64_t messages[WEBHOOKS_MAX]; /* of each who was told; who is told the same shares it */
    int rc = 0;
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        char message_id[WEBHOOK_ID_MAX];
        messages[i] = 0;
        if (!webhook_hears(&s->list[i], news->event))
            continue;
        for (size_t k = 0; k < i && !messages[i]; k++)
            if (s->list[k].personal == s->list[i].personal)
                messages[i] = messages[k];
        if (!messages[i])
            rc = add_message(conn, ids, news, s->list[i].personal, message_id, &messages[i], err);
        if (rc == 0)
            rc = deliver(&s->list[i], conn, messages[i], news, err);
    }
    webhook_set_release(s);
    return rc;
}

/* --- for those who look after it --------------------------------------------------------------------------------------------- */

int webhooks_figures(struct webhooks *w, struct store_conn *conn, struct webhook_figures *out, struct err *err)
{
    enum { COUNT_MAX = 10000 };
    struct webhook_set *s = webhooks_acquire(w);
    int64_t now_ms = clock_wall_ms(w->clock);
    int rc = 0;
    *out = (struct webhook_figures){ .endpoints = (int64_t)s->count };
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        const struct webhook *one = &s->list[i];
        int64_t waiting = 0, oldest_ms = 0, given_up = 0;
        rc = webhook_backlog(conn, one->id, COUNT_MAX, &waiting, &oldest_ms, err);
        if (rc == 0)
            rc = webhook_given_up(conn, one->id, COUNT_MAX, &given_up, err);
        out->disabled += one->state == WEBHOOK_DISABLED;
        out->failing += one->state == WEBHOOK_ACTIVE && one->failures > 0;
        out->waiting += waiting;
        out->given_up += given_up;
        if (oldest_ms && now_ms - oldest_ms > out->lag_ms) {
            out->lag_ms = now_ms - oldest_ms;
            snprintf(out->worst, sizeof out->worst, "%s", one->name);
        }
    }
    webhook_set_release(s);
    return rc;
}

/* --- signing --------------------------------------------------------------------------------------------------------------- */

void webhook_secret_text(const unsigned char secret[WEBHOOK_SECRET_BYTES], char out[WEBHOOK_SECRET_TEXT_MAX])
{
    static const char prefix[] = "whsec_";
    memcpy(out, prefix, sizeof prefix - 1);
    base64_encode(secret, WEBHOOK_SECRET_BYTES, out + sizeof prefix - 1);
    out[sizeof prefix - 1 + base64_len(WEBHOOK_SECRET_BYTES)] = '\0';
}

int webhook_sign(const struct webhook *w, struct slice message_id, int64_t now_ms, struct slice body, char out[WEBHOOK_SIGNATURES_MAX],
                 struct err *err)
{
    struct buf signed_text;
    size_t n = 0;
    out[0] = '\0';
    buf_init(&signed_text, NULL);
    buf_printf(&signed_text, "%.*s.%" PRId64 ".", SLICE_FMT(message_id), now_ms / 1000);
    buf_add(&signed_text, body.data, body.len);
    int rc = signed_text.failed ? nomem(err) : 0;
    for (size_t i = 0; i < w->secret_count && rc == 0; i++) {
        const struct webhook_secret *s = &w->secrets[i];
        unsigned char mac[SHA256_BYTES];
        if (s->until_ms && s->until_ms <= now_ms)
            continue;
        struct hmac_key *key = hmac_key_new(slice_of((const char *)s->bytes, s->len));
        if (!key) {
            rc = nomem(err);
            break;
        }
        hmac_sha256(key, buf_slice(&signed_text), mac);
        hmac_key_free(key);
        n += (size_t)snprintf(out + n, WEBHOOK_SIGNATURES_MAX - n, "%sv1,", n ? " " : "");
        base64_encode(mac, sizeof mac, out + n);
        n += base64_len(sizeof mac);
        out[n] = '\0';
    }
    buf_release(&signed_text);
    return rc;
}

int64_t webhook_retry_after(struct slice value, int64_t now_ms)
{
    enum { DAY_SECONDS = 86400 };
    char text[64];
    struct tm tm = { 0 };
    int64_t seconds = 0;
    if (value.len == 0 || value.len >= sizeof text)
        return 0;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (strspn(text, "0123456789") == value.len) {
        for (size_t i = 0; i < value.len && seconds < DAY_SECONDS; i++)
            seconds = seconds * 10 + (text[i] - '0');
    } else {
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* the one form of HTTP that is still to be written */
        if (!end || *end)
            return 0;
        seconds = (int64_t)timegm(&tm) - now_ms / 1000;
    }
    if (seconds <= 0)
        return 0;
    return now_ms + (seconds < DAY_SECONDS ? seconds : DAY_SECONDS) * 1000;
}
