"""A client of raw HTTP/2 frames over cleartext, to try the scripted peer with rights and wrongs of
the client's side."""

import socket

import hpack

from . import frames


class RawClient:
    """Blocking, one connection; `frames` holds (type, flags, stream id, payload) of all that
    came."""

    def __init__(self, port, settings=None, preface=True):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.frames = []
        self.buffer = bytearray()
        if preface:
            self.sock.sendall(frames.PREFACE)
            self.send(frames.SETTINGS, 0, 0, frames.pack_settings(settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.sock.close()

    def send(self, type, flags, stream_id, payload=b""):
        self.sock.sendall(frames.pack(type, flags, stream_id, payload))

    def request(self, stream_id, path="/", extra=(), end=True, method="GET"):
        fields = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "127.0.0.1"),
            (":path", path),
            *extra,
        ]
        flags = frames.END_HEADERS | end * frames.END_STREAM
        self.send(frames.HEADERS, flags, stream_id, self.encoder.encode(fields))

    def read(self, type, stream_id=None):
        """The next frame of the type (and stream), reading on as needed; EOF is a
        ConnectionError."""
        while True:
            for index, frame in enumerate(self.frames):
                if frame[0] == type and stream_id in (None, frame[2]):
                    return self.frames.pop(index)
            self._read_some()

    def _read_some(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the peer has closed")
        self.buffer += data
        while len(self.buffer) >= 9:
            length, type, flags, stream_id = frames.unpack_header(self.buffer)
            if len(self.buffer) < 9 + length:
                return
            self.frames.append((type, flags, stream_id, bytes(self.buffer[9 : 9 + length])))
            del self.buffer[: 9 + length]

    def fields(self, stream_id):
        """The next header block on the stream, as a dict."""
        return dict(self.decoder.decode(self.read(frames.HEADERS, stream_id)[3]))

    def ack(self):
        """Acknowledges the peer's next SETTINGS."""
        while self.read(frames.SETTINGS)[1] & frames.ACK:
            pass
        self.send(frames.SETTINGS, frames.ACK, 0)
