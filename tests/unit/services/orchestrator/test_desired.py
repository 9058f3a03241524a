from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runyard.contracts import PathRoute, RolloutRequest, RouteRequest, TrafficShare, encode
from runyard.errors import UsageError
from services.orchestrator.commitment import Commitment, HeldCapacity
from services.orchestrator.desired import DesiredStore

from .world import ListJournal

ROUTE = RouteRequest("default", "hello", ("hello.localhost",))
ROLLOUT = Commitment("default", "hello", (TrafficShare("hello-1", 100),), since_unix_s=12.5)


def store(directory: Path, journal: ListJournal | None = None) -> DesiredStore:
    return DesiredStore(directory, journal or ListJournal())


def test_documents_survive_a_restart(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.put_route(ROUTE)
    first.put_rollout(ROLLOUT)
    again = store(tmp_path)
    assert (again.routes, again.rollouts) == ({"default/hello": ROUTE}, {"default/hello": ROLLOUT})


def test_shift_under_way_survives_a_restart(tmp_path: Path) -> None:
    before = (TrafficShare("hello-0", 100),)
    moving = replace(ROLLOUT, before=before, stalled=True, held=(HeldCapacity("hello-1", 3),))
    store(tmp_path).put_rollout(moving)
    assert store(tmp_path).rollouts == {"default/hello": moving}


def test_rollout_of_an_older_orchestrator_is_read(tmp_path: Path) -> None:
    store(tmp_path)
    older = RolloutRequest("default", "hello", ROLLOUT.traffic)
    (tmp_path / "rollouts" / "default.hello.json").write_text(encode(older))
    assert store(tmp_path).rollouts == {"default/hello": replace(ROLLOUT, since_unix_s=0.0)}


def test_deletes_survive_a_restart_and_are_repeatable(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.put_route(ROUTE)
    first.put_rollout(ROLLOUT)
    for _ in range(2):
        first.delete_route("default", "hello")
        first.delete_rollout("default", "hello")
    assert (first.routes, first.rollouts) == ({}, {})
    assert (store(tmp_path).routes, store(tmp_path).rollouts) == ({}, {})


def test_write_that_was_cut_short_leaves_the_document_before_it(tmp_path: Path) -> None:
    store(tmp_path).put_rollout(ROLLOUT)
    torn = tmp_path / "rollouts" / "default.hello.tmp"
    torn.write_text('{"tenant":"def')
    again = store(tmp_path)
    assert again.rollouts == {"default/hello": ROLLOUT}
    assert again.corrupt == ()
    assert not torn.exists()


def test_corrupt_document_is_skipped_reported_and_kept_for_a_person_to_see(tmp_path: Path) -> None:
    store(tmp_path).put_route(ROUTE)
    broken = tmp_path / "routes" / "default.other.json"
    broken.write_text("{")
    journal = ListJournal()
    again = store(tmp_path, journal)
    assert again.routes == {"default/hello": ROUTE}
    assert again.corrupt == ("routes/default.other.json",)
    assert journal.entries[0][0] == "document corrupt"
    assert journal.entries[0][1]["file"] == "routes/default.other.json"
    assert broken.exists()


def test_document_under_another_s_name_is_corrupt(tmp_path: Path) -> None:
    store(tmp_path)
    (tmp_path / "routes" / "default.other.json").write_text(encode(ROUTE))
    again = store(tmp_path)
    assert again.routes == {}
    assert again.corrupt == ("routes/default.other.json",)


def test_host_moves_to_whoever_asked_last_also_on_disk(tmp_path: Path) -> None:
    journal = ListJournal()
    first = store(tmp_path, journal)
    first.put_route(RouteRequest("default", "old", ("shop.localhost", "old.localhost")))
    first.put_route(RouteRequest("default", "new", ("shop.localhost",)))
    hosts = {key: route.hosts for key, route in store(tmp_path).routes.items()}
    assert hosts == {"default/new": ("shop.localhost",), "default/old": ("old.localhost",)}
    assert journal.entries == [("host moved", {"before": "default/old", "after": "default/new"})]


def test_part_of_a_host_moves_to_whoever_asked_last_also_on_disk(tmp_path: Path) -> None:
    api, files = PathRoute("shop.example.com", "/api"), PathRoute("shop.example.com", "/files", "/")
    first = store(tmp_path)
    first.put_route(RouteRequest("default", "old", (), paths=(api, files)))
    first.put_route(RouteRequest("default", "new", (), paths=(replace(api, rewrite="/v2"),)))
    paths = {key: route.paths for key, route in store(tmp_path).routes.items()}
    assert paths == {"default/new": (replace(api, rewrite="/v2"),), "default/old": (files,)}


@pytest.mark.parametrize("name", ["../up", "a.b", "", "A", "a/b"])
def test_name_that_would_leave_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        store(tmp_path).delete_route("default", name)
    assert str(caught.value) == f"routes: tenant and service must be DNS labels, got {name!r}"
