"""Name servers that fail, lie and stall, while requests to other hosts go on. From C alone: Python
takes its name servers from the system."""

from support.dns import FakeDns
from support.expect import Expect

from .play import SHORT, Case

CASES = {
    "nxdomain": ("NAME_NOT_FOUND", "no such name", lambda names: names.fail("t.example.test", "NXDOMAIN")),
    "servfail": ("RESOLVE", "SERVFAIL", lambda names: names.fail("t.example.test", "SERVFAIL")),
    "refused": ("RESOLVE", "REFUSED", lambda names: names.fail("t.example.test", "REFUSED")),
    "empty": ("NAME_NOT_FOUND", "an answer without records", lambda names: names.empty("t.example.test")),
    "silent": ("CONNECT_TIMEOUT", "no answer at all", lambda names: names.silent("t.example.test")),
    "garbage": ("RESOLVE", "an answer that does not parse", lambda names: names.garbage("t.example.test")),
    "cname-loop": (
        "NAME_NOT_FOUND",
        "two names that are each other's alias",
        lambda names: (names.empty("t.example.test"), names.loop("t.example.test", "u.example.test")),
    ),
    "cname": ("200", "an alias", lambda names: names.cname("t.example.test", "good.example.test")),
    "pointer-loop": (
        "RESOLVE",
        "a name that is compressed to itself",
        lambda names: names.records("t.example.test", b"\xc0\x0c\x00\x05\x00\x01\0\0\0\x3c\0\2\xc0\x2c" * 2, 2),
    ),
    "wrong-name": (
        "NAME_NOT_FOUND",
        "the address of another name",
        lambda names: names.records(
            "t.example.test", b"\5other\4test\0" + b"\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", 1
        ),
    ),
    "wrong-type": (
        "NAME_NOT_FOUND",
        "text where an address was asked for",
        lambda names: names.records("t.example.test", b"\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\4\3abc", 1),
    ),
    "short-address": (
        "NAME_NOT_FOUND",
        "an address of three bytes",
        lambda names: names.records("t.example.test", b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\x7f\0\0", 1),
    ),
    "wrong-question": ("CONNECT_TIMEOUT", "the answer to another question", lambda names: names.wrong_question("t.example.test")),
    "spoofed": ("200", "an answer with a wrong id before the true one", lambda names: names.spoof("t.example.test")),
    "truncated": ("200", "an answer that is whole over TCP alone", lambda names: names.truncate("t.example.test")),
    "many-addresses": (
        "CONNECT",
        "four thousand addresses, all of which refuse: a few are tried",
        lambda names: (names.truncate("t.example.test"), names.dead_addresses("t.example.test", 4000)),
    ),
    "slow": ("200", "an answer that takes its time", lambda names: names.delay("t.example.test", 150)),
    "first-lost": ("200", "questions that get lost once", lambda names: names.drop_first("t.example.test")),
}


def _scene(set_up):
    def open(world):
        names = world.add(FakeDns({"t.example.test": ["127.0.0.1"], "good.example.test": ["127.0.0.1"]}, check=False))
        set_up(names)
        server = world.peer(tls=True)
        world.url = server.url("/victim", host="t.example.test")
        world.after_url = server.url("/after", host="good.example.test")
        world.settings = {"nameservers": names.address, "dns_timeout_ms": 100}

    return open


def _denied(world):
    """An address that the program has denied, behind a name that looks harmless."""
    names = world.add(FakeDns({"t.example.test": ["127.0.0.9"], "good.example.test": ["127.0.0.1"]}, check=False))
    inside = world.peer(host="127.0.0.9")
    world.url = inside.url("/victim", host="t.example.test")
    world.after_url = world.peer().url("/after", host="good.example.test")
    world.settings = {"nameservers": names.address, "deny": ["127.0.0.9"]}
    world.check = lambda result: ["the inside was connected to"] if inside.accepted else []


def _expect(outcome):
    options = {"connect": SHORT} if outcome == "CONNECT_TIMEOUT" else {}
    return Expect("ok" if outcome == "200" else f"stream {outcome}", after="new", **options)


def cases():
    for name, (outcome, doc, set_up) in CASES.items():
        yield Case("names", name, _expect(outcome), _scene(set_up), doc, "RFC 1035", ("c",))
    yield Case("names", "denied", _expect("ADDRESS_DENIED"), _denied, _denied.__doc__, "SSRF", ("c",))
