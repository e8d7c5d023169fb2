#!/usr/bin/env python3
"""Runs pytest on two files at a time, and runs the few tests that failed once more, alone.

    run_pytest.py PYTEST-ARGUMENT...

Most tests wait for servers and deadlines, so two at a time take half of the time. Some look at time and memory, and a machine that is
busy with something else can make one fail. A test that fails alone too has failed. More than a handful of failures are never noise: then
nothing is run again.
"""

import re
import subprocess
import sys

MOST = 5
TOGETHER = ("-n", "2", "--dist", "loadfile")
WITH_VALUE = ("-c", "--rootdir", "-m", "-k", "-o")
SUM = re.compile(r"^=*\s*(?:\d+ [a-z]+, )*\d+ (?:passed|failed|errors?)(?:, \d+ [a-z]+)*(?: in .*)?$")


def run(arguments):
    """Shows what pytest prints; gives its exit status, its lines, and its last sum."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], stdout=subprocess.PIPE, text=True)
    lines, total = [], ""
    for line in process.stdout:
        lines.append(line)
        if SUM.match(line.strip()):
            total = line.strip()
            continue  # told at the end, once
        print(line, end="", flush=True)
    return process.wait(), lines, total


def number(total, word):
    found = re.search(rf"(\d+) {word}", total)
    return int(found.group(1)) if found else 0


def failures(lines):
    found = [re.match(r"(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", line.rstrip("\n")) for line in lines]
    return sorted({match.group(1) for match in found if match})


def main():
    arguments = sys.argv[1:]
    status, lines, total = run([*TOGETHER, *arguments])
    again = failures(lines)
    if status != 1 or not 0 < len(again) <= MOST:
        print(total)
        return status
    print(f"\nonce more, alone: {' '.join(again)}", flush=True)
    options = [
        argument
        for at, argument in enumerate(arguments)
        if argument.startswith("-") or (at > 0 and arguments[at - 1] in WITH_VALUE)
    ]
    second, _, second_total = run([*options, *again])
    if second == 0:
        print(f"passed when run alone: {second_total}")
        print(f"{number(total, 'passed') + number(second_total, 'passed')} passed")
        return 0
    print(total)
    return second


if __name__ == "__main__":
    sys.exit(main())
