"""Proxies of every kind from Python: `Proxy`, transports, mounts, the environment, and what failures look like."""

import asyncio
import os
import ssl

import pytest

import requestx

AUTHORIZATION = "Basic dXNlcjpwYXNz"  # user:pass


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """Variables of whoever runs the tests are not theirs."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def sync_get(settings, url):
    with requestx.Client(**settings) as client:
        return client.get(url)


def async_get(settings, url):
    async def main():
        async with requestx.AsyncClient(**settings) as client:
            return await client.get(url)

    return asyncio.run(main())


@pytest.fixture(params=[sync_get, async_get], ids=["sync", "async"])
def get(request, ca):
    """get(url, settings of the client...): trusts the tests' CA for origins."""

    def run(url, **settings):
        trust = {} if "verify" in settings else {"ca_bundle": ca.ca_file}
        return request.param({**trust, **settings}, url)

    return run


@pytest.fixture
def trusted(ca):
    """An SSLContext for proxies."""
    return ssl.create_default_context(cafile=ca.ca_file)


# ---- https


def test_https_proxy(get, trusted, proxy_peer, peer, h1peer):
    proxy, origin, plain = proxy_peer(tls=True, username="user", password="pass"), peer(), h1peer()
    settings = {"proxy": requestx.Proxy(proxy.proxy_url, ssl_context=trusted, headers={"X-Team": "a"})}
    response = get(origin.url("/"), **settings)
    assert (response.status_code, response.http_version) == (200, "HTTP/2")
    response = get(plain.url("/echo?a=b"), **settings)
    assert (response.status_code, response.http_version) == (200, "HTTP/1.1")
    assert [one.method for one in proxy.requests] == ["CONNECT", "GET"]
    assert proxy.requests[1].target == plain.url("/echo?a=b")
    for request in proxy.requests:
        assert request.headers["proxy-authorization"] == AUTHORIZATION
        assert request.headers["x-team"] == "a"
    assert not {"proxy-authorization", "x-team"} & origin.requests()[0].headers.keys()
    assert "proxy-authorization" not in plain.requests()[0].headers


def test_https_proxy_is_checked_whatever_verify_says(get, monkeypatch, ca, proxy_peer, peer):
    proxy, origin = proxy_peer(tls=True, check=False), peer()
    for trust in ({"verify": False}, {"ca_bundle": ca.ca_file}):
        with pytest.raises(requestx.ProxyError, match="TLS handshake with proxy") as caught:
            get(origin.url("/"), proxy=proxy.proxy, **trust)
        assert proxy.address in str(caught.value) and "certificate" in str(caught.value)
        assert (caught.value.code, caught.value.phase) == ("proxy_connect", "proxy")
    assert proxy.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    assert get(origin.url("/"), proxy=proxy.proxy).status_code == 200
    with pytest.raises(requestx.ProxyError):
        get(origin.url("/"), proxy=proxy.proxy, trust_env=False)


def test_https_proxy_without_verification(get, proxy_peer, peer):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    proxy = requestx.Proxy(proxy_peer(tls=True, cert="self_signed").proxy, ssl_context=context)
    assert get(peer().url("/"), proxy=proxy).status_code == 200


def test_ssl_context_of_a_proxy_must_be_one():
    proxy = requestx.Proxy("https://127.0.0.1:1", ssl_context="context")
    with pytest.raises(TypeError, match="ssl_context must be an ssl.SSLContext, not str"):
        requestx.Client(proxy=proxy)


def test_nghttpx(get, trusted, nghttpx, nginx):
    settings = {"proxy": requestx.Proxy(nghttpx.proxy_url, ssl_context=trusted)}
    assert get(nginx.https_url("/1m"), **settings).http_version == "HTTP/2"
    assert len(get(nginx.https_h1_url("/1m"), **settings).content) == 1 << 20
    assert len(get(nginx.http_url("/64k"), **settings).content) == 64 << 10


# ---- SOCKS


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_proxy(get, socks_peer, peer, h1peer, scheme):
    proxy, origin, plain = socks_peer(username="us er", password="p@ss"), peer(), h1peer()
    for settings in (
        requestx.Proxy(f"{scheme}://us%20er:p%40ss@{proxy.address}"),
        requestx.Proxy(f"{scheme}://{proxy.address}", auth=("us er", "p@ss")),
        requestx.Proxy(f"{scheme}://{proxy.address}", username="us er", password="p@ss"),
        f"{scheme}://us%20er:p%40ss@{proxy.address}",
    ):
        assert get(origin.url("/"), proxy=settings).http_version == "HTTP/2"
        assert get(plain.url("/"), proxy=settings).http_version == "HTTP/1.1"
    assert set(proxy.logins) == {("us er", "p@ss")} and len(proxy.requests) == 8
    for request in origin.requests() + plain.requests():
        assert not {"authorization", "proxy-authorization"} & request.headers.keys()
    assert {request.target for request in plain.requests()} == {"/"}


def test_socks5h_gives_the_name(get, socks_peer, h1peer):
    server = h1peer()
    proxy = socks_peer(routes={"does-not-exist.invalid": ("127.0.0.1", server.port)})
    url = "http://does-not-exist.invalid/"
    assert get(url, proxy=f"socks5h://{proxy.address}").status_code == 200
    assert proxy.requests == [("name", "does-not-exist.invalid", 80)]
    with pytest.raises(requestx.ConnectError, match="does-not-exist.invalid") as caught:
        get(url, proxy=f"socks5://{proxy.address}")
    assert caught.value.phase == "resolve"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_microsocks_and_dante(get, microsocks_auth, danted, nginx, scheme):
    for proxy in (microsocks_auth, danted):
        response = get(nginx.https_url("/1m", host="127.0.0.1"), proxy=proxy.address(scheme))
        assert (len(response.content), response.http_version) == (1 << 20, "HTTP/2")
    with pytest.raises(requestx.ProxyError, match="wants credentials"):
        get(nginx.https_url("/"), proxy=microsocks_auth.address(scheme, login=False))
    with pytest.raises(requestx.ProxyError, match="not allowed by its rules"):
        get("http://127.0.0.66/", proxy=danted.address(scheme))


def test_credentials_too_long_for_socks(get, socks_peer, peer):
    proxy = socks_peer()
    with pytest.raises(ValueError, match="255 bytes"):
        get(peer().url("/"), proxy=requestx.Proxy(f"socks5://{proxy.address}", auth=("u", "p" * 256)))
    assert proxy.accepted == 0


# ---- transports and mounts


def test_transports(trusted, proxy_peer, socks_peer, peer):
    over_tls, socks, origin = proxy_peer(tls=True), socks_peer(), peer()
    proxies = [requestx.Proxy(over_tls.proxy, ssl_context=trusted), f"socks5h://{socks.address}"]
    for proxy in proxies:
        with requestx.Client(transport=requestx.HTTPTransport(verify=trusted, proxy=proxy)) as client:
            assert client.get(origin.url("/")).http_version == "HTTP/2"

    async def main(proxy):
        transport = requestx.AsyncHTTPTransport(verify=trusted, proxy=proxy)
        async with requestx.AsyncClient(transport=transport) as client:
            responses = await asyncio.gather(*(client.get(origin.url("/")) for _ in range(20)))
            assert {response.http_version for response in responses} == {"HTTP/2"}

    for proxy in proxies:
        asyncio.run(main(proxy))
    assert len(over_tls.connects()) == len(socks.requests) == 2


def test_mounts(trusted, proxy_peer, socks_peer, peer, h1peer):
    over_tls, socks, origin, plain = proxy_peer(tls=True), socks_peer(), peer(), h1peer()
    mounts = {
        "http://": requestx.HTTPTransport(proxy=f"socks5://{socks.address}"),
        "https://": requestx.HTTPTransport(
            verify=trusted, proxy=requestx.Proxy(over_tls.proxy, ssl_context=trusted)
        ),
        f"all://127.0.0.1:{plain.port}": None,
    }
    other = h1peer()
    with requestx.Client(mounts=mounts) as client:
        for server in (origin, plain, other):
            assert client.get(server.url("/")).status_code == 200
    assert over_tls.connects() == [origin.address]
    assert socks.requests == [("ipv4", "127.0.0.1", other.port)]


def test_address_policy_behind_socks(get, h1peer, socks_peer):
    """Addresses that are found here are asked about; behind socks5h those that stand in the URL."""
    server, proxy = h1peer(host="127.0.0.2"), socks_peer()
    policy = requestx.AddressPolicy(deny=["127.0.0.2"])
    url = f"http://127.0.0.2:{server.port}/"
    for scheme in ("socks5", "socks5h"):
        with pytest.raises(requestx.ConnectError, match="address not allowed") as caught:
            get(url, proxy=f"{scheme}://{proxy.address}", address_policy=policy)
        assert caught.value.code == "address_denied" and proxy.address in str(caught.value)
        assert get(url, proxy=f"{scheme}://{proxy.address}").status_code == 200
    assert len(proxy.requests) == 2


# ---- the environment


@pytest.mark.parametrize(
    ("variables", "proxied"),
    [
        ({"ALL_PROXY": "{url}"}, "both"),
        ({"all_proxy": "{url}"}, "both"),
        ({"HTTPS_PROXY": "{url}"}, "https"),
        ({"https_proxy": "{url}", "HTTPS_PROXY": "http://127.0.0.1:1"}, "https"),
        ({"HTTP_PROXY": "{url}"}, "http"),
        ({"http_proxy": "{url}"}, "http"),
        ({"HTTP_PROXY": "{url}", "REQUEST_METHOD": "GET"}, "none"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "127.0.0.1"}, "none"),
        ({"ALL_PROXY": "{url}", "no_proxy": "example.test, 127.0.0.1 "}, "none"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "127.0.0.0/8"}, "none"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "10.0.0.0/8,::1,localhost"}, "both"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "127.0.0.1:{https}"}, "http"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "127.0.0.1:1"}, "both"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "http://127.0.0.1"}, "https"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "https://127.0.0.1:{https}"}, "http"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "*"}, "none"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": "example.test,*"}, "none"),
        ({"ALL_PROXY": "{url}", "NO_PROXY": ""}, "both"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "https", "socks5h"])
def test_environment(get, monkeypatch, ca, proxy_peer, socks_peer, peer, h1peer, kind, variables, proxied):
    """NO_PROXY in each form, with a proxy that is there."""
    proxy = socks_peer() if kind == "socks5h" else proxy_peer(tls=kind == "https")
    origin, plain = peer(), h1peer()
    fill = {"url": f"{kind}://{proxy.address}", "https": origin.port}
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(**fill))
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    for scheme, server in (("https", origin), ("http", plain)):
        before = len(proxy.requests)
        assert get(server.url("/")).status_code == 200
        assert (len(proxy.requests) > before) is (proxied in ("both", scheme))
        assert get(server.url("/"), trust_env=False).status_code == 200
        assert len(proxy.requests) - before <= 1


@pytest.mark.parametrize(
    ("entry", "host", "direct"),
    [
        ("example.test", "example.test", True),
        ("example.test", "www.example.test", True),
        ("example.test", "badexample.test", False),
        (".example.test", "www.example.test", True),
        (".example.test", "example.test", False),
        ("EXAMPLE.test", "www.example.TEST", True),
        ("localhost", "localhost", True),
        ("localhost", "sub.localhost", False),
    ],
)
def test_names_in_no_proxy(get, monkeypatch, h1peer, socks_peer, entry, host, direct):
    """Names that the proxy alone can reach: whoever goes there directly finds nothing."""
    server = h1peer()
    proxy = socks_peer(routes={name: ("127.0.0.1", server.port) for name in (host, host.lower())})
    monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
    monkeypatch.setenv("NO_PROXY", entry)
    url = f"http://{host}:{server.port}/"
    try:
        status = get(url, timeout=5).status_code
    except requestx.ConnectError:
        status = None
    assert (status is None or host == "localhost") is direct
    assert bool(proxy.requests) is not direct


def test_a_scheme_that_no_proxy_has(monkeypatch):
    for url in ("socks4://127.0.0.1:1", "ftp://127.0.0.1:1", "socks://127.0.0.1"):
        with pytest.raises(ValueError, match="Unknown scheme for proxy URL"):
            requestx.Client(proxy=url)
        monkeypatch.setenv("ALL_PROXY", url)
        with pytest.raises(ValueError, match="Unknown scheme for proxy URL"):
            requestx.Client()


# ---- failures


HTTP_FAILURES = {
    "407": ("proxy_auth", "407"),
    "403": ("proxy_refused", "403"),
    "502": ("proxy_refused", "502"),
    "garbage": ("proxy_protocol", "not an HTTP/1 status line"),
    "truncated": ("proxy_connect", "within its answer"),
    "close": ("proxy_connect", "without an answer"),
}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("mode", sorted(HTTP_FAILURES))
def test_http_proxies_that_fail(get, trusted, proxy_peer, peer, mode, tls):
    proxy, origin = proxy_peer(mode, tls=tls, check=False), peer()
    code, cause = HTTP_FAILURES[mode]
    with pytest.raises(requestx.ProxyError) as caught:
        get(origin.url("/path"), proxy=requestx.Proxy(proxy.proxy, ssl_context=trusted))
    assert (caught.value.code, caught.value.phase) == (code, "proxy")
    assert caught.value.request.url.path == "/path"
    for part in (proxy.address, origin.address, cause):
        assert part in str(caught.value)


SOCKS_FAILURES = {
    "failure": ("proxy_refused", "general failure"),
    "denied": ("proxy_refused", "not allowed by its rules"),
    "network-unreachable": ("proxy_refused", "network unreachable"),
    "host-unreachable": ("proxy_refused", "host unreachable"),
    "refused-by-origin": ("proxy_refused", "connection refused"),
    "ttl": ("proxy_refused", "TTL expired"),
    "command": ("proxy_refused", "command not supported"),
    "address-type": ("proxy_refused", "address type not supported"),
    "no-method": ("proxy_auth", "wants credentials"),
    "garbage": ("proxy_protocol", "version 72"),
    "version-4": ("proxy_protocol", "version 4"),
    "bad-address-type": ("proxy_protocol", "address type 9"),
    "truncated": ("proxy_connect", "within its answer to the request"),
    "close": ("proxy_connect", "without an answer to the greeting"),
}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("mode", sorted(SOCKS_FAILURES))
def test_socks_proxies_that_fail(get, socks_peer, peer, mode, scheme):
    proxy, origin = socks_peer(mode, check=False), peer()
    code, cause = SOCKS_FAILURES[mode]
    with pytest.raises(requestx.ProxyError) as caught:
        get(origin.url("/path"), proxy=f"{scheme}://{proxy.address}")
    assert (caught.value.code, caught.value.phase) == (code, "proxy")
    assert caught.value.request.url.path == "/path"
    for part in (proxy.address, origin.address, cause):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
def test_proxies_that_are_not_there(get, unused_port, peer, kind):
    with pytest.raises(requestx.ProxyError, match=f"127.0.0.1:{unused_port}.*refused"):
        get(peer().url("/"), proxy=f"{kind}://127.0.0.1:{unused_port}")


@pytest.mark.parametrize(
    ("kind", "mode", "waits"),
    [
        ("http", "hang", "waiting for the proxy"),
        ("https", "hang", "waiting for the proxy"),
        ("https", "hang-after-connect", "TLS handshake through the proxy"),
        ("socks5", "hang", "waiting for the proxy"),
        ("socks5h", "hang-after-greeting", "waiting for the proxy"),
        ("socks5h", "hang-after-request", "waiting for the proxy"),
    ],
)
def test_proxies_that_hang(get, trusted, proxy_peer, socks_peer, peer, kind, mode, waits):
    proxy = socks_peer(mode) if kind.startswith("socks") else proxy_peer(mode, tls=kind == "https")
    settings = requestx.Proxy(f"{kind}://{proxy.address}", ssl_context=trusted)
    with pytest.raises(requestx.ConnectTimeout, match=f"{waits} {proxy.address}"):
        get(peer().url("/"), proxy=settings, timeout=requestx.Timeout(5, connect=0.3))


def test_no_tls_where_tls_is_due(get, trusted, h1peer, peer):
    proxy = h1peer(lambda conn: conn.stall())
    settings = requestx.Proxy(f"https://{proxy.address}", ssl_context=trusted)
    with pytest.raises(requestx.ConnectTimeout, match="TLS handshake with the proxy"):
        get(peer().url("/"), proxy=settings, timeout=requestx.Timeout(5, connect=0.3))
