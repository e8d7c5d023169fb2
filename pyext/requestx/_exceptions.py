"""The exceptions, by the phase in which a request failed.

    HTTPError
      RequestError
        TransportError
          TimeoutException    ConnectTimeout ReadTimeout WriteTimeout PoolTimeout
          NetworkError        ConnectError ReadError WriteError CloseError
          ProtocolError       LocalProtocolError RemoteProtocolError
          ProxyError
          UnsupportedProtocol
        DecodingError
        TooManyRedirects
      HTTPStatusError
    InvalidURL
    CookieConflict
    StreamError (RuntimeError)
      StreamConsumed StreamClosed ResponseNotRead RequestNotRead
"""

from ._utils import public


def _restore(cls, args, state):
    """Makes an unpickled exception, without its constructor: some take keywords, some nothing at all."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class _Restorable:
    """An exception that can be pickled, whatever its constructor takes."""

    args: tuple

    def __reduce__(self):
        return _restore, (type(self), self.args, self.__dict__.copy())


@public
class HTTPError(_Restorable, Exception):
    """Anything that went wrong with a request: it failed, or `Response.raise_for_status()` refused its status."""

    def __init__(self, message):
        super().__init__(message)
        self._request = None

    @property
    def request(self):
        """The request that was being made."""
        if self._request is None:
            raise RuntimeError("The .request property has not been set.")
        return self._request

    @request.setter
    def request(self, request):
        self._request = request


@public
class RequestError(HTTPError):
    """The request could not be made, or its response could not be had.

    `code` and `phase` say where the engine gave up, as "connect_timeout" and "timeout"; None for other transports.
    """

    code = None
    phase = None

    def __init__(self, message, *, request=None):
        super().__init__(message)
        self._request = request


@public
class TransportError(RequestError):
    """The exchange with the peer failed."""


@public
class TimeoutException(TransportError):
    """Some step took longer than its timeout."""


@public
class ConnectTimeout(TimeoutException):
    """Connecting took too long."""


@public
class ReadTimeout(TimeoutException):
    """No data came from the peer for too long."""


@public
class WriteTimeout(TimeoutException):
    """The peer took no data for too long."""


@public
class PoolTimeout(TimeoutException):
    """No connection, or no stream of one, became free in time."""


@public
class NetworkError(TransportError):
    """The network failed."""


@public
class ConnectError(NetworkError):
    """No connection could be made: the name does not resolve, the peer refuses, or its certificate is no good."""


@public
class ReadError(NetworkError):
    """The connection broke while data was awaited."""


@public
class WriteError(NetworkError):
    """The connection broke while data was sent."""


@public
class CloseError(NetworkError):
    """The connection could not be closed."""


@public
class ProxyError(TransportError):
    """The proxy could not be reached, or refused."""


@public
class UnsupportedProtocol(TransportError):
    """The URL's scheme is not one of http and https."""


@public
class ProtocolError(TransportError):
    """One of the two sides broke the protocol."""


@public
class LocalProtocolError(ProtocolError):
    """The request would break the protocol; nothing was sent."""


@public
class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol."""


@public
class DecodingError(RequestError):
    """The response's body does not hold what its Content-Encoding says."""


@public
class TooManyRedirects(RequestError):
    """The redirects went on for longer than the client allows."""


@public
class HTTPStatusError(HTTPError):
    """The response's status is not one of success. Raised by `Response.raise_for_status()`."""

    def __init__(self, message, *, request, response):
        super().__init__(message)
        self.request = request
        self.response = response


@public
class InvalidURL(_Restorable, Exception):
    """The text is not a URL."""

    def __init__(self, message):
        super().__init__(message)


@public
class CookieConflict(_Restorable, Exception):
    """More than one cookie has the name that was asked for."""

    def __init__(self, message):
        super().__init__(message)


@public
class StreamError(_Restorable, RuntimeError):
    """A body was used in a way, or at a time, that it cannot be."""

    def __init__(self, message):
        super().__init__(message)


@public
class StreamConsumed(StreamError):
    """The body has been streamed once, and cannot be again."""

    def __init__(self):
        super().__init__(
            "The body has already been streamed and cannot be streamed again. A request's body from a generator is "
            "needed twice when a redirect or an authentication flow sends the request once more: pass bytes or a "
            "file instead. A response's body can be read into memory with `read()`, and then be used any number of "
            "times."
        )


@public
class StreamClosed(StreamError):
    """The stream was closed before its body was read."""

    def __init__(self):
        super().__init__("The stream has been closed: its body can no longer be read.")


@public
class ResponseNotRead(StreamError):
    """The response's body has not been read."""

    def __init__(self):
        super().__init__(
            "The content of a streamed response is not there before `read()`, or `aread()`, has been called."
        )


@public
class RequestNotRead(StreamError):
    """The request's body has not been read."""

    def __init__(self):
        super().__init__(
            "The content of a streamed request is not there before `read()`, or `aread()`, has been called."
        )


class request_context:
    """Gives the request to each RequestError that passes."""

    __slots__ = ("_request",)

    def __init__(self, request=None):
        self._request = request

    def __enter__(self):
        return None

    def __exit__(self, kind, error, traceback):
        if self._request is not None and isinstance(error, RequestError):
            error.request = self._request
