#include "crypto/crypto.h"
#include "crypto/openssl_int.h"
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS_MIN = 2048, BITS_MAX = 8192, PEM_MAX = 65536, SERIAL_MAX = 80 };

struct rsa_key {
    EVP_PKEY *key;
    char serial[SERIAL_MAX];
};

/* A key with a password would be asked for on the terminal; here it is no key. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* What went wrong inside of the library says nothing to whoever wrote the key down, and must not be left for the next caller. */
static int not_a_key(struct err *err, const char *what)
{
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "this is not %s in PEM form (text from -----BEGIN to -----END, with its line ends)", what);
}

static int keep(EVP_PKEY *key, struct rsa_key **out, struct err *err)
{
    int bits = EVP_PKEY_get_bits(key);
    struct rsa_key *k = NULL;
    int rc = 0;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        rc = err_set(err, ERR_INVALID, "this is a key of another kind; an RSA key is needed");
    else if (bits < BITS_MIN || bits > BITS_MAX)
        rc = err_set(err, ERR_INVALID, "this RSA key has %d bits; keys of %d to %d bits are taken", bits, BITS_MIN, BITS_MAX);
    else if (!(k = calloc(1, sizeof *k)))
        rc = err_set(err, ERR_NOMEM, "there is no memory for a key");
    if (rc < 0) {
        EVP_PKEY_free(key);
        return rc;
    }
    k->key = key;
    *out = k;
    return 0;
}

static BIO *reading(struct slice pem, struct err *err)
{
    BIO *in = pem.len <= PEM_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    if (!in)
        err_set(err, pem.len <= PEM_MAX ? ERR_NOMEM : ERR_INVALID, "there is no memory for a key, or it is longer than %d bytes", PEM_MAX);
    return in;
}

static bool says(struct slice pem, const char *what)
{
    return pem.len && memmem(pem.data, pem.len, what, strlen(what)) != NULL;
}

static void write_serial(const X509 *certificate, char out[SERIAL_MAX])
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = n ? BN_bn2hex(n) : NULL;
    if (text && strlen(text) < SERIAL_MAX)
        snprintf(out, SERIAL_MAX, "%s", text);
    OPENSSL_free(text);
    BN_free(n);
}

static int key_of_certificate(BIO *in, struct rsa_key **out, struct err *err)
{
    X509 *certificate = PEM_read_bio_X509(in, NULL, no_password, NULL);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    int rc = key ? keep(key, out, err) : not_a_key(err, "a certificate");
    if (rc == 0)
        write_serial(certificate, (*out)->serial);
    X509_free(certificate);
    return rc;
}

int rsa_public_key(struct slice pem, struct rsa_key **out, struct err *err)
{
    *out = NULL;
    BIO *in = reading(pem, err);
    if (!in)
        return err->code;
    int rc;
    if (says(pem, "-----BEGIN CERTIFICATE-----")) {
        rc = key_of_certificate(in, out, err);
    } else {
        EVP_PKEY *key = PEM_read_bio_PUBKEY(in, NULL, no_password, NULL);
        rc = key ? keep(key, out, err) : not_a_key(err, "a public key or a certificate");
    }
    BIO_free(in);
    return rc;
}

int rsa_private_key(struct slice pem, struct rsa_key **out, struct err *err)
{
    *out = NULL;
    BIO *in = reading(pem, err);
    if (!in)
        return err->code;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
    int rc = key ? keep(key, out, err) : not_a_key(err, "a private key without a password");
    BIO_free(in);
    return rc;
}

void rsa_key_free(struct rsa_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key); /* wipes a private one */
    free(k);
}

const char *rsa_key_serial(const struct rsa_key *k)
{
    return k->serial;
}

bool rsa_sha256_verify(const struct rsa_key *k, struct slice data, struct slice signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = c && EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, k->key, NULL) == 1 &&
                EVP_DigestVerify(c, (const unsigned char *)signature.data, signature.len, (const unsigned char *)data.data, data.len) == 1;
    EVP_MD_CTX_free(c);
    if (!good)
        ERR_clear_error();
    return good;
}

int rsa_sha256_sign(const struct rsa_key *k, struct slice data, unsigned char out[RSA_SIGNATURE_MAX], size_t *len, struct err *err)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    *len = RSA_SIGNATURE_MAX;
    bool good = c && EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, k->key, NULL) == 1 &&
                EVP_DigestSign(c, out, len, (const unsigned char *)data.data, data.len) == 1;
    EVP_MD_CTX_free(c);
    if (good)
        return 0;
    ERR_clear_error();
    *len = 0;
    return err_set(err, ERR_INVALID, "this key does not sign; a private key is needed");
}
