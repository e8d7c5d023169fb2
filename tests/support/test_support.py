"""The servers and peers themselves, tried with curl, h2load and raw frames."""

import json
import os
import socket
import struct
import subprocess
import time

import pytest

from support import frames, leaks, servers, www
from support.blackhole import BlackHole
from support.certs import PAIRS
from support.nginx import BAD_CERTS
from support.peer import Peer, early
from support.process import Server, StartError, has_ipv6, wait_until
from support.proxy_peer import MODES as PROXY_MODES
from support.rawclient import RawClient
from support.socks_peer import MODES as SOCKS_MODES


@pytest.fixture
def curl(ca, tmp_path):
    """curl(url, *options) -> (http version, status, body, error text)"""

    def run(url, *options, seconds=5):
        out = tmp_path / "body"
        out.write_bytes(b"")
        command = [
            "curl",
            "-sS",
            "--noproxy",
            "" if "-x" in options else "*",
            "-m",
            str(seconds),
            "--cacert",
            ca.ca_file,
            "-o",
            str(out),
            "-w",
            "%{http_version} %{http_code}",
            *options,
            url,
        ]
        done = subprocess.run(
            command, capture_output=True, timeout=seconds + 10, stdin=subprocess.DEVNULL
        )
        version, status = done.stdout.decode().split()
        return version, int(status), out.read_bytes(), done.stderr.decode()

    return run


def h2load(*options):
    done = subprocess.run(["h2load", *options], capture_output=True, timeout=50, text=True)
    assert "status codes:" in done.stdout, done.stdout + done.stderr
    return done.stdout


# certificates


@pytest.mark.parametrize("name", PAIRS)
def test_each_certificate_is_what_it_says(ca, name):
    command = ["openssl", "verify", "-no-CApath", "-CAfile", ca.ca_file]
    if name == "revoked":
        command += ["-crl_check", "-CRLfile", ca.crl_file]
    if name == "intermediate":
        command += ["-untrusted", ca.intermediate_cert]
    if name != "client":
        command += ["-verify_hostname", "localhost"]
    done = subprocess.run([*command, ca.pair(name)[0]], capture_output=True, text=True)
    words = {
        "expired": "expired",
        "not_yet_valid": "not yet valid",
        "wrong_host": "hostname mismatch",
        "self_signed": "self-signed",
        "untrusted": "issuer",
        "revoked": "revoked",
        "missing_intermediate": "issuer",
    }
    if name in words:
        assert done.returncode and words[name] in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_the_encrypted_client_key_opens_with_its_password(ca):
    context = ca.client_context()
    context.load_cert_chain(ca.client_cert, ca.client_key_encrypted, ca.client_key_password)
    context.load_cert_chain(ca.client_combined)


# real servers


def test_nginx_serves_every_protocol(nginx, curl):
    assert curl(nginx.https_url("/small"))[:3] == ("2", 200, www.SMALL)
    assert curl(nginx.https_h1_url("/small"))[:3] == ("1.1", 200, www.SMALL)
    assert curl(nginx.http_url("/1k"))[:3] == ("1.1", 200, www.KIB)
    assert curl(nginx.h2c_url("/1k"), "--http2-prior-knowledge")[:3] == ("2", 200, www.KIB)
    if has_ipv6():
        assert curl(nginx.https_url("/small", "::1"))[1] == 200


def test_nginx_demands_client_certificates_on_one_port(nginx, curl, ca):
    assert curl(nginx.mtls_url("/conn"))[1] == 400
    body = curl(nginx.mtls_url("/conn"), "--cert", ca.client_cert, "--key", ca.client_key)[2]
    assert "requestx test client" in json.loads(body)["client"]


@pytest.mark.parametrize("name", [name for name in BAD_CERTS if name != "revoked"])
def test_nginx_has_a_port_per_bad_certificate(nginx, curl, name):
    assert "(60)" in curl(nginx.bad_cert_url(name))[3]
    assert curl(nginx.bad_cert_url(name, "/small"), "-k")[2] == www.SMALL


def test_nginx_locations(nginx, curl):
    assert json.loads(curl(nginx.https_url("/post"), "-d", "x" * 5000)[2]) == {"length": 5000}
    assert curl(nginx.https_url("/413"), "-d", "x" * 5000)[1] == 413
    assert curl(nginx.https_url("/gzip"), "--compressed")[2] == www.TEXT
    assert curl(nginx.https_url("/status/418"))[1] == 418
    assert curl(nginx.https_url("/basic"))[1] == 401
    assert curl(nginx.https_url("/basic"), "-u", "user:pass")[1] == 200
    assert curl(nginx.https_url("/redirect"), "-L")[2] == www.SMALL
    assert len(curl(nginx.https_url("/100m"))[2]) == www.BIG


def test_nginx_access_log_counts_connections(nginx, curl):
    with nginx.watch() as watch:
        curl(nginx.https_url("/small"))
        curl(nginx.https_url("/small"))
        h2load("-n5", "-c1", "-m2", nginx.https_url("/1k"))
        assert len(watch.requests(7)) == 7
        assert len(watch.connections(7)) == 3
        assert {entry["uri"] for entry in watch.requests(7)} == {"/small", "/1k"}


def test_nginx_says_goaway_after_keepalive_requests(ca, tmp_path):
    with servers.Nginx(ca, tmp_path, keepalive_requests=3, max_concurrent_streams=5) as server:
        done = subprocess.run(
            ["nghttp", "-nv", "-m2", *[server.https_url("/small")] * 3],
            capture_output=True,
            text=True,
        )
        assert "GOAWAY" in done.stdout
        assert "SETTINGS_MAX_CONCURRENT_STREAMS(0x03):5" in done.stdout


def test_nginx_reloads_and_restarts_on_the_same_port(ca, tmp_path, curl):
    with servers.Nginx(ca, tmp_path) as server:
        url = server.https_url("/small")
        server.reload()
        assert curl(url)[1] == 200
        server.kill()
        assert not server.running and "(7)" in curl(url)[3]
        server.start()
        assert curl(url)[1] == 200
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nghttpd_sends_trailers_over_tls_and_cleartext(ca, tmp_path, curl):
    with servers.Nghttpd(
        ca, tmp_path, trailers=[("x-check", "sum")], max_concurrent_streams=7
    ) as server:
        assert curl(server.https_url("/1k"))[:3] == ("2", 200, www.KIB)
        assert curl(server.http_url("/1k"), "--http2-prior-knowledge")[:3] == ("2", 200, www.KIB)
        done = subprocess.run(
            ["nghttp", "-nv", server.https_url("/small")], capture_output=True, text=True
        )
        assert "x-check: sum" in done.stdout
        assert "MAX_CONCURRENT_STREAMS(0x03):7" in done.stdout


def test_h2o(h2o, curl):
    assert curl(h2o.https_url("/1k"))[:3] == ("2", 200, www.KIB)
    assert curl(h2o.http_url("/small"))[:3] == ("1.1", 200, www.SMALL)
    assert curl(h2o.http_url("/small"), "--http2-prior-knowledge")[:2] == ("2", 200)
    assert curl(h2o.https_url("/gzip"), "--compressed")[2] == www.TEXT


def test_httpbin_behind_hypercorn(httpbin, curl):
    version, status, body, _ = curl(httpbin.https_url("/basic-auth/user/pass"), "-u", "user:pass")
    assert (version, status, json.loads(body)["authenticated"]) == ("2", 200, True)
    assert curl(httpbin.https_url("/bearer"), "-H", "authorization: Bearer abc")[1] == 200
    assert curl(httpbin.https_url("/bearer"))[1] == 401
    assert curl(httpbin.https_url("/post"), "--http1.1", "-d", "a=b")[:2] == ("1.1", 200)
    assert curl(httpbin.http_url("/get"), "--http2-prior-knowledge")[:2] == ("2", 200)


def test_app_tells_what_it_saw(app, curl):
    seen = json.loads(curl(app.https_url("/echo?a=1"), "-d", "body", "-H", "X-Thing: 7")[2])
    assert seen["body"] == "body" and seen["query"] == "a=1" and ["x-thing", "7"] in seen["headers"]
    assert curl(app.https_url("/sse?n=3&ms=1"))[2].count(b"event: tick") == 3
    assert len(curl(app.https_url("/bytes/300000"))[2]) == 300000
    assert curl(app.https_url("/redirect/3"), "-L")[1] == 200
    assert json.loads(curl(app.https_url("/cookies/set?a=b"), "-L", "-b", "")[2]) == {
        "cookies": {"a": "b"}
    }
    done = subprocess.run(
        ["nghttp", "-nv", "-H", "te: trailers", app.https_url("/trailers")], capture_output=True
    )
    assert b"x-length: 13" in done.stdout


def test_app_oauth_tokens_expire(app, curl):
    form = "grant_type=client_credentials&client_id=client-id&client_secret="
    assert curl(app.https_url("/oauth/token"), "-d", form + "wrong")[1] == 401
    answer = json.loads(
        curl(app.https_url("/oauth/token?expires_in=0.3"), "-d", form + "client-secret")[2]
    )
    bearer = ("-H", f"authorization: Bearer {answer['access_token']}")
    assert curl(app.https_url("/oauth/protected"), *bearer)[1] == 200
    wait_until(lambda: curl(app.https_url("/oauth/protected"), *bearer)[1] == 401, 5)


@pytest.mark.parametrize(
    "options",
    [
        ("-u", "user:pass"),
        ("-H", "authorization: Bearer api-token"),
        ("-H", "x-api-key: your-api-key"),
    ],
)
def test_app_guards(app, curl, options):
    assert curl(app.https_url("/data"))[1] == 401
    assert curl(app.https_url("/data"), *options)[1] == 200


def test_app_notices_clients_that_leave(app, curl):
    def disconnects():
        return json.loads(curl(app.https_url("/stats"))[2])["disconnects"]

    before = disconnects()
    assert "(28)" in curl(app.https_url("/never"), seconds=0.3)[3]
    wait_until(lambda: disconnects() == before + 1, 5)


def test_tinyproxy(nginx, tinyproxy, tinyproxy_auth, curl):
    assert curl(nginx.https_url("/small"), "-x", tinyproxy.url)[:2] == ("2", 200)
    assert curl(nginx.http_url("/small"), "-x", tinyproxy.url)[2] == www.SMALL
    assert f"localhost:{nginx.https_port}" in tinyproxy.connects()
    assert curl(nginx.https_url("/small"), "-x", tinyproxy_auth.proxy_url)[1] == 200
    assert "407" in curl(nginx.https_url("/small"), "-x", tinyproxy_auth.url)[3]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_proxies(nginx, microsocks, microsocks_auth, danted, curl, scheme):
    for proxy in (microsocks, microsocks_auth, danted):
        got = curl(nginx.https_url("/small", host="127.0.0.1"), "-x", proxy.address(scheme))
        assert got[:2] == ("2", 200)
    assert any(str(nginx.https_port) in one for one in microsocks.connects())
    denied = curl(nginx.https_url("/small"), "-x", microsocks_auth.address(scheme, login=False))
    assert denied[1] == 0 and denied[3]
    assert curl("http://127.0.0.66/", "-x", danted.address(scheme))[1] == 0


def test_nghttpx(ca, nginx, nghttpx, curl):
    trust, before = ("--proxy-cacert", ca.ca_file), len(nghttpx.requests())
    assert curl(nginx.https_url("/small"), "-x", nghttpx.proxy_url, *trust)[:2] == ("2", 200)
    assert curl(nginx.http_url("/small"), "-x", nghttpx.proxy_url, *trust)[2] == www.SMALL
    asked = wait_until(lambda: len(nghttpx.requests()) >= before + 2 and nghttpx.requests()[before:])
    assert {alpn for _, alpn in asked} == {"http/1.1"}


def test_a_server_that_does_not_start_shows_its_log(tmp_path):
    class Broken(Server):
        NAME = "broken"
        PORTS = {"http": "http"}

        def commands(self):
            return [["sh", "-c", "echo it is broken; exit 3"]]

    with pytest.raises(StartError, match="exit status 3(.|\n)*it is broken"):
        with Broken(tmp_path):
            pass


# the HTTP/2 peer


def test_peer_paths(peer, curl, tmp_path):
    p = peer()
    (tmp_path / "upload").write_bytes(b"x" * 200000)
    assert curl(p.url("/"))[:3] == ("2", 200, b"ok")
    assert len(curl(p.url("/bytes?n=1000000"))[2]) == 1000000
    assert len(curl(p.url("/chunked?n=70000"))[2]) == 70000
    assert curl(p.url("/slow?ms=20"))[2] == b"slow"
    assert curl(p.url("/drip?n=3&ms=1"))[2] == b"abc"
    assert curl(p.url("/hints?n=2"))[1] == 200
    assert curl(p.url("/status?code=204"))[1] == 204
    assert (
        json.loads(curl(p.url("/upload"), "--data-binary", f"@{tmp_path}/upload")[2])["length"]
        == 200000
    )
    assert curl(p.url("/echo-body"), "-d", "there and back")[2] == b"there and back"
    assert json.loads(curl(p.url("/echo?x=1"), "-d", "abc")[2])["body"] == "abc"
    assert curl(p.url("/trailers"))[2] == b"body"
    assert curl(p.url("/redirect?to=/"), "-L")[2] == b"ok"
    assert curl(p.url("/nothing"))[1] == 404
    assert "(92)" in curl(p.url("/rst?code=2"))[3]
    assert "(92)" in curl(p.url("/short"))[3]
    assert "(28)" in curl(p.url("/never"), seconds=0.2)[3]
    assert "(28)" in curl(p.url("/partial"), seconds=0.2)[3]


def test_peer_records_a_connection(peer, curl):
    p = peer()
    curl(p.url("/one?a=1"), "-d", "body", "-H", "x-a: 1")
    conn, (request,) = p.one(), p.requests("/one")
    assert (request.method, request.target, request.query, request.body) == (
        "POST",
        "/one",
        {"a": "1"},
        b"body",
    )
    assert request.headers["x-a"] == "1" and request.ended and request.reset is None
    assert conn.alpn == "h2" and conn.settings[frames.ENABLE_PUSH] == 0
    p.assert_sent_once("/one")
    with pytest.raises(AssertionError):
        p.assert_sent_once("/two")


def test_peer_knows_the_name_asked_for(peer, curl):
    p = peer()
    resolve = f"a.example.test:{p.port}:127.0.0.1"
    assert curl(p.url("/", host="a.example.test"), "--resolve", resolve)[1] == 200
    assert p.one().sni == "a.example.test"


def test_peer_serves_ten_thousand_streams_in_seconds(peer):
    p = peer()
    begun = time.monotonic()
    assert "10000 2xx" in h2load("-n10000", "-c1", "-m100", p.url("/"))
    assert time.monotonic() - begun < 20
    conn = p.one()
    assert len(conn.requests) == 10000 and conn.max_streams_open <= 100 and conn.streams_open == 0
    conn.assert_flow_balanced()


def test_peer_stays_within_the_clients_windows(peer):
    p = peer()
    assert "6 2xx" in h2load("-n6", "-c1", "-m3", "-w12", "-W17", p.url("/bytes?n=100000"))
    conn = p.one()
    assert conn.data_sent == 600000 and conn.largest_send_window == 131071
    p.assert_no_credit_leak()


def test_peer_over_cleartext(peer, curl):
    p = peer(tls=False)
    assert curl(p.url("/"), "--http2-prior-knowledge")[:3] == ("2", 200, b"ok")


def test_peer_with_h1_beside_it(peer, curl):
    p = peer(alpn=("h2", "http/1.1"))
    assert curl(p.url("/http11"), "--http1.1")[2] == b"over http/1.1"
    assert curl(p.url("/"))[0] == "2"
    assert len(p.h1_requests()) == 1 and len(p.requests()) == 1


def test_peer_without_alpn(peer, curl):
    p = peer(alpn=None, check=False)
    curl(p.url("/"), seconds=0.3)
    assert p.one().alpn is None and p.one().tls_version


def test_a_scripted_exchange(peer):
    def script(conn):
        conn.handshake({frames.MAX_CONCURRENT_STREAMS: 3})
        conn.expect_settings_ack()
        request = conn.expect_request("/script")
        assert conn.expect_body(request) == b"body"
        conn.ping(b"are you?")
        assert conn.expect_pong() == b"are you?"
        conn.send_headers(request.stream_id, {":status": 200, "x-long": "v" * 40000})
        conn.send_body(request.stream_id, b"z" * 100000)
        assert conn.expect_rst(3) == frames.CANCEL
        assert conn.expect_goaway() == (0, 0, b"bye")
        conn.goaway(3)
        conn.close()

    p = peer(script, tls=False)
    with RawClient(p.port) as client:
        client.ack()
        client.request(1, "/script", end=False, method="POST")
        client.send(frames.DATA, frames.END_STREAM, 1, b"body")
        client.send(frames.PING, frames.ACK, 0, client.read(frames.PING)[3])
        client.read(frames.HEADERS, 1)
        client.read(frames.CONTINUATION, 1)
        client.send(frames.WINDOW_UPDATE, 0, 0, frames.u32(100000))
        client.send(frames.WINDOW_UPDATE, 0, 1, frames.u32(100000))
        received = 0
        while received < 100000:
            received += len(client.read(frames.DATA, 1)[3])
        client.request(3)
        client.send(frames.RST_STREAM, 0, 3, frames.u32(frames.CANCEL))
        client.send(frames.GOAWAY, 0, 0, bytes(8) + b"bye")
        client.read(frames.GOAWAY)
    p.wait(lambda: p.one().outcome)
    assert p.one().outcome == "done" and p.one().resets == {3: [frames.CANCEL]}


def test_a_failing_script_fails_the_test():
    def script(conn):
        conn.handshake()
        raise LookupError("the script says so")

    with pytest.raises(LookupError, match="the script says so"):
        with Peer(None, script) as p:
            with RawClient(p.port) as client:
                client.read(frames.SETTINGS)
                p.wait(lambda: p.errors)


def _wrong(client, act):
    """What a client does wrong in each way that the peer must notice."""
    trailing = client.encoder.encode([("x-t", "1")])
    {
        "even": lambda: client.request(2),
        "backwards": lambda: (client.request(5), client.request(3)),
        "upper case": lambda: client.request(1, extra=[("X-A", "1")]),
        "connection field": lambda: client.request(1, extra=[("connection", "close")]),
        "te": lambda: client.request(1, extra=[("te", "gzip")]),
        "length": lambda: client.request(1, extra=[("content-length", "5")]),
        "user information": lambda: client.request(1, extra=[(":authority", "u@h")]),
        "data after end": lambda: (
            client.request(1, "/never"),
            client.send(frames.DATA, 1, 1, b"x"),
        ),
        "window": lambda: (
            client.request(1, "/stall-upload", end=False),
            [client.send(frames.DATA, 0, 1, bytes(16384)) for _ in range(5)],
        ),
        "reset idle": lambda: client.send(frames.RST_STREAM, 0, 7, frames.u32(8)),
        "reset twice": lambda: (
            client.request(1, "/never"),
            client.send(frames.RST_STREAM, 0, 1, frames.u32(8)),
            client.send(frames.RST_STREAM, 0, 1, frames.u32(8)),
        ),
        "zero credit": lambda: client.send(frames.WINDOW_UPDATE, 0, 0, frames.u32(0)),
        "credit overflow": lambda: client.send(frames.WINDOW_UPDATE, 0, 0, frames.u32(2**31 - 1)),
        "too many streams": lambda: (
            client.ack(),
            [client.request(i, "/never") for i in range(1, 9, 2)],
        ),
        "trailers without end": lambda: (
            client.request(1, end=False),
            client.send(frames.HEADERS, 4, 1, trailing),
        ),
        "interrupted block": lambda: (
            client.send(frames.HEADERS, 0, 1, b""),
            client.send(frames.PING, 0, 0, bytes(8)),
        ),
        "push": lambda: client.send(frames.PUSH_PROMISE, 4, 1, bytes(4)),
        "hpack": lambda: client.send(frames.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff"),
        "long frame": lambda: client.send(0x42, 0, 0, bytes(16385)),
    }[act]()


@pytest.mark.parametrize(
    "act",
    [
        "even",
        "backwards",
        "upper case",
        "connection field",
        "te",
        "length",
        "user information",
        "data after end",
        "window",
        "reset idle",
        "reset twice",
        "zero credit",
        "credit overflow",
        "too many streams",
        "trailers without end",
        "interrupted block",
        "push",
        "hpack",
        "long frame",
    ],
)
def test_peer_notices_a_client_that_breaks_the_rules(act):
    with pytest.raises(AssertionError, match="the client broke the protocol"):
        with Peer(max_concurrent_streams=3) as p:
            with RawClient(p.port) as client:
                _wrong(client, act)
                p.wait(lambda: p.violations, what=act)


def test_peer_takes_a_client_that_keeps_the_rules(peer):
    p = peer(tls=False, max_concurrent_streams=3)
    with RawClient(p.port) as client:
        client.ack()
        client.request(1, extra=[("te", "trailers"), ("content-length", "4")], end=False)
        client.send(frames.DATA, frames.PADDED, 1, b"\x03data\0\0\0")
        client.send(
            frames.HEADERS,
            frames.END_HEADERS | frames.END_STREAM,
            1,
            client.encoder.encode([("x-t", "1")]),
        )
        assert client.fields(1)[":status"] == "200"
        client.request(3, "/bytes?n=100000")
        client.read(frames.DATA, 3)
        client.send(frames.RST_STREAM, 0, 3, frames.u32(frames.CANCEL))
        p.wait(lambda: p.one().resets)
    (first, second) = p.requests()
    assert (
        bytes(first.body) == b"data"
        and first.trailers == [("x-t", "1")]
        and second.reset == frames.CANCEL
    )
    p.one().assert_each_reset_once(frames.CANCEL)
    with pytest.raises(AssertionError, match="never reset"):
        p.one().resets.clear()
        p.one().assert_each_reset_once(timeout=0.05)


def test_peer_sees_credit_that_is_never_given_back(peer):
    p = peer(tls=False)
    with RawClient(p.port) as client:
        for stream_id in range(1, 11, 2):
            client.request(stream_id, "/bytes?n=10000")
            client.read(frames.HEADERS, stream_id)
        p.wait(lambda: p.one().data_sent == 50000)
        with pytest.raises(AssertionError, match="credit"):
            p.one().assert_no_credit_leak(timeout=0.05)
        client.send(frames.WINDOW_UPDATE, 0, 0, frames.u32(50000))
        p.one().assert_no_credit_leak()


def test_thousands_of_resets_are_counted(peer):
    p = peer(tls=False)
    with RawClient(p.port) as client:
        for stream_id in range(1, 10001, 2):
            client.request(stream_id, "/never")
            client.send(frames.RST_STREAM, 0, stream_id, frames.u32(frames.CANCEL))
        client.request(10001)
        assert client.fields(10001)[":status"] == "200"
    conn = p.one()
    conn.assert_each_reset_once(frames.CANCEL)
    assert len(conn.resets) == 5000 and conn.max_streams_open == 1 and conn.streams_open == 0


def test_peer_in_a_process_of_its_own(peer_process, curl):
    p = peer_process(latency_ms=1)
    assert curl(p.url("/bytes?n=100"))[1] == 200
    assert "(92)" in curl(p.url("/short"))[3]
    p.wait(lambda summary: len(summary) == 2 and summary[1]["resets"])
    first, second = p.summary()
    assert (
        first["paths"] == {"/bytes?n=100": 1}
        and first["data_sent"] == 100
        and not first["violations"]
    )
    assert second["resets"] == {str(frames.PROTOCOL_ERROR): 1}
    plain = peer_process(tls=False)
    assert curl(plain.url("/"), "--http2-prior-knowledge")[1] == 200
    assert plain.one()["requests"] == 1


def test_goaway_leaves_streams_above_unanswered(peer):
    p = peer(
        tls=False,
        goaway_after=2,
        handlers={"/late": lambda stream: stream.later(30, lambda: stream.respond(200))},
    )
    with RawClient(p.port) as client:
        for stream_id in (1, 3, 5, 7):
            client.request(stream_id, "/late")
        last = client.read(frames.GOAWAY)[3]
        assert frames.read_u32(last) == 3
        assert client.fields(1)[":status"] == client.fields(3)[":status"] == "200"
        with pytest.raises(ConnectionError):
            client.read(frames.HEADERS, 5)
    assert len(p.requests("/late")) == 4


def test_graceful_goaway_comes_in_two_steps(peer):
    p = peer(tls=False, goaway_after=1, graceful=True)
    with RawClient(p.port) as client:
        client.request(1, "/")
        assert client.fields(1)[":status"] == "200"
        assert frames.read_u32(client.read(frames.GOAWAY)[3]) == frames.MAX_STREAM_ID
        client.request(3, "/")
        client.send(frames.PING, frames.ACK, 0, client.read(frames.PING)[3])
        assert frames.read_u32(client.read(frames.GOAWAY)[3]) == 3
        assert client.fields(3)[":status"] == "200"
    assert len(p.requests()) == 2


def test_refused_streams_and_early_responses(peer):
    @early
    def at_once(stream):
        stream.respond(200, b"at once")

    p = peer(tls=False, refuse_first=1, handlers={"/at-once": at_once})
    with RawClient(p.port) as client:
        client.request(1)
        assert frames.read_u32(client.read(frames.RST_STREAM, 1)[3]) == frames.REFUSED_STREAM
        client.request(3, "/refuse?times=1")
        assert frames.read_u32(client.read(frames.RST_STREAM, 3)[3]) == frames.REFUSED_STREAM
        client.request(5, "/refuse?times=1")
        assert client.fields(5)[":status"] == "200"
        client.request(7, "/early?code=413", end=False)
        assert client.fields(7)[":status"] == "413"
        assert frames.read_u32(client.read(frames.RST_STREAM, 7)[3]) == frames.NO_ERROR
        client.request(9, "/at-once", end=False)
        assert client.fields(9)[":status"] == "200"
    assert [request.number for request in p.requests()] == [0, 1, 2, 3, 4]


def test_scripts_per_connection(peer):
    p = peer([lambda conn: conn.close(), lambda conn: conn.serve()], tls=False)
    with RawClient(p.port) as client, pytest.raises(ConnectionError):
        client.read(frames.HEADERS)
    with RawClient(p.port) as client:
        client.request(1)
        assert client.fields(1)[":status"] == "200"
    assert len(p.conns) == 2


def test_a_client_that_refuses_the_certificate_is_noted(peer, curl):
    p = peer(cert="expired")
    assert "expired" in curl(p.url("/"))[3]
    p.wait(lambda: p.tls_failures)
    assert not p.conns


# HTTP/1.1, proxies, names


@pytest.mark.parametrize("tls", [False, True])
def test_h1peer_paths(h1peer, curl, tls):
    p = h1peer(tls=tls)
    assert curl(p.url("/"))[:3] == ("1.1", 200, b"ok")
    assert len(curl(p.url("/bytes?n=100000"))[2]) == 100000
    assert len(curl(p.url("/chunked?n=1000&size=7"))[2]) == 1000
    assert curl(p.url("/chunked-trailers"))[2] == b"body"
    assert len(curl(p.url("/close-delimited?n=10"))[2]) == 10
    assert curl(p.url("/hints"))[2] == b"hinted"
    assert "(18)" in curl(p.url("/truncated"))[3]
    assert curl(p.url("/early-413"), "-T", "/bin/sh")[1] == 413
    expect = ("-d", "body", "-H", "expect: 100-continue")
    assert json.loads(curl(p.url("/continue"), *expect)[2]) == {"length": 4}
    assert curl(p.url("/417"), *expect)[1] == 417
    seen = json.loads(curl(p.url("/echo"), "-d", "abc", "-H", "transfer-encoding: chunked")[2])
    assert seen["body"] == "abc" and seen["chunks"] == [3]
    assert len(p.requests("/417")) == 1 and b"POST /417 HTTP/1.1" in p.requests("/417")[0].raw


def test_h1peer_keeps_connections_and_replies_as_told(h1peer, curl):
    p = h1peer()
    assert "4 2xx" in h2load("--h1", "-n4", "-c1", "-m1", p.url("/"))
    assert len(p.one().requests) == 4
    q = h1peer(reply=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", piece=1)
    assert curl(q.url("/any"))[2] == b"hi"


def test_proxy_peer_works_and_demands_credentials(proxy_peer, peer, h1peer, curl):
    h2, h1 = peer(), h1peer()
    proxy = proxy_peer(
        username="u", password="p", routes={"a.example.test:443": ("127.0.0.1", h2.port)}
    )
    assert curl(h1.url("/echo"), "-x", proxy.proxy_url, "-d", "abc")[1] == 200
    assert curl("https://a.example.test/", "-x", proxy.proxy_url)[:3] == ("2", 200, b"ok")
    assert curl(h1.url("/"), "-x", proxy.proxy)[1] == 407
    assert "407" in curl(h2.url("/"), "-x", proxy.proxy)[3]
    assert proxy.tunnels == ["a.example.test:443"] and len(proxy.connects()) == 2
    assert [request.target for request in proxy.requests][0] == h1.url("/echo")


def test_proxy_peer_over_tls(proxy_peer, peer, curl, ca):
    h2, proxy = peer(), proxy_peer(tls=True)
    assert (
        curl(h2.url("/bytes?n=500000"), "-x", proxy.proxy, "--proxy-cacert", ca.ca_file)[1] == 200
    )
    assert proxy.tunnelled[1] > 500000


@pytest.mark.parametrize("mode", sorted(PROXY_MODES))
def test_each_proxy_mode_plays(proxy_peer, peer, curl, mode):
    h2, proxy = peer(check=False), proxy_peer(mode)
    status, error = curl(h2.url("/"), "-x", proxy.proxy, seconds=0.4 if "hang" in mode else 5)[1::2]
    assert proxy.accepted == 1
    assert (status == 200 and not error) == (mode in ("ok", "drip", "length"))


@pytest.mark.parametrize("mode", sorted(SOCKS_MODES))
def test_each_socks_mode_plays(socks_peer, peer, curl, mode):
    login = {"username": "u", "password": "p"} if "login" in mode else {}
    h2, proxy = peer(check=False), socks_peer(mode, **login)
    error = curl(h2.url("/"), "-x", proxy.proxy_url, seconds=0.4 if "hang" in mode else 5)[3]
    assert proxy.accepted == 1 and proxy.logins == ([("u", "p")] if login else [])
    # a proxy that drips or answers with a name works all the same, and curl does not look at the login's version
    assert bool(error) == (mode not in ("ok", "drip", "name-reply", "bad-login-version"))


def test_socks_peer_with_credentials_and_names(socks_peer, peer, curl):
    h2 = peer()
    proxy = socks_peer(
        username="u", password="p", routes={"a.example.test": ("127.0.0.1", h2.port)}
    )
    url = proxy.proxy_url.replace("socks5", "socks5h")
    assert curl("https://a.example.test/", "-x", url)[1] == 200
    assert proxy.requests == [("name", "a.example.test", 443)] and proxy.logins == [("u", "p")]


def ask(server, name, qtype=1, tcp=False, seconds=1.0):
    """A query of our own; (rcode, flags, answer count, raw answer) or None for silence."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = (
        struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH", qtype, 1)
    )
    if tcp:
        with socket.create_connection((server.host, server.port), timeout=seconds) as sock:
            sock.sendall(struct.pack(">H", len(query)) + query)
            answer = sock.recv(4096)[2:]
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(seconds)
            sock.sendto(query, (server.host, server.port))
            try:
                answer = sock.recv(4096)
            except TimeoutError:
                return None
    ident, flags, _, count = struct.unpack_from(">HHHH", answer)
    return flags & 15, bool(flags & 0x0200), count, answer, ident


def test_dns_answers_truly_and_otherwise(dns):
    d = dns(
        {
            "a.example.test": ["127.0.0.1", "::1"],
            "*.wild.test": ["127.0.0.2"],
            "t.test": ["127.0.0.3"] * 3,
        }
    )
    assert ask(d, "a.example.test")[:3] == (0, False, 1) and ask(d, "a.example.test")[3].endswith(
        b"\x7f\0\0\1"
    )
    assert ask(d, "a.example.test", 28)[3].endswith(bytes(15) + b"\1")
    assert ask(d, "x.wild.test")[2] == 1 and ask(d, "x.wild.test", 28)[:3] == (0, False, 0)
    assert ask(d, "nobody.test")[0] == 3
    d.cname("alias.test", "a.example.test")
    assert ask(d, "alias.test")[2] == 2
    d.fail("bad.test", "SERVFAIL")
    assert ask(d, "bad.test")[0] == 2
    d.silent("mute.test")
    assert ask(d, "mute.test", seconds=0.1) is None
    d.truncate("t.test")
    assert ask(d, "t.test")[1] and ask(d, "t.test", tcp=True)[:3] == (0, False, 3)
    d.answer("late.test", ["127.0.0.1"])
    d.delay("late.test", 80)
    begun = time.monotonic()
    assert ask(d, "late.test")[2] == 1 and time.monotonic() - begun > 0.075
    d.spoof("t.test")
    assert ask(d, "t.test")[4] != 0x1234
    d.garbage("g.test")
    assert ask(d, "g.test")[2] == 5
    d.answer("slow-start.test", ["127.0.0.1"])
    d.drop_first("slow-start.test")
    assert ask(d, "slow-start.test", seconds=0.1) is None and ask(d, "slow-start.test")[2] == 1
    d.loop("l1.test", "l2.test")
    assert ask(d, "l1.test")[2] == 16
    assert d.count("a.example.test", "A") == 2 and ("a.example.test", "AAAA") in d.queries


# fixtures and guards


def test_unused_port_refuses(unused_port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", unused_port), timeout=1)


def test_black_hole_neither_accepts_nor_refuses(black_hole):
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", black_hole), timeout=0.3)


def test_the_leak_guard_sees_children_and_listeners():
    before = leaks.listening_ports()
    with socket.create_server(("127.0.0.1", 0)) as listener, BlackHole() as hole:
        assert leaks.listening_ports() - before == {listener.getsockname()[1], hole.port}
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert "sleep" in leaks.children()[child.pid]
    finally:
        child.kill()
        child.wait()
    assert child.pid not in leaks.children()
