"""Hostile HTTP/2 by name, for tests that go through them all.

Kind "stream": a function of a Responder's Stream, run when `/behave/NAME` is asked for; siblings on
the connection are served all the while. Kind "connection": a script of a Connection, for `Peer(ca,
script)`; it begins when `peer.crowd` requests are there. `expect` says what a sound client does: see
expect.py. tests/hostile plays them all.
"""

import functools
from . import frames
from .expect import Expect
from .frames import (
    ALTSVC,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    u32,
)

BEHAVIOURS = {}
FLOOD = 20000


class Behaviour:
    """`function` is handler or script, by `kind`; `rule` names the section or the history behind
    it."""

    def __init__(self, name, kind, expect, rule, function):
        self.name = name
        self.kind = kind
        self.expect = expect  # an Expect
        self.rule = rule
        self.doc = function.__doc__ or name
        self.function = function

    def __repr__(self):
        return f"<{self.kind} behaviour {self.name}, {self.expect}>"


def _register(name, kind, expect, rule, how):
    def register(function):
        assert name not in BEHAVIOURS, name
        BEHAVIOURS[name] = Behaviour(name, kind, Expect(expect, **how), rule, function)
        return function

    return register


def on_stream(name, expect, rule="", **how):
    return _register(name, "stream", expect, rule, how)


def on_connection(name, expect, rule="", **how):
    return _register(name, "connection", expect, rule, how)


def of_kind(kind):
    """The behaviours of one kind, by name."""
    return {name: b for name, b in BEHAVIOURS.items() if b.kind == kind}


def _flood(stream, make, count=FLOOD):
    """Calls `make()`, which sends a frame, until the client has had enough; True when it is still
    there at the end."""
    conn = stream.conn
    for _ in range(0, count, 500):
        for _ in range(500):
            make()
        conn.push()
        conn.wire.flush()
        conn.take_input()
        if conn.closed_by_client or not stream.state.peer_open:
            return False
    return True


def _flood_then_answer(stream, make):
    if _flood(stream, make):
        stream.respond(200, b"still here")


# what precedes any response


def _gather(conn):
    """Reads, saying nothing, until all that the test sends at once is there."""
    conn.auto_ack = False
    conn.wait(lambda: len(conn.requests) >= conn.peer.crowd)


@on_connection("silent", "timeout READ_TIMEOUT", "3.4", siblings="READ_TIMEOUT", after="READ_TIMEOUT")
def silent(conn):
    """Accepts, and never says a word."""
    conn.stall()


@on_connection("silent-and-asked", "connection LIVENESS", "6.7", ping=150, only="c")
def silent_and_asked(conn):
    """Never says a word, not even to PING: given up long before the deadlines of its requests."""
    conn.auto_pong = False
    _gather(conn)
    conn.until_closed()


@on_connection("garbage-preface", "connection PROTOCOL", "3.4")
def garbage_preface(conn):
    """Something that is not HTTP/2."""
    _gather(conn)
    conn.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n" * 10)
    conn.until_closed()


@on_connection("http1-answer", "connection PROTOCOL", "3.4")
def http1_answer(conn):
    """An HTTP/1.1 response where the server's preface should be."""
    _gather(conn)
    conn.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    conn.until_closed()


@on_connection("no-settings", "connection PROTOCOL", "3.4")
def no_settings(conn):
    """The first frame is not SETTINGS."""
    _gather(conn)
    conn.send_ping()
    conn.until_closed()


@on_connection("close-at-once", "connection TRUNCATED")
def close_at_once(conn):
    """Closes before saying anything."""
    _gather(conn)
    conn.close()


@on_connection("abort-at-once", "connection READ")
def abort_at_once(conn):
    """TCP RST before saying anything."""
    _gather(conn)
    conn.abort()


@on_connection("goaway-first", "replayed", "6.8")
def goaway_first(conn):
    """GOAWAY(0) right after SETTINGS, and the end."""
    _gather(conn)
    conn.send_settings({})
    conn.send_goaway(0)
    conn.close()


@on_connection(
    "settings-never-acked", "timeout READ_TIMEOUT", "6.5.3", siblings="READ_TIMEOUT", after="READ_TIMEOUT"
)
def settings_never_acked(conn):
    """Serves nobody and acknowledges nothing."""
    conn.auto_ack = False
    conn.handshake()
    conn.until_closed()


@on_connection("settings-late", "ok", "3.4")
def settings_late(conn):
    """SETTINGS and answers come together, only after the request."""
    _gather(conn)
    with conn.cork():
        conn.send_settings({MAX_CONCURRENT_STREAMS: 50})
        conn.frame(SETTINGS, frames.ACK, 0)
        conn.auto_ack = True
        conn.serve(handshake=False)


def _allow(conn, count):
    """Once the first requests are there: so many streams from now on."""
    _gather(conn)
    conn.send_settings({MAX_CONCURRENT_STREAMS: count})
    conn.frame(SETTINGS, frames.ACK, 0)
    conn.auto_ack = True
    conn.expect_settings_ack()
    conn.peer.ready.set()


@on_connection("zero-streams", "timeout POOL_TIMEOUT", "5.1.2", after="POOL_TIMEOUT", late=True)
def zero_streams(conn):
    """MAX_CONCURRENT_STREAMS of 0 for ever: what is open finishes, nothing more is begun."""
    _allow(conn, 0)
    conn.serve(handshake=False)


@on_connection("zero-streams-then-some", "ok", "5.1.2", late=True)
def zero_streams_then_some(conn):
    """MAX_CONCURRENT_STREAMS of 0, and of 10 a little later."""
    _allow(conn, 0)
    conn.sleep(0.05)
    conn.send_settings({MAX_CONCURRENT_STREAMS: 10})
    conn.serve(handshake=False)


@on_connection("half-open", "timeout READ_TIMEOUT", siblings="READ_TIMEOUT", after="READ_TIMEOUT")
def half_open(conn):
    """Takes the request and stops reading: the peer has vanished."""
    conn.handshake()
    conn.expect_request()
    conn.stall()


@on_connection("push-before-settings", "ok", "6.6, 8.4", field=("x-kept", "by-hpack"), refuses=2)
def push_before_settings(conn):
    """A push that was under way before the client's SETTINGS came. It is refused, and the fields
    that it put in the table are there for the responses."""
    _gather(conn)
    conn.send_settings({})
    first = conn.requests[0].stream_id
    pushed = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/p"), ("x-kept", "by-hpack")]
    conn.push_promise(first, 2, pushed)
    conn.frame(SETTINGS, frames.ACK, 0)
    conn.auto_ack = True
    conn.serve(handshake=False, extra=[("x-kept", "by-hpack")])


# malformed frames: connection errors


def _bad_frame(name, rule, type, flags, stream_id, payload, expect="connection PROTOCOL"):
    def behave(stream):
        target = stream.id if stream_id == "own" else stream_id
        stream.conn.frame(type, flags, target, payload)

    behave.__doc__ = f"{name.replace('-', ' ')} (RFC 9113, section {rule})"
    on_stream(name, expect, rule)(behave)


_bad_frame("data-on-stream-0", "6.1", DATA, 0, 0, b"x")
_bad_frame("headers-on-stream-0", "6.2", HEADERS, END_HEADERS, 0, b"\x88")
_bad_frame("rst-on-stream-0", "6.4", RST_STREAM, 0, 0, u32(8))
_bad_frame("rst-short", "6.4", RST_STREAM, 0, "own", b"\0\0\0")
_bad_frame("rst-on-idle-stream", "5.1", RST_STREAM, 0, 1999999999, u32(8))
_bad_frame("settings-on-stream", "6.5", SETTINGS, 0, "own", b"")
_bad_frame("settings-size", "6.5", SETTINGS, 0, 0, b"\0\1\0\0")
_bad_frame("settings-ack-with-payload", "6.5", SETTINGS, frames.ACK, 0, b"\0\1\0\0\0\1")
_bad_frame(
    "settings-window-too-big",
    "6.5.2",
    SETTINGS,
    0,
    0,
    frames.pack_settings({INITIAL_WINDOW_SIZE: 2**31}),
)
_bad_frame(
    "settings-frame-size-small",
    "6.5.2",
    SETTINGS,
    0,
    0,
    frames.pack_settings({MAX_FRAME_SIZE: 100}),
)
_bad_frame(
    "settings-enable-push", "6.5.2", SETTINGS, 0, 0, frames.pack_settings({frames.ENABLE_PUSH: 1})
)
_bad_frame("ping-on-stream", "6.7", PING, 0, "own", bytes(8))
_bad_frame("ping-size", "6.7", PING, 0, 0, bytes(7))
_bad_frame("goaway-on-stream", "6.8", GOAWAY, 0, "own", bytes(8))
_bad_frame("goaway-short", "6.8", GOAWAY, 0, 0, bytes(4))
_bad_frame("window-update-zero-connection", "6.9", WINDOW_UPDATE, 0, 0, u32(0))
_bad_frame("window-update-zero-stream", "6.9", WINDOW_UPDATE, 0, "own", u32(0), "stream PROTOCOL")
_bad_frame("window-update-short", "6.9", WINDOW_UPDATE, 0, 0, b"\0\0\1")
_bad_frame("window-overflow-connection", "6.9.1", WINDOW_UPDATE, 0, 0, u32(2**31 - 1))
_bad_frame("window-overflow-stream", "6.9.1", WINDOW_UPDATE, 0, "own", u32(2**31 - 1), "stream PROTOCOL")
_bad_frame("window-update-on-idle-stream", "5.1", WINDOW_UPDATE, 0, 1999999999, u32(1))
_bad_frame("continuation-alone", "6.10", CONTINUATION, END_HEADERS, "own", b"")
_bad_frame("headers-padding-too-long", "6.2", HEADERS, END_HEADERS | PADDED, "own", b"\xff\x88")
_bad_frame("headers-on-idle-stream", "5.1", HEADERS, END_HEADERS, 1999999999, b"\x88")
_bad_frame("headers-on-even-stream", "5.1.1", HEADERS, END_HEADERS, 2, b"\x88")
_bad_frame("push-promise", "8.4", PUSH_PROMISE, END_HEADERS, "own", u32(2) + b"\x82\x87\x84")


@on_stream("data-padding-too-long", "connection PROTOCOL", "6.1")
def data_padding_too_long(stream):
    """Padding that is longer than its frame."""
    stream.send_headers(200)
    stream.conn.frame(DATA, PADDED, stream.id, b"\xffx")


@on_stream("frame-too-long", "connection PROTOCOL", "4.2")
def frame_too_long(stream):
    """A DATA frame longer than SETTINGS_MAX_FRAME_SIZE allows."""
    stream.send_headers(200)
    stream.conn.frame(DATA, 0, stream.id, bytes(frames.DEFAULT_FRAME + 1024 * 1024))


@on_stream("unknown-frames", "ok", "4.1")
def unknown_frames(stream):
    """Frame types, flags and settings that nobody knows are ignored."""
    for type in (0x0B, 0x42, 0xF0, 0xFF):
        stream.conn.frame(type, 0xFF, stream.id, b"whatever")
        stream.conn.frame(type, 0, 0, b"whatever")
    stream.conn.send_settings({0x42: 1, 0xFFFF: 2**32 - 1})
    stream.conn.frame(PING, 0xFE, 0, b"reserved")
    stream.respond(200, b"ok")


@on_stream("altsvc-and-origin", "ok", "RFC 7838, RFC 8336")
def altsvc_and_origin(stream):
    """Extensions that servers send unasked."""
    stream.conn.frame(ALTSVC, 0, stream.id, b'\0\0h3=":443"')
    stream.conn.frame(frames.ORIGIN, 0, 0, b"\0\x14https://example.test")
    stream.conn.frame(PRIORITY, 0, stream.id, u32(0) + b"\x10")
    stream.respond(200, b"ok")


# header blocks


@on_stream("hpack-garbage", "connection PROTOCOL", "4.3")
def hpack_garbage(stream):
    """A header block that does not decode: the shared state is lost."""
    stream.conn.frame(HEADERS, END_HEADERS, stream.id, b"\xff\xff\xff\xff\xff\xff\xff")


@on_stream("hpack-index-out-of-range", "connection PROTOCOL", "RFC 7541, 2.3.3")
def hpack_index(stream):
    """An index that is not in any table."""
    stream.conn.frame(HEADERS, END_HEADERS, stream.id, b"\x88\xfe\xff\x01")


@on_stream("hpack-table-size-too-big", "connection PROTOCOL", "RFC 7541, 6.3")
def hpack_table_size(stream):
    """A table size update above what the client allows."""
    stream.conn.frame(HEADERS, END_HEADERS, stream.id, b"\x3f\xe1\xff\xff\x03\x88")


@on_stream("hpack-truncated", "connection PROTOCOL", "4.3")
def hpack_truncated(stream):
    """A block that ends inside a literal."""
    stream.conn.frame(HEADERS, END_HEADERS, stream.id, b"\x88\x40\x0aabc")


@on_stream("hpack-bomb", "stream HEADER_TOO_LARGE", "10.5.1")
def hpack_bomb(stream):
    """A 4 kB value put in the table once and repeated by index: 64 MB of fields from 16 kB."""
    value = stream.conn.encoder.encode([(":status", "200"), ("x-bomb", "b" * 3900)], huffman=False)
    stream.conn.send_headers(stream.id, value + b"\xbe" * 16000, end_stream=True)


def _send_large_block(stream, pieces):
    """Fields of 16 KiB, never indexed, one after the other, in as many CONTINUATION frames."""
    conn = stream.conn
    conn.frame(HEADERS, 0, stream.id, b"\x88")
    field = b"\x00\x05x-big\x7f\xf1\x7e" + b"v" * (16384 - 16)
    for index in range(pieces):
        if conn.closed_by_client:
            return
        conn.continuation(stream.id, field, end_headers=index == pieces - 1)
        conn.push()
        conn.wire.flush()


@on_stream("headers-huge", "stream HEADER_TOO_LARGE", "10.5.1")
def headers_huge(stream):
    """160 kB of fields in one block."""
    _send_large_block(stream, 10)


@on_stream("headers-endless", "connection FLOOD", "10.5.1", outcome="HEADER_TOO_LARGE")
def headers_endless(stream):
    """16 MB of fields in one block."""
    _send_large_block(stream, 1024)


@on_stream("continuation-flood", "connection FLOOD", "6.10, CVE-2024-30255")
def continuation_flood(stream):
    """Empty CONTINUATION frames without an end."""
    stream.conn.frame(HEADERS, 0, stream.id, b"\x88")
    _flood(stream, lambda: stream.conn.frame(CONTINUATION, 0, stream.id))


@on_stream("continuation-other-stream", "connection PROTOCOL", "6.10")
def continuation_other_stream(stream):
    """A header block that goes on on another stream."""
    stream.conn.frame(HEADERS, 0, stream.id, b"\x88")
    stream.conn.frame(CONTINUATION, END_HEADERS, stream.id + 2, b"")


@on_stream("continuation-interrupted", "connection PROTOCOL", "6.10")
def continuation_interrupted(stream):
    """Another frame inside a header block."""
    stream.conn.frame(HEADERS, 0, stream.id, b"\x88")
    stream.conn.send_ping()


@on_stream("headers-split", "ok", "6.10")
def headers_split(stream):
    """A block of one byte per CONTINUATION."""
    block = stream.conn.encode([(":status", 200), ("content-length", 2)])
    stream.conn.frame(HEADERS, 0, stream.id, block[:1])
    for at in range(1, len(block)):
        stream.conn.frame(
            CONTINUATION, END_HEADERS if at == len(block) - 1 else 0, stream.id, block[at : at + 1]
        )
    stream.write(b"ok", end=True)


def _fields(name, fields, rule="8.2", expect="stream PROTOCOL", end=True):
    """Malformed responses that are nothing but their fields."""

    def behave(stream):
        stream.conn.send_headers(stream.id, fields, end_stream=end)

    behave.__doc__ = f"{name.replace('-', ' ')} (RFC 9113, section {rule})"
    on_stream(name, expect, rule)(behave)


_fields("no-status", [("x-a", "1")], "8.3.2")
_fields("status-twice", [(":status", 200), (":status", 200)], "8.3.2")
_fields("status-letters", [(":status", "abc")], "8.3.2")
_fields("status-empty", [(":status", "")], "8.3.2")
_fields("status-late", [("x-a", "1"), (":status", 200)], "8.3")
_fields("pseudo-unknown", [(":status", 200), (":what", "1")], "8.3")
_fields("pseudo-of-request", [(":status", 200), (":path", "/")], "8.3")
_fields("name-upper-case", [(":status", 200), ("X-Upper", "1")], "8.2.1")
_fields("name-with-space", [(":status", 200), ("x a", "1")], "8.2.1")
_fields("name-empty", [(":status", 200), ("", "1")], "8.2.1")
_fields("value-with-newline", [(":status", 200), ("x-a", "1\r\nset-cookie: evil=1")], "8.2.1")
_fields("value-with-nul", [(":status", 200), ("x-a", "1\0002")], "8.2.1")
_fields("connection-field", [(":status", 200), ("connection", "close")], "8.2.2")
_fields("transfer-encoding", [(":status", 200), ("transfer-encoding", "chunked")], "8.2.2")
_fields("status-101", [(":status", 101)], "8.6", end=False)
_fields("interim-ends-stream", [(":status", 103)], "8.1")


@on_stream("interim-many", "ok", "8.1")
def interim_many(stream):
    """Twenty interim responses, then the final one."""
    for index in range(20):
        stream.send_headers(103, [("link", f"</{index}>")])
    stream.respond(200, b"ok")


@on_stream("interim-endless", "stream HEADER_TOO_LARGE", "10.5.1")
def interim_endless(stream):
    """A thousand interim responses: small ones, that are too much together."""
    for _ in range(1000):
        stream.send_headers(103, [("link", "</style.css>; rel=preload")])


@on_stream("trailers-with-pseudo", "stream PROTOCOL", "8.1")
def trailers_with_pseudo(stream):
    """A pseudo field in trailers."""
    stream.send_headers(200)
    stream.conn.send_trailers(stream.id, [(":status", 200)])


@on_stream("trailers-without-end", "stream PROTOCOL", "8.1")
def trailers_without_end(stream):
    """A second header block that does not end the stream."""
    stream.send_headers(200)
    stream.conn.send_headers(stream.id, [("x-a", "1")])


@on_stream("data-before-headers", "stream PROTOCOL", "8.1.1")
def data_before_headers(stream):
    """A body without a head."""
    stream.conn.send_data(stream.id, b"body", end_stream=True)


@on_stream("data-before-headers-endless", "stream PROTOCOL", "8.1.1")
def data_before_headers_endless(stream):
    """More of a body without a head, all of it padded, than a connection's window: the connection is credited."""
    left = [200]

    def more():
        while left[0] and stream.conn.send_window > 20_000:
            stream.conn.send_data(stream.id, bytes(16_000), padding=200)
            left[0] -= 1
        if left[0]:
            stream.responder.later(0.001, more)

    more()


@on_stream("data-after-interim", "stream PROTOCOL", "8.1")
def data_after_interim(stream):
    """A body after a 103 alone."""
    stream.send_headers(103)
    stream.conn.send_data(stream.id, b"body", end_stream=True)


# lengths


def _length(name, said, data, rule="8.1.1", expect="stream PROTOCOL", status=200):
    def behave(stream):
        stream.send_headers(status, [("content-length", said)])
        stream.conn.send_data(stream.id, data, end_stream=True)

    behave.__doc__ = f"content-length {said} and {len(data)} bytes, status {status}"
    on_stream(name, expect, rule)(behave)


_length("body-too-short", 10, b"short", expect="stream RESPONSE_LENGTH")
_length("body-too-long", 3, b"too long", expect="stream RESPONSE_LENGTH")
_length("length-negative", -1, b"x")
_length("length-letters", "ten", b"x")
_length("length-huge", "9" * 30, b"x")
_length("body-on-204", 2, b"xx", expect="stream PROTOCOL", status=204)


@on_stream("length-twice", "stream PROTOCOL", "8.1.1")
def length_twice(stream):
    """Two content-length fields that disagree."""
    stream.send_headers(200, [("content-length", 2), ("content-length", 3)])
    stream.conn.send_data(stream.id, b"ok", end_stream=True)


# flow control


@on_stream("padding-only", "connection FLOOD", "6.1, 6.9")
def padding_only(stream):
    """Padding without data: it counts against the window like data, and brings nothing."""
    conn = stream.conn
    stream.send_headers(200)
    for _ in range(FLOOD):
        conn.wait(lambda: conn.room(stream.state) >= 256)
        conn.send_data(stream.id, b"", padding=255)


@on_stream("empty-data-flood", "connection FLOOD", "10.5, CVE-2019-9518")
def empty_data_flood(stream):
    """Empty DATA frames, which cost no window."""
    stream.send_headers(200)
    _flood(stream, lambda: stream.conn.frame(DATA, 0, stream.id))
    stream.write(b"at last", end=True)


@on_stream("window-shrinks", "ok", "6.9.2")
def window_shrinks(stream):
    """INITIAL_WINDOW_SIZE goes to 0 under an upload, and back."""
    stream.conn.send_settings({INITIAL_WINDOW_SIZE: 0})
    stream.later(50, lambda: stream.conn.send_settings({INITIAL_WINDOW_SIZE: 65535}))
    stream.on_end = lambda: stream.later(60, lambda: stream.respond(200, b"ok"))


# floods that cost the client an answer or a turn


@on_stream("ping-flood", "connection FLOOD", "10.5, CVE-2019-9512")
def ping_flood(stream):
    """PINGs faster than they can be answered."""
    _flood_then_answer(stream, lambda: stream.conn.frame(PING, 0, 0, b"floodily"))


@on_stream("settings-flood", "connection FLOOD", "10.5, CVE-2019-9515")
def settings_flood(stream):
    """SETTINGS faster than they can be acknowledged."""
    _flood_then_answer(stream, lambda: stream.conn.frame(SETTINGS, 0, 0, b""))


@on_stream("ping-ack-flood", "connection FLOOD", "10.5")
def ping_ack_flood(stream):
    """Answers to PINGs that nobody sent."""
    _flood_then_answer(stream, lambda: stream.conn.frame(PING, frames.ACK, 0, b"unasked!"))


@on_stream("window-update-flood", "connection FLOOD", "10.5")
def window_update_flood(stream):
    """Credit by the byte."""
    _flood_then_answer(stream, lambda: stream.conn.frame(WINDOW_UPDATE, 0, 0, u32(1)))


@on_stream("priority-flood", "connection FLOOD", "10.5, CVE-2019-9513")
def priority_flood(stream):
    """PRIORITY frames without an end."""
    _flood_then_answer(stream, lambda: stream.conn.frame(PRIORITY, 0, stream.id, u32(0) + b"\x10"))


@on_stream("rst-flood", "connection FLOOD", "10.5, CVE-2019-9514", outcome="STREAM_RESET")
def rst_flood(stream):
    """RST_STREAM for a stream that is closed already, again and again."""
    stream.rst(frames.CANCEL)
    for _ in range(FLOOD):
        stream.conn.frame(RST_STREAM, 0, stream.id, u32(8))


@on_stream("unknown-flood", "connection FLOOD", "10.5")
def unknown_flood(stream):
    """Frames of an unknown type."""
    _flood_then_answer(stream, lambda: stream.conn.frame(0x77, 0, 0, b"x" * 100))


# after the end


@on_stream("data-after-end", "ok", "5.1")
def data_after_end(stream):
    """DATA after END_STREAM."""
    stream.respond(200, b"ok")
    stream.responder.pump()
    stream.conn.frame(DATA, END_STREAM, stream.id, b"more")


@on_stream("headers-after-end", "ok", "5.1")
def headers_after_end(stream):
    """HEADERS after END_STREAM."""
    stream.respond(200, b"ok")
    stream.responder.pump()
    stream.conn.send_headers(stream.id, [(":status", 200)])


@on_stream("data-after-rst", "abandon", "5.1, 5.4.2")
def data_after_rst(stream):
    """A body without an end; when the client resets it, what was under way still comes."""
    stream.send_headers(200)

    def more():
        if stream.conn.room(stream.state) > 1000:
            stream.conn.frame(DATA, 0, stream.id, bytes(1000))
        if stream.id not in stream.conn.resets:
            stream.responder.later(0.005, more)
        else:
            stream.conn.frame(DATA, END_STREAM, stream.id, bytes(1000))

    more()


# how connections and streams end


@on_stream("rst-no-error-incomplete", "stream STREAM_RESET", "8.1")
def rst_no_error_incomplete(stream):
    """RST_STREAM(NO_ERROR) in the middle of a body is no success."""
    stream.send_headers(200, [("content-length", 100)])
    stream.on_drained = lambda: stream.rst(frames.NO_ERROR)
    stream.write(b"half")


@on_stream("rst-no-error-complete", "ok", "8.1")
def rst_no_error_complete(stream):
    """A whole response and then RST_STREAM(NO_ERROR)."""
    stream.respond(200, b"ok")
    stream.on_drained = lambda: stream.conn.send_rst(stream.id, frames.NO_ERROR)


@on_stream("rst-unknown-code", "stream STREAM_RESET", "7")
def rst_unknown_code(stream):
    """A code that is not in the registry."""
    stream.rst(0xDEADBEEF)


def once(name, expect, rule="", **how):
    """As on_stream, but only the first time that it is asked for; then the answer is 200."""

    def register(function):
        @functools.wraps(function)
        def behave(stream):
            if stream.conn.peer.count(name) == 1:
                function(stream)
            else:
                stream.respond(200, b"at last")

        return on_stream(name, expect, rule, **how)(behave)

    return register


@once("goaway-below", "replayed", "6.8")
def goaway_below(stream):
    """GOAWAY with last-id below this stream: it was not processed and may be sent again
    elsewhere."""
    stream.responder.goaway(max(0, stream.id - 2))


@on_stream("goaway-error", "connection GOAWAY", "6.8")
def goaway_error(stream):
    """GOAWAY(PROTOCOL_ERROR) that names this stream as processed, and the end."""
    stream.conn.send_goaway(stream.id, frames.PROTOCOL_ERROR, b"go away, for the tests' sake")
    stream.conn.close()


@once("goaway-rising", "replayed", "6.8", siblings="PROTOCOL")
def goaway_rising(stream):
    """A second GOAWAY with a higher last-id: what was to be sent again elsewhere is, for the rest the
    peer cannot be trusted."""
    stream.conn.send_goaway(max(0, stream.id - 2))
    stream.conn.send_goaway(stream.id)


@once("goaway-fin", "replayed", "6.8", siblings="GOAWAY")
def goaway_fin(stream):
    """GOAWAY as the last frame, and FIN with it; streams below it are cut short."""
    stream.conn.send_goaway(max(0, stream.id - 2))
    stream.conn.close()


@once("enhance-your-calm", "replayed", "7", siblings="GOAWAY")
def enhance_your_calm(stream):
    """GOAWAY(ENHANCE_YOUR_CALM, too_many_pings)."""
    stream.conn.send_goaway(max(0, stream.id - 2), frames.ENHANCE_YOUR_CALM, b"too_many_pings")
    stream.conn.close()


@once("refused-once", "ok", "8.7")
def refused_once(stream):
    """REFUSED_STREAM, and an answer the second time."""
    stream.rst(frames.REFUSED_STREAM)


@on_stream("refused-for-ever", "stream REFUSED", "8.7")
def refused_for_ever(stream):
    """REFUSED_STREAM each time: tried again a bounded number of times."""
    stream.rst(frames.REFUSED_STREAM)


@once("misdirected", "replayed", "9.1.1")
def misdirected(stream):
    """421: asked again on a connection of its own."""
    stream.respond(421, b"not here")


@on_stream("misdirected-for-ever", "ok", "9.1.1", status=421, after="new")
def misdirected_for_ever(stream):
    """421 on the other connection, too: that is the answer."""
    stream.respond(421, b"nor here")


@on_stream("fin-mid-body", "connection TRUNCATED")
def fin_mid_body(stream):
    """FIN, without close_notify, in the middle of a body."""
    stream.send_headers(200, [("content-length", 100)])
    stream.conn.send_data(stream.id, b"half")
    stream.conn.push()
    stream.conn.wire.half_close()


@on_stream("fin-mid-frame", "connection TRUNCATED")
def fin_mid_frame(stream):
    """The end inside a frame."""
    stream.send_headers(200)
    stream.conn.raw(frames.pack_header(100, DATA, 0, stream.id) + b"half")
    stream.conn.push()
    stream.conn.close()


@on_stream("tcp-reset-mid-body", "connection READ")
def tcp_reset_mid_body(stream):
    """A TCP RST in the middle of a body."""
    stream.send_headers(200, [("content-length", 100)])
    stream.conn.send_data(stream.id, b"half")
    stream.conn.push()
    stream.conn.wire.abort()


@on_stream("raw-bytes-under-tls", "connection READ")
def raw_bytes_under_tls(stream):
    """Bytes below TLS, as from a broken or tampering middle."""
    stream.conn.push()
    stream.conn.wire.write_below_tls(b"\x17\x03\x03\x00\x20" + b"not a record of ours. not at all")
    stream.conn.wire.try_write()


from . import behaviours_messages  # noqa: E402, F401  the others
