/* Lua tables remember no lines, so a message about a value looks for it again in the text: along the constructor behind the last `return`
 * outside of functions. What it can't follow it doesn't guess at: then the line is that of the table around it. */
#include "rulebook/locate.h"

enum { DEPTH_MAX = 64 };

enum token_type { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct token {
    enum token_type type;
    struct slice text; /* of a string: what is between the quotes */
    int line;
};

struct scanner {
    const char *p, *end;
    int line;
    struct token now;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void step(struct scanner *s)
{
    s->line += *s->p == '\n';
    s->p++;
}

/* At "[[" or "[=[": passes to behind its end and gives what is inside. */
static bool long_string(struct scanner *s, struct slice *inside)
{
    const char *p = s->p + 1;
    size_t level = 0;
    while (p < s->end && *p == '=') {
        level++;
        p++;
    }
    if (s->p >= s->end || *s->p != '[' || p >= s->end || *p != '[')
        return false;
    while (s->p <= p)
        step(s);
    const char *first = s->p;
    for (; s->p < s->end; step(s)) {
        size_t n = 0;
        while (*s->p == ']' && s->p + n + 1 < s->end && n < level && s->p[n + 1] == '=')
            n++;
        if (*s->p == ']' && n == level && s->p + n + 1 < s->end && s->p[n + 1] == ']') {
            *inside = slice_of(first, (size_t)(s->p - first));
            s->p += level + 2;
            return true;
        }
    }
    *inside = slice_of(first, (size_t)(s->end - first));
    return true;
}

static void skip_space(struct scanner *s)
{
    struct slice inside;
    while (s->p < s->end) {
        if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n') {
            step(s);
        } else if (*s->p == '-' && s->p + 1 < s->end && s->p[1] == '-') {
            s->p += 2;
            if (!long_string(s, &inside))
                while (s->p < s->end && *s->p != '\n')
                    s->p++;
        } else {
            return;
        }
    }
}

static void quoted(struct scanner *s)
{
    char quote = *s->p;
    const char *first = ++s->p;
    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            step(s);
        step(s);
    }
    s->now.text = slice_of(first, (size_t)(s->p - first));
    if (s->p < s->end)
        s->p++;
}

static void advance(struct scanner *s)
{
    skip_space(s);
    s->now = (struct token){ .type = TOKEN_END, .text = { "", 0 }, .line = s->line };
    if (s->p >= s->end)
        return;
    const char *first = s->p;
    if (*s->p == '"' || *s->p == '\'') {
        s->now.type = TOKEN_STRING;
        quoted(s);
    } else if (*s->p == '[' && long_string(s, &s->now.text)) {
        s->now.type = TOKEN_STRING;
    } else if (is_word(*s->p)) {
        while (s->p < s->end && is_word(*s->p))
            s->p++;
        s->now = (struct token){ TOKEN_NAME, slice_of(first, (size_t)(s->p - first)), s->line };
    } else {
        s->p++;
        s->now = (struct token){ TOKEN_OTHER, slice_of(first, 1), s->line };
    }
}

static bool is(const struct scanner *s, const char *text)
{
    return s->now.type != TOKEN_STRING && s->now.type != TOKEN_END && slice_is(s->now.text, text);
}

static bool opens(const struct scanner *s)
{
    return is(s, "{") || is(s, "(") || is(s, "[") || is(s, "function") || is(s, "do") || is(s, "if") || is(s, "repeat");
}

static bool closes(const struct scanner *s)
{
    return is(s, "}") || is(s, ")") || is(s, "]") || is(s, "end") || is(s, "until");
}

/* To the comma behind a value, or to the end of its table. */
static void skip_value(struct scanner *s)
{
    int depth = 0;
    for (; s->now.type != TOKEN_END; advance(s)) {
        if (depth == 0 && (is(s, ",") || is(s, ";") || is(s, "}")))
            return;
        depth += opens(s) - closes(s);
    }
}

/* Reads `name =` or `["name"] =`. Without one the entry is one of a list, and the scanner stands where it did. */
static bool read_key(struct scanner *s, struct slice *key)
{
    struct scanner was = *s;
    bool named = s->now.type == TOKEN_NAME;
    *key = s->now.text;
    if (is(s, "[")) {
        advance(s);
        named = s->now.type == TOKEN_STRING;
        *key = s->now.text;
        advance(s);
        named = named && is(s, "]");
    }
    if (named) {
        advance(s);
        if (is(s, "=")) {
            advance(s);
            if (!is(s, "=")) /* it was no comparison */
                return true;
        }
    }
    *s = was;
    return false;
}

/* The scanner stands behind the brace. Leaves it on the value of the member; *line is the line of its name. */
static bool find_member(struct scanner *s, const struct place *member, int *line)
{
    uint32_t n = 0;
    while (s->now.type != TOKEN_END && !is(s, "}")) {
        struct slice key;
        int at = s->now.line;
        bool named = read_key(s, &key);
        bool found = named ? member->name.len && slice_eq(key, member->name) : !member->name.len && ++n == member->index;
        if (found) {
            *line = at;
            return true;
        }
        skip_value(s);
        if (is(s, ",") || is(s, ";"))
            advance(s);
    }
    return false;
}

/* Behind the last `return` that is not inside of anything. */
static bool find_return(struct slice source, struct scanner *out)
{
    struct scanner s = { .p = source.data, .end = source.data + source.len, .line = 1 };
    bool found = false;
    int depth = 0;
    for (advance(&s); s.now.type != TOKEN_END; advance(&s)) {
        depth += opens(&s) - closes(&s);
        if (depth == 0 && is(&s, "return")) {
            *out = s;
            found = true;
        }
    }
    return found;
}

int locate_line(struct slice source, const struct place *at)
{
    const struct place *chain[DEPTH_MAX];
    struct scanner s;
    int n = 0, line;
    if (source.len == 0 || !find_return(source, &s))
        return 0;
    line = s.now.line;
    for (; at && (at->name.len || at->index) && n < DEPTH_MAX; at = at->up)
        chain[n++] = at;
    advance(&s);
    while (n > 0 && is(&s, "{")) {
        advance(&s);
        if (!find_member(&s, chain[--n], &line))
            break;
    }
    return line;
}
