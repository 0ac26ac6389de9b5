/* Secrets as handles, and what is done with them. */
#include "bind/fixture.h"
#include "bind/secrets.h"
#include "crypto/keys_fixture.h"

static const struct bind_secret hush = { "HUSH", { "Jefe", 4 }, true },
                                key256 = { "KEY", { "0123456789abcdef0123456789ABCDEF", 32 }, true },
                                webhook = { "WEBHOOK", { "whsec_SmVmZQ==", 14 }, true }, unknown = { "NOWHERE", { "", 0 }, false },
                                pem = { "PEM", { private_pem, sizeof private_pem - 1 }, true };

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    f->ctx.random = &f->random.face;
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* The text is a function of the settings; what it gives comes back. */
static int run(struct fixture *f, enum bind_phase phase, const char *text, const struct json_value **out)
{
    static const struct bind_secret_at at[] = {
        { "hush", &hush }, { "deep/2/key", &key256 }, { "webhook", &webhook }, { "unknown", &unknown }, { "pem", &pem }
    };
    struct json_value *settings =
        fixture_json(&f->arena, "{'hush':'HUSH','deep':[{'key':'A'},{'key':'KEY'}],'webhook':'W','unknown':'N','pem':'P','plain':'text'}");
    vm_ref value = 0, fn = 0;
    struct json_value *result = NULL;
    struct slice whole =
        arena_printf(&f->arena, "local c = require 'feira.crypto' return function(s) local key256 = s.deep[2].key %s end", text);
    err_clear(&f->err);
    int rc = bind_settings(f->vm, settings, at, sizeof at / sizeof *at, &value, &f->err);
    if (rc == 0)
        rc = vm_run(f->vm, whole, "stdlib/test.lua", &fn, &f->err);
    f->ctx.phase = phase;
    if (rc == 0) {
        vm_push_ref(f->vm, value);
        rc = vm_call(f->vm, fn, 1, &f->arena, &result, &f->err);
    }
    f->ctx.phase = BIND_PHASE_LOAD;
    vm_release(f->vm, value);
    vm_release(f->vm, fn);
    if (out)
        *out = result;
    return rc;
}

static void holds(struct fixture *f, const char *text)
{
    if (run(f, BIND_PHASE_HANDLER, text, NULL) < 0)
        fail_msg("%s", f->err.text);
}

static void fails(struct fixture *f, enum bind_phase phase, const char *text, const char *because)
{
    assert_true(run(f, phase, text, NULL) < 0);
    if (!strstr(f->err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, because);
    /* The bytes of a secret are in no message, whatever is wrong. */
    assert_null(strstr(f->err.text, "Jefe"));
    assert_null(strstr(f->err.text, "0123456789abcdef"));
}

static void a_secret_shows_its_name_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    holds(f, "assert(tostring(s.hush) == 'secret HUSH' and tostring(key256) == 'secret KEY' and s.plain == 'text')");
    holds(f, "assert(type(s.hush) == 'userdata' and (getmetatable(s.hush)) == nil)");
    holds(f, "assert(('%s'):format(s.hush) == 'secret HUSH')");
    holds(f, "assert(tostring(c.decode_secret(s.webhook, 'base64', 'whsec_')) == 'secret WEBHOOK')");
    static const char *const attempts[] = { "return s.hush.value", "return #s.hush",   "return s.hush .. ''", "s.hush.name = 1",
                                            "return -s.hush",      "return s.hush[1]", "return s.hush()",     "return s.hush < s.pem" };
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct json_value *out = NULL;
        int rc = run(f, BIND_PHASE_HANDLER, attempts[i], &out);
        assert_true(rc < 0 || !out || out->type == JSON_NULL);
    }
    fails(f, BIND_PHASE_HANDLER, "return require('feira.json').encode { key = s.hush }", "userdata");
    fails(f, BIND_PHASE_HANDLER, "error(s.hush)", "");
}

/* RFC 4231, case 2: the key is "Jefe". */
static void macs_are_made_with_secrets_and_compared(void **state)
{
    struct fixture *f = *state;
    holds(f, "local mac = c.unhex '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'\n"
             "local text = 'what do ya want for nothing?'\n"
             "assert(c.hmac(s.hush, text) == mac and c.hmac('Jefe', text) == mac)\n"
             "assert(c.hmac(c.decode_secret(s.webhook, 'base64', 'whsec_'), text) == mac)\n"
             "assert(c.hmac_verify(s.hush, text, mac) and not c.hmac_verify(s.hush, text .. ' ', mac))\n"
             "assert(not c.hmac_verify(s.hush, text, mac:sub(1, 31)) and not c.hmac_verify(key256, text, mac))\n"
             "assert(c.equal('abc', 'abc') and not c.equal('abc', 'abd') and not c.equal('abc', 'ab') and c.equal('', ''))");
    fails(f, BIND_PHASE_RULE, "return c.hmac(s.hush, 'x')", "inside a rule");
    fails(f, BIND_PHASE_HANDLER, "return c.hmac(s.unknown, 'x')", "is not known here");
    fails(f, BIND_PHASE_HANDLER, "return c.hmac(5, 'x')", "the key");
    fails(f, BIND_PHASE_HANDLER, "return c.decode_secret(s.hush, 'hex')", "the secret HUSH is not hex");
    fails(f, BIND_PHASE_HANDLER, "return c.decode_secret(s.hush, 'rot13')", "base64");
}

static void bytes_are_written_down_and_read_back(void **state)
{
    struct fixture *f = *state;
    holds(f, "assert(c.hex(c.sha256 'abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')\n"
             "assert(c.base64 'foob' == 'Zm9vYg==' and c.unbase64 'Zm9vYg==' == 'foob' and c.unbase64 'Zm9vYg' == nil)\n"
             "assert(c.base64url '\\251\\255' == '-_8' and c.unbase64url '-_8' == '\\251\\255' and c.unbase64url '+/8=' == nil)\n"
             "assert(c.unhex '00Ff' == '\\0\\255' and c.unhex '0' == nil and c.unhex 'xx' == nil and c.hex '' == '' and c.unhex '' == '')\n"
             "local long = ('x'):rep(100000) assert(c.unbase64(c.base64(long)) == long and c.unhex(c.hex(long)) == long)\n"
             "assert(#c.random(16) == 16 and c.random(16) ~= c.random(16))");
    fails(f, BIND_PHASE_RULE, "return c.random(16)", "inside a rule");
    fails(f, BIND_PHASE_HANDLER, "return c.random(5000)", "1024");
}

static void rsa_signs_with_a_secret_and_verifies_with_a_public_key(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    snprintf(text, sizeof text,
             "local key = c.public_key [[%s]]\nlocal m = 'POST\\n/v3/pay\\n1795315441\\nnonce\\n{\"a\":1}\\n'\n"
             "local sig = c.unhex '%s'\n"
             "assert(c.rsa_verify(key, m, sig) and not c.rsa_verify(key, m .. ' ', sig) and not c.rsa_verify(key, m, sig:sub(2)))\n"
             "assert(c.rsa_sign(s.pem, m) == sig and key:serial() == '7132D72A03E93CDDF8C03BBD1F37EEDF62B1B2B9')",
             certificate_pem, signature_hex);
    holds(f, text);
    fails(f, BIND_PHASE_HANDLER, "return c.public_key 'no key'", "not a public key");
    fails(f, BIND_PHASE_HANDLER, "return c.rsa_sign(s.hush, 'x')", "secret HUSH: this is not a private key");
    fails(f, BIND_PHASE_RULE, "return c.rsa_sign(s.pem, 'x')", "inside a rule");
    fails(f, BIND_PHASE_HANDLER, "return c.rsa_verify(s.pem, 'x', 'y')", "feira.public_key expected");
}

static void aes_opens_what_it_sealed_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    holds(f, "local sealed = c.aes_gcm_seal(key256, '123456789012', 'hello', 'beside')\n"
             "assert(#sealed == 5 + 16 and c.aes_gcm_open(key256, '123456789012', sealed, 'beside') == 'hello')\n"
             "assert(c.aes_gcm_open(key256, '123456789012', sealed) == nil and c.aes_gcm_open(key256, '123456789013', sealed, 'beside') == "
             "nil)\n"
             "assert(c.aes_gcm_open(key256, '123456789012', sealed:sub(1, 15), 'beside') == nil)\n"
             "assert(c.aes_gcm_open(key256, '123456789012', '', 'beside') == nil)");
    fails(f, BIND_PHASE_HANDLER, "return c.aes_gcm_open(s.hush, '123456789012', 'x')", "secret HUSH has 4 bytes");
    fails(f, BIND_PHASE_HANDLER, "return c.aes_gcm_seal(key256, '1', 'x')", "12 bytes");
    fails(f, BIND_PHASE_HANDLER, "return c.aes_gcm_open('0123456789abcdef0123456789ABCDE!', '123456789012', 'x')", "must be a secret");
}

/* Many handles are made and dropped: what is theirs outside of the Lua heap goes with them (the leak sanitizer looks). */
static void keys_go_with_their_handles(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    snprintf(text, sizeof text,
             "for i = 1, 100 do c.public_key [[%s]] c.decode_secret(s.webhook, 'base64', 'whsec_') pcall(c.public_key, 'x') "
             "pcall(c.decode_secret, s.hush, 'hex') end",
             public_pem);
    holds(f, text);
}

/* Hashing and keys cost fuel by their work: nobody holds a worker with them. */
static void work_is_charged(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    vm_set_fuel(f->vm, 2000000);
    snprintf(text, sizeof text, "local key = c.public_key [[%s]] while true do c.rsa_verify(key, 'x', 'y') end", public_pem);
    assert_int_equal(run(f, BIND_PHASE_HANDLER, text, NULL), ERR_FUEL);
    assert_int_equal(run(f, BIND_PHASE_HANDLER, "local t = ('x'):rep(1000000) while true do c.sha256(t) end", NULL), ERR_FUEL);
    assert_int_equal(run(f, BIND_PHASE_HANDLER, "while true do c.rsa_sign(s.pem, 'x') end", NULL), ERR_FUEL);
    vm_set_fuel(f->vm, 10000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_shows_its_name_and_nothing_else),
        cmocka_unit_test(macs_are_made_with_secrets_and_compared),
        cmocka_unit_test(bytes_are_written_down_and_read_back),
        cmocka_unit_test(rsa_signs_with_a_secret_and_verifies_with_a_public_key),
        cmocka_unit_test(aes_opens_what_it_sealed_and_nothing_else),
        cmocka_unit_test(keys_go_with_their_handles),
        cmocka_unit_test(work_is_charged),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
