/* Descriptions of what comes over the wire, as schema.h checks it and OpenAPI shows it. */
#include "rulebook/values_int.h"

static bool fill(const struct value_spec *spec, struct schema *s, struct arena *arena)
{
    *s = (struct schema){ .name = spec->name, .required = !spec->optional, .about = spec->about };
    if (spec->has_min)
        s->min = spec->min;
    if (spec->has_max)
        s->max = spec->max;
    switch (spec->type) {
    case VALUE_INTEGER:
    case VALUE_MONEY:
    case VALUE_PERCENT:
    case VALUE_DURATION:
        s->type = SCHEMA_INT;
        /* Both 0 means "no bounds" there; one alone leaves the other end open. */
        if (spec->has_min && !spec->has_max)
            s->max = INT64_MAX;
        if (!spec->has_min && spec->has_max)
            s->min = spec->type == VALUE_INTEGER ? INT64_MIN : 0;
        if (!spec->has_min && !spec->has_max && spec->type != VALUE_INTEGER)
            s->max = INT64_MAX;
        return true;
    case VALUE_BOOLEAN:
        s->type = SCHEMA_BOOL;
        return true;
    case VALUE_LIST: {
        struct schema *item = arena_zalloc(arena, sizeof *item);
        s->type = SCHEMA_ARRAY;
        s->max = spec->has_max ? spec->max : VALUE_LIST_DEFAULT;
        s->item = item;
        return item && fill(spec->item, item, arena);
    }
    case VALUE_RECORD: {
        const struct schema *inside = values_schema(spec->fields, spec->field_count, arena);
        s->type = SCHEMA_OBJECT;
        s->fields = inside ? inside->fields : NULL;
        return inside != NULL;
    }
    case VALUE_TIME:
        s->format = "timestamp";
        break;
    case VALUE_SKU:
        s->format = "sku";
        break;
    case VALUE_CAMPAIGN:
    case VALUE_CUSTOMER:
    case VALUE_ORDER:
        s->format = "id";
        break;
    case VALUE_CHOICE:
        s->choices = spec->choices;
        break;
    default:
        break;
    }
    s->type = SCHEMA_STRING;
    if (s->format) {
        s->min = 1;
        s->max = 64;
    }
    return true;
}

const struct schema *values_schema(const struct value_spec *fields, size_t count, struct arena *arena)
{
    struct schema *object = arena_zalloc(arena, sizeof *object), *list = arena_array(arena, count + 1, sizeof *list);
    if (!object || !list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!fill(&fields[i], &list[i], arena))
            return NULL;
    *object = (struct schema){ .type = SCHEMA_OBJECT, .fields = list };
    return object;
}
