"""What the extension module is made of: used by setup.py, by build_inplace.py and by the Makefile."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def lib_sources() -> list[str]:
    """The library's C files, as lib/sources.am lists them."""
    text = (ROOT / "lib" / "sources.am").read_text()
    return [name for name in re.findall(r"lib/[\w/.]+", text) if name.endswith(".c")]


def extension_sources() -> list[str]:
    """The extension's C files, as pyext/sources.am lists them."""
    text = (ROOT / "pyext" / "sources.am").read_text()
    return re.findall(r"pyext/src/\w+\.c", text)


def version() -> str:
    configure = ROOT / "configure.ac"
    text = configure.read_text() if configure.exists() else ""
    found = re.search(r"AC_INIT\(\s*\[[^]]*\]\s*,\s*\[([^]]*)\]", text)
    return found.group(1) if found else "0.1.0"


def write_version_header(directory: pathlib.Path) -> None:
    """Makes requestx/version.h under directory, as configure does."""
    numbers = [int(part) for part in re.findall(r"\d+", version())[:3]]
    number = f"0x{numbers[0]:02x}{numbers[1]:02x}{numbers[2]:02x}"
    text = (ROOT / "include" / "requestx" / "version.h.in").read_text()
    text = text.replace("@PACKAGE_VERSION@", version()).replace("@RQX_VERSION_NUM@", number)
    target = directory / "requestx" / "version.h"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


PACKAGES = ["libnghttp2", "openssl", "libcares", "libidn2", "libpsl", "zlib"]
OPTIONAL = {"libbrotlidec": "HAVE_BROTLI", "libzstd": "HAVE_ZSTD"}


def pkg_config(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["pkg-config", *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def present() -> list[str]:
    """The optional packages that are installed."""
    return [name for name in OPTIONAL if pkg_config("--exists", name) is not None]


def coding_macros() -> list[str]:
    return ["-DHAVE_PSL=1", *(f"-D{OPTIONAL[name]}=1" for name in present())]


def function_macros(build: pathlib.Path) -> list[str]:
    """-DHAVE_... for functions that newer versions of the libraries have, and headers: what configure checks."""
    text = (ROOT / "configure.ac").read_text()
    functions = " ".join(re.findall(r"AC_CHECK_FUNCS\(\[([^]]*)\]", text)).replace("\\", " ").split()
    headers = " ".join(re.findall(r"AC_CHECK_HEADERS\(\[([^]]*)\]", text)).replace("\\", " ").split()
    macros = [f"-DHAVE_{name.upper()}=1" for name in functions if has_function(name, build)]
    return macros + [f"-DHAVE_{re.sub(r'[^A-Z0-9]', '_', name.upper())}=1" for name in headers]


def has_function(name: str, build: pathlib.Path) -> bool:
    build.mkdir(parents=True, exist_ok=True)
    record = build / f"have_{name}"
    if not record.exists():
        source = build / f"have_{name}.c"
        source.write_text(f"char {name}(void);\nint main(void) {{ return {name}(); }}\n")
        flags = ["-fno-builtin", "-w", "-o", str(build / f"have_{name}.out")]
        command = [*os.environ.get("CC", "cc").split(), str(source), *flags, *libraries(as_flags=True)]
        done = subprocess.run(command, capture_output=True)
        record.write_text("yes" if done.returncode == 0 else "no")
    return record.read_text() == "yes"


def include_directories() -> list[str]:
    text = pkg_config("--cflags-only-I", *PACKAGES, *present()) or ""
    return [flag[2:] for flag in text.split()]


def libraries(as_flags: bool = False) -> list[str]:
    text = pkg_config("--libs", *PACKAGES, *present())
    if text is None:
        missing = [name for name in PACKAGES if pkg_config("--exists", name) is None]
        raise SystemExit(f"requestx needs pkg-config and the development files of {', '.join(missing)} (see README.md)")
    flags = text.split() + ["-lpthread"]
    return flags if as_flags else [flag[2:] for flag in flags if flag.startswith("-l")]


def lib_directories() -> list[str]:
    text = pkg_config("--libs-only-L", *PACKAGES, *present()) or ""
    return [flag[2:] for flag in text.split()]
