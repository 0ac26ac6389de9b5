/* Where rows and facts meet: a fact is made of a customer's rows, so a change of such a row is a change of what rules may know of the
 * customer. Quotes remember the version they read; an order that was priced on an older one is priced again. */
#include "bind/collections_int.h"

struct cell *facts_touched(const struct door *d, const struct cell *cells)
{
    const struct bind_grant *g = d->grant;
    if (g->projected_count == 0)
        return NULL;
    struct cell *out = door_alloc(d, g->projected_count, sizeof *out);
    for (size_t i = 0; i < g->projected_count; i++)
        out[i] = cells[g->projected[i]];
    return out;
}

/* A customer that the shop does not know has no version, and no quotes. */
static void bump(const struct door *d, struct slice customer)
{
    struct store_stmt *s;
    struct err err = { 0 };
    vm_charge(d->L, 200);
    int rc = store_prepare(d->ctx->conn, "UPDATE customers SET version = version + 1 WHERE customer = ?1", &s, &err);
    if (rc == 0) {
        store_bind_text(s, 1, customer);
        rc = store_run(s, NULL, &err);
    }
    if (rc < 0)
        bind_raise(d->L, &err);
}

static bool has(const struct cell *list, size_t n, struct slice customer)
{
    for (size_t i = 0; list && i < n; i++)
        if (list[i].kind == CELL_TEXT && slice_eq(list[i].text, customer))
            return true;
    return false;
}

void facts_changed(const struct door *d, const struct cell *before, const struct cell *after)
{
    size_t n = d->grant->projected_count;
    for (size_t i = 0; before && i < n; i++)
        if (before[i].kind == CELL_TEXT && !has(before, i, before[i].text))
            bump(d, before[i].text);
    for (size_t i = 0; after && i < n; i++)
        if (after[i].kind == CELL_TEXT && !has(after, i, after[i].text) && !has(before, n, after[i].text))
            bump(d, after[i].text);
}

void collection_push_rows(lua_State *L, struct bind_context *c, const struct collection *rows, const struct collection_field *by,
                          struct slice customer, int max)
{
    struct door d = { .L = L, .ctx = c, .shape = rows, .method = "rows" };
    int n = door_list(&d, owned_statement(&d, by->name, customer, (int64_t)max + 1));
    if (n > max)
        door_fail(&d, "a fact is made of at most %d rows of a customer, and there are more; keep what it needs in fewer", max);
}
