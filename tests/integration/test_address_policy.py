"""Which addresses a client connects to: after DNS, at every hop, for literals, paths and proxies."""

import asyncio
import copy
import ipaddress
import pickle
import random

import pytest

import requestx
from support.process import has_ipv6

PUBLIC = {"address_base": "public"}


# ---- the library, with a name server that says what we like


def test_a_name_that_leads_inside(any_probe, dns, h1peer):
    server = h1peer()
    names = dns({"evil.example.test": ["127.0.0.1"]})
    client = any_probe(nameservers=names.address, **PUBLIC)
    done = client.get(server.url("/", host="evil.example.test"))
    assert (done.error, done.phase) == ("ADDRESS_DENIED", "connect")
    assert done.error_text == (
        f"connect to evil.example.test:{server.port}: address not allowed (127.0.0.1:{server.port})"
    )
    assert server.accepted == 0


def test_what_is_asked_about_is_what_is_connected_to(probe, dns, h1peer):
    """A name with other addresses at every question: it is never asked once to look and once to connect."""
    server = h1peer()
    names = dns({})
    client = probe("embedded-pull", nameservers=names.address, dns_ttl_max_ms=0, address_base="any", deny="127.0.0.1")
    for address, error in (("127.0.0.2", "CONNECT"), ("127.0.0.1", "ADDRESS_DENIED"), ("127.0.0.2", "CONNECT")):
        names.zones.pop("rebind.example.test", None)
        names.answer("rebind.example.test", [address], ttl=0)
        assert client.get(server.url("/", host="rebind.example.test")).error == error
    assert server.accepted == 0


def test_only_the_addresses_that_are_allowed_are_tried(probe, dns, h1peer):
    server = h1peer()
    names = dns({"two.example.test": ["127.0.0.2", "127.0.0.1"]})
    client = probe("embedded-pull", nameservers=names.address, address_base="none", allow="127.0.0.1")
    done = client.get(server.url("/", host="two.example.test"))
    assert (done.status, done.peer) == (200, server.address)


def test_overrides_and_the_hosts_file_are_no_way_around(probe, h1peer):
    server = h1peer()
    client = probe("embedded-pull", resolve="in.example.test=127.0.0.1", nameservers="127.0.0.1:1", **PUBLIC)
    for host in ("in.example.test", "localhost", "127.0.0.1", "sub.localhost"):
        assert client.get(server.url("/", host=host)).error == "ADDRESS_DENIED", host
    assert server.accepted == 0


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@pytest.mark.parametrize("host", ["[::1]", "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "0", "2130706433", "0x7f.1"])
def test_numbers_in_disguise(probe, h1peer, host):
    server = h1peer()
    client = probe("embedded-pull", nameservers="127.0.0.1:1", dns_timeout_ms=50, **PUBLIC)
    done = client.get(f"http://{host}:{server.port}/")
    # what is no address to us is a name that does not resolve
    assert done.error == "ADDRESS_DENIED" or done.phase in ("resolve", "usage"), done
    assert server.accepted == 0


def test_every_redirect_is_asked_about(any_probe, h1peer):
    inside = h1peer()
    outside = h1peer()
    client = any_probe(
        resolve=["out.example.test=127.0.0.1", "in.example.test=127.0.0.2"],
        address_base="none",
        allow="127.0.0.1",
        redirects=5,
    )
    to = inside.url("/", host="in.example.test")
    done = client.get(outside.url(f"/redirect?to={to}", host="out.example.test"))
    assert done.error == "ADDRESS_DENIED"
    assert done.error_text == f"connect to in.example.test:{inside.port}: address not allowed (127.0.0.2:{inside.port})"
    assert (len(outside.requests()), inside.accepted) == (1, 0)
    # and one that stays where it may goes on
    to = inside.url("/", host="out.example.test")
    assert client.get(outside.url(f"/redirect?to={to}", host="out.example.test")).status == 200


def test_a_denied_address_is_not_tried_again(probe, h1peer):
    server = h1peer()
    done = probe("embedded-pull", connect_retries=3, **PUBLIC).get(server.url("/"))
    assert (done.error, done.retries) == ("ADDRESS_DENIED", 0)


def test_others_are_not_disturbed(probe, peer):
    server = peer()
    client = probe(
        "embedded-pull",
        address_base="none",
        allow="127.0.0.1",
        resolve="in.example.test=127.0.0.2",
    )
    slow = client.submit(server.url("/slow?ms=200"))
    for _ in range(5):
        assert client.get(server.url("/", host="in.example.test")).error == "ADDRESS_DENIED"
    assert slow.wait().status == 200
    assert client.stats()["connections_open"] == 1


def test_a_proxy_is_connected_to_and_so_asked_about(any_probe, proxy_peer):
    proxy = proxy_peer()
    done = any_probe(proxy=proxy.proxy, **PUBLIC).get("http://origin.example.test/")
    assert (done.error, done.phase) == ("ADDRESS_DENIED", "connect")
    assert "address not allowed (127.0.0.1:" in done.error_text
    assert proxy.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:10.0.0.1]"]
)
def test_what_a_proxy_is_asked_for(probe, proxy_peer, scheme, host):
    proxy = proxy_peer()
    client = probe("embedded-pull", proxy=proxy.proxy, allow="127.0.0.1/32", deny="127.0.0.0/8", **PUBLIC)
    done = client.get(f"{scheme}://{host}:8080/")
    if host in ("127.0.0.1", "2130706433", "0x7f000001", "127.1"):
        assert done.error != "ADDRESS_DENIED"  # allowed here for the proxy's sake
        return
    assert (done.error, done.phase) == ("ADDRESS_DENIED", "connect")
    assert f":8080 through proxy 127.0.0.1:{proxy.port}: address not allowed" in done.error_text
    assert proxy.requests == []


def test_a_path_is_denied_unless_it_is_allowed(probe, tmp_path):
    path = str(tmp_path / "no.sock")
    done = probe("embedded-pull", unix_path=path, **PUBLIC).get("http://app/")
    assert (done.error, done.error_text) == ("ADDRESS_DENIED", f"connect to app:80 at unix:{path}: address not allowed")
    done = probe("embedded-pull", unix_path=path, allow="unix", **PUBLIC).get("http://app/")
    assert done.error == "CONNECT"


# ---- Python


def sync_get(url, **settings):
    with requestx.Client(**settings) as client:
        return client.get(url)


def async_get(url, **settings):
    async def main():
        async with requestx.AsyncClient(**settings) as client:
            return await client.get(url)

    return asyncio.run(main())


@pytest.fixture(params=[sync_get, async_get], ids=["sync", "async"])
def get(request):
    return request.param


def test_a_client_denies(get, h1peer):
    server = h1peer()
    with pytest.raises(requestx.ConnectError) as caught:
        get(server.url("/"), address_policy=requestx.AddressPolicy.public())
    assert (caught.value.code, caught.value.phase) == ("address_denied", "connect")
    assert f"connect to 127.0.0.1:{server.port}: address not allowed" in str(caught.value)
    assert caught.value.request.url == server.url("/")
    assert server.accepted == 0
    policy = requestx.AddressPolicy.public(allow=["127.0.0.0/8"])
    assert get(server.url("/"), address_policy=policy).status_code == 200


def test_redirects_of_a_client(get, h1peer):
    outside, inside = h1peer(), h1peer()
    policy = requestx.AddressPolicy(allow=[ipaddress.ip_network("127.0.0.1/32")])
    to = inside.url("/", host="127.0.0.2")
    with pytest.raises(requestx.ConnectError) as caught:
        get(outside.url(f"/redirect?to={to}"), address_policy=policy, follow_redirects=True)
    assert caught.value.code == "address_denied"
    assert "127.0.0.2" in str(caught.value) and str(caught.value.request.url) == to
    assert (len(outside.requests()), inside.accepted) == (1, 0)


def test_proxies_of_a_client(get, proxy_peer, monkeypatch):
    proxy = proxy_peer()
    with pytest.raises(requestx.ConnectError) as caught:
        get("http://origin.example.test/", proxy=proxy.proxy, address_policy=requestx.AddressPolicy.public())
    assert caught.value.code == "address_denied"
    monkeypatch.setenv("HTTP_PROXY", proxy.proxy)
    with pytest.raises(requestx.ConnectError) as caught:
        get("http://origin.example.test/", address_policy=requestx.AddressPolicy.public())
    assert caught.value.code == "address_denied"
    assert proxy.requests == []


def test_transports_and_functions(h1peer):
    server = h1peer()
    policy = requestx.AddressPolicy(deny=["127.0.0.1"])
    with requestx.Client(transport=requestx.HTTPTransport(address_policy=policy)) as client:
        with pytest.raises(requestx.ConnectError):
            client.get(server.url("/"))
    for function in (requestx.get, requestx.post, requestx.request, requestx.stream):
        arguments = ("GET", server.url("/")) if function in (requestx.request, requestx.stream) else (server.url("/"),)
        with pytest.raises(requestx.ConnectError) as caught:
            with function(*arguments, address_policy=policy):
                pass
        assert caught.value.code == "address_denied"
    assert server.accepted == 0


def test_clients_with_other_policies_share_no_connection(h1peer):
    server = h1peer()
    with requestx.Client() as free, requestx.Client(address_policy=requestx.AddressPolicy.public()) as guarded:
        assert free.get(server.url("/")).status_code == 200
        with pytest.raises(requestx.ConnectError):
            guarded.get(server.url("/"))
        assert free.get(server.url("/")).status_code == 200
    assert server.accepted == 1


def test_a_policy_cannot_be_applied_to_anothers_transport():
    with pytest.raises(ValueError, match="address_policy"):
        requestx.Client(transport=requestx.HTTPTransport(), address_policy=requestx.AddressPolicy.public())


@pytest.mark.parametrize("policy", ["public", ["10.0.0.0/8"], True, 0])
def test_what_is_no_policy(policy):
    with pytest.raises(TypeError, match="AddressPolicy"):
        requestx.Client(address_policy=policy)


@pytest.mark.parametrize(
    "rule", ["", "10.0.0.1/8", "10.0.0.0/33", "example.org", "fe80::1%lo", "::1 ", "1.2.3", "\0", "1.1.1.1\0", "é"]
)
def test_what_is_no_rule(rule):
    for build in (requestx.AddressPolicy, requestx.AddressPolicy.public):
        with pytest.raises(ValueError, match="is not an address"):
            build(deny=[rule])
        with pytest.raises(ValueError, match="is not an address"):
            build(allow=[rule])
    if "%" not in rule:
        with pytest.raises(ValueError, match="is not an address"):
            requestx.AddressPolicy().allows(rule)


def test_a_text_is_no_list():
    with pytest.raises(TypeError, match="allow must be a list"):
        requestx.AddressPolicy(allow="10.0.0.0/8")
    with pytest.raises(TypeError, match="deny must be a list"):
        requestx.AddressPolicy(deny=b"10.0.0.0/8")
    with pytest.raises(TypeError):
        requestx.AddressPolicy(["10.0.0.0/8"])


def test_many_rules():
    many = [f"10.{i >> 8}.{i & 255}.0/24" for i in range(65536)]
    assert not requestx.AddressPolicy(deny=many).allows("10.255.255.1")
    with pytest.raises(ValueError):
        requestx.AddressPolicy(deny=[*many, "11.0.0.0/8"])


def test_policies_are_values():
    plain = requestx.AddressPolicy(deny=["10.0.0.0/8"])
    only = requestx.AddressPolicy(allow=("10.0.0.0/8",), deny=["10.1.1.1"])
    public = requestx.AddressPolicy.public(allow=["10.1.1.1"])
    assert repr(plain) == "AddressPolicy(deny=['10.0.0.0/8'])"
    assert repr(only) == "AddressPolicy(allow=['10.0.0.0/8'], deny=['10.1.1.1'])"
    assert repr(public) == "AddressPolicy.public(allow=['10.1.1.1'])"
    assert repr(requestx.AddressPolicy.public()) == "AddressPolicy.public()"
    assert repr(requestx.AddressPolicy(allow=[])) == "AddressPolicy(allow=[])"
    for policy in (plain, only, public):
        for twin in (pickle.loads(pickle.dumps(policy)), copy.copy(policy), copy.deepcopy(policy)):
            assert twin == policy and hash(twin) == hash(policy)
            for address in ("10.1.1.1", "10.2.2.2", "1.1.1.1"):
                assert twin.allows(address) is policy.allows(address)
    assert len({plain, only, public}) == 3 and plain != "plain"
    assert only.allows(ipaddress.ip_address("10.2.2.2")) and not only.allows("11.0.0.1")
    assert public.allows("10.1.1.1") and not public.allows("10.1.1.2")


def test_nothing_that_python_calls_private_is_public():
    public, chance = requestx.AddressPolicy.public(), random.Random(5)
    edges = ["0.0.0.0", "10.0.0.0", "100.64.0.0", "127.0.0.0", "169.254.0.0", "172.16.0.0", "192.0.0.0", "192.0.2.0"]
    edges += ["192.168.0.0", "198.18.0.0", "198.51.100.0", "203.0.113.0", "224.0.0.0", "240.0.0.0"]
    fours = [int(ipaddress.ip_address(edge)) + step for edge in edges for step in (-1, 0, 1) if edge != "0.0.0.0"]
    fours += [chance.getrandbits(32) for _ in range(3000)]
    for four in map(ipaddress.IPv4Address, fours):
        if public.allows(four):
            assert (four.is_global or str(four) in ("192.0.0.9", "192.0.0.10")) and not four.is_multicast, four
        else:
            assert not four.is_global or four.is_multicast or four in ipaddress.ip_network("192.88.99.0/24"), four
    for six in (ipaddress.IPv6Address(chance.getrandbits(125) + (1 << 125)) for _ in range(3000)):
        if public.allows(six):
            assert six.is_global, six
