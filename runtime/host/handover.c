#include "host/handover.h"
#include "loop/loop.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 50, PATIENCE_MS = 60000 };
extern char **environ;

struct handover_check {
    pid_t pid;
    int looks;
    struct loop_timer *timer;
    void (*done)(void *ctx, bool ok);
    void *ctx;
};

static void look(void *ctx)
{
    struct handover_check *c = ctx;
    int status = 0;
    pid_t rc = waitpid(c->pid, &status, WNOHANG);
    if (rc == 0 && ++c->looks < PATIENCE_MS / LOOK_EVERY_MS)
        return;
    if (rc == 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, &status, 0);
    }
    c->pid = 0;
    loop_timer_stop(c->timer);
    c->done(c->ctx, WIFEXITED(status) && WEXITSTATUS(status) == 0); /* may close the check */
}

/* What the successor prints is for whoever reads this one's log. */
static int spawn(struct handover_check *c, struct shop *s, const char *successor, struct err *err)
{
    char *const argv[] = { (char *)(uintptr_t)successor, "check", s->dir, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawnp(&c->pid, successor, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (rc == 0)
        return 0;
    c->pid = 0;
    return err_set(err, ERR_IO, "The program %s can't be started: %s. This one goes on.", successor, strerror(rc));
}

int handover_check_start(struct shop *s, struct loop *loop, const char *successor, void (*done)(void *ctx, bool ok), void *ctx,
                         struct handover_check **out, struct err *err)
{
    *out = NULL;
    struct handover_check *c = calloc(1, sizeof *c);
    if (!c || !(c->timer = loop_timer_new(loop, look, c))) {
        free(c);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    c->done = done;
    c->ctx = ctx;
    int rc = spawn(c, s, successor, err);
    if (rc < 0) {
        handover_check_close(c);
        return rc;
    }
    loop_timer_start(c->timer, LOOK_EVERY_MS, LOOK_EVERY_MS);
    *out = c;
    return 0;
}

void handover_check_close(struct handover_check *c)
{
    if (!c)
        return;
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    loop_timer_free(c->timer);
    free(c);
}
