"""Query parameters as a value."""

import pickle
from collections.abc import Mapping
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

import requestx
from requestx import QueryParams


@pytest.mark.parametrize(
    "source",
    [
        "a=1&a=2&b=3",
        b"a=1&a=2&b=3",
        {"a": ["1", "2"], "b": "3"},
        {"a": (1, 2), "b": 3},
        [("a", "1"), ("a", "2"), ("b", "3")],
        (("a", 1), ("a", 2), ("b", 3)),
        QueryParams("a=1&a=2&b=3"),
    ],
)
def test_sources(source):
    params = QueryParams(source)
    assert str(params) == "a=1&a=2&b=3"
    assert params.multi_items() == [("a", "1"), ("a", "2"), ("b", "3")]
    assert dict(params) == {"a": "1", "b": "3"}
    assert params.get_list("a") == ["1", "2"]
    assert isinstance(params, Mapping)


@pytest.mark.parametrize("source", [None, "", b"", {}, [], ()])
def test_empty(source):
    params = QueryParams(source)
    assert not params
    assert (str(params), len(params), repr(params)) == ("", 0, "QueryParams('')")


def test_keywords():
    assert str(QueryParams(a=1, b=True, c=None)) == "a=1&b=true&c="
    with pytest.raises(AssertionError):
        QueryParams("a=1", b=2)
    with pytest.raises(AssertionError):
        QueryParams("a=1", "b=2")


def test_scalars():
    assert str(QueryParams({"t": True, "f": False, "n": None, "i": 1, "x": 1.5, "e": []})) == "t=true&f=false&n=&i=1&x=1.5"


def test_lookup():
    params = QueryParams("a=1&a=2&b=")
    assert params["a"] == "1"
    assert params["b"] == ""
    assert params.get("c") is None
    assert params.get("c", "x") == "x"
    assert params.get_list("c") == []
    assert "a" in params and "c" not in params
    assert list(params) == ["a", "b"]
    assert list(params.values()) == ["1", ""]
    assert list(params.items()) == [("a", "1"), ("b", "")]
    with pytest.raises(KeyError):
        params["c"]


def test_changed_copies():
    params = QueryParams("a=1")
    assert str(params.set("a", 2)) == "a=2"
    assert str(params.add("a", 2)) == "a=1&a=2"
    assert str(params.remove("a")) == str(params.remove("a").remove("a")) == ""
    assert str(params.merge({"b": 2}).merge("a=3")) == "a=3&b=2"
    assert str(params.merge(None)) == "a=1"
    assert str(params) == "a=1"
    for refuse in (lambda: params.update("a=2"), lambda: params.__setitem__("a", "2")):
        with pytest.raises(RuntimeError, match="cannot be changed"):
            refuse()


def test_copies_share_nothing():
    params = QueryParams("a=1")
    params.get_list("a").append("2")
    copy = QueryParams(params)
    assert copy.add("a", 2) != params
    assert str(params) == str(copy) == "a=1"


def test_equality():
    assert QueryParams("a=1&b=2") == QueryParams("b=2&a=1")
    assert QueryParams("a=1&a=2") != QueryParams("a=1")
    assert QueryParams("a=1") != "a=1"
    assert len({QueryParams("a=1"), QueryParams({"a": 1})}) == 1


def test_pickled():
    assert pickle.loads(pickle.dumps(QueryParams("a=1&a=2"))) == QueryParams("a=1&a=2")


@given(st.lists(st.tuples(st.text(), st.text())))
def test_round_trip(pairs):
    params = QueryParams(pairs)
    assert sorted(params.multi_items()) == sorted(pairs)
    assert sorted(QueryParams(str(params)).multi_items()) == sorted(parse_qsl(str(params), keep_blank_values=True))
    if all(not 0xD800 <= ord(char) <= 0xDFFF for pair in pairs for char in "".join(pair)):
        assert sorted(QueryParams(str(params)).multi_items()) == sorted(pairs)


def test_in_a_url():
    url = requestx.URL("https://example.org/", params=QueryParams({"q": "a b&c"}))
    assert url.params == QueryParams({"q": "a b&c"})
    assert isinstance(url.params, QueryParams)
