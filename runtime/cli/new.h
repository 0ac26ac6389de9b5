/* cli/new.h - what `feira new` writes, compiled into the program: the files of cli/new/ ("shop/shop.lua", "campaign.lua") and the
 * declarations for editors of stdlib/meta/ ("meta/feira.promo.lua"). */
#pragma once
#include <stddef.h>

struct new_file {
    const char *path;
    const char *text;
    size_t len;
};
extern const struct new_file new_files[]; /* ended by path NULL */
