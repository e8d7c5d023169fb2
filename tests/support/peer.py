"""A scripted HTTP/2 peer: raw frames over TLS or cleartext, a thread per connection, everything
recorded."""

import threading
from collections import Counter

from . import h1conn, h1paths
from .h2conn import Connection
from .listener import ScriptedServer
from .responder import Responder, early
from .wire import Closed

__all__ = ["Connection", "Peer", "Responder", "early"]


class Peer(ScriptedServer):
    """`script` is None (a Responder), a callable, or a list of them per connection, of which the
    last one repeats.

    `ca` None means cleartext. Options that are not Peer's own go to the Responder. With
    `alpn=("h2", "http/1.1")`, a client that does not want h2 is served by h1paths, apart:
    `h1_conns`, `h1_requests()`.
    """

    def __init__(
        self,
        ca=None,
        script=None,
        *,
        alpn=("h2",),
        cert="server",
        host="127.0.0.1",
        port=0,
        check=True,
        ask_client=False,
        tls_context=None,
        keep_data=False,
        keep_body=True,
        **responder_options,
    ):
        self.scripts = script if isinstance(script, (list, tuple)) else [script]
        self.alpn = alpn or ()
        self.handlers = h1paths.PATHS
        self.conns = []
        self.h1_conns = []
        self.lock = threading.Lock()
        self.refused = 0
        self.crowd = 1  # requests that a behaviour of connections waits for
        self.ready = threading.Event()  # such a behaviour has done what the next request is to meet
        self.responder_options = responder_options
        self._recording = {"keep_data": keep_data, "keep_body": keep_body}
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
        if wire.tls and "http/1.1" in self.alpn and wire.tls.selected_alpn_protocol() != "h2":
            return self._serve_h1(wire)
        with self.lock:
            index = len(self.conns)
            conn = Connection(self, wire, index, **self._recording)
            self.conns.append(conn)
        self.notify()
        script = self.scripts[min(index, len(self.scripts) - 1)] or Connection.serve
        try:
            script(conn)
            conn.outcome = "done"
        except Closed as error:
            conn.outcome = f"closed {error}"
        finally:
            conn.push()

    def _serve_h1(self, wire):
        with self.lock:
            conn = h1conn.Connection(self, wire, len(self.h1_conns))
            self.h1_conns.append(conn)
        h1paths.serve(conn)

    def count(self, key):
        """How often this was called with the key, this time included."""
        with self.lock:
            self._counts[key] += 1
            return self._counts[key]

    # what the tests ask

    def requests(self, path=None):
        """The requests of every connection, in order of connection; of one path (without its query)
        or of all."""
        found = [request for conn in list(self.conns) for request in list(conn.requests)]
        return (
            found
            if path is None
            else [request for request in found if path in (request.path, request.target)]
        )

    def h1_requests(self, path=None):
        """What came over HTTP/1.1."""
        found = [request for conn in list(self.h1_conns) for request in list(conn.requests)]
        return (
            found
            if path is None
            else [request for request in found if path in (request.path, request.target)]
        )

    def one(self):
        """The only connection there has been."""
        assert len(self.conns) == 1, f"{len(self.conns)} connections instead of one"
        return self.conns[0]

    def summary(self):
        """The figures of each connection, as plain data."""
        return [_summary(conn) for conn in list(self.conns)]

    @property
    def violations(self):
        return [
            f"connection {conn.number}: {text}" for conn in self.conns for text in conn.violations
        ]

    def assert_sent_once(self, path):
        """Exactly one request of this path has ever arrived, on any connection."""
        seen = [(request.conn.number, request.stream_id) for request in self.requests(path)]
        assert len(seen) == 1, f"{path} was received {len(seen)} times: (connection, stream) {seen}"

    def assert_no_credit_leak(self, keep=0.5):
        for conn in self.conns:
            conn.assert_no_credit_leak(keep)

    def describe(self):
        return (
            f"{self.accepted} connections accepted, {len(self.requests())} requests, "
            f"errors {self.errors}, "
            f"failed handshakes {self.tls_failures}, violations {self.violations[:5]}"
        )

    def verify(self):
        super().verify()
        assert not self.violations, "the client broke the protocol: " + "; ".join(
            self.violations[:10]
        )


def _summary(conn):
    codes = Counter(code for several in list(conn.resets.values()) for code in several)
    return {
        "requests": len(conn.requests),
        "paths": dict(Counter(request.path for request in list(conn.requests))),
        "resets": {str(code): count for code, count in codes.items()},
        "never_reset": len(conn.never_reset()),
        "reset_twice": sum(len(several) > 1 for several in list(conn.resets.values())),
        "streams_open": conn.streams_open,
        "max_streams_open": conn.max_streams_open,
        "data_sent": conn.data_sent,
        "data_received": conn.data_received,
        "credit_outstanding": conn.credit_outstanding,
        "largest_send_window": conn.largest_send_window,
        "largest_stream_window": conn.largest_stream_window,
        "pings": len(conn.pings),
        "goaways": len(conn.goaways),
        "violations": conn.violations[:20],
        "closed_by_client": conn.closed_by_client,
        "outcome": conn.outcome,
    }
