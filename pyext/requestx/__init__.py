"""requestx: an HTTP client for Python, HTTP/2 first, with the API of httpx.

    import requestx

    response = requestx.get("https://example.org/")

    async with requestx.AsyncClient() as client:
        response = await client.get("https://example.org/")
"""

from . import _core
from .__version__ import __description__, __title__, __version__  # noqa: F401

# What programs seldom use is imported when they do. Everything is here at once for whoever asks for `__all__`.
_PLACES = {
    "_address": "AddressPolicy",
    "_api": "delete get head options patch post put request stream",
    "_auth": "Auth BasicAuth DigestAuth FunctionAuth NetRCAuth",
    "_client": "AsyncClient Client USE_CLIENT_DEFAULT",
    "_config": "Limits Proxy Retry Timeout create_ssl_context",
    "_content": "ByteStream",
    "_cookies": "Cookies",
    "_core": "Headers URL",
    "_exceptions": (
        "CloseError ConnectError ConnectTimeout CookieConflict DecodingError HTTPError HTTPStatusError InvalidURL "
        "LocalProtocolError NetworkError PoolTimeout ProtocolError ProxyError ReadError ReadTimeout "
        "RemoteProtocolError RequestError RequestNotRead ResponseNotRead StreamClosed StreamConsumed StreamError "
        "TimeoutException TooManyRedirects TransportError UnsupportedProtocol WriteError WriteTimeout"
    ),
    "_main": "main",
    "_models": "Request Response",
    "_status_codes": "codes",
    "_transports.asgi": "ASGITransport",
    "_transports.base": "AsyncBaseTransport AsyncByteStream BaseTransport SyncByteStream",
    "_transports.default": "AsyncHTTPTransport HTTPTransport",
    "_transports.mock": "MockTransport",
    "_transports.wsgi": "WSGITransport",
    "_urls": "QueryParams",
}
_WHERE = {_name: _module for _module, _names in _PLACES.items() for _name in _names.split()}
# Not in `__all__`: these need a package of somebody else's, which is not imported before they are asked for by name.
_BRIDGES = ("AsyncHTTPXTransport", "HTTPXTransport")
_EXPORTED = sorted([*_WHERE, "__description__", "__title__", "__version__"], key=str.casefold)


def _register():
    """Hands the extension module the classes that it makes or raises."""
    from . import _client, _content, _cookies, _exceptions, _models, _multipart, _transports, _urls
    from ._transports import base

    def reason_phrase(status):
        from ._status_codes import codes

        return codes.get_reason_phrase(status)

    exceptions = (
        "ConnectError ConnectTimeout DecodingError InvalidURL LocalProtocolError PoolTimeout ProxyError ReadError "
        "ReadTimeout RemoteProtocolError RequestNotRead ResponseNotRead StreamClosed TimeoutException "
        "UnsupportedProtocol WriteError WriteTimeout"
    )
    _core.register(
        AsyncByteStream=base.AsyncByteStream,
        ByteStream=_content.ByteStream,
        Cookies=_cookies.Cookies,
        QueryParams=_urls.QueryParams,
        Request=_models.Request,
        Response=_models.Response,
        SyncByteStream=base.SyncByteStream,
        USE_CLIENT_DEFAULT=_client.USE_CLIENT_DEFAULT,
        encode_request=_content.encode_request,
        encode_response=_content.encode_response,
        get_multipart_boundary_from_content_type=_multipart.get_multipart_boundary_from_content_type,
        reason_phrase=reason_phrase,
        **{name: getattr(_exceptions, name) for name in exceptions.split()},
    )


def __getattr__(name):
    if name == "__all__":
        for each in _WHERE:
            globals()[each] = __getattr__(each)
        globals()["__all__"] = _EXPORTED
        return _EXPORTED
    module = _WHERE.get(name)
    if name in _BRIDGES:
        from . import _httpx

        return getattr(_httpx, name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__():
    return [*_EXPORTED, "__all__", *(name for name in globals() if name.startswith("_") and name not in _EXPORTED)]


_register()
