#!/usr/bin/env python3
"""Runs fuzz targets that were built with libFuzzer, as many at once as there are cores; one line each.

    run.py --programs DIR --source DIR --work DIR [--seconds N] [--merge] [TARGET...]

What a run adds is kept in WORK/TARGET/corpus for the next one; what it finds is in WORK/TARGET, and the status is 1.
With --merge nothing is run: of what WORK holds, that which reaches code that the corpus in the tree does not is copied
there, the smallest first, up to the corpus's limits.
"""

import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

# A corpus in the tree has no more files and bytes than these.
MOST_FILES = 200
MOST_BYTES = 300_000
# One input: longer is a hang.
TIMEOUT = 25


def targets_in(programs):
    names = (name for name in os.listdir(programs) if re.fullmatch(r"fuzz_[a-z0-9_]+", name))
    return sorted(name[len("fuzz_"):] for name in names if os.access(os.path.join(programs, name), os.X_OK))


def environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        env.pop(name, None)
        env.pop(name.lower(), None)
    return env


class Target:
    def __init__(self, options, name):
        self.name = name
        self.program = os.path.join(options.programs, "fuzz_" + name)
        self.corpus = os.path.join(options.source, "corpus", name)
        self.dictionary = os.path.join(options.source, "dict", name + ".dict")
        self.work = os.path.join(options.work, name)
        self.found = os.path.join(self.work, "corpus")
        os.makedirs(self.found, exist_ok=True)

    def run(self, seconds):
        """Gives the line to print, and whether nothing was found."""
        log = os.path.join(self.work, "log")
        before = set(os.listdir(self.work))
        command = [self.program, "-max_total_time=%d" % seconds, "-timeout=%d" % TIMEOUT, "-rss_limit_mb=2048", "-print_final_stats=1",
                   "-artifact_prefix=%s/" % self.work, "-close_fd_mask=0"]
        if os.path.exists(self.dictionary):
            command.append("-dict=" + self.dictionary)
        with open(log, "wb") as output:
            status = subprocess.run([*command, self.found, self.corpus], stdout=output, stderr=output, env=environment(), check=False).returncode
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        crashes = sorted(name for name in set(os.listdir(self.work)) - before if re.match(r"(crash|leak|timeout|oom)-", name))
        line = "%-10s %10s runs  %6s edges  %5s new units  %d crashes" % (
            self.name, last(r"stat::number_of_executed_units:\s*(\d+)", text), last(r"cov: (\d+)", text),
            last(r"stat::new_units_added:\s*(\d+)", text), len(crashes))
        for name in crashes:
            line += "\n    reproducer: %s %s/%s" % (self.program, self.work, name)
        if status != 0:
            line += "\n    status %d, see %s" % (status, log)
            line += "".join("\n    | " + row for row in text.splitlines() if re.search(r"ERROR:|SUMMARY:|not true:|runtime error|they differ", row))
        return line, status == 0 and not crashes

    def merge(self):
        files = os.listdir(self.corpus) if os.path.isdir(self.corpus) else []
        room = MOST_FILES - 1 - len(files)
        room_bytes = MOST_BYTES - sum(os.path.getsize(os.path.join(self.corpus, name)) for name in files)
        added = 0
        os.makedirs(self.corpus, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            for name in files:
                shutil.copy(os.path.join(self.corpus, name), directory)
            subprocess.run([self.program, "-merge=1", "-use_counters=0", directory, self.found], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=environment(), check=True)
            new = [os.path.join(directory, name) for name in os.listdir(directory) if name not in files]
            for path in sorted(new, key=lambda path: (os.path.getsize(path), path)):
                size = os.path.getsize(path)
                if room == 0 or size > room_bytes:
                    break
                with open(path, "rb") as file:
                    name = "found-" + hashlib.sha256(file.read()).hexdigest()[:12]
                shutil.copy(path, os.path.join(self.corpus, name))
                room, room_bytes, added = room - 1, room_bytes - size, added + 1
        return "%-10s %d added, %d files" % (self.name, added, len(files) + added), True


def last(pattern, text):
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    known = targets_in(options.programs)
    unknown = set(options.targets) - set(known)
    if unknown or not known:
        parser.error("no such target: %s; there are: %s" % (", ".join(sorted(unknown)) or "any", ", ".join(known)))
    os.nice(5)
    good = True
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        chosen = [Target(options, name) for name in options.targets or known]
        jobs = [pool.submit(target.merge) if options.merge else pool.submit(target.run, options.seconds) for target in chosen]
        for job in concurrent.futures.as_completed(jobs):
            line, well = job.result()
            print(line, flush=True)
            good = good and well
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
