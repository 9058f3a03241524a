"""What every service reads from its environment."""

from __future__ import annotations

import pytest

from runyard.environment import parse_address, parse_stack
from runyard.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:3001", ("127.0.0.1", 3001)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address({"A": text}, "A") == address
    assert parse_address({}, "A", text) == address


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":3001", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address({"A": text}, "A", "127.0.0.1:1")
    assert str(caught.value) == f"A: must be ADDRESS:PORT, got {text!r}"


def test_stack_is_a_label() -> None:
    assert parse_stack({"RUNYARD_STACK": "dev"}) == "dev"
    for given in ({}, {"RUNYARD_STACK": "De v"}):
        with pytest.raises(UsageError, match=r"^RUNYARD_STACK: must be a DNS label, got "):
            parse_stack(given)
