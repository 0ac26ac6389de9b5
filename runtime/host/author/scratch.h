/* host/author/scratch.h - folders of a moment: memory that looks like a disk where there is some, so that a commit costs nothing. */
#pragma once
#include "base/err.h"

enum { SCRATCH_MAX = 64 };
int scratch_make(char path[SCRATCH_MAX], struct err *err); /* path is "" on failure */
void scratch_remove(const char *path);                     /* with all that is in it; "" is fine */
