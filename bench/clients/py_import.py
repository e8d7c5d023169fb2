"""Scorecard: what importing a library costs, over starting Python and doing nothing.

    py_import.py MODULE --requests N

Starts N interpreters that import MODULE and N that do not, in turns, and reports the difference of
the two medians, times N.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time


def one(program):
    """(wall, CPU) seconds of one interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdin=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--requests", type=int, default=10)
    args = parser.parse_args()
    programs = ("pass", "import " + args.module)
    for program in programs:
        one(program)  # writes the byte code, fills the page cache
    pairs = [[one(program) for program in programs] for _ in range(args.requests)]

    def difference(index):
        without, with_it = ([pair[which][index] for pair in pairs] for which in (0, 1))
        return (statistics.median(with_it) - statistics.median(without)) * args.requests

    print(json.dumps({"requests": args.requests, "errors": 0, "seconds": difference(0), "bytes": 0,
                      "cpu_seconds": difference(1), "protocol": ""}))


if __name__ == "__main__":
    main()
