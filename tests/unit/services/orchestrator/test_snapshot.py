from __future__ import annotations

from runyard.contracts import (
    Fallback,
    GatewayEndpoints,
    GatewayPath,
    GatewayService,
    Handling,
    Limits,
    PathRoute,
    RevisionSpec,
    RouteRequest,
    TemplateSpec,
    TrafficShare,
)
from services.orchestrator.commitment import Commitment
from services.orchestrator.snapshot import describe_callers, describe_endpoints, describe_snapshot, describe_uses
from services.orchestrator.state import Container, Health, Instance, Revision, Template

READY = Health(started=True, ready=True)
SHARES = (TrafficShare("web-1", 100),)


def instance(key: str, address: str, state: str = "running") -> Instance:
    return Instance(key, "shop", "web", "web-1", address, "n", (Container(f"c{key}", "app", state),))


REVISIONS = {"shop/web-1": Revision("shop", "web", "web-1", RevisionSpec("web", 80, ("app",), "h2c", 9), ())}


def test_endpoints_are_the_ready_addresses_in_order() -> None:
    found = describe_endpoints(
        REVISIONS, [instance("2", "10.0.0.3"), instance("1", "10.0.0.2")], {"c1": READY, "c2": READY}, ()
    )
    assert found == {"shop/web-1": GatewayEndpoints(("10.0.0.2:80", "10.0.0.3:80"), "h2c", 9)}


def test_endpoints_leave_out_the_unready_the_dead_the_failed_and_the_withdrawn() -> None:
    instances = [
        instance("1", "10.0.0.1"),
        instance("2", "10.0.0.2", "exited"),
        instance("3", "10.0.0.3"),
        instance("4", "10.0.0.4"),
        instance("5", "10.0.0.5"),
    ]
    failed = Health(started=True, ready=True, failed="liveness")
    health = {"c2": READY, "c3": failed, "c4": READY, "c5": READY}
    assert describe_endpoints(REVISIONS, instances, health, {"4"})["shop/web-1"].addresses == ("10.0.0.5:80",)


def test_revision_without_instance_is_there_so_that_requests_are_held_for_it() -> None:
    assert describe_endpoints(REVISIONS, [], {}, ()) == {"shop/web-1": GatewayEndpoints((), "h2c", 9)}


def test_callers_hold_every_instance_and_those_about_to_start() -> None:
    found = describe_callers([instance("1", "10.0.0.2"), instance("2", "")], {"10.0.0.9": "shop/cart"})
    assert found == {"10.0.0.2": "shop/web", "10.0.0.9": "shop/cart"}


def test_service_that_is_only_starting_may_call_others() -> None:
    snapshot = describe_snapshot({}, {}, {}, {"10.0.0.9": "shop/web"}, {"shop/web": ("cart",)}, 0)
    assert snapshot.services == {"shop/web": GatewayService(uses=("cart",))}


def test_callees_are_those_of_every_live_revision() -> None:
    def revision(name: str, *hosts: str) -> Revision:
        known = Template(
            "id", "shop", "web", name, TemplateSpec("app", 64), "net", "image", host_config={"ExtraHosts": [*hosts]}
        )
        return Revision("shop", "web", name, RevisionSpec("web", 80, ("app",)), (known,))

    revisions = {
        "shop/web-1": revision("web-1", "cart.internal:10.0.0.1", "elsewhere:10.0.0.1"),
        "shop/web-2": revision("web-2", "stock.internal:10.0.0.1", "api.internal:10.0.0.1"),
        "shop/web-3": revision("web-3", "gone.internal:10.0.0.1"),
    }
    live = {"shop/web-1", "shop/web-2", "shop/unknown-1"}
    assert describe_uses(revisions, live) == {"shop/web": ("api", "cart", "stock")}


def test_snapshot_joins_routes_and_traffic_by_service() -> None:
    route = RouteRequest("shop", "web", ("web.localhost",), "internal", 60)
    rollout = Commitment("shop", "web", SHARES)
    snapshot = describe_snapshot({"shop/web": route}, {"shop/web": rollout}, {}, {}, {"shop/web": ("cart",)}, 0)
    assert snapshot.services == {"shop/web": GatewayService(SHARES, ("cart",), "internal", 60)}
    assert snapshot.hosts == {"web.localhost": "shop/web"}


def test_snapshot_joins_the_parts_of_a_host_and_says_how_requests_are_handled() -> None:
    handling = Handling(idle_s=5, request_buffering=False)
    limits, fallback = Limits(requests_per_second=9), Fallback(service="other")
    web = RouteRequest("shop", "web", ("shop.example.com",), handling=handling, limits=limits, fallback=fallback)
    api = RouteRequest("shop", "api", (), paths=(PathRoute("shop.example.com", "/api", "/"),))
    old = RouteRequest("shop", "old", (), paths=(PathRoute("shop.example.com", "/a"), PathRoute("*.x", "/")))
    snapshot = describe_snapshot({"shop/web": web, "shop/api": api, "shop/old": old}, {}, {}, {}, {}, 0)
    assert snapshot.paths == {
        "*.x": (GatewayPath("/", "shop/old"),),
        "shop.example.com": (GatewayPath("/a", "shop/old"), GatewayPath("/api", "shop/api", "/")),
    }
    made = snapshot.services["shop/web"]
    assert (made.handling, made.limits, made.fallback) == (handling, limits, fallback)


def test_snapshot_has_services_with_only_one_of_the_two() -> None:
    route = RouteRequest("shop", "a", ("a.localhost",))
    snapshot = describe_snapshot({"shop/a": route}, {"shop/b": Commitment("shop", "b", SHARES)}, {}, {}, {}, 0)
    assert snapshot.services == {"shop/a": GatewayService(), "shop/b": GatewayService(SHARES)}


def test_snapshot_says_that_a_service_scaled_to_nothing_is_stopped_on_purpose() -> None:
    rollouts = {
        f"shop/{name}": Commitment("shop", name, SHARES, manual_instances=count) for name, count in (("a", 0), ("b", 1))
    }
    snapshot = describe_snapshot({"shop/a": RouteRequest("shop", "a", ())}, rollouts, {}, {}, {}, 0)
    assert [snapshot.services[key].stopped for key in ("shop/a", "shop/b")] == [True, False]


def test_snapshot_has_the_traffic_of_its_time() -> None:
    before = (TrafficShare("web-0", 100),)
    rollout = Commitment("shop", "web", SHARES, duration_s=100, before=before, since_unix_s=1000)
    services = [describe_snapshot({}, {"shop/web": rollout}, {}, {}, {}, at).services for at in (1000, 1050, 1100)]
    assert [each["shop/web"].traffic[0].percent for each in services] == [1, 50, 100]
