from collections.abc import Iterable
from typing import Any, Optional, Union

# One of the two may be missing: a base class is then of an unknown type.
import httpx  # type: ignore[import-not-found, unused-ignore]
import httpx2  # type: ignore[import-not-found, unused-ignore]

from ._address import AddressPolicy
from ._config import Limits, Retry
from ._transports.default import SOCKET_OPTION
from ._types import CertTypes, ProxyTypes, VerifyTypes

class _Bridge:
    def __init__(
        self,
        verify: VerifyTypes = True,
        cert: Optional[CertTypes] = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = True,
        limits: Limits | httpx.Limits | httpx2.Limits = ...,
        proxy: ProxyTypes | httpx.URL | httpx.Proxy | httpx2.URL | httpx2.Proxy | None = None,
        uds: Optional[str] = None,
        local_address: Optional[str] = None,
        retries: Union[int, Retry] = 0,
        socket_options: Optional[Iterable[SOCKET_OPTION]] = None,
        *,
        address_policy: Optional[AddressPolicy] = None,
        pins: Optional[Iterable[str]] = None,
    ) -> None: ...

class HTTPXTransport(_Bridge, httpx.BaseTransport, httpx2.BaseTransport):  # type: ignore[misc, unused-ignore]
    def handle_request(self, request: Any) -> Any: ...

class AsyncHTTPXTransport(_Bridge, httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):  # type: ignore[misc, unused-ignore]
    async def handle_async_request(self, request: Any) -> Any: ...
