"""What a Responder answers on each path. A handler is a few lines; see README.md for the
queries."""

import gzip
import hashlib

from . import frames
from .responder import early

PATHS = {}


def path(name):
    """Registers a handler."""

    def register(handler):
        PATHS[name] = handler
        return handler

    return register


@path("404")
def not_found(stream):
    stream.respond(404, b"no such path\n")


@path("/")
def hello(stream):
    stream.respond(200, b"ok")


@path("/bytes")
def some_bytes(stream):
    stream.respond(200, stream.number("n", 1000))


@path("/chunked")
def without_length(stream):
    stream.send_headers(200)
    stream.write(stream.number("n", 1000), end=True)


@path("/slow")
def slow(stream):
    stream.later(stream.number("ms", 400), lambda: stream.respond(200, b"slow"))


@path("/slow-body")
def slow_body(stream):
    stream.send_headers(200, [("content-length", 4)])
    stream.later(stream.number("ms", 400), lambda: stream.write(b"slow", end=True))


@path("/never")
@early
def never(stream):
    pass


@path("/headers-then-nothing")
@early
def headers_then_nothing(stream):
    stream.send_headers(200, [("content-length", 10)])


@path("/partial")
def partial(stream):
    """Sends n bytes of `of` and then nothing."""
    n = stream.number("n", 10)
    stream.send_headers(200, [("content-length", stream.number("of", n + 10))])
    stream.write(n)


@path("/short")
def short(stream):
    """Ends the stream before the announced length."""
    n = stream.number("n", 10)
    stream.send_headers(200, [("content-length", stream.number("of", n + 10))])
    stream.write(n, end=True)


@path("/drip")
def drip(stream):
    count, size, ms = stream.number("n", 5), stream.number("size", 1), stream.number("ms", 20)
    stream.send_headers(200)

    def piece(index):
        stream.write(bytes([97 + index % 26]) * size, end=index + 1 == count)
        if index + 1 < count:
            stream.later(ms, lambda: piece(index + 1))

    piece(0)


@path("/status")
def status(stream):
    stream.respond(
        stream.number("code", 200), b"" if stream.number("code") in (204, 304) else b"status\n"
    )


@path("/echo")
def echo(stream):
    request = stream.request
    body = bytes(request.body or b"")
    stream.json(
        {
            "method": request.method,
            "path": request.path,
            "authority": request.authority,
            "scheme": request.scheme,
            "fields": request.fields,
            "trailers": request.trailers,
            "length": request.body_length,
            "body": body.decode("latin-1"),
            "connection": stream.conn.number,
            "stream": stream.id,
        }
    )


@path("/echo-body")
@early
def echo_body(stream):
    """Gives each piece back as it comes."""
    stream.send_headers(200)
    sent = 0

    def more(count):
        nonlocal sent
        stream.write(bytes(stream.request.body[sent:]))
        sent = len(stream.request.body)

    stream.on_data = more
    stream.on_end = lambda: stream.write(end=True)


@path("/upload")
def upload(stream):
    body = bytes(stream.request.body or b"")
    stream.json({"length": stream.request.body_length, "sha256": hashlib.sha256(body).hexdigest()})


@path("/stall-upload")
@early
def stall_upload(stream):
    """Gives the stream no credit; the connection's is given back, so that siblings go on."""
    stream.conn.no_credit.add(stream.id)


@path("/early")
@early
def early_response(stream):
    """A whole response while the upload runs, then RST_STREAM(NO_ERROR), as RFC 9113, section 8.1
    allows."""
    stream.respond(stream.number("code", 413), b"early")
    stream.on_drained = lambda: stream.conn.send_rst(stream.id, frames.NO_ERROR)


@path("/early-no-reset")
@early
def early_no_reset(stream):
    """A whole response while the upload runs, and no RST_STREAM."""
    stream.respond(stream.number("code", 413), b"early")


@path("/refuse")
@early
def refuse(stream):
    """REFUSED_STREAM the first `times` times that this very path is asked for."""
    if stream.conn.peer.count(stream.request.path) <= stream.number("times", 1):
        stream.rst(frames.REFUSED_STREAM)
    else:
        stream.respond(200, b"accepted")


@path("/421")
def misdirected(stream):
    first = stream.conn.peer.count(stream.request.path) <= stream.number("times", 1)
    stream.respond(421 if first else 200, b"421\n" if first else b"directed")


@path("/503")
def unavailable(stream):
    first = stream.conn.peer.count(stream.request.path) <= stream.number("times", 1)
    headers = (
        [("retry-after", stream.request.query["after"])] if "after" in stream.request.query else []
    )
    stream.respond(503 if first else 200, b"", headers)


@path("/http11")
@early
def http11(stream):
    stream.rst(frames.HTTP_1_1_REQUIRED)


@path("/rst")
@early
def rst(stream):
    """RST_STREAM with `code`, at once, or after the fields and `after` bytes of a longer body."""
    code = stream.number("code", frames.INTERNAL_ERROR)
    if "after" not in stream.request.query:
        return stream.rst(code)
    after = stream.number("after")
    stream.send_headers(200, [] if stream.number("unknown") else [("content-length", after + 1000)])
    stream.on_drained = lambda: stream.rst(code)
    stream.write(after)


@path("/goaway")
@early
def goaway(stream):
    """GOAWAY; by default this stream is the last one taken, and is answered."""
    last = stream.number("last", stream.id)
    stream.responder.goaway(last, stream.number("code", 0))
    if stream.id <= last:
        stream.respond(200, b"last")


@path("/close")
@early
def close(stream):
    """The connection ends without a word about the stream."""
    stream.conn.flush()
    stream.conn.wire.close()


@path("/abort")
@early
def abort(stream):
    stream.conn.abort()


@path("/trailers")
def trailers(stream):
    stream.respond(200, b"body", trailers=[("x-checksum", "abc123"), ("x-second", "two")])


@path("/hints")
def hints(stream):
    for index in range(stream.number("n", 1)):
        stream.send_headers(103, [("link", f"</style{index}.css>; rel=preload")])
    stream.respond(200, b"hinted")


@path("/redirect")
def redirect(stream):
    stream.respond(
        stream.number("code", 302), b"", [("location", stream.request.query.get("to", "/"))]
    )


@path("/cookie")
def cookie(stream):
    fields = [("set-cookie", f"{name}={value}") for name, value in stream.request.query.items()]
    stream.respond(200, (stream.request.header("cookie") or "").encode(), fields)


@path("/headers")
def headers(stream):
    """A response with n fields of `size` bytes."""
    fields = [
        (f"x-field-{index}", "v" * stream.number("size", 10))
        for index in range(stream.number("n", 10))
    ]
    stream.respond(200, b"fields", fields)


@path("/gzip")
def gzipped(stream):
    body = gzip.compress(bytes(stream.number("n", 10000)))
    stream.respond(200, body, [("content-encoding", "gzip")])


@path("/behave/")
@early
def behave(stream):
    from .behaviours import BEHAVIOURS

    BEHAVIOURS[stream.request.target.removeprefix("/behave/")].function(stream)
