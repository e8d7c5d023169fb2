"""A transport that calls an ASGI application in this process."""

import sys

from .._models import Response
from .._utils import public
from .base import AsyncBaseTransport, AsyncByteStream


def _new_event():
    """An event of the running async library."""
    if "trio" in sys.modules:
        import sniffio

        if sniffio.current_async_library() == "trio":
            import trio

            return trio.Event()
    import asyncio

    return asyncio.Event()


class ASGIResponseStream(AsyncByteStream):
    """The body that the application has sent."""

    def __init__(self, body):
        self._body = body

    async def __aiter__(self):
        yield b"".join(self._body)


class _Exchange:
    """One request and its response: the `receive` and `send` of the application."""

    def __init__(self, request):
        self.status = None
        self.headers = None
        self.body = []
        self.complete = _new_event()
        self._wants_body = request.method != "HEAD"
        self._pieces = request.stream.__aiter__()
        self._received_all = False

    async def receive(self):
        if self._received_all:
            await self.complete.wait()
            return {"type": "http.disconnect"}
        try:
            piece = await self._pieces.__anext__()
        except StopAsyncIteration:
            self._received_all = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(self, message):
        if message["type"] == "http.response.start":
            assert self.status is None, "the response was started twice"
            self.status = message["status"]
            self.headers = message.get("headers", [])
        elif message["type"] == "http.response.body":
            assert not self.complete.is_set(), "the response was already complete"
            piece = message.get("body", b"")
            if piece and self._wants_body:
                self.body.append(piece)
            if not message.get("more_body", False):
                self.complete.set()

    def fail(self):
        """The application raised: what it has not said is a plain server error."""
        self.complete.set()
        if self.status is None:
            self.status = 500
        if self.headers is None:
            self.headers = []


@public
class ASGITransport(AsyncBaseTransport):
    """Hands the requests of an `AsyncClient` to an ASGI application.

    `raise_app_exceptions=False` answers 500 where the application raises; `root_path` is where it is mounted, and
    `client` the (address, port) that it takes the client for.
    """

    def __init__(self, app, raise_app_exceptions=True, root_path="", client=("127.0.0.1", 123)):
        self.app = app
        self.raise_app_exceptions = raise_app_exceptions
        self.root_path = root_path
        self.client = client

    async def handle_async_request(self, request):
        assert isinstance(request.stream, AsyncByteStream)
        exchange = _Exchange(request)
        try:
            await self.app(self._scope(request), exchange.receive, exchange.send)
        except Exception:
            if self.raise_app_exceptions:
                raise
            exchange.fail()
        assert exchange.complete.is_set(), "the application returned before its response was complete"
        assert exchange.status is not None, "the application sent a body without a response"
        return Response(exchange.status, headers=exchange.headers, stream=ASGIResponseStream(exchange.body))

    def _scope(self, request):
        url = request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(key.lower(), value) for key, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": self.client,
            "root_path": self.root_path,
        }
