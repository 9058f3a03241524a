"""A target with a fault behind steps that nobody takes all at once by chance: what is new has to be told and kept."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 64


def attempt(data: bytes) -> None:
    if data[:1] == b"R" and data[1:2] == b"u" and data[2:3] == b"n" and data[3:4] == b"!":
        raise AssertionError("planted")


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes | None:
    return None
