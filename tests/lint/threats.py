#!/usr/bin/env python3
"""Checks that what docs/internals/threats.rst and tests/hostile/rows.py name is there: functions, tests, behaviours.

    threats.py SOURCE-DIR
"""

import fnmatch
import pathlib
import re
import sys


def functions_missing(root, text):
    """``lib/file.c: function``, or ``lib/file.c`` alone."""
    for path, function in re.findall(r"``((?:lib|pyext)/[\w/.]+\.(?:c|h|py))(?:: (\w+))?``", text):
        if not (root / path).is_file():
            yield f"there is no {path}"
        elif function and not re.search(rf"^\w[^;=]*\b{function}\(", (root / path).read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{path} has no {function}"


def tests_missing(root, text):
    """``unit/check_x.c::name``, ``integration/test_x.py::test_name``."""
    named = re.findall(r"``([\w/]+\.(?:c|py))::(\w+)``", text)
    for path, test in named + [tuple(name.split("::")) for row in rows(root).values() for name in row.tests]:
        file = root / "tests" / path
        pattern = rf"^START_TEST\({test}\)" if path.endswith(".c") else rf"^(?:async )?def {test}\("
        if not file.is_file() or not re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"there is no test {path}::{test}"


def rows(root):
    sys.path.insert(0, str(root / "tests"))
    from hostile.rows import ROWS

    return ROWS


def behaviours_missing(root, text):
    """``h2/name`` of the table that the tests make."""
    page = (root / "docs" / "internals" / "hostile.rst").read_text(encoding="utf-8").replace("\\", "")
    titles = {"HTTP/2": "h2", "HTTP/1.1": "h1"}
    known, family = set(), ""
    for title, name in re.findall(r"^(\S[^\n]*)\n-{3,}$|^   \* - (\S+)$", page, re.MULTILINE):
        family = titles.get(title, title.lower()) if title else family
        known.add(f"{family}/{name}")
    for pattern in re.findall(r"``([a-z0-9]+/[a-z0-9_*-]+)``", text):
        if not fnmatch.filter(known, pattern):
            yield f"there is no behaviour {pattern}"


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs" / "internals" / "threats.rst").read_text(encoding="utf-8")
    problems = [*functions_missing(root, text), *tests_missing(root, text), *behaviours_missing(root, text)]
    for problem in problems:
        print(f"threats: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
