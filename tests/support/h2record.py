"""Everything a scripted HTTP/2 peer receives on one connection, recorded, counted and held against
the rules.

`Recorder` takes bytes and answers nothing: sockets, scripts and automatic replies are Connection's
(h2conn.py). What the client does wrong goes to `violations`; nothing is refused, since it is the
client that is under test.
"""

import hpack

from . import frames, rules
from .frames import Frame
from .h2stream import Request, StreamState


class Recorder:
    """Attributes are public and for reading; README.md lists them."""

    def __init__(self, keep_data=False, keep_body=True):
        self.keep_data = keep_data
        self.keep_body = keep_body
        self.frames = []
        # (type, flags, stream_id, length) of what the script sent through the frame methods
        self.sent = []
        self.requests = []
        self.streams = {}
        self.violations = []
        self.preface_seen = False
        self.settings = {}  # the client's, merged
        self.settings_frames = []
        self.settings_acks = 0
        self.resets = {}
        self.promised = set()  # streams of ours that PUSH_PROMISE announced
        self.own_resets = {}
        self.window_updates = {}
        self.goaways = []  # (last stream id, code, debug data)
        self.pings = []
        self.pongs = []
        self.priority_updates = []
        self.data_received = 0  # as flow control counts: padding included
        self.data_sent = 0
        self.send_window = frames.DEFAULT_WINDOW
        self.largest_send_window = frames.DEFAULT_WINDOW
        self.largest_stream_window = 0  # of any stream's after a WINDOW_UPDATE
        self.recv_window = frames.DEFAULT_WINDOW
        self.streams_open = 0
        self.max_streams_open = 0
        self.last_stream_id = 0
        self.own_settings = {}
        self.unacked_settings = []
        self.decoder = hpack.Decoder(max_header_list_size=1 << 22)
        self.encoder = hpack.Encoder()
        self._block = None  # (stream_id, flags, bytearray) while a header block is unfinished
        self._initial_recv_window = frames.DEFAULT_WINDOW
        self._handlers = {
            frames.DATA: self._on_data,
            frames.HEADERS: self._on_headers,
            frames.RST_STREAM: self._on_rst,
            frames.SETTINGS: self._on_settings,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._on_continuation,
            frames.PUSH_PROMISE: self._on_push,
            frames.PRIORITY_UPDATE: self._on_priority_update,
        }

    # for Connection

    def on_request(self, stream):
        """A request's field section is complete."""

    def on_request_end(self, stream):
        """The request has ended."""

    def on_request_data(self, stream, count):
        """Flow-controlled bytes have arrived; `stream` is None for a stream that is not known any
        more."""

    def on_reset(self, stream, code):
        """The client has reset a stream."""

    def on_settings(self, settings):
        """The client's SETTINGS frame, as pairs."""

    def on_ping(self, payload):
        """A PING that wants an answer."""

    def feed(self, buffer):
        """Takes every complete frame from the front of the bytearray."""
        at = 0
        if not self.preface_seen:
            at = self._take_preface(buffer)
        size = len(buffer)
        while size - at >= 9:
            length, type, flags, stream_id = frames.unpack_header(buffer, at)
            if size - at - 9 < length:
                break
            payload = bytes(buffer[at + 9 : at + 9 + length])
            at += 9 + length
            self._take(type, flags, stream_id, length, payload)
        del buffer[:at]

    def _take_preface(self, buffer):
        size = len(frames.PREFACE)
        if bytes(buffer[:size]) != frames.PREFACE[: len(buffer)]:
            self.wrong(f"the preface is {bytes(buffer[:size])!r}")
            self.preface_seen = True
            return 0
        if len(buffer) < size:
            return 0
        self.preface_seen = True
        return size

    def wrong(self, text):
        """Notes that the client broke a rule."""
        self.violations.append(text)

    def _take(self, type, flags, stream_id, length, payload):
        keep = payload if type != frames.DATA or self.keep_data else None
        frame = Frame(type, flags, stream_id, length, keep)
        self.frames.append(frame)
        if len(self.frames) == 1 and (type != frames.SETTINGS or flags & frames.ACK):
            self.wrong(f"the first frame is {frame}")
        if length > frames.DEFAULT_FRAME and length > self._allowed(
            frames.MAX_FRAME_SIZE, frames.DEFAULT_FRAME
        ):
            self.wrong(f"{frame} is longer than allowed")
        if self._block is not None and (type != frames.CONTINUATION or stream_id != self._block[0]):
            self.wrong(f"{frame} inside a header block of stream {self._block[0]}")
        handler = self._handlers.get(type)
        if handler is not None:
            handler(flags, stream_id, payload)

    def _allowed(self, setting, default):
        """The most lenient value that the client may believe in: an acknowledged one, or one still
        under way."""
        values = [self.own_settings.get(setting, default)]
        values += [
            dict(pairs)[setting] for pairs in self.unacked_settings if setting in dict(pairs)
        ]
        return max(values)

    # frames that carry requests

    def _on_headers(self, flags, stream_id, payload):
        try:
            payload = frames.unpad(payload, flags)
        except ValueError as error:
            return self.wrong(f"HEADERS: {error}")
        if flags & frames.PRIORITIZED:
            payload = payload[5:]
        if flags & frames.END_HEADERS:
            self._headers_complete(stream_id, flags, payload)
        else:
            self._block = (stream_id, flags, bytearray(payload))

    def _on_continuation(self, flags, stream_id, payload):
        if self._block is None:
            return self.wrong("CONTINUATION outside a header block")
        stream, first_flags, block = self._block
        block += payload
        if flags & frames.END_HEADERS:
            self._block = None
            self._headers_complete(stream, first_flags, bytes(block))

    def _headers_complete(self, stream_id, flags, block):
        try:
            fields = [
                (k.decode("latin-1"), v.decode("latin-1"))
                for k, v in self.decoder.decode(block, raw=True)
            ]
        except Exception as error:  # hpack has many kinds, and any is the client's fault
            return self.wrong(f"header block of stream {stream_id}: {error!r}")
        stream = self.streams.get(stream_id)
        if stream is None:
            self._open(stream_id, flags, fields)
        else:
            self._trailers(stream, flags, fields)

    def _open(self, stream_id, flags, fields):
        if stream_id % 2 == 0 or stream_id <= self.last_stream_id:
            self.wrong(f"stream {stream_id} opened after stream {self.last_stream_id}")
        self.last_stream_id = max(self.last_stream_id, stream_id)
        stream = StreamState(
            stream_id,
            self.settings.get(frames.INITIAL_WINDOW_SIZE, frames.DEFAULT_WINDOW),
            self._initial_recv_window,
        )
        stream.request = Request(self, stream_id, fields, self.keep_body)
        self.streams[stream_id] = stream
        self.requests.append(stream.request)
        for text in rules.check_request_fields(fields):
            self.wrong(f"stream {stream_id}: {text}")
        self._count_open()
        self.on_request(stream)
        if flags & frames.END_STREAM:
            self._end(stream)

    def _count_open(self):
        self.streams_open += 1
        self.max_streams_open = max(self.max_streams_open, self.streams_open)
        limit = self._allowed(frames.MAX_CONCURRENT_STREAMS, frames.MAX_STREAM_ID)
        if self.streams_open > limit:
            self.wrong(f"{self.streams_open} streams are open, {limit} are allowed")

    def _trailers(self, stream, flags, fields):
        if not stream.client_open:
            return self._after_end("HEADERS", stream.id)
        stream.request.trailers = fields
        for text in rules.check_trailer_fields(fields):
            self.wrong(f"stream {stream.id}: {text}")
        if not flags & frames.END_STREAM:
            self.wrong(f"second HEADERS on stream {stream.id} without END_STREAM")
        else:
            self._end(stream)

    def _on_data(self, flags, stream_id, payload):
        count = len(payload)
        self.data_received += count
        self.recv_window -= count
        if self.recv_window < 0:
            self.wrong(f"the connection's window is overrun by {-self.recv_window}")
        stream = self.streams.get(stream_id)
        if stream is None or not stream.client_open:
            self._after_end("DATA", stream_id)
            return self.on_request_data(None, count)
        stream.recv_window -= count
        if stream.recv_window < 0:
            self.wrong(f"the window of stream {stream_id} is overrun by {-stream.recv_window}")
        try:
            body = frames.unpad(payload, flags)
        except ValueError as error:
            return self.wrong(f"DATA: {error}")
        stream.request.body_length += len(body)
        if stream.request.body is not None:
            stream.request.body += body
        self.on_request_data(stream, count)
        if flags & frames.END_STREAM:
            self._end(stream)

    def _after_end(self, what, stream_id):
        # After a reset of our own the client may still have had frames under way.
        if stream_id not in self.own_resets:
            self.wrong(f"{what} on stream {stream_id}, which is not open")

    def _end(self, stream):
        stream.client_open = False
        stream.request.ended = True
        for text in rules.check_length(stream.request):
            self.wrong(f"stream {stream.id}: {text}")
        self._settle(stream)
        self.on_request_end(stream)

    def _settle(self, stream):
        """The stream leaves the count once both sides are done."""
        if stream.counted and not stream.client_open and not stream.peer_open:
            stream.counted = False
            self.streams_open -= 1

    # frames that steer

    def _on_rst(self, flags, stream_id, payload):
        if len(payload) != 4 or stream_id == 0:
            return self.wrong("RST_STREAM of a wrong form")
        code = frames.read_u32(payload)
        stream = self.streams.get(stream_id)
        if stream_id in self.promised:
            self.resets.setdefault(stream_id, []).append(code)
            return None
        if stream is None:
            return self.wrong(f"RST_STREAM on idle stream {stream_id}")
        codes = self.resets.setdefault(stream_id, [])
        codes.append(code)
        if len(codes) > 1:
            self.wrong(f"stream {stream_id} was reset {len(codes)} times")
        stream.client_open = stream.peer_open = False
        self._settle(stream)
        self.on_reset(stream, code)

    def _on_settings(self, flags, stream_id, payload):
        if stream_id or len(payload) % 6:
            return self.wrong("SETTINGS of a wrong form")
        if flags & frames.ACK:
            return self._on_settings_ack()
        pairs = frames.unpack_settings(payload)
        self.settings_frames.append(pairs)
        for key, value in pairs:
            self._apply_setting(key, value)
        self.on_settings(pairs)

    def _apply_setting(self, key, value):
        if key == frames.INITIAL_WINDOW_SIZE:
            change = value - self.settings.get(key, frames.DEFAULT_WINDOW)
            for stream in self.streams.values():
                stream.send_window += change
        if key == frames.HEADER_TABLE_SIZE:
            self.encoder.header_table_size = min(value, 4096)
        self.settings[key] = value

    def _on_settings_ack(self):
        self.settings_acks += 1
        if not self.unacked_settings:
            return self.wrong("SETTINGS acknowledged that were not sent")
        for key, value in self.unacked_settings.pop(0):
            self.own_settings[key] = value
            if key == frames.INITIAL_WINDOW_SIZE:
                self._change_recv_window(value)

    def _change_recv_window(self, value):
        """A lower window counts from its acknowledgement on, a higher one from when it was sent."""
        change = value - self._initial_recv_window
        self._initial_recv_window = value
        for stream in self.streams.values():
            stream.recv_window += change

    def _on_ping(self, flags, stream_id, payload):
        if stream_id or len(payload) != 8:
            return self.wrong("PING of a wrong form")
        if flags & frames.ACK:
            self.pongs.append(payload)
        else:
            self.pings.append(payload)
            self.on_ping(payload)

    def _on_goaway(self, flags, stream_id, payload):
        if stream_id or len(payload) < 8:
            return self.wrong("GOAWAY of a wrong form")
        last = frames.read_u32(payload) & frames.MAX_STREAM_ID
        self.goaways.append((last, frames.read_u32(payload, 4), payload[8:]))

    def _on_window_update(self, flags, stream_id, payload):
        if len(payload) != 4:
            return self.wrong("WINDOW_UPDATE of a wrong form")
        count = frames.read_u32(payload) & frames.MAX_WINDOW
        if count == 0:
            self.wrong(f"WINDOW_UPDATE of zero on stream {stream_id}")
        self.window_updates[stream_id] = self.window_updates.get(stream_id, 0) + count
        if stream_id == 0:
            self.send_window += count
            self.largest_send_window = max(self.largest_send_window, self.send_window)
            return self._check_window(self.send_window, 0)
        stream = self.streams.get(stream_id)
        if stream is None:
            return self.wrong(f"WINDOW_UPDATE on idle stream {stream_id}")
        stream.send_window += count
        self.largest_stream_window = max(self.largest_stream_window, stream.send_window)
        self._check_window(stream.send_window, stream_id)

    def _check_window(self, window, stream_id):
        if window > frames.MAX_WINDOW:
            self.wrong(f"the window of stream {stream_id} grows over 2^31-1")

    def _on_push(self, flags, stream_id, payload):
        self.wrong("PUSH_PROMISE from a client")

    def _on_priority_update(self, flags, stream_id, payload):
        if stream_id or len(payload) < 4:
            return self.wrong("PRIORITY_UPDATE of a wrong form")
        self.priority_updates.append(
            (frames.read_u32(payload) & frames.MAX_STREAM_ID, payload[4:].decode("latin-1"))
        )

    # what the script sends, for the books

    def note_sent(self, type, flags, stream_id, payload):
        """Books one sent frame: windows, ends, resets."""
        self.sent.append((type, flags, stream_id, len(payload)))
        stream = self.streams.get(stream_id)
        if type == frames.DATA:
            self.data_sent += len(payload)
            self.send_window -= len(payload)
            if stream is not None:
                stream.send_window -= len(payload)
        if type == frames.RST_STREAM and len(payload) == 4:
            self.own_resets.setdefault(stream_id, []).append(frames.read_u32(payload))
            if stream is not None:
                stream.client_open = stream.peer_open = False
                self._settle(stream)
        elif (
            type in (frames.DATA, frames.HEADERS)
            and flags & frames.END_STREAM
            and stream is not None
        ):
            stream.peer_open = False
            self._settle(stream)
        elif type == frames.WINDOW_UPDATE and len(payload) == 4:
            self._note_credit(stream_id, stream, frames.read_u32(payload))
        elif type == frames.SETTINGS and not flags & frames.ACK and len(payload) % 6 == 0:
            self._note_settings(frames.unpack_settings(payload))

    def _note_credit(self, stream_id, stream, count):
        if stream_id == 0:
            self.recv_window += count
        elif stream is not None:
            stream.recv_window += count

    def _note_settings(self, pairs):
        self.unacked_settings.append(pairs)
        for key, value in pairs:
            if key == frames.INITIAL_WINDOW_SIZE and value > self._initial_recv_window:
                self._change_recv_window(value)
            if key == frames.HEADER_TABLE_SIZE:
                self.decoder.max_allowed_table_size = max(value, 4096)
