"""The engine's log is read once and whole, whatever is renamed, removed or begun anew meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.logs.lines import parse_line
from services.logs.source import PIECE_BYTES, Place, Source
from tests.harness.logs import EngineLog, written

ID = "a" * 64


@pytest.fixture
def log(tmp_path: Path) -> EngineLog:
    return EngineLog(tmp_path, ID)


def source(log: EngineLog, place: Place | None = None) -> Source:
    return Source(log.directory, ID, place)


def read(found: Source) -> list[str]:
    """Read to the end; what is lost shows as a line of its own."""
    texts: list[str] = []
    while (piece := found.read()) is not None:
        position = piece.position
        texts += ["lost"] if piece.lost else []
        for raw in piece.lines:
            line = parse_line(position, raw)
            assert line is not None
            texts.append(line.text)
            position += len(raw) + 1
        assert position == found.position
    return texts


def test_lines_are_read_once_and_half_a_line_when_it_is_whole(log: EngineLog) -> None:
    found = source(log)
    assert read(found) == []
    log.write("one", "two")
    assert read(found) == ["one", "two"]
    raw = written("three\n")
    with log.file.open("ab") as file:
        file.write(raw[:20])
        file.flush()
        assert read(found) == []
        file.write(raw[20:])
    assert read(found) == ["three"]


def test_files_that_are_put_aside_are_read_to_their_ends_and_the_next_from_their_beginnings(log: EngineLog) -> None:
    found = source(log)
    log.write("one")
    assert read(found) == ["one"]
    log.write("two")
    log.rotate()
    log.write("three")
    log.rotate()
    log.write("four")
    assert read(found) == ["two", "three", "four"]
    log.write("five")
    assert read(found) == ["five"]


def test_container_that_is_known_late_is_read_from_its_oldest_file(log: EngineLog) -> None:
    for text in ("one", "two", "three"):
        log.write(text)
        log.rotate()
    log.write("four")
    assert read(source(log)) == ["two", "three", "four"]


def test_log_that_is_removed_is_read_to_its_end(log: EngineLog) -> None:
    found = source(log)
    log.write("one")
    assert found.open()
    log.write("two")
    log.remove()
    assert found.gone
    assert read(found) == ["one", "two"]
    assert found.behind_bytes() == 0


def test_another_life_goes_on_at_a_place_wherever_its_file_is_now(log: EngineLog) -> None:
    found = source(log)
    log.write("one", "two")
    read(found)
    place = found.place(found.position)
    log.write("three")
    log.rotate()
    log.write("four")
    again = source(log, place)
    assert read(again) == ["three", "four"]
    # A place of a line in the file before is one of that file.
    first = again.place(0)
    assert first == place
    assert read(source(log, first)) == ["three", "four"]


def test_place_whose_file_is_gone_says_so_and_all_there_is_is_read(log: EngineLog) -> None:
    found = source(log)
    log.write("one")
    read(found)
    place = found.place(found.position)
    for text in ("two", "three", "four"):
        log.rotate()
        log.write(text)
    assert read(source(log, place)) == ["lost", "two", "three", "four"]


def test_reader_that_is_too_slow_for_the_rotation_says_so(log: EngineLog) -> None:
    found = source(log)
    log.write("one")
    read(found)
    for text in ("two", "three", "four", "five"):
        log.rotate()
        log.write(text)
    assert read(found) == ["lost", "three", "four", "five"]


def test_place_before_a_line_is_none_and_a_file_that_begins_otherwise_is_another(log: EngineLog) -> None:
    found = source(log)
    assert (read(found), found.place(0)) == ([], None)
    log.write("one")
    read(found)
    place = found.place(found.position)
    # The same inode, written over.
    log.file.write_bytes(written("another\n"))
    assert read(source(log, place)) == ["lost", "another"]


def test_file_that_is_none_of_the_engines_stops_nobody(log: EngineLog) -> None:
    log.file.write_bytes(b"x" * (2 * PIECE_BYTES))
    found = source(log)
    piece = found.read()
    assert piece is not None
    assert len(piece.lines[0]) == PIECE_BYTES


def test_file_that_begins_with_what_a_broken_disk_left_has_places_as_any_other(log: EngineLog) -> None:
    log.file.write_bytes(b"\x00" * PIECE_BYTES)
    log.write("one")
    found = source(log)
    assert found.read() is not None
    assert read(found) == ["one"]
    place = found.place(found.position)
    assert place is not None
    log.write("two")
    assert read(source(log, place)) == ["two"]
