"""A well-behaved HTTP/2 server on a scripted connection, with a handler per path (paths.py) and
chosen misfortunes.

It serves many streams at once, stays within the client's windows, and batches its frames: ten
thousand streams take seconds. What it is told to do wrong (GOAWAY, REFUSED_STREAM, silence) it does
at stream level, so that siblings live.
"""

import heapq
import itertools
import json
import time
from collections import deque

from . import frames

_OUTPUT_HIGH = 512 * 1024
_ZEROS = bytes(frames.DEFAULT_FRAME)


def early(handler):
    """Marks a handler that runs when the request's fields are there, not when the request has
    ended."""
    handler.early = True
    return handler


class Stream:
    """What a handler works with. All output obeys the client's windows; `conn` is there for what
    must not."""

    def __init__(self, responder, state):
        self.responder = responder
        self.conn = responder.conn
        self.state = state
        self.id = state.id
        self.request = state.request
        self.queue = deque()  # bytes, or an int: that many zeros
        self.end_queued = False
        self.trailers = None
        self.on_data = None  # fn(count), when request bytes arrive
        self.on_end = None  # fn(), when the request has ended
        self.on_drained = None  # fn(), when all queued bytes have been sent

    @property
    def alive(self):
        """We may still send."""
        return self.state.peer_open and not self.conn.closed_by_client

    def number(self, name, default=0):
        """A number from the query."""
        return int(self.request.query.get(name, default))

    def respond(self, status=200, body=b"", headers=(), trailers=None):
        """A whole response. `body` may be an int: that many zeros."""
        if not self.alive:
            return
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        length = body if isinstance(body, int) else len(body)
        empty = not length or self.request.method == "HEAD"
        if status not in (204, 304) and not any(name == "content-length" for name, _ in pairs):
            pairs.append(("content-length", length))
        self.send_headers(status, pairs, end=empty and not trailers)
        if not empty or trailers:
            self.write(b"" if empty else body, end=True, trailers=trailers)

    def json(self, value, status=200, headers=()):
        self.respond(
            status, json.dumps(value).encode(), [("content-type", "application/json"), *headers]
        )

    def send_headers(self, status, headers=(), end=False):
        """The final response's fields, or an interim response's (1xx)."""
        if self.alive:
            pairs = headers.items() if isinstance(headers, dict) else headers
            fields = [(":status", status), *pairs, *self.responder.extra]
            self.conn.send_headers(self.id, fields, end_stream=end)

    def write(self, data=b"", end=False, trailers=None):
        """Queues body bytes (an int: zeros); they leave as the windows allow."""
        if not self.alive or self.end_queued:
            return
        if data:
            self.queue.append(data)
        self.trailers = (
            list(trailers.items() if isinstance(trailers, dict) else trailers) if trailers else None
        )
        self.end_queued = end
        self.responder.sending[self.id] = self

    def later(self, ms, function):
        """Calls function() after so many milliseconds, unless the stream has ended by then."""
        self.responder.later(ms / 1000, lambda: self.alive and function())

    def rst(self, code=frames.CANCEL):
        """Resets the stream; what is still queued is dropped."""
        if self.alive:
            self.responder.sending.pop(self.id, None)
            self.conn.send_rst(self.id, code)


class Responder:
    """Options are in README.md."""

    def __init__(
        self,
        conn,
        *,
        max_concurrent_streams=100,
        initial_window=65535,
        settings=None,
        latency_ms=0,
        goaway_after=None,
        goaway_code=0,
        goaway_last=None,
        graceful=False,
        refuse_first=0,
        trailers=None,
        hints=0,
        handlers=None,
        grant=True,
        handshake=True,
        extra=(),
    ):
        from .paths import PATHS

        self.conn = conn
        self.settings = {
            frames.MAX_CONCURRENT_STREAMS: max_concurrent_streams,
            frames.INITIAL_WINDOW_SIZE: initial_window,
            **(settings or {}),
        }
        self.latency = latency_ms / 1000
        self.goaway_after = goaway_after
        self.goaway_code = goaway_code
        self.goaway_last = goaway_last
        self.graceful = graceful
        self.refuse_first = refuse_first
        self.trailers = trailers
        self.hints = hints
        self.extra = list(extra)
        self.handlers = {**PATHS, **(handlers or {})}
        self.sending = {}
        self.running = {}  # stream id -> Stream, answered in part or not at all
        self.last_taken = 0  # streams above are not answered once it is final
        self.final = False
        self.taken = 0
        self._held_back = False
        self._timers = []
        self._order = itertools.count()
        self._ready = deque()
        self._handshake = handshake
        conn.auto_credit = grant
        conn.credit_later = True

    # the loop

    def run(self):
        """Serves until the client closes, or until a GOAWAY of ours has been carried out."""
        conn = self.conn
        with conn.cork():
            self._hook()
            if self._handshake:
                conn.send_settings(self.settings)
            self._adopt()
            while not conn.wire.eof:
                self._dispatch()
                conn.grant_credit()  # after the handlers, which may want to withhold it
                self._fire()
                self.pump()
                if self.final and not self._busy():
                    break
                conn.step(self._deadline())
        if not conn.wire.eof:
            conn.close()

    def _hook(self):
        conn = self.conn
        reset, end, data = conn.on_reset, conn.on_request_end, conn.on_request_data

        def on_reset(stream, code):
            self.sending.pop(stream.id, None)
            self.running.pop(stream.id, None)
            reset(stream, code)

        def on_end(stream):
            end(stream)
            self._ready.append((stream, True))

        def on_data(stream, count):
            data(stream, count)
            if stream is not None and stream.app is not None and stream.app.on_data:
                stream.app.on_data(count)

        conn.on_request = lambda stream: self._ready.append((stream, False))
        conn.on_reset, conn.on_request_end, conn.on_request_data = on_reset, on_end, on_data

    def _adopt(self):
        """Requests that came while a script was in charge and were not taken by it."""
        taken = self.conn._seen.get("taken", ())
        for request in self.conn.requests:
            if request.number not in taken:
                state = self.conn.streams[request.stream_id]
                self._ready.append((state, False))
                if request.ended:
                    self._ready.append((state, True))

    def _deadline(self):
        """How long the loop may wait: not at all when bodies were held back by output that has gone
        since."""
        if self._held_back:
            self.conn.push()
            if not self.conn.wire.output:
                return time.monotonic()
        return self._timers[0][0] if self._timers else None

    def _busy(self):
        return any(stream.alive for stream in self.running.values()) or self.conn.wire.output

    def later(self, seconds, function):
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), function))

    def _fire(self):
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    # requests

    def _dispatch(self):
        while self._ready:
            state, ended = self._ready.popleft()
            if ended:
                self._ended(state)
            else:
                self._begin(state)

    def _begin(self, state):
        if self.final and state.id > self.last_taken:
            return
        if not state.peer_open or self._refuse(state):
            return
        self.taken += 1
        self.last_taken = max(self.last_taken, state.id)
        stream = state.app = Stream(self, state)
        self.running[state.id] = stream
        handler = self.find(state.request.target)
        if getattr(handler, "early", False):
            self._call(handler, stream)
            if stream.on_data and state.request.body_length:
                stream.on_data(state.request.body_length)
        else:
            stream.on_end = lambda: self._call(handler, stream)
        self._maybe_goaway()

    def _ended(self, state):
        stream = state.app
        if stream is not None and stream.on_end is not None:
            function, stream.on_end = stream.on_end, None
            if stream.alive:
                function()

    def find(self, target):
        """The handler of a path; one registered with a trailing slash takes what is below it."""
        handler = self.handlers.get(target)
        if handler is None:
            parent = target[: target.rfind("/") + 1]
            handler = self.handlers.get(parent) if len(parent) > 1 else None
        return handler or self.handlers["404"]

    def _call(self, handler, stream):
        for index in range(self.hints):
            stream.send_headers(103, [("link", f"</{index}.css>; rel=preload")])
        if self.latency:
            self.later(self.latency, lambda: stream.alive and handler(stream))
        else:
            handler(stream)

    def _refuse(self, state):
        with self.conn.peer.lock:
            refuse = self.conn.peer.refused < self.refuse_first
            self.conn.peer.refused += refuse
        if refuse:
            self.conn.send_rst(state.id, frames.REFUSED_STREAM)
        return refuse

    # GOAWAY

    def _maybe_goaway(self):
        if self.goaway_after is None or self.taken != self.goaway_after:
            return
        if not self.graceful:
            return self.goaway(
                self.last_taken if self.goaway_last is None else self.goaway_last, self.goaway_code
            )
        self.conn.send_goaway(frames.MAX_STREAM_ID, frames.NO_ERROR)
        self.conn.send_ping(b"graceful")
        self._await_pong(time.monotonic() + 5)

    def _await_pong(self, deadline):
        if b"graceful" in self.conn.pongs or time.monotonic() > deadline:
            self.goaway(self.last_taken, self.goaway_code)
        else:
            self.later(0.002, lambda: self._await_pong(deadline))

    def goaway(self, last, code=frames.NO_ERROR, debug=b""):
        """GOAWAY; streams above `last` get no answer, those below finish, then the connection is
        closed."""
        self.final = True
        self.last_taken = last
        for stream_id in [i for i in self.running if i > last]:
            self.sending.pop(stream_id, None)
            del self.running[stream_id]
        self.conn.send_goaway(last, code, debug)

    # bodies

    def pump(self):
        """Sends what the windows allow, a frame per stream in turn."""
        progress = bool(self.sending)
        self._held_back = False
        while progress:
            progress = False
            for stream in list(self.sending.values()):
                if self.conn.output_size >= _OUTPUT_HIGH:
                    self._held_back = True
                    return
                progress |= self._send_one(stream)

    def _send_one(self, stream):
        if not stream.alive:
            self.sending.pop(stream.id, None)
            self.running.pop(stream.id, None)
            return False
        data = b""
        if stream.queue:
            room = min(self.conn.room(stream.state), frames.DEFAULT_FRAME)
            if room <= 0:
                return False
            data = _take(stream.queue, room)
        return self._send_piece(stream, data)

    def _send_piece(self, stream, data):
        if stream.queue:
            self.conn.send_data(stream.id, data)
            return True
        del self.sending[stream.id]
        trailers = stream.trailers or (self.trailers if stream.end_queued else None)
        if data or (stream.end_queued and not trailers):
            self.conn.send_data(stream.id, data, stream.end_queued and not trailers)
        if stream.end_queued and trailers:
            self.conn.send_trailers(stream.id, trailers)
        if stream.on_drained:
            function, stream.on_drained = stream.on_drained, None
            function()
        if not stream.state.peer_open and not stream.state.client_open:
            self.running.pop(stream.id, None)
        return True


def _take(queue, room):
    """Up to `room` bytes from the front of the queue."""
    head = queue[0]
    if isinstance(head, int):
        size = min(head, room)
        if size == head:
            queue.popleft()
        else:
            queue[0] = head - size
        return _ZEROS[:size]
    if len(head) <= room:
        return queue.popleft()
    queue[0] = memoryview(head)[room:]
    return bytes(memoryview(head)[:room])
