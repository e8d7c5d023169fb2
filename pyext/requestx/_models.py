"""Request and Response: the methods that the extension's RequestBase and ResponseBase leave to Python."""

from . import _core
from ._exceptions import HTTPStatusError, StreamClosed, StreamConsumed, request_context
from ._transports.base import AsyncByteStream, SyncByteStream
from ._utils import public


@public
class Request(_core.RequestBase):
    """A request: method, URL, headers and body, as it is to be sent.

    `content` is bytes, str, an iterable or an async iterable of bytes; `data` a form, `files` its multipart files,
    `json` anything that JSON can write. `stream` is a ready stream, which no header is derived of.
    """

    __slots__ = ()

    def read(self):
        """Reads the body into memory, and gives it."""
        try:
            return self._content
        except AttributeError:
            pass
        assert isinstance(self.stream, SyncByteStream) or hasattr(self.stream, "__iter__")
        return self._keep(b"".join(self.stream))  # pyright: ignore[reportArgumentType]

    async def aread(self):
        """Reads the body into memory, and gives it."""
        try:
            return self._content
        except AttributeError:
            pass
        assert isinstance(self.stream, AsyncByteStream) or hasattr(self.stream, "__aiter__")
        parts = [part async for part in self.stream]  # pyright: ignore[reportGeneralTypeIssues]
        return self._keep(b"".join(parts))

    def _keep(self, content):
        from ._content import ByteStream

        if not isinstance(self.stream, ByteStream):
            # It may have been readable once only.
            self.stream = ByteStream(content)
        self._content = content
        return content

    def __repr__(self):
        return f"<{type(self).__name__}({self.method!r}, {str(self.url)!r})>"

    def __reduce__(self):
        return _unpickled_request, (type(self),), self.__getstate__()

    def __getstate__(self):
        state = {"method": self.method, "url": self.url, "headers": self.headers}
        if hasattr(self, "_content"):
            state["_content"] = self._content
        return {**state, **self.__dict__}

    def __setstate__(self, state):
        from ._content import UnattachedStream

        for name, value in state.items():
            setattr(self, name, value)
        self.extensions = {}
        self.stream = UnattachedStream()


def _unpickled_request(cls):
    return cls.__new__(cls)


@public
class Response(_core.ResponseBase):
    """A response: status, headers and body.

    Of a response that was made with `client.stream()` or `send(stream=True)` the body is still to be read, with
    `read()`, one of the `iter_...()` methods or their async twins.
    """

    __slots__ = ()

    def __repr__(self):
        return f"<Response [{self.status_code} {self.reason_phrase}]>"

    # text

    @property
    def encoding(self):
        """The encoding of the text: as set, else of Content-Type, else the default."""
        try:
            return self.__dict__["_encoding"]
        except KeyError:
            pass
        encoding = self.charset_encoding
        if encoding is None or not _is_known(encoding):
            default = self.default_encoding
            if isinstance(default, str):
                encoding = default
            elif hasattr(self, "_content"):
                encoding = default(self._content)
            else:
                encoding = None
        return self.__dict__.setdefault("_encoding", encoding or "utf-8")

    @encoding.setter
    def encoding(self, value):
        if hasattr(self, "_text"):
            raise ValueError("Setting encoding after `text` has been accessed is not allowed.")
        self.__dict__["_encoding"] = value

    @property
    def charset_encoding(self):
        """The charset of Content-Type, or None."""
        content_type = self.headers.get("Content-Type")
        return None if content_type is None else _charset_of(content_type)

    def _text_of(self, content):
        decoder = _text_decoder(self.encoding)
        return decoder.decode(content, True)

    # what the headers say

    @property
    def cookies(self):
        """The cookies that the response sets."""
        try:
            return self.__dict__["_cookies"]
        except KeyError:
            from ._cookies import Cookies

            cookies = Cookies()
            cookies.extract_cookies(self)  # pyright: ignore[reportArgumentType] - the stub has a class of its own
            # Another thread may have been quicker: all get the same.
            return self.__dict__.setdefault("_cookies", cookies)

    @property
    def links(self):
        """The Link header's links, by relation or URL."""
        header = self.headers.get("link")
        if header is None:
            return {}
        return {link.get("rel") or link.get("url"): link for link in _parse_links(header)}

    def _raise_for_status(self):
        request = self._request
        if request is None:
            raise RuntimeError(
                "Cannot call `raise_for_status` as the request instance has not been set on this response."
            )
        if self.is_success:
            return self
        kinds = {1: "Informational response", 3: "Redirect response", 4: "Client error", 5: "Server error"}
        status = self.status_code
        kind = kinds.get(status // 100, "Invalid status code")
        message = f"{kind} '{status} {self.reason_phrase}' for url '{self.url}'\n"
        if self.has_redirect_location:
            message += f"Redirect location: '{self.headers['location']}'\n"
        message += f"For more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/{status}"
        raise HTTPStatusError(message, request=request, response=self)  # pyright: ignore[reportArgumentType]

    # the body, read by a thread

    def read(self):
        """Reads the body into memory, and gives it."""
        try:
            return self._content
        except AttributeError:
            pass
        self._content = content = b"".join(self.iter_bytes())
        return content

    def _read_in_passing(self):
        """Reads the body of a response that another request follows; one that is too long for that is given up."""
        if hasattr(self, "_content"):
            return
        pieces = []
        for raw in self.iter_raw():
            pieces.append(raw)
            if self._num_bytes_downloaded > _core.MAX_REDIRECT_BODY:
                return self.close()
        self._content = self._decoded(b"".join(pieces))

    def iter_bytes(self, chunk_size=None):
        """The body's bytes, decoded, as they come or in pieces of chunk_size."""
        if hasattr(self, "_content"):
            yield from _pieces(self._content, chunk_size)
            return
        decoder = self._content_decoder()
        chunker = _Chunker(b"", chunk_size)
        with request_context(self._request):
            for raw in self.iter_raw():
                yield from chunker.push(decoder.decode(raw))
            yield from chunker.push(decoder.flush())
            yield from chunker.flush()

    def iter_text(self, chunk_size=None):
        """The body's text, as it comes or in pieces of chunk_size characters."""
        decoder = _text_decoder(self.encoding)
        chunker = _Chunker("", chunk_size)
        with request_context(self._request):
            for content in self.iter_bytes():
                yield from chunker.push(decoder.decode(content))
            yield from chunker.push(decoder.decode(b"", True))
            yield from chunker.flush()

    def iter_lines(self):
        """The lines of the body's text, without their ends."""
        lines = _Lines()
        with request_context(self._request):
            for text in self.iter_text():
                yield from lines.push(text)
            yield from lines.flush()

    def iter_raw(self, chunk_size=None):
        """The body's bytes as they were received, with their content coding."""
        self._start_raw(SyncByteStream, "Attempted to call a sync iterator on an async stream.")
        chunker = _Chunker(b"", chunk_size)
        with request_context(self._request):
            for raw in self.stream:  # pyright: ignore[reportGeneralTypeIssues] - _start_raw() looked
                self._num_bytes_downloaded += len(raw)
                yield from chunker.push(raw)
        yield from chunker.flush()
        self.close()

    def close(self):
        """Closes the response: what was not read is given up, and the connection is free for others."""
        if not isinstance(self.stream, SyncByteStream):
            raise RuntimeError("Attempted to call an sync close on an async stream.")
        if self._begin_close():
            with request_context(self._request):
                self.stream.close()

    # the body, awaited

    async def aread(self):
        """Reads the body into memory, and gives it."""
        try:
            return self._content
        except AttributeError:
            pass
        self._content = content = b"".join([part async for part in self.aiter_bytes()])
        return content

    async def _aread_in_passing(self):
        if hasattr(self, "_content"):
            return
        pieces = []
        raws = self.aiter_raw()
        try:
            async for raw in raws:
                pieces.append(raw)
                if self._num_bytes_downloaded > _core.MAX_REDIRECT_BODY:
                    return await self.aclose()
        finally:
            await raws.aclose()
        self._content = self._decoded(b"".join(pieces))

    async def aiter_bytes(self, chunk_size=None):
        """The body's bytes, decoded, as they come or in pieces of chunk_size."""
        if hasattr(self, "_content"):
            for piece in _pieces(self._content, chunk_size):
                yield piece
            return
        decoder = self._content_decoder()
        chunker = _Chunker(b"", chunk_size)
        with request_context(self._request):
            async for raw in self.aiter_raw():
                for piece in chunker.push(decoder.decode(raw)):
                    yield piece
            for piece in chunker.push(decoder.flush()):
                yield piece
            for piece in chunker.flush():
                yield piece

    async def aiter_text(self, chunk_size=None):
        """The body's text, as it comes or in pieces of chunk_size characters."""
        decoder = _text_decoder(self.encoding)
        chunker = _Chunker("", chunk_size)
        with request_context(self._request):
            async for content in self.aiter_bytes():
                for piece in chunker.push(decoder.decode(content)):
                    yield piece
            for piece in chunker.push(decoder.decode(b"", True)):
                yield piece
            for piece in chunker.flush():
                yield piece

    async def aiter_lines(self):
        """The lines of the body's text, without their ends."""
        lines = _Lines()
        with request_context(self._request):
            async for text in self.aiter_text():
                for line in lines.push(text):
                    yield line
            for line in lines.flush():
                yield line

    async def aiter_raw(self, chunk_size=None):
        """The body's bytes as they were received, with their content coding."""
        self._start_raw(AsyncByteStream, "Attempted to call an async iterator on an sync stream.")
        chunker = _Chunker(b"", chunk_size)
        with request_context(self._request):
            async for raw in self.stream:  # pyright: ignore[reportGeneralTypeIssues] - _start_raw() looked
                self._num_bytes_downloaded += len(raw)
                for piece in chunker.push(raw):
                    yield piece
        for piece in chunker.flush():
            yield piece
        await self.aclose()

    async def aclose(self):
        """Closes the response: what was not read is given up, and the connection is free for others."""
        if not isinstance(self.stream, AsyncByteStream):
            raise RuntimeError("Attempted to call an async close on an sync stream.")
        if self._begin_close():
            with request_context(self._request):
                await self.stream.aclose()

    # `with response:` closes it

    def __enter__(self):
        return self

    def __exit__(self, kind=None, error=None, traceback=None):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind=None, error=None, traceback=None):
        await self.aclose()

    def _start_raw(self, kind, refusal):
        if self.is_stream_consumed:
            raise StreamConsumed()
        if self.is_closed:
            raise StreamClosed()
        if not isinstance(self.stream, kind):
            raise RuntimeError(refusal)
        if not self._begin_stream():
            # Another thread was quicker.
            raise StreamConsumed()

    def _content_decoder(self):
        codings = self.headers.get_list("content-encoding", split_commas=True)
        known = _known_codings()
        codings = [coding for coding in map(str.lower, codings) if coding in known]
        if not codings:
            return _Identity()
        # What came over the network may be made to burst: it is decoded within limits.
        return _core.Decoder(", ".join(codings), limited=self.connection_id is not None)

    def _decoded(self, raw):
        """The body of a response that came as a whole. Asked for by `_core`, too, where a coding is one that it cannot undo."""
        decoder = self._content_decoder()
        with request_context(self._request):
            return (decoder.decode(raw) if raw else b"") + decoder.flush()

    # pickling

    def __reduce__(self):
        return _unpickled_response, (type(self),), self.__getstate__()

    def __getstate__(self):
        state = {
            "status_code": self.status_code,
            "headers": self.headers,
            "_request": self._request,
            "next_request": self.next_request,
            "history": self.history,
            "is_stream_consumed": self.is_stream_consumed,
            "default_encoding": self.default_encoding,
            "_num_bytes_downloaded": self.num_bytes_downloaded,
        }
        for name in ("_content", "_elapsed", "_text"):
            if hasattr(self, name):
                state[name] = getattr(self, name)
        return {**state, **self.__dict__}

    def __setstate__(self, state):
        from ._content import UnattachedStream

        for name, value in state.items():
            if name in ("_encoding", "_cookies"):
                self.__dict__[name] = value
            else:
                setattr(self, name, value)
        self.is_closed = True
        self.extensions = {}
        self.stream = UnattachedStream()


def _unpickled_response(cls):
    return cls.__new__(cls)


# pieces of text and bytes


class _Identity:
    """The decoder of a body that has no content coding."""

    def decode(self, data):
        return data

    def flush(self):
        return b""


def _known_codings():
    global _codings
    if _codings is None:
        _codings = frozenset(["x-gzip", *map(str.strip, _core.versions()["codings"].split(","))])
    return _codings


_codings = None


def _pieces(whole, size):
    size = max(len(whole) if size is None else size, 1)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


class _Chunker:
    """Gives on what it is given: as it is, or in pieces of one size and a rest."""

    def __init__(self, empty, size):
        if size is not None and size < 1:
            raise ValueError(f"chunk_size must be at least 1, not {size}")
        self._empty = empty
        self._size = size
        self._parts = []
        self._held = 0

    def push(self, part):
        if not part:
            return ()
        size = self._size
        if size is None:
            return (part,)
        self._parts.append(part)
        self._held += len(part)
        if self._held < size:
            return ()
        whole = self._empty.join(self._parts)
        cut = len(whole) - len(whole) % size
        rest = whole[cut:]
        self._parts = [rest] if rest else []
        self._held = len(rest)
        return [whole[start : start + size] for start in range(0, cut, size)]

    def flush(self):
        parts, self._parts = self._parts, []
        return (self._empty.join(parts),) if parts else ()


class _Lines:
    """Cuts text into lines as str.splitlines does, also where a line's end is cut in two."""

    def __init__(self):
        self._parts = []
        self._return = False

    def push(self, text):
        if self._return:
            text = "\r" + text
        self._return = text.endswith("\r")
        if self._return:
            # The "\n" that belongs to it may be still to come.
            text = text[:-1]
        if not text:
            return []
        ended = text[-1] in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
        lines = text.splitlines()
        if len(lines) == 1 and not ended:
            self._parts.append(lines[0])
            return []
        if self._parts:
            lines[0] = "".join([*self._parts, lines[0]])
            self._parts = []
        if not ended:
            self._parts = [lines.pop()]
        return lines

    def flush(self):
        if not self._parts and not self._return:
            return []
        line = "".join(self._parts)
        self._parts, self._return = [], False
        return [line]


def _text_decoder(encoding):
    import codecs

    return codecs.getincrementaldecoder(encoding or "utf-8")("replace")


def _is_known(encoding):
    import codecs

    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True


def _charset_of(content_type):
    _, mark, rest = content_type.partition(";")
    if not mark:
        return None
    name, equals, value = rest.partition("=")
    value = value.strip()
    if name.strip().lower() == "charset" and equals and value.replace("-", "").replace("_", "").isalnum():
        return value.lower()
    from email.message import Message

    message = Message()
    message["content-type"] = content_type
    return message.get_content_charset(failobj=None)


def _parse_links(value):
    """<URL>; name=value; name="value", ..."""
    import re

    quotes = " '\""
    value = value.strip(quotes)
    links = []
    for part in re.split(", *<", value) if value else ():
        url, _, params = part.partition(";")
        link = {"url": url.strip("<> '\"")}
        for param in params.split(";"):
            name, equals, content = param.partition("=")
            if not equals or "=" in content:
                break
            link[name.strip(quotes)] = content.strip(quotes)
        links.append(link)
    return links
