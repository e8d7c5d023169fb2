import datetime
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Optional, Union

from typing_extensions import Self

from ._cookies import Cookies
from ._core import URL, Headers
from ._transports.base import AsyncByteStream, SyncByteStream
from ._types import (
    CookieTypes,
    DefaultEncoding,
    HeaderTypes,
    QueryParamTypes,
    RequestContent,
    RequestData,
    RequestExtensions,
    RequestFiles,
    ResponseContent,
    ResponseExtensions,
    URLTypes,
)

class Timings(NamedTuple):
    queue: Optional[float]
    dns: Optional[float]
    connect: Optional[float]
    tls: Optional[float]
    sent: Optional[float]
    first_byte: Optional[float]
    total: Optional[float]

class Request:
    method: str
    url: URL
    headers: Headers
    extensions: dict[str, Any]
    stream: Union[SyncByteStream, AsyncByteStream]
    def __init__(
        self,
        method: str,
        url: URLTypes,
        *,
        params: Optional[QueryParamTypes] = None,
        headers: Optional[HeaderTypes] = None,
        cookies: Optional[CookieTypes] = None,
        content: Optional[RequestContent] = None,
        data: Optional[RequestData] = None,
        files: Optional[RequestFiles] = None,
        json: Optional[Any] = None,
        stream: Union[SyncByteStream, AsyncByteStream, None] = None,
        extensions: Optional[RequestExtensions] = None,
    ) -> None: ...
    @property
    def content(self) -> bytes: ...
    def read(self) -> bytes: ...
    async def aread(self) -> bytes: ...

class Response:
    status_code: int
    headers: Headers
    extensions: dict[str, Any]
    history: list[Response]
    next_request: Optional[Request]
    default_encoding: DefaultEncoding
    stream: Union[SyncByteStream, AsyncByteStream]
    is_closed: bool
    is_stream_consumed: bool
    request: Request
    elapsed: datetime.timedelta
    encoding: Optional[str]
    def __init__(
        self,
        status_code: int,
        *,
        headers: Optional[HeaderTypes] = None,
        content: Optional[ResponseContent] = None,
        text: Optional[str] = None,
        html: Optional[str] = None,
        json: Any = None,
        stream: Union[SyncByteStream, AsyncByteStream, None] = None,
        request: Optional[Request] = None,
        extensions: Optional[ResponseExtensions] = None,
        history: Optional[list[Response]] = None,
        default_encoding: DefaultEncoding = "utf-8",
    ) -> None: ...
    @property
    def http_version(self) -> str: ...
    @property
    def reason_phrase(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def content(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    @property
    def charset_encoding(self) -> Optional[str]: ...
    @property
    def is_informational(self) -> bool: ...
    @property
    def is_success(self) -> bool: ...
    @property
    def is_redirect(self) -> bool: ...
    @property
    def is_client_error(self) -> bool: ...
    @property
    def is_server_error(self) -> bool: ...
    @property
    def is_error(self) -> bool: ...
    @property
    def has_redirect_location(self) -> bool: ...
    @property
    def cookies(self) -> Cookies: ...
    @property
    def links(self) -> dict[Optional[str], dict[str, str]]: ...
    @property
    def num_bytes_downloaded(self) -> int: ...
    @property
    def trailers(self) -> Headers: ...
    @property
    def timings(self) -> Optional[Timings]: ...
    @property
    def stream_id(self) -> Optional[int]: ...
    @property
    def connection_id(self) -> Optional[int]: ...
    @property
    def retries(self) -> int: ...
    def raise_for_status(self) -> Self: ...
    def json(self, **kwargs: Any) -> Any: ...
    def read(self) -> bytes: ...
    def iter_bytes(self, chunk_size: Optional[int] = None) -> Iterator[bytes]: ...
    def iter_text(self, chunk_size: Optional[int] = None) -> Iterator[str]: ...
    def iter_lines(self) -> Iterator[str]: ...
    def iter_raw(self, chunk_size: Optional[int] = None) -> Iterator[bytes]: ...
    def close(self) -> None: ...
    async def aread(self) -> bytes: ...
    def aiter_bytes(self, chunk_size: Optional[int] = None) -> AsyncIterator[bytes]: ...
    def aiter_text(self, chunk_size: Optional[int] = None) -> AsyncIterator[str]: ...
    def aiter_lines(self) -> AsyncIterator[str]: ...
    def aiter_raw(self, chunk_size: Optional[int] = None) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: Optional[type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: Optional[type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None: ...
