"""URLs, bodies, content codings, redirects and credentials, and real servers one after the other."""

import gzip
import hashlib
import zlib

import pytest

from support.www import KIB, SMALL

USER_PASS = "Basic dXNlcjpwYXNz"


@pytest.fixture
def client(probe):
    return probe("embedded-pull", redirects=10)


# ---- URLs on the wire


@pytest.mark.parametrize(
    "written, target",
    [
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/a/../b/./c", "/b/c"),
        ("/a b", "/a%20b"),
        ("/a%20b%2Fc", "/a%20b%2Fc"),
        ("/ü?ö=ä", "/%C3%BC?%C3%B6=%C3%A4"),
        ("/x#fragment", "/x"),
        ("/x?a=1&b=2#f?g", "/x?a=1&b=2"),
        ("//double//slash", "//double//slash"),
        ("/%zz", "/%zz"),
        ("/a;b=c,d:e@f", "/a;b=c,d:e@f"),
    ],
)
def test_targets(client, peer, h1peer, written, target):
    for server in (peer(), h1peer()):
        client.get(server.url("") + written)
        request = server.requests()[0]
        if hasattr(request, "stream_id"):
            assert dict(request.fields)[":path"] == target
        else:
            assert request.line == f"GET {target} HTTP/1.1"


def test_international_hosts(probe, h1peer):
    server = h1peer()
    client = probe("embedded", resolve=["xn--bcher-kva.example.test=127.0.0.1"])
    done = client.get(f"http://BÜCHER.example.test:{server.port}/")
    assert (done.error, done.status) == ("", 200)
    assert server.requests()[0].headers["host"] == f"xn--bcher-kva.example.test:{server.port}"


# ---- content codings


@pytest.mark.parametrize("streamed", [0, 1])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw-deflate", "br", "zstd", "chain"])
def test_content_codings(any_probe, peer, coding, streamed):
    text = b"".join(b"line %d of the text\n" % i for i in range(20_000))
    packed = text
    for one in ["gzip", "br"] if coding == "chain" else [coding]:
        packed = pack(one, packed)
    name = {"raw-deflate": "deflate", "chain": "gzip, br"}.get(coding, coding)
    server = peer(
        handlers={"/packed": lambda s: s.respond(200, packed, [("content-encoding", name)])}
    )
    client = any_probe()
    done = client.get(server.url("/packed"), streamed=streamed)
    assert (done.error, done.read_error) == ("", "")
    assert done.length == len(text)
    assert done.sha256 == hashlib.sha256(text).hexdigest()
    raw = client.get(server.url("/packed"), streamed=1, raw=1)
    assert raw.sha256 == hashlib.sha256(packed).hexdigest()
    if not streamed:
        assert done.raw_length == len(packed)


def pack(coding, data):
    if coding == "gzip":
        return gzip.compress(data)
    if coding == "deflate":
        return zlib.compress(data)
    if coding == "raw-deflate":
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(data) + packer.flush()
    if coding == "br":
        brotli = pytest.importorskip("brotlicffi")
        return brotli.compress(data)
    return zstd_frame(data)


def zstd_frame(data):
    """A frame of blocks that are stored as they are (RFC 8878 sections 3.1.1 and 3.1.1.2)."""
    frame = bytearray(b"\x28\xb5\x2f\xfd\x00\x58")  # magic, no options, a window of 2 MiB
    pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    for piece in pieces:
        last = piece is pieces[-1]
        frame += (len(piece) << 3 | last).to_bytes(3, "little") + piece
    return bytes(frame)


def test_unknown_codings_are_left(client, peer):
    server = peer(
        handlers={"/odd": lambda s: s.respond(200, b"as is", [("content-encoding", "rot13")])}
    )
    for streamed in (0, 1):
        assert client.get(server.url("/odd"), streamed=streamed).body == b"as is"


def test_caps_on_decoded_bodies(any_probe, peer):
    packed = gzip.compress(bytes(70_000_000))  # a thousandth of it
    server = peer(
        handlers={
            "/zeros": lambda s: s.respond(200, packed, [("content-encoding", "gzip")]),
            "/few": lambda s: s.respond(200, gzip.compress(bytes(5_000_000)), [("content-encoding", "gzip")]),
        }
    )
    assert any_probe().get(server.url("/few")).length == 5_000_000  # harms nobody
    for options, failure in (
        ({}, "DECODED_TOO_LARGE"),
        ({"max_decode_ratio": 0}, ""),
        ({"max_decode_ratio": 0, "max_decoded": 69_999_999}, "DECODED_TOO_LARGE"),
        ({"max_decode_ratio": 2000, "max_decoded": 70_000_000}, ""),
    ):
        # undoing all that may take longer than an idle connection is kept
        client = any_probe(keepalive_expiry_ms=-1, **options)
        for streamed in (0, 1):
            done = client.get(server.url("/zeros"), streamed=streamed)
            assert (done.error, done.read_error) == ("", failure), options
        assert client.get(server.url("/")).conn == 1


# ---- redirects


def test_redirects_are_followed_and_kept(any_probe, peer):
    server = peer()
    client = any_probe(redirects=5)
    done = client.get(server.url("/redirect?to=/redirect%3Fto=/bytes%3Fn=3"))
    assert (done.status, done.length) == (200, 3)
    assert done.url == server.url("/bytes?n=3")
    assert [one["status"] for one in done.history] == [302, 302]
    assert done.history[0]["url"].endswith("/redirect?to=/redirect%3Fto=/bytes%3Fn=3")
    assert done.conn == 1


def test_redirects_are_not_followed_unless_asked(any_probe, peer):
    server = peer()
    done = any_probe().get(server.url("/redirect?to=/"))
    assert (done.status, done.headers["location"], done.history) == (302, "/", [])
    done = any_probe().get(server.url("/redirect?to=/"), redirects=1)
    assert (done.status, len(done.history)) == (200, 1)


def test_a_limit_of_redirects(any_probe, peer):
    server = peer(handlers={"/loop": lambda s: s.respond(302, b"", [("location", "/loop")])})
    done = any_probe(redirects=4).get(server.url("/loop"))
    assert (done.error, done.phase) == ("TOO_MANY_REDIRECTS", "usage")
    assert len(server.requests("/loop")) == 5
    assert server.address in done.error_text or "redirects" in done.error_text


@pytest.mark.parametrize(
    "code, method, expected, body_kept",
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (307, "POST", "POST", True),
        (308, "POST", "POST", True),
        (301, "HEAD", "HEAD", False),
        (303, "HEAD", "HEAD", False),
        (302, "PUT", "GET", False),
    ],
)
def test_methods_and_bodies_after_a_redirect(client, peer, code, method, expected, body_kept):
    server = peer()
    options = {} if method == "HEAD" else {"body": "payload"}
    url = server.url(f"/redirect?to=/echo&code={code}")
    done = client.get(url, method=method, header={"Content-Type": "text/plain"}, **options)
    assert done.status == 200
    request = server.requests("/echo")[0]
    assert request.method == expected
    assert request.body_length == (7 if body_kept else 0)
    assert ("content-type" in request.headers) is (body_kept or method == "HEAD")


def test_a_body_that_cannot_be_sent_twice_ends_at_the_redirect(any_probe, peer):
    server = peer()
    client = any_probe(redirects=5)
    options = {"body_kind": "callback", "body": "payload"}
    done = client.post(server.url("/redirect?to=/upload&code=307"), **options)
    assert done.error == "BODY_REPLAY" or done.status == 307, done
    done = client.post(server.url("/redirect?to=/upload&code=307"), rewind=1, **options)
    assert (done.status, done.json["length"]) == (200, 7)
    done = client.post(server.url("/redirect?to=/upload&code=303"), **options)
    assert (done.error, done.status, done.json["length"]) == ("", 200, 0)
    assert server.requests("/upload")[-1].method == "GET"


def test_credentials_and_cookies_stay_with_their_origin(any_probe, peer, h1peer):
    first, second = peer(), h1peer()
    client = any_probe(redirects=5)
    header = {"Authorization": "Bearer own", "Cookie": "a=b", "X-Own": "1"}
    for options in ({"header": header}, {"auth": [("basic", "user", "pass")], "header": {"X-Own": "1"}}):
        done = client.get(first.url(f"/redirect?to={second.url('/echo')}"), **options)
        assert done.status == 200
        request = second.requests("/echo")[-1]
        assert "authorization" not in request.headers and "cookie" not in request.headers
        assert request.headers["x-own"] == "1"
        assert request.headers["host"] == second.address
    # within the origin they go along
    done = client.get(first.url("/redirect?to=/echo"), header=header)
    assert first.requests("/echo")[-1].headers["authorization"] == "Bearer own"


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/", "file:///etc/passwd", "https://[::1"])
def test_redirects_that_lead_nowhere(any_probe, peer, to):
    server = peer(handlers={"/away": lambda s: s.respond(302, b"", [("location", to)])})
    client = any_probe(redirects=5)
    done = client.get(server.url("/away"))
    assert done.error in ("UNSUPPORTED_SCHEME", "INVALID_URL", "PROTOCOL"), done
    assert client.get(server.url("/")).status == 200


def test_a_redirect_with_a_large_body(any_probe, peer):
    server = peer(
        handlers={"/big": lambda s: s.respond(302, 10_000_000, [("location", "/bytes?n=5")])}
    )
    client = any_probe(redirects=5)
    done = client.get(server.url("/big"))
    assert (done.error, done.length) == ("", 5)
    assert server.one().data_sent < 5_000_000
    assert client.get(server.url("/")).conn == 1


# ---- credentials


def test_basic_and_bearer(any_probe, app):
    client = any_probe()
    url = app.https_url("/basic/user/pass")
    assert client.get(url).status == 401
    assert client.get(url, auth=[("basic", "user", "pass")]).status == 200
    assert client.get(url, auth=[("basic", "user", "wrong")]).status == 401
    assert client.get(url.replace("://", "://user:pass@")).status == 200
    assert client.get(app.https_url("/bearer/abc"), auth=[("bearer", "abc")]).status == 200


def test_credentials_of_the_client_and_of_a_request(any_probe, peer):
    server = peer()
    client = any_probe(auth=[("basic", "user", "pass")])
    client.get(server.url("/"))
    client.get(server.url("/"), auth=[("bearer", "token")])
    client.get(server.url("/"), auth="none")
    client.get(server.url("/").replace("://", "://other:word@"))
    seen = [request.headers.get("authorization") for request in server.requests()]
    assert seen[:3] == [USER_PASS, "Bearer token", None]
    assert seen[3] in (USER_PASS, "Basic b3RoZXI6d29yZA==")


def test_default_fields(any_probe, peer):
    server = peer()
    client = any_probe(header={"X-Default": "1", "User-Agent": "probe", "X-Both": "client"})
    client.get(server.url("/"), header={"x-both": "request"})
    (request,) = server.requests()
    assert request.headers["x-default"] == "1"
    assert [v for n, v in request.fields if n == "x-both"] == ["request"]


# ---- real servers


def test_every_server(any_server, any_probe):
    client = any_probe()
    done = client.get(any_server.https_url("/"))
    assert (done.error, done.status, done.version) == ("", 200, 20)
    group = client.group(any_server.https_url("/"), 300, parallel=100)
    assert group.statuses == {"200": 300}
    assert list(group.conns) == ["1"]


@pytest.mark.parametrize("name", ["nginx", "nghttpd", "h2o"])
def test_files(request, any_probe, name):
    server = request.getfixturevalue(name)
    client = any_probe()
    for path, size, start in (("/small", 13, SMALL), ("/1k", 1024, KIB), ("/1m", 1 << 20, None)):
        for streamed in (0, 1):
            done = client.get(server.https_url(path), streamed=streamed)
            assert (done.error, done.length) == ("", size)
            assert start is None or done.body == start
    run = client.submit(server.https_url("/100m"), streamed=1)
    done = run.wait(60)
    assert (done.error, done.length) == ("", 100_000_000)


def test_the_same_over_http_1_1(any_probe, nginx):
    client = any_probe(protocols=1)
    for url in (nginx.https_url("/1m"), nginx.https_h1_url("/1m"), nginx.http_url("/1m")):
        done = client.get(url)
        assert (done.error, done.version, done.length) == ("", 11, 1 << 20)


def test_h2c_with_real_servers(any_probe, nginx, nghttpd, h2o):
    client = any_probe(protocols=2)
    for url in (nginx.h2c_url("/small"), nghttpd.http_url("/small"), h2o.http_url("/small")):
        done = client.get(url)
        assert (done.error, done.version, done.body) == ("", 20, SMALL)


def test_uploads_to_real_servers(any_probe, nginx, app):
    client = any_probe()
    done = client.post(nginx.https_url("/post"), body_size=3_000_000)
    assert (done.error, done.json["length"]) == ("", 3_000_000)
    done = client.post(app.https_url("/upload"), body_size=1_000_000, body_kind="callback")
    data = bytes(i % 251 for i in range(1_000_000))
    assert done.json["sha256"] == hashlib.sha256(data).hexdigest()
    done = client.post(nginx.https_url("/413"), body_size=3_000_000)
    assert (done.error, done.status) == ("", 413)
    done = client.post(nginx.https_url("/early"), body_size=3_000_000)
    assert (done.error, done.status) == ("", 200)
    assert client.get(nginx.https_url("/small")).status == 200


def test_trailers_and_codings_of_nginx(any_probe, nginx):
    client = any_probe()
    done = client.get(nginx.https_url("/trailers"), header={"TE": "trailers"})
    assert dict(done.trailers) == {"x-checksum": "abc123", "x-second": "two"}
    done = client.get(nginx.https_url("/gzip"), header={"Accept-Encoding": "gzip"})
    assert done.headers["content-encoding"] == "gzip"
    assert done.raw_length < done.length


def test_a_server_that_limits_requests_of_a_connection(any_probe, ca, tmp_path):
    """nginx says GOAWAY after every fifth request; nobody notices."""
    from support.servers import Nginx

    with Nginx(ca, tmp_path, keepalive_requests=5) as server:
        client = any_probe(max_replays=100, pool_ms=-1)
        group = client.group(server.https_url("/small"), 100, parallel=20)
        assert group.statuses == {"200": 100}, group
        assert len(group.conns) >= 5


def test_a_server_that_reloads_and_one_that_restarts(any_probe, ca, tmp_path):
    from support.servers import Nginx

    with Nginx(ca, tmp_path) as server:
        client = any_probe()
        assert client.get(server.https_url("/small")).status == 200
        server.reload()
        for _ in range(20):
            assert client.get(server.https_url("/small")).status == 200
        server.restart()
        for _ in range(5):
            assert client.get(server.https_url("/small")).status == 200


def test_duplex(any_probe, app):
    """What is sent comes back while more is being sent."""
    client = any_probe()
    run = client.submit(
        app.https_url("/duplex"),
        method="POST",
        body_kind="push",
        push_open=1,
        length="unknown",
        streamed=1,
        verbose=1,
    )
    run.write(b"first")
    assert run.head()["status"] == 200
    client.until(lambda: run.read_so_far == 5, 10, "the echo")
    run.write(b"second")
    client.until(lambda: run.read_so_far == 11, 10, "the echo")
    run.end(b"third")
    done = run.wait()
    assert (done.error, done.body) == ("", b"firstsecondthird")


# ---- cookies


@pytest.mark.parametrize("port", ["https", "http"])
def test_a_jar_keeps_cookies_across_hops_and_requests(any_probe, app, port):
    url = getattr(app, f"{port}_url")
    client = any_probe(redirects=5, cookies=1)
    done = client.get(url("/cookies/set?a=1&b=2"))
    assert (done.status, done.json) == (200, {"cookies": {"a": "1", "b": "2"}})
    done = client.get(url("/cookies"), header={"Cookie": "own=0; a=mine"})
    assert done.json == {"cookies": {"own": "0", "a": "mine", "b": "2"}}
    done = client.get(url("/cookies/delete?a="))
    assert done.json == {"cookies": {"b": "2"}}
    assert any_probe().get(url("/cookies")).json == {"cookies": {}}


# ---- Digest


@pytest.mark.parametrize("port", ["https", "http"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_against_httpbin(probe, httpbin, port, qop, algorithm):
    url = getattr(httpbin, f"{port}_url")(f"/digest-auth/{qop}/user/pass/{algorithm}")
    client = probe("embedded-pull", cookies=1)
    done = client.get(url, auth=[("digest", "user", "pass")])
    assert (done.error, done.status, len(done.history)) == ("", 200, 1)
    assert done.history[0]["status"] == 401
    assert client.get(url, auth=[("digest", "user", "wrong")]).status == 401
    assert client.get(url).status == 401


@pytest.mark.parametrize("tls", [True, False])
def test_digest_sends_the_body_again(any_probe, peer, tls):
    def protected(stream):
        if "authorization" not in stream.request.headers:
            challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-512-256'
            return stream.respond(401, b"no", [("www-authenticate", challenge)])
        return stream.respond(200, b"yes")

    server = peer(tls=tls, handlers={"/protected": protected})
    client = any_probe(auth=[("digest", "user", "pass")], protocols=2)
    done = client.post(server.url("/protected"), body="payload")
    assert (done.status, done.body) == (200, b"yes")
    first, second = server.requests("/protected")
    assert (first.body_length, second.body_length) == (7, 7)
    assert second.headers["authorization"].startswith('Digest username="user", realm="r", nonce="n", uri="/protected"')
    # the next one is not challenged again
    assert client.post(server.url("/protected"), body="payload").history == []
    assert "nc=00000002" in server.requests("/protected")[2].headers["authorization"]
