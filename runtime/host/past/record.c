#include "host/past/record.h"
#include "base/pack.h"
#include "bind/bind.h"
#include <stdio.h>

enum { FORM = 1, MAC_BYTES = 16 }; /* the first byte; the last ones */
static const char PURPOSE[] = "order-evidence";

void versions_of(const struct generation *g, struct versions *out)
{
    const struct zone *z = generation_zone(g);
    snprintf(out->stdlib, sizeof out->stdlib, "%s+%08x", FEIRA_VERSION,
             (unsigned)((bind_stdlib_hash() ^ rulebook_policies_hash()) & 0xffffffff));
    snprintf(out->zone, sizeof out->zone, "%s+%08x", zone_name(z), (unsigned)(zone_hash(z) & 0xffffffff));
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

static void json_record(const struct symbols *symbols, struct generation *g, const struct quote_result *q, struct buf *out)
{
    struct json_writer w;
    struct versions v;
    versions_of(g, &v);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "g");
    json_str(&w, generation_id(g));
    json_key(&w, "v");
    json_array(&w);
    json_str(&w, v.stdlib);
    json_str(&w, v.zone);
    json_array_end(&w);
    buf_add_str(out, ",\"e\":");
    quote_evidence_write_nameless(symbols, q->cart, out);
    json_key(&w, "t");
    quote_trace_write(generation_rules(g), q, &w);
    json_object_end(&w);
}

int record_write(const struct auth *auth, const struct symbols *symbols, struct generation *g, const struct quote_result *q,
                 struct arena *arena, struct slice *out, struct err *err)
{
    struct buf text, packed;
    struct json_value *v;
    unsigned char mac[SHA256_BYTES];
    buf_init(&text, NULL);
    buf_init(&packed, NULL);
    json_record(symbols, g, q, &text);
    int rc = text.failed ? ERR_NOMEM : json_parse(buf_slice(&text), NULL, arena, &v, err);
    if (rc == 0) {
        buf_add_char(&packed, FORM);
        json_pack(v, &packed);
        auth_sign(auth, PURPOSE, buf_slice(&packed), mac);
        buf_add(&packed, mac, MAC_BYTES);
        *out = packed.failed ? (struct slice){ 0 } : arena_copy(arena, buf_slice(&packed));
        rc = out->data ? 0 : ERR_NOMEM;
    }
    buf_release(&packed);
    buf_release(&text);
    return rc == ERR_NOMEM ? err_set(err, ERR_NOMEM, "The shop is short of memory; try again.") : rc;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static int damaged(struct err *err, const char *what)
{
    return err_reason(err, ERR_CORRUPT, "evidence_damaged", "The evidence was changed after it was written: %s.", what);
}

/* Orders that were placed before evidence was packed: the JSON of the cart alone. */
static int read_plain(struct slice text, struct slice generation, struct arena *arena, struct record *out, struct err *err)
{
    struct json_value *v;
    struct err why = { 0 };
    struct slice copy = arena_copy(arena, text);
    int rc = copy.data ? json_parse(copy, NULL, arena, &v, &why) : ERR_NOMEM;
    if (rc == ERR_NOMEM)
        return err_set(err, ERR_NOMEM, "Out of memory while reading evidence.");
    if (rc < 0)
        return damaged(err, why.text);
    *out = (struct record){ .generation = generation, .evidence = v };
    return json_is_int(json_get(v, "k"), &out->kernel) ? 0 : damaged(err, "it names no version of the kernel");
}

int record_read(const struct auth *auth, struct slice bytes, struct slice generation, struct arena *arena, struct record *out,
                struct err *err)
{
    unsigned char mac[SHA256_BYTES];
    struct json_value *v;
    struct err why = { 0 };
    *out = (struct record){ .generation = generation };
    if (bytes.len && bytes.data[0] == '{')
        return read_plain(bytes, generation, arena, out, err);
    if (bytes.len < 1 + MAC_BYTES || bytes.data[0] != FORM)
        return damaged(err, "it is of no form that this program knows");
    struct slice packed = slice_of(bytes.data, bytes.len - MAC_BYTES);
    auth_sign(auth, PURPOSE, packed, mac);
    if (!crypto_equal(mac, (const unsigned char *)packed.data + packed.len, MAC_BYTES))
        return damaged(err, "its signature is not that of its bytes");
    int rc = json_unpack(slice_of(packed.data + 1, packed.len - 1), arena, &v, &why);
    if (rc == ERR_NOMEM)
        return err_set(err, ERR_NOMEM, "Out of memory while reading evidence.");
    if (rc < 0)
        return damaged(err, why.text);
    const struct json_value *versions = json_get(v, "v");
    const struct json_value *stdlib = versions && versions->type == JSON_ARRAY ? versions->first : NULL;
    out->evidence = json_get(v, "e");
    out->trace = json_get(v, "t");
    out->is_signed = true;
    if (!json_is_string(json_get(v, "g"), &out->generation) || !stdlib || !json_is_string(stdlib, &out->stdlib) ||
        !json_is_string(stdlib->next, &out->zone) || !out->trace || !json_is_int(json_get(out->evidence, "k"), &out->kernel))
        return damaged(err, "a member is missing");
    return slice_eq(out->generation, generation) ? 0 : damaged(err, "it is of another generation than its order");
}

int record_cart(const struct record *r, struct symbols *symbols, struct arena *arena, struct quote_cart *out, struct err *err)
{
    int64_t kernel;
    return quote_evidence_read_any(symbols, r->evidence, arena, out, &kernel, err);
}
