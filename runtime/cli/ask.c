/* One request to a shop: over data/feira.sock when somebody serves it, else in this process. */
#include "cli/cli.h"
#include "cli/session.h"
#include "base/json.h"
#include "host/host.h"
#include "http/http.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_WITHIN_MS = 600000 };

static bool somebody_listens(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof a.sun_path)
        return false;
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return yes;
}

static int ask_served(const char *socket_path, const char *session, const char *method, const char *target, struct slice body, int *status,
                      struct buf *answer, struct err *err)
{
    unsigned char random[16];
    char url[1024], key[64] = "Idempotency-Key: ";
    size_t n = strlen(key);
    random_fill(random_system(), random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++, n += 2)
        snprintf(key + n, sizeof key - n, "%02x", random[i]);
    char authorization[SESSION_TOKEN_MAX + 32];
    const char *headers[] = { "Content-Type: application/json", key, session ? authorization : NULL, NULL };
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %.*s", SESSION_TOKEN_MAX, session ? session : "");
    snprintf(url, sizeof url, "http://localhost%s", target);
    struct http_client_response res = { 0 };
    buf_init(&res.body, NULL);
    int rc = http_call(socket_path, method, url, headers, body, ANSWER_WITHIN_MS, &res, err);
    if (rc == 0) {
        *status = res.status;
        buf_add_slice(answer, buf_slice(&res.body));
    }
    buf_release(&res.body);
    return rc;
}

static int ask_here(const char *dir, const char *data_dir, const char *session, const char *method, const char *target, struct slice body,
                    int *status, struct buf *answer, struct err *err)
{
    struct shop *s;
    struct shop_options o = { .dir = dir,
                              .data_dir = data_dir,
                              .clock = clock_system(),
                              .random = random_system(),
                              .may_lack_secrets = true,
                              /* A price is asked of the files as they are. */
                              .or_live_rules = strncmp(target, "/v1/quotes", 10) != 0 };
    int rc = shop_open(&o, &s, err);
    if (rc < 0)
        return rc;
    rc = shop_request_as(s, slice_str(session), method, target, body, status, answer, err);
    shop_close(s);
    return rc;
}

enum { SOCKET_PATH_BYTES = 4200 };

static void place_of_socket(const char *dir, const char *data_dir, char out[SOCKET_PATH_BYTES])
{
    snprintf(out, SOCKET_PATH_BYTES, data_dir ? "%s/feira.sock" : "%s/data/feira.sock", data_dir ? data_dir : dir);
}

bool shop_is_served(const char *dir, const char *data_dir)
{
    char socket_path[SOCKET_PATH_BYTES];
    place_of_socket(dir, data_dir, socket_path);
    return somebody_listens(socket_path);
}

static int ask_as(const char *dir, const char *data_dir, const char *session, const char *method, const char *target, struct slice body,
                  int *status, struct buf *answer, struct err *err)
{
    char socket_path[SOCKET_PATH_BYTES];
    place_of_socket(dir, data_dir, socket_path);
    if (somebody_listens(socket_path))
        return ask_served(socket_path, session, method, target, body, status, answer, err);
    return ask_here(dir, data_dir, session, method, target, body, status, answer, err);
}

int shop_ask(const char *dir, const char *data_dir, const char *method, const char *target, struct slice body, int *status,
             struct buf *answer, struct err *err)
{
    return ask_as(dir, data_dir, NULL, method, target, body, status, answer, err);
}

static int problem_to_err(int status, struct slice answer, struct err *err)
{
    struct arena a;
    struct json_value *v;
    struct slice detail = SLICE_LIT("The shop gave no reason."), field = { "", 0 };
    arena_init(&a, NULL, 0);
    if (json_parse(answer, NULL, &a, &v, NULL) == 0) {
        json_is_string(json_get(v, "detail"), &detail);
        json_is_string(json_get(v, "field"), &field);
    }
    int code = status == 422 || status == 400 ? ERR_INVALID : status == 404 ? ERR_NOT_FOUND : ERR_IO;
    if (memchr(detail.data, '\n', detail.len) || memmem(detail.data, detail.len, field.data, field.len))
        field.len = 0; /* the sentence names it, or ends with a line of a file */
    err_set(err, code, "%.*s%s%.*s%s", SLICE_FMT(detail), field.len ? " (" : "", SLICE_FMT(field), field.len ? ")" : "");
    arena_release(&a);
    return code;
}

/* As the operator of --as, or of FEIRA_SESSION; else as who owns the machine. */
static int ask_ok(const struct cli_args *a, const char *method, const char *target, struct slice body, struct buf *answer, struct err *err)
{
    char token[SESSION_TOKEN_MAX];
    int status = 0;
    int rc = session_find(a, token, err);
    if (rc == 0)
        rc = ask_as(a->positional[0], a->values[0], token[0] ? token : NULL, method, target, body, &status, answer, err);
    if (rc < 0)
        return rc;
    return status < 300 ? 0 : problem_to_err(status, buf_slice(answer), err);
}

int shop_ask_ok(const char *dir, const char *data_dir, const char *method, const char *target, struct slice body, struct buf *answer,
                struct err *err)
{
    int status = 0;
    int rc = shop_ask(dir, data_dir, method, target, body, &status, answer, err);
    if (rc < 0)
        return rc;
    return status < 300 ? 0 : problem_to_err(status, buf_slice(answer), err);
}

size_t cli_encode(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = text; *p && n + 4 < size; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    out[n] = '\0';
    return n;
}

struct slice cli_text(const struct json_value *v, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(v, key), &s);
    return s;
}

int64_t cli_number(const struct json_value *v, const char *key)
{
    int64_t n = 0;
    json_is_int(json_get(v, key), &n);
    return n;
}

void cli_write_list(struct json_writer *w, const char *key, const char *list)
{
    json_key(w, key);
    json_array(w);
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n)
            json_string(w, slice_of(list, n));
        list += n + (list[n] == ',');
    }
    json_array_end(w);
}

int cli_ask_json(const struct cli_args *a, const char *method, const char *target, struct slice body, struct arena *arena,
                 struct json_value **out, struct slice *raw, struct err *err)
{
    struct buf answer;
    buf_init(&answer, NULL);
    int rc = ask_ok(a, method, target, body, &answer, err);
    struct slice kept = rc == 0 ? arena_copy(arena, buf_slice(&answer)) : (struct slice){ 0 };
    if (rc == 0)
        rc = kept.data ? json_parse(kept, NULL, arena, out, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0 && raw)
        *raw = kept;
    buf_release(&answer);
    return rc;
}

int cli_ask(const struct cli_args *a, const char *method, const char *target, struct slice body, cli_show_fn show)
{
    struct err err = { 0 };
    struct buf answer;
    struct arena arena;
    struct json_value *v;
    buf_init(&answer, NULL);
    arena_init(&arena, NULL, 0);
    int rc = ask_ok(a, method, target, body, &answer, &err);
    if (rc == 0)
        rc = json_parse(buf_slice(&answer), NULL, &arena, &v, &err);
    int code = rc < 0 ? cli_fail(&err) : show(a, v, buf_slice(&answer));
    arena_release(&arena);
    buf_release(&answer);
    return code;
}
