"""Timeouts, limits, proxies, and the settings of TLS."""

import os

from ._core import URL, Headers, NativeRetry
from ._utils import public


class UnsetType:
    """The type of `UNSET`: the value of a parameter that was not given, where None means something."""

    def __repr__(self):
        return "UNSET"


UNSET = UnsetType()


@public
class Timeout:
    """How long each step of a request may take, in seconds; None for as long as it takes.

    `Timeout(5.0)` is for every step, `Timeout(5.0, connect=10.0)` makes an exception, `Timeout(None)` sets none.
    `total` bounds the whole exchange, from the call to the last byte of the body; it has no default. `stall`, which has
    none either, is (bytes per second, seconds): a body that moves fewer bytes over that time, while it should, is given
    up.
    """

    def __init__(
        self,
        timeout: object = UNSET,
        *,
        connect=UNSET,
        read=UNSET,
        write=UNSET,
        pool=UNSET,
        total=UNSET,
        stall=UNSET,
    ):
        if isinstance(timeout, Timeout):
            assert connect is UNSET and read is UNSET and write is UNSET and pool is UNSET, (
                "a Timeout cannot be changed by keywords"
            )
            self.connect = timeout.connect
            self.read = timeout.read
            self.write = timeout.write
            self.pool = timeout.pool
            self.total = timeout.total if total is UNSET else total
            self.stall = timeout.stall if stall is UNSET else _stall(stall)
            return
        self.total = None if total is UNSET else total
        self.stall = None if stall is UNSET else _stall(stall)
        if isinstance(timeout, tuple):
            self.connect, self.read = timeout[0], timeout[1]
            self.write = timeout[2] if len(timeout) > 2 else None
            self.pool = timeout[3] if len(timeout) > 3 else None
            return
        if timeout is UNSET and (connect is UNSET or read is UNSET or write is UNSET or pool is UNSET):
            raise ValueError("Timeout needs a default, or all of connect, read, write and pool.")
        self.connect = timeout if connect is UNSET else connect
        self.read = timeout if read is UNSET else read
        self.write = timeout if write is UNSET else write
        self.pool = timeout if pool is UNSET else pool

    def as_dict(self):
        """The timeouts by name, as they travel in a request's extensions; `total` and `stall` only where they are set."""
        steps = {"connect": self.connect, "read": self.read, "write": self.write, "pool": self.pool}
        if self.total is not None:
            steps["total"] = self.total
        if self.stall is not None:
            steps["stall"] = self.stall
        return steps

    def _steps(self):
        return (self.connect, self.read, self.write, self.pool)

    def __eq__(self, other):
        return isinstance(other, type(self)) and (*self._steps(), self.total, self.stall) == (
            *other._steps(),
            other.total,
            other.stall,
        )

    def __repr__(self):
        steps = self._steps()
        if len(set(steps)) == 1:
            text = f"timeout={self.connect}"
        else:
            text = f"connect={self.connect}, read={self.read}, write={self.write}, pool={self.pool}"
        if self.total is not None:
            text += f", total={self.total}"
        if self.stall is not None:
            text += f", stall={self.stall}"
        return f"{type(self).__name__}({text})"


def _stall(value):
    if value is None:
        return None
    rate, seconds = value
    if rate <= 0 or seconds <= 0:
        raise ValueError("stall needs a number of bytes per second and a number of seconds, both above 0")
    return (rate, seconds)


@public
class Limits:
    """How many connections a client may have at once, keep idle, and for how many seconds; None for no limit."""

    def __init__(self, *, max_connections=None, max_keepalive_connections=None, keepalive_expiry=5.0):
        self.max_connections = max_connections
        self.max_keepalive_connections = max_keepalive_connections
        self.keepalive_expiry = keepalive_expiry

    def _all(self):
        return (self.max_connections, self.max_keepalive_connections, self.keepalive_expiry)

    def __eq__(self, other):
        return isinstance(other, type(self)) and self._all() == other._all()

    def __repr__(self):
        return (
            f"{type(self).__name__}(max_connections={self.max_connections}, "
            f"max_keepalive_connections={self.max_keepalive_connections}, keepalive_expiry={self.keepalive_expiry})"
        )


@public
class Retry:
    """When a request is sent again by itself, and how long that waits.

    `total` is the number of tries after the first one. Of these, `connect` at most are for connections that could not
    be made, `read` for those that were lost or silent, `status` for answers with one of the `statuses`; None for as
    many as `total`. Answers are tried again where the method is one of `methods`; lost connections, where it is and
    may be repeated besides (GET, HEAD, OPTIONS, TRACE, PUT, DELETE, or any with an `Idempotency-Key` field).

    The pause before the first retry is `backoff` seconds, doubled for each further one up to `backoff_max`; `jitter`,
    from 0 to 1, is how much of it is left to chance. An answer's Retry-After says how long it is at least, unless
    `respect_retry_after` is False; one that asks for more than `retry_after_max` seconds is the outcome.

    A Retry never changes, and any number of clients may share it.
    """

    __slots__ = (
        "total",
        "connect",
        "read",
        "status",
        "statuses",
        "methods",
        "backoff",
        "backoff_max",
        "jitter",
        "respect_retry_after",
        "retry_after_max",
        "_native",
    )

    def __init__(
        self,
        total=3,
        *,
        connect=None,
        read=None,
        status=None,
        statuses=(429, 502, 503, 504),
        methods=("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"),
        backoff=0.5,
        backoff_max=30.0,
        jitter=0.5,
        respect_retry_after=True,
        retry_after_max=120.0,
    ):
        if isinstance(methods, str):
            raise TypeError("methods must be a sequence of str, not a str")
        statuses, methods = tuple(statuses), tuple(method.upper() for method in methods)
        budgets = [-1 if budget is None else budget for budget in (connect, read, status)]
        if min(budgets) < 0 and any(budget is not None and budget < 0 for budget in (connect, read, status)):
            raise ValueError("connect, read and status must not be negative")
        native = NativeRetry(
            total,
            *budgets,
            statuses,
            methods,
            _milliseconds(backoff),
            _milliseconds(backoff_max),
            round(jitter * 100),
            respect_retry_after,
            _milliseconds(retry_after_max),
        )
        values = (total, connect, read, status, statuses, methods, backoff, backoff_max, jitter)
        for name, value in zip(self.__slots__, (*values, bool(respect_retry_after), retry_after_max, native)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name, value):
        raise AttributeError("a Retry cannot be changed")

    def __delattr__(self, name):
        raise AttributeError("a Retry cannot be changed")

    def _all(self):
        return {name: getattr(self, name) for name in self.__slots__[:-1]}

    def __reduce__(self):
        return _make_retry, (type(self), self._all())

    def __eq__(self, other):
        return isinstance(other, Retry) and self._all() == other._all()

    def __hash__(self):
        return hash(tuple(self._all().values()))

    def __repr__(self):
        values, usual = self._all(), Retry()._all()
        total = values.pop("total")
        changed = [f", {name}={value!r}" for name, value in values.items() if value != usual[name]]
        return f"{type(self).__name__}({total}{''.join(changed)})"


def _make_retry(cls, values):
    return cls(**values)


def _milliseconds(seconds):
    if seconds == 0:
        return 0
    # A pause that is asked for is not rounded to none.
    return round(seconds * 1000) or (1 if seconds > 0 else -1)


@public
class Proxy:
    """A proxy: its URL, the credentials that it wants, and fields that are sent to it alone.

    The scheme of the URL says what it is: `http`; `https`, which is spoken to over TLS; `socks5`, which is given the
    origin's address; `socks5h`, which is given its name. Credentials come from `username` and `password`, else from the
    URL, else from `auth`. They go to the proxy only. `headers` are for HTTP proxies. `ssl_context` is for `https` ones,
    whose certificate is otherwise checked with what the system trusts.
    """

    def __init__(self, url, *, ssl_context=None, auth=None, headers=None, username=None, password=None):
        url = URL(url)
        if url.scheme not in ("http", "https", "socks5", "socks5h"):
            known = "http://, https://, socks5:// and socks5h:// are known"
            raise ValueError(f"Unknown scheme for proxy URL {url!r}: {known}")
        if url.username or url.password:
            auth = (url.username, url.password)
            url = url.copy_with(username=None, password=None)
        if username is not None or password is not None:
            auth = (username or "", password or "")
        self.url = url
        self.auth = auth
        self.headers = Headers(headers)
        self.ssl_context = ssl_context

    @property
    def raw_auth(self):
        """The credentials as bytes."""
        if self.auth is None:
            return None
        return (self.auth[0].encode("utf-8"), self.auth[1].encode("utf-8"))

    def __repr__(self):
        parts = [repr(str(self.url))]
        if self.auth:
            parts.append(f"auth={(self.auth[0], '********')!r}")
        if self.headers:
            parts.append(f"headers={dict(self.headers)!r}")
        return f"Proxy({', '.join(parts)})"


# TLS


class CABundle(str):
    """A path of trusted certificates that came from a parameter made for it, and so is not a deprecated use."""


class ClientCert(tuple):
    """(certificate, key, password) from a parameter made for it, and so not a deprecated use."""


def merge_tls_aliases(verify, cert, verify_ssl=None, ca_bundle=None, cert_file=None):
    """Folds the aliases `verify_ssl`, `ca_bundle` and `cert_file` into (verify, cert)."""
    if verify_ssl is not None:
        if not isinstance(verify_ssl, bool):
            raise TypeError(f"verify_ssl must be a bool, not {type(verify_ssl).__name__}")
        if verify is not True:
            raise TypeError("verify and verify_ssl are the same setting: pass one of them")
        verify = verify_ssl
    if ca_bundle is not None:
        if verify is not True:
            raise TypeError("ca_bundle needs verification, and replaces verify: pass one of them")
        verify = CABundle(os.fspath(ca_bundle))
    if cert_file is not None:
        if cert is not None:
            raise TypeError("cert and cert_file are the same setting: pass one of them")
        cert = (cert_file,) if isinstance(cert_file, (str, os.PathLike)) else tuple(cert_file)
        cert = ClientCert(os.fspath(item) if isinstance(item, os.PathLike) else item for item in cert)
    return verify, cert


def warn_of_tls_paths(verify, cert, stacklevel=3):
    """Warns of the uses of `verify` and `cert` that are deprecated."""
    if isinstance(verify, str) and not isinstance(verify, CABundle):
        _deprecated(
            "`verify=<str>` is deprecated. Use `verify=ssl.create_default_context(cafile=...)` "
            "or `verify=ssl.create_default_context(capath=...)` instead.",
            stacklevel,
        )
    if cert and not isinstance(cert, ClientCert):
        _deprecated(
            "`cert=...` is deprecated. Use `verify=<ssl_context>` instead, "
            "with `.load_cert_chain()` to configure the certificate chain.",
            stacklevel,
        )


def _deprecated(message, stacklevel):
    import warnings

    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)


def trust_paths(verify, trust_env):
    """(file, directory) of the certificates to trust, where the arguments or the environment name any."""
    if isinstance(verify, str):
        return (None, verify) if os.path.isdir(verify) else (verify, None)
    if verify is True and trust_env:
        if os.environ.get("SSL_CERT_FILE"):
            return os.environ["SSL_CERT_FILE"], None
        if os.environ.get("SSL_CERT_DIR"):
            return None, os.environ["SSL_CERT_DIR"]
    return None, None


@public
def create_ssl_context(verify=True, cert=None, trust_env=True):
    """Makes an `ssl.SSLContext` with the settings of a client: the system's trusted certificates by default.

    With `trust_env`, the variables SSL_CERT_FILE and SSL_CERT_DIR come first. `verify=False` makes a context that
    accepts every certificate.
    """
    import ssl

    warn_of_tls_paths(verify, cert)
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif verify is True or isinstance(verify, str):
        cafile, capath = trust_paths(verify, trust_env)
        if cafile is None and capath is None:
            cafile = _fallback_bundle(ssl)
        context = ssl.create_default_context(cafile=cafile, capath=capath)
    else:
        context = verify
    if cert:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context


def _fallback_bundle(ssl):
    """certifi's file, where this Python's OpenSSL looks for the system's certificates in a place that is empty."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None or (paths.capath is not None and os.listdir(paths.capath)):
        return None
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


DEFAULT_TIMEOUT_CONFIG = Timeout(timeout=5.0)
DEFAULT_LIMITS = Limits(max_connections=100, max_keepalive_connections=20)
DEFAULT_MAX_REDIRECTS = 20
