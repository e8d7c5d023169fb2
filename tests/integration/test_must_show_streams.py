"""Streams that end early, by thousands, on one connection: each is reset once, no window credit is
lost, the connection goes on serving, and memory stays flat."""

import time

import pytest

from support import frames

THOUSANDS = 10_000
WARM = 3_000
FLAT_KB = 7_000  # growth between the first thousands and the last; a leak of a kilobyte an exchange is more
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}  # the C library's heaps of each thread would say more


def check_connection(server, opened):
    """What the peer saw of all this: one connection, the rules kept, credit given back."""
    seen = server.wait(lambda summary: _quiet(summary), what="every stream's end")
    (conn,) = seen
    assert conn["requests"] == opened or opened is None
    assert conn["never_reset"] == 0
    assert conn["reset_twice"] == 0
    assert conn["violations"] == []
    # all but half of the window has come back, with many windows' worth sent
    assert conn["credit_outstanding"] <= conn["largest_send_window"] / 2, conn
    return conn


def _quiet(summary):
    conn = summary[0]
    return (
        conn["streams_open"] == 0
        and conn["credit_outstanding"] <= conn["largest_send_window"] / 2
        and summary
    )


@pytest.mark.parametrize("mode", ["embedded-pull", "sync", "thread"])
def test_ten_thousand_responses_closed_after_the_first_bytes(probe, peer_process, mode):
    """The peer keeps the rest of each body back, so that none can end before it is closed."""
    server = peer_process()
    client = probe(mode, ping_idle_ms=-1, env=ONE_HEAP)
    url = server.url("/partial?n=10000&of=100000")
    options = dict(streamed=1, close_after=1, parallel=50, timeout=60)
    first = client.group(url, WARM, **options)
    before = client.stats()["rss_kb"]
    group = client.group(url, THOUSANDS - WARM, **options)
    after = client.stats()
    for one in (first, group):
        assert one.errors == {}
        assert list(one.conns) == ["1"]
    assert after["rss_kb"] - before < FLAT_KB
    assert client.get(server.url("/"), timeout=5).body == b"ok"
    conn = check_connection(server, THOUSANDS + 1)
    assert conn["data_sent"] > 2 * conn["largest_send_window"]
    assert conn["resets"] == {"8": THOUSANDS}  # CANCEL
    assert after["resets_sent"] == THOUSANDS
    client.settled(exchanges_open=0, connections_open=1)


def test_large_responses_closed_after_the_first_bytes(any_probe, peer_process):
    """The credit of what comes after the reset is given back as well."""
    server = peer_process()
    client = any_probe(ping_idle_ms=-1)
    url = server.url("/bytes?n=2000000")
    group = client.group(url, 100, streamed=1, close_after=1, parallel=4)
    assert group.errors == {}
    # in SYNC mode nobody reads between the calls: what was on its way is credited while this one is driven
    assert client.get(url, timeout=10).length == 2_000_000
    conn = check_connection(server, 101)
    assert conn["data_sent"] > conn["largest_send_window"]


@pytest.mark.parametrize("mode", ["embedded", "run-pull", "sync", "thread"])
def test_ten_thousand_exchanges_cancelled_at_random_moments(probe, peer_process, mode):
    server = peer_process()
    client = probe(mode, ping_idle_ms=-1, env=ONE_HEAP)
    url = server.url("/bytes?n=30000")
    options = dict(cancel_random_us=20_000, parallel=60, timeout=60)
    first = client.group(url, WARM, **options)
    before = client.stats()["rss_kb"]
    group = client.group(url, THOUSANDS - WARM, **options)
    after = client.stats()
    cancelled = 0
    for one in (first, group):
        assert set(one.errors) == {"CANCELLED"}
        assert set(one.statuses) <= {"200"}
        assert list(one.conns) == ["1"]
        cancelled += one.errors["CANCELLED"]
    assert cancelled > THOUSANDS / 20, "too few were cancelled for this to tell anything"
    assert after["rss_kb"] - before < FLAT_KB
    assert client.get(server.url("/"), timeout=5).body == b"ok"
    conn = check_connection(server, None)
    assert sum(conn["resets"].values()) <= cancelled
    assert conn["requests"] <= THOUSANDS + 1
    client.settled(exchanges_open=0, connections_open=1)


def test_a_cancel_before_anything_was_written_uses_no_stream(probe, peer):
    server = peer()
    client = probe("embedded")
    assert client.get(server.url("/")).stream == 1
    group = client.group(server.url("/never"), 50, cancel_now=1)
    assert group.errors == {"CANCELLED": 50}
    done = client.get(server.url("/"))
    assert done.stream == 3
    assert server.requests("/never") == []
    assert server.one().resets == {}


def test_cancel_while_dialing_leaves_the_others_waiting_for_that_dial(any_probe, peer):
    server = peer()
    client = any_probe()
    runs = client.submit_all(
        [(server.url("/never"), {})] + [(server.url("/"), {})] * 5, "cancel id=r1"
    )
    assert runs[0].wait().error == "CANCELLED"
    for run in runs[1:]:
        assert run.wait().status == 200
    assert server.accepted == 1


def test_each_open_stream_is_reset_once_when_the_client_closes(any_probe, peer):
    server = peer()
    client = any_probe()
    assert client.get(server.url("/")).status == 200
    runs = [client.submit(server.url("/never")) for _ in range(20)]
    server.wait(lambda: len(server.requests("/never")) == 20)
    client.shut()
    for run in runs:
        assert run.wait().error == "CLOSED"
    server.wait(lambda: server.one().closed_by_client)
    assert client.get(server.url("/")).error == "CLOSED"
    assert all(len(codes) == 1 for codes in server.one().resets.values())


def test_rst_stream_is_not_answered_with_rst_stream(any_probe, peer):
    server = peer()
    client = any_probe()
    done = client.get(server.url("/rst?code=2"))
    assert (done.error, done.phase, done.h2_code) == ("STREAM_RESET", "protocol", 2)
    assert client.get(server.url("/")).status == 200
    assert server.one().resets == {}


def test_frames_that_were_on_their_way_when_a_stream_was_reset_are_ignored(any_probe, peer):
    """DATA and trailers after our RST_STREAM: decoded for HPACK, credited to the connection."""

    def script(conn):
        conn.handshake()
        req = conn.expect_request()
        conn.send_headers(req.stream_id, {":status": "200"})
        conn.send_data(req.stream_id, b"x" * 1000)
        conn.expect_rst(req.stream_id)
        for _ in range(10):
            conn.send_data(req.stream_id, b"y" * 5000)
        conn.send_trailers(req.stream_id, {"x-late": "as long as it is new to the table"})
        conn.serve()

    server = peer(script)
    client = any_probe()
    done = client.get(server.url("/a"), streamed=1, close_after=1)
    assert done.ok and done.status == 200
    assert client.get(server.url("/headers?n=5&size=20")).status == 200
    for _ in range(4):
        assert client.get(server.url("/bytes?n=60000")).length == 60000
    assert len(server.one().resets) == 1
    server.one().assert_no_credit_leak()


def test_cancels_are_paced_by_what_the_peer_has_read(any_probe, peer):
    """A stream that was reset takes one of the peer's places until the peer shows that it knows: a
    thousand cancels are not a thousand requests more at once (CVE-2023-44487)."""
    counted = []

    def script(conn):
        conn.auto_pong = False
        conn.handshake(settings={frames.MAX_CONCURRENT_STREAMS: 10})
        conn.respond(conn.expect_request("/warm").stream_id, 200)
        conn.wait(lambda: len(conn.requests) > 10)
        began = time.monotonic()
        conn.wait(lambda: len(conn.resets) >= 10)
        ping = conn.expect_ping()
        conn.sleep(0.3)
        # no answer to PING is waited for longer than a second
        counted.append((len(conn.requests), time.monotonic() - began))
        conn.auto_pong = True
        conn.frame(frames.PING, frames.ACK, 0, ping)
        conn.serve(max_concurrent_streams=10)

    server = peer(script)
    client = any_probe(pool_ms=-1)
    assert client.get(server.url("/warm")).status == 200  # and the limit is known
    cancelled = client.submit_all([(server.url("/never"), {"cancel_ms": 100})] * 300)
    for run in cancelled:
        assert run.wait().error == "CANCELLED"
    group = client.group(server.url("/"), 50, parallel=50)
    assert group.errors == {} and group.statuses == {"200": 50}
    requests, elapsed = counted[0]
    assert requests - 1 <= 10 * (1 + int(elapsed / 0.9))
    assert server.one().max_streams_open <= 10
    assert server.accepted == 1


def test_few_cancels_cost_no_ping(any_probe, peer):
    server = peer()
    client = any_probe()
    for _ in range(20):
        assert client.get(server.url("/headers-then-nothing"), streamed=1, cancel_ms=20).error == "CANCELLED"
        assert client.get(server.url("/")).status == 200
    # on a busy machine one may be cancelled before it was sent
    assert len(server.one().resets) == len(server.requests("/headers-then-nothing")) > 0
    assert server.one().pings == []
