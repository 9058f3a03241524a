"""Metrics of a service, as its members get them: cut down to their tenant before Prometheus is asked."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from runyard.dashboards import SERVICE
from services.console.api.panels import show_panels
from tests.unit.services.console.conftest import Browser, Program
from tests.unit.services.console.parts import World

PATH = "/api/v1/tenants/shop/services/web/panels"


@pytest.fixture(scope="module")
def member(program: Program) -> Browser:
    return program.member("panels@example.org", role="viewer")


def queries(world: World) -> list[str]:
    asked = [urlsplit(each) for each in world.asked]
    return [parse_qs(each.query)["query"][0] for each in asked if each.path == "/api/v1/query_range"]


def test_member_gets_every_panel_of_the_list(member: Browser) -> None:
    answer = member.ask("GET", f"{PATH}?minutes=5").json()
    assert (answer["kept"], answer["step_s"]) == (True, 15)
    assert datetime.fromisoformat(answer["start"]).timestamp() % 15 == 0
    for shown, panel in zip(answer["panels"], SERVICE.panels, strict=True):
        told = (shown["id"], shown["title"], shown["unit"], shown["kind"], shown["about"])
        assert told == (panel.id, panel.title, panel.unit, panel.kind, panel.about)
    first = answer["panels"][0]["lines"][0]
    assert first["name"] == "200"
    # What is no number is no value, for JSON has none.
    assert first["values"] == [None] * 20 + [2.5]


def test_prometheus_is_asked_of_the_members_own_service_alone(member: Browser, world: World) -> None:
    world.asked.clear()
    assert member.ask("GET", PATH).status == 200
    asked = queries(world)
    assert asked == [
        query.ask({"tenant": "shop", "service": "web"}) for each in SERVICE.panels for query in each.queries
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/tenants/bank/services/vault/panels",
        "/api/v1/tenants/shop/services/vault/panels",
        '/api/v1/tenants/shop/services/web"} or up{x="/panels'.replace('"', "%22").replace(" ", "%20"),
    ],
    ids=["another_tenant", "anothers_service", "no_name"],
)
def test_nothing_is_asked_of_what_is_not_the_members(member: Browser, world: World, path: str) -> None:
    world.asked.clear()
    assert member.ask("GET", path).status in (400, 404)
    assert queries(world) == []


@pytest.mark.parametrize("minutes", ["0", "1441", "x"])
def test_time_that_is_too_long_or_none_is_refused(member: Browser, minutes: str) -> None:
    assert member.ask("GET", f"{PATH}?minutes={minutes}").status == 400


def test_prometheus_that_does_not_answer_is_told_as_such(member: Browser, world: World) -> None:
    world.prometheus_status = 503
    try:
        answer = member.ask("GET", PATH)
    finally:
        world.prometheus_status = 200
    assert (answer.status, answer.json()["detail"]) == (503, "ask the Prometheus: it answered 503")


def test_stack_that_keeps_no_metrics_says_so() -> None:
    shown = show_panels(None)
    assert (shown.kept, shown.panels) == (False, [])
