"""Runs every unit test of a build folder under valgrind: valgrind.py BUILD_DIR. Ends with "N passed, M failed"."""

import concurrent.futures
import json
import os
import subprocess
import sys

TIMEOUT_SECONDS = 600


def tests(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True, text=True).stdout
    for test in json.loads(listing)["tests"]:
        # Runners of case files start programs of their own, and attacks are about time, which valgrind stretches.
        if not test["name"].endswith("_test"):
            continue
        command = test.get("command")
        if not command:
            yield test["name"], None, "."
            continue
        folder = next((p["value"] for p in test["properties"] if p["name"] == "WORKING_DIRECTORY"), ".")
        yield test["name"], command, folder


def run(test):
    name, command, folder = test
    if not command:
        return name, "was not built"
    # Random trials are counted in thousands elsewhere; here each takes fifty times as long.
    fewer = {**os.environ, "FEIRA_POWER_CUTS": "60", "FEIRA_QUOTE_MODEL_ROUNDS": "150", "FEIRA_MALLOC_REPLACED": "1"}
    valgrind = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible", "--fair-sched=yes", "--max-stackframe=16000000"]
    try:
        done = subprocess.run([*valgrind, *command], cwd=folder, env=fewer, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return name, f"not done after {TIMEOUT_SECONDS} s"
    return name, "" if done.returncode == 0 else f"exit {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"


def main():
    found = list(tests(sys.argv[1]))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, trouble in pool.map(run, found):
            if trouble:
                failed += 1
                print(f"{name}: {trouble}")
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
