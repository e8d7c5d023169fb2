"""The clients: how each is started for a piece of work, and how what it printed is read."""

import json
import os
import re

from .provide import CLIENTS, VENVS, Missing
from .servers import SMALL_SIZE


class Work:
    """What one run of a client has to do: |requests| exchanges of |spec|.

    |requests| 0 is for clients that are |timed|: as many as go in |seconds|.
    """

    def __init__(self, spec, server, requests, seconds):
        self.spec = spec
        self.server = server
        self.requests = requests
        self.seconds = seconds

    @property
    def url(self):
        path = {"get": "/small", "download": "/big"}.get(self.spec.kind, "/sink")
        return self.server.url(path)

    def arguments(self):
        """The command line that all the clients written for the scorecard share."""
        spec = self.spec
        args = [self.url, "--ca", self.server.ca, "--warm-url", self.server.url("/small"),
                "--requests", str(self.requests), "--concurrency", str(spec.concurrency),
                "--warmup", str(spec.concurrency if spec.http1 else 1)]
        if spec.http1:
            args.append("--http1")
        if spec.kind == "post":
            args += ["--method", "POST", "--body-size", "1024"]
        elif spec.kind == "download":
            args.append("--download")
        elif spec.kind == "upload":
            args += ["--upload", self.server.big_file]
        return args


class Outcome:
    """What one run says of itself. |cpu_seconds| None: take the whole process's."""

    def __init__(self, requests, errors, seconds, size, protocol, cpu_seconds=None):
        self.requests = requests
        self.errors = errors
        self.seconds = seconds
        self.bytes = size
        self.protocol = protocol
        self.cpu_seconds = cpu_seconds


class JsonClient:
    """Base of the clients that print the scorecard's JSON line."""

    guess = 1000  # exchanges a second, for the first, calibrating run
    timed = False  # can be told to run for a time
    crashes = False  # known to crash while its interpreter ends, after the result is out

    def read(self, work, output):
        line = json.loads(output.strip().splitlines()[-1])
        return Outcome(line["requests"], line["errors"], line["seconds"], line["bytes"],
                       line.get("protocol", ""), line.get("cpu_seconds"))


class Compiled(JsonClient):
    """A C client. |maker| is the Provider's method that compiles it."""

    guess = 20000

    def __init__(self, name, maker, mode=None):
        self.name = name
        self.maker = maker
        self.mode = mode

    def prepare(self, provider):
        getattr(provider, self.maker)()

    def command(self, work, provider):
        mode = ["--mode", self.mode] if self.mode else []
        return [getattr(provider, self.maker)(), *work.arguments(), *mode]


class Python(JsonClient):
    """A Python client, in the venv of its own name."""

    def __init__(self, name, program, *extra, crashes=False):
        self.name = name
        self.program = program
        self.extra = extra
        self.crashes = crashes

    def prepare(self, provider):
        provider.interpreter(self.name)

    def command(self, work, provider):
        spec = work.spec
        return [provider.interpreter(self.name), os.path.join(CLIENTS, self.program),
                *work.arguments(), *self.extra, "--mode", spec.mode, "--loop", spec.loop]


class Micro(JsonClient):
    """A program that measures something of a Python library without any server."""

    def __init__(self, name, program, module):
        self.name = name
        self.program = program
        self.module = module

    def prepare(self, provider):
        provider.interpreter(self.name)

    def command(self, work, provider):
        return [provider.interpreter(self.name), os.path.join(CLIENTS, self.program), self.module,
                "--requests", str(work.requests)]


class H2load:
    """Runs for a time after a warm-up, so that its connections are open when it begins to count."""

    name = "h2load"
    guess = 20000
    timed = True
    crashes = False

    def prepare(self, provider):
        provider.tool("h2load")

    def command(self, work, provider):
        spec, many = work.spec, str(work.spec.concurrency)
        length = ["-n", str(work.requests)]
        if not work.requests:
            warm = 20 + 3 * spec.concurrency if spec.http1 else 50
            length = ["-D", "%dms" % (work.seconds * 1000), "--warm-up-time=%dms" % warm]
        shape = ["--h1", "-c", many] if spec.http1 else ["-c", "1", "-m", many]
        body = []
        if spec.kind == "post":
            body = ["-d", work.server.post_file, "-H", "content-type: application/json"]
        return [provider.tool("h2load"), "-t", "1", *length, *shape, *body, work.url]

    def read(self, work, output):
        rate = re.search(r"finished in \S+, ([\d.]+) req/s", output)
        counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
        if not rate or not counts:
            raise ValueError("h2load printed no result")
        good, *bad = (int(word) for word in counts.groups())
        protocol = re.search(r"Application protocol: (\S+)", output)
        return Outcome(good, sum(bad), good / float(rate.group(1)), good * SMALL_SIZE,
                       "h2" if protocol and protocol.group(1) == "h2" else "h1")


class CurlTool:
    """The curl program: a small GET opens the connection, then the transfers that count."""

    name = "curl"
    guess = 10
    timed = False
    crashes = False
    format = "%{time_total} %{time_pretransfer} %{http_version} %{http_code} " \
             "%{size_download} %{size_upload}\\n"

    def prepare(self, provider):
        provider.tool("curl")

    def command(self, work, provider):
        common = ["--silent", "--http2", "--cacert", work.server.ca, "--noproxy", "*"]
        command = [provider.tool("curl"), *common, "-o", os.devnull, work.server.url("/small"),
                   "--next", *common, "-w", self.format]
        if work.spec.kind == "upload":
            command += ["-X", "POST"]
        for _ in range(work.requests):
            if work.spec.kind == "upload":
                command += ["-T", work.server.big_file]
            command += ["-o", os.devnull, work.url]
        return command

    def read(self, work, output):
        seconds, size, bad, lines = 0.0, 0, 0, output.strip().splitlines()
        for line in lines:
            total, before, version, code, down, up = line.split()
            seconds += float(total) - float(before)
            size += int(up if work.spec.kind == "upload" else down)
            bad += (version, code) != ("2", "200")
        return Outcome(len(lines) - bad, bad, seconds, size, "h2")


def all_clients():
    """name -> client, in the order in which the tables list them."""
    made = [
        H2load(),
        CurlTool(),
        Compiled("libcurl", "curl_multi"),
        Compiled("requestx-c", "rqx_bench", "embedded"),
        Compiled("requestx-c-sync", "rqx_bench", "sync"),
        Python("requestx", "py_httpx.py", "--package", "requestx"),
        Python("httpx", "py_httpx.py", "--package", "httpx"),
        Python("aiohttp", "py_aiohttp.py"),
        Python("pycurl", "py_pycurl.py"),
        Python("niquests", "py_niquests.py"),
        Python("pyreqwest", "py_pyreqwest.py", crashes=True),
        Python("requestx-pypi", "py_httpx.py", "--package", "requestx", "--ca-from-env",
               crashes=True),
    ]
    return {client.name: client for client in made}


def micro_client(name, program):
    """The same library in a row that needs no server."""
    if name not in VENVS:
        raise Missing("no such Python library: " + name)
    return Micro(name, program, "requestx" if name == "requestx-pypi" else name)
