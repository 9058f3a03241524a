"""The tail gives every line of the log once: over rotation, truncation, restarts, and lines that are half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard.contracts import decode, encode
from services.meter.tail import PIECE_BYTES, Tail, TailState


class Log:
    """The gateway's log as it writes and puts it aside."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "requests.log"
        self.number = 0
        self.written: list[bytes] = []
        self.handle = self.path.open("ab", buffering=0)

    def write(self, *lines: str) -> None:
        for each in lines:
            self.written.append(each.encode())
            self.handle.write(each.encode() + b"\n")

    def rotate(self, *, late: str = "") -> None:
        """Put the log aside; a worker that has not heard of it yet writes one more line."""
        self.number += 1
        self.path.rename(self.path.with_name(f"requests.log.{self.number}"))
        if late:
            self.write(late)
        self.handle.close()
        self.handle = self.path.open("ab", buffering=0)

    def remove(self, number: int) -> None:
        self.path.with_name(f"requests.log.{number}").unlink()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.handle.close()


def read(tail: Tail) -> list[bytes]:
    return [line for piece in tail.pieces() for line in piece]


def again(tail: Tail, directory: Path) -> Tail:
    """Give a tail that begins with what this one has kept, as after a kill."""
    state = decode(TailState, encode(tail.export()))
    tail.close()
    return Tail(directory, state)


def test_lines_are_given_once_and_half_a_line_not_yet(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a", "b")
    log.handle.write(b"half")
    assert read(tail) == [b"a", b"b"]
    assert read(tail) == []
    log.handle.write(b" whole\n")
    assert read(tail) == [b"half whole"]
    assert tail.behind_bytes() == 0
    tail.close()


def test_log_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    assert read(tail) == []
    log = Log(tmp_path)
    log.write("a")
    assert tail.behind_bytes() == 0
    assert read(tail) == [b"a"]
    log.handle.close()
    tail.close()


def test_restart_goes_on_where_the_checkpoint_was(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a")
    assert read(tail) == [b"a"]
    tail = again(tail, tmp_path)
    log.write("b")
    assert read(tail) == [b"b"]
    # Kept before anything was looked at, as a start that is killed does.
    tail = again(again(tail, tmp_path), tmp_path)
    assert read(tail) == []
    tail.close()


def test_rotation_loses_and_doubles_nothing_also_of_lines_that_come_late(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a")
    assert read(tail) == [b"a"]
    log.write("b")
    log.rotate(late="c")
    log.write("d")
    assert read(tail) == [b"b", b"c", b"d"]
    log.rotate()
    log.rotate(late="e")
    assert read(tail) == [b"e"]
    tail.close()


def test_files_that_were_put_aside_while_it_was_down_are_read_in_order(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a")
    read(tail)
    log.write("b")
    for name in "cde":
        log.rotate()
        log.write(name)
    tail = again(tail, tmp_path)
    assert read(tail) == [b"b", b"c", b"d", b"e"]
    assert tail.lost_files == 0
    tail.close()


def test_files_that_went_unread_are_counted(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a")
    log.rotate()
    read(tail)
    for name in "bcde":
        log.write(name)
        log.rotate()
    for number in (1, 2, 3):
        log.remove(number)
    tail = again(tail, tmp_path)
    assert read(tail) == [b"d", b"e"]
    assert tail.lost_files == 2
    assert again(tail, tmp_path).lost_files == 2


def test_file_that_was_removed_while_it_is_open_is_read_to_its_end(log: Log, tmp_path: Path) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a")
    read(tail)
    log.write("b")
    log.rotate()
    log.remove(1)
    assert read(tail) == [b"b"]
    assert tail.lost_files == 0
    tail.close()


@pytest.mark.parametrize("restarts", [False, True])
def test_log_that_is_written_over_in_place_is_another(log: Log, tmp_path: Path, restarts: bool) -> None:
    tail = Tail(tmp_path, TailState())
    log.write("a long line", "b")
    read(tail)
    if restarts:
        tail = again(tail, tmp_path)
    os.truncate(log.path, 0)
    # Longer than what was read: its size alone tells nothing.
    log.write("another line that is long", "c", "d")
    assert read(tail) == [b"another line that is long", b"c", b"d"]
    tail.close()


def test_next_file_with_the_inode_of_one_that_went_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write("a", "b")
    tail = Tail(tmp_path, TailState())
    read(tail)
    state = tail.export()
    tail.close()
    log.handle.close()
    # What matters is that the identity is not the inode: it is made another's here, as the file system may.
    (position,) = state.positions
    log.path.write_bytes(b"x\ny\nz\n")
    assert log.path.stat().st_ino == position.inode
    other = Tail(tmp_path, state)
    assert read(other) == [b"x", b"y", b"z"]
    other.close()


def test_metering_that_begins_now_skips_what_there_is_but_no_line_that_is_being_written(
    log: Log, tmp_path: Path
) -> None:
    log.write("a")
    log.rotate()
    log.write("b")
    log.handle.write(b"ha")
    tail = Tail(tmp_path, TailState())
    tail.skip()
    assert read(tail) == []
    log.handle.write(b"lf\n")
    log.write("c")
    assert read(tail) == [b"half", b"c"]
    assert read(again(tail, tmp_path)) == []


def test_what_is_no_log_is_passed_piece_by_piece(log: Log, tmp_path: Path) -> None:
    log.handle.write(b"x" * (2 * PIECE_BYTES + 5) + b"\n")
    log.write("a")
    tail = Tail(tmp_path, TailState())
    assert [len(each) for each in read(tail)] == [PIECE_BYTES, PIECE_BYTES, 5, 1]
    tail.close()


def test_large_log_comes_in_pieces_of_whole_lines(log: Log, tmp_path: Path) -> None:
    lines = [f"{number:01000}" for number in range(3000)]
    log.write(*lines)
    tail = Tail(tmp_path, TailState())
    pieces = list(tail.pieces())
    assert len(pieces) == 3
    assert [line.decode() for piece in pieces for line in piece] == lines
    tail.close()


EVENTS = st.lists(st.sampled_from(["write", "half", "rotate", "late", "read", "kill"]), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVENTS)
def test_whatever_happens_every_line_comes_once(tmp_path_factory: pytest.TempPathFactory, events: list[str]) -> None:
    directory = tmp_path_factory.mktemp("log")
    log, tail = Log(directory), Tail(directory, TailState())
    kept, counted, seen = tail.export(), list[bytes](), list[bytes]()
    for number, event in enumerate(events):
        if event == "write":
            log.write(f"line {number}")
        elif event == "half":
            log.handle.write(b"begun ")
            log.written.append(b"begun " + f"line {number}".encode())
            seen += read(tail)
            log.handle.write(f"line {number}\n".encode())
        elif event in ("rotate", "late"):
            log.rotate(late=f"late {number}" if event == "late" else "")
        elif event == "read":
            # A checkpoint: what was read and what was counted are kept together.
            seen += read(tail)
            kept, counted = tail.export(), list(seen)
        else:
            tail.close()
            tail, seen = Tail(directory, kept), list(counted)
    seen += read(tail)
    assert sorted(seen) == sorted(log.written)
    tail.close()
    log.handle.close()
