"""Who may let what go live. The attempts to go around it: each is refused, changes nothing, and is in the audit log."""

import concurrent.futures
import contextlib
import functools
import signal
import sqlite3
import time

import pytest
from market import feira, ok, open_shop, problem, unique
import people
from people import audit, entries, step_now, totp
from test_plugins import plugin

operator = functools.partial(people.operator, own=True)

STEPS = """{
    steps = {
      { name = "business", roles = { "business" } },
      { name = "legal", roles = { "legal" } },
      { name = "owner", roles = { "owner" } },
    },
    kinds = { amount_off = { "business" }, gift = {}, free_shipping = {} },
  }"""
SPRING = """local promo = require "feira.promo"
return promo.campaign {{ id = "spring", scope = promo.tag "spring", give = promo.percent_off {{ percent = {} }} }}
"""
FIVE_OFF = """local promo = require "feira.promo"
return promo.campaign {{ id = "five", scope = promo.tag "five", give = promo.amount_off {{ amount = "{}.00" }} }}
"""
POST = """local promo = require "feira.promo"
return promo.campaign {{ id = "post", when = promo.subtotal {{ at_least = "{}.00" }}, give = promo.free_shipping {{}} }}
"""
percents = iter(range(1, 100))


class House:
    """A shop that asks for three approvals, and its people, signed in."""

    def __init__(self, shop):
        self.shop = shop

    def __getattr__(self, role):
        """house.legal: made and signed in when he is first wanted."""
        if role not in ("author", "business", "legal", "owner"):
            raise AttributeError(role)
        setattr(self, role, operator(self.shop, role))
        return getattr(self, role)

    def live(self):
        return ok(self.shop.operator.request("GET", "/v1/generations"), 200)["live"]

    def write(self, name="spring", text=None):
        (self.shop.folder / "campaigns" / f"{name}.lua").write_text(text or SPRING.format(next(percents)))

    def submit(self, by=None, **more):
        """What the folder has now, with a change of it first."""
        self.write()
        return self.submit_folder(by, **more)

    def submit_folder(self, by=None, **more):
        made = ok((by or self.author).request("POST", "/v1/admin/drafts", more, idempotency=unique("submit")), 200)
        assert made["result"] == "draft", made
        return self.draft(made["draft"])

    def draft(self, draft):
        return ok(self.shop.operator.request("GET", f"/v1/admin/drafts/{draft if isinstance(draft, str) else draft['id']}"), 200)

    def approve(self, draft, by, hash=None, key=None):
        return by.request("POST", f"/v1/admin/drafts/{draft['id']}/approve", {"hash": hash or draft["hash"]}, idempotency=key)

    def approve_all(self, draft):
        for by in (self.business, self.legal, self.owner):
            ok(self.approve(draft, by), 200)

    def until(self, draft, *states):
        """The shop looks for what is due a few times a second."""
        end = time.monotonic() + 60
        while (d := self.draft(draft))["state"] not in states or (d["state"] == "live" and self.live() != d["generation"]):
            assert time.monotonic() < end, d  # written down first, live a moment later
            time.sleep(0.05)
        return d

    def refused(self, answer, status, type, by=None, action="draft.approved.refused", subject=None):
        """The answer is this problem, and the newest entry of the log says so."""
        problem(answer, status, type)
        last = audit(self.shop, limit=1)[0]
        assert last["action"] == action and last["details"]["why"] == type, last
        assert by is None or last["actor"] == by.name
        assert subject is None or last["subject"] == subject["id"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("approvals"), settings={"approvals": STEPS}) as s:
        yield House(s)


@pytest.fixture
def own_house(own_shop):
    s = own_shop(settings={"approvals": STEPS})
    yield House(s)


def restart(house):
    assert house.shop.server.terminate() == 0
    house.shop.hang_up()
    house.shop.server.start()


@pytest.fixture(autouse=True)
def nothing_is_left_open(request):
    """A test leaves no draft that could go live during another one."""
    yield
    if "house" in request.fixturenames:
        house = request.getfixturevalue("house")
        for d in ok(house.shop.operator.request("GET", "/v1/admin/drafts"), 200)["items"]:
            if d["state"] in ("draft", "submitted", "approved"):
                ok(house.shop.operator.request("POST", f"/v1/admin/drafts/{d['id']}/withdraw", {"reason": "the test is over"}), 200)


# --- the way it goes ----------------------------------------------------------------------------------------------------------


def test_three_people_approve_and_it_goes_live(house):
    before = house.live()
    draft = house.submit(note="for the spring sale")
    assert draft["state"] == "submitted" and draft["base"] == before and [s["name"] for s in draft["steps"]] == ["business", "legal", "owner"]
    assert [(c["file"], c["steps"]) for c in draft["changes"]] == [("campaigns/spring.lua", ["business", "legal", "owner"])]
    for by, state in ((house.business, "submitted"), (house.legal, "submitted"), (house.owner, "approved")):
        assert house.live() == before
        assert ok(house.approve(draft, by), 200)["state"] == state
    live = house.until(draft, "live")
    assert house.live() == live["generation"] != before
    told = [(e["action"], e["actor"]) for e in audit(house.shop) if e["subject"] in (draft["id"], live["generation"])]
    people = [("draft.approved", p.name) for p in (house.business, house.legal, house.owner)]
    assert told == [("draft.submitted", house.author.name), *people, ("published", "feira")]
    again = house.submit()
    house.approve_all(again)
    house.until(again, "live")
    assert house.draft(draft)["state"] == "ended"


def test_what_differs_can_be_read_before_it_is_approved(house):
    house.write(text=SPRING.format(41))
    draft = house.submit_folder()
    files = ok(house.legal.request("GET", f"/v1/admin/drafts/{draft['id']}/files"), 200)
    assert files["hash"] == draft["hash"] and [f["path"] for f in files["files"]] == ["campaigns/spring.lua"]
    assert files["files"][0]["after"] == SPRING.format(41)


@pytest.mark.parametrize("how", ["publish", "sk", "sighup"])
def test_publishing_only_makes_a_draft(house, how):
    before = house.live()
    house.write()
    if how == "sighup":
        count = len(entries(house.shop, "draft.saved"))
        house.shop.server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while len(entries(house.shop, "draft.saved")) == count:
            assert time.monotonic() < end
            time.sleep(0.05)
    else:
        by = house.shop.operator
        if how == "sk":
            by = house.shop.client(ok(by.request("POST", "/v1/keys", {"kind": "sk", "label": "all", "scopes": ["admin"]}), 201)["key"])
        made = ok(by.request("POST", "/v1/generations", {}), 200)
        assert made["result"] == "draft" and house.draft(made["draft"])["state"] == "draft"
        assert ok(by.request("POST", "/v1/generations", {}), 200)["draft"] == made["draft"], "saved again, it is the same"
    assert house.live() == before


def test_dev_only_makes_drafts(tmp_path):
    with open_shop(tmp_path, settings={"approvals": STEPS}, options=["--dev"]) as s:
        before = ok(s.operator.request("GET", "/v1/generations"), 200)["live"]
        (s.folder / "campaigns" / "spring.lua").write_text(SPRING.format(7))
        end = time.monotonic() + 60
        while not entries(s, "draft.saved"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert ok(s.operator.request("GET", "/v1/generations"), 200)["live"] == before


def test_kinds_need_what_shop_lua_says(own_house):
    house = own_house
    before = house.live()
    house.write("five", FIVE_OFF.format(5))
    five = house.submit_folder()
    assert [s["name"] for s in five["steps"]] == ["business"]
    ok(house.approve(five, house.business), 200)
    house.until(five, "live")
    house.write("post", POST.format(next(percents)))
    gone = ok(house.shop.operator.request("POST", "/v1/generations", {}), 200)
    assert gone["result"] == "live" and gone["generation"] == house.live() != before
    # A kind that needs little does not let one through that needs more: what was there counts as well.
    house.write("five", SPRING.format(3).replace("spring", "five"))
    assert len(house.submit_folder()["steps"]) == 3
    (house.shop.folder / "campaigns" / "five.lua").unlink()
    assert [s["name"] for s in house.submit_folder()["steps"]] == ["business"]
    house.write("five", FIVE_OFF.format(5))


def test_shop_lua_and_what_it_says_of_approvals_need_all_steps(house):
    path = house.shop.folder / "shop.lua"
    text = path.read_text()
    try:
        for changed in (text.replace("approvals =", "limits = {}, approvals ="), text.replace(STEPS, "{ steps = {} }")):
            path.write_text(changed)
            made = ok(house.shop.operator.request("POST", "/v1/generations", {}), 200)
            assert made["result"] == "draft"
            assert [s["name"] for s in house.draft(made["draft"])["steps"]] == ["business", "legal", "owner"]
    finally:
        path.write_text(text)


# --- attempts -------------------------------------------------------------------------------------------------------------------


def test_the_author_does_not_approve(house):
    both = operator(house.shop, "author", "business", "owner")
    draft = house.submit(by=both)
    house.refused(house.approve(draft, both), 403, "self_approval", by=both, subject=draft)


def test_who_had_a_hand_in_it_does_not_approve(house):
    helper = operator(house.shop, "author", "business")
    draft = house.submit()
    house.write()
    draft = house.submit_folder(by=helper, draft=draft["id"])
    draft = house.submit(draft=draft["id"])
    assert draft["authors"] == sorted([house.author.name, helper.name])
    house.refused(house.approve(draft, helper), 403, "self_approval", by=helper)
    # Who changes its time has had a hand in it, too.
    mover = operator(house.shop, "business")
    ok(mover.request("POST", f"/v1/admin/drafts/{draft['id']}/schedule", {"at": "2099-01-01"}), 200)
    house.refused(house.approve(house.draft(draft), mover), 403, "self_approval", by=mover)


def test_one_person_does_not_approve_two_steps(house):
    all_roles = operator(house.shop, "business", "legal", "owner")
    draft = house.submit()
    ok(house.approve(draft, all_roles), 200)
    house.refused(house.approve(draft, all_roles), 403, "approved_before", by=all_roles)
    assert house.draft(draft)["state"] == "submitted"


def test_steps_come_in_their_order_and_by_their_roles(house):
    draft = house.submit()
    house.refused(house.approve(draft, house.legal), 403, "role_missing", by=house.legal)
    house.refused(house.approve(draft, house.owner), 403, "role_missing", by=house.owner)
    for by in (house.author, operator(house.shop, "viewer")):
        house.refused(house.approve(draft, by), 403, "role_missing", by=by, action="call.refused")


def test_who_has_a_password_from_somebody_else_does_not_approve(house):
    """Else whoever makes accounts, or sets passwords anew, approves with them himself."""
    puppet = people.operator(house.shop, "business")
    draft = house.submit()
    house.refused(house.approve(draft, puppet), 403, "password_not_own", by=puppet)
    own = operator(house.shop, "business")
    ok(house.owner.request("POST", f"/v1/admin/operators/{own.name}/password", {"password": "set anew by the owner"}), 200)
    taken_over = people.signed_in(house.shop, own.name, "set anew by the owner")
    house.refused(house.approve(draft, taken_over), 403, "password_not_own", by=taken_over)


def test_an_edit_makes_approvals_void(house):
    draft = house.submit()
    ok(house.approve(draft, house.business), 200)
    edited = house.submit(draft=draft["id"])
    assert edited["id"] == draft["id"] and edited["hash"] != draft["hash"]
    assert edited["approvals"][0]["void_why"] == "it was edited"
    house.refused(house.approve(draft, house.legal), 409, "another_hash", by=house.legal)
    house.refused(house.approve(edited, house.legal), 403, "role_missing", by=house.legal)  # business comes first, again


def test_an_edit_of_an_approved_draft_keeps_it_from_going_live(house):
    draft = house.submit(at="2099-01-01 00:00")
    house.approve_all(draft)
    assert house.draft(draft)["state"] == "approved"
    edited = house.submit(draft=draft["id"])
    assert edited["state"] == "submitted" and all("void_at" in a for a in edited["approvals"])


def test_an_approval_is_not_replayed(house):
    draft = house.submit()
    first = ok(house.approve(draft, house.business, key="the same key"), 200)
    replayed = house.approve(draft, house.business, key="the same key")
    assert replayed.json() == first and replayed.headers["idempotency-replayed"] == "true"
    assert len(house.draft(draft)["approvals"]) == 1
    ok(house.legal.request("POST", f"/v1/admin/drafts/{draft['id']}/reject", {"reason": "the percentage is wrong"}), 200)
    back = house.draft(draft)
    assert back["state"] == "draft" and back["why"] == "the percentage is wrong"
    again = house.submit_folder(draft=draft["id"])
    assert again["hash"] != draft["hash"], "the same content, submitted again, is another thing to approve"
    house.refused(house.approve(draft, house.business), 409, "another_hash", by=house.business)
    house.approve(draft, house.business, key="the same key")
    assert not [a for a in house.draft(draft)["approvals"] if "void_at" not in a]


def test_a_role_that_was_taken_away_takes_the_approval_with_it(house):
    fired, moved = operator(house.shop, "business"), operator(house.shop, "business")
    for who, change in (
        (fired, lambda: ok(house.owner.request("DELETE", f"/v1/admin/operators/{fired.name}"), 200)),
        (moved, lambda: ok(house.owner.request("PATCH", f"/v1/admin/operators/{moved.name}", {"roles": ["viewer"]}), 200)),
    ):
        draft = house.submit()
        ok(house.approve(draft, who), 200)
        change()
        house.refused(house.approve(draft, house.legal), 403, "role_missing", by=house.legal)  # the first step is open again
        ok(house.approve(draft, house.business), 200)
        assert [a["void_why"] for a in house.draft(draft)["approvals"] if "void_why" in a][0] in ("its operator was removed", "its operator lost the role")


def test_it_waits_for_its_time(house):
    at = time.time() + 3
    draft = house.submit(at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)))
    house.approve_all(draft)
    house.until(draft, "live")
    assert time.time() >= int(at)
    [entry] = entries(house.shop, "published", draft["generation"])
    assert entry["at"][:19] >= draft["go_live_at"][:19]


def test_a_role_that_is_taken_away_before_it_goes_live_keeps_it_from_that(own_house, monkeypatch):
    """Nobody serves the shop, so what is approved waits; meanwhile one of those who approved leaves."""
    house, shop = own_house, own_house.shop
    house.owner  # signs in while there is a server
    before, leaver = house.live(), operator(shop, "legal")
    draft = house.submit()
    for by in (house.business, leaver):
        ok(house.approve(draft, by), 200)
    assert shop.server.terminate() == 0
    monkeypatch.setenv("FEIRA_SESSION", house.owner.key)
    assert "approved" in feira("approve", shop.folder, draft["id"], draft["hash"]).stdout
    assert feira("operators", shop.folder, "remove", leaver.name).returncode == 0
    monkeypatch.delenv("FEIRA_SESSION")
    shop.hang_up()
    shop.server.start()
    back = house.until(draft, "submitted", "live")
    assert back["state"] == "submitted" and house.live() == before
    assert entries(shop, "draft.live.refused", draft["id"])[0]["details"]["why"] == "approval_void"
    assert [e["details"]["operator"] for e in entries(shop, "draft.approval_void", draft["id"])] == [leaver.name]
    ok(house.approve(draft, house.legal), 200)  # the others' still count
    house.until(draft, "live")


def test_the_time_of_an_approved_draft_can_be_put_off_and_then_needs_approvals(house):
    draft = house.submit(at="2099-01-01 12:00")
    assert draft["go_live_at"] == "2099-01-01T12:00:00Z"
    house.approve_all(draft)
    moved = ok(house.author.request("POST", f"/v1/admin/drafts/{draft['id']}/schedule", {}), 200)
    assert moved["state"] == "submitted" and "go_live_at" not in moved and moved["hash"] != draft["hash"]
    house.refused(house.approve(draft, house.business), 409, "another_hash", by=house.business)


def test_an_approval_of_one_draft_is_none_of_another(house):
    one = house.submit()
    two = house.submit_folder(by=operator(house.shop, "author"))
    assert one["id"] != two["id"] and one["hash"] != two["hash"] and one["generation"] == two["generation"]
    house.refused(house.approve(two, house.business, hash=one["hash"]), 409, "another_hash", by=house.business, subject=two)


def test_a_draft_goes_live_only_on_what_it_was_compared_with(house):
    one = house.submit(at="2099-01-01")
    house.approve_all(one)
    two = house.submit()
    late = house.submit(by=operator(house.shop, "author"))
    house.approve_all(two)
    house.until(two, "live")
    house.refused(house.approve(late, house.business), 409, "base_moved", by=house.business)
    with by_hand(house.shop) as db:
        db.execute("UPDATE drafts SET go_live_at = 1 WHERE draft = ?", (one["id"],))
    assert house.until(one, "draft", "live")["state"] == "draft"
    assert house.live() == house.draft(two)["generation"]


def test_keys_sockets_and_nobody_do_not_approve(house):
    draft = house.submit()
    key = ok(house.shop.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "all", "scopes": ["admin"]}), 201)
    house.refused(house.approve(draft, house.shop.client(key["key"])), 403, "wrong_key_kind", action="call.refused")
    house.refused(house.approve(draft, house.shop.operator), 403, "person_needed", subject=draft)
    problem(house.approve(draft, house.shop.client("")), 401)
    problem(house.approve(draft, house.shop.pk), 403)
    assert not house.draft(draft)["approvals"]


def test_nobody_goes_back_to_what_was_never_approved(house):
    first = ok(house.shop.operator.request("GET", "/v1/generations"), 200)["items"][-1]["generation"]
    for by in (house.owner, house.shop.operator):
        problem(by.request("POST", "/v1/generations/rollback", {"to": first}, idempotency=unique("back")), 403, "never_approved")
        last = audit(house.shop, limit=1)[0]
        assert last["action"] == "published.refused" and "never" in last["details"]["why"]
    one = house.submit()
    house.approve_all(one)
    house.until(one, "live")
    two = house.submit()
    house.approve_all(two)
    house.until(two, "live")
    back = ok(house.owner.request("POST", "/v1/generations/rollback", {"to": house.draft(one)["generation"]}, idempotency=unique("back")), 200)
    assert back["generation"] == house.draft(one)["generation"] == house.live()
    assert house.draft(two)["state"] == "ended"


def test_rows_move_to_live_rules_only(house):
    answer = house.owner.request("POST", "/v1/plugins/group-buy/repin", {"to": "r_0000000000000000"})
    house.refused(answer, 403, "approval_needed", by=house.owner, action="call.refused")


def test_two_shops_know_nothing_of_each_other(house, tmp_path):
    draft = house.submit()
    with open_shop(tmp_path, settings={"approvals": STEPS}) as other:
        for who in (house.business, house.owner):
            problem(other.client(who.key).request("POST", f"/v1/admin/drafts/{draft['id']}/approve", {"hash": draft["hash"]}), 401, "session_over")
        stranger = operator(other, "business", name=house.business.name)  # the same name, another person
        problem(stranger.request("POST", f"/v1/admin/drafts/{draft['id']}/approve", {"hash": draft["hash"]}), 404, "no_such_draft")
        problem(house.shop.client(stranger.key).request("GET", "/v1/admin/me"), 401)


# Has a table that is called like one of the shop's, writes into it what it likes, and has routes for operators.
FORGER = plugin(
    "forger",
    """
    collections = { drafts = { fields = { draft = "string", state = "string" } }, audit = { fields = { entry = "string" } } },
    routes = {
      ["POST /forge"] = { run = "events.forge", auth = "anyone" },
      ["GET /look"] = { run = "events.look", auth = "anyone" },
      ["GET /for-operators"] = { run = "events.look", auth = "operator" },
    },
    procedures = { forge = { run = "events.write", args = { draft = "string" } } },
    """,
    events="""
local store, plugin = require "feira.store", require "feira.plugin"
local events = {}
function events.write(args)
  store.audit:insert { entry = "nothing happened" }
  return { id = store.drafts:insert { draft = args.draft, state = "approved" } }
end
function events.forge(call) return { status = 200, body = plugin.call("forger.forge", { draft = "drf_x" }) } end
function events.look()
  local tried = {}
  for _, name in ipairs { "operators", "operator_sessions", "draft_approvals", "generations" } do
    tried[name] = pcall(function() return store[name]:find() end) or pcall(function() return store.of(name) end)
  end
  return { status = 200, body = tried }
end
return events
""",
)


def test_a_plugin_writes_no_approval(tmp_path):
    with open_shop(tmp_path, settings={"approvals": STEPS, "plugins": "{ forger = {} }"}, plugins={"forger": FORGER}) as s:
        house = House(s)
        before, draft = house.live(), house.submit()
        chain = audit(s)
        assert not any(ok(s.pk.request("GET", "/v1/x/forger/look"), 200).values())
        s.pk.request("POST", "/v1/x/forger/forge", {}, idempotency="f")
        assert audit(s) == chain and house.draft(draft)["state"] == "submitted" and house.live() == before
        problem(house.business.request("GET", "/v1/x/forger/for-operators"), 403, "role_missing")
        ok(house.owner.request("GET", "/v1/x/forger/for-operators"), 200)
        # A manifest that asks for the shop's own tables is no manifest.
        wanted = (s.folder / "plugins" / "forger" / "plugin.lua").read_text().replace("collections = {", 'needs = { collections = { "drafts:write" } }, collections = {', 1)
        (s.folder / "plugins" / "forger" / "plugin.lua").write_text(wanted)
        problem(house.author.request("POST", "/v1/admin/drafts", {}), 422)


@contextlib.contextmanager
def by_hand(shop):
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db", timeout=30)) as db:
        yield db
        db.commit()


FORGERIES = {
    "state": "UPDATE drafts SET state = 'approved' WHERE draft = :draft",
    "steps": "UPDATE drafts SET state = 'approved', steps = '[]' WHERE draft = :draft",
    "sources": "UPDATE drafts SET revision = (SELECT min(id) FROM revisions), go_live_at = NULL WHERE draft = :draft",
    "author": "DELETE FROM draft_authors; UPDATE draft_approvals SET operator = (SELECT operator FROM draft_approvals LIMIT 1); UPDATE drafts SET go_live_at = 1",
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_was_written_by_hand_does_not_go_live(house, what):
    """Not a promise, who has the file has the shop; but what does not fit together is found at the door."""
    before, draft = house.live(), house.submit(at="2099-01-01")
    if what in ("sources", "author"):
        house.approve_all(draft)
    with by_hand(house.shop) as db:
        for sql in FORGERIES[what].split(";"):
            db.execute(sql, {"draft": draft["id"]} if ":draft" in sql else {})
        if what in ("state", "steps"):
            db.execute("UPDATE drafts SET go_live_at = NULL WHERE draft = ?", (draft["id"],))
    house.until(draft, "submitted", "draft")
    assert house.live() == before and entries(house.shop, "draft.live.refused", draft["id"])


def test_a_second_factor_where_it_is_asked_for(tmp_path):
    steps = '{ steps = { { name = "one", roles = { "owner" } } }, second_factor = true }'
    with open_shop(tmp_path, settings={"approvals": steps}) as s:
        house = House(s)
        draft = house.submit()
        house.refused(house.approve(draft, house.owner), 403, "second_factor_needed", by=house.owner)
        begun = ok(house.owner.request("POST", f"/v1/admin/operators/{house.owner.name}/totp", {}), 201)
        step = step_now()
        ok(house.owner.request("POST", f"/v1/admin/operators/{house.owner.name}/totp/confirm", {"code": totp(begun["secret"], step)}), 200)
        house.refused(house.approve(draft, house.owner), 403, "second_factor_needed", by=house.owner)  # the session is of before
        body = {"name": house.owner.name, "password": "a long enough password", "code": totp(begun["secret"], step + 1)}
        strong = s.client(ok(s.operator.request("POST", "/v1/admin/sessions", body), 201)["token"])
        ok(house.approve(draft, strong), 200)
        house.until(draft, "live")


def test_two_who_approve_one_step_at_once_are_one_approval(house):
    people = [house.business, operator(house.shop, "business")] * 3
    draft = house.submit()
    with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
        ask = [pool.submit(house.approve, draft, house.shop.client(p.key)) for p in people]
        statuses = sorted(a.result().status for a in ask)
    assert statuses == [200] + [403] * 5
    assert [a["step"] for a in house.draft(draft)["approvals"]] == ["business"]


# --- stopping --------------------------------------------------------------------------------------------------------------------


def test_one_person_stops_at_once_and_the_stop_outlives_him(house):
    sku = house.shop.product(tags=["sale"], price=1000)
    assert house.shop.quote({sku: 1})["total"] == 900
    stopper = operator(house.shop, "business")
    ok(stopper.request("POST", "/v1/stops", {"campaign": "sale", "reason": "a wrong price"}), 201)
    assert house.shop.quote({sku: 1})["total"] == 1000
    ok(house.owner.request("DELETE", f"/v1/admin/operators/{stopper.name}"), 200)
    assert house.shop.quote({sku: 1})["total"] == 1000
    problem(stopper.request("DELETE", "/v1/stops/sale"), 401)
    house.refused(house.author.request("DELETE", "/v1/stops/sale"), 403, "role_missing", by=house.author, action="call.refused")
    assert entries(house.shop, "stopped", "sale")[-1]["actor"] == stopper.name
    ok(house.legal.request("DELETE", "/v1/stops/sale"), 200)
    assert house.shop.quote({sku: 1})["total"] == 900


def test_a_draft_is_rejected_or_withdrawn_by_one_person_until_it_is_live(house):
    draft = house.submit(at="2099-01-01")
    house.approve_all(draft)
    ok(house.author.request("POST", f"/v1/admin/drafts/{draft['id']}/withdraw", {"reason": "not wanted"}), 200)
    answer = house.author.request("POST", f"/v1/admin/drafts/{draft['id']}/reject", {"reason": "again"})
    house.refused(answer, 409, "draft_state", by=house.author, action="draft.rejected.refused", subject=draft)
    problem(house.author.request("POST", "/v1/admin/drafts", {"draft": draft["id"]}), 409, "draft_state")


# --- starts ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["a campaign", "no approvals", "broken", "gone"])
def test_a_start_serves_what_was_approved_whatever_the_folder_has(own_house, folder):
    before, shop = own_house.live(), own_house.shop
    if folder == "a campaign":
        own_house.write()
    elif folder == "no approvals":
        path = shop.folder / "shop.lua"
        path.write_text(path.read_text().replace(STEPS, "{ steps = {} }"))
    elif folder == "broken":
        (shop.folder / "campaigns" / "sale.lua").write_text("return (")
    else:
        (shop.folder / "shop.lua").unlink()
    restart(own_house)
    assert own_house.live() == before
    assert ok(shop.operator.request("GET", "/v1/generations"), 200)["items"][0]["generation"] == before
    # Without a server, too.
    assert shop.server.terminate() == 0
    if folder != "gone":
        feira("publish", shop.folder)
    assert [line.split()[1] for line in feira("generations", shop.folder).stdout.splitlines() if line.startswith("*")] == [before]


def test_a_time_that_came_while_nobody_served_comes_at_the_start_once(own_house, monkeypatch):
    own_house.owner  # signs in while there is a server
    before = own_house.live()
    draft = own_house.submit(at="2020-01-01 08:00")
    for by in (own_house.business, own_house.legal):
        ok(own_house.approve(draft, by), 200)
    assert own_house.shop.server.terminate() == 0
    monkeypatch.setenv("FEIRA_SESSION", own_house.owner.key)
    assert feira("approve", own_house.shop.folder, draft["id"], draft["hash"]).returncode == 0
    monkeypatch.delenv("FEIRA_SESSION")
    assert state_on_disk(own_house, draft) == "approved"
    own_house.shop.hang_up()
    own_house.shop.server.start()
    live = own_house.until(draft, "live")
    assert own_house.live() == live["generation"] != before
    restart(own_house)
    assert own_house.live() == live["generation"]
    assert len(entries(own_house.shop, "published", live["generation"])) == 1


def state_on_disk(house, draft):
    with by_hand(house.shop) as db:
        return db.execute("SELECT state FROM drafts WHERE draft = ?", (draft["id"],)).fetchone()[0]


def test_without_approvals_all_is_as_it_was(own_shop):
    s = own_shop()
    house = House(s)
    house.write()
    assert ok(s.operator.request("POST", "/v1/generations", {}), 200)["result"] == "live"
    house.write()
    problem(house.author.request("POST", "/v1/admin/drafts", {}), 403, "role_missing")
    made = ok(house.owner.request("POST", "/v1/admin/drafts", {"at": "2099-01-01"}), 200)
    assert house.draft(made["draft"])["state"] == "approved"  # nothing to approve: it waits for its time
    # What asks for approvals goes live as it is; from then on it holds.
    path = s.folder / "shop.lua"
    path.write_text(path.read_text().replace("return {", f"return {{ approvals = {STEPS},", 1))
    assert ok(s.operator.request("POST", "/v1/generations", {}), 200)["result"] == "live"
    house.write()
    assert ok(s.operator.request("POST", "/v1/generations", {}), 200)["result"] == "draft"


# --- settings and the command line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "approvals, says",
    [
        ("true", "approvals"),
        ("{}", "steps"),
        ("{ steps = { { name = 'one' } } }", "roles"),
        ("{ steps = { { name = 'one', roles = {} } } }", "nobody could approve"),
        ("{ steps = { { name = 'one', roles = { 'king' } } } }", "business, legal and owner"),
        ("{ steps = { { name = 'one', roles = { 'viewer' } } } }", "business, legal and owner"),
        ("{ steps = { { name = 'One!', roles = { 'owner' } } } }", "small letters"),
        ("{ steps = { { name = 'one', roles = { 'owner' } }, { name = 'one', roles = { 'legal' } } } }", "earlier step"),
        ("{ steps = { { name = 'one', roles = { 'owner' } } }, kinds = { percent_off = { 'two' } } }", "no step"),
        ("{ steps = { { name = 'one', roles = { 'owner' } } }, second_factor = 1 }", "second_factor"),
    ],
)
def test_what_shop_lua_says_wrong_is_said(tmp_path, approvals, says):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "shop.lua").write_text(f'return {{ name = "x", currency = "EUR", approvals = {approvals} }}')
    run = feira("check", tmp_path)
    assert run.returncode == 3 and says in run.stdout + run.stderr, run


def test_the_command_line_goes_the_whole_way(own_house, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder, house = own_house.shop.folder, own_house
    people = (house.author, house.business, house.legal, house.owner)
    for who in people:
        assert feira("login", folder, who.name, input="a long enough password\n").returncode == 0
    house.write()
    made = feira("submit", folder, "--note", "for the spring", "--as", house.author.name)
    assert made.returncode == 0, made
    [draft] = [line.split()[0] for line in feira("drafts", folder).stdout.splitlines()]
    shown = feira("drafts", folder, draft).stdout
    assert "campaigns/spring.lua" in shown and "waits for one of: business" in shown
    assert "percent_off" in feira("drafts", folder, draft, "--files").stdout
    hash = next(line.split()[1] for line in shown.splitlines() if line.startswith("hash"))
    assert feira("approve", folder, draft, hash).returncode == 1  # nobody in particular
    back = feira("reject", folder, draft, "--reason", "too much", "--as", house.legal.name)
    assert back.returncode == 0 and "draft" in back.stdout
    assert feira("submit", folder, "--draft", draft, "--as", house.author.name).returncode == 0
    shown = feira("drafts", folder, draft).stdout
    hash = next(line.split()[1] for line in shown.splitlines() if line.startswith("hash"))
    for who in people[1:]:
        done = feira("approve", folder, draft, hash, "--as", who.name)
        assert done.returncode == 0, done
    house.until(draft, "live")
    house.write()
    said = feira("publish", folder).stdout
    assert "has to be approved" in said
    assert "draft.approved" in feira("audit", folder).stdout
    assert feira("doctor", folder).returncode == 0
