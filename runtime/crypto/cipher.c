#include "crypto/crypto.h"
#include "crypto/openssl_int.h"
#include <limits.h>
#include <openssl/evp.h>

static int no_cipher(struct err *err)
{
    ERR_clear_error();
    return err_set(err, ERR_NOMEM, "there is no memory for a cipher, or the installed OpenSSL has no AES-256-GCM");
}

/* One run of the cipher over what stands beside the text, then the text. EVP works in ints. */
static bool run(EVP_CIPHER_CTX *c, struct slice associated, struct slice text, unsigned char *out)
{
    int n = 0;
    if (associated.len && !EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)associated.data, (int)associated.len))
        return false;
    return text.len == 0 || EVP_CipherUpdate(c, out, &n, (const unsigned char *)text.data, (int)text.len);
}

static bool begin(EVP_CIPHER_CTX *c, const unsigned char *key, const unsigned char *nonce, bool sealing)
{
    return c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, sealing);
}

static bool fits(struct slice associated, struct slice text)
{
    return associated.len <= INT_MAX && text.len <= INT_MAX;
}

int aes_gcm_seal(const unsigned char key[AES_KEY_BYTES], const unsigned char nonce[GCM_NONCE_BYTES], struct slice associated,
                 struct slice data, unsigned char *out, struct err *err)
{
    if (!fits(associated, data))
        return err_set(err, ERR_TOO_LARGE, "this is too much to be sealed at once");
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool good = begin(c, key, nonce, true) && run(c, associated, data, out) && EVP_CipherFinal_ex(c, out + data.len, &n) &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, out + data.len);
    EVP_CIPHER_CTX_free(c);
    return good ? 0 : no_cipher(err);
}

static int opened_wrong(unsigned char *out, size_t len, struct err *err)
{
    ERR_clear_error();
    if (len)
        crypto_wipe(out, len); /* what came out is not what went in */
    return err_set(err, ERR_DENIED, "this was sealed with another key, nonce or associated text, or was changed since");
}

int aes_gcm_open(const unsigned char key[AES_KEY_BYTES], const unsigned char nonce[GCM_NONCE_BYTES], struct slice associated,
                 struct slice sealed, unsigned char *out, struct err *err)
{
    if (sealed.len < GCM_TAG_BYTES)
        return opened_wrong(out, 0, err);
    if (!fits(associated, sealed))
        return err_set(err, ERR_TOO_LARGE, "this is too much to be opened at once");
    struct slice text = slice_of(sealed.data, sealed.len - GCM_TAG_BYTES);
    unsigned char tag[GCM_TAG_BYTES];
    memcpy(tag, sealed.data + text.len, GCM_TAG_BYTES);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ready =
        begin(c, key, nonce, false) && run(c, associated, text, out) && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, tag);
    bool good = ready && EVP_CipherFinal_ex(c, out + text.len, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ready)
        return no_cipher(err);
    return good ? 0 : opened_wrong(out, text.len, err);
}
