/* bind/secrets.h - secrets as handles: in the settings of a plugin stands a userdata in the place of each secret's name. Lua can hand it
 * on, and read its name; its bytes are used in C (feira.crypto, feira.http) and never become a value of Lua. */
#pragma once
#include "bind/bind.h"

struct bind_secret { /* must outlive the Lua state; whoever made it wipes it */
    const char *name;
    struct slice value;
    bool known; /* false: files are only being checked, and nobody asked for its value */
};

struct bind_secret_at {
    const char *path; /* in the settings: "pay_key", "gateways/2/key" */
    const struct bind_secret *secret;
};

/* The settings as a value of Lua, with handles at those paths. */
int bind_settings(struct vm *v, const struct json_value *settings, const struct bind_secret_at *secrets, size_t count, vm_ref *out,
                  struct err *err);
