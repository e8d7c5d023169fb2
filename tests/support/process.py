"""Starting and stopping a real server: free ports, a log, and waits that end as soon as the
condition holds.

A child gets SIGTERM from the kernel if the thread that started it dies, so that even a test run
that is killed leaves no server behind. Start servers from a thread that outlives them (the main
one, as fixtures do).
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT = 20.0
STOP_TIMEOUT = 10.0
_FIRST_PORT = 10240
_WORKERS = 16


class StartError(RuntimeError):
    """The server did not come up; the text ends with its log."""


def has_ipv6():
    """Whether ::1 can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def free_ports(count):
    """`count` different TCP ports that are free on 127.0.0.1 and, where there is one, on ::1."""
    held = []
    try:
        while len(held) < count:
            held.append(_hold_port())
        return [sock.getsockname()[1] for sock, _ in held]
    finally:
        for pair in held:
            for sock in filter(None, pair):
                sock.close()


def _port_range():
    """Ports for servers that are started again: the kernel gives none of them to anybody who asks for any port, and no other
    worker of pytest looks there, so that they are still free while their server is down."""
    try:
        above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        above = 32768
    width = (above - _FIRST_PORT) // _WORKERS
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    start = _FIRST_PORT + worker * width
    return range(start, start + width)


def _hold(family, address, port):
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        return None
    return sock


def _hold_port():
    ports = _port_range()
    for _ in range(200):
        port = random.SystemRandom().choice(ports)
        v4 = _hold(socket.AF_INET, "127.0.0.1", port)
        if v4 is None:
            continue
        if not has_ipv6():
            return v4, None
        v6 = _hold(socket.AF_INET6, "::1", port)
        if v6 is not None:
            return v4, v6
        v4.close()
    raise StartError("no port is free on both loopback addresses")


def wait_until(condition, timeout=10.0, what=None, interval=0.005):
    """Returns the first true value of `condition()`, or raises AssertionError when `timeout` has
    passed."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout:g} s for {what or condition}")
        time.sleep(interval)


def accepts(port, host="127.0.0.1"):
    """Whether something accepts connections on the port."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def dying_with_parent(command):
    """The command of a child that gets SIGTERM if its parent dies.

    Not by a preexec_fn: that runs Python in a copy of this process without its other threads, which may have held locks of
    malloc()'s. Under a sanitizer such a child hangs now and then.
    """
    return ["setpriv", "--pdeathsig", "TERM", "--", *command]


def _kill_group(process):
    """Each server leads a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def format_host(host):
    """The host as a URL writes it."""
    return f"[{host}]" if ":" in host else host


class Server:
    """Base of the real servers. A subclass names its ports in PORTS (name -> URL scheme) and gives
    `command()`s."""

    NAME = "server"
    PORTS = {}
    url_host = "localhost"

    def __init__(self, directory):
        self.dir = Path(directory) / f"{self.NAME}-{os.getpid()}-{id(self):x}"
        self.dir.mkdir(parents=True)
        self.log_path = self.dir / "log"
        self.ports = {}
        self.processes = []

    # what a subclass gives

    def configure(self):
        """Writes the configuration for self.ports; called before each first start."""

    def commands(self):
        """One argument list per process."""
        raise NotImplementedError

    def environment(self):
        """The environment of the processes."""
        return dict(os.environ)

    # life

    def __enter__(self):
        try:
            for attempt in range(5):
                self.ports = dict(zip(self.PORTS, free_ports(len(self.PORTS))))
                self.configure()
                try:
                    return self.start()
                except StartError as error:
                    # Another process may have taken one of the ports since it was found free.
                    if "in use" not in str(error) or attempt == 4:
                        raise
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *exc_info):
        self.stop()

    def start(self):
        """Starts the processes on the ports already chosen and waits until each port accepts."""
        with open(self.log_path, "ab") as log:
            self.processes = [
                subprocess.Popen(
                    dying_with_parent(command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.dir,
                    env=self.environment(),
                    start_new_session=True,
                )
                for command in self.commands()
            ]
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_ready(self):
        deadline = time.monotonic() + START_TIMEOUT
        for name, port in self.ports.items():
            while not accepts(port):
                gone = [p for p in self.processes if p.poll() is not None]
                if gone or time.monotonic() > deadline:
                    why = f"exit status {gone[0].returncode}" if gone else "it does not accept"
                    raise StartError(
                        f"{self.NAME}: {name} port {port}: {why}\n{self.log()[-4000:]}"
                    )
                time.sleep(0.01)
        # A port may have been answered by a stranger: our own processes must be the ones alive.
        for process in self.processes:
            if process.poll() is not None:
                raise StartError(
                    f"{self.NAME}: exit status {process.returncode}\n{self.log()[-4000:]}"
                )

    def stop(self, sig=signal.SIGTERM):
        """Ends the processes in good order, by force after STOP_TIMEOUT; may be called again."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(sig)
        for process in self.processes:
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                pass
            _kill_group(process)  # workers whose master died before it could end them
        self.processes = []

    def kill(self):
        """SIGKILL, for worker processes too: connections break without a word."""
        for process in self.processes:
            _kill_group(process)
        self.processes = []

    def restart(self):
        """Stops and starts again on the same ports."""
        self.stop()
        return self.start()

    @property
    def running(self):
        return bool(self.processes) and all(p.poll() is None for p in self.processes)

    @property
    def pid(self):
        return self.processes[0].pid

    def log(self):
        """What the processes have written so far."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    # addresses: NAME_port and NAME_url(path, host) for each name in PORTS

    def __getattr__(self, attribute):
        name, _, kind = attribute.rpartition("_")
        if name in type(self).PORTS and kind == "port":
            return self.ports[name]
        if name in type(self).PORTS and kind == "url":
            return lambda path="/", host=None: self.url(path, name, host)
        raise AttributeError(attribute)

    def url(self, path="/", port=None, host=None):
        """The URL of `path` on the port of that name (the first one of PORTS by default)."""
        port = port or next(iter(self.PORTS))
        return f"{self.PORTS[port]}://{format_host(host or self.url_host)}:{self.ports[port]}{path}"


def python_environment():
    """For Python servers: this interpreter's environment, with the tests' folder on the path."""
    env = dict(os.environ, PYTHONUNBUFFERED="1")
    tests = str(Path(__file__).resolve().parent.parent)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, env.get("PYTHONPATH")]))
    # Sanitizer runtimes are preloaded for the client under test alone.
    env.pop("LD_PRELOAD", None)
    return env


# What runs the Python servers: what they import is not to be had for each interpreter that the tests run in.
PYTHON = os.environ.get("RQX_TEST_PYTHON", sys.executable)
