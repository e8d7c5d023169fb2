"""Names of the types that the API accepts, for annotations; type checkers read them in the stub beside this file."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Optional, Union

from ._transports.base import AsyncByteStream, SyncByteStream

if TYPE_CHECKING:
    import os
    import ssl
    from http.cookiejar import CookieJar

    from ._auth import Auth
    from ._config import Proxy, Timeout
    from ._cookies import Cookies
    from ._core import URL, Headers
    from ._models import Request
    from ._urls import QueryParams

PrimitiveData = Optional[Union[str, int, float, bool]]
URLTypes = Union["URL", str]
QueryParamTypes = Union[
    "QueryParams",
    Mapping[str, Union[PrimitiveData, Sequence[PrimitiveData]]],
    list[tuple[str, PrimitiveData]],
    tuple[tuple[str, PrimitiveData], ...],
    str,
    bytes,
]
HeaderTypes = Union[
    "Headers",
    Mapping[str, str],
    Mapping[bytes, bytes],
    Sequence[tuple[str, str]],
    Sequence[tuple[bytes, bytes]],
]
CookieTypes = Union["Cookies", "CookieJar", dict[str, str], list[tuple[str, str]]]
TimeoutTypes = Union[
    Optional[float],
    tuple[Optional[float], Optional[float], Optional[float], Optional[float]],
    "Timeout",
]
ProxyTypes = Union["URL", str, "Proxy"]
CertTypes = Union[str, tuple[str, str], tuple[str, str, str]]
CertFileTypes = Union[str, "os.PathLike[str]", tuple[Union[str, "os.PathLike[str]"], ...]]
VerifyTypes = Union["ssl.SSLContext", str, bool]
AuthTypes = Union[tuple[Union[str, bytes], Union[str, bytes]], Callable[["Request"], "Request"], "Auth"]
RequestContent = Union[str, bytes, Iterable[bytes], AsyncIterable[bytes]]
ResponseContent = Union[str, bytes, Iterable[bytes], AsyncIterable[bytes]]
RequestData = Mapping[str, Any]
FileContent = Union[IO[bytes], bytes, str]
FileTypes = Union[
    FileContent,
    tuple[Optional[str], FileContent],
    tuple[Optional[str], FileContent, Optional[str]],
    tuple[Optional[str], FileContent, Optional[str], Mapping[str, str]],
]
RequestFiles = Union[Mapping[str, FileTypes], Sequence[tuple[str, FileTypes]]]
RequestExtensions = Mapping[str, Any]
ResponseExtensions = Mapping[str, Any]
EventHook = Callable[..., Any]
DefaultEncoding = Union[str, Callable[[bytes], str]]

__all__ = ["AsyncByteStream", "SyncByteStream"]
