from __future__ import annotations

from dataclasses import replace
from typing import Any

from runyard.contracts import (
    Fallback,
    GatewayDelta,
    GatewayEndpoints,
    GatewayPath,
    GatewayRemovals,
    GatewayService,
    GatewaySnapshot,
    Handling,
    Limits,
    PathRoute,
    Pause,
    RevisionDocument,
    RouteRequest,
    TrafficShare,
)
from services.orchestrator.gateway.snapshot import (
    describe_callers,
    describe_delta,
    describe_endpoints,
    describe_snapshot,
    describe_uses,
    with_pauses,
)
from services.orchestrator.model.instance import Container, Health, Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.traffic.commitment import Commitment

from ..fake_gateway import amended

READY = Health(started=True, ready=True)
SHARES = (TrafficShare("web-1", 100),)


def instance(key: str, address: str, state: str = "running") -> Instance:
    return Instance(key, "shop", "web", "web-1", address, "n", (Container(f"c{key}", "app", state),))


def revision(name: str, **fields: Any) -> Revision:
    return Revision(RevisionDocument("test", "shop", "web", name, name, "0", "n", "10.0.0.254", (), **fields))


REVISIONS = {"shop/web-1": revision("web-1", port=80, protocol="h2c", concurrency=9)}


def test_endpoints_are_the_ready_addresses_in_order() -> None:
    found = describe_endpoints(
        REVISIONS, [instance("2", "10.0.0.3"), instance("1", "10.0.0.2")], {"c1": READY, "c2": READY}, ()
    )
    assert found == {"shop/web-1": GatewayEndpoints(("10.0.0.2:80", "10.0.0.3:80"), "h2c", 9)}


def test_endpoints_leave_out_the_unready_the_dead_the_failed_and_the_withdrawn() -> None:
    instances = [
        instance("1", "10.0.0.1"),
        instance("2", "10.0.0.2", "ended"),
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
    revisions = {
        "shop/web-1": revision("web-1", callees=("cart",)),
        "shop/web-2": revision("web-2", callees=("stock", "api")),
        "shop/web-3": revision("web-3", callees=("gone",)),
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


def test_delta_has_what_changed_what_is_new_and_what_is_gone() -> None:
    kept, old, new = GatewayEndpoints(("10.0.0.1:80",)), GatewayEndpoints(("10.0.0.2:80",)), GatewayEndpoints()
    before = GatewaySnapshot(
        7,
        services={"shop/web": GatewayService(SHARES), "shop/old": GatewayService()},
        hosts={"a": "shop/web", "b": "shop/old"},
        endpoints={"shop/web-1": kept, "shop/web-2": old},
        callers={"10.0.0.1": "shop/web", "10.0.0.3": "shop/old", "10.0.0.2": "shop/old"},
        paths={"c": (GatewayPath("/", "shop/old"),)},
    )
    after = GatewaySnapshot(
        8,
        services={"shop/web": GatewayService(SHARES)},
        hosts={"a": "shop/web", "b": "shop/web"},
        endpoints={"shop/web-1": GatewayEndpoints(("10.0.0.1:80",)), "shop/web-2": new},
        callers={"10.0.0.1": "shop/web", "10.0.0.9": "shop/web"},
    )
    assert describe_delta(before, after) == GatewayDelta(
        7,
        8,
        hosts={"b": "shop/web"},
        endpoints={"shop/web-2": new},
        callers={"10.0.0.9": "shop/web"},
        removed=GatewayRemovals(services=("shop/old",), callers=("10.0.0.2", "10.0.0.3"), paths=("c",)),
    )
    assert amended(before, describe_delta(before, after)) == after


def test_delta_of_what_did_not_change_is_empty() -> None:
    snapshot = GatewaySnapshot(3, hosts={"a": "shop/web"})
    assert describe_delta(snapshot, replace(snapshot, generation=4)) == GatewayDelta(3, 4)


def test_paused_service_is_told_until_when_and_one_that_is_gone_is_none() -> None:
    snapshot = GatewaySnapshot(1, {"shop/cart": GatewayService(), "shop/web": GatewayService(traffic=SHARES)})
    pauses = {"shop/web": Pause("shop", "web", 2000), "shop/old": Pause("shop", "old", 2000)}
    found = with_pauses(snapshot, pauses)
    assert found.services == {
        "shop/cart": GatewayService(), "shop/web": GatewayService(traffic=SHARES, paused_until_unix_s=2000),
    }  # fmt: skip
    assert with_pauses(snapshot, {}) == snapshot
