"""Taking: everything that makes a stack, read while it runs, as the pieces of a backup."""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from runyard import names
from runyard.backup.archive import FORMAT, PASSPHRASE, SETTINGS, STATE, Contents, measure, pack, volume_piece
from runyard.backup.place import Place
from runyard.backup.sealing import seal
from runyard.errors import HostError, LockError, UsageError
from runyard.host.volume import Mounted, Volume, Volumes
from runyard.plan.part import PartVolume
from runyard.plan.parts import PARTS
from runyard.pulumi.passphrase import opens, salt_of_state
from runyard.pulumi.state import parse_state

# How a tar archive ends: two empty blocks (POSIX ustar).
_END_BYTES = 1024


class Host(Protocol):
    """As much of the engine as this needs."""

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be in a backup: which tenants' volumes, None for all, and to whom it is encrypted.

    A tenant's volume is `tenant/volume`. `recipients` are as `parse_recipients` gives them; the passphrase is in what
    is encrypted, and in nothing else.
    """

    volumes: Sequence[str] | None = None
    recipients: Sequence[Any] = ()


def take(host: Host, volumes: Volumes, place: Place, wanted: Wanted, into: IO[bytes]) -> Contents:
    """Write a backup of a stack that runs.

    LockError while an update changes it, NotFound or UsageError where something of it is not there, HostError where the
    engine or the ledger's database fails.
    """
    state = place.read_state()
    if not parse_state(state).resources:
        raise UsageError(f"backup: stack {place.stack} has nothing: it is not up")
    passphrase = _passphrase(place, state)
    found = volumes.list()
    saved = {names.platform_volume(place.stack, each.name): each for each in _saved_volumes()}
    platform = [each for each in found if each.name in saved]
    kept = choose(place.stack, found, wanted.volumes)
    with tempfile.TemporaryDirectory(prefix="runyard-backup-") as temporary:
        directory = Path(temporary)
        (directory / STATE).write_bytes(state)
        (directory / SETTINGS).write_bytes(place.read_settings())
        if wanted.recipients:
            (directory / PASSPHRASE).write_text(passphrase)
        (directory / volume_piece("")).parent.mkdir()
        # The ledger before the meter: it notes how far it has read there, and must find at least so much again.
        platform.sort(key=lambda each: (saved[each.name].saved != "dump", each.name))
        with volumes.mounted([each.name for each in (*platform, *kept)]) as mounted:
            for each in (*platform, *kept):
                target = directory / volume_piece(each.name)
                if each.name in saved and saved[each.name].saved == "dump":
                    _dump(host, mounted, place.stack, each.name, target)
                else:
                    _read(mounted, each.name, target)
        if place.read_state() != state:
            raise LockError(f"backup: stack {place.stack} was updated meanwhile: take it again")
        contents = Contents(
            format=FORMAT,
            stack=place.stack,
            made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            pieces={
                str(each.relative_to(directory)): measure(each)
                for each in sorted(directory.rglob("*"))
                if each.is_file()
            },
            volumes={each.name: dict(each.labels) for each in (*platform, *kept)},
        )
        _write(contents, directory, wanted.recipients, into)
    return contents


def choose(stack: str, found: Iterable[Volume], wanted: Sequence[str] | None) -> list[Volume]:
    """Choose tenants' volumes by `tenant/volume`, None for all; UsageError names one that there is not."""
    kept = {_named(stack, each): each for each in found if each.labels.get(names.ROLE) == names.ROLE_DATA}
    if wanted is None:
        return list(kept.values())
    missing = [each for each in wanted if each not in kept]
    if missing:
        known = ", ".join(sorted(kept)) or "none"
        raise UsageError(f"backup: volume {missing[0]}: must be one of those that tenants keep ({known})")
    return [each for name, each in kept.items() if name in wanted]


def _named(stack: str, volume: Volume) -> str:
    tenant = volume.labels.get(names.TENANT, "")
    return f"{tenant}/{volume.name.removeprefix(names.persistent_volume(stack, tenant, ''))}"


def _saved_volumes() -> Iterable[PartVolume]:
    return (each for part in PARTS for each in part.volumes if each.own and each.saved != "nothing")


def _passphrase(place: Place, state: bytes) -> str:
    """Read the passphrase that opens the state; UsageError for another, with which nobody could use the backup."""
    passphrase = place.passphrase()
    if passphrase is None or not opens(passphrase, salt_of_state(state)):
        found = "none" if passphrase is None else "another"
        raise UsageError(
            f"backup: the passphrase must be the one that stack {place.stack} was made with, found {found}:"
            f" PULUMI_CONFIG_PASSPHRASE, or {place.passphrase_file}"
        )
    return passphrase


def _read(mounted: Mounted, volume: str, target: Path) -> None:
    with target.open("wb") as file:
        mounted.read(volume, "", file)
    _check_whole(volume, target)


def _dump(host: Host, mounted: Mounted, stack: str, volume: str, target: Path) -> None:
    """Have the database write what it has at one moment, and take that as all that its volume has."""
    container = names.platform_container(stack, names.ROLE_POSTGRES)
    dumped = f"{names.POSTGRES_DIRECTORY}/{names.DATABASE_DUMP_NAME}"
    try:
        code, said = host.execute(container, names.DATABASE_DUMP)
        if code:
            raise HostError(f"dump the ledger's database: {said.strip() or f'ended with {code}'}")
        with tempfile.TemporaryFile(dir=target.parent) as file:
            mounted.read(volume, names.DATABASE_DUMP_NAME, file)
            file.seek(0)
            _put_below(file, volume, target)
    finally:
        with contextlib.suppress(HostError):
            host.execute(container, ("rm", "-f", dumped, f"{dumped}.draft"))
    _check_whole(volume, target)


def _put_below(archive: IO[bytes], volume: str, target: Path) -> None:
    """Write an archive of a volume that has one file, and is owned by whom that is owned by, from one of the file."""
    with tarfile.open(fileobj=archive) as read, tarfile.open(target, "w") as written:
        (file,) = read.getmembers()
        root = tarfile.TarInfo(volume)
        root.type, root.mode, root.uid, root.gid = tarfile.DIRTYPE, 0o755, file.uid, file.gid
        written.addfile(root)
        content = read.extractfile(file)
        file.name = f"{volume}/{file.name}"
        written.addfile(file, content)


def _check_whole(volume: str, archive: Path) -> None:
    """HostError for an archive without its end: the engine tells nothing of a file that shrank while it was read."""
    with archive.open("rb") as file:
        whole = archive.stat().st_size > _END_BYTES
        if whole:
            file.seek(-_END_BYTES, 2)
            whole = not any(file.read())
    try:
        with tarfile.open(archive) as opened:
            whole = whole and all(each.name.split("/")[0] == volume for each in opened)
    except tarfile.TarError:
        whole = False
    if not whole:
        raise HostError(f"read volume {volume}: it changed while it was read: take the backup again")


def _write(contents: Contents, directory: Path, recipients: Sequence[Any], into: IO[bytes]) -> None:
    if not recipients:
        pack(contents, directory, into)
        return
    with tempfile.TemporaryFile(dir=directory) as plain:
        pack(contents, directory, plain)
        plain.seek(0)
        seal(plain, into, recipients)


def describe(contents: Contents) -> Mapping[str, Any]:
    """Say as plain data what a backup has."""
    return {
        "stack": contents.stack,
        "made": contents.made,
        "passphrase": PASSPHRASE in contents.pieces,
        "volumes": sorted(contents.volumes),
        "bytes": sum(each.bytes for each in contents.pieces.values()),
    }
