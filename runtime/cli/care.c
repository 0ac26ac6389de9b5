/* feira doctor, backup, restore: the data of a shop looked through, copied and brought back. */
#include "base/json.h"
#include "cli/cli.h"
#include "host/host.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { DATA, JSON };

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

int cmd_backup(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct json_writer w;
    char path[PATH_MAX];
    if (whole_path(a->positional[1], path, &err) < 0)
        return cli_fail(&err);
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, "path");
    json_str(&w, path);
    json_object_end(&w);
    int code = cli_ask(a, "POST", "/v1/backup", buf_slice(&body), show_backup);
    buf_release(&body);
    return code;
}

int cmd_restore(const struct cli_args *a)
{
    struct err err = { 0 };
    char replaced[4096] = "";
    struct shop_options o = { .dir = a->positional[0], .data_dir = a->values[DATA], .clock = clock_system(), .random = random_system() };
    if (shop_restore(&o, a->positional[1], replaced, &err) < 0)
        return cli_fail(&err);
    printf("%s is what the shop has now.\n", a->positional[1]);
    if (replaced[0])
        printf("What was there before is in %s; remove it when you are sure.\n", replaced);
    return EXIT_DONE;
}
