"""Plugins and shops that come with the program pass their own checks and specs."""

import pytest
from feira_tools.server import ROOT
from market import feira

PLUGINS = sorted(p.parent for p in (ROOT / "plugins").glob("*/plugin.lua"))
EXAMPLES = sorted(p.parent for p in (ROOT / "examples").glob("*/shop.lua"))


def passes_its_check(folder):
    answer = feira("check", folder)
    assert answer.returncode == 0 and " 0 errors, 0 warnings" in answer.stdout, answer


def passes_its_specs(folder):
    answer = feira("test", "--tap", folder, timeout=300)
    assert answer.returncode == 0 and "\nok 1 " in answer.stdout and ", 0 failed" in answer.stdout, answer.stdout


def test_there_are_some():
    assert len(PLUGINS) >= 2 and len(EXAMPLES) >= 2


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda p: p.name)
def test_a_plugin_passes_its_check_and_has_specs_that_pass(plugin):
    passes_its_check(plugin)
    passes_its_specs(plugin)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_an_example_passes_its_check_and_its_specs_if_it_has_any(example):
    passes_its_check(example)
    if (example / "test").is_dir():
        passes_its_specs(example)
