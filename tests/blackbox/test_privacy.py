"""What is collected, who reads it, and the notice that says so."""

import re

import pytest
from market import feira, ok, unique, write_shop

MAILER = {
    "plugin": """return {
  name = "mailer", version = "1.0.0", api = 1, title = "Letters",
  needs = {
    collections = { "customers:read", "orders:read" },
    http = { { host = "api.letters.example", why = "Sends the letters." } },
    personal = { { field = "customer.email", purpose = "to send letters" }, { field = "order.contact", purpose = "to greet by name" } },
  },
  collections = { cards = { fields = { customer = "customer", words = { type = "string", optional = true, personal = "printed on your card" } }, index = { "customer" } } },
  routes = { ["GET /of/{customer}"] = { run = "events.of", auth = "server" } },
}
""",
    "events": """local store = require "feira.store"
local events = {}
function events.of(call)
  local c = store.of("shop").customers:get { customer = call.params.customer }
  return { status = 200, body = { email = c.email, name = c.name, phone = c.phone } }
end
return events
""",
}
PRIVACY = """{
  controller = "Market & Sons <Lisbon>", contact = "privacy@market.example", law = "cn",
  without = { "order.contact.phone", "order.note" },
  purposes = { newsletter = { title = { en = "Our letter", ["zh-CN"] = "我们的信" }, version = "7", third_parties = { "Letters Ltd" } } },
}"""


def dropped(shop):
    text = shop.pk.request("GET", "/metrics").body.decode()
    return int(re.search(r"^feira_personal_fields_dropped_total (\d+)$", text, re.M).group(1))


def test_what_the_catalogue_does_not_name_is_dropped_at_the_door_and_counted(shop):
    sku, before = shop.product(), dropped(shop)
    secret = unique("1999-01-31-birthday")
    contact = {"name": "Ada", "birthday": secret, "wechat": {"id": secret}}
    address = {"line1": "1 Road", "city": "York", "country": "GB", "door_code": secret}
    answer = shop.pk.request(
        "POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "contact": contact, "address": address}, idempotency=unique("order")
    )
    order = ok(answer, 201)
    assert order["contact"] == {"name": "Ada"} and set(order["address"]) == {"line1", "city", "country"}
    assert answer.headers["dropped-fields"] == "/contact/birthday, /contact/wechat, /address/door_code"
    assert dropped(shop) == before + 3
    for file in (shop.server.data).glob("shop.db*"):
        assert secret.encode() not in file.read_bytes(), file
    # What is named is still checked, and what is wrong is still said.
    wrong = shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "contact": {"name": 7}}, idempotency=unique("order"))
    assert wrong.status == 422 and wrong.json()["field"] == "/contact/name"
    assert dropped(shop) == before + 3


def test_a_contact_of_which_nothing_is_left_is_none_and_names_can_not_break_the_header(shop):
    sku = shop.product()
    answer = shop.pk.request(
        "POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "contact": {"a\r\nX-Bad: 1": "x", "é" * 100: "y"}}, idempotency=unique("order")
    )
    assert ok(answer, 201)["contact"] is None
    assert answer.headers["dropped-fields"].startswith("/contact/a??X-Bad??1, /contact/????") and "x-bad" not in answer.headers


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    from market import open_shop

    with open_shop(tmp_path_factory.mktemp("letters"), settings={"plugins": "{ mailer = {} }", "privacy": PRIVACY}, plugins={"mailer": MAILER}) as s:
        yield s


def test_a_field_that_the_shop_does_not_collect_is_dropped(letters):
    sku = letters.product()
    order = letters.place({sku: 1}, by=letters.pk, contact={"name": "Ada", "phone": "+44 20 7946 0000"}, note="Ring twice.")
    assert order["contact"] == {"name": "Ada"} and order.get("note") is None
    checkout = ok(letters.pk.request("POST", "/v1/checkouts", {"lines": [{"sku": sku, "qty": 1}], "contact": {"phone": "123456"}, "note": "x"}), 201)
    assert (checkout["contact"], checkout["note"]) == (None, None)
    assert ok(letters.sk.request("PUT", f"/v1/customers/{unique('c')}", {"phone": "123456"}), 201)["phone"] == "123456"


def test_what_plugins_read_is_counted_by_field_and_purpose_and_nothing_else_is(letters):
    def reads():
        items = ok(letters.operator.request("GET", "/v1/privacy/access"), 200)["items"]
        return {(i["plugin"], i["field"], i["purpose"]): sum(k["reads"] for k in items if k["field"] == i["field"]) for i in items}

    ada = unique("ada")
    ok(letters.sk.request("PUT", f"/v1/customers/{ada}", {"name": "Ada", "email": "ada@market.example", "phone": "123456"}), 201)
    bare = unique("bare")
    ok(letters.sk.request("PUT", f"/v1/customers/{bare}", {}), 201)
    before = reads().get(("mailer", "customer.email", "to send letters"), 0)
    seen = ok(letters.sk.request("GET", f"/v1/x/mailer/of/{ada}"), 200)
    assert seen == {"email": "ada@market.example"}  # no need, no field
    ok(letters.sk.request("GET", f"/v1/x/mailer/of/{ada}"), 200)
    ok(letters.sk.request("GET", f"/v1/x/mailer/of/{bare}"), 200)  # there is nothing to read
    after = reads()
    assert after[("mailer", "customer.email", "to send letters")] == before + 2
    assert not any(field == "customer.phone" for _, field, _ in after)
    shown = feira("privacy", letters.folder, "--access").stdout
    assert "mailer" in shown and "customer.email" in shown and "to send letters" in shown


def notice(shop, **query):
    return ok(shop.pk.request("GET", "/v1/privacy?" + "&".join(f"{k}={v}" for k, v in query.items())), 200)


def test_the_notice_says_what_is_configured(letters):
    ok(letters.sk.request("POST", "/v1/webhooks", {"url": "https://erp.partner.example/in?token=s3cret", "events": ["order.paid"], "personal": ["order.address"]}), 201)
    said = notice(letters)
    text = " ".join(said["text"].split())
    for part in (
        "Privacy notice of Test market", "Market & Sons <Lisbon>", "privacy@market.example", "15 working days", "90 days after the order has ended",
        "Letters: the contact given with an order, for this purpose: to greet by name", "Letters: your e-mail address, for this purpose: to send letters",
        "api.letters.example, through Letters: Sends the letters.", "erp.partner.example is told: the address an order goes to",
        "Our letter (version 7)", "Handed on to Letters Ltd only if you consent to that, too.", "Letters: words", "printed on your card",
    ):
        assert part in text, part
    for part in ("telephone number given with an order", "what you write to us", "s3cret", "no extension", "Nobody."):
        assert part not in text, part
    phone = next(f for f in said["fields"] if f["field"] == "order.contact.phone")
    assert phone["collected"] is False and said["missing"] == []


def test_the_notice_is_there_in_two_languages_and_three_forms(letters):
    chinese = notice(letters, lang="zh-CN")["text"]
    assert "隐私声明" in chinese and "15个工作日" in chinese and "我们的信" in chinese and "Our letter" not in chinese
    assert not re.search(r"[{}]", chinese + notice(letters)["text"])
    page = notice(letters, form="html", lang="zh-CN")["text"]
    assert '<html lang="zh-CN">' in page and "Market &amp; Sons &lt;Lisbon&gt;" in page and "<Lisbon>" not in page
    table = notice(letters, form="markdown")["text"]
    assert table.startswith("# Privacy notice") and "| What | Why | On what ground | How long |" in table
    assert letters.pk.request("GET", "/v1/privacy?lang=fr").status == 422
    assert letters.pk.request("GET", "/v1/privacy?form=pdf").status == 422
    done = feira("privacy", letters.folder, "--lang", "zh-CN", "--html")
    assert done.returncode == 0 and done.stdout == page and done.stderr == ""


def test_who_has_not_said_who_answers_is_reminded(tmp_path):
    done = feira("privacy", write_shop(tmp_path), "--lang", "en")
    assert done.returncode == 0 and "has not said yet who answers" in done.stdout
    assert "privacy.controller" in done.stderr and "privacy.contact" in done.stderr


@pytest.mark.parametrize(
    "privacy, said",
    [
        ('{ controler = "x" }', "controller"),
        ("{ law = \"us\" }", "eu"),
        ('{ without = { "order.contact" } }', "order.contact.email"),
        ('{ keep = { transactions = "2y" } }', "at least 1098 days"),
        ('{ keep = { contact = "forever" } }', "90d"),
        ('{ purposes = { news = { title = "x" } } }', "version"),
        ('{ purposes = { news = { title = { fr = "x" }, version = "1" } } }', "zh-CN"),
    ],
)
def test_a_mistake_in_it_is_refused_with_its_place(tmp_path, privacy, said):
    done = feira("check", write_shop(tmp_path, settings={"privacy": privacy}))
    assert done.returncode == 3 and "shop.lua" in done.stdout + done.stderr and said in done.stdout + done.stderr, done


def test_a_plugin_can_not_make_up_a_consent(tmp_path):
    plugin = MAILER["plugin"].replace('purpose = "to send letters" }', 'purpose = "to send letters", consent = "newsletter" }')
    plugins = {"mailer": {**MAILER, "plugin": plugin}}
    done = feira("check", write_shop(tmp_path, settings={"plugins": "{ mailer = {} }"}, plugins=plugins))
    assert done.returncode == 3 and "newsletter" in done.stdout + done.stderr and "privacy" in done.stdout + done.stderr, done
    done = feira("check", write_shop(tmp_path, settings={"plugins": "{ mailer = {} }", "privacy": PRIVACY}, plugins=plugins))
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    "field, said",
    [('{ type = "string", personal = "x" }', "optional"), ('{ type = "string", optional = true, personal = "x" }', "hash")],
)
def test_a_personal_field_of_a_plugin_can_be_emptied(tmp_path, field, said):
    index = 'index = { "words" }' if said == "hash" else ""
    plugin = f'return {{ name = "cards", version = "1.0.0", api = 1, title = "Cards", collections = {{ cards = {{ fields = {{ words = {field} }}, {index} }} }} }}'
    done = feira("check", write_shop(tmp_path, settings={"plugins": "{ cards = {} }"}, plugins={"cards": {"plugin": plugin}}))
    assert done.returncode == 3 and said in done.stdout + done.stderr, done
