"""What may have to wait for the store is refused where nothing can wait: in functions that a C function calls. On this engine nothing ever
waits; a plugin that relies on that would break on another."""

import pytest
from market import ok, unique

PLUGIN = """return { name = "waiter", version = "1.0.0", api = 1, title = "Waits",
  collections = { rows = { fields = { n = "integer" } } },
  procedures = { add = "events.add" }, events = { e = { about = "E.", payload = {} } }, timers = { t = "events.add" },
  routes = { ["POST /try"] = { run = "events.try", auth = "anyone", body = { how = "string" } },
             ["GET /try/{how}"] = { run = "events.read", auth = "anyone" } } }"""

EVENTS = """
local store, plugin, timers, ledger = require "feira.store", require "feira.plugin", require "feira.timers", require "feira.ledger"
local events = {}
function events.add() store.rows:insert { n = 1 } end
local touch = {
  rows = function() store.rows:insert { n = 1 } end,
  call = function() plugin.call "add" end,
  emit = function() plugin.emit("e", {}) end,
  timer = function() timers.set("t", "k", 1) end,
  ledger = function() ledger.account("waiter/x", "points") end,
  read = function() store.rows:get(1) end,
}
local inside = {
  sort = function(f) table.sort({ 2, 1 }, function(a, b) f() return a < b end) end,
  gsub = function(f) string.gsub("a", ".", function() f() end) end,
  tostring = function(f) return tostring(setmetatable({}, { __tostring = function() f() return "x" end })) end,
  nothing = function(f) f() end,
  caught = function(f) pcall(f) end,
  index = function(f) return setmetatable({}, { __index = function() f() end }).x end,
  loop = function(f) for _ in function(_, seen) if not seen then f() return true end end do end end,
}
function events.try(call)
  local where, what = call.body.how:match "(%w+) (%w+)"
  inside[where](touch[what])
  return { status = 200, body = {} }
end
function events.read(call)
  inside[call.params.how](touch.read)
  return { status = 200, body = {} }
end
return events
"""


@pytest.fixture
def waiter(own_shop):
    return own_shop(settings={"plugins": "{ waiter = {} }"}, plugins={"waiter": {"plugin": PLUGIN, "events": EVENTS}})


def test_what_may_wait_is_refused_in_callbacks_and_nowhere_else(waiter):
    names = {"sort": "table.sort", "gsub": "string.gsub", "tostring": "tostring"}
    for what, shown in [("rows", "store.rows:insert"), ("call", "plugin.call"), ("emit", "an event"), ("timer", "timers.set"),
                        ("ledger", "ledger.account")]:
        for where in ("sort", "gsub", "tostring", "nothing", "caught", "index", "loop"):
            answer = waiter.pk.request("POST", "/v1/x/waiter/try", {"how": f"{where} {what}"}, idempotency=unique("try"))
            assert answer.status == (500 if where in names else 200), (where, what, answer)
            if where in names:
                line = waiter.server.stderr().splitlines()[-1]
                assert f"can't be used in a function that {names[where]} calls" in line and "events.lua" in line, line
    for where in ("sort", "gsub", "nothing", "index"):
        status = waiter.pk.request("GET", f"/v1/x/waiter/try/{where}").status
        assert status == (500 if where in names else 200)
    # After all that the store is as it was.
    ok(waiter.pk.request("POST", "/v1/x/waiter/try", {"how": "nothing rows"}, idempotency=unique("try")), 200)
