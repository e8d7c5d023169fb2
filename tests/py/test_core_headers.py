"""Headers: the list of fields, its encodings, and what changes it."""

import codecs
import copy
import pickle
from collections.abc import Mapping, MutableMapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requestx import Headers

names = st.text("abcXYZ-", min_size=1, max_size=4)
values = st.text("abc 1,é", max_size=5)


def test_what_it_can_be_made_of():
    pairs = [("A", "1"), ("b", "2")]
    for source in (pairs, tuple(pairs), dict(pairs), iter(pairs), Headers(pairs), [[*pair] for pair in pairs]):
        assert Headers(source).raw == [(b"A", b"1"), (b"b", b"2")]
    assert Headers().raw == Headers(None).raw == Headers({}).raw == []
    assert Headers({b"a": b"\xff"}).raw == [(b"a", b"\xff")]


def test_any_mapping_will_do():
    class Lazy(Mapping):
        def __getitem__(self, key):
            return {"x": "y"}[key]

        def __iter__(self):
            return iter(["x"])

        def __len__(self):
            return 1

    assert Headers(Lazy()).raw == [(b"x", b"y")]


@pytest.mark.parametrize("source", [{"a": 1}, {"a": None}, {1: "a"}, [("a", object())]])
def test_names_and_values_are_text_or_bytes(source):
    with pytest.raises(TypeError, match="must be str or bytes, not <class"):
        Headers(source)


@pytest.mark.parametrize("source", ["text", [("a",)], [("a", "b", "c")]])
def test_pairs_are_pairs(source):
    with pytest.raises(ValueError, match="values to unpack"):
        Headers(source)


def test_text_is_ascii_unless_told_otherwise():
    with pytest.raises(UnicodeEncodeError):
        Headers({"a": "é"})
    assert Headers({"a": "é"}, encoding="iso-8859-1").raw == [(b"a", b"\xe9")]


def test_the_encoding_is_the_narrowest_that_fits():
    assert Headers({"a": "b"}).encoding == "ascii"
    assert Headers([(b"a", "é".encode())]).encoding == "utf-8"
    assert Headers([(b"a", b"\xe9")]).encoding == "iso-8859-1"
    headers = Headers([(b"a", "é".encode())])
    headers.encoding = "iso-8859-1"
    assert headers["a"] == "Ã©"
    headers.encoding = None
    assert headers.encoding == "utf-8"


def test_what_is_utf_8_is_what_python_takes_for_it():
    def is_utf_8(text):
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
        return True

    tails = [b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf", b"\x80\xc0", b"a\x80", b"\x80\x80\x80", "é€😀".encode()]
    for first in range(0x80, 0x100):
        for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF):
            for tail in tails:
                text = bytes([first, second]) + tail
                assert (Headers([(b"a", text)]).encoding == "utf-8") == is_utf_8(text), text
        assert Headers([(bytes([first]), b"")]).encoding == "iso-8859-1"


def test_an_encoding_is_text():
    with pytest.raises(TypeError):
        Headers().encoding = 7


def test_it_is_a_mapping():
    headers = Headers({"A": "1"})
    assert isinstance(headers, MutableMapping)
    match headers:
        case {"a": value}:
            assert value == "1"
        case _:
            pytest.fail("no mapping pattern matched")
    assert {**headers} == {"a": "1"}


def test_repeated_fields():
    headers = Headers([("A", "1"), ("b", "x"), ("a", "2, 3")])
    assert headers["a"] == headers.get("A") == "1, 2, 3"
    assert headers.get_list("a") == ["1", "2, 3"]
    assert headers.get_list("a", split_commas=True) == ["1", "2", "3"]
    assert headers.multi_items() == [("a", "1"), ("b", "x"), ("a", "2, 3")]
    assert dict(headers.items()) == {"a": "1, 2, 3", "b": "x"}
    assert list(headers.values()) == ["1, 2, 3", "x"]
    assert len(headers) == 3 and list(headers) == ["a", "b"]


def test_setting_keeps_the_first_ones_place():
    headers = Headers([("a", "1"), ("b", "2"), ("A", "3"), ("c", "4"), ("a", "5")])
    headers["A"] = "new"
    assert headers.raw == [(b"A", b"new"), (b"b", b"2"), (b"c", b"4")]
    headers.set("d", "6")
    assert headers.raw[-1] == (b"d", b"6")


def test_adding_replaces_nothing():
    headers = Headers({"a": "1"})
    assert headers.add("A", "2") is None
    assert headers.raw == [(b"a", b"1"), (b"A", b"2")]
    with pytest.raises(TypeError):
        headers.add("a", 3)


def test_removing():
    headers = Headers([("a", "1"), ("b", "2"), ("a", "3")])
    assert headers.pop("A") == "1, 3"
    assert headers.pop("a", None) is None
    assert headers.pop("a", default="none") == "none"
    with pytest.raises(KeyError):
        headers.pop("a")
    with pytest.raises(KeyError):
        del headers["a"]
    assert headers.popitem() == ("b", "2")
    with pytest.raises(KeyError):
        headers.popitem()
    headers.update({"x": "1"})
    headers.clear()
    assert headers.raw == []


def test_update_replaces_by_name():
    headers = Headers([("a", "1"), ("b", "2"), ("a", "3")])
    headers.update([("A", "x"), ("A", "y"), ("c", "z")])
    assert headers.raw == [(b"b", b"2"), (b"A", b"x"), (b"A", b"y"), (b"c", b"z")]
    headers.update()
    headers.update(headers)
    assert headers.multi_items() == [("b", "2"), ("a", "x"), ("a", "y"), ("c", "z")]


def test_setdefault():
    headers = Headers({"a": "1"})
    assert headers.setdefault("A", "2") == "1"
    assert headers.setdefault("b", "3") == "3"
    assert headers["b"] == "3"


def test_equality_looks_at_fields_not_at_order_or_case():
    headers = Headers([("A", "1"), ("b", "2")])
    assert headers == {"b": "2", "a": "1"} == headers
    assert headers != {"a": "1"} and headers != "a: 1" and headers != 7 and headers != None  # noqa: E711
    with pytest.raises(TypeError):
        assert headers < Headers()
    with pytest.raises(TypeError):
        hash(headers)


def test_repr_hides_credentials():
    assert repr(Headers({"Authorization": "x", "a": "1"})) == "Headers({'authorization': '[secure]', 'a': '1'})"
    assert repr(Headers([("a", "1"), ("a", "2")])) == "Headers([('a', '1'), ('a', '2')])"

    class Mine(Headers):
        pass

    assert repr(Mine({b"a": "é".encode()})) == "Mine({'a': 'é'}, encoding='utf-8')"


def test_copies_are_apart():
    headers = Headers({b"a": b"\xff"})
    for twin in (headers.copy(), copy.copy(headers), copy.deepcopy(headers), pickle.loads(pickle.dumps(headers))):
        assert twin == headers and twin.encoding == headers.encoding
        twin["b"] = "1"
        assert "b" not in headers


def test_a_subclass_keeps_its_attributes():
    class Mine(Headers):
        def __init__(self):
            super().__init__({"a": "1"})
            self.extra = 1

    assert Mine().extra == 1 and Mine()["a"] == "1" and Mine().copy() == {"a": "1"}


def test_changes_while_iterating_do_no_harm():
    headers = Headers({f"n{i}": "v" for i in range(100)})
    for name in headers:
        del headers[name]
    assert len(headers) == 0

    def pairs():
        yield "a", "1"
        grown.clear()
        yield "b", "2"

    grown = Headers()
    grown.__init__(pairs())
    assert grown.raw == [(b"b", b"2")]


def test_many_fields():
    headers = Headers([("x", str(i)) for i in range(10_000)])
    headers["X"] = "one"
    assert headers.raw == [(b"X", b"one")]


@given(st.lists(st.tuples(names, values.map(str.encode))), names, values)
def test_set_then_get(fields, name, value):
    headers = Headers([(key.encode(), content) for key, content in fields])
    others = [(key.lower(), content) for key, content in fields if key.lower() != name.lower()]
    encoded = value.encode()
    headers.encoding = "utf-8"
    headers[name] = value
    assert headers[name] == value and headers.get_list(name) == [value]
    assert [(k.decode().lower(), v) for k, v in headers.raw if k.decode().lower() != name.lower()] == others
    assert (name.encode(), encoded) in headers.raw


def test_a_name_of_one_letter_leaves_pythons_own_bytes_alone():
    headers = Headers({"X": "Y"})
    assert headers.raw == [(b"X", b"Y")]
    assert list(headers) == ["x"]
    assert bytes([88]) == b"X" and chr(88) == "X" and ord(b"X") == 88


def test_the_list_that_others_look_at():
    headers = Headers([("X-One", "a"), ("x-one", "b")])
    assert headers._list == [(b"X-One", b"x-one", b"a"), (b"x-one", b"x-one", b"b")]


def test_bytes_of_a_kind_of_their_own_are_kept_as_bytes():
    class Shouting(bytes):
        def lower(self):
            return 5

    headers = Headers([(Shouting(b"A"), Shouting(b"1"))])
    assert [type(part) for pair in headers.raw for part in pair] == [bytes, bytes]
    assert headers["a"] == "1"
    with pytest.raises(TypeError, match="lower"):
        headers.get(Shouting(b"A"))


@pytest.fixture
def changing_codec():
    """A codec that empties the headers which it is used for."""
    changed = []

    def decode(data, errors="strict"):
        for headers in changed:
            headers.clear()
        return bytes(data).decode("latin-1"), len(data)

    def encode(text, errors="strict"):
        for headers in changed:
            headers.encoding = "ascii"
        return text.encode("latin-1"), len(text)

    def find(name):
        return codecs.CodecInfo(encode, decode, name=name) if name == "changing" else None

    codecs.register(find)
    yield changed
    codecs.unregister(find)


@pytest.mark.parametrize("look", [Headers.multi_items, Headers.items, Headers.values, Headers.keys, repr, Headers.popitem])
def test_a_codec_may_change_the_headers_that_it_decodes(changing_codec, look):
    headers = Headers([("a", "1"), ("b", "2"), ("c", "3")], encoding="changing")
    changing_codec.append(headers)
    try:
        look(headers)
    except KeyError:
        assert look is Headers.popitem
    assert len(headers) == 0


def test_a_codec_may_change_the_headers_that_it_encodes(changing_codec):
    headers = Headers({"a": "1"}, encoding="changing")
    changing_codec.append(headers)
    headers["b"] = "2"
    assert headers.raw == [(b"a", b"1"), (b"b", b"2")]
    assert headers.encoding == "ascii"
