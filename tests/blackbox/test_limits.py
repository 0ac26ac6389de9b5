"""What one call may use, per kind of code and plugin; and the figures of all calls."""

import re

import pytest
from market import feira, ok, unique, write_shop

WORK = """
local store, plugin = require "feira.store", require "feira.plugin"
local events = {}
local function work(n) local sum = 0 for i = 1, n do sum = sum + i end return sum end
function events.route(call) return { status = 200, body = { sum = work(call.body.n) } } end
function events.handler() return { status = 200, body = { sum = work(300000) } } end
function events.eat(call)
  local list = {}
  for i = 1, call.body.n do list[i] = { i } end
  return { status = 200, body = { n = #list } }
end
function events.inner(args) store.rows:insert { n = args.n } return { sum = work(args.n) } end
function events.outer(call)
  local sum = plugin.call("inner", { n = call.body.n }).sum
  return { status = 200, body = { sum = sum + work(call.body.after) } }
end
function events.paid() work(300000) end
function events.count() return { status = 200, body = { rows = #store.rows:find() } } end
function events.fails() error("it broke") end
function events.refuses() require("feira.fail").conflict("not_now", "Not now.") end
function events.rung() work(300000) store.rows:insert { n = 1 } end
function events.set(call) require("feira.timers").set("ring", "one", 1) return { status = 200, body = {} } end
return events
"""

MANIFEST = """return { name = "busy", version = "1.0.0", api = 1, title = "Busy",
  collections = { rows = { fields = { n = "integer" } } },
  routes = {
    ["POST /route"] = { run = "events.route", auth = "anyone", body = { n = "integer" } },
    ["POST /eat"] = { run = "events.eat", auth = "anyone", body = { n = "integer" } },
    ["POST /outer"] = { run = "events.outer", auth = "anyone", body = { n = "integer", after = "integer" } },
    ["GET /handler"] = { run = "events.handler", auth = "anyone" },
    ["GET /count"] = { run = "events.count", auth = "anyone" },
    ["POST /fails"] = { run = "events.fails", auth = "anyone" },
    ["POST /refuses"] = { run = "events.refuses", auth = "anyone" },
    ["POST /set"] = { run = "events.set", auth = "anyone" },
  },
  procedures = { inner = { run = "events.inner", args = { n = "integer" } } },
  timers = { ring = "events.rung" },
  on = { ["order.paid"] = { run = "events.paid", when = "in_transaction" } },
  pricing = { unit = "rules.price" },
}"""
RULES = """
local rules = {}
function rules.price(line, cart, settings)
  if line.sku:find("SLOW", 1, true) then for i = 1, 300000 do end end
  return line.unit_price - 1
end
return rules
"""


def busy(own_shop, limits, campaigns=None):
    return own_shop(settings={"plugins": "{ busy = {} }", "limits": limits}, campaigns=campaigns,
                    plugins={"busy": {"plugin": MANIFEST, "events": WORK, "rules": RULES}})


def post(shop, path, body=None):
    return shop.pk.request("POST", f"/v1/x/busy/{path}", body or {})


def log_of(shop):
    return shop.server.stderr()


@pytest.mark.parametrize("kind,path,method", [("procedure", "route", "POST"), ("handler", "handler", "GET")])
def test_a_lowered_limit_bites_and_names_itself(own_shop, kind, path, method):
    body = {"n": 300000} if method == "POST" else None
    shop = busy(own_shop, "{ busy = { %s = { fuel = 50000 } } }" % kind)
    assert shop.pk.request(method, f"/v1/x/busy/{path}", body).status == 500
    line = next(line for line in log_of(shop).splitlines() if "past its budget" in line)
    assert "past its budget of 50000 instructions" in line, line
    assert re.search(r'limits\[\\*"busy\\*"\]\.%s\.fuel of shop\.lua' % kind, line), line
    # Another kind has its own.
    assert post(shop, "route", {"n": 10}).status == 200
    other = busy(own_shop, "{ busy = { %s = { fuel = 50000 } } }" % ("handler" if kind == "procedure" else "procedure"))
    assert other.pk.request(method, f"/v1/x/busy/{path}", body).status == 200


def test_a_limit_on_memory_bites_and_names_itself(own_shop):
    shop = busy(own_shop, "{ busy = { procedure = { memory_kib = 256 } } }")
    assert post(shop, "eat", {"n": 10}).status == 200
    assert post(shop, "eat", {"n": 50000}).status == 500
    line = next(line for line in log_of(shop).splitlines() if "of memory" in line)
    assert "256 KiB" in line and "procedure.memory_kib of shop.lua" in line, line
    assert busy(own_shop, "{}").pk.request("POST", "/v1/x/busy/eat", {"n": 50000}).status == 200


def test_a_call_within_a_call_has_the_limit_of_its_kind_and_undoes_all(own_shop):
    shop = busy(own_shop, "{ busy = { subscriber = { fuel = 50000 } } }")
    sku = shop.product()
    order = shop.place({sku: 1})
    answer = shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("pay"))
    assert answer.status == 500
    line = next(line for line in log_of(shop).splitlines() if "past its budget" in line)
    assert "50000" in line and "subscriber.fuel of shop.lua" in line and "plugins/busy/events.lua" in line, line
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"] == "placed"
    assert ok(shop.pk.request("GET", "/v1/x/busy/count"), 200) == {"rows": 0}


def test_what_is_called_spends_of_what_the_caller_has(own_shop):
    shop = busy(own_shop, "{ busy = { procedure = { fuel = 1000000 } } }")
    assert post(shop, "outer", {"n": 100000, "after": 100000}).status == 200
    assert post(shop, "outer", {"n": 250000, "after": 250000}).status == 500
    assert "past its budget of 1000000 instructions" in log_of(shop)
    assert ok(shop.pk.request("GET", "/v1/x/busy/count"), 200) == {"rows": 1}


def test_a_timer_has_a_limit_of_its_own(own_shop):
    import time

    shop = busy(own_shop, "{ busy = { timer = { fuel = 50000 } } }")
    assert post(shop, "set").status == 200
    end = time.monotonic() + 10
    while "timer.fuel of shop.lua" not in log_of(shop).replace("\\", "") and time.monotonic() < end:
        time.sleep(0.05)
    assert "timer.fuel of shop.lua" in log_of(shop)


def test_rules_of_plugins_and_campaigns_have_limits(own_shop):
    slow = """local promo = require "feira.promo"
return promo.campaign { id = "slow", scope = promo.sku "PLAIN",
  give = function(cart) for i = 1, 300000 do end for line in cart:lines() do line:discount { amount = 1 } end end }"""
    free = busy(own_shop, "{}", campaigns={"slow": slow})
    tight = busy(own_shop, "{ busy = { rule = { fuel = 50000 } }, campaigns = { rule = { fuel = 60000 } } }", campaigns={"slow": slow})
    for shop in (free, tight):
        shop.product("PLAIN", price=1000)
        shop.product("SLOW", price=1000)
    assert free.quote({"PLAIN": 1})["discount"] == 1
    assert free.quote({"SLOW": 1})["total"] == 999
    assert tight.quote({"PLAIN": 1})["discount"] == 0
    assert tight.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "SLOW", "qty": 1}]}).status >= 400
    log = log_of(tight).replace("\\", "")
    assert 'budget of 60000 instructions' in log and 'limits["campaigns"].rule.fuel' in log, log


def test_loading_has_a_limit(tmp_path):
    heavy = "for i = 1, 300000 do end\n"
    for limits, names in [('{ busy = { load = { fuel = 50000 } } }', 'limits["busy"].load.fuel'),
                          ('{ campaigns = { load = { fuel = 50000 } } }', 'limits["campaigns"].load.fuel'), ("{}", None)]:
        folder = tmp_path / unique("shop")
        folder.mkdir()
        write_shop(folder, {"plugins": "{ busy = {} }", "limits": limits}, {"a": heavy + "return {}"},
                   {"busy": {"plugin": MANIFEST, "events": heavy + WORK, "rules": RULES}})
        done = feira("check", folder)
        assert (done.returncode == 0) == (names is None), done
        assert names is None or names in done.stdout, done


@pytest.mark.parametrize("limits,words", [
    ("{ busi = {} }", ["limits.busi", "busy"]),
    ("{ busy = { procedur = {} } }", ["limits.busy", "procedure"]),
    ("{ busy = { rule = { fule = 1 } } }", ["limits.busy.rule", "fuel"]),
    ("{ busy = { rule = { fuel = 10 } } }", ["limits.busy.rule.fuel", "1000 to 20000000"]),
    ("{ busy = { rule = { fuel = 20000001 } } }", ["limits.busy.rule.fuel"]),
    ("{ busy = { check = { fuel = 100000001 } } }", ["limits.busy.check.fuel"]),
    ("{ busy = { rule = { fuel = 5000.5 } } }", ["limits.busy.rule.fuel"]),
    ("{ busy = { rule = { memory_kib = 1 } } }", ["limits.busy.rule.memory_kib", "64 to"]),
    ("{ campaigns = { timer = {} } }", ["limits.campaigns.timer"]),
    ("3", ["limits"]),
])
def test_wrong_limits_are_refused_with_their_place(tmp_path, limits, words):
    write_shop(tmp_path, {"plugins": "{ busy = {} }", "limits": limits}, {}, {"busy": {"plugin": MANIFEST, "events": WORK, "rules": RULES}})
    done = feira("check", tmp_path)
    assert done.returncode == 3 and "shop.lua:" in done.stdout, done
    assert all(word in done.stdout for word in words), done.stdout


# --- figures --------------------------------------------------------------------------------------------------------------


def figures(shop):
    """{(owner, kind, function): {metric: value}} of /metrics."""
    out = {}
    text = shop.client("").request("GET", "/metrics").body.decode()
    for metric, owner, kind, function, value in re.findall(
            r'^feira_function_(\w+)\{owner="([^"]*)",kind="([^"]*)",function="([^"]*)"\} ([0-9.]+)$', text, re.M):
        out.setdefault((owner, kind, function), {})[metric] = float(value)
    return out


def test_every_function_has_figures(own_shop):
    campaign = """local promo = require "feira.promo"
return promo.campaign { id = "one-off", scope = promo.sku "PLAIN", give = function(cart)
  for line in cart:lines() do line:discount { amount = 1 } end end }"""
    shop = busy(own_shop, "{}", campaigns={"one": campaign})
    sku = shop.product("PLAIN")
    assert figures(shop) == {}
    for _ in range(20):
        shop.quote({sku: 1})
    shop.paid_order({sku: 1})
    for _ in range(3):
        post(shop, "route", {"n": 300000})
    post(shop, "outer", {"n": 5, "after": 5})
    assert post(shop, "fails").status == 500
    assert post(shop, "refuses").status == 409
    all_of = figures(shop)
    assert set(all_of) >= {("busy", "rule", "pricing.unit"), ("campaigns", "campaign", "one-off"), ("busy", "subscriber", "order.paid"),
                           ("busy", "procedure", "POST /route"), ("busy", "procedure", "inner")}
    assert all_of["campaigns", "campaign", "one-off"]["calls_total"] >= 21
    assert all_of["busy", "subscriber", "order.paid"]["calls_total"] == 1
    route = all_of["busy", "procedure", "POST /route"]
    assert route["calls_total"] == 3 and route["errors_total"] == 0 and route["seconds_total"] > 0 and route["peak_bytes"] > 0
    assert all_of["busy", "procedure", "POST /fails"]["errors_total"] == 1
    assert all_of["busy", "procedure", "POST /refuses"]["errors_total"] == 0
    assert all(f["errors_total"] == 0 for name, f in all_of.items() if name[2] != "POST /fails"), all_of

    # They go on through a publish.
    write_shop(shop.folder, {"plugins": "{ busy = {} }", "limits": "{ busy = { rule = { fuel = 900000 } } }"}, {"one": campaign})
    assert feira("publish", shop.folder).returncode == 0
    post(shop, "route", {"n": 5})
    assert figures(shop)["busy", "procedure", "POST /route"]["calls_total"] == 4
    assert figures(shop)["campaigns", "campaign", "one-off"]["calls_total"] >= 21

    done = feira("status", shop.folder)
    assert re.search(r"^  busy procedure POST /route +4 +0 +\d", done.stdout, re.M), done.stdout
    rows = ok(shop.operator.request("GET", "/v1/status"), 200)["functions"]
    assert {"owner", "kind", "function", "calls", "errors", "fuel", "time_us", "peak_bytes"} == set(rows[0])
    assert [r["time_us"] for r in rows] == sorted((r["time_us"] for r in rows), reverse=True)


def test_the_number_of_series_is_bounded(own_shop):
    names = [f"c{i}" for i in range(700)]
    one = 'promo.campaign { id = "%s", scope = promo.sku "P", give = function(cart) for line in cart:lines() do line:discount { amount = 1 } end end }'
    text = 'local promo = require "feira.promo"\nreturn {\n' + ",\n".join(one % name for name in names) + "\n}"
    shop = own_shop(campaigns={"many": text})
    shop.product("P", price=100000)
    assert shop.quote({"P": 1})["discount"] == 700
    all_of = figures(shop)
    assert len(all_of) == 501
    assert all_of["other", "other", "other"]["calls_total"] >= 200
    assert sum(f["calls_total"] for f in all_of.values()) == 700


CHECKER = {
    "plugin": """return { name = "warden", version = "1.0.0", api = 1, title = "Looks",
  checks = { look = { run = "checks.look", at = "submission" } } }""",
    "checks": "local c = {} function c.look(subject) for i = 1, 300000 do end end return c",
}


def test_a_check_has_a_limit(tmp_path):
    for limits, fine in [("{}", True), ("{ warden = { check = { fuel = 50000 } } }", False)]:
        folder = tmp_path / unique("shop")
        folder.mkdir()
        write_shop(folder, {"plugins": "{ warden = {} }", "limits": limits}, plugins={"warden": CHECKER})
        done = feira("check", folder)
        assert (done.returncode == 0) == fine, done
        assert fine or 'limits["warden"].check.fuel of shop.lua' in done.stdout, done


def test_figures_are_exact_while_they_are_read_and_rules_change(own_shop):
    import threading

    campaign = """local promo = require "feira.promo" -- %d
return promo.campaign { id = "counted", scope = promo.sku "P", give = function(cart)
  for line in cart:lines() do line:discount { amount = 1 } end end }"""
    shop = busy(own_shop, "{}", campaigns={"one": campaign % 0})
    shop.product("P", price=100000)
    key, each = shop.server.keys()["pk"], 150
    failed = []

    def quotes():
        client = shop.client(key)
        for _ in range(each):
            answer = client.request("POST", "/v1/quotes", {"lines": [{"sku": "P", "qty": 1}]})
            if answer.status != 200 or answer.json()["discount"] != 1:
                failed.append(answer)

    threads = [threading.Thread(target=quotes) for _ in range(4)]
    for thread in threads:
        thread.start()
    last = 0
    for i in range(1, 6):
        write_shop(shop.folder, {"plugins": "{ busy = {} }"}, {"one": campaign % i})
        assert feira("publish", shop.folder).returncode == 0
        seen = figures(shop).get(("campaigns", "campaign", "counted"), {"calls_total": 0})["calls_total"]
        assert seen >= last
        last = seen
    for thread in threads:
        thread.join()
    assert failed == []
    all_of = figures(shop)
    assert all_of["campaigns", "campaign", "counted"]["calls_total"] == 4 * each
    assert all_of["busy", "rule", "pricing.unit"]["calls_total"] == 4 * each


def test_a_job_has_a_limit_and_figures(own_shop):
    import time

    worker = {
        "plugin": """return { name = "toiler", version = "1.0.0", api = 1, title = "Toils",
  routes = { ["POST /set"] = { run = "events.set", auth = "anyone" } }, timers = { go = { run = "jobs.go", as = "job" } } }""",
        "events": """local timers, time = require "feira.timers", require "feira.time"
return { set = function() timers.set("go", "one", time.now()) return { status = 200, body = {} } end }""",
        "jobs": "return { go = function() for i = 1, 300000 do end end }",
    }

    def run(limits, over):
        shop = own_shop(settings={"plugins": "{ toiler = {} }", "limits": limits}, plugins={"toiler": worker})
        ok(shop.pk.request("POST", "/v1/x/toiler/set", {}, idempotency=unique("set")), 200)
        end = time.monotonic() + 15
        while not over(shop) and time.monotonic() < end:
            time.sleep(0.05)
        return shop

    def called(shop):
        return figures(shop).get(("toiler", "job", "go"), {"calls_total": 0})["calls_total"] > 0

    assert figures(run("{}", called))["toiler", "job", "go"]["errors_total"] == 0
    tight = run("{ toiler = { job = { fuel = 50000 } } }", called)
    assert figures(tight)["toiler", "job", "go"]["errors_total"] >= 1
    log, end = "", time.monotonic() + 15
    while not log and time.monotonic() < end:  # it is written when the writer has noted the failure
        time.sleep(0.05)
        log = log_of(tight).replace("\\", "")
    assert 'limits["toiler"].job.fuel of shop.lua' in log and "50000 instructions" in log, log
