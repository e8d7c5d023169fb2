"""mypy and pyright on a program that uses every name, and on the package's stubs; for whoever has them installed."""

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


def check(command):
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    cache = f"--cache-dir={tmp_path}"
    check([sys.executable, "-m", "mypy", "--strict", cache, str(HERE / "program.py"), str(PACKAGE)])


def test_pyright():
    pytest.importorskip("pyright", reason="pyright is not installed")
    stubs = sorted(map(str, PACKAGE.rglob("*.pyi")))
    check([sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(HERE / "program.py"), *stubs])
