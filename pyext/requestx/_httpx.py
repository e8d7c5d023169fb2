"""Transports for the clients of `httpx`, and of `httpx2`, its successor: what is written for those then runs on this engine.

    client = httpx.Client(transport=requestx.HTTPXTransport())

This module is imported when somebody asks for one of the two transports, for it needs one of the two libraries. Where
both are installed, one transport serves the clients of both.
"""

from inspect import signature

from ._config import Proxy
from ._content import ByteStream
from ._core import URL
from ._exceptions import InvalidURL, RequestError
from ._models import Request
from ._transports.base import AsyncByteStream, SyncByteStream
from ._transports.default import AsyncHTTPTransport, HTTPTransport
from ._utils import public


def _import_libraries():
    found = []
    for name in ("httpx", "httpx2"):
        try:
            module = __import__(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        else:
            # One may stand in for the other.
            if module not in found:
                found.append(module)
    if not found:
        raise ImportError("HTTPXTransport and AsyncHTTPXTransport need the package 'httpx' or 'httpx2': install one of them")
    return found


class _RequestBody(AsyncByteStream, SyncByteStream):
    """The body of a request of theirs, which is not in memory."""

    def __init__(self, stream):
        self._stream = stream

    def __iter__(self):
        return iter(self._stream)

    def __aiter__(self):
        return self._stream.__aiter__()


class _ResponseBody:
    """The body of a response as it comes, for theirs."""

    def __init__(self, stream, library, request):
        self._stream = stream
        self._library = library
        self._request = request

    def __iter__(self):
        try:
            yield from self._stream
        except RequestError as error:
            raise self._library.error(error, self._request) from error

    def close(self):
        self._stream.close()


class _AsyncResponseBody:
    """The same, awaited."""

    def __init__(self, stream, library, request):
        self._stream = stream
        self._library = library
        self._request = request

    # An iterator and not a generator: one that is left half-way has nothing that would be awaited for its end.
    def __aiter__(self):
        self._parts = self._stream.__aiter__()
        return self

    async def __anext__(self):
        try:
            return await self._parts.__anext__()
        except RequestError as error:
            raise self._library.error(error, self._request) from error

    async def aclose(self):
        await self._stream.aclose()


class _Library:
    """What of httpx or httpx2 is needed for an exchange."""

    def __init__(self, module):
        self._module = module
        self._errors = {}
        self._byte_stream = module.ByteStream
        self.Request = module.Request
        self.sync_stream = type("HTTPXStream", (_ResponseBody, module.SyncByteStream), {})
        self.async_stream = type("AsyncHTTPXStream", (_AsyncResponseBody, module.AsyncByteStream), {})

    def ours(self, request):
        """The request that is to be sent for theirs."""
        stream = request.stream
        stream = ByteStream(b"".join(stream)) if isinstance(stream, self._byte_stream) else _RequestBody(stream)
        return Request(
            request.method,
            str(request.url),
            headers=request.headers.raw,
            stream=stream,
            extensions=request.extensions,
        )

    def response(self, response, stream):
        """Theirs for our response, with a body to be read."""
        return self._module.Response(
            response.status_code, headers=response.headers.raw, stream=stream, extensions=response.extensions
        )

    def error(self, error, request):
        """Theirs for our exception."""
        kind = self._errors.get(type(error))
        if kind is None:
            names = [ours.__name__ for ours in type(error).__mro__ if hasattr(self._module, ours.__name__)]
            kind = self._errors[type(error)] = getattr(self._module, names[0])
        if isinstance(error, InvalidURL):
            return kind(str(error))
        return kind(str(error), request=request)


_modules = _import_libraries()
_libraries = [_Library(module) for module in _modules]


def _library_of(request):
    for library in _libraries:
        if isinstance(request, library.Request):
            return library
    names = " or ".join(module.__name__ for module in _modules)
    raise TypeError(f"expected a Request of {names}, not {type(request).__module__}.{type(request).__qualname__}")


def _our_proxy(proxy):
    if proxy is None or isinstance(proxy, (str, URL, Proxy)):
        return proxy
    if not hasattr(proxy, "url"):
        return str(proxy)
    return Proxy(str(proxy.url), ssl_context=proxy.ssl_context, auth=proxy.auth, headers=proxy.headers.raw)


_PARAMETERS = signature(HTTPTransport.__init__)


class _Bridge:
    """The parameters of a transport, for one of ours."""

    _TRANSPORT: type = HTTPTransport

    def __init__(self, *arguments, **settings):
        bound = _PARAMETERS.bind(self, *arguments, **settings)
        if "proxy" in bound.arguments:
            bound.arguments["proxy"] = _our_proxy(bound.arguments["proxy"])
        self._transport = self._TRANSPORT(*bound.args[1:], **bound.kwargs)

    # Python itself does not know of the attribute: it is for inspect, help() and type checkers.
    __init__.__signature__ = _PARAMETERS  # type: ignore[attr-defined]


@public
class HTTPXTransport(_Bridge, *(module.BaseTransport for module in _modules)):
    """Sends over this package's engine for `httpx.Client` and `httpx2.Client`.

    The parameters are those of `HTTPTransport`; `limits` and `proxy` may be objects of httpx or httpx2.
    """

    def handle_request(self, request):
        """Sends the request and returns the response, whose body is still to be read."""
        library = _library_of(request)
        try:
            response = self._transport.handle_request(library.ours(request))
        except (RequestError, InvalidURL) as error:
            raise library.error(error, request) from error
        return library.response(response, library.sync_stream(response.stream, library, request))

    def close(self):
        """Closes all connections."""
        self._transport.close()


@public
class AsyncHTTPXTransport(_Bridge, *(module.AsyncBaseTransport for module in _modules)):
    """Sends over this package's engine for `httpx.AsyncClient` and `httpx2.AsyncClient`, on asyncio or trio.

    The parameters are those of `HTTPXTransport`.
    """

    _TRANSPORT = AsyncHTTPTransport

    async def handle_async_request(self, request):
        """Sends the request and returns the response, whose body is still to be read."""
        library = _library_of(request)
        try:
            response = await self._transport.handle_async_request(library.ours(request))
        except (RequestError, InvalidURL) as error:
            raise library.error(error, request) from error
        return library.response(response, library.async_stream(response.stream, library, request))

    async def aclose(self):
        """Closes all connections."""
        await self._transport.aclose()
