#include "host/admin/shares.h"
#include "base/zone.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct set_share {
    int64_t share_ppm, first_ppm, most_ppm, at_ms;
    char author[80];
};

struct shares {
    pthread_rwlock_t lock;
    struct map set; /* campaign → struct set_share * */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- what was set ---------------------------------------------------------------------------------------------------------------- */

static void set_free(struct map *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->entries[i].value);
    map_release(set);
}

static int set_read(struct store_conn *conn, struct map *set, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT campaign, share_ppm, first_ppm, most_ppm, author, at FROM campaign_shares", &q, err);
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        struct set_share *one = calloc(1, sizeof *one);
        if (!one || !map_set(set, store_column_text(q, 0), one)) {
            free(one);
            store_reset(q);
            return nomem(err);
        }
        *one = (struct set_share){ store_column_int(q, 1), store_column_int(q, 2), store_column_int(q, 3), store_column_int(q, 5), "" };
        snprintf(one->author, sizeof one->author, "%.*s", SLICE_FMT(store_column_text(q, 4)));
    }
    return rc;
}

int shares_reload(struct shares *s, struct store_conn *conn, struct err *err)
{
    struct map next;
    map_init(&next, NULL);
    int rc = set_read(conn, &next, err);
    if (rc == 0) {
        pthread_rwlock_wrlock(&s->lock);
        struct map old = s->set;
        s->set = next;
        pthread_rwlock_unlock(&s->lock);
        next = old;
    }
    set_free(&next);
    return rc;
}

int shares_open(struct store_conn *conn, struct shares **out, struct err *err)
{
    struct shares *s = *out = calloc(1, sizeof *s);
    if (!s)
        return nomem(err);
    pthread_rwlock_init(&s->lock, NULL);
    map_init(&s->set, NULL);
    return shares_reload(s, conn, err);
}

void shares_close(struct shares *s)
{
    if (!s)
        return;
    set_free(&s->set);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* With the lock. What was set for other bounds was set for another campaign of that name. NULL: nothing was. */
static const struct set_share *find(const struct shares *s, const struct quote_share_range *range)
{
    const struct set_share *one = map_get(&s->set, range->campaign);
    return one && one->first_ppm == range->first_ppm && one->most_ppm == range->most_ppm ? one : NULL;
}

/* --- whose number is what ----------------------------------------------------------------------------------------------------------- */

static int64_t bucket_of(const struct shop *s, struct slice campaign, struct slice customer, struct arena *arena)
{
    unsigned char mac[SHA256_BYTES];
    uint64_t n = 0;
    struct slice text = arena_printf(arena, "%.*s\n%.*s", SLICE_FMT(campaign), SLICE_FMT(customer)); /* no id has a line's end in it */
    if (!text.data)
        return -1;
    auth_sign(s->auth, "share", text, mac);
    for (int i = 0; i < 8; i++)
        n = n << 8 | mac[i];
    return (int64_t)(n % RATE_ONE_PPM); /* of 2^64: no number is likelier than another by a part in 10^13 */
}

int shares_of(struct shop *s, const struct quote_rules *rules, struct slice customer, struct arena *arena, const struct quote_share **out,
              size_t *count, struct err *err)
{
    size_t n = quote_rules_shares(rules);
    *out = NULL;
    *count = 0;
    if (n == 0)
        return 0;
    struct quote_share *list = arena_array(arena, n, sizeof *list);
    if (!list)
        return nomem(err);
    for (size_t i = 0; i < n; i++) {
        struct quote_share_range range = quote_rules_share(rules, i);
        pthread_rwlock_rdlock(&s->shares->lock);
        const struct set_share *one = find(s->shares, &range);
        int64_t share_ppm = one ? one->share_ppm : range.first_ppm;
        pthread_rwlock_unlock(&s->shares->lock);
        if (!customer.len && share_ppm < RATE_ONE_PPM)
            continue;
        int64_t bucket = customer.len ? bucket_of(s, range.campaign, customer, arena) : 0;
        if (bucket < 0)
            return nomem(err);
        list[(*count)++] = (struct quote_share){ range.campaign, share_ppm, bucket };
    }
    *out = list;
    return 0;
}

/* --- made larger or smaller ------------------------------------------------------------------------------------------------------------
 */

static bool range_of(const struct quote_rules *rules, struct slice campaign, struct quote_share_range *out)
{
    for (size_t i = 0; i < quote_rules_shares(rules); i++) {
        *out = quote_rules_share(rules, i);
        if (slice_eq(out->campaign, campaign))
            return true;
    }
    return false;
}

static void percent(int64_t ppm, char out[24])
{
    int n = snprintf(out, 24, "%lld.%04lld", (long long)(ppm / 10000), (long long)(ppm % 10000));
    while (out[n - 1] == '0')
        out[--n] = '\0';
    if (out[n - 1] == '.')
        out[n - 1] = '\0';
}

int share_set(struct store_conn *conn, const struct quote_rules *rules, struct slice campaign, int64_t share_ppm, const char *author,
              int64_t now_ms, struct err *err)
{
    struct quote_share_range range;
    struct store_stmt *q;
    char most[24];
    if (!range_of(rules, campaign, &range))
        return err_reason(err, ERR_NOT_FOUND, "no_such_share", "No live campaign \"%.*s\" is for a share of the customers.",
                          SLICE_FMT(campaign));
    percent(range.most_ppm, most);
    if (share_ppm > range.most_ppm)
        return err_reason(err, ERR_DENIED, "outside_of_range", "The rules that are live let it go up to %s %%; for more, change them.",
                          most);
    int rc =
        store_prepare(conn,
                      "INSERT INTO campaign_shares (campaign, share_ppm, first_ppm, most_ppm, author, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
                      "ON CONFLICT (campaign) DO UPDATE SET share_ppm = ?2, first_ppm = ?3, most_ppm = ?4, author = ?5, at = ?6",
                      &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, campaign);
    store_bind_int(q, 2, share_ppm);
    store_bind_int(q, 3, range.first_ppm);
    store_bind_int(q, 4, range.most_ppm);
    store_bind_text(q, 5, slice_str(author));
    store_bind_int(q, 6, now_ms);
    return store_run(q, NULL, err);
}

static void percent_member(struct json_writer *w, const char *key, int64_t ppm)
{
    char text[24];
    percent(ppm, text);
    json_key(w, key);
    json_str(w, text);
}

void shares_write(struct shares *s, const struct quote_rules *rules, struct json_writer *w)
{
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < quote_rules_shares(rules); i++) {
        struct quote_share_range range = quote_rules_share(rules, i);
        const struct set_share *one = find(s, &range);
        char at[TIMESTAMP_MAX];
        json_object(w);
        json_key(w, "campaign");
        json_string(w, range.campaign);
        percent_member(w, "percent", one ? one->share_ppm : range.first_ppm);
        percent_member(w, "first", range.first_ppm);
        percent_member(w, "up_to", range.most_ppm);
        if (one) {
            json_key(w, "by");
            json_str(w, one->author);
            json_key(w, "at");
            json_string(w, slice_of(at, timestamp_format(one->at_ms, at)));
        }
        json_object_end(w);
    }
    pthread_rwlock_unlock(&s->lock);
}
