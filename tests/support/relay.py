"""Moves bytes between two wires until both directions have ended; for proxies and tunnels."""

import select
import socket

from .wire import Stopped, Wire

_HIGH = 1 << 20


def connect(host, port, stop_fd, timeout=5.0):
    """A Wire to the address; raises OSError."""
    return Wire(socket.create_connection((host, port), timeout=timeout), stop_fd)


def relay(first, second, stop_fd, count=None):
    """Each side's input becomes the other's output; an end is passed on as FIN. `count(index,
    bytes)` is told of data."""
    wires = (first, second)
    while True:
        for index, (source, target) in enumerate(((first, second), (second, first))):
            _move(source, target, index, count)
        if all(wire.eof and not wire.input and not wire.output for wire in wires):
            return
        if any(wire.was_reset for wire in wires):
            for wire in wires:
                wire.abort()
            return
        _wait(wires, stop_fd)


def _move(source, target, index, count):
    if source.input and len(target.output) < _HIGH:
        data = bytes(source.input)
        source.input.clear()
        if count is not None:
            count(index, data)
        target.write(data)
        target.try_write()
    if source.eof and not source.input and not target.output and not target.output_ended:
        target.end_output()


def _wait(wires, stop_fd):
    poll = select.poll()
    poll.register(stop_fd, select.POLLIN)
    by_fd = {}
    for wire, other in (wires, wires[::-1]):
        mask = (not wire.eof and len(other.output) < _HIGH) * select.POLLIN | bool(
            wire.output
        ) * select.POLLOUT
        if mask:
            by_fd[wire.sock.fileno()] = wire
            poll.register(wire.sock, mask)
    for fd, what in poll.poll():
        if fd == stop_fd:
            raise Stopped
        if what & (select.POLLOUT | select.POLLERR):
            by_fd[fd].try_write()
        if what & (select.POLLIN | select.POLLHUP | select.POLLERR) and not by_fd[fd].eof:
            by_fd[fd].try_read()
