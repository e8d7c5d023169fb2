"""The clients: settings, and the policy around single exchanges: authentication, redirects, cookies and hooks.

A plain request never comes here: the base classes of `_core` send it themselves. `_request()` is what they call when a
request needs more than that. The policy is written once, as coroutines: `AsyncClient` awaits them, and `Client` runs
them to their end at once, for nothing in them ever waits there.
"""

import sys
from time import perf_counter

from . import _core
from .__version__ import __version__
from ._auth import Auth, BasicAuth, FunctionAuth
from ._config import (
    DEFAULT_LIMITS,
    DEFAULT_MAX_REDIRECTS,
    DEFAULT_TIMEOUT_CONFIG,
    Proxy,
    Timeout,
    merge_tls_aliases,
)
from ._cookies import Cookies
from ._core import URL, Headers
from ._exceptions import InvalidURL, RemoteProtocolError, TooManyRedirects, request_context
from ._models import Request
from ._transports.base import AsyncByteStream, SyncByteStream
from ._transports.default import AsyncHTTPTransport, HTTPTransport
from ._urls import QueryParams
from ._utils import URLPattern, get_environment_proxies, public

USER_AGENT = f"python-requestx/{__version__}"
ACCEPT_ENCODING = _core.versions()["codings"]

_DEFAULT_HEADERS = Headers(
    [
        ("Accept", "*/*"),
        ("Accept-Encoding", ACCEPT_ENCODING),
        ("Connection", "keep-alive"),
        ("User-Agent", USER_AGENT),
    ]
)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@public
class UseClientDefault:
    """The type of `USE_CLIENT_DEFAULT`: a parameter that was not given, where None would mean something."""

    def __repr__(self):
        return "USE_CLIENT_DEFAULT"

    def __reduce__(self):
        return "USE_CLIENT_DEFAULT"


USE_CLIENT_DEFAULT = UseClientDefault()


class ClientState:
    """The life of a client: a client that has sent a request, or was entered, is open."""

    UNOPENED = 1
    OPENED = 2
    CLOSED = 3


# origins


def _port_or_default(url):
    return url.port if url.port is not None else _DEFAULT_PORTS.get(url.scheme)


def _same_origin(url, other):
    return url.scheme == other.scheme and url.host == other.host and _port_or_default(url) == _port_or_default(other)


def _is_https_redirect(url, location):
    """Whether `location` is the same host on https, both with the default ports."""
    return (
        url.host == location.host
        and (url.scheme, _port_or_default(url)) == ("http", 80)
        and (location.scheme, _port_or_default(location)) == ("https", 443)
    )


# the log

_logger = None


def _log(response):
    """One line per exchange, in the log "requestx". A program that never imported logging does not read it."""
    global _logger
    if _logger is None:
        logging = sys.modules.get("logging")
        if logging is None:
            return
        _logger = logging.getLogger("requestx")
    if _logger.isEnabledFor(20):
        request = response.request
        _logger.info(
            'HTTP Request: %s %s "%s %d %s"',
            request.method,
            request.url,
            response.http_version,
            response.status_code,
            response.reason_phrase,
        )


class BaseClient:
    """What the two clients have in common."""

    # Methods through which every request must go once somebody replaces them: on a class, or on one client.
    _HOOKABLE = frozenset(
        ("request", "send", "build_request", "_request", "_send_single_request", "_transport_for_url", "_transport")
    )

    def __init__(
        self,
        *,
        auth=None,
        params=None,
        headers=None,
        cookies=None,
        timeout=DEFAULT_TIMEOUT_CONFIG,
        follow_redirects=False,
        max_redirects=DEFAULT_MAX_REDIRECTS,
        event_hooks=None,
        base_url="",
        trust_env=True,
        default_encoding="utf-8",
    ):
        self._state = ClientState.UNOPENED
        self._base_url = self._enforce_trailing_slash(URL(base_url))
        self._auth = self._build_auth(auth)
        self._params = QueryParams(params)
        self._headers = self._with_default_headers(headers)
        self._cookies = Cookies(cookies)
        self._timeout = Timeout(timeout)
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self._event_hooks = self._copy_hooks(event_hooks or {})
        self._trust_env = trust_env
        self._default_encoding = default_encoding

    # settings

    @property
    def is_closed(self):
        """Whether the client has been closed."""
        return self._state == ClientState.CLOSED

    @property
    def trust_env(self):
        """Whether the environment may name proxies and certificates."""
        return self._trust_env

    @property
    def timeout(self):
        """The timeouts of requests that set none."""
        return self._timeout

    @timeout.setter
    def timeout(self, timeout):
        self._timeout = Timeout(timeout)
        self._reconfigure()

    @property
    def event_hooks(self):
        """Functions that see each request before it is sent, and each response before it is read."""
        return self._event_hooks

    @event_hooks.setter
    def event_hooks(self, event_hooks):
        self._event_hooks = self._copy_hooks(event_hooks)
        self._reconfigure()

    @staticmethod
    def _copy_hooks(hooks):
        return {"request": list(hooks.get("request", ())), "response": list(hooks.get("response", ()))}

    @property
    def auth(self):
        """The credentials of requests that bring none."""
        return self._auth

    @auth.setter
    def auth(self, auth):
        self._auth = self._build_auth(auth)
        self._reconfigure()

    @property
    def base_url(self):
        """What relative URLs are appended to."""
        return self._base_url

    @base_url.setter
    def base_url(self, url):
        self._base_url = self._enforce_trailing_slash(URL(url))
        self._reconfigure()

    @staticmethod
    def _enforce_trailing_slash(url):
        return url if url.raw_path.endswith(b"/") else url.copy_with(raw_path=url.raw_path + b"/")

    @property
    def headers(self):
        """The fields of every request."""
        return self._headers

    @headers.setter
    def headers(self, headers):
        self._headers = self._with_default_headers(headers)
        self._reconfigure()

    @staticmethod
    def _with_default_headers(headers):
        merged = _DEFAULT_HEADERS.copy()
        merged.update(headers)
        return merged

    @property
    def cookies(self):
        """The cookies that responses have set, and those that were set here."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies):
        self._cookies = Cookies(cookies)
        self._reconfigure()

    @property
    def params(self):
        """The query parameters of every request."""
        return self._params

    @params.setter
    def params(self, params):
        self._params = QueryParams(params)
        self._reconfigure()

    # transports

    def _init_transports(self, kind, transport, mounts, proxy, verify, cert, aliases, http1, http2, limits):
        """Makes the default transport and one for each proxy, of the class `kind`."""
        verify, cert = merge_tls_aliases(verify, cert, *aliases)
        settings = {
            "verify": verify,
            "cert": cert,
            "trust_env": self._trust_env,
            "http1": http1,
            "http2": http2,
            "limits": limits,
        }
        proxies = self._get_proxy_map(proxy, self._trust_env and transport is None)
        self._transport = kind(**settings) if transport is None else transport
        self._mounts = {
            URLPattern(key): None if proxy is None else kind(proxy=proxy, **settings) for key, proxy in proxies.items()
        }
        if mounts is not None:
            self._mounts.update({URLPattern(key): mounted for key, mounted in mounts.items()})
        self._mounts = dict(sorted(self._mounts.items()))

    @staticmethod
    def _get_proxy_map(proxy, allow_env_proxies):
        if proxy is not None:
            return {"all://": Proxy(proxy) if isinstance(proxy, (str, URL)) else proxy}
        if not allow_env_proxies:
            return {}
        return {key: None if url is None else Proxy(url) for key, url in get_environment_proxies().items()}

    def _transport_for_url(self, url):
        """The transport that is mounted for the URL; the most specific pattern comes first."""
        for pattern, transport in self._mounts.items():
            if pattern.matches(url):
                return self._transport if transport is None else transport
        return self._transport

    def _all_transports(self):
        return [self._transport, *(transport for transport in self._mounts.values() if transport is not None)]

    # building requests

    def build_request(
        self,
        method,
        url,
        *,
        content=None,
        data=None,
        files=None,
        json=None,
        params=None,
        headers=None,
        cookies=None,
        timeout=USE_CLIENT_DEFAULT,
        extensions=None,
    ):
        """Makes a request of the arguments and of the client's settings, for `send()`."""
        extensions = {} if extensions is None else extensions
        if "timeout" not in extensions:
            timeout = self._timeout if isinstance(timeout, UseClientDefault) else Timeout(timeout)
            extensions = dict(**extensions, timeout=timeout.as_dict())
        return Request(
            method,
            self._merge_url(url),
            content=content,
            data=data,
            files=files,
            json=json,
            params=self._merge_queryparams(params),
            headers=self._merge_headers(headers),
            cookies=self._merge_cookies(cookies),
            extensions=extensions,
        )

    def _merge_url(self, url):
        """Appends a relative URL to the base URL: `/path` too is below the base's path."""
        url = URL(url)
        if not url.is_relative_url:
            return url
        return self._base_url.copy_with(raw_path=self._base_url.raw_path + url.raw_path.lstrip(b"/"))

    def _merge_headers(self, headers=None):
        merged = self._headers.copy()
        merged.update(headers)
        return merged

    def _merge_cookies(self, cookies=None):
        if not (cookies or self._cookies):
            return cookies
        merged = Cookies(self._cookies)
        merged.update(cookies)
        return merged

    def _merge_queryparams(self, params=None):
        return self._params.merge(params) if params or self._params else params

    @staticmethod
    def _build_auth(auth):
        if auth is None or isinstance(auth, Auth):
            return auth
        if isinstance(auth, tuple):
            return BasicAuth(username=auth[0], password=auth[1])
        if callable(auth):
            return FunctionAuth(func=auth)
        raise TypeError(f'Invalid "auth" argument: {auth!r}')

    def _build_request_auth(self, request, auth=USE_CLIENT_DEFAULT):
        """The request's own credentials, else the client's, else those in the URL."""
        auth = self._auth if isinstance(auth, UseClientDefault) else self._build_auth(auth)
        if auth is not None:
            return auth
        url = request.url
        if url.username or url.password:
            return BasicAuth(username=url.username, password=url.password)
        return Auth()

    def _set_timeout(self, request):
        if "timeout" not in request.extensions:
            request.extensions = dict(**request.extensions, timeout=self._timeout.as_dict())

    # redirects

    def _build_redirect_request(self, request, response):
        """The request that follows a redirect."""
        method = self._redirect_method(request, response)
        url = self._redirect_url(request, response)
        return Request(
            method=method,
            url=url,
            headers=self._redirect_headers(request, url, method),
            cookies=Cookies(self._cookies),
            stream=self._redirect_stream(request, method),
            extensions=request.extensions,
        )

    @staticmethod
    def _redirect_method(request, response):
        """What browsers do (RFC 9110, 15.4): 303 and 302 ask for a GET, and so does 301 after a POST."""
        method, status = request.method, response.status_code
        if status in (302, 303) and method != "HEAD" or status == 301 and method == "POST":
            return "GET"
        return method

    @staticmethod
    def _redirect_url(request, response):
        try:
            url = URL(response.headers["Location"])
        except InvalidURL as error:
            raise RemoteProtocolError(f"Invalid URL in location header: {error}.", request=request) from None
        if url.scheme and not url.host:
            # "https:/path" and the like.
            url = url.copy_with(host=request.url.host)
        if url.is_relative_url:
            url = request.url.join(url)
        if request.url.fragment and not url.fragment:
            # RFC 9110, 10.2.2: the fragment is inherited.
            url = url.copy_with(fragment=request.url.fragment)
        return url

    @staticmethod
    def _redirect_headers(request, url, method):
        headers = Headers(request.headers)
        if not _same_origin(url, request.url):
            if not _is_https_redirect(request.url, url):
                # Credentials are for the origin that they were given for.
                headers.pop("Authorization", None)
            headers["Host"] = url.netloc.decode("ascii")
        if method != request.method and method == "GET":
            headers.pop("Content-Length", None)
            headers.pop("Transfer-Encoding", None)
        # The jar knows which cookies the new URL is due.
        headers.pop("Cookie", None)
        return headers

    @staticmethod
    def _redirect_stream(request, method):
        return None if method != request.method and method == "GET" else request.stream

    # the fast path's exceptions (see `_core`): called after a plain exchange whose response has something special

    def _fast_cookies(self, response):
        self._cookies.extract_cookies(response)

    def _fast_redirect(self, response):
        if response.has_redirect_location:
            response.next_request = self._build_redirect_request(response.request, response)

    @staticmethod
    def _fast_log(response):
        _log(response)

    # sending: the policy

    def _begin(self, request, auth, follow_redirects):
        """Opens the client, and gives (auth, follow_redirects) with the client's own where none were given."""
        if self._state == ClientState.CLOSED:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        self._state = ClientState.OPENED
        if isinstance(follow_redirects, UseClientDefault):
            follow_redirects = self.follow_redirects
        self._set_timeout(request)
        return self._build_request_auth(request, auth), follow_redirects

    async def _send(self, request, stream, auth, follow_redirects):
        auth, follow_redirects = self._begin(request, auth, follow_redirects)
        response = await self._send_handling_auth(request, auth, follow_redirects, [])
        try:
            if not stream:
                await self._read(response)
        except BaseException:
            await self._close(response)
            raise
        return response

    async def _send_handling_auth(self, request, auth, follow_redirects, history):
        flow = self._auth_flow(auth, request)
        try:
            request = await flow.begin()
            while True:
                response = await self._send_handling_redirects(request, follow_redirects, history)
                try:
                    following = await flow.advance(response)
                    if following is None:
                        return response
                    response.history = list(history)
                    await self._read(response)
                except BaseException:
                    await self._close(response)
                    raise
                request = following
                history.append(response)
        finally:
            await flow.end()

    async def _send_handling_redirects(self, request, follow_redirects, history):
        while True:
            if len(history) > self.max_redirects:
                raise TooManyRedirects("Exceeded maximum allowed redirects.", request=request)
            for hook in self._event_hooks["request"]:
                await self._call_hook(hook, request)
            response = await self._exchange(request)
            try:
                for hook in self._event_hooks["response"]:
                    await self._call_hook(hook, response)
                response.history = list(history)
                if not response.has_redirect_location:
                    return response
                request = self._build_redirect_request(request, response)
                if not follow_redirects:
                    response.next_request = request
                    return response
                await self._read(response)
            except BaseException:
                await self._close(response)
                raise
            history = [*history, response]

    def _finish_exchange(self, request, response):
        """What is done with every response as it comes, before anybody reads it."""
        response.request = request
        self._cookies.extract_cookies(response)
        response.default_encoding = self._default_encoding
        _log(response)

    # life

    def _enter(self):
        if self._state == ClientState.OPENED:
            raise RuntimeError("Cannot open a client instance more than once.")
        if self._state == ClientState.CLOSED:
            raise RuntimeError("Cannot reopen a client instance, once it has been closed.")
        self._state = ClientState.OPENED


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


class _BoundSyncStream(SyncByteStream):
    """The stream of a response, which closing tells how long the exchange took."""

    def __init__(self, stream, response, start):
        self._stream = stream
        self._response = response
        self._start = start

    def __iter__(self):
        return iter(self._stream)

    def close(self):
        self._response.elapsed = _since(self._start)
        self._stream.close()


def _since(start):
    from datetime import timedelta

    return timedelta(seconds=perf_counter() - start)


class _StreamContext:
    """`with client.stream(...) as response`: closes the response at the end."""

    __slots__ = ("_client", "_build", "_send", "_response")

    def __init__(self, client, build, send):
        self._client = client
        self._build = build
        self._send = send
        self._response = None

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
    """

    def __init__(
        self,
        *,
        auth=None,
        params=None,
        headers=None,
        cookies=None,
        verify=True,
        cert=None,
        trust_env=True,
        http1=True,
        http2=True,
        proxy=None,
        mounts=None,
        timeout=DEFAULT_TIMEOUT_CONFIG,
        follow_redirects=False,
        limits=DEFAULT_LIMITS,
        max_redirects=DEFAULT_MAX_REDIRECTS,
        event_hooks=None,
        base_url="",
        transport=None,
        default_encoding="utf-8",
        verify_ssl=None,
        ca_bundle=None,
        cert_file=None,
    ):
        super().__init__(
            auth=auth,
            params=params,
            headers=headers,
            cookies=cookies,
            timeout=timeout,
            follow_redirects=follow_redirects,
            max_redirects=max_redirects,
            event_hooks=event_hooks,
            base_url=base_url,
            trust_env=trust_env,
            default_encoding=default_encoding,
        )
        aliases = (verify_ssl, ca_bundle, cert_file)
        self._init_transports(HTTPTransport, transport, mounts, proxy, verify, cert, aliases, http1, http2, limits)
        self._reconfigure()

    def _request(
        self, method, url, *, cookies=None, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT, **build
    ):
        """What `request()` does when the fast path cannot."""
        if cookies is not None:
            _cookies_are_deprecated()
        request = self.build_request(method, url, cookies=cookies, **build)
        return self.send(request, auth=auth, follow_redirects=follow_redirects)

    def stream(
        self,
        method,
        url,
        *,
        content=None,
        data=None,
        files=None,
        json=None,
        params=None,
        headers=None,
        cookies=None,
        auth=USE_CLIENT_DEFAULT,
        follow_redirects=USE_CLIENT_DEFAULT,
        timeout=USE_CLIENT_DEFAULT,
        extensions=None,
    ):
        """`with client.stream(...) as response`: as `request()`, but that the body is read as the caller likes."""
        build = {
            "method": method,
            "url": url,
            "content": content,
            "data": data,
            "files": files,
            "json": json,
            "params": params,
            "headers": headers,
            "cookies": cookies,
            "timeout": timeout,
            "extensions": extensions,
        }
        return _StreamContext(self, build, {"auth": auth, "follow_redirects": follow_redirects})

    def send(self, request, *, stream=False, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT):
        """Sends a request as it is, made by `build_request()` or by hand.

        With `stream=True` the body is left for the caller to read, who then closes the response.
        """
        return _run(self._send(request, stream, auth, follow_redirects))

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
    async def _close(response):
        response.close()

    # life

    def close(self):
        """Closes the client's connections; it can then be used no more."""
        if self._state != ClientState.CLOSED:
            self._state = ClientState.CLOSED
            for transport in self._all_transports():
                transport.close()

    def __enter__(self):
        self._enter()
        for transport in self._all_transports():
            transport.__enter__()
        return self

    def __exit__(self, exc_type=None, exc_value=None, traceback=None):
        self._state = ClientState.CLOSED
        for transport in self._all_transports():
            transport.__exit__(exc_type, exc_value, traceback)


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


class _BoundAsyncStream(AsyncByteStream):
    """The stream of a response, which closing tells how long the exchange took."""

    def __init__(self, stream, response, start):
        self._stream = stream
        self._response = response
        self._start = start

    def __aiter__(self):
        return self._stream.__aiter__()

    async def aclose(self):
        self._response.elapsed = _since(self._start)
        await self._stream.aclose()


class _AsyncStreamContext:
    """`async with client.stream(...) as response`; awaited, it gives the response, which can be entered in turn."""

    __slots__ = ("_client", "_build", "_send", "_response")

    def __init__(self, client, build, send):
        self._client = client
        self._build = build
        self._send = send
        self._response = None

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

    def __init__(
        self,
        *,
        auth=None,
        params=None,
        headers=None,
        cookies=None,
        verify=True,
        cert=None,
        trust_env=True,
        http1=True,
        http2=True,
        proxy=None,
        mounts=None,
        timeout=DEFAULT_TIMEOUT_CONFIG,
        follow_redirects=False,
        limits=DEFAULT_LIMITS,
        max_redirects=DEFAULT_MAX_REDIRECTS,
        event_hooks=None,
        base_url="",
        transport=None,
        default_encoding="utf-8",
        verify_ssl=None,
        ca_bundle=None,
        cert_file=None,
    ):
        super().__init__(
            auth=auth,
            params=params,
            headers=headers,
            cookies=cookies,
            timeout=timeout,
            follow_redirects=follow_redirects,
            max_redirects=max_redirects,
            event_hooks=event_hooks,
            base_url=base_url,
            trust_env=trust_env,
            default_encoding=default_encoding,
        )
        aliases = (verify_ssl, ca_bundle, cert_file)
        self._init_transports(
            AsyncHTTPTransport, transport, mounts, proxy, verify, cert, aliases, http1, http2, limits
        )
        self._reconfigure()

    async def _request(
        self, method, url, *, cookies=None, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT, **build
    ):
        """What `request()` does when the fast path cannot."""
        if cookies is not None:
            _cookies_are_deprecated()
        request = self.build_request(method, url, cookies=cookies, **build)
        return await self.send(request, auth=auth, follow_redirects=follow_redirects)

    def stream(
        self,
        method,
        url,
        *,
        content=None,
        data=None,
        files=None,
        json=None,
        params=None,
        headers=None,
        cookies=None,
        auth=USE_CLIENT_DEFAULT,
        follow_redirects=USE_CLIENT_DEFAULT,
        timeout=USE_CLIENT_DEFAULT,
        extensions=None,
    ):
        """`async with client.stream(...) as response`: as `request()`, but that the body is read as the caller likes.

        `await client.stream(...)` gives the response itself, for the caller to close.
        """
        build = {
            "method": method,
            "url": url,
            "content": content,
            "data": data,
            "files": files,
            "json": json,
            "params": params,
            "headers": headers,
            "cookies": cookies,
            "timeout": timeout,
            "extensions": extensions,
        }
        return _AsyncStreamContext(self, build, {"auth": auth, "follow_redirects": follow_redirects})

    async def send(self, request, *, stream=False, auth=USE_CLIENT_DEFAULT, follow_redirects=USE_CLIENT_DEFAULT):
        """Sends a request as it is, made by `build_request()` or by hand.

        With `stream=True` the body is left for the caller to read, who then closes the response.
        """
        return await self._send(request, stream, auth, follow_redirects)

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
    async def _close(response):
        await response.aclose()

    # life

    async def aclose(self):
        """Closes the client's connections; it can then be used no more."""
        if self._state != ClientState.CLOSED:
            self._state = ClientState.CLOSED
            for transport in self._all_transports():
                await transport.aclose()

    async def __aenter__(self):
        self._enter()
        for transport in self._all_transports():
            await transport.__aenter__()
        return self

    async def __aexit__(self, exc_type=None, exc_value=None, traceback=None):
        self._state = ClientState.CLOSED
        for transport in self._all_transports():
            await transport.__aexit__(exc_type, exc_value, traceback)
