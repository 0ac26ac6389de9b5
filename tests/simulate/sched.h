/* tests/simulate/sched.h - one thread at a time. Threads are real ones, but only the one that has the turn runs; it gives the turn away
 * where it waits, and at points on its way (a lock, a post, a commit), and the seed says who has it next. Time is virtual: it creeps with
 * every turn, and leaps to the next moment somebody waits for when all wait.
 *
 * The program is linked with --wrap for the calls of pthreads that the runtime makes, so the runtime itself knows nothing of this. */
#pragma once
#include "base/random.h"
#include <stdbool.h>
#include <stdint.h>

struct sched;
enum { SCHED_NEVER_NS = -1 };

/* The calling thread becomes the first one, and has the turn. owner: whatever sched_owner() is to give. */
struct sched *sched_begin(uint64_t seed, void *owner);
void sched_end(struct sched *s); /* when no other thread is left */
bool sched_here(void);           /* does the calling thread take turns? */
void *sched_owner(void);         /* of the calling thread's sched; NULL when it takes no turns */

int64_t sched_now_ns(void);
uint64_t sched_roll(uint64_t n); /* 0 .. n-1, from the seed */
uint64_t sched_hash(void);       /* of all turns so far */
uint64_t sched_turns(void);

void sched_point(void);       /* others may have a turn now */
void sched_sleep(int64_t ns); /* others have theirs meanwhile */
/* Until somebody wakes this channel (any address), or until then (SCHED_NEVER_NS: for ever). true = woken. */
bool sched_wait(const void *channel, int64_t until_ns);
void sched_wake(const void *channel); /* all who wait for it */
