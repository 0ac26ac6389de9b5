"""A store that is damaged, somebody else's, of a newer major, or not to be written is refused at the start: with one sentence that says what to do, and
nothing is changed."""

import contextlib
import os
import shutil
import sqlite3
import subprocess

import pytest
from feira_tools.server import ServerError, program
from market import Shop, feira, ok, open_shop

PAGE = 4096


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a shop that was stopped; tests take copies."""
    folder = tmp_path_factory.mktemp("stopped")
    with open_shop(folder) as shop:
        sku = shop.product(stock=50)
        for _ in range(5):
            shop.place({sku: 1})
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """That of another shop, whose last commits are in the log."""
    folder = tmp_path_factory.mktemp("killed")
    shop = open_shop(folder)
    sku = shop.product(stock=50)
    for _ in range(30):
        shop.place({sku: 1})
    shop.hang_up()
    shop.server.kill()
    return folder


def copy_of(folder, tmp_path):
    copy = tmp_path / "shop"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("feira.sock"))
    return copy


def why_not(folder, **server):
    """What the program says when it refuses to start; the test fails when it does start."""
    shop = Shop(folder, **server)
    try:
        shop.server.start()
    except ServerError as e:
        said = str(e).split("feira: ", 1)[1].strip()
        assert "\n" not in said, said
        return said
    shop.server.kill()
    pytest.fail("it was served")


def set_pragma(text):
    def do(path):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA " + text)

    return do


def zero_page(number):
    def do(path):
        data = bytearray(path.read_bytes())
        data[(number - 1) * PAGE : number * PAGE] = bytes(PAGE)
        path.write_bytes(data)

    return do


@pytest.mark.parametrize(
    "damage, says, advises",
    [
        (lambda p: p.write_text("not a database\n" * 1000), "no database", "move the file away"),
        (lambda p: os.truncate(p, p.stat().st_size // 2), "damaged", "restore a backup"),
        (lambda p: os.truncate(p, p.stat().st_size - 100), "damaged", "restore a backup"),
        (zero_page(1), "no database, or its beginning is damaged", "feira restore"),
        (zero_page(4), "damaged", "feira restore"),
        (zero_page(20), "damaged", "feira restore"),
        (set_pragma("application_id = 7"), "belongs to another program", "name another folder"),
        (set_pragma("user_version = 2001"), "newer major version", "start that version"),
        (set_pragma("user_version = 7"), "a version that Feira never wrote", "restore a backup"),
        (lambda p: (p.unlink(), p.mkdir()), "is a folder", "move it away"),
    ],
)
def test_a_file_that_is_damaged_or_not_ours_is_refused_and_left_alone(stopped, tmp_path, damage, says, advises):
    folder = copy_of(stopped, tmp_path)
    path = folder / "data" / "shop.db"
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    said = why_not(folder)
    assert says in said and advises in said and str(path) in said, said
    assert before is None or path.read_bytes() == before
    out = feira("status", folder)
    assert out.returncode == 1 and says in out.stderr


def test_the_log_of_another_shop_is_not_replayed(stopped, killed, tmp_path):
    folder = copy_of(stopped, tmp_path)
    path = folder / "data" / "shop.db"
    before = path.read_bytes()
    shutil.copy(killed / "data" / "shop.db-wal", str(path) + "-wal")
    said = why_not(folder)
    assert "shop.db-wal is not the log of the database beside it" in said and "Move it aside" in said, said
    assert path.read_bytes() == before
    (folder / "data" / "shop.db-wal").unlink()
    with Shop(folder) as shop:
        shop.server.start()
        assert len(ok(shop.operator.request("GET", "/v1/orders"), 200)["items"]) == 5


def test_a_database_that_was_replaced_under_its_log_is_not_served(stopped, killed, tmp_path):
    folder = copy_of(killed, tmp_path)
    path = folder / "data" / "shop.db"
    own = path.read_bytes()
    shutil.copy(stopped / "data" / "shop.db", path)
    assert "the file was replaced" in why_not(folder)
    path.write_bytes(own)
    with Shop(folder) as shop:
        shop.server.start()
        assert len(ok(shop.operator.request("GET", "/v1/orders?limit=100"), 200)["items"]) == 30


def test_what_says_nothing_of_the_log_seals_nothing(killed, tmp_path):
    folder = copy_of(killed, tmp_path)
    (folder / "data" / "shop.db-seal").write_bytes(b"torn")
    with Shop(folder) as shop:
        shop.server.start()
        assert len(ok(shop.operator.request("GET", "/v1/orders?limit=100"), 200)["items"]) == 30


def test_a_file_with_more_migrations_of_this_major_is_opened(stopped, tmp_path):
    folder = copy_of(stopped, tmp_path)
    set_pragma("user_version = 1900")(folder / "data" / "shop.db")
    with Shop(folder) as shop:
        shop.server.start()
        out = feira("doctor", folder)
        assert out.returncode == 0 and "A newer program was here" in out.stdout, out.stdout


def test_a_disk_that_is_mounted_read_only_is_refused(stopped, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk can't be mounted here")
    try:
        folder = copy_of(stopped, disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        said = why_not(folder)
        assert "mounted read-only" in said and "--data" in said, said
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("readable", [False, True])
def test_a_folder_of_another_user_is_refused_with_both_names(stopped, tmp_path, readable):
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can be somebody else")
    folder = copy_of(stopped, tmp_path)
    places = [program().parent, folder, *folder.parents, *program().parents]
    if subprocess.run([*as_nobody, str(program()), "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"nobody can't reach {places[0]}")
    for place in [folder, *folder.parents]:
        if place.stat().st_uid == 0 and "pytest" in str(place):
            place.chmod(0o755)
    if readable:
        (folder / "data").chmod(0o755)
        for file in (folder / "data").iterdir():
            file.chmod(0o644)
    said = why_not(folder, wrap=as_nobody)
    assert "belongs to root, and this process runs as nobody" in said and "chown" in said, said
