#include "cli/cli.h"
#include "base/schema.h"
#include "host/author/handbook.h"

void cli_overview(FILE *out)
{
    fprintf(out, "feira %s: a commerce runtime, scriptable in Lua\n\n", FEIRA_VERSION);
    for (const struct cli_command *c = cli_commands; c->name; c++)
        fprintf(out, "  feira %-11s %-16s %s\n", c->name, c->usage, c->about);
    fprintf(out, "\nfeira help COMMAND explains one; feira help events and feira help hooks are for authors of plugins.\n"
                 "Exit codes: 0 done, 1 could not be done, 2 wrong command line,\n"
                 "3 a file of the shop or the input is broken (nothing was changed), 4 the shop is in use by another process.\n");
}

static void explain(const struct cli_command *c)
{
    printf("usage: feira %s%s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage, c->options ? " [options]" : "", c->about);
    if (c->more)
        printf("%s\n", c->more);
    if (c->options)
        printf("\n");
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        char left[48];
        snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-20s %s\n", left, o->about);
    }
}

/* Pages for authors; what has the name of a command, too, comes behind it. */
static const struct topic {
    const char *name;
    void (*write)(struct buf *out);
} topics[] = { { "events", handbook_events }, { "hooks", handbook_hooks } };

static bool explain_topic(const char *name, const char *before)
{
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        struct buf out;
        if (strcmp(topics[i].name, name) != 0)
            continue;
        buf_init(&out, NULL);
        topics[i].write(&out);
        printf("%s%.*s", before, SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
        return true;
    }
    return false;
}

static int no_such_page(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (const struct cli_command *c = cli_commands; c->name && n < 60; c++)
        names[n++] = c->name;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        names[n++] = topics[i].name;
    names[n] = NULL;
    const char *near = nearest_word(slice_str(name), names);
    fprintf(stderr, "feira: there is no command \"%s\"%s%s%s; see: feira help\n", name, near ? "; did you mean \"" : "", near ? near : "",
            near ? "\"" : "");
    return EXIT_USAGE;
}

int cmd_help(const struct cli_args *a)
{
    if (a->count == 0) {
        cli_overview(stdout);
        return EXIT_DONE;
    }
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        if (strcmp(c->name, a->positional[0]) == 0) {
            explain(c);
            explain_topic(c->name, "\n");
            return EXIT_DONE;
        }
    }
    return explain_topic(a->positional[0], "") ? EXIT_DONE : no_such_page(a->positional[0]);
}

int cmd_version(const struct cli_args *a)
{
    (void)a;
    printf("feira %s\n", FEIRA_VERSION);
    return EXIT_DONE;
}
