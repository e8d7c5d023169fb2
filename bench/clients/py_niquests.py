"""Scorecard client for niquests.

Its asyncio session multiplexes a connection only in its own lazy way: with multiplexed=True a get()
returns at once, and gather() waits for all that is under way. Many gets over HTTP/2 use that.
"""

import itertools

import niquests

import _harness
from _harness import JSON_FIELDS, expect_ok, file_chunks


def options(job):
    return {"disable_http1": not job.http1, "disable_http2": job.http1, "disable_http3": True,
            "pool_connections": job.concurrency, "pool_maxsize": job.concurrency}


def short(response):
    return "h2" if response.http_version == 20 else "h1"


class Async:
    protocol = ""

    async def open(self, job):
        self.lazy = job.kind == "get" and job.concurrency > 1 and not job.http1
        self.session = niquests.AsyncSession(multiplexed=self.lazy, **options(job))
        self.session.verify = job.ca
        self.session.trust_env = False

    async def close(self):
        await self.session.close()

    async def get(self, job):
        if self.lazy:
            return await self._get_lazily(job)
        get, url, count = self.session.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = await get(url)
            expect_ok(response.status_code)
            count += len(response.content)
        if response is not None:
            self.protocol = short(response)
        return count

    async def _get_lazily(self, job):
        """The first worker takes all the tickets and works them off in batches."""
        tickets, job.tickets = job.tickets, iter(())
        count = 0
        while batch := list(itertools.islice(tickets, job.concurrency)):
            responses = [await self.session.get(job.url) for _ in batch]
            await self.session.gather(*responses)
            for response in responses:
                expect_ok(response.status_code)
                count += len(response.content)
                self.protocol = short(response)
        return count

    async def post(self, job):
        post, url, body, count = self.session.post, job.url, job.body, 0
        for _ in job.tickets:
            response = await post(url, data=body, headers=JSON_FIELDS)
            expect_ok(response.status_code)
            count += len(response.content)
        return count

    async def download(self, job):
        count = 0
        for _ in job.tickets:
            response = await self.session.get(job.url, stream=True)
            expect_ok(response.status_code)
            async for chunk in await response.iter_content(_harness.CHUNK):
                count += len(chunk)
        return count


class Sync:
    protocol = ""

    def open(self, job):
        self.session = niquests.Session(**options(job))
        self.session.verify = job.ca
        self.session.trust_env = False

    def close(self):
        self.session.close()

    def get(self, job):
        get, url, count = self.session.get, job.url, 0
        response = None
        for _ in job.tickets:
            response = get(url)
            expect_ok(response.status_code)
            count += len(response.content)
        if response is not None:
            self.protocol = short(response)
        return count

    def post(self, job):
        post, url, body, count = self.session.post, job.url, job.body, 0
        for _ in job.tickets:
            response = post(url, data=body, headers=JSON_FIELDS)
            expect_ok(response.status_code)
            count += len(response.content)
        return count

    def download(self, job):
        count = 0
        for _ in job.tickets:
            response = self.session.get(job.url, stream=True)
            expect_ok(response.status_code)
            for chunk in response.iter_content(_harness.CHUNK):
                count += len(chunk)
        return count

    def upload(self, job):
        count = 0
        for _ in job.tickets:
            response = self.session.post(job.url, data=file_chunks(job.upload))
            expect_ok(response.status_code)
            count += len(response.content)
        return count


if __name__ == "__main__":
    _harness.main(Async, Sync)
