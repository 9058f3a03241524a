"""Watch: what changes, as a stream of server-sent events that goes on where it was broken off (Last-Event-ID)."""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from aiohttp import web

from services.orchestrator.api.problem import problem
from services.orchestrator.timing import Timing

# How often a stream looks: soon enough for a person, and one look serves all streams.
LOOK_S = 0.5
# Shorter than what lies between (relays, proxies) takes for a dead connection.
SILENCE_S = 15.0
# A stream that was away for more changes than these begins anew.
KEPT = 1_000
# Each has a connection of the listener's 128 for itself, and others must be answered beside them.
MOST = 32
_ID = re.compile(r"([0-9a-f]{1,32})-([0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class Change:
    """A thing that is new or another (`text`, JSON), or that is gone (None), with the number of the change."""

    number: int
    kind: str
    key: str
    text: str | None

    def event(self, epoch: str) -> str:
        """Write it as a server-sent event; a reader that comes back with its id gets what came after it."""
        return f"id: {epoch}-{self.number}\n{_event(self.kind, self.key, self.text)}"


class Feed:
    """The last changes of what `read` gives as JSON by `kind key`, numbered from 1; `epoch` names this life."""

    def __init__(self, read: Callable[[], Mapping[str, str]], epoch: str) -> None:
        self._read = read
        self._things: Mapping[str, str] = {}
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._looked_at = float("-inf")
        self.epoch = epoch
        self.last = 0

    def look(self, now: float) -> None:
        """Take in what has changed, unless somebody looked a moment ago."""
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        before, self._things = self._things, dict(self._read())
        for name in sorted({*before, *self._things}):
            text = self._things.get(name)
            if text != before.get(name):
                self.last += 1
                kind, _, key = name.partition(" ")
                self._changes.append(Change(self.last, kind, key, text))

    def after(self, number: int) -> list[Change] | None:
        """Give the changes after this number; None when not all of them are kept, or it was never given."""
        oldest = self.last - len(self._changes)
        if not oldest <= number <= self.last:
            return None
        return list(itertools.islice(self._changes, number - oldest, None))

    def number_of(self, identity: str) -> int:
        """Give the number in an event's id; -1, which is no number, for one of another life or nobody's."""
        found = _ID.fullmatch(identity)
        return int(found[2]) if found and found[1] == self.epoch else -1

    def whole(self) -> Iterator[str]:
        """Write everything as it is: `reset`, all things, and `synced`, which alone has an id.

        A stream that breaks off before has no id, so it begins anew.
        """
        yield "event: reset\ndata: {}\n\n"
        for name, text in sorted(self._things.items()):
            kind, _, key = name.partition(" ")
            yield _event(kind, key, text)
        yield f"id: {self.epoch}-{self.last}\nevent: synced\ndata: {{}}\n\n"


class Watch:
    """The operation: at most `MOST` streams of one feed."""

    def __init__(self, feed: Feed, timing: Timing) -> None:
        self._feed = feed
        self._timing = timing
        self._open = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with a stream until the client goes away."""
        if self._open >= MOST:
            return problem(429, "too many streams", f"{request.method} {request.path}: {MOST} clients watch already")
        self._open += 1
        try:
            return await self._stream(request)
        finally:
            self._open -= 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        place, clock = self._feed.number_of(request.headers.get("Last-Event-ID", "")), self._timing.clock
        told_at = float("-inf")
        while True:
            self._feed.look(clock())
            changes = self._feed.after(place)
            if changes is None:
                text = "".join(self._feed.whole())
            else:
                text = "".join(each.event(self._feed.epoch) for each in changes)
            place = self._feed.last
            if not text and clock() - told_at >= SILENCE_S:
                text = ": nothing new\n\n"
            if text:
                told_at = clock()
                await answer.write(text.encode())
            await self._timing.sleep(LOOK_S)


def _event(kind: str, key: str, text: str | None) -> str:
    # JSON as the codec writes it is one line.
    return f'event: {kind}\ndata: {{"key":{json.dumps(key)},"value":{text or "null"}}}\n\n'
