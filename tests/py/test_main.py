"""The command line, against a real server."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def command(ca, app):
    """command(*arguments): runs `python -m requestx`, and gives its exit status, output and errors."""

    def run(*arguments, stdin=None):
        import os

        environment = {**os.environ, "SSL_CERT_FILE": ca.ca_file, "COLUMNS": "80", "TERM": "dumb"}
        done = subprocess.run(
            [sys.executable, "-m", "requestx", *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            env=environment,
            timeout=30,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def body_of(output):
    head, _, body = output.partition("\n\n")
    return head.splitlines(), body


def test_get(command, app):
    code, output, errors = command(app.https_url("/data?api_key=your-api-key"))
    head, body = body_of(output)
    assert (code, errors, head[0]) == (0, "", "HTTP/2 200 OK")
    assert json.loads(body)["by"] == "key"


def test_http1(command, app):
    code, output, _ = command("--http1", app.https_url("/echo"))
    assert code == 0
    assert output.startswith("HTTP/1.1 200")
    assert json.loads(body_of(output)[1])["http_version"] == "1.1"


def test_lines_are_not_wrapped(command, app):
    long = "x" * 300
    code, output, _ = command(app.https_url("/echo"), "-h", "X-Long", long)
    assert code == 0 and f'"{long}"' in output


@pytest.mark.parametrize(
    ("arguments", "method", "body", "content_type"),
    [
        (["-c", "text"], "POST", "text", None),
        (["-d", "a", "1", "-d", "b", "2"], "POST", "a=1&b=2", "application/x-www-form-urlencoded"),
        (["-j", '{"a": [1]}'], "POST", '{"a":[1]}', "application/json"),
        (["-m", "PUT", "-c", "text"], "PUT", "text", None),
        (["-m", "DELETE"], "DELETE", "", None),
        ([], "GET", "", None),
    ],
)
def test_bodies(command, app, arguments, method, body, content_type):
    code, output, _ = command(app.https_url("/echo"), *arguments)
    got = json.loads(body_of(output)[1])
    assert (code, got["method"], got["body"]) == (0, method, body)
    assert dict(map(tuple, got["headers"])).get("content-type") == content_type


def test_files(command, app, tmp_path):
    path = tmp_path / "upload.txt"
    path.write_text("file's content")
    code, output, _ = command(app.https_url("/echo"), "-f", "field", str(path))
    assert code == 0
    assert "file's content" in json.loads(body_of(output)[1])["body"]


def test_params_headers_cookies(command, app):
    code, output, _ = command(
        app.https_url("/echo"), "-p", "a", "1", "-h", "X-One", "2", "--cookies", "c", "3", "-p", "b", "x y"
    )
    got = json.loads(body_of(output)[1])
    headers = dict(map(tuple, got["headers"]))
    assert code == 0
    assert (got["query"], headers["x-one"], headers["cookie"]) == ("a=1&b=x+y", "2", "c=3")


def test_auth(command, app):
    code, output, _ = command(app.https_url("/protected"), "--auth", "user", "pass")
    assert (code, json.loads(body_of(output)[1])["by"]) == (0, "basic")
    code, output, _ = command(app.https_url("/protected"), "--auth", "user", "wrong")
    assert code == 1 and output.startswith("HTTP/2 401")


def test_redirects(command, app):
    code, output, _ = command(app.https_url("/redirect/1"))
    assert code == 1 and output.startswith("HTTP/2 302")
    code, output, _ = command(app.https_url("/redirect/1"), "--follow-redirects")
    assert code == 0
    assert [line for line in output.splitlines() if line.startswith("HTTP/2")] == ["HTTP/2 302 Found", "HTTP/2 200 OK"]


def test_verbose(command, app):
    code, output, _ = command(app.https_url("/echo", host="localhost"), "-v")
    lines = output.splitlines()
    assert code == 0
    assert lines[0] == "* Connecting to 'localhost'"
    assert any(line.startswith("* Connected to ") and line.endswith(f" on port {app.https_port}") for line in lines)
    assert "GET /echo HTTP/2" in lines
    assert f"host: localhost:{app.https_port}" in lines


def test_download(command, app, tmp_path):
    path = tmp_path / "file"
    code, output, _ = command(app.https_url("/bytes/100000"), "--download", str(path))
    assert code == 0
    assert path.stat().st_size == 100_000
    assert output.startswith("HTTP/2 200")


def test_binary(command, app):
    code, output, _ = command(app.https_url("/bytes/1000"))
    assert (code, body_of(output)[1]) == (0, "<1000 bytes of binary data>\n")


def test_errors(command, unused_port):
    code, output, errors = command(f"http://127.0.0.1:{unused_port}/")
    assert (code, errors) == (1, "")
    assert output.startswith("ConnectError: ") and f"127.0.0.1:{unused_port}" in output
    assert command("ftp://example.org/")[:2] == (
        1,
        "UnsupportedProtocol: Request URL has an unsupported protocol 'ftp://'.\n",
    )
    assert command("http://[::1")[1].startswith("InvalidURL: ")
    assert command("http://example.org/", "--proxy", "127.0.0.1:3128") == (
        1,
        "ValueError: Unknown scheme for proxy URL URL('127.0.0.1:3128'): "
        "http://, https://, socks5:// and socks5h:// are known\n",
        "",
    )


def test_untrusted(command, app, monkeypatch):
    import os

    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    run = [sys.executable, "-m", "requestx", app.https_url("/echo")]
    refused = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=30)
    assert refused.returncode == 1 and refused.stdout.startswith("ConnectError: ")
    accepted = subprocess.run([*run, "--no-verify"], capture_output=True, text=True, env=environment, timeout=30)
    assert accepted.returncode == 0 and accepted.stdout.startswith("HTTP/2 200")


def test_usage(command):
    code, output, _ = command("--help")
    assert code == 0
    for option in ("--method", "--json", "--http1", "--verbose", "--download"):
        assert option in output
    assert command()[0] == 2
    code, _, errors = command("http://example.org/", "-j", "{nonsense")
    assert code == 2 and "Not valid JSON" in errors


def test_without_click():
    program = "import sys; sys.modules['click'] = None; import requestx; requestx.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "pip install click rich pygments" in done.stdout
