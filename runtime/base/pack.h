/* base/pack.h - JSON values in few bytes, for what is kept with every order: small numbers take one byte, a text that comes again is a
 * number. What is read is what was written, member by member; nothing that is read is believed. README.md has the form. */
#pragma once
#include "base/json.h"

enum { PACK_DEPTH_MAX = 64 };

/* Appends. out->failed when memory ran out or the value is nested deeper than PACK_DEPTH_MAX. */
void json_pack(const struct json_value *v, struct buf *out);

/* The value that fills all of `bytes`, in the arena; its texts are copies. ERR_CORRUPT, ERR_NOMEM. */
int json_unpack(struct slice bytes, struct arena *arena, struct json_value **out, struct err *err);
