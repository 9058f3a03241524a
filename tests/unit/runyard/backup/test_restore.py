"""Restoring: what comes back, and that nothing is touched where not all of it can."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pyrage import x25519

from runyard.backup.restore import Given, Restored, restore
from runyard.backup.take import Wanted, take
from runyard.errors import Conflict, HostError, UsageError
from tests.unit.runyard.backup.world import World
from tests.unit.runyard.pulumi.test_passphrase import PASSPHRASE, SALT

KEY = x25519.Identity.generate()


@pytest.fixture
def given(world: World, tmp_path: Path) -> Given:
    """Give an encrypted backup of a world of which then nothing is left."""
    return take_and_lose(world, tmp_path, Wanted(recipients=[KEY.to_public()]))


def take_and_lose(world: World, directory: Path, wanted: Wanted) -> Given:
    into = io.BytesIO()
    take(world.host, world.host, world.place(), wanted, into)
    into.seek(0)
    shutil.rmtree(world.data)
    world.settings.unlink()
    world.host.kept.clear()
    (directory / "key").write_text(str(KEY))
    return Given(into, "b.tar.gz", directory / "key")


def restored(world: World, given: Given) -> Restored:
    return restore(world.host, lambda _: world.host, world.place, given)


def untouched(world: World) -> bool:
    return not world.data.exists() and not world.settings.exists() and not world.host.kept


def test_everything_comes_back_as_it_was(world: World, given: Given) -> None:
    done = restored(world, given)
    assert (done.contents.stack, done.warnings) == ("dev", [])
    assert json.loads(world.place().state.read_text())["version"] == 3
    assert world.place().passphrase() == PASSPHRASE
    assert (world.data / "passphrase").stat().st_mode & 0o777 == 0o600
    assert world.settings.read_text() == "config: {}\n"
    assert world.files("gateway") == {"snapshot": b"routes"}
    # All else of the database is made by its first start.
    assert world.files("postgres") == {"database.dump": b"all of the ledger"}
    assert world.files("volume.default.notes") == {"note": b"kept"}
    assert "runyard.dev.prometheus" not in world.host.kept
    assert world.host.kept["runyard.dev.volume.default.notes"][0]["runyard.dev/tenant"] == "default"


def test_encrypted_backup_wants_its_key(world: World, given: Given) -> None:
    with pytest.raises(UsageError, match=r"^restore b\.tar\.gz: is encrypted: --identity FILE must name who may"):
        restored(world, replace(given, identity=None))
    assert untouched(world)


def test_backup_in_the_open_wants_the_passphrase(world: World, tmp_path: Path) -> None:
    world.encrypt()
    given = take_and_lose(world, tmp_path, Wanted())
    with pytest.raises(UsageError, match=r"^restore b\.tar\.gz: is not encrypted and so without the passphrase of"):
        restored(world, given)
    assert untouched(world)
    world.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    with pytest.raises(UsageError, match=r"the passphrase must be the one that stack dev was made with, and that of"):
        restored(world, given)
    assert untouched(world)
    world.environment["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
    restored(world, given)
    assert not (world.data / "passphrase").exists()
    assert world.files("gateway") == {"snapshot": b"routes"}


def test_passphrase_of_other_stacks_is_not_overwritten(world: World, tmp_path: Path) -> None:
    world.encrypt()
    given = take_and_lose(world, tmp_path, Wanted(recipients=[KEY.to_public()]))
    world.data.mkdir()
    (world.data / "passphrase").write_text("of others\n")
    with pytest.raises(UsageError, match=r"other stacks may need it: RUNYARD_DATA can name another directory"):
        restored(world, given)
    assert (world.data / "passphrase").read_text() == "of others\n"
    assert world.host.kept == {}


def test_stack_that_is_there_stays(world: World, given: Given) -> None:
    world.write_state({})
    with pytest.raises(Conflict, match=r"^restore stack dev: it is there: .*\n  take it down first: runyard down -s"):
        restored(world, given)
    # What `down` leaves of a stack is nothing.
    world.write_state({}, [])
    restored(world, given)


def test_what_the_host_has_of_the_stack_stays(world: World, given: Given) -> None:
    world.host.containers = [f"runyard.dev.{number}" for number in range(6)]
    with pytest.raises(Conflict) as refused:
        restored(world, given)
    first = "restore stack dev: the host has of it: container runyard.dev.0, container runyard.dev.1, "
    assert str(refused.value).startswith(first)
    assert ", …\n  runyard down --force -s dev removes it" in str(refused.value)
    assert untouched(world)


def test_tenants_volumes_that_are_there_stay_and_can_be_left_out(world: World, given: Given) -> None:
    world.host.add("volume.default.notes", "data", note="newer")
    with pytest.raises(Conflict, match=r"the host has of it: volume runyard\.dev\.volume\.default\.notes\n"):
        restored(world, given)
    done = restored(world, replace(given, without_volumes=True))
    assert not [each for each in done.volumes if ".volume." in each]
    assert world.files("volume.default.notes") == {"note": b"newer"}
    assert "runyard.dev.volume.default.films" not in world.host.kept


def test_state_alone_comes_back_to_a_stack_that_runs(world: World, given: Given) -> None:
    world.host.containers = ["runyard.dev.gateway"]
    world.host.add("gateway", snapshot="newer")
    assert restored(world, replace(given, state_only=True)).volumes == []
    assert world.place().state.exists()
    assert world.place().passphrase() == PASSPHRASE
    assert world.files("gateway") == {"snapshot": b"newer"}


def test_settings_that_are_there_stay_unless_they_are_another_passphrases(world: World, given: Given) -> None:
    text = "config: { other: 1 }\n"
    world.settings.write_text(text)
    (warning,) = restored(world, given).warnings
    assert warning == f"warning: {world.settings} is there and stays, though the backup has others"
    assert world.settings.read_text() == text


def test_settings_of_another_passphrase_are_refused(world: World, given: Given) -> None:
    world.settings.write_text(f"encryptionsalt: {SALT.replace('Czov', 'Abcd')}\n")
    with pytest.raises(UsageError, match=r"must be of the stack's passphrase, and is of another: move it away$"):
        restored(world, given)
    assert (world.data.exists(), world.host.kept) == (False, {})


def test_host_that_fails_half_way_is_left_empty(world: World, given: Given) -> None:
    world.host.full = "runyard.dev.postgres"
    with pytest.raises(HostError, match=r"^no space left on device$"):
        restored(world, given)
    assert untouched(world)


def test_file_that_cannot_be_written_is_an_error_that_names_it(world: World, given: Given) -> None:
    # A file where a directory has to be.
    world.data.mkdir()
    (world.data / "state").write_text("")
    with pytest.raises(HostError) as refused:
        restored(world, replace(given, state_only=True))
    assert str(refused.value) == f"restore {world.place().state}: Not a directory"
