"""The fast path is the slow path, only faster: what it may take, what it must leave, and that both send the same."""

import asyncio
import sys
import unittest.mock

import pytest

import requestx

PATHS = {requestx.Client._request.__code__: "slow", requestx.AsyncClient._request.__code__: "slow"}


class Watch:
    """Whether `_request()` ran while this was open."""

    def __enter__(self):
        self.slow = False
        self._old = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *exc_info):
        sys.setprofile(self._old)

    def _see(self, frame, event, argument):
        if event == "call" and frame.f_code in PATHS:
            self.slow = True


@pytest.fixture
def send(ca, app, monkeypatch):
    """send(call, ...): the response to call(client), the same of both clients, and whether both were slow."""
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)

    def send(call, prepare=lambda client: None, async_prepare=None, **settings):
        with requestx.Client(**settings) as client:
            prepare(client)
            with Watch() as first:
                response = call(client)

        async def main():
            async with requestx.AsyncClient(**settings) as client:
                (async_prepare or prepare)(client)
                with Watch() as watch:
                    return watch, await call(client)

        second, async_response = asyncio.run(main())
        assert first.slow is second.slow
        assert response.status_code == async_response.status_code
        assert what_was_sent(response) == what_was_sent(async_response)
        return response, first.slow

    return send


def what_was_sent(response):
    try:
        sent = response.json()
    except ValueError:
        return response.content
    return {name: value for name, value in sent.items() if name != "client"}


def fields(response):
    """The response's, but for the date, and the length of what tells the client's port."""
    return [pair for pair in response.headers.raw if pair[0] not in (b"date", b"content-length")]


def add_hook(client):
    """Makes a client slow, and changes nothing else."""
    client.event_hooks["request"].append(lambda request: None)


def add_async_hook(client):
    async def hook(request):
        pass

    client.event_hooks["request"].append(hook)


FAST = {
    "get": lambda client, url: client.get(url("/echo")),
    "query": lambda client, url: client.get(url("/echo?a=b c&d=%20#fragment")),
    "url": lambda client, url: client.get(requestx.URL(url("/echo"))),
    "head": lambda client, url: client.head(url("/echo")),
    "options": lambda client, url: client.options(url("/echo")),
    "delete": lambda client, url: client.delete(url("/echo")),
    "post nothing": lambda client, url: client.post(url("/echo")),
    "put nothing": lambda client, url: client.put(url("/echo")),
    "post bytes": lambda client, url: client.post(url("/echo"), content=b"body"),
    "post empty": lambda client, url: client.post(url("/echo"), content=b""),
    "put text": lambda client, url: client.put(url("/echo"), content="t\u00e9xt"),
    "patch json": lambda client, url: client.patch(url("/echo"), json={"a": [1, None, "\u00e9"]}),
    "json null": lambda client, url: client.post(url("/echo"), json=None),
    "json false": lambda client, url: client.post(url("/echo"), json=False),
    "own type": lambda client, url: client.post(url("/echo"), json={}, headers={"content-type": "x/y"}),
    "own length": lambda client, url: client.post(url("/echo"), content=b"body", headers={"Content-Length": "4"}),
    "request": lambda client, url: client.request("get", url("/echo")),
    "odd method": lambda client, url: client.request("PURGE", url("/echo")),
    "headers": lambda client, url: client.get(url("/echo"), headers={"X-One": "1", "accept": "text/x"}),
    "bytes headers": lambda client, url: client.get(url("/echo"), headers={b"X-One": b"1"}),
    "pairs": lambda client, url: client.get(url("/echo"), headers=[("X-Two", "1"), ("X-Two", "2")]),
    "Headers": lambda client, url: client.get(url("/echo"), headers=requestx.Headers({"X-One": "1"})),
    "host": lambda client, url: client.get(url("/echo"), headers={"Host": "other.example"}),
    "agent": lambda client, url: client.get(url("/echo"), headers={"User-Agent": "me"}),
    "tuple": lambda client, url: client.get(url("/echo"), auth=("user", "pass")),
    "basic": lambda client, url: client.get(url("/echo"), auth=requestx.Auth.basic("user", "pass")),
    "bearer": lambda client, url: client.get(url("/echo"), auth=requestx.Auth.bearer("abc")),
    "no auth": lambda client, url: client.get(url("/echo"), auth=None),
    "timeout": lambda client, url: client.get(url("/echo"), timeout=5),
    "no timeout": lambda client, url: client.get(url("/echo"), timeout=None),
    "Timeout": lambda client, url: client.get(url("/echo"), timeout=requestx.Timeout(5, total=10)),
    "redirect": lambda client, url: client.get(url("/redirect/1")),
    "not found": lambda client, url: client.get(url("/nothing/here")),
    "empty": lambda client, url: client.get(url("/status/204")),
    "gzip": lambda client, url: client.get(url("/gzip")),
    "not following": lambda client, url: client.get(url("/echo"), follow_redirects=False),
}


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_fast_is_slow(name, scheme, send, app):
    def url(path):
        return app.url(path, scheme)

    def call(client):
        return FAST[name](client, url)

    fast, was_slow = send(call)
    assert not was_slow
    slow, was_slow = send(call, add_hook, add_async_hook)
    assert was_slow
    assert what_was_sent(fast) == what_was_sent(slow)
    assert (fast.status_code, fast.http_version) == (slow.status_code, slow.http_version)
    assert fields(fast) == fields(slow)
    assert fast.request.method == slow.request.method
    assert fast.request.url == slow.request.url
    assert fast.request.content == slow.request.content
    assert fast.request.headers.raw == slow.request.headers.raw
    assert fast.url == slow.url
    assert str(fast.next_request and fast.next_request.url) == str(slow.next_request and slow.next_request.url)
    assert dict(fast.cookies) == dict(slow.cookies)
    assert fast.elapsed.total_seconds() > 0 and slow.elapsed.total_seconds() > 0
    assert fast.is_closed and slow.is_closed and fast.is_stream_consumed and slow.is_stream_consumed
    assert fast.history == slow.history == []
    assert fast.num_bytes_downloaded == int(fast.headers.get("Content-Length", 0)) or fast.request.method == "HEAD"
    assert fast.encoding == slow.encoding
    assert fast.reason_phrase == slow.reason_phrase
    assert set(fast.extensions) == set(slow.extensions)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"headers": {"X-One": "1", "User-Agent": "me"}}, "/echo"),
        ({"auth": ("user", "pass")}, "/protected"),
        ({"auth": requestx.Auth.bearer("api-token")}, "/protected"),
        ({"timeout": 5}, "/echo"),
        ({"timeout": None}, "/echo"),
        ({"http2": False}, "/echo"),
        ({"default_encoding": "latin-1"}, "/echo"),
        ({"limits": requestx.Limits(max_connections=1)}, "/echo"),
        ({"max_redirects": 1}, "/echo"),
    ],
)
def test_fast_settings(settings, path, send, app):
    def call(client):
        return client.get(app.https_url(path))

    fast, was_slow = send(call, **settings)
    assert not was_slow
    slow, was_slow = send(call, add_hook, add_async_hook, **settings)
    assert was_slow
    assert what_was_sent(fast) == what_was_sent(slow)
    assert fast.default_encoding == slow.default_encoding


@pytest.mark.parametrize("path", ["/echo", "echo", "/echo?a=b", "", "/"])
@pytest.mark.parametrize("base", ["", "/", "/headers"])
def test_fast_base_url(base, path, send, app):
    settings = {"base_url": app.https_url(base)}
    fast, was_slow = send(lambda client: client.get(path), **settings)
    slow, _ = send(lambda client: client.get(path), add_hook, add_async_hook, **settings)
    assert fast.url == slow.url
    assert what_was_sent(fast) == what_was_sent(slow)


class Own(requestx.Auth):
    def auth_flow(self, request):
        request.headers["X-Own"] = "1"
        yield request


class OwnBasic(requestx.BasicAuth):
    def auth_flow(self, request):
        request.headers["X-Own"] = "1"
        yield from super().auth_flow(request)


SLOW_CALLS = {
    "params": lambda client, url: client.get(url("/echo?a=1"), params={"b": 2}),
    "empty params": lambda client, url: client.get(url("/echo?a=1"), params={}),
    "form": lambda client, url: client.post(url("/echo"), data={"a": 1}),
    "files": lambda client, url: client.post(
        url("/echo"), files={"f": b"x"}, headers={"Content-Type": "multipart/form-data; boundary=b"}
    ),
    "tuple": lambda client, url: client.get(url("/echo"), auth=("us\u00e9r", "pass")),
    "digest": lambda client, url: client.get(url("/echo"), auth=requestx.Auth.digest("user", "pass")),
    "function": lambda client, url: client.get(url("/echo"), auth=lambda request: request),
    "own flow": lambda client, url: client.get(url("/echo"), auth=Own()),
    "changed flow": lambda client, url: client.get(url("/echo"), auth=OwnBasic("user", "pass")),
    "userinfo": lambda client, url: client.get(url("/echo").replace("://", "://user:pass@")),
    "follow": lambda client, url: client.get(url("/redirect/2"), follow_redirects=True),
    "extensions": lambda client, url: client.get(url("/echo"), extensions={"sni_hostname": "localhost"}),
    "own framing": lambda client, url: client.post(
        url("/echo"), content=b"body", headers={"Transfer-Encoding": "chunked"}
    ),
    "tuple timeout": lambda client, url: client.get(url("/echo"), timeout=(1, 2, 3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW_CALLS)
def test_slow_calls(name, send, app):
    response, _ = send(lambda client: SLOW_CALLS[name](client, app.https_url))
    assert response.status_code == 200
    sent = response.json()
    headers = dict(map(tuple, sent["headers"]))
    if name == "params":
        assert sent["query"] == "b=2"
    elif name == "empty params":
        assert sent["query"] == ""
    elif name in ("own flow", "changed flow"):
        assert headers["x-own"] == "1"
    elif name == "userinfo":
        assert headers["authorization"] == "Basic dXNlcjpwYXNz"
    elif name == "follow":
        assert len(response.history) == 2
    elif name == "form":
        assert sent["body"] == "a=1"
    elif name == "own framing":
        # How a body travels is the engine's business; the request says how long it is, as httpx's does.
        assert sent["body"] == "body"
        assert response.request.headers["content-length"] == "4"


def test_cookies_come_and_go(send, app):
    def visit(client):
        return client.get(app.https_url("/cookies"))

    def prepare(client):
        client.cookies["a"] = "1"

    response, was_slow = send(visit, prepare)
    assert (response.json(), was_slow) == ({"cookies": {"a": "1"}}, True)
    with requestx.Client() as client:
        client.get(app.https_url("/cookies/set?k=v"))
        assert dict(client.cookies) == {"k": "v"}
        assert visit(client).json() == {"cookies": {"k": "v"}}
        client.cookies.clear()
        with Watch() as watch:
            assert visit(client).json() == {"cookies": {}}
        assert not watch.slow


def test_settings_that_change(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    url = app.https_url("/echo")
    with requestx.Client() as client:

        def headers():
            with Watch() as watch:
                sent = dict(map(tuple, client.get(url).json()["headers"]))
            assert not watch.slow
            return sent

        assert "x-one" not in headers()
        client.headers["X-One"] = "1"
        assert headers()["x-one"] == "1"
        client.headers.update({"X-One": "2"})
        assert headers()["x-one"] == "2"
        del client.headers["X-One"]
        assert "x-one" not in headers()
        client.headers = {"X-Two": "3"}
        assert headers()["x-two"] == "3"
        client.auth = ("user", "pass")
        assert headers()["authorization"] == "Basic dXNlcjpwYXNz"
        client.auth = None
        assert "authorization" not in headers()
        client.base_url = app.https_url("/")
        assert client.get("/echo").json()["path"] == "/echo"
        client.timeout = 0.001
        with pytest.raises(requestx.TimeoutException):
            client.get(app.https_url("/delay?ms=500"))
        client.timeout = 5
        assert client.get(app.https_url("/delay?ms=5")).status_code == 200
        client.params = {"a": "b"}
        assert client.get(url).json()["query"] == "a=b"
        client.params = None
        assert client.get(url).json()["query"] == ""
        client.follow_redirects = True
        assert client.get(app.https_url("/redirect/1")).status_code == 200
        client.follow_redirects = False
        assert client.get(app.https_url("/redirect/1")).status_code == 302


@pytest.mark.parametrize("name", ["send", "build_request", "request", "_request", "_send_single_request"])
def test_replaced_on_one_client(name, ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    with requestx.Client() as client:
        url = app.https_url("/echo")
        assert client.get(url).status_code == 200
        with unittest.mock.patch.object(client, name, wraps=getattr(client, name)) as replaced:
            assert client.get(url).status_code == 200
            assert replaced.call_count == 1
        assert client.get(url).status_code == 200
        assert replaced.call_count == 1


@pytest.mark.parametrize("name", ["send", "build_request", "request", "_request", "_send_single_request"])
def test_replaced_on_the_class(name, ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    with requestx.Client() as client:
        url = app.https_url("/echo")
        assert client.get(url).status_code == 200
        original, calls = getattr(requestx.Client, name), []

        def replacement(self, *arguments, **options):
            calls.append(arguments)
            return original(self, *arguments, **options)

        with unittest.mock.patch.object(requestx.Client, name, replacement):
            assert client.get(url).status_code == 200
            assert client.get(url).status_code == 200
            assert len(calls) == 2
        with Watch() as watch:
            assert client.get(url).status_code == 200
        assert not watch.slow
        assert len(calls) == 2


def test_replaced_on_the_transport(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)

    def answer(*_):
        return requestx.Response(299)

    async def async_answer(self, request):
        return answer()

    async def main():
        async with requestx.AsyncClient() as client:
            assert (await client.get(app.https_url("/echo"))).status_code == 200
            with unittest.mock.patch.object(requestx.AsyncHTTPTransport, "handle_async_request", async_answer):
                assert (await client.get(app.https_url("/echo"))).status_code == 299
            assert (await client.get(app.https_url("/echo"))).status_code == 200

    asyncio.run(main())
    with requestx.Client() as client:
        assert client.get(app.https_url("/echo")).status_code == 200
        with unittest.mock.patch.object(requestx.HTTPTransport, "handle_request", answer):
            assert client.get(app.https_url("/echo")).status_code == 299
        assert client.get(app.https_url("/echo")).status_code == 200
        with unittest.mock.patch.object(client._transport, "handle_request", answer):
            assert client.get(app.https_url("/echo")).status_code == 299
        assert client.get(app.https_url("/echo")).status_code == 200


def test_a_transport_of_a_subclass_is_asked(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)

    class Counting(requestx.HTTPTransport):
        count = 0

        def handle_request(self, request):
            self.count += 1
            return super().handle_request(request)

    with requestx.Client(transport=Counting()) as client:
        assert client.get(app.https_url("/echo")).status_code == 200
        assert client._transport.count == 1


def test_subclasses(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)

    class Plain(requestx.Client):
        def helper(self):
            return self.get(app.https_url("/echo"))

    class Building(requestx.Client):
        def build_request(self, *arguments, **options):
            request = super().build_request(*arguments, **options)
            request.headers["X-Built"] = "1"
            return request

    with Plain() as client, Watch() as watch:
        client.token = "an attribute of one's own"
        assert client.helper().status_code == 200
    assert not watch.slow
    with Building() as client:
        assert ["x-built", "1"] in client.get(app.https_url("/echo")).json()["headers"]


def test_mounts_that_change(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    mock = requestx.MockTransport(lambda request: requestx.Response(299))
    with requestx.Client(mounts={"https://": mock}) as client:
        assert client.get(app.https_url("/echo")).status_code == 299
        assert client.get(app.http_url("/echo")).status_code == 200
        client._mounts = {}
        assert client.get(app.https_url("/echo")).status_code == 200
        client._transport, real = mock, client._transport
        assert client.get(app.https_url("/echo")).status_code == 299
        client._transport = real
        assert client.get(app.https_url("/echo")).status_code == 200


def test_a_closed_client_refuses(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    client = requestx.Client()
    client.get(app.https_url("/echo"))
    client.close()
    with pytest.raises(RuntimeError, match="has been closed"):
        client.get(app.https_url("/echo"))
    with requestx.Client() as client:
        client.get(app.https_url("/echo"))
    with pytest.raises(RuntimeError, match="has been closed"):
        client.get(app.https_url("/echo"))


def test_a_used_client_cannot_be_entered(ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    client = requestx.Client()
    client.get(app.https_url("/echo"))
    with pytest.raises(RuntimeError, match="more than once"):
        client.__enter__()
    client.close()


BAD = {
    "header value": lambda client, url: client.get(url, headers={"X": "a\r\nEvil: 1"}),
    "header name": lambda client, url: client.get(url, headers={"X Y": "a"}),
    "method": lambda client, url: client.request("GE T", url),
    "scheme": lambda client, url: client.get("ftp://example.org/"),
    "no scheme": lambda client, url: client.get("/path"),
    "no host": lambda client, url: client.get("http:///path"),
    "port": lambda client, url: client.get("http://localhost:x/"),
    "large port": lambda client, url: client.get("http://localhost:123456/"),
    "json": lambda client, url: client.post(url, json={1, 2}),
    "nan": lambda client, url: client.post(url, json=float("nan")),
    "header type": lambda client, url: client.get(url, headers={"X": 5}),
    "content type": lambda client, url: client.post(url, content=5),
    "timeout": lambda client, url: client.get(url, timeout="soon"),
    "url type": lambda client, url: client.get(5),
    "auth type": lambda client, url: client.get(url, auth=5),
    "short body": lambda client, url: client.post(url, content=b"four", headers={"Content-Length": "5"}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_alike(name, ca, app, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    url = app.https_url("/echo")
    errors = []
    for prepare in (lambda client: None, add_hook):
        with requestx.Client() as client:
            prepare(client)
            with pytest.raises(Exception) as caught:  # noqa: B017, PT011
                BAD[name](client, url)
            errors.append(caught.value)
            assert client.get(url).status_code == 200, "the client is as good as before"
    assert type(errors[0]) is type(errors[1])
    assert str(errors[0]) == str(errors[1])
