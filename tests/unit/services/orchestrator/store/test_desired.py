from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runyard.contracts import PathRoute, RouteRequest, TrafficShare, encode
from runyard.errors import UsageError
from services.orchestrator.store.desired import DesiredService, DesiredStore
from services.orchestrator.traffic.commitment import Commitment, HeldCapacity

from ..world import ListJournal

ROUTE = RouteRequest("default", "hello", ("hello.localhost",))
ROLLOUT = Commitment("default", "hello", (TrafficShare("hello-1", 100),), since_unix_s=12.5)


def store(directory: Path, journal: ListJournal | None = None) -> DesiredStore:
    return DesiredStore(directory, journal or ListJournal())


def put(into: DesiredStore, service: str, *hosts: str, paths: tuple[PathRoute, ...] = ()) -> None:
    into.put(RouteRequest("default", service, hosts, paths=paths), replace(ROLLOUT, service=service))


def test_services_survive_a_restart(tmp_path: Path) -> None:
    store(tmp_path).put(ROUTE, ROLLOUT)
    again = store(tmp_path)
    assert (again.routes, again.rollouts) == ({"default/hello": ROUTE}, {"default/hello": ROLLOUT})


def test_shift_under_way_survives_a_restart_and_leaves_the_route(tmp_path: Path) -> None:
    before = (TrafficShare("hello-0", 100),)
    moving = replace(ROLLOUT, before=before, stalled=True, held=(HeldCapacity("hello-1", 3),))
    first = store(tmp_path)
    first.put(ROUTE, ROLLOUT)
    first.put_rollout(moving)
    again = store(tmp_path)
    assert (again.routes, again.rollouts) == ({"default/hello": ROUTE}, {"default/hello": moving})


def test_delete_survives_a_restart_and_is_repeatable(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.put(ROUTE, ROLLOUT)
    for _ in range(2):
        first.delete("default", "hello")
    assert (first.routes, first.rollouts) == ({}, {})
    assert (store(tmp_path).routes, store(tmp_path).rollouts) == ({}, {})


def test_write_that_was_cut_short_leaves_the_service_before_it(tmp_path: Path) -> None:
    store(tmp_path).put(ROUTE, ROLLOUT)
    torn = tmp_path / "services" / "default.hello.json.draft"
    torn.write_text('{"tenant":"def')
    again = store(tmp_path)
    assert again.rollouts == {"default/hello": ROLLOUT}
    assert again.corrupt == ()
    assert not torn.exists()


def test_corrupt_service_is_skipped_reported_and_kept_for_a_person_to_see(tmp_path: Path) -> None:
    store(tmp_path).put(ROUTE, ROLLOUT)
    broken = tmp_path / "services" / "default.other.json"
    broken.write_text("{")
    journal = ListJournal()
    again = store(tmp_path, journal)
    assert again.routes == {"default/hello": ROUTE}
    assert again.corrupt == ("services/default.other.json",)
    assert journal.entries[0][0] == "service corrupt"
    assert journal.entries[0][1]["file"] == "services/default.other.json"
    assert broken.exists()
    put(again, "other")
    assert again.corrupt == ()


@pytest.mark.parametrize(
    "service", [DesiredService(ROUTE, ROLLOUT), DesiredService(ROUTE, replace(ROLLOUT, service="x"))]
)
def test_service_under_another_s_name_is_corrupt(tmp_path: Path, service: DesiredService) -> None:
    store(tmp_path)
    name = "default.other.json" if service.rollout == ROLLOUT else "default.hello.json"
    (tmp_path / "services" / name).write_text(encode(service))
    again = store(tmp_path)
    assert again.routes == {}
    assert again.corrupt == (f"services/{name}",)


def test_host_moves_to_whoever_asked_last_also_on_disk(tmp_path: Path) -> None:
    journal = ListJournal()
    first = store(tmp_path, journal)
    put(first, "old", "shop.localhost", "old.localhost")
    put(first, "new", "shop.localhost")
    hosts = {key: route.hosts for key, route in store(tmp_path).routes.items()}
    assert hosts == {"default/new": ("shop.localhost",), "default/old": ("old.localhost",)}
    assert journal.entries == [("host moved", {"before": "default/old", "after": "default/new"})]


def test_part_of_a_host_moves_to_whoever_asked_last_also_on_disk(tmp_path: Path) -> None:
    api, files = PathRoute("shop.example.com", "/api"), PathRoute("shop.example.com", "/files", "/")
    first = store(tmp_path)
    put(first, "old", paths=(api, files))
    put(first, "new", paths=(replace(api, rewrite="/v2"),))
    paths = {key: route.paths for key, route in store(tmp_path).routes.items()}
    assert paths == {"default/new": (replace(api, rewrite="/v2"),), "default/old": (files,)}


@pytest.mark.parametrize("name", ["../up", "a.b", "", "A", "a/b"])
def test_name_that_would_leave_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="tenant and service must be DNS labels"):
        store(tmp_path).delete("default", name)
