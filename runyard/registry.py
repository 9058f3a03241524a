"""Registry: services, instances, parts and certificates, as the orchestrator tells them, kept fresh by its stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from runyard.contracts import (
    CertificateStatus,
    ContainerOwner,
    InstanceStatus,
    PartStatus,
    RevisionStatus,
    ServiceStatus,
    decode,
)
from runyard.errors import RunyardError
from runyard.journal import Journal

# The stream says something every 15 s at least.
SILENCE_S = 40.0
RETRY_S = 1.0
# A revision with its last log lines is the longest line.
_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What was told, by the key of each: ids of instances, `tenant/name` of services and revisions, parts and hosts.

    Owners are by the ids of the engine's containers.
    """

    instances: dict[str, InstanceStatus] = field(default_factory=dict)
    revisions: dict[str, RevisionStatus] = field(default_factory=dict)
    services: dict[str, ServiceStatus] = field(default_factory=dict)
    parts: dict[str, PartStatus] = field(default_factory=dict)
    certificates: dict[str, CertificateStatus] = field(default_factory=dict)
    owners: dict[str, ContainerOwner] = field(default_factory=dict)

    def put(self, kind: str, data: str) -> None:
        """Take in an event; of other kinds nothing is kept."""
        if kind not in _KINDS:
            return
        message, name = _KINDS[kind]
        found, told = getattr(self, name), json.loads(data)
        if told["value"] is None:
            found.pop(told["key"], None)
        else:
            found[told["key"]] = decode(message, json.dumps(told["value"]))


# What an event of each kind holds, and where it goes.
_KINDS: dict[str, tuple[type[Any], str]] = {
    "instance": (InstanceStatus, "instances"),
    "revision": (RevisionStatus, "revisions"),
    "service": (ServiceStatus, "services"),
    "part": (PartStatus, "parts"),
    "certificate": (CertificateStatus, "certificates"),
    "owner": (ContainerOwner, "owners"),
}


class Registry:
    """What there is; `connected` while the orchestrator tells of it.

    What it told last stays while it does not: it owns what runs, and that goes on without it.
    """

    def __init__(
        self, socket: Path, journal: Journal, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._socket, self._journal, self._sleep = socket, journal, sleep
        self._told = ""
        self._id = ""
        self.there = Known()
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
            fresh = self.there
            async for fields in _events(answer.content):
                fresh = self._take(fields, fresh)

    def _take(self, fields: dict[str, str], reading: Known) -> Known:
        """Take in an event, and give where the next one goes."""
        event = fields.get("event", "")
        if event == "reset":
            # What was known counts until all is told anew.
            return Known()
        if event != "synced":
            reading.put(event, fields.get("data", ""))
        if (fresh := fields.get("id")) is not None:
            # An event of the beginning has no id: until all is told, nothing is what it will be.
            self.there, self._id = reading, fresh
            self.connected = self.changed = True
            self._told = ""
            self.known.set()
        return reading


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
