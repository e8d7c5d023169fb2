"""Ten thousand requests of each kind beyond the plain ones, in a process of their own: objects, descriptors and memory
stay as they are.  The plain ones are in integration/test_py_leaks.py."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, gc, os, resource, sys
import requestx

url, ca, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def figures():
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    return len(gc.get_objects()), len(os.listdir("/proc/self/fd")), pages * resource.getpagesize() // 1024


def compare(before):
    objects, descriptors, kib = (late - early for early, late in zip(before, figures()))
    print(f"objects {objects:+d}, descriptors {descriptors:+d}, memory {kib:+d} KiB")
    assert abs(objects) < 200 and descriptors == 0 and kib < 4096


def run(client, one):
    with client:
        for _ in range(count // 10):
            one(client)
        before = figures()
        for _ in range(count):
            one(client)
        compare(before)


async def arun(client, one):
    async with client:
        for _ in range(count // 10):
            await one(client)
        before = figures()
        for _ in range(count):
            await one(client)
        compare(before)


"""

HTTPX = "import httpx, ssl\ntls = ssl.create_default_context(cafile=ca)\n"
SYNC = HTTPX + "client = httpx.Client(transport=requestx.HTTPXTransport(verify=tls))\n"
ASYNC = HTTPX + "client = httpx.AsyncClient(transport=requestx.AsyncHTTPXTransport(verify=tls))\n"
OURS = "client = requestx.Client(ca_bundle=ca)\n"

KINDS = {
    "httpx": SYNC + "run(client, lambda c: c.get(url + '/small'))",
    "httpx_upload": SYNC + "run(client, lambda c: c.post(url + '/post', content=iter([b'x'] * 3)))",
    "httpx_unread": SYNC + "def one(c):\n with c.stream('GET', url + '/64k'): pass\nrun(client, one)",
    "httpx_awaited": ASYNC + "asyncio.run(arun(client, lambda c: c.get(url + '/small')))",
    "redirect": OURS + "run(client, lambda c: c.get(url + '/redirect', follow_redirects=True))",
    "auth_flow": OURS + "run(client, lambda c: c.get(url + '/auth', auth=requestx.Auth.digest('u', 'p')))",
    "status_error": OURS + "def one(c):\n try: c.get(url + '/status/404').raise_for_status()\n"
    " except requestx.HTTPStatusError: pass\nrun(client, one)",
    "http1": "client = requestx.Client(ca_bundle=ca, http2=False)\nrun(client, lambda c: c.get(url + '/small'))",
    "trio": "import trio\ntrio.run(arun, requestx.AsyncClient(ca_bundle=ca), lambda c: c.get(url + '/small'))",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_flat(ca, nginx, kind):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + KINDS[kind], nginx.https_url(""), ca.ca_file, "10000"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
