"""Cost: worked by hand for each kind of billing, and sums that are exact whatever the numbers."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.errors import UsageError
from runyard.forecast import Costs, Usage, Usages, price
from runyard.forecast.cost import MONTH_S, kept_s
from runyard.manifest.model import Container, Manifests, PersistentVolume, Scaling, Service, Volume
from runyard.pricing.prices import FreeTier, PriceBook, PricePeriod, Rates
from runyard.pricing.rating import Lines
from runyard.scaling.schedule import parse_schedule
from tests.unit.runyard.plan.example import container, manifests, service, template

DAY = "2026-11-23"
GIB = 1024**3
# Round numbers, so that a test's sum can be done in the head.
PERIOD = PricePeriod(
    start="2026-01-01",
    end="2027-01-01",
    active=Rates(Decimal("0.001"), Decimal("0.0001")),
    idle=Rates(Decimal("0.0001"), Decimal("0.00001")),
    instance=Rates(Decimal("0.0005"), Decimal("0.00005")),
    million_requests=Decimal("0.40"),
    egress_gib=Decimal("0.12"),
    storage_gib_month=Decimal("0.10"),
)
BUSY = Usage(Decimal(1_000_000), Decimal(101), Decimal(10), Decimal(2), "usage file")

NONE = Usage(Decimal(0), Decimal(0), Decimal(0), Decimal(1), "usage file")


def book(**changes: Any) -> PriceBook:
    return PriceBook("test", (dataclasses.replace(PERIOD, **changes),))


def web(name: str = "web", least: int = 0, most: int = 10, **changes: Any) -> Service:
    """A service of one vCPU and 2 GiB."""
    shape = template(containers=(container(memory_bytes=2 * GIB),), scaling=Scaling(least, most))
    shape = dataclasses.replace(
        shape, **{key: changes.pop(key) for key in ("cpu_throttling", "volumes") if key in changes}
    )
    return dataclasses.replace(service(name=name, tenant="shop", template=shape), **changes)


def costs_of(*services: Service, prices: PriceBook | None = None, usage: Usage = BUSY) -> Costs:
    return price(manifests(*services, price_book=prices or book()), DAY, Usages(usage))


def only(costs: Costs, case: str) -> Lines:
    ((found,),) = (tenant.services for tenant in costs.tenants)
    lines = getattr(found, case)
    assert isinstance(lines, Lines)
    return lines


def test_floor_is_the_kept_instances_idle_all_month() -> None:
    floor = only(costs_of(web(least=2)), "floor")
    # 2 instances * 2,628,000 s * (1 vCPU * 0.0001, 2 GiB * 0.00001).
    assert floor == Lines(cpu=Decimal("525.60"), memory=Decimal("105.12"))


def test_floor_of_a_service_that_scales_to_zero_is_nothing() -> None:
    assert only(costs_of(web()), "floor") == Lines()


def test_expected_rounds_a_requests_time_up_to_whole_intervals() -> None:
    # 1,000,000 requests of 101 ms cost as 200 ms; two at once share an instance: 100,000 s of it.
    assert only(costs_of(web()), "expected") == Lines(
        cpu=Decimal("100.00"), memory=Decimal("20.00"), requests=Decimal("0.40"), egress=Decimal("1.20")
    )


def test_expected_pays_idle_prices_for_the_rest_of_the_kept_instances() -> None:
    # 100,000 s active, and 2,528,000 s idle of the one instance that is kept.
    assert only(costs_of(web(least=1)), "expected").cpu == Decimal("100.00") + Decimal("252.80")


def test_expected_is_never_more_instances_than_allowed() -> None:
    endless = dataclasses.replace(BUSY, requests=Decimal(10**11))
    assert only(costs_of(web(most=3), usage=endless), "expected").cpu == MONTH_S * 3 * Decimal("0.001")


def test_expected_shares_an_instance_no_further_than_the_manifest_allows() -> None:
    one_at_a_time = web(template=dataclasses.replace(web().template, container_concurrency=1))
    assert only(costs_of(one_at_a_time), "expected").cpu == Decimal("200.00")


def test_service_that_is_scaled_to_none_by_hand_costs_nothing() -> None:
    costs = costs_of(web(least=2, manual_instance_count=0, max_requests_per_second=100))
    assert [only(costs, case) for case in ("floor", "expected", "ceiling")] == [Lines()] * 3


def test_service_that_is_scaled_to_none_leaves_the_free_tier_to_others() -> None:
    prices = book(free_tier=FreeTier(requests=Decimal(1_000_000)))
    ((one, off),) = (
        each.services for each in costs_of(web(), web("off", manual_instance_count=0), prices=prices).tenants
    )
    assert (one.expected.requests, off.expected) == (Decimal("0.00"), Lines())


def test_ceiling_is_every_instance_busy_all_month() -> None:
    ceiling = only(costs_of(web(most=10)), "ceiling")
    assert ceiling.cpu == Decimal("26280.00")
    assert ceiling.memory == Decimal("5256.00")


def test_ceiling_takes_the_rate_that_the_manifest_allows() -> None:
    ceiling = only(costs_of(web(max_requests_per_second=100)), "ceiling")
    # 100 * 2,628,000 requests at 0.40 a million.
    assert ceiling.requests == Decimal("105.12")


def test_ceiling_of_a_service_without_a_maximum_has_no_limit() -> None:
    costs = costs_of(web(most=0), web("api"))
    (tenant,) = costs.tenants
    assert [each.ceiling is None for each in tenant.services] == [True, False]
    assert (tenant.totals[2], costs.totals[2]) == (None, None)


def test_instance_billing_pays_for_time_alive_and_not_for_requests() -> None:
    expected = only(costs_of(web(least=1, cpu_throttling=False)), "expected")
    # One instance all month: 2,628,000 s * (1 * 0.0005, 2 * 0.00005).
    assert expected == Lines(cpu=Decimal("1314.00"), memory=Decimal("262.80"), egress=Decimal("1.20"))


@pytest.mark.parametrize(("cpu_millis", "by_request"), [(999, True), (1000, False)])
def test_service_below_one_cpu_is_billed_by_request_whatever_it_says(cpu_millis: int, by_request: bool) -> None:
    shape = template(containers=(container(cpu_millis=cpu_millis),), cpu_throttling=False)
    expected = only(costs_of(web(template=shape)), "expected")
    assert (expected.requests > 0) is by_request


def test_storage_is_paid_for_as_long_as_instances_live() -> None:
    volumes = (Volume("cache", "emptyDir", size_limit_bytes=5 * GIB),)
    assert only(costs_of(web(least=2, volumes=volumes)), "floor").storage == Decimal("1.00")


def test_persistent_volume_is_paid_whether_or_not_instances_run() -> None:
    kept = dataclasses.replace(web(least=0), persistent_volumes=(PersistentVolume("data", 10 * GIB, "/data"),))
    assert only(costs_of(kept), "floor").storage == Decimal("1.00")


def test_init_container_is_not_paid() -> None:
    before = (Container("before", "a:1", cpu_millis=8000, memory_bytes=32 * GIB),)
    subject = dataclasses.replace(web().template, init_containers=before)
    assert costs_of(web(template=subject)).tenants == costs_of(web()).tenants


def test_free_tier_is_the_tenants_and_shared_by_use() -> None:
    free = FreeTier(vcpu_seconds=Decimal(50_000), requests=Decimal(1_000_000))
    costs = costs_of(web(), web("api"), prices=book(free_tier=free))
    (tenant,) = costs.tenants
    # 200,000 vCPU-seconds of which 50,000 are free, half each; one of two million requests.
    assert [each.expected.cpu for each in tenant.services] == [Decimal("75.00"), Decimal("75.00")]
    assert [each.expected.requests for each in tenant.services] == [Decimal("0.20"), Decimal("0.20")]


def test_free_tier_covers_no_idle_time() -> None:
    prices = book(free_tier=FreeTier(vcpu_seconds=Decimal(10**9), gib_seconds=Decimal(10**9)))
    assert only(costs_of(web(least=2), prices=prices, usage=NONE), "floor").cpu == Decimal("525.60")


def test_floor_is_what_is_expected_where_free_requests_take_the_place_of_idle_time() -> None:
    free = FreeTier(vcpu_seconds=Decimal(10**9), gib_seconds=Decimal(10**9), requests=Decimal(10**9))
    costs = costs_of(web(least=2), prices=book(free_tier=free))
    # Of 5,256,000 s of one vCPU, 100,000 s are of requests and free.
    assert only(costs, "expected").cpu == Decimal("515.60")
    assert only(costs, "floor") == only(costs, "expected")


def test_discount_is_the_tenants_alone() -> None:
    prices = dataclasses.replace(book(), discounts={"shop": Decimal("12.5"), "other": Decimal(100)})
    assert only(costs_of(web(), prices=prices), "expected").cpu == Decimal("87.50")


def test_line_of_half_a_cent_goes_to_the_even_cent() -> None:
    cents = [
        only(costs_of(web(), prices=book(egress_gib=Decimal(price_of_a_gib))), "expected").egress
        for price_of_a_gib in ("0.0005", "0.0015", "0.0025", "0.00251")
    ]
    assert cents == [Decimal("0.00"), Decimal("0.02"), Decimal("0.02"), Decimal("0.03")]


def test_price_is_that_of_the_day() -> None:
    periods = (PERIOD, dataclasses.replace(PERIOD, start="2027-01-01", end="", million_requests=Decimal(2)))
    given_manifests = manifests(web(), price_book=PriceBook("test", periods))
    before, after = (price(given_manifests, day, Usages(BUSY)) for day in ("2026-12-31", "2027-01-01"))
    assert [only(costs, "expected").requests for costs in (before, after)] == [Decimal("0.40"), Decimal("2.00")]
    assert after.period_start == "2027-01-01"


def test_day_without_prices_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^price book test: must have prices for 2025-12-31, got none$"):
        price(manifests(web(), price_book=book()), "2025-12-31")


def test_manifests_without_a_book_cost_cloud_runs_list_prices() -> None:
    costs = price(manifests(web(least=1)), DAY, Usages(NONE))
    assert costs.book == "cloud-run-tier-1"
    # 2,628,000 s * 0.0000025 for the vCPU and for each of 2 GiB.
    assert only(costs, "floor") == Lines(cpu=Decimal("6.57"), memory=Decimal("13.14"))


def test_manifests_without_services_cost_nothing() -> None:
    assert price(manifests(), DAY).totals == (Decimal("0.00"), Decimal("0.00"), Decimal("0.00"))


AMOUNT = st.decimals(min_value=0, max_value=10**6, places=9)
RATES = st.builds(Rates, AMOUNT, AMOUNT)
FREE = st.builds(FreeTier, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT)
USAGE = st.builds(
    Usage, AMOUNT, AMOUNT, AMOUNT, st.decimals(min_value=1, max_value=1000, places=3), st.just("usage file")
)


@st.composite
def sets(draw: st.DrawFn) -> tuple[Manifests, Usages]:
    services, usages = [], {}
    for index in range(draw(st.integers(0, 5))):
        least = draw(st.integers(0, 50))
        subject = web(
            f"web-{index}",
            least,
            least + draw(st.integers(1, 50)),
            tenant=draw(st.sampled_from(["a", "b"])),
            cpu_throttling=draw(st.booleans()),
            manual_instance_count=draw(st.sampled_from([None, None, 0, 7])),
            max_requests_per_second=draw(st.sampled_from([None, 10])),
        )
        services.append(subject)
        usages[f"{subject.tenant}/{subject.name}"] = draw(USAGE)
    period = dataclasses.replace(
        PERIOD,
        active=draw(RATES),
        idle=draw(RATES),
        instance=draw(RATES),
        million_requests=draw(AMOUNT),
        free_tier=draw(FREE),
    )
    discounts = {"a": draw(st.decimals(min_value=0, max_value=100, places=3))}
    return manifests(*services, price_book=PriceBook("test", (period,), discounts=discounts)), Usages(services=usages)


@given(sets())
def test_services_add_up_to_tenants_and_tenants_to_the_total(given_set: tuple[Manifests, Usages]) -> None:
    costs = price(given_set[0], DAY, given_set[1])
    for case, index in (("floor", 0), ("expected", 1), ("ceiling", 2)):
        by_tenant = []
        for tenant in costs.tenants:
            services = sum((getattr(each, case).total for each in tenant.services), Decimal(0))
            assert services == tenant.totals[index]
            by_tenant.append(services)
        assert sum(by_tenant, Decimal(0)) == costs.totals[index]


@given(sets())
def test_every_line_is_whole_cents_and_not_negative(given_set: tuple[Manifests, Usages]) -> None:
    for tenant in price(given_set[0], DAY, given_set[1]).tenants:
        for each in tenant.services:
            for lines in (each.floor, each.expected, each.ceiling):
                assert lines is not None
                for value in (lines.cpu, lines.memory, lines.requests, lines.egress, lines.storage):
                    assert value >= 0
                    assert value.as_tuple().exponent == -2


@given(sets())
def test_price_does_not_depend_on_the_order_of_services(given_set: tuple[Manifests, Usages]) -> None:
    given_manifests, usages = given_set
    turned = dataclasses.replace(given_manifests, services=given_manifests.services[::-1])
    forwards, backwards = (price(each, DAY, usages) for each in (given_manifests, turned))
    assert forwards.totals == backwards.totals


@given(sets())
def test_floor_is_never_above_what_is_expected_nor_that_above_the_ceiling(given_set: tuple[Manifests, Usages]) -> None:
    costs = price(given_set[0], DAY, given_set[1])
    for tenant in costs.tenants:
        for each in tenant.services:
            assert each.ceiling is not None
            assert each.floor.total <= each.expected.total <= each.ceiling.total
    for floor, expected, ceiling in (costs.totals, *(tenant.totals for tenant in costs.tenants)):
        assert ceiling is not None
        assert floor <= expected <= ceiling


def test_ceiling_holds_beside_a_service_that_has_none() -> None:
    # The endless one takes most of the free tier of what is expected, and nothing of that of the ceiling.
    usage = dataclasses.replace(BUSY, requests=Decimal(10**11))
    free = FreeTier(vcpu_seconds=Decimal(1_000_000))
    ((one, endless),) = (
        each.services
        for each in costs_of(web(most=1), web("endless", most=0), prices=book(free_tier=free), usage=usage).tenants
    )
    assert endless.ceiling is None
    assert one.ceiling is not None
    assert one.ceiling.total >= one.expected.total > MONTH_S * Decimal("0.001")


def test_ten_million_tiny_prices_are_not_lost() -> None:
    # 10^7 requests of 10^-9 of the currency each are a cent exactly; binary fractions would drift.
    usage = dataclasses.replace(BUSY, requests=Decimal(10**7), request_ms=Decimal(0), egress_gib=Decimal(0))
    costs = costs_of(web(), prices=book(million_requests=Decimal("0.001")), usage=usage)
    assert costs.totals[1] == Decimal("0.01")


def test_schedule_is_paid_for_as_long_as_its_entries_hold() -> None:
    # A month of 730 hours from Monday, 23 November 2026 on: 22 working days of eight hours, and two of the next one.
    office = web(schedule=parse_schedule("2 at 0 8 * * 1-5; 0 at 0 16 * * 1-5"))
    hours = 22 * 8 + 2
    assert kept_s(office, DAY) == 2 * hours * 3600
    idle = only(costs_of(office, usage=NONE), "floor")
    assert idle.total == only(costs_of(office, usage=NONE), "expected").total
    always = only(costs_of(web(least=1), usage=NONE), "floor").total
    assert idle.total == pytest.approx(always * 2 * hours / 730, abs=Decimal("0.02"))
    # Beside minScale it is the larger of the two.
    assert kept_s(dataclasses.replace(office, min_scale=1), DAY) == MONTH_S + hours * 3600
    # What is set by hand leaves it without effect.
    assert kept_s(dataclasses.replace(office, manual_instance_count=0), DAY) == 0
