"""runtime/rulebook/SHOP.md says what shop.lua may say: each example is a whole file that passes, and no setting is left out."""

import re
from pathlib import Path

import pytest
from market import feira

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "runtime/rulebook/SHOP.md").read_text()
BLOCKS = re.findall(r"```lua\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_is_a_shop(tmp_path, block):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "shop.lua").write_text(block)
    out = feira("check", tmp_path)
    assert out.returncode == 0, out.stdout + out.stderr


def test_every_setting_is_described(tmp_path):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "shop.lua").write_text('return { name = "x", currency = "EUR", qqqqqqqqqqqq = 1 }')
    out = feira("check", tmp_path)
    named = re.search(r"the settings of a shop are (.*)", out.stdout + out.stderr, re.S)
    assert out.returncode == 3 and named, out.stdout + out.stderr
    settings = re.findall(r"[a-z_]+", named.group(1).split("\n\n")[0].split("\n   ")[0].replace(" and ", " "))
    assert {"name", "currency", "tax", "plugins"} <= set(settings)
    for setting in settings:
        assert any(re.search(rf"\b{setting} = ", block) for block in BLOCKS), f"{setting} is in no example"
