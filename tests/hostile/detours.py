"""Responses that lead elsewhere: redirects to other schemes, in loops and to strangers; cookies for
strangers."""

from support.expect import Expect

from .play import Case

SECRETS = {"Authorization": "Bearer secret", "Cookie": "secret=1", "X-Own": "1"}


def _to(*location, status=302):
    return lambda stream: stream.respond(status, b"", [("location", one) for one in location])


def _redirects(handler, check=None):
    def open(world):
        server = world.server = world.peer(handlers={"/detour": handler(world)})
        world.url = server.url("/detour")
        world.warm = [server.url("/")]
        world.beside = [server.url("/held")]
        world.settings = {"redirects": 10}
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


def _huge():
    def handler(world):
        return lambda stream: stream.respond(302, 10_000_000, [("location", "/victim")])

    def check(world, server, result):
        sent = server.conns[0].data_sent
        if world.user != "c":
            return []
        return [] if sent < 5_000_000 else [f"{sent} bytes of what nobody reads were fetched"]

    doc = "10 MB along with a redirect: not fetched by C, and read by Python, which keeps them in the history"
    return Case("redirect", "huge-body", Expect("ok"), _redirects(handler, check), doc)


def cases():
    yield from _nowhere()
    yield _loop()
    yield _strangers()
    yield _huge()
