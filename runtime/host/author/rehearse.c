#include "host/author/rehearse.h"
#include "host/author/stage.h"
#include "rulebook/manifest.h"
#include <stdio.h>

#define SAMPLE "sample"
enum { DEPTH_MAX = 6 };

/* --- settings that pass ------------------------------------------------------------------------------------------------------ */

static void write_sample(const struct value_spec *v, struct json_writer *w, int depth);

static void write_text(const struct value_spec *v, struct json_writer *w)
{
    char text[1001];
    int64_t n = v->has_min && v->min > 1 ? v->min : 1;
    memset(text, 'x', sizeof text);
    json_string(w, slice_of(text, n < 1000 ? (size_t)n : 1000));
}

/* ms as "90s" is written */
static void write_duration(const struct value_spec *v, struct json_writer *w)
{
    char text[32];
    snprintf(text, sizeof text, "%llds", (long long)(v->has_min ? (v->min + 999) / 1000 : 3600));
    json_str(w, text);
}

static void write_percent(const struct value_spec *v, struct json_writer *w)
{
    char text[32];
    int64_t ppm = v->has_min ? v->min : 10000;
    snprintf(text, sizeof text, "%lld.%04lld", (long long)(ppm / 10000), (long long)(ppm % 10000));
    json_str(w, text);
}

static void write_list(const struct value_spec *v, struct json_writer *w, int depth)
{
    json_array(w);
    for (int64_t i = 0; v->has_min && i < v->min && depth < DEPTH_MAX; i++)
        write_sample(v->item, w, depth + 1);
    json_array_end(w);
}

static void write_fields(const struct value_spec *fields, size_t count, struct json_writer *w, int depth)
{
    json_object(w);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].optional || fields[i].fallback)
            continue;
        json_key(w, fields[i].name);
        write_sample(&fields[i], w, depth);
    }
    json_object_end(w);
}

static void write_sample(const struct value_spec *v, struct json_writer *w, int depth)
{
    switch (v->type) {
    case VALUE_INTEGER:
        json_int(w, v->has_min ? v->min : v->has_max && v->max < 1 ? v->max : 1);
        return;
    case VALUE_MONEY:
        json_string(w, v->min_text.len ? v->min_text : SLICE_LIT("1.00"));
        return;
    case VALUE_PERCENT:
        write_percent(v, w);
        return;
    case VALUE_BOOLEAN:
        json_bool(w, true);
        return;
    case VALUE_CHOICE:
        json_str(w, v->choices[0]);
        return;
    case VALUE_DURATION:
        write_duration(v, w);
        return;
    case VALUE_TIME:
        json_str(w, "2026-01-05 09:00");
        return;
    case VALUE_LIST:
        write_list(v, w, depth);
        return;
    case VALUE_RECORD:
        write_fields(v->fields, v->field_count, w, depth + 1);
        return;
    case VALUE_CAMPAIGN:
        json_str(w, SAMPLE);
        return;
    case VALUE_SKU:
    case VALUE_SECRET:
        json_str(w, "SAMPLE");
        return;
    default:
        write_text(v, w);
    }
}

/* The shop that has the plugin, with a campaign for settings that name one. */
static int write_shop(const struct manifest *m, struct buf *out, struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "plugins");
    json_object(&w);
    json_key(&w, m->name);
    write_fields(m->settings, m->setting_count, &w, 0);
    json_object_end(&w);
    json_key(&w, "campaigns");
    json_object(&w);
    json_key(&w, SAMPLE);
    json_str(&w, "local promo = require \"feira.promo\"\nreturn promo.campaign { id = \"" SAMPLE "\", scope = promo.sku \"SAMPLE\", "
                 "give = promo.percent_off { percent = 1 } }\n");
    json_object_end(&w);
    json_object_end(&w);
    return out->failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
}

/* --- loading ------------------------------------------------------------------------------------------------------------------ */

/* Takes every `what` out of a text. */
static void take_out(char *text, const char *what)
{
    size_t n = strlen(what);
    for (char *p = strstr(text, what); p; p = strstr(p, what))
        memmove(p, p + n, strlen(p + n) + 1);
}

/* "plugins/NAME/rules.lua:3: ..." is the folder's rules.lua, line 3. */
/* Other places are no problem of the plugin, but then nobody knows whether it loads. */
static int report(const char *name, const struct sources *src, struct check_report *r, struct err *err)
{
    char head[64];
    size_t n = (size_t)snprintf(head, sizeof head, "plugins/%s/", name);
    char place[320], text[sizeof err->text + 100];
    if (strncmp(err->text, head, n) != 0) {
        snprintf(text, sizeof text, "it was not loaded on trial, because a shop that has it can't be made up: %.*s",
                 (int)strcspn(err->text, "\n"), err->text);
        return check_report_add(r, src, true, SLICE_LIT("plugin.lua"), slice_str(text), err);
    }
    const char *rest = strchr(err->text + n, ':');
    if (!rest)
        return 0;
    const char *digits = rest + 1, *end = digits;
    while (*end >= '0' && *end <= '9')
        end++;
    const char *sentence = end > digits && *end == ':' ? end + 1 : rest + 1;
    snprintf(place, sizeof place, "%.*s", (int)((end > digits && *end == ':' ? end : rest) - (err->text + n)), err->text + n);
    while (*sentence == ' ')
        sentence++;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(sentence, "\n"), sentence);
    take_out(text, head);
    return check_report_add(r, src, false, slice_str(place), slice_str(text), err);
}

static int load(const struct rulebook_options *o, struct stage *stage, const struct sources *src, struct check_report *r, struct err *err)
{
    struct sources *all;
    struct generation *g = NULL;
    int rc = sources_read(stage_dir(stage), &all, err);
    if (rc < 0)
        return rc;
    rc = generation_build(o, all, &g, err);
    generation_unref(g);
    if (rc == 0)
        return 0;
    sources_free(all);
    return rc == ERR_NOMEM || rc == ERR_INTERNAL || rc == ERR_IO ? rc : report(stage_plugin(stage), src, r, err);
}

int rehearse_plugin(const struct rulebook_options *o, const char *dir, const struct sources *src, struct check_report *r, struct err *err)
{
    const struct source_file *f = sources_find(src, SLICE_LIT("plugin.lua"));
    struct stage *stage = NULL;
    struct manifest *m = NULL;
    struct json_value *shop = NULL;
    struct arena arena;
    struct buf text;
    if (!f)
        return 0;
    arena_init(&arena, NULL, 0);
    buf_init(&text, NULL);
    int rc = manifest_read(f->text, "plugin.lua", NULL, &m, err);
    if (rc == 0)
        rc = write_shop(m, &text, err);
    if (rc == 0)
        rc = json_parse(buf_slice(&text), NULL, &arena, &shop, err);
    if (rc == 0)
        rc = stage_open(dir, &stage, err);
    if (rc == 0)
        rc = stage_set(stage, shop, err);
    if (rc == 0)
        rc = load(o, stage, src, r, err);
    stage_close(stage);
    manifest_free(m);
    buf_release(&text);
    arena_release(&arena);
    return rc;
}
