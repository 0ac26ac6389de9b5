/* cli/cli.h - the commands of `feira`. A command that changes or reads a shop speaks through its socket when the shop is
 * being served, and opens it itself (taking data/lock) when not: both go through the same routes.
 *
 * Exit codes: 0 done; 1 it could not be done (the reason is one sentence on stderr); 2 the command line is wrong;
 * 3 the shop's files are broken (a rule, a cart, a CSV): nothing was changed; 4 the shop is locked by another process. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_BROKEN = 3, EXIT_LOCKED = 4 };

int cli_run(int argc, char **argv);

/* --- what a command is ------------------------------------------------------------------------------------------- */
enum { CLI_ARGS_MAX = 8, CLI_OPTIONS_MAX = 12 };

struct cli_option {
    const char *name;  /* "--workers" */
    const char *value; /* "N" as shown in help; NULL = a flag */
    const char *about;
};

struct cli_args {
    const char *positional[CLI_ARGS_MAX];
    int count;
    const char *values[CLI_OPTIONS_MAX]; /* by index of the command's options; "" for a flag that was given, NULL when absent */
    const char *as;                      /* of --as: the operator who asks; NULL = who owns the machine */
    char **argv;                         /* as the process was started */
};

struct cli_command {
    const char *name;
    const char *usage; /* "SHOP FILE.csv" */
    const char *about; /* one line */
    int min_args, max_args;
    const struct cli_option *options; /* ended by name NULL; may be NULL */
    int (*run)(const struct cli_args *a);
    const char *more; /* further help, may be NULL */
};
extern const struct cli_command cli_commands[]; /* ended by name NULL */

int cmd_serve(const struct cli_args *a);
int cmd_import(const struct cli_args *a);
int cmd_keys(const struct cli_args *a);
int cmd_publish(const struct cli_args *a);
int cmd_rollback(const struct cli_args *a);
int cmd_generations(const struct cli_args *a);
int cmd_stop(const struct cli_args *a);
int cmd_resume(const struct cli_args *a);
int cmd_needs(const struct cli_args *a);
int cmd_person(const struct cli_args *a);
int cmd_privacy(const struct cli_args *a);
int cmd_prune(const struct cli_args *a);
int cmd_doctor(const struct cli_args *a);
int cmd_backup(const struct cli_args *a);
int cmd_restore(const struct cli_args *a);
int cmd_repin(const struct cli_args *a);
int cmd_ledger(const struct cli_args *a);
int cmd_prices(const struct cli_args *a);
int cmd_events(const struct cli_args *a);
int cmd_webhooks(const struct cli_args *a);
int cmd_quote(const struct cli_args *a);
int cmd_explain(const struct cli_args *a);
int cmd_replay(const struct cli_args *a);
int cmd_backtest(const struct cli_args *a);
int cmd_status(const struct cli_args *a);
int cmd_new(const struct cli_args *a);
int cmd_check(const struct cli_args *a);
int cmd_test(const struct cli_args *a);
int cmd_repl(const struct cli_args *a);
int cmd_login(const struct cli_args *a);
int cmd_logout(const struct cli_args *a);
int cmd_operators(const struct cli_args *a);
int cmd_audit(const struct cli_args *a);
int cmd_share(const struct cli_args *a);
int cmd_submit(const struct cli_args *a);
int cmd_drafts(const struct cli_args *a);
int cmd_approve(const struct cli_args *a);
int cmd_reject(const struct cli_args *a);
int cmd_schedule(const struct cli_args *a);
int cmd_help(const struct cli_args *a);
int cmd_version(const struct cli_args *a);

/* --- for commands -------------------------------------------------------------------------------------------------- */
struct json_value;
struct json_writer;
struct arena;
void cli_say_stop(const struct json_value *stop, const char *before); /* stop.c: one entry of what is stopped, as a line */
void cli_overview(FILE *out);
size_t cli_encode(const char *text, char *out, size_t size);        /* percent-encodes all but letters, digits and "-._~"; how long it is */
struct slice cli_text(const struct json_value *v, const char *key); /* a member that is text; "" when it is not there */
int64_t cli_number(const struct json_value *v, const char *key);    /* a whole number; 0 when it is not there */
void cli_write_list(struct json_writer *w, const char *key, const char *list); /* "A,B" as a member that is a list */
int cli_fail(const struct err *e);                                             /* prints the sentence, gives the exit code */
int cli_read_file(const char *path, struct buf *out, struct err *err);         /* "-" is standard input; at most 256 MiB */

bool shop_is_served(const char *dir, const char *data_dir); /* data_dir may be NULL (SHOP/data), as below */

/* Sends one request to the shop, served or not. answer is the body. data_dir may be NULL (SHOP/data). */
int shop_ask(const char *dir, const char *data_dir, const char *method, const char *target, struct slice body, int *status,
             struct buf *answer, struct err *err);
/* The same for answers that must be a success: turns a problem document into an err. */
int shop_ask_ok(const char *dir, const char *data_dir, const char *method, const char *target, struct slice body, struct buf *answer,
                struct err *err);
/* Asks about the shop of the command line (positional[0]; its first option is --data). The answer stands in the arena, and as it came in
 * `raw`, unless that is NULL. */
int cli_ask_json(const struct cli_args *a, const char *method, const char *target, struct slice body, struct arena *arena,
                 struct json_value **out, struct slice *raw, struct err *err);
/* The same for a command that asks once and shows the answer: `v` as read, `raw` as it came.
 * The exit code is show's; a failure is printed. */
typedef int (*cli_show_fn)(const struct cli_args *a, const struct json_value *v, struct slice raw);
int cli_ask(const struct cli_args *a, const char *method, const char *target, struct slice body, cli_show_fn show);
