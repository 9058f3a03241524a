"""Generator of one worker: begins each request at its time, whatever became of those before it (an open loop).

What it could not do in time is kept beside what the target did: a row has when the request was due, when the worker
began with it, when it was on the wire, and when its answer had ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from runyard.errors import UsageError
from runyard.workload.arrivals import arrivals
from runyard.workload.hosts import at_loopback
from runyard.workload.model import Job, Target
from runyard.workload.recording import SERVED, UNSENT, Recording

# A worker that is behind lets those that it has begun go on after so many.
_AT_ONCE = 32
_FIRST_RIGHT, _FIRST_WRONG = 200, 400
# Of files and pipes that a process has beside its connections.
_OTHER_FILES = 64
_READ_BYTES = 64 * 1024


async def generate(job: Job, start: float) -> Recording:
    """Send a worker's part of the requests, the first at `start` (time.monotonic()), and wait for the last answer."""
    recording = Recording()
    loop, scenario = asyncio.get_running_loop(), job.scenario
    before = _usage()
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=None)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=scenario.timeout_s),
        trace_configs=[_tracing(recording, loop.time, start)],
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        asks = [_Ask(session, target, recording, start) for target in scenario.targets]
        most = min(scenario.generator.most_in_flight, _room())
        running: set[asyncio.Task[None]] = set()
        failed: list[BaseException] = []

        def ended(task: asyncio.Task[None]) -> None:
            running.discard(task)
            # What becomes of a request is recorded; anything else is a fault of ours, and no count of it would be true.
            if error := task.exception():
                failed.append(error)

        for number, (at_s, target) in enumerate(_share(job)):
            wait_s = start + at_s - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            row = recording.add(at_s, target)
            if len(running) >= most:
                recording.numbers["cause"][row] = recording.cause(UNSENT)
                continue
            task = asyncio.create_task(asks[target].ask(row))
            running.add(task)
            task.add_done_callback(ended)
        if running:
            await asyncio.wait(running)
    if failed:
        raise failed[0]
    after = _usage()
    recording.usage.cpu_s, recording.usage.waited_s = (late - early for late, early in zip(after, before, strict=True))
    recording.usage.elapsed_s = loop.time() - start
    return recording


def _share(job: Job) -> Iterator[tuple[float, int]]:
    """Give every so-manieth request: all workers together have each once, and all are as busy."""
    return itertools.islice(arrivals(job.scenario), job.worker, None, job.workers)


def _tracing(recording: Recording, clock: Callable[[], float], start: float) -> aiohttp.TraceConfig:
    """Note when a request is on the wire; a second time means that aiohttp sent it again on another connection."""
    sent, sends = recording.times["sent"], recording.numbers["sends"]

    async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        row: int = context.trace_request_ctx
        if not sends[row]:
            sent[row] = clock() - start
        sends[row] += 1

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    return config


class _Ask:
    """How one target is asked, and its answers judged."""

    def __init__(self, session: aiohttp.ClientSession, target: Target, recording: Recording, start: float) -> None:
        self._session, self._recording, self._start = session, recording, start
        self._checks = target.checks
        self._sought = target.checks.body_contains.encode()
        url, host = at_loopback(target.url)
        headers = dict(target.headers)
        if "host" not in {name.lower() for name in headers}:
            headers["Host"] = host
        body = target.body.encode() if target.body else None
        self._request: dict[str, Any] = {
            "method": target.method, "url": url, "headers": headers, "data": body, "allow_redirects": False,
        }  # fmt: skip

    async def ask(self, row: int) -> None:
        """Send the request of a row, and fill in what became of it."""
        times, numbers = self._recording.times, self._recording.numbers
        start, clock = self._start, time.monotonic
        times["begun"][row] = clock() - start
        try:
            async with self._session.request(**self._request, trace_request_ctx=row) as answer:
                numbers["status"][row] = answer.status
                self._recording.name(row, answer.headers.get("X-Request-Id", ""))
                size, found = await self._read(answer.content)
            times["ended"][row] = clock() - start
            numbers["received"][row] = size
            cause = self._judge(answer.status, found, times["ended"][row] - times["due"][row])
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            times["ended"][row] = clock() - start
            cause = cause_of(error)
        numbers["cause"][row] = self._recording.cause(cause) if cause else SERVED

    async def _read(self, content: aiohttp.StreamReader) -> tuple[int, bool]:
        """Read a whole body, and look for what it must hold; only so much of it is kept as that is long."""
        size, found, kept = 0, not self._sought, b""
        async for piece in content.iter_chunked(_READ_BYTES):
            size += len(piece)
            if not found:
                joined = kept + piece
                found = self._sought in joined
                kept = joined[-len(self._sought) :]
        return size, found

    def _judge(self, status: int, found: bool, took_s: float) -> str:
        """Say why an answer counts as failed; nothing if it is right."""
        checks = self._checks
        right = status in checks.statuses if checks.statuses else _FIRST_RIGHT <= status < _FIRST_WRONG
        if not right:
            return f"status {status}"
        if not found:
            return "check: the body does not hold its text"
        if checks.max_ms and took_s * 1000 > checks.max_ms:
            return f"check: slower than {checks.max_ms:g} ms"
        return ""


def cause_of(error: BaseException) -> str:
    """Say in a few words why there is no answer; equal reasons have equal words, to be counted."""
    named = (
        (TimeoutError, "no answer in time"),
        (aiohttp.ClientConnectorCertificateError, "certificate not trusted"),
        (aiohttp.ClientConnectorDNSError, "name not found"),
        (ssl.SSLError, "TLS failed"),
        (aiohttp.ClientConnectorSSLError, "TLS failed"),
        (ConnectionRefusedError, "connection refused"),
        (ConnectionResetError, "connection closed before the answer"),
        (aiohttp.ServerDisconnectedError, "connection closed before the answer"),
        (aiohttp.ClientPayloadError, "connection closed within the answer"),
    )
    inner = getattr(error, "os_error", None)
    for each in (error, inner):
        for kind, words in named:
            if isinstance(each, kind):
                return words
    seen = inner or error
    return f"{type(seen).__name__}: {getattr(seen, 'strerror', None) or str(seen)[:80]}"


def _room() -> int:
    """Have as many connections as the system lets a process have, and say how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft <= _OTHER_FILES:
        raise UsageError(f"ulimit -n: must be more than {_OTHER_FILES}, got {soft}")
    return soft - _OTHER_FILES


def _usage() -> tuple[float, float]:
    """Give the processor time of this process, and how long it waited for a core, in seconds.

    The second is the kernel's own count (sched-stats.rst); 0 where it keeps none.
    """
    try:
        waited_ns = int(Path("/proc/self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        waited_ns = 0
    return time.process_time(), waited_ns / 1e9
