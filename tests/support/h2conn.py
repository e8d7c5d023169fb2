"""One HTTP/2 connection of a scripted peer: what a script says and waits for, over the Recorder's
books.

Nothing here keeps the peer honest. A script sends any frame at any time; helpers that do obey
(`send_body`, `serve`) say so. It runs in the connection's own thread, and reading happens only
inside `expect_*`, `wait`, `sleep` and `serve`.
"""

import contextlib
import time

from . import frames
from .h2record import Recorder
from .wire import Closed

TIMEOUT = 10.0


class Connection(Recorder):
    """README.md lists what can be sent, awaited and read."""

    def __init__(self, peer, wire, number, **options):
        super().__init__(**options)
        self.peer = peer
        self.wire = wire
        self.number = number
        self.alpn = wire.tls.selected_alpn_protocol() if wire.tls else None
        self.sni = getattr(wire.tls, "sni", None)
        self.tls_version = wire.tls.version() if wire.tls else None
        self.auto_ack = self.auto_pong = self.auto_credit = True
        self.credit_later = False
        self.no_credit = set()
        self.frame_size = frames.DEFAULT_FRAME
        self._corked = 0
        self._seen = {}  # cursors of the expect_ family
        self._credit = {}
        self._unfinished = (
            0  # bytes of input that were parsed as far as they go: the start of a frame
        )
        self._out = (
            bytearray()
        )  # frames on their way to the wire, so that many leave in one TLS record
        self.outcome = None  # how the script ended: "done", or why it stopped waiting

    # state of the transport

    @property
    def closed_by_client(self):
        """The client has sent FIN or RST (what came before it is recorded all the same)."""
        return self.wire.eof

    @property
    def reset_by_client(self):
        return self.wire.was_reset

    @property
    def got_close_notify(self):
        return self.wire.got_close_notify

    # reading

    def step(self, deadline=None):
        """Moves bytes once, takes the frames that came, and answers what is answered
        automatically."""
        self.push()
        # What came with the TLS handshake or during a flush has not been looked at yet: no waiting
        # for more.
        if len(self.wire.input) == self._unfinished:
            self.wire.step(deadline)
        self.take_input()

    def take_input(self):
        """Parses what has been read; a script needs this only after touching `wire` itself."""
        if len(self.wire.input) != self._unfinished:
            self.feed(self.wire.input)
            self._unfinished = len(self.wire.input)
            if not self.credit_later:
                self.grant_credit()
            self.peer.notify()

    def wait(self, condition, timeout=TIMEOUT, what=None):
        """Reads until `condition()` is true and returns its value. Closed when the client goes
        first."""
        deadline = time.monotonic() + timeout
        self._flush_now()
        while True:
            value = condition()
            if value:
                return value
            if self.wire.eof and not self.wire.output:
                raise Closed(f"while waiting for {what or condition}")
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"connection {self.number}: waited {timeout:g} s for {what or condition}; "
                    f"the last frames were {self.frames[-5:]}"
                )
            self.step(deadline)

    def sleep(self, seconds):
        """Lets time pass, reading meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.wire.eof and not self.wire.output:
                self.wire.idle(deadline)
            else:
                self.step(deadline)

    def stall(self):
        """Reads nothing and sends nothing until the peer is closed."""
        self._flush_now()
        self.wire.idle(None)

    def until_closed(self, timeout=60.0):
        """Reads, answering nothing but what is automatic, until the client closes."""
        deadline = time.monotonic() + timeout
        while not self.wire.eof:
            if time.monotonic() > deadline:
                raise TimeoutError(f"connection {self.number}: the client does not close")
            self.step(deadline)

    def _next(self, kind, items, timeout, match=None):
        """The first item not yet returned to this kind of expectation, that matches."""

        def find():
            start = self._seen.get(kind, 0)
            for index in range(start, len(items)):
                if match is None or match(items[index]):
                    if match is None:
                        self._seen[kind] = index + 1
                    return (items[index],)
            return None

        return self.wait(find, timeout, kind)[0]

    def expect_request(self, path=None, timeout=TIMEOUT):
        """The next request whose fields are complete; with `path`, the next one of that target."""
        seen = self._seen.setdefault("taken", set())

        def find():
            for request in self.requests:
                if request.number not in seen and path in (None, request.target):
                    seen.add(request.number)
                    return request
            return None

        return self.wait(find, timeout, f"a request of {path or 'any path'}")

    def expect_body(self, request, timeout=TIMEOUT):
        """The request's whole body."""
        self.wait(lambda: request.ended, timeout, f"the end of {request}")
        return bytes(request.body) if request.body is not None else None

    def expect_frame(self, type, timeout=TIMEOUT):
        """The next frame of the type, of those that came since the last one asked for."""
        items = [frame for frame in self.frames if frame.type == type]
        name = frames.NAMES.get(type, type)
        count = self._seen.get(name, 0)

        def find():
            items[:] = [frame for frame in self.frames if frame.type == type]
            return items[count] if len(items) > count else None

        frame = self.wait(find, timeout, f"a {name} frame")
        self._seen[name] = count + 1
        return frame

    def expect_settings(self, timeout=TIMEOUT):
        """The client's next SETTINGS, as a dict."""
        return dict(self._next("SETTINGS", self.settings_frames, timeout))

    def expect_settings_ack(self, timeout=TIMEOUT):
        """Until every SETTINGS of ours is acknowledged."""
        return self.wait(lambda: not self.unacked_settings, timeout, "a SETTINGS acknowledgement")

    def expect_rst(self, stream_id=None, timeout=TIMEOUT):
        """The code with which the client resets the stream; (stream id, code) when none is
        named."""
        if stream_id is not None:
            return self.wait(
                lambda: self.resets.get(stream_id), timeout, f"RST_STREAM on {stream_id}"
            )[0]
        frame = self.expect_frame(frames.RST_STREAM, timeout)
        return frame.stream_id, frames.read_u32(frame.payload)

    def expect_goaway(self, timeout=TIMEOUT):
        """(last stream id, code, debug data)."""
        return self._next("GOAWAY", self.goaways, timeout)

    def expect_ping(self, timeout=TIMEOUT):
        """The payload of the client's next PING."""
        return self._next("PING", self.pings, timeout)

    def expect_pong(self, timeout=TIMEOUT):
        """The payload of the client's next answer to a PING of ours."""
        return self._next("PING acknowledgement", self.pongs, timeout)

    def expect_window_update(self, stream_id=0, at_least=1, timeout=TIMEOUT):
        """Until the client has granted the stream (0: the connection) so much in all; returns the
        total."""

        def enough():
            total = self.window_updates.get(stream_id, 0)
            return total if total >= at_least else None

        return self.wait(enough, timeout, f"{at_least} bytes of credit on stream {stream_id}")

    def expect_close(self, timeout=TIMEOUT):
        """Until the client ends the connection."""
        return self.wait(lambda: self.wire.eof, timeout, "the end of the connection")

    # automatic answers

    def on_settings(self, settings):
        if self.auto_ack:
            self.frame(frames.SETTINGS, frames.ACK, 0)

    def on_ping(self, payload):
        if self.auto_pong:
            self.frame(frames.PING, frames.ACK, 0, payload)

    def on_request_data(self, stream, count):
        if self.auto_credit and count:
            self._credit[0] = self._credit.get(0, 0) + count
            if stream is not None:
                self._credit[stream.id] = self._credit.get(stream.id, 0) + count

    def on_request_end(self, stream):
        self._credit.pop(stream.id, None)

    def grant_credit(self):
        """Gives back what has been received, but not to the streams in `no_credit`."""
        for stream_id, count in self._credit.items():
            if stream_id not in self.no_credit:
                self.frame(frames.WINDOW_UPDATE, 0, stream_id, frames.u32(count))
        self._credit.clear()

    # sending

    @contextlib.contextmanager
    def cork(self):
        """What is sent inside leaves in one write."""
        self._corked += 1
        try:
            yield self
        finally:
            self._corked -= 1
            self._flush_now()

    @property
    def output_size(self):
        """Bytes that are not with the kernel yet."""
        return len(self._out) + len(self.wire.output)

    def push(self):
        """Hands everything to the wire and writes what the kernel takes now."""
        if self._out:
            self.wire.write(self._out)
            self._out.clear()
        self.wire.try_write()

    def _flush_now(self):
        if not self._corked:
            self.push()
            if self.wire.output:
                self.wire.flush()

    flush = _flush_now

    def raw(self, data):
        """Bytes that are nobody's frame."""
        self._out += data
        self._flush_now()

    def frame(self, type, flags, stream_id, payload=b""):
        """Any frame. Booked as sent, checked by nobody."""
        self.note_sent(type, flags, stream_id, payload)
        self._out += frames.pack(type, flags, stream_id, payload)

    def handshake(self, settings=None, timeout=TIMEOUT):
        """Sends SETTINGS and reads the client's preface and SETTINGS."""
        self.send_settings(settings or {})
        self.wait(lambda: self.settings_frames or self.violations, timeout, "the client's preface")

    def encode(self, fields):
        """A header block of a dict or of pairs, in step with the client's decoder."""
        pairs = fields.items() if isinstance(fields, dict) else fields
        return self.encoder.encode([(str(name), str(value)) for name, value in pairs])

    def send_headers(
        self, stream_id, fields, end_stream=False, end_headers=True, padding=None, priority=None
    ):
        """HEADERS; a block longer than a frame is continued. `fields`: dict, pairs, or an encoded
        block."""
        block = bytes(fields) if isinstance(fields, (bytes, bytearray)) else self.encode(fields)
        flags = end_stream * frames.END_STREAM | (padding is not None) * frames.PADDED
        head = b""
        if priority is not None:
            flags |= frames.PRIORITIZED
            head = priority
        room = self.frame_size - len(head) - (0 if padding is None else padding + 1)
        first, rest = block[:room], block[room:]
        done = end_headers and not rest
        self.frame(
            frames.HEADERS,
            flags | done * frames.END_HEADERS,
            stream_id,
            frames.pad(head + first, padding),
        )
        while rest:
            piece, rest = rest[: self.frame_size], rest[self.frame_size :]
            self.send_continuation(stream_id, piece, end_headers and not rest)
        self._flush_now()

    def send_continuation(self, stream_id, block=b"", end_headers=True):
        self.frame(frames.CONTINUATION, end_headers * frames.END_HEADERS, stream_id, block)
        self._flush_now()

    continuation = send_continuation

    def send_trailers(self, stream_id, fields):
        self.send_headers(stream_id, fields, end_stream=True)

    def send_data(self, stream_id, data=b"", end_stream=False, padding=None):
        """One DATA frame, whatever the windows say."""
        flags = end_stream * frames.END_STREAM | (padding is not None) * frames.PADDED
        self.frame(frames.DATA, flags, stream_id, frames.pad(data, padding))
        self._flush_now()

    def send_body(self, stream_id, data, end_stream=True, timeout=TIMEOUT):
        """DATA frames within the client's windows, waiting for credit as needed. False when the
        client resets."""
        stream = self.streams[stream_id]
        view = memoryview(data)
        while view:
            self.wait(
                lambda: self.room(stream) > 0 or stream_id in self.resets,
                timeout,
                f"credit on {stream_id}",
            )
            if stream_id in self.resets:
                return False
            size = min(self.room(stream), len(view), frames.DEFAULT_FRAME)
            self.send_data(stream_id, bytes(view[:size]), end_stream and size == len(view))
            view = view[size:]
        if not data:
            self.send_data(stream_id, b"", end_stream)
        return True

    def room(self, stream):
        """How many bytes of DATA the client accepts on the stream now."""
        return min(stream.send_window, self.send_window)

    def respond(self, stream_id, status=200, body=b"", headers=(), trailers=None):
        """A whole response, within the client's windows."""
        pairs = [(":status", status), *(headers.items() if isinstance(headers, dict) else headers)]
        self.send_headers(stream_id, pairs, end_stream=not body and trailers is None)
        if body:
            self.send_body(stream_id, body, end_stream=trailers is None)
        if trailers is not None:
            self.send_trailers(stream_id, trailers)

    def send_settings(self, settings):
        self.frame(frames.SETTINGS, 0, 0, frames.pack_settings(settings))
        self._flush_now()

    def send_rst(self, stream_id, code=frames.CANCEL):
        self.frame(frames.RST_STREAM, 0, stream_id, frames.u32(code))
        self._flush_now()

    def send_goaway(self, last, code=frames.NO_ERROR, debug=b""):
        self.frame(frames.GOAWAY, 0, 0, frames.u32(last) + frames.u32(code) + debug)
        self._flush_now()

    def send_ping(self, payload=b"01234567", ack=False):
        self.frame(frames.PING, ack * frames.ACK, 0, payload)
        self._flush_now()

    def send_window_update(self, stream_id, count):
        self.frame(frames.WINDOW_UPDATE, 0, stream_id, frames.u32(count))
        self._flush_now()

    def push_promise(self, stream_id, promised, fields):
        self.promised.add(promised)
        self.frame(
            frames.PUSH_PROMISE,
            frames.END_HEADERS,
            stream_id,
            frames.u32(promised) + self.encode(fields),
        )
        self._flush_now()

    rst, goaway, ping, window_update = send_rst, send_goaway, send_ping, send_window_update

    def serve(self, **options):
        """Goes on as a Responder until the client closes. See README.md for the options."""
        from .responder import Responder

        Responder(self, **{**self.peer.responder_options, **options}).run()

    # ends

    def _flush_all(self):
        """What was said before the end leaves before it, corked or not."""
        self.push()
        if self.wire.output:
            self.wire.flush()

    def close(self, linger=1.0):
        """close_notify where TLS is on, then FIN; reads on for a while, since unread input would
        turn FIN into RST."""
        self._flush_all()
        self.wire.end_output()
        deadline = time.monotonic() + linger
        while not self.wire.eof and time.monotonic() < deadline:
            self.step(deadline)
        self.wire.close()

    def abort(self):
        """A TCP RST."""
        self._flush_all()
        self.wire.abort()

    def half_close(self):
        """FIN without a word from TLS; reading goes on."""
        self._flush_all()
        self.wire.half_close()

    # checks for the tests

    def never_reset(self, but=()):
        """Streams that neither we have finished or reset, nor the client has reset."""
        ended = {
            sid
            for type, flags, sid, _ in list(self.sent)
            if type in (frames.DATA, frames.HEADERS) and flags & frames.END_STREAM
        }
        opened = {request.stream_id for request in list(self.requests)}
        return sorted(
            opened - ended - set(dict(self.own_resets)) - set(dict(self.resets)) - set(but)
        )

    def assert_each_reset_once(self, code=None, but=(), timeout=10.0):
        """Waits until each stream that we did not finish ourselves has had an RST_STREAM from the
        client; exactly one then, and of the code where one is given."""
        deadline = time.monotonic() + timeout
        while missing := self.never_reset(but):
            assert time.monotonic() < deadline, (
                f"{len(missing)} streams were never reset: {missing[:10]}"
            )
            time.sleep(0.01)
        resets = dict(self.resets)
        twice = {sid: codes for sid, codes in resets.items() if len(codes) != 1}
        assert not twice, f"streams reset more than once: {twice}"
        if code is not None:
            other = {sid: codes for sid, codes in resets.items() if codes[0] != code}
            assert not other, (
                f"streams reset with another code than {code}: {dict(list(other.items())[:10])}"
            )

    @property
    def credit_outstanding(self):
        """Bytes of the connection's window that the client has not given back yet."""
        return self.largest_send_window - self.send_window

    def assert_no_credit_leak(self, keep=0.5, timeout=10.0):
        """All but a share of the window has come back: batched updates may hold back that much, no
        more."""
        self.peer.wait(
            lambda: self.credit_outstanding <= self.largest_send_window * keep,
            timeout,
            f"credit on connection {self.number}: {self.credit_outstanding} of "
            f"{self.largest_send_window} are out after {self.data_sent} bytes",
        )

    def assert_flow_balanced(self):
        """No rule was broken, and every stream has ended."""
        assert not self.violations, self.violations[:10]
        assert self.streams_open == 0, f"{self.streams_open} streams are still open"
