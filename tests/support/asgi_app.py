"""The tests' own ASGI application: what a client sent, told back as JSON, and endpoints that
stream, stall and guard.

It runs in a server process of its own (see hypercorn.py), so its counters are read through
`/stats`.
"""

import asyncio
import base64
import gzip
import hashlib
import json
import secrets
import time
import zlib
from urllib.parse import parse_qs, parse_qsl

STATIC_TOKENS = {"api-token", "your-token", "your-api-token-here"}
CLIENTS = {"your-client-id": "your-client-secret", "client-id": "client-secret"}
API_KEYS = {"your-api-key"}

_issued = {}  # access token -> time.monotonic() at which it expires
_stats = {"requests": 0, "active": 0, "disconnects": 0, "tokens": 0, "pieces_sent": 0}
_exact = {}
_prefixes = {}


class Disconnected(Exception):
    """The client went away, or reset the stream, before the answer was complete."""


class Call:
    """One request and its answer."""

    def __init__(self, scope, receive, send):
        self.scope = scope
        self.path = scope["path"]
        self.rest = ""
        self.query = {
            k: v[-1] for k, v in parse_qs(scope["query_string"].decode("latin-1"), True).items()
        }
        self._receive = receive
        self._send = send

    def number(self, name, default):
        return int(self.query.get(name, default))

    def header(self, name):
        """The field's value, or None; several are joined with a comma."""
        values = [v.decode("latin-1") for k, v in self.scope["headers"] if k == name.encode()]
        return ", ".join(values) if values else None

    async def pieces(self):
        """The request's body as it comes."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def body(self):
        return b"".join([piece async for piece in self.pieces()])

    async def start(self, status=200, headers=(), trailers=False):
        message = {"type": "http.response.start", "status": status, "headers": _encode(headers)}
        if trailers:
            message["trailers"] = True
        await self._send(message)

    async def write(self, data, more=True):
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def trailers(self, fields):
        await self._send(
            {"type": "http.response.trailers", "headers": _encode(fields), "more_trailers": False}
        )

    async def reply(self, data=b"", status=200, headers=(), kind="text/plain"):
        fields = [("content-type", kind), ("content-length", str(len(data))), *headers]
        await self.start(status, fields)
        await self.write(data, more=False)

    async def json(self, value, status=200, headers=()):
        await self.reply(json.dumps(value).encode() + b"\n", status, headers, "application/json")

    async def pause(self, seconds):
        """Sleeps, and raises Disconnected as soon as the client is gone. For use once the body has
        been read."""
        receiving = asyncio.ensure_future(self._receive())
        try:
            done, _ = await asyncio.wait([receiving], timeout=seconds)
            while done and receiving.result()["type"] != "http.disconnect":
                receiving = asyncio.ensure_future(self._receive())
                done, _ = await asyncio.wait([receiving], timeout=seconds)
            if done:
                raise Disconnected
        finally:
            receiving.cancel()


def _encode(fields):
    return [
        (name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in fields
    ]


def route(path):
    """Registers a handler; a path that ends with "/" takes everything below it, in `call.rest`."""

    def register(handler):
        (_prefixes if len(path) > 1 and path.endswith("/") else _exact)[path] = handler
        return handler

    return register


def _find(call):
    if call.path in _exact:
        return _exact[call.path]
    for prefix, handler in _prefixes.items():
        if call.path.startswith(prefix):
            call.rest = call.path[len(prefix) :]
            return handler
    return not_found


async def app(scope, receive, send):
    """The ASGI entry."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    if scope["type"] != "http":
        raise RuntimeError(f"{scope['type']} is not served")
    call = Call(scope, receive, send)
    _stats["requests"] += 1
    _stats["active"] += 1
    try:
        await _find(call)(call)
    except Disconnected:
        _stats["disconnects"] += 1
    finally:
        _stats["active"] -= 1


async def _lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def not_found(call):
    await call.json({"error": "no such path", "path": call.path}, 404)


# what was sent


@route("/")
async def hello(call):
    await call.reply(b"hello, world\n")


@route("/echo")
async def echo(call):
    body = await call.body()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    headers = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in call.scope["headers"]]
    await call.json(
        {
            "method": call.scope["method"],
            "path": call.scope["path"],
            "raw_path": (call.scope.get("raw_path") or b"").decode("latin-1"),
            "query": call.scope["query_string"].decode("latin-1"),
            "http_version": call.scope["http_version"],
            "scheme": call.scope["scheme"],
            "headers": headers,
            "body": text,
            "body_base64": base64.b64encode(body).decode(),
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "client": call.scope.get("client"),
        }
    )


@route("/headers")
async def headers_of(call):
    await call.json({k.decode("latin-1"): v.decode("latin-1") for k, v in call.scope["headers"]})


@route("/upload")
async def upload(call):
    digest, length, count = hashlib.sha256(), 0, 0
    async for piece in call.pieces():
        digest.update(piece)
        length += len(piece)
        count += 1
    await call.json({"length": length, "sha256": digest.hexdigest(), "pieces": count})


@route("/stats")
async def stats(call):
    await call.json(dict(_stats, active=_stats["active"] - 1))


# streams


@route("/duplex")
async def duplex(call):
    await call.start(200, [("content-type", "application/octet-stream")])
    async for piece in call.pieces():
        await call.write(piece)
    await call.write(b"", more=False)


@route("/bytes/")
async def some_bytes(call):
    left = int(call.rest)
    await call.start(
        200, [("content-type", "application/octet-stream"), ("content-length", str(left))]
    )
    block = bytes(i % 251 for i in range(251 * 64))
    while left > len(block):
        await call.write(block)
        left -= len(block)
    await call.write(block[:left], more=False)


async def _drip(call, kind, make):
    count, pause = call.number("n", 5), call.number("ms", 20) / 1000
    await call.body()
    await call.start(200, [("content-type", kind), ("cache-control", "no-store")])
    for index in range(count):
        await call.write(make(index))
        _stats["pieces_sent"] += 1
        await call.pause(pause)
    await call.write(b"", more=False)


@route("/drip")
async def drip(call):
    size = call.number("size", 10)
    await _drip(call, "application/octet-stream", lambda index: bytes([97 + index % 26]) * size)


@route("/sse")
async def sse(call):
    first = int(call.header("last-event-id") or call.query.get("from", -1)) + 1
    await _drip(
        call,
        "text/event-stream",
        lambda i: f"id: {first + i}\nevent: tick\ndata: {first + i}\n\n".encode(),
    )


@route("/lines")
async def lines(call):
    await _drip(
        call, "text/plain; charset=utf-8", lambda index: f"line {index} \u00e9\r\n".encode()
    )


@route("/delay")
async def delay(call):
    body = await call.body()
    await call.pause(call.number("ms", 100) / 1000)
    await call.json({"slept": call.number("ms", 100), "length": len(body)})


@route("/never")
async def never(call):
    await call.body()
    await call.pause(None)


@route("/status/")
async def status_of(call):
    await call.body()
    await call.reply(b"", int(call.rest))


@route("/gzip")
async def gzipped(call):
    data = gzip.compress(b"a" * call.number("n", 10000))
    await call.reply(data, headers=[("content-encoding", "gzip")])


@route("/deflate")
async def deflated(call):
    data = zlib.compress(b"a" * call.number("n", 10000))
    await call.reply(data, headers=[("content-encoding", "deflate")])


@route("/trailers")
async def trailers(call):
    body = await call.body() or b"hello, world\n"
    # hypercorn offers trailers on HTTP/2 alone, and sends them to clients that say `te: trailers`.
    able = "http.response.trailers" in call.scope.get("extensions", {})
    await call.start(200, [("content-type", "text/plain"), ("trailer", "x-length")], trailers=able)
    await call.write(body, more=False)
    if able:
        await call.trailers([("x-length", str(len(body))), ("x-second", "two")])


# cookies and redirects


@route("/cookies")
async def cookies(call):
    await call.json({"cookies": _cookies(call)})


def _cookies(call):
    pairs = [
        part.strip().partition("=")
        for part in (call.header("cookie") or "").replace(", ", "; ").split(";")
    ]
    return {name: value for name, _, value in pairs if name}


@route("/cookies/set")
async def cookies_set(call):
    pairs = parse_qsl(call.scope["query_string"].decode())
    fields = [("set-cookie", f"{name}={value}; Path=/") for name, value in pairs]
    await call.reply(b"", 302, [("location", "/cookies"), *fields])


@route("/cookies/delete")
async def cookies_delete(call):
    names = parse_qs(call.scope["query_string"].decode(), True)
    fields = [("set-cookie", f"{name}=; Path=/; Max-Age=0") for name in names]
    await call.reply(b"", 302, [("location", "/cookies"), *fields])


@route("/redirect/")
async def redirect(call):
    await call.body()
    left = int(call.rest)
    await call.reply(
        b"",
        call.number("code", 302),
        [("location", f"/redirect/{left - 1}" if left > 1 else "/echo")],
    )


@route("/redirect-to")
async def redirect_to(call):
    await call.body()
    await call.reply(b"", call.number("code", 302), [("location", call.query["url"])])


# answers to order


async def _as_ordered(call, order):
    """{"status", "headers": [[name, value]], "pieces": [base64]}: a head, and a body in pieces."""
    await call.start(order.get("status", 200), order.get("headers", ()))
    for piece in order.get("pieces", ()):
        await call.write(base64.b64decode(piece))
        await asyncio.sleep(0)
    await call.write(b"", more=False)


@route("/answer")
async def answer(call):
    """What the request's body orders."""
    await _as_ordered(call, json.loads(await call.body()))


@route("/unless-authorized")
async def unless_authorized(call):
    """What the query orders, once: a request that brings credentials is told what it sent."""
    if call.header("authorization") is not None:
        return await echo(call)
    await call.body()
    await _as_ordered(call, json.loads(base64.urlsafe_b64decode(call.query["order"])))


# authentication


def _basic(call):
    scheme, _, value = (call.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return user, password


def _bearer(call):
    scheme, _, value = (call.header("authorization") or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _alive(token):
    return _issued.get(token, 0) > time.monotonic()


async def _refuse(call, challenge, **detail):
    await call.json({"authenticated": False, **detail}, 401, [("www-authenticate", challenge)])


@route("/basic/")
async def basic(call):
    await call.body()
    user, _, password = call.rest.partition("/")
    if _basic(call) != (user, password):
        return await _refuse(call, 'Basic realm="tests"')
    await call.json({"authenticated": True, "user": user})


@route("/bearer/")
async def bearer(call):
    if _bearer(call) != call.rest:
        return await _refuse(call, 'Bearer realm="tests"')
    await call.json({"authenticated": True, "token": call.rest})


def _credentials(call, form):
    pair = _basic(call)
    if pair:
        return pair
    return form.get("client_id", ""), form.get("client_secret", "")


@route("/oauth/token")
async def oauth_token(call):
    """RFC 6749, section 4.4: the client's credentials for a token."""
    if call.scope["method"] != "POST":
        return await call.json({"error": "invalid_request"}, 405, [("allow", "POST")])
    form = dict(parse_qsl((await call.body()).decode("utf-8"), keep_blank_values=True))
    if form.get("grant_type") != "client_credentials":
        return await call.json({"error": "unsupported_grant_type"}, 400)
    client, secret = _credentials(call, form)
    if not client or CLIENTS.get(client) != secret:
        return await call.json(
            {"error": "invalid_client"}, 401, [("www-authenticate", 'Basic realm="tests"')]
        )
    lifetime = float(call.query.get("expires_in", 3600))
    await call.pause(call.number("ms", 0) / 1000)
    token = secrets.token_urlsafe(24)
    _issued[token] = time.monotonic() + lifetime
    _stats["tokens"] += 1
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(lifetime),
        "scope": form.get("scope", "all"),
    }
    await call.json(answer, headers=[("cache-control", "no-store")])


@route("/oauth/revoke-all")
async def oauth_revoke(call):
    count = len(_issued)
    _issued.clear()
    await call.json({"revoked": count})


@route("/oauth/protected")
async def oauth_protected(call):
    token = _bearer(call)
    if token is None:
        return await _refuse(call, 'Bearer realm="tests"')
    if not _alive(token):
        return await _refuse(
            call, 'Bearer realm="tests", error="invalid_token"', error="invalid_token"
        )
    await call.json({"authenticated": True, "path": call.path})


def _how_allowed(call):
    """The kind of credentials that open the guarded paths, or None."""
    token = _bearer(call)
    if token is not None and (token in STATIC_TOKENS or _alive(token)):
        return "bearer"
    if _basic(call) == ("user", "pass"):
        return "basic"
    if call.header("x-api-key") in API_KEYS or call.query.get("api_key") in API_KEYS:
        return "key"
    return None


async def guarded(call):
    how = _how_allowed(call)
    if how is None:
        return await _refuse(call, 'Bearer realm="tests"')
    await call.json(
        {
            "authenticated": True,
            "by": how,
            "path": call.path,
            "protocol": call.scope["http_version"],
        }
    )


for _path in ("/protected", "/users", "/profile", "/data"):
    route(_path)(guarded)
