"""Gets the clients ready: compiles the C ones, makes a venv for each Python one, builds requestx.

Everything goes to the cache folder and is kept for the next run. What cannot be had raises Missing
with the reason, which the report then shows in place of figures.
"""

import os
import shutil
import subprocess
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(BENCH)
CLIENTS = os.path.join(BENCH, "clients")

CFLAGS = ["-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-pthread"]

# venv name -> what pip installs there. uvloop is for the rows that run on it.
VENVS = {
    "httpx": ["httpx[http2]", "uvloop"],
    "aiohttp": ["aiohttp", "uvloop"],
    "niquests": ["niquests", "uvloop"],
    "pyreqwest": ["pyreqwest", "uvloop"],
    "pycurl": ["pycurl", "uvloop"],
    "requestx-pypi": ["requestx", "uvloop"],
    "requestx": ["uvloop"],
}


class Missing(Exception):
    """A client cannot be had on this machine; the text says why."""


def default_cache():
    if os.environ.get("XDG_CACHE_HOME"):
        return os.path.join(os.environ["XDG_CACHE_HOME"], "requestx-bench")
    return os.path.join(BENCH, ".cache")


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def run(command, log=None, **options):
    """Runs |command|; raises Missing with the last line of its errors if it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    except OSError as error:
        raise Missing(str(error)) from error
    if log:
        with open(log, "w") as out:
            out.write(done.stdout)
    if done.returncode != 0:
        where = " (see %s)" % log if log else ""
        raise Missing(last_line(done.stdout) + where)
    return done.stdout


def newest(*folders):
    """The latest change below |folders|, as a time stamp; 0 if there is nothing."""
    stamp = 0.0
    for folder in folders:
        for where, below, names in os.walk(folder):
            below[:] = [name for name in below if not name.startswith((".", "__pycache__"))]
            for name in names:
                stamp = max(stamp, os.path.getmtime(os.path.join(where, name)))
    return stamp


class Provider:
    """Knows where each client is. |prefix| is an installed requestx; None builds this checkout."""

    def __init__(self, cache, python, prefix, say):
        self.cache = cache
        self.python = python
        self.given_prefix = prefix
        self.say = say
        self.memory = {}
        script = "import sys; print('py%d.%d' % sys.version_info[:2])"
        self.tag = run([python, "-c", script]).strip()
        os.makedirs(os.path.join(cache, "bin"), exist_ok=True)

    def _once(self, key, make):
        """Remembers what |make| gave, or that it failed."""
        if key not in self.memory:
            try:
                self.memory[key] = make()
            except Missing as missing:
                self.memory[key] = missing
        if isinstance(self.memory[key], Missing):
            raise self.memory[key]
        return self.memory[key]

    def tool(self, name):
        path = shutil.which(name)
        if not path:
            raise Missing("%s is not installed" % name)
        return path

    def compiled(self, name, sources, flags=(), before=()):
        """The path of the C program |name|, compiled anew if a source is newer than it."""
        def make():
            cc = os.environ.get("CC", "cc").split()
            out = os.path.join(self.cache, "bin", name)
            paths = [os.path.join(CLIENTS, source) for source in sources]
            inputs = [*paths, os.path.join(CLIENTS, "bench_cli.h"), *before]
            if not os.path.exists(out) or any(
                    os.path.getmtime(path) > os.path.getmtime(out) for path in inputs):
                run([*cc, *CFLAGS, "-o", out, *paths, *flags])
            return out
        return self._once("c:" + name, make)

    def measure(self):
        return self.compiled("measure", ["measure.c"])

    def curl_multi(self):
        return self.compiled("curl_multi", ["curl_multi.c", "bench_cli.c"], ["-lcurl"])

    def rqx_bench(self):
        prefix = self.prefix()
        lib = os.path.join(prefix, "lib")
        return self.compiled(
            "rqx_bench", ["rqx_bench.c", "bench_cli.c"],
            ["-I" + os.path.join(prefix, "include"), "-L" + lib, "-Wl,-rpath," + lib, "-lrequestx"],
            [os.path.join(lib, "librequestx.so")])

    def interpreter(self, venv):
        """The python of the venv |venv|, made and filled at the first use."""
        return self._once("venv:" + venv, lambda: self._make_venv(venv))

    def _make_venv(self, name):
        folder = os.path.join(self.cache, "venv-" + self.tag, name)
        python = os.path.join(folder, "bin", "python")
        mark = os.path.join(folder, "scorecard-ready")
        wanted = " ".join(VENVS[name])
        if not (os.path.exists(mark) and open(mark).read() == wanted):
            self.say("making the venv for " + name)
            shutil.rmtree(folder, ignore_errors=True)
            run([self.python, "-m", "venv", folder])
            run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                 *VENVS[name]])
            with open(mark, "w") as out:
                out.write(wanted)
        if name == "requestx":
            self._link_package(folder, python)
        return python

    def _link_package(self, folder, python):
        """Shows the installed requestx to its venv, by a .pth file."""
        version = "python%s" % self.tag[2:]
        package = None
        for base in ("lib", "lib64", "local/lib"):
            for kind in ("site-packages", "dist-packages"):
                path = os.path.join(self.prefix(), base, version, kind)
                if os.path.isdir(os.path.join(path, "requestx")):
                    package = package or path
        if not package:
            raise Missing("no package requestx for %s below %s" % (version, self.prefix()))
        site = os.path.join(folder, "lib", version, "site-packages", "requestx-scorecard.pth")
        with open(site, "w") as out:
            out.write(package + "\n")
        run([python, "-c", "import requestx"])

    def prefix(self):
        """Where requestx is installed: as given, or a release build of this checkout."""
        return self._once("prefix", lambda: self.given_prefix or self._build())

    def _build(self):
        prefix = os.path.join(self.cache, "prefix-" + self.tag)
        mark = os.path.join(prefix, "scorecard-ready")
        inputs = [os.path.join(TOP, name) for name in ("lib", "include", "pyext")]
        extra = [os.path.join(TOP, name) for name in ("configure.ac", "Makefile.am")]
        if not all(os.path.exists(path) for path in extra):
            raise Missing("this checkout has no configure.ac and Makefile.am; give --prefix")
        latest = max(newest(*inputs), *map(os.path.getmtime, extra))
        if os.path.exists(mark) and os.path.getmtime(mark) >= latest:
            return prefix
        self.say("building requestx (log: %s)" % os.path.join(self.cache, "build.log"))
        self._compile(prefix)
        with open(mark, "w"):
            pass
        os.utime(mark, (latest, latest))
        return prefix

    def _compile(self, prefix):
        log = os.path.join(self.cache, "build.log")
        build = os.path.join(self.cache, "build-" + self.tag)
        os.makedirs(build, exist_ok=True)
        if not os.path.exists(os.path.join(TOP, "configure")):
            run(["./bootstrap"], log, cwd=TOP)
        if not os.path.exists(os.path.join(build, "config.status")):
            run([os.path.join(TOP, "configure"), "--prefix=" + prefix, "PYTHON=" + self.python,
                 "CFLAGS=-O2 -g"], log, cwd=build)
        run(["make", "-j2"], log, cwd=build)
        run(["make", "install"], log, cwd=build)

    def versions(self):
        """What was used, for the report: name -> version."""
        found = {"python": run([self.python, "--version"])}
        for name, command in (
                ("nginx", ["nginx", "-v"]), ("h2load", ["h2load", "--version"]),
                ("curl", ["curl", "--version"]), ("openssl", ["openssl", "version"])):
            try:
                env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
                found[name] = " ".join(run(command, env=env).split()[:3])
            except Missing:
                continue
        script = ("import importlib.metadata as m; print(' '.join(sorted("
                  "d.metadata['Name'] + '=' + d.version for d in m.distributions())))")
        for key, value in self.memory.items():
            if key.startswith("venv:") and not isinstance(value, Missing):
                found[key] = run([value, "-c", script])
        return {name: text.strip() for name, text in found.items()}


def default_python():
    return shutil.which("python3") or sys.executable
