#include "host/publish/publish_check.h"
#include "host/publish/price_history.h"
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include "host/publish/tryout.h"

static struct slice findings_text(const struct submission *s)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, s->found.list);
    struct slice out = b.failed ? (struct slice){ 0 } : arena_copy(s->found.arena, buf_slice(&b));
    buf_release(&b);
    return out;
}

struct selling {
    struct symbols *symbols;
    struct catalogue_snapshot *catalogue;
};

static const struct quote_product *sold(void *ctx, struct slice sku)
{
    const struct selling *s = ctx;
    symbol known = symbols_find(s->symbols, sku);
    const struct catalogue_product *p = known ? catalogue_find(s->catalogue, known) : NULL;
    return p ? &p->facts : NULL;
}

static int check_skus(struct shop *s, const struct generation *g, struct submission *found, struct err *err)
{
    struct selling now = { s->symbols, catalogue_acquire(s->catalogue) };
    int rc = submission_skus(g, sold, &now, found, err);
    catalogue_release(now.catalogue);
    return rc;
}

int publish_check(struct shop *s, struct store_conn *reader, struct generation *g, const struct generation *live, struct submission *found,
                  struct slice *findings, struct err *err)
{
    struct price_history prices = { reader, catalogue_acquire(s->catalogue), s->symbols, clock_wall_ms(s->options.clock), 0, 0 };
    found->prices = &prices;
    int rc = submission_check(g, live, found, err);
    found->prices = NULL;
    catalogue_release(prices.catalogue);
    if (rc == 0)
        rc = tryout(s, g, reader, found, err);
    if (rc == 0)
        rc = check_skus(s, g, found, err);
    if (rc < 0)
        return rc;
    submission_log(found, s->options.log);
    if (found->found.list->count)
        *findings = findings_text(found);
    return submission_verdict(found, err);
}

/* The rules that were live last, for the history; what can't be built any more is none. */
static void last_live(struct shop *s, struct store_conn *conn, struct generation **out)
{
    char id[GENERATION_ID_MAX];
    struct sources *src;
    struct err ignored;
    *out = NULL;
    if (revision_before(conn, "", id, &ignored) < 0 || revision_load(conn, slice_str(id), &src, &ignored) < 0)
        return;
    if (generation_build(&s->rulebook, src, out, &ignored) < 0)
        sources_free(src);
}

/* The shop has no catalogue in memory yet: what is refused here must not have opened it. */
static int check_with_prices(struct shop *s, struct store_conn *conn, struct generation *first, const struct generation *before,
                             struct submission *found, struct err *err)
{
    struct catalogue *catalogue = catalogue_new(s->symbols);
    struct price_history prices = { conn, NULL, s->symbols, clock_wall_ms(s->options.clock), 0, 0 };
    int rc = catalogue ? catalogue_load(catalogue, conn, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0) {
        prices.catalogue = catalogue_acquire(catalogue);
        found->prices = &prices;
        rc = submission_check(first, before, found, err);
        found->prices = NULL;
        catalogue_release(prices.catalogue);
    }
    catalogue_free(catalogue);
    return rc;
}

int publish_check_start(struct shop *s, struct generation *first, struct err *err)
{
    struct store_conn *conn = store_writer_conn(s->store);
    struct generation *before = NULL;
    struct submission found;
    int rc = submission_wanted(first) ? revision_is_last(conn, generation_id(first), err) : 1;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    last_live(s, conn, &before);
    submission_init(&found);
    rc = check_with_prices(s, conn, first, before, &found, err);
    if (rc == 0)
        submission_log(&found, s->options.log);
    if (rc == 0)
        rc = submission_verdict(&found, err);
    submission_release(&found);
    generation_unref(before);
    return rc;
}
