"""The `trace` extension of a request: a callback that is told of the steps of an exchange, by the names of httpcore.

The engine works on many exchanges at once and takes no notice of a single one's callback. So the steps up to the head
of the response are told when that is there, or the exchange has failed: in order, with what is known of them. Reading
the body and closing are told as they happen.
"""

from ._transports.base import AsyncByteStream, SyncByteStream


def traced(transport, request):
    """Has the transport send the request, with the callback told."""
    tell = request.extensions["trace"]
    made = []
    try:
        response = transport._exchange(request, made)
    except BaseException as error:
        for name, info in _failure(request, error, made):
            tell(name, info)
        raise
    steps = _Steps(request, made[0])
    for name, info in steps.success(response):
        tell(name, info)
    response.stream = _TracedStream(response.stream, tell, steps)
    return response


async def async_traced(transport, request):
    """The same, with a callback that is awaited."""
    tell = request.extensions["trace"]
    made = []
    try:
        response = await transport._exchange(request, made)
    except BaseException as error:
        for name, info in _failure(request, error, made):
            await tell(name, info)
        raise
    steps = _Steps(request, made[0])
    for name, info in steps.success(response):
        await tell(name, info)
    response.stream = _AsyncTracedStream(response.stream, tell, steps)
    return response


def _pair(name, started, result=None):
    yield f"{name}.started", started
    yield f"{name}.complete", {"return_value": result}


def _failed(name, started, error):
    yield f"{name}.started", started
    yield f"{name}.failed", {"exception": error}


class _Steps:
    """The steps of an exchange, as far as it came."""

    def __init__(self, request, exchange):
        self.request = request
        # What is known now: the protocol as "http2" or "http11", None without a connection; the stream's id over
        # HTTP/2; whether a connection was made for it, with TLS; whether the request is out; the socket's path.
        known = exchange.progress()
        self.protocol, self.stream_id, self.connected, self.secured, self.sent, self.retries, self.path = known

    def _connect_info(self):
        timeout = (self.request.extensions.get("timeout") or {}).get("connect")
        if self.path is not None:
            return {"path": self.path, "timeout": timeout, "socket_options": None}
        url = self.request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.raw_host.decode("ascii")
        return {"host": host, "port": port, "local_address": None, "timeout": timeout, "socket_options": None}

    def _tls_info(self):
        extensions = self.request.extensions
        name = extensions.get("sni_hostname") or self.request.url.raw_host.decode("ascii")
        timeout = (extensions.get("timeout") or {}).get("connect")
        return {"ssl_context": None, "server_hostname": name, "timeout": timeout}

    def info(self):
        """What the steps of the protocol are told with."""
        if self.protocol == "http2":
            return {"request": self.request, "stream_id": self.stream_id}
        return {"request": self.request}

    def _connect_name(self):
        return "connection.connect_tcp" if self.path is None else "connection.connect_unix_socket"

    def _connecting(self, stream=None):
        for _ in range(self.retries):
            yield from _pair("connection.retry", self._connect_info())
        if self.connected:
            yield from _pair(self._connect_name(), self._connect_info(), stream)
        if self.secured:
            yield from _pair("connection.start_tls", self._tls_info(), stream)
        if self.connected and self.protocol == "http2":
            yield from _pair("http2.send_connection_init", {"request": self.request})

    def success(self, response):
        """All steps up to the head."""
        yield from self._connecting(response.extensions.get("network_stream"))
        yield from _pair(f"{self.protocol}.send_request_headers", self.info())
        yield from _pair(f"{self.protocol}.send_request_body", self.info())
        head = (response.status_code, response.headers.raw)
        if self.protocol != "http2":
            head = (response.extensions["http_version"], head[0], response.extensions["reason_phrase"], head[1])
        headers = _pair(f"{self.protocol}.receive_response_headers", self.info(), head)
        yield next(headers)
        if self.connected and self.protocol == "http2":
            yield from _pair("http2.receive_remote_settings", {})
        yield from headers

    def failure(self, error):
        """The steps up to the one that failed."""
        yield from self._connecting()
        if self.protocol is not None:
            yield from _pair(f"{self.protocol}.send_request_headers", self.info())
            step = "receive_response_headers"
            if self.sent:
                yield from _pair(f"{self.protocol}.send_request_body", self.info())
            else:
                step = "send_request_body"
            yield from _failed(f"{self.protocol}.{step}", self.info(), error)
            yield from self.closed()
        elif getattr(error, "phase", None) == "tls":
            yield from _pair(self._connect_name(), self._connect_info())
            yield from _failed("connection.start_tls", self._tls_info(), error)
        elif getattr(error, "code", None) != "pool_timeout":
            yield from _failed(self._connect_name(), self._connect_info(), error)

    def closed(self):
        yield from _pair(f"{self.protocol}.response_closed", self.closing())

    def closing(self):
        return {"stream_id": self.stream_id} if self.protocol == "http2" else {}


def _failure(request, error, made):
    # What was refused before it was sent made no step.
    return _Steps(request, made[0]).failure(error) if made else ()


class _TracedStream(SyncByteStream):
    def __init__(self, stream, tell, steps):
        self._stream = stream
        self._tell = tell
        self._steps = steps
        self._closed = False

    def __iter__(self):
        name = f"{self._steps.protocol}.receive_response_body"
        self._tell(f"{name}.started", self._steps.info())
        try:
            yield from self._stream
        except BaseException as error:
            self._tell(f"{name}.failed", {"exception": error})
            raise
        self._tell(f"{name}.complete", {"return_value": None})

    def close(self):
        if self._closed:
            return
        self._closed = True
        name = f"{self._steps.protocol}.response_closed"
        self._tell(f"{name}.started", self._steps.closing())
        self._stream.close()
        self._tell(f"{name}.complete", {"return_value": None})


class _AsyncTracedStream(AsyncByteStream):
    def __init__(self, stream, tell, steps):
        self._stream = stream
        self._tell = tell
        self._steps = steps
        self._closed = False

    async def __aiter__(self):
        name = f"{self._steps.protocol}.receive_response_body"
        await self._tell(f"{name}.started", self._steps.info())
        try:
            async for part in self._stream:
                yield part
        except BaseException as error:
            await self._tell(f"{name}.failed", {"exception": error})
            raise
        await self._tell(f"{name}.complete", {"return_value": None})

    async def aclose(self):
        if self._closed:
            return
        self._closed = True
        name = f"{self._steps.protocol}.response_closed"
        await self._tell(f"{name}.started", self._steps.closing())
        await self._stream.aclose()
        await self._tell(f"{name}.complete", {"return_value": None})
