/* The deadline of a free run, and the backstop of a counted one: a timer that signals the thread that runs the Lua code,
 * because setting a hook from another thread is a race. One timer per thread, armed lazily: a call only moves the
 * deadline, and a signal that comes early arms the timer for the rest, so a fast call costs no system call. */
#include "vm/vm_int.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct thread_timer {
    timer_t timer;
    bool exists;
    volatile sig_atomic_t armed;
    struct vm *volatile vm; /* whose deadline it is; NULL between calls */
    volatile int64_t deadline_ns, fires_at_ns;
};

/* Belongs to the thread, as the signal does: a signal that is still on its way when a vm closes finds NULL here. */
static _Thread_local struct thread_timer mine;

static int deadline_signal(void)
{
    return SIGRTMIN + 3;
}

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t vm_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t vm_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void arm(struct thread_timer *t, int64_t ns)
{
    struct itimerspec when = { .it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 } };
    t->fires_at_ns = vm_mono_ns() + ns;
    /* Said before it is so: the signal may come before timer_settime() has returned, and what it says must be the last word, or a
     * timer that has fired would count as armed for ever. */
    t->armed = 1;
    atomic_signal_fence(memory_order_seq_cst);
    if (timer_settime(t->timer, 0, &when, NULL) != 0)
        t->armed = 0;
}

static void on_signal(int sig)
{
    (void)sig;
    struct thread_timer *t = &mine;
    struct vm *v = t->vm;
    t->armed = 0;
    if (!v)
        return;
    int64_t left = t->deadline_ns - vm_mono_ns();
    if (left > 0) {
        arm(t, left);
        return;
    }
    v->overdue = 1;
    vm_budget_alarm(v);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit_of_thread;
static bool usable;

static void delete_timer(void *p)
{
    struct thread_timer *t = p;
    t->vm = NULL;
    timer_delete(t->timer);
    t->exists = false;
}

static void install(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    a.sa_flags = SA_RESTART;
    sigemptyset(&a.sa_mask);
    usable = pthread_key_create(&at_exit_of_thread, delete_timer) == 0 && sigaction(deadline_signal(), &a, NULL) == 0;
}

bool vm_deadline_arm(struct vm *v, int64_t ns)
{
#ifdef __SANITIZE_THREAD__
    return false; /* it holds signals back until the next call that it intercepts, and a loop makes none */
#else
    return vm_deadline_arm_timer(v, ns);
#endif
}

bool vm_deadline_arm_timer(struct vm *v, int64_t ns)
{
    struct thread_timer *t = &mine;
    if (!t->exists) {
        pthread_once(&once, install);
        struct sigevent e;
        memset(&e, 0, sizeof e);
        e.sigev_notify = SIGEV_THREAD_ID;
        e.sigev_signo = deadline_signal();
        e._sigev_un._tid = gettid();
        if (!usable || timer_create(CLOCK_MONOTONIC, &e, &t->timer) != 0)
            return false;
        t->exists = true;
        pthread_setspecific(at_exit_of_thread, t);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, deadline_signal());
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    int64_t now_ns = vm_mono_ns();
    t->deadline_ns = now_ns + ns;
    atomic_signal_fence(memory_order_seq_cst);
    t->vm = v;
    atomic_signal_fence(memory_order_seq_cst);
    /* One that should have fired by now and has not is not relied on. */
    if (!t->armed || t->fires_at_ns > t->deadline_ns || t->fires_at_ns <= now_ns)
        arm(t, ns);
    return t->armed || t->fires_at_ns <= vm_mono_ns(); /* fired already: then the call is overdue, which is as good */
}

void vm_deadline_disarm(struct vm *v)
{
    if (mine.vm == v)
        mine.vm = NULL;
    atomic_signal_fence(memory_order_seq_cst);
}
