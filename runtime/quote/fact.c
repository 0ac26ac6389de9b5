/* The condition `fact`: what a plugin knows of the customer, by its name, against bounds or values of its type. */
#include "quote/run_int.h"
#include "base/schema.h"
#include <stdio.h>

enum { TEXT_MAX = 1000 };

/* --- compiling ------------------------------------------------------------------------------------------------------- */

static int no_fact(struct spec *s, const struct spec_node *n, struct slice name)
{
    const char **words = spec_array(s, s->fact_count + 1, sizeof *words);
    if (!words)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->fact_count; i++)
        words[i] = s->facts[i].name;
    const char *near = nearest_word(name, words);
    if (near)
        return spec_error(s, n, "there is no fact \"%.*s\"; did you mean \"%s\"?", SLICE_FMT(name), near);
    return spec_error(s, n, "there is no fact \"%.*s\"; facts are PLUGIN.NAME, of plugins that shop.lua turns on", SLICE_FMT(name));
}

static int name_compile(struct spec *s, const struct spec_node *n, struct fact_test *out)
{
    struct slice name;
    int rc = spec_text(s, n, TEXT_MAX, &name);
    if (rc < 0)
        return rc;
    size_t i = 0;
    while (i < s->fact_count && !slice_is(name, s->facts[i].name))
        i++;
    if (i == s->fact_count)
        return no_fact(s, n, name);
    s->facts_used[i] = true;
    out->type = s->facts[i].type;
    out->name = symbols_intern(s->symbols, name);
    return out->name ? 0 : spec_nomem(s);
}

/* Like a bound, and unlike what an action takes off, it may be 0. */
static int percent_compile(struct spec *s, const struct spec_node *n, int64_t *out_ppm)
{
    bool number = n->v && (n->v->type == JSON_INT || n->v->type == JSON_REAL);
    char plain[24];
    struct slice text;
    struct err cause;
    if (number && n->v->type == JSON_INT)
        text = slice_of(plain, (size_t)snprintf(plain, sizeof plain, "%lld", (long long)n->v->integer));
    else if (number)
        text = n->v->string;
    else if (!json_is_string(n->v, &text))
        return spec_error(s, n, "expected a percentage such as 20 or 12.5, got %s", json_type_name(n->v->type));
    return rate_parse_percent(text, out_ppm, &cause) < 0 ? spec_error(s, n, "%s", cause.text) : 0;
}

static int number_compile(struct spec *s, const struct spec_node *n, enum field_type type, int64_t *out)
{
    bool yes;
    switch (type) {
    case FIELD_MONEY:
        return spec_money(s, n, 0, out);
    case FIELD_PERCENT:
        return percent_compile(s, n, out);
    case FIELD_TIME:
        return spec_time(s, n, out);
    case FIELD_BOOLEAN:
        if (!json_is_bool(n->v, &yes))
            return spec_error(s, n, "expected true or false, got %s", json_type_name(n->v->type));
        *out = yes;
        return 0;
    default:
        return spec_int(s, n, INT64_MIN, INT64_MAX, out);
    }
}

static bool has_bounds(const struct spec_node *n)
{
    return json_get(n->v, "at_least") || json_get(n->v, "at_most") || json_get(n->v, "below");
}

static int bounds_compile(struct spec *s, const struct spec_node *n, struct fact_test *out)
{
    struct spec_node at_least = spec_member(n, "at_least"), at_most = spec_member(n, "at_most"), below = spec_member(n, "below");
    int rc = 0;
    if (at_most.v && below.v)
        return spec_error(s, n, "has both at_most and below; give one");
    if (at_least.v)
        rc = number_compile(s, &at_least, out->type, &out->at_least);
    if (rc == 0 && at_most.v)
        rc = number_compile(s, &at_most, out->type, &out->at_most);
    if (rc == 0 && below.v) {
        rc = number_compile(s, &below, out->type, &out->at_most);
        if (rc == 0 && out->at_most == INT64_MIN)
            return spec_error(s, &below, "can never hold: there is nothing below it");
        out->at_most--; /* facts are whole numbers of their smallest unit */
    }
    if (rc == 0 && out->at_least > out->at_most)
        return spec_error(s, n, "can never hold: at_least is more than %s", below.v ? "what is below the other bound" : "at_most");
    return rc;
}

/* `is` has one value, `any_of` a list of them. */
static int values_compile(struct spec *s, const struct spec_node *n, struct fact_test *out)
{
    struct spec_node is = spec_member(n, "is"), any_of = spec_member(n, "any_of");
    if (!is.v && !any_of.v)
        return 0;
    if (is.v && any_of.v)
        return spec_error(s, n, "has both is and any_of; give one");
    if (has_bounds(n))
        return spec_error(s, n, "has values and bounds; give is or any_of, or at_least, at_most and below");
    int rc = is.v ? 0 : spec_list(s, &any_of);
    if (rc < 0)
        return rc;
    uint32_t count = is.v ? 1 : any_of.v->count, i = 0;
    bool text = out->type == FIELD_STRING;
    struct slice *texts = text ? spec_array(s, count, sizeof *texts) : NULL;
    int64_t *numbers = text ? NULL : spec_array(s, count, sizeof *numbers);
    if (!texts && !numbers)
        return ERR_NOMEM;
    for (const struct json_value *m = is.v ? is.v : any_of.v->first; i < count && rc == 0; m = m->next, i++) {
        struct spec_node e = is.v ? is : spec_element(&any_of, m, i + 1);
        rc = text ? spec_text(s, &e, TEXT_MAX, &texts[i]) : number_compile(s, &e, out->type, &numbers[i]);
    }
    out->texts = texts;
    out->numbers = numbers;
    out->value_count = count;
    return rc;
}

int fact_compile(struct spec *s, const struct spec_node *n, const struct fact_test **out)
{
    static const char *const known[] = { "name", "at_least", "at_most", "below", "is", "any_of", NULL };
    static const int64_t yes[] = { 1 };
    struct fact_test *t = spec_array(s, 1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    *out = t;
    t->at_least = INT64_MIN;
    t->at_most = INT64_MAX;
    int rc = spec_object(s, n, known);
    struct spec_node name = spec_member(n, "name");
    if (rc == 0)
        rc = name_compile(s, &name, t);
    if (rc < 0)
        return rc;
    if (t->type == FIELD_JSON)
        return spec_error(s, n, "%.*s is a set of names; ask whether it has one: { has = \"...\" }",
                          SLICE_FMT(symbols_name(s->symbols, t->name)));
    if (has_bounds(n) && (t->type == FIELD_STRING || t->type == FIELD_BOOLEAN))
        return spec_error(s, n, "%.*s is a %s, which has no order; compare it with is%s", SLICE_FMT(symbols_name(s->symbols, t->name)),
                          field_type_name(t->type), t->type == FIELD_STRING ? " or any_of" : "");
    rc = values_compile(s, n, t);
    if (rc == 0)
        rc = bounds_compile(s, n, t);
    if (rc == 0 && t->type == FIELD_BOOLEAN && t->value_count == 0) {
        t->numbers = yes;
        t->value_count = 1;
    }
    return rc;
}

/* --- evaluating ------------------------------------------------------------------------------------------------------ */

static void why_number(struct quote_eval *e, const struct fact_test *t, const char *name, int64_t v)
{
    if (t->type == FIELD_MONEY)
        why_money(e, name, v);
    else if (t->type == FIELD_TIME)
        why_time(e, name, v);
    else if (t->type == FIELD_BOOLEAN)
        why_bool(e, name, v != 0);
    else if (t->type == FIELD_PERCENT)
        why_percent(e, name, v);
    else
        why_int(e, name, v);
}

static void why_fact(struct quote_eval *e, const struct fact_test *t, const char *reason)
{
    why_set(e, reason);
    why_text(e, "fact", symbols_name(e->rules->symbols, t->name));
}

/* Of several values the first stands for all. */
static void why_needed(struct quote_eval *e, const struct fact_test *t)
{
    if (t->value_count && t->type == FIELD_STRING)
        why_text(e, "needed", t->texts[0]);
    else if (t->value_count)
        why_number(e, t, "needed", t->numbers[0]);
    else if (t->at_least != INT64_MIN)
        why_number(e, t, "needed", t->at_least);
    else if (t->at_most != INT64_MAX)
        why_number(e, t, "limit", t->at_most);
}

static bool is_read(const struct quote_rules *r, size_t type)
{
    for (size_t i = 0; i < r->fact_count; i++)
        if (r->facts[i] == type)
            return true;
    return false;
}

/* A plugin's facts are known when it is there, so a wrong name is no absent fact. */
static int check_name(const struct quote_rules *r, struct slice name, struct err *err)
{
    const char *dot = memchr(name.data, '.', name.len);
    size_t plugin = dot ? (size_t)(dot - name.data) + 1 : 0;
    const char *like = NULL;
    for (size_t i = 0; i < r->fact_type_count; i++) {
        const char *known = r->fact_types[i].name;
        if (slice_is(name, known))
            return is_read(r, i) ? 0
                                 : err_set(err, ERR_INVALID,
                                           "the fact \"%.*s\" is not found out for these rules, because its name is put together; write it "
                                           "in full",
                                           SLICE_FMT(name));
        if (plugin && strncmp(known, name.data, plugin) == 0)
            like = known;
    }
    if (!dot)
        return err_set(err, ERR_INVALID, "facts have names like \"member-tiers.level\", not \"%.*s\"", SLICE_FMT(name));
    return like ? err_set(err, ERR_INVALID, "there is no fact \"%.*s\"; there is \"%s\"", SLICE_FMT(name), like) : 0;
}

static int fact_failed(struct slice name, struct err *err)
{
    return err_set(err, ERR_SCRIPT, "the fact %.*s could not be found out", SLICE_FMT(name));
}

int quote_eval_fact(const struct quote_eval *e, struct slice name, const struct quote_fact **out, struct err *err)
{
    symbol wanted = symbols_find(e->rules->symbols, name);
    for (size_t i = 0; wanted && i < e->cart->fact_count; i++) {
        *out = &e->cart->facts[i];
        if ((*out)->name == wanted)
            return (*out)->kind == QUOTE_FACT_FAILED ? fact_failed(name, err) : 1;
    }
    *out = NULL;
    return check_name(e->rules, name, err);
}

static const struct quote_fact *find(const struct quote_cart *cart, symbol name)
{
    for (size_t i = 0; i < cart->fact_count; i++)
        if (cart->facts[i].name == name)
            return &cart->facts[i];
    return NULL;
}

static bool is_one_of(const struct fact_test *t, const struct quote_fact *f)
{
    for (uint32_t i = 0; i < t->value_count; i++)
        if (t->type == FIELD_STRING ? slice_eq(t->texts[i], f->text) : t->numbers[i] == f->number)
            return true;
    return false;
}

static bool value_holds(struct quote_eval *e, const struct fact_test *t, const struct quote_fact *f)
{
    if (t->value_count && !is_one_of(t, f)) {
        why_fact(e, t, "fact_differs");
        why_needed(e, t);
        if (t->type == FIELD_STRING)
            why_text(e, "seen", f->text);
        else
            why_number(e, t, "seen", f->number);
        return false;
    }
    bool low = f->number < t->at_least;
    if (t->type == FIELD_STRING || (!low && f->number <= t->at_most))
        return true;
    why_fact(e, t, low ? "fact_below" : "fact_above");
    why_number(e, t, low ? "needed" : "limit", low ? t->at_least : t->at_most);
    why_number(e, t, "seen", f->number);
    return false;
}

int fact_holds(struct quote_eval *e, const struct fact_test *t, bool *holds, struct err *err)
{
    const struct quote_fact *f = find(e->cart, t->name);
    *holds = false;
    if (f && f->kind == QUOTE_FACT_FAILED) {
        e->function_failed = true;
        e->failed_fact = t->name;
        return fact_failed(symbols_name(e->rules->symbols, t->name), err);
    }
    bool fits = f && (f->kind == QUOTE_FACT_STRING) == (t->type == FIELD_STRING);
    if (fits) {
        *holds = value_holds(e, t, f);
        return 0;
    }
    why_fact(e, t, e->cart->customer.len ? "fact_missing" : "sign_in");
    why_needed(e, t);
    return 0;
}
