"""The transports that send over the network: both are the engine of the extension module."""

import os

from .. import _core
from .._config import DEFAULT_LIMITS, Proxy, Retry
from .._core import URL
from .._utils import public
from .base import AsyncBaseTransport, AsyncByteStream, BaseTransport, SyncByteStream


class EngineStream(_core.SyncStream, SyncByteStream):
    """The body of a response, read as it comes."""

    __slots__ = ()


class AsyncEngineStream(_core.AsyncStream, AsyncByteStream):
    """The body of a response, read as it comes."""

    __slots__ = ()


# One for all transports: it holds the trusted certificates, once they were read, and TLS sessions.
_tls_by_trust = {}


def _default_tls(trust_env):
    # What the environment says is part of the configuration: it may say something else the next time.
    key = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if trust_env else None
    tls = _tls_by_trust.get(key)
    if tls is None:
        if len(_tls_by_trust) >= 16:
            _tls_by_trust.clear()
        tls = _tls_by_trust.setdefault(key, _core.Tls(trust_env=trust_env))
    return tls


def _proxy_tls(proxy, trust_env):
    """How a proxy that is spoken to over TLS is trusted: by its own context, else by the system, as httpx does."""
    if proxy is None or proxy.url.scheme != "https":
        return None
    if proxy.ssl_context is None:
        return _default_tls(trust_env)
    from .._tls import tls_of_context

    return tls_of_context(proxy.ssl_context)


def _interim_response(request, status, headers):
    """A 1xx response, as its hooks see it."""
    from .._models import Response

    return Response(status, headers=headers, request=request)


class _EngineTransport:
    """A transport that is the engine. The method that sends may be replaced on it, and clients then go through that."""

    _IS_ASYNC = False

    # A client looks again at whether it may go straight to the engine when the class has changed: this is the change.
    _changed = None

    def __init__(
        self,
        verify=True,
        cert=None,
        trust_env=True,
        http1=True,
        http2=True,
        limits=DEFAULT_LIMITS,
        proxy=None,
        uds=None,
        local_address=None,
        retries=0,
        socket_options=None,
        *,
        address_policy=None,
        pins=None,
    ):
        if isinstance(proxy, (str, URL)):
            proxy = Proxy(url=proxy)
        if verify is None:
            # As in httpx, where it is of no type that is allowed, but verifies.
            verify = True
        if verify is True and not cert and pins is None:
            tls = _default_tls(trust_env)
        else:
            from .._tls import make_tls

            tls = make_tls(verify, cert, trust_env, pins)
        if address_policy is not None:
            from .._address import rules_of

            address_policy = rules_of(address_policy)
        self._pool = _core.EngineTransport(
            is_async=self._IS_ASYNC,
            tls=tls,
            http1=http1,
            http2=http2,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            proxy=proxy,
            proxy_tls=_proxy_tls(proxy, trust_env),
            uds=uds,
            local_address=local_address,
            retries=0 if isinstance(retries, Retry) else retries,
            socket_options=socket_options,
            address_policy=address_policy,
            retry=retries if isinstance(retries, Retry) else None,
        )

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name != "_pool":
            type(self)._changed = name

    def __delattr__(self, name):
        object.__delattr__(self, name)
        type(self)._changed = name

    def _is_plain(self):
        """Whether this is the engine, and nothing but."""
        return len(self.__dict__) == 1


@public
class HTTPTransport(_EngineTransport, BaseTransport):
    """Sends over the network, for `Client`. The parameters are those of `Client`, and for the connection itself:

    `uds`, the path of a Unix socket to connect to; `local_address`, the address to connect from; `retries`, how often
    connecting is tried again, or a `Retry`, which says more; `socket_options`, as for `socket.setsockopt()`; `address_policy`, an `AddressPolicy` of
    which addresses may be connected to; `pins`, public keys of which a server has to have one.
    """

    def handle_request(self, request):
        """Sends the request and returns the response, whose body is still to be read."""
        assert isinstance(request.stream, SyncByteStream)
        if "trace" in request.extensions:
            from .._trace import traced

            return traced(self, request)
        return self._exchange(request)

    def _exchange(self, request, made=None):
        exchange = self._pool.submit(request)
        if made is not None:
            made.append(exchange)
        tell = request.extensions.get("informational")
        if exchange.wants_body:
            try:
                for part in request.stream:
                    if not exchange.write(part):
                        break
                exchange.end_body()
            except BaseException:
                exchange.cancel()
                raise
        if tell is not None:
            try:
                while (interim := exchange.interim()) is not None:
                    tell(_interim_response(request, *interim))
            except BaseException:
                exchange.cancel()
                raise
        return exchange.response()

    def close(self):
        """Closes all connections."""
        self._pool.close()


@public
class AsyncHTTPTransport(_EngineTransport, AsyncBaseTransport):
    """Sends over the network, for `AsyncClient`. The parameters are those of `HTTPTransport`."""

    _IS_ASYNC = True

    async def handle_async_request(self, request):
        """Sends the request and returns the response, whose body is still to be read."""
        assert isinstance(request.stream, AsyncByteStream)
        if "trace" in request.extensions:
            from .._trace import async_traced

            return await async_traced(self, request)
        return await self._exchange(request)

    async def _exchange(self, request, made=None):
        exchange = self._pool.submit(request)
        if made is not None:
            made.append(exchange)
        try:
            if exchange.wants_body:
                async for part in request.stream:
                    if not await exchange.write(part):
                        break
                exchange.end_body()
            tell = request.extensions.get("informational")
            if tell is not None:
                while (interim := await exchange.interim()) is not None:
                    await tell(_interim_response(request, *interim))
            return await exchange.response()
        except BaseException:
            exchange.cancel()
            raise

    async def aclose(self):
        """Closes all connections."""
        self._pool.close()


_core.register(
    AsyncEngineStream=AsyncEngineStream,
    AsyncHTTPTransport=AsyncHTTPTransport,
    EngineStream=EngineStream,
    HTTPTransport=HTTPTransport,
)
