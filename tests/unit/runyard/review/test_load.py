"""Recorded load in a review: what is simulated, what is left out and why, and how it is said."""

from __future__ import annotations

import dataclasses
import json
import re
from decimal import Decimal

import jsonschema
import pytest

from runyard.contracts import RecordedLoad, ScalingSignal
from runyard.manifest.model import Manifests, Scaling, Service
from runyard.review import Change, Review, Terms, review
from runyard.review.data import describe_review
from runyard.review.load import MOST_SERVICES, Asked, LoadReview, changed_services, review_load
from runyard.review.text import render_markdown, render_text
from tests.unit.runyard.plan.example import container, manifests, service, template

from .test_review import SCHEMA

DAY = "2026-11-23"
FIRST = 29_923_200
# Ten minutes of two bursts, and of a hundred requests at once in the second.
MINUTES = ((FIRST, 10, 1000, 10), (FIRST + 5, 100, 100_000, 100))


def web(name: str = "web", least: int = 0, most: int = 10, concurrency: int = 10, image: str = "shop/web:1") -> Service:
    shape = template(
        containers=(container(image=image),), scaling=Scaling(least, most), container_concurrency=concurrency
    )
    return service(name=name, tenant="shop", template=shape)


def record(name: str = "web") -> RecordedLoad:
    return RecordedLoad("shop", name, 60 * FIRST, 60 * (FIRST + 10), MINUTES)


def asked(*names: str) -> Asked:
    return Asked({f"shop/{name}": record(name) for name in names or ("web",)})


def compared(before: Service, after: Service, told: Asked | None = None) -> LoadReview:
    return review_load(manifests(before), manifests(after), ("shop/web",), told or asked(), DAY)


def whole(before: Manifests, after: Manifests, told: Asked) -> Review:
    found = review(before, after, ("main", "topic"), Terms(DAY))
    load = review_load(before, after, changed_services(found.changes), told, DAY)
    return dataclasses.replace(found, load=load)


def line(before: Service, after: Service) -> str:
    found = render_text(whole(manifests(before), manifests(after), asked())).splitlines()
    return found[found.index("Recorded load") + 1].strip()


def test_both_sides_are_simulated_with_their_own_scaling() -> None:
    (change,) = compared(web(), web(least=2, most=5)).services
    assert change.before.outcome.peak > change.after.outcome.peak == 5
    assert (change.before.outcome.cold_starts, change.after.outcome.cold_starts) == (2, 0)
    assert change.after.outcome.instance_s > 2 * 580 > change.before.outcome.instance_s
    assert change.before.month_cost < change.after.month_cost


def test_change_that_scales_nothing_is_simulated_once_and_priced_twice() -> None:
    (same,) = compared(web(), web(image="shop/web:2")).services
    assert same.before.outcome is same.after.outcome
    bigger = dataclasses.replace(
        web(least=1), template=template(containers=(container(cpu_millis=4000),), scaling=Scaling(1, 10))
    )
    smaller = dataclasses.replace(bigger, template=template(scaling=Scaling(1, 10)))
    (priced,) = compared(smaller, bigger).services
    assert priced.before.month_cost < priced.after.month_cost


def test_line_tells_both_sides_where_they_differ() -> None:
    assert re.fullmatch(
        r"service shop/web: with the load of the last 10 minutes: peak 5 instances instead of 10, "
        r"0 cold starts instead of 2, \d+\.\d\d instead of \d+\.\d\d a month",
        line(web(), web(least=2, most=5)),
    )
    assert re.fullmatch(
        r"service shop/web: with the load of the last 10 minutes: peak 10 instances, 2 cold starts, \d+\.\d\d a month",
        line(web(), web(image="shop/web:2")),
    )


def test_every_form_has_it_and_data_fit_the_schema() -> None:
    found = whole(manifests(web()), manifests(web(least=2)), asked())
    assert "<summary>Recorded load (1)</summary>" in render_markdown(found)
    described = json.loads(json.dumps(describe_review(found)))
    jsonschema.validate(described, SCHEMA)
    (told,) = described["recordedLoad"]["services"]
    assert (told["service"], told["load"], told["seconds"], told["requests"]) == (
        "shop/web",
        "the load of the last 10 minutes",
        600,
        110,
    )
    assert told["before"]["coldStarts"] == 2
    assert Decimal(told["after"]["month"]) > Decimal(told["before"]["month"])
    assert told["after"]["notSimulated"] == ["cpu"]


def test_stack_that_could_not_be_asked_is_a_problem_in_data_alone() -> None:
    found = whole(manifests(web()), manifests(web(least=2)), Asked(problem="no Docker engine answers"))
    described = json.loads(json.dumps(describe_review(found)))
    jsonschema.validate(described, SCHEMA)
    assert described["recordedLoad"] == {"problem": "no Docker engine answers", "services": [], "leftOut": []}
    assert "Recorded load" not in render_text(found) + render_markdown(found)


def test_service_without_a_record_is_left_out_and_says_why() -> None:
    found = whole(manifests(web()), manifests(web(least=2)), Asked())
    described = json.loads(json.dumps(describe_review(found)))
    jsonschema.validate(described, SCHEMA)
    assert described["recordedLoad"]["leftOut"] == [{"service": "shop/web", "reason": "no request is recorded"}]
    assert "Recorded load" not in render_text(found)


def test_service_that_scales_by_cpu_alone_is_left_out_and_says_why() -> None:
    by_cpu = dataclasses.replace(web(), template=template(scaling=Scaling(0, 10, (ScalingSignal("cpu", 1.0, 0.6),))))
    found = compared(by_cpu, by_cpu)
    assert found.services == ()
    assert found.left_out == {"shop/web": "shop/web: must scale by concurrency or rps to be simulated, got cpu"}


def test_side_without_prices_for_the_day_is_left_out() -> None:
    found = review_load(manifests(web()), manifests(web(least=1)), ("shop/web",), asked(), "1999-01-01")
    assert found.services == ()
    assert "must have prices for 1999-01-01, got none" in found.left_out["shop/web"]


def test_no_more_than_a_handful_is_simulated() -> None:
    names = [f"web-{number:02}" for number in range(MOST_SERVICES + 2)]
    sides = [manifests(*(web(name, least) for name in names)) for least in (0, 1)]
    found = review_load(sides[0], sides[1], [f"shop/{name}" for name in names], asked(*names), DAY)
    assert len(found.services) == MOST_SERVICES
    assert found.left_out == {
        f"shop/{name}": f"more than {MOST_SERVICES} services change" for name in names[MOST_SERVICES:]
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([Change("Service", "a/b", "change", "x", 1, 2)], ("a/b",)),
        ([Change("Service", "a/b", "add", ""), Change("Service", "a/b", "add", "x", None, 2)], ()),
        ([Change("Service", "a/b", "remove", "")], ()),
        ([Change("Tenant", "a", "change", "x", 1, 2)], ()),
        ([Change("Service", "b/b", "add", "x"), Change("Service", "a/b", "remove", "y")], ("a/b", "b/b")),
    ],
    ids=["changed", "came", "went", "no_service", "several"],
)
def test_changed_services_are_on_both_sides(changes: list[Change], expected: tuple[str, ...]) -> None:
    assert changed_services(changes) == expected
