"""Kinds of requests, each made many times over: `python -m support.leak_kinds KIND COUNT SETTINGS`.

What it prints is how many objects, blocks of memory, descriptors and KiB there are more than before, as JSON. SETTINGS is
JSON, too: `tls` and `plain`, the URLs of an nginx; `faulty`, that of `support.faulty`; `proxy`, that of a proxy; `black`, one
that nobody accepts on; `ca`, the file.
"""

import asyncio
import contextlib
import ctypes
import functools
import gc
import json
import os
import pickle
import resource
import sys

import requestx

KINDS = {}


def kind(*names, **options):
    """Registers `one(client, on)`, or its coroutine function, with the options of the client; a name each for `options`."""

    def register(one):
        for name in names or ("",):
            parts = [part for part in (one.__name__, name) if part]
            chosen = dict(options, http2=False) if name == "http1" else options
            KINDS["_".join(parts)] = (one, chosen)
        return one

    return register


both = functools.partial(kind, "", "http1")


class Raises(contextlib.AbstractContextManager):
    """Expects one of the exceptions, and keeps nothing of it."""

    def __init__(self, *expected):
        self.expected = expected

    def __exit__(self, kind, error, traceback):
        if kind is None:
            raise AssertionError(f"none of {self.expected}")
        return issubclass(kind, self.expected)


class Loose(Raises):
    """The same, but that it may go well."""

    def __exit__(self, kind, error, traceback):
        return kind is None or issubclass(kind, self.expected)


async def parts():
    for _ in range(3):
        yield b"x" * 100


# ---- plain, streamed, closed early


@both()
def sync(client, on):
    client.get(on["tls"] + "/small")


@both()
async def awaited(client, on):
    await client.get(on["tls"] + "/small")


@both()
def sync_everything_read(client, on):
    response = client.post(on["tls"] + "/post", json={"a": 1}, headers={"x": "y"}, params={"q": "1"}, auth=("u", "p"))
    assert response.json() == {"length": 7}
    response.headers, response.request.content, response.elapsed, response.timings, response.trailers, response.extensions


@both()
def sync_streamed(client, on):
    with client.stream("GET", on["tls"] + "/64k") as response:
        for _ in response.iter_bytes(10_000):
            pass


@both()
async def awaited_streamed(client, on):
    async with client.stream("GET", on["tls"] + "/64k") as response:
        async for _ in response.aiter_bytes(10_000):
            pass


@kind()
def sync_lines(client, on):
    with client.stream("GET", on["tls"] + "/gzip", headers={"Accept-Encoding": "gzip"}) as response:
        for _ in response.iter_lines():
            pass


@both()
def sync_closed_early(client, on):
    with client.stream("GET", on["tls"] + "/64k") as response:
        next(response.iter_raw(100))


@both()
async def awaited_closed_early(client, on):
    async with client.stream("GET", on["tls"] + "/64k") as response:
        async for _ in response.aiter_raw(100):
            break


@both()
def sync_dropped(client, on):
    client.send(client.build_request("GET", on["tls"] + "/64k"), stream=True)


# ---- cancelled, timed out


@both()
async def cancelled(client, on):
    task = asyncio.ensure_future(client.get(on["tls"] + "/small"))
    await asyncio.sleep(0)
    task.cancel()
    with Raises(asyncio.CancelledError):
        await task


@kind()
async def cancelled_while_streamed(client, on):
    async def read():
        async with client.stream("GET", on["tls"] + "/slow") as response:
            started.set()
            await response.aread()

    started = asyncio.Event()
    task = asyncio.ensure_future(read())
    await started.wait()
    task.cancel()
    with Raises(asyncio.CancelledError):
        await task


@both()
async def wait_for(client, on):
    with Loose(asyncio.TimeoutError):
        await asyncio.wait_for(client.get(on["tls"] + "/small"), 0.0001)


@kind()
def connect_timeout(client, on):
    with Raises(requestx.ConnectTimeout):
        client.get(on["black"], timeout=0.001)


@kind()
def read_timeout(client, on):
    with Raises(requestx.ReadTimeout):
        client.get(on["faulty"] + "/never", timeout=requestx.Timeout(5, read=0.001))


@kind()
async def awaited_read_timeout(client, on):
    with Raises(requestx.ReadTimeout):
        await client.get(on["faulty"] + "/never", timeout=requestx.Timeout(5, read=0.001))


@kind()
def total_timeout(client, on):
    with Raises(requestx.TimeoutException):
        client.get(on["tls"] + "/slow", timeout=requestx.Timeout(5, total=0.001))


@kind(http2=False, limits=requestx.Limits(max_connections=1))
def pool_timeout(client, on):
    with client.stream("GET", on["tls"] + "/slow"), Raises(requestx.PoolTimeout):
        client.get(on["tls"] + "/small", timeout=requestx.Timeout(5, pool=0.001))


# ---- every other error


def error(name, *expected, **options):
    """A kind for the threads and one for the loops, of a request that fails."""

    def register(request):
        def one(client, on):
            method, url, arguments = request(on)
            with Raises(*expected):
                client.request(method, url, **arguments)

        async def awaited_one(client, on):
            method, url, arguments = request(on)
            with Raises(*expected):
                await client.request(method, url, **arguments)

        KINDS[name] = (one, options)
        KINDS[f"awaited_{name}"] = (awaited_one, options)

    return register


error("connect_error", requestx.ConnectError)(lambda on: ("GET", "http://127.0.0.1:1/", {}))
error("certificate_error", requestx.ConnectError, verify=True)(lambda on: ("GET", on["tls"] + "/small", {}))
error("protocol_error", requestx.RemoteProtocolError)(lambda on: ("GET", on["faulty"] + "/garbage", {}))
error("truncated", requestx.RemoteProtocolError)(lambda on: ("GET", on["faulty"] + "/short", {}))
error("half_a_head", requestx.RemoteProtocolError, requestx.ReadError)(lambda on: ("GET", on["faulty"] + "/half", {}))
error("no_answer", requestx.RemoteProtocolError, requestx.ReadError)(lambda on: ("POST", on["faulty"] + "/nothing", {}))
error("decoding_error", requestx.DecodingError)(lambda on: ("GET", on["faulty"] + "/bad-gzip", {"extensions": {}}))
error("bad_location", requestx.RemoteProtocolError)(lambda on: ("GET", on["faulty"] + "/bad-location", {"follow_redirects": True}))
error("too_many_redirects", requestx.TooManyRedirects, max_redirects=3)(
    lambda on: ("GET", on["faulty"] + "/loop", {"follow_redirects": True})
)
error("local_protocol_error", requestx.LocalProtocolError)(lambda on: ("GET", on["tls"] + "/small", {"headers": {"a": "b\n"}}))
error("unsupported_protocol", requestx.UnsupportedProtocol)(lambda on: ("GET", "ftp://127.0.0.1/", {}))
error("invalid_url", requestx.InvalidURL)(lambda on: ("GET", "http://127.0.0.1:port/", {}))
error("proxy_error", requestx.ProxyError, proxy="faulty")(lambda on: ("GET", on["tls"] + "/small", {}))
error("bad_argument", TypeError)(lambda on: ("GET", on["tls"] + "/small", {"headers": 1}))

@kind()
def status_error(client, on):
    with Raises(requestx.HTTPStatusError):
        client.get(on["tls"] + "/status/404").raise_for_status()


@kind()
def stream_errors(client, on):
    with client.stream("GET", on["tls"] + "/small") as response:
        with Raises(requestx.ResponseNotRead):
            response.content
        next(response.iter_raw())
        with Raises(requestx.StreamConsumed):
            next(response.iter_raw())
    with Raises(requestx.StreamClosed, requestx.StreamConsumed):
        response.read()


# ---- redirects, credentials, hooks, cookies


@both()
def redirect(client, on):
    response = client.get(on["tls"] + "/redirect", follow_redirects=True)
    assert len(response.history) == 1
    response.history[0].next_request


@both()
async def awaited_redirect(client, on):
    await client.get(on["tls"] + "/redirect", follow_redirects=True)


class TwoSteps(requestx.Auth):
    requires_response_body = True

    def auth_flow(self, request):
        response = yield request
        request.headers["Authorization"] = response.text or "x"
        yield request


@kind()
def auth_flow(client, on):
    client.get(on["tls"] + "/auth", auth=TwoSteps())


@kind()
async def awaited_auth_flow(client, on):
    await client.get(on["tls"] + "/auth", auth=TwoSteps())


@kind()
def auth_function(client, on):
    client.get(on["tls"] + "/auth", auth=lambda request: request)


@kind()
def auth_basic(client, on):
    client.get(on["tls"] + "/basic", auth=("user", "pass"))


@kind()
def digest(client, on):
    assert client.get(on["faulty"] + "/digest", auth=requestx.Auth.digest("u", "p")).status_code == 200


@kind()
async def awaited_digest(client, on):
    assert (await client.get(on["faulty"] + "/digest", auth=requestx.Auth.digest("u", "p"))).status_code == 200


@kind(event_hooks={"request": [lambda request: None], "response": [lambda response: response.read()]})
def hooks(client, on):
    client.get(on["tls"] + "/small")


@kind()
def cookies(client, on):
    client.get(on["faulty"] + "/cookie")
    client.cookies.set("c", "d")
    assert len(client.cookies) == 2
    client.cookies.clear()


@kind()
def trace(client, on):
    client.get(on["tls"] + "/small", extensions={"trace": lambda name, info: None})


# ---- bodies


@both()
def generator(client, on):
    client.post(on["tls"] + "/post", content=(b"x" * 100 for _ in range(3)))


@both()
async def awaited_generator(client, on):
    await client.post(on["tls"] + "/post", content=parts())


@both()
def form(client, on):
    client.post(on["tls"] + "/post", data={"a": "b", "c": ["d", "e"]})


@both()
def multipart(client, on):
    client.post(on["tls"] + "/post", data={"a": "b"}, files={"f": ("name.txt", b"x" * 1000), "g": b"y"})


@kind()
async def awaited_multipart(client, on):
    await client.post(on["tls"] + "/post", data={"a": "b"}, files={"f": ("name.txt", b"x" * 1000)})


@kind()
def failing_generator(client, on):
    def fails():
        yield b"x"
        raise ZeroDivisionError

    with Raises(ZeroDivisionError):
        client.post(on["tls"] + "/post", content=fails())


# ---- other transports, other clients


def answer(request):
    return requestx.Response(200, json={"path": request.url.path}, headers={"Set-Cookie": "a=b"})


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


async def asgi(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@kind(transport=lambda on: requestx.MockTransport(answer))
def mock(client, on):
    client.post("http://example.org/", json=[1]).json()


@kind(transport=lambda on: requestx.MockTransport(answer))
async def awaited_mock(client, on):
    (await client.post("http://example.org/", json=[1])).json()


@kind(transport=lambda on: requestx.WSGITransport(wsgi))
def wsgi_application(client, on):
    assert client.post("http://example.org/", content=b"body").text == "body"


@kind(transport=lambda on: requestx.ASGITransport(asgi))
async def asgi_application(client, on):
    assert (await client.get("http://example.org/")).text == "ok"


@kind(mounts=lambda on: {"all://example.org": requestx.MockTransport(answer), "http://": requestx.HTTPTransport()})
def mounts(client, on):
    client.get("http://example.org/")
    client.get(on["plain"] + "/small")


@kind(proxy="proxy")
def proxy(client, on):
    client.get(on["plain"] + "/small")


@kind(proxy="proxy")
def tunnel(client, on):
    client.get(on["tls"] + "/small")


@kind(proxy="proxy")
async def awaited_tunnel(client, on):
    await client.get(on["tls"] + "/small")


@kind()
def new_client(client, on):
    with requestx.Client(verify=client.verify) as other:
        other.get(on["plain"] + "/small")


@kind()
async def awaited_new_client(client, on):
    async with requestx.AsyncClient(verify=client.verify) as other:
        await other.get(on["plain"] + "/small")


@kind()
def module_function(client, on):
    requestx.get(on["plain"] + "/small", verify=client.verify)


@kind()
def new_loop(client, on):
    async def once():
        await client.shared.get(on["plain"] + "/small")

    asyncio.run(once())


@kind()
def new_trio(client, on):
    import trio

    async def once():
        await client.shared.get(on["plain"] + "/small")

    trio.run(once)


@kind()
def pickling(client, on):
    response = client.get(on["tls"] + "/small")
    copy = pickle.loads(pickle.dumps(response))
    assert (copy.content, copy.url, copy.request.method) == (response.content, response.url, "GET")
    pickle.loads(pickle.dumps([response.headers, requestx.ReadError("x", request=response.request), requestx.Timeout(5)]))


def _theirs(name):
    def make(on):
        import ssl

        return getattr(requestx, name)(verify=ssl.create_default_context(cafile=on["ca"]))

    return make


@kind(library="httpx", transport=_theirs("HTTPXTransport"))
def httpx_client(client, on):
    client.get(on["tls"] + "/small")


@kind(library="httpx", transport=_theirs("AsyncHTTPXTransport"))
async def awaited_httpx_client(client, on):
    await client.get(on["tls"] + "/small")


@kind(loop="trio")
async def trio_plain(client, on):
    await client.get(on["tls"] + "/small")


@kind(loop="trio")
async def trio_streamed(client, on):
    async with client.stream("GET", on["tls"] + "/64k") as response:
        await response.aread()


@kind(loop="trio")
async def trio_cancelled(client, on):
    import trio

    with trio.move_on_after(0):
        await client.get(on["tls"] + "/small")


# Kinds that take much longer than others, of which fewer have to do.
SLOW = {
    **dict.fromkeys(["connect_timeout", "total_timeout", "pool_timeout", "read_timeout", "awaited_read_timeout"], 10),
    **dict.fromkeys(["cancelled_while_streamed", "certificate_error", "awaited_certificate_error"], 10),
    **dict.fromkeys(["sync_streamed", "sync_streamed_http1", "awaited_streamed", "awaited_streamed_http1", "trio_streamed"], 5),
    **dict.fromkeys(["sync_closed_early_http1", "awaited_closed_early_http1", "cancelled_http1", "wait_for_http1"], 10),
    **dict.fromkeys(["sync_dropped_http1", "new_loop", "new_trio", "new_client", "awaited_new_client", "module_function"], 10),
}


# ---- measuring


def memory():
    """KiB in use: of the heap, where a sanitizer counts it and keeps what is free, else of what is resident."""
    try:
        allocated = ctypes.CDLL(None).__sanitizer_get_current_allocated_bytes
    except AttributeError:
        # What is free is no leak, wherever it lies.
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 1024
    allocated.restype = ctypes.c_size_t
    return allocated() // 1024


def figures():
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects()), sys.getallocatedblocks(), len(os.listdir("/proc/self/fd")), memory()


def warm_up(count):
    """How many requests come first, until caches and free lists are as full as they get."""
    return max(count // 10, min(count, 1000))


class Clients:
    """The client that is tested, made of the options, and what else a kind may want: attributes of it."""

    def __init__(self, options, on, is_async):
        import ssl

        options = dict(options)
        options.pop("loop", None)
        module = __import__(options.pop("library", "requestx"))
        for name in ("transport", "mounts"):
            if name in options:
                options[name] = options[name](on)
        if "proxy" in options:
            options["proxy"] = on[options["proxy"]]
        if "transport" not in options and "verify" not in options:
            options["verify"] = ssl.create_default_context(cafile=on["ca"])
        if module is requestx:
            options.setdefault("timeout", 30)
        self.client = (module.AsyncClient if is_async else module.Client)(**options)
        if module is requestx:
            self.client.verify = options.get("verify")
            self.client.shared = requestx.AsyncClient()


def measure_sync(one, options, on, count):
    with Clients(options, on, False).client as client:
        for _ in range(warm_up(count)):
            one(client, on)
        before = figures()
        for _ in range(count):
            one(client, on)
        after = figures()
    return before, after


async def _times(one, client, on, count):
    async def worker(turns):
        for _ in range(turns):
            await one(client, on)

    await asyncio.gather(*(worker(count // 20) for _ in range(20)))


async def measure_async(one, options, on, count):
    async with Clients(options, on, True).client as client:
        await _times(one, client, on, warm_up(count))
        await asyncio.sleep(0.2)
        before = figures()
        await _times(one, client, on, count)
        await asyncio.sleep(0.2)
        return before, figures()


async def measure_trio(one, options, on, count):
    async with Clients(options, on, True).client as client:
        for _ in range(warm_up(count)):
            await one(client, on)
        before = figures()
        for _ in range(count):
            await one(client, on)
        return before, figures()


def measure(name, count, on):
    one, options = KINDS[name]
    if options.get("loop") == "trio":
        import trio

        before, after = trio.run(measure_trio, one, options, on, count)
    elif asyncio.iscoroutinefunction(one):
        before, after = asyncio.run(measure_async(one, options, on, count))
    else:
        before, after = measure_sync(one, options, on, count)
    grown = (late - early for early, late in zip(before, after))
    return {"kind": name, "requests": count, **dict(zip(("objects", "blocks", "descriptors", "kib"), grown))}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))))
