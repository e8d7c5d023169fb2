"""Scorecard client for aiohttp (HTTP/1.1 only)."""

import ssl

import aiohttp

import _harness
from _harness import JSON_FIELDS, async_file_chunks, expect_ok


class Async:
    protocol = "h1"

    async def open(self, job):
        context = ssl.create_default_context(cafile=job.ca)
        connector = aiohttp.TCPConnector(limit=job.concurrency, ssl=context)
        self.session = aiohttp.ClientSession(connector=connector)

    async def close(self):
        await self.session.close()

    async def get(self, job):
        get, url, count = self.session.get, job.url, 0
        for _ in job.tickets:
            async with get(url) as response:
                expect_ok(response.status)
                count += len(await response.read())
        return count

    async def post(self, job):
        post, url, body, count = self.session.post, job.url, job.body, 0
        for _ in job.tickets:
            async with post(url, data=body, headers=JSON_FIELDS) as response:
                expect_ok(response.status)
                count += len(await response.read())
        return count

    async def download(self, job):
        count = 0
        for _ in job.tickets:
            async with self.session.get(job.url) as response:
                expect_ok(response.status)
                async for chunk in response.content.iter_any():
                    count += len(chunk)
        return count

    async def upload(self, job):
        count = 0
        for _ in job.tickets:
            body = async_file_chunks(job.upload)
            async with self.session.post(job.url, data=body) as response:
                expect_ok(response.status)
                count += len(await response.read())
        return count


if __name__ == "__main__":
    _harness.main(async_client=Async)
