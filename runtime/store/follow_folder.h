/* store/follow_folder.h - inside store/: the folder of a second copy, and the mark in it that says of which shop. */
#pragma once
#include "base/err.h"
#include "store/segments.h"
#include <stdbool.h>

int follow_folder_error(struct err *err, const char *path); /* of errno: ERR_FULL or ERR_IO, with the path */
int follow_folder_sync(const char *path, struct err *err);  /* what was made or removed in it is on disk */

bool follow_marker_path(char out[SEGMENT_PATH], const char *dir); /* false: too long */
/* fd is of the mark: ERR_STATE when it is another shop's. */
int follow_marker_check(int fd, const char *dir, const char *whose, struct err *err);
