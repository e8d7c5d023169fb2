"""Scorecard client for libraries with the API of httpx; --package says which one to import."""

import importlib
import ssl

import _harness
from _harness import JSON_FIELDS, async_file_chunks, expect_ok, file_chunks


def make(job, name):
    """The client |name| of the library, trusting the bench server's certificate only."""
    module = importlib.import_module(job.package)
    limits = module.Limits(max_connections=job.concurrency + 10,
                           max_keepalive_connections=job.concurrency + 10)
    verify = True if job.ca_from_env else ssl.create_default_context(cafile=job.ca)
    return getattr(module, name)(verify=verify, limits=limits, timeout=60.0,
                                 trust_env=job.ca_from_env, http2=not job.http1)


def short(version):
    return "h2" if version in ("HTTP/2", "HTTP/2.0") else "h1"


class Async:
    protocol = ""

    async def open(self, job):
        self.client = make(job, "AsyncClient")

    async def close(self):
        await self.client.aclose()

    async def get(self, job):
        get, url, count = self.client.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = await get(url)
            expect_ok(response.status_code)
            count += len(response.content)
        if response is not None:
            self.protocol = short(response.http_version)
        return count

    async def post(self, job):
        post, url, body, count = self.client.post, job.url, job.body, 0
        for _ in job.tickets:
            response = await post(url, content=body, headers=JSON_FIELDS)
            expect_ok(response.status_code)
            count += len(response.content)
        return count

    async def download(self, job):
        count = 0
        for _ in job.tickets:
            async with self.client.stream("GET", job.url) as response:
                expect_ok(response.status_code)
                async for chunk in response.aiter_bytes():
                    count += len(chunk)
        return count

    async def upload(self, job):
        count = 0
        for _ in job.tickets:
            body = async_file_chunks(job.upload)
            response = await self.client.post(job.url, content=body)
            expect_ok(response.status_code)
            count += len(response.content)
        return count


class Sync:
    protocol = ""

    def open(self, job):
        self.client = make(job, "Client")

    def close(self):
        self.client.close()

    def get(self, job):
        get, url, count = self.client.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = get(url)
            expect_ok(response.status_code)
            count += len(response.content)
        if response is not None:
            self.protocol = short(response.http_version)
        return count

    def post(self, job):
        post, url, body, count = self.client.post, job.url, job.body, 0
        for _ in job.tickets:
            response = post(url, content=body, headers=JSON_FIELDS)
            expect_ok(response.status_code)
            count += len(response.content)
        return count

    def download(self, job):
        count = 0
        for _ in job.tickets:
            with self.client.stream("GET", job.url) as response:
                expect_ok(response.status_code)
                for chunk in response.iter_bytes():
                    count += len(chunk)
        return count

    def upload(self, job):
        count = 0
        for _ in job.tickets:
            response = self.client.post(job.url, content=file_chunks(job.upload))
            expect_ok(response.status_code)
            count += len(response.content)
        return count


if __name__ == "__main__":
    _harness.main(Async, Sync)
