"""The process at its worst moment, from Python: forks in each state, signals, descriptors that run out, servers that
die and come back, clients that are dropped while they are used, interpreters inside of interpreters."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import requestx
from support.process import wait_until
from support.servers import Nginx

HELLO = b"hello, world\n"


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


def run_script(text, *arguments, timeout=60, status=0):
    """A program of its own; its output, once it has ended so and has complained of nothing."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(text), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert (done.returncode, done.stderr) == (status, ""), done.stderr
    return done.stdout


# ---- threads and loops


@pytest.mark.stress
@pytest.mark.parametrize("http2", [True, False])
def test_32_threads_on_one_client(ca, nginx, http2):
    """They send, stream, stop in the middle and time out, while others make clients and drop them."""
    with requestx.Client(ca_bundle=ca.ca_file, http2=http2, timeout=30) as client:

        def work(number):
            for turn in range(12):
                kind = (number + turn) % 6
                if kind == 0:
                    assert client.get(nginx.https_url("/small")).content == HELLO
                elif kind == 1:
                    body = bytes([number]) * (turn * 1000)
                    assert client.post(nginx.https_url("/post"), content=body).json() == {"length": len(body)}
                elif kind == 2:
                    with client.stream("GET", nginx.https_url("/64k")) as response:
                        assert sum(map(len, response.iter_bytes(5000))) == 65536
                elif kind == 3:
                    with client.stream("GET", nginx.https_url("/1m")) as response:
                        assert next(response.iter_raw())
                elif kind == 4:
                    with pytest.raises(requestx.ReadTimeout):
                        client.get(nginx.https_url("/slow"), timeout=requestx.Timeout(30, read=30, total=0.05))
                else:
                    own = requestx.Client(ca_bundle=ca.ca_file, http2=http2, timeout=30)
                    assert own.get(nginx.https_url("/small")).content == HELLO
                    if turn % 2:
                        own.close()

        in_threads(32, work)
        assert client.get(nginx.https_url("/small")).content == HELLO
        figures = stats(client)
        assert figures["exchanges_open"] == figures["exchanges_queued"] == 0


@pytest.mark.stress
def test_ten_loops_with_a_client_each_and_one_for_all(ca, nginx):
    shared = requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=30)

    async def act(client, turn):
        kind = turn % 5
        if kind == 0:
            assert (await client.get(nginx.https_url("/small"))).content == HELLO
        elif kind == 1:
            async with client.stream("GET", nginx.https_url("/64k")) as response:
                assert sum([len(part) async for part in response.aiter_bytes()]) == 65536
        elif kind == 2:
            task = asyncio.ensure_future(client.get(nginx.https_url("/slow")))
            await asyncio.sleep(0.001 * (turn % 7))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif kind == 3:
            async with client.stream("GET", nginx.https_url("/1m")) as response:
                async for _ in response.aiter_bytes():
                    break
        else:
            assert (await shared.get(nginx.https_url("/1k"))).status_code == 200

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=30) as client:
            for start in range(0, 50, 10):
                await asyncio.gather(*(act(client, turn) for turn in range(start, start + 10)))
            figures = stats(client)
            assert figures["exchanges_open"] == figures["exchanges_queued"] == 0

    in_threads(10, lambda number: asyncio.run(main()))
    asyncio.run(shared.aclose())


# ---- dropped while in use


def test_a_client_dropped_by_all_but_the_thread_that_waits(ca, peer):
    server = peer()
    answers = []

    def work(client):
        answers.append(client.get(server.url("/slow?ms=300")).content)

    client = requestx.Client(ca_bundle=ca.ca_file)
    thread = threading.Thread(target=work, args=(client,))
    thread.start()
    server.wait(lambda: server.requests("/slow"))
    del client
    gc.collect()
    thread.join()
    assert answers == [b"slow"]


def test_responses_dropped_unread_by_many_threads(ca, peer):
    """Their streams are reset, each once, and the connection serves on."""
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:

        def work(number):
            for _ in range(5):
                response = client.send(client.build_request("GET", server.url("/partial?n=10")), stream=True)
                if number % 2:
                    next(response.iter_raw())
                del response

        in_threads(10, work)
        gc.collect()
        assert client.get(server.url("/")).content == b"ok"
        assert stats(client)["exchanges_open"] == 0
    conn = server.one()
    server.wait(lambda: len(conn.resets) == 50)
    conn.assert_each_reset_once()


def test_an_async_client_dropped_while_tasks_run(ca, peer):
    server = peer()

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)
        tasks = [asyncio.ensure_future(client.get(server.url("/slow?ms=200"))) for _ in range(10)]
        await asyncio.sleep(0.05)
        del client
        gc.collect()
        return [response.content for response in await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == [b"slow"] * 10


# ---- fork

FORK_HEAD = """
import asyncio, os, sys, threading, time, warnings
import requestx
warnings.simplefilter("ignore", DeprecationWarning)
base, ca = sys.argv[1:]
client = requestx.Client(ca_bundle=ca, timeout=20)

def fork_and_check(parent):
    "In the child the client works, with a connection of its own; the parent goes on."
    pid = os.fork()
    if pid == 0:
        good = client.get(base).text == "ok" and client._transport._pool.stats()["connections_made"] == 1
        client.close()
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    parent()
"""

FORKS = {
    "before_the_first_request": "fork_and_check(lambda: client.get(base))",
    "idle": "client.get(base)\nfork_and_check(lambda: client.get(base))",
    "in_flight": (
        "answers = []\n"
        "thread = threading.Thread(target=lambda: answers.append(client.get(base + 'slow?ms=400').text))\n"
        "thread.start()\ntime.sleep(0.2)\n"
        "fork_and_check(thread.join)\nassert answers == ['slow']"
    ),
    "streaming": (
        "with client.stream('GET', base + 'drip?n=10&ms=20') as response:\n"
        "    parts = response.iter_bytes()\n    first = next(parts)\n"
        "    fork_and_check(lambda: None)\n"
        "    assert len(first + b''.join(parts)) == 10"
    ),
    "streaming_in_the_child_too": (
        "with client.stream('GET', base + 'drip?n=10&ms=20') as response:\n"
        "    parts = response.iter_bytes()\n    first = next(parts)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try:\n            b''.join(parts)\n"
        "        except requestx.RequestError:\n            os._exit(0)\n"
        "        except BaseException:\n            os._exit(2)\n"
        "        os._exit(1)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "    assert len(first + b''.join(parts)) == 10"
    ),
    "uploading": (
        "def parts():\n"
        "    yield b'x' * 1000\n"
        "    fork_and_check(lambda: None)\n"
        "    yield b'x' * 1000\n"
        "assert client.post(base + 'upload', content=parts()).json()['length'] == 2000"
    ),
    "child_exits_as_usual": (
        "client.get(base)\npid = os.fork()\n"
        "if pid == 0:\n    sys.exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert client.get(base).text == 'ok'"
    ),
    "child_drops_all": (
        "client.get(base)\n"
        "response = client.send(client.build_request('GET', base + 'partial?n=5'), stream=True)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    response.close()\n    del response, client\n    sys.exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert next(response.iter_raw())\nresponse.close()\n"
        "assert client.get(base).text == 'ok'"
    ),
    "closed": "client.get(base)\nclient.close()\npid = os.fork()\nif pid == 0: sys.exit(0)\nassert os.waitpid(pid, 0)[1] == 0",
}


@pytest.mark.parametrize("state", FORKS)
def test_fork(ca, peer, state):
    """The child writes nothing on the parent's socket: no reset, no GOAWAY, no close_notify."""
    server = peer()
    run_script(FORK_HEAD + FORKS[state] + "\nclient.close()\n", server.url("/"), ca.ca_file)
    parent = server.conns[-1 if state == "before_the_first_request" else 0]
    server.wait(lambda: parent.closed_by_client)
    assert len(parent.goaways) == 1, "the parent's own, at its end"
    resets = sum(len(codes) for codes in parent.resets.values())
    assert resets == (1 if state == "child_drops_all" else 0)
    assert not parent.violations


def test_fork_with_tasks_under_way(ca, peer):
    server = peer()
    run_script(
        """
        import asyncio, logging, os, sys, warnings
        import requestx
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", DeprecationWarning)
        base, ca = sys.argv[1:]

        async def main():
            async with requestx.AsyncClient(ca_bundle=ca) as client:
                tasks = [asyncio.ensure_future(client.get(base + "slow?ms=300")) for _ in range(10)]
                await asyncio.sleep(0.1)
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                assert [r.text for r in await asyncio.gather(*tasks)] == ["slow"] * 10
                assert (await client.get(base)).text == "ok"

        asyncio.run(main())
        """,
        server.url("/"),
        ca.ca_file,
    )
    conn = server.one()
    server.wait(lambda: conn.closed_by_client)
    assert len(conn.goaways) == 1 and not conn.resets


# ---- signals


def test_a_signal_each_millisecond(ca, nginx):
    """Whole scenarios, while no system call runs to its end."""
    count = [0]

    def on_alarm(*_):
        count[0] += 1

    old = signal.signal(signal.SIGALRM, on_alarm)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with requestx.Client(ca_bundle=ca.ca_file) as client:
            for _ in range(20):
                assert client.get(nginx.https_url("/small")).content == HELLO
                assert len(client.get(nginx.https_url("/1m")).content) == 1 << 20
                assert client.post(nginx.https_url("/post"), content=b"x" * 500_000).json() == {"length": 500_000}
                with client.stream("GET", nginx.https_url("/64k")) as response:
                    assert sum(map(len, response.iter_bytes(3000))) == 65536
            with pytest.raises(requestx.ReadTimeout):
                client.get(nginx.https_url("/slow"), timeout=requestx.Timeout(None, total=0.1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert count[0] > 20


# ---- descriptors


def test_descriptors_run_out_at_each_point(ca, nginx):
    """A right error at each; once there are some again, the same client works; none is lost."""
    out = run_script(
        """
        import asyncio, errno, gc, os, resource, sys
        import requestx
        url, ca = sys.argv[1:]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        requestx.Client(ca_bundle=ca).get(url)  # so that all modules are there
        gc.collect()
        before = sorted(os.listdir("/proc/self/fd"))

        def lowest():
            fd = os.dup(2)
            os.close(fd)
            return fd

        for left in range(20):
            client = requestx.Client(ca_bundle=ca)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest() + left, hard))
            try:
                client.get(url)
                came = True
            except (requestx.TransportError, OSError) as error:
                came = False
                text = str(error)
                assert "open files" in text or getattr(error, "errno", 0) == errno.EMFILE, repr(error)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert client.get(url).status_code == 200
            client.close()
            del client
            gc.collect()
            assert sorted(os.listdir("/proc/self/fd")) == before, left
            if came:
                break
        print(left)
        """,
        nginx.https_url("/small"),
        ca.ca_file,
    )
    assert 3 <= int(out) < 20


# ---- servers that go and come


@pytest.mark.parametrize("http2", [True, False])
def test_a_server_killed_and_restarted_under_load(ca, server_dir, http2):
    """Threads and a loop: every request ends with an answer or an error of the connection."""
    over = threading.Event()
    answered, failed = [], []

    def note(function):
        try:
            assert function().content == HELLO
        except requestx.TransportError as error:
            failed.append(error)
        else:
            answered.append(1)

    with Nginx(ca, server_dir) as server, requestx.Client(ca_bundle=ca.ca_file, http2=http2) as client:
        url = server.https_url("/small")

        def work():
            while not over.is_set():
                note(lambda: client.get(url))

        async def task(own):
            while not over.is_set():
                try:
                    response = await own.get(url)
                except requestx.TransportError as error:
                    failed.append(error)
                    await asyncio.sleep(0.01)
                else:
                    assert response.content == HELLO
                    answered.append(1)

        async def main():
            async with requestx.AsyncClient(ca_bundle=ca.ca_file, http2=http2) as own:
                await asyncio.gather(*(task(own) for _ in range(10)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        threads.append(threading.Thread(target=lambda: asyncio.run(main())))
        for thread in threads:
            thread.start()
        for _ in range(3):
            count = len(answered)
            wait_until(lambda: len(answered) > count + 50, 20, "answers")
            server.kill()
            time.sleep(0.05)
            server.start()
        count = len(answered)
        wait_until(lambda: len(answered) > count + 50, 20, "answers after the last restart")
        over.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert failed and not [error for error in failed if isinstance(error, requestx.LocalProtocolError)]
        assert client.get(url).content == HELLO
        assert stats(client)["exchanges_open"] == 0


# ---- interpreters in interpreters


def interpreters():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            pass
    return None


@pytest.mark.skipif(interpreters() is None, reason="this Python has no subinterpreters")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="3.12 crashes with asyncio alone")
def test_subinterpreters(ca, nginx):
    """Each has a module of its own, works, and ends; the main one goes on."""
    out = run_script(
        """
        import sys, textwrap, threading
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import requestx
        url, ca = sys.argv[1:]
        text = textwrap.dedent(f'''
            import asyncio
            import requestx

            async def get():
                async with requestx.AsyncClient(ca_bundle={ca!r}) as client:
                    assert (await client.get({url!r})).status_code == 200

            with requestx.Client(ca_bundle={ca!r}) as client:
                for _ in range(5):
                    assert client.get({url!r}).status_code == 200
                try:
                    client.get("http://127.0.0.1:1/")
                except requestx.ConnectError as error:
                    assert type(error) is requestx.ConnectError
                else:
                    raise AssertionError
            asyncio.run(get())
        ''')
        main = requestx.Client(ca_bundle=ca)
        assert main.get(url).status_code == 200

        def run(kind):
            one = interpreters.create(kind) if sys.version_info >= (3, 13) else interpreters.create(isolated=False)
            failed = interpreters.run_string(one, text)
            assert failed is None, failed
            interpreters.destroy(one)

        kinds = ("legacy", "isolated") if sys.version_info >= (3, 13) else ("legacy",)
        for kind in kinds:  # isolated ones have a lock of their own
            for _ in range(2):
                run(kind)
        count = 3 if "isolated" in kinds else 0  # asyncio before 3.12 has one running loop for all interpreters
        threads = [threading.Thread(target=run, args=("isolated",)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert main.get(url).status_code == 200
        main.close()
        print("done")
        """,
        nginx.https_url("/small"),
        ca.ca_file,
    )
    assert out == "done\n"


# ---- the end of the program


EXIT_HEAD = """
import asyncio, atexit, logging, sys, threading, time
import requestx
logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode tells of slow callbacks
base, ca = sys.argv[1:]
"""

EXITS = {
    "a_thread_in_flight": (
        "client = requestx.Client(ca_bundle=ca)\n"
        "threading.Thread(target=lambda: client.get(base + 'slow?ms=300')).start()\ntime.sleep(0.1)"
    ),
    "daemon_threads_in_each_state": (
        "client = requestx.Client(ca_bundle=ca, timeout=None)\n"
        "def stream():\n"
        "    with client.stream('GET', base + 'partial?n=10') as response:\n"
        "        for _ in response.iter_raw(): pass\n"
        "def upload():\n"
        "    def parts():\n"
        "        while True:\n"
        "            yield b'x'\n"
        "            time.sleep(0.01)\n"
        "    client.post(base + 'upload', content=parts())\n"
        "for target in (lambda: client.get(base + 'never'), stream, upload):\n"
        "    for _ in range(4): threading.Thread(target=target, daemon=True).start()\n"
        "time.sleep(0.3)"
    ),
    "closed_at_exit_by_another": (
        "client = requestx.Client(ca_bundle=ca, timeout=None)\n"
        "def work():\n"
        "    try: client.get(base + 'never')\n"
        "    except requestx.TransportError: pass\n"
        "thread = threading.Thread(target=work, daemon=True)\nthread.start()\n"
        "atexit.register(lambda: (client.close(), thread.join(5)))\ntime.sleep(0.2)"
    ),
    "loops_in_daemon_threads": (
        "async def main():\n"
        "    async with requestx.AsyncClient(ca_bundle=ca, timeout=None) as client:\n"
        "        await asyncio.gather(*(client.get(base + 'never') for _ in range(10)))\n"
        "for _ in range(3): threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()\n"
        "time.sleep(0.3)"
    ),
}


@pytest.mark.parametrize("program", EXITS)
def test_the_program_ends_with_requests_in_flight(ca, peer, program):
    server = peer(check=False)
    run_script(EXIT_HEAD + EXITS[program], server.url("/"), ca.ca_file, timeout=30)
