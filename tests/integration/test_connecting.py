"""Names, addresses, TLS and the pool's limits."""

import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from support.h1peer import H1Peer
from support.peer import Peer
from support.process import has_ipv6

SECOND = 1_000_000
needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.fixture
def at(probe, dns):
    """at(zones, **options) -> (client, names): a client that asks a server of the tests for names"""

    def make(zones, mode="embedded-pull", **options):
        names = dns(zones)
        return probe(mode, nameservers=names.address, **options), names

    return make


# ---- names


def test_a_name(any_probe, dns, h1peer):
    server = h1peer()
    names = dns({"a.example.test": ["127.0.0.1"]})
    client = any_probe(nameservers=names.address)
    done = client.get(server.url("/", host="a.example.test"))
    assert (done.status, done.peer) == (200, server.address)
    assert {kind for name, kind in names.queries} == {"A", "AAAA"}
    assert done.timings["dns"] >= 0


def test_answers_are_kept_as_long_as_they_say(at, h1peer):
    server = h1peer()
    client, names = at({})
    names.answer("long.example.test", ["127.0.0.1"], ttl=60)
    names.answer("short.example.test", ["127.0.0.1"], ttl=1)
    for host in ("long.example.test", "short.example.test"):
        for _ in range(3):
            assert client.get(server.url("/connection-close", host=host)).status == 200
        assert names.count(host, "A") == 1
    time.sleep(1.1)  # the short answer's life
    for host in ("long.example.test", "short.example.test"):
        assert client.get(server.url("/connection-close", host=host)).status == 200
    assert names.count("long.example.test", "A") == 1
    assert names.count("short.example.test", "A") == 2


def test_a_cap_on_how_long_answers_are_kept(at, h1peer):
    server = h1peer()
    client, names = at({"a.example.test": ["127.0.0.1"]}, dns_ttl_max_ms=0)
    for _ in range(3):
        assert client.get(server.url("/connection-close", host="a.example.test")).status == 200
    assert names.count("a.example.test", "A") == 3


def test_no_such_name_is_kept_for_a_short_while(at, h1peer):
    server = h1peer()
    client, names = at({}, dns_negative_ms=300)
    names.fail("b.example.test")
    for _ in range(3):
        assert client.get(server.url("/", host="b.example.test")).error == "NAME_NOT_FOUND"
    assert names.count("b.example.test", "A") == 1
    names.answer("b.example.test", ["127.0.0.1"])
    del names.zones["b.example.test"]
    names.answer("b.example.test", ["127.0.0.1"])
    time.sleep(0.35)  # the negative answer's life
    assert client.get(server.url("/", host="b.example.test")).status == 200


def test_one_question_for_many_who_ask_at_once(at, h1peer):
    server = h1peer()
    client, names = at({"a.example.test": ["127.0.0.1"]}, max_connections=100)
    group = client.group(server.url("/slow?ms=5", host="a.example.test"), 30)
    assert group.statuses == {"200": 30}
    assert names.count("a.example.test", "A") == 1


def test_overrides_win(at, h1peer):
    server = h1peer()
    client, names = at({}, resolve=["c.example.test=127.0.0.1", "D.example.test=192.0.2.1,127.0.0.1"])
    assert client.get(server.url("/", host="c.example.test")).status == 200
    assert client.get(server.url("/", host="C.EXAMPLE.test")).status == 200
    assert names.queries == []


def test_addresses_and_localhost_need_no_server(at, h1peer):
    server = h1peer()
    client, names = at({})
    assert client.get(server.url("/", host="127.0.0.1")).status == 200
    assert client.get(server.url("/", host="localhost")).status == 200
    assert names.queries == []


@pytest.mark.parametrize("trick", ["cname", "truncate", "spoof", "drop_first", "wrong_question"])
def test_servers_with_tricks(at, h1peer, trick):
    server = h1peer()
    client, names = at({"t.example.test": ["127.0.0.1"]}, dns_timeout_ms=200)
    url = server.url("/", host="t.example.test")
    if trick == "cname":
        names.cname("alias.example.test", "t.example.test")
        url = server.url("/", host="alias.example.test")
    else:
        getattr(names, trick)("t.example.test")
    done = client.get(url)
    if trick == "wrong_question":
        assert done.status == 200 or done.phase in ("resolve", "timeout"), done
    else:
        assert (done.error, done.status, done.peer) == ("", 200, server.address)


@pytest.mark.parametrize("trick", ["garbage", "loop"])
def test_servers_that_talk_nonsense(at, trick):
    client, names = at({}, dns_timeout_ms=100)
    if trick == "loop":
        names.loop("t.example.test", "u.example.test")
    else:
        names.garbage("t.example.test")
    done = client.get("http://t.example.test/")
    assert done.phase == "resolve", done
    assert "t.example.test" in done.error_text


def test_a_name_server_that_is_not_there(probe, unused_port, dns, h1peer):
    server = h1peer()
    names = dns({"a.example.test": ["127.0.0.1"]})
    client = probe("embedded", nameservers=f"127.0.0.1:{unused_port},{names.address}")
    assert client.get(server.url("/", host="a.example.test")).status == 200


def test_resolving_holds_up_nobody(at, peer):
    server = peer()
    client, names = at({"slow.example.test": ["127.0.0.1"]})
    names.silent("slow.example.test")
    slow = client.submit("http://slow.example.test:1/", connect_ms=-1)
    for _ in range(20):
        assert client.get(server.url("/")).status == 200
    assert slow.done is None
    slow.cancel()
    assert slow.wait().error == "CANCELLED"


# ---- happy eyeballs


@needs_ipv6
def test_ipv6_is_preferred(at, ca):
    with Peer(ca, host="::1") as server:
        client, _ = at({"six.example.test": ["::1", "127.0.0.1"]})
        done = client.get(server.url("/", host="six.example.test"))
        assert (done.status, done.peer) == (200, server.address)


@needs_ipv6
def test_the_other_family_when_the_first_is_refused(at, ca):
    with Peer(ca) as server:  # on 127.0.0.1 alone
        client, _ = at({"both.example.test": ["::1", "127.0.0.1"]})
        done = client.get(server.url("/", host="both.example.test"))
        assert (done.status, done.peer) == (200, server.address)
        assert done.timings["total"] < 1 * SECOND


def test_the_other_address_when_the_first_hangs(at, black_hole):
    """127.0.0.2 answers on the port on which 127.0.0.1 hangs."""
    with H1Peer(host="127.0.0.2", port=black_hole) as server:
        client, _ = at({"two.example.test": ["127.0.0.1", "127.0.0.2"]}, connect_ms=5000)
        for _ in range(2):
            done = client.get(server.url("/connection-close", host="two.example.test"))
            assert (done.error, done.status, done.peer) == ("", 200, server.address)
            assert done.timings["connect"] < 3 * SECOND


@needs_ipv6
def test_the_loser_of_the_race_is_closed(at, ca):
    """IPv6 is slow to resolve; IPv4 wins and no second connection stays open."""
    with Peer(ca, host="::1") as six, H1Peer(port=six.port) as four:
        client, names = at({"race.example.test": ["127.0.0.1", "::1"]})
        names.delay("race.example.test", 400, "AAAA")
        done = client.get(f"http://race.example.test:{six.port}/")
        assert (done.status, done.peer) == (200, four.address)
        assert client.stats()["connections_open"] == 1
        assert six.accepted == 0


@needs_ipv6
def test_a_slow_a_answer_does_not_hold_up_ipv6(at, ca):
    with Peer(ca, host="::1") as server:
        client, names = at({"race.example.test": ["127.0.0.1", "::1"]})
        names.delay("race.example.test", 1500, "A")
        done = client.get(server.url("/", host="race.example.test"))
        assert (done.status, done.peer) == (200, server.address)
        assert done.timings["total"] < 1 * SECOND


# ---- addresses of our own


def test_local_address(any_probe, h1peer):
    server = h1peer()
    done = any_probe(local_address="127.0.0.3").get(server.url("/"))
    assert done.status == 200
    assert done.local.startswith("127.0.0.3:")


def test_unix_socket(any_probe, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        run = any_probe(unix_path=path).submit("http://whatever.example.test/x")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(1000).startswith(b"GET /x HTTP/1.1\r\nHost: whatever.example.test")
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            assert run.wait().body == b"hi"


# ---- TLS


def test_tls_versions(probe, ca):
    for version, low in ((ssl.TLSVersion.TLSv1_2, 0x0303), (ssl.TLSVersion.TLSv1_3, 0x0304)):
        context = ca.server_context("server", ("h2",))
        context.minimum_version = context.maximum_version = version
        with Peer(ca, tls_context=context) as server:
            assert probe("embedded").get(server.url("/")).status == 200
            done = probe("embedded", min_version=0x0304).get(server.url("/"))
            assert (done.status == 200) is (low == 0x0304), done
            assert low == 0x0304 or done.phase == "tls"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_older_than_1_2_is_refused(any_probe, ca):
    context = ca.server_context("server", ("h2", "http/1.1"))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Peer(ca, tls_context=context, check=False) as server:
        done = any_probe().get(server.url("/"))
        assert (done.error, done.phase) == ("TLS_HANDSHAKE", "tls")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_names_and_addresses_in_the_certificate(any_probe, nginx, host):
    if host == "[::1]" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    done = any_probe().get(nginx.https_url("/small").replace("localhost", host))
    assert (done.error, done.status) == ("", 200)


def test_a_wildcard_takes_one_label(probe, nginx):
    client = probe("embedded", resolve=["a.example.test=127.0.0.1", "a.b.example.test=127.0.0.1"])
    url = nginx.https_url("/small")
    assert client.get(url.replace("localhost", "a.example.test")).status == 200
    done = client.get(url.replace("localhost", "a.b.example.test"))
    assert done.error == "TLS_CERTIFICATE"


def test_a_chain_with_an_intermediate(any_probe, ca):
    with Peer(ca, cert="intermediate") as server:
        assert any_probe().get(server.url("/", host="localhost")).status == 200


def test_the_systems_store_and_its_variables(probe, ca, nginx, tmp_path):
    url = nginx.https_url("/small")
    client = probe("embedded", ca=None, system_trust=1, trust_env=1)
    assert client.get(url).error == "TLS_CERTIFICATE"
    env = {"SSL_CERT_FILE": ca.ca_file}
    client = probe("embedded", ca=None, system_trust=1, trust_env=1, env=env)
    assert client.get(url).status == 200
    client = probe("embedded", ca=None, system_trust=1, trust_env=0, env=env)
    assert client.get(url).error == "TLS_CERTIFICATE"


def test_a_directory_of_cas(probe, ca, nginx, tmp_path):
    with open(ca.ca_file, "rb") as file:
        pem = file.read()
    (tmp_path / "ca.pem").write_bytes(pem)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    assert any(re.fullmatch(r"[0-9a-f]{8}\.0", name) for name in os.listdir(tmp_path))
    client = probe("embedded", ca=None, ca_dir=str(tmp_path))
    assert client.get(nginx.https_url("/small")).status == 200


@pytest.mark.parametrize("how", ["pair", "combined", "encrypted"])
def test_a_certificate_of_our_own(any_probe, nginx, ca, how):
    options = {
        "pair": {"cert": ca.client_cert, "key": ca.client_key},
        "combined": {"cert": ca.client_combined},
        "encrypted": {
            "cert": ca.client_cert,
            "key": ca.client_key_encrypted,
            "key_password": ca.client_key_password,
        },
    }[how]
    assert any_probe(**options).get(nginx.mtls_url("/small")).status == 200


def test_a_certificate_that_is_asked_for_and_not_there(any_probe, nginx, ca):
    assert any_probe().get(nginx.mtls_url("/small")).status == 400
    done = any_probe(
        cert=ca.client_cert, key=ca.client_key_encrypted, key_password="wrong"
    ).get(nginx.mtls_url("/small"))
    assert (done.error, done.phase) == ("TLS_CONFIG", "tls")
    assert ca.client_key_encrypted in done.error_text
    done = any_probe(cert=ca.client_cert, key=ca.server_key).get(nginx.mtls_url("/small"))
    assert (done.error, done.phase) == ("TLS_CONFIG", "tls")


def test_sessions_are_resumed(any_probe, ca):
    """TLS 1.3 tickets: the second connection needs no certificate."""
    context = ca.server_context("server", ("http/1.1",))
    with H1Peer(ca, tls_context=context) as server:
        client = any_probe()
        for _ in range(3):
            assert client.get(server.url("/connection-close")).status == 200
        assert server.accepted == 3
    assert context.session_stats()["hits"] >= 1


@pytest.mark.parametrize("by", ["option", "environment"])
def test_secrets_for_wireshark(probe, peer, tmp_path, by):
    path = tmp_path / "keys"
    if by == "option":
        client = probe("embedded", keylog=str(path))
    else:
        client = probe("embedded", trust_env=1, env={"SSLKEYLOGFILE": str(path)})
    assert client.get(peer().url("/")).status == 200
    text = path.read_text()
    assert re.search(r"^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$", text, re.MULTILINE)


def test_no_secrets_unless_asked(probe, peer, tmp_path):
    path = tmp_path / "keys"
    client = probe("embedded", trust_env=0, env={"SSLKEYLOGFILE": str(path)})
    assert client.get(peer().url("/")).status == 200
    assert not path.exists()


# ---- limits


def test_idle_connections_expire(any_probe, h1peer):
    server = h1peer()
    client = any_probe(keepalive_expiry_ms=150)
    assert client.get(server.url("/")).conn == 1
    assert client.get(server.url("/")).conn == 1
    if client.mode == "sync":
        time.sleep(0.25)  # nobody drives it meanwhile
    else:
        server.wait(lambda: server.conns[0].closed_by_client)
    assert client.get(server.url("/")).conn == 2


def test_connections_that_are_kept(any_probe, h1peer):
    server = h1peer()
    client = any_probe(max_keepalive=2)
    assert client.group(server.url("/slow?ms=30"), 6).statuses == {"200": 6}
    if client.mode != "sync":
        client.settled(connections_open=2)
        return
    time.sleep(0.15)
    assert client.get(server.url("/")).status == 200
    # nobody drives it between two requests, so that the one just used may come on top
    assert client.stats()["connections_open"] <= 3


def test_none_is_kept(any_probe, h1peer):
    server = h1peer()
    client = any_probe(max_keepalive=0)
    for number in (1, 2):
        assert client.get(server.url("/")).conn == number
        if client.mode == "sync":
            time.sleep(0.01)
    assert client.stats()["connections_open"] <= 1


def test_the_limit_of_connections_spans_origins(any_probe, h1peer):
    """An idle connection to one origin makes room for another's."""
    first, second = h1peer(), h1peer()
    client = any_probe(max_connections=1)
    assert client.get(first.url("/")).conn == 1
    assert client.get(second.url("/")).conn == 2
    assert client.get(first.url("/")).conn == 3
    assert client.stats()["connections_open"] == 1


def test_a_pool_timeout_while_all_connections_are_busy(any_probe, h1peer):
    server = h1peer()
    client = any_probe(max_connections=1)
    busy = client.submit(server.url("/never"), read_ms=-1)
    server.wait(lambda: server.requests("/never"))
    done = client.get(server.url("/"), pool_ms=200)
    assert (done.error, done.phase) == ("POOL_TIMEOUT", "timeout")
    assert 0.2 * SECOND <= done.timings["total"] < 1.3 * SECOND
    assert busy.done is None
    busy.cancel()
    assert client.get(server.url("/")).conn == 2


def test_timings_of_the_phases(any_probe, peer):
    server = peer()
    client = any_probe()
    first = client.get(server.url("/slow?ms=50")).timings
    assert 0 <= first["connect"] <= first["tls"] <= first["queue"] <= first["sent"]
    assert first["sent"] < first["first_byte"] <= first["total"]
    assert first["first_byte"] >= 50_000
    second = client.get(server.url("/")).timings
    assert second["connect"] == second["tls"] == second["dns"] == -1
    assert second["total"] < first["total"]
