/* Sends requests over keep-alive connections to 127.0.0.1 and says how they were answered. Each has an Idempotency-Key of its own, of the
 * form of the shop's ids, so that keys sort by time as a well-made client's do.
 *
 *   bench_load PORT KEY FILE [--connections N] [--seconds S] [--rate R] [--first I] [--once]
 *
 * FILE has one request a line: "METHOD PATH\tBODY". They are sent from line I on, round and round, or with --once each one time at most.
 * Without --rate every connection sends again as soon as it was answered. With it requests come at random moments, R a second on
 * average, and a wait counts from the moment a request was due: a stall is not hidden by asking less meanwhile. The last line of the
 * output is one JSON object. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, ANSWER_MAX = 1 << 20, KEY_DIGITS = 26, TIME_DIGITS = 10 };

struct request {
    const char *head; /* "POST /v1/orders" */
    const char *body;
    size_t head_len, body_len;
};

struct connection {
    int fd;
    bool busy;
    int64_t due_ns;
    char *in;
    size_t in_len, in_need; /* in_need: 0 while the head is not whole */
};

struct load {
    int port, epoll;
    const char *key;
    struct request *requests;
    size_t request_count, next, left;
    struct connection *connections;
    size_t connection_count, busy;
    struct connection **idle;
    size_t idle_count;
    double rate;
    uint64_t keys, random;
    int64_t begin_ns, end_ns, due_ns;
    uint32_t *wait_us;
    size_t answers, answers_cap, failed;
    bool said;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* --- requests -------------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die(path);
    *len = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*len + 1);
    if (!text || fread(text, 1, *len, f) != *len)
        die(path);
    text[*len] = '\0';
    fclose(f);
    return text;
}

static void read_requests(struct load *l, const char *path)
{
    size_t len, cap = 0;
    char *text = read_file(path, &len);
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = strchr(line, '\n');
        char *tab = end ? memchr(line, '\t', (size_t)(end - line)) : NULL;
        if (!tab) {
            fprintf(stderr, "bench_load: a line of %s is not \"METHOD PATH<tab>BODY\"\n", path);
            exit(2);
        }
        if (l->request_count == cap) {
            cap = cap ? cap * 2 : 1024;
            l->requests = realloc(l->requests, cap * sizeof *l->requests);
            if (!l->requests)
                die("memory");
        }
        l->requests[l->request_count++] = (struct request){ line, tab + 1, (size_t)(tab - line), (size_t)(end - tab - 1) };
    }
}

/* Milliseconds, then a count: 26 digits of Crockford's base 32, as base/id.h writes them. */
static void write_key(struct load *l, char out[KEY_DIGITS])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)(now_ns(CLOCK_REALTIME) / 1000000), n = l->keys++;
    for (int i = TIME_DIGITS; i-- > 0; ms >>= 5)
        out[i] = digits[ms & 31];
    uint64_t run = l->random;
    for (int i = KEY_DIGITS; i-- > TIME_DIGITS;) {
        uint64_t *from = i >= KEY_DIGITS - 8 ? &n : &run; /* the count, behind what tells this run from others */
        out[i] = digits[*from & 31];
        *from >>= 5;
    }
}

static void send_request(struct load *l, struct connection *c, int64_t due_ns)
{
    const struct request *r = &l->requests[l->next];
    l->next = (l->next + 1) % l->request_count;
    l->left--;
    char text[16384], key[KEY_DIGITS];
    write_key(l, key);
    int n = snprintf(text, sizeof text,
                     "%.*s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nIdempotency-Key: idk_%.*s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     (int)r->head_len, r->head, l->key, KEY_DIGITS, key, r->body_len);
    if (n < 0 || (size_t)n + r->body_len > sizeof text) {
        fprintf(stderr, "bench_load: a request is too long\n");
        exit(2);
    }
    memcpy(text + n, r->body, r->body_len);
    size_t len = (size_t)n + r->body_len;
    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send");
    c->busy = true;
    c->due_ns = due_ns;
    c->in_len = c->in_need = 0;
    l->busy++;
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

static void note_wait(struct load *l, int64_t ns)
{
    if (l->answers == l->answers_cap) {
        l->answers_cap = l->answers_cap ? l->answers_cap * 2 : 1 << 16;
        l->wait_us = realloc(l->wait_us, l->answers_cap * sizeof *l->wait_us);
        if (!l->wait_us)
            die("memory");
    }
    l->wait_us[l->answers++] = (uint32_t)(ns / 1000);
}

static size_t answer_length(const char *in, const char *body)
{
    for (const char *line = in; line < body; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)(body - in) + strtoul(line + 15, NULL, 10);
    return (size_t)(body - in);
}

static void answered(struct load *l, struct connection *c, int64_t now)
{
    c->busy = false;
    l->busy--;
    l->idle[l->idle_count++] = c;
    note_wait(l, now - c->due_ns);
    if (c->in[9] == '2')
        return;
    l->failed++;
    if (!l->said)
        fprintf(stderr, "bench_load: the first answer that is no success:\n%.*s\n", (int)c->in_need, c->in);
    l->said = true;
}

static void receive(struct load *l, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, ANSWER_MAX - c->in_len - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        errno = n == 0 ? ECONNRESET : errno;
        die("the server closed a connection");
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    const char *end = c->in_need ? NULL : strstr(c->in, "\r\n\r\n");
    if (end)
        c->in_need = answer_length(c->in, end + 4);
    if (c->in_need > ANSWER_MAX - 1) {
        fprintf(stderr, "bench_load: an answer of %zu bytes is too long\n", c->in_need);
        exit(1);
    }
    if (c->in_need && c->in_len >= c->in_need)
        answered(l, c, now_ns(CLOCK_MONOTONIC));
}

/* --- the run --------------------------------------------------------------------------------------------------------- */

static void connect_all(struct load *l)
{
    l->epoll = epoll_create1(0);
    l->connections = calloc(l->connection_count, sizeof *l->connections);
    l->idle = calloc(l->connection_count, sizeof(struct connection *));
    if (l->epoll < 0 || !l->connections || !l->idle)
        die("memory");
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (size_t i = 0; i < l->connection_count; i++) {
        struct connection *c = &l->connections[i];
        int yes = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        c->in = malloc(ANSWER_MAX);
        if (c->fd < 0 || !c->in || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
            die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
            die("epoll");
        l->idle[l->idle_count++] = c;
    }
}

/* The wait until the next request of a Poisson process is -ln(u) / rate; ln by its series is enough for a random number. */
static int64_t next_pause_ns(struct load *l)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    double u = (double)(l->random >> 11) / (double)(1ull << 53), sum = 0, power = 1 - u;
    for (int i = 1; i <= 200; i++, power *= 1 - u)
        sum += power / i;
    return (int64_t)(sum / l->rate * 1e9);
}

static void send_due(struct load *l)
{
    int64_t now = now_ns(CLOCK_MONOTONIC);
    while (l->idle_count && l->left && now < l->end_ns) {
        if (l->rate > 0 && l->due_ns > now)
            break;
        send_request(l, l->idle[--l->idle_count], l->rate > 0 ? l->due_ns : now);
        if (l->rate > 0)
            l->due_ns += next_pause_ns(l);
    }
}

static void run(struct load *l, double seconds)
{
    struct epoll_event events[256];
    l->begin_ns = l->due_ns = now_ns(CLOCK_MONOTONIC);
    l->end_ns = l->begin_ns + (int64_t)(seconds * 1e9);
    for (;;) {
        send_due(l);
        int64_t now = now_ns(CLOCK_MONOTONIC), until = l->due_ns < l->end_ns ? l->due_ns : l->end_ns;
        if (l->busy == 0 && (now >= l->end_ns || l->left == 0))
            return;
        struct timespec wait = { 0, 0 };
        bool paced = l->rate > 0 && l->idle_count && until > now;
        if (paced)
            wait = (struct timespec){ (until - now) / 1000000000, (until - now) % 1000000000 };
        int n = epoll_pwait2(l->epoll, events, 256, paced ? &wait : l->busy ? NULL : &wait, NULL);
        if (n < 0 && errno != EINTR)
            die("epoll");
        for (int i = 0; i < n; i++)
            receive(l, events[i].data.ptr);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct load *l, double part)
{
    return l->answers ? l->wait_us[(size_t)((double)(l->answers - 1) * part)] / 1000.0 : 0;
}

static void report(struct load *l)
{
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - l->begin_ns) / 1e9;
    if (l->answers)
        qsort(l->wait_us, l->answers, sizeof *l->wait_us, by_size);
    printf("{\"answers\": %zu, \"failed\": %zu, \"seconds\": %.6f, \"rate\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"next\": %zu}\n",
           l->answers, l->failed, seconds, (double)l->answers / seconds, percentile_ms(l, 0.5), percentile_ms(l, 0.99), percentile_ms(l, 1),
           l->next);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 4; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_load PORT KEY FILE [--connections N] [--seconds S] [--rate R] [--first I] [--once]\n");
        return 2;
    }
    struct load l = { .port = atoi(argv[1]), .key = argv[2] };
    bool once = strcmp(argv[argc - 1], "--once") == 0;
    read_requests(&l, argv[3]);
    l.connection_count = (size_t)atoi(option(argc, argv, "--connections", "64"));
    l.rate = atof(option(argc, argv, "--rate", "0"));
    l.next = (size_t)atoll(option(argc, argv, "--first", "0"));
    if (l.connection_count == 0 || l.connection_count > CONNECTIONS_MAX || l.next >= l.request_count) {
        fprintf(stderr, "bench_load: from 1 to %d connections, and a first request that the file has\n", CONNECTIONS_MAX);
        return 2;
    }
    l.left = once ? l.request_count - l.next : SIZE_MAX;
    if (getrandom(&l.random, sizeof l.random, 0) != sizeof l.random)
        die("random");
    l.random |= 1;
    connect_all(&l);
    run(&l, atof(option(argc, argv, "--seconds", "3")));
    report(&l);
    return l.failed ? 1 : 0;
}
