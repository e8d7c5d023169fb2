"""The servers of the soak, in a process that is killed and started again and again: HTTP/2 and HTTP/1.1 over TLS,
HTTP/1.1 in clear, and proxies, HTTP and SOCKS.

Each request that does something has a number. It is written to a file before it is answered, so that what was
processed is known whatever becomes of this process. Started as a program: one JSON argument, the ports as a JSON line
out, and it ends with its standard input.
"""

import gzip
import json
import os
import ssl
import sys
import zlib

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import frames
from support.h1conn import head
from support.h1peer import H1Peer
from support.peer import Peer
from support.proxy_peer import ProxyPeer
from support.socks_peer import SocksPeer


LIE = os.environ.get("RQX_SOAK_LIE")  # for the test of the soak itself: "twice" or "wrong-bytes"


def pattern(number, size):
    """The bytes that belong to a request's number."""
    return (b"%015d\n" % number * (size // 16 + 1))[:size]


class Book:
    """The file of the numbers that were processed."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def enter(self, number):
        os.write(self.fd, b"%d\n" % number * (2 if LIE == "twice" and number % 50 == 1 else 1))


def answer(request, body):
    """Fields and body of a right answer."""
    number, size = request.number("id"), request.number("n", 100)
    fields = [("x-id", str(number)), ("x-crc", str(zlib.crc32(body or b"")))]
    data = pattern(number + (LIE == "wrong-bytes" and number % 50 == 1), size)
    if "gzip" in request.query:
        fields.append(("content-encoding", "gzip"))
        data = gzip.compress(data, 1)
    return fields, data


class Handlers2:
    """HTTP/2."""

    def __init__(self, book):
        self.book = book
        self.paths = {"/w": self.work, "/moved": self.moved, "/flaky": self.flaky}

    @staticmethod
    def moved(stream):
        stream.respond(302, b"", [("location", f"/w?id={stream.number('id')}&n={stream.number('n')}")])

    def flaky(self, stream):
        """Refused the first time, so that it is not processed."""
        if stream.conn.peer.count(stream.number("id")) == 1:
            stream.rst(frames.REFUSED_STREAM)
        else:
            self.work(stream)

    def work(self, stream):
        request = stream.request
        request.number = stream.number
        self.book.enter(stream.number("id"))
        fields, data = answer(request, bytes(request.body or b""))
        fault = request.query.get("fault")
        if fault == "rst":
            stream.rst(frames.INTERNAL_ERROR)
        elif fault == "half":
            stream.send_headers(200, [("content-length", len(data)), *fields])
            stream.write(data[: len(data) // 2])
            stream.later(1, lambda: stream.rst(frames.CANCEL))
        elif fault == "abort":
            stream.conn.abort()
        elif fault == "slow":
            stream.later(stream.number("ms", 100), lambda: stream.respond(200, data, fields))
        else:
            stream.respond(200, data, fields)
            if fault == "goaway":
                stream.responder.goaway(stream.responder.last_taken)


class Handlers1:
    """HTTP/1.1."""

    def __init__(self, book):
        self.book = book
        self.paths = {"/w": self.work, "/moved": self.moved, "/flaky": self.work}

    @staticmethod
    def moved(conn, request):
        conn.respond(302, b"", [("location", "/w?" + request.target.partition("?")[2])])

    def work(self, conn, request):
        self.book.enter(request.number("id"))
        fields, data = answer(request, request.body)
        fault = request.query.get("fault")
        if fault in ("rst", "abort"):
            conn.abort()
        elif fault == "half":
            conn.send(head(200, [("content-length", len(data)), *fields]) + data[: len(data) // 2])
            conn.close()
        else:
            if fault == "slow":
                conn.sleep(request.number("ms", 100) / 1000)
            conn.respond(200, data, fields)
            if fault == "goaway":
                conn.close()


def context(pair, alpn):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*pair)
    made.set_alpn_protocols(alpn)
    return made


def main(argument):
    given = json.loads(argument)
    book = Book(given["book"])
    two, one = Handlers2(book).paths, Handlers1(book).paths
    servers = {
        "h2": Peer(tls_context=context(given["pair"], ["h2"]), check=False, handlers=two),
        "h1": H1Peer(tls_context=context(given["pair"], ["http/1.1"]), check=False, handlers=one),
        "plain": H1Peer(check=False, handlers=one),
        "proxy": ProxyPeer(check=False),
        "socks": SocksPeer(check=False),
    }
    print(json.dumps({name: server.port for name, server in servers.items()}), flush=True)
    sys.stdin.read()
    os._exit(0)  # as suddenly as if killed: connections under way are none of its concern


if __name__ == "__main__":
    main(sys.argv[1])
