#include "cli/sockets.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */

static long number_in(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;
    return text && *text && *end == '\0' ? n : 0;
}

int sockets_inherited(int fds[HANDED_OVER_MAX])
{
    long count = number_in("LISTEN_FDS"), pid = number_in("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    if (pid != (long)getpid() || count < 1)
        return 0;
    int n = count > HANDED_OVER_MAX ? HANDED_OVER_MAX : (int)count;
    for (int i = 0; i < n; i++) {
        fds[i] = FIRST + i;
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
    return n;
}

/* They are to be 3, 4, 5 ...; out of the way first, because some of them may be there in another order. */
static int put_in_place(const struct handover *h, struct err *err)
{
    int high[HANDED_OVER_MAX];
    for (int i = 0; i < h->count; i++)
        if ((high[i] = fcntl(h->fds[i], F_DUPFD_CLOEXEC, FIRST + HANDED_OVER_MAX)) < 0)
            return err_set(err, ERR_IO, "The sockets can't be handed over: %s.", strerror(errno));
    for (int i = 0; i < h->count; i++)
        if (dup2(high[i], FIRST + i) < 0)
            return err_set(err, ERR_IO, "The sockets can't be handed over: %s.", strerror(errno));
    return 0;
}

int sockets_exec(char **argv, const struct handover *h, struct err *err)
{
    char text[32];
    int rc = put_in_place(h, err);
    if (rc < 0)
        return rc;
    snprintf(text, sizeof text, "%d", h->count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%ld", (long)getpid());
    setenv("LISTEN_PID", text, 1);
    execvp(argv[0], argv);
    int cause = errno;
    execv("/proc/self/exe", argv);
    return err_set(err, ERR_IO, "The program %s can't be started: %s.", argv[0], strerror(cause));
}
