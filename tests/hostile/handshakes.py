"""TLS that cannot be trusted or does not get far: certificates, lies about the protocol, and every
kind of end in each phase of the handshake."""

import _ssl
import base64
import ctypes
import hashlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.expect import Expect
from support.listener import ScriptedServer

from .play import SHORT, Case

CERTIFICATES = {
    "expired": "a certificate whose time is over",
    "not_yet_valid": "a certificate whose time has not come",
    "self_signed": "a certificate that nobody signed",
    "wrong_host": "a certificate for another host",
    "untrusted": "a certificate of an authority that is not trusted",
    "missing_intermediate": "a chain with a gap",
}


def _scene(make, h2_alone=False, check=None):
    """`make(world)` gives the server that is in for it."""
    check = check or _check_untouched

    def open(world):
        server = make(world)
        if h2_alone:
            world.settings = {"protocols": 2}
            world.elsewhere = [world.peer().url("/held")]
        world.url = server.url("/victim", scheme="https")
        world.after_url = world.peer().url("/after")
        world.check = lambda result: check(server, result)

    return open


def _check_untouched(server, result):
    return ["the server got a request"] if getattr(server, "requests", list)() else []


# ---- ends, in each phase

FATAL_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Handshaker(ScriptedServer):
    """Plays a handshake up to `phase`: "hello" (the client's has come), "flight" (half of the
    server's has gone), and then does what it is told to."""

    scheme = "https"

    def __init__(self, ca, phase, deed):
        self.tls = ca.server_context()
        self.phase = phase
        self.deed = deed
        super().__init__(check=False)

    def serve(self, wire, number):
        wire.step()
        if self.phase == "flight":
            self._half_a_flight(wire)
        if isinstance(self.deed, bytes):
            wire.write(self.deed)
            wire.flush()
            wire.end_output()
        elif self.deed == "abort":
            return wire.abort()
        elif self.deed == "close":
            wire.end_output()
        wire.idle(None) if self.deed == "hang" else self._until_closed(wire)

    def _until_closed(self, wire):
        while not wire.eof:
            wire.step()

    def _half_a_flight(self, wire):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(bytes(wire.input))
        tls = self.tls.wrap_bio(incoming, outgoing, server_side=True)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        flight = outgoing.read()
        wire.write(flight[: len(flight) // 2])
        wire.flush()


DEEDS = {
    "garbage": (GARBAGE, "bytes that are no TLS"),
    "alert": (FATAL_ALERT, "a fatal alert"),
    "close": ("close", "the end"),
    "abort": ("abort", "a TCP RST"),
    "hang": ("hang", "nothing more"),
}
PHASES = {"hello": "after the client's hello", "flight": "in the middle of the server's handshake"}


def _ends():
    for phase, when in PHASES.items():
        for name, (deed, what) in DEEDS.items():
            hangs = name == "hang"
            expect = Expect(f"stream {'CONNECT_TIMEOUT' if hangs else 'TLS_HANDSHAKE'}", after="new", **({"connect": SHORT} if hangs else {}))

            def make(world, phase=phase, deed=deed):
                return world.add(Handshaker(world.ca, phase, deed))

            yield Case("tls", f"{phase}-{name}", expect, _scene(make), f"{what} {when}")


# ---- keys


def _pin(path):
    with open(path, "rb") as file:
        key = x509.load_pem_x509_certificate(file.read()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256/" + base64.b64encode(hashlib.sha256(info).digest()).decode()


def _pinned(world):
    """A trusted certificate whose key is another than the one that the program wants."""
    other = world.peer(cert="intermediate")
    world.url = other.url("/victim")
    world.after_url = world.peer().url("/after")
    world.settings = {"pins": [_pin(world.ca.server_cert)]}
    world.check = lambda result: ["the server got a request"] if other.requests() else []


def _revoked(world):
    """A certificate that its authority has revoked, for a program that has the list."""
    server = world.peer(cert="revoked")
    world.url = server.url("/victim")
    world.after_url = world.peer().url("/after")
    world.settings = {"crl": world.ca.crl_file}
    world.check = lambda result: ["the server got a request"] if server.requests() else []


# ---- lies about the protocol

_SELECT = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_ubyte),
    ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p,
)  # fmt: skip


def _insisting(context, protocol):
    """A server's context that chooses `protocol` whatever is offered. `ssl` cannot; OpenSSL beneath it can, whose SSL_CTX
    is the first thing in Python's object."""
    text = ctypes.create_string_buffer(protocol, len(protocol))

    @_SELECT
    def select(ssl, ret_out, ret_len, offered, offered_len, argument):
        ret_out[0] = ctypes.addressof(text)
        ret_len[0] = len(protocol)
        return 0

    library = ctypes.CDLL(_ssl.__file__)
    inside = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    library.SSL_CTX_set_alpn_select_cb(inside, select, None)
    return context, (select, text)


def _insists(protocol, protocols):
    """HTTP/2 or HTTP/1.1 alone is offered, or both, and the server chooses what was not."""

    def open(world):
        context, world.alive = _insisting(world.ca.server_context(alpn=None), protocol)
        server = world.h1peer(tls_context=context)
        world.settings = {"protocols": protocols}
        good = world.h1peer(tls=True) if protocols == 1 else world.peer()
        world.elsewhere = [good.url("/held")]
        world.url = server.url("/victim", scheme="https")
        world.after_url = good.url("/after")
        world.check = lambda result: _check_untouched(server, result)

    return open


def _check_alpn(server, result):
    """It is refused in the handshake, which says so, before anything is made of the connection."""
    problems = _check_untouched(server, result)
    if "(ALPN)" not in result.text:
        problems.append(f"{result.text!r} says nothing of ALPN")
    return problems


def _lies():
    rule = "RFC 7301, RFC 9113, 3.2"
    refused = Expect("stream TLS_ALPN", after="new")
    unheard = Expect("stream TLS_HANDSHAKE", after="new")  # OpenSSL sees it; we would, too, with one that does not
    confused = Expect("stream PROTOCOL", after="new")

    def no_alpn(world):
        return world.peer(alpn=None)

    def http1(world):
        return world.h1peer(tls=True)

    yield Case("tls", "alpn-none", refused, _scene(no_alpn, True, _check_alpn), "no protocol is chosen where HTTP/2 alone was offered", rule)
    yield Case("tls", "alpn-other", refused, _scene(http1, True, _check_alpn), "HTTP/1.1 where HTTP/2 alone was offered", rule)
    yield Case("tls", "alpn-h2-not-offered", unheard, _insists(b"h2", 1), "HTTP/2 where HTTP/1.1 alone was offered", rule)
    yield Case("tls", "alpn-h1-not-offered", unheard, _insists(b"http/1.1", 2), "HTTP/1.1, said so, where HTTP/2 alone was offered", rule)
    yield Case("tls", "alpn-unknown", unheard, _insists(b"spdy/3", 3), "a protocol that nobody offered", rule)
    yield Case("tls", "alpn-none-yet-h2", confused, _scene(no_alpn), "no protocol is chosen, and HTTP/2 spoken", rule)


def cases():
    for name, doc in CERTIFICATES.items():
        expect = Expect("stream TLS_CERTIFICATE", after="new")

        def make(world, name=name):
            return world.peer(cert=name)

        yield Case("tls", name, expect, _scene(make), doc, "RFC 9110, 4.3.4")
    yield Case("tls", "other-key", Expect("stream TLS_PIN", after="new"), _pinned, _pinned.__doc__, "RFC 7469, 2.6")
    revoked = Expect("stream TLS_CERTIFICATE", after="new")
    yield Case("tls", "revoked", revoked, _revoked, _revoked.__doc__, "RFC 5280, 6.3", ("c",))
    yield from _ends()
    yield from _lies()
