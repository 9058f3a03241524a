"""Metering: which part of a container's life counts at which price, in exact sums."""

from __future__ import annotations

from fractions import Fraction

import pytest

from runyard.pricing.metering import Allocation, Basis, Metered, meter

MINUTE = Allocation(20_000, 60_000, 10_000, cpu_millis=500, memory_bytes=1024, requests=7, egress_bytes=9)


def test_by_request_active_idle_and_frozen_time_count_apart() -> None:
    assert meter([MINUTE], "request", 100) == Metered(
        active_cpu=20_000 * 500,
        active_memory=20_000 * 1024,
        idle_cpu=30_000 * 500,
        # Frozen, it keeps its memory and no CPU.
        idle_memory=40_000 * 1024,
        requests=7,
        egress_bytes=9,
    )


def test_by_instance_the_whole_life_counts_and_requests_do_not() -> None:
    assert meter([MINUTE], "instance", 100) == Metered(
        instance_cpu=50_000 * 500, instance_memory=60_000 * 1024, egress_bytes=9
    )


@pytest.mark.parametrize(
    ("active_ms", "minimum_ms", "paid_ms"), [(0, 100, 0), (1, 100, 100), (100, 100, 100), (101, 100, 200), (7, 1, 7)]
)
def test_active_time_is_rounded_up_to_whole_minimum_charges(active_ms: int, minimum_ms: int, paid_ms: int) -> None:
    assert meter([Allocation(active_ms, 1000, cpu_millis=1)], "request", minimum_ms).active_cpu == paid_ms


def test_time_that_was_rounded_up_leaves_no_negative_idle_time() -> None:
    assert meter([Allocation(30, 30, cpu_millis=1)], "request", 100) == Metered(active_cpu=100)


def test_each_allocation_is_rounded_by_itself() -> None:
    had = [Allocation(1, 1000, cpu_millis=2), Allocation(1, 1000, cpu_millis=3)]
    assert meter(had, "request", 100).active_cpu == 500


@pytest.mark.parametrize("basis", ["request", "instance"])
def test_order_does_not_matter_and_nothing_is_nothing(basis: Basis) -> None:
    had = [MINUTE, Allocation(5, 60_000, 0, 250, 2048)]
    assert meter(had, basis, 100) == meter(reversed(had), basis, 100)
    assert meter([], basis, 100) == Metered()


def test_sums_are_in_the_units_of_the_prices() -> None:
    sums = Metered(*[10**6 * 3, 1024**3 * 1000 * 3] * 3, requests=3, egress_bytes=1024**3 * 3)
    amounts = sums.amounts()
    assert {getattr(amounts, name) for name in ("active_vcpu_s", "idle_vcpu_s", "instance_vcpu_s")} == {Fraction(3)}
    assert {getattr(amounts, name) for name in ("active_gib_s", "idle_gib_s", "instance_gib_s")} == {Fraction(3)}
    assert (amounts.requests, amounts.egress_gib, amounts.storage_gib_month) == (3, 3, 0)


def test_instance_of_several_containers_pays_the_sum_of_their_limits() -> None:
    # Requests stand on one of its containers, and the active time on each.
    main = Allocation(20_000, 60_000, 0, cpu_millis=1000, memory_bytes=2048, requests=5)
    beside = Allocation(20_000, 60_000, 0, cpu_millis=250, memory_bytes=1024)
    both = meter([main, beside], "request", 100)
    assert (both.active_cpu, both.active_memory) == (20_000 * 1250, 20_000 * 3072)
    assert (both.idle_cpu, both.requests) == (40_000 * 1250, 5)


def test_frozen_instance_pays_its_memory_alone() -> None:
    frozen = Allocation(0, 60_000, 60_000, cpu_millis=1000, memory_bytes=2048)
    assert meter([frozen], "request", 100) == Metered(idle_memory=60_000 * 2048)
    assert meter([frozen], "instance", 100) == Metered(instance_memory=60_000 * 2048)


@pytest.mark.parametrize("minimum_ms", [1, 100, 1000])
def test_sums_of_a_large_month_stay_exact(minimum_ms: int) -> None:
    # A thousand containers of the largest size, every minute of a month: far beyond what a float has exactly.
    had = Allocation(60_000, 60_000, 0, cpu_millis=8000, memory_bytes=2**35 + 1)
    month = meter([had] * 1000, "request", minimum_ms)
    assert month.active_memory == 1000 * 60_000 * (2**35 + 1)
    assert month.amounts().active_gib_s == Fraction(1000 * 60_000 * (2**35 + 1), 1024**3 * 1000)


def test_allocation_that_served_while_it_was_frozen_is_not_paid_less_than_nothing() -> None:
    # What two clocks told: active for longer than it was awake.
    had = Allocation(active_ms=50_000, allocated_ms=60_000, frozen_ms=30_000, cpu_millis=10, memory_bytes=10)
    metered = meter([had], "request", 100)
    assert (metered.active_cpu, metered.idle_cpu, metered.idle_memory) == (500_000, 0, 300_000)
