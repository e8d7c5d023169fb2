"""What a scripted HTTP/2 peer knows of one stream: the request as it arrived, and both directions'
state."""

from urllib.parse import parse_qs, urlsplit


class Request:
    """A request as received. `headers` holds the regular fields as a dict of the last value,
    `fields` all, in order."""

    __slots__ = (
        "stream_id",
        "fields",
        "conn",
        "body",
        "body_length",
        "trailers",
        "ended",
        "number",
        "early_hint",
    )

    def __init__(self, conn, stream_id, fields, keep_body):
        self.conn = conn
        self.stream_id = stream_id
        self.fields = fields
        self.body = bytearray() if keep_body else None
        self.body_length = 0
        self.trailers = None
        self.ended = False
        self.number = len(conn.requests)  # its place among the connection's requests
        self.early_hint = None

    def __repr__(self):
        return f"<Request {self.method} {self.path} stream={self.stream_id}>"

    def header(self, name, default=None):
        """The last value of a field, pseudo fields included."""
        for key, value in reversed(self.fields):
            if key == name:
                return value
        return default

    def all(self, name):
        """Every value of a field, in order."""
        return [value for key, value in self.fields if key == name]

    @property
    def headers(self):
        return {key: value for key, value in self.fields if not key.startswith(":")}

    method = property(lambda self: self.header(":method"))
    path = property(lambda self: self.header(":path", ""))
    authority = property(lambda self: self.header(":authority"))
    scheme = property(lambda self: self.header(":scheme"))

    @property
    def target(self):
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self):
        """The query as a dict of last values."""
        return {
            key: values[-1] for key, values in parse_qs(urlsplit(self.path).query, True).items()
        }

    @property
    def reset(self):
        """The code with which the client reset the stream, or None."""
        codes = self.conn.resets.get(self.stream_id)
        return codes[0] if codes else None


class StreamState:
    """`client_open`/`peer_open`: that side may still send. `send_window` is the client's grant,
    `recv_window` ours."""

    __slots__ = (
        "id",
        "client_open",
        "peer_open",
        "send_window",
        "recv_window",
        "request",
        "counted",
        "app",
    )

    def __init__(self, stream_id, send_window, recv_window):
        self.id = stream_id
        self.client_open = True
        self.peer_open = True
        self.send_window = send_window
        self.recv_window = recv_window
        self.request = None
        self.counted = True  # among the streams that count against MAX_CONCURRENT_STREAMS
        self.app = None  # the Responder's stream
