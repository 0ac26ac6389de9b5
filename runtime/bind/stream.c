/* feira.stream of a plugin: what its procedures say to those who listen. Heard after the commit; a procedure that fails has said nothing.
 */
#include "bind/bind_int.h"
#include "bind/plugins.h"

enum { TOPIC_MAX = 200, EVENT_MAX = 64, DATA_MAX = 16384 };

static bool is_topic(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] == 127)
            return false;
    return s.len > 0 && s.len <= TOPIC_MAX;
}

static bool is_event(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.data[i] >= 'a' && s.data[i] <= 'z') && !(s.data[i] >= '0' && s.data[i] <= '9') && !strchr("._-", s.data[i]))
            return false;
    return s.len > 0 && s.len <= EVENT_MAX;
}

struct slice bind_check_topic(lua_State *L, int arg)
{
    struct slice topic = bind_check_slice(L, arg, "the topic");
    if (!is_topic(topic))
        luaL_error(L, "a topic is a word of 1 to %d bytes without spaces, like \"group/12\"", TOPIC_MAX);
    return topic;
}

static struct slice event_of(lua_State *L, bool *last)
{
    if (lua_isnoneornil(L, 3))
        return slice_str("");
    luaL_checktype(L, 3, LUA_TTABLE);
    struct slice event = bind_field_slice(L, 3, "event", false);
    if (event.len && !is_event(event))
        luaL_error(L, "the name of an event has small letters, digits and . _ -, %d at most", EVENT_MAX);
    lua_getfield(L, 3, "last");
    *last = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return event;
}

/* As it goes to a client: JSON of ours has no line ends, so it is one line. */
static struct slice text_of(lua_State *L, struct slice event, struct arena *arena)
{
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, arena);
    if (event.len) {
        buf_add_str(&b.buf, "event: ");
        buf_add_slice(&b.buf, event);
        buf_add_str(&b.buf, "\n");
    }
    buf_add_str(&b.buf, "data: ");
    size_t head = b.buf.len;
    json_writer_init(&w, &b.buf);
    bind_write_json(L, 2, &w, arena);
    bind_buf_check(L, &b);
    if (b.buf.len - head > DATA_MAX)
        luaL_error(L, "what is sent has at most %d bytes", DATA_MAX);
    buf_add_str(&b.buf, "\n\n");
    bind_buf_check(L, &b);
    return buf_slice(&b.buf);
}

static int l_send(lua_State *L) /* (topic, data, { event, last }?); upvalue: the plugin */
{
    const struct bind_plugin *p = lua_touserdata(L, lua_upvalueindex(1));
    struct bind_context *c = bind_require(L, BIND_PROCEDURE, "stream.send()");
    struct err err = { 0 };
    bool last = false;
    struct slice topic = bind_check_topic(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct slice text = text_of(L, event_of(L, &last), c->arena);
    struct slice whole = arena_printf(c->arena, "%s/%.*s", p->name, SLICE_FMT(topic));
    if (!whole.data)
        return luaL_error(L, "out of memory for what is sent");
    vm_charge(L, 200 + (int64_t)text.len / 8);
    if (c->say && c->say(c->host_ctx, whole, text, last, &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

int bind_plugin_stream(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err)
{
    static const luaL_Reg functions[] = { { "send", l_send }, { NULL, NULL } };
    return bind_plugin_module(v, p, functions, out, err);
}
