#include "base/json.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* The reader and the writer against another library's, which runs in a process of its own (json_oracle.c): the two
 * have functions of the same names. */

static uint64_t draw(struct random_seeded *r, uint64_t below)
{
    return random_seeded_next(r) % below;
}

static void make_space(struct random_seeded *r, struct buf *b)
{
    while (draw(r, 6) == 0)
        buf_add_char(b, " \n\r\t"[draw(r, 4)]);
}

static void make_string(struct random_seeded *r, struct buf *b)
{
    static const char *const pieces[] = { "a",   "sku",     "qty",     "tea-oolong",   "\\n",      "\\\"",           "\\\\",
                                          "\\/", "\\u0041", "\\u8336", "\xE8\x8C\xB6", "\xC3\xA9", "\\ud83c\\udf75", "\xF0\x9F\x8D\xB5",
                                          " ",   "~",       "\\u0001", "unit_price",   "\x7F" };
    buf_add_char(b, '"');
    for (uint64_t n = draw(r, 5); n > 0; n--)
        buf_add_str(b, pieces[draw(r, sizeof pieces / sizeof *pieces)]);
    if (draw(r, 3) == 0)
        buf_printf(b, "%u", (unsigned)draw(r, 1000));
    buf_add_char(b, '"');
}

static void make_number(struct random_seeded *r, struct buf *b)
{
    static const char *const edges[] = {
        "0",        "-0",  "9223372036854775807", "-9223372036854775808",  "9223372036854775808", "1e308", "1e309", "1e-400",
        "-1.5E+10", "0.1", "123456789012345678",  "1.7976931348623159e308"
    };
    switch (draw(r, 4)) {
    case 0:
        buf_add_str(b, edges[draw(r, sizeof edges / sizeof *edges)]);
        break;
    case 1:
        buf_printf(b, "%lld.%u", (long long)draw(r, 100000) - 50000, (unsigned)draw(r, 1000));
        break;
    default:
        buf_add_int(b, (int64_t)(random_seeded_next(r) >> draw(r, 64)) * (draw(r, 2) ? 1 : -1));
        break;
    }
}

static void make_value(struct random_seeded *r, struct buf *b, int depth)
{
    static const char *const words[] = { "true", "false", "null" };
    uint64_t kind = draw(r, depth > 6 ? 3 : 5);
    make_space(r, b);
    if (kind == 0) {
        make_string(r, b);
    } else if (kind == 1) {
        make_number(r, b);
    } else if (kind == 2) {
        buf_add_str(b, words[draw(r, 3)]);
    } else {
        uint64_t n = draw(r, 20) == 0 ? draw(r, 40) : draw(r, 5);
        buf_add_char(b, kind == 3 ? '[' : '{');
        for (uint64_t i = 0; i < n; i++) {
            if (i)
                buf_add_char(b, ',');
            if (kind == 4) {
                make_space(r, b);
                make_string(r, b);
                make_space(r, b);
                buf_add_char(b, ':');
            }
            make_value(r, b, depth + 1);
        }
        make_space(r, b);
        buf_add_char(b, kind == 3 ? ']' : '}');
    }
    make_space(r, b);
}

/* One to three small injuries: bytes that matter put in, taken out or doubled. */
static void mutate(struct random_seeded *r, struct buf *b)
{
    static const char bytes[] = "{}[]\",:\\u0e.+-19tfn \n\x00\x1F\x80\xC3\xE8\xED\xF0\xFF'/";
    for (uint64_t n = draw(r, 3) + 1; n > 0 && b->len > 0; n--) {
        size_t at = (size_t)draw(r, b->len), run = (size_t)draw(r, 8) + 1;
        if (run > b->len - at)
            run = b->len - at;
        switch (draw(r, 5)) {
        case 0:
            b->data[at] = bytes[draw(r, sizeof bytes - 1)];
            break;
        case 1:
            memmove(b->data + at, b->data + at + run, b->len - at - run);
            b->len -= run;
            break;
        case 2:
            assert_non_null(buf_reserve(b, run));
            memmove(b->data + at + run, b->data + at, b->len - at);
            b->len += run;
            break;
        case 3:
            b->data[at] = (char)(b->data[at] ^ (1 << draw(r, 8)));
            break;
        default:
            if (draw(r, 8) == 0)
                b->len = at;
            break;
        }
    }
}

/* The form that json_oracle.c writes. */
static void put_canonical(struct buf *b, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL:
        buf_add_char(b, 'n');
        break;
    case JSON_FALSE:
        buf_add_char(b, 'f');
        break;
    case JSON_TRUE:
        buf_add_char(b, 't');
        break;
    case JSON_INT:
        buf_printf(b, "i%lld;", (long long)v->integer);
        break;
    case JSON_REAL: {
        char *text = strndup(v->string.data, v->string.len);
        assert_non_null(text);
        buf_printf(b, "r%a;", strtod(text, NULL));
        free(text);
        break;
    }
    case JSON_STRING:
        buf_printf(b, "s%zu:", v->string.len);
        buf_add_slice(b, v->string);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_printf(b, "%c%u:", v->type == JSON_ARRAY ? 'a' : 'o', v->count);
        for (const struct json_value *m = v->first; m; m = m->next) {
            if (v->type == JSON_OBJECT) {
                buf_printf(b, "s%zu:", m->key.len);
                buf_add_slice(b, m->key);
            }
            put_canonical(b, m);
        }
        break;
    }
}

/* A question is a length and a text; what we say of it is kept beside. */
struct trial {
    FILE *questions, *ours;
    unsigned accepted;
};

enum verdict { ACCEPTED = 'a', REFUSED = 'r', REFUSED_NUL_IN_NAME = 'z' };

static void put_record(FILE *f, struct slice s)
{
    uint32_t len = (uint32_t)s.len;
    assert_int_equal(fwrite(&len, sizeof len, 1, f), 1);
    assert_int_equal(fwrite(s.data, 1, s.len, f), s.len);
}

static struct slice get_record(FILE *f, struct buf *b)
{
    uint32_t len;
    buf_clear(b);
    assert_int_equal(fread(&len, sizeof len, 1, f), 1);
    char *room = buf_reserve(b, len);
    assert_non_null(room);
    assert_int_equal(fread(room, 1, len, f), len);
    b->len = len;
    return buf_slice(b);
}

/* Asks about text and, when we take it, about what we write for it: the two must mean the same to the oracle. */
static void ask(struct trial *t, struct slice text)
{
    struct arena a;
    struct json_value *v;
    struct err err;
    struct buf b, again;
    struct json_writer w;
    arena_init(&a, NULL, 0);
    buf_init(&b, NULL);
    buf_init(&again, NULL);
    char *copy = malloc(text.len ? text.len : 1); /* exact, so that the address sanitizer sees a read past the end */
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    int rc = json_parse(slice_of(copy, text.len), NULL, &a, &v, &err);
    buf_add_char(&b, rc == 0 ? ACCEPTED : REFUSED);
    if (rc == 0) {
        t->accepted++;
        put_canonical(&b, v);
    } else {
        buf_add_str(&b, err.text);
    }
    put_record(t->questions, text);
    put_record(t->ours, buf_slice(&b));
    if (rc == 0) {
        json_writer_init(&w, &again);
        json_value_write(&w, v);
        put_record(t->questions, buf_slice(&again));
        put_record(t->ours, buf_slice(&b));
    }
    free(copy);
    buf_release(&b);
    buf_release(&again);
    arena_release(&a);
}

/* They agree on every text, but for U+0000 in a name, which the oracle has no room for. */
static void compare(struct trial *t, FILE *answers)
{
    struct buf question, ours, theirs;
    buf_init(&question, NULL);
    buf_init(&ours, NULL);
    buf_init(&theirs, NULL);
    rewind(t->questions);
    rewind(t->ours);
    for (int c = getc(t->questions); c != EOF; c = getc(t->questions)) {
        ungetc(c, t->questions);
        struct slice text = get_record(t->questions, &question), mine = get_record(t->ours, &ours), other = get_record(answers, &theirs);
        if (other.data[0] == REFUSED_NUL_IN_NAME)
            continue;
        if (mine.data[0] == ACCEPTED ? !slice_eq(mine, other) : other.data[0] != REFUSED)
            fail_msg("on %.*s\nwe say %.*s,\nthe oracle says %.*s", SLICE_FMT(text), SLICE_FMT(mine), SLICE_FMT(other));
    }
    buf_release(&question);
    buf_release(&ours);
    buf_release(&theirs);
}

static void random_documents_and_their_injuries_mean_what_another_library_says(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    struct random_seeded r;
    struct buf b;
    char questions[] = "/tmp/feira-json-XXXXXX", command[1024];
    int fd = mkstemp(questions);
    assert_true(fd >= 0);
    struct trial t = { .questions = fdopen(fd, "w+"), .ours = tmpfile() };
    assert_non_null(t.questions);
    assert_non_null(t.ours);
    random_seeded_init(&r, 20261122);
    buf_init(&b, NULL);
    unsigned whole = 0;
    for (int i = 0; i < ROUNDS; i++) {
        buf_clear(&b);
        unsigned before = t.accepted;
        make_value(&r, &b, 0);
        ask(&t, buf_slice(&b));
        whole += t.accepted - before;
        mutate(&r, &b);
        ask(&t, buf_slice(&b));
    }
    /* Enough of both kinds must have been taken, or the comparison proves nothing. */
    assert_in_range(whole, ROUNDS / 2, ROUNDS - ROUNDS / 100);
    assert_in_range(t.accepted - whole, ROUNDS / 20, ROUNDS - ROUNDS / 4);
    assert_int_equal(fflush(t.questions), 0);
    snprintf(command, sizeof command, "'%s' < %s", JSON_ORACLE, questions);
    FILE *answers = popen(command, "r");
    assert_non_null(answers);
    compare(&t, answers);
    assert_int_equal(pclose(answers), 0);
    fclose(t.questions);
    fclose(t.ours);
    unlink(questions);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_documents_and_their_injuries_mean_what_another_library_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
