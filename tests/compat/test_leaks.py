"""Many requests of each kind, in a process of their own: objects, descriptors and memory stay as they are.

`RQX_LEAK_REQUESTS=100000 pytest -o faulthandler_timeout=0 tests/compat/test_leaks.py` is the whole measure, of 100,000 requests of
every kind, an hour or two of them; `RQX_LEAK_FIGURES=FILE` keeps its figures, a line of JSON for each kind. Without the first
there are 2,000 of each, 200 of the slow ones: as many as show a leak of an object or of some hundred bytes in each request.
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
from support.servers import Tinyproxy

WHOLE = "RQX_LEAK_REQUESTS" in os.environ
# A sanitizer counts every byte, so that fewer show it.
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
REQUESTS = int(os.environ.get("RQX_LEAK_REQUESTS", 200 if SANITIZED else 2000))


@pytest.fixture(scope="module")
def places(ca, nginx, server_dir):
    """Where the kinds go."""
    with Faulty() as faulty, BlackHole() as black, Tinyproxy(server_dir, quiet=True) as tinyproxy:
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
    count = REQUESTS if WHOLE or kind not in SLOW else REQUESTS // 10
    command = [sys.executable, "-m", "support.leak_kinds", kind, str(count), json.dumps(places)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout.strip())
    grown = json.loads(done.stdout)
    if "RQX_LEAK_FIGURES" in os.environ:
        with open(os.environ["RQX_LEAK_FIGURES"], "a") as figures:
            figures.write(done.stdout)
    # Caches fill, and what one request left the next frees; a leak is a part of every request.
    assert abs(grown["objects"]) < 200, grown
    assert grown["blocks"] < 1000, grown
    assert grown["descriptors"] == 0, grown
    # an idle connection takes some hundred KiB, and how many are idle differs where requests over HTTP/1.1 are given up
    assert grown["heap"] < 128 + 100 * max(0, grown["connections"]), grown
    assert SANITIZED or grown["resident"] < 4096, grown  # a sanitizer keeps what is free
