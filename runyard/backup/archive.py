"""Archive: the file that a backup is, a gzipped tar whose first member lists the others with sizes and digests."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runyard.codec import decode, encode
from runyard.errors import ContractError, UsageError
from runyard.names import DNS_LABEL

# The first one; what reads another has another number.
FORMAT = "runyard-backup-1"
CONTENTS = "contents.json"
STATE = "state.json"
SETTINGS = "settings.yaml"
PASSPHRASE = "passphrase"  # noqa: S105 - the name of a piece
# More than a list of some thousand volumes.
_MOST_CONTENTS_BYTES = 16 * 1024**2
_PIECE_BYTES = 1024**2
# What tarfile and what is below it raise for a file that is none, or is cut short.
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a backup, as it must be; `sha256` in hexadecimal digits."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup has: its pieces by name, and the labels of each volume, whose piece is `volume_piece` of its name.

    `made` is the time in UTC at which it was complete, as 2026-11-28T02:30:00Z.
    """

    format: str
    stack: str
    made: str
    pieces: Mapping[str, Piece]
    volumes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def volume_piece(volume: str) -> str:
    """Name the piece that has a volume."""
    return f"volumes/{volume}.tar"


def measure(file: Path) -> Piece:
    """Give a file's size and digest."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while data := opened.read(_PIECE_BYTES):
            digest.update(data)
    return Piece(file.stat().st_size, digest.hexdigest())


def pack(contents: Contents, directory: Path, into: IO[bytes]) -> None:
    """Write an archive of the pieces, which are files of a directory by their names."""
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=6) as archive:
        text = encode(contents).encode()
        archive.addfile(_member(CONTENTS, len(text)), io.BytesIO(text))
        for name, piece in contents.pieces.items():
            with (directory / name).open("rb") as file:
                archive.addfile(_member(name, piece.bytes), file)


def unpack(archive: IO[bytes], directory: Path, shown: str) -> Contents:
    """Write the pieces of an archive to a directory of ours alone, each as it was when it was packed.

    UsageError for what is no backup, is of another format, or is damaged; `shown` is what it is called.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as opened:
            contents = _read_contents(opened, shown)
            while (member := opened.next()) is not None:
                _unpack_member(opened, member, contents, directory, shown)
    except _DAMAGED as error:
        raise UsageError(f"restore {shown}: must be a whole backup: {error}") from None
    for name, piece in contents.pieces.items():
        file = directory / name
        if not file.is_file() or measure(file) != piece:
            raise UsageError(f"restore {shown}: must be as it was made: {name} is damaged or missing")
    return contents


def _read_contents(archive: tarfile.TarFile, shown: str) -> Contents:
    first = archive.next()
    read = archive.extractfile(first) if first is not None and first.name == CONTENTS else None
    if read is None:
        raise UsageError(f"restore {shown}: must be a backup that `runyard backup` wrote: it does not begin with one")
    try:
        contents = decode(Contents, read.read(_MOST_CONTENTS_BYTES).decode())
    except (ContractError, UnicodeDecodeError) as error:
        raise UsageError(f"restore {shown}: must be a backup that `runyard backup` wrote: {error}") from None
    if contents.format != FORMAT:
        raise UsageError(f"restore {shown}: must be of format {FORMAT}, got {contents.format}")
    if wrong := _lacking(contents):
        raise UsageError(f"restore {shown}: must have {wrong}")
    return contents


def _lacking(contents: Contents) -> str:
    """Say what its list lacks that every backup has; nothing of it is a path that leads elsewhere."""
    wanted = {STATE, SETTINGS, *map(volume_piece, contents.volumes)}
    if missing := sorted(wanted - contents.pieces.keys()):
        return missing[0]
    if not DNS_LABEL.fullmatch(contents.stack):
        return f"the name of a stack, got {contents.stack!r}"
    ours = re.compile(rf"runyard\.{contents.stack}\.[-.a-z0-9]+")
    if any(not ours.fullmatch(each) for each in contents.volumes):
        return f"volumes of stack {contents.stack} alone"
    if contents.pieces.keys() - wanted - {PASSPHRASE}:
        return "no other piece than those of a backup"
    return ""


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, contents: Contents, directory: Path, shown: str
) -> None:
    read = archive.extractfile(member)
    if member.name not in contents.pieces or read is None:
        raise UsageError(f"restore {shown}: must have what its list has, got {member.name}")
    target = directory / member.name
    target.parent.mkdir(exist_ok=True)
    with target.open("wb") as file:
        while data := read.read(_PIECE_BYTES):
            file.write(data)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member
