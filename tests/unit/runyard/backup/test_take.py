"""Taking: what is in a backup, in which order it is read, and when there is none."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from runyard import names
from runyard.backup.archive import PASSPHRASE, SETTINGS, Contents, unpack, volume_piece
from runyard.backup.sealing import is_sealed, unseal
from runyard.backup.take import Wanted, describe, take
from runyard.errors import HostError, LockError, NotFound, UsageError
from tests.unit.runyard.backup.world import POSTGRES_USER, World, archive_of, files_of
from tests.unit.runyard.pulumi.test_passphrase import PASSPHRASE as WORDS

PLATFORM = ["runyard.dev.gateway", "runyard.dev.meter", "runyard.dev.postgres"]
EVERYTHING = Wanted()
TENANTS = ["runyard.dev.volume.default.films", "runyard.dev.volume.default.notes"]


def taken(world: World, wanted: Wanted = EVERYTHING) -> tuple[Contents, io.BytesIO]:
    into = io.BytesIO()
    contents = take(world.host, world.host, world.place(), wanted, into)
    into.seek(0)
    return contents, into


def pieces(archive: io.BytesIO, directory: Path) -> dict[str, bytes]:
    target = directory / "unpacked"
    target.mkdir()
    contents = unpack(archive, target, "b")
    return {name: (target / name).read_bytes() for name in contents.pieces}


def test_backup_has_files_and_volumes_but_no_metrics_and_in_the_open_no_passphrase(
    world: World, tmp_path: Path
) -> None:
    contents, archive = taken(world)
    assert sorted(contents.volumes) == [*PLATFORM, *TENANTS]
    assert contents.volumes["runyard.dev.gateway"] == {names.STACK: "dev", names.ROLE: "volume"}
    found = pieces(archive, tmp_path)
    assert PASSPHRASE not in found
    assert found[SETTINGS] == world.settings.read_bytes()
    assert json.loads(found["state.json"])["version"] == 3
    assert files_of(found[volume_piece("runyard.dev.gateway")])["runyard.dev.gateway/snapshot"] == b"routes"
    told = describe(contents)
    assert (told["stack"], told["passphrase"], told["volumes"]) == ("dev", False, [*PLATFORM, *TENANTS])


def test_ledger_is_dumped_before_the_meter_is_read_and_the_dump_is_removed(world: World, tmp_path: Path) -> None:
    _, archive = taken(world)
    assert world.host.read[0] == "runyard.dev.postgres"
    dumped = pieces(archive, tmp_path)[volume_piece("runyard.dev.postgres")]
    # Nothing else of the volume, below a directory that is the database's own.
    expected = archive_of({"runyard.dev.postgres": None, "runyard.dev.postgres/database.dump": b"all of the ledger"})
    assert files_of(dumped) == files_of(expected)
    with tarfile.open(fileobj=io.BytesIO(dumped)) as opened:
        assert next((each.uid, oct(each.mode)) for each in opened) == (POSTGRES_USER, "0o755")
    assert world.files("postgres") == {"PG_VERSION": b"15"}


def test_database_that_fails_ends_it_with_its_own_words(world: World) -> None:
    world.host.dump_fails = "pg_dump: error: no"
    with pytest.raises(HostError, match=r"^dump the ledger's database: pg_dump: error: no$"):
        taken(world)


def test_what_is_encrypted_has_the_passphrase(world: World, tmp_path: Path) -> None:
    key = x25519.Identity.generate()
    contents, archive = taken(world, Wanted(recipients=[key.to_public()]))
    assert describe(contents)["passphrase"] is True
    assert is_sealed(archive)
    (tmp_path / "key").write_text(str(key))
    plain = io.BytesIO()
    unseal(archive, plain, tmp_path / "key", "b")
    plain.seek(0)
    assert pieces(plain, tmp_path)[PASSPHRASE] == WORDS.encode()


@pytest.mark.parametrize(("wanted", "expected"), [([], []), (["default/notes"], TENANTS[1:]), (None, TENANTS)])
def test_tenants_volumes_are_chosen_by_name(world: World, wanted: Any, expected: list[str]) -> None:
    contents, _ = taken(world, Wanted(volumes=wanted))
    assert sorted(contents.volumes) == [*PLATFORM, *expected]


def test_volume_that_there_is_not_is_refused_with_those_that_are(world: World) -> None:
    with pytest.raises(UsageError) as refused:
        taken(world, Wanted(volumes=["default/none"]))
    known = "default/films, default/notes"
    assert str(refused.value) == (f"backup: volume default/none: must be one of those that tenants keep ({known})")
    assert world.host.read == []


def test_stack_under_an_update_before_or_meanwhile_is_refused(world: World) -> None:
    lock = world.lock()
    with pytest.raises(LockError, match=r"^stack dev: must not be under an update\n"):
        taken(world)
    lock.unlink()
    state = world.place().state
    world.host.while_read = lambda: state.write_text(state.read_text() + " ") and None
    with pytest.raises(LockError, match=r"^backup: stack dev was updated meanwhile: take it again$"):
        taken(world)


def test_volume_that_changes_while_it_is_read_is_refused(world: World) -> None:
    world.host.cut = True
    with pytest.raises(HostError, match=r"^read volume runyard\.dev\.gateway: it changed while it was read: take"):
        taken(world)


def test_passphrase_of_another_stack_or_none_is_refused(world: World) -> None:
    world.encrypt()
    (world.data / "passphrase").write_text("another")
    with pytest.raises(UsageError, match=r"stack dev was made with, found another: PULUMI_CONFIG_PASSPHRASE, or "):
        taken(world)
    (world.data / "passphrase").unlink()
    with pytest.raises(UsageError, match=r"stack dev was made with, found none: "):
        taken(world)


def test_stack_that_is_not_up_not_there_or_without_settings_is_refused(world: World) -> None:
    state = world.place().state
    kept = state.read_text()
    world.write_state({}, [])
    with pytest.raises(UsageError, match=r"^backup: stack dev has nothing: it is not up$"):
        taken(world)
    state.rename(state.with_name("prod.json"))
    with pytest.raises(NotFound, match=r"^stack dev: must be one of those that are there \(prod\)$"):
        taken(world)
    state.write_text(kept)
    world.settings.unlink()
    with pytest.raises(UsageError, match=r"^settings of stack dev: .*: No such file or directory$"):
        taken(world)


def test_state_elsewhere_is_refused(world: World) -> None:
    world.environment["PULUMI_BACKEND_URL"] = "s3://bucket"
    with pytest.raises(UsageError, match=r"^state of stack dev: must be in a directory of this machine, .* s3://\n"):
        taken(world)
