"""Bodies: what describes them, what they stream, and being streamed twice."""

import asyncio
import gzip
import io
import json
import math
import os

import pytest

import requestx
from requestx import _content


def encoded(**body):
    """The fields and the body of a request, read both ways where that is possible."""
    request = requestx.Request("POST", "https://example.org/", **body)
    fields = {
        name: value
        for name, value in request.headers.items()
        if name in ("content-length", "content-type", "transfer-encoding")
    }
    return fields, request.read()


def test_nothing():
    assert encoded() == ({"content-length": "0"}, b"")
    get = requestx.Request("GET", "https://example.org/")
    assert list(get.headers) == ["host"]


@pytest.mark.parametrize("content", [b"body", "body"])
def test_content(content):
    assert encoded(content=content) == ({"content-length": "4"}, b"body")


def test_text_is_utf8():
    assert encoded(content="\u00e9") == ({"content-length": "2"}, b"\xc3\xa9")


@pytest.mark.parametrize("content", [{"a": 1}, 5, object()])
def test_content_of_another_type(content):
    with pytest.raises(TypeError, match="Unexpected type for 'content'"):
        encoded(content=content)


def test_iterators():
    assert encoded(content=iter([b"a", b"b"])) == ({"transfer-encoding": "chunked"}, b"ab")
    assert encoded(content=(part for part in (b"a", b"b"))) == ({"transfer-encoding": "chunked"}, b"ab")


def test_length_given_beforehand():
    fields, body = encoded(content=iter([b"a", b"b"]), headers={"Content-Length": "2"})
    assert fields == {"content-length": "2"}
    assert body == b"ab"


# files


def test_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        assert encoded(content=file) == ({"content-length": "10"}, b"0123456789")
        file.seek(4)
        assert encoded(content=file) == ({"content-length": "6"}, b"456789"), "from where it stands"
        assert encoded(content=file) == ({"content-length": "0"}, b""), "it stands at its end now"
    assert encoded(content=io.BytesIO(b"0123")) == ({"content-length": "4"}, b"0123")


def test_file_streamed_twice():
    file = io.BytesIO(b"0123456789")
    file.seek(2)
    stream = _content.IteratorByteStream(file)
    assert b"".join(stream) == b"".join(stream) == b"23456789"


def test_file_in_pieces():
    stream = _content.IteratorByteStream(io.BytesIO(bytes(200_000)))
    assert [len(piece) for piece in stream] == [65_536, 65_536, 65_536, 3_392]


def test_pipe_has_no_length():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        writer.write(b"from a pipe")
        writer.close()
        assert encoded(content=reader) == ({"transfer-encoding": "chunked"}, b"from a pipe")


def test_iterable_file_without_length():
    class Unseekable:
        def __iter__(self):
            raise AssertionError("it has read()")

        def __init__(self):
            self.left = [b"a", b"b"]

        def read(self, size):
            return self.left.pop(0) if self.left else b""

    assert encoded(content=Unseekable()) == ({"transfer-encoding": "chunked"}, b"ab")


def test_redirect_sends_a_file_again():
    got = []

    def handler(request):
        got.append(request.read())
        return requestx.Response(307, headers={"Location": "/b"}) if len(got) == 1 else requestx.Response(200)

    client = requestx.Client(transport=requestx.MockTransport(handler), follow_redirects=True)
    assert client.post("https://example.org/a", content=io.BytesIO(b"file")).status_code == 200
    assert got == [b"file", b"file"]


# async bodies


def test_async_iterator():
    async def body():
        yield b"a"
        yield b"b"

    async def main():
        request = requestx.Request("POST", "https://example.org/", content=body())
        assert request.headers["Transfer-Encoding"] == "chunked"
        with pytest.raises(requestx.RequestNotRead):
            request.content  # noqa: B018
        assert await request.aread() == b"ab"
        assert request.content == b"ab"

    asyncio.run(main())


def test_async_generator_once_only():
    async def body():
        yield b"a"

    async def main():
        stream = _content.AsyncIteratorByteStream(body())
        assert [part async for part in stream] == [b"a"]
        with pytest.raises(requestx.StreamConsumed):
            [part async for part in stream]

    asyncio.run(main())


def test_async_file():
    class File:
        def __aiter__(self):
            raise AssertionError("it has aread()")

        def __init__(self):
            self.left = [b"a", b"b"]

        async def aread(self, size):
            return self.left.pop(0) if self.left else b""

    async def main():
        return [part async for part in _content.AsyncIteratorByteStream(File())]

    assert asyncio.run(main()) == [b"a", b"b"]


def test_wrong_kind_of_body_for_the_client():
    async def async_body():
        yield b"a"

    def body():
        yield b"a"

    transport = requestx.MockTransport(lambda request: requestx.Response(200))

    async def main():
        async with requestx.AsyncClient(transport=transport) as client:
            with pytest.raises(RuntimeError, match="sync request with an AsyncClient"):
                await client.post("https://example.org/", content=body())

    asyncio.run(main())
    with requestx.Client(transport=transport) as client:
        with pytest.raises(RuntimeError, match="async request with a sync Client"):
            client.post("https://example.org/", content=async_body())


# forms and JSON


def test_form():
    form = {"a": 1, "b": [True, None, "x y"], "c": ("\u00e9", 1.5), "d": False, "e": ""}
    fields, body = encoded(data=form)
    assert body == b"a=1&b=true&b=&b=x+y&c=%C3%A9&c=1.5&d=false&e="
    assert fields == {
        "content-length": str(len(body)),
        "content-type": "application/x-www-form-urlencoded",
    }


def test_empty_form():
    assert encoded(data={}) == ({"content-length": "0"}, b"")


@pytest.mark.parametrize("data", [b"raw", "raw", iter([b"raw"])])
def test_raw_data_is_deprecated(data):
    with pytest.warns(DeprecationWarning, match="content=<...>"):
        _, body = encoded(data=data)
    assert body == b"raw"


@pytest.mark.parametrize("value", [{"a": ["\u00e9", None]}, [], "text", 0, False, {}])
def test_json(value):
    fields, body = encoded(json=value)
    assert json.loads(body) == value
    assert b" " not in body
    assert fields == {"content-length": str(len(body)), "content-type": "application/json"}


def test_json_that_is_none():
    assert encoded(json=None) == ({"content-length": "0"}, b"")


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_json_has_no_infinities(value):
    with pytest.raises(ValueError):
        encoded(json=value)


def test_own_content_type_stays():
    fields, _ = encoded(json={}, headers={"Content-Type": "application/vnd.api+json"})
    assert fields["content-type"] == "application/vnd.api+json"


def test_first_of_the_bodies_counts():
    assert encoded(content=b"content", data={"a": 1}, json={"b": 2})[1] == b"content"
    assert encoded(data={"a": 1}, json={"b": 2})[1] == b"a=1"


# responses


def test_response_bodies():
    assert requestx.Response(200, text="\u00e9").headers["Content-Type"] == "text/plain; charset=utf-8"
    assert requestx.Response(200, html="<p>").headers["Content-Type"] == "text/html; charset=utf-8"
    assert requestx.Response(200, json={"a": 1}).content == b'{"a":1}'
    assert requestx.Response(200, content=iter([b"a", b"b"])).read() == b"ab"
    assert "Content-Length" not in requestx.Response(200).headers


def test_gzip_file_is_read_decompressed():
    packed = gzip.compress(b"text" * 100)
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        _, body = encoded(content=file)
    assert body == b"text" * 100
