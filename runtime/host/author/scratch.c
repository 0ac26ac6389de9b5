#include "host/author/scratch.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int scratch_make(char path[SCRATCH_MAX], struct err *err)
{
    struct stat st;
    bool shm = stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) && access("/dev/shm", W_OK | X_OK) == 0;
    snprintf(path, SCRATCH_MAX, "%s/feira-test-XXXXXX", shm ? "/dev/shm" : "/tmp");
    if (mkdtemp(path))
        return 0;
    path[0] = '\0';
    return err_set(err, ERR_IO, "A folder for the data of the tests can't be made in %s: %s.", shm ? "/dev/shm" : "/tmp", strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

void scratch_remove(const char *path)
{
    if (path[0])
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
