"""Where a stack's own files are, and what is told where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.backup.place import Place
from runyard.errors import LockError, NotFound, UsageError
from tests.unit.runyard.backup.world import World


def test_settings_are_the_projects_unless_others_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: runyard\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert Place.of("dev", None, {}).settings.resolve() == tmp_path / "stacks" / "Pulumi.dev.yaml"
    assert Place.of("dev", "other.yaml", {}).settings == Path("other.yaml")


def test_state_elsewhere_than_in_a_directory_is_refused_without_what_its_address_may_hold() -> None:
    place = Place("dev", Path("Pulumi.dev.yaml"), {"PULUMI_BACKEND_URL": "s3://key:secret@bucket"})
    with pytest.raises(UsageError, match=r"^state of stack dev: must be in a directory of this machine,") as refused:
        place.read_state()
    assert "s3://\n" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_stack_that_is_not_there_is_an_error_that_names_those_that_are(world: World) -> None:
    with pytest.raises(NotFound, match=r"^stack prd: must be one of those that are there \(dev\)$"):
        world.place("prd").read_state()
    world.place().state.unlink()
    with pytest.raises(NotFound, match=r"\(none\)$"):
        world.place().read_state()


def test_state_under_an_update_is_not_read(world: World) -> None:
    lock = world.lock()
    with pytest.raises(LockError, match=r"^stack dev: must not be under an update\n.*: pulumi cancel dev$"):
        world.place().read_state()
    # What else lies there is no lock.
    lock.rename(lock.with_suffix(".json.attrs"))
    assert world.place().read_state() == world.place().state.read_bytes()


def test_settings_that_are_not_there_are_an_error_that_names_the_file(world: World) -> None:
    world.settings.unlink()
    with pytest.raises(UsageError) as refused:
        world.place().read_settings()
    assert str(refused.value) == f"settings of stack dev: {world.settings}: No such file or directory"
