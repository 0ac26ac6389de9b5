#include "host/publish/submission.h"
#include "base/log.h"
#include "bind/functions.h"
#include "host/care/figures.h"
#include "host/plugins/plugins.h"
#include "host/publish/price_history.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>

struct submitting {
    struct generation *g;
    const struct generation *before;
    struct vm *vm;
    struct submission *out;
    struct arena scratch; /* of one subject */
    struct err *err;
};

struct thing { /* what is looked at */
    const char *kind;
    struct slice name, at;
    struct json_value *subject;
    struct json_value *last; /* its last member */
    bool failed;
};

void submission_init(struct submission *s)
{
    *s = (struct submission){ 0 };
    arena_init(&s->arena, NULL, 0);
}

void submission_release(struct submission *s)
{
    arena_release(&s->arena);
    *s = (struct submission){ 0 };
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while checking what is submitted");
}

/* --- subjects ----------------------------------------------------------------------------------------------------------------- */

static void put(struct thing *t, const char *key, struct json_value *v)
{
    if (!v || !t->subject) {
        t->failed = true;
        return;
    }
    v->key = slice_str(key);
    v->next = NULL;
    json_append(t->subject, t->last, v);
    t->last = v;
}

static void put_text(struct thing *t, struct arena *a, const char *key, struct slice text)
{
    put(t, key, json_new_string(a, text));
}

static bool is_function(const struct json_value *v)
{
    return v->type == JSON_OBJECT && v->count == 1 && slice_is(v->first->key, "fn") && v->first->type == JSON_INT;
}

/* The number of a function means nothing to others; that there is one does. */
static void mark_functions(struct json_value *v)
{
    if (is_function(v)) {
        v->first->key = SLICE_LIT("is_function");
        v->first->type = JSON_TRUE;
        return;
    }
    if (v->type == JSON_OBJECT || v->type == JSON_ARRAY)
        for (struct json_value *m = v->first; m; m = m->next)
            mark_functions(m);
}

/* Through its text: so that nothing of the subject is shared with the generation. */
static struct json_value *copy_of(const struct json_value *v, struct arena *a)
{
    struct buf b;
    struct json_writer w;
    struct json_value *out = NULL;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&b));
    buf_release(&b);
    if (!text.data || json_parse(text, NULL, a, &out, NULL) < 0)
        return NULL;
    mark_functions(out);
    return out;
}

/* For comparing: a campaign that only moved within its file is the same. */
static bool same(const struct json_value *a, const struct json_value *b)
{
    if (!a || !b || a->type != b->type)
        return a == b;
    switch (a->type) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    case JSON_STRING:
    case JSON_REAL:
        return slice_eq(a->string, b->string);
    case JSON_INT:
        return a->integer == b->integer;
    default:
        return true;
    }
    const struct json_value *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (!slice_eq(x->key, y->key) || (!slice_is(x->key, "at") && !slice_is(x->key, "fn") && !same(x, y)))
            return false;
    return x == y;
}

static bool has_function(const struct json_value *v)
{
    bool found = is_function(v);
    if (v->type == JSON_OBJECT || v->type == JSON_ARRAY)
        for (const struct json_value *m = v->first; m && !found; m = m->next)
            found = has_function(m);
    return found;
}

/* The text of the file that "campaigns/tea.lua:7" is in. */
static struct slice file_of(const struct generation *g, struct slice at)
{
    const char *colon = memchr(at.data, ':', at.len);
    const struct source_file *f = sources_find(generation_sources(g), slice_of(at.data, colon ? (size_t)(colon - at.data) : at.len));
    return f ? f->text : (struct slice){ "", 0 };
}

/* history.live: what stood there before; history.prices, see price_history.h. changed: whether it differs, or is new. */
static void put_history(struct thing *t, struct arena *a, struct json_value *live, struct json_value *prices, bool changed)
{
    struct thing history = { .subject = json_new(a, JSON_OBJECT) };
    if (live)
        put(&history, "live", live);
    if (prices)
        put(&history, "prices", prices);
    t->failed = t->failed || history.failed;
    put(t, "history", history.subject);
    put(t, "changed", json_new(a, changed ? JSON_TRUE : JSON_FALSE));
}

static struct thing begin(struct submitting *s, const char *kind, struct slice name, struct slice at)
{
    struct thing t = { .kind = kind, .name = name, .at = at, .subject = json_new(&s->scratch, JSON_OBJECT) };
    put_text(&t, &s->scratch, "kind", slice_str(kind));
    put_text(&t, &s->scratch, "at", at);
    return t;
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------- */

/* The last name in "settings.virtual_members", "routes[3].auth" or "settings.more/2/sku". */
static const char *last_name(struct slice field, struct arena *a)
{
    size_t end = field.len, from;
    while (end > 0 &&
           (field.data[end - 1] == ']' || (field.data[end - 1] >= '0' && field.data[end - 1] <= '9') || field.data[end - 1] == '['))
        end--;
    for (from = end; from > 0 && field.data[from - 1] != '.' && field.data[from - 1] != '/'; from--)
        ;
    return end > from ? arena_strdup(a, slice_of(field.data + from, end - from)) : NULL;
}

/* Of a plugin and of shop.lua only the file is known; the field that the finding names may be found in it. What a merchant set is in
 * shop.lua. */
static struct slice place_of(struct submitting *s, const struct json_value *finding, const struct thing *t)
{
    struct arena *a = &s->out->arena;
    const struct sources *src = generation_sources(s->g);
    struct slice field = { "", 0 };
    if (strcmp(t->kind, "campaign") == 0 || strcmp(t->kind, "announcement") == 0 || !json_is_string(json_get(finding, "field"), &field))
        return arena_copy(a, t->at);
    const char *name = last_name(field, a), *colon = memchr(t->at.data, ':', t->at.len);
    const char *file = arena_strdup(a, slice_of(t->at.data, (size_t)(colon - t->at.data)));
    bool setting = field.len > 9 && memcmp(field.data, "settings.", 9) == 0;
    int line = name && setting ? sources_line_of_key(src, "shop.lua", name) : 0;
    if (line)
        return arena_printf(a, "shop.lua:%d", line);
    line = name && file ? sources_line_of_key(src, file, name) : 0;
    return line ? arena_printf(a, "%s:%d", file, line) : arena_copy(a, t->at);
}

static bool mark(struct submitting *s, struct json_value *finding, const struct thing *t)
{
    struct arena *a = &s->out->arena;
    struct json_value *last = finding->first;
    struct json_value *subject = json_new_string(a, arena_printf(a, "%s %.*s", t->kind, SLICE_FMT(t->name)));
    struct json_value *at = json_new_string(a, place_of(s, finding, t));
    if (!subject || !at || !subject->string.data || !at->string.data)
        return false;
    while (last->next)
        last = last->next;
    subject->key = SLICE_LIT("subject");
    at->key = SLICE_LIT("at");
    json_append(finding, last, subject);
    json_append(finding, subject, at);
    return true;
}

/* Within the limits that checks of its plugin have. */
static int call_one(struct submitting *s, const struct bind_check *check, const struct json_value *subject)
{
    const struct manifest *m = plugin_set_find(generation_plugins(s->g), slice_str(check->plugin));
    struct limits_hold hold;
    limits_hold(s->vm, &generation_plugin(s->g, m)->limits.of[LIMIT_CHECK], &hold);
    int rc = bind_check_submission(s->vm, check, subject, &s->out->found, s->err);
    return limits_let_go(s->vm, &hold, check->plugin, LIMIT_CHECK, rc, s->err);
}

static int ask(struct submitting *s, const struct thing *t)
{
    struct bind_check *list;
    struct bind_findings *found = &s->out->found;
    size_t n;
    int rc = t->failed ? nomem(s->err) : plugin_checks(s->g, AT_SUBMISSION, slice_str(t->kind), &s->scratch, &list, &n, s->err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct json_value *last = found->last;
        rc = call_one(s, &list[i], t->subject);
        for (struct json_value *f = last ? last->next : found->list->first; rc == 0 && f; f = f->next)
            rc = mark(s, f, t) ? 0 : nomem(s->err);
    }
    arena_reset(&s->scratch);
    return rc;
}

/* --- what is submitted -------------------------------------------------------------------------------------------------------------- */

static int ask_shop(struct submitting *s)
{
    const struct json_value *tree = generation_settings(s->g)->tree;
    const struct json_value *live = s->before ? generation_settings(s->before)->tree : NULL;
    struct thing t = begin(s, "shop", generation_settings(s->g)->name, SLICE_LIT("shop.lua:1"));
    put(&t, "declaration", copy_of(tree, &s->scratch));
    put_history(&t, &s->scratch, live ? copy_of(live, &s->scratch) : NULL, NULL, !same(tree, live));
    return ask(s, &t);
}

static struct json_value *plugin_facts(const struct generation *g, const struct manifest *m, struct arena *a)
{
    struct thing t = { .subject = json_new(a, JSON_OBJECT) };
    put_text(&t, a, "version", slice_str(m->version_text));
    put(&t, "manifest", copy_of(m->tree, a));
    put(&t, "settings", copy_of(generation_plugin(g, m)->settings, a));
    return t.failed ? NULL : t.subject;
}

static int ask_plugin(struct submitting *s, const struct manifest *m)
{
    struct slice name = slice_str(m->name);
    const struct manifest *old = s->before ? plugin_set_find(generation_plugins(s->before), name) : NULL;
    struct thing t = begin(s, "plugin", name, arena_printf(&s->scratch, "%s:1", m->file));
    bool unchanged =
        old && same(m->tree, old->tree) && same(generation_plugin(s->g, m)->settings, generation_plugin(s->before, old)->settings);
    put_text(&t, &s->scratch, "name", name);
    put(&t, "declaration", plugin_facts(s->g, m, &s->scratch));
    put_history(&t, &s->scratch, old ? plugin_facts(s->before, old, &s->scratch) : NULL, NULL, !unchanged);
    return ask(s, &t);
}

static struct slice text_of(const struct json_value *v, const char *key)
{
    struct slice text = { "", 0 };
    json_is_string(json_get(v, key), &text);
    return text;
}

/* { plugin, type, fields } of promo.use "group-buy.big" { ... }; the fields as the merchant wrote them. */
static void put_maker(struct thing *t, struct arena *a, const struct json_value *use)
{
    struct slice name = text_of(use, "use");
    const char *dot = memchr(name.data, '.', name.len);
    const struct json_value *fields = json_get(use, "fields");
    struct thing made = { .subject = json_new(a, JSON_OBJECT) };
    put_text(&made, a, "plugin", dot ? slice_of(name.data, (size_t)(dot - name.data)) : name);
    put_text(&made, a, "type", dot ? slice_of(dot + 1, (size_t)(name.data + name.len - dot - 1)) : name);
    put(&made, "fields", fields ? copy_of(fields, a) : json_new(a, JSON_OBJECT));
    t->failed = t->failed || made.failed;
    put(t, "made_by", made.subject);
}

/* Prices are looked up where they may matter: for what is new or changed, and what claims something of them. */
static int ask_priced(struct submitting *s, struct thing *t, const struct json_value *spec, const struct json_value *live, bool changed)
{
    struct json_value *prices = NULL;
    bool matters = changed || price_history_matters(spec);
    int rc = s->out->prices && matters ? price_history_of(s->out->prices, s->g, spec, live != NULL, &s->scratch, &prices, s->err) : 0;
    if (rc < 0)
        return rc;
    put_history(t, &s->scratch, live ? copy_of(live, &s->scratch) : NULL, prices, changed);
    return ask(s, t);
}

static int ask_campaign(struct submitting *s, const struct json_value *spec, size_t i, const struct map *before)
{
    struct slice id = text_of(spec, "id");
    const struct json_value *live = map_get(before, id), *use = generation_made_by(s->g, i);
    struct thing t = begin(s, "campaign", id, text_of(spec, "at"));
    put_text(&t, &s->scratch, "id", id);
    put(&t, "declaration", copy_of(spec, &s->scratch));
    if (use)
        put_maker(&t, &s->scratch, use);
    bool unchanged = live && same(spec, live);
    if (unchanged && has_function(spec)) /* what a function does shows in the text of its file alone */
        unchanged = slice_eq(file_of(s->g, t.at), file_of(s->before, text_of(live, "at")));
    return ask_priced(s, &t, spec, live, !unchanged);
}

static int ask_announcement(struct submitting *s, const struct json_value *said, const struct json_value *live)
{
    struct slice id = text_of(said, "id");
    struct thing t = begin(s, "announcement", id, text_of(said, "at"));
    put_text(&t, &s->scratch, "id", id);
    put(&t, "declaration", copy_of(said, &s->scratch));
    return ask_priced(s, &t, said, live, !same(said, live));
}

static const struct json_value *with_id(const struct json_value *list, struct slice id)
{
    const struct json_value *v = list ? list->first : NULL;
    while (v && !slice_eq(text_of(v, "id"), id))
        v = v->next;
    return v;
}

static int ask_announcements(struct submitting *s)
{
    const struct json_value *before = s->before ? generation_announcements(s->before) : NULL;
    int rc = 0;
    for (const struct json_value *a = generation_announcements(s->g)->first; a && rc == 0; a = a->next)
        rc = ask_announcement(s, a, with_id(before, text_of(a, "id")));
    return rc;
}

static int ask_campaigns(struct submitting *s)
{
    struct map before;
    int rc = 0;
    size_t i = 0;
    map_init(&before, NULL);
    for (struct json_value *c = s->before ? generation_campaigns(s->before)->first : NULL; c && rc == 0; c = c->next)
        rc = map_set(&before, text_of(c, "id"), c) ? 0 : nomem(s->err);
    for (const struct json_value *c = generation_campaigns(s->g)->first; c && rc == 0; c = c->next)
        rc = ask_campaign(s, c, i++, &before);
    map_release(&before);
    return rc;
}

static int ask_all(struct submitting *s)
{
    const struct plugin_set *set = generation_plugins(s->g);
    int rc = ask_shop(s);
    for (size_t i = 0; i < plugin_set_count(set) && rc == 0; i++)
        rc = ask_plugin(s, plugin_set_at(set, i));
    if (rc == 0)
        rc = ask_campaigns(s);
    return rc < 0 ? rc : ask_announcements(s);
}

bool submission_wanted(const struct generation *g)
{
    size_t n;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_CHECK, &n);
    for (size_t i = 0; i < n; i++)
        if (refs[i].hook->at == AT_SUBMISSION)
            return true;
    return false;
}

int submission_check(struct generation *g, const struct generation *before, struct submission *out, struct err *err)
{
    struct submitting s = { .g = g, .before = before, .out = out, .err = err };
    int rc = bind_findings_init(&out->found, &out->arena, err);
    if (rc < 0 || !submission_wanted(g))
        return rc;
    rc = generation_open_vm(g, &s.vm, err);
    if (rc < 0)
        return rc;
    struct figures *figures = figures_new(); /* for the limits: what is asked here is nobody's daily work */
    struct figures_part *part = NULL;
    rc = figures ? figures_open(figures, s.vm, g, &part, err) : nomem(err);
    arena_init(&s.scratch, NULL, 0);
    if (rc == 0)
        rc = ask_all(&s);
    arena_release(&s.scratch);
    bind_set_functions(s.vm, NULL);
    figures_close(part);
    figures_free(figures);
    generation_put_back_vm(g, s.vm);
    return rc;
}

/* --- SKUs ------------------------------------------------------------------------------------------------------------------- */

struct named { /* of what one word of a campaign names */
    size_t count;
    struct slice first;
};

struct naming {
    struct submitting s;
    const struct manifest *plugin;
    submission_sold sold;
    void *ctx;
    int rc;
    struct slice campaign, at; /* whose word is looked at */
    const char *field;
    struct named missing, dear, gated; /* that nobody sells; that cost less already; gifts that a gate stands before */
};

static struct json_value *sku_finding(struct arena *a, const char *rule, struct slice field, struct slice text, const char *satisfy)
{
    struct thing t = { .subject = json_new(a, JSON_OBJECT) };
    put_text(&t, a, "rule", slice_str(rule));
    put_text(&t, a, "level", SLICE_LIT("warn"));
    put_text(&t, a, "text", text);
    put_text(&t, a, "field", field);
    put_text(&t, a, "satisfy", slice_str(satisfy));
    struct json_value *list = t.failed || !text.data ? NULL : json_new(a, JSON_ARRAY);
    if (list)
        json_append(list, NULL, t.subject);
    return list;
}

static void tell(struct naming *n, const char *check, struct json_value *list, const struct thing *t)
{
    const struct bind_check by = { .plugin = "", .name = check };
    n->rc = list ? bind_findings_add(&n->s.out->found, &by, list, n->s.err) : nomem(n->s.err);
    if (n->rc == 0 && !mark(&n->s, n->s.out->found.last, t))
        n->rc = nomem(n->s.err);
}

/* A warning, no refusal: products may come after the rules. */
static void look_at_sku(void *ctx, struct slice setting, struct slice sku)
{
    struct naming *n = ctx;
    struct arena *a = n->s.out->found.arena;
    char quoted[JSON_QUOTE_MAX];
    if (n->rc < 0 || n->sold(n->ctx, sku))
        return;
    struct json_value *list = sku_finding(a, "unknown_sku", arena_printf(a, "settings.%.*s", SLICE_FMT(setting)),
                                          arena_printf(a, "There is no product %s.", json_quote(quoted, sku)),
                                          "Put it into the catalogue, or name another in shop.lua.");
    struct thing t = { .kind = "plugin", .name = slice_str(n->plugin->name), .at = arena_printf(a, "%s:1", n->plugin->file) };
    tell(n, "settings", list, &t);
}

/* One warning for all that one word of a campaign names: a price list may be of a catalogue that is still to come. */
static void tell_named(struct naming *n, struct named *of, const char *rule, const char *one, const char *several, const char *satisfy)
{
    struct arena *a = n->s.out->found.arena;
    char quoted[JSON_QUOTE_MAX];
    if (n->rc < 0 || of->count == 0)
        return;
    json_quote(quoted, of->first);
    struct slice text = of->count == 1 ? arena_printf(a, "%s %s.", one, quoted)
                                       : arena_printf(a, "%s %s, %s %zu more that it names.", one, quoted, several, of->count - 1);
    struct thing t = { .kind = "campaign", .name = n->campaign, .at = n->at };
    tell(n, "campaigns", sku_finding(a, rule, slice_str(n->field), text, satisfy), &t);
    *of = (struct named){ 0 };
}

static void tell_word(struct naming *n)
{
    tell_named(n, &n->missing, "unknown_sku", "There is no product", "nor",
               "Put it into the catalogue, or name another; until then the campaign goes without it.");
    tell_named(n, &n->dear, "price_not_lower", "No price is raised, and less is asked already for", "and for",
               "Write a lower price, or raise the one in the catalogue.");
    tell_named(n, &n->gated, "gate_not_asked", "Gifts are given without asking a gate, and one stands before", "and before",
               "Say in the campaign's when who may have it, or give something else.");
}

static void note(struct named *of, struct slice sku)
{
    if (of->count++ == 0)
        of->first = sku;
}

static void look_at_campaign(void *ctx, const struct quote_named_sku *one)
{
    struct naming *n = ctx;
    struct slice sku = symbols_name(quote_rules_symbols(generation_rules(n->s.g)), one->sku);
    const struct quote_product *p = n->sold(n->ctx, sku);
    if (!slice_eq(one->campaign, n->campaign) || one->field != n->field)
        tell_word(n);
    n->campaign = one->campaign;
    n->at = one->at;
    n->field = one->field;
    if (!p)
        note(&n->missing, sku);
    else if (one->price_minor > p->price_minor)
        note(&n->dear, sku);
    else if (one->price_minor < 0 && quote_gate_before(generation_rules(n->s.g), p))
        note(&n->gated, sku);
}

int submission_skus(const struct generation *g, submission_sold sold, void *ctx, struct submission *out, struct err *err)
{
    const struct plugin_set *set = generation_plugins(g);
    struct naming n = { .s = { .g = (struct generation *)(uintptr_t)g, .out = out, .err = err }, .sold = sold, .ctx = ctx };
    for (size_t i = 0; i < plugin_set_count(set) && n.rc == 0; i++) {
        n.plugin = plugin_set_at(set, i);
        values_texts(n.plugin->settings, n.plugin->setting_count, VALUE_SKU, generation_plugin(g, n.plugin)->settings, &out->arena,
                     look_at_sku, &n);
    }
    if (n.rc == 0)
        quote_rules_skus(generation_rules(g), look_at_campaign, &n);
    tell_word(&n);
    return n.rc;
}

/* --- what came of it ------------------------------------------------------------------------------------------------------------------ */

bool submission_blocks(const struct json_value *finding)
{
    return slice_is(text_of(finding, "level"), "block");
}

int submission_verdict(const struct submission *s, struct err *err)
{
    for (const struct json_value *f = s->found.list->first; f; f = f->next) {
        if (!submission_blocks(f))
            continue;
        struct slice at = text_of(f, "at"), rule = text_of(f, "rule"), text = text_of(f, "text"), field = text_of(f, "field"),
                     satisfy = text_of(f, "satisfy");
        char more[60] = "";
        if (s->found.blocks > 1)
            snprintf(more, sizeof more, " (and %zu more)", s->found.blocks - 1);
        return err_field(err, ERR_INVALID, "", "%.*s: %.*s%s%.*s: %.*s%s%.*s%s", SLICE_FMT(at), SLICE_FMT(rule), field.len ? ": " : "",
                         SLICE_FMT(field), SLICE_FMT(text), satisfy.len ? " " : "", SLICE_FMT(satisfy), more);
    }
    return 0;
}

void submission_log(const struct submission *s, struct log *log)
{
    for (const struct json_value *f = s->found.list->first; f; f = f->next)
        if (!submission_blocks(f))
            log_warn(log, "check.finding", arena_strdup(s->found.arena, text_of(f, "text")), LOG_SLICE("finding", text_of(f, "level")),
                     LOG_SLICE("rule", text_of(f, "rule")), LOG_SLICE("subject", text_of(f, "subject")), LOG_SLICE("at", text_of(f, "at")));
}
