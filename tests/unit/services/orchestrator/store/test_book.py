from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.contracts import encode
from services.orchestrator.model.entry import BookedContainer, BookEntry
from services.orchestrator.store.book import DEPARTED, Book

from ..world import ListJournal

ENTRY = BookEntry(
    "7f",
    "default",
    "hello",
    "hello-1",
    "hello-1",
    "net",
    "10.0.0.9",
    (BookedContainer("app", "name-app", "id-app"), BookedContainer("db", "name-db", "id-db")),
)


def book(directory: Path, journal: ListJournal | None = None) -> Book:
    return Book(directory, journal or ListJournal())


def begun(directory: Path) -> Book:
    """Give a book that was never lost."""
    found = book(directory)
    found.note_orphans(())
    return found


def test_entries_survive_a_restart(tmp_path: Path) -> None:
    begun(tmp_path).write(ENTRY)
    again = book(tmp_path)
    assert (again.lost, dict(again.entries)) == (False, {"7f": ENTRY})
    assert (again.owner("id-app"), again.owner("id-db"), again.owner("other")) == ("7f", "7f", None)


def test_book_whose_directory_is_gone_is_lost(tmp_path: Path) -> None:
    begun(tmp_path).write(ENTRY)
    shutil.rmtree(tmp_path / "instances")
    assert book(tmp_path).lost


def test_struck_out_entry_is_gone_for_good(tmp_path: Path) -> None:
    first = begun(tmp_path)
    first.write(ENTRY)
    first.strike(["7f", "unknown"])
    assert (first.owner("id-app"), dict(first.entries), dict(book(tmp_path).entries)) == (None, {}, {})


def test_last_instances_that_were_forgotten_are_told_of_and_no_more(tmp_path: Path) -> None:
    found = begun(tmp_path)
    for number in range(DEPARTED + 1):
        found.write(replace(ENTRY, instance=f"{number:x}"))
        found.strike([f"{number:x}", "unknown"])
    assert [each.instance for each in found.departed] == [f"{number:x}" for number in range(1, DEPARTED + 1)]
    # Another life has them no more.
    assert list(book(tmp_path).departed) == []


def test_book_is_lost_until_what_was_there_is_noted_and_only_that_can_be_claimed(tmp_path: Path) -> None:
    first = book(tmp_path)
    assert first.lost
    # A kill before it is noted loses nothing.
    assert book(tmp_path).lost
    first.note_orphans({"id-app", "id-db", "other"})
    again = book(tmp_path)
    assert (again.lost, again.orphans) == (False, {"id-app", "id-db", "other"})
    again.write(ENTRY)
    assert book(tmp_path).orphans == {"other"}
    again.keep_orphans({"new"})
    assert book(tmp_path).orphans == frozenset()


def test_making_that_was_cut_short_is_told_and_completed(tmp_path: Path) -> None:
    first = begun(tmp_path)
    planned = (BookedContainer("app", "name-app"), BookedContainer("db", "name-db"))
    first.begin(BookEntry("7f", "default", "hello", "hello-1", "hello-1", "net", "10.0.0.9", planned))
    assert (first.making("7f"), dict(first.unmade)) == (True, {})
    again = book(tmp_path)
    assert (again.making("7f"), dict(again.unmade)) == (False, {"name-app": "7f", "name-db": "7f"})
    again.complete("7f", "name-app", "id-app")
    assert (again.owner("id-app"), dict(book(tmp_path).unmade)) == ("7f", {"name-db": "7f"})


@pytest.mark.parametrize(
    ("name", "text"), [("7f", "{"), ("7e", encode(ENTRY)), ("x", encode(ENTRY).replace('"7f"', '"x"'))]
)
def test_entry_that_cannot_be_read_is_said_and_nobody_s(tmp_path: Path, name: str, text: str) -> None:
    begun(tmp_path)
    (tmp_path / "instances" / f"{name}.json").write_text(text)
    journal = ListJournal()
    again = book(tmp_path, journal)
    assert (dict(again.entries), again.corrupt) == ({}, (f"instances/{name}.json",))
    assert journal.events() == ["book corrupt"]


def test_orphans_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "orphans.json").write_text("{")
    again = book(tmp_path)
    assert (again.lost, again.orphans, again.corrupt) == (False, frozenset(), ("orphans.json",))


def test_instance_with_volumes_is_spent_until_they_are_gone_also_after_a_restart(tmp_path: Path) -> None:
    found = begun(tmp_path)
    entry = replace(ENTRY, volumes=("work.7f",), data=("data",))
    found.write(entry)
    found.strike(["7f"])
    assert (dict(found.entries), dict(found.spent), found.owner("id-app")) == ({}, {"7f": entry}, None)
    again = book(tmp_path)
    again.strike(["7f"])
    again.forget("7f")
    assert (dict(again.spent), dict(book(tmp_path).entries)) == ({}, {})
