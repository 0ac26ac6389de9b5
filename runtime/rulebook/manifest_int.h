/* rulebook/manifest_int.h - the sections of a manifest, one file each. What they make lives in the reader's arena. */
#pragma once
#include "rulebook/manifest.h"

int manifest_read_needs(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m);
int manifest_read_collections(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m);
int manifest_read_hooks(const struct reader *r, const struct place *root, const struct json_value *v, struct manifest *m);
/* `payments`: what of it is no function, and whether all functions are there that a provider needs. */
bool manifest_is_account(struct slice key);
int manifest_read_accounts(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m);
int manifest_read_events(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m);
/* A list of names of plugins, ended by NULL; absent = empty. */
int manifest_read_plugins(const struct reader *r, const struct place *at, const struct json_value *v, const char *key,
                          const char *const **out);
bool plugin_name_is(struct slice s);
