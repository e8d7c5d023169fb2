"""`pip install .`: one extension module with the library inside it.

What is to be compiled is listed in lib/sources.am and pyext/sources.am; everything else is in pyproject.toml.
"""

import pathlib
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "pyext"))

import sources  # noqa: E402


class BuildExtension(build_ext):
    """Makes version.h first, as configure does, and finds out what the libraries have."""

    def build_extension(self, extension):
        made = pathlib.Path(self.build_temp).resolve() / "include"
        sources.write_version_header(made)
        extension.include_dirs.insert(0, str(made))
        extension.extra_compile_args += sources.coding_macros() + sources.function_macros(made.parent)
        super().build_extension(extension)


setup(
    version=sources.version(),
    packages=["requestx", "requestx._transports"],
    package_dir={"": "pyext"},
    package_data={"requestx": ["*.pyi", "py.typed"], "requestx._transports": ["*.pyi"]},
    ext_modules=[
        Extension(
            "requestx._core",
            sources.lib_sources() + sources.extension_sources(),
            include_dirs=["include", "lib", *sources.include_directories()],
            libraries=sources.libraries(),
            library_dirs=sources.lib_directories(),
            extra_compile_args=["-std=c11", "-D_GNU_SOURCE", "-fvisibility=hidden", "-g"],
        )
    ],
    cmdclass={"build_ext": BuildExtension},
)
