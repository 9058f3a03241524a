from __future__ import annotations

from pathlib import Path

import pytest

from runyard.contracts import GatewayService, GatewaySnapshot, RolloutRequest, RouteRequest, TrafficShare, encode
from services.orchestrator.gateway.base import Base
from services.orchestrator.model.instance import Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.rollouts import Proposal, Rollouts
from services.orchestrator.scaling.demand import View
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.interventions import Interventions

from ..world import NETWORK, ListJournal, document

KEY, ROUTE = "default/hello", RouteRequest("default", "hello", ("hello.localhost",))
OLD, NEW = (Revision(document(name, min_instances=count)) for name, count in (("hello-1", 1), ("hello-2", 3)))
REVISIONS = {each.key: each for each in (OLD, NEW)}


def request(*shares: tuple[str, int], duration_s: int = 0) -> RolloutRequest:
    traffic = tuple(TrafficShare(name, percent) for name, percent in shares)
    return RolloutRequest("default", "hello", traffic, 30, duration_s=duration_s)


def view(now_unix_s: float = 1000.0, **ready: int) -> View:
    return View(REVISIONS, {f"default/{name.replace('_', '-')}": count for name, count in ready.items()}, now_unix_s)


class Owned:
    """Rollouts with their store and what was told of them."""

    def __init__(self, directory: Path) -> None:
        self.journal, self.changes = ListJournal(), 0
        self.store = DesiredStore(directory, self.journal)
        base = Base(directory, directory / "gateway.json", self.journal, lambda *_: True)
        self.interventions = Interventions(directory, self.journal)
        self.rollouts = Rollouts(self.store, base, self.interventions, self.journal, self.count)

    def count(self) -> None:
        self.changes += 1


@pytest.fixture
def owned(tmp_path: Path) -> Owned:
    return Owned(tmp_path)


def test_revisions_of_a_rollout_under_way_are_wanted_beside_those_in_force(owned: Owned) -> None:
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    owned.rollouts.propose(KEY, request(("hello-2", 100)))
    assert owned.rollouts.wanted(view(), ()) == {OLD.key: 1, NEW.key: 3}
    owned.rollouts.withdraw(KEY)
    assert owned.rollouts.wanted(view(), ()) == {OLD.key: 1}
    assert owned.changes == 2


def test_rollout_that_is_put_in_force_keeps_the_route_unless_it_brings_one(owned: Owned) -> None:
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    owned.rollouts.commit(Proposal(request(("hello-2", 100))), view())
    assert owned.store.routes == {KEY: ROUTE}
    assert owned.rollouts.in_force[KEY].traffic == (TrafficShare("hello-2", 100),)


def test_traffic_moves_gradually_only_from_what_serves(owned: Owned) -> None:
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    gradual = Proposal(request(("hello-2", 100), duration_s=100))
    owned.rollouts.commit(gradual, view(hello_2=3))
    assert owned.rollouts.in_force[KEY].before == ()
    owned.rollouts.commit(Proposal(request(("hello-1", 100))), view())
    owned.rollouts.commit(gradual, view(hello_1=1, hello_2=3))
    assert owned.rollouts.in_force[KEY].before == (TrafficShare("hello-1", 100),)


def test_advance_ends_a_shift_when_its_time_has_come_and_tells_when_to_look_again(owned: Owned) -> None:
    assert owned.rollouts.advance(view()) is None
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    owned.rollouts.commit(Proposal(request(("hello-2", 100), duration_s=100)), view(hello_1=1, hello_2=3))
    assert owned.rollouts.advance(view(1000.5, hello_1=1, hello_2=3)) == pytest.approx(100 / 99 - 0.5)
    assert owned.journal.events() == []
    owned.rollouts.advance(view(1100.5, hello_1=1, hello_2=3))
    assert owned.rollouts.in_force[KEY].before == ()
    assert owned.journal.events() == ["shift done"]


def test_service_that_is_deleted_is_wanted_no_more_until_it_is_proposed_again(owned: Owned) -> None:
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    owned.rollouts.propose(KEY, request(("hello-2", 100)))
    owned.rollouts.delete("default", "hello")
    assert (owned.rollouts.wanted(view(), ()), owned.rollouts.deleted) == ({}, {KEY})
    owned.rollouts.propose(KEY, request(("hello-2", 100)))
    assert owned.rollouts.deleted == frozenset()


def test_abandoned_revisions_are_told_until_they_are_spared(owned: Owned) -> None:
    owned.rollouts.abandon({OLD.key, NEW.key})
    owned.rollouts.spare({OLD.key})
    assert owned.rollouts.abandoned == {NEW.key}


def test_what_served_before_a_loss_is_wanted_as_it_is_until_its_service_is_put(tmp_path: Path) -> None:
    lost = GatewaySnapshot(7, {KEY: GatewayService((TrafficShare("hello-1", 100),))})
    (tmp_path / "gateway.json").write_text(encode(lost))
    owned = Owned(tmp_path)
    running = [Instance(each, "default", "hello", "hello-1", "", NETWORK, ()) for each in ("1", "2")]
    assert owned.rollouts.wanted(view(), running) == {OLD.key: 2}
    assert owned.rollouts.wanted(view(), ()) == {}
    owned.rollouts.commit(Proposal(request(("hello-1", 100)), ROUTE), view())
    assert owned.rollouts.wanted(view(), running) == {OLD.key: 1}
