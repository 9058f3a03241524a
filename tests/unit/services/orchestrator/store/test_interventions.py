from __future__ import annotations

from pathlib import Path

from runyard.contracts import Override, Pause
from services.orchestrator.store.interventions import Interventions

from ..world import ListJournal

SHOP, CART = (Override("acme", name, count, 2000) for name, count in (("shop", 3), ("cart", 0)))


def test_override_holds_until_its_end_and_over_a_restart(tmp_path: Path) -> None:
    Interventions(tmp_path, ListJournal()).put_override(SHOP, 1000)
    kept = Interventions(tmp_path, ListJournal())
    assert kept.overrides(1999.9) == {"acme/shop": SHOP}
    assert kept.overrides(2000) == {}


def test_service_has_one_override_and_what_is_over_goes(tmp_path: Path) -> None:
    kept, other = Interventions(tmp_path, ListJournal()), Override("acme", "shop", 5, 3000)
    kept.put_override(SHOP, 1000)
    kept.put_override(CART, 1000)
    kept.put_override(other, 1000)
    assert kept.overrides(1500) == {"acme/shop": other, "acme/cart": CART}
    kept.put_override(other, 2500)
    assert Interventions(tmp_path, ListJournal()).overrides(1500) == {"acme/shop": other}


def test_ended_override_is_gone_and_ending_none_writes_nothing(tmp_path: Path) -> None:
    kept = Interventions(tmp_path, ListJournal())
    kept.end_override("acme", "shop")
    assert list(tmp_path.iterdir()) == []
    kept.put_override(SHOP, 1000)
    kept.end_override("acme", "shop")
    assert Interventions(tmp_path, ListJournal()).overrides(1000) == {}


def test_restarts_are_kept_until_their_instances_are_gone(tmp_path: Path) -> None:
    kept = Interventions(tmp_path, ListJournal())
    kept.restart(["a1", "a2"])
    kept.restart(["a2"])
    assert Interventions(tmp_path, ListJournal()).restarting == {"a1", "a2"}
    kept.keep_instances({"a2", "a3"})
    assert Interventions(tmp_path, ListJournal()).restarting == {"a2"}


def test_pause_and_drains_are_kept_beside_the_rest_until_they_are_over(tmp_path: Path) -> None:
    kept, pause = Interventions(tmp_path, ListJournal()), Pause("acme", "shop", 2000)
    kept.put_override(SHOP, 1000)
    kept.put_pause(pause, 1000)
    kept.drain(["a1", "a2"])
    again = Interventions(tmp_path, ListJournal())
    assert (again.pauses(1999), again.pauses(2000), again.draining) == ({"acme/shop": pause}, {}, {"a1", "a2"})
    assert again.overrides(1000) == {"acme/shop": SHOP}
    again.keep_instances({"a2"})
    again.end_pause("acme", "cart")
    again.end_pause("acme", "shop")
    left = Interventions(tmp_path, ListJournal())
    assert (left.pauses(1000), left.draining, left.overrides(1000)) == ({}, {"a2"}, {"acme/shop": SHOP})


def test_file_that_cannot_be_read_is_told_and_leaves_the_manifest_in_force(tmp_path: Path) -> None:
    (tmp_path / "interventions.json").write_text("{")
    journal = ListJournal()
    kept = Interventions(tmp_path, journal)
    assert (kept.overrides(0), kept.restarting, journal.events()) == ({}, frozenset(), ["interventions corrupt"])
