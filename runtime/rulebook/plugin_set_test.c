#include "rulebook/catalogue.h"
#include "rulebook/shop_data.h"
#include "rulebook/manifest_fixture.h"
#include "rulebook/plugin_set.h"

enum { MANY = 500 };

struct plugins {
    struct manifest *m[MANY];
    size_t n;
    struct plugin_set *set;
    struct err err;
};

static void add(struct plugins *p, const char *name, const char *rest)
{
    p->m[p->n++] = fixture_good(name, rest);
}

static int make(struct plugins *p)
{
    p->err = (struct err){ 0 };
    return plugin_set_make((const struct manifest *const *)p->m, p->n, NULL, &p->set, &p->err);
}

static void clear(struct plugins *p)
{
    plugin_set_free(p->set);
    while (p->n)
        manifest_free(p->m[--p->n]);
    p->set = NULL;
}

static const char *order_text(const struct plugin_set *s, char out[400])
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < plugin_set_count(s); i++)
        n += (size_t)snprintf(out + n, 400 - n, "%s%s", i ? " " : "", plugin_set_at(s, i)->name);
    return out;
}

static const char *refs_text(const struct hook_ref *refs, size_t count, char out[400])
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, 400 - n, "%s%s/%s", i ? " " : "", refs[i].plugin->name, refs[i].hook->name);
    return out;
}

/* The pin: whoever changes the order changes what shops charge. */
static void plugins_come_by_need_then_after_and_before_then_name(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    char text[400];
    add(&p, "tiers", "needs = { procedures = { 'coupons.grant' }, collections = { 'customers:read' } },");
    add(&p, "zebra", "before = { 'apple', 'not-there' },");
    add(&p, "coupons", "procedures = { grant = 'events.grant' },");
    add(&p, "banana", "after = { 'tiers' },");
    add(&p, "apple", "");
    add(&p, "cherry", "");
    assert_int_equal(make(&p), 0);
    assert_string_equal(order_text(p.set, text), "cherry coupons tiers banana zebra apple");
    assert_string_equal(plugin_set_find(p.set, SLICE_LIT("zebra"))->name, "zebra");
    assert_null(plugin_set_find(p.set, SLICE_LIT("kiwi")));
    clear(&p);
}

static void hooks_come_by_plugin_then_name_unless_they_say_otherwise(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    char text[400];
    size_t n;
    add(&p, "b", "pricing = { y = 'rules.y', x = 'rules.x' }, on = { ['order.paid'] = { run = 'events.p', when = 'after_commit' } },");
    add(&p, "a",
        "pricing = { z = { run = 'rules.z', after = { 'c' } } }, on = { ['order.paid'] = { run = 'events.p', when = 'in_transaction' } },");
    add(&p, "c",
        "after = { 'b' }, pricing = { w = 'rules.w' },"
        "on = { ['order.paid'] = { run = 'events.p', when = 'in_transaction', before = { 'a' } }, ['order.placed'] = { run = 'events.q', "
        "when = 'after_commit' } },");
    assert_int_equal(make(&p), 0);
    assert_string_equal(order_text(p.set, text), "a b c");
    const struct hook_ref *refs = plugin_set_hooks(p.set, HOOK_PRICING, &n);
    assert_string_equal(refs_text(refs, n, text), "b/x b/y c/w a/z");
    refs = plugin_set_subscribers(p.set, SLICE_LIT("order.paid"), &n);
    assert_string_equal(refs_text(refs, n, text), "b/order.paid c/order.paid a/order.paid");
    refs = plugin_set_subscribers(p.set, SLICE_LIT("order.placed"), &n);
    assert_string_equal(refs_text(refs, n, text), "c/order.placed");
    plugin_set_subscribers(p.set, SLICE_LIT("order.expired"), &n);
    assert_int_equal(n, 0);
    plugin_set_hooks(p.set, HOOK_SUBSCRIBER, &n);
    assert_int_equal(n, 4);
    plugin_set_hooks(p.set, HOOK_ROUTE, &n);
    assert_int_equal(n, 0);
    clear(&p);
}

static uint64_t step(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

static void the_order_does_not_depend_on_the_order_of_the_folder(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    uint64_t seed = 7;
    char first[400] = "", text[400];
    for (int i = 0; i < 20; i++) {
        char name[16], rest[100];
        snprintf(name, sizeof name, "p%d", i);
        if (i > 2)
            snprintf(rest, sizeof rest, "after = { 'p%d' }, before = { 'p%d' },", (int)(step(&seed) % (unsigned)i),
                     20 + (int)(step(&seed) % 9));
        add(&p, name, i > 2 ? rest : "");
    }
    for (int round = 0; round < 100; round++) {
        for (size_t i = p.n; i > 1; i--) {
            size_t k = step(&seed) % i;
            struct manifest *m = p.m[i - 1];
            p.m[i - 1] = p.m[k];
            p.m[k] = m;
        }
        assert_int_equal(make(&p), 0);
        order_text(p.set, text);
        if (round == 0)
            strcpy(first, text);
        assert_string_equal(text, first);
        plugin_set_free(p.set);
        p.set = NULL;
    }
    clear(&p);
}

static void circles_are_named(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    add(&p, "a", "after = { 'c' },");
    add(&p, "b", "after = { 'a' },");
    add(&p, "c", "after = { 'b' },");
    add(&p, "aa", "after = { 'a' },");
    assert_int_equal(make(&p), ERR_INVALID);
    assert_string_equal(p.err.text, "plugins can't be put in order: a after c after b after a; remove one of these needs, after or before");
    clear(&p);
    add(&p, "a", "pricing = { x = { run = 'rules.x', after = { 'b' } } },");
    add(&p, "b", "after = { 'a' },");
    assert_int_equal(make(&p), ERR_INVALID);
    assert_non_null(strstr(p.err.text, "pricing can't be put in order: a after b after a"));
    clear(&p);
    add(&p, "a", "before = { 'a' },");
    assert_int_equal(make(&p), ERR_INVALID);
    assert_non_null(strstr(p.err.text, "a after a"));
    clear(&p);
}

static void what_is_needed_must_be_there(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *says;
    } cases[] = {
        { "needs = { procedures = { 'coupons.grant' } },", "" },
        { "needs = { collections = { 'coupons:read', 'coupons.codes:write' } },", "" },
        { "needs = { events = { 'coupons.used' } },", "" },
        { "needs = { procedures = { 'orders.cancel' } },", "" },
        { "needs = { ledger = { 'points:write' } },", "" },
        { "needs = { plugins = { 'points' } },",
          "needs.plugins: \"points\" is not turned on; add [\"points\"] = { } to plugins in shop.lua" },
        { "needs = { plugins = { 'orders' } },", "is not turned on" },
        { "needs = { procedures = { 'coupons.grand' } },", "the plugin coupons has no procedure \"grand\" (did you mean \"grant\"?)" },
        { "needs = { collections = { 'coupons.code:read' } },", "the plugin coupons has no collection \"code\" (did you mean \"codes\"?)" },
        { "needs = { events = { 'coupons.use' } },", "the plugin coupons has no event \"use\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plugins p = { 0 };
        add(&p, "coupons",
            "procedures = { grant = 'events.grant' }, collections = { codes = { fields = { code = 'string' } } }, events = { used = { "
            "about = 'x' } },");
        add(&p, "invite", cases[i].rest);
        int rc = make(&p);
        if (!*cases[i].says ? rc != 0 : rc != ERR_INVALID || !strstr(p.err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].rest, p.err.text);
        clear(&p);
    }
    struct plugins p = { 0 };
    add(&p, "invite", "");
    add(&p, "invite", "");
    assert_int_equal(make(&p), ERR_INVALID);
    assert_non_null(strstr(p.err.text, "two plugins of the name invite"));
    clear(&p);
}

static void only_what_is_named_may_be_touched(void **state)
{
    (void)state;
    struct manifest *m = fixture_good(
        "invite", "needs = { collections = { 'coupons.codes:read', 'points:write', 'customers:read' }, procedures = { 'coupons.grant' },"
                  "http = { 'api.example.com', 'x.example.org:8443' }, ledger = { 'points:write', 'stock:read' },"
                  "personal = { { field = 'customer.phone', purpose = 'x' } } },");
#define S SLICE_LIT
    assert_true(needs_collection(m, S("invite"), S("links"), true));
    assert_true(needs_collection(m, S("coupons"), S("codes"), false));
    assert_false(needs_collection(m, S("coupons"), S("codes"), true));
    assert_false(needs_collection(m, S("coupons"), S("grants"), false));
    assert_false(needs_collection(m, S("coupons"), S(""), false));
    assert_true(needs_collection(m, S("points"), S("any"), true));
    assert_true(needs_collection(m, S("points"), S("any"), false));
    assert_false(needs_collection(m, S("customers"), S(""), true));
    assert_false(needs_collection(m, S("orders"), S(""), false));
    assert_true(needs_procedure(m, S("coupons"), S("grant")));
    assert_true(needs_procedure(m, S("invite"), S("any")));
    assert_false(needs_procedure(m, S("coupons"), S("redeem")));
    assert_true(needs_ledger(m, S("points/cus_1"), true));
    assert_true(needs_ledger(m, S("invite/cus_1"), true));
    assert_true(needs_ledger(m, S("stock/A/main"), false));
    assert_false(needs_ledger(m, S("stock/A/main"), true));
    assert_false(needs_ledger(m, S("pointsfree"), false));
    assert_false(needs_ledger(m, S(""), false));
    assert_true(needs_http(m, S("api.example.com"), 443));
    assert_false(needs_http(m, S("api.example.com"), 80));
    assert_true(needs_http(m, S("x.example.org"), 8443));
    assert_false(needs_http(m, S("x.example.org"), 443));
    assert_false(needs_http(m, S("evil.api.example.com"), 443));
    assert_true(needs_personal(m, S("customer.phone")));
    assert_false(needs_personal(m, S("customer.email")));
#undef S
    manifest_free(m);
}

static void the_report_names_everything_with_its_reason(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    struct buf out;
    struct arena a;
    struct json_value *settings;
    add(&p, "invite",
        "needs = { collections = { { name = 'customers:read', why = 'tags' }, 'coupons.codes:write' }, procedures = { 'coupons.grant' },"
        "http = { { host = 'api.example.com', why = 'maps' } }, ledger = { 'points:write' }, personal = { { field = 'customer.phone_hash', "
        "purpose = 'one reward' } } },"
        "settings = { key = { type = 'secret', about = 'x' } }, inputs = { link = 'string' }, collections = { links = { fields = { a = "
        "'string' } } },"
        "routes = { ['POST /links'] = { run = 'events.f', auth = 'customer', about = 'Makes a link.' } },"
        "on = { ['order.paid'] = { run = 'events.f', when = 'in_transaction' } }, pricing = { all = 'rules.p' },");
    add(&p, "coupons", "collections = { codes = { fields = { a = 'string' } } }, procedures = { grant = 'events.f' },");
    add(&p, "plain", "");
    assert_int_equal(make(&p), 0);
    arena_init(&a, NULL, 0);
    buf_init(&out, NULL);
    assert_int_equal(json_parse(SLICE_LIT("{\"key\":\"PAY_KEY\"}"), NULL, &a, &settings, NULL), 0);
    const struct json_value *all[] = { NULL, settings, NULL };
    plugin_set_write_needs(p.set, all, &out);
    buf_add_char(&out, '\0');
    assert_string_equal(out.data, "coupons 1.0.0: A plugin\n"
                                  "  keeps     codes\n"
                                  "invite 1.0.0: A plugin\n"
                                  "  reads     customers: tags\n"
                                  "  writes    coupons.codes\n"
                                  "  calls     coupons.grant\n"
                                  "  writes    accounts points\n"
                                  "  connects  api.example.com: maps\n"
                                  "  personal  customer.phone_hash: one reward\n"
                                  "  keeps     links\n"
                                  "  takes in  link (string)\n"
                                  "  serves    POST /v1/x/invite/links (customers): Makes a link.\n"
                                  "  hears     order.paid (in the transaction)\n"
                                  "  decides   pricing (all)\n"
                                  "  secret    PAY_KEY (setting key)\n"
                                  "plain 1.0.0: A plugin\n"
                                  "  nothing beyond the cart it is shown\n");
    buf_release(&out);
    arena_release(&a);
    clear(&p);
}

/* --- the catalogue ------------------------------------------------------------------------------------------------------- */

static void the_catalogue_has_what_was_promised(void **state)
{
    (void)state;
    static const char *const promised[] = { "customer.joined",  "order.placed",       "order.paid",         "order.blocked",
                                            "order.fulfilled",  "order.completed",    "order.cancelled",    "order.expired",
                                            "payment.received", "payment.mismatched", "refund.requested",   "refund.succeeded",
                                            "refund.failed",    "stock.low",          "campaign.exhausted", "fact.changed" };
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        const struct catalogue_event *e = catalogue_event(slice_str(promised[i]));
        assert_non_null(e);
        assert_int_equal(e->since_api, 1);
        assert_non_null(e->payload->fields);
    }
    size_t n;
    const struct catalogue_event *all = catalogue_events(&n);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(all[i - 1].name, all[i].name) < 0);
    const struct catalogue_hook *hooks = catalogue_hooks(&n);
    assert_int_equal(n, HOOK_KINDS);
    for (size_t k = 0; k < n; k++)
        assert_string_equal(hooks[k].section, hook_section((enum hook_kind)k));
}

/* api = 1: names, members and types below are there for ever. More may come; nothing here may change. */
static void the_payloads_of_api_1_stay_as_they_are(void **state)
{
    (void)state;
    static const char pinned[] = "campaign.exhausted: campaign=1! limit=1! at=1!\n"
                                 "campaign.granted: grant=1! order=1! customer=1! campaign=1! to=1! what=6! amount=2! at=1!\n"
                                 "campaign.taken_back: grant=1! order=1! customer=1! campaign=1! to=1! what=6! amount=2! at=1!\n"
                                 "consent.given: customer=1! purpose=1! version=1! share=3! at=1!\n"
                                 "consent.withdrawn: customer=1! purpose=1! version=1! share=3! at=1!\n"
                                 "customer.erased: customer=1! at=1!\n"
                                 "customer.joined: customer=1! at=1!\n"
                                 "fact.changed: customer=1! fact=1! at=1! old=0 new=0\n"
                                 "order.blocked: order=1! customer=1 total=2! at=1! block=1! plugin=1 blocks=2 reason=1\n"
                                 "order.cancelled: order=1! customer=1 total=2! at=1! reason=1\n"
                                 "order.completed: order=1! customer=1 total=2! at=1! by=1\n"
                                 "order.expired: order=1! customer=1 total=2! at=1!\n"
                                 "order.fulfilled: order=1! customer=1 total=2! at=1!\n"
                                 "order.fulfilling: order=1! customer=1 total=2! at=1! fulfilment=1! lines=4 carrier=1 tracking=1\n"
                                 "order.paid: order=1! customer=1 total=2! at=1!\n"
                                 "order.placed: order=1! customer=1 total=2! at=1! inputs=6 codes=4\n"
                                 "order.unblocked: order=1! customer=1 total=2! at=1! block=1! plugin=1 blocks=2 reason=1\n"
                                 "payment.mismatched: order=1! payment=1! provider=1! amount=2! expected=2! what=1 at=1!\n"
                                 "payment.received: order=1! customer=1 payment=1! provider=1! amount=2! at=1!\n"
                                 "payment.returned: order=1! customer=1 payment=1! provider=1! amount=2! refund=1! at=1!\n"
                                 "refund.failed: order=1! customer=1 refund=1! amount=2! at=1! reason=1!\n"
                                 "refund.requested: order=1! customer=1 refund=1! amount=2! at=1!\n"
                                 "refund.succeeded: order=1! customer=1 refund=1! amount=2! at=1!\n"
                                 "stock.low: sku=1! location=1! available=2! at=1!\n"
                                 "webhook.disabled: webhook=1! label=1 reason=1! at=1!\n";
    struct buf b;
    size_t n;
    const struct catalogue_event *all = catalogue_events(&n);
    buf_init(&b, NULL);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "%s:", all[i].name);
        for (const struct schema *f = all[i].payload->fields; f->name; f++)
            buf_printf(&b, " %s=%d%s", f->name, f->type, f->required ? "!" : "");
        buf_add_char(&b, '\n');
    }
    buf_add_char(&b, '\0');
    assert_string_equal(b.data, pinned);
    buf_release(&b);
}

static void help_shows_events_and_hooks_with_those_of_plugins(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    struct buf out;
    add(&p, "group-buy",
        "events = { full = { about = 'The last seat was taken.', payload = { group = 'integer' } } }, pricing = { all = 'rules.p' },");
    assert_int_equal(make(&p), 0);
    buf_init(&out, NULL);
    catalogue_write_events(&out, p.set);
    catalogue_write_hooks(&out, p.set);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.data, "order.paid  (in_transaction or after_commit; since api 1)\n    All that was due is paid.\n"));
    assert_non_null(
        strstr(out.data, "group-buy.full  (in_transaction or after_commit; since api 1)\n    The last seat was taken.\n      group"));
    assert_non_null(strstr(out.data, "      here   1. group-buy: all\n"));
    assert_non_null(
        strstr(out.data, "campaign.exhausted  (in_transaction or after_commit; since api 1)\n    A limit of a campaign is used up"));
    assert_null(strstr(out.data, "does not emit them yet"));
    buf_clear(&out);
    catalogue_write_events(&out, NULL);
    catalogue_write_hooks(&out, NULL);
    assert_false(out.failed);
    buf_release(&out);
    clear(&p);
}

static void five_hundred_plugins_are_put_in_order(void **state)
{
    (void)state;
    struct plugins p = { 0 };
    for (int i = 0; i < MANY; i++) {
        char name[16], rest[200];
        snprintf(name, sizeof name, "p%d", i);
        snprintf(rest, sizeof rest, "after = { 'p%d' }, pricing = { x = { run = 'rules.x', before = { 'p%d' } } },", i + 1, i / 2 - 1);
        add(&p, name, rest);
    }
    assert_int_equal(make(&p), 0);
    assert_string_equal(plugin_set_at(p.set, 0)->name, "p499");
    assert_string_equal(plugin_set_at(p.set, MANY - 1)->name, "p0");
    clear(&p);
}

static bool is_personal(const char *noun, const char *field)
{
    size_t n;
    const struct catalogue_field *all = catalogue_personal(&n);
    char name[80];
    snprintf(name, sizeof name, "%s.%s", noun, field);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            return true;
    return false;
}

/* Every plugin may hear every event of the shop, so nothing of a person may be in one. Of the shop's rows each personal field is marked. */
static void personal_fields_are_in_no_event_and_marked_in_rows(void **state)
{
    (void)state;
    size_t n, marked = 0, personal;
    const struct catalogue_event *events = catalogue_events(&n);
    for (size_t i = 0; i < n; i++)
        for (const struct schema *f = events[i].payload->fields; f->name; f++)
            assert_false(is_personal("customer", f->name) || is_personal("order", f->name));
    const struct shop_collection *rows = shop_collections(&n);
    for (size_t i = 0; i < n; i++) {
        const char *noun = strcmp(rows[i].shape.name, "customers") == 0 ? "customer"
                           : strcmp(rows[i].shape.name, "orders") == 0  ? "order"
                                                                        : "";
        for (size_t k = 0; k < rows[i].shape.field_count; k++) {
            const char *mark = rows[i].personal ? rows[i].personal[k] : NULL;
            char name[80];
            snprintf(name, sizeof name, "%s.%s", noun, rows[i].shape.fields[k].name);
            assert_int_equal(mark != NULL, is_personal(noun, rows[i].shape.fields[k].name));
            assert_true(!mark || strcmp(mark, name) == 0);
            marked += mark != NULL;
        }
    }
    catalogue_personal(&personal);
    assert_int_equal(marked, personal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plugins_come_by_need_then_after_and_before_then_name),
        cmocka_unit_test(hooks_come_by_plugin_then_name_unless_they_say_otherwise),
        cmocka_unit_test(the_order_does_not_depend_on_the_order_of_the_folder),
        cmocka_unit_test(circles_are_named),
        cmocka_unit_test(what_is_needed_must_be_there),
        cmocka_unit_test(only_what_is_named_may_be_touched),
        cmocka_unit_test(the_report_names_everything_with_its_reason),
        cmocka_unit_test(the_catalogue_has_what_was_promised),
        cmocka_unit_test(the_payloads_of_api_1_stay_as_they_are),
        cmocka_unit_test(help_shows_events_and_hooks_with_those_of_plugins),
        cmocka_unit_test(personal_fields_are_in_no_event_and_marked_in_rows),
        cmocka_unit_test(five_hundred_plugins_are_put_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
