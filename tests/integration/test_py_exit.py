"""Programs that end without closing anything: no crash, no warning, no hang."""

import subprocess
import sys

import pytest

HEAD = """
import asyncio, logging, sys, threading, time
import requestx
logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode tells of slow callbacks
small, large, slow, ca = sys.argv[1:]
"""

PROGRAMS = {
    "client": "client = requestx.Client(ca_bundle=ca)\nclient.get(small)",
    "async_client": (
        "client = requestx.AsyncClient(ca_bundle=ca)\nasync def main(): await client.get(small)\nasyncio.run(main())"
    ),
    "stream": (
        "client = requestx.Client(ca_bundle=ca)\n"
        "response = client.send(client.build_request('GET', large), stream=True)\n"
        "parts = response.iter_raw()\nnext(parts)"
    ),
    "async_stream": (
        "client = requestx.AsyncClient(ca_bundle=ca)\n"
        "async def main():\n"
        "    global response\n"
        "    response = await client.send(client.build_request('GET', large), stream=True)\n"
        "    await response.stream.__aiter__().__anext__()\n"
        "asyncio.run(main())"
    ),
    "cycle": "class Node: pass\nnode = Node()\nnode.client = requestx.Client(ca_bundle=ca)\nnode.node = node\nnode.client.get(small)",
    "daemon_threads": (
        "client = requestx.Client(ca_bundle=ca, timeout=None)\n"
        "def work():\n"
        "    while True: client.get(small)\n"
        "for _ in range(5): threading.Thread(target=work, daemon=True).start()\n"
        "client.get(small)\ntime.sleep(0.1)"
    ),
    "daemon_loops": (
        "def work():\n"
        "    async def main():\n"
        "        async with requestx.AsyncClient(ca_bundle=ca) as client:\n"
        "            while True: await client.get(small)\n"
        "    asyncio.run(main())\n"
        "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
        "time.sleep(0.2)"
    ),
    "pending_task": (
        "client = requestx.AsyncClient(ca_bundle=ca)\n"
        "async def main():\n"
        "    global task\n"
        "    task = asyncio.ensure_future(client.get(slow))\n"
        "    await asyncio.sleep(0.05)\n"
        "asyncio.run(main())"
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_ends_well(ca, nginx, program):
    urls = [nginx.https_url(path) for path in ("/small", "/1m", "/slow")]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", HEAD + PROGRAMS[program], *urls, ca.ca_file],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
