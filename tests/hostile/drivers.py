"""Three users of the library: a C program, threads on a Client, tasks on an AsyncClient.

All have the same face, so that a scene is played before each of them in the same words:

    with Driver(ca, **settings) as user:
        handle = user.start(url, **options)   # returns at once
        handle.opened()                       # a response that is held or abandoned is there
        handle.end()                          # what came of it, as a Result
        user.cookies()                        # how many are kept
        user.settle()                         # problems: what is left open, what ended twice

Settings: `proxy`, `redirects`, `protocols`, `retry` (tries), `pins`, `deny` (addresses), `cookies` (a jar), and some
that C alone knows: `ping` (ms), `crl` (a file), `nameservers`, `dns_timeout_ms`. Options are those of support.expect, and `read`, `pool`, `write`, `total` in seconds, `stall` as
(bytes a second, seconds).
"""

import asyncio
import os
import threading
from concurrent.futures import Future

from integration.probe import Probe
from support.process import wait_until

PATIENCE = 20.0
BACKOFF_MS = 10


class Result:
    """`outcome`: a status, "closed", or the error: C's name of it, Python's class."""

    def __init__(self, outcome, code="", text="", body=b"", fields=()):
        self.outcome = outcome
        self.code = code  # C's name of the error in either case; "NONE" for Python's own
        self.text = text
        self.body = body
        self.fields = dict(fields)

    def __repr__(self):
        return f"{self.outcome} ({self.code}: {self.text})"


def body_of(content):
    return bytes(content) if isinstance(content, int) else content


# ---- C


class CHandle:
    def __init__(self, run, options):
        self.run = run
        self.abandon = options.get("abandon")

    def opened(self):
        self.run.head()

    def end(self):
        if self.abandon:
            self.run.probe.until(lambda: self.run.read_so_far, what="some of the body")
            self.run.close()
        done = self.run.wait(PATIENCE)
        error = done.error or done.read_error
        if self.abandon and error in ("", "CANCELLED"):
            return Result("closed")
        return Result(error or str(done.status), error, done.error_text, done.body, done.headers)


class CUser:
    name = "c"

    def __init__(self, ca, **settings):
        ping = settings.pop("ping", -1)
        options = {"ca": ca.ca_file, "keep": 1, "ping_idle_ms": ping, "ping_timeout_ms": ping if ping > 0 else None}
        options["pin"] = settings.pop("pins", None)
        if "retry" in settings:
            options.update(retry=settings.pop("retry"), backoff_ms=BACKOFF_MS)
        if "deny" in settings:
            options.update(address_base="any", deny=settings.pop("deny"))
        if settings.get("proxy", "").startswith("https:"):
            options["proxy_ca"] = ca.ca_file
        self.probe = Probe("embedded-pull", **{**options, **settings})
        self.descriptors = self._descriptors()

    def _descriptors(self):
        return len(os.listdir(f"/proc/{self.probe.process.pid}/fd"))

    def __enter__(self):
        self.probe.__enter__()
        return self

    def __exit__(self, *what):
        self.probe.__exit__(*what)

    def start(self, url, **options):
        said = {
            "method": options.get("method"),
            "header": options.get("headers"),
            "protocols": options.get("protocols"),
            "read_ms": int(1000 * options.get("read", PATIENCE)),
            "write_ms": int(1000 * options.get("write", PATIENCE)),
            "pool_ms": int(1000 * options.get("pool", PATIENCE)),
            "connect_ms": int(1000 * options.get("connect", PATIENCE)),
            "total_ms": int(1000 * options["total"]) if "total" in options else None,
            "stall_rate": options.get("stall", (None, 0))[0],
            "stall_ms": int(1000 * options.get("stall", (0, 0))[1]) or None,
            "body_size": options["content"] if isinstance(options.get("content"), int) else None,
            "body": options["content"] if isinstance(options.get("content"), bytes) else None,
        }
        if options.get("hold"):
            said.update(streamed=1, hold=1)
        if options.get("abandon"):
            said.update(streamed=1, verbose=1)
        return CHandle(self.probe.submit(url, **said), options)

    def cookies(self):
        """How many its jar has."""
        return self.probe.stats()["cookies"]

    def settle(self):
        """Ends the client, and says what is left of it."""
        problems = []
        self.probe.settled(exchanges_open=0, exchanges_queued=0)
        self.probe.shut()
        self.probe.settled(connections_open=0)
        try:
            wait_until(lambda: self._descriptors() <= self.descriptors, 5, "descriptors")
        except AssertionError:
            problems.append(f"{self._descriptors() - self.descriptors} descriptors were left open")
        problems += [f"ended more than once: {run}" for run in self.probe.ended_twice()]
        return problems


# ---- Python


def _settings(ca, proxy=None, redirects=0, protocols=3, retry=None, pins=None, deny=None, cookies=1):
    import requestx

    settings = {"ca_bundle": ca.ca_file, "trust_env": False, "http1": bool(protocols & 1), "http2": bool(protocols & 2)}
    if proxy:
        settings["proxy"] = requestx.Proxy(proxy, ssl_context=ca.client_context() if proxy.startswith("https:") else None)
    if retry:
        settings["retries"] = requestx.Retry(total=retry, backoff=BACKOFF_MS / 1000)
    if pins:
        settings["pins"] = pins
    if deny:
        settings["address_policy"] = requestx.AddressPolicy(deny=deny)
    if redirects:
        settings.update(follow_redirects=True, max_redirects=redirects)
    return settings, requestx


def _request(requestx, options):
    times = {name: options[name] for name in ("read", "write", "pool", "connect", "total", "stall") if name in options}
    request = {"timeout": requestx.Timeout(PATIENCE, **times)}
    if "content" in options:
        request["content"] = body_of(options["content"])
    if "headers" in options:
        request["headers"] = options["headers"]
    return options.get("method", "GET"), request


def _failed(error):
    return Result(type(error).__name__, (getattr(error, "code", None) or "NONE").upper(), str(error))


def _answered(response):
    return Result(str(response.status_code), body=response.content, fields=response.headers)


class Handle:
    def __init__(self):
        self.result = Future()
        self.is_open = threading.Event()
        self.read_on = threading.Event()  # or close, where it is abandoned

    def opened(self):
        assert self.is_open.wait(PATIENCE), "no head came, and no end"

    def end(self):
        self.read_on.set()
        return self.result.result(PATIENCE + 5)


class SyncUser:
    name = "sync"

    def __init__(self, ca, **settings):
        settings, self.requestx = _settings(ca, **settings)
        self.client = self.requestx.Client(**settings)
        self.threads = []

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.client.close()
        for thread in self.threads:
            thread.join(PATIENCE)

    def start(self, url, **options):
        handle = Handle()
        thread = threading.Thread(target=self._run, args=(handle, url, options), daemon=True)
        self.threads.append(thread)
        thread.start()
        return handle

    def _run(self, handle, url, options):
        try:
            result = self._send(handle, url, options)
        except Exception as error:
            result = _failed(error)
        handle.result.set_result(result)
        handle.is_open.set()

    def _send(self, handle, url, options):
        method, request = _request(self.requestx, options)
        if not options.get("hold") and not options.get("abandon"):
            return _answered(self.client.request(method, url, **request))
        with self.client.stream(method, url, **request) as response:
            if options.get("abandon"):
                next(response.iter_raw())
            handle.is_open.set()
            handle.read_on.wait(PATIENCE)
            if options.get("abandon"):
                return Result("closed")
            response.read()
            return _answered(response)

    def cookies(self):
        return len(self.client.cookies.jar)

    def settle(self):
        self.client.close()
        return []


class AsyncUser:
    name = "asyncio"

    def __init__(self, ca, **settings):
        self.settings, self.requestx = _settings(ca, **settings)
        self.complaints = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: self.complaints.append(str(context)))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.client = None

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def __enter__(self):
        self.thread.start()
        self._do(self._make()).result(PATIENCE)
        return self

    async def _make(self):
        self.client = self.requestx.AsyncClient(**self.settings)

    def __exit__(self, *what):
        self._do(self.client.aclose()).result(PATIENCE)
        self._do(self.loop.shutdown_asyncgens()).result(PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    def start(self, url, **options):
        handle = Handle()
        handle.result = self._do(self._run(handle, url, options))
        return handle

    async def _run(self, handle, url, options):
        try:
            return await self._send(handle, url, options)
        except Exception as error:
            return _failed(error)
        finally:
            handle.is_open.set()

    async def _send(self, handle, url, options):
        method, request = _request(self.requestx, options)
        if not options.get("hold") and not options.get("abandon"):
            return _answered(await self.client.request(method, url, **request))
        async with self.client.stream(method, url, **request) as response:
            if options.get("abandon"):
                await response.aiter_raw().__anext__()
            handle.is_open.set()
            while not handle.read_on.is_set():
                await asyncio.sleep(0.005)
            if options.get("abandon"):
                return Result("closed")
            await response.aread()
            return _answered(response)

    def cookies(self):
        return len(self.client.cookies.jar)

    def settle(self):
        self._do(self.client.aclose()).result(PATIENCE)
        return [f"the loop complains: {text}" for text in self.complaints]


USERS = {user.name: user for user in (CUser, SyncUser, AsyncUser)}
