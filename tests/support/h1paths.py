"""What the HTTP/1.1 peer answers when no script is given. A handler gets (conn, request) after the
head was read.

It reads the body itself when it wants it; `serve` reads what is left, and keeps the connection
alive unless the handler has ended it.
"""

import gzip

from .h1conn import chunk, head, last_chunk

PATHS = {}


def path(name):
    """Registers a handler."""

    def register(handler):
        PATHS[name] = handler
        return handler

    return register


def early(handler):
    """Marks a handler that runs before the body is read."""
    handler.early = True
    return handler


def serve(conn):
    """Answers requests until the client closes."""
    while not conn.wire.closed and not conn.wire.output_ended:
        request = conn.read_request(body=False)
        handler = conn.peer.handlers.get(request.path) or _behaviour(request.path) or not_found
        if not getattr(handler, "early", False):
            _finish(conn, request)
        handler(conn, request)
        if not request.ended and not conn.wire.closed:
            _finish(conn, request)
        if request.headers.get("connection", "").lower() == "close" and not conn.wire.closed:
            conn.close()


def _finish(conn, request):
    if (
        conn.auto_continue
        and "100-continue" in request.headers.get("expect", "")
        and not conn.wire.output_ended
    ):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.read_body(request)


def _behaviour(target):
    from .h1behaviours import BEHAVIOURS

    behaviour = (
        BEHAVIOURS.get(target.removeprefix("/behave/")) if target.startswith("/behave/") else None
    )
    return behaviour and early(lambda conn, request: behaviour.run(conn, request))


def not_found(conn, request):
    conn.respond(404, b"no such path\n")


@path("/")
def hello(conn, request):
    conn.respond(200, b"ok" if request.method != "HEAD" else b"")


@path("/bytes")
def some_bytes(conn, request):
    conn.respond(200, bytes(request.number("n", 1000)))


@path("/chunked")
def chunked(conn, request):
    left, size = request.number("n", 1000), request.number("size", 100)
    conn.send(head(200, [("transfer-encoding", "chunked")]))
    while left > 0:
        conn.send(chunk(bytes(min(left, size))))
        left -= size
    conn.send(last_chunk())


@path("/chunked-trailers")
def chunked_trailers(conn, request):
    conn.respond(200, b"body", trailers=[("x-checksum", "abc123"), ("x-second", "two")])


@path("/slow")
def slow(conn, request):
    conn.sleep(request.number("ms", 400) / 1000)
    conn.respond(200, b"slow")


@path("/never")
def never(conn, request):
    conn.until_closed()


@path("/headers-then-nothing")
def headers_then_nothing(conn, request):
    conn.send(head(200, [("content-length", 10)]))
    conn.until_closed()


@path("/partial")
def partial(conn, request):
    n = request.number("n", 10)
    conn.send(head(200, [("content-length", request.number("of", n + 10))]) + bytes(n))
    conn.until_closed()


@path("/truncated")
def truncated(conn, request):
    """Closes before the announced length."""
    n = request.number("n", 10)
    conn.send(head(200, [("content-length", request.number("of", n + 10))]) + bytes(n))
    conn.close()


@path("/drip")
def drip(conn, request):
    count, size, ms = request.number("n", 5), request.number("size", 1), request.number("ms", 20)
    conn.send(head(200, [("content-length", count * size)]))
    for index in range(count):
        conn.send(bytes([97 + index % 26]) * size)
        conn.sleep(ms / 1000)


@path("/close-delimited")
def close_delimited(conn, request):
    conn.send(head(200) + bytes(request.number("n", 1000)))
    conn.close()


@path("/connection-close")
def connection_close(conn, request):
    conn.respond(200, b"bye", [("connection", "close")])
    conn.close()


@path("/close-after")
def close_after(conn, request):
    """A whole response that promises keep-alive, and then the end."""
    conn.respond(200, b"bye")
    conn.close()


@path("/http10")
def http10(conn, request):
    conn.respond(200, b"old", version="1.0")
    conn.close()


@path("/http11")
def http11(conn, request):
    """Where an HTTP/2 peer says HTTP_1_1_REQUIRED."""
    conn.respond(200, b"over http/1.1")


@path("/status")
def status(conn, request):
    code = request.number("code", 200)
    conn.respond(code, b"" if code in (204, 304) else b"status\n")


@path("/continue")
@early
def continues(conn, request):
    """100 after `ms`, then the body, then 200."""
    conn.sleep(request.number("ms", 0) / 1000)
    conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.read_body(request)
    conn.json({"length": len(request.body)})


@path("/no-continue")
@early
def no_continue(conn, request):
    """Never says 100, and waits for the body."""
    conn.read_body(request)
    conn.json({"length": len(request.body)})


@path("/417")
@early
def expectation_failed(conn, request):
    """417 while `expect` is there, 200 without it."""
    if "expect" in request.headers:
        conn.respond(417, b"", [("connection", "close")])
        return conn.close()
    conn.read_body(request)
    conn.json({"length": len(request.body)})


@path("/early-413")
@early
def early_413(conn, request):
    """A whole response before the body, then the end."""
    conn.respond(413, b"too large", [("connection", "close")])
    conn.close()


@path("/hints")
def hints(conn, request):
    for index in range(request.number("n", 1)):
        conn.respond(103, b"", [("link", f"</style{index}.css>; rel=preload")])
    conn.respond(200, b"hinted")


@path("/redirect")
def redirect(conn, request):
    conn.respond(request.number("code", 302), b"", [("location", request.query.get("to", "/"))])


@path("/gzip")
def gzipped(conn, request):
    conn.respond(
        200, gzip.compress(bytes(request.number("n", 10000))), [("content-encoding", "gzip")]
    )


@path("/upload")
def upload(conn, request):
    conn.json({"length": len(request.body), "chunked": request.chunks is not None})


@path("/upgrade")
def upgrade(conn, request):
    """101, then whatever comes is given back."""
    conn.send(
        head(101, [("connection", "upgrade"), ("upgrade", request.headers.get("upgrade", "echo"))])
    )
    while not conn.wire.eof:
        conn.step()
        data = bytes(conn.wire.input)
        conn.wire.input.clear()
        conn.send(data)


@path("/echo")
def echo(conn, request):
    conn.json(
        {
            "method": request.method,
            "target": request.target,
            "version": request.version,
            "fields": request.fields,
            "body": request.body.decode("latin-1"),
            "length": len(request.body),
            "chunks": request.chunks,
            "trailers": request.trailers,
            "connection": conn.number,
        }
    )
