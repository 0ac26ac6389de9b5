#include "base/alloc_fault.h"
#include "base/zone.h"
#include "crypto/crypto.h"
#include "rulebook/manifest_fixture.h"

/* The manifest that stands in the design, whole. */
static const char example[] =
    "return {\n"
    "  name = \"invite\", version = \"1.0.0\", api = 1, title = \"Invite friends\",\n"
    "  needs = {\n"
    "    collections = { \"customers:read\" },\n"
    "    procedures  = { \"coupons.grant\" },\n"
    "    personal    = { { field = \"customer.phone_hash\", purpose = \"one reward per person\" } },\n"
    "  },\n"
    "  settings = {\n"
    "    friends = { type = \"integer\", min = 1, max = 20, default = 3, about = \"How many friends earn the inviter's coupon.\" },\n"
    "    reward  = { type = \"campaign\", about = \"The coupon campaign that both sides get.\" },\n"
    "  },\n"
    "  collections = {\n"
    "    links = { fields = { inviter = \"customer\", invitee = \"customer\", rewarded = \"boolean\" }, unique = { { \"invitee\" } }, "
    "index = { { \"inviter\" } } },\n"
    "  },\n"
    "  inputs  = { link = { type = \"string\", max = 64 } },\n"
    "  routes  = { [\"POST /links\"] = { run = \"events.create_link\", auth = \"customer\" } },\n"
    "  on      = { [\"order.completed\"] = { run = \"events.completed\", when = \"in_transaction\" } },\n"
    "  timers  = { expire = \"events.expire\" },\n"
    "  facts   = { invited = \"rules.invited\" },\n"
    "  checks  = {},\n"
    "}\n";

static void the_example_of_the_design_is_read_whole(void **state)
{
    (void)state;
    struct manifest *m;
    struct err err = { 0 };
    if (manifest_read(slice_str(example), FIXTURE_FILE, NULL, &m, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(m->name, "invite");
    assert_string_equal(m->title, "Invite friends");
    assert_int_equal(m->version.major, 1);
    assert_int_equal(m->need_count, 3);
    assert_int_equal(m->needs[0].kind, NEED_COLLECTION);
    assert_true(slice_is(m->needs[0].target, "customers"));
    assert_false(m->needs[0].write);
    assert_true(slice_is(m->needs[1].target, "coupons") && slice_is(m->needs[1].part, "grant"));
    assert_string_equal(m->needs[2].why, "one reward per person");
    assert_int_equal(m->setting_count, 2);
    assert_string_equal(m->settings[0].name, "friends");
    assert_int_equal(m->settings[0].max, 20);
    assert_int_equal(m->settings[1].type, VALUE_CAMPAIGN);
    assert_int_equal(m->collection_count, 1);
    const struct collection *links = manifest_collection(m, SLICE_LIT("links"));
    assert_string_equal(links->table, "p_invite__links");
    assert_int_equal(links->field_count, 3);
    assert_string_equal(links->fields[0].name, "invitee");
    assert_int_equal(links->index_count, 2);
    assert_true(links->indexes[0].unique && !links->indexes[1].unique && !links->has_key);
    assert_int_equal(m->input_count, 1);
    const struct hook *route = manifest_hook(m, HOOK_ROUTE, SLICE_LIT("POST /links"));
    assert_true(slice_is(route->method, "POST") && slice_is(route->path, "/links"));
    assert_int_equal(route->auth, AUTH_CUSTOMER);
    assert_int_equal(route->as, AS_PROCEDURE);
    assert_true(slice_is(route->module, "events") && slice_is(route->function, "create_link"));
    assert_int_equal(manifest_hook(m, HOOK_SUBSCRIBER, SLICE_LIT("order.completed"))->when, WHEN_IN_TRANSACTION);
    assert_non_null(manifest_hook(m, HOOK_TIMER, SLICE_LIT("expire")));
    assert_true(slice_is(manifest_hook(m, HOOK_FACT, SLICE_LIT("invited"))->module, "rules"));
    assert_null(manifest_hook(m, HOOK_FACT, SLICE_LIT("expire")));
    assert_int_equal(m->hook_first[HOOK_CHECK], m->hook_first[HOOK_CHECK + 1]);
    manifest_free(m);
}

static void everything_a_manifest_can_say_is_kept(void **state)
{
    (void)state;
    struct manifest *m = fixture_good(
        "invite",
        "about = 'x', after = { 'points' }, before = { 'tiers' },"
        "needs = { plugins = { 'points' }, events = { 'group-buy.full' }, ledger = { { name = 'points:write', why = 'rewards' } },"
        "          http = { 'api.example.com', { host = 'x.example.org:8443', why = 'maps' } }, collections = { 'coupons.codes:write' } },"
        "events = { joined = { about = 'A friend came.', key = 'who', payload = { who = 'customer', n = { type = 'integer', optional = "
        "true } } } },"
        "collections = { codes = { key = 'code', fields = { code = 'sku', note = 'string?', data = { type = 'json', default = { a = 1 } },"
        "  n = { type = 'integer', min = 0, default = 7 }, rate = { type = 'percent', default = 12.5 }, ['until'] = 'time?', paid = { type "
        "= 'money', default = 0 } },"
        "  index = { 'until', { 'n', 'until' } } } },"
        "routes = { ['GET /codes/{code}'] = { run = 'events.show', auth = 'anyone' },"
        " ['POST /codes/{code}'] = { run = 'events.use', auth = 'anyone', unless_exhausted = 'invite/codes/{code}' },"
        "           ['POST /codes'] = { run = 'events.work', auth = 'server', as = 'handler', body = { code = 'sku', amount = { type = "
        "'money', min = 1 } } } },"
        "procedures = { grant = { run = 'events.grant', args = { customer = 'customer' } } },"
        "on = { ['group-buy.full'] = { run = 'events.full', when = 'after_commit', after = { 'points' } },"
        "       ['invite.joined'] = { run = 'events.joined', when = 'after_commit' } },"
        "timers = { call = { run = 'events.call', as = 'job' } },"
        "campaigns = { invite = { run = 'rules.campaign', title = 'T', fields = { off = { type = 'percent', about = 'How much.' } } } },"
        "pricing = { tiers = { run = 'rules.price', on_failure = 'skip' } }, shipping_rates = { a = 'rules.ship' }, tax_rates = { b = "
        "'rules.tax' },"
        "facts = { level = { run = 'rules.level', type = 'integer' } },"
        "checks = { own = { run = 'checks.own', at = 'runtime' } },");
    const struct collection *c = manifest_collection(m, SLICE_LIT("codes"));
    assert_true(c->has_key && c->indexes[0].unique && c->index_count == 3);
    assert_string_equal(c->fields[0].name, "code");
    assert_true(slice_is(c->fields[1].default_text, "{\"a\":1}"));
    assert_int_equal(c->fields[2].default_int, 7);
    assert_true(c->fields[3].optional);
    assert_int_equal(c->fields[5].default_int, 125000);
    assert_int_equal(c->indexes[2].count, 2);
    assert_int_equal(manifest_hook(m, HOOK_ROUTE, SLICE_LIT("GET /codes/{code}"))->as, AS_HANDLER);
    const struct hook *post = manifest_hook(m, HOOK_ROUTE, SLICE_LIT("POST /codes"));
    assert_int_equal(post->as, AS_HANDLER);
    assert_null(post->unless_exhausted);
    assert_string_equal(manifest_hook(m, HOOK_ROUTE, SLICE_LIT("POST /codes/{code}"))->unless_exhausted, "invite/codes/{code}");
    struct arena a;
    struct json_value *body;
    struct err err = { 0 };
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(SLICE_LIT("{\"code\":\"A\",\"amount\":0}"), NULL, &a, &body, &err), 0);
    assert_int_equal(schema_check(post->schema, body, &err), ERR_INVALID);
    assert_string_equal(err.field, "/amount");
    assert_int_equal(json_parse(SLICE_LIT("{\"code\":\"A\",\"amount\":5}"), NULL, &a, &body, &err), 0);
    assert_int_equal(schema_check(post->schema, body, &err), 0);
    arena_release(&a);
    assert_int_equal(manifest_hook(m, HOOK_TIMER, SLICE_LIT("call"))->as, AS_JOB);
    assert_int_equal(manifest_hook(m, HOOK_PRICING, SLICE_LIT("tiers"))->on_failure, FAILURE_SKIP);
    assert_int_equal(manifest_hook(m, HOOK_TAX_RATES, SLICE_LIT("b"))->on_failure, FAILURE_REFUSE);
    assert_int_equal(manifest_hook(m, HOOK_CAMPAIGN, SLICE_LIT("invite"))->value_count, 1);
    assert_int_equal(manifest_hook(m, HOOK_CHECK, SLICE_LIT("own"))->at, AT_RUNTIME);
    assert_int_equal(manifest_hook(m, HOOK_FACT, SLICE_LIT("level"))->fact_type, FIELD_INTEGER);
    assert_string_equal(manifest_hook(m, HOOK_SUBSCRIBER, SLICE_LIT("group-buy.full"))->after[0], "points");
    manifest_free(m);
}

static void what_is_not_known_is_refused_with_the_nearest_word(void **state)
{
    (void)state;
    fixture_bad("setings = {},", "plugins/invite/plugin.lua:1: setings: is not known here (did you mean \"settings\"?)");
    fixture_bad("needs = { colections = {} },", "needs.colections: is not known here (did you mean \"collections\"?)");
    fixture_bad("settings = { n = { type = 'intger', about = 'x' } },", "(did you mean \"integer\"?)");
    fixture_bad("settings = { n = { type = 'integer', abuot = 'x' } },", "settings.n.abuot: is not known here (did you mean \"about\"?)");
    fixture_bad("collections = { a = { fields = { x = 'strng' } } },", "collections.a.fields.x: has the type \"strng\"");
    fixture_bad("collections = { a = { fields = { x = 'string' }, index = { { 'y' } } } },",
                "collections.a.index[1][1]: names the field \"y\"");
    fixture_bad("on = { ['order.payed'] = { run = 'events.f', when = 'after_commit' } },",
                "on[\"order.payed\"]: is no event (did you mean \"order.paid\"?)");
    fixture_bad("routes = { ['GET /a'] = { run = 'events.f', auth = 'custmer' } },", "routes[\"GET /a\"].auth: is \"custmer\"");
    fixture_bad("needs = { personal = { { field = 'customer.fone', purpose = 'x' } } },", "(did you mean \"customer.phone\"?)");
    fixture_bad("needs = { collections = { 'customers:raed' } },", "(did you mean \"read\"?)");
    fixture_bad("zzzzzz = 1,", "zzzzzz: is not known here; write one of: name, version");
}

static void each_mistake_says_what_to_write(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *says;
    } cases[] = {
        { "needs = 1,", "needs: must be a table, not an integer" },
        { "needs = { 'customers:read' },", "needs: is a list; give its members names" },
        { "needs = { collections = 'customers:read' },", "must be a list, not a string; put it in { }" },
        { "needs = { collections = { 'customers' } },", "must end in :read or :write" },
        { "needs = { collections = { 'customers:write' } },", "name those in needs.procedures" },
        { "needs = { collections = { 'a:read', 'a:read' } },", "needs.collections[2]: is named twice" },
        { "needs = { collections = { 'invite.links:read' } },", "is the plugin's own" },
        { "needs = { procedures = { 'grant' } },", "write PLUGIN.PROCEDURE" },
        { "needs = { events = { 'order.paid' } },", "every plugin may hear" },
        { "needs = { http = { 'https://example.com/x' } },", "is no host name" },
        { "needs = { http = { '*.example.com' } },", "is no host name" },
        { "needs = { http = { '10.0.0.1' } },", "is no host name" },
        { "needs = { http = { 'localhost' } },", "is no host name" },
        { "needs = { http = { 'db.internal' } },", "private network" },
        { "needs = { http = { 'example.com:0' } },", "no port" },
        { "needs = { http = { 'example.com:99999' } },", "no port" },
        { "needs = { personal = { 'customer.phone' } },", "says no purpose" },
        { "needs = { personal = { { field = 'customer.phone' } } },", "lacks purpose" },
        { "needs = { ledger = { 'stock:write' } },", "only the shop's procedures do" },
        { "payments = { create = 'pay.create', query = 'pay.query' },", "payments: lacks refund" },
        { "payments = { create = 'pay.create', query = 'pay.query', refund = 'pay.refund', notfy = 'pay.notify' },", "did you mean" },
        { "payments = { create = 'rules.create', query = 'pay.query', refund = 'pay.refund' },", "can't be in rules.lua" },
        { "payments = { create = 'pay.create', query = 'pay.query', refund = 'pay.refund', merchant = 'mch' },",
          "none of the plugin's settings" },
        { "settings = { mch = { type = 'integer', about = 'x' } }, payments = { create = 'pay.create', query = 'pay.query', refund = "
          "'pay.refund', merchant = 'mch' },",
          "not a text that is always there" },
        { "payments = { create = 'pay.create', query = 'pay.query', refund = 'pay.refund', app = 1 },", "must be a string" },
        { "settings = { n = { type = 'integer' } },", "settings.n: lacks about" },
        { "settings = { n = { about = 'x' } },", "settings.n: lacks type" },
        { "settings = { N = { type = 'integer', about = 'x' } },", "is no name; use small letters" },
        { "settings = { n = { type = 'integer', min = 3, max = 1, about = 'x' } },", "min above its max" },
        { "settings = { n = { type = 'integer', default = 0, min = 1, about = 'x' } },", "settings.n.default: must be at least 1" },
        { "settings = { n = { type = 'money', default = 5, about = 'x' } },", "write it as a string, like \"5.00\"" },
        { "settings = { n = { type = 'money', default = 5.5, about = 'x' } },", "must be money as a string" },
        { "settings = { n = { type = 'money', max = '1.00', default = '2.00', about = 'x' } },", "must be at most 1.00" },
        { "settings = { n = { type = 'percent', default = 1/3, about = 'x' } },", "settings.n.default" },
        { "settings = { n = { type = 'boolean', min = 1, about = 'x' } },", "has no meaning for the type boolean" },
        { "settings = { n = { type = 'choice', about = 'x' } },", "lacks choices" },
        { "settings = { n = { type = 'choice', choices = { 'a', 'a' }, about = 'x' } },", "is named twice" },
        { "settings = { n = { type = 'string', choices = { 'a' }, about = 'x' } },", "goes with type = \"choice\" only" },
        { "settings = { n = { type = 'list', about = 'x' } },", "lacks of" },
        { "settings = { n = { type = 'record', about = 'x' } },", "lacks fields" },
        { "settings = { n = { type = 'list', of = { type = 'list', of = { type = 'list', of = { type = 'list', of = { type = 'list', of = "
          "'string' } } } }, about = 'x' } },",
          "nested too deep" },
        { "settings = { n = { type = 'string', default = 'x', optional = true, about = 'x' } },", "remove optional" },
        { "settings = { n = { type = 'duration', default = 'soon', about = 'x' } },", "settings.n.default" },
        { "settings = { n = { type = 'secret', default = 'sk_live_1', about = 'x' } },", "must be the name of a secret" },
        { "settings = { n = { type = 'customer', about = 'x' } },", "has the type \"customer\"" },
        { "inputs = { n = { type = 'secret' } },", "has the type \"secret\"" },
        { "inputs = { n = { type = 'integer', default = 1 } },", "is for settings" },
        { "collections = { a = {} },", "lacks fields" },
        { "collections = { a = { fields = {} } },", "must have 1 to 48 fields" },
        { "collections = { a = { fields = { id = 'integer' } } },", "choose another" },
        { "collections = { a__b = { fields = { x = 'integer' } } },", "is no name of a collection" },
        { "collections = { of = { fields = { x = 'integer' } } },", "is no name of a collection" },
        { "collections = { a = { fields = { x = 'json' }, index = { 'x' } } },", "is json, which can't be searched" },
        { "collections = { a = { fields = { x = 'string?' }, key = 'x' } },", "a key is in every row" },
        { "collections = { a = { fields = { x = 'string' }, key = 'x', unique = { { 'x' } } } },", "is there already" },
        { "collections = { a = { fields = { x = 'string' }, index = { { 'x', 'x' } } } },", "is named twice" },
        { "collections = { a = { fields = { x = { type = 'string', default = 1 } } } },", "must be a string" },
        { "collections = { a = { fields = { x = { type = 'money', default = 5 } } } },", "can only be 0" },
        { "collections = { a = { fields = { x = { type = 'time', default = 5 } } } },", "make the field optional" },
        { "collections = { a = { fields = { x = { type = 'customer', max = 5 } } } },", "has a max" },
        { "events = { full = {} },", "events.full: lacks about" },
        { "events = { ['invite.full'] = { about = 'x' } },", "is no name of an event" },
        { "events = { full = { about = 'x', key = 'group' } },", "events.full.key: names no member of the payload; describe \"group\"" },
        { "events = { full = { about = 'x', key = 'g', payload = { g = { type = 'string', optional = true } } } },", "always there" },
        { "events = { full = { about = 'x', key = 'g', payload = { g = 'boolean' } } },", "may name a text or a number" },
        { "routes = { ['GET /a'] = 'events.f' },", "needs more than a function" },
        { "routes = { ['GET /a'] = { run = 'events.f' } },", "lacks auth; write auth = \"anyone\"" },
        { "routes = { ['get /a'] = { run = 'events.f', auth = 'anyone' } },", "write METHOD /path" },
        { "routes = { ['GET /../a'] = { run = 'events.f', auth = 'anyone' } },", "write METHOD /path" },
        { "routes = { ['GET /a'] = { run = 'events.f', auth = 'anyone', as = 'procedure' } },", "which changes nothing" },
        { "routes = { ['GET /{a}'] = { run = 'events.f', auth = 'anyone' }, ['GET /{b}'] = { run = 'events.f', auth = 'anyone' } },",
          "matches the same requests" },
        { "routes = { ['POST /a'] = { run = 'rules.f', auth = 'anyone' } },", "can't be in rules.lua" },
        { "routes = { ['POST /a'] = { run = 'events.f', auth = 'anyone', unless_exhausted = 'stock/TEA/main' } },",
          "no account of the plugin's own" },
        { "routes = { ['POST /a'] = { run = 'events.f', auth = 'anyone', unless_exhausted = 5 } },", "no account of the plugin's own" },
        { "routes = { ['POST /a'] = { run = 'events.f', auth = 'anyone', as = 'handler', unless_exhausted = 'invite/a' } },",
          "is for procedures" },
        { "routes = { ['POST /a/{b}'] = { run = 'events.f', auth = 'anyone', unless_exhausted = 'invite/{c}' } },",
          "a parameter that the path has not" },
        { "facts = { a = 'events.f' },", "must be a function of rules.lua" },
        { "facts = { a = 'f' },", "names no function" },
        { "facts = { a = '../rules.f' },", "names no function" },
        { "facts = { a = { run = 'rules.f', from = { collection = 'x', by = 'y' } } },", "none of the plugin's collections" },
        { "collections = { a = { fields = { x = 'string' } } }, facts = { a = { run = 'rules.f', from = { collection = 'a', by = 'x' } } "
          "},",
          "of the type customer" },
        { "on = { ['order.paid'] = 'events.f' },", "needs more than a function" },
        { "on = { ['order.paid'] = { run = 'events.f' } },", "lacks when" },
        { "on = { ['order.paid'] = { run = 'events.f', when = 'after_commit', stopped = 'refuse' } },", "nothing is left to be refused" },
        { "on = { ['order.paid'] = { run = 'events.f', when = 'in_transaction', stopped = 'never' } },", "it can be later or refuse" },
        { "on = { ['group-buy.full'] = { run = 'events.f', when = 'after_commit' } },", "goes into needs.events" },
        { "after = { 'Not A Name' },", "after[1]: is no name of a plugin" },
        { "timers = { a = { run = 'events.f', as = 'handler' } },", "timers.a.as" },
        { "pricing = { a = { run = 'rules.f', on_failure = 'ignore' } },", "it can be skip or refuse" },
        { "title = 'x\\ny',", "one line" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fixture_bad(cases[i].rest, cases[i].says);
}

static void name_version_and_api_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *source, *says;
    } cases[] = {
        { "return {}", "lacks name" },
        { "return { name = 'other' }", "is \"other\", but the folder is invite" },
        { "return { name = 'Invite' }", "is no name of a plugin" },
        { "return { name = 'a--b' }", "is no name of a plugin" },
        { "return { name = 'orders' }", "is the name of a part of the shop" },
        { "return { name = 'invite' }", "lacks version" },
        { "return { name = 'invite', version = '1.0' }", "is no version" },
        { "return { name = 'invite', version = '01.0.0' }", "is no version" },
        { "return { name = 'invite', version = '1.0.0-' }", "is no version" },
        { "return { name = 'invite', version = '1.0.0' }", "lacks api; write api = 1" },
        { "return { name = 'invite', version = '1.0.0', api = 2 }", "use a newer program" },
        { "return { name = 'invite', version = '1.0.0', api = 0 }", "must be 1" },
        { "return { name = 'invite', version = '1.0.0', api = '1' }", "must be an integer, not a string" },
        { "return { name = 'invite', version = '1.0.0', api = 1 }", "lacks title" },
        { "return { 1, 2 }", "must return a table with names" },
        { "return 7", "must return a table with names" },
        { "local x = 1", "returns nothing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest *m;
        struct err err = { 0 };
        assert_int_equal(manifest_read(slice_str(cases[i].source), FIXTURE_FILE, NULL, &m, &err), ERR_INVALID);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s\n  says: %s\n  not:  %s", cases[i].source, err.text, cases[i].says);
    }
}

static void versions_are_ordered_as_semantic_versioning_says(void **state)
{
    (void)state;
    static const char *const rising[] = { "0.9.9",         "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
                                          "1.0.0-beta.11", "1.0.0-rc.1",  "1.0.0",         "1.0.10",           "1.2.0",      "2.0.0" };
    enum { N = sizeof rising / sizeof *rising };
    struct manifest *m[N];
    for (size_t i = 0; i < N; i++) {
        char source[200];
        struct err err = { 0 };
        snprintf(source, sizeof source, "return { name = 'invite', version = '%s', api = 1, title = 'x' }", rising[i]);
        assert_int_equal(manifest_read(slice_str(source), FIXTURE_FILE, NULL, &m[i], &err), 0);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++)
            assert_int_equal(version_compare(&m[i]->version, &m[k]->version), (i > k) - (i < k));
    for (size_t i = 0; i < N; i++)
        manifest_free(m[i]);
}

/* Tests run at the root of the tree. */
static char *file_text(const char *path)
{
    char *text = calloc(1, 1 << 16);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
    fclose(f);
    return text;
}

static void what_api_1_promised_is_still_read(void **state)
{
    (void)state;
    char *text = file_text("runtime/rulebook/api1_frozen.lua"), hash[2 * SHA256_BYTES + 1] = "";
    unsigned char digest[SHA256_BYTES];
    crypto_sha256(slice_str(text), digest);
    hex_encode(digest, sizeof digest, hash);
    assert_string_equal(hash, "3fbcb8afa7af377507a58f2da95327b318162acf43c79edea6ab14983b1342d4"); /* frozen */
    struct manifest *m;
    struct err err = { 0 };
    if (manifest_read(slice_str(text), "plugins/frozen/plugin.lua", NULL, &m, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(m->need_count, 18);
    assert_int_equal(m->setting_count, 13);
    assert_int_equal(m->collections[0].field_count, 11); /* the types that there were */
    assert_int_equal(m->hook_count, 5 + 2 + 18 + 3 + 2 + 1 + 1 + 1 + 6 + 2);
    manifest_free(m);
    free(text);
}

static void every_manifest_in_the_documentation_is_read(void **state)
{
    (void)state;
    static const char fence[] = "\n```lua\n";
    char *text = file_text("runtime/rulebook/PLUGINS.md"), *p = text;
    int n = 0;
    while ((p = strstr(p, fence))) {
        struct manifest *m;
        struct err err = { 0 };
        char *end = strstr(p += sizeof fence - 1, "\n```");
        assert_non_null(end);
        if (manifest_read(slice_of(p, (size_t)(end - p)), "plugin.lua", NULL, &m, &err) < 0)
            fail_msg("block %d: %s", n + 1, err.text);
        manifest_free(m);
        n++;
    }
    assert_int_equal(n, 7);
    free(text);
}

static void a_mistake_is_shown_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int line;
    } cases[] = {
        { "settings = {\n n = { type = 'integer',\n   about = 'x',\n   min = 'a' } },", 5 },
        { "-- settings = { n = 1 }\n--[[ settings\n ]] settings = { s = [[\n]],\n ['n'] = 1 },", 6 },
        { "needs = { http = { 'a.example.com',\n 'b.example.com';\n 'C' } },", 4 },
        { "settings = {},\n\n ['routes'] = {\n\n ['GET /a'] = { run = 'events.f' } },", 6 },
        { "facts = { a = 'rules.a', b = {\n run = 'x' .. '.y' .. ({ 'z' })[1] } },", 3 },
        { "pricing = some_table,\n zzz = 1,", 3 },
        { "settings = { t = { type = 'string', default = '}{ \\' zzz = ', about = 'x' },\n\n zzz = 1 },", 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest *m;
        struct err err = { 0 };
        char source[400], says[60];
        snprintf(source, sizeof source,
                 "local function f() return { settings = 1 } end return { name = 'invite', version = '1.0.0', api = 1, title = 'x',\n%s }",
                 cases[i].body);
        /* A function can be written as long as it is not in the data. */
        assert_int_equal(manifest_read(slice_str(source), FIXTURE_FILE, NULL, &m, &err), ERR_INVALID);
        snprintf(says, sizeof says, "plugins/invite/plugin.lua:%d: ", cases[i].line);
        if (strncmp(err.text, says, strlen(says)) != 0)
            fail_msg("%s\n  says: %s\n  not:  %s", cases[i].body, err.text, says);
    }
    struct manifest *m;
    struct err err = { 0 };
    assert_int_equal(manifest_read(SLICE_LIT("local t = {\n zzz = 1 }\nreturn t"), FIXTURE_FILE, NULL, &m, &err), ERR_INVALID);
    assert_true(strncmp(err.text, "plugins/invite/plugin.lua:3: zzz", 32) == 0); /* not written out there: the return */
    assert_int_equal(manifest_read(SLICE_LIT("return { name = 'invite',\n title = function() end }"), FIXTURE_FILE, NULL, &m, &err),
                     ERR_INVALID);
    assert_true(strncmp(err.text, "plugins/invite/plugin.lua:2: title: is a function", 48) == 0);
}

/* --- hostile files ------------------------------------------------------------------------------------------------------- */

static void hostile_manifests_are_stopped(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        int code;
        const char *says;
    } cases[] = {
        { "while true do end", ERR_FUEL, "plugin.lua" },
        { "local t = {} for i = 1, 1e9 do t[i] = i end return t", ERR_FUEL, "" },
        { "local s = 'x' for i = 1, 60 do s = s .. s end return { name = s }", 0, "" },
        { "local t = { 1 } for i = 1, 60 do t = { t, t } end return t", 0, "" },
        { "local t = {} t.t = t return t", ERR_SCRIPT, "contains itself" },
        { "local t = {} local x = t for i = 1, 200 do x.x = {} x = x.x end return t", ERR_SCRIPT, "nested too deep" },
        { "return { name = 'invite', title = function() end }", ERR_INVALID, "title: is a function, but this file is data only" },
        { "return function() end", ERR_INVALID, "is a function" },
        { "return setmetatable({}, {})", ERR_SCRIPT, "data only" },
        { "return require 'feira.money'", ERR_SCRIPT, "data only" },
        { "return { name = ('x'):rep(1e9) }", ERR_SCRIPT, "data only" },
        { "return { name = string.rep('x', 9) }", ERR_SCRIPT, "data only" },
        { "os.exit(1)", ERR_SCRIPT, "data only" },
        { "local function f() return f() end return f()", 0, "" },
        { "return { name = 'invite', [1] = 2 }", ERR_SCRIPT, "not both" },
        { "return { name = 'invite', [1.5] = 2 }", ERR_SCRIPT, "" },
        { "return { name = 'invite', version = 0/0 }", ERR_SCRIPT, "not finite" },
        { "return { name = 'invite', version = ", ERR_SCRIPT, "plugin.lua:1" },
        { "\x1bLua", ERR_SCRIPT, "" },
        { "goto = 1", ERR_SCRIPT, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest *m;
        struct err err = { 0 };
        int rc = manifest_read(slice_str(cases[i].source), FIXTURE_FILE, NULL, &m, &err);
        if (rc == 0 || (cases[i].code && rc != cases[i].code) || !strstr(err.text, cases[i].says))
            fail_msg("%s: %d %s", cases[i].source, rc, err.text);
        assert_true(err.text[0]);
    }
}

/* Bytes changed, taken out, put in: it is read, or refused with a sentence; nothing else. */
static void a_damaged_manifest_is_read_or_refused(void **state)
{
    (void)state;
    static const char *const pieces[] = { "{",    "}",   "\"",  "'", "[[",  "]]", "--[[", "\\", "return ", "function() end",
                                          "= {}", "nil", "0/0", ",", "\xff" };
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 3000; i++) {
        char text[sizeof example + 64];
        size_t len = sizeof example - 1;
        memcpy(text, example, len);
        for (int k = 0; k < 3; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            size_t at = x % len, n = (x >> 20) % 4;
            const char *piece = pieces[(x >> 30) % (sizeof pieces / sizeof *pieces)];
            n = n < len - at ? n : len - at;
            memmove(text + at + strlen(piece), text + at + n, len - at - n);
            memcpy(text + at, piece, strlen(piece));
            len = len - n + strlen(piece);
        }
        struct manifest *m;
        struct err err = { 0 };
        int rc = manifest_read(slice_of(text, len), FIXTURE_FILE, NULL, &m, &err);
        assert_int_equal(rc, rc == 0 ? 0 : err.code);
        assert_true(rc == 0 ? m != NULL : m == NULL && err.text[0]);
        manifest_free(m);
    }
}

static void a_manifest_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct manifest *m;
    struct err err = { 0 };
    char *source = malloc(MANIFEST_SOURCE_MAX + 1);
    memset(source, ' ', MANIFEST_SOURCE_MAX + 1);
    assert_int_equal(manifest_read(slice_of(source, MANIFEST_SOURCE_MAX + 1), FIXTURE_FILE, NULL, &m, &err), ERR_TOO_LARGE);
    free(source);
}

static void any_allocation_may_be_refused(void **state)
{
    (void)state;
    bool done = false;
    for (size_t k = 1; !done; k++) {
        struct alloc_fault fault;
        alloc_fault_init(&fault, k, k % 2);
        struct manifest *m = NULL;
        struct err err = { 0 };
        int rc = manifest_read(slice_str(example), FIXTURE_FILE, &fault.face, &m, &err);
        done = rc == 0 && m;
        if (rc < 0)
            assert_true(rc == ERR_NOMEM || rc == ERR_MEMORY_CAP);
        manifest_free(m);
        assert_int_equal(fault.live_bytes, 0);
        assert_true(k < 100000);
    }
}

/* --- settings ------------------------------------------------------------------------------------------------------------ */

static const char settings_source[] =
    "settings = {"
    "  n = { type = 'integer', min = 1, max = 9, default = 3, about = 'x' },"
    "  price = { type = 'money', min = '0.01', default = '2.50', about = 'x' },"
    "  rate = { type = 'percent', max = 50, default = 12.5, about = 'x' },"
    "  mode = { type = 'choice', choices = { 'one', 'two' }, default = 'one', about = 'x' },"
    "  wait = { type = 'duration', max = '7d', default = '24h', about = 'x' },"
    "  from = { type = 'time', optional = true, about = 'x' },"
    "  open = { type = 'boolean', default = false, about = 'x' },"
    "  key = { type = 'secret', about = 'x' },"
    "  levels = { type = 'list', of = { type = 'record', fields = { name = { type = 'string', max = 5, about = 'x' },"
    "             off = { type = 'percent', default = 0, about = 'x' }, pin = { type = 'secret', optional = true, about = 'x' } } }, max = "
    "3, default = {}, about = 'x' },"
    "  reward = { type = 'campaign', optional = true, about = 'x' }, gift = { type = 'sku', optional = true, about = 'x' } },";

struct shop {
    struct manifest *m;
    struct arena arena;
    struct zone *zone;
    struct err err;
    struct buf out;
};

static bool only_welcome(void *ctx, struct slice id, const char **near)
{
    static const char *const there[] = { "welcome", NULL };
    (void)ctx;
    *near = nearest_word(id, there);
    return slice_is(id, "welcome");
}

static int settle_with(struct shop *s, const char *json, int exponent)
{
    struct json_value *given = NULL;
    char *text = arena_strdup(&s->arena, slice_str(json));
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_int_equal(json_parse(slice_str(text), NULL, &s->arena, &given, NULL), 0);
    struct settle how = { .reader = { .arena = &s->arena, .file = "shop.lua", .err = &s->err },
                          .exponent = exponent,
                          .zone = s->zone,
                          .has_campaign = only_welcome };
    buf_clear(&s->out);
    return manifest_settings(s->m, &how, given, &s->out);
}

static int shop_setup(void **state)
{
    struct shop *s = calloc(1, sizeof *s);
    s->m = fixture_good("invite", settings_source);
    arena_init(&s->arena, NULL, 0);
    buf_init(&s->out, NULL);
    assert_int_equal(zone_load(SLICE_LIT("Asia/Shanghai"), &s->zone, &s->err), 0);
    *state = s;
    return 0;
}

static int shop_teardown(void **state)
{
    struct shop *s = *state;
    manifest_free(s->m);
    arena_release(&s->arena);
    buf_release(&s->out);
    zone_free(s->zone);
    free(s);
    return 0;
}

static void settings_become_canonical_with_their_defaults(void **state)
{
    struct shop *s = *state;
    assert_int_equal(settle_with(s, "{'key':'PAY_KEY'}", 2), 0);
    assert_string_equal(
        arena_strdup(&s->arena, buf_slice(&s->out)),
        "{\"key\":\"PAY_KEY\",\"levels\":[],\"mode\":\"one\",\"n\":3,\"open\":false,\"price\":250,\"rate\":125000,\"wait\":86400000}");
    assert_int_equal(settle_with(s,
                                 "{'wait':'90s','key':'K','levels':[{'name':'gold','off':'7.5'},{'pin':'P','name':'\u94f6'}],'rate':'0.5',"
                                 "'from':'2026-11-20 00:00','reward':'welcome','gift':'A 1','open':true,'n':9,'price':'0.01','mode':'two'}",
                                 2),
                     0);
    assert_string_equal(arena_strdup(&s->arena, buf_slice(&s->out)),
                        "{\"from\":1795104000000,\"gift\":\"A "
                        "1\",\"key\":\"K\",\"levels\":[{\"name\":\"gold\",\"off\":75000},{\"name\":\"\u94f6\",\"off\":0,\"pin\":"
                        "\"P\"}],\"mode\":\"two\",\"n\":9,\"open\":true,\"price\":1,\"rate\":5000,\"reward\":\"welcome\",\"wait\":90000}");
}

static void the_same_settings_in_another_spelling_give_the_same_bytes(void **state)
{
    struct shop *s = *state;
    assert_int_equal(settle_with(s, "{'key':'K','price':'2.5','rate':'12.50','wait':'1440m'}", 2), 0);
    char *first = arena_strdup(&s->arena, buf_slice(&s->out));
    assert_int_equal(settle_with(s, "{'wait':'1d','rate':12.5,'key':'K'}", 2), 0);
    assert_string_equal(first, arena_strdup(&s->arena, buf_slice(&s->out)));
}

static void wrong_settings_are_refused_where_they_are(void **state)
{
    struct shop *s = *state;
    static const struct {
        const char *given, *says;
    } cases[] = {
        { "{}", "shop.lua: plugins.invite.key: is not set; write key = ... (secret: x)" },
        { "{'key':'K','m':1}", "plugins.invite.m: is not known here" },
        { "{'key':'K','mod':'one'}", "(did you mean \"mode\"?)" },
        { "{'key':'K','n':0}", "must be at least 1" },
        { "{'key':'K','n':10}", "must be at most 9" },
        { "{'key':'K','n':'3'}", "must be an integer, not a string" },
        { "{'key':'K','n':3.0}", "must be an integer" },
        { "{'key':'K','price':5}", "like \"5.00\"" },
        { "{'key':'K','price':5.5}", "must be money as a string" },
        { "{'key':'K','price':'0.00'}", "must be at least 0.01" },
        { "{'key':'K','price':'0.001'}", "plugins.invite.price" },
        { "{'key':'K','rate':50.5}", "must be at most 50" },
        { "{'key':'K','rate':-1}", "plugins.invite.rate" },
        { "{'key':'K','mode':'tow'}", "it can be one or two (did you mean \"two\"?)" },
        { "{'key':'K','wait':'8d'}", "must be at most 7d" },
        { "{'key':'K','wait':60}", "like \"24h\"" },
        { "{'key':'K','from':'2026-02-30'}", "plugins.invite.from" },
        { "{'key':'K','open':'yes'}", "must be true or false, not a string" },
        { "{'key':'sk_live_abc'}", "must be the name of a secret" },
        { "{'key':'K','levels':{'a':1}}", "must be a list without names" },
        { "{'key':'K','levels':[{},{},{},{}]}", "at most 3" },
        { "{'key':'K','levels':[{'name':'gold'},{'name':'platinum'}]}",
          "plugins.invite.levels[2].name: has 8 characters; it must have 0 to 5" },
        { "{'key':'K','levels':['gold']}", "plugins.invite.levels[1]: must be a table" },
        { "{'key':'K','reward':'gone'}", "names the campaign \"gone\", which is not there" },
        { "{'key':'K','gift':' A'}", "without spaces at its ends" },
        { "[1]", "plugins.invite: is a list" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s->err = (struct err){ 0 };
        assert_int_equal(settle_with(s, cases[i].given, 2), ERR_INVALID);
        if (!strstr(s->err.text, cases[i].says))
            fail_msg("%s\n  says: %s\n  not:  %s", cases[i].given, s->err.text, cases[i].says);
    }
    /* What was pasted by mistake is not repeated in a message that goes to logs. */
    assert_int_equal(settle_with(s, "{'key':'hush-hush'}", 2), ERR_INVALID);
    assert_null(strstr(s->err.text, "hush"));
}

static void money_is_of_the_shop_s_currency(void **state)
{
    struct shop *s = *state;
    assert_int_equal(settle_with(s, "{'key':'K'}", 3), 0);
    assert_non_null(strstr(arena_strdup(&s->arena, buf_slice(&s->out)), "\"price\":2500,"));
    assert_int_equal(settle_with(s, "{'key':'K'}", 0), ERR_INVALID); /* 2.50 yen */
    assert_non_null(strstr(s->err.text, "plugins.invite.price"));
    assert_int_equal(settle_with(s, "{'key':'K','price':'3'}", 0), ERR_INVALID); /* the bound 0.01 has no meaning there */
    assert_non_null(strstr(s->err.text, "currency can't express"));
}

struct secrets {
    char text[200];
};

static void note_secret(void *ctx, struct slice setting, struct slice name)
{
    struct secrets *all = ctx;
    size_t n = strlen(all->text);
    snprintf(all->text + n, sizeof all->text - n, "%.*s=%.*s ", SLICE_FMT(setting), SLICE_FMT(name));
}

static void secrets_are_found_by_their_place(void **state)
{
    struct shop *s = *state;
    struct json_value *v;
    struct secrets all = { "" };
    assert_int_equal(settle_with(s, "{'key':'A','levels':[{'name':'x'},{'name':'B','pin':'C'}]}", 2), 0);
    assert_int_equal(json_parse(arena_copy(&s->arena, buf_slice(&s->out)), NULL, &s->arena, &v, NULL), 0);
    values_secrets(s->m->settings, s->m->setting_count, v, &s->arena, note_secret, &all);
    assert_string_equal(all.text, "key=A levels/2/pin=C ");
}

static void a_plugin_without_settings_takes_none(void **state)
{
    (void)state;
    struct shop s = { .m = fixture_good("invite", "") };
    arena_init(&s.arena, NULL, 0);
    buf_init(&s.out, NULL);
    assert_int_equal(settle_with(&s, "{}", 2), 0);
    assert_true(slice_is(buf_slice(&s.out), "{}"));
    assert_int_equal(settle_with(&s, "{'a':1}", 2), ERR_INVALID);
    assert_non_null(strstr(s.err.text, "leave it empty"));
    arena_release(&s.arena);
    buf_release(&s.out);
    manifest_free(s.m);
}

int main(void)
{
#define SHOP(name) cmocka_unit_test_setup_teardown(name, shop_setup, shop_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_design_is_read_whole),
        cmocka_unit_test(everything_a_manifest_can_say_is_kept),
        cmocka_unit_test(what_is_not_known_is_refused_with_the_nearest_word),
        cmocka_unit_test(each_mistake_says_what_to_write),
        cmocka_unit_test(name_version_and_api_are_checked),
        cmocka_unit_test(versions_are_ordered_as_semantic_versioning_says),
        cmocka_unit_test(what_api_1_promised_is_still_read),
        cmocka_unit_test(every_manifest_in_the_documentation_is_read),
        cmocka_unit_test(a_mistake_is_shown_with_its_line),
        cmocka_unit_test(hostile_manifests_are_stopped),
        cmocka_unit_test(a_damaged_manifest_is_read_or_refused),
        cmocka_unit_test(a_manifest_that_is_too_long_is_refused),
        cmocka_unit_test(any_allocation_may_be_refused),
        SHOP(settings_become_canonical_with_their_defaults),
        SHOP(the_same_settings_in_another_spelling_give_the_same_bytes),
        SHOP(wrong_settings_are_refused_where_they_are),
        SHOP(money_is_of_the_shop_s_currency),
        SHOP(secrets_are_found_by_their_place),
        cmocka_unit_test(a_plugin_without_settings_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
