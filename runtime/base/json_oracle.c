/* json_oracle - what another JSON library makes of the texts on standard input, for json_oracle_test.c. A text is its
 * length (uint32, this machine's order) and its bytes; an answer likewise: 'a' and the value in a plain form, 'r' for
 * refused, 'z' for refused only because a name holds U+0000. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_string(FILE *out, const char *s, size_t len)
{
    fprintf(out, "s%zu:", len);
    fwrite(s, 1, len, out);
}

static void put_canonical(FILE *out, json_t *v)
{
    size_t i;
    json_t *member;
    const char *key;
    switch (json_typeof(v)) {
    case JSON_NULL:
        putc('n', out);
        break;
    case JSON_FALSE:
        putc('f', out);
        break;
    case JSON_TRUE:
        putc('t', out);
        break;
    case JSON_INTEGER:
        fprintf(out, "i%lld;", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        fprintf(out, "r%a;", json_real_value(v));
        break;
    case JSON_STRING:
        put_string(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_ARRAY:
        fprintf(out, "a%zu:", json_array_size(v));
        json_array_foreach(v, i, member) put_canonical(out, member);
        break;
    case JSON_OBJECT:
        fprintf(out, "o%zu:", json_object_size(v));
        json_object_foreach(v, key, member)
        {
            put_string(out, key, strlen(key));
            put_canonical(out, member);
        }
        break;
    }
}

int main(void)
{
    uint32_t len;
    while (fread(&len, sizeof len, 1, stdin) == 1) {
        char *text = malloc(len ? len : 1), *answer = NULL;
        size_t answer_len = 0;
        json_error_t error;
        if (!text || fread(text, 1, len, stdin) != len)
            return 2;
        FILE *out = open_memstream(&answer, &answer_len);
        if (!out)
            return 2;
        /* The library takes a zero byte after a value for the end of the text; no JSON text holds one. */
        bool zero = len && memchr(text, 0, len);
        json_t *v = zero ? NULL : json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (v) {
            putc('a', out);
            put_canonical(out, v);
        } else {
            putc(!zero && json_error_code(&error) == json_error_null_byte_in_key ? 'z' : 'r', out);
        }
        fclose(out);
        len = (uint32_t)answer_len;
        fwrite(&len, sizeof len, 1, stdout);
        fwrite(answer, 1, answer_len, stdout);
        json_decref(v);
        free(answer);
        free(text);
    }
    return 0;
}
