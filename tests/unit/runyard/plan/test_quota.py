"""Quotas: sums by case, one unit over, the sum shown, and the host's own capacity."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.accounts import Quotas
from runyard.manifest.model import (
    Container,
    Location,
    Manifests,
    Observability,
    PersistentVolume,
    Platform,
    Scaling,
    Service,
    Tenant,
    TrafficTarget,
    Volume,
)
from runyard.manifest.routes import parse_routes
from runyard.plan.parts import parts_of
from runyard.plan.quota import (
    CASES,
    CPU_OVERCOMMIT,
    Capacity,
    Headroom,
    Use,
    check_capacity,
    check_quotas,
    demand_of,
    headroom,
    render_amount,
)
from runyard.scaling.schedule import parse_schedule
from tests.unit.runyard.plan.example import container, manifests, service, template

GIB = 1024**3
# What the gateway and the orchestrator may take.
PLATFORM = 1536 * 1024**2
PLACE = Location("manifests/tenant.yaml", 1, 1)


def web(name: str = "web", least: int = 1, most: int = 3, **changes: Any) -> Service:
    """A service of half a core, 1 GiB of memory and a volume of 2 GiB in each instance."""
    shape = template(
        containers=(container(cpu_millis=500, memory_bytes=GIB),),
        scaling=Scaling(min_scale=least, max_scale=most),
        volumes=(Volume("cache", "emptyDir", size_limit_bytes=2 * GIB),),
    )
    traffic = (TrafficTarget(100), TrafficTarget(0, tag="next"))
    given = service(name=name, tenant="shop", template=shape, traffic=traffic, max_requests_per_second=50)
    return dataclasses.replace(given, **changes)


def shop(*services: Service, **quotas: int) -> Manifests:
    return manifests(*services, tenants=(Tenant("shop", location=PLACE, quotas=Quotas(**quotas)),))


# Three instances at worst: each quota, what the service takes of it, and how the refusal shows it.
WORST = [
    ("cpu_millis", "cpu", 1500, "1500m", "1499m", "1m"),
    ("memory_bytes", "memory", 3 * GIB, "3Gi", "3221225471", "1"),
    ("instances", "instances", 3, "3", "2", "1"),
    ("services", "services", 1, "1", "0", "1"),
    ("storage_bytes", "storage", 6 * GIB, "6Gi", "6442450943", "1"),
    ("hosts", "hosts", 2, "2", "1", "1"),
    ("requests_per_second", "requestsPerSecond", 50, "50", "49", "1"),
]


@pytest.mark.parametrize(("field", "resource", "worst", "asked", "got", "over"), WORST, ids=[row[1] for row in WORST])
def test_quota_one_unit_short_is_refused_with_the_sum(
    field: str, resource: str, worst: int, asked: str, got: str, over: str
) -> None:
    (finding,) = check_quotas(shop(web(), **{field: worst - 1}))
    scale = "at minScale" if resource in ("services", "hosts", "requestsPerSecond") else "at maxScale"
    assert finding.message == (
        f"tenant shop's quota of {resource} must be at least {asked} {scale}, got {got}, {over} over: web {asked}"
    )
    assert finding.location == PLACE


@pytest.mark.parametrize(("field", "worst"), [(row[0], row[2]) for row in WORST], ids=[row[1] for row in WORST])
def test_quota_that_is_just_enough_is_kept(field: str, worst: int) -> None:
    assert check_quotas(shop(web(), **{field: worst})) == ()


def test_finding_says_that_the_best_case_breaks_already() -> None:
    (finding,) = check_quotas(shop(web(least=2), web("api", least=1), instances=2))
    assert (finding.case, finding.asked, finding.limit) == ("best", 3, 2)
    assert finding.message.endswith("at least 3 at minScale, got 2, 1 over: web 2 + api 1")


def test_finding_shows_the_largest_terms_and_sums_up_the_rest() -> None:
    services = [web(f"web-{number}", most=number) for number in range(1, 11)]
    (finding,) = check_quotas(shop(*services, instances=54))
    assert finding.message.endswith(
        "web-10 10 + web-9 9 + web-8 8 + web-7 7 + web-6 6 + web-5 5 + web-4 4 + web-3 3 + 2 more 3"
    )


def test_service_without_a_rate_breaks_the_quota_of_rates() -> None:
    (finding,) = check_quotas(shop(web(), web("api", max_requests_per_second=None), requests_per_second=1000))
    assert finding.asked is None
    assert finding.message == (
        "tenant shop's quota of requestsPerSecond must have every service bounded, to 1000 together, "
        "got no bound for api"
    )
    assert finding.fix == "set runyard.dev/max-requests-per-second on api"


def test_tenant_without_quotas_may_take_everything() -> None:
    assert check_quotas(shop(web(most=1000))) == ()


def test_tenant_answers_for_its_own_services_alone() -> None:
    other = dataclasses.replace(web("other", most=900), tenant="default")
    assert check_quotas(shop(web(), other, instances=3)) == ()


def test_volume_without_a_size_counts_as_its_containers_memory() -> None:
    subject = web(template=dataclasses.replace(web().template, volumes=(Volume("cache", "emptyDir"),)))
    assert demand_of("shop", shop(subject), "worst")["storage"].amount == 3 * GIB


def test_persistent_volume_counts_once_however_many_instances_there_are() -> None:
    kept = dataclasses.replace(web(), persistent_volumes=(PersistentVolume("data", GIB, "/data"),))
    for case in CASES:
        plain, more = (demand_of("shop", shop(each), case)["storage"].amount for each in (web(), kept))
        assert plain is not None
        assert more == plain + GIB


@pytest.mark.parametrize(("gibs", "expected"), [(1, 3 * GIB), (4, 12 * GIB)])
def test_init_container_counts_where_it_is_more_than_all_others_together(gibs: int, expected: int) -> None:
    before = (Container("before", "a:1", memory_bytes=gibs * GIB), Container("second", "a:1", memory_bytes=GIB))
    subject = web(template=dataclasses.replace(web().template, init_containers=before))
    assert demand_of("shop", shop(subject), "worst")["memory"].amount == expected


def test_parts_that_a_platform_asks_for_count_to_the_hosts_memory() -> None:
    observed = dataclasses.replace(shop(), platform=Platform(observability=Observability("basic")))
    more = sum(part.memory_bytes for part in parts_of(observed.platform)) - PLATFORM
    assert more > 0
    assert check_capacity(observed, Capacity(4000, PLATFORM + more)) == ()
    (finding,) = check_capacity(observed, Capacity(4000, PLATFORM + more - 1))
    assert finding.resource == "memory"
    assert "prometheus" in finding.message
    assert check_capacity(shop(), Capacity(4000, PLATFORM)) == ()


def test_init_container_larger_than_the_host_is_refused() -> None:
    before = (Container("before", "a:1", cpu_millis=8000),)
    subject = web(template=dataclasses.replace(web().template, init_containers=before))
    assert [each.message for each in check_capacity(shop(subject), Capacity(4000, 64 * GIB))] == [
        "container before of service shop/web: CPU limit must be at most the host's 4 cores, got 8"
    ]


IDLE = dataclasses.replace(web().template, scaling=Scaling(0, 3))
SPLIT = (TrafficTarget(60), TrafficTarget(40, "web-1"), TrafficTarget(0, "web-1", "old"))


@pytest.mark.parametrize(
    ("changes", "scale"),
    [
        ({}, (1, 3)),
        ({"min_scale": 2}, (2, 3)),
        ({"max_scale": 2}, (1, 2)),
        ({"min_scale": 5}, (5, 5)),
        ({"manual_instance_count": 7}, (7, 7)),
        ({"template": dataclasses.replace(web().template, scaling=Scaling(max_scale=0))}, (0, None)),
        # What asks for nothing sleeps.
        ({"template": IDLE}, (0, 3)),
        ({"template": IDLE, "traffic": SPLIT}, (0, 6)),
        ({"template": IDLE, "manual_instance_count": 0}, (0, 0)),
        # Each revision in traffic has the template's; the service's own are parted by share, and for all together.
        ({"traffic": SPLIT}, (2, 6)),
        ({"traffic": SPLIT, "max_scale": 4}, (2, 4)),
        ({"traffic": SPLIT, "min_scale": 5}, (5, 6)),
        ({"traffic": SPLIT, "manual_instance_count": 3}, (4, 4)),
        ({"traffic": SPLIT, "manual_instance_count": 0}, (0, 0)),
    ],
)
def test_scale_is_that_of_service_and_template_together(changes: Any, scale: tuple[int, int | None]) -> None:
    assert web(**changes).scale == scale


def test_asked_scale_leaves_out_what_nobody_asked_for() -> None:
    assert web(template=IDLE).asked_scale == (0, 3)
    assert web(template=IDLE, traffic=SPLIT, min_scale=1).asked_scale == (2, 6)
    assert web(template=IDLE, manual_instance_count=2).asked_scale == (2, 2)


def test_service_that_sleeps_counts_nothing_at_best() -> None:
    demand = demand_of("shop", shop(web(template=IDLE)), "best")
    assert {
        name: each.amount for name, each in demand.items() if name in ("cpu", "memory", "instances", "storage")
    } == {
        "cpu": 0,
        "memory": 0,
        "instances": 0,
        "storage": 0,
    }


def test_headroom_shows_every_quota_that_is_set() -> None:
    assert headroom(shop(web(), cpu_millis=4000, services=9)) == (
        Headroom("shop", "cpu", "cpu", 4000, 500, 1500),
        Headroom("shop", "services", "count", 9, 1, 1),
    )


def test_host_that_is_just_large_enough_is_kept() -> None:
    given = shop(web(least=4), web("api", least=2))
    assert check_capacity(given, Capacity(3000 // CPU_OVERCOMMIT, PLATFORM + 6 * GIB)) == ()


def test_host_of_a_platform_without_a_firewall_needs_no_room_for_one() -> None:
    without = dataclasses.replace(
        shop(web(least=4)), platform=Platform(firewall=dataclasses.replace(Platform().firewall, enabled=False))
    )
    capacity = Capacity(3000, PLATFORM + 4 * GIB - 64 * 1024**2)
    assert check_capacity(without, capacity) == ()
    assert check_capacity(shop(web(least=4)), capacity) != ()


def test_host_one_byte_short_of_memory_is_refused_with_the_sum() -> None:
    (finding,) = check_capacity(shop(web(least=4), web("api", least=2)), Capacity(8000, PLATFORM + 6 * GIB - 1))
    assert finding.message == (
        "the host's memory must be at least 7680Mi at minScale, got 8053063679, 1 over: "
        "shop/web 4Gi + shop/api 2Gi + gateway 640Mi + orchestrator 512Mi + standby 256Mi + "
        "firewall 64Mi + filter 32Mi + spare 32Mi"
    )


def test_host_admits_services_that_sleep_by_what_they_ask_for() -> None:
    idle = [web(f"web-{number}", template=IDLE) for number in range(300)]
    assert check_capacity(shop(*idle), Capacity(1000, PLATFORM)) == ()
    (finding,) = check_capacity(shop(*idle, web(least=1)), Capacity(1000, PLATFORM + GIB - 1))
    assert finding.message.startswith("the host's memory must be at least 2560Mi at minScale, got 2684354559, 1 over")


def test_host_short_of_cores_is_refused_with_what_is_given_out() -> None:
    (finding,) = check_capacity(shop(web(least=17)), Capacity(2000, 64 * GIB))
    assert finding.message == (
        "the host's cpu (2 cores, each given out 4 times) must be at least 8500m at minScale, got 8, 500m over: "
        "shop/web 8500m"
    )


def test_container_larger_than_the_host_is_refused() -> None:
    large = service(template=template(containers=(container(cpu_millis=4000),)))
    (finding,) = check_capacity(manifests(large), Capacity(2000, 64 * GIB))
    assert (
        finding.message
        == "container hello of service default/hello: CPU limit must be at most the host's 2 cores, got 4"
    )


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (2000, "cpu", "2"),
        (1, "cpu", "1m"),
        (0, "bytes", "0"),
        (1025, "bytes", "1025"),
        (1536 * 1024**2, "bytes", "1536Mi"),
    ],
)
def test_amount_is_rendered_exactly(amount: int, unit: Any, text: str) -> None:
    assert render_amount(amount, unit) == text


def test_service_without_a_maximum_breaks_every_quota_that_instances_use_up() -> None:
    endless = web(template=dataclasses.replace(web().template, scaling=Scaling(max_scale=0)))
    found = check_quotas(shop(endless, cpu_millis=10**9, instances=10**9, services=1))
    assert [(each.resource, each.case, each.asked) for each in found] == [
        ("cpu", "worst", None),
        ("instances", "worst", None),
    ]
    assert {each.fix for each in found} == {"set autoscaling.knative.dev/maxScale on web"}


def test_finding_names_eight_services_without_a_bound_and_counts_the_rest() -> None:
    services = [web(f"web-{number}", max_requests_per_second=None) for number in range(10)]
    (finding,) = check_quotas(shop(*services, requests_per_second=9))
    assert finding.message.endswith("got no bound for web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7, 2 more")


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), max_size=8), st.integers(0, 10**10))
def test_quota_is_broken_exactly_when_the_sum_is_above_it(scales: list[tuple[int, int]], limit: int) -> None:
    services = [web(f"web-{index}", least, least + more) for index, (least, more) in enumerate(scales)]
    worst = sum(least + more for least, more in scales)
    assert bool(check_quotas(shop(*services, instances=limit))) is (worst > limit)


def elsewhere(**amounts: int) -> tuple[Use, ...]:
    return (Use("prod", "shop", "batch", dict(amounts), dict(amounts)), Use("prod", "other", "x", {"cpu": 9**9}, {}))


def test_quota_counts_what_the_tenant_has_in_other_stacks_of_the_host() -> None:
    assert check_quotas(shop(web(), instances=4), elsewhere(instances=1)) == ()
    (finding,) = check_quotas(shop(web(), instances=4), elsewhere(instances=2))
    assert finding.message.endswith("must be at least 5 at maxScale, got 4, 1 over: web 3 + batch of stack prod 2")


def test_host_counts_every_service_of_other_stacks_at_its_minimum() -> None:
    subject, host = shop(web(least=1)), Capacity(4000, PLATFORM + 2 * GIB)
    small = (Use("prod", "other", "x", {"memory": GIB}, {"memory": 99 * GIB}),)
    assert check_capacity(subject, host, small) == ()
    (finding,) = check_capacity(subject, host, (Use("prod", "other", "x", {"memory": GIB + 1}, {}),))
    assert finding.resource == "memory"
    assert "x of stack prod 1073741825" in finding.message


def test_hosts_of_routes_count_once_each_whatever_their_paths() -> None:
    routes = parse_routes("a.example.com, a.example.com/x, *.example.com")
    (finding,) = check_quotas(shop(web(routes=routes), hosts=3))
    assert "quota of hosts must be at least 4" in finding.message


def test_route_on_a_host_that_the_service_has_already_counts_no_further() -> None:
    routes = parse_routes("web.shop.localhost/api -> /v2, next---web.shop.localhost/api")
    assert check_quotas(shop(web(routes=routes), hosts=2)) == ()
    elsewhere_named = dataclasses.replace(shop(web(routes=routes), hosts=2), platform=Platform(domain="example.com"))
    assert [finding.asked for finding in check_quotas(elsewhere_named)] == [4]


def test_what_is_known_beside_the_manifests_counts_where_it_is_more() -> None:
    subject = shop(web(), instances=3, memory_bytes=100 * GIB)
    known = {"shop/web": Use("dev", "shop", "web", {"instances": 1, "memory": 0}, {"instances": 5})}
    assert check_quotas(subject) == ()
    (finding,) = check_quotas(subject, uses=known)
    assert (finding.case, finding.asked) == ("worst", 5)
    assert check_quotas(subject, uses={"other/web": known["shop/web"]}) == ()
    endless = {"shop/web": Use("dev", "shop", "web", {}, {"instances": None})}
    (finding,) = check_quotas(subject, uses=endless)
    assert finding.asked is None
    large = {"shop/web": Use("dev", "shop", "web", {"memory": 9 * GIB}, {})}
    assert check_capacity(subject, Capacity(8000, PLATFORM + 8 * GIB)) == ()
    (finding,) = check_capacity(subject, Capacity(8000, PLATFORM + 8 * GIB), uses=large)
    assert finding.asked == PLATFORM + 9 * GIB


OFFICE = parse_schedule("2 at 0 8 * * 1-5 Europe/Berlin; 0 at 0 18 * * 1-5 Europe/Berlin")


def test_schedule_counts_at_its_highest_in_quota_and_capacity() -> None:
    scheduled = web(least=0, schedule=OFFICE)
    # The tag keeps a second revision of it at none: of a schedule it has no part.
    assert (scheduled.scale, scheduled.asked_scale) == ((2, 3), (2, 3))
    (finding,) = check_quotas(shop(scheduled, instances=1))
    assert finding.message == ("tenant shop's quota of instances must be at least 2 at minScale, got 1, 1 over: web 2")
    assert check_quotas(shop(scheduled, instances=3)) == ()
    small = Capacity(4000, PLATFORM + 2 * GIB - 1)
    (finding,) = check_capacity(shop(scheduled), small)
    assert (finding.resource, finding.asked) == ("memory", PLATFORM + 2 * GIB)
    assert check_capacity(shop(scheduled), dataclasses.replace(small, memory_bytes=PLATFORM + 2 * GIB)) == ()


def test_schedule_is_paid_by_what_holds_and_gives_way_to_a_number_by_hand() -> None:
    scheduled = web(least=0, schedule=OFFICE, min_scale=1)
    assert [scheduled.asked_least(each) for each in (0, 1, 2)] == [1, 1, 2]
    by_hand = dataclasses.replace(scheduled, manual_instance_count=0)
    assert (by_hand.scale, by_hand.asked_least(2)) == ((0, 0), 0)
