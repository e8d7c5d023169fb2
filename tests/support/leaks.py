"""What this process has left running or listening, read from /proc."""

import os
from pathlib import Path

_LISTEN = "0A"
# Python's own helpers, which live as long as the interpreter.
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def children():
    """{pid: command line} of every descendant that has not been waited for."""
    found, wanted = {}, [os.getpid()]
    parents = _parents()
    while wanted:
        parent = wanted.pop()
        for pid in [pid for pid, of in parents.items() if of == parent]:
            command = _command(pid)
            wanted.append(pid)
            if not any(helper in command for helper in _HELPERS):
                found[pid] = command
    return found


def _parents():
    result = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            # The command name may hold anything; what follows its last parenthesis is regular.
            result[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    return result


def _command(pid):
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
            .strip()
        )
    except OSError:
        return ""


def listening_ports():
    """TCP ports on which this very process listens."""
    inodes = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        if os.path.exists(table):
            ports |= _ports_of(Path(table).read_text(), inodes)
    return ports


def _ports_of(table, inodes):
    rows = [line.split() for line in table.splitlines()[1:]]
    return {
        int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTEN and row[9] in inodes
    }
