"""Restoring: a stack's files and volumes as a backup has them, where nothing of the stack is left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from runyard import files, names
from runyard.backup.archive import PASSPHRASE, SETTINGS, STATE, Contents, unpack, volume_piece
from runyard.backup.place import Place
from runyard.backup.sealing import is_sealed, unseal
from runyard.errors import Conflict, HostError, UsageError
from runyard.host.thing import Thing
from runyard.host.volume import Volume, Volumes
from runyard.pulumi.passphrase import opens, salt_of_settings, salt_of_state
from runyard.pulumi.state import parse_state

# Of what stands in the way, enough to see what it is.
_SHOWN = 5


class Host(Protocol):
    """As much of the engine as this needs."""

    def owned(self, stack: str) -> list[Thing]:
        """List what carries a stack's label."""
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored of a backup: its volumes by name, and what its user should know."""

    contents: Contents
    volumes: Sequence[str]
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Given:
    """A backup as its user gives it: what is read, what it is called, and where the keys of an encrypted one are."""

    archive: IO[bytes]
    shown: str
    identity: Path | None = None
    # Whether tenants' volumes stay as they are on the host; or all of it, as its state alone was lost.
    without_volumes: bool = False
    state_only: bool = False


def restore(host: Host, volumes: Callable[[str], Volumes], place_of: Callable[[str], Place], given: Given) -> Restored:
    """Put a backup back; `volumes` and `place_of` give those of a stack.

    Nothing is touched unless all can be done: UsageError for an archive that is damaged or none of ours, or a
    passphrase that is not the stack's, Conflict for what is there of the stack already.
    """
    with tempfile.TemporaryDirectory(prefix="runyard-restore-") as temporary:
        directory = Path(temporary)
        contents = _open(given, directory)
        place = place_of(contents.stack)
        wanted = [
            Volume(name, labels)
            for name, labels in sorted(contents.volumes.items())
            if not (given.state_only or (given.without_volumes and labels.get(names.ROLE) == names.ROLE_DATA))
        ]
        _check_state(place)
        if not given.state_only:
            _check_free(host, place.stack, wanted)
        passphrase = _check_passphrase(place, directory, contents, given.shown)
        warnings = _check_settings(place, directory, passphrase)
        if wanted:
            _put_volumes(volumes(contents.stack), wanted, directory)
        _put_files(place, directory)
    return Restored(contents, [each.name for each in wanted], warnings)


def _open(given: Given, directory: Path) -> Contents:
    if not is_sealed(given.archive):
        return unpack(given.archive, directory, given.shown)
    if given.identity is None:
        raise UsageError(f"restore {given.shown}: is encrypted: --identity FILE must name who may read it")
    with tempfile.TemporaryFile(dir=directory) as plain:
        unseal(given.archive, plain, given.identity, given.shown)
        plain.seek(0)
        return unpack(plain, directory, given.shown)


def _check_state(place: Place) -> None:
    stack = place.stack
    if place.state.exists() and parse_state(place.state.read_bytes()).resources:
        raise Conflict(
            f"restore stack {stack}: it is there: {place.state}\n  take it down first: runyard down -s {stack}"
        )


def _check_free(host: Host, stack: str, wanted: Sequence[Volume]) -> None:
    mine = {each.name for each in wanted}
    standing = [
        f"{each.kind} {each.name}"
        for each in host.owned(stack)
        if each.role != names.ROLE_DATA or (each.kind == "volume" and each.name in mine)
    ]
    if standing:
        more = ", …" if standing[_SHOWN:] else ""
        raise Conflict(
            f"restore stack {stack}: the host has of it: {', '.join(standing[:_SHOWN])}{more}\n"
            f"  runyard down --force -s {stack} removes it, but for tenants' volumes (--without-volumes),"
            "\n  --state-only is for a stack that runs and is to stay"
        )


def _check_passphrase(place: Place, directory: Path, contents: Contents, shown: str) -> str:
    """Give the passphrase that the stack will have; UsageError unless that opens its state."""
    found = place.passphrase()
    kept = directory / PASSPHRASE
    if found is None and not kept.exists():
        raise UsageError(
            f"restore {shown}: is not encrypted and so without the passphrase of stack {contents.stack}: put that in"
            f" {place.passphrase_file}, or in PULUMI_CONFIG_PASSPHRASE"
        )
    passphrase = kept.read_text() if found is None else found
    if not opens(passphrase, salt_of_state((directory / STATE).read_bytes())):
        where = shown if found is None else f"PULUMI_CONFIG_PASSPHRASE or {place.passphrase_file}"
        raise UsageError(
            f"restore {shown}: the passphrase must be the one that stack {contents.stack} was made with, and that of"
            f" {where} is another\n  other stacks may need it: RUNYARD_DATA can name another directory for this one"
        )
    return passphrase


def _check_settings(place: Place, directory: Path, passphrase: str) -> list[str]:
    """Judge settings that are there already, from git perhaps; UsageError if they are another passphrase's."""
    if not place.settings.exists():
        return []
    there = place.read_settings()
    if there == (directory / SETTINGS).read_bytes():
        return []
    if not opens(passphrase, salt_of_settings(there)):
        raise UsageError(
            f"restore: {place.settings} must be of the stack's passphrase, and is of another: move it away"
        )
    return [f"warning: {place.settings} is there and stays, though the backup has others"]


def _put_volumes(volumes: Volumes, wanted: Sequence[Volume], directory: Path) -> None:
    made: list[str] = []
    try:
        for each in wanted:
            volumes.create(each)
            made.append(each.name)
        with volumes.mounted(made) as mounted:
            for name in made:
                with (directory / volume_piece(name)).open("rb") as archive:
                    mounted.write(archive)
    except BaseException:
        # Half a stack would stand in the way of the next attempt.
        for name in made:
            volumes.remove(name)
        raise


def _put_files(place: Place, directory: Path) -> None:
    """Write what the stack's next update begins with; the state last, as with it the stack is there."""
    kept = directory / PASSPHRASE
    if kept.exists() and place.passphrase() is None:
        _put(place.passphrase_file, kept.read_bytes())
    if not place.settings.exists():
        _put(place.settings, (directory / SETTINGS).read_bytes())
    _put(place.state, (directory / STATE).read_bytes())


def _put(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(file, data, mode=0o600)
    except OSError as error:
        raise HostError(f"restore {os.fspath(file)}: {error.strerror}") from None
