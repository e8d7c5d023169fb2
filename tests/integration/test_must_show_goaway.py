"""Requests that the peer did not process move to another connection by themselves; nothing is sent
twice, and the user sees no error (RFC 9113 sections 6.8 and 8.7)."""

import hashlib
import time
from collections import Counter

import pytest

from support import frames
from support.peer import Peer

def answered(server):
    """How often each request was answered, by target: {target: times}."""
    seen = Counter()
    for conn in server.conns:
        ended = {
            sid
            for kind, flags, sid, _ in list(conn.sent)
            if kind in (frames.DATA, frames.HEADERS) and flags & frames.END_STREAM
        }
        for request in list(conn.requests):
            seen[request.target + "?" + str(request.query)] += request.stream_id in ended
    return seen


@pytest.mark.parametrize("after", [1, 37, 250])
def test_goaway_under_load(any_probe, peer, after):
    """Each connection is told to go away after so many requests, at full load; 1,000 requests get
    1,000 answers."""
    server = peer([None] * 1000, goaway_after=after, latency_ms=2)
    client = any_probe(max_replays=1000, pool_ms=-1, read_ms=20_000)
    count = 60 if after == 1 else 1000
    group = client.group(server.url("/?i={i}"), count, parallel=100, method="POST", body="x")
    assert group.errors == {}, group.first_error
    assert group.statuses == {"200": count}
    seen = answered(server)
    assert len(seen) == count
    assert set(seen.values()) == {1}, "a request was answered twice"
    assert server.accepted >= count / after


def test_goaway_last_id_splits_what_is_open(any_probe, peer):
    """Of 20 open streams, the peer takes the first 10: those end there, the others elsewhere."""

    def first(conn):
        conn.handshake()
        reqs = [conn.expect_request() for _ in range(20)]
        conn.goaway(reqs[9].stream_id)
        for req in reqs[:10]:
            conn.respond(req.stream_id, 200, b"first")
        conn.expect_close()

    server = peer([first, None])
    client = any_probe()
    runs = client.submit_all(
        [(server.url(f"/?i={i}"), {"method": "POST", "body": f"b{i}"}) for i in range(20)]
    )
    done = [run.wait() for run in runs]
    assert [d.error for d in done] == [""] * 20
    ids = server.conns[0].requests
    for request in ids:
        one = done[int(request.query["i"])]
        below = request.stream_id <= ids[9].stream_id
        assert one.body == (b"first" if below else b"ok")
        assert (one.conn, one.retries) == ((1, 0) if below else (2, 1))
    assert len(server.conns[1].requests) == 10
    assert server.accepted == 2


def test_graceful_goaway_in_two_steps(any_probe, peer):
    """2^31-1 first: no new streams, then the last id; nothing is lost or repeated."""
    server = peer([None] * 50, goaway_after=20, graceful=True, latency_ms=3)
    client = any_probe(max_replays=1000, pool_ms=-1)
    group = client.group(server.url("/?i={i}"), 300, parallel=30, method="POST")
    assert group.errors == {}, group.first_error
    assert set(answered(server).values()) == {1}


def test_a_connection_that_drains_takes_no_more(any_probe, peer):
    """After GOAWAY(2^31-1) a stream that is open goes on, and the next request dials."""

    def first(conn):
        conn.handshake()
        slow = conn.expect_request("/slow-one")
        conn.goaway(frames.MAX_STREAM_ID)
        conn.ping(b"graceful")
        conn.expect_pong()
        conn.peer.wait(lambda: len(conn.peer.conns) == 2)
        conn.goaway(slow.stream_id)
        conn.respond(slow.stream_id, 200, b"late")
        conn.expect_close()

    server = peer([first, None])
    client = any_probe()
    slow = client.submit(server.url("/slow-one"))
    server.wait(lambda: server.requests("/slow-one") and b"graceful" in server.conns[0].pongs)
    quick = client.get(server.url("/"))
    assert (quick.status, quick.conn, quick.retries) == (200, 2, 0)
    late = slow.wait()
    assert (late.body, late.conn, late.retries) == (b"late", 1, 0)


def test_goaway_without_any_stream_taken(any_probe, peer):
    def first(conn):
        conn.handshake()
        conn.expect_request()
        conn.goaway(0)
        conn.until_closed()

    server = peer([first, None])
    client = any_probe()
    done = client.get(server.url("/"))
    assert (done.error, done.status, done.retries) == ("", 200, 1)


def test_the_very_first_stream_is_not_sent_again_after_an_error(any_probe, peer):
    """A peer that fails at the first request of a connection would fail at it for ever."""

    def first(conn):
        conn.handshake()
        conn.expect_request()
        conn.goaway(0, frames.ENHANCE_YOUR_CALM, b"calm down")
        conn.until_closed()

    server = peer([first, None])
    client = any_probe()
    done = client.get(server.url("/"))
    assert (done.error, done.phase, done.h2_code) == ("GOAWAY", "protocol", 11)
    assert "ENHANCE_YOUR_CALM" in done.error_text and "calm down" in done.error_text
    assert client.get(server.url("/")).status == 200


def test_goaway_that_never_stops_is_bounded(any_probe, peer):
    def always(conn):
        conn.handshake()
        conn.expect_request()
        conn.goaway(0, 0, b"not today")
        conn.until_closed()

    server = peer(always)
    client = any_probe(max_replays=3)
    done = client.get(server.url("/"))
    assert (done.error, done.phase, done.retries) == ("GOAWAY", "protocol", 3)
    assert f"127.0.0.1:{server.port}" in done.error_text
    assert server.accepted == 4


def test_what_may_have_been_processed_is_not_sent_again(any_probe, peer):
    """A connection that breaks under streams below the last id, or without GOAWAY at all."""

    def breaks(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.goaway(req.stream_id)
        conn.close()

    def vanishes(conn):
        conn.handshake()
        conn.expect_request()
        conn.abort()

    for script in (breaks, vanishes):
        server = peer([script, None])
        client = any_probe()
        done = client.get(server.url("/"), method="POST", body="pay 5")
        assert done.error in ("TRUNCATED", "GOAWAY", "READ", "WRITE"), done
        assert done.phase == "protocol"
        assert f"127.0.0.1:{server.port}" in done.error_text
        assert done.retries == 0
        server.assert_sent_once("/")


# ---- REFUSED_STREAM


def test_refused_streams_under_load(any_probe, peer):
    server = peer(refuse_first=100, latency_ms=1)
    client = any_probe(max_replays=20, pool_ms=-1)
    group = client.group(server.url("/?i={i}"), 500, parallel=50, method="POST", body="x")
    assert group.errors == {}, group.first_error
    assert group.statuses == {"200": 500}
    assert set(answered(server).values()) <= {0, 1}
    seen = Counter(request.query["i"] for conn in server.conns for request in conn.requests)
    assert sum(seen.values()) == 600
    assert sum(int(k) * n for k, n in group.retries.items()) == 100


def test_refused_again_and_again_is_sent_later_each_time(any_probe, peer):
    """At once, then after 5 to 10 ms, and each time twice as much: the least that it takes is asserted."""
    times = []

    def refuse(stream):
        times.append(time.monotonic())
        stream.respond() if len(times) == 6 else stream.rst(frames.REFUSED_STREAM)

    server = peer(handlers={"/busy": refuse})
    done = any_probe(max_replays=5).get(server.url("/busy"))
    assert (done.error, done.status, done.retries) == ("", 200, 5)
    pauses = [after - before for before, after in zip(times, times[1:])]
    for pause, least in zip(pauses, (0, 0.005, 0.010, 0.020, 0.040)):
        assert pause > least - 0.001, pauses


def test_refused_for_ever_ends_with_an_error(any_probe, peer):
    server = peer(refuse_first=1_000_000)
    client = any_probe(max_replays=2)
    done = client.get(server.url("/"))
    assert (done.error, done.h2_code, done.retries) == ("REFUSED", 7, 2)
    assert f"127.0.0.1:{server.port}" in done.error_text


@pytest.mark.parametrize("kind", ["bytes", "borrowed", "callback", "file"])
def test_a_replay_sends_the_whole_body_again(any_probe, peer, tmp_path, kind):
    def first(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.wait(lambda: req.body_length > 20_000)
        conn.rst(req.stream_id, frames.REFUSED_STREAM)
        conn.serve()

    server = peer(first)
    client = any_probe()
    options = {"body_size": 100_000, "body_kind": kind}
    if kind == "callback":
        options.update(rewind=1, piece=7000)
    if kind == "file":
        path = tmp_path / "body"
        path.write_bytes(bytes(i % 251 for i in range(100_000)))
        options = {"body_file": str(path)}
    done = client.post(server.url("/upload"), **options)
    assert (done.error, done.status, done.retries) == ("", 200, 1)
    assert done.json["length"] == 100_000
    assert done.json["sha256"] == hashlib.sha256(bytes(i % 251 for i in range(100_000))).hexdigest()


def test_a_body_that_cannot_be_sent_twice_ends_the_replay(any_probe, peer):
    def first(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.wait(lambda: req.body_length > 20_000)
        conn.rst(req.stream_id, frames.REFUSED_STREAM)
        conn.serve()

    server = peer(first)
    client = any_probe()
    done = client.post(server.url("/upload"), body_size=100_000, body_kind="callback", piece=7000)
    assert done.error in ("REFUSED", "BODY_REPLAY"), done
    assert client.get(server.url("/")).status == 200


# ---- HTTP_1_1_REQUIRED and 421


def test_http_1_1_required_goes_on_over_http_1_1(any_probe, ca):
    with Peer(ca, alpn=("h2", "http/1.1")) as server:
        client = any_probe()
        done = client.get(server.url("/http11"))
        assert (done.error, done.version) == ("", 11), done
        assert done.retries == 1
        assert len(server.h1_requests("/http11")) == 1


def test_http_1_1_required_where_only_http_2_is_allowed(any_probe, peer):
    server = peer()
    client = any_probe(protocols=2)
    done = client.get(server.url("/http11"))
    assert (done.error, done.h2_code) == ("HTTP_1_1_REQUIRED", 13)


def test_421_is_asked_again_on_another_connection(any_probe, peer):
    """Even where the method is not idempotent (RFC 9110 section 15.5.20)."""
    server = peer()
    client = any_probe()
    done = client.post(server.url("/421?times=1"), body="x")
    assert (done.status, done.retries) == (200, 1)
    assert server.accepted == 2
    assert done.conn == 2


def test_421_twice_is_the_answer(any_probe, peer):
    server = peer()
    client = any_probe()
    done = client.get(server.url("/421?times=5"))
    assert (done.error, done.status, done.retries) == ("", 421, 1)


def test_goaway_and_the_end_at_once(any_probe, peer):
    """The last words and FIN in one piece: what is above the id goes elsewhere, what is below is lost."""

    def first(conn):
        conn.handshake()
        reqs = [conn.expect_request() for _ in range(4)]
        with conn.cork():
            conn.respond(reqs[0].stream_id, 200, b"first")
            conn.goaway(reqs[1].stream_id)
        conn.close()

    server = peer([first, None])
    client = any_probe()
    runs = client.submit_all([(server.url(f"/?i={i}"), {"method": "POST", "body": "x"}) for i in range(4)])
    done = [run.wait() for run in runs]
    by_id = {int(r.query["i"]): r.stream_id for r in server.conns[0].requests}
    done.sort(key=lambda one: by_id[int(one.url.partition("i=")[2])])
    assert (done[0].error, done[0].body, done[0].retries) == ("", b"first", 0)
    assert (done[1].error, done[1].retries) == ("GOAWAY", 0)
    assert [(one.error, one.body, one.retries) for one in done[2:]] == [("", b"ok", 1)] * 2
    assert len(server.conns[1].requests) == 2


@pytest.mark.parametrize("how", ["rst", "goaway"])
def test_http_1_1_required_is_remembered(any_probe, ca, how):
    """By RST_STREAM or by GOAWAY: the request goes on over HTTP/1.1, and so do all that follow."""

    def demand(conn):
        conn.handshake()
        request = conn.expect_request()
        if how == "rst":
            conn.rst(request.stream_id, frames.HTTP_1_1_REQUIRED)
        else:
            conn.goaway(0, frames.HTTP_1_1_REQUIRED)
        conn.until_closed()

    with Peer(ca, demand, alpn=("h2", "http/1.1")) as server:
        client = any_probe(max_replays=0)
        done = client.post(server.url("/echo"), body="x")
        assert (done.error, done.version, done.retries) == ("", 11, 1), done
        for _ in range(3):
            done = client.get(server.url("/"))
            assert (done.error, done.version, done.retries) == ("", 11, 0)
        assert len(server.conns) == 1
