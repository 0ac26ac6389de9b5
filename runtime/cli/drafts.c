/* feira submit, drafts, approve, reject, schedule: changes on their way to going live. */
#include "base/json.h"
#include "cli/cli.h"

#define DRAFTS "/v1/admin/drafts"

enum { SUBMIT_DATA, SUBMIT_AS, DRAFT, AT, NOTE };
enum { LIST_DATA, LIST_AS, JSON, FILES };
enum { APPROVE_DATA, APPROVE_AS, APPROVE_NOTE };
enum { REJECT_DATA, REJECT_AS, REASON, WITHDRAW };
enum { SCHEDULE_DATA, SCHEDULE_AS, SCHEDULE_AT, SOON }; /* options, in the order of cli.c */

static int target_of(const struct cli_args *a, const char *what, char out[256], struct err *err)
{
    const char *id = a->positional[1];
    if (strncmp(id, "drf_", 4) != 0 || strspn(id + 4, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(id + 4) ||
        strlen(id) > 39)
        return err_set(err, ERR_INVALID, "\"%.40s\" is no id of a draft; feira drafts SHOP lists them.", id);
    snprintf(out, 256, DRAFTS "/%s%s", id, what);
    return 0;
}

/* An object of those texts that are there. */
static void write_texts(struct buf *body, const char *const members[][2])
{
    struct json_writer w;
    json_writer_init(&w, body);
    json_object(&w);
    for (size_t i = 0; members[i][0]; i++) {
        if (!members[i][1])
            continue;
        json_key(&w, members[i][0]);
        json_str(&w, members[i][1]);
    }
    json_object_end(&w);
}

static int send(const struct cli_args *a, const char *target, const char *const members[][2], cli_show_fn show)
{
    struct buf body;
    buf_init(&body, NULL);
    write_texts(&body, members);
    int code = cli_ask(a, "POST", target, buf_slice(&body), show);
    buf_release(&body);
    return code;
}

/* --- submit -------------------------------------------------------------------------------------------------------------------------- */

static int say_submitted(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)raw;
    const struct json_value *findings = json_get(v, "findings");
    for (const struct json_value *f = findings ? findings->first : NULL; f; f = f->next)
        printf("%.*s: %.*s: %.*s\n", SLICE_FMT(cli_text(f, "at")), SLICE_FMT(cli_text(f, "level")), SLICE_FMT(cli_text(f, "text")));
    printf("%.*s is submitted. What it changes, and what it still needs: feira drafts %s %.*s\n", SLICE_FMT(cli_text(v, "draft")),
           a->positional[0], SLICE_FMT(cli_text(v, "draft")));
    return EXIT_DONE;
}

int cmd_submit(const struct cli_args *a)
{
    const char *const members[][2] = {
        { "draft", a->values[DRAFT] }, { "at", a->values[AT] }, { "note", a->values[NOTE] }, { NULL, NULL }
    };
    return send(a, DRAFTS, members, say_submitted);
}

/* --- drafts --------------------------------------------------------------------------------------------------------------------------- */

static bool counts(const struct json_value *approval)
{
    return !json_get(approval, "void_at");
}

static const struct json_value *approval_of(const struct json_value *draft, struct slice step)
{
    const struct json_value *list = json_get(draft, "approvals");
    for (const struct json_value *p = list ? list->first : NULL; p; p = p->next)
        if (counts(p) && slice_eq(cli_text(p, "step"), step))
            return p;
    return NULL;
}

static void say_names(const struct json_value *list)
{
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
        printf("%s%.*s", v == list->first ? "" : ", ", SLICE_FMT(v->string));
}

static void say_line(const struct json_value *d)
{
    struct slice at = cli_text(d, "go_live_at"), note = cli_text(d, "note");
    printf("%.*s  %-10.*s by %.*s", SLICE_FMT(cli_text(d, "id")), SLICE_FMT(cli_text(d, "state")), SLICE_FMT(cli_text(d, "author")));
    if (at.len)
        printf("  goes live %.*s", SLICE_FMT(at));
    printf("%s%.*s\n", note.len ? "  " : "", SLICE_FMT(note));
}

static int list(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *items = json_get(v, "items");
    if (a->values[JSON]) {
        printf("%.*s\n", SLICE_FMT(raw));
        return EXIT_DONE;
    }
    for (const struct json_value *d = items ? items->first : NULL; d; d = d->next)
        say_line(d);
    if (items && items->count == 0)
        printf("There are no drafts; make one with: feira submit SHOP\n");
    return EXIT_DONE;
}

static void say_changes(const struct json_value *list)
{
    for (const struct json_value *f = list ? list->first : NULL; f; f = f->next) {
        const struct json_value *campaigns = json_get(f, "campaigns");
        printf("  %-8.*s %.*s  needs ", SLICE_FMT(cli_text(f, "change")), SLICE_FMT(cli_text(f, "file")));
        if (json_get(f, "steps")->count)
            say_names(json_get(f, "steps"));
        else
            printf("no step");
        printf("\n");
        for (const struct json_value *c = campaigns ? campaigns->first : NULL; c; c = c->next) {
            printf("           %.*s (%.*s): ", SLICE_FMT(cli_text(c, "id")), SLICE_FMT(cli_text(c, "of")));
            say_names(json_get(c, "kinds"));
            printf("\n");
        }
    }
}

static void say_steps(const struct json_value *d)
{
    const struct json_value *steps = json_get(d, "steps"), *approvals = json_get(d, "approvals");
    for (const struct json_value *s = steps ? steps->first : NULL; s; s = s->next) {
        const struct json_value *p = approval_of(d, cli_text(s, "name"));
        printf("  %-12.*s ", SLICE_FMT(cli_text(s, "name")));
        if (p) {
            printf("approved by %.*s, %.*s\n", SLICE_FMT(cli_text(p, "operator")), SLICE_FMT(cli_text(p, "at")));
            continue;
        }
        printf("waits for one of: ");
        say_names(json_get(s, "roles"));
        printf("\n");
    }
    for (const struct json_value *p = approvals ? approvals->first : NULL; p; p = p->next)
        if (!counts(p))
            printf("  (%.*s by %.*s does not count: %.*s)\n", SLICE_FMT(cli_text(p, "step")), SLICE_FMT(cli_text(p, "operator")),
                   SLICE_FMT(cli_text(p, "void_why")));
}

static int show(const struct cli_args *a, const struct json_value *d, struct slice raw)
{
    struct slice why = cli_text(d, "why");
    if (a->values[JSON]) {
        printf("%.*s\n", SLICE_FMT(raw));
        return EXIT_DONE;
    }
    say_line(d);
    printf("hash      %.*s\nbased on  %.*s\nhad a hand in it: ", SLICE_FMT(cli_text(d, "hash")), SLICE_FMT(cli_text(d, "base")));
    say_names(json_get(d, "authors"));
    printf("\n");
    if (why.len)
        printf("back because: %.*s\n", SLICE_FMT(why));
    printf("changes\n");
    say_changes(json_get(d, "changes"));
    printf("approvals\n");
    say_steps(d);
    return EXIT_DONE;
}

static void say_text(char sign, struct slice text)
{
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        printf("%c%.*s\n", sign, (int)n, text.data);
        text = slice_of(text.data + n + (end != NULL), text.len - n - (end != NULL));
    }
}

/* Before and after, whole: what is approved is every word of it. */
static int show_files(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    const struct json_value *files = json_get(v, "files");
    printf("hash %.*s\n", SLICE_FMT(cli_text(v, "hash")));
    for (const struct json_value *f = files ? files->first : NULL; f; f = f->next) {
        printf("--- %.*s\n", SLICE_FMT(cli_text(f, "path")));
        say_text('-', cli_text(f, "before"));
        say_text('+', cli_text(f, "after"));
    }
    return EXIT_DONE;
}

int cmd_drafts(const struct cli_args *a)
{
    char target[256];
    struct err err = { 0 };
    if (a->count == 1)
        return cli_ask(a, "GET", DRAFTS, slice_str(""), list);
    if (target_of(a, a->values[FILES] ? "/files" : "", target, &err) < 0)
        return cli_fail(&err);
    return cli_ask(a, "GET", target, slice_str(""), a->values[FILES] ? show_files : show);
}

/* --- approve, reject, schedule ----------------------------------------------------------------------------------------------------------
 */

static int say_state(const struct cli_args *a, const struct json_value *d, struct slice raw)
{
    (void)a;
    (void)raw;
    printf("%.*s is %.*s.\n", SLICE_FMT(cli_text(d, "id")), SLICE_FMT(cli_text(d, "state")));
    say_steps(d);
    if (slice_is(cli_text(d, "state"), "approved"))
        printf("It goes live %s where the shop is served, else at its next start.\n", json_get(d, "go_live_at") ? "at its time" : "now");
    return EXIT_DONE;
}

int cmd_approve(const struct cli_args *a)
{
    char target[256];
    struct err err = { 0 };
    const char *const members[][2] = { { "hash", a->positional[2] }, { "note", a->values[APPROVE_NOTE] }, { NULL, NULL } };
    return target_of(a, "/approve", target, &err) < 0 ? cli_fail(&err) : send(a, target, members, say_state);
}

int cmd_reject(const struct cli_args *a)
{
    char target[256];
    struct err err = { 0 };
    const char *const members[][2] = { { "reason", a->values[REASON] }, { NULL, NULL } };
    if (!a->values[REASON])
        err_set(&err, ERR_INVALID, "Say why, for the record: --reason TEXT.");
    if (err.code || target_of(a, a->values[WITHDRAW] ? "/withdraw" : "/reject", target, &err) < 0)
        return cli_fail(&err);
    return send(a, target, members, say_state);
}

int cmd_schedule(const struct cli_args *a)
{
    char target[256];
    struct err err = { 0 };
    const char *const members[][2] = { { "at", a->values[SCHEDULE_AT] }, { NULL, NULL } };
    if ((a->values[SCHEDULE_AT] != NULL) == (a->values[SOON] != NULL))
        err_set(&err, ERR_INVALID, "Say when: --at TIME, or --soon.");
    if (err.code || target_of(a, "/schedule", target, &err) < 0)
        return cli_fail(&err);
    return send(a, target, members, say_state);
}
