"""The transports of this process: WSGI, ASGI, and the bases."""

import asyncio
import pathlib
import sys

import pytest
import trio

import requestx


def wsgi_echo(environ, start_response):
    import json

    plain = {key: value for key, value in environ.items() if isinstance(value, (str, bool, tuple))}
    plain["body"] = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(plain).encode()]


def test_wsgi_environ():
    transport = requestx.WSGITransport(wsgi_echo, script_name="/mounted", remote_addr="192.0.2.1")
    with requestx.Client(transport=transport) as client:
        got = client.post(
            "https://example.org/a%20b/?c=d&e", content=b"body", headers={"X-One": "1", "Content-Type": "text/x"}
        ).json()
    assert got["REQUEST_METHOD"] == "POST"
    assert (got["SCRIPT_NAME"], got["PATH_INFO"], got["QUERY_STRING"]) == ("/mounted", "/a b/", "c=d&e")
    assert (got["SERVER_NAME"], got["SERVER_PORT"], got["wsgi.url_scheme"]) == ("example.org", "443", "https")
    assert (got["CONTENT_TYPE"], got["CONTENT_LENGTH"], got["HTTP_X_ONE"]) == ("text/x", "4", "1")
    assert (got["REMOTE_ADDR"], got["HTTP_HOST"], got["body"]) == ("192.0.2.1", "example.org", "body")
    assert got["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_wsgi_port():
    with requestx.Client(transport=requestx.WSGITransport(wsgi_echo)) as client:
        assert client.get("http://example.org:8080/").json()["SERVER_PORT"] == "8080"
        assert client.get("http://example.org/").json()["SERVER_PORT"] == "80"


class Closing:
    """A WSGI result in pieces, that wants to be closed."""

    def __init__(self, pieces):
        self.pieces = iter(pieces)
        self.closed = 0

    def __iter__(self):
        return self.pieces

    def close(self):
        self.closed += 1


def test_wsgi_generator_starts_late_and_is_closed():
    result = None

    def application(environ, start_response):
        def pieces():
            start_response("201 Created", [("X-Late", "yes")])
            yield b""
            yield b"one "
            yield b""
            yield b"two"

        nonlocal result
        result = Closing(pieces())
        return result

    with requestx.Client(transport=requestx.WSGITransport(application)) as client:
        response = client.get("https://example.org/")
        assert (response.status_code, response.text, response.headers["X-Late"]) == (201, "one two", "yes")
        assert result.closed == 1
        with client.stream("GET", "https://example.org/") as response:
            pass
        assert result.closed == 1, "this one's"


def test_wsgi_write_callable():
    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"written ")
        return [b"returned"]

    with requestx.Client(transport=requestx.WSGITransport(application)) as client:
        assert client.get("https://example.org/").text == "written returned"


def failing(environ, start_response):
    try:
        raise LookupError("broken")
    except LookupError:
        start_response("500 Server Error", [("X-Error", "1")], sys.exc_info())
    return [b"sorry"]


def test_wsgi_exceptions():
    with requestx.Client(transport=requestx.WSGITransport(failing)) as client, pytest.raises(LookupError):
        client.get("https://example.org/")
    with requestx.Client(transport=requestx.WSGITransport(failing, raise_app_exceptions=False)) as client:
        response = client.get("https://example.org/")
        assert (response.status_code, response.text) == (500, "sorry")


def test_wsgi_without_start_response():
    closing = Closing([b"body"])
    with requestx.Client(transport=requestx.WSGITransport(lambda environ, start: closing)) as client:
        with pytest.raises(RuntimeError, match="start_response"):
            client.get("https://example.org/")
    assert closing.closed == 1


def test_wsgi_errors_stream(capsys):
    import io

    def application(environ, start_response):
        environ["wsgi.errors"].write("log line")
        start_response("204 No Content", [])
        return []

    log = io.StringIO()
    requestx.Client(transport=requestx.WSGITransport(application, wsgi_errors=log)).get("https://example.org/")
    requestx.Client(transport=requestx.WSGITransport(application)).get("https://example.org/")
    assert log.getvalue() == capsys.readouterr().err == "log line"


# ASGI


async def asgi_echo(scope, receive, send):
    import json

    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    plain = {key: scope[key] for key in ("type", "http_version", "method", "scheme", "path", "root_path")}
    plain["raw_path"] = scope["raw_path"].decode()
    plain["query_string"] = scope["query_string"].decode()
    plain["server"], plain["client"] = list(scope["server"]), list(scope["client"])
    plain["headers"] = [[key.decode(), value.decode()] for key, value in scope["headers"]]
    plain["body"] = body.decode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(plain).encode()})


def run(backend, function):
    return asyncio.run(function()) if backend == "asyncio" else trio.run(function)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asgi_scope(backend):
    async def main():
        transport = requestx.ASGITransport(asgi_echo, root_path="/mounted", client=("192.0.2.1", 42))
        async with requestx.AsyncClient(transport=transport) as client:
            response = await client.post(
                "https://example.org:8443/a%20b?c=d", content=b"body", headers=[("X-Two", "1"), ("X-Two", "2")]
            )
            return response.json()

    got = run(backend, main)
    assert (got["type"], got["http_version"], got["method"], got["scheme"]) == ("http", "1.1", "POST", "https")
    assert (got["path"], got["raw_path"], got["query_string"]) == ("/a b", "/a%20b", "c=d")
    assert (got["root_path"], got["server"], got["client"]) == ("/mounted", ["example.org", 8443], ["192.0.2.1", 42])
    assert got["body"] == "body"
    assert [pair for pair in got["headers"] if pair[0] == "x-two"] == [["x-two", "1"], ["x-two", "2"]]


async def asgi_failing(scope, receive, send):
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 200})
    raise LookupError("broken")


@pytest.mark.parametrize("path", ["/early", "/late"])
def test_asgi_exceptions(path):
    async def main():
        transport = requestx.ASGITransport(asgi_failing)
        async with requestx.AsyncClient(transport=transport) as client:
            with pytest.raises(LookupError):
                await client.get(f"https://example.org{path}")
        transport = requestx.ASGITransport(asgi_failing, raise_app_exceptions=False)
        async with requestx.AsyncClient(transport=transport) as client:
            return (await client.get(f"https://example.org{path}")).status_code

    assert asyncio.run(main()) == (500 if path == "/early" else 200)


def test_asgi_disconnect_comes_after_the_response():
    order = []

    async def application(scope, receive, send):
        assert await receive() == {"type": "http.request", "body": b"", "more_body": True}
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}

        async def watch():
            order.append((await receive())["type"])

        watching = asyncio.ensure_future(watch())
        await asyncio.sleep(0)
        order.append("response")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"ignored", "more_body": True})
        await send({"type": "http.response.body"})
        await watching

    async def main():
        async with requestx.AsyncClient(transport=requestx.ASGITransport(application)) as client:
            return await client.head("https://example.org/")

    response = asyncio.run(main())
    assert order == ["response", "http.disconnect"]
    assert response.content == b"", "HEAD has none"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200}],
        [{"type": "http.response.body", "body": b"x"}],
        [{"type": "http.response.start", "status": 200}, {"type": "http.response.start", "status": 200}],
        [
            {"type": "http.response.start", "status": 200},
            {"type": "http.response.body"},
            {"type": "http.response.body"},
        ],
    ],
)
def test_asgi_applications_that_break_the_rules(messages):
    async def application(scope, receive, send):
        for message in messages:
            await send(message)

    async def main():
        async with requestx.AsyncClient(transport=requestx.ASGITransport(application)) as client:
            await client.get("https://example.org/")

    with pytest.raises(AssertionError):
        asyncio.run(main())


# the bases, and doubles


def test_bases_want_to_be_implemented():
    with pytest.raises(NotImplementedError):
        requestx.BaseTransport().handle_request(None)
    with pytest.raises(NotImplementedError):
        asyncio.run(requestx.AsyncBaseTransport().handle_async_request(None))
    with pytest.raises(NotImplementedError):
        list(requestx.SyncByteStream())
    with requestx.BaseTransport() as transport:
        assert isinstance(transport, requestx.BaseTransport)

    async def main():
        async with requestx.AsyncBaseTransport() as transport:
            assert isinstance(transport, requestx.AsyncBaseTransport)
        with pytest.raises(NotImplementedError):
            [part async for part in requestx.AsyncByteStream()]

    asyncio.run(main())


def test_mock_with_async_handlers():
    async def handler(request):
        await asyncio.sleep(0)
        return requestx.Response(200, content=request.content)

    async def main():
        async with requestx.AsyncClient(transport=requestx.MockTransport(handler)) as client:
            return (await client.post("https://example.org/", content=b"body")).content

    assert asyncio.run(main()) == b"body"
    with requestx.Client(transport=requestx.MockTransport(handler)) as client:
        with pytest.warns(RuntimeWarning, match="never awaited"), pytest.raises(TypeError, match="async handler"):
            client.get("https://example.org/")
            import gc

            gc.collect()


def test_a_transport_of_the_other_kind():
    class Stream(requestx.AsyncByteStream):
        async def __aiter__(self):
            yield b""

    class Plain(requestx.SyncByteStream):
        def __iter__(self):
            yield b""

    transport = requestx.MockTransport(lambda request: requestx.Response(200, stream=Stream()))
    with requestx.Client(transport=transport) as client, pytest.raises(RuntimeError, match="async response"):
        client.get("https://example.org/")

    async def main():
        transport = requestx.MockTransport(lambda request: requestx.Response(200, stream=Plain()))
        async with requestx.AsyncClient(transport=transport) as client:
            with pytest.raises(RuntimeError, match="sync response"):
                await client.get("https://example.org/")

    asyncio.run(main())


@pytest.mark.parametrize("kind", [requestx.HTTPTransport, requestx.AsyncHTTPTransport])
@pytest.mark.parametrize("path", ["", "\0abstract", "/run/app.sock\0", b""])
def test_the_path_of_a_socket_is_one(kind, path):
    """What is none is not taken for "no path", for then the request would go to another server."""
    with pytest.raises(ValueError):
        kind(uds=path)


@pytest.mark.parametrize("kind", [requestx.HTTPTransport, requestx.AsyncHTTPTransport])
def test_settings_of_the_wrong_type_are_refused_when_they_are_given(kind):
    for settings in ({"uds": 5}, {"retries": "1"}, {"socket_options": 5}):
        with pytest.raises(TypeError):
            kind(**settings)
    kind(uds=pathlib.Path("/run/app.sock"), retries=-1)


def test_streams_of_the_engine_are_made_by_it_alone():
    from requestx import _core
    from requestx._transports.default import AsyncEngineStream, EngineStream

    for kind in (_core.SyncStream, _core.AsyncStream, EngineStream, AsyncEngineStream):
        with pytest.raises(TypeError, match="cannot create"):
            kind()


@pytest.mark.parametrize("settings", [{"verify": "/nowhere.pem"}, {"cert": "/nowhere.pem"}, {"cert": (__file__, "/nowhere.pem")}])
@pytest.mark.parametrize("kind", [requestx.HTTPTransport, requestx.Client, requestx.AsyncClient])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_that_are_not_there(kind, settings):
    with pytest.raises(FileNotFoundError, match="/nowhere.pem"):
        kind(**settings)


def test_patterns_are_text():
    for pattern in (None, 5, requestx.URL("http://example.org")):
        with pytest.raises(TypeError):
            requestx.Client(mounts={pattern: None})
