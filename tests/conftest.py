"""Fixtures for all Python tests; support/README.md describes them."""

import shutil
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import leaks, servers  # noqa: E402
from support.certs import CertAuthority  # noqa: E402
from support.process import wait_until  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def leak_guard():
    """Fails the run when servers, other children or listening sockets are left at its end."""
    children, ports = set(leaks.children()), leaks.listening_ports()
    yield
    try:
        wait_until(lambda: not set(leaks.children()) - children, 5, "the end of every child")
    except AssertionError:
        left = {pid: command for pid, command in leaks.children().items() if pid not in children}
        pytest.fail(f"processes were left running: {left}")
    assert leaks.listening_ports() <= ports, (
        f"sockets were left listening: {leaks.listening_ports() - ports}"
    )


def _need(program):
    """For servers that some releases of the distribution do not have."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return CertAuthority(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="session")
def server_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def nginx(ca, server_dir):
    with servers.Nginx(ca, server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def nghttpd(ca, server_dir):
    with servers.Nghttpd(ca, server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def h2o(ca, server_dir):
    _need("h2o")
    with servers.H2o(ca, server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def httpbin(ca, server_dir):
    with servers.Hypercorn(ca, server_dir, "httpbin") as server:
        yield server


@pytest.fixture(scope="session")
def hypercorn(httpbin):
    return httpbin


@pytest.fixture(scope="session")
def app(ca, server_dir):
    with servers.Hypercorn(ca, server_dir, "support.asgi_app:app") as server:
        yield server


@pytest.fixture(scope="session")
def tinyproxy(server_dir):
    with servers.Tinyproxy(server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def tinyproxy_auth(server_dir):
    with servers.Tinyproxy(server_dir, username="proxy-user", password="proxy-pass") as server:
        yield server


@pytest.fixture(scope="session")
def microsocks(server_dir):
    with servers.Microsocks(server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def microsocks_auth(server_dir):
    with servers.Microsocks(server_dir, username="proxy-user", password="proxy-pass") as server:
        yield server


@pytest.fixture(scope="session")
def danted(server_dir):
    _need("danted")
    with servers.Danted(server_dir) as server:
        yield server


@pytest.fixture(scope="session")
def nghttpx(ca, server_dir, tinyproxy):
    with servers.Nghttpx(ca, server_dir, tinyproxy.port) as server:
        yield server


@pytest.fixture(params=["nginx", "nghttpd", "h2o", "app"])
def any_server(request):
    """Each real HTTP/2 server in turn; all serve GET / over https_url."""
    return request.getfixturevalue(request.param)


def _factory(make):
    """Makes scripted servers for one test, closes them all at its end, and then reports what went
    wrong in them."""
    made = []

    def build(*args, **options):
        server = make(*args, **options)
        made.append(server)
        return server

    yield build
    for server in made:
        server.close()
    for server in made:
        if server.check:
            server.verify()


@pytest.fixture
def peer(ca):
    """peer(script=None, tls=True, **options) -> Peer"""
    from support.peer import Peer

    yield from _factory(
        lambda script=None, tls=True, **options: Peer(ca if tls else None, script, **options)
    )


@pytest.fixture
def peer_process(ca):
    """peer_process(tls=True, **options) -> PeerProcess: the Responder outside of this process"""
    from support.peer_process import PeerProcess

    made = []

    def build(tls=True, **options):
        made.append(PeerProcess(ca if tls else None, **options))
        return made[-1]

    yield build
    for process in made:
        process.close()


@pytest.fixture
def h1peer(ca):
    """h1peer(script=None, tls=False, **options) -> H1Peer"""
    from support.h1peer import H1Peer

    yield from _factory(
        lambda script=None, tls=False, **options: H1Peer(ca if tls else None, script, **options)
    )


@pytest.fixture
def proxy_peer(ca):
    """proxy_peer(mode="ok", tls=False, **options) -> ProxyPeer"""
    from support.proxy_peer import ProxyPeer

    yield from _factory(
        lambda mode="ok", tls=False, **options: ProxyPeer(mode, ca=ca if tls else None, **options)
    )


@pytest.fixture
def socks_peer():
    """socks_peer(mode="ok", **options) -> SocksPeer"""
    from support.socks_peer import SocksPeer

    yield from _factory(SocksPeer)


@pytest.fixture
def network():
    """network(port) -> NetRelay: a poor network before the server on that port"""
    from support import netrelay

    if netrelay.find_netrelay() is None:
        pytest.skip("netrelay was not built: make check")
    made = []

    def build(port):
        made.append(netrelay.NetRelay(port))
        return made[-1]

    yield build
    for relay in made:
        relay.close()


@pytest.fixture
def dns():
    """dns({name: [addresses]}) -> FakeDns"""
    from support.dns import FakeDns

    yield from _factory(FakeDns)


@pytest.fixture
def unused_port():
    """A port of 127.0.0.1 that refuses connections: bound, so that nobody else gets it, and never
    listening."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def black_hole():
    """A port of 127.0.0.1 on which a connect neither succeeds nor fails: its queue is full and
    nobody accepts."""
    from support.blackhole import BlackHole

    with BlackHole() as hole:
        yield hole.port
