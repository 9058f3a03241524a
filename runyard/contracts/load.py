"""Load message: what the requests of each revision ask of it, as the gateway counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class RevisionLoad:
    """What one revision has to do: two gauges, and two sums that only grow.

    `in_flight` requests have a place at an instance and `waiting` ones stand in its line. `arrivals` counts the
    requests that came for it, whatever became of them, once they were within the limits of its service. `request_ms` is
    the time that requests spent in flight or waiting, in milliseconds: its growth over that of `GatewayLoad.at_ms` is
    the mean of both gauges together. The sums began with 0 at `since_ms`, on the clock of `at_ms`; where that differs
    from what was told before, they have begun anew.
    """

    in_flight: int
    waiting: int
    arrivals: int
    request_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class GatewayLoad:
    """The load of every revision for which anything moved since the generation that was asked for.

    `revisions` is keyed by `tenant/revision`; one that is not in it is as it was told last, or never had a request.
    `life` names the run of the gateway: in another one all sums have begun anew, which is no sign of idleness.
    `at_ms` is when this was read, in milliseconds of the gateway's monotonic clock.
    """

    life: str
    generation: int
    at_ms: int
    revisions: Mapping[str, RevisionLoad] = field(default_factory=dict)
    version: int = VERSION
