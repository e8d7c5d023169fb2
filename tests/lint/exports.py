#!/usr/bin/env python3
"""Checks that the shared library exports what the public headers declare and the map lists, and nothing else.

    exports.py SOURCE-DIR LIBRARY

With --write, rewrites the newest node of lib/librequestx.map from the headers instead (for a release that adds names).
"""

import pathlib
import re
import subprocess
import sys

DECLARATION = re.compile(r"^RQX_API [^;]*?\b(rqx_\w+)\(", re.MULTILINE)


def declared(root):
    names = set()
    for path in (root / "include" / "requestx").glob("*.h*"):
        names |= set(DECLARATION.findall(path.read_text(encoding="utf-8")))
    return names


def mapped(root):
    text = (root / "lib" / "librequestx.map").read_text(encoding="utf-8")
    return set(re.findall(r"^\s+(rqx_\w+);", text, re.MULTILINE))


def exported(library):
    output = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True
    ).stdout
    lines = [line.split() for line in output.splitlines()]
    return {line[2].split("@")[0] for line in lines if line[1] != "A"}


def write(root):
    path = root / "lib" / "librequestx.map"
    lines = "".join(f"    {name};\n" for name in sorted(declared(root)))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(global:\n)(?:    .*\n)*?(  local:|\};)", rf"\1{lines}\2", text), encoding="utf-8")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if "--write" in sys.argv:
        write(root)
        return 0
    headers, listed, symbols = declared(root), mapped(root), exported(sys.argv[2])
    problems = [f"{name}: in the headers, not in the map" for name in sorted(headers - listed)]
    problems += [f"{name}: in the map, not in the headers" for name in sorted(listed - headers)]
    problems += [f"{name}: declared, not exported" for name in sorted(headers - symbols)]
    problems += [f"{name}: exported, not declared" for name in sorted(symbols - headers)]
    for problem in problems:
        print(problem)
    print(f"exports: {len(symbols)} names, {len(problems)} breaches")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
