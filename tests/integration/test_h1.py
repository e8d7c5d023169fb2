"""HTTP/1.1: keep-alive, framing in both directions, interim responses, and answers that must be
refused."""

import time

import pytest

from support.h1peer import H1Peer

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def client(probe):
    return probe("embedded-pull")


# ---- connections


def test_keep_alive(any_probe, h1peer):
    server = h1peer()
    client = any_probe()
    for _ in range(10):
        done = client.get(server.url("/"))
        assert (done.status, done.version, done.conn, done.stream) == (200, 11, 1, 0)
    assert done.reason == "OK"
    assert server.accepted == 1


def test_over_tls(any_probe, h1peer):
    server = h1peer(tls=True)
    group = any_probe().group(server.url("/"), 20, parallel=1)
    assert group.statuses == {"200": 20}
    assert server.accepted == 1


def test_as_many_connections_as_requests_at_once_and_no_more_than_the_limit(any_probe, h1peer):
    server = h1peer()
    client = any_probe(max_connections=4, pool_ms=-1)
    group = client.group(server.url("/slow?ms=20"), 24)
    assert group.statuses == {"200": 24}
    assert server.accepted == 4
    assert len(group.conns) == 4 and sum(group.conns.values()) == 24


@pytest.mark.parametrize("path", ["/connection-close", "/http10", "/close-delimited?n=5"])
def test_a_connection_that_ends_with_its_response(any_probe, h1peer, path):
    server = h1peer()
    client = any_probe()
    for number in (1, 2):
        done = client.get(server.url(path))
        assert (done.error, done.status, done.conn) == ("", 200, number)
    assert client.get(server.url("/")).conn == 3


def test_a_kept_connection_that_the_server_closed(any_probe, h1peer):
    """Found closed before the next request: it is not used. Closed under it: asked again, once,
    where that is safe."""
    server = h1peer()
    client = any_probe()
    assert client.get(server.url("/close-after")).status == 200
    server.wait(lambda: server.conns[0].wire.closed)
    done = client.get(server.url("/close-after"))
    assert (done.error, done.status) == ("", 200)


@pytest.mark.parametrize("version", [11, 20])
def test_a_post_does_not_meet_a_connection_that_the_server_closed_meanwhile(
    any_probe, peer, h1peer, version
):
    """A POST is not sent twice, so it must not be sent on a connection that is known to be over."""

    def once_h1(conn):
        conn.read_request()
        conn.respond(200, b"ok")
        conn.half_close()
        conn.until_closed()

    def once_h2(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.expect_body(req)
        conn.respond(req.stream_id, 200, b"ok")
        conn.half_close()
        conn.until_closed()

    server = h1peer(once_h1) if version == 11 else peer(once_h2)
    client = any_probe(keepalive_expiry_ms=-1)
    for number in range(1, 4):
        done = client.post(server.url("/"), body="x")
        assert (done.error, done.status, done.conn, done.version) == ("", 200, number, version)
        if client.mode == "sync":
            time.sleep(0.03)  # nobody looks before the next request does
        else:
            server.wait(lambda: server.conns[-1].closed_by_client)


def test_a_connection_that_dies_under_a_request(any_probe, h1peer):
    def dies(conn):
        conn.read_request()
        conn.respond(200, b"first")
        conn.read_request()
        conn.close()

    for method, retried in (("GET", True), ("POST", False)):
        server = h1peer([dies, None])
        client = any_probe()
        assert client.get(server.url("/")).body == b"first"
        done = client.get(server.url("/again"), method=method)
        if retried:
            assert (done.error, done.conn) == ("", 2)
        else:
            assert (done.error, done.phase) == ("TRUNCATED", "protocol"), done
            assert server.address in done.error_text
            assert len(server.requests("/again")) == 1


def test_a_new_connection_that_dies_is_an_error(any_probe, h1peer):
    def dies(conn):
        conn.read_request()
        conn.close()

    server = h1peer(dies)
    done = any_probe().get(server.url("/"))
    assert (done.error, done.retries) == ("TRUNCATED", 0)
    assert server.accepted == 1


def test_a_response_that_is_cancelled_takes_its_connection_along(any_probe, h1peer):
    server = h1peer()
    client = any_probe()
    done = client.get(server.url("/partial?n=1000&of=5000"), streamed=1, close_after=1)
    assert (done.error, done.status) == ("", 200)
    server.wait(lambda: server.conns[0].closed_by_client)
    assert client.get(server.url("/")).conn == 2


def test_unasked_bytes_on_an_idle_connection(any_probe, h1peer):
    def chatty(conn):
        conn.read_request()
        conn.respond(200, b"one")
        conn.send(OK + b"content-length: 5\r\n\r\nlater")
        conn.until_closed()

    server = h1peer([chatty, None])
    client = any_probe()
    assert client.get(server.url("/")).body == b"one"
    if client.mode == "sync":
        time.sleep(0.05)  # nobody looks at it before the next request does
    else:
        server.wait(lambda: server.conns[0].closed_by_client)
    done = client.get(server.url("/"))
    assert (done.body, done.conn) != (b"later", 1)
    assert (done.status, done.conn) == (200, 2)


# ---- requests


def test_the_request_on_the_wire(client, h1peer):
    server = h1peer()
    client.get(server.url("/echo?a=b%20c#fragment"), header={"X-Mixed-Case": "Value"})
    (request,) = server.requests("/echo")
    assert request.raw.startswith(b"GET /echo?a=b%20c HTTP/1.1\r\nHost: ")
    assert b"\r\nX-Mixed-Case: Value" in request.raw
    assert request.headers["host"] == server.address
    assert not any(name.lower() == "content-length" for name, _ in request.fields)


def test_host_of_the_users_own(client, h1peer):
    server = h1peer()
    client.get(server.url("/"), header={"Host": "other.example.test"})
    (request,) = server.requests("/")
    assert [v for n, v in request.fields if n.lower() == "host"] == ["other.example.test"]


@pytest.mark.parametrize("kind", ["bytes", "borrowed", "file", "callback", "push"])
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_uploads(client, h1peer, tmp_path, kind, size):
    server = h1peer()
    data = bytes(i % 251 for i in range(size))
    options = {"body_size": size, "body_kind": kind, "piece": 30_000}
    if kind == "file":
        path = tmp_path / "body"
        path.write_bytes(data)
        options = {"body_file": str(path)}
    for _ in range(2):
        done = client.post(server.url("/upload"), **options)
        assert done.json == {"length": size, "chunked": False}
    requests = server.requests("/upload")
    assert all(request.body == data for request in requests)
    assert [r.headers["content-length"] for r in requests] == [str(size)] * 2
    assert server.accepted == 1


@pytest.mark.parametrize("kind", ["callback", "push"])
def test_chunked_uploads(any_probe, h1peer, kind):
    server = h1peer()
    done = any_probe().post(
        server.url("/upload"), body_size=100_000, body_kind=kind, length="unknown", piece=9000
    )
    assert done.json["length"] == 100_000
    (request,) = server.requests()
    assert request.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in request.headers
    assert sum(request.chunks) == 100_000


def test_trailers_make_a_request_chunked(client, h1peer):
    server = h1peer()
    done = client.post(server.url("/upload"), body="data", trailer={"X-Checksum": "abc"})
    assert done.status == 200
    (request,) = server.requests()
    assert request.headers["transfer-encoding"] == "chunked"
    assert {n.lower(): v for n, v in dict(request.trailers).items()} == {"x-checksum": "abc"}


@pytest.mark.parametrize("method, expected", [("GET", None), ("POST", "0"), ("PUT", "0")])
def test_content_length_without_a_body(client, h1peer, method, expected):
    server = h1peer()
    client.get(server.url("/upload"), method=method)
    assert server.requests()[0].headers.get("content-length") == expected


# ---- Expect: 100-continue


def test_expect_waits_for_100(any_probe, h1peer):
    server = h1peer()
    client = any_probe(expect_continue_ms=10_000)
    done = client.post(server.url("/continue?ms=100"), body="12345", header={"Expect": "100-continue"})
    assert (done.status, done.json["length"]) == (200, 5)
    assert done.timings["total"] >= 100_000


def test_expect_does_not_wait_for_ever(any_probe, h1peer):
    server = h1peer()
    client = any_probe(expect_continue_ms=100)
    done = client.post(server.url("/no-continue"), body="12345", header={"Expect": "100-continue"})
    assert (done.status, done.json["length"]) == (200, 5)
    assert 100_000 <= done.timings["total"] < 2_000_000


def test_expectation_failed_is_asked_again_without(any_probe, h1peer):
    server = h1peer()
    client = any_probe(expect_continue_ms=10_000)
    done = client.post(server.url("/417"), body="12345", header={"Expect": "100-continue"})
    assert (done.status, done.json["length"]) == (200, 5), done
    first, second = server.requests("/417")
    assert "expect" in first.headers and "expect" not in second.headers


def test_expectation_failed_where_the_body_cannot_be_sent_twice(any_probe, h1peer):
    """It was not touched yet, so it can."""
    server = h1peer()
    client = any_probe(expect_continue_ms=10_000)
    done = client.post(
        server.url("/417"),
        body="12345",
        body_kind="callback",
        header={"Expect": "100-continue"},
    )
    assert (done.status, done.json["length"]) == (200, 5), done


def test_expectation_failed_twice_is_the_answer(any_probe, h1peer):
    server = h1peer(reply=b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    done = any_probe().post(server.url("/"), body="12345", header={"Expect": "100-continue"})
    assert (done.error, done.status, done.retries) == ("", 417, 1)


def test_expect_and_a_final_answer(any_probe, h1peer):
    """413 at once: nothing of the body is sent."""
    server = h1peer()
    client = any_probe(expect_continue_ms=10_000)
    done = client.post(
        server.url("/early-413"), body_size=1_000_000, header={"Expect": "100-continue"}
    )
    assert (done.error, done.status, done.body) == ("", 413, b"too large")
    assert server.conns[0].received < 5000


def test_no_expect_without_a_body(any_probe, h1peer):
    server = h1peer()
    client = any_probe(expect_continue_ms=5000)
    done = client.get(server.url("/"), header={"Expect": "100-continue"})
    assert done.status == 200
    assert done.timings["total"] < 2_000_000


def test_an_early_answer_to_an_upload(any_probe, h1peer):
    server = h1peer()
    client = any_probe()
    done = client.post(server.url("/early-413"), body_size=5_000_000)
    assert done.status == 413 or done.phase == "protocol", done
    assert client.get(server.url("/")).status == 200


# ---- responses


@pytest.mark.parametrize("n", [0, 1, 65_536, 5_000_000])
@pytest.mark.parametrize("path", ["/bytes?n={n}", "/chunked?n={n}", "/close-delimited?n={n}"])
def test_downloads(client, h1peer, path, n):
    server = h1peer()
    for streamed in (0, 1):
        done = client.get(server.url(path.format(n=n)), streamed=streamed)
        assert (done.error, done.length) == ("", n)


def test_trailers(any_probe, h1peer):
    server = h1peer()
    for streamed in (0, 1):
        done = any_probe().get(server.url("/chunked-trailers"), streamed=streamed)
        assert done.ok and done.trailers, done


def test_interim_responses(any_probe, h1peer):
    server = h1peer()
    client = any_probe()
    run = client.submit(server.url("/hints?n=3"), interim=1)
    assert (run.wait().status, run.done.body) == (200, b"hinted")
    assert [status for status, _ in run.interim] == [103, 103, 103]
    assert client.get(server.url("/hints?n=50")).body == b"hinted"


@pytest.mark.parametrize("how", ["HEAD", "204", "304"])
def test_responses_without_a_body(any_probe, h1peer, how):
    server = h1peer(
        handlers={
            "/x": lambda conn, request: conn.send(
                b"HTTP/1.1 %s x\r\nContent-Length: 5\r\n\r\n"
                % (b"200" if how == "HEAD" else how.encode())
            )
        }
    )
    client = any_probe()
    if how == "204":  # which may have none (RFC 9110 section 8.6): taken as a mistake or ignored
        done = client.get(server.url("/x"))
        assert done.length == 0
        return
    for _ in range(2):
        done = client.get(server.url("/x"), method="HEAD" if how == "HEAD" else "GET")
        assert (done.error, done.length, done.conn) == ("", 0, 1)
        assert done.headers["content-length"] == "5"


def test_backpressure(any_probe, h1peer):
    """What is not read is not taken from the socket beyond a bound."""
    server = h1peer(tls=True)
    client = any_probe()
    before = client.stats()["rss_kb"]
    run = client.submit(server.url("/bytes?n=80000000"), streamed=1, hold=1, read_ms=-1)
    assert run.head()
    beside = client.group(server.url("/bytes?n=100000"), 50, parallel=2)
    assert beside.statuses == {"200": 50}
    assert client.stats()["rss_kb"] - before < 30_000
    run.read()
    assert run.wait().length == 80_000_000


def test_field_names_keep_their_case(client, h1peer):
    server = h1peer(reply=OK + b"X-MiXed: 1\r\nx-mixed: 2\r\nContent-Length: 0\r\n\r\n")
    done = client.get(server.url("/"))
    assert done.fields == [("X-MiXed", "1"), ("x-mixed", "2"), ("Content-Length", "0")]


def test_each_response_byte_by_byte(client, h1peer):
    body = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
    whole = (
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
        + OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + body
    )
    server = h1peer(reply=whole, piece=1)
    done = client.get(server.url("/"))
    assert (done.body, done.trailers) == (b"hello world", [("X-T", "1")])


def test_a_challenge_before_the_body_leaves_it_whole(any_probe, h1peer):
    """Digest with a body that can be read once: it was not touched yet, so it goes with the answer."""

    def challenges(conn):
        request = conn.read_request(body=False)
        assert "expect" in request.headers and "authorization" not in request.headers
        conn.send(b'HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n')
        conn.until_closed()

    def answers(conn):
        request = conn.read_request(body=False)
        assert request.headers["authorization"].startswith("Digest ")
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read_body(request)
        assert request.body == b"12345"
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        conn.until_closed()

    server = h1peer([challenges, answers])
    client = any_probe(expect_continue_ms=10_000, auth=[("digest", "user", "pass")])
    done = client.post(server.url("/"), body="12345", body_kind="callback", header={"Expect": "100-continue"})
    assert (done.error, done.status, done.body, len(done.history)) == ("", 200, b"ok", 1), done
