/* A cart as compact JSON: names once, in a dictionary; a line as a list of numbers. README.md has the form. */
#include "quote/emit.h"
#include "quote/quote.h"

/* --- the dictionary: names get numbers from 1 in the order in which they are met ------------------------------------------ */

enum { FEW = 256 };

struct dictionary {
    const struct alloc *alloc;
    symbol *names;       /* by number - 1 */
    uint32_t *slots;     /* open addressing: number, 0 = empty; twice as many as cap */
    uint32_t count, cap; /* cap is a power of two */
    bool failed;
    symbol few_names[FEW];
    uint32_t few_slots[2 * FEW];
};

static void dictionary_init(struct dictionary *d, const struct alloc *alloc)
{
    d->alloc = alloc;
    d->names = d->few_names;
    d->slots = d->few_slots;
    d->count = 0;
    d->cap = FEW;
    d->failed = false;
    memset(d->few_slots, 0, sizeof d->few_slots);
}

static void dictionary_release(struct dictionary *d)
{
    if (d->names == d->few_names)
        return;
    alloc_resize(d->alloc, d->names, d->cap * sizeof *d->names, 0);
    alloc_resize(d->alloc, d->slots, 2 * (size_t)d->cap * sizeof *d->slots, 0);
}

static uint32_t *slot_find(const struct dictionary *d, symbol s)
{
    uint32_t mask = 2 * d->cap - 1, i = s * 0x9E3779B1u >> 7 & mask;
    while (d->slots[i] && d->names[d->slots[i] - 1] != s)
        i = (i + 1) & mask;
    return &d->slots[i];
}

static bool dictionary_grow(struct dictionary *d)
{
    uint32_t cap = 2 * d->cap;
    symbol *names = alloc_resize(d->alloc, NULL, 0, cap * sizeof *names);
    uint32_t *slots = alloc_resize(d->alloc, NULL, 0, 2 * (size_t)cap * sizeof *slots);
    if (!names || !slots) {
        alloc_resize(d->alloc, names, names ? cap * sizeof *names : 0, 0);
        alloc_resize(d->alloc, slots, slots ? 2 * (size_t)cap * sizeof *slots : 0, 0);
        return false;
    }
    memcpy(names, d->names, d->count * sizeof *names);
    memset(slots, 0, 2 * (size_t)cap * sizeof *slots);
    dictionary_release(d);
    d->names = names;
    d->slots = slots;
    d->cap = cap;
    for (uint32_t i = 0; i < d->count; i++)
        *slot_find(d, names[i]) = i + 1;
    return true;
}

static uint32_t number_of(struct dictionary *d, symbol s)
{
    if (s == 0)
        return 0;
    uint32_t *slot = slot_find(d, s);
    if (*slot)
        return *slot;
    if (d->count == d->cap) {
        if (!dictionary_grow(d)) {
            d->failed = true;
            return 0;
        }
        slot = slot_find(d, s);
    }
    d->names[d->count] = s;
    *slot = ++d->count;
    return *slot;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

enum { LINE_FIXED = 9 }; /* sku, qty, unit_price, price, compare_at, weight_g, brand, own_price, categories */

static void names_emit(struct dictionary *d, const symbol *names, uint32_t count, struct emit *e)
{
    for (uint32_t i = 0; i < count; i++) {
        EMIT(e, ",");
        emit_int(e, number_of(d, names[i]));
    }
}

static void line_emit(struct dictionary *d, const struct quote_line *l, struct emit *e)
{
    const struct quote_product *p = &l->product;
    const int64_t numbers[LINE_FIXED] = { number_of(d, p->sku), l->qty,      l->unit_price_minor,    p->price_minor,
                                          p->compare_at_minor,  p->weight_g, number_of(d, p->brand), l->own_price,
                                          p->category_count };
    emit_room(e, (LINE_FIXED + (size_t)p->category_count + p->tag_count) * (DIGITS_MAX + 1) + 3);
    for (size_t i = 0; i < LINE_FIXED; i++) {
        emit_raw(e, i ? "," : "[", 1);
        emit_int(e, numbers[i]);
    }
    names_emit(d, p->categories, p->category_count, e);
    names_emit(d, p->tags, p->tag_count, e);
    EMIT(e, "]");
}

/* [line, campaign] of each line that is an add-on, counted from 0. */
static void add_ons_write(const struct quote_cart *c, struct json_writer *w)
{
    bool any = false;
    for (size_t i = 0; i < c->line_count - c->gift_count; i++) {
        if (c->lines[i].from.len == 0)
            continue;
        if (!any) {
            json_key(w, "from");
            json_array(w);
            any = true;
        }
        json_array(w);
        json_int(w, (int64_t)i);
        json_string(w, c->lines[i].from);
        json_array_end(w);
    }
    if (any)
        json_array_end(w);
}

/* As lines are, with what is left in place of the quantity (-1: not counted); of what is not for sale [sku]. */
static void extras_write(struct dictionary *d, const struct quote_cart *c, struct json_writer *w)
{
    if (c->extra_count == 0)
        return;
    json_key(w, "x");
    json_array(w);
    struct emit e = emit_begin(w->out);
    for (size_t i = 0; i < c->extra_count; i++) {
        const struct quote_extra *x = &c->extras[i];
        const struct quote_line line = { .product = x->product, .qty = x->left == INT64_MAX ? -1 : x->left };
        emit_room(&e, DIGITS_MAX + 4);
        if (i)
            EMIT(&e, ",");
        if (x->for_sale) {
            line_emit(d, &line, &e);
            continue;
        }
        EMIT(&e, "[");
        emit_int(&e, number_of(d, x->product.sku));
        EMIT(&e, "]");
    }
    emit_end(&e);
    json_array_end(w);
}

static void lines_write(struct dictionary *d, const struct quote_cart *c, struct json_writer *w)
{
    json_key(w, "l");
    json_array(w);
    struct emit e = emit_begin(w->out);
    for (size_t i = 0; i < c->line_count - c->gift_count; i++) {
        if (i)
            EMIT(&e, ",");
        line_emit(d, &c->lines[i], &e);
    }
    emit_end(&e);
    json_array_end(w);
}

static void text_member(struct json_writer *w, const char *key, struct slice text)
{
    if (text.len == 0)
        return;
    json_key(w, key);
    json_string(w, text);
}

static void int_member(struct json_writer *w, const char *key, int64_t v)
{
    if (v == 0)
        return;
    json_key(w, key);
    json_int(w, v);
}

static void customer_write(struct dictionary *d, const struct quote_cart *c, struct slice name, struct json_writer *w)
{
    text_member(w, "cust", name);
    int_member(w, "cv", c->customer_version);
    if (c->customer_tag_count) {
        json_key(w, "ct");
        json_array(w);
        for (size_t i = 0; i < c->customer_tag_count; i++)
            json_int(w, number_of(d, c->customer_tags[i]));
        json_array_end(w);
    }
    if (c->fact_count) {
        json_key(w, "facts"); /* [name, kind, value] each */
        json_array(w);
        for (size_t i = 0; i < c->fact_count; i++) {
            const struct quote_fact *f = &c->facts[i];
            json_array(w);
            json_int(w, number_of(d, f->name));
            json_int(w, f->kind);
            if (f->kind == QUOTE_FACT_STRING)
                json_string(w, f->text);
            else
                json_int(w, f->number);
            json_array_end(w);
        }
        json_array_end(w);
    }
}

/* "campaign/tea/uses/17850": the customer's account ends with his name, which may be another one here. */
static void account_write(const struct quote_cart *c, struct slice account, struct slice name, struct buf *scratch, struct json_writer *w)
{
    size_t n = c->customer.len;
    bool is_his = n && account.len > n && account.data[account.len - n - 1] == '/' &&
                  memcmp(account.data + account.len - n, c->customer.data, n) == 0;
    if (!is_his || name.data == c->customer.data) {
        json_string(w, account);
        return;
    }
    buf_clear(scratch);
    buf_add(scratch, account.data, account.len - n);
    buf_add_slice(scratch, name);
    w->out->failed = w->out->failed || scratch->failed;
    json_string(w, buf_slice(scratch));
}

/* ["spring", 50000, 731204]: the share, and the number of the customer, of a million each. */
static void shares_write(const struct quote_cart *c, struct json_writer *w)
{
    json_key(w, "share");
    json_array(w);
    for (size_t i = 0; i < c->share_count; i++) {
        json_array(w);
        json_string(w, c->shares[i].campaign);
        json_int(w, c->shares[i].share_ppm);
        json_int(w, c->shares[i].bucket_ppm);
        json_array_end(w);
    }
    json_array_end(w);
}

static void left_write(const struct quote_cart *c, struct slice name, struct json_writer *w)
{
    struct buf scratch;
    buf_init(&scratch, w->out->alloc);
    json_key(w, "left");
    json_array(w);
    for (size_t i = 0; i < c->left_count; i++) {
        json_array(w);
        account_write(c, c->left[i].account, name, &scratch, w);
        if (c->left[i].is_known)
            json_int(w, c->left[i].left);
        json_array_end(w);
    }
    json_array_end(w);
    buf_release(&scratch);
}

static void write_as(const struct symbols *s, const struct quote_cart *c, struct slice name, struct buf *out)
{
    struct dictionary d;
    struct json_writer w;
    dictionary_init(&d, out->alloc);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "k");
    json_int(&w, QUOTE_KERNEL_VERSION);
    json_key(&w, "at");
    json_int(&w, c->at_ms);
    int_member(&w, "seed", (int64_t)c->seed); /* the same 64 bits */
    customer_write(&d, c, name, &w);
    int_member(&w, "ch", number_of(&d, c->channel));
    int_member(&w, "rg", number_of(&d, c->region));
    int_member(&w, "pm", number_of(&d, c->payment_method));
    int_member(&w, "st", number_of(&d, c->store));
    text_member(&w, "opt", c->shipping_option);
    if (c->code_count) {
        json_key(&w, "codes");
        json_array(&w);
        for (size_t i = 0; i < c->code_count; i++)
            json_string(&w, c->codes[i]);
        json_array_end(&w);
    }
    int_member(&w, "nc", c->no_campaigns);
    if (c->inputs) {
        json_key(&w, "in");
        json_value_write(&w, c->inputs);
    }
    if (c->stopped_count) {
        json_key(&w, "stop");
        json_array(&w);
        for (size_t i = 0; i < c->stopped_count; i++)
            json_string(&w, c->stopped[i]);
        json_array_end(&w);
    }
    if (c->share_count)
        shares_write(c, &w);
    if (c->left_count)
        left_write(c, name, &w);
    lines_write(&d, c, &w);
    add_ons_write(c, &w);
    extras_write(&d, c, &w);
    json_key(&w, "s");
    json_array(&w);
    for (uint32_t i = 0; i < d.count; i++)
        json_string(&w, symbols_name(s, d.names[i]));
    json_array_end(&w);
    json_object_end(&w);
    if (d.failed)
        out->failed = true;
    dictionary_release(&d);
}

void quote_evidence_write(const struct symbols *s, const struct quote_cart *c, struct buf *out)
{
    write_as(s, c, c->customer, out);
}

void quote_evidence_write_nameless(const struct symbols *s, const struct quote_cart *c, struct buf *out)
{
    write_as(s, c, c->customer.len ? SLICE_LIT(QUOTE_SOMEBODY) : c->customer, out);
}

/* --- reading: nothing is believed ------------------------------------------------------------------------------------------ */

struct reader {
    struct arena *arena;
    symbol *names; /* by number; [0] = 0 */
    uint32_t count;
    struct err *err;
};

static int bad(const struct reader *r, const char *what)
{
    return err_field(r->err, ERR_CORRUPT, what, "the evidence of this quote is damaged: \"%s\" is not what it should be", what);
}

static int no_memory(const struct reader *r)
{
    return err_set(r->err, ERR_NOMEM, "out of memory while reading evidence; try again");
}

static int names_read(struct reader *r, struct symbols *s, const struct json_value *list)
{
    if (!list || list->type != JSON_ARRAY)
        return bad(r, "s");
    r->names = arena_array(r->arena, (size_t)list->count + 1, sizeof *r->names);
    if (!r->names)
        return no_memory(r);
    for (const struct json_value *m = list->first; m; m = m->next) {
        struct slice text;
        if (!json_is_string(m, &text))
            return bad(r, "s");
        symbol sym = symbols_intern(s, text);
        if (sym == 0)
            return no_memory(r);
        r->names[++r->count] = sym;
    }
    return 0;
}

static bool int_read(const struct json_value **v, int64_t *out)
{
    if (!json_is_int(*v, out))
        return false;
    *v = (*v)->next;
    return true;
}

static bool name_read(const struct reader *r, const struct json_value **v, symbol *out)
{
    int64_t n;
    if (!int_read(v, &n) || n < 0 || n > r->count)
        return false;
    *out = r->names[n];
    return true;
}

/* `count` names from v on. */
static int name_list_read(const struct reader *r, const struct json_value **v, uint32_t count, const char *what, const symbol **out)
{
    symbol *list = arena_array(r->arena, count, sizeof *list);
    if (!list)
        return no_memory(r);
    for (uint32_t i = 0; i < count; i++)
        if (!name_read(r, v, &list[i]) || list[i] == 0)
            return bad(r, what);
    *out = list;
    return 0;
}

static int line_read(const struct reader *r, const struct json_value *v, struct quote_line *l)
{
    struct quote_product *p = &l->product;
    int64_t own, categories;
    if (v->type != JSON_ARRAY || v->count < LINE_FIXED)
        return bad(r, "l");
    int64_t tags = (int64_t)v->count - LINE_FIXED;
    v = v->first;
    if (!name_read(r, &v, &p->sku) || p->sku == 0 || !int_read(&v, &l->qty) || !int_read(&v, &l->unit_price_minor) ||
        !int_read(&v, &p->price_minor) || !int_read(&v, &p->compare_at_minor) || !int_read(&v, &p->weight_g) ||
        !name_read(r, &v, &p->brand) || !int_read(&v, &own) || own < 0 || own > 1 || !int_read(&v, &categories) || categories < 0 ||
        categories > tags)
        return bad(r, "l");
    l->own_price = own;
    l->from = slice_str("");
    p->title = slice_str("");
    p->category_count = (uint32_t)categories;
    p->tag_count = (uint32_t)(tags - categories);
    int rc = name_list_read(r, &v, p->category_count, "l", &p->categories);
    return rc < 0 ? rc : name_list_read(r, &v, p->tag_count, "l", &p->tags);
}

static int add_ons_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    if (v->type != JSON_ARRAY)
        return bad(r, "from");
    for (const struct json_value *m = v->first; m; m = m->next) {
        int64_t line;
        const struct json_value *at = m->type == JSON_ARRAY && m->count == 2 ? m->first : NULL;
        struct slice from;
        if (!at || !int_read(&at, &line) || line < 0 || (uint64_t)line >= out->line_count || !json_is_string(at, &from) || from.len == 0)
            return bad(r, "from");
        out->lines[line].from = from;
    }
    return 0;
}

static int extra_read(const struct reader *r, const struct json_value *v, struct quote_extra *x)
{
    struct quote_line line;
    *x = (struct quote_extra){ .product.title = slice_str("") };
    if (v->type == JSON_ARRAY && v->count == 1) {
        v = v->first;
        return name_read(r, &v, &x->product.sku) && x->product.sku ? 0 : bad(r, "x");
    }
    int rc = line_read(r, v, &line);
    if (rc < 0)
        return rc;
    if (line.qty < -1)
        return bad(r, "x");
    x->product = line.product;
    x->for_sale = true;
    x->left = line.qty == -1 ? INT64_MAX : line.qty;
    return 0;
}

static int extras_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    if (v->type != JSON_ARRAY || v->count > QUOTE_EXTRAS_MAX)
        return bad(r, "x");
    out->extras = arena_array(r->arena, v->count, sizeof *out->extras);
    if (!out->extras && v->count)
        return no_memory(r);
    for (const struct json_value *m = v->first; m; m = m->next) {
        int rc = extra_read(r, m, &out->extras[out->extra_count++]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int lines_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v || v->type != JSON_ARRAY || v->count == 0 || v->count > QUOTE_LINES_MAX)
        return bad(r, "l");
    out->line_count = v->count;
    out->lines = arena_array(r->arena, v->count, sizeof *out->lines);
    if (!out->lines)
        return no_memory(r);
    struct quote_line *l = out->lines;
    for (const struct json_value *m = v->first; m; m = m->next, l++) {
        int rc = line_read(r, m, l);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int fact_read(const struct reader *r, const struct json_value *v, struct quote_fact *f)
{
    int64_t kind;
    if (v->type != JSON_ARRAY || v->count != 3)
        return bad(r, "facts");
    v = v->first;
    if (!name_read(r, &v, &f->name) || !int_read(&v, &kind) || kind < QUOTE_FACT_INT || kind > QUOTE_FACT_FAILED)
        return bad(r, "facts");
    f->kind = (enum quote_fact_kind)kind;
    f->text = slice_str("");
    bool ok = f->kind == QUOTE_FACT_STRING ? json_is_string(v, &f->text) : int_read(&v, &f->number);
    return ok ? 0 : bad(r, "facts");
}

static int facts_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    struct quote_fact *facts = v->type == JSON_ARRAY ? arena_array(r->arena, v->count, sizeof *facts) : NULL;
    if (!facts)
        return v->type == JSON_ARRAY ? no_memory(r) : bad(r, "facts");
    out->facts = facts;
    for (const struct json_value *m = v->first; m; m = m->next) {
        int rc = fact_read(r, m, &facts[out->fact_count++]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int codes_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    if (v->type != JSON_ARRAY || v->count > QUOTE_CODES_MAX)
        return bad(r, "codes");
    for (const struct json_value *m = v->first; m; m = m->next)
        if (!json_is_string(m, &out->codes[out->code_count++]))
            return bad(r, "codes");
    return 0;
}

static int shares_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    struct quote_share *list = v->type == JSON_ARRAY ? arena_array(r->arena, v->count, sizeof *list) : NULL;
    if (!list)
        return v->type == JSON_ARRAY ? no_memory(r) : bad(r, "share");
    out->shares = list;
    for (const struct json_value *m = v->first; m; m = m->next) {
        struct quote_share *s = &list[out->share_count++];
        bool fine = m->type == JSON_ARRAY && m->count == 3 && json_is_string(m->first, &s->campaign) &&
                    json_is_int(m->first->next, &s->share_ppm) && json_is_int(m->first->next->next, &s->bucket_ppm);
        if (!fine)
            return bad(r, "share");
    }
    return 0;
}

static int stopped_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    if (v->type != JSON_ARRAY)
        return bad(r, "stop");
    struct slice *ids = arena_array(r->arena, v->count, sizeof *ids);
    if (!ids && v->count)
        return no_memory(r);
    out->stopped = ids;
    for (const struct json_value *m = v->first; m; m = m->next)
        if (!json_is_string(m, &ids[out->stopped_count++]))
            return bad(r, "stop");
    return 0;
}

/* ["points/gold", 5] or, of an account that is not published, ["points/gold"]. */
static int left_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (!v)
        return 0;
    if (v->type != JSON_ARRAY || v->count > QUOTE_LEFT_MAX)
        return bad(r, "left");
    struct quote_left *list = arena_array(r->arena, v->count, sizeof *list);
    if (!list && v->count)
        return no_memory(r);
    out->left = list;
    for (const struct json_value *m = v->first; m; m = m->next) {
        struct quote_left *one = &list[out->left_count++];
        bool pair = m->type == JSON_ARRAY && (m->count == 1 || m->count == 2) && json_is_string(m->first, &one->account);
        one->is_known = pair && m->count == 2;
        if (!pair || (one->is_known && !json_is_int(m->first->next, &one->left)))
            return bad(r, "left");
    }
    return 0;
}

static int inputs_read(const struct reader *r, const struct json_value *v, struct quote_cart *out)
{
    if (v && v->type != JSON_OBJECT)
        return bad(r, "in");
    for (const struct json_value *m = v ? v->first : NULL; m; m = m->next)
        if (m->type != JSON_OBJECT)
            return bad(r, "in");
    out->inputs = v;
    return 0;
}

static bool optional_int(const struct json_value *evidence, const char *key, int64_t *out)
{
    const struct json_value *v = json_get(evidence, key);
    *out = 0;
    return !v || json_is_int(v, out);
}

static bool optional_text(const struct json_value *evidence, const char *key, struct slice *out)
{
    const struct json_value *v = json_get(evidence, key);
    *out = slice_str("");
    return !v || json_is_string(v, out);
}

static bool optional_name(const struct reader *r, const struct json_value *evidence, const char *key, symbol *out)
{
    const struct json_value *v = json_get(evidence, key);
    return !v || name_read(r, &v, out);
}

static int version_check(const struct json_value *evidence, const struct reader *r)
{
    int64_t version;
    if (json_is_int(json_get(evidence, "k"), &version) && version != QUOTE_KERNEL_VERSION)
        return err_field(r->err, ERR_INVALID, "k",
                         "this quote was priced by version %lld of the kernel, this is %d; use the program that made it",
                         (long long)version, QUOTE_KERNEL_VERSION);
    return 0;
}

int quote_evidence_read(struct symbols *s, const struct json_value *evidence, struct arena *arena, struct quote_cart *out, struct err *err)
{
    struct reader r = { .arena = arena, .err = err };
    int64_t kernel;
    int rc = version_check(evidence, &r);
    *out = (struct quote_cart){ 0 };
    return rc < 0 ? rc : quote_evidence_read_any(s, evidence, arena, out, &kernel, err);
}

int quote_evidence_read_any(struct symbols *s, const struct json_value *evidence, struct arena *arena, struct quote_cart *out,
                            int64_t *kernel, struct err *err)
{
    struct reader r = { .arena = arena, .err = err };
    *out = (struct quote_cart){ 0 };
    int64_t seed, no_campaigns;
    int rc = json_is_int(json_get(evidence, "k"), kernel) ? 0 : bad(&r, "k");
    if (rc < 0 || (rc = names_read(&r, s, json_get(evidence, "s"))) < 0 || (rc = lines_read(&r, json_get(evidence, "l"), out)) < 0 ||
        (rc = facts_read(&r, json_get(evidence, "facts"), out)) < 0 || (rc = codes_read(&r, json_get(evidence, "codes"), out)) < 0 ||
        (rc = stopped_read(&r, json_get(evidence, "stop"), out)) < 0 || (rc = shares_read(&r, json_get(evidence, "share"), out)) < 0 ||
        (rc = inputs_read(&r, json_get(evidence, "in"), out)) < 0 || (rc = left_read(&r, json_get(evidence, "left"), out)) < 0 ||
        (rc = add_ons_read(&r, json_get(evidence, "from"), out)) < 0 || (rc = extras_read(&r, json_get(evidence, "x"), out)) < 0)
        return rc;
    if (!json_is_int(json_get(evidence, "at"), &out->at_ms))
        return bad(&r, "at");
    if (!optional_int(evidence, "seed", &seed) || !optional_int(evidence, "cv", &out->customer_version) ||
        !optional_int(evidence, "nc", &no_campaigns) || !optional_text(evidence, "cust", &out->customer) ||
        !optional_text(evidence, "opt", &out->shipping_option) || !optional_name(&r, evidence, "ch", &out->channel) ||
        !optional_name(&r, evidence, "rg", &out->region) || !optional_name(&r, evidence, "pm", &out->payment_method) ||
        !optional_name(&r, evidence, "st", &out->store))
        return bad(&r, "seed, cv, nc, cust, opt, ch, rg, pm or st");
    out->seed = (uint64_t)seed;
    out->no_campaigns = no_campaigns != 0;
    const struct json_value *tags = json_get(evidence, "ct");
    if (!tags)
        return 0;
    if (tags->type != JSON_ARRAY)
        return bad(&r, "ct");
    out->customer_tag_count = tags->count;
    const struct json_value *first = tags->first;
    return name_list_read(&r, &first, tags->count, "ct", &out->customer_tags);
}
