import dataclasses
import json

import pytest

from runyard.accounts import Quotas
from runyard.contracts import Fallback, Handling, Limits, PathRoute, TrafficShare
from runyard.manifest.model import Gateway, Platform, RequestLimits, Tenant, TrafficTarget
from runyard.manifest.routes import parse_routes
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template


def test_plan_of_equal_manifests_is_equal_byte_for_byte():
    services = (service(name="web", uses=("cart",)), service(name="cart"))
    first, second = plan(manifests(*services)), plan(manifests(*reversed(services)))
    assert json.dumps(dataclasses.asdict(first), sort_keys=True) == json.dumps(
        dataclasses.asdict(second), sort_keys=True
    )


def test_services_come_by_tenant_and_name_whatever_the_order_read():
    read = (service(name="b"), service(name="a"), service(name="c", tenant="acme"))
    assert [(each.tenant, each.name) for each in plan(manifests(*read)).services] == [
        ("acme", "c"),
        ("default", "a"),
        ("default", "b"),
    ]


@pytest.mark.parametrize(
    ("tenant", "domain", "host"),
    [
        ("default", "localhost", "hello.localhost"),
        ("acme", "localhost", "hello.acme.localhost"),
        ("acme", "run.example.com", "hello.acme.run.example.com"),
    ],
)
def test_route_host_leaves_out_the_default_tenant_only(tenant, domain, host):
    planned = plan(manifests(service(tenant=tenant), platform=Platform(domain=domain)))
    assert planned.services[0].route.hosts == (host,)


def test_route_has_the_hosts_and_the_parts_of_hosts_that_the_manifest_names():
    routes = parse_routes("shop.example.com, *.shop.example.com, shop.example.com/api -> /, hello.localhost")
    route = plan(manifests(service(routes=routes))).services[0].route
    assert route.hosts == ("hello.localhost", "shop.example.com", "*.shop.example.com")
    assert route.paths == (PathRoute("shop.example.com", "/api", "/"),)


def test_default_backend_answers_every_other_host():
    platform = Platform(gateway=Gateway(default_backend="acme/hello"))
    found = plan(manifests(service(), service(tenant="acme"), platform=platform)).services
    assert [each.route.hosts for each in found] == [("hello.acme.localhost", "*"), ("hello.localhost",)]


def test_route_says_how_requests_are_handled():
    shape = template(response_start_timeout_s=5, idle_timeout_s=6)
    given = service(template=shape, max_request_bytes=7, max_response_bytes=8, request_buffering=False)
    assert plan(manifests(given)).services[0].route.handling == Handling(5, 6, 7, 8, request_buffering=False)
    assert plan(manifests(service())).services[0].route.handling == Handling()


def test_facts_show_routes_by_place():
    routes = parse_routes("shop.example.com, shop.example.com/api -> /v2")
    facts = plan(manifests(service(routes=routes))).services[0].facts
    assert facts["routes"] == {"shop.example.com": "as it is", "shop.example.com/api": "/v2"}


def test_route_carries_the_request_timeout():
    assert plan(manifests(service(template=template(timeout_s=7)))).services[0].route.timeout_s == 7


def test_counts_of_the_service_are_the_rollouts_and_make_no_new_revision():
    plain = plan(manifests(service())).services[0]
    counted = plan(manifests(service(min_scale=2, max_scale=5, manual_instance_count=0))).services[0]
    asked = counted.rollout
    assert (asked.min_instances, asked.max_instances, asked.manual_instances) == (2, 5, 0)
    assert (plain.rollout.min_instances, plain.rollout.max_instances, plain.rollout.manual_instances) == (0, 0, None)
    assert counted.revision == plain.revision


def test_priority_is_the_rollouts_and_makes_no_new_revision():
    plain, first = (plan(manifests(each)).services[0] for each in (service(), service(priority=9)))
    assert (plain.rollout.priority, first.rollout.priority) == (5, 9)
    assert first.revision == plain.revision


@pytest.mark.parametrize(
    ("traffic", "duration_s"),
    [
        ((TrafficTarget(100),), 90),
        ((TrafficTarget(50), TrafficTarget(50, "hello-00002")), 90),
        ((TrafficTarget(100, "hello-00001"), TrafficTarget(0, tag="next")), 0),
    ],
)
def test_rollout_takes_its_time_only_towards_the_latest_revision(traffic, duration_s):
    assert plan(manifests(service(rollout_duration_s=90, traffic=traffic))).services[0].rollout.duration_s == duration_s


def test_route_carries_the_limits_of_the_service_and_the_rate_of_its_tenants_quota():
    own = RequestLimits(
        client_requests_per_second=5, client_burst=7, client_header="X-Key", concurrent_requests=9, queue_size=0
    )
    limited = service(tenant="shop", max_requests_per_second=100, request_limits=own)
    shop = Tenant("shop", quotas=Quotas(requests_per_second=300))
    free, tied = plan(manifests(service(), limited, tenants=(Tenant("default"), shop))).services
    assert tied.route.limits == Limits(100, 300, 5, 7, "X-Key", 9, 0, 0)
    assert free.route.limits == Limits()


def test_route_carries_the_fallback():
    given = Fallback(service="other")
    assert plan(manifests(service(fallback=given))).services[0].route.fallback == given


@pytest.mark.parametrize("wanted", [True, False])
def test_route_carries_the_session_affinity_of_the_template(wanted):
    route = plan(manifests(service(template=template(session_affinity=wanted)))).services[0].route
    assert route.session_affinity is wanted


@pytest.mark.parametrize(
    ("ingress", "at_edge"),
    [("all", "all"), ("internal", "internal"), ("internal-and-cloud-load-balancing", "all")],
)
def test_route_ingress_lets_the_gateway_stand_for_the_load_balancer(ingress, at_edge):
    assert plan(manifests(service(ingress=ingress))).services[0].route.ingress == at_edge


def test_rollout_of_latest_traffic_names_the_planned_revision():
    planned = plan(manifests(service())).services[0]
    assert planned.rollout.traffic == (TrafficShare(planned.revision.name, 100),)


def test_rollout_keeps_named_revisions_and_tags():
    targets = (TrafficTarget(90, "hello-old"), TrafficTarget(10), TrafficTarget(0, "hello-old", "previous"))
    planned = plan(manifests(service(traffic=targets))).services[0]
    assert planned.rollout.traffic == (
        TrafficShare("hello-old", 90),
        TrafficShare(planned.revision.name, 10),
        TrafficShare("hello-old", 0, "previous"),
    )


def test_rollout_deadline_is_the_progress_deadline():
    assert plan(manifests(service(template=template(progress_deadline_s=42)))).services[0].rollout.deadline_s == 42


def test_facts_show_containers_and_environment_by_name_and_hide_secrets():
    from runyard.manifest.model import EnvVar, KeyReference

    secret = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
    shown = container(env=(EnvVar("LOG_LEVEL", "info"), secret))
    facts = plan(manifests(service(template=template(containers=(shown,))))).services[0].facts
    assert facts["containers"]["hello"]["env"] == {"LOG_LEVEL": "info", "TOKEN": "[secret api/latest]"}
    assert facts["traffic"] == {"latest": 100}
    assert facts["timeoutSeconds"] == 300


def test_facts_show_shares_by_revision_and_tags_and_declared_calls_by_name():
    targets = (TrafficTarget(90, "hello-old"), TrafficTarget(10), TrafficTarget(0, "hello-old", "previous"))
    facts = plan(manifests(service(traffic=targets, uses=("stock", "cart")))).services[0].facts
    assert facts["traffic"] == {"hello-old": 90, "latest": 10}
    assert facts["tags"] == {"previous": "hello-old"}
    assert facts["uses"] == {"cart": "declared", "stock": "declared"}
