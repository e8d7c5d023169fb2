"""The jar that cookies are kept in unless a program brings its own: `http.cookiejar`'s, with the public suffix list.

Imported when the first cookie is stored.
"""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookiejar import IPV4_RE, eff_request_host  # pyright: ignore[reportAttributeAccessIssue] - they are there

from . import _core


def crosses_suffix(host, domain):
    """Whether `domain`, or a name between it and the `host` below it, is a public suffix: "amazonaws.com" is none, but is no
    business of those who have a name below "s3.amazonaws.com"."""
    if _core.is_public_suffix(domain):
        return True
    while len(host) > len(domain):
        if _core.is_public_suffix(host):
            return True
        host = host.partition(".")[2]
    return False


class Policy(DefaultCookiePolicy):
    """Refuses cookies for what a registry owns ("com", "co.uk", "github.io") and for parts of an address, and keeps those
    without a domain to their host (RFC 6265 sections 5.1.3, 5.3 and 5.4); and those whose name begins with "__Secure-" or
    "__Host-" where the rest does not keep that promise (its successor, section 4.1.3)."""

    def set_ok(self, cookie, request):
        name = cookie.name.lower()
        if name.startswith(("__secure-", "__host-")) and not (cookie.secure and request.type == "https"):
            return False
        if name.startswith("__host-") and (cookie.domain_specified or cookie.path != "/"):
            return False
        return super().set_ok(cookie, request)

    def set_ok_domain(self, cookie, request):
        if cookie.domain_specified:
            host, host_or_local = eff_request_host(request)
            domain = cookie.domain.lstrip(".").lower()
            if domain != host:
                if IPV4_RE.search(host) or crosses_suffix(host, domain):
                    return False
            elif _core.is_public_suffix(domain):
                # the host is one itself, and then the cookie is for it alone
                cookie.domain = host_or_local
                cookie.domain_specified = cookie.domain_initial_dot = False
        return super().set_ok_domain(cookie, request)

    def return_ok_domain(self, cookie, request):
        # one without any domain is of the program's own making, and goes everywhere
        if cookie.domain and not cookie.domain_specified and cookie.domain != eff_request_host(request)[1]:
            return False
        return super().return_ok_domain(cookie, request)


def new_jar():
    return CookieJar(Policy())
