from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .._models import Request, Response
from .base import AsyncBaseTransport

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_ASGIApp = Callable[[_Message, _Receive, _Send], Awaitable[None]]

class ASGITransport(AsyncBaseTransport):
    app: _ASGIApp
    raise_app_exceptions: bool
    root_path: str
    client: tuple[str, int]
    def __init__(
        self,
        app: _ASGIApp,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 123),
    ) -> None: ...
    async def handle_async_request(self, request: Request) -> Response: ...
