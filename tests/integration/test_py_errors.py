"""Failures, from Python: the right exception for each phase, whose text names host, phase and cause."""

import asyncio
import pickle
import ssl
import time

import pytest

import requestx


def split(ca, options):
    """Settings of a client, taken out of the options of its request."""
    names = ("limits", "transport", "proxy", "verify", "http2")
    settings = {name: options.pop(name) for name in names if name in options}
    return settings if "verify" in settings else {"ca_bundle": ca.ca_file, **settings}


def sync_get(ca, url, method="GET", **options):
    with requestx.Client(**split(ca, options)) as client:
        return client.request(method, url, **options)


def async_get(ca, url, method="GET", **options):
    async def main():
        async with requestx.AsyncClient(**split(ca, options)) as client:
            return await client.request(method, url, **options)

    return asyncio.run(main())


def slow_get(ca, url, method="GET", **options):
    """As sync_get, but around the fast path."""
    return sync_get(ca, url, method, extensions={}, **options)


@pytest.fixture(params=[sync_get, async_get, slow_get], ids=["sync", "async", "slow"])
def get(request, ca):
    return lambda url, **options: request.param(ca, url, **options)


def test_refused(get, unused_port):
    with pytest.raises(requestx.ConnectError) as caught:
        get(f"http://127.0.0.1:{unused_port}/path")
    assert str(unused_port) in str(caught.value) and "refused" in str(caught.value).lower()
    assert caught.value.request.url.path == "/path" and caught.value.request.method == "GET"
    assert (caught.value.code, caught.value.phase) == ("connect", "connect")


def test_exceptions_are_pickled(get, unused_port):
    with pytest.raises(requestx.ConnectError) as caught:
        get(f"http://127.0.0.1:{unused_port}/path")
    twin = pickle.loads(pickle.dumps(caught.value))
    assert type(twin) is requestx.ConnectError and str(twin) == str(caught.value)
    assert twin.request.url == caught.value.request.url and twin.phase == "connect"


def test_a_name_that_does_not_resolve(get):
    with pytest.raises(requestx.ConnectError, match="does-not-exist.invalid") as caught:
        get("http://does-not-exist.invalid/")
    assert caught.value.phase in ("resolve", "connect")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("expired", "expired"),
        ("self_signed", "self.signed"),
        ("wrong_host", "host"),
        ("untrusted", "issuer|trust|unable"),
        ("not_yet_valid", "not yet valid"),
        ("missing_intermediate", "issuer|unable"),
    ],
)
def test_bad_certificates(get, nginx, name, cause):
    url = nginx.bad_cert_url(name, "/small")
    with pytest.raises(requestx.ConnectError, match=f"(?i){cause}") as caught:
        get(url)
    assert requestx.URL(url).host in str(caught.value) and caught.value.phase == "tls"
    assert caught.value.code == "tls_certificate"


def test_verify_false_trusts_all(get, nginx):
    assert get(nginx.bad_cert_url("expired", "/small"), verify=False).status_code == 200


@pytest.mark.parametrize("http2", [True, False])
def test_timeouts_name_their_phase(get, peer, h1peer, http2):
    url = peer().url("/never") if http2 else h1peer().url("/never")
    begin = time.monotonic()
    with pytest.raises(requestx.ReadTimeout, match="127.0.0.1") as caught:
        get(url, timeout=0.2)
    assert 0.19 < time.monotonic() - begin < 2 and caught.value.phase == "timeout"
    with pytest.raises(requestx.TimeoutException) as caught:
        get(url, timeout=requestx.Timeout(5, total=0.2))
    assert caught.value.code == "total_timeout"


def test_pool_timeout(ca, peer):
    server = peer(max_concurrent_streams=1)

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            await client.get(server.url("/"))
            first = asyncio.ensure_future(client.get(server.url("/slow?ms=600")))
            await asyncio.sleep(0.05)
            with pytest.raises(requestx.PoolTimeout):
                await client.get(server.url("/"), timeout=requestx.Timeout(5, pool=0.1))
            assert (await first).content == b"slow"

    asyncio.run(main())


def test_write_timeout(get, peer):
    with pytest.raises((requestx.WriteTimeout, requestx.ReadTimeout)):
        get(peer().url("/stall-upload"), method="POST", content=b"x" * 10_000_000, timeout=0.3)


def test_connect_timeout(get):
    from support.blackhole import BlackHole

    with BlackHole() as hole:
        with pytest.raises(requestx.ConnectTimeout) as caught:
            get(f"http://{hole.host}:{hole.port}/", timeout=0.2)
    assert caught.value.code == "connect_timeout"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/rst", requestx.RemoteProtocolError),
        ("/rst?after=10", requestx.RemoteProtocolError),
        ("/close", (requestx.RemoteProtocolError, requestx.ReadError)),
        ("/short", requestx.RemoteProtocolError),
    ],
)
def test_a_peer_that_misbehaves(get, peer, path, error):
    with pytest.raises(error) as caught:
        get(peer(check=False).url(path))
    assert caught.value.request is not None and str(caught.value)


def test_bad_coding(get, h1peer):
    body = b"this is not gzip"
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with pytest.raises(requestx.DecodingError) as caught:
        get(h1peer(reply=reply).url("/"))
    assert caught.value.request.method == "GET"


@pytest.mark.parametrize(
    ("url", "options", "error", "message"),
    [
        ("ftp://h/", {}, requestx.UnsupportedProtocol, "unsupported protocol 'ftp://'"),
        ("/path", {}, requestx.UnsupportedProtocol, "missing an 'http://' or 'https://' protocol"),
        ("http://", {}, (requestx.UnsupportedProtocol, requestx.LocalProtocolError), None),
        ("http://h:x/", {}, requestx.InvalidURL, "Invalid port: 'x'"),
        ("http://127.0.0.1:9/", {"headers": {"a": "b\r\nc: d"}}, requestx.LocalProtocolError, "Illegal header value"),
        ("http://127.0.0.1:9/", {"headers": {"a": "b\0"}}, requestx.LocalProtocolError, "Illegal header value"),
        ("http://127.0.0.1:9/", {"headers": {"a b": "c"}}, requestx.LocalProtocolError, "Illegal header name"),
        ("http://127.0.0.1:9/", {"headers": {"": "c"}}, requestx.LocalProtocolError, "Illegal header name"),
        ("http://127.0.0.1:9/", {"headers": {"a": "b" * 2**20}}, requestx.LocalProtocolError, "8192 header fields"),
        ("http://127.0.0.1:9/", {"headers": [("a", "b")] * 8193}, requestx.LocalProtocolError, "8192 header fields"),
        ("http://127.0.0.1:9/", {"auth": ("user", None)}, TypeError, "A password is str or bytes, not NoneType"),
        ("http://127.0.0.1:9/", {"method": "G T"}, requestx.LocalProtocolError, "Illegal method"),
        (
            "http://127.0.0.1:9/",
            {"method": "POST", "content": b"abc", "headers": {"content-length": "9"}},
            requestx.LocalProtocolError,
            "Too little data",
        ),
        ("http://127.0.0.1:9/", {"headers": {"content-length": "2"}}, requestx.LocalProtocolError, "Too little data"),
        (
            "http://127.0.0.1:9/",
            {"method": "POST", "content": b"abc", "headers": {"content-length": "2"}},
            requestx.LocalProtocolError,
            "Too much data",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_sent(get, url, options, error, message):
    with pytest.raises(error, match=message):
        get(url, **options)


@pytest.mark.parametrize("content", [{"a": 1}, 7, object()])
def test_bodies_that_are_none(get, content):
    with pytest.raises(TypeError):
        get("http://127.0.0.1:9/", method="POST", content=content)


def test_a_closed_transport_can_be_used_again(ca, nginx):
    transport = requestx.HTTPTransport(verify=ssl.create_default_context(cafile=ca.ca_file))
    for _ in range(2):
        response = transport.handle_request(requestx.Request("GET", nginx.https_url("/small")))
        assert response.read() == b"hello, world\n"
        transport.close()


def test_proxies_that_refuse(ca, get, proxy_peer, nginx):
    for mode in ("refuse", "407", "403"):
        with pytest.raises(requestx.ProxyError):
            get(nginx.https_url("/small"), proxy=proxy_peer(mode, check=False).url(""))


def test_through_a_proxy(get, tinyproxy, tinyproxy_auth, nginx):
    assert get(nginx.https_url("/small"), proxy=tinyproxy.url).http_version == "HTTP/2"
    proxy = requestx.Proxy(tinyproxy_auth.url, username="proxy-user", password="proxy-pass")
    assert get(nginx.https_url("/small"), proxy=proxy).status_code == 200
    assert get(nginx.http_url("/small"), proxy=proxy).status_code == 200
    with pytest.raises(requestx.ProxyError):
        get(nginx.https_url("/small"), proxy=tinyproxy_auth.url)
