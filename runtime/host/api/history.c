#include "host/api/history.h"
#include "host/worker.h"

static bool is_of_purchases(const struct quote_question *q)
{
    return q->kind == QUOTE_ASKS_UNITS || q->kind == QUOTE_ASKS_SPENT;
}

bool history_reads_purchases(const struct quote_question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_of_purchases(&questions[i]))
            return true;
    return false;
}

static int no_memory(struct call *c)
{
    return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
}

struct asked {
    const struct quote_question *questions;
    size_t count;
    int64_t at_ms;
    struct quote_fact *answers; /* in the order of the questions */
    const struct catalogue_snapshot *catalogue;
    const struct symbols *symbols;
};

static void count_item(const struct asked *a, const struct quote_product *p, int64_t paid_ms, int64_t qty, int64_t amount)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct quote_question *q = &a->questions[i];
        bool old = q->within_ms && paid_ms < a->at_ms - q->within_ms;
        if (!is_of_purchases(q) || old || !quote_question_counts(q, p))
            continue;
        int64_t *sum = &a->answers[i].number, more = q->kind == QUOTE_ASKS_UNITS ? qty : amount;
        if (__builtin_add_overflow(*sum, more, sum))
            *sum = INT64_MAX;
    }
}

/* [[sku, qty, amount], ...]; what is not in the catalogue any more is only its SKU. */
static bool count_items(const struct asked *a, const struct json_value *items, int64_t paid_ms)
{
    for (const struct json_value *m = items->first; m; m = m->next) {
        const struct json_value *sku = m->type == JSON_ARRAY ? m->first : NULL, *qty = sku ? sku->next : NULL,
                                *amount = qty ? qty->next : NULL;
        struct slice name;
        int64_t n, minor;
        if (!json_is_string(sku, &name) || !json_is_int(qty, &n) || !json_is_int(amount, &minor))
            return false;
        symbol s = symbols_find(a->symbols, name);
        const struct catalogue_product *product = s ? catalogue_find(a->catalogue, s) : NULL;
        count_item(a, product ? &product->facts : &(struct quote_product){ .sku = s }, paid_ms, n, minor);
    }
    return true;
}

/* Every paid order of the customer: one row each, and only where rules ask. */
static int read_purchases(struct call *c, const struct quote_cart *cart, const struct asked *a)
{
    struct store_stmt *q;
    int rc =
        store_prepare(c->worker->conn,
                      "SELECT paid_at, items FROM purchases WHERE customer = (SELECT id FROM customers WHERE customer = ?1)", &q, &c->err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, cart->customer);
    while ((rc = store_step(q, &c->err)) > 0) {
        struct json_value *items;
        struct slice text = arena_copy(c->arena, store_column_text(q, 1));
        if (!text.data)
            rc = no_memory(c);
        else if (json_parse(text, NULL, c->arena, &items, NULL) < 0 || items->type != JSON_ARRAY ||
                 !count_items(a, items, store_column_int(q, 0)))
            rc = err_set(&c->err, ERR_CORRUPT, "What customer \"%.*s\" bought can't be read.", SLICE_FMT(cart->customer));
        if (rc < 0)
            break;
    }
    store_reset(q);
    return rc;
}

int history_answer(struct call *c, const struct history *of, const struct quote_question *questions, size_t count, struct quote_cart *cart,
                   struct quote_fact *facts)
{
    struct asked a = {
        .questions = questions, .count = count, .at_ms = cart->at_ms, .answers = facts + cart->fact_count, .symbols = c->shop->symbols
    };
    for (size_t i = 0; i < count; i++)
        a.answers[i] = (struct quote_fact){
            .name = questions[i].fact,
            .kind = QUOTE_FACT_INT,
            .number = questions[i].kind == QUOTE_ASKS_ORDERS  ? of->orders
                      : questions[i].kind == QUOTE_ASKS_SINCE ? of->since_ms
                                                              : 0,
            .text = { "", 0 },
        };
    cart->fact_count += count;
    if (!history_reads_purchases(questions, count))
        return 0;
    struct catalogue_snapshot *catalogue = catalogue_acquire(c->shop->catalogue);
    if (!catalogue)
        return no_memory(c);
    a.catalogue = catalogue;
    int rc = read_purchases(c, cart, &a);
    catalogue_release(catalogue);
    return rc;
}
