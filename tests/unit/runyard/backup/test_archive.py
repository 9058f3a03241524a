"""Archives: what is packed comes back, and whatever else there may be in a file is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.backup.archive import FORMAT, SETTINGS, STATE, Contents, Piece, measure, pack, unpack, volume_piece
from runyard.codec import encode
from runyard.errors import UsageError

VOLUME = "runyard.dev.gateway"


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Contents, bytes]:
    source = tmp_path / "source"
    (source / "volumes").mkdir(parents=True)
    texts = {STATE: b"{}", SETTINGS: b"a: b\n", volume_piece(VOLUME): b"x" * 100_000}
    for name, text in texts.items():
        (source / name).write_bytes(text)
    pieces = {name: measure(source / name) for name in texts}
    contents = Contents(FORMAT, "dev", "2026-11-28T02:30:00Z", pieces, {VOLUME: {"runyard.dev/stack": "dev"}})
    into = io.BytesIO()
    pack(contents, source, into)
    return contents, into.getvalue()


def unpacked(data: bytes, directory: Path) -> Contents:
    target = directory / "target"
    target.mkdir()
    return unpack(io.BytesIO(data), target, "b.tar.gz")


def archive(contents: Any, **members: bytes) -> bytes:
    """Write an archive by hand, whose list and members need not fit."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as written:
        for name, data in (("contents.json", encode(contents).encode()), *members.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
    return into.getvalue()


def test_what_is_packed_comes_back(packed: tuple[Contents, bytes], tmp_path: Path) -> None:
    contents, data = packed
    assert unpacked(data, tmp_path) == contents
    assert (tmp_path / "target" / volume_piece(VOLUME)).read_bytes() == b"x" * 100_000


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_archive_that_is_cut_short_or_changed_is_refused(
    packed: tuple[Contents, bytes], tmp_path: Path, at: float
) -> None:
    _, data = packed
    cut = int(len(data) * at)
    with pytest.raises(UsageError, match=r"^restore b\.tar\.gz: must "):
        unpacked(data[:cut], tmp_path)
    (tmp_path / "target").rename(tmp_path / "first")
    with pytest.raises(UsageError, match=r"^restore b\.tar\.gz: must "):
        unpacked(data[:cut] + bytes([data[cut] ^ 255]) + data[cut + 1 :], tmp_path)


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"no tar", mtime=0)])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^restore b\.tar\.gz: must be a"):
        unpacked(data, tmp_path)


def test_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as written:
        written.addfile(tarfile.TarInfo("README.md"))
    with pytest.raises(UsageError, match=r"must be a backup that `runyard backup` wrote: it does not begin with one$"):
        unpacked(into.getvalue(), tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "runyard-backup-9"}, "must be of format runyard-backup-1, got runyard-backup-9"),
        ({"stack": "../up"}, "must have the name of a stack, got '../up'"),
        ({"pieces": {}}, "must have settings.yaml"),
        ({"volumes": {"runyard.other.gateway": {}}}, "must have volumes/runyard.other.gateway.tar"),
        ({"more": "../../etc/passwd"}, "must have no other piece than those of a backup"),
        ({"volume": "runyard.other.gateway"}, "must have volumes of stack dev alone"),
        ({"volume": "runyard.dev.a/b"}, "must have volumes of stack dev alone"),
    ],
)
def test_list_that_is_no_backups_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    pieces = {STATE: Piece(0, ""), SETTINGS: Piece(0, "")}
    if more := change.pop("more", ""):
        pieces[more] = Piece(0, "")
    if volume := change.pop("volume", ""):
        pieces[volume_piece(volume)] = Piece(0, "")
        change = {"volumes": {volume: {}}}
    contents = replace(Contents(FORMAT, "dev", "now", pieces), **change)
    with pytest.raises(UsageError) as refused:
        unpacked(archive(contents), tmp_path)
    assert str(refused.value) == f"restore b.tar.gz: {reason}"


def test_member_that_is_in_no_list_and_a_piece_that_is_missing_are_refused(tmp_path: Path) -> None:
    contents = Contents(FORMAT, "dev", "now", {STATE: Piece(2, "x"), SETTINGS: Piece(0, "")})
    with pytest.raises(UsageError, match=r"must have what its list has, got \.\./up$"):
        unpacked(archive(contents, **{"../up": b""}), tmp_path)
    assert not (tmp_path / "up").exists()
    (tmp_path / "target").rmdir()
    with pytest.raises(UsageError, match=r"must be as it was made: settings\.yaml is damaged or missing$"):
        unpacked(archive(contents), tmp_path)
