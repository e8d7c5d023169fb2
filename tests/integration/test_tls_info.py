"""What a response tells of the TLS under it, in C and as `ssl_object` of Python."""

import asyncio
import ssl
from pathlib import Path

import pytest

import requestx
from support.process import has_ipv6


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(Path(path).read_text())


def sync_get(url, **settings):
    with requestx.Client(**settings) as client:
        return client.get(url)


def async_get(url, **settings):
    async def main():
        async with requestx.AsyncClient(**settings) as client:
            return await client.get(url)

    return asyncio.run(main())


@pytest.fixture(params=[sync_get, async_get], ids=["sync", "async"])
def get(request, ca):
    return lambda url, **settings: request.param(url, **{"ca_bundle": ca.ca_file, **settings})


def ssl_object(response):
    return response.extensions["network_stream"].get_extra_info("ssl_object")


# ---- the library


def test_what_is_told(any_probe, ca, nginx):
    client = any_probe()
    told = client.get(nginx.https_url("/small")).told
    assert (told["tls_version"], told["tls_alpn"], told["tls_name"]) == ("TLSv1.3", "h2", "localhost")
    assert told["tls_cipher"].startswith("TLS_") and told["tls_bits"] in (128, 256)
    assert told["tls_certificate"] == len(der_of(ca.server_cert))
    assert (told["tls_verified"], told["tls_resumed"]) == (1, 0)
    assert "tls_version" not in client.get(nginx.http_url("/small")).told


def test_a_resumed_session(probe, ca, nginx):
    client = probe("embedded-pull", max_keepalive=0)
    resumed = [client.get(nginx.https_url("/small")).told for _ in range(3)]
    assert [told["tls_resumed"] for told in resumed] == [0, 1, 1]
    assert {told["tls_certificate"] for told in resumed} == {len(der_of(ca.server_cert))}
    assert {told["tls_verified"] for told in resumed} == {1}


def test_it_outlives_the_connection(probe, h1peer):
    server = h1peer(tls=True)
    client = probe("embedded-pull")
    told = client.get(server.url("/close-after")).told
    assert (told["tls_version"], told["tls_alpn"]) == ("TLSv1.3", "http/1.1")


def test_each_response_of_a_history_has_its_own(probe, nginx):
    client = probe("embedded-pull", redirects=3)
    done = client.get(nginx.https_url("/redirect"))
    assert done.status == 200 and done.told["tls_version"] == "TLSv1.3"


def test_a_tunnel_tells_of_the_origin(any_probe, peer, proxy_peer):
    origin, proxy = peer(), proxy_peer()
    told = any_probe(proxy=proxy.proxy).get(origin.url("/")).told
    assert (told["tls_name"], told["tls_alpn"]) == ("127.0.0.1", "h2")


# ---- Python


def test_an_ssl_object(get, ca, nginx):
    response = get(nginx.https_url("/small"))
    told = ssl_object(response)
    assert told.version() == "TLSv1.3"
    assert told.selected_alpn_protocol() == "h2"
    assert told.server_hostname == "localhost" and told.server_side is False
    name, protocol, bits = told.cipher()
    assert name.startswith("TLS_") and protocol == "TLSv1.3" and bits in (128, 256)
    assert told.getpeercert(binary_form=True) == told.getpeercert(True) == der_of(ca.server_cert)
    assert told.session_reused in (False, True)  # clients with the same settings share sessions
    assert told.compression() is told.selected_npn_protocol() is told.shared_ciphers() is None
    assert told.session is told.context is None
    assert "TLSv1.3" in repr(told) and "localhost" in repr(told)
    assert ssl_object(response) is told


def test_the_certificate_is_told_as_ssl_does(get, ca, nginx):
    import socket

    context = ssl.create_default_context(cafile=ca.ca_file)
    with socket.create_connection(("127.0.0.1", nginx.https_port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as theirs:
            expected = theirs.getpeercert()
    got = ssl_object(get(nginx.https_url("/small"))).getpeercert()
    assert got == expected
    assert ("DNS", "localhost") in got["subjectAltName"] and got["notAfter"]


def test_a_certificate_that_was_not_verified(get, ca, nginx):
    told = ssl_object(get(nginx.bad_cert_url("expired", "/small"), ca_bundle=None, verify=False))
    assert told.getpeercert() == {}
    assert told.getpeercert(True) == der_of(ca.expired_cert)
    # also when all of it is as it should be
    assert ssl_object(get(nginx.https_url("/small"), ca_bundle=None, verify=False)).getpeercert() == {}


def test_http_1(get, nginx):
    told = ssl_object(get(nginx.https_url("/small"), http2=False))
    assert told.selected_alpn_protocol() == "http/1.1"


def test_a_server_without_alpn(get, peer, h1peer):
    server = h1peer(tls=True, alpn=None)
    assert ssl_object(get(server.url("/"))).selected_alpn_protocol() is None


def test_sessions_that_are_resumed(ca, nginx):
    settings = {"ca_bundle": ca.ca_file, "limits": requestx.Limits(max_keepalive_connections=0)}
    with requestx.Client(**settings) as client:
        reused = [ssl_object(client.get(nginx.https_url("/small"))).session_reused for _ in range(3)]
    assert reused[1:] == [True, True]


def test_without_tls(get, nginx):
    stream = get(nginx.http_url("/small", host="127.0.0.1")).extensions["network_stream"]
    assert stream.get_extra_info("ssl_object") is None
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", nginx.http_port)
    host, port = stream.get_extra_info("client_addr")
    assert host == "127.0.0.1" and port not in (0, nginx.http_port)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6(get, nginx):
    stream = get(nginx.https_url("/small", host="::1")).extensions["network_stream"]
    assert stream.get_extra_info("server_addr") == ("::1", nginx.https_port)
    assert stream.get_extra_info("ssl_object").server_hostname == "::1"


def test_what_is_not_told(get, nginx):
    stream = get(nginx.https_url("/small")).extensions["network_stream"]
    assert stream.get_extra_info("socket") is stream.get_extra_info("is_readable") is None
    assert stream.get_extra_info("nonsense") is None


def test_streams_tell_it_while_they_run(ca, nginx):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        with client.stream("GET", nginx.https_url("/64k")) as response:
            assert ssl_object(response).version() == "TLSv1.3"
            assert len(response.read()) == 64 * 1024

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            async with client.stream("GET", nginx.https_url("/64k")) as response:
                assert ssl_object(response).version() == "TLSv1.3"
                assert len(await response.aread()) == 64 * 1024

    asyncio.run(main())


def test_responses_of_a_history(ca, nginx):
    with requestx.Client(ca_bundle=ca.ca_file, follow_redirects=True) as client:
        response = client.get(nginx.https_url("/redirect"))
    assert [ssl_object(each).version() for each in (*response.history, response)] == ["TLSv1.3", "TLSv1.3"]


def test_other_names(get, ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        response = client.get(server.url("/"), extensions={"sni_hostname": "a.example.test"})
    assert ssl_object(response).server_hostname == "a.example.test"
