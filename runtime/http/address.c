#include "http/outbound.h"
#include <netinet/in.h>

struct range {
    unsigned char prefix[16];
    unsigned bits;
};

/* What the registries of special addresses (RFC 6890 and later) keep from the public network. */
static const struct range v4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* shared with a carrier */
    { { 127 }, 8 },           /* this machine */
    { { 169, 254 }, 16 },     /* this link; the services of cloud machines */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocols */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 88, 99 }, 24 },  /* relays */
    { { 192, 168 }, 16 },     /* private */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 3 },           /* multicast, reserved, broadcast */
};
static const struct range v6_public = { { 0x20 }, 3 };
static const struct range v6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocols, tunnels */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* tunnels that carry an address of version 4 */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation */
};
static const struct range v4_mapped = { { [10] = 0xff, [11] = 0xff }, 96 }, v4_translated = { { 0x00, 0x64, 0xff, 0x9b }, 96 };

static bool within(const unsigned char *address, const struct range *r)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(address, r->prefix, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ r->prefix[whole]) & (0xff00u >> rest & 0xff)) == 0;
}

static bool v4_is_public(const unsigned char *address)
{
    for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++)
        if (within(address, &v4[i]))
            return false;
    return true;
}

static bool v6_is_public(const unsigned char *address)
{
    if (within(address, &v4_mapped) || within(address, &v4_translated))
        return v4_is_public(address + 12);
    for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++)
        if (within(address, &v6[i]))
            return false;
    return within(address, &v6_public);
}

bool outbound_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return v4_is_public((const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return v6_is_public((const unsigned char *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    return false;
}
