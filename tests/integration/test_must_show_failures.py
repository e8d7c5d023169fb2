"""Connections that cannot be made, and peers that fall silent in each phase: the right code, and a
text that names host, phase and cause."""

import errno
import socket
import struct
import time

import pytest

SECOND = 1_000_000


def names(done, *parts):
    for part in parts:
        assert str(part) in done.error_text, (part, done.error_text)


# ---- cannot be made


def test_a_connection_that_is_refused(any_probe, unused_port):
    done = any_probe().get(f"https://127.0.0.1:{unused_port}/")
    assert (done.error, done.phase, done.errno) == ("CONNECT", "connect", errno.ECONNREFUSED)
    names(done, f"127.0.0.1:{unused_port}", "onnection refused", "connect")
    assert done.timings["total"] < SECOND


def test_every_address_of_a_name_is_refused(probe, unused_port):
    client = probe("embedded", resolve=["both.example.test=::1,127.0.0.1"])
    done = client.get(f"http://both.example.test:{unused_port}/")
    assert (done.error, done.phase, done.errno) == ("CONNECT", "connect", errno.ECONNREFUSED)
    names(done, f"both.example.test:{unused_port}")


def test_all_who_wait_for_a_dial_are_told(any_probe, unused_port):
    group = any_probe().group(f"https://127.0.0.1:{unused_port}/", 50)
    assert group.errors == {"CONNECT": 50}


def test_connect_retries_after_a_connect_timeout(any_probe, black_hole):
    """As httpx does it; each try has all of the time."""
    began = time.monotonic()
    done = any_probe(connect_retries=2, connect_ms=100).post(f"http://127.0.0.1:{black_hole}/", body="x")
    assert (done.error, done.retries) == ("CONNECT_TIMEOUT", 2)
    assert done.error_text.endswith("(after 3 attempts)")
    assert time.monotonic() - began >= 0.3


def test_connect_retries(any_probe, unused_port):
    done = any_probe(connect_retries=2).get(f"http://127.0.0.1:{unused_port}/")
    assert (done.error, done.retries) == ("CONNECT", 2)


@pytest.mark.parametrize(
    "how, code, cause",
    [
        ("NXDOMAIN", "NAME_NOT_FOUND", "not"),
        ("SERVFAIL", "RESOLVE", ""),
        ("REFUSED", "RESOLVE", ""),
    ],
)
def test_a_name_that_does_not_resolve(any_probe, dns, how, code, cause):
    names_server = dns({})
    names_server.fail("gone.example.test", how)
    client = any_probe(nameservers=names_server.address, dns_timeout_ms=300)
    done = client.get("https://gone.example.test/")
    assert (done.error, done.phase) == (code, "resolve")
    names(done, "gone.example.test", cause)
    assert (done.status, done.conn) == (0, 0)


def test_a_name_without_addresses(any_probe, dns):
    names_server = dns({})
    names_server.empty("hollow.example.test")
    done = any_probe(nameservers=names_server.address).get("https://hollow.example.test/")
    assert done.phase == "resolve"
    names(done, "hollow.example.test")


# ---- certificates

CAUSES = {
    "expired": "expired",
    "not_yet_valid": "not yet valid",
    "self_signed": "self-signed",
    "untrusted": "issuer",
    "missing_intermediate": "issuer",
}


@pytest.mark.parametrize("name", sorted(CAUSES))
def test_a_bad_certificate(any_probe, nginx, name):
    client = any_probe()
    url = nginx.bad_cert_url(name, "/")
    done = client.get(url)
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls"), done
    assert done.tls_verify != 0
    names(done, url.split("/")[2], CAUSES[name])
    assert client.get(nginx.https_url("/small")).status == 200


def test_an_expired_certificates_date_is_told(probe, nginx, ca):
    from cryptography import x509

    with open(ca.expired_cert, "rb") as file:
        end = x509.load_pem_x509_certificate(file.read()).not_valid_after_utc
    done = probe("embedded").get(nginx.bad_cert_url("expired", "/"))
    names(done, end.strftime("%Y-%m-%d"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_certificate_for_another_host(any_probe, nginx, host):
    client = any_probe()
    url = nginx.bad_cert_url("wrong_host", "/").replace("localhost", host)
    done = client.get(url)
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls"), done
    names(done, url.split("/")[2])
    assert done.tls_verify in (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH


@pytest.mark.parametrize("name", [*sorted(CAUSES), "wrong_host"])
def test_verification_switched_off(probe, nginx, name):
    done = probe("embedded", verify=0, ca=None).get(nginx.bad_cert_url(name, "/small"))
    assert (done.error, done.status) == ("", 200)


def test_an_unknown_ca_without_the_file(any_probe, nginx):
    done = any_probe(ca=None).get(nginx.https_url("/"))
    assert (done.error, done.phase) == ("TLS_CERTIFICATE", "tls")


@pytest.mark.parametrize("option", ["ca", "cert"])
def test_a_file_that_is_not_there(any_probe, nginx, option, tmp_path):
    missing = str(tmp_path / "missing.pem")
    done = any_probe(**{option: missing}).get(nginx.https_url("/"))
    assert (done.error, done.phase) == ("TLS_CONFIG", "tls")
    names(done, missing)


def test_tls_to_a_port_that_speaks_plain_http(any_probe, nginx):
    done = any_probe().get(nginx.http_url("/").replace("http://", "https://"))
    assert (done.error, done.phase) == ("TLS_HANDSHAKE", "tls")
    names(done, f"localhost:{nginx.http_port}")


def test_a_peer_that_closes_during_the_handshake(any_probe, h1peer):
    server = h1peer(lambda conn: conn.close())
    done = any_probe().get(server.url("/", scheme="https"))
    assert done.phase in ("tls", "protocol"), done
    names(done, server.address)


def test_no_common_protocol(any_probe, peer, nginx):
    """HTTP/2 alone, and a server that chooses HTTP/1.1 or nothing."""
    done = any_probe(protocols=2).get(nginx.https_h1_url("/"))
    assert (done.error, done.phase) == ("TLS_ALPN", "tls"), done
    names(done, f"localhost:{nginx.https_h1_port}")


# ---- silence, phase by phase


def check_silence(done, error, phase_words, address, ms=300):
    assert (done.error, done.phase) == (error, "timeout"), done
    assert ms / 1000 * SECOND <= done.timings["total"] < (ms / 1000 + 1) * SECOND
    names(done, address, *phase_words)


def test_silence_while_resolving(any_probe, dns):
    names_server = dns({})
    names_server.silent("mute.example.test")
    client = any_probe(nameservers=names_server.address, connect_ms=300)
    done = client.get("https://mute.example.test:444/")
    check_silence(done, "CONNECT_TIMEOUT", ["resolv"], "mute.example.test:444")


def test_a_resolver_that_never_answers_is_given_up(any_probe, dns):
    names_server = dns({})
    names_server.silent("mute.example.test")
    client = any_probe(nameservers=names_server.address, connect_ms=20_000, dns_timeout_ms=100)
    done = client.get("https://mute.example.test/")
    assert (done.error, done.phase) == ("RESOLVE", "resolve")
    names(done, "mute.example.test", "timed out")


def test_silence_while_connecting(any_probe, black_hole):
    done = any_probe(connect_ms=300).get(f"https://127.0.0.1:{black_hole}/")
    check_silence(done, "CONNECT_TIMEOUT", ["connect"], f"127.0.0.1:{black_hole}")


def test_silence_in_the_tls_handshake(any_probe, h1peer):
    server = h1peer(lambda conn: conn.stall())
    done = any_probe(connect_ms=300).get(server.url("/", scheme="https"))
    check_silence(done, "CONNECT_TIMEOUT", ["TLS"], server.address)


def test_silence_after_the_preface(any_probe, peer):
    server = peer(lambda conn: conn.stall())
    done = any_probe(read_ms=300).get(server.url("/"))
    check_silence(done, "READ_TIMEOUT", ["response"], server.address)


def test_silence_before_the_head(any_probe, peer):
    server = peer()
    done = any_probe(read_ms=300).get(server.url("/never"))
    check_silence(done, "READ_TIMEOUT", ["waiting for the response"], server.address)


@pytest.mark.parametrize("path", ["/headers-then-nothing", "/partial?n=100&of=200"])
@pytest.mark.parametrize("streamed", [0, 1])
def test_silence_in_the_body(any_probe, peer, path, streamed):
    server = peer()
    done = any_probe(read_ms=300).get(server.url(path), streamed=streamed)
    check_silence(done, "READ_TIMEOUT", ["body"], server.address)
    assert done.status == 200


def test_silence_of_an_http_1_1_server(any_probe, h1peer):
    server = h1peer()
    client = any_probe(read_ms=300)
    for path, words in (
        ("/never", "waiting for the response"),
        ("/headers-then-nothing", "body"),
        ("/partial?n=10&of=20", "body"),
    ):
        done = client.get(server.url(path))
        check_silence(done, "READ_TIMEOUT", [words], server.address)


def test_a_connect_timeout_of_one_does_not_end_the_dial_of_others(any_probe, h1peer, ca):
    """Two wait for one slow handshake; the hasty one leaves it to the other."""
    release = []

    def slow(conn):
        while not release:
            conn.sleep(0.01)
        conn.wire.start_tls(ca.server_context("server", ("http/1.1",)))
        req = conn.read_request()
        conn.respond(200, req.path.encode())
        conn.until_closed()

    server = h1peer(slow)
    client = any_probe(protocols=3)
    url = server.url("/", scheme="https")
    patient, hasty = client.submit_all([(url, {"connect_ms": 8000}), (url, {"connect_ms": 200})])
    done = hasty.wait()
    assert done.error == "CONNECT_TIMEOUT"
    release.append(True)
    assert patient.wait().status == 200


# ---- liveness


def test_a_connection_that_went_dead_is_found_out_by_ping(any_probe, peer):
    """Open streams, nothing to read: PING, and no answer (a read timeout would say less)."""

    def dead(conn):
        conn.handshake()
        conn.expect_request()
        conn.expect_ping()
        conn.stall()

    server = peer([dead, None])
    client = any_probe(ping_idle_ms=150, ping_timeout_ms=150, read_ms=10_000)
    done = client.get(server.url("/"))
    assert (done.error, done.phase) == ("LIVENESS", "protocol"), done
    assert 0.3 * SECOND <= done.timings["total"] < 2 * SECOND
    names(done, server.address, "PING")
    assert client.get(server.url("/")).conn == 2


def test_ping_keeps_a_slow_exchange_alive(any_probe, peer):
    server = peer()
    client = any_probe(ping_idle_ms=60, ping_timeout_ms=2000)
    done = client.get(server.url("/slow?ms=500"))
    assert (done.error, done.status) == ("", 200)
    assert 1 <= len(server.one().pings) <= 8


def test_no_ping_without_open_streams(any_probe, peer):
    server = peer()
    client = any_probe(ping_idle_ms=30)
    assert client.get(server.url("/")).status == 200
    assert client.get(server.url("/slow?ms=1")).status == 200
    seen = len(server.one().pings)
    client.submit(server.url("/never"), total_ms=150, read_ms=-1).wait()
    assert len(server.one().pings) > seen  # so it would have been, had it been due
    server.one().assert_each_reset_once()


def test_a_connection_the_peer_closed_is_not_used_again(any_probe, peer):
    server = peer()
    client = any_probe()
    assert client.get(server.url("/")).conn == 1
    server.one().abort()
    server.wait(lambda: server.one().outcome is not None or True)
    done = client.post(server.url("/"), body="x")
    assert (done.error, done.status) == ("", 200) or done.phase == "protocol"
    assert client.get(server.url("/")).conn == 2


def test_reset_by_the_peer_names_the_cause(any_probe, peer):
    server = peer()
    done = any_probe().get(server.url("/abort"))
    assert done.phase == "protocol"
    names(done, server.address)


def test_a_certificate_asked_for_by_a_linger_reset(any_probe):
    """A listener that resets each connection at once: an error of the TLS phase or of connecting,
    never a hang."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = any_probe(connect_ms=5000)
        run = client.submit(f"https://127.0.0.1:{port}/")
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        done = run.wait()
    assert done.phase in ("tls", "connect", "protocol"), done
    names(done, f"127.0.0.1:{port}")
