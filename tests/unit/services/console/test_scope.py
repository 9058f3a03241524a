"""What a member reads of a tenant, over HTTP: its services, their costs, and what happens where a part is away."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.contracts import RevisionStatus, ShiftStatus, TrafficShare
from services.console.adapters.http import Part
from services.console.adapters.ledger import Ledger
from services.console.adapters.registry import KEPT_S, Registry
from services.console.api.views import list_services, state_of
from services.console.refusal import SourceUnavailable
from services.console.scope import ServiceView
from tests.harness.ports import free_port
from tests.unit.services.console.conftest import Program
from tests.unit.services.console.parts import World, service, serving


@pytest.fixture
def ledger_back(world: World) -> Iterator[World]:
    yield world
    world.ledger_status = 200


def test_services_are_the_tenants_own_with_state_traffic_and_cost(program: Program) -> None:
    shown = program.member("sees@shop.example").ask("GET", "/api/v1/tenants/shop/services").json()
    assert shown == {
        "generation": 12,
        "services": [
            {
                "name": "web",
                "state": "ready",
                "reason": "",
                "hosts": ["web.shop.localhost"],
                "traffic": [{"revision": "web-1", "percent": 100, "tag": ""}],
                "desired": 2,
                "ready": 2,
                # Two rows, a page each.
                "cost": "1.200000",
                "currency": "USD",
            }
        ],
    }


def test_service_tells_revisions_instances_and_why_it_scaled(program: Program) -> None:
    bank = program.member("sees@bank.example", "bank")
    shown = bank.ask("GET", "/api/v1/tenants/bank/services/vault").json()
    assert (shown["service"]["state"], shown["service"]["reason"]) == ("failing", "it exited with code 1")
    assert [(each["id"], each["state"]) for each in shown["instances"]] == [("77aa00", "failed")]
    assert [(each["before"], each["count"], each["why"]) for each in shown["decisions"]] == [(0, 1, "minimum")]
    assert [(each["name"], each["percent"]) for each in shown["revisions"]] == [("vault-1", 100)]
    assert [each["amount"] for each in shown["costs"]] == ["0.600000", "0.600000"]
    missing = bank.ask("GET", "/api/v1/tenants/bank/services/web")
    assert (missing.status, missing.json()["detail"]) == (404, "service web: must be one of tenant bank")


def test_usage_and_statement_are_the_ledgers(program: Program) -> None:
    member = program.member("reads@shop.example", "shop", "billing")
    usage = member.ask("GET", "/api/v1/tenants/shop/usage?from=2026-11-01&until=2026-11-02").json()
    assert [(each["service"], each["requests"]) for each in usage["rows"]] == [("web", 120)] * 2
    statement = member.ask("GET", "/api/v1/tenants/shop/statements/2026-11").json()
    assert (statement["total"], [each["number"] for each in statement["bills"]]) == ("12.40", [7])


def test_services_are_shown_without_cost_while_the_ledger_is_away(program: Program, ledger_back: World) -> None:
    member = program.member("away@shop.example")
    ledger_back.ledger_status = 503
    (web,) = member.ask("GET", "/api/v1/tenants/shop/services").json()["services"]
    assert (web["state"], web["cost"]) == ("ready", None)
    assert member.ask("GET", "/api/v1/tenants/shop/services/web").json()["costs"] == []
    away = member.ask("GET", "/api/v1/tenants/shop/statements/2026-11")
    assert (away.status, away.json()["detail"]) == (503, "ask the ledger: it answered 503")
    ledger_back.ledger_status = 400
    assert member.ask("GET", "/api/v1/tenants/shop/statements/2026-11").json()["detail"] == "the ledger says no"


def test_registry_is_asked_once_a_moment_however_many_look(tmp_path: Path) -> None:
    world, now = World(), [0.0]
    with serving(world, tmp_path) as (port, _):
        registry = Registry(Part("registry", ("127.0.0.1", port)), lambda: now[0])
        assert registry.seen() is registry.seen()
        assert len(world.asked) == 3
        now[0] += KEPT_S
        registry.seen()
        assert len(world.asked) == 6


def test_part_that_does_not_answer_is_told_by_name(tmp_path: Path) -> None:
    nobody = Part("registry", ("127.0.0.1", free_port()))
    with pytest.raises(SourceUnavailable, match=r"^ask the registry: .*refused"):
        nobody.ask("/")
    with pytest.raises(SourceUnavailable, match=r"^ask the ledger: No such file"):
        Ledger(nobody, Part("ledger", tmp_path / "none.sock")).statement("shop", "2026-11")


def view(*revisions: RevisionStatus, **more: object) -> ServiceView:
    shares = tuple(TrafficShare(each.revision, 100 if index == 0 else 0) for index, each in enumerate(revisions))
    return ServiceView(service("shop", "web", traffic=shares, **more), revisions, (), ())


READY = RevisionStatus("shop", "web", "web-2", desired=2, ready=2)
DOWN = RevisionStatus("shop", "web", "web-1", desired=1, ready=0, reason="it exited with code 1")
SHIFT = ShiftStatus((TrafficShare("web-2", 100),), 30)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (view(READY), "ready"),
        (view(DOWN), "failing"),
        # What has no traffic does not make a service fail.
        (view(READY, DOWN), "ready"),
        (view(dataclasses.replace(DOWN, reason="")), "starting"),
        (view(), "starting"),
        (view(dataclasses.replace(READY, ready=1, reason="it exited")), "degraded"),
        (view(dataclasses.replace(READY, desired=0, ready=0, asleep=True)), "asleep"),
        (view(READY, shift=SHIFT), "moving"),
        (view(DOWN, paused_until_unix_s=1795442400), "paused"),
    ],
)
def test_state_is_one_word_by_what_serves(seen: ServiceView, state: str) -> None:
    assert state_of(seen) == state


def test_what_is_wrong_comes_first_and_then_the_name() -> None:
    failing = ServiceView(service("shop", "zoo", traffic=(TrafficShare("web-1", 100),)), (DOWN,), (), ())
    shown = list_services([view(READY), failing], None)
    assert [each.name for each in shown] == ["zoo", "web"]
    assert json.loads(shown[0].model_dump_json())["cost"] is None
