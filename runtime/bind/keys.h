/* bind/keys.h - handles of keys among the nouns of this folder. */
#pragma once
#include "bind/bind_int.h"
#include "crypto/crypto.h"

void bind_open_secrets(lua_State *L); /* the class; no module */
bool bind_is_secret(lua_State *L, int arg);
/* The bytes of the secret at arg; they live as long as its handle. Raises when it is none, or its value is not known. */
struct slice bind_check_secret(lua_State *L, int arg, const char *what);
int bind_decode_secret(lua_State *L); /* crypto.decode_secret() */
