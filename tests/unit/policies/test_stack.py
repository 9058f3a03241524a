"""Rules of whole stacks: for each what it passes and what it fails, over resources as Pulumi hands them over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi_policy import PolicyResource, PolicyResourceOptions, StackValidationArgs

from policies.resource import CONTAINER, VOLUME
from policies.stack import NETWORK, ROLLOUT, STACK_RULES, TENANT_NETWORK, Resource, Stack
from policies.stack_validation import stack_validation
from runyard import names
from runyard.plan.quota import Capacity

BY_ID = {rule.id: rule for rule in STACK_RULES}
MIB = 1024**2
LARGE = Capacity(8000, 64 * 1024**3)


def labelled(**changes: str | None) -> list[dict[str, str]]:
    labels = {"stack": "dev"} | changes
    return [{"label": f"runyard.dev/{key}", "value": value} for key, value in labels.items() if value is not None]


def container(own: str, labels: list[dict[str, str]] | None = None, **changes: Any) -> Resource:
    given = {"name": own, "memory": 256.0, "cpuQuota": 50_000.0, "cpuPeriod": 100_000.0}
    return Resource(CONTAINER, own, given | {"labels": labelled() if labels is None else labels} | changes)


def part(name: str, role: str) -> Resource:
    return container(name, labelled(role=role), memory=512.0)


def template(
    service: str = "web", revision: str = "web-1", scale: tuple[int, int] = (1, 4), **changes: Any
) -> Resource:
    spec = {"memory_bytes": 256 * MIB, "revision": {"min_instances": scale[0], "max_instances": scale[1]}}
    labels = labelled(tenant="shop", service=service, revision=revision, role="template", spec=json.dumps(spec))
    joined = [{"name": names.tenant_network("dev", "shop")}]
    return container(f"{revision}.template", labels, networksAdvanced=joined, **changes)


def quotas(**limits: float) -> Resource:
    return Resource(TENANT_NETWORK, "tenant.shop", {"quotas": limits})


def told(rule: str, *resources: Resource, capacity: Capacity | None = LARGE) -> list[str]:
    return list(BY_ID[rule].check(Stack("dev", resources, capacity)))


STANDARD = (part("gateway.container", "gateway"), part("orchestrator.container", "orchestrator"), template())


@pytest.mark.parametrize("rule", sorted(BY_ID))
def test_stack_as_the_platform_makes_it_keeps_every_rule(rule: str) -> None:
    assert told(rule, *STANDARD, quotas(cpu=2000.0, memory=1024.0 * MIB, instances=4.0)) == []
    assert told(rule) == []


FAILING: list[tuple[str, tuple[Resource, ...], str]] = [
    (
        "one-of-each-part",
        (part("gateway.container", "gateway"), part("mine", "gateway")),
        "at most one container must have the role gateway, got gateway.container, mine",
    ),
    (
        "names-apart",
        (container("a", name="web"), container("b", name="web")),
        "the name web must be one resource's, got a, b",
    ),
    (
        "ports-apart",
        (container("a", ports=[{"external": 80.0}]), container("b", ports=[{"external": 80.0, "protocol": "tcp"}])),
        "port 80/tcp must be published once, got a, b",
    ),
    ("stack-labelled", (container("a", []),), "a: label runyard.dev/stack must be dev, got none"),
    (
        "stack-labelled",
        (Resource(VOLUME, "v", {"labels": labelled(stack="prod")}),),
        "v: label runyard.dev/stack must be dev, got prod",
    ),
    ("stack-labelled", (Resource(NETWORK, "n", {}),), "n: label runyard.dev/stack must be dev, got none"),
    (
        "tenant-networks-kept",
        (container("a", networksAdvanced=[{"name": "runyard.dev.tenant.shop"}]),),
        "a: only templates must be on a tenant's network, got runyard.dev.tenant.shop",
    ),
    (
        "tenant-networks-kept",
        (container("a", labelled(role="template"), networksAdvanced=[{"name": "runyard.dev.tenant.shop.internal"}]),),
        "a: only templates must be on a tenant's network, got runyard.dev.tenant.shop.internal",
    ),
    (
        "tenant-networks-kept",
        (container("a", networkMode="runyard.dev.tenant.shop"),),
        "a: only templates must be on a tenant's network, got runyard.dev.tenant.shop",
    ),
    (
        "tenant-within-quota",
        (template(), quotas(cpu=1999.0)),
        "tenant shop's containers must have at most 1999m of cpu at maxScale, got 2: web 2",
    ),
    (
        "tenant-within-quota",
        (template(scale=(3, 4)), quotas(instances=2.0)),
        "tenant shop's containers must have at most 2 of instances at minScale, got 3: web 3",
    ),
    (
        "tenant-within-quota",
        (template(), container("batch", labelled(tenant="shop")), quotas(memory=1279.0 * MIB)),
        "tenant shop's containers must have at most 1279Mi of memory at maxScale, got 1280Mi: batch 256Mi + web 1Gi",
    ),
]


@pytest.mark.parametrize(("rule", "resources", "message"), FAILING)
def test_rule_fails_on_what_it_forbids(rule: str, resources: tuple[Resource, ...], message: str) -> None:
    assert told(rule, *resources) == [message]


def test_every_rule_has_a_failing_case() -> None:
    assert {rule for rule, _, _ in FAILING} | {"stack-fits-host"} == set(BY_ID)


def test_host_counts_parts_templates_at_their_minimum_and_hand_written_containers() -> None:
    everything = (*STANDARD, container("mine"))
    assert told("stack-fits-host", *everything, capacity=Capacity(8000, 1536 * MIB)) == []
    assert told("stack-fits-host", *everything, capacity=Capacity(8000, 1536 * MIB - 1)) == [
        "all containers at their minScale must have at most the host's memory of 1610612735, got 1536Mi"
    ]
    assert told("stack-fits-host", *everything, capacity=None) == []


def rollout(*traffic: tuple[str, float], **changes: Any) -> Resource:
    shares = [{"revision": revision, "percent": percent, "tag": ""} for revision, percent in traffic]
    return Resource(ROLLOUT, "r", {"tenant": "shop", "service": "web", "traffic": shares, **changes})


OLD, NEW = template(revision="web-1", scale=(1, 9)), template(revision="web-2", scale=(1, 2))


@pytest.mark.parametrize(
    ("traffic", "changes", "most"),
    [
        ([("web-2", 100.0)], {"history": ["web-2.a", "web-1.b"]}, 2),
        # Nobody knows of web-1: it stands beside the service.
        ([("web-2", 100.0)], {}, 11),
        ([("web-2", 60.0), ("web-1", 40.0)], {}, 11),
        ([("web-2", 60.0), ("web-1", 40.0)], {"max_instances": 4.0}, 4),
        ([("web-2", 60.0), ("web-1", 40.0)], {"manual_instances": 3.0}, 4),
        ([("web-2", 100.0)], {"manual_instances": 0.0, "history": ["web-1.b"]}, 0),
        ([("web-2", 100.0)], {"min_instances": 5.0, "history": ["web-1.b"]}, 5),
    ],
)
def test_revisions_in_traffic_count_and_kept_ones_do_not(
    traffic: list[tuple[str, float]], changes: dict[str, Any], most: int
) -> None:
    stack = (OLD, NEW, rollout(*traffic, **changes))
    assert told("tenant-within-quota", *stack, quotas(instances=float(most), memory=most * 256.0 * MIB)) == []
    if most:
        assert told("tenant-within-quota", *stack, quotas(instances=float(most - 1))) != []
        assert told("tenant-within-quota", *stack, quotas(memory=most * 256.0 * MIB - 1)) != []


def test_revision_in_traffic_counts_with_an_instance_though_it_asks_for_none() -> None:
    idle = (template(scale=(0, 2)), rollout(("web-1", 100.0)))
    assert told("stack-fits-host", *idle, capacity=Capacity(1000, 256 * MIB)) == []
    assert told("stack-fits-host", *idle, capacity=Capacity(1000, 256 * MIB - 1)) != []
    by_hand = (idle[0], rollout(("web-1", 100.0), manual_instances=0.0))
    assert told("stack-fits-host", *by_hand, capacity=Capacity(1000, 0)) == []


def test_pack_hands_the_whole_stack_over_and_swallows_nothing() -> None:
    options = PolicyResourceOptions(False, [], [], None, [], None, [])  # type: ignore[arg-type]
    urn = f"urn:pulumi:dev::runyard::{CONTAINER}::a"
    resource = PolicyResource(CONTAINER, {"name": "a", "labels": []}, urn, "a", options, None, None, [], None)  # type: ignore[arg-type]
    messages: list[str] = []
    validate = stack_validation([BY_ID["stack-labelled"]], lambda: None)
    validate(StackValidationArgs([resource]), lambda message, _urn: messages.append(message))
    assert messages == [
        "stack-labelled: a: label runyard.dev/stack must be dev, got none (add the label runyard.dev/stack)"
    ]
    broken = template()
    broken.properties["labels"].append({"label": names.SPEC, "value": "{"})  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="Expecting"):
        told("tenant-within-quota", broken, quotas(cpu=1.0))
