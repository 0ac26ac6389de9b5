#include "host/care/spending.h"
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 5, SLOT_MS = SPENDING_WINDOW_MS / SLOTS };

struct used { /* one owner in one slot */
    int64_t ns, late;
};

struct slot {
    int64_t number; /* which two seconds it holds; 0 = none yet */
    int64_t late;   /* commands of anybody */
    struct used *of;
};

struct spending {
    size_t owners;
    struct slot slots[SLOTS];
    struct used cells[];
};

struct spending *spending_new(size_t owners)
{
    struct spending *s = calloc(1, sizeof *s + SLOTS * owners * sizeof s->cells[0]);
    if (!s)
        return NULL;
    s->owners = owners;
    for (size_t i = 0; i < SLOTS; i++)
        s->slots[i].of = s->cells + i * owners;
    return s;
}

void spending_free(struct spending *s)
{
    free(s);
}

static struct slot *slot_of(struct spending *s, int64_t now_ms)
{
    int64_t number = now_ms / SLOT_MS + 1;
    struct slot *slot = &s->slots[number % SLOTS];
    if (slot->number != number) {
        slot->number = number;
        slot->late = 0;
        memset(slot->of, 0, s->owners * sizeof *slot->of);
    }
    return slot;
}

void spending_waited(struct spending *s, size_t owner, int64_t waited_ms, int64_t now_ms)
{
    if (waited_ms <= SPENDING_LATE_MS)
        return;
    struct slot *slot = slot_of(s, now_ms);
    slot->late++;
    if (owner < s->owners)
        slot->of[owner].late++;
}

bool spending_used(struct spending *s, size_t owner, int64_t used_ns, int64_t now_ms, struct spending_sum *sum)
{
    *sum = (struct spending_sum){ 0, 0 };
    if (owner >= s->owners)
        return false;
    struct slot *now = slot_of(s, now_ms);
    int64_t ns = 0;
    now->of[owner].ns += used_ns;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->number <= now->number - SLOTS)
            continue;
        ns += slot->of[owner].ns;
        sum->late += slot->late - slot->of[owner].late;
    }
    sum->used_ms = ns / 1000000;
    return sum->used_ms * 100 >= (int64_t)SPENDING_WINDOW_MS * SPENDING_PERCENT && sum->late >= SPENDING_LATE_COUNT;
}

void spending_reset(struct spending *s, size_t owner)
{
    for (size_t i = 0; owner < s->owners && i < SLOTS; i++)
        s->slots[i].of[owner] = (struct used){ 0, s->slots[i].of[owner].late };
}
