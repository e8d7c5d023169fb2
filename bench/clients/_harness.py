"""What every Python client of the scorecard shares: command line, clock, workers, result line.

A client gives one class per mode. The class has open() and close(), and one method per kind of
work (get, post, download, upload). Such a method is a worker: it does one exchange for each ticket
it takes from job.tickets and returns how many bytes of body went by. All workers of a run draw
from the same tickets, so `concurrency` workers keep that many exchanges in flight until all are
done. A worker raises on anything but a 200, and that fails the run.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import threading
import time
import traceback

CHUNK = 64 * 1024
JSON_FIELDS = {"Content-Type": "application/json"}


class Job:
    """The command line. |tickets| is replaced for the warm-up and for the timed part."""

    def __init__(self, args):
        self.measured_url = args.url
        self.warm_url = args.warm_url or args.url
        self.url = self.warm_url
        self.ca = args.ca
        self.http1 = args.http1
        self.requests = args.requests
        self.concurrency = args.concurrency
        self.warmup = args.warmup
        self.package = args.package
        self.ca_from_env = args.ca_from_env
        self.loop = args.loop
        self.mode = args.mode
        self.upload = args.upload
        self.kind = kind_of(args)
        self.body = post_body(args.body_size) if args.method == "POST" else b""
        self.tickets = iter(())


def kind_of(args):
    if args.download:
        return "download"
    if args.upload:
        return "upload"
    return "post" if args.method == "POST" else "get"


def post_body(size):
    """The same text as scorecard_lib/servers.py and clients/bench_cli.c make."""
    head = b'{"user":42,"items":["a","b","c"],"note":"'
    return head + b"y" * (size - len(head) - 2) + b'"}'


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca", required=True, help="PEM file to trust")
    parser.add_argument("--requests", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--warm-url", help="a small GET to open the connections with")
    parser.add_argument("--http1", action="store_true")
    parser.add_argument("--method", choices=("GET", "POST"), default="GET")
    parser.add_argument("--body-size", type=int, default=0)
    parser.add_argument("--download", action="store_true", help="stream and discard the body")
    parser.add_argument("--upload", metavar="FILE", help="POST this file as a stream")
    parser.add_argument("--mode", choices=("async", "sync"), default="async")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--package", help="for a program that serves several packages")
    parser.add_argument("--ca-from-env", action="store_true",
                        help="for a library that can be told of a CA only by SSL_CERT_FILE")
    return Job(parser.parse_args())


def expect_ok(status):
    if status != 200:
        raise RuntimeError("status %s" % status)


def file_chunks(path):
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk


async def async_file_chunks(path):
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def cpu_now():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Timed:
    def __enter__(self):
        self.cpu, self.wall = cpu_now(), time.perf_counter()
        return self

    def __exit__(self, *_):
        self.wall = time.perf_counter() - self.wall
        self.cpu = cpu_now() - self.cpu


def report(job, client, timed, outcomes):
    """Prints the JSON line. |outcomes|: for each worker its bytes, or what it raised."""
    failures = [one for one in outcomes if isinstance(one, BaseException)]
    for failure in failures[:1]:
        traceback.print_exception(failure, file=sys.stderr)
    done = job.requests if not failures else 0
    moved = sum(one for one in outcomes if not isinstance(one, BaseException))
    if job.kind == "upload":
        moved = done * os.path.getsize(job.upload)
    print(json.dumps({
        "requests": done, "errors": len(failures), "seconds": round(timed.wall, 6),
        "bytes": moved,
        "cpu_seconds": round(timed.cpu, 6), "protocol": getattr(client, "protocol", "")}))
    return 1 if failures else 0


async def run_async(job, client):
    async def phase(work, count):
        job.tickets = iter(range(count))
        tasks = [asyncio.ensure_future(work(job)) for _ in range(job.concurrency)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    await client.open(job)
    try:
        for outcome in await phase(client.get, job.warmup):
            if isinstance(outcome, BaseException):
                raise outcome
        job.url = job.measured_url
        with Timed() as timed:
            outcomes = await phase(getattr(client, job.kind), job.requests)
    finally:
        await client.close()
    return report(job, client, timed, outcomes)


def run_threads(job, work, count):
    outcomes = []

    def body():
        try:
            outcomes.append(work(job))
        except Exception as failure:
            outcomes.append(failure)

    job.tickets = iter(range(count))
    if job.concurrency == 1:
        body()
        return outcomes
    threads = [threading.Thread(target=body) for _ in range(job.concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def run_sync(job, client):
    client.open(job)
    try:
        for outcome in run_threads(job, client.get, job.warmup):
            if isinstance(outcome, BaseException):
                raise outcome
        job.url = job.measured_url
        with Timed() as timed:
            outcomes = run_threads(job, getattr(client, job.kind), job.requests)
    finally:
        client.close()
    return report(job, client, timed, outcomes)


def start_loop(job, client):
    if job.loop == "uvloop":
        import uvloop
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run_async(job, client))
    return asyncio.run(run_async(job, client))


def main(async_client=None, sync_client=None):
    job = parse()
    if job.ca_from_env:
        os.environ["SSL_CERT_FILE"] = job.ca
    chosen = async_client if job.mode == "async" else sync_client
    if chosen is None or not hasattr(chosen, job.kind):
        sys.exit("not supported: %s %s" % (job.mode, job.kind))
    client = chosen()
    sys.exit(start_loop(job, client) if job.mode == "async" else run_sync(job, client))
