"""The programs of the README and of the pages in docs/ run, against servers of this machine.

The blocks of one page are one program: a name that one of them sets is there in the next. What a comment says of a
print is what it prints. Names of hosts are replaced by those of the tests' servers; files that programs read are there.

docs/authentication.rst has a test of its own (test_docs.py).
"""

import os
import re
import socketserver
import textwrap
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
OTHERS = {"authentication.rst", "compatibility.rst"}
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((TOP / "docs").glob("*.rst")) if path.name not in OTHERS)]

_REST = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1   .*\n|\n)+)", re.MULTILINE)
_MARKDOWN = re.compile(r"^()```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINT = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


def blocks(page):
    """The page's programs as (line number, text)."""
    text = (TOP / page).read_text(encoding="utf-8")
    for match in (_MARKDOWN if page.endswith(".md") else _REST).finditer(text):
        yield text[: match.start(2)].count("\n") + 1, textwrap.dedent(match.group(2))


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "13")
        self.end_headers()
        self.wfile.write(b"over a socket")

    def log_message(self, format, *args):
        pass

    def address_string(self):
        return "unix"


@pytest.fixture
def unix_server(tmp_path):
    path = str(tmp_path / "app.sock")
    with socketserver.ThreadingUnixStreamServer(path, _Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture
def hosts(httpbin, app, nginx, tinyproxy_auth, microsocks_auth, nghttpx, unix_server):
    return {
        "https://httpbin.org": httpbin.https_url(""),
        "https://api.example.com": app.https_url(""),
        "http://api.example.com": app.http_url(""),
        "https://www.example.org": app.https_url(""),
        "https://expired.example.com": nginx.bad_cert_url("expired", ""),
        "https://internal.example.com": nginx.mtls_url(""),
        "https://192.0.2.1": app.https_url("", host="127.0.0.1"),
        "proxy.example.com:8080": tinyproxy_auth.url.partition("://")[2],
        "proxy.example.com:1080": f"127.0.0.1:{microsocks_auth.port}",
        "proxy.example.com:8443": f"127.0.0.1:{nghttpx.port}",
        "/run/app.sock": unix_server,
    }


@pytest.fixture
def workplace(ca, tmp_path, monkeypatch):
    """The current directory of the programs; the environment is put back afterwards."""
    (tmp_path / "report.csv").write_text("a;b\n1;2\n")
    (tmp_path / "ca.pem").write_bytes(Path(ca.ca_file).read_bytes())
    (tmp_path / "crl.pem").write_bytes(Path(ca.crl_file).read_bytes())
    (tmp_path / "client.pem").write_bytes(Path(ca.client_cert).read_bytes())
    (tmp_path / "client.key").write_bytes(Path(ca.client_key).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    kept = dict(os.environ)
    yield
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)


@pytest.mark.parametrize("page", PAGES)
def test_page(page, hosts, nginx, workplace, capsys):
    if page == "README.md":
        # It makes a thousand requests, in which a server in Python would have its say.
        hosts["https://api.example.com"] = nginx.https_url("")
    namespace = {"__name__": "page"}
    programs = list(blocks(page))
    assert programs
    for line, source in programs:
        for host, address in hosts.items():
            source = source.replace(host, address)
        exec(compile("\n" * (line - 1) + source, page, "exec"), namespace)
        printed = capsys.readouterr().out.splitlines()
        for expected in _PRINT.findall(source):
            assert expected in printed, f"{page}:{line}: {expected!r} was not printed"


def test_every_page_is_looked_at():
    assert "docs/quickstart.rst" in PAGES and "README.md" in PAGES
    assert sum(len(list(blocks(page))) for page in PAGES) > 50
