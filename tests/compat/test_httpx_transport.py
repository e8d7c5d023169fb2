"""requestx's transports under the clients of httpx and httpx2."""

import asyncio
import gc
import importlib
import os
import ssl
import subprocess
import sys
import threading

import pytest
from support.process import wait_until

import requestx


@pytest.fixture(params=["httpx", "httpx2"])
def lib(request):
    return importlib.import_module(request.param)


@pytest.fixture(scope="module")
def context(ca):
    return ssl.create_default_context(cafile=ca.ca_file)


@pytest.fixture
def client(lib, context):
    with lib.Client(transport=requestx.HTTPXTransport(verify=context)) as client:
        yield client


def test_they_are_what_the_library_wants(lib):
    assert issubclass(requestx.HTTPXTransport, lib.BaseTransport)
    assert issubclass(requestx.AsyncHTTPXTransport, lib.AsyncBaseTransport)
    assert requestx.HTTPXTransport.__module__ == "requestx"


def test_a_request_over_http2(client, lib, nginx):
    response = client.get(nginx.https_url("/conn"))
    assert type(response) is lib.Response
    assert response.http_version == "HTTP/2" and response.json()["protocol"] == "HTTP/2.0"
    assert response.reason_phrase == "OK" and response.elapsed.total_seconds() > 0
    assert response.extensions["stream_id"] == 1
    assert response.extensions["network_stream"].get_extra_info("server_addr")[1] == nginx.https_port
    again = client.get(nginx.https_url("/conn"))
    assert again.json()["connection"] == response.json()["connection"]


def test_a_request_over_http1(lib, context, nginx):
    with lib.Client(transport=requestx.HTTPXTransport(verify=context, http2=False)) as client:
        response = client.get(nginx.https_url("/status/404"))
        assert (response.http_version, response.status_code, response.reason_phrase) == ("HTTP/1.1", 404, "Not Found")
        assert response.extensions["reason_phrase"] == b"Not Found" and "stream_id" not in response.extensions
        assert client.get(nginx.http_url("/small")).text == "hello, world\n"


def seen(client, lib, url, **request):
    told = client.request("POST", url, headers={"X-Two": "b", "x-one": "a"}, **request).json()
    told["headers"] = sorted(pair for pair in told["headers"] if pair[0] not in ("connection", "host"))
    return {name: told[name] for name in ("method", "path", "query", "headers", "body_base64")}


BODIES = {
    "none": dict,
    "bytes": lambda: {"content": b"\x00\xff"},
    "json": lambda: {"json": {"a": [1, None]}},
    "form": lambda: {"data": {"a": "1", "b": ["2", "3"]}},
    "generator": lambda: {"content": iter([b"one", b"", b"two"])},
    "query": lambda: {"params": {"q": "a b&c", "u": "\u00fc"}},
}


@pytest.mark.parametrize("body", BODIES)
def test_the_server_sees_what_it_would_see(client, lib, app, body):
    # Over HTTP/1.1 for both: what httpx does by itself.
    with lib.Client() as plain, lib.Client(transport=requestx.HTTPXTransport(http2=False)) as ours:
        url = app.http_url("/echo")
        wanted = seen(plain, lib, url, **BODIES[body]())
        assert seen(ours, lib, url, **BODIES[body]()) == wanted
    over_http2 = seen(client, lib, app.https_url("/echo"), **BODIES[body]())
    wanted["headers"] = [pair for pair in wanted["headers"] if pair[0] != "transfer-encoding"]
    assert over_http2 == wanted


def test_files(client, app, tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"x" * 200_000)
    with path.open("rb") as file:
        answer = client.post(app.https_url("/upload"), content=file).json()
    assert answer["length"] == 200_000
    with path.open("rb") as file:
        answer = client.post(app.https_url("/echo"), files={"f": file}, data={"a": "b"}).json()
    assert answer["length"] > 200_000 and 'filename="file.txt"' in answer["body"]


def test_a_streamed_response(client, lib, app):
    with client.stream("GET", app.https_url("/bytes/300000")) as response:
        parts = list(response.iter_raw())
    assert len(parts) > 1 and sum(map(len, parts)) == 300_000
    assert response.num_bytes_downloaded == 300_000
    with client.stream("GET", app.https_url("/gzip?n=100000")) as response:
        assert "".join(response.iter_text()) == "a" * 100_000
    with client.stream("GET", app.https_url("/lines?n=3&ms=1")) as response:
        assert list(response.iter_lines()) == [f"line {number} \u00e9" for number in range(3)]
    assert client.get(app.https_url("/gzip?n=10")).text == "a" * 10


def test_parts_come_as_they_are_sent(client, peer):
    first_was_read = threading.Event()

    def script(conn):
        conn.handshake()
        request = conn.expect_request()
        conn.send_headers(request.stream_id, {":status": "200"})
        conn.send_data(request.stream_id, b"first")
        while not first_was_read.is_set():
            conn.sleep(0.01)
        conn.send_data(request.stream_id, b"second", end_stream=True)
        conn.until_closed()

    server = peer(script)
    with client.stream("GET", server.url("/", host="localhost")) as response:
        parts = response.iter_raw()
        assert next(parts) == b"first"
        first_was_read.set()
        assert b"".join(parts) == b"second"


def test_parts_are_sent_as_they_come(client, app):
    def body():
        for number in range(5):
            yield b"%d" % number
            sent.append(number)

    sent = []
    with client.stream("POST", app.https_url("/duplex"), content=body()) as response:
        assert response.read() == b"01234"
    assert sent == [0, 1, 2, 3, 4]


def test_an_early_close_resets_the_stream(client, peer):
    server = peer()
    with client.stream("GET", server.url("/partial?n=10", host="localhost")) as response:
        assert len(next(response.iter_raw())) == 10
    assert client.get(server.url("/", host="localhost")).text == "ok"
    server.wait(lambda: len(server.one().resets) == 1)
    server.one().assert_each_reset_once()


# errors


def fails(lib, kind, call):
    with pytest.raises(getattr(lib, kind)) as caught:
        call()
    error = caught.value
    assert type(error) is getattr(lib, kind)
    assert isinstance(error.request, lib.Request) and isinstance(error.__cause__, requestx.RequestError)
    assert str(error) == str(error.__cause__) != ""
    return error


def test_timeouts(client, lib, peer, black_hole, context):
    server = peer()
    url = server.url("/never", host="localhost")
    error = fails(lib, "ReadTimeout", lambda: client.get(url, timeout=lib.Timeout(5, read=0.1)))
    assert error.request.url == url
    fails(lib, "ConnectTimeout", lambda: client.get(f"http://127.0.0.1:{black_hole}/", timeout=0.1))
    body = server.url("/headers-then-nothing", host="localhost")
    with client.stream("GET", body, timeout=lib.Timeout(5, read=0.1)) as response:
        assert response.status_code == 200
        fails(lib, "ReadTimeout", response.read)


def test_the_pools_limit(lib, h1peer):
    server = h1peer()
    transport = requestx.HTTPXTransport(limits=lib.Limits(max_connections=1))
    with lib.Client(transport=transport) as client, client.stream("GET", server.url("/partial?n=1&of=2")):
        fails(lib, "PoolTimeout", lambda: client.get(server.url("/"), timeout=lib.Timeout(5, pool=0.05)))


def test_connecting_fails(client, lib, unused_port, nginx):
    error = fails(lib, "ConnectError", lambda: client.get(f"http://127.0.0.1:{unused_port}/"))
    assert "127.0.0.1" in str(error)
    error = fails(lib, "ConnectError", lambda: client.get(nginx.bad_cert_url("expired", "/")))
    assert "expired" in str(error)


def test_the_peer_breaks_the_protocol(client, lib, peer, h1peer):
    server = peer()
    fails(lib, "RemoteProtocolError", lambda: client.get(server.url("/rst?code=2", host="localhost")))
    short = h1peer().url("/truncated")
    fails(lib, "RemoteProtocolError", lambda: client.get(short))
    with client.stream("GET", short) as response:
        fails(lib, "RemoteProtocolError", lambda: list(response.iter_raw()))


def test_requests_that_cannot_be_sent(client, lib, app):
    fails(lib, "LocalProtocolError", lambda: client.get(app.http_url("/"), headers={"x": "a\nb"}))
    fails(lib, "UnsupportedProtocol", lambda: client.get("ftp://localhost/"))
    with pytest.raises(TypeError, match="expected a Request of httpx or httpx2, not requestx.Request"):
        requestx.HTTPXTransport().handle_request(requestx.Request("GET", "http://localhost/"))


def test_an_exception_of_the_bodys_own(client, app, lib):
    def body():
        yield b"part"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.post(app.https_url("/echo"), content=body())
    assert client.get(app.https_url("/")).status_code == 200


# what else a transport is asked for


def test_proxies_of_other_kinds(lib, app, context, socks_peer, proxy_peer):
    socks, over_tls = socks_peer(username="user", password="pass"), proxy_peer(tls=True)
    proxies = [
        f"socks5://user:pass@{socks.address}",
        lib.Proxy(f"socks5h://{socks.address}", auth=("user", "pass")),
        lib.Proxy(over_tls.proxy, ssl_context=context),
    ]
    for proxy in proxies:
        with lib.Client(transport=requestx.HTTPXTransport(verify=context, proxy=proxy)) as client:
            assert client.get(app.https_url("/echo")).http_version == "HTTP/2"
    assert len(socks.requests) == 2 and len(over_tls.connects()) == 1


def test_proxies(lib, app, context, tinyproxy_auth, proxy_peer):
    url = app.https_url("/echo")
    before = len(tinyproxy_auth.connects())
    proxies = [tinyproxy_auth.proxy_url, lib.URL(tinyproxy_auth.proxy_url), lib.Proxy(tinyproxy_auth.proxy_url)]
    for proxy in proxies:
        with lib.Client(transport=requestx.HTTPXTransport(verify=context, proxy=proxy)) as client:
            assert client.get(url).status_code == 200
    assert len(tinyproxy_auth.connects()) == before + 3
    marked = lib.Proxy(proxy_peer().proxy, headers={"x-mark": "yes"}, auth=("user", "pass"))
    with lib.Client(transport=requestx.HTTPXTransport(verify=context, proxy=marked)) as client:
        assert client.get(url).status_code == 200
    refusing = proxy_peer("502")
    with lib.Client(transport=requestx.HTTPXTransport(verify=context, proxy=refusing.proxy_url)) as client:
        fails(lib, "ProxyError", lambda: client.get(url))


def test_trace(client, lib, app):
    told = []
    extensions = {"trace": lambda name, info: told.append(name)}
    with client.stream("GET", app.https_url("/"), extensions=extensions) as response:
        response.read()
    assert told[0] == "connection.connect_tcp.started" and told[-1] == "http2.response_closed.complete"


def test_what_the_client_does_itself(client, lib, app, httpbin):
    assert client.get(app.https_url("/redirect/2"), follow_redirects=True).url.path == "/echo"
    answer = client.get(httpbin.https_url("/digest-auth/auth/u/p"), auth=lib.DigestAuth("u", "p"))
    assert answer.json() == {"authenticated": True, "user": "u"} and len(answer.history) == 1
    client.get(app.https_url("/cookies/set?a=1"))
    assert client.get(app.https_url("/cookies")).json()["cookies"]["a"] == "1"


def test_one_transport_for_both(context, app):
    import httpx
    import httpx2

    transport = requestx.HTTPXTransport(verify=context)
    for each in (httpx, httpx2):
        assert type(each.Client(transport=transport).get(app.https_url("/"))) is each.Response
    transport.close()


def test_many_threads(client, app):
    def work():
        for _ in range(10):
            lengths.append(len(client.get(app.https_url("/bytes/1000")).content))

    lengths = []
    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [1000] * 50


def descriptors():
    gc.collect()  # what other tests left is none of the one that counts
    return len(os.listdir("/proc/self/fd"))


def test_closing_frees_the_connections(lib, context, app):
    before = descriptors()
    with lib.Client(transport=requestx.HTTPXTransport(verify=context)) as client:
        client.get(app.https_url("/"))
        assert descriptors() > before
    assert descriptors() == before


# async


def on_trio(main):
    import trio

    return trio.run(main)


@pytest.fixture(params=[asyncio.run, on_trio], ids=["asyncio", "trio"])
def run(request):
    return request.param if request.param is on_trio else lambda main: asyncio.run(main())


def test_everything_awaited(run, lib, context, app, peer):
    async def body():
        yield b"one"
        yield b"two"

    async def main():
        transport = requestx.AsyncHTTPXTransport(verify=context)
        async with lib.AsyncClient(transport=transport) as client:
            response = await client.get(app.https_url("/echo"))
            assert type(response) is lib.Response and response.http_version == "HTTP/2"
            answer = await client.post(app.https_url("/echo"), content=body())
            assert answer.json()["body"] == "onetwo"
            assert (await client.post(app.https_url("/echo"), json=[1])).json()["body"] == "[1]"
            async with client.stream("GET", app.https_url("/bytes/300000")) as response:
                assert sum([len(part) async for part in response.aiter_raw()]) == 300_000
            async with client.stream("GET", app.https_url("/lines?n=3&ms=1")) as response:
                assert [line async for line in response.aiter_lines()] == [f"line {n} \u00e9" for n in range(3)]
            async with client.stream("GET", app.https_url("/drip?n=1000&ms=1")) as response:
                async for _ in response.aiter_raw():
                    break
            with pytest.raises(lib.ReadTimeout) as caught:
                await client.get(app.https_url("/never"), timeout=lib.Timeout(5, read=0.1))
            assert type(caught.value.request) is lib.Request
            with pytest.raises(lib.LocalProtocolError):
                await client.get(app.https_url("/"), headers={"x": "a\nb"})
            with pytest.raises(lib.RemoteProtocolError):
                async with client.stream("GET", server.url("/rst?code=2&after=10", host="localhost")) as response:
                    await response.aread()
            told = []

            async def trace(name, info):
                told.append(name)

            await client.get(app.https_url("/"), extensions={"trace": trace})
            assert told[0] == "http2.send_request_headers.started" and told[-1] == "http2.response_closed.complete"
            with pytest.raises(TypeError, match="expected a Request of httpx or httpx2"):
                await transport.handle_async_request(requestx.Request("GET", app.https_url("/")))

    server = peer()
    before = descriptors()
    run(main)
    gc.collect()  # exceptions, and with them responses, in frames that hold each other
    wait_until(lambda: descriptors() <= before, 5, "the end of every connection")


def test_many_tasks_share_one_connection(lib, context, peer):
    server = peer()

    async def main():
        async with lib.AsyncClient(transport=requestx.AsyncHTTPXTransport(verify=context)) as client:
            url = server.url("/bytes?n=100", host="localhost")
            responses = await asyncio.gather(*(client.get(url) for _ in range(50)))
            assert {len(response.content) for response in responses} == {100}

    asyncio.run(main())
    assert len(server.one().requests) == 50


def test_cancelling_resets_the_stream(lib, context, peer):
    server = peer()

    async def main():
        async with lib.AsyncClient(transport=requestx.AsyncHTTPXTransport(verify=context), timeout=None) as client:
            for path in ("/never", "/headers-then-nothing"):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.get(server.url(path, host="localhost")), 0.1)
            assert (await client.get(server.url("/", host="localhost"))).text == "ok"

    asyncio.run(main())
    server.wait(lambda: len(server.one().resets) == 2)
    server.one().assert_each_reset_once()


# the names


def python(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_imported_before_it_is_asked_for():
    program = "import sys, requestx; requestx.__all__; print(sorted({'httpx', 'httpx2'} & set(sys.modules)))"
    assert python(program) == "[]"
    program = (
        "import requestx; requestx.HTTPXTransport, requestx.AsyncHTTPXTransport; from requestx import HTTPXTransport\n"
        "print([name for name in ('HTTPXTransport', 'AsyncHTTPXTransport')"
        " if name in vars(requestx) or name in dir(requestx) or name in requestx.__all__])"
    )
    assert python(program) == "[]"


@pytest.mark.parametrize("missing", ["httpx", "httpx2"])
def test_one_of_the_two_is_enough(missing):
    program = (
        f"import sys; sys.modules['{missing}'] = None; import requestx\n"
        "print([base.__module__ for base in requestx.HTTPXTransport.__bases__[1:]])"
    )
    assert python(program) == str([{"httpx": "httpx2", "httpx2": "httpx"}[missing]])


def test_one_may_stand_in_for_the_other():
    program = (
        "import httpx2; httpx2.alias_httpx(); import httpx, requestx\n"
        "print(len(requestx.HTTPXTransport.__bases__[1:]), httpx.Client(transport=requestx.HTTPXTransport()).is_closed)"
    )
    assert python(program) == "1 False"


def test_none_of_the_two():
    program = (
        "import sys; sys.modules['httpx'] = sys.modules['httpx2'] = None; import requestx\n"
        "try: requestx.HTTPXTransport\n"
        "except ImportError as error: print(error)"
    )
    assert "need the package 'httpx' or 'httpx2'" in python(program)
