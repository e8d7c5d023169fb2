"""The rows of the scorecard, and what they must show."""

from dataclasses import dataclass, field, replace

from .clients import micro_client


@dataclass(frozen=True)
class Spec:
    """One kind of work, the same for every client of a row."""

    kind: str = "get"  # get, post, download, upload
    concurrency: int = 1  # streams of one connection; connections for HTTP/1.1; threads if sync
    http1: bool = False
    mode: str = "async"  # async or sync, for the Python clients
    loop: str = "asyncio"


@dataclass
class Entry:
    """One line of a row: a client, its label, and its work where it is not the row's."""

    client: str
    label: str = ""
    spec: Spec = None

    def __post_init__(self):
        self.label = self.label or self.client


@dataclass
class Row:
    """Clients that do the same work, side by side. |refs|: the labels to divide by."""

    name: str
    title: str
    spec: Spec
    entries: list
    refs: list
    unit: str = "req/s"  # req/s, MB/s; or us, ms: time for one, where less is better
    program: str = ""  # for rows without a server: the Python program to run
    fixed: int = 0  # requests of one run, where a duration makes no sense
    micro: dict = field(default_factory=dict)

    def __post_init__(self):
        for entry in self.entries:
            entry.spec = entry.spec or self.spec
        if self.program:
            self.micro = {e.client: micro_client(e.client, self.program) for e in self.entries}

    @property
    def less_is_better(self):
        return self.unit in ("us", "ms")

    def client(self, entry, clients):
        return self.micro.get(entry.client) or clients[entry.client]


OURS_C = ["requestx-c", "requestx-c-sync"]
OTHERS_H2 = ["pyreqwest", "pycurl", "niquests", "httpx", "requestx-pypi"]


def entries(*names):
    return [Entry(name) for name in names]


def c_rows():
    shape = [("c_h2_%d" % n, "C, HTTP/2, one connection, %d stream%s" % (n, "s" * (n > 1)),
              Spec(concurrency=n)) for n in (1, 10, 100)]
    shape += [("c_h1_%d" % n, "C, HTTP/1.1, %d connection%s" % (n, "s" * (n > 1)),
               Spec(concurrency=n, http1=True)) for n in (1, 100)]
    shape.append(("c_post_100", "C, HTTP/2, POST of 1 KiB JSON, 100 streams",
                  Spec(kind="post", concurrency=100)))
    return [Row(name, title, spec, entries("h2load", *OURS_C, "libcurl"), ["h2load", "libcurl"])
            for name, title, spec in shape]


def async_rows():
    made = []
    for loop, prefix in (("asyncio", "py"), ("uvloop", "uv")):
        for n in (1, 10, 100):
            made.append(Row(
                "%s_h2_%d" % (prefix, n),
                "Python on %s, HTTP/2, one connection, %d stream%s" % (loop, n, "s" * (n > 1)),
                Spec(concurrency=n, loop=loop),
                entries("h2load", "requestx", *OTHERS_H2), ["h2load", "httpx"]))
    others_h1 = ["aiohttp", "pyreqwest", "pycurl", "niquests", "httpx"]
    made.append(Row("py_h1_100", "Python on asyncio, HTTP/1.1, 100 connections",
                    Spec(concurrency=100, http1=True),
                    entries("h2load", "requestx", *others_h1), ["h2load", "aiohttp"]))
    made.append(Row("py_post_100", "Python on asyncio, HTTP/2, POST of 1 KiB JSON, 100 streams",
                    Spec(kind="post", concurrency=100),
                    entries("h2load", "requestx", *OTHERS_H2), ["h2load", "httpx"]))
    return made


def sync_rows():
    one = Spec(mode="sync")
    many = replace(one, concurrency=20)
    pairs = []
    for name in ("requestx", *OTHERS_H2):
        pairs += [Entry(name, name + " x1", one), Entry(name, name, many)]
    return [
        Row("sync_h2_1", "Python, one thread, HTTP/2, one request after the other", one,
            entries("h2load", "requestx", *OTHERS_H2), ["h2load"]),
        Row("threads_h2_20", "Python, 20 threads on one client, over one thread (x1)", many,
            pairs, ["own"]),
        Row("sync_post_1", "Python, one thread, HTTP/2, POST of 1 KiB JSON, one after the other",
            replace(one, kind="post"), entries("h2load", "requestx", *OTHERS_H2), ["h2load"]),
    ]


def body_rows():
    made = []
    for kind in ("download", "upload"):
        work = Spec(kind=kind)
        sync = replace(work, mode="sync")
        title = "100 MB %s, HTTP/2" % kind
        python = ["requestx", "pyreqwest", "niquests", "httpx"]
        for name, who, spec, names in (
                ("c_", "C", work, [*OURS_C, "libcurl"]),
                ("py_", "Python on asyncio", work, [n for n in python if kind == "download"
                                                    or n != "niquests"]),
                ("sync_", "Python, one thread", sync, [*python, "pycurl"])):
            made.append(Row(name + kind, "%s, %s" % (who, title), spec, entries("curl", *names),
                            ["curl"], unit="MB/s", fixed=3))
    return made


def start_rows():
    names = ["requestx", "httpx", "niquests", "pyreqwest", "requestx-pypi"]
    return [
        Row("construct", "Client() and close() with the system's trust store, after the first",
            Spec(mode="sync"), entries(*names), ["httpx"], unit="us", program="py_construct.py"),
        Row("import", "import, over starting Python",
            Spec(mode="sync"), entries(*names, "aiohttp", "pycurl"), ["httpx"], unit="ms",
            program="py_import.py", fixed=10),
    ]


def all_rows():
    return {row.name: row for row in
            [*c_rows(), *async_rows(), *sync_rows(), *body_rows(), *start_rows()]}


@dataclass
class Target:
    """A line of what must be shown: the figure of |label| over that of |ref| in a row."""

    text: str
    row: str
    label: str
    ref: str  # "" = the figure itself, in the row's unit
    goal: float


TARGETS = [
    ("C, 100 streams, over h2load", "c_h2_100", "requestx-c", "h2load", 1.0),
    ("AsyncClient on asyncio, 100 streams, over h2load", "py_h2_100", "requestx", "h2load", 0.7),
    ("C, 100 streams, over libcurl's multi socket API", "c_h2_100", "requestx-c", "libcurl", 3),
    ("AsyncClient on asyncio, 100 streams, over httpx[http2]",
     "py_h2_100", "requestx", "httpx", 40),
    ("AsyncClient, HTTP/1.1, 100 connections, over h2load --h1 -c100",
     "py_h1_100", "requestx", "h2load", 0.5),
    ("AsyncClient, HTTP/1.1, 100 connections, over aiohttp",
     "py_h1_100", "requestx", "aiohttp", 5),
    ("Client, one thread, sequential, over h2load -c1 -m1",
     "sync_h2_1", "requestx", "h2load", 0.8),
    ("Client, 20 threads, over one thread", "threads_h2_20", "requestx", "requestx x1", 3),
    ("C, 100 MB download, over curl --http2", "c_download", "requestx-c", "curl", 1.0),
    ("AsyncClient, 100 MB download, over curl --http2", "py_download", "requestx", "curl", 1.0),
    ("Client, 100 MB download, over curl --http2", "sync_download", "requestx", "curl", 1.0),
    ("C, 100 MB upload, over curl --http2", "c_upload", "requestx-c", "curl", 1.0),
    ("AsyncClient, 100 MB upload, over curl --http2", "py_upload", "requestx", "curl", 1.0),
    ("Client, 100 MB upload, over curl --http2", "sync_upload", "requestx", "curl", 1.0),
    ("Client() + close(), system trust store, after the first (us)",
     "construct", "requestx", "", 100),
    ("import requestx: times quicker than import httpx", "import", "requestx", "httpx", 5),
]


def targets():
    return [Target(*line) for line in TARGETS]
