"""The table of tests/hostile: made of the records that a run has left, and held against the page.

    table.py RECORDS-DIR BUILD-DIR [--write]

Writes BUILD-DIR/hostile-table.rst and .json. Fails where a row of rows.py has no proof, a proof is
not there, a case is named by no row or was not played before all its users, or where the page in
docs/internals is another one; --write makes it this one.
"""

import fnmatch
import json
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "internals" / "hostile.rst"
sys.path.insert(0, str(TESTS))

from hostile.cases import CASES  # noqa: E402
from hostile.rows import ROWS  # noqa: E402

FAMILIES = {
    "h2": "HTTP/2",
    "h1": "HTTP/1.1",
    "tls": "TLS",
    "proxy": "Proxy",
    "names": "Names",
    "redirect": "Redirect",
    "cookies": "Cookies",
}

INTRODUCTION = """\
Hostile peers
=============

Every behaviour that ``tests/hostile`` plays, and what users got of it: made by the tests (``tests/hostile/table.py --write``), which
fail when anything here is different. *C* is the error code of the exchange without ``RQX_ERR_``, or the status; *Python* the exception,
from threads and from asyncio alike. *Beside it* are requests on the same connection (HTTP/1.1: to the same host), *the next request* was
served by the same connection or a new one. Requests to other hosts were under way each time; all of them finished. No exchange ended
twice, and no stream, window credit or descriptor was left behind. The rules are sections of RFC 9113 unless they say otherwise.
"""


def records(directory):
    """{case key: {user: record}}"""
    found = {}
    for path in sorted(Path(directory).glob("*.json")):
        record = json.loads(path.read_text())
        found.setdefault(f"{record['family']}/{record['name']}", {})[record["user"]] = record
    return found


def cases_of(row):
    return [key for key in CASES if any(fnmatch.fnmatchcase(key, pattern) for pattern in row.cases)]


def rows_of(key):
    return [row.key for row in ROWS.values() if key in cases_of(row)]


# ---- checks


def check_test(name):
    """A test that is named is there, and is run: in C it has to be added to a case of a program that is built."""
    file, _, test = name.partition("::")
    path = TESTS / file
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".c":
        return file.split("/")[-1].startswith("test_") and _has(rf"^(async )?def {test}\(", text)
    is_added = len(re.findall(rf"\b{test}\b", text)) > 1
    return _has(rf"^START_TEST\({test}\)", text) and is_added and _is_built(f"tests/{file[:-2]}")


def _has(pattern, text):
    return re.search(pattern, text, re.MULTILINE) is not None


def _is_built(program):
    lists = (path.read_text(encoding="utf-8") for path in TESTS.rglob("*.am"))
    return any(re.search(rf"(?<!\S){re.escape(program)}(?!\S)", text) for text in lists)


def check_rows():
    problems = []
    for row in ROWS.values():
        if not row.cases and not row.tests:
            problems.append(f"row {row.key} has no proof")
        for pattern in row.cases:
            if not any(fnmatch.fnmatchcase(key, pattern) for key in CASES):
                problems.append(f"row {row.key}: there is no case {pattern}")
        problems += [f"row {row.key}: there is no test {name}" for name in row.tests if not check_test(name)]
    problems += [f"case {key} is named by no row" for key in CASES if not rows_of(key)]
    return problems


def check_records(played):
    problems = []
    for key, case in CASES.items():
        missing = [user for user in case.users if user not in played.get(key, {})]
        problems += [f"{key} was not played before {user}" for user in missing]
    for key, users in played.items():
        problems += [f"{key} ({user}): {text}" for user, record in users.items() for text in record["problems"]]
    return problems


# ---- the page


def _cell(text):
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("`", "\\`").replace("|", "\\|").replace("_", "\\_")


def _line(key, users):
    """Threads and asyncio have been held against the same expectation: one cell tells of both."""
    case, python = CASES[key], users.get("sync") or users.get("asyncio")
    shown = users.get("c") or python
    said = case.doc if len(case.doc) <= 160 else case.doc[:157] + "..."
    return [
        case.name,
        said + (f" ({case.rule})" if case.rule and case.rule not in said else ""),
        users["c"]["outcome"] if "c" in users else "",
        python["outcome"] if python else "",
        ", ".join({"200": "finished"}.get(outcome, outcome) for outcome in shown["beside"]),
        {"200": "served"}.get(shown["after"], shown["after"]),
        ", ".join(rows_of(key)),
    ]


def _table(headings, lines, widths):
    text = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for line in [headings, *lines]:
        for index, cell in enumerate(line):
            text.append(f"   {'* ' if index == 0 else '  '}- {_cell(cell)}".rstrip())
    return text


def page(played):
    text = [INTRODUCTION]
    for family, title in FAMILIES.items():
        keys = [key for key in CASES if CASES[key].family == family and key in played]
        text += [title, "-" * len(title), ""]
        headings = ["Behaviour", "What it is", "C", "Python", "Beside it", "The next request", "Rows"]
        text += _table(headings, [_line(key, played[key]) for key in keys], "12 30 12 14 12 8 14")
        text.append("")
    text += _rows()
    return "\n".join(text).rstrip() + "\n"


def _rows():
    text = ["Rows", "----", "", "What there is to cope with, and what proves that it is.", ""]
    for part in dict.fromkeys(row.part for row in ROWS.values()):
        text += [part, "~" * len(part), ""]
        lines = [
            [row.key, row.text, " ".join(row.cases), " ".join(row.tests)] for row in ROWS.values() if row.part == part
        ]
        text += _table(["Row", "What it is", "Behaviours", "Other tests"], lines, "12 34 24 30") + [""]
    return text


def main():
    played = records(sys.argv[1])
    problems = check_rows() + check_records(played)
    complete = all(set(CASES[key].users) <= set(played.get(key, {})) for key in CASES)
    if complete:
        text = page(played)
        build = Path(sys.argv[2])
        (build / "hostile-table.rst").write_text(text, encoding="utf-8")
        (build / "hostile-table.json").write_text(json.dumps(played, indent=1, sort_keys=True), encoding="utf-8")
        if "--write" in sys.argv:
            PAGE.write_text(text, encoding="utf-8")
        elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            problems.append(f"{PAGE.name} is not what was played: tests/hostile/table.py ... --write")
    for problem in problems:
        print(f"hostile: {problem}")
    print(f"hostile: {len(CASES)} behaviours, {sum(map(len, played.values()))} scenes, {len(ROWS)} rows")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
