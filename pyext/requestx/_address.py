"""Which addresses a client may connect to."""

from ._core import AddressRules
from ._utils import public


@public
class AddressPolicy:
    """Which addresses a client may connect to: a guard for URLs that somebody else chose.

    `allow` and `deny` are addresses and networks, as `"192.0.2.7"`, `"10.0.0.0/8"` or objects of `ipaddress`, and
    `"unix"` for sockets on a path. The one with the longest prefix that holds an address decides; of two alike, the one
    that denies. With `allow`, what is in neither list is denied; without it, allowed.

    It is asked about the very address that a connection is then made to: after DNS, for every redirect, for addresses
    in URLs, and for proxies. Where it allows none of a host's addresses, ConnectError has the code "address_denied".
    """

    __slots__ = ("_base", "_allow", "_deny", "_rules")

    def __init__(self, *, allow=None, deny=()):
        self._fill("any" if allow is None else "none", allow or (), deny)

    def _fill(self, base, allow, deny):
        self._base = base
        self._allow = _texts(allow, "allow")
        self._deny = _texts(deny, "deny")
        self._rules = AddressRules(base, self._allow, self._deny)

    @classmethod
    def public(cls, *, allow=(), deny=()):
        """Addresses of the public internet alone, but for what `allow` adds to them and `deny` takes from them.

        Not public are loopback, private, shared (carrier-grade NAT), link-local, unique local, multicast, documentation,
        benchmarking, reserved and unspecified addresses, IPv6 addresses that carry such an IPv4 address, and sockets
        on a path.
        """
        return cls._make("public", allow, deny)

    @classmethod
    def _make(cls, base, allow, deny):
        policy = cls.__new__(cls)
        policy._fill(base, allow, deny)
        return policy

    def allows(self, address):
        """Whether a connection may be made to `address`, an IP address as text or an object of `ipaddress`."""
        return self._rules.allows(str(address))

    def _key(self):
        return (self._base, self._allow, self._deny)

    def __eq__(self, other):
        return self._key() == other._key() if isinstance(other, AddressPolicy) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    def __reduce__(self):
        return (type(self)._make, self._key())

    def __repr__(self):
        lists = [] if self._base != "none" else [f"allow={list(self._allow)!r}"]
        if self._base == "public" and self._allow:
            lists.append(f"allow={list(self._allow)!r}")
        if self._deny:
            lists.append(f"deny={list(self._deny)!r}")
        return f"{type(self).__name__}{'.public' if self._base == 'public' else ''}({', '.join(lists)})"


def _texts(rules, name):
    if isinstance(rules, (str, bytes)):
        raise TypeError(f"{name} must be a list of addresses and networks, not {type(rules).__name__}")
    return tuple(str(rule) for rule in rules)


def rules_of(policy):
    """What the engine takes for an `address_policy` argument."""
    if policy is None:
        return None
    if not isinstance(policy, AddressPolicy):
        raise TypeError(f"address_policy must be an AddressPolicy, not {type(policy).__name__}")
    return policy._rules
