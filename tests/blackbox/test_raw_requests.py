"""The raw requests of tests/http against the whole program, not only its HTTP layer."""

import os
import pathlib
import subprocess

import pytest
from feira_tools.server import ROOT
from market import ok

OWN = sorted((ROOT / "tests" / "http").glob("*.jsonl"))
SHARED = pathlib.Path(os.environ.get("FEIRA_SHARED", ROOT.parent / "shared")) / "cases" / "http-requests.jsonl"


@pytest.mark.parametrize("file", [*OWN, *([SHARED] if SHARED.exists() else [])], ids=lambda path: path.name)
def test_no_raw_request_gets_past_the_strict_layer(shop, file):
    url = f"http://127.0.0.1:{shop.server.port}"
    done = subprocess.run([str(ROOT / "tests" / "http" / "run"), str(file), "--url", url], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    ok(shop.client("").request("GET", "/healthz"), 200)
