"""Event loops: asyncio, uvloop and trio; one client in several of them; what a closed loop leaves behind."""

import asyncio
import contextlib
import contextvars
import gc
import os
import threading
import weakref

import pytest
from support.process import wait_until

import requestx


def asyncio_run(main):
    return asyncio.run(main())


def uvloop_run(main):
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def debug_run(main):
    return asyncio.run(main(), debug=True)


def trio_run(main):
    trio = pytest.importorskip("trio")
    return trio.run(main)


async def nothing():
    pass


@pytest.fixture(autouse=True, scope="module")
def opened_once():
    """What a kind of loop opens for the whole process, as uvloop does, is open before anything is counted."""
    for run in (asyncio_run, uvloop_run, trio_run):
        with contextlib.suppress(pytest.skip.Exception):
            run(nothing)


@pytest.fixture(params=[asyncio_run, uvloop_run, debug_run, trio_run], ids=["asyncio", "uvloop", "debug", "trio"])
def run(request):
    return request.param


def descriptors():
    gc.collect()  # what other tests left is none of the one that counts
    return len(os.listdir("/proc/self/fd"))


async def many(count, function):
    """function() so many times at once, on any loop."""
    try:
        import sniffio

        library = sniffio.current_async_library()
    except Exception:
        library = "asyncio"
    if library == "asyncio":
        return await asyncio.gather(*(function() for _ in range(count)))
    import trio

    results = []

    async def one():
        results.append(await function())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return results


def test_everything_on_every_loop(run, ca, app):
    async def parts():
        for _ in range(10):
            yield b"x" * 10_000

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            responses = await many(50, lambda: client.get(app.https_url("/bytes/100")))
            assert [len(response.content) for response in responses] == [100] * 50
            assert {response.connection_id for response in responses} == {1}
            answer = await client.post(app.https_url("/upload"), content=parts())
            assert answer.json()["length"] == 100_000
            async with client.stream("GET", app.https_url("/bytes/1000000")) as response:
                assert sum([len(part) async for part in response.aiter_bytes()]) == 1_000_000
            with pytest.raises(requestx.ReadTimeout):
                await client.get(app.https_url("/never"), timeout=0.1)
            response = await client.get(app.https_url("/redirect/2"), follow_redirects=True)
            assert len(response.history) == 2

    async def nothing():
        pass

    run(nothing)
    before = descriptors()
    run(main)
    gc.collect()
    assert descriptors() <= before


def test_trio_cancels(ca, peer):
    trio = pytest.importorskip("trio")
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None) as client:
            assert (await client.get(server.url("/"))).content == b"ok"
            with trio.move_on_after(0.1) as scope:
                await client.get(server.url("/never"))
            assert scope.cancelled_caught
            with trio.move_on_after(0.1) as scope:
                async with client.stream("GET", server.url("/partial?n=10")) as response:
                    await response.aread()
            assert scope.cancelled_caught
            assert (await client.get(server.url("/"))).content == b"ok"

    trio.run(main)
    server.wait(lambda: len(server.one().resets) == 2)
    server.one().assert_each_reset_once()


def test_a_client_moves_from_a_closed_loop_to_the_next(run, ca, peer):
    server = peer()
    client = requestx.AsyncClient(ca_bundle=ca.ca_file)

    async def main():
        return (await client.get(server.url("/"))).text

    assert [run(main) for _ in range(3)] == ["ok"] * 3

    async def end():
        await client.aclose()

    run(end)
    if run is not trio_run:
        assert server.one()


def test_a_client_in_two_running_loops(ca, nginx):
    client = requestx.AsyncClient(ca_bundle=ca.ca_file)
    ready, results = threading.Barrier(2), []

    def work():
        async def main():
            await client.get(nginx.https_url("/small"))
            await asyncio.get_running_loop().run_in_executor(None, ready.wait)
            results.extend(await asyncio.gather(*(client.get(nginx.https_url("/small")) for _ in range(20))))

        asyncio.run(main())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40 and {response.status_code for response in results} == {200}


def test_a_client_that_is_dropped_leaves_its_loop(ca, nginx):
    async def main():
        before = descriptors()
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)
        await client.get(nginx.https_url("/small"))
        assert descriptors() > before
        watch = weakref.ref(client._transport._pool)
        del client
        gc.collect()
        assert watch() is None
        await asyncio.sleep(0)
        assert descriptors() == before

    asyncio.run(main())


@pytest.mark.parametrize("run", [asyncio_run, uvloop_run, debug_run], ids=["asyncio", "uvloop", "debug"])
def test_a_client_that_is_dropped_in_another_thread(run, ca, nginx):
    """Its loop is told to let go of its descriptor; nobody else may get the number of that before it did."""

    async def main():
        before = descriptors()
        for _ in range(3):
            kept = [requestx.AsyncClient(ca_bundle=ca.ca_file)]
            await kept[0].get(nginx.https_url("/small"))
            await asyncio.sleep(0)  # out of what the engine calls, which would keep it
            thread = threading.Thread(target=kept.clear)
            thread.start()
            thread.join()  # the loop has had no turn since
            async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=5) as client:
                for _ in range(3):
                    assert (await client.get(nginx.https_url("/small"))).status_code == 200
        await asyncio.sleep(0)  # the engine that woke this task lives as long as it does not wait
        assert descriptors() == before

    run(main)


@pytest.mark.parametrize("run", [asyncio_run, uvloop_run], ids=["asyncio", "uvloop"])
def test_a_client_that_is_dropped_in_another_thread_before_its_loop_ends(run, ca, nginx):
    async def main():
        kept = [requestx.AsyncClient(ca_bundle=ca.ca_file)]
        await kept[0].get(nginx.https_url("/small"))
        await asyncio.sleep(0)
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()

    before = descriptors()
    run(main)
    gc.collect()
    assert descriptors() <= before


def test_a_client_that_is_closed_in_another_thread(run, ca, peer):
    """Who waits for it is woken there where they wait."""
    server, failed = peer(), []

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None)
        assert (await client.get(server.url("/"))).text == "ok"

        async def wait():
            with pytest.raises(requestx.TransportError):
                await client.get(server.url("/never"))
            failed.append(threading.get_ident())

        def close():
            server.wait(lambda: len(server.requests("/never")) == 5)
            client._transport._pool.close()

        thread = threading.Thread(target=close)
        thread.start()
        await many(5, wait)
        thread.join()

    run(main)
    assert failed == [threading.get_ident()] * 5


def test_a_client_whose_loop_went_to_another_thread(ca, nginx):
    """Who made the engine is not who runs the loop now: that one must be told, not done to."""
    loop = asyncio.new_event_loop()
    kept = [requestx.AsyncClient(ca_bundle=ca.ca_file)]
    assert loop.run_until_complete(kept[0].get(nginx.https_url("/small"))).status_code == 200
    before = descriptors()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    wait_until(loop.is_running, 5, "the loop")
    kept.clear()
    wait_until(lambda: descriptors() < before, 5, "the end of the engine")
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_client_that_is_dropped_while_its_loop_rests(ca, nginx):
    loop = asyncio.new_event_loop()
    before = descriptors()
    client = requestx.AsyncClient(ca_bundle=ca.ca_file)
    assert loop.run_until_complete(client.get(nginx.https_url("/small"))).status_code == 200
    del client
    gc.collect()
    assert descriptors() == before
    loop.close()


def test_a_client_that_is_dropped_after_its_loop(run, ca, nginx):
    kept = []

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)
        await client.get(nginx.https_url("/small"))
        kept.append(client)

    before = descriptors()
    run(main)
    kept.clear()
    gc.collect()
    assert descriptors() <= before


def test_a_loop_that_ends_while_a_request_runs(ca, peer):
    server, kept = peer(), []

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None)
        kept.append(client)
        kept.append(asyncio.ensure_future(client.get(server.url("/never"))))
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert kept[1].cancelled()

    async def again():
        assert (await kept[0].get(server.url("/"))).text == "ok"
        await kept[0].aclose()

    asyncio.run(again())


def test_without_a_loop():
    client = requestx.AsyncClient()
    call = client.get("http://127.0.0.1:9/")
    with pytest.raises(RuntimeError, match="running event loop"):
        call.send(None)


def test_never_awaited():
    with pytest.warns(RuntimeWarning, match="coroutine 'AsyncClient.get' was never awaited"):
        requestx.AsyncClient().get("http://127.0.0.1:9/")
        gc.collect()


def test_it_is_a_coroutine_to_those_who_ask(ca, nginx):
    import inspect

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            call = client.get(nginx.https_url("/small"))
            assert asyncio.iscoroutine(call) and inspect.isawaitable(call) and not asyncio.isfuture(call)
            assert "AsyncClient.get" in repr(asyncio.ensure_future(call))
            assert (await asyncio.all_tasks().difference({asyncio.current_task()}).pop()).status_code == 200
            with pytest.raises(RuntimeError, match="already awaited"):
                await call
            closed = client.get(nginx.https_url("/small"))
            closed.close()
            with pytest.raises(RuntimeError, match="already awaited"):
                await closed
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(client.get(nginx.https_url("/small"))) for _ in range(5)]
            assert {task.result().status_code for task in tasks} == {200}

    asyncio.run(main())


def test_the_tasks_context_is_kept(ca, nginx):
    variable = contextvars.ContextVar("variable")

    async def one(client, number):
        variable.set(number)
        for _ in range(5):
            await client.get(nginx.https_url("/small"))
            assert variable.get() == number
        return number

    async def main():
        variable.set("outer")
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            assert await asyncio.gather(*(one(client, number) for number in range(20))) == list(range(20))
        assert variable.get() == "outer"

    asyncio.run(main())


def test_a_pure_python_task_drives_it_as_well(ca, nginx):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **options: asyncio.tasks._PyTask(coro, loop=loop, **options))
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            responses = await asyncio.gather(*(client.get(nginx.https_url("/small")) for _ in range(20)))
            assert {response.status_code for response in responses} == {200}
            task = asyncio.ensure_future(client.get(nginx.https_url("/slow")))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_an_exception_in_a_task_stays_there(ca, nginx):
    async def fails(client):
        await client.get(nginx.https_url("/small"))
        raise ZeroDivisionError

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            results = await asyncio.gather(
                *(fails(client) if number % 2 else client.get(nginx.https_url("/small")) for number in range(20)),
                return_exceptions=True,
            )
            assert [isinstance(result, ZeroDivisionError) for result in results] == [False, True] * 10

    asyncio.run(main())


def test_a_task_may_close_the_client_that_wakes_it(ca, nginx):
    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)

        async def first():
            await client.get(nginx.https_url("/small"))
            await client.aclose()

        async def other():
            try:
                return (await client.get(nginx.https_url("/small"))).status_code
            except (requestx.TransportError, RuntimeError) as error:
                return type(error)

        results = await asyncio.gather(first(), *(other() for _ in range(30)))
        assert results[0] is None and set(results[1:]) <= {200, requestx.ReadError, RuntimeError}

    asyncio.run(main())


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "dropped"])
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
def test_a_loop_that_is_given_up_with_a_task_that_waits(ca, peer, streams, closes):
    """Nobody cancels the task: all of it is garbage, which goes with its connection."""
    server, held = peer(), []

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None)
        request = client.build_request("GET", server.url("/never"))
        loop = asyncio.get_running_loop()
        loop.task = loop.create_task(client.send(request, stream=True) if streams else client.get(request.url))
        held.extend([weakref.ref(client), weakref.ref(client._transport._pool)])
        while not client._transport._pool.stats()["connections_open"]:
            await asyncio.sleep(0.01)

    gc.collect()
    before = descriptors()
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # of the task, which asyncio tells was destroyed
        loop.run_until_complete(main())
        if closes:
            loop.close()
        loop = None
        gc.collect()
    assert [reference() for reference in held] == [None] * 6
    # The server, in this process too, closes its sides when it sees ours closed.
    wait_until(lambda: descriptors() <= before, what="the descriptors to be closed")
