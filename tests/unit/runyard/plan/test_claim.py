"""Claims: of all that tells of a service the largest amounts count, and nobody speaks for another."""

from __future__ import annotations

import json

import pytest

from runyard import contracts
from runyard.accounts import Quotas
from runyard.errors import ContractError
from runyard.manifest.model import Scaling, Tenant, TrafficTarget
from runyard.plan import keep_revisions, plan
from runyard.plan.claim import Claim, Standing, covers, join, make_claim, parse_claim, uses_of
from runyard.plan.quota import RESOURCES, Capacity, Use, check_capacity, check_quotas
from tests.unit.runyard.plan.example import container, earlier, manifests, service, template

MIB = 1024**2


def use(stack: str = "dev", service: str = "web", cpu: int | None = 500, instances: int = 1) -> Use:
    amounts = {"cpu": cpu, "memory": 256 * MIB, "instances": instances, "services": 1, "hosts": 1}
    return Use(stack, "shop", service, amounts, amounts)


def standing(instance: str = "a1", cpu: int = 1000, service: str = "web") -> Standing:
    return Standing("dev", "shop", service, instance, cpu, 64 * MIB)


def test_claim_names_what_each_service_uses_by_tenant_and_name() -> None:
    shape = template(containers=(container(cpu_millis=500, memory_bytes=MIB),), scaling=Scaling(1, 3))
    subject = manifests(service(name="web", tenant="shop", template=shape), service(name="api", tenant="shop"))
    claim = make_claim(subject, plan(subject, "dev"))
    *_, api, web = claim.services
    assert (claim.stack, web.stack, web.tenant, web.service, api.service) == ("dev", "dev", "shop", "web", "api")
    assert (web.best["cpu"], web.worst["cpu"], web.worst["instances"]) == (500, 1500, 3)
    assert web.best.keys() == RESOURCES.keys()


def test_claim_names_the_memory_of_the_platforms_parts_which_counts_to_no_tenant() -> None:
    subject = manifests(tenants=(Tenant("default", quotas=Quotas(memory_bytes=1)),))
    parts = make_claim(subject, plan(subject, "prod")).services
    memory = {"gateway": 640 * MIB, "orchestrator": 512 * MIB, "standby": 256 * MIB}
    memory |= {"filter": 32 * MIB, "spare": 32 * MIB, "firewall": 64 * MIB}
    assert {each.service: each.best["memory"] for each in parts} == memory
    assert {(each.stack, each.tenant) for each in parts} == {("prod", "")}
    assert check_quotas(subject, elsewhere=parts) == ()
    (finding,) = check_capacity(subject, Capacity(1000, 2 * 1536 * MIB - 1), elsewhere=parts)
    assert finding.message == (
        "the host's memory must be at least 3Gi at minScale, got 3221225471, 1 over: gateway 640Mi + "
        "gateway of stack prod 640Mi + orchestrator 512Mi + orchestrator of stack prod 512Mi + "
        "standby 256Mi + standby of stack prod 256Mi + firewall 64Mi + firewall of stack prod 64Mi + 4 more 128Mi"
    )


def test_claim_brings_the_limits_of_its_tenants_and_the_newer_ones_count() -> None:
    limited, free = Tenant("shop", quotas=Quotas(memory_bytes=MIB, instances=3)), Tenant("free")
    subject = manifests(tenants=(limited, free))
    claim = make_claim(subject, plan(subject, "dev"))
    assert claim.quotas == {"shop": {"memory": MIB, "instances": 3}}
    assert parse_claim(contracts.encode(claim), "dev") == claim
    # A claim of an earlier Runyard has none.
    assert parse_claim('{"stack": "dev", "services": []}', "dev").quotas == {}
    larger = Claim("dev", claim.services, {"shop": {"instances": 5}})
    assert join(claim, larger).quotas == {"shop": {"instances": 5}}
    # Limits take no room of the host, so no turn is needed to change them.
    assert covers(claim, larger)


def test_equal_plans_make_equal_claims() -> None:
    first, second = service(name="a"), service(name="b")
    one, other = manifests(first, second), manifests(second, first)
    assert contracts.encode(make_claim(one, plan(one))) == contracts.encode(make_claim(other, plan(other)))


def test_earlier_revision_with_traffic_is_claimed_at_its_own_size_and_an_idle_one_not_at_all() -> None:
    shape = template(containers=(container(cpu_millis=500),), scaling=Scaling(1, 1))
    past = [earlier("hello-1", cpu_millis=4000), earlier("hello-0", cpu_millis=9000)]
    subject = manifests(service(template=shape, traffic=(TrafficTarget(100, "hello-1"),)))
    planned = keep_revisions(plan(subject, "dev"), subject, {"default/hello": past})
    *_, only = make_claim(subject, planned).services
    assert only.worst["cpu"] == 100 * 4000


def test_claim_is_the_same_after_it_was_told() -> None:
    claim = Claim("dev", (use(cpu=None),))
    assert parse_claim(contracts.encode(claim), "dev") == claim


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (Claim("other", ()), "decode Claim: stack: must be dev, got other"),
        (Claim("dev", (use("other"),)), "decode Claim: stack: must be dev, got other"),
        (Claim("dev", (use(cpu=-1),)), "decode Claim: cpu of shop/web: must be at least 0, got -1"),
    ],
    ids=["of another", "for another", "below nothing"],
)
def test_claim_that_speaks_for_others_or_gives_itself_room_is_refused(claim: Claim, told: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_claim(contracts.encode(claim), "dev")
    assert str(caught.value) == told


@pytest.mark.parametrize("text", ["", "[]", '{"stack": "dev", "templates": []}', json.dumps({"stack": 1})])
def test_text_that_is_no_claim_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"^decode Claim"):
        parse_claim(text, "dev")


def test_largest_of_all_claims_of_a_service_counts() -> None:
    first, second = Claim("dev", (use(cpu=900), use(service="api"))), Claim("dev", (use(cpu=100, instances=3),))
    api, web = uses_of([first, second])
    assert (api.service, web.service, web.best["cpu"], web.best["instances"]) == ("api", "web", 900, 3)


def test_claims_of_two_stacks_are_kept_apart() -> None:
    assert [each.stack for each in uses_of([Claim("b", (use("b"),)), Claim("a", (use("a"),))])] == ["a", "b"]


def test_joined_claims_cover_both_whatever_the_order() -> None:
    small, large = Claim("dev", (use(cpu=100, instances=3),)), Claim("dev", (use(service="api"), use(cpu=900)))
    both = join(small, large)
    assert both == join(large, small) == join(both, small)
    assert covers(both, small)
    assert covers(both, large)
    assert not covers(small, large)
    assert not covers(large, small)
    assert not covers(Claim("dev"), small)
    assert covers(small, Claim("dev"))


def test_claim_without_bound_covers_any_and_is_covered_by_no_number() -> None:
    bounded, endless = Claim("dev", (use(cpu=100),)), Claim("dev", (use(cpu=None),))
    assert covers(endless, bounded)
    assert not covers(bounded, endless)


def test_what_stands_of_a_service_is_added_up_by_its_containers_and_counted_by_its_instances() -> None:
    (only,) = uses_of([], [standing("a"), standing("a", cpu=100), standing("b")])
    assert (only.best["cpu"], only.worst["cpu"], only.best["memory"]) == (2100, 2100, 3 * 64 * MIB)
    assert (only.best["instances"], only.best["services"], only.best["hosts"]) == (2, 1, 1)


def test_claim_and_what_stands_of_one_service_do_not_add_up() -> None:
    (only,) = uses_of([Claim("dev", (use(cpu=1500),))], [standing(cpu=1000)])
    assert (only.best["cpu"], only.best["memory"]) == (1500, 256 * MIB)


def test_amount_without_bound_stays_without_bound() -> None:
    (only,) = uses_of([Claim("dev", (use(cpu=None),))], [standing()])
    assert only.worst["cpu"] is None
