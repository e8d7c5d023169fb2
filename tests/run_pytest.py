#!/usr/bin/env python3
"""Runs pytest with RQX_TEST_WORKERS workers, 3 unless told.

    run_pytest.py PYTEST-ARGUMENT...

Most tests wait for servers and deadlines, so a worker more than there are processors is worth its while.  A worker begins with the files that are
its own, whose servers it has started, and takes others' tests when it has none left.  Nothing is run twice: a test that fails now and
then is a bug, of the test or of what it tests.
"""

import os
import sys


def main():
    together = ("-n", os.environ.get("RQX_TEST_WORKERS", "3"), "--dist", "worksteal")
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *together, *sys.argv[1:]])


if __name__ == "__main__":
    main()
