"""A program that uses every public name, for the type checkers: it is read, never run."""

from __future__ import annotations

import datetime
import io
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Generator, Iterator, MutableMapping
from http.cookiejar import CookieJar
from typing import Any

import requestx

# functions


def functions(context: ssl.SSLContext) -> requestx.Response:
    requestx.get("https://example.org/", params={"a": 1, "b": [True, None]}, headers={"X": "1"}, cookies={"c": "d"})
    requestx.options("https://example.org/", auth=("user", "pass"), timeout=None, verify=context)
    requestx.head(requestx.URL("https://example.org/"), auth=requestx.Auth.bearer("token"), follow_redirects=True)
    requestx.delete("https://example.org/", proxy="http://proxy:3128", trust_env=False, verify_ssl=False)
    requestx.post("https://example.org/", content=b"body", ca_bundle="/etc/ca.pem", cert_file=("a.pem", "a.key"))
    requestx.put("https://example.org/", data={"a": ["b"]}, files={"f": ("name", io.BytesIO(), "text/plain")})
    requestx.patch("https://example.org/", json={"a": None}, timeout=(1.0, 2.0, 3.0, 4.0))
    with requestx.stream("GET", "https://example.org/", auth=lambda request: request) as response:
        for chunk in response.iter_bytes(1024):
            chunk.hex()
    return requestx.request("GET", "https://example.org/", proxy=requestx.Proxy("http://p", username="u", password="p"))


# settings


def settings() -> None:
    timeout = requestx.Timeout(5.0, connect=1.0, total=60.0)
    steps: dict[str, float | None] = timeout.as_dict()
    assert steps and timeout == requestx.Timeout((1.0, 2.0, None, None))
    limits = requestx.Limits(max_connections=1, max_keepalive_connections=None, keepalive_expiry=2.0)
    retry = requestx.Retry(2, connect=1, statuses=[503], methods={"GET"}, backoff=0.1, jitter=0.0)
    requestx.Client(retries=retry).close()
    requestx.Client(transport=requestx.HTTPTransport(retries=1)).close()
    assert retry.total and retry.statuses == (503,) and retry == requestx.Retry()
    proxy = requestx.Proxy(url="https://proxy", auth=("u", "p"), headers={"X": "1"}, ssl_context=ssl.SSLContext())
    raw: tuple[bytes, bytes] | None = proxy.raw_auth
    assert raw is not None and limits.max_connections == 1
    context: ssl.SSLContext = requestx.create_ssl_context(verify=True, cert=None, trust_env=False)
    requestx.Client(verify=context, limits=limits, timeout=timeout, proxy=proxy).close()
    policy = requestx.AddressPolicy.public(allow=["10.0.0.1", ipaddress.ip_network("10.1.0.0/16")])
    allowed: bool = policy.allows("10.0.0.1") and requestx.AddressPolicy(deny=("::1",)) != policy
    requestx.Client(address_policy=policy if allowed else None, pins=["sha256/" + 43 * "A" + "="]).close()
    status: requestx.codes = requestx.codes.NOT_FOUND
    number: int = requestx.codes.not_found
    phrase: str = requestx.codes.get_reason_phrase(number) + status.phrase
    assert phrase and requestx.codes.is_error(404)


# values


def values() -> None:
    url = requestx.URL("https://user:pass@example.org:8443/path?q=1#f", params={"a": "b"})
    port: int | None = url.port
    text: str = url.scheme + url.host + url.path + url.fragment + url.username + url.password
    raw: bytes = url.raw_scheme + url.raw_host + url.netloc + url.raw_path + url.query + url.userinfo
    other: requestx.URL = url.copy_with(host="example.com").join("../x").copy_set_param("a", 1)
    other = other.copy_add_param("b").copy_remove_param("a").copy_merge_params({"c": "d"})
    params: requestx.QueryParams = url.params
    assert port and text and raw and other.is_absolute_url and not other.is_relative_url
    params = params.set("a", 1).add("b", None).remove("c").merge("d=e")
    pairs: list[tuple[str, str]] = params.multi_items()
    assert pairs and params["a"] and params.get_list("b")
    headers = requestx.Headers({"A": "b"}, encoding="utf-8")
    headers["C"] = "d"
    headers.set("E", "f")
    headers.add("E", "g")
    headers.update([("H", "i")])
    items: list[tuple[bytes, bytes]] = headers.raw
    names: list[str] = headers.get_list("E", split_commas=True)
    assert items and names and headers.multi_items() and headers.get("x", "y") and headers.copy() == headers
    cookies = requestx.Cookies({"a": "b"})
    cookies.set("c", "d", domain="example.org", path="/")
    value: str | None = cookies.get("c", domain="example.org")
    jar: CookieJar = cookies.jar
    cookies.delete("c")
    cookies.clear()
    assert value and jar is not None


# requests and responses


def read(response: requestx.Response) -> None:
    code: int = response.status_code
    headers: requestx.Headers = response.headers
    trailers: requestx.Headers = response.trailers
    body: bytes = response.content or response.read()
    text: str = response.text + response.reason_phrase + response.http_version
    data: Any = response.json(parse_float=str)
    request: requestx.Request = response.raise_for_status().request
    url: requestx.URL = response.url
    elapsed: datetime.timedelta = response.elapsed
    history: list[requestx.Response] = response.history
    following: requestx.Request | None = response.next_request
    flags: list[bool] = [
        response.is_informational, response.is_success, response.is_redirect, response.is_client_error,
        response.is_server_error, response.is_error, response.has_redirect_location, response.is_closed,
        response.is_stream_consumed,
    ]  # fmt: skip
    ids: tuple[int | None, int | None, int] = (response.stream_id, response.connection_id, response.retries)
    timings = response.timings
    if timings is not None and timings.total is not None:
        seconds: float = timings.total
        assert seconds
    response.encoding = "latin-1"
    encodings: list[str | None] = [response.encoding, response.charset_encoding]
    cookies: requestx.Cookies = response.cookies
    links = response.links
    assert code and headers and trailers and body and text and data and request and url and elapsed and history
    assert following and flags and ids and encodings and cookies and links and response.num_bytes_downloaded
    with response:
        for line in response.iter_lines():
            line.upper()
    response.close()


def build() -> requestx.Request:
    request = requestx.Request("POST", "https://example.org/", content=pieces(), extensions={"timeout": {}})
    request.headers["X"] = "1"
    assert request.method and request.url.host and request.read() and request.content
    streams: list[requestx.SyncByteStream | requestx.AsyncByteStream] = [request.stream, requestx.ByteStream(b"")]
    assert streams
    return requestx.Request("GET", "https://example.org/", stream=requestx.ByteStream(b""))


def pieces() -> Iterator[bytes]:
    yield b"a"


async def async_pieces() -> AsyncIterator[bytes]:
    yield b"a"


# authentication


class Own(requestx.Auth):
    requires_response_body = True

    def auth_flow(self, request: requestx.Request) -> Generator[requestx.Request, requestx.Response, None]:
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = "x"
            yield request


def schemes() -> list[requestx.Auth]:
    return [
        requestx.Auth.basic("u", b"p"),
        requestx.Auth.bearer("t"),
        requestx.Auth.digest("u", "p"),
        requestx.BasicAuth("u", "p"),
        requestx.DigestAuth("u", "p"),
        requestx.NetRCAuth(None),
        requestx.FunctionAuth(lambda request: request),
        Own(),
    ]


# clients


def log(response: requestx.Response) -> None:
    response.read()


def client() -> None:
    with requestx.Client(
        auth=Own(),
        params="a=b",
        headers=[("X", "1")],
        cookies=CookieJar(),
        http1=True,
        http2=True,
        mounts={"http://": requestx.HTTPTransport(retries=1, uds="/run/x"), "all://x": None},
        event_hooks={"response": [log]},
        base_url="https://example.org",
        default_encoding=lambda body: "utf-8",
    ) as client:
        client.get("/", auth=requestx.USE_CLIENT_DEFAULT, timeout=requestx.USE_CLIENT_DEFAULT)
        client.options("/")
        client.head("/")
        client.delete("/", extensions={"trace": print})
        client.post("/", json={})
        client.put("/", content=pieces())
        client.patch("/", files=[("f", b"x")])
        client.request("GET", "/")
        request: requestx.Request = client.build_request("GET", "/")
        response: requestx.Response = client.send(request, stream=True, auth=None, follow_redirects=True)
        response.close()
        with client.stream("GET", "/") as response:
            response.read()
        client.headers = {"X": "2"}
        client.timeout = 5
        client.auth = ("u", "p")
        client.event_hooks = {}
        client.follow_redirects = True
        client.max_redirects = 3
        assert client.is_closed or client.trust_env or client.base_url or client.params or client.cookies


async def async_client() -> None:
    async with requestx.AsyncClient(
        transport=requestx.AsyncHTTPTransport(verify=False, local_address="127.0.0.1"), mounts={"all://x": None}
    ) as client:
        response: requestx.Response = await client.get("https://example.org/")
        await client.options("https://example.org/")
        await client.head("https://example.org/")
        await client.delete("https://example.org/")
        await client.post("https://example.org/", content=async_pieces())
        await client.put("https://example.org/", content=b"")
        await client.patch("https://example.org/")
        await client.send(client.build_request("GET", "https://example.org/"))
        async with client.stream("GET", "https://example.org/") as response:
            async for line in response.aiter_lines():
                line.upper()
            async for chunk in response.aiter_bytes():
                chunk.hex()
            async for raw in response.aiter_raw():
                raw.hex()
            async for text in response.aiter_text():
                text.upper()
        async with await client.stream("GET", "https://example.org/") as response:
            body: bytes = await response.aread()
            assert body
            await response.aclose()
    await requestx.AsyncClient().aclose()


# transports


class OwnTransport(requestx.BaseTransport):
    def handle_request(self, request: requestx.Request) -> requestx.Response:
        return requestx.Response(200, json={}, request=request)


class OwnAsyncTransport(requestx.AsyncBaseTransport):
    async def handle_async_request(self, request: requestx.Request) -> requestx.Response:
        return requestx.Response(200, stream=OwnStream(), extensions={"http_version": b"HTTP/2"})


class OwnStream(requestx.AsyncByteStream, requestx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""


async def asgi(scope: Any, receive: Callable[[], Any], send: Callable[[MutableMapping[str, Any]], Any]) -> None:
    await send({})


def transports() -> None:
    requestx.Client(transport=OwnTransport())
    requestx.AsyncClient(transport=OwnAsyncTransport())
    requestx.Client(transport=requestx.MockTransport(lambda request: requestx.Response(200, text="x", html=None)))
    requestx.Client(transport=requestx.WSGITransport(lambda environ, start: [b""], script_name="/x"))
    requestx.AsyncClient(transport=requestx.ASGITransport(asgi, root_path="/x"))


# exceptions


def exceptions() -> None:
    try:
        functions(ssl.SSLContext())
    except requestx.HTTPStatusError as error:
        code: int = error.response.status_code
        assert code and error.request
    except (requestx.ConnectTimeout, requestx.ReadTimeout, requestx.WriteTimeout, requestx.PoolTimeout) as error:
        phase: str | None = error.phase
        assert phase
    except (requestx.ConnectError, requestx.ReadError, requestx.WriteError, requestx.CloseError):
        raise
    except (requestx.LocalProtocolError, requestx.RemoteProtocolError, requestx.ProxyError) as error:
        raise requestx.DecodingError("x", request=error.request) from error
    except (requestx.UnsupportedProtocol, requestx.TooManyRedirects, requestx.TimeoutException):
        raise requestx.InvalidURL("x") from None
    except (requestx.NetworkError, requestx.ProtocolError, requestx.TransportError, requestx.RequestError):
        raise requestx.CookieConflict("x") from None
    except requestx.HTTPError:
        raise requestx.StreamError("x") from None
    except (requestx.StreamConsumed, requestx.StreamClosed, requestx.ResponseNotRead, requestx.RequestNotRead):
        raise


if __name__ == "__main__":
    requestx.main()
    print(requestx.__version__, requestx.__title__, requestx.__description__)
