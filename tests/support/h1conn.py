"""One HTTP/1.1 connection of a scripted server: reads requests, sends exactly the bytes it is told
to."""

import http.client
import json
import time
from urllib.parse import parse_qs, urlsplit

from .wire import Closed

TIMEOUT = 10.0
MAX_HEAD = 1 << 20


class Request:
    """A request as received. `raw` is the head, byte for byte; `fields` are pairs as sent,
    `headers` lower-cased."""

    def __init__(self, conn, raw):
        self.conn = conn
        self.raw = raw
        self.body = b""
        self.trailers = None
        self.chunks = None  # sizes, when the body came chunked
        self.ended = False
        head = raw.decode("latin-1").split("\r\n")
        self.line = head[0]
        parts = head[0].split(" ")
        self.method, self.target, self.version = (parts + ["", "", ""])[:3]
        self.fields = [
            tuple(part.strip() for part in line.split(":", 1)) for line in head[1:] if ":" in line
        ]

    def __repr__(self):
        return f"<Request {self.line!r} on connection {self.conn.number}>"

    @property
    def headers(self):
        return {name.lower(): value for name, value in self.fields}

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def path(self):
        return urlsplit(self.target).path or "/"

    @property
    def query(self):
        return {
            key: values[-1] for key, values in parse_qs(urlsplit(self.target).query, True).items()
        }

    def number(self, name, default=0):
        return int(self.query.get(name, default))


class Connection:
    """`requests` lists what came; `received` counts bytes; `auto_continue` answers Expect:
    100-continue by itself."""

    def __init__(self, peer, wire, number):
        self.peer = peer
        self.wire = wire
        self.number = number
        self.requests = []
        self.auto_continue = True
        self.outcome = None
        self.alpn = wire.tls.selected_alpn_protocol() if wire.tls else None
        self.sni = getattr(wire.tls, "sni", None)

    @property
    def received(self):
        return self.wire.bytes_read

    @property
    def closed_by_client(self):
        return self.wire.eof

    # reading

    def step(self, deadline=None):
        if self.wire.step(deadline):
            self.peer.notify()

    def wait(self, condition, timeout=TIMEOUT, what=None):
        """Reads until the condition holds; Closed when the client goes first."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if self.wire.eof:
                raise Closed(f"while waiting for {what or condition}")
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"connection {self.number}: waited {timeout:g} s for {what or condition}; "
                    f"unread: {bytes(self.wire.input[:200])!r}"
                )
            self.step(deadline)

    def take(self, count, timeout=TIMEOUT):
        """Exactly so many bytes."""
        self.wait(lambda: len(self.wire.input) >= count, timeout, f"{count} bytes")
        data = bytes(self.wire.input[:count])
        del self.wire.input[:count]
        return data

    def take_until(self, mark, timeout=TIMEOUT):
        """The bytes before the mark, which is dropped."""
        at = self.wait(lambda: self.wire.input.find(mark) + 1, timeout, repr(mark)) - 1
        data = bytes(self.wire.input[:at])
        del self.wire.input[: at + len(mark)]
        return data

    def read_request(self, body=True, timeout=TIMEOUT):
        """The next request; with body False the body stays unread. Closed when the client has no
        more."""
        request = Request(self, self.take_until(b"\r\n\r\n", timeout))
        self.requests.append(request)
        self.peer.notify()
        if body:
            if self.auto_continue and "100-continue" in request.headers.get("expect", ""):
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.read_body(request, timeout)
        return request

    def read_body(self, request, timeout=TIMEOUT):
        """The rest of a request that was read up to its head."""
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            self._read_chunks(request, timeout)
        else:
            request.body = self.take(int(request.headers.get("content-length", 0)), timeout)
        request.ended = True
        self.peer.notify()
        return request.body

    def _read_chunks(self, request, timeout):
        request.chunks, pieces = [], []
        while True:
            size = int(self.take_until(b"\r\n", timeout).split(b";")[0], 16)
            if size == 0:
                break
            request.chunks.append(size)
            pieces.append(self.take(size, timeout))
            if self.take(2, timeout) != b"\r\n":
                raise ValueError("a chunk without CRLF at its end")
        request.body = b"".join(pieces)
        request.trailers = []
        while line := self.take_until(b"\r\n", timeout):
            name, _, value = line.decode("latin-1").partition(":")
            request.trailers.append((name, value.strip()))

    # time

    def sleep(self, seconds):
        """Lets time pass, reading meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.wire.eof:
                self.wire.idle(deadline)
            else:
                self.step(deadline)

    def stall(self):
        """Neither reads nor writes until the server is closed."""
        self.wire.try_write()
        self.wire.idle(None)

    def until_closed(self, timeout=60.0):
        """Reads without answering until the client closes."""
        deadline = time.monotonic() + timeout
        while not self.wire.eof:
            if time.monotonic() > deadline:
                raise TimeoutError(f"connection {self.number}: the client does not close")
            self.step(deadline)

    # sending

    def send(self, data):
        """These bytes, in one write."""
        self.wire.write(data)
        self.wire.flush()

    def send_pieces(self, data, size=1, gap_ms=0):
        """The bytes in pieces: `size` bytes each, or ready-made pieces in a list."""
        pieces = (
            [data[at : at + size] for at in range(0, len(data), size)]
            if isinstance(data, bytes)
            else data
        )
        for piece in pieces:
            self.send(piece)
            if gap_ms:
                self.sleep(gap_ms / 1000)
            if self.wire.was_reset:
                raise Closed("while sending pieces")

    def respond(
        self,
        status=200,
        body=b"",
        headers=(),
        reason=None,
        chunked=False,
        trailers=None,
        version="1.1",
    ):
        """A whole response, with content-length unless it is chunked or has no body by its
        status."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if chunked or trailers:
            pairs.append(("transfer-encoding", "chunked"))
            body = chunk(body) + last_chunk(trailers or ())
        elif status >= 200 and status not in (204, 304):
            pairs.append(("content-length", len(body)))
        self.send(head(status, pairs, reason, version) + body)

    def json(self, value, status=200, headers=()):
        self.respond(
            status, json.dumps(value).encode(), [("content-type", "application/json"), *headers]
        )

    def start_tls(self, context):
        """Goes on inside TLS."""
        self.wire.start_tls(context)

    # ends

    def close(self, linger=1.0):
        """An orderly end; reads on for a while, since unread input would turn FIN into RST."""
        self.wire.end_output()
        deadline = time.monotonic() + linger
        while not self.wire.eof and time.monotonic() < deadline:
            self.step(deadline)
        self.wire.close()

    def abort(self):
        """A TCP RST."""
        self.wire.abort()

    def half_close(self):
        """FIN without a word from TLS; reading goes on."""
        self.wire.half_close()


def head(status, headers=(), reason=None, version="1.1"):
    """A response head; the reason is the usual one unless given."""
    if reason is None:
        reason = http.client.responses.get(status, "")
    lines = [f"HTTP/{version} {status} {reason}"] + [f"{name}: {value}" for name, value in headers]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def chunk(data, extension=""):
    """One chunk (none for no data)."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension.encode(), data) if data else b""


def last_chunk(trailers=()):
    """The end of a chunked body."""
    return (
        b"0\r\n"
        + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in trailers)
        + b"\r\n"
    )
