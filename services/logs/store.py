"""Store: VictoriaLogs, a process of ours at a port of the loopback, with a password that it and we alone know."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from runyard.errors import HostError, UsageError
from runyard.journal import Journal
from runyard.names import log_account

_USER = "runyard"
# A store of some gigabytes is open in a second; one that was killed has to look through its last parts.
START_S = 60.0
_LOOK_S = 0.05
# What it is asked at most; a search through all days of a large tenant takes seconds.
ASK_S = 60.0
# Parts that were not written yet go to the disk, and merges end.
STOP_S = 20.0
# So long may what it took in be in memory alone: a kill takes it away.
FLUSH_S = 2
# An answer's: as many lines as somebody can read.
MOST_BYTES = 32 * 1024**2
# A line of JSON has a text of 128 Ki characters, each six bytes at most as it is written, and fields of it beside it.
_LINE_BYTES = 2 * 1024**2
_STREAM = "service,revision,instance,container"


class StoreAway(HostError):
    """The store does not answer: what it was sent may be in it or not."""


class StoreRefused(HostError):
    """The store takes nothing in, as while its disk is full."""


class Store:
    """The store of one stack; a tenant is an account of its own, for what is put in and for what is asked."""

    def __init__(self, program: str, directory: Path, retention_days: int, journal: Journal) -> None:
        self._program, self._directory, self._retention_days = program, directory, retention_days
        self._journal = journal
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = ""

    async def start(self, secret_directory: Path) -> None:
        """Start it and wait until it answers; UsageError where it ends instead, StoreAway where it does neither."""
        password, port = secrets.token_urlsafe(32), _free_port()
        file = secret_directory / "store-password"
        file.touch(mode=0o600)
        file.write_text(password)
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            f"-storageDataPath={self._directory}",
            f"-retentionPeriod={self._retention_days}d",
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-httpAuth.username={_USER}",
            f"-httpAuth.password=file://{file}",
            f"-inmemoryDataFlushInterval={FLUSH_S}s",
            f"-insert.maxLineSizeBytes={_LINE_BYTES}",
            "-memory.allowedBytes=96MiB",
            "-loggerLevel=WARN",
            "-http.disableResponseCompression",
        )
        self._url = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(
            auth=aiohttp.BasicAuth(_USER, password), timeout=aiohttp.ClientTimeout(total=ASK_S)
        )
        try:
            async with asyncio.timeout(START_S):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise UsageError(f"store: ended at its start with code {self._process.returncode}")
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise StoreAway(f"store: no answer within {START_S:g} s of its start") from None

    async def _answers(self) -> bool:
        try:
            async with self._open().get(f"{self._url}/health") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise StoreAway("store: not started")
        return self._session

    async def ended(self) -> int:
        """Wait until its process ends, and give its exit code."""
        return -1 if self._process is None else await self._process.wait()

    async def stop(self) -> None:
        """End it; what it took in is on the disk then."""
        if self._session is not None:
            await self._session.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._journal.write("store killed", level="warning", waited_s=STOP_S)
                self._process.kill()
                await self._process.wait()

    async def put(self, tenant: str, records: bytes) -> None:
        """Put in records of a tenant, lines of JSON; StoreRefused if none is taken, StoreAway if some may be."""
        parameters = {"_stream_fields": _STREAM, "_time_field": "_time", "_msg_field": "_msg"}
        # With a form's type it would answer 200 and store nothing.
        headers = {**_account(tenant), "Content-Type": "application/stream+json"}
        try:
            async with self._open().post(
                f"{self._url}/insert/jsonline", params=parameters, data=records, headers=headers
            ) as answer:
                if answer.status not in (200, 204):
                    raise StoreRefused(f"store: {answer.status}: {(await answer.text()).strip()[:200]}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StoreAway(f"store: {error or type(error).__name__}") from error

    async def ask(
        self, tenant: str, query: str, limit: int = 0, *, start: str = "", end: str = "", most_bytes: int = MOST_BYTES
    ) -> list[dict[str, Any]]:
        """Give the records of a tenant that a query of LogsQL finds, in no order; the newest `limit` of them.

        They are of times (RFC 3339) from `start` to `end`. StoreAway if it does not answer, UsageError if it takes the
        query for none, or finds more than `most_bytes`.
        """
        asked = {"query": query, "limit": str(limit or ""), "start": start, "end": end}
        parameters = {name: value for name, value in asked.items() if value}
        try:
            async with self._open().post(
                f"{self._url}/select/logsql/query", data=parameters, headers=_account(tenant)
            ) as answer:
                if answer.status in (400, 422):
                    raise UsageError(f"log query: {(await answer.text()).strip()[:300]}")
                if answer.status != 200:
                    raise StoreAway(f"store: {answer.status}: {(await answer.text()).strip()[:200]}")
                return [json.loads(line) async for line in _lines(answer.content, most_bytes)]
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StoreAway(f"store: {error or type(error).__name__}") from error


async def _lines(content: aiohttp.StreamReader, most_bytes: int) -> AsyncIterator[bytes]:
    read, rest = 0, b""
    async for data in content.iter_any():
        read += len(data)
        if read > most_bytes:
            raise UsageError(f"log query: must find no more than {most_bytes} bytes: ask for fewer lines")
        *whole, rest = (rest + data).split(b"\n")
        for each in whole:
            yield each
    if rest:
        yield rest


def _account(tenant: str) -> Mapping[str, str]:
    account, project = log_account(tenant)
    return {"AccountID": str(account), "ProjectID": str(project)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
