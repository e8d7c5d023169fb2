"""Cookies, kept in a jar of `http.cookiejar`. The jar is made when it is first needed: importing it is slow."""

from _collections_abc import MutableMapping

from ._exceptions import CookieConflict
from ._utils import public

# Everything that `http.cookiejar.Cookie` wants to know, but for the name, value, domain and path.
_PLAIN = {
    "version": 0,
    "port": None,
    "port_specified": False,
    "secure": False,
    "expires": None,
    "discard": True,
    "comment": None,
    "comment_url": None,
    "rest": {"HttpOnly": None},
    "rfc2109": False,
}


@public
class Cookies(MutableMapping):
    """Cookies by name. `jar` is the `http.cookiejar.CookieJar` that holds them; one that is given keeps its own policy."""

    # The jar, once there is one.
    _jar = None

    def __init__(self, cookies=None):
        if cookies is None:
            return
        if isinstance(cookies, Cookies):
            self._copy(cookies)
        elif isinstance(cookies, dict):
            for name, value in cookies.items():
                self.set(name, value)
        elif isinstance(cookies, list):
            for name, value in cookies:
                self.set(name, value)
        else:
            self._jar = cookies

    @property
    def jar(self):
        """The jar that holds the cookies."""
        if self._jar is None:
            from ._cookiejar import new_jar

            # Of threads that come here at once, each gets the same.
            return self.__dict__.setdefault("_jar", new_jar())
        return self._jar

    @jar.setter
    def jar(self, jar):
        if jar is None:
            self.__dict__.pop("_jar", None)
        else:
            self._jar = jar

    def _copy(self, other):
        for cookie in other._all():
            self.jar.set_cookie(cookie)

    def _all(self):
        """The cookies that there are now: another thread may add some while they are looked at."""
        jar = self._jar
        if jar is None:
            return ()
        # A jar that is not of `http.cookiejar` has to see to that itself.
        lock = getattr(jar, "_cookies_lock", None)
        if lock is None:
            return list(iter(jar))
        with lock:
            return list(iter(jar))

    # requests and responses

    def extract_cookies(self, response):
        """Takes the cookies that the response sets."""
        if "set-cookie" in response.headers or "set-cookie2" in response.headers:
            # The jar takes what looks like urllib's objects, which these do.
            request = _RequestView(response.request)
            self.jar.extract_cookies(_ResponseView(response), request)  # pyright: ignore[reportArgumentType]

    def set_cookie_header(self, request):
        """Gives the request the Cookie field that is due to its URL."""
        if self._jar is not None:
            self._jar.add_cookie_header(_RequestView(request))  # pyright: ignore[reportArgumentType]

    # cookies by name, and by domain and path where names are not enough

    def set(self, name, value, domain="", path="/"):
        """Adds a cookie, or replaces the one of this name, domain and path."""
        from http.cookiejar import Cookie

        cookie = Cookie(
            name=name,
            value=value,
            domain=domain,
            domain_specified=bool(domain),
            domain_initial_dot=domain.startswith("."),
            path=path,
            path_specified=bool(path),
            **_PLAIN,
        )
        self.jar.set_cookie(cookie)

    def _find(self, name, domain, path):
        return [
            cookie
            for cookie in self._all()
            if cookie.name == name
            and (domain is None or cookie.domain == domain)
            and (path is None or cookie.path == path)
        ]

    def get(self, name, default=None, domain=None, path=None):
        """The value of the cookie; CookieConflict if several fit."""
        found = [cookie.value for cookie in self._find(name, domain, path) if cookie.value is not None]
        if len(found) > 1:
            raise CookieConflict(f"Multiple cookies exist with name={name}")
        return found[0] if found else default

    def delete(self, name, domain=None, path=None):
        """Removes each cookie that fits."""
        if domain is not None and path is not None:
            self.jar.clear(domain, path, name)
            return
        for cookie in self._find(name, domain, path):
            self.jar.clear(cookie.domain, cookie.path, cookie.name)

    def clear(self, domain=None, path=None):
        """Removes all cookies, or those of the domain and path."""
        assert path is None or domain is not None, "a path needs a domain"
        if self._jar is not None:
            self._jar.clear(*(part for part in (domain, path) if part is not None))
        elif domain is not None:
            raise KeyError(domain)

    def update(self, cookies=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Adds the cookies of another mapping, list or jar."""
        self._copy(Cookies(cookies))

    def __setitem__(self, name, value):
        self.set(name, value)

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __delitem__(self, name):
        self.delete(name)

    def __len__(self):
        return len(self._all())

    def __iter__(self):
        return (cookie.name for cookie in self._all())

    def __bool__(self):
        return bool(self._all())

    def __repr__(self):
        shown = (f"<Cookie {cookie.name}={cookie.value} for {cookie.domain} />" for cookie in self._all())
        return f"<Cookies[{', '.join(shown)}]>"


class _RequestView:
    """A request as `http.cookiejar` wants to see it: like one of urllib."""

    unverifiable = False

    def __init__(self, request):
        self._request = request
        self.type = request.url.scheme
        self.host = request.url.netloc.decode("ascii")

    @property
    def origin_req_host(self):
        from http import cookiejar

        return cookiejar.request_host(self)  # pyright: ignore[reportAttributeAccessIssue] - it is there

    def get_full_url(self):
        return str(self._request.url)

    def has_header(self, name):
        return name in self._request.headers

    def get_header(self, name, default=None):
        return self._request.headers.get(name, default)

    def header_items(self):
        return self._request.headers.items()

    def add_unredirected_header(self, name, value):
        self._request.headers[name] = value


class _ResponseView:
    """A response as `http.cookiejar` wants to see it."""

    def __init__(self, response):
        self._headers = response.headers

    def info(self):
        return self

    def get_all(self, name, default=None):
        return self._headers.get_list(name) or default
