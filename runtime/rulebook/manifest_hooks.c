/* What a plugin contributes: routes, procedures, on, timers, campaigns, pricing, shipping_rates, tax_rates, facts, checks, payments; and
 * events. */
#include "base/schema.h"
#include "rulebook/catalogue.h"
#include "rulebook/manifest_int.h"

enum { HOOKS_MAX = 64, EVENTS_MAX = 32 };

/* Long-lived things keep the rules.lua they began under, while everything with effects is always the live one. So each goes into its file.
 */
enum home { HOME_RULES, HOME_EFFECTS, HOME_ANY };

struct section {
    const char *key;
    enum home home;
    bool short_form; /* NAME = "file.function" will do */
    const char *const *known;
    int (*read)(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h);
};

static const char *const auths[] = { "anyone", "customer", "server", "operator", "signed", NULL };
static const char *const route_kinds[] = { "handler", "procedure", NULL };
static const char *const timer_kinds[] = { "procedure", "job", NULL };
static const char *const moments[] = { "in_transaction", "after_commit", NULL };
static const char *const stopped_kinds[] = { "later", "refuse", NULL };
static const char *const check_times[] = { "submission", "runtime", NULL };
static const char *const failures[] = { "skip", "refuse", NULL };

/* --- pieces ---------------------------------------------------------------------------------------------------------------- */

static int run_is_at_home(const struct reader *r, const struct place *at, enum home home, const struct hook *h)
{
    bool rules = slice_is(h->module, "rules");
    if (home == HOME_RULES && !rules)
        return reader_fail(r, at, "must be a function of rules.lua, where the pure ones are; write \"rules.%.*s\"", SLICE_FMT(h->function));
    if (home == HOME_EFFECTS && rules)
        return reader_fail(r, at, "has effects, so it can't be in rules.lua; move it to events.lua and write \"events.%.*s\"",
                           SLICE_FMT(h->function));
    return 0;
}

static int read_run(const struct reader *r, const struct place *at, struct slice text, enum home home, struct hook *h)
{
    const char *dot = NULL;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '.')
            dot = text.data + i;
    h->module = slice_of(text.data, dot ? (size_t)(dot - text.data) : 0);
    h->function = dot ? slice_of(dot + 1, text.len - h->module.len - 1) : slice_of("", 0);
    if (!name_is(h->module, '_', 64) || !name_is_identifier(h->function))
        return reader_fail(r, at, "names no function; write \"%s\" for function %s of the file %s.lua",
                           home == HOME_RULES ? "rules.price" : "events.paid", home == HOME_RULES ? "price" : "paid",
                           home == HOME_RULES ? "rules" : "events");
    return run_is_at_home(r, at, home, h);
}

static int read_described(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, enum value_use use,
                          struct hook *h)
{
    const struct json_value *given = json_get(v, key);
    struct place here = place_in(at, key);
    if (!given)
        return 0;
    h->has_values = true;
    int rc = values_read(r, &here, given, use, &h->values, &h->value_count);
    if (rc < 0 || use == VALUES_SETTINGS)
        return rc;
    h->schema = values_schema(h->values, h->value_count, r->arena);
    return h->schema ? 0 : reader_nomem(r);
}

/* What stands behind ? is text, one value for each name. */
static int read_query(const struct reader *r, const struct place *at, const struct json_value *v, struct hook *h)
{
    const struct json_value *given = json_get(v, "query");
    const struct value_spec *values;
    struct place here = place_in(at, "query");
    size_t count;
    int rc = given ? values_read(r, &here, given, VALUES_WIRE, &values, &count) : 0;
    for (size_t i = 0; given && rc == 0 && i < count; i++) {
        struct place one = place_named(&here, slice_str(values[i].name));
        if (values[i].type == VALUE_LIST || values[i].type == VALUE_RECORD)
            rc = reader_fail(r, &one, "is %s, which an address can't carry; put it into the body of another route",
                             values[i].type == VALUE_LIST ? "a list" : "a record");
    }
    if (!given || rc < 0)
        return rc;
    h->query = values_schema(values, count, r->arena);
    return h->query ? 0 : reader_nomem(r);
}

static int read_after_before(const struct reader *r, const struct place *at, const struct json_value *v, struct hook *h)
{
    int rc = manifest_read_plugins(r, at, v, "after", &h->after);
    return rc < 0 ? rc : manifest_read_plugins(r, at, v, "before", &h->before);
}

static int read_failure(const struct reader *r, const struct place *at, const struct json_value *v, enum hook_on_failure otherwise,
                        struct hook *h)
{
    int choice = otherwise, rc = reader_choice(r, at, v, "on_failure", false, failures, &choice);
    h->on_failure = (enum hook_on_failure)choice;
    return rc;
}

/* --- sections --------------------------------------------------------------------------------------------------------------- */

static bool is_segment(struct slice s)
{
    bool open = s.len > 2 && s.data[0] == '{';
    if (open && s.data[s.len - 1] == '}')
        return name_is(slice_of(s.data + 1, s.len - 2), '_', 40);
    for (size_t i = 0; i < s.len; i++)
        if (!(s.data[i] >= 'a' && s.data[i] <= 'z') && !(s.data[i] >= '0' && s.data[i] <= '9') && s.data[i] != '-' && s.data[i] != '_')
            return false;
    return s.len > 0 && s.len <= 64;
}

static bool is_path(struct slice s)
{
    if (s.len < 2 || s.len > 200 || s.data[0] != '/')
        return false;
    for (size_t i = 0; i < s.len;) {
        size_t end = i + 1;
        while (end < s.len && s.data[end] != '/')
            end++;
        if (!is_segment(slice_of(s.data + i + 1, end - i - 1)))
            return false;
        i = end;
    }
    return true;
}

static bool path_has(struct slice path, struct slice parameter)
{
    return memmem(path.data, path.len, parameter.data, parameter.len) != NULL;
}

/* "launch/seats/{id}": an account of its own, and parameters that the path has. */
static int read_unless_exhausted(const struct reader *r, const struct place *at, const struct json_value *v, const struct manifest *m,
                                 struct hook *h)
{
    const struct json_value *given = json_get(v, "unless_exhausted");
    struct place here = place_in(at, "unless_exhausted");
    struct slice s;
    if (!given)
        return 0;
    size_t n = strlen(m->name);
    if (!json_is_string(given, &s) || s.len < n + 2 || s.len > 200 || memcmp(s.data, m->name, n) != 0 || s.data[n] != '/')
        return reader_fail(r, &here, "names no account of the plugin's own; write it like \"%s/coupons\"", m->name);
    if (h->as != AS_PROCEDURE)
        return reader_fail(r, &here, "is for procedures; a handler asks ledger.exhausted() itself");
    for (size_t i = 0; i < s.len; i++) {
        const char *end = s.data[i] == '{' ? memchr(s.data + i, '}', s.len - i) : NULL;
        if (s.data[i] == '{' && (!end || !path_has(h->path, slice_of(s.data + i, (size_t)(end - s.data) + 1 - i))))
            return reader_fail(r, &here, "has a parameter that the path has not");
    }
    h->unless_exhausted = arena_strdup(r->arena, s);
    return h->unless_exhausted ? 0 : reader_nomem(r);
}

static int read_route(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", NULL };
    struct slice name = slice_str(h->name);
    const char *space = memchr(name.data, ' ', name.len);
    h->method = slice_of(name.data, space ? (size_t)(space - name.data) : 0);
    h->path = space ? slice_of(space + 1, name.len - h->method.len - 1) : slice_of("", 0);
    bool method = false;
    for (size_t i = 0; methods[i]; i++)
        method = method || slice_is(h->method, methods[i]);
    if (!method || !is_path(h->path))
        return reader_fail(
            r, at,
            "is no route; write METHOD /path, like [\"POST /links\"] or [\"GET /links/{id}\"], with GET, POST, PUT, PATCH or "
            "DELETE");
    int auth = 0, as = slice_is(h->method, "GET") ? AS_HANDLER : AS_PROCEDURE;
    int rc = reader_choice(r, at, v, "auth", true, auths, &auth);
    if (rc == 0)
        rc = reader_choice(r, at, v, "as", false, route_kinds, &as);
    if (rc == 0 && slice_is(h->method, "GET") && as == AS_PROCEDURE)
        return reader_fail(r, at, "is a GET, which changes nothing; use as = \"handler\", or another method");
    h->auth = (enum hook_auth)auth;
    h->as = (enum hook_as)as;
    if (rc == 0)
        rc = reader_bool(r, at, v, "stream", &h->stream);
    if (rc == 0 && h->stream && (!slice_is(h->method, "GET") || h->auth == AUTH_SIGNED))
        return reader_fail(r, at,
                           "is a stream, which is asked for with GET and a key; leave stream out, or write [\"GET ...\"] and another auth");
    if (rc == 0 && h->auth == AUTH_SIGNED && json_get(v, "body"))
        return reader_fail(r, at, "is signed: its function gets the body as it came, to check the signature; leave body out");
    if (rc == 0)
        rc = read_query(r, at, v, h);
    if (rc == 0)
        rc = read_unless_exhausted(r, at, v, m, h);
    return rc < 0 ? rc : read_described(r, at, v, "body", VALUES_WIRE, h);
}

static int read_procedure(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    (void)m;
    h->as = AS_PROCEDURE;
    if (!name_is(slice_str(h->name), '_', 40))
        return reader_fail(r, at, "is no name of a procedure; use small letters, digits and single _");
    return read_described(r, at, v, "args", VALUES_WIRE, h);
}

static bool hears(const struct manifest *m, const char *event)
{
    for (size_t i = 0; i < m->need_count; i++)
        if (m->needs[i].kind == NEED_EVENT && strcmp(m->needs[i].text, event) == 0)
            return true;
    const char *dot = strchr(event, '.');
    if (!dot || !slice_is(slice_of(event, (size_t)(dot - event)), m->name))
        return false;
    for (size_t i = 0; i < m->event_count; i++)
        if (strcmp(m->events[i].name, dot + 1) == 0)
            return true;
    return false;
}

static int refuse_event(const struct reader *r, const struct place *at, const char *event)
{
    size_t n;
    const struct catalogue_event *known = catalogue_events(&n);
    const char *words[64];
    char hint[64];
    for (size_t i = 0; i < n && i < 63; i++)
        words[i] = known[i].name;
    words[n < 63 ? n : 63] = NULL;
    if (*reader_hint(hint, slice_str(event), words))
        return reader_fail(r, at, "is no event%s", hint);
    return reader_fail(r, at,
                       "is no event of the shop (`feira help events` lists them); one of another plugin goes into needs.events, too");
}

static int read_subscriber(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    const struct catalogue_event *e = catalogue_event(slice_str(h->name));
    struct place when_at = place_in(at, "when"), stopped_at = place_in(at, "stopped");
    int when = 0, stopped = 0;
    if (!e && !hears(m, h->name))
        return refuse_event(r, at, h->name);
    int rc = reader_choice(r, at, v, "when", true, moments, &when);
    if (rc == 0 && when == WHEN_IN_TRANSACTION && e && !e->in_transaction)
        return reader_fail(r, &when_at, "is not possible for %s; write \"after_commit\"", h->name);
    h->when = (enum hook_when)when;
    h->as = AS_PROCEDURE;
    if (rc == 0)
        rc = reader_choice(r, at, v, "stopped", false, stopped_kinds, &stopped);
    h->refuse_stopped = stopped == 1;
    if (rc == 0 && h->refuse_stopped && when == WHEN_AFTER_COMMIT)
        return reader_fail(r, &stopped_at, "is not possible after the commit: nothing is left to be refused; write \"later\", or nothing");
    return rc < 0 ? rc : read_after_before(r, at, v, h);
}

static int read_timer(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    (void)m;
    int as = 0;
    if (!name_is(slice_str(h->name), '_', 40))
        return reader_fail(r, at, "is no name of a timer; use small letters, digits and single _");
    int rc = reader_choice(r, at, v, "as", false, timer_kinds, &as);
    h->as = as == 0 ? AS_PROCEDURE : AS_JOB;
    return rc;
}

static int read_campaign(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    (void)m;
    if (!plugin_name_is(slice_str(h->name)))
        return reader_fail(r, at, "is no name of a campaign type; use small letters, digits and single -, like group-buy");
    int rc = reader_text(r, at, v, "title", false, &h->title);
    if (rc == 0)
        rc = read_failure(r, at, v, FAILURE_SKIP, h);
    return rc < 0 ? rc : read_described(r, at, v, "fields", VALUES_SETTINGS, h);
}

static int read_rule(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    (void)m;
    if (!name_is(slice_str(h->name), '_', 40))
        return reader_fail(r, at, "is no name of a rule; use small letters, digits and single _");
    int rc = read_failure(r, at, v, FAILURE_REFUSE, h);
    return rc < 0 ? rc : read_after_before(r, at, v, h);
}

static int read_kinds(const struct reader *r, const struct place *at, const struct json_value *v, struct hook *h)
{
    const struct json_value *list = json_get(v, "of"), *e = NULL;
    struct place here = place_in(at, "of");
    uint32_t n = 0, i = 0;
    int rc = list ? reader_list(r, &here, list, 32, &e, &n) : 0;
    if (rc < 0)
        return rc;
    const char **kinds = arena_array(r->arena, n + 1, sizeof *kinds);
    if (!kinds)
        return reader_nomem(r);
    for (; e && rc == 0; e = e->next, i++) {
        struct place nth = place_nth(&here, i + 1);
        rc = reader_sentence(r, &nth, e, &kinds[i]);
        if (rc == 0 && !name_is(slice_str(kinds[i]), '_', 40))
            rc = reader_fail(r, &nth,
                             "is no kind of thing; use small letters, digits and single _, like campaign, plugin, shop, order or reward");
    }
    h->of = kinds;
    return rc;
}

static int read_check(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    int when = 0, rc = read_rule(r, at, v, m, h);
    if (rc == 0)
        rc = reader_choice(r, at, v, "at", false, check_times, &when);
    h->at = (enum hook_at)when;
    return rc < 0 ? rc : read_kinds(r, at, v, h);
}

/* from = { collection = "links", by = "inviter" }: the customer's rows, found through an index. */
static int read_from(const struct reader *r, const struct place *at, const struct json_value *v, const struct manifest *m, struct hook *h)
{
    static const char *const known[] = { "collection", "by", NULL };
    struct place of = place_in(at, "collection"), by = place_in(at, "by");
    int rc = reader_known(r, at, v, known);
    if (rc == 0)
        rc = reader_text(r, at, v, "collection", true, &h->from);
    if (rc == 0)
        rc = reader_text(r, at, v, "by", true, &h->by);
    if (rc < 0)
        return rc;
    const struct collection *c = manifest_collection(m, slice_str(h->from));
    if (!c)
        return reader_fail(r, &of, "names \"%s\", which is none of the plugin's collections", h->from);
    for (size_t i = 0; i < c->index_count; i++) {
        const struct collection_field *f = &c->fields[c->indexes[i].fields[0]];
        if (strcmp(f->name, h->by) == 0 && f->type == FIELD_CUSTOMER)
            return 0;
    }
    return reader_fail(r, &by, "must be a field of the type customer that an index of %s begins with", h->from);
}

static int read_fact(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    static const char *const types[] = { "integer", "string", "boolean", "money", "percent", "time", "names", "codes", NULL };
    static const enum field_type type_of[] = { FIELD_INTEGER, FIELD_STRING, FIELD_BOOLEAN, FIELD_MONEY,
                                               FIELD_PERCENT, FIELD_TIME,   FIELD_JSON,    FIELD_JSON };
    const struct json_value *from = json_get(v, "from");
    struct place here = place_in(at, "from"), run = place_in(at, "run");
    int type = 0;
    if (!name_is(slice_str(h->name), '_', 40))
        return reader_fail(r, at, "is no name of a fact; use small letters, digits and single _");
    int rc = reader_choice(r, at, v, "type", false, types, &type);
    h->fact_type = type_of[type];
    h->of_codes = rc == 0 && strcmp(types[type], "codes") == 0;
    if (h->of_codes && from)
        return reader_fail(r, &here, "is for facts of a customer; one of codes reads the store itself");
    if (rc == 0)
        rc = run_is_at_home(r, v->type == JSON_STRING ? at : &run, h->of_codes ? HOME_EFFECTS : HOME_RULES, h);
    return rc < 0 || !from ? rc : read_from(r, &here, from, m, h);
}

static int read_payment(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m, struct hook *h)
{
    static const char *const names[] = { "create", "query", "close", "refund", "notify", "reply", NULL };
    char hint[64];
    (void)v;
    (void)m;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(h->name, names[i]) == 0)
            return 0;
    return reader_fail(r, at, "is nothing that a provider does%s; there are create, query, close, refund, notify and reply",
                       reader_hint(hint, slice_str(h->name), names));
}

static const char *const route_keys[] = { "run", "auth", "as", "about", "body", "query", "stream", "unless_exhausted", NULL };
static const char *const procedure_keys[] = { "run", "about", "args", NULL };
static const char *const on_keys[] = { "run", "when", "stopped", "about", "after", "before", NULL };
static const char *const timer_keys[] = { "run", "as", "about", NULL };
static const char *const campaign_keys[] = { "run", "title", "about", "fields", "on_failure", NULL };
static const char *const rule_keys[] = { "run", "about", "on_failure", "after", "before", NULL };
static const char *const fact_keys[] = { "run", "about", "type", "from", NULL };
static const char *const check_keys[] = { "run", "about", "at", "of", "on_failure", "after", "before", NULL };

static const char *const payment_keys[] = { "run", "about", NULL };

static const struct section sections[HOOK_KINDS] = {
    [HOOK_ROUTE] = { "routes", HOME_EFFECTS, false, route_keys, read_route },
    [HOOK_PROCEDURE] = { "procedures", HOME_EFFECTS, true, procedure_keys, read_procedure },
    [HOOK_SUBSCRIBER] = { "on", HOME_EFFECTS, false, on_keys, read_subscriber },
    [HOOK_TIMER] = { "timers", HOME_EFFECTS, true, timer_keys, read_timer },
    [HOOK_CAMPAIGN] = { "campaigns", HOME_RULES, true, campaign_keys, read_campaign },
    [HOOK_PRICING] = { "pricing", HOME_RULES, true, rule_keys, read_rule },
    [HOOK_SHIPPING_RATES] = { "shipping_rates", HOME_RULES, true, rule_keys, read_rule },
    [HOOK_TAX_RATES] = { "tax_rates", HOME_RULES, true, rule_keys, read_rule },
    [HOOK_FACT] = { "facts", HOME_ANY /* read_fact() says */, true, fact_keys, read_fact },
    [HOOK_CHECK] = { "checks", HOME_ANY, true, check_keys, read_check },
    [HOOK_PAYMENT] = { "payments", HOME_EFFECTS, true, payment_keys, read_payment },
};

const char *hook_section(enum hook_kind kind)
{
    return sections[kind].key;
}

static int read_hook(const struct reader *r, const struct place *at, const struct section *s, const struct json_value *v,
                     struct manifest *m, struct hook *h)
{
    static const char *const none[] = { NULL };
    const char *run = NULL;
    struct place run_at = place_in(at, "run");
    bool is_short = v->type == JSON_STRING;
    h->after = h->before = h->of = none;
    h->name = arena_strdup(r->arena, v->key);
    if (!h->name)
        return reader_nomem(r);
    if (is_short && !s->short_form)
        return reader_fail(r, at, "needs more than a function; write { run = \"...\", %s }",
                           h->kind == HOOK_ROUTE ? "auth = \"customer\"" : "when = \"in_transaction\"");
    int rc = is_short ? reader_sentence(r, at, v, &run) : reader_known(r, at, v, s->known);
    if (rc == 0 && !is_short)
        rc = reader_text(r, at, v, "run", true, &run);
    if (rc == 0 && !is_short)
        rc = reader_text(r, at, v, "about", false, &h->about);
    if (rc == 0)
        rc = read_run(r, is_short ? at : &run_at, slice_str(run), s->home, h);
    return rc < 0 ? rc : s->read(r, at, v, m, h);
}

static bool same_shape(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;
    while (i < a.len && k < b.len) {
        if (a.data[i] == '{' && b.data[k] == '{') {
            while (i < a.len && a.data[i] != '/')
                i++;
            while (k < b.len && b.data[k] != '/')
                k++;
        } else if (a.data[i++] != b.data[k++]) {
            return false;
        }
    }
    return i == a.len && k == b.len;
}

/* "GET /a/{x}" and "GET /a/{y}" are one route to the router. */
static int refuse_same_route(const struct reader *r, const struct place *at, const struct hook *hooks, size_t count)
{
    const struct hook *last = &hooks[count];
    for (size_t i = 0; i < count; i++)
        if (hooks[i].kind == HOOK_ROUTE && slice_eq(hooks[i].method, last->method) && same_shape(hooks[i].path, last->path))
            return reader_fail(r, at, "matches the same requests as [\"%s\"]; remove one", hooks[i].name);
    return 0;
}

static int read_section(const struct reader *r, const struct place *root, const struct json_value *v, enum hook_kind kind,
                        struct manifest *m, struct hook *hooks)
{
    const struct section *s = &sections[kind];
    const struct json_value *part = json_get(v, s->key);
    struct place at = place_in(root, s->key);
    m->hook_first[kind] = m->hook_count;
    if (!part)
        return 0;
    int rc = reader_table(r, &at, part);
    if (rc < 0)
        return rc;
    if (part->count > HOOKS_MAX)
        return reader_fail(r, &at, "has %u entries; at most %d are possible", part->count, HOOKS_MAX);
    for (const struct json_value *e = part->first; e && rc == 0; e = e->next) {
        struct place here = place_named(&at, e->key);
        struct hook *h = &hooks[m->hook_count];
        if (kind == HOOK_PAYMENT && manifest_is_account(e->key))
            continue;
        *h = (struct hook){ .kind = kind };
        rc = read_hook(r, &here, s, e, m, h);
        if (rc == 0 && kind == HOOK_ROUTE)
            rc = refuse_same_route(r, &here, hooks, m->hook_count);
        m->hook_count++;
    }
    return rc < 0 || kind != HOOK_PAYMENT ? rc : manifest_read_accounts(r, &at, part, m);
}

int manifest_read_hooks(const struct reader *r, const struct place *root, const struct json_value *v, struct manifest *m)
{
    size_t n = 1;
    for (int k = 0; k < HOOK_KINDS; k++) {
        const struct json_value *part = json_get(v, sections[k].key);
        n += part ? part->count : 0;
    }
    struct hook *hooks = arena_array(r->arena, n, sizeof *hooks);
    if (!hooks)
        return reader_nomem(r);
    int rc = 0;
    for (int k = 0; k < HOOK_KINDS && rc == 0; k++)
        rc = read_section(r, root, v, (enum hook_kind)k, m, hooks);
    m->hook_first[HOOK_KINDS] = m->hook_count;
    m->hooks = hooks;
    return rc;
}

/* --- events of its own ----------------------------------------------------------------------------------------------------- */

/* What has the same value there is heard in its order. */
static int read_event_key(const struct reader *r, const struct place *at, const struct json_value *v, struct plugin_event *e)
{
    struct place here = place_in(at, "key");
    const struct value_spec *found = NULL;
    int rc = reader_text(r, at, v, "key", false, &e->key);
    if (rc < 0 || !e->key)
        return rc;
    for (size_t i = 0; i < e->value_count && !found; i++)
        if (strcmp(e->values[i].name, e->key) == 0)
            found = &e->values[i];
    if (!found)
        return reader_fail(r, &here, "names no member of the payload; describe \"%s\" in payload", e->key);
    if (found->optional || found->type == VALUE_BOOLEAN || found->type == VALUE_LIST || found->type == VALUE_RECORD)
        return reader_fail(r, &here, "may name a text or a number that is always there; \"%s\" is not one", e->key);
    return 0;
}

int manifest_read_events(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    static const char *const known[] = { "about", "key", "payload", NULL };
    int rc = reader_table(r, at, v);
    if (rc < 0)
        return rc;
    if (v->count > EVENTS_MAX)
        return reader_fail(r, at, "has %u events; at most %d are possible", v->count, EVENTS_MAX);
    struct plugin_event *list = arena_array(r->arena, v->count ? v->count : 1, sizeof *list);
    if (!list)
        return reader_nomem(r);
    size_t n = 0;
    for (const struct json_value *e = v->first; e && rc == 0; e = e->next, n++) {
        const struct json_value *payload;
        struct place here = place_named(at, e->key), inside = place_in(&here, "payload");
        if (!name_is(e->key, '_', 40))
            return reader_fail(r, &here, "is no name of an event; write it without the plugin's name, in small letters, like full");
        list[n].name = arena_strdup(r->arena, e->key);
        rc = list[n].name ? reader_known(r, &here, e, known) : reader_nomem(r);
        if (rc == 0)
            rc = reader_text(r, &here, e, "about", true, &list[n].about);
        if (rc == 0 && (payload = json_get(e, "payload")))
            rc = values_read(r, &inside, payload, VALUES_WIRE, &list[n].values, &list[n].value_count);
        if (rc == 0 && !(list[n].payload = values_schema(list[n].values, list[n].value_count, r->arena)))
            rc = reader_nomem(r);
        if (rc == 0)
            rc = read_event_key(r, &here, e, &list[n]);
    }
    m->events = list;
    m->event_count = n;
    return rc;
}
