"""Rating under any use at any prices: sums that must hold, whatever the numbers are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from runyard.pricing.metering import Allocation, Basis, Metered, meter
from runyard.pricing.prices import FreeTier, PricePeriod, Rates
from runyard.pricing.rating import Amounts, Interval, cost, rate, rate_month, round_cents

PRICES = st.decimals(Decimal(0), Decimal(1), places=9)
RATES = st.builds(Rates, PRICES, PRICES)
PERIODS = st.builds(
    PricePeriod,
    start=st.just("2026-01-01"),
    active=RATES,
    idle=RATES,
    instance=RATES,
    million_requests=PRICES,
    egress_gib=PRICES,
    free_tier=st.builds(FreeTier, *[st.decimals(Decimal(0), Decimal(10**6), places=2)] * 6),
)
ALLOCATIONS = st.builds(
    lambda allocated, frozen, active, rest: Allocation(active, allocated, min(frozen, allocated), *rest),
    st.integers(0, 60_000),
    st.integers(0, 60_000),
    st.integers(0, 60_000),
    st.tuples(st.integers(1, 8000), st.integers(1, 2**34), st.integers(0, 10**6), st.integers(0, 2**40)),
)
BASES: st.SearchStrategy[Basis] = st.sampled_from(["request", "instance"])
USES = st.lists(
    st.builds(lambda had, basis: meter(had, basis, 100).amounts(), st.lists(ALLOCATIONS, max_size=3), BASES),
    min_size=1,
    max_size=4,
)


def total(rated: Sequence[Sequence[object]]) -> Decimal:
    return sum((each.lines.total for interval in rated for each in interval), Decimal(0))  # type: ignore[attr-defined]


@given(had=st.lists(ALLOCATIONS, max_size=6), basis=BASES, cut=st.integers(0, 6))
def test_windows_add_up_however_they_are_divided(had: list[Allocation], basis: Basis, cut: int) -> None:
    whole = meter(had, basis, 100)
    assert meter(had[:cut], basis, 100) + meter(had[cut:], basis, 100) == whole
    assert all(getattr(whole, each.name) >= 0 for each in dataclasses.fields(Metered))


@given(had=ALLOCATIONS)
def test_by_request_a_life_is_active_idle_or_frozen_and_nothing_twice(had: Allocation) -> None:
    metered = meter([had], "request", 1)
    awake = had.allocated_ms - had.frozen_ms
    if had.active_ms <= awake:
        assert metered.active_cpu + metered.idle_cpu == awake * had.cpu_millis
        assert metered.active_memory + metered.idle_memory == had.allocated_ms * had.memory_bytes


@given(used=USES, period=PERIODS)
def test_free_tier_never_makes_a_bill_dearer_and_never_negative(used: list[Amounts], period: PricePeriod) -> None:
    paid = rate(used, dataclasses.replace(period, free_tier=FreeTier()))
    free = rate(used, period)
    for one, other in zip(free, paid, strict=True):
        assert Decimal(0) <= one.total <= other.total


@given(used=USES, period=PERIODS)
def test_free_tier_takes_off_what_it_grants_and_no_more(used: list[Amounts], period: PricePeriod) -> None:
    (rated,) = rate_month([Interval(period, used)])
    asked = sum((each.used.requests for each in rated), Fraction(0))
    due = sum((each.due.requests for each in rated), Fraction(0))
    assert due == max(Fraction(0), asked - Fraction(period.free_tier.requests))


@given(used=USES, period=PERIODS)
def test_month_that_is_divided_at_the_same_prices_leaves_as_much_free(used: list[Amounts], period: PricePeriod) -> None:
    (whole,) = rate_month([Interval(period, used)])
    halves = [
        dataclasses.replace(each, **{name.name: getattr(each, name.name) / 2 for name in dataclasses.fields(Amounts)})
        for each in used
    ]
    parts = rate_month([Interval(period, halves), Interval(period, halves)])
    for name in ("active_vcpu_s", "instance_gib_s", "requests", "egress_gib"):
        one = sum((getattr(each.due, name) for each in whole), Fraction(0))
        other = sum((getattr(each.due, name) for part in parts for each in part), Fraction(0))
        assert one == other


@given(used=USES, period=PERIODS, discount=st.decimals(0, 100, places=2))
def test_each_line_is_its_exact_cost_less_the_discount_to_half_a_cent(
    used: list[Amounts], period: PricePeriod, discount: Decimal
) -> None:
    (rated,) = rate_month([Interval(period, used)], discount)
    for each in rated:
        for item in ("cpu", "memory", "requests", "egress"):
            exact = cost(each.due, period, item) * (100 - Fraction(discount)) / 100
            assert abs(Fraction(getattr(each.lines, item)) - exact) <= Fraction(1, 200)


@given(cents=st.integers(-(10**15), 10**15), part=st.fractions(Fraction(-1, 2), Fraction(1, 2)))
def test_rounding_goes_to_the_nearest_cent_and_ties_to_the_even_one(cents: int, part: Fraction) -> None:
    rounded = round_cents((cents + part) / 100)
    if abs(part) < Fraction(1, 2):
        assert rounded * 100 == cents
    else:
        assert rounded * 100 % 2 == 0
        assert abs(Fraction(rounded) * 100 - cents - part) == Fraction(1, 2)
