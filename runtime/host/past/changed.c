#include "host/past/changed.h"
#include "host/api/words.h"
#include <stdio.h>
#include <stdlib.h>

struct one {
    int64_t id, by; /* by how much the total moved */
    struct buf text;
};

struct changed {
    struct generation *candidate;
    struct words *words;
    struct one list[CHANGED_MAX]; /* the most changed first; ties: the earlier order */
    size_t count;
};

struct changed *changed_new(struct generation *candidate)
{
    struct err ignored;
    struct changed *c = calloc(1, sizeof *c);
    if (!c || words_open(&c->words, &ignored) < 0) {
        free(c);
        return NULL;
    }
    c->candidate = generation_ref(candidate);
    return c;
}

void changed_free(struct changed *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        buf_release(&c->list[i].text);
    words_close(c->words);
    generation_unref(c->candidate);
    free(c);
}

static int64_t moved(const struct sums_order *o)
{
    return llabs(o->now->total_minor - o->was->total);
}

/* Orders come in their order, so of two that moved alike the earlier one is there already. */
bool changed_wants(const struct changed *c, const struct sums_order *o)
{
    return moved(o) > 0 && (c->count < CHANGED_MAX || moved(o) > c->list[CHANGED_MAX - 1].by);
}

static void write_one(const struct changed *c, const struct sums_order *o, const struct quote_result *q, struct buf *out)
{
    struct json_writer w;
    char at[TIMESTAMP_MAX];
    const struct quote_telling how = {
        .full = true,
        .voice = { .words = words_of(c->words, slice_str("en")),
                   .zone = generation_zone(c->candidate),
                   .currency = quote_rules_currency(o->rules) },
    };
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "order");
    json_string(&w, o->order->order_id);
    json_key(&w, "placed_at");
    json_string(&w, slice_of(at, timestamp_format(o->order->placed_at_ms, at)));
    json_key(&w, "was");
    json_int(&w, o->was->total);
    json_key(&w, "now");
    json_int(&w, o->now->total_minor);
    json_key(&w, "campaigns_was");
    if (o->was->campaigns)
        json_value_write(&w, o->was->campaigns);
    else
        json_null(&w);
    json_key(&w, "quote");
    json_object(&w);
    quote_result_write(o->rules, q, &how, &w);
    json_object_end(&w);
    json_object_end(&w);
}

static void insert(struct changed *c, const struct one *one)
{
    size_t at = c->count;
    if (c->count == CHANGED_MAX)
        buf_release(&c->list[at = CHANGED_MAX - 1].text);
    else
        c->count++;
    for (; at > 0 && c->list[at - 1].by < one->by; at--)
        c->list[at] = c->list[at - 1];
    c->list[at] = *one;
}

int changed_add(struct changed *c, const struct sums_order *o, struct stand *stand, struct quote_cart cart, stand_left left, void *ctx,
                struct arena *arena, struct err *err)
{
    struct quote_result result;
    struct one one = { .id = o->order->id, .by = moved(o) };
    cart.explain_all = true;
    int rc = stand_price(stand, &cart, left, ctx, arena, &result, err);
    if (rc < 0)
        return rc;
    buf_init(&one.text, NULL);
    write_one(c, o, &result, &one.text);
    if (one.text.failed) {
        buf_release(&one.text);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    insert(c, &one);
    return 0;
}

void changed_write(const struct changed *c, struct json_writer *w)
{
    json_key(w, "most_changed");
    json_array(w);
    for (size_t i = 0; i < c->count; i++)
        json_raw(w, buf_slice(&c->list[i].text));
    json_array_end(w);
}
