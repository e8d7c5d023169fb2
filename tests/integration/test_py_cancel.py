"""Cancellation: a task that is cancelled resets its stream and nothing else, whenever that happens."""

import asyncio
import random

import pytest

import requestx


def stats(client):
    return client._transport._pool.stats()


def test_a_cancelled_request_resets_its_stream(ca, peer):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            sibling = asyncio.ensure_future(client.get(server.url("/slow?ms=300")))
            task = asyncio.ensure_future(client.get(server.url("/never")))
            server_got_it = asyncio.get_running_loop().run_in_executor(
                None, lambda: server.wait(lambda: len(server.requests()) == 2)
            )
            await server_got_it
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
            assert (await sibling).content == b"slow"

    asyncio.run(main())
    conn = server.one()
    assert len(conn.resets) == 1
    conn.assert_each_reset_once()


def test_cancelled_before_it_was_sent(ca, peer):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            await client.get(server.url("/"))
            for _ in range(10):
                task = asyncio.ensure_future(client.get(server.url("/never")))
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                task = asyncio.ensure_future(client.get(server.url("/never")))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert (await client.get(server.url("/"))).content == b"ok"
            assert stats(client)["exchanges_open"] == 0

    asyncio.run(main())


def test_wait_for(ca, peer):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=None) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get(server.url("/never")), 0.1)
            assert (await asyncio.wait_for(client.get(server.url("/")), 5)).content == b"ok"
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.get(server.url("/never"))
            done, pending = await asyncio.wait(
                [asyncio.create_task(client.get(server.url(path))) for path in ("/", "/never")],
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert len(done) == len(pending) == 1
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            shielded = asyncio.shield(client.get(server.url("/slow?ms=100")))
            assert (await shielded).content == b"slow"

    asyncio.run(main())
    assert len(server.one().resets) == 3


def test_cancelled_while_the_connection_is_made(ca, peer):
    """The dial belongs to all that wait for it, not to the request that began it."""
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            tasks = [asyncio.ensure_future(client.get(server.url("/"))) for _ in range(10)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError)
            assert [response.content for response in results[1:]] == [b"ok"] * 9

    asyncio.run(main())
    assert server.one()


def test_an_upload_that_is_cancelled(ca, peer):
    server = peer()

    async def stuck():
        yield b"x" * 1000
        await asyncio.sleep(100)

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            for url, content in ((server.url("/upload"), stuck()), (server.url("/stall-upload"), _endless())):
                task = asyncio.ensure_future(client.post(url, content=content))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert (await client.get(server.url("/"))).content == b"ok"

    asyncio.run(main())
    server.one().assert_each_reset_once()


async def _endless():
    while True:
        yield b"y" * 65536


@pytest.mark.stress
@pytest.mark.slow
def test_ten_thousand_tasks_cancelled_at_random_moments(ca, peer_process):
    server = peer_process(max_concurrent_streams=1000)
    count, paths = (
        10_000,
        ["/", "/bytes?n=50000", "/slow?ms=50", "/never", "/partial?n=1000&of=100000", "/slow-body?ms=30"],
    )
    chance = random.Random(1)

    async def one(client, number):
        path = chance.choice(paths)
        task = asyncio.ensure_future(client.get(server.url(path)))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.03)
        task.cancel()
        try:
            return (await task).status_code
        except asyncio.CancelledError:
            return None

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=30) as client:
            gate = asyncio.Semaphore(200)

            async def gated(number):
                async with gate:
                    return await one(client, number)

            results = await asyncio.gather(*map(gated, range(count)))
            assert set(results) <= {None, 200} and results.count(None) > count / 2
            assert (await client.get(server.url("/"))).content == b"ok"
            figures = stats(client)
            assert figures["exchanges_open"] == figures["exchanges_queued"] == 0
            assert figures["connections_made"] == 1 and count / 2 < figures["exchanges_done"] <= count + 1

    asyncio.run(main())
    conn = server.one()
    assert conn["reset_twice"] == conn["never_reset"] == 0 and not conn["violations"]
    assert conn["credit_outstanding"] <= conn["largest_send_window"] / 2


@pytest.mark.stress
@pytest.mark.slow
def test_ten_thousand_responses_closed_after_their_first_bytes(ca, peer_process):
    server = peer_process(max_concurrent_streams=1000)
    count = 10_000

    async def one(client):
        async with client.stream("GET", server.url("/bytes?n=200000")) as response:
            async for _ in response.aiter_raw():
                break

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=30) as client:
            gate = asyncio.Semaphore(50)

            async def gated(number):
                async with gate:
                    await one(client)

            await asyncio.gather(*map(gated, range(count)))
            assert (await client.get(server.url("/"))).content == b"ok"
            figures = stats(client)
            assert figures["exchanges_open"] == 0 and figures["connections_made"] == 1

    asyncio.run(main())
    conn = server.one()
    assert conn["reset_twice"] == conn["never_reset"] == 0 and not conn["violations"]
    assert conn["credit_outstanding"] <= conn["largest_send_window"] / 2
