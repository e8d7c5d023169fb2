"""Scorecard: what Client() and close() cost after the first, with the system's trust store.

    py_construct.py MODULE --requests N
"""

import argparse
import importlib
import json
import time

import _harness


def maker(module):
    """A function that makes a client of the library and closes it, as its documentation does."""
    if module == "pyreqwest":
        from pyreqwest.client import SyncClientBuilder
        return lambda: SyncClientBuilder().build().close()
    library = importlib.import_module(module)
    name = "Session" if module == "niquests" else "Client"
    return lambda: getattr(library, name)().close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--requests", type=int, default=100)
    args = parser.parse_args()
    make = maker(args.module)
    make()
    cpu, wall = _harness.cpu_now(), time.perf_counter()
    for _ in range(args.requests):
        make()
    wall, cpu = time.perf_counter() - wall, _harness.cpu_now() - cpu
    print(json.dumps({"requests": args.requests, "errors": 0, "seconds": wall, "bytes": 0,
                      "cpu_seconds": cpu, "protocol": ""}))


if __name__ == "__main__":
    main()
