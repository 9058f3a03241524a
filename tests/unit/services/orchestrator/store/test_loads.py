from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.contracts import RecordedMinute
from services.orchestrator.store.loads import DAY_S, LoadStore

from ..world import NOW, ListJournal

DAY = int(NOW) // DAY_S
FIRST = DAY * 1440
KEY = "acme/shop"


def store(tmp_path: Path) -> LoadStore:
    return LoadStore(tmp_path, ListJournal())


def whole(kept: LoadStore, service: str = KEY, days: int = 1) -> list[RecordedMinute]:
    return list(kept.read(service, DAY * DAY_S - (days - 1) * DAY_S, (DAY + 1) * DAY_S - 1))


def test_minutes_are_added_up_and_outlive_a_restart(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.add(KEY, {FIRST: (FIRST, 3, 300, 2), FIRST + 1: (FIRST + 1, 1, 50, 1)})
    kept.add(KEY, {FIRST: (FIRST, 4, 100, 4)})
    assert whole(store(tmp_path)) == [(FIRST, 7, 400, 4), (FIRST + 1, 1, 50, 1)]


def test_midnight_begins_another_file_and_reading_gives_both_in_order(tmp_path: Path) -> None:
    kept, before = store(tmp_path), FIRST - 1
    kept.add(KEY, {before: (before, 1, 1, 1), FIRST: (FIRST, 2, 2, 2)})
    assert sorted(each.name for each in (tmp_path / "loads").iterdir()) == [
        f"acme.shop.{DAY - 1}.json",
        f"acme.shop.{DAY}.json",
    ]
    assert whole(kept, days=2) == [(before, 1, 1, 1), (FIRST, 2, 2, 2)]
    assert whole(kept) == [(FIRST, 2, 2, 2)]


def test_reading_leaves_what_is_outside_of_the_time(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.add(KEY, {number: (number, 1, 1, 1) for number in range(FIRST, FIRST + 5)})
    found = list(kept.read(KEY, (FIRST + 1) * 60 + 30, (FIRST + 3) * 60))
    assert [each[0] - FIRST for each in found] == [1, 2, 3]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        json.dumps({"service": "acme/cart", "day": DAY, "minutes": []}),
        json.dumps({"service": KEY, "day": DAY - 1, "minutes": []}),
        json.dumps({"service": KEY, "day": DAY, "minutes": [[FIRST - 1, 1, 1, 1]]}),
        json.dumps({"service": KEY, "day": DAY, "minutes": [[FIRST, -1, 1, 1]]}),
        json.dumps({"service": KEY, "day": DAY, "minutes": [[FIRST, 1, 1]]}),
        json.dumps({"service": KEY, "day": DAY, "minutes": [], "version": 9}),
    ],
    ids=["empty", "cut", "of_another", "of_another_day", "minute_of_another_day", "negative", "short", "newer"],
)
def test_broken_file_loses_its_day_alone_is_told_and_is_written_anew(tmp_path: Path, broken: str) -> None:
    kept = store(tmp_path)
    kept.add(KEY, {FIRST - 1: (FIRST - 1, 1, 1, 1), FIRST: (FIRST, 2, 2, 2)})
    (tmp_path / "loads" / f"acme.shop.{DAY}.json").write_text(broken)
    journal = ListJournal()
    again = LoadStore(tmp_path, journal)
    assert whole(again, days=2) == [(FIRST - 1, 1, 1, 1)]
    assert journal.events() == ["recorded load corrupt"]
    again.add(KEY, {FIRST: (FIRST, 5, 5, 5)})
    assert whole(again, days=2) == [(FIRST - 1, 1, 1, 1), (FIRST, 5, 5, 5)]


def test_days_beyond_the_eighth_and_from_a_wrong_clock_are_removed(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for days in (-400, -9, -8, 0, 1, 2):
        number = FIRST + 1440 * days
        kept.add(KEY, {number: (number, 1, 1, 1)})
    (tmp_path / "loads" / "acme.shop.json").write_text("{}")
    kept.prune(NOW)
    left = {path.name for path in (tmp_path / "loads").iterdir()}
    assert left == {f"acme.shop.{DAY + days}.json" for days in (-8, 0, 1)}


def test_service_is_recorded_since_it_came_first_and_forgotten_with_all_its_days(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.begin([KEY, "acme/shop-2"], NOW)
    kept.begin([KEY, "acme/cart"], NOW + 60)
    for key in (KEY, "acme/shop-2"):
        kept.add(key, {FIRST: (FIRST, 1, 1, 1)})
    again = store(tmp_path)
    assert again.since == {KEY: NOW, "acme/shop-2": NOW, "acme/cart": NOW + 60}
    again.forget(KEY)
    assert store(tmp_path).since == {"acme/shop-2": NOW, "acme/cart": NOW + 60}
    assert (whole(again), whole(again, "acme/shop-2")) == ([], [(FIRST, 1, 1, 1)])


def test_beginnings_that_cannot_be_read_begin_anew(tmp_path: Path) -> None:
    store(tmp_path).begin([KEY], NOW)
    (tmp_path / "loads.json").write_text("[]")
    journal = ListJournal()
    again = LoadStore(tmp_path, journal)
    assert (again.since, journal.events()) == ({}, ["recorded load corrupt"])
    again.begin([KEY], NOW + 60)
    assert store(tmp_path).since == {KEY: NOW + 60}
