#include "cli/cli.h"
#include "base/schema.h"

void cli_overview(FILE *out)
{
    fprintf(out, "feira %s: a commerce runtime, scriptable in Lua\n\n", FEIRA_VERSION);
    for (const struct cli_command *c = cli_commands; c->name; c++)
        fprintf(out, "  feira %-11s %-16s %s\n", c->name, c->usage, c->about);
    fprintf(out, "\nfeira help COMMAND explains one. Exit codes: 0 done, 1 could not be done, 2 wrong command line,\n"
                 "3 a file of the shop or the input is broken (nothing was changed), 4 the shop is in use by another process.\n");
}

static void explain(const struct cli_command *c)
{
    printf("usage: feira %s %s%s\n\n%s\n", c->name, c->usage, c->options ? " [options]" : "", c->about);
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

int cmd_help(const struct cli_args *a)
{
    if (a->count == 0) {
        cli_overview(stdout);
        return EXIT_DONE;
    }
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        if (strcmp(c->name, a->positional[0]) == 0) {
            explain(c);
            return EXIT_DONE;
        }
    }
    fprintf(stderr, "feira: there is no command \"%s\"; see: feira help\n", a->positional[0]);
    return EXIT_USAGE;
}

int cmd_version(const struct cli_args *a)
{
    (void)a;
    printf("feira %s\n", FEIRA_VERSION);
    return EXIT_DONE;
}
