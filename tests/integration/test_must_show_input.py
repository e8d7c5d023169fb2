"""Bad input is refused with a clear error before anything of it is sent, and harms no other stream."""

import pytest

BAD_FIELDS = {
    "CR in a value": ("x-a", "one\rtwo"),
    "LF in a value": ("x-a", "one\ntwo"),
    "CRLF and a field": ("x-a", "one\r\nx-b: two"),
    "NUL in a value": ("x-a", "one\0two"),
    "CR in a name": ("x-a\r", "one"),
    "LF in a name": ("x\n-a", "one"),
    "NUL in a name": ("x\0-a", "one"),
    "space in a name": ("x a", "one"),
    "colon in a name": ("x:a", "one"),
    "pseudo field": (":path", "/other"),
    "empty name": ("", "one"),
    "non-ASCII name": ("x-é", "one"),
    "DEL in a value": ("x-a", "one\x7f"),
}

BAD_METHODS = ["", "GE T", "GET\r\n", "GET\0", "G\x80T", "G/T", "GET /x HTTP/1.1\r\nx:"]

BAD_URLS = [
    "",
    "/relative",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "https://",
    "https:///path",
    "https://127.0.0.1:port/",
    "https://[::1/",
    "https://exa\r\nmple.test/",
    "https://exam\0ple.test/",
    "https://127.0.0.1/\n",
    "https://127.0.0.1/" + "a" * 70_000,
]


def hold_one(client, server):
    """A stream that is open all the while."""
    run = client.submit(server.url("/slow?ms=250"))
    server.wait(lambda: server.requests("/slow"))
    return run


def check_harmless(client, server, run, requests):
    done = run.wait()
    assert (done.error, done.status, done.conn) == ("", 200, 1)
    assert client.get(server.url("/")).conn == 1
    assert len(server.requests()) == requests + 2
    assert server.one().resets == {}


@pytest.mark.parametrize("version", [1, 2])
def test_bad_fields(any_probe, peer, h1peer, version):
    if version == 2:
        server = peer()
        client = any_probe()
        run = hold_one(client, server)
    else:
        server = h1peer()
        client = any_probe()
    for what, pair in BAD_FIELDS.items():
        pair = tuple(part.encode("utf-8") for part in pair)
        for where in ("header", "trailer"):
            if (what, where) == ("pseudo field", "trailer"):
                continue
            done = client.get(server.url("/bad"), **{where: [pair]})
            assert (done.error, done.phase) == ("INVALID_FIELD", "usage"), (what, where, done)
            assert done.refused
    assert server.requests("/bad") == []
    if version == 2:
        check_harmless(client, server, run, 0)


def test_bad_methods(any_probe, peer):
    server = peer()
    client = any_probe()
    run = hold_one(client, server)
    for method in BAD_METHODS:
        done = client.get(server.url("/bad"), method=method.encode("latin-1"))
        assert (done.error, done.refused) == ("INVALID_METHOD", True), (method, done)
    check_harmless(client, server, run, 0)


def test_bad_urls(any_probe, peer):
    server = peer()
    client = any_probe()
    run = hold_one(client, server)
    for url in BAD_URLS:
        done = client.get(url)
        assert done.error in ("INVALID_URL", "UNSUPPORTED_SCHEME"), (url[:40], done)
        assert (done.refused, done.phase) == (True, "usage")
    # a number that no port has is told when the URL is used, not when it is parsed
    done = client.get("https://127.0.0.1:99999/")
    assert (done.error, done.refused) == ("CONNECT", True)
    check_harmless(client, server, run, 0)


def test_bad_targets_and_names(any_probe, peer):
    server = peer()
    client = any_probe()
    run = hold_one(client, server)
    for target in ("/a b", "/a\r\nb", "/a\0", "/\x7f"):
        done = client.get(server.url("/bad"), target=target)
        assert (done.refused, done.phase) == (True, "usage"), (target, done)
    for name in ("a b", "a\0b", "a\nb"):
        done = client.get(server.url("/bad"), server_name=name)
        assert (done.refused, done.phase) == (True, "usage"), (name, done)
    check_harmless(client, server, run, 0)


# ---- bodies that are not as long as announced


@pytest.mark.parametrize("kind", ["callback", "push"])
@pytest.mark.parametrize("announced, size", [(1000, 999), (1000, 1001), (0, 1), (100_000, 70_000)])
def test_a_body_of_another_length_than_announced(any_probe, peer, kind, announced, size):
    server = peer()
    client = any_probe()
    run = hold_one(client, server)
    done = client.post(server.url("/upload"), body_size=size, body_kind=kind, length=announced)
    assert (done.error, done.phase) == ("REQUEST_LENGTH", "usage"), done
    check_body_harmless(client, server, run)


def check_body_harmless(client, server, run):
    """The head may have gone before the end of the body was known; then its stream alone is reset,
    and never finished."""
    done = run.wait()
    assert (done.error, done.status, done.conn) == ("", 200, 1)
    assert client.get(server.url("/")).conn == 1
    for request in server.requests("/upload"):
        assert not request.ended
        server.wait(lambda stream=request.stream_id: stream in server.one().resets)
    server.one().assert_each_reset_once()


@pytest.mark.parametrize("version", [1, 2])
def test_a_content_length_field_that_lies(any_probe, peer, h1peer, version):
    server = peer() if version == 2 else h1peer()
    client = any_probe()
    for value in ("4", "6", "0", "five", "5, 5", "-5", "+5", "0x5", "5 5", "", "99999999999999999999"):
        done = client.post(server.url("/bad"), header={"Content-Length": value}, body=b"12345")
        assert done.error in ("REQUEST_LENGTH", "INVALID_FIELD"), (value, done)
        assert (done.phase, done.refused) == ("usage", True)
    pairs = [("Content-Length", "5"), ("content-length", "6")]
    for body in ({"body": "12345"}, {"body_kind": "push", "body": "12345", "length": "unknown"}):
        done = client.post(server.url("/bad"), header=pairs, **body)
        assert (done.error, done.refused) == ("REQUEST_LENGTH", True)
    assert client.get(server.url("/bad"), header={"Content-Length": "5"}).error == "REQUEST_LENGTH"
    assert client.get(server.url("/")).status == 200
    assert server.requests("/bad") == []


def test_a_content_length_that_is_true_is_sent_once(any_probe, peer, h1peer):
    for server in (peer(), h1peer()):
        done = any_probe().post(
            server.url("/upload"), header={"content-length": "5"}, body=b"12345"
        )
        assert done.status == 200
        (request,) = server.requests("/upload")
        lengths = [v for n, v in request.fields if n.lower() == "content-length"]
        assert lengths == ["5"]


def test_a_source_that_fails(any_probe, peer, h1peer):
    server = peer()
    client = any_probe()
    run = hold_one(client, server)
    done = client.post(
        server.url("/upload"), body_size=50_000, body_kind="callback", piece=5000, fail_after=20_000
    )
    assert (done.error, done.phase) == ("BODY_SOURCE", "body"), done
    check_body_harmless(client, server, run)


def test_a_file_that_shrinks(any_probe, peer, tmp_path):
    """It was 300,000 bytes when the request was made, and is cut while it is being sent."""

    path = tmp_path / "body"
    path.write_bytes(bytes(300_000))

    def script(conn):
        conn.auto_credit = False
        conn.handshake()
        req = conn.expect_request()
        conn.wait(lambda: req.body_length == 65535)
        path.write_bytes(bytes(70_000))
        conn.auto_credit = True
        conn.window_update(0, 65535)
        conn.window_update(req.stream_id, 400_000)
        conn.window_update(0, 400_000)
        conn.expect_rst(req.stream_id)
        assert not req.ended
        conn.serve()

    server = peer(script)
    client = any_probe()
    done = client.post(server.url("/upload"), body_file=str(path))
    assert done.error in ("REQUEST_LENGTH", "BODY_SOURCE"), done
    assert client.get(server.url("/")).status == 200


def test_a_body_file_that_is_not_there(any_probe, peer, tmp_path):
    client = any_probe()
    done = client.post(peer().url("/upload"), body_file=str(tmp_path / "missing"))
    assert (done.error, done.refused) == ("SYSTEM", True)
    done = client.post(peer().url("/upload"), body_file=str(tmp_path))
    assert (done.error, done.refused) == ("INVALID_ARGUMENT", True)


def test_too_many_fields(any_probe, peer):
    """Refused where the list is made; nothing is sent."""
    server = peer()
    client = any_probe()
    done = client.get(server.url("/bad"), header={"x-large": "a" * (1024 * 1024 + 1)})
    assert (done.error, done.refused) == ("HEADER_TOO_LARGE", True)
    assert server.accepted == 0


def test_credentials_that_cannot_be_sent(any_probe, peer):
    server = peer()
    client = any_probe()
    for auth in (("basic", "user:x", "pass"), ("basic", "us\ner", "pass"), ("bearer", "a\r\nb")):
        done = client.get(server.url("/bad"), auth=[auth])
        assert (done.error, done.refused) == ("INVALID_ARGUMENT", True), (auth, done)
    assert server.accepted == 0
