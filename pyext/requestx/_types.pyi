import os
import ssl
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar
from typing import IO, Any, Optional, Union

from typing_extensions import TypeAlias

from ._auth import Auth
from ._config import Proxy, Timeout
from ._cookies import Cookies
from ._core import URL, Headers
from ._models import Request
from ._transports.base import AsyncByteStream as AsyncByteStream
from ._transports.base import SyncByteStream as SyncByteStream
from ._urls import QueryParams

PrimitiveData: TypeAlias = Optional[Union[str, int, float, bool]]
URLTypes: TypeAlias = Union[URL, str]
QueryParamTypes: TypeAlias = Union[
    QueryParams,
    Mapping[str, Union[PrimitiveData, Sequence[PrimitiveData]]],
    list[tuple[str, PrimitiveData]],
    tuple[tuple[str, PrimitiveData], ...],
    str,
    bytes,
]
HeaderTypes: TypeAlias = Union[
    Headers,
    Mapping[str, str],
    Mapping[bytes, bytes],
    Sequence[tuple[str, str]],
    Sequence[tuple[bytes, bytes]],
]
CookieTypes: TypeAlias = Union[Cookies, CookieJar, dict[str, str], list[tuple[str, str]]]
TimeoutTypes: TypeAlias = Union[
    Optional[float],
    tuple[Optional[float], Optional[float], Optional[float], Optional[float]],
    Timeout,
]
ProxyTypes: TypeAlias = Union[URL, str, Proxy]
CertTypes: TypeAlias = Union[str, tuple[str, str], tuple[str, str, str]]
CertFileTypes: TypeAlias = Union[str, os.PathLike[str], tuple[Union[str, os.PathLike[str]], ...]]
VerifyTypes: TypeAlias = Union[ssl.SSLContext, str, bool]
AuthTypes: TypeAlias = Union[
    tuple[Union[str, bytes], Union[str, bytes]],
    Callable[[Request], Request],
    Auth,
]
RequestContent: TypeAlias = Union[str, bytes, Iterable[bytes], AsyncIterable[bytes]]
ResponseContent: TypeAlias = Union[str, bytes, Iterable[bytes], AsyncIterable[bytes]]
RequestData: TypeAlias = Mapping[str, Any]
FileContent: TypeAlias = Union[IO[bytes], bytes, str]
FileTypes: TypeAlias = Union[
    FileContent,
    tuple[Optional[str], FileContent],
    tuple[Optional[str], FileContent, Optional[str]],
    tuple[Optional[str], FileContent, Optional[str], Mapping[str, str]],
]
RequestFiles: TypeAlias = Union[Mapping[str, FileTypes], Sequence[tuple[str, FileTypes]]]
RequestExtensions: TypeAlias = Mapping[str, Any]
ResponseExtensions: TypeAlias = Mapping[str, Any]
EventHook: TypeAlias = Callable[..., Any]
DefaultEncoding: TypeAlias = Union[str, Callable[[bytes], str]]

__all__ = ["AsyncByteStream", "SyncByteStream"]
