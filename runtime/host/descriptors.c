#include "host/descriptors.h"
#include <sys/resource.h>

enum {
    OWN = 96,        /* the store, backups, the follower, the folder being read, calls to the outside */
    PER_WORKER = 12, /* its loop, its connection to the store, its listeners */
    LEAST = 8,
    MOST = 10000,
};

/* A server also takes an eighth more, and 16, to say 503 to them. */
static size_t without_the_refused(size_t all)
{
    return all > 16 ? (all - 16) * 8 / 9 : 0;
}

size_t descriptors_share(int workers)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return LEAST;
    if (r.rlim_cur < r.rlim_max) {
        struct rlimit more = { .rlim_cur = r.rlim_max, .rlim_max = r.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            r = more;
    }
    size_t own = OWN + PER_WORKER * (size_t)workers, all = r.rlim_cur > own ? (size_t)r.rlim_cur - own : 0;
    size_t each = without_the_refused(all / (size_t)workers);
    return each < LEAST ? LEAST : each > MOST ? MOST : each;
}
