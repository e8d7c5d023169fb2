"""The interfaces that transports and bodies implement."""

from .._utils import public


@public
class SyncByteStream:
    """A body that is iterated."""

    def __iter__(self):
        raise NotImplementedError("The '__iter__' method must be implemented.")
        yield b""

    def close(self):
        """Frees what the stream holds; called once the exchange is over."""


@public
class AsyncByteStream:
    """A body that is iterated asynchronously."""

    async def __aiter__(self):
        raise NotImplementedError("The '__aiter__' method must be implemented.")
        yield b""

    async def aclose(self):
        """Frees what the stream holds; called once the exchange is over."""


@public
class BaseTransport:
    """Carries the requests of a `Client`: subclasses implement `handle_request()`."""

    def __enter__(self):
        return self

    def __exit__(self, exc_type=None, exc_value=None, traceback=None):
        self.close()

    def handle_request(self, request):
        """Sends one request and returns its response, with the body still to be read.

        Redirects, authentication and cookies are the client's. The response's stream is closed by whoever reads it.
        """
        raise NotImplementedError("The 'handle_request' method must be implemented.")

    def close(self):
        """Frees what the transport holds."""


@public
class AsyncBaseTransport:
    """Carries the requests of an `AsyncClient`: subclasses implement `handle_async_request()`."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, exc_type=None, exc_value=None, traceback=None):
        await self.aclose()

    async def handle_async_request(self, request):
        """Sends one request and returns its response, with the body still to be read."""
        raise NotImplementedError("The 'handle_async_request' method must be implemented.")

    async def aclose(self):
        """Frees what the transport holds."""
