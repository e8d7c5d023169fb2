"""multipart/form-data (RFC 7578) as a stream: files are read as they are sent."""

import os
from _collections_abc import Mapping

from ._content import CHUNK_SIZE, peek_filelike_length
from ._transports.base import AsyncByteStream, SyncByteStream
from ._utils import primitive_value_to_str, to_bytes

# How HTML's forms write what would end a quoted name. ESC is left alone: it shifts the character set in ISO-2022.
_ESCAPES = {code: f"%{code:02X}" for code in range(0x20) if code != 0x1B}
_ESCAPES[ord('"')] = "%22"
_ESCAPES[ord("\\")] = "\\\\"


def _parameter(name, value):
    return f'{name}="{value.translate(_ESCAPES)}"'.encode()


def _guess_content_type(filename):
    """The media type for a file's name; None for no name."""
    if not filename:
        return None
    import mimetypes

    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def get_multipart_boundary_from_content_type(content_type):
    """The boundary that a Content-Type field, as bytes, announces; None if there is none (RFC 2046, 5.1.1)."""
    if not content_type or not content_type.startswith(b"multipart/form-data"):
        return None
    for parameter in content_type.split(b";")[1:]:
        parameter = parameter.strip()
        if parameter[:9].lower() == b"boundary=":
            return parameter[9:].strip(b'"')
    return None


def _check_name(name):
    if not isinstance(name, str):
        raise TypeError(f"Invalid type for name. Expected str, got {type(name)}: {name!r}")


class DataField:
    """A value of the form."""

    def __init__(self, name, value):
        _check_name(name)
        if value is not None and not isinstance(value, (str, bytes, int, float)):
            raise TypeError(f"Invalid type for value. Expected primitive type, got {type(value)}: {value!r}")
        self.name = name
        self.value = value if isinstance(value, bytes) else primitive_value_to_str(value)
        self._head = b"Content-Disposition: form-data; " + _parameter("name", name) + b"\r\n\r\n"
        self._body = to_bytes(self.value)

    def get_length(self):
        return len(self._head) + len(self._body)

    def render(self):
        yield self._head
        yield self._body


class FileField:
    """A file of the form: a binary file, bytes, str, or a tuple (filename, file[, content_type[, headers]])."""

    CHUNK_SIZE = CHUNK_SIZE

    def __init__(self, name, value):
        content_type, headers = None, {}
        if isinstance(value, tuple):
            filename, file, *rest = value
            if rest:
                content_type, *rest = rest
            if rest:
                (headers,) = rest
        else:
            # A name may be a path, or a file descriptor's number.
            filename, file = os.path.basename(str(getattr(value, "name", "upload"))), value
        _check_name(name)
        _check_binary(file)
        self.name = name
        self.filename = filename
        self.file = file
        self.headers = self._part_headers(filename, content_type, headers)
        self._head = self._render_head()

    @staticmethod
    def _part_headers(filename, content_type, headers):
        headers = dict(headers)
        if content_type is None:
            content_type = _guess_content_type(filename)
        # A type among the headers wins over the one in the tuple.
        if content_type is not None and not any("content-type" in key.lower() for key in headers):
            headers["Content-Type"] = content_type
        return headers

    def _render_head(self):
        head = b"Content-Disposition: form-data; " + _parameter("name", self.name)
        if self.filename:
            head += b"; " + _parameter("filename", self.filename)
        for key, value in self.headers.items():
            line = f"{key}: {value}"
            if any(character in line for character in "\r\n\0"):
                raise ValueError(f"Illegal character in a field of the file {self.name!r}: {line!r}")
            head += b"\r\n" + line.encode()
        return head + b"\r\n\r\n"

    def get_length(self):
        """The part's length; None if the file does not tell its own."""
        if isinstance(self.file, (str, bytes)):
            return len(self._head) + len(to_bytes(self.file))
        length = peek_filelike_length(self.file)
        return None if length is None else len(self._head) + length

    def render(self):
        yield self._head
        if isinstance(self.file, (str, bytes)):
            yield to_bytes(self.file)
            return
        self._rewind()
        while chunk := self.file.read(self.CHUNK_SIZE):
            yield to_bytes(chunk)

    def _rewind(self):
        """To the beginning: a form may be sent twice, and its length is that of the whole file."""
        if hasattr(self.file, "seek"):
            import io

            try:
                self.file.seek(0)
            except io.UnsupportedOperation:
                pass


def _check_binary(file):
    import io

    if isinstance(file, io.StringIO):
        raise TypeError("Multipart file uploads require 'io.BytesIO', not 'io.StringIO'.")
    if isinstance(file, io.TextIOBase):
        raise TypeError("Multipart file uploads must be opened in binary mode, not text mode.")


class MultipartStream(SyncByteStream, AsyncByteStream):
    """The body of a form with files."""

    def __init__(self, data, files, boundary=None):
        self.boundary = os.urandom(16).hex().encode("ascii") if boundary is None else boundary
        self.content_type = f"multipart/form-data; boundary={self.boundary.decode('ascii')}"
        self.fields = list(self._iter_fields(data, files))

    @staticmethod
    def _iter_fields(data, files):
        for name, value in data.items():
            for item in value if isinstance(value, (tuple, list)) else (value,):
                yield DataField(name, item)
        for name, value in files.items() if isinstance(files, Mapping) else files:
            yield FileField(name, value)

    def iter_chunks(self):
        """The body, piece by piece."""
        for field in self.fields:
            yield b"--%s\r\n" % self.boundary
            yield from field.render()
            yield b"\r\n"
        yield b"--%s--\r\n" % self.boundary

    def get_content_length(self):
        """The body's length; None if one of the files does not tell its own."""
        around = len(b"--\r\n\r\n") + len(self.boundary)
        length = len(b"----\r\n") + len(self.boundary)
        for field in self.fields:
            inside = field.get_length()
            if inside is None:
                return None
            length += around + inside
        return length

    def get_headers(self):
        """The fields that describe the body."""
        length = self.get_content_length()
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        return {**framing, "Content-Type": self.content_type}

    def __iter__(self):
        return self.iter_chunks()

    async def __aiter__(self):
        for chunk in self.iter_chunks():
            yield chunk
