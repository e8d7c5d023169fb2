"""HTTP/2 on the wire: ALPN, h2c, fields, flow control, early and interim responses, lengths."""

import hashlib

import pytest

from support import frames
from support.h1peer import H1Peer
from support.peer import Peer, early

ZEROS = hashlib.sha256(bytes(1_000_000)).hexdigest()


@pytest.fixture
def client(probe):
    return probe("embedded-pull")


def names_of(request):
    return [name for name, _ in request.fields]


# ---- ALPN and h2c


def test_one_connection_carries_what_arrives_during_the_first_dial(any_probe, peer):
    server = peer()
    group = any_probe().group(server.url("/"), 100)
    assert group.statuses == {"200": 100}
    assert list(group.conns) == ["1"]
    assert server.accepted == 1
    assert server.one().alpn == "h2"
    assert server.one().tls_version in ("TLSv1.2", "TLSv1.3")


def test_alpn_offers_both_and_follows_the_choice(any_probe, ca):
    with Peer(ca, alpn=("http/1.1",)) as server:
        done = any_probe().get(server.url("/"))
        assert (done.status, done.version) == (200, 11)
    with H1Peer(ca, alpn=None) as server:
        done = any_probe().get(server.url("/"))
        assert (done.status, done.version) == (200, 11)


def test_http_1_1_alone_does_not_offer_h2(any_probe, ca):
    with Peer(ca, alpn=("h2", "http/1.1")) as server:
        done = any_probe(protocols=1).get(server.url("/"))
        assert (done.status, done.version) == (200, 11)


def test_protocols_of_one_request(client, ca):
    with Peer(ca, alpn=("h2", "http/1.1")) as server:
        assert client.get(server.url("/")).version == 20
        assert client.get(server.url("/"), protocols=1).version == 11
        assert client.get(server.url("/"), protocols=2).version == 20
        assert client.get(server.url("/")).conn == 1


def test_sni_is_the_name_and_never_an_address(client, peer, probe):
    server = peer()
    assert client.get(server.url("/", host="localhost")).status == 200
    assert client.get(server.url("/", host="127.0.0.1")).status == 200
    assert [conn.sni for conn in server.conns] == ["localhost", None]
    other = probe("embedded", resolve=["w.example.test=127.0.0.1"])
    assert other.get(server.url("/", host="w.example.test")).status == 200
    assert server.conns[2].sni == "w.example.test"


def test_server_name_of_one_request(client, peer):
    """Asked for and checked in place of the host, on a connection of its own."""
    server = peer()
    assert client.get(server.url("/")).conn == 1
    done = client.get(server.url("/"), server_name="w.example.test")
    assert (done.status, done.conn) == (200, 2)
    assert server.conns[1].sni == "w.example.test"
    assert server.conns[1].requests[0].authority == server.address
    done = client.get(server.url("/"), server_name="elsewhere.invalid")
    assert done.error == "TLS_CERTIFICATE"


def test_h2c_by_prior_knowledge(any_probe, peer):
    server = peer(tls=False)
    client = any_probe(protocols=2)
    group = client.group(server.url("/"), 50)
    assert group.statuses == {"200": 50}
    assert server.one().requests[0].fields[1:3] != []
    assert ("scheme", "http") in [(n.strip(":"), v) for n, v in server.one().requests[0].fields]


def test_cleartext_urls_use_http_1_1_unless_told(any_probe, h1peer):
    server = h1peer()
    done = any_probe().get(server.url("/"))
    assert (done.status, done.version) == (200, 11)


def test_h2c_to_a_server_of_http_1_1(any_probe, h1peer):
    server = h1peer()
    done = any_probe(protocols=2, read_ms=3000).get(server.url("/"))
    assert done.phase == "protocol", done


# ---- settings and fields


def test_first_settings(client, peer):
    server = peer()
    client.get(server.url("/"))
    settings = server.one().settings
    assert settings.get(frames.ENABLE_PUSH) == 0
    assert settings.get(9) == 1  # NO_RFC7540_PRIORITIES (RFC 9218 section 2.1)
    assert settings[frames.INITIAL_WINDOW_SIZE] >= 65535
    # nothing else, which some server may not know what to do with
    assert set(settings) == {frames.ENABLE_PUSH, 9, frames.INITIAL_WINDOW_SIZE, frames.MAX_HEADER_LIST_SIZE}


def test_field_rules(client, peer):
    """RFC 9113 section 8.2: lower case, nothing that belongs to a connection, te only trailers."""
    server = peer()
    done = client.get(
        server.url("/echo?a=1"),
        header=[
            ("X-Mixed-Case", "Value"),
            ("Connection", "keep-alive, x-private"),
            ("X-Private", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("TE", "trailers, deflate"),
            ("X-Empty", ""),
            ("X-Twice", "1"),
            ("X-Twice", "2"),
        ],
    )
    assert done.status == 200
    (request,) = server.requests("/echo")
    names = names_of(request)
    assert names[:4] == sorted(names[:4], key=lambda n: not n.startswith(":"))
    assert {n for n in names if n.startswith(":")} == {":method", ":scheme", ":authority", ":path"}
    assert all(name == name.lower() for name in names)
    for name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"):
        assert name not in names
    assert "x-private" not in names, "a field that Connection named went along"
    assert request.headers.get("te") in (None, "trailers")
    assert request.headers["x-mixed-case"] == "Value"
    assert request.headers["x-empty"] == ""
    assert [v for n, v in request.fields if n == "x-twice"] == ["1", "2"]
    assert request.target == "/echo"


def test_te_trailers_is_let_through(client, peer):
    server = peer()
    client.get(server.url("/"), header={"TE": "trailers"})
    assert server.requests("/")[0].headers["te"] == "trailers"


def test_host_becomes_the_authority(client, peer):
    server = peer()
    client.get(server.url("/"), header={"Host": "other.example.test:81"})
    (request,) = server.requests("/")
    assert request.authority == "other.example.test:81"
    assert "host" not in names_of(request)


def test_userinfo_never_gets_into_the_authority(client, peer):
    server = peer()
    client.get(server.url("/").replace("127.0.0.1", "user:secret@127.0.0.1"))
    (request,) = server.requests("/")
    assert request.authority == server.address
    assert request.headers["authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_cookies_are_crumbs_and_secrets_are_never_indexed(client, ca):
    """RFC 9113 section 8.2.3; RFC 7541 section 7.1.3."""
    with Peer(ca) as server:
        header = [("Cookie", "a=1; b=2; long=" + "x" * 60), ("Authorization", "Bearer secret")]
        for _ in range(3):
            assert client.get(server.url("/"), header=header).status == 200
        requests = server.requests("/")
        for request in requests:
            assert [v for n, v in request.fields if n == "cookie"] == [
                "a=1",
                "b=2",
                "long=" + "x" * 60,
            ]
            assert request.headers["authorization"] == "Bearer secret"


def test_a_target_of_its_own(client, peer):
    server = peer()
    done = client.get(server.url("/other"), method="OPTIONS", target="*")
    assert done.status in (200, 404)
    assert dict(server.requests()[0].fields)[":path"] == "*"


def test_methods_go_as_they_are(client, peer):
    server = peer()
    for method in ("HEAD", "OPTIONS", "DELETE", "PATCH", "PROPFIND", "get", "x-own!"):
        assert client.get(server.url("/echo-body"), method=method).status == 200
    assert [r.method for r in server.requests()][-2:] == ["get", "x-own!"]


def test_many_and_large_fields(client, peer):
    """A header section of several frames, both ways."""
    server = peer()
    header = [(f"x-field-{i}", "v" * 300) for i in range(100)]
    done = client.get(server.url("/headers?n=100&size=300"), header=header)
    assert done.status == 200
    assert len([n for n in done.headers if n.startswith("x-")]) >= 100
    assert len([n for n in names_of(server.requests()[0]) if n.startswith("x-field-")]) == 100


def test_a_header_section_above_the_limit(any_probe, peer):
    server = peer()
    client = any_probe(max_header_list=20_000)
    done = client.get(server.url("/headers?n=100&size=300"))
    assert (done.error, done.phase) == ("HEADER_TOO_LARGE", "protocol")
    assert client.get(server.url("/headers?n=10&size=300")).conn == 1
    server.one().assert_each_reset_once()


# ---- flow control


@pytest.mark.parametrize("n", [1, 65_535, 65_536, 1_000_000, 10_000_000])
def test_downloads_of_every_size(client, peer_process, n):
    server = peer_process()
    for path in (f"/bytes?n={n}", f"/chunked?n={n}"):
        for streamed in (0, 1):
            done = client.get(server.url(path), streamed=streamed)
            assert (done.error, done.length) == ("", n)


def test_the_window_grows_to_its_ceiling_and_no_further(probe, peer_process):
    server = peer_process()
    client = probe("embedded", max_window=1_000_000)
    assert client.get(server.url("/bytes?n=30000000"), streamed=1).length == 30_000_000
    conn = server.one()
    assert conn["largest_send_window"] <= 1_100_000
    assert conn["violations"] == []


@pytest.mark.parametrize("kind", ["bytes", "borrowed", "file", "callback", "push"])
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 400_000])
def test_uploads_of_every_kind_and_size(client, peer, tmp_path, kind, size):
    server = peer()
    data = bytes(i % 251 for i in range(size))
    options = {"body_size": size, "body_kind": kind, "piece": 30_000}
    if kind == "file":
        path = tmp_path / "body"
        path.write_bytes(data)
        options = {"body_file": str(path)}
    done = client.post(server.url("/upload"), **options)
    assert (done.error, done.status) == ("", 200)
    assert done.json == {"length": size, "sha256": hashlib.sha256(data).hexdigest()}
    (request,) = server.requests()
    assert request.headers["content-length"] == str(size)


@pytest.mark.parametrize("kind", ["callback", "push"])
def test_uploads_of_unknown_length(any_probe, peer, kind):
    server = peer()
    done = any_probe().post(
        server.url("/upload"), body_size=200_000, body_kind=kind, length="unknown", end_apart=1
    )
    assert done.json["length"] == 200_000
    assert "content-length" not in server.requests()[0].headers


def test_a_body_that_comes_in_pieces_with_pauses(any_probe, peer):
    server = peer()
    done = any_probe().post(
        server.url("/upload"), body_size=40, body_kind="callback", piece=10, gap_ms=20
    )
    assert (done.error, done.json["length"]) == ("", 40)


def test_push_as_it_comes(any_probe, peer):
    server = peer()
    client = any_probe()
    run = client.submit(
        server.url("/upload"), method="POST", body_kind="push", push_open=1, length="unknown"
    )
    total = 0
    for size in (10, 1000, 300_000, 1):
        run.write(b"z" * size)
        total += size
        server.wait(lambda: server.requests() and server.requests()[0].body_length == total)
    run.end(b"end")
    done = run.wait()
    assert done.json["length"] == total + 3
    assert server.requests()[0].body.endswith(b"zend")


def test_settings_that_make_the_send_window_negative(any_probe, peer):
    """RFC 9113 section 6.9.2: wait until it is positive again, and send no byte too many."""

    def script(conn):
        conn.auto_credit = False
        conn.handshake(settings={4: 50_000})
        conn.respond(conn.expect_request("/first").stream_id, 200, b"")
        req = conn.expect_request("/")
        conn.wait(lambda: req.body_length == 50_000)
        conn.send_settings({4: 10_000})  # now at -40,000
        conn.expect_settings_ack()
        conn.window_update(0, 1_000_000)
        conn.window_update(req.stream_id, 40_000)  # at 0
        conn.ping(b"nothing!")
        conn.expect_pong()
        assert req.body_length == 50_000
        conn.window_update(req.stream_id, 1)
        conn.wait(lambda: req.body_length == 50_001)
        conn.window_update(req.stream_id, 100_000)
        conn.expect_body(req)
        conn.respond(req.stream_id, 200, str(req.body_length).encode())
        conn.until_closed()

    server = peer(script)
    client = any_probe()
    assert client.get(server.url("/first")).status == 200  # the settings have come
    done = client.post(server.url("/"), body_size=120_000)
    assert (done.error, done.body) == ("", b"120000")


def test_padding_counts(any_probe, peer):
    """Padded DATA uses up the window by its whole length, which is given back (section 6.1)."""

    def script(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.send_headers(req.stream_id, {":status": "200"})
        for _ in range(600):
            conn.wait(lambda: conn.send_window > 2000)
            conn.send_data(req.stream_id, b"x" * 10, padding=255)
        conn.send_data(req.stream_id, b"", end_stream=True)
        conn.serve()

    server = peer(script)
    client = any_probe()
    done = client.get(server.url("/a"))
    assert (done.error, done.length) == ("", 6000)
    assert client.get(server.url("/bytes?n=200000")).length == 200_000


# ---- early, interim, trailers, lengths


def test_an_early_response_stops_the_upload(any_probe, peer):
    """A whole response, then RST_STREAM(NO_ERROR): a success (RFC 9113 section 8.1)."""
    server = peer()
    client = any_probe()
    done = client.post(server.url("/early?code=413"), body_size=3_000_000)
    assert (done.error, done.status) == ("", 413)
    assert server.requests()[0].body_length < 3_000_000
    assert client.get(server.url("/")).conn == 1
    assert client.post(server.url("/upload"), body_size=300_000).json["length"] == 300_000


def test_an_early_response_without_reset(any_probe, peer):
    server = peer()
    client = any_probe()
    done = client.post(server.url("/early-no-reset?code=200"), body_size=3_000_000)
    assert (done.error, done.status) == ("", 200)
    assert client.post(server.url("/upload"), body_size=300_000).json["length"] == 300_000


def test_no_error_with_an_incomplete_body_is_an_error(any_probe, peer):
    @early
    def handler(stream):
        stream.send_headers(200, [("content-length", "100")])
        stream.write(b"x" * 40)
        stream.later(10, lambda: stream.rst(frames.NO_ERROR))

    server = peer(handlers={"/cut": handler})
    for streamed in (0, 1):
        done = any_probe().get(server.url("/cut"), streamed=streamed)
        assert (done.error, done.h2_code) == ("STREAM_RESET", 0), done


def test_interim_responses_reach_their_hook(any_probe, peer):
    server = peer(hints=3)
    client = any_probe()
    run = client.submit(server.url("/"), interim=1)
    assert (run.wait().status, run.done.body) == (200, b"ok")
    assert [status for status, _ in run.interim] == [103, 103, 103]
    assert run.interim[1][1]["link"] == "</1.css>; rel=preload"
    assert client.get(server.url("/")).status == 200  # and nobody needs to look


def test_response_trailers(any_probe, peer):
    server = peer()
    for streamed in (0, 1):
        done = any_probe().get(server.url("/trailers"), streamed=streamed)
        assert done.ok and done.trailers
        assert all(not name.startswith(":") for name, _ in done.trailers)


def test_request_trailers(any_probe, peer):
    server = peer()
    done = any_probe().post(
        server.url("/upload"), body="data", trailer={"X-Checksum": "abc", "x-more": "1"}
    )
    assert done.status == 200
    (request,) = server.requests()
    assert dict(request.trailers) == {"x-checksum": "abc", "x-more": "1"}


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_statuses_that_have_no_body(any_probe, peer, method):
    def script(conn):
        conn.handshake()
        for _ in range(2):
            req = conn.expect_request()
            status = "304" if method == "GET" else "200"
            fields = {":status": status, "content-length": "12345"}
            conn.send_headers(req.stream_id, fields, end_stream=True)
        conn.serve()

    server = peer(script)
    client = any_probe()
    for streamed in (0, 1):
        done = client.get(server.url("/a"), method=method, streamed=streamed)
        assert (done.error, done.length) == ("", 0)
        assert done.headers["content-length"] == "12345"
    assert client.get(server.url("/")).status == 200


def test_a_body_of_another_length_than_the_response_announced(any_probe, peer):
    def script(conn):
        conn.handshake()
        for size in (9, 11, 0):
            req = conn.expect_request()
            fields = {":status": "200", "content-length": "10"}
            conn.send_headers(req.stream_id, fields, end_stream=size == 0)
            if size:
                conn.send_data(req.stream_id, b"x" * size, end_stream=True)
        conn.serve()

    for streamed in (0, 1):
        server = peer(script)
        client = any_probe()
        for _ in range(3):
            done = client.get(server.url("/a"), streamed=streamed)
            assert (done.error, done.phase) == ("RESPONSE_LENGTH", "protocol"), done
        assert client.get(server.url("/")).conn == 1


def test_the_largest_body_that_is_collected(any_probe, peer):
    server = peer()
    client = any_probe()
    assert client.get(server.url("/bytes?n=1000"), max_body=1000).length == 1000
    for path in ("/bytes?n=1001", "/chunked?n=1001", "/bytes?n=5000000"):
        done = client.get(server.url(path), max_body=1000)
        assert (done.error, done.phase) == ("BODY_TOO_LARGE", "body")
    assert client.get(server.url("/")).conn == 1
