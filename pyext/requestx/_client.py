"""`Client` and `AsyncClient`.

A plain request never comes here: their base classes in `_core` send it themselves, and call `_request()` when it needs
more than that. What the two have in common is in `_client_base`; here is what sends, reads and closes.
"""

from _weakref import ref  # what `weakref` has, without the rest of it
from time import perf_counter

from . import _core
from ._client_base import USE_CLIENT_DEFAULT, BaseClient, ClientState, InformationalHooks
from ._exceptions import request_context
from ._transports.base import AsyncByteStream, SyncByteStream
from ._transports.default import AsyncHTTPTransport, HTTPTransport
from ._utils import public


def _remember_originals(cls):
    cls._ORIGINAL = {name: getattr(cls, name) for name in cls._REPLACEABLE if hasattr(cls, name)}


def _cookies_are_deprecated():
    import warnings

    warnings.warn(
        "Setting per-request cookies=<...> is being deprecated, because the expected behaviour on cookie persistence "
        "is ambiguous. Set cookies directly on the client instance instead.",
        DeprecationWarning,
        # Past this function and `_request()`; the method that the user called is compiled, and has no frame.
        stacklevel=3,
    )


# the synchronous client


def _run(coroutine):
    """Runs a coroutine that never waits, for its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("an asynchronous step in a synchronous client")


class _SyncAuthFlow:
    """A generator of requests, asked step by step."""

    def __init__(self, auth, request):
        self._flow = auth.sync_auth_flow(request)

    async def begin(self):
        return next(self._flow)

    async def advance(self, response):
        try:
            return self._flow.send(response)
        except StopIteration:
            return None

    async def end(self):
        self._flow.close()


class _SyncInformationalHooks(InformationalHooks):
    def __call__(self, response):
        for hook in self.hooks:
            hook(response)


class _BoundSyncStream(SyncByteStream):
    """The stream of a response, which closing tells how long the exchange took.

    It does not keep the response: as a cycle, one that is let go of unread would keep its connection until the next collection.
    """

    def __init__(self, stream, response, start):
        self._stream = stream
        self._response = ref(response)
        self._start = start

    def __iter__(self):
        return iter(self._stream)

    def close(self):
        _set_elapsed(self._response(), self._start)
        self._stream.close()


def _set_elapsed(response, start):
    from datetime import timedelta

    if response is not None:
        response.elapsed = timedelta(seconds=perf_counter() - start)


class _StreamContext:
    """`with client.stream(...) as response`: closes the response at the end."""

    __slots__ = ("_client", "_build", "_send", "_response")

    def __init__(self, client, build, send):
        self._client = client
        self._build = build
        self._send = send

    def __enter__(self):
        request = self._client.build_request(**self._build)
        self._response = self._client.send(request, stream=True, **self._send)
        return self._response

    def __exit__(self, kind, error, traceback):
        self._response.close()


@public
class Client(BaseClient, _core.SyncClientBase):
    """An HTTP client: settings for its requests, and the connections that they share.

    One client may be used by many threads at once. Use it as a context manager, or `close()` it.

    `auth`, `params`, `headers`, `cookies`, `timeout` and `follow_redirects` are the defaults of every request.
    `verify` is True, False, or an `ssl.SSLContext`; `verify_ssl`, `ca_bundle` (a file or directory) and `cert_file`
    (a path, or a tuple of certificate, key and password) are other names for the same settings. `http1` and `http2`
    say which protocols may be spoken. `proxy` is a URL or a `Proxy`, `mounts` maps URL patterns to transports, and
    `transport` replaces the default one. `trust_env` lets the environment name proxies and certificates.
    `address_policy` is an `AddressPolicy` of which addresses may be connected to; `pins` are public keys, as
    "sha256/..." with base64, of which a server has to have one.
    `retries` is how often connecting is tried again, or a `Retry`, which says more.
    """

    def _request(
        self, method, url, *, cookies=None, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT, **build
    ):
        """What `request()` does when the fast path cannot."""
        if cookies is not None:
            _cookies_are_deprecated()
        request = self.build_request(method, url, cookies=cookies, **build)
        return self.send(request, auth=auth, follow_redirects=follow_redirects)

    def send(self, request, *, stream=False, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT):
        """Sends a request as it is, made by `build_request()` or by hand.

        With `stream=True` the body is left for the caller to read, who then closes the response.
        """
        return _run(self._send(request, stream, auth, follow_redirects))

    def _fast_follow(self, response):
        return _run(self._follow(response))

    def _send_single_request(self, request):
        """One exchange, whatever comes of it."""
        transport = self._transport_for_url(request.url)
        start = perf_counter()
        if not isinstance(request.stream, SyncByteStream):
            raise RuntimeError("Attempted to send an async request with a sync Client instance.")
        with request_context(request):
            response = transport.handle_request(request)
        if not isinstance(response.stream, SyncByteStream):
            raise RuntimeError("The transport gave an async response to a sync Client instance.")
        response.stream = _BoundSyncStream(response.stream, response, start)
        self._finish_exchange(request, response)
        return response

    # the leaves of the policy

    _TRANSPORT = HTTPTransport
    _STREAM = _StreamContext
    _INFORMATIONAL = _SyncInformationalHooks
    _auth_flow = _SyncAuthFlow

    async def _exchange(self, request):
        return self._send_single_request(request)

    @staticmethod
    async def _call_hook(hook, argument):
        hook(argument)

    @staticmethod
    async def _read(response):
        response.read()

    @staticmethod
    async def _read_in_passing(response):
        response._read_in_passing()

    @staticmethod
    async def _close(response):
        response.close()

    # life

    def close(self):
        """Closes the client's connections; it can then be used no more."""
        if self._move(ClientState.CLOSED) != ClientState.CLOSED:
            for transport in self._all_transports():
                transport.close()

    def __enter__(self):
        self._enter()
        for transport in self._all_transports():
            transport.__enter__()
        return self

    def __exit__(self, exc_type=None, exc_value=None, traceback=None):
        self._move(ClientState.CLOSED)
        for transport in self._all_transports():
            transport.__exit__(exc_type, exc_value, traceback)


_remember_originals(Client)


# the asynchronous client


class _AsyncAuthFlow:
    """An async generator of requests, asked step by step."""

    def __init__(self, auth, request):
        self._flow = auth.async_auth_flow(request)

    async def begin(self):
        return await self._flow.__anext__()

    async def advance(self, response):
        try:
            return await self._flow.asend(response)
        except StopAsyncIteration:
            return None

    async def end(self):
        await self._flow.aclose()


class _AsyncInformationalHooks(InformationalHooks):
    async def __call__(self, response):
        for hook in self.hooks:
            await hook(response)


class _BoundAsyncStream(AsyncByteStream):
    """The stream of a response, which closing tells how long the exchange took.

    It does not keep the response: as a cycle, one that is let go of unread would keep its connection until the next collection.
    """

    def __init__(self, stream, response, start):
        self._stream = stream
        self._response = ref(response)
        self._start = start

    def __aiter__(self):
        return self._stream.__aiter__()

    async def aclose(self):
        _set_elapsed(self._response(), self._start)
        await self._stream.aclose()


class _AsyncStreamContext:
    """`async with client.stream(...) as response`; awaited, it gives the response, which can be entered in turn."""

    __slots__ = ("_client", "_build", "_send", "_response")

    def __init__(self, client, build, send):
        self._client = client
        self._build = build
        self._send = send

    async def __aenter__(self):
        request = self._client.build_request(**self._build)
        self._response = await self._client.send(request, stream=True, **self._send)
        return self._response

    async def __aexit__(self, kind, error, traceback):
        await self._response.aclose()

    def __await__(self):
        return self.__aenter__().__await__()


@public
class AsyncClient(BaseClient, _core.AsyncClientBase):
    """An HTTP client whose requests are awaited, on asyncio or trio. One client may be used by many tasks at once.

    Use it as an async context manager, or `aclose()` it. Its settings are those of `Client`.
    """

    async def _request(
        self, method, url, *, cookies=None, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT, **build
    ):
        """What `request()` does when the fast path cannot."""
        if cookies is not None:
            _cookies_are_deprecated()
        request = self.build_request(method, url, cookies=cookies, **build)
        return await self.send(request, auth=auth, follow_redirects=follow_redirects)

    async def send(self, request, *, stream=False, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT):
        """Sends a request as it is, made by `build_request()` or by hand.

        With `stream=True` the body is left for the caller to read, who then closes the response.
        """
        return await self._send(request, stream, auth, follow_redirects)

    async def _fast_follow(self, response):
        return await self._follow(response)

    async def _send_single_request(self, request):
        """One exchange, whatever comes of it."""
        transport = self._transport_for_url(request.url)
        start = perf_counter()
        if not isinstance(request.stream, AsyncByteStream):
            raise RuntimeError("Attempted to send an sync request with an AsyncClient instance.")
        with request_context(request):
            response = await transport.handle_async_request(request)
        if not isinstance(response.stream, AsyncByteStream):
            raise RuntimeError("The transport gave a sync response to an AsyncClient instance.")
        response.stream = _BoundAsyncStream(response.stream, response, start)
        self._finish_exchange(request, response)
        return response

    # the leaves of the policy

    _TRANSPORT = AsyncHTTPTransport
    _STREAM = _AsyncStreamContext
    _INFORMATIONAL = _AsyncInformationalHooks
    _auth_flow = _AsyncAuthFlow

    async def _exchange(self, request):
        return await self._send_single_request(request)

    @staticmethod
    async def _call_hook(hook, argument):
        await hook(argument)

    @staticmethod
    async def _read(response):
        await response.aread()

    @staticmethod
    async def _read_in_passing(response):
        await response._aread_in_passing()

    @staticmethod
    async def _close(response):
        await response.aclose()

    # life

    async def aclose(self):
        """Closes the client's connections; it can then be used no more."""
        if self._move(ClientState.CLOSED) != ClientState.CLOSED:
            for transport in self._all_transports():
                await transport.aclose()

    async def __aenter__(self):
        self._enter()
        for transport in self._all_transports():
            await transport.__aenter__()
        return self

    async def __aexit__(self, exc_type=None, exc_value=None, traceback=None):
        self._move(ClientState.CLOSED)
        for transport in self._all_transports():
            await transport.__aexit__(exc_type, exc_value, traceback)


_remember_originals(AsyncClient)
