from collections.abc import Iterable
from typing import Optional, Union

from .._address import AddressPolicy
from .._config import Limits, Retry
from .._models import Request, Response
from .._types import CertTypes, ProxyTypes, VerifyTypes
from .base import AsyncBaseTransport, BaseTransport

SOCKET_OPTION = Union[
    tuple[int, int, int],
    tuple[int, int, Union[bytes, bytearray]],
    tuple[int, int, None, int],
]

class _EngineTransport:
    def __init__(
        self,
        verify: VerifyTypes = True,
        cert: Optional[CertTypes] = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = True,
        limits: Limits = ...,
        proxy: Optional[ProxyTypes] = None,
        uds: Optional[str] = None,
        local_address: Optional[str] = None,
        retries: Union[int, Retry] = 0,
        socket_options: Optional[Iterable[SOCKET_OPTION]] = None,
        *,
        address_policy: Optional[AddressPolicy] = None,
        pins: Optional[Iterable[str]] = None,
    ) -> None: ...

class HTTPTransport(_EngineTransport, BaseTransport):
    def handle_request(self, request: Request) -> Response: ...

class AsyncHTTPTransport(_EngineTransport, AsyncBaseTransport):
    async def handle_async_request(self, request: Request) -> Response: ...
