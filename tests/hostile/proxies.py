"""Proxies that refuse, lie and stall, while other tunnels through the same proxy go on."""

from support.expect import Expect
from support.proxy_peer import ProxyPeer
from support.socks_peer import SocksPeer

from .play import SHORT, Case

# mode: what a request gets that needs a tunnel (https), and one in absolute form (http)
MODES = {
    "refuse": ("PROXY_CONNECT", "READ"),
    "close": ("PROXY_CONNECT", "TRUNCATED"),
    "garbage": ("PROXY_PROTOCOL", "PROTOCOL"),
    "truncated": ("PROXY_CONNECT", "TRUNCATED"),
    "endless": ("PROXY_PROTOCOL", "HEADER_TOO_LARGE"),
    "403": ("PROXY_REFUSED", "403"),
    "407": ("PROXY_AUTH", "407"),
    "502": ("PROXY_REFUSED", "502"),
    "503": ("PROXY_REFUSED", "503"),
    "hang-after-accept": ("CONNECT_TIMEOUT", "READ_TIMEOUT"),
    "hang-after-connect": ("CONNECT_TIMEOUT", None),
    "early-bytes": ("TLS_HANDSHAKE", None),
    "drip": ("200", None),
    "length": ("200", None),
    "chatty": ("200", None),
}
DOCS = {
    "refuse": "TCP RST instead of an answer",
    "close": "the end instead of an answer",
    "garbage": "bytes that are not HTTP",
    "truncated": "an answer that stops halfway",
    "endless": "fields for ever, up to 64 MB",
    "403": "403 to all",
    "407": "credentials are asked for that nobody has",
    "502": "502 to all",
    "503": "503 to all",
    "hang-after-accept": "takes the request and says nothing",
    "hang-after-connect": "a tunnel that leads nowhere",
    "early-bytes": "a 2xx, and bytes of its own where those of the origin should be",
    "drip": "the answer a byte at a time",
    "length": "a 2xx with Content-Length and Transfer-Encoding, which mean nothing there",
    "chatty": "interim answers before the 2xx",
}


def _scene(mode, tunnel):
    def open(world):
        proxy = world.add(ProxyPeer(check=False))
        victim = world.peer() if tunnel else world.h1peer()
        world.url = victim.url("/victim")
        world.settings = {"proxy": proxy.proxy}
        world.after_url = world.peer().url("/after")
        world.ready = lambda: setattr(proxy, "mode", mode)
        world.before_after = lambda: setattr(proxy, "mode", "ok")
        if tunnel:
            world.check = lambda result: _check_reached(result, victim)

    return open


def _check_reached(result, victim):
    """Nothing of the request has been sent unless the tunnel stood."""
    return [] if result.outcome == "200" or not victim.requests() else ["the origin got the request"]


def _expect(outcome):
    scope = "ok" if outcome.isdigit() else f"stream {outcome}"
    options = {"connect": SHORT} if outcome == "CONNECT_TIMEOUT" else {}
    return Expect(scope, status=outcome, after="new", **options)


# ---- proxies that are spoken to over TLS

CERTIFICATES = {
    "expired": "a proxy whose certificate's time is over",
    "self_signed": "a proxy whose certificate nobody signed",
    "wrong_host": "a proxy with the certificate of another host",
}


def _bad_certificate(name):
    def open(world):
        proxy = world.add(ProxyPeer(ca=world.ca, check=False))
        good = proxy.context
        victim = world.peer()
        world.url = victim.url("/victim")
        world.settings = {"proxy": proxy.proxy}
        world.after_url = world.peer().url("/after")
        world.ready = lambda: setattr(proxy, "context", world.ca.server_context(name, ("http/1.1",)))
        world.before_after = lambda: setattr(proxy, "context", good)
        world.check = lambda result: _check_reached(result, victim)

    return open


# ---- SOCKS

SOCKS = {
    "failure": ("PROXY_REFUSED", "general failure"),
    "denied": ("PROXY_REFUSED", "not allowed by its rules"),
    "network-unreachable": ("PROXY_REFUSED", "network unreachable"),
    "host-unreachable": ("PROXY_REFUSED", "host unreachable"),
    "refused-by-origin": ("PROXY_REFUSED", "connection refused"),
    "ttl": ("PROXY_REFUSED", "TTL expired"),
    "command": ("PROXY_REFUSED", "command not supported"),
    "address-type": ("PROXY_REFUSED", "address type not supported"),
    "no-method": ("PROXY_AUTH", "none of the methods of authentication will do"),
    "garbage": ("PROXY_PROTOCOL", "HTTP instead of SOCKS"),
    "version-4": ("PROXY_PROTOCOL", "another version"),
    "bad-address-type": ("PROXY_PROTOCOL", "an address of an unknown kind"),
    "truncated": ("PROXY_CONNECT", "an answer that stops halfway"),
    "close": ("PROXY_CONNECT", "the end instead of an answer"),
    "refuse": ("PROXY_CONNECT", "TCP RST instead of an answer"),
    "hang-after-greeting": ("CONNECT_TIMEOUT", "nothing after the greeting"),
    "hang-after-request": ("CONNECT_TIMEOUT", "nothing after the request"),
}


def _socks(mode):
    def open(world):
        proxy = world.add(SocksPeer(check=False))
        victim = world.peer()
        world.url = victim.url("/victim")
        world.settings = {"proxy": f"socks5h://{proxy.address}"}
        world.after_url = world.peer().url("/after")
        world.ready = lambda: setattr(proxy, "mode", mode)
        world.before_after = lambda: setattr(proxy, "mode", "ok")
        world.check = lambda result: _check_reached(result, victim)

    return open


def cases():
    for mode, outcomes in MODES.items():
        for scheme, outcome in zip(("https", "http"), outcomes):
            if outcome is not None:
                rule = "RFC 9110, 9.3.6" if scheme == "https" else "RFC 9112, 3.2.2"
                doc = f"{DOCS[mode]} ({'CONNECT' if scheme == 'https' else 'absolute form'})"
                yield Case("proxy", f"{scheme}-{mode}", _expect(outcome), _scene(mode, scheme == "https"), doc, rule)
    for name, doc in CERTIFICATES.items():
        yield Case("proxy", f"tls-{name}", _expect("PROXY_CONNECT"), _bad_certificate(name), doc)
    for mode, (outcome, doc) in SOCKS.items():
        yield Case("proxy", f"socks-{mode}", _expect(outcome), _socks(mode), f"{doc} (SOCKS)", "RFC 1928")
