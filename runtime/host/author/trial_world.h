/* host/author/trial_world.h - the outside of a shop on trial: a function of its specs, which gets the request and says what comes back. */
#pragma once
#include "base/arena.h"
#include "http/outbound.h"
#include "bind/bind.h"

/* fn 0, or one that gives nil: nobody answers (ERR_IO "unreachable"). The answer lives in the arena. */
int trial_world_answer(struct vm *vm, vm_ref fn, struct arena *arena, const struct outbound_request *r, struct outbound_answer *out,
                       struct err *err);
