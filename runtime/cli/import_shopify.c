/* Shopify's product export: rows with one handle are one product; its first row has the title, the others are variants
 * (or only carry a further picture). A product with one row is sold under its own SKU; one with several becomes a parent,
 * whose SKU is the handle, and its variants. A row without a SKU gets one from the handle and its options. */
#include "cli/import.h"
#include "base/map.h"

struct columns {
    int handle, title, body, vendor, type, tags, published, status, sku, grams, tracker, qty, policy, price, compare_at, cost, image;
    int option_name[3], option_value[3];
};

struct row {
    struct csv_record r;
    int line;
};

struct group {
    struct slice handle;
    struct row *rows;
    size_t count, cap;
};

struct shopify {
    struct import *im;
    struct columns c;
    struct map seen; /* SKUs of this file */
};

static struct columns find_columns(const struct import *im)
{
    struct columns c = {
        .handle = import_column(im, "Handle"),
        .title = import_column(im, "Title"),
        .body = import_column(im, "Body (HTML)"),
        .vendor = import_column(im, "Vendor"),
        .type = import_column(im, "Type"),
        .tags = import_column(im, "Tags"),
        .published = import_column(im, "Published"),
        .status = import_column(im, "Status"),
        .sku = import_column(im, "Variant SKU"),
        .grams = import_column(im, "Variant Grams"),
        .tracker = import_column(im, "Variant Inventory Tracker"),
        .qty = import_column(im, "Variant Inventory Qty"),
        .policy = import_column(im, "Variant Inventory Policy"),
        .price = import_column(im, "Variant Price"),
        .compare_at = import_column(im, "Variant Compare At Price"),
        .cost = import_column(im, "Cost per item"),
        .image = import_column(im, "Image Src"),
        .option_name = { import_column(im, "Option1 Name"), import_column(im, "Option2 Name"), import_column(im, "Option3 Name") },
        .option_value = { import_column(im, "Option1 Value"), import_column(im, "Option2 Value"), import_column(im, "Option3 Value") },
    };
    return c;
}

bool import_is_shopify(const struct import *im)
{
    return import_column(im, "Handle") >= 0 && import_column(im, "Variant Price") >= 0;
}

static struct slice option_value(const struct shopify *s, const struct row *row, int i)
{
    struct slice v = import_field(&row->r, s->c.option_value[i]);
    return slice_is(v, "Default Title") ? (struct slice){ "", 0 } : v;
}

/* "clay-plant-pot" + "Large" → "clay-plant-pot-large"; letters beyond ASCII stay as they are. */
static struct slice make_sku(struct shopify *s, const struct group *g, const struct row *row)
{
    char out[256];
    size_t n = 0;
    for (size_t i = 0; i < g->handle.len && n < sizeof out - 2; i++)
        out[n++] = g->handle.data[i];
    for (int k = 0; k < 3; k++) {
        struct slice v = option_value(s, row, k);
        if (v.len && n < sizeof out - 2)
            out[n++] = '-';
        for (size_t i = 0; i < v.len && n < sizeof out - 2; i++) {
            char ch = v.data[i];
            out[n++] = ch == ' ' ? '-' : (ch >= 'A' && ch <= 'Z') ? (char)(ch + 32) : ch;
        }
    }
    return arena_copy(s->im->arena, slice_of(out, n));
}

static struct slice row_sku(struct shopify *s, const struct group *g, const struct row *row)
{
    struct slice sku = import_field(&row->r, s->c.sku);
    return sku.len ? sku : make_sku(s, g, row);
}

static bool new_sku(struct shopify *s, int line, struct slice sku)
{
    if (!import_sku_ok(s->im, line, sku))
        return false;
    if (map_get(&s->seen, sku)) {
        import_complain(s->im, line, "the SKU \"%.*s\" is in this file already", SLICE_FMT(sku));
        return false;
    }
    return map_set(&s->seen, sku, s);
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void text_member(struct json_writer *w, const char *key, struct slice v)
{
    if (v.len == 0)
        return;
    json_key(w, key);
    json_string(w, v);
}

static struct slice status_of(const struct shopify *s, const struct row *first)
{
    struct slice status = import_field(&first->r, s->c.status), published = import_field(&first->r, s->c.published);
    if (slice_is(status, "draft") || slice_is(status, "archived"))
        return status;
    return published.len == 5 && strncasecmp(published.data, "false", 5) == 0 ? SLICE_LIT("draft") : SLICE_LIT("active");
}

/* What the whole product says of itself: in its first row. */
static void write_common(struct shopify *s, const struct row *first, struct slice handle)
{
    struct json_writer *w = &s->im->out;
    struct slice title = import_field(&first->r, s->c.title);
    text_member(w, "title", title.len ? title : handle);
    text_member(w, "description", import_field(&first->r, s->c.body));
    text_member(w, "brand", import_field(&first->r, s->c.vendor));
    text_member(w, "category", import_field(&first->r, s->c.type));
    text_member(w, "image", import_field(&first->r, s->c.image));
    text_member(w, "status", status_of(s, first));
    json_key(w, "tags");
    import_tags(s->im, import_field(&first->r, s->c.tags));
}

struct amounts {
    int64_t price, compare_at, cost, grams, qty;
    bool tracked;
};

static bool read_amounts(struct shopify *s, const struct row *row, struct amounts *a)
{
    struct import *im = s->im;
    struct slice compare_at = import_field(&row->r, s->c.compare_at), cost = import_field(&row->r, s->c.cost);
    struct slice grams = import_field(&row->r, s->c.grams), qty = import_field(&row->r, s->c.qty);
    *a = (struct amounts){ 0 };
    bool ok = import_money(im, row->line, "Variant Price", import_field(&row->r, s->c.price), &a->price);
    ok = (!compare_at.len || import_money(im, row->line, "Variant Compare At Price", compare_at, &a->compare_at)) && ok;
    ok = (!cost.len || import_money(im, row->line, "Cost per item", cost, &a->cost)) && ok;
    ok = (!grams.len || import_number(im, row->line, "Variant Grams", grams, &a->grams)) && ok;
    /* No tracker, or "continue": sold without counting. */
    a->tracked = import_field(&row->r, s->c.tracker).len > 0 && !slice_is(import_field(&row->r, s->c.policy), "continue");
    ok = (!a->tracked || !qty.len || import_number(im, row->line, "Variant Inventory Qty", qty, &a->qty)) && ok;
    return ok;
}

static void write_amounts(struct shopify *s, const struct amounts *a)
{
    struct json_writer *w = &s->im->out;
    json_key(w, "price");
    json_int(w, a->price);
    if (a->compare_at) {
        json_key(w, "compare_at");
        json_int(w, a->compare_at);
    }
    if (a->cost) {
        json_key(w, "cost");
        json_int(w, a->cost);
    }
    if (a->grams) {
        json_key(w, "weight_g");
        json_int(w, a->grams);
    }
    json_key(w, "track_stock");
    json_bool(w, a->tracked);
    if (a->tracked) {
        json_key(w, "stock");
        json_int(w, a->qty);
    }
}

static void write_options(struct shopify *s, const struct group *g, const struct row *row)
{
    struct json_writer *w = &s->im->out;
    json_key(w, "options");
    json_object(w);
    for (int i = 0; i < 3; i++) {
        struct slice name = import_field(&g->rows[0].r, s->c.option_name[i]), value = option_value(s, row, i);
        if (!name.len || !value.len)
            continue;
        json_key_slice(w, name);
        json_string(w, value);
    }
    json_object_end(w);
}

static void begin_product(struct shopify *s, struct slice sku)
{
    json_object(&s->im->out);
    json_key(&s->im->out, "sku");
    json_string(&s->im->out, sku);
    s->im->products++;
}

static void single(struct shopify *s, const struct group *g)
{
    struct amounts a;
    struct slice sku = import_field(&g->rows[0].r, s->c.sku);
    if (sku.len == 0)
        sku = g->handle;
    if (!read_amounts(s, &g->rows[0], &a) || !new_sku(s, g->rows[0].line, sku))
        return;
    begin_product(s, sku);
    write_common(s, &g->rows[0], g->handle);
    write_amounts(s, &a);
    json_object_end(&s->im->out);
}

static void parent_and_variants(struct shopify *s, const struct group *g)
{
    struct amounts a, lowest = { .price = INT64_MAX };
    bool ok = new_sku(s, g->rows[0].line, g->handle);
    for (size_t i = 0; i < g->count; i++) {
        ok = read_amounts(s, &g->rows[i], &a) && ok;
        if (a.price < lowest.price)
            lowest.price = a.price;
    }
    if (!ok)
        return;
    lowest.tracked = false; /* the parent itself is never sold */
    begin_product(s, g->handle);
    write_common(s, &g->rows[0], g->handle);
    write_amounts(s, &lowest);
    json_object_end(&s->im->out);
    for (size_t i = 0; i < g->count; i++) {
        struct slice sku = row_sku(s, g, &g->rows[i]);
        if (!new_sku(s, g->rows[i].line, sku) || !read_amounts(s, &g->rows[i], &a))
            continue;
        begin_product(s, sku);
        text_member(&s->im->out, "variant_of", g->handle);
        text_member(&s->im->out, "status", status_of(s, &g->rows[0]));
        write_options(s, g, &g->rows[i]);
        write_amounts(s, &a);
        json_object_end(&s->im->out);
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static void end_group(struct shopify *s, struct group *g)
{
    if (g->count == 1)
        single(s, g);
    else if (g->count > 1)
        parent_and_variants(s, g);
    g->count = 0;
}

static int add_row(struct shopify *s, struct group *g, const struct csv_record *r, int line, struct err *err)
{
    struct row row = { *r, line };
    bool picture_only = !import_field(r, s->c.price).len && !import_field(r, s->c.option_value[0]).len && !import_field(r, s->c.title).len;
    if (picture_only && g->count)
        return 0;
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 16;
        struct row *rows = arena_array(s->im->arena, cap, sizeof *rows);
        if (!rows)
            return err_set(err, ERR_NOMEM, "Out of memory while reading line %d.", line);
        if (g->count)
            memcpy(rows, g->rows, g->count * sizeof *rows);
        g->rows = rows;
        g->cap = cap;
    }
    g->rows[g->count++] = row;
    return 0;
}

int import_shopify(struct import *im, struct csv_reader *csv, struct err *err)
{
    struct shopify s = { .im = im, .c = find_columns(im) };
    struct group g = { 0 };
    struct csv_record r;
    int rc;
    map_init(&s.seen, NULL);
    while ((rc = csv_next(csv, &r, err)) == 1) {
        struct slice handle = import_field(&r, s.c.handle);
        if (handle.len == 0) {
            import_complain(im, csv->line, "the Handle is missing");
            continue;
        }
        if (!slice_eq(handle, g.handle)) {
            end_group(&s, &g);
            g.handle = handle;
        }
        if ((rc = add_row(&s, &g, &r, csv->line, err)) < 0)
            break;
    }
    if (rc == 0)
        end_group(&s, &g);
    map_release(&s.seen);
    return rc;
}
