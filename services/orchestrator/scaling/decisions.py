"""Decisions on counts: the last changes of what each revision should have, with their reasons, for who asks why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runyard.contracts import ScalingDecision

# Some days of a service that is scaled a few times a day, or the last minutes of one that flaps.
KEPT = 32


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a count is what it is: whose revision it is, one word, a sentence with numbers, and the numbers."""

    service: str
    why: str
    reason: str
    inputs: Mapping[str, float] = field(default_factory=dict)


class DecisionLog:
    """The last decisions of each revision that there is, in memory: after a restart it begins anew.

    What `follow` is told first is compared with what was there when it began.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._number = 0
        self._begun = False
        self._counts: dict[str, int] = {}
        self._kept: dict[str, deque[ScalingDecision]] = {}

    @property
    def decisions(self) -> tuple[ScalingDecision, ...]:
        """All that are kept, in the order in which they were made."""
        return tuple(sorted((each for kept in self._kept.values() for each in kept), key=lambda each: each.number))

    def begin(self, counts: Mapping[str, int]) -> None:
        """Take these counts, of the instances found at the start, for what was decided in a life before; only once."""
        if not self._begun:
            self._begun, self._counts = True, dict(counts)

    def follow(
        self, wanted: Mapping[str, int], known: Mapping[str, object], explain: Callable[[str, int], Explanation]
    ) -> None:
        """Note what is another count than before, by `tenant/revision`; a revision not `known` any more is forgotten.

        `explain` is asked for the revision and its new count, and only where there is one.
        """
        for key in sorted({*wanted, *self._counts}):
            count, before = wanted.get(key, 0), self._counts.get(key, 0)
            if count != before:
                self._note(key, before, count, explain(key, count))
        self._counts = dict(wanted)
        for key in self._kept.keys() - known.keys() - wanted.keys():
            del self._kept[key]

    def _note(self, key: str, before: int, count: int, told: Explanation) -> None:
        self._number += 1
        tenant, _, revision = key.partition("/")
        made = ScalingDecision(
            tenant=tenant,
            service=told.service,
            revision=revision,
            number=self._number,
            at_unix_s=self._wall(),
            before=before,
            count=count,
            why=told.why,
            reason=told.reason,
            # Numbers of either kind; a message has one kind.
            inputs={name: float(value) for name, value in told.inputs.items()},
        )
        self._kept.setdefault(key, deque(maxlen=KEPT)).append(made)
