"""Registry: what the orchestrator tells on the loopback's port, without addresses and logs, kept for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from runyard.contracts import DecisionList, InstanceList, OrchestratorStatus, decode
from runyard.errors import ContractError
from services.console.adapters.http import Part
from services.console.refusal import SourceUnavailable

Message = TypeVar("Message")
# However many look, the orchestrator is asked once in this time.
KEPT_S = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What runs of all tenants, at one moment."""

    status: OrchestratorStatus
    instances: InstanceList
    decisions: DecisionList


@dataclass
class Registry:
    """The orchestrator, read and never changed."""

    part: Part
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _kept: tuple[float, Seen] | None = None

    def seen(self) -> Seen:
        """Give what runs, as it was at most `KEPT_S` ago; SourceUnavailable where the orchestrator does not answer."""
        with self._lock:
            now = self.clock()
            if self._kept is None or now - self._kept[0] >= KEPT_S:
                self._kept = now, self._read()
            return self._kept[1]

    def _read(self) -> Seen:
        return Seen(
            self._list(OrchestratorStatus, "status"),
            self._list(InstanceList, "instances"),
            self._list(DecisionList, "decisions"),
        )

    def _list(self, kind: type[Message], what: str) -> Message:
        try:
            return decode(kind, self.part.told(f"/v1/{what}"))
        except ContractError as error:
            raise SourceUnavailable(f"ask the {self.part.name}: {error}") from error
