/* feira privacy: the notice, and who reads what. */
#include "base/json.h"
#include "cli/cli.h"
#include <stdlib.h>

enum { DATA, LANG_OPTION, MARKDOWN, HTML, JSON, ACCESS };

static int show_notice(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *missing = json_get(v, "missing");
    if (a->values[JSON])
        printf("%.*s\n", SLICE_FMT(raw));
    else
        printf("%.*s", SLICE_FMT(cli_text(v, "text")));
    for (const struct json_value *m = missing ? missing->first : NULL; m; m = m->next)
        fprintf(stderr, "feira: the notice lacks %.*s\n", SLICE_FMT(m->string));
    return EXIT_DONE;
}

static int show_access(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *items = json_get(v, "items");
    if (a->values[JSON]) {
        printf("%.*s\n", SLICE_FMT(raw));
        return EXIT_DONE;
    }
    if (!items || items->count == 0)
        printf("No plugin has read a personal field.\n");
    for (const struct json_value *i = items ? items->first : NULL; i; i = i->next)
        printf("%.*s  %-20.*s %-22.*s %10lld times, last %.*s: %.*s\n", SLICE_FMT(cli_text(i, "day")), SLICE_FMT(cli_text(i, "plugin")),
               SLICE_FMT(cli_text(i, "field")), (long long)cli_number(i, "reads"), SLICE_FMT(cli_text(i, "last_at")),
               SLICE_FMT(cli_text(i, "purpose")));
    return EXIT_DONE;
}

/* As setlocale() would look it up: the first that says something. */
static const char *own_language(void)
{
    static const char *const variables[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return strncmp(value, "zh", 2) == 0 ? "zh-CN" : "en";
    }
    return "en";
}

int cmd_privacy(const struct cli_args *a)
{
    char target[120];
    const char *lang = a->values[LANG_OPTION] ? a->values[LANG_OPTION] : own_language();
    if (a->values[ACCESS])
        return cli_ask(a, "GET", "/v1/privacy/access", slice_str(""), show_access);
    if (strlen(lang) > 10 || strspn(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(lang)) {
        fprintf(stderr, "feira privacy: --lang is en or zh-CN\n");
        return EXIT_USAGE;
    }
    snprintf(target, sizeof target, "/v1/privacy?lang=%s&form=%s", lang,
             a->values[HTML]       ? "html"
             : a->values[MARKDOWN] ? "markdown"
                                   : "text");
    return cli_ask(a, "GET", target, slice_str(""), show_notice);
}
