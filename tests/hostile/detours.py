"""Responses that lead elsewhere: redirects to other schemes, in loops and to strangers; cookies for
strangers."""

from support.expect import Expect
from support.proxy_peer import ProxyPeer

from .play import Case

SECRETS = {"Authorization": "Bearer secret", "Cookie": "secret=1", "X-Own": "1"}


def _to(*location, status=302):
    return lambda stream: stream.respond(status, b"", [("location", one) for one in location])


def _redirects(handler, check=None):
    def open(world):
        world.settings = {"redirects": 10}
        server = world.server = world.peer(handlers={"/detour": handler(world)})
        world.url = server.url("/detour")
        world.warm = [server.url("/")]
        world.beside = [server.url("/held")]
        world.codes = ("", "NONE")
        world.check = check and (lambda result: check(world, server, result))

    return open


LEADING_NOWHERE = {
    "to-file": ("UNSUPPORTED_SCHEME", "file:///etc/passwd", "a redirect to a file of the user's machine"),
    "to-ftp": ("UNSUPPORTED_SCHEME", "ftp://127.0.0.1/", "a redirect to another protocol"),
    "to-script": ("UNSUPPORTED_SCHEME", "javascript:alert(1)", "a redirect to a script"),
    "to-nonsense": ("PROTOCOL", "https://[::1", "a redirect to what is no URL"),
}


def _nowhere():
    for name, (code, location, doc) in LEADING_NOWHERE.items():
        expect = Expect(f"stream {code}", python="RemoteProtocolError" if name == "to-script" else None)
        yield Case("redirect", name, expect, _redirects(lambda world, to=location: _to(to)), doc, "RFC 9110, 15.4")


def _loop():
    def check(world, server, result):
        count = len(server.requests("/detour"))
        return [] if count == 11 else [f"{count} requests were sent"]

    expect = Expect("stream TOO_MANY_REDIRECTS")
    return Case("redirect", "loop", expect, _redirects(lambda world: _to("/detour"), check), "a redirect to itself")


def _strangers():
    """Each stranger: another host, another port, another scheme."""

    def secrets(request):
        names = {name.lower() for name in request.headers}
        return sorted(names & {"authorization", "cookie", "proxy-authorization"})

    def handler(world):
        world.stranger = world.h1peer()
        return _to(world.stranger.url("/victim"))

    def check(world, server, result):
        (request,) = world.stranger.requests("/victim")
        if request.headers.get("x-own") != "1":
            return ["a field of the user's was lost"]
        return [f"the stranger got {name}" for name in secrets(request)]

    expect = Expect("ok", headers=SECRETS)
    return Case("redirect", "credentials", expect, _redirects(handler, check), "a redirect to a stranger, with credentials at hand", "RFC 9110, 15.4")


TOO_MUCH = 20_000_000  # more than a client is willing to read, and a window, however much it grew


def _bodies():
    """Bodies along with a redirect, which nobody asked for: C throws them away, Python keeps a little."""

    def huge(world):
        return lambda stream: stream.respond(302, 100_000_000, [("location", "/victim")])

    def endless(world):
        def more(stream):
            stream.on_drained = lambda: more(stream)
            stream.write(100_000)

        def begin(stream):
            stream.send_headers(302, [("location", "/victim")])
            more(stream)

        return begin

    def check(world, server, result):
        sent = server.conns[0].data_sent
        return [] if sent < TOO_MUCH else [f"{sent} bytes of what nobody reads were fetched"]

    yield Case("redirect", "huge-body", Expect("ok"), _redirects(huge, check), "100 MB along with a redirect: not fetched")
    yield Case("redirect", "endless-body", Expect("ok"), _redirects(endless, check), "a redirect whose body has no end")
    doc = "the same without a length, in HTTP/1.1, where giving it up costs the connection"
    yield Case("redirect", "endless-body-http1", Expect("ok", after="new"), _endless_http1, doc)


def _endless_http1(world):
    sent = [0]

    def endless(conn, request):
        conn.send(b"HTTP/1.1 302 Found\r\nLocation: /victim\r\n\r\n")
        while not conn.wire.eof:
            conn.send(bytes(100_000))
            sent[0] += 100_000

    server = world.server = world.h1peer(handlers={"/detour": endless})
    world.settings = {"redirects": 10}
    world.url = server.url("/detour")
    world.beside = [server.url("/held")]
    world.check = lambda result: [] if sent[0] < TOO_MUCH else [f"{sent[0]} bytes of what nobody reads were fetched"]


# ---- inside


INSIDE = {
    "to-denied-address": ("127.0.0.9", "a redirect to an address that the program has denied"),
    "to-denied-in-ipv6": ("[::ffff:127.0.0.9]", "the same in IPv6"),
}


def _inside():
    for name, (host, doc) in INSIDE.items():

        def handler(world, host=host):
            world.settings["deny"] = ["127.0.0.9"]
            world.inside = world.h1peer(host="127.0.0.9")
            return _to(f"http://{host}:{world.inside.port}/victim")

        def check(world, server, result):
            return ["the inside was connected to"] if world.inside.accepted else []

        yield Case("redirect", name, Expect("stream ADDRESS_DENIED"), _redirects(handler, check), doc, "SSRF")


# ---- cookies


COOKIES = {
    "own": ("a=1", "b.shop.co.uk", "a cookie without a domain is its host's alone"),
    "foreign": ("a=1; Domain=other.test", "www.other.test", "a cookie for another domain"),
    "below": ("a=1; Domain=x.a.shop.co.uk", "x.a.shop.co.uk", "a cookie for a host below"),
    "public-suffix": ("a=1; Domain=co.uk", "b.other.co.uk", "a cookie for all of co.uk"),
    "across-a-suffix": ("a=1; Domain=amazonaws.com", "x.amazonaws.com", "a cookie for what is above a public suffix"),
    "top-level": ("a=1; Domain=uk", "b.other.org.uk", "a cookie for all of uk"),
    "prefix": ("__Secure-a=1; Domain=shop.co.uk", "b.shop.co.uk", "a cookie that says that it is secure, in clear"),
}


SETTERS = {"across-a-suffix": "a.s3.amazonaws.com"}


def _cookie(value, stranger, kept, setter="a.shop.co.uk"):
    """The hosts are names that a proxy knows; the stranger is the one that is asked afterwards."""

    def open(world):
        def set_it(conn, request):
            conn.respond(200, b"fine", [("set-cookie", value)])

        server = world.h1peer(handlers={"/set": set_it})
        where = ("127.0.0.1", server.port)
        proxy = world.add(ProxyPeer(routes={setter: where, stranger: where}, check=False))
        world.settings = {"proxy": proxy.proxy, "cookies": 1}
        world.url = f"http://{setter}/set"
        world.after_url = f"http://{stranger}/after"

        def check(result):
            (request,) = server.requests("/after")
            return ["the stranger got the cookie"] if "cookie" in request.headers else []

        world.check = check
        world.cookies = kept

    return open


def _cookies():
    for name, (value, stranger, doc) in COOKIES.items():
        yield Case("cookies", name, Expect("ok", after="new"), _cookie(value, stranger, int(name == "own"), SETTERS.get(name, "a.shop.co.uk")), doc, "RFC 6265, 5.3")


def cases():
    yield from _nowhere()
    yield _loop()
    yield _strangers()
    yield from _bodies()
    yield from _inside()
    yield from _cookies()
