#!/usr/bin/env python3
"""Runs pytest with RQX_TEST_WORKERS workers, 3 unless told; a test or two that failed beside others must then pass alone, three times.

    run_pytest.py PYTEST-ARGUMENT...

Most tests wait for servers and deadlines, so a worker more than there are processors is worth its while. A worker begins with the files that
are its own, whose servers it has started, and takes others' tests when it has none left.

What fails only now and then is a bug, of the test or of what it tests: it is named at the end, to be mended. It fails the run where it fails once
in three more runs without others beside it, or where more than MOST tests failed at first.
"""

import os
import re
import subprocess
import sys

MOST = 3
AGAIN = 3
WITH_VALUE = ("-c", "--rootdir", "-m", "-k", "-o")
SUM = re.compile(r"^=*\s*(?:\d+ [a-z]+, )*\d+ (?:passed|failed|errors?)(?:, \d+ [a-z]+)*(?: in .*)?$")


def run(arguments):
    """Shows what pytest prints but for its sum; gives its exit status, the tests that failed, and the sum."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], stdout=subprocess.PIPE, text=True)
    failed, total = set(), ""
    for line in process.stdout:
        found = re.match(r"(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", line.rstrip("\n"))
        if found:
            failed.add(found.group(1))
        if SUM.match(line.strip()):
            total = line.strip()
        else:
            print(line, end="", flush=True)
    return process.wait(), sorted(failed), total


def passed(total):
    found = re.search(r"(\d+) passed", total)
    return int(found.group(1)) if found else 0


def main():
    arguments = sys.argv[1:]
    status, failed, total = run(["-n", os.environ.get("RQX_TEST_WORKERS", "3"), "--dist", "worksteal", *arguments])
    if status != 1 or not 0 < len(failed) <= MOST:
        print(total)
        return status
    options = [
        argument
        for at, argument in enumerate(arguments)
        if argument.startswith("-") or (at > 0 and arguments[at - 1] in WITH_VALUE)
    ]
    for _ in range(AGAIN):
        again, _, sum_again = run([*options, *failed])
        if again != 0:
            print(total)
            return again
    print(f"failed beside others, and passed {AGAIN} times alone; to be mended: {' '.join(failed)}")
    print(f"{passed(total) + passed(sum_again)} passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
