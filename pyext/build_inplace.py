#!/usr/bin/env python3
"""Build requestx._core into pyext/requestx/, for work on a checkout: PYTHONPATH=pyext then imports it.

    pyext/build_inplace.py [--debug] [--sanitize] [-k] [-j N]

Only what changed is compiled again.  Objects go to build-inplace/ in the checkout, or to $REQUESTX_BUILD_DIR.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "pyext"))

import sources  # noqa: E402


def flags_for(build: pathlib.Path, debug: bool, sanitize: bool) -> list[str]:
    flags = ["-std=c11", "-D_GNU_SOURCE", "-fPIC", "-fvisibility=hidden", "-g", "-Wall", "-Wextra", "-Wconversion"]
    flags += ["-O0"] if debug else ["-O2", "-DNDEBUG"]
    if sanitize:
        flags += ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
    flags += [f"-I{directory}" for directory in (ROOT / "include", build / "include", ROOT / "lib")]
    flags += [f"-I{sysconfig.get_paths()['include']}"]
    return flags + sources.coding_macros() + sources.function_macros(build)


def is_fresh(target: pathlib.Path, dependencies: pathlib.Path, stamp: float) -> bool:
    if not target.exists() or not dependencies.exists():
        return False
    made = target.stat().st_mtime
    if made < stamp:
        return False
    names = dependencies.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    try:
        return all(os.stat(name).st_mtime <= made for name in names)
    except OSError:
        return False


def compile_one(source: pathlib.Path, build: pathlib.Path, flags: list[str], stamp: float) -> tuple[pathlib.Path, int]:
    name = str(source.relative_to(ROOT)).replace("/", "_")
    target, dependencies = build / (name + ".o"), build / (name + ".d")
    if is_fresh(target, dependencies, stamp):
        return target, 0
    command = ["cc", *flags, "-MMD", "-MF", str(dependencies), "-c", str(source), "-o", str(target)]
    return target, subprocess.run(command, cwd=ROOT).returncode


def stand_ins(objects: list[str], build: pathlib.Path) -> list[str]:
    """With -k: functions of files that were left out, which abort when they are called."""
    listing = subprocess.run(["nm", "-A", *objects], capture_output=True, text=True, check=True).stdout.split("\n")
    symbols = [line.split()[-2:] for line in listing if line]
    defined = {name for kind, name in symbols if kind in "TDRBW"}
    missing = sorted({name for kind, name in symbols if kind == "U" and name.startswith("rqx")} - defined)
    if not missing:
        return []
    source = build / "stand_ins.c"
    source.write_text("#include <stdlib.h>\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in missing))
    subprocess.run(["cc", "-fPIC", "-c", str(source), "-o", str(source) + ".o"], check=True)
    return [str(source) + ".o"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("-k", action="store_true", help="leave out files of the library that do not compile")
    parser.add_argument("-j", type=int, default=2)
    options = parser.parse_args()

    kind = (
        sysconfig.get_config_var("SOABI") + ("-debug" if options.debug else "") + ("-san" if options.sanitize else "")
    )
    build = pathlib.Path(os.environ.get("REQUESTX_BUILD_DIR", ROOT / "build-inplace")) / kind
    build.mkdir(parents=True, exist_ok=True)
    sources.write_version_header(build / "include")
    flags = flags_for(build, options.debug, options.sanitize)
    record = build / "flags"
    if not record.exists() or record.read_text() != shlex.join(flags):
        record.write_text(shlex.join(flags))
    stamp = record.stat().st_mtime

    wanted = [ROOT / name for name in sources.lib_sources() + sources.extension_sources()]
    missing = [str(path.relative_to(ROOT)) for path in wanted if not path.exists()]
    if missing:
        print("not there yet, left out:", " ".join(missing), file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        jobs = [pool.submit(compile_one, path, build, flags, stamp) for path in wanted if path.exists()]
        results = [job.result() for job in jobs]
    if any(code and not (options.k and target.name.startswith("lib_")) for target, code in results):
        return 1
    results = [(target, code) for target, code in results if not code]
    target = ROOT / "pyext" / "requestx" / ("_core" + sysconfig.get_config_var("EXT_SUFFIX"))
    temporary = build / target.name
    objects = [str(path) for path, _ in results]
    if options.k:
        objects += stand_ins(objects, build)
    command = ["cc", "-shared", *(["-fsanitize=address,undefined"] if options.sanitize else [])]
    command += objects + sources.libraries(as_flags=True)
    command += ["-o", str(temporary)]
    if subprocess.run(command).returncode:
        return 1
    os.replace(temporary, target) if temporary.stat().st_dev == target.parent.stat().st_dev else subprocess.run(
        ["install", str(temporary), str(target)], check=True
    )
    print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
