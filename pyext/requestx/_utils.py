"""Small helpers without a home of their own, and what the environment says about proxies."""

import os
import sys


def public(thing):
    """Marks a class or function as a part of the package's surface: users see it as `requestx.NAME`."""
    thing.__module__ = "requestx"
    return thing


def to_bytes(value, encoding="utf-8"):
    return value.encode(encoding) if isinstance(value, str) else value


def to_str(value, encoding="utf-8"):
    return value if isinstance(value, str) else value.decode(encoding)


def primitive_value_to_str(value):
    """How a scalar stands in a query or a form: as JSON would write booleans, and nothing for None."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


# proxies of the environment

_PROXY_SCHEMES = ("http", "https", "all")


def get_environment_proxies():
    """Maps URL patterns to a proxy's URL, or to None where the environment asks for a direct connection."""
    found = _proxy_variables()
    if not found:
        return {}
    mounts = {}
    for scheme in _PROXY_SCHEMES:
        address = found.get(scheme)
        if address:
            mounts[f"{scheme}://"] = address if "://" in address else f"http://{address}"
    for entry in found.get("no", "").split(","):
        entry = entry.strip()
        if entry == "*":
            return {}
        if entry:
            mounts[_no_proxy_pattern(entry)] = None
    return mounts


def _proxy_variables():
    """The NAME of each NAME_proxy variable, lower-cased, with its value; the system's settings where it has any."""
    if sys.platform in ("darwin", "win32"):
        from urllib.request import getproxies

        return getproxies()
    names = [name for name in os.environ if name[-6:].lower() == "_proxy"]
    if not names:
        return {}
    found = {}
    # A lower-case name wins over its upper-case twin, even with an empty value: so it is looked at last.
    for name in sorted(names, key=str.islower):
        key, value = name[:-6].lower(), os.environ[name]
        if key == "http" and name[-6:] != "_proxy" and "REQUEST_METHOD" in os.environ:
            # In a CGI script HTTP_PROXY is the `Proxy` field of whoever sent the request.
            continue
        if value:
            found[key] = value
        elif name[-6:] == "_proxy":
            found.pop(key, None)
    return found


def _no_proxy_pattern(entry):
    """The URL pattern for one entry of NO_PROXY: a host (with subdomains), an address, a network, or a pattern."""
    if "://" in entry:
        return entry
    host, _, bits = entry.partition("/")
    if host.startswith("["):
        return f"all://{entry}"
    if _is_address(host, 4) or entry.lower() == "localhost":
        return f"all://{entry}"
    if _is_address(host, 6):
        return f"all://[{host}]/{bits}" if bits else f"all://[{host}]"
    return f"all://*{entry}"


def _is_address(host, version):
    if version == 6 and ":" not in host or version == 4 and not host[-1:].isdigit():
        return False
    import ipaddress

    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def is_ipv4_hostname(hostname):
    return _is_address(hostname.split("/")[0], 4)


def is_ipv6_hostname(hostname):
    return _is_address(hostname.split("/")[0], 6)


def _in_network(host, network):
    import ipaddress

    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


class URLPattern:
    """Which URLs a mounted transport is for.

    `scheme://host:port`, each part optional: `all://` is any scheme, `*.example.com` the subdomains of a name,
    `*example.com` the name as well, and `192.0.2.0/24` after the scheme every address of that network.
    """

    def __init__(self, pattern):
        from ._core import URL

        if not isinstance(pattern, str):
            raise TypeError(f"a URL pattern must be str, not {type(pattern).__name__}")
        if pattern and ":" not in pattern:
            raise ValueError(
                f"Mount and proxy keys are URL patterns, not plain scheme names. "
                f'Instead of "{pattern}", use "{pattern}://".'
            )
        wildcard, plain = self._split_wildcard(pattern)
        url = URL(plain)
        self.pattern = pattern
        self.scheme = "" if url.scheme == "all" else url.scheme
        self.host = f"{wildcard}{url.host}" if url.host else ""
        self.port = url.port
        self._network = self._network_of(url.host, url.path)
        self._exact = None if wildcard == "*." else url.host
        self._suffix = f".{url.host}" if wildcard else None

    @staticmethod
    def _split_wildcard(pattern):
        """("*." or "*" or "", the pattern without it): what is left is a URL, its name not always an ASCII one."""
        scheme, colon, rest = pattern.partition("://")
        for wildcard in ("*.", "*"):
            if colon and rest.startswith(wildcard):
                return wildcard, f"{scheme}://{rest[len(wildcard):]}"
        return "", pattern

    @staticmethod
    def _network_of(host, path):
        bits = path[1:]
        if not bits.isdigit() or not (is_ipv4_hostname(host) or is_ipv6_hostname(host)):
            return None
        import ipaddress

        return ipaddress.ip_network(f"{host}/{bits}", strict=False)

    def matches(self, other):
        """Whether the URL is one that the pattern is for."""
        if self.scheme and self.scheme != other.scheme:
            return False
        if self.port is not None and self.port != other.port:
            return False
        return not self.host or self._matches_host(other.host)

    def _matches_host(self, host):
        if self._network is not None:
            return _in_network(host, self._network)
        if self._exact == host:
            return True
        return self._suffix is not None and host.endswith(self._suffix) and host != self._suffix

    @property
    def priority(self):
        """Sorts the most specific pattern first: with a port, then the longer host, then the longer scheme."""
        return (0 if self.port is not None else 1, -len(self.host), -len(self.scheme))

    def __hash__(self):
        return hash(self.pattern)

    def __lt__(self, other):
        return self.priority < other.priority

    def __eq__(self, other):
        return isinstance(other, URLPattern) and self.pattern == other.pattern

    def __repr__(self):
        return f"{type(self).__name__}({self.pattern!r})"
