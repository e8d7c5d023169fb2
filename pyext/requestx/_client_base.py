"""What the two clients share: settings, and the policy around single exchanges.

The policy - authentication, redirects, cookies and hooks - is written once, as coroutines: `AsyncClient` awaits them,
and `Client` runs them to their end at once, for nothing in them ever waits there. Leaves that do the work are theirs.
"""

import sys

from . import _core
from .__version__ import __version__
from ._auth import Auth, BasicAuth, FunctionAuth
from ._config import DEFAULT_LIMITS, DEFAULT_MAX_REDIRECTS, DEFAULT_TIMEOUT_CONFIG, Proxy, Timeout, merge_tls_aliases
from ._cookies import Cookies
from ._core import URL, Headers
from ._exceptions import InvalidURL, RemoteProtocolError, TooManyRedirects
from ._models import Request
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

# What `typing.TYPE_CHECKING` is to a checker; importing typing would be slow.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

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
    """The life of a client: a client that has sent a request, or was entered, is open. Numbers that `_core` knows, too."""

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


class InformationalHooks:
    """The hooks of a client for 1xx responses, as the extension of a request."""

    def __init__(self, hooks, own):
        self.hooks = [*hooks, *(() if own is None else (own,))]


class BaseClient:
    """What the two clients have in common."""

    # What every request must go through once somebody replaces it, in a subclass or on one client.
    _REPLACEABLE = frozenset(
        (
            "build_request",
            "request",
            "send",
            "_build_redirect_request",
            "_build_request_auth",
            "_merge_headers",
            "_merge_url",
            "_mounts",
            "_request",
            "_send",
            "_send_handling_auth",
            "_send_handling_redirects",
            "_send_single_request",
            "_transport",
            "_transport_for_url",
        )
    )
    if TYPE_CHECKING:
        # What the two clients and their bases in `_core` bring.
        _TRANSPORT: type
        _STREAM: type
        _INFORMATIONAL: type
        _ORIGINAL: dict[str, object]
        _auth_flow: type

        def _fast_turn(self) -> int: ...
        def _fast_configure(self, **settings): ...
        def _move(self, state: int) -> int: ...
        async def _exchange(self, request) -> "Any": ...
        @staticmethod
        async def _call_hook(hook, argument): ...
        @staticmethod
        async def _read(response): ...
        @staticmethod
        async def _read_in_passing(response): ...
        @staticmethod
        async def _close(response): ...

    # Whether `_core` may send requests by itself: not before the client is complete.
    _is_ready = False

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
        address_policy=None,
        pins=None,
        retries=0,
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
        aliases = (verify_ssl, ca_bundle, cert_file)
        self._init_transports(
            transport, mounts, proxy, verify, cert, aliases, http1, http2, limits, address_policy, pins, retries
        )
        self._reconfigure()

    # Whoever gets the parameters wrong is told so by a name that is public.
    __init__.__qualname__ = "Client.__init__"

    # the fast path

    def _reconfigure(self):
        """Tells `_core` what a plain request is made of, and whether there is such a thing at all."""
        self.__dict__["_is_ready"] = True
        # Of threads that do this at once, the one that looked last is to be believed.
        turn = self._fast_turn()
        transport, auth = self._transport, self._auth
        self._fast_configure(
            turn=turn,
            transport=transport._pool if type(transport) is self._TRANSPORT and transport._is_plain() else None,
            headers=self._headers,
            auth=None if auth is None else auth._header,
            timeout=self._timeout,
            cookies=self._cookies,
            event_hooks=self._event_hooks,
            base_url=self._base_url,
            default_encoding=self._default_encoding,
            enabled=not self._mounts
            and not self._params
            and (auth is None or auth._header is not None)
            and self._is_unchanged(),
        )

    def _is_unchanged(self):
        """Whether all that is replaceable is the package's own."""
        # A list, because another thread may set an attribute meanwhile.
        if any(name in self._ORIGINAL for name in list(self.__dict__)):
            return False
        cls = type(self)
        return all(getattr(cls, name) is original for name, original in self._ORIGINAL.items())

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name in self._REPLACEABLE and self._is_ready:
            self._reconfigure()

    def __delattr__(self, name):
        object.__delattr__(self, name)
        if name in self._REPLACEABLE and self._is_ready:
            self._reconfigure()

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
        """Functions that see each request before it is sent, each response before it is read, and 1xx responses."""
        return self._event_hooks

    @event_hooks.setter
    def event_hooks(self, event_hooks):
        self._event_hooks = self._copy_hooks(event_hooks)
        self._reconfigure()

    @staticmethod
    def _copy_hooks(hooks):
        copied = {"request": list(hooks.get("request", ())), "response": list(hooks.get("response", ()))}
        if "informational" in hooks:
            copied["informational"] = list(hooks["informational"])
        return copied

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

    def _init_transports(
        self, transport, mounts, proxy, verify, cert, aliases, http1, http2, limits, address_policy, pins, retries
    ):
        """Makes the default transport, and one for each proxy."""
        kind = self._TRANSPORT
        verify, cert = merge_tls_aliases(verify, cert, *aliases)
        settings = {
            "verify": verify,
            "cert": cert,
            "trust_env": self._trust_env,
            "http1": http1,
            "http2": http2,
            "limits": limits,
            "address_policy": address_policy,
            "pins": pins,
            "retries": retries,
        }
        for name in ("address_policy", "pins", "retries"):
            if settings[name] not in (None, 0) and transport is not None:
                raise ValueError(f"a client cannot apply {name} to the transport that it is given: pass it there")
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
            return FunctionAuth(func=auth)  # pyright: ignore[reportArgumentType] - it is seen when it is called
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
            if url.scheme and not url.host:
                # "https:/path" and the like.
                url = url.copy_with(host=request.url.host)
            if url.is_relative_url:
                url = request.url.join(url)
        except InvalidURL as error:
            raise RemoteProtocolError(f"Invalid URL in location header: {error}.", request=request) from None
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

    async def _follow(self, response):
        """Goes on from a redirect."""
        request = self._build_redirect_request(response.request, response)
        last = await self._send_handling_redirects(request, True, [response])
        try:
            await self._read(last)
        except BaseException:
            await self._close(last)
            raise
        return last

    @staticmethod
    def _fast_log(response):
        _log(response)

    # sending: the policy

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
        """`with client.stream(...) as response`: as `request()`, but that the body is read as the caller likes.

        Of an `AsyncClient` it is `async with`, and `await client.stream(...)` gives the response for the caller to close.
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
        return self._STREAM(self, build, {"auth": auth, "follow_redirects": follow_redirects})

    def _begin(self, request, auth, follow_redirects):
        """Opens the client, and gives (auth, follow_redirects) with the client's own where none were given."""
        if self._move(ClientState.OPENED) == ClientState.CLOSED:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
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
                    await self._read_in_passing(response)
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
            if self._event_hooks.get("informational"):
                self._hook_informational(request)
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
                await self._read_in_passing(response)
            except BaseException:
                await self._close(response)
                raise
            history = [*history, response]

    def _hook_informational(self, request):
        """Has the hooks for 1xx responses called, beside the request's own, by whatever sends it."""
        own = request.extensions.get("informational")
        if not isinstance(own, InformationalHooks):
            hooks = self._event_hooks["informational"]
            request.extensions = {**request.extensions, "informational": self._INFORMATIONAL(hooks, own)}

    def _finish_exchange(self, request, response):
        """What is done with every response as it comes, before anybody reads it."""
        response.request = request
        self._cookies.extract_cookies(response)
        response.default_encoding = self._default_encoding
        _log(response)

    # life

    def _enter(self):
        before = self._move(ClientState.OPENED)
        if before == ClientState.OPENED:
            raise RuntimeError("Cannot open a client instance more than once.")
        if before == ClientState.CLOSED:
            raise RuntimeError("Cannot reopen a client instance, once it has been closed.")
