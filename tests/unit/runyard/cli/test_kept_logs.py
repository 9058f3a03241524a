from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

import pytest

from runyard.cli.kept_logs import describe_entry, follow_entries, render_entry
from runyard.cli.live import Target
from runyard.cli.logs import show_each, show_kept
from runyard.cli.output import Output
from runyard.contracts import MOST_ENTRIES, LogEntry, LogPage

TARGET = Target("shop", "web", "dev")


def entry(number: int, text: str = "") -> LogEntry:
    time = f"2026-11-28T02:26:{number:02}.000000001Z"
    return LogEntry(f"c-f-{number}", time, "web-1", "a1", "app", "stdout", text or f"line {number}")


class FakeReader:
    """A store that has these pages, one after another, and then stays as it was last."""

    def __init__(self, *pages: Sequence[LogEntry]) -> None:
        self.pages = list(pages)
        self.asked: list[dict[str, str]] = []

    def read(self, tenant: str, service: str, asked: Sequence[tuple[str, str]]) -> LogPage:
        assert (tenant, service) == ("shop", "web")
        self.asked.append(dict(asked))
        return LogPage(tuple(self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]))


def follow(reader: FakeReader, count: int, tail: int = 10, **asked: str) -> list[str]:
    waits: list[float] = []
    found = follow_entries(reader, TARGET, list(asked.items()), tail, waits.append)
    return [each if isinstance(each, str) else each.text for each in islice(found, count)]


def test_follower_tells_each_entry_once_however_often_the_store_does() -> None:
    reader = FakeReader(
        [entry(1), entry(2)], [entry(1), entry(2), entry(3)], [entry(2), entry(3)], [entry(2), entry(3), entry(4)]
    )
    assert follow(reader, 4, grep="line") == ["line 1", "line 2", "line 3", "line 4"]
    assert reader.asked[0] == {"grep": "line", "limit": "10"}
    # Some seconds before the last one, as one may come into the store late.
    assert reader.asked[1]["since"].startswith("2026-11-28T02:25:52")
    assert (reader.asked[1]["grep"], reader.asked[1]["limit"]) == ("line", str(MOST_ENTRIES))


def test_follower_of_a_service_that_wrote_nothing_goes_on_from_where_it_was_asked_to() -> None:
    reader = FakeReader([], [], [entry(5)])
    assert follow(reader, 1, since="2026-11-28T00:00:00Z") == ["line 5"]
    assert [each["since"] for each in reader.asked] == ["2026-11-28T00:00:00Z"] * 3


def test_follower_without_a_tail_begins_with_what_comes() -> None:
    assert follow(FakeReader([entry(1)], [entry(1), entry(2)]), 1, tail=0) == ["line 2"]


def test_follower_does_not_tell_what_was_before_the_lines_that_were_asked_for() -> None:
    # The look that overlaps the first finds what the first left out.
    everything = [*map(entry, range(1, 7))]
    assert follow(FakeReader(everything[3:5], everything), 3, tail=2) == ["line 4", "line 5", "line 6"]
    assert follow(FakeReader(everything[4:5], everything), 1, tail=0) == ["line 6"]


def test_follower_tells_what_comes_late_where_there_was_nothing_more_before() -> None:
    assert follow(FakeReader([entry(5)], [entry(3), entry(5)]), 2, tail=2) == ["line 5", "line 3"]


def test_follower_says_once_that_more_came_than_it_can_tell() -> None:
    flood = [entry(1)] * (MOST_ENTRIES - 1)
    first = entry(2)
    reader = FakeReader([], [first, *flood], [first, *flood], [first, *flood[1:], entry(3)])
    found = follow(reader, MOST_ENTRIES + 2)
    assert [each for each in found if each.startswith("more than")] == found[:1]
    assert found[-1] == "line 3"


def test_follower_says_that_more_came_than_it_was_told() -> None:
    reader = FakeReader([], [entry(1)] * MOST_ENTRIES)
    assert follow(reader, 1)[0] == f"more than {MOST_ENTRIES} entries at once: the oldest of them may be left out"


def test_entry_looks_like_a_line_of_the_engine_and_has_its_fields_as_data() -> None:
    assert render_entry(entry(1, "one\n  two")) == "a1/app | one\n  two"
    assert describe_entry(entry(1)) == {
        **{"id": "c-f-1", "time": "2026-11-28T02:26:01.000000001Z", "revision": "web-1", "instance": "a1"},
        **{"container": "app", "output": "stdout", "text": "line 1", "fields": {}},
    }


def test_kept_entries_are_shown_and_it_is_told_where_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    reader = FakeReader([entry(1), entry(2, "red \x1b[31m")])
    show_kept(reader, TARGET, [("grep", "x")], 7, Output(), follow=False)
    assert capsys.readouterr().out == "a1/app | line 1\na1/app | red \\x1b[31m\n"
    assert reader.asked == [{"grep": "x", "limit": "7"}]
    show_kept(reader, TARGET, [], 7, Output("json"), follow=False)
    assert json.loads(capsys.readouterr().out)[0]["text"] == "line 1"
    show_kept(FakeReader([]), TARGET, [], 7, Output(), follow=False)
    assert capsys.readouterr().err == "logs shop/web: nothing of it is kept that fits\n"
    # Whoever wants none asks nobody, and misses none.
    show_kept(reader, TARGET, [], 0, Output(), follow=False)
    assert capsys.readouterr() == ("", "")
    assert len(reader.asked) == 2


def test_followed_entries_are_an_object_a_line_and_a_warning_is_apart(capsys: pytest.CaptureFixture[str]) -> None:
    show_each([entry(1), "more than can be told", entry(2, "red \x1b[31m")], Output("json"))
    written, told = capsys.readouterr()
    assert [json.loads(each)["text"] for each in written.splitlines()] == ["line 1", "red \x1b[31m"]
    assert told == "warning: more than can be told\n"
    show_each([entry(2, "red \x1b[31m")], Output())
    assert capsys.readouterr().out == "a1/app | red \\x1b[31m\n"
