"""Scorecard client for pyreqwest (Rust's reqwest)."""

from pyreqwest.client import ClientBuilder, SyncClientBuilder

import _harness
from _harness import CHUNK, JSON_FIELDS, async_file_chunks, expect_ok, file_chunks


def make(job, builder):
    with open(job.ca, "rb") as file:
        builder = builder.add_root_certificate_pem(file.read())
    builder = builder.no_proxy().pool_max_idle_per_host(job.concurrency + 10)
    if job.http1:
        return builder.http1_only().build()
    return builder.http2(True).http2_adaptive_window(True).build()


def short(response):
    return "h2" if response.version.startswith("HTTP/2") else "h1"


class Async:
    protocol = ""

    async def open(self, job):
        self.client = make(job, ClientBuilder())

    async def close(self):
        await self.client.close()

    async def get(self, job):
        get, url, count = self.client.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = await get(url).build().send()
            expect_ok(response.status)
            count += len(await response.bytes())
        if response is not None:
            self.protocol = short(response)
        return count

    async def post(self, job):
        post, url, body, count = self.client.post, job.url, job.body, 0
        for _ in job.tickets:
            request = post(url).headers(JSON_FIELDS).body_bytes(body).build()
            response = await request.send()
            expect_ok(response.status)
            count += len(await response.bytes())
        return count

    async def download(self, job):
        count = 0
        for _ in job.tickets:
            async with self.client.get(job.url).build_streamed() as response:
                expect_ok(response.status)
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    count += len(chunk)
        return count

    async def upload(self, job):
        count = 0
        for _ in job.tickets:
            request = self.client.post(job.url).body_stream(async_file_chunks(job.upload)).build()
            response = await request.send()
            expect_ok(response.status)
            count += len(await response.bytes())
        return count


class Sync:
    protocol = ""

    def open(self, job):
        self.client = make(job, SyncClientBuilder())

    def close(self):
        self.client.close()

    def get(self, job):
        get, url, count = self.client.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = get(url).build().send()
            expect_ok(response.status)
            count += len(response.bytes())
        if response is not None:
            self.protocol = short(response)
        return count

    def post(self, job):
        post, url, body, count = self.client.post, job.url, job.body, 0
        for _ in job.tickets:
            response = post(url).headers(JSON_FIELDS).body_bytes(body).build().send()
            expect_ok(response.status)
            count += len(response.bytes())
        return count

    def download(self, job):
        count = 0
        for _ in job.tickets:
            with self.client.get(job.url).build_streamed() as response:
                expect_ok(response.status)
                while (chunk := response.body_reader.read(CHUNK)) is not None:
                    count += len(chunk)
        return count

    def upload(self, job):
        count = 0
        for _ in job.tickets:
            request = self.client.post(job.url).body_stream(file_chunks(job.upload)).build()
            response = request.send()
            expect_ok(response.status)
            count += len(response.bytes())
        return count


if __name__ == "__main__":
    _harness.main(Async, Sync)
