"""Request: a message to a stack's orchestrator as a Pulumi dynamic resource's inputs and back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, TypeVar

from runyard import contracts
from runyard.host import Engine, Orchestrator

Message = TypeVar("Message")


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


def _whole(value: Any) -> Any:
    """Undo Pulumi's wire format, in which every number is a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return value
