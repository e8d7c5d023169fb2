"""HTTP proxies: absolute form, CONNECT with HTTP/2 inside, credentials, the environment, failures."""

import pytest
from support.process import has_ipv6

SECOND = 1_000_000
AUTHORIZATION = "Basic dXNlcjpwYXNz"  # user:pass


@pytest.fixture
def origin(peer):
    return peer()


# ---- absolute form


def test_http_urls_are_asked_in_absolute_form(any_probe, h1peer, proxy_peer):
    server, proxy = h1peer(), proxy_peer()
    done = any_probe(proxy=proxy.proxy).get(server.url("/echo?a=b"), header={"X-Own": "1"})
    assert (done.status, done.version) == (200, 11)
    (request,) = proxy.requests
    assert request.method == "GET"
    assert request.target == server.url("/echo?a=b")
    assert request.headers["host"] == server.address
    assert "proxy-authorization" not in request.headers
    assert server.requests()[0].headers["x-own"] == "1"


def test_absolute_form_keeps_the_connection(any_probe, h1peer):
    proxy = h1peer(reply=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    client = any_probe(proxy=proxy.url(""))
    for _ in range(3):
        assert client.get("http://somewhere.example.test/").body == b"hi"
    assert proxy.accepted == 1


def test_credentials_of_the_url_do_not_reach_the_target(any_probe, h1peer, proxy_peer):
    server, proxy = h1peer(), proxy_peer()
    url = server.url("/").replace("127.0.0.1", "user:pass@127.0.0.1")
    assert any_probe(proxy=proxy.proxy).get(url).status == 200
    assert proxy.requests[0].target == server.url("/")
    assert server.requests()[0].headers["authorization"] == AUTHORIZATION


# ---- CONNECT


def test_http_2_inside_a_tunnel(any_probe, origin, proxy_peer):
    proxy = proxy_peer()
    client = any_probe(proxy=proxy.proxy)
    group = client.group(origin.url("/"), 100)
    assert group.statuses == {"200": 100}
    assert proxy.connects() == [origin.address]
    assert origin.one().alpn == "h2"
    done = client.get(origin.url("/"))
    assert (done.version, done.conn) == (20, 1)


def test_http_1_1_inside_a_tunnel(any_probe, h1peer, proxy_peer):
    server, proxy = h1peer(tls=True), proxy_peer()
    client = any_probe(proxy=proxy.proxy)
    for _ in range(3):
        done = client.get(server.url("/echo"))
        assert (done.status, done.version, done.conn) == (200, 11, 1)
    assert proxy.connects() == [server.address]
    assert server.requests()[0].target == "/echo"


def test_names_are_resolved_by_the_proxy(any_probe, origin, proxy_peer, dns):
    names = dns({})
    proxy = proxy_peer(routes={"w.example.test:443": ("127.0.0.1", origin.port)})
    client = any_probe(proxy=proxy.proxy, nameservers=names.address)
    assert client.get("https://w.example.test/").status == 200
    assert proxy.connects() == ["w.example.test:443"]
    assert names.queries == []


def test_connect_is_not_told_the_requests_fields(any_probe, origin, proxy_peer):
    proxy = proxy_peer()
    client = any_probe(
        proxy=proxy.proxy, proxy_header={"X-Proxy": "1"}, auth=[("basic", "user", "pass")]
    )
    assert client.get(origin.url("/"), header={"Cookie": "secret=1", "X-Own": "1"}).status == 200
    (request,) = proxy.requests
    assert request.method == "CONNECT"
    assert request.headers["host"] == origin.address
    assert request.headers["x-proxy"] == "1"
    for name in ("cookie", "authorization", "x-own"):
        assert name not in request.headers
    (inside,) = origin.requests()
    assert inside.headers["authorization"] == AUTHORIZATION
    assert "x-proxy" not in inside.headers and "proxy-authorization" not in inside.headers


@pytest.mark.parametrize("tls", [False, True])
def test_a_written_proxy_authorization_does_not_leave_the_proxy(
    any_probe, ca, peer, h1peer, proxy_peer, tls
):
    """A redirect from http:80 to https:443 of one host takes credentials along; these are not for the origin."""
    plain, origin = h1peer(), peer(alpn=("h2", "http/1.1") if tls else ("http/1.1",))
    proxy = proxy_peer(
        routes={
            "a.example.test:80": ("127.0.0.1", plain.port),
            "a.example.test:443": ("127.0.0.1", origin.port),
        }
    )
    written = {"Proxy-Authorization": "Basic secret", "Authorization": "Bearer token"}
    client = any_probe(proxy=proxy.proxy, proxy_user="user", proxy_password="pass", redirects=5)
    done = client.get(
        "http://a.example.test/redirect?to=https://a.example.test/", header=written
    )
    assert (done.error, done.status) == ("", 200)
    first, second = proxy.requests
    # what the user wrote stands alone where it is for the proxy
    assert [value for name, value in first.fields if name.lower() == "proxy-authorization"] == [
        "Basic secret"
    ]
    assert second.headers["proxy-authorization"] == AUTHORIZATION
    (inside,) = origin.requests() if tls else origin.h1_requests()
    assert inside.headers["authorization"] == "Bearer token"
    assert "proxy-authorization" not in inside.headers
    # nor do those among the client's own fields
    client = any_probe(proxy=proxy.proxy, header=written)
    assert client.get("https://a.example.test/last").error == ""
    inside = (origin.requests("/last") if tls else origin.h1_requests("/last"))[0]
    assert "proxy-authorization" not in inside.headers


# ---- credentials


@pytest.mark.parametrize("where", ["url", "arguments", "encoded"])
@pytest.mark.parametrize("tls", [False, True])
def test_credentials_for_the_proxy_alone(any_probe, h1peer, proxy_peer, where, tls):
    server = h1peer(tls=tls)
    proxy = proxy_peer(username="us er", password="p@ss:w")
    options = {"proxy": proxy.proxy_url}
    if where == "arguments":
        options = {"proxy": proxy.proxy, "proxy_user": "us er", "proxy_password": "p@ss:w"}
    elif where == "encoded":
        options = {"proxy": proxy.proxy.replace("://", "://us%20er:p%40ss%3Aw@")}
    done = any_probe(**options).get(server.url("/"))
    assert (done.error, done.status) == ("", 200)
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    assert "proxy-authorization" not in server.requests()[0].headers


@pytest.mark.parametrize("given", [None, "http://wrong:creds@"])
def test_wrong_credentials(any_probe, origin, h1peer, proxy_peer, given):
    plain = h1peer()
    proxy = proxy_peer(username="user", password="pass")
    url = proxy.proxy if given is None else proxy.proxy.replace("http://", given)
    client = any_probe(proxy=url)
    done = client.get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_AUTH", "proxy"), done
    assert "407" in done.error_text and str(proxy.port) in done.error_text
    assert "creds" not in done.error_text
    assert origin.accepted == 0
    done = client.get(plain.url("/"))  # in absolute form the proxy's answer is the response
    assert done.status == 407 or done.error == "PROXY_AUTH"


def test_tinyproxy(any_probe, tinyproxy_auth, tinyproxy, nginx):
    for url in (nginx.https_url("/small"), nginx.http_url("/small")):
        for proxy in (tinyproxy.url, tinyproxy_auth.proxy_url):
            done = any_probe(proxy=proxy).get(url)
            assert (done.error, done.status) == ("", 200)
    done = any_probe(proxy=tinyproxy_auth.url).get(nginx.https_url("/small"))
    assert (done.error, done.phase) == ("PROXY_AUTH", "proxy"), done
    assert any_probe(proxy=tinyproxy.url).get(nginx.https_url("/conn")).json["protocol"].startswith(
        "HTTP/2"
    )


# ---- which proxy


def test_a_requests_own_proxy_and_none(any_probe, origin, proxy_peer):
    first, second = proxy_peer(), proxy_peer()
    client = any_probe(proxy=first.proxy)
    assert client.get(origin.url("/")).status == 200
    assert client.get(origin.url("/"), proxy=second.proxy).status == 200
    assert client.get(origin.url("/"), direct=1).status == 200
    assert len(first.connects()) == len(second.connects()) == 1
    assert origin.accepted == 3


@pytest.mark.parametrize(
    "variables, proxied",
    [
        ({"HTTPS_PROXY": "{proxy}"}, True),
        ({"https_proxy": "{proxy}"}, True),
        ({"ALL_PROXY": "{proxy}"}, True),
        ({"all_proxy": "{proxy}"}, True),
        ({"HTTP_PROXY": "{proxy}"}, False),
        ({"HTTPS_PROXY": "{bare}"}, True),
        ({"HTTPS_PROXY": ""}, False),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "127.0.0.1"}, False),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "127.0.0.0/8"}, False),
        ({"HTTPS_PROXY": "{proxy}", "no_proxy": "example.test, 127.0.0.1 "}, False),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "127.0.0.1:{port}"}, False),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "127.0.0.1:1"}, True),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "10.0.0.0/8,localhost"}, True),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "*"}, False),
    ],
)
def test_proxies_of_the_environment(probe, origin, proxy_peer, variables, proxied):
    proxy = proxy_peer()
    fill = {"proxy": proxy.proxy, "bare": proxy.address, "port": origin.port}
    env = {name: "" for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")}
    env.update({name.lower(): "" for name in env})
    env.update({name: value.format(**fill) for name, value in variables.items()})
    env = {name: value for name, value in env.items() if value or name in variables}
    client = probe("embedded", trust_env=1, env=env)
    assert client.get(origin.url("/")).status == 200
    assert bool(proxy.connects()) is proxied
    client = probe("embedded", trust_env=0, env=env)
    assert client.get(origin.url("/")).status == 200
    assert len(proxy.connects()) == proxied


def test_suffixes_in_no_proxy(probe, h1peer, proxy_peer):
    server = h1peer()
    proxy = proxy_peer(routes={host: ("127.0.0.1", server.port) for host in ("a.example.test",)})
    resolve = [f"{name}=127.0.0.1" for name in ("b.in.test", "in.test", "xin.test")]
    env = {"HTTP_PROXY": proxy.proxy, "NO_PROXY": ".in.test"}
    client = probe("embedded", trust_env=1, env=env, resolve=resolve)
    assert client.get(server.url("/", host="b.in.test")).status == 200
    assert proxy.requests == []
    client.get(server.url("/", host="xin.test"))
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "entry, host, proxied",
    [
        ("example.test", "example.test", False),
        ("example.test", "www.example.test", False),
        ("EXAMPLE.Test", "a.b.example.test", False),
        ("example.test", "badexample.test", True),
        ("example.test.", "www.example.test", False),
        (".example.test", "www.example.test", False),
        (".example.test", "example.test", True),
        ("*.example.test", "www.example.test", False),
        ("*.example.test", "example.test", True),
        ("*example.test", "example.test", False),
        ("www.example.test", "example.test", True),
        ("localhost", "localhost", False),
        ("localhost", "sub.localhost", True),
        ("example.test:{port}", "www.example.test", False),
        ("example.test:1", "www.example.test", True),
        ("http://example.test", "example.test", False),
        ("http://example.test", "www.example.test", True),
        ("https://example.test", "example.test", True),
        ("all://example.test:{port}", "example.test", False),
        ("http://", "anything.test", False),
        ("127.0.0.1", "example.test", True),  # names are not looked up
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1/32", "127.0.0.1", False),
        ("127.0.0.2/32", "127.0.0.1", True),
        ("127.0.0.0/8:{port}", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0/0", "127.0.0.1", False),
        ("::/0", "127.0.0.1", True),
        ("127.0.0.0/33", "127.0.0.1", True),
        ("other.test,  , example.test", "example.test", False),
        ("other.test example.test", "example.test", True),
        ("*", "anything.test", False),
        ("", "example.test", True),
    ],
)
@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_forms_of_no_proxy(probe, h1peer, proxy_peer, socks_peer, entry, host, proxied, kind):
    """With a proxy that is there, for hosts that both it and the client find."""
    server = h1peer()
    routes = {host: ("127.0.0.1", server.port)}
    proxy = (proxy_peer if kind == "http" else socks_peer)(routes=routes)
    env = {"ALL_PROXY": f"{kind}://{proxy.address}", "NO_PROXY": entry.format(port=server.port)}
    client = probe("embedded", trust_env=1, env=env, resolve=[f"{host}=127.0.0.1"])
    done = client.get(server.url("/", host=host))
    assert (done.error, done.status) == ("", 200)
    assert bool(proxy.requests) is proxied


@pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
@pytest.mark.parametrize(
    "entry, proxied",
    [
        ("::1", False),
        ("[::1]", False),
        ("[::1]:{port}", False),
        ("[::1]:1", True),
        ("::/0", False),
        ("[::]/127", False),
        ("[::1/128]:{port}", False),
        ("0:0:0:0:0:0:0:1", False),
        ("::2", True),
        ("0.0.0.0/0", True),
        ("http://[::1]:{port}", False),
    ],
)
def test_ipv6_in_no_proxy(probe, h1peer, proxy_peer, entry, proxied):
    server, proxy = h1peer(host="::1"), proxy_peer()
    env = {"HTTP_PROXY": proxy.proxy, "NO_PROXY": entry.format(port=server.port)}
    client = probe("embedded", trust_env=1, env=env)
    assert client.get(server.url("/")).status == 200
    assert bool(proxy.requests) is proxied


# ---- failures


def test_a_proxy_that_refuses_connections(any_probe, origin, unused_port):
    done = any_probe(proxy=f"http://127.0.0.1:{unused_port}").get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
    assert f"127.0.0.1:{unused_port}" in done.error_text
    assert "refused" in done.error_text


def test_a_proxy_whose_name_does_not_resolve(any_probe, origin, dns):
    names = dns({})
    done = any_probe(proxy="http://gone.example.test:3128", nameservers=names.address).get(
        origin.url("/")
    )
    assert done.phase in ("proxy", "resolve"), done
    assert "gone.example.test" in done.error_text


@pytest.mark.parametrize("mode", ["403", "502", "503"])
def test_a_proxy_that_refuses_the_tunnel(any_probe, origin, proxy_peer, mode):
    proxy = proxy_peer(mode)
    done = any_probe(proxy=proxy.proxy).get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_REFUSED", "proxy"), done
    for part in (mode, proxy.address, origin.address):
        assert part in done.error_text
    assert origin.accepted == 0


@pytest.mark.parametrize("mode", ["garbage", "truncated", "endless", "close"])
def test_a_proxy_that_talks_nonsense(any_probe, origin, proxy_peer, mode):
    proxy = proxy_peer(mode, check=False)
    done = any_probe(proxy=proxy.proxy, connect_ms=3000).get(origin.url("/"))
    assert done.phase == "proxy", done
    assert done.error in ("PROXY_PROTOCOL", "PROXY_CONNECT")
    assert proxy.address in done.error_text


@pytest.mark.parametrize("mode", ["drip", "length", "chatty"])
def test_a_proxy_with_quirks(any_probe, origin, proxy_peer, mode):
    proxy = proxy_peer(mode)
    done = any_probe(proxy=proxy.proxy).get(origin.url("/"))
    assert (done.error, done.status, done.version) == ("", 200, 20)


def test_bytes_of_the_tunnel_that_come_with_the_answer(any_probe, origin, proxy_peer):
    proxy = proxy_peer("early-bytes", check=False)
    done = any_probe(proxy=proxy.proxy).get(origin.url("/"))
    assert done.phase in ("tls", "proxy"), done  # they are no TLS


@pytest.mark.parametrize("mode", ["hang", "hang-after-accept", "hang-after-connect"])
def test_a_proxy_that_hangs(any_probe, origin, proxy_peer, mode):
    proxy = proxy_peer(mode)
    done = any_probe(proxy=proxy.proxy, connect_ms=300).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert 0.3 * SECOND <= done.timings["total"] < 1.3 * SECOND
    assert origin.accepted == 0


def test_the_certificate_inside_the_tunnel_is_checked(any_probe, ca, proxy_peer, nginx):
    proxy = proxy_peer()
    done = any_probe(proxy=proxy.proxy).get(nginx.bad_cert_url("expired", "/"))
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls")


def test_redirects_through_a_proxy(any_probe, origin, h1peer, proxy_peer):
    plain, proxy = h1peer(), proxy_peer()
    client = any_probe(proxy=proxy.proxy, redirects=5)
    done = client.get(plain.url(f"/redirect?to={origin.url('/')}"))
    assert (done.status, done.url) == (200, origin.url("/"))
    assert [r.method for r in proxy.requests] == ["GET", "CONNECT"]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "socks4://127.0.0.1:1", "http://", "nonsense"])
def test_urls_that_are_no_proxy(probe, url):
    client = probe("embedded", proxy=url, check=False)
    assert client.ready["event"] == "failed"
    assert client.ready["error"] in ("UNSUPPORTED_SCHEME", "INVALID_URL")
