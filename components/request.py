"""Request: a message to a stack's orchestrator as a Pulumi dynamic resource's inputs and back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, TypeVar

from runyard import contracts
from runyard.contracts import TrafficShare
from runyard.errors import HostError
from runyard.host import Engine, Orchestrator
from runyard.names import service_key

Message = TypeVar("Message")

# An orchestrator that this update has made anew answers within a second; a preview should not wait much longer.
_PATIENCE_S = 5.0


def inputs(message: Any) -> dict[str, Any]:
    """Turn a message into inputs that a preview shows field by field."""
    values: dict[str, Any] = json.loads(contracts.encode(message))
    return values


def message(kind: type[Message], values: Mapping[str, Any]) -> Message:
    """Build the message back from a resource's inputs; fields that are not the message's are passed over."""
    known = contracts.fields_of(kind)
    kept = {key: _whole(value) for key, value in values.items() if key in known}
    return contracts.decode(kind, json.dumps(kept))


class Connections:
    """Connections that are used again: each costs the engine's handshake and a `docker exec`.

    Pulumi keeps one process for all dynamic resources and runs some of their operations at a time, in threads; a
    connection is lent to one of them at a time. They end with the process.
    """

    def __init__(self, connect: Callable[[str], AbstractContextManager[Orchestrator]]) -> None:
        """Connect to a stack's orchestrator with `connect`."""
        self._connect = connect
        self._idle: dict[str, list[tuple[AbstractContextManager[Orchestrator], Orchestrator]]] = {}
        self._turn = threading.Lock()

    @contextmanager
    def lend(self, stack: str) -> Iterator[Orchestrator]:
        """Lend a connection for one operation; one whose operation fails is closed."""
        with self._turn:
            waiting = self._idle.setdefault(stack, [])
            kept = waiting.pop() if waiting else None
        if kept is None:
            opened = self._connect(stack)
            kept = opened, opened.__enter__()
        try:
            yield kept[1]
        except BaseException:
            kept[0].__exit__(None, None, None)
            raise
        with self._turn:
            waiting.append(kept)


@contextmanager
def _connected(stack: str) -> Iterator[Orchestrator]:
    with Engine() as engine, closing(Orchestrator(engine, stack)) as subject:
        yield subject


orchestrator = Connections(_connected).lend


class Observation:
    """What is in force in a stack, asked for once and then known for a while: a preview has a question per service."""

    # Long enough for most previews to ask once, short enough to see a rollback that was made meanwhile.
    KNOWN_S = 5.0

    def __init__(
        self, lend: Callable[[str], AbstractContextManager[Orchestrator]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask the orchestrators that `lend` gives."""
        self._lend = lend
        self._clock = clock
        self._known: dict[str, tuple[float, dict[str, tuple[TrafficShare, ...]] | None]] = {}
        self._turn = threading.Lock()

    def traffic(self, stack: str, service: str) -> tuple[TrafficShare, ...] | None:
        """Give a service's traffic in force or soon so, none for one without; None where no orchestrator answers."""
        with self._turn:
            at, found = self._known.get(stack, (float("-inf"), None))
            if self._clock() - at >= self.KNOWN_S:
                found = self._observe(stack)
                self._known[stack] = self._clock(), found
        return None if found is None else found.get(service, ())

    def _observe(self, stack: str) -> dict[str, tuple[TrafficShare, ...]] | None:
        try:
            with self._lend(stack) as subject:
                status = subject.status(_PATIENCE_S) if subject.running() else None
        except HostError:
            # A preview goes on without: the program has said that the host, or its orchestrator, does not answer.
            return None
        if status is None:
            return None
        return {service_key(each.tenant, each.service): each.goal for each in status.services}


traffic_in_force = Observation(orchestrator).traffic


def _whole(value: Any) -> Any:
    """Undo Pulumi's wire format, in which every number is a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return value
