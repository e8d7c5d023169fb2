"""A poor network between a client and a server on loopback: netrelay.c, which `make check` builds.

    with NetRelay(server_port) as net:
        net.delay(25)                      # ms, each way
        net.bandwidth(1e9, "down")         # bits a second
        client.get(f"https://localhost:{net.port}/")
        net.fault("reset", after=10_000)   # the next connection: RST after so many bytes to the client
        net.stats()                        # accepted, open, up, down, faults, queued, queued_max

What can be set is told at the head of the C file. All of it may be called from any thread.
"""

import json
import os
import subprocess
import threading
from pathlib import Path

from .process import dying_with_parent


def find_netrelay():
    """The program's path, or None: beside the probe that RQX_PROBE names, else in the build directory."""
    here = Path(__file__).resolve()
    places = [here.parents[2], here.parents[2] / "build", Path.cwd()]
    if os.environ.get("builddir"):
        places.insert(0, Path(os.environ["builddir"]))
    if os.environ.get("RQX_PROBE"):
        places.insert(0, Path(os.environ["RQX_PROBE"]).resolve().parents[2])
    for place in places:
        path = place / "tests" / "support" / "netrelay"
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return None


class NetRelay:
    def __init__(self, target, program=None):
        program = program or find_netrelay()
        if program is None:
            raise FileNotFoundError("netrelay was not built: make check_PROGRAMS")
        environment = dict(os.environ)
        environment.pop("LD_PRELOAD", None)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            dying_with_parent([program, str(target)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        word, port = self._process.stdout.readline().split()
        assert word == "listening"
        self.port = int(port)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()

    def command(self, *words):
        """One line; its answer."""
        with self._lock:
            self._process.stdin.write(" ".join(map(str, words)) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().rstrip("\n")
        if not answer or answer.startswith("error"):
            raise ValueError(answer or "the relay ended")
        return answer

    def url(self, path="/", scheme="https", host="localhost"):
        return f"{scheme}://{host}:{self.port}{path}"

    def bandwidth(self, bits, direction="both"):
        self.command("bandwidth", direction, int(bits))

    def delay(self, ms, direction="both"):
        self.command("delay", direction, ms)

    def jitter(self, ms, direction="both", seed=1):
        self.command("seed", seed)
        self.command("jitter", direction, ms)

    def stall(self, direction="both"):
        self.command("stall", direction)

    def resume(self, direction="both"):
        self.command("resume", direction)

    def cut(self):
        """The cable is pulled: the connections that are there are dead, and nobody is told."""
        self.command("cut")

    def reset(self):
        """RST to both ends of the connections that are there."""
        self.command("reset")

    def end(self):
        """FIN to both ends of the connections that are there."""
        self.command("close")

    def fault(self, kind, after=0, direction="down", times=1):
        """Each of the next `times` connections is reset, half-closed ("half-close") or stalled ("stall") once so many
        bytes of the direction were delivered."""
        self.command("fault", kind, direction, after, times)

    def refuse(self):
        """Connecting is refused from now on."""
        self.command("refuse")

    def accept(self):
        """Connecting works again, on the same port."""
        self.command("accept")

    def target(self, port):
        self.command("target", port)

    def stats(self):
        return json.loads(self.command("stats"))
