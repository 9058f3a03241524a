"""Metering: what a container's windows come to in the units that have a price; pure, and exact in whole numbers.

What is paid is what was allocated, the limits, over time: as Cloud Run does, and not what was used of it. By request,
the time with a request in flight counts at the active price and the rest of the life at the idle one; by instance, the
whole life at one price, and requests cost nothing. Frozen time counts the memory alone, because no CPU is kept for it.
Source: https://cloud.google.com/run/pricing, "Billable time".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal

from runyard.pricing.rating import Amounts

Basis = Literal["request", "instance"]
_GIB_S = 1024**3 * 1000
_VCPU_S = 1000 * 1000


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one container had in a time: milliseconds, thousandths of a vCPU, bytes of memory, and what it served."""

    active_ms: int = 0
    allocated_ms: int = 0
    frozen_ms: int = 0
    cpu_millis: int = 0
    memory_bytes: int = 0
    requests: int = 0
    egress_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Metered:
    """Sums of allocations: CPU in thousandths of a vCPU times milliseconds, memory in bytes times milliseconds."""

    active_cpu: int = 0
    active_memory: int = 0
    idle_cpu: int = 0
    idle_memory: int = 0
    instance_cpu: int = 0
    instance_memory: int = 0
    requests: int = 0
    egress_bytes: int = 0

    def __add__(self, other: Metered) -> Metered:
        return Metered(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Metered)))

    def amounts(self) -> Amounts:
        """Give the sums in the units of the prices."""
        return Amounts(
            active_vcpu_s=Fraction(self.active_cpu, _VCPU_S),
            active_gib_s=Fraction(self.active_memory, _GIB_S),
            idle_vcpu_s=Fraction(self.idle_cpu, _VCPU_S),
            idle_gib_s=Fraction(self.idle_memory, _GIB_S),
            instance_vcpu_s=Fraction(self.instance_cpu, _VCPU_S),
            instance_gib_s=Fraction(self.instance_memory, _GIB_S),
            requests=Fraction(self.requests),
            egress_gib=Fraction(self.egress_bytes, 1024**3),
        )


def meter(allocations: Iterable[Allocation], basis: Basis, minimum_charge_ms: int) -> Metered:
    """Add up allocations, of each the active time rounded up to whole minimum charges."""
    return sum((_meter(each, basis, minimum_charge_ms) for each in allocations), Metered())


def _meter(had: Allocation, basis: Basis, minimum_charge_ms: int) -> Metered:
    awake = had.allocated_ms - had.frozen_ms
    if basis == "instance":
        return Metered(
            instance_cpu=awake * had.cpu_millis,
            instance_memory=had.allocated_ms * had.memory_bytes,
            egress_bytes=had.egress_bytes,
        )
    active = -(-had.active_ms // minimum_charge_ms) * minimum_charge_ms
    # What was rounded up may be more than there was.
    idle = max(0, awake - active)
    return Metered(
        active_cpu=active * had.cpu_millis,
        active_memory=active * had.memory_bytes,
        idle_cpu=idle * had.cpu_millis,
        idle_memory=(idle + had.frozen_ms) * had.memory_bytes,
        requests=had.requests,
        egress_bytes=had.egress_bytes,
    )
