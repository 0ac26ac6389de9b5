/* loop/listener.c - listening sockets. They are accepted from by hand, not through libuv, so that running out of
 * descriptors can be counted, and the peer's address comes from accept itself. */
#include "loop/loop_int.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 64, RETRY_MS = 100 };

struct listener {
    uv_poll_t poll;
    struct loop_timer *retry; /* runs while accepting is suspended, because not even the reserve descriptor could be had */
    struct loop *loop;
    int fd, reserve_fd, port;
    bool is_unix;
    char *path; /* of a unix socket; removed at the end when it is still ours */
    dev_t dev;
    ino_t ino;
    _Atomic uint64_t shed;
    struct slice farewell;
    void (*accepted)(void *ctx, struct stream *s);
    void *ctx;
};

static int reserve_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void describe_peer(struct peer *p, const struct sockaddr_storage *a)
{
    memset(p, 0, sizeof *p);
    if (a->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, p->address, sizeof p->address);
    } else if (a->ss_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip)) /* a client of a dual-stack socket has one name, not two */
            inet_ntop(AF_INET, &ip->s6_addr[12], p->address, sizeof p->address);
        else
            inet_ntop(AF_INET6, ip, p->address, sizeof p->address);
    } else {
        memcpy(p->address, "unix", 5);
        p->local_socket = true;
    }
}

static void on_readable(uv_poll_t *h, int status, int events);

static void on_retry(void *ctx)
{
    struct listener *s = ctx;
    if (s->reserve_fd < 0)
        s->reserve_fd = reserve_open();
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void suspend(struct listener *s)
{
    uv_poll_stop(&s->poll);
    loop_timer_start(s->retry, RETRY_MS, 0);
}

/* What it has sent is read first: else closing would take back what it is told. */
static void say_farewell(const struct listener *s, int fd)
{
    char unread[4096];
    if (s->farewell.len == 0)
        return;
    while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) == (ssize_t)sizeof unread)
        continue;
    if (send(fd, s->farewell.data, s->farewell.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
}

/* No descriptor is left. The connection would stay in the backlog and wake us for ever, so it is taken with the reserve and closed. */
static bool shed_one(struct listener *s)
{
    if (s->reserve_fd >= 0)
        close(s->reserve_fd);
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    bool took = fd >= 0;
    if (took) {
        say_farewell(s, fd);
        close(fd);
        atomic_fetch_add_explicit(&s->shed, 1, memory_order_relaxed);
    }
    s->reserve_fd = reserve_open();
    return took;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct listener *s = h->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from = { .ss_family = AF_UNIX };
        socklen_t len = sizeof from;
        int fd = accept4(s->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct peer peer;
            if (s->is_unix)
                from.ss_family = AF_UNIX;
            describe_peer(&peer, &from);
            struct stream *stream = stream_adopt(s->loop, fd, &peer);
            if (stream)
                s->accepted(s->ctx, stream);
            if (uv_is_closing((uv_handle_t *)&s->poll)) /* accepted() may close the listener */
                return;
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!shed_one(s)) {
                if (s->reserve_fd < 0)
                    suspend(s);
                return;
            }
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            suspend(s);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN, or a peer that left while it waited */
        }
    }
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

static int bind_failed(struct err *err, int fd, const struct listen_options *o)
{
    int e = errno;
    if (fd >= 0)
        close(fd);
    const char *hint = e == EADDRINUSE      ? "Another program listens there; stop it or choose another port."
                       : e == EACCES        ? "Ports below 1024 need privileges; choose a higher one."
                       : e == EADDRNOTAVAIL ? "The address does not belong to this machine."
                                            : "";
    return err_set(err, e == EADDRINUSE ? ERR_LOCKED : ERR_IO, "Can't listen on %s:%d: %s. %s", o->host ? o->host : "*", o->port,
                   strerror(e), hint);
}

static int resolve(const struct listen_options *o, struct sockaddr_storage *out, socklen_t *len, struct err *err)
{
    char port[8];
    snprintf(port, sizeof port, "%d", o->port);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
    int rc = getaddrinfo(o->host, port, &hints, &found);
    if (rc != 0 || !found)
        return err_field(err, ERR_INVALID, "listen",
                         "\"%s\" is not an address to listen on: %s. Give an IP address such as 127.0.0.1, ::1 or 0.0.0.0.",
                         o->host ? o->host : "*", gai_strerror(rc));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int tcp_socket(const struct sockaddr_storage *a, socklen_t len, bool reuse_port)
{
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    if ((reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) || bind(fd, (const struct sockaddr *)a, len) < 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static void read_port(struct listener *s)
{
    struct sockaddr_storage a = { 0 };
    socklen_t len = sizeof a;
    getsockname(s->fd, (struct sockaddr *)&a, &len);
    s->port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

static int adopt(struct listener *s, int fd, struct err *err)
{
    int listens = 0, on = 1;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)
        return err_set(err, ERR_STATE, "Descriptor %d was handed over as a socket that listens, and is none; see LISTEN_FDS.", fd);
    s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (s->fd < 0 || fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK) < 0)
        return err_set(err, ERR_IO, "The socket that was handed over can't be used: %s.", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    read_port(s);
    return 0;
}

static int open_tcp(struct listener *s, const struct listen_options *o, struct err *err)
{
    if (o->port < 0 || o->port > 65535)
        return err_field(err, ERR_INVALID, "listen", "Port %d does not exist: give one from 0 (any free one) to 65535.", o->port);
    struct sockaddr_storage a;
    socklen_t len = 0;
    memset(&a, 0, sizeof a);
    int rc = resolve(o, &a, &len, err);
    if (rc < 0)
        return rc;
    if (o->must_be_free) { /* with SO_REUSEPORT a second server of the same user would quietly take half of the connections */
        int probe = tcp_socket(&a, len, false);
        if (probe < 0)
            return bind_failed(err, -1, o);
        close(probe);
    }
    s->fd = tcp_socket(&a, len, o->reuse_port);
    if (s->fd < 0)
        return bind_failed(err, -1, o);
    if (listen(s->fd, o->backlog > 0 ? o->backlog : 1024) < 0)
        return bind_failed(err, -1, o); /* the fd goes with the listener */
    read_port(s);
    return 0;
}

/* A socket's path may have 107 bytes, a shop's folder may be deeper: then its folder is reached through a descriptor. *dir_fd is -1 when
 * not needed. */
static int unix_address(const char *path, struct sockaddr_un *a, int *dir_fd, struct err *err)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    *dir_fd = -1;
    size_t len = strlen(path);
    if (len < sizeof a->sun_path) {
        memcpy(a->sun_path, path, len + 1);
        return 0;
    }
    const char *name = strrchr(path, '/');
    char *dir = name ? strndup(path, (size_t)(name - path)) : NULL;
    if (dir)
        *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (*dir_fd < 0 || (size_t)snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d%s", *dir_fd, name) >= sizeof a->sun_path) {
        if (*dir_fd >= 0)
            close(*dir_fd);
        *dir_fd = -1;
        return err_set(err, ERR_INVALID, "The socket %s has too long a path; use a folder with a shorter one.", path);
    }
    return 0;
}

static bool somebody_answers(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

static int bind_unix(int fd, const struct sockaddr_un *a, const char *path, struct err *err)
{
    if (bind(fd, (const struct sockaddr *)a, sizeof *a) == 0)
        return 0;
    struct stat st;
    if (errno == EADDRINUSE && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return err_set(err, ERR_STATE, "%s exists and is not a socket; move it away.", path);
    if (errno == EADDRINUSE) {
        if (somebody_answers(a))
            return err_set(err, ERR_LOCKED, "Another process serves %s already; stop it first.", path);
        if (unlink(path) == 0 && bind(fd, (const struct sockaddr *)a, sizeof *a) == 0) /* left by a server that was killed */
            return 0;
    }
    return err_set(err, ERR_IO, "Can't listen on %s: %s. The folder must exist and be writable.", path, strerror(errno));
}

static int open_unix(struct listener *s, const struct listen_options *o, struct err *err)
{
    struct sockaddr_un a;
    int dir_fd;
    int rc = unix_address(o->path, &a, &dir_fd, err);
    if (rc < 0)
        return rc;
    s->is_unix = true;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        rc = err_set(err, ERR_IO, "Can't make a socket: %s. Raise the limit of open files (ulimit -n).", strerror(errno));
    /* bind() gives the file the mode of the descriptor: there is no moment in which others could connect */
    if (rc == 0 && fchmod(s->fd, (mode_t)(o->mode ? o->mode : 0600)) < 0)
        rc = err_set(err, ERR_IO, "Can't set the mode of %s: %s.", o->path, strerror(errno));
    if (rc == 0)
        rc = bind_unix(s->fd, &a, o->path, err);
    if (dir_fd >= 0)
        close(dir_fd);
    if (rc < 0)
        return rc;
    struct stat st;
    if (stat(o->path, &st) == 0) {
        s->path = strdup(o->path);
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    if (listen(s->fd, o->backlog > 0 ? o->backlog : 1024) < 0)
        return err_set(err, ERR_IO, "Can't listen on %s: %s.", o->path, strerror(errno));
    return 0;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void release_descriptors(struct listener *s)
{
    struct stat st;
    if (s->path && stat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    if (s->reserve_fd >= 0)
        close(s->reserve_fd);
    free(s->path);
    s->path = NULL;
    s->fd = s->reserve_fd = -1;
    loop_timer_free(s->retry);
    s->retry = NULL;
}

int listener_open(struct loop *l, const struct listen_options *o, void (*accepted)(void *ctx, struct stream *s), void *ctx,
                  struct listener **out, struct err *err)
{
    *out = NULL;
    struct listener *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "There is no memory for a listener.");
    s->loop = l;
    s->accepted = accepted;
    s->ctx = ctx;
    s->fd = -1;
    s->farewell = o->farewell;
    s->reserve_fd = reserve_open();
    int rc = o->path ? open_unix(s, o, err) : o->inherited ? adopt(s, o->inherited, err) : open_tcp(s, o, err);
    if (rc == 0 && !(s->retry = loop_timer_new(l, on_retry, s)))
        rc = err_set(err, ERR_NOMEM, "There is no memory for a listener.");
    if (rc == 0 && uv_poll_init(&l->uv, &s->poll, s->fd) < 0)
        rc = err_set(err, ERR_IO, "The event loop can't watch a listening socket.");
    if (rc < 0) {
        release_descriptors(s);
        free(s);
        return rc;
    }
    s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    *out = s;
    return 0;
}

int listener_port(const struct listener *s)
{
    return s->port;
}

int listener_copy(const struct listener *s)
{
    return s->is_unix ? -1 : fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
}

uint64_t listener_shed(const struct listener *s)
{
    return atomic_load_explicit(&s->shed, memory_order_relaxed);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void listener_close(struct listener *s)
{
    if (!s || uv_is_closing((uv_handle_t *)&s->poll))
        return;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    release_descriptors(s); /* at once: from here on the kernel refuses connections */
}

void listener_close_handle(uv_handle_t *h)
{
    listener_close(h->data);
}
