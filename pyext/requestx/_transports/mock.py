"""A transport for tests: a function answers."""

from .._models import Response
from .._utils import public
from .base import AsyncBaseTransport, BaseTransport


@public
class MockTransport(AsyncBaseTransport, BaseTransport):
    """Passes each request, its body read, to `handler`, which returns the response.

    For an `AsyncClient` the handler may be a coroutine function.
    """

    def __init__(self, handler):
        self.handler = handler

    def handle_request(self, request):
        request.read()
        response = self.handler(request)
        if not isinstance(response, Response):
            raise TypeError("Cannot use an async handler in a sync Client")
        return response

    async def handle_async_request(self, request):
        await request.aread()
        response = self.handler(request)
        return response if isinstance(response, Response) else await response
