from .__version__ import __description__ as __description__
from .__version__ import __title__ as __title__
from .__version__ import __version__ as __version__
from ._address import AddressPolicy as AddressPolicy
from ._api import delete as delete
from ._api import get as get
from ._api import head as head
from ._api import options as options
from ._api import patch as patch
from ._api import post as post
from ._api import put as put
from ._api import request as request
from ._api import stream as stream
from ._auth import Auth as Auth
from ._auth import BasicAuth as BasicAuth
from ._auth import DigestAuth as DigestAuth
from ._auth import FunctionAuth as FunctionAuth
from ._auth import NetRCAuth as NetRCAuth
from ._client import USE_CLIENT_DEFAULT as USE_CLIENT_DEFAULT
from ._client import AsyncClient as AsyncClient
from ._client import Client as Client
from ._config import Limits as Limits
from ._config import Proxy as Proxy
from ._config import Retry as Retry
from ._config import Timeout as Timeout
from ._config import create_ssl_context as create_ssl_context
from ._content import ByteStream as ByteStream
from ._cookies import Cookies as Cookies
from ._core import URL as URL
from ._core import Headers as Headers
from ._exceptions import CloseError as CloseError
from ._exceptions import ConnectError as ConnectError
from ._exceptions import ConnectTimeout as ConnectTimeout
from ._exceptions import CookieConflict as CookieConflict
from ._exceptions import DecodingError as DecodingError
from ._exceptions import HTTPError as HTTPError
from ._exceptions import HTTPStatusError as HTTPStatusError
from ._exceptions import InvalidURL as InvalidURL
from ._exceptions import LocalProtocolError as LocalProtocolError
from ._exceptions import NetworkError as NetworkError
from ._exceptions import PoolTimeout as PoolTimeout
from ._exceptions import ProtocolError as ProtocolError
from ._exceptions import ProxyError as ProxyError
from ._exceptions import ReadError as ReadError
from ._exceptions import ReadTimeout as ReadTimeout
from ._exceptions import RemoteProtocolError as RemoteProtocolError
from ._exceptions import RequestError as RequestError
from ._exceptions import RequestNotRead as RequestNotRead
from ._exceptions import ResponseNotRead as ResponseNotRead
from ._exceptions import StreamClosed as StreamClosed
from ._exceptions import StreamConsumed as StreamConsumed
from ._exceptions import StreamError as StreamError
from ._exceptions import TimeoutException as TimeoutException
from ._exceptions import TooManyRedirects as TooManyRedirects
from ._exceptions import TransportError as TransportError
from ._exceptions import UnsupportedProtocol as UnsupportedProtocol
from ._exceptions import WriteError as WriteError
from ._exceptions import WriteTimeout as WriteTimeout
from ._httpx import AsyncHTTPXTransport as AsyncHTTPXTransport
from ._httpx import HTTPXTransport as HTTPXTransport
from ._main import main as main
from ._models import Request as Request
from ._models import Response as Response
from ._status_codes import codes as codes
from ._transports.asgi import ASGITransport as ASGITransport
from ._transports.base import AsyncBaseTransport as AsyncBaseTransport
from ._transports.base import AsyncByteStream as AsyncByteStream
from ._transports.base import BaseTransport as BaseTransport
from ._transports.base import SyncByteStream as SyncByteStream
from ._transports.default import AsyncHTTPTransport as AsyncHTTPTransport
from ._transports.default import HTTPTransport as HTTPTransport
from ._transports.mock import MockTransport as MockTransport
from ._transports.wsgi import WSGITransport as WSGITransport
from ._urls import QueryParams as QueryParams

__all__ = [
    "__description__",
    "__title__",
    "__version__",
    "AddressPolicy",
    "ASGITransport",
    "AsyncBaseTransport",
    "AsyncByteStream",
    "AsyncClient",
    "AsyncHTTPTransport",
    "Auth",
    "BaseTransport",
    "BasicAuth",
    "ByteStream",
    "Client",
    "CloseError",
    "codes",
    "ConnectError",
    "ConnectTimeout",
    "CookieConflict",
    "Cookies",
    "create_ssl_context",
    "DecodingError",
    "delete",
    "DigestAuth",
    "FunctionAuth",
    "get",
    "head",
    "Headers",
    "HTTPError",
    "HTTPStatusError",
    "HTTPTransport",
    "InvalidURL",
    "Limits",
    "LocalProtocolError",
    "main",
    "MockTransport",
    "NetRCAuth",
    "NetworkError",
    "options",
    "patch",
    "PoolTimeout",
    "post",
    "ProtocolError",
    "Proxy",
    "ProxyError",
    "put",
    "QueryParams",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "request",
    "Request",
    "RequestError",
    "RequestNotRead",
    "Response",
    "ResponseNotRead",
    "Retry",
    "stream",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "SyncByteStream",
    "Timeout",
    "TimeoutException",
    "TooManyRedirects",
    "TransportError",
    "UnsupportedProtocol",
    "URL",
    "USE_CLIENT_DEFAULT",
    "WriteError",
    "WriteTimeout",
    "WSGITransport",
]
