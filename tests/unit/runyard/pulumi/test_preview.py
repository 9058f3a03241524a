"""Preview: Pulumi's steps by service with their effects, and no value of any of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runyard.errors import ContractError
from runyard.plan.effect_table import effect_of
from runyard.pulumi.preview import Group, Step, parse_preview

TYPES = {
    "service": "runyard:index:Service",
    "gateway": "runyard:gateway:Gateway",
    "gateway.container": "runyard:gateway:Gateway$docker:index/container:Container",
    "bridge": "runyard:network:Network$docker:index/network:Network",
    "network": "runyard:network:Network",
    "stack": "pulumi:pulumi:Stack",
    "hand": "docker:index/container:Container",
}
ROOT = "urn:pulumi:dev::runyard::pulumi:pulumi:Stack::runyard-dev"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::runyard::{TYPES[kind]}::{name}"


def step(op: str, kind: str, name: str, parent: str = ROOT, **given: Any) -> dict[str, Any]:
    old, new = given.pop("old", None), given.pop("new", None)
    if kind == "service":
        old, new = ({"facts": json.dumps(each or {}), "document": str(each)} for each in (old, new))
    made: dict[str, Any] = {"op": op, "urn": urn(kind, name), "detailedDiff": given.pop("diff", None)}
    if op != "create":
        made["oldState"] = {"parent": parent, "inputs": old or {}}
    if op not in ("delete", "delete-replaced"):
        made["newState"] = {"parent": parent, "inputs": new or {}}
    return made


def parse(*steps: dict[str, Any], parents: dict[str, str] | None = None) -> tuple[Group, ...]:
    return parse_preview("dev", json.dumps({"steps": steps}), parents).groups


def test_step_of_a_changed_service_has_its_effect_and_the_manifests_paths() -> None:
    (group,) = parse(
        step(
            "update",
            "service",
            "shop.web",
            old={"image": "a", "timeoutSeconds": 1},
            new={"image": "b"},
            diff={"document": {}, "facts": {}},
        ),
        step("update", "stack", "runyard-dev", ""),
    )
    assert (group.kind, group.name) == ("Service", "shop/web")
    assert group.effect == effect_of("Service", "image")
    assert group.steps == (Step("update", "Service", "shop.web", ("image", "timeoutSeconds")),)


@pytest.mark.parametrize(
    ("op", "before", "after", "effect"),
    [
        ("create", {}, {}, effect_of("Service", "", "add")),
        ("delete", {}, {}, effect_of("Service", "", "remove")),
        ("update", {"ingress": "all"}, {"ingress": "internal"}, effect_of("Service", "ingress", after="internal")),
        ("update", {"ingress": "internal"}, {"ingress": "all"}, effect_of("Service", "ingress")),
        (
            "update",
            {"uses": {"a": "declared", "cart": "declared"}},
            {"uses": {"a": "declared"}},
            effect_of("Service", "uses.cart", "remove"),
        ),
        (
            "update",
            {"uses": {"a": "declared"}},
            {"uses": {"a": "declared", "cart": "declared"}},
            effect_of("Service", "uses.cart", "add"),
        ),
    ],
    ids=["new", "gone", "closed", "opened", "undeclared", "declared"],
)
def test_effect_is_that_of_the_services_own_change(op: str, before: Any, after: Any, effect: Any) -> None:
    (group,) = parse(step(op, "service", "shop.web", old=before, new=after))
    assert group.effect == effect


def test_service_that_only_the_orchestrator_has_lost_is_put_again_with_shares_that_move_as_ever() -> None:
    (group,) = parse(step("update", "service", "shop.web", old={"a": 1}, new={"a": 1}, diff={"rollout": {}}))
    assert group.effect == effect_of("Service", "traffic")
    assert group.steps == (Step("update", "Service", "shop.web", ("rollout",)),)


def test_replacement_is_one_step_and_its_effect_that_of_the_part() -> None:
    three = [
        step(op, "gateway.container", "gateway.container", urn("gateway", "gateway"), diff={"image": {}, "envs[0]": {}})
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    (group,) = parse(*three, parents={urn("gateway", "gateway"): ROOT})
    assert group.effect == effect_of("Gateway", "")
    assert group.steps == (Step("replace", "Container", "gateway.container", ("envs[0]", "image")),)


def test_network_that_must_be_made_anew_is_a_gap() -> None:
    network = urn("network", "tenant.shop")
    (group,) = parse(step("replace", "bridge", "tenant.shop.bridge", network), parents={network: ROOT})
    assert group.effect is not None
    assert (group.kind, group.name, group.effect.kind) == ("Network", "tenant.shop", "gap")


def test_resource_of_no_component_stands_last_with_an_unknown_effect() -> None:
    first, last = parse(step("delete", "hand", "bad"), step("create", "service", "shop.web"))
    assert first.kind == "Service"
    assert (last.kind, last.name, last.effect) == ("Other", "bad", None)


def test_nothing_to_do_is_no_group() -> None:
    assert parse(step("same", "service", "shop.web"), step("same", "stack", "runyard-dev", "")) == ()


def test_values_are_never_taken() -> None:
    groups = parse(
        step("update", "service", "shop.web", old={"env": "canary-1"}, new={"env": "canary-2"}),
        step("create", "hand", "c", ROOT, new={"envs": ["TOKEN=canary-3"]}, diff={"envs[0]": {"kind": "add"}}),
    )
    assert "canary" not in repr(groups)


@pytest.mark.parametrize("text", ["", "[]", '{"steps": [{"op": "create"}]}', '{"steps": [{"op": "update", "urn": 1}]}'])
def test_what_is_no_preview_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"^read the preview of stack dev: "):
        parse_preview("dev", text)
