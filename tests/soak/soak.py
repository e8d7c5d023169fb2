"""A mixed load, with faults injected, for as long as wanted: every request ends exactly once, with a right answer or a
right error; what was processed was processed once; memory, descriptors and counters return to where they began.

    make soak SOAK_SECONDS=60
    python tests/soak/soak.py --seconds 60 [--seed N] [--verbose]

Threads share clients, event loops have clients of their own, and clients come and go; driver.c does the same in C, in
each driver mode. Between them and the servers of
server.py, which are killed and started again, stand the relays of support/netrelay.c. Odd numbers are requests that
must never be processed twice. The last line says what came of it; the exit status is 0 if all is well.
"""

import argparse
import asyncio
import collections
import ctypes
import faulthandler
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import requestx  # noqa: E402
from server import pattern  # noqa: E402
from support.certs import CertAuthority  # noqa: E402
from support.netrelay import NetRelay, find_netrelay  # noqa: E402
from support.process import dying_with_parent, python_environment  # noqa: E402

PORTS = ("h2", "h1", "plain", "proxy", "socks")
TIMEOUT = 3.0  # of each phase of a request
REST = 0.02  # after a failure to connect
HUNG = 30.0  # a request may have several phases
THREADS = 8
LOOPS = 3
TASKS = 25
MODES = ("sync", "embedded", "thread")  # of drivers in C
# MB; allocators and Python keep some, and a sanitizer keeps all that was freed for a while: it counts what is in use
GROWTH_ALLOWED = 512.0 if "libasan" in os.environ.get("LD_PRELOAD", "") else 16.0
USED_ALLOWED = 4000  # KB that a driver has allocated more than at first: connections and windows that happen to be open


class Servers:
    """The process of server.py, behind a relay for each of its ports: those are what clients know."""

    def __init__(self, folder, ca):
        self.argument = json.dumps({"pair": ca.pair("server"), "book": str(folder / "processed")})
        self.process = None
        ports = self._start()
        self.relays = {name: NetRelay(ports[name]) for name in PORTS}
        self.restarts = 0

    def _start(self):
        self.process = subprocess.Popen(
            dying_with_parent([sys.executable, str(HERE / "server.py"), self.argument]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=python_environment(),
        )
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def restart(self):
        self.stop()
        ports = self._start()
        for name, relay in self.relays.items():
            relay.target(ports[name])
        self.restarts += 1

    def close(self):
        for relay in self.relays.values():
            relay.close()
        self.stop()

    def url(self, name, path):
        scheme = "http" if name == "plain" else "https"
        return self.relays[name].url(path, scheme)


class Tally:
    """What became of the requests. Nothing is kept for each but a line in a file."""

    def __init__(self, folder):
        self.lock = threading.Lock()
        self.next = 0
        self.started = {}  # number -> time, of those under way
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.wrong = []  # texts; the first few
        self.wrong_count = 0
        self.ended_twice = 0
        self.answered = open(folder / "answered", "w")

    def begin(self, idempotent):
        with self.lock:
            self.next += 2
            number = self.next if idempotent else self.next - 1
            self.started[number] = time.monotonic()
            return number

    def end(self, number, kind, outcome):
        with self.lock:
            if self.started.pop(number, None) is None:
                self.ended_twice += 1
            self.counts[kind] += 1
            self.counts[outcome] += 1
            if outcome == "answered" and number % 2:
                self.answered.write("%d\n" % number)

    def note_error(self, error):
        with self.lock:
            self.errors[type(error).__name__] += 1

    def note_wrong(self, text):
        with self.lock:
            self.wrong_count += 1
            if len(self.wrong) < 20:
                self.wrong.append(text)

    def oldest(self):
        with self.lock:
            return time.monotonic() - min(self.started.values(), default=time.monotonic())


class Wrong(Exception):
    """An answer that is not the right one."""


# What a request is: kind -> (weight, method, path, fault, sizes)
KINDS = {
    "get": (30, "GET", "/w", None, (100, 2000)),
    "large": (4, "GET", "/w", None, (100_000, 400_000)),
    "gzip": (4, "GET", "/w", None, (1000, 50_000)),
    "post": (25, "POST", "/w", None, (100, 2000)),
    "upload": (4, "POST", "/w", None, (50_000, 300_000)),
    "pieces": (4, "POST", "/w", None, (1000, 100_000)),
    "stream": (6, "GET", "/w", None, (10_000, 300_000)),
    "leave": (4, "GET", "/w", None, (100_000, 300_000)),
    "cancel": (5, "GET", "/never", None, (0, 1)),
    "timeout": (2, "GET", "/never", None, (0, 1)),
    "redirect": (4, "GET", "/moved", None, (100, 2000)),
    "flaky": (4, "POST", "/flaky", None, (100, 2000)),
    "slow": (3, "GET", "/w", "slow", (100, 2000)),
    "rst": (2, "POST", "/w", "rst", (100, 2000)),
    "half": (2, "GET", "/w", "half", (1000, 50_000)),
    "abort": (1, "POST", "/w", "abort", (100, 2000)),
    "goaway": (1, "POST", "/w", "goaway", (100, 2000)),
}
NEVER_ANSWERED = {"cancel", "timeout", "rst", "half", "abort"}
NAMES = list(KINDS)
WEIGHTS = [KINDS[name][0] for name in NAMES]


class Plan:
    """One request: what is sent, and what must come back."""

    def __init__(self, tally, servers, chance, place):
        self.kind = chance.choices(NAMES, WEIGHTS)[0]
        _, self.method, path, fault, sizes = KINDS[self.kind]
        self.number = tally.begin(self.method == "GET")
        self.size = chance.randrange(*sizes)
        query = f"?id={self.number}&n={self.size}"
        if fault:
            query += f"&fault={fault}&ms={chance.randrange(5, 150)}"
        if self.kind == "gzip":
            query += "&gzip=1"
        self.url = servers.url(place, path + query)
        self.place = place
        self.body = pattern(self.number, self.size) if self.method == "POST" else None
        self.pause = chance.random() * 0.05

    @property
    def options(self):
        timeout = 0.03 + self.pause if self.kind == "timeout" else TIMEOUT
        return {"timeout": timeout, "follow_redirects": self.kind == "redirect"}

    def pieces(self):
        return [self.body[at : at + 7000] for at in range(0, len(self.body), 7000)]

    def check(self, response, content, partial=False):
        if response.status_code == 502 and self.place == "plain" and "x-id" not in response.headers:
            raise requestx.ProxyError("the proxy found nobody")  # who speaks for the proxy itself
        if self.kind in NEVER_ANSWERED:
            raise Wrong(f"{self.kind} {self.number}: an answer, {response.status_code}")
        if response.status_code != 200 or response.headers.get("x-id") != str(self.number):
            raise Wrong(f"{self.kind} {self.number}: {response.status_code} {response.headers}")
        expected = pattern(self.number, self.size)
        if content != (expected[: len(content)] if partial else expected):
            raise Wrong(f"{self.kind} {self.number}: {len(content)} bytes that are not its own")
        if response.headers.get("x-crc") != str(zlib.crc32(self.body or b"")):
            raise Wrong(f"{self.kind} {self.number}: another body was received")


def judge(tally, plan, error):
    """An exception: right, or not. True where it makes sense to rest before the next try."""
    if isinstance(error, requestx.TransportError) and not isinstance(
        error, (requestx.LocalProtocolError, requestx.UnsupportedProtocol)
    ):
        tally.note_error(error)
        tally.end(plan.number, plan.kind, "error")
        return isinstance(error, (requestx.ConnectError, requestx.ProxyError))
    tally.note_wrong(str(error) if isinstance(error, Wrong) else "".join(traceback.format_exception(error)[-6:]))
    tally.end(plan.number, plan.kind, "wrong")
    return False


# ---- threads


def act(client, plan):
    if plan.kind == "leave":
        with client.stream("GET", plan.url, timeout=TIMEOUT) as response:
            part = next(response.iter_bytes(), b"")
            plan.check(response, part, partial=True)
        return
    if plan.kind == "stream":
        with client.stream("GET", plan.url, timeout=TIMEOUT) as response:
            content = b"".join(response.iter_bytes(5000))
        plan.check(response, content)
        return
    content = iter(plan.pieces()) if plan.kind == "pieces" else plan.body
    options = dict(plan.options, **({"timeout": plan.pause + 0.001} if plan.kind == "cancel" else {}))
    response = client.request(plan.method, plan.url, content=content, **options)
    plan.check(response, response.content)


class Worker:
    """What threads and loops share."""

    def __init__(self, soak, number):
        self.soak = soak
        self.number = number
        self.chance = random.Random(f"{soak.seed}-{number}")

    def place(self):
        return self.chance.choices(("h2", "h1", "plain"), (6, 2, 2))[0]

    def plan(self):
        return Plan(self.soak.tally, self.soak.servers, self.chance, self.place())

    def options(self, proxy):
        options = {"ca_bundle": self.soak.ca.ca_file, "trust_env": False}
        if proxy:
            kind, scheme = self.chance.choice((("proxy", "http"), ("socks", "socks5h"), ("socks", "socks5")))
            options["proxy"] = f"{scheme}://127.0.0.1:{self.soak.servers.relays[kind].port}"
        return options


class ThreadWorker(Worker):
    def run(self):
        while not self.soak.over.is_set():
            own = self.number % 4 == 3
            client = requestx.Client(**self.options(self.number % 8 == 7)) if own else self.soak.shared
            for _ in range(self.chance.randrange(20, 200)):
                if self.soak.over.is_set() or self.soak.resting(self.number):
                    break
                self.once(client)
            if own:
                self.soak.close(client)

    def once(self, client):
        plan = self.plan()
        try:
            act(client, plan)
        except Exception as error:
            if judge(self.soak.tally, plan, error):
                time.sleep(REST)
        else:
            self.soak.tally.end(plan.number, plan.kind, "answered")


# ---- loops


async def act_async(client, plan):
    if plan.kind in ("leave", "stream"):
        async with client.stream("GET", plan.url, timeout=TIMEOUT) as response:
            parts = []
            async for part in response.aiter_bytes(5000):
                parts.append(part)
                if plan.kind == "leave":
                    break
        return plan.check(response, b"".join(parts), partial=plan.kind == "leave")

    async def pieces():
        for piece in plan.pieces():
            yield piece

    content = pieces() if plan.kind == "pieces" else plan.body
    call = client.request(plan.method, plan.url, content=content, **plan.options)
    if plan.kind == "cancel":
        try:
            response = await asyncio.wait_for(call, plan.pause)
        except asyncio.TimeoutError:
            raise requestx.ReadTimeout("cancelled") from None
        return plan.check(response, response.content)
    response = await call
    plan.check(response, response.content)


class LoopWorker(Worker):
    def run(self):
        asyncio.run(self.main())

    async def main(self):
        while not self.soak.over.is_set():
            client = requestx.AsyncClient(**self.options(self.number % 3 == 2))
            count = self.chance.randrange(500, 3000)
            await asyncio.gather(*(self.task(client, count // TASKS) for _ in range(TASKS)))
            self.soak.check_counters(client)
            await client.aclose()
            if self.soak.pause.is_set():
                await asyncio.to_thread(self.soak.resting, self.number)

    async def task(self, client, count):
        for _ in range(count):
            if self.soak.over.is_set() or self.soak.pause.is_set():
                return
            plan = self.plan()
            try:
                await act_async(client, plan)
            except Exception as error:
                if judge(self.soak.tally, plan, error):
                    await asyncio.sleep(REST)
            else:
                self.soak.tally.end(plan.number, plan.kind, "answered")


# ---- drivers in C


class Driver:
    """driver.c in one mode, through the same relays; its numbers are far above ours."""

    def __init__(self, soak, index, mode):
        self.mode = mode
        self.answered = soak.folder / f"answered-{mode}"
        ports = [soak.servers.relays[name].port for name in ("h2", "h1", "plain", "proxy")]
        environment = dict(os.environ)
        environment.pop("LD_PRELOAD", None)
        command = [
            find_driver(),
            mode,
            str(max(soak.seconds - 1, 1)),
            str(soak.seed + index + 1),
            str((index + 1) * 10**12),
            soak.ca.ca_file,
            str(self.answered),
            *map(str, ports),
        ]
        self.process = subprocess.Popen(
            dying_with_parent(command),
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def end(self):
        """What it tells; None if it did not end, or not well."""
        try:
            output, _ = self.process.communicate(timeout=2 * HUNG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return None
        return json.loads(output) if self.process.returncode == 0 else None


def find_driver():
    return str(Path(find_netrelay()).parent.parent / "soak" / "driver")


# ---- faults


class Faults:
    def __init__(self, soak):
        self.soak = soak
        self.chance = random.Random(f"{soak.seed}-faults")
        self.injected = collections.Counter()
        self.next_restart = time.monotonic() + 5

    def run(self):
        while not self.soak.over.wait(0.05 + self.chance.random() * 0.5):
            if self.soak.pause.is_set():
                continue
            if time.monotonic() > self.next_restart:
                self.injected["restart"] += 1
                self.soak.servers.restart()
                self.next_restart = time.monotonic() + 5 + self.chance.random() * 10
                continue
            kinds = (self.reset, self.end, self.cut, self.stall, self.break_at, self.slow, self.refuse)
            kind = self.chance.choices(kinds, (4, 3, 1, 3, 6, 3, 2))[0]
            relay = self.soak.servers.relays[self.chance.choices(PORTS, (5, 2, 2, 1, 1))[0]]
            kind(relay)
            self.injected[kind.__name__] += 1

    def reset(self, relay):
        relay.reset()

    def end(self, relay):
        relay.end()

    def cut(self, relay):
        relay.cut()

    def stall(self, relay):
        direction = self.chance.choice(("up", "down", "both"))
        relay.stall(direction)
        self.soak.over.wait(self.chance.choice((0.05, 0.2, 0.5, TIMEOUT + 0.3)))
        relay.resume("both")

    def break_at(self, relay):
        relay.fault(
            self.chance.choice(("reset", "half-close", "stall")),
            after=int(10 ** self.chance.uniform(0, 6)),
            direction=self.chance.choice(("up", "down")),
            times=self.chance.randrange(1, 4),
        )
        relay.reset()  # so that there is a next connection

    def slow(self, relay):
        relay.delay(self.chance.choice((0, 1, 5, 20)))
        relay.jitter(self.chance.choice((0, 0, 5)), seed=self.chance.randrange(1 << 30))
        relay.bandwidth(self.chance.choice((0, 0, 1e9, 50e6)))

    def refuse(self, relay):
        relay.refuse()
        relay.reset()
        self.soak.over.wait(self.chance.random() * 0.3)
        relay.accept()


# ---- the whole


def rss_mb():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Soak:
    def __init__(self, folder, seconds, seed):
        self.folder = folder
        self.seconds = seconds
        self.seed = seed
        self.ca = CertAuthority(folder)
        self.tally = Tally(folder)
        self.over = threading.Event()
        self.pause = threading.Event()
        self.rested = set()
        self.counters = []  # what did not return to zero
        self.hung = 0
        self.servers = Servers(folder, self.ca)
        self.shared = None
        self.drivers = []
        self.descriptors = descriptors()

    # for the workers

    def resting(self, number):
        """Waits while there is a pause; whether there was one."""
        if not self.pause.is_set():
            return False
        self.rested.add(number)
        while self.pause.is_set() and not self.over.is_set():
            time.sleep(0.01)
        return True

    def check_counters(self, client):
        transports = [client._transport, *client._mounts.values()]
        for transport in transports:
            pool = getattr(transport, "_pool", None)
            stats = pool.stats() if pool is not None else {}
            if stats.get("exchanges_open") or stats.get("exchanges_queued"):
                self.counters.append(stats)

    def close(self, client):
        self.check_counters(client)
        client.close()

    # the course of it

    def measure(self, workers):
        """Memory while nothing is under way."""
        self.rested.clear()
        self.pause.set()
        deadline = time.monotonic() + HUNG
        while len(self.rested) < workers and time.monotonic() < deadline:
            time.sleep(0.02)
        memory = rss_mb()
        self.pause.clear()
        return memory

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.hung:
            time.sleep(0.1)
            if self.tally.oldest() > HUNG:
                self.hung = sum(1 for begun in list(self.tally.started.values()) if time.monotonic() - begun > HUNG)
                faulthandler.dump_traceback(all_threads=True)

    def run(self):
        self.shared = requestx.Client(ca_bundle=self.ca.ca_file, trust_env=False)
        faults = Faults(self)
        workers = [ThreadWorker(self, number) for number in range(THREADS)]
        workers += [LoopWorker(self, THREADS + number) for number in range(LOOPS)]
        threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
        threads.append(threading.Thread(target=faults.run, daemon=True))
        begin = time.monotonic()
        self.drivers = [Driver(self, index, mode) for index, mode in enumerate(MODES)]
        for thread in threads:
            thread.start()
        self.wait(self.seconds * 0.3)
        first = self.measure(len(workers))
        self.wait(self.seconds - (time.monotonic() - begin))
        last = self.measure(len(workers))
        told = [driver.end() for driver in self.drivers]
        self.over.set()
        for thread in threads:
            thread.join(HUNG)
        self.hung += sum(thread.is_alive() for thread in threads)
        self.close(self.shared)
        gc.collect()
        left = descriptors() - self.descriptors
        self.servers.close()
        return self.report(faults, time.monotonic() - begin, last - first, left, told)

    def add_drivers(self, told):
        """Takes what the drivers tell into the sums; whether all is well with them."""
        tally = self.tally
        for driver, figures in zip(self.drivers, told):
            print(f"driver {driver.mode}: {figures}")
            if figures is None:
                self.hung += 1
                continue
            tally.counts["driven"] += figures["requests"]
            tally.counts["answered"] += figures["answered"]
            tally.counts["error"] += figures["errors"]
            tally.counts["wrong"] += figures["wrong"]
            tally.wrong_count += figures["wrong"]
            self.hung += figures["hung"]
            if figures["open"]:
                self.counters.append(figures)
        return all(
            f and f["growth_kb"] < GROWTH_ALLOWED * 1000 and f["used_kb"] < USED_ALLOWED and f["descriptors"] <= 0
            for f in told
        )

    def duplicates(self):
        """Of the numbers that may be processed once only: how many were twice; and how many were answered without
        having been processed."""
        self.tally.answered.close()
        with open(self.folder / "processed") as book:
            seen = collections.Counter(number for number in map(int, book) if number % 2)
        invented = 0
        for path in self.folder.glob("answered*"):
            with open(path) as answered:
                invented += sum(int(line) not in seen for line in answered)
        return sum(count > 1 for count in seen.values()), invented

    def report(self, faults, seconds, growth, left, told):
        tally = self.tally
        driven_well = self.add_drivers(told)
        duplicated, invented = self.duplicates()
        lost = len(tally.started) - self.hung if len(tally.started) > self.hung else 0
        wrong = tally.wrong_count + invented + tally.ended_twice
        for text in tally.wrong:
            print("wrong:", text)
        for stats in self.counters[:5]:
            print("counters:", stats)
        print("errors:", dict(tally.errors.most_common()))
        print("faults:", dict(faults.injected.most_common()))
        requests = sum(tally.counts[name] for name in KINDS) + tally.counts["driven"]
        served = tally.counts["answered"] + tally.counts["error"] + tally.counts["wrong"]
        print(
            f"soak: {seconds:.0f} s, seed {self.seed}, {requests} requests ({requests / seconds:.0f}/s,"
            f" {tally.counts['answered']} answered, {tally.counts['error']} right errors),"
            f" {sum(faults.injected.values())} faults, {self.servers.restarts} restarts,"
            f" {lost} lost, {duplicated} duplicated, {self.hung} hung, {wrong} wrong,"
            f" {len(self.counters)} counters off, memory {growth:+.1f} MB, descriptors {left:+d}"
        )
        good = driven_well and not (lost or duplicated or self.hung or wrong or self.counters) and left <= 0
        return good and requests == served and growth < GROWTH_ALLOWED and tally.counts["answered"] > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="requestx-soak-") as folder:
        good = Soak(Path(folder), args.seconds, args.seed).run()
    sys.stdout.flush()
    os._exit(0 if good else 1)  # a hung thread must not keep the process


if __name__ == "__main__":
    main()
