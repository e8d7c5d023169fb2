"""Runs the rows: every client of a row in turn, that as many times as asked, and the medians."""

import json
import os
import statistics
import subprocess
import tempfile

from .clients import Work
from .provide import Missing, last_line
from .servers import SMALL_SIZE

TIMEOUT = 120  # seconds for one run of one client
MOST = 2_000_000  # requests of one run, at most

FIGURES = ("rate", "mbytes", "micros", "cpu_us", "rss_kb", "connections", "seconds", "wall")


class Failed(Exception):
    """A run that gives no figures; the text says why."""


class Runner:
    """Runs clients as |options|, the command line, says, each at |place|."""

    def __init__(self, server, provider, clients, options, place, say):
        self.server = server
        self.provider = provider
        self.clients = clients
        self.repeat = options.repeat
        self.seconds = options.seconds
        self.requests = options.requests
        self.quick = options.quick
        self.place = place
        self.say = say

    def row(self, row, chosen):
        """The results of |row| by label. |chosen|: names of clients to run, or None for all."""
        results = {}
        for entry in row.entries:
            if chosen and entry.client not in chosen and entry.label not in row.refs:
                continue
            results[entry.label] = self._prepare(row, entry)
        live = [entry for entry in row.entries
                if entry.label in results and results[entry.label]["status"] == "ok"]
        for turn in range(self.repeat):
            # Who runs first may find another machine than who runs last: begin elsewhere each time.
            start = turn % len(live) if live else 0
            for entry in live[start:] + live[:start]:
                result = results[entry.label]
                if result["status"] == "ok":
                    self._sample(row, entry, result)
        for result in results.values():
            result["median"] = medians(result["samples"])
        return results

    def _prepare(self, row, entry):
        """Makes the client ready and finds how many requests take the time wanted."""
        result = {"label": entry.label, "client": entry.client, "status": "ok", "reason": "",
                  "note": "", "samples": [], "requests": 0}
        client = row.client(entry, self.clients)
        try:
            client.prepare(self.provider)
        except Missing as missing:
            result.update(status="not installed", reason=str(missing))
            return result
        try:
            result["requests"] = self._count(row, entry, client)
        except Failed as failed:
            result.update(status="failed", reason=str(failed))
        return result

    def _count(self, row, entry, client):
        if row.fixed:
            return 1 if self.quick and row.spec.kind in ("download", "upload") else row.fixed
        if client.timed and not self.requests:
            return 0
        if self.requests:
            return max(self.requests, entry.spec.concurrency)
        least = entry.spec.concurrency * 5
        first = max(least, 20 if row.program else int(client.guess * 0.1))
        sample = self._run(row, entry, first)
        return min(MOST, max(least, int(sample["rate"] * self.seconds)))

    def _sample(self, row, entry, result):
        try:
            sample = self._run(row, entry, result["requests"])
            result["samples"].append(sample)
            if sample["exit_status"] != 0:
                result["note"] = "crashed after its result: status %d" % sample["exit_status"]
        except Failed as failed:
            result.update(status="failed", reason=str(failed))
            self.say("  %s: %s" % (entry.label, failed))

    def _run(self, row, entry, requests):
        """One run of one client; its figures, or Failed."""
        client = row.client(entry, self.clients)
        work = Work(entry.spec, self.server, requests, self.seconds)
        accepted, served = self.server.counters()
        code, output, errors, usage = self._process(client.command(work, self.provider))
        accepted_after, served_after = self.server.counters()
        served = served_after - served - 1
        try:
            if code != 0 and not client.crashes:
                raise Failed("exit status %d: %s" % (code, last_line(errors or output)[:200]))
            outcome = client.read(work, output)
        except (ValueError, KeyError, IndexError) as error:
            why = last_line(errors) if errors else str(error)
            raise Failed("no result, exit status %d: %s" % (code, why[:200])) from error
        check(row, entry, outcome, requests, served)
        if not row.program:
            check_bytes(entry.spec.kind, outcome, self.server.big_size)
        if outcome.cpu_seconds is None:
            # All that the process did; a timed client warms up with requests like those it counts.
            over = served if client.timed else outcome.requests
            cpu_us = (usage["user"] + usage["sys"]) / over * 1e6
        else:
            cpu_us = outcome.cpu_seconds / outcome.requests * 1e6
        return {
            "rate": outcome.requests / outcome.seconds,
            "mbytes": outcome.bytes / outcome.seconds / 1e6,
            "micros": outcome.seconds / outcome.requests * 1e6,
            "cpu_us": cpu_us,
            "rss_kb": usage["rss_kb"],
            "connections": accepted_after - accepted,
            "seconds": outcome.seconds,
            "wall": usage["wall"],
            "exit_status": code,
        }

    def _process(self, command):
        """Runs |command| under clients/measure.c: (status, output, errors, what it cost)."""
        with tempfile.NamedTemporaryFile(dir=self.server.dir, suffix=".json") as report, \
                tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [self.provider.measure(), report.name, *command], env=environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True, preexec_fn=self.place.take)
            try:
                output = process.communicate(timeout=TIMEOUT)[0].decode("utf-8", "replace")
            except BaseException as stop:
                os.killpg(process.pid, 9)
                process.wait()
                if isinstance(stop, subprocess.TimeoutExpired):
                    raise Failed("took more than %d s" % TIMEOUT) from stop
                raise
            errors.seek(0)
            with open(report.name) as file:
                usage = json.loads(file.read() or "{}")
            if not usage:
                raise Failed("clients/measure.c gave no report")
            return (process.returncode, output, errors.read().decode("utf-8", "replace"), usage)


def environment():
    """No proxies and no certificates of the user's; everything else as it is."""
    dropped = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file",
               "ssl_cert_dir", "sslkeylogfile", "pythonpath", "curl_ca_bundle",
               "requests_ca_bundle")
    return {key: value for key, value in os.environ.items() if key.lower() not in dropped}


def check(row, entry, outcome, requests, served):
    """Refuses results that are no results: errors, too few exchanges, or another protocol."""
    if outcome.errors:
        raise Failed("%d errors" % outcome.errors)
    if outcome.requests < max(1, requests) or outcome.seconds <= 0:
        raise Failed("did %d of %d requests" % (outcome.requests, requests))
    if row.program:
        return
    if served < outcome.requests:
        raise Failed("the server saw %d of %d requests" % (served, outcome.requests))
    wanted = "h1" if entry.spec.http1 else "h2"
    if outcome.protocol and outcome.protocol != wanted:
        raise Failed("spoke %s instead of %s" % (outcome.protocol, wanted))


def check_bytes(kind, outcome, big_size):
    """Refuses results of which a part of the bodies is missing."""
    one = {"get": SMALL_SIZE, "download": big_size, "upload": big_size}.get(kind)
    if one and outcome.bytes != one * outcome.requests:
        raise Failed("moved %d bytes instead of %d" % (outcome.bytes, one * outcome.requests))


def medians(samples):
    if not samples:
        return {}
    return {key: statistics.median(sample[key] for sample in samples) for key in FIGURES}


def ratio(row, result, reference):
    """How many times better |result| is than |reference|, or None.

    The median over the turns: within one, both ran within seconds of each other.
    """
    key = figure_key(row)
    pairs = list(zip(result["samples"], reference["samples"]))
    if not pairs:
        return None
    if row.less_is_better:
        return statistics.median(theirs[key] / ours[key] for ours, theirs in pairs)
    return statistics.median(ours[key] / theirs[key] for ours, theirs in pairs)


def figure_key(row):
    return {"req/s": "rate", "MB/s": "mbytes"}.get(row.unit, "micros")
