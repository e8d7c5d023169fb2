"""The C reference: turns the comments of the public headers into reStructuredText.

The headers are written for people who read them. What stands there as |parameter|, `code`, rqx_name or RQX_NAME becomes
markup here; "Errors: ..." becomes a field. Two directives:

    .. c-introduction:: engine.h      the comment that opens a header
    .. c-errors::                     every error code, from RQX_ERROR_MAP
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

TOP = Path(__file__).resolve().parents[2]
HEADERS = TOP / "include" / "requestx"

_FUNCTION = re.compile(r"^RQX_API [^;]*?\b(rqx_\w+)\(", re.MULTILINE)
_MACRO = re.compile(r"^#define (RQX_\w+)", re.MULTILINE)
_TYPE = re.compile(r"^typedef (?:struct|enum) (rqx_\w+)|^typedef [^;{]*?\(\*(rqx_\w+)\)", re.MULTILINE)
_ENUM = re.compile(r"\benum\b[^{;]*\{(.*?)\}", re.DOTALL)
_ERROR = re.compile(r'^ +X\((\w+), (-\d+), (\w+), "([^"]+)"\)', re.MULTILINE)


def _without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def symbols():
    """Maps each public name to the role that refers to it."""
    roles = {}
    for path in sorted(HEADERS.glob("*.h*")):
        text = path.read_text(encoding="utf-8")
        code = _without_comments(text)
        roles.update((name, "func") for name in _FUNCTION.findall(code))
        roles.update((name, "macro") for name in _MACRO.findall(code))
        roles.update((one or other, "type") for one, other in _TYPE.findall(code))
        for body in _ENUM.findall(code):
            roles.update((name, "enumerator") for name in re.findall(r"\b(RQX_\w+)(?=\s*(?:=|,|$))", body))
        if path.name == "error.h":
            roles.update((f"RQX_ERR_{row[0]}", "enumerator") for row in _ERROR.findall(text))
    return roles


_roles = None


def _markup_name(match):
    name = match.group(0)
    role = _roles.get(name.rstrip("*"))
    if role is None or name.endswith(("_", "*")):
        return f"``{name}``"
    return f":c:{role}:`{name}`"


_TOKENS = re.compile(
    r"(?P<code>`[^`]+`)"
    r"|(?P<quoted>\"RQX_[^\"]*\")"
    r"|(?P<parameter>\|(?P<star>\*?)(?P<inner>\w+)\|)"
    r"|(?P<name>\b(?:rqx|RQX)_\w+\*?)"
    r"|(?P<other>\b[A-Z]\w*_(?:\*|\b)|(?<!\w)_[A-Za-z]\w*)"
    r"|(?P<scheme>\bhttps?://(?![\w.]))"
    r"|(?P<star_alone>\*)"
)


def _markup_token(match):
    if match.group("code"):
        return f"``{match.group('code')[1:-1]}``"
    if match.group("quoted"):
        return f"``{match.group('quoted')}``"
    if match.group("parameter"):
        return f"*{match.group('star') and chr(92) + '*'}{match.group('inner')}*"
    if match.group("name"):
        return _markup_name(match)
    if match.group("scheme"):
        return f"``{match.group('scheme')}``"
    if match.group("other"):
        return f"``{match.group('other')}``"
    return "\\*"


def to_rest(text):
    """The inline markup of a comment's text."""
    global _roles
    if _roles is None:
        _roles = symbols()
    # "\\ " is nothing, but ends a role where a bracket follows it.
    return re.sub(r"`\(", "`\\\\ (", _TOKENS.sub(_markup_token, text))


_SINCE = re.compile(r"\s*\bSince\s+(\d[\d.]*\d)\.\s*$")
_ERRORS = re.compile(r"(?:^|(?<=\.)\s+)(Errors\b.*?)(?:\.(?=\s+[A-Z*|])|\.?$)", re.DOTALL)


def _fields(text):
    """(text, fields, version): the sentences that begin with "Errors" and "Since" apart."""
    fields = []
    since = _SINCE.search(text)
    if since:
        text = text[: since.start()]
    errors = _ERRORS.search(text)
    if errors and not text.startswith("Errors as"):
        text = (text[: errors.start()] + text[errors.end() :]).strip()
        said = errors.group(1).rstrip(".")
        said = said[len("Errors:") :].strip() if said.startswith("Errors:") else said[len("Errors") :].strip()
        fields.append(f":Errors: {to_rest(said)}")
    return text, fields, since.group(1) if since else None


def process(app, lines, transform, options):
    """One comment, its markers removed already: changed in place."""
    # The parser leaves the marker of a last line that is no line of its own.
    lines[:] = [lines[0], *(re.sub(r"^\s*\*\s", "", line) for line in lines[1:])]
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", "\n".join(lines)) if part.strip()]
    out, fields = [], []
    for paragraph in paragraphs:
        text, found, version = _fields(paragraph)
        fields += found
        since = f"*Since {version}.*" if version else ""
        if text or since:
            out += [f"{to_rest(text)} {since}".strip(), ""]
    lines[:] = out + fields if fields else out[:-1]


def _opening(name):
    """The paragraphs of the comment that opens a header, each a list of lines."""
    path = HEADERS / name
    if not path.exists():
        path = HEADERS / f"{name}.in"
    comment = re.match(r"/\*(.*?)\*/", path.read_text(encoding="utf-8"), re.DOTALL).group(1)
    lines = [re.sub(r"^ \*(?: |$)", "", line).rstrip() for line in comment.split("\n")]
    text = "\n".join(lines).strip()
    text = re.sub(r"^(?:requestx/)?[\w.]+ - ", "", text)
    return [part.split("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]


class Introduction(SphinxDirective):
    """What the header says of itself, after how to include it."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(str(HEADERS / name))
        out = [".. code-block:: c", "", f"   #include <requestx/{name}>", ""]
        for number, lines in enumerate(_opening(name)):
            if lines[0].startswith("  ") and lines[0].strip().startswith("RQX_"):
                out += self._definitions(lines)
                continue
            text = " ".join(line.strip() for line in lines)
            out += [to_rest(text[:1].upper() + text[1:] if number == 0 else text), ""]
        return self.parse_text_to_nodes("\n".join(out))

    @staticmethod
    def _definitions(lines):
        out = []
        for line in lines:
            head = re.match(r"\s+(RQX_\w+)\s{2,}(.*)", line)
            if head:
                out += ["", to_rest(head.group(1))]
                line = head.group(2)
            out.append(f"   {to_rest(line.strip())}")
        return [*out, ""]


class Errors(SphinxDirective):
    """Every error code with its number and text, by phase."""

    def run(self):
        path = HEADERS / "error.h"
        self.env.note_dependency(str(path))
        out = []
        phase = None
        for name, number, band, text in _ERROR.findall(path.read_text(encoding="utf-8")):
            if band != phase:
                phase = band
                out += [f".. rubric:: {band.lower() if band != 'TLS' else band}", ""]
            out += [f".. c:enumerator:: RQX_ERR_{name} = {number}", "", f"   {text}", ""]
        return self.parse_content_to_nodes(StringList(out))

    def parse_content_to_nodes(self, content):
        from sphinx.util.parsing import nested_parse_to_nodes

        return nested_parse_to_nodes(self.state, content, source=str(HEADERS / "error.h"))


def _prepare(app, config):
    """Collects the headers where the parser finds all of them, <requestx/version.h> with its values."""
    root = Path(app.doctreedir) / "include" / "requestx"
    root.mkdir(parents=True, exist_ok=True)
    for path in HEADERS.glob("*.h"):
        if path.name != "version.h":
            shutil.copy2(path, root)
    major, minor, patch = (int(part) for part in config.version.split("."))
    text = (HEADERS / "version.h.in").read_text(encoding="utf-8")
    text = text.replace("@PACKAGE_VERSION@", config.version)
    text = text.replace("@RQX_VERSION_NUM@", f"0x{major:02x}{minor:02x}{patch:02x}")
    made = root / "version.h"
    if not made.exists() or made.read_text(encoding="utf-8") != text:
        made.write_text(text, encoding="utf-8")
    config.hawkmoth_root = str(root)
    config.hawkmoth_clang = [f"-I{root.parent}"]


def _section(title, children):
    made = nodes.section(ids=[title.lower()])
    made += nodes.title(title, title)
    made += children
    return made


def _to_man_page(app, doctree):
    """A man page has a synopsis and a description: what stands before the first section. It names other pages."""
    if app.builder.name != "man" or not isinstance(doctree[0], nodes.section):
        return
    page = doctree[0]
    names = [name for _, name, *_ in app.config.man_pages]
    for node in list(page.findall(addnodes.toctree)):
        node.parent.replace(node, nodes.paragraph("", ", ".join(f"{name}(3)" for name in names[1:])))
    opening = [node for node in page[1:] if not isinstance(node, nodes.section)]
    for node in opening:
        page.remove(node)
    synopsis = [node for node in opening if isinstance(node, nodes.literal_block)][:1]
    sections = [_section("Synopsis", synopsis)] if synopsis else []
    description = [node for node in opening if node not in synopsis]
    if description:
        sections.append(_section("Description", description))
    page[1:1] = sections
    if app.env.docname != app.config.root_doc:
        page += _section("See also", [nodes.paragraph("", f"{names[0]}(3)")])


def _without_links(app, doctree, docname):
    """On a man page there is nothing to follow a link with."""
    if app.builder.name == "man":
        for node in list(doctree.findall(nodes.reference)):
            if "refuri" not in node or node["refuri"].startswith("#"):
                node.parent.replace(node, node.children)


def setup(app):
    app.add_directive("c-introduction", Introduction)
    app.add_directive("c-errors", Errors)
    app.connect("config-inited", _prepare)
    app.connect("hawkmoth-process-docstring", process)
    app.connect("doctree-read", _to_man_page)
    app.connect("doctree-resolved", _without_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
