"""An HTTP/1.1 server in a thread that does one thing wrong, by path, as often as it is asked: it keeps no record."""

import asyncio
import threading

ANSWERS = {
    "/ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/garbage": b"this is no HTTP\r\n\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    "/nothing": b"",
    "/half": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/bad-gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    "/bad-location": b"HTTP/1.1 302 Found\r\nLocation: http://x:port/\r\nContent-Length: 0\r\n\r\n",
    "/loop": b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
    "/cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\nok",
    "/digest": b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth", '
    b"algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n",
}
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
# After these the connection is closed.
CLOSING = ("/garbage", "/short", "/nothing", "/half")


async def _serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().partition("?")[0]
            if path == "/never":
                await reader.read()
                break
            lower = head.lower()
            if path == "/digest" and b"\r\nauthorization:" in lower:
                path = "/ok"
            if b"\r\ncontent-length:" in lower:
                await reader.readexactly(int(lower.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]))
            writer.write(ANSWERS.get(path, REFUSAL))
            if path in CLOSING:
                break
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the last: at the end of all
        pass
    finally:
        writer.close()


class Faulty:
    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(asyncio.start_server(_serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    async def _end(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __exit__(self, *exc_info):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
