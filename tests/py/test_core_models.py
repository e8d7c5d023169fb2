"""Request and Response: construction, the body in all its states, text, pickling."""

import asyncio
import datetime
import gc
import gzip
import io
import json
import pickle
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import requestx
from requestx import Request, Response


# requests


@pytest.mark.parametrize("method", ["POST", "put", "Patch"])
def test_a_method_that_has_a_body_says_that_there_is_none(method):
    request = Request(method, "http://h:81/")
    assert request.method == method.upper()
    assert request.headers.raw == [(b"Host", b"h:81"), (b"Content-Length", b"0")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "WEIRD"])
def test_other_methods_do_not(method):
    assert Request(method, "http://h/").headers.raw == [(b"Host", b"h")]


@pytest.mark.parametrize(
    ("options", "content", "fields"),
    [
        ({"content": b"abc"}, b"abc", {"content-length": "3"}),
        ({"content": "é"}, "é".encode(), {"content-length": "2"}),
        ({"content": b""}, b"", {}),
        (
            {"json": {"a": [1, "é"]}},
            '{"a":[1,"é"]}'.encode(),
            {"content-length": "14", "content-type": "application/json"},
        ),
        ({"json": 0}, b"0", {"content-length": "1", "content-type": "application/json"}),
        (
            {"data": {"a": ["1", "2"]}},
            b"a=1&a=2",
            {"content-length": "7", "content-type": "application/x-www-form-urlencoded"},
        ),
        ({"data": {}, "json": []}, b"[]", {"content-length": "2", "content-type": "application/json"}),
    ],
)
def test_bodies_describe_themselves(options, content, fields):
    request = Request("GET", "http://h/", **options)
    assert request.content == request.read() == content and b"".join(request.stream) == content
    assert dict(request.headers) == {"host": "h", **fields}


def test_what_the_caller_says_of_the_body_stands():
    request = Request(
        "POST", "http://h/", json=1, headers={"Content-Type": "x/y", "Content-Length": "1", "Host": "other"}
    )
    assert request.headers.raw == [(b"Content-Type", b"x/y"), (b"Content-Length", b"1"), (b"Host", b"other")]
    request = Request("POST", "http://h/", content=iter([b"a"]), headers={"Content-Length": "1"})
    assert "transfer-encoding" not in request.headers


def test_json_is_strict():
    for wrong, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            Request("POST", "http://h/", json=wrong)


def test_a_streamed_body_is_read_once_and_kept():
    request = Request("POST", "http://h/", content=iter([b"a", b"b"]))
    assert request.headers["transfer-encoding"] == "chunked"
    with pytest.raises(requestx.RequestNotRead):
        request.content
    assert not hasattr(request, "_content")
    assert request.read() == request.content == b"ab"
    assert isinstance(request.stream, requestx.ByteStream)

    async def parts():
        yield b"x"

    assert asyncio.run(Request("POST", "http://h/", content=parts()).aread()) == b"x"


def test_a_ready_stream_adds_no_fields():
    stream = requestx.ByteStream(b"x")
    request = Request("POST", "http://h/", stream=stream)
    assert request.headers.raw == [] and request.stream is stream


def test_params_cookies_and_extensions():
    given_ = {"timeout": {"read": 1}}
    request = Request("GET", "http://h/?a=1", params={"b": "2"}, cookies={"c": "d"}, extensions=given_)
    assert request.url == "http://h/?b=2" and request.headers["cookie"] == "c=d"
    assert request.extensions == given_ and request.extensions is not given_
    assert Request("GET", "http://h/").extensions == {}


def test_attributes_of_any_name_can_be_set():
    for thing in (Request("GET", "http://h/"), Response(200)):
        thing.mine = 1
        assert thing.mine == 1 and vars(thing) == {"mine": 1}
        assert weakref.ref(thing)() is thing


def test_a_cycle_through_attributes_is_collected():
    makers = (
        lambda: Request("GET", "http://h/"),
        lambda: Response(200),
        lambda: requestx.Client(transport=requestx.MockTransport(None)),
    )
    for make in makers:
        thing = make()
        thing.myself = thing
        watch = weakref.ref(thing)
        del thing
        gc.collect()
        assert watch() is None


def test_requests_are_pickled_without_stream_and_extensions():
    request = Request("POST", "http://h/", content=b"abc", extensions={"x": 1})
    request.note = 1
    twin = pickle.loads(pickle.dumps(request))
    assert (twin.method, twin.url, twin.content, twin.headers) == (request.method, request.url, b"abc", request.headers)
    assert twin.extensions == {} and twin.note == 1
    with pytest.raises(requestx.StreamClosed):
        list(twin.stream)


def test_what_a_request_needs():
    with pytest.raises(TypeError):
        Request("GET")
    with pytest.raises(TypeError):
        Request("GET", "http://h/", None, {"params": 1})
    with pytest.raises(requestx.InvalidURL):
        Request("GET", "http://h:x/")
    assert repr(Request("get", "http://h/")) == "<Request('GET', 'http://h/')>"


# responses


@pytest.mark.parametrize(
    ("options", "content", "fields"),
    [
        ({}, b"", {}),
        ({"content": b"abc"}, b"abc", {"content-length": "3"}),
        ({"text": "é"}, "é".encode(), {"content-length": "2", "content-type": "text/plain; charset=utf-8"}),
        ({"html": "<p>"}, b"<p>", {"content-length": "3", "content-type": "text/html; charset=utf-8"}),
        ({"json": {"a": 1}}, b'{"a":1}', {"content-length": "7", "content-type": "application/json"}),
    ],
)
def test_responses_describe_themselves(options, content, fields):
    response = Response(200, **options)
    assert response.content == response.read() == content and dict(response.headers) == fields
    assert response.is_closed and response.is_stream_consumed and response.num_bytes_downloaded == 0
    assert list(response.iter_bytes(1)) == [content[i : i + 1] for i in range(len(content))]
    with pytest.raises(requestx.StreamConsumed):
        list(response.iter_raw())


def test_status():
    response = Response(requestx.codes.NOT_FOUND)
    assert response.status_code is requestx.codes.NOT_FOUND and response.reason_phrase == "Not Found"
    assert response.is_client_error and response.is_error and not response.is_success
    response.status_code = 302
    assert response.is_redirect and not response.has_redirect_location
    response.headers["location"] = "/x"
    assert response.has_redirect_location
    assert Response(299).reason_phrase == "" and repr(Response(204)) == "<Response [204 No Content]>"
    with pytest.raises(TypeError):
        Response("200")


def test_extensions_say_what_is_not_known_otherwise():
    response = Response(200, extensions={"http_version": b"HTTP/2", "reason_phrase": b"Fine"})
    assert (response.http_version, response.reason_phrase) == ("HTTP/2", "Fine")
    assert Response(200).http_version == "HTTP/1.1" and Response(200).extensions == {}


def test_what_only_the_engine_knows():
    response = Response(200)
    assert response.timings is None and response.stream_id is None and response.connection_id is None
    assert response.trailers == {} and response.retries == 0
    with pytest.raises(RuntimeError, match="elapsed"):
        response.elapsed
    response.elapsed = datetime.timedelta(seconds=1)
    assert response.elapsed.total_seconds() == 1


def test_a_response_without_a_request():
    response = Response(200)
    for ask in (lambda: response.request, lambda: response.url, response.raise_for_status):
        with pytest.raises(RuntimeError, match="request instance has not been set"):
            ask()
    response.request = Request("GET", "http://h/")
    assert response.url == "http://h/" and response.raise_for_status() is response


def test_raise_for_status():
    request = Request("GET", "http://h/")
    with pytest.raises(requestx.HTTPStatusError) as caught:
        Response(404, request=request).raise_for_status()
    assert str(caught.value) == (
        "Client error '404 Not Found' for url 'http://h/'\n"
        "For more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/404"
    )
    assert caught.value.request is request and caught.value.response.status_code == 404
    with pytest.raises(requestx.HTTPStatusError, match="Redirect response '302 Found'.*\nRedirect location: '/x'"):
        Response(302, headers={"location": "/x"}, request=request).raise_for_status()


@pytest.mark.parametrize(
    ("content_type", "content", "text", "encoding"),
    [
        (None, "é€".encode(), "é€", "utf-8"),
        ("text/plain", b"\xff", "\ufffd", "utf-8"),
        ("text/plain; charset=utf-8", "é".encode(), "é", "utf-8"),
        ("text/plain; charset=UTF-8", "é".encode(), "é", "utf-8"),
        ("text/plain;charset=iso-8859-1", b"\xe9", "é", "iso-8859-1"),
        ('text/plain; charset="iso-8859-1"', b"\xe9", "é", "iso-8859-1"),
        ("text/plain; a=b; charset=utf-16", "é".encode("utf-16"), "é", "utf-16"),
        ("text/plain; charset=nonsense", "é".encode(), "é", "utf-8"),
        ("text/plain; charset=", "é".encode(), "é", "utf-8"),
        ("text/plain; charset=ascii", b"\xe9", "\ufffd", "ascii"),
    ],
)
def test_text(content_type, content, text, encoding):
    response = Response(200, content=content, headers={"Content-Type": content_type} if content_type else None)
    assert response.text == text and response.encoding == encoding
    assert "".join(response.iter_text(1)) == text
    with pytest.raises(ValueError, match="after `text` has been accessed"):
        response.encoding = "ascii"


def test_the_encoding_can_be_set_before():
    response = Response(200, content=b"\xe9")
    response.encoding = "iso-8859-1"
    assert response.text == "é"
    assert Response(200, content=b"\xe9", default_encoding="iso-8859-1").text == "é"
    assert Response(200, content=b"\xe9", default_encoding=lambda content: "iso-8859-1").text == "é"


def test_json():
    assert Response(200, content=json.dumps({"é": 1}).encode("utf-16")).json() == {"é": 1}
    assert Response(200, content=b"1.5").json(parse_float=str) == "1.5"
    with pytest.raises(json.JSONDecodeError):
        Response(200, content=b"{").json()
    with pytest.raises(TypeError):
        Response(200, content=b"1").json(7)


def test_bodies_are_decoded():
    packed = gzip.compress(b"hello" * 1000)
    response = Response(200, content=packed, headers={"Content-Encoding": "gzip"})
    assert response.content == b"hello" * 1000
    response = Response(
        200, content=iter([packed[:9], packed[9:]]), headers={"Content-Encoding": "identity, gzip, unheard-of"}
    )
    assert b"".join(response.iter_bytes()) == b"hello" * 1000
    assert response.num_bytes_downloaded == len(packed)
    with pytest.raises(requestx.DecodingError):
        Response(200, content=b"nonsense", headers={"Content-Encoding": "gzip"})
    request = Request("GET", "http://h/")
    response = Response(200, content=iter([b"nonsense"]), headers={"Content-Encoding": "br"}, request=request)
    with pytest.raises(requestx.DecodingError) as caught:
        response.read()
    assert caught.value.request is request


def test_the_states_of_a_streamed_body():
    response = Response(200, content=iter([b"ab", b"", b"cde"]))
    with pytest.raises(requestx.ResponseNotRead):
        response.content
    assert list(response.iter_raw(chunk_size=2)) == [b"ab", b"cd", b"e"]
    assert response.is_closed and response.is_stream_consumed and response.num_bytes_downloaded == 5
    with pytest.raises(requestx.StreamConsumed):
        response.read()
    response = Response(200, content=iter([b"ab"]))
    response.close()
    with pytest.raises(requestx.StreamClosed):
        response.read()
    with pytest.raises(RuntimeError, match="sync"):
        asyncio.run(Response(200, content=iter([b"ab"])).aread())


def test_the_same_awaited():
    async def parts():
        for part in (b"a\n", b"b\r", b"\nc"):
            yield part

    async def main():
        assert [line async for line in Response(200, content=parts()).aiter_lines()] == ["a", "b", "c"]
        assert [piece async for piece in Response(200, content=parts()).aiter_bytes(3)] == [b"a\nb", b"\r\nc"]
        response = Response(200, content=parts())
        assert await response.aread() == await response.aread() == b"a\nb\r\nc"
        assert [piece async for piece in response.aiter_text(4)] == ["a\nb\r", "\nc"]
        response = Response(200, content=parts())
        await response.aclose()
        with pytest.raises(requestx.StreamClosed):
            await response.aread()
        with pytest.raises(RuntimeError, match="async"):
            Response(200, content=parts()).read()

    asyncio.run(main())


@given(st.text("a\n\r\x0b\x0c\x1c\x85\u2028é", max_size=30), st.integers(1, 5))
def test_lines_are_those_of_splitlines_however_they_come(text, size):
    response = Response(200, content=iter([text[i : i + size].encode() for i in range(0, len(text), size)]))
    assert list(response.iter_lines()) == text.splitlines()


@given(st.binary(max_size=50), st.integers(1, 7), st.integers(1, 7))
def test_pieces_have_the_size_asked_for(content, received, wanted):
    parts = [content[i : i + received] for i in range(0, len(content), received)]
    pieces = list(Response(200, content=iter(parts)).iter_bytes(wanted))
    assert b"".join(pieces) == content and all(len(piece) == wanted for piece in pieces[:-1])


def test_links_and_cookies():
    headers = [("link", '<http://h/2>; rel="next", <http://h/9>'), ("set-cookie", "a=b")]
    response = Response(200, headers=headers, request=Request("GET", "http://h/"))
    assert response.links == {"next": {"url": "http://h/2", "rel": "next"}, "http://h/9": {"url": "http://h/9"}}
    assert dict(response.cookies) == {"a": "b"} and response.cookies is response.cookies
    assert Response(200).links == {}


def test_responses_are_pickled():
    request = Request("GET", "http://h/")
    response = Response(200, json={"a": 1}, request=request, history=[Response(301)], extensions={"x": object()})
    response.elapsed = datetime.timedelta(seconds=2)
    assert response.text and response.encoding
    twin = pickle.loads(pickle.dumps(response))
    assert twin.json() == {"a": 1} and twin.url == "http://h/" and twin.history[0].status_code == 301
    assert twin.is_closed and twin.elapsed == response.elapsed and twin.extensions == {} and twin.encoding == "utf-8"


def test_a_file_is_a_body():
    response = Response(200, content=io.BytesIO(b"x" * 200_000))
    assert sum(map(len, response.iter_raw())) == 200_000


@pytest.mark.parametrize("cls", [Request, Response])
def test_subclasses(cls):
    class Mine(cls):
        def __init__(self, *args):
            super().__init__(*args)
            self.extra = [self]

    thing = Mine("GET", "http://h/") if cls is Request else Mine(200)
    assert thing.extra == [thing] and "Mine" in repr(thing) or cls is Response


def test_truth_and_length_are_left_alone():
    response = Response(500)
    assert bool(response) and not hasattr(response, "__len__") and not hasattr(response, "ok")


def test_a_response_whose_content_was_deleted_is_read_again():
    """Tools that hand out one response several times do this."""
    response = requestx.Response(200, content=b"body")
    response.is_stream_consumed = response.is_closed = False
    del response._content
    with pytest.raises(requestx.ResponseNotRead):
        response.content  # noqa: B018
    assert response.read() == b"body"
    assert response.is_closed


def test_headers_that_are_set_become_headers():
    response = Response(302, text="é")
    response.headers = {"Location": "/there", "Content-Type": "text/plain; charset=iso-8859-1"}
    assert response.has_redirect_location
    assert response.headers["location"] == "/there"
    assert response.text == "Ã©"
    with pytest.raises(TypeError):
        response.headers = 5
    assert response.headers["location"] == "/there"


@pytest.mark.parametrize("content", ["text", bytearray(b"text"), None, 5])
def test_a_body_that_is_set_is_bytes(content):
    response = Response(200, content=b"as it was")
    with pytest.raises(TypeError, match="must be bytes"):
        response._content = content
    assert response.text == "as it was"


@pytest.mark.parametrize("size", [0, -1])
@pytest.mark.parametrize("method", ["iter_raw", "iter_bytes", "iter_text"])
def test_pieces_have_a_size(method, size):
    """A body that is read in pieces of no size would be lost."""
    with pytest.raises(ValueError, match=f"chunk_size must be at least 1, not {size}"):
        list(getattr(Response(200, content=iter([b"body"])), method)(size))

    async def main():
        async def parts():
            yield b"body"

        response = Response(200, content=parts())
        with pytest.raises(ValueError, match="chunk_size"):
            [piece async for piece in getattr(response, f"a{method}")(size)]

    asyncio.run(main())
