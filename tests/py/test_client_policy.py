"""The clients' policy, over MockTransport: merging, redirects, hooks, life, and who may replace what."""

import asyncio
import logging
import pickle
import unittest.mock

import pytest

import requestx


def echo(request):
    """Tells what was sent."""
    return requestx.Response(
        200,
        json={
            "method": request.method,
            "url": str(request.url),
            "headers": dict(request.headers),
            "body": request.read().decode(),
        },
    )


def both(handler, **settings):
    """A function that sends with a Client and with an AsyncClient, which must agree, and gives the one outcome."""

    def send(method, url, **options):
        with requestx.Client(transport=requestx.MockTransport(handler), **settings) as client:
            first = outcome(lambda: client.request(method, url, **options))

        async def main():
            async with requestx.AsyncClient(transport=requestx.MockTransport(handler), **settings) as client:
                return await client.request(method, url, **options)

        second = outcome(lambda: asyncio.run(main()))
        assert type(first) is type(second)
        if isinstance(first, Exception):
            assert str(first) == str(second)
            raise first
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert [str(one.url) for one in first.history] == [str(one.url) for one in second.history]
        return first

    return send


def outcome(function):
    try:
        return function()
    except Exception as error:
        return error


# merging


def test_default_headers():
    sent = both(echo)("GET", "https://example.org/").json()["headers"]
    assert list(sent) == ["host", "accept", "accept-encoding", "connection", "user-agent"]
    assert sent["user-agent"] == f"python-requestx/{requestx.__version__}"
    assert sent["accept-encoding"].startswith("gzip, deflate")


def test_headers_are_merged_and_set_anew():
    client = requestx.Client(headers={"X-One": "1", "User-Agent": "me"}, transport=requestx.MockTransport(echo))
    sent = client.get("https://example.org/", headers={"x-one": "2", "X-Two": "2"}).json()["headers"]
    assert (sent["x-one"], sent["x-two"], sent["user-agent"]) == ("2", "2", "me")
    client.headers = {"X-Three": "3"}
    sent = client.get("https://example.org/").json()["headers"]
    assert "x-one" not in sent and sent["x-three"] == "3" and sent["accept"] == "*/*"


@pytest.mark.parametrize(
    ("base", "url", "merged"),
    [
        ("https://example.org", "", "https://example.org/"),
        ("https://example.org", "/a", "https://example.org/a"),
        ("https://example.org/api", "/a", "https://example.org/api/a"),
        ("https://example.org/api/", "a?b=c", "https://example.org/api/a?b=c"),
        ("https://example.org/api", "https://example.com/a", "https://example.com/a"),
    ],
)
def test_base_url(base, url, merged):
    assert both(echo, base_url=base)("GET", url).json()["url"] == merged


def test_params_are_merged():
    send = both(echo, params={"a": "1", "b": "2"})
    assert send("GET", "https://example.org/").json()["url"] == "https://example.org/?a=1&b=2"
    assert send("GET", "https://example.org/", params={"a": "3"}).json()["url"] == "https://example.org/?a=3&b=2"
    assert send("GET", "https://example.org/?c=4", params={"a": "3"}).json()["url"] == "https://example.org/?a=3&b=2"
    assert both(echo)("GET", "https://example.org/?c=4").json()["url"] == "https://example.org/?c=4"


@pytest.mark.parametrize(
    ("client", "request_", "expected"),
    [
        (5.0, requestx.USE_CLIENT_DEFAULT, {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}),
        (5.0, 1, {"connect": 1, "read": 1, "write": 1, "pool": 1}),
        (5.0, None, {"connect": None, "read": None, "write": None, "pool": None}),
        (requestx.Timeout(5.0, total=9), requestx.USE_CLIENT_DEFAULT, None),
        (None, requestx.Timeout(1, read=2), {"connect": 1, "read": 2, "write": 1, "pool": 1}),
    ],
)
def test_timeouts_travel(client, request_, expected):
    seen = []

    def handler(request):
        seen.append(request.extensions["timeout"])
        return requestx.Response(200)

    both(handler, timeout=client)("GET", "https://example.org/", timeout=request_)
    expected = expected or {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0, "total": 9}
    assert seen == [expected, expected]


def test_an_explicit_extension_wins():
    seen = []

    def handler(request):
        seen.append(request.extensions)
        return requestx.Response(200)

    client = requestx.Client(transport=requestx.MockTransport(handler))
    client.get("https://example.org/", timeout=1, extensions={"timeout": {"read": 3}, "other": 1})
    client.send(requestx.Request("GET", "https://example.org/"))
    assert seen[0] == {"timeout": {"read": 3}, "other": 1}
    assert seen[1]["timeout"]["read"] == 5.0


# redirects


def redirecting(status, location):
    def handler(request):
        if request.url.path == "/start":
            return requestx.Response(status, headers={"Location": location, "Set-Cookie": "seen=1"})
        return echo(request)

    return handler


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "GET", "GET"), (301, "POST", "GET"), (301, "PUT", "PUT"), (301, "HEAD", "HEAD"),
        (302, "POST", "GET"), (302, "PUT", "GET"), (302, "HEAD", "HEAD"), (302, "DELETE", "GET"),
        (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"),
        (307, "POST", "POST"), (308, "POST", "POST"), (308, "DELETE", "DELETE"),
    ],
)  # fmt: skip
def test_redirect_methods(status, method, becomes):
    body = {"content": b"body"} if method in ("POST", "PUT") else {}
    send = both(redirecting(status, "/end"), follow_redirects=True)
    response = send(method, "https://example.org/start", **body)
    sent = response.json()
    assert sent["method"] == becomes
    kept = bool(body) and becomes == method
    assert sent["body"] == ("body" if kept else "")
    assert ("content-length" in sent["headers"]) is kept
    assert [one.status_code for one in response.history] == [status]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/end", "https://example.org/end"),
        ("end", "https://example.org/end"),
        ("?q=1", "https://example.org/start?q=1"),
        ("//example.com/end", "https://example.com/end"),
        ("https://example.com/end", "https://example.com/end"),
        ("https:///end", "https://example.org/end"),
        ("/end#own", "https://example.org/end#own"),
    ],
)
def test_redirect_targets(location, target):
    client = requestx.Client(transport=requestx.MockTransport(redirecting(302, location)))
    response = client.get("https://example.org/start#inherited")
    expected = target if "#" in target else f"{target}#inherited"
    assert response.next_request.url == expected


class Counted(requestx.SyncByteStream, requestx.AsyncByteStream):
    """A body of so many kilobytes, that counts what was taken of it."""

    def __init__(self, kilobytes):
        self.left = kilobytes
        self.closed = False

    def __iter__(self):
        while self.left:
            self.left -= 1
            yield b"x" * 1024

    async def __aiter__(self):
        for piece in self:
            yield piece

    def close(self):
        self.closed = True

    async def aclose(self):
        self.close()


@pytest.mark.parametrize("status", [302, 401])
@pytest.mark.parametrize("kilobytes", [0, 1, 1024, 1025, 10_000])
def test_a_long_body_of_a_response_that_others_follow_is_given_up(status, kilobytes):
    bodies = []

    def handler(request):
        if request.url.path == "/end" or "authorization" in request.headers:
            return requestx.Response(200, content=b"end")
        bodies.append(Counted(kilobytes))
        return requestx.Response(status, headers={"Location": "/end"}, stream=bodies[-1])

    class Answers(requestx.Auth):
        def auth_flow(self, request):
            response = yield request
            if response.status_code == 401:
                request.headers["Authorization"] = "mine"
                yield request

    send = both(handler, follow_redirects=True, auth=Answers())
    response = send("GET", "https://example.org/start")
    assert (response.status_code, response.text) == (200, "end")
    (passed,) = response.history
    assert passed.status_code == status and passed.is_closed
    assert all(body.closed for body in bodies)
    if kilobytes <= 1024:
        assert passed.content == b"x" * 1024 * kilobytes
        return
    assert [body.left for body in bodies] == [kilobytes - 1025] * 2
    with pytest.raises(requestx.ResponseNotRead):
        passed.content
    with pytest.raises(requestx.StreamConsumed):
        passed.read()


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://example.org/end", True),
        ("https://example.org:443/end", True),
        ("https://example.org:8443/end", False),
        ("https://sub.example.org/end", False),
        ("http://example.org/end", False),
    ],
)
def test_credentials_stay_with_their_origin(location, kept):
    send = both(redirecting(302, location), follow_redirects=True, auth=("user", "pass"))
    sent = send("GET", "https://example.org/start").json()["headers"]
    assert ("authorization" in sent) is kept
    assert sent["host"] == requestx.URL(location).netloc.decode()


def test_credentials_follow_the_upgrade_to_https():
    send = both(redirecting(301, "https://example.org/end"), follow_redirects=True, auth=("user", "pass"))
    assert "authorization" in send("GET", "http://example.org/start").json()["headers"]
    send = both(redirecting(301, "https://example.org/end"), follow_redirects=True, auth=("user", "pass"))
    assert "authorization" not in send("GET", "http://example.org:8080/start").json()["headers"]


def test_cookies_of_a_redirect():
    send = both(redirecting(302, "/end"), follow_redirects=True, cookies={"mine": "1"})
    sent = send("GET", "https://example.org/start", headers={"Cookie": "by=hand"}).json()["headers"]
    assert sorted(sent["cookie"].split("; ")) == ["mine=1", "seen=1"]


def test_not_followed_by_default():
    client = requestx.Client(transport=requestx.MockTransport(redirecting(302, "/end")))
    response = client.post("https://example.org/start", content=b"body")
    assert response.status_code == 302
    assert response.history == []
    assert response.has_redirect_location
    assert client.send(response.next_request).json()["url"] == "https://example.org/end"
    assert client.get("https://example.org/start", follow_redirects=True).json()["url"] == "https://example.org/end"


def test_too_many_redirects():
    def handler(request):
        return requestx.Response(302, headers={"Location": f"/{int(request.url.path[1:]) + 1}"})

    with pytest.raises(requestx.TooManyRedirects) as caught:
        both(handler, follow_redirects=True)("GET", "https://example.org/1")
    assert caught.value.request.url == "https://example.org/22"
    with pytest.raises(requestx.TooManyRedirects) as caught:
        both(handler, follow_redirects=True, max_redirects=3)("GET", "https://example.org/1")
    assert caught.value.request.url == "https://example.org/5"


@pytest.mark.parametrize("location", ["https://example.org:x/", "https://\x00/", "https://[::1/"])
@pytest.mark.parametrize("follow", [True, False])
def test_redirect_to_nowhere(location, follow):
    with pytest.raises(requestx.RemoteProtocolError, match="Invalid URL in location header") as caught:
        both(redirecting(302, location), follow_redirects=follow)("GET", "https://example.org/start")
    assert caught.value.request.url == "https://example.org/start"


def test_redirect_to_another_scheme():
    transport = requestx.HTTPTransport()
    client = requestx.Client(
        transport=requestx.MockTransport(redirecting(302, "ftp://example.org/")),
        mounts={"ftp://": transport},
        follow_redirects=True,
    )
    with pytest.raises(requestx.UnsupportedProtocol):
        client.get("https://example.org/start")
    client.close()


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_statuses_do_not_redirect(status):
    response = both(redirecting(status, "/end"), follow_redirects=True)("GET", "https://example.org/start")
    assert response.status_code == status
    assert response.next_request is None


def test_generator_bodies_cannot_be_sent_again():
    def body():
        yield b"once"

    class Consuming(requestx.BaseTransport):
        def handle_request(self, request):
            list(request.stream)
            return requestx.Response(307, headers={"Location": "/end"})

    client = requestx.Client(transport=Consuming(), follow_redirects=True)
    with pytest.raises(requestx.StreamConsumed):
        client.post("https://example.org/start", content=body())


# hooks


def test_hooks_see_every_exchange():
    seen = []
    hooks = {
        "request": [lambda request: seen.append(("request", str(request.url)))],
        "response": [lambda response: seen.append(("response", response.status_code))],
    }
    transport = requestx.MockTransport(redirecting(302, "/end"))
    client = requestx.Client(transport=transport, event_hooks=hooks, follow_redirects=True)
    client.get("https://example.org/start")
    expected = [
        ("request", "https://example.org/start"), ("response", 302),
        ("request", "https://example.org/end"), ("response", 200),
    ]  # fmt: skip
    assert seen == expected

    def as_coroutine(function):
        async def hook(argument):
            await asyncio.sleep(0)
            function(argument)

        return hook

    async def main():
        async with requestx.AsyncClient(transport=transport, follow_redirects=True) as client:
            client.event_hooks = {name: [as_coroutine(one) for one in ones] for name, ones in hooks.items()}
            await client.get("https://example.org/start")

    seen.clear()
    asyncio.run(main())
    assert seen == expected


def test_hooks_can_be_added_in_place():
    client = requestx.Client(transport=requestx.MockTransport(echo))
    assert client.event_hooks == {"request": [], "response": []}
    client.event_hooks["request"].append(lambda request: request.headers.update({"X-Hook": "1"}))
    assert client.get("https://example.org/").json()["headers"]["x-hook"] == "1"
    client.event_hooks["request"].clear()
    assert "x-hook" not in client.get("https://example.org/").json()["headers"]
    client.event_hooks["response"] = [lambda response: response.raise_for_status()]
    client.event_hooks = {}
    assert client.event_hooks == {"request": [], "response": []}


def test_a_failing_hook_closes_the_response():
    class Stream(requestx.SyncByteStream):
        closed = False

        def __iter__(self):
            yield b"body"

        def close(self):
            Stream.closed = True

    def refuse(response):
        with pytest.raises(requestx.ResponseNotRead):
            response.content  # noqa: B018
        raise LookupError

    client = requestx.Client(
        transport=requestx.MockTransport(lambda request: requestx.Response(200, stream=Stream())),
        event_hooks={"response": [refuse]},
    )
    with pytest.raises(LookupError):
        client.get("https://example.org/")
    assert Stream.closed


# life


def test_states():
    client = requestx.Client(transport=requestx.MockTransport(echo))
    assert not client.is_closed
    client.get("https://example.org/")
    with pytest.raises(RuntimeError, match="more than once"):
        client.__enter__()
    client.close()
    client.close()
    assert client.is_closed
    with pytest.raises(RuntimeError, match="has been closed"):
        client.get("https://example.org/")
    with pytest.raises(RuntimeError, match="reopen"):
        client.__enter__()


def test_async_states():
    async def main():
        client = requestx.AsyncClient(transport=requestx.MockTransport(echo))
        async with client:
            with pytest.raises(RuntimeError, match="more than once"):
                await client.__aenter__()
        assert client.is_closed
        await client.aclose()
        with pytest.raises(RuntimeError, match="has been closed"):
            await client.get("https://example.org/")
        with pytest.raises(RuntimeError, match="reopen"):
            await client.__aenter__()

    asyncio.run(main())


def test_transports_are_entered_and_closed():
    events = []

    class Transport(requestx.BaseTransport):
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            events.append(f"enter {self.name}")
            return self

        def __exit__(self, *exc_info):
            events.append(f"exit {self.name}")

        def close(self):
            events.append(f"close {self.name}")

    with requestx.Client(transport=Transport("a"), mounts={"http://": Transport("b"), "all://x": None}):
        pass
    requestx.Client(transport=Transport("c")).close()
    assert events == ["enter a", "enter b", "exit a", "exit b", "close c"]


@pytest.mark.parametrize("kind", [requestx.Client, requestx.AsyncClient])
@pytest.mark.parametrize("name", ["proxies", "app", "nonsense"])
def test_unknown_settings(kind, name):
    with pytest.raises(TypeError, match=name):
        kind(**{name: None})
    with pytest.raises(TypeError):
        kind("https://example.org/")


@pytest.mark.parametrize("call", [
    lambda client: client.get("https://example.org/", json={}),
    lambda client: client.get("https://example.org/", data={}),
    lambda client: client.delete("https://example.org/", content=b""),
    lambda client: client.get(),
    lambda client: client.request("GET"),
    lambda client: client.get("https://example.org/", nonsense=1),
    lambda client: client.get("https://example.org/", {}),
    lambda client: client.request("GET", "https://example.org/", {}),
])  # fmt: skip
def test_arguments_that_are_not_there(call):
    with requestx.Client(transport=requestx.MockTransport(echo)) as client:
        with pytest.raises(TypeError):
            call(client)


def test_default_encoding():
    transport = requestx.MockTransport(lambda request: requestx.Response(200, content="\u00e9".encode("latin-1")))
    assert requestx.Client(transport=transport, default_encoding="latin-1").get("https://x/").text == "\u00e9"
    detect = requestx.Client(transport=transport, default_encoding=lambda content: "latin-1")
    assert detect.get("https://x/").text == "\u00e9"
    assert requestx.Client(transport=transport).get("https://x/").text == "\ufffd"


# streams


class Pieces(requestx.SyncByteStream, requestx.AsyncByteStream):
    def __init__(self):
        self.closed = 0

    def __iter__(self):
        yield b"one "
        yield b"two"

    async def __aiter__(self):
        yield b"one "
        yield b"two"

    def close(self):
        self.closed += 1

    async def aclose(self):
        self.closed += 1


def test_stream():
    pieces = Pieces()
    client = requestx.Client(transport=requestx.MockTransport(lambda request: requestx.Response(200, stream=pieces)))
    with client.stream("GET", "https://example.org/") as response:
        assert not response.is_closed
        assert list(response.iter_bytes()) == [b"one ", b"two"]
        assert response.elapsed.total_seconds() >= 0
    assert pieces.closed == 1
    with client.stream("GET", "https://example.org/"):
        pass
    assert pieces.closed == 2
    with pytest.raises(requestx.StreamClosed):
        response = client.send(client.build_request("GET", "https://example.org/"), stream=True)
        response.close()
        response.read()


def test_async_stream_with_and_without_await():
    pieces = Pieces()
    transport = requestx.MockTransport(lambda request: requestx.Response(200, stream=pieces))

    async def main():
        async with requestx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", "https://example.org/") as response:
                assert [part async for part in response.aiter_text()] == ["one ", "two"]
            assert pieces.closed == 1
            async with await client.stream("GET", "https://example.org/") as response:
                assert await response.aread() == b"one two"
            assert pieces.closed == 2
            response = await client.stream("GET", "https://example.org/")
            assert not response.is_closed
            await response.aclose()
            assert pieces.closed == 3

    asyncio.run(main())


def test_a_stream_that_is_not_entered_sends_nothing():
    client = requestx.Client(transport=requestx.MockTransport(lambda request: pytest.fail("sent")))
    client.stream("GET", "https://example.org/")
    asynchronous = requestx.AsyncClient(transport=client._transport)
    asynchronous.stream("GET", "https://example.org/")


# replacing


VERBS = ("get", "options", "head", "delete", "post", "put", "patch")


def test_a_subclass_that_overrides_request_sees_every_verb():
    class Client(requestx.Client):
        seen = []

        def request(self, method, url, **options):
            self.seen.append(method)
            return super().request(method, url, **options)

    with Client(transport=requestx.MockTransport(echo)) as client:
        for verb in VERBS:
            getattr(client, verb)("https://example.org/")
    assert client.seen == [verb.upper() for verb in VERBS]


def test_a_subclass_that_overrides_send_sees_every_request():
    class Client(requestx.AsyncClient):
        seen = []

        async def send(self, request, **options):
            self.seen.append(str(request.url))
            return await super().send(request, **options)

    async def main():
        async with Client(transport=requestx.MockTransport(echo)) as client:
            await client.get("https://example.org/a")
            await client.request("POST", "https://example.org/b")
            async with client.stream("GET", "https://example.org/c"):
                pass

    asyncio.run(main())
    assert Client.seen == [f"https://example.org/{name}" for name in "abc"]


@pytest.mark.parametrize("name", ["send", "_send_single_request"])
def test_a_method_replaced_on_one_client(name):
    client = requestx.Client(transport=requestx.MockTransport(echo))
    answer = requestx.Response(202, request=requestx.Request("GET", "https://example.org/"))
    with unittest.mock.patch.object(client, name, return_value=answer) as replaced:
        assert client.get("https://example.org/").status_code == 202
        assert replaced.call_count == 1
    assert client.get("https://example.org/").status_code == 200


def test_a_method_replaced_on_the_class():
    answer = requestx.Response(202)
    with unittest.mock.patch.object(requestx.Client, "send", return_value=answer):
        assert requestx.Client(transport=requestx.MockTransport(echo)).get("https://example.org/") is answer
    with unittest.mock.patch.object(requestx.Client, "request", return_value=answer):
        assert requestx.get("https://example.org/") is answer


def test_a_transport_replaced_on_one_client():
    client = requestx.Client()
    client._transport = requestx.MockTransport(echo)
    assert client.get("https://example.org/").json()["url"] == "https://example.org/"


# the log


def test_log(caplog):
    caplog.set_level(logging.INFO)
    both(redirecting(302, "/end"), follow_redirects=True)("GET", "https://example.org/start")
    lines = [
        'HTTP Request: GET https://example.org/start "HTTP/1.1 302 Found"',
        'HTTP Request: GET https://example.org/end "HTTP/1.1 200 OK"',
    ]
    ours = [record for record in caplog.records if record.name == "requestx"]
    assert [(record.levelname, record.getMessage()) for record in ours] == [("INFO", line) for line in lines * 2]


def test_log_is_quiet_above_info(caplog):
    caplog.set_level(logging.WARNING)
    both(echo)("GET", "https://example.org/")
    assert [record for record in caplog.records if record.name == "requestx"] == []


# values


def test_the_default_is_one_object():
    default = requestx.USE_CLIENT_DEFAULT
    assert pickle.loads(pickle.dumps(default)) is default
    assert repr(default) == "USE_CLIENT_DEFAULT"


def test_transport_errors_know_their_request():
    def handler(request):
        raise requestx.ReadError("broken")

    with pytest.raises(requestx.ReadError) as caught:
        both(handler)("GET", "https://example.org/a")
    assert caught.value.request.url == "https://example.org/a"


def test_a_subclass_that_overrides_request_finds_every_keyword():
    """As in httpx: those that were not given have their defaults."""
    seen = []

    class Client(requestx.Client):
        def request(self, method, url, **options):
            seen.append((method, dict(options)))
            return super().request(method, url, **options)

    with Client(transport=requestx.MockTransport(echo)) as client:
        client.get("http://example.org/", params={"a": "b"})
        assert client.post("http://example.org/", json=1).json()["body"] == "1"
    default = requestx.USE_CLIENT_DEFAULT
    common = {"params": None, "headers": None, "cookies": None, "extensions": None}
    common.update({"auth": default, "follow_redirects": default, "timeout": default})
    body = {"content": None, "data": None, "files": None, "json": 1}
    assert seen == [("GET", {**common, "params": {"a": "b"}}), ("POST", {**common, **body})]

    class AsyncClient(requestx.AsyncClient):
        async def request(self, method, url, **options):
            assert options == common
            return await super().request(method, url, **options)

    async def main():
        async with AsyncClient(transport=requestx.MockTransport(echo)) as client:
            assert (await client.get("http://example.org/")).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("kind", [requestx.Client, requestx.AsyncClient])
def test_wrong_parameters_are_told_by_a_public_name(kind):
    with pytest.raises(TypeError, match=r"^Client.__init__\(\) got an unexpected keyword argument 'proxies'"):
        kind(proxies={})
