/* The lock of a data folder: an open-file-description lock, so it goes with the process however that ends, and two
 * shops in one process exclude each other as well. */
#include "store/store_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct store_lock {
    int fd;
};

static long holder(int fd)
{
    char text[32] = { 0 };
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static int write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n ? 0 : -1;
}

static int refused(int fd, const char *path, int cause, struct err *err)
{
    if (cause != EAGAIN && cause != EACCES)
        return err_set(err, ERR_IO, "%s can't be locked (%s); the data folder must be on a local disk.", path, strerror(cause));
    long pid = holder(fd);
    if (pid > 0)
        return err_set(err, ERR_LOCKED, "Process %ld is using this shop's data (%s is locked); stop it, or send the command to it.", pid,
                       path);
    return err_set(err, ERR_LOCKED, "Another process is using this shop's data (%s is locked); stop it, or send the command to it.", path);
}

int store_lock_take(const char *path, struct store_lock **out, struct err *err)
{
    *out = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return store_open_failed(path, errno, err);
    struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &f) != 0) {
        int rc = refused(fd, path, errno, err);
        close(fd);
        return rc;
    }
    struct store_lock *l = malloc(sizeof *l);
    if (!l || write_pid(fd) < 0) {
        int cause = errno;
        free(l);
        close(fd);
        return err_set(err, cause == ENOSPC ? ERR_FULL : ERR_IO, "%s can't be written (%s); free some space or check its permissions.",
                       path, strerror(cause));
    }
    l->fd = fd;
    *out = l;
    return 0;
}

void store_lock_free(struct store_lock *l)
{
    if (!l)
        return;
    /* The file stays: removing it would let a third process lock a new file of the same name beside a waiting second. */
    if (ftruncate(l->fd, 0) != 0) {
        /* Only the hint of who held it stays behind; the lock itself goes with the descriptor. */
    }
    close(l->fd);
    free(l);
}
