"""Service resources: read, compared with what manifests make, and read back into a manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.rule import Context
from policies.service import is_same, parse_service, service_of
from policies.verdict import judge
from runyard import contracts
from runyard.contracts import PathRoute
from runyard.errors import ContractError
from runyard.manifest.model import EnvVar, KeyReference, Manifests, Scaling, Service, TrafficTarget
from runyard.plan import ServicePlan, plan
from runyard.plan.quota import use_of
from tests.unit.policies.resources import planned, service
from tests.unit.runyard.plan import example

SECRET = EnvVar("A", reference=KeyReference("secret", "db", "latest"))


def made(**changes: Any) -> ServicePlan:
    (found,) = planned(example.manifests(example.service(**changes))).services
    return found


def templated(**changes: Any) -> ServicePlan:
    return made(template=example.template(**changes))


def test_what_the_platform_declares_is_what_its_manifest_makes() -> None:
    parsed = parse_service(service(made()).properties, "dev")
    assert (parsed.revision, parsed.route, parsed.rollout) == (made().revision, made().route, made().rollout)
    assert is_same(parsed, made())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"document": "{"}, "decode RevisionDocument: not JSON: "),
        ({"rollout": "{}"}, "decode RolloutRequest: "),
        ({"stack": "prod"}, "stack: must be of service prod/default/hello, got dev/default/hello"),
        ({"tenant": "shop"}, "document: must be of service dev/shop/hello, got dev/default/hello"),
        (
            {"route": contracts.encode(replace(made().route, service="other"))},
            "route: must be of service dev/default/hello, got dev/default/other",
        ),
    ],
)
def test_what_is_not_of_one_service_of_the_stack_is_not_read(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError) as raised:
        parse_service(service(made(), **changes).properties, "dev")
    assert str(raised.value).startswith(message)


def test_names_and_digests_of_secrets_make_no_difference() -> None:
    manifests = example.manifests(
        example.service(template=example.template(containers=(example.container(env=(SECRET,)),)))
    )
    (one,) = plan(manifests, "dev", {"default": {"db/latest": "a" * 64}}).services
    (other,) = plan(manifests, "dev").services
    assert one.revision.name != other.revision.name
    assert is_same(one, other)


@pytest.mark.parametrize(
    "other",
    [
        templated(containers=(example.container(image="evil/web:1"),)),
        templated(containers=(example.container(memory_bytes=1024),)),
        made(min_scale=2),
        made(traffic=(TrafficTarget(100), TrafficTarget(0, None, "next"))),
        replace(made(), route=replace(made().route, hosts=("bank.localhost",))),
    ],
    ids=["image", "memory", "count", "tag", "host"],
)
def test_any_other_difference_is_one(other: ServicePlan) -> None:
    assert not is_same(made(), other)


RICH = example.service(
    tenant="shop",
    template=example.template(
        containers=(
            example.container(env=(EnvVar("A", "1"), SECRET), run_as_user=0, command=("serve",), args=("--all",)),
            example.container(name="side", port=None, cpu_millis=80, memory_bytes=1024**2),
        ),
        scaling=Scaling(2, 7),
    ),
    traffic=(TrafficTarget(60), TrafficTarget(40, None, "next")),
    max_scale=9,
    max_requests_per_second=50,
    ingress="internal",
    routes=(PathRoute("shop.example.com", "/"), PathRoute("shop.example.com", "/api", "/v2")),
)


def test_manifest_that_is_read_back_uses_as_much() -> None:
    (found,) = planned(example.manifests(RICH)).services
    assert use_of("dev", service_of(found), "localhost") == use_of("dev", RICH, "localhost")


def test_manifest_that_is_read_back_breaks_the_same_rules() -> None:
    def findings(given: Service) -> list[tuple[str, str]]:
        manifests: Manifests = example.manifests(given)
        return [(each.rule, each.message) for each in judge(Context(manifests, "2026-11-23", "production")).findings]

    (found,) = planned(example.manifests(RICH)).services
    said = [each for each in findings(RICH) if each[0] != "max-scale-given"]
    assert said
    assert findings(service_of(found)) == said


def test_init_container_is_judged_and_takes_no_room_of_its_own() -> None:
    (found,) = planned(example.manifests(RICH)).services
    document = found.revision.document
    early = replace(document.containers[0], name="early", image="evil/early")
    with_early = replace(found, revision=replace(found.revision, document=replace(document, init_containers=(early,))))
    (last,) = service_of(with_early).template.init_containers
    assert (last.name, last.image) == ("early", "evil/early")
    before, after = (use_of("dev", service_of(each), "localhost") for each in (found, with_early))
    assert before == after
