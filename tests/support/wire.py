"""A nonblocking socket, plain or TLS, for scripted peers: an input buffer, an output buffer, and
one step that moves both.

TLS goes through memory BIOs, so that a script can also cut the byte stream inside a record or write
below TLS. Reading goes on while output is stuck, hence a peer cannot deadlock with a client that is
itself writing.
"""

import select
import socket
import ssl
import struct
import threading
import time

READ_SIZE = 256 * 1024


class Stopped(Exception):
    """The server is being closed; ends the thread silently."""


class Closed(Exception):
    """The other side has closed or reset the connection, and the script wanted more from it."""


class Wire:
    """Belongs to one thread. `stop_fd` becomes readable when the server stops."""

    def __init__(self, sock, stop_fd):
        self.sock = sock
        self.input = bytearray()
        self.output = bytearray()  # below TLS: what goes to the socket
        self._writing = threading.Lock()  # a test may close what the server's thread writes to
        self.bytes_read = 0  # after decryption
        self.eof = False  # no more input: FIN, RST or close_notify
        self.was_reset = False
        self.got_close_notify = False
        self.tls = None
        self.closed = False
        self.output_ended = False
        self.read_paused = False
        self._incoming = self._outgoing = None
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()
        self._poll.register(stop_fd, select.POLLIN)
        self._stop_fd = stop_fd
        self._mask = 0

    # TLS

    def start_tls(self, context, timeout=10.0):
        """The server's side of a handshake; raises ssl.SSLError, Closed or TimeoutError."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        if self.input:
            self._incoming.write(bytes(self.input))
            self.input.clear()
        deadline = time.monotonic() + timeout
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._take_outgoing()
                self._await_raw(deadline)
            except ssl.SSLError:
                self._take_outgoing()
                self.try_write()
                raise
        self._take_outgoing()
        self.tls = tls
        self._decrypt()
        self.try_write()

    def _await_raw(self, deadline):
        if not self.step(deadline) and time.monotonic() > deadline:
            raise TimeoutError("TLS handshake")
        if self.eof and not self._incoming.pending:
            raise Closed("during the TLS handshake")

    def _take_outgoing(self):
        if self._outgoing.pending:
            self.output += self._outgoing.read()

    def _decrypt(self):
        try:
            while True:
                data = self.tls.read(READ_SIZE)
                if not data:
                    self.eof = self.got_close_notify = True
                    break
                self.input += data
                self.bytes_read += len(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.eof = self.got_close_notify = True
        except ssl.SSLError:
            self.eof = True
        self._take_outgoing()

    # moving bytes

    def step(self, deadline=None):
        """Writes what it can, then waits until `deadline` (None: for ever) to move something either
        way.

        True when input has come or nothing more will; False when the time is up or only output has
        moved."""
        self.try_write()
        if self.eof and not self.output:
            return True
        mask = 0 if self.eof or self.read_paused else select.POLLIN
        self._arm(mask | (select.POLLOUT if self.output else 0))
        arrived = False
        for fd, what in self._poll.poll(_milliseconds(deadline)):
            if fd == self._stop_fd:
                raise Stopped
            if what & (select.POLLOUT | select.POLLERR | select.POLLHUP):
                self.try_write()
            if mask and what & (select.POLLIN | select.POLLERR | select.POLLHUP):
                arrived = self.try_read()
        return arrived or self.eof

    def idle(self, deadline):
        """Waits until `deadline` without touching the socket."""
        self._arm(0)
        if self._poll.poll(_milliseconds(deadline)):
            raise Stopped

    def _arm(self, mask):
        if mask == self._mask:
            return
        if self._mask:
            self._poll.unregister(self.sock)
        if mask:
            self._poll.register(self.sock, mask)
        self._mask = mask

    def try_write(self):
        """Writes what the kernel takes now."""
        with self._writing:
            while self.output and not self.closed:
                try:
                    sent = self.sock.send(self.output[:READ_SIZE])
                except (BlockingIOError, InterruptedError):
                    return
                except OSError:
                    self._broken()
                    return
                del self.output[:sent]

    def _broken(self):
        self.output.clear()
        self.eof = self.was_reset = True

    def try_read(self):
        """Reads what is there now; True when input or EOF came of it."""
        try:
            data = self.sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._broken()
            return True
        if not data:
            self.eof = True
            if self._incoming is not None:
                self._incoming.write_eof()
        elif self._incoming is None:
            self.input += data
            self.bytes_read += len(data)
        else:
            self._incoming.write(data)
        if self.tls is not None:
            before = len(self.input)
            self._decrypt()
            return self.eof or len(self.input) > before
        return True

    # output

    def write(self, data):
        """Queues application bytes; `flush` or the next `step` sends them."""
        if self.closed or self.was_reset or self.output_ended:
            return
        if self.tls is None:
            self.output += data
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self.tls.write(view[:READ_SIZE]) :]
        except ssl.SSLError:
            # OpenSSL refuses to write once the client has broken the session off.
            self.output_ended = True
        finally:
            view.release()
        self._take_outgoing()

    def write_below_tls(self, data):
        """Queues bytes for the socket itself, whether or not TLS is on."""
        self.output += data

    def flush(self, timeout=10.0):
        """Waits until everything queued is with the kernel, reading meanwhile."""
        deadline = time.monotonic() + timeout
        self.try_write()
        while self.output:
            self.step(deadline)
            if self.output and time.monotonic() > deadline:
                raise TimeoutError(f"the client does not read: {len(self.output)} bytes are left")

    # ends

    def close_notify(self):
        """Sends TLS's close alert and keeps the socket."""
        if self.tls is not None and not self.closed:
            try:
                self.tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass
            self._take_outgoing()
            self.try_write()

    def half_close(self):
        """FIN: no more output, without a word from TLS."""
        self.try_write()
        self.output_ended = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end_output(self):
        """close_notify where TLS is on, then FIN; input goes on."""
        if not self.closed and not self.output_ended:
            self.close_notify()
            self.half_close()

    def close(self):
        """An orderly end of both directions. Input that was not read turns it into a TCP RST."""
        if not self.closed:
            self.try_write()
            self.end_output()
            self._forget()

    def abort(self):
        """A TCP RST."""
        if not self.closed:
            self.try_write()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._forget()

    def _forget(self):
        self._arm(0)
        self.closed = self.eof = True
        self.output.clear()
        self.sock.close()


def _milliseconds(deadline):
    """poll's timeout; a deadline in the future never rounds to a busy zero."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    return left * 1000 + 1 if left > 0 else 0
