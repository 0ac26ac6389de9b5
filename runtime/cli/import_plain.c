/* sku,title,category,tags,price,stock: a row is a product. */
#include "cli/import.h"
#include "base/map.h"

static void product(struct import *im, const struct csv_record *r, int line, struct map *seen)
{
    struct slice sku = import_field(r, import_column(im, "sku")), title = import_field(r, import_column(im, "title"));
    struct slice category = import_field(r, import_column(im, "category")), stock_text = import_field(r, import_column(im, "stock"));
    int64_t price = 0, stock = 0;
    bool ok = import_sku_ok(im, line, sku);
    ok = import_money(im, line, "price", import_field(r, import_column(im, "price")), &price) && ok;
    ok = (stock_text.len == 0 || import_number(im, line, "stock", stock_text, &stock)) && ok;
    if (ok && map_get(seen, sku)) {
        import_complain(im, line, "the SKU \"%.*s\" is in this file already", SLICE_FMT(sku));
        ok = false;
    }
    if (!ok)
        return;
    map_set(seen, sku, im);
    json_object(&im->out);
    json_key(&im->out, "sku");
    json_string(&im->out, sku);
    json_key(&im->out, "title");
    json_string(&im->out, title.len ? title : sku);
    json_key(&im->out, "price");
    json_int(&im->out, price);
    if (category.len) {
        json_key(&im->out, "category");
        json_string(&im->out, category);
    }
    json_key(&im->out, "tags");
    import_tags(im, import_field(r, import_column(im, "tags")));
    if (stock_text.len) {
        json_key(&im->out, "stock");
        json_int(&im->out, stock);
    }
    json_object_end(&im->out);
    im->products++;
}

int import_plain(struct import *im, struct csv_reader *csv, struct err *err)
{
    struct csv_record r;
    struct map seen;
    int rc;
    map_init(&seen, NULL);
    while ((rc = csv_next(csv, &r, err)) == 1) {
        if (r.count > im->header.count)
            import_complain(im, csv->line, "%zu fields, but the header names %zu", r.count, im->header.count);
        else
            product(im, &r, csv->line, &seen);
    }
    map_release(&seen);
    return rc;
}
