/* http/router.c - routes as a tree of path segments. A literal segment wins over a parameter; when that way leads nowhere the
 * parameter is tried. */
#include "http/http_int.h"
#include <stdio.h>
#include <stdlib.h>

struct node {
    struct slice literal; /* owned; empty for the root and for a parameter */
    struct node *children, *next, *parameter;
    void *routes[HTTP_METHODS];
    bool has[HTTP_METHODS]; /* a route may be NULL */
    bool any;
};

struct http_router {
    struct node root;
};

struct http_router *http_router_new(void)
{
    return calloc(1, sizeof(struct http_router));
}

static void free_children(struct node *n)
{
    for (struct node *c = n->children, *next; c; c = next) {
        next = c->next;
        free_children(c);
        free((char *)(uintptr_t)c->literal.data);
        free(c);
    }
    if (n->parameter)
        free_children(n->parameter);
    free(n->parameter);
}

void http_router_free(struct http_router *r)
{
    if (!r)
        return;
    free_children(&r->root);
    free(r);
}

/* --- adding ----------------------------------------------------------------------------------------------------- */

/* Cuts the first segment off what is left of a path: "" has none, "/" has an empty one. */
static bool next_segment(struct slice *path, struct slice *out)
{
    if (path->len == 0)
        return false;
    const char *p = path->data + 1, *end = path->data + path->len;
    const char *slash = memchr(p, '/', (size_t)(end - p));
    *out = slice_of(p, (size_t)((slash ? slash : end) - p));
    *path = slash ? slice_of(slash, (size_t)(end - slash)) : slice_of(end, 0);
    return true;
}

static struct slice after_root(struct slice path)
{
    return path.len == 1 ? slice_of(path.data, 0) : path;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_parameter(struct slice s)
{
    if (s.len < 3 || s.data[0] != '{' || s.data[s.len - 1] != '}')
        return false;
    for (size_t i = 1; i + 1 < s.len; i++)
        if (!is_name_char(s.data[i]))
            return false;
    return true;
}

static bool is_literal(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_name_char(s.data[i]) && !strchr("-._~:@", s.data[i]))
            return false;
    return s.len > 0 && !slice_is(s, ".") && !slice_is(s, "..");
}

static int check_pattern(const char *pattern, struct err *err)
{
    struct slice path = slice_str(pattern), segment;
    size_t params = 0;
    bool ok = path.len > 0 && path.data[0] == '/';
    path = after_root(path);
    while (ok && next_segment(&path, &segment)) {
        params += is_parameter(segment);
        ok = is_parameter(segment) || is_literal(segment);
    }
    if (!ok)
        return err_set(err, ERR_INVALID, "\"%s\" is not a route: write it like /v1/orders/{id}, where a parameter is a whole segment.",
                       pattern);
    size_t most = sizeof((struct http_request *)0)->params / sizeof((struct http_request *)0)->params[0];
    if (params > most)
        return err_set(err, ERR_INVALID, "The route \"%s\" has more than %zu parameters.", pattern, most);
    return 0;
}

static struct node *child(struct node *n, struct slice segment)
{
    for (struct node *c = n->children; c; c = c->next)
        if (slice_eq(c->literal, segment))
            return c;
    return NULL;
}

static struct node *make_child(struct node *n, struct slice segment)
{
    struct node *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (is_parameter(segment))
        return n->parameter = c;
    char *copy = strndup(segment.data, segment.len);
    if (!copy) {
        free(c);
        return NULL;
    }
    c->literal = slice_of(copy, segment.len);
    c->next = n->children;
    return n->children = c;
}

int http_router_add(struct http_router *r, enum http_method m, const char *pattern, void *route, struct err *err)
{
    int rc = check_pattern(pattern, err);
    if (rc < 0)
        return rc;
    struct node *n = &r->root;
    struct slice path = after_root(slice_str(pattern)), segment;
    while (next_segment(&path, &segment)) {
        struct node *c = is_parameter(segment) ? n->parameter : child(n, segment);
        n = c ? c : make_child(n, segment);
        if (!n)
            return err_set(err, ERR_NOMEM, "There is no memory for the route \"%s\".", pattern);
    }
    if (n->has[m])
        return err_set(err, ERR_INVALID, "The route %s %s is there already, or one that differs in the names of its parameters only.",
                       http_method_name(m), pattern);
    n->routes[m] = route;
    n->has[m] = n->any = true;
    return 0;
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

static struct node *find(struct node *n, struct slice path, struct http_request *req)
{
    struct slice raw;
    if (!next_segment(&path, &raw))
        return n->any ? n : NULL;
    struct strict_verdict v;
    struct slice segment = target_decode(req->arena, raw, &v);
    if (!segment.data || segment.len == 0)
        return NULL;
    struct node *c = child(n, segment);
    struct node *found = c ? find(c, path, req) : NULL;
    if (found || !n->parameter || req->param_count == sizeof req->params / sizeof req->params[0])
        return found;
    size_t at = req->param_count++;
    req->params[at] = segment;
    found = find(n->parameter, path, req);
    if (!found)
        req->param_count = at;
    return found;
}

static void list_methods(const struct node *n, char allow[64])
{
    allow[0] = '\0';
    for (int m = 0; m < HTTP_METHODS; m++)
        if (n->has[m] || m == HTTP_METHOD_OPTIONS || (m == HTTP_METHOD_HEAD && n->has[HTTP_METHOD_GET])) {
            if (*allow)
                strcat(allow, ", ");
            strcat(allow, http_method_name((enum http_method)m)); /* all of them and their commas take 46 bytes */
        }
}

int http_route(const struct http_router *r, struct http_request *req, char allow[64])
{
    req->route = NULL;
    req->param_count = 0;
    allow[0] = '\0';
    struct slice path = req->raw_path.data ? req->raw_path : req->path;
    struct node *n = path.len > 0 && path.data[0] == '/' ? find((struct node *)(uintptr_t)&r->root, after_root(path), req) : NULL;
    if (!n)
        return 404;
    enum http_method m = req->method;
    if (m == HTTP_METHOD_HEAD && !n->has[m])
        m = HTTP_METHOD_GET;
    if (n->has[m]) {
        req->route = n->routes[m];
        return 200;
    }
    list_methods(n, allow);
    return m == HTTP_METHOD_OPTIONS ? 204 : 405;
}
