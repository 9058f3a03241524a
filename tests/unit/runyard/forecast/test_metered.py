"""Metered: what a ledger measured becomes the usage to expect, and limits that would do."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from runyard.contracts import Measure
from runyard.forecast import Usages, price
from runyard.forecast.metered import Sizing, size, usages_of
from runyard.forecast.sizing_report import describe_sizings, render_sizings, render_sizings_markdown
from runyard.manifest.model import Manifests
from tests.unit.runyard.plan.example import container, manifests, service, template

DAY = "2026-11-23"
MIB = 1024**2
# A tenth of a month of 730 hours: 73 hours.
MEASURE = Measure(
    tenant="default",
    service="hello",
    seconds=73 * 3600,
    requests=1_000_000,
    active_ms=30_000_000,
    awake_ms=73 * 3600 * 1000,
    egress_bytes=1024**3,
    cpu_p95_millis=180,
    memory_peak_bytes=100 * MIB,
)


def one(**limits: int) -> Manifests:
    return manifests(service(template=template(containers=(container(**limits),))))


def sized(measure: Measure = MEASURE, subject: Manifests | None = None) -> list[Sizing]:
    given = subject or one(cpu_millis=1000, memory_bytes=512 * MIB)
    return list(size(given, [measure], DAY, usages_of([measure], given)))


def test_what_was_measured_is_scaled_to_a_month_with_its_busy_time_kept() -> None:
    usage = usages_of([MEASURE], one()).of("default/hello")
    assert (usage.requests, usage.egress_gib, usage.basis) == (Decimal(10_000_000), Decimal(10), "metered, last 3 days")
    # 30 ms of an instance a request: of whole 100 ms that more than three share.
    assert (usage.request_ms, usage.concurrency) == (Decimal(100), Decimal("3.333333"))
    busy = usage.requests * usage.request_ms / usage.concurrency
    assert abs(busy - 10 * MEASURE.active_ms) < 1000


def test_expected_cost_is_that_of_what_was_metered() -> None:
    subject = one()
    costs = price(subject, DAY, usages_of([MEASURE], subject))
    ((found,),) = [each.services for each in costs.tenants]
    assert found.basis == "metered, last 3 days"
    # 10 million requests, 2 of which are free, at 0.40 a million.
    assert found.expected.requests == Decimal("3.20")


def test_service_without_requests_is_expected_to_have_none_and_short_times_tell_nothing() -> None:
    quiet = dataclasses.replace(MEASURE, requests=0, active_ms=0, egress_bytes=0)
    assert usages_of([quiet], one()).of("default/hello").requests == 0
    brief = dataclasses.replace(MEASURE, seconds=3599)
    assert usages_of([brief], one()).of("default/hello").basis == "size small"
    assert usages_of([dataclasses.replace(MEASURE, seconds=7200)], one()).of("default/hello").basis == (
        "metered, last 2 hours"
    )


def test_limits_follow_what_was_measured_with_a_margin_and_save_money() -> None:
    (found,) = sized()
    assert (found.cpu_advised_millis, found.memory_advised_bytes // MIB) == (250, 128)
    assert (found.idle_percent, found.differs) == (89, True)
    smaller = one(cpu_millis=250, memory_bytes=128 * MIB)
    larger = one(cpu_millis=1000, memory_bytes=512 * MIB)
    totals = [price(each, DAY, usages_of([MEASURE], each)).totals[1] for each in (larger, smaller)]
    assert found.saving == totals[0] - totals[1] > 0


def test_cpu_is_never_raised_and_memory_is_where_its_peak_comes_to_the_limit() -> None:
    busy = dataclasses.replace(MEASURE, cpu_p95_millis=990, memory_peak_bytes=511 * MIB)
    (found,) = sized(busy)
    assert (found.cpu_advised_millis, found.memory_advised_bytes // MIB) == (1000, 608)
    assert found.saving <= 0


def test_what_was_not_measured_for_a_day_or_is_of_several_containers_is_not_sized() -> None:
    two = manifests(service(template=template(containers=(container(), container(name="beside", port=None)))))
    assert sized(dataclasses.replace(MEASURE, seconds=24 * 3600 - 1)) == []
    assert sized(dataclasses.replace(MEASURE, active_ms=0)) == []
    assert sized(dataclasses.replace(MEASURE, service="other")) == []
    assert sized(subject=two) == []


def test_sizings_are_told_side_by_side() -> None:
    (found,) = sized()
    assert render_sizings([found], "USD").splitlines()[1:3] == [
        "                 idle    cpu   p95  would do  memory   peak  would do  saving",
        f"  default/hello  89 %  1000m  180m      250m   512Mi  100Mi     128Mi  {found.saving:>6}",
    ]
    assert render_sizings_markdown([found], "USD").splitlines()[1].startswith("| service | idle | cpu |")
    assert render_sizings([], "USD") == render_sizings_markdown([], "USD") == ""
    (told,) = describe_sizings([found])
    assert (told["limits"], told["saving"]) == ({"cpu": "250m", "memory": "128Mi"}, str(found.saving))
    as_it_is = one(cpu_millis=250, memory_bytes=128 * MIB)
    assert describe_sizings(size(as_it_is, [MEASURE], DAY, Usages()))[0]["limits"] is None


def test_time_of_what_was_metered_is_told_in_hours_until_it_is_two_days() -> None:
    told = [
        usages_of([dataclasses.replace(MEASURE, seconds=hours * 3600)], one()).of("default/hello").basis
        for hours in (1, 47, 48)
    ]
    assert told == ["metered, last 1 hour", "metered, last 47 hours", "metered, last 2 days"]
