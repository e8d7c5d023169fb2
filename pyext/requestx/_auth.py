"""Authentication: schemes that set a field, and flows that answer the server's challenges."""

from binascii import b2a_base64

from ._exceptions import ProtocolError
from ._utils import public, to_bytes


@public
class Auth:
    """Base of all authentication schemes, and the place to make the usual ones: `Auth.basic("user", "password")`.

    A scheme of one's own implements `auth_flow()`: a generator that yields requests and is given their responses,
    the last of which the caller gets. Where it does I/O or takes locks, `sync_auth_flow()` and `async_auth_flow()`
    are for `Client` and `AsyncClient` apart.
    """

    requires_request_body = False
    requires_response_body = False

    # The Authorization field's value, where it is the same for every request and there is no flow to run.
    _header = None

    @staticmethod
    def basic(username, password):
        """Credentials as a user's name and password (RFC 7617)."""
        return BasicAuth(username, password)

    @staticmethod
    def bearer(token):
        """A token, as OAuth 2.0 issues them (RFC 6750)."""
        return BearerAuth(token)

    @staticmethod
    def digest(username, password):
        """A user's name and password, of which only a digest is sent (RFC 7616)."""
        return DigestAuth(username, password)

    def auth_flow(self, request):
        """Yields the requests to send: by default this one, as it is."""
        yield request

    def sync_auth_flow(self, request):
        """The flow for a `Client`: runs `auth_flow()`, and reads the bodies that it requires."""
        if self.requires_request_body:
            request.read()
        flow = self.auth_flow(request)
        request = next(flow)
        while True:
            response = yield request
            if self.requires_response_body:
                response.read()
            try:
                request = flow.send(response)
            except StopIteration:
                return

    async def async_auth_flow(self, request):
        """The flow for an `AsyncClient`: runs `auth_flow()`, and reads the bodies that it requires."""
        if self.requires_request_body:
            await request.aread()
        flow = self.auth_flow(request)
        request = next(flow)
        while True:
            response = yield request
            if self.requires_response_body:
                await response.aread()
            try:
                request = flow.send(response)
            except StopIteration:
                return


@public
class FunctionAuth(Auth):
    """Passes each request through a function that returns it changed."""

    def __init__(self, func):
        self._func = func

    def auth_flow(self, request):
        yield self._func(request)


class _FixedAuth(Auth):
    """A scheme whose field is the same for every request.

    A class that says `_precompiled` for itself, and not for its subclasses, has its `_header` sent by `_core`.
    """

    def _fix(self, value):
        self._auth_header = value
        if type(self).auth_flow is _FixedAuth.auth_flow and _has_plain_flows(type(self)):
            self._header = value.encode("ascii")

    def auth_flow(self, request):
        request.headers["Authorization"] = self._auth_header
        yield request


def _has_plain_flows(cls):
    return cls.sync_auth_flow is Auth.sync_auth_flow and cls.async_auth_flow is Auth.async_auth_flow


def _credentials(username, password):
    for what, value in (("user name", username), ("password", password)):
        if not isinstance(value, (str, bytes)):
            raise TypeError(f"A {what} is str or bytes, not {type(value).__name__}.")
    return to_bytes(username), to_bytes(password)


def _basic(username, password):
    pair = b":".join(_credentials(username, password))
    return "Basic " + b2a_base64(pair, newline=False).decode("ascii")


@public
class BasicAuth(_FixedAuth):
    """Sends a user's name and password with each request (RFC 7617)."""

    _precompiled = True

    def __init__(self, username, password):
        self._fix(_basic(username, password))


class BearerAuth(_FixedAuth):
    """Sends a token with each request (RFC 6750)."""

    _precompiled = True

    def __init__(self, token):
        if not isinstance(token, (str, bytes)):
            raise TypeError(f"A bearer token is str or bytes, not {type(token).__name__}.")
        try:
            token = token if isinstance(token, str) else token.decode("ascii")
            plain = token.encode("ascii")
        except UnicodeError:
            raise ValueError("A bearer token is plain ASCII.") from None
        if not plain or any(byte <= 0x20 or byte == 0x7F for byte in plain):
            raise ValueError("A bearer token is not empty, and has no spaces or control characters.")
        self._fix(f"Bearer {token}")


@public
class NetRCAuth(Auth):
    """Sends the name and password that a netrc file has for the request's host."""

    def __init__(self, file=None):
        import netrc

        self._netrc_info = netrc.netrc(file)

    def auth_flow(self, request):
        known = self._netrc_info.authenticators(request.url.host)
        if known is not None and known[2]:
            request.headers["Authorization"] = _basic(known[0], known[2])
        yield request


# Digest (RFC 7616)


def _hash_names():
    names = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}
    return {**names, **{f"{name}-SESS": hash_name for name, hash_name in names.items()}}


_HASH_NAMES = _hash_names()


class _Challenge:
    """What the server wants to see the credentials mixed with."""

    __slots__ = ("realm", "nonce", "algorithm", "opaque", "qop", "_count", "_lock")

    def __init__(self, parameters):
        from _thread import allocate_lock

        self._count = 0
        self._lock = allocate_lock()
        self.realm = parameters["realm"].encode()
        self.nonce = parameters["nonce"].encode()
        self.algorithm = parameters.get("algorithm", "MD5")
        self.opaque = parameters["opaque"].encode() if "opaque" in parameters else None
        self.qop = parameters.get("qop")

    def next_count(self):
        """How many requests have used the nonce, this one included: never the same twice, whatever the threads."""
        with self._lock:
            self._count += 1
            return self._count

    @property
    def supported(self):
        return self.algorithm.upper() in _HASH_NAMES

    @property
    def is_session(self):
        return self.algorithm.upper().endswith("-SESS")

    def choose_qop(self, request):
        """The quality of protection: `auth`, else `auth-int`; None for a server older than RFC 2617."""
        if self.qop is None:
            return None
        offered = [name.strip().lower() for name in self.qop.split(",")]
        for name in ("auth", "auth-int"):
            if name in offered:
                return name
        raise ProtocolError(f'Unexpected qop value "{self.qop}" in digest auth', request=request)

    @property
    def covers_body(self):
        """Whether the digest is over the body, too."""
        offered = [name.strip().lower() for name in (self.qop or "").split(",")]
        return "auth" not in offered and "auth-int" in offered

    def digest(self, *parts):
        import hashlib

        name = _HASH_NAMES[self.algorithm.upper()]
        return hashlib.new(name, b":".join(parts)).hexdigest().encode()


@public
class DigestAuth(Auth):
    """Answers Digest challenges (RFC 7616): MD5, SHA-1, SHA-256, SHA-512 and SHA-512-256, each also as `-sess`.

    The last challenge is remembered, so that the next request needs no round trip of its own. `auth` is preferred
    where the server offers it; `auth-int` also covers the request's body, which is then read into memory.
    """

    def __init__(self, username, password):
        self._username, self._password = _credentials(username, password)
        self._last_challenge = None

    def __getstate__(self):
        # A nonce must not be counted by two: the copy begins with a challenge of its own.
        return {**self.__dict__, "_last_challenge": None}

    def auth_flow(self, request):
        if self._last_challenge is not None:
            self._sign(request, self._last_challenge)
        response = yield request
        challenge = self._challenge_of(response, request)
        if challenge is None:
            return
        self._last_challenge = challenge
        self._sign(request, challenge)
        if response.cookies:
            response.cookies.set_cookie_header(request)
        yield request

    async def async_auth_flow(self, request):
        """As the base's, but that a body which the digest covers is read asynchronously."""
        if self._last_challenge is not None and self._last_challenge.covers_body:
            await request.aread()
        flow = self.auth_flow(request)
        request = next(flow)
        while True:
            response = yield request
            challenge = self._challenge_of(response, request)
            if challenge is not None and challenge.covers_body:
                await request.aread()
            try:
                request = flow.send(response)
            except StopIteration:
                return

    def _challenge_of(self, response, request):
        """The first Digest challenge that can be answered; None if the response has no such challenge at all."""
        if response.status_code != 401 or "www-authenticate" not in response.headers:
            return None
        unsupported = None
        for value in response.headers.get_list("www-authenticate"):
            for scheme, parameters in _parse_challenges(value):
                if scheme.lower() != "digest" or not parameters:
                    continue
                try:
                    challenge = _Challenge(parameters)
                except KeyError as error:
                    message = "Malformed Digest WWW-Authenticate header"
                    raise ProtocolError(message, request=request) from error
                if challenge.supported:
                    return challenge
                unsupported = challenge
        if unsupported is not None:
            message = f'Unsupported algorithm "{unsupported.algorithm}" in digest auth'
            raise ProtocolError(message, request=request)
        return None

    def _sign(self, request, challenge):
        request.headers["Authorization"] = self._build_auth_header(request, challenge)

    def _build_auth_header(self, request, challenge):
        qop = challenge.choose_qop(request)
        count = challenge.next_count()
        nc = b"%08x" % count
        cnonce = self._get_client_nonce(count, challenge.nonce)

        secret = challenge.digest(self._username, challenge.realm, self._password)
        if challenge.is_session:
            secret = challenge.digest(secret, challenge.nonce, cnonce)
        target = request.url.raw_path
        subject = [request.method.encode(), target]
        if qop == "auth-int":
            subject.append(challenge.digest(request.read()))
        subject = challenge.digest(*subject)

        fields = {
            "username": _quote(self._username),
            "realm": _quote(challenge.realm),
            "nonce": _quote(challenge.nonce),
            "uri": _quote(target),
        }
        if qop is None:
            response = challenge.digest(secret, challenge.nonce, subject)
        else:
            response = challenge.digest(secret, challenge.nonce, nc, cnonce, qop.encode(), subject)
        fields["response"] = _quote(response)
        fields["algorithm"] = challenge.algorithm
        if challenge.opaque:
            fields["opaque"] = _quote(challenge.opaque)
        if qop is not None:
            fields.update(qop=qop, nc=nc.decode(), cnonce=_quote(cnonce))
        elif challenge.is_session:
            # RFC 2617 has no place for it here, but without it the server cannot know the session's key.
            fields["cnonce"] = _quote(cnonce)
        return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items())

    def _get_client_nonce(self, nonce_count, nonce):
        """Our own part of the mix: unpredictable, so that the server cannot choose what is digested."""
        import os

        return os.urandom(8).hex().encode()


def _quote(value):
    return '"' + value.decode("utf-8").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parse_challenges(text):
    """(scheme, parameters) for each challenge of a field, which may list several (RFC 9110, 11.6.1)."""
    challenges = []
    for item in _split_list(text):
        head, space, rest = item.partition(" ")
        name, equals, value = item.partition("=")
        # `scheme key=value` begins a challenge; `key=value` goes on with it; a lone word is a scheme.
        if space and "=" not in head and not rest.lstrip().startswith("="):
            challenges.append((head, {}))
            name, equals, value = rest.strip().partition("=")
        elif not equals:
            challenges.append((item, {}))
            continue
        if equals and challenges:
            challenges[-1][1][name.strip().lower()] = _unquote(value.strip())
    return challenges


def _split_list(text):
    """The members of a comma-separated list, in which quoted strings may hold commas."""
    items, start, quoted, escaped = [], 0, False, False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            items.append(text[start:index].strip())
            start = index + 1
    items.append(text[start:].strip())
    return [item for item in items if item]


def _unquote(value):
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    text, escaped = [], False
    for character in value[1:-1]:
        if character == "\\" and not escaped:
            escaped = True
            continue
        escaped = False
        text.append(character)
    return "".join(text)
