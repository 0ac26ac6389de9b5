/* Plans: which statements lead from the tables that are there to those a manifest names. SQL of the common subset. */
#include "rulebook/collections.h"
#include "crypto/crypto.h"
#include "rulebook/shape.h"
#include <inttypes.h>
#include <stdio.h>

enum { STATEMENTS_MAX = COLLECTIONS_MAX * (COLLECTION_FIELDS_MAX + COLLECTION_INDEXES_MAX + 1), COLUMNS_MAX = 200, INDEX_NAME = 24 };

struct planning {
    const struct manifest *m;
    const char *plugin;
    struct arena *arena;
    struct shape old, new;
    const char **statements, **uniques; /* side by side */
    size_t count, cap;
    const char **hidden;
    size_t hidden_count;
    struct err *err;
};

static int nomem(const struct planning *p)
{
    return err_set(p->err, ERR_NOMEM, "there is not enough memory for the collections of %s", p->plugin);
}

static int refuse(const struct planning *p, const char *path, const char *text)
{
    return err_field(p->err, ERR_INVALID, path, "%s: %s: %s", p->m->file, path, text);
}

/* Takes the text of b as a statement; b is empty then. */
static int add(struct planning *p, struct buf *b)
{
    const char *text = b->failed ? NULL : arena_strdup(p->arena, buf_slice(b));
    buf_release(b);
    if (!text || p->count == p->cap)
        return nomem(p);
    p->uniques[p->count] = NULL;
    p->statements[p->count++] = text;
    return 0;
}

static const char *table_name(const struct planning *p, struct slice collection)
{
    char *text = arena_strdup(p->arena, arena_printf(p->arena, "p_%s__%.*s", p->plugin, SLICE_FMT(collection)));
    for (char *c = text; c && *c; c++)
        if (*c == '-')
            *c = '_';
    return text;
}

/* --- statements ------------------------------------------------------------------------------------------------------------------ */

static void write_column(struct buf *b, const struct collection_field *f)
{
    buf_printf(b, "\"%s\" %s", f->name, field_is_text(f->type) ? "TEXT" : "INTEGER");
    if (!f->has_default)
        return;
    if (!field_is_text(f->type)) {
        buf_printf(b, " DEFAULT %" PRId64, f->default_int);
        return;
    }
    buf_add_str(b, " DEFAULT '");
    for (size_t i = 0; i < f->default_text.len; i++) {
        if (f->default_text.data[i] == '\'')
            buf_add_char(b, '\'');
        buf_add_char(b, f->default_text.data[i]);
    }
    buf_add_char(b, '\'');
}

/* From what it indexes, so that it is the same whatever came before; short, because engines cut long names. */
static bool index_name(const char *table, const struct shape_index *x, bool unique, char out[INDEX_NAME])
{
    struct buf b;
    unsigned char digest[SHA256_BYTES];
    buf_init(&b, NULL);
    buf_printf(&b, "%s %s", table, unique ? "unique" : "index");
    for (size_t i = 0; i < x->count; i++)
        buf_printf(&b, " %.*s", SLICE_FMT(x->names[i]));
    bool fine = !b.failed;
    crypto_sha256(buf_slice(&b), digest);
    buf_release(&b);
    memcpy(out, "px_", 3);
    hex_encode(digest, 8, out + 3);
    out[19] = '\0';
    return fine;
}

/* Of the statement that was added last. */
static int name_unique(struct planning *p, const char *table, const struct shape_index *x)
{
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "collections.%s.unique: {", table + strlen("p_") + strlen(p->plugin) + strlen("__"));
    for (size_t i = 0; i < x->count; i++)
        buf_printf(&b, "%s \"%.*s\"", i ? "," : "", SLICE_FMT(x->names[i]));
    buf_add_str(&b, " }");
    const char *text = b.failed ? NULL : arena_strdup(p->arena, buf_slice(&b));
    buf_release(&b);
    p->uniques[p->count - 1] = text;
    return text ? 0 : nomem(p);
}

static int create_index(struct planning *p, const char *table, const struct shape_index *x, bool unique)
{
    char name[INDEX_NAME];
    struct buf b;
    if (x->count == 0)
        return 0;
    if (!index_name(table, x, unique, name))
        return nomem(p);
    buf_init(&b, NULL);
    buf_printf(&b, "CREATE %sINDEX \"%s\" ON \"%s\" (", unique ? "UNIQUE " : "", name, table);
    for (size_t i = 0; i < x->count; i++)
        buf_printf(&b, "%s\"%.*s\"", i ? ", " : "", SLICE_FMT(x->names[i]));
    buf_add_char(&b, ')');
    int rc = add(p, &b);
    return rc == 0 && unique ? name_unique(p, table, x) : rc;
}

static int create_indexes(struct planning *p, const char *table, const struct shape_indexes *all, const struct shape_indexes *there,
                          bool unique)
{
    int rc = 0;
    for (size_t i = 0; i < all->count && rc == 0; i++)
        if (!there || !shape_has(there, &all->list[i]))
            rc = create_index(p, table, &all->list[i], unique);
    return rc;
}

static int create_table(struct planning *p, const struct collection *c, const struct shape_table *t)
{
    struct buf b;
    buf_init(&b, NULL);
    /* AUTOINCREMENT: an id that was given is never given again, so that it can stand in an account's name. */
    buf_printf(&b, "CREATE TABLE \"%s\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT", c->table);
    for (size_t i = 0; i < c->field_count; i++) {
        buf_add_str(&b, ", ");
        write_column(&b, &c->fields[i]);
    }
    buf_add_char(&b, ')');
    int rc = add(p, &b);
    if (rc == 0)
        rc = create_index(p, c->table, &t->key, true);
    if (rc == 0)
        rc = create_indexes(p, c->table, &t->uniques, NULL, true);
    return rc < 0 ? rc : create_indexes(p, c->table, &t->indexes, NULL, false);
}

/* --- what may change -------------------------------------------------------------------------------------------------------------- */

static int check_fields(struct planning *p, const struct collection *c, const struct shape_table *old)
{
    for (size_t i = 0; i < c->field_count; i++) {
        const struct collection_field *f = &c->fields[i];
        const struct shape_field *was = shape_field(old, slice_str(f->name));
        char path[128], text[200];
        snprintf(path, sizeof path, "collections.%s.fields.%s", c->name, f->name);
        if (was && was->type != f->type) {
            snprintf(text, sizeof text, "was of the type %s and can't become %s; give the new one another name", field_type_name(was->type),
                     field_type_name(f->type));
            return refuse(p, path, text);
        }
        bool missing = !was || was->optional;
        if (missing && !f->optional && !f->has_default)
            return refuse(p, path,
                          was ? "was optional, so rows without it may be there; give it a default or leave it optional"
                              : "is new and the rows that are there lack it; give it a default or make it optional");
    }
    return 0;
}

static int check_indexes(struct planning *p, const struct collection *c, const struct shape_table *old, const struct shape_table *new)
{
    char path[128], text[250];
    snprintf(path, sizeof path, "collections.%s.key", c->name);
    if (!shape_same_index(&old->key, &new->key))
        return refuse(p, path,
                      old->key.count ? "is not the key it had; a key stays, so make a new collection, or add a unique"
                                     : "is new, but the collection is there without one; add a unique instead");
    for (size_t i = 0; i < old->uniques.count; i++) {
        const struct shape_index *x = &old->uniques.list[i];
        if (shape_has(&new->uniques, x))
            continue;
        size_t n = 0;
        char names[130] = "";
        for (size_t k = 0; k < x->count; k++) {
            int w = n < sizeof names ? snprintf(names + n, sizeof names - n, "%s\"%.*s\"", k ? ", " : "", SLICE_FMT(x->names[k])) : 0;
            n += w < 0 ? 0 : (size_t)w;
        }
        snprintf(path, sizeof path, "collections.%s.unique", c->name);
        snprintf(text, sizeof text, "lacks { %s }, which was unique and stays so: earlier revisions count on it; write it again", names);
        return refuse(p, path, text);
    }
    return 0;
}

static int grow_table(struct planning *p, const struct collection *c, const struct shape_table *old, const struct shape_table *new)
{
    int rc = check_fields(p, c, old);
    if (rc == 0)
        rc = check_indexes(p, c, old, new);
    size_t columns = old->field_count;
    for (size_t i = 0; i < c->field_count && rc == 0; i++) {
        struct buf b;
        if (shape_field(old, slice_str(c->fields[i].name)))
            continue;
        if (++columns > COLUMNS_MAX)
            return err_set(p->err, ERR_INVALID,
                           "%s: collections.%s: has more than %d columns with those that are hidden; run feira prune first", p->m->file,
                           c->name, COLUMNS_MAX);
        buf_init(&b, NULL);
        buf_printf(&b, "ALTER TABLE \"%s\" ADD COLUMN ", c->table);
        write_column(&b, &c->fields[i]);
        rc = add(p, &b);
    }
    if (rc == 0)
        rc = create_indexes(p, c->table, &new->uniques, &old->uniques, true);
    return rc < 0 ? rc : create_indexes(p, c->table, &new->indexes, &old->indexes, false);
}

/* --- plans --------------------------------------------------------------------------------------------------------------------------- */

static int begin(struct planning *p, struct slice record)
{
    int rc = shape_parse(record, p->arena, &p->old, p->err);
    if (rc == 0)
        rc = shape_of(p->m, p->arena, &p->new, p->err);
    if (rc < 0)
        return rc;
    size_t columns = 0;
    for (size_t i = 0; i < p->old.table_count; i++)
        columns += 1 + p->old.tables[i].field_count + p->old.tables[i].uniques.count + p->old.tables[i].indexes.count + 1;
    p->cap = columns + STATEMENTS_MAX;
    p->statements = arena_array(p->arena, p->cap, sizeof *p->statements);
    p->uniques = arena_array(p->arena, p->cap, sizeof *p->uniques);
    p->hidden = arena_array(p->arena, columns + 1, sizeof *p->hidden);
    return p->statements && p->uniques && p->hidden ? 0 : nomem(p);
}

static int list_hidden(struct planning *p)
{
    for (size_t i = 0; i < p->old.table_count; i++) {
        const struct shape_table *t = &p->old.tables[i], *shown = shape_find(&p->new, t->name);
        if (!shown && !(p->hidden[p->hidden_count++] = arena_strdup(p->arena, t->name)))
            return nomem(p);
        for (size_t k = 0; shown && k < t->field_count; k++) {
            if (shape_field(shown, t->fields[k].name))
                continue;
            struct slice text = arena_printf(p->arena, "%.*s.%.*s", SLICE_FMT(t->name), SLICE_FMT(t->fields[k].name));
            const char *name = text.data ? arena_strdup(p->arena, text) : NULL;
            if (!name)
                return nomem(p);
            p->hidden[p->hidden_count++] = name;
        }
    }
    return 0;
}

static bool was_seen(const struct shape *s, const char *hash)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (slice_is(s->seen[i], hash))
            return true;
    return false;
}

static int see(struct planning *p, struct shape *s, const char *hash)
{
    struct slice *seen = arena_array(p->arena, s->seen_count + 1, sizeof *seen);
    if (!seen)
        return nomem(p);
    if (s->seen_count)
        memcpy(seen, s->seen, s->seen_count * sizeof *seen);
    seen[s->seen_count] = arena_copy(p->arena, slice_str(hash));
    s->seen = seen;
    return s->seen[s->seen_count++].data ? 0 : nomem(p);
}

static int finish(struct planning *p, const struct shape *s, struct collections_plan *out)
{
    *out = (struct collections_plan){
        .statements = p->statements, .uniques = p->uniques, .count = p->count, .hidden = p->hidden, .hidden_count = p->hidden_count
    };
    return shape_write(s, p->arena, &out->record, p->err);
}

int collections_plan(const struct manifest *m, struct slice record, struct arena *arena, struct collections_plan *out, struct err *err)
{
    struct planning p = { .m = m, .plugin = m->name, .arena = arena, .err = err };
    struct shape merged;
    char hash[SHAPE_HASH + 1];
    int rc = begin(&p, record);
    if (rc == 0)
        rc = shape_hash(&p.new, arena, hash, err);
    if (rc == 0)
        rc = list_hidden(&p);
    if (rc < 0)
        return rc;
    if (was_seen(&p.old, hash))
        return finish(&p, &p.old, out);
    for (size_t i = 0; i < m->collection_count && rc == 0; i++) {
        const struct collection *c = &m->collections[i];
        const struct shape_table *old = shape_find(&p.old, slice_str(c->name)), *new = shape_find(&p.new, slice_str(c->name));
        rc = old ? grow_table(&p, c, old, new) : create_table(&p, c, new);
    }
    if (rc == 0)
        rc = shape_merge(&p.old, &p.new, arena, &merged, err);
    if (rc == 0)
        rc = see(&p, &merged, hash);
    return rc < 0 ? rc : finish(&p, &merged, out);
}

/* --- pruning ------------------------------------------------------------------------------------------------------------------------- */

static int drop_indexes(struct planning *p, const char *table, const struct shape_indexes *all, const struct shape_indexes *kept,
                        bool unique)
{
    int rc = 0;
    for (size_t i = 0; i < all->count && rc == 0; i++) {
        char name[INDEX_NAME];
        struct buf b;
        if (shape_has(kept, &all->list[i]))
            continue;
        if (!index_name(table, &all->list[i], unique, name))
            return nomem(p);
        buf_init(&b, NULL);
        buf_printf(&b, "DROP INDEX \"%s\"", name);
        rc = add(p, &b);
    }
    return rc;
}

static int prune_table(struct planning *p, const struct shape_table *old)
{
    const struct shape_table *kept = shape_find(&p->new, old->name);
    const char *table = table_name(p, old->name);
    struct buf b;
    if (!table)
        return nomem(p);
    if (!kept) {
        buf_init(&b, NULL);
        buf_printf(&b, "DROP TABLE \"%s\"", table);
        return add(p, &b);
    }
    int rc = drop_indexes(p, table, &old->uniques, &kept->uniques, true);
    if (rc == 0)
        rc = drop_indexes(p, table, &old->indexes, &kept->indexes, false);
    for (size_t i = 0; i < old->field_count && rc == 0; i++) {
        if (shape_field(kept, old->fields[i].name))
            continue;
        buf_init(&b, NULL);
        buf_printf(&b, "ALTER TABLE \"%s\" DROP COLUMN \"%.*s\"", table, SLICE_FMT(old->fields[i].name));
        rc = add(p, &b);
    }
    return rc;
}

int collections_prune(const struct manifest *m, const char *plugin, struct slice record, struct arena *arena, struct collections_plan *out,
                      struct err *err)
{
    struct planning p = { .m = m, .plugin = plugin, .arena = arena, .err = err };
    struct shape kept = { 0 };
    char hash[SHAPE_HASH + 1];
    int rc = begin(&p, record);
    if (rc == 0)
        rc = shape_hash(&p.new, arena, hash, err);
    if (rc < 0)
        return rc;
    if (m && !was_seen(&p.old, hash))
        return err_set(err, ERR_STATE, "the tables of %s are not those of its manifest yet; publish it before you prune", plugin);
    rc = list_hidden(&p);
    for (size_t i = 0; i < p.old.table_count && rc == 0; i++)
        rc = prune_table(&p, &p.old.tables[i]);
    if (rc < 0)
        return rc;
    kept.tables = p.new.tables;
    kept.table_count = p.new.table_count;
    if (m)
        rc = see(&p, &kept, hash);
    /* Rows that were made under an earlier shape may still lack what was optional in it. */
    for (size_t i = 0; i < kept.table_count; i++)
        for (size_t k = 0; k < kept.tables[i].field_count; k++) {
            struct shape_field *f = &kept.tables[i].fields[k];
            const struct shape_field *was = shape_field(shape_find(&p.old, kept.tables[i].name), f->name);
            f->optional |= was && was->optional;
        }
    return rc < 0 ? rc : finish(&p, &kept, out);
}
