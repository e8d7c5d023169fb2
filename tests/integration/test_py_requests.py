"""Requests from Python against real servers: the fast path, the way around it, and that both do the same."""

import asyncio
import base64
import gzip
import inspect
import json
import logging
import os
import unittest.mock

import pytest

import requestx


def run_sync(ca, *calls, **settings):
    with requestx.Client(ca_bundle=ca.ca_file, **settings) as client:
        return [client.request(*call[0], **call[1]) for call in calls]


def run_async(ca, *calls, **settings):
    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, **settings) as client:
            return [await client.request(*call[0], **call[1]) for call in calls]

    return asyncio.run(main())


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request, ca):
    def one(method, url, settings=None, **options):
        return request.param(ca, ((method, url), options), **(settings or {}))[0]

    return one


def test_a_response(run, nginx):
    response = run("GET", nginx.https_url("/small"))
    assert response.status_code == 200 and response.content == b"hello, world\n" and response.text == "hello, world\n"
    assert response.http_version == "HTTP/2" and response.headers["content-length"] == "13"
    assert response.url == nginx.https_url("/small") == response.request.url
    assert response.request.method == "GET" and response.request.content == b""
    assert list(response.request.headers)[:2] == ["host", "accept"]
    assert response.stream_id == 1 and response.connection_id == 1 and response.retries == 0
    assert 0 < response.timings.connect <= response.timings.tls <= response.timings.first_byte <= response.timings.total
    assert response.elapsed.total_seconds() == pytest.approx(response.timings.total)
    assert response.extensions["http_version"] == b"HTTP/2" and response.extensions["stream_id"] == 1
    assert response.extensions["network_stream"].get_extra_info("server_addr")[1] == nginx.https_port
    assert response.num_bytes_downloaded == 13 and response.is_closed and response.history == []
    assert response.next_request is None and response.raise_for_status() is response
    assert b"".join(response.iter_bytes()) == response.content
    with pytest.raises(requestx.StreamConsumed):
        next(response.iter_raw())


def test_http1(run, nginx):
    for url, settings in ((nginx.https_url("/small"), {"http2": False}), (nginx.http_url("/small"), {})):
        response = run("GET", url, settings)
        assert (response.http_version, response.reason_phrase, response.stream_id) == ("HTTP/1.1", "OK", None)
        assert response.extensions["reason_phrase"] == b"OK" and response.content == b"hello, world\n"
        assert "Content-Length" in [name.decode() for name, _ in response.headers.raw]


@pytest.mark.parametrize("extra", [{}, {"extensions": {}}], ids=["fast", "slow"])
@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({"content": b"x" * 100_000}, None, None),
        ({"content": "é"}, None, None),
        ({"json": {"a": 1}}, {"a": 1}, "application/json"),
        ({"data": {"a": "b"}}, None, "application/x-www-form-urlencoded"),
        ({"content": b""}, None, None),
    ],
)
def test_bodies_arrive(run, app, extra, options, body, content_type):
    response = run("POST", app.https_url("/echo"), **options, **extra)
    seen = response.json()
    sent = response.request.content
    assert seen["method"] == "POST" and seen["length"] == len(sent)
    fields = dict(seen["headers"])
    assert fields["content-length"] == str(len(sent)) and fields.get("content-type") == content_type
    if body is not None:
        assert json.loads(sent) == body


FIELDS = [
    {},
    {"headers": {"X-One": "1", "accept": "text/html"}},
    {"headers": [("x-two", "a"), ("X-Two", "b")]},
    {"headers": {b"x-bytes": b"\xe9"}},
    {"headers": requestx.Headers({"user-agent": "me"})},
    {"auth": ("user", "pass")},
    {"auth": (b"user", "p:ss")},
    {"auth": requestx.Auth.bearer("token")},
    {"auth": requestx.Auth.basic("user", "pass"), "headers": {"Authorization": "other"}},
    {"json": {"a": "é"}, "headers": {"content-type": "application/problem+json"}},
    {"content": "text", "headers": {"Host": "other.example.test"}},
]


@pytest.mark.parametrize("options", FIELDS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"auth": ("u", "p")}, {"headers": {"x-default": "d", "accept": "a/b"}}, {"base_url": True}],
    ids=["plain", "auth", "headers", "base"],
)
def test_the_fast_path_sends_what_the_other_one_does(run, app, settings, options):
    settings, url = dict(settings), app.http_url("/echo?a=1%20b")
    if settings.pop("base_url", None):
        settings["base_url"], url = app.http_url("/"), "/echo?a=1%20b"
    fast = run("PUT", url, settings, **options)
    # extensions are one of the things that the fast path leaves to others
    slow = run("PUT", url, settings, extensions={}, **options)
    first, second = fast.json(), slow.json()
    for one in (first, second):
        one.pop("client", None)
    assert first == second
    assert fast.request.headers.raw == slow.request.headers.raw
    assert fast.request.url == slow.request.url and fast.request.content == slow.request.content
    assert fast.request.extensions == slow.request.extensions


def test_relative_urls_are_below_the_base(run, app):
    settings = {"base_url": app.http_url("/echo")}
    assert run("GET", "/x/../y?z", settings).status_code == 404
    assert run("GET", app.http_url("/echo"), settings).json()["path"] == "/echo"


def test_the_clients_headers_may_change_in_place(ca, app):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        client.headers["x-a"] = "1"
        assert dict(client.get(app.http_url("/echo")).json()["headers"])["x-a"] == "1"
        client.headers["x-a"] = "2"
        assert dict(client.get(app.http_url("/echo")).json()["headers"])["x-a"] == "2"
        del client.headers["x-a"]
        assert "x-a" not in dict(client.get(app.http_url("/echo")).json()["headers"])
        client.headers["x-a"] = "bad\nvalue"
        with pytest.raises(requestx.LocalProtocolError, match="Illegal header value"):
            client.get(app.http_url("/echo"))


def test_cookies_are_kept_and_sent(ca, app):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.get(app.http_url("/cookies/set?k=v")).cookies["k"] == "v"
        assert client.cookies["k"] == "v"
        assert dict(client.get(app.http_url("/echo")).json()["headers"])["cookie"] == "k=v"
        client.cookies.clear()
        assert "cookie" not in dict(client.get(app.http_url("/echo")).json()["headers"])


def test_redirects(run, app):
    response = run("GET", app.http_url("/redirect/2"))
    assert response.status_code == 302 and response.next_request.url.path == "/redirect/1"
    response = run("GET", app.http_url("/redirect/2"), follow_redirects=True)
    assert response.status_code == 200 and [one.status_code for one in response.history] == [302, 302]


@pytest.mark.parametrize("size", [0, 1000, 1024 * 1024, 1024 * 1024 + 1, 100_000_000])
@pytest.mark.parametrize("stream", [False, True])
def test_a_long_body_of_a_redirect_is_given_up(run, peer, stream, size):
    """What is kept in the history has an end (1 MiB), on the fast path and beside it."""

    def moved(one):
        one.send_headers(302, [("location", "/")])
        one.write(size, end=True)

    server = peer(handlers={"/moved": moved})
    beside = {"extensions": {"a": 1}} if stream else {}
    response = run("GET", server.url("/moved"), follow_redirects=True, **beside)
    assert (response.status_code, response.text) == (200, "ok")
    (passed,) = response.history
    assert passed.is_closed and passed.headers["location"] == "/" and passed.request.url.path == "/moved"
    if size <= 1024 * 1024:
        assert len(passed.content) == passed.num_bytes_downloaded == size
    else:
        with pytest.raises(requestx.ResponseNotRead):
            passed.content
        with pytest.raises(requestx.StreamConsumed):
            b"".join(passed.iter_bytes())
        assert server.one().data_sent < 20_000_000  # a window, however much it grew
    if size < 2_000_000:  # who does not have it followed gets all of it
        assert len(run("GET", server.url("/moved"), **beside).content) == size


def test_only_what_follows_a_redirect_leaves_the_fast_path(ca, app, monkeypatch):
    slow = []
    original = requestx.HTTPTransport._exchange
    monkeypatch.setattr(
        requestx.HTTPTransport,
        "_exchange",
        lambda self, request: slow.append(request.url.path) or original(self, request),
    )
    with requestx.Client(ca_bundle=ca.ca_file, follow_redirects=True) as client:
        assert client.get(app.http_url("/echo")).history == [] and slow == []
        response = client.get(app.http_url("/redirect/2"), headers={"x-a": "b"}, timeout=7)
        assert [one.url.path for one in response.history] == ["/redirect/2", "/redirect/1"]
        assert slow == ["/redirect/1", response.url.path] and response.content
        assert response.request.headers["x-a"] == "b" and response.request.extensions["timeout"]["read"] == 7
        assert client.get(app.http_url("/redirect/2"), follow_redirects=False).status_code == 302
        client.max_redirects = 1
        with pytest.raises(requestx.TooManyRedirects):
            client.get(app.http_url("/redirect/5"))

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, follow_redirects=True) as client:
            response = await client.get(app.http_url("/redirect/2"))
            assert [one.url.path for one in response.history] == ["/redirect/2", "/redirect/1"]
            task = asyncio.ensure_future(
                client.get(app.http_url(f"/redirect-to?url={app.http_url('/never')}&code=302"))
            )
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            client.max_redirects = 1
            with pytest.raises(requestx.TooManyRedirects):
                await client.get(app.http_url("/redirect/5"))

    asyncio.run(main())


def test_content_codings(run, app, nginx):
    assert run("GET", app.https_url("/gzip")).text == run("GET", app.https_url("/deflate")).text
    response = run("GET", nginx.https_url("/gzip"))
    assert response.headers["content-encoding"] == "gzip" and response.num_bytes_downloaded < len(response.content)


def test_trailers(run, nginx, peer):
    assert run("GET", peer().url("/trailers")).trailers == {"x-checksum": "abc123", "x-second": "two"}


def test_the_log(run, nginx, caplog):
    caplog.set_level(logging.INFO, "requestx")
    url = nginx.https_url("/small")
    run("GET", url)
    assert caplog.messages == [f'HTTP Request: GET {url} "HTTP/2 200 OK"']
    caplog.set_level(logging.WARNING, "requestx")
    run("GET", url)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["send", "build_request", "_transport_for_url"])
def test_what_is_replaced_later_is_used(ca, nginx, name):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        client.get(nginx.https_url("/small"))
        original = getattr(requestx.Client, name)
        with unittest.mock.patch.object(requestx.Client, name, autospec=True, side_effect=original) as mock:
            client.get(nginx.https_url("/small"))
        assert mock.call_count == 1
        with unittest.mock.patch.object(client, name, wraps=getattr(client, name)) as mock:
            client.get(nginx.https_url("/small"))
        assert mock.call_count == 1
        client.get(nginx.https_url("/small"))


def test_a_replaced_transport_method_is_used(ca, nginx):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.get(nginx.https_url("/small")).status_code == 200
        with unittest.mock.patch.object(
            requestx.HTTPTransport, "handle_request", lambda self, request: requestx.Response(299, content=b"mock")
        ):
            assert client.get(nginx.https_url("/small")).status_code == 299
        assert client.get(nginx.https_url("/small")).status_code == 200


def test_get_goes_through_an_overridden_request(ca, nginx):
    class Mine(requestx.Client):
        def request(self, method, url, **options):
            calls.append((method, sorted(options)))
            return super().request(method, url, **options)

    calls = []
    with Mine(ca_bundle=ca.ca_file) as client:
        client.get(nginx.https_url("/small"))
        client.post(nginx.https_url("/post"), content=b"x")
    assert [method for method, _ in calls] == ["GET", "POST"]


@pytest.mark.parametrize("method", ["get", "options", "head", "delete", "post", "put", "patch"])
def test_every_method(ca, app, method):
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        response = getattr(client, method)(app.http_url("/echo"))
    assert response.request.method == method.upper()
    assert method == "head" or response.json()["method"] == method.upper()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.get(), "missing 1 required positional argument: 'url'"),
        (lambda c: c.request("GET"), "missing 1 required positional argument: 'url'"),
        (lambda c: c.get("http://h/", content=b""), "unexpected keyword argument 'content'"),
        (lambda c: c.get("http://h/", method="x"), "unexpected keyword argument 'method'"),
        (lambda c: c.post("http://h/", nonsense=1), "unexpected keyword argument 'nonsense'"),
        (lambda c: c.get("http://h/", "x"), "takes 2 positional arguments but 3 were given"),
        (lambda c: c.get("http://h/", url="http://h/"), "multiple values for argument 'url'"),
    ],
)
def test_wrong_calls(call, message):
    for client in (requestx.Client(), requestx.AsyncClient()):
        with pytest.raises(TypeError, match=message):
            call(client)


def test_signatures_can_be_read():
    for cls in (requestx.Client, requestx.AsyncClient):
        signature = inspect.signature(cls.post)
        assert list(signature.parameters)[:3] == ["self", "url", "content"]
        assert signature.parameters["timeout"].default is requestx.USE_CLIENT_DEFAULT
        assert "content" not in inspect.signature(cls.get).parameters
        with_method = inspect.signature(cls().request).parameters
        assert list(with_method)[:2] == ["method", "url"] and with_method["auth"].kind is inspect.Parameter.KEYWORD_ONLY


def test_methods_tell_what_they_are():
    client, other = requestx.AsyncClient(), requestx.Client()
    for method in (client.get, requestx.AsyncClient.get):
        assert asyncio.iscoroutinefunction(method)
        assert (method.__name__, method.__qualname__, method.__module__) == ("get", "AsyncClient.get", "requestx")
        assert method.__doc__ == "Send a GET request." and "AsyncClient.get" in repr(method)
    for method in (other.get, requestx.Client.get):
        assert not asyncio.iscoroutinefunction(method) and not hasattr(method, "_is_coroutine")
    assert client.get == client.get and hash(client.get) == hash(client.get)
    assert client.get != client.post and client.get != requestx.AsyncClient().get
    assert client.get.__self__ is client and client.get.__func__ is requestx.AsyncClient.get
    for wrong in (
        lambda: requestx.Client.get("http://h/"),
        lambda: requestx.Client.get(),
        lambda: requestx.Client.get(client, ""),
    ):
        with pytest.raises(TypeError, match=r"get\(\) is a method of Client"):
            wrong()


def test_mocks_of_async_methods_are_async():
    async def main():
        client = requestx.AsyncClient()
        with unittest.mock.patch.object(requestx.AsyncClient, "get", return_value=7) as mock:
            assert isinstance(mock, unittest.mock.AsyncMock) and await client.get("http://h/") == 7
        with unittest.mock.patch.object(client, "post", autospec=True) as mock:
            mock.return_value = 8
            assert await client.post("http://h/", json={}) == 8
        spec = unittest.mock.create_autospec(requestx.AsyncClient, instance=True)
        spec.request.return_value = 9
        assert await spec.request("GET", "http://h/") == 9

    asyncio.run(main())
    with unittest.mock.patch.object(requestx.Client, "get", return_value=7) as mock:
        assert not isinstance(mock, unittest.mock.AsyncMock) and requestx.Client().get("http://h/") == 7


def test_a_closed_client_is_closed(ca, nginx):
    client = requestx.Client(ca_bundle=ca.ca_file)
    client.get(nginx.https_url("/small"))
    client.close()
    with pytest.raises(RuntimeError, match="has been closed"):
        client.get(nginx.https_url("/small"))


def test_a_used_client_cannot_be_entered(ca, nginx):
    client = requestx.Client(ca_bundle=ca.ca_file)
    client.get(nginx.https_url("/small"))
    with pytest.raises(RuntimeError, match="more than once"):
        client.__enter__()
    client.close()


def test_unix_socket_and_local_address(ca, app, tmp_path):
    with requestx.Client(transport=requestx.HTTPTransport(local_address="127.0.0.2")) as client:
        assert client.get(app.http_url("/echo", host="127.0.0.1")).json()["client"][0] == "127.0.0.2"


@pytest.mark.parametrize("transport", [requestx.HTTPTransport, requestx.AsyncHTTPTransport])
def test_what_no_connection_can_be_made_with_is_refused_by_name(transport):
    with pytest.raises(ValueError, match="local_address is an IP address, not 'localhost'"):
        transport(local_address="localhost")
    with pytest.raises(ValueError, match="max_connections has to be 1 at least"):
        transport(limits=requestx.Limits(max_connections=0))
    transport(local_address="::1", limits=requestx.Limits(max_connections=None))


def test_socket_options(ca, app):
    import socket

    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, b"\1\0\0\0")]
    with requestx.Client(transport=requestx.HTTPTransport(socket_options=options)) as client:
        assert client.get(app.http_url("/echo")).status_code == 200


def test_socket_options_may_be_any_iterable_and_are_taken_as_they_were(app):
    import socket

    value = bytearray(b"\1\0\0\0")
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True), (socket.IPPROTO_TCP, socket.TCP_NODELAY, value)]
    transport = requestx.HTTPTransport(socket_options=iter(options))
    value.clear()
    with requestx.Client(transport=transport) as client:
        assert client.get(app.http_url("/echo")).status_code == 200


@pytest.mark.parametrize(
    "option, error, text",
    [
        ((1, 2), TypeError, "at least 3"),
        ((1, 2, 3, 4, 5), TypeError, "at most 4"),
        (7, TypeError, "must be tuples, not int"),
        ([1, 2, 3], TypeError, "must be tuples, not list"),
        (("a", 2, 3), TypeError, "int"),
        ((1, 2, "text"), TypeError, "int"),
        ((1, 2, 1.5), TypeError, "int"),
        ((1, 2, 2**31), OverflowError, "2147483648 is no C int"),
        ((1, 2, -(2**31) - 1), OverflowError, "is no C int"),
        ((1, 2, 2**80), OverflowError, "is no C int"),
        ((2**40, 2, 1), OverflowError, "int"),
        ((1, 2, None), TypeError, "a length belongs to a value that is None"),
        ((1, 2, 3, 4), TypeError, "a length belongs to a value that is None"),
        ((1, 2, b"x", 1), TypeError, "a length belongs to a value that is None"),
        ((1, 2, None, -1), ValueError, "the length -1"),
        ((1, 2, None, 4097), ValueError, "the length 4097"),
        ((1, 2, bytes(4097)), ValueError, "the length 4097"),
    ],
)
@pytest.mark.parametrize("kind", [requestx.HTTPTransport, requestx.AsyncHTTPTransport])
def test_socket_options_that_cannot_be_set(kind, option, error, text):
    with pytest.raises(error, match=text):
        kind(socket_options=[(1, 9, 1), option])


def test_the_bounds_of_socket_options():
    for value in (2**31 - 1, -(2**31), True, b"", bytes(4096)):
        requestx.HTTPTransport(socket_options=[(1, 2, value)])
    requestx.HTTPTransport(socket_options=[(1, 2, None, 0), (1, 2, None, 4096)])
    requestx.HTTPTransport(socket_options=[(1, 2, 3)] * 32)
    with pytest.raises(ValueError, match="more than 32"):
        requestx.HTTPTransport(socket_options=[(1, 2, 3)] * 33)
    with pytest.raises(TypeError):
        requestx.HTTPTransport(socket_options=7)


def test_an_option_that_the_system_refuses(app):
    with requestx.Client(transport=requestx.HTTPTransport(socket_options=[(1, 99999, 1)])) as client:
        with pytest.raises(requestx.ConnectError, match="(?i)socket option 99999 of level 1: protocol not available"):
            client.get(app.http_url("/echo"))


def test_an_interface_to_go_out_by(app):
    import socket

    def options(name):
        return [(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)]

    probe = socket.socket()
    try:
        probe.setsockopt(*options(b"lo\0")[0])
    except PermissionError:
        pytest.skip("this needs CAP_NET_RAW here")
    finally:
        probe.close()
    url = app.http_url("/echo", host="127.0.0.1")
    with requestx.Client(transport=requestx.HTTPTransport(socket_options=options(b"lo\0"))) as client:
        assert client.get(url).status_code == 200
    with requestx.Client(transport=requestx.HTTPTransport(socket_options=options(b"no-such-if\0"))) as client:
        with pytest.raises(requestx.ConnectError, match="(?i)socket option 25 of level 1: no such device"):
            client.get(url)


def test_the_target_extension(ca, app):
    with requestx.Client() as client:
        response = client.request("GET", app.http_url("/"), extensions={"target": b"/echo?x"})
        assert response.json()["path"] == "/echo"


def test_trace(run, nginx):
    events = []

    def sync_trace(name, info):
        events.append(name)

    async def async_trace(name, info):
        events.append(name)

    is_sync = "sync" in os.environ["PYTEST_CURRENT_TEST"].split("[")[1][:4]
    run("GET", nginx.https_url("/small"), extensions={"trace": sync_trace if is_sync else async_trace})
    assert events[0] == "connection.connect_tcp.started" and "http2.receive_response_headers.complete" in events
    assert events[-1] == "http2.response_closed.complete"


@pytest.mark.parametrize("codings", [["gzip", "x-unknown"], ["x-unknown, x-gzip"], ["identity", "GZIP , br2"]])
def test_codings_that_nobody_knows_are_passed_over(app, ca, codings):
    """Read at once or as a stream: what is known is undone, as httpx does it."""
    order = {
        "headers": [("Content-Encoding", field) for field in codings],
        "pieces": [base64.b64encode(gzip.compress(b"text")).decode()],
    }
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        assert client.post(app.https_url("/answer"), json=order).content == b"text"
        with client.stream("POST", app.https_url("/answer"), json=order) as response:
            assert b"".join(response.iter_bytes()) == b"text"
        order["pieces"] = [base64.b64encode(b"no such thing").decode()]
        with pytest.raises(requestx.DecodingError) as caught:
            client.post(app.https_url("/answer"), json=order)
        assert caught.value.request.url.path == "/answer"
