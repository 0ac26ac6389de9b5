#include "rulebook/manifest.h"
#include "rulebook/catalogue.h"
#include "rulebook/manifest_int.h"
#include "vm/vm.h"
#include <assert.h>
#include <stdio.h>

/* A manifest of the size of a long book chapter fits; a loop or a bomb ends within a millisecond or two. */
enum { FUEL = 300000, MEMORY_SOFT = 4 << 20, TREE_MAX = 16 << 20 };

static const char *const known[] = { "name",     "version",     "api",       "title",   "about",          "needs",
                                     "settings", "collections", "inputs",    "events",  "routes",         "procedures",
                                     "on",       "timers",      "campaigns", "pricing", "shipping_rates", "tax_rates",
                                     "facts",    "checks",      "payments",  "after",   "before",         NULL };

/* --- evaluation ------------------------------------------------------------------------------------------------------------ */

/* Functions stand as {"fn": n} in the tree; says where the first one is. 0 when it is not in here. */
static int refuse_function(const struct reader *r, const struct place *at, const struct json_value *v)
{
    int64_t n;
    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
        return 0;
    if (v->count == 1 && json_is_int(json_get(v, "fn"), &n) && n == 1)
        return reader_fail(
            r, at,
            "is a function, but this file is data only; put the function into rules.lua or events.lua and name it here, like "
            "run = \"rules.price\"");
    uint32_t i = 0;
    int rc = 0;
    for (const struct json_value *m = v->first; m && rc == 0; m = m->next) {
        struct place here = v->type == JSON_OBJECT ? place_named(at, m->key) : place_nth(at, ++i);
        rc = refuse_function(r, &here, m);
    }
    return rc;
}

static int to_tree(struct vm *vm, vm_ref ref, const struct reader *r, struct json_value **out)
{
    const struct place root = { 0 };
    int rc = vm_to_json(vm, ref, r->arena, out, r->err);
    if (rc == ERR_SCRIPT)
        return err_wrap(r->err, "%s", r->file);
    return rc < 0 || vm_function_count(vm) == 0 ? rc : refuse_function(r, &root, *out);
}

static int evaluate(struct slice source, const struct reader *r, const struct alloc *alloc, struct json_value **out)
{
    struct vm_options o = { .memory_soft_bytes = MEMORY_SOFT, .fuel = FUEL, .alloc = alloc, .bare = true };
    struct vm *vm;
    vm_ref ref;
    if (source.len > MANIFEST_SOURCE_MAX)
        return err_set(r->err, ERR_TOO_LARGE, "%s: has %zu bytes; a manifest has at most %d", r->file, source.len, MANIFEST_SOURCE_MAX);
    int rc = vm_open(&o, &vm, r->err);
    if (rc < 0)
        return rc;
    rc = vm_run(vm, source, r->file, &ref, r->err);
    if (rc == ERR_SCRIPT && strstr(r->err->text, "attempt to"))
        rc = err_set(r->err, rc, "%.380s; the file is data only: there is nothing in it to call or to look up", r->err->text);
    if (rc == 0 && !ref)
        rc = err_set(r->err, ERR_INVALID, "%s: returns nothing; write return { name = ..., version = ..., api = 1, ... }", r->file);
    if (rc == 0)
        rc = to_tree(vm, ref, r, out);
    vm_close(vm);
    return rc;
}

/* --- name, version, api ------------------------------------------------------------------------------------------------- */

bool plugin_name_is(struct slice s)
{
    return name_is(s, '-', 32);
}

static int read_name(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    struct place here = place_in(at, "name");
    int rc = reader_text(r, at, v, "name", true, &m->name);
    if (rc < 0)
        return rc;
    if (!plugin_name_is(slice_str(m->name)))
        return reader_fail(r, &here, "is no name of a plugin; use at most 32 small letters, digits and single -, like group-buy");
    if (catalogue_is_core(slice_str(m->name)))
        return reader_fail(r, &here, "is the name of a part of the shop itself; choose another");
    struct slice file = slice_str(r->file);
    static const char head[] = "plugins/", tail[] = "/plugin.lua";
    if (file.len <= sizeof head + sizeof tail - 2 || memcmp(file.data, head, sizeof head - 1) != 0 ||
        memcmp(file.data + file.len - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return 0;
    struct slice folder = slice_of(file.data + sizeof head - 1, file.len - (sizeof head + sizeof tail - 2));
    if (!slice_is(folder, m->name))
        return reader_fail(r, &here, "is \"%s\", but the folder is %.*s; make them the same", m->name, SLICE_FMT(folder));
    return 0;
}

static bool read_number(const char **p, int64_t *out)
{
    const char *s = *p;
    if (*s == '0' && s[1] >= '0' && s[1] <= '9')
        return false;
    *out = 0;
    for (; *s >= '0' && *s <= '9' && s - *p < 9; s++)
        *out = *out * 10 + (*s - '0');
    bool any = s > *p;
    *p = s;
    return any;
}

static bool read_pre(const char *s)
{
    for (const char *part = s;; s++) {
        bool word = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '-';
        if (word)
            continue;
        if (s == part || (*s && *s != '.'))
            return false;
        if (!*s)
            return true;
        part = s + 1;
    }
}

static int read_version(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    struct place here = place_in(at, "version");
    int rc = reader_text(r, at, v, "version", true, &m->version_text);
    if (rc < 0)
        return rc;
    const char *p = m->version_text;
    m->version.pre = "";
    bool fine = read_number(&p, &m->version.major) && *p++ == '.' && read_number(&p, &m->version.minor) && *p++ == '.' &&
                read_number(&p, &m->version.patch);
    if (fine && *p == '-') {
        m->version.pre = ++p;
        fine = read_pre(p);
        p += strlen(p);
    }
    if (!fine || *p)
        return reader_fail(r, &here, "is no version; write three numbers, like \"1.0.0\"");
    return 0;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Parts that are numbers come before words and by value; a version without any comes after those with. */
static int compare_pre(const char *a, const char *b)
{
    if (!*a || !*b)
        return !*a - !*b;
    while (*a && *b) {
        size_t la = strcspn(a, "."), lb = strcspn(b, ".");
        bool na = strspn(a, "0123456789") >= la, nb = strspn(b, "0123456789") >= lb;
        int c = na != nb         ? (na ? -1 : 1)
                : na && la != lb ? compare_numbers((int64_t)la, (int64_t)lb)
                                 : slice_cmp(slice_of(a, la), slice_of(b, lb));
        if (c)
            return c < 0 ? -1 : 1;
        a += la + (a[la] == '.');
        b += lb + (b[lb] == '.');
    }
    return (*a != 0) - (*b != 0);
}

int version_compare(const struct version *a, const struct version *b)
{
    int c = compare_numbers(a->major, b->major);
    c = c ? c : compare_numbers(a->minor, b->minor);
    c = c ? c : compare_numbers(a->patch, b->patch);
    return c ? c : compare_pre(a->pre, b->pre);
}

static int read_api(const struct reader *r, const struct place *at, const struct json_value *v)
{
    struct place here = place_in(at, "api");
    bool given;
    int64_t api = 0;
    int rc = reader_int(r, at, v, "api", &given, &api);
    if (rc < 0)
        return rc;
    if (!given)
        return reader_fail(r, at, "lacks api; write api = %d", MANIFEST_API);
    if (api > MANIFEST_API)
        return reader_fail(r, &here, "is %lld, but this program knows %d only; use a newer program", (long long)api, MANIFEST_API);
    return api == MANIFEST_API ? 0 : reader_fail(r, &here, "must be %d", MANIFEST_API);
}

int manifest_read_plugins(const struct reader *r, const struct place *at, const struct json_value *v, const char *key,
                          const char *const **out)
{
    const struct json_value *list = json_get(v, key), *p = NULL;
    struct place here = place_in(at, key);
    uint32_t n = 0, i = 0;
    int rc = list ? reader_list(r, &here, list, 64, &p, &n) : 0;
    if (rc < 0)
        return rc;
    const char **names = arena_array(r->arena, n + 1, sizeof *names);
    if (!names)
        return reader_nomem(r);
    for (; p; p = p->next, i++) {
        struct place nth = place_nth(&here, i + 1);
        rc = reader_sentence(r, &nth, p, &names[i]);
        if (rc < 0)
            return rc;
        if (!plugin_name_is(slice_str(names[i])))
            return reader_fail(r, &nth, "is no name of a plugin; write it like \"group-buy\"");
    }
    *out = names;
    return 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------- */

static int read_values(const struct reader *r, const struct place *root, const struct json_value *v, struct manifest *m)
{
    const struct json_value *settings = json_get(v, "settings"), *inputs = json_get(v, "inputs");
    struct place in_settings = place_in(root, "settings"), in_inputs = place_in(root, "inputs");
    int rc = settings ? values_read(r, &in_settings, settings, VALUES_SETTINGS, &m->settings, &m->setting_count) : 0;
    if (rc == 0 && inputs)
        rc = values_read(r, &in_inputs, inputs, VALUES_WIRE, &m->inputs, &m->input_count);
    if (rc < 0)
        return rc;
    m->input_schema = values_schema(m->inputs, m->input_count, r->arena);
    return m->input_schema ? 0 : reader_nomem(r);
}

static int read_head(const struct reader *r, const struct place *root, const struct json_value *v, struct manifest *m)
{
    if (v->type != JSON_OBJECT)
        return reader_fail(r, root, "must return a table with names, as in return { name = \"...\", ... }");
    int rc = reader_known(r, root, v, known);
    if (rc == 0)
        rc = read_name(r, root, v, m);
    if (rc == 0)
        rc = read_version(r, root, v, m);
    if (rc == 0)
        rc = read_api(r, root, v);
    if (rc == 0)
        rc = reader_text(r, root, v, "title", true, &m->title);
    if (rc == 0)
        rc = reader_text(r, root, v, "about", false, &m->about);
    if (rc == 0)
        rc = manifest_read_plugins(r, root, v, "after", &m->after);
    return rc < 0 ? rc : manifest_read_plugins(r, root, v, "before", &m->before);
}

static int read_all(const struct reader *r, const struct json_value *v, struct manifest *m)
{
    static const struct {
        const char *key;
        int (*read)(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m);
    } sections[] = { { "needs", manifest_read_needs }, { "collections", manifest_read_collections }, { "events", manifest_read_events } };
    const struct place root = { 0 };
    int rc = read_head(r, &root, v, m);
    for (size_t i = 0; i < sizeof sections / sizeof *sections && rc == 0; i++) {
        const struct json_value *part = json_get(v, sections[i].key);
        struct place here = place_in(&root, sections[i].key);
        if (part)
            rc = sections[i].read(r, &here, part, m);
    }
    if (rc == 0)
        rc = read_values(r, &root, v, m);
    return rc < 0 ? rc : manifest_read_hooks(r, &root, v, m);
}

int manifest_read(struct slice source, const char *file, const struct alloc *alloc, struct manifest **out, struct err *err)
{
    *out = NULL;
    struct arena arena;
    arena_init(&arena, alloc, TREE_MAX);
    struct err none;
    struct reader r = { .arena = &arena, .file = arena_strdup(&arena, slice_str(file)), .err = err ? err : &none, .source = source };
    struct manifest *m = arena_zalloc(&arena, sizeof *m);
    struct json_value *tree = NULL;
    int rc = m && r.file ? 0 : err_set(err, ERR_NOMEM, "there is not enough memory to read %s", file);
    if (rc == 0)
        rc = evaluate(source, &r, alloc, &tree);
    if (rc == 0) {
        m->file = r.file;
        m->tree = tree;
        rc = read_all(&r, tree, m);
    }
    if (rc < 0) {
        arena_release(&arena);
        return rc;
    }
    m->arena = arena;
    *out = m;
    return 0;
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    struct arena arena = m->arena; /* m itself lives in it */
    arena_release(&arena);
}

const struct hook *manifest_hook(const struct manifest *m, enum hook_kind kind, struct slice name)
{
    for (size_t i = m->hook_first[kind]; i < m->hook_first[kind + 1]; i++)
        if (slice_is(name, m->hooks[i].name))
            return &m->hooks[i];
    return NULL;
}

bool manifest_is_provider(const struct manifest *m)
{
    return m->hook_first[HOOK_PAYMENT + 1] > m->hook_first[HOOK_PAYMENT];
}

const struct collection *manifest_collection(const struct manifest *m, struct slice name)
{
    for (size_t i = 0; i < m->collection_count; i++)
        if (slice_is(name, m->collections[i].name))
            return &m->collections[i];
    return NULL;
}

int manifest_settings(const struct manifest *m, const struct settle *s, const struct json_value *given, struct buf *out)
{
    const struct place root = { 0 };
    struct place plugins = place_in(&root, "plugins"), here = place_in(&plugins, m->name);
    struct json_writer w;
    json_writer_init(&w, out);
    int rc = values_settle(s, &here, m->settings, m->setting_count, given, &w);
    return rc < 0 ? rc : out->failed ? reader_nomem(&s->reader) : 0;
}
