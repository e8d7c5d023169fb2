"""A transport that calls a WSGI application (PEP 3333) in this process."""

import sys

from .._models import Response
from .._utils import public
from .base import BaseTransport, SyncByteStream

_DEFAULT_PORTS = {"http": 80, "https": 443}


class WSGIByteStream(SyncByteStream):
    """What the application returned. Its first piece is fetched at once: `start_response` need not be called before."""

    def __init__(self, result):
        self._close = getattr(result, "close", None)
        self._result = iter(result)
        self._first = next(filter(None, self._result), None)

    def __iter__(self):
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._result

    def close(self):
        if self._close is not None:
            self._close()


class _Start:
    """The `start_response` of one request."""

    def __init__(self):
        self.status = None
        self.headers = None
        self.error = None
        self.written = []

    def __call__(self, status, headers, exc_info=None):
        self.status = status
        self.headers = headers
        # Only the exception is kept: a reference to the traceback's frames would keep the request alive.
        self.error = exc_info[1] if exc_info and exc_info[0] else None
        return self.written.append


class _Chained(SyncByteStream):
    """Pieces given to the `write` callable, before those that the application returned."""

    def __init__(self, written, rest):
        self._written = written
        self._rest = rest

    def __iter__(self):
        yield from self._written
        yield from self._rest

    def close(self):
        self._rest.close()


@public
class WSGITransport(BaseTransport):
    """Hands the requests of a `Client` to a WSGI application.

    `raise_app_exceptions=False` takes the application's own error response where it reports an exception;
    `script_name` is where the application is mounted, `remote_addr` whom it takes the client for, and `wsgi_errors`
    the stream for its log.
    """

    def __init__(self, app, raise_app_exceptions=True, script_name="", remote_addr="127.0.0.1", wsgi_errors=None):
        self.app = app
        self.raise_app_exceptions = raise_app_exceptions
        self.script_name = script_name
        self.remote_addr = remote_addr
        self.wsgi_errors = wsgi_errors

    def handle_request(self, request):
        start = _Start()
        stream = WSGIByteStream(self.app(self._environ(request), start))
        if start.status is None or start.headers is None:
            stream.close()
            raise RuntimeError("The WSGI application did not call start_response().")
        if start.error is not None and self.raise_app_exceptions:
            stream.close()
            raise start.error
        headers = [(key.encode("ascii"), value.encode("latin-1")) for key, value in start.headers]
        if start.written:
            stream = _Chained(start.written, stream)
        return Response(int(start.status.split()[0]), headers=headers, stream=stream)

    def _environ(self, request):
        from io import BytesIO

        url = request.url
        environ = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": BytesIO(request.read()),
            "wsgi.errors": self.wsgi_errors or sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": self.script_name,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query.decode("ascii"),
            "SERVER_NAME": url.host,
            "SERVER_PORT": str(url.port or _DEFAULT_PORTS[url.scheme]),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.remote_addr,
        }
        for key, value in request.headers.raw:
            name = key.decode("ascii").upper().replace("-", "_")
            if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                name = f"HTTP_{name}"
            environ[name] = value.decode("latin-1")
        return environ
