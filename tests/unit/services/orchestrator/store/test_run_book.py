"""The book of runs: what is in it after a restart, and what a broken file costs."""

from __future__ import annotations

from pathlib import Path

from services.orchestrator.model.entry import BookedContainer, BookEntry
from services.orchestrator.store.run_book import RunBook, RunEntry

from ..world import ListJournal


def entry(run: str = "ab12", address: str = "10.130.0.9") -> RunEntry:
    booked = (BookedContainer("app", f"runyard.test.shop.web-1.app.{run}", "c1"),)
    made = BookEntry(run, "shop", "web", "web-1", "web-1", "net", address, booked)
    return RunEntry(made, "digest", "app", 60, 10, 500, 2**20, 3.5)


def test_entries_outlive_a_restart_and_say_what_they_hold(tmp_path: Path) -> None:
    RunBook(tmp_path, ListJournal()).write(entry())
    book = RunBook(tmp_path, ListJournal())
    assert dict(book.entries) == {"ab12": entry()}
    assert (book.places, book.callers) == ({"ab12": ("net", "10.130.0.9")}, {"10.130.0.9": "shop/web"})
    assert (book.revisions, book.documents) == ({"shop/web-1"}, {("shop", "web-1")})
    book.strike("ab12")
    book.strike("ab12")
    assert dict(RunBook(tmp_path, ListJournal()).entries) == {}


def test_file_that_is_broken_or_another_s_is_told_and_costs_no_other(tmp_path: Path) -> None:
    book = RunBook(tmp_path, ListJournal())
    book.write(entry())
    book.write(entry("cd34", "10.130.0.10"))
    (tmp_path / "runs" / "ab12.json").write_text("{")
    (tmp_path / "runs" / "cd34.json").rename(tmp_path / "runs" / "ef56.json")
    book.write(entry("aa11"))
    journal = ListJournal()
    assert set(RunBook(tmp_path, journal).entries) == {"aa11"}
    assert journal.events() == ["run book corrupt"] * 2
