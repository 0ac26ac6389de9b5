/* crypto/crypto.h - a thin face on OpenSSL (and libsodium for passwords, later). Nothing above it sees openssl/. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

enum { SHA256_BYTES = 32 };

void crypto_sha256(struct slice data, unsigned char out[SHA256_BYTES]);

/* A key prepared once: a MAC then costs one copy of the state. Thread safe to use from many threads at once. */
struct hmac_key;
struct hmac_key *hmac_key_new(struct slice secret); /* NULL when out of memory */
void hmac_key_free(struct hmac_key *k);
void hmac_sha256(const struct hmac_key *k, struct slice data, unsigned char out[SHA256_BYTES]);

bool crypto_equal(const void *a, const void *b, size_t len); /* takes the same time whatever differs */

/* base64url without padding, and hexadecimal. Encoders write exactly the stated number of bytes, no NUL. */
static inline size_t base64url_len(size_t n)
{
    return (n * 4 + 2) / 3;
}
void base64url_encode(const void *data, size_t len, char *out);
/* Returns the number of bytes written, or -1 when text is not canonical base64url. out has room for text.len * 3 / 4. */
long base64url_decode(struct slice text, unsigned char *out);
void hex_encode(const void *data, size_t len, char *out);

/* Incremental hash, for files and sources. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *h, struct slice data);
void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES]); /* frees h */
