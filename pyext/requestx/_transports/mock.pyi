from collections.abc import Callable, Coroutine
from typing import Any, Union

from .._models import Request, Response
from .base import AsyncBaseTransport, BaseTransport

SyncHandler = Callable[[Request], Response]
AsyncHandler = Callable[[Request], Coroutine[Any, Any, Response]]

class MockTransport(AsyncBaseTransport, BaseTransport):
    handler: Union[SyncHandler, AsyncHandler]
    def __init__(self, handler: Union[SyncHandler, AsyncHandler]) -> None: ...
    def handle_request(self, request: Request) -> Response: ...
    async def handle_async_request(self, request: Request) -> Response: ...
