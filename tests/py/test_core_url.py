"""URL: properties, changes by keyword, joins, and the words in which a bad one is refused."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requestx import URL, InvalidURL, QueryParams

FULL = "https://jo%40e.org:a%20b@müller.example:1234/pa%20th?search=ab#anchor%21"


def test_properties():
    url = URL(FULL)
    assert (url.scheme, url.raw_scheme) == ("https", b"https")
    assert (url.userinfo, url.username, url.password) == (b"jo%40e.org:a%20b", "jo@e.org", "a b")
    assert (url.raw_host, url.netloc, url.port) == (b"xn--mller-kva.example", b"xn--mller-kva.example:1234", 1234)
    assert url.host == "müller.example"
    assert (url.path, url.raw_path, url.query) == ("/pa th", b"/pa%20th?search=ab", b"search=ab")
    assert url.params == QueryParams("search=ab") and url.fragment == "anchor!"
    assert url.is_absolute_url and not url.is_relative_url


def test_an_empty_path_stays_empty_in_the_text():
    assert str(URL("http://a.example")) == "http://a.example"
    assert (URL("http://a.example").path, URL("http://a.example?x").raw_path) == ("/", b"/?x")


def test_what_is_normalized():
    assert str(URL("HTTPS://EXAMPLE.org:443/a/./b/../c?q w#é")) == "https://example.org/a/c?q%20w#%C3%A9"
    assert URL("http://h:80") == URL("http://h") and URL("http://h:81").port == 81


def test_equality_and_hash_are_those_of_the_text():
    url = URL("http://h/a")
    assert url == "HTTP://h:80/a" and url != "http://h/b" and url != 7 and len({url, URL("http://h/a")}) == 1
    assert hash(url) == hash("http://h/a")


def test_repr_hides_the_password():
    assert repr(URL("http://u:p@h/x?y=u:p")) == "URL('http://u:[secure]@h/x?y=u:p')"
    assert repr(URL("http://u@h/")) == "URL('http://u@h/')"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://h/" + "x" * 65536, "URL too long"),
        ("http://h/\n", "Invalid non-printable ASCII character in URL, '\\n' at position 9."),
        ("http://é/é\x7f", "Invalid non-printable ASCII character in URL, '\\x7f' at position 10."),
        ("http://h:abc/", "Invalid port: 'abc'"),
        ("http://[::1]x/", "Invalid port: 'x'"),
        ("http://[:http", "Invalid port: 'http'"),
        ("http://999.1.1.1/", "Invalid IPv4 address: '999.1.1.1'"),
        ("http://[2001]/", "Invalid IPv6 address: '[2001]'"),
        ("https://☃.com/", "Invalid IDNA hostname: '☃.com'"),
        (":x", None),
        ("http://h", None),
    ],
)
def test_bad_urls_are_refused_in_these_words(text, message):
    if message is None:
        URL(text)
    else:
        with pytest.raises(InvalidURL) as caught:
            URL(text)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "/" + "x" * 65536}, "URL component 'path' too long"),
        ({"path": "/\n"}, "Invalid non-printable ASCII character in URL path component, '\\n' at position 1."),
        ({"host": "a\x00b"}, "Invalid non-printable ASCII character in URL host component, '\\x00' at position 1."),
        ({"scheme": "~"}, "Invalid URL component 'scheme'"),
        ({"host": "h", "path": "abc"}, "For absolute URLs, path must be empty or begin with '/'"),
        ({"scheme": "", "host": "", "path": "//abc"}, "Relative URLs cannot have a path starting with '//'"),
        ({"scheme": "", "host": "", "path": ":abc"}, "Relative URLs cannot have a path starting with ':'"),
        ({"netloc": b"h:x"}, "Invalid port: 'x'"),
        ({"port": -1}, "Invalid port: '-1'"),
        ({"host": "::1::"}, "Invalid IPv6 address: '[::1::]'"),
    ],
)
def test_bad_components_are_refused_in_these_words(options, message):
    with pytest.raises(InvalidURL) as caught:
        URL(**{"scheme": "http", "host": "h", **options})
    assert str(caught.value) == message


def test_keywords_have_types():
    with pytest.raises(TypeError, match="'pathh' is an invalid keyword argument for URL()"):
        URL(pathh="/")
    with pytest.raises(TypeError, match="Argument 'userinfo' must be bytes but got str"):
        URL("http://h").copy_with(userinfo="u")
    with pytest.raises(TypeError, match="Argument 'port' must be int but got str"):
        URL("http://h", port="1")
    with pytest.raises(TypeError, match="Invalid type for url"):
        URL(7)
    with pytest.raises(TypeError):
        URL("http://h", "http://g")
    with pytest.raises(UnicodeDecodeError):
        URL("http://h", query=b"\xff")


def test_changes():
    url = URL("http://u:p@h:81/a?b=c#d")
    assert url.copy_with() == url and url.copy_with() is not url
    assert url.copy_with(scheme="https", port=None) == "https://u:p@h/a?b=c#d"
    assert url.copy_with(netloc=b"[::1]:90") == "http://u:p@[::1]:90/a?b=c#d"
    assert url.copy_with(username="new") == "http://new@h:81/a?b=c#d"
    assert url.copy_with(username="a@b", password="c:d %") == "http://a%40b:c%3Ad%20%@h:81/a?b=c#d"
    assert url.copy_with(username=None, password=None) == "http://h:81/a?b=c#d"
    assert url.copy_with(raw_path=b"/x?") == "http://u:p@h:81/x?#d"
    assert url.copy_with(raw_path=b"/x", params={"y": 1}) == "http://u:p@h:81/x#d"
    assert url.copy_with(query=None, fragment=None) == "http://u:p@h:81/a"
    assert url.copy_with(params={}) == "http://u:p@h:81/a#d"
    assert url.copy_with(host="::1") == "http://u:p@[::1]:81/a?b=c#d"
    assert URL("http://h", params={"a": "b c"}) == "http://h?a=b+c"
    assert URL(url="http://h", path="/x") == "http://h/x"


def test_parameters():
    url = URL("http://h/?a=1")
    assert url.copy_set_param("a", 2) == "http://h/?a=2"
    assert url.copy_add_param("a", 2) == "http://h/?a=1&a=2"
    assert url.copy_remove_param("a") == "http://h/"
    assert url.copy_merge_params({"b": None}) == "http://h/?a=1&b="


def test_join():
    base = URL("http://h/b/c/d;p?q")
    assert base.join("../g") == "http://h/b/g"
    assert base.join(URL("//g")) == "http://g"
    assert base.join("?y") == "http://h/b/c/d;p?y"
    assert URL("/a/b").join("c") == "/a/c"
    with pytest.raises(InvalidURL, match="Invalid port: 'x'"):
        base.join("http://h:x")


def test_copies():
    url = URL(FULL)
    for twin in (copy.copy(url), copy.deepcopy(url), pickle.loads(pickle.dumps(url)), URL(url)):
        assert twin == url and twin.password == "a b"


def test_without_init_it_is_empty():
    class Mine(URL):
        def __init__(self):
            pass

    assert str(Mine()) == "" and Mine().host == "" and Mine() == ""


def test_raw_is_deprecated():
    with pytest.warns(UserWarning, match="deprecated"):
        raw = URL("http://h:81/a?b").raw
    assert tuple(raw) == (b"http", b"h", 81, b"/a?b") and raw.raw_host == b"h"


def test_surrogates_cannot_be_encoded():
    with pytest.raises(UnicodeEncodeError):
        URL("http://h/\ud800")


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(text):
    try:
        url = URL(text)
    except (InvalidURL, UnicodeEncodeError):
        return
    assert URL(str(url)) == url and str(url).isascii()
    assert isinstance(url.raw_path, bytes) and isinstance(url.host, str)
