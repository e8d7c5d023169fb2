"""Cookies, alone and in clients."""

import http.cookiejar
import subprocess
import sys
from collections.abc import MutableMapping

import pytest

import requestx


@pytest.fixture
def cookies():
    cookies = requestx.Cookies({"plain": "1"})
    cookies.set("name", "com", domain="example.com")
    cookies.set("name", "org", domain="example.org", path="/sub")
    return cookies


def test_mapping(cookies):
    assert isinstance(cookies, MutableMapping)
    assert cookies["plain"] == "1"
    cookies["more"] = "2"
    assert len(cookies) == 4
    assert sorted(cookies) == ["more", "name", "name", "plain"]
    del cookies["more"]
    assert "more" not in cookies
    with pytest.raises(KeyError):
        cookies["more"]
    assert bool(cookies) and not requestx.Cookies()


def test_get_and_conflict(cookies):
    with pytest.raises(requestx.CookieConflict, match="name=name"):
        cookies.get("name")
    assert cookies.get("name", domain="example.com") == "com"
    assert cookies.get("name", path="/sub") == "org"
    assert cookies.get("name", domain="example.net") is None
    assert cookies.get("nothing", "default") == "default"


def test_delete(cookies):
    cookies.delete("name", domain="example.com", path="/")
    assert cookies.get("name") == "org"
    with pytest.raises(KeyError):
        cookies.delete("name", domain="example.com", path="/")
    cookies.delete("name")
    cookies.delete("name")
    assert list(cookies) == ["plain"]


def test_clear(cookies):
    cookies.clear(domain="example.org", path="/sub")
    assert len(cookies) == 2
    cookies.clear(domain="example.com")
    assert list(cookies) == ["plain"]
    cookies.clear()
    assert not cookies
    requestx.Cookies().clear()
    with pytest.raises(KeyError):
        requestx.Cookies().clear(domain="example.com")
    with pytest.raises(AssertionError):
        cookies.clear(path="/")


def test_sources(cookies):
    assert requestx.Cookies([("a", "1"), ("b", "2")])["b"] == "2"
    copy = requestx.Cookies(cookies)
    copy.clear()
    assert len(cookies) == 3
    jar = http.cookiejar.CookieJar()
    shared = requestx.Cookies(jar)
    shared["a"] = "1"
    assert shared.jar is jar and len(jar) == 1
    shared.update({"b": "2"})
    shared.update(cookies)
    assert len(jar) == 5


def test_repr(cookies):
    assert repr(requestx.Cookies({"a": "1"})) == "<Cookies[<Cookie a=1 for  />]>"
    assert "<Cookie name=com for example.com />" in repr(cookies)
    assert repr(requestx.Cookies()) == "<Cookies[]>"


# in a client


def serve(request):
    """Sets the cookies of ?set=, and tells which came."""
    headers = [("Set-Cookie", value) for value in request.url.params.get_list("set")]
    return requestx.Response(200, headers=headers, text=request.headers.get("Cookie", ""))


@pytest.fixture
def client():
    with requestx.Client(transport=requestx.MockTransport(serve)) as client:
        yield client


def set_by(client, url, *values):
    return client.get(url, params={"set": list(values)})


def test_kept_and_sent(client):
    response = set_by(client, "https://example.org/", "a=1", "b=2; Path=/sub; HttpOnly")
    assert dict(response.cookies) == {"a": "1", "b": "2"}
    assert client.get("https://example.org/").text == "a=1"
    assert sorted(client.get("https://example.org/sub/x").text.split("; ")) == ["a=1", "b=2"]
    assert client.get("https://example.com/").text == ""


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a=1; Domain=example.org", True),
        ("a=1; Domain=other.org", False),
        ("a=1; Domain=sub.example.org", False),
        ("a=1; Max-Age=0", False),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("a=1; Max-Age=60", True),
        ("", False),
    ],
)
def test_what_is_kept(client, value, kept):
    set_by(client, "https://example.org/", value)
    assert bool(client.cookies) is kept
    assert client.get("https://example.org/").text == ("a=1" if kept else "")


@pytest.mark.parametrize(
    ("host", "domain", "kept"),
    [
        ("a.co.uk", "co.uk", False),
        ("a.co.uk", ".CO.UK", False),
        ("a.co.uk", "com", False),
        ("a.co.uk", "github.io", False),
        ("a.co.uk", "a.co.uk", True),
        ("www.a.co.uk", "a.co.uk", True),
        ("a.github.io", "github.io", False),
        ("a.s3.amazonaws.com", "amazonaws.com", False),  # "s3.amazonaws.com" is a registry's, "amazonaws.com" is not
        ("s3.amazonaws.com", "amazonaws.com", False),
        ("a.b.s3.amazonaws.com", "b.s3.amazonaws.com", True),
        ("a..example.com", "example.com", False),
        ("a.example.com", "com", False),
        ("a.example.com", "ample.com", False),
        ("a.local", "local", False),
        ("mylocalhost", "localhost", False),
        ("localhost", "localhost", True),
        ("127.0.0.1", "0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_domains_of_registries_and_others_are_refused(client, host, domain, kept):
    set_by(client, f"https://{host}/", f"a=1; Domain={domain}")
    assert bool(client.cookies) is kept
    assert client.get(f"https://{host}/").text == ("a=1" if kept else "")


def test_a_registry_s_own_host_has_cookies_for_itself_alone(client):
    set_by(client, "https://github.io/", "a=1; Domain=github.io")
    assert client.get("https://github.io/").text == "a=1"
    assert client.get("https://someone.github.io/").text == ""


def test_a_cookie_without_a_domain_is_its_host_s_alone(client):
    set_by(client, "https://example.org/", "a=1", "b=2; Domain=example.org")
    assert client.get("https://example.org/").text == "a=1; b=2"
    assert client.get("https://sub.example.org/").text == "b=2"


def test_secure_cookies_stay_off_plain_http(client):
    set_by(client, "https://example.org/", "a=1; Secure")
    assert client.get("https://example.org/").text == "a=1"
    assert client.get("http://example.org/").text == ""


def test_removed_by_the_server(client):
    set_by(client, "https://example.org/", "a=1")
    set_by(client, "https://example.org/", "a=; Max-Age=0")
    assert not client.cookies


def test_replaced_by_the_user(client):
    client.cookies = {"x": "1"}
    assert client.get("https://example.org/").text == "x=1"
    client.cookies["y"] = "2"
    assert client.get("https://example.org/").text == "x=1; y=2"
    client.cookies = None
    assert client.get("https://example.org/").text == ""


def test_per_request_is_deprecated(client):
    with pytest.warns(DeprecationWarning, match="per-request cookies") as caught:
        assert client.get("https://example.org/", cookies={"a": "1"}).text == "a=1"
    assert caught[0].filename == __file__
    assert client.get("https://example.org/").text == ""
    assert client.build_request("GET", "https://example.org/", cookies={"a": "1"}).headers["Cookie"] == "a=1"


def test_own_header_wins(client):
    client.cookies["a"] = "1"
    assert client.get("https://example.org/", headers={"Cookie": "b=2"}).text == "b=2"


@pytest.mark.parametrize(
    ("scheme", "cookie", "kept"),
    [
        ("https", "__Secure-a=1; Secure", True),
        ("https", "__Secure-a=1; Secure; Domain=example.org", True),
        ("https", "__secure-a=1", False),
        ("http", "__Secure-a=1; Secure", False),
        ("https", "__Host-a=1; Secure; Path=/", True),
        ("https", "__Host-a=1; Path=/", False),
        ("https", "__HOST-a=1; Secure; Path=/x", False),
        ("https", "__Host-a=1; Secure; Path=/; Domain=example.org", False),
        ("http", "Secure-a=1", True),
    ],
)
def test_names_that_promise_are_kept_only_if_true(client, scheme, cookie, kept):
    set_by(client, f"{scheme}://example.org/x/y", cookie)
    assert len(client.cookies) == kept


def test_own_policy_is_obeyed():
    class Nothing(http.cookiejar.DefaultCookiePolicy):
        def set_ok(self, cookie, request):
            assert request.get_full_url() == "https://example.org/?set=a%3D1"
            assert request.origin_req_host == "example.org"
            return False

    jar = http.cookiejar.CookieJar(policy=Nothing())
    with requestx.Client(transport=requestx.MockTransport(serve), cookies=jar) as client:
        client.get("https://example.org/?set=a%3D1")
        assert client.cookies.jar is jar
    assert len(jar) == 0


def test_a_file_of_cookies(tmp_path, client):
    path = tmp_path / "cookies.txt"
    jar = http.cookiejar.MozillaCookieJar(path)
    client.cookies = jar
    set_by(client, "https://example.org/", "a=1; Max-Age=1000")
    jar.save()
    again = http.cookiejar.MozillaCookieJar(path)
    again.load()
    client.cookies = again
    assert client.get("https://example.org/").text == "a=1"


def test_the_jar_is_not_imported_before_it_is_needed():
    program = (
        "import sys, requestx\n"
        "transport = requestx.MockTransport(lambda request: requestx.Response(200))\n"
        "with requestx.Client(transport=transport, follow_redirects=True) as client:\n"
        "    client.get('https://example.org/')\n"
        "    assert not client.cookies and len(client.cookies) == 0\n"
        "assert 'http.cookiejar' not in sys.modules\n"
        "client.cookies.jar\n"
        "assert 'http.cookiejar' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
