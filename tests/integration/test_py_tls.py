"""What `verify` and `cert` may be: contexts of ssl, files, aliases; and what is shared."""

import asyncio
import ssl

import pytest

import requestx


def get(url, **settings):
    with requestx.Client(**settings) as client:
        return client.get(url)


def test_a_context_is_borrowed(ca, nginx):
    context = ssl.create_default_context(cafile=ca.ca_file)
    tls = requestx._core.Tls.from_context(context)
    if tls is None:
        pytest.skip("the interpreter and the library have an OpenSSL each")
    assert get(nginx.https_url("/small"), verify=context).http_version == "HTTP/2"
    with pytest.raises(requestx.ConnectError):
        get(nginx.bad_cert_url("wrong_host", "/small"), verify=context)
    context.check_hostname = False
    assert get(nginx.bad_cert_url("wrong_host", "/small"), verify=context).status_code == 200
    with pytest.raises(requestx.ConnectError):
        get(nginx.bad_cert_url("expired", "/small"), verify=context)
    context.verify_mode = ssl.CERT_NONE
    assert get(nginx.bad_cert_url("expired", "/small"), verify=context).status_code == 200


def test_a_context_outlives_its_owner(ca, nginx):
    client = requestx.Client(verify=ssl.create_default_context(cafile=ca.ca_file))
    assert client.get(nginx.https_url("/small")).status_code == 200
    client.close()


def test_a_context_without_our_roots_trusts_nobody(nginx):
    with pytest.raises(requestx.ConnectError, match="(?i)issuer|trust|unable"):
        get(nginx.https_url("/small"), verify=ssl.create_default_context())


def test_a_foreign_context_is_translated(ca, nginx, monkeypatch):
    from requestx import _tls

    class Foreign:
        def __new__(cls, **settings):
            return requestx._core.Tls(**settings)

        @staticmethod
        def from_context(context, pins=None):
            return None

    monkeypatch.setattr(_tls, "Tls", Foreign)
    context = ssl.create_default_context(cafile=ca.ca_file)
    with pytest.warns(RuntimeWarning, match="another OpenSSL"):
        assert get(nginx.https_url("/small"), verify=context).status_code == 200
    context.check_hostname = False
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="check_hostname"):
        requestx.Client(verify=context)
    context.verify_mode = ssl.CERT_NONE
    with pytest.warns(RuntimeWarning):
        assert get(nginx.bad_cert_url("expired", "/small"), verify=context).status_code == 200


@pytest.mark.parametrize("verify", [7, object(), [True]])
def test_verify_is_of_few_kinds(verify):
    with pytest.raises(TypeError):
        requestx.Client(verify=verify)


def test_client_certificates(ca, nginx):
    url = nginx.mtls_url("/small")
    context = ssl.create_default_context(cafile=ca.ca_file)
    context.load_cert_chain(ca.client_cert, ca.client_key)
    assert get(url, verify=context).status_code == 200
    for cert in (ca.client_combined, (ca.client_cert, ca.client_key)):
        assert get(url, ca_bundle=ca.ca_file, cert_file=cert).status_code == 200
    encrypted = (ca.client_cert, ca.client_key_encrypted, ca.client_key_password)
    assert get(url, ca_bundle=ca.ca_file, cert_file=encrypted).status_code == 200
    assert get(url, ca_bundle=ca.ca_file).status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"ca_bundle": "/does/not/exist.pem"},
        {"cert_file": "/does/not/exist.pem"},
        {"cert_file": ("/does/not/exist.pem", "/does/not/exist.key")},
    ],
)
def test_files_that_cannot_be_used(settings):
    with pytest.raises(OSError, match="/does/not/exist"):
        requestx.Client(**settings)


def test_old_ways_are_deprecated(ca, nginx):
    with pytest.warns(DeprecationWarning, match="verify=<str>"):
        assert get(nginx.https_url("/small"), verify=ca.ca_file).status_code == 200
    with pytest.warns(DeprecationWarning, match="cert=..."):
        requestx.Client(cert=ca.client_combined).close()


def test_sni(ca, nginx, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        client.get(server.url("/", host="localhost"))
        request = client.build_request("GET", server.url("/"), extensions={"sni_hostname": "a.example.test"})
        assert client.send(request).status_code == 200
    assert {conn.sni for conn in server.conns} == {"localhost", "a.example.test"}


def test_one_configuration_is_shared(ca):
    pools = [requestx.HTTPTransport()._pool for _ in range(2)]
    assert pools[0] is not pools[1]
    from requestx._tls import make_tls
    from requestx._config import CABundle

    assert make_tls(CABundle(ca.ca_file), None, True) is make_tls(CABundle(ca.ca_file), None, True)
    assert make_tls(CABundle(ca.ca_file), None, True) is not make_tls(False, None, True)


def test_the_environment(ca, nginx, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    assert get(nginx.https_url("/small")).status_code == 200
    with pytest.raises(requestx.ConnectError):
        get(nginx.https_url("/small"), trust_env=False)

    async def main():
        async with requestx.AsyncClient() as client:
            return await client.get(nginx.https_url("/small"))

    assert asyncio.run(main()).status_code == 200


def test_truststore_means_the_systems_store(ca, nginx, monkeypatch):
    class SSLContext(ssl.SSLContext):
        pass

    SSLContext.__module__ = "truststore._api"
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    assert get(nginx.https_url("/small"), verify=SSLContext(ssl.PROTOCOL_TLS_CLIENT)).status_code == 200


def test_verify_none_verifies(nginx):
    """httpx allows no such value, and verifies: so does this."""
    with requestx.Client(verify=None, trust_env=False) as client:
        with pytest.raises(requestx.ConnectError) as caught:
            client.get(nginx.url("/"))
    assert caught.value.phase == "tls"
