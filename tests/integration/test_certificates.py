"""Certificates and TLS servers that must be refused, in words; and the few odd ones that are right."""

import ssl
import warnings

import pytest
from cryptography import x509

import requestx
from support.odd_certs import OddAuthority

WEAK = "DEFAULT:@SECLEVEL=0"


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return OddAuthority(tmp_path_factory.mktemp("odd"))


@pytest.fixture
def serve(odd, h1peer):
    """serve(issued, **context) -> an HTTP/1.1 server on 127.0.0.1 that shows the certificate"""
    return lambda issued, **options: h1peer(tls_context=odd.context(issued, **options), check=False)


@pytest.fixture
def get(probe, odd):
    """get(server, host, **options) -> Done of a client that trusts the odd authority, with every name on 127.0.0.1"""

    def ask(server, host, **options):
        options.setdefault("ca", odd.ca_file)
        client = probe("embedded-pull", resolve=f"{host}=127.0.0.1", **options)
        return client.get(server.url("/", host=host))

    return ask


def refused(done, server, host, cause):
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls"), done
    assert done.error_text == f"TLS handshake with {host}:{server.port}: {cause}"
    assert server.requests() == []


# ---- names


@pytest.mark.parametrize(
    "name, host",
    [
        (b"a.example.test", "a.example.test"),
        (b"A.Example.TEST", "a.example.test"),
        (b"a.example.test", "A.EXAMPLE.test"),
        (b"*.example.test", "a.example.test"),
        (b"*.example.test", "xn--bcher-kva.example.test"),
        (b"xn--bcher-kva.example.test", "xn--bcher-kva.example.test"),
    ],
)
def test_names_that_match(odd, serve, get, name, host):
    assert get(serve(odd.issue(name)), host).status == 200


@pytest.mark.parametrize(
    "name, host",
    [
        (b"b.example.test", "a.example.test"),
        (b"example.test", "a.example.test"),
        (b".example.test", "a.example.test"),
        # RFC 6125 section 6.4.3: a wildcard is the whole leftmost label, and stands for one label
        (b"*.example.test", "example.test"),
        (b"*.example.test", "a.b.example.test"),
        (b"*.*.example.test", "a.b.example.test"),
        (b"a.*.example.test", "a.b.example.test"),
        (b"f*.example.test", "foo.example.test"),
        (b"*o.example.test", "foo.example.test"),
        (b"f*o.example.test", "foo.example.test"),
        (b"xn--*.example.test", "xn--bcher-kva.example.test"),
        (b"*.test", "example.test"),
        (b"*", "test"),
        (b"*.", "test"),
        # a NUL ends no name
        (b"a.example.test\0", "a.example.test"),
        (b"a.example.test\0.evil.test", "a.example.test"),
        (b"\0a.example.test", "a.example.test"),
        (b"*.example.test\0.evil.test", "a.example.test"),
    ],
)
def test_names_that_do_not_match(odd, serve, get, name, host):
    server = serve(odd.issue(name))
    told = name.replace(b"\0", b"?").decode()
    refused(get(server, host), server, host, f"certificate is for {told}, not {host}")


def test_a_common_name_does_not_count(odd, serve, get):
    host = "a.example.test"
    server = serve(odd.issue(common_name=host))
    refused(get(server, host), server, host, f"certificate is for no host, not {host}")
    server = serve(odd.issue(b"b.example.test", common_name=host))
    refused(get(server, host), server, host, f"certificate is for b.example.test, not {host}")


def test_an_address_is_no_name(odd, serve, get):
    """An address has to stand there as one: in a dNSName it is nothing, and a wildcard is not for addresses."""
    server = serve(odd.issue(("ip", bytes([127, 0, 0, 1]))))
    assert get(server, "127.0.0.1").status == 200
    for name in (b"127.0.0.1", b"*.0.0.1"):
        server = serve(odd.issue(name))
        refused(get(server, "127.0.0.1"), server, "127.0.0.1", f"certificate is for {name.decode()}, not 127.0.0.1")
    server = serve(odd.issue(("ip", bytes([127, 0, 0, 2])), ("ip", bytes(15) + b"\1")))
    refused(get(server, "127.0.0.1"), server, "127.0.0.1", "certificate is for 127.0.0.2, ::1, not 127.0.0.1")


def test_what_a_certificate_says_is_told_harmlessly(odd, serve, get):
    names = [b"\x1b[31m\r\nevil", b"x" * 500, *(b"%d.test" % n for n in range(50))]
    server = serve(odd.issue(*names))
    done = get(server, "a.example.test")
    assert done.error == "TLS_CERTIFICATE"
    assert "certificate is for ?[31m??evil, " in done.error_text and " and 49 more" in done.error_text
    assert all(32 <= ord(letter) < 127 for letter in done.error_text)


# ---- keys, purposes, chains


def test_a_key_that_is_too_weak(odd, serve, get):
    server = serve(odd.issue(b"a.example.test", rsa_bits=1024), ciphers=WEAK)
    refused(get(server, "a.example.test"), server, "a.example.test", "EE certificate key too weak")


def test_a_certificate_for_something_else(odd, serve, get):
    host = "a.example.test"
    server = serve(odd.issue(b"a.example.test", purpose=x509.ExtendedKeyUsageOID.CLIENT_AUTH))
    refused(get(server, host), server, host, "unsuitable certificate purpose")


def test_a_certificate_under_one_that_is_no_authority(odd, serve, get):
    middle = odd.issue(b"shop.example.test", common_name="a shop")
    server = serve(odd.issue(b"a.example.test", under=middle))
    refused(get(server, "a.example.test"), server, "a.example.test", "invalid CA certificate")


def test_dates_of_those_above_count_too(odd, serve, get):
    late = odd.issue(common_name="Late Authority", is_ca=True, days=(-30, -2))
    server = serve(odd.issue(b"a.example.test", under=late))
    date = (late[0].not_valid_after_utc).strftime("%Y-%m-%d")
    cause = f"certificate of Late Authority has expired ({date})"
    refused(get(server, "a.example.test"), server, "a.example.test", cause)


# ---- revocation


def test_a_revoked_certificate(odd, serve, get):
    host, bad, good = "a.example.test", odd.issue(b"a.example.test"), odd.issue(b"a.example.test")
    crl = odd.revoke(bad[0])
    server = serve(bad)
    refused(get(server, host, crl=crl), server, host, "certificate was revoked by Odd Root")
    assert get(server, host).status == 200  # nobody asked
    assert get(serve(good), host, crl=crl).status == 200


def test_revocation_needs_the_issuers_list(odd, serve, get):
    host = "a.example.test"
    middle = odd.issue(common_name="Middle Authority", is_ca=True)
    leaf = odd.issue(b"a.example.test", under=middle)
    server, root_list = serve(leaf), odd.revoke(middle[0], name="root-crl.pem")
    refused(get(server, host, crl=root_list), server, host, "no revocation list of Middle Authority")
    middle_list = odd.revoke(under=middle, name="middle-crl.pem")
    assert get(server, host, crl=middle_list).status == 200
    both = odd._write("both-crl.pem", *(open(path, "rb").read() for path in (root_list, middle_list)))
    assert get(server, host, crl=both).status == 200
    server, cause = serve(leaf), "certificate of Middle Authority was revoked by Odd Root"
    refused(get(server, host, crl=both, crl_chain=1), server, host, cause)


def test_a_list_that_is_out_of_date(odd, serve, get):
    host, server = "a.example.test", serve(odd.issue(b"a.example.test"))
    old = odd.revoke(days=(-30, -1), name="old-crl.pem")
    refused(get(server, host, crl=old), server, host, "revocation list of Odd Root is out of date")


def test_a_list_that_cannot_be_used(odd, serve, get, tmp_path):
    host, server = "a.example.test", serve(odd.issue(b"a.example.test"))
    for path, cause in ((str(tmp_path / "missing.pem"), "no such file"), (odd.ca_file, "")):
        done = get(server, host, crl=path)
        assert (done.error, done.phase) == ("TLS_CONFIG", "tls")
        assert f"crl_file {path}" in done.error_text and cause in done.error_text


def test_revocation_by_a_context_of_ssl(odd, h1peer):
    names = [b"localhost", ("ip", bytes([127, 0, 0, 1]))]
    bad, good = odd.issue(*names), odd.issue(*names)
    crl = odd.revoke(bad[0], name="context-crl.pem")
    context = ssl.create_default_context(cafile=odd.ca_file)
    context.load_verify_locations(crl)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if requestx._core.Tls.from_context(context) is None:
        pytest.skip("the interpreter and the library have an OpenSSL each")
    with requestx.Client(verify=context) as client:
        assert client.get(h1peer(tls_context=odd.context(good)).url("/")).status_code == 200
        with pytest.raises(requestx.ConnectError, match="was revoked by Odd Root") as caught:
            client.get(h1peer(tls_context=odd.context(bad), check=False).url("/"))
    assert caught.value.code == "tls_certificate"


def test_revocation_is_not_lost_in_translation(odd, monkeypatch):
    from requestx import _tls

    class Foreign:
        @staticmethod
        def from_context(context, pins=None):
            return None

    monkeypatch.setattr(_tls, "Tls", Foreign)
    context = ssl.create_default_context(cafile=odd.ca_file)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    with pytest.raises(ValueError, match="revocation lists cannot be carried over"):
        requestx.Client(verify=context)


# ---- protocols


def old_context(odd, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        issued = odd.issue(b"a.example.test")
        return odd.context(issued, version=version, ciphers="ALL:@SECLEVEL=0")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_server_of_an_old_version(odd, h1peer, get, version):
    server = h1peer(tls_context=old_context(odd, version), check=False)
    done = get(server, "a.example.test")
    assert (done.error, done.phase) == ("TLS_HANDSHAKE", "tls")
    assert done.error_text.endswith("peer sent alert: protocol version (70)")
    with pytest.raises(requestx.ConnectError) as caught:
        requestx.get(server.url("/"), verify=False)
    assert caught.value.code == "tls_handshake" and "protocol version" in str(caught.value)


def test_a_server_below_the_minimum(odd, h1peer, get):
    context = odd.context(odd.issue(b"a.example.test"), version=ssl.TLSVersion.TLSv1_2)
    server = h1peer(tls_context=context, check=False)
    assert get(server, "a.example.test").status == 200
    done = get(server, "a.example.test", min_version=0x0304)
    assert done.error == "TLS_HANDSHAKE" and "protocol version" in done.error_text


def test_h2_that_turns_out_to_be_http_1(odd, h1peer, get):
    """The server chooses h2 and answers what it takes for a strange method."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def answer_at_once(conn):
        conn.send(answer)
        conn.until_closed()

    context = odd.context(odd.issue(b"a.example.test"), alpn=("h2",))
    server = h1peer(answer_at_once, tls_context=context, check=False)
    done = get(server, "a.example.test")
    assert (done.error, done.phase) == ("PROTOCOL", "protocol"), done
    assert done.error_text.endswith(
        f"to a.example.test:{server.port}: peer does not speak HTTP/2: no SETTINGS frame came first"
    )


def test_http_1_1_that_turns_out_to_be_h2(odd, h1peer, get):
    """The server chooses http/1.1 and speaks frames."""

    def speak_frames(conn):
        conn.send(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        conn.until_closed()

    server = h1peer(speak_frames, tls_context=odd.context(odd.issue(b"a.example.test")), check=False)
    done = get(server, "a.example.test")
    assert (done.error, done.phase) == ("PROTOCOL", "protocol"), done
    assert done.error_text == f"request to a.example.test:{server.port}: the peer does not speak HTTP/1.1"


@pytest.mark.parametrize("protocols", [1, 2, 3])
def test_a_protocol_that_was_not_wanted(odd, h1peer, get, protocols):
    server = h1peer(tls_context=odd.context(odd.issue(b"a.example.test"), alpn=("spdy/3",)), check=False)
    done = get(server, "a.example.test", protocols=protocols)
    if protocols == 2:
        assert (done.error, done.phase) == ("TLS_ALPN", "tls")
        assert done.error_text.endswith("peer did not choose h2 (ALPN), and nothing else was offered")
    else:
        assert (done.status, done.version) == (200, 11)


# ---- after the handshake


def test_authentication_after_the_handshake_is_not_offered(odd, h1peer):
    """RFC 9113 section 9.2.3, RFC 8740: a server that wants it finds that the client does not do it."""
    context = odd.context(odd.issue(b"localhost", ("ip", bytes([127, 0, 0, 1]))))
    context.post_handshake_auth = True
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(odd.ca_file)
    refusals = []

    def ask_again(conn):
        conn.read_request()
        try:
            conn.wire.tls.verify_client_post_handshake()
        except ssl.SSLError as error:
            refusals.append(error.reason)
        conn.respond(200, b"fine")

    mine = ssl.create_default_context(cafile=odd.ca_file)
    mine.post_handshake_auth = True
    if requestx._core.Tls.from_context(mine) is None:
        pytest.skip("the interpreter and the library have an OpenSSL each")
    server = h1peer(ask_again, tls_context=context)
    assert requestx.get(server.url("/"), verify=mine).text == "fine"
    assert refusals == ["EXTENSION_NOT_RECEIVED"]
