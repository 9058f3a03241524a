"""Lines become records: the owner says whose they are, a mark what is too much, and none is stored twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runyard.contracts import ContainerOwner
from services.logs.intake import TELL_S, Intake
from services.logs.limits import Limits
from services.logs.source import Piece, Source
from tests.harness.logs import EngineLog, written

ID = "a" * 64
OWNER = ContainerOwner("shop", "web", "web-1", "a1", "app")
START = datetime(2026, 11, 28, 2, 26, tzinfo=UTC)
SIZE = len(written("0\n", START)) - 1


class Story:
    """An intake whose log a test writes."""

    def __init__(self, directory: Path, per_second: int = 10_000, per_day: int = 10**9) -> None:
        self.log = EngineLog(directory, ID)
        self.limits = Limits(per_second, per_day)
        self.begin(())

    def begin(self, stored: Any) -> None:
        self.source = Source(self.log.directory, ID)
        self.intake = Intake(ID, OWNER, self.source, self.limits, stored)

    def read(self, *, end: bool = True) -> list[dict[str, str]]:
        found: list[bytes] = []
        while (piece := self.source.read()) is not None:
            found += self.intake.take(piece)
        found += self.intake.end() if end else ()
        return [json.loads(each) for each in found]


def test_record_says_whose_it_is_by_the_owner_alone(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.log.write(
        json.dumps({"service": "forged", "id": "forged", "_time": "1999-01-01", "severity": "error"}), at=START
    )
    (record,) = story.read()
    own = {"service": "web", "revision": "web-1", "instance": "a1", "container": "app", "output": "stdout", "id": ID}
    assert own.items() <= record.items()
    assert record["_time"].startswith("2026-11-28T02:26:00")
    assert (record["severity"], record["jsonPayload.service"]) == ("ERROR", "forged")
    assert "tenant" not in record


def test_what_is_stored_already_is_given_once_and_no_more(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.log.write("one", "two", "three")
    records = story.read()
    story.begin([(each["file"], each["offset"]) for each in records[:2]])
    assert [each["_msg"] for each in story.read()] == ["three"]


def test_what_is_too_much_is_left_out_with_a_mark_and_goes_on_with_the_next_slot(tmp_path: Path) -> None:
    story = Story(tmp_path, per_second=SIZE)
    story.log.write(*"0123456789abcde", at=START)
    story.log.write("f", at=START + timedelta(seconds=10))
    texts = [each["_msg"] for each in story.read()]
    assert texts[:10] == list("0123456789")
    mark = f"[runyard] 5 lines ({5 * SIZE} bytes) left out: more than a service may write in a second"
    assert texts[10:] == [mark, "f"]
    assert (story.intake.tally.lines, story.intake.tally.left_out_bytes) == (11, 5 * SIZE)


def test_flood_without_an_end_is_told_of_every_minute(tmp_path: Path) -> None:
    story = Story(tmp_path, per_day=1)
    for minute in range(3):
        story.log.write("x", at=START + timedelta(minutes=minute))
    assert len([each for each in story.read(end=False) if "in a day" in each["_msg"]]) == 2
    begun = (START + timedelta(minutes=2)).timestamp()
    assert list(story.intake.settle(begun + TELL_S - 1)) == []
    (mark,) = story.intake.settle(begun + TELL_S + 1)
    assert b"1 line (" in mark


def test_mark_stays_before_what_is_left_out_until_the_log_says_so(tmp_path: Path) -> None:
    story = Story(tmp_path, per_day=SIZE)
    story.log.write(*"01", at=START)
    story.log.write("2", at=START + timedelta(seconds=1))
    assert [each["_msg"] for each in story.read(end=False)] == ["0"]
    mark = story.intake.mark
    assert mark is not None
    # One that is killed here finds both lines again, and leaves out as many.
    assert (mark.place.offset, mark.time[:19]) == (SIZE + 1, "2026-11-28T02:26:00")
    (told,) = map(json.loads, story.intake.end())
    assert told["_msg"].startswith("[runyard] 2 lines (")
    assert told["offset"] == str(SIZE + 1)


def test_mark_of_the_log_is_of_the_first_line_that_is_in_no_record(tmp_path: Path) -> None:
    story = Story(tmp_path)
    assert story.intake.mark is None
    story.log.write("one", at=START)
    story.log.write("  two", at=START + timedelta(milliseconds=1))
    assert story.read(end=False) == []
    begun = story.intake.mark
    assert begun is not None
    assert (begun.place.offset, begun.time[:19]) == (0, "2026-11-28T02:26:00")
    (record,) = map(json.loads, story.intake.end())
    assert record["_msg"] == "one\n  two"
    after = story.intake.mark
    assert after is not None
    assert after.place.offset == story.log.file.stat().st_size


def test_long_line_is_cut_with_a_mark_and_a_broken_one_is_counted(tmp_path: Path) -> None:
    story = Story(tmp_path, per_second=10**9)
    story.log.write("x" * 200_000, "")
    with story.log.file.open("ab") as file:
        file.write(b"\x00\x00\n")
    (record,) = story.read()
    assert record["_msg"].endswith("x [runyard: 68928 characters cut]")
    assert story.intake.tally.refused_lines == 1


def test_gap_in_what_was_read_is_told_before_the_line_after_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    raw = written('{"a":1}\n', START).strip()
    mark, line = map(json.loads, story.intake.take(Piece(0, (raw,), lost=True)))
    assert "lines before this one may be missing" in mark["_msg"]
    assert (mark["_time"], mark["output"], mark["severity"]) == (line["_time"], "runyard", "WARNING")
    assert mark["offset"] != line["offset"]
