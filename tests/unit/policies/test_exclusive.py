"""Exclusive rules: who has what, and who is told when a second one asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import exclusive
from policies.resource import NETWORK, VOLUME, Resource
from runyard.contracts import PathRoute
from runyard.manifest.model import PersistentVolume
from runyard.plan import ServicePlan
from tests.unit.policies.resources import container, labels, part, planned, resource, service
from tests.unit.runyard.plan import example

BY_ID = {rule.id: rule for rule in exclusive.RULES}


def told(rule: str, *resources: Resource) -> list[str]:
    holders = exclusive.Holders()
    return [message for each in resources for message in holders.take(BY_ID[rule], each)]


def answering(tenant: str, name: str, *hosts: str, paths: tuple[PathRoute, ...] = ()) -> Resource:
    (plan,) = planned(example.manifests(example.service(tenant=tenant, name=name))).services
    return read(replace(plan, route=replace(plan.route, hosts=hosts, paths=paths)))


def storing(name: str, volume: str) -> Resource:
    kept = (PersistentVolume(volume, 1024**2, "/data"),)
    (plan,) = planned(example.manifests(example.service(tenant="shop", name=name, persistent_volumes=kept))).services
    return read(replace(plan, route=replace(plan.route, hosts=())))


def read(plan: ServicePlan) -> Resource:
    return replace(service(plan), service=plan)


def again(each: Resource) -> Resource:
    return replace(each, name="another", urn=f"{each.urn}2")


FAILING: list[tuple[str, tuple[Resource, ...], str]] = [
    (
        "one-of-each-part",
        (part("gateway"), container("mine", labels=labels(role="gateway"))),
        "the role gateway must not be shared, got runyard.dev.gateway and mine",
    ),
    (
        "one-of-each-part",
        (resource("runyard:index:Sweep", "a", {}), resource("runyard:index:Sweep", "b", {})),
        "runyard:index:Sweep must not be shared, got a and b",
    ),
    (
        "names-apart",
        (container("a"), container("b", name="/a")),
        "the container name a must not be shared, got a and b",
    ),
    (
        "names-apart",
        (answering("shop", "web", "a.x"), again(answering("shop", "web", "b.x"))),
        "the service shop/web must not be shared, got shop.web and another",
    ),
    (
        "names-apart",
        (storing("web", "data"), storing("api", "data")),
        "the volume shop/data must not be shared, got shop.web and shop.api",
    ),
    (
        "ports-apart",
        (container("a", ports=[{"external": 80.0}]), container("b", ports=[{"external": 80.0, "protocol": "tcp"}])),
        "port 80/tcp must not be shared, got a and b",
    ),
    (
        "hosts-apart",
        (answering("shop", "web", "a.x", "b.x"), answering("shop", "api", "b.x")),
        "the host b.x must not be shared, got shop.web and shop.api",
    ),
    (
        "hosts-apart",
        (
            answering("shop", "web", paths=(PathRoute("a.x", "/a"),)),
            answering("shop", "api", paths=(PathRoute("a.x", "/a"),)),
        ),
        "the route a.x/a must not be shared, got shop.web and shop.api",
    ),
    (
        "hosts-apart",
        (answering("shop", "web", "a.x"), answering("bank", "web", paths=(PathRoute("a.x", "/pay"),))),
        "the tenancy of host a.x must not be shared, got shop.web and bank.web",
    ),
]


@pytest.mark.parametrize(("rule", "resources", "message"), FAILING)
def test_second_one_that_asks_is_told(rule: str, resources: tuple[Resource, ...], message: str) -> None:
    assert told(rule, *resources) == [message]


def test_every_rule_has_a_failing_case() -> None:
    assert {rule for rule, _, _ in FAILING} == set(BY_ID)


@pytest.mark.parametrize("rule", sorted(BY_ID))
def test_what_differs_and_what_asks_for_nothing_is_apart(rule: str) -> None:
    same: list[Any] = [container("a"), resource(VOLUME, "a", {"name": "a"}), resource(NETWORK, "a", {"name": "a"})]
    services = [answering("shop", "web", "a.x"), answering("shop", "api", "b.x", paths=(PathRoute("a.x", "/api"),))]
    unnamed = [resource(VOLUME, "b", {}), resource(VOLUME, "c", {}), container("d", ports=[{"internal": 80.0}])]
    assert told(rule, part("gateway"), part("orchestrator"), *same, *services, *unnamed) == []


def test_one_that_asks_again_has_it_already() -> None:
    assert told("names-apart", container("a"), container("a")) == []
