"""scripts/replay-retail on a small piece of the data: that it passes, and that it notices what it must notice."""

import collections
import csv
import lzma
import subprocess

import pytest
from feira_tools import retail
from feira_tools.server import ROOT

MONTH = ROOT / "examples" / "giftware" / "data-source" / "online_retail_2011-04.csv.xz"


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """The invoices of the ten customers with the most cancellations, and the one that charges a tenth of a penny."""
    rows = list(retail.open_rows(MONTH))
    cancelled = collections.Counter(row["customer"] for row in rows if row["invoice"].startswith("C") and row["customer"])
    chosen = {customer for customer, _ in cancelled.most_common(10)}
    path = tmp_path_factory.mktemp("piece") / "piece.csv"
    with open(path, "w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row["customer"] in chosen or row["invoice"] == "550193")
    return path


def replay(*arguments):
    done = subprocess.run([str(ROOT / "scripts" / "replay-retail"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_a_piece_of_the_year_is_accepted_to_the_penny(piece):
    code, said = replay(piece)
    assert code == 0, said
    assert "550193" in said and "0.001" in said, "refused by name"
    refunds = next(line for line in said.splitlines() if line.startswith("refunds"))
    assert int(refunds.split()[1].replace(",", "")) > 3, said


def test_kills_change_nothing(piece):
    code, said = replay(piece, "--kill", 4)
    assert code == 0 and "killed           4 times" in said, said


@pytest.mark.parametrize("sabotage", ["drop", "double"])
def test_a_dropped_or_doubled_order_is_noticed(piece, sabotage):
    code, said = replay(piece, "--sabotage", sabotage)
    assert code == 1 and "DIFFERENCE" in said, said


def test_a_row_that_differs_between_the_databases_is_noticed(piece):
    code, said = replay(piece, "--kill", 1, "--sabotage", "row")
    assert code == 1 and "DIFFERENCE" in said, said


def test_a_file_that_was_changed_is_noticed(piece, tmp_path):
    changed = tmp_path / "online_retail_2011-04.csv.xz"
    text = lzma.open(MONTH, "rt", encoding="utf-8").read()
    changed.write_bytes(lzma.compress(text.replace(",2.55,", ",2.54,", 1).encode()))
    (tmp_path / "online_retail_2011-04.expected.json").write_bytes((MONTH.parent / "online_retail_2011-04.expected.json").read_bytes())
    answers, read = retail.expected_beside(changed), retail.read(changed)
    assert str(sum(i.value for i in read.invoices)) != answers["sale_amount"]


def test_the_month_holds_what_its_known_answers_say():
    answers, read = retail.expected_beside(MONTH), retail.read(MONTH)
    assert read.rows == answers["rows"] and len(read.invoices) == answers["orders"]
    assert sum(i.rows for i in read.invoices) == answers["sale_rows"] and str(sum(i.value for i in read.invoices)) == answers["sale_amount"]


def test_refunds_never_take_back_more_than_was_sold():
    read = retail.read(MONTH)
    sold = {(i.number, n): line.qty for i in read.invoices for n, line in enumerate(i.lines, 1)}
    for refund in read.refunds:
        for n, qty in refund.lines.items():
            sold[refund.order, n] -= qty
            assert sold[refund.order, n] >= 0
