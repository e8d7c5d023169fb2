"""Hostile HTTP/2 by name, the second half: messages that are framed well and bad all the same."""

import functools
import gzip
import struct
import zlib

from . import frames
from .behaviours import FLOOD, on_stream, once
from .frames import DATA, GOAWAY, HEADER_TABLE_SIZE, u32

# content


@functools.lru_cache
def _bomb():
    """1 GB of zeros as gzip: one block, reset at its end, many times over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0x5b64c2b0  # of 2^30 zeros
    return (
        b"\x1f\x8b\x08"
        + bytes(7)
        + block * 1024
        + b"\x03\x00"
        + struct.pack("<II", checksum, 1 << 30)
    )


@on_stream("gzip-bomb", "stream DECODED_TOO_LARGE", "content codings")
def gzip_bomb(stream):
    """1 GB of zeros in 1 MB of gzip."""
    stream.respond(200, _bomb(), [("content-encoding", "gzip")])


@on_stream("gzip-broken", "stream DECODING")
def gzip_broken(stream):
    """Not gzip at all, under its name."""
    stream.respond(200, b"this is not gzip", [("content-encoding", "gzip")])


@on_stream("gzip-truncated", "stream DECODING")
def gzip_truncated(stream):
    """gzip without its end."""
    stream.respond(200, gzip.compress(bytes(10000))[:-6], [("content-encoding", "gzip")])


@functools.lru_cache
def _zstd_bomb():
    """1 GB of zeros in zstd (RFC 8878): blocks of four bytes that repeat one byte 131,072 times."""
    block = struct.pack("<I", (0x20000 << 3) | 2)[:3] + b"\0"
    last = struct.pack("<I", (0x20000 << 3) | 3)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * 8191 + last


@on_stream("zstd-bomb", "stream DECODED_TOO_LARGE", "content codings")
def zstd_bomb(stream):
    """1 GB of zeros in 32 kB of zstd."""
    stream.respond(200, _zstd_bomb(), [("content-encoding", "zstd")])


@functools.lru_cache
def _brotli_bomb():
    import brotlicffi

    return brotlicffi.compress(bytes(1 << 28), quality=1)


@on_stream("br-bomb", "stream DECODED_TOO_LARGE", "content codings")
def brotli_bomb(stream):
    """256 MB of zeros in a little brotli."""
    stream.respond(200, _brotli_bomb(), [("content-encoding", "br")])


@on_stream("nested-bomb", "stream DECODED_TOO_LARGE", "content codings")
def nested_bomb(stream):
    """The gzip bomb once more inside gzip: 1 GB in a few kB."""
    stream.respond(200, gzip.compress(_bomb(), 9), [("content-encoding", "gzip, gzip")])


@on_stream("codings-without-end", "stream DECODING", "content codings")
def codings_without_end(stream):
    """A thousand codings, each of which would be a decoder."""
    stream.respond(200, b"x", [("content-encoding", ", ".join(["gzip"] * 1000))])


# statuses and what may follow them


@on_stream("too-early", "ok", "RFC 8470", status=425)
def too_early(stream):
    """425 again and again: asked once more, and then it is the answer."""
    stream.respond(425, b"too early")


@once("too-early-once", "ok", "RFC 8470")
def too_early_once(stream):
    """425, and an answer the second time."""
    stream.respond(425, b"too early")


@on_stream("head-with-length", "ok", "8.1.1", method="HEAD")
def head_with_length(stream):
    """The length of what GET would have given."""
    stream.send_headers(200, [("content-length", 12345)], end=True)


@on_stream("head-with-data", "stream RESPONSE_LENGTH", "8.1.1", method="HEAD")
def head_with_data(stream):
    """A body for HEAD."""
    stream.send_headers(200, [("content-length", 4)])
    stream.conn.send_data(stream.id, b"body", end_stream=True)


@on_stream("304-with-length", "ok", "8.1.1", status=304)
def not_modified_with_length(stream):
    """The length of what 200 would have given."""
    stream.send_headers(304, [("content-length", 12345)], end=True)


@on_stream("304-with-data", "stream RESPONSE_LENGTH", "8.1.1")
def not_modified_with_data(stream):
    """A body where there can be none."""
    stream.send_headers(304, [("content-length", 4)])
    stream.conn.send_data(stream.id, b"body", end_stream=True)


# uploads


@on_stream("early-answer", "ok", "8.1", status=413, method="POST", content=1_000_000)
def early_answer(stream):
    """A whole response and RST_STREAM(NO_ERROR) while the request is still being sent."""
    stream.respond(413, b"too large")
    stream.on_drained = lambda: stream.conn.send_rst(stream.id, frames.NO_ERROR)
    stream.conn.no_credit.add(stream.id)


@on_stream("early-answer-without-reset", "ok", "8.1", status=413, method="POST", content=1_000_000)
def early_answer_without_reset(stream):
    """A whole response while the request is still being sent, and no word about the rest."""
    stream.respond(413, b"too large")
    stream.conn.no_credit.add(stream.id)


@on_stream("upload-without-credit", "timeout WRITE_TIMEOUT", "5.2", method="POST", content=1_000_000)
def upload_without_credit(stream):
    """The window of the request is never opened again."""
    stream.conn.no_credit.add(stream.id)


# time


@on_stream("answer-never", "timeout READ_TIMEOUT")
def answer_never(stream):
    """No word about this request; others are served."""


@on_stream("body-never", "timeout READ_TIMEOUT")
def body_never(stream):
    """A head, and no byte of the body."""
    stream.send_headers(200, [("content-length", 10)])


@on_stream("slow-drip", "timeout TOTAL_TIMEOUT", total=0.5)
def slow_drip(stream):
    """A byte now and then, for ever: no silence is long enough to be one."""
    stream.send_headers(200)

    def more():
        stream.write(b".")
        stream.later(20, more)

    more()


@on_stream("slow-drip-stalled", "timeout STALL_TIMEOUT", stall=(1000, 0.4))
def slow_drip_stalled(stream):
    """The same, for a program that wants 1,000 bytes a second."""
    slow_drip(stream)


# where the program wants failed requests to be tried again


@on_stream("busy-for-ever", "ok", "RFC 9110, 15.6.4", status=503, retry=2, times=3)
def busy_for_ever(stream):
    """503 each time: tried again as often as the program wants."""
    stream.respond(503, b"busy")


@on_stream("busy-for-a-year", "ok", "RFC 9110, 10.2.3", status=503, retry=2, times=1)
def busy_for_a_year(stream):
    """A Retry-After that nobody would wait for."""
    stream.respond(503, b"busy", [("retry-after", "31536000")])


@once("lost-once", "ok", "RFC 9110, 9.2.2", retry=2, times=2)
def lost_once(stream):
    """RST_STREAM in the middle of a body, and a whole one the second time."""
    stream.send_headers(200, [("content-length", 100)])
    stream.on_drained = lambda: stream.rst(frames.INTERNAL_ERROR)
    stream.write(b"half")


@on_stream(
    "lost-post", "stream STREAM_RESET", "RFC 9110, 9.2.2", retry=2, times=1, method="POST", content=b"once only"
)
def lost_post(stream):
    """RST_STREAM for what may have been done: not tried again, whatever the program wants."""
    stream.rst(frames.INTERNAL_ERROR)


# what holds for the connection from now on


@on_stream("table-size-zero", "ok", "RFC 7541, 4.2")
def table_size_zero(stream):
    """HEADER_TABLE_SIZE goes to 0: from its acknowledgement on the client's blocks must say so."""
    conn = stream.conn
    conn.send_settings({HEADER_TABLE_SIZE: 0})

    def acknowledged():
        if conn.unacked_settings:
            return stream.later(1, acknowledged)
        conn.decoder.max_allowed_table_size = 0
        stream.respond(200, b"ok")

    stream.later(1, acknowledged)


@on_stream("table-size-huge", "ok", "RFC 7541, 4.2")
def table_size_huge(stream):
    """HEADER_TABLE_SIZE of 4 GB: an offer, which need not be taken."""
    stream.conn.send_settings({HEADER_TABLE_SIZE: 2**32 - 1})
    stream.respond(200, b"ok")


@on_stream("window-ignored-stream", "stream PROTOCOL", "6.9.1", hold=True)
def window_ignored_stream(stream):
    """More than the stream's window, less than the connection's."""
    conn, state = stream.conn, stream.state
    stream.send_headers(200)
    conn.wait(lambda: conn.send_window > state.send_window)
    while state.send_window > 0:
        conn.send_data(stream.id, bytes(min(state.send_window, frames.DEFAULT_FRAME)))
    conn.send_data(stream.id, b"one more")


@on_stream("window-ignored-after-reset", "stream PROTOCOL", "6.9.1", hold=True)
def window_ignored_after_reset(stream):
    """The same, and then 8 MB more for the stream that has been reset, as fast as the connection's
    window lets them."""
    conn = stream.conn
    window_ignored_stream(stream)
    conn.wait(lambda: stream.id in conn.resets)
    for _ in range(512):
        conn.wait(lambda: conn.send_window >= frames.DEFAULT_FRAME)
        conn.send_data(stream.id, bytes(frames.DEFAULT_FRAME))


@on_stream("goaway-flood", "connection FLOOD", "10.5")
def goaway_flood(stream):
    """The same warning again and again."""
    for _ in range(0, FLOOD, 100):
        for _ in range(100):
            stream.conn.frame(GOAWAY, 0, 0, u32(frames.MAX_STREAM_ID) + u32(0))
        stream.conn.flush()
        if stream.conn.closed_by_client:
            return


@on_stream("data-on-closed-streams", "connection FLOOD", "5.1")
def data_on_closed_streams(stream):
    """Empty DATA on a stream that has ended."""
    for _ in range(0, FLOOD, 100):
        for _ in range(100):
            stream.conn.frame(DATA, 0, 1, b"")
        stream.conn.flush()
        if stream.conn.closed_by_client:
            return
