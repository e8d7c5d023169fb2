"""The Python reference: gives autodoc the types that stand in the package's stubs.

What is compiled has no annotations, and what is not has none either: they are in the .pyi files. Signatures are taken
from there, with defaults that a stub leaves out ("...") taken from the running package; the types of properties and
attributes are set as annotations of their classes, where autodoc looks for them.
"""

import ast
import inspect
import re
from pathlib import Path

import requestx
from sphinx.util.docutils import SphinxDirective

PACKAGE = Path(requestx.__file__).resolve().parent


class _Modern(ast.NodeTransformer):
    """Optional[X] as X | None, Union[X, Y] as X | Y."""

    def visit_Subscript(self, node):
        self.generic_visit(node)
        if not isinstance(node.value, ast.Name) or node.value.id not in ("Optional", "Union"):
            return node
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        none = [ast.Constant(None)] if node.value.id == "Optional" else []
        # None comes last, whatever the stub says.
        rest = [part for part in parts if not (isinstance(part, ast.Constant) and part.value is None)]
        none = none or [part for part in parts if part not in rest]
        whole, *others = [*rest, *none]
        for part in others:
            whole = ast.BinOp(whole, ast.BitOr(), part)
        return whole


def _text(node):
    return None if node is None else ast.unparse(_Modern().visit(ast.parse(ast.unparse(node)).body[0].value))


class _Stubs:
    """The classes and functions of every stub, by name: public names are unique in the package."""

    def __init__(self):
        self.classes, self.functions, self.aliases = {}, {}, {}
        for path in sorted(PACKAGE.rglob("*.pyi")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    self.classes.setdefault(node.name, node)
                elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self.functions.setdefault(node.name, node)
                elif isinstance(node, ast.AnnAssign) and _text(node.annotation) == "TypeAlias":
                    self.aliases[node.target.id] = _text(node.value)

    def members(self, name):
        """The members of a class and of those it derives from, by name."""
        found = {}
        node = self.classes.get(name)
        if node is None:
            return found
        for base in node.bases:
            found.update(self.members(ast.unparse(base).rpartition(".")[2].partition("[")[0]))
        for item in node.body:
            if isinstance(item, ast.AnnAssign):
                found[item.target.id] = item
            elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if not any(ast.unparse(mark).endswith(".setter") for mark in item.decorator_list):
                    found[item.name] = item
        return found

    def types(self, name):
        """The types of a class's properties and attributes."""
        types = {}
        for member, node in self.members(name).items():
            if isinstance(node, ast.AnnAssign):
                types[member] = _text(node.annotation)
            elif any(ast.unparse(mark) == "property" for mark in node.decorator_list):
                types[member] = _text(node.returns)
        return types

    def find(self, name):
        """The function for "get", "Client" (its constructor) or "Client.get", or None."""
        owner, _, member = name.rpartition(".")
        if owner:
            return self.members(owner).get(member)
        return self.members(name).get("__init__") if name in self.classes else self.functions.get(name)


def _defaults(obj):
    """The defaults of the running function."""
    try:
        parameters = inspect.signature(obj).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {
        parameter.name: repr(parameter.default) for parameter in parameters if parameter.default is not parameter.empty
    }


def _signature(node, obj):
    args, defaults = node.args, _defaults(obj)

    def one(arg, default=None, stars=""):
        text = stars + arg.arg
        if arg.annotation is not None:
            text += f": {_text(arg.annotation)}"
        if default is not None:
            value = ast.unparse(default)
            value = defaults.get(arg.arg, value) if value == "..." else value
            text += f" = {value}"
        return text

    positional = [*args.posonlyargs, *args.args]
    padded = [None] * (len(positional) - len(args.defaults)) + args.defaults
    parts = [one(arg, default) for arg, default in zip(positional, padded) if arg.arg not in ("self", "cls")]
    if args.vararg:
        parts.append(one(args.vararg, stars="*"))
    elif args.kwonlyargs:
        parts.append("*")
    parts += [one(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        parts.append(one(args.kwarg, stars="**"))
    return f"({', '.join(parts)})"


_stubs = _Stubs()


def _process_signature(app, what, name, obj, options, signature, returns):
    if what not in ("function", "method", "class", "exception") or not name.startswith("requestx."):
        return None
    node = _stubs.find(name[len("requestx.") :])
    if node is None:
        return None
    return _signature(node, obj), None if what in ("class", "exception") else _text(node.returns)


def _process_docstring(app, what, name, obj, options, lines):
    """Docstrings set code in single backticks."""
    lines[:] = [re.sub(r"(?<![`:\w])`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


class Codes(SphinxDirective):
    """A table of the status codes and their names."""

    def run(self):
        rows = [".. list-table::", "   :widths: 12 44 44", "   :header-rows: 1", ""]
        rows += ["   * - Status", "     - Name", "     - Reason phrase"]
        for code in requestx.codes:
            rows += [f"   * - {code.value}", f"     - ``{code.name}``", f"     - {code.get_reason_phrase(code.value)}"]
        return self.parse_text_to_nodes("\n".join(rows))


def _annotate(app):
    for name in requestx.__all__:
        value = getattr(requestx, name)
        if inspect.isclass(value):
            value.__annotations__ = _stubs.types(name)
            if type(value.__init__) is type(object.__init__) and _stubs.find(name) is not None:
                # Compiled, without a signature of its own: the stub's is put here below.
                value.__signature__ = inspect.Signature()
            for member, text in value.__annotations__.items():
                found = getattr(value, member, None)
                if isinstance(found, property):
                    found.fget.__annotations__ = {"return": text}


def setup(app):
    app.add_directive("rqx-codes", Codes)
    app.connect("builder-inited", _annotate)
    app.connect("autodoc-process-signature", _process_signature)
    app.connect("autodoc-process-docstring", _process_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
