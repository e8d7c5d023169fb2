"""Stands in for httpx where this folder's parent comes first on the path: `import httpx` gives requestx.

So it is with its modules: `httpx._content` is `requestx._content`.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys

import requestx


class _Loader(importlib.abc.Loader):
    def create_module(self, spec):
        module = importlib.import_module("requestx" + spec.name.removeprefix("httpx"))
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.startswith("httpx."):
            return importlib.machinery.ModuleSpec(name, _Loader())
        return None


sys.meta_path.insert(0, _Finder())
sys.modules["httpx"] = requestx
