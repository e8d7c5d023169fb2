"""Bodies as they go and come, from Python: iterators, early ends, back-pressure, slow readers."""

import asyncio
import gc
import hashlib
import io
import time

import pytest

import requestx


@pytest.fixture
def client(ca):
    with requestx.Client(ca_bundle=ca.ca_file) as one:
        yield one


def with_client(ca, function, **settings):
    """Runs function(client) in a loop of its own."""

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, **settings) as one:
            return await function(one)

    return asyncio.run(main())


def stats(client):
    return client._transport._pool.stats()


def test_a_body_is_read_as_it_comes(client, nginx):
    with client.stream("GET", nginx.https_url("/1m")) as response:
        assert response.status_code == 200 and not response.is_closed
        with pytest.raises(requestx.ResponseNotRead):
            response.content
        total = sum(map(len, response.iter_raw()))
        assert response.is_closed
    assert total == response.num_bytes_downloaded == 1 << 20
    assert response.elapsed.total_seconds() > 0


def test_it_can_be_read_at_once(client, nginx):
    with client.stream("GET", nginx.https_url("/gzip")) as response:
        assert response.read() == response.content and b"gzip" not in response.content[:4]
        assert response.text


def test_the_same_awaited(ca, nginx):
    async def read(client):
        async with client.stream("GET", nginx.https_url("/1m")) as response:
            total = 0
            async for part in response.aiter_bytes():
                total += len(part)
        assert total == 1 << 20 and response.is_closed
        response = await client.stream("GET", nginx.https_url("/gzip"))
        assert await response.aread() == response.content
        await response.aclose()

    with_client(ca, read)


@pytest.mark.parametrize("http2", [True, False])
def test_lines_and_drips(ca, app, http2):
    with requestx.Client(ca_bundle=ca.ca_file, http2=http2) as client:
        with client.stream("GET", app.https_url("/drip?n=5&size=3&ms=20")) as response:
            assert sum(len(part) for part in response.iter_bytes()) == 15
        with client.stream("GET", app.https_url("/lines")) as response:
            assert len(list(response.iter_lines())) > 1


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("length", [True, False])
def test_uploads_from_an_iterator(ca, app, http2, length):
    parts = [bytes([65 + i % 26]) * 10_000 for i in range(100)]
    whole = b"".join(parts)
    headers = {"Content-Length": str(len(whole))} if length else {}
    with requestx.Client(ca_bundle=ca.ca_file, http2=http2) as client:
        answer = client.post(app.https_url("/upload"), content=iter(parts), headers=headers).json()
        assert answer["length"] == len(whole) and answer["sha256"] == hashlib.sha256(whole).hexdigest()
        answer = client.post(app.https_url("/upload"), content=io.BytesIO(whole)).json()
        assert answer["sha256"] == hashlib.sha256(whole).hexdigest()

    async def some():
        for part in parts:
            await asyncio.sleep(0)
            yield part

    async def send(client):
        return (await client.post(app.https_url("/upload"), content=some(), headers=headers)).json()

    assert with_client(ca, send, http2=http2)["sha256"] == hashlib.sha256(whole).hexdigest()


def test_a_large_upload_of_bytes_is_not_copied_for_ever(client, app):
    body = b"x" * 5_000_000
    assert client.post(app.https_url("/upload"), content=body).json()["length"] == len(body)
    client.get(app.https_url("/bytes/1"))
    gc.collect()
    import sys

    assert sys.getrefcount(body) == 2


@pytest.mark.parametrize(
    ("announced", "parts", "message"),
    [(5, [b"abc"], "declared Content-Length|content-length"), (2, [b"abc"], "Too much data|content-length")],
)
def test_a_body_that_is_not_what_was_announced(ca, peer, announced, parts, message):
    server = peer(check=False)
    headers = {"Content-Length": str(announced)}
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        with pytest.raises(requestx.LocalProtocolError, match=message) as caught:
            client.post(server.url("/upload"), content=iter(parts), headers=headers)
        assert caught.value.request.url.path == "/upload"
        assert client.get(server.url("/")).status_code == 200
        assert server.one()

    async def some():
        for part in parts:
            yield part

    async def send(client):
        with pytest.raises(requestx.LocalProtocolError, match=message):
            await client.post(server.url("/upload"), content=some(), headers=headers)
        assert (await client.get(server.url("/"))).status_code == 200

    with_client(ca, send)


def test_a_body_that_fails_resets_its_stream_alone(ca, peer):
    server = peer()

    def broken():
        yield b"a"
        server.wait(lambda: len(server.requests()) == 2)
        raise ZeroDivisionError

    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.get(server.url("/")).status_code == 200
        with pytest.raises(ZeroDivisionError):
            client.post(server.url("/upload"), content=broken())
        assert client.get(server.url("/")).status_code == 200
    server.wait(lambda: server.one().resets)
    server.one().assert_each_reset_once()


def test_an_early_response_ends_the_upload(ca, peer):
    server = peer()
    sent = []

    def endless():
        while True:
            sent.append(1)
            yield b"x" * 65536

    with requestx.Client(ca_bundle=ca.ca_file) as client:
        response = client.post(server.url("/early?code=413"), content=endless())
    assert response.status_code == 413 and response.content == b"early" and len(sent) < 10_000

    async def async_endless():
        while True:
            yield b"x" * 65536

    async def send(client):
        return await client.post(server.url("/early?code=413"), content=async_endless())

    assert with_client(ca, send).status_code == 413


def test_leaving_a_body_resets_the_stream(ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        for _ in range(20):
            with client.stream("GET", server.url("/bytes?n=3000000")) as response:
                next(response.iter_raw())
            assert response.is_closed
        assert client.get(server.url("/")).content == b"ok"
    conn = server.one()
    assert len(conn.resets) == 20
    conn.assert_each_reset_once()
    conn.assert_no_credit_leak()


def test_forgetting_a_response_resets_the_stream(ca, peer):
    server = peer()

    async def forget(client):
        response = await client.send(client.build_request("GET", server.url("/never-ending")), stream=True)
        assert response.status_code == 404
        await response.aread()
        response = await client.send(client.build_request("GET", server.url("/partial?n=10")), stream=True)
        del response
        gc.collect()
        assert (await client.get(server.url("/"))).content == b"ok"
        assert stats(client)["exchanges_open"] == 0

    with_client(ca, forget)
    server.wait(lambda: server.one().resets)
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        response = client.send(client.build_request("GET", server.url("/partial?n=10")), stream=True)
        del response
        gc.collect()
        assert client.get(server.url("/")).content == b"ok"
        assert stats(client)["exchanges_open"] == 0


@pytest.fixture
def no_collection():
    gc.disable()
    yield
    gc.enable()


def test_a_forgotten_response_gives_its_connection_back_at_once(ca, nginx, no_collection):
    """It is in no cycle: nobody has to wait until Python looks for those."""
    alone = {"http2": False, "limits": requestx.Limits(max_connections=1), "timeout": 5}
    with requestx.Client(ca_bundle=ca.ca_file, **alone) as client:
        for path in ("/64k", "/small", "/64k"):
            client.send(client.build_request("GET", nginx.https_url(path)), stream=True)
        assert client.get(nginx.https_url("/small")).content == b"hello, world\n"

    async def forget(client):
        for path in ("/64k", "/small", "/64k"):
            await client.send(client.build_request("GET", nginx.https_url(path)), stream=True)
        assert (await client.get(nginx.https_url("/small"))).content == b"hello, world\n"

    with_client(ca, forget, **alone)


def test_a_stream_that_outlives_its_response_is_read(client, nginx):
    stream = client.send(client.build_request("GET", nginx.https_url("/64k")), stream=True).stream
    gc.collect()
    assert len(b"".join(stream)) == 64 << 10
    stream.close()


def test_a_response_outlives_its_client(ca, nginx):
    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)
        response = await client.send(client.build_request("GET", nginx.https_url("/1m")), stream=True)
        del client
        gc.collect()
        assert len(await response.aread()) == 1 << 20
        return await requestx.AsyncClient(ca_bundle=ca.ca_file).get(nginx.https_url("/small"))

    assert asyncio.run(main()).status_code == 200
    client = requestx.Client(ca_bundle=ca.ca_file)
    response = client.send(client.build_request("GET", nginx.https_url("/1m")), stream=True)
    del client
    gc.collect()
    assert len(response.read()) == 1 << 20


def test_closing_the_client_ends_what_runs(ca, peer):
    server = peer()

    async def main():
        client = requestx.AsyncClient(ca_bundle=ca.ca_file)
        task = asyncio.ensure_future(client.get(server.url("/never")))
        response = await client.send(client.build_request("GET", server.url("/partial?n=10")), stream=True)
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(requestx.TransportError):
            await task
        with pytest.raises(requestx.TransportError):
            await response.aread()

    asyncio.run(main())


def test_one_reader_at_a_time(ca, peer):
    server = peer()

    async def both(client):
        async with client.stream("GET", server.url("/partial?n=10")) as response:
            parts = response.stream.__aiter__()
            await parts.__anext__()
            first = asyncio.ensure_future(parts.__anext__())
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="another task is waiting"):
                await parts.__anext__()
            first.cancel()

    with_client(ca, both)


def test_a_cancelled_read_can_be_repeated(ca, peer):
    server = peer()

    async def repeat(client):
        async with client.stream("GET", server.url("/drip?n=3&size=2&ms=150")) as response:
            parts, seen = response.stream.__aiter__(), b""
            while len(seen) < 6:
                try:
                    seen += await asyncio.wait_for(parts.__anext__(), 0.04)
                except asyncio.TimeoutError:
                    pass
            assert seen == b"aabbcc"
            with pytest.raises(StopAsyncIteration):
                await parts.__anext__()

    with_client(ca, repeat)


def test_an_unread_response_holds_nobody_up(ca, peer_process):
    server = peer_process()

    async def others(client):
        async with client.stream("GET", server.url("/bytes?n=50000000")) as held:
            assert held.status_code == 200
            begin = time.monotonic()
            await asyncio.gather(*(client.get(server.url("/bytes?n=100000")) for _ in range(100)))
            assert time.monotonic() - begin < 30
            assert held.num_bytes_downloaded == 0
        assert stats(client)["connections_made"] == 1

    with_client(ca, others)
    assert server.one()["data_sent"] < 45_000_000


def test_sync_methods_on_async_responses_and_back(ca, nginx):
    async def wrong(client):
        async with client.stream("GET", nginx.https_url("/1m")) as response:
            with pytest.raises(RuntimeError):
                response.read()
            with pytest.raises(RuntimeError):
                response.close()

    with_client(ca, wrong)
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        with pytest.raises(RuntimeError):
            client.post(nginx.https_url("/post"), content=(part async for part in _nothing()))


async def _nothing():
    yield b""
