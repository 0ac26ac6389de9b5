/* quote_campaigns_bench CART.json... -- CAMPAIGNS.json... - nanoseconds for each cart under each set of campaigns, in process, without
 * writing the answer. The sets take turns in every round, and which comes first changes; the median of the rounds. One line of JSON for
 * each pair; of a set also how long its rules took to build, and what they keep in memory. For scripts/bench campaigns.
 *
 * A cart: {"lines": [{"sku", "price", "qty", "category", "tags", "brand"}...], "codes": [...], "shipping": [...]}. */
#include "quote/quote.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 21, ROUND_NS = 4000000, SETS_MAX = 16, CATEGORY_DEPTH = 8 };

struct set {
    const char *path;
    struct quote_rules *rules;
    size_t count, bytes;
    double build_ms;
};

struct bench {
    struct symbols *symbols;
    struct zone *zone;
    struct currency currency;
    struct arena setup, run;
    struct set sets[SETS_MAX];
    size_t set_count;
    const struct json_value *shipping;
    struct quote_cart cart;
    struct quote_result result;
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "quote_campaigns_bench: %s: %s\n", what, why);
    exit(1);
}

/* Of the processor, so that what else the machine does counts less. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct json_value *read_json(struct arena *a, const char *path)
{
    const struct json_limits limits = { .nodes = 50000000 };
    struct err err;
    struct json_value *v;
    struct buf text;
    FILE *f = fopen(path, "rb");
    if (!f)
        stop(path, "can't be opened");
    buf_init(&text, NULL);
    for (size_t n = 1; n > 0 && buf_reserve(&text, 1 << 20); text.len += n)
        n = fread(text.data + text.len, 1, 1 << 20, f);
    fclose(f);
    struct slice copy = text.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&text));
    buf_release(&text);
    if (!copy.data || json_parse(copy, &limits, a, &v, &err) < 0)
        stop(path, copy.data ? err.text : "out of memory");
    return v;
}

/* --- the cart -------------------------------------------------------------------------------------------------------------- */

static symbol symbol_of(struct bench *b, const struct json_value *v)
{
    struct slice s;
    return json_is_string(v, &s) ? symbols_intern(b->symbols, s) : 0;
}

/* "tea/green" and its ancestors. */
static void add_categories(struct bench *b, const struct json_value *in, struct quote_product *p)
{
    struct slice path;
    symbol *names = arena_array(&b->setup, CATEGORY_DEPTH, sizeof *names);
    if (!names || !json_is_string(json_get(in, "category"), &path))
        return;
    while (p->category_count < CATEGORY_DEPTH) {
        names[p->category_count++] = symbols_intern(b->symbols, path);
        while (path.len && path.data[path.len - 1] != '/')
            path.len--;
        if (path.len == 0)
            break;
        path.len--;
    }
    p->categories = names;
}

static void add_tags(struct bench *b, const struct json_value *tags, struct quote_product *p)
{
    symbol *names = tags ? arena_array(&b->setup, tags->count, sizeof *names) : NULL;
    for (const struct json_value *t = names ? tags->first : NULL; t; t = t->next)
        names[p->tag_count++] = symbol_of(b, t);
    p->tags = names;
}

static void cart_open(struct bench *b, const char *path)
{
    const struct json_value *in = read_json(&b->setup, path), *lines = json_get(in, "lines"), *codes = json_get(in, "codes");
    b->cart = (struct quote_cart){ .at_ms = 1750000000000 };
    b->cart.lines = arena_array(&b->setup, lines ? lines->count : 0, sizeof *b->cart.lines);
    if (!b->cart.lines)
        stop(path, "it has no lines");
    for (const struct json_value *v = lines->first; v; v = v->next) {
        struct quote_line *l = &b->cart.lines[b->cart.line_count++];
        struct quote_product *p = &l->product;
        p->sku = symbol_of(b, json_get(v, "sku"));
        p->brand = symbol_of(b, json_get(v, "brand"));
        json_is_string(json_get(v, "sku"), &p->title);
        json_is_int(json_get(v, "price"), &p->price_minor);
        json_is_int(json_get(v, "qty"), &l->qty);
        l->unit_price_minor = p->price_minor;
        add_categories(b, v, p);
        add_tags(b, json_get(v, "tags"), p);
    }
    for (const struct json_value *v = codes ? codes->first : NULL; v && b->cart.code_count < QUOTE_CODES_MAX; v = v->next)
        b->cart.codes[b->cart.code_count++] = v->string;
    b->shipping = json_get(in, "shipping");
    b->cart.shipping_option = b->shipping && b->shipping->first ? json_get(b->shipping->first, "id")->string : (struct slice){ 0 };
}

/* --- the rules ------------------------------------------------------------------------------------------------------------- */

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void set_open(struct bench *b, struct set *s)
{
    struct err err;
    struct arena specs;
    arena_init(&specs, NULL, 0);
    const struct json_value *campaigns = read_json(&specs, s->path);
    struct quote_rules_options o = { .zone = b->zone, .symbols = b->symbols, .currency = b->currency, .shipping = b->shipping };
    size_t before = in_use();
    double began = now_ns();
    if (quote_rules_build(campaigns, &o, &s->rules, &err) < 0)
        stop(s->path, err.text);
    s->build_ms = (now_ns() - began) / 1e6;
    s->bytes = in_use() - before; /* the names they brought along included */
    s->count = quote_rules_count(s->rules);
    arena_release(&specs);
}

/* --- rounds ---------------------------------------------------------------------------------------------------------------- */

static void price(struct bench *b, const struct set *s)
{
    struct err err;
    arena_reset(&b->run);
    if (quote_price(s->rules, &b->cart, NULL, &b->run, &b->result, &err) < 0)
        stop(s->path, err.text);
}

static double round_ns(struct bench *b, const struct set *s, int repeats)
{
    double began = now_ns();
    for (int i = 0; i < repeats; i++)
        price(b, s);
    return (now_ns() - began) / repeats;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct bench *b, const struct set *s, double *rounds)
{
    size_t applied = 0;
    price(b, s);
    for (size_t i = 0; i < b->result.outcome_count; i++)
        applied += b->result.outcomes[i].applied;
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    printf(
        "{\"lines\": %zu, \"campaigns\": %zu, \"looked_at\": %zu, \"applied\": %zu, \"discount\": %lld, \"ns\": %.0f, \"best_ns\": %.0f, "
        "\"build_ms\": %.1f, \"bytes\": %zu}\n",
        b->cart.line_count, s->count, b->result.outcome_count, applied, (long long)b->result.discount_minor, rounds[ROUNDS / 2], rounds[0],
        s->build_ms, s->bytes);
}

static void measure(struct bench *b)
{
    double rounds[SETS_MAX][ROUNDS];
    int repeats[SETS_MAX];
    for (size_t i = 0; i < b->set_count; i++) {
        round_ns(b, &b->sets[i], 1); /* warm */
        repeats[i] = 1 + (int)(ROUND_NS / round_ns(b, &b->sets[i], 1));
    }
    for (int r = 0; r < ROUNDS; r++) {
        for (size_t k = 0; k < b->set_count; k++) {
            size_t i = r % 2 ? b->set_count - 1 - k : k;
            rounds[i][r] = round_ns(b, &b->sets[i], repeats[i]);
        }
    }
    for (size_t i = 0; i < b->set_count; i++)
        report(b, &b->sets[i], rounds[i]);
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    struct err err;
    int carts = 1;
    while (carts < argc && strcmp(argv[carts], "--") != 0)
        carts++;
    if (carts < 2 || carts + 1 >= argc || argc - carts - 1 > SETS_MAX) {
        fprintf(stderr, "usage: quote_campaigns_bench CART.json... -- CAMPAIGNS.json... (at most %d)\n", SETS_MAX);
        return 2;
    }
    arena_init(&b.setup, NULL, 0);
    arena_init(&b.run, NULL, 0);
    b.symbols = symbols_new(NULL);
    if (!b.symbols || zone_load(slice_str("Europe/London"), &b.zone, &err) < 0 || currency_find(slice_str("GBP"), &b.currency, &err) < 0)
        stop("setting up", err.text);
    for (int c = 1; c < carts; c++) {
        cart_open(&b, argv[c]);
        for (int i = carts + 1; c == 1 && i < argc; i++) {
            b.sets[b.set_count].path = argv[i];
            set_open(&b, &b.sets[b.set_count++]);
        }
        measure(&b);
    }
    for (size_t i = 0; i < b.set_count; i++)
        quote_rules_free(b.sets[i].rules);
    symbols_free(b.symbols);
    zone_free(b.zone);
    arena_release(&b.setup);
    arena_release(&b.run);
    return 0;
}
