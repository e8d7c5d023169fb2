"""The programs in docs/authentication.rst: each runs, against the same servers as the guide's."""

import re
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "authentication.rst"
_BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def programs():
    return [textwrap.dedent(block) for block in _BLOCK.findall(PAGE.read_text())]


def test_the_page_has_programs():
    assert len(programs()) == 15


@pytest.mark.parametrize("number", range(15))
def test_program(number, ca, httpbin, app, tinyproxy_auth, monkeypatch, capsys):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    source = programs()[number]
    hosts = {
        "https://httpbin.org": httpbin.https_url(""),
        "https://api.example.com": app.https_url(""),
        "https://auth.example.com": app.https_url(""),
        "http://proxy.example.com:8080": tinyproxy_auth.url,
    }
    for host, address in hosts.items():
        source = source.replace(host, address)
    assert "example.com" not in source and "httpbin.org" not in source
    namespace = {}
    exec(compile(source, f"{PAGE.name}-{number}", "exec"), namespace)
    printed = capsys.readouterr().out.splitlines()
    # What a comment says of a print is what it printed.
    for line in re.findall(r"^ *print\(.*\)  # (\d+(?: \d+)*)", source, re.MULTILINE):
        assert line in printed
    for name in ("response", "first", "second", "allowed"):
        if name in namespace and "expired" not in source:
            assert namespace[name].status_code == 200, name
            assert namespace[name].http_version == "HTTP/2", name
    for name in ("data", "users", "profile"):
        if name in namespace:
            assert namespace[name]["authenticated"] is True
    for line in printed:
        assert "'authenticated': False" not in line
    if "expired" in source:
        assert printed == ['not logged in: Bearer realm="tests"']
