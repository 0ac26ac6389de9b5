"""Operators: roles, sessions, passwords, second factors; and the audit log in which all of it stands."""

import contextlib
import getpass
import json
import sqlite3

import pytest
from market import feira, ok, open_shop, problem, unique
from people import PASSWORD, audit, entries, operator, sign_in, signed_in, step_now, totp


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("operators")) as s:
        yield s


def test_the_owner_of_the_machine_makes_the_first_operator(house):
    name = unique("anna")
    made = ok(house.operator.request("POST", "/v1/admin/operators", {"name": name, "roles": ["owner", "legal"], "password": PASSWORD}), 201)
    assert made == {"name": name, "roles": ["legal", "owner"]}
    anna = signed_in(house, name)
    assert ok(anna.request("GET", "/v1/admin/me"), 200) == {"name": name, "roles": ["legal", "owner"], "second_factor": False}
    [added] = entries(house, "operator.added", name)
    assert added["actor"] == f"local:{getpass.getuser()}" and added["details"] == {"roles": ["legal", "owner"]}
    [came] = entries(house, "operator.signed_in", name)
    assert came["details"] == {"factors": 1}


def test_nothing_of_operators_is_open_to_keys_or_to_nobody(house):
    for client in (house.client(""), house.pk, house.sk, house.customer(), house.client("op_" + "A" * 32)):
        for method, target, body in (
            ("GET", "/v1/admin/operators", None),
            ("POST", "/v1/admin/operators", {"name": unique("x"), "roles": ["owner"], "password": PASSWORD}),
            ("GET", "/v1/admin/audit", None),
            ("GET", "/v1/admin/me", None),
        ):
            assert client.request(method, target, body).status in (401, 403)
    admin = ok(house.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "all", "scopes": ["admin"]}), 201)
    problem(house.client(admin["key"]).request("POST", "/v1/admin/operators", {"name": unique("x"), "roles": ["owner"]}), 403, "wrong_key_kind")
    refused = [e for e in entries(house, "call.refused", "POST /v1/admin/operators") if e["actor"] == f"key:{admin['id']}"]
    assert len(refused) == 1 and refused[0]["details"]["why"] == "wrong_key_kind"


def test_a_role_opens_what_names_it_and_nothing_else(house):
    viewer, owner = operator(house, "viewer"), operator(house, "owner")
    ok(viewer.request("GET", "/v1/admin/operators"), 200)
    for method, target, body in (
        ("POST", "/v1/admin/operators", {"name": unique("x"), "roles": ["owner"]}),
        ("PATCH", f"/v1/admin/operators/{viewer.name}", {"roles": ["owner"]}),
        ("DELETE", f"/v1/admin/operators/{owner.name}", None),
        ("DELETE", f"/v1/admin/operators/{viewer.name}/totp", None),
        ("POST", f"/v1/admin/operators/{owner.name}/password", {"password": "another long password"}),
        ("GET", "/v1/orders", None),
        ("GET", "/v1/customers/anybody", None),
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"kind": "sk", "label": "mine", "scopes": ["admin"]}),
        ("POST", "/v1/generations", {}),
        ("POST", "/v1/generations/rollback", {}),
        ("POST", "/v1/stops", {"campaign": "sale"}),
    ):
        problem(viewer.request(method, target, body, idempotency=unique("k")), 403)
    assert [e for e in audit(house) if e["action"] == "call.refused" and e["actor"] == viewer.name]
    ok(owner.request("GET", "/v1/orders"), 200)
    ok(owner.request("GET", "/v1/status"), 200)


def test_what_is_no_name_role_or_password_is_said(house):
    def add(**body):
        return house.operator.request("POST", "/v1/admin/operators", {"name": unique("x"), "roles": ["viewer"], **body})

    for name in ("Anna", "1st", "local", "feira", "a b", "key:x", "x" * 41):
        problem(add(name=name), 422)
    problem(add(roles=["king"]), 422, field="/roles")
    problem(add(roles=[]), 422)
    problem(add(password="short"), 422, field="/password")
    name = unique("twice")
    ok(add(name=name), 201)
    problem(add(name=name), 409, "operator_exists")
    ok(house.operator.request("DELETE", f"/v1/admin/operators/{name}"), 200)
    problem(add(name=name), 409, "operator_exists")


def test_a_session_ends_with_the_role_the_password_and_the_operator(house):
    eve = operator(house, "business")
    ok(house.operator.request("PATCH", f"/v1/admin/operators/{eve.name}", {"roles": ["viewer"]}), 200)
    problem(eve.request("GET", "/v1/admin/me"), 401, "session_over")
    eve = signed_in(house, eve.name)
    problem(eve.request("POST", f"/v1/admin/operators/{eve.name}/password", {"password": "a quite other password", "current": "wrong wrong wrong"}), 403, "wrong_password")
    ok(eve.request("POST", f"/v1/admin/operators/{eve.name}/password", {"password": "a quite other password", "current": PASSWORD}), 200)
    problem(eve.request("GET", "/v1/admin/me"), 401, "session_over")
    problem(sign_in(house, eve.name), 401, "sign_in_refused")
    eve = signed_in(house, eve.name, "a quite other password")
    ok(eve.request("DELETE", "/v1/admin/sessions"), 200)
    problem(eve.request("GET", "/v1/admin/me"), 401, "session_over")
    eve = signed_in(house, eve.name, "a quite other password")
    ok(house.operator.request("DELETE", f"/v1/admin/operators/{eve.name}"), 200)
    problem(eve.request("GET", "/v1/admin/me"), 401, "session_over")
    problem(sign_in(house, eve.name, "a quite other password"), 401, "sign_in_refused")


def test_no_password_and_no_token_is_in_the_store_or_in_the_log(house):
    zoe = operator(house, "viewer", password="zoe's very own password")
    files = b"".join(p.read_bytes() for p in house.server.data.glob("shop.db*")) + house.server.stderr().encode()
    assert b"zoe's very own password" not in files and zoe.key.encode() not in files and b"$argon2id$" in files


def test_guessing_is_slowed_down(house):
    name = unique("victim")
    operator(house, "viewer", name=name)
    answers = [sign_in(house, name, "not the password", by=house.client("")).status for _ in range(8)]
    assert answers[:5] == [401] * 4 + [401] and set(answers[5:]) == {429}
    throttled = sign_in(house, name, PASSWORD, by=house.client(""))
    problem(throttled, 429, "sign_in_throttled")
    assert int(throttled.headers["retry-after"]) >= 1
    assert len(entries(house, "operator.signed_in.refused", name)) == 5


def test_names_that_are_not_there_answer_like_wrong_passwords(house):
    wrong = problem(sign_in(house, operator(house, "viewer").name, "not the password"), 401)
    nobody = problem(sign_in(house, unique("nobody")), 401)
    assert wrong == nobody


def second_factor(shop, who, step):
    begun = ok(who.request("POST", f"/v1/admin/operators/{who.name}/totp", {}), 201)
    assert begun["url"].startswith("otpauth://totp/Test%20market:" + who.name)
    confirmed = ok(who.request("POST", f"/v1/admin/operators/{who.name}/totp/confirm", {"code": totp(begun["secret"], step)}), 200)
    assert len(set(confirmed["recovery_codes"])) == 10
    return begun["secret"], confirmed["recovery_codes"]


def test_a_code_is_good_once_and_a_recovery_code_too(house):
    tom = operator(house, "viewer")
    step = step_now()
    secret, recovery = second_factor(house, tom, step)
    problem(sign_in(house, tom.name), 401, "second_factor_needed")
    problem(sign_in(house, tom.name, code=totp(secret, step)), 401, "sign_in_refused")  # was used to turn it on
    problem(sign_in(house, tom.name, code=totp(secret, step - 20)), 401, "sign_in_refused")
    fresh = signed_in(house, tom.name, code=totp(secret, step + 1))
    assert ok(fresh.request("GET", "/v1/admin/me"), 200)["second_factor"]
    signed_in(house, tom.name, code=recovery[0])
    problem(sign_in(house, tom.name, code=recovery[0]), 401, "sign_in_refused")
    signed_in(house, tom.name, code=recovery[1].lower())


def test_a_second_factor_is_begun_by_its_owner_and_taken_away_by_an_owner(house):
    ida, boss = operator(house, "viewer"), operator(house, "owner")
    problem(boss.request("POST", f"/v1/admin/operators/{ida.name}/totp", {}), 403, "not_yours")
    second_factor(house, ida, step_now())
    problem(ida.request("POST", f"/v1/admin/operators/{ida.name}/totp", {}), 409, "second_factor_on")
    ok(boss.request("DELETE", f"/v1/admin/operators/{ida.name}/totp"), 200)
    problem(ida.request("GET", "/v1/admin/me"), 401)
    signed_in(house, ida.name)
    assert [e["actor"] for e in entries(house, "operator.second_factor_off", ida.name)] == [boss.name]


def test_stops_keys_and_publishing_are_in_the_log_by_name(house):
    boss = operator(house, "owner")
    ok(boss.request("POST", "/v1/stops", {"campaign": "sale", "reason": "wrong price"}), 201)
    ok(boss.request("DELETE", "/v1/stops/sale"), 200)
    key = ok(boss.request("POST", "/v1/keys", {"kind": "pk", "label": "a till"}), 201)
    ok(boss.request("DELETE", f"/v1/keys/{key['id']}"), 200)
    (house.folder / "campaigns" / "new.lua").write_text(
        'local promo = require "feira.promo"\nreturn promo.campaign { id = "new", scope = promo.tag "new", give = promo.percent_off { percent = 1 } }\n'
    )
    live = ok(boss.request("POST", "/v1/generations", {}), 200)["generation"]
    done = [(e["action"], e["subject"]) for e in audit(house) if e["actor"] == boss.name and not e["action"].startswith("operator.")]
    assert done == [("stopped", "sale"), ("resumed", "sale"), ("key.made", key["id"]), ("key.revoked", key["id"]), ("published", live)]
    assert entries(house, "stopped", "sale")[0]["details"] == {"kind": "campaign", "reason": "wrong price"}


# --- the command line ------------------------------------------------------------------------------------------------------


def test_the_command_line_signs_in_and_acts_under_a_name(house, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    name = unique("carl")
    assert feira("operators", house.folder, "add", name, "--roles", "owner", input=PASSWORD + "\n").returncode == 0
    assert name in feira("operators", house.folder).stdout
    early = feira("operators", house.folder, "--as", name)
    assert early.returncode == 1 and "feira login" in early.stderr
    assert feira("login", house.folder, name, input="wrong wrong wrong\n").returncode == 1
    done = feira("login", house.folder, name, input=PASSWORD + "\n")
    assert done.returncode == 0 and f"--as {name}" in done.stdout
    [file] = (tmp_path / "feira" / "sessions").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    other = unique("dora")
    assert feira("operators", house.folder, "add", other, "--roles", "viewer,author", "--as", name, input="\n").returncode == 0
    assert [e["actor"] for e in entries(house, "operator.added", other)] == [name]
    shown = feira("audit", house.folder, "--limit", "1", "--as", name)
    assert other in shown.stdout and len(shown.stdout.splitlines()) == 1
    assert feira("logout", house.folder, name).returncode == 0
    assert feira("operators", house.folder, "--as", name).returncode == 1


def test_it_works_while_nobody_serves_the_shop(own_shop, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    s = own_shop()
    assert s.server.terminate() == 0
    assert feira("operators", s.folder, "add", "anna", "--roles", "owner", input=PASSWORD + "\n").returncode == 0
    assert feira("login", s.folder, "anna", input=PASSWORD + "\n").returncode == 0
    assert feira("operators", s.folder, "role", "anna", "--roles", "viewer", "--as", "anna").returncode == 0
    over = feira("operators", s.folder, "--as", "anna")
    assert over.returncode == 1 and "session" in over.stderr
    assert feira("doctor", s.folder).returncode == 0


# --- the chain --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def by_hand(shop):
    """The database, as somebody sees it who has the file and no scruples."""
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db:
        yield db
        db.commit()


def audit_finding(shop):
    run = feira("doctor", shop.folder, "--json")
    [found] = [f for f in json.loads(run.stdout)["findings"] if f["check"] == "audit"]
    return found


TAMPER = {
    "nothing": None,
    "removed": "DELETE FROM audit WHERE seq = 3",
    "removed and renumbered": "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3",
    "changed": "UPDATE audit SET entry = replace(entry, '\"actor\":\"', '\"actor\":\"not ') WHERE seq = 3",
    "its hash changed": "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3",
    "swapped": "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = -3",
    "the first removed": "DELETE FROM audit WHERE seq = 1",
    "cut off": "DELETE FROM audit WHERE seq >= 4",
    "emptied": "DELETE FROM audit",
    "added by hand": "INSERT INTO audit (seq, entry, hash) SELECT max(seq) + 1, '{}', zeroblob(32) FROM audit",
}


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A shop that is not served any more, with some entries; a copy of its database; and a head that was kept elsewhere."""
    with open_shop(tmp_path_factory.mktemp("logged")) as s:
        operator(s, "owner", name="anna")
        for _ in range(2):
            signed_in(s, "anna")
        head = feira("audit", s.folder, "--head").stdout
        assert s.server.terminate() == 0
        yield s, (s.server.data / "shop.db").read_bytes(), (s.server.data / "audit.head").read_bytes(), head


@pytest.mark.parametrize("how", TAMPER)
def test_a_log_that_was_touched_is_found(logged, how):
    shop, database, head_file, head = logged
    (shop.server.data / "shop.db").write_bytes(database)
    (shop.server.data / "audit.head").write_bytes(head_file)
    if TAMPER[how]:
        with by_hand(shop) as db:
            db.executescript(TAMPER[how])
    level = audit_finding(shop)["level"]
    compared = feira("audit", shop.folder, "--compare", "-", input=head)
    assert level == ("ok" if how == "nothing" else "error")
    assert compared.returncode == (0 if how == "nothing" else 1), compared


def test_a_cut_tail_is_found_by_a_head_kept_elsewhere_when_the_file_was_changed_too(logged):
    shop, database, _, head = logged
    (shop.server.data / "shop.db").write_bytes(database)
    with by_hand(shop) as db:
        db.execute("DELETE FROM audit WHERE seq >= 4")
    (shop.server.data / "audit.head").unlink()
    assert audit_finding(shop)["level"] == "warning"  # all that the folder still says
    assert "cut off" in feira("audit", shop.folder, "--compare", "-", input=head).stderr


def test_a_head_that_was_written_by_hand_is_not_believed(logged):
    shop, database, head_file, head = logged
    (shop.server.data / "shop.db").write_bytes(database)
    forged = head.replace("feira-audit ", "feira-audit 1", 1)
    assert feira("audit", shop.folder, "--compare", "-", input=forged).returncode == 1
    (shop.server.data / "audit.head").write_text(forged)
    assert audit_finding(shop)["level"] == "error"
    (shop.server.data / "audit.head").write_bytes(head_file)


def test_a_restore_is_in_the_log_with_what_it_took_out(own_shop, tmp_path):
    s = own_shop()
    operator(s, "owner", name="anna")
    assert feira("backup", s.folder, tmp_path / "copy.db").returncode == 0
    later = audit(s)[-1]["seq"]
    operator(s, "owner", name="bert")
    before = (s.server.data / "audit.head").read_text().strip()
    assert s.server.terminate() == 0
    assert feira("restore", s.folder, tmp_path / "copy.db").returncode == 0
    assert audit_finding(s)["level"] in ("ok", "warning")
    s.server.start()
    s.hang_up()
    restored = entries(s, "data.restored")[-1]
    assert restored["details"] == {"before": before} and restored["seq"] == later + 1
