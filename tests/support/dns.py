"""A small DNS server on loopback, UDP and TCP on one port, that answers as it is told: truly,
wrongly, late, or never."""

import fnmatch
import ipaddress
import select
import socket
import struct
import threading
import time

TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    65: "HTTPS",
    255: "ANY",
}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
_NUMBERS = {name: number for number, name in TYPES.items()}


class Zone:
    """What is answered for one name or pattern."""

    def __init__(self, addresses=(), ttl=60):
        self.addresses = [ipaddress.ip_address(address) for address in addresses]
        self.ttl = ttl
        self.rcode = 0
        self.cname = None
        self.behaviour = (
            None  # "silent", "garbage", "truncate", "spoof", "wrong-question", "drop-first"
        )
        self.raw = None  # (records as bytes, how many they are)
        self.delays = {}  # type name or None -> seconds
        self.silent_types = set()


class FakeDns:
    """`zones`: {name or pattern: [addresses]}. Names that nobody told it about are NXDOMAIN."""

    def __init__(self, zones=None, *, check=True):
        self.check = check
        self.zones = {}
        self.queries = []  # (name, type), UDP and TCP alike, in order of arrival
        self.tcp_queries = []
        self.errors = []
        self._seen = {}
        self._pending = []  # (time, send function)
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._open()
        for name, addresses in (zones or {}).items():
            self.answer(name, addresses)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"dns-{self.port}", daemon=True)
        self._thread.start()

    def _open(self):
        for _ in range(100):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self.host, self.port = self._udp.getsockname()
            try:
                self._tcp = socket.create_server((self.host, self.port))
                return
            except OSError:
                self._udp.close()
        raise RuntimeError("no port is free for both UDP and TCP")

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    # what is answered

    def _zone(self, name):
        return self.zones.setdefault(name.lower().rstrip("."), Zone())

    def answer(self, name, addresses, ttl=60):
        """A and AAAA records; a name with addresses of one family alone gives an empty answer for
        the other."""
        self.zones[name.lower().rstrip(".")] = Zone(addresses, ttl)

    def fail(self, name, rcode="NXDOMAIN"):
        self._zone(name).rcode = RCODES[rcode]

    def cname(self, name, target):
        self._zone(name).cname = target

    def empty(self, name):
        """NOERROR without records."""
        self.zones[name.lower().rstrip(".")] = Zone()

    def silent(self, name, qtype=None):
        """No answer at all, to one type or to all."""
        zone = self._zone(name)
        if qtype:
            zone.silent_types.add(qtype)
        else:
            zone.behaviour = "silent"

    def delay(self, name, ms, qtype=None):
        self._zone(name).delays[qtype] = ms / 1000

    def garbage(self, name):
        """An answer that does not parse."""
        self._zone(name).behaviour = "garbage"

    def truncate(self, name):
        """TC over UDP; the whole answer over TCP."""
        self._zone(name).behaviour = "truncate"

    def spoof(self, name, address="192.0.2.66"):
        """First an answer with a wrong id and this address, then the true one."""
        zone = self._zone(name)
        zone.behaviour = "spoof"
        zone.spoofed = ipaddress.ip_address(address)

    def wrong_question(self, name):
        """An answer to another question than was asked, under the right id."""
        self._zone(name).behaviour = "wrong-question"

    def records(self, name, data, count):
        """These bytes as the `count` records of every answer."""
        self._zone(name).raw = (data, count)

    def dead_addresses(self, name, count):
        """So many of this machine's own, on which nobody listens, and no other."""
        base = int(ipaddress.ip_address("127.1.0.0"))
        self._zone(name).addresses = [ipaddress.ip_address(base + index) for index in range(count)]

    def drop_first(self, name, count=1):
        """Silence for the first queries of each type, then the truth."""
        zone = self._zone(name)
        zone.behaviour = "drop-first"
        zone.drops = count

    def loop(self, *names):
        """CNAMEs in a circle."""
        for name, target in zip(names, names[1:] + names[:1]):
            self.cname(name, target)

    def count(self, name, qtype=None):
        """How many queries there were for the name."""
        return sum(1 for n, t in list(self.queries) if n == name.lower() and qtype in (None, t))

    # life

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
        if kind is None and self.check:
            self.verify()

    def verify(self):
        if self.errors:
            raise self.errors[0]

    def close(self):
        if self._closed:
            return
        self._closed = True
        self._stop_writer.close()
        self._thread.join(5)
        for sock in (self._udp, self._tcp, self._stop_reader):
            sock.close()

    def _run(self):
        while True:
            timeout = max(0.0, self._pending[0][0] - time.monotonic()) if self._pending else None
            ready, _, _ = select.select([self._stop_reader, self._udp, self._tcp], [], [], timeout)
            if self._stop_reader in ready:
                return
            try:
                if self._udp in ready:
                    self._serve_udp()
                if self._tcp in ready:
                    self._serve_tcp()
            except OSError:
                continue  # the client has gone
            except Exception as error:
                self.errors.append(error)
            self._send_due()

    def _send_due(self):
        self._pending.sort(key=lambda item: item[0])
        while self._pending and self._pending[0][0] <= time.monotonic():
            _, send = self._pending.pop(0)
            try:
                send()
            except OSError:
                pass

    def _serve_udp(self):
        query, client = self._udp.recvfrom(4096)
        for wait, data in self._replies(query, False):
            self._pending.append(
                (time.monotonic() + wait, lambda data=data: self._udp.sendto(data, client))
            )

    def _serve_tcp(self):
        sock, _ = self._tcp.accept()
        with sock:
            sock.settimeout(2)
            size = struct.unpack(">H", _exactly(sock, 2))[0]
            query = _exactly(sock, size)
            self.tcp_queries.append(_question(query)[:2])
            for _, data in self._replies(query, True):
                sock.sendall(struct.pack(">H", len(data)) + data)

    # answers

    def _find(self, name):
        if name in self.zones:
            return self.zones[name]
        for pattern, zone in self.zones.items():
            if "*" in pattern and fnmatch.fnmatchcase(name, pattern):
                return zone
        return None

    def _replies(self, query, tcp):
        """[(seconds to wait, datagram)]"""
        name, qtype, end = _question(query)
        self.queries.append((name, qtype))
        key = (name, qtype)
        self._seen[key] = self._seen.get(key, 0) + 1
        zone = self._find(name)
        if zone is None:
            return [(0, _message(query, end, RCODES["NXDOMAIN"], []))]
        if self._is_silent(zone, key):
            return []
        wait = zone.delays.get(qtype, zone.delays.get(None, 0))
        whole = _message(query, end, zone.rcode, self._records(name, zone, qtype))
        return [(wait, data) for data in self._twist(zone, query, end, whole, qtype, tcp)]

    def _is_silent(self, zone, key):
        if zone.behaviour == "silent" or key[1] in zone.silent_types:
            return True
        return zone.behaviour == "drop-first" and self._seen[key] <= zone.drops

    def _twist(self, zone, query, end, whole, qtype, tcp):
        if zone.raw is not None:
            data, count = zone.raw
            return [query[:2] + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0) + query[12:end] + data]
        if zone.behaviour == "garbage":
            return [query[:2] + b"\x81\x80\0\1\0\5\0\0\0\0" + b"\xff" * 40]
        if zone.behaviour == "truncate" and not tcp:
            return [_message(query, end, 0, [], truncated=True)]
        if zone.behaviour == "spoof":
            other = struct.pack(">H", struct.unpack(">H", query[:2])[0] ^ 0x5555)
            return [other + _message(query, end, 0, [_address(zone.spoofed, 60)])[2:], whole]
        if zone.behaviour == "wrong-question":
            return [
                whole.replace(query[12:end], _encode("other.invalid") + query[end - 4 : end], 1)
            ]
        return [whole]

    def _records(self, name, zone, qtype):
        records, owner, hops = [], b"\xc0\x0c", 0
        while zone is not None and zone.cname is not None and hops < 16:
            target = _encode(zone.cname)
            records.append(_record(owner, "CNAME", zone.ttl, target))
            owner, zone, hops = target, self._find(zone.cname.lower()), hops + 1
        if zone is not None and not zone.rcode:
            version = {"A": 4, "AAAA": 6}.get(qtype)
            records += [
                _address(a, zone.ttl, owner) for a in zone.addresses if a.version == version
            ]
        return records


def _exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise OSError("the client closed early")
        data += piece
    return data


def _question(query):
    """(name, type, offset of the end of the question)"""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    qtype = struct.unpack_from(">H", query, at + 1)[0]
    return ".".join(labels).lower(), TYPES.get(qtype, str(qtype)), at + 5


def _message(query, end, rcode, records, truncated=False):
    flags = 0x8180 | rcode | (0x0200 if truncated else 0)
    return (
        query[:2]
        + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        + query[12:end]
        + b"".join(records)
    )


def _encode(name):
    return (
        b"".join(
            bytes([len(label)]) + label.encode("latin-1") for label in name.rstrip(".").split(".")
        )
        + b"\0"
    )


def _record(owner, kind, ttl, data):
    return owner + struct.pack(">HHIH", _NUMBERS[kind], 1, ttl, len(data)) + data


def _address(address, ttl, owner=b"\xc0\x0c"):
    return _record(owner, "A" if address.version == 4 else "AAAA", ttl, address.packed)
