/* `payments` of a plugin that is a provider: merchant and app, which name settings, and what must be there. */
#include "rulebook/manifest_int.h"

bool manifest_is_account(struct slice key)
{
    return slice_is(key, "merchant") || slice_is(key, "app");
}

static int read_account(const struct reader *r, const struct place *at, const struct json_value *v, const char *key,
                        const struct manifest *m, const char **out)
{
    struct place here = place_in(at, key);
    int rc = reader_text(r, at, v, key, false, out);
    if (rc < 0 || !*out)
        return rc;
    for (size_t i = 0; i < m->setting_count; i++)
        if (strcmp(m->settings[i].name, *out) == 0)
            return m->settings[i].type == VALUE_STRING && !m->settings[i].optional
                       ? 0
                       : reader_fail(r, &here, "names the setting \"%s\", which is not a text that is always there", *out);
    return reader_fail(r, &here, "names \"%s\", which is none of the plugin's settings; name the one that says whose money is the shop's",
                       *out);
}

int manifest_read_accounts(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    static const char *const needed[] = { "create", "query", "refund" };
    int rc = read_account(r, at, v, "merchant", m, &m->merchant);
    if (strcmp(m->name, "test") == 0)
        return reader_fail(r, at, "can't be: the provider \"test\" is built in; give the plugin another name");
    if (rc == 0)
        rc = read_account(r, at, v, "app", m, &m->app);
    for (size_t i = 0; rc == 0 && i < sizeof needed / sizeof *needed; i++)
        if (!json_get(v, needed[i]))
            rc = reader_fail(r, at, "lacks %s: a provider of payments has create, query and refund at least", needed[i]);
    return rc;
}
