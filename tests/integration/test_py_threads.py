"""One Client and many threads; signals; forked children."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import requestx


def stats(client):
    return client._transport._pool.stats()


def in_threads(count, function):
    """Runs function(number) in that many threads, and raises what any of them raised."""
    errors = []

    def run(number):
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def run_script(text, *arguments, timeout=60):
    """A program of its own; its output, once it has ended well."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(text), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.stress
def test_threads_share_one_connection(ca, nginx):
    with requestx.Client(ca_bundle=ca.ca_file) as client:

        def work(number):
            for _ in range(100):
                assert client.get(nginx.https_url("/small")).content == b"hello, world\n"

        in_threads(20, work)
        figures = stats(client)
        assert figures["connections_made"] == 1 and figures["exchanges_done"] == 2000
        assert figures["exchanges_open"] == 0


@pytest.mark.stress
def test_threads_stream_cancel_and_fail_side_by_side(ca, peer_process):
    server = peer_process(max_concurrent_streams=1000)
    with requestx.Client(ca_bundle=ca.ca_file, timeout=20) as client:

        def work(number):
            for turn in range(20):
                kind = (number + turn) % 5
                if kind == 0:
                    with client.stream("GET", server.url("/bytes?n=300000")) as response:
                        next(response.iter_raw())
                elif kind == 1:
                    assert len(client.get(server.url("/bytes?n=100000")).content) == 100_000
                elif kind == 2:
                    with pytest.raises(requestx.ReadTimeout):
                        client.get(server.url("/never"), timeout=0.05)
                elif kind == 3:
                    with pytest.raises(requestx.RemoteProtocolError):
                        client.get(server.url("/rst"))
                else:
                    body = b"x" * 50_000
                    assert client.post(server.url("/upload"), content=iter([body] * 3)).json()["length"] == 150_000

        in_threads(15, work)
        assert client.get(server.url("/")).content == b"ok"
        assert stats(client)["exchanges_open"] == 0
    conn = server.one()
    assert conn["reset_twice"] == 0 and not conn["violations"]


def test_the_gil_is_free_while_a_request_waits(ca, peer):
    server, ticks = peer(), []
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        waiting = threading.Thread(target=lambda: client.get(server.url("/slow?ms=400")))
        waiting.start()
        while waiting.is_alive():
            ticks.append(1)
            time.sleep(0.005)
    assert len(ticks) > 20


def test_a_thread_that_waits_helps_others_on(ca, peer):
    """Whoever waits drives the engine for all: a long wait does not hold short ones up."""
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        slow = threading.Thread(target=lambda: client.get(server.url("/slow?ms=1000")))
        slow.start()
        begin = time.monotonic()
        in_threads(5, lambda number: [client.get(server.url("/")) for _ in range(10)])
        assert time.monotonic() - begin < 0.9 and slow.is_alive()
        slow.join()


def test_keyboard_interrupt(ca, peer):
    """Ctrl-C ends a request that waits, at once, and resets its stream alone."""
    server = peer()
    out = run_script(
        """
        import os, signal, sys, threading, time
        import requestx
        # who runs the tests in the background may have it ignored, and that is inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)
        client = requestx.Client(ca_bundle=sys.argv[2], timeout=None)
        sibling = threading.Thread(target=lambda: print(client.get(sys.argv[1] + "slow?ms=1000").text, flush=True))
        sibling.start()
        for path in ("never", "partial?n=10"):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            begin = time.monotonic()
            try:
                client.get(sys.argv[1] + path)
            except KeyboardInterrupt:
                print("interrupted", 0.2 < time.monotonic() - begin < 10, flush=True)
        with client.stream("GET", sys.argv[1] + "partial?n=10") as response:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                response.read()
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        sibling.join()
        print(client.get(sys.argv[1]).text)
        client.close()
        """,
        server.url("/"),
        ca.ca_file,
    )
    assert sorted(out.split("\n")) == ["", "interrupted", "interrupted True", "interrupted True", "ok", "slow"]
    server.one().assert_each_reset_once()


def test_a_signal_handler_that_raises_nothing_interrupts_nothing(ca, peer):
    server, seen = peer(), []
    old = signal.signal(signal.SIGALRM, lambda *arguments: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with requestx.Client(ca_bundle=ca.ca_file) as client:
            assert client.get(server.url("/slow?ms=300")).content == b"slow"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(seen) > 3


def test_keyboard_interrupt_in_a_task(ca, peer):
    server = peer()
    out = run_script(
        """
        import asyncio, logging, sys
        import requestx
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode tells of slow callbacks

        async def interrupted(client):
            await client.get(sys.argv[1])
            raise KeyboardInterrupt

        async def main():
            async with requestx.AsyncClient(ca_bundle=sys.argv[2]) as client:
                others = [asyncio.ensure_future(client.get(sys.argv[1])) for _ in range(20)]
                bad = asyncio.ensure_future(interrupted(client))
                await asyncio.gather(bad, *others)

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """,
        server.url("/"),
        ca.ca_file,
    )
    assert out == "interrupted\n"


# forked children


def child(ca_file, client, url, results):
    results.put((os.getpid(), client.get(url).text, stats(client)["connections_made"]))
    with client.stream("GET", url) as response:
        results.put(response.read())


def test_a_forked_child_has_connections_of_its_own(ca, peer):
    server = peer()
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.get(server.url("/")).text == "ok"
        children = [
            context.Process(target=child, args=(ca.ca_file, client, server.url("/"), results)) for _ in range(3)
        ]
        for one in children:
            one.start()
        answers = [results.get() for _ in range(6)]
        for one in children:
            one.join()
            assert one.exitcode == 0
        assert client.get(server.url("/")).text == "ok"
        assert stats(client)["connections_made"] == 1
    pids = {answer[0] for answer in answers if isinstance(answer, tuple)}
    assert len(pids) == 3 and all(answer[1:] == ("ok", 1) for answer in answers if isinstance(answer, tuple))
    assert len(server.conns) == 4


def test_an_async_client_after_fork(ca, peer):
    server = peer()
    out = run_script(
        """
        import asyncio, logging, os, sys, warnings
        import requestx
        # its debug mode tells of slow callbacks, and the child's whole life is one step of the parent's loop
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        client = requestx.AsyncClient(ca_bundle=sys.argv[2])

        async def get():
            return (await client.get(sys.argv[1])).text

        async def both():
            print("parent", await get(), flush=True)
            warnings.simplefilter("ignore")
            pid = os.fork()
            if pid == 0:
                return True
            os.waitpid(pid, 0)
            print("parent", await get(), flush=True)
            await client.aclose()
            return False

        loop = asyncio.new_event_loop()
        if loop.run_until_complete(both()):
            asyncio.set_event_loop(None)
            asyncio._set_running_loop(None)

            async def again():
                print("child", await get(), flush=True)
                await client.aclose()

            asyncio.run(again())
            os._exit(0)
        loop.close()
        """,
        server.url("/"),
        ca.ca_file,
    )
    assert out.split("\n") == ["parent ok", "child ok", "parent ok", ""]
    assert len(server.conns) == 2


def test_a_child_that_only_exits_harms_nothing(ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.get(server.url("/")).text == "ok"
        pid = os.fork()
        if pid == 0:
            client.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert client.get(server.url("/")).text == "ok"
    assert server.one()


# threads with loops of their own


@pytest.mark.stress
def test_ten_loops_on_one_client(ca, nginx):
    client = requestx.AsyncClient(ca_bundle=ca.ca_file)

    async def main():
        responses = await asyncio.gather(*(client.get(nginx.https_url("/small")) for _ in range(50)))
        assert all(response.content == b"hello, world\n" for response in responses)

    in_threads(10, lambda number: asyncio.run(main()))

    async def end():
        assert (await client.get(nginx.https_url("/small"))).status_code == 200
        await client.aclose()

    asyncio.run(end())


def test_closing_ends_what_threads_wait_for(ca, peer):
    server, ended = peer(), []
    client = requestx.Client(ca_bundle=ca.ca_file, timeout=None)

    def wait(path):
        with pytest.raises(requestx.TransportError):
            if path.startswith("/partial"):
                with client.stream("GET", server.url(path)) as response:
                    response.read()
            else:
                client.get(server.url(path))
        ended.append(time.monotonic())

    threads = [
        threading.Thread(target=wait, args=(path,)) for path in ("/never", "/partial?n=10", "/never", "/partial?n=5")
    ]
    for thread in threads:
        thread.start()
    server.wait(lambda: len(server.requests()) == 4)
    time.sleep(0.1)
    begin = time.monotonic()
    client.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 4 and max(ended) - begin < 5


def test_a_connection_that_breaks_ends_all_waits(ca, peer):
    server, ended = peer(check=False), []
    with requestx.Client(ca_bundle=ca.ca_file, timeout=None) as client:

        def wait(number):
            with pytest.raises(requestx.TransportError):
                client.post(server.url("/never"))
            ended.append(time.monotonic())

        threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        server.wait(lambda: len(server.requests()) == 5)
        begin = time.monotonic()
        with pytest.raises(requestx.TransportError):
            client.post(server.url("/abort"))
        for thread in threads:
            thread.join()
        assert len(ended) == 5 and max(ended) - begin < 5
