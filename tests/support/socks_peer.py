"""A scripted SOCKS5 proxy (RFC 1928, RFC 1929): works, demands credentials, refuses or stalls."""

import ipaddress
import struct
import threading

from .h1conn import Connection
from .listener import ScriptedServer
from .relay import connect, relay

REPLIES = {
    "failure": 1,
    "denied": 2,
    "network-unreachable": 3,
    "host-unreachable": 4,
    "refused-by-origin": 5,
    "ttl": 6,
    "command": 7,
    "address-type": 8,
}
MODES = {
    "ok",
    "hang",
    "hang-after-greeting",
    "hang-after-request",
    "refuse",
    "garbage",
    "no-method",
    "version-4",
    "bad-address-type",
    "truncated",
    "close",
    "odd-method",
    "bad-login-version",
    "close-after-login",
    "short-login",
    "hang-after-login",
    "bad-reply-version",
    "close-after-request",
    "drip",
    "name-reply",
    *REPLIES,
}


class SocksPeer(ScriptedServer):
    """`requests` lists (kind, host, port) with kind "ipv4", "ipv6" or "name"; `logins` the
    credentials offered."""

    scheme = "socks5"

    def __init__(self, mode="ok", *, username=None, password=None, routes=None, check=True):
        assert mode in MODES, f"{mode} is none of {sorted(MODES)}"
        self.mode = mode
        self.username = username
        self.password = password
        self.routes = dict(routes or {})
        self.requests = []
        self.logins = []
        self.lock = threading.Lock()
        super().__init__(check=check)

    @property
    def proxy_url(self):
        """The URL with the credentials in it."""
        user = f"{self.username}:{self.password}@" if self.username is not None else ""
        return f"socks5://{user}{self.host}:{self.port}"

    def serve(self, wire, number):
        conn = Connection(self, wire, number)
        if self.mode == "hang":
            return conn.stall()
        if not self._greet(conn):
            return conn.close()
        if self.mode == "hang-after-greeting":
            return conn.until_closed()
        target = self._read_target(conn)
        if target is None:
            return conn.close()
        self.requests.append(target)
        self.notify()
        self._reply(conn, target)

    def _greet(self, conn):
        version, count = conn.take(2)
        methods = conn.take(count)
        if version != 5 or self.mode == "refuse":
            conn.abort()
            return False
        if self.mode == "close":
            return False
        if self.mode == "odd-method":
            self._say(conn, b"\5\1")
            return False
        if self.mode == "garbage":
            conn.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        wanted = 0 if self.username is None else 2
        if self.mode == "no-method" or wanted not in methods:
            conn.send(b"\5\xff")
            return False
        self._say(conn, bytes([4 if self.mode == "version-4" else 5, wanted]))
        return self._login(conn) if wanted else True

    def _login(self, conn):
        _, size = conn.take(2)
        user = conn.take(size).decode()
        password = conn.take(conn.take(1)[0]).decode()
        self.logins.append((user, password))
        good = (user, password) == (self.username, self.password)
        if self.mode == "hang-after-login":
            conn.until_closed()
        if self.mode in ("close-after-login", "hang-after-login"):
            return False
        if self.mode == "short-login":
            conn.send(b"\1")
            return False
        self._say(conn, bytes([5 if self.mode == "bad-login-version" else 1, 0 if good else 1]))
        return good

    def _say(self, conn, answer):
        if self.mode == "drip":
            conn.send_pieces(answer, 1, 10)
        else:
            conn.send(answer)

    def _read_target(self, conn):
        _, command, _, kind = conn.take(4)
        if command != 1:
            return None
        if kind == 1:
            name, host = "ipv4", str(ipaddress.IPv4Address(conn.take(4)))
        elif kind == 4:
            name, host = "ipv6", str(ipaddress.IPv6Address(conn.take(16)))
        else:
            name, host = "name", conn.take(conn.take(1)[0]).decode("latin-1")
        return name, host, struct.unpack(">H", conn.take(2))[0]

    def _reply(self, conn, target):
        _, host, port = target
        if self.mode == "hang-after-request":
            return conn.until_closed()
        if self.mode == "close-after-request":
            return conn.close()
        if self.mode in REPLIES:
            return self._refuse(conn, REPLIES[self.mode])
        try:
            where = self.routes.get(f"{host}:{port}") or self.routes.get(host) or (host, port)
            upstream = connect(*where, self._stop_reader.fileno())
        except OSError:
            return self._refuse(conn, 5)
        try:
            self._say(conn, self._success(upstream))
            if self.mode == "truncated":
                return conn.close()
            relay(conn.wire, upstream, self._stop_reader.fileno())
        finally:
            upstream.close()

    def _success(self, upstream):
        if self.mode == "bad-address-type":
            return b"\5\0\0\x09" + bytes(6)
        if self.mode == "bad-reply-version":
            return b"\4\0\0\1" + bytes(6)
        if self.mode == "name-reply":
            return b"\5\0\0\3\x0bsocks.proxy\0\x50"
        if self.mode == "truncated":
            return b"\5\0\0\1\x7f"
        return b"\5\0\0\1" + bytes(4) + struct.pack(">H", upstream.sock.getsockname()[1])

    def _refuse(self, conn, code):
        conn.send(bytes([5, code, 0, 1]) + bytes(6))
        conn.close()
