"""Rating: amounts at prices, less free tier and discount, rounded once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from runyard.pricing.prices import FreeTier, PricePeriod, Rates
from runyard.pricing.rating import Amounts, Interval, Lines, rate, rate_month
from tests.unit import checkout

PERIOD = PricePeriod(
    "2026-01-01",
    active=Rates(Decimal("0.00002"), Decimal("0.000002")),
    idle=Rates(Decimal("0.00001"), Decimal("0.000001")),
    instance=Rates(Decimal("0.00003"), Decimal("0.000003")),
    million_requests=Decimal("0.40"),
    egress_gib=Decimal("0.12"),
    storage_gib_month=Decimal("0.10"),
)
HOUR = Fraction(3600)


def test_each_amount_is_rated_at_its_own_price() -> None:
    used = Amounts(HOUR * 100, HOUR * 1000, HOUR, HOUR, HOUR, HOUR, Fraction(10**7), Fraction(5), Fraction(20))
    assert rate([used], PERIOD) == [
        Lines(Decimal("7.34"), Decimal("7.21"), Decimal("4.00"), Decimal("0.60"), Decimal("2.00")),
    ]


def test_free_tier_is_shared_by_what_each_service_uses() -> None:
    period = PricePeriod("2026-01-01", million_requests=Decimal(1), free_tier=FreeTier(requests=Decimal(2_000_000)))
    used = [Amounts(requests=Fraction(3_000_000)), Amounts(requests=Fraction(1_000_000)), Amounts()]
    assert [each.requests for each in rate(used, period)] == [Decimal("1.50"), Decimal("0.50"), Decimal("0.00")]


def test_discount_is_taken_before_the_one_rounding_half_to_even() -> None:
    used = [Amounts(egress_gib=Fraction(1, 12) * each) for each in (1, 3)]
    # Half of a cent and a half cent and a half: down to none, up to two.
    assert [each.egress for each in rate(used, PERIOD, Decimal(50))] == [Decimal("0.00"), Decimal("0.02")]


def test_idle_time_and_storage_are_in_no_free_tier() -> None:
    free = FreeTier(*(Decimal(10**9) for _ in range(6)))
    period = PricePeriod("2026-01-01", idle=PERIOD.idle, storage_gib_month=Decimal(1), free_tier=free)
    used = Amounts(HOUR, HOUR, HOUR * 1000, Fraction(0), HOUR, HOUR, HOUR, HOUR, Fraction(3))
    assert rate([used], period) == [Lines(cpu=Decimal("36.00"), storage=Decimal("3.00"))]


def test_free_tier_of_a_month_is_used_up_in_the_order_of_time() -> None:
    free = FreeTier(requests=Decimal(2_000_000))
    old, new = (PricePeriod("2026-01-01", million_requests=Decimal(price), free_tier=free) for price in (1, 2))
    million = Fraction(10**6)
    first = Interval(old, [Amounts(requests=million), Amounts()])
    second = Interval(new, [Amounts(requests=million * 2), Amounts(requests=million * 2)])
    third = Interval(old, [Amounts(requests=million)])
    rated = rate_month([first, second, third])
    # One million is left for the second interval, and shared by both of its services; none for the third.
    assert [[each.due.requests for each in interval] for interval in rated] == [
        [0, 0],
        [million * 3 / 2, million * 3 / 2],
        [million],
    ]
    assert [[each.lines.requests for each in interval] for interval in rated] == [
        [Decimal("0.00"), Decimal("0.00")],
        [Decimal("3.00"), Decimal("3.00")],
        [Decimal("1.00")],
    ]


def test_prices_that_grant_less_give_nothing_back() -> None:
    periods = (
        PricePeriod("2026-01-01", million_requests=Decimal(1), free_tier=FreeTier(requests=Decimal(free)))
        for free in (3_000_000, 1_000_000)
    )
    intervals = [Interval(period, [Amounts(requests=Fraction(2_000_000))]) for period in periods]
    assert [each[0].lines.requests for each in rate_month(intervals)] == [Decimal("0.00"), Decimal("2.00")]


def test_rating_and_accounts_need_no_manifest() -> None:
    graph = checkout.import_graph()
    for path in (
        "runyard/pricing/rating.py",
        "runyard/pricing/prices.py",
        "runyard/pricing/metering.py",
        "runyard/accounts.py",
    ):
        ours = {each for each in graph[checkout.module_name(Path(path))] if each.startswith("runyard")}
        assert ours <= {"runyard.location", "runyard.pricing.prices", "runyard.pricing.rating"}
