"""Places in manifests as messages show and order them."""

from __future__ import annotations

import pytest

from runyard.location import Location, escape_name


def test_place_reads_as_editors_and_compilers_write_it() -> None:
    assert str(Location("shop/web.yaml", 7, 3)) == "shop/web.yaml:7:3"


def test_places_are_in_the_order_in_which_they_are_read() -> None:
    places = [Location("b", 1, 1), Location("a", 10, 1), Location("a", 9, 20), Location("a", 9, 3)]
    assert sorted(places) == [places[3], places[2], places[1], places[0]]


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("manifests/Läden web.yaml", "manifests/Läden web.yaml"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nerror: b", "a\\nerror: b"),
        ("ä\n", "\\xe4\\n"),
        # A name of bytes that are no UTF-8, as Python passes it on.
        ("a\udcff", "a\\udcff"),
    ],
)
def test_name_of_a_file_says_nothing_to_a_terminal(file: str, shown: str) -> None:
    assert escape_name(file) == shown
