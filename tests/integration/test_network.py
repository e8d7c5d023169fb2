"""A network that is slow, stalls, breaks and mends: the relay of support/netrelay.c between client
and server."""

import time

import pytest

from support.process import wait_until

# what the end of a connection may be told as, depending on how far it had come
BROKEN = {
    "CONNECT",
    "TLS_HANDSHAKE",
    "READ",
    "WRITE",
    "TRUNCATED",
    "STREAM_RESET",
    "PROTOCOL",
    "RESPONSE_LENGTH",
}
CEILING = 16 * 1024 * 1024  # max_window's default
H1, H2 = 1, 2


# ---- delay and bandwidth


def far_away(network, server, bits=1_000_000_000):
    """50 ms there and back."""
    net = network(server.port)
    net.delay(25)
    net.bandwidth(bits)
    return net


def test_windows_grow_with_the_delay_up_to_the_ceiling(probe, peer_process, network):
    server = peer_process()
    net = far_away(network, server)
    client = probe("embedded", max_window=CEILING)
    before = client.stats()["rss_kb"]
    done = client.get(net.url("/bytes?n=60000000"), streamed=1)
    assert (done.error, done.length) == ("", 60_000_000)
    conn = server.one()
    # 125 MB/s for 50 ms is 6.25 MB: smaller windows could not fill the link
    assert 6_250_000 < conn["largest_send_window"] <= CEILING
    assert 6_250_000 < conn["largest_stream_window"] <= CEILING
    assert client.stats()["rss_kb"] - before < CEILING / 1024 + 4000


def test_a_smaller_ceiling_holds(any_probe, peer_process, network):
    server = peer_process()
    net = far_away(network, server)
    done = any_probe(max_window=1 << 20).get(net.url("/bytes?n=6000000"), streamed=1)
    assert (done.error, done.length) == ("", 6_000_000)
    conn = server.one()
    assert 500_000 < conn["largest_stream_window"] <= 1 << 20
    assert conn["largest_send_window"] <= 1 << 20


def test_an_unread_body_holds_no_more_than_its_window(any_probe, peer_process, network):
    """The windows were grown by a fast download before; then a reader stops."""
    server = peer_process()
    net = far_away(network, server)
    client = any_probe(ping_idle_ms=-1)
    assert client.get(net.url("/bytes?n=40000000"), streamed=1).length == 40_000_000
    before = client.stats()["rss_kb"]
    run = client.submit(net.url("/bytes?n=200000000"), streamed=1, hold=1, read_ms=-1)
    run.head()

    def stuck():
        sent = server.one()["data_sent"]
        time.sleep(0.3)
        return server.one()["data_sent"] == sent and sent > 40_000_000

    wait_until(stuck, 20, "the window to be used up")
    assert server.one()["data_sent"] <= 40_000_000 + CEILING
    assert client.stats()["rss_kb"] - before < CEILING / 1024 + 8000
    run.cancel()
    assert run.wait().error == "CANCELLED"


def test_a_near_peer_gets_small_windows(probe, peer_process):
    """Without delay nothing is gained by large ones."""
    server = peer_process()
    client = probe("embedded", max_window=CEILING)
    assert client.group(server.url("/bytes?n=1000"), 50, parallel=2).errors == {}
    assert server.one()["largest_send_window"] <= 1_100_000


@pytest.mark.parametrize("protocols", [H1, H2])
def test_answers_that_overtake_one_another_go_to_who_asked(any_probe, nginx, network, protocols):
    """40 connections over which pieces take 0 to 20 ms longer than others."""
    net = network(nginx.http_port if protocols == H1 else nginx.h2c_port)
    net.jitter(20)
    client = any_probe(protocols=protocols, max_connections=40, max_keepalive=40, max_streams=1, max_connections_per_origin=40)
    sizes = [("/small", 13), ("/1k", 1024), ("/64k", 65536)]
    asked = [sizes[i % 3] for i in range(120)]
    runs = client.submit_all([(net.url(path, "http"), {}) for path, _ in asked])
    done = [run.wait() for run in runs]
    assert [(d.error, d.status, d.length) for d in done] == [("", 200, size) for _, size in asked]
    assert 1 < len({d.conn for d in done}) <= 40


# ---- broken connections


@pytest.mark.parametrize("kind", ["reset", "half-close"])
@pytest.mark.parametrize("protocols", [H1, H2])
def test_connections_that_break_at_each_point(any_probe, nginx, network, kind, protocols):
    """In the handshake, in the head, in the body: an error that says so, never half an answer as a
    whole one; and the next request is answered."""
    net = network(nginx.https_port)
    client = any_probe(protocols=protocols, read_ms=10_000, connect_ms=10_000)
    path = net.url("/64k")
    assert client.get(path).length == 65536
    client.group(path, 3)
    whole = net.stats()["down"] // 4
    points = [0, 1, 100, 1000, 2000, 2500, 3000, 5000, 20_000, 60_000]
    for point in points:
        net.reset()
        net.fault(kind, after=point)
        group = client.group(path, 5, read_ms=10_000)
        assert group.failed + group.statuses.get("200", 0) == 5
        assert set(group.errors) <= BROKEN, (point, group)
        if point < whole:
            assert group.errors or set(group.retries) != {"0"}, (point, group)
        assert group.bytes >= group.statuses.get("200", 0) * 65536
        done = client.get(path)
        assert (done.error, done.status, done.length) == ("", 200, 65536), (point, done)
    client.settled(exchanges_open=0)


@pytest.mark.parametrize("protocols", [H1, H2])
def test_uploads_that_break_midway(any_probe, nginx, network, protocols):
    net = network(nginx.https_port)
    client = any_probe(protocols=protocols)
    for point in [600, 5000, 100_000, 1_000_000]:
        net.reset()
        net.fault("reset", after=point, direction="up")
        done = client.post(net.url("/post"), body_size=2_000_000)
        assert done.error in BROKEN, (point, done)
        assert client.post(net.url("/post"), body_size=2000).json == {"length": 2000}


def test_a_post_that_may_have_arrived_is_not_sent_again(any_probe, peer, network):
    """The connection breaks while the answer is on its way."""
    server = peer()
    net = network(server.port)
    client = any_probe(max_replays=100)
    assert client.post(net.url("/echo"), body="warm").status == 200
    net.stall("down")
    run = client.submit(net.url("/echo?n=1"), method="POST", body="x")
    server.wait(lambda: len(server.requests("/echo")) == 2)
    net.reset()
    net.resume("down")
    assert run.wait().error in BROKEN
    assert client.get(net.url("/")).status == 200
    assert len(server.requests("/echo")) == 2


# ---- silence


@pytest.mark.parametrize("protocols", [H1, H2])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stall_is_a_read_timeout_and_then_it_goes_on(any_probe, nginx, network, protocols, direction):
    net = network(nginx.https_port)
    client = any_probe(protocols=protocols)
    assert client.get(net.url("/small")).status == 200
    net.stall(direction)
    done = client.get(net.url("/small"), read_ms=300)
    assert done.error == "READ_TIMEOUT"
    net.resume(direction)
    assert client.get(net.url("/small")).status == 200


def test_a_stall_in_the_handshake_is_a_connect_timeout(any_probe, nginx, network):
    net = network(nginx.https_port)
    net.fault("stall", after=50)
    client = any_probe()
    done = client.get(net.url("/small"), connect_ms=300)
    assert done.error == "CONNECT_TIMEOUT"
    assert client.get(net.url("/small")).status == 200


def test_a_stalled_upload_is_a_write_timeout(any_probe, nginx, network):
    net = network(nginx.https_port)
    client = any_probe()
    net.fault("stall", after=200_000, direction="up")
    done = client.post(net.url("/post"), body_size=40_000_000, write_ms=300, read_ms=-1)
    assert done.error == "WRITE_TIMEOUT"
    net.reset()
    assert client.get(net.url("/small")).status == 200


def test_a_connection_that_takes_no_more_bytes_is_found_out_by_ping(any_probe, nginx, network):
    """Not even the PING leaves; the next request has another connection."""
    net = network(nginx.https_port)
    client = any_probe(protocols=H2, ping_idle_ms=200, ping_timeout_ms=200)
    net.fault("stall", after=200_000, direction="up")
    done = client.post(net.url("/post"), body_size=40_000_000, write_ms=-1, read_ms=-1)
    assert done.error == "LIVENESS"
    assert client.get(net.url("/small")).status == 200


def test_a_cut_cable_is_found_out_by_ping(any_probe, nginx, network):
    """No deadline of the request's own: the connection is given up, and with it what runs on it;
    the next request has a new one."""
    net = network(nginx.https_port)
    client = any_probe(protocols=H2, ping_idle_ms=200, ping_timeout_ms=200)
    first = client.get(net.url("/small"))
    assert (first.status, first.conn) == (200, 1)
    net.cut()
    done = client.get(net.url("/small"), read_ms=-1, total_ms=-1)
    assert done.error == "LIVENESS"
    again = client.get(net.url("/small"))
    assert (again.status, again.conn) == (200, 2)


def test_a_cut_cable_on_http1_is_a_read_timeout(any_probe, nginx, network):
    net = network(nginx.https_port)
    client = any_probe(protocols=H1)
    assert client.get(net.url("/small")).status == 200
    net.cut()
    assert client.get(net.url("/small"), read_ms=300).error == "READ_TIMEOUT"
    assert client.get(net.url("/small")).status == 200


# ---- servers that go and come


def test_connecting_again_where_it_was_refused(any_probe, nginx, network):
    net = network(nginx.https_port)
    net.refuse()
    client = any_probe(connect_retries=50, connect_ms=20_000)
    run = client.submit(net.url("/small"))
    time.sleep(0.1)
    assert run.done is None
    net.accept()
    done = run.wait()
    assert (done.error, done.status) == ("", 200) and done.retries >= 1


@pytest.mark.parametrize("protocols", [H1, H2])
def test_a_server_killed_and_restarted_under_load(any_probe, ca, server_dir, protocols):
    """Every request ends once, with an answer or an error of a broken connection; none hangs; once
    the server is back all are answered."""
    from support.servers import Nginx

    with Nginx(ca, server_dir) as server:
        client = any_probe(protocols=protocols, connect_retries=3, read_ms=10_000)
        url = server.https_url("/64k")
        load = [client.submit(url, count=400, parallel=40) for _ in range(3)]
        for _ in range(2):
            wait_until(lambda: client.stats()["exchanges_done"] >= 50, 10, "load", interval=0.01)
            server.kill()
            time.sleep(0.05)
            server.start()
        groups = [run.wait() for run in load]
        for group in groups:
            assert group.failed + group.statuses.get("200", 0) == 400
            assert set(group.errors) <= BROKEN, group
            assert group.bytes >= group.statuses.get("200", 0) * 65536
        after = client.group(url, 100, parallel=20)
        assert after.statuses == {"200": 100}
        client.settled(exchanges_open=0, exchanges_queued=0)
