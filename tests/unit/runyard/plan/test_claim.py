"""Claims: the newest of a stack counts, and with it what still stands outside of it."""

from __future__ import annotations

from runyard import contracts, names
from runyard.manifest.model import Scaling, TrafficTarget
from runyard.plan import KeptRevision, keep_revisions, plan
from runyard.plan.claim import Claim, Standing, make_claim, newest, uses_of
from runyard.plan.quota import Use
from tests.unit.runyard.plan.example import container, manifests, service, template

MIB = 1024**2


def use(stack: str = "dev", service: str = "web", cpu: int | None = 500, instances: int = 1) -> Use:
    amounts = {"cpu": cpu, "memory": 256 * MIB, "instances": instances, "services": 1, "hosts": 1}
    return Use(stack, "shop", service, amounts, amounts)


def standing(name: str = "old", cpu: int = 1000, scale: tuple[int, int] | None = (1, 2), **changes: str) -> Standing:
    given = {"stack": "dev", "tenant": "shop", "service": "web", "revision": "web-1"} | changes
    return Standing(name, *given.values(), cpu, 64 * MIB, scale)  # type: ignore[arg-type]


def test_claim_names_what_each_service_uses_and_which_templates_that_covers() -> None:
    shape = template(containers=(container(cpu_millis=500, memory_bytes=MIB),), scaling=Scaling(1, 3))
    subject = manifests(service(name="web", tenant="shop", template=shape))
    planned = plan(subject, "dev")
    claim = make_claim(subject, planned, 4)
    (only,) = claim.services
    assert (claim.stack, claim.generation, only.stack, only.tenant, only.service) == ("dev", 4, "dev", "shop", "web")
    assert (only.best["cpu"], only.worst["cpu"], only.worst["instances"]) == (500, 1500, 3)
    assert claim.templates == (planned.services[0].revision.templates[0].name,)


def test_earlier_revision_with_traffic_counts_by_itself() -> None:
    shares = (TrafficTarget(100, "web-1"), TrafficTarget(0, "web-2", "old"))
    subject = manifests(service(name="web", tenant="shop", traffic=shares))
    past = [KeptRevision(name, name, "0" * 64, {"app": "i", "proxy": "i"}) for name in ("web-1", "web-2", "web-3")]
    planned = keep_revisions(plan(subject, "dev"), subject, {"shop/web": past})
    latest = planned.services[0].revision.templates[0].name
    idle = [names.template_container("dev", "shop", "web-3", each) for each in ("app", "proxy")]
    assert make_claim(subject, planned, 1).templates == tuple(sorted([latest, *idle]))


def test_claim_is_the_same_after_it_was_a_label() -> None:
    claim = Claim("dev", 2, (use(cpu=None),), ("a",))
    assert contracts.decode(Claim, contracts.encode(claim)) == claim


def test_newest_claim_of_each_stack_counts() -> None:
    claims = [Claim("b", 1), Claim("a", 10), Claim("a", 9)]
    assert newest(claims) == (Claim("a", 10), Claim("b", 1))
    older, newer = Claim("a", 1, (use("a", cpu=900),)), Claim("a", 2, (use("a", cpu=100),))
    (only,) = uses_of([newer, older], [])
    assert only.best["cpu"] == 100


def test_template_that_the_claim_covers_counts_once() -> None:
    (only,) = uses_of([Claim("dev", 1, (use(),), ("old",))], [standing()])
    assert only.best["cpu"] == 500


def test_revision_that_is_about_to_go_counts_while_it_stands_and_is_larger() -> None:
    claim = Claim("dev", 1, (use(cpu=1500),), ("new",))
    (only,) = uses_of([claim], [standing(cpu=1000, scale=(1, 2))])
    assert (only.best["cpu"], only.worst["cpu"], only.worst["instances"]) == (1500, 2000, 2)


def test_containers_of_a_revision_are_added_and_multiplied_by_its_scale() -> None:
    pair = [standing("a", cpu=300, scale=(2, 5)), standing("b", cpu=100, scale=None)]
    (only,) = uses_of([], pair)
    assert (only.best["cpu"], only.worst["cpu"], only.worst["instances"]) == (800, 2000, 5)


def test_revision_that_asks_for_none_counts_with_the_instance_that_it_keeps() -> None:
    (only,) = uses_of([], [standing(scale=(0, 2))])
    assert (only.best["instances"], only.best["memory"], only.best["cpu"]) == (1, 64 * MIB, 0)


def test_two_revisions_of_a_service_do_not_add_up() -> None:
    (only,) = uses_of([], [standing("a", cpu=300), standing("b", cpu=200, revision="web-2")])
    assert only.best["cpu"] == 300


def test_stack_without_a_claim_counts_by_what_stands() -> None:
    (only,) = uses_of([], [standing("a", scale=None)])
    assert (only.service, only.best["instances"], only.best["cpu"]) == ("web", 1, 1000)


def test_amount_without_bound_stays_without_bound() -> None:
    (only,) = uses_of([Claim("dev", 1, (use(cpu=None),))], [standing()])
    assert only.worst["cpu"] is None
