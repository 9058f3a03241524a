"""Objectives: what manifests may promise, and how it reaches the orchestrator's route and the preview."""

from __future__ import annotations

import dataclasses

import pytest

from runyard.contracts import BOUNDS_S, Objective
from runyard.manifest.objective import parse_objective
from runyard.plan import plan
from tests.unit.runyard.plan.example import manifests, service


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("availability=99.5%", Objective(errors=0.005)),
        ("availability=99.99%,latency=1s,fast=99%", Objective(0.0001, 1.0, 0.01)),
        ("latency=2.5s", Objective(latency_s=2.5)),
        ("fast=50%", Objective(slow=0.5)),
        ("off", Objective(0.0, 0.0, 0.0)),
    ],
)
def test_objective_is_read_and_what_it_leaves_out_is_as_by_default(text: str, objective: Objective) -> None:
    assert parse_objective(text) == objective
    assert objective.none == (text == "off")


def test_default_that_documents_tell_is_the_default() -> None:
    assert parse_objective("availability=99.9%,latency=200ms,fast=95%") == Objective()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("availability=100%", 'availability: must be 50% to 99.99%, got "100%"'),
        ("availability=99.9", 'availability: must be 50% to 99.99%, got "99.9"'),
        ("fast=49%", 'fast: must be 50% to 99.99%, got "49%"'),
        ("on", 'must be NAME=VALUE of availability, latency, fast, got "on"'),
        ("fast=90%,fast=95%", "must say each setting once, got fast twice"),
        (
            "latency=150ms",
            "latency: must be one of 5ms, 10ms, 25ms, 50ms, 100ms, 200ms, 300ms, 500ms, 1s, 2.5s, 5s, 10s, 30s, 60s, "
            'got "150ms"',
        ),
    ],
)
def test_objective_that_is_none_says_which_rule_it_breaks(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_objective(text)
    assert str(caught.value) == message


def test_every_time_by_which_requests_are_counted_can_be_promised() -> None:
    spelled = [f"{each:g}s" if each >= 1 else f"{each * 1000:g}ms" for each in BOUNDS_S]
    assert [parse_objective(f"latency={each}").latency_s for each in spelled] == list(BOUNDS_S)


def test_promise_is_a_fact_of_the_service_and_makes_no_new_revision() -> None:
    usual = plan(manifests(service())).services[0]
    changed = plan(manifests(dataclasses.replace(service(), objective=Objective(errors=0.01)))).services[0]
    assert (usual.route.objective, changed.route.objective) == (Objective(), Objective(errors=0.01))
    assert changed.facts["objective"] == {"errors": 0.01, "latencySeconds": 0.2, "slow": 0.05}
    assert changed.revision.name == usual.revision.name
