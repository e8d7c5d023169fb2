from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from ._address import AddressPolicy
from ._auth import Auth
from ._config import Limits, Retry, Timeout
from ._cookies import Cookies
from ._core import URL, Headers
from ._models import Request, Response
from ._types import (
    AuthTypes,
    CertTypes,
    CookieTypes,
    DefaultEncoding,
    EventHook,
    HeaderTypes,
    ProxyTypes,
    QueryParamTypes,
    RequestContent,
    RequestData,
    RequestExtensions,
    RequestFiles,
    TimeoutTypes,
    URLTypes,
    VerifyTypes,
)
from ._urls import QueryParams

class UseClientDefault: ...

USE_CLIENT_DEFAULT: UseClientDefault
USER_AGENT: str
ACCEPT_ENCODING: str

class ClientState:
    UNOPENED: int
    OPENED: int
    CLOSED: int

class InformationalHooks:
    hooks: list[Any]
    def __init__(self, hooks: Iterable[Any], own: Any) -> None: ...

class BaseClient:
    follow_redirects: bool
    max_redirects: int
    _state: int
    _REPLACEABLE: frozenset[str]
    def _reconfigure(self) -> None: ...
    def _transport_for_url(self, url: URL) -> Any: ...
    def _all_transports(self) -> list[Any]: ...
    async def _send(self, request: Request, stream: bool, auth: Any, follow_redirects: Any) -> Response: ...
    async def _follow(self, response: Response) -> Response: ...
    def _finish_exchange(self, request: Request, response: Response) -> None: ...
    def _enter(self) -> None: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def trust_env(self) -> bool: ...
    @property
    def timeout(self) -> Timeout: ...
    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None: ...
    @property
    def event_hooks(self) -> dict[str, list[EventHook]]: ...
    @event_hooks.setter
    def event_hooks(self, event_hooks: Mapping[str, list[EventHook]]) -> None: ...
    @property
    def auth(self) -> Optional[Auth]: ...
    @auth.setter
    def auth(self, auth: Optional[AuthTypes]) -> None: ...
    @property
    def base_url(self) -> URL: ...
    @base_url.setter
    def base_url(self, base_url: URLTypes) -> None: ...
    @property
    def headers(self) -> Headers: ...
    @headers.setter
    def headers(self, headers: HeaderTypes) -> None: ...
    @property
    def cookies(self) -> Cookies: ...
    @cookies.setter
    def cookies(self, cookies: CookieTypes) -> None: ...
    @property
    def params(self) -> QueryParams: ...
    @params.setter
    def params(self, params: QueryParamTypes) -> None: ...
    def build_request(
        self,
        method: str,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Request: ...
