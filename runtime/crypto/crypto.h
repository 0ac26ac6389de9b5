/* crypto/crypto.h - a thin face on OpenSSL, and on libsodium for passwords. Nothing above it sees openssl/ or sodium.h. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

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
long hex_decode(struct slice text, unsigned char *out); /* small or capital letters; -1 when it is not hexadecimal. text.len / 2 bytes */

/* base64 with padding, as other systems send it. */
static inline size_t base64_len(size_t n)
{
    return (n + 2) / 3 * 4;
}
void base64_encode(const void *data, size_t len, char *out);
/* As base64url_decode(): canonical, padding included, or -1. out has room for text.len * 3 / 4. */
long base64_decode(struct slice text, unsigned char *out);

void crypto_wipe(void *data, size_t len); /* which the compiler does not take out */

/* Incremental hash, for files and sources. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *h, struct slice data);
void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES]); /* frees h */

/* --- RSA with SHA-256 (PKCS #1 v1.5) ---------------------------------------------------------------------------------
 * A key is read once and serves every thread. Keys have 2,048 to 8,192 bits; other kinds of key are refused. */
struct rsa_key;
enum { RSA_SIGNATURE_MAX = 1024 };
/* PEM text: PUBLIC KEY, RSA PUBLIC KEY, or a CERTIFICATE, whose key is taken; who signed it, and until when it holds, is not looked at:
 * the caller got it from where it trusts. ERR_INVALID says what the text is not. */
int rsa_public_key(struct slice pem, struct rsa_key **out, struct err *err);
int rsa_private_key(struct slice pem, struct rsa_key **out, struct err *err); /* PRIVATE KEY or RSA PRIVATE KEY, without a password */
void rsa_key_free(struct rsa_key *k);                                         /* NULL is fine */
const char *rsa_key_serial(const struct rsa_key *k);                          /* of a certificate, capital hexadecimal digits; else "" */
bool rsa_sha256_verify(const struct rsa_key *k, struct slice data, struct slice signature);
int rsa_sha256_sign(const struct rsa_key *k, struct slice data, unsigned char out[RSA_SIGNATURE_MAX], size_t *len, struct err *err);

/* --- AES-256-GCM ------------------------------------------------------------------------------------------------------ */
enum { AES_KEY_BYTES = 32, GCM_NONCE_BYTES = 12, GCM_TAG_BYTES = 16 };
/* Writes data.len + GCM_TAG_BYTES bytes, the tag last. A nonce must never serve twice under one key. */
int aes_gcm_seal(const unsigned char key[AES_KEY_BYTES], const unsigned char nonce[GCM_NONCE_BYTES], struct slice associated,
                 struct slice data, unsigned char *out, struct err *err);
/* Writes sealed.len - GCM_TAG_BYTES bytes; ERR_DENIED, and nothing but zeros, when it was sealed with another key, nonce or text beside
 * it, or changed. */
int aes_gcm_open(const unsigned char key[AES_KEY_BYTES], const unsigned char nonce[GCM_NONCE_BYTES], struct slice associated,
                 struct slice sealed, unsigned char *out, struct err *err);

/* --- people: passwords (Argon2id) and one-time codes (RFC 6238) ----------------------------------------------------------
 * A hash of a password costs 64 MiB and some 100 ms of a core: never on an event loop, never on the writer. */
enum { PASSWORD_HASH_MAX = 128, TOTP_SECRET_BYTES = 20, TOTP_STEP_MS = 30000 };
int password_hash(struct slice password, char out[PASSWORD_HASH_MAX], struct err *err); /* with a salt of its own; NUL-terminated */
int password_verify(const char *hash, struct slice password, struct err *err);          /* 1: it is the one, 0: not, negative: an error */

/* The code of six digits for a step (milliseconds since 1970 / TOTP_STEP_MS), as a number: written with leading zeros. */
int totp_code(struct slice secret, int64_t step, uint32_t *out, struct err *err);

/* RFC 4648 without padding, as apps for one-time codes read secrets: exactly that many capital letters and digits, no NUL. */
static inline size_t base32_len(size_t n)
{
    return (n * 8 + 4) / 5;
}
void base32_encode(const void *data, size_t len, char *out);
