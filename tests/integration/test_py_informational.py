"""1xx responses reach who asks for them: by an event hook of the client, or by an extension of the request."""

import asyncio

import pytest

import requestx

trio = pytest.importorskip("trio")


def run_sync(ca, hooks, extension, method, url, **options):
    if extension is not None:
        options["extensions"] = {"informational": extension}
    with requestx.Client(ca_bundle=ca.ca_file, event_hooks=hooks, follow_redirects=True) as client:
        return client.request(method, url, **options)


async def one(ca, hooks, extension, method, url, **options):
    def awaited(hook):
        async def call(response):
            await anyio_free_sleep()
            hook(response)

        return call

    if extension is not None:
        options["extensions"] = {"informational": awaited(extension)}
    hooks = {name: [awaited(hook) for hook in each] for name, each in hooks.items()}
    async with requestx.AsyncClient(ca_bundle=ca.ca_file, event_hooks=hooks, follow_redirects=True) as client:
        return await client.request(method, url, **options)


async def anyio_free_sleep():
    """Waits on whichever loop runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        await trio.sleep(0)
    else:
        await asyncio.sleep(0)


def run_asyncio(*args, **options):
    return asyncio.run(one(*args, **options))


def run_trio(*args, **options):
    async def main():
        return await one(*args, **options)

    return trio.run(main)


@pytest.fixture(params=[run_sync, run_asyncio, run_trio], ids=["sync", "asyncio", "trio"])
def run(request, ca):
    return lambda *args, **options: request.param(ca, *args, **options)


LINKS = ["</style0.css>; rel=preload", "</style1.css>; rel=preload"]


def test_early_hints_reach_the_hook(run, peer):
    server = peer()
    seen, finals = [], []
    response = run({"informational": [seen.append], "response": [finals.append]}, None, "GET", server.url("/hints?n=2"))
    assert response.text == "hinted" and [final.status_code for final in finals] == [200]
    assert [(hint.status_code, hint.headers["link"]) for hint in seen] == [(103, link) for link in LINKS]
    assert all(isinstance(hint, requestx.Response) and hint.is_informational for hint in seen)
    assert all(hint.request is response.request and hint.content == b"" for hint in seen)


def test_early_hints_over_http1(run, h1peer):
    server = h1peer()
    seen = []
    assert run({"informational": [seen.append]}, None, "GET", server.url("/hints?n=2")).status_code == 200
    assert [hint.status_code for hint in seen] == [103, 103]


def test_a_request_has_its_own(run, peer):
    server = peer()
    seen = []
    assert run({}, seen.append, "GET", server.url("/hints?n=1")).text == "hinted"
    assert [hint.status_code for hint in seen] == [103]


def test_both_are_called(run, peer):
    server = peer()
    seen, own = [], []
    run({"informational": [seen.append, seen.append]}, own.append, "GET", server.url("/hints?n=2"))
    assert (len(seen), len(own)) == (4, 2)


def test_none_came(run, peer):
    server = peer()
    seen = []
    assert run({"informational": [seen.append]}, None, "GET", server.url("/")).text == "ok"
    assert seen == []


def test_every_hop_of_a_redirect(run, peer):
    def hop(stream):
        stream.send_headers(103, [("link", "</a>")])
        stream.respond(302, b"", [("location", "/hints?n=1")])

    server = peer(handlers={"/hop": hop})
    seen = []
    response = run({"informational": [seen.append]}, None, "GET", server.url("/hop"))
    assert response.text == "hinted" and len(response.history) == 1
    assert [hint.headers["link"] for hint in seen] == ["</a>", LINKS[0]]


def test_hints_of_an_upload(run, peer):
    server = peer()
    seen = []
    response = run({"informational": [seen.append]}, None, "POST", server.url("/hints?n=1"), content=b"x" * 100_000)
    assert response.text == "hinted" and len(seen) == 1


def test_an_error_of_the_hook_is_the_callers(run, peer):
    server = peer()

    def fail(response):
        raise LookupError(response.status_code)

    with pytest.raises(LookupError, match="103"):
        run({"informational": [fail]}, None, "GET", server.url("/hints?n=1"))
    server.wait(lambda: server.one().closed_by_client or server.one().resets)


def test_a_failure_after_the_hints(run, peer):
    def half(stream):
        stream.send_headers(103, [("link", "</a>")])
        stream.rst(2)

    server = peer(handlers={"/half": half})
    seen = []
    with pytest.raises(requestx.RemoteProtocolError):
        run({"informational": [seen.append]}, None, "GET", server.url("/half"))
    assert len(seen) == 1


def test_hints_come_before_the_final_response(ca, peer):
    """The hook is called when they come, not when all is over."""
    server = peer(handlers={"/late": lambda stream: (stream.send_headers(103, [("link", "</a>")]), held.append(stream))})
    held, seen = [], []

    async def main():
        told = asyncio.Event()

        async def hook(response):
            seen.append(response)
            told.set()

        async with requestx.AsyncClient(ca_bundle=ca.ca_file, event_hooks={"informational": [hook]}) as client:
            task = asyncio.create_task(client.get(server.url("/late")))
            await asyncio.wait_for(told.wait(), 10)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client._transport._pool.stats()["exchanges_open"] == 0

    asyncio.run(main())
    assert len(seen) == 1
    server.wait(lambda: server.one().resets)


def test_hooks_of_a_client():
    def hook(response):
        pass

    with requestx.Client() as client:
        assert client.event_hooks == {"request": [], "response": []}
        client.event_hooks = {"informational": [hook]}
        assert client.event_hooks == {"request": [], "response": [], "informational": [hook]}
    transport = requestx.MockTransport(lambda request: requestx.Response(200, request=request))
    with requestx.Client(transport=transport, event_hooks={"informational": [hook]}) as client:
        assert client.get("http://a/").status_code == 200
