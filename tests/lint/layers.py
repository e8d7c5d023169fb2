#!/usr/bin/env python3
"""Checks the rules of the tree that a compiler does not: who may include whom, and how large things may grow.

    layers.py SOURCE-DIR

Exits 1 and names each breach.
"""

import pathlib
import re
import sys

# Each folder of lib/ may include itself, "base", and what stands here.
ALLOWED = {
    "base": set(),
    "loop": set(),
    "http": set(),
    "proto": {"http"},
    "net": {"loop", "proto"},
    "client": {"net", "loop", "proto", "http"},
}

# A third party's header belongs to the files whose name begins so.
OWNERS = {
    r"openssl/.*": ("lib/net/tls",),
    r"ares.*\.h": ("lib/net/resolver",),
    r"nghttp2/.*": ("lib/proto/h2",),
    r"zlib\.h": ("lib/http/coding",),
    r"brotli/.*": ("lib/http/coding",),
    r"zstd\.h": ("lib/http/coding",),
    r"idn2\.h": ("lib/http/idna", "lib/http/url"),
    r"libpsl\.h": ("lib/http/psl",),
    r"sys/epoll\.h": ("lib/loop/poller_epoll",),
    r"sys/timerfd\.h": ("lib/loop/timers",),
    r"sys/eventfd\.h": ("lib/loop/wake",),
    r"Python\.h": ("pyext/src/",),
}

# One library's header in one file each, where the design says so.
SINGLE = {r"zlib\.h": 1, r"brotli/decode\.h": 1, r"zstd\.h": 1, r"idn2\.h": 1, r"libpsl\.h": 1, r"sys/epoll\.h": 1}

LONGEST_FILE = 1000
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(path):
    return [(kind, name) for kind, name in INCLUDE.findall(path.read_text(encoding="utf-8"))]


def check_direction(root, problems):
    for path in sorted((root / "lib").rglob("*.[ch]")):
        layer = path.relative_to(root / "lib").parts[0]
        for kind, name in includes(path):
            where = f"{path.relative_to(root)}: includes {name}"
            if kind == "<":
                if name.startswith("requestx/") and not (root / "include" / name).exists():
                    if not (root / "include" / (name + ".in")).exists():
                        problems.append(f"{where}, which is no public header")
                continue
            target = name.split("/")[0]
            if "/" not in name or target not in ALLOWED:
                problems.append(f'{where}: say "folder/file.h"')
            elif target not in {layer, "base"} | ALLOWED[layer]:
                problems.append(f"{where}: {layer} must not know {target}")


def check_owners(root, problems):
    users = {}
    for folder in ("lib", "pyext/src"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            name_of = str(path.relative_to(root))
            for kind, name in includes(path):
                for pattern, owners in OWNERS.items():
                    if kind == "<" and re.fullmatch(pattern, name):
                        users.setdefault(pattern, set()).add(name_of)
                        if not name_of.startswith(owners):
                            problems.append(f"{name_of}: includes {name}, which belongs to {' '.join(owners)}")
                if folder == "pyext/src" and kind == '"' and "/" in name:
                    problems.append(f"{name_of}: includes {name}: the extension stands on the public headers alone")
    for pattern, most in SINGLE.items():
        found = users.get(pattern, set())
        if len(found) > most:
            problems.append(f"{pattern} is included by {len(found)} files: {' '.join(sorted(found))}")


def check_public(root, problems):
    for path in sorted((root / "include" / "requestx").glob("*.h*")):
        text = path.read_text(encoding="utf-8")
        for kind, name in includes(path):
            if kind == '"' or not (name.startswith("requestx/") or name in {"stddef.h", "stdint.h"}):
                problems.append(f"include/requestx/{path.name}: includes {name}")
        for match in re.finditer(r"^RQX_API [^;]*?\b(rqx_\w+)\(", text, re.MULTILINE):
            before = text[: match.start()].rstrip()
            if not before.endswith("*/"):
                problems.append(f"include/requestx/{path.name}: {match.group(1)} has no comment")
            elif "Since" not in before[before.rindex("/**") :]:
                problems.append(f"include/requestx/{path.name}: {match.group(1)} does not say since when")


def check_lists(root, problems):
    """What is in the tree is in the lists that the build and the archive are made from."""
    lists = {
        "lib/sources.am": ("lib/*/*.[ch]",),
        "pyext/sources.am": ("pyext/src/*.[ch]", "pyext/requestx/**/*.py", "pyext/requestx/**/*.pyi"),
        "tests/unit/tests.am": ("tests/unit/check_*.c", "tests/alloc/check_*.c", "tests/unit/*.h"),
        "Makefile.am": ("include/requestx/*.h",),
    }
    for name, patterns in lists.items():
        text = (root / name).read_text(encoding="utf-8")
        listed = set(re.findall(r"[\w/.-]+", text))
        for pattern in patterns:
            for path in sorted(root.glob(pattern)):
                file = str(path.relative_to(root))
                wanted = file[:-2] if "/check_" in file else file
                if wanted not in listed and path.name != "version.h":
                    problems.append(f"{name} does not list {file}")


def check_size(root, problems):
    files = [p for d in ("lib", "include", "pyext", "tests", "bench") for p in (root / d).rglob("*")]
    for path in sorted(files):
        if path.suffix not in {".c", ".h", ".py", ".pyi"} or ".cache" in path.parts:
            continue
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST_FILE:
            problems.append(f"{path.relative_to(root)}: {lines} lines: more than one concern?")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    problems = []
    for check in (check_direction, check_owners, check_public, check_lists, check_size):
        check(root, problems)
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} breaches")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
