"""Pinned public keys, over real connections and from Python."""

import asyncio
import base64
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import requestx

UNKNOWN = "sha256/" + base64.b64encode(bytes(32)).decode()


def pin_of(path):
    """The pin of the first certificate in a PEM file."""
    key = x509.load_pem_x509_certificate(Path(path).read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256/" + base64.b64encode(hashlib.sha256(info).digest()).decode()


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


# ---- the library


def test_any_key_of_the_chain(any_probe, ca, nginx):
    for pin in (pin_of(ca.server_cert), pin_of(ca.ca_file)):
        done = any_probe(pin=[UNKNOWN, pin]).get(nginx.https_url("/small"))
        assert (done.status, done.version) == (200, 20)


def test_a_wrong_pin(any_probe, ca, nginx):
    client = any_probe(pin=UNKNOWN, connect_retries=2)
    done = client.get(nginx.https_url("/small"))
    assert (done.error, done.phase, done.retries) == ("TLS_PIN", "tls", 0)
    assert done.error_text == (
        f"TLS handshake with localhost:{nginx.https_port}: no key of the certificate chain is pinned "
        f"({pin_of(ca.server_cert)}, {pin_of(ca.ca_file)})"
    )
    with nginx.watch() as watch:
        assert client.get(nginx.https_url("/small")).error == "TLS_PIN"
        assert client.group(nginx.https_url("/small"), 20).errors == {"TLS_PIN": 20}
        assert client.get(nginx.http_url("/small")).status == 200  # is no matter of TLS
        assert len(watch.requests(1)) == 1  # and that one alone arrived


def test_resumed_connections_are_of_whom_matched(probe, ca, nginx):
    client = probe("embedded-pull", pin=pin_of(ca.ca_file), max_keepalive=0)
    for _ in range(4):
        assert client.get(nginx.https_url("/small")).status == 200


def test_every_redirect_has_to_match(probe, ca, nginx, peer):
    other = peer(cert="intermediate")
    client = probe("embedded-pull", pin=pin_of(ca.server_cert), redirects=3)
    own = peer()
    assert client.get(own.url("/redirect?to=/")).status == 200
    done = client.get(own.url(f"/redirect?to={other.url('/')}"))
    assert done.error == "TLS_PIN" and str(other.port) in done.error_text
    assert other.requests() == []


# ---- Python


def test_a_client_with_pins(get, ca, nginx):
    url = nginx.https_url("/small")
    assert get(url, pins=[pin_of(ca.server_cert)]).http_version == "HTTP/2"
    assert get(url, pins=iter([UNKNOWN, pin_of(ca.ca_file)])).status_code == 200
    assert get(url, pins=[pin_of(ca.server_cert).replace("sha256/", "sha256//")]).status_code == 200
    with pytest.raises(requestx.ConnectError) as caught:
        get(url, pins=[UNKNOWN])
    assert (caught.value.code, caught.value.phase) == ("tls_pin", "tls")
    text = str(caught.value)
    assert f"localhost:{nginx.https_port}" in text and pin_of(ca.server_cert) in text and pin_of(ca.ca_file) in text


def test_pins_without_verification(get, ca, nginx):
    """What is pinned is the server itself: as a self-signed certificate is used well."""
    url = nginx.bad_cert_url("self_signed", "/small")
    pin = pin_of(ca.self_signed_cert)
    assert get(url, ca_bundle=None, verify=False, pins=[pin]).status_code == 200
    with pytest.raises(requestx.ConnectError, match="no key of the certificate, which is not verified, is pinned"):
        get(url, ca_bundle=None, verify=False, pins=[UNKNOWN])
    with pytest.raises(requestx.ConnectError) as caught:
        get(url, pins=[pin])
    assert caught.value.code == "tls_certificate"
    # nor does a root count that nobody has verified
    with pytest.raises(requestx.ConnectError) as caught:
        get(nginx.https_url("/small"), ca_bundle=None, verify=False, pins=[pin_of(ca.ca_file)])
    assert caught.value.code == "tls_pin"


def test_pins_beside_a_context(get, ca, nginx):
    context = ssl.create_default_context(cafile=ca.ca_file)
    if requestx._core.Tls.from_context(context) is None:
        pytest.skip("the interpreter and the library have an OpenSSL each")
    url = nginx.https_url("/small")
    assert get(url, ca_bundle=None, verify=context, pins=[pin_of(ca.ca_file)]).status_code == 200
    with pytest.raises(requestx.ConnectError) as caught:
        get(url, ca_bundle=None, verify=context, pins=[UNKNOWN])
    assert caught.value.code == "tls_pin"


def test_no_session_of_others_is_used(ca, nginx):
    """Clients that share trusted certificates do not share sessions with those that have pins."""
    url = nginx.https_url("/small")
    for _ in range(3):
        with requestx.Client(ca_bundle=ca.ca_file) as free:
            assert free.get(url).status_code == 200
        with requestx.Client(ca_bundle=ca.ca_file, pins=[UNKNOWN]) as pinned:
            with pytest.raises(requestx.ConnectError):
                pinned.get(url)


def test_configurations_are_shared_by_pins(ca):
    from requestx._tls import make_tls

    pin = pin_of(ca.server_cert)
    assert make_tls(True, None, True, [pin]) is make_tls(True, None, True, (pin,))
    assert make_tls(True, None, True, [pin]) is not make_tls(True, None, True, [pin, UNKNOWN])
    assert make_tls(True, None, True, [pin]) is not make_tls(True, None, True)


def test_transports_and_functions_take_pins(ca, nginx):
    url, kind = nginx.https_url("/small"), requestx.HTTPTransport
    with requestx.Client(transport=kind(verify=ssl.create_default_context(cafile=ca.ca_file), pins=[UNKNOWN])) as client:
        with pytest.raises(requestx.ConnectError):
            client.get(url)
    with pytest.raises(requestx.ConnectError):
        requestx.get(url, ca_bundle=ca.ca_file, pins=[UNKNOWN])
    assert requestx.head(url, ca_bundle=ca.ca_file, pins=[pin_of(ca.ca_file)]).status_code == 200
    with requestx.stream("GET", url, ca_bundle=ca.ca_file, pins=[pin_of(ca.ca_file)]) as response:
        assert response.status_code == 200
    with pytest.raises(ValueError, match="pins"):
        requestx.Client(transport=kind(), pins=[UNKNOWN])


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "sha256",
        "sha256/",
        "sha256/é",
        "md5/" + UNKNOWN[7:],
        UNKNOWN[7:],
        UNKNOWN + "=",
        UNKNOWN[:-1],
        UNKNOWN[:-2] + "B=",
        UNKNOWN + "\0",
        "sha256/" + base64.b64encode(bytes(31)).decode(),
    ],
)
def test_what_is_no_pin(pin):
    with pytest.raises(ValueError, match="is no pin"):
        requestx.Client(pins=[UNKNOWN, pin])


def test_pins_are_a_list_of_str():
    with pytest.raises(TypeError, match="pins must be a list"):
        requestx.Client(pins=UNKNOWN)
    with pytest.raises(TypeError, match="a pin must be str"):
        requestx.Client(pins=[UNKNOWN.encode()])
    with pytest.raises(ValueError, match="leave it out"):
        requestx.Client(pins=[])
    with pytest.raises(ValueError, match="at most 64"):
        requestx.Client(pins=[UNKNOWN] * 65)
