/* feira operators: who runs the shop. */
#include "base/json.h"
#include "cli/session.h"
#include "crypto/crypto.h"
#include <inttypes.h>

enum { DATA, AS, ROLES, OFF }; /* options, in the order of cli.c */

#define OPERATORS "/v1/admin/operators"

static void say_roles(const struct json_value *list)
{
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
        printf("%s%.*s", v == list->first ? "" : ",", SLICE_FMT(v->string));
}

static int list(const struct cli_args *a, struct arena *arena, struct err *err)
{
    struct json_value *v = NULL;
    int rc = cli_ask_json(a, "GET", OPERATORS, slice_str(""), arena, &v, NULL, err);
    const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
    for (const struct json_value *o = items ? items->first : NULL; o; o = o->next) {
        bool password = false, factor = false;
        int64_t sessions = cli_number(o, "sessions");
        struct slice removed = cli_text(o, "removed_at");
        json_is_bool(json_get(o, "password"), &password);
        json_is_bool(json_get(o, "second_factor"), &factor);
        printf("%-20.*s ", SLICE_FMT(cli_text(o, "name")));
        if (removed.len) {
            printf("removed %.*s\n", SLICE_FMT(removed));
            continue;
        }
        say_roles(json_get(o, "roles"));
        printf("%s%s", password ? "" : "  no password yet", factor ? "  second factor" : "");
        if (sessions)
            printf("  %" PRId64 " session%s", sessions, sessions == 1 ? "" : "s");
        printf("\n");
    }
    if (items && items->count == 0)
        printf("There are no operators yet; make one with: feira operators SHOP add NAME --roles owner\n");
    return rc;
}

static int check_name(const char *name, struct err *err)
{
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(name) && *name && strlen(name) <= 40)
        return 0;
    return err_set(err, ERR_INVALID, "\"%.60s\" is no name of an operator: small letters, digits, dots, underscores, hyphens.", name);
}

/* { name?, roles?, password?, current?, code? } */
static int send(const struct cli_args *a, const char *method, const char *target, const char *const members[][2], struct arena *arena,
                struct json_value **out, struct err *err)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    for (size_t i = 0; members[i][0]; i++) {
        if (strcmp(members[i][0], "roles") == 0) {
            cli_write_list(&w, "roles", members[i][1]);
            continue;
        }
        json_key(&w, members[i][0]);
        json_str(&w, members[i][1]);
    }
    json_object_end(&w);
    int rc = cli_ask_json(a, method, target, buf_slice(&body), arena, out, NULL, err);
    crypto_wipe(body.data, body.len);
    buf_release(&body);
    return rc;
}

static int new_password(char password[SECRET_MAX], bool may_be_none, struct err *err)
{
    char again[SECRET_MAX];
    int rc = secret_ask(may_be_none ? "Password (none: he can't sign in yet)" : "New password", password, err);
    if (rc < 0 || !somebody_types() || (may_be_none && !password[0]))
        return rc;
    rc = secret_ask("The same again", again, err);
    return rc < 0 || strcmp(password, again) == 0 ? rc
                                                  : err_set(err, ERR_INVALID, "These were two different passwords; nothing was changed.");
}

static int add(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char password[SECRET_MAX];
    struct json_value *v;
    if (!a->values[ROLES])
        return err_set(err, ERR_INVALID, "Say which roles: --roles viewer, author, business, legal, owner (with commas between).");
    int rc = new_password(password, true, err);
    if (rc < 0)
        return rc;
    const char *const members[][2] = {
        { "name", a->positional[2] }, { "roles", a->values[ROLES] }, { password[0] ? "password" : NULL, password }, { NULL, NULL }
    };
    rc = send(a, "POST", OPERATORS, members, arena, &v, err);
    if (rc == 0)
        printf("%s is an operator.\n", a->positional[2]);
    return rc;
}

static int change_roles(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[128];
    struct json_value *v;
    const char *const members[][2] = { { "roles", a->values[ROLES] }, { NULL, NULL } };
    if (!a->values[ROLES])
        return err_set(err, ERR_INVALID, "Say which roles: --roles viewer, author, business, legal, owner (with commas between).");
    snprintf(target, sizeof target, OPERATORS "/%s", a->positional[2]);
    int rc = send(a, "PATCH", target, members, arena, &v, err);
    if (rc == 0)
        printf("%s has other roles now.\n", a->positional[2]);
    return rc;
}

static int change_password(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[128], current[SECRET_MAX] = "", password[SECRET_MAX];
    struct json_value *v;
    bool own = a->as && strcmp(a->as, a->positional[2]) == 0;
    snprintf(target, sizeof target, OPERATORS "/%s/password", a->positional[2]);
    int rc = own ? secret_ask("Current password", current, err) : 0;
    if (rc == 0)
        rc = new_password(password, false, err);
    if (rc < 0)
        return rc;
    const char *const members[][2] = { { "password", password }, { own ? "current" : NULL, current }, { NULL, NULL } };
    rc = send(a, "POST", target, members, arena, &v, err);
    crypto_wipe(password, sizeof password);
    if (rc == 0)
        printf("%s has another password now, and has to sign in again.\n", a->positional[2]);
    return rc;
}

static int second_factor(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[128], code[SECRET_MAX];
    struct json_value *v;
    snprintf(target, sizeof target, OPERATORS "/%s/totp", a->positional[2]);
    if (a->values[OFF]) {
        int rc = cli_ask_json(a, "DELETE", target, slice_str(""), arena, &v, NULL, err);
        if (rc == 0)
            printf("%s signs in without a second factor from now on.\n", a->positional[2]);
        return rc;
    }
    int rc = cli_ask_json(a, "POST", target, SLICE_LIT("{}"), arena, &v, NULL, err);
    if (rc < 0)
        return rc;
    printf("%.*s\n%.*s\nPut it into your app for one-time codes; it is shown only now.\n", SLICE_FMT(cli_text(v, "secret")),
           SLICE_FMT(cli_text(v, "url")));
    fflush(stdout);
    rc = secret_ask("The code that the app shows", code, err);
    const char *const members[][2] = { { "code", code }, { NULL, NULL } };
    snprintf(target, sizeof target, OPERATORS "/%s/totp/confirm", a->positional[2]);
    if (rc == 0)
        rc = send(a, "POST", target, members, arena, &v, err);
    const struct json_value *codes = rc == 0 ? json_get(v, "recovery_codes") : NULL;
    if (rc == 0)
        printf("The second factor is on. Keep these where the app is not; each is good once:\n");
    for (const struct json_value *c = codes ? codes->first : NULL; c; c = c->next)
        printf("  %.*s\n", SLICE_FMT(c->string));
    return rc;
}

static int remove_one(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[128];
    struct json_value *v;
    snprintf(target, sizeof target, OPERATORS "/%s", a->positional[2]);
    int rc = cli_ask_json(a, "DELETE", target, slice_str(""), arena, &v, NULL, err);
    if (rc == 0)
        printf("%s is no operator any more.\n", a->positional[2]);
    return rc;
}

static const struct {
    const char *word;
    int (*run)(const struct cli_args *a, struct arena *arena, struct err *err);
} deeds[] = {
    { "add", add }, { "role", change_roles }, { "password", change_password }, { "totp", second_factor }, { "remove", remove_one }
};

static int carry_out(const struct cli_args *a, struct arena *arena, struct err *err)
{
    if (a->count == 1 || (a->count == 2 && strcmp(a->positional[1], "list") == 0))
        return list(a, arena, err);
    int rc = a->count == 3 ? check_name(a->positional[2], err) : err_set(err, ERR_INVALID, "Name the operator; see: feira help operators");
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (strcmp(a->positional[1], deeds[i].word) == 0)
            return deeds[i].run(a, arena, err);
    return err_set(err, ERR_INVALID, "\"%.40s\" is none of list, add, role, password, totp, remove.", a->positional[1]);
}

int cmd_operators(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = carry_out(a, &arena, &err);
    arena_release(&arena);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
