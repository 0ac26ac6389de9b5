/* host/api/door.h - the door for personal data: what a client sends of a person and the shop's field catalogue does not name is dropped
 * before anything looks at it, counted, and said in the answer (Dropped-Fields). */
#pragma once
#include "host/api/call.h"

/* Looks at c->body of those routes that take personal data; c->dropped then names what was dropped. */
void door_drop(struct call *c);
