/* host/plugins/secrets.h - where the secrets that settings name come from: the environment (FEIRA_SECRET_NAME), or a file of the name in
 * the data folder's secrets/, which only its owner may read. Read when a state is opened, so at start and at each publish; their bytes are
 * wiped when the state is closed. */
#pragma once
#include "host/plugins/plugins.h"
#include "rulebook/rulebook.h"

struct secrets;
void secrets_free(struct secrets *s); /* after the Lua state; NULL is fine */

/* The settings of a plugin for the state, with a handle for each secret. shop NULL: files are only being checked, values are not looked
 * for. ERR_INVALID says which secret is missing, or which file others may read, and what to do. */
int secrets_settings(struct shop *shop, struct vm *vm, const struct generation_plugin *plugin, vm_ref *out, struct err *err);
