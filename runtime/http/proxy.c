/* http/proxy.c - whose X-Forwarded-For is believed. Addresses are compared as 128 bits, IPv4 as ::ffff:a.b.c.d. */
#include "http/http_int.h"
#include <arpa/inet.h>
#include <stdlib.h>

struct block {
    unsigned char address[16];
    unsigned bits;
};

struct proxies {
    size_t count;
    struct block blocks[];
};

static bool parse_address(struct slice s, unsigned char out[16], bool *is_v4)
{
    char text[46];
    if (s.len == 0 || s.len >= sizeof text)
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    *is_v4 = inet_pton(AF_INET, text, out + 12) == 1;
    if (*is_v4)
        memcpy(out, mapped, sizeof mapped);
    return *is_v4 || inet_pton(AF_INET6, text, out) == 1;
}

static bool parse_block(const char *text, struct block *b)
{
    const char *slash = strchr(text, '/');
    bool v4;
    if (!parse_address(slash ? slice_of(text, (size_t)(slash - text)) : slice_str(text), b->address, &v4))
        return false;
    unsigned width = v4 ? 32 : 128;
    b->bits = 128;
    if (slash) {
        char *end;
        if (slash[1] < '0' || slash[1] > '9')
            return false;
        unsigned long n = strtoul(slash + 1, &end, 10);
        if (*end || n > width)
            return false;
        b->bits = (unsigned)n + 128 - width;
    }
    return true;
}

int proxies_open(const char *const *blocks, struct proxies **out, struct err *err)
{
    *out = NULL;
    size_t n = 0;
    while (blocks && blocks[n])
        n++;
    if (n == 0)
        return 0;
    struct proxies *p = calloc(1, sizeof *p + n * sizeof p->blocks[0]);
    if (!p)
        return err_set(err, ERR_NOMEM, "There is no memory for the list of trusted proxies.");
    p->count = n;
    for (size_t i = 0; i < n; i++)
        if (!parse_block(blocks[i], &p->blocks[i])) {
            free(p);
            return err_field(err, ERR_INVALID, "trusted_proxies",
                             "\"%s\" is not an address block; write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32.", blocks[i]);
        }
    *out = p;
    return 0;
}

void proxies_close(struct proxies *p)
{
    free(p);
}

static bool in_block(const struct block *b, const unsigned char a[16])
{
    size_t whole = b->bits / 8;
    unsigned rest = b->bits % 8;
    if (memcmp(a, b->address, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b->address[whole]) >> (8 - rest) == 0;
}

static bool trusted(const struct proxies *p, struct slice address)
{
    unsigned char a[16];
    bool v4;
    if (!parse_address(address, a, &v4))
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (in_block(&p->blocks[i], a))
            return true;
    return false;
}

/* Cuts the last element off the list. */
static struct slice last_element(struct slice *list)
{
    size_t end = list->len, start = end;
    while (start > 0 && list->data[start - 1] != ',')
        start--;
    list->len = start > 0 ? start - 1 : 0;
    while (start < end && (list->data[start] == ' ' || list->data[start] == '\t'))
        start++;
    while (end > start && (list->data[end - 1] == ' ' || list->data[end - 1] == '\t'))
        end--;
    return slice_of(list->data + start, end - start);
}

/* From the right, each proxy names the one before it; the first that we do not trust is the client. */
struct slice proxies_client(const struct proxies *p, const struct http_request *req)
{
    struct slice client = slice_str(req->peer->address);
    if (!trusted(p, client))
        return client;
    for (size_t i = req->header_count; i-- > 0;) {
        if (req->headers[i].name.len != 15 || strncasecmp(req->headers[i].name.data, "x-forwarded-for", 15) != 0)
            continue;
        struct slice list = req->headers[i].value;
        while (list.len > 0) {
            struct slice s = last_element(&list);
            unsigned char a[16];
            bool v4;
            if (!parse_address(s, a, &v4))
                return client; /* what stands left of nonsense proves nothing */
            client = s;
            if (!trusted(p, s))
                return client;
        }
    }
    return client;
}
