"""What rqx_retry asks for is tried again, as often and as late as it says, and nothing else is."""

import threading
import time
from email.utils import formatdate

import pytest

from support import frames
from support import h1peer as h1


def head(status, fields):
    return h1.head(status, list(fields.items()))


def unavailable(status=503, after=None):
    fields = {"Content-Length": "4"}
    if after is not None:
        fields["Retry-After"] = after
    return head(status, fields) + b"busy"


OK = head(200, {"Content-Length": "2"}) + b"ok"


def test_nothing_is_retried_by_default(any_probe, peer):
    server = peer()
    done = any_probe().get(server.url("/503?times=1"))
    assert (done.status, done.retries) == (503, 0)
    assert len(server.requests("/503")) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_are_tried_again(any_probe, peer, status):
    def answer(stream):
        if stream.conn.peer.count(stream.request.path) < 3:
            stream.respond(status, 1000)
        else:
            stream.respond(200, b"at last")

    server = peer(handlers={"/busy": answer})
    client = any_probe(retry=3)
    done = client.get(server.url("/busy"))
    assert (done.error, done.status, done.body, done.retries) == ("", 200, b"at last", 2)
    assert len(server.requests("/busy")) == 3
    assert server.one().resets == {}  # the answers were read to their end, on one connection
    assert client.stats()["replays"] == 0


def test_statuses_are_tried_again_over_http1(any_probe, h1peer):
    server = h1peer(None, reply=[unavailable(), unavailable(429), OK])
    done = any_probe(retry=3).get(server.url("/"))
    assert (done.status, done.body, done.retries) == (200, b"ok", 2)
    assert len(server.conns) == 1


def test_the_last_answer_is_the_outcome(any_probe, peer):
    server = peer()
    done = any_probe(retry=2).get(server.url("/503?times=100"))
    assert (done.error, done.status, done.retries) == ("", 503, 2)
    assert len(server.requests("/503")) == 3


def test_other_statuses_and_methods_are_left_alone(any_probe, peer):
    server = peer()
    client = any_probe(retry=3)
    assert client.get(server.url("/status?code=500")).retries == 0
    assert client.post(server.url("/503?times=1")).status == 503
    assert client.post(server.url("/503?times=2"), body="x").retries == 0


def test_statuses_and_methods_can_be_chosen(any_probe, peer):
    server = peer(handlers={"/500": lambda s: s.respond(500 if s.conn.peer.count("/500") == 1 else 200, b"")})
    client = any_probe(retry=3, retry_statuses="500", retry_methods="POST")
    done = client.post(server.url("/500"), body="again")
    assert (done.status, done.retries) == (200, 1)
    assert [bytes(r.body) for r in server.requests("/500")] == [b"again", b"again"]
    assert client.get(server.url("/503?times=1")).status == 503


def test_a_request_has_its_own(any_probe, peer):
    server = peer()
    client = any_probe(retry=3)
    assert client.get(server.url("/503?times=1&a"), retry=0).status == 503
    plain = any_probe()
    assert plain.get(server.url("/503?times=1&b"), retry=1).status == 200


def test_kinds_have_budgets_of_their_own(any_probe, peer):
    server = peer()
    client = any_probe(retry=5, retry_status=1)
    done = client.get(server.url("/503?times=3"))
    assert (done.status, done.retries) == (503, 1)


# what may have been processed


def test_a_lost_stream_is_tried_again_where_the_method_allows(any_probe, peer):
    def lost(stream):
        if stream.conn.peer.count("/lost") == 1:
            stream.rst(frames.INTERNAL_ERROR)
        else:
            stream.respond(200, b"found")

    server = peer(handlers={"/lost": lost})
    done = any_probe(retry=2).get(server.url("/lost"))
    assert (done.error, done.body, done.retries) == ("", b"found", 1)


@pytest.mark.parametrize("path", ["/rst?code=2", "/close", "/abort", "/rst?code=2&after=100"])
def test_a_post_that_may_have_been_processed_is_never_repeated(any_probe, peer, path):
    """Even where the user lists POST: that is for answers."""
    server = peer()
    client = any_probe(retry=5, retry_methods="GET,POST")
    done = client.post(server.url(path), body="charge my card")
    assert done.error and done.retries == 0
    assert len(server.requests(path.split("?")[0])) == 1


def test_an_idempotency_key_makes_a_post_repeatable(any_probe, peer):
    def lost(stream):
        if stream.conn.peer.count("/pay") == 1:
            stream.conn.abort()
        else:
            stream.respond(200, b"paid")

    server = peer(handlers={"/pay": lost})
    client = any_probe(retry=2, retry_methods="POST")
    done = client.post(server.url("/pay"), body="x", header=[("Idempotency-Key", "k1")])
    assert (done.error, done.body, done.retries) == ("", b"paid", 1)
    keys = [dict(r.fields)["idempotency-key"] for r in server.requests("/pay")]
    assert keys == ["k1", "k1"]


def test_half_a_body_is_forgotten(any_probe, peer):
    """What was collected of a response that broke off is no part of the next."""

    def half(stream):
        if stream.conn.peer.count("/half") == 1:
            stream.send_headers(200, [("content-length", 100), ("x-try", "1")])
            stream.on_drained = lambda: stream.rst(frames.INTERNAL_ERROR)
            stream.write(b"a" * 50)
        else:
            stream.respond(200, b"whole", [("x-try", "2")])

    server = peer(handlers={"/half": half})
    done = any_probe(retry=1).get(server.url("/half"))
    assert (done.body, done.retries, done.headers["x-try"]) == (b"whole", 1, "2")


def test_a_streamed_response_is_not_begun_twice(any_probe, peer):
    server = peer()
    done = any_probe(retry=3).get(server.url("/rst?code=2&after=100"), streamed=1)
    assert (done.error, done.status, done.retries) == ("STREAM_RESET", 200, 0)
    done = any_probe(retry=3).get(server.url("/503?times=1"), streamed=1)
    assert (done.status, done.retries) == (200, 1)


def test_silence_is_tried_again(any_probe, peer):
    def silent(stream):
        if stream.conn.peer.count("/silent") > 1:
            stream.respond(200, b"awake")

    server = peer(handlers={"/silent": silent})
    done = any_probe(retry=1).get(server.url("/silent"), read_ms=100)
    assert (done.error, done.body, done.retries) == ("", b"awake", 1)
    assert list(server.one().resets.values()) == [[frames.CANCEL]]


def test_a_failure_says_how_many_attempts_there_were(any_probe, peer, unused_port):
    server = peer()
    done = any_probe(retry=2).get(server.url("/rst?code=2"))
    assert (done.error, done.retries) == ("STREAM_RESET", 2)
    assert done.error_text.endswith(" (after 3 attempts)")
    done = any_probe(retry=1).get(f"http://127.0.0.1:{unused_port}/")
    assert (done.error, done.retries) == ("CONNECT", 1)
    assert done.error_text.endswith(") (after 2 attempts)")
    done = any_probe().get(server.url("/rst?code=2"))
    assert "attempt" not in done.error_text


# connecting


def test_connecting_is_tried_again_with_any_method(any_probe, unused_port):
    client = any_probe(retry=3, retry_connect=2)
    done = client.post(f"http://127.0.0.1:{unused_port}/", body="x")
    assert (done.error, done.retries) == ("CONNECT", 2)


def test_a_connect_timeout_is_tried_again(any_probe, black_hole):
    done = any_probe(retry=1, connect_ms=80).get(f"http://127.0.0.1:{black_hole}/")
    assert (done.error, done.retries) == ("CONNECT_TIMEOUT", 1)


def test_connect_retries_come_first(any_probe, unused_port):
    done = any_probe(retry=1, connect_retries=1).get(f"http://127.0.0.1:{unused_port}/")
    assert (done.error, done.retries) == ("CONNECT", 2)


# pauses


def test_pauses_grow(any_probe, peer):
    server = peer()
    began = time.monotonic()
    done = any_probe(retry=3, backoff_ms=60, jitter=0).get(server.url("/503?times=3"))
    assert (done.status, done.retries) == (200, 3)
    assert time.monotonic() - began >= 0.06 + 0.12 + 0.24


def test_retry_after_in_seconds(any_probe, peer):
    server = peer()
    began = time.monotonic()
    done = any_probe(retry=1, jitter=0).get(server.url("/503?times=1&after=1"))
    assert (done.status, done.retries) == (200, 1)
    assert time.monotonic() - began >= 1.0


def test_retry_after_as_a_date(any_probe, h1peer):
    """Seen from the server's clock, which is an hour ahead."""
    ahead = time.time() + 3600
    busy = head(
        503,
        {
            "Date": formatdate(ahead, usegmt=True),
            "Retry-After": formatdate(ahead + 1, usegmt=True),
            "Content-Length": "0",
        },
    )
    server = h1peer(None, reply=[busy, OK])
    began = time.monotonic()
    done = any_probe(retry=1, jitter=0).get(server.url("/"))
    assert (done.status, done.retries) == (200, 1)
    assert 1.0 <= time.monotonic() - began < 30


def test_retry_after_can_be_ignored(any_probe, peer):
    server = peer()
    done = any_probe(retry=1, retry_after=0).get(server.url("/503?times=1&after=3600"), timeout=10)
    assert (done.status, done.retries) == (200, 1)


@pytest.mark.parametrize("after", ["3", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_longer_retry_after_than_allowed_is_the_outcome(any_probe, h1peer, after):
    server = h1peer(None, reply=[unavailable(after=after), OK])
    done = any_probe(retry=1, retry_after_max_ms=2000).get(server.url("/"), timeout=10)
    assert (done.status, done.body, done.retries) == (503, b"busy", 0)


def test_a_retry_after_that_means_nothing_is_none(any_probe, h1peer):
    server = h1peer(None, reply=[unavailable(after="when it rains"), OK])
    assert any_probe(retry=1).get(server.url("/")).status == 200


# the end of patience


def test_total_covers_pauses(any_probe, peer):
    """A pause that would outlast the total timeout is not begun: what came is the outcome."""
    server = peer()
    done = any_probe(retry=3).get(server.url("/503?times=3&after=60"), total_ms=20_000, timeout=10)
    assert (done.error, done.status, done.retries) == ("", 503, 0)
    done = any_probe(retry=3, backoff_ms=60_000, jitter=0).get(server.url("/rst?code=2"), total_ms=20_000, timeout=10)
    assert (done.error, done.retries) == ("STREAM_RESET", 0)


def test_total_covers_all_tries(any_probe, peer):
    server = peer()
    done = any_probe(retry=1000, read_ms=50).get(server.url("/never"), total_ms=400)
    assert done.error == "TOTAL_TIMEOUT" or (done.error == "READ_TIMEOUT" and done.retries)
    assert done.retries < 9


@pytest.mark.parametrize("how", ["cancel", "close", "shut"])
def test_a_pause_can_be_ended(any_probe, peer, how):
    server = peer()
    client = any_probe(retry=3, backoff_ms=60_000, jitter=0)
    run = client.submit(server.url("/503?times=3"))
    server.wait(lambda: server.conns and server.conns[0].streams_open == 0 and server.requests("/503"))
    client.settled(exchanges_open=1)
    client.shut() if how == "shut" else getattr(run, how)()
    done = run.wait(10)
    assert done.error == ("CLOSED" if how == "shut" else "CANCELLED")
    assert len(server.requests("/503")) == 1
    assert client.stats()["exchanges_open"] == 0


# bodies


@pytest.mark.parametrize("body", [{"body": "bytes"}, {"body": "x" * 70_000, "body_kind": "callback", "rewind": 1}])
def test_bodies_are_sent_again_from_their_first_byte(any_probe, peer, body):
    server = peer(handlers={"/put": lambda s: s.respond(503 if s.conn.peer.count("/put") == 1 else 200, b"")})
    done = any_probe(retry=1).submit(server.url("/put"), method="PUT", **body).wait()
    assert (done.error, done.status, done.retries) == ("", 200, 1)
    assert [bytes(r.body) for r in server.requests("/put")] == [body["body"].encode()] * 2


@pytest.mark.parametrize("kind", ["callback", "push"])
def test_a_body_that_cannot_be_had_again_is_not_replayed(any_probe, peer, kind):
    server = peer()
    done = any_probe(retry=3).submit(server.url("/503?times=1"), method="PUT", body="once", body_kind=kind).wait()
    assert (done.error, done.status, done.retries) == ("", 503, 0)


@pytest.mark.parametrize("kind", ["callback", "push"])
def test_a_body_that_nobody_took_goes_to_the_next_connection(any_probe, unused_port, peer, kind):
    """Connecting failed: what stands in the buffer is still there."""
    done = any_probe(retry=2).submit(
        f"http://127.0.0.1:{unused_port}/", method="POST", body="x" * 1000, body_kind=kind
    ).wait()
    assert (done.error, done.retries) == ("CONNECT", 2)


def test_a_pushed_body_survives_a_refused_stream(any_probe, peer):
    knows = threading.Event()

    def first(conn):
        conn.handshake(settings={frames.INITIAL_WINDOW_SIZE: 0})
        request = conn.expect_request("/push")
        conn.expect_settings_ack()
        knows.set()
        conn.rst(request.stream_id, frames.REFUSED_STREAM)
        again = conn.expect_request("/push")
        conn.send_settings({frames.INITIAL_WINDOW_SIZE: 1000})
        conn.expect_body(again)
        conn.respond(again.stream_id, 200, b"taken")
        conn.until_closed()

    server = peer(first)
    run = any_probe().submit(server.url("/push"), method="POST", body_kind="push", push_open=1, length="unknown")
    assert knows.wait(10)  # that there is no window yet: nothing of the body leaves
    run.write(b"pushed")
    run.end()
    done = run.wait()
    assert (done.error, done.body, done.retries) == ("", b"taken", 1)
    assert bytes(server.requests("/push")[1].body) == b"pushed"


def test_an_upload_is_cut_and_sent_again(any_probe, peer):
    """503 while the body is still on its way."""

    def busy(stream):
        if stream.conn.peer.count("/early") == 1:
            stream.respond(503, b"busy")
            stream.on_drained = lambda: stream.conn.send_rst(stream.id, frames.NO_ERROR)
        else:
            stream.on_end = lambda: stream.respond(200, str(stream.request.body_length).encode())

    busy.early = True
    server = peer(handlers={"/early": busy}, initial_window=1000)
    done = any_probe(retry=1).submit(server.url("/early"), method="PUT", body_size=300_000).wait()
    assert (done.error, done.status, done.body, done.retries) == ("", 200, b"300000", 1)


# other answers that say "not done", each with its own budget


def test_the_budget_of_replays_is_not_used_up_by_421_and_417(any_probe, h1peer):
    empty = {"Content-Length": "0"}

    def refuses_both(conn):
        for status in (417, 421):
            conn.read_request()
            conn.send(head(status, empty))
        conn.until_closed()

    def serves(conn):
        conn.read_request()
        conn.send(OK)
        conn.until_closed()

    server = h1peer([refuses_both, serves])
    done = any_probe(max_replays=0, expect_continue_ms=20).post(server.url("/"), body="x", header=[("Expect", "100-continue")])
    assert (done.error, done.status, done.retries) == ("", 200, 2)
    assert len(server.conns) == 2  # 421: another connection


def test_421_goes_elsewhere_even_with_post_but_once(any_probe, peer):
    server = peer()
    done = any_probe(max_replays=0).post(server.url("/421?times=1"), body="x")
    assert (done.status, done.body, done.retries) == (200, b"directed", 1)
    assert server.accepted == 2
    done = any_probe().post(server.url("/421?times=9"), body="x")
    assert (done.status, done.retries) == (421, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_too_early_is_sent_again_once(any_probe, peer, method):
    """RFC 8470 section 5.2: no early data is ours, but somebody between may have used some."""
    server = peer(handlers={"/425": lambda s: s.respond(425 if s.conn.peer.count("/425") == 1 else 200, b"")})
    done = any_probe().submit(server.url("/425"), method=method, body="x" if method == "POST" else None).wait()
    assert (done.error, done.status, done.retries) == ("", 200, 1)
    assert server.accepted == 1
    server = peer(handlers={"/425": lambda s: s.respond(425, b"")})
    done = any_probe().get(server.url("/425"))
    assert (done.status, done.retries) == (425, 1)


def test_a_discarded_body_that_hangs_does_not_hold_the_next_try_up(any_probe, peer):
    def hang(stream):
        if stream.conn.peer.count("/hang") == 1:
            stream.send_headers(503, [("content-length", 10)])
        else:
            stream.respond(200, b"ok")

    server = peer(handlers={"/hang": hang})
    done = any_probe(retry=1, read_ms=150).get(server.url("/hang"))
    assert (done.error, done.status, done.retries) == ("", 200, 1)
    assert list(server.one().resets.values()) == [[frames.CANCEL]]
