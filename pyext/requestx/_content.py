"""What a body is made of: streams over bytes, iterators and files, and the fields that describe them."""

from _collections_abc import AsyncIterable, Iterable, Mapping

from ._exceptions import StreamClosed, StreamConsumed
from ._transports.base import AsyncByteStream, SyncByteStream
from ._utils import primitive_value_to_str, public

CHUNK_SIZE = 65_536


def _generator():
    yield


async def _async_generator():
    yield


_GENERATOR = type(_generator())
_ASYNC_GENERATOR = type(_async_generator())


@public
class ByteStream(AsyncByteStream, SyncByteStream):
    """A body that is in memory."""

    def __init__(self, stream):
        self._stream = stream

    def __iter__(self):
        yield self._stream

    async def __aiter__(self):
        yield self._stream


class IteratorByteStream(SyncByteStream):
    """A body from an iterable, or from a file, which is read in pieces."""

    CHUNK_SIZE = CHUNK_SIZE

    def __init__(self, stream):
        self._stream = stream
        self._is_stream_consumed = False
        self._is_generator = type(stream) is _GENERATOR
        self._start = _position(stream)

    def __iter__(self):
        if self._is_stream_consumed:
            if self._is_generator:
                raise StreamConsumed()
            if self._start is not None:
                # Once more for a redirect, or for an authentication flow: from where it began.
                self._stream.seek(self._start)
        self._is_stream_consumed = True
        if hasattr(self._stream, "read"):
            while chunk := self._stream.read(self.CHUNK_SIZE):
                yield chunk
        else:
            yield from self._stream


class AsyncIteratorByteStream(AsyncByteStream):
    """A body from an async iterable, or from an async file."""

    CHUNK_SIZE = CHUNK_SIZE

    def __init__(self, stream):
        self._stream = stream
        self._is_stream_consumed = False
        self._is_generator = type(stream) is _ASYNC_GENERATOR

    async def __aiter__(self):
        if self._is_stream_consumed and self._is_generator:
            raise StreamConsumed()
        self._is_stream_consumed = True
        if hasattr(self._stream, "aread"):
            while chunk := await self._stream.aread(self.CHUNK_SIZE):
                yield chunk
        else:
            async for chunk in self._stream:
                yield chunk


class UnattachedStream(AsyncByteStream, SyncByteStream):
    """The stream of a request or response that was pickled: there is nothing left to read it from."""

    def __iter__(self):
        raise StreamClosed()

    async def __aiter__(self):
        raise StreamClosed()
        yield


def _position(stream):
    """Where a file stands, if it can be put back there."""
    if not hasattr(stream, "read"):
        return None
    try:
        position = stream.tell()
        return position if stream.seekable() else None
    except (AttributeError, OSError):
        return None


def remaining_length(stream):
    """How many bytes a file has left, found without reading them; None where it cannot be told."""
    length = _file_length(stream)
    if length is None:
        return None
    position = _position(stream)
    return length if position is None else max(length - position, 0)


def _file_length(stream):
    import os
    import stat

    try:
        status = os.fstat(stream.fileno())
        # A pipe or a terminal has a descriptor too, but its size says nothing.
        return status.st_size if stat.S_ISREG(status.st_mode) else None
    except (AttributeError, OSError):
        pass
    try:
        position = stream.tell()
        length = stream.seek(0, os.SEEK_END)
        stream.seek(position)
    except (AttributeError, OSError):
        return None
    return length


def peek_filelike_length(stream):
    """The length of a whole file, wherever it stands; None where it cannot be told."""
    return _file_length(stream)


# encoders: each gives the fields that describe the body, and its stream


def _in_memory(body, content_type):
    return {"Content-Length": str(len(body)), "Content-Type": content_type}, ByteStream(body)


def encode_content(content):
    """A body given as it is to be sent."""
    if isinstance(content, (bytes, str)):
        body = content.encode("utf-8") if isinstance(content, str) else content
        return {"Content-Length": str(len(body))} if body else {}, ByteStream(body)
    if isinstance(content, Iterable) and not isinstance(content, dict):
        # A dict is iterable too, but whoever passes one meant `data=` or `json=`.
        length = remaining_length(content)
        headers = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        return headers, IteratorByteStream(content)
    if isinstance(content, AsyncIterable):
        return {"Transfer-Encoding": "chunked"}, AsyncIteratorByteStream(content)
    raise TypeError(f"Unexpected type for 'content', {type(content)!r}")


def encode_urlencoded_data(data):
    """A form."""
    from urllib.parse import urlencode

    pairs = []
    for key, value in data.items():
        values = value if isinstance(value, (list, tuple)) else (value,)
        pairs += [(key, primitive_value_to_str(item)) for item in values]
    return _in_memory(urlencode(pairs, doseq=True).encode("utf-8"), "application/x-www-form-urlencoded")


def encode_multipart_data(data, files, boundary):
    """A form with files."""
    from ._multipart import MultipartStream

    stream = MultipartStream(data=data, files=files, boundary=boundary)
    return stream.get_headers(), stream


def encode_text(text):
    return _in_memory(text.encode("utf-8"), "text/plain; charset=utf-8")


def encode_html(html):
    return _in_memory(html.encode("utf-8"), "text/html; charset=utf-8")


def encode_json(json):
    from json import dumps

    text = dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _in_memory(text.encode("utf-8"), "application/json")


def encode_request(content=None, data=None, files=None, json=None, boundary=None):
    """The fields and the stream of a request's body: of the first of its arguments that says anything."""
    if data is not None and not isinstance(data, Mapping):
        import warnings

        # requests takes a raw body as `data`, too.
        warnings.warn("Use 'content=<...>' to upload raw bytes/text content.", DeprecationWarning, stacklevel=2)
        return encode_content(data)
    if content is not None:
        return encode_content(content)
    if files:
        return encode_multipart_data(data or {}, files, boundary)
    if data:
        return encode_urlencoded_data(data)
    if json is not None:
        return encode_json(json)
    return {}, ByteStream(b"")


def encode_response(content=None, text=None, html=None, json=None):
    """The fields and the stream of a response's body."""
    if content is not None:
        return encode_content(content)
    if text is not None:
        return encode_text(text)
    if html is not None:
        return encode_html(html)
    if json is not None:
        return encode_json(json)
    return {}, ByteStream(b"")
