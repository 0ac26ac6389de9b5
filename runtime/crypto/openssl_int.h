/* crypto/openssl_int.h - OpenSSL has a type of the name of one of our error codes. It is not used here, so it may go by another name.
 * Included before the headers of OpenSSL, by the files of this folder only. */
#pragma once
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#undef ERR_STATE
