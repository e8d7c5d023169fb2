"""Bodies that move, but too slowly, are given up: rqx_timeouts.stall_rate over stall_ms."""

import time

import pytest

from support import frames

SLOW = {"stall_rate": 10_000, "stall_ms": 300}


@pytest.mark.parametrize("streamed", [0, 1])
def test_a_body_that_drips(any_probe, peer, streamed):
    """A byte now and then never makes a read timeout."""
    server = peer()
    began = time.monotonic()
    done = any_probe().get(server.url("/drip?n=1000&ms=20"), streamed=streamed, **SLOW)
    assert (done.error, done.phase, done.status) == ("STALL_TIMEOUT", "timeout", 200)
    assert "fewer than 10000 bytes/s in 0.3 s while reading the response body" in done.error_text
    assert 0.3 <= time.monotonic() - began < 10
    server.wait(lambda: server.one().resets)
    assert list(server.one().resets.values()) == [[frames.CANCEL]]


def test_a_body_that_drips_over_http1(any_probe, h1peer):
    server = h1peer()
    done = any_probe().get(server.url("/drip?n=1000&ms=20"), **SLOW)
    assert done.error == "STALL_TIMEOUT"


def test_a_body_that_is_fast_enough(any_probe, peer):
    """Four windows of 500 ms, each with far more than is asked for, however seldom a busy machine lets the server write."""
    server = peer()
    done = any_probe().get(server.url("/drip?n=200&size=4000&ms=10"), stall_rate=2_000, stall_ms=500)
    assert (done.error, done.length) == ("", 800_000)


def test_only_bodies_are_measured(any_probe, peer):
    """The wait for an answer is the read timeout's."""
    server = peer()
    done = any_probe().get(server.url("/slow?ms=600"), stall_rate=1_000_000, stall_ms=100)
    assert (done.error, done.body) == ("", b"slow")


def test_a_reader_that_rests_stalls_nobody(probe, peer):
    """Backpressure of the caller's own does not count, however long."""
    server = peer()
    client = probe()
    run = client.submit(server.url("/bytes?n=3000000"), streamed=1, hold=1, stall_rate=100_000, stall_ms=200)
    run.head()
    time.sleep(0.7)
    run.read()
    done = run.wait()
    assert (done.error, done.length) == ("", 3_000_000)


def test_a_reader_that_takes_long_between_two_reads(probe, peer):
    server = peer()
    done = probe().get(
        server.url("/bytes?n=400000"), streamed=1, piece=16384, read_gap_ms=40, stall_rate=1_000_000, stall_ms=200
    )
    assert (done.error, done.length) == ("", 400_000)


def test_silence_in_a_streamed_body_counts_while_it_is_waited_for(any_probe, peer):
    server = peer()
    done = any_probe().get(server.url("/partial?n=100"), streamed=1, **SLOW)
    assert (done.error, done.length) == ("STALL_TIMEOUT", 100)


@pytest.mark.parametrize("kind", ["bytes", "callback", "push"])
def test_an_upload_that_the_peer_does_not_take(any_probe, peer, kind):
    server = peer()
    done = any_probe(write_ms=-1, read_ms=-1).post(
        server.url("/stall-upload"), body_size=1_000_000, body_kind=kind, **SLOW
    )
    assert done.error == "STALL_TIMEOUT"
    assert "while sending the request" in done.error_text


def test_an_upload_whose_source_is_slow(any_probe, peer):
    """It is this side that has nothing to send."""
    server = peer()
    done = any_probe().post(
        server.url("/upload"), body="x" * 200, body_kind="callback", piece=10, gap_ms=40, **SLOW
    )
    assert (done.error, done.json["length"]) == ("", 200)


def test_a_trickle_of_credit_is_not_enough(any_probe, peer):
    """A write timeout never comes: each time a little goes out."""

    def trickle(conn):
        conn.handshake(settings={frames.INITIAL_WINDOW_SIZE: 100})
        conn.auto_credit = False
        request = conn.expect_request("/up")
        while request.reset is None:
            conn.window_update(request.stream_id, 10)
            conn.sleep(0.02)
        conn.until_closed()

    server = peer(trickle)
    done = any_probe(write_ms=1000).post(server.url("/up"), body_size=1_000_000, **SLOW)
    assert done.error == "STALL_TIMEOUT"


def test_siblings_go_on(any_probe, peer):
    server = peer()
    client = any_probe(**SLOW)
    slow = client.submit(server.url("/drip?n=1000&ms=20"))
    other = client.submit(server.url("/drip?n=40&ms=20"), stall_rate=0)
    assert slow.wait().error == "STALL_TIMEOUT"
    assert (other.wait().error, other.wait().length) == ("", 40)
    assert server.accepted == 1


def test_a_stall_may_be_tried_again(any_probe, peer):
    def once(stream):
        if stream.conn.peer.count("/once") == 1:
            stream.send_headers(200, [("content-length", 10)])
            stream.write(b"abc")
        else:
            stream.respond(200, b"quick")

    server = peer(handlers={"/once": once})
    done = any_probe(retry=1, **SLOW).get(server.url("/once"))
    assert (done.error, done.body, done.retries) == ("", b"quick", 1)
