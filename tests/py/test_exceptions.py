"""The exception tree, and exceptions that travel: pickled, and with the request that they are about."""

import pickle

import pytest

import requestx
from requestx._exceptions import request_context

REQUEST = requestx.Request("GET", "https://example.org/")


def make(cls):
    if issubclass(cls, requestx.HTTPStatusError):
        return cls("message", request=REQUEST, response=requestx.Response(404, request=REQUEST))
    if cls in (requestx.StreamConsumed, requestx.StreamClosed, requestx.ResponseNotRead, requestx.RequestNotRead):
        return cls()
    return cls("message")


ALL = [
    value
    for value in (getattr(requestx, name) for name in requestx.__all__)
    if isinstance(value, type) and issubclass(value, Exception)
]


def test_the_tree():
    def tree(cls):
        return {child.__name__: tree(child) for child in cls.__subclasses__() if child.__module__ == "requestx"}

    assert tree(requestx.HTTPError) == {
        "RequestError": {
            "TransportError": {
                "TimeoutException": {"ConnectTimeout": {}, "ReadTimeout": {}, "WriteTimeout": {}, "PoolTimeout": {}},
                "NetworkError": {"ReadError": {}, "WriteError": {}, "ConnectError": {}, "CloseError": {}},
                "ProxyError": {},
                "UnsupportedProtocol": {},
                "ProtocolError": {"LocalProtocolError": {}, "RemoteProtocolError": {}},
            },
            "DecodingError": {},
            "TooManyRedirects": {},
        },
        "HTTPStatusError": {},
    }
    assert issubclass(requestx.StreamError, RuntimeError)
    assert not issubclass(requestx.InvalidURL, requestx.HTTPError)
    assert len(ALL) == 28


@pytest.mark.parametrize("cls", ALL)
def test_pickled(cls):
    error = make(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error) != ""
    if cls is requestx.HTTPStatusError:
        assert copy.response.status_code == 404
        assert copy.request.url == REQUEST.url


def test_request_is_optional():
    error = requestx.ReadError("broken")
    with pytest.raises(RuntimeError, match="has not been set"):
        error.request  # noqa: B018
    error.request = REQUEST
    assert pickle.loads(pickle.dumps(error)).request.url == REQUEST.url
    assert requestx.ReadError("broken", request=REQUEST).request is REQUEST


def test_code_and_phase_default_to_none():
    assert requestx.ReadError("broken").code is None
    assert requestx.ReadError("broken").phase is None


def test_context_sets_the_request():
    with pytest.raises(requestx.ReadError) as caught, request_context(REQUEST):
        raise requestx.ReadError("broken")
    assert caught.value.request is REQUEST


def test_context_leaves_other_errors_alone():
    with pytest.raises(ValueError), request_context(REQUEST):
        raise ValueError
    with request_context(REQUEST):
        pass
    with pytest.raises(requestx.ReadError) as caught, request_context(None):
        raise requestx.ReadError("broken")
    with pytest.raises(RuntimeError):
        caught.value.request  # noqa: B018
