"""Proxies that are themselves spoken to over TLS: whom they are trusted by, and what reaches whom."""

import pytest
from support.process import wait_until

SECOND = 1_000_000
AUTHORIZATION = "Basic dXNlcjpwYXNz"  # user:pass


@pytest.fixture
def origin(peer):
    return peer()


@pytest.fixture
def through(any_probe, ca):
    """through(proxy_url, **options) -> a probe that trusts the tests' CA for the proxy too"""
    return lambda proxy, **options: any_probe(
        **{"proxy": proxy, "proxy_ca": ca.ca_file, **options}
    )


# ---- working


def test_http_urls_are_asked_in_absolute_form(through, h1peer, proxy_peer):
    server, proxy = h1peer(), proxy_peer(tls=True)
    client = through(proxy.proxy)
    done = client.get(server.url("/echo?a=b"), header={"X-Own": "1"})
    assert (done.error, done.status, done.version) == ("", 200, 11)
    (request,) = proxy.requests
    assert (request.method, request.target) == ("GET", server.url("/echo?a=b"))
    assert server.requests()[0].headers["x-own"] == "1"
    assert proxy.conns[0].alpn == "http/1.1"  # the only one that is of use there


def test_absolute_form_keeps_the_connection(through, h1peer):
    proxy = h1peer(tls=True, reply=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    client = through(proxy.url(""))
    for _ in range(3):
        assert client.get("http://somewhere.example.test/").body == b"hi"
    assert proxy.accepted == 1


def test_http_2_inside_a_tunnel(through, origin, proxy_peer):
    proxy = proxy_peer(tls=True)
    client = through(proxy.proxy)
    group = client.group(origin.url("/"), 100)
    assert group.statuses == {"200": 100}
    assert proxy.connects() == [origin.address]
    done = client.get(origin.url("/"))
    assert (done.version, done.conn) == (20, 1)


def test_http_1_1_inside_a_tunnel(through, h1peer, proxy_peer):
    server, proxy = h1peer(tls=True), proxy_peer(tls=True)
    client = through(proxy.proxy)
    for _ in range(3):
        done = client.get(server.url("/echo"))
        assert (done.status, done.version, done.conn) == (200, 11, 1)
    assert proxy.connects() == [server.address]


def test_large_bodies_both_ways(through, nginx, proxy_peer):
    """TLS inside TLS with full buffers."""
    proxy = proxy_peer(tls=True)
    client = through(proxy.proxy)
    assert client.get(nginx.https_url("/1m")).length == 1 << 20
    body = b"x" * (4 << 20)
    for url in (nginx.https_url("/post"), nginx.https_h1_url("/post")):
        done = client.get(url, method="POST", body=body)
        assert (done.error, done.json["length"]) == ("", len(body))


@pytest.mark.parametrize("inside", ["http", "https"])
def test_credentials_for_the_proxy_alone(through, h1peer, proxy_peer, inside):
    server = h1peer(tls=inside == "https")
    proxy = proxy_peer(tls=True, username="us er", password="p@ss:w")
    url = proxy.proxy.replace("://", "://us%20er:p%40ss%3Aw@")
    done = through(url, proxy_header={"X-Team": "a"}).get(server.url("/"))
    assert (done.error, done.status) == ("", 200)
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    assert proxy.requests[0].headers["x-team"] == "a"
    assert "proxy-authorization" not in server.requests()[0].headers


def test_tls_to_the_proxy_is_resumed(through, h1peer, proxy_peer):
    proxy = proxy_peer(tls=True)
    client = through(proxy.proxy, max_keepalive=0)
    for _ in range(3):
        assert client.get(h1peer(tls=True).url("/")).status == 200
    assert proxy.accepted == 3


# ---- whom the proxy is trusted by


@pytest.mark.parametrize(
    "name, cause",
    [("expired", "expired"), ("self_signed", "self-signed"), ("wrong_host", "other.invalid")],
)
@pytest.mark.parametrize("inside", ["http", "https"])
def test_the_proxys_certificate_is_checked(through, h1peer, proxy_peer, name, cause, inside):
    server, proxy = h1peer(tls=inside == "https"), proxy_peer(tls=True, cert=name, check=False)
    done = through(proxy.proxy).get(server.url("/"))
    assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
    assert done.tls_verify != 0
    for part in ("TLS handshake with proxy", proxy.address, server.address, cause):
        assert part in done.error_text
    assert proxy.requests == [] and server.accepted == 0


def test_trust_of_origins_is_not_trust_of_proxies(any_probe, ca, origin, proxy_peer):
    proxy = proxy_peer(tls=True, check=False)
    for options in ({"ca": ca.ca_file}, {"verify": 0}):
        done = any_probe(proxy=proxy.proxy, **options).get(origin.url("/"))
        assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
    assert proxy.requests == []
    # and the other way round
    done = any_probe(proxy=proxy.proxy, proxy_verify=0, ca=ca.untrusted_ca_file).get(origin.url("/"))
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls"), done
    assert any_probe(proxy=proxy.proxy, proxy_verify=0).get(origin.url("/")).status == 200


def test_a_file_that_cannot_be_read_is_not_the_proxys_fault(through, origin, proxy_peer, tmp_path):
    proxy = proxy_peer(tls=True, check=False)
    done = through(proxy.proxy, proxy_ca=tmp_path / "none.pem").get(origin.url("/"))
    assert (done.error, done.phase) == ("TLS_CONFIG", "tls"), done
    assert "none.pem" in done.error_text


def test_a_proxy_of_the_environment(probe, ca, origin, h1peer, proxy_peer):
    proxy, plain = proxy_peer(tls=True), h1peer()
    env = {"ALL_PROXY": proxy.proxy, "SSL_CERT_FILE": ca.ca_file}
    client = probe("embedded", trust_env=1, env=env)
    assert client.get(origin.url("/")).status == 200
    assert client.get(plain.url("/")).status == 200
    assert [request.method for request in proxy.requests] == ["CONNECT", "GET"]


# ---- failures


def test_a_proxy_that_does_not_speak_tls(through, origin, proxy_peer):
    proxy = proxy_peer(check=False)
    done = through(f"https://{proxy.address}", connect_ms=3000).get(origin.url("/"))
    assert (done.error, done.phase) in [("PROXY_CONNECT", "proxy"), ("CONNECT_TIMEOUT", "timeout")]
    assert "TLS handshake with" in done.error_text and proxy.address in done.error_text


def test_a_proxy_that_refuses_connections(through, origin, unused_port):
    done = through(f"https://127.0.0.1:{unused_port}").get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
    assert f"127.0.0.1:{unused_port}" in done.error_text and "refused" in done.error_text


@pytest.mark.parametrize(
    "mode, error",
    [
        ("403", "PROXY_REFUSED"),
        ("502", "PROXY_REFUSED"),
        ("407", "PROXY_AUTH"),
        ("garbage", "PROXY_PROTOCOL"),
        ("endless", "PROXY_PROTOCOL"),
        ("truncated", "PROXY_CONNECT"),
        ("close", "PROXY_CONNECT"),
        ("refuse", "PROXY_CONNECT"),
    ],
)
def test_a_proxy_that_refuses_or_talks_nonsense(through, origin, proxy_peer, mode, error):
    proxy = proxy_peer(mode, tls=True, check=False)
    done = through(proxy.proxy, connect_ms=3000).get(origin.url("/"))
    assert (done.error, done.phase) == (error, "proxy"), done
    assert proxy.address in done.error_text and origin.address in done.error_text
    assert origin.accepted == 0


@pytest.mark.parametrize("mode", ["drip", "length", "chatty"])
def test_a_proxy_with_quirks(through, origin, proxy_peer, mode):
    done = through(proxy_peer(mode, tls=True).proxy).get(origin.url("/"))
    assert (done.error, done.status, done.version) == ("", 200, 20)


def test_a_proxy_that_hangs_in_its_handshake(through, origin, h1peer):
    proxy = h1peer(lambda conn: conn.stall())
    done = through(f"https://{proxy.address}", connect_ms=300).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert f"waiting for the TLS handshake with the proxy {proxy.address}" in done.error_text
    assert 0.3 * SECOND <= done.timings["total"] < 1.3 * SECOND


@pytest.mark.parametrize(
    "mode, waits",
    [
        ("hang", "waiting for the proxy"),
        ("hang-after-connect", "waiting for the TLS handshake through the proxy"),
    ],
)
def test_a_proxy_that_hangs(through, origin, proxy_peer, mode, waits):
    proxy = proxy_peer(mode, tls=True)
    # time enough for the steps before the one that hangs
    done = through(proxy.proxy, connect_ms=1000).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert f"{waits} {proxy.address}" in done.error_text
    assert 1 * SECOND <= done.timings["total"] < 2 * SECOND
    assert origin.accepted == 0


# ---- HTTP/2 to the proxy


@pytest.fixture
def h2_proxy(peer):
    """h2_proxy(function of (conn, request)) -> a proxy that speaks HTTP/2 and does that with CONNECT"""

    def make(react):
        def script(conn):
            conn.handshake()
            react(conn, conn.expect_request())

        return peer(script, check=False)

    return make


@pytest.mark.parametrize("protocols, alpn", [(3, "h2"), (1, "http/1.1"), (2, "h2")])
def test_what_the_proxy_is_offered(through, nghttpx, nginx, protocols, alpn):
    def asked():
        return [chosen for line, chosen in nghttpx.requests() if line.startswith(f"CONNECT localhost:{nginx.https_port} HTTP/")]

    before = len(asked())
    client = through(nghttpx.proxy_url, protocols=protocols)
    done = client.get(nginx.https_url("/conn"))
    assert (done.error, done.json["protocol"]) == ("", "HTTP/1.1" if protocols == 1 else "HTTP/2.0")
    assert client.close() == 0
    assert wait_until(lambda: asked()[before:])[-1] == alpn


def test_large_bodies_through_nghttpx(through, nghttpx, nginx):
    client = through(nghttpx.proxy_url, read_ms=30000, write_ms=30000)
    assert client.get(nginx.https_url("/1m")).length == 1 << 20
    for url in (nginx.https_url("/64k"), nginx.https_h1_url("/64k")):
        group = client.group(url, 200, parallel=20)
        assert group.statuses == {"200": 200}
    body = b"x" * (4 << 20)
    for url in (nginx.https_url("/post"), nginx.https_h1_url("/post")):
        done = client.get(url, method="POST", body=body)
        assert done.error == "", done
        assert done.json["length"] == len(body)


def test_credit_that_comes_along_with_an_answer(through, nghttpx, nginx):
    """What is read for the stream may bring the tunnel's credit with it: the write that waits for that goes on."""
    client = through(nghttpx.proxy_url, ping_idle_ms=1000, ping_timeout_ms=1000)
    body = b"x" * (4 << 20)
    for _ in range(20):
        done = client.get(nginx.https_url("/post"), method="POST", body=body)
        assert done.error == "", done
        assert done.json["length"] == len(body)


def test_a_response_that_is_read_late_through_nghttpx(through, nghttpx, nginx):
    """HTTP/1.1 inside: a reader that rests holds back the tunnel, whose proxy is answered all the same."""
    client = through(nghttpx.proxy_url)
    run = client.submit(nginx.https_h1_url("/100m"), streamed=1, hold=1)
    assert run.head()["status"] == 200
    for _ in range(3):
        run.read(1 << 20)
    assert client.get(nginx.https_url("/small")).status == 200
    run.close()
    assert client.get(nginx.https_h1_url("/1m")).length == 1 << 20


def test_absolute_form_is_asked_in_http_1_1(through, nghttpx, nginx):
    url = nginx.http_url("/64k?alone")  # the log also tells of tunnels that others have closed just now
    client = through(nghttpx.proxy_url)
    assert client.get(url).length == 64 << 10
    client.close()
    asked = wait_until(lambda: [(line, chosen) for line, chosen in nghttpx.requests() if url in line])
    assert asked[-1] == (f"GET {url} HTTP/1.1", "http/1.1")


def test_what_connect_says_in_http_2(through, h2_proxy, origin):
    seen = []

    def react(conn, request):
        seen.append(request)
        conn.respond(request.stream_id, 407)

    proxy = h2_proxy(react)
    url = f"https://user:pass@{proxy.address}"
    client = through(url, proxy_header={"X-Proxy": "1", "Connection": "close"})
    done = client.get(origin.url("/"), header={"Cookie": "secret=1", "X-Own": "1"})
    assert (done.error, done.phase) == ("PROXY_AUTH", "proxy"), done
    assert proxy.address in done.error_text and "407" in done.error_text
    (request,) = seen
    assert (request.method, request.authority) == ("CONNECT", origin.address)
    assert request.headers["proxy-authorization"] == AUTHORIZATION
    assert request.headers["x-proxy"] == "1"
    for name in (":path", ":scheme", "cookie", "x-own", "connection", "host"):
        assert name not in request.headers
    assert origin.accepted == 0


FAILURES = {
    "403": ("PROXY_REFUSED", "403", lambda conn, req: conn.respond(req.stream_id, 403, b"no")),
    "502": ("PROXY_REFUSED", "502", lambda conn, req: conn.respond(req.stream_id, 502)),
    "reset": ("PROXY_REFUSED", "CONNECT_ERROR", lambda conn, req: conn.rst(req.stream_id, 10)),
    "refused": ("PROXY_REFUSED", "REFUSED_STREAM", lambda conn, req: conn.rst(req.stream_id, 7)),
    "goaway": ("PROXY_REFUSED", "ENHANCE_YOUR_CALM", lambda conn, req: conn.goaway(0, 11)),
    "close": ("PROXY_CONNECT", "without an answer", lambda conn, req: conn.close()),
    "garbage": ("PROXY_PROTOCOL", "", lambda conn, req: conn.raw(b"HTTP/1.1 200 OK\r\n\r\n" * 9)),
    "no-status": (
        "PROXY_PROTOCOL",
        "malformed",
        lambda conn, req: conn.send_headers(req.stream_id, {"x-a": "b"}),
    ),
    "large": (
        "PROXY_PROTOCOL",
        "too large",
        lambda conn, req: conn.send_headers(
            req.stream_id, [(":status", "200")] + [(f"x-{i}", "v" * 1000) for i in range(20)]
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_an_http_2_proxy_that_fails(through, h2_proxy, origin, name):
    error, cause, action = FAILURES[name]

    def react(conn, request):
        action(conn, request)
        conn.until_closed()

    proxy = h2_proxy(react)
    done = through(proxy.url("").rstrip("/"), connect_ms=5000).get(origin.url("/"))
    assert (done.error, done.phase) == (error, "proxy"), done
    for part in (proxy.address, origin.address, cause):
        assert part in done.error_text
    assert origin.accepted == 0


@pytest.mark.parametrize("end", ["end", "reset"])
def test_a_tunnel_that_leads_nowhere(through, h2_proxy, origin, end):
    def react(conn, request):
        conn.send_headers(request.stream_id, {":status": "200"}, end_stream=end == "end")
        if end == "reset":
            conn.rst(request.stream_id, 10)
        conn.until_closed()

    done = through(h2_proxy(react).url("").rstrip("/"), connect_ms=5000).get(origin.url("/"))
    assert done.phase in ("tls", "proxy"), done
    assert origin.address in done.error_text


@pytest.mark.parametrize("when", ["preface", "answer", "inside"])
def test_an_http_2_proxy_that_hangs(through, peer, origin, when):
    def script(conn):
        if when == "preface":
            return conn.stall()
        conn.handshake()
        request = conn.expect_request()
        if when == "inside":
            conn.send_headers(request.stream_id, {":status": "200"})
        conn.until_closed()

    proxy = peer(script, check=False)
    done = through(proxy.url("").rstrip("/"), connect_ms=300).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    waits = "the TLS handshake through the proxy" if when == "inside" else "the proxy"
    assert f"waiting for {waits} {proxy.address}" in done.error_text
    assert 0.3 * SECOND <= done.timings["total"] < 1.3 * SECOND


def test_a_proxy_that_speaks_http_2_alone(through, h2_proxy, h1peer):
    """An http URL is asked in absolute form, of HTTP/1.1."""
    proxy = h2_proxy(lambda conn, request: conn.until_closed())
    done = through(proxy.url("").rstrip("/"), connect_ms=3000).get(h1peer().url("/"))
    assert (done.error, done.phase) == ("PROTOCOL", "protocol"), done
    assert f"through proxy {proxy.address}: the peer does not speak HTTP/1.1" in done.error_text
