import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Optional, Union

from typing_extensions import Self

from ._address import AddressPolicy
from ._client_base import USE_CLIENT_DEFAULT as USE_CLIENT_DEFAULT
from ._client_base import BaseClient as BaseClient
from ._client_base import UseClientDefault as UseClientDefault
from ._config import Limits, Retry
from ._models import Request, Response
from ._transports.base import AsyncBaseTransport, BaseTransport
from ._types import (
    AuthTypes,
    CertFileTypes,
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

class Client(BaseClient):
    def __init__(
        self,
        *,
        auth: Optional[AuthTypes] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        verify: VerifyTypes = True,
        cert: Optional[CertTypes] = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = True,
        proxy: Optional[ProxyTypes] = None,
        mounts: Optional[Mapping[str, Optional[BaseTransport]]] = None,
        timeout: TimeoutTypes = ...,
        follow_redirects: bool = False,
        limits: Limits = ...,
        max_redirects: int = 20,
        event_hooks: Optional[Mapping[str, list[EventHook]]] = None,
        base_url: URLTypes = "",
        transport: Optional[BaseTransport] = None,
        default_encoding: DefaultEncoding = "utf-8",
        verify_ssl: Optional[bool] = None,
        ca_bundle: Union[None, str, os.PathLike[str]] = None,
        cert_file: Optional[CertFileTypes] = None,
        address_policy: Optional[AddressPolicy] = None,
        pins: Optional[Iterable[str]] = None,
        retries: Union[int, Retry] = 0,
    ) -> None: ...
    def request(
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
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def get(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def options(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def head(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def delete(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def post(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def put(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def patch(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def stream(
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
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> AbstractContextManager[Response]: ...
    def send(
        self,
        request: Request,
        *,
        stream: bool = False,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
    ) -> Response: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]] = None,
        exc_value: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None: ...

class _AsyncStreamContext(AbstractAsyncContextManager[Response, None]):
    def __await__(self) -> Generator[Any, Any, Response]: ...
    async def __aenter__(self) -> Response: ...
    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...

class AsyncClient(BaseClient):
    def __init__(
        self,
        *,
        auth: Optional[AuthTypes] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        verify: VerifyTypes = True,
        cert: Optional[CertTypes] = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = True,
        proxy: Optional[ProxyTypes] = None,
        mounts: Optional[Mapping[str, Optional[AsyncBaseTransport]]] = None,
        timeout: TimeoutTypes = ...,
        follow_redirects: bool = False,
        limits: Limits = ...,
        max_redirects: int = 20,
        event_hooks: Optional[Mapping[str, list[EventHook]]] = None,
        base_url: URLTypes = "",
        transport: Optional[AsyncBaseTransport] = None,
        default_encoding: DefaultEncoding = "utf-8",
        verify_ssl: Optional[bool] = None,
        ca_bundle: Union[None, str, os.PathLike[str]] = None,
        cert_file: Optional[CertFileTypes] = None,
        address_policy: Optional[AddressPolicy] = None,
        pins: Optional[Iterable[str]] = None,
        retries: Union[int, Retry] = 0,
    ) -> None: ...
    async def request(
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
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def get(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def options(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def head(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def delete(
        self,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def post(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def put(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    async def patch(
        self,
        url: URLTypes,
        *,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> Response: ...
    def stream(
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
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
        timeout: Union[TimeoutTypes, UseClientDefault] = ...,
        extensions: Optional[RequestExtensions] = None,
    ) -> _AsyncStreamContext: ...
    async def send(
        self,
        request: Request,
        *,
        stream: bool = False,
        auth: Union[AuthTypes, UseClientDefault, None] = ...,
        follow_redirects: Union[bool, UseClientDefault] = ...,
    ) -> Response: ...
    async def aclose(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]] = None,
        exc_value: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None: ...
