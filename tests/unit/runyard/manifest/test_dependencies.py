"""Start order of containers: grammar and cycles."""

from __future__ import annotations

import pytest

from runyard.manifest.rules_dependencies import find_cycle, parse_dependencies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":["b","c"]}', {"a": ("b", "c")}),
        ("{a:[b, c-d]}", {"a": ("b", "c-d")}),
        ("{}", {}),
        ('{"a":["b","b"]}', {"a": ("b",)}),
    ],
)
def test_dependencies_are_read(text: str, expected: object) -> None:
    assert parse_dependencies(text) == expected


@pytest.mark.parametrize("text", ["", "a", "[]", '{"a":"b"}', '{"a":[1]}', "[" * 100_000])
def test_dependencies_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a JSON mapping of a container to a list of containers$"):
        parse_dependencies(text)


@pytest.mark.parametrize(
    ("dependencies", "cycle"),
    [
        ({}, ()),
        ({"a": ("b",), "b": ("c",)}, ()),
        ({"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}, ()),
        ({"a": ("a",)}, ("a", "a")),
        ({"a": ("b",), "b": ("a",)}, ("a", "b", "a")),
        ({"x": ("a",), "a": ("b",), "b": ("c",), "c": ("a",)}, ("a", "b", "c", "a")),
        ({"a": ("b",), "c": ("d",), "d": ("c",)}, ("c", "d", "c")),
    ],
)
def test_cycle_is_found_and_named(dependencies: dict[str, tuple[str, ...]], cycle: tuple[str, ...]) -> None:
    assert find_cycle(dependencies) == cycle


def test_long_chains_take_no_recursion() -> None:
    chain = {f"c{n}": (f"c{n + 1}",) for n in range(100_000)}
    # Quadratic time would take minutes.
    assert find_cycle(chain) == ()
    assert find_cycle({**chain, "c100000": ("c0",)})[0] == "c0"
