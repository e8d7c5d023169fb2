"""URL patterns, and the variables that name proxies: NO_PROXY in every form."""

import pytest

import requestx
from requestx._utils import URLPattern, get_environment_proxies

PROXY = "http://127.0.0.1:3128"


@pytest.fixture
def environment(monkeypatch):
    """environment(NAME=value, ...): these and no other proxy variables."""
    import os

    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)

    def set_all(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.mark.parametrize(
    ("variables", "mounts"),
    [
        ({}, {}),
        ({"NO_PROXY": ""}, {}),
        ({"HTTP_PROXY": ""}, {}),
        ({"HTTP_PROXY": PROXY}, {"http://": PROXY}),
        ({"https_proxy": "proxy:3128"}, {"https://": "http://proxy:3128"}),
        ({"Http_Proxy": PROXY}, {"http://": PROXY}),
        ({"ALL_PROXY": "socks5://proxy"}, {"all://": "socks5://proxy"}),
        ({"HTTP_PROXY": "http://upper", "http_proxy": "http://lower"}, {"http://": "http://lower"}),
        ({"HTTP_PROXY": "http://upper", "http_proxy": ""}, {}),
        ({"FTP_PROXY": PROXY, "MY_OWN_PROXY": PROXY, "_PROXY": PROXY}, {}),
        ({"REQUEST_METHOD": "GET", "HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}, {"https://": PROXY}),
        ({"REQUEST_METHOD": "GET", "http_proxy": PROXY}, {"http://": PROXY}),
    ],
)
def test_proxies(environment, variables, mounts):
    environment(**variables)
    assert get_environment_proxies() == mounts


@pytest.mark.parametrize(
    ("entry", "pattern"),
    [
        ("example.com", "all://*example.com"),
        (".example.com", "all://*.example.com"),
        ("example.com:8080", "all://*example.com:8080"),
        ("localhost", "all://localhost"),
        ("LOCALHOST", "all://LOCALHOST"),
        ("127.0.0.1", "all://127.0.0.1"),
        ("10.0.0.0/8", "all://10.0.0.0/8"),
        ("::1", "all://[::1]"),
        ("fe80::/10", "all://[fe80::]/10"),
        ("[::1]", "all://[::1]"),
        ("[::1]:8080", "all://[::1]:8080"),
        ("https://example.com", "https://example.com"),
    ],
)
def test_no_proxy_patterns(environment, entry, pattern):
    environment(NO_PROXY=f" {entry} ,")
    assert get_environment_proxies() == {pattern: None}
    URLPattern(pattern)


@pytest.mark.parametrize("entry", ["*", "example.com,*", " * "])
def test_no_proxy_for_all(environment, entry):
    environment(ALL_PROXY=PROXY, NO_PROXY=entry)
    assert get_environment_proxies() == {}


DIRECT = [
    ("example.com", "http://example.com/"),
    ("example.com", "https://www.example.com/"),
    ("example.com", "https://a.b.example.com:8443/"),
    ("EXAMPLE.com", "https://example.COM/"),
    (".example.com", "http://www.example.com/"),
    ("example.com:8080", "http://example.com:8080/"),
    ("example.com:8080", "http://www.example.com:8080/"),
    ("localhost", "http://localhost:8000/"),
    ("127.0.0.1", "http://127.0.0.1:8000/"),
    ("127.0.0.1:8000", "http://127.0.0.1:8000/"),
    ("10.0.0.0/8", "http://10.20.30.40/"),
    ("192.168.1.7/24", "http://192.168.1.200/"),
    ("::1", "http://[::1]:8000/"),
    ("[::1]:8000", "http://[::1]:8000/"),
    ("fd00::/8", "http://[fd12:3456::1]/"),
    ("https://example.com", "https://example.com/"),
    ("other.org, example.com", "http://example.com/"),
    ("b\u00fccher.example", "http://b\u00fccher.example/"),
    ("b\u00fccher.example", "http://xn--bcher-kva.example/"),
]
PROXIED = [
    ("example.com", "http://example.com.evil.org/"),
    ("example.com", "http://badexample.com/"),
    (".example.com", "http://example.com/"),
    ("example.com:8080", "http://example.com/"),
    ("example.com:8080", "http://example.com:8081/"),
    ("localhost", "http://sub.localhost/"),
    ("127.0.0.1", "http://127.0.0.2/"),
    ("127.0.0.1:8000", "http://127.0.0.1:8001/"),
    ("10.0.0.0/8", "http://11.0.0.1/"),
    ("10.0.0.0/8", "http://ten.example/"),
    ("10.0.0.0/8", "http://[::1]/"),
    ("::1", "http://[::2]/"),
    ("[::1]:8000", "http://[::1]/"),
    ("https://example.com", "http://example.com/"),
    ("", "http://127.0.0.1/"),
]


@pytest.mark.parametrize("kind", [requestx.Client, requestx.AsyncClient])
@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [(*case, True) for case in DIRECT] + [(*case, False) for case in PROXIED],
)
def test_no_proxy(environment, kind, entry, url, direct):
    environment(ALL_PROXY=PROXY, NO_PROXY=entry)
    client = kind()
    chosen = client._transport_for_url(requestx.URL(url))
    assert (chosen is client._transport) is direct


def test_environment_is_not_read_unasked(environment):
    environment(ALL_PROXY=PROXY)
    url = requestx.URL("http://example.com")
    for client in (
        requestx.Client(trust_env=False),
        requestx.Client(transport=requestx.MockTransport(lambda request: requestx.Response(200))),
    ):
        assert client._transport_for_url(url) is client._transport
    explicit = requestx.Client(proxy="http://other:1")
    assert list(explicit._mounts) == [URLPattern("all://")]


# patterns


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("", "http://example.com", True),
        ("all://", "https://example.com:123", True),
        ("all://*", "https://example.com:123", True),
        ("http://", "https://example.com", False),
        ("https://example.com", "https://example.com", True),
        ("https://example.com", "https://www.example.com", False),
        ("https://*.example.com", "https://www.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://.example.com", False),
        ("https://*example.com", "https://example.com", True),
        ("https://*example.com", "https://badexample.com", False),
        ("all://:8080", "http://example.com:8080", True),
        ("all://192.0.2.0/24", "http://192.0.2.255", True),
        ("all://192.0.2.0/24", "http://192.0.3.1", False),
        ("all://[2001:db8::]/32", "http://[2001:db8:1::1]", True),
        ("all://example.com/24", "http://example.com", True),
    ],
)
def test_pattern(pattern, url, matches):
    assert URLPattern(pattern).matches(requestx.URL(url)) is matches


@pytest.mark.parametrize("pattern", ["http", "example.com", "all"])
def test_pattern_without_colon(pattern):
    with pytest.raises(ValueError, match=f'use "{pattern}://"'):
        URLPattern(pattern)
    with pytest.raises(ValueError):
        requestx.Client(mounts={pattern: None})


def test_pattern_order():
    patterns = [
        URLPattern(text)
        for text in (
            "all://", "http://", "all://example.com", "http://example.com", "all://a:1", "http://*.example.com",
        )  # fmt: skip
    ]
    assert [one.pattern for one in sorted(patterns)] == [
        "all://a:1",
        "http://*.example.com",
        "http://example.com",
        "all://example.com",
        "http://",
        "all://",
    ]
    assert len({URLPattern("all://"), URLPattern("all://")}) == 1
    assert URLPattern("all://") != "all://"
    assert repr(URLPattern("all://")) == "URLPattern('all://')"


def test_mounts_choose():
    def answer(name):
        return requestx.MockTransport(lambda request: requestx.Response(200, text=name))

    client = requestx.Client(
        transport=answer("default"),
        mounts={"http://": answer("plain"), "all://example.org": answer("org"), "all://*.example.org": None},
    )
    assert client.get("http://example.com").text == "plain"
    assert client.get("https://example.com").text == "default"
    assert client.get("http://example.org").text == "org"
    assert client.get("https://www.example.org").text == "default"
    client.close()
