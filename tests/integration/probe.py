"""The Python side of probe.c: `Probe` starts it and talks to it.

    with Probe(mode="embedded", ca=ca.ca_file) as probe:
        done = probe.get(url)              # a Done: status, headers, text, error, timings, ...
        run = probe.submit(url, read_ms=400, streamed=1)   # a Run: head(), wait(), cancel(), ...
        group = probe.group(url, count=1000, parallel=100)  # counters of many exchanges

Leaving the block ends the program and checks that it ended well: it frees everything, which a
build with sanitizers then checks.
"""

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

from support.process import dying_with_parent, wait_until

# how an engine is driven: see "enum kind" in probe.h; "-pull" takes events, without it they call back
MODES = ("sync", "embedded-pull", "thread")
ALL_MODES = ("sync", "run", "run-pull", "embedded", "embedded-pull", "thread")
WAIT = 30.0


def find_probe():
    """The program's path, or None: RQX_PROBE, else in the build directory."""
    named = os.environ.get("RQX_PROBE")
    if named:
        return named
    here = Path(__file__).resolve()
    tops = [os.environ.get("builddir"), here.parents[2], here.parents[2] / "build", Path.cwd()]
    for top in filter(None, tops):
        path = Path(top) / "tests" / "integration" / "probe"
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return None


def _word(key, value):
    if value is True or value is False:
        value = int(value)
    data = value if isinstance(value, bytes) else str(value).encode("utf-8")
    return f"{key}={quote(data, safe='/:?&={},;@[]<>()!$*+.~')}"


def _words(options):
    """KEY=VALUE words. Lists repeat; dicts and lists of pairs are fields."""
    words = []
    for key, value in options.items():
        if value is None:
            continue
        if isinstance(value, dict):
            value = list(value.items())
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, tuple):
                one = b"\t".join(p if isinstance(p, bytes) else p.encode("latin-1") for p in one)
            words.append(_word(key, one))
    return words


class Done:
    """What came of an exchange."""

    def __init__(self, told):
        self.told = told
        self.error = told["error"]  # "" or the name without RQX_ERR_
        self.phase = told["phase"]
        self.errno = told["errno"]
        self.tls_verify = told["tls_verify"]
        self.h2_code = told["h2_code"]
        self.error_text = told["text"].encode("latin-1").decode("utf-8")
        self.refused = bool(told.get("refused"))  # the submission was
        self.status = told.get("status", 0)
        self.version = told.get("version", 0)
        self.reason = told.get("reason", "")
        self.stream = told.get("stream", 0)
        self.conn = told.get("conn", 0)
        self.retries = told.get("retries", 0)
        self.url = told.get("url", "")
        self.peer = told.get("peer", "")
        self.local = told.get("local", "")
        self.fields = [tuple(pair) for pair in told.get("headers", ())]
        self.headers = {name.lower(): value for name, value in self.fields}
        self.trailers = [tuple(pair) for pair in told.get("trailers", ())]
        self.timings = told.get("timings", {})
        self.history = told.get("history", [])
        self.length = told.get("length", 0)  # of the body, content codings undone
        self.raw_length = told.get("raw_length", 0)
        self.sha256 = told.get("sha256", "")
        self.body = told.get("body", "").encode("latin-1")  # its first 64 KiB
        self.pieces = told.get("pieces", 0)
        self.read_error = told.get("read_error", "")

    @property
    def ok(self):
        return not self.error and not self.read_error

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        if self.error:
            return f"<{self.error} {self.phase}: {self.error_text}>"
        return f"<{self.status} http{self.version} c{self.conn}/s{self.stream} {self.length} bytes>"


class Group:
    """What came of many exchanges: tallies by name, and a few measures."""

    def __init__(self, told):
        self.__dict__.update(told)

    @property
    def failed(self):
        return sum(self.errors.values())

    def __repr__(self):
        return f"<group {self.__dict__}>"


class Run:
    """An exchange that runs."""

    def __init__(self, probe, name):
        self.probe = probe
        self.name = name
        self.events = []  # all but the last one, in order
        self.done = None
        self.ends = 0  # how often its end was told: never more than once
        self.finished_at = None

    def wait(self, timeout=WAIT):
        """Its end, as a Done or Group."""
        self.probe.until(lambda: self.done is not None, timeout, f"the end of {self.name}")
        return self.done

    def head(self, timeout=WAIT):
        """The header section of a streamed response, as soon as it is there."""
        self.probe.until(lambda: self._event("head") or self.done, timeout, f"head of {self.name}")
        return self._event("head")

    def _event(self, kind):
        return next((event for event in self.events if event["event"] == kind), None)

    @property
    def interim(self):
        """[(status, {name: value})] of the 1xx responses."""
        return [(e["status"], dict(e["headers"])) for e in self.events if e["event"] == "interim"]

    @property
    def read_so_far(self):
        """Bytes that a verbose=1 exchange has read."""
        return sum(event["length"] for event in self.events if event["event"] == "body")

    def cancel(self):
        self.probe.send("cancel", id=self.name)

    def close(self):
        self.probe.send("close", id=self.name)

    def read(self, n=None):
        """Lets an exchange with hold=1 read `n` bytes, or all."""
        self.probe.send("read", id=self.name, n=n)

    def write(self, data):
        """Pushes body bytes (body_kind="push", push_open=1)."""
        self.probe.send("write", id=self.name, body=data)

    def end(self, data=b""):
        self.probe.send("end", id=self.name, body=data)


class Probe:
    def __init__(self, mode="embedded", program=None, check=True, env=None, **options):
        self.check = check
        self.mode, _, pull = mode.partition("-")
        words = _words({"mode": self.mode, "pull": int(pull == "pull"), **options})
        environment = dict(os.environ, **(env or {}))
        environment.pop("LD_PRELOAD", None)
        sanitize = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = sanitize.replace("detect_leaks=0", "detect_leaks=1")
        self.process = subprocess.Popen(
            dying_with_parent([program or find_probe(), *words]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.runs = {}
        self.answers = queue.Queue()
        self.changed = threading.Condition()
        self.stderr = b""
        self._ended = False
        self._count = 0
        self._threads = [
            threading.Thread(target=f, daemon=True) for f in (self._read, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()
        self.ready = self.answers.get(timeout=WAIT)

    # the program's output

    def _read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            now = time.monotonic()
            run = self.runs.get(told.get("id"))
            if run is None or told["event"] == "stats":
                self.answers.put(told)
                continue
            if told["event"] in ("done", "group"):
                run.ends += 1
                run.done = run.done or (Done if told["event"] == "done" else Group)(told)
            else:
                run.events.append(told)
            run.finished_at = now
            with self.changed:
                self.changed.notify_all()
        self._ended = True
        self.answers.put(None)
        with self.changed:
            self.changed.notify_all()

    def _read_errors(self):
        self.stderr = self.process.stderr.read()

    def until(self, condition, timeout=WAIT, what="the probe"):
        """Waits for something that an event makes true."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"waited {timeout:g} s for {what}"
                assert not self._ended, f"the probe ended: {self.process.wait()} {self.stderr!r}"
                self.changed.wait(min(left, 0.1))

    # commands

    def send(self, command, **options):
        self.send_lines([" ".join([command, *_words(options)])])

    def send_lines(self, lines):
        """All at once: in an embedded engine they leave together."""
        self.process.stdin.write("".join(line + "\n" for line in lines).encode("ascii"))
        self.process.stdin.flush()

    def _new_run(self):
        self._count += 1
        run = Run(self, f"r{self._count}")
        self.runs[run.name] = run
        return run

    def submit(self, url, **options):
        """Starts an exchange; request_make and task_new in the C files name the options."""
        run = self._new_run()
        self.send("submit", id=run.name, url=url, **options)
        return run

    def submit_all(self, requests, *commands):
        """Starts [(url, options)], and gives the commands after them, in one go."""
        runs = [self._new_run() for _ in requests]
        lines = [
            " ".join(["submit", *_words({"id": run.name, "url": url, **options})])
            for run, (url, options) in zip(runs, requests)
        ]
        self.send_lines([*lines, *commands])
        return runs

    def get(self, url, timeout=WAIT, **options):
        return self.submit(url, **options).wait(timeout)

    def post(self, url, timeout=WAIT, **options):
        return self.submit(url, method="POST", **options).wait(timeout)

    def group(self, url, count, timeout=WAIT, **options):
        return self.submit(url, count=count, **options).wait(timeout)

    def stats(self):
        """The engine's counters and rss_kb."""
        self.send("stats", id="stats")
        told = self.answers.get(timeout=WAIT)
        assert told is not None, f"the probe ended: {self.process.wait()} {self.stderr!r}"
        return told

    def shut(self):
        """Closes the client; the program goes on."""
        self.send("shut")

    def settled(self, timeout=10.0, **wanted):
        """Waits until the counters are as wanted, and gives them."""

        def look():
            stats = self.stats()
            return stats if all(stats[name] == value for name, value in wanted.items()) else None

        return wait_until(look, timeout, f"counters {wanted}", interval=0.02)

    # the end

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        status = self.close()
        if kind is None and self.check:
            assert status == 0 and not self.stderr, (status, self.stderr.decode("utf-8", "replace"))
            assert not self.ended_twice(), self.ended_twice()

    def ended_twice(self):
        """The exchanges whose end was told more than once, with all that was told of them."""
        return [(run.name, run.ends, run.done) for run in self.runs.values() if run.ends > 1]

    def close(self):
        """Ends it in good order, and gives its exit status."""
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        for thread in self._threads:
            thread.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        return status
