from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runyard import files


@pytest.mark.parametrize("durable", [True, False])
def test_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.json"
    for text in ("old and long", "new"):
        files.write(path, text, durable=durable)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_mode_holds_whatever_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("open to all")
    files.write(path, b"\x00", mode=0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"\x00", 0o600)


def test_write_that_was_cut_short_leaves_the_old_file_and_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write(path, "old")
    (tmp_path / "a.json.draft").write_text('{"ha')
    files.clear(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "a.json.draft").write_text('{"ha')
    files.write(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("new", [path])


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    for _ in range(2):
        files.remove(tmp_path / "a.json")


def test_disk_that_cannot_says_so_and_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        files.write(tmp_path / "none" / "a.json", "x")
