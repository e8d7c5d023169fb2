"""Retries from Python: blocking, on asyncio and on trio, on the fast path and off it."""

import asyncio
import threading
import time

import pytest

import requestx

trio = pytest.importorskip("trio")

QUICK = {"backoff": 0.01, "jitter": 0}


def run_sync(ca, method, url, retries=0, **options):
    with requestx.Client(ca_bundle=ca.ca_file, retries=retries) as client:
        return client.request(method, url, **options)


async def one(ca, method, url, retries=0, **options):
    async with requestx.AsyncClient(ca_bundle=ca.ca_file, retries=retries) as client:
        return await client.request(method, url, **options)


def run_asyncio(ca, *args, **options):
    return asyncio.run(one(ca, *args, **options))


def run_trio(ca, *args, **options):
    async def main():
        return await one(ca, *args, **options)

    return trio.run(main)


@pytest.fixture(params=[run_sync, run_asyncio, run_trio], ids=["sync", "asyncio", "trio"])
def run(request, ca):
    return lambda *args, **options: request.param(ca, *args, **options)


@pytest.mark.parametrize("options", [{}, {"extensions": {}}], ids=["fast", "slow"])
def test_statuses(run, peer, options):
    server = peer()
    response = run("GET", server.url("/503?times=2"), requestx.Retry(3, **QUICK), **options)
    assert (response.status_code, response.retries) == (200, 2)
    assert len(server.requests("/503")) == 3


def test_a_number_is_for_connecting_alone(run, peer, unused_port):
    server = peer()
    assert run("GET", server.url("/503?times=1"), 3).status_code == 503
    with pytest.raises(requestx.ConnectError, match=r"refused .*\(after 3 attempts\)") as caught:
        run("GET", f"http://127.0.0.1:{unused_port}/", 2)
    assert caught.value.code == "connect"


def test_the_outcome_of_the_last_try(run, peer):
    server = peer()
    retry = requestx.Retry(1, **QUICK)
    assert run("GET", server.url("/503?times=9"), retry).status_code == 503
    with pytest.raises(requestx.RemoteProtocolError, match=r"\(after 2 attempts\)"):
        run("GET", server.url("/rst?code=2"), retry)


def test_post(run, peer):
    server = peer()
    retry = requestx.Retry(3, **QUICK)
    assert run("POST", server.url("/503?times=1"), retry, content=b"x").status_code == 503
    retry = requestx.Retry(3, methods=["POST"], **QUICK)
    assert run("POST", server.url("/503?times=2"), retry, content=b"x" * 100_000).status_code == 200
    assert [request.body_length for request in server.requests("/503")] == [1, 100_000, 100_000, 100_000]
    with pytest.raises(requestx.RemoteProtocolError):
        run("POST", server.url("/rst?code=2"), retry, content=b"x")
    assert len(server.requests("/rst")) == 1


def test_a_request_has_its_own(run, peer):
    server = peer()
    retry = requestx.Retry(3, **QUICK)
    assert run("GET", server.url("/503?times=1"), retry, extensions={"retries": None}).status_code == 503
    assert run("GET", server.url("/503?times=2"), extensions={"retries": retry}).status_code == 200
    with pytest.raises(TypeError, match="a Retry is needed, not int"):
        run("GET", server.url("/"), extensions={"retries": 3})


def test_an_iterator_is_not_replayed(ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file, retries=requestx.Retry(3, **QUICK)) as client:
        response = client.put(server.url("/503?times=1"), content=iter([b"once"]))
    assert (response.status_code, response.retries) == (503, 0)
    assert len(server.requests("/503")) == 1


def test_timeouts_are_tried_again_and_total_covers_all(run, peer):
    server = peer()
    timeout = requestx.Timeout(0.1, total=5.0)
    with pytest.raises(requestx.ReadTimeout, match=r"\(after 3 attempts\)"):
        run("GET", server.url("/never"), requestx.Retry(2, **QUICK), timeout=timeout)
    began = time.monotonic()
    retry = requestx.Retry(3, backoff=60, jitter=0)
    response = run("GET", server.url("/503?times=9"), retry, timeout=requestx.Timeout(5.0, total=10.0))
    assert response.status_code == 503 and time.monotonic() - began < 5


def test_the_event_loop_goes_on_during_a_pause(ca, peer):
    """A long pause keeps nobody else waiting, and ends with its task."""
    server = peer()

    async def main():
        retry = requestx.Retry(3, backoff=60, jitter=0)
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, retries=retry) as client:
            resting = asyncio.create_task(client.get(server.url("/503?times=9")))
            while not server.requests("/503"):
                await asyncio.sleep(0.01)
            for _ in range(20):
                assert (await client.get(server.url("/"))).status_code == 200
            assert not resting.done()
            resting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await resting
            assert client._transport._pool.stats()["exchanges_open"] == 0

    asyncio.run(main())
    assert len(server.requests("/503")) == 1


def test_a_trio_scope_ends_a_pause(ca, peer):
    server = peer()

    async def main():
        retry = requestx.Retry(3, backoff=60, jitter=0)
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, retries=retry) as client:
            with trio.move_on_after(0.3) as scope:
                await client.get(server.url("/503?times=9"))
            assert scope.cancelled_caught
            assert client._transport._pool.stats()["exchanges_open"] == 0

    trio.run(main)


def test_a_pause_of_one_thread_does_not_hold_another(ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file, retries=requestx.Retry(1, backoff=0.6, jitter=0)) as client:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(client.get(server.url("/503?times=1"))))
        thread.start()
        server.wait(lambda: server.requests("/503"))
        for _ in range(10):
            assert client.get(server.url("/")).status_code == 200
        assert answers == []
        thread.join()
        assert answers[0].status_code == 200


def test_closing_the_client_ends_a_pause(ca, peer):
    server = peer()
    failures = []

    def ask(client):
        try:
            client.get(server.url("/503?times=9"))
        except BaseException as error:
            failures.append(error)

    with requestx.Client(ca_bundle=ca.ca_file, retries=requestx.Retry(1, backoff=60, jitter=0)) as client:
        thread = threading.Thread(target=ask, args=(client,))
        thread.start()
        server.wait(lambda: server.requests("/503"))
    thread.join(10)
    assert not thread.is_alive() and len(failures) == 1
