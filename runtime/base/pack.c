#include "base/pack.h"
#include <string.h>

/* The first byte of a value, with the few bits that follow it:
 *
 *   00-7f  a number 0 .. 127                80-9f  a new text of 0 .. 31 bytes
 *   a0-bf  a list of 0 .. 31 values         c0-cf  an object of 0 .. 15 members, each a text and a value
 *   d0-ef  the text met as number 0 .. 31   f0-f2  null, false, true
 *   f3     a number, zigzag varint          f4 f5 f6 f7  text, list, object, text met before, with a varint
 *   f8     a real, as the text it was written with
 *
 * New texts of two bytes and more get numbers from 0 in the order in which they come, KNOWN_MAX of them. */
enum {
    TAG_TEXT = 0x80,
    TAG_LIST = 0xa0,
    TAG_OBJECT = 0xc0,
    TAG_KNOWN = 0xd0,
    TAG_NULL = 0xf0,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INT,
    TAG_LONG_TEXT,
    TAG_LONG_LIST,
    TAG_LONG_OBJECT,
    TAG_LONG_KNOWN,
    TAG_REAL,
    SHORT_MAX = 31,
    SHORT_OBJECT_MAX = 15,
    KNOWN_MAX = 512,
    KNOWN_BYTES_MIN = 2,
    VARINT_MAX = 10,
};

/* --- writing ------------------------------------------------------------------------------------------------------------- */

struct packer {
    struct buf *out;
    uint32_t count;
    struct slice known[KNOWN_MAX];
    uint16_t slots[2 * KNOWN_MAX]; /* open addressing: number + 1, 0 = empty */
};

static void put_varint(struct buf *out, unsigned tag, uint64_t v)
{
    char text[1 + VARINT_MAX];
    size_t n = 0;
    text[n++] = (char)tag;
    for (; v >= 0x80; v >>= 7)
        text[n++] = (char)(v | 0x80);
    text[n++] = (char)v;
    buf_add(out, text, n);
}

static void put_count(struct buf *out, unsigned few, unsigned few_max, unsigned many, uint64_t n)
{
    if (n <= few_max)
        buf_add_char(out, (char)(few + n));
    else
        put_varint(out, many, n);
}

static void put_int(struct buf *out, int64_t v)
{
    if (v >= 0 && v < TAG_TEXT)
        buf_add_char(out, (char)v);
    else
        put_varint(out, TAG_INT, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static uint32_t hash_text(struct slice s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.data[i]) * 16777619u;
    return h ^ h >> 15;
}

static void put_text(struct packer *p, struct slice s)
{
    if (s.len >= KNOWN_BYTES_MIN) {
        uint32_t i = hash_text(s) % (2 * KNOWN_MAX);
        while (p->slots[i] && !slice_eq(p->known[p->slots[i] - 1], s))
            i = (i + 1) % (2 * KNOWN_MAX);
        if (p->slots[i]) {
            put_count(p->out, TAG_KNOWN, SHORT_MAX, TAG_LONG_KNOWN, p->slots[i] - 1u);
            return;
        }
        if (p->count < KNOWN_MAX) {
            p->known[p->count++] = s;
            p->slots[i] = (uint16_t)p->count;
        }
    }
    put_count(p->out, TAG_TEXT, SHORT_MAX, TAG_LONG_TEXT, s.len);
    buf_add_slice(p->out, s);
}

static void put_value(struct packer *p, const struct json_value *v, unsigned depth)
{
    switch (v->type) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        buf_add_char(p->out, (char)(v->type == JSON_NULL ? TAG_NULL : v->type == JSON_TRUE ? TAG_TRUE : TAG_FALSE));
        return;
    case JSON_INT:
        put_int(p->out, v->integer);
        return;
    case JSON_REAL:
        put_varint(p->out, TAG_REAL, v->string.len);
        buf_add_slice(p->out, v->string);
        return;
    case JSON_STRING:
        put_text(p, v->string);
        return;
    case JSON_ARRAY:
        put_count(p->out, TAG_LIST, SHORT_MAX, TAG_LONG_LIST, v->count);
        break;
    case JSON_OBJECT:
        put_count(p->out, TAG_OBJECT, SHORT_OBJECT_MAX, TAG_LONG_OBJECT, v->count);
        break;
    }
    if (depth == PACK_DEPTH_MAX) {
        p->out->failed = true;
        return;
    }
    for (const struct json_value *m = v->first; m; m = m->next) {
        if (v->type == JSON_OBJECT)
            put_text(p, m->key);
        put_value(p, m, depth + 1);
    }
}

void json_pack(const struct json_value *v, struct buf *out)
{
    struct packer p;
    p.out = out;
    p.count = 0;
    memset(p.slots, 0, sizeof p.slots);
    put_value(&p, v, 1);
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

struct unpacker {
    const unsigned char *at, *end;
    struct arena *arena;
    struct err *err;
    uint32_t count;
    struct slice known[KNOWN_MAX];
};

static int bad(const struct unpacker *u, const char *what)
{
    return err_set(u->err, ERR_CORRUPT, "A packed record is damaged: %s.", what);
}

static int nomem(const struct unpacker *u)
{
    return err_set(u->err, ERR_NOMEM, "Out of memory while reading a packed record.");
}

static bool get_varint(struct unpacker *u, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; u->at < u->end && shift < 64; shift += 7) {
        unsigned char c = *u->at++;
        if (shift == 63 && c > 1)
            return false;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

static int get_text(struct unpacker *u, unsigned tag, struct slice *out)
{
    uint64_t n = tag & SHORT_MAX;
    bool is_known = (tag >= TAG_KNOWN && tag < TAG_NULL) || tag == TAG_LONG_KNOWN;
    bool is_new = (tag >= TAG_TEXT && tag < TAG_LIST) || tag == TAG_LONG_TEXT;
    if (!is_known && !is_new)
        return bad(u, "a text was expected");
    if (tag >= TAG_KNOWN && tag < TAG_NULL)
        n = tag - TAG_KNOWN;
    if ((tag == TAG_LONG_TEXT || tag == TAG_LONG_KNOWN) && !get_varint(u, &n))
        return bad(u, "a number has no end");
    if (is_known) {
        if (n >= u->count)
            return bad(u, "it names a text that did not come before");
        *out = u->known[n];
        return 0;
    }
    if (n > (uint64_t)(u->end - u->at))
        return bad(u, "a text has no end");
    *out = arena_copy(u->arena, slice_of((const char *)u->at, n));
    u->at += n;
    if (!out->data)
        return nomem(u);
    if (n >= KNOWN_BYTES_MIN && u->count < KNOWN_MAX)
        u->known[u->count++] = *out;
    return 0;
}

static int get_value(struct unpacker *u, unsigned depth, struct json_value *v);

static int get_members(struct unpacker *u, unsigned tag, unsigned depth, struct json_value *v)
{
    uint64_t n = tag & (v->type == JSON_ARRAY ? SHORT_MAX : SHORT_OBJECT_MAX);
    if ((tag == TAG_LONG_LIST || tag == TAG_LONG_OBJECT) && !get_varint(u, &n))
        return bad(u, "a number has no end");
    if (depth == PACK_DEPTH_MAX || n > (uint64_t)(u->end - u->at)) /* a member takes a byte at least */
        return bad(u, "a list has more members than can be there");
    v->count = (uint32_t)n;
    struct json_value *list = arena_array(u->arena, n, sizeof *list);
    if (!list && n)
        return nomem(u);
    v->first = n ? list : NULL;
    for (uint64_t i = 0; i < n; i++) {
        int rc = 0;
        if (v->type == JSON_OBJECT)
            rc = u->at < u->end ? get_text(u, *u->at++, &list[i].key) : bad(u, "it has no end");
        if (rc == 0)
            rc = get_value(u, depth + 1, &list[i]);
        if (rc < 0)
            return rc;
        list[i].next = i + 1 < n ? &list[i + 1] : NULL;
    }
    return 0;
}

static int get_number(struct unpacker *u, struct json_value *v)
{
    uint64_t n;
    if (!get_varint(u, &n))
        return bad(u, "a number has no end");
    v->type = JSON_INT;
    v->integer = (int64_t)(n >> 1 ^ (0 - (n & 1)));
    return 0;
}

static int get_real(struct unpacker *u, struct json_value *v)
{
    uint64_t n;
    if (!get_varint(u, &n) || n > (uint64_t)(u->end - u->at))
        return bad(u, "a number has no end");
    v->type = JSON_REAL;
    v->string = arena_copy(u->arena, slice_of((const char *)u->at, n));
    u->at += n;
    return v->string.data ? 0 : nomem(u);
}

static int get_value(struct unpacker *u, unsigned depth, struct json_value *v)
{
    if (u->at == u->end)
        return bad(u, "it has no end");
    unsigned tag = *u->at++;
    if (tag < TAG_TEXT) {
        v->type = JSON_INT;
        v->integer = tag;
        return 0;
    }
    if ((tag >= TAG_LIST && tag < TAG_KNOWN) || tag == TAG_LONG_LIST || tag == TAG_LONG_OBJECT) {
        v->type = tag < TAG_OBJECT || tag == TAG_LONG_LIST ? JSON_ARRAY : JSON_OBJECT;
        return get_members(u, tag, depth, v);
    }
    if (tag >= TAG_NULL && tag <= TAG_TRUE) {
        v->type = tag == TAG_NULL ? JSON_NULL : tag == TAG_TRUE ? JSON_TRUE : JSON_FALSE;
        return 0;
    }
    if (tag == TAG_INT)
        return get_number(u, v);
    if (tag == TAG_REAL)
        return get_real(u, v);
    v->type = JSON_STRING;
    return get_text(u, tag, &v->string);
}

int json_unpack(struct slice bytes, struct arena *arena, struct json_value **out, struct err *err)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct unpacker u;
    u.at = at;
    u.end = at + bytes.len;
    u.arena = arena;
    u.err = err;
    u.count = 0;
    *out = json_new(arena, JSON_NULL);
    int rc = *out ? get_value(&u, 1, *out) : nomem(&u);
    if (rc == 0 && u.at != u.end)
        rc = bad(&u, "something follows it");
    if (rc < 0)
        *out = NULL;
    return rc;
}
