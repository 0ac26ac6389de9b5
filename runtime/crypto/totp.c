/* One-time codes by time (RFC 6238 over RFC 4226): HMAC-SHA-1, as every app for them expects. SHA-1 is sound here: nobody gains by finding
 * two messages with one hash. */
#include "crypto/crypto.h"
#include "crypto/openssl_int.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

int totp_code(struct slice secret, int64_t step, uint32_t *out, struct err *err)
{
    unsigned char counter[8], mac[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    for (int i = 7; i >= 0; i--, step >>= 8)
        counter[i] = (unsigned char)(step & 0xff);
    if (!HMAC(EVP_sha1(), secret.data, (int)secret.len, counter, sizeof counter, mac, &len) || len != 20)
        return err_set(err, ERR_INTERNAL, "The installed OpenSSL has no HMAC with SHA-1, which one-time codes need.");
    unsigned at = mac[19] & 0xf;
    uint32_t n = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    *out = n % 1000000;
    return 0;
}

void base32_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const unsigned char *in = data;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 5; have -= 5)
            *out++ = digits[bits >> (have - 5) & 31];
    }
    if (have)
        *out++ = digits[bits << (5 - have) & 31];
}
