"""SOCKS5 proxies: who resolves the name, what reaches whom, and every way in which one may fail."""

import pytest
from support.process import has_ipv6, wait_until
from support.socks_peer import REPLIES

SECOND = 1_000_000
TEXTS = {
    "failure": "general failure",
    "denied": "not allowed by its rules",
    "network-unreachable": "network unreachable",
    "host-unreachable": "host unreachable",
    "refused-by-origin": "connection refused",
    "ttl": "TTL expired",
    "command": "command not supported",
    "address-type": "address type not supported",
}


@pytest.fixture
def origin(peer):
    return peer()


def at(proxy, scheme="socks5h", login=""):
    return f"{scheme}://{login}{proxy.address}"


# ---- working


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_http_2_through_it(any_probe, origin, socks_peer, scheme):
    proxy = socks_peer()
    client = any_probe(proxy=at(proxy, scheme))
    group = client.group(origin.url("/"), 100)
    assert group.statuses == {"200": 100}
    assert proxy.requests == [("ipv4", "127.0.0.1", origin.port)]
    done = client.get(origin.url("/"))
    assert (done.version, done.conn) == (20, 1)
    assert origin.one().alpn == "h2"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_http_urls_are_asked_of_the_origin(any_probe, h1peer, socks_peer, scheme):
    """In origin form, and with nothing that is for a proxy."""
    server, proxy = h1peer(), socks_peer(username="user", password="pass")
    options = {"proxy_user": "user", "proxy_password": "pass", "proxy_header": {"X-Proxy": "1"}}
    client = any_probe(proxy=at(proxy, scheme), **options)
    for _ in range(2):
        done = client.get(server.url("/echo?a=b"), header={"Proxy-Authorization": "Basic secret"})
        assert (done.status, done.version, done.conn) == (200, 11, 1)
    for request in server.requests():
        assert request.target == "/echo?a=b"
        assert request.headers["host"] == server.address
        assert not {"proxy-authorization", "x-proxy"} & request.headers.keys()


def test_http_2_with_prior_knowledge(any_probe, peer, socks_peer):
    server, proxy = peer(tls=False), socks_peer()
    client = any_probe(proxy=at(proxy), protocols=2)
    assert client.group(server.url("/"), 20).statuses == {"200": 20}
    assert len(proxy.requests) == 1


def test_socks5h_gives_the_name(any_probe, origin, socks_peer, dns):
    names = dns({})
    proxy = socks_peer(routes={"w.example.test": ("127.0.0.1", origin.port)})
    client = any_probe(proxy=at(proxy), nameservers=names.address)
    assert client.get("https://w.example.test/").status == 200
    assert proxy.requests == [("name", "w.example.test", 443)]
    assert names.queries == []


def test_socks5_resolves_the_name(any_probe, origin, socks_peer, dns):
    names = dns({"w.example.test": ["127.0.0.1"]})
    proxy = socks_peer()
    client = any_probe(proxy=at(proxy, "socks5"), nameservers=names.address)
    done = client.get(origin.url("/", host="w.example.test"))
    assert (done.error, done.status) == ("", 200)
    assert proxy.requests == [("ipv4", "127.0.0.1", origin.port)]
    assert names.count("w.example.test") == 2  # both families


def test_socks5_tries_both_families(any_probe, peer, socks_peer):
    """The origin listens on one address; the proxy refuses the others."""
    server = peer(host="127.0.0.2")
    proxy = socks_peer()
    client = any_probe(
        proxy=at(proxy, "socks5"), resolve=["w.example.test=127.0.0.3,127.0.0.2,::1"], verify=0
    )
    done = client.get(server.url("/", host="w.example.test"))
    assert (done.error, done.status) == ("", 200)
    assert [host for _, host, _ in proxy.requests] == ["127.0.0.3", "::1", "127.0.0.2"]


@pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_ipv6(any_probe, peer, socks_peer, scheme):
    server, proxy = peer(host="::1"), socks_peer()
    assert any_probe(proxy=at(proxy, scheme)).get(server.url("/")).status == 200
    assert proxy.requests == [("ipv6", "::1", server.port)]


def test_a_large_body_both_ways(any_probe, nginx, socks_peer):
    client = any_probe(proxy=at(socks_peer()))
    assert client.get(nginx.https_url("/1m")).length == 1 << 20
    body = b"x" * (2 << 20)
    done = client.get(nginx.https_url("/post"), method="POST", body=body)
    assert (done.error, done.json["length"]) == ("", len(body))


# ---- credentials


@pytest.mark.parametrize("where", ["url", "arguments"])
@pytest.mark.parametrize("tls", [False, True])
def test_credentials_for_the_proxy_alone(any_probe, h1peer, socks_peer, where, tls):
    server, proxy = h1peer(tls=tls), socks_peer(username="us er", password="p@ss:w")
    options = {"proxy": at(proxy, login="us%20er:p%40ss%3Aw@")}
    if where == "arguments":
        options = {"proxy": at(proxy), "proxy_user": "us er", "proxy_password": "p@ss:w"}
    assert any_probe(**options).get(server.url("/")).status == 200
    assert proxy.logins == [("us er", "p@ss:w")]
    (request,) = server.requests()
    assert not {"authorization", "proxy-authorization"} & request.headers.keys()


def test_credentials_that_are_not_wanted_are_not_told(any_probe, origin, socks_peer):
    proxy = socks_peer()
    assert any_probe(proxy=at(proxy, login="user:pass@")).get(origin.url("/")).status == 200
    assert proxy.logins == []


@pytest.mark.parametrize("login", ["", "user:wrong@", "user@", ":pass@"])
def test_wrong_credentials(any_probe, origin, socks_peer, login):
    proxy = socks_peer(username="user", password="pass")
    done = any_probe(proxy=at(proxy, login=login)).get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_AUTH", "proxy"), done
    assert proxy.address in done.error_text and "wrong" not in done.error_text
    assert len(proxy.logins) == (1 if login else 0)
    assert origin.accepted == 0


def test_credentials_that_are_too_long(probe, socks_peer):
    proxy = socks_peer()
    client = probe("embedded", proxy=at(proxy), proxy_user="u" * 256, check=False)
    assert client.ready["event"] == "failed"
    assert client.ready["error"] == "INVALID_ARGUMENT"
    assert proxy.accepted == 0


# ---- which proxy


def test_a_requests_own_proxy_and_none(any_probe, origin, socks_peer):
    """Connections through different proxies, or by different credentials, are different ones."""
    first, second = socks_peer(), socks_peer(username="user", password="pass")
    client = any_probe(proxy=at(first))
    assert client.get(origin.url("/")).status == 200
    assert client.get(origin.url("/"), proxy=at(second, login="user:pass@")).status == 200
    assert client.get(origin.url("/"), direct=1).status == 200
    done = client.get(origin.url("/"), proxy=at(second, login="user:wrong@"))
    assert done.error == "PROXY_AUTH"
    assert (len(first.requests), len(second.requests)) == (1, 1)
    assert origin.accepted == 3


@pytest.mark.parametrize(
    "variables, proxied",
    [
        ({"ALL_PROXY": "socks5h://{proxy}"}, (True, True)),
        ({"all_proxy": "socks5://{proxy}"}, (True, True)),
        ({"HTTPS_PROXY": "socks5h://{proxy}"}, (True, False)),
        ({"HTTP_PROXY": "socks5h://{proxy}"}, (False, True)),
        ({"ALL_PROXY": "socks5h://{proxy}", "HTTP_PROXY": ""}, (True, True)),
        ({"ALL_PROXY": "socks5h://{proxy}", "NO_PROXY": "127.0.0.0/8"}, (False, False)),
        ({"ALL_PROXY": "socks5h://{proxy}", "NO_PROXY": "https://127.0.0.1"}, (False, True)),
        ({"ALL_PROXY": "socks5h://{proxy}", "NO_PROXY": "127.0.0.1:{port}"}, (False, True)),
        ({"ALL_PROXY": "socks5h://{proxy}", "NO_PROXY": "*"}, (False, False)),
    ],
)
def test_proxies_of_the_environment(probe, origin, h1peer, socks_peer, variables, proxied):
    plain, proxy = h1peer(), socks_peer()
    fill = {"proxy": proxy.address, "port": origin.port}
    env = {name: value.format(**fill) for name, value in variables.items()}
    client = probe("embedded", trust_env=1, env=env)
    for server, through in zip((origin, plain), proxied):
        before = len(proxy.requests)
        assert client.get(server.url("/")).status == 200
        assert len(proxy.requests) - before == through


# ---- failures


def test_a_proxy_that_refuses_connections(any_probe, origin, unused_port):
    for scheme in ("socks5", "socks5h"):
        done = any_probe(proxy=f"{scheme}://127.0.0.1:{unused_port}").get(origin.url("/"))
        assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
        assert f"127.0.0.1:{unused_port}" in done.error_text and "refused" in done.error_text


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("mode", sorted(REPLIES))
def test_each_code_of_failure(any_probe, origin, socks_peer, mode, scheme):
    proxy = socks_peer(mode)
    done = any_probe(proxy=at(proxy, scheme)).get(origin.url("/"))
    assert (done.error, done.phase) == ("PROXY_REFUSED", "proxy"), done
    for part in (proxy.address, origin.address, TEXTS[mode], f"SOCKS code {REPLIES[mode]}"):
        assert part in done.error_text
    assert origin.accepted == 0


@pytest.mark.parametrize(
    "mode, error, cause",
    [
        ("refuse", "PROXY_CONNECT", "greeting"),
        ("close", "PROXY_CONNECT", "without an answer to the greeting"),
        ("garbage", "PROXY_PROTOCOL", "version 72 where 5 was due"),
        ("version-4", "PROXY_PROTOCOL", "version 4 where 5 was due"),
        ("no-method", "PROXY_AUTH", "wants credentials"),
        ("odd-method", "PROXY_PROTOCOL", "method 1, which was not offered"),
        ("bad-address-type", "PROXY_PROTOCOL", "address type 9"),
        ("bad-reply-version", "PROXY_PROTOCOL", "version 4 where 5 was due"),
        ("truncated", "PROXY_CONNECT", "within its answer to the request"),
        ("close-after-request", "PROXY_CONNECT", "without an answer to the request"),
    ],
)
def test_a_proxy_that_talks_nonsense(any_probe, origin, socks_peer, mode, error, cause):
    proxy = socks_peer(mode, check=False)
    done = any_probe(proxy=at(proxy), connect_ms=3000).get(origin.url("/"))
    assert (done.error, done.phase) == (error, "proxy"), done
    assert proxy.address in done.error_text
    if mode != "refuse":  # a reset has a cause of its own
        assert cause in done.error_text
    assert origin.requests() == []


@pytest.mark.parametrize("mode", ["bad-login-version", "close-after-login", "short-login"])
def test_a_proxy_that_fails_at_the_login(any_probe, origin, socks_peer, mode):
    proxy = socks_peer(mode, username="user", password="pass", check=False)
    done = any_probe(proxy=at(proxy, login="user:pass@"), connect_ms=3000).get(origin.url("/"))
    assert done.error == ("PROXY_PROTOCOL" if mode == "bad-login-version" else "PROXY_CONNECT"), done
    assert done.phase == "proxy" and proxy.address in done.error_text
    assert "pass" not in done.error_text.replace("password", "")


def test_a_reply_byte_by_byte(any_probe, origin, socks_peer):
    proxy = socks_peer("drip", username="user", password="pass")
    done = any_probe(proxy=at(proxy, login="user:pass@")).get(origin.url("/"))
    assert (done.error, done.status) == ("", 200)


def test_a_reply_that_names_a_host(any_probe, origin, socks_peer):
    assert any_probe(proxy=at(socks_peer("name-reply"))).get(origin.url("/")).status == 200


@pytest.mark.parametrize(
    "mode", ["hang", "hang-after-greeting", "hang-after-login", "hang-after-request"]
)
def test_a_proxy_that_hangs(any_probe, origin, socks_peer, mode):
    login = {"username": "user", "password": "pass"} if "login" in mode else {}
    proxy = socks_peer(mode, **login)
    url = at(proxy, login="user:pass@" if login else "")
    done = any_probe(proxy=url, connect_ms=300).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert f"waiting for the proxy {proxy.address}" in done.error_text
    assert 0.3 * SECOND <= done.timings["total"] < 1.3 * SECOND
    assert origin.accepted == 0


def test_a_proxy_that_does_not_accept(any_probe, origin, black_hole):
    url = f"socks5h://127.0.0.1:{black_hole}"
    done = any_probe(proxy=url, connect_ms=300).get(origin.url("/"))
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert f"connecting to the proxy 127.0.0.1:{black_hole}" in done.error_text


def test_the_origin_that_hangs_inside(any_probe, h1peer, socks_peer):
    server, proxy = h1peer(lambda conn: conn.stall(), tls=False), socks_peer()
    done = any_probe(proxy=at(proxy), connect_ms=300).get(f"https://{server.address}/")
    assert (done.error, done.phase) == ("CONNECT_TIMEOUT", "timeout"), done
    assert f"TLS handshake through the proxy {proxy.address}" in done.error_text


def test_names_that_do_not_resolve(any_probe, dns, socks_peer):
    names, proxy = dns({}), socks_peer()
    client = any_probe(proxy=at(proxy, "socks5"), nameservers=names.address)
    done = client.get("http://gone.example.test/")
    assert (done.error, done.phase) == ("NAME_NOT_FOUND", "resolve"), done
    assert "gone.example.test" in done.error_text and proxy.accepted == 0
    done = any_probe(proxy="socks5h://gone.example.test", nameservers=names.address).get(
        "http://somewhere.example.test/"
    )
    assert (done.error, done.phase) == ("PROXY_CONNECT", "proxy"), done
    assert "gone.example.test" in done.error_text


def test_a_name_that_is_too_long(any_probe, socks_peer):
    proxy = socks_peer()
    done = any_probe(proxy=at(proxy)).get(f"http://{'a.' * 150}test/")
    assert done.phase == "usage" or done.error == "INVALID_URL", done
    assert proxy.accepted == 0


def test_the_certificate_of_the_origin_is_checked(any_probe, socks_peer, nginx):
    done = any_probe(proxy=at(socks_peer())).get(nginx.bad_cert_url("expired", "/"))
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls")


def test_redirects_through_it(any_probe, origin, h1peer, socks_peer):
    plain, proxy = h1peer(), socks_peer()
    done = any_probe(proxy=at(proxy), redirects=5).get(
        plain.url(f"/redirect?to={origin.url('/')}")
    )
    assert (done.status, done.url) == (200, origin.url("/"))
    assert len(proxy.requests) == 2


# ---- real ones


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_microsocks(any_probe, microsocks, microsocks_auth, nginx, scheme):
    for proxy in (microsocks, microsocks_auth):
        client = any_probe(proxy=proxy.address(scheme))
        done = client.get(nginx.https_url("/conn"))
        assert (done.error, done.json["protocol"]) == ("", "HTTP/2.0")
        assert client.get(nginx.http_url("/64k")).length == 64 << 10
        wait_until(lambda: any(str(nginx.https_port) in one for one in proxy.connects()))
    done = any_probe(proxy=microsocks_auth.address(scheme, login=False)).get(nginx.https_url("/"))
    assert (done.error, done.phase) == ("PROXY_AUTH", "proxy"), done


def test_microsocks_refuses(any_probe, microsocks, unused_port):
    done = any_probe(proxy=microsocks.address()).get(f"https://127.0.0.1:{unused_port}/")
    assert (done.error, done.phase) == ("PROXY_REFUSED", "proxy"), done
    assert "SOCKS code 5" in done.error_text


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_dante(any_probe, danted, nginx, unused_port, scheme):
    client = any_probe(proxy=danted.address(scheme))
    assert client.get(nginx.https_url("/1m", host="127.0.0.1")).length == 1 << 20
    assert client.get(nginx.http_url("/small", host="127.0.0.1")).status == 200
    done = client.get(f"https://127.0.0.66:{nginx.https_port}/")
    assert (done.error, done.phase) == ("PROXY_REFUSED", "proxy"), done
    assert "not allowed by its rules (SOCKS code 2)" in done.error_text
    done = client.get(f"https://127.0.0.1:{unused_port}/")
    assert (done.error, done.phase) == ("PROXY_REFUSED", "proxy"), done
