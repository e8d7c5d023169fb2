"""A hundred thousand requests of each kind in a process of its own: objects, descriptors and memory stay flat.

Of clients and loops that come and go it is a thousand, or half of that; compat/test_leaks.py makes as many as it is told to.
"""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import asyncio, ctypes, gc, os, resource, sys
import requestx

url, ca, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
count -= count % 100


def memory():
    # A sanitizer keeps what is free, and counts what is not.
    try:
        allocated = ctypes.CDLL(None).__sanitizer_get_current_allocated_bytes
    except AttributeError:
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 1024
    allocated.restype = ctypes.c_size_t
    return allocated() // 1024


def figures(client):
    # The engine's connections are no leak: where every request is given up at once, it may have none yet, or one.
    gc.collect()
    connections = client._transport._pool.stats()["connections_open"]
    return len(gc.get_objects()), len(os.listdir("/proc/self/fd")) - connections, memory()


def compare(before, after):
    objects, descriptors, kib = (late - early for early, late in zip(before, after))
    print(f"objects {objects:+d}, descriptors {descriptors:+d}, memory {kib:+d} KiB")
    assert abs(objects) < 200, (before, after)
    assert descriptors == 0, (before, after)
    assert kib < 4096, (before, after)


def run_sync(one):
    with requestx.Client(ca_bundle=ca, timeout=30) as client:
        for _ in range(count // 10):
            one(client)
        before = figures(client)
        for _ in range(count):
            one(client)
        compare(before, figures(client))


def run_async(one):
    async def worker(client, turns):
        for _ in range(turns):
            await one(client)

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca, timeout=30) as client:
            await asyncio.gather(*(worker(client, count // 1000) for _ in range(100)))
            before = figures(client)
            await asyncio.gather(*(worker(client, count // 100) for _ in range(100)))
            compare(before, figures(client))

    asyncio.run(main())


"""

KINDS = {
    "sync_fast": (1, "def one(c): c.get(url)\nrun_sync(one)"),
    "sync_everything_asked": (
        1,
        "def one(c):\n r = c.post(url, json={'a': 1}, headers={'x': 'y'}, auth=('u', 'p'))\n"
        " r.text, r.headers, r.request.headers, r.request.content, r.request.extensions, r.elapsed, r.timings\n"
        " r.extensions, r.trailers, r.stream\n"
        "run_sync(one)",
    ),
    "sync_slow": (1, "def one(c): c.get(url, extensions={})\nrun_sync(one)"),
    "sync_stream": (1, "def one(c):\n with c.stream('GET', url) as r: r.read()\nrun_sync(one)"),
    "sync_upload": (1, "def one(c): c.post(url, content=iter([b'x' * 100] * 3))\nrun_sync(one)"),
    "sync_large_body": (2, "body = bytes(50_000)\ndef one(c): c.post(url, content=body)\nrun_sync(one)"),
    "sync_error": (
        1,
        "def one(c):\n try: c.get(url, headers={'a': 'b\\n'})\n"
        " except requestx.LocalProtocolError: pass\nrun_sync(one)",
    ),
    "sync_failing_upload": (
        1,
        "def body():\n yield b'x'\n raise ZeroDivisionError\n"
        "def one(c):\n try: c.post(url, content=body())\n except ZeroDivisionError: pass\nrun_sync(one)",
    ),
    "async_fast": (1, "async def one(c): await c.get(url)\nrun_async(one)"),
    "async_slow": (1, "async def one(c): await c.get(url, extensions={})\nrun_async(one)"),
    "async_stream": (
        1,
        "async def one(c):\n async with c.stream('GET', url) as r: await r.aread()\nrun_async(one)",
    ),
    "async_cancelled": (
        1,
        "async def one(c):\n t = asyncio.ensure_future(c.get(url)); await asyncio.sleep(0); t.cancel()\n"
        " try: await t\n except asyncio.CancelledError: pass\nrun_async(one)",
    ),
    "async_timeout": (
        1,
        "async def one(c):\n try: await asyncio.wait_for(c.get(url), 0.0001)\n"
        " except asyncio.TimeoutError: pass\nrun_async(one)",
    ),
    "async_upload": (
        1,
        "async def body():\n for _ in range(3): yield b'x' * 100\n"
        "async def one(c): await c.post(url, content=body())\nrun_async(one)",
    ),
    "clients": (
        100,
        "def one(c):\n with requestx.Client(ca_bundle=ca) as d: d.get(url)\nrun_sync(one)",
    ),
    "async_clients": (
        100,
        "async def one(c):\n async with requestx.AsyncClient(ca_bundle=ca) as d: await d.get(url)\nrun_async(one)",
    ),
    "loops": (
        200,
        "shared = requestx.AsyncClient(ca_bundle=ca)\n"
        "async def once(): await shared.get(url)\n"
        "def one(c): asyncio.run(once())\nrun_sync(one)",
    ),
}


# With a sanitizer everything takes much longer, but it counts every byte: fewer show as much.
REQUESTS = 5_000 if "libasan" in os.environ.get("LD_PRELOAD", "") else 100_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_flat(ca, nginx, kind):
    part, body = KINDS[kind]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PROGRAM) + body,
            nginx.https_url("/small"),
            ca.ca_file,
            str(REQUESTS // part),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
