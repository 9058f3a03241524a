"""Back-off between restarts of instances that fail, one slot for each missing instance."""

from __future__ import annotations

from services.orchestrator.instances.observation import Slot

# An instance that served this long was healthy: its next failure counts as the first.
HEALTHY_S = 60.0
# Kubernetes waits up to 300 s; with one host a minute keeps a crash loop cheap and a repaired dependency quick.
LONGEST_S = 60.0


def delay_s(failures: int) -> float:
    """Give the wait before the restart that follows this many failures in a row: 0, 1, 2, 4 … 60 seconds."""
    if failures <= 1:
        return 0.0
    # 2**6 is above the cap already, and a large exponent would only cost time.
    return min(LONGEST_S, 2.0 ** min(failures - 2, 6))


def slot_after_failure(attempts: int, ready_since: float | None, now: float) -> Slot:
    """Give the slot left by an instance that had `attempts` failures before it."""
    healthy = ready_since is not None and now - ready_since >= HEALTHY_S
    failures = 1 if healthy else attempts + 1
    return Slot(failures=failures, not_before=now + delay_s(failures))
