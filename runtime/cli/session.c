/* feira login, logout; and the sessions that --as finds. */
#include "cli/session.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* --- files ------------------------------------------------------------------------------------------------------------------------- */

/* XDG_STATE_HOME/feira/sessions, else ~/.local/state/...; each folder is made where it is missing. */
static int sessions_folder(char out[PATH_MAX], struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n = state && state[0] == '/' ? snprintf(out, PATH_MAX, "%s/feira/sessions", state)
            : home && home[0] == '/' ? snprintf(out, PATH_MAX, "%s/.local/state/feira/sessions", home)
                                     : PATH_MAX;
    if (n >= PATH_MAX)
        return err_set(err, ERR_INVALID, "Sessions are kept in HOME/.local/state/feira; set HOME or XDG_STATE_HOME.");
    for (char *slash = strchr(out + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(out, 0700);
        *slash = '/';
    }
    if (mkdir(out, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s can't be made: %s.", out, strerror(errno));
    return 0;
}

/* A shop is where its data is, however the path to it was written. */
static int session_path(const struct cli_args *a, const char *name, char out[PATH_MAX], struct err *err)
{
    char folder[PATH_MAX], data[PATH_MAX], whole[PATH_MAX], hex[2 * SHA256_BYTES];
    unsigned char hash[SHA256_BYTES];
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(name) || name[0] < 'a' || name[0] > 'z' || strlen(name) > 40)
        return err_set(err, ERR_INVALID, "\"%.60s\" is no name of an operator.", name);
    int rc = sessions_folder(folder, err);
    if (rc < 0)
        return rc;
    snprintf(data, sizeof data, a->values[0] ? "%s" : "%s/data", a->values[0] ? a->values[0] : a->positional[0]);
    if (!realpath(data, whole))
        return err_set(err, ERR_NOT_FOUND, "There is no data of a shop in %.300s yet; serve it once, or add an operator.", data);
    crypto_sha256(slice_str(whole), hash);
    hex_encode(hash, sizeof hash, hex);
    int n = snprintf(out, PATH_MAX, "%s/%.16s-%s", folder, hex, name);
    return n < PATH_MAX ? 0 : err_set(err, ERR_INVALID, "The path of the session is too long.");
}

int session_find(const struct cli_args *a, char token[SESSION_TOKEN_MAX], struct err *err)
{
    char path[PATH_MAX];
    const char *given = getenv("FEIRA_SESSION");
    token[0] = '\0';
    if (!a->as) {
        snprintf(token, SESSION_TOKEN_MAX, "%s", given ? given : "");
        return 0;
    }
    int rc = session_path(a, a->as, path, err);
    FILE *f = rc == 0 ? fopen(path, "r") : NULL;
    if (rc == 0 && (!f || !fgets(token, SESSION_TOKEN_MAX, f)))
        rc = err_set(err, ERR_NOT_FOUND, "%s has not signed in here; first: feira login %s %s", a->as, a->positional[0], a->as);
    token[strcspn(token, "\n")] = '\0';
    if (f)
        fclose(f);
    return rc;
}

static int keep(const char *path, struct slice token, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && write(fd, token.data, token.len) == (ssize_t)token.len;
    if (!fine)
        err_set(err, ERR_IO, "%s can't be written: %s.", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return fine ? 0 : ERR_IO;
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------------
 */

bool somebody_types(void)
{
    return isatty(STDIN_FILENO);
}

int secret_ask(const char *prompt, char out[SECRET_MAX], struct err *err)
{
    struct termios before, quiet;
    bool typed = somebody_types() && tcgetattr(STDIN_FILENO, &before) == 0;
    if (typed) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fprintf(stderr, "%s: ", prompt);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool got = fgets(out, SECRET_MAX, stdin) != NULL;
    if (typed) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fprintf(stderr, "\n");
    }
    if (!got)
        return err_set(err, ERR_INVALID, "%s: nothing was typed.", prompt);
    out[strcspn(out, "\r\n")] = '\0';
    return 0;
}

/* --- commands ----------------------------------------------------------------------------------------------------------------------------
 */

static int sign_in(const struct cli_args *a, const char *password, const char *code, struct arena *arena, struct json_value **out,
                   int *status, struct err *err)
{
    struct buf body, answer;
    struct json_writer w;
    buf_init(&body, NULL);
    buf_init(&answer, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, "name");
    json_str(&w, a->positional[1]);
    json_key(&w, "password");
    json_str(&w, password);
    if (code) {
        json_key(&w, "code");
        json_str(&w, code);
    }
    json_object_end(&w);
    int rc = shop_ask(a->positional[0], a->values[0], "POST", "/v1/admin/sessions", buf_slice(&body), status, &answer, err);
    struct slice kept = rc == 0 ? arena_copy(arena, buf_slice(&answer)) : (struct slice){ 0 };
    if (rc == 0)
        rc = kept.data ? json_parse(kept, NULL, arena, out, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    crypto_wipe(body.data, body.len);
    buf_release(&body);
    buf_release(&answer);
    return rc;
}

static bool needs_code(const struct json_value *v)
{
    return slice_is(cli_text(v, "type"), "/problems/second_factor_needed");
}

static int login(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char path[PATH_MAX], password[SECRET_MAX], code[SECRET_MAX];
    struct json_value *v = NULL;
    int status = 0;
    int rc = session_path(a, a->positional[1], path, err);
    if (rc == 0)
        rc = secret_ask("Password", password, err);
    if (rc == 0)
        rc = sign_in(a, password, NULL, arena, &v, &status, err);
    if (rc == 0 && needs_code(v)) {
        rc = secret_ask("Code of the second factor", code, err);
        if (rc == 0)
            rc = sign_in(a, password, code, arena, &v, &status, err);
    }
    crypto_wipe(password, sizeof password);
    if (rc == 0 && status != 201)
        rc = err_set(err, ERR_DENIED, "%.*s", SLICE_FMT(cli_text(v, "detail")));
    if (rc == 0)
        rc = keep(path, cli_text(v, "token"), err);
    if (rc == 0)
        printf("%s is signed in until %.*s; use it with --as %s.\n", a->positional[1], SLICE_FMT(cli_text(v, "expires_at")),
               a->positional[1]);
    return rc;
}

int cmd_login(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = login(a, &arena, &err);
    arena_release(&arena);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}

int cmd_logout(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    struct json_value *v;
    char path[PATH_MAX];
    struct cli_args mine = *a;
    mine.as = a->positional[1];
    arena_init(&arena, NULL, 0);
    int rc = session_path(a, a->positional[1], path, &err);
    if (rc == 0)
        rc = cli_ask_json(&mine, "DELETE", "/v1/admin/sessions", slice_str(""), &arena, &v, NULL, &err);
    arena_release(&arena);
    if (path[0] && rc != ERR_INVALID)
        unlink(path); /* also when the session was over */
    if (rc < 0)
        return cli_fail(&err);
    printf("%s is signed out.\n", a->positional[1]);
    return EXIT_DONE;
}
