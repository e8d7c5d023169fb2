"""A scripted HTTP/1.1 server: given bytes in given pieces, over TLS or not, and a record of every
request."""

import threading
from collections import Counter

from . import h1paths
from .h1conn import Connection, Request, chunk, head, last_chunk
from .listener import ScriptedServer
from .wire import Closed

__all__ = ["Connection", "H1Peer", "Request", "chunk", "head", "last_chunk"]


class H1Peer(ScriptedServer):
    """`script(conn)` per connection, or a list of them, the last of which repeats; without one, a
    server of h1paths.

    `reply` answers every request with these bytes instead (a list: one after the other, the last
    repeats), `piece` bytes at a time with `gap_ms` between; `close_after` then ends the connection.
    """

    def __init__(
        self,
        ca=None,
        script=None,
        *,
        alpn=("http/1.1",),
        cert="server",
        host="127.0.0.1",
        port=0,
        check=True,
        ask_client=False,
        tls_context=None,
        handlers=None,
        reply=None,
        piece=None,
        gap_ms=0,
        close_after=False,
    ):
        if reply is not None:
            script = _replier(reply, piece, gap_ms, close_after)
        self.scripts = script if isinstance(script, (list, tuple)) else [script]
        self.handlers = {**h1paths.PATHS, **(handlers or {})}
        self.conns = []
        self.lock = threading.Lock()
        self._counts = Counter()
        super().__init__(
            ca,
            cert=cert,
            alpn=alpn,
            host=host,
            port=port,
            check=check,
            ask_client=ask_client,
            tls_context=tls_context,
        )

    def serve(self, wire, number):
        with self.lock:
            index = len(self.conns)
            conn = Connection(self, wire, index)
            self.conns.append(conn)
        self.notify()
        script = self.scripts[min(index, len(self.scripts) - 1)] or h1paths.serve
        try:
            script(conn)
            conn.outcome = "done"
        except Closed as error:
            conn.outcome = f"closed {error}"

    def count(self, key):
        """How often this was called with the key, this time included."""
        with self.lock:
            self._counts[key] += 1
            return self._counts[key]

    def requests(self, path=None):
        """The requests of every connection, in order of connection; of one path or target, or of
        all."""
        found = [request for conn in list(self.conns) for request in list(conn.requests)]
        return (
            found
            if path is None
            else [request for request in found if path in (request.path, request.target)]
        )

    def one(self):
        """The only connection there has been."""
        assert len(self.conns) == 1, f"{len(self.conns)} connections instead of one"
        return self.conns[0]

    def describe(self):
        last = self.requests()[-5:]
        return f"{self.accepted} connections accepted, requests {last}, errors {self.errors}"


def _replier(reply, piece, gap_ms, close_after):
    replies = list(reply) if isinstance(reply, (list, tuple)) else [reply]

    def script(conn):
        count = 0
        while True:
            conn.read_request()
            data = replies[min(count, len(replies) - 1)]
            conn.send_pieces(data, piece or max(len(data), 1), gap_ms)
            count += 1
            if close_after:
                return conn.close()

    return script
