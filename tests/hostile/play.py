"""One hostile behaviour, played before one user, with siblings beside it and elsewhere.

A case opens a World: servers, the URL that is in for it (the victim), URLs on the same connection
(beside) and others (elsewhere), all of which are held open by their servers until the victim's end,
and one that is asked after that. What everybody got is held against the case's expectation, exactly;
then nothing may be left: streams, window credit, descriptors, exchanges, ends told twice.
"""

import contextlib
import gc
import os
import threading

from support.h1peer import H1Peer
from support.peer import Peer
from support.process import wait_until

from .drivers import USERS

SHORT = 0.4  # a deadline that is to pass
DEADLINES = {"READ_TIMEOUT": "read", "POOL_TIMEOUT": "pool", "WRITE_TIMEOUT": "write", "CONNECT_TIMEOUT": "connect"}

# The exception that Python raises for each of C's codes.
CLASSES = {
    "INVALID_URL": "InvalidURL",
    "UNSUPPORTED_SCHEME": "UnsupportedProtocol",
    "INVALID_FIELD": "LocalProtocolError",
    "REQUEST_LENGTH": "LocalProtocolError",
    "TOO_MANY_REDIRECTS": "TooManyRedirects",
    **dict.fromkeys(("NAME_NOT_FOUND", "RESOLVE", "CONNECT", "ADDRESS_DENIED"), "ConnectError"),
    **dict.fromkeys(("TLS_HANDSHAKE", "TLS_CERTIFICATE", "TLS_ALPN", "TLS_PIN"), "ConnectError"),
    **dict.fromkeys(("PROXY_CONNECT", "PROXY_REFUSED", "PROXY_AUTH", "PROXY_PROTOCOL"), "ProxyError"),
    "READ": "ReadError",
    "WRITE": "WriteError",
    **dict.fromkeys(("TRUNCATED", "PROTOCOL", "STREAM_RESET", "GOAWAY", "REFUSED"), "RemoteProtocolError"),
    **dict.fromkeys(("HEADER_TOO_LARGE", "RESPONSE_LENGTH", "FLOOD", "LIVENESS"), "RemoteProtocolError"),
    "POOL_TIMEOUT": "PoolTimeout",
    "CONNECT_TIMEOUT": "ConnectTimeout",
    "READ_TIMEOUT": "ReadTimeout",
    "WRITE_TIMEOUT": "WriteTimeout",
    "TOTAL_TIMEOUT": "ReadTimeout",
    "STALL_TIMEOUT": "ReadTimeout",
    **dict.fromkeys(("DECODING", "DECODED_TOO_LARGE"), "DecodingError"),
}


class Case:
    """`open(world)` sets the scene; `expect` is a support.expect.Expect."""

    def __init__(self, family, name, expect, open, doc="", rule="", users=("c", "sync", "asyncio")):
        self.family = family
        self.name = name
        self.expect = expect
        self.open = open
        self.doc = " ".join((doc or name).split())
        self.rule = rule
        self.users = users

    @property
    def key(self):
        return f"{self.family}/{self.name}"


class World:
    """What a case sets: `url`, and as needed the rest of these."""

    def __init__(self, ca, user):
        self.ca = ca
        self.user = user  # a name of USERS
        self.stack = contextlib.ExitStack()
        self.servers = []
        self.gate = threading.Event()  # set when those who are held may finish
        self.url = None
        self.options = {}
        self.settings = {}
        self.server = None  # the victim's, which also answers /after
        self.warm = []  # asked before all, one after the other
        self.beside = []
        self.elsewhere = []
        self.together = False  # the victim starts with those beside it, and is not waited for
        self.ready = None  # called when those beside it are there, before the victim starts
        self.held = None  # a held victim reads on when this is true
        self.before_after = None  # called before what comes after
        self.after_url = None
        self.codes = ("",)  # with "NONE", the victim's exception may be one that Python raises by itself
        self.cookies = None  # how many are to be kept
        self.check = None  # called with the victim's Result; gives problems

    def peer(self, script=None, tls=True, **options):
        handlers = {**self.h2_handlers(), **options.pop("handlers", {})}
        return self.add(Peer(self.ca if tls else None, script, check=False, handlers=handlers, **options))

    def h1peer(self, script=None, tls=False, **options):
        handlers = {**self.h1_handlers(), **options.pop("handlers", {})}
        return self.add(H1Peer(self.ca if tls else None, script, check=False, handlers=handlers, **options))

    def add(self, server):
        self.servers.append(server)
        return self.stack.enter_context(server)

    def close(self):
        self.gate.set()
        self.stack.close()

    # what the servers know besides their own paths

    def h2_handlers(self):
        def held(stream):
            if self.gate.is_set():
                stream.respond(200, b"held")
            else:
                stream.later(5, lambda: held(stream))

        def held_body(stream):
            stream.send_headers(200, [("content-length", 200)])
            stream.write(100)
            rest(stream)

        def rest(stream):
            if self.gate.is_set():
                stream.write(100, end=True)
            else:
                stream.later(5, lambda: rest(stream))

        def fine(stream):
            stream.respond(200, 300_000)

        return {"/held": held, "/held-body": held_body, "/victim": fine, "/after": fine}

    def h1_handlers(self):
        def held(conn, request):
            while not self.gate.is_set() and not conn.wire.eof:
                conn.sleep(0.005)
            conn.respond(200, b"held")

        def fine(conn, request):
            conn.respond(200, b"fine")

        return {"/held": held, "/victim": fine, "/after": fine}


def _descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def play(case, user, ca):
    """The record: a dict of what everybody got, and the problems, which there should not be."""
    before = _descriptors()
    world = World(ca, user)
    try:
        case.open(world)
        _scenery(world)
        with USERS[user](ca, **world.settings) as client:
            record = _scene(case, world, client)
    finally:
        world.close()
    try:
        wait_until(lambda: _descriptors() <= before, 5, "descriptors")
    except AssertionError:
        record["problems"].append(f"{_descriptors() - before} descriptors were left open")
    return record


def _scenery(world):
    """Streams elsewhere, which nothing that happens to the victim may touch."""
    if not world.elsewhere:
        world.elsewhere = [world.peer().url("/held"), world.peer().url("/held-body"), world.h1peer().url("/held")]
    if world.after_url is None:
        world.after_url = world.server.url("/after")


def _deadline(outcome):
    return {DEADLINES[outcome]: SHORT} if outcome in DEADLINES else {}


def _scene(case, world, client):
    expect = case.expect
    for url in world.warm:
        warm = client.start(url).end()
        assert warm.outcome == "200", warm
    elsewhere = [client.start(url) for url in world.elsewhere]
    beside = [client.start(url, **_deadline(expect.siblings)) for url in world.beside]
    if not world.together:
        _await_held(world)
    if world.ready:
        world.ready()
    options = {**_deadline(expect.outcome), **expect.options, **world.options}
    victim = client.start(world.url, abandon=expect.scope == "abandon", **options)
    if options.get("hold"):
        victim.opened()
        wait_until(world.held, 10, "the end of what is not read")
    result = victim.end()
    beside_results = [one.end() for one in beside] if expect.siblings != "200" else []
    if world.before_after:
        world.before_after()
    after = client.start(world.after_url, **_deadline(expect.after)).end()
    world.gate.set()
    beside_results = beside_results or [one.end() for one in beside]
    elsewhere_results = [one.end() for one in elsewhere]
    record = {
        "family": case.family,
        "name": case.name,
        "user": client.name,
        "outcome": result.outcome,
        "beside": sorted({one.outcome for one in beside_results}),
        "elsewhere": sorted({one.outcome for one in elsewhere_results}),
        "after": _served(world, after),
    }
    record["problems"] = [
        *_compare("the request", result, expect.outcome, client, expect.python, world.codes),
        *(text for one in beside_results for text in _compare("beside", one, expect.siblings, client)),
        *(text for one in elsewhere_results for text in _compare("elsewhere", one, "200", client)),
        *_compare_after(record["after"], after, expect.after, client),
        *(world.check(result) if world.check else ()),
        *_check_cookies(world, client),
        *_left_over(expect, world, client),
        *client.settle(),
    ]
    return record


def _await_held(world):
    """Until those beside it and elsewhere have reached their servers."""
    for url in [*world.beside, *world.elsewhere]:
        for server in world.servers:
            if hasattr(server, "url") and url.startswith(server.url("")):
                path = url[len(server.url("")) :]
                server.wait(lambda server=server, path=path: server.requests(path))


def _compare(who, result, expected, client, python=None, codes=("",)):
    """Status or code, and from Python the class as well."""
    if expected.isdigit() or expected == "closed" or client.name == "c":
        wanted = (expected, expected)
    else:
        wanted = (python or CLASSES[expected], expected)
    got = (result.outcome, expected if result.code in codes else result.code)
    return [] if got == wanted else [f"{who}: {result} instead of {wanted}"]


def _served(world, after):
    """Where the request after it was served, or how it failed."""
    if not after.outcome.isdigit() or world.server is None:
        return after.outcome
    first = world.server.requests(world.url[len(world.server.url("")) :])[0].conn
    last = world.server.requests("/after")[-1].conn
    return "same" if first is last else "new"


def _compare_after(where, after, expected, client):
    if expected in ("same", "new"):
        wanted = "200" if where == "200" else expected
        return [] if where == wanted else [f"the next request: {where} instead of {wanted} ({after})"]
    return _compare("the next request", after, expected, client)


def _check_cookies(world, client):
    if world.cookies is None or client.cookies() == world.cookies:
        return []
    return [f"{client.cookies()} cookies are kept instead of {world.cookies}"]


def _credit_comes_back(world, client, conn):
    """Where nobody drives between calls, it is the next call that reads what came since and gives credit for it."""
    for _ in range(20 if client.name == "sync" else 0):
        if conn.credit_outstanding * 2 <= conn.largest_send_window:
            break
        assert client.start(world.after_url).end().outcome == "200"
    conn.assert_no_credit_leak(timeout=5)


def _left_over(expect, world, client):
    """Streams and credit of a connection that goes on."""
    conns = getattr(world.server, "conns", None)
    if expect.after != "same" or not conns or not hasattr(conns[0], "streams_open"):
        return []
    try:
        wait_until(lambda: conns[0].streams_open == 0, 5, "streams")
        _credit_comes_back(world, client, conns[0])
    except AssertionError as error:
        return [f"{conns[0].streams_open} streams are open: {error}"]
    return []
