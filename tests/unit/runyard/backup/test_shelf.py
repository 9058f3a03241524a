"""Shelves of backups: how one is named, which stay, and that none is half."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from runyard.backup.shelf import name_backup, prune, write_whole
from runyard.errors import UsageError


def test_names_are_ordered_by_time_and_tell_what_is_encrypted() -> None:
    moments = [datetime(2026, 11, 28, hour, tzinfo=UTC) for hour in (2, 11)]
    plain, sealed = (name_backup("dev", each, sealed=each.hour == 11) for each in moments)
    assert (plain, sealed) == ("runyard-dev-20261128T020000Z.tar.gz", "runyard-dev-20261128T110000Z.tar.gz.age")
    assert plain < sealed


def test_newest_of_a_stack_stay_and_nothing_else_is_touched(tmp_path: Path) -> None:
    mine = [f"runyard-dev-2026112{day}T020000Z.tar.gz{'.age' * (day % 2)}" for day in range(5)]
    others = [
        "runyard-dev-2-20261101T020000Z.tar.gz",
        "runyard-dev-notes.tar.gz",
        "runyard-devs-20261101T020000Z.tar.gz",
    ]
    for name in (*mine, *others):
        (tmp_path / name).touch()
    assert [each.name for each in prune(tmp_path, "dev", 2)] == mine[:3]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*mine[3:], *others])
    assert prune(tmp_path, "dev", 2) == []


def test_file_is_whole_private_and_replaced_at_once(tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_text("before")

    def fail(into: IO[bytes]) -> None:
        into.write(b"half")
        raise UsageError("no")

    with pytest.raises(UsageError, match=r"^no$"):
        write_whole(file, fail)
    assert ([each.name for each in tmp_path.iterdir()], file.read_text()) == (["b"], "before")
    assert write_whole(file, lambda into: into.write(b"after")) == 5
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("after", 0o600)


def test_file_in_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^backup: write .*/none/b: No such file or directory$"):
        write_whole(tmp_path / "none" / "b", lambda _: None)


def test_file_for_which_there_is_no_room_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    def fill(_: IO[bytes]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UsageError, match=r"^backup: write .*/b: No space left on device$"):
        write_whole(tmp_path / "b", fill)
    assert list(tmp_path.iterdir()) == []
