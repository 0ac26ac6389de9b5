/* Conditions on what the shop itself knows of a customer: since when, how many orders, what was bought. Each asks a question; whoever
 * prices a cart answers the questions of its rules before (quote_rules_questions), and the answers are facts of the cart, so evidence keeps
 * them. Their names have no dot before a blank, so that no plugin can have one of them. A guest never meets such a condition. */
#include "quote/run_int.h"

enum { WITHIN_MAX = 16, ORDERS_MAX = 1000000 };

/* --- questions ------------------------------------------------------------------------------------------------------- */

static int question_ask(struct spec *s, struct slice name, struct quote_question q, symbol *out)
{
    q.fact = symbols_intern(s->symbols, name);
    *out = q.fact;
    if (!q.fact)
        return spec_nomem(s);
    for (size_t i = 0; i < s->question_count; i++)
        if (s->questions[i].fact == q.fact)
            return 0;
    struct quote_question *list = spec_array(s, s->question_count + 1, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    if (s->question_count)
        memcpy(list, s->questions, s->question_count * sizeof *list);
    list[s->question_count++] = q;
    s->questions = list;
    return 0;
}

static int ask_orders(struct spec *s, struct condition *out)
{
    return question_ask(s, SLICE_LIT("orders"), (struct quote_question){ .kind = QUOTE_ASKS_ORDERS }, &out->history.fact);
}

const struct quote_question *quote_rules_questions(const struct quote_rules *r, bool no_campaigns, size_t *count)
{
    *count = no_campaigns ? 0 : r->question_count;
    return r->questions;
}

bool quote_question_counts(const struct quote_question *q, const struct quote_product *p)
{
    struct marks m;
    if (!q->of)
        return true;
    marks_of(p, &m);
    return selector_match(q->of, p, &m);
}

/* --- compiling ------------------------------------------------------------------------------------------------------- */

static int within_compile(struct spec *s, const struct spec_node *n, struct slice *text, int64_t *out)
{
    struct err why;
    *text = slice_str("");
    *out = 0;
    if (!n->v)
        return 0;
    int rc = spec_text(s, n, WITHIN_MAX, text);
    if (rc == 0 && (duration_parse(*text, out, &why) < 0 || *out <= 0))
        rc = spec_error(s, n, "\"%.*s\" is no time; write it like \"90d\" or \"48h\"", SLICE_FMT(*text));
    return rc;
}

int new_customer_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    static const char *const known[] = { "within", NULL };
    struct slice text;
    int rc = spec_object(s, n, known);
    struct spec_node within = spec_member(n, "within");
    if (rc == 0)
        rc = within_compile(s, &within, &text, &out->history.needed);
    if (rc < 0 || out->history.needed == 0)
        return rc < 0 ? rc : ask_orders(s, out);
    return question_ask(s, SLICE_LIT("since"), (struct quote_question){ .kind = QUOTE_ASKS_SINCE }, &out->history.fact);
}

int first_order_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    static const char *const known[] = { NULL };
    int rc = spec_object(s, n, known);
    out->history.needed = 1;
    return rc < 0 ? rc : ask_orders(s, out);
}

int nth_order_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    static const char *const known[] = { "n", "every", NULL };
    int rc = spec_object(s, n, known);
    struct spec_node nth = spec_member(n, "n"), every = spec_member(n, "every");
    if (rc < 0)
        return rc;
    if (!nth.v == !every.v)
        return spec_error(s, n, "%s; write n = 5 for the fifth order, or every = 5 for each fifth one",
                          nth.v ? "has both n and every" : "does not say which order");
    out->history.every = every.v != NULL;
    rc = every.v ? spec_int(s, &every, 2, ORDERS_MAX, &out->history.needed) : spec_int(s, &nth, 1, ORDERS_MAX, &out->history.needed);
    return rc < 0 ? rc : ask_orders(s, out);
}

/* What the members that select say, and the same as one selector. */
static int bought_of(struct spec *s, const struct spec_node *n, struct json_writer *w, const struct selector **out)
{
    struct selector *parts = spec_array(s, SELECT_LEAVES + 2, sizeof *parts);
    uint32_t count = 0;
    int rc = parts ? 0 : ERR_NOMEM;
    for (size_t i = 0; i <= SELECT_LEAVES && rc == 0; i++) {
        const char *key = i < SELECT_LEAVES ? selector_leaf_keys[i] : "of";
        struct spec_node m = spec_member(n, key);
        if (!m.v)
            continue;
        json_key(w, key);
        json_value_write(w, m.v);
        rc = i < SELECT_LEAVES ? selector_member(s, &m, &parts[++count]) : selector_compile(s, &m, &parts[++count]);
    }
    if (rc < 0 || count == 0)
        return rc;
    parts[0] = (struct selector){ .kind = SELECT_ALL, .child_count = count, .children = parts + 1 };
    *out = parts;
    return 0;
}

/* Units, or where at_least is written as money what they cost. */
static int bought_least(struct spec *s, const struct spec_node *n, struct condition *out)
{
    struct spec_node least = spec_member(n, "at_least");
    out->history.money = least.v && least.v->type == JSON_STRING;
    out->history.needed = 1;
    if (!least.v)
        return 0;
    return out->history.money ? spec_money(s, &least, 1, &out->history.needed)
                              : spec_int(s, &least, 1, (int64_t)QUOTE_LINES_MAX * QUOTE_QTY_MAX, &out->history.needed);
}

int bought_compile(struct spec *s, const struct spec_node *n, struct condition *out)
{
    static const char *const known[] = { "sku", "brand", "category", "tag", "of", "at_least", "within", NULL };
    struct spec_node within = spec_member(n, "within");
    struct quote_question q = { .of = NULL };
    struct slice text;
    struct buf name;
    struct json_writer w;
    int rc = spec_object(s, n, known);
    if (rc == 0)
        rc = bought_least(s, n, out);
    if (rc == 0)
        rc = within_compile(s, &within, &text, &q.within_ms);
    if (rc < 0)
        return rc;
    q.kind = out->history.money ? QUOTE_ASKS_SPENT : QUOTE_ASKS_UNITS;
    buf_init(&name, NULL);
    buf_add_str(&name, out->history.money ? "spent " : "bought ");
    buf_add_slice(&name, text);
    json_writer_init(&w, &name);
    json_object(&w);
    rc = bought_of(s, n, &w, &q.of);
    json_object_end(&w);
    if (rc == 0)
        rc = name.failed ? spec_nomem(s) : question_ask(s, buf_slice(&name), q, &out->history.fact);
    buf_release(&name);
    return rc;
}

/* --- evaluating ------------------------------------------------------------------------------------------------------ */

static bool answer_find(const struct quote_cart *cart, symbol fact, int64_t *out)
{
    for (size_t i = 0; i < cart->fact_count; i++) {
        if (cart->facts[i].name != fact || cart->facts[i].kind != QUOTE_FACT_INT)
            continue;
        *out = cart->facts[i].number;
        return true;
    }
    return false;
}

bool history_order_number(const struct quote_eval *e, int64_t *out)
{
    symbol orders = e->cart->customer.len ? symbols_find(e->rules->symbols, SLICE_LIT("orders")) : 0;
    if (!orders || !answer_find(e->cart, orders, out))
        return false;
    ++*out; /* this one */
    return true;
}

/* A guest has none; and evidence of other rules may have answers to other questions only. */
static bool answered(struct quote_eval *e, const struct condition *c, int64_t *out)
{
    if (e->cart->customer.len == 0) {
        why_set(e, "sign_in");
        return false;
    }
    if (answer_find(e->cart, c->history.fact, out))
        return true;
    why_set(e, "fact_missing");
    why_text(e, "fact", symbols_name(e->rules->symbols, c->history.fact));
    return false;
}

static bool is_new(struct quote_eval *e, const struct condition *c, int64_t since_ms)
{
    int64_t from_ms = e->cart->at_ms - c->history.needed;
    if (since_ms >= from_ms)
        return true;
    why_set(e, "customer_not_new");
    why_time(e, "needed", from_ms);
    why_time(e, "seen", since_ms);
    return false;
}

static bool number_fits(struct quote_eval *e, int64_t needed, bool every, int64_t number)
{
    if (every ? number % needed == 0 : number == needed)
        return true;
    why_set(e, every ? "order_number_not_every" : needed == 1 ? "not_first_order" : "order_number_differs");
    if (needed != 1)
        why_int(e, "needed", needed);
    why_int(e, "seen", number);
    return false;
}

static bool bought_enough(struct quote_eval *e, const struct condition *c, int64_t seen)
{
    if (seen >= c->history.needed)
        return true;
    why_set(e, "bought_below");
    if (c->history.money) {
        why_money(e, "needed", c->history.needed);
        why_money(e, "seen", seen);
    } else {
        why_int(e, "needed", c->history.needed);
        why_int(e, "seen", seen);
    }
    return false;
}

bool history_holds(struct quote_eval *e, const struct condition *c)
{
    int64_t seen;
    if (!answered(e, c, &seen))
        return false;
    if (c->kind == WHEN_BOUGHT)
        return bought_enough(e, c, seen);
    if (c->kind == WHEN_NEW_CUSTOMER && c->history.needed)
        return is_new(e, c, seen);
    return number_fits(e, c->kind == WHEN_NEW_CUSTOMER ? 1 : c->history.needed, c->history.every, seen + 1);
}

int64_t history_only_number(const struct condition *c)
{
    if (c->kind == WHEN_NEW_CUSTOMER)
        return c->history.needed ? 0 : 1;
    return (c->kind == WHEN_FIRST_ORDER || c->kind == WHEN_NTH_ORDER) && !c->history.every ? c->history.needed : 0;
}

bool condition_asks_history(const struct condition *c)
{
    bool asks = c->kind == WHEN_NEW_CUSTOMER || c->kind == WHEN_FIRST_ORDER || c->kind == WHEN_NTH_ORDER || c->kind == WHEN_BOUGHT,
         has_children = c->kind == WHEN_ALL || c->kind == WHEN_ANY || c->kind == WHEN_NONE;
    for (uint32_t i = 0; has_children && i < c->child_count && !asks; i++)
        asks = condition_asks_history(&c->children[i]);
    return asks;
}
