#!/usr/bin/env python3
"""Runs the tests of libraries on httpx with requestx in its place, and fails where they do, but for what
third_party_exceptions.txt names.

    run_third_party.py BUILD-DIR [LIBRARY...]

BUILD-DIR/pyext/stage is the package under test, or RQX_STAGE.  The libraries and their tests come from their source packages on PyPI;
these and the environment that they need are kept in BUILD-DIR.  The libraries are run as they are.  In their tests, the
agent's and the package's names are replaced where httpx's are looked for in a text.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import sources

HERE = pathlib.Path(__file__).resolve().parent


class Library:
    def __init__(self, name, version, source, plugin=None, rebrand=(), least=0):
        self.name = name
        self.version = version
        self.source = source  # where its package is
        self.plugin = plugin
        self.rebrand = rebrand
        self.least = least  # fewer tests would mean that they were not really run


LIBRARIES = (
    Library("httpx-sse", "0.4.3", "src", least=59),
    Library(
        "pytest-httpx", "0.36.2", ".", plugin="pytest_httpx", least=290,
        rebrand=(("python-httpx/", "python-requestx/"), ("*httpx.TimeoutException:", "*requestx.TimeoutException:")),
    ),
)  # fmt: skip


def unpack(build, python, library):
    """The library's folder, with its tests as they are to be run."""
    shutil.rmtree(build / f"{library.name.replace('-', '_')}-{library.version}", ignore_errors=True)
    folder = sources.unpack(python, library.name, library.version, build)
    for path in (folder / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for old, new in library.rebrand:
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder


def run_tests(build, stage, python, library, folder):
    report = build / f"{library.name}.xml"
    report.unlink(missing_ok=True)
    places = (HERE / "stand_in", stage, folder / library.source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "pytest", "-q", "-o", "addopts=", "-o", "asyncio_default_fixture_loop_scope=function"]
    command += ["-o", "junit_family=xunit1", "-p", "no:cacheprovider", "-W", "error::pytest.PytestUnraisableExceptionWarning"]
    command += ["-p", library.plugin] if library.plugin else []
    command += ["--tb=short", f"--junit-xml={report}", "tests"]
    subprocess.run([str(part) for part in command], cwd=folder, env=environment, check=False)
    return xml.etree.ElementTree.parse(report).getroot()


def outcomes(root):
    """(id, what became of it, what it said) for each test."""
    found = {}
    for case in root.iter("testcase"):
        name = f"{case.get('file')}::{case.get('name')}"
        bad = [part for part in case if part.tag in ("failure", "error")]
        skipped = any(part.tag == "skipped" for part in case)
        if bad or name not in found:
            message = bad[0].get("message") if bad else ""
            found[name] = ("failed" if bad else "skipped" if skipped else "passed", message)
    return found


def exceptions(library):
    lines = (HERE / "third_party_exceptions.txt").read_text(encoding="utf-8").splitlines()
    start = f"{library.name} "
    return {line.removeprefix(start).split("\t", 1)[0] for line in lines if line.startswith(start)}


def judge(library, found):
    """Gives the problems."""
    excused = exceptions(library)
    problems = [f"{library.name} has no test {name}: take it off the list" for name in sorted(excused - found.keys())]
    for name, (outcome, message) in sorted(found.items()):
        if outcome == "failed" and name not in excused:
            problems.append(f"{library.name} {name}: {message[:300]}")
        elif outcome == "passed" and name in excused:
            problems.append(f"{library.name} {name} passes: take it off the list")
    passed = sum(outcome == "passed" for outcome, _ in found.values())
    if passed < library.least:
        problems.append(f"only {passed} tests of {library.name} passed; at least {library.least} are known")
    return problems


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    stage = pathlib.Path(os.environ.get("RQX_STAGE", build / "pyext/stage"))
    python = sources.make_venv(build / "venv-third-party", "requirements-third-party.txt")
    problems, counts = [], collections.Counter()
    for library in LIBRARIES:
        if sys.argv[2:] and library.name not in sys.argv[2:]:
            continue
        found = outcomes(run_tests(build, stage, python, library, unpack(build, python, library)))
        here = collections.Counter(outcome for outcome, _ in found.values())
        print(f"{library.name} {library.version}: " + ", ".join(f"{here[what]} {what}" for what in sorted(here)))
        problems += judge(library, found)
        counts.update(here)
    for problem in problems:
        print(problem)
    print(f"{counts['passed']} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
