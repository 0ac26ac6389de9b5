#include "host/past/sums.h"
#include <stdio.h>
#include <stdlib.h>

enum { KINDS_MAX = 200, CAMPAIGNS_MAX = 2000, EXAMPLES_MAX = 5, KIND_BYTES = 200 };

struct of_campaign {
    int64_t orders_was, orders_now, amount_was, amount_now;
    char *title;
};

struct of_limit { /* not of one customer */
    int64_t max, used;
    int64_t spent_ms;      /* of the order that took the last of it, the first time; 0 = there was always some */
    int64_t spent;         /* how many of its accounts were used up: there is one for each day, where it is so much a day */
    struct map by_day;     /* "15000" → int64_t: used on that day since 1970 */
    struct map by_account; /* → int64_t: used of it */
};

struct not_placed {
    int64_t gate, failed, revenue_was;
    char examples[EXAMPLES_MAX][ID_MAX + 1];
    size_t example_count;
};

struct sums {
    const struct zone *zone;
    struct sides total;
    struct map by_day;      /* day since 1970 as text → struct sides */
    struct map by_customer; /* "guest", "tag vip", "member-tiers.level = 2" → struct sides */
    struct map by_campaign; /* id → struct of_campaign */
    struct map limits;      /* "pot\nbudget" → struct of_limit */
    struct not_placed not_placed;
};

struct sums *sums_new(const struct zone *zone)
{
    struct sums *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->zone = zone;
    map_init(&s->by_day, NULL);
    map_init(&s->by_customer, NULL);
    map_init(&s->by_campaign, NULL);
    map_init(&s->limits, NULL);
    return s;
}

static void free_values(struct map *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->entries[i].value);
    map_release(m);
}

void sums_free(struct sums *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->by_campaign.count; i++)
        free(((struct of_campaign *)s->by_campaign.entries[i].value)->title);
    for (size_t i = 0; i < s->limits.count; i++) {
        struct of_limit *l = s->limits.entries[i].value;
        free_values(&l->by_day);
        free_values(&l->by_account);
    }
    free_values(&s->by_day);
    free_values(&s->by_customer);
    free_values(&s->by_campaign);
    free_values(&s->limits);
    free(s);
}

/* The value under this key, made when there is none; NULL: out of memory. */
static void *cell(struct map *m, struct slice key, size_t size)
{
    void *found = map_get(m, key);
    if (found)
        return found;
    void *made = calloc(1, size);
    if (made && map_set(m, key, made))
        return made;
    free(made);
    return NULL;
}

/* --- what was ------------------------------------------------------------------------------------------------------------------ */

static int64_t int_of(const struct json_value *v, const char *key)
{
    int64_t n = 0;
    json_is_int(json_get(v, key), &n);
    return n;
}

int was_read(const struct past_order *o, struct arena *arena, struct was *out, struct err *err)
{
    struct json_value *v;
    *out = (struct was){ .total = o->total_minor, .shipping = o->shipping_minor };
    if (json_parse(o->priced, NULL, arena, &v, err) < 0)
        return err_reason(err, ERR_CORRUPT, "order_damaged", "What order %.*s came to can't be read.", SLICE_FMT(o->order_id));
    const struct json_value *shipping = json_get(v, "shipping");
    out->discount = int_of(v, "discount");
    if (shipping && shipping->type == JSON_OBJECT)
        out->discount += int_of(shipping, "amount") - int_of(shipping, "total");
    out->tax = int_of(json_get(v, "tax"), "amount");
    out->campaigns = json_get(v, "campaigns");
    return 0;
}

/* --- adding --------------------------------------------------------------------------------------------------------------------- */

static int64_t shipping_paid(const struct quote_result *q)
{
    return q->has_shipping ? q->shipping_minor - q->shipping_discount_minor + (q->tax.included ? 0 : q->tax.shipping_minor) : 0;
}

static int64_t tax_of(const struct quote_result *q)
{
    return q->tax.known ? q->tax.amount_minor : 0;
}

static void add_sides(struct sides *s, const struct sums_order *o, bool touched)
{
    const struct quote_result *q = o->now;
    s->orders++;
    s->touched += touched;
    s->revenue_was += o->was->total;
    s->revenue_now += q->total_minor;
    s->discount_was += o->was->discount;
    s->discount_now += q->discount_minor + q->shipping_discount_minor;
    s->shipping_was += o->was->shipping;
    s->shipping_now += shipping_paid(q);
    s->tax_was += o->was->tax;
    s->tax_now += tax_of(q);
    if (!o->has_cost)
        return;
    s->with_cost++;
    s->cost += o->cost;
    /* The tax of the shipping is within its price, or in the sum: either way it goes with the tax. */
    s->margin_was += o->was->total - o->was->shipping - o->was->tax - o->cost;
    s->margin_now += q->total_minor - shipping_paid(q) - tax_of(q) - o->cost;
}

static const struct json_value *was_campaign(const struct was *w, struct slice id)
{
    for (const struct json_value *c = w->campaigns ? w->campaigns->first : NULL; c; c = c->next) {
        struct slice has;
        if (json_is_string(json_get(c, "id"), &has) && slice_eq(has, id))
            return c;
    }
    return NULL;
}

bool sums_touched(const struct sums_order *o)
{
    const struct quote_result *q = o->now;
    size_t applied = 0;
    if (!q || q->total_minor != o->was->total)
        return true;
    for (size_t i = 0; i < q->outcome_count; i++) {
        const struct quote_outcome *c = &q->outcomes[i];
        if (!c->applied)
            continue;
        const struct json_value *was = was_campaign(o->was, quote_campaign_id(o->rules, c->campaign));
        if (!was || int_of(was, "amount") != c->amount_minor)
            return true;
        applied++;
    }
    return applied != (o->was->campaigns ? o->was->campaigns->count : 0);
}

static struct of_campaign *campaign_cell(struct sums *s, struct slice id, struct slice title)
{
    if (s->by_campaign.count >= CAMPAIGNS_MAX && !map_get(&s->by_campaign, id)) {
        id = slice_str("(others)");
        title = slice_str("All others");
    }
    struct of_campaign *c = cell(&s->by_campaign, id, sizeof *c);
    if (c && !c->title && asprintf(&c->title, "%.*s", SLICE_FMT(title)) < 0)
        c->title = NULL;
    return c;
}

static bool add_campaigns(struct sums *s, const struct sums_order *o)
{
    for (const struct json_value *v = o->was->campaigns ? o->was->campaigns->first : NULL; v; v = v->next) {
        struct slice id = slice_str(""), title = id;
        json_is_string(json_get(v, "id"), &id);
        json_is_string(json_get(v, "title"), &title);
        struct of_campaign *c = campaign_cell(s, id, title);
        if (!c)
            return false;
        c->orders_was++;
        c->amount_was += int_of(v, "amount");
    }
    for (size_t i = 0; i < o->now->outcome_count; i++) {
        const struct quote_outcome *outcome = &o->now->outcomes[i];
        if (!outcome->applied)
            continue;
        struct of_campaign *c =
            campaign_cell(s, quote_campaign_id(o->rules, outcome->campaign), quote_campaign_title(o->rules, outcome->campaign));
        if (!c)
            return false;
        c->orders_now++;
        c->amount_now += outcome->amount_minor;
    }
    return true;
}

static bool add_kind(struct sums *s, const char *kind, const struct sums_order *o, bool touched)
{
    struct slice key = slice_str(kind);
    if (s->by_customer.count >= KINDS_MAX && !map_get(&s->by_customer, key))
        key = slice_str("(other kinds)");
    struct sides *sides = cell(&s->by_customer, key, sizeof *sides);
    if (sides)
        add_sides(sides, o, touched);
    return sides != NULL;
}

static void fact_text(const struct symbols *symbols, const struct quote_fact *f, char out[KIND_BYTES])
{
    struct slice name = symbols_name(symbols, f->name);
    if (f->kind == QUOTE_FACT_STRING)
        snprintf(out, KIND_BYTES, "%.*s = %.*s", SLICE_FMT(name), (int)(f->text.len < 80 ? f->text.len : 80), f->text.data);
    else if (f->kind == QUOTE_FACT_BOOL)
        snprintf(out, KIND_BYTES, "%.*s = %s", SLICE_FMT(name), f->number ? "yes" : "no");
    else
        snprintf(out, KIND_BYTES, "%.*s = %lld", SLICE_FMT(name), (long long)f->number);
}

static bool has_words(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] > ' ')
            return true;
    return false;
}

/* A fact of a few values is a kind of customer (a level); one of many, like a sum of points, is none. */
static bool is_a_kind(const struct quote_fact *f)
{
    enum { LEVELS = 20 };
    return f->kind == QUOTE_FACT_BOOL || (f->kind == QUOTE_FACT_STRING && has_words(f->text)) ||
           (f->kind == QUOTE_FACT_INT && f->number >= 0 && f->number <= LEVELS);
}

static bool add_kinds(struct sums *s, const struct sums_order *o, bool touched)
{
    char text[KIND_BYTES];
    const struct symbols *symbols = quote_rules_symbols(o->rules);
    if (o->cart->customer.len == 0)
        return add_kind(s, "guests", o, touched);
    if (!add_kind(s, "customers", o, touched))
        return false;
    for (size_t i = 0; i < o->cart->customer_tag_count; i++) {
        snprintf(text, sizeof text, "tag %.*s", SLICE_FMT(symbols_name(symbols, o->cart->customer_tags[i])));
        if (!add_kind(s, text, o, touched))
            return false;
    }
    for (size_t i = 0; i < o->cart->fact_count; i++) {
        if (!is_a_kind(&o->cart->facts[i]))
            continue;
        fact_text(symbols, &o->cart->facts[i], text);
        if (!add_kind(s, text, o, touched))
            return false;
    }
    return true;
}

static int64_t day_of(const struct sums *s, int64_t ms)
{
    struct civil at;
    zone_from_utc(s->zone, ms, &at, NULL);
    return civil_days(at.year, at.month, at.day);
}

static struct slice day_key(int64_t day, char text[32])
{
    return slice_of(text, (size_t)snprintf(text, 32, "%lld", (long long)day));
}

static bool add_takes(struct sums *s, const struct sums_order *o, int64_t day)
{
    for (size_t i = 0; i < o->now->take_count; i++) {
        const struct quote_take *t = &o->now->takes[i];
        char key[200], text[32];
        if (t->of_customer)
            continue;
        int n = snprintf(key, sizeof key, "%.*s\n%s", SLICE_FMT(quote_campaign_id(o->rules, t->campaign)), t->limit);
        struct of_limit *l = cell(&s->limits, slice_of(key, (size_t)n), sizeof *l);
        int64_t *on_day = l ? cell(&l->by_day, day_key(day, text), sizeof *on_day) : NULL;
        int64_t *of_account = on_day ? cell(&l->by_account, t->account, sizeof *of_account) : NULL;
        if (!of_account)
            return false;
        l->max = t->max;
        l->used += t->amount;
        *on_day += t->amount;
        *of_account += t->amount;
        if (*of_account < l->max)
            continue;
        l->spent++;
        if (!l->spent_ms)
            l->spent_ms = o->order->placed_at_ms;
    }
    return true;
}

static int add_not_placed(struct not_placed *n, const struct sums_order *o)
{
    *(strcmp(o->why_not, "gate") == 0 ? &n->gate : &n->failed) += 1;
    n->revenue_was += o->was->total;
    if (n->example_count < EXAMPLES_MAX)
        snprintf(n->examples[n->example_count++], ID_MAX + 1, "%.*s", SLICE_FMT(o->order->order_id));
    return 0;
}

int sums_add(struct sums *s, const struct sums_order *o, struct err *err)
{
    char text[32];
    if (!o->now)
        return add_not_placed(&s->not_placed, o);
    bool touched = sums_touched(o);
    int64_t day = day_of(s, o->order->placed_at_ms);
    struct sides *of_day = cell(&s->by_day, day_key(day, text), sizeof *of_day);
    if (!of_day || !add_campaigns(s, o) || !add_kinds(s, o, touched) || !add_takes(s, o, day))
        return err_set(err, ERR_NOMEM, "Out of memory for the sums of a backtest.");
    add_sides(&s->total, o, touched);
    add_sides(of_day, o, touched);
    return 0;
}

/* --- writing -------------------------------------------------------------------------------------------------------------------- */

static void number(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_int(w, n);
}

static void pair(struct json_writer *w, const char *key, int64_t was, int64_t now)
{
    json_key(w, key);
    json_object(w);
    number(w, "was", was);
    number(w, "now", now);
    json_object_end(w);
}

static void sides_write(const struct sides *s, struct json_writer *w)
{
    number(w, "orders", s->orders);
    number(w, "touched", s->touched);
    pair(w, "revenue", s->revenue_was, s->revenue_now);
    pair(w, "discount", s->discount_was, s->discount_now);
    pair(w, "shipping", s->shipping_was, s->shipping_now);
    pair(w, "tax", s->tax_was, s->tax_now);
    number(w, "with_cost", s->with_cost);
    if (!s->with_cost)
        return;
    number(w, "cost", s->cost);
    pair(w, "margin", s->margin_was, s->margin_now);
}

static int by_number(const void *a, const void *b)
{
    long long x = atoll((*(const struct map_entry *const *)a)->key.data), y = atoll((*(const struct map_entry *const *)b)->key.data);
    return x < y ? -1 : x > y;
}

static int64_t moved(const struct map_entry *e)
{
    const struct of_campaign *c = e->value;
    return llabs(c->amount_now - c->amount_was);
}

static int by_change(const void *a, const void *b)
{
    const struct map_entry *x = *(const struct map_entry *const *)a, *y = *(const struct map_entry *const *)b;
    return moved(x) != moved(y) ? (moved(x) < moved(y) ? 1 : -1) : slice_cmp(x->key, y->key);
}

static int by_orders(const void *a, const void *b)
{
    const struct map_entry *x = *(const struct map_entry *const *)a, *y = *(const struct map_entry *const *)b;
    int64_t m = ((const struct sides *)x->value)->orders, n = ((const struct sides *)y->value)->orders;
    return m != n ? (m < n ? 1 : -1) : slice_cmp(x->key, y->key);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp((*(const struct map_entry *const *)a)->key, (*(const struct map_entry *const *)b)->key);
}

/* NULL: out of memory; the answer is then marked as failed. */
static const struct map_entry **sorted(const struct map *m, int (*order)(const void *, const void *), struct json_writer *w)
{
    const struct map_entry **list = calloc(m->count + 1, sizeof *list);
    if (!list) {
        w->out->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < m->count; i++)
        list[i] = &m->entries[i];
    if (m->count)
        qsort(list, m->count, sizeof *list, order);
    return list;
}

static void date_member(struct json_writer *w, int64_t day)
{
    int year, month, date;
    char text[40];
    civil_from_days(day, &year, &month, &date);
    json_key(w, "day");
    json_string(w, slice_of(text, (size_t)snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, date)));
}

static void write_days(const struct map *m, struct json_writer *w)
{
    const struct map_entry **list = sorted(m, by_number, w);
    json_key(w, "by_day");
    json_array(w);
    for (size_t i = 0; list && i < m->count; i++) {
        json_object(w);
        date_member(w, atoll(list[i]->key.data));
        sides_write(list[i]->value, w);
        json_object_end(w);
    }
    json_array_end(w);
    free(list);
}

static void write_campaigns(const struct map *m, struct json_writer *w)
{
    const struct map_entry **list = sorted(m, by_change, w);
    json_key(w, "by_campaign");
    json_array(w);
    for (size_t i = 0; list && i < m->count; i++) {
        const struct of_campaign *c = list[i]->value;
        json_object(w);
        json_key(w, "id");
        json_string(w, list[i]->key);
        json_key(w, "title");
        json_str(w, c->title ? c->title : "");
        pair(w, "orders", c->orders_was, c->orders_now);
        pair(w, "amount", c->amount_was, c->amount_now);
        json_object_end(w);
    }
    json_array_end(w);
    free(list);
}

static void write_customers(const struct map *m, struct json_writer *w)
{
    const struct map_entry **list = sorted(m, by_orders, w);
    json_key(w, "by_customer");
    json_array(w);
    for (size_t i = 0; list && i < m->count; i++) {
        json_object(w);
        json_key(w, "kind");
        json_string(w, list[i]->key);
        sides_write(list[i]->value, w);
        json_object_end(w);
    }
    json_array_end(w);
    free(list);
}

static void write_burn(const struct map *by_day, struct json_writer *w)
{
    const struct map_entry **list = sorted(by_day, by_number, w);
    json_key(w, "by_day");
    json_array(w);
    for (size_t i = 0; list && i < by_day->count; i++) {
        json_object(w);
        date_member(w, atoll(list[i]->key.data));
        number(w, "used", *(const int64_t *)list[i]->value);
        json_object_end(w);
    }
    json_array_end(w);
    free(list);
}

static void write_limits(const struct map *m, struct json_writer *w)
{
    const struct map_entry **list = sorted(m, by_key, w);
    json_key(w, "limits");
    json_array(w);
    for (size_t i = 0; list && i < m->count; i++) {
        const struct of_limit *l = list[i]->value;
        const char *line = memchr(list[i]->key.data, '\n', list[i]->key.len);
        struct slice id = slice_of(list[i]->key.data, (size_t)(line - list[i]->key.data));
        char text[TIMESTAMP_MAX];
        json_object(w);
        json_key(w, "campaign");
        json_string(w, id);
        json_key(w, "limit");
        json_string(w, slice_of(line + 1, list[i]->key.len - id.len - 1));
        number(w, "max", l->max);
        number(w, "used", l->used);
        number(w, "periods", (int64_t)l->by_account.count);
        number(w, "spent", l->spent);
        if (l->spent_ms) {
            json_key(w, "spent_at");
            json_string(w, slice_of(text, timestamp_format(l->spent_ms, text)));
        }
        write_burn(&l->by_day, w);
        json_object_end(w);
    }
    json_array_end(w);
    free(list);
}

static void write_not_placed(const struct not_placed *n, struct json_writer *w)
{
    json_key(w, "not_placed");
    json_object(w);
    number(w, "gate", n->gate);
    number(w, "failed", n->failed);
    number(w, "revenue_was", n->revenue_was);
    json_key(w, "examples");
    json_array(w);
    for (size_t i = 0; i < n->example_count; i++)
        json_str(w, n->examples[i]);
    json_array_end(w);
    json_object_end(w);
}

void sums_write(const struct sums *s, struct json_writer *w)
{
    json_key(w, "total");
    json_object(w);
    sides_write(&s->total, w);
    json_object_end(w);
    write_not_placed(&s->not_placed, w);
    write_days(&s->by_day, w);
    write_campaigns(&s->by_campaign, w);
    write_customers(&s->by_customer, w);
    write_limits(&s->limits, w);
}
