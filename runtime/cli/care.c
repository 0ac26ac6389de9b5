/* feira doctor, backup, restore: the data of a shop looked through, copied, kept a second time, and brought back. */
#include "base/json.h"
#include "base/zone.h"
#include "cli/cli.h"
#include "host/host.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { DATA, JSON };
enum { BACKUP_DATA, FOLLOW, KEEP, SNAPSHOT_EVERY, UNFOLLOW };
enum { RESTORE_DATA, FROM, AT, ACCEPT_DAMAGE };

static void print_findings(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "findings");
    for (const struct json_value *f = list ? list->first : NULL; f; f = f->next) {
        struct slice advice = cli_text(f, "advice");
        printf("%-8.*s %-22.*s %.*s\n", SLICE_FMT(cli_text(f, "level")), SLICE_FMT(cli_text(f, "check")), SLICE_FMT(cli_text(f, "text")));
        if (advice.len)
            printf("%-31s -> %.*s\n", "", SLICE_FMT(advice));
    }
}

static int show_findings(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    bool healthy = false;
    json_is_bool(json_get(v, "healthy"), &healthy);
    if (a->values[JSON])
        printf("%.*s\n", SLICE_FMT(raw));
    else
        print_findings(v);
    return healthy ? EXIT_DONE : EXIT_FAILED;
}

int cmd_doctor(const struct cli_args *a)
{
    return cli_ask(a, "GET", "/v1/doctor", slice_str(""), show_findings);
}

/* The server may stand in another folder, so it is told the whole path. */
static int whole_path(const char *file, char out[PATH_MAX], struct err *err)
{
    char here[PATH_MAX];
    int n = file[0] == '/'              ? snprintf(out, PATH_MAX, "%s", file)
            : getcwd(here, sizeof here) ? snprintf(out, PATH_MAX, "%s/%s", here, file)
                                        : PATH_MAX;
    return n < PATH_MAX ? 0 : err_set(err, ERR_INVALID, "The path of the backup is too long.");
}

static int show_backup(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    int64_t bytes = 0, took_ms = 0;
    (void)a;
    (void)raw;
    json_is_int(json_get(v, "bytes"), &bytes);
    json_is_int(json_get(v, "took_ms"), &took_ms);
    printf("%.*s: %.1f MiB, checked, in %.1f s\n", SLICE_FMT(cli_text(v, "path")), (double)bytes / (1024.0 * 1024.0),
           (double)took_ms / 1000);
    return EXIT_DONE;
}

static void add_text(struct json_writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    json_key(w, key);
    json_str(w, text);
}

static int send_body(const struct cli_args *a, const char *method, const char *target, struct json_writer *w, struct buf *body,
                     cli_show_fn show)
{
    json_object_end(w);
    int code = cli_ask(a, method, target, buf_slice(body), show);
    buf_release(body);
    return code;
}

static void begin_body(struct json_writer *w, struct buf *body)
{
    buf_init(body, NULL);
    json_writer_init(w, body);
    json_object(w);
}

static int backup_once(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct json_writer w;
    char path[PATH_MAX];
    if (whole_path(a->positional[1], path, &err) < 0)
        return cli_fail(&err);
    begin_body(&w, &body);
    add_text(&w, "path", path);
    return send_body(a, "POST", "/v1/backup", &w, &body, show_backup);
}

static int show_follow(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    bool following = false;
    (void)raw;
    json_is_bool(json_get(v, "following"), &following);
    printf("A second copy is kept in %.*s, from now on and at every start.\n", SLICE_FMT(cli_text(v, "dir")));
    if (following)
        printf("A snapshot is being written; see how far behind it is: feira status %s\n", a->positional[0]);
    else
        printf("Nobody serves the shop; it begins when somebody does.\n");
    return EXIT_DONE;
}

static int follow(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct json_writer w;
    char path[PATH_MAX];
    if (whole_path(a->values[FOLLOW], path, &err) < 0)
        return cli_fail(&err);
    begin_body(&w, &body);
    add_text(&w, "dir", path);
    add_text(&w, "keep", a->values[KEEP]);
    add_text(&w, "snapshot_every", a->values[SNAPSHOT_EVERY]);
    return send_body(a, "PUT", "/v1/follow", &w, &body, show_follow);
}

static int show_unfollow(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)v;
    (void)raw;
    printf("No second copy is kept any more; what was written stays where it is.\n");
    return EXIT_DONE;
}

static int usage(const char *text)
{
    fprintf(stderr, "feira: %s\n", text);
    return EXIT_USAGE;
}

int cmd_backup(const struct cli_args *a)
{
    int ways = (a->count == 2) + (a->values[FOLLOW] != NULL) + (a->values[UNFOLLOW] != NULL);
    if (ways != 1)
        return usage("backup wants one of FILE, --follow DIR and --unfollow; see: feira help backup");
    if (!a->values[FOLLOW] && (a->values[KEEP] || a->values[SNAPSHOT_EVERY]))
        return usage("--keep and --snapshot-every go with --follow DIR.");
    if (a->values[FOLLOW])
        return follow(a);
    return a->values[UNFOLLOW] ? cli_ask(a, "DELETE", "/v1/follow", slice_str(""), show_unfollow) : backup_once(a);
}

/* --- restore ---------------------------------------------------------------------------------------------------------------- */

static void say_restored(const struct restore_source *from, const struct restored *r)
{
    char at[TIMESTAMP_MAX];
    if (from->dir)
        printf("What the shop has now is of %.*s: a snapshot of %s and the %llu commits after it.\n",
               (int)timestamp_format(r->as_of_ms, at), at, from->dir, (unsigned long long)r->commits);
    else
        printf("%s is what the shop has now.\n", from->file);
    if (r->missing[0])
        printf("%s\n", r->missing);
    if (r->replaced[0])
        printf("What was there before is in %s; remove it when you are sure.\n", r->replaced);
    if (from->dir)
        printf("Where the whole data folder was lost, say again where the second copy goes: feira backup SHOP --follow DIR.\n");
}

int cmd_restore(const struct cli_args *a)
{
    struct err err = { 0 };
    struct restored restored;
    struct restore_source from = { .file = a->count == 2 ? a->positional[1] : NULL,
                                   .dir = a->values[FROM],
                                   .at_ms = INT64_MAX,
                                   .accept_damage = a->values[ACCEPT_DAMAGE] != NULL };
    if ((from.file != NULL) == (from.dir != NULL))
        return usage("restore wants either FILE or --from DIR; see: feira help restore");
    if (from.file && (a->values[AT] || from.accept_damage))
        return usage("--at and --accept-damage go with --from DIR.");
    if (a->values[AT] && timestamp_parse(slice_str(a->values[AT]), &from.at_ms, &err) < 0) {
        cli_fail(&err);
        return EXIT_USAGE;
    }
    struct shop_options o = {
        .dir = a->positional[0], .data_dir = a->values[RESTORE_DATA], .clock = clock_system(), .random = random_system()
    };
    if (shop_restore(&o, &from, &restored, &err) < 0)
        return cli_fail(&err);
    say_restored(&from, &restored);
    return EXIT_DONE;
}
