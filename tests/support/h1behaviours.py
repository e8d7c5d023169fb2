"""Hostile HTTP/1.1 by name: what a server may send that a client must survive, refuse, or take with
care.

`expect` says what a sound client does: see expect.py. On HTTP/1.1 a "stream" is a connection of its own,
so that what fails is followed by a new one unless told otherwise. tests/hostile plays them all.
"""

from .expect import Expect
from .h1conn import chunk, head, last_chunk

BEHAVIOURS = {}


class Behaviour:
    """`run(conn, request)` plays it once; then the connection goes on or has been ended."""

    rule = "RFC 9112"

    def __init__(self, name, expect, function):
        self.name = name
        self.expect = expect
        self.doc = function.__doc__ or name
        self.run = function


def behaviour(name, expect, **how):
    """Registers a function of (conn, request)."""
    if not expect.startswith("ok"):
        how.setdefault("after", "new")

    def register(function):
        assert name not in BEHAVIOURS, name
        BEHAVIOURS[name] = Behaviour(name, Expect(expect, **how), function)
        return function

    return register


def _bytes(name, expect, data, close=False, piece=None, **how):
    """A behaviour that is nothing but bytes."""

    def run(conn, request):
        conn.read_body(request)
        conn.send_pieces(data, piece or max(1, len(data)))
        if close:
            conn.close()

    run.__doc__ = repr(data[:100])[2:-1] + (" ..." if len(data) > 100 else "") + (", close" if close else "")
    behaviour(name, expect, **how)(run)


_OK = b"HTTP/1.1 200 OK\r\n"
_LEN2 = _OK + b"Content-Length: 2\r\n"
_TE = _OK + b"Transfer-Encoding: chunked\r\n"

# one byte at a time
_bytes("split-everywhere", "ok", _LEN2 + b"\r\nok", piece=1)
_bytes("split-chunked", "ok", _TE + b"\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n", piece=1)

# framing that disagrees with itself
_bytes("te-and-cl", "stream PROTOCOL", _TE + b"Content-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", close=True)
_bytes("cl-twice-same", "stream PROTOCOL", _LEN2 + b"Content-Length: 2\r\n\r\nok")
_bytes("cl-twice-different", "stream PROTOCOL", _LEN2 + b"Content-Length: 3\r\n\r\nok", close=True)
_bytes("cl-list-different", "stream PROTOCOL", _OK + b"Content-Length: 2, 3\r\n\r\nok", close=True)
_bytes("cl-negative", "stream PROTOCOL", _OK + b"Content-Length: -1\r\n\r\nok", close=True)
_bytes("cl-plus", "stream PROTOCOL", _OK + b"Content-Length: +2\r\n\r\nok", close=True)
_bytes("cl-hex", "stream PROTOCOL", _OK + b"Content-Length: 0x2\r\n\r\nok", close=True)
_bytes(
    "cl-huge", "stream PROTOCOL", _OK + b"Content-Length: 99999999999999999999999999\r\n\r\nok", close=True
)
_bytes("cl-empty", "stream PROTOCOL", _OK + b"Content-Length: \r\n\r\nok", close=True)
_bytes("te-unknown", "stream PROTOCOL", _OK + b"Transfer-Encoding: dance\r\n\r\nok", close=True)
_bytes(
    "te-chunked-twice",
    "stream PROTOCOL",
    _OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    close=True,
)
_bytes(
    "te-chunked-not-last",
    "stream PROTOCOL",
    _OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    close=True,
)

# chunks
_bytes("chunk-extension", "ok", _TE + b'\r\n2;a=b;c="d"\r\nok\r\n0;e\r\n\r\n')
_bytes("chunk-size-bad", "stream PROTOCOL", _TE + b"\r\nzz\r\nok\r\n0\r\n\r\n", close=True)
_bytes("chunk-size-negative", "stream PROTOCOL", _TE + b"\r\n-2\r\nok\r\n0\r\n\r\n", close=True)
_bytes("chunk-size-huge", "stream PROTOCOL", _TE + b"\r\nfffffffffffffffff\r\nok\r\n0\r\n\r\n", close=True)
_bytes("chunk-size-empty", "stream PROTOCOL", _TE + b"\r\n\r\nok\r\n0\r\n\r\n", close=True)
_bytes("chunk-no-crlf", "stream PROTOCOL", _TE + b"\r\n2\r\nokXX0\r\n\r\n", close=True)
_bytes("chunk-bare-lf", "stream PROTOCOL", _TE + b"\r\n2\nok\n0\n\n", close=True)
_bytes("chunk-truncated", "stream TRUNCATED", _TE + b"\r\na\r\nok", close=True)
_bytes("chunk-no-end", "stream TRUNCATED", _TE + b"\r\n2\r\nok\r\n", close=True)
_bytes("chunk-end-cut", "stream TRUNCATED", _TE + b"\r\n2\r\nok\r\n0\r\n", close=True)
_bytes("trailer-bad", "stream PROTOCOL", _TE + b"\r\n2\r\nok\r\n0\r\nno colon\r\n\r\n", close=True)

# heads
_bytes("obs-fold", "stream PROTOCOL", _LEN2 + b"X-A: one\r\n two\r\n\r\nok", close=True)
_bytes("bare-lf", "stream PROTOCOL", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", close=True)
_bytes("bare-cr", "stream PROTOCOL", _LEN2 + b"X-A: one\rtwo\r\n\r\nok", close=True)
_bytes("nul-in-value", "stream PROTOCOL", _LEN2 + b"X-A: one\0two\r\n\r\nok", close=True)
_bytes("space-before-colon", "stream PROTOCOL", _LEN2 + b"X-A : one\r\n\r\nok", close=True)
_bytes("empty-name", "stream PROTOCOL", _LEN2 + b": one\r\n\r\nok", close=True)
_bytes("no-colon", "stream PROTOCOL", _LEN2 + b"nonsense\r\n\r\nok", close=True)
_bytes("leading-space", "stream PROTOCOL", _OK + b" Content-Length: 2\r\n\r\nok", close=True)
_bytes("obs-text", "ok", _LEN2 + b"X-A: caf\xe9\r\n\r\nok")
_bytes("status-short", "stream PROTOCOL", b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", close=True)
_bytes("status-long", "stream PROTOCOL", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", close=True)
_bytes("status-letters", "stream PROTOCOL", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok", close=True)
_bytes("status-no-reason", "ok", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")
_bytes("version-2", "stream PROTOCOL", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True)
_bytes("version-garbage", "stream PROTOCOL", b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True)
_bytes("not-http", "stream PROTOCOL", b"SSH-2.0-OpenSSH_9.2\r\n", close=True)
_bytes("h2-frames", "stream PROTOCOL", b"\0\0\0\4\0\0\0\0\0" * 3, close=True)
_bytes("empty-reply", "stream TRUNCATED", b"", close=True)
_bytes("head-cut", "stream TRUNCATED", b"HTTP/1.1 200 OK\r\nContent-Le", close=True)
_bytes("leading-crlf", "stream PROTOCOL", b"\r\n\r\n" + _LEN2 + b"\r\nok")

# interim and bodiless responses
_bytes("many-100", "ok", b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + _LEN2 + b"\r\nok")
_bytes("body-on-204", "ok", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", close=True, status=204, after="new")
_bytes("body-on-304", "ok", b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", status=304)
_bytes(
    "unasked-101",
    "stream PROTOCOL",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    close=True,
)

# more than was asked for
_bytes("extra-bytes", "ok", _LEN2 + b"\r\nok" + b"extra", after="new")
_bytes("second-response", "ok", (_LEN2 + b"\r\nok") * 2, after="new")


@behaviour("head-endless", "stream HEADER_TOO_LARGE")
def head_endless(conn, request):
    """Fields for ever, up to 64 MB."""
    conn.send(_OK)
    for index in range(64 * 1024):
        conn.send(b"x-%d: %s\r\n" % (index, b"v" * 1000))
        if conn.wire.eof:
            return


@behaviour("line-endless", "stream HEADER_TOO_LARGE")
def line_endless(conn, request):
    """One field value without an end, up to 64 MB."""
    conn.send(_OK + b"x: ")
    for _ in range(1024):
        conn.send(b"v" * 65536)
        if conn.wire.eof:
            return


@behaviour("interim-endless", "stream HEADER_TOO_LARGE")
def interim_endless(conn, request):
    """100 Continue for ever."""
    for _ in range(100000):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
        if conn.wire.eof:
            return


@behaviour("chunk-extension-endless", "stream PROTOCOL")
def chunk_extension_endless(conn, request):
    """A chunk extension without an end, up to 64 MB."""
    conn.send(_TE + b"\r\n2;")
    for _ in range(1024):
        conn.send(b"e" * 65536)
        if conn.wire.eof:
            return


@behaviour("trailers-endless", "stream HEADER_TOO_LARGE")
def trailers_endless(conn, request):
    """Trailer fields for ever, up to 64 MB."""
    conn.send(_TE + b"\r\n" + chunk(b"ok") + b"0\r\n")
    for index in range(64 * 1024):
        conn.send(b"x-%d: %s\r\n" % (index, b"v" * 1000))
        if conn.wire.eof:
            return


@behaviour("reset-mid-body", "stream READ")
def reset_mid_body(conn, request):
    """A TCP RST after half of the body."""
    conn.send(head(200, [("content-length", 100)]) + bytes(50))
    conn.abort()


@behaviour("tls-truncation", "stream TRUNCATED")
def tls_truncation(conn, request):
    """A body that runs until close, ended by FIN without close_notify: over TLS that is a
    truncation."""
    conn.read_body(request)
    conn.send(head(200) + b"half")
    conn.half_close()


@behaviour("tiny-chunks", "ok")
def tiny_chunks(conn, request):
    """Ten thousand chunks of one byte."""
    conn.read_body(request)
    conn.send(_TE + b"\r\n" + chunk(b"x") * 10000 + last_chunk())
