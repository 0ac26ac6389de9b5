#include "host/care/tally.h"
#include <stdio.h>

static struct tally_entry *entry_of(struct tally *t, int fn)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->of[i].fn == fn)
            return &t->of[i];
    if (fn == TALLY_SHOP || t->count == TALLY_MAX)
        return NULL;
    t->of[t->count] = (struct tally_entry){ .fn = fn };
    return &t->of[t->count++];
}

/* The time since the last change is his who ran. */
static void charge(struct tally *t)
{
    int64_t now_ns = clock_mono_ns(t->clock);
    struct tally_entry *e = entry_of(t, t->running);
    if (e)
        e->ns += now_ns - t->since_ns;
    t->since_ns = now_ns;
}

static void run(struct tally *t, int fn)
{
    struct tally_entry *e = entry_of(t, fn);
    t->running = fn;
    if (e)
        e->calls++;
}

void tally_begin(struct tally *t, const struct clock *clock, int owner, int64_t queued_ns)
{
    bool again = t->clock != NULL;
    t->clock = clock;
    t->owner = owner;
    t->culprit = TALLY_SHOP;
    t->why[0] = '\0';
    t->since_ns = clock_mono_ns(clock);
    if (!again)
        t->waited_ms = (t->since_ns - queued_ns) / 1000000;
    for (size_t i = 0; i < t->count; i++)
        t->of[i].calls = 0;
    run(t, owner);
}

int tally_enter(struct tally *t, int fn)
{
    int before = t->running;
    charge(t);
    run(t, fn);
    return before;
}

void tally_leave(struct tally *t, int before, bool failed, struct slice why)
{
    charge(t);
    if (failed && t->culprit == TALLY_SHOP) {
        t->culprit = t->running;
        snprintf(t->why, sizeof t->why, "%.*s", SLICE_FMT(why));
    }
    t->running = before;
}

void tally_end(struct tally *t, bool failed)
{
    charge(t);
    if (!failed)
        t->culprit = TALLY_SHOP;
    else if (t->culprit == TALLY_SHOP)
        t->culprit = t->running; /* also when an error has left several at once */
    t->running = TALLY_SHOP;
}
