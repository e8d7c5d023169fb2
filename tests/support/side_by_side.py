"""requestx and httpx 0.28.1 side by side: clients of every kind, and what a caller gets of them as plain values that compare.

RQX_EXAMPLES is the number of generated examples for each test; without it there are as many as a check has time for.
"""

import asyncio
import contextlib
import json
import os
import ssl

import hypothesis
import pytest

import requestx

httpx = pytest.importorskip("httpx")

LIBRARIES = (httpx, requestx)
# How a request is made: by a client that waits or is awaited, in which protocol.
KINDS = ("sync/1.1", "async/1.1", "sync/2", "async/2")


def settings(examples=100):
    return hypothesis.settings(
        max_examples=int(os.environ.get("RQX_EXAMPLES", examples)),
        deadline=None,
        database=None,
        derandomize="RQX_EXAMPLES" not in os.environ,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.data_too_large,
            hypothesis.HealthCheck.filter_too_much,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )


def own_names(text):
    """The agent's and the library's names are their own."""
    for library in LIBRARIES:
        text = text.replace(f"python-{library.__name__}/{library.__version__}", "AGENT")
    return text


class Clients:
    """A client of each library and kind, all of which trust the tests' certificates."""

    def __init__(self, ca):
        self._ca = ca
        self._loop = asyncio.new_event_loop()
        self._clients = {}

    def make(self, library, kind, **options):
        """A client of its own.  httpx decodes what other packages let it: the field is the same for both."""
        how, _, version = kind.partition("/")
        made = library.Client if how == "sync" else library.AsyncClient
        options.setdefault("headers", {"Accept-Encoding": "gzip, deflate"})
        return made(verify=ssl.create_default_context(cafile=self._ca.ca_file), http2=version == "2", **options)

    def get(self, library, kind):
        if (library, kind) not in self._clients:
            self._clients[library, kind] = self.make(library, kind)
        return self._clients[library, kind]

    def run(self, result):
        """The result of a call: awaited, if it is one of an asynchronous client."""
        if hasattr(result, "__await__"):
            return self._loop.run_until_complete(_awaited(result))
        return result

    def request(self, library, kind, method, url, **arguments):
        if kind.startswith("async") and "content" in arguments and hasattr(arguments["content"], "__next__"):
            arguments["content"] = _async_parts(arguments["content"])
        return self.run(self.get(library, kind).request(method, url, **arguments))

    def read(self, library, kind, method, url, how, size, stop, **arguments):
        """A streamed response and its pieces: of iter_`how`(size), the first `stop` of them if that is not None."""
        client = self.get(library, kind)
        if kind.startswith("async"):
            return self.run(_aread(client, method, url, how, size, stop, arguments))
        pieces = []
        with client.stream(method, url, **arguments) as response:
            with contextlib.closing(_iterator(response, "", how, size)) as iterator:
                for piece in iterator:
                    if stop is not None and len(pieces) >= stop:
                        break
                    pieces.append(piece)
        return response, pieces

    def close(self, client):
        self.run(client.close() if hasattr(client, "close") else client.aclose())

    def close_all(self):
        for client in self._clients.values():
            self.close(client)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _awaited(result):
    return await result


async def _async_parts(parts):
    for part in parts:
        yield part


def _iterator(response, prefix, how, size):
    iterate = getattr(response, f"{prefix}iter_{how}")
    return iterate() if size is None else iterate(size)


async def _aread(client, method, url, how, size, stop, arguments):
    pieces = []
    async with client.stream(method, url, **arguments) as response:
        async with contextlib.aclosing(_iterator(response, "a", how, size)) as iterator:
            async for piece in iterator:
                if stop is not None and len(pieces) >= stop:
                    break
                pieces.append(piece)
    return response, pieces


def error_of(call):
    """(result, None), or (None, the exception's name)."""
    try:
        return call(), None
    except Exception as error:
        return None, type(error).__name__


def told_by(response):
    """The response's parts, as values."""
    return {
        "status": response.status_code,
        "version": response.http_version,
        "reason": response.reason_phrase,
        "url": str(response.url),
        "text": own_names(response.text),
        "sent": [own_names(repr(pair)) for pair in response.request.headers.raw],
        "method": response.request.method,
        "history": [(each.status_code, str(each.url), each.request.method) for each in response.history],
        "next": response.next_request and (response.next_request.method, str(response.next_request.url)),
        "cookies": sorted((cookie.name, cookie.value) for cookie in response.cookies.jar),
        "encoding": response.encoding,
        "downloaded": response.num_bytes_downloaded,
    }


def seen(text):
    """What the server says that it saw, without what may be another.

    That is the port that the client was given, and where among the fields the engine writes Content-Length.
    """
    try:
        told = json.loads(text)
    except ValueError:
        return text
    if isinstance(told, dict) and "headers" in told:
        told.pop("client")
        told["headers"].sort(key=lambda pair: pair[0] == "content-length")
    return told


def outcome(call):
    """What the caller got: the response's parts, or the exception's name."""
    told, error = error_of(lambda: told_by(call()))
    if error is not None:
        return error
    told["text"] = seen(told["text"])
    if isinstance(told["text"], dict):
        # The two may compress differently what says the same.
        told.pop("downloaded")
    return told


def same(call, compare=outcome):
    """Asserts that `call` gives the same of each library, and gives that."""
    theirs, ours = (compare(lambda library=library: call(library)) for library in LIBRARIES)
    assert ours == theirs, f"\nhttpx    {theirs}\nrequestx {ours}"
    return theirs
