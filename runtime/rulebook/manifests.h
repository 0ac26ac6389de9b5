/* rulebook/manifests.h - manifests that were read, shared by the generations of a shop: the same text under the same path is read once, as
 * long as some generation has it. A publish that changes one of many plugins reads one manifest. Any thread. */
#pragma once
#include "rulebook/manifest.h"

struct manifests;

int manifests_open(struct manifests **out, struct err *err);
void manifests_close(struct manifests *all); /* after the generations; NULL is fine */
size_t manifests_count(struct manifests *all);

/* As manifest_read(), and fails like it. all NULL: nothing is shared. */
int manifests_take(struct manifests *all, struct slice source, const char *file, struct manifest **out, struct err *err);
void manifests_give_back(struct manifests *all, struct manifest *m); /* the same `all`; m NULL is fine */
