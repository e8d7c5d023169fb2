"""Scorecard client for pycurl: a handle per thread, and libcurl's multi socket API on asyncio."""

import asyncio
import io

import pycurl

import _harness
from _harness import JSON_FIELDS, expect_ok

FIELDS = ["%s: %s" % item for item in JSON_FIELDS.items()]


def handle(job):
    """An easy handle, ready but for its URL and its sink."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.CAINFO, job.ca)
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.PROXY, "")
    version = pycurl.CURL_HTTP_VERSION_1_1 if job.http1 else pycurl.CURL_HTTP_VERSION_2TLS
    easy.setopt(pycurl.HTTP_VERSION, version)
    if not job.http1:
        easy.setopt(pycurl.PIPEWAIT, 1)
    if job.kind == "download":
        easy.setopt(pycurl.BUFFERSIZE, 512 * 1024)
    return easy


def set_post(easy, job):
    easy.setopt(pycurl.POSTFIELDS, job.body)
    easy.setopt(pycurl.HTTPHEADER, FIELDS)


def short(easy):
    return "h2" if easy.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0 else "h1"


class Sync:
    """A handle holds its own connection, so a thread has one of each."""

    protocol = ""

    def open(self, job):
        self.idle = [handle(job) for _ in range(job.concurrency)]
        for easy in self.idle:
            easy.setopt(pycurl.URL, job.warm_url)
            easy.setopt(pycurl.WRITEFUNCTION, lambda data: None)
            easy.perform()

    def close(self):
        for easy in self.idle:
            easy.close()

    def _loop(self, job, prepare):
        easy, count = self.idle.pop(), 0
        easy.setopt(pycurl.URL, job.url)
        prepare(easy)
        try:
            for _ in job.tickets:
                body = io.BytesIO()
                easy.setopt(pycurl.WRITEFUNCTION, body.write)
                easy.perform()
                expect_ok(easy.getinfo(pycurl.RESPONSE_CODE))
                count += len(body.getvalue())
                self.protocol = self.protocol or short(easy)
        finally:
            self.idle.append(easy)
        return count

    def get(self, job):
        return self._loop(job, lambda easy: None)

    def post(self, job):
        return self._loop(job, lambda easy: set_post(easy, job))

    def download(self, job):
        easy, count = self.idle.pop(), 0

        def take(data):
            nonlocal count
            count += len(data)

        easy.setopt(pycurl.URL, job.url)
        easy.setopt(pycurl.WRITEFUNCTION, take)
        for _ in job.tickets:
            easy.perform()
            expect_ok(easy.getinfo(pycurl.RESPONSE_CODE))
        self.idle.append(easy)
        return count

    def upload(self, job):
        easy, count = self.idle.pop(), 0
        easy.setopt(pycurl.URL, job.url)
        easy.setopt(pycurl.UPLOAD, 1)
        easy.setopt(pycurl.CUSTOMREQUEST, "POST")
        easy.setopt(pycurl.UPLOAD_BUFFERSIZE, 512 * 1024)
        easy.setopt(pycurl.WRITEFUNCTION, lambda data: None)
        for _ in job.tickets:
            with open(job.upload, "rb", buffering=0) as file:
                easy.setopt(pycurl.INFILESIZE_LARGE, file.seek(0, io.SEEK_END))
                file.seek(0)
                easy.setopt(pycurl.READFUNCTION, file.read)
                easy.perform()
                count += file.tell()
            expect_ok(easy.getinfo(pycurl.RESPONSE_CODE))
        self.idle.append(easy)
        return count


class Async:
    """One multi handle whose sockets and timer asyncio watches."""

    protocol = ""

    async def open(self, job):
        self.loop = asyncio.get_running_loop()
        self.timer = None
        self.watched = {}
        self.idle = [handle(job) for _ in range(job.concurrency)]
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self.multi.setopt(pycurl.M_MAXCONNECTS, job.concurrency + 1)
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    async def close(self):
        if self.timer:
            self.timer.cancel()
        for easy in self.idle:
            easy.close()
        self.multi.close()

    def _on_socket(self, what, fd, multi, data):
        had = self.watched.pop(fd, 0)
        want = 0 if what == pycurl.POLL_REMOVE else what
        if had & pycurl.POLL_IN and not want & pycurl.POLL_IN:
            self.loop.remove_reader(fd)
        if had & pycurl.POLL_OUT and not want & pycurl.POLL_OUT:
            self.loop.remove_writer(fd)
        if want & pycurl.POLL_IN and not had & pycurl.POLL_IN:
            self.loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
        if want & pycurl.POLL_OUT and not had & pycurl.POLL_OUT:
            self.loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
        if want:
            self.watched[fd] = want

    def _on_timer(self, milliseconds):
        if self.timer:
            self.timer.cancel()
            self.timer = None
        if milliseconds >= 0:
            self.timer = self.loop.call_later(
                milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, fd, mask):
        self.multi.socket_action(fd, mask)
        while True:
            left, good, bad = self.multi.info_read()
            for easy in good:
                self._finish(easy, None)
            for easy, _, text in bad:
                self._finish(easy, RuntimeError(text))
            if left == 0:
                return

    def _finish(self, easy, failure):
        self.multi.remove_handle(easy)
        if failure:
            easy.future.set_exception(failure)
        else:
            easy.future.set_result(None)

    async def _loop(self, job, prepare):
        easy, count = self.idle.pop(), 0
        easy.setopt(pycurl.URL, job.url)
        prepare(easy)
        for _ in job.tickets:
            body = io.BytesIO()
            easy.setopt(pycurl.WRITEFUNCTION, body.write)
            easy.future = self.loop.create_future()
            self.multi.add_handle(easy)
            await easy.future
            expect_ok(easy.getinfo(pycurl.RESPONSE_CODE))
            count += len(body.getvalue())
            self.protocol = self.protocol or short(easy)
        self.idle.append(easy)
        return count

    async def get(self, job):
        return await self._loop(job, lambda easy: None)

    async def post(self, job):
        return await self._loop(job, lambda easy: set_post(easy, job))


if __name__ == "__main__":
    _harness.main(Async, Sync)
