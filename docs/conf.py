"""Settings of the documentation: see docs.am for how it is built.

The C reference is made from the comments of include/requestx/, the Python reference from the package's docstrings and
stubs. With the tag "man" the C pages alone are read, and no package needs to have been built.
"""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
sys.path.insert(0, str(HERE / "_ext"))

project = "requestx"
copyright = "the requestx authors"  # noqa: A001
author = "the requestx authors"
version = release = re.search(
    r"AC_INIT\(\[requestx\], \[([^]]+)\]", (TOP / "configure.ac").read_text()
).group(1)

extensions = ["hawkmoth", "c_reference"]
templates_path = []
exclude_patterns = ["_ext", "examples"]
highlight_language = "python"
nitpicky = False
smartquotes = False

# The word of CC that is a compiler: neither a wrapper before it nor an option after it.
hawkmoth_compiler = [word for word in os.environ.get("CC", "cc").split() if not word.startswith("-")][-1]

if tags.has("man"):  # noqa: F821
    root_doc = "c/index"
    exclude_patterns += ["*.rst", "python", "internals"]
    # Each page stands for itself.
    suppress_warnings = ["toc.not_included"]
else:
    # The package of the build, or else the one built in place.
    sys.path.insert(0, os.environ.get("REQUESTX_STAGE") or str(TOP / "pyext"))
    try:
        import requestx._core  # noqa: F401
    except ImportError as error:
        sys.exit(
            f"docs: the Python package cannot be imported ({error}).\n"
            "docs: build it for the interpreter that runs Sphinx: make, or pyext/build_inplace.py"
        )
    extensions += ["sphinx.ext.autodoc", "stubs"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88
maximum_signature_line_length = 100
c_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"requestx {version}"
html_copy_source = False
html_show_sphinx = False
html_static_path = []

_SECTION = 3
man_pages = [
    ("c/index", "librequestx", "an HTTP client library that speaks HTTP/2 first", [], _SECTION),
    ("c/engine", "rqx_engine", "one descriptor behind which all sockets live", [], _SECTION),
    ("c/client", "rqx_client", "defaults, limits, and a pool of connections", [], _SECTION),
    ("c/request", "rqx_request", "what to send", [], _SECTION),
    ("c/response", "rqx_response", "an exchange, and then its response", [], _SECTION),
    ("c/url", "rqx_url", "URLs, parsed and immutable", [], _SECTION),
    ("c/headers", "rqx_headers", "lists of fields", [], _SECTION),
    ("c/multipart", "rqx_multipart", "forms with files", [], _SECTION),
    ("c/auth", "rqx_auth", "credentials", [], _SECTION),
    ("c/cookies", "rqx_cookies", "a jar of cookies", [], _SECTION),
    ("c/tls", "rqx_tls", "how TLS connections are made and whom they trust", [], _SECTION),
    ("c/proxy", "rqx_proxy", "a proxy and its credentials", [], _SECTION),
    ("c/address", "rqx_address", "which addresses may be connected to", [], _SECTION),
    ("c/retry", "rqx_retry", "when a request is sent again", [], _SECTION),
    ("c/decoder", "rqx_decoder", "content codings undone", [], _SECTION),
    ("c/error", "rqx_error", "what can go wrong, and how it is told", [], _SECTION),
    ("c/types", "rqx_types", "types that all headers share", [], _SECTION),
    ("c/version", "rqx_version", "the versions in use", [], _SECTION),
]
man_show_urls = False
