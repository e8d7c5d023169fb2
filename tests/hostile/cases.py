"""All cases: the catalogues of tests/support as scenes, and those of the modules beside this one."""

from support import behaviours, h1behaviours
from support.expect import Expect
from support.process import wait_until

from . import detours, handshakes, names, proxies
from .play import Case

CASES = {}


def add(case):
    assert case.key not in CASES, case.key
    CASES[case.key] = case


# ---- HTTP/2


def _on_stream(behaviour):
    def open(world):
        server = world.server = world.peer()
        world.url = server.url(f"/behave/{behaviour.name}")
        world.warm = [server.url("/")]
        world.beside = [server.url("/held"), server.url("/held-body")]
        _settings(world, behaviour)

        def cut():
            conn, (request,) = server.conns[0], server.requests(f"/behave/{behaviour.name}")
            return conn.closed_by_client or request.stream_id in conn.resets

        world.held = cut

    return open


def _on_connection(behaviour):
    late = behaviour.expect.options.get("late")

    def open(world):
        server = world.server = world.peer([behaviour.function, None])
        server.crowd = 1 if late else 2
        world.url = server.url("/victim")
        world.beside = [server.url("/held")]
        world.together = True
        if late:
            world.ready = lambda: server.ready.wait(10)
        _settings(world, behaviour)

    return open


def _settings(world, behaviour):
    """What a behaviour's options ask of the client, not of the request."""
    options = behaviour.expect.options
    world.settings = {name: options[name] for name in ("ping", "retry") if name in options}
    checks = []
    if "field" in options:
        checks.append(lambda result: _check_field(result, *options["field"]))
    if "times" in options:
        checks.append(lambda result: _check_times(world, options["times"]))
    if "refuses" in options:
        checks.append(lambda result: _check_refused(world, options["refuses"]))
    if checks:
        world.check = lambda result: [problem for check in checks for problem in check(result)]


def _check_field(result, name, value):
    got = result.fields.get(name)
    return [] if got == value else [f"{name} is {got} instead of {value}"]


def _users(behaviour):
    only = behaviour.expect.options.get("only")
    return (only,) if only else ("c", "sync", "asyncio")


for _b in behaviours.BEHAVIOURS.values():
    _open = (_on_stream if _b.kind == "stream" else _on_connection)(_b)
    add(Case("h2", _b.name, _b.expect, _open, _b.doc, _b.rule, _users(_b)))


def _check_refused(world, stream_id):
    resets = world.server.conns[0].resets
    try:
        wait_until(lambda: stream_id in resets, 5, "a reset")
    except AssertionError:
        return [f"stream {stream_id} was not reset"]
    return [] if len(resets[stream_id]) == 1 else [f"stream {stream_id} was reset more than once"]


def _check_times(world, times):
    count = len(world.server.requests(world.url[len(world.server.url("")) :]))
    return [] if count == times else [f"the request was sent {count} times instead of {times}"]


def _http11_required(world):
    """RST_STREAM(HTTP_1_1_REQUIRED): asked again over HTTP/1.1, while those beside it go on over HTTP/2."""
    server = world.peer(alpn=("h2", "http/1.1"))
    world.url = server.url("/http11")
    world.beside = [server.url("/held"), server.url("/held-body")]
    world.after_url = server.url("/")


add(Case("h2", "http11-required", Expect("ok", after="new"), _http11_required, _http11_required.__doc__, "9.2.1"))


# ---- HTTP/1.1


def _on_h1(behaviour):
    def open(world):
        server = world.server = world.h1peer(tls="tls" in behaviour.name)
        world.url = server.url(f"/behave/{behaviour.name}")
        world.beside = [server.url("/held")]

    return open


for _b in h1behaviours.BEHAVIOURS.values():
    add(Case("h1", _b.name, _b.expect, _on_h1(_b), _b.doc, _b.rule))


# ---- the others

for _module in (proxies, names, handshakes, detours):
    for _case in _module.cases():
        add(_case)
