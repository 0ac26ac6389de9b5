"""The command line."""

import json
import re

import pytest
from market import Shop, feira, ok, write_shop

COMMANDS = ("serve", "import", "keys", "quote", "status", "new", "check", "test", "repl", "help", "version")


def test_version_is_one_line():
    done = feira("version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout)


def test_help_names_every_command_and_the_exit_codes():
    done = feira("help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout
        one = feira("help", command)
        assert one.returncode == 0 and command in one.stdout
    assert "exit" in done.stdout.lower()


@pytest.mark.parametrize("arguments", [[], ["sing"], ["serve"], ["serve", "a", "b"], ["serve", "a", "--loud"], ["serve", "a", "--listen"], ["serve", "a", "--listen", "here"], ["serve", "a", "--workers", "0"], ["serve", "a", "--workers", "many"], ["import", "a"], ["quote", "a"]])
def test_a_wrong_command_line_is_explained(tmp_path, arguments):
    shop = write_shop(tmp_path)
    done = feira(*[str(shop) if a == "a" else a for a in arguments])
    assert done.returncode == 2, done
    said = done.stderr + done.stdout
    assert said.strip() and len(said) < 4000 and "listening" not in said


@pytest.fixture(params=["served", "not served"])
def shop(request, tmp_path):
    """The shop has two products; the commands must do the same whether it is being served or not."""
    s = Shop(write_shop(tmp_path))
    file = tmp_path / "c.csv"
    file.write_text("sku,title,category,tags,price,stock\nA,Aye,tea,sale,10.00,5\nB,Bee,tea,,2.50,5\n")
    assert feira("import", s.folder, file).returncode == 0
    if request.param == "served":
        s.server.start()
    yield s
    s.close()


def test_quote_needs_no_server(shop, tmp_path):
    cart = tmp_path / "cart.json"
    cart.write_text(json.dumps({"lines": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 1}]}))
    done = feira("quote", shop.folder, cart)
    assert done.returncode == 0, done
    assert "20.50" in done.stdout or '"total":2050' in done.stdout.replace(" ", ""), done.stdout
    cart.write_text(json.dumps({"lines": [{"sku": "NOPE", "qty": 2}]}))
    done = feira("quote", shop.folder, cart)
    assert done.returncode != 0 and "/lines/0/sku" in done.stderr + done.stdout or "NOPE" in done.stderr
    cart.write_text("{")
    done = feira("quote", shop.folder, cart)
    assert done.returncode != 0 and done.stderr.strip()


def test_keys_are_listed_made_and_revoked(shop):
    made = feira("keys", shop.folder, "--new", "sk", "--label", "the till", "--scopes", "orders:read,orders:write")
    assert made.returncode == 0, made
    key = re.search(r"sk_\S+", made.stdout).group()
    listed = feira("keys", shop.folder)
    assert listed.returncode == 0 and "the till" in listed.stdout and key not in listed.stdout
    identity = next(re.search(r"key_\S+", line).group() for line in listed.stdout.splitlines() if "the till" in line)
    running = shop.server.process is not None
    if running:
        ok(shop.client(key).request("GET", "/v1/orders"), 200)
    gone = feira("keys", shop.folder, "--revoke", identity)
    assert gone.returncode == 0, gone
    if running:
        assert shop.client(key).request("GET", "/v1/orders").status == 401
    assert feira("keys", shop.folder, "--revoke", "key_nothing").returncode != 0
    assert feira("keys", shop.folder, "--new", "sk", "--label", "x", "--scopes", "everything").returncode != 0


def test_status_is_one_screen(shop):
    done = feira("status", shop.folder)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert 3 < len(lines) <= 50 and max(map(len, lines)) < 160
    assert "g_" in done.stdout
