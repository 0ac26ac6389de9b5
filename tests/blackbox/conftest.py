"""Black-box tests: the real program, started on a folder of its own, spoken to over HTTP and the command line.
FEIRA_BUILD names the build folder (default build/release)."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import market  # noqa: E402


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """One shop for all tests that do not need one of their own; they keep apart by making their own products and customers."""
    with market.open_shop(tmp_path_factory.mktemp("shop")) as s:
        yield s


@pytest.fixture(autouse=True)
def no_connection_outlives_its_test(request):
    """The shared shop would gather hundreds of open connections; a client that is used again connects again."""
    used = request.getfixturevalue("shop") if "shop" in request.fixturenames else None
    yield
    if used:
        used.hang_up()


@pytest.fixture
def own_shop(tmp_path):
    """A function that opens a shop of the test's own: own_shop(settings={...}, campaigns={...}). Closed at the end."""
    opened = []

    def make(**options):
        folder = tmp_path / f"shop{len(opened)}"
        folder.mkdir()
        s = market.open_shop(folder, **options)
        opened.append(s)
        return s

    yield make
    for s in opened:
        s.close()
