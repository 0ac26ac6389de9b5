/* The functions of libcrypto that work on a struct of ours: those that replaced them look the algorithm up and ask for memory at each call,
 * which for the few hundred bytes of a key or a token costs more than the hash. Debian 12's OpenSSL 3 still has them, with the same
 * assembly. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/crypto.h"
#include "crypto/openssl_int.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

/* Nothing in this file can go wrong except that memory runs out or the library is broken. A caller could not go on
 * without the hash in either case, and one that is wrong would be worse than none. */
static void require(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "feira: %s failed in libcrypto: the installed OpenSSL has no SHA-256\n", what);
    abort();
}

static void take(SHA256_CTX *state, struct slice data)
{
    require(SHA256_Update(state, data.data, data.len), "hashing");
}

static void finish(SHA256_CTX *state, unsigned char out[SHA256_BYTES])
{
    require(SHA256_Final(out, state), "hashing"); /* wipes the state */
}

void crypto_sha256(struct slice data, unsigned char out[SHA256_BYTES])
{
    SHA256_CTX state;
    require(SHA256_Init(&state), "hashing");
    take(&state, data);
    finish(&state, out);
}

/* --- in pieces --------------------------------------------------------------------------------------------------- */

struct sha256 {
    SHA256_CTX state;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = malloc(sizeof(*h));
    if (h)
        require(SHA256_Init(&h->state), "hashing");
    return h;
}

void sha256_add(struct sha256 *h, struct slice data)
{
    take(&h->state, data);
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES])
{
    finish(&h->state, out);
    free(h);
}

/* --- HMAC -------------------------------------------------------------------------------------------------------- */

/* HMAC is two hashes, each of which begins with a block made from the key (RFC 2104). Both are kept with that block
 * already taken in; a call copies them, which leaves them as they are for the other threads. */
struct hmac_key {
    SHA256_CTX inner, outer;
};

enum { BLOCK_BYTES = 64 };

static void keyed_state(SHA256_CTX *state, const unsigned char key[BLOCK_BYTES], unsigned char pad)
{
    unsigned char block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    require(SHA256_Init(state), "hashing");
    take(state, slice_of((const char *)block, sizeof(block)));
    OPENSSL_cleanse(block, sizeof(block));
}

struct hmac_key *hmac_key_new(struct slice secret)
{
    struct hmac_key *k = malloc(sizeof(*k));
    if (!k)
        return NULL;
    unsigned char key[BLOCK_BYTES] = { 0 };
    if (secret.len > BLOCK_BYTES)
        crypto_sha256(secret, key);
    else if (secret.len > 0)
        memcpy(key, secret.data, secret.len);
    keyed_state(&k->inner, key, 0x36);
    keyed_state(&k->outer, key, 0x5c);
    OPENSSL_cleanse(key, sizeof(key));
    return k;
}

void hmac_key_free(struct hmac_key *k)
{
    if (!k)
        return;
    OPENSSL_cleanse(k, sizeof(*k));
    free(k);
}

void hmac_sha256(const struct hmac_key *k, struct slice data, unsigned char out[SHA256_BYTES])
{
    SHA256_CTX state = k->inner;
    take(&state, data);
    finish(&state, out);
    state = k->outer;
    take(&state, slice_of((const char *)out, SHA256_BYTES));
    finish(&state, out);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}
