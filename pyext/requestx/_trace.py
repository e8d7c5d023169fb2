"""The `trace` extension of a request: a callback that is told of the steps of an exchange.

The engine works on many exchanges at once and takes no notice of a single one's callback, so that the steps of a
connection that had to be made are told when the response's head is there: in order, with what is known of them.
"""

from ._transports.base import AsyncByteStream, SyncByteStream


def traced(exchange, request):
    """exchange(request), with the callback told before and after."""
    tell = request.extensions["trace"]
    try:
        response = exchange(request)
    except BaseException as error:
        for name, info in _failure(request, error):
            tell(name, info)
        raise
    for name, info in _success(request, response):
        tell(name, info)
    response.stream = _TracedStream(response.stream, tell, _prefix(response))
    return response


async def async_traced(exchange, request):
    """The same, with a callback that is awaited."""
    tell = request.extensions["trace"]
    try:
        response = await exchange(request)
    except BaseException as error:
        for name, info in _failure(request, error):
            await tell(name, info)
        raise
    for name, info in _success(request, response):
        await tell(name, info)
    response.stream = _AsyncTracedStream(response.stream, tell, _prefix(response))
    return response


def _prefix(response):
    return "http2" if response.http_version == "HTTP/2" else "http11"


def _origin(request):
    url = request.url
    return {"host": url.raw_host.decode("ascii"), "port": url.port or (443 if url.scheme == "https" else 80)}


def _timeout(request, name):
    return (request.extensions.get("timeout") or {}).get(name)


def _pair(name, started, result):
    yield f"{name}.started", started
    yield f"{name}.complete", {"return_value": result}


def _success(request, response):
    prefix, timings = _prefix(response), response.timings
    stream = response.extensions.get("network_stream")
    if timings.connect is not None:
        info = {**_origin(request), "local_address": None, "timeout": _timeout(request, "connect")}
        yield from _pair("connection.connect_tcp", info, stream)
    if timings.tls is not None:
        info = {"server_hostname": _origin(request)["host"], "timeout": _timeout(request, "connect")}
        yield from _pair("connection.start_tls", info, stream)
    for step in ("send_request_headers", "send_request_body"):
        yield from _pair(f"{prefix}.{step}", {"request": request}, None)
    head = (response.http_version.encode("ascii"), response.status_code, response.reason_phrase.encode("ascii"))
    yield from _pair(f"{prefix}.receive_response_headers", {"request": request}, (*head, response.headers.raw))


def _failure(request, error):
    phase = getattr(error, "phase", None)
    if phase in ("resolve", "connect") or getattr(error, "code", None) == "connect_timeout":
        name = "connection.connect_tcp"
    elif phase == "tls":
        name = "connection.start_tls"
    else:
        name = "http11.receive_response_headers"
    yield f"{name}.started", {**_origin(request), "request": request}
    yield f"{name}.failed", {"exception": error}


class _TracedStream(SyncByteStream):
    def __init__(self, stream, tell, prefix):
        self._stream = stream
        self._tell = tell
        self._prefix = prefix

    def __iter__(self):
        name = f"{self._prefix}.receive_response_body"
        self._tell(f"{name}.started", {})
        try:
            yield from self._stream
        except BaseException as error:
            self._tell(f"{name}.failed", {"exception": error})
            raise
        self._tell(f"{name}.complete", {"return_value": None})

    def close(self):
        name = f"{self._prefix}.response_closed"
        self._tell(f"{name}.started", {})
        self._stream.close()
        self._tell(f"{name}.complete", {"return_value": None})


class _AsyncTracedStream(AsyncByteStream):
    def __init__(self, stream, tell, prefix):
        self._stream = stream
        self._tell = tell
        self._prefix = prefix

    async def __aiter__(self):
        name = f"{self._prefix}.receive_response_body"
        await self._tell(f"{name}.started", {})
        try:
            async for part in self._stream:
                yield part
        except BaseException as error:
            await self._tell(f"{name}.failed", {"exception": error})
            raise
        await self._tell(f"{name}.complete", {"return_value": None})

    async def aclose(self):
        name = f"{self._prefix}.response_closed"
        await self._tell(f"{name}.started", {})
        await self._stream.aclose()
        await self._tell(f"{name}.complete", {"return_value": None})
