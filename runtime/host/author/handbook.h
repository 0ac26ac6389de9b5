/* host/author/handbook.h - pages for authors of plugins, made from the catalogue that manifests are checked against. */
#pragma once
#include "base/buf.h"

void handbook_events(struct buf *out);
void handbook_hooks(struct buf *out);
