"""Request: a message to a stack's orchestrator as a Pulumi dynamic resource's inputs and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def orchestrator(stack: str) -> Iterator[Orchestrator]:
    """Connect to a stack's orchestrator for one operation."""
    with Engine() as engine:
        yield Orchestrator(engine, stack)


def _whole(value: Any) -> Any:
    """Undo Pulumi's wire format, in which every number is a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return value
