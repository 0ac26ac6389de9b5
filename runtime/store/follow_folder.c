#include "store/follow_folder.h"
#include "store/follow.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char marker_name[] = "feira-follow";

int follow_folder_error(struct err *err, const char *path)
{
    int cause = errno;
    return err_set(err, cause == ENOSPC || cause == EDQUOT ? ERR_FULL : ERR_IO, "%.300s: %s.", path, strerror(cause));
}

int follow_folder_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL)
                 ? 0
                 : follow_folder_error(err, path); /* EINVAL: a file system that has no such thing */
    if (fd >= 0)
        close(fd);
    return rc;
}

static void marker_text(const char *whose, char out[200])
{
    snprintf(out, 200, "feira follow 1\nshop %.120s\n", whose);
}

int follow_marker_check(int fd, const char *dir, const char *whose, struct err *err)
{
    char want[200], have[200] = "";
    marker_text(whose, want);
    ssize_t n = pread(fd, have, sizeof have - 1, 0);
    if (n < 0)
        return follow_folder_error(err, dir);
    return strcmp(want, have) == 0 ? 0 : err_set(err, ERR_STATE, "%.300s is where another shop is followed; name another folder.", dir);
}

static int make_marker(const char *dir, const char *path, const char *whose, struct err *err)
{
    char text[200];
    struct chains there;
    int rc = chains_read(dir, &there, err);
    if (rc < 0)
        return rc;
    bool used = there.count > 0;
    chains_free(&there);
    if (used)
        return err_set(err, ERR_STATE, "%.300s has segments, and nothing in it says of which shop; name another folder.", dir);
    marker_text(whose, text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write_whole(fd, text, strlen(text), 0) < 0 || fsync(fd) < 0) {
        rc = follow_folder_error(err, path);
        unlink(path);
    }
    if (fd >= 0)
        close(fd);
    return rc < 0 ? rc : follow_folder_sync(dir, err);
}

bool follow_marker_path(char out[SEGMENT_PATH], const char *dir)
{
    return snprintf(out, SEGMENT_PATH, "%s/%s", dir, marker_name) < SEGMENT_PATH;
}

int follow_prepare(const char *dir, const char *whose, struct err *err)
{
    char path[SEGMENT_PATH];
    if (!follow_marker_path(path, dir))
        return err_set(err, ERR_INVALID, "The path of the folder is too long; name a shorter one.");
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_wrap((follow_folder_error(err, dir), err), "The folder can't be made");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? make_marker(dir, path, whose, err) : follow_folder_error(err, path);
    int rc = follow_marker_check(fd, dir, whose, err);
    close(fd);
    return rc;
}
