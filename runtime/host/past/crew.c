#include "host/past/crew.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICE = 10 };

struct hand {
    const struct crew *crew;
    crew_work work;
    void *ctx;
    int number;
    pthread_t thread;
    int rc;
    struct err err;
};

int crew_size(int wanted)
{
    long cores = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > CREW_MAX ? CREW_MAX : (int)cores;
}

static void *run(void *ctx)
{
    struct hand *h = ctx;
    struct store_conn *conn;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); /* of this thread alone, on Linux */
    h->rc = store_reader_open(h->crew->shop->store, &conn, &h->err);
    if (h->rc == 0) {
        h->rc = h->work(h->ctx, h->number, conn, &h->err);
        store_reader_close(conn);
    }
    if (h->rc < 0)
        atomic_store(&h->crew->progress->cancelled, true);
    return NULL;
}

int crew_run(const struct crew *c, crew_work work, void *ctx, struct err *err)
{
    struct hand *hands = calloc((size_t)c->threads, sizeof *hands);
    int started = 0, rc = 0;
    if (!hands)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    for (; started < c->threads; started++) {
        hands[started] = (struct hand){ .crew = c, .work = work, .ctx = ctx, .number = started };
        if (pthread_create(&hands[started].thread, NULL, run, &hands[started]) != 0)
            break;
    }
    if (started == 0)
        rc = err_set(err, ERR_NOMEM, "The system gives no thread for this; try again later.");
    for (int i = 0; i < started; i++) {
        pthread_join(hands[i].thread, NULL);
        if (hands[i].rc < 0 && rc == 0) {
            rc = hands[i].rc;
            *err = hands[i].err;
        }
    }
    free(hands);
    return rc;
}
