"""Use of a service: as the manifest counts it, and its earlier revisions in traffic at their own size."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.contracts import ScalingDocument
from runyard.manifest.model import Scaling, TrafficTarget
from runyard.plan import RevisionPlan, keep_revisions, plan
from runyard.plan.quota import Use, use_of
from runyard.plan.use import larger, use_of_revisions
from runyard.scaling.schedule import parse_schedule
from tests.unit.runyard.plan.example import container, earlier, manifests, service, template

MIB = 1024**2
LATEST = TrafficTarget(100)


def use(past: list[RevisionPlan], *targets: TrafficTarget, **changes: Any) -> Use:
    shape = template(
        containers=(container(cpu_millis=500, memory_bytes=MIB),), scaling=changes.pop("scaling", Scaling(1, 3))
    )
    given = manifests(service(template=shape, traffic=targets or (LATEST,), **changes))
    return use_of_revisions("dev", keep_revisions(plan(given), given, {"default/hello": past}).services[0])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scaling": Scaling(0, 3)},
        {"min_scale": 2},
        {"min_scale": 4},
        {"max_scale": 2},
        {"max_scale": 5},
        {"schedule": parse_schedule("0 at 0 20 * * *; 2 at 0 8 * * *")},
        {"min_scale": 3, "schedule": parse_schedule("2 at 0 8 * * *")},
        {"manual_instance_count": 0},
        {"manual_instance_count": 4},
    ],
)
def test_use_of_a_service_with_its_latest_revision_alone_is_as_its_manifest_counts_it(changes: dict[str, Any]) -> None:
    scaling = changes.get("scaling", Scaling(1, 3))
    rest = {key: value for key, value in changes.items() if key != "scaling"}
    shape = template(containers=(container(cpu_millis=500, memory_bytes=MIB),), scaling=scaling)
    counted = use_of("dev", service(template=shape, traffic=(LATEST,), **rest), "localhost")
    found = use([], **changes)
    for case in ("best", "worst"):
        amounts, expected = getattr(found, case), getattr(counted, case)
        assert {each: amounts[each] for each in ("cpu", "memory", "instances")} == {
            each: expected[each] for each in ("cpu", "memory", "instances")
        }


def test_earlier_revision_with_traffic_counts_at_its_own_size_and_one_without_does_not() -> None:
    past = [earlier("hello-1", cpu_millis=2000, min_instances=2, max_instances=2), earlier("hello-0", cpu_millis=9000)]
    both = use(past, TrafficTarget(50), TrafficTarget(50, "hello-1"))
    assert (both.best["cpu"], both.worst["cpu"], both.best["instances"]) == (500 + 2 * 2000, 3 * 500 + 2 * 2000, 3)
    alone = use(past, TrafficTarget(100, "hello-1"))
    assert (alone.best["cpu"], alone.worst["instances"]) == (4000, 2)


def test_revision_with_a_tag_alone_sleeps_and_may_have_an_instance() -> None:
    tagged = use([earlier("hello-1", cpu_millis=2000, max_instances=1)], LATEST, TrafficTarget(0, "hello-1", "old"))
    assert (tagged.best["instances"], tagged.best["cpu"], tagged.worst["cpu"]) == (1, 500, 3 * 500 + 2000)


def test_services_own_maximum_bounds_its_revisions_together_at_the_size_of_the_largest() -> None:
    past = [earlier("hello-1", cpu_millis=2000, max_instances=100)]
    found = use(past, TrafficTarget(50), TrafficTarget(50, "hello-1"), max_scale=4)
    assert (found.worst["instances"], found.worst["cpu"]) == (4, 4 * 2000)


def test_manual_count_is_parted_over_the_revisions() -> None:
    past = [earlier("hello-1", cpu_millis=2000)]
    found = use(past, TrafficTarget(75), TrafficTarget(25, "hello-1"), manual_instance_count=4)
    assert (found.best, found.worst["cpu"]) == (found.worst, 3 * 500 + 2000)


def test_larger_of_two_uses_is_so_of_every_resource_and_no_bound_is_largest() -> None:
    one = Use("dev", "shop", "web", {"cpu": 1, "memory": 9}, {"cpu": None})
    other = Use("dev", "shop", "web", {"cpu": 2, "memory": 3, "hosts": 1}, {"cpu": 5})
    found = larger(one, other)
    assert {key: value for key, value in found.best.items() if value} == {"cpu": 2, "memory": 9, "hosts": 1}
    assert found.worst["cpu"] is None


def test_frozen_revision_holds_memory_and_no_processor() -> None:
    frozen = earlier("hello-1", cpu_millis=2000, scaling=ScalingDocument(idle="freeze"))
    found = use([frozen], TrafficTarget(100, "hello-1"))
    assert (found.best["cpu"], found.best["instances"]) == (0, 1)
    assert found.best["memory"] == frozen.document.memory_bytes


def test_schedule_counts_with_the_most_that_it_ever_asks_for() -> None:
    found = use([], scaling=Scaling(0, 3), schedule=parse_schedule("1 at 0 20 * * *; 2 at 0 8 * * *"))
    assert (found.best["instances"], found.best["cpu"], found.worst["instances"]) == (2, 1000, 3)
