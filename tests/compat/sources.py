"""Other people's tests: environments to run them in, and their source packages from PyPI."""

import pathlib
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def make_venv(folder, requirements):
    """The interpreter of a virtual environment at |folder| that has |requirements|, a file beside this one."""
    wanted = (HERE / requirements).read_text(encoding="utf-8")
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", HERE / requirements)
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin/python"


def unpack(python, name, version, folder):
    """Puts the source package into |folder|, the archive beside it, and gives where it is."""
    archive = folder / f"{name.replace('-', '_')}-{version}.tar.gz"
    if not archive.exists():
        # what it needs to be described is not needed to be run
        run(
            python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:",
            "-d", folder, f"{name}=={version}",
        )  # fmt: skip
    with tarfile.open(archive) as packed:
        # Python 3.11.2, of Debian 12, does not know filters yet
        packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder / archive.name.removesuffix(".tar.gz")
