"""Registry: which instances and revisions there are, as the orchestrator tells it, kept fresh by its stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp

from runyard.contracts import InstanceStatus, RevisionStatus, decode
from runyard.errors import RunyardError
from runyard.journal import Journal

# The stream says something every 15 s at least.
SILENCE_S = 40.0
RETRY_S = 1.0
# A revision with its last log lines is the longest line.
_LINE_BYTES = 1024 * 1024
Status = TypeVar("Status", InstanceStatus, RevisionStatus)


class Registry:
    """The instances by id and the revisions by `tenant/revision`; `connected` while the orchestrator tells of them.

    What it told last stays while it does not: it owns what runs, and that goes on without it.
    """

    def __init__(
        self, socket: Path, journal: Journal, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._socket, self._journal, self._sleep = socket, journal, sleep
        self._told = ""
        self._id = ""
        self.instances: dict[str, InstanceStatus] = {}
        self.revisions: dict[str, RevisionStatus] = {}
        self.connected = False
        # Whether anything is new since somebody asked.
        self.changed = False
        # Set once everything was told, for good.
        self.known = asyncio.Event()

    async def run(self) -> None:
        """Follow the stream until cancelled, from where it was broken off."""
        while True:
            try:
                await self._follow()
                problem = "the stream ended"
            except (aiohttp.ClientError, OSError, RunyardError, ValueError, KeyError) as error:
                problem = str(error) or type(error).__name__
            self.connected = False
            if problem != self._told:
                self._journal.write("registry away", level="warning", problem=problem)
            self._told = problem
            await self._sleep(RETRY_S)

    async def _follow(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_S)
        headers = {"Last-Event-ID": self._id} if self._id else {}
        connector = aiohttp.UnixConnector(str(self._socket))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=_LINE_BYTES) as session,
            session.get("http://registry/v1/watch", headers=headers) as answer,
        ):
            answer.raise_for_status()
            fresh = _Reading(self.instances, self.revisions)
            async for fields in _events(answer.content):
                fresh = self._take(fields, fresh)

    def _take(self, fields: dict[str, str], reading: _Reading) -> _Reading:
        """Take in an event, and give where the next one goes."""
        event = fields.get("event", "")
        if event == "reset":
            # What was known counts until all is told anew.
            return _Reading({}, {})
        if event != "synced":
            reading.put(event, fields.get("data", ""))
        if (fresh := fields.get("id")) is not None:
            # An event of the beginning has no id: until all is told, nothing is what it will be.
            self.instances, self.revisions, self._id = reading.instances, reading.revisions, fresh
            self.connected = self.changed = True
            self._told = ""
            self.known.set()
        return reading


class _Reading:
    """What is told so far."""

    def __init__(self, instances: dict[str, InstanceStatus], revisions: dict[str, RevisionStatus]) -> None:
        self.instances, self.revisions = instances, revisions

    def put(self, kind: str, data: str) -> None:
        if kind == "instance":
            _put(self.instances, InstanceStatus, data)
        elif kind == "revision":
            _put(self.revisions, RevisionStatus, data)


def _put(found: dict[str, Status], kind: type[Status], data: str) -> None:
    told = json.loads(data)
    if told["value"] is None:
        found.pop(told["key"], None)
    else:
        found[told["key"]] = decode(kind, json.dumps(told["value"]))


async def _events(content: aiohttp.StreamReader):  # type: ignore[no-untyped-def]
    """Give server-sent events by their fields; comments keep the connection alive and say nothing."""
    fields: dict[str, str] = {}
    async for line in content:
        name, _, value = line.decode().rstrip("\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not value:
            if fields:
                yield fields
            fields = {}
