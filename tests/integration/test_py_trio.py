"""Trio, and anyio on both: cancellation, timeouts, and how a client ends, with every warning an error."""

import asyncio
import gc
import os
import subprocess
import sys
import threading

import pytest
from support.process import wait_until

import requestx

anyio = pytest.importorskip("anyio")
trio = pytest.importorskip("trio")


def descriptors():
    gc.collect()  # what other tests left is none of the one that counts
    return len(os.listdir("/proc/self/fd"))


def engines():
    """How many there are: each has one timer, and trio has none. Sockets would count those of the server, too."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            pass
    return links.count("anon_inode:[timerfd]")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend, ca, peer):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None) as client:
            assert (await client.get(server.url("/"))).text == "ok"
            with anyio.move_on_after(0.1) as scope:
                await client.get(server.url("/never"))
            assert scope.cancelled_caught
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.1):
                    async with client.stream("GET", server.url("/partial?n=10")) as response:
                        await response.aread()
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(client.get, server.url("/bytes?n=10"))
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, server.url("/never"))
                await anyio.sleep(0.05)
                group.cancel_scope.cancel()
            assert (await client.get(server.url("/"))).text == "ok"

    anyio.run(main, backend=backend)
    server.wait(lambda: len(server.one().resets) == 3)
    server.one().assert_each_reset_once()
    assert len(server.requests("/bytes")) == 10


def test_a_client_that_is_closed_before_trio_watches_it(ca, peer):
    server = peer()

    async def main():
        gc.collect()  # what earlier tests left may go at any moment
        before = engines()
        with trio.move_on_after(0) as scope:
            async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
                await client.get(server.url("/"))
        assert scope.cancelled_caught
        del client
        gc.collect()
        with trio.fail_after(10):  # the task that watched it ends at its next turn
            while engines() > before:
                await trio.sleep(0.01)
        # more of them, which get the numbers of the descriptors that were closed
        for _ in range(3):
            async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
                assert (await client.get(server.url("/"))).text == "ok"

    trio.run(main)


def test_a_client_that_is_dropped_in_another_thread(ca, peer):
    server = peer()

    async def main():
        gc.collect()  # what earlier tests left may go at any moment
        before = engines()
        kept = [requestx.AsyncClient(ca_bundle=ca.ca_file)]
        await kept[0].get(server.url("/"))
        thread = threading.Thread(target=kept.clear)
        thread.start()
        while thread.is_alive():
            await trio.sleep(0.001)
        for _ in range(3):
            async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
                assert (await client.get(server.url("/"))).text == "ok"
        del client
        gc.collect()
        with trio.fail_after(5):
            while engines() > before:
                await trio.sleep(0.01)

    trio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ten_loops_in_ten_threads(backend, ca, nginx):
    def work():
        async def main():
            async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
                for _ in range(10):
                    results.append((await client.get(nginx.https_url("/small"))).status_code)

        anyio.run(main, backend=backend)

    results, before = [], descriptors()
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 100
    gc.collect()
    wait_until(lambda: descriptors() <= before, 5, "the end of every connection")


def run_as_guest(*functions):
    """trio.run(main) as a guest of asyncio, and asyncio's own coroutines beside it: [results]."""

    async def host():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            functions[0], run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
        )
        others = await asyncio.gather(*(function() for function in functions[1:]))
        return [(await ended).unwrap(), *others]

    return asyncio.run(host())


def test_trio_as_a_guest_of_asyncio(ca, peer):
    """Both loops are there: whose task asks is whose loop it is, also with one client for both."""
    server = peer()
    client = requestx.AsyncClient(ca_bundle=ca.ca_file)

    async def guest():
        with trio.fail_after(30):
            for _ in range(5):
                assert (await client.get(server.url("/"))).text == "ok"
            with trio.move_on_after(0.05) as scope:
                await client.get(server.url("/never"), timeout=None)
            assert scope.cancelled_caught
            async with client.stream("GET", server.url("/bytes?n=100000")) as response:
                return sum([len(part) async for part in response.aiter_bytes()])

    async def own():
        for _ in range(5):
            assert (await client.get(server.url("/"))).text == "ok"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get(server.url("/never"), timeout=None), 0.05)
        return (await client.get(server.url("/"))).text

    before = engines()
    assert run_as_guest(guest, own) == [100000, "ok"]
    assert len(server.conns) == 2
    del client
    gc.collect()
    assert engines() <= before


PROGRAM = """
import gc, logging, os, sys
import anyio, requestx
logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode tells of slow callbacks

backend, url, ca, how = sys.argv[1:]


async def nothing():
    await anyio.sleep(0)


async def main():
    client = requestx.AsyncClient(ca_bundle=ca)
    assert (await client.get(url)).status_code == 200
    if how == "closed":
        await client.aclose()
    elif how == "cancelled":
        with anyio.move_on_after(0):
            await client.get(url)
    elif how == "kept":
        return client


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


anyio.run(nothing, backend=backend)
before = descriptors()
kept = anyio.run(main, backend=backend)
if kept is None:
    assert descriptors() == before, (descriptors(), before)
"""


@pytest.mark.parametrize("how", ["closed", "dropped", "cancelled", "kept"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nothing_is_left_and_nobody_is_warned(backend, how, ca, nginx):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", PROGRAM, backend, nginx.https_url("/small"), ca.ca_file, how],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
