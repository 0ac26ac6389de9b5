/* cli/session.h - sessions of operators at the command line: a token in a file of mode 0600, one for each shop and name. And what nobody
 * should read over a shoulder. */
#pragma once
#include "cli/cli.h"

enum { SESSION_TOKEN_MAX = 64, SECRET_MAX = 1024 };

/* The token to ask with: of --as, else of FEIRA_SESSION; "" = neither. ERR_NOT_FOUND: --as NAME has not signed in. */
int session_find(const struct cli_args *a, char token[SESSION_TOKEN_MAX], struct err *err);

/* Asks for a line without showing it; where nobody types, takes a line of standard input. */
int secret_ask(const char *prompt, char out[SECRET_MAX], struct err *err);
bool somebody_types(void);
