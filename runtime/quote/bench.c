/* quote_bench [LINES [MORE]] - nanoseconds for a cart of 20 (LINES) lines under 10 campaigns and MORE that can't apply: pricing, writing
 * the answer, writing the evidence. The median of the rounds, and the best of them; the arena and the buffer are warm. */
#include "quote/quote.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINES = 20, ROUNDS = 31, WORK = 80000 }; /* lines priced in a round */

static const char campaigns[] =
    "[{\"id\":\"tea-20\",\"title\":\"Tea: 20% "
    "off\",\"scope\":{\"category\":[\"tea\"]},\"give\":{\"percent_off\":{\"percent\":20,\"cap\":\"50.00\"}}},"
    "{\"id\":\"man300\",\"title\":\"300-50\",\"scope\":{\"tag\":[\"double11\"]},\"give\":{\"amount_off\":{\"amount\":\"50.00\",\"every\":"
    "\"300.00\",\"cap\":\"200.00\"}}},"
    "{\"id\":\"b2g1\",\"title\":\"Buy two get one\",\"scope\":{\"category\":[\"mugs\"]},\"give\":{\"buy_get\":{\"buy\":2,\"get\":1}}},"
    "{\"id\":\"vip\",\"title\":\"Regulars\",\"when\":{\"customer_tag\":[\"vip\"]},\"give\":{\"percent_off\":{\"percent\":5}}},"
    "{\"id\":\"welcome\",\"title\":\"Welcome\",\"codes\":[\"WELCOME\"],\"when\":{\"subtotal\":{\"at_least\":\"99.00\"}},\"give\":{\"amount_"
    "off\":{\"amount\":\"20.00\"}}},"
    "{\"id\":\"ship\",\"title\":\"Free shipping\",\"when\":{\"subtotal\":{\"at_least\":\"200.00\"}},\"give\":{\"free_shipping\":{}}},"
    "{\"id\":\"over\",\"title\":\"Last year\",\"window\":{\"to\":\"2020-01-01\"},\"give\":{\"percent_off\":{\"percent\":50}}},"
    "{\"id\":\"toys\",\"title\":\"Toys\",\"scope\":{\"category\":[\"toys\"]},\"give\":{\"percent_off\":{\"percent\":30}}},"
    "{\"id\":\"bulk\",\"title\":\"Bulk\",\"when\":{\"qty\":{\"at_least\":500}},\"give\":{\"percent_off\":{\"percent\":10}}},"
    "{\"id\":\"collector\",\"title\":\"One SKU\",\"scope\":{\"sku\":[\"SKU-3\",\"SKU-7\"]},\"give\":{\"percent_off\":{\"percent\":12.5}}}]";
static const char shipping[] = "[{\"id\":\"standard\",\"rates\":[{\"up_to_g\":20000,\"price\":\"8.00\"},{\"price\":\"20.00\"}]}]";

struct bench {
    struct symbols *symbols;
    struct zone *zone;
    struct quote_rules *rules;
    struct arena setup, run;
    struct buf out;
    struct quote_cart cart;
    struct quote_result result;
    int lines, more;
};

static void stop(const char *what, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

static symbol sym(struct bench *b, const char *name)
{
    return symbols_intern(b->symbols, slice_str(name));
}

static void cart_fill(struct bench *b)
{
    static const char *const kinds[] = { "tea", "mugs", "books", "gifts" };
    b->cart.lines = arena_array(&b->setup, (size_t)b->lines, sizeof *b->cart.lines);
    for (int i = 0; i < b->lines; i++) {
        struct quote_line *l = &b->cart.lines[i];
        symbol *names = arena_array(&b->setup, 4, sizeof *names);
        struct slice sku = arena_printf(&b->setup, "SKU-%d", i);
        names[0] = symbols_intern(b->symbols, arena_printf(&b->setup, "%s/green", kinds[i % 4]));
        names[1] = sym(b, kinds[i % 4]);
        names[2] = sym(b, i % 3 ? "plain" : "double11");
        names[3] = sym(b, "in-season");
        *l = (struct quote_line){ .qty = 1 + i % 4, .unit_price_minor = 990 + 137 * i };
        l->product = (struct quote_product){ .sku = symbols_intern(b->symbols, sku),
                                             .title = arena_printf(&b->setup, "Product number %d", i),
                                             .categories = names,
                                             .category_count = 2,
                                             .tags = names + 2,
                                             .tag_count = 2,
                                             .price_minor = l->unit_price_minor,
                                             .weight_g = 250 };
    }
    symbol *tag = arena_array(&b->setup, 1, sizeof *tag);
    tag[0] = sym(b, "vip");
    b->cart.line_count = (size_t)b->lines;
    b->cart.at_ms = 1750000000000;
    b->cart.customer = slice_str("17850");
    b->cart.customer_tags = tag;
    b->cart.customer_tag_count = 1;
    b->cart.codes[0] = slice_str("welcome");
    b->cart.code_count = 1;
    b->cart.shipping_option = slice_str("standard");
}

/* The campaigns above, and more for categories that the cart does not have. */
static struct slice all_campaigns(struct bench *b)
{
    struct buf text;
    buf_init(&text, NULL);
    buf_add(&text, campaigns, sizeof campaigns - 2); /* without the bracket */
    for (int i = 0; i < b->more; i++)
        buf_printf(&text, ",{\"id\":\"more-%d\",\"scope\":{\"category\":[\"other-%d\"]},\"give\":{\"percent_off\":{\"percent\":5}}}", i, i);
    buf_add_str(&text, "]");
    struct slice copy = arena_copy(&b->setup, buf_slice(&text));
    buf_release(&text);
    return copy;
}

static void bench_open(struct bench *b, int lines, int more)
{
    struct err err;
    struct json_value *specs, *options;
    struct quote_rules_options o = { 0 };
    memset(b, 0, sizeof *b);
    b->lines = lines;
    b->more = more;
    arena_init(&b->setup, NULL, 0);
    arena_init(&b->run, NULL, 0);
    buf_init(&b->out, NULL);
    b->symbols = symbols_new(NULL);
    if (zone_load(slice_str("Asia/Shanghai"), &b->zone, &err) < 0 || currency_find(slice_str("CNY"), &o.currency, &err) < 0 ||
        json_parse(all_campaigns(b), NULL, &b->setup, &specs, &err) < 0 ||
        json_parse(slice_str(shipping), NULL, &b->setup, &options, &err) < 0)
        stop("setting up", &err);
    o.zone = b->zone;
    o.symbols = b->symbols;
    o.shipping = options;
    if (quote_rules_build(specs, &o, &b->rules, &err) < 0)
        stop("rules", &err);
    cart_fill(b);
}

static void price(struct bench *b)
{
    struct err err;
    arena_reset(&b->run);
    if (quote_price(b->rules, &b->cart, NULL, &b->run, &b->result, &err) < 0)
        stop("price", &err);
}

static void price_with_offers(struct bench *b)
{
    b->cart.wants_offers = true;
    price(b);
    b->cart.wants_offers = false;
}

static void write_answer(struct bench *b)
{
    struct json_writer w;
    buf_clear(&b->out);
    json_writer_init(&w, &b->out);
    json_object(&w);
    quote_result_write(b->rules, &b->result, &(struct quote_telling){ 0 }, &w);
    json_object_end(&w);
}

static void write_evidence(struct bench *b)
{
    buf_clear(&b->out);
    quote_evidence_write(b->symbols, &b->cart, &b->out);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct times {
    double median_ns, best_ns;
};

static struct times measure(struct bench *b, void (*fn)(struct bench *))
{
    double rounds[ROUNDS];
    int repeats = WORK / (b->lines + b->more) + 1;
    for (int r = 0; r < ROUNDS; r++) {
        double start = now_ns();
        for (int i = 0; i < repeats; i++)
            fn(b);
        rounds[r] = (now_ns() - start) / repeats;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], by_size);
    return (struct times){ rounds[ROUNDS / 2], rounds[0] };
}

int main(int argc, char **argv)
{
    struct bench b;
    int lines = argc > 1 ? atoi(argv[1]) : LINES, more = argc > 2 ? atoi(argv[2]) : 0;
    if (lines < 1 || lines > QUOTE_LINES_MAX || more < 0) {
        fprintf(stderr, "usage: quote_bench [LINES (1..%d) [MORE CAMPAIGNS]]\n", QUOTE_LINES_MAX);
        return 2;
    }
    bench_open(&b, lines, more);
    struct times priced = measure(&b, price), written = measure(&b, write_answer);
    size_t answer = b.out.len, arena = b.run.used_bytes;
    struct times kept = measure(&b, write_evidence), offered = measure(&b, price_with_offers);
    size_t applied = 0;
    for (size_t i = 0; i < b.result.outcome_count; i++)
        applied += b.result.outcomes[i].applied;
    printf("%d lines, %zu campaigns (%zu apply): discount %lld of %lld\n", lines, quote_rules_count(b.rules), applied,
           (long long)b.result.discount_minor, (long long)b.result.subtotal_minor);
    printf("price    %7.0f ns, best %7.0f  (%zu bytes of arena)\n", priced.median_ns, priced.best_ns, arena);
    printf("offers   %7.0f ns, best %7.0f  (priced with offers, %zu found)\n", offered.median_ns, offered.best_ns, b.result.near_count);
    printf("write    %7.0f ns, best %7.0f  (%zu bytes)\n", written.median_ns, written.best_ns, answer);
    printf("evidence %7.0f ns, best %7.0f  (%zu bytes)\n", kept.median_ns, kept.best_ns, b.out.len);
    quote_rules_free(b.rules);
    symbols_free(b.symbols);
    zone_free(b.zone);
    arena_release(&b.setup);
    arena_release(&b.run);
    buf_release(&b.out);
    return 0;
}
