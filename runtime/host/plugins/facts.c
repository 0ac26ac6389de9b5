#include "host/plugins/facts.h"
#include "host/api/history.h"
#include "host/care/guard.h"
#include "host/care/plugin_stops.h"
#include "host/worker.h"
#include "rulebook/plugin_set.h"
#include "rulebook/privacy.h"
#include <stdio.h>

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- what there is -------------------------------------------------------------------------------------------------------- */

static const struct collection_field *field_of(const struct collection *c, const char *name)
{
    size_t i = 0;
    while (strcmp(c->fields[i].name, name) != 0) /* the manifest was checked: it is there */
        i++;
    return &c->fields[i];
}

int plugin_facts_open(struct vm *vm, struct generation *g, struct symbols *symbols, struct err *err)
{
    struct plugin_state *s = plugin_state_of(vm);
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_FACT, &s->fact_count);
    s->facts = arena_array(&s->arena, s->fact_count + 1, sizeof *s->facts);
    for (size_t i = 0; s->facts && i < s->fact_count; i++) {
        const struct hook *h = refs[i].hook;
        struct bind_fact *f = &s->facts[i];
        struct slice name = arena_printf(&s->arena, "%s.%s", refs[i].plugin->name, h->name);
        *f = (struct bind_fact){ .fn = generation_hook(g, &refs[i]), .type = h->fact_type, .of_codes = h->of_codes };
        f->name = name.data ? arena_strdup(&s->arena, name) : NULL;
        f->symbol = f->name ? symbols_intern(symbols, name) : 0;
        if (!f->symbol)
            return nomem(err);
        f->rows = h->from ? manifest_collection(refs[i].plugin, slice_str(h->from)) : NULL;
        f->by = f->rows ? field_of(f->rows, h->by) : NULL;
    }
    return s->facts ? 0 : nomem(err);
}

const struct bind_fact *const *plugin_facts_of(void *state, const char *plugin, const struct collection *rows, struct arena *arena,
                                               size_t *count)
{
    struct plugin_state *s = state;
    const struct bind_fact **list = plugin_stopped(s, plugin) ? NULL : arena_array(arena, s->fact_count + 1, sizeof *list);
    *count = 0;
    for (size_t i = 0; list && i < s->fact_count; i++)
        if (s->facts[i].rows == rows)
            list[(*count)++] = &s->facts[i];
    return list;
}

bool plugin_looks_at_codes(void *state, const char *plugin)
{
    const struct plugin_state *s = state;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(s->generation), HOOK_FACT, &(size_t){ 0 });
    for (size_t i = 0; i < s->fact_count; i++)
        if (s->facts[i].of_codes && strcmp(refs[i].plugin->name, plugin) == 0)
            return true;
    return false;
}

/* --- of a customer -------------------------------------------------------------------------------------------------------- */

static void add_known(const struct call *c, struct slice tag, symbol *symbols, size_t *n)
{
    symbol known = symbols_find(c->shop->symbols, tag); /* what no rule has, nobody can ask for */
    if (known)
        symbols[(*n)++] = known;
}

/* "consent:newsletter": in the words of now, and of a minor only what a guardian said. "declared-minor". */
static int add_consents(struct call *c, int64_t customer, bool minor, symbol *symbols, size_t *n)
{
    const struct json_value *privacy = json_get(generation_settings(c->seat->generation)->tree, "privacy");
    struct store_stmt *q;
    char name[64];
    int rc;
    if (minor)
        add_known(c, SLICE_LIT("declared-minor"), symbols, n);
    if (!json_get(privacy, "purposes"))
        return 0;
    if ((rc = store_prepare(c->worker->conn,
                            "SELECT purpose, version FROM consents WHERE customer = ?1 AND share = 0 AND withdrawn_at IS NULL AND (?2 = 0 "
                            "OR given_by = 'guardian')",
                            &q, &c->err)) < 0)
        return rc;
    store_bind_int(q, 1, customer);
    store_bind_int(q, 2, minor);
    while ((rc = store_step(q, &c->err)) == 1) {
        struct slice now;
        snprintf(name, sizeof name, "consent:%.*s", SLICE_FMT(store_column_text(q, 0)));
        if (privacy_purpose(privacy, name + sizeof "consent:" - 1, &now) && slice_eq(now, store_column_text(q, 1)))
            add_known(c, slice_str(name), symbols, n);
    }
    return rc;
}

static int read_customer(struct call *c, struct quote_cart *cart, struct history *of)
{
    struct store_stmt *q;
    int rc = store_prepare(c->worker->conn, "SELECT version, tags, orders, created_at, minor, id FROM customers WHERE customer = ?1", &q,
                           &c->err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, cart->customer);
    rc = store_step(q, &c->err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_field(&c->err, ERR_INVALID, "/customer", "There is no customer \"%.*s\"; create it with PUT /v1/customers/{id}.",
                         SLICE_FMT(cart->customer));
    cart->customer_version = store_column_int(q, 0);
    *of = (struct history){ store_column_int(q, 2), store_column_int(q, 3) };
    bool minor = store_column_int(q, 4) != 0;
    int64_t id = store_column_int(q, 5);
    struct json_value *tags = NULL;
    struct slice text = arena_copy(c->arena, store_column_text(q, 1));
    store_reset(q);
    if (!text.data || json_parse(text, NULL, c->arena, &tags, NULL) < 0 || tags->type != JSON_ARRAY)
        return err_set(&c->err, ERR_CORRUPT, "The tags of customer \"%.*s\" can't be read.", SLICE_FMT(cart->customer));
    symbol *symbols = arena_array(c->arena, tags->count + PRIVACY_PURPOSES_MAX + 1, sizeof *symbols);
    if (!symbols)
        return nomem(&c->err);
    size_t n = 0;
    for (const struct json_value *t = tags->first; t; t = t->next)
        if (t->type == JSON_STRING)
            symbols[n++] = symbols_intern(c->shop->symbols, t->string);
    rc = add_consents(c, id, minor, symbols, &n);
    cart->customer_tags = symbols;
    cart->customer_tag_count = n;
    return rc;
}

/* 1 with *out, 0 when there is no such fact of this customer. */
static int ask_one(struct call *c, size_t k, const struct quote_cart *cart, struct quote_fact *out)
{
    struct plugin_state *s = plugin_state_of(c->seat->vm);
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(c->seat->generation), HOOK_FACT, &(size_t){ 0 });
    if (plugin_stopped(s, refs[k].plugin->name))
        return 0; /* as for a customer who has none */
    int rc = bind_fact(c->seat->vm, &s->facts[k], cart, c->shop->symbols, out, &c->err);
    bool failed = rc == 1 && out->kind == QUOTE_FACT_FAILED;
    guard_function(c->seat->edition, s->facts[k].fn, failed ? c->err.code : rc < 0 ? rc : 0, &c->err);
    if (failed)
        err_clear(&c->err); /* who asks for it fails, nobody else */
    return rc;
}

/* Sets of names go among the tags instead, unless all facts are wanted. */
static int ask(struct call *c, const uint32_t *wanted, size_t count, struct quote_cart *cart, struct quote_fact *facts)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    c->seat->bind->conn = c->worker->conn;
    c->seat->bind->arena = c->arena;
    for (size_t i = 0; i < count; i++) {
        size_t k = wanted ? wanted[i] : i;
        if (s->facts[k].of_codes || (wanted && s->facts[k].type == FIELD_JSON))
            continue;
        int rc = ask_one(c, k, cart, &facts[cart->fact_count]);
        if (rc < 0)
            return rc;
        cart->fact_count += (size_t)rc;
    }
    return 0;
}

/* "coupons.held:new20". Names that no rule has are left out: nobody could ask for them, and symbols are never given back. */
static int add_names(struct call *c, const struct bind_fact *f, struct slice names, symbol *out, size_t *count)
{
    struct slice name;
    while (fact_next_name(&names, &name)) {
        struct slice tag = arena_printf(c->arena, "%s:%.*s", f->name, SLICE_FMT(name));
        if (!tag.data)
            return nomem(&c->err);
        symbol known = symbols_find(c->shop->symbols, tag);
        if (known)
            out[(*count)++] = known;
    }
    return 0;
}

static bool is_names(const struct bind_fact *f)
{
    return f->type == FIELD_JSON && !f->of_codes;
}

/* Facts that are sets of names, as tags of the customer. */
static int ask_names(struct call *c, struct quote_cart *cart)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    for (size_t k = 0; k < s->fact_count; k++) {
        struct quote_fact fact;
        int rc = is_names(&s->facts[k]) ? ask_one(c, k, cart, &fact) : 0;
        if (rc < 0)
            return rc;
        if (rc == 0 || fact.kind == QUOTE_FACT_FAILED)
            continue;
        symbol *tags = arena_array(c->arena, cart->customer_tag_count + BIND_FACT_ROWS_MAX, sizeof *tags);
        if (!tags)
            return nomem(&c->err);
        size_t n = cart->customer_tag_count;
        if (n)
            memcpy(tags, cart->customer_tags, n * sizeof *tags);
        if ((rc = add_names(c, &s->facts[k], fact.text, tags, &n)) < 0)
            return rc;
        cart->customer_tags = tags;
        cart->customer_tag_count = n;
    }
    return 0;
}

static bool has_names(const struct call *c)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    for (size_t k = 0; k < s->fact_count; k++)
        if (is_names(&s->facts[k]))
            return true;
    return false;
}

/* --- codes that were typed ------------------------------------------------------------------------------------------------- */

/* What a code stands for is a tag of the customer, so that it is in the evidence; what is said of it besides is only said. */
static int take_code(struct call *c, size_t k, const struct bind_code *said, struct quote_cart *cart, struct quote_typed *out)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    uint32_t campaign;
    *out = (struct quote_typed){ .refused = said->refused, .from_ms = said->from_ms, .to_ms = said->to_ms };
    if (said->refused)
        return 0;
    if (quote_campaign_find(generation_rules(c->seat->generation), said->stands_for, &campaign))
        out->campaign = campaign + 1;
    struct slice tag = arena_printf(c->arena, "%s:%.*s", s->facts[k].name, SLICE_FMT(said->stands_for));
    symbol known = tag.data ? symbols_find(c->shop->symbols, tag) : 0;
    symbol *tags = arena_array(c->arena, cart->customer_tag_count + 1, sizeof *tags);
    if (!tag.data || !tags)
        return nomem(&c->err);
    if (!known)
        return 0; /* no rule asks for it */
    if (cart->customer_tag_count)
        memcpy(tags, cart->customer_tags, cart->customer_tag_count * sizeof *tags);
    tags[cart->customer_tag_count++] = known;
    cart->customer_tags = tags;
    return 0;
}

/* The first plugin that knows it has the say. */
static int look_up(struct call *c, struct slice code, struct quote_cart *cart, struct quote_typed *out)
{
    struct plugin_state *s = plugin_state_of(c->seat->vm);
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(c->seat->generation), HOOK_FACT, &(size_t){ 0 });
    c->seat->bind->conn = c->worker->conn;
    c->seat->bind->arena = c->arena;
    for (size_t k = 0; k < s->fact_count; k++) {
        struct bind_code said;
        if (!s->facts[k].of_codes)
            continue;
        if (plugin_stopped(s, refs[k].plugin->name)) { /* whose code it is can't be said, and whoever typed it did not guess */
            out->refused = "stopped";
            continue;
        }
        int rc = bind_code(c->seat->vm, &s->facts[k], code, cart, &said, &c->err);
        bool failed = rc == 1 && said.refused && strcmp(said.refused, "failed") == 0;
        guard_function(c->seat->edition, s->facts[k].fn, failed ? c->err.code : rc < 0 ? rc : 0, &c->err);
        if (failed)
            err_clear(&c->err);
        if (rc != 0)
            return rc < 0 ? rc : take_code(c, k, &said, cart, out);
    }
    return 0;
}

static int ask_codes(struct call *c, struct quote_cart *cart)
{
    struct quote_typed *typed = arena_array(c->arena, cart->code_count + 1, sizeof *typed);
    if (!typed)
        return nomem(&c->err);
    cart->typed = typed;
    int rc = 0;
    for (size_t i = 0; i < cart->code_count && rc == 0; i++)
        rc = look_up(c, cart->codes[i], cart, &typed[i]);
    return rc;
}

static bool has_codes(const struct call *c)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    for (size_t k = 0; k < s->fact_count; k++)
        if (s->facts[k].of_codes)
            return true;
    return false;
}

struct wanted {
    const uint32_t *facts; /* of plugins; NULL: the first `count` */
    size_t count;
    bool names, codes;
    const struct quote_question *questions; /* of the shop's own knowledge */
    size_t question_count;
};

static int read_all(struct call *c, const struct wanted *w, struct quote_cart *cart, struct quote_fact *facts)
{
    struct history of = { 0 };
    bool known = cart->customer.len > 0;
    int rc = known ? read_customer(c, cart, &of) : 0;
    if (rc == 0 && known)
        rc = ask(c, w->facts, w->count, cart, facts);
    if (rc == 0 && known && w->question_count)
        rc = history_answer(c, &of, w->questions, w->question_count, cart, facts);
    if (rc == 0 && known && w->names)
        rc = ask_names(c, cart);
    return rc == 0 && w->codes ? ask_codes(c, cart) : rc;
}

static int load(struct call *c, struct wanted w, struct quote_cart *cart)
{
    cart->facts = NULL;
    cart->fact_count = 0;
    cart->customer_tags = NULL;
    cart->customer_tag_count = 0;
    cart->typed = NULL;
    w.codes = w.codes && cart->code_count && has_codes(c);
    if (cart->customer.len == 0 && !w.codes)
        return 0;
    struct quote_fact *facts = arena_array(c->arena, w.count + w.question_count + 1, sizeof *facts);
    if (!facts)
        return nomem(&c->err);
    cart->facts = facts;
    w.names = w.names && has_names(c);
    if (w.count == 0 && !w.names && !w.codes && !history_reads_purchases(w.questions, w.question_count))
        return read_all(c, &w, cart, facts);
    int rc = store_begin(c->worker->conn, &c->err); /* one snapshot, so that facts and version are of one moment */
    if (rc < 0)
        return rc;
    rc = read_all(c, &w, cart, facts);
    store_rollback(c->worker->conn);
    return rc;
}

int facts_load(struct call *c, struct quote_cart *cart)
{
    const struct quote_rules *rules = generation_rules(c->seat->generation);
    struct wanted w = { .names = !cart->no_campaigns, .codes = !cart->no_campaigns };
    w.facts = quote_rules_facts(rules, cart->no_campaigns, &w.count);
    w.questions = quote_rules_questions(rules, cart->no_campaigns, &w.question_count);
    return load(c, w, cart);
}

int facts_load_all(struct call *c, struct quote_cart *cart)
{
    return load(c, (struct wanted){ .count = plugin_state_of(c->seat->vm)->fact_count }, cart);
}

/* --- for people ------------------------------------------------------------------------------------------------------------- */

static enum field_type type_of(const struct call *c, symbol name)
{
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    size_t i = 0;
    while (s->facts[i].symbol != name)
        i++;
    return s->facts[i].type;
}

static void write_names(struct slice text, struct json_writer *w)
{
    struct slice name;
    json_array(w);
    while (fact_next_name(&text, &name))
        json_string(w, name);
    json_array_end(w);
}

static void write_value(const struct call *c, const struct quote_fact *f, struct json_writer *w)
{
    char text[TIMESTAMP_MAX];
    if (type_of(c, f->name) == FIELD_JSON)
        write_names(f->text, w);
    else if (f->kind == QUOTE_FACT_STRING)
        json_string(w, f->text);
    else if (f->kind == QUOTE_FACT_BOOL)
        json_bool(w, f->number != 0);
    else if (type_of(c, f->name) == FIELD_TIME)
        json_string(w, slice_of(text, timestamp_format(f->number, text)));
    else
        json_int(w, f->number);
}

void facts_write(const struct call *c, const struct quote_cart *cart, struct json_writer *w)
{
    size_t failed = 0;
    json_key(w, "facts");
    json_object(w);
    for (size_t i = 0; i < cart->fact_count; i++) {
        const struct quote_fact *f = &cart->facts[i];
        failed += f->kind == QUOTE_FACT_FAILED;
        if (f->kind == QUOTE_FACT_FAILED)
            continue;
        json_key_slice(w, symbols_name(c->shop->symbols, f->name));
        write_value(c, f, w);
    }
    json_object_end(w);
    if (failed == 0)
        return;
    json_key(w, "failed");
    json_array(w);
    for (size_t i = 0; i < cart->fact_count; i++)
        if (cart->facts[i].kind == QUOTE_FACT_FAILED)
            json_string(w, symbols_name(c->shop->symbols, cart->facts[i].name));
    json_array_end(w);
}
