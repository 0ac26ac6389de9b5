#include "crypto/crypto.h"
#include <endian.h>
#include <stdint.h>
#include <string.h>

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char plain_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bytes go through a queue of bits, 8 in and 6 out; what is left at the end is filled up with zero bits. */
static char *encode(const void *data, size_t len, const char *alphabet, char *out)
{
    const unsigned char *p = data, *end = p + len;
    for (; end - p >= 8; p += 6, out += 8) { /* six at a time; two more are loaded, and read again */
        uint64_t six;
        memcpy(&six, p, sizeof six);
        six = be64toh(six);
        for (int i = 0; i < 8; i++)
            out[i] = alphabet[six >> (58 - 6 * i) & 63];
    }
    uint32_t bits = 0;
    unsigned count = 0;
    for (; p < end; p++) {
        bits = bits << 8 | *p;
        for (count += 8; count >= 6; count -= 6)
            *out++ = alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *out++ = alphabet[bits << (6 - count) & 63];
    return out;
}

void base64url_encode(const void *data, size_t len, char *out)
{
    encode(data, len, url_digits, out);
}

void base64_encode(const void *data, size_t len, char *out)
{
    char *end = encode(data, len, plain_digits, out);
    while ((end - out) % 4 != 0)
        *end++ = '=';
}

static int digit_of(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/* Canonical: one text for each run of bytes. So a lone last character, and bits beyond the last byte, are refused: else
 * a signed token could be written in several ways. */
static long decode(struct slice text, const char *alphabet, unsigned char *out)
{
    unsigned char *start = out;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.data[i], alphabet);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (unsigned char)(bits >> count);
        }
    }
    if (count >= 6 || (bits & ((1u << count) - 1)) != 0)
        return -1;
    return out - start;
}

long base64url_decode(struct slice text, unsigned char *out)
{
    return decode(text, url_digits, out);
}

long base64_decode(struct slice text, unsigned char *out)
{
    size_t padding = 0;
    if (text.len % 4 != 0)
        return -1;
    while (padding < 2 && text.len > padding && text.data[text.len - padding - 1] == '=')
        padding++;
    text.len -= padding;
    return decode(text, plain_digits, out);
}

void hex_encode(const void *data, size_t len, char *out)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long hex_decode(struct slice text, unsigned char *out)
{
    if (text.len % 2 != 0)
        return -1;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return (long)(text.len / 2);
}
