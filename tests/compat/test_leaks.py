"""Many requests of each kind, in a process of their own: objects, descriptors and memory stay as they are.

`RQX_LEAK_REQUESTS=100000 pytest -rP -o faulthandler_timeout=0 tests/compat/test_leaks.py` is the whole measure, which takes an hour, and shows the
figures. Without the variable there are as many as show a leak of an object or of some hundred bytes in each request.
More of the plain kinds are in integration/test_py_leaks.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.blackhole import BlackHole
from support.faulty import Faulty
from support.leak_kinds import KINDS, SLOW

WHOLE = "RQX_LEAK_REQUESTS" in os.environ
# Each response that is given up costs a connection, or leaves it idle: as many as may be idle are more or less by chance.
GIVEN_UP = ("sync_dropped", "sync_closed_early", "awaited_closed_early", "cancelled", "wait_for")
STILL_OPEN = {f"{kind}_http1": 20 for kind in GIVEN_UP} | {"trio_cancelled": 1}
# Of asyncio's own making: with httpx in our place it is as much.
KIB = {"asgi_application": 8192}
# A sanitizer counts every byte, so that fewer show it.
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
REQUESTS = int(os.environ.get("RQX_LEAK_REQUESTS", 500 if SANITIZED else 2000))


@pytest.fixture(scope="module")
def places(ca, nginx, tinyproxy):
    """Where the kinds go."""
    with Faulty() as faulty, BlackHole() as black:
        yield {
            "tls": nginx.https_url("").rstrip("/"),
            "plain": nginx.http_url("").rstrip("/"),
            "faulty": faulty.url(""),
            "proxy": tinyproxy.url,
            "black": f"http://127.0.0.1:{black.port}/",
            "ca": ca.ca_file,
        }


@pytest.mark.slow
@pytest.mark.timeout(3600 if WHOLE else 60)
@pytest.mark.parametrize("kind", KINDS)
def test_flat(places, kind):
    count = REQUESTS // SLOW.get(kind, 1)
    command = [sys.executable, "-m", "support.leak_kinds", kind, str(count), json.dumps(places)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout.strip())
    grown = json.loads(done.stdout)
    # Caches fill, and what one request left the next frees; a leak is a part of every request.
    assert abs(grown["objects"]) < 200, grown
    assert grown["blocks"] < 1000, grown
    assert grown["descriptors"] <= STILL_OPEN.get(kind, 0), grown  # fewer: what was idle at first was closed
    assert grown["kib"] < (128 + 100 * STILL_OPEN.get(kind, 0) if SANITIZED else KIB.get(kind, 4096)), grown
