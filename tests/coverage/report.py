#!/usr/bin/env python3
"""Tells how much of lib/ the tests reach, and that each line they do not reach is excused.

    report.py BUILD-DIR SOURCE-DIR [--least PERCENT] [--list]

BUILD-DIR was configured with --enable-coverage and its tests have run.  SOURCE-DIR/tests/coverage/excuses has, for a function
and a reason, the very lines that are not reached; a text that stands there twice excuses two lines:

    lib/net/tcp.c:set_options  untestable: needs a kernel without the option
        return -errno;
      ~ goto again;

The reasons are four: "out of memory" (an allocation of a library that tests cannot make fail, or one that only fails in the
middle of something else), "defensive" (what a caller or another library does not do), "untestable" (system calls that do not
fail on demand, other kernels and versions), "fallback" (for builds or systems that lack something).  A line behind "~" is
reached at times: by luck, or by the integration tests.

The status is 1 if the figure is below PERCENT, a line is not excused, or an excuse is of no use: its line was reached, and is
not one behind "~", or is not there.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys

REASONS = ("out of memory", "defensive", "untestable", "fallback")
HEAD = re.compile(r"(?P<file>lib/\S+\.[ch]):(?P<function>\w+)\s+(?P<reason>[a-z ]+?): (?P<why>.*\S)$")
LINE = re.compile(r" +(?P<mark>~ )?(?P<text>\S.*)$")


class Excuse:
    """A line that need not be reached: |at_times| if some runs do reach it."""

    def __init__(self, number, reason, text, at_times):
        self.number = number
        self.reason = reason
        self.text = text
        self.at_times = at_times


class Function:
    def __init__(self):
        self.lines = collections.Counter()

    def missed(self):
        return sorted(line for line, count in self.lines.items() if count == 0)


def measure(build, source):
    """(file, function) -> Function, of all objects of the library: those in the tests and the shared one."""
    functions = collections.defaultdict(Function)
    for directory, _, names in os.walk(build):
        notes = [name for name in names if name.endswith(".gcno") and "la-" in name]
        for start in range(0, len(notes), 40):
            batch = notes[start:start + 40]
            output = subprocess.run(["gcov", "-j", "-t", *batch], cwd=directory, capture_output=True, check=True).stdout
            for text in output.splitlines():
                add(json.loads(text), source, functions)
    return functions


def add(document, source, functions):
    for entry in document["files"]:
        path = os.path.relpath(os.path.join(document["current_working_directory"], entry["file"]), source)
        if not path.startswith("lib/"):
            continue
        for line in entry["lines"]:
            if "function_name" in line:
                functions[path, plain(line["function_name"])].lines[line["line_number"]] += line["count"]


def plain(name):
    """Without what the compiler adds to the names of parts and clones."""
    return name.split(".")[0]


def read_excuses(lines):
    """({(file, function): [Excuse]}, problems)"""
    excuses = collections.defaultdict(list)
    problems = []
    head = None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = HEAD.match(line)
        if match and match["reason"] in REASONS:
            head = match
            continue
        match = LINE.match(line)
        if not match or not head:
            problems.append("excuses:%d: not understood: %s" % (number, line))
            head = None
            continue
        excuses[head["file"], head["function"]].append(Excuse(number, head["reason"], match["text"], bool(match["mark"])))
    return excuses, problems


class Source:
    """The text of lines, without what is around it."""

    def __init__(self, root):
        self.root = root
        self.files = {}

    def text(self, path, line):
        if path not in self.files:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                self.files[path] = [text.strip() for text in file]
        lines = self.files[path]
        return lines[line - 1] if line <= len(lines) else ""


def judge(functions, excuses, text_of):
    """(the excuses that were needed, problems).  Excuses whose lines are always reached come first to be used up."""
    used = []
    problems = []
    for (path, name), function in sorted(functions.items()):
        left = sorted(excuses.get((path, name), []), key=lambda excuse: excuse.at_times)
        for line in function.missed():
            text = text_of(path, line)
            match = next((excuse for excuse in left if excuse.text == text), None)
            if match:
                left.remove(match)
                used.append(match)
            else:
                problems.append("%s:%d: %s: not reached, not excused: %s" % (path, line, name, text))
        there = collections.Counter(text_of(path, line) for line in function.lines)
        there.subtract(excuse.text for excuse in excuses.get((path, name), []))
        for excuse in left:
            if there[excuse.text] < 0:
                problems.append("excuses:%d: %s has no such line: %s" % (excuse.number, name, excuse.text))
            elif not excuse.at_times:
                problems.append("excuses:%d: %s: was reached: %s" % (excuse.number, name, excuse.text))
    for (path, name), listed in excuses.items():
        if (path, name) not in functions:
            problems.append("excuses:%d: there is no such function: %s:%s" % (listed[0].number, path, name))
    return used, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("--least", type=float, default=92)
    parser.add_argument("--list", action="store_true", help="all lines that were not reached, excused or not")
    options = parser.parse_args()
    source = Source(os.path.realpath(options.source))
    functions = measure(os.path.realpath(options.build), source.root)
    with open(os.path.join(source.root, "tests/coverage/excuses"), encoding="utf-8") as file:
        excuses, problems = read_excuses(file.read().splitlines())
    used, more = judge(functions, excuses, source.text)
    problems += more
    total = sum(len(function.lines) for function in functions.values())
    missed = [(path, line, name) for (path, name), function in sorted(functions.items()) for line in function.missed()]
    if options.list:
        for path, line, name in missed:
            print("%s:%d: %s: %s" % (path, line, name, source.text(path, line)))
    figure = 100 * (total - len(missed)) / total if total else 0
    if figure < options.least:
        problems.append("%.1f %% of lines, at least %.1f are wanted" % (figure, options.least))
    for problem in problems:
        print(problem)
    reasons = collections.Counter(excuse.reason for excuse in used)
    print("lib/: %.1f %% of %d lines are reached; %d are not (%s)"
          % (figure, total, len(missed), ", ".join("%s: %d" % (reason, reasons[reason]) for reason in REASONS)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
