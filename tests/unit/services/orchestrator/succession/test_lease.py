from __future__ import annotations

from pathlib import Path

from services.orchestrator.succession.lease import Lease


def test_lease_has_one_holder(tmp_path: Path) -> None:
    first, second = Lease(tmp_path / "lease", "one"), Lease(tmp_path / "lease", "two")
    assert (first.take(), second.take()) == (True, False)
    assert second.holder() == "one"
    first.release()
    assert second.take()
    assert second.holder() == "two"
    second.release()


def test_shorter_name_of_the_next_holder_leaves_nothing_of_the_last_one(tmp_path: Path) -> None:
    first, second = Lease(tmp_path / "lease", "orchestrator"), Lease(tmp_path / "lease", "standby")
    assert first.take()
    first.release()
    assert second.take()
    assert second.holder() == "standby"
    second.release()


def test_lease_whose_file_was_removed_is_nobodys_and_the_next_one_is_found_by_all(tmp_path: Path) -> None:
    first, second, third = (Lease(tmp_path / "lease", each) for each in ("one", "two", "three"))
    assert first.take()
    (tmp_path / "lease").unlink()
    assert not first.is_current()
    # What is locked now is a file that whoever comes later finds too.
    assert second.take()
    assert second.is_current()
    assert not third.take()
    assert third.holder() == "two"
    for each in (first, second, third):
        each.release()
