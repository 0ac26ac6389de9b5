#include "host/author/handbook.h"
#include "rulebook/catalogue.h"

void handbook_events(struct buf *out)
{
    catalogue_write_events(out, NULL);
}

void handbook_hooks(struct buf *out)
{
    catalogue_write_hooks(out, NULL);
}
