/* host/status.h - how a shop is, as one JSON document; `feira status` prints it as one screen. */
#pragma once
#include "base/buf.h"

struct shop;
void status_write(struct shop *s, struct buf *out);
