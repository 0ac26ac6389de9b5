/* rulebook/uses.h - what the code of a plugin touches, as far as its text says it in so many words: plugin.call("coupons.grant"),
 * store.of("coupons").codes:insert, timers.set("expire"), http.get("https://..."). What is computed is seen when it runs. Nothing runs
 * here; names that stand for a module are followed as long as nothing else in the file has the same name. */
#pragma once
#include "rulebook/manifest.h"

typedef void (*uses_fn)(void *ctx, long line, const char *text);
/* Tells everything that the manifest does not allow, one sentence each. `source` compiles. */
void uses_check(const struct manifest *m, struct slice source, uses_fn fn, void *ctx);
