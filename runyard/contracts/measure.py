"""Measure message: what the instances of a service did over some time, by which it is priced and sized."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class Measure:
    """What a service's instances did in the last `seconds`, of each all containers together.

    `awake_ms` is how long they ran, and `active_ms` how long of it with requests in flight, which is what CPU's 95th
    percentile is of, minute by minute, in thousandths of a vCPU. `memory_peak_bytes` is the highest of all.
    """

    tenant: str
    service: str
    seconds: int
    requests: int
    active_ms: int
    awake_ms: int
    egress_bytes: int
    cpu_p95_millis: int
    memory_peak_bytes: int


@dataclass(frozen=True, slots=True)
class Measures:
    """Services with usage, by tenant and name."""

    measures: tuple[Measure, ...] = ()
    version: int = VERSION
