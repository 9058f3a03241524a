from pathlib import Path

import pytest

from runyard.errors import HostError
from services.orchestrator.instances.addresses import REST_S, AddressBook, choose_address

from ..world import FakeClock

SUBNET = "10.1.0.0/29"  # six hosts


def test_choice_is_the_next_free_address_after_the_cursor() -> None:
    assert choose_address(SUBNET, {"10.1.0.1", "10.1.0.4"}, {}, "10.1.0.3", 0) == "10.1.0.5"


def test_choice_starts_at_the_front_without_a_cursor() -> None:
    assert choose_address(SUBNET, {"10.1.0.1"}, {}, None, 0) == "10.1.0.2"


def test_choice_goes_round_past_the_broadcast_address() -> None:
    assert choose_address(SUBNET, {"10.1.0.1"}, {}, "10.1.0.6", 0) == "10.1.0.2"


def test_choice_ignores_a_cursor_from_another_subnet() -> None:
    assert choose_address(SUBNET, set(), {}, "192.168.0.9", 0) == "10.1.0.1"


def test_choice_leaves_a_released_address_alone_for_a_minute() -> None:
    taken = {f"10.1.0.{number}" for number in (1, 2, 3, 4, 5)}
    assert choose_address(SUBNET, taken, {"10.1.0.6": 100.0}, None, 100.0 + REST_S - 0.1) is None
    assert choose_address(SUBNET, taken, {"10.1.0.6": 100.0}, None, 100.0 + REST_S) == "10.1.0.6"


def test_choice_in_a_large_subnet_is_immediate() -> None:
    # A list of all sixteen million would take seconds and a gigabyte.
    assert choose_address("10.0.0.0/8", set(), {}, "10.200.0.1", 0) == "10.200.0.2"


def test_book_never_gives_an_address_twice(tmp_path: Path) -> None:
    book = AddressBook(tmp_path / "a.json", FakeClock())
    assert [book.take(str(each), "n", SUBNET, {"10.1.0.1"}) for each in range(5)] == [
        f"10.1.0.{number}" for number in (2, 3, 4, 5, 6)
    ]
    with pytest.raises(HostError) as caught:
        book.take("6", "n", SUBNET, {"10.1.0.1"})
    assert str(caught.value) == "take an address for instance 6: network n (10.1.0.0/29) is full"


def test_book_lets_a_released_address_rest_then_gives_it_again(tmp_path: Path) -> None:
    clock = FakeClock()
    book = AddressBook(tmp_path / "a.json", clock)
    for each in range(5):
        book.take(str(each), "n", SUBNET, {"10.1.0.1"})
    book.release("3")
    clock.now += REST_S - 1
    with pytest.raises(HostError):
        book.take("new", "n", SUBNET, {"10.1.0.1"})
    clock.now += 1
    assert book.take("new", "n", SUBNET, {"10.1.0.1"}) == "10.1.0.5"


def test_book_goes_on_after_its_cursor_when_restarted(tmp_path: Path) -> None:
    AddressBook(tmp_path / "a.json", FakeClock()).take("1", "n", SUBNET, set())
    assert AddressBook(tmp_path / "a.json", FakeClock()).take("2", "n", SUBNET, set()) == "10.1.0.2"


def test_book_begins_at_the_front_when_its_file_is_torn(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": "10.1')
    assert AddressBook(tmp_path / "a.json", FakeClock()).take("1", "n", SUBNET, set()) == "10.1.0.1"


def test_book_keeps_networks_apart(tmp_path: Path) -> None:
    book = AddressBook(tmp_path / "a.json", FakeClock())
    assert book.take("1", "n", SUBNET, set()) == book.take("2", "m", SUBNET, set()) == "10.1.0.1"


def test_book_holds_what_was_found_and_releases_what_is_gone(tmp_path: Path) -> None:
    clock = FakeClock()
    book = AddressBook(tmp_path / "a.json", clock)
    book.sync({"1": ("n", "10.1.0.1"), "2": ("n", "")}, busy=())
    assert book.take("3", "n", SUBNET, set()) == "10.1.0.2"
    book.sync({}, busy={"3"})
    clock.now += REST_S
    # 10.1.0.1 has rested; 10.1.0.2 belongs to an instance that is only being made.
    assert [book.take(str(each), "n", SUBNET, set()) for each in range(4, 9)] == [
        f"10.1.0.{number}" for number in (3, 4, 5, 6, 1)
    ]
