"""The trace extension: the names of httpcore, in its order, with what a callback may look for."""

import asyncio

import pytest

import requestx

httpx = pytest.importorskip("httpx")
trio = pytest.importorskip("trio")


def run_sync(ca, calls, **settings):
    events = []
    with requestx.Client(ca_bundle=ca.ca_file, **settings) as client:
        for method, url, options in calls:
            extensions = {"trace": lambda name, info: events.append((name, info))}
            try:
                client.request(method, url, extensions=extensions, **options)
            except requestx.HTTPError as error:
                events.append(("error", error))
    return events


async def one(ca, calls, **settings):
    events = []

    async def tell(name, info):
        events.append((name, info))

    async with requestx.AsyncClient(ca_bundle=ca.ca_file, **settings) as client:
        for method, url, options in calls:
            try:
                await client.request(method, url, extensions={"trace": tell}, **options)
            except requestx.HTTPError as error:
                events.append(("error", error))
    return events


def run_asyncio(*args, **settings):
    return asyncio.run(one(*args, **settings))


def run_trio(*args, **settings):
    async def main():
        return await one(*args, **settings)

    return trio.run(main)


@pytest.fixture(params=[run_sync, run_asyncio, run_trio], ids=["sync", "asyncio", "trio"])
def run(request, ca):
    return lambda calls, **settings: request.param(ca, calls, **settings)


def names(events):
    return [name for name, _ in events if name != "error"]


def told_by_httpx(ca, calls, **settings):
    """What httpx tells of the same."""
    events = []
    context = httpx.create_ssl_context(verify=ca.ca_file) if ca else False
    with httpx.Client(verify=context, **settings) as client:
        for method, url, options in calls:
            try:
                client.request(
                    method, url, extensions={"trace": lambda name, info: events.append((name, info))}, **options
                )
            except httpx.HTTPError:
                pass
    # The end of the connection is no step of a request's here.
    return [(name, info) for name, info in events if not name.startswith("connection.close")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("http2", [True, False])
def test_the_same_as_httpx(run, ca, nginx, http2):
    """Two requests on one connection, with and without a body; the keys of what is told, too."""
    calls = [("GET", nginx.https_url("/small"), {}), ("POST", nginx.https_url("/post"), {"content": b"x" * 1000})]
    ours, theirs = run(calls, http2=http2), told_by_httpx(ca, calls, http2=http2)
    assert names(ours) == names(theirs)
    for (name, info), (_, wanted) in zip(ours, theirs):
        assert set(info) == set(wanted), name
        if isinstance(info.get("return_value"), tuple):
            assert [type(part) for part in info["return_value"]] == [type(part) for part in wanted["return_value"]]


def test_in_clear(run, ca, nginx):
    calls = [("GET", nginx.http_url("/small"), {})]
    assert names(run(calls)) == names(told_by_httpx(ca, calls))


@pytest.mark.parametrize("kind", ["refused", "certificate"])
def test_failures_of_connecting_are_told_as_httpx_tells_them(run, ca, nginx, unused_port, kind):
    url = f"http://127.0.0.1:{unused_port}/" if kind == "refused" else nginx.bad_cert_url("expired", "/")
    calls = [("GET", url, {})]
    ours = run(calls)
    assert names(ours) == names(told_by_httpx(ca, calls))
    assert ours[-2][1]["exception"] is ours[-1][1]


def test_a_read_timeout(run, ca, peer, h1peer):
    calls = [("GET", h1peer().url("/never"), {"timeout": 0.2})]
    ours = run(calls)
    assert names(ours) == names(told_by_httpx(ca, calls))
    failed = [info for name, info in ours if name == "http11.receive_response_headers.failed"]
    assert isinstance(failed[0]["exception"], requestx.ReadTimeout)
    calls = [("GET", peer().url("/never"), {"timeout": 0.2})]
    assert names(run(calls))[-4:] == [
        "http2.receive_response_headers.started",
        "http2.receive_response_headers.failed",
        "http2.response_closed.started",
        "http2.response_closed.complete",
    ]


def test_a_body_that_breaks_off(run, peer):
    ours = run([("GET", peer().url("/rst?code=2&after=10"), {})])
    assert names(ours)[-4:] == [
        "http2.receive_response_body.started",
        "http2.receive_response_body.failed",
        "http2.response_closed.started",
        "http2.response_closed.complete",
    ]


def test_retries_and_the_stream(run, peer):
    server = peer()
    retry = requestx.Retry(2, backoff=0.01)
    ours = run([("GET", server.url("/503?times=2"), {})], retries=retry)
    assert names(ours).count("connection.retry.complete") == 2
    sent = dict(ours)["http2.send_request_headers.started"]
    assert sent["stream_id"] == server.requests("/503")[-1].stream_id
    assert sent["request"].url == server.url("/503?times=2")


def test_a_socket_with_a_path(ca, tmp_path, h1peer):
    events = []
    with requestx.Client(transport=requestx.HTTPTransport(uds=str(tmp_path / "none"))) as client:
        with pytest.raises(requestx.ConnectError):
            client.get("http://a/", extensions={"trace": lambda name, info: events.append((name, info))})
    assert names(events) == ["connection.connect_unix_socket.started", "connection.connect_unix_socket.failed"]
    assert events[0][1]["path"] == str(tmp_path / "none")


def test_an_early_close_is_told_once(ca, peer):
    events = []
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        extensions = {"trace": lambda name, info: events.append((name, info))}
        with client.stream("GET", peer().url("/bytes?n=1000000"), extensions=extensions) as response:
            response.close()
        response.close()
    assert names(events).count("http2.response_closed.complete") == 1


def test_what_was_refused_before_it_was_sent_made_no_step(run):
    assert names(run([("GET", "ftp://a/", {}), ("G T", "http://127.0.0.1:1/", {})])) == []


def test_a_pool_timeout_made_no_step(run, ca, peer):
    server = peer(max_concurrent_streams=1)

    async def main():
        events = []

        async def tell(name, info):
            events.append((name, info))

        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            await client.get(server.url("/"))
            waiting = asyncio.create_task(client.get(server.url("/never"), timeout=None))
            while not server.requests("/never"):
                await asyncio.sleep(0.01)
            with pytest.raises(requestx.PoolTimeout):
                await client.get(server.url("/"), extensions={"trace": tell}, timeout=0.1)
            waiting.cancel()
        return events

    assert asyncio.run(main()) == []
