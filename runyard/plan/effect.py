"""Effect: what a change does to the traffic that runs while it is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# none: no request fails or waits for it. restart: connections are cut and refused for under a second, then all is as
# before. gap: requests fail until something else is done, or for longer than a restart takes.
EffectKind = Literal["none", "restart", "gap"]
_ORDER: tuple[EffectKind, ...] = ("none", "restart", "gap")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the traffic that runs while it is made, and why."""

    kind: EffectKind
    reason: str


def worst(effects: Iterable[Effect]) -> Effect | None:
    """Give the effect that hurts most, the first of equals; None if nothing changes."""
    return max(effects, key=lambda each: _ORDER.index(each.kind), default=None)
