#include "host/admin/audit.h"
#include "base/zone.h"
#include "host/api/auth.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the chain -------------------------------------------------------------------------------------------------------------- */

static void chain(const unsigned char before[SHA256_BYTES], struct slice entry, unsigned char out[SHA256_BYTES])
{
    struct sha256 *h = sha256_new();
    if (!h)
        abort(); /* as where libcrypto can't hash: an entry without its hash would be worse */
    sha256_add(h, slice_of((const char *)before, SHA256_BYTES));
    sha256_add(h, entry);
    sha256_end(h, out);
}

static int64_t time_of(struct slice entry)
{
    struct arena a;
    struct json_value *v;
    struct slice at;
    int64_t ms = 0;
    arena_init(&a, NULL, 0);
    if (json_parse(entry, NULL, &a, &v, NULL) == 0 && json_is_string(json_get(v, "at"), &at) && timestamp_parse(at, &ms, NULL) < 0)
        ms = 0;
    arena_release(&a);
    return ms;
}

static int read_row(struct store_stmt *q, struct audit_head *out, struct err *err)
{
    struct slice hash = store_column_text(q, 2);
    out->count = store_column_int(q, 0);
    out->at_ms = time_of(store_column_text(q, 1));
    if (hash.len != SHA256_BYTES)
        return err_set(err, ERR_CORRUPT, "Entry %lld of the audit log has no hash.", (long long)out->count);
    memcpy(out->hash, hash.data, SHA256_BYTES);
    return 0;
}

int audit_head(struct store_conn *conn, struct audit_head *out, struct err *err)
{
    struct store_stmt *q;
    *out = (struct audit_head){ 0 };
    int rc = store_prepare(conn, "SELECT seq, entry, hash FROM audit ORDER BY seq DESC LIMIT 1", &q, err);
    if (rc < 0 || (rc = store_step(q, err)) != 1)
        return rc;
    rc = read_row(q, out, err);
    store_reset(q);
    return rc;
}

static void write_entry(const struct audit_entry *e, int64_t seq, int64_t at_ms, struct buf *out)
{
    char at[TIMESTAMP_MAX];
    struct json_writer w;
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "seq");
    json_int(&w, seq);
    json_key(&w, "at");
    json_string(&w, slice_of(at, timestamp_format(at_ms, at)));
    json_key(&w, "actor");
    json_str(&w, e->actor);
    json_key(&w, "action");
    json_str(&w, e->action);
    json_key(&w, "subject");
    json_string(&w, e->subject.data ? e->subject : SLICE_LIT(""));
    if (e->details.data) {
        json_key(&w, "details");
        json_raw(&w, e->details);
    }
    json_object_end(&w);
}

static int insert(struct store_conn *conn, int64_t seq, struct slice entry, const unsigned char hash[SHA256_BYTES], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "INSERT INTO audit (seq, entry, hash) VALUES (?1, ?2, ?3)", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, seq);
    store_bind_text(q, 2, entry);
    store_bind_blob(q, 3, slice_of((const char *)hash, SHA256_BYTES));
    return store_run(q, NULL, err);
}

int audit_append(struct store_conn *conn, const struct audit_entry *e, struct err *err)
{
    struct audit_head head;
    unsigned char hash[SHA256_BYTES];
    struct buf entry;
    int rc = audit_head(conn, &head, err);
    if (rc < 0)
        return rc;
    buf_init(&entry, NULL);
    write_entry(e, head.count + 1, e->at_ms > head.at_ms ? e->at_ms : head.at_ms, &entry);
    rc = entry.failed ? err_set(err, ERR_NOMEM, "The shop is short of memory; try again.") : 0;
    if (rc == 0) {
        chain(head.hash, buf_slice(&entry), hash);
        rc = insert(conn, head.count + 1, buf_slice(&entry), hash, err);
    }
    buf_release(&entry);
    return rc;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

/* Somebody may have written into the table by hand; what is answered is JSON all the same. */
static void write_kept(struct slice entry, struct json_writer *w)
{
    struct arena a;
    struct json_value *v;
    arena_init(&a, NULL, 0);
    if (json_parse(entry, NULL, &a, &v, NULL) == 0)
        json_raw(w, entry);
    else
        json_string(w, entry);
    arena_release(&a);
}

int audit_write(struct store_conn *conn, int64_t before, int64_t limit, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT seq, entry, hash FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, before);
    store_bind_int(q, 2, limit);
    while ((rc = store_step(q, err)) == 1) {
        char hex[2 * SHA256_BYTES];
        struct slice hash = store_column_text(q, 2);
        bool whole = hash.len == SHA256_BYTES;
        if (whole)
            hex_encode(hash.data, hash.len, hex);
        json_object(w);
        json_key(w, "entry");
        write_kept(store_column_text(q, 1), w);
        json_key(w, "hash");
        json_string(w, whole ? slice_of(hex, sizeof hex) : SLICE_LIT(""));
        json_object_end(w);
    }
    return rc;
}

/* --- is it whole? ---------------------------------------------------------------------------------------------------------------- */

static int wrong(struct err *err, int64_t seq, const char *what)
{
    return err_reason(err, ERR_CORRUPT, "audit_broken", "The audit log is not as it was written: entry %lld %s.", (long long)seq, what);
}

/* The number stands in the entry, too: it can't be renumbered without changing it. */
static int check_number(struct slice entry, int64_t seq, struct err *err)
{
    struct arena a;
    struct json_value *v;
    int64_t n = 0;
    arena_init(&a, NULL, 0);
    bool fine = json_parse(entry, NULL, &a, &v, NULL) == 0 && json_is_int(json_get(v, "seq"), &n) && n == seq;
    arena_release(&a);
    return fine ? 0 : wrong(err, seq, "was moved or changed");
}

static int check_row(struct store_stmt *q, struct audit_head *head, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    int64_t seq = store_column_int(q, 0);
    struct slice entry = store_column_text(q, 1), kept = store_column_text(q, 2);
    if (seq != head->count + 1)
        return wrong(err, head->count + 1, "is missing");
    chain(head->hash, entry, hash);
    if (kept.len != SHA256_BYTES || memcmp(kept.data, hash, SHA256_BYTES) != 0)
        return wrong(err, seq, "or the one before it was changed, or entries were moved");
    int rc = check_number(entry, seq, err);
    if (rc < 0)
        return rc;
    head->count = seq;
    head->at_ms = time_of(entry);
    memcpy(head->hash, hash, SHA256_BYTES);
    return 0;
}

int audit_verify(struct store_conn *conn, struct audit_head *out, struct err *err)
{
    struct store_stmt *q;
    *out = (struct audit_head){ 0 };
    int rc = store_prepare(conn, "SELECT seq, entry, hash FROM audit ORDER BY seq", &q, err);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        rc = check_row(q, out, err);
        if (rc < 0) {
            store_reset(q);
            return rc;
        }
    }
    return rc;
}

int audit_verify_head(struct store_conn *conn, const struct audit_head *earlier, struct err *err)
{
    struct store_stmt *q;
    if (earlier->count == 0)
        return 0;
    int rc = store_prepare(conn, "SELECT hash FROM audit WHERE seq = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, earlier->count);
    rc = store_step(q, err);
    if (rc < 0)
        return rc;
    struct slice hash = rc == 1 ? store_column_text(q, 0) : (struct slice){ 0 };
    bool same = hash.len == SHA256_BYTES && memcmp(hash.data, earlier->hash, SHA256_BYTES) == 0;
    store_reset(q);
    if (rc == 0)
        return err_reason(err, ERR_CORRUPT, "audit_cut", "The audit log was cut off: it had %lld entries, and entry %lld is not there.",
                          (long long)earlier->count, (long long)earlier->count);
    return same ? 0
                : err_reason(err, ERR_CORRUPT, "audit_replaced", "The audit log is another one: its entry %lld is not the one it had.",
                             (long long)earlier->count);
}

/* --- heads outside of the store ---------------------------------------------------------------------------------------------------- */

#define PURPOSE "audit-head"

void audit_head_format(const struct auth *a, const struct audit_head *h, char out[AUDIT_HEAD_TEXT_MAX])
{
    char at[TIMESTAMP_MAX], hex[2 * SHA256_BYTES], mac_hex[2 * SHA256_BYTES];
    unsigned char mac[SHA256_BYTES];
    size_t at_len = timestamp_format(h->at_ms, at);
    hex_encode(h->hash, SHA256_BYTES, hex);
    int n = snprintf(out, AUDIT_HEAD_TEXT_MAX, "feira-audit %lld %.*s %.*s", (long long)h->count, (int)at_len, at, (int)sizeof hex, hex);
    auth_sign(a, PURPOSE, slice_of(out, (size_t)n), mac);
    hex_encode(mac, sizeof mac, mac_hex);
    snprintf(out + n, AUDIT_HEAD_TEXT_MAX - (size_t)n, " %.*s", (int)sizeof mac_hex, mac_hex);
}

static bool word(struct slice *text, struct slice *out)
{
    const char *end = memchr(text->data, ' ', text->len);
    size_t n = end ? (size_t)(end - text->data) : text->len;
    *out = slice_of(text->data, n);
    *text = slice_of(text->data + n + (end != NULL), text->len - n - (end != NULL));
    return n > 0;
}

static bool number(struct slice text, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *out > INT64_MAX / 10 - 1)
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return text.len > 0;
}

int audit_head_parse(const struct auth *a, struct slice text, struct audit_head *out, struct err *err)
{
    struct slice rest = text, name, count, at, hex, mac_hex;
    unsigned char mac[SHA256_BYTES], given[SHA256_BYTES];
    *out = (struct audit_head){ 0 };
    while (rest.len && (rest.data[rest.len - 1] == '\n' || rest.data[rest.len - 1] == '\r'))
        rest.len--;
    struct slice whole = rest;
    bool fine = word(&rest, &name) && slice_is(name, "feira-audit") && word(&rest, &count) && number(count, &out->count) &&
                word(&rest, &at) && timestamp_parse(at, &out->at_ms, NULL) == 0 && word(&rest, &hex) && hex.len == 2 * SHA256_BYTES &&
                hex_decode(hex, out->hash) == SHA256_BYTES && word(&rest, &mac_hex) && mac_hex.len == 2 * SHA256_BYTES &&
                hex_decode(mac_hex, given) == SHA256_BYTES && rest.len == 0;
    if (!fine)
        return err_set(err, ERR_INVALID, "This is no head of an audit log; feira audit SHOP --head prints one.");
    auth_sign(a, PURPOSE, slice_of(whole.data, whole.len - mac_hex.len - 1), mac);
    return crypto_equal(mac, given, sizeof mac)
               ? 0
               : err_set(err, ERR_DENIED, "This head of an audit log is another shop's, or was changed: its signature is not this shop's.");
}

int audit_head_save(const struct auth *a, const struct audit_head *h, const char *path, struct err *err)
{
    char text[AUDIT_HEAD_TEXT_MAX + 1], part[4200];
    audit_head_format(a, h, text);
    strcat(text, "\n");
    snprintf(part, sizeof part, "%.4180s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && rename(part, path) == 0;
    if (!fine)
        err_set(err, ERR_IO, "%s can't be written: %s.", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return fine ? 0 : ERR_IO;
}

int audit_head_load(const struct auth *a, const char *path, struct audit_head *out, struct err *err)
{
    char text[AUDIT_HEAD_TEXT_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "There is no %s.", path)
                               : err_set(err, ERR_IO, "%s can't be read: %s.", path, strerror(errno));
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    return n < 0 ? err_set(err, ERR_IO, "%s can't be read: %s.", path, strerror(errno))
                 : audit_head_parse(a, slice_of(text, (size_t)n), out, err);
}
