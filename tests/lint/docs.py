#!/usr/bin/env python3
"""Checks that the reference is complete: what is public stands on one page, and every page is distributed.

    docs.py SOURCE-DIR [INVENTORY]

Without an inventory the sources are looked at: each public header has one page, and each of its symbols a comment,
which is what gets it there; each name of the package is documented by one directive. With the inventory of a built
documentation (objects.inv), what is really there is checked too, members of classes included.
"""

import ast
import pathlib
import re
import sys
import zlib

# For the headers' own use.
HELPERS = {"RQX_API", "RQX_BEGIN_DECLS", "RQX_END_DECLS"}

_COMMENT = r"/\*\*(?:[^*]|\*(?!/))*\*/"
_FUNCTION = re.compile(r"^RQX_API [^;]*?\b(rqx_\w+)\(", re.MULTILINE)
_MACRO = re.compile(r"^#define (RQX_\w+)\b(?!_H\b)", re.MULTILINE)
_TYPE = re.compile(r"^typedef (?:struct|enum) (rqx_\w+)\b|^typedef [^;{]*?\(\*(rqx_\w+)\)", re.MULTILINE)
_ENUM = re.compile(r"\benum\b(?: \w+)? \{(.*?)^\}", re.DOTALL | re.MULTILINE)
_ENUMERATOR = re.compile(r"^\s+(RQX_[A-Z0-9_]+)(?: = -?\d+)?,?$", re.MULTILINE)
_STRUCT = re.compile(r"^typedef struct (rqx_\w+) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_MEMBER = re.compile(r"^    (?!/?\*)[\w ]+[ *]+(\w+);$", re.MULTILINE)
_ERROR = re.compile(r"^ +X\((\w+), -\d+,", re.MULTILINE)
_DIRECTIVE = re.compile(
    r"^\.\. (?:autoclass|autofunction|autoexception|autodata|py:data):: requestx\.(\w+)", re.MULTILINE
)


def headers(root):
    return sorted((root / "include" / "requestx").glob("*.h*"))


def header_name(path):
    return path.name.removesuffix(".in")


def symbols(text):
    """The public names that a header declares, with where each declaration begins."""
    found = [(match.group(1), match.start()) for match in _FUNCTION.finditer(text)]
    found += [(match.group(1), match.start()) for match in _MACRO.finditer(text)]
    found += [(match.group(1) or match.group(2), match.start()) for match in _TYPE.finditer(text)]
    for enum in _ENUM.finditer(text):
        inside = _ENUMERATOR.finditer(enum.group(1))
        found += [(match.group(1), enum.start(1) + match.start(1)) for match in inside]
    return [(name, start) for name, start in found if name not in HELPERS and not name.endswith(("_H", "_"))]


def members(text):
    """(struct, member, where) of each struct whose inside is public."""
    for struct in _STRUCT.finditer(text):
        for member in _MEMBER.finditer(struct.group(2)):
            yield struct.group(1), member.group(1), struct.start(2) + member.start()


def has_comment(text, start):
    return re.search(_COMMENT + r"\s*$", text[:start]) is not None


def check_headers(root, problems):
    pages = {path: path.read_text(encoding="utf-8") for path in sorted((root / "docs" / "c").glob("*.rst"))}
    for path in headers(root):
        name, text = header_name(path), path.read_text(encoding="utf-8")
        if name in ("requestx.h", "version.h") and path.suffix == ".h":
            continue  # the first includes the others, the second is made by configure
        on = [page.name for page, said in pages.items() if re.search(rf"^\.\. c:autodoc:: {name}$", said, re.MULTILINE)]
        if len(on) != 1:
            problems.append(f"{name}: on {len(on)} pages of docs/c: {' '.join(on)}")
        for symbol, start in symbols(text):
            if not has_comment(text, start):
                problems.append(f"{name}: {symbol} has no comment, and so is not in the reference")
        for struct, member, start in members(text):
            if not has_comment(text, start):
                problems.append(f"{name}: {struct}.{member} has no comment, and so is not in the reference")


def exported(root):
    tree = ast.parse((root / "pyext" / "requestx" / "__init__.pyi").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    raise SystemExit("docs: the stub of the package has no __all__")


def check_package(root, problems):
    names, documented = exported(root), []
    for page in sorted((root / "docs" / "python").glob("*.rst")):
        documented += _DIRECTIVE.findall(page.read_text(encoding="utf-8"))
    for name in names:
        if documented.count(name) != 1:
            problems.append(f"requestx.{name} is documented {documented.count(name)} times in docs/python")
    problems += [f"requestx.{name} is documented, but not public" for name in sorted(set(documented) - set(names))]


def check_distribution(root, problems):
    listed = set(re.findall(r"docs/\S+", (root / "docs" / "docs.am").read_text(encoding="utf-8")))
    for path in sorted((root / "docs").rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(("docs/html/", "docs/doctrees")):
            continue  # built in the source directory
        if path.suffix in (".rst", ".svg", ".py", ".conf") and name not in listed:
            problems.append(f"{name} is not in the lists of docs/docs.am")
    manuals = (root / "docs" / "conf.py").read_text(encoding="utf-8")
    for path in sorted((root / "docs" / "c").glob("*.rst")):
        if f'("c/{path.stem}", ' not in manuals:
            problems.append(f"docs/c/{path.name} has no manual page in docs/conf.py")


def inventory(path):
    """The (domain:kind, name) pairs that Sphinx says are there; see "objects.inv" in its documentation."""
    data = path.read_bytes()
    body = data.split(b"\n", 4)[4]
    for line in zlib.decompress(body).decode("utf-8").splitlines():
        match = re.match(r"(.+?)\s+(\S+)\s+-?\d+\s+\S*\s+.*", line)
        if match:
            yield match.group(2), match.group(1)


def stub_members(root):
    """Class.member for the public members that the stubs declare for the package's classes."""
    names = set(exported(root))
    for path in (root / "pyext" / "requestx").rglob("*.pyi"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or node.name not in names:
                continue
            for item in node.body:
                name = getattr(item, "name", None) or getattr(getattr(item, "target", None), "id", "_")
                if not name.startswith("_"):
                    yield f"{node.name}.{name}"


# Members that have no entry of their own: a table has the status codes, and the classes' own text says what these are.
_TOLD_ELSEWHERE = re.compile(
    r"codes\..*|(?:HTTP|Async|ASGI|WSGI|Mock).*Transport\..*|RequestError\.(?:code|phase)|QueryParams\.update|"
    r"(?:Digest|NetRC|Function|Basic)Auth\..*|(?:ByteStream)\..*"
)


def check_built(root, path, problems):
    entries = list(inventory(path))
    # What is in an enum without a name has a made-up one before its own.
    c = {re.sub(r"^@\w+\.", "", name) for kind, name in entries if kind.startswith("c:")}
    py = {name for kind, name in entries if kind.startswith("py:")}
    for header in headers(root):
        text = header.read_text(encoding="utf-8")
        wanted = [name for name, _ in symbols(text)] + [f"{struct}.{member}" for struct, member, _ in members(text)]
        wanted += [f"RQX_ERR_{name}" for name in _ERROR.findall(text)]
        for name in dict.fromkeys(wanted):
            if name not in c:
                problems.append(f"{header_name(header)}: {name} is not in the built reference")
    for name in exported(root):
        if f"requestx.{name}" not in py:
            problems.append(f"requestx.{name} is not in the built reference")
    for name in sorted(set(stub_members(root))):
        if f"requestx.{name}" not in py and not _TOLD_ELSEWHERE.fullmatch(name):
            problems.append(f"requestx.{name} is not in the built reference")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    problems = []
    check_headers(root, problems)
    check_package(root, problems)
    check_distribution(root, problems)
    if len(sys.argv) > 2:
        check_built(root, pathlib.Path(sys.argv[2]), problems)
    for problem in problems:
        print(problem)
    count = sum(len(symbols(path.read_text(encoding="utf-8"))) for path in headers(root) if path.suffix == ".h")
    print(f"docs: {count} symbols, {len(exported(root))} names, {len(problems)} breaches")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
