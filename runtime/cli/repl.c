/* A console in the sandbox of a shop: its words, and a shop in memory with its catalogue to try them on. */
#include "cli/import.h"
#include "cli/cli.h"
#include "base/log.h"
#include "host/author/trial.h"
#include <editline/readline.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_MAX_LINES = 1000 };

struct console {
    struct trial *trial;
    const char *shop;
    bool is_terminal;
    char history[PATH_MAX]; /* "" = kept nowhere */
};

/* What a person would type first anyway. */
static const char prelude[] =
    "promo = require 'feira.promo' money = require 'feira.money' time = require 'feira.time' t = require 'feira.test'";

static int load_catalogue(struct console *c, struct err *err)
{
    char path[PATH_MAX];
    struct arena arena;
    struct buf text, body, answer;
    int status = 0;
    snprintf(path, sizeof path, "%s/catalogue.csv", c->shop);
    if (access(path, R_OK) != 0)
        return 0;
    arena_init(&arena, NULL, 0);
    buf_init(&text, NULL);
    buf_init(&body, NULL);
    buf_init(&answer, NULL);
    struct import im = { .arena = &arena, .currency = trial_currency(c->trial) };
    int rc = cli_read_file(path, &text, err);
    if (rc == 0)
        rc = import_body(&im, buf_slice(&text), &body, err);
    if (rc == 0 && im.complaint_count == 0)
        rc = trial_request(c->trial, "POST", "/v1/products/import", buf_slice(&body), &status, &answer, err);
    if (rc == 0)
        printf(status < 300 && status ? "%d products of catalogue.csv are in it.\n" : "catalogue.csv was not taken; see: feira import\n",
               im.products);
    buf_release(&answer);
    buf_release(&body);
    buf_release(&text);
    arena_release(&arena);
    return rc;
}

/* Gives how the input goes on: false, and it is kept for the next line. */
static bool run(struct console *c, struct slice source)
{
    struct err err = { 0 };
    struct buf out;
    bool incomplete = false;
    buf_init(&out, NULL);
    int rc = trial_eval(c->trial, source, &out, &incomplete, &err);
    if (rc < 0)
        printf("%s\n", err.text);
    else if (out.len)
        printf("%.*s\n", SLICE_FMT(buf_slice(&out)));
    fflush(stdout);
    buf_release(&out);
    return !incomplete;
}

/* NULL at the end of input; free() it. */
static char *next_line(const struct console *c, bool first)
{
    if (c->is_terminal)
        return readline(first ? "> " : ">> ");
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = '\0';
    return line;
}

static void loop(struct console *c)
{
    struct buf typed;
    buf_init(&typed, NULL);
    for (char *line; (line = next_line(c, typed.len == 0)) != NULL; free(line)) {
        bool ends = typed.len > 0 && !*line; /* an empty line gives up on what goes on */
        if (typed.len)
            buf_add_char(&typed, '\n');
        buf_add_str(&typed, line);
        if (c->is_terminal && *line)
            add_history(line);
        if (typed.failed || run(c, buf_slice(&typed)) || ends)
            buf_clear(&typed);
    }
    if (typed.len)
        fprintf(stderr, "feira: the input ends in the middle of a statement.\n");
    buf_release(&typed);
}

static void open_history(struct console *c)
{
    const char *home = getenv("HOME");
    if (!c->is_terminal || !home || snprintf(c->history, sizeof c->history, "%s/.feira_history", home) >= (int)sizeof c->history) {
        c->history[0] = '\0';
        return;
    }
    using_history();
    stifle_history(HISTORY_MAX_LINES);
    read_history(c->history);
}

int cmd_repl(const struct cli_args *a)
{
    struct console c = { .shop = a->positional[0], .is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) };
    struct err err = { 0 };
    struct log *log = log_open(STDERR_FILENO, LOG_HUMAN, LOG_WARN, clock_system());
    int rc = trial_open(c.shop, NULL, log, &c.trial, &err);
    if (rc == 0)
        rc = load_catalogue(&c, &err);
    if (rc == 0) {
        if (c.is_terminal)
            printf(
                "A shop in memory, gone when you leave (Ctrl-D). There are promo, money, time, and t: t:quote { lines = { SKU = 1 } }\n");
        run(&c, SLICE_LIT(prelude));
        open_history(&c);
        loop(&c);
        if (c.history[0]) {
            mode_t old = umask(077);
            write_history(c.history);
            umask(old);
        }
        if (c.is_terminal)
            printf("\n");
    }
    trial_close(c.trial);
    log_close(log);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
