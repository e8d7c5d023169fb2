"""mypy and pyright on a program that uses every name, and on the package, its stubs and what is beside them."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import requestx

HERE = Path(__file__).parent
PACKAGE = Path(requestx.__file__).parent


def test_the_program_uses_every_name():
    tree = ast.parse((HERE / "program.py").read_text())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "requestx"
    }
    assert set(requestx.__all__) - used == set()


def test_every_module_has_a_stub():
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    stubs = {path.relative_to(PACKAGE).with_suffix(".py") for path in PACKAGE.rglob("*.pyi")}
    assert modules - stubs == set()
    assert (PACKAGE / "py.typed").exists()


def check(command, path=PACKAGE.parent):
    environment = {**os.environ, "MYPYPATH": str(path), "PYTHONPATH": str(path)}
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=environment, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mypy(tmp_path):
    """What a program sees are the stubs, and so does mypy on the package."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    check(["mypy", "--strict", f"--cache-dir={tmp_path}", str(HERE / "program.py"), str(PACKAGE)])


def test_the_stubs_say_what_is_there(tmp_path):
    """Names, parameters and their defaults are those of the modules."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\ncache_dir = {tmp_path}\n")
    options = ["--mypy-config-file", str(config), "--allowlist", str(HERE / "stubtest_allowed.txt")]
    check(["mypy.stubtest", "requestx", "--concise", "--ignore-disjoint-bases", *options])


def test_pyright():
    """On the modules, too, which stand beside their stubs."""
    pytest.importorskip("pyright", reason="pyright is not installed")
    files = sorted(str(path) for kind in ("*.py", "*.pyi") for path in PACKAGE.rglob(kind))
    check(["pyright", "--pythonpath", sys.executable, str(HERE / "program.py"), *files])


def test_every_public_type_is_known(tmp_path):
    """As it is installed: beside the two libraries whose classes the bridges are subclasses of."""
    pytest.importorskip("pyright", reason="pyright is not installed")
    (tmp_path / "requestx").symlink_to(PACKAGE)
    for name in ("httpx", "httpx2"):
        (tmp_path / name).symlink_to(Path(pytest.importorskip(name).__file__).parent)
    command = ["pyright", "--pythonpath", sys.executable, "--verifytypes", "requestx", "--ignoreexternal"]
    assert "Type completeness score: 100%" in check(command, tmp_path)
