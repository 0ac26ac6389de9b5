"""Consents: by purpose and version, taken back at any time; what needs one is not served without it."""

import pytest
from market import feira, ok, open_shop, problem, unique, write_shop

PLUGIN = {
    "plugin": """return {
  name = "letters", version = "1.0.0", api = 1, title = "Letters",
  needs = {
    collections = { "customers:read" },
    personal = {
      { field = "customer.email", purpose = "to send letters", consent = "newsletter" },
      { field = "customer.name", purpose = "to hand it on", consent = "newsletter", share = true },
      { field = "customer.phone", purpose = "to call about orders" },
    },
  },
  collections = { heard = { fields = { customer = "customer", what = { type = "string" } }, index = { "customer" } } },
  on = { ["consent.given"] = { run = "events.given", when = "in_transaction" }, ["consent.withdrawn"] = { run = "events.withdrawn", when = "in_transaction" } },
  routes = { ["GET /of/{customer}"] = { run = "events.of", auth = "server" }, ["GET /heard/{customer}"] = { run = "events.heard", auth = "server" } },
}
""",
    "events": """local store = require "feira.store"
local events = {}
local function note(what)
  return function(e) store.heard:insert { customer = e.customer, what = ("%s %s %s %s"):format(what, e.purpose, e.version, e.share) } end
end
events.given, events.withdrawn = note "given", note "withdrawn"
function events.of(call)
  local c = store.of("shop").customers:get { customer = call.params.customer }
  return { status = 200, body = { email = c.email, name = c.name, phone = c.phone } }
end
function events.heard(call)
  local out = {}
  for i, row in ipairs(store.heard:find { customer = call.params.customer }) do out[i] = row.what end
  return { status = 200, body = { list = out } }
end
return events
""",
}
CAMPAIGNS = {
    "letters": """local promo = require "feira.promo"
return promo.campaign { id = "letters", title = "For readers", when = promo.customer_tag "consent:newsletter", give = promo.percent_off { percent = 10 } }
""",
    "grown": """local promo = require "feira.promo"
return promo.campaign { id = "young", title = "For minors", when = promo.customer_tag "declared-minor", give = promo.percent_off { percent = 20 } }
""",
}


def settings(version):
    return {
        "plugins": "{ letters = {} }",
        "privacy": f'{{ purposes = {{ newsletter = {{ title = "Our letter", version = "{version}", third_parties = {{ "Printers" }} }}, news = {{ title = "News", version = "1" }} }} }}',
    }


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("letters"), settings=settings("1"), campaigns=CAMPAIGNS, plugins={"letters": PLUGIN}) as s:
        yield s


def someone(shop):
    made = shop.customer(unique("reader"))
    ok(shop.sk.request("PUT", f"/v1/customers/{made.customer}", {"name": "Ada", "email": "ada@market.example", "phone": "123456"}), 200)
    return made


def seen(shop, who):
    return set(ok(shop.sk.request("GET", f"/v1/x/letters/of/{who.customer}"), 200))


def newsletter_of(document):
    return next(p for p in document["purposes"] if p["purpose"] == "newsletter")


def give(caller, who, purpose="newsletter", **body):
    return caller.request("PUT", f"/v1/customers/{who.customer}/consents/{purpose}", {"version": "1", **body})


def withdraw(by, who, purpose="newsletter", query=""):
    return by.request("DELETE", f"/v1/customers/{who.customer}/consents/{purpose}{query}")


def heard(shop, who):
    return ok(shop.sk.request("GET", f"/v1/x/letters/heard/{who.customer}"), 200)["list"] or []


def test_a_purpose_is_served_from_the_consent_to_its_withdrawal(letters):
    ada, sku = someone(letters), letters.product()
    assert seen(letters, ada) == {"phone"}
    assert letters.quote({sku: 1}, by=ada)["total"] == 1000
    document = ok(give(ada, ada, via="check-out, box under the address"), 200)
    assert (newsletter_of(document)["given"], newsletter_of(document)["shared"]) == (True, False)
    assert seen(letters, ada) == {"phone", "email"}  # to hand it on is asked for apart
    quote = letters.quote({sku: 1}, by=ada)
    assert quote["total"] == 900
    ok(give(ada, ada, share=True), 200)
    assert seen(letters, ada) == {"phone", "email", "name"}
    ok(withdraw(ada, ada, query="?share=true"), 200)
    assert seen(letters, ada) == {"phone", "email"}
    ok(give(ada, ada, share=True), 200)
    document = ok(withdraw(ada, ada), 200)
    assert not newsletter_of(document)["given"] and not newsletter_of(document)["shared"]
    assert seen(letters, ada) == {"phone"}
    assert letters.quote({sku: 1}, by=ada)["total"] == 1000
    # The price that was shown with it is not taken any more, and nothing is.
    problem(ada.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("order")), 409)
    given = [h["given_at"] <= h["withdrawn_at"] for h in document["history"]]
    assert given == [True] * 3 and document["history"][0]["via"] == "check-out, box under the address"
    assert heard(letters, ada) == [
        "given newsletter 1 false", "given newsletter 1 true", "withdrawn newsletter 1 true", "given newsletter 1 true",
        "withdrawn newsletter 1 true", "withdrawn newsletter 1 false",
    ]
    again = ok(withdraw(ada, ada), 200)
    assert again == document and len(heard(letters, ada)) == 6


def test_the_same_consent_twice_is_one(letters):
    ada = someone(letters)
    first = ok(give(ada, ada), 200)
    assert ok(give(ada, ada), 200) == first and heard(letters, ada) == ["given newsletter 1 false"]


def test_nobody_consents_for_another(letters):
    ada, bob = someone(letters), someone(letters)
    for by in (bob, letters.pk):
        assert give(by, ada).status in (403, 404)
        assert withdraw(by, ada).status in (403, 404)
        assert by.request("GET", f"/v1/customers/{ada.customer}/consents").status in (403, 404)
        assert by.request("PUT", f"/v1/customers/{ada.customer}/minor", {"minor": True}).status in (403, 404)
    assert seen(letters, ada) == {"phone"}
    ok(give(letters.sk, ada), 200)
    assert seen(letters, ada) == {"phone", "email"} and seen(letters, bob) == {"phone"}


def test_what_can_not_be_consented_to(letters):
    ada = someone(letters)
    problem(give(ada, ada, version="2"), 409, "consent_version")
    problem(give(ada, ada, purpose="no-such"), 404)
    problem(give(ada, ada, purpose="news", share=True), 422, field="/share")
    problem(ada.request("PUT", f"/v1/customers/{ada.customer}/consents/newsletter", {}), 422)
    problem(letters.sk.request("PUT", f"/v1/customers/{ada.customer}", {"tags": ["consent:newsletter"]}), 422, field="/tags/0")
    problem(letters.sk.request("PUT", f"/v1/customers/{ada.customer}", {"tags": ["x", "declared-minor"]}), 422, field="/tags/1")
    assert seen(letters, ada) == {"phone"} and heard(letters, ada) == []


def test_of_a_minor_only_what_a_guardian_said_counts(letters):
    young, sku = someone(letters), letters.product()
    ok(give(young, young), 200)
    assert seen(letters, young) == {"phone", "email"} and letters.quote({sku: 1}, by=young)["total"] == 900
    document = ok(young.request("PUT", f"/v1/customers/{young.customer}/minor", {"minor": True}), 200)
    assert document["minor"] and not newsletter_of(document)["given"]
    assert seen(letters, young) == {"phone"} and letters.quote({sku: 1}, by=young)["total"] == 800
    problem(give(young, young), 409, "guardian_needed")
    problem(give(young, young, by="guardian"), 403)
    problem(young.request("PUT", f"/v1/customers/{young.customer}/minor", {"minor": False}), 403)
    ok(give(letters.sk, young, by="guardian"), 200)
    assert seen(letters, young) == {"phone", "email"} and letters.quote({sku: 1}, by=young)["total"] == 720
    ok(letters.sk.request("PUT", f"/v1/customers/{young.customer}/minor", {"minor": False}), 200)
    assert letters.quote({sku: 1}, by=young)["total"] == 900


def test_other_words_are_asked_for_anew(own_shop):
    shop = own_shop(settings=settings("1"), campaigns=CAMPAIGNS, plugins={"letters": PLUGIN})
    ada, sku = someone(shop), shop.product()
    ok(give(ada, ada), 200)
    assert seen(shop, ada) == {"phone", "email"} and shop.quote({sku: 1}, by=ada)["total"] == 900
    write_shop(shop.folder, settings(2), CAMPAIGNS)
    done = feira("publish", shop.folder)
    assert done.returncode == 0, done
    assert seen(shop, ada) == {"phone"} and shop.quote({sku: 1}, by=ada)["total"] == 1000
    problem(give(ada, ada), 409, "consent_version")
    document = ok(give(ada, ada, version="2"), 200)
    assert newsletter_of(document)["given"] and seen(shop, ada) == {"phone", "email"}
    assert [(h["version"], h["withdrawn_at"] is None) for h in document["history"]] == [("1", False), ("2", True)]
