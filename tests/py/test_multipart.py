"""Forms with files: read back with the standard library's own parser."""

import email.parser
import email.policy
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import requestx
from requestx._multipart import MultipartStream, get_multipart_boundary_from_content_type


def parts_of(request):
    """[(name, filename, fields, content)] of a multipart request, whose length must be as announced."""
    body = request.read()
    if "Content-Length" in request.headers:
        assert len(body) == int(request.headers["Content-Length"])
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    assert message.is_multipart() or not list(message.iter_parts())
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            {key.lower(): value for key, value in part.items()},
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


def post(**body):
    return requestx.Request("POST", "https://example.org/", **body)


def test_data_and_files():
    request = post(data={"a": "1", "b": ["x", 2, None, True, b"raw"]}, files={"f": ("name.txt", b"content")})
    got = [(name, filename, content) for name, filename, _, content in parts_of(request)]
    assert got == [
        ("a", None, b"1"),
        ("b", None, b"x"),
        ("b", None, b"2"),
        ("b", None, b""),
        ("b", None, b"true"),
        ("b", None, b"raw"),
        ("f", "name.txt", b"content"),
    ]


@pytest.mark.parametrize(
    ("file", "filename", "content_type"),
    [
        (b"bytes", "upload", "application/octet-stream"),
        ("text", "upload", "application/octet-stream"),
        (("a.png", b"bytes"), "a.png", "image/png"),
        (("a.png", b"bytes", "text/x-own"), "a.png", "text/x-own"),
        (("a.png", b"bytes", None), "a.png", "image/png"),
        (("a", b"bytes", None, {"X-Part": "1"}), "a", "application/octet-stream"),
        (("a", b"bytes", "text/plain", {"content-type": "text/own"}), "a", "text/own"),
        ((None, b"bytes"), None, None),
        ((None, b"bytes", "text/plain"), None, "text/plain"),
        (("", b"bytes"), None, None),
    ],
)
def test_kinds_of_files(file, filename, content_type):
    ((name, got_filename, fields, content),) = parts_of(post(files={"f": file}))
    assert (name, got_filename, fields.get("content-type")) == ("f", filename, content_type)
    assert content in (b"bytes", b"text")


def test_the_callers_headers_are_not_changed():
    headers = {"X-Part": "1"}
    post(files={"f": ("a.png", b"bytes", None, headers)})
    assert headers == {"X-Part": "1"}


def test_open_file(tmp_path):
    path = tmp_path / "upload.json"
    path.write_bytes(b"{}")
    with path.open("rb") as file:
        file.seek(1)
        request = post(files={"f": file})
        ((_, filename, fields, content),) = parts_of(request)
    assert (filename, fields["content-type"], content) == ("upload.json", "application/json", b"{}")


def test_files_as_pairs_repeat():
    request = post(files=[("f", ("1", b"one")), ("f", ("2", b"two"))])
    assert [(name, content) for name, _, _, content in parts_of(request)] == [("f", b"one"), ("f", b"two")]


def test_unknown_length():
    class Endless:
        def __init__(self):
            self.left = [b"a", b"b"]

        def read(self, size):
            return self.left.pop(0) if self.left else b""

    request = post(files={"f": Endless()})
    assert request.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in request.headers
    assert parts_of(request)[0][3] == b"ab"


def test_unseekable_file():
    class Once(io.BytesIO):
        def seek(self, *arguments):
            raise io.UnsupportedOperation

    request = post(files={"f": Once(b"bytes")})
    assert request.headers["Transfer-Encoding"] == "chunked"
    assert parts_of(request)[0][3] == b"bytes"


def test_streamed_in_pieces_and_twice():
    stream = MultipartStream({}, {"f": io.BytesIO(bytes(200_000))})
    first, second = list(stream), list(stream)
    assert first == second
    assert max(map(len, first)) == 65_536
    assert stream.get_content_length() == sum(map(len, first))


@pytest.mark.parametrize("mode", ["text", "stringio"])
def test_text_files_are_refused(mode, tmp_path):
    path = tmp_path / "f"
    path.write_text("text")
    with io.StringIO("text") if mode == "stringio" else path.open() as file:
        with pytest.raises(TypeError, match="io.BytesIO|binary mode"):
            post(files={"f": file})


@pytest.mark.parametrize("data", [{1: "a"}, {b"a": "b"}])
def test_names_are_text(data):
    with pytest.raises(TypeError, match="Invalid type for name"):
        post(data=data, files={"f": b""})


@pytest.mark.parametrize("value", [object(), {"a": 1}, [["nested"]]])
def test_values_are_plain(value):
    with pytest.raises(TypeError, match="Invalid type for value"):
        post(data={"a": value}, files={"f": b""})


@pytest.mark.parametrize("name", ['quote"', "back\\slash", "new\r\nline", "nul\0", "\x1b$B", "\u00e9"])
def test_names_are_escaped(name):
    head = next(iter(MultipartStream({name: "v"}, {}).fields[0].render()))
    assert head.count(b"\r\n") == 2
    assert b'name="' in head
    inside = head[head.index(b'"') + 1 : head.rindex(b'"')]
    assert b'"' not in inside and b"\r" not in inside and b"\0" not in inside
    assert (b"\x1b" in inside) == ("\x1b" in name), "the escape of ISO-2022 is text"


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"X\r\nEvil": "1"}, {"X": "\0"}, {"X": "a\n"}])
def test_fields_of_a_part_cannot_be_split(headers):
    with pytest.raises(ValueError, match="Illegal character"):
        post(files={"f": ("a", b"", None, headers)})


# boundaries


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'multipart/form-data; boundary="a b c"', b"a b c"),
        (b"multipart/form-data; charset=utf-8; BOUNDARY=abc", b"abc"),
        (b"multipart/form-data", None),
        (b"multipart/form-data; charset=utf-8", None),
        (b"multipart/mixed; boundary=abc", None),
        (b"", None),
        (None, None),
    ],
)
def test_boundary_of_the_header(content_type, boundary):
    assert get_multipart_boundary_from_content_type(content_type) == boundary


def test_own_boundary_is_used():
    request = post(files={"f": b"x"}, headers={"Content-Type": "multipart/form-data; boundary=+++"})
    assert request.read().startswith(b"--+++\r\n")
    assert request.read().endswith(b"\r\n--+++--\r\n")


def test_boundaries_differ():
    boundaries = {MultipartStream({}, {}).boundary for _ in range(20)}
    assert len(boundaries) == 20
    assert all(len(boundary) == 32 for boundary in boundaries)


@given(
    st.dictionaries(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), st.binary(), max_size=4),
    st.lists(st.tuples(st.text("abc", min_size=1), st.binary()), max_size=4),
)
def test_length_is_always_right(data, files):
    stream = MultipartStream(data, [(name, (name, content)) for name, content in files])
    body = b"".join(stream)
    assert stream.get_content_length() == len(body)
    assert int(stream.get_headers()["Content-Length"]) == len(body)
    for content in [*data.values(), *(content for _, content in files)]:
        assert content in body


def test_named_by_path_and_descriptor(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:
        ((_, filename, _, _),) = parts_of(post(files={"f": file}))
    assert filename == str(file.name)


@pytest.mark.parametrize("name", [b"name", 1, None])
def test_names_of_files_are_text(name):
    with pytest.raises(TypeError, match="Invalid type for name. Expected str"):
        requestx.Request("POST", "http://example.org/", files=[(name, b"body")])
