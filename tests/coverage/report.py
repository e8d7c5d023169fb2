#!/usr/bin/env python3
"""Tells how much of lib/ the tests reach, and that each line they do not reach is excused.

    report.py BUILD-DIR SOURCE-DIR [--least PERCENT] [--list]

BUILD-DIR was configured with --enable-coverage and its tests have run.  Each line of a file of excuses, SOURCE-DIR/tests/
coverage/excuses, names a function, why lines of it are not reached, and how many at most:

    lib/net/tcp.c:set_options  2  untestable: needs a kernel without the option

The reasons are four: "out of memory" (an allocation of a library that tests cannot make fail, or one that only fails in the
middle of something else), "defensive" (what a caller or another library does not do), "untestable" (system calls that do not
fail on demand, other kernels and versions), "fallback" (for builds or systems that lack something).  The status is 1 if the
figure is below PERCENT, a line is not excused, or an excuse is for a function that is not there.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys

REASONS = ("out of memory", "defensive", "untestable", "fallback")
ENTRY = re.compile(r"(?P<file>lib/\S+\.[ch]):(?P<function>\w+)\s+(?P<count>\d+)\s+(?P<reason>[a-z ]+?)(?::\s*(?P<why>.*))?$")


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


def read_excuses(path):
    excuses = {}
    problems = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = ENTRY.match(line)
            if not match or match["reason"] not in REASONS:
                problems.append("excuses:%d: not understood: %s" % (number, line))
                continue
            key = match["file"], match["function"]
            excuses[key] = excuses.get(key, 0) + int(match["count"])
    return excuses, problems


def show(source, path, line):
    with open(os.path.join(source, path), encoding="utf-8") as file:
        lines = file.read().splitlines()
    return lines[line - 1].strip() if line <= len(lines) else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("--least", type=float, default=92)
    parser.add_argument("--list", action="store_true", help="all lines that were not reached, excused or not")
    options = parser.parse_args()
    source = os.path.realpath(options.source)
    functions = measure(os.path.realpath(options.build), source)
    excuses, problems = read_excuses(os.path.join(source, "tests/coverage/excuses"))
    total = sum(len(function.lines) for function in functions.values())
    missed = 0
    for (path, name), function in sorted(functions.items()):
        lines = function.missed()
        missed += len(lines)
        allowed = excuses.pop((path, name), 0)
        if options.list or len(lines) > allowed:
            for line in lines:
                print("%s:%d: %s: %s" % (path, line, name, show(source, path, line)))
        if len(lines) > allowed:
            problems.append("%s:%s: %d lines are not reached, %d are excused" % (path, name, len(lines), allowed))
        elif allowed and not lines:
            print("%s:%s: excused, but all of it was reached this time" % (path, name))
    problems += ["%s:%s: excused, but there is no such function" % key for key in excuses]
    figure = 100 * (total - missed) / total if total else 0
    if figure < options.least:
        problems.append("%.1f %% of lines, at least %.1f are wanted" % (figure, options.least))
    for problem in problems:
        print(problem)
    print("lib/: %.1f %% of %d lines are reached; %d are not" % (figure, total, missed))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
