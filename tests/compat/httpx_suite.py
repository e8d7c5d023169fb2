#!/usr/bin/env python3
"""Runs httpx 0.28.1's own tests against requestx, and fails where they do, but for what httpx_exceptions.txt names.

    httpx_suite.py BUILD-DIR

BUILD-DIR/pyext/stage is the package under test, or RQX_STAGE.  The tests come from httpx's source package on PyPI; they and the environment that they
need are kept in BUILD-DIR.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys

import sources

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "0.28.1"
# The agent's and the logger's names are ours.
REBRAND = ("python-httpx/=python-requestx/", '"httpx",="requestx",')
# Groups of run_httpx_suite.py that must pass; "private" and "httpcore" look inside httpx.
GROUPS = ("public", "identity", "cli", "shimmed", "trio")
# Fewer than these would mean that the suite was not really run.
LEAST = {"public": 600, "identity": 10, "cli": 10, "shimmed": 500, "trio": 100}


def exceptions():
    lines = (HERE / "httpx_exceptions.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if line and not line.startswith("#"))


def judge(results):
    """Gives the problems found, and how many tests passed."""
    counts = collections.Counter()
    excused = exceptions()
    needed = set()
    problems = []
    for test, result in sorted(results.items()):
        if result["group"] not in GROUPS:
            continue
        base = test.split("[")[0]
        if result["outcome"] == "passed":
            counts[result["group"]] += 1
            if base in excused:
                problems.append(f"{test} passes: take it off the list")
        elif result["outcome"] != "skipped" and base not in excused:
            problems.append(f"{result['group']} {result['outcome']} {test}: {result['message'][:300]}")
        if base in excused:
            needed.add(base)
    problems += [f"there is no test {test}: take it off the list" for test in sorted(excused.keys() - needed)]
    for group, least in LEAST.items():
        if counts[group] < least:
            problems.append(f"only {counts[group]} tests of group {group} passed; at least {least} are known")
    return problems, counts


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    stage = pathlib.Path(os.environ.get("RQX_STAGE", build / "pyext/stage"))
    python = sources.make_venv(build / "venv-httpx", "requirements-httpx.txt")
    report = build / "httpx-suite.json"
    report.unlink(missing_ok=True)
    source = sources.unpack(python, "httpx", VERSION, build)
    command = [python, HERE / "run_httpx_suite.py", source, "-P", "requestx", "--path", stage]
    command += ["--shim", "--backend", "both", "--json", report]
    for pair in REBRAND:
        command += ["--rebrand", pair]
    subprocess.run([str(part) for part in command], check=False)
    problems, counts = judge(json.loads(report.read_text(encoding="utf-8"))["results"])
    for problem in problems:
        print(problem)
    print(", ".join(f"{group} {counts[group]}" for group in GROUPS))
    print(f"{sum(counts.values())} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
