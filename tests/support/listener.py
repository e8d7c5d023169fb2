"""What every scripted server shares: a listening socket, one accept loop, one thread per
connection, a clean end."""

import socket
import ssl
import threading
import time

from .process import format_host
from .wire import Closed, Stopped, Wire

JOIN_TIMEOUT = 15.0


class ScriptedServer:
    """A subclass gives `serve(wire, number)`, which runs in the connection's thread.

    Exceptions of that thread, other than Closed and Stopped, are raised at the end of the `with`
    block.
    """

    scheme = "http"

    def __init__(
        self,
        ca=None,
        *,
        cert="server",
        alpn=None,
        host="127.0.0.1",
        port=0,
        check=True,
        ask_client=False,
        tls_context=None,
        backlog=1024,
    ):
        self.ca = ca
        self.check = check
        self.errors = []
        self.tls_failures = []  # what went wrong in handshakes that did not finish, in order
        self.context = tls_context
        if ca is not None and tls_context is None:
            self.context = ca.server_context(cert, alpn, ask_client)
        if self.context is not None:
            self.scheme = "https"
            self.context.sni_callback = _remember_sni
        self.changed = threading.Condition()
        self.accepted = 0
        self._closed = False
        self._threads = []
        self._listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=backlog
        )
        self.host, self.port = self._listener.getsockname()[:2]
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._accepting = threading.Thread(
            target=self._accept, name=f"accept-{self.port}", daemon=True
        )
        self._accepting.start()

    # for the tests

    def url(self, path="/", host=None, scheme=None):
        return f"{scheme or self.scheme}://{format_host(host or self.host)}:{self.port}{path}"

    @property
    def address(self):
        return f"{format_host(self.host)}:{self.port}"

    def wait(self, condition, timeout=10.0, what=None):
        """Returns the first true value of `condition()`, tried whenever a connection has news."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited {timeout:g} s for {what or condition}; {self.describe()}"
                )
            with self.changed:
                self.changed.wait(0.02)

    def describe(self):
        """A line for failure messages."""
        return f"{self.accepted} connections accepted, errors {self.errors}"

    def notify(self):
        """Wakes those in `wait`."""
        with self.changed:
            self.changed.notify_all()

    # life

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
        if kind is None and self.check:
            self.verify()

    def verify(self):
        """Raises what went wrong in a script."""
        if self.errors:
            raise self.errors[0]

    def stop_listening(self):
        """From now on the port refuses; connections go on."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def close(self):
        """Ends every connection and thread; may be called again."""
        if self._closed:
            return
        self._closed = True
        self.stop_listening()
        self._stop_writer.close()
        self._accepting.join(JOIN_TIMEOUT)
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        self._stop_reader.close()
        if stuck:
            raise RuntimeError(f"scripts that do not end: {stuck}")

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number = self.accepted
            self.accepted += 1
            thread = threading.Thread(
                target=self._run,
                args=(sock, number),
                name=f"conn-{self.port}-{number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def _run(self, sock, number):
        wire = Wire(sock, self._stop_reader.fileno())
        try:
            if self.context is None or self._handshake(wire):
                self.serve(wire, number)
        except (Closed, Stopped):
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            wire.close()
            self.notify()

    def _handshake(self, wire):
        try:
            wire.start_tls(self.context)
            return True
        except (ssl.SSLError, Closed, TimeoutError) as error:
            self.tls_failures.append(str(error))
            return False

    def serve(self, wire, number):
        """One connection, from after its TLS handshake."""
        raise NotImplementedError


def _remember_sni(tls, name, context):
    tls.sni = name
