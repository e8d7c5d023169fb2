"""A scripted HTTP proxy: it works, demands credentials, refuses, stalls or lies, and records what
it was sent."""

import base64
import threading
from urllib.parse import urlsplit

from .h1conn import Connection, head
from .listener import ScriptedServer
from .relay import connect, relay
from .wire import Closed

_FAILURES = {
    "403": (403, "forbidden by the tests"),
    "502": (502, "no such upstream"),
    "503": (503, "overloaded"),
    "407": (407, "credentials, please"),
}

_HOP = {"connection", "proxy-connection", "proxy-authorization", "expect"}


class ProxyPeer(ScriptedServer):
    """See README.md for the modes. `routes` says where "host:port" really is; others are connected
    to as named."""

    def __init__(
        self,
        mode="ok",
        *,
        username=None,
        password=None,
        ca=None,
        cert="server",
        routes=None,
        host="127.0.0.1",
        check=True,
        keep_alive=True,
    ):
        assert mode in MODES, f"{mode} is none of {sorted(MODES)}"
        self.mode = mode
        self.username = username
        self.password = password
        self.routes = {key: value for key, value in (routes or {}).items()}
        self.keep_alive = keep_alive
        self.requests = []  # everything that came outside of tunnels
        self.tunnels = []  # the targets of the tunnels that were opened
        self.tunnelled = [0, 0]  # bytes from clients, and to them, through tunnels
        self.conns = []
        self.lock = threading.Lock()
        super().__init__(ca, cert=cert, alpn=("http/1.1",), host=host, check=check)

    @property
    def proxy_url(self):
        """The URL with the credentials in it."""
        user = f"{self.username}:{self.password}@" if self.username is not None else ""
        return f"{self.scheme}://{user}{self.host}:{self.port}"

    @property
    def proxy(self):
        """The URL without credentials."""
        return f"{self.scheme}://{self.host}:{self.port}"

    def connects(self):
        """The targets of every CONNECT received, whether or not it was allowed."""
        return [request.target for request in self.requests if request.method == "CONNECT"]

    def serve(self, wire, number):
        conn = Connection(self, wire, number)
        self.conns.append(conn)
        try:
            while not wire.closed and not wire.output_ended:
                if self.mode == "hang":
                    return conn.stall()
                request = conn.read_request(body=False)
                self.requests.append(request)
                self.notify()
                self._answer(conn, request)
        except Closed as error:
            conn.outcome = f"closed {error}"

    def _answer(self, conn, request):
        if not self._allowed(request):
            conn.read_body(request)
            return self._fail(conn, 407, "credentials, please")
        MODES[self.mode](self, conn, request)

    def _allowed(self, request):
        if self.username is None:
            return True
        expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        scheme, _, value = request.headers.get("proxy-authorization", "").partition(" ")
        return scheme.lower() == "basic" and value.strip() == expected

    def _fail(self, conn, status, text):
        fields = [("proxy-authenticate", 'Basic realm="proxy"')] if status == 407 else []
        conn.respond(status, text.encode(), fields)

    def _where(self, host, port):
        return self.routes.get(f"{host}:{port}") or self.routes.get(host) or (host, port)

    # working

    def work(self, conn, request):
        """What a proxy does."""
        if request.method == "CONNECT":
            return self.tunnel(conn, request, head(200, reason="Connection established"))
        self.forward(conn, request)

    def _dial(self, conn, host, port):
        try:
            return connect(*self._where(host.strip("[]"), port), self._stop_reader.fileno())
        except OSError as error:
            self._fail(conn, 502, str(error))
            return None

    def tunnel(self, conn, request, answer):
        """Connects to the target, sends `answer`, and relays until both ends are done."""
        host, _, port = request.target.rpartition(":")
        upstream = self._dial(conn, host, int(port))
        if upstream is None:
            return
        with self.lock:
            self.tunnels.append(request.target)
        conn.send(answer)
        self.notify()
        try:
            relay(conn.wire, upstream, self._stop_reader.fileno(), self._count)
        finally:
            upstream.close()
            conn.wire.close()

    def _count(self, index, data):
        with self.lock:
            self.tunnelled[index] += len(data)

    def forward(self, conn, request):
        """A request in absolute form, sent on in origin form; the answer comes back as it is."""
        if "100-continue" in request.headers.get("expect", ""):
            conn.send(head(100))
        conn.read_body(request)
        url = urlsplit(request.target)
        if url.scheme != "http" or not url.hostname:
            return self._fail(conn, 400, "not in absolute form")
        upstream = self._dial(conn, url.hostname, url.port or 80)
        if upstream is None:
            return
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        fields = [(name, value) for name, value in request.fields if name.lower() not in _HOP]
        lines = [
            f"{request.method} {target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields),
            "connection: close",
            "",
            "",
        ]
        upstream.write("\r\n".join(lines).encode("latin-1"))
        upstream.write(_rebuild(request))
        relay(conn.wire, upstream, self._stop_reader.fileno())
        conn.wire.close()
        upstream.close()


def _rebuild(request):
    if request.chunks is None:
        return request.body
    return (
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
        if request.body
        else b"0\r\n\r\n"
    )


# the modes: functions of (proxy, conn, request)


def _stall(proxy, conn, request):
    conn.until_closed()


def _hang_after(proxy, conn, request):
    """A tunnel that opens and leads nowhere."""
    conn.send(head(200))
    conn.until_closed()


def _close(proxy, conn, request):
    conn.close()


def _garbage(proxy, conn, request):
    conn.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    conn.close()


def _drip(proxy, conn, request):
    """The head of a good answer, a byte every 20 ms, and then the tunnel."""
    data = head(200, [("x-slow", "yes")])
    conn.send_pieces(data[:-1], 1, 20)
    proxy.tunnel(conn, request, data[-1:])


def _length(proxy, conn, request):
    """2xx to CONNECT has no body, whatever its fields say (RFC 9110, section 9.3.6)."""
    proxy.tunnel(
        conn, request, head(200, [("content-length", 5), ("transfer-encoding", "chunked")])
    )


def _chatty(proxy, conn, request):
    proxy.tunnel(conn, request, head(100) + head(103, [("link", "</a>")]) + head(200))


def _truncated(proxy, conn, request):
    conn.send(b"HTTP/1.1 200 Connection est")
    conn.close()


def _endless(proxy, conn, request):
    """Fields for ever, up to 64 MB."""
    conn.send(b"HTTP/1.1 200 OK\r\n")
    for index in range(64 * 1024):
        conn.send(b"x-%d: %s\r\n" % (index, b"v" * 1000))


def _early_bytes(proxy, conn, request):
    """Bytes of its own right after the 2xx, where the origin's first bytes should be."""
    proxy.tunnel(conn, request, head(200) + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie")


def _fail_with(code):
    def run(proxy, conn, request):
        conn.read_body(request)
        proxy._fail(conn, *_FAILURES[code])

    return run


MODES = {
    "ok": ProxyPeer.work,
    "hang": _stall,
    "hang-after-accept": _stall,
    "hang-after-connect": _hang_after,
    "close": _close,
    "refuse": lambda proxy, conn, request: conn.abort(),
    "garbage": _garbage,
    "drip": _drip,
    "length": _length,
    "chatty": _chatty,
    "truncated": _truncated,
    "endless": _endless,
    "early-bytes": _early_bytes,
    **{code: _fail_with(code) for code in _FAILURES},
}
