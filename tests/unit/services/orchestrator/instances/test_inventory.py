"""The inventory asks the engine for what changed; whose a container is has its stories in test_identity."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runyard import names
from runyard.errors import HostUnreachable
from services.orchestrator.engine.docker.engine import DockerEngine
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.making import Placement, container_config
from services.orchestrator.instances.inventory import LATE_S, Inventory, Records
from services.orchestrator.model.entry import BookedContainer, BookEntry, container_name, entry_of
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.book import Book
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.store.signature import Verifier

from ..world import IMAGE, NETWORK, PUBLIC_KEY, STACK, FakeEngine, ListJournal, container, document, sign

DOCUMENT = document()
ADDRESS = "10.130.0.9"


class Stock:
    """An inventory with its engine and its book."""

    def __init__(self, directory: Path) -> None:
        self.engine, self.journal = FakeEngine(), ListJournal()
        documents = DocumentStore(directory, STACK, Verifier(PUBLIC_KEY), self.journal)
        documents.put([sign(DOCUMENT)])
        self.book = Book(directory, self.journal)
        self.docker = DockerEngine(self.engine, STACK)
        self.now_s, records = 0.0, Records(self.book, documents)
        self.inventory = Inventory(self.docker, records, self.journal, lambda: self.now_s)
        # There was a book from the start, and it was empty.
        asyncio.run(self.inventory.refresh())
        self.engine.calls.clear()

    def make(self, instance: str = "7f", *, stack: str = STACK) -> str:
        """Make an instance as operations do, and give its container."""
        revision = Revision(DOCUMENT)
        name = container_name(revision, "app", instance)
        config = container_config(revision, container(), Placement(instance, ADDRESS), Image(IMAGE, command=("serve",)))
        config["Labels"][names.STACK] = stack
        made = self.engine.add(name, config)
        if stack == STACK:
            booked = (BookedContainer("app", name, made),)
            whose = ("default", "hello", "hello-1", "hello-1")
            self.book.write(BookEntry(instance, *whose, NETWORK, ADDRESS, booked))
        return made

    def inspected(self) -> list[str]:
        """Give whom the engine was asked about since the last time."""
        asked = [what for verb, what in self.engine.calls if verb == "inspect"]
        self.engine.calls.clear()
        return asked

    def ids(self) -> list[str]:
        return [each.id for each in self.inventory.instances()]


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return Stock(tmp_path)


def test_refresh_asks_again_only_for_what_changed_unless_it_is_thorough(stock: Stock) -> None:
    first = stock.make("1")
    asyncio.run(stock.inventory.refresh())
    assert stock.inspected() == [first]
    second = stock.make("2")
    asyncio.run(stock.inventory.refresh())
    assert stock.inspected() == [second]
    stock.engine.containers[first]["State"] = {"Status": "exited"}
    asyncio.run(stock.inventory.refresh())
    assert stock.inspected() == [first]
    asyncio.run(stock.inventory.refresh(thorough=True))
    assert sorted(stock.inspected()) == sorted([first, second])


def test_instance_that_is_gone_is_forgotten_with_its_entry(stock: Stock) -> None:
    gone = stock.make()
    asyncio.run(stock.inventory.refresh())
    assert stock.ids() == ["7f"]
    del stock.engine.containers[gone]
    asyncio.run(stock.inventory.refresh_some([gone]))
    assert (stock.ids(), dict(stock.book.entries)) == ([], {})


def test_refresh_that_fails_forgets_nothing(stock: Stock) -> None:
    stock.make()
    asyncio.run(stock.inventory.refresh())
    stock.engine.away = True
    with pytest.raises(HostUnreachable):
        asyncio.run(stock.inventory.refresh())
    assert stock.ids() == ["7f"]


def test_refresh_of_some_strikes_out_nobody_whom_it_did_not_look_for(stock: Stock) -> None:
    first = stock.make("1")
    asyncio.run(stock.inventory.refresh())
    stock.make("2")
    asyncio.run(stock.inventory.refresh_some([first]))
    assert sorted(stock.book.entries) == ["1", "2"]
    asyncio.run(stock.inventory.refresh())
    assert stock.ids() == ["1", "2"]


def test_instance_being_made_is_in_the_book_before_it_is_in_the_engine(stock: Stock) -> None:
    name = container_name(Revision(DOCUMENT), "app", "7f")
    whose = ("default", "hello", "hello-1", "hello-1")
    stock.book.begin(BookEntry("7f", *whose, NETWORK, ADDRESS, (BookedContainer("app", name),)))
    asyncio.run(stock.inventory.refresh())
    assert "7f" in stock.book.entries
    asyncio.run(stock.inventory.take_in("7f", []))
    assert "7f" not in stock.book.entries


NAME = container_name(Revision(DOCUMENT), "app", "7f")
UNMADE = entry_of(Revision(DOCUMENT), "7f", ADDRESS, (BookedContainer("app", NAME),))


def unanswered(stock: Stock) -> None:
    """Have the making of an instance end without an answer."""
    stock.book.begin(UNMADE)
    stock.inventory.expect("7f")
    asyncio.run(stock.inventory.take_in("7f", []))


def late(stock: Stock) -> str:
    """Have the engine make what it did not answer for, and give the container."""
    return asyncio.run(stock.docker.make(UNMADE, Revision(DOCUMENT), "app"))


def test_what_the_engine_made_without_an_answer_is_ours_when_it_comes(stock: Stock) -> None:
    unanswered(stock)
    for stock.now_s in (0.0, LATE_S - 1):
        asyncio.run(stock.inventory.refresh())
        assert "7f" in stock.book.entries
    made = late(stock)
    asyncio.run(stock.inventory.refresh_some([made]))
    assert (stock.ids(), stock.inventory.strangers()) == (["7f"], ())


def test_what_never_comes_is_struck_out_after_a_while(stock: Stock) -> None:
    unanswered(stock)
    stock.now_s = LATE_S
    asyncio.run(stock.inventory.refresh())
    assert "7f" not in stock.book.entries
    late(stock)
    asyncio.run(stock.inventory.refresh())
    assert (stock.ids(), stock.inventory.strangers()) == ([], (NAME,))


def test_what_a_killed_orchestrator_asked_for_is_the_next_one_s_when_it_comes(tmp_path: Path) -> None:
    unanswered(Stock(tmp_path))
    again = Stock(tmp_path)
    assert "7f" in again.book.entries
    late(again)
    again.now_s = LATE_S - 1
    asyncio.run(again.inventory.refresh())
    assert (again.ids(), again.inventory.strangers()) == (["7f"], ())


def test_event_of_another_stack_s_container_brings_nothing_in(stock: Stock) -> None:
    other = stock.make(stack="other")
    asyncio.run(stock.inventory.refresh_some([other]))
    assert (stock.ids(), stock.inventory.strangers(), stock.inventory.knows(other)) == ([], (), False)


def test_instance_is_read_again_only_when_it_was_seen_anew(stock: Stock) -> None:
    made = stock.make()
    asyncio.run(stock.inventory.refresh())
    (first,) = stock.inventory.instances()
    asyncio.run(stock.inventory.refresh())
    assert stock.inventory.instances()[0] is first
    asyncio.run(stock.inventory.refresh_some([made]))
    assert stock.inventory.instances()[0] is not first
