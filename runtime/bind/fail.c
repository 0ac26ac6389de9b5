/* feira.fail: how a handler or a procedure says no. The failure arrives in bind_call()'s err with its code, reason, field
 * and sentence, and the procedure's changes are rolled back. */
#include "bind/bind_int.h"
#include <stdio.h>

static void copy(char *out, size_t size, struct slice s)
{
    snprintf(out, size, "%.*s", SLICE_FMT(s));
}

static int raise(lua_State *L, int code, struct slice reason, struct slice field, struct slice text)
{
    struct err err = { .code = code };
    copy(err.reason, sizeof err.reason, reason);
    copy(err.field, sizeof err.field, field);
    copy(err.text, sizeof err.text, text);
    return vm_fail(L, &err);
}

static struct slice optional(lua_State *L, int arg, const char *what)
{
    return lua_isnoneornil(L, arg) ? slice_str("") : bind_check_slice(L, arg, what);
}

static int code_of_status(lua_State *L, int64_t status)
{
    switch (status) {
    case 400:
    case 422:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHENTICATED;
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 413:
        return ERR_TOO_LARGE;
    case 503:
        return ERR_BUSY;
    default:
        return luaL_error(L, "a failure has the status 400, 401, 403, 404, 409, 413, 422 or 503");
    }
}

static int l_raise(lua_State *L) /* ({ status, detail, reason?, field? }) */
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int code = code_of_status(L, bind_field_int(L, 1, "status", true, 0));
    struct slice detail = bind_field_slice(L, 1, "detail", true);
    return raise(L, code, bind_field_slice(L, 1, "reason", false), bind_field_slice(L, 1, "field", false), detail);
}

static int l_invalid(lua_State *L) /* (field, detail, reason?): 422 */
{
    struct slice field = optional(L, 1, "the field"), detail = bind_check_slice(L, 2, "the detail");
    return raise(L, ERR_INVALID, optional(L, 3, "the reason"), field, detail);
}

static int l_conflict(lua_State *L) /* (reason, detail, field?): 409, the world moved */
{
    struct slice reason = bind_check_slice(L, 1, "the reason"), detail = bind_check_slice(L, 2, "the detail");
    return raise(L, ERR_CONFLICT, reason, optional(L, 3, "the field"), detail);
}

static int l_state(lua_State *L) /* (reason, detail): 409, not allowed in the state it is in */
{
    struct slice reason = bind_check_slice(L, 1, "the reason"), detail = bind_check_slice(L, 2, "the detail");
    return raise(L, ERR_STATE, reason, slice_str(""), detail);
}

static int l_not_found(lua_State *L) /* (detail): 404 */
{
    return raise(L, ERR_NOT_FOUND, slice_str(""), slice_str(""), bind_check_slice(L, 1, "the detail"));
}

static int l_denied(lua_State *L) /* (detail, field?): 403 */
{
    struct slice detail = bind_check_slice(L, 1, "the detail");
    return raise(L, ERR_DENIED, slice_str(""), optional(L, 2, "the field"), detail);
}

static int l_retry(lua_State *L) /* (detail): what was read has moved; the host reads again and repeats */
{
    return raise(L, ERR_RETRY, slice_str("retry"), slice_str(""), bind_check_slice(L, 1, "the detail"));
}

void bind_open_fail(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "raise", l_raise },         { "invalid", l_invalid }, { "conflict", l_conflict }, { "state", l_state },
        { "not_found", l_not_found }, { "denied", l_denied },   { "retry", l_retry },       { NULL, NULL },
    };
    luaL_newlib(L, functions);
}
