"""Kinds of requests, each made many times over: `python -m support.leak_kinds KIND COUNT SETTINGS`.

What it prints, as JSON, is how many there are more than before of objects, of blocks that Python allocated, of descriptors, of
KiB that malloc() gave out (`heap`) and of KiB that are resident. SETTINGS is JSON, too: `tls` and `plain`, the URLs of an nginx; `faulty`, that of `support.faulty`; `proxy`, that of a proxy; `black`, one
that nobody accepts on; `ca`, the file.
"""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import functools
import gc
import json
import os
import pickle
import resource
import sys
import time

import requestx

KINDS = {}
# Options that are not the client's: which loop, how many at a time, and how many requests one call makes.
OF_THE_MEASURE = ("loop", "threads", "tasks", "calls")


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

# The text of 20 KB as it is, which comes in several frames and pieces.
PLAIN = {"Accept-Encoding": "identity"}


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
    with client.stream("GET", on["tls"] + "/gzip", headers=PLAIN) as response:
        for _ in response.iter_bytes(4000):
            pass


@both()
async def awaited_streamed(client, on):
    async with client.stream("GET", on["tls"] + "/gzip", headers=PLAIN) as response:
        async for _ in response.aiter_bytes(4000):
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


@kind(threads=20)
def connect_timeout(client, on):
    with Raises(requestx.ConnectTimeout):
        client.get(on["black"], timeout=0.001)


@kind(threads=20)
def read_timeout(client, on):
    with Raises(requestx.ReadTimeout):
        client.get(on["faulty"] + "/never", timeout=requestx.Timeout(5, read=0.001))


@kind(tasks=50)
async def awaited_read_timeout(client, on):
    with Raises(requestx.ReadTimeout):
        await client.get(on["faulty"] + "/never", timeout=requestx.Timeout(5, read=0.001))


@kind(threads=20)
def total_timeout(client, on):
    with Raises(requestx.TimeoutException):
        client.get(on["tls"] + "/slow", timeout=requestx.Timeout(5, total=0.001))


@kind(http2=False, limits=requestx.Limits(max_connections=1), calls=50)
def pool_timeout(client, on):
    """Fifty that wait for the one connection at the same time."""

    def wait(_):
        with Raises(requestx.PoolTimeout):
            client.get(on["tls"] + "/small", timeout=requestx.Timeout(5, pool=0.001))

    with client.stream("GET", on["tls"] + "/slow"), concurrent.futures.ThreadPoolExecutor(50) as pool:
        for _ in pool.map(wait, range(50)):
            pass


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
error("certificate_error", requestx.ConnectError, verify=True, http2=False, threads=20)(
    lambda on: ("GET", on["tls"] + "/small", {})
)
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
    await asyncio.sleep(0)  # nothing else waits here, and Python ends the generator of each request in a task


@kind(mounts=lambda on: {"all://example.org": requestx.MockTransport(answer), "http://": requestx.HTTPTransport()})
def mounts(client, on):
    client.get("http://example.org/")
    client.get(on["plain"] + "/small")


@kind(proxy="proxy", threads=20)
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
    async with client.stream("GET", on["tls"] + "/gzip", headers=PLAIN) as response:
        await response.aread()


@kind(loop="trio")
async def trio_cancelled(client, on):
    import trio

    with trio.move_on_after(0):
        await client.get(on["tls"] + "/small")


# Kinds that take much longer than others, a connection or a loop for each request: fewer of them have to do for every day.
SLOW = frozenset(
    ["certificate_error", "awaited_certificate_error", "read_timeout", "awaited_read_timeout", "proxy", "new_loop", "new_trio"]
    + ["sync_closed_early_http1", "awaited_closed_early_http1", "sync_dropped_http1", "trio_streamed"]
    + ["new_client", "awaited_new_client", "module_function"]
)


# ---- measuring

NAMES = ("objects", "blocks", "descriptors", "heap", "resident", "connections")
# Connections that a client may keep, unless it is told otherwise.
IDLE = 20


class Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]


def allocated():
    """Bytes that malloc() has given out: what leaks in C, to the byte, but for the free ones that each thread keeps."""
    library = ctypes.CDLL(None)
    if hasattr(library, "__sanitizer_get_current_allocated_bytes"):
        count = library.__sanitizer_get_current_allocated_bytes
        count.restype = ctypes.c_size_t
        return count()
    if not hasattr(library, "mallinfo2"):
        return 0
    library.mallinfo2.restype = Mallinfo
    told = library.mallinfo2()
    return told.uordblks + told.hblkhd


def resident():
    """Bytes of memory that are really there."""
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # what is free is no leak, wherever it lies
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()


def counters(client):
    """Of each engine of the client's."""
    transports = [client._transport, *client._mounts.values()]
    pools = [getattr(transport, "_pool", None) for transport in transports]
    return [pool.stats() for pool in pools if hasattr(pool, "stats")]


def figures(client):
    """In the order of NAMES.

    A descriptor of a connection that the engine knows of is not counted: whether one is open, or how many are idle, is chance
    where requests are given up. One that it has forgotten is. What connections take of the heap is left to who judges.
    """
    for _ in range(3):
        gc.collect()
    connections = sum(told["connections_open"] for told in counters(client))
    descriptors = len(os.listdir("/proc/self/fd")) - connections
    return len(gc.get_objects()), sys.getallocatedblocks(), descriptors, allocated() // 1024, resident() // 1024, connections


def at_rest(client):
    """Nothing is under way, and no more connections are open than may be idle."""
    gc.collect()  # a response that was let go of unread may be part of a cycle, and keeps its HTTP/1.1 connection
    told = counters(client)
    return all(not one["exchanges_open"] and one["connections_open"] <= IDLE for one in told)


def drive(client, on):
    """Where a thread drives the engine, nothing comes to rest but while it makes requests."""
    for _ in range(100):
        if at_rest(client):
            return
        time.sleep(0.02)
        client.get(on["tls"] + "/small")
    raise AssertionError(counters(client))


async def settle(client, sleep):
    for _ in range(1000):
        await sleep(0.01)
        if at_rest(client):
            return
    raise AssertionError(counters(client))


def warm_up(count):
    """How many requests come first, until caches and free lists are as full as they get."""
    return max(count // 10, min(count, 1000))


class Clients:
    """The client that is tested, made of the options, and what else a kind may want: attributes of it."""

    def __init__(self, options, on, is_async):
        import ssl

        options = {name: value for name, value in options.items() if name not in OF_THE_MEASURE}
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


def _in_threads(one, client, on, count, threads):
    def worker():
        for _ in range(count // threads):
            one(client, on)

    if threads == 1:
        worker()
        return
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(worker) for _ in range(threads)]:
            done.result()


def measure_sync(one, options, on, count):
    threads = options.get("threads", 1)
    with Clients(options, on, False).client as client:
        _in_threads(one, client, on, warm_up(count), threads)
        drive(client, on)
        before = figures(client)
        _in_threads(one, client, on, count, threads)
        drive(client, on)
        return before, figures(client)


async def _in_tasks(one, client, on, count, tasks):
    async def worker():
        for _ in range(count // tasks):
            await one(client, on)

    await asyncio.gather(*(worker() for _ in range(tasks)))


async def measure_async(one, options, on, count):
    tasks = options.get("tasks", 20)
    async with Clients(options, on, True).client as client:
        await _in_tasks(one, client, on, warm_up(count), tasks)
        await settle(client, asyncio.sleep)
        before = figures(client)
        await _in_tasks(one, client, on, count, tasks)
        await settle(client, asyncio.sleep)
        return before, figures(client)


async def measure_trio(one, options, on, count):
    import trio

    async with Clients(options, on, True).client as client:
        for _ in range(warm_up(count)):
            await one(client, on)
        await settle(client, trio.sleep)
        before = figures(client)
        for _ in range(count):
            await one(client, on)
        await settle(client, trio.sleep)
        return before, figures(client)


def measure(name, count, on):
    one, options = KINDS[name]
    started = time.monotonic()
    calls = count // options.get("calls", 1)
    if options.get("loop") == "trio":
        import trio

        before, after = trio.run(measure_trio, one, options, on, calls)
    elif asyncio.iscoroutinefunction(one):
        before, after = asyncio.run(measure_async(one, options, on, calls))
    else:
        before, after = measure_sync(one, options, on, calls)
    grown = (late - early for early, late in zip(before, after))
    told = {"kind": name, "requests": count, **dict(zip(NAMES, grown))}
    return {**told, "seconds": round(time.monotonic() - started, 1)}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))))
