#include "crypto/crypto.h"
#include "crypto/openssl_int.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Nothing in this file can go wrong except that memory runs out or the library is broken. A caller could not go on
 * without the hash in either case, and one that is wrong would be worse than none. */
static void require(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "feira: %s failed in libcrypto: memory ran out, or the installed OpenSSL has no SHA-256\n", what);
    abort();
}

/* Looking an algorithm up costs more than hashing a short message, so it is done once. Never changes after that. */
static const EVP_MD *sha256_algorithm;
static pthread_once_t sha256_fetched = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    require(sha256_algorithm != NULL, "finding SHA-256");
}

static const EVP_MD *sha256_get(void)
{
    require(pthread_once(&sha256_fetched, fetch_sha256) == 0, "pthread_once");
    return sha256_algorithm;
}

void crypto_sha256(struct slice data, unsigned char out[SHA256_BYTES])
{
    require(EVP_Digest(data.data, data.len, out, NULL, sha256_get(), NULL), "hashing");
}

/* --- in pieces --------------------------------------------------------------------------------------------------- */

struct sha256 {
    EVP_MD_CTX *state;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = malloc(sizeof(*h));
    if (!h)
        return NULL;
    h->state = EVP_MD_CTX_new();
    if (!h->state || !EVP_DigestInit_ex2(h->state, sha256_get(), NULL)) {
        EVP_MD_CTX_free(h->state);
        free(h);
        return NULL;
    }
    return h;
}

void sha256_add(struct sha256 *h, struct slice data)
{
    require(EVP_DigestUpdate(h->state, data.data, data.len), "hashing");
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES])
{
    require(EVP_DigestFinal_ex(h->state, out, NULL), "hashing");
    EVP_MD_CTX_free(h->state);
    free(h);
}

/* --- HMAC -------------------------------------------------------------------------------------------------------- */

/* HMAC is two hashes, each of which begins with a block made from the key (RFC 2104). Both are kept with that block
 * already taken in; a call copies them, which leaves them as they are for the other threads. */
struct hmac_key {
    EVP_MD_CTX *inner, *outer;
};

enum { BLOCK_BYTES = 64 };

static EVP_MD_CTX *keyed_state(const unsigned char key[BLOCK_BYTES], unsigned char pad)
{
    unsigned char block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (state && (!EVP_DigestInit_ex2(state, sha256_get(), NULL) || !EVP_DigestUpdate(state, block, sizeof(block)))) {
        EVP_MD_CTX_free(state);
        state = NULL;
    }
    OPENSSL_cleanse(block, sizeof(block));
    return state;
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
    k->inner = keyed_state(key, 0x36);
    k->outer = keyed_state(key, 0x5c);
    OPENSSL_cleanse(key, sizeof(key));
    if (!k->inner || !k->outer) {
        hmac_key_free(k);
        return NULL;
    }
    return k;
}

void hmac_key_free(struct hmac_key *k)
{
    if (!k)
        return;
    EVP_MD_CTX_free(k->inner); /* wipes what it held */
    EVP_MD_CTX_free(k->outer);
    free(k);
}

void hmac_sha256(const struct hmac_key *k, struct slice data, unsigned char out[SHA256_BYTES])
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    require(state && EVP_MD_CTX_copy_ex(state, k->inner) && EVP_DigestUpdate(state, data.data, data.len) &&
                EVP_DigestFinal_ex(state, out, NULL) && EVP_MD_CTX_copy_ex(state, k->outer) && EVP_DigestUpdate(state, out, SHA256_BYTES) &&
                EVP_DigestFinal_ex(state, out, NULL),
            "HMAC");
    EVP_MD_CTX_free(state);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}
