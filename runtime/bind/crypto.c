/* feira.crypto: hashes, MACs, signatures and ciphers. Keys are handles: a secret of the settings, or a public key made from PEM text. What
 * uses a secret needs a handler or a procedure; the rest is arithmetic and works everywhere. */
#include "base/random.h"
#include "bind/keys.h"
#include <stdlib.h>
#include <string.h>

#define PUBLIC_KEY_CLASS "feira.public_key"

/* In fuel, some four nanoseconds each. */
enum { HASH_BYTES_PER_UNIT = 2, HMAC_UNITS = 300, KEY_UNITS = 10000, VERIFY_UNITS = 10000, SIGN_UNITS = 250000, RANDOM_MAX = 1024 };

static void charge_bytes(lua_State *L, size_t n)
{
    vm_charge(L, 20 + (int64_t)(n / HASH_BYTES_PER_UNIT));
}

/* --- text of bytes -------------------------------------------------------------------------------------------------------- */

struct form {
    size_t (*len)(size_t n);
    void (*encode)(const void *data, size_t len, char *out);
    long (*decode)(struct slice text, unsigned char *out);
};

static size_t hex_len(size_t n)
{
    return 2 * n;
}

static int encode(lua_State *L, const struct form *f)
{
    struct slice s = bind_check_slice(L, 1, "the bytes");
    charge_bytes(L, s.len);
    luaL_Buffer b;
    size_t n = f->len(s.len);
    f->encode(s.data, s.len, luaL_buffinitsize(L, &b, n + 1));
    luaL_pushresultsize(&b, n);
    return 1;
}

static int decode(lua_State *L, const struct form *f)
{
    struct slice s = bind_check_slice(L, 1, "the text");
    charge_bytes(L, s.len);
    luaL_Buffer b;
    long n = f->decode(s, (unsigned char *)luaL_buffinitsize(L, &b, s.len + 1));
    luaL_pushresultsize(&b, n < 0 ? 0 : (size_t)n);
    if (n < 0)
        lua_pushnil(L);
    return 1;
}

static const struct form hex = { hex_len, hex_encode, hex_decode };
static const struct form base64 = { base64_len, base64_encode, base64_decode };
static const struct form base64url = { base64url_len, base64url_encode, base64url_decode };

static int l_hex(lua_State *L)
{
    return encode(L, &hex);
}

static int l_unhex(lua_State *L)
{
    return decode(L, &hex);
}

static int l_base64(lua_State *L)
{
    return encode(L, &base64);
}

static int l_unbase64(lua_State *L)
{
    return decode(L, &base64);
}

static int l_base64url(lua_State *L)
{
    return encode(L, &base64url);
}

static int l_unbase64url(lua_State *L)
{
    return decode(L, &base64url);
}

/* --- hashes --------------------------------------------------------------------------------------------------------------- */

static int l_sha256(lua_State *L) /* (bytes) -> 32 bytes */
{
    struct slice s = bind_check_slice(L, 1, "the bytes");
    unsigned char out[SHA256_BYTES];
    charge_bytes(L, s.len);
    crypto_sha256(s, out);
    lua_pushlstring(L, (char *)out, sizeof out);
    return 1;
}

static void hmac(lua_State *L, unsigned char out[SHA256_BYTES]) /* (key, bytes) */
{
    bool secret = bind_is_secret(L, 1);
    if (secret)
        bind_require(L, BIND_STORE, "a secret");
    struct slice key = secret ? bind_check_secret(L, 1, "the key") : bind_check_slice(L, 1, "the key, if it is no secret,");
    struct slice s = bind_check_slice(L, 2, "the bytes");
    charge_bytes(L, s.len);
    vm_charge(L, HMAC_UNITS);
    struct hmac_key *k = hmac_key_new(key);
    if (!k)
        luaL_error(L, "out of memory for a key");
    hmac_sha256(k, s, out);
    hmac_key_free(k);
}

static int l_hmac(lua_State *L) /* (key, bytes) -> 32 bytes */
{
    unsigned char out[SHA256_BYTES];
    hmac(L, out);
    lua_pushlstring(L, (char *)out, sizeof out);
    return 1;
}

static int l_hmac_verify(lua_State *L) /* (key, bytes, mac) -> boolean */
{
    unsigned char out[SHA256_BYTES];
    struct slice mac = bind_check_slice(L, 3, "the code to compare with");
    hmac(L, out);
    lua_pushboolean(L, mac.len == sizeof out && crypto_equal(out, mac.data, sizeof out));
    return 1;
}

static int l_equal(lua_State *L) /* (a, b) -> boolean; the time depends on the length alone */
{
    struct slice a = bind_check_slice(L, 1, "the first text"), b = bind_check_slice(L, 2, "the second text");
    charge_bytes(L, a.len);
    lua_pushboolean(L, a.len == b.len && crypto_equal(a.data, b.data, a.len));
    return 1;
}

/* --- RSA ------------------------------------------------------------------------------------------------------------------ */

static int l_public_key(lua_State *L) /* (pem) -> key; raises when it is none */
{
    struct slice pem = bind_check_slice(L, 1, "the key");
    struct err err = { 0 };
    vm_charge(L, KEY_UNITS);
    struct rsa_key **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    vm_note_finalizer(L);
    luaL_setmetatable(L, PUBLIC_KEY_CLASS); /* from here on the collector frees what is in the box */
    return rsa_public_key(pem, box, &err) < 0 ? bind_raise(L, &err) : 1;
}

static int l_key_gc(lua_State *L)
{
    struct rsa_key **box = luaL_checkudata(L, 1, PUBLIC_KEY_CLASS);
    rsa_key_free(*box);
    *box = NULL;
    return 0;
}

static int l_key_serial(lua_State *L) /* (key) -> of a certificate; else nil */
{
    struct rsa_key **box = luaL_checkudata(L, 1, PUBLIC_KEY_CLASS);
    const char *serial = rsa_key_serial(*box);
    if (serial[0])
        lua_pushstring(L, serial);
    else
        lua_pushnil(L);
    return 1;
}

static int l_rsa_verify(lua_State *L) /* (key, bytes, signature) -> boolean */
{
    struct rsa_key **box = luaL_checkudata(L, 1, PUBLIC_KEY_CLASS);
    struct slice s = bind_check_slice(L, 2, "the bytes"), signature = bind_check_slice(L, 3, "the signature");
    charge_bytes(L, s.len);
    vm_charge(L, VERIFY_UNITS);
    lua_pushboolean(L, rsa_sha256_verify(*box, s, signature));
    return 1;
}

static int l_rsa_sign(lua_State *L) /* (secret, bytes) -> signature */
{
    bind_require(L, BIND_STORE, "crypto.rsa_sign()");
    struct slice pem = bind_check_secret(L, 1, "the key"), s = bind_check_slice(L, 2, "the bytes");
    unsigned char out[RSA_SIGNATURE_MAX];
    size_t len = 0;
    struct err err = { 0 };
    struct rsa_key *k;
    charge_bytes(L, s.len);
    vm_charge(L, SIGN_UNITS);
    int rc = rsa_private_key(pem, &k, &err);
    if (rc == 0)
        rc = rsa_sha256_sign(k, s, out, &len, &err);
    rsa_key_free(k);
    if (rc < 0) {
        err_wrap(&err, "%s", luaL_tolstring(L, 1, NULL)); /* "secret NAME: this is not ..." */
        return bind_raise(L, &err);
    }
    lua_pushlstring(L, (char *)out, len);
    return 1;
}

/* --- AES ------------------------------------------------------------------------------------------------------------------ */

static const unsigned char *check_aes_key(lua_State *L)
{
    bind_require(L, BIND_STORE, "a secret");
    struct slice key = bind_check_secret(L, 1, "the key");
    if (key.len != AES_KEY_BYTES)
        luaL_error(L, "%s has %d bytes; a key of AES-256 has %d", luaL_tolstring(L, 1, NULL), (int)key.len, AES_KEY_BYTES);
    return (const unsigned char *)key.data;
}

static const unsigned char *check_nonce(lua_State *L)
{
    struct slice nonce = bind_check_slice(L, 2, "the nonce");
    if (nonce.len != GCM_NONCE_BYTES)
        luaL_error(L, "the nonce has %d bytes, not %d", GCM_NONCE_BYTES, (int)nonce.len);
    return (const unsigned char *)nonce.data;
}

static struct slice associated(lua_State *L)
{
    return lua_isnoneornil(L, 4) ? (struct slice){ "", 0 } : bind_check_slice(L, 4, "the text beside it");
}

static int l_aes_gcm_open(lua_State *L) /* (secret, nonce, sealed, associated?) -> bytes, or nil */
{
    const unsigned char *key = check_aes_key(L), *nonce = check_nonce(L);
    struct slice sealed = bind_check_slice(L, 3, "what is sealed"), beside = associated(L);
    struct err err = { 0 };
    luaL_Buffer b;
    charge_bytes(L, sealed.len);
    unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &b, sealed.len + 1);
    int rc = aes_gcm_open(key, nonce, beside, sealed, out, &err);
    luaL_pushresultsize(&b, rc < 0 ? 0 : sealed.len - GCM_TAG_BYTES);
    if (rc == ERR_DENIED)
        lua_pushnil(L);
    return rc < 0 && rc != ERR_DENIED ? bind_raise(L, &err) : 1;
}

static int l_aes_gcm_seal(lua_State *L) /* (secret, nonce, bytes, associated?) -> sealed */
{
    const unsigned char *key = check_aes_key(L), *nonce = check_nonce(L);
    struct slice data = bind_check_slice(L, 3, "the bytes"), beside = associated(L);
    struct err err = { 0 };
    luaL_Buffer b;
    charge_bytes(L, data.len);
    unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &b, data.len + GCM_TAG_BYTES);
    int rc = aes_gcm_seal(key, nonce, beside, data, out, &err);
    luaL_pushresultsize(&b, rc < 0 ? 0 : data.len + GCM_TAG_BYTES);
    return rc < 0 ? bind_raise(L, &err) : 1;
}

static int l_random(lua_State *L) /* (n) -> bytes that nobody can guess */
{
    const struct bind_context *c = bind_require(L, BIND_STORE, "crypto.random()");
    int64_t n = bind_check_int(L, 1, "the number of bytes");
    char out[RANDOM_MAX];
    luaL_argcheck(L, n >= 1 && n <= RANDOM_MAX, 1, "1 to 1024 bytes at once");
    if (!c->random)
        return luaL_error(L, "there is no randomness here");
    vm_charge(L, 500);
    random_fill(c->random, out, (size_t)n);
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

void bind_open_crypto(lua_State *L)
{
    static const luaL_Reg methods[] = { { "serial", l_key_serial }, { NULL, NULL } };
    static const luaL_Reg functions[] = {
        { "hex", l_hex },
        { "unhex", l_unhex },
        { "base64", l_base64 },
        { "unbase64", l_unbase64 },
        { "base64url", l_base64url },
        { "unbase64url", l_unbase64url },
        { "sha256", l_sha256 },
        { "hmac", l_hmac },
        { "hmac_verify", l_hmac_verify },
        { "equal", l_equal },
        { "decode_secret", bind_decode_secret },
        { "public_key", l_public_key },
        { "rsa_verify", l_rsa_verify },
        { "rsa_sign", l_rsa_sign },
        { "aes_gcm_open", l_aes_gcm_open },
        { "aes_gcm_seal", l_aes_gcm_seal },
        { "random", l_random },
        { NULL, NULL },
    };
    bind_open_secrets(L);
    bind_class(L, PUBLIC_KEY_CLASS, methods, NULL);
    luaL_getmetatable(L, PUBLIC_KEY_CLASS);
    lua_pushcfunction(L, l_key_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
}
