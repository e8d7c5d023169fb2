import os
import ssl
from collections.abc import Iterable
from typing import Any, Optional, Union

from ._core import URL, Headers
from ._types import CertFileTypes, CertTypes, HeaderTypes, TimeoutTypes, VerifyTypes

class UnsetType: ...

UNSET: UnsetType

class Timeout:
    connect: Optional[float]
    read: Optional[float]
    write: Optional[float]
    pool: Optional[float]
    total: Optional[float]
    stall: Optional[tuple[float, float]]
    def __init__(
        self,
        timeout: Union[TimeoutTypes, UnsetType] = ...,
        *,
        connect: Union[None, float, UnsetType] = ...,
        read: Union[None, float, UnsetType] = ...,
        write: Union[None, float, UnsetType] = ...,
        pool: Union[None, float, UnsetType] = ...,
        total: Union[None, float, UnsetType] = ...,
        stall: Union[None, tuple[float, float], UnsetType] = ...,
    ) -> None: ...
    def as_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object) -> bool: ...

class Limits:
    max_connections: Optional[int]
    max_keepalive_connections: Optional[int]
    keepalive_expiry: Optional[float]
    def __init__(
        self,
        *,
        max_connections: Optional[int] = None,
        max_keepalive_connections: Optional[int] = None,
        keepalive_expiry: Optional[float] = 5.0,
    ) -> None: ...
    def __eq__(self, other: object) -> bool: ...

class Retry:
    @property
    def total(self) -> int: ...
    @property
    def connect(self) -> Optional[int]: ...
    @property
    def read(self) -> Optional[int]: ...
    @property
    def status(self) -> Optional[int]: ...
    @property
    def statuses(self) -> tuple[int, ...]: ...
    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def backoff(self) -> float: ...
    @property
    def backoff_max(self) -> float: ...
    @property
    def jitter(self) -> float: ...
    @property
    def respect_retry_after(self) -> bool: ...
    @property
    def retry_after_max(self) -> float: ...
    def __init__(
        self,
        total: int = 3,
        *,
        connect: Optional[int] = None,
        read: Optional[int] = None,
        status: Optional[int] = None,
        statuses: Iterable[int] = (429, 502, 503, 504),
        methods: Iterable[str] = ...,
        backoff: float = 0.5,
        backoff_max: float = 30.0,
        jitter: float = 0.5,
        respect_retry_after: bool = True,
        retry_after_max: float = 120.0,
    ) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class Proxy:
    url: URL
    auth: Optional[tuple[str, str]]
    headers: Headers
    ssl_context: Optional[ssl.SSLContext]
    def __init__(
        self,
        url: Union[URL, str],
        *,
        ssl_context: Optional[ssl.SSLContext] = None,
        auth: Optional[tuple[str, str]] = None,
        headers: Optional[HeaderTypes] = None,
        username: Optional[str] = None,
        password: Optional[str] = None,
    ) -> None: ...
    @property
    def raw_auth(self) -> Optional[tuple[bytes, bytes]]: ...

class CABundle(str): ...
class ClientCert(tuple[str, ...]): ...

def merge_tls_aliases(
    verify: VerifyTypes,
    cert: Optional[CertTypes],
    verify_ssl: Optional[bool] = None,
    ca_bundle: Union[None, str, os.PathLike[str]] = None,
    cert_file: Optional[CertFileTypes] = None,
) -> tuple[VerifyTypes, Any]: ...
def warn_of_tls_paths(verify: VerifyTypes, cert: Optional[CertTypes], stacklevel: int = 3) -> None: ...
def trust_paths(verify: VerifyTypes, trust_env: bool) -> tuple[Optional[str], Optional[str]]: ...
def create_ssl_context(
    verify: VerifyTypes = True,
    cert: Optional[CertTypes] = None,
    trust_env: bool = True,
) -> ssl.SSLContext: ...

DEFAULT_TIMEOUT_CONFIG: Timeout
DEFAULT_LIMITS: Limits
DEFAULT_MAX_REDIRECTS: int
