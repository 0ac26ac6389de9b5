#include "cli/cli.h"
#include "cli/sockets.h"
#include "base/log.h"
#include "host/host.h"
#include <stdlib.h>
#include <unistd.h>

enum { RESOLVE_MAX = 32 };

struct announcement {
    const char *host, *keys_path;
    bool first_start;
};

static void ready(void *ctx, int port)
{
    const struct announcement *a = ctx;
    bool v6 = strchr(a->host, ':') != NULL;
    printf("listening on http://%s%s%s:%d\n", v6 ? "[" : "", a->host, v6 ? "]" : "", port);
    if (a->first_start)
        printf("the first keys are in %s\n", a->keys_path);
    fflush(stdout);
}

/* From the publisher's thread: one write, so that lines stay whole. */
static void published(void *ctx, bool live, const char *text)
{
    (void)ctx;
    if (live)
        printf("%s\n", text);
    else
        printf("refused, the rules before stay live:\n  %s\n", text);
    fflush(stdout);
}

/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses) */
static int parse_listen(const char *text, char host[64], int *port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    char *end;
    long n = colon ? strtol(colon + 1, &end, 10) : -1;
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (!colon || colon[1] == '\0' || *end || n < 0 || n > 65535 || len >= 64)
        return err_set(err, ERR_INVALID, "--listen wants HOST:PORT, for example 127.0.0.1:8080, not \"%s\".", text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    snprintf(host, 64, "%.*s", (int)len, len ? text : "");
    if (len == 0)
        snprintf(host, 64, "0.0.0.0");
    *port = (int)n;
    return 0;
}

static int parse_workers(const char *text, int *out, struct err *err)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > 16)
        return err_set(err, ERR_INVALID, "--workers wants a number from 1 to 16, not \"%s\".", text);
    *out = (int)n;
    return 0;
}

static int parse_streams(const char *text, size_t *out, struct err *err)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || n < 1 || n > 100000)
        return err_set(err, ERR_INVALID, "--streams wants a number from 1 to 100000, not \"%s\".", text);
    *out = (size_t)n;
    return 0;
}

/* "api.example.com:443:192.0.2.1,...": cut up in place, into a list that ends with NULL. */
static int parse_resolve(char *text, const char *out[RESOLVE_MAX + 1], struct err *err)
{
    int n = 0;
    char *save = NULL;
    for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        const char *port = strchr(p, ':');
        if (n == RESOLVE_MAX || !port || !strchr(port + 1, ':'))
            return err_set(err, ERR_INVALID, "--resolve wants HOST:PORT:ADDRESS, at most %d of them, not \"%s\".", RESOLVE_MAX, p);
        out[n++] = p;
    }
    return 0;
}

enum { LOCK_TRIES = 100, LOCK_WAIT_US = 100000 };

/* While one program takes over from another, a command may have the shop for a moment. */
static int open_shop(const struct shop_options *o, bool takes_over, struct shop **s, struct err *err)
{
    int rc = shop_open(o, s, err);
    for (int i = 0; takes_over && rc == ERR_LOCKED && i < LOCK_TRIES; i++) {
        usleep(LOCK_WAIT_US);
        rc = shop_open(o, s, err);
    }
    return rc;
}

static int serve(const struct cli_args *a, struct serve_options *o, struct log *log, struct handover *handover, struct err *err)
{
    char resolve_text[4096];
    const char *resolve[RESOLVE_MAX + 1] = { NULL };
    char keys_path[4096];
    struct announcement say = { .host = o->host, .keys_path = keys_path };
    struct shop *s;
    struct shop_options shop = {
        .dir = a->positional[0], .data_dir = a->values[2], .clock = clock_system(), .random = random_system(), .log = log
    };
    shop.outbound = (struct outbound_options){ .ca_file = a->values[5], .may_be_local = a->values[6] != NULL, .resolve = resolve };
    shop.webhooks_may_be_local = a->values[9] != NULL;
    snprintf(resolve_text, sizeof resolve_text, "%s", a->values[7] ? a->values[7] : "");
    int rc = parse_resolve(resolve_text, resolve, err);
    if (rc == 0 && a->values[8])
        rc = parse_streams(a->values[8], &shop.streams_max, err);
    if (rc == 0)
        rc = open_shop(&shop, o->inherited_count > 0, &s, err);
    if (rc < 0)
        return rc;
    if (shop.outbound.may_be_local)
        log_warn(log, "serve.call_local", "Plugins may call this machine and private networks, also without TLS: for tests only.");
    if (shop.webhooks_may_be_local)
        log_warn(log, "serve.allow_private", "Webhooks may go to this machine and private networks, also without TLS: for development.");
    rc = shop_first_keys(s, keys_path, &say.first_start, err);
    o->ready = ready;
    o->watch = a->values[4] != NULL;
    o->published = o->watch ? published : NULL;
    o->ctx = &say;
    if (rc == 0)
        rc = shop_serve(s, o, handover, err);
    shop_close(s);
    return rc;
}

int cmd_serve(const struct cli_args *a)
{
    struct err err = { 0 };
    char host[64];
    struct serve_options o = { .host = host };
    bool human = isatty(STDERR_FILENO);
    if (parse_listen(a->values[0] ? a->values[0] : "127.0.0.1:8080", host, &o.port, &err) < 0 ||
        (a->values[1] && parse_workers(a->values[1], &o.workers, &err) < 0)) {
        cli_fail(&err);
        return EXIT_USAGE;
    }
    if (a->values[3]) {
        human = strcmp(a->values[3], "human") == 0;
        if (!human && strcmp(a->values[3], "json") != 0) {
            fprintf(stderr, "feira: --log wants human or json, not \"%s\".\n", a->values[3]);
            return EXIT_USAGE;
        }
    }
    int inherited[HANDED_OVER_MAX];
    struct handover handover = { 0 };
    o.inherited = inherited;
    o.inherited_count = sockets_inherited(inherited);
    o.successor = a->argv[0];
    struct log *log = log_open(STDERR_FILENO, human ? LOG_HUMAN : LOG_JSON, LOG_INFO, clock_system());
    int rc = serve(a, &o, log, &handover, &err);
    log_close(log);
    if (rc == 0 && handover.wanted)
        rc = sockets_exec(a->argv, &handover, &err);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
