/* Passwords: Argon2id as libsodium has it. Each guess costs 64 MiB and some 100 ms of a core, so nobody calls this on an event loop. */
#include "crypto/crypto.h"
#include <sodium.h>

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_argon2id_STRBYTES, "a hash fits, with its NUL");

/* RFC 9106's second recommendation: three passes over 64 MiB. The hash names what it was made with, so raising these leaves old ones good.
 */
enum { PASSES = 3, MEMORY_BYTES = 64 << 20 };

int password_hash(struct slice password, char out[PASSWORD_HASH_MAX], struct err *err)
{
    memset(out, 0, PASSWORD_HASH_MAX);
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium can't be used on this machine.");
    if (crypto_pwhash_argon2id_str(out, password.data, password.len, PASSES, MEMORY_BYTES) != 0)
        return err_set(err, ERR_NOMEM, "There are no 64 MiB of memory to hash a password with; try again.");
    return 0;
}

int password_verify(const char *hash, struct slice password, struct err *err)
{
    char whole[PASSWORD_HASH_MAX] = { 0 }; /* the library reads all of it */
    size_t n = strlen(hash);
    if (n >= sizeof whole)
        return err_set(err, ERR_CORRUPT, "This is not the hash of a password.");
    memcpy(whole, hash, n);
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium can't be used on this machine.");
    return crypto_pwhash_argon2id_str_verify(whole, password.data, password.len) == 0;
}
