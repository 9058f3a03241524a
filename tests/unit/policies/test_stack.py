"""Stack while resources register: sums that grow, services by hand, and what cannot be asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from policies.property import Unknown
from policies.resource import Resource
from policies.rule import Context, Finding
from policies.stack import Stack
from policies.verdict import judge
from runyard import contracts
from runyard.accounts import Quotas
from runyard.contracts import TrafficShare
from runyard.manifest.model import Manifests, Scaling, Tenant
from runyard.plan import RevisionPlan, ServicePlan
from runyard.plan.quota import Capacity
from tests.unit.policies.resources import MEMORY_BYTES, MIB, container, part, planned, service
from tests.unit.runyard.plan import example

DAY = "2026-11-23"
LARGE = Capacity(8000, 64 * 1024**3)
# Takes 512 MiB and a core, up to twice.
WEB = example.service(name="web", tenant="shop", template=example.template(scaling=Scaling(1, 2)))


def shop(*services: Any, registries: tuple[str, ...] = (), **quotas: int) -> Manifests:
    shop = Tenant("shop", quotas=Quotas(**quotas), allowed_registries=registries, location=example.LOCATION)
    return example.manifests(*services, tenants=(Tenant("default"), shop))


def stack(
    manifests: Manifests,
    capacity: Capacity | None = LARGE,
    pasts: Mapping[str, tuple[RevisionPlan, ...]] | None = None,
    *,
    dry_run: bool = False,
) -> Stack:
    context = Context(manifests, DAY, capacity=capacity, plan=planned(manifests))
    verdict = judge(context)
    assert verdict.refusals == ()
    return Stack(context, verdict.findings, lambda: pasts or {}, dry_run=dry_run)


def mandatory(findings: list[Finding]) -> list[str]:
    return [f"{each.rule}: {each.message}" for each in findings if each.severity == "mandatory"]


def told(subject: Stack, *resources: Resource) -> list[str]:
    return [message for each in resources for message in mandatory(subject.judge(each))]


def web(**changes: Any) -> ServicePlan:
    (found,) = planned(shop(dataclasses.replace(WEB, **changes))).services
    return found


def test_stack_as_the_platform_makes_it_keeps_every_rule() -> None:
    parts = [part("gateway"), part("orchestrator")]
    subject = stack(shop(WEB, memory_bytes=1024 * MIB, cpu_millis=2000, instances=2), Capacity(2000, 2048 * MIB))
    assert [subject.judge(each) for each in (*parts, service(web()))] == [[], [], []]


def test_parts_count_to_the_host() -> None:
    subject = stack(shop(WEB), Capacity(2000, 2048 * MIB))
    assert told(subject, part("gateway"), part("orchestrator")) == []


def test_part_with_more_memory_than_planned_counts_to_the_host_with_all_that_it_has() -> None:
    subject = stack(shop(WEB), Capacity(2000, 2048 * MIB))
    large = part("orchestrator")
    large = dataclasses.replace(large, properties={**large.properties, "memory": 513.0})
    (message,) = told(subject, large)
    assert message.startswith("host-large-enough: the host's memory must be at least 2049Mi at minScale, got 2Gi")


def test_container_of_a_tenant_counts_to_its_quota_and_is_told_as_it_registers() -> None:
    limit = 1024 * MIB + MEMORY_BYTES
    subject = stack(shop(WEB, memory_bytes=limit))
    assert told(subject, container("one", "shop"), service(web()), container("own")) == []
    assert told(subject, container("two", "shop")) == [
        "quota-kept: tenant shop's quota of memory must be at least 1536Mi at maxScale, got 1280Mi, 256Mi over: "
        "web 1Gi + one of stack dev 256Mi + two of stack dev 256Mi"
    ]


def test_container_of_a_tenant_is_of_an_image_from_its_registries() -> None:
    subject = stack(shop(WEB, registries=("docker.io",), instances=9))
    assert told(subject, container("one", "shop")) == []
    elsewhere = container("two", "shop", image="evil.example/batch:1")
    assert told(subject, elsewhere) == [
        "registry-allowed: two: image must be from docker.io (tenant shop), got evil.example/batch:1"
    ]


def test_container_of_nobody_counts_to_the_host_alone() -> None:
    subject = stack(shop(WEB, instances=2), Capacity(2000, (1536 + 768) * MIB))
    assert told(subject, container("one")) == []
    assert [each.partition(":")[0] for each in told(subject, container("two"))] == ["host-large-enough"]


def test_service_of_the_manifests_is_counted_once_and_judged_no_more() -> None:
    subject = stack(shop(WEB, services=1, instances=2, memory_bytes=1024 * MIB))
    assert told(subject, service(web())) == []


def test_service_by_hand_is_held_to_the_rules_of_manifests() -> None:
    evil = example.template(containers=(example.container(image="evil.example/web:1"),), scaling=Scaling(1, 1))
    subject = stack(shop(WEB, registries=("docker.io",), services=1))
    assert told(subject, service(web(name="other", template=evil))) == [
        "quota-kept: tenant shop's quota of services must be at least 2 at minScale, got 1, 1 over: other 1 + web 1",
        "registry-allowed: shop.other: container hello: image must be from docker.io (tenant shop), "
        "got evil.example/web:1",
    ]


def test_service_by_hand_takes_the_place_of_the_manifests_in_the_sums() -> None:
    subject = stack(shop(WEB, instances=2))
    assert told(subject, service(web(template=example.template(scaling=Scaling(1, 1))))) == []
    (message,) = told(stack(shop(WEB, instances=2)), service(web(template=example.template(scaling=Scaling(1, 3)))))
    assert message.startswith("quota-kept: tenant shop's quota of instances must be at least 3 at maxScale, got 2")


def test_service_by_hand_may_call_one_that_registers_later() -> None:
    assert told(stack(shop(WEB)), service(web(name="other", uses=("later",)))) == []


def large(name: str, memory_bytes: int) -> RevisionPlan:
    """An earlier revision of WEB, larger than it is now."""
    own = example.container(memory_bytes=memory_bytes)
    shaped = example.template(name=name, containers=(own,), scaling=Scaling(1, 2))
    return web(template=shaped).revision


def named(name: str) -> ServicePlan:
    """WEB with half of its traffic on an earlier revision, as a resource by hand would say it."""
    latest = web()
    shares = (TrafficShare(latest.revision.name, 50), TrafficShare(name, 50))
    return dataclasses.replace(latest, rollout=dataclasses.replace(latest.rollout, traffic=shares))


def test_service_by_hand_counts_its_earlier_revisions_at_their_size() -> None:
    pasts = {"shop/web": (large("web-old", 1024 * MIB),)}
    both = 2 * (512 + 1024) * MIB
    assert told(stack(shop(WEB, memory_bytes=both), pasts=pasts), service(named("web-old"))) == []
    (message,) = told(stack(shop(WEB, memory_bytes=both - 1), pasts=pasts), service(named("web-old")))
    assert message.startswith("quota-kept: tenant shop's quota of memory must be at least 3Gi at maxScale, got ")


def test_service_by_hand_cannot_name_a_revision_that_nobody_keeps() -> None:
    (message,) = told(stack(shop(WEB)), service(named("web-gone")))
    assert message == (
        "policy-error: shop.web: rule quota-kept failed: ContractError: "
        "traffic must name revisions that are kept, got web-gone"
    )


def test_service_that_cannot_be_read_is_refused() -> None:
    (message,) = told(stack(shop(WEB)), service(web(), document="{"))
    assert message.startswith("service-readable: shop.web: document, rollout and route must be readable, got decode ")
    unsaid = service(web())
    without = {key: value for key, value in unsaid.properties.items() if key != "route"}
    (message,) = told(stack(shop(WEB)), dataclasses.replace(unsaid, properties=without))
    assert message == "service-readable: shop.web: document, rollout and route must be readable, got no input 'route'"


def test_second_service_of_one_name_is_told() -> None:
    other = dataclasses.replace(service(web()), name="again", urn="urn:2")
    assert "names-apart: again: the service shop/web must not be shared, got shop.web and again" in told(
        stack(shop(WEB)), service(web()), other
    )


def test_what_is_not_known_before_the_update_is_advice_in_a_preview_and_refuses_an_update() -> None:
    given = container("batch", memory=Unknown())
    preview, update = (stack(shop(WEB), dry_run=each).judge(given) for each in (True, False))
    assert mandatory(preview) == []
    assert [each.message for each in preview] == [
        "batch: container-limited cannot be asked before the update, got a value that is not known yet",
        "batch: quota-kept cannot be asked before the update, got a value that is not known yet",
    ]
    assert [each.severity for each in update] == ["mandatory", "mandatory"]


def test_document_that_is_not_known_before_the_update_is_advice_in_a_preview() -> None:
    given = service(web())
    unknown = dataclasses.replace(given, properties={**given.properties, "document": Unknown()})
    assert [each.rule for each in stack(shop(WEB), dry_run=True).judge(unknown)] == ["not-known-yet"]


def test_rule_that_throws_refuses_and_hides_nothing_of_the_others() -> None:
    said = told(stack(shop(WEB)), container("batch", memory="much", privileged=True))
    assert "not-privileged: batch: privileged must not be true, got true" in said
    assert [each.partition(": rule ")[2] for each in said if each.startswith("policy-error")] == [
        f"{rule} failed: ValueError: could not convert string to float: 'much'"
        for rule in ("container-limited", "quota-kept")
    ]


def test_network_named_by_a_secret_is_told_all_the_same() -> None:
    given = container("batch", networkMode="runyard.dev.tenant.shop")
    sealed = dataclasses.replace(given, plain={})
    assert [each.partition(":")[0] for each in told(stack(shop(WEB)), sealed)] == [
        "others-things-kept",
        "tenant-networks-kept",
    ]


def test_stack_needs_a_plan() -> None:
    with pytest.raises(ValueError, match="a stack must have a plan, got none"):
        Stack(Context(shop(WEB), DAY), (), dict, dry_run=True)


def test_input_of_a_service_is_canonical_text_in_any_spelling() -> None:
    spaced = contracts.encode(web().revision.document).replace(",", ", ")
    assert told(stack(shop(WEB, services=1)), service(web(), document=spaced)) == []
