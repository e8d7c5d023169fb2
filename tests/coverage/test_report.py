"""The report on coverage fails for a line that nobody excuses, and for an excuse that is of no use."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402

TEXTS = {1: "int rv = open();", 2: "if (rv < 0)", 3: "return rv;", 4: "again();", 5: "return rv;"}
HEAD = "lib/a.c:f  untestable: does not fail on demand"


def judge(missed, *lines):
    function = report.Function()
    for line in TEXTS:
        function.lines[line] = 0 if line in missed else 1
    excuses, problems = report.read_excuses(lines)
    used, more = report.judge({("lib/a.c", "f"): function}, excuses, lambda path, line: TEXTS[line])
    return len(used), problems + more


def test_all_is_reached():
    assert judge([]) == (0, [])


def test_a_line_without_an_excuse():
    assert judge([4]) == (0, ["lib/a.c:4: f: not reached, not excused: again();"])


def test_a_line_with_an_excuse():
    assert judge([4], "# why", "", HEAD, "    again();") == (1, [])


def test_an_excuse_is_for_one_line():
    used, problems = judge([3, 5], HEAD, "    return rv;")
    assert used == 1
    assert problems == ["lib/a.c:5: f: not reached, not excused: return rv;"]
    assert judge([3, 5], HEAD, "    return rv;", "    return rv;") == (2, [])


@pytest.mark.parametrize("text, problem", [
    ("again();", "excuses:2: f: was reached: again();"),
    ("never();", "excuses:2: f has no such line: never();"),
])
def test_an_excuse_of_no_use(text, problem):
    assert judge([], HEAD, "    " + text) == (0, [problem])


def test_what_is_reached_at_times():
    assert judge([], HEAD, "  ~ again();") == (0, [])
    assert judge([4], HEAD, "  ~ again();") == (1, [])
    assert judge([], HEAD, "  ~ never();") == (0, ["excuses:2: f has no such line: never();"])


def test_a_line_that_is_never_reached_is_excused_first():
    assert judge([3], HEAD, "  ~ return rv;", "    return rv;") == (1, [])


def test_more_excuses_than_lines():
    used, problems = judge([4], HEAD, "    again();", "  ~ again();")
    assert used == 1
    assert problems == ["excuses:3: f has no such line: again();"]


def test_a_function_that_is_gone():
    problem = "excuses:2: there is no such function: lib/a.c:g"
    assert judge([], HEAD.replace(":f", ":g"), "    again();") == (0, [problem])


@pytest.mark.parametrize("line", [
    "lib/a.c:f  unlikely: it does not happen",
    "lib/a.c:f  untestable",
    "    a line of no function",
])
def test_what_is_not_understood(line):
    assert judge([], line) == (0, ["excuses:1: not understood: " + line])
