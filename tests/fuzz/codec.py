"""Codec: whatever comes, a message that is written back equal, or a ContractError that can be shown."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator, Sequence

from runyard import contracts
from runyard.codec import decode, encode
from runyard.errors import ContractError
from services.orchestrator.model.entry import BookEntry
from tests.fuzz.json_mutation import mutate_json
from tests.unit.runyard.test_contracts import MESSAGES

LONGEST = 16 << 10
# The codec is one small function for all kinds of messages, so its branches alone say little of how far an input came:
# what was refused, and which fields were read, are told beside them.
EDGES = 65536
# Which kind a text is read as is said by its first byte; sorted, so that a corpus keeps its meaning.
KINDS = sorted(
    {kind for name in contracts.__all__ if dataclasses.is_dataclass(kind := getattr(contracts, name))} | {BookEntry},
    key=lambda kind: kind.__name__,
)


def seeds() -> Iterator[bytes]:
    """Give a text of each kind of message."""
    for message in MESSAGES:
        yield bytes([KINDS.index(type(message))]) + encode(message).encode()
    for index in range(len(KINDS)):
        yield bytes([index]) + b"{}"


def attempt(data: bytes, visit: Callable[[int, int], None] = lambda edge, times: None) -> None:
    """Read a text as a message; AssertionError when it is not read or refused as the codec promises.

    `visit` is told a number below `EDGES` of what was refused or read.
    """
    if not data:
        return
    kind = KINDS[data[0] % len(KINDS)]
    try:
        message = decode(kind, data[1:])
    except ContractError as error:
        # It is answered, logged and shown: text, in a line of bounded length.
        said = str(error)
        said.encode()
        assert len(said) < 2000, "an error of more than 2,000 characters"
        # Which field and which rule, whatever the value and its place in a list.
        visit(_number(re.sub(r"\d+|, got .*|line .*", "", said)), 1)
        return
    for each in dataclasses.fields(message):
        value = getattr(message, each.name)
        size = len(value).bit_length() if isinstance(value, str | tuple | dict) else 0
        visit(_number(f"{kind.__name__}.{each.name} {type(value).__name__} {size} {bool(value)}"), 1)
    text = encode(message)
    text.encode()
    json.loads(text, parse_constant=_refuse)
    again = decode(kind, text)
    assert again == message, "what was written is read as something else"
    assert encode(again) == text, "the same message is written in two ways"


def _number(text: str) -> int:
    return zlib.crc32(text.encode()) % EDGES


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes | None:
    """Change the JSON behind the first byte, or the kind."""
    if not data or chance.random() < 0.02:
        return bytes([chance.randrange(len(KINDS))]) + data[1:]
    changed = mutate_json(data[1:], [each[1:] for each in others], chance)
    return None if changed is None else data[:1] + changed
