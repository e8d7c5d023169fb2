"""The Responder peer in a process of its own: for tests that watch the client's memory, or its
speed without a shared GIL.

Started as a module it is that process: options as JSON in its argument, one JSON line out per line
in.
"""

import json
import ssl
import subprocess
import sys
import time

from .process import PYTHON, dying_with_parent, python_environment


class PeerProcess:
    """`options` are Peer's that JSON can hold (no scripts, no handlers). `summary()` is
    Peer.summary()."""

    def __init__(self, ca=None, *, cert="server", **options):
        pair = ca.pair(cert) if ca is not None else None
        self.scheme = "https" if pair else "http"
        self._process = subprocess.Popen(
            dying_with_parent([PYTHON, "-m", "support.peer_process", json.dumps({"pair": pair, "options": options})]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=python_environment(),
        )
        try:
            self.port = self._ask("port")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    @property
    def pid(self):
        return self._process.pid

    def url(self, path="/", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def summary(self):
        """A dict of figures per connection; see Peer.summary."""
        return self._ask("summary")

    def one(self):
        """The figures of the only connection there has been."""
        (figures,) = self.summary()
        return figures

    def wait(self, condition, timeout=10.0, what=None):
        """Asks for the summary until `condition(summary)` is true, and returns that summary."""
        deadline = time.monotonic() + timeout
        while True:
            summary = self.summary()
            if condition(summary):
                return summary
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} s for {what or condition}; {summary}")
            time.sleep(0.01)

    def _ask(self, word):
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer's process has ended: {self._process.wait()}")
        return json.loads(line)

    def close(self):
        """Ends the process; may be called again."""
        if self._process.stdin.closed:
            return
        self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def main(argument):
    """Serves until standard input ends."""
    from .peer import Peer

    given = json.loads(argument)
    context = _context(given["pair"], given["options"].pop("alpn", ["h2"]))
    with Peer(tls_context=context, check=False, **given["options"]) as peer:
        for line in sys.stdin:
            answer = {"port": lambda: peer.port, "summary": peer.summary}[line.strip()]()
            print(json.dumps(answer), flush=True)


def _context(pair, alpn):
    if pair is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.set_alpn_protocols(alpn)
    return context


if __name__ == "__main__":
    main(sys.argv[1])
